# SPDX-License-Identifier: Apache-2.0
"""Names for the writes of one object's life, and deaths at each of them."""

import collections
import queue
import re

CUTS = ("before", "commit", "after")          # at these the operator is killed
LOSSES = ("refuse", "lost", "late")           # these it has to live with
QUIET_SECONDS = 40                            # more than a request of the operator may take
LATE_SECONDS = 1.0                            # after it has looked what became of it


def about(exchange, owner):
    """The exchange writes the object `owner`, or one of those named after it."""
    name = object_name(exchange)
    return exchange.is_write and exchange.resource != "events" and (
        name == owner or name.startswith(owner + "-"))


def object_name(exchange):
    if exchange.name is None and exchange.verb == "create":
        return exchange.json().get("metadata", {}).get("name", "")
    return exchange.name or ""


def label(exchange, owner):
    """What a write does, in words that are the same in each run: `create jobs $-#-1`,
    `patch tasklaunches/status $ phase=Running attempt=1`."""
    name = "$" + re.sub(r"-[0-9a-f]{8}(?=-|$)", "-#", object_name(exchange)[len(owner):])
    words = [exchange.verb, "/".join(filter(None, (exchange.resource, exchange.subresource))), name]
    status = exchange.json().get("status") or {}
    words += ["%s=%s" % (k, status[k]) for k in ("phase", "attempt") if k in status]
    words += ["state=%s" % s["state"] for s in status.get("steps") or [] if "state" in s]
    return " ".join(words)


def sequence(gate, owner, since=0):
    """The labels of what was written for an object, in order; `(2)` marks a second time."""
    seen, labels = collections.Counter(), []
    for exchange in gate.writes(lambda x: about(x, owner), since):
        text = label(exchange, owner)
        seen[text] += 1
        labels.append(text if seen[text] == 1 else "%s (%d)" % (text, seen[text]))
    return labels


def at(owner, wanted):
    """A predicate for a rule: the write of that label about that object."""
    match = re.fullmatch(r"(.*?)(?: \((\d+)\))?", wanted)
    text, turn = match[1], int(match[2] or 1)
    seen = []

    def takes(exchange):
        if not about(exchange, owner) or label(exchange, owner) != text:
            return False
        seen.append(exchange.number)
        return len(seen) == turn
    return takes


def die_at_each(gate, operator, rules, over=lambda: False, between=lambda exchange: None):
    """Kills the operator whenever a rule's cut is reached (one at a time: the gate is frozen
    meanwhile) and starts it again, until all were reached, or over() says that no more will come,
    or none has come for a while. between(exchange) runs while it is dead. Returns the rules whose
    cut was not reached."""
    waiting, quiet = set(rules), 0
    while waiting and quiet < QUIET_SECONDS:
        operator.alive()
        try:
            rule, exchange = gate.wait(timeout=1)
            quiet = 0
        except queue.Empty:
            quiet += 1
            if over():
                break
            continue
        operator.kill()
        gate.drop()
        waiting.discard(rule)
        between(exchange)
        operator.start(wait=False)
    return waiting
