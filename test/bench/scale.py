#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scale.py [--streams N] [--perf FILE] [--binary FILE]: what N streams cost the operator.

Starts a control plane of hack/controlplane and the operator, applies N suspended streams of three
apps (no pods, but every other object), and prints the time until all children and statuses are
written, the operator's CPU and memory, and what a restart costs, beside what is aimed for. The
figures are for one machine and one run: compare in pairs, on a machine that does nothing else.
--perf records the operator's stacks while it works (perf has to be there).
"""

import argparse
import collections
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
from support import (STREAM, Kubectl, Operator, account, condition, controlplane,  # noqa: E402
                     namespace, registry, stream)

INSTALL = [ROOT / "crds", ROOT / "deploy" / "namespace.yaml", ROOT / "deploy" / "rbac.yaml"]
SPACE = "bench"
DEFINITION = "cardata | predict | cassandra"
OPERATOR = "system:serviceaccount:penstock-system:penstock"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
WRITERS = 4          # connections that apply streams
QUIET_SECONDS = 4.0  # without a request but watches: it is done
GIVE_UP_SECONDS = 900
TICK = os.sysconf("SC_CLK_TCK")
PER_STREAM = 8       # writes: 3 Deployments, 3 Services, a revision, a status

# For 1,000 streams, if nothing else is said. None: no figure is aimed for.
AIMS = {
    "operator CPU": ("s a 1,000", 1.6),
    "anonymous memory, nothing there": ("MiB", 4),
    "anonymous memory at 1,000": ("MiB", 10),
    "anonymous memory at 3,000": ("MiB", 20),
    "anonymous memory at 10,000": ("MiB", 60),
    "restart: CPU at 3,000": ("s", 1.0),
    "restart: writes": ("", 0),
    "start to ready, nothing there": ("s", 0.1),
}


class Audit:
    """What the operator asked for, from the server's audit log, read as it grows."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.rest = b""
        self.counts = collections.Counter()
        self.written = 0      # how many writes of children and statuses have succeeded
        self.last_write = 0.0  # when the last did, wall clock
        self.last_new = time.monotonic()

    def read(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for line in lines:
            if OPERATOR.encode() not in line:
                continue
            event = json.loads(line)
            if event["verb"] == "watch" or event["stage"] != "ResponseComplete":
                continue
            ref = event.get("objectRef", {})
            what = ref.get("resource", "") + ("/" + ref["subresource"] if ref.get("subresource")
                                              else "")
            self.counts[event["verb"], what, event["responseStatus"]["code"]] += 1
            self.last_new = time.monotonic()
            # Counts of an account come later, events are not waited for.
            if (event["verb"] in WRITES and event["responseStatus"]["code"] < 300 and
                    ref.get("resource") not in ("events", "platformaccounts")):
                self.written += 1
                self.last_write = time.time()

    def reset(self):
        self.read()
        self.counts.clear()
        self.written = 0
        self.last_new = time.monotonic()

    def wait_quiet(self):
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() - self.last_new < QUIET_SECONDS:
            if time.monotonic() > deadline:
                sys.exit("scale.py: the operator does not come to rest: %s" % self.counts)
            time.sleep(0.25)
            self.read()

    def writes(self):
        return sum(n for (verb, _, _), n in self.counts.items() if verb in WRITES)


def cpu(pid):
    """(user, system) in seconds."""
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICK, int(fields[12]) / TICK


def memory(pid):
    """(anonymous, resident) in MiB."""
    lines = dict(line.split(":", 1) for line in
                 Path("/proc/%d/status" % pid).read_text().splitlines())
    return tuple(int(lines[k].split()[0]) / 1024 for k in ("RssAnon", "VmRSS"))


def show(name, value, unit, note=""):
    aim = AIMS.get(name, (None, None))[1]
    beside = "" if aim is None else "   (aim: %g)" % aim
    print("  %-34s %9.2f %-10s%s%s" % (name, value, unit, note, beside), flush=True)


def apply_streams(plane, first, end):
    """Creates the streams of one connection; the bench's own CPU must not count for much."""
    context = ssl.create_default_context(cafile=plane.ca_file)
    context.load_cert_chain(plane.pki.path("admin.crt"), plane.pki.path("admin.key"))
    server = http.client.HTTPSConnection(plane.host, plane.port, context=context, timeout=60)
    path = "/apis/penstock.dev/v1alpha1/namespaces/%s/streamdeployments" % SPACE
    for i in range(first, end):
        body = stream("s%05d" % i, SPACE, DEFINITION, platform=SPACE, suspend=True)
        server.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = server.getresponse()
        data = answer.read()
        if answer.status != 201:
            raise RuntimeError("a stream was refused: %s" % data[:500])
    server.close()


def apply_all(plane, number):
    share = (number + WRITERS - 1) // WRITERS
    threads = [threading.Thread(target=apply_streams, args=(plane, i, min(i + share, number)))
               for i in range(0, number, share)]
    for thread in threads:
        thread.start()
    return threads


def check_streams(kubectl, number):
    late = [s["metadata"]["name"] for s in kubectl.list(STREAM, SPACE)
            if (condition(s, "Ready") or {}).get("reason") != "Suspended"]
    made = len(kubectl("get", "deployments,services,controllerrevisions.apps", "-n", SPACE,
                       "-o", "name").splitlines())
    if late or made != number * (PER_STREAM - 1):
        sys.exit("scale.py: %d streams are not done (%s), %d children of %d" % (
            len(late), late[:3], made, number * (PER_STREAM - 1)))


def measure_start(operator):
    begin = time.monotonic()
    operator.start(wait=False)
    while operator.probe("/readyz") != 200:
        operator.alive()
        time.sleep(0.005)
    return time.monotonic() - begin


def measure_work(args, plane, operator, audit):
    pid = operator.process.pid
    user, system = cpu(pid)
    perf = args.perf and subprocess.Popen(["perf", "record", "-q", "--call-graph", "dwarf,16384", "-F", "299", "-p",
                                           str(pid), "-o", args.perf])
    audit.reset()
    begin = time.time()
    for thread in apply_all(plane, args.streams):
        thread.join()
    applied = time.time()
    audit.read()
    while audit.written < args.streams * PER_STREAM and time.time() - applied < GIVE_UP_SECONDS:
        operator.alive()
        time.sleep(0.25)
        audit.read()
    done = audit.last_write
    audit.wait_quiet()
    if perf:
        perf.terminate()
        perf.wait()
    after = cpu(pid)
    anonymous, resident = memory(pid)
    kilo = args.streams / 1000
    show("applied", applied - begin, "s")
    show("all children and statuses", done - begin, "s",
         "%.1f streams a second" % (args.streams / (done - begin)))
    show("operator CPU", (sum(after) - user - system) / kilo, "s a 1,000",
         "user %.2f, system %.2f" % ((after[0] - user) / kilo, (after[1] - system) / kilo))
    show("writes", audit.writes() / args.streams, "a stream")
    show("anonymous memory at %s" % format(args.streams, ","), anonymous, "MiB",
         "resident %.1f MiB" % resident)
    for key, count in sorted(audit.counts.items(), key=lambda item: -item[1]):
        print("      %6d %s %s -> %d" % (count, *key))


def measure_restart(args, operator, audit):
    operator.stop()
    audit.reset()
    ready = measure_start(operator)
    pid = operator.process.pid
    show("restart: ready", ready, "s")
    audit.wait_quiet()
    user, system = cpu(pid)
    anonymous, resident = memory(pid)
    show("restart: CPU at %s" % format(args.streams, ","), user + system, "s",
         "user %.2f, system %.2f" % (user, system))
    show("restart: writes", audit.writes(), "")
    show("restart: anonymous memory", anonymous, "MiB", "resident %.1f MiB" % resident)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--perf", metavar="FILE")
    parser.add_argument("--binary", type=Path, default=ROOT / "build/release/penstock")
    args = parser.parse_args()
    if not 1 <= args.streams <= 99999:
        sys.exit("scale.py: --streams is from 1 to 99999")
    return args


def main():
    args = parse()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as directory:
        plane = controlplane.ControlPlane(Path(directory) / "plane")
        kubectl = None
        operator = None
        plane.start(manifests=INSTALL)
        try:
            kubectl = Kubectl(plane.kubectl_program, plane.kubeconfig, Path(directory) / "cache")
            kubectl.apply(namespace(SPACE))
            kubectl.apply(account(SPACE), registry(SPACE))
            operator = Operator(args.binary.resolve(), plane, kubectl, directory)
            print("%d suspended streams of 3 apps" % args.streams)
            show("start to ready, nothing there", measure_start(operator), "s")
            audit = Audit(plane.audit_log)
            audit.wait_quiet()
            show("anonymous memory, nothing there", memory(operator.process.pid)[0], "MiB",
                 "resident %.1f MiB" % memory(operator.process.pid)[1])
            measure_work(args, plane, operator, audit)
            check_streams(kubectl, args.streams)
            measure_restart(args, operator, audit)
            operator.stop()
        finally:
            if operator:
                operator.kill()
            plane.stop()


if __name__ == "__main__":
    main()
