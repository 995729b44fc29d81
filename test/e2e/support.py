# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: kubectl, the operator's process, and objects to apply."""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "hack" / "controlplane"))
import controlplane  # noqa: E402
import reader  # noqa: E402

OPERATOR_NAMESPACE = "penstock-system"
API_VERSION = "penstock.dev/v1alpha1"
FINALIZER = "penstock.dev/cleanup"
STREAM = "streamdeployments.penstock.dev"
TASK = "tasklaunches.penstock.dev"
JOB = "jobs.batch"
ACCOUNT = "platformaccounts.penstock.dev"
# Seconds. Long, for slow machines and sanitizers: a wait that succeeds ends at once.
PATIENCE = float(os.environ.get("PENSTOCK_PATIENCE", "60"))
POLL = 0.15
SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|DEADLYSIGNAL")


# Called in each turn of a wait; raises if there is nothing to wait for any more.
watchdogs = []


def wait_for(predicate, what, timeout=PATIENCE):
    """Calls predicate until it returns something true, and returns that. While it returns
    something false or raises AssertionError it is called again, and also while what it looks into
    is not there yet (LookupError, TypeError); the last error is shown."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            result = predicate()
            if result:
                return result
            last = None
        except (AssertionError, LookupError, TypeError) as error:
            last = error if isinstance(error, AssertionError) else repr(error)
        for watchdog in watchdogs:
            watchdog()
        if time.monotonic() > deadline:
            raise AssertionError("waited %.0f s in vain for %s%s" % (
                timeout, what, "; last: %s" % last if last else ""))
        time.sleep(POLL)


class Kubectl:
    """The stock kubectl, as the administrator of one cluster. What is asked again and again, get()
    and list(), goes to the API server without it where that is possible (see reader.py)."""

    def __init__(self, program, kubeconfig, cache):
        self.base = [program, "--kubeconfig", kubeconfig, "--cache-dir", str(cache)]
        self.reader = reader.for_kubeconfig(kubeconfig)

    def __call__(self, *args, stdin=None, check=True):
        done = subprocess.run([*self.base, *args], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        if not check:
            return done
        assert done.returncode == 0, "kubectl %s: %s" % (" ".join(args), done.stderr.strip())
        return done.stdout

    def apply(self, *objects, namespace=None, extra=()):
        """kubectl apply -f - of all the objects in one call."""
        where = ("-n", namespace) if namespace else ()
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self("apply", *where, *extra, "-f", "-", stdin=text)

    def refused(self, obj, *extra):
        """What kubectl prints when the API server refuses the object."""
        done = self("create", *extra, "-f", "-", stdin=json.dumps(obj), check=False)
        assert done.returncode != 0, "it was accepted: %s" % json.dumps(obj)[:2000]
        return done.stderr

    def get(self, kind, name, namespace=None):
        """The object, or None if there is none."""
        if self.reader:
            with contextlib.suppress(reader.Unknown):     # kubectl says that better
                return self.reader.get(kind, name, namespace)
        where = ("-n", namespace) if namespace else ()
        text = self("get", kind, name, *where, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def list(self, kind, namespace=None, selector=None):
        if self.reader:
            with contextlib.suppress(reader.Unknown):
                return self.reader.list(kind, namespace, selector)
        where = ("-n", namespace) if namespace else ("-A",)
        select = ("-l", selector) if selector else ()
        return json.loads(self("get", kind, *where, *select, "-o", "json"))["items"]

    def patch(self, kind, name, patch, namespace=None):
        where = ("-n", namespace) if namespace else ()
        return self("patch", kind, name, *where, "--type", "merge", "-p", json.dumps(patch))

    def delete(self, kind, name, namespace=None, wait=True, check=True):
        where = ("-n", namespace) if namespace else ()
        return self("delete", kind, name, *where, "--ignore-not-found", "--timeout=60s",
                    "--wait=%s" % str(wait).lower(), check=check)


class Operator:
    """The operator's process, run as deploy/ would: by the token of its ServiceAccount and the
    configuration that a pod has."""

    namespace = OPERATOR_NAMESPACE
    service_account = "penstock"

    def __init__(self, binary, cluster, kubectl, directory):
        self.binary = Path(binary)
        self.server = cluster    # whom the next start asks: something with host, port and ca_file
        self.kubectl = kubectl
        self.dir = Path(directory)
        self.log = self.dir / "operator.log"
        self.process = None
        self.token = None
        self.starts = 0

    @property
    def running(self):
        return self.process is not None

    def start(self, environment=None, wait=True):
        assert not self.running
        account = self._service_account_dir()
        self.port = self.free_port()
        variables = {
            "PATH": os.environ["PATH"],
            "KUBERNETES_SERVICE_HOST": self.server.host,
            "KUBERNETES_SERVICE_PORT": str(self.server.port),
            "POD_NAMESPACE": self.namespace,
            "POD_NAME": "penstock-%d" % self.starts,
            "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            **(environment or {})}
        self.starts += 1
        self.process = controlplane.start_child(
            [self.binary, "--service-account-dir", account, *self.flags()],
            self.log, env=variables, cwd=self.dir)
        if wait:
            self.wait_ready()

    def flags(self):
        return ["--health-probe-bind-address", "127.0.0.1:%d" % self.port]

    def wait_ready(self):
        wait_for(lambda: self.probe("/readyz") == 200, "the operator's /readyz")

    def probe(self, path):
        """The status of an answer of the health port, or None if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self):
        """SIGTERM, on which the operator has to end with status 0 soon."""
        self.alive()
        assert self.running
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the operator did not end within 20 s of SIGTERM") from None
        self.process = None
        assert status == 0, "after SIGTERM the operator ended with status %d" % status

    def kill(self):
        """SIGKILL."""
        if self.running:
            self.process.kill()
            self.process.wait()
            self.process = None

    def check(self, since=0):
        """No death unasked, no report of a sanitizer, no credential in the log."""
        text = self.log_text(since)
        report = SANITIZER_REPORT.search(text)
        assert not report, "the sanitizer reports: …%s" % text[report.start():][:3000]
        assert not self.token or self.token not in text, "the token stands in the log"
        self.alive()

    def log_text(self, since=0):
        if not self.log.exists():
            return ""
        with open(self.log, errors="replace") as f:
            f.seek(since)
            return f.read()

    def log_size(self):
        return self.log.stat().st_size if self.log.exists() else 0

    def alive(self):
        """Raises if it was started and has ended by itself."""
        status = self.process.poll() if self.running else None
        if status is not None:
            self.process = None
            raise OperatorDied("the operator ended by itself with status %d" % status)

    def _service_account_dir(self):
        directory = self.dir / "serviceaccount"
        directory.mkdir(mode=0o700, exist_ok=True)
        if not self.token:
            self.token = self.kubectl("create", "token", self.service_account, "-n",
                                      self.namespace, "--duration", "24h").strip()
        (directory / "token").write_text(self.token)
        (directory / "namespace").write_text(self.namespace)
        (directory / "ca.crt").write_bytes(Path(self.server.ca_file).read_bytes())
        return directory

    @staticmethod
    def free_port():
        for _ in range(1000):
            port = random.randrange(20000, 30000)
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass
        raise AssertionError("no free port")


class History:
    """All that happened to the Jobs (or other objects) of a cluster since this was made, from a
    watch: what was there for a moment only is seen too. Needs a cluster whose API server goes on
    meanwhile."""

    def __init__(self, kubectl, directory, url="/apis/batch/v1/jobs"):
        version = json.loads(kubectl("get", "--raw", url + "?limit=1"))["metadata"][
            "resourceVersion"]
        self.path = Path(directory) / (url.rsplit("/", 1)[1] + ".watch")
        self.process = controlplane.start_child(
            [*kubectl.base, "get", "--raw", "%s?watch=1&resourceVersion=%s" % (url, version)],
            self.path, env={"PATH": os.environ["PATH"]})

    def close(self):
        self.process.kill()
        self.process.wait()

    def frames(self):
        """(type, object) in the order of their coming."""
        assert self.process.poll() is None, "the watch has ended: %s" % self.path.read_text()[-500:]
        for line in self.path.read_bytes().split(b"\n")[:-1]:
            frame = json.loads(line)
            assert frame["type"] in ("ADDED", "MODIFIED", "DELETED"), frame
            yield frame["type"], frame["object"]

    def started(self, uid=None):
        """The Jobs that were ever created, oldest first: all of ours, or those of one launch."""
        return [job for kind, job in self.frames() if kind == "ADDED" and uid in (
            None, job["metadata"].get("labels", {}).get("penstock.dev/owner-uid"))]

    def wait_started(self, uid, number):
        """Waits until that many Jobs of a launch were created; more are never right."""
        def met():
            jobs = self.started(uid)
            if len(jobs) > number:
                raise TooMany("%d Jobs of one launch, expected %d: %s" % (
                    len(jobs), number, [j["metadata"]["name"] for j in jobs]))
            return jobs if len(jobs) == number else None
        return wait_for(met, "%d Jobs of launch %s" % (number, uid))


class TooMany(Exception):
    """Not an AssertionError: waiting longer is of no use."""


class OperatorDied(Exception):
    """Not an AssertionError: waiting longer is of no use."""


# --- objects to apply ------------------------------------------------------------------------


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def account(name, target=None, **spec):
    """A PlatformAccount; target is the namespace, None for that of the stream."""
    kubernetes = {"namespace": target} if target else {}
    return {"apiVersion": API_VERSION, "kind": "PlatformAccount", "metadata": {"name": name},
            "spec": {"type": "Kubernetes", "kubernetes": kubernetes, **spec}}


def stream(name, space, definition, **spec):
    return {"apiVersion": API_VERSION, "kind": "StreamDeployment",
            "metadata": {"name": name, "namespace": space},
            "spec": {"definition": definition, **spec}}


def task(name, space, definition="train", **spec):
    return {"apiVersion": API_VERSION, "kind": "TaskLaunch",
            "metadata": {"name": name, "namespace": space},
            "spec": {"definition": definition, **spec}}


# How kwok plays the pods of these: hack/controlplane/stages/pod.yaml.
TASK_APPS = [
    "task.train=docker:springcloudtask/train:1.0.0",
    "task.sleep=docker:example/sleep-long:1",
    "task.seven=docker:example/exit-7:1",
    "task.usage=docker:example/exit-64:1",
    "task.zero=docker:example/exit-0:1",
    "task.once=docker:example/fail-once:1",
    "task.oom=docker:example/oom-killed:1",
    "task.missing=docker:example/no-such-image:1"]
BACKOFF = {"initial": "1s", "factor": 1, "jitterPercent": 0}


def registry(space, name="apps", lines=None):
    """A registry ConfigMap; without lines that with the apps most tests use."""
    lines = lines or [
        "source.cardata=docker:springcloudstream/cardata:1.0.0",
        "source.time=docker:springcloudstream/time:1.0.0",
        "processor.predict=docker:springcloudstream/predict:1.0.0",
        "sink.cassandra=docker:springcloudstream/cassandra:1.0.0",
        "sink.log=docker:springcloudstream/log:1.0.0"]
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": space,
                         "labels": {"penstock.dev/app-registry": "true"}},
            "data": {"apps.properties": "\n".join(lines) + "\n"}}


# --- reading objects -------------------------------------------------------------------------


def condition(obj, kind):
    """The condition of that type, or None."""
    for c in (obj or {}).get("status", {}).get("conditions", []):
        if c["type"] == kind:
            return c
    return None


def holds(obj, kind, status="True", reason=None, message=None):
    """Asserts a condition that is about the object's present generation, and returns it."""
    c = condition(obj, kind)
    assert c, "no condition %s in %s" % (kind, (obj or {}).get("status"))
    seen = obj["status"].get("observedGeneration")
    assert seen == obj["metadata"]["generation"], "status is about generation %s" % seen
    assert c["status"] == status and reason in (None, c["reason"]), c
    assert message is None or message in c["message"], c
    return c


def uid(obj):
    return obj["metadata"]["uid"]


def ended(job):
    """How a Job ended: Complete, Failed, or None."""
    for kind in ("Complete", "Failed"):
        if (condition(job, kind) or {}).get("status") == "True":
            return kind
    return None


def app_status(obj, name):
    for app in (obj or {}).get("status", {}).get("apps", []):
        if app["name"] == name:
            return app
    raise AssertionError("no app %s in %s" % (name, (obj or {}).get("status")))
