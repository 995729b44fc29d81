# SPDX-License-Identifier: Apache-2.0
"""Accounts that lead to another cluster: a second control plane, which gets lost, comes back, and
changes its credentials."""

import json
import os
import re
import sys
import time

import pytest
from remote import Remote
from support import (ACCOUNT, FINALIZER, ROOT, STREAM, TASK, TASK_APPS, Kubectl, app_status,
                     condition, controlplane, namespace, registry, uid, wait_for)
from test_partitions import PARTED, volume
from test_plugin import Plugin
from test_restart import Requests
from test_zz_permissions import check_nothing_was_forbidden, granted, requested

sys.path.insert(0, str(ROOT / "test" / "faults"))
import turnstile  # noqa: E402
import wire as wires  # noqa: E402

FOO = "cardata | predict | cassandra"
FOO_THERE = ["foo-cardata-v1", "foo-cassandra-v1", "foo-predict-v1"]
# How long the other cluster is away, in the test that is about the length of it.
AWAY_SECONDS = float(os.environ.get("PENSTOCK_AWAY", "120"))
# For a stream on the own cluster, also on a slow machine; less than a request to a dead server.
USUAL_SECONDS = 25


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """The other cluster. It knows nothing of Penstock."""
    plane = controlplane.ControlPlane(tmp_path_factory.mktemp("remote"))
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def wire(plane, tmp_path):
    """The way to the other cluster, which can be frozen."""
    wire = wires.Wire(plane, controlplane.start_child, tmp_path / "wire.log")
    yield wire
    wire.close()


@pytest.fixture
def door(wire, tmp_path):
    """A turnstile before that: its journal, and a door that can be shut."""
    with turnstile.Turnstile(wire, tmp_path) as door:
        yield door
    assert not door.problems, door.problems


def prepared(space, operator, plane, server, directory):
    since = operator.log_size()
    remote = Remote(space, plane, server, directory)
    space.extra.append((ACCOUNT, remote.name))
    remote.create()
    space.kubectl.apply(registry(space.ns, "tasks", TASK_APPS))
    remote.wait_account()
    yield remote
    if not operator.running:
        operator.start()
    remote.remove()
    remote.check_secrecy(operator.log_text(since))


@pytest.fixture
def remote(space, operator, plane, door, tmp_path):
    """See Remote; behind the door."""
    yield from prepared(space, operator, plane, door, tmp_path)


@pytest.fixture
def direct(space, operator, plane, wire, tmp_path):
    """The same without a door."""
    yield from prepared(space, operator, plane, wire, tmp_path)


def here(space, obj):
    """What was made in the own cluster for a stream or launch, but for its revisions."""
    kinds = "deployments,statefulsets,services,jobs,pods"
    return [o["metadata"]["name"] for ns in (space.ns, space.target)
            for o in space.kubectl.list(kinds, ns, "penstock.dev/owner-uid=" + uid(obj))]


def wait_local(space, name):
    """A stream on the own cluster, from its apply on, in the usual time."""
    space.apply(name, "time | log")
    start = time.monotonic()
    space.wait(name, reason="Deployed")
    took = time.monotonic() - start
    assert took < USUAL_SECONDS, "%s took %.0f s" % (name, took)


def changed_to_two(space):
    """An edit that everybody can see to have arrived."""
    wait_for(lambda: app_status(space.get("foo"), "predict").get("ready") == 2, "two of predict")
    space.wait("foo", reason="Deployed")


def edit(space):
    space.patch("foo", properties={"deployer.predict.count": 2})


def deployed(space, remote):
    space.apply("foo", FOO, platform=remote.name)
    space.wait("foo", reason="Deployed")
    return remote.identities()


def nothing_is_made_anew(remote, before):
    """But for the pods of predict, which were asked for."""
    after = remote.identities()
    lost = [k for k in before if after.get(k, [None])[0] != before[k][0]]
    assert all(kind == "Pod" and "-predict-" in name for kind, name in lost), lost
    assert sorted(remote.deployments()) == FOO_THERE


def wait_blocked(get, words):
    """Waits until what is to go says that it can't, and why."""
    def met():
        obj = get()
        blocked = condition(obj, "CleanupBlocked")
        assert blocked and blocked["status"] == "True" and words in blocked["message"], obj
        return obj
    return wait_for(met, "CleanupBlocked with %s" % words)


def on(label, platform):
    return [{"name": label, "platform": platform}]


# --- what it is for ----------------------------------------------------------------------------


def test_gpuzone(space, kubectl, remote):
    """A stream and a launch reach their ends there, and nothing of them is here."""
    space.apply("foo", FOO, platform=remote.name)
    obj = space.wait("foo", reason="Deployed")
    assert obj["metadata"]["finalizers"] == [FINALIZER]
    assert sorted(remote.deployments()) == FOO_THERE
    account = remote.wait_account("Reachable")
    made = [o for (kind, _), o in remote.objects("deployments,services").items()]
    assert len(made) == 6
    for o in made:
        labels = o["metadata"]["labels"]
        assert labels["penstock.dev/owner-uid"] == uid(obj)
        assert labels["penstock.dev/account-uid"] == uid(account)
        assert labels["penstock.dev/installation"]
        assert o["metadata"]["annotations"]["penstock.dev/owner"] == (
            "StreamDeployment/%s/foo" % space.ns)
        assert not o["metadata"].get("ownerReferences")
    assert not here(space, obj)
    assert len(space.revisions()) == 1
    seen = app_status(obj, "predict")
    assert (seen["platform"], seen["ready"], seen["resource"]["namespace"]) == (
        remote.name, 1, remote.name), seen

    space.launch("t", "train", platform=remote.name)
    launch = space.wait_phase("t", "Complete")
    assert not here(space, launch)
    job = launch["status"]["steps"][0]["resource"]["name"]
    labels = remote.objects("jobs")["Job", job]["metadata"]["labels"]
    assert labels["penstock.dev/account-uid"] == uid(account)

    there = remote.there.get("namespace", remote.name)
    assert account["status"]["target"]["uid"] == uid(there)
    assert account["status"]["target"]["version"].startswith("v1.")
    kubectl.delete(STREAM, "foo", space.ns)
    kubectl.delete(TASK, "t", space.ns)
    remote.wait_clean()


def test_one_app_is_in_the_other_cluster(space, kubectl, remote):
    """An app by itself goes there, what was deleted or changed there is put right, and a change
    rolls what it is about."""
    space.apply("s", FOO, apps=on("predict", remote.name))
    space.wait("s", reason="Deployed")
    assert sorted(space.deployments()) == ["s-cardata-v1", "s-cassandra-v1"]
    assert list(remote.deployments()) == ["s-predict-v1"]
    remote.there.delete("deployments.apps", "s-predict-v1", remote.name)
    wait_for(lambda: remote.deployments().get("s-predict-v1"), "predict to come back")
    space.wait("s", reason="Deployed")
    before = {n: uid(d) for n, d in space.deployments().items()}
    space.patch("s", properties={"deployer.predict.count": 2})
    wait_for(lambda: app_status(space.get("s"), "predict").get("ready") == 2, "two of predict")
    assert {n: uid(d) for n, d in space.deployments().items()} == before
    space.patch("s", suspend=True)
    wait_for(lambda: remote.deployments()["s-predict-v1"]["spec"]["replicas"] == 0,
             "predict to stop")
    space.patch("s", suspend=False)
    space.wait("s", reason="Deployed")
    kubectl.delete(STREAM, "s", space.ns)
    space.wait_clean(space.ns, space.target)
    remote.wait_clean()


def test_a_kubeconfig_and_no_namespace(space, kubectl, operator, plane, tmp_path):
    """A Secret of the other form, and an account that deploys into namespaces named like here."""
    remote = Remote(space, plane, plane, tmp_path)
    space.extra.append((ACCOUNT, remote.name))
    with open(plane.kubeconfig, encoding="utf-8") as f:
        remote.put_data({"kubeconfig": f.read()})
    remote.put_account(None)
    account = remote.wait_account()
    system = remote.there.get("namespace", "kube-system")
    assert account["status"]["target"]["uid"] == uid(system)
    space.apply("s", "time | log", platform=remote.name)
    space.wait("s", status="False", reason="NamespaceNotFound")
    remote.there.apply(namespace(space.ns))
    obj = space.wait("s", reason="Deployed")
    assert not here(space, obj)
    assert len(remote.there.list("deployments.apps", space.ns)) == 2
    kubectl.delete(STREAM, "s", space.ns)
    wait_for(lambda: not remote.there.list("deployments.apps", space.ns), "them to go")
    kubectl.delete(ACCOUNT, remote.name)
    remote.delete_secret()
    remote.there.delete("namespace", space.ns, wait=False)


@pytest.fixture
def volumes(plane):
    """Volumes there for the claims of numbered instances."""
    names = ["penstock-there-%d" % i for i in range(4)]
    there = Kubectl(plane.kubectl_program, plane.kubeconfig, plane.dir / "kube-cache")
    there.apply(*(volume(n) for n in names))
    yield
    there("delete", "persistentvolumes", *names, "--wait=false")


def test_lost_answers_and_changes_by_others(space, kubectl, remote, door, volumes):
    """Numbered instances and a launch, of which the answers to the creates get lost: each is made
    once. What others change there is put right."""
    lost = [door.on(lambda x, r=r: x.verb == "create" and x.resource == r, "lost")
            for r in ("statefulsets", "jobs")]
    space.apply("s", FOO, platform=remote.name,
                properties={**PARTED, "deployer.predict.count": 2})
    obj = space.wait("s", reason="Deployed")
    assert app_status(obj, "predict")["resource"]["kind"] == "StatefulSet"
    space.launch("t", "train", platform=remote.name)
    space.wait_phase("t", "Complete")
    assert all(len(rule.fired) == 1 for rule in lost)
    assert len(remote.objects("statefulsets")) == len(remote.objects("jobs")) == 1
    made = [x for x in door.writes(lambda x: x.verb == "create" and x.resource == "jobs")]
    assert len(made) == 1, made

    def selector():
        return remote.objects("services")["Service", "s-cardata"]["spec"]["selector"]
    before = selector()
    remote.there.patch("services", "s-cardata", {"spec": {"selector": {"spring-group-id": "x"}}},
                       remote.name)
    wait_for(lambda: selector() == before, "the selector to be put right")
    space.patch("s", properties={"deployer.predict.count": 1})
    wait_for(lambda: app_status(space.get("s"), "predict").get("desired") == 1, "one of predict")
    space.wait("s", reason="Deployed")
    kubectl.delete(STREAM, "s", space.ns)
    kubectl.delete(TASK, "t", space.ns)
    remote.wait_clean()


# --- the other cluster is away -----------------------------------------------------------------


def test_frozen_for_two_minutes(space, kubectl, direct, wire, cluster):
    """The other server stands still: nothing else waits for it, little is asked meanwhile, and what
    was changed, made and deleted is caught up with by itself."""
    space.apply("foo", FOO, platform=direct.name)
    space.apply("going", "time | log", platform=direct.name)
    for name in ("foo", "going"):
        space.wait(name, reason="Deployed")
    space.launch("t", "sleep", platform=direct.name)
    direct.wait_running("t")
    before = direct.identities()
    requests = Requests(cluster)
    with wire.frozen():
        end = time.monotonic() + AWAY_SECONDS
        edit(space)
        kubectl.delete(STREAM, "going", space.ns, wait=False)
        space.apply("late", "time | log", platform=direct.name)
        for i in range(3):
            wait_local(space, "local%d" % i)
        if AWAY_SECONDS >= 60:
            direct.wait_account("Reachable", "False", "Unreachable")
            space.wait("late", status="Unknown", reason="PlatformUnreachable", message=direct.name)
            wait_blocked(lambda: space.get("going"), direct.name)
        wait_local(space, "local3")
        requests.wait_quiet()
        requests.mark()
        start = time.monotonic()
        time.sleep(max(10.0, end - time.monotonic()))
        asked = {k: n for k, n in requests.seen().items() if k[0] != "watch"}
        assert sum(asked.values()) <= 5 + (time.monotonic() - start) / 20, asked
        wait_local(space, "local4")
    direct.wait_account("Reachable")
    changed_to_two(space)
    space.wait("late", reason="Deployed")
    wait_for(lambda: space.get("going") is None, "the deleted stream to go")
    space.wait_phase("t", "Running")
    after = direct.identities()
    # The pods of predict were asked for anew.
    lost = [name for kind, name in before if after.get((kind, name), [None])[0]
            != before[kind, name][0] and not name.startswith("foo-predict-")]
    assert len(lost) == 6 and all(name.startswith("going-") for name in lost), lost
    assert [name for kind, name in after if kind == "Job"] == [
        name for kind, name in before if kind == "Job"]


def test_refused_and_back(space, remote, door):
    """Nothing listens there any more; then it does."""
    before = deployed(space, remote)
    door.shut()
    remote.wait_account("Reachable", "False", "Unreachable")
    space.wait("foo", status="Unknown", reason="PlatformUnreachable", message=remote.name)
    edit(space)
    wait_local(space, "local")
    door.open()
    changed_to_two(space)
    nothing_is_made_anew(remote, before)


@pytest.mark.parametrize("away", ["frozen", "refused"])
def test_a_start_does_not_wait(space, operator, remote, door, wire, away):
    """The operator starts while the other cluster is away: what is here goes on, what is there is
    neither lost nor doubled."""
    before = deployed(space, remote)
    operator.kill()
    if away == "frozen":
        with wire.frozen():
            operator.start()
            wait_local(space, "local")
            edit(space)
            time.sleep(3)
    else:
        door.shut()
        operator.start()
        wait_local(space, "local")
        edit(space)
        door.open()
    changed_to_two(space)
    nothing_is_made_anew(remote, before)


# --- the Secret --------------------------------------------------------------------------------


def test_another_token(space, remote, door):
    """A new token is taken from the Secret; nothing restarts, and the old one is used no more."""
    before = deployed(space, remote)
    remote.put_secret(remote.another_token("second"))
    remote.there.delete("secret", "penstock-token", remote.name)
    remote.wait_account("Reachable")
    edit(space)
    changed_to_two(space)
    nothing_is_made_anew(remote, before)


def test_a_revoked_token_is_told(space, remote, door):
    """Unauthorized, until the Secret has another one."""
    deployed(space, remote)
    second = remote.another_token("second")
    remote.there.delete("secret", "penstock-token", remote.name)
    time.sleep(11)                       # the server remembers tokens for 10 s
    door.drop()
    remote.wait_account("Reachable", "False", "Unauthorized")
    remote.put_secret(second)
    remote.wait_account("Reachable")
    space.wait("foo", reason="Deployed")


def test_the_secret_goes_and_comes_back(space, remote, door):
    """Without its Secret, and with one that is of no use, the account says so, and what runs is
    left alone."""
    before, token = deployed(space, remote), next(iter(remote.tokens))
    remote.delete_secret()
    remote.wait_account("Ready", "False", "SecretMissing", remote.name)
    edit(space)
    since = len(door.journal)
    remote.put_data({"server": "https://127.0.0.1:1", "tokn": token})
    remote.wait_account("Ready", "False", "SecretInvalid", "data[token]: missing")
    remote.put_data({"kubeconfig": "users: [{exec: {command: %s}}]" % token})
    remote.wait_account("Ready", "False", "SecretInvalid", "data[kubeconfig]")
    assert not door.writes(since=since)
    assert remote.identities() == before
    remote.put_secret(token)
    remote.wait_account()
    changed_to_two(space)


def test_the_secret_leads_elsewhere(space, remote, cluster, tmp_path):
    """Another cluster, where a namespace of the same name is: nothing is written there or here."""
    before, token = deployed(space, remote), next(iter(remote.tokens))
    elsewhere = Remote(space, cluster, cluster, tmp_path / "elsewhere")
    elsewhere.make_place()
    space.extra.append(("namespace", remote.name))
    remote.put_secret(elsewhere.token(), cluster)
    remote.wait_account("Ready", "False", "TargetChanged")
    edit(space)
    space.apply("bar", "time | log", platform=remote.name)
    space.wait("bar", status="Unknown", reason="TargetChanged")
    assert not elsewhere.objects()
    assert remote.identities() == before
    remote.put_secret(token)
    remote.wait_account()
    changed_to_two(space)
    space.wait("bar", reason="Deployed")


# --- moving and removal ------------------------------------------------------------------------


def test_a_stream_moves_out_and_back(space, remote):
    """The old side is cleaned up, each way."""
    deployed(space, remote)
    space.patch("foo", platform=space.account)
    remote.wait_clean()
    space.wait("foo", reason="Deployed")
    assert len(space.deployments()) == 3
    space.patch("foo", platform=remote.name)
    wait_for(lambda: not space.deployments(), "nothing to be left here")
    space.wait("foo", reason="Deployed")
    assert len(remote.deployments()) == 3


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_stream_moves_while_the_old_side_is_away(space, operator, remote, door, killed):
    """It runs at the new place; the old one is told, remembered and cleaned up later."""
    deployed(space, remote)
    door.shut()
    remote.wait_account("Reachable", "False", "Unreachable")
    space.patch("foo", platform=space.account)
    wait_for(lambda: len(space.deployments()) == 3, "the apps at the new place")
    space.wait("foo", "CleanupBlocked", message=remote.name)
    if killed:
        operator.kill()
        operator.start()
        space.wait("foo", "CleanupBlocked", message=remote.name)
    assert len(remote.deployments()) == 3
    door.open()
    remote.wait_clean()
    obj = space.wait("foo", reason="Deployed")
    wait_for(lambda: condition(space.get("foo"), "CleanupBlocked") is None, "nothing to be blocked")
    assert len(space.deployments()) == 3, obj


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_deleted_while_the_other_cluster_is_away(space, kubectl, operator, remote, door, killed):
    """A stream and a launch wait with their finalizers, say so, and leave nothing behind."""
    deployed(space, remote)
    space.launch("t", "sleep", platform=remote.name)
    space.wait_phase("t", "Running")
    door.shut()
    kubectl.delete(STREAM, "foo", space.ns, wait=False)
    kubectl.delete(TASK, "t", space.ns, wait=False)
    wait_blocked(lambda: space.get("foo"), remote.name)
    wait_blocked(lambda: space.task("t"), remote.name)
    if killed:
        operator.kill()
        operator.start()
        time.sleep(2)
    assert space.get("foo") and space.task("t")
    door.open()
    wait_for(lambda: not space.get("foo") and not space.task("t"), "both to go")
    remote.wait_clean()


def test_an_account_in_use_is_deleted(space, kubectl, remote):
    """It stays until nothing needs it any more, and says who does."""
    before = deployed(space, remote)
    kubectl.delete(ACCOUNT, remote.name, wait=False)
    wait_blocked(remote.account, "%s/foo" % space.ns)
    assert remote.account()["metadata"]["finalizers"] == [FINALIZER]
    assert remote.identities() == before
    kubectl.delete(STREAM, "foo", space.ns)
    wait_for(lambda: remote.account() is None, "the account to go")
    remote.wait_clean()


def test_an_account_that_nobody_uses_goes_at_once(kubectl, remote, door):
    """Also while its cluster is away."""
    door.shut()
    remote.wait_account("Reachable", "False", "Unreachable")
    kubectl.delete(ACCOUNT, remote.name)
    door.open()


def test_the_secret_goes_before_the_stream(space, kubectl, remote):
    """Nothing can be cleaned up without it, and nothing is forgotten either."""
    deployed(space, remote)
    remote.delete_secret()
    remote.wait_account("Ready", "False", "SecretMissing")
    kubectl.delete(STREAM, "foo", space.ns, wait=False)
    kubectl.delete(ACCOUNT, remote.name, wait=False)
    wait_blocked(lambda: space.get("foo"), remote.name)
    assert len(remote.deployments()) == 3
    remote.put_secret(next(iter(remote.tokens)))
    wait_for(lambda: not space.get("foo") and not remote.account(), "both to go")
    remote.wait_clean()


def test_release_there(space, operator, direct, plane, tmp_path):
    """The plugin takes the finalizers of attempts off in a cluster that knows nothing of us."""
    space.launch("t", "sleep", platform=direct.name)
    direct.wait_running("t")
    job = space.task("t")["status"]["steps"][0]["resource"]["name"]
    operator.stop()
    said = Plugin(tmp_path)("release", "--kubeconfig", plane.kubeconfig, "-n", space.ns, "--yes")
    assert said == "Job %s/%s: released\n" % (direct.name, job)
    assert not direct.objects("jobs")["Job", job]["metadata"].get("finalizers")


# --- permissions -------------------------------------------------------------------------------

TESTS_OF_ALL = 20    # fewer of those above have not used every permission


def test_zz_the_permissions_are_those_of_deploy_remote(plane, request):
    """Of all the tests above: nothing more was asked for, and nothing is granted in vain."""
    there = [i for i in request.session.items if i.path == request.path]
    if len(there) < TESTS_OF_ALL:
        pytest.skip("only after the tests above")
    with open(plane.audit_log, encoding="utf-8") as f:
        # A request with a token that is refused has no user.
        users = {user for user in (json.loads(line)["user"].get("username", "") for line in f)
                 if re.fullmatch(r"system:serviceaccount:t\d+-\d+-gpu:penstock", user)}
    assert users
    seen = list(requested(plane.audit_log, users))
    check_nothing_was_forbidden(seen)
    used = {what for what, _, _ in seen}
    assert sorted(set(granted("remote.yaml")) - used) == []
