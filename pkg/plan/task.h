/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside plan: the pass of a task.
 *   task_apps.c    definition + properties + registry + account -> the app of a launch
 *   task_job.c     that app -> the Job of an attempt
 *   task.c         the pass: may the next attempt start
 *   task_attempt.c what became of the last one, and the care of its Job
 *   task_end.c     the end of a launch, and Jobs of one that is gone
 *   task_status.c  the record in the status, and what to tell
 */
#ifndef PS_PLAN_TASK_H
#define PS_PLAN_TASK_H

#include "plan/internal.h"

/* Never fails: what is wrong stands in wanted->reason. One app when nothing is. */
void plan__task_app(struct ps_arena *arena, const struct model_task *task,
                    const struct model_account *account, const struct model_registry *registry,
                    struct plan__wanted *wanted);

/* One attempt, on its way to a Job. */
struct plan__attempt {
    const struct model_task *task;
    const struct plan__app *app;
    const char *installation;
    const char *namespace;   /* of the Job */
    const char *account_uid; /* of the account that leads to its cluster; NULL: the operator's */
    const char *image;       /* of an earlier attempt: the same again; NULL: app->image */
    int64_t number;          /* from 1 */
    int64_t deadline_s;      /* what is left of the launch's; -1 = none */
};

/* "<launch, at most 45 characters>-<8 hex digits of the uid's hash>-<attempt>": unique for a launch
 * and an attempt, at most 63 characters. */
const char *plan__job_name(struct ps_arena *arena, const struct model_task *task, int64_t attempt);
/* The Job to create. New reference. */
struct json_t *plan__job(struct ps_arena *arena, const struct plan__attempt *attempt);

/* The name of the attempt as the app records it, where it has a database. */
#define PLAN__EXECUTION_ID "spring.cloud.task.external-execution-id"
/* Does the argument set that? It is the operator's. */
bool plan__is_own_argument(const char *argument);
/* spec.taskName, or the app's label, which is its name when it has none. */
const char *plan__task_name(const struct model_task *task, const struct plan__app *app);

/* ---- the pass ------------------------------------------------------------------------------- */

/* What the status says of a launch: read from it, carried on, and written back. */
struct plan__record {
    enum model_task_phase phase;
    enum model_attempt_state state;           /* of the last attempt */
    int64_t attempt;                          /* its number; 0 = none yet */
    int64_t retries;                          /* attempts that failed and count against the limit */
    int64_t start_ms, completion_ms, next_ms; /* 0 = not yet */
    int64_t exit_code;                        /* of the last attempt; -1 = not known */
    const char *namespace, *name, *uid;       /* of its Job; uid NULL until it was seen */
    const char *cluster;                      /* where it is; NULL: the operator's own */
    const char *image, *version;
    const char *message; /* of the last attempt */
    const char *reason;  /* of condition Ready */
};

struct plan__task_pass {
    const struct plan_snapshot *s;
    struct plan *plan;
    struct ps_arena *arena; /* the plan's */
    struct model_task task;
    const struct plan_platform *platform; /* NULL: there is none */
    const struct model_account *account;  /* NULL: there is none */
    const struct model_object *target;    /* the namespace it leads to; NULL: there is none */
    const char *cluster;                  /* that it leads to; NULL: the operator's own */
    bool unreadable;                      /* the spec: an attempt under way is only watched */
    const struct model_object **own;      /* Jobs of this very launch, newest attempt first */
    size_t own_count;
    const struct model_object **predecessors;
    size_t predecessor_count;
    struct plan__record before, now;
    struct plan__wanted wanted;
    const char *reason, *message; /* of condition Ready, and of status.message */
    const char *refused;          /* reason of Accepted=False, or NULL */
    bool connecting;              /* a cluster is read for the first time: nothing new is said */
    bool unseen;                  /* the attempt under way is where nobody can look now */
    bool stalled;                 /* somebody has to do something */
    bool record_first;            /* operations of later stages rely on the status */
};

static inline bool plan__is_active(const struct plan__record *record)
{
    return record->state == MODEL_ATTEMPT_STARTING || record->state == MODEL_ATTEMPT_RUNNING;
}

static inline bool plan__is_final(const struct plan__record *record)
{
    return record->phase == MODEL_TASK_COMPLETE || record->phase == MODEL_TASK_FAILED;
}

/* The Job on record. */
static inline struct plan_need plan__job_key(const struct plan__task_pass *pass)
{
    const struct plan__record *now = &pass->now;

    return (struct plan_need){MODEL_JOB, now->namespace, now->name, now->cluster};
}

/* task.c: the phase with its reason. */
void plan__task_say(struct plan__task_pass *pass, enum model_task_phase phase, const char *reason,
                    const char *message);
/* task_attempt.c: from the Job of the attempt under way to its state; false: look again first (a
 * fact is missing, or the watch is behind). */
bool plan__settle_attempt(struct plan__task_pass *pass);
/* An attempt of which nobody knows whether it ran is repeated only where the launch says so. */
bool plan__may_go_on(struct plan__task_pass *pass);
/* Stops what must not run, and lets go of Jobs whose end is on record. */
void plan__tend_jobs(struct plan__task_pass *pass);
/* Is no pod of an earlier attempt left? */
bool plan__is_quiet(const struct plan__task_pass *pass);
/* task_end.c */
void plan__task_gone(struct plan__task_pass *pass);
void plan__task_cleanup(struct plan__task_pass *pass);
/* True when the pass has to wait for the live launch. */
bool plan__task_predecessors(struct plan__task_pass *pass);
void plan__task_expire(struct plan__task_pass *pass);
void plan__release_job(struct plan *plan, int stage, const struct model_object *job);
/* task_status.c */
void plan__record_read(struct plan__task_pass *pass);
void plan__task_status(struct plan__task_pass *pass);

#endif
