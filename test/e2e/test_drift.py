# SPDX-License-Identifier: Apache-2.0
"""What others change of a stream's objects: taken back, reported, or theirs; and objects that are
left to others when their stream goes."""

import json

import pytest
from support import ACCOUNT, FINALIZER, STREAM, account, condition, wait_for


def deploy(space, **spec):
    space.apply("s", "time | log", **spec)
    space.wait("s", reason="Deployed")
    return space.deployments()["s-log-v1"]


def set_image(kubectl, space, image):
    kubectl("set", "image", "deployment/s-log-v1", "s-log-v1=" + image, "-n", space.target)


def image_of(space):
    return space.deployments()["s-log-v1"]["spec"]["template"]["spec"]["containers"][0]["image"]


def events(kubectl, space, reason):
    return [e for e in kubectl.list("events.events.k8s.io", space.ns) if e["reason"] == reason]


def proven(space, app="log"):
    """Waits until the status has the generation of the Deployment and the version of the Service."""
    def met():
        obj = space.get("s")
        entry = next(a for a in obj["status"]["apps"] if a["name"] == app)
        service = space.kubectl.get("services", "s-" + app, space.target)
        made = space.deployments()["s-%s-v1" % app]
        assert entry["resource"]["generation"] == made["metadata"]["generation"], entry
        assert entry["service"]["resourceVersion"] == service["metadata"]["resourceVersion"], entry
        return obj
    return wait_for(met, "the status to be about the objects of " + app)


def test_drift_is_taken_back(space, kubectl):
    before = image_of(space) if deploy(space) else None
    set_image(kubectl, space, "example/other:1")
    wait_for(lambda: image_of(space) == before, "the image to come back")
    kubectl.patch("services", "s-log", {"spec": {"selector": {"spring-group-id": "other"}}},
                  space.target)
    wait_for(lambda: kubectl.get("services", "s-log", space.target)["spec"]["selector"][
        "spring-group-id"] == "s", "the selector to come back")
    obj = proven(space)
    assert condition(obj, "Drifted") is None
    notes = [e["note"] for e in wait_for(
        lambda: len(events(kubectl, space, "DriftCorrected")) > 1 and
        events(kubectl, space, "DriftCorrected"), "the events")]
    assert any("containers[s-log-v1].image" in n for n in notes), notes
    assert any("spec.selector.spring-group-id" in n for n in notes), notes


def test_drift_is_reported(space, kubectl):
    deploy(space, driftPolicy="Report")
    before = image_of(space)
    set_image(kubectl, space, "example/other:1")
    space.wait("s", "Drifted", reason="DriftReported", message="containers[s-log-v1].image")
    space.patch("s", properties={"app.time.a": "b"})  # what is patched meanwhile tells nothing else
    wait_for(lambda: space.get("s")["status"]["revision"] == 2, "revision 2")
    space.wait("s", "Drifted", reason="DriftReported", message="containers[s-log-v1].image")
    assert image_of(space) == "example/other:1"
    space.patch("s", driftPolicy="Correct")
    wait_for(lambda: image_of(space) == before, "the image to come back")
    wait_for(lambda: condition(space.get("s"), "Drifted") is None, "the condition to go")


def test_what_others_add_is_theirs(space, kubectl):
    made = deploy(space, properties={"deployer.time.count": 1})
    writes = made["metadata"]["generation"]
    kubectl("annotate", "deployment", "s-log-v1", "-n", space.target, "mine=1")
    kubectl("set", "env", "deployment/s-log-v1", "-n", space.target, "MINE=1")
    kubectl("scale", "deployment", "s-log-v1", "-n", space.target, "--replicas=2")
    kubectl("rollout", "restart", "deployment", "s-log-v1", "-n", space.target)
    obj = proven(space)
    assert condition(obj, "Drifted") is None
    made = space.deployments()["s-log-v1"]
    assert made["metadata"]["generation"] == writes + 4 and made["spec"]["replicas"] == 2
    assert "MINE" in json.dumps(made["spec"]["template"])
    assert "penstock.dev/corrected" not in made["metadata"]["annotations"]
    kubectl("scale", "deployment", "s-time-v1", "-n", space.target, "--replicas=3")
    wait_for(lambda: space.deployments()["s-time-v1"]["spec"]["replicas"] == 1,
             "the number of instances that is asked for")


def test_drift_while_the_operator_is_away(space, kubectl, operator):
    deploy(space)
    before = image_of(space)
    operator.stop()
    set_image(kubectl, space, "example/other:1")
    operator.start()
    wait_for(lambda: image_of(space) == before, "the image to come back")


@pytest.mark.parametrize("beside", [False, True], ids=["elsewhere", "beside"])
def test_orphans_run_on_untouched(space, kubectl, beside):
    where = space.target
    if beside:
        where = space.ns
        kubectl.apply(account(space.account + "-here"))
        space.extra.append((ACCOUNT, space.account + "-here"))
        space.apply("s", "time | log", deletionPolicy="Orphan", platform=space.account + "-here")
    else:
        space.apply("s", "time | log", deletionPolicy="Orphan")
    obj = space.wait("s", reason="Deployed")
    assert FINALIZER in obj["metadata"]["finalizers"]
    pods = {p["metadata"]["uid"] for p in kubectl.list("pods", where)}
    assert len(pods) == 2
    kubectl.delete(STREAM, "s", space.ns)
    wait_for(lambda: not space.revisions(), "the revisions to go")
    left = kubectl.list("deployments.apps,services", where)
    assert sorted(o["metadata"]["name"] for o in left) == ["s-log", "s-log-v1", "s-time", "s-time-v1"]
    for o in left:
        assert "ownerReferences" not in o["metadata"]
        o["metadata"].pop("managedFields", None)
        assert "penstock" not in json.dumps(o), o
    # Nothing happens to them later: another stream of that name leaves them alone.
    space.apply("s", "time | log", platform=space.account + ("-here" if beside else ""))
    space.wait("s", status="False", reason="NameConflict")
    kubectl.delete(STREAM, "s", space.ns)
    assert {p["metadata"]["uid"] for p in kubectl.list("pods", where)} == pods
    assert len(kubectl.list("deployments.apps,services", where)) == 4
    kubectl("delete", "deployments,services", "--all", "-n", where)
