/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: carries out plans. It asks for a plan, fetches the facts that it needs, performs its
 * operations stage by stage (those of a stage at once), writes the status last, and tells events.
 *
 * The executor decides nothing: an answer is fed back as an observation, a failure as a trouble,
 * and the planner is asked again. One job for a key at a time: the caller's queue sees to that. A
 * write whose effect is unknown (no answer came) is read back before the key is planned again, also
 * in a later job.
 *
 * An operation may be for another cluster than the operator's own, by a name that the caller gives
 * a client for. What is said of clusters here is said with that name; NULL is the operator's own.
 */
#ifndef PS_EXEC_H
#define PS_EXEC_H

#include "base/base.h"
#include "kube/kube.h"
#include "plan/plan.h"

struct exec;

/* The object that a job is about: its status is written, its events are told. */
struct exec_subject {
    enum model_kind kind;
    const char *namespace, *name; /* namespace NULL for cluster-scoped kinds */
    const char *uid;              /* NULL when the object is gone: no status, no events */
};

struct exec_callbacks {
    /* A new plan from the facts so far; the executor frees it. */
    struct plan *(*plan)(void *self, const char *key, const struct plan_fact *facts,
                         size_t fact_count, const struct plan_trouble *troubles,
                         size_t trouble_count);
    /* Borrowed until the next observation. */
    void (*subject)(void *self, const char *key, struct exec_subject *out);
    /* The server's own words about an object, newer than what the watch has shown. `written`: as an
     * operation has just left it, all that we manage included. */
    void (*observe)(void *self, const char *cluster, enum model_kind kind, struct ps_str text,
                    bool written);
    /* A live read found nothing under the name. */
    void (*absent)(void *self, const struct plan_need *at);
    /* The client for another cluster; NULL: nothing may be asked of it now, and what was to be sent
     * counts as decided on an older state. Without this callback there are no others. */
    struct kube_client *(*client)(void *self, const char *cluster);
    /* A call to another cluster went as if it were not there, or did not know us. May not end it.
     */
    void (*suspect)(void *self, const char *cluster);
    /* The end of a job: retry_ms < 0: nothing to do until something changes; >= 0: again after that
     * time; failed: again after the key's backoff, at least min_ms. */
    void (*done)(void *self, const char *key, bool failed, int64_t retry_ms, int64_t min_ms);
    void *self;
};

struct exec *exec_new(struct kube_client *client, const struct exec_callbacks *callbacks,
                      const char *instance);
void exec_free(struct exec *exec); /* cancels all jobs; no callback after this */

/* `done` may come before this returns, when there is nothing to fetch and nothing to write. */
void exec_run(struct exec *exec, const char *key);

/* Logs, once for each, the jobs that have run for longer, and what they wait for. How many. */
size_t exec_tell_slow(struct exec *exec, int64_t slow_ms);

/* The client for another cluster is about to go, or is not answered, and `client` no longer gives
 * it: calls under way end now, those that write without a known effect. `why` is for people. */
void exec_cut(struct exec *exec, const char *cluster, const char *why);
/* The cluster is gone for good: nobody will ever know what became of a write there. */
void exec_forget(struct exec *exec, const char *cluster);

/* Between two jobs of the key: there are writes of it whose effect is not known. */
bool exec_in_doubt(const struct exec *exec, const char *key);

/* One event about an object, told without waiting and given up when it fails. One that was told in
 * the last six minutes is counted in the Event that is there; above 25 at once, and then one in
 * five minutes, those of one object stand in the log only. */
void exec_event(struct exec *exec, const struct exec_subject *subject, bool warning,
                const char *reason, const char *note);
/* Counts penstock_events_total{result}; the registry outlives exec. */
void exec_measure(struct exec *exec, struct metrics *metrics);
/* How many are on their way to the API server. */
size_t exec_events(const struct exec *exec);

/* The kind as kube wants it. */
const struct kube_kind *exec_kind(enum model_kind kind);

#endif
