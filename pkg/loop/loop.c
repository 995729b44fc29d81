/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop, its clocks, timers and signals. */
#include "internal.h"

#include <signal.h>
#include <sys/random.h>
#include <time.h>

/* Closing a handle takes one turn of the loop, a stream with writes in flight a few. */
#define LOOP_CLOSE_TURNS  1000
/* 100 years: larger delays are mistakes, and must not overflow the sums. */
#define LOOP_DELAY_MAX_MS ((int64_t)100 * 365 * 24 * 3600 * 1000)

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    loop_timer_fn *fn;
    void *self;
};

struct loop_signal {
    uv_signal_t uv;
    loop_signal_fn *fn;
    void *self;
};

/* ---- loop ----------------------------------------------------------------------------------- */

static void prepare_process(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    ps_assert(uv_replace_allocator(ps_xmalloc, ps_xrealloc, ps_xcalloc, ps_free) == 0);
    /* A peer that is gone is an error of write(), not the end of the process. */
    ps_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

struct loop *loop_new(void)
{
    struct loop *loop = ps_xcalloc(1, sizeof(*loop));

    prepare_process();
    ps_assert(uv_loop_init(&loop->uv) == 0);
    return loop;
}

void loop_free(struct loop *loop)
{
    loop__measure_end(loop);
    int left = uv_loop_close(&loop->uv);

    for (int i = 0; left != 0 && i < LOOP_CLOSE_TURNS; i++) {
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
        left = uv_loop_close(&loop->uv);
    }
    ps_assert(left == 0);
    ps_free(loop);
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

/* ---- clocks and chance ---------------------------------------------------------------------- */

int64_t loop_now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

int64_t loop_now_ns(void)
{
    return (int64_t)uv_hrtime();
}

int64_t loop_wall_ms(void)
{
    struct timespec now;

    ps_assert(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for jitter. */
static uint64_t next_random(void)
{
    static uint64_t state;
    static bool seeded;

    if (!seeded) {
        ps_assert(getrandom(&state, sizeof(state), 0) == (ssize_t)sizeof(state));
        seeded = true;
    }
    state += 0x9E3779B97F4A7C15ULL;
    uint64_t z = state;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

uint64_t loop_random(uint64_t n)
{
    ps_assert(n > 0);
    /* Values below 2^64 mod n would make the small remainders more frequent. */
    const uint64_t skip = (0 - n) % n;
    uint64_t r = next_random();

    while (r < skip)
        r = next_random();
    return r % n;
}

/* ---- timers --------------------------------------------------------------------------------- */

uint64_t loop__uv_delay(const struct loop *loop, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    if (delay_ms > LOOP_DELAY_MAX_MS)
        delay_ms = LOOP_DELAY_MAX_MS;
    const int64_t from_tick = loop_now_ms() + delay_ms - (int64_t)uv_now(&loop->uv);

    return from_tick > 1 ? (uint64_t)from_tick : 1;
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *timer = PS_CONTAINER_OF(uv, struct loop_timer, uv);

    timer->fn(timer->self);
}

static void on_timer_closed(uv_handle_t *uv)
{
    ps_free(PS_CONTAINER_OF(uv, struct loop_timer, uv));
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *self)
{
    struct loop_timer *timer = ps_xcalloc(1, sizeof(*timer));

    timer->loop = loop;
    timer->fn = fn;
    timer->self = self;
    ps_assert(uv_timer_init(&loop->uv, &timer->uv) == 0);
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL)
        uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    const uint64_t delay = loop__uv_delay(timer->loop, delay_ms);

    ps_assert(uv_timer_start(&timer->uv, on_timer, delay, 0) == 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *uv, int signum)
{
    struct loop_signal *sig = PS_CONTAINER_OF(uv, struct loop_signal, uv);

    sig->fn(sig->self, signum);
}

static void on_signal_closed(uv_handle_t *uv)
{
    ps_free(PS_CONTAINER_OF(uv, struct loop_signal, uv));
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum, loop_signal_fn *fn, void *self)
{
    struct loop_signal *sig = ps_xcalloc(1, sizeof(*sig));

    sig->fn = fn;
    sig->self = self;
    ps_assert(uv_signal_init(&loop->uv, &sig->uv) == 0);
    ps_assert(uv_signal_start(&sig->uv, on_signal, signum) == 0);
    return sig;
}

void loop_signal_free(struct loop_signal *sig)
{
    if (sig != NULL)
        uv_close((uv_handle_t *)&sig->uv, on_signal_closed);
}

/* ---- backoff -------------------------------------------------------------------------------- */

int64_t loop_backoff_next(struct loop_backoff *backoff)
{
    ps_assert(backoff->first_ms > 0 && backoff->max_ms >= backoff->first_ms);
    const int64_t delay = backoff->delay_ms > 0 ? backoff->delay_ms : backoff->first_ms;

    backoff->delay_ms = delay > backoff->max_ms / 2 ? backoff->max_ms : delay * 2;
    return delay + (int64_t)loop_random((uint64_t)delay);
}

void loop_backoff_reset(struct loop_backoff *backoff)
{
    backoff->delay_ms = 0;
}
