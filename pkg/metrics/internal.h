/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of metrics only. */
#ifndef PS_METRICS_INTERNAL_H
#define PS_METRICS_INTERNAL_H

#include "metrics/metrics.h"

struct metrics_histogram {
    const struct metrics_desc *desc;
    int64_t sum;
    uint64_t count;
    uint64_t buckets[]; /* not cumulative; above the last bound only `count` knows */
};

struct metrics__series {
    char *values[METRICS_LABELS_MAX]; /* owned */
    struct metrics_value value;
    struct metrics_histogram *histogram; /* of that type only; owned */
};

struct metrics__family {
    const struct metrics_desc *desc;
    size_t label_count;
    struct ps_map series; /* printed labels -> metrics__series */
};

struct metrics {
    struct ps_map families; /* name -> metrics__family */
    struct metrics_hook *hooks;
};

struct metrics_hook {
    struct metrics *metrics;
    struct metrics_hook *prev, *next;
    metrics_collect_fn *collect;
    void *self;
    bool owned; /* freed with the registry, with self */
};

/* a="b",c="d" with the values escaped. */
void metrics__print_labels(struct ps_buf *out, const struct metrics__family *family,
                           const char *const *values);

#endif
