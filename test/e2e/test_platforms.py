# SPDX-License-Identifier: Apache-2.0
"""Accounts with limits, and streams over several accounts."""

import pytest
from support import (ACCOUNT, FINALIZER, STREAM, account, app_status, condition, holds, namespace,
                     stream, wait_for)


def allow(space, kubectl, **allowed):
    kubectl.patch(ACCOUNT, space.account, {"spec": {"allowedNamespaces": allowed or None}})


def label(kubectl, name, **labels):
    kubectl.patch("namespace", name, {"metadata": {"labels": labels}})


@pytest.fixture
def gpu(space, kubectl):
    """The name of a second account, and of the namespace that it leads to."""
    name = space.ns + "-gpu"
    space.extra += [("namespace", name), (ACCOUNT, name)]
    kubectl.apply(namespace(name), account(
        name, name, properties={"limits": {"memory": "8Gi"}}, binder={"clusterId": "one"}))
    kubectl.patch(ACCOUNT, space.account, {"spec": {"binder": {"clusterId": "one"}}})
    return name


def on(label, platform):
    return [{"name": label, "platform": platform}]


def generations(space):
    return {n: d["metadata"]["generation"] for n, d in space.deployments().items()}


def test_access_comes_and_goes_with_a_label(space, kubectl):
    """The label of a namespace opens and closes the account; what runs is left alone."""
    allow(space, kubectl, names=["somebody-else"], selector={"matchLabels": {"team": space.ns}})
    space.apply("s", "time | log")
    obj = space.wait("s", status="False", reason="NotAllowed")
    holds(obj, "Accepted", "False", "NotAllowed", space.account)
    assert not space.deployments()
    label(kubectl, space.ns, team=space.ns)
    obj = space.wait("s", reason="Deployed")
    before = generations(space)

    label(kubectl, space.ns, team="other")
    obj = space.wait("s", "AccessLost", reason="NotAllowed")
    holds(obj, "Ready", "True", "Deployed")
    holds(obj, "Accepted", "True")
    space.patch("s", properties={"deployer.log.count": "2"})
    obj = space.wait("s", "Accepted", "False", "NotAllowed")
    assert generations(space) == before

    label(kubectl, space.ns, team=space.ns)
    obj = space.wait("s", reason="Deployed")
    assert condition(obj, "AccessLost") is None
    wait_for(lambda: space.deployments()["s-log-v1"]["spec"]["replicas"] == 2, "the second log")


def test_an_account_closed_restores_nothing_but_can_be_left(space, kubectl):
    """Without access a deleted child does not come back; suspending and deleting work."""
    space.apply("s", "time | log")
    space.wait("s", reason="Deployed")
    allow(space, kubectl, names=["somebody-else"])
    space.wait("s", "AccessLost")
    kubectl.delete("deployments.apps", "s-log-v1", space.target)
    space.wait("s", status="False", reason="NotAllowed")
    assert "s-log-v1" not in space.deployments()
    space.patch("s", suspend=True)
    wait_for(lambda: space.deployments()["s-time-v1"]["spec"]["replicas"] == 0, "time to stop")
    allow(space, kubectl)
    space.patch("s", suspend=False)
    space.wait("s", reason="Deployed")
    assert "s-log-v1" in space.deployments()


def test_a_launch_without_access(tasks, kubectl):
    """What runs may end; no other attempt starts, and none of another launch."""
    tasks.launch("t", "sleep")
    tasks.wait_running("t")
    allow(tasks, kubectl, names=["somebody-else"])
    tasks.launch("u", "train")
    tasks.wait_phase("u", "Pending", "NotAllowed")
    tasks.wait_phase("t", "Running")
    assert len(tasks.jobs()) == 1
    allow(tasks, kubectl, names=[tasks.ns])
    tasks.wait_phase("u", "Complete")


def policy(space, kubectl, **rules):
    kubectl.patch(ACCOUNT, space.account, {"spec": {"policy": rules or None}})


UNCONFINED = {"deployer.log.kubernetes.podAnnotations":
              "container.apparmor.security.beta.kubernetes.io/s-log-v1:unconfined"}


def test_a_policy_comes_and_goes(space, kubectl):
    """Against the policy nothing is written; what runs is left alone, and goes on without it."""
    space.apply("s", "time | log", properties=UNCONFINED)
    obj = space.wait("s", status="False", reason="PolicyViolation")
    holds(obj, "Accepted", "False", "PolicyViolation", "Baseline of PlatformAccount")
    assert not space.deployments()
    policy(space, kubectl, podSecurity="Privileged")
    space.wait("s", reason="Deployed")
    before = generations(space)

    policy(space, kubectl, podSecurity="Privileged", serviceAccounts=["runner"])
    obj = space.wait("s", "AccessLost", reason="PolicyViolation")
    holds(obj, "Ready", "True", "Deployed")
    kubectl.delete("deployments.apps", "s-log-v1", space.target)
    space.wait("s", status="False", reason="PolicyViolation")
    assert generations(space) == {n: g for n, g in before.items() if n != "s-log-v1"}

    policy(space, kubectl, podSecurity="Privileged", serviceAccounts=["default"])
    obj = space.wait("s", reason="Deployed")
    assert condition(obj, "AccessLost") is None
    assert "s-log-v1" in space.deployments()
    policy(space, kubectl)
    space.wait("s", "AccessLost", reason="PolicyViolation")


def test_a_launch_against_the_policy(tasks, kubectl):
    """What runs may end; no other attempt starts until the policy allows it."""
    tasks.launch("t", "sleep")
    tasks.wait_running("t")
    policy(tasks, kubectl, podSecurity="Restricted")
    tasks.launch("u", "train")
    tasks.wait_phase("u", "Pending", "PolicyViolation")
    tasks.wait_phase("t", "Running")
    assert len(tasks.jobs()) == 1
    policy(tasks, kubectl)
    tasks.wait_phase("u", "Complete")


def test_two_streams_share_destinations(space, kubectl):
    """One stream name on the same brokers is told to both, and heals."""
    other, brokers = space.ns + "-other", {"clusterId": space.ns}
    space.extra += [("namespace", other), (ACCOUNT, other)]
    kubectl.apply(namespace(other), account(other, binder=brokers))
    kubectl.patch(ACCOUNT, space.account, {"spec": {"binder": brokers}})
    space.apply("s", "time | log")
    assert condition(space.wait("s", reason="Deployed"), "DestinationShared") is None
    images = [{"name": n, "image": n + ":1"} for n in ("time", "log")]
    kubectl.apply(stream("x", other, "time | log", platform=other, streamName="s", apps=images))
    said = condition(space.wait("s", "DestinationShared"), "DestinationShared")["message"]
    assert "%s/x" % other in said and space.ns in said, said

    def told():
        holds(kubectl.get(STREAM, "x", other), "Ready", "True")
        holds(kubectl.get(STREAM, "x", other), "DestinationShared", "True", "DestinationShared",
              "StreamDeployment %s/s" % space.ns)
        return True
    wait_for(told, "the other stream to be deployed and told")
    kubectl.patch(ACCOUNT, other, {"spec": {"binder": {"clusterId": "elsewhere"}}})
    wait_for(lambda: condition(space.get("s"), "DestinationShared") is None, "the one to heal")
    kubectl.patch(ACCOUNT, other, {"spec": {"binder": brokers}})
    space.wait("s", "DestinationShared")
    kubectl.delete(STREAM, "x", other)
    wait_for(lambda: condition(space.get("s"), "DestinationShared") is None, "the rival to go")


def test_one_stream_on_two_accounts(space, kubectl, gpu):
    """Each app is in the namespace of its account with what that gives; nothing is left behind."""
    space.apply("s", "cardata | predict | cassandra", apps=on("predict", gpu))
    obj = space.wait("s", reason="Deployed")
    assert condition(obj, "BinderUnverified") is None
    assert obj["metadata"]["finalizers"] == [FINALIZER]
    assert sorted(space.deployments()) == ["s-cardata-v1", "s-cassandra-v1"]
    predict = space.deployments(gpu)["s-predict-v1"]
    container = predict["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "8Gi", container
    seen = app_status(obj, "predict")
    assert (seen["platform"], seen["resource"]["namespace"]) == (gpu, gpu), seen
    assert app_status(obj, "cardata")["platform"] == space.account

    def counted():
        return all(kubectl.get(ACCOUNT, a)["status"].get("streams") == 1
                   for a in (gpu, space.account))
    wait_for(counted, "both accounts to count the stream")
    kubectl.delete("deployments.apps", "s-predict-v1", gpu)
    wait_for(lambda: space.deployments(gpu).get("s-predict-v1"), "predict to come back")
    kubectl.delete(STREAM, "s", space.ns)
    space.wait_clean(space.ns, space.target, gpu)


def test_an_app_moves_to_another_account_and_back(space, gpu):
    """A move makes another object there; the old one goes, and the other apps are not touched."""
    space.apply("s", "cardata | predict | cassandra")
    space.wait("s", reason="Deployed")
    before = space.deployments()
    space.patch("s", apps=on("predict", gpu))
    wait_for(lambda: "s-predict-v1" not in space.deployments(), "the old predict to go")
    assert list(space.deployments(gpu)) == ["s-predict-v2"]
    space.wait("s", reason="Deployed")
    for name in ("s-cardata-v1", "s-cassandra-v1"):
        now = space.deployments()[name]["metadata"]
        assert now["uid"] == before[name]["metadata"]["uid"]
        assert now["generation"] == before[name]["metadata"]["generation"]
    space.patch("s", apps=None)
    wait_for(lambda: not space.leftovers(gpu), "nothing to be left of the visit")
    obj = space.wait("s", reason="Deployed")
    assert sorted(space.deployments()) == ["s-cardata-v1", "s-cassandra-v1", "s-predict-v3"]
    assert app_status(obj, "predict")["platform"] == space.account


def test_accounts_of_one_stream_that_do_not_fit(space, kubectl, gpu):
    """A missing account and other brokers refuse a new stream as a whole; what runs goes on."""
    space.apply("s", "time | log", apps=on("log", gpu + "-x"))
    space.wait("s", "Accepted", "False", "PlatformNotFound", "app log: spec.apps[0].platform")
    assert not space.deployments()
    kubectl.patch(ACCOUNT, gpu, {"spec": {"binder": {"clusterId": "two"}}})
    space.patch("s", apps=on("log", gpu))
    space.wait("s", "Accepted", "False", "BinderMismatch")
    assert not space.deployments() and not space.deployments(gpu)
    kubectl.patch(ACCOUNT, gpu, {"spec": {"binder": None}})
    space.wait("s", "BinderUnverified", message=gpu)
    space.wait("s", reason="Deployed")
    kubectl.patch(ACCOUNT, gpu, {"spec": {"binder": {"clusterId": "two"}}})
    obj = space.wait("s", "Outdated", message="BinderMismatch")
    holds(obj, "Ready", "True", "Deployed")
    before = generations(space)
    kubectl.delete(ACCOUNT, gpu)
    space.wait("s", "Accepted", "False", "PlatformNotFound")
    assert generations(space) == before and list(space.deployments(gpu)) == ["s-log-v1"]


def test_the_app_of_a_launch_has_an_account(tasks, kubectl, gpu):
    """The account of the app counts, with its limit, not that of the launch."""
    kubectl.patch(ACCOUNT, tasks.account, {"spec": {"maxConcurrentTasks": 0}})
    tasks.launch("t", "train", apps=on("train", gpu))
    obj = tasks.wait_phase("t", "Complete")
    assert obj["status"]["steps"][0]["resource"]["namespace"] == gpu
    tasks.launch("u", "train")
    tasks.wait_phase("u", "Waiting", "ConcurrencyLimit")
