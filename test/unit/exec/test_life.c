/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds, keys, and the end. */
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

/* ---- rounds and life ------------------------------------------------------------------------- */

static void after_success_the_job_plans_again_until_nothing_is_left(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    job_op(job_prepare(&f, 1), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
    job_op(job_prepare(&f, 2), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    job_prepare(&f, 3)->wake_ms = 5;
    job_run(&f);
    job_happened(&f, "plan\n"
                     "PATCH " JOB_DEPLOYMENTS "/a\nobserve Deployment a\n"
                     "plan\n"
                     "PATCH " JOB_DEPLOYMENTS "/b\nobserve Deployment b\n"
                     "plan\n"
                     "PATCH " JOB_STATUS "\nobserve StreamDeployment s\n"
                     "done well 5 0\n");
    assert_int_equal(f.done, 1);
    job_teardown(&f);
}

static void a_key_runs_again_after_its_end(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .status = 403, .times = 1}, {0}};

    job_setup(&f, rules);
    job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_prepare(&f, 0);
    job_run(&f);
    ps_buf_clear(&f.journal);
    job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_run(&f);
    job_happened(&f, "plan\n" /* nothing of the first job's failure is left */
                     "POST " JOB_DEPLOYMENTS "\nobserve Deployment a\nplan\ndone well -1 0\n");
    job_teardown(&f);
}

static void keys_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "PATCH " JOB_DEPLOYMENTS "/a", .how = JOB_HOLD}, {0}};

    job_setup(&f, rules);
    job_op(job_prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
    f.stop_at_held = 1;
    exec_run(f.exec, JOB_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS));
    job_op(job_prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    exec_run(f.exec, "stream/n/other");
    job_until_done(&f, 1);
    assert_true(job_at(&f, "observe Deployment b\nplan stream/n/other\n"
                           "done stream/n/other well -1 0") > 0);
    ps_buf_clear(&f.journal);
    assert_int_equal(job_let_go(&f, true), 1);
    job_until_done(&f, 2);
    job_happened(&f, "observe Deployment a\nplan\ndone well -1 0\n");
    job_teardown(&f);
}

/* exec_free with every kind of call under way, and a doubt left over. */
static void the_end_cancels_everything(void **state)
{
    (void)state;

    static const struct {
        const char *name, *line;
    } rows[] = {
        {"an operation", "PATCH " JOB_DEPLOYMENTS "/a"},
        {"a need", "GET " JOB_DEPLOYMENTS "/a"},
        {"a status", "PATCH " JOB_STATUS},
        {"an event", "POST " JOB_EVENTS},
        {"a read-back", "GET " JOB_SERVICES "/b"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct job_fixture f;
        struct job_rule rules[] = {{.line = rows[i].line, .how = JOB_HOLD},
                                   {.line = "POST " JOB_SERVICES, .how = JOB_CLOSE},
                                   {0}};

        print_message("  %s\n", rows[i].name);
        job_setup(&f, rules);
        job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_SERVICE, "b");
        job_prepare(&f, 0);
        job_run(&f); /* leaves a doubt */
        job_need(job_prepare(&f, 0), MODEL_DEPLOYMENT, "n", "a");
        job_op(job_prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
        plan__event(job_prepare(&f, 1), false, "Told", "a word");
        f.stop_at_held = 1;
        f.stop_at_done = 0;
        exec_run(f.exec, JOB_KEY);
        assert_true(script_run(f.loop, JOB_ENOUGH_MS));
        const int open = script_open(f.script);

        exec_free(f.exec);
        f.exec = NULL;
        ps_buf_clear(&f.journal);
        script_wait(f.loop, 20);
        job_happened(&f, "");
        assert_int_equal(script_open(f.script), open - 1); /* the call's connection is given up */
        job_teardown(&f);
    }
}

static void a_job_that_takes_long_is_told_once(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "PATCH " JOB_DEPLOYMENTS "/a", .how = JOB_HOLD},
                               {.line = "PATCH " JOB_DEPLOYMENTS "/b", .how = JOB_HOLD},
                               {.line = "PATCH " JOB_DEPLOYMENTS "/c", .how = JOB_HOLD},
                               {.line = "PATCH " JOB_DEPLOYMENTS "/d", .how = JOB_HOLD},
                               {.line = "PATCH " JOB_DEPLOYMENTS "/e", .how = JOB_HOLD},
                               {0}};
    static const char *const names[] = {"a", "b", "c", "d", "e"};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++)
        job_op(plan, 0, PLAN_PATCH, MODEL_DEPLOYMENT, names[i]);
    f.stop_at_held = PS_ARRAY_LEN(names);
    exec_run(f.exec, JOB_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS));
    PS_AUTO_BUF(words, 4096);
    PS_AUTO_BUF(expected, 4096);

    exec__job_print(ps_map_get(&f.exec->jobs, JOB_KEY), &words);
    for (char name = 'e'; name >= 'c'; name--) {
        ps_buf_printf(&expected, "PATCH %s" JOB_DEPLOYMENTS "/%c?%s%s", script_url(f.script), name,
                      "fieldManager=penstock&fieldValidation=Strict",
                      name > 'c' ? ", " : " and 2 more");
    }
    assert_string_equal(ps_buf_text(&words), ps_buf_text(&expected));
    assert_int_equal(exec_tell_slow(f.exec, 60000), 0);
    script_wait(f.loop, 5);
    assert_int_equal(exec_tell_slow(f.exec, 1), 1);
    assert_int_equal(exec_tell_slow(f.exec, 1), 0);
    assert_int_equal(job_let_go(&f, true), PS_ARRAY_LEN(names));
    job_until_done(&f, 1);
    job_teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_success_the_job_plans_again_until_nothing_is_left),
        cmocka_unit_test(a_key_runs_again_after_its_end),
        cmocka_unit_test(keys_do_not_wait_for_each_other),
        cmocka_unit_test(the_end_cancels_everything),
        cmocka_unit_test(a_job_that_takes_long_is_told_once),
    };

    return cmocka_run_group_tests_name("exec/life", tests, NULL, NULL);
}
