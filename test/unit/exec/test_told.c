/* SPDX-License-Identifier: Apache-2.0 */
/* What is told: the status last, then the events. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

/* ---- status and events ----------------------------------------------------------------------- */

static void the_status_comes_last_and_the_events_after_it(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    struct plan *plan = job_prepare(&f, 1);

    job_op(plan, 0, PLAN_PATCH, MODEL_SERVICE, "a");
    plan__event(plan, false, "NotNow", "the operations' plan tells nothing");
    plan = job_prepare(&f, 2);
    plan__event(plan, true, "Told", "a word");
    plan->wake_ms = 60000;
    f.stop_at_line = "POST " JOB_EVENTS;
    exec_run(f.exec, JOB_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS));
    job_happened(&f, "plan\n"
                     "PATCH " JOB_SERVICES "/a\nobserve Service a\n"
                     "plan\n"
                     "PATCH " JOB_STATUS "\nobserve StreamDeployment s\n"
                     "done well 60000 0\n" /* events are not waited for */
                     "POST " JOB_EVENTS "\n");
    /* Answers bring what is kept: of Services and Events, metadata. */
    assert_true(job_is_in(script_text(f.script, 0), "as=PartialObjectMetadata;"));
    assert_false(job_is_in(script_text(f.script, 1), "as=PartialObjectMetadata;"));
    assert_true(job_is_in(script_text(f.script, 2), "as=PartialObjectMetadata;"));
    assert_true(job_is_in(script_text(f.script, 1), "application/merge-patch+json"));
    assert_true(job_is_in(script_text(f.script, 1), "{\"status\":{\"number\":2}}"));
    const char *event = script_text(f.script, 2);

    assert_true(job_is_in(event, "\"reason\":\"Told\""));
    assert_true(job_is_in(event, "\"note\":\"a word\""));
    assert_true(job_is_in(event, "\"type\":\"Warning\""));
    assert_true(job_is_in(event, "\"uid\":\"u1\""));
    assert_true(job_is_in(event, "\"reportingInstance\":\"penstock-0\""));
    job_teardown(&f);
}

static void an_event_that_is_lost_harms_nothing(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_EVENTS, .status = 403, .times = 1},
                               {.line = "POST " JOB_EVENTS, .how = JOB_CLOSE, .times = 1},
                               {0}};

    job_setup(&f, rules);
    for (int i = 0; i < 2; i++) {
        plan__event(job_prepare(&f, 1), false, "Told", "a word");
        f.stop_at_line = "POST " JOB_EVENTS;
        exec_run(f.exec, JOB_KEY);
        assert_true(script_run(f.loop, JOB_ENOUGH_MS));
        script_wait(f.loop, 50);
        job_happened(&f, "plan\nPATCH " JOB_STATUS "\nobserve StreamDeployment s\ndone well -1 0\n"
                         "POST " JOB_EVENTS "\n"); /* once: neither tried again nor in doubt */
    }
    job_run(&f);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

static void events_without_a_status_change_are_not_told(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    plan__event(job_prepare(&f, 0), false, "Told", "again and again");
    job_run(&f);
    script_wait(f.loop, 20);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

static void a_status_that_is_not_written_is_written_later(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *headers, *end;
    } rows[] = {
        {"changed meanwhile", 409, "", "done failed -1 0\n"},
        {"gone: nobody to tell", 404, "", "done well -1 0\n"},
        {"the server's error", 500, "", "done failed -1 500\n"},
        {"throttled", 429, "Retry-After: 4\r\n", "done failed -1 4000\n"},
        {"refused", 422, "", "done failed -1 0\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        struct job_rule rules[] = {
            {.line = "PATCH " JOB_STATUS, .status = rows[i].status, .headers = rows[i].headers},
            {0}};
        PS_AUTO_BUF(expected, 512);

        print_message("  %s\n", rows[i].name);
        job_setup(&f, rules);
        struct plan *plan = job_prepare(&f, 1);

        plan__event(plan, false, "Told", "not before the status is there");
        plan->wake_ms = 60000;
        job_run(&f);
        ps_buf_printf(&expected, "plan\nPATCH " JOB_STATUS "\n%s", rows[i].end);
        job_happened(&f, ps_buf_text(&expected));
        script_wait(f.loop, 20);
        job_happened(&f, "");
        job_teardown(&f);
    }
}

static void the_longest_wait_that_was_asked_for_counts(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {
        {.line = "POST " JOB_DEPLOYMENTS, .status = 429, .headers = "Retry-After: 7\r\n"},
        {.line = "PATCH " JOB_STATUS, .status = 409, .body = JOB_CHANGED, .times = 1},
        {.line = "PATCH " JOB_STATUS, .status = 429, .headers = "Retry-After: 8\r\n", .times = 1},
        {0}};

    job_setup(&f, rules);
    for (int i = 0; i < 2; i++) {
        job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
        job_prepare(&f, 1);
        job_run(&f);
        assert_true(job_is_in(ps_buf_text(&f.journal),
                              i == 0 ? "done failed -1 7000\n" : "done failed -1 8000\n"));
        ps_buf_clear(&f.journal);
    }
    job_teardown(&f);
}

static void nothing_is_told_to_what_is_gone(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    f.gone = true;
    plan__event(job_prepare(&f, 1), false, "Told", "nobody listens");
    job_run(&f);
    script_wait(f.loop, 20);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_comes_last_and_the_events_after_it),
        cmocka_unit_test(an_event_that_is_lost_harms_nothing),
        cmocka_unit_test(events_without_a_status_change_are_not_told),
        cmocka_unit_test(a_status_that_is_not_written_is_written_later),
        cmocka_unit_test(the_longest_wait_that_was_asked_for_counts),
        cmocka_unit_test(nothing_is_told_to_what_is_gone),
    };

    return cmocka_run_group_tests_name("exec/told", tests, NULL, NULL);
}
