/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: prepared plans against a scripted API server. Everything that happens is written into one
 * journal, in its order: what the planner was asked with, what the server was asked, what was
 * observed, and how the job ended.
 */
#ifndef PS_TEST_JOB_H
#define PS_TEST_JOB_H

#include "exec/exec.h"
#include "plan/internal.h"
#include "support/script.h"

#define JOB_ENOUGH_MS   5000
#define JOB_PLANS_MAX   16
#define JOB_HELD_MAX    8
#define JOB_KEY         "stream/n/s"
#define JOB_DEPLOYMENTS "/apis/apps/v1/namespaces/n/deployments"
#define JOB_SERVICES    "/api/v1/namespaces/n/services"
#define JOB_STATUS      "/apis/penstock.dev/v1alpha1/namespaces/n/streamdeployments/s/status"
#define JOB_TASK_KEY    "task/n/t"
#define JOB_TASK        "/apis/penstock.dev/v1alpha1/namespaces/n/tasklaunches/t"
#define JOB_JOBS        "/apis/batch/v1/namespaces/n/jobs"
#define JOB_EVENTS      "/apis/events.k8s.io/v1/namespaces/n/events"
#define JOB_CLUSTER     "gpu"
#define JOB_TAKEN                                                                                  \
    "{\"kind\":\"Status\",\"code\":409,\"reason\":\"AlreadyExists\",\"message\":\"taken\"}"
#define JOB_CHANGED                                                                                \
    "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\",\"message\":\"changed\"}"

enum job_how {
    JOB_ANSWER,
    JOB_CLOSE, /* after the request was read, without an answer */
    JOB_HOLD,  /* the test lets it go */
};

/* What the server does with a request that is asked the `times`-th time or earlier. */
struct job_rule {
    const char *line; /* "PATCH /path" */
    int status;
    const char *headers, *body; /* NULL = none; the object itself */
    enum job_how how;
    int times; /* 0 = always */
};

struct job_held {
    struct script_peer *peer;
    char *line, *body;
};

struct job_fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    /* Another cluster, "gpu": its lines begin with "gpu:", also in rules. */
    struct script *other_script;
    struct kube_client *other;
    struct kube_config other_config;
    bool away; /* … may not be asked */
    struct exec *exec;
    struct plan *plans[JOB_PLANS_MAX]; /* handed out in this order, then plans with nothing */
    size_t plan_count, planned;
    bool endless; /* needs without end instead */
    struct job_rule *rules;
    struct job_held held[JOB_HELD_MAX];
    size_t held_count, stop_at_held;
    const char *stop_at_line;
    struct ps_buf journal;
    int done, stop_at_done;
    bool gone;    /* the subject */
    bool is_task; /* the subject is a launch, n/t, not a stream, n/s */
};

void job_setup(struct job_fixture *f, struct job_rule *rules);
void job_teardown(struct job_fixture *f);

/* The next plan to hand out; the status is a number to tell plans apart, 0 = none. */
struct plan *job_prepare(struct job_fixture *f, int status);
/* One more operation, on namespace n. */
void job_op(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
            const char *name);

/* The same in the other cluster. */
void job_op_there(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
                  const char *name);

/* One more need, and one in the other cluster; texts are borrowed for as long as the plan lives. */
void job_need(struct plan *plan, enum model_kind kind, const char *namespace, const char *name);
void job_need_there(struct plan *plan, enum model_kind kind, const char *namespace,
                    const char *name);

/* One whole job of the subject's key. */
void job_run(struct job_fixture *f);
void job_until_done(struct job_fixture *f, int count);
/* Ends what is held, the last first, with an answer or without; how many there were. */
size_t job_let_go(struct job_fixture *f, bool answer);

/* Exactly that has happened since the last look. */
void job_happened(struct job_fixture *f, const char *expected);
/* Where in the journal the line is; fails when it is not. */
ptrdiff_t job_at(const struct job_fixture *f, const char *line);
bool job_is_in(const char *text, const char *part);

#endif
