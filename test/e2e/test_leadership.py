# SPDX-License-Identifier: Apache-2.0
"""Two operators, one of which leads: whatever befalls it, the other takes over, and what was asked
for comes about once. And what both of them show of themselves at /metrics."""

import base64
import datetime
import json
import re
import signal
import subprocess
import time
import urllib.request

import pytest
import turnstile
from support import (OPERATOR_NAMESPACE, ROOT, TASK_APPS, Operator, registry, stream, task,
                     uid, wait_for)
from exposition import parse
from test_restart import WRITES, Requests, all_ready

LEASE = "leases.coordination.k8s.io"
# Short, but long enough for an API server that shares two cores with everything else.
DURATION, DEADLINE, RETRY = 8.0, 6.0, 0.5
FLAGS = ["--leader-elect", "--leader-elect-lease-duration=%ds" % DURATION,
         "--leader-elect-renew-deadline=%ds" % DEADLINE,
         "--leader-elect-retry-period=%dms" % (RETRY * 1000)]
SLACK = 2.0
IDLE_SECONDS = 15


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Candidate(Operator):
    """One of two operators, with a token of its own by which the audit log knows it."""

    def __init__(self, name, *args):
        super().__init__(*args)
        self.name = name
        self.metrics_port = self.free_port()

    def flags(self):
        return [*super().flags(), *FLAGS,
                "--metrics-bind-address", "127.0.0.1:%d" % self.metrics_port]

    def start(self, **options):
        super().start(environment={"POD_NAME": self.name}, **options)

    @property
    def credential(self):
        body = self.token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return "JTI=" + claims["jti"]

    def requests(self):
        """Its requests so far that were answered, in the order of the audit log."""
        seen = []
        with open(self.server_log, encoding="utf-8") as f:
            for line in f:
                event = json.loads(line) if line.endswith("\n") else {}
                extra = event.get("user", {}).get("extra", {})
                if self.credential in extra.get("authentication.kubernetes.io/credential-id", []):
                    seen.append(event)
        return seen

    def writes(self):
        return [e for e in self.requests() if e["verb"] in WRITES]

    def wait_end(self, timeout):
        """Waits until it ends by itself, and returns its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end within %.0f s" % (self.name, timeout)) from None
        self.process = None
        return status

    def metrics(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.metrics_port,
                                    timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            return parse(answer.read().decode())


class Pair:
    """The leader `a` and the standby `b`."""

    def __init__(self, kubectl, a, b):
        self.kubectl = kubectl
        self.a, self.b = a, b

    def start(self):
        self.kubectl.delete(LEASE, "penstock", OPERATOR_NAMESPACE)
        self.a.start()
        self.wait_led_by(self.a)
        self.b.start()

    def lease(self):
        return (self.kubectl.get(LEASE, "penstock", OPERATOR_NAMESPACE) or {}).get("spec", {})

    def wait_led_by(self, operator):
        """Waits until that one holds the lease, and returns since when."""
        def led():
            lease = self.lease()
            holder = lease.get("holderIdentity", "")
            assert re.fullmatch(operator.name + "_[0-9a-f]{16}", holder), lease
            return lease
        return moment(wait_for(led, "%s to lead" % operator.name)["acquireTime"])

    def end(self):
        for operator in (self.a, self.b):
            if operator.running:
                operator.process.send_signal(signal.SIGCONT)
                operator.kill()
            report = operator.log_text()
            operator.check()
            assert "panic" not in report


@pytest.fixture
def pair(the_operator, cluster, kubectl, tmp_path, request):
    if not cluster.can_restart:
        pytest.skip("needs the audit log of a control plane of its own")
    if the_operator.running:
        the_operator.stop()
    candidates = []
    for name in ("penstock-a", "penstock-b"):
        directory = tmp_path / name
        directory.mkdir()
        candidates.append(Candidate(name, the_operator.binary, cluster, kubectl, directory))
        candidates[-1].server_log = cluster.audit_log
    pair = Pair(kubectl, *candidates)
    request.node.operator_log = lambda: "\n".join(c.log_text()[-20000:] for c in candidates)
    yield pair
    pair.end()


def names(letter, number):
    return ["%s%02d" % (letter, i) for i in range(number)]


def ask_for_work(space, streams, launches=()):
    space.kubectl.apply(registry(space.ns, "tasks", TASK_APPS))
    space.kubectl.apply(
        *(stream(n, space.ns, "time | log", platform=space.account) for n in streams),
        *(task(n, space.ns, "train", platform=space.account) for n in launches))


def wait_begun(space, number):
    wait_for(lambda: len(space.deployments()) >= number, "%d Deployments" % number)


def test_a_frozen_leader_is_followed_and_writes_no_more(bare_space, pair, history):
    pair.start()
    streams, launches = names("s", 40), names("l", 15)
    ask_for_work(bare_space, streams, launches)
    wait_begun(bare_space, 5)
    pair.a.process.send_signal(signal.SIGSTOP)
    stopped = time.time()
    taken = pair.wait_led_by(pair.b)
    assert taken - stopped < DURATION + SLACK, "%.1f s without a leader" % (taken - stopped)
    before = len(pair.a.writes())
    all_ready(bare_space, streams)
    for name in launches:
        bare_space.wait_phase(name, "Complete")
    pair.a.process.send_signal(signal.SIGCONT)
    assert pair.a.wait_end(10) == 1
    assert "lease_lost" in pair.a.log_text()
    written = pair.a.writes()
    assert before and len(written) == before
    assert max(moment(e["requestReceivedTimestamp"]) for e in written) < taken
    assert pair.b.writes()
    for name in launches:
        assert len(history.started(uid(bare_space.task(name)))) == 1, name
    pair.b.stop()


def test_a_leader_that_ends_gives_the_lease_back_after_its_last_write(bare_space, pair):
    pair.start()
    streams = names("s", 30)
    ask_for_work(bare_space, streams)
    wait_begun(bare_space, 3)
    pair.a.stop()
    taken = pair.wait_led_by(pair.b)
    *others, release = sorted(pair.a.writes(), key=lambda e: moment(e["requestReceivedTimestamp"]))
    assert release["objectRef"]["resource"] == "leases" and release["verb"] == "update"
    released = moment(release["requestReceivedTimestamp"])
    assert max(moment(e["stageTimestamp"]) for e in others) <= released
    assert taken - released < SLACK, "%.1f s without a leader" % (taken - released)
    wait_for(lambda: written_by(pair.b), "the new leader to write")
    assert {"streamdeployments", "deployments"} <= read_anew(pair.b, taken)
    all_ready(bare_space, streams)
    pair.b.stop()
    assert pair.lease()["holderIdentity"] == ""


def written_by(operator):
    """When it began what it has written but for the lease."""
    return [moment(e["requestReceivedTimestamp"]) for e in operator.writes()
            if e["objectRef"]["resource"] != "leases"]


def read_anew(operator, since):
    """The resources that it listed, be it as the beginning of a watch, before its first write."""
    first = min(written_by(operator))
    return {e["objectRef"]["resource"] for e in operator.requests()
            if (e["verb"] == "list" or "sendInitialEvents=true" in e["requestURI"])
            and since <= moment(e["requestReceivedTimestamp"]) < first}


def test_a_leader_that_is_cut_off_ends_and_is_followed(bare_space, pair, cluster, tmp_path):
    with turnstile.Turnstile(cluster, tmp_path) as gate:
        pair.a.server = gate
        pair.start()
        streams = names("s", 10)
        ask_for_work(bare_space, streams)
        wait_begun(bare_space, 3)
        gate.on(lambda exchange: True, "refuse", times=None)
        gate.drop()
        cut = time.time()
        assert pair.a.wait_end(DEADLINE + SLACK) == 1
        assert time.time() - cut > DEADLINE - RETRY - SLACK
        taken = pair.wait_led_by(pair.b)
        assert taken - cut < DURATION + SLACK, "%.1f s without a leader" % (taken - cut)
        all_ready(bare_space, streams)
        pair.b.stop()


def kinds_of(events):
    return {(e["verb"], e["objectRef"]["resource"]) for e in events if e["verb"] != "watch"}


def test_at_rest_a_leader_renews_and_a_standby_reads_the_lease(bare_space, pair, cluster):
    pair.start()
    ask_for_work(bare_space, names("s", 2), names("l", 2))
    all_ready(bare_space, names("s", 2))
    for name in names("l", 2):
        bare_space.wait_phase(name, "Complete")
    time.sleep(11)     # an account counts what is on it at most every 10 s
    ours = [len(c.requests()) for c in (pair.a, pair.b)]
    time.sleep(IDLE_SECONDS)
    leader, standby = (c.requests()[n:] for c, n in zip((pair.a, pair.b), ours))
    assert kinds_of(leader) == {("update", "leases")}
    assert kinds_of(standby) == {("get", "leases")}
    assert not [e for e in pair.b.writes()]
    renewals = len([e for e in leader if e["verb"] == "update"])
    assert IDLE_SECONDS / RETRY / 2 < renewals < IDLE_SECONDS / RETRY * 1.5
    shown_by_both(pair)
    lease_touched(pair)
    pair.b.stop()
    pair.a.stop()


def shown_by_both(pair):
    leader, standby = pair.a.metrics(), pair.b.metrics()
    for shown, leads in ((leader, 1), (standby, 0)):
        assert shown["leader_election_master_status"].get(name="penstock") == leads
        assert shown["penstock_streams"].get(phase="deployed") == 2
        assert shown["penstock_tasks"].get(phase="Complete") == 2
        assert shown["penstock_watches"].get(resource="pods") == 1
        assert shown["penstock_store_objects"].get(resource="tasklaunches") == 2
    passes = "controller_runtime_reconcile_total"
    assert leader[passes].get(controller="tasklaunch", result="success") > 0
    assert not any(standby[passes].samples.values())
    assert leader["controller_runtime_active_workers"].get(controller="streamdeployment") == 0
    text = (ROOT / "docs" / "user" / "operator.md").read_text()
    table = text.partition("## Metrics")[2].partition("\n## ")[0]
    written = {name for row in re.findall(r"^\| (`[^|]*) \|", table, re.M)
               for name in re.findall(r"`([a-z_]+)`", row)}
    # Of accounts that lead to other clusters: there are none.
    assert written == set(leader) | {"penstock_account_cluster_up"}


def lease_touched(pair):
    """Somebody writes to the Lease, or deletes it: the leader goes on, and so does the standby."""
    pair.kubectl("annotate", LEASE, "penstock", "-n", OPERATOR_NAMESPACE, "team=cars")
    time.sleep(2 * RETRY)
    pair.kubectl.delete(LEASE, "penstock", OPERATOR_NAMESPACE)
    pair.wait_led_by(pair.a)
    time.sleep(DEADLINE)
    pair.a.alive()
    pair.b.alive()
    assert "lease_lost" not in pair.a.log_text()
