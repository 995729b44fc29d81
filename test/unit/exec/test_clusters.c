/* SPDX-License-Identifier: Apache-2.0 */
/* Plans over two clusters: each call goes where it is meant for, and what ends with a cluster. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define THERE JOB_CLUSTER ":"
#define MADE  "PATCH " JOB_STATUS "\nobserve StreamDeployment s\n"

static void operations_go_where_they_are_meant_for(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    struct plan *plan = job_prepare(&f, 0);

    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op_there(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op_there(plan, 2, PLAN_DELETE, MODEL_DEPLOYMENT, "b");
    job_prepare(&f, 1);
    job_run(&f);
    job_happened(&f, "plan\nPOST " JOB_DEPLOYMENTS "\nobserve Deployment a\n" THERE
                     "POST " JOB_DEPLOYMENTS "\nobserve " THERE "Deployment a\n" THERE
                     "DELETE " JOB_DEPLOYMENTS "/b\nabsent " THERE "Deployment n/b\nplan\n" MADE
                     "done well -1 0\n");
    job_teardown(&f);
}

/* The same name in both: two facts. */
static void facts_of_two_clusters_are_apart(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = "GET " JOB_DEPLOYMENTS "/a", .status = 404}, {0}};

    job_setup(&f, rules);
    struct plan *plan = job_prepare(&f, 0);

    job_need(plan, MODEL_DEPLOYMENT, "n", "a");
    job_need_there(plan, MODEL_DEPLOYMENT, "n", "a");
    job_run(&f);
    assert_true(job_at(&f, THERE "GET " JOB_DEPLOYMENTS "/a") > 0);
    assert_true(job_is_in(ps_buf_text(&f.journal), " [Deployment n/a -]"));
    assert_true(job_is_in(ps_buf_text(&f.journal), " [" THERE "Deployment n/a a]"));
    job_teardown(&f);
}

static void a_name_taken_there_is_read_there(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {
        {.line = THERE "POST " JOB_DEPLOYMENTS, .status = 409, .body = JOB_TAKEN}, {0}};

    job_setup(&f, rules);
    job_op_there(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_run(&f);
    job_happened(&f, "plan\n" THERE "POST " JOB_DEPLOYMENTS "\n" THERE "GET " JOB_DEPLOYMENTS
                     "/a\nobserve " THERE "Deployment a unproven\nplan [" THERE
                     "Deployment n/a a]\ndone well -1 0\n");
    job_teardown(&f);
}

/* It was SYNCED when the plan was made. What else was planned is done, and nothing is told. */
static void nothing_is_sent_where_nothing_may_be_asked(void **state)
{
    (void)state;
    struct job_fixture f;

    job_setup(&f, NULL);
    f.away = true;
    struct plan *plan = job_prepare(&f, 1);

    job_op_there(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "b");
    job_op(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "c");
    job_op_there(job_prepare(&f, 1), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_run(&f);
    job_happened(&f, "plan\nPOST " JOB_DEPLOYMENTS "\nobserve Deployment b\ndone failed 0 0\n");
    job_run(&f);
    job_happened(&f, "plan\ndone failed 0 0\n");
    plan = job_prepare(&f, 0);
    job_need_there(plan, MODEL_DEPLOYMENT, "n", "a");
    job_run(&f);
    job_happened(&f, "plan\ndone failed 0 0\n");
    assert_int_equal(script_count(f.other_script), 0);
    job_teardown(&f);
}

static void who_does_not_answer_or_know_us_is_suspected(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {
        {.line = THERE "GET " JOB_DEPLOYMENTS "/a", .how = JOB_CLOSE, .times = 1},
        {.line = THERE "GET " JOB_DEPLOYMENTS "/a", .status = 401, .times = 1},
        {.line = THERE "GET " JOB_DEPLOYMENTS "/a", .status = 403, .times = 1},
        {.line = THERE "GET " JOB_DEPLOYMENTS "/a", .status = 500, .times = 1},
        {.line = THERE "GET " JOB_DEPLOYMENTS "/a", .status = 404, .times = 1},
        {0}};
    static const bool suspected[] = {true, true, true, false, false};

    job_setup(&f, rules);
    for (size_t i = 0; i < PS_ARRAY_LEN(suspected); i++) {
        struct plan *plan = job_prepare(&f, 0);

        job_need_there(plan, MODEL_DEPLOYMENT, "n", "a");
        job_run(&f);
        assert_true(job_is_in(ps_buf_text(&f.journal), "suspect " JOB_CLUSTER) == suspected[i]);
        ps_buf_clear(&f.journal);
    }
    job_teardown(&f);
}

/* ---- a cluster goes -------------------------------------------------------------------------- */

static void go_away(struct job_fixture *f)
{
    f->away = true;
    exec_cut(f->exec, JOB_CLUSTER, "gone");
    kube_client_free(f->other);
    f->other = NULL;
}

static void come_back(struct job_fixture *f)
{
    f->other = kube_client_new(f->loop, &f->other_config, "penstock/test");
    f->away = false;
}

/* A create, a delete and a read of two jobs, with the answers held back. */
static void leave_calls_under_way(struct job_fixture *f)
{
    struct plan *plan = job_prepare(f, 0);

    job_op_there(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_op_there(plan, 0, PLAN_DELETE, MODEL_DEPLOYMENT, "b");
    job_op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "c");
    plan = job_prepare(f, 0);
    job_need_there(plan, MODEL_SERVICE, "n", "a");
    f->stop_at_held = 4;
    exec_run(f->exec, JOB_KEY);
    exec_run(f->exec, "stream/n/other");
    assert_true(script_run(f->loop, JOB_ENOUGH_MS));
    ps_buf_clear(&f->journal);
}

static void calls_to_a_cluster_that_goes_end_and_are_read_back_later(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = THERE "POST " JOB_DEPLOYMENTS, .how = JOB_HOLD, .times = 1},
                               {.line = THERE "DELETE " JOB_DEPLOYMENTS "/b", .how = JOB_HOLD},
                               {.line = THERE "GET " JOB_SERVICES "/a", .how = JOB_HOLD},
                               {.line = "POST " JOB_DEPLOYMENTS, .how = JOB_HOLD},
                               {.line = THERE "GET " JOB_DEPLOYMENTS "/b", .status = 404},
                               {0}};

    job_setup(&f, rules);
    leave_calls_under_way(&f);
    go_away(&f);
    assert_int_equal(f.done, 1); /* the other key's; this one still waits for its own cluster */
    assert_false(exec_in_doubt(f.exec, "stream/n/other"));
    (void)job_let_go(&f, true);
    job_until_done(&f, 2);
    assert_true(job_at(&f, "observe Deployment c") > 0);
    assert_true(exec_in_doubt(f.exec, JOB_KEY));
    ps_buf_clear(&f.journal);
    job_run(&f); /* planned all the same: the planner knows that it is away */
    job_happened(&f, "plan\ndone well -1 0\n");
    assert_true(exec_in_doubt(f.exec, JOB_KEY));
    come_back(&f);
    job_run(&f);
    assert_true(job_at(&f, THERE "GET " JOB_DEPLOYMENTS "/a") < job_at(&f, "plan"));
    assert_true(job_at(&f, "observe " THERE "Deployment a unproven") < job_at(&f, "plan"));
    assert_true(job_at(&f, "absent " THERE "Deployment n/b") < job_at(&f, "plan"));
    assert_false(exec_in_doubt(f.exec, JOB_KEY));
    job_teardown(&f);
}

static void of_a_cluster_that_is_gone_for_good_nothing_is_in_doubt(void **state)
{
    (void)state;
    struct job_fixture f;
    struct job_rule rules[] = {{.line = THERE "POST " JOB_DEPLOYMENTS, .how = JOB_CLOSE},
                               {.line = "POST " JOB_SERVICES, .how = JOB_CLOSE},
                               {0}};

    job_setup(&f, rules);
    job_op_there(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    job_run(&f);
    assert_true(exec_in_doubt(f.exec, JOB_KEY));
    exec_forget(f.exec, "another");
    assert_true(exec_in_doubt(f.exec, JOB_KEY));
    go_away(&f);
    exec_forget(f.exec, JOB_CLUSTER);
    assert_false(exec_in_doubt(f.exec, JOB_KEY));
    job_op(job_prepare(&f, 0), 0, PLAN_CREATE, MODEL_SERVICE, "a");
    job_run(&f);
    exec_forget(f.exec, JOB_CLUSTER); /* that of the own cluster stays */
    assert_true(exec_in_doubt(f.exec, JOB_KEY));
    job_teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_go_where_they_are_meant_for),
        cmocka_unit_test(facts_of_two_clusters_are_apart),
        cmocka_unit_test(a_name_taken_there_is_read_there),
        cmocka_unit_test(nothing_is_sent_where_nothing_may_be_asked),
        cmocka_unit_test(who_does_not_answer_or_know_us_is_suspected),
        cmocka_unit_test(calls_to_a_cluster_that_goes_end_and_are_read_back_later),
        cmocka_unit_test(of_a_cluster_that_is_gone_for_good_nothing_is_in_doubt),
    };

    return cmocka_run_group_tests_name("exec/clusters", tests, NULL, NULL);
}
