/* SPDX-License-Identifier: Apache-2.0 */
/* The work queue: one run of a key at a time, nothing lost, nothing doubled. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define RUNS_MAX 64

/* Records the runs; `act` decides what a run does. */
struct fixture {
    struct loop *loop;
    struct loop_queue *queue;
    struct loop_timer *end;
    void (*act)(struct fixture *f, const char *key);
    int runs;
    char keys[RUNS_MAX][16];
    int64_t at_ms[RUNS_MAX];
    size_t most;
    int64_t delay_ms;
};

static void on_run(void *self, const char *key)
{
    struct fixture *f = self;

    assert_true(f->runs < RUNS_MAX);
    assert_true(strlen(key) < sizeof(f->keys[0]));
    memcpy(f->keys[f->runs], key, strlen(key) + 1);
    f->at_ms[f->runs++] = loop_now_ms();
    if (loop_queue_running(f->queue) > f->most)
        f->most = loop_queue_running(f->queue);
    f->act(f, key);
}

static void on_end(void *self)
{
    const struct fixture *f = self;

    loop_stop(f->loop);
}

static void start(struct fixture *f, size_t concurrency,
                  void (*act)(struct fixture *, const char *))
{
    *f = (struct fixture){.loop = loop_new(), .act = act};
    f->queue = loop_queue_new(f->loop, concurrency, on_run, f);
    f->end = loop_timer_new(f->loop, on_end, f);
}

static void add_after(struct fixture *f, const char *key, int64_t delay_ms)
{
    loop_queue_add(f->queue, key, NULL, LOOP_WOKEN, delay_ms);
}

static void add(struct fixture *f, const char *key)
{
    add_after(f, key, 0);
}

static void run_for(struct fixture *f, int64_t ms)
{
    loop_timer_set(f->end, ms);
    loop_run(f->loop);
}

static void finish(struct fixture *f)
{
    loop_queue_free(f->queue);
    loop_timer_free(f->end);
    loop_free(f->loop);
}

static void done(struct fixture *f, const char *key)
{
    loop_queue_done(f->queue, key, -1);
}

static void keep(struct fixture *f, const char *key)
{
    (void)f;
    (void)key;
}

static void add_runs_later_and_once(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 4, done);
    add(&f, "a");
    add(&f, "a");
    add(&f, "b");
    add(&f, "a");
    assert_int_equal(f.runs, 0); /* never from inside add */
    assert_int_equal(loop_queue_waiting(f.queue), 2);
    run_for(&f, 20);
    assert_int_equal(f.runs, 2);
    assert_string_equal(f.keys[0], "a");
    assert_string_equal(f.keys[1], "b");
    assert_int_equal(loop_queue_waiting(f.queue), 0);
    assert_int_equal(loop_queue_running(f.queue), 0);
    finish(&f);
}

static void first_due_is_first_served(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, done);
    add_after(&f, "late", 20);
    add_after(&f, "soon", 10);
    add(&f, "n1");
    add(&f, "n2");
    add(&f, "n3");
    run_for(&f, 60);
    static const char *const want[] = {"n1", "n2", "n3", "soon", "late"};

    assert_int_equal(f.runs, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(f.keys[i], want[i]);
    finish(&f);
}

static void the_earlier_time_wins(void **state)
{
    (void)state;
    struct fixture f;
    const int64_t begin = loop_now_ms();

    start(&f, 1, done);
    add_after(&f, "a", 5000);
    add_after(&f, "a", 20);
    add_after(&f, "a", 9000);
    run_for(&f, 80);
    assert_int_equal(f.runs, 1);
    assert_in_range(f.at_ms[0] - begin, 20, 79);
    finish(&f);
}

static void concurrency_is_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 2, keep);
    add(&f, "a");
    add(&f, "b");
    add(&f, "c");
    run_for(&f, 20);
    assert_int_equal(f.runs, 2);
    assert_int_equal(loop_queue_waiting(f.queue), 1);
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 20);
    assert_int_equal(f.runs, 3);
    assert_string_equal(f.keys[2], "c");
    assert_int_equal(f.most, 2);
    finish(&f);
}

static void a_running_key_is_never_run_twice_but_remembered(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 4, keep);
    add(&f, "a");
    run_for(&f, 10);
    add(&f, "a");
    add(&f, "a");
    run_for(&f, 20);
    assert_int_equal(f.runs, 1);
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 20);
    assert_int_equal(f.runs, 2);
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 20);
    assert_int_equal(f.runs, 2);
    finish(&f);
}

/* What comes after the look, and what is for later, has it run again. */
static void a_run_that_looks_again_has_served_what_came_before(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 4, keep);
    add(&f, "a");
    run_for(&f, 10);
    loop_queue_served(f.queue, "a");
    add(&f, "a");
    loop_queue_served(f.queue, "a");
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 20);
    assert_int_equal(f.runs, 1);
    add(&f, "a");
    run_for(&f, 10);
    add(&f, "a");
    loop_queue_served(f.queue, "a");
    add(&f, "a");
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 20);
    assert_int_equal(f.runs, 3);
    loop_queue_add(f.queue, "a", "g", LOOP_WOKEN, 30);
    loop_queue_served(f.queue, "a");
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 80);
    assert_int_equal(f.runs, 4);
    finish(&f);
}

static void done_runs_again_after_the_asked_time(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    add(&f, "a");
    run_for(&f, 10);
    const int64_t begin = loop_now_ms();

    loop_queue_done(f.queue, "a", 30);
    run_for(&f, 80);
    assert_int_equal(f.runs, 2);
    assert_in_range(f.at_ms[1] - begin, 30, 79);
    /* An add during the run is earlier than the asked time. */
    add(&f, "a");
    loop_queue_done(f.queue, "a", 5000);
    run_for(&f, 20);
    assert_int_equal(f.runs, 3);
    finish(&f);
}

static void fail_run(struct fixture *f, const char *key)
{
    f->delay_ms = loop_queue_failed(f->queue, key, 0);
}

static void failures_back_off_per_key_and_success_forgets(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    add(&f, "a");
    run_for(&f, 5);
    int64_t low = LOOP_RETRY_FIRST_MS;

    for (int i = 0; i < 4; i++, low *= 2) {
        const int64_t delay = loop_queue_failed(f.queue, "a", 0);

        assert_in_range(delay, low, 2 * low - 1);
        run_for(&f, 2 * low + 20);
        assert_int_equal(f.runs, i + 2);
    }
    loop_queue_done(f.queue, "a", 0);
    run_for(&f, 20);
    assert_in_range(loop_queue_failed(f.queue, "a", 0), LOOP_RETRY_FIRST_MS,
                    2 * LOOP_RETRY_FIRST_MS - 1);
    finish(&f);
}

static void an_add_cuts_a_backoff_short(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, fail_run);
    add(&f, "a");
    run_for(&f, 300); /* several failures */
    const int runs = f.runs;

    f.act = done;
    add(&f, "a");
    run_for(&f, 20);
    assert_int_equal(f.runs, runs + 1);
    finish(&f);
}

static void news_during_a_failing_run_does_not_wait_for_the_backoff(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, fail_run);
    add(&f, "a");
    run_for(&f, 700); /* the next delay is at least 320 ms */
    f.act = keep;
    add(&f, "a");
    run_for(&f, 20);
    const int runs = f.runs;

    add(&f, "a");
    assert_int_equal(loop_queue_failed(f.queue, "a", 0), 0);
    run_for(&f, 20);
    assert_int_equal(f.runs, runs + 1);
    finish(&f);
}

static void a_servers_wish_to_wait_is_kept_whatever_comes(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    add(&f, "a");
    run_for(&f, 5);
    const int64_t begin = loop_now_ms();

    add(&f, "a");
    assert_in_range(loop_queue_failed(f.queue, "a", 60), 60, 80);
    add(&f, "a");
    run_for(&f, 150);
    assert_int_equal(f.runs, 2);
    assert_true(f.at_ms[1] - begin >= 60);
    finish(&f);
}

static void pause_hands_out_nothing_more(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    add(&f, "a");
    add(&f, "b");
    run_for(&f, 10);
    loop_queue_pause(f.queue);
    loop_queue_done(f.queue, "a", -1);
    add(&f, "c");
    run_for(&f, 20);
    assert_int_equal(f.runs, 1);
    assert_int_equal(loop_queue_waiting(f.queue), 2);
    assert_int_equal(loop_queue_running(f.queue), 0);
    finish(&f);
}

static void what_has_waited_for_the_end_of_a_pause_comes_in_its_order(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    loop_queue_pause(f.queue);
    add(&f, "a");
    add_after(&f, "b", 5);
    run_for(&f, 20);
    assert_int_equal(f.runs, 0);
    loop_queue_resume(f.queue);
    run_for(&f, 10);
    assert_int_equal(f.runs, 1);
    loop_queue_done(f.queue, "a", -1);
    run_for(&f, 10);
    assert_int_equal(f.runs, 2);
    finish(&f);
}

static void at_once(struct fixture *f, const char *key)
{
    f->runs = f->runs < 10 ? f->runs : 9; /* the record would overflow */
    loop_queue_done(f->queue, key, 0);
}

static void a_key_that_is_always_due_starves_nobody(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, at_once);
    add(&f, "a");
    run_for(&f, 20); /* comes back: the timer was served */
    assert_true(f.runs > 1);
    finish(&f);
}

static void free_it(struct fixture *f, const char *key)
{
    loop_queue_free(f->queue);
    assert_string_equal(key, "a"); /* still readable */
    loop_stop(f->loop);
}

static void queue_may_be_freed_by_its_own_run(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 4, free_it);
    add(&f, "a");
    add(&f, "b");
    loop_run(f.loop);
    assert_int_equal(f.runs, 1);
    loop_queue_free(NULL);
    loop_timer_free(f.end);
    loop_free(f.loop);
}

/* 400 keys with random times, a third of them moved forward, come in the order of their times. */
static void many_keys_keep_their_order(void **state)
{
    (void)state;

    enum {
        KEYS = 400,
        SOON = (KEYS + 2) / 3
    };

    static int64_t due_ms[KEYS];
    struct fixture f;
    int64_t last = 0;

    start(&f, 1, keep);
    for (int i = 0; i < KEYS; i++) {
        PS_AUTO_BUF(key, 16);
        ps_buf_printf(&key, "%d", i);
        add_after(&f, ps_buf_text(&key), 5000 + (int64_t)loop_random(100000));
        const int64_t delay = (int64_t)loop_random(40);

        due_ms[i] = loop_now_ms() + delay;
        if (i % 3 == 0)
            add_after(&f, ps_buf_text(&key), delay);
    }
    assert_int_equal(loop_queue_waiting(f.queue), KEYS);
    for (int n = 0; n < SOON; n++) {
        int64_t i;

        f.runs = 0;
        run_for(&f, n == 0 ? 60 : 2);
        assert_int_equal(f.runs, 1);
        assert_true(ps_str_to_i64(ps_str(f.keys[0]), &i));
        assert_int_equal(i % 3, 0);
        assert_true(due_ms[i] >= last - 1); /* the queue's clock was read a moment later */
        last = due_ms[i];
        loop_queue_done(f.queue, f.keys[0], -1);
    }
    assert_int_equal(loop_queue_waiting(f.queue), KEYS - SOON);
    finish(&f);
}

static int64_t scraped(struct metrics *metrics, const char *start)
{
    PS_AUTO_BUF(out, METRICS_TEXT_MAX);
    int64_t number = -1;

    metrics_print(metrics, &out);
    const char *at = strstr(ps_buf_text(&out), start);

    if (at == NULL)
        fail_msg("no \"%s\" in:\n%s", start, ps_buf_text(&out));
    struct ps_str rest = ps_str(at + strlen(start)), whole;

    (void)ps_str_split(&rest, '\n', &whole);
    rest = whole;
    (void)ps_str_split(&rest, '.', &whole);
    assert_true(ps_str_to_i64(whole, &number));
    return number;
}

#define OF_Q         "{controller=\"q\",name=\"q\"} "
#define DEPTH(level) "workqueue_depth{controller=\"q\",name=\"q\",priority=\"" level "\"} "
#define WOKEN_DEPTH  DEPTH("woken")

/* What fails once, then asks for another run, then ends. */
static void in_three_runs(struct fixture *f, const char *key)
{
    if (f->runs == 1) {
        (void)loop_queue_failed(f->queue, key, 0);
    } else {
        loop_queue_done(f->queue, key, f->runs == 2 ? 0 : -1);
    }
}

static void a_measured_queue_counts(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct fixture f;

    start(&f, 1, in_three_runs);
    loop_measure(f.loop, metrics);
    loop_queue_measure(f.queue, metrics, "q");
    assert_int_equal(scraped(metrics, "workqueue_adds_total" OF_Q), 0);
    add(&f, "a");
    add(&f, "a"); /* the same: not counted */
    assert_int_equal(scraped(metrics, "workqueue_adds_total" OF_Q), 1);
    assert_int_equal(scraped(metrics, WOKEN_DEPTH), 1);
    run_for(&f, 400);
    assert_int_equal(f.runs, 3);
    assert_int_equal(scraped(metrics, "workqueue_adds_total" OF_Q), 3);
    assert_int_equal(scraped(metrics, "workqueue_retries_total" OF_Q), 2);
    assert_int_equal(scraped(metrics, WOKEN_DEPTH), 0);
    assert_int_equal(
        scraped(metrics, "workqueue_queue_duration_seconds_count{controller=\"q\",name=\"q\"} "),
        3);
    assert_int_equal(
        scraped(metrics, "workqueue_work_duration_seconds_count{controller=\"q\",name=\"q\"} "), 3);
    /* The backoff is no waiting in the queue. */
    assert_int_equal(scraped(metrics, "workqueue_queue_duration_seconds_bucket{controller=\"q\","
                                      "name=\"q\",le=\"0.1\"} "),
                     3);
    assert_true(scraped(metrics, "penstock_loop_turn_seconds_count ") > 2);
    /* Some 380 ms of waiting are no work. */
    assert_int_equal(scraped(metrics, "penstock_loop_turn_seconds_bucket{le=\"0.25\"} "),
                     scraped(metrics, "penstock_loop_turn_seconds_count "));
    finish(&f);
    (void)scraped(metrics, WOKEN_DEPTH); /* nothing of the queue is asked any more */
    metrics_free(metrics);
}

static void on_slow(void *self)
{
    const int64_t until_ms = loop_now_ms() + 120;

    (void)self;
    while (loop_now_ms() < until_ms) {
    }
}

static void work_in_progress_and_slow_turns_are_seen(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct fixture f;

    start(&f, 2, keep);
    struct loop_timer *slow = loop_timer_new(f.loop, on_slow, NULL);

    loop_measure(f.loop, metrics);
    loop_queue_measure(f.queue, metrics, "q");
    add(&f, "a");
    add(&f, "b");
    add(&f, "c");
    add_after(&f, "later", 60000);
    run_for(&f, 1100);
    assert_int_equal(scraped(metrics, WOKEN_DEPTH), 1);
    assert_int_equal(scraped(metrics, "workqueue_unfinished_work_seconds" OF_Q), 2);
    assert_int_equal(scraped(metrics, "workqueue_longest_running_processor_seconds" OF_Q), 1);
    loop_timer_set(slow, 10);
    run_for(&f, 50);
    run_for(&f, 20);
    assert_true(scraped(metrics, "penstock_loop_turn_seconds_count ") >
                scraped(metrics, "penstock_loop_turn_seconds_bucket{le=\"0.1\"} "));
    loop_timer_free(slow);
    finish(&f);
    metrics_free(metrics);
}

/* ---- levels and groups ----------------------------------------------------------------------- */

#define MANY 3000

static void add_many(struct fixture *f, const char *group, enum loop_level level)
{
    for (int i = 0; i < MANY; i++) {
        PS_AUTO_BUF(key, 16);

        ps_buf_printf(&key, "%s%d", group, i);
        loop_queue_add(f->queue, ps_buf_text(&key), group, level, 0);
    }
}

static void what_has_changed_comes_before_what_is_listed(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    add_many(&f, "l", LOOP_LISTED);
    run_for(&f, 5);
    assert_int_equal(f.runs, 1);
    loop_queue_add(f.queue, "w", "l", LOOP_WOKEN, 0);
    loop_queue_add(f.queue, "c", "l", LOOP_CHANGED, 0);
    loop_queue_add(f.queue, "l2500", "l", LOOP_CHANGED, 0); /* raised, and due before c */
    loop_queue_add(f.queue, "c", "l", LOOP_LISTED, 0);      /* not lowered */
    static const char *const want[] = {"l0", "l2500", "c", "w", "l1"};

    for (int i = 1; i < 5; i++) {
        loop_queue_done(f.queue, f.keys[i - 1], -1);
        run_for(&f, 5);
        assert_int_equal(f.runs, i + 1);
        assert_string_equal(f.keys[i], want[i]);
    }
    finish(&f);
}

static void what_waits_long_is_not_overtaken(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    loop_queue_level_ms(f.queue, 20);
    add(&f, "running");
    run_for(&f, 5);
    loop_queue_add(f.queue, "listed", NULL, LOOP_LISTED, 0);
    run_for(&f, 50); /* two levels and more */
    loop_queue_add(f.queue, "changed", NULL, LOOP_CHANGED, 0);
    loop_queue_done(f.queue, "running", -1);
    run_for(&f, 5);
    assert_string_equal(f.keys[1], "listed");
    finish(&f);
}

static void a_retry_has_its_level(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, keep);
    loop_queue_add(f.queue, "a", NULL, LOOP_CHANGED, 0);
    run_for(&f, 5);
    loop_queue_pause(f.queue);
    (void)loop_queue_failed(f.queue, "a", 0); /* still changed, due in a moment */
    add(&f, "b");
    run_for(&f, 20);
    loop_queue_resume(f.queue);
    run_for(&f, 5);
    assert_string_equal(f.keys[1], "a");
    loop_queue_pause(f.queue);
    loop_queue_done(f.queue, "a", 0); /* it has been served: now it is as good as b, and later */
    loop_queue_resume(f.queue);
    run_for(&f, 5);
    assert_string_equal(f.keys[2], "b");
    finish(&f);
}

static size_t count_runs(const struct fixture *f, char first)
{
    size_t count = 0;

    for (int i = 0; i < f->runs; i++)
        count += f->keys[i][0] == first;
    return count;
}

static void a_group_leaves_room_for_the_others(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 16, keep);
    add_many(&f, "a", LOOP_CHANGED);
    run_for(&f, 5);
    assert_int_equal(f.runs, 8); /* and hang */
    loop_queue_add(f.queue, "b", "b", LOOP_LISTED, 0);
    run_for(&f, 5);
    assert_int_equal(count_runs(&f, 'b'), 1);
    add_many(&f, "c", LOOP_CHANGED);
    run_for(&f, 5);
    assert_int_equal(count_runs(&f, 'c'), 4); /* half of 16 - 8 - 1, rounded up */
    assert_int_equal(count_runs(&f, 'a'), 8);
    loop_queue_add(f.queue, "d", "d", LOOP_LISTED, 0);
    loop_queue_add(f.queue, "e", NULL, LOOP_LISTED, 0);
    run_for(&f, 5);
    assert_int_equal(count_runs(&f, 'd') + count_runs(&f, 'e'), 2);
    loop_queue_done(f.queue, "a3", -1); /* what is left is for others than a and c */
    run_for(&f, 5);
    assert_int_equal(f.runs, 15);
    loop_queue_done(f.queue, "b", -1);
    for (int i = 4; i < 8; i++) {
        PS_AUTO_BUF(key, 16);

        ps_buf_printf(&key, "a%d", i);
        loop_queue_done(f.queue, ps_buf_text(&key), -1);
    }
    run_for(&f, 5);
    assert_int_equal(loop_queue_running(f.queue), 12); /* a: 5, c: 5, d, e */
    finish(&f);
}

static void one_place_is_for_whoever_comes(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 1, done);
    loop_queue_add(f.queue, "a", "g", LOOP_WOKEN, 0);
    loop_queue_add(f.queue, "b", "h", LOOP_WOKEN, 0);
    run_for(&f, 10);
    assert_int_equal(f.runs, 2);
    finish(&f);
}

static void a_key_moves_to_its_new_group(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 4, keep);
    loop_queue_add(f.queue, "a1", "a", LOOP_WOKEN, 0);
    loop_queue_add(f.queue, "a2", "a", LOOP_WOKEN, 0);
    loop_queue_add(f.queue, "x", "a", LOOP_WOKEN, 0);
    run_for(&f, 5);
    assert_int_equal(f.runs, 2); /* the third waits for a place of a */
    loop_queue_add(f.queue, "x", "b", LOOP_WOKEN, 0);
    run_for(&f, 5);
    assert_int_equal(f.runs, 3);
    loop_queue_add(f.queue, "x", "a", LOOP_WOKEN, 0); /* while it runs */
    loop_queue_done(f.queue, "x", -1);
    run_for(&f, 5);
    assert_int_equal(f.runs, 3);
    loop_queue_done(f.queue, "a1", -1);
    run_for(&f, 5);
    assert_int_equal(f.runs, 4);
    assert_string_equal(f.keys[3], "x");
    finish(&f);
}

static void groups_above_the_ceiling_share_one(void **state)
{
    (void)state;
    struct fixture f;

    start(&f, 8, keep);
    loop_queue_pause(f.queue);
    for (size_t i = 0; i < LOOP_QUEUE_GROUPS_MAX + 10; i++) {
        PS_AUTO_BUF(key, 16);

        ps_buf_printf(&key, "%zu", i);
        loop_queue_add(f.queue, ps_buf_text(&key), ps_buf_text(&key),
                       i < LOOP_QUEUE_GROUPS_MAX ? LOOP_LISTED : LOOP_CHANGED, 0);
    }
    loop_queue_resume(f.queue);
    run_for(&f, 5);
    assert_int_equal(f.runs, 8);
    for (int i = 0; i < 8; i++) /* four of the shared one, then others */
        assert_true((strlen(f.keys[i]) == 4) == (i < 4));
    finish(&f);
}

static void depth_is_told_by_level(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct fixture f;

    start(&f, 1, keep);
    loop_queue_measure(f.queue, metrics, "q");
    loop_queue_pause(f.queue);
    loop_queue_add(f.queue, "a", NULL, LOOP_LISTED, 0);
    loop_queue_add(f.queue, "b", NULL, LOOP_LISTED, 0);
    loop_queue_add(f.queue, "c", NULL, LOOP_CHANGED, 0);
    loop_queue_add(f.queue, "d", NULL, LOOP_CHANGED, 5000); /* not due */
    assert_int_equal(scraped(metrics, DEPTH("listed")), 2);
    assert_int_equal(scraped(metrics, DEPTH("woken")), 0);
    assert_int_equal(scraped(metrics, DEPTH("changed")), 1);
    finish(&f);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_runs_later_and_once),
        cmocka_unit_test(first_due_is_first_served),
        cmocka_unit_test(the_earlier_time_wins),
        cmocka_unit_test(concurrency_is_a_ceiling),
        cmocka_unit_test(a_running_key_is_never_run_twice_but_remembered),
        cmocka_unit_test(a_run_that_looks_again_has_served_what_came_before),
        cmocka_unit_test(done_runs_again_after_the_asked_time),
        cmocka_unit_test(failures_back_off_per_key_and_success_forgets),
        cmocka_unit_test(an_add_cuts_a_backoff_short),
        cmocka_unit_test(news_during_a_failing_run_does_not_wait_for_the_backoff),
        cmocka_unit_test(a_servers_wish_to_wait_is_kept_whatever_comes),
        cmocka_unit_test(pause_hands_out_nothing_more),
        cmocka_unit_test(what_has_waited_for_the_end_of_a_pause_comes_in_its_order),
        cmocka_unit_test(a_key_that_is_always_due_starves_nobody),
        cmocka_unit_test(queue_may_be_freed_by_its_own_run),
        cmocka_unit_test(many_keys_keep_their_order),
        cmocka_unit_test(a_measured_queue_counts),
        cmocka_unit_test(work_in_progress_and_slow_turns_are_seen),
        cmocka_unit_test(what_has_changed_comes_before_what_is_listed),
        cmocka_unit_test(what_waits_long_is_not_overtaken),
        cmocka_unit_test(a_retry_has_its_level),
        cmocka_unit_test(a_group_leaves_room_for_the_others),
        cmocka_unit_test(one_place_is_for_whoever_comes),
        cmocka_unit_test(a_key_moves_to_its_new_group),
        cmocka_unit_test(groups_above_the_ceiling_share_one),
        cmocka_unit_test(depth_is_told_by_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
