# SPDX-License-Identifier: Apache-2.0
"""What really happened to the launches of tasks, from the API server's own history.

History records every version of every Job, pod and TaskLaunch; the functions below it look for
what must never be in there. They ask neither the operator nor its log nor the proxy.
"""

import collections
import json
import subprocess
import threading
import time

TASK = "tasklaunches.penstock.dev"
KINDS = {TASK: "/apis/penstock.dev/v1alpha1/tasklaunches", "jobs.batch": "/apis/batch/v1/jobs",
         "pods": "/api/v1/pods"}
OWNER_UID = "penstock.dev/owner-uid"
ATTEMPT = "penstock.dev/attempt"
TERMINAL = ("Complete", "Failed")


class History:
    """All versions of some kinds, in the server's order within a kind, from its start on."""

    def __init__(self, kubectl, kinds=tuple(KINDS)):
        self.kubectl = kubectl
        self.events = {kind: [] for kind in kinds}   # of (type, object)
        self.watches = {}

    def __enter__(self):
        for kind in self.events:
            begin = json.loads(self.kubectl("get", "--raw", KINDS[kind] + "?limit=1"))
            watch = subprocess.Popen(
                [*self.kubectl.base, "get", "--raw", "%s?watch=1&resourceVersion=%s" % (
                    KINDS[kind], begin["metadata"]["resourceVersion"])],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            threading.Thread(target=self._read, args=(kind, watch), daemon=True).start()
            self.watches[kind] = watch
        return self

    def __exit__(self, *exc):
        for watch in self.watches.values():
            watch.kill()
            watch.wait()

    def _read(self, kind, watch):
        for line in watch.stdout:
            event = json.loads(line)
            self.events[kind].append((event["type"], event["object"]))

    def sync(self, timeout=20):
        """Waits until the history shows what the server shows now."""
        deadline = time.monotonic() + timeout
        for kind, seen in self.events.items():
            there = {o["metadata"]["uid"]: o["metadata"]["resourceVersion"]
                     for o in self.kubectl.list(kind)
                     if any(o["metadata"]["uid"] == e["metadata"]["uid"] for _, e in list(seen))}
            while there:
                assert self.watches[kind].poll() is None, "the watch of %s ended" % kind
                known = {(o["metadata"]["uid"], o["metadata"]["resourceVersion"])
                         for _, o in list(seen)}
                there = {u: rv for u, rv in there.items() if (u, rv) not in known}
                assert time.monotonic() < deadline, "%s: %d events, without %s" % (
                    kind, len(seen), there)
                time.sleep(0.05)

    def versions(self, kind, match):
        """(type, object) of all versions of the objects that match."""
        return [(t, o) for t, o in list(self.events[kind]) if match(o)]

    def launch(self, uid):
        return self.versions(TASK, lambda o: o["metadata"]["uid"] == uid)

    def jobs(self, *uids):
        """Versions of the Jobs of launches."""
        return self.versions(
            "jobs.batch", lambda o: o["metadata"].get("labels", {}).get(OWNER_UID) in uids)

    def pods(self, job_uid):
        return {o["metadata"]["uid"] for _, o in self.versions("pods", lambda o: any(
            r["uid"] == job_uid for r in o["metadata"].get("ownerReferences", [])))}


def ended(job):
    """Complete or Failed; None while its pods may still run."""
    for c in job.get("status", {}).get("conditions", []):
        if c["type"] in TERMINAL and c["status"] == "True":
            return c["type"]
    return None


def attempt_of(job):
    return int(job["metadata"]["labels"][ATTEMPT])


def complaints(history, uid, attempts):
    """What is wrong with the life of one launch that was to make that many attempts: a list of
    sentences."""
    versions = history.launch(uid)
    if not versions:
        return ["no launch with uid %s was ever seen" % uid]
    jobs = history.jobs(uid)
    return [*_counts(history, jobs, attempts), *overlaps(jobs), *_intents(versions, jobs),
            *_ends(jobs), *_phases(versions)]


def _counts(history, jobs, attempts):
    """One Job for each attempt, one pod for each Job."""
    made = collections.defaultdict(dict)
    for _, job in jobs:
        made[attempt_of(job)][job["metadata"]["uid"]] = job["metadata"]["name"]
    if sorted(made) != list(range(1, attempts + 1)):
        yield "attempts made: %s, expected 1 to %d" % (sorted(made), attempts)
    for number, uids in sorted(made.items()):
        if len(uids) != 1:
            yield "attempt %d was started %d times: Jobs %s" % (
                number, len(uids), sorted(uids.values()))
        for job_uid, name in uids.items():
            pods = history.pods(job_uid)
            if len(pods) > 1:
                yield "Job %s had %d pods" % (name, len(pods))


def overlaps(jobs):
    """When a Job begins, those before it have ended."""
    open_jobs, seen = {}, set()
    for kind, job in jobs:
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        if uid not in seen and open_jobs:
            yield "Job %s began while %s had not ended" % (name, sorted(open_jobs.values()))
        seen.add(uid)
        if kind == "DELETED" or ended(job):
            open_jobs.pop(uid, None)
        else:
            open_jobs[uid] = name


def _intents(versions, jobs):
    """Before a Job stands its attempt number in the status (revisions of one etcd compare)."""
    seen = set()
    for _, job in jobs:
        if job["metadata"]["uid"] in seen:
            continue
        seen.add(job["metadata"]["uid"])
        made = int(job["metadata"]["resourceVersion"])
        before = [o.get("status", {}).get("attempt", 0) for _, o in versions
                  if int(o["metadata"]["resourceVersion"]) < made]
        if max(before, default=0) < attempt_of(job):
            yield "Job %s was made before its attempt was recorded (%s)" % (
                job["metadata"]["name"], before)


def _ends(jobs):
    """Nothing holds a Job that has ended or is to go."""
    last = {o["metadata"]["name"]: (t, o) for t, o in jobs}
    for name, (kind, job) in sorted(last.items()):
        over = ended(job) or "deletionTimestamp" in job["metadata"]
        if kind != "DELETED" and over and job["metadata"].get("finalizers"):
            yield "Job %s keeps %s" % (name, job["metadata"]["finalizers"])


def _phases(versions):
    """A number of attempts never falls, and what is over stays as it is."""
    attempt, end = 0, None
    for _, launch in versions:
        status = launch.get("status", {})
        if status.get("attempt", 0) < attempt:
            yield "status.attempt fell from %d to %s" % (attempt, status.get("attempt"))
        attempt = status.get("attempt", 0)
        now = {k: status.get(k) for k in ("phase", "attempt", "exitCode", "completionTime")}
        if end and now != end:
            yield "after the end %s came %s" % (end, now)
        if now["phase"] in TERMINAL:
            end = now


def creates(audit_log, since=0):
    """{(namespace, name): how often a create of a Job of that name was answered 201}."""
    counts = collections.Counter()
    with open(audit_log, "rb") as f:
        f.seek(since)
        for line in f.read().split(b"\n")[:-1]:
            event = json.loads(line)
            ref = event.get("objectRef", {})
            if (event["verb"], ref.get("resource"), event["stage"]) == (
                    "create", "jobs", "ResponseComplete") and (
                    event["responseStatus"]["code"] == 201):
                counts[ref["namespace"], ref["name"]] += 1
    return counts
