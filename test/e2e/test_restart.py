# SPDX-License-Identifier: Apache-2.0
"""Deaths, restarts and silence: what was asked for comes about once, what runs is not touched, and
when nothing changes nothing is sent."""

import collections
import json
import os
import random
import threading
import time

import pytest
from support import (ACCOUNT, STREAM, condition, holds, namespace, stream, wait_for)

FOO = "cardata | predict | cassandra"
OPERATOR = "system:serviceaccount:penstock-system:penstock"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
SEED = int(os.environ.get("PENSTOCK_SEED", "20261121"))
IDLE_SECONDS = 60


def all_ready(space, names):
    def ready():
        streams = {s["metadata"]["name"]: s for s in space.kubectl.list(STREAM, space.ns)}
        late = [n for n in names if (condition(streams.get(n), "Ready") or {}).get("status")
                != "True" or streams[n]["status"].get("phase") != "deployed"]
        assert not late, "not ready: %s" % late[:5]
        return streams
    return wait_for(ready, "%d streams to be ready" % len(names), timeout=120)


def counted_streams(space, number):
    """Waits until the account has counted its streams, which it does some seconds later."""
    wait_for(lambda: space.kubectl.get(ACCOUNT, space.account)["status"].get("streams") == number,
             "the account to have counted %d streams" % number)


def identities(space):
    """What would change if anything were made anew, rolled, or written into."""
    kinds = "deployments,services,pods"
    return {(o["kind"], o["metadata"]["name"]): (o["metadata"]["uid"],
                                                 o["metadata"].get("generation"))
            for o in space.kubectl.list(kinds, space.target)}


class Requests:
    """What the operator asked of the API server, from the server's audit log."""

    def __init__(self, cluster):
        self.path = cluster.audit_log
        self.mark()

    def mark(self):
        with open(self.path, "rb") as f:
            self.start = f.seek(0, 2)

    def seen(self):
        """(verb, resource) of each request that was answered since mark(), with its count."""
        with open(self.path, "rb") as f:
            f.seek(self.start)
            lines = f.read().split(b"\n")
        counts = collections.Counter()
        for line in lines[:-1]:
            event = json.loads(line)
            # A watch is told of when it begins and when it ends; count its beginning.
            watch = event["verb"] == "watch"
            if event["user"]["username"] == OPERATOR and (
                    event["stage"] == ("ResponseStarted" if watch else "ResponseComplete")):
                ref = event.get("objectRef", {})
                resource = ref.get("resource", event["requestURI"])
                if ref.get("subresource"):
                    resource += "/" + ref["subresource"]
                counts[event["verb"], resource] += 1
        return counts

    def writes(self):
        return {k: n for k, n in self.seen().items() if k[0] in WRITES}

    def wait_quiet(self, seconds=4.0):
        """Waits until nothing but watches was asked for some seconds."""
        deadline = time.monotonic() + 60
        last, since = None, time.monotonic()
        while time.monotonic() < deadline:
            now = {k: n for k, n in self.seen().items() if k[0] != "watch"}
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > seconds:
                return
            time.sleep(0.3)
        raise AssertionError("the operator does not come to rest: %s" % last)


@pytest.fixture
def requests(cluster):
    if not cluster.can_restart:
        pytest.skip("needs a control plane of its own")
    return Requests(cluster)


def api_requests(kubectl):
    """The API server's own count of requests for our kinds, by verb and resource."""
    counts = collections.Counter()
    for line in kubectl("get", "--raw", "/metrics").splitlines():
        if line.startswith("apiserver_request_total{") and 'group="penstock.dev"' in line:
            labels = dict(part.split("=", 1) for part in
                          line[line.index("{") + 1:line.rindex("}")].split(","))
            counts[labels["verb"].strip('"'), labels["resource"].strip('"')] += float(
                line.rsplit(" ", 1)[1])
    return counts


def test_killed_at_ten_moments(space, operator):
    """20 streams are applied one by one; the operator is killed ten times meanwhile."""
    rng = random.Random(SEED)
    names = ["k%02d" % i for i in range(20)]

    def apply_all():
        for name in names:
            space.apply(name, FOO)
    user = threading.Thread(target=apply_all)
    user.start()
    for _ in range(10):
        time.sleep(rng.uniform(0.02, 0.6))     # the moment itself is what is being tried
        operator.kill()
        operator.start(wait=False)
    user.join()
    operator.wait_ready()
    streams = all_ready(space, names)

    made = space.deployments()
    assert sorted(made) == sorted("%s-%s-v1" % (n, a) for n in names
                                  for a in FOO.split(" | "))
    services = [s["metadata"]["name"] for s in space.kubectl.list("services", space.target)]
    assert sorted(services) == sorted("%s-%s" % (n, a) for n in names for a in FOO.split(" | "))
    owners = collections.Counter(
        r["metadata"]["labels"]["penstock.dev/owner-uid"] for r in space.revisions())
    assert owners == {s["metadata"]["uid"]: 1 for s in streams.values()}
    for d in made.values():
        name = d["metadata"]["name"].rsplit("-", 2)[0]
        assert d["metadata"]["labels"]["penstock.dev/owner-uid"] == (
            streams[name]["metadata"]["uid"])
        assert d["metadata"]["generation"] == 1, "none was written twice"
    pods = space.kubectl.list("pods", space.target)
    assert len(pods) == len(made)


def test_killed_while_streams_go(space, operator):
    names = ["k%d" % i for i in range(6)]
    for name in names:
        space.apply(name, "time | log")
    all_ready(space, names)
    rng = random.Random(SEED)
    space.kubectl("delete", STREAM, "--all", "-n", space.ns, "--wait=false")
    for _ in range(4):
        time.sleep(rng.uniform(0.02, 0.3))
        operator.kill()
        operator.start(wait=False)
    operator.wait_ready()
    wait_for(lambda: not space.kubectl.list(STREAM, space.ns), "the streams to go")
    space.wait_clean()


def test_changed_while_the_operator_is_down(space, operator, kubectl):
    space.apply("stays", "time | log")
    space.apply("changes", "time | log")
    space.apply("goes", "time | log")
    all_ready(space, ["stays", "changes", "goes"])
    before = identities(space)
    operator.stop()
    space.patch("changes", properties={"app.log.x": "y"})
    kubectl.delete(STREAM, "goes", space.ns, wait=False)
    kubectl.delete("deployments.apps", "stays-time-v1", space.target)
    operator.start()
    wait_for(lambda: space.get("changes")["status"]["revision"] == 2, "the change to be made")
    wait_for(lambda: space.get("goes") is None, "the deleted stream to go")
    wait_for(lambda: "stays-time-v1" in space.deployments(), "the Deployment to come back")
    all_ready(space, ["stays", "changes"])
    after = identities(space)
    for key in (("Deployment", "stays-log-v1"), ("Deployment", "changes-time-v1"),
                ("Service", "changes-log")):
        assert after[key] == before[key]
    assert ("Deployment", "goes-log-v1") not in after


def test_an_edited_account_restarts_nothing(space, kubectl):
    space.apply("s", "time | log")
    space.wait("s")
    before = identities(space)
    kubectl.patch(ACCOUNT, space.account, {"spec": {"properties": {"limits": {"memory": "3Gi"}}}})
    space.wait("s", "Outdated")
    holds(space.get("s"), "Ready")
    assert identities(space) == before
    assert len(space.revisions()) == 1

    kubectl("annotate", STREAM, "s", "-n", space.ns, "penstock.dev/redeploy=1")
    wait_for(lambda: space.get("s")["status"]["revision"] == 2, "the redeployment")
    obj = space.wait("s")
    assert condition(obj, "Outdated") is None
    for d in space.deployments().values():
        limits = d["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert limits["memory"] == "3Gi"


def test_a_changed_registry_restarts_nothing(space, kubectl):
    space.apply("s", "time | log")
    space.wait("s")
    before = identities(space)
    kubectl.patch("configmap", "apps", {"data": {"apps.properties":
                  "source.time=docker:t/time:2\nsink.log=docker:t/log:2\n"}}, space.ns)
    space.wait("s", "Outdated")
    assert identities(space) == before
    kubectl.delete("configmap", "apps", space.ns)
    wait_for(lambda: holds(space.get("s"), "Ready"), "the stream to go on")
    assert identities(space) == before


def test_another_environment_restarts_nothing(space, operator, kubectl):
    kubectl.patch(ACCOUNT, space.account, {"spec": {"properties": {
        "environmentVariables": "BROKERS=${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}"}}})
    space.apply("s", "time | log")
    space.wait("s")
    before = identities(space)
    env = space.deployments()["s-log-v1"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "BROKERS", "value": "${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}"} in env
    operator.stop()
    operator.start(environment={"KAFKA_SERVICE_HOST": "10.9.9.9", "KAFKA_SERVICE_PORT": "9092",
                                "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"})
    space.apply("t", "time | log")
    space.wait("t")
    holds(space.get("s"), "Ready")
    after = identities(space)
    assert {k: after[k] for k in before} == before
    env = space.deployments()["t-log-v1"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "BROKERS", "value": "${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}"} in env
    operator.stop()
    operator.start()


@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_the_api_server_restarts_during_work(space, operator, cluster, kill):
    if not cluster.can_restart:
        pytest.skip("needs a control plane of its own")
    names = ["r%d" % i for i in range(8)]
    text = [stream(n, space.ns, FOO, platform=space.account) for n in names]
    space.kubectl.apply(*text)
    cluster.restart_apiserver(kill=kill, down_seconds=0.5)
    assert operator.probe("/healthz") == 200
    all_ready(space, names)
    assert len(space.deployments()) == 3 * len(names)
    assert {d["metadata"]["generation"] for d in space.deployments().values()} == {1}
    assert len(space.revisions()) == len(names)
    space.apply("after", "time | log")
    space.wait("after")


def test_health_without_an_api_server(operator, cluster):
    """Alive, since a restart would not help."""
    if not cluster.can_restart:
        pytest.skip("needs a control plane of its own")
    assert operator.probe("/healthz") == 200 and operator.probe("/readyz") == 200
    assert operator.probe("/nosuch") == 404
    cluster.restart_apiserver(kill=True, down_seconds=2.0)
    assert operator.probe("/healthz") == 200
    wait_for(lambda: operator.probe("/readyz") == 200, "/readyz")


def test_idle_and_restart_with_a_hundred_streams(space, operator, kubectl, requests):
    """A minute of nothing costs nothing but watches; a restart writes nothing."""
    names = ["i%03d" % i for i in range(100)]
    kubectl.apply(*[stream(n, space.ns, ":orders > log", platform=space.account) for n in names])
    all_ready(space, names)
    counted_streams(space, len(names))
    requests.wait_quiet()
    before = identities(space)

    requests.mark()
    counted = api_requests(kubectl)
    time.sleep(IDLE_SECONDS)                   # the silence is what is being measured
    unasked = {k: n for k, n in requests.seen().items() if k[0] != "watch"}
    assert not unasked, "requests while nothing changed: %s" % unasked
    now = api_requests(kubectl)
    # (GET is left to the log above: the garbage collector looks at owners by it when it pleases.)
    assert {k: n - counted[k] for k, n in now.items()
            if k[0] not in ("WATCH", "GET") and n != counted[k]} == {}
    assert any(k[0] == "WATCH" for k in now), "the metric counts something"

    operator.stop()
    requests.mark()
    operator.start()
    requests.wait_quiet()
    assert requests.seen()["list", "streamdeployments"] + requests.seen()[
        "watch", "streamdeployments"] >= 1, "the log shows what the operator does"
    assert not requests.writes(), "writes of a restart: %s" % requests.writes()
    assert identities(space) == before


def test_a_namespace_full_of_others(space, kubectl, requests):
    """What the operator does not care for it does not react to."""
    space.apply("s", "time | log")
    space.wait("s")
    counted_streams(space, 1)
    requests.wait_quiet(2.0)
    requests.mark()
    other = space.ns + "-other"
    kubectl.apply(namespace(other), {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": other},
        "data": {"source.time": "docker:x:1"}})
    kubectl("create", "deployment", "x", "--image=x", "-n", other)
    kubectl("wait", "--for=condition=Available", "deployment/x", "-n", other, "--timeout=60s")
    kubectl.delete("namespace", other)
    assert not requests.writes(), requests.writes()
