/* SPDX-License-Identifier: Apache-2.0 */
/* Events that come again: counted in the one that is there, and not told without end. */
#include "job.h"

#include "exec/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)

/* ---- the book ------------------------------------------------------------------------------- */

/* Says it; its count when it is to be told, 0 when not. */
static int64_t say(struct exec__voices *voices, const char *about, uint64_t what, int64_t now_ms)
{
    bool tell = false;
    const struct exec__series *series = exec__voices_say(voices, about, what, now_ms, &tell);

    return tell ? series->count : 0;
}

static void repetitions_are_counted_for_six_minutes(void **state)
{
    (void)state;
    struct exec__voices voices;

    exec__voices_init(&voices);
    assert_int_equal(say(&voices, "a", 1, 0), 1);
    assert_int_equal(say(&voices, "a", 1, 5 * MINUTE), 2);
    assert_int_equal(say(&voices, "a", 2, 5 * MINUTE), 1);
    assert_int_equal(say(&voices, "b", 1, 5 * MINUTE), 1);
    assert_int_equal(say(&voices, "a", 1, 11 * MINUTE - 1), 3); /* since the last one */
    assert_int_equal(say(&voices, "a", 1, 17 * MINUTE), 1);
    assert_int_equal(say(&voices, "a", 2, 17 * MINUTE), 1);
    exec__voices_fini(&voices);
}

static void one_object_cannot_flood(void **state)
{
    (void)state;
    struct exec__voices voices;
    int told = 0;

    exec__voices_init(&voices);
    for (uint64_t i = 0; i < 100; i++)
        told += say(&voices, "a", i, 0) > 0;
    assert_int_equal(told, 25);
    assert_int_equal(say(&voices, "b", 1, 0), 1); /* another is heard */
    assert_int_equal(say(&voices, "a", 1000, 5 * MINUTE - 1), 0);
    assert_int_equal(say(&voices, "a", 1000, 5 * MINUTE), 1);
    assert_int_equal(say(&voices, "a", 1001, 9 * MINUTE), 0);
    assert_int_equal(say(&voices, "a", 1001, 10 * MINUTE), 1); /* no time is lost by asking */
    for (uint64_t i = told = 0; i < 100; i++)
        told += say(&voices, "a", 2000 + i, 1000 * MINUTE) > 0;
    assert_int_equal(told, 25); /* never more at once */
    exec__voices_fini(&voices);
}

static void repetitions_leave_something_for_news(void **state)
{
    (void)state;
    struct exec__voices voices;
    int told = 0;

    exec__voices_init(&voices);
    for (int i = 0; i < 100; i++)
        told += say(&voices, "a", 1, i) > 0;
    assert_int_equal(told, 15);
    assert_int_equal(say(&voices, "a", 2, 100), 1);
    assert_int_equal(say(&voices, "a", 1, 5 * MINUTE + 100), 0);
    assert_int_equal(say(&voices, "a", 1, 10 * MINUTE + 100), 102); /* nothing was forgotten */
    exec__voices_fini(&voices);
}

static void what_is_under_way_is_counted_and_not_told_again(void **state)
{
    (void)state;
    struct exec__voices voices;
    bool tell;

    exec__voices_init(&voices);
    struct exec__series *series = exec__voices_say(&voices, "a", 1, 0, &tell);

    series->busy = true;
    assert_int_equal(say(&voices, "a", 1, 1), 0);
    assert_int_equal(say(&voices, "a", 1, 7 * MINUTE), 0); /* nor is it over */
    assert_int_equal(series->count, 3);
    series->busy = false;
    exec__series_drop(series);
    assert_int_equal(say(&voices, "a", 1, 7 * MINUTE), 1);
    exec__voices_fini(&voices);
}

static void the_book_is_bounded(void **state)
{
    (void)state;
    struct exec__voices voices;
    bool tell;

    exec__voices_init(&voices);
    struct exec__series *busy = exec__voices_say(&voices, "busy", 1, 0, &tell);

    busy->busy = true;
    for (int i = 0; i < 10000; i++) {
        PS_AUTO_BUF(about, 32);

        ps_buf_printf(&about, "o%d", i);
        assert_int_equal(say(&voices, ps_buf_text(&about), 1, i), 1);
        assert_true(voices.by_object.count <= 4096);
    }
    assert_int_equal(say(&voices, "o9999", 1, 10000), 2); /* the last are kept */
    assert_int_equal(say(&voices, "o0", 1, 10000), 1);
    assert_int_equal(say(&voices, "busy", 1, 10000), 0); /* and what is under way */
    exec__voices_fini(&voices);
}

/* ---- on the wire ---------------------------------------------------------------------------- */

static void tell(struct job_fixture *f, const char *note, int requests)
{
    const struct exec_subject subject = {MODEL_STREAM, "n", "s", "u1"};

    exec_event(f->exec, &subject, true, "Told", note);
    for (int i = 0; i < 200 && (script_count(f->script) < requests || exec_events(f->exec) > 0);
         i++)
        script_wait(f->loop, 5);
    assert_int_equal(script_count(f->script), requests);
    assert_int_equal(exec_events(f->exec), 0);
}

static void an_event_that_comes_again_is_a_patch(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    tell(&f, "a word", 1);
    assert_string_equal(script_line(f.script, 0),
                        "POST " JOB_EVENTS "?fieldManager=penstock&fieldValidation=Strict");
    assert_false(job_is_in(script_text(f.script, 0), "\"series\""));
    tell(&f, "a word", 2);
    tell(&f, "a word", 3);
    tell(&f, "another", 4);
    assert_true(ps_str_starts(ps_str(script_line(f.script, 1)), "PATCH " JOB_EVENTS "/s."));
    assert_string_equal(script_line(f.script, 1), script_line(f.script, 2));
    assert_true(job_is_in(script_text(f.script, 1), "application/merge-patch+json"));
    assert_true(job_is_in(script_text(f.script, 1), "{\"series\":{\"count\":2,"));
    assert_true(job_is_in(script_text(f.script, 1), "\"lastObservedTime\":\""));
    assert_true(job_is_in(script_text(f.script, 2), "\"count\":3"));
    assert_true(ps_str_starts(ps_str(script_line(f.script, 3)), "POST "));
    job_teardown(&f);
}

/* The first patch finds nothing. */
static void on_request(void *self, struct script_peer *peer, const struct script_request *request)
{
    int *patches = self;
    const bool is_patch = strcmp(request->method, "PATCH") == 0;

    if (is_patch && (*patches)++ == 0) {
        script_reply(peer, 404, "", "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\"}");
    } else {
        script_reply(peer, 201, "", "{\"metadata\":{\"name\":\"x\"}}");
    }
}

static void an_event_that_has_expired_is_made_anew_with_its_count(void **state)
{
    (void)state;
    struct job_fixture f;
    int patches = 0;

    job_setup(&f, NULL);
    script_free(f.script);
    kube_client_free(f.client);
    exec_free(f.exec);
    f.script = script_new(f.loop, on_request, &patches);
    kube_config_fini(&f.config);
    f.config = (struct kube_config){.server = ps_xstrdup(script_url(f.script))};
    f.client = kube_client_new(f.loop, &f.config, "penstock/test");
    f.exec = exec_new(f.client, &(struct exec_callbacks){0}, "penstock-0");
    tell(&f, "a word", 1);
    tell(&f, "a word", 3);
    assert_true(ps_str_starts(ps_str(script_line(f.script, 2)), "POST "));
    assert_true(job_is_in(script_text(f.script, 2), "\"series\":{\"count\":2,"));
    tell(&f, "a word", 4);
    assert_true(ps_str_starts(ps_str(script_line(f.script, 3)), "PATCH "));
    assert_string_not_equal(script_line(f.script, 3), script_line(f.script, 1));
    job_teardown(&f);
}

static void events_are_counted(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_EVENTS, .status = 403, .times = 1}, {0}};
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);

    job_setup(&f, rules);
    exec_measure(f.exec, metrics);
    tell(&f, "lost", 1);
    tell(&f, "lost", 2); /* the next one is new */
    tell(&f, "lost", 3);
    for (int i = 0; i < 100; i++)
        tell(&f, "lost", 4 + (i < 12 ? i : 11));
    metrics_print(metrics, &text);
    assert_non_null(strstr(ps_buf_text(&text), "penstock_events_total{result=\"held\"} 88\n"));
    assert_non_null(strstr(ps_buf_text(&text), "penstock_events_total{result=\"lost\"} 1\n"));
    assert_non_null(strstr(ps_buf_text(&text), "penstock_events_total{result=\"new\"} 1\n"));
    assert_non_null(strstr(ps_buf_text(&text), "penstock_events_total{result=\"repeated\"} 13\n"));
    job_teardown(&f);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_counted_for_six_minutes),
        cmocka_unit_test(one_object_cannot_flood),
        cmocka_unit_test(repetitions_leave_something_for_news),
        cmocka_unit_test(what_is_under_way_is_counted_and_not_told_again),
        cmocka_unit_test(the_book_is_bounded),
        cmocka_unit_test(an_event_that_comes_again_is_a_patch),
        cmocka_unit_test(an_event_that_has_expired_is_made_anew_with_its_count),
        cmocka_unit_test(events_are_counted),
    };

    return cmocka_run_group_tests_name("exec/voice", tests, NULL, NULL);
}
