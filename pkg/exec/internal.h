/* SPDX-License-Identifier: Apache-2.0 */
/* Inside exec: job.c runs a job, memory.c keeps what it has learned, doubt.c what is not known of
 * its writes, event.c tells events, voice.c which ones were told already, slow.c which jobs take
 * long, cut.c what ends because a cluster goes. */
#ifndef PS_EXEC_INTERNAL_H
#define PS_EXEC_INTERNAL_H

#include "exec/exec.h"

#define EXEC__FACTS_MAX    ((size_t)512)
#define EXEC__TROUBLES_MAX ((size_t)16)
#define EXEC__TOLD_RESULTS 4

/* Facts and troubles of one job; texts are owned. */
struct exec__memory {
    struct plan_fact *facts;
    size_t fact_count;
    struct plan_trouble *troubles;
    size_t trouble_count;
};

void exec__memory_clear(struct exec__memory *memory);
/* object NULL: absent. Replaces what was known. */
void exec__memory_fact(struct exec__memory *memory, const struct plan_need *at,
                       struct json_t *object);
void exec__memory_trouble(struct exec__memory *memory, const struct plan_op *op,
                          const struct kube_response *response);

/* An object whose last write had no answer. */
struct exec__doubt {
    enum model_kind kind;
    char *namespace, *name; /* namespace NULL for cluster-scoped kinds */
    char *cluster;          /* NULL: the operator's own */
};

/* Those of one key; freed by exec__doubts_free. */
struct exec__doubts {
    struct exec__doubt *items;
    size_t count;
};

void exec__doubt_add(struct exec *exec, const char *key, const struct plan_need *at);
void exec__doubt_fini(struct exec__doubt *doubt);
/* As they are told to others; borrows. */
struct plan_need exec__doubt_at(const struct exec__doubt *doubt);
struct plan_need exec__op_at(const struct plan_op *op);
void exec__doubts_free(struct exec__doubts *doubts);

struct exec__job {
    struct exec *exec;
    char *key;
    struct exec__memory memory;
    struct plan *plan;
    int stage;      /* the next one to start */
    size_t pending; /* calls under way */
    int rounds;     /* plans asked for */
    int64_t started_ms;
    bool told_slow;
    bool failed;      /* an operation of this job has failed */
    bool retry;       /* … in a way that may pass by itself */
    int64_t min_ms;   /* the server asked to wait */
    bool tell;        /* … in a way that the status should show */
    bool blind;       /* a needed fact could not be read */
    bool status_only; /* operations have failed: tell, and stop */
    struct exec__call *calls;
};

/* One call under way. */
struct exec__call {
    struct exec__call *next, *prev;
    struct exec__job *job;
    struct kube_call *call;
    size_t index; /* of the need or operation */
    void (*answer)(struct exec__call *call, const struct kube_response *response);
    struct exec__doubt doubt; /* of a read-back */
    char *cluster;            /* NULL: the operator's own */
    bool write;
};

void exec__call_answer(struct exec__call *call, const struct kube_response *response);
/* What it waits for: "POST https://… and 2 more". */
void exec__job_print(const struct exec__job *job, struct ps_buf *out);

/* ---- voice.c -------------------------------------------------------------------------------- */

/* Equal events of one object; valid while busy, or until the next exec__voices_say. */
struct exec__series {
    struct exec__series *next;
    struct exec__voice *voice;
    uint64_t what;
    int64_t last_ms;
    int64_t count; /* how often it was to be told */
    char *name;    /* of the Event, once it is there; NULL before */
    bool busy;     /* a call about it is under way */
};

struct exec__voices {
    struct ps_map by_object; /* about -> exec__voice */
    struct exec__voice *newest, *oldest;
};

void exec__voices_init(struct exec__voices *voices);
void exec__voices_fini(struct exec__voices *voices);
/* Counts an event. *tell: it is to be told, as a new one (count 1) or as a repetition. NULL: not to
 * be told, and of no series. `what` is a hash of all that makes two events of an object equal. */
struct exec__series *exec__voices_say(struct exec__voices *voices, const char *about, uint64_t what,
                                      int64_t now_ms, bool *tell);
/* It could not be told: the next one like it is new. */
void exec__series_drop(struct exec__series *series);

struct exec {
    struct kube_client *client;
    struct exec_callbacks callbacks;
    char *instance;
    struct ps_map jobs;      /* key -> exec__job */
    struct ps_map doubts;    /* key -> exec__doubts */
    struct exec__told *told; /* events under way */
    struct exec__voices voices;
    struct metrics_value *told_counts[EXEC__TOLD_RESULTS];
    uint64_t event_number;
};

void exec__event_cancel_all(struct exec *exec);

#endif
