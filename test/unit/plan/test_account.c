/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of an account: when it is ready, why not, and what its status says. */
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

/* The plan for an account with that spec; namespace JSON or NULL. New reference. */
static struct json_t *plan_for(const char *account, const char *namespace,
                               const struct json_t *status)
{
    struct ps_arena arena;
    const struct model_properties none = {0};
    struct json_t *object PS_AUTO_JS = render_json(
        "{'metadata': {'name': 'zone', 'uid': 'a1', 'resourceVersion': '7', 'generation': 3}}");
    struct json_t *ns PS_AUTO_JS = namespace ? render_json(namespace) : NULL;
    PS_AUTO_FREE char *text = ns ? js_text(ns) : NULL;
    PS_AUTO_FREE struct model_object *target =
        ns ? model_object_read(MODEL_NAMESPACE, ps_str(text), NULL) : NULL;

    js_set(object, "spec", render_json(account));
    js_set(object, "status", js_copy(status));
    ps_arena_init(&arena);
    const struct plan_account_snapshot snapshot = {.now_ms = 1793235723000,
                                                   .account =
                                                       model_account_read(&arena, object, &none),
                                                   .target_namespace = target,
                                                   .server = "https://10.0.0.1:443",
                                                   .version = "v1.36.3",
                                                   .streams = 4,
                                                   .running_tasks = 2,
                                                   .waiting_tasks = 7};
    struct plan *plan = plan_account(&snapshot);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    ps_arena_fini(&arena);
    return json;
}

#define NAMESPACE                                                                                  \
    "{'metadata': {'name': 'ns', 'uid': 'n1', 'resourceVersion': '1'}, 'status': {'phase': "       \
    "'Active'}}"
#define GONE                                                                                       \
    "{'metadata': {'name': 'ns', 'uid': 'n1', 'resourceVersion': '1'}, 'status': {'phase': "       \
    "'Terminating'}}"

static void ready_has_distinct_reasons(void **state)
{
    static const struct {
        const char *spec, *namespace, *reason, *message;
        bool ready, stalled;
    } rows[] = {
        {"{'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}}", NAMESPACE, "Ready", "", true,
         false},
        {"{'type': 'Kubernetes'}", NULL, "Ready", "", true, false}, /* runs beside each CR */
        {"{'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}}", NULL, "NamespaceNotFound",
         "spec.kubernetes.namespace: namespace ns", false, false},
        {"{'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}}", GONE, "NamespaceTerminating",
         "ns", false, false},
        {"{'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}, 'properties': {'limits': "
         "{'memory': 'much'}}}",
         NAMESPACE, "InvalidProperties", "spec.properties.limits.memory: expected a quantity",
         false, true},
        {"{'type': 'Kubernetes', 'properties': {'environmentVariables': 'P=a,hunter2'}}", NULL,
         "InvalidProperties", "spec.properties.environmentVariables: variable 2", false, true},
        {"{'type': 'Kubernetes', 'properties': {'environmentVariables': ['A=1', 'hunter2']}}", NULL,
         "InvalidProperties", "spec.properties.environmentVariables[1]: expected NAME=value", false,
         true},
        {"{'type': 'Kubernetes', 'properties': {'nonsense': 1, 'nodeSelector': 'a:b'}}", NULL,
         "PropertiesIgnored",
         "nonsense: unknown, ignored; nodeSelector: not supported yet, ignored", true, false},
        {"{'type': 'CloudFoundry'}", NULL, "InvalidProperties", "spec.type", false, true},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = plan_for(rows[i].spec, rows[i].namespace, NULL);
        const struct json_t *conditions = js_path(plan, "status.status.conditions");
        const struct json_t *ready = model_condition_find(conditions, "Ready");
        PS_AUTO_FREE char *text = js_text(plan);

        if (!ps_streq(js_path_str(ready, "status"), rows[i].ready ? "True" : "False") ||
            !ps_streq(js_path_str(ready, "reason"), rows[i].reason) ||
            strstr(js_path_str(ready, "message"), rows[i].message) == NULL)
            fail_msg("%s: %s: %s", rows[i].spec, js_path_str(ready, "reason"),
                     js_path_str(ready, "message"));
        assert_int_equal(model_condition_find(conditions, "Stalled") != NULL, rows[i].stalled);
        assert_null(strstr(text, "hunter2"));
        assert_int_equal(js_path_int(plan, "status.status.observedGeneration", 0), 3);
        assert_int_equal(js_len(js_get(plan, "events")), 1);
    }
}

static void the_status_describes_the_target(void **state)
{
    struct json_t *plan PS_AUTO_JS =
        plan_for("{'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}}", NAMESPACE, NULL);
    const struct json_t *status = js_path(plan, "status.status");

    (void)state;
    assert_string_equal(
        js_path_str(status, "description"),
        "master url = [https://10.0.0.1:443/], namespace = [ns], api version = [v1]");
    assert_string_equal(js_path_str(status, "target.version"), "v1.36.3");
    assert_string_equal(js_path_str(status, "target.uid"), "n1");
    assert_int_equal(js_path_int(status, "streams", 0), 4);
    assert_int_equal(js_path_int(status, "tasks.running", 0), 2);
    assert_int_equal(js_path_int(status, "tasks.waiting", 0), 7);
    assert_string_equal(js_path_str(plan, "status.metadata.resourceVersion"), "7");
}

static void what_it_is_for_is_said(void **state)
{
    static const struct {
        const char *spec, *message;
    } rows[] = {
        {"{'type': 'Kubernetes'}", "streams can be deployed, tasks can be launched"},
        {"{'type': 'Kubernetes', 'usage': ['Stream']}", "streams can be deployed"},
        {"{'type': 'Kubernetes', 'usage': ['Task']}", "tasks can be launched"},
        {"{'type': 'Kubernetes', 'usage': ['Task', 'Stream']}",
         "streams can be deployed, tasks can be launched"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = plan_for(rows[i].spec, NULL, NULL);

        assert_string_equal(render_message(plan, "Ready"), rows[i].message);
    }
}

static void nothing_new_is_not_written(void **state)
{
    struct json_t *plan PS_AUTO_JS = plan_for("{'type': 'Kubernetes'}", NULL, NULL);
    struct json_t *again PS_AUTO_JS =
        plan_for("{'type': 'Kubernetes'}", NULL, js_path(plan, "status.status"));

    (void)state;
    assert_null(js_get(again, "status"));
    assert_int_equal(js_len(js_get(again, "events")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_has_distinct_reasons),
        cmocka_unit_test(the_status_describes_the_target),
        cmocka_unit_test(what_it_is_for_is_said),
        cmocka_unit_test(nothing_new_is_not_written),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
