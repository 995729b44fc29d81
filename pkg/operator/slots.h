/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside operator: the book of the slots. The planner decides who starts; this keeps count of what
 * it decided, from the moment of the plan on, so that two launches planned one after the other
 * can't both take the last slot.
 */
#ifndef PS_OPERATOR_SLOTS_H
#define PS_OPERATOR_SLOTS_H

#include "plan/plan.h"

enum operator__standing {
    OPERATOR__IDLE = PLAN_IDLE,
    OPERATOR__QUEUED = PLAN_QUEUED,
    OPERATOR__ACTIVE = PLAN_ACTIVE,
    OPERATOR__UNJUDGED, /* no plan has said it yet, and its status does not: may wait */
};

struct operator__launch;

/* Of one account. */
struct operator__line {
    char *account;
    struct operator__launch **waiting; /* queued or not judged, the oldest first, then by uid */
    size_t waiting_count, waiting_cap;
    size_t unjudged, launches;
    int64_t active;
};

/* Something has changed in the account's line; `freed`: somebody who waits may start now. */
typedef void operator__slots_fn(void *self, const char *account, bool freed);

struct operator__slots {
    struct ps_map launches; /* "namespace/name" -> operator__launch */
    struct ps_map lines;    /* account -> operator__line */
    operator__slots_fn *changed;
    void *self;
};

void operator__slots_init(struct operator__slots *slots, operator__slots_fn *changed, void *self);
void operator__slots_fini(struct operator__slots *slots);

/* What happens to a launch. */
void operator__slots_see(struct operator__slots *slots, const struct model_object *object);
void operator__slots_forget(struct operator__slots *slots, const char *namespace, const char *name);
void operator__slots_planned(struct operator__slots *slots, const char *namespace, const char *name,
                             const struct plan *plan);
/* Its job has ended; the object as it is now. */
void operator__slots_ended(struct operator__slots *slots, const struct model_object *object,
                           bool failed, bool in_doubt);

struct plan_slots operator__slots_of(const struct operator__slots *slots, const char *namespace,
                                     const char *name);
/* NULL when the account has no launches. */
const struct operator__line *operator__slots_line(const struct operator__slots *slots,
                                                  const char *account);
/* Calls with slots->self for those who wait and could start: never more than there are free slots.
 */
void operator__slots_next(const struct operator__slots *slots, const char *account, int64_t limit,
                          void (*call)(void *self, const char *namespace, const char *name));

/* The decisions. */
/* Of a launch that was not planned yet, from its status. */
enum operator__standing operator__standing_unplanned(enum model_task_phase phase,
                                                     enum model_attempt_state attempt);
/* After the failures-th failed job in a row; in_doubt: a write of it may have happened. */
enum operator__standing operator__standing_failed(enum operator__standing standing, int failures,
                                                  bool in_doubt, enum model_attempt_state attempt);
/* Can somebody else start because of that change? */
bool operator__standing_frees(enum operator__standing before, enum operator__standing after);

#endif
