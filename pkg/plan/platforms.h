/* SPDX-License-Identifier: Apache-2.0 */
/* Inside plan: the accounts that a CR names (platforms.c), and the clusters that they lead to
 * (clusters.c). */
#ifndef PS_PLAN_PLATFORMS_H
#define PS_PLAN_PLATFORMS_H

#include "plan/plan.h"

/* NULL when the CR does not name it. */
const struct plan_platform *plan__platform(const struct plan_snapshot *s, const char *name);
/* The namespace that the account leads to. */
const char *plan__target_of(const struct plan_snapshot *s, const struct model_account *account);
/* The cluster that it leads to: NULL for the operator's own, else its name. */
const char *plan__cluster_of(const struct model_account *account);

/* What the accounts of a CR are to a namespace of a cluster. */
enum plan__reach {
    PLAN__ELSEWHERE, /* none leads to it */
    PLAN__BARRED,    /* one does, and may not be used */
    PLAN__AWAY,      /* one does, but nothing can be written there now */
    PLAN__OPEN
};
enum plan__reach plan__reach(const struct plan_snapshot *s, const char *cluster,
                             const char *namespace);
/* May the CR use the account? */
bool plan__is_allowed(const struct plan_snapshot *s, const struct model_account *account);
/* Do its pods run in the CR's own namespace? */
bool plan__is_at_home(const struct plan_snapshot *s, const struct model_account *account);
const char *plan__not_allowed_text(struct ps_arena *arena, const struct plan_snapshot *s,
                                   const struct model_account *account);

/* ---- clusters.c ------------------------------------------------------------------------------ */

/* NULL: the operator's own has no name, and of another one the account is gone. */
const struct plan_cluster *plan__cluster(const struct plan_snapshot *s, const char *name);
/* The uid of the account that leads there; NULL: the operator's own. */
const char *plan__account_uid(const struct plan_snapshot *s, const char *name);
/* Is what is seen there all that there is, and can it be written to? */
bool plan__is_open(const struct plan_snapshot *s, const char *name);
/* Is it about to be, as far as is known? */
bool plan__is_connecting(const struct plan_snapshot *s, const char *name);
/* Is the account ready for the first object there: on record as the cluster that it is, and held
 * until everything there is removed? */
bool plan__is_held(const struct plan_platform *platform);
#define PLAN__PREPARING_RECHECK_MS 5000 /* it takes milliseconds, and an event says when */
/* Why the cluster is not open: a reason for conditions, and words. */
const char *plan__away_reason(const struct plan_snapshot *s, const char *name);
const char *plan__away_text(struct ps_arena *arena, const struct plan_snapshot *s,
                            const char *name);
const char *plan__cluster_reason(enum plan_cluster_state state);
/* Is the child in the CR's own namespace, where Kubernetes collects it with the CR? */
bool plan__is_beside(const struct plan_snapshot *s, const struct model_object *child);

/* A child that a live read found, and no watch shows: is it one of an account that was made anew,
 * so that nobody looks for it? Then it gets the label of the one that is there. */
bool plan__adopt(struct plan *plan, const struct plan_snapshot *s, struct plan_need what,
                 const struct json_t *live);

/* Names parted by commas, as in the annotation penstock.dev/clusters. */
const char *plan__names_add(struct ps_arena *arena, const char *names, const char *name);
/* The first of the names whose cluster is not open; NULL: all are. */
const char *plan__first_away(struct ps_arena *arena, const struct plan_snapshot *s,
                             const char *names);

/* What of the CR stands, or may stand, in a cluster that is not open cannot be removed: says so in
 * its status, beside what stood there. */
#define PLAN__BLOCKED_RECHECK_MS 60000
void plan__tell_blocked(struct plan *plan, const struct plan_snapshot *s, const char *cluster);
/* The words of condition CleanupBlocked. */
const char *plan__blocked_text(struct ps_arena *arena, const struct plan_snapshot *s,
                               const char *name);

#endif
