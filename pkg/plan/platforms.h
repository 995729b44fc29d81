/* SPDX-License-Identifier: Apache-2.0 */
/* Inside plan: the accounts that a CR names (platforms.c). */
#ifndef PS_PLAN_PLATFORMS_H
#define PS_PLAN_PLATFORMS_H

#include "plan/plan.h"

/* NULL when the CR does not name it. */
const struct plan_platform *plan__platform(const struct plan_snapshot *s, const char *name);
/* The namespace that the account leads to. */
const char *plan__target_of(const struct plan_snapshot *s, const struct model_account *account);

/* What the accounts of a CR are to a namespace. */
enum plan__reach {
    PLAN__ELSEWHERE, /* none leads to it */
    PLAN__BARRED,    /* one does, and may not be used */
    PLAN__OPEN
};
enum plan__reach plan__reach(const struct plan_snapshot *s, const char *namespace);
/* May the CR use the account? */
bool plan__is_allowed(const struct plan_snapshot *s, const struct model_account *account);
/* Do its pods run in the CR's own namespace? */
bool plan__is_at_home(const struct plan_snapshot *s, const struct model_account *account);
const char *plan__not_allowed_text(struct ps_arena *arena, const struct plan_snapshot *s,
                                   const struct model_account *account);

#endif
