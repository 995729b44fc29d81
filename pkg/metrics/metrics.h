/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and histograms, and their text for Prometheus (format 0.0.4).
 *
 * Who counts asks once for a handle, and counting is then an addition to it; there is no look-up
 * and no lock. A series is there with 0 from the moment its handle is asked for. Everything is in
 * integers: durations are nanoseconds (or milliseconds) and become seconds in the text alone.
 *
 * Where no registry is given (NULL) handles are NULL, and counting into NULL does nothing: nobody
 * has to ask whether metrics are wanted.
 *
 *     static const struct metrics_desc adds = {
 *         .name = "workqueue_adds_total", .help = "Keys added.", .type = METRICS_COUNTER,
 *         .labels = {"name"}};
 *     struct metrics_value *n = metrics_value(metrics, &adds, (const char *[]){"streams"});
 *     metrics_add(n, 1);
 */
#ifndef PS_METRICS_H
#define PS_METRICS_H

#include "base/base.h"

#define METRICS_LABELS_MAX     ((size_t)4)
#define METRICS_BOUNDS_MAX     ((size_t)40)
#define METRICS_LABEL_TEXT_MAX ((size_t)256) /* longer values are cut */
#define METRICS_SERIES_MAX     ((size_t)128) /* of one family, unless it says otherwise */
#define METRICS_TEXT_MAX       ((size_t)16 * 1024 * 1024)
#define METRICS_CONTENT_TYPE   "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type {
    METRICS_COUNTER,
    METRICS_GAUGE,
    METRICS_HISTOGRAM
};

/* What one unit of a value is. */
enum metrics_unit {
    METRICS_ONE,
    METRICS_MS, /* printed as seconds */
    METRICS_NS, /* printed as seconds */
};

/* A family: a static constant. Two with one name must be alike. */
struct metrics_desc {
    const char *name, *help;
    enum metrics_type type;
    enum metrics_unit unit;
    const char *labels[METRICS_LABELS_MAX]; /* in alphabetical order */
    size_t series_max;                      /* 0 = METRICS_SERIES_MAX */
    const int64_t *bounds;                  /* histogram: upper ones, rising, in the unit */
    size_t bound_count;
};

struct metrics;
struct metrics *metrics_new(void);
/* Who counts must have stopped. */
void metrics_free(struct metrics *metrics);

/* ---- counting ------------------------------------------------------------------------------- */

struct metrics_value {
    int64_t n;
};

struct metrics_histogram;

static inline void metrics_add(struct metrics_value *value, int64_t n)
{
    if (value != NULL)
        value->n += n;
}

static inline void metrics_set(struct metrics_value *gauge, int64_t n)
{
    if (gauge != NULL)
        gauge->n = n;
}

void metrics_observe(struct metrics_histogram *histogram, int64_t value);

/*
 * The series with these label values, one for each label of desc (NULL where it has none); made
 * with 0 when it is new. Valid until the registry is freed or the series forgotten. Beyond
 * series_max all new ones share the series whose values are all "other".
 */
struct metrics_value *metrics_value(struct metrics *metrics, const struct metrics_desc *desc,
                                    const char *const *values);
struct metrics_histogram *metrics_histogram(struct metrics *metrics,
                                            const struct metrics_desc *desc,
                                            const char *const *values);
/* What the series was about is gone: no handle of it may be used any more. */
void metrics_forget(struct metrics *metrics, const struct metrics_desc *desc,
                    const char *const *values);

/* ---- reading -------------------------------------------------------------------------------- */

/* Called before each print, to set gauges that nobody keeps up to date. */
typedef void metrics_collect_fn(void *self);
struct metrics_hook;
struct metrics_hook *metrics_hook_new(struct metrics *metrics, metrics_collect_fn *collect,
                                      void *self);
void metrics_hook_free(struct metrics_hook *hook); /* NULL is fine; before the registry */

/* All families by name, their series by label values. */
void metrics_print(struct metrics *metrics, struct ps_buf *out);

/* process_cpu_seconds_total, …_resident_memory_bytes, …_virtual_memory_bytes, …_open_fds,
 * …_max_fds, …_start_time_seconds, and penstock_build_info{version}. */
void metrics_process(struct metrics *metrics, const char *version, int64_t started_wall_ms);

/* In bytes, as the allocator counts them: handed out, free in its hands, and taken from the system
 * in all. */
void metrics_heap(size_t *used, size_t *spare, size_t *taken);

#endif
