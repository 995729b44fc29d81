# SPDX-License-Identifier: Apache-2.0
"""What is not ours stays untouched, what is ours goes with its stream, and comes back if somebody
takes it away."""

from support import ACCOUNT, FINALIZER, STREAM, account, condition, holds, namespace, wait_for


def foreign_deployment(name, space):
    labels = {"app": "foreign"}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": space, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "foreign:1"}]}}}}


def without_status(obj):
    meta = {k: v for k, v in obj["metadata"].items()
            if k not in ("managedFields", "resourceVersion")}
    return {"metadata": meta, "spec": obj["spec"]}


def space_stream(space, where):
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "StreamDeployment",
            "metadata": {"name": "s", "namespace": where},
            "spec": {"definition": "time | log", "platform": space.account, "apps": [
                {"name": "time", "image": "time:1"}, {"name": "log", "image": "log:1"}]}}


def settled(space, name, kind="deployments.apps"):
    """The object once its controller has nothing more to write."""
    def quiet():
        obj = space.kubectl.get(kind, name, space.target)
        return obj and obj.get("status", {}).get("readyReplicas") == 1 and obj
    return wait_for(quiet, "%s to be ready" % name)


def test_a_foreign_deployment_is_left_alone(space, kubectl):
    kubectl.apply(foreign_deployment("s-log-v1", space.target))
    before = settled(space, "s-log-v1")
    space.apply("s", "time | log")
    obj = space.wait("s", "NameConflict", message="s-log-v1")
    holds(obj, "Ready", "False")
    assert "Deployment" in condition(obj, "NameConflict")["message"]
    assert without_status(kubectl.get("deployments.apps", "s-log-v1", space.target)) == (
        without_status(before))
    kubectl.delete("deployments.apps", "s-log-v1", space.target)
    obj = space.wait("s")
    assert condition(obj, "NameConflict") is None
    assert space.deployments()["s-log-v1"]["metadata"]["labels"]["penstock.dev/owner-uid"] == (
        obj["metadata"]["uid"])


def test_a_foreign_service_is_left_alone(space, kubectl):
    service = {"apiVersion": "v1", "kind": "Service",
               "metadata": {"name": "s-log", "namespace": space.target},
               "spec": {"selector": {"app": "foreign"}, "ports": [{"port": 80}]}}
    kubectl.apply(service)
    before = without_status(kubectl.get("services", "s-log", space.target))
    space.apply("s", "time | log")
    obj = space.wait("s", "NameConflict", message="s-log")
    assert "Service" in condition(obj, "NameConflict")["message"]
    kubectl.delete(STREAM, "s", space.ns)
    left = space.leftovers()
    assert left == ["Service/s-log"], left
    assert without_status(kubectl.get("services", "s-log", space.target)) == before


def test_two_streams_of_one_name_in_one_target(space, kubectl):
    """The account brings streams of two namespaces together; the first keeps the name."""
    other = space.ns + "-other"
    kubectl.apply(namespace(other))
    space.extra.append(("namespace", other))
    space.apply("s", "time | log")
    first = space.wait("s")
    before = {n: d["metadata"]["uid"] for n, d in space.deployments().items()}
    kubectl.apply(
        {**space_stream(space, other), "metadata": {"name": "s", "namespace": other}})

    def refused():
        obj = kubectl.get(STREAM, "s", other)
        return holds(obj, "NameConflict", message=space.ns + "/s")
    wait_for(refused, "NameConflict that names the holder")
    assert {n: d["metadata"]["uid"] for n, d in space.deployments().items()} == before
    kubectl.delete(STREAM, "s", other)
    assert {n: d["metadata"]["uid"] for n, d in space.deployments().items()} == before
    holds(space.get("s"), "Ready")
    assert first["metadata"]["uid"] == space.get("s")["metadata"]["uid"]


def test_deleted_and_made_again_under_the_same_name(space, kubectl):
    uids = set()
    for _ in range(3):
        space.apply("s", "time | log")
        obj = space.wait("s")
        uids.add(obj["metadata"]["uid"])
        made = space.deployments()
        assert len(made) == 2
        for d in made.values():
            assert d["metadata"]["labels"]["penstock.dev/owner-uid"] == obj["metadata"]["uid"]
        kubectl.delete(STREAM, "s", space.ns)
    assert len(uids) == 3
    space.wait_clean()


def test_replaced_at_once(space, kubectl):
    """Deleted without waiting and applied until it takes."""
    space.apply("s", "time | log")
    first = space.wait("s")["metadata"]["uid"]
    kubectl.delete(STREAM, "s", space.ns, wait=False)

    def replaced():
        space.apply("s", "time | log")
        return space.get("s")["metadata"]["uid"] != first
    wait_for(replaced, "the new object")
    obj = space.wait("s")
    made = space.deployments()
    assert len(made) == 2
    assert {d["metadata"]["labels"]["penstock.dev/owner-uid"] for d in made.values()} == {
        obj["metadata"]["uid"]}


def test_the_namespace_of_a_stream_is_deleted(space, kubectl):
    """One stream's apps are elsewhere, the other's beside it in a namespace that goes as well."""
    own = space.ns + "-own"
    kubectl.apply(namespace(own))
    kubectl.apply(account(own))
    space.extra += [(ACCOUNT, own), ("namespace", own)]
    kubectl.apply({**space_stream(space, own), "spec": {
        **space_stream(space, own)["spec"], "platform": own}})
    space.apply("s", "time | log")
    assert FINALIZER in space.wait("s")["metadata"]["finalizers"]
    wait_for(lambda: holds(kubectl.get(STREAM, "s", own), "Ready"), "the other to be ready")
    kubectl("delete", "namespace", space.ns, own, "--timeout=60s")
    assert kubectl.get("namespace", space.ns) is None and kubectl.get("namespace", own) is None
    space.wait_clean(space.target)
    kubectl.apply(namespace(space.ns))     # for the end of the test


def test_the_target_namespace_is_deleted(space, kubectl):
    space.apply("s", "time | log")
    space.wait("s")
    kubectl.delete("namespace", space.target)

    def told():
        holds(kubectl.get(ACCOUNT, space.account), "Ready", "False", message=space.target)
        return holds(space.get("s"), "Ready", "False")
    wait_for(told, "account and stream to say that the namespace is gone")
    kubectl.delete(STREAM, "s", space.ns)
    assert space.get("s") is None


def test_what_is_deleted_by_hand_comes_back(space, kubectl):
    space.apply("s", "time | log")
    space.wait("s")
    before = space.deployments()["s-log-v1"]["metadata"]["uid"]
    kubectl.delete("deployments.apps", "s-log-v1", space.target)
    kubectl.delete("services", "s-time", space.target)

    def back():
        made = space.deployments()
        assert "s-log-v1" in made and made["s-log-v1"]["metadata"]["uid"] != before
        return kubectl.get("services", "s-time", space.target)
    wait_for(back, "Deployment and Service to come back")
    space.wait("s")
    assert [r["revision"] for r in space.revisions()] == [1]


def test_instances_set_by_hand_stay(space, kubectl):
    """Where the stream gives no number of instances, autoscalers and kubectl scale decide."""
    space.apply("s", "time | log", properties={"deployer.time.count": 1})
    space.wait("s")
    kubectl("scale", "deployment", "s-log-v1", "-n", space.target, "--replicas=3")
    space.patch("s", properties={"deployer.time.count": 1, "app.log.x": "y"})
    wait_for(lambda: space.get("s")["status"].get("revision") == 2, "revision 2")
    obj = space.wait("s")
    assert space.deployments()["s-log-v1"]["spec"]["replicas"] == 3
    assert [a["desired"] for a in obj["status"]["apps"]] == [1, 3]


def test_an_app_that_is_dropped_loses_its_objects(space, kubectl):
    space.apply("s", "cardata | predict | cassandra")
    space.wait("s")
    space.patch("s", definition="cardata | cassandra")

    def gone():
        services = {s["metadata"]["name"] for s in kubectl.list("services", space.target)}
        assert sorted(space.deployments()) == ["s-cardata-v1", "s-cassandra-v1"]
        assert services == {"s-cardata", "s-cassandra"}, services
        return True
    wait_for(gone, "the objects of predict to go")
    obj = space.wait("s")
    assert [a["name"] for a in obj["status"]["apps"]] == ["cardata", "cassandra"]
    space.patch("s", definition="cardata | predict | cassandra")
    wait_for(lambda: space.get("s")["status"].get("revision") == 3, "revision 3")
    space.wait("s")
    names = sorted(space.deployments())
    assert len(names) == 3 and names[0] == "s-cardata-v1" and "s-predict-v3" in names, names


def test_a_stream_in_the_making_is_deleted(space, kubectl):
    for i in range(5):
        space.apply("s%d" % i, "cardata | predict | cassandra")
        kubectl.delete(STREAM, "s%d" % i, space.ns, wait=i % 2 == 0)
    wait_for(lambda: not kubectl.list(STREAM, space.ns), "the streams to go")
    space.wait_clean()


def test_the_account_is_deleted_while_in_use(space, kubectl):
    """What runs goes on, and when the stream is deleted nothing is left behind."""
    space.apply("s", "time | log")
    space.wait("s")
    before = {n: d["metadata"]["generation"] for n, d in space.deployments().items()}
    kubectl.delete(ACCOUNT, space.account, wait=False)
    wait_for(lambda: (kubectl.get(ACCOUNT, space.account) or {"metadata": {
        "deletionTimestamp": 1}})["metadata"].get("deletionTimestamp"), "the account to be going")
    kubectl("annotate", STREAM, "s", "-n", space.ns, "touched=1")
    kubectl.delete("pods", "--all", space.target)
    assert {n: d["metadata"]["generation"] for n, d in space.deployments().items()} == before
    kubectl.delete(STREAM, "s", space.ns)
    wait_for(lambda: kubectl.get(ACCOUNT, space.account) is None, "the account to go")
    space.wait_clean()
