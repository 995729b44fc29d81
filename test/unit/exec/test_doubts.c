/* SPDX-License-Identifier: Apache-2.0 */
/* Writes without an answer, and intents: what has to stand before it is acted on. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

/* ---- writes without an answer ---------------------------------------------------------------- */

#define NO_ANSWER "plan {Deployment n/a PS_EIO : "

/* The first job: a create that the server reads, and says nothing about. */
static void lose_an_answer(struct job_fixture *f)
{
    job_op(job_prepare(f, 1), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_prepare(f, 2);
    job_run(f);
    assert_true(job_is_in(ps_buf_text(&f->journal), "plan\nPOST " JOB_DEPLOYMENTS "\n" NO_ANSWER));
    assert_true(job_at(f, "PATCH " JOB_STATUS "\nobserve StreamDeployment s\ndone failed -1 500") >
                0);
    ps_buf_clear(&f->journal);
}

static void a_lost_answer_is_read_back_before_anything_is_planned(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .how = JOB_CLOSE}, {0}};

    job_setup(&f, rules);
    lose_an_answer(&f);
    exec_run(f.exec, "stream/n/other"); /* another key has no doubts */
    job_until_done(&f, 2);
    job_happened(&f, "plan stream/n/other\ndone stream/n/other well -1 0\n");
    job_run(&f);
    job_happened(&f, "GET " JOB_DEPLOYMENTS
                     "/a\nobserve Deployment a unproven\nplan\ndone well -1 0\n");
    job_run(&f); /* settled */
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

static void a_lost_write_that_has_not_happened_is_absent(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .how = JOB_CLOSE},
                               {.line = "GET " JOB_DEPLOYMENTS "/a", .status = 404},
                               {0}};

    job_setup(&f, rules);
    lose_an_answer(&f);
    job_run(&f);
    job_happened(&f, "GET " JOB_DEPLOYMENTS "/a\nabsent Deployment n/a\nplan\ndone well -1 0\n");
    job_run(&f);
    job_happened(&f, "plan\ndone well -1 0\n");
    job_teardown(&f);
}

static void a_doubt_stays_until_it_can_be_read(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .how = JOB_CLOSE},
                               {.line = "GET " JOB_DEPLOYMENTS "/a", .status = 500, .times = 1},
                               {.line = "GET " JOB_DEPLOYMENTS "/a",
                                .status = 429,
                                .headers = "Retry-After: 2\r\n",
                                .times = 1},
                               {0}};

    job_setup(&f, rules);
    lose_an_answer(&f);
    job_run(&f);
    job_happened(&f, "GET " JOB_DEPLOYMENTS
                     "/a\ndone failed 0 500\n"); /* and no plan on what is not known */
    job_run(&f);
    job_happened(&f, "GET " JOB_DEPLOYMENTS "/a\ndone failed 0 2000\n");
    job_run(&f);
    job_happened(&f, "GET " JOB_DEPLOYMENTS
                     "/a\nobserve Deployment a unproven\nplan\ndone well -1 0\n");
    job_teardown(&f);
}

static void of_two_doubts_only_the_unreadable_one_stays(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .status = 500},
                               {.line = "DELETE " JOB_SERVICES "/b", .status = 504},
                               {.line = "PATCH " JOB_SERVICES "/c", .status = 422},
                               {.line = "GET " JOB_SERVICES "/b", .status = 503, .times = 1},
                               {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a"); /* a 5xx may have happened all the same */
    job_op(plan, 0, PLAN_DELETE, MODEL_SERVICE, "b");
    job_op(plan, 0, PLAN_PATCH, MODEL_SERVICE, "c"); /* a refusal has no effect: no doubt */
    job_run(&f);
    ps_buf_clear(&f.journal);
    job_run(&f);
    assert_true(job_at(&f, "GET " JOB_DEPLOYMENTS "/a") >= 0);
    assert_true(job_at(&f, "GET " JOB_SERVICES "/b") >= 0);
    assert_true(job_at(&f, "observe Deployment a unproven") >= 0);
    assert_true(job_at(&f, "done failed 0 500") >= 0);
    assert_false(job_is_in(ps_buf_text(&f.journal), "plan"));
    assert_false(job_is_in(ps_buf_text(&f.journal), JOB_SERVICES "/c"));
    ps_buf_clear(&f.journal);
    job_run(&f);
    job_happened(&f, "GET " JOB_SERVICES "/b\nobserve Service b\nplan\ndone well -1 0\n");
    job_teardown(&f);
}

static void a_doubt_that_is_left_is_freed(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_DEPLOYMENTS, .how = JOB_CLOSE}, {0}};

    job_setup(&f, rules);
    lose_an_answer(&f);
    job_teardown(&f); /* the sanitizer looks */
}

/* ---- intents --------------------------------------------------------------------------------- */

/* An attempt is recorded, then started. */
static struct plan *prepare_start(struct job_fixture *f)
{
    struct plan *plan = job_prepare(f, 0);

    job_op(plan, 0, PLAN_PATCH_STATUS, MODEL_TASK, "t");
    job_op(plan, 1, PLAN_CREATE, MODEL_JOB, "j");
    return plan;
}

static void an_intent_stands_before_it_is_acted_on(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "PATCH " JOB_TASK "/status", .how = JOB_HOLD}, {0}};

    job_setup(&f, rules);
    f.is_task = true;
    prepare_start(&f);
    job_prepare(&f, 2);
    f.stop_at_held = 1;
    exec_run(f.exec, JOB_TASK_KEY);
    assert_true(script_run(f.loop, JOB_ENOUGH_MS));
    script_wait(f.loop, 20);
    job_happened(&f, "plan\nPATCH " JOB_TASK "/status\n"); /* no Job yet */
    rules[0].times = -1;                                   /* the later one is answered at once */
    assert_int_equal(job_let_go(&f, true), 1);
    job_until_done(&f, 1);
    job_happened(&f, "observe TaskLaunch t\n"
                     "POST " JOB_JOBS "\nobserve Job j\n"
                     "plan\n"
                     "PATCH " JOB_TASK "/status\nobserve TaskLaunch t\n"
                     "done well -1 0\n");
    assert_true(job_is_in(script_text(f.script, 0), "application/merge-patch+json"));
    job_teardown(&f);
}

static void an_intent_on_an_old_state_starts_nothing(void **state)
{
    (void)state;

    static const int statuses[] = {409, 404};

    for (size_t i = 0; i < PS_ARRAY_LEN(statuses); i++) {
        struct job_fixture f;
        struct job_rule rules[] = {
            {.line = "PATCH " JOB_TASK "/status", .status = statuses[i], .body = JOB_CHANGED}, {0}};

        job_setup(&f, rules);
        f.is_task = true;
        prepare_start(&f);
        job_run(&f);
        job_happened(&f, "plan\nPATCH " JOB_TASK "/status\ndone failed 0 0\n");
        assert_false(exec_in_doubt(f.exec, JOB_TASK_KEY));
        job_teardown(&f);
    }
}

static void an_intent_without_an_answer_is_read_back(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "PATCH " JOB_TASK "/status", .how = JOB_CLOSE, .times = 1},
                               {.line = "GET " JOB_TASK, .status = 500, .times = 1},
                               {0}};

    job_setup(&f, rules);
    f.is_task = true;
    prepare_start(&f);
    job_prepare(&f, 0); /* told of the trouble, it has nothing to say */
    job_run(&f);
    assert_true(job_at(&f, "PATCH " JOB_TASK "/status") > 0);
    assert_true(job_is_in(ps_buf_text(&f.journal), "plan {TaskLaunch n/t PS_EIO : "));
    assert_false(job_is_in(ps_buf_text(&f.journal), JOB_JOBS));
    assert_true(exec_in_doubt(f.exec, JOB_TASK_KEY));
    assert_false(exec_in_doubt(f.exec, JOB_KEY));
    ps_buf_clear(&f.journal);
    job_run(&f);
    job_happened(&f, "GET " JOB_TASK "\ndone failed 0 500\n");
    assert_true(exec_in_doubt(f.exec, JOB_TASK_KEY));
    job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_JOB, "j"); /* it had been recorded */
    job_run(&f);
    job_happened(&f, "GET " JOB_TASK "\nobserve TaskLaunch t\n"
                     "plan\n"
                     "POST " JOB_JOBS "\nobserve Job j\n"
                     "plan\ndone well -1 0\n");
    assert_false(exec_in_doubt(f.exec, JOB_TASK_KEY));
    job_teardown(&f);
}

static void a_started_job_without_an_answer_is_not_asked_for_again(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "POST " JOB_JOBS, .how = JOB_CLOSE, .times = 1}, {0}};

    job_setup(&f, rules);
    f.is_task = true;
    prepare_start(&f);
    job_prepare(&f, 0);
    job_run(&f);
    assert_true(exec_in_doubt(f.exec, JOB_TASK_KEY));
    ps_buf_clear(&f.journal);
    job_run(&f);
    job_happened(&f, "GET " JOB_JOBS "/j\nobserve Job j\nplan\ndone well -1 0\n");
    job_teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_answer_is_read_back_before_anything_is_planned),
        cmocka_unit_test(a_lost_write_that_has_not_happened_is_absent),
        cmocka_unit_test(a_doubt_stays_until_it_can_be_read),
        cmocka_unit_test(of_two_doubts_only_the_unreadable_one_stays),
        cmocka_unit_test(a_doubt_that_is_left_is_freed),
        cmocka_unit_test(an_intent_stands_before_it_is_acted_on),
        cmocka_unit_test(an_intent_on_an_old_state_starts_nothing),
        cmocka_unit_test(an_intent_without_an_answer_is_read_back),
        cmocka_unit_test(a_started_job_without_an_answer_is_not_asked_for_again),
    };

    return cmocka_run_group_tests_name("exec/doubts", tests, NULL, NULL);
}
