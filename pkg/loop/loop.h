/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: libuv as the rest of Penstock sees it: one event loop, timers, signals, clocks, processes,
 * and the work queue of keys.
 *
 * libuv's rule holds for every starting call: either an error now or the callback later, exactly
 * once, never from inside the call. Loop thread only.
 */
#ifndef PS_LOOP_H
#define PS_LOOP_H

#include "base/base.h"
#include "metrics/metrics.h"

struct uv_loop_s;

struct loop;
struct loop *loop_new(void);
/* All timers, signals, processes and queues on it must have been freed; runs the loop until their
 * handles are closed, and asserts that none is left. */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop, or nothing is left to wait for */
void loop_stop(struct loop *loop);
struct uv_loop_s *loop_uv(struct loop *loop); /* for http only */
/* Counts penstock_loop_turn_seconds: how long each turn has kept others waiting. Once, before the
 * loop runs; the registry outlives the loop. */
void loop_measure(struct loop *loop, struct metrics *metrics);

int64_t loop_now_ms(void);  /* monotonic */
int64_t loop_now_ns(void);  /* the same clock, for measuring */
int64_t loop_wall_ms(void); /* since 1970 */
/* Uniform in [0, n); n > 0. Seeded from the system once: jitter, not secrets. */
uint64_t loop_random(uint64_t n);

struct loop_timer;
typedef void loop_timer_fn(void *self);
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *self);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine; no callback after this */
/* One shot after delay_ms, replacing what was set before. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);

struct loop_signal;
typedef void loop_signal_fn(void *self, int signum);
struct loop_signal *loop_signal_new(struct loop *loop, int signum, loop_signal_fn *fn, void *self);
void loop_signal_free(struct loop_signal *sig);

/* ---- processes ------------------------------------------------------------------------------- */

/*
 * Another program, without a shell and without a terminal: nothing on its standard input, what it
 * writes is gathered. It has a group of its own; who ends it ends what it has started, too.
 */
struct loop_process;

struct loop_process_options {
    /* Both end with NULL. argv[0] without a slash is looked for in the PATH of
     * the environment, which is all the environment that the program gets. */
    const char *const *argv, *const *environment;
    int64_t timeout_ms;            /* killed after that */
    size_t output_max, errors_max; /* more output is an error; more on standard error is dropped */
};

struct loop_process_result {
    /* code 0: ended by itself with exit code 0. PS_EIO: not started, another exit code, or a
     * signal; PS_ETIMEOUT, PS_ELIMIT: killed. The message begins with "it …". */
    struct ps_err err;
    struct ps_str output, errors; /* borrowed until the callback returns; then wiped */
};

typedef void loop_process_fn(void *self, const struct loop_process_result *result);
/* The handle is valid until fn has been called or loop_process_free. */
struct loop_process *loop_process_start(struct loop *loop,
                                        const struct loop_process_options *options,
                                        loop_process_fn *fn, void *self);
void loop_process_free(struct loop_process *process); /* kills it; no callback; NULL is fine */

/* ---- backoff --------------------------------------------------------------------------------- */

struct loop_backoff {
    int64_t first_ms, max_ms;
    int64_t delay_ms; /* what the next failure waits, before jitter; 0 = fresh */
};

/* Doubles from first_ms to max_ms; the answer is d + uniform[0, d) as client-go's. */
int64_t loop_backoff_next(struct loop_backoff *backoff);
void loop_backoff_reset(struct loop_backoff *backoff);

/* ---- work queue ------------------------------------------------------------------------------ */

/*
 * Keys wait until they are due, then are handed to `run`, at most `concurrency` at once and never
 * one key twice at once. A key added while it waits is not doubled: the earlier time and the higher
 * level win, and the later group. A key added while it runs is run again after its loop_queue_done.
 *
 * Of those that are due the highest level comes first, within a level the first due. A level is
 * worth a minute of waiting, so that whatever waits is overtaken for two minutes at most.
 *
 * Keys of a group share a fate: a server that does not answer, say. A group never gets more than
 * half of the places that others leave, so that there is always one for a key of another group.
 */
struct loop_queue;
typedef void loop_queue_run_fn(void *self, const char *key);

enum loop_level {
    LOOP_LISTED,  /* looked at because everything is */
    LOOP_WOKEN,   /* something that it depends on has changed, or its time has come */
    LOOP_CHANGED, /* new, or somebody has changed it: a human may be waiting */
    LOOP_LEVELS
};

#define LOOP_QUEUE_KEYS_MAX   ((size_t)1000000)
#define LOOP_QUEUE_GROUPS_MAX ((size_t)1000) /* more of them share one */
#define LOOP_QUEUE_LEVEL_MS   60000
#define LOOP_RETRY_FIRST_MS   5 /* client-go: 5 ms, doubled for each failure … */
#define LOOP_RETRY_MAX_MS                                                                          \
    300000 /* … but 5 minutes instead of 1000 s: a human waits for it                            \
            */

struct loop_queue *loop_queue_new(struct loop *loop, size_t concurrency, loop_queue_run_fn *run,
                                  void *self);
void loop_queue_level_ms(struct loop_queue *queue, int64_t level_ms); /* for tests */
void loop_queue_free(struct loop_queue *queue);
/* group NULL: in none. */
void loop_queue_add(struct loop_queue *queue, const char *key, const char *group,
                    enum loop_level level, int64_t delay_ms);
/* Whoever runs the key looks at everything now: what was asked for while it ran, and is due, is
 * served. What is asked for from now on has it run again. */
void loop_queue_served(struct loop_queue *queue, const char *key);
/* The run of the key has ended: forget its failures. retry_ms < 0: nothing more to do by itself;
 * >= 0: run it again after that time, as woken. */
void loop_queue_done(struct loop_queue *queue, const char *key, int64_t retry_ms);
/* The run has failed: again after the key's own backoff, at its level, and not before min_ms.
 * Returns the delay. */
int64_t loop_queue_failed(struct loop_queue *queue, const char *key, int64_t min_ms);
/* Stops handing out keys (a standby; shutdown). Running ones still call done. */
void loop_queue_pause(struct loop_queue *queue);
void loop_queue_resume(struct loop_queue *queue);
/* Counts workqueue_…{controller,name}; both are `name`; the depth also by priority. Once, before
 * the first key; the registry outlives the queue. */
void loop_queue_measure(struct loop_queue *queue, struct metrics *metrics, const char *name);

enum loop_key_state {
    LOOP_KEY_DELAYED, /* its time has not come */
    LOOP_KEY_READY,   /* … it has */
    LOOP_KEY_RUNNING
};

/* How a key stands; borrowed. */
struct loop_queue_key {
    const char *key, *group; /* group NULL: in none */
    enum loop_level level;
    enum loop_key_state state;
    int64_t for_ms; /* that long it runs, or is due; negative: so long until it is */
    bool again;     /* runs, and was added meanwhile */
    bool failed;    /* its last run has */
};

/* Calls with each of them, in no order; look must not change the queue. */
void loop_queue_each(const struct loop_queue *queue,
                     void (*look)(void *self, const struct loop_queue_key *key), void *self);
size_t loop_queue_running(const struct loop_queue *queue);
size_t loop_queue_waiting(const struct loop_queue *queue);

/* ---- gate ------------------------------------------------------------------------------------ */

/* Lets so many in at once, in the order of their coming; those of one group get at most half of the
 * places that the others leave. group NULL: in none. */
struct loop_gate;
struct loop_ticket;
/* From inside loop_gate_enter or, later, from inside another's loop_gate_leave: it only starts
 * something. */
typedef void loop_gate_fn(void *self);
struct loop_gate *loop_gate_new(size_t places);
void loop_gate_close(struct loop_gate *gate); /* lets nobody in any more */
void loop_gate_free(struct loop_gate *gate);  /* NULL is fine; all tickets have left */
struct loop_ticket *loop_gate_enter(struct loop_gate *gate, const char *group, loop_gate_fn *go,
                                    void *self);
/* Ends the waiting, or the stay. NULL is fine. */
void loop_gate_leave(struct loop_ticket *ticket);

#endif
