/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of loop only. */
#ifndef PS_LOOP_INTERNAL_H
#define PS_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* once measured */
    bool measured;
    struct metrics_histogram *turns;
    uint64_t turned_ns, idled_ns; /* at the last turn */
};

/* Ends the measuring; the loop can be closed then. */
void loop__measure_end(struct loop *loop);

/* Of one queue. */
struct loop__queue_metrics {
    struct metrics_value *adds, *retries;
    struct metrics_histogram *waits, *works;
    struct metrics_value *depth, *unfinished, *longest; /* set when they are asked for */
    struct metrics_hook *hook;
};

void loop__queue_metrics_init(struct loop__queue_metrics *of, struct metrics *metrics,
                              const char *name, metrics_collect_fn *collect, void *self);

/* Delays are counted from now, not from libuv's cached start of the tick, and are at least one
 * millisecond behind that start: a timer that sets itself again can therefore never keep libuv in
 * its timer step, away from the sockets. */
uint64_t loop__uv_delay(const struct loop *loop, int64_t delay_ms);

#endif
