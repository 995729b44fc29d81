# SPDX-License-Identifier: Apache-2.0
"""Rows of the watch's transitions, provoked at a real API server: what is asked for next, and that
nothing is lost. All rows are shown to a scripted server by test/unit/kube."""

import collections

import pytest
from support import STREAM, wait_for

OURS = {"streamdeployments", "tasklaunches", "platformaccounts"}


def asked(gate, since):
    """What was asked for, in sets of resources: from where a watch was, or everything anew."""
    found = collections.defaultdict(set)
    for x in gate.journal[since:]:
        if x.method != "GET" or x.name or not x.resource or x.resource == "leases":
            continue
        if "watch" not in x.query:
            found["list"].add(x.resource)
        elif "sendInitialEvents" in x.query:
            found["anew"].add(x.resource)
        else:
            found["on"].add(x.resource)
    return found


def gone(space, name):
    wait_for(lambda: not [d for d in space.deployments() if d.startswith(name + "-")],
             "%s to be gone" % name)


def work(space):
    for name in ("stays", "goes"):
        space.apply(name, "time | log")
    for name in ("stays", "goes"):
        space.wait(name)


def change(space):
    space.kubectl("delete", STREAM, "goes", "-n", space.ns, "--wait=false")
    space.apply("comes", "time | log")


def settled(space):
    space.wait("comes")
    gone(space, "goes")
    assert space.kubectl.get(STREAM, "goes", space.ns) is None


def test_a_watch_that_is_cut_goes_on_from_where_it_was(space, gate):
    work(space)
    since = len(gate.journal)
    gate.shut()
    change(space)
    gate.open()
    settled(space)
    seen = asked(gate, since)
    assert OURS <= seen["on"]
    assert not seen["anew"] and not seen["list"], "what was known is read again: %s" % dict(seen)


def test_where_history_has_gone_everything_is_read_anew(space, gate, cluster):
    """A server that has started anew knows nothing of what was before its first list."""
    if not cluster.can_restart:
        pytest.skip("needs a control plane of its own")
    work(space)
    since = len(gate.journal)
    gate.shut()
    change(space)
    cluster.restart_apiserver(kill=True)
    space.kubectl("annotate", STREAM, "stays", "-n", space.ns, "team=cars")
    gate.open()
    settled(space)
    seen = asked(gate, since)
    assert "streamdeployments" in seen["on"] & (seen["anew"] | seen["list"])
    assert "streamdeployments" in seen["anew"], "not as the beginning of a watch"
