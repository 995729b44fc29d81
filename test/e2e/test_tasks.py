# SPDX-License-Identifier: Apache-2.0
"""Tasks run once: from `kubectl apply` of a TaskLaunch to its end, its retries, and what happens
when somebody interferes. Starts are counted by the Jobs that were ever created (see History)."""

import datetime
import json
import re
import time

import pytest
from support import (ACCOUNT, API_VERSION, BACKOFF, FINALIZER, JOB, ROOT, TASK, account, condition,
                     ended, holds, namespace, registry, task, uid, wait_for)
from test_plugin import STREAM_TABLE, TASK_TABLE, Plugin

ATTEMPT = "penstock.dev/attempt"


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def step(obj):
    assert len(obj["status"]["steps"]) == 1, obj["status"]
    return obj["status"]["steps"][0]


def pods(space, where=None):
    return [p for p in space.kubectl.list("pods", where or space.target)
            if not p["metadata"].get("deletionTimestamp")]


def container(job):
    return job["spec"]["template"]["spec"]["containers"][0]


def stays(predicate, duration=1.5):
    """Asserts that something remains so for a while, in which the operator could do wrong."""
    deadline = time.monotonic() + duration
    while time.monotonic() < deadline:
        assert predicate()
        time.sleep(0.2)


# --- the recipe ------------------------------------------------------------------------------


EXAMPLES = ROOT / "crds" / "examples"


@pytest.fixture
def examples(operator, kubectl, history):
    """The examples and no other account: the accounts that tests before this have left go."""
    kubectl("delete", ACCOUNT, "--all", "--timeout=60s")
    kubectl("apply", "-f", str(EXAMPLES))
    yield
    if not operator.running:
        operator.start()
    for name in ("30-stream-foo.yaml", "40-task-train.yaml", "10-accounts.yaml"):
        kubectl("delete", "-f", str(EXAMPLES / name), "--ignore-not-found", "--timeout=60s")


def test_the_recipe(examples, operator, kubectl, cluster, history, tmp_path):
    """A training task on highmemory, with nothing but kubectl; and both lists of platforms."""
    kubectl("wait", "--for=condition=Complete", "taskl/train", "-n", "cars", "--timeout=60s")
    launch = kubectl.get(TASK, "train", "cars")
    job, = history.started(uid(launch))
    assert job["metadata"]["namespace"] == "highmemory-namespace"
    pod, = [p for p in kubectl.list("pods", "highmemory-namespace")
            if p["metadata"]["labels"]["job-name"] == job["metadata"]["name"]]
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] in ("4096Mi", "4Gi")

    kubectl("wait", "--for=condition=Ready", "pacct", "--all", "--timeout=60s")
    server = "https://%s:%d/" % (cluster.host, cluster.port)
    places = {"default": "default", "kafkazone": "kafka-namespace",
              "highmemory": "highmemory-namespace"}
    text = "master url = [%s], namespace = [%s], api version = [v1]"
    told = {a["metadata"]["name"]: a["status"]["description"] for a in kubectl.list(ACCOUNT)}
    assert told == {name: text % (server, where) for name, where in places.items()}
    # The recipe's cluster has another address; the operator would say that one there.
    operator.stop()
    for name, text in told.items():
        kubectl("patch", ACCOUNT, name, "--subresource=status", "--type=merge", "-p", json.dumps(
            {"status": {"description": text.replace(server, "https://10.0.0.1:443/")}}))
    plugin = Plugin(tmp_path)
    for kind, table in (("stream", STREAM_TABLE), ("task", TASK_TABLE)):
        assert plugin(kind, "platform-list", "--kubeconfig", cluster.kubeconfig) == table


# --- how it ends -----------------------------------------------------------------------------


def test_complete(tasks, kubectl, history):
    kubectl.patch(ACCOUNT, tasks.account, {
        "spec": {"properties": {"limits": {"memory": "4096Mi"}}}})
    tasks.launch("train", "train --epochs=10", arguments=["--run.date=2026-11-21"],
                 properties={"app.train.lr": "0.1"})
    kubectl("wait", "--for=condition=Ready", "taskl/train", "-n", tasks.ns, "--timeout=60s")
    kubectl("wait", "--for=condition=Complete", "taskl/train", "-n", tasks.ns, "--timeout=60s")
    obj = tasks.wait_phase("train", "Complete")
    holds(obj, "Ready")
    assert condition(obj, "Stalled") is None and condition(obj, "Failed") is None
    status = obj["status"]
    assert (status["attempt"], status["exitCode"]) == (1, 0)
    assert seconds(status["completionTime"]) - seconds(status["startTime"]) in range(1, 60)

    job = history.wait_started(uid(obj), 1)[0]
    assert re.fullmatch(r"train-[0-9a-f]{8}-1", job["metadata"]["name"])
    assert ATTEMPT in job["metadata"]["finalizers"]
    assert job["metadata"]["namespace"] == tasks.target
    done = step(obj)
    assert {k: done[k] for k in ("name", "platform", "attempt", "state", "exitCode")} == {
        "name": "train", "platform": tasks.account, "attempt": 1, "state": "Complete",
        "exitCode": 0}
    assert done["resource"] == {"kind": "Job", "namespace": tasks.target,
                                "name": job["metadata"]["name"], "uid": uid(job)}
    spec = job["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"],
            spec["podReplacementPolicy"]) == (0, 1, 1, "Failed")
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    one = container(job)
    assert one["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert one["image"] == "springcloudtask/train:1.0.0"
    assert one["resources"]["limits"]["memory"] in ("4096Mi", "4Gi")
    for arg in ("--epochs=10", "--lr=0.1", "--run.date=2026-11-21",
                "--spring.cloud.task.name=train"):
        assert arg in one["args"], one["args"]
    wait_for(lambda: "finalizers" not in tasks.jobs()[job["metadata"]["name"]]["metadata"],
             "the Job to be let go, now that its end is on record")


@pytest.mark.parametrize("definition, code, words", [
    ("seven", 7, "boom 7"), ("oom", 137, "OOMKilled")])
def test_failed(tasks, kubectl, history, definition, code, words):
    tasks.launch("t", definition)
    kubectl("wait", "--for=condition=Failed", "taskl/t", "-n", tasks.ns, "--timeout=60s")
    obj = tasks.wait_phase("t", "Failed", "AttemptFailed", words)
    assert obj["status"]["exitCode"] == code == step(obj)["exitCode"]
    assert words in obj["status"]["message"] and str(code) in obj["status"]["message"]
    assert step(obj)["state"] == "Failed"
    holds(obj, "Stalled")
    stays(lambda: len(history.started(uid(obj))) == 1)


def test_columns_for_people(tasks, kubectl):
    tasks.launch("t", "seven")
    tasks.wait_phase("t", "Failed")
    head, line = kubectl("get", "taskl", "-n", tasks.ns).splitlines()
    shown = dict(zip(head.split(), line.split(), strict=True))
    assert shown.pop("AGE") and shown.pop("READY") in ("True", "False")
    assert shown == {"NAME": "t", "PHASE": "Failed", "PLATFORM": tasks.account, "ATTEMPT": "1",
                     "EXIT": "7", "REASON": "AttemptFailed"}


# --- retry -----------------------------------------------------------------------------------


def test_retried_with_backoff_then_complete(tasks, history):
    tasks.launch("t", "once", retry={"limit": 3, "backoff": {**BACKOFF, "initial": "3s"}})
    obj = tasks.wait_phase("t", "Waiting", "Backoff", "boom 3")
    assert obj["status"]["attempt"] == 1 and step(obj)["exitCode"] == 3
    obj = tasks.wait_phase("t", "Complete")
    assert (obj["status"]["attempt"], obj["status"]["exitCode"]) == (2, 0)
    first, second = history.started(uid(obj))
    assert [j["metadata"]["name"].rsplit("-", 1)[1] for j in (first, second)] == ["1", "2"]
    failed = next(j for kind, j in history.frames() if uid(j) == uid(first) and ended(j))
    waited = seconds(second["metadata"]["creationTimestamp"]) - seconds(
        condition(failed, "Failed")["lastTransitionTime"])
    assert 2 <= waited, "it waited %d s; times are in whole seconds" % waited


def test_retries_are_used_up(tasks, history):
    tasks.launch("t", "seven", retry={"limit": 1, "backoff": BACKOFF})
    obj = tasks.wait_phase("t", "Failed", "AttemptFailed", "boom 7")
    assert (obj["status"]["attempt"], obj["status"]["exitCode"]) == (2, 7)
    holds(obj, "Stalled")
    running = most = 0             # attempts never overlap
    unfinished = set()
    for kind, job in history.frames():
        if job["metadata"]["namespace"] == tasks.target:
            (unfinished.discard if ended(job) or kind == "DELETED" else unfinished.add)(uid(job))
            running = len(unfinished)
            most = max(most, running)
    assert (most, running) == (1, 0)
    stays(lambda: len(history.started(uid(obj))) == 2)
    tasks.patch_task("t", retry={"limit": 2, "backoff": BACKOFF})
    stays(lambda: len(history.started(uid(obj))) == 2)     # what has ended has ended


def test_no_retry_on_exit_codes_that_say_so(tasks, history):
    tasks.launch("t", "usage", retry={"limit": 3, "backoff": BACKOFF, "notOnExitCodes": [64]})
    obj = tasks.wait_phase("t", "Failed", message="boom 64")
    assert (obj["status"]["attempt"], obj["status"]["exitCode"]) == (1, 64)
    stays(lambda: len(history.started(uid(obj))) == 1, 2.5)


# --- suspend, deadlines, the end of the story -------------------------------------------------


def test_suspend_stops_and_goes_on_uncounted(tasks, history):
    tasks.launch("t", "sleep")
    obj = tasks.wait_running("t")
    tasks.patch_task("t", suspend=True)
    obj = tasks.wait_phase("t", "Stopped", "Suspended")
    assert step(obj)["state"] == "Stopped"
    wait_for(lambda: not pods(tasks), "the pod to be gone")
    tasks.patch_task("t", suspend=False)
    obj = tasks.wait_running("t")
    assert obj["status"]["attempt"] == 2 and not obj["status"].get("retries")
    assert len(history.started(uid(obj))) == 2
    assert len(pods(tasks)) == 1


def test_suspended_from_the_start(tasks, history):
    obj = tasks.launch("t", suspend=True)
    tasks.wait_phase("t", "Stopped", "Suspended")
    stays(lambda: not history.started(uid(obj)))
    tasks.patch_task("t", suspend=False)
    obj = tasks.wait_phase("t", "Complete")
    assert obj["status"]["attempt"] == 1 and len(history.started(uid(obj))) == 1


def test_not_started_after_its_time(tasks, operator, history):
    obj = tasks.launch("t", notAfter="2026-01-01T00:00:00Z")
    tasks.wait_phase("t", "Stopped", "Expired", "notAfter")
    operator.stop()
    operator.start()
    stays(lambda: not history.started(uid(obj)))
    tasks.wait_phase("t", "Stopped", "Expired")


def test_deadline_of_the_launch(tasks, history):
    tasks.launch("t", "sleep", activeDeadlineSeconds=3, retry={"limit": 5, "backoff": BACKOFF})
    obj = tasks.wait_phase("t", "Failed", "DeadlineExceeded")
    holds(obj, "Stalled")
    wait_for(lambda: not pods(tasks), "the pod to be gone")
    stays(lambda: len(history.started(uid(obj))) == 1, 2.5)


def test_gone_after_its_ttl(tasks, history):
    obj = tasks.launch("t", "zero", ttlSecondsAfterFinished=2)
    tasks.wait_phase("t", "Complete")
    wait_for(lambda: tasks.task("t") is None, "the launch to go")
    tasks.wait_clean(tasks.target)
    assert len(history.started(uid(obj))) == 1


# --- what can't run, or not yet ---------------------------------------------------------------


@pytest.mark.parametrize("definition, reason, words", [
    ("train && seven", "NotSupportedYet", "composed"),
    ("<train || seven>", "NotSupportedYet", "composed"),
    ("train --epochs", "DSLSyntaxError", "^"),
    ("train &", "DSLSyntaxError", "150E:(pos 6)")])
def test_definition_that_cannot_run(tasks, history, definition, reason, words):
    obj = tasks.launch("t", definition)
    tasks.wait_phase("t", "Failed", reason, words)
    holds(tasks.task("t"), "Stalled")
    stays(lambda: not history.started(uid(obj)), 0.5)


def test_account_that_comes_later(tasks, kubectl, history):
    name = tasks.ns + "-later"
    obj = tasks.launch("t", platform=name)
    tasks.wait_phase("t", "Pending", "PlatformNotFound", name)
    kubectl.apply(account(name, tasks.target))
    tasks.extra.append((ACCOUNT, name))
    tasks.wait_phase("t", "Complete")
    assert len(history.started(uid(obj))) == 1


def test_app_that_is_registered_later(tasks, kubectl):
    tasks.launch("t", "late")
    tasks.wait_phase("t", "Pending", "AppNotRegistered", "late")
    kubectl.apply(registry(tasks.ns, "more", ["task.late=docker:example/late:1"]))
    tasks.wait_phase("t", "Complete")


def test_account_that_is_for_streams_only(tasks, kubectl, history):
    kubectl.patch(ACCOUNT, tasks.account, {"spec": {"usage": ["Stream"]}})
    obj = tasks.launch("t")
    tasks.wait_phase("t", "Pending", "UsageNotAllowed", tasks.account)
    assert not history.started(uid(obj))
    kubectl.patch(ACCOUNT, tasks.account, {"spec": {"usage": ["Stream", "Task"]}})
    tasks.wait_phase("t", "Complete")


def test_image_that_cannot_be_pulled(tasks):
    tasks.launch("t", "missing")

    def told():
        obj = tasks.task("t")
        ready = condition(obj, "Ready")
        assert ready and ready["reason"] == "ImagePullBackOff", obj.get("status")
        assert "no-such-image" in ready["message"], ready
        return obj
    obj = wait_for(told, "the status to say why nothing runs")
    assert obj["status"]["phase"] in ("Pending", "Running")
    tasks.patch_task("t", suspend=True)
    tasks.wait_phase("t", "Stopped", "Suspended")


# --- once -------------------------------------------------------------------------------------


def test_the_same_manifest_again_runs_nothing(tasks, kubectl, history):
    obj = tasks.launch("t", "zero")
    tasks.wait_phase("t", "Complete")
    assert "unchanged" in kubectl.apply(task("t", tasks.ns, "zero", platform=tasks.account))
    kubectl("annotate", "taskl", "t", "-n", tasks.ns, "somebody=looked")
    stays(lambda: len(history.started(uid(obj))) == 1)
    tasks.wait_phase("t", "Complete")


def test_one_name_in_two_namespaces(tasks, kubectl, history):
    other = tasks.ns + "-other"
    kubectl.apply(namespace(other), registry(other, lines=["task.train=docker:example/train:1"]))
    tasks.extra.append(("namespace", other))
    both = [task("t", where, platform=tasks.account) for where in (tasks.ns, other)]
    kubectl.apply(*both)
    for where in (tasks.ns, other):
        kubectl("wait", "--for=condition=Complete", "taskl/t", "-n", where, "--timeout=60s")
        assert len(history.started(uid(kubectl.get(TASK, "t", where)))) == 1
    assert len(tasks.jobs()) == 2
    kubectl.delete(TASK, "t", other)
    assert len(tasks.jobs()) == 1


def test_deleted_and_made_again(tasks, kubectl, history):
    first = tasks.launch("t", "sleep")
    tasks.wait_running("t")
    kubectl.delete(TASK, "t", tasks.ns)
    second = tasks.launch("t", "train")
    assert uid(first) != uid(second)
    tasks.wait_phase("t", "Complete")
    old, = history.started(uid(first))
    new, = history.started(uid(second))
    order = [(kind, uid(job)) for kind, job in history.frames()]
    assert order.index(("DELETED", uid(old))) < order.index(("ADDED", uid(new)))
    wait_for(lambda: list(tasks.jobs()) == [new["metadata"]["name"]], "the old Job to be gone")
    assert len(pods(tasks)) == 1


def test_long_names_do_not_collide(tasks, history):
    names = ["a-launch-whose-name-is-longer-than-a-job-may-take-%s" % c for c in "xy"]
    made = [tasks.launch(name, "zero") for name in names]
    for name, obj in zip(names, made, strict=True):
        tasks.wait_phase(name, "Complete")
        job, = history.started(uid(obj))
        assert len(job["metadata"]["name"]) <= 63


# --- others interfere -------------------------------------------------------------------------


def delete_job(space, obj, force=False):
    """Deletes the Job of the running attempt as somebody would; with force, also its finalizer."""
    where = step(obj)["resource"]
    space.kubectl.delete(JOB, where["name"], where["namespace"], wait=False)
    if force:                      # the operator may have been quicker
        space.kubectl("patch", JOB, where["name"], "-n", where["namespace"], "--type=merge", "-p",
                      json.dumps({"metadata": {"finalizers": None}}), check=False)


@pytest.mark.parametrize("force", [False, True], ids=["held", "forced"])
@pytest.mark.parametrize("down", [False, True], ids=["seen", "unseen"])
def test_job_deleted_by_hand(tasks, operator, history, down, force):
    tasks.launch("t", "sleep", retry={"limit": 3, "backoff": BACKOFF})
    obj = tasks.wait_running("t")
    if down:
        operator.kill()
    delete_job(tasks, obj, force)
    if down:
        operator.start()
    obj = tasks.wait_phase("t", "Unknown")
    assert step(obj)["state"] == "Unknown"
    wait_for(lambda: not tasks.jobs() and not pods(tasks), "the Job and its pod to go")
    stays(lambda: len(history.started(uid(obj))) == 1, 2.5)
    tasks.wait_phase("t", "Unknown")


def test_run_again_after_unknown_if_asked(tasks, history):
    tasks.launch("t", "sleep", retry={"limit": 1, "backoff": BACKOFF, "onUnknown": True})
    obj = tasks.wait_running("t")
    delete_job(tasks, obj)
    history.wait_started(uid(obj), 2)
    wait_for(lambda: tasks.wait_running("t")["status"]["attempt"] == 2, "the second attempt")


def test_a_deleted_job_that_ends_first_is_told(tasks, history):
    """The Job stays until its end is known; its pod is not killed by that."""
    tasks.launch("t", "train")
    obj = tasks.wait_running("t")
    delete_job(tasks, obj)
    phase = wait_for(lambda: tasks.task("t")["status"]["phase"] in ("Complete", "Unknown")
                     and tasks.task("t")["status"]["phase"], "an end")
    assert phase in ("Complete", "Unknown")
    stays(lambda: len(history.started(uid(obj))) == 1)
    wait_for(lambda: not tasks.jobs(), "the Job to go")


def test_a_job_of_somebody_else_under_our_name_is_left_alone(tasks, kubectl, history):
    """The name is known before: the launch of that uid can be suspended first."""
    obj = tasks.launch("t", "sleep")
    job = step(tasks.wait_running("t"))["resource"]["name"]
    tasks.patch_task("t", suspend=True)
    tasks.wait_phase("t", "Stopped")
    kubectl.apply({"apiVersion": "batch/v1", "kind": "Job",
                   "metadata": {"name": job[:-1] + "2", "namespace": tasks.target},
                   "spec": {"suspend": True, "template": {"spec": {
                       "restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}}})
    theirs = kubectl.get(JOB, job[:-1] + "2", tasks.target)
    tasks.patch_task("t", suspend=False)
    tasks.wait_phase("t", "Pending", "NameConflict", job[:-1] + "2")
    assert kubectl.get(JOB, job[:-1] + "2", tasks.target)["metadata"]["generation"] == (
        theirs["metadata"]["generation"])
    kubectl.delete(JOB, job[:-1] + "2", tasks.target)
    kubectl("annotate", "taskl", "t", "-n", tasks.ns, "look=again")    # or half a minute later
    again = tasks.wait_running("t")
    assert again["status"]["attempt"] == 2
    assert len(history.started(uid(obj))) == 2


def test_operator_killed_while_it_runs(tasks, operator, history):
    tasks.launch("t", "sleep")
    obj = tasks.wait_running("t")
    operator.kill()
    operator.start()
    stays(lambda: len(history.started(uid(obj))) == 1)
    again = tasks.wait_phase("t", "Running")
    assert step(again)["resource"] == step(obj)["resource"]
    tasks.patch_task("t", suspend=True)
    tasks.wait_phase("t", "Stopped")


def test_it_ends_while_the_operator_is_down(tasks, operator, history):
    tasks.launch("good", "train")
    tasks.launch("bad", "seven")
    for name in ("good", "bad"):
        tasks.wait_phase(name, "Running")
    operator.kill()
    wait_for(lambda: all(map(ended, tasks.jobs().values())), "both Jobs to end")
    operator.start()
    tasks.wait_phase("good", "Complete")
    obj = tasks.wait_phase("bad", "Failed", "AttemptFailed", "boom 7")
    assert obj["status"]["exitCode"] == 7
    assert len(history.started(uid(obj))) == 1


# --- what is left -----------------------------------------------------------------------------


def test_beside_the_launch_it_is_collected_with_it(tasks, kubectl):
    """An account without namespace: the Job is beside the launch, which needs no finalizer."""
    name = tasks.ns + "-here"
    kubectl.apply(account(name))
    tasks.extra.append((ACCOUNT, name))
    tasks.launch("t", "sleep", platform=name)
    obj = tasks.wait_running("t")
    assert FINALIZER not in obj["metadata"].get("finalizers", [])
    job, = tasks.jobs(tasks.ns).values()
    owner, = job["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["uid"], owner["controller"]) == (
        API_VERSION, "TaskLaunch", uid(obj), True)
    kubectl.delete(TASK, "t", tasks.ns)
    tasks.wait_clean(tasks.ns)


@pytest.mark.parametrize("definition, phase", [("sleep", "Running"), ("zero", "Complete"),
                                               ("late", "Pending")])
def test_nothing_is_left_in_another_namespace(tasks, kubectl, definition, phase):
    tasks.launch("t", definition)
    obj = tasks.wait_phase("t", phase)
    assert (FINALIZER in obj["metadata"].get("finalizers", [])) == (phase != "Pending")
    kubectl.delete(TASK, "t", tasks.ns)
    tasks.wait_clean()


def test_deleted_while_the_operator_is_down(tasks, operator, kubectl, history):
    tasks.launch("t", "sleep")
    obj = tasks.wait_running("t")
    operator.kill()
    kubectl.delete(TASK, "t", tasks.ns, wait=False)
    operator.start()
    wait_for(lambda: tasks.task("t") is None, "the launch to go")
    tasks.wait_clean()
    assert len(history.started(uid(obj))) == 1


# --- events -----------------------------------------------------------------------------------


def test_events_tell_the_story(tasks, kubectl):
    obj = tasks.launch("t", "once", retry={"limit": 1, "backoff": BACKOFF})
    tasks.wait_phase("t", "Complete")

    def told():
        events = [e for e in kubectl.list("events.events.k8s.io", tasks.ns)
                  if e["regarding"].get("uid") == uid(obj)]
        story = ["%s %s %s" % (e["type"], e["reason"], e["note"]) for e in sorted(
            events, key=lambda e: int(e["metadata"]["resourceVersion"]))]
        text = "\n".join(story)
        assert re.search(r"^Warning .*boom 3", text, re.M), text
        assert re.search(r"^Normal .*-1\b", text, re.M), "no start of the first: " + text
        assert re.search(r"^Normal .*-2\b", text, re.M), "no start of the second: " + text
        assert re.search(r"^Normal Complete", text, re.M), text
        assert len(story) <= 8, "too long a story:\n" + text
        return True
    wait_for(told, "the events")
