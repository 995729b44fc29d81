# SPDX-License-Identifier: Apache-2.0
"""Time in the foundation: what is to happen later, and a clock that a test may push on."""

import heapq
import itertools
import time

EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z: where a manual clock begins


class Clock:
    """Real time, or with manual=True only what advance() gives. Seconds, as floats."""

    def __init__(self, manual=False):
        self.manual = manual
        self.pushed = 0.0
        self.started = time.monotonic()
        self.began = EPOCH if manual else time.time()
        self.due = []
        self.order = itertools.count()

    def now(self):
        """Seconds since the Unix epoch."""
        passed = 0.0 if self.manual else time.monotonic() - self.started
        return self.began + passed + self.pushed

    def stamp(self, at=None):
        """As the Cloud Controller writes times: whole seconds, UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now() if at is None else at))

    def after(self, seconds, call):
        """Call once, that many seconds from now; run by settle() in the order of their times."""
        heapq.heappush(self.due, (self.now() + seconds, next(self.order), call))

    def settle(self):
        """Let everything happen whose time has come; what that plans for now happens, too."""
        while self.due and self.due[0][0] <= self.now():
            heapq.heappop(self.due)[2]()

    def advance(self, seconds):
        """Push the clock on, step by step, so that each event finds the time it was planned for."""
        end = self.pushed + seconds
        while self.due and self.due[0][0] - self.now() <= end - self.pushed:
            self.pushed += max(0.0, self.due[0][0] - self.now())
            self.settle()
        self.pushed = end
        self.settle()
