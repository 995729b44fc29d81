/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: the decisions. A pass takes a snapshot of facts and returns a plan: operations in stages,
 * facts that are missing, the status to write, events to tell, and when to look again. Pure,
 * synchronous and bounded: no clock, no network, no random source; time comes in the snapshot. No
 * program counter survives a pass: a crash anywhere is a pass that did not finish.
 *
 * Facts are present, absent or unknown, and unknown is never absent: what a pass does not know it
 * asks for (`needs`), and decides nothing that depends on it.
 *
 * Ownership: a plan owns its JSON and its arena (plan_free); a snapshot borrows everything.
 *
 *     struct plan *plan = plan_stream(&snapshot);
 *     if (plan->need_count > 0) fetch them and plan again;
 *     else perform plan->ops stage by stage, then write plan->status.
 */
#ifndef PS_PLAN_H
#define PS_PLAN_H

#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"

#define PLAN_OPS_MAX    ((size_t)4096)
#define PLAN_NEEDS_MAX  ((size_t)64)
#define PLAN_EVENTS_MAX ((size_t)8)

/* ---- snapshot -------------------------------------------------------------------------------- */

enum plan_seen {
    PLAN_UNKNOWN,
    PLAN_ABSENT,
    PLAN_PRESENT
};

/* The answer to a need, read live. */
struct plan_fact {
    enum model_kind kind;
    const char *namespace, *name;
    enum plan_seen seen;
    const struct json_t *object; /* when PRESENT */
    const char *cluster;         /* as in the need */
};

/* What went wrong with an operation of an earlier plan of this key. */
struct plan_trouble {
    enum model_kind kind;
    const char *namespace, *name;
    int code;            /* PS_E… */
    const char *reason;  /* the server's, or "" */
    const char *message; /* for people */
    const char *cluster; /* as in the operation */
};

/* How the account's limit of concurrent tasks stands for one launch. */
struct plan_slots {
    int64_t running; /* other launches that have a slot */
    int64_t ahead;   /* older launches that wait for one, or may */
};

/* Another stream of the same name, but for its case. */
struct plan_rival {
    const char *namespace, *name, *uid;
    const char *stream_name;
    const char *const *targets;         /* namespaces; none of accounts that are not there */
    const char *const *target_clusters; /* of each of them; as plan_cluster.name */
    size_t target_count;
    const char *cluster_id; /* of its accounts; NULL: unsaid */
    int64_t created_ms;
};

/* In any state but OWN and SYNCED, what is known of the cluster was seen earlier: objects that are
 * not seen may be there, and operations and needs for it are not carried out. */
enum plan_cluster_state {
    PLAN_CLUSTER_OWN,        /* the operator's */
    PLAN_CLUSTER_NO_SECRET,  /* there is no such Secret, or it lacks the label */
    PLAN_CLUSTER_BAD_SECRET, /* it cannot be used */
    PLAN_CLUSTER_CONNECTING, /* nothing is known of it yet, or not all again; no failure so far */
    PLAN_CLUSTER_REFUSED,    /* it answers, and refuses the credential, or what we have to see */
    PLAN_CLUSTER_AWAY,       /* it does not answer, or not as an API server does */
    PLAN_CLUSTER_ELSEWHERE,  /* it answers, and is not the one of the account's status.target.uid,
                                or of the first contact */
    PLAN_CLUSTER_SYNCED,
};

/* Where an account leads. */
struct plan_cluster {
    const char *name; /* NULL: the operator's own, else that of the account that leads there */
    const char *account_uid; /* of that account; label of all children there */
    enum plan_cluster_state state;
    const char *message; /* why it is not SYNCED, for people; NULL: nothing to be said */
    bool known;          /* its objects have been seen completely since the operator started */
    /* What it is known by: the uid of the account's namespace there or, when the account names
     * none, of kube-system. As observed last; NULL: not known, or (SYNCED) there is no such
     * namespace. */
    const char *uid;
    const char *server, *version; /* NULL: not known */
};

/* An account that a CR names. */
struct plan_platform {
    const char *name;
    const struct model_account *account; /* NULL: there is none */
    /* The namespace it leads to; NULL: there is none, or the cluster is not SYNCED and it was not
     * seen before. */
    const struct model_object *target;
    const struct plan_cluster *cluster; /* NULL: the operator's own, or there is no account */
};

struct plan_snapshot {
    int64_t now_ms; /* wall clock */
    const char *installation;

    const char *namespace, *name;          /* of the key */
    const struct json_t *cr;               /* as the watch has it; NULL: not there */
    const struct plan_platform *platforms; /* all that the spec names */
    size_t platform_count;
    const struct model_registry *registry;
    const struct model_object *own_namespace; /* the CR's; NULL: not seen yet */

    /* Deployments, StatefulSets, Services, ControllerRevisions (of a stream) or Jobs (of a task)
     * whose owner annotation names this CR, and the pods of its apps. Complete: the watches were in
     * step when the snapshot was taken. Those in other clusters, too: complete when it is SYNCED,
     * else as seen last. */
    const struct model_object *const *children;
    size_t child_count;
    const struct model_object *const *pods;
    size_t pod_count;

    const struct plan_fact *facts;
    size_t fact_count;
    const struct plan_trouble *troubles;
    size_t trouble_count;
    const struct plan_rival *rivals; /* streams only */
    size_t rival_count;
    struct plan_slots slots; /* tasks only */
    /* Of a stream. A hash of all that its spec is rendered from: the spec itself, accounts,
     * registry; 0 = not known. And what the last plan has left in `rendered`, or 0. */
    uint64_t sources, rendered;
    /* All other clusters that accounts lead to. Where the CR's annotation penstock.dev/clusters
     * names one that is not among them, the account is gone. */
    const struct plan_cluster *const *clusters;
    size_t cluster_count;
};

/* ---- plan ------------------------------------------------------------------------------------ */

enum plan_verb {
    PLAN_CREATE,
    PLAN_PATCH,           /* merge patch: our kinds, metadata only */
    PLAN_PATCH_STRATEGIC, /* built-in kinds */
    PLAN_PATCH_STATUS,    /* merge patch of the status: an intent, which has to stand before a later
                             stage acts on it */
    PLAN_DELETE,
};

struct plan_op {
    enum plan_verb verb;
    enum model_kind kind;
    const char *namespace, *name; /* namespace NULL for cluster-scoped kinds */
    const char *uid;              /* delete: precondition */
    bool foreground;              /* delete: the object stays until what it owns is gone */
    bool partial;                 /* patch: of an object that may differ elsewhere, too */
    struct json_t *body;          /* owned by the plan; patches carry resourceVersion */
    int stage;                    /* from 0; a failed stage ends the plan */
    const char *cluster;          /* plan_cluster.name: where; NULL: the operator's own */
};

struct plan_need {
    enum model_kind kind;
    const char *namespace, *name;
    const char *cluster; /* where; NULL: the operator's own */
};

struct plan_event {
    bool warning;
    const char *reason; /* CamelCase */
    const char *note;
};

/* How a launch stands towards the limit of its account, for whoever keeps count. */
enum plan_standing {
    PLAN_IDLE,   /* wants no slot: ended, refused, suspended, or waits for its time */
    PLAN_QUEUED, /* would start, and waits for a slot */
    PLAN_ACTIVE, /* has one: its attempt is about to start, runs, or was not seen to end */
};

struct plan {
    struct ps_arena arena;
    struct plan_op *ops;
    size_t op_count, delete_count;
    struct plan_need needs[PLAN_NEEDS_MAX];
    size_t need_count;
    struct json_t
        *status; /* merge patch for /status with resourceVersion; NULL: nothing to write */
    struct plan_event events[PLAN_EVENTS_MAX];
    size_t event_count;
    int64_t wake_ms;             /* look again after that; -1 = when something changes */
    const char *summary;         /* for the log: what was decided, in a word or two */
    enum plan_standing standing; /* of a launch */
    uint64_t rendered; /* of a stream: a note for its next snapshot; 0 = nothing is known */
};

/* One stream. */
struct plan *plan_stream(const struct plan_snapshot *snapshot) PS_MUST_CHECK;
/* One launch of a task. */
struct plan *plan_task(const struct plan_snapshot *snapshot) PS_MUST_CHECK;
/* For a key that nothing stands behind any more. */
struct plan *plan_nothing(void) PS_MUST_CHECK;
void plan_free(struct plan *plan);

/* The plan as JSON: golden files, dry run, debugging. New reference. */
struct json_t *plan_json(const struct plan *plan);

/* ---- accounts -------------------------------------------------------------------------------- */

/* Who would lose something if the credential went. */
struct plan_uses {
    /* Streams and launches that have something there, or may have: by their annotation
     * penstock.dev/clusters, or as owners of children there. */
    int64_t users;
    const char *const *names; /* the first of them: "StreamDeployment cars/foo" */
    size_t name_count;
    int64_t children; /* of ours there, as seen last */
};

struct plan_account_snapshot {
    int64_t now_ms;
    const struct model_account *account;
    const struct model_object *target_namespace; /* NULL: there is none */
    const char *server;                          /* of the operator's cluster, as configured */
    const char *version;                         /* of that server; NULL: not known yet */
    int64_t streams;                             /* that name the account */
    int64_t running_tasks, waiting_tasks;
    const struct json_t *object;        /* the account's, for its finalizers */
    const struct plan_cluster *cluster; /* NULL: it leads to the operator's own */
    struct plan_uses uses;              /* of that cluster, through this account */
    const struct plan_trouble *troubles;
    size_t trouble_count;
};

struct plan *plan_account(const struct plan_account_snapshot *snapshot) PS_MUST_CHECK;

#endif
