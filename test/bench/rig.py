# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks run on: a control plane of hack/controlplane with an operator, and what the
server's audit log and /proc say about them."""

import collections
import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
from support import (STREAM, Kubectl, Operator, account, condition, controlplane,  # noqa: E402
                     namespace, registry, stream)

INSTALL = [ROOT / "crds", ROOT / "deploy" / "namespace.yaml", ROOT / "deploy" / "rbac.yaml"]
SNAPSHOT = ROOT / "test" / "bench" / "objects" / "snapshot.json"
SPACE = "bench"
USER = "system:serviceaccount:penstock-system:penstock"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
ENDS = {"watch": "ResponseStarted"}
CHILDREN = 7         # of a stream: 3 Deployments, 3 Services, a revision
PER_STREAM = CHILDREN + 1  # writes: its status, too
QUIET_SECONDS = 3.0  # without a request but watches: the operator is done
QUIET_CORES = 0.25   # what a control plane with nothing to do takes at most
GIVE_UP_SECONDS = 1800
STUCK_SECONDS = 180   # a server with thousands of Services answers late, but it answers

Request = collections.namedtuple("Request", "mine verb resource name code received done uri")


class BenchError(Exception):
    """Something did not do what is measured."""


def say(text):
    """Progress: the figures alone go to standard output."""
    print("bench: %s" % text, file=sys.stderr, flush=True)


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def cpu(pid):
    """Seconds, user and system; of the threads that are there."""
    return sum(int(t.read_text().split()[0]) for t in
               Path("/proc/%d/task" % pid).glob("*/schedstat")) / 1e9


def memory(pid):
    """(anonymous, resident) in MiB."""
    lines = dict(line.split(":", 1) for line in
                 Path("/proc/%d/status" % pid).read_text().splitlines())
    return tuple(int(lines[k].split()[0]) / 1024 for k in ("RssAnon", "VmRSS"))


class Audit:
    """The answered requests of the operator and of whoever writes in its name (mine), and of the
    administrator, since the last reset. Watches are left out, but one that begins with a list is a
    list, answered when its answer begins; events and the counts of an account are no writes."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.rest = b""
        self.reset()

    def reset(self):
        self._lines()
        self.requests = []
        self.written = 0
        self.last_new = time.monotonic()

    def _lines(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        return lines

    def read(self):
        for line in self._lines():
            event = json.loads(line)
            verb = event["verb"]
            if verb == "watch":
                verb = "list" if "sendInitialEvents=true" in event["requestURI"] else None
            if not verb or event["stage"] != ENDS.get(event["verb"], "ResponseComplete"):
                continue
            ref = event.get("objectRef", {})
            request = Request(
                event["user"].get("username") == USER, verb,
                "/".join(filter(None, (ref.get("resource"), ref.get("subresource")))),
                ref.get("name", ""), event["responseStatus"]["code"],
                seconds(event["requestReceivedTimestamp"]), seconds(event["stageTimestamp"]),
                event["requestURI"])
            self.requests.append(request)
            if request.mine:
                self.last_new = time.monotonic()
                self.written += is_write(request) and request.code < 300

    def mine(self):
        return [r for r in self.requests if r.mine]

    def applied(self):
        """When the first stream was given, and each stream's creation: {name: Request}."""
        crs = {r.name: r for r in self.requests
               if r.verb == "create" and r.resource == "streamdeployments"}
        return min(r.received for r in crs.values()), crs

    def last_write(self):
        return max(r.done for r in self.requests if r.mine and is_write(r))

    def wait_quiet(self, alive=lambda: None):
        deadline = time.monotonic() + GIVE_UP_SECONDS
        self.last_new = time.monotonic()
        while time.monotonic() - self.last_new < QUIET_SECONDS:
            if time.monotonic() > deadline:
                raise BenchError("the operator does not come to rest: %s" % self.counts())
            alive()
            time.sleep(0.2)
            self.read()

    def counts(self):
        return collections.Counter((r.verb, r.resource, r.code) for r in self.mine())


def is_write(request):
    return request.verb in WRITES and request.resource.split("/")[0] not in (
        "events", "platformaccounts")


class Rig:
    """One control plane, with the account and the registry of the snapshot; `operator` is not
    started yet."""

    def __init__(self, args, binary=None):
        self.args = args
        self.binary = binary or args.build / "penstock"
        self.tools = args.build / "test" / "bench"

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="penstock-bench-")
        self.dir = Path(self.temporary.name)
        self.plane = controlplane.ControlPlane(self.dir / "plane")
        self.plane.start(manifests=INSTALL)
        try:
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if getattr(self, "operator", None):
            self.operator.kill()
        self.plane.stop()
        self.temporary.cleanup()

    def _install(self):
        self.kubectl = Kubectl(self.plane.kubectl_program, self.plane.kubeconfig,
                               self.dir / "cache")
        given = json.loads(SNAPSHOT.read_text())
        given["account"]["metadata"] = {"name": given["account"]["metadata"]["name"]}
        self.kubectl.apply(namespace(SPACE))
        self.kubectl.apply(given["account"], registry(SPACE, lines=given["registry"].split()))
        self.operator = Operator(self.binary.resolve(), self.plane, self.kubectl, self.dir)
        self.token = self.dir / "token"  # what asks in the operator's name has one of its own
        self.token.write_text(self.kubectl("create", "token", Operator.service_account, "-n",
                                           Operator.namespace, "--duration", "24h").strip())
        self.audit = Audit(self.plane.audit_log)

    @property
    def pid(self):
        return self.operator.process.pid

    def server_cpu(self):
        return sum(cpu(self.plane.children[name].pid) for name in ("kube-apiserver", "etcd"))

    def start(self):
        """Starts the operator; seconds until it is ready."""
        begin = time.monotonic()
        self.operator.start(wait=False)
        while self.operator.probe("/readyz") != 200:
            self.operator.alive()
            time.sleep(0.002)
        return time.monotonic() - begin

    def rest(self):
        """Waits until operator and control plane have nothing to do any more."""
        self.audit.wait_quiet(self.operator.alive)
        calm = 0
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while calm < 2:
            before = sum(cpu(c.pid) for c in self.plane.children.values())
            time.sleep(1)
            used = sum(cpu(c.pid) for c in self.plane.children.values()) - before
            calm = calm + 1 if used < QUIET_CORES else 0
            if time.monotonic() > deadline:
                raise BenchError("the control plane does not come to rest")

    def tool(self, name, *args):
        done = subprocess.run(
            [str(self.tools / name), "--server", "https://%s:%d" % (self.plane.host,
                                                                    self.plane.port),
             "--ca", str(self.plane.ca_file), *map(str, args)],
            stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise BenchError("%s ended with status %d" % (name, done.returncode))
        return [float(word) for word in done.stdout.split()]

    def write(self, count, first=0, bare=False, rate=0):
        """`count` streams, given to the operator or (bare) written with all that belongs to them.
        Returns when all of it is there: (seconds from the first request to the last write, CPU
        seconds of the writer)."""
        self.audit.reset()
        options = ["--streams", count, "--cert", self.plane.pki.path("admin.crt"),
                   "--key", self.plane.pki.path("admin.key"),
                   "--connections", self.args.connections]
        options += ["--token", self.token] if bare else []
        options += ["--first", first] if first else []
        options += ["--rate", rate] if rate else []
        *_, used = self.tool("writer", *options, SNAPSHOT)
        self.audit.read()
        while self.audit.written < count * PER_STREAM:
            self.operator.alive()
            if time.monotonic() - self.audit.last_new > STUCK_SECONDS:
                raise BenchError("%d writes of %d, and no more" % (self.audit.written,
                                                                   count * PER_STREAM))
            time.sleep(0.1)
            self.audit.read()
        return self.audit.last_write() - self.audit.applied()[0], used

    def check(self, number):
        """Is everything of so many streams there?"""
        late = [s["metadata"]["name"] for s in self.kubectl.list(STREAM, SPACE)
                if (condition(s, "Ready") or {}).get("reason") != "Suspended"]
        made = len(self.kubectl("get", "deployments,services,controllerrevisions.apps", "-n", SPACE,
                                "-o", "name").splitlines())
        if late or made != number * CHILDREN:
            raise BenchError("%d streams are not done (%s), %d children of %d" % (
                len(late), late[:3], made, number * CHILDREN))
