#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""idle.py [--streams N] [--seconds N] [--binary FILE]: what the operator asks for when nothing happens.

Starts a control plane of hack/controlplane and the operator with leader election, applies N streams
of one app, waits until all are ready and the operator is at rest, and then for ten minutes. The API
server's audit log is the judge: watches and the renewal of the lease may be in it, anything else is
named, and the exit status is 1. Prints the operator's CPU and memory of that time, too. (A minute
with a hundred streams is a test: test/e2e/test_restart.py.)
"""

import argparse
import collections
import json
import sys
import tempfile
import time
from pathlib import Path

from rig import (INSTALL, ROOT, SPACE, STREAM, USER, Kubectl, Operator, account, condition,
                 controlplane, cpu, memory, namespace, registry, stream)

BATCH = 100
QUIET_SECONDS = 15     # an account counts its streams some seconds after the last
READY_SECONDS = 1800
RENEWAL = ("update", "leases")


class Leader(Operator):
    def flags(self):
        return [*super().flags(), "--leader-elect"]


class Requests:
    """Those of the operator since mark(), by verb and resource."""

    def __init__(self, path):
        self.path, self.start = path, 0

    def mark(self):
        self.start = self.path.stat().st_size

    def seen(self):
        counts = collections.Counter()
        with open(self.path, "rb") as log:
            log.seek(self.start)
            for line in log.read().split(b"\n")[:-1]:
                event = json.loads(line)
                # A watch is told of when it begins and when it ends: its beginning counts.
                stage = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
                if event["user"]["username"] == USER and event["stage"] == stage:
                    resource = event.get("objectRef", {}).get("resource", event["requestURI"])
                    counts[event["verb"], resource] += 1
        return counts

    def others(self):
        return {k: n for k, n in self.seen().items() if k[0] != "watch" and k != RENEWAL}


def wait_ready(kubectl, number):
    deadline = time.monotonic() + READY_SECONDS
    while True:
        ready = sum((condition(s, "Ready") or {}).get("status") == "True"
                    for s in kubectl.list(STREAM, SPACE))
        if ready == number:
            return
        if time.monotonic() > deadline:
            sys.exit("idle.py: after %d s %d of %d streams are ready" % (
                READY_SECONDS, ready, number))
        time.sleep(2)


def wait_quiet(requests):
    deadline = time.monotonic() + READY_SECONDS
    while True:
        requests.mark()
        time.sleep(QUIET_SECONDS)
        if not requests.others():
            return
        if time.monotonic() > deadline:
            sys.exit("idle.py: the operator does not come to rest: %s" % requests.others())


def measure(operator, requests, seconds):
    """Returns what should not have been asked for."""
    pid = operator.process.pid
    before, (anonymous, _) = cpu(pid), memory(pid)
    requests.mark()
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        operator.alive()
        time.sleep(min(1.0, seconds))
    print("  idle for %.0f s: %.3f s of CPU; anonymous memory %.1f MiB, before %.1f MiB" % (
        time.monotonic() - begin, cpu(pid) - before, memory(pid)[0], anonymous))
    for (verb, resource), count in sorted(requests.seen().items()):
        print("      %6d %s %s" % (count, verb, resource))
    return requests.others()


def run(args, plane, directory):
    kubectl = Kubectl(plane.kubectl_program, plane.kubeconfig, Path(directory) / "cache")
    kubectl.apply(namespace(SPACE), account(SPACE), registry(SPACE))
    operator = Leader(args.binary.resolve(), plane, kubectl, directory)
    requests = Requests(Path(plane.audit_log))
    try:
        operator.start()
        for first in range(0, args.streams, BATCH):
            kubectl.apply(*[stream("s%05d" % i, SPACE, ":orders > log", platform=SPACE)
                            for i in range(first, min(first + BATCH, args.streams))])
        wait_ready(kubectl, args.streams)
        wait_quiet(requests)
        print("%d streams that run" % args.streams, flush=True)
        unasked = measure(operator, requests, args.seconds)
        renewed = requests.seen()[RENEWAL]
        operator.stop()
    finally:
        operator.kill()
    if unasked or not renewed:
        sys.exit("idle.py: %s" % (("asked for while nothing changed: %s" % unasked) if unasked else
                                  "the lease was not renewed: the log shows nothing"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/penstock")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-idle-") as directory:
        plane = controlplane.ControlPlane(Path(directory) / "plane")
        plane.start(manifests=INSTALL)
        try:
            run(args, plane, directory)
        finally:
            plane.stop()


if __name__ == "__main__":
    main()
