/* SPDX-License-Identifier: Apache-2.0 */
/* Stages: what runs at once, what waits, what stops; needs; names that are taken. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

/* ---- stages ---------------------------------------------------------------------------------- */

static void a_plan_with_nothing_ends_the_job(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    job_run(&f);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_prepare(&f, 0)->wake_ms = 1234;
    job_run(&f);
    job_happened(&f, "plan\ndone well 1234 0\n");
    assert_int_equal(script_count(f.script), 0);
    job_teardown(&f);
}

static void stages_run_in_order_and_each_at_once(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .how = JOB_HOLD},
                               {.line = "POST " JOB_SERVICES, .how = JOB_HOLD},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 1);

    job_op(plan, 4, PLAN_DELETE, MODEL_SERVICE, "old"); /* stage numbers may have gaps */
    job_op(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "b");
    job_op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "c");
    job_op(plan, 0, PLAN_PATCH, MODEL_REVISION, "r");
    job_prepare(&f, 2);
    f.stop_at_held = 3;
    exec_run(f.exec, JOB_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS)); /* all three are under way together */
    const ptrdiff_t first =
        job_at(&f, "plan\nPATCH /apis/apps/v1/namespaces/n/controllerrevisions/r\n"
                   "observe ControllerRevision r");

    assert_true(first == 0);
    script_wait(f.loop, 20);
    assert_false(job_is_in(ps_buf_text(&f.journal), "DELETE")); /* the next stage waits */
    assert_false(job_is_in(ps_buf_text(&f.journal), "observe Deployment"));
    assert_int_equal(job_let_go(&f, true), 3);
    job_until_done(&f, 1);
    const ptrdiff_t next = job_at(&f, "DELETE " JOB_SERVICES "/old");

    assert_true(job_at(&f, "observe Deployment a") < next);
    assert_true(job_at(&f, "observe Deployment b") < next);
    assert_true(job_at(&f, "observe Service c") < next);
    assert_true(next < job_at(&f, "DELETE " JOB_SERVICES "/old\nabsent Service n/old\nplan\n"
                                  "PATCH " JOB_STATUS "\n"
                                  "observe StreamDeployment s\ndone well -1 0") +
                           1);
    job_teardown(&f);
}

static void operations_go_over_the_wire_as_planned(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 1, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    job_op(plan, 2, PLAN_PATCH_STRATEGIC, MODEL_DEPLOYMENT, "c");
    job_op(plan, 3, PLAN_DELETE, MODEL_DEPLOYMENT, "d");
    job_run(&f);
    job_happened(&f, "plan\n"
                     "POST " JOB_DEPLOYMENTS "\nobserve Deployment a\n"
                     "PATCH " JOB_DEPLOYMENTS "/b\nobserve Deployment b\n"
                     "PATCH " JOB_DEPLOYMENTS "/c\nobserve Deployment c\n"
                     "DELETE " JOB_DEPLOYMENTS "/d\nabsent Deployment n/d\n"
                     "plan\ndone well -1 0\n");
    assert_true(job_is_in(script_text(f.script, 0), "{\"metadata\":{\"name\":\"a\"}}"));
    assert_true(job_is_in(script_text(f.script, 1), "application/merge-patch+json"));
    assert_true(job_is_in(script_text(f.script, 2), "application/strategic-merge-patch+json"));
    assert_true(job_is_in(script_text(f.script, 3), "\"preconditions\":{\"uid\":\"u9\"}"));
    job_teardown(&f);
}

static void a_failed_stage_stops_later_ones_and_is_told(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS,
                                .status = 429,
                                .headers = "Retry-After: 7\r\n",
                                .body = "{\"kind\":\"Status\",\"code\":429,"
                                        "\"reason\":\"TooManyRequests\",\"message\":\"slowly\"}"},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 1);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
    plan = job_prepare(&f, 2); /* what it wants to do must wait: this round only tells */
    job_op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    plan->wake_ms = 1;
    job_run(&f);
    job_happened(&f, "plan\n"
                     "POST " JOB_DEPLOYMENTS "\n"
                     "plan {Deployment n/a PS_ETHROTTLED TooManyRequests: slowly}\n"
                     "PATCH " JOB_STATUS "\nobserve StreamDeployment s\n"
                     "done failed 1 7000\n");
    assert_true(job_is_in(script_text(f.script, 1), "{\"status\":{\"number\":2}}"));
    job_teardown(&f);
}

static void the_rest_of_a_failed_stage_is_finished_and_observed(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .status = 403, .body = ""},
                               {.line = "POST " JOB_SERVICES, .how = JOB_HOLD},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    exec_run(f.exec, JOB_KEY);
    script_wait(f.loop, 100);
    assert_int_equal(f.held_count, 1);
    assert_int_equal(f.planned, 1); /* the failure alone does not end the stage */
    assert_int_equal(job_let_go(&f, true), 1);
    job_until_done(&f, 1);
    assert_true(job_at(&f, "observe Service b\n"
                           "plan {Deployment n/a PS_EDENIED : HTTP status 403}\n"
                           "done failed -1 1000") > 0);
    job_teardown(&f);
}

static void a_conflict_is_not_told_but_decided_anew(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        enum plan_verb verb;
        int status;
    } rows[] = {
        {"a patch on an old version", PLAN_PATCH_STRATEGIC, 409},
        {"a patch of what is gone", PLAN_PATCH, 404},
        {"a delete of another uid", PLAN_DELETE, 409},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        const char *method = rows[i].verb == PLAN_DELETE ? "DELETE" : "PATCH";
        PS_AUTO_BUF(line, 256);
        PS_AUTO_BUF(expected, 512);

        ps_buf_printf(&line, "%s " JOB_DEPLOYMENTS "/a", method);
        ps_buf_printf(&expected, "plan\n%s\ndone failed 0 0\n", ps_buf_text(&line));
        struct job_rule rules[] = {
            {.line = ps_buf_text(&line), .status = rows[i].status, .body = JOB_CHANGED}, {0}};

        print_message("  %s\n", rows[i].name);
        job_setup(&f, rules);
        struct plan *plan = job_prepare(&f, 1);

        job_op(plan, 0, rows[i].verb, MODEL_DEPLOYMENT, "a");
        job_op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
        job_prepare(&f, 2);
        job_run(&f);
        job_happened(&f, ps_buf_text(&expected));
        job_teardown(&f);
    }
}

static void a_delete_of_what_is_gone_is_done(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "DELETE " JOB_DEPLOYMENTS "/a", .status = 404}, {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_DELETE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 1, PLAN_DELETE, MODEL_SERVICE, "b");
    job_run(&f);
    job_happened(&f, "plan\n"
                     "DELETE " JOB_DEPLOYMENTS "/a\nabsent Deployment n/a\n"
                     "DELETE " JOB_SERVICES "/b\nabsent Service n/b\n"
                     "plan\ndone well -1 0\n");
    job_teardown(&f);
}

#define GOING                                                                                      \
    "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"9\","   \
    "\"deletionTimestamp\":\"2026-11-22T00:00:00Z\""

/* Finalizers of others hold it; or ours was the last one, and the answer may still show it. */
static void a_write_that_ends_an_object_is_told_from_one_that_does_not(void **state)
{
    (void)state;

    static const struct {
        enum plan_verb verb;
        const char *patched, *answer, *seen;
    } rows[] = {
        {PLAN_DELETE, NULL, GOING ",\"finalizers\":[\"x\"]}}", "observe Deployment a\n"},
        {PLAN_PATCH, "[]", GOING ",\"finalizers\":[\"penstock.dev/cleanup\"]}}",
         "absent Deployment n/a\n"},
        {PLAN_PATCH, "[\"x\"]", GOING ",\"finalizers\":[\"x\"]}}", "observe Deployment a\n"},
        {PLAN_PATCH_STRATEGIC, NULL, GOING "}}", "absent Deployment n/a\n"},
        {PLAN_PATCH_STRATEGIC, NULL, GOING ",\"finalizers\":[\"x\"]}}", "observe Deployment a\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        const char *method = rows[i].verb == PLAN_DELETE ? "DELETE" : "PATCH";
        PS_AUTO_BUF(line, 256);
        PS_AUTO_BUF(expected, 512);

        ps_buf_printf(&line, "%s " JOB_DEPLOYMENTS "/a", method);
        struct job_rule rules[] = {
            {.line = ps_buf_text(&line), .status = 200, .body = rows[i].answer}, {0}};

        job_setup(&f, rules);
        struct plan *plan = job_prepare(&f, 0);

        job_op(plan, 0, rows[i].verb, MODEL_DEPLOYMENT, "a");
        if (rows[i].patched != NULL)
            js_set(js_child(plan->ops[0].body, "metadata"), "finalizers",
                   js_parse(ps_str(rows[i].patched), NULL));
        job_run(&f);
        ps_buf_printf(&expected, "plan\n%s\n%splan\ndone well -1 0\n", ps_buf_text(&line),
                      rows[i].seen);
        job_happened(&f, ps_buf_text(&expected));
        job_teardown(&f);
    }
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void needs_are_read_and_become_facts(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "GET " JOB_DEPLOYMENTS "/b", .status = 404}, {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 1);

    job_need(plan, MODEL_DEPLOYMENT, "n", "a");
    job_op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "c"); /* not before all is known */
    job_need(job_prepare(&f, 1), MODEL_DEPLOYMENT, "n", "b");
    job_need(job_prepare(&f, 1), MODEL_NAMESPACE, NULL, "t");
    job_op(job_prepare(&f, 0), 0, PLAN_PATCH, MODEL_SERVICE, "c");
    job_run(&f);
    job_happened(&f, "plan\n"
                     "GET " JOB_DEPLOYMENTS "/a\n"
                     "plan [Deployment n/a a]\n"
                     "GET " JOB_DEPLOYMENTS "/b\n"
                     "plan [Deployment n/a a] [Deployment n/b -]\n"
                     "GET /api/v1/namespaces/t\n"
                     "plan [Deployment n/a a] [Deployment n/b -] [Namespace /t t]\n"
                     "PATCH " JOB_SERVICES "/c\nobserve Service c\n"
                     "plan\n" /* what was read before the write is not held any more */
                     "done well -1 0\n");
    job_teardown(&f);
}

static void all_needs_of_a_plan_are_read_at_once(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "GET " JOB_DEPLOYMENTS "/a", .how = JOB_HOLD},
                               {.line = "GET " JOB_SERVICES "/a", .how = JOB_HOLD},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_need(plan, MODEL_DEPLOYMENT, "n", "a");
    job_need(plan, MODEL_SERVICE, "n", "a");
    f.stop_at_held = 2;
    exec_run(f.exec, JOB_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS));
    assert_int_equal(f.planned, 1);
    assert_int_equal(job_let_go(&f, true), 2);
    job_until_done(&f, 1);
    assert_true(job_is_in(ps_buf_text(&f.journal), "[Deployment n/a a]"));
    assert_true(job_is_in(ps_buf_text(&f.journal), "[Service n/a a]"));
    job_teardown(&f);
}

static void what_cannot_be_read_is_not_taken_for_absent(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *headers, *end;
    } rows[] = {
        {"the server's error", 500, "", "done failed 0 500\n"},
        {"the server's error, with a time", 503, "Retry-After: 3\r\n", "done failed 0 3000\n"},
        {"forbidden", 403, "", "done failed 0 1000\n"},
        {"throttled, without a time", 429, "", "done failed 0 1000\n"},
        {"throttled", 429, "Retry-After: 9\r\n", "done failed 0 9000\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        struct job_rule rules[] = {{.line = "GET " JOB_DEPLOYMENTS "/a",
                                    .status = rows[i].status,
                                    .headers = rows[i].headers},
                                   {0}};

        print_message("  %s\n", rows[i].name);
        job_setup(&f, rules);
        struct plan *plan = job_prepare(&f, 0);

        job_need(plan, MODEL_DEPLOYMENT, "n", "a");
        job_need(plan, MODEL_DEPLOYMENT, "n", "b"); /* readable, but that is not enough */
        job_prepare(&f, 1);
        job_run(&f);
        assert_int_equal(f.planned, 1);
        assert_true(job_at(&f, "GET " JOB_DEPLOYMENTS "/b") > 0);
        assert_true(job_is_in(ps_buf_text(&f.journal), rows[i].end));
        assert_int_equal(script_count(f.script), 2);
        job_teardown(&f);
    }
}

static void a_planner_that_asks_for_ever_is_ended(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    f.endless = true;
    job_run(&f);
    assert_int_equal(f.planned, 12);
    assert_int_equal(script_count(f.script), 12);
    assert_true(job_is_in(ps_buf_text(&f.journal), "\ndone failed 0 0\n"));
    f.endless = false; /* the next job starts to count anew */
    ps_buf_clear(&f.journal);
    job_run(&f);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

/* ---- names that are taken -------------------------------------------------------------------- */

static void who_holds_a_taken_name_is_read_and_told(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .status = 409, .body = JOB_TAKEN},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 1);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
    job_prepare(&f, 2)->wake_ms = 30000;
    job_run(&f);
    job_happened(&f, "plan\n"
                     "POST " JOB_DEPLOYMENTS "\n"
                     "GET " JOB_DEPLOYMENTS "/a\nobserve Deployment a unproven\n"
                     "plan [Deployment n/a a]\n"
                     "PATCH " JOB_STATUS "\nobserve StreamDeployment s\n"
                     "done well 30000 0\n"); /* no failure: nothing gets better by trying */
    job_teardown(&f);
}

static void a_holder_that_cannot_be_read_decides_nothing(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *end;
    } rows[] = {
        {"gone again", 404, "done failed 0 0\n"},
        {"the server's error", 500, "done failed 0 500\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        struct job_rule rules[] = {
            {.line = "POST " JOB_DEPLOYMENTS, .status = 409, .body = JOB_TAKEN},
            {.line = "GET " JOB_DEPLOYMENTS "/a", .status = rows[i].status},
            {0}};
        PS_AUTO_BUF(expected, 512);

        print_message("  %s\n", rows[i].name);
        job_setup(&f, rules);
        job_op(job_prepare(&f, 1), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
        job_prepare(&f, 2);
        job_run(&f);
        ps_buf_printf(&expected, "plan\nPOST " JOB_DEPLOYMENTS "\nGET " JOB_DEPLOYMENTS "/a\n%s",
                      rows[i].end);
        job_happened(&f, ps_buf_text(&expected));
        job_teardown(&f);
    }
}

static void a_taken_name_beside_a_failure_is_tried_again(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .status = 409, .body = JOB_TAKEN},
                               {.line = "POST " JOB_SERVICES, .status = 409, .body = JOB_CHANGED},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    job_run(&f);
    assert_true(job_at(&f, "plan [Deployment n/a a]\ndone failed -1 0") > 0);
    job_teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_with_nothing_ends_the_job),
        cmocka_unit_test(stages_run_in_order_and_each_at_once),
        cmocka_unit_test(operations_go_over_the_wire_as_planned),
        cmocka_unit_test(a_failed_stage_stops_later_ones_and_is_told),
        cmocka_unit_test(the_rest_of_a_failed_stage_is_finished_and_observed),
        cmocka_unit_test(a_conflict_is_not_told_but_decided_anew),
        cmocka_unit_test(a_delete_of_what_is_gone_is_done),
        cmocka_unit_test(a_write_that_ends_an_object_is_told_from_one_that_does_not),
        cmocka_unit_test(needs_are_read_and_become_facts),
        cmocka_unit_test(all_needs_of_a_plan_are_read_at_once),
        cmocka_unit_test(what_cannot_be_read_is_not_taken_for_absent),
        cmocka_unit_test(a_planner_that_asks_for_ever_is_ended),
        cmocka_unit_test(who_holds_a_taken_name_is_read_and_told),
        cmocka_unit_test(a_holder_that_cannot_be_read_decides_nothing),
        cmocka_unit_test(a_taken_name_beside_a_failure_is_tried_again),
    };

    return cmocka_run_group_tests_name("exec/stages", tests, NULL, NULL);
}
