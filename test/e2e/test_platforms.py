# SPDX-License-Identifier: Apache-2.0
"""Accounts with limits, and streams over several accounts."""

from support import ACCOUNT, STREAM, account, condition, holds, namespace, stream, wait_for


def allow(space, kubectl, **allowed):
    kubectl.patch(ACCOUNT, space.account, {"spec": {"allowedNamespaces": allowed or None}})


def label(kubectl, name, **labels):
    kubectl.patch("namespace", name, {"metadata": {"labels": labels}})


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
