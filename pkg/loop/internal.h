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

/* ---- heap.c --------------------------------------------------------------------------------- */

/* In one heap at most, whose items are borrowed. */
struct loop__ranked {
    int64_t rank;
    uint64_t seq; /* among equal ranks */
    size_t at;    /* its place in the heap */
};

struct loop__heap {
    struct loop__ranked **items;
    size_t count, cap;
};

bool loop__ranked_before(const struct loop__ranked *a, const struct loop__ranked *b);
void loop__heap_push(struct loop__heap *heap, struct loop__ranked *thing);
void loop__heap_remove(struct loop__heap *heap, struct loop__ranked *thing);
struct loop__ranked *loop__heap_first(const struct loop__heap *heap); /* NULL when empty */
void loop__heap_fini(struct loop__heap *heap);

/* ---- groups.c ------------------------------------------------------------------------------- */

struct loop__group {
    char *name;
    struct loop__heap ready;
    size_t running;
    size_t users; /* keys that are in it; freed with the last */
    size_t at;    /* its place in busy */
};

/* Of a queue, or of a gate. */
struct loop__groups {
    struct ps_map by_name;
    struct loop__group none;   /* of keys without a group: no share is kept from them */
    struct loop__group **busy; /* those with something ready */
    size_t busy_count, busy_cap;
    size_t ready; /* in all of them */
};

void loop__groups_init(struct loop__groups *groups);
void loop__groups_fini(struct loop__groups *groups);
/* One more key in it; name NULL: in none. */
struct loop__group *loop__group_take(struct loop__groups *groups, const char *name);
void loop__group_drop(struct loop__groups *groups, struct loop__group *group);
void loop__group_push(struct loop__groups *groups, struct loop__group *group,
                      struct loop__ranked *thing);
void loop__group_remove(struct loop__groups *groups, struct loop__group *group,
                        struct loop__ranked *thing);
/* The first of those whose group has a place left, or NULL. */
struct loop__ranked *loop__groups_first(const struct loop__groups *groups, size_t places,
                                        size_t running);

/* ---- measure.c ------------------------------------------------------------------------------ */

/* Of one queue. */
struct loop__queue_metrics {
    struct metrics_value *adds, *retries;
    struct metrics_histogram *waits, *works;
    /* set when they are asked for */
    struct metrics_value *depth[LOOP_LEVELS], *unfinished, *longest;
    struct metrics_hook *hook;
};

void loop__queue_metrics_init(struct loop__queue_metrics *of, struct metrics *metrics,
                              const char *name, metrics_collect_fn *collect, void *self);

/* Delays are counted from now, not from libuv's cached start of the tick, and are at least one
 * millisecond behind that start: a timer that sets itself again can therefore never keep libuv in
 * its timer step, away from the sockets. */
uint64_t loop__uv_delay(const struct loop *loop, int64_t delay_ms);

#endif
