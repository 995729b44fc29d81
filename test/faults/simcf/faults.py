# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on the way: rules by method, path and count; a journal of what was asked.

    rule = faults.on("POST", r"/v3/apps$", "reset_after", nth=2)      # the second such request
    faults.on("GET", r"/stats", "answer", status=503, body=b"<html>", times=None)  # every one
    held = faults.on("POST", r"/tasks$", "hold_after"); exchange = held.wait(); held.release()
"""

import queue
import re
import threading

ACTIONS = {
    "answer",        # status, body, content_type, headers: nothing is done
    "delay",         # seconds: before it is carried out
    "reset_before",  # the connection ends, nothing is done
    "reset_after",   # done, and the connection ends
    "hold_before",   # nothing is done until release(); then it is (or, with drop(), is not)
    "hold_after",    # done; the answer waits for release(), or never comes with drop()
    "truncate",      # done; half of the answer's body, then the end of the connection
    "slow",          # seconds: done; the body comes in pieces over that time
    "repeat",        # carried out twice, the first answer is lost: what a proxy that retries does
}
HOLD_MAX_S = 600     # a test that forgets a held request must not hang for ever


class Rule:
    def __init__(self, method, path, action, nth=1, times=1, agent=None, **how):
        if action not in ACTIONS:
            raise ValueError(f"no such fault: {action}")
        self.method, self.path, self.action, self.how = method, re.compile(path), action, how
        self.agent = agent       # of the client, when only its requests count
        self.skip, self.left = nth - 1, times
        self.met = queue.Queue()
        self.go = threading.Event()
        self.dropped = False

    def takes(self, exchange):
        if self.left == 0 or (self.method and self.method != exchange.method):
            return False
        if not self.path.search(exchange.target) or (self.agent or "") not in exchange.agent:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def wait(self, timeout=60):
        """The next exchange that the rule was applied to."""
        return self.met.get(timeout=timeout)

    def release(self):
        self.go.set()

    def drop(self):
        """Held requests are never answered; those held before are never carried out."""
        self.dropped = True
        self.go.set()

    def held(self):
        """Wait for the test. False: dropped, or forgotten."""
        return self.go.wait(HOLD_MAX_S) and not self.dropped


class Exchange:
    """One request and what became of it."""

    def __init__(self, number, host, method, target, headers, at):
        self.number, self.host, self.method, self.target = number, host, method, target
        self.agent = headers.get("user-agent", "")
        self.at = at            # seconds, of the foundation's clock
        self.user = None        # name of whose token came with it
        self.status = None      # None: no answer was sent
        self.carried_out = 0    # times
        self.fault = None       # the rule that was applied
        self.body = None        # what was sent, as JSON; of uploads only the size

    @property
    def path(self):
        return self.target.partition("?")[0]

    def __repr__(self):
        what = self.fault.action if self.fault else ""
        return f"#{self.number} {self.method} {self.target} -> {self.status} {what}".rstrip()


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []
        self.journal = []

    def on(self, method, path, action, **how):
        rule = Rule(method, path, action, **how)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self.lock:
            rules, self.rules = self.rules, []
        for rule in rules:
            rule.release()

    def open(self, host, method, target, headers, at):
        """A new exchange, in the journal, with the rule that applies to it."""
        with self.lock:
            exchange = Exchange(len(self.journal) + 1, host, method, target, headers, at)
            self.journal.append(exchange)
            for rule in self.rules:
                if rule.takes(exchange):
                    exchange.fault = rule
                    break
        return exchange

    def asked(self, method=None, path=r""):
        """Of the journal, what matches."""
        with self.lock:
            return [x for x in self.journal
                    if (method is None or x.method == method) and re.search(path, x.target)]
