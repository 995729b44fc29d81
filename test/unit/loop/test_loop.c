/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, signals, clocks and backoff. */
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <unistd.h>

struct probe {
    struct loop *loop;
    struct loop_timer *timer, *other;
    int fired, left;
    int64_t at_ms;
};

static void count(void *self)
{
    struct probe *probe = self;

    probe->fired++;
    probe->at_ms = loop_now_ms();
}

static void timer_fires_once_and_not_early(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};
    const int64_t start = loop_now_ms();

    probe.timer = loop_timer_new(probe.loop, count, &probe);
    loop_timer_set(probe.timer, 500);
    loop_timer_set(probe.timer, 20); /* replaces */
    assert_int_equal(probe.fired, 0);
    loop_run(probe.loop);
    assert_int_equal(probe.fired, 1);
    assert_true(probe.at_ms - start >= 20);
    assert_true(probe.at_ms - start < 400);
    loop_timer_free(probe.timer);
    loop_free(probe.loop);
}

static void delay_counts_from_now_in_a_slow_callback(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};

    probe.timer = loop_timer_new(probe.loop, count, &probe);
    usleep(30 * 1000); /* the loop's own clock is 30 ms behind now */
    const int64_t start = loop_now_ms();

    loop_timer_set(probe.timer, 20);
    loop_run(probe.loop);
    assert_true(probe.at_ms - start >= 20);
    loop_timer_free(probe.timer);
    loop_free(probe.loop);
}

static void stopped_and_freed_timers_stay_silent(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};
    struct loop_timer *freed = loop_timer_new(probe.loop, count, &probe);

    probe.timer = loop_timer_new(probe.loop, count, &probe);
    loop_timer_set(probe.timer, 1);
    loop_timer_set(freed, 1);
    loop_timer_stop(probe.timer);
    loop_timer_free(freed);
    loop_run(probe.loop);
    assert_int_equal(probe.fired, 0);
    loop_timer_free(probe.timer);
    loop_timer_free(NULL);
    loop_free(probe.loop);
}

static void free_both(void *self)
{
    struct probe *probe = self;

    probe->fired++;
    loop_timer_free(probe->timer);
    loop_timer_free(probe->other);
}

static void timer_may_free_itself_and_its_neighbour(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};

    probe.timer = loop_timer_new(probe.loop, free_both, &probe);
    probe.other = loop_timer_new(probe.loop, free_both, &probe);
    loop_timer_set(probe.timer, 0);
    loop_timer_set(probe.other, 0);
    loop_run(probe.loop);
    assert_int_equal(probe.fired, 1);
    loop_free(probe.loop);
}

static void again_at_once(void *self)
{
    struct probe *probe = self;

    probe->fired++;
    loop_timer_set(probe->timer, 0);
}

static void stop_loop(void *self)
{
    struct probe *probe = self;

    loop_timer_stop(probe->timer);
    loop_stop(probe->loop);
}

/* libuv 1.44 would never leave its timer step if the timer were due at once again. */
static void timer_that_sets_itself_starves_nobody(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};

    probe.timer = loop_timer_new(probe.loop, again_at_once, &probe);
    probe.other = loop_timer_new(probe.loop, stop_loop, &probe);
    loop_timer_set(probe.timer, 0);
    loop_timer_set(probe.other, 30);
    loop_run(probe.loop);
    assert_in_range(probe.fired, 2, 40);
    loop_timer_free(probe.timer);
    loop_timer_free(probe.other);
    loop_free(probe.loop);
}

static void on_usr1(void *self, int signum)
{
    struct probe *probe = self;

    assert_int_equal(signum, SIGUSR1);
    probe->fired++;
    loop_stop(probe->loop);
}

static void signals_arrive_on_the_loop(void **state)
{
    (void)state;
    struct probe probe = {.loop = loop_new()};
    struct loop_signal *sig = loop_signal_new(probe.loop, SIGUSR1, on_usr1, &probe);

    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(probe.fired, 0);
    loop_run(probe.loop);
    assert_int_equal(probe.fired, 1);
    loop_signal_free(sig);
    loop_signal_free(NULL);
    loop_free(probe.loop);
}

static void a_closed_pipe_does_not_end_the_process(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    (void)close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    (void)close(fds[1]);
    loop_free(loop);
}

static void backoff_doubles_to_its_ceiling_with_jitter(void **state)
{
    (void)state;
    static const int64_t base[] = {10, 20, 40, 80, 100, 100, 100};

    for (int round = 0; round < 100; round++) {
        struct loop_backoff backoff = {.first_ms = 10, .max_ms = 100};

        for (size_t i = 0; i < PS_ARRAY_LEN(base); i++)
            assert_in_range(loop_backoff_next(&backoff), base[i], 2 * base[i] - 1);
        loop_backoff_reset(&backoff);
        assert_in_range(loop_backoff_next(&backoff), 10, 19);
    }
}

static void random_stays_in_range_and_spreads(void **state)
{
    (void)state;
    int seen[7] = {0};

    for (int i = 0; i < 7000; i++)
        seen[loop_random(7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 700, 1300); /* 1000 expected; ± 10 standard deviations */
    assert_int_equal(loop_random(1), 0);
}

static void clocks_are_plausible(void **state)
{
    (void)state;
    const int64_t start = loop_now_ms();

    assert_true(loop_wall_ms() > (int64_t)1700000000 * 1000);
    usleep(5000);
    assert_in_range(loop_now_ms() - start, 4, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_fires_once_and_not_early),
        cmocka_unit_test(delay_counts_from_now_in_a_slow_callback),
        cmocka_unit_test(stopped_and_freed_timers_stay_silent),
        cmocka_unit_test(timer_may_free_itself_and_its_neighbour),
        cmocka_unit_test(timer_that_sets_itself_starves_nobody),
        cmocka_unit_test(signals_arrive_on_the_loop),
        cmocka_unit_test(a_closed_pipe_does_not_end_the_process),
        cmocka_unit_test(backoff_doubles_to_its_ceiling_with_jitter),
        cmocka_unit_test(random_stays_in_range_and_spreads),
        cmocka_unit_test(clocks_are_plausible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
