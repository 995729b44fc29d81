# SPDX-License-Identifier: Apache-2.0
"""One control plane and one operator for the whole run; namespaces and an account for each test.

The cluster is a control plane of hack/controlplane, made for the run and ended with it. With
KUBECONFIG set it is the cluster that this names (its current context): the tests install CRDs and
RBAC there, make and delete namespaces, and skip what needs a server that they may restart.
PENSTOCK_BIN is the operator to test, by default build/asan/penstock.
"""

import base64
import itertools
import json
import os
import shutil
import sys
import urllib.parse
from pathlib import Path

import pytest
from support import (ACCOUNT, JOB, PATIENCE, ROOT, STREAM, TASK, TASK_APPS, History, Kubectl,
                     Operator, account, condition, controlplane, holds, namespace, registry,
                     stream, task, wait_for, watchdogs)

sys.path.insert(0, str(ROOT / "test" / "faults"))
import turnstile  # noqa: E402

INSTALL = [ROOT / "crds", ROOT / "deploy" / "namespace.yaml", ROOT / "deploy" / "rbac.yaml"]


class ForeignCluster:
    """The cluster of KUBECONFIG: somebody else starts and stops it."""

    can_restart = False

    def __init__(self, directory):
        self.kubeconfig = os.environ["KUBECONFIG"]
        self.kubectl_program = shutil.which("kubectl") or str(
            controlplane.find_programs() / "kubectl")
        self.kubectl = Kubectl(self.kubectl_program, self.kubeconfig, directory / "kube-cache")
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        cluster = config["clusters"][0]["cluster"]
        server = urllib.parse.urlsplit(cluster["server"])
        self.host, self.port = server.hostname, server.port or 443
        self.ca_file = str(directory / "ca.crt")
        ca = cluster.get("certificate-authority-data")
        Path(self.ca_file).write_bytes(base64.b64decode(ca) if ca else Path(
            cluster["certificate-authority"]).read_bytes())

    def start(self, manifests):
        for manifest in manifests:
            self.kubectl("apply", "-f", str(manifest))

    def stop(self):
        pass

    def check(self):
        pass


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running cluster with our CRDs and RBAC."""
    directory = tmp_path_factory.mktemp("cluster")
    if os.environ.get("KUBECONFIG"):
        plane = ForeignCluster(directory)
    else:
        plane = controlplane.ControlPlane(directory)
    plane.start(manifests=INSTALL)
    yield plane
    plane.stop()
    # For test_zz_permissions, when the tests are spread over several runs.
    kept = os.environ.get("PENSTOCK_AUDIT_DIR")
    if kept and plane.can_restart:
        shutil.copy(plane.audit_log, Path(kept) / ("audit-%d.log" % os.getpid()))


@pytest.fixture(scope="session")
def kubectl(cluster, tmp_path_factory):
    return Kubectl(cluster.kubectl_program, cluster.kubeconfig, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def the_operator(cluster, kubectl, tmp_path_factory):
    binary = Path(os.environ.get("PENSTOCK_BIN") or ROOT / "build" / "asan" / "penstock")
    if not os.access(binary, os.X_OK):
        pytest.fail("no operator at %s; run `make asan` or set PENSTOCK_BIN" % binary)
    op = Operator(binary.resolve(), cluster, kubectl, tmp_path_factory.mktemp("operator"))
    watchdogs.append(op.alive)
    yield op
    if op.running:
        op.stop()
    op.check()


@pytest.fixture
def operator(the_operator, cluster, request):
    """The operator, running; the test fails if it dies unasked or a sanitizer complains."""
    cluster.check()
    since = the_operator.log_size()
    request.node.operator_log = lambda: the_operator.log_text(since)
    if not the_operator.running:
        the_operator.start()
    yield the_operator
    the_operator.check(since)


@pytest.fixture
def gate(operator, cluster, tmp_path):
    """A turnstile of test/faults, and the operator behind it."""
    with turnstile.Turnstile(cluster, tmp_path) as gate:
        operator.stop()
        operator.server = gate
        try:
            operator.start()
            yield gate
        finally:
            operator.kill()
            operator.server = cluster
    assert not gate.problems, gate.problems


class Space:
    """What one test has for itself: a namespace for its streams, the namespace that its account
    deploys into, that account, and an app registry."""

    def __init__(self, kubectl, name):
        self.kubectl = kubectl
        self.ns = name
        self.target = name + "-target"
        self.account = name
        self.extra = []          # more accounts and namespaces to remove: (kind, name)

    def create(self):
        self.kubectl.apply(namespace(self.ns), namespace(self.target),
                           account(self.account, self.target), registry(self.ns))

    def apply(self, name, definition, **spec):
        spec = {k: v for k, v in {"platform": self.account, **spec}.items() if v is not None}
        self.kubectl.apply(stream(name, self.ns, definition, **spec))

    def get(self, name):
        return self.kubectl.get(STREAM, name, self.ns)

    def patch(self, name, **spec):
        self.kubectl.patch(STREAM, name, {"spec": spec}, self.ns)

    def wait(self, name, kind="Ready", status="True", reason=None, message=None):
        """Waits for a condition of a stream and returns the stream."""
        def met():
            obj = self.get(name)
            holds(obj, kind, status, reason, message)
            return obj
        return wait_for(met, "%s=%s %s of %s" % (kind, status, reason or "", name))

    def wait_app(self, name, app, *texts):
        """Waits until the message of an app of a stream contains all the texts."""
        def met():
            obj = self.get(name)
            seen = [a for a in (obj.get("status") or {}).get("apps", []) if a["name"] == app]
            assert seen and all(t in seen[0].get("message", "") for t in texts), obj.get("status")
            return obj
        return wait_for(met, "%s of %s.%s" % (texts, name, app))

    def launch(self, name, definition="train", **spec):
        """Applies a TaskLaunch and returns it."""
        spec = {k: v for k, v in {"platform": self.account, **spec}.items() if v is not None}
        self.kubectl.apply(task(name, self.ns, definition, **spec))
        return self.task(name)

    def task(self, name):
        return self.kubectl.get(TASK, name, self.ns)

    def patch_task(self, name, **spec):
        self.kubectl.patch(TASK, name, {"spec": spec}, self.ns)

    def wait_phase(self, name, phase, reason=None, message=None, timeout=PATIENCE):
        """Waits for a phase of a launch, with a reason and a part of the message of its condition
        Ready (or of that which is named like the phase), and returns the launch."""
        def met():
            obj = self.task(name)
            status = (obj or {}).get("status") or {}
            assert status.get("phase") == phase, status
            kind = phase if phase in ("Complete", "Failed") else "Ready"
            wanted = condition(obj, kind)
            assert wanted and status["observedGeneration"] == obj["metadata"]["generation"], status
            assert reason in (None, wanted["reason"]), status
            said = wanted["message"] + status.get("message", "")
            assert message is None or message in said, status
            return obj
        return wait_for(met, "phase %s %s of %s" % (phase, reason or "", name), timeout)

    def wait_running(self, name):
        """Waits until the pod of a launch runs; returns the launch."""
        obj = self.wait_phase(name, "Running")
        resource = obj["status"]["steps"][0]["resource"]

        def runs():
            job = self.kubectl.get(JOB, resource["name"], resource["namespace"])
            assert job and job["status"].get("ready") == 1, job
            return True
        wait_for(runs, "the pod of %s to run" % name)
        return obj

    def jobs(self, where=None):
        """The Jobs there are now by name."""
        return {j["metadata"]["name"]: j for j in self.kubectl.list(JOB, where or self.target)}

    def deployments(self, where=None):
        """The Deployments by name."""
        return {d["metadata"]["name"]: d
                for d in self.kubectl.list("deployments.apps", where or self.target)}

    def stateful_sets(self):
        """The StatefulSets by name."""
        return {s["metadata"]["name"]: s
                for s in self.kubectl.list("statefulsets.apps", self.target)}

    def revisions(self):
        """The ControllerRevisions, oldest first."""
        return sorted(self.kubectl.list("controllerrevisions.apps", self.ns),
                      key=lambda r: r["revision"])

    def leftovers(self, *namespaces):
        kinds = ("deployments,statefulsets,replicasets,pods,services,controllerrevisions,jobs,"
                 "persistentvolumeclaims")
        return ["%s/%s" % (o["kind"], o["metadata"]["name"])
                for ns in namespaces or (self.ns, self.target)
                for o in self.kubectl.list(kinds, ns)]

    def wait_clean(self, *namespaces):
        def clean():
            left = self.leftovers(*namespaces)
            assert not left, left
            return True
        wait_for(clean, "nothing to be left")

    def remove(self):
        if self.kubectl.list(STREAM + "," + TASK, self.ns):
            self.kubectl("delete", STREAM + "," + TASK, "--all", "-n", self.ns, "--timeout=60s")
        accounts = [n for k, n in self.extra if k == ACCOUNT]
        self.kubectl("delete", ACCOUNT, self.account, *accounts, "--ignore-not-found",
                     "--timeout=60s")
        spaces = [n for k, n in self.extra if k == "namespace"]
        self.kubectl("delete", "namespace", self.ns, self.target, *spaces, "--ignore-not-found",
                     "--wait=false")


COUNTER = itertools.count(1)


@pytest.fixture
def space(operator, kubectl):
    """See Space. When the test is over its streams have to go within a minute."""
    mine = Space(kubectl, "t%d-%d" % (next(COUNTER), os.getpid()))
    mine.create()
    yield mine
    if not operator.running:
        operator.start()
    mine.remove()


@pytest.fixture
def tasks(space):
    """A Space whose registry has tasks."""
    space.kubectl.apply(registry(space.ns, "tasks", TASK_APPS))
    return space


@pytest.fixture
def history(kubectl, tmp_path):
    """What becomes of Jobs from here on; see History."""
    seen = History(kubectl, tmp_path)
    yield seen
    seen.close()


@pytest.fixture
def bare_space(kubectl):
    """A Space in whose end the operator has no part: finalizers are taken off by force."""
    mine = Space(kubectl, "b%d-%d" % (next(COUNTER), os.getpid()))
    mine.create()
    yield mine
    for kind, where in ((STREAM, mine.ns), (TASK, mine.ns), (JOB, mine.ns), (JOB, mine.target)):
        held = [o["metadata"]["name"] for o in kubectl.list(kind, where)
                if o["metadata"].get("finalizers")]
        if held:
            kubectl("patch", kind, *held, "-n", where, "--type", "merge", "-p",
                    json.dumps({"metadata": {"finalizers": None}}))
    mine.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the operator logged meanwhile."""
    report = (yield).get_result()
    log = getattr(item, "operator_log", None)
    if report.failed and log:
        lines = log().splitlines()
        report.sections.append(("operator log (last 60 of %d lines)" % len(lines),
                                "\n".join(line[:1000] for line in lines[-60:])))
