/* SPDX-License-Identifier: Apache-2.0 */
/* From Deployments and pods to the state of an app, from those to the phase of the stream. */
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

/* ---- a stream that is there -------------------------------------------------------------------
 */

/* The input with everything created that a first plan creates; Deployments without a status. */
static struct json_t *deployed_input(const char *spec)
{
    struct json_t *in = render_input(spec, NULL), *children = js_array();
    struct plan *plan = snapshot_plan(in);

    for (size_t i = 0; i < plan->op_count; i++) {
        struct json_t *child = js_object(), *object = js_copy(plan->ops[i].body);

        assert_int_equal(plan->ops[i].verb, PLAN_CREATE);
        js_set_str(child, "kind", model_kind_name(plan->ops[i].kind));
        js_set_str(js_child(object, "metadata"), "uid", plan->ops[i].name);
        js_set_str(js_child(object, "metadata"), "resourceVersion", "50");
        js_set_int(js_child(object, "metadata"), "generation", 1);
        js_set(child, "object", object);
        js_push(children, child);
    }
    js_set(in, "children", children);
    js_set(in, "pods", js_array());
    plan_free(plan);
    return in;
}

static struct json_t *child_named(const struct json_t *in, const char *name)
{
    const struct json_t *children = js_get(in, "children");

    for (size_t i = 0; i < js_len(children); i++) {
        struct json_t *object = js_get(js_at(children, i), "object");

        if (ps_streq(js_path_str(object, "metadata.name"), name))
            return object;
    }
    return NULL;
}

static void set_status(struct json_t *deployment, int replicas, int ready)
{
    struct json_t *status = js_child(deployment, "status");

    js_set_int(js_child(deployment, "spec"), "replicas", replicas);
    js_set_int(status, "observedGeneration", 1);
    js_set_int(status, "replicas", replicas);
    js_set_int(status, "updatedReplicas", replicas);
    js_set_int(status, "readyReplicas", ready);
    js_set_int(status, "availableReplicas", ready);
}

/* A pod of the Deployment with that status (JSON, ' for "). */
static void add_pod(struct json_t *in, const char *deployment, const char *status)
{
    struct json_t *pod = js_object(), *metadata = js_child(pod, "metadata");
    struct json_t *pods = js_get(in, "pods");
    PS_AUTO_BUF(name, 128);

    ps_buf_printf(&name, "%s-pod%zu", deployment, js_len(pods));
    js_set_str(metadata, "name", ps_buf_text(&name));
    js_set_str(metadata, "namespace", "kafka-namespace");
    js_set_str(metadata, "uid", ps_buf_text(&name));
    js_set_str(metadata, "resourceVersion", "1");
    js_set_str(js_child(metadata, "labels"), "spring-app-id", deployment);
    js_set(pod, "status", render_json(status));
    js_push(pods, pod);
}

static const char *const ready_pod =
    "{'phase': 'Running', 'conditions': [{'type': 'Ready', 'status': 'True'}]}";
static const char *const pending_pod = "{'phase': 'Pending'}";
static const char *const looping_pod = "{'phase': 'Running', 'containerStatuses': [{'ready': "
                                       "false, 'restartCount': 5, 'state': {'waiting': {"
                                       "'reason': 'CrashLoopBackOff', 'message': 'back-off'}}, "
                                       "'lastState': {'terminated': {'exitCode': 3}}}]}";

static struct json_t *plan_of(const struct json_t *in)
{
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

static const struct json_t *app_status(const struct json_t *plan, const char *name)
{
    const struct json_t *apps = js_path(plan, "status.status.apps");

    for (size_t i = 0; i < js_len(apps); i++)
        if (ps_streq(js_path_str(js_at(apps, i), "name"), name))
            return js_at(apps, i);
    return NULL;
}

/* ---- one app ------------------------------------------------------------------------------------
 */

static void the_state_of_an_app(void **state)
{
    static const struct {
        int replicas, ready;
        const char *pods[3];
        const char *expected, *message; /* a part of it; NULL: none */
    } rows[] = {
        {1, 1, {NULL}, "deployed", NULL},
        {1, 0, {NULL}, "deploying", NULL},
        {3, 2, {NULL}, "deploying", NULL},
        {0, 0, {NULL}, "undeployed", NULL},
        {1, 0, {"{'phase': 'Pending'}"}, "deploying", NULL},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 0, 'state': "
          "{'running': {}}}]}"},
         "deploying",
         NULL},
        /* the limits of the original: more than 2 restarts after an error, more than 4 in a crash
           loop */
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 2, 'state': "
          "{'waiting': {'reason': 'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': "
          "1}}}]}"},
         "deploying",
         "exit code 1"},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 3, 'state': "
          "{'waiting': {'reason': 'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': "
          "1}}}]}"},
         "failed",
         "exit code 1"},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 3, 'state': "
          "{'running': {}}, 'lastState': {'terminated': {'exitCode': 143}}}]}"},
         "failed",
         NULL},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 3, 'state': "
          "{'waiting': {'reason': 'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': "
          "3}}}]}"},
         "deploying",
         "exit code 3"},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 5, 'state': "
          "{'waiting': {'reason': 'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': "
          "3}}}]}"},
         "failed",
         "CrashLoopBackOff"},
        {1,
         0,
         {"{'phase': 'Failed', 'reason': 'Evicted', 'message': 'low on memory'}"},
         "failed",
         "Evicted"},
        {1,
         0,
         {"{'phase': 'Pending', 'containerStatuses': [{'ready': false, 'state': {'waiting': "
          "{'reason': 'ImagePullBackOff', 'message': 'no such image'}}}]}"},
         "deploying",
         "no such image"},
        {1,
         0,
         {"{'phase': 'Pending', 'containerStatuses': [{'ready': false, 'state': {'waiting': "
          "{'reason': 'CreateContainerConfigError', 'message': 'no secret'}}}]}"},
         "deploying",
         "no secret"},
        {1,
         0,
         {"{'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': 'False', "
          "'reason': 'Unschedulable', 'message': '0/1 nodes'}]}"},
         "deploying",
         "0/1 nodes"},
        {1,
         0,
         {"{'phase': 'Pending', 'initContainerStatuses': [{'ready': false, 'state': {'waiting': "
          "{'reason': 'ErrImagePull', 'message': 'init'}}}], 'containerStatuses': [{'ready': "
          "false, 'state': {'waiting': {'reason': 'PodInitializing'}}}]}"},
         "deploying",
         "init"},
        {1,
         0,
         {"{'phase': 'Running', 'containerStatuses': [{'ready': false, 'restartCount': 1, 'state': "
          "{'terminated': {'exitCode': 137, 'reason': 'OOMKilled'}}}]}"},
         "deploying",
         "OOMKilled (last exit code 137)"},
        {2,
         1,
         {"{'phase': 'Running', 'conditions': [{'type': 'Ready', 'status': 'True'}]}",
          "{'phase': 'Failed'}"},
         "partial",
         NULL},
        {2, 0, {"{'phase': 'Pending'}", "{'phase': 'Failed'}"}, "deploying", NULL},
        {2,
         2,
         {"{'phase': 'Failed', 'reason': 'Evicted'}"},
         "deployed",
         NULL}, /* an old one that has been replaced */
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *in PS_AUTO_JS = deployed_input("{'definition': 'time | log'}");

        set_status(child_named(in, "foo-time-v1"), rows[i].replicas, rows[i].ready);
        set_status(child_named(in, "foo-log-v1"), 1, 1);
        for (size_t k = 0; k < 3 && rows[i].pods[k] != NULL; k++)
            add_pod(in, "foo-time-v1", rows[i].pods[k]);
        struct json_t *plan PS_AUTO_JS = plan_of(in);
        const struct json_t *app = app_status(plan, "time");
        const char *message = js_path_str(app, "message");

        if (!ps_streq(js_path_str(app, "state"), rows[i].expected) ||
            (rows[i].message == NULL ? message != NULL
                                     : message == NULL || strstr(message, rows[i].message) == NULL))
            fail_msg("row %zu: %s, %s", i, js_path_str(app, "state"), message);
        assert_int_equal(js_path_int(app, "desired", -1), rows[i].replicas);
        assert_int_equal(js_path_int(app, "ready", -1), rows[i].ready);
        assert_string_equal(js_path_str(app, "resource.uid"), "foo-time-v1");
    }
}

/* ---- the stream
 * ------------------------------------------------------------------------------------ */

/* One letter an app: Deployed, deploYing, Failed, Partial, Missing, Zero. */
static void put_app(struct json_t *in, const char *deployment, char kind)
{
    struct json_t *object = child_named(in, deployment);

    switch (kind) {
    case 'D':
        set_status(object, 1, 1);
        return;
    case 'Y':
        set_status(object, 1, 0);
        add_pod(in, deployment, pending_pod);
        return;
    case 'F':
        set_status(object, 1, 0);
        add_pod(in, deployment, looping_pod);
        return;
    case 'P':
        set_status(object, 2, 1);
        add_pod(in, deployment, ready_pod);
        add_pod(in, deployment, looping_pod);
        return;
    case 'Z':
        set_status(object, 0, 0);
        return;
    default:
        fail_msg("%c", kind);
    }
}

static void the_phase_of_a_stream(void **state)
{
    static const struct {
        const char *apps, *phase, *ready, *reason;
        bool stalled;
    } rows[] = {
        {"DDD", "deployed", "True", "Deployed", false},
        {"YYY", "deploying", "False", "Deploying", false},
        {"FFF", "failed", "False", "CrashLoopBackOff", true},
        {"PPP", "partial", "False", "CrashLoopBackOff", false},
        {"DFD", "partial", "False", "CrashLoopBackOff", false},
        {"DFY", "partial", "False", "CrashLoopBackOff", false},
        {"FYF", "failed", "False", "CrashLoopBackOff", true},
        {"FPF", "failed", "False", "CrashLoopBackOff", true},
        {"DYD", "deploying", "False", "Deploying", false},
        {"DPD", "partial", "False", "CrashLoopBackOff", false},
        {"PYD", "deploying", "False", "CrashLoopBackOff", false},
        {"ZZZ", "undeployed", "True", "NoInstances", false},
        {"DZD", "deployed", "True", "Deployed",
         false}, /* an app that nobody wants an instance of is no loss */
        {"FZZ", "failed", "False", "CrashLoopBackOff", true},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *in PS_AUTO_JS =
            deployed_input("{'definition': 'cardata | predict | cassandra'}");

        put_app(in, "foo-cardata-v1", rows[i].apps[0]);
        put_app(in, "foo-predict-v1", rows[i].apps[1]);
        put_app(in, "foo-cassandra-v1", rows[i].apps[2]);
        struct json_t *plan PS_AUTO_JS = plan_of(in);
        const struct json_t *status = js_path(plan, "status.status");
        const struct json_t *conditions = js_get(status, "conditions");
        const bool stalled = model_condition_find(conditions, "Stalled") != NULL;
        const bool reconciling = model_condition_find(conditions, "Reconciling") != NULL;
        const char *ready = js_path_str(model_condition_find(conditions, "Ready"), "status");

        if (!ps_streq(js_path_str(status, "phase"), rows[i].phase) ||
            !ps_streq(ready, rows[i].ready) ||
            !ps_streq(render_reason(plan, "Ready"), rows[i].reason) || stalled != rows[i].stalled)
            fail_msg("%s: %s, Ready=%s %s", rows[i].apps, js_path_str(status, "phase"), ready,
                     render_reason(plan, "Ready"));
        /* kstatus: in progress, failed or current, never two of them */
        assert_int_equal(reconciling + stalled + ps_streq(ready, "True"), 1);
    }
}

static void the_order_is_the_definitions(void **state)
{
    struct json_t *in PS_AUTO_JS =
        deployed_input("{'definition': 'cardata | predict | cassandra'}");
    struct json_t *plan PS_AUTO_JS = plan_of(in);
    const struct json_t *apps = js_path(plan, "status.status.apps");

    (void)state;
    assert_string_equal(js_path_str(js_at(apps, 0), "name"), "cardata");
    assert_string_equal(js_path_str(js_at(apps, 1), "name"), "predict");
    assert_string_equal(js_path_str(js_at(apps, 2), "name"), "cassandra");
    assert_string_equal(js_path_str(js_at(apps, 1), "type"), "processor");
    assert_string_equal(js_path_str(js_at(apps, 1), "version"), "1.0.0");
    assert_string_equal(js_path_str(js_at(apps, 1), "platform"), "kafkazone");
}

/* ---- writing and telling
 * ----------------------------------------------------------------------------- */

static struct json_t *written(const struct json_t *in, const struct json_t *plan)
{
    struct json_t *next = js_copy(in);
    struct json_t *status =
        snapshot_merge(js_path(in, "cr.status"), js_path(plan, "status.status"));

    js_set(js_get(next, "cr"), "status", status);
    return next;
}

static void nothing_new_is_not_written(void **state)
{
    struct json_t *in PS_AUTO_JS =
        deployed_input("{'definition': 'cardata | predict | cassandra'}");

    (void)state;
    put_app(in, "foo-cardata-v1", 'D');
    put_app(in, "foo-predict-v1", 'F');
    put_app(in, "foo-cassandra-v1", 'D');
    struct json_t *plan PS_AUTO_JS = plan_of(in);
    struct json_t *next PS_AUTO_JS = written(in, plan);

    js_set_int(next, "nowMs", 1893235723000);
    struct json_t *again PS_AUTO_JS = plan_of(next);

    assert_null(js_get(again, "status"));
    assert_int_equal(js_len(js_get(again, "events")), 0);
    assert_int_equal(js_len(js_get(again, "ops")), 0);
    assert_string_equal(js_path_str(plan, "status.metadata.resourceVersion"), "41");
}

static void times_are_kept_while_the_status_is(void **state)
{
    struct json_t *in PS_AUTO_JS = deployed_input("{'definition': 'time | log'}");

    (void)state;
    put_app(in, "foo-time-v1", 'Y');
    put_app(in, "foo-log-v1", 'D');
    struct json_t *plan PS_AUTO_JS = plan_of(in);
    struct json_t *next PS_AUTO_JS = written(in, plan);

    js_set_int(next, "nowMs", 1893235723000);
    js_set(next, "pods", js_array());
    put_app(next, "foo-time-v1", 'F');
    struct json_t *failed PS_AUTO_JS = plan_of(next);
    const struct json_t *conditions = js_path(failed, "status.status.conditions");

    assert_string_equal(
        js_path_str(model_condition_find(conditions, "Ready"), "lastTransitionTime"),
        "2026-10-29T01:02:03Z");
    set_status(child_named(next, "foo-time-v1"), 1, 1);
    js_set(next, "pods", js_array());
    struct json_t *healed PS_AUTO_JS = plan_of(next);

    conditions = js_path(healed, "status.status.conditions");
    assert_string_equal(
        js_path_str(model_condition_find(conditions, "Ready"), "lastTransitionTime"),
        "2029-12-29T10:48:43Z");
    assert_string_equal(
        js_path_str(model_condition_find(conditions, "Accepted"), "lastTransitionTime"),
        "2026-10-29T01:02:03Z");
    assert_null(model_condition_find(conditions, "Reconciling"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_of_an_app),
        cmocka_unit_test(the_phase_of_a_stream),
        cmocka_unit_test(the_order_is_the_definitions),
        cmocka_unit_test(nothing_new_is_not_written),
        cmocka_unit_test(times_are_kept_while_the_status_is),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
