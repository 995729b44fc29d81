/* SPDX-License-Identifier: Apache-2.0 */
/* Inside kube: what one reflector counts. */
#ifndef PS_KUBE_WATCHING_H
#define PS_KUBE_WATCHING_H

#include "metrics/metrics.h"

enum kube__list_reason {
    KUBE__LIST_START,
    KUBE__LIST_GONE,    /* what the watch would go on from, or the pages */
    KUBE__LIST_REFRESH, /* kube_reflector_refresh */
    KUBE__LIST_TROUBLE, /* any other */
    KUBE__LIST_REASONS
};

#define KUBE__EVENT_TYPES 6 /* as enum event of events.c */

struct kube__watching {
    struct metrics_value *open, *silence, *events[KUBE__EVENT_TYPES], *lists[KUBE__LIST_REASONS];
    struct metrics_hook *hook;
    int64_t heard_ms;
};

void kube__watching_init(struct kube__watching *w, struct metrics *metrics, const char *plural);
void kube__watching_fini(struct kube__watching *w); /* nothing is asked of it any more */
void kube__watching_heard(struct kube__watching *w, size_t event);

#endif
