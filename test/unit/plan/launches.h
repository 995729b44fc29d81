/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small API server in memory with two TaskLaunches, one/train and two/train, whose Jobs may run
 * in one namespace, here or in another cluster; a view of it that lags behind, kind by kind, and
 * loses sight of the other cluster; and an executor that carries plans out, dies and loses answers.
 * Every write is held against the laws of a launch.
 */
#ifndef PS_TEST_LAUNCHES_H
#define PS_TEST_LAUNCHES_H

#include "support/snapshot.h"

#define LAUNCHES        2
#define LAUNCHES_NAME   "train"
#define LAUNCHES_TARGET "work" /* of account "there"; "here" has none */
#define LAUNCHES_FAR    "far"  /* an account, its cluster, and the namespace there */
#define LAUNCHES_KINDS  3      /* TaskLaunch, Job, Pod */

/* Chances in percent. */
struct launches_weather {
    int kill;     /* the executor dies in or before a write */
    int lose;     /* a write has no answer: done, not done, or done later */
    int conflict; /* somebody else writes the object first */
    int blind;    /* a read fails */
    int between;  /* something happens between two calls */
};

struct launches {
    uint64_t random;
    int64_t now_ms;
    int number;                            /* of the last uid and resourceVersion */
    struct json_t *server[LAUNCHES_KINDS]; /* "namespace/name" -> object */
    struct json_t *view[LAUNCHES_KINDS];   /* the same, as the watch has it */
    struct json_t *events[LAUNCHES_KINDS]; /* on their way: [{object, gone, at}] */
    struct json_t *late;                   /* writes that are done later: [{verb, …}] */
    struct json_t *doubts[LAUNCHES];       /* [{kind, namespace, name}] */
    struct json_t *ledger;                 /* "uid/attempt" -> what became of it */
    struct json_t *laws;                   /* uid -> {limit, stops} */
    bool full;                             /* no slot is free */
    bool steady;                           /* the controllers never dawdle */
    bool away;                             /* nobody can see the other cluster, or write there */
    bool planned_away;                     /* so it was when the plan was made */
    struct launches_weather weather;
    void (*between)(struct launches *world); /* may be NULL */
    int64_t wake_ms;                         /* of the last plan */
    struct ps_buf trace;
};

extern const char *const launches_namespaces[LAUNCHES];

void launches_init(struct launches *world, uint64_t seed);
void launches_fini(struct launches *world);
/* Fails the test, with the last that was done. */
_Noreturn void launches_fail(const struct launches *world, const char *what);
#define LAUNCHES_CHECK(world, cond)                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            launches_fail(world, #cond);                                                           \
    } while (0)

/* From 0 to n - 1. */
int launches_random(struct launches *world, int n);
bool launches_chance(struct launches *world, int percent);

/* ---- the server; objects are borrowed until the next write ----------------------------------- */

struct json_t *launches_all(const struct launches *world, enum model_kind kind);
struct json_t *launches_find(const struct launches *world, enum model_kind kind,
                             const char *namespace, const char *name);
struct json_t *launches_by_uid(const struct launches *world, enum model_kind kind, const char *uid);
/* Takes the new state of an object, and gives it a version; what is being deleted and has no
 * finalizer is gone. A new one gets its uid. */
void launches_put(struct launches *world, enum model_kind kind, struct json_t *object);
/* What the last write of that kind has made. */
const struct json_t *launches_last(const struct launches *world, enum model_kind kind);
void launches_delete(struct launches *world, enum model_kind kind, const struct json_t *object);
/* What is on record of an attempt of that Job; a member is made when it is not there. */
struct json_t *launches_entry(struct launches *world, const struct json_t *job);
struct json_t *launches_attempt(struct launches *world, const char *uid, int64_t attempt);
struct json_t *launches_law(struct launches *world, const char *uid);
/* An answer that came past the watch. */
void launches_see(struct launches *world, enum model_kind kind, const struct json_t *object);
void launches_see_absent(struct launches *world, enum model_kind kind, const char *namespace,
                         const char *name);
/* Another executor lists anew; what was in flight still is. */
void launches_restart(struct launches *world);
/* The other cluster is out of sight, or back: then it is listed anew. */
void launches_hide(struct launches *world, bool restart);
void launches_show(struct launches *world);
bool launches_is_far(const struct json_t *object);
/* The view learns of the next `percent` of the events, or of all. */
void launches_deliver(struct launches *world, int percent);

/* ---- launches_exec.c: the executor
 * ---------------------------------------------------------------------------- */

/* Writes of which nobody knows happen now. */
void launches_commit_late(struct launches *world);
/* One job of launch `which`: true when it had nothing to do and wrote nothing. */
bool launches_job(struct launches *world, size_t which);

/* ---- launches_laws.c: fail the test ------------------------------------------------------------
 */

/* The Job that the status of a launch names, or NULL. */
const char *launches_job_name(const struct json_t *task);
/* A status, a Job's patch before they are written; a Job before it is asked for. */
void launches_check_status(struct launches *world, const struct json_t *before,
                           const struct json_t *after);
void launches_check_job(struct launches *world, const struct json_t *before,
                        const struct json_t *after);
void launches_check_intent(struct launches *world, const struct json_t *job);

/* ---- launches_jobs.c: the Job controller, the kubelet and the collector of garbage ------------
 */

/* Half a second passes; true when something went on. */
bool launches_tick(struct launches *world);

#endif
