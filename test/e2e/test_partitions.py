# SPDX-License-Identifier: Apache-2.0
"""Partitioned streams: numbered instances, of which no number may run twice at once."""

import itertools

import pytest
from support import History, wait_for

PARTED = {"app.cardata.producer.partitionKeyExpression": "payload.vin", "deployer.predict.count": 3}
CLAIMS = 12
COUNTER = itertools.count(1)


def volume(name):
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": "64Mi"}, "accessModes": ["ReadWriteOnce"],
                     "hostPath": {"path": "/tmp/" + name}}}


@pytest.fixture
def volumes(kubectl):
    """Volumes for the claims: nothing here makes them on demand."""
    names = ["penstock-test-%d" % next(COUNTER) for _ in range(CLAIMS)]
    kubectl.apply(*(volume(n) for n in names))
    yield names
    kubectl("delete", "persistentvolumes", *names, "--wait=false")


@pytest.fixture
def pods(kubectl, tmp_path):
    """What becomes of pods from here on."""
    seen = History(kubectl, tmp_path, "/api/v1/pods")
    yield seen
    seen.close()


def number_of(pod):
    return int(pod["metadata"]["name"].rsplit("-", 1)[1])


def runs_of(history, app, namespace):
    """The numbers that ran, and those of which two ran at one time."""
    alive, ran, twice = {}, [], []
    for kind, pod in history.frames():
        meta = pod["metadata"]
        if meta["namespace"] != namespace or meta["labels"].get("spring-application-name") != app:
            continue
        if kind == "DELETED":
            del alive[meta["uid"]]
        elif kind == "ADDED":
            if number_of(pod) in alive.values():
                twice.append(meta["name"])
            alive[meta["uid"]] = number_of(pod)
            ran.append(meta["name"])
    return ran, twice


def test_three_numbered_instances_through_an_update(space, kubectl, volumes, pods):
    space.apply("s", "cardata | predict | cassandra", properties=PARTED)
    obj = space.wait("s", reason="Deployed")
    app = obj["status"]["apps"][1]
    assert (app["desired"], app["ready"], app["resource"]["kind"]) == (3, 3, "StatefulSet"), app
    assert sorted(space.deployments()) == ["s-cardata-v1", "s-cassandra-v1"]
    before = space.stateful_sets()["s-predict-v1"]
    space.patch("s", properties={**PARTED, "app.predict.model": "m2"})
    wait_for(lambda: space.get("s")["status"]["revision"] == 2, "revision 2")
    space.wait("s", reason="Deployed")
    after = space.stateful_sets()["s-predict-v1"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["currentRevision"] != before["status"]["currentRevision"]
    assert after["status"]["updatedReplicas"] == 3
    ran, twice = runs_of(pods, "predict", space.target)
    assert sorted(ran) == sorted(2 * ["s-predict-v1-%d" % i for i in range(3)])
    assert twice == []


def test_nothing_of_a_partitioned_stream_is_left(space, kubectl, volumes):
    """Also its claims, which stay while it is suspended."""
    space.apply("s", "cardata | predict | cassandra", properties=PARTED)
    space.wait("s", reason="Deployed")
    space.patch("s", suspend=True)
    space.wait("s", reason="Suspended")
    wait_for(lambda: not kubectl.list("pods", space.target), "the pods to go")
    assert len(kubectl.list("persistentvolumeclaims", space.target)) == 3
    space.patch("s", suspend=False)
    space.wait("s", reason="Deployed")
    kubectl.delete("streamdeployments.penstock.dev", "s", space.ns)
    space.wait_clean()


def test_other_claims_need_another_object(space, kubectl, volumes, pods):
    """Claim templates cannot be changed: the new instances wait for the end of the old ones."""
    space.apply("s", "cardata | predict | cassandra", properties=PARTED)
    space.wait("s", reason="Deployed")
    size = "deployer.predict.kubernetes.statefulSet.volumeClaimTemplate.storage"
    space.patch("s", properties={**PARTED, size: "20m"})
    wait_for(lambda: space.get("s")["status"]["revision"] == 2, "revision 2")
    space.wait("s", reason="Deployed")
    assert list(space.stateful_sets()) == ["s-predict-v2"]
    ran, twice = runs_of(pods, "predict", space.target)
    assert sorted(ran) == ["s-predict-v%d-%d" % (v, i) for v in (1, 2) for i in range(3)]
    assert twice == []
    sizes = {c["spec"]["resources"]["requests"]["storage"]
             for c in kubectl.list("persistentvolumeclaims", space.target)
             if not c["metadata"].get("deletionTimestamp")}
    assert sizes == {"20Mi"}


def test_a_deployment_becomes_a_stateful_set_and_back(space, volumes):
    """The old one goes once the new one is ready."""
    def only(kind, name):
        def met():
            obj = space.wait("s", reason="Deployed")
            found = [n for n in [*space.deployments(), *space.stateful_sets()] if "predict" in n]
            assert found == [name], found
            assert obj["status"]["apps"][1]["resource"]["kind"] == kind
            return True
        wait_for(met, "%s %s alone" % (kind, name))
    plain = {"deployer.predict.count": 3}
    space.apply("s", "cardata | predict | cassandra", properties=plain)
    only("Deployment", "s-predict-v1")
    space.patch("s", properties=PARTED)
    only("StatefulSet", "s-predict-v2")
    key = "app.cardata.producer.partitionKeyExpression"
    space.patch("s", properties={**plain, key: None})
    only("Deployment", "s-predict-v3")
