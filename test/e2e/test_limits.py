# SPDX-License-Identifier: Apache-2.0
"""maxConcurrentTasks: never more at once, whatever happens, the oldest first, and nobody starves.
What ran at once is read off the history of all Jobs."""

import time

import pytest
from support import (ACCOUNT, BACKOFF, TASK, condition, ended, namespace, registry, task, uid,
                     wait_for)

LIMIT = 5
LAUNCHES = 30
BATCH = 5


def limit(space, number):
    space.kubectl.patch(ACCOUNT, space.account, {"spec": {"maxConcurrentTasks": number}})


def occupied(job):
    """Does this state of a Job count? Until it has ended or was stopped with all its pods gone."""
    status = job.get("status", {})
    stopped = (condition(job, "Suspended") or {}).get("status") == "True" and not (
        status.get("active") or status.get("terminating"))
    return not ended(job) and not stopped


def most_at_once(history, uids):
    most, now = 0, set()
    for kind, job in history.frames():
        if job["metadata"].get("labels", {}).get("penstock.dev/owner-uid") in uids:
            (now.add if kind != "DELETED" and occupied(job) else now.discard)(uid(job))
            most = max(most, len(now))
    return most


@pytest.mark.parametrize("killed", [False, True], ids=["quiet", "killed"])
def test_thirty_launches_of_two_namespaces(tasks, kubectl, operator, history, killed):
    other = tasks.ns + "-other"
    kubectl.apply(namespace(other), registry(other, lines=["task.zero=docker:example/exit-0:1"]))
    tasks.extra.append(("namespace", other))
    limit(tasks, 0)         # nobody starts before all are there, however slow the machine is
    for first in range(0, LAUNCHES, BATCH):     # creation times are whole seconds
        kubectl.apply(*[task("n%02d" % i, other if i % 2 else tasks.ns, "zero",
                             platform=tasks.account) for i in range(first, first + BATCH)])
        time.sleep(1.05)

    def launches():
        return [t for where in (tasks.ns, other) for t in kubectl.list(TASK, where)]

    def phases():
        return [t.get("status", {}).get("phase") for t in launches()]
    wait_for(lambda: phases() == ["Waiting"] * LAUNCHES, "all to wait")
    waiting = next(t for t in launches() if t["status"]["phase"] == "Waiting")
    assert condition(waiting, "Ready")["reason"] == "ConcurrencyLimit"
    limit(tasks, LIMIT)
    if killed:
        wait_for(lambda: phases().count("Complete") >= LAUNCHES // 3, "a third of them", 120)
        operator.kill()
        operator.start()
    else:
        wait_for(lambda: kubectl.get(ACCOUNT, tasks.account)["status"].get("tasks", {}).get(
            "running", 0) in range(1, LIMIT + 1), "the account to count")
    wait_for(lambda: phases() == ["Complete"] * LAUNCHES, "all to be complete", 180)

    made = {uid(t): t for t in launches()}
    starts = [made[j["metadata"]["labels"]["penstock.dev/owner-uid"]] for j in history.started()
              if j["metadata"]["labels"].get("penstock.dev/owner-uid") in made]
    assert sorted(map(uid, starts)) == sorted(made), "each started once"
    assert 1 < most_at_once(history, made) <= LIMIT
    # Slots that come free together are filled together: within those the order may be another.
    for place, one in enumerate(starts):
        overtaken = [t["metadata"]["name"] for t in starts[place + 1:]
                     if t["metadata"]["creationTimestamp"] < one["metadata"]["creationTimestamp"]]
        assert len(overtaken) < LIMIT, "%s was started before %s" % (
            one["metadata"]["name"], overtaken)
    wait_for(lambda: kubectl.get(ACCOUNT, tasks.account)["status"].get("tasks") == {
        "running": 0, "waiting": 0}, "the account to have counted")


def test_a_higher_limit_takes_effect(tasks, history):
    limit(tasks, 1)
    names = ["a", "b", "c"]
    for name in names:
        tasks.launch(name, "sleep")
        time.sleep(1.05)
    tasks.wait_running("a")
    for name in names[1:]:
        tasks.wait_phase(name, "Waiting", "ConcurrencyLimit", "1")
    limit(tasks, 2)
    tasks.wait_running("b")
    tasks.wait_phase("c", "Waiting", "ConcurrencyLimit", "2")
    limit(tasks, 0)                             # stops nothing that runs
    tasks.kubectl.delete(TASK, "a", tasks.ns)
    time.sleep(1.5)
    assert len(history.started(uid(tasks.task("c")))) == 0
    assert tasks.task("b")["status"]["phase"] == "Running"
    limit(tasks, 1)
    tasks.kubectl.delete(TASK, "b", tasks.ns)
    tasks.wait_running("c")


def test_what_does_not_run_holds_no_slot(tasks, history):
    """Older ones that are refused, suspended, expired or wait for their next attempt."""
    limit(tasks, 1)
    tasks.launch("refused", "train && train")
    tasks.launch("suspended", suspend=True)
    tasks.launch("expired", notAfter="2026-01-01T00:00:00Z")
    tasks.launch("unknown", "nosuchapp")
    tasks.launch("retried", "seven", retry={"limit": 1, "backoff": {**BACKOFF, "initial": "10m"}})
    tasks.wait_phase("retried", "Waiting", "Backoff")
    tasks.launch("good", "zero")
    obj = tasks.wait_phase("good", "Complete")
    assert len(history.started(uid(obj))) == 1


def test_a_stopped_task_frees_its_slot(tasks, history):
    limit(tasks, 1)
    first = tasks.launch("a", "sleep")
    tasks.wait_running("a")
    second = tasks.launch("b", "sleep")
    tasks.wait_phase("b", "Waiting", "ConcurrencyLimit")
    tasks.patch_task("a", suspend=True)
    tasks.wait_running("b")
    tasks.patch_task("a", suspend=False)
    tasks.wait_phase("a", "Waiting", "ConcurrencyLimit")
    assert most_at_once(history, {uid(first), uid(second)}) == 1
