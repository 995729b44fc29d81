# SPDX-License-Identifier: Apache-2.0
"""Status tells the truth: what is wrong, where, and what was expected; other streams go on, and
mending the input heals it without a restart."""

import pytest
from support import (ACCOUNT, STREAM, account, app_status, condition, holds, registry, stream,
                     wait_for)

HUGE = "100000"     # more CPUs than any node has


@pytest.fixture(autouse=True)
def never_restarted(operator):
    """What is mended heals without a restart of the operator."""
    before = operator.process.pid
    yield
    assert operator.process and operator.process.pid == before


# --- pods that do not start ------------------------------------------------------------------


def heal(space, app, image):
    space.patch("s", apps=[{"name": app, "image": image}])
    obj = space.wait("s")
    assert obj["status"]["phase"] == "deployed"
    assert not app_status(obj, app).get("message")


def test_image_that_is_not_there(space):
    space.apply("s", "time | log", apps=[{"name": "log", "image": "r.example/no-such-image:1"}])
    obj = space.wait_app("s", "log", "ImagePullBackOff", "r.example/no-such-image:1")
    assert app_status(obj, "log")["state"] in ("deploying", "failed")
    wait_for(lambda: app_status(space.get("s"), "time")["state"] == "deployed", "time to run")
    obj = space.get("s")
    assert "log" in holds(obj, "Ready", "False")["message"]
    assert obj["status"]["phase"] in ("deploying", "partial", "failed")
    heal(space, "log", "r.example/log:1")


def test_app_that_ends_with_an_error(space):
    space.apply("s", "time | log", apps=[{"name": "log", "image": "r.example/crash-me:1"}])
    obj = space.wait_app("s", "log", "CrashLoopBackOff", "exit code 3")
    assert app_status(obj, "log")["state"] == "failed"
    assert "log" in holds(space.wait("s", "Ready", "False"), "Ready", "False")["message"]
    heal(space, "log", "r.example/log:1")


def test_app_that_fits_on_no_node(space):
    space.apply("s", "time | log", apps=[{"name": "log", "resources": {"requests": {"cpu": HUGE}}}])
    space.wait_app("s", "log", "Insufficient cpu")
    holds(space.get("s"), "Ready", "False")
    space.patch("s", apps=None)
    space.wait("s")


def test_quota(space, kubectl):
    kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota",
                   "metadata": {"name": "one", "namespace": space.target},
                   "spec": {"hard": {"pods": "1"}}})
    wait_for(lambda: kubectl.get("resourcequota", "one", space.target).get("status", {}).get(
        "hard"), "the quota to be in force")
    space.apply("s", "time | log", properties={"deployer.time.count": 1, "deployer.log.count": 2})

    def told():
        obj = space.get("s")
        assert any("exceeded quota: one" in a.get("message", "") for a in obj["status"]["apps"])
        return holds(obj, "Ready", "False")
    wait_for(told, "the quota to be named")
    kubectl.delete("resourcequota", "one", space.target)
    # The ReplicaSet controller waits ever longer between its attempts; a new template is tried now.
    space.patch("s", properties={"deployer.time.count": 1, "deployer.log.count": 2,
                                 "app.*.x": "y"})
    space.wait("s")


# --- input that cannot be deployed -----------------------------------------------------------


def refused(space, reason, *texts):
    """Waits for Accepted=False with the reason and all the texts; nothing may run for it."""
    obj = space.wait("s", "Accepted", "False", reason)
    message = condition(obj, "Accepted")["message"]
    assert all(t in message for t in texts), message
    holds(obj, "Ready", "False")
    return message


def test_platform_that_is_not_there(space, kubectl):
    name = space.ns + "-later"
    space.apply("s", "time | log", platform=name)
    refused(space, "PlatformNotFound", name)
    assert not space.leftovers()
    kubectl.apply(account(name, space.target))
    space.extra.append((ACCOUNT, name))
    space.wait("s")


def test_app_that_is_not_registered(space, kubectl):
    space.apply("s", "time | predicct | log")
    refused(space, "AppNotRegistered", "predicct", "predict")
    assert not space.leftovers()
    kubectl.apply(registry(space.ns, "more", ["processor.predicct=docker:example/predicct:1"]))
    space.wait("s")
    assert app_status(space.get("s"), "predicct")["image"] == "example/predicct:1"


def test_registry_that_comes_later(space, kubectl):
    kubectl.delete("configmap", "apps", space.ns)
    space.apply("s", "time | log")
    refused(space, "AppNotRegistered", "time")
    kubectl.apply(registry(space.ns))
    space.wait("s")


@pytest.mark.parametrize("definition, code, position, caret", [
    ("time || | log", "118E", 8, "        ^"),
    ("time --x | log", "111E", 9, None),
    ("time | log --x='a", "107E", 15, "               ^"),
    ("time | log | time", "143E", None, None),
    ("time $ log", "115E", 5, None),
], ids=["app missing", "no value", "open quote", "label twice", "character"])
def test_error_in_the_definition(space, definition, code, position, caret):
    space.apply("s", definition)
    message = refused(space, "DSLSyntaxError", code, "^")
    if position is not None:
        assert "%s:(pos %d)" % (code, position) in message, message
    if caret:
        assert message.splitlines()[-1].replace("*", " ") == caret, message
    assert definition in message
    assert not space.leftovers()
    space.patch("s", definition="time | log")
    space.wait("s")


def test_an_error_leaves_what_runs_alone(space):
    space.apply("s", "time | log")
    space.wait("s")
    before = space.deployments()
    space.patch("s", definition="time | | log")
    refused(space, "DSLSyntaxError")
    assert {n: d["metadata"]["generation"] for n, d in space.deployments().items()} == {
        n: d["metadata"]["generation"] for n, d in before.items()}
    assert all(d["status"]["readyReplicas"] == 1 for d in space.deployments().values())
    space.patch("s", definition="time | log")
    obj = space.wait("s")
    holds(obj, "Accepted")
    assert [r["revision"] for r in space.revisions()] == [1]


def test_an_event_that_comes_again_is_counted(space, kubectl):
    space.apply("s", "time | | log")
    refused(space, "DSLSyntaxError")
    space.patch("s", definition="time | log")
    space.wait("s")
    space.patch("s", definition="time | | log")
    refused(space, "DSLSyntaxError")

    def counted():
        one, = [e for e in kubectl.list("events.events.k8s.io", space.ns)
                if e["reason"] == "DSLSyntaxError"]
        series = one.get("series") or {}
        assert series.get("count") == 2 and series["lastObservedTime"] > one["eventTime"], one
        return True
    wait_for(counted, "one event that was seen twice")


def test_name_that_is_too_long(space):
    space.apply("s", "averylongnameforanapplication: time | log",
                streamName="a-stream-whose-name-alone-takes-fifty-two-characters")
    message = refused(space, "NameTooLong", "63")
    assert "averylongnameforanapplication" in message
    assert not space.leftovers()
    space.patch("s", definition="time | log")
    space.wait("s")


def test_key_that_is_not_known(space, kubectl):
    key = "deployer.log.kubernetes.nonsense"
    space.apply("s", "time | log", properties={key: "x"})
    obj = space.wait("s")                       # it is deployed all the same

    def told():
        return any(key in c["message"] for c in space.get("s")["status"]["conditions"])
    wait_for(told, "a condition that names the key")

    def event():
        return [e for e in kubectl.list("events.events.k8s.io", space.ns)
                if e["regarding"]["uid"] == obj["metadata"]["uid"]
                and e["type"] == "Warning" and key in e["note"]]
    seen = wait_for(event, "a Warning event that names the key")
    assert len(seen) == 1
    assert seen[0]["reportingController"] and seen[0]["reason"]
    space.patch("s", properties=None)
    wait_for(lambda: not told(), "the key to be named no more")


@pytest.mark.parametrize("key, value, expected", [
    ("deployer.log.count", "three", "three"),
    ("deployer.log.memory", "lots", "lots"),
    ("deployer.log.kubernetes.imagePullPolicy", "Sometimes", "Sometimes"),
    ("nosuchprefix.log.x", "y", "nosuchprefix.log.x"),
    ("app.nosuchapp.x", "y", "nosuchapp"),
])
def test_value_that_makes_no_sense(space, key, value, expected):
    """Refused, or deployed without it; but never in silence."""
    space.apply("s", "time | log", properties={key: value})

    def told():
        obj = space.get("s")
        said = [c["message"] for c in obj.get("status", {}).get("conditions", [])]
        assert any(key in m or expected in m for m in said), said
        return holds(obj, "Accepted", condition(obj, "Accepted")["status"])
    wait_for(told, "a condition that names %s" % key)
    space.patch("s", properties=None)
    obj = space.wait("s")
    assert not any(key in c["message"] for c in obj["status"]["conditions"])


def test_a_secret_is_not_shown(space, operator):
    space.apply("s", "time | log --db.password=geheim1", properties={
        "app.time.api.token": "geheim2"})
    obj = space.wait("s")
    assert "geheim" not in str(obj["status"])
    assert "--db.password=geheim1" in space.deployments()["s-log-v1"]["spec"]["template"]["spec"][
        "containers"][0]["args"]
    assert "geheim" not in operator.log_text()


# --- accounts --------------------------------------------------------------------------------


def test_account_that_is_ready(space, kubectl):
    kubectl("wait", "--for=condition=Ready", "pacct/" + space.account, "--timeout=60s")
    obj = kubectl.get(ACCOUNT, space.account)
    status = obj["status"]
    namespace = kubectl.get("namespace", space.target)
    assert status["target"]["uid"] == namespace["metadata"]["uid"]
    assert status["target"]["version"]
    assert "namespace = [%s]" % space.target in status["description"]
    assert "master url = [https://" in status["description"]
    for name in ("a", "b"):
        space.apply(name, "time | log")
        space.wait(name)
    wait_for(lambda: kubectl.get(ACCOUNT, space.account)["status"].get("streams") == 2,
             "the account to count its streams")


def test_account_whose_namespace_is_not_there(space, kubectl):
    name, target = space.ns + "-x", space.ns + "-later"
    kubectl.apply(account(name, target))
    space.extra += [(ACCOUNT, name), ("namespace", target)]
    wait_for(lambda: holds(kubectl.get(ACCOUNT, name), "Ready", "False", message=target),
             "the account to say what is missing")
    space.apply("s", "time | log", platform=name)
    holds(space.wait("s", "Ready", "False"), "Ready", "False", message=target)
    kubectl("create", "namespace", target)
    wait_for(lambda: holds(kubectl.get(ACCOUNT, name), "Ready"), "the account to be ready")
    space.wait("s")


def test_account_with_a_setting_that_makes_no_sense(space, kubectl):
    name = space.ns + "-x"
    kubectl.apply(account(name, space.target, properties={"limits": {"memory": "lots"}}))
    space.extra.append((ACCOUNT, name))
    c = wait_for(lambda: holds(kubectl.get(ACCOUNT, name), "Ready", "False"), "Ready=False")
    assert "memory" in c["message"] and "lots" in c["message"]
    kubectl.patch(ACCOUNT, name, {"spec": {"properties": {"limits": {"memory": "1Gi"}}}})
    wait_for(lambda: holds(kubectl.get(ACCOUNT, name), "Ready"), "the account to be ready")


# --- one bad apple ---------------------------------------------------------------------------


def test_bad_streams_do_not_delay_good_ones(space, kubectl):
    bad = [stream("bad%d" % i, space.ns, text, platform=space.account) for i, text in enumerate(
        ["time |", "| | |", "x" * 60000, "nosuch | log", "'" * 1000, "time --a=\u0001 | log",
         "\u00fc | log", "time " + "--a=b " * 2000 + "| log"])]
    good = stream("good", space.ns, "time | log", platform=space.account)
    kubectl.apply(*bad, good)
    space.wait("good")
    wait_for(lambda: all(condition(s, "Ready") for s in kubectl.list(STREAM, space.ns)),
             "each to have a status")
