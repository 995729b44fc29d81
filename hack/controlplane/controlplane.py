#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on loopback, for tests and for trying things out.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok (which plays nodes and
running pods, see stages/) run as children of this process, on free ports, with all their files
in one directory. Several can run at once. They die with the process that started them, however
it ends. Needs Python 3.9 and the openssl command; `./build` makes the programs at first use.

    controlplane.py up --dir D      start in the background, print the path of the kubeconfig
    controlplane.py up --dir D --foreground
    controlplane.py down --dir D    stop it
    controlplane.py env --dir D     print `export` lines for a shell (KUBECONFIG, PATH, …)
"""

import argparse
import base64
import ctypes
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVICE_RANGE = "10.0.0.0/16"
SERVICE_IP = "10.0.0.1"     # the first address of SERVICE_RANGE is that of kubernetes.default.svc
PORTS = range(20000, 30000)  # below the kernel's ephemeral range, or a client socket may sit there
PORT_ATTEMPTS = 3
READY_SECONDS = 90
STOP_SECONDS = 2            # what it keeps is thrown away, so nothing needs a long farewell
DRAIN_SECONDS = 5           # what a kube-apiserver that is to come back gets to finish its work
PR_SET_PDEATHSIG = 1        # linux/prctl.h
LIBC = ctypes.CDLL(None, use_errno=True)

# Who is left out of the audit log: the cluster's own machinery. What remains is what a test did
# and what the program under test did, which can be told apart by user or user agent.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["kwok", "system:apiserver", "system:kube-controller-manager",
                                    "system:kube-scheduler"]},
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}


class ControlPlaneError(RuntimeError):
    """The control plane, or one of its programs, did not do what it should."""


def find_programs():
    """The directory that holds the programs, built if they are not there yet."""
    out = subprocess.run([str(HERE / "build")], stdout=subprocess.PIPE, text=True, check=False)
    if out.returncode != 0:
        raise ControlPlaneError("hack/controlplane/build failed, see its output above")
    return Path(out.stdout.strip())


def free_port(taken):
    """A loopback port nobody listens on; it can be taken before it is used, so start() retries."""
    for _ in range(1000):
        port = random.choice(PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in taken:
            taken.add(port)
            return port
    raise ControlPlaneError("no free port between %d and %d" % (PORTS.start, PORTS.stop))


def start_child(argv, log, **options):
    """Starts a program whose output goes to the end of the file `log`, and which the kernel kills
    when the thread that called this ends."""
    parent = os.getpid()

    def die_with_parent():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    with open(log, "ab") as out:
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, start_new_session=True, preexec_fn=die_with_parent,
                                **options)


class Certificates:
    """The keys and certificates of one control plane, made by the openssl command."""

    SERVER_NAMES = ("DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
                    "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,"
                    "IP:127.0.0.1,IP:" + SERVICE_IP)

    def __init__(self, directory):
        self.dir = directory

    def make(self):
        self.dir.mkdir(mode=0o700)
        self._write("ca.cnf", "[req]\ndistinguished_name=dn\n[dn]\n[ca]\n"
                    "basicConstraints=critical,CA:TRUE\n"
                    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"
                    "subjectKeyIdentifier=hash\n")
        self._key("ca")
        self._openssl("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.crt", "-days", "3650",
                      "-subj", "/CN=penstock test CA", "-config", "ca.cnf", "-extensions", "ca")
        self.issue("server", "/CN=kube-apiserver",
                   "extendedKeyUsage=serverAuth\nsubjectAltName=" + self.SERVER_NAMES)
        self._client("admin", "/O=system:masters/CN=admin")
        self._client("kwok", "/O=system:masters/CN=kwok")
        self._client("controller-manager", "/CN=system:kube-controller-manager")
        self._client("scheduler", "/CN=system:kube-scheduler")
        self._key("service-account")

    def issue(self, name, subject, extensions):
        """Makes <name>.key and <name>.crt, signed by the CA."""
        self._key(name)
        self._write(name + ".cnf", extensions + "\n")
        self._openssl("req", "-new", "-key", name + ".key", "-out", name + ".csr",
                      "-subj", subject, "-config", "ca.cnf")
        self._openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", "3650", "-out", name + ".crt",
                      "-extfile", name + ".cnf")

    def path(self, name):
        return str(self.dir / name)

    def _client(self, name, subject):
        self.issue(name, subject, "extendedKeyUsage=clientAuth")

    def _key(self, name):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")

    def _write(self, name, text):
        (self.dir / name).write_text(text)

    def _openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.dir, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise ControlPlaneError("openssl %s: %s" % (args[0], done.stderr.strip()))


class ControlPlane:
    """One control plane in `directory`. start() and stop() belong to one and the same thread:
    the kernel ends the children when the thread that started them ends."""

    can_restart = True       # as opposed to a cluster that somebody else runs
    ORDER = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

    def __init__(self, directory, nodes=2, programs=None):
        self.dir = Path(directory).resolve()
        self.nodes = nodes
        self.programs = Path(programs) if programs else None
        self.pki = Certificates(self.dir / "pki")
        self.kubeconfig = str(self.dir / "kubeconfig")
        self.audit_log = str(self.dir / "audit.log")
        self.ca_file = self.pki.path("ca.crt")
        self.host = "127.0.0.1"
        self.port = 0
        self.children = {}

    # --- life ------------------------------------------------------------------------------

    def start(self, manifests=()):
        """Starts everything and waits until pods could run. `manifests` (files or directories)
        are applied before the controllers start: the garbage collector looks for new kinds only
        every 30 s, and so knows those of the manifests from its first moment."""
        self.programs = self.programs or find_programs()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                self._start_once(manifests)
                return self
            except ControlPlaneError as error:
                self.stop()
                if "address already in use" not in str(error) or attempt == PORT_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self):
        """Ends the programs that this object started, and nothing else."""
        for stage in (self.ORDER[:0:-1], self.ORDER[:1]):   # etcd after all those who use it
            for name in stage:
                self._signal(name, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            for name in stage:
                self._reap(name, deadline)

    def restart_apiserver(self, kill=False, down_seconds=0.0):
        """Restarts kube-apiserver alone (with SIGKILL if `kill`), on the same port."""
        self._signal("kube-apiserver", signal.SIGKILL if kill else signal.SIGTERM)
        self._reap("kube-apiserver", time.monotonic() + DRAIN_SECONDS)
        time.sleep(down_seconds)
        self._start_apiserver()

    def check(self):
        """Raises if one of the programs has ended by itself."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise ControlPlaneError("%s ended with status %d; the end of its log:\n%s" % (
                    name, child.returncode, self._log_tail(name)))

    # --- use -------------------------------------------------------------------------------

    @property
    def kubectl_program(self):
        return str(self.programs / "kubectl")

    def kubectl(self, *args, stdin=None):
        """Runs kubectl as the administrator and returns what it printed."""
        done = subprocess.run([self.kubectl_program, "--kubeconfig", self.kubeconfig,
                               "--cache-dir", str(self.dir / "kube-cache"), *args],
                              input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            raise ControlPlaneError("kubectl %s: %s" % (" ".join(args), done.stderr.strip()))
        return done.stdout

    def request(self, method, path, body=None):
        """One request as the administrator; returns (status, decoded body)."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.pki.path("admin.crt"), self.pki.path("admin.key"))
        connection = http.client.HTTPSConnection(self.host, self.port, context=context, timeout=10)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json", "Accept": "*/*"})
            answer = connection.getresponse()
            data = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(data) if is_json else data

    # --- one start -------------------------------------------------------------------------

    def _start_once(self, manifests):
        self._prepare_directory()
        self.pki.make()
        taken = set()
        self.port = free_port(taken)
        etcd, peer = ("http://127.0.0.1:%d" % free_port(taken) for _ in range(2))
        self._write_files(etcd)
        self._spawn("etcd", "--data-dir", self.dir / "etcd", "--unsafe-no-fsync",
                    "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", "default=" + peer, "--log-level", "warn")
        self._start_apiserver()
        for manifest in manifests:
            self.kubectl("apply", "-f", str(manifest))
        self._start_controllers()
        self._make_nodes()
        self._wait("nodes are ready", self._nodes_ready)
        self._wait("the service account of the namespace default", lambda: self.request(
            "GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)

    def _prepare_directory(self):
        mark = self.dir / "controlplane.json"
        if self.dir.is_dir() and any(self.dir.iterdir()) and not mark.exists():
            raise ControlPlaneError("%s is neither empty nor a control plane's" % self.dir)
        self.dir.mkdir(parents=True, exist_ok=True)
        mark.write_text("{}\n") if not mark.exists() else None
        for old in ("etcd", "pki", "logs", "kube-cache"):
            shutil.rmtree(self.dir / old, ignore_errors=True)
        for old in ("audit.log", "kubeconfig"):
            (self.dir / old).unlink(missing_ok=True)
        (self.dir / "logs").mkdir()

    def _write_files(self, etcd):
        (self.dir / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY, indent=1))
        for user, path in (("admin", self.kubeconfig), ("kwok", self._config("kwok")),
                           ("controller-manager", self._config("controller-manager")),
                           ("scheduler", self._config("scheduler"))):
            self._write_kubeconfig(user, path)
        self.apiserver_args = [
            "--etcd-servers", etcd, "--secure-port", str(self.port),
            "--bind-address", "127.0.0.1", "--advertise-address", SERVICE_IP,
            "--endpoint-reconciler-type", "none",
            "--tls-cert-file", self.pki.path("server.crt"),
            "--tls-private-key-file", self.pki.path("server.key"),
            "--client-ca-file", self.ca_file, "--authorization-mode", "RBAC",
            "--service-account-key-file", self.pki.path("service-account.key"),
            "--service-account-signing-key-file", self.pki.path("service-account.key"),
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-cluster-ip-range", SERVICE_RANGE, "--allow-privileged=true",
            "--audit-policy-file", self.dir / "audit-policy.json",
            "--audit-log-path", self.audit_log]

    def _write_kubeconfig(self, user, path):
        def data(name):
            return base64.b64encode((self.pki.dir / name).read_bytes()).decode()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "penstock-test",
            "clusters": [{"name": "penstock-test", "cluster": {
                "server": "https://127.0.0.1:%d" % self.port,
                "certificate-authority-data": data("ca.crt")}}],
            "users": [{"name": user, "user": {
                "client-certificate-data": data(user + ".crt"),
                "client-key-data": data(user + ".key")}}],
            "contexts": [{"name": "penstock-test", "context": {
                "cluster": "penstock-test", "user": user}}]}
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            json.dump(config, f, indent=1)

    def _start_apiserver(self):
        self._spawn("kube-apiserver", *self.apiserver_args)
        self._wait("/readyz", lambda: self.request("GET", "/readyz")[0] == 200)

    def _start_controllers(self):
        # The stock limit of 20 requests a second would make tests wait for pods; the port 0
        # means that metrics and health, which nobody reads here, are not served.
        self._spawn("kube-controller-manager",
                    "--kubeconfig", self._config("controller-manager"), "--secure-port", "0",
                    "--service-account-private-key-file", self.pki.path("service-account.key"),
                    "--root-ca-file", self.ca_file, "--use-service-account-credentials",
                    "--leader-elect=false", "--kube-api-qps", "500", "--kube-api-burst", "1000")
        self._spawn("kube-scheduler", "--kubeconfig", self._config("scheduler"),
                    "--secure-port", "0", "--leader-elect=false",
                    "--kube-api-qps", "500", "--kube-api-burst", "1000")
        self._spawn("kwok", "--kubeconfig", self._config("kwok"), "--manage-all-nodes=true",
                    "--node-lease-duration-seconds", "40", "--node-port", "0",
                    "--cidr", "10.244.0.1/16",
                    "--config", HERE / "stages" / "node.yaml",
                    "--config", HERE / "stages" / "pod.yaml")

    def _make_nodes(self):
        for i in range(1, self.nodes + 1):
            name = "node-%d" % i
            status, answer = self.request("POST", "/api/v1/nodes", {
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
            if status != 201:
                raise ControlPlaneError("%s: %s" % (name, answer))

    def _nodes_ready(self):
        nodes = self.request("GET", "/api/v1/nodes")[1]["items"]
        ready = [n for n in nodes if not n["spec"].get("taints") and any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in n.get("status", {}).get("conditions", []))]
        return len(ready) == self.nodes

    # --- children --------------------------------------------------------------------------

    def _config(self, name):
        return str(self.dir / "pki" / (name + ".kubeconfig"))

    def _spawn(self, name, *args):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
        self.children[name] = start_child([self.programs / name, *args],
                                          self.dir / "logs" / (name + ".log"),
                                          cwd=self.dir, env=environment)

    def _signal(self, name, number):
        child = self.children.get(name)
        if child and child.poll() is None:
            child.send_signal(number)

    def _reap(self, name, deadline):
        child = self.children.pop(name, None)
        if not child:
            return
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _log_tail(self, name, lines=15):
        text = (self.dir / "logs" / (name + ".log")).read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _wait(self, what, done):
        deadline = time.monotonic() + READY_SECONDS
        last = None
        while time.monotonic() < deadline:
            self.check()
            try:
                if done():
                    return
            except (OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.05)
        raise ControlPlaneError("waited %d s for %s in vain (%s); logs are in %s" % (
            READY_SECONDS, what, last, self.dir / "logs"))


# --- the command ---------------------------------------------------------------------------


def started_at(pid):
    """When the process `pid` started, in ticks since boot, or None: a pid alone can be reused."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def running_supervisor(directory):
    """The pid of the background process that keeps `directory`'s control plane, or None."""
    try:
        state = json.loads((directory / "controlplane.json").read_text())
    except (OSError, ValueError):
        return None
    pid = state.get("pid")
    return pid if pid and started_at(pid) == state["started"] else None


def run(directory, nodes):
    """Keeps a control plane until SIGTERM or SIGINT, or until one of its programs ends."""
    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(True))
    plane = ControlPlane(directory, nodes)
    plane.start()
    try:
        (directory / "controlplane.json").write_text(json.dumps(
            {"pid": os.getpid(), "started": started_at(os.getpid())}))
        while not ended:
            plane.check()
            time.sleep(0.2)
    finally:
        plane.stop()
        (directory / "controlplane.json").write_text("{}\n")


def up(directory, nodes, foreground):
    if running_supervisor(directory):
        print(directory / "kubeconfig")
        return
    find_programs()
    if foreground:
        print(directory / "kubeconfig", flush=True)
        run(directory, nodes)
        return
    directory.mkdir(parents=True, exist_ok=True)
    log = directory.with_name(directory.name + ".log")
    with open(log, "wb") as out:
        child = subprocess.Popen(
            [sys.executable, __file__, "up", "--foreground", "--dir", str(directory),
             "--nodes", str(nodes)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    while not running_supervisor(directory):
        if child.poll() is not None:
            raise ControlPlaneError("it did not start:\n" + log.read_text(errors="replace"))
        time.sleep(0.05)
    print(directory / "kubeconfig")


def down(directory):
    pid = running_supervisor(directory)
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 5 * STOP_SECONDS
    while running_supervisor(directory):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)   # its children go with it
            break
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("up", "down", "env"))
    parser.add_argument("--dir", required=True, type=Path, help="where its files are")
    parser.add_argument("--nodes", type=int, default=2, help="how many nodes kwok plays")
    parser.add_argument("--foreground", action="store_true", help="stay until SIGTERM")
    args = parser.parse_args()
    directory = args.dir.resolve()
    try:
        if args.command == "up":
            up(directory, args.nodes, args.foreground)
        elif args.command == "down":
            down(directory)
        else:
            print("export KUBECONFIG='%s'" % (directory / "kubeconfig"))
            print("export KUBECACHEDIR='%s'" % (directory / "kube-cache"))
            print("export PATH='%s':\"$PATH\"" % find_programs())
    except ControlPlaneError as error:
        sys.exit("controlplane: %s" % error)


if __name__ == "__main__":
    main()
