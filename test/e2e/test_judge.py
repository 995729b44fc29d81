# SPDX-License-Identifier: Apache-2.0
"""The judge of test/faults sees what it is there to see: invented histories, each with one thing
wrong. Needs no cluster."""

import sys

import pytest
from support import ROOT

sys.path.insert(0, str(ROOT / "test" / "faults"))
import cuts  # noqa: E402
import judge  # noqa: E402
from turnstile import Exchange  # noqa: E402

UID = "u-1"


class Invented(judge.History):
    """A history that nobody watched."""

    def __init__(self):
        self.events = {kind: [] for kind in judge.KINDS}
        self.version = 0

    def add(self, kind, event, name, metadata=None, **rest):
        self.version += 1
        self.events[kind].append((event, {"metadata": {
            "name": name, "uid": name, "resourceVersion": str(self.version), **(metadata or {})},
            **rest}))

    def status(self, phase, attempt, **rest):
        self.add(judge.TASK, "MODIFIED", "train", {"uid": UID},
                 status={"phase": phase, "attempt": attempt, **rest})

    def job(self, number, event="ADDED", end=None, uid=None, finalizers=("penstock.dev/attempt",)):
        conditions = [{"type": end, "status": "True"}] if end else []
        self.add("jobs.batch", event, "train-%d" % number,
                 {"uid": uid or "j-%d" % number, "finalizers": list(finalizers),
                  "labels": {judge.OWNER_UID: UID, judge.ATTEMPT: str(number)}},
                 status={"conditions": conditions})

    def pod(self, number, name):
        self.add("pods", "ADDED", name, {"ownerReferences": [{"uid": "j-%d" % number}]})


def first_attempt(h):
    h.status("Pending", 1)
    h.job(1)
    h.pod(1, "p-1")
    h.status("Running", 1)
    h.job(1, "MODIFIED", "Failed")
    h.status("Waiting", 1)
    h.job(1, "MODIFIED", "Failed", finalizers=())


def second_attempt(h, record=True, wait=True):
    if record:
        h.status("Pending", 2)
    h.job(2)
    h.pod(2, "p-2")
    if wait:
        h.job(2, "MODIFIED", "Complete")
    h.status("Complete", 2)
    h.job(2, "MODIFIED", "Complete", finalizers=())


def good(h):
    first_attempt(h)
    second_attempt(h)


def made_twice(h):
    good(h)
    h.job(2, uid="another", finalizers=(), end="Complete")


def two_pods(h):
    good(h)
    h.pod(2, "p-3")


def overlapping(h):
    h.status("Pending", 1)
    h.job(1)
    second_attempt(h)
    h.job(1, "MODIFIED", "Failed", finalizers=())


def unrecorded(h):
    first_attempt(h)
    second_attempt(h, record=False)


def held(h):
    good(h)
    h.job(2, "MODIFIED", "Complete")


def goes_on(h):
    good(h)
    h.status("Running", 2)


def forgets(h):
    good(h)
    h.events[judge.TASK].pop()
    h.status("Waiting", 1)


def one_too_many(h):
    good(h)
    h.events[judge.TASK].pop()
    h.status("Pending", 3)
    h.job(3, end="Complete", finalizers=())


@pytest.mark.parametrize("story, words", [
    (made_twice, "attempt 2 was started 2 times"), (two_pods, "had 2 pods"),
    (overlapping, "began while ['train-1'] had not ended"),
    (unrecorded, "made before its attempt was recorded"), (held, "keeps ['penstock.dev/attempt']"),
    (goes_on, "after the end"), (forgets, "fell from 2 to 1"),
    (one_too_many, "attempts made: [1, 2, 3], expected 1 to 2")])
def test_it_complains(story, words):
    history = Invented()
    story(history)
    said = judge.complaints(history, UID, 2)
    assert any(words in sentence for sentence in said), said


def test_it_is_content_with_what_is_right():
    history = Invented()
    good(history)
    assert judge.complaints(history, UID, 2) == []
    assert judge.complaints(history, "nobody", 1)


JOBS = "/apis/batch/v1/namespaces/cars/jobs"
LAUNCHES = "/apis/penstock.dev/v1alpha1/namespaces/cars/tasklaunches"


@pytest.mark.parametrize("method, target, body, verb, label", [
    ("POST", JOBS + "?fieldManager=x", b'{"metadata":{"name":"c1-0123abcd-2"}}', "create",
     "create jobs $-#-2"),
    ("PATCH", LAUNCHES + "/c1/status", b'{"status":{"phase":"Pending","attempt":1,'
     b'"steps":[{"state":"Starting"}]}}', "patch",
     "patch tasklaunches/status $ phase=Pending attempt=1 state=Starting"),
    ("PATCH", JOBS + "/c1-0123abcd-1", b'{"metadata":{}}', "patch", "patch jobs $-#-1"),
    ("DELETE", JOBS + "/c1-0123abcd-1", b"{}", "delete", "delete jobs $-#-1"),
    ("GET", JOBS + "?watch=1", b"", "watch", None), ("GET", JOBS, b"", "list", None),
    ("GET", "/api/v1/namespaces/cars", b"", "get", None), ("GET", "/version", b"", "get", None)])
def test_the_names_of_requests(method, target, body, verb, label):
    exchange = Exchange(1, method, target, {}, body)
    assert exchange.verb == verb
    assert cuts.about(exchange, "c1") == bool(label)
    assert not cuts.about(exchange, "c")
    assert label in (None, cuts.label(exchange, "c1"))
