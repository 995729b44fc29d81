#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py: the figures that Penstock is held to, measured on this machine.

Prints a table on standard output, a row for each figure: what is aimed for, what was measured
(median, least and most), and how. Starts control planes of hack/controlplane, each for itself. Wall
times depend on what else the machine does; CPU seconds less so, ratios of one pair of runs least.

    --streams N        so many suspended streams of three apps, in steps of 1,000 (for memory)
    --pairs N          operator and bare writer in turns, so often, each on a new control plane …
    --pair-streams N   … with so many streams, …
    --paced N          … and then so many, --pace a second
    --idle SECONDS     how long nothing happens
    --connections N    of the bare writer
    --also FILE        another build of the operator, that takes its turn; several times
    --only PART        parts, pairs or scale; may be given several times
    --page FILE        puts the table into the page, between its two marks
    --profile          where the CPU goes instead of how much it is (needs perf)
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import profile_cpu
import rig
from rig import ROOT, BenchError, Rig, say

MARKS = "<!-- make bench -->\n", "<!-- end -->\n"
METADATA_ONLY = ("/services", "/controllerrevisions")  # as pkg/operator/sources.c has them
CHANGED = "cardata --bench.round=%d | predict | cassandra"
STARTS = 5
RESTARTS = 3


class Table:
    def __init__(self):
        self.rows = []

    def add(self, figure, aim, values, unit, how):
        """values: one number, or those of several runs."""
        values = sorted(values if isinstance(values, list) else [values])
        text = "**%s**" % number(statistics.median(values))
        if len(values) > 1:
            text += " (%s–%s)" % (number(values[0]), number(values[-1]))
        self.rows.append((figure, aim, (text + " " + unit).strip(), how))
        say("%s: %s" % (figure, self.rows[-1][2]))

    def text(self):
        lines = [("figure", "to reach", "measured", "how"), ("---",) * 4, *self.rows]
        return "".join("| %s |\n" % " | ".join(line) for line in lines)


def number(value):
    """Three digits that count."""
    if abs(value) >= 1e5:
        value = round(value, -3)
    return format(value, ",.0f") if abs(value) >= 100 or value == int(value) else "%.3g" % value


def milliseconds(values):
    return [v * 1000 for v in values]


# --- what needs no server --------------------------------------------------------------------


def measure_parts(args, table):
    done = subprocess.run([str(args.build / "test/bench/planner"), str(rig.SNAPSHOT)],
                          stdout=subprocess.PIPE, text=True, check=True)
    rows = {name: sorted(float(v) for v in values) for name, *values in
            (line.split() for line in done.stdout.splitlines())}
    measure_passes(args, table)
    table.add("a first plan: rendering 3 apps, revision packed", "≤ 500 µs",
              [v / 1e3 for v in rows["render"]], "µs", "`planner`, CPU of one, rounds of 500")
    table.add("stream definitions", "≥ 400,000/s", [1e9 / v for v in rows["definition"]], "/s",
              "`planner`, three apps each")
    measure_reader(args, table)
    with tempfile.TemporaryDirectory() as directory:
        stripped = Path(directory) / "penstock"
        shutil.copy(args.build / "penstock", stripped)
        subprocess.run(["strip", str(stripped)], check=True)
        table.add("binary, stripped", "≤ 1.5 MiB", stripped.stat().st_size / 2**20, "MiB", "strip")


def measure_passes(args, table):
    runs = [subprocess.run([str(args.build / "test/bench/pass")], stdout=subprocess.PIPE,
                           text=True, check=True).stdout for _ in range(3)]
    for name, aim, unit in (("a pass with nothing to do", "≤ 50 µs", "us"),
                            ("heap of a stream", "", "KiB")):
        values = [float(re.search(r"^%s +([\d.]+) %s" % (name, unit), run, re.M).group(1))
                  for run in runs]
        table.add(name, aim, values, unit.replace("us", "µs"),
                  "`pass`, with its snapshot from the stores; 3 runs")


def measure_reader(args, table):
    done = subprocess.run([str(args.build / "test/bench/reader"), str(rig.SNAPSHOT.parent)],
                          stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines()[1:]:
        name, length, _, read, *_, kept = line.split()
        table.add("a cached %s" % name, "", int(kept), "bytes", "`reader`, of %s bytes of JSON, "
                  "read in %.1f µs" % (length, int(read) / 1000))


# --- beside a bare writer --------------------------------------------------------------------


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def latencies(audit):
    """From its coming to its last child; from its being there to the first write."""
    _, crs = audit.applied()
    first, last = {}, {}
    for r in audit.mine():
        if r.verb == "create" and r.resource in ("deployments", "services", "controllerrevisions"):
            name = r.name.split("-")[0]
            first[name] = min(first.get(name, r.received), r.received)
            last[name] = max(last.get(name, r.done), r.done)
    return ([last[n] - cr.received for n, cr in crs.items()],
            [first[n] - cr.done for n, cr in crs.items()])


def one_run(args, side):
    """What each side is asked for; a side is an operator's binary, or None: the bare writer."""
    bare = side is None
    with Rig(args, side) as bench:
        if not bare:
            bench.start()
        bench.rest()
        server = bench.server_cpu()
        own = 0 if bare else rig.cpu(bench.pid)
        wall, writer = bench.write(args.pair_streams, bare=bare)
        bench.rest()
        own = writer if bare else rig.cpu(bench.pid) - own
        used = bench.server_cpu() - server + own + (0 if bare else writer)
        requests = len(bench.audit.mine())
        bench.check(args.pair_streams)
        bench.write(args.paced, first=args.pair_streams, bare=bare, rate=args.pace)
        to_last, to_first = latencies(bench.audit)
        return {"rate": args.pair_streams / wall, "cpu": used / args.pair_streams,
                "own": own / args.pair_streams, "requests": requests / args.pair_streams,
                "p50": percentile(to_last, 0.5), "first": to_first}


def take_turns(args, sides):
    """{side: its runs}; who begins changes from round to round."""
    runs = {side: [] for side in sides}
    for i in range(args.pairs):
        for side in sides[i % len(sides):] + sides[:i % len(sides)]:
            say("round %d of %d: %s" % (i + 1, args.pairs, side or "bare writer"))
            runs[side].append(one_run(args, side))
            say("  %(rate).2f streams/s, CPU %(cpu).4f s a stream, alone %(p50).3f s" %
                runs[side][-1])
    return runs


def measure_pairs(args, table):
    operator = args.build / "penstock"
    runs = take_turns(args, [operator, None, *args.also])
    for side in (operator, *args.also):
        compare(args, table, runs[side], runs[None], " (%s)" % side if args.also else "")


def compare(args, table, ours, bares, whose):
    def of(name, runs=ours):
        return [run[name] for run in runs]

    def ratio(name):
        return [a / b for a, b in zip(of(name), of(name, bares))]

    table.add("streams applied → all children and status" + whose, "", of("rate"), "streams/s",
              "%d pairs of %d streams" % (args.pairs, args.pair_streams))
    table.add("– the bare writer", "", of("rate", bares), "streams/s",
              "the same, %d connections" % args.connections)
    table.add("– beside the bare writer", "≥ 1.0 ×", ratio("rate"), "×", "rates of a pair")
    table.add("CPU of server and operator", "", milliseconds(of("cpu")), "ms a stream",
              "kube-apiserver, etcd, who applies; until all is quiet")
    table.add("– of it the operator's", "≤ 1.6 ms", milliseconds(of("own")), "ms",
              "the writer's, CRs and all: %.1f ms" % (1000 * statistics.median(of("own", bares))))
    table.add("– beside the bare writer's", "≤ 1.03 ×", ratio("cpu"), "×",
              "%.1f requests a stream, the writer %.1f" % (
                  statistics.median(of("requests")), statistics.median(of("requests", bares))))
    table.add("one stream alone: CR → all children, p50", "", milliseconds(of("p50")), "ms",
              "%d streams, %d a second; audit log" % (args.paced, args.pace))
    table.add("– beside the bare writer", "≤ 1.25 ×", ratio("p50"), "×",
              "bare writer: %.1f ms" % (1000 * statistics.median(of("p50", bares))))
    first = [v for run in ours for v in run["first"]]
    table.add("CR answered → its first write received, p50", "", 1000 * percentile(first, 0.5),
              "ms", "audit log; p99 %.1f ms; with the server's own way to the watch" % (
                  1000 * percentile(first, 0.99)))


# --- many streams ----------------------------------------------------------------------------


def memory_row(table, bench, number_of, aim):
    anonymous, resident = rig.memory(bench.pid)
    table.add("anonymous memory at %s streams" % format(number_of, ","), aim, anonymous, "MiB",
              "resident %.1f MiB" % resident)


MEMORY_AIMS = {0: "≤ 4 MiB", 1000: "≤ 10 MiB", 3000: "≤ 20 MiB", 10000: "≤ 60 MiB"}


def measure_starts(bench, table):
    starts = []
    for _ in range(STARTS):
        if bench.operator.running:
            bench.operator.stop()
        starts.append(bench.start())
    table.add("start to ready with nothing there", "≤ 0.1 s", starts, "s",
              "from fork to /readyz; %d starts" % STARTS)
    bench.rest()
    memory_row(table, bench, 0, MEMORY_AIMS[0])


def measure_growth(args, bench, table):
    there, used, writes, wall = 0, 0.0, 0, 0.0
    while there < args.streams:
        more = min(1000, args.streams - there)
        say("streams %d to %d" % (there, there + more))
        before = rig.cpu(bench.pid)
        wall += bench.write(more, first=there)[0]
        bench.rest()
        used += rig.cpu(bench.pid) - before
        writes += sum(1 for r in bench.audit.mine() if r.verb in rig.WRITES)
        there += more
        memory_row(table, bench, there, MEMORY_AIMS.get(there, ""))
    bench.check(args.streams)
    table.add("operator CPU for 1,000 streams", "≤ 1.6 s", used * 1000 / there, "s",
              "%.1f writes a stream, %.1f streams/s" % (writes / there, there / wall))


def measure_idle(args, bench, table):
    bench.audit.reset()
    before = rig.cpu(bench.pid)
    time.sleep(args.idle)
    used = rig.cpu(bench.pid) - before
    bench.audit.read()
    table.add("idle with %s streams: CPU in ten minutes" % format(args.streams, ","),
              "≤ 0.2 s at 1,000", used * 600 / args.idle, "s", "from %g s" % args.idle)
    table.add("– requests but watches", "0", len(bench.audit.mine()), "", "audit log")


def measure_restarts(args, bench, table):
    ready, used, writes, requests = [], [], [], []
    for _ in range(RESTARTS):
        bench.operator.stop()
        bench.audit.reset()
        ready.append(bench.start())
        bench.audit.wait_quiet(bench.operator.alive)
        used.append(rig.cpu(bench.pid))
        writes.append(sum(1 for r in bench.audit.mine() if r.verb in rig.WRITES))
        requests.append(len(bench.audit.mine()))
    lists = list_again(bench)
    at = "restart with %s streams: " % format(args.streams, ",")
    table.add(at + "ready", "", ready, "s", "from fork to /readyz")
    table.add("– beside a bare client's lists", "≤ 1.2 ×",
              [r / statistics.median(lists) for r in ready], "×",
              "bare client: %.2f s, %s–%s" % (statistics.median(lists), number(min(lists)),
                                              number(max(lists))))
    table.add("– CPU until quiet", "≤ 1.0 s at 3,000", used, "s",
              "%d requests but watches" % statistics.median(requests))
    table.add("– writes", "0", writes, "", "audit log")
    memory_row(table, bench, args.streams, "")
    table.rows[-1] = ("– " + table.rows[-1][0], *table.rows[-1][1:])


def list_again(bench):
    """Seconds of a client that lists, in pages, what the operator's last start has listed."""
    paths = {}
    for r in bench.audit.mine():
        if r.verb == "list":
            url = urllib.parse.urlsplit(r.uri)
            given = urllib.parse.parse_qs(url.query).get("labelSelector", [])
            query = urllib.parse.urlencode({"limit": 500, **({"labelSelector": given[0]}
                                                              if given else {})})
            mark = "+" if url.path.endswith(METADATA_ONLY) else ""
            paths["%s%s?%s" % (mark, url.path, query)] = True
    bench.operator.stop()
    times = [bench.tool("lister", "--token", bench.token, *paths)[0] for _ in range(RESTARTS)]
    bench.start()
    bench.audit.wait_quiet(bench.operator.alive)
    return times


def measure_changed(bench, table):
    """A stream is changed while no operator runs: when is it served after the start?"""
    after_list, after_start = [], []
    for i in range(RESTARTS):
        bench.operator.stop()
        bench.kubectl.patch(rig.STREAM, "s00000", {"spec": {"definition": CHANGED % i}}, rig.SPACE)
        bench.audit.reset()
        begin = time.time()
        bench.start()
        bench.audit.wait_quiet(bench.operator.alive)
        mine = bench.audit.mine()
        listed = max(r.done for r in mine if r.verb == "list" and
                     r.resource == "streamdeployments")
        first = min(r.received for r in mine if rig.is_write(r) and r.name.startswith("s00000"))
        after_list.append(first - listed)
        after_start.append(first - begin)
    table.add("– a stream changed meanwhile: its first write after the list of streams", "≤ 0.3 s",
              after_list, "s", "%.2f s after the fork" % statistics.median(after_start))


def measure_scale(args, table):
    with Rig(args) as bench:
        measure_starts(bench, table)
        measure_growth(args, bench, table)
        if args.idle > 0:
            measure_idle(args, bench, table)
        measure_restarts(args, bench, table)
        measure_changed(bench, table)


# --- the command -----------------------------------------------------------------------------


def into_page(page, text):
    old = page.read_text()
    before, found, rest = old.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not found or not end:
        raise BenchError("%s has no marks %s" % (page, " and ".join(m.strip() for m in MARKS)))
    page.write_text(before + MARKS[0] + text + MARKS[1] + after)


def conditions(begin_load):
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return "Commit %s, %s, %d cores, load %.1f before and %.1f after.\n\n" % (
        commit, time.strftime("%Y-%m-%d"), os.cpu_count(), begin_load, os.getloadavg()[0])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--pair-streams", type=int, default=150)
    parser.add_argument("--paced", type=int, default=30)
    parser.add_argument("--pace", type=int, default=10)
    parser.add_argument("--idle", type=float, default=20)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--only", action="append", choices=("parts", "pairs", "scale"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    args = parser.parse_args()
    if not (1 <= args.streams <= 99999 and args.pairs >= 1 and args.pair_streams >= 1):
        parser.error("--streams is from 1 to 99999, --pairs and --pair-streams from 1")
    return args


def main():
    args = parse()
    if args.profile:
        print(profile_cpu.profile(args), end="")
        return
    table = Table()
    load = os.getloadavg()[0]
    for name, measure in (("parts", measure_parts), ("pairs", measure_pairs),
                          ("scale", measure_scale)):
        if not args.only or name in args.only:
            measure(args, table)
    text = conditions(load) + table.text()
    print(text, end="", flush=True)
    if args.page:
        into_page(args.page, text)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit("bench: %s" % error)
