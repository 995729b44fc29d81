# SPDX-License-Identifier: Apache-2.0
"""Where the operator's CPU goes: perf's samples, by package and library and by function.

A sample counts twice: for the place where it was taken (a library's own function, say), and for who
wanted it: the innermost function of Penstock on its stack that is not of package base, whose memory
and texts everybody uses.
"""

import collections
import os
import re
import shutil
import signal
import subprocess

import rig
from rig import BenchError, Rig, say

FREQUENCY = 299  # a second; no divisor of the kernel's ticks
STACK = 16384    # bytes of stack kept for each sample
FRAME = re.compile(r"^\s+([0-9a-f]+) (.*?)(?:\+0x[0-9a-f]+)? \((.*)\)$")
SOURCE = re.compile(r"/(?:pkg|cmd)/([\w-]+)/[\w.-]+:")
TOP = 30


class Recording:
    """Of a process that runs or is stopped; begins before this returns."""

    def __init__(self, pid, path):
        self.path = path
        pipes = [path.with_suffix(end) for end in (".control", ".answer")]
        for pipe in pipes:
            os.mkfifo(pipe)
        self.child = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "--call-graph", "dwarf,%d" % STACK,
             "-F", str(FREQUENCY), "-D", "-1", "--control", "fifo:%s,%s" % tuple(pipes),
             "-p", str(pid), "-o", str(path)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(pipes[0], "w") as control:
            control.write("enable\n")
        with open(pipes[1]) as answer:
            answer.readline()

    def stop(self):
        self.child.terminate()
        self.child.wait()


def script(path):
    """Lines of perf's text; addresses in it are those of the file, not of the process."""
    done = subprocess.run(["perf", "script", "-i", str(path), "--no-inline", "-F", "ip,sym,dso"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode != 0:
        raise BenchError("perf script ended with status %d" % done.returncode)
    return done.stdout.splitlines()


def samples(lines):
    """The frames of each sample, innermost first: (address, function, file)."""
    stack = []
    for line in lines:
        found = FRAME.match(line)
        if found:
            stack.append((int(found.group(1), 16), found.group(2), found.group(3)))
        elif stack:
            yield stack
            stack = []
    if stack:
        yield stack


def packages(binary, addresses):
    """{address in the file: package}; inlined functions belong to where they are written."""
    ordered = sorted(addresses)
    done = subprocess.run(["addr2line", "-e", str(binary)], stdout=subprocess.PIPE, text=True,
                          input="\n".join(map(hex, ordered)), check=True)
    found = map(SOURCE.search, done.stdout.splitlines())
    return {a: m.group(1) if m else "?" for a, m in zip(ordered, found)}


def library(file):
    if file.startswith("[") or "vmlinux" in file or file.endswith(".ko"):
        return "kernel"
    return file.rsplit("/", 1)[-1].split(".so")[0].split("-")[0]


class Profile:
    """Shares of all samples."""

    def __init__(self, path, binary):
        self.binary = str(binary)
        stacks = list(samples(script(path)))
        self.place = packages(binary, {f[0] for stack in stacks for f in stack
                                       if f[2] == self.binary})
        self.total = len(stacks)
        self.at, self.at_functions, self.by = (collections.Counter() for _ in range(3))
        for stack in stacks:
            self._count(stack)

    def _where(self, frame):
        address, _, file = frame
        return self.place.get(address, "?") if file == self.binary else library(file)

    def _count(self, stack):
        self.at[self._where(stack[0])] += 1
        self.at_functions[self._where(stack[0]), stack[0][1]] += 1
        ours = [f for f in stack if f[2] == self.binary]
        own = next((f for f in ours if self._where(f) != "base"), ours[0] if ours else None)
        self.by[(self._where(own), own[1]) if own else ("?", "no stack")] += 1

    def rows(self, counter, limit):
        return "".join("%6.1f %%  %s\n" % (
            100 * n / self.total, key if isinstance(key, str) else "%-12s %s" % key)
            for key, n in counter.most_common(limit))

    def text(self, title):
        groups = collections.Counter()
        for (where, _), n in self.by.items():
            groups[where] += n
        return "".join((
            "%s: %d samples, %.2f s\n" % (title, self.total, self.total / FREQUENCY),
            "\nwhere it is spent\n", self.rows(self.at, TOP),
            "\nfor which package\n", self.rows(groups, TOP),
            "\nfunctions, themselves\n", self.rows(self.at_functions, TOP),
            "\nfunctions of ours, with the libraries under them\n", self.rows(self.by, TOP), "\n"))


def profile(args):
    for program in ("perf", "addr2line"):
        if not shutil.which(program):
            raise BenchError("%s is not there; Debian has it in linux-perf and binutils" % program)
    binary = (args.build / "penstock").resolve()
    text = ""
    with Rig(args) as bench:
        bench.start()
        bench.rest()
        say("profile: %d streams" % args.streams)
        recording = Recording(bench.pid, bench.dir / "perf.data")
        bench.write(args.streams)
        bench.rest()
        recording.stop()
        text += Profile(recording.path, binary).text("%d streams applied" % args.streams)
        bench.operator.stop()
        bench.audit.reset()
        bench.operator.start(wait=False)
        bench.operator.process.send_signal(signal.SIGSTOP)  # until perf listens
        recording = Recording(bench.pid, bench.dir / "restart.data")
        bench.operator.process.send_signal(signal.SIGCONT)
        bench.audit.wait_quiet(bench.operator.alive)
        recording.stop()
        text += Profile(recording.path, binary).text("restart with %d streams" % args.streams)
    return text
