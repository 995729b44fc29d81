/* SPDX-License-Identifier: Apache-2.0 */
/* How long the loop's turns take, and the names under which queues count: client-go's. */
#include "internal.h"

/* From 0.1 ms, about what one event takes, to what trips a lease's deadline. */
static const int64_t turn_bounds[] = {100000,    250000,    500000,     1000000,    2500000,
                                      5000000,   10000000,  25000000,   50000000,   100000000,
                                      250000000, 500000000, 1000000000, 2500000000, 10000000000};

static const struct metrics_desc turn_desc = {
    .name = "penstock_loop_turn_seconds",
    .help = "How long one turn of the event loop has kept everything else waiting.",
    .type = METRICS_HISTOGRAM,
    .unit = METRICS_NS,
    .bounds = turn_bounds,
    .bound_count = PS_ARRAY_LEN(turn_bounds),
};

/* client-go's: from 10 ns to 1,000 s, each ten times the one before. */
static const int64_t queue_bounds[] = {
    10,       100,       1000,       10000,       100000,       1000000,
    10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
};

#define QUEUE_LABELS                                                                               \
    {                                                                                              \
        "controller", "name"                                                                       \
    }

static const struct metrics_desc adds_desc = {
    .name = "workqueue_adds_total",
    .help = "Total number of adds handled by workqueue.",
    .type = METRICS_COUNTER,
    .labels = QUEUE_LABELS,
};
static const struct metrics_desc retries_desc = {
    .name = "workqueue_retries_total",
    .help = "Total number of retries handled by workqueue.",
    .type = METRICS_COUNTER,
    .labels = QUEUE_LABELS,
};
static const struct metrics_desc waits_desc = {
    .name = "workqueue_queue_duration_seconds",
    .help = "How long in seconds an item stays in workqueue before being requested.",
    .type = METRICS_HISTOGRAM,
    .unit = METRICS_NS,
    .labels = QUEUE_LABELS,
    .bounds = queue_bounds,
    .bound_count = PS_ARRAY_LEN(queue_bounds),
};
static const struct metrics_desc works_desc = {
    .name = "workqueue_work_duration_seconds",
    .help = "How long in seconds processing an item from workqueue takes.",
    .type = METRICS_HISTOGRAM,
    .unit = METRICS_NS,
    .labels = QUEUE_LABELS,
    .bounds = queue_bounds,
    .bound_count = PS_ARRAY_LEN(queue_bounds),
};
static const struct metrics_desc depth_desc = {
    .name = "workqueue_depth",
    .help = "Current depth of workqueue by workqueue and priority: items that are due.",
    .type = METRICS_GAUGE,
    .labels = {"controller", "name", "priority"},
};
static const struct metrics_desc unfinished_desc = {
    .name = "workqueue_unfinished_work_seconds",
    .help = "How many seconds of work is in progress and hasn't been observed by work_duration.",
    .type = METRICS_GAUGE,
    .unit = METRICS_NS,
    .labels = QUEUE_LABELS,
};
static const struct metrics_desc longest_desc = {
    .name = "workqueue_longest_running_processor_seconds",
    .help = "How many seconds has the longest running processor for workqueue been running.",
    .type = METRICS_GAUGE,
    .unit = METRICS_NS,
    .labels = QUEUE_LABELS,
};

static const char *const level_names[LOOP_LEVELS] = {
    [LOOP_LISTED] = "listed",
    [LOOP_WOKEN] = "woken",
    [LOOP_CHANGED] = "changed",
};

void loop__queue_metrics_init(struct loop__queue_metrics *of, struct metrics *metrics,
                              const char *name, metrics_collect_fn *collect, void *self)
{
    const char *const values[] = {name, name};

    ps_assert(of->hook == NULL);
    of->adds = metrics_value(metrics, &adds_desc, values);
    of->retries = metrics_value(metrics, &retries_desc, values);
    of->waits = metrics_histogram(metrics, &waits_desc, values);
    of->works = metrics_histogram(metrics, &works_desc, values);
    for (size_t i = 0; i < LOOP_LEVELS; i++) {
        of->depth[i] =
            metrics_value(metrics, &depth_desc, (const char *[]){name, name, level_names[i]});
    }
    of->unfinished = metrics_value(metrics, &unfinished_desc, values);
    of->longest = metrics_value(metrics, &longest_desc, values);
    of->hook = metrics_hook_new(metrics, collect, self);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* Called before libuv waits. What has passed since the last time, less what it has waited, is the
 * work of one turn. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = PS_CONTAINER_OF(prepare, struct loop, prepare);
    const uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(&loop->uv);

    if (loop->turned_ns != 0) {
        metrics_observe(loop->turns,
                        (int64_t)(now_ns - loop->turned_ns - (idle_ns - loop->idled_ns)));
    }
    loop->turned_ns = now_ns;
    loop->idled_ns = idle_ns;
}

void loop_measure(struct loop *loop, struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    ps_assert(!loop->measured);
    loop->measured = true;
    loop->turns = metrics_histogram(metrics, &turn_desc, NULL);
    ps_assert(uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME) == 0);
    ps_assert(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    ps_assert(uv_prepare_start(&loop->prepare, on_prepare) == 0);
    uv_unref((uv_handle_t *)&loop->prepare);
}

void loop__measure_end(struct loop *loop)
{
    if (loop->measured)
        uv_close((uv_handle_t *)&loop->prepare, NULL);
}
