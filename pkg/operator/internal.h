/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside operator:
 *   store.c     objects of one kind as last seen: projections, or the text of our own kinds
 *   sources.c   one reflector for each kind
 *   changes.c   what is watched, and whom a change concerns
 *   cluster.c   other clusters, with cluster_state.c, secrets.c and remote.c: see cluster.h
 *   registry.c  app registries by namespace
 *   accounts.c  accounts, parsed once for each change
 *   keys.c      what passes are about, as texts
 *   snapshot.c  what is known of a stream or launch
 *   streams.c   the snapshot of a stream's pass
 *   tasks.c     the snapshot of a launch's pass
 *   slots.c     how launches stand towards the limit of their account
 *   admin.c     health endpoints
 *   measure.c   metrics
 *   guard.[ch]  who may read them
 *   debug.c     how everything stands, as JSON
 *   operator.c  wiring, start and stop
 */
#ifndef PS_OPERATOR_INTERNAL_H
#define PS_OPERATOR_INTERNAL_H

#include "exec/exec.h"
#include "operator/cluster.h"
#include "operator/guard.h"
#include "operator/operator.h"
#include "operator/slots.h"
#include "operator/store.h"

struct operator__account {
    struct ps_arena arena;
    struct json_t *object;
    struct model_account *account;
};

/* ---- measure.c ------------------------------------------------------------------------------ */

#define OPERATOR__RESULTS       4
#define OPERATOR__STREAM_PHASES 7
#define OPERATOR__TASK_PHASES   (MODEL_TASK_UNKNOWN + 1)

/* Handles; all NULL when nothing is counted. */
struct operator__measures {
    struct metrics *metrics;
    struct metrics_hook *hook;
    struct ps_map running;  /* key -> when its pass began, int64_t in ns, owned */
    struct ps_map accounts; /* name -> its gauges, owned */

    struct {
        struct metrics_value *passes[OPERATOR__RESULTS], *errors, *active, *objects, *bytes;
        struct metrics_histogram *time;
    } of[MODEL_KIND_COUNT];

    struct metrics_value *streams[OPERATOR__STREAM_PHASES], *tasks[OPERATOR__TASK_PHASES];
};

void operator__measure_init(struct controller *op, struct metrics *metrics, size_t concurrency);
void operator__measure_fini(struct operator__measures *m);
void operator__measure_store(struct operator__measures *m, const struct operator__store *store);
void operator__measure_run(struct operator__measures *m, enum model_kind kind, const char *key);
void operator__measure_done(struct operator__measures *m, enum model_kind kind, const char *key,
                            bool failed, int64_t retry_ms);
int operator__metrics(void *self, struct ps_str path, struct ps_buf *body,
                      const char **content_type);

/* ---- the operator --------------------------------------------------------------------------- */

struct controller {
    struct loop *loop;
    struct kube_client *client;
    struct exec *exec;
    struct loop_queue *queue;
    struct http_server *admin, *scraped; /* health, metrics; NULL: none */
    struct operator__guard *guard;       /* of scraped; or NULL */
    struct http_server *debug;           /* or NULL */
    struct operator__measures measures;
    struct loop_timer *trim; /* set while there was work since memory was given back */
    bool trim_due;
    struct loop_timer *retry, *slow; /* start and stop; looks for jobs that take long */
    char *namespace, *installation;
    char *version; /* of the API server, or NULL */
    struct ps_arena arena;
    struct model_properties account_vars;
    struct operator__store stores[MODEL_KIND_COUNT];
    struct ps_map accounts;        /* name -> operator__account */
    struct ps_map registries;      /* namespace -> model_registry */
    uint64_t registry_changes;     /* how many there were */
    struct ps_map registries_told; /* "namespace/name" -> resourceVersion that was told, owned */
    struct ps_map clusters;        /* account -> operator__cluster */
    struct operator__secrets secrets;
    struct operator__patience patience;
    char *user_agent;
    bool may_skip_verify;
    struct operator__slots slots;
    struct ps_map recounts;       /* account -> earliest time of its next count, int64_t, owned */
    bool synced;                  /* every first list is complete: passes may run */
    bool leading;                 /* … if this process leads */
    bool catching_up;             /* … and once every list is one that began after it did */
    int64_t led_ms;               /* since when it leads */
    struct kube_lease *lease;     /* or NULL */
    struct kube_call *start_call; /* of what is asked for at start */
    void (*stopped)(void *self);
    void *stopped_self;
    bool stopping;
    int64_t stop_deadline_ms;
};

/* changes.c */
enum operator__selector {
    OPERATOR__ALL,
    OPERATOR__OURS,
    OPERATOR__SPRING_APPS,
    OPERATOR__REGISTRIES
};

struct operator__source {
    enum model_kind kind;
    enum operator__selector selector;
    bool whole;
    const char *(*index)(const struct model_object *object, struct ps_buf *key);
    void (*changed)(struct controller *op, const struct model_object *before,
                    const struct model_object *after, bool essential);
};

/* Of the operator's own cluster, and of another one. */
const struct operator__source *operator__sources(size_t *count);
const struct operator__source *operator__cluster_sources(size_t *count);
bool operator__is_settled(const struct model_object *user); /* a launch that is over */

/* sources.c */
void operator__sources_init(struct controller *op);
void operator__sources_start(struct controller *op);
void operator__sources_fini(struct controller *op);
/* Every kind is listed anew; operator__caught_up is called when all lists are there. */
void operator__sources_refresh(struct controller *op);
void operator__caught_up(struct controller *op);
void operator__source_init(struct operator__store *store, struct controller *op,
                           const struct operator__source *source);
/* namespace NULL: all. */
void operator__source_start(struct operator__store *store, const struct operator__source *source,
                            struct kube_client *client, const char *namespace);
/* What was seen stays. */
void operator__source_stop(struct operator__store *store);

/* registry.c */
const struct model_registry *operator__registry(struct controller *op, const char *namespace);
void operator__registry_changed(struct controller *op, const char *namespace);
void operator__registries_fini(struct controller *op);
void operator__told_fini(struct controller *op);

/* ---- passes --------------------------------------------------------------------------------- */

/* What the executor has learned in this job. */
struct operator__evidence {
    const struct plan_fact *facts;
    size_t fact_count;
    const struct plan_trouble *troubles;
    size_t trouble_count;
};

/* keys.c: a kind that has passes. */
struct operator__subject {
    const char *word; /* its keys: "<word>/<namespace>/<name>", or "<word>/<name>" */
    enum model_kind kind;
    /* NULL: it is not there, and nothing is to be done about that */
    struct plan *(*plan)(struct controller *op, const char *namespace, const char *name,
                         const struct operator__evidence *evidence);
};

struct operator__key {
    const struct operator__subject *subject;
    char *namespace, *name; /* owned; namespace NULL for kinds that have none */
};

bool operator__is_subject(enum model_kind kind);
void operator__key_print(struct ps_buf *out, enum model_kind kind, const char *namespace,
                         const char *name);
struct operator__key operator__key_parse(const char *text); /* operator__key_fini */
void operator__key_fini(struct operator__key *key);
/* Nothing enters the queue before the first lists are complete. */
void operator__enqueue(struct controller *op, const struct model_object *object,
                       enum loop_level level);
void operator__enqueue_after(struct controller *op, enum model_kind kind, const char *namespace,
                             const char *name, enum loop_level level, int64_t delay_ms);
/* From the annotation "<kind>/<namespace>/<name>"; ignored when it is none. */
void operator__enqueue_owner(struct controller *op, const char *owner, enum loop_level level);

/* snapshot.c */
struct operator__about {
    enum model_kind kind;
    const char *namespace, *name;
    const enum model_kind *child_kinds;
    size_t child_kind_count;
    const struct operator__evidence *evidence;
};

struct operator__snapshot {
    struct ps_arena arena;
    struct json_t *cr;
    const struct model_object *object; /* the CR's; NULL: not there */
    struct plan_snapshot s;
};

void operator__snapshot_init(struct operator__snapshot *snapshot, struct controller *op,
                             const struct operator__about *about);
/* Accounts, namespaces and registry, when the CR is there. */
void operator__snapshot_platform(struct operator__snapshot *snapshot, struct controller *op);
/* Pods of a workload that is not among the children (any more). */
void operator__snapshot_pods(struct operator__snapshot *snapshot, struct controller *op,
                             const struct plan_need *workload);
void operator__snapshot_fini(struct operator__snapshot *snapshot);
/* The accounts that a stream or launch names, in the arena. */
const struct plan_platform *operator__platforms(struct controller *op, struct ps_arena *arena,
                                                const struct model_object *user, size_t *count);

/* accounts.c */
void operator__account_changed(struct controller *op, const struct model_object *before,
                               const struct model_object *after);
const struct operator__account *operator__account_get(struct controller *op, const char *name);
void operator__accounts_fini(struct controller *op);
struct plan *operator__plan_account(struct controller *op, const char *namespace, const char *name,
                                    const struct operator__evidence *evidence);
/* The number of its streams or tasks has changed: the account is planned, but not often. */
void operator__recount(struct controller *op, const char *name);
void operator__recounts_fini(struct controller *op);

/* streams.c */
struct plan *operator__plan_stream(struct controller *op, const char *namespace, const char *name,
                                   const struct operator__evidence *evidence);

/* tasks.c */
struct plan *operator__plan_task(struct controller *op, const char *namespace, const char *name,
                                 const struct operator__evidence *evidence);
void operator__task_changed(struct controller *op, const struct model_object *before,
                            const struct model_object *after, bool essential);
void operator__task_ended(struct controller *op, const struct operator__key *key, bool failed,
                          bool in_doubt);
void operator__slots_changed(void *self, const char *account, bool freed);

/* operator.c: events outside of passes are those of the leader, too. */
bool operator__may_tell(const struct controller *op);

/* admin.c */
int operator__admin(void *self, struct ps_str path, struct ps_buf *body, const char **content_type);

/* debug.c */
int operator__debug(void *self, struct ps_str path, struct ps_buf *body, const char **content_type);

#endif
