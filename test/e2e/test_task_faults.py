# SPDX-License-Identifier: Apache-2.0
"""Launches behind test/faults/turnstile.py: whatever is killed, lost or late, each attempt starts
once. test/faults/judge.py decides, from the API server's history."""

import itertools
import os
import sys

import pytest
from support import (ACCOUNT, BACKOFF, JOB, ROOT, TASK, TASK_APPS, account, registry, task, uid,
                     wait_for)

sys.path.insert(0, str(ROOT / "test" / "faults"))
import cuts  # noqa: E402
import judge  # noqa: E402

# How a launch goes: its spec, and how many attempts that makes.
WELL = ({"definition": "zero"}, 1)
RETRIED = ({"definition": "once", "retry": {"limit": 2, "backoff": BACKOFF}}, 2)
LONG = ({"definition": "sleep"}, 1)
ROUNDS = 5
# Of RETRIED: the finalizer, and for each attempt the intent, the Job, two times that it runs, its
# end, and letting the Job go; some more may tell in between.
WRITES_MAX = 16


class Trial:
    """A few launches, what they should come to, and the judgement."""

    def __init__(self, space, operator, cluster, record):
        self.space = space
        self.operator = operator
        self.record = record
        self.audit_log = cluster.audit_log if cluster.can_restart else None
        self.since = os.path.getsize(self.audit_log) if self.audit_log else 0
        self.manifests = {}
        self.expected = {}               # uid -> (name, attempts)

    def prepare(self, name, how):
        self.manifests[name] = task(name, self.space.ns, platform=self.space.account, **how[0])
        return self.manifests[name]

    def launch(self, name, how):
        self.space.kubectl.apply(self.prepare(name, how))
        return self.expect(name, how)

    def launch_all(self, hows):
        self.space.kubectl.apply(*[self.prepare(n, how) for n, how in hows.items()])
        for name, how in hows.items():
            self.expect(name, how)

    def expect(self, name, how):
        launch = self.space.task(name)
        self.expected[uid(launch)] = (name, how[1])
        return launch

    def reapply(self, exchange):
        """The manifest of the launch that a cut is about is applied once more."""
        self.space.kubectl.apply(self.manifests[cuts.object_name(exchange).split("-")[0]])

    def incomplete(self):
        """{name: phase} of the launches that are not complete yet."""
        phases = {o["metadata"]["name"]: o.get("status", {}).get("phase")
                  for o in self.space.kubectl.list(TASK, self.space.ns)}
        return {n: phases.get(n) for n, _ in self.expected.values() if phases.get(n) != "Complete"}

    def wait_complete(self):
        def complete():
            late = self.incomplete()
            assert not late, late
            return True
        self.wait("%d launches to be complete" % len(self.expected), complete)

    def wait_phase(self, name, phase):
        def reached():
            seen = self.space.task(name).get("status", {}).get("phase")
            assert seen == phase, seen
            return True
        self.wait("phase %s of %s" % (phase, name), reached)

    def wait(self, what, met):
        """A failure says what the judge sees by then."""
        try:
            wait_for(met, what)
        except AssertionError as error:
            raise AssertionError("%s; the judge: %s" % (error, self.wrong())) from None

    def wrong(self):
        said = {name: judge.complaints(self.record, u, attempts)
                for u, (name, attempts) in self.expected.items()}
        return {n: w for n, w in said.items() if w}

    def judge(self):
        """The operator lives once more and has something to do; then nothing is wrong."""
        self.operator.kill()
        self.operator.start()
        self.launch("fence", WELL)
        self.space.wait_phase("fence", "Complete")
        self._wait_for_jobs_let_go()
        self.record.sync()
        wrong = self.wrong()
        assert not wrong, wrong
        self._judge_requests()

    def _wait_for_jobs_let_go(self):
        def free():
            held = [n for n, j in self.space.jobs().items() if j["metadata"].get("finalizers")
                    and judge.ended(j)]
            assert not held, held
            return True
        wait_for(free, "the finalizers of ended Jobs to go")

    def _judge_requests(self):
        if not self.audit_log:
            return
        made = judge.creates(self.audit_log, self.since)
        names = {(o["metadata"]["namespace"], o["metadata"]["name"])
                 for u in self.expected for _, o in self.record.jobs(u)}
        # (A server whose client goes in the middle of a create says 504, and may have created.)
        twice = {n: made[n] for n in names if made[n] > 1}
        assert made and not twice, twice


@pytest.fixture
def trial(tasks, operator, cluster, gate, kubectl):
    kubectl.patch(ACCOUNT, tasks.account, {"spec": {"maxConcurrentTasks": 500}})
    with judge.History(kubectl) as record:
        yield Trial(tasks, operator, cluster, record)


def sequence(trial, gate):
    """The labels of the writes of a launch that fails once and is retried, as far as they are the
    same in each of two runs. A launch that goes well makes no others."""
    names = ("one", "two")
    trial.launch_all({n: RETRIED for n in names})
    trial.wait_complete()
    for name in names:                   # the last write comes after the end
        wait_for(lambda n=name: cuts.sequence(gate, n)[-1].startswith("patch jobs"),
                 "the Jobs of %s to be let go" % name)
    one, two = (cuts.sequence(gate, n) for n in names)
    assert [x for x in one if x.startswith("create")] == [
        "create jobs $-#-1", "create jobs $-#-2"], one
    assert len(one) <= WRITES_MAX, one
    return [x for x in one if x in two]


COUNTER = itertools.count(1)


def arm(gate, cases, **options):
    """A rule for each (fault, label), about a launch of its own: ({rule: case}, launches)."""
    rules, hows = {}, {}
    for fault, text in cases:
        name = "c%03d" % next(COUNTER)
        rules[gate.on(cuts.at(name, text), fault, **options)] = (fault, text)
        hows[name] = RETRIED
    return rules, hows


def in_rounds(trial, gate, cases, go, **options):
    """A launch for each case; go(rules) returns the rules that were not reached. A launch may run
    past a write while the operator is busy or dead for another's sake: then the case is tried
    again, with fewer others."""
    for _ in range(ROUNDS):
        rules, hows = arm(gate, cases, **options)
        trial.launch_all(hows)
        missed = go(rules)
        trial.wait_complete()
        gate.rules = []
        cases = [rules[r] for r in missed]
        if not cases:
            return
    raise AssertionError("never reached: %s" % cases)


def test_killed_at_each_write_of_a_launch(trial, operator, gate):
    """Right before, in and right after it; and whoever manages the manifests applies the launch
    again while the operator is dead."""
    def go(rules):
        missed = cuts.die_at_each(gate, operator, rules, lambda: not trial.incomplete(),
                                  trial.reapply)
        operator.wait_ready()
        return missed
    in_rounds(trial, gate, [(c, x) for x in sequence(trial, gate) for c in cuts.CUTS], go)
    trial.judge()


def test_lost_requests_and_answers(trial, gate):
    """Nobody dies: a request does not arrive, its answer does not, or it arrives when it is not
    expected any more."""
    def go(rules):
        trial.wait_complete()
        return [r for r in rules if not r.fired]
    in_rounds(trial, gate, [(c, x) for x in sequence(trial, gate) for c in cuts.LOSSES], go,
              seconds=cuts.LATE_SECONDS)
    trial.judge()


def creates_job_of(name):
    return lambda x: x.verb == "create" and x.resource == "jobs" and cuts.about(x, name)


def test_the_job_is_deleted_while_the_operator_is_down(trial, operator, gate, kubectl):
    """Once before it is on record that there is a Job, once while it runs: not run again."""
    space = trial.space
    trial.launch("running", LONG)
    space.wait_running("running")
    gate.on(creates_job_of("created"), "commit")
    trial.launch("created", LONG)
    gate.wait()
    operator.kill()
    gate.drop()
    for name in ("running", "created"):
        job = [j for j in space.jobs() if j.startswith(name)]
        assert len(job) == 1, job
        kubectl.delete(JOB, job[0], space.target, wait=False)
    operator.start()
    for name in ("running", "created"):
        trial.wait_phase(name, "Unknown")
    wait_for(lambda: not space.jobs(), "the deleted Jobs to go")
    trial.judge()
    for name in ("running", "created"):
        space.wait_phase(name, "Unknown")


def test_deleted_and_made_again_while_the_operator_is_down(trial, operator, kubectl):
    """In its own namespace a launch goes at once; the next of its name waits for its Job."""
    space = trial.space
    own = space.ns + "-own"
    kubectl.apply(account(own))
    space.extra.append((ACCOUNT, own))
    manifest = task("again", space.ns, **{**WELL[0], "platform": own})
    kubectl.apply(task("again", space.ns, **{**LONG[0], "platform": own}))
    old = uid(trial.expect("again", LONG))
    space.wait_phase("again", "Running")
    operator.kill()
    kubectl.delete(TASK, "again", space.ns)
    kubectl.apply(manifest)
    new = uid(trial.expect("again", WELL))
    assert old != new
    operator.start()
    space.wait_phase("again", "Complete")
    trial.judge()
    assert not list(judge.overlaps(trial.record.jobs(old, new)))


def test_one_name_in_two_namespaces(trial, operator, gate, kubectl):
    """Both are killed when their Job is made; the Jobs stand side by side."""
    space, other = trial.space, trial.space.target
    kubectl.apply(registry(other, "tasks", TASK_APPS))
    rules = [gate.on(creates_job_of("same"), "commit"), gate.on(creates_job_of("same"), "before")]
    for ns in (space.ns, other):
        kubectl.apply(task("same", ns, platform=space.account, **WELL[0]))
    launches = [uid(kubectl.get(TASK, "same", ns)) for ns in (space.ns, other)]
    trial.expected = {u: ("same", 1) for u in launches}
    assert not cuts.die_at_each(gate, operator, rules)
    for ns in (space.ns, other):
        wait_for(lambda n=ns: kubectl.get(TASK, "same", n)["status"]["phase"] == "Complete",
                 "the launch in " + ns)
    trial.judge()
    kubectl.delete(TASK, "same", other)


@pytest.mark.parametrize("meanwhile", ["suspended", "deleted"])
def test_the_job_comes_when_nobody_waits_for_it_any_more(trial, gate, kubectl, meanwhile):
    """The request for it is thought lost, the launch stopped; then the server gets it after all."""
    space = trial.space
    rule = gate.on(creates_job_of("late"), "late", seconds=6.0)
    refused = gate.on(creates_job_of("late"), "refuse", times=None)
    launch = trial.launch("late", LONG)
    wait_for(lambda: rule.fired, "the Job to be asked for")
    if meanwhile == "deleted":
        kubectl.delete(TASK, "late", space.ns, wait=False)
    else:
        space.patch_task("late", suspend=True)
    wait_for(lambda: trial.record.jobs(uid(launch)), "the late Job")
    gate.rules.remove(refused)

    def stopped():
        running = [p["metadata"]["name"] for p in kubectl.list("pods", space.target)
                   if p["metadata"]["name"].startswith("late-")]
        assert not running, running
        left = [j for n, j in space.jobs().items() if n.startswith("late-")]
        assert not left or (meanwhile == "suspended" and left[0]["spec"]["suspend"]), left
        return True
    wait_for(stopped, "the late Job to be stopped")
    if meanwhile == "deleted":
        wait_for(lambda: space.task("late") is None, "the launch to go")
    else:
        space.wait_phase("late", "Stopped")
    writes = [str(x) for x in gate.writes(lambda x: cuts.about(x, "late")) if x.forwarded]
    assert len(writes) <= WRITES_MAX, writes
