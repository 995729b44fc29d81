/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside operator: other clusters. For each account that names a Secret there is one client, one
 * set of watches and one cache, and a state of its own: what happens to one of them delays nothing
 * but what is planned for it.
 *
 *     Secret there and readable -> client -> probe: who is it? -> watches -> SYNCED
 *
 * A probe reads the namespace that the cluster is known by. It comes first, after the Secret has
 * changed, and when something makes doubt that the cluster is there: a call or a watch that failed.
 * While it fails nothing else is asked, and what was seen stays as it was seen last. Whenever it
 * succeeds again everything is listed anew.
 */
#ifndef PS_OPERATOR_CLUSTER_H
#define PS_OPERATOR_CLUSTER_H

#include "operator/store.h"
#include "plan/plan.h"

/* ---- secrets.c ------------------------------------------------------------------------------ */

#define OPERATOR__SECRETS_MAX ((size_t)1000)

/* Those of the operator's namespace with the label for it; not even looked for before an account
 * names one. */
struct operator__secrets {
    struct controller *op;
    struct kube_reflector *reflector; /* NULL: no account has named one yet */
    struct ps_map items;              /* name -> operator__secret */
    uint64_t list_number, versions;
    bool synced, full;
    char *trouble; /* of the watch; NULL = in order */
};

struct operator__secret {
    char *data;       /* of the object, as JSON; wiped */
    uint64_t seen;    /* number of the list that last had it */
    uint64_t version; /* another one whenever its data is another */
};

void operator__secrets_init(struct operator__secrets *secrets, struct controller *op);
void operator__secrets_fini(struct operator__secrets *secrets);
void operator__secrets_want(struct operator__secrets *secrets);
/* NULL: there is none, as far as is known. */
const struct operator__secret *operator__secret_get(const struct operator__secrets *secrets,
                                                    const char *name);

/* ---- cluster.c ------------------------------------------------------------------------------ */

/* How long what is borne. Tests shorten them. */
struct operator__patience {
    int64_t probe_ms;  /* without an answer */
    int64_t away_ms;   /* a cluster that was there, before it counts as away */
    int64_t ill_ms;    /* a watch in trouble, before what it has shown is old */
    int64_t absent_ms; /* until the next look whether a namespace is there now … */
    int64_t other_ms;  /* … whether it is the right cluster again … */
    int64_t usual_ms;  /* … whether the namespace, which is not watched, is still the same */
    int64_t retry_first_ms, retry_max_ms; /* between probes that fail */
};

struct operator__cluster {
    struct controller *op;
    char *name, *account_uid, *secret;
    char *namespace;            /* of the account; NULL: those of the CRs */
    uint64_t secret_version;    /* that the client is made from */
    struct kube_client *client; /* NULL: there is no Secret that could be used */
    struct operator__store stores[MODEL_KIND_COUNT];
    bool watching;
    struct kube_call *probe, *version_call;
    struct loop_timer *timer; /* to the next probe */
    struct loop_backoff backoff;
    int64_t doubted_ms;  /* since when it is doubted that the cluster is there; 0 = it is not */
    int64_t ill_ms;      /* since when a watch is in trouble; 0 = none is */
    bool met;            /* the last probe has been answered, with the client of now */
    bool down;           /* probes fail, and for too long */
    bool refused;        /* … with an answer: it does not know us, or does not let us look */
    char *failure;       /* of the last probe */
    char *uid, *version; /* as observed */
    char *recorded_uid;  /* in the account's status; NULL: never */
    char *first_uid;     /* of the first contact */
    struct metrics_value *up; /* or NULL */
    struct plan_cluster view; /* what passes see; borrows from this */
    char *message;            /* the view's */
    bool news;                /* a fact of the view is another since it was told */
};

void operator__clusters_init(struct controller *op);
void operator__clusters_fini(struct controller *op);
/* NULL: no account of that name leads to another cluster. */
struct operator__cluster *operator__cluster_get(const struct controller *op, const char *account);
/* The account is there, another, or gone; or its status is. */
void operator__cluster_account(struct controller *op, const char *name);
/* A Secret has changed; NULL: any may have. */
void operator__cluster_secret(struct controller *op, const char *secret);
/* A new leader: what is watched is listed anew, and counts as connecting until then. */
void operator__clusters_refresh(struct controller *op);
/* Who may be asked now, or NULL. */
struct kube_client *operator__cluster_client(const struct controller *op, const char *cluster);
/* Something went as if it were not there. */
void operator__cluster_suspect(struct controller *op, const char *cluster);

/* ---- cluster_state.c ------------------------------------------------------------------------ */

void operator__set_text(char **to, const char *text); /* owned; either may be NULL */
/* The namespace whose uid tells one cluster from another. */
const char *operator__cluster_known_by(const struct operator__cluster *cluster);
/* The probe has found another namespace than is on record, or was found first. */
bool operator__cluster_elsewhere(const struct operator__cluster *cluster);
/* One whose watch is in trouble, or NULL. */
const struct operator__store *operator__cluster_ill(const struct operator__cluster *cluster);
/* Brings the view up to date, and tells whom it concerns when it has changed. */
void operator__cluster_judge(struct operator__cluster *cluster);
/* For people: "in step", "away", … */
const char *operator__cluster_word(enum plan_cluster_state state);

/* ---- measure.c ------------------------------------------------------------------------------ */

struct operator__measures;
void operator__measure_cluster(struct operator__measures *m, struct operator__cluster *cluster);
void operator__measure_cluster_end(struct operator__measures *m, struct operator__cluster *cluster);

/* ---- remote.c: who has something to do with a cluster --------------------------------------- */

#define OPERATOR__USERS_SHOWN 5

/* Its state has changed: the account, and all who use it, are looked at. */
void operator__cluster_told(struct operator__cluster *cluster);
/* Something of its uses has changed: the account is planned, at once when somebody waits for it to
 * be held, or to go. */
void operator__cluster_count(struct controller *op, const char *account);
/* A stream or launch has changed: is it counted elsewhere now? */
void operator__recount_users(struct controller *op, const struct model_object *before,
                             const struct model_object *after);
/* Names in the arena. */
struct plan_uses operator__cluster_uses(const struct operator__cluster *cluster,
                                        struct ps_arena *arena);
/* The stores of a cluster, by kind; NULL = the operator's own. NULL when there is none. */
struct operator__store *operator__stores_of(struct controller *op, const char *cluster);
/* Those of all accounts, for a snapshot; in the arena. */
const struct plan_cluster *const *operator__cluster_views(const struct controller *op,
                                                          struct ps_arena *arena, size_t *count);

#endif
