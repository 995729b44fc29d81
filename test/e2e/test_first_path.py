# SPDX-License-Identifier: Apache-2.0
"""The main job: a stream becomes running pods, as Spring Cloud Data Flow would have made them, is
changed, stopped, started and removed."""

import decimal
import re

import pytest
import yaml
from support import ACCOUNT, FINALIZER, ROOT, STREAM, account, app_status, holds, wait_for

GOLDEN = ROOT / "test" / "golden" / "scdf"
EXAMPLES = ROOT / "crds" / "examples"
FOO = "cardata | predict | cassandra"
APPS = ("cardata", "predict", "cassandra")
# The account that the golden files were made with.
KAFKAZONE = {"properties": {
    "limits": {"memory": "2048Mi", "cpu": "500m"}, "readinessProbeDelay": 180,
    "livenessProbeDelay": 120, "environmentVariables":
        "SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS=kafka.kafka-namespace:9092"}}
UNITS = {"m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "Ki": 2 ** 10, "Mi": 2 ** 20,
         "Gi": 2 ** 30, "": 1}


def container(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return decimal.Decimal(number) * decimal.Decimal(UNITS[unit])


def ours(key):
    return key.startswith(("penstock.dev/", "app.kubernetes.io/"))


def normal(obj):
    """The object without what the API server adds for itself, without the operator's own labels
    and annotation, and with sets where the order means nothing."""
    meta = obj["metadata"]
    spec = dict(obj["spec"])
    for key in ("clusterIP", "clusterIPs"):
        spec.pop(key, None)
    result = {"kind": obj["kind"], "name": meta["name"], "spec": spec,
              "labels": {k: v for k, v in meta["labels"].items() if not ours(k)},
              "annotations": {k: v for k, v in meta.get("annotations", {}).items()
                              if not ours(k) and k != "deployment.kubernetes.io/revision"}}
    if obj["kind"] == "Deployment":
        box = container(obj)
        box["args"] = sorted(box["args"])
        box["env"] = sorted(box["env"], key=lambda e: e["name"])
        box["resources"] = {kind: {name: quantity(q) for name, q in values.items()}
                            for kind, values in box["resources"].items()}
    return result


def as_made(kubectl, where):
    objects = kubectl.list("deployments.apps,services", where)
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


def golden(name):
    docs = yaml.safe_load_all((GOLDEN / (name + ".yaml")).read_text())
    return {(o["kind"], o["metadata"]["name"]): o for o in docs if o}


def test_the_recipe(space, kubectl):
    """The examples, with nothing but kubectl."""
    try:
        kubectl("apply", "-f", str(EXAMPLES))
        kubectl("wait", "--for=condition=Ready", "pacct/default", "pacct/kafkazone",
                "--timeout=60s")
        kubectl("wait", "--for=condition=Ready", "stream/foo", "-n", "cars", "--timeout=60s")
        row = kubectl("get", "stream", "foo", "-n", "cars").splitlines()[1].split()
        assert row[:5] == ["foo", "True", "deployed", "kafkazone", "1"]
        made = space.deployments("kafka-namespace")
        assert sorted(made) == ["foo-%s-v1" % a for a in sorted(APPS)]
        for deployment in made.values():
            box = container(deployment)
            assert box["resources"]["limits"] == {"memory": "2Gi", "cpu": "500m"}
            assert box["readinessProbe"]["initialDelaySeconds"] == 180
            assert box["livenessProbe"]["initialDelaySeconds"] == 120
            env = {e["name"]: e.get("value") for e in box["env"]}
            assert env["SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS"] == (
                "${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}")
            assert "SPRING_CLOUD_STREAM_KAFKA_BINDER_ZK_NODES" in env
        pods = kubectl.list("pods", "kafka-namespace", "role=spring-app")
        assert sorted(p["metadata"]["name"].rsplit("-", 2)[0] for p in pods) == sorted(made)
        assert {p["status"]["phase"] for p in pods} == {"Running"}
        kubectl("delete", "-f", str(EXAMPLES / "30-stream-foo.yaml"), "--timeout=60s")
        space.wait_clean("cars", "kafka-namespace")
    finally:
        kubectl("delete", "-f", str(EXAMPLES / "30-stream-foo.yaml"), "-f",
                str(EXAMPLES / "40-task-train.yaml"), "--ignore-not-found", "--timeout=60s",
                check=False)
        kubectl("delete", "-f", str(EXAMPLES / "10-accounts.yaml"), "--ignore-not-found",
                "--timeout=60s")


@pytest.mark.parametrize("case, name, spec", [("01-foo", "foo", KAFKAZONE),
                                              ("02-foo-default-account", "foo02", {})])
def test_objects_are_those_of_data_flow(space, kubectl, case, name, spec):
    """In another namespace with the account's settings (a finalizer on the stream), and in the
    stream's own without any (owner references on the children)."""
    where = space.target if spec else space.ns
    kubectl.apply(account(space.ns + "-g", where if spec else None, **spec))
    space.extra.append((ACCOUNT, space.ns + "-g"))
    space.apply(name, FOO, platform=space.ns + "-g")
    obj = space.wait(name)
    made, expected = as_made(kubectl, where), golden(case)
    assert sorted(made) == sorted(expected)
    for key in expected:
        assert normal(made[key]) == normal(expected[key]), key
    owners = {tuple((r["kind"], r["uid"], r.get("controller", False))
                    for r in o["metadata"].get("ownerReferences", [])) for o in made.values()}
    uid = obj["metadata"]["uid"]
    beside = where == space.ns
    assert owners == {(("StreamDeployment", uid, True),) if beside else ()}
    assert (FINALIZER in obj["metadata"].get("finalizers", [])) != beside
    for (_, child), o in made.items():
        labels, notes = o["metadata"]["labels"], o["metadata"]["annotations"]
        assert labels["penstock.dev/owner-uid"] == uid, child
        assert labels["penstock.dev/app"] in APPS and labels["penstock.dev/revision"] == "1"
        assert labels["penstock.dev/installation"], child
        assert "app.kubernetes.io/managed-by" in labels
        assert "app.kubernetes.io/instance" not in labels
        assert notes["penstock.dev/owner"] == "StreamDeployment/%s/%s" % (space.ns, name)
    kubectl.delete(STREAM, name, space.ns)
    space.wait_clean()


def test_status_of_a_stream_that_runs(space):
    space.apply("s", FOO, properties={"deployer.predict.count": 2})
    obj = space.wait("s")
    status = obj["status"]
    assert status["phase"] == "deployed" and status["revision"] == 1
    assert status["platform"] == space.account and status["definition"]
    holds(obj, "Accepted")
    assert [a["name"] for a in status["apps"]] == list(APPS)
    made = space.deployments()
    for app, kind in zip(APPS, ("source", "processor", "sink")):
        a = app_status(obj, app)
        count = 2 if app == "predict" else 1
        assert (a["type"], a["state"], a["desired"], a["ready"]) == (kind, "deployed", count, count)
        assert a["image"] == "springcloudstream/%s:1.0.0" % app
        deployment = made["s-%s-v1" % app]["metadata"]
        assert a["resource"] == {
            "kind": "Deployment", "namespace": space.target, "name": deployment["name"],
            "uid": deployment["uid"], "generation": deployment["generation"]}


def test_a_change_rolls_what_it_is_about(space, kubectl):
    space.apply("s", FOO)
    uid = space.wait("s")["metadata"]["uid"]
    before, services = space.deployments(), kubectl.list("services", space.target)

    space.patch("s", properties={"app.predict.server.shutdown": "graceful"})
    wait_for(lambda: space.get("s")["status"].get("revision") == 2, "revision 2")
    space.wait("s")
    after = space.deployments()
    assert sorted(after) == sorted(before), "names stay: the change is made in place"
    for name, old in before.items():
        new = after[name]
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        changed = name == "s-predict-v1"
        assert new["metadata"]["generation"] == (2 if changed else 1), name
        assert ("--server.shutdown=graceful" in container(new)["args"]) == changed
        assert new["metadata"]["labels"]["penstock.dev/revision"] == ("2" if changed else "1")
    assert kubectl.list("services", space.target) == services, "no Service was written"

    revisions = space.revisions()
    assert [r["revision"] for r in revisions] == [1, 2]
    for r in revisions:
        assert re.fullmatch(r"s-[0-9a-f]{8}-%d" % r["revision"], r["metadata"]["name"])
        assert r["metadata"]["labels"]["penstock.dev/owner-uid"] == uid
        assert r["metadata"]["labels"]["penstock.dev/revision"] == str(r["revision"])

    space.patch("s", properties=None)
    wait_for(lambda: space.get("s")["status"].get("revision") == 3, "revision 3")
    space.wait("s")
    assert "--server.shutdown=graceful" not in container(space.deployments()["s-predict-v1"])["args"]


def test_the_port_of_an_app_reaches_its_service(space, kubectl):
    def ports():
        service = kubectl.get("services", "s-log", space.target)
        box = container(space.deployments()["s-log-v1"])
        return ([(p["name"], p["port"], p["targetPort"]) for p in service["spec"]["ports"]],
                box["ports"][0]["containerPort"], box["livenessProbe"]["httpGet"]["port"])
    space.apply("s", "time | log")
    space.wait("s")
    uid = kubectl.get("services", "s-log", space.target)["metadata"]["uid"]
    assert ports() == ([("port-8080", 8080, 8080)], 8080, 8080)
    space.patch("s", properties={"app.log.server.port": 9090})
    wait_for(lambda: ports() == ([("port-9090", 9090, 9090)], 9090, 9090), "the port 9090")
    space.patch("s", properties=None)
    wait_for(lambda: ports() == ([("port-8080", 8080, 8080)], 8080, 8080), "the port 8080 again")
    assert kubectl.get("services", "s-log", space.target)["metadata"]["uid"] == uid


def test_what_renders_the_same_is_no_revision(space, kubectl):
    space.apply("s", "time | log")
    space.wait("s")
    before = space.deployments()
    space.patch("s", definition="time  |  log", revisionHistoryLimit=3)
    kubectl("label", STREAM, "s", "-n", space.ns, "team=cars")
    space.wait("s")
    assert [r["revision"] for r in space.revisions()] == [1]
    assert {n: d["metadata"]["generation"] for n, d in space.deployments().items()} == {
        n: d["metadata"]["generation"] for n, d in before.items()}


def test_history_is_limited(space):
    space.apply("s", "time | log", revisionHistoryLimit=2)
    space.wait("s")
    for n in range(2, 6):
        space.patch("s", properties={"app.*.x": n})
        wait_for(lambda n=n: space.get("s")["status"].get("revision") == n, "revision %d" % n)

    def limited():
        numbers = [r["revision"] for r in space.revisions()]
        assert numbers == [3, 4, 5], numbers
        return True
    wait_for(limited, "the old revisions to go")


def test_suspend_and_resume(space):
    space.apply("s", "time | log", properties={"deployer.log.count": 3})
    space.wait("s")
    space.patch("s", suspend=True)
    obj = space.wait("s", reason="Suspended")
    assert obj["status"]["phase"] == "undeployed"
    made = space.deployments()
    assert {d["spec"]["replicas"] for d in made.values()} == {0} and len(made) == 2
    wait_for(lambda: not space.kubectl.list("pods", space.target), "the pods to go")
    space.patch("s", suspend=False)
    wait_for(lambda: space.get("s")["status"]["phase"] == "deployed", "phase deployed")
    space.wait("s")
    again = space.deployments()
    assert {n: d["spec"]["replicas"] for n, d in again.items()} == {"s-time-v1": 1, "s-log-v1": 3}
    assert {d["metadata"]["uid"] for d in again.values()} == {
        d["metadata"]["uid"] for d in made.values()}
    assert [r["revision"] for r in space.revisions()] == [1], "stopping is no revision"


def test_typed_apps_win_over_properties(space):
    space.apply("s", "time | log | nosuch", platform=space.account, properties={
        "deployer.log.count": 1, "deployer.log.memory": "1g"},
        apps=[{"name": "log", "replicas": 2, "env": [{"name": "A", "value": "b"}], "resources": {
            "limits": {"memory": "3Gi"}, "requests": {"cpu": "100m"}}},
              {"name": "nosuch", "image": "registry.example/nosuch:7"}])
    space.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "more", "namespace": space.ns, "labels": {"penstock.dev/app-registry": "true"}},
        "data": {"apps": "processor.log=docker:springcloudstream/log-processor:2.0.0\n"}})
    space.wait("s")
    made = space.deployments()
    box = container(made["s-log-v1"])
    assert made["s-log-v1"]["spec"]["replicas"] == 2
    assert box["image"] == "springcloudstream/log-processor:2.0.0"
    assert box["resources"]["limits"]["memory"] == "3Gi"
    assert box["resources"]["requests"]["cpu"] == "100m"
    assert {"name": "A", "value": "b"} in box["env"]
    assert container(made["s-nosuch-v1"])["image"] == "registry.example/nosuch:7"


def test_a_stream_without_platform_uses_the_account_default(space, kubectl):
    if kubectl.get(ACCOUNT, "default"):
        pytest.skip("the cluster has an account default of its own")
    space.apply("s", "time | log", platform=None)
    space.wait("s", "Accepted", "False", "PlatformNotFound", "default")
    kubectl.apply(account("default", space.target))
    space.extra.append((ACCOUNT, "default"))
    space.wait("s")
    assert sorted(space.deployments()) == ["s-log-v1", "s-time-v1"]


def test_capital_letters_in_the_name(space):
    space.apply("s", ":orders > log", streamName="MyStream")
    space.wait("s")
    args = container(space.deployments()["mystream-log-v1"])["args"]
    assert "--spring.cloud.dataflow.stream.name=MyStream" in args
    assert "--spring.cloud.stream.bindings.input.destination=orders" in args
    assert "--spring.cloud.stream.bindings.input.group=MyStream" in args
