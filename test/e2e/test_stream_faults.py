# SPDX-License-Identifier: Apache-2.0
"""Streams behind test/faults/turnstile.py: the operator is killed before, in and after each write
of a first deploy, and answers get lost; each app comes about once."""

import collections
import sys

from support import ROOT, STREAM, condition, wait_for

sys.path.insert(0, str(ROOT / "test" / "faults"))
import cuts  # noqa: E402

FOO = "time | log"


def first_deploy(space, gate):
    """The labels of the writes of a first deploy, as far as they are the same in each run."""
    space.apply("reference", FOO)
    space.wait("reference")
    labels = cuts.sequence(gate, "reference")
    assert len(labels) >= 7, labels            # revision, 2 × (Deployment, Service), 2 × status
    return [x for x in labels if x.startswith("create") or x == labels[0]] + [
        x for x in labels if x.endswith("phase=deployed")]


def settled(space, names):
    def ready():
        streams = {s["metadata"]["name"]: s for s in space.kubectl.list(STREAM, space.ns)}
        late = [n for n in names if (condition(streams.get(n), "Ready") or {}).get("status")
                != "True"]
        assert not late, "not ready: %s" % late
        return streams
    return wait_for(ready, "%d streams to be ready" % len(names))


def made_once(space, streams):
    owners = collections.Counter(
        r["metadata"]["labels"]["penstock.dev/owner-uid"] for r in space.revisions())
    assert owners == {s["metadata"]["uid"]: 1 for s in streams.values()}
    made = space.deployments()
    assert sorted(made) == sorted("%s-%s-v1" % (n, a) for n in streams for a in FOO.split(" | "))
    assert {d["metadata"]["generation"] for d in made.values()} == {1}, "none was written twice"
    assert len(space.kubectl.list("pods", space.target)) == len(made)


def test_killed_at_each_write_of_a_first_deploy(space, operator, gate):
    cases = [(cut, text) for text in first_deploy(space, gate) for cut in cuts.CUTS]
    names = ["k%02d" % i for i in range(len(cases))]
    rules = {gate.on(cuts.at(n, text), cut): (cut, text) for n, (cut, text) in zip(names, cases)}
    space.kubectl("delete", STREAM, "reference", "-n", space.ns)
    for name in names:
        space.apply(name, FOO)
    missed = cuts.die_at_each(gate, operator, rules)
    assert not missed, "never reached: %s" % [rules[r] for r in missed]
    operator.wait_ready()
    made_once(space, settled(space, names))


def test_lost_requests_and_answers_of_a_first_deploy(space, gate):
    cases = [(loss, text) for text in first_deploy(space, gate) for loss in cuts.LOSSES]
    names = ["l%02d" % i for i in range(len(cases))]
    rules = [gate.on(cuts.at(n, text), loss, seconds=cuts.LATE_SECONDS)
             for n, (loss, text) in zip(names, cases)]
    space.kubectl("delete", STREAM, "reference", "-n", space.ns)
    for name in names:
        space.apply(name, FOO)
    made_once(space, settled(space, names))
    missed = [c for r, c in zip(rules, cases) if not r.fired]
    assert not missed, "never reached: %s" % missed
