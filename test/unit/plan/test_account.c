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

/* ---- other clusters -------------------------------------------------------------------------- */

#define SYNCED    PLAN_CLUSTER_SYNCED
#define ELSEWHERE PLAN_CLUSTER_ELSEWHERE

struct remote {
    const char *metadata; /* more of the account's, JSON with ' for "; or NULL */
    const char *status;   /* of the account, or NULL */
    enum plan_cluster_state state;
    const char *uid, *message; /* of the cluster */
    const char *namespace;     /* NULL: it is there */
    struct plan_uses uses;
};

/* New reference. */
static struct json_t *plan_remote(const struct remote *remote)
{
    struct ps_arena arena;
    const struct model_properties none = {0};
    struct json_t *object PS_AUTO_JS = render_json(
        "{'metadata': {'name': 'gpu', 'uid': 'a1', 'resourceVersion': '7', 'generation': 3}, "
        "'spec': {'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns', 'cluster': {'secretRef': "
        "{'name': 'key'}}}}}");
    struct json_t *more PS_AUTO_JS = remote->metadata ? render_json(remote->metadata) : js_object();
    struct json_t *ns PS_AUTO_JS = render_json(NAMESPACE);
    PS_AUTO_FREE char *text = js_text(ns);
    PS_AUTO_FREE struct model_object *target =
        model_object_read(MODEL_NAMESPACE, ps_str(text), NULL);
    const struct plan_cluster cluster = {.name = "gpu",
                                         .account_uid = "a1",
                                         .state = remote->state,
                                         .message = remote->message,
                                         .uid = remote->uid,
                                         .server = "https://gpu.example",
                                         .version = "v1.30.0"};

    js_set(object, "metadata", snapshot_merge(js_get(object, "metadata"), more));
    if (remote->status != NULL)
        js_set(object, "status", render_json(remote->status));
    ps_arena_init(&arena);
    const struct plan_account_snapshot snapshot = {
        .now_ms = 1793235723000,
        .account = model_account_read(&arena, object, &none),
        .target_namespace = remote->namespace ? NULL : target,
        .server = "https://own.example",
        .version = "v1.36.3",
        .object = object,
        .cluster = &cluster,
        .uses = remote->uses};
    struct plan *plan = plan_account(&snapshot);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    ps_arena_fini(&arena);
    return json;
}

#define KNOWN "{'target': {'uid': 'n1', 'version': 'v1.30.0'}}"

static void each_state_of_a_cluster_is_told(void **state)
{
    static const struct {
        struct remote remote;
        const char *ready, *reachable, *reason, *message;
        bool stalled;
    } rows[] = {
        {{.state = SYNCED, .uid = "n1"}, "True", "True", "Ready", "streams can be", false},
        {{.state = SYNCED, .uid = "n1", .status = KNOWN}, "True", "True", "Ready", "", false},
        {{.state = SYNCED, .namespace = "gone"},
         "False",
         "True",
         "NamespaceNotFound",
         "namespace ns does not exist in the cluster",
         false},
        {{.state = SYNCED, .uid = "n2", .status = KNOWN},
         "False",
         "False",
         "TargetChanged",
         "has the uid n2 there, expected was n1",
         true},
        {{.state = ELSEWHERE, .uid = "n2", .status = KNOWN},
         "False",
         "False",
         "TargetChanged",
         "create another account",
         true},
        {{.state = PLAN_CLUSTER_NO_SECRET},
         "False",
         "False",
         "SecretMissing",
         "there is no Secret key with the label penstock.dev/credentials=true",
         false},
        {{.state = PLAN_CLUSTER_BAD_SECRET, .message = "Secret key: no server"},
         "False",
         "False",
         "SecretInvalid",
         "Secret key: no server",
         false},
        {{.state = PLAN_CLUSTER_REFUSED}, "False", "False", "Unauthorized", "refuses", false},
        {{.state = PLAN_CLUSTER_AWAY, .message = "no answer"},
         "False",
         "False",
         "Unreachable",
         "no answer",
         false},
        {{.state = PLAN_CLUSTER_CONNECTING},
         "Unknown",
         "Unknown",
         "Connecting",
         "being read",
         false},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = plan_remote(&rows[i].remote);
        const struct json_t *conditions = js_path(plan, "status.status.conditions");
        const struct json_t *ready = model_condition_find(conditions, "Ready"),
                            *reachable = model_condition_find(conditions, "Reachable");

        if (!ps_streq(js_path_str(ready, "status"), rows[i].ready) ||
            !ps_streq(js_path_str(reachable, "status"), rows[i].reachable) ||
            !ps_streq(js_path_str(ready, "reason"), rows[i].reason) ||
            strstr(js_path_str(ready, "message"), rows[i].message) == NULL)
            fail_msg("row %zu: %s %s: %s", i, js_path_str(ready, "status"),
                     js_path_str(ready, "reason"), js_path_str(ready, "message"));
        assert_int_equal(model_condition_find(conditions, "Stalled") != NULL, rows[i].stalled);
        assert_int_equal(js_len(js_get(plan, "ops")), 0);
    }
}

/* By the first contact the cluster is known for good. */
static void the_first_contact_is_recorded(void **state)
{
    static const struct {
        struct remote remote;
        const char *uid, *version;
    } rows[] = {
        {{.state = SYNCED, .uid = "n1"}, "n1", "v1.30.0"},
        {{.state = SYNCED,
          .uid = "n2",
          .status = "{'target': {'uid': 'n1', 'version': 'v1.29.0'}}"},
         "n1",
         "v1.29.0"},
        {{.state = PLAN_CLUSTER_AWAY, .uid = "n2", .status = KNOWN}, "n1", "v1.30.0"},
        {{.state = PLAN_CLUSTER_AWAY, .uid = "n1"}, NULL, NULL},
        {{.state = PLAN_CLUSTER_CONNECTING, .uid = "n1"}, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *before PS_AUTO_JS =
            render_json(rows[i].remote.status ? rows[i].remote.status : "{}");
        struct json_t *plan PS_AUTO_JS = plan_remote(&rows[i].remote);
        struct json_t *status PS_AUTO_JS = snapshot_merge(before, js_path(plan, "status.status"));

        if (!ps_streq(js_path_str(status, "target.uid"), rows[i].uid) ||
            !ps_streq(js_path_str(status, "target.version"), rows[i].version))
            fail_msg("row %zu: %s", i, js_path_str(status, "target.uid"));
        assert_string_equal(
            js_path_str(status, "description"),
            "master url = [https://gpu.example/], namespace = [ns], api version = [v1]");
    }
}

static void a_restart_is_no_news(void **state)
{
    const struct remote remote = {.state = PLAN_CLUSTER_CONNECTING,
                                  .status = "{'observedGeneration': 3, 'target': {'uid': 'n1'}}"};
    struct json_t *plan PS_AUTO_JS = plan_remote(&remote);

    (void)state;
    assert_null(js_get(plan, "status"));
    assert_int_equal(js_len(js_get(plan, "events")), 0);
}

static const char *const users[] = {"StreamDeployment cars/foo", "TaskLaunch cars/train"};

#define USED                                                                                       \
    {                                                                                              \
        .users = 5, .names = users, .name_count = 2                                                \
    }
#define HELD       "{'finalizers': ['x/y', 'penstock.dev/cleanup']}"
#define GOING      "{'finalizers': ['x/y', 'penstock.dev/cleanup'], 'deletionTimestamp': 'x'}"
#define GOING_FREE "{'finalizers': ['x/y'], 'deletionTimestamp': 'x'}"

static void it_is_held_while_something_is_there(void **state)
{
    static const struct {
        struct remote remote;
        const char *finalizers; /* that are written, or NULL: none */
        const char *blocked;    /* reason of CleanupBlocked, or NULL */
        const char *message;
    } rows[] = {
        {{.state = SYNCED, .uid = "n1", .status = KNOWN}, NULL, NULL, NULL},
        {{.state = SYNCED, .uid = "n1", .status = KNOWN, .uses = USED},
         "[\"penstock.dev/cleanup\"]",
         NULL,
         NULL},
        {{.state = PLAN_CLUSTER_AWAY, .metadata = "{'finalizers': ['x/y']}", .uses = USED},
         "[\"x/y\",\"penstock.dev/cleanup\"]",
         NULL,
         NULL},
        {{.state = SYNCED, .uid = "n1", .metadata = HELD, .uses = USED}, NULL, NULL, NULL},
        {{.state = SYNCED, .uid = "n1", .metadata = HELD}, NULL, NULL, NULL}, /* for the next one */
        {{.state = SYNCED, .uid = "n1", .metadata = GOING_FREE, .uses = USED}, NULL, NULL, NULL},
        {{.state = SYNCED, .uid = "n1", .metadata = GOING, .status = KNOWN, .uses = USED},
         NULL,
         "InUse",
         "by 5: StreamDeployment cars/foo, TaskLaunch cars/train and 3 more. Delete them"},
        {{.state = SYNCED, .uid = "n1", .metadata = GOING, .status = KNOWN},
         "[\"x/y\"]",
         NULL,
         NULL},
        {{.state = SYNCED,
          .uid = "n1",
          .metadata = GOING,
          .status = KNOWN,
          .uses = {.children = 2}},
         NULL,
         "InUse",
         "2 objects of ours are left"},
        {{.state = PLAN_CLUSTER_AWAY, .metadata = GOING, .status = KNOWN},
         NULL,
         "Unreachable",
         "take the finalizer penstock.dev/cleanup off"},
        {{.state = PLAN_CLUSTER_NO_SECRET, .metadata = GOING, .status = KNOWN},
         NULL,
         "SecretMissing",
         "cannot be seen"},
        {{.state = ELSEWHERE, .uid = "n2", .metadata = GOING, .status = KNOWN},
         NULL,
         "TargetChanged",
         "cannot be seen"},
        /* never a contact: nothing can be there */
        {{.state = PLAN_CLUSTER_BAD_SECRET, .metadata = GOING}, "[\"x/y\"]", NULL, NULL},
        {{.state = PLAN_CLUSTER_BAD_SECRET, .metadata = GOING, .uses = USED}, NULL, "InUse", ""},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = plan_remote(&rows[i].remote);
        const struct json_t *conditions = js_path(plan, "status.status.conditions");
        const struct json_t *blocked = model_condition_find(conditions, "CleanupBlocked");
        const struct json_t *op = js_at(js_get(plan, "ops"), 0);
        PS_AUTO_FREE char *finalizers =
            op ? js_text(js_path(op, "body.metadata.finalizers")) : NULL;

        if (!ps_streq(finalizers, rows[i].finalizers) ||
            !ps_streq(js_path_str(blocked, "reason"), rows[i].blocked))
            fail_msg("row %zu: %s %s", i, finalizers, js_path_str(blocked, "reason"));
        if (blocked != NULL && strstr(js_path_str(blocked, "message"), rows[i].message) == NULL)
            fail_msg("row %zu: %s", i, js_path_str(blocked, "message"));
        if (op != NULL) {
            assert_string_equal(js_path_str(op, "kind"), "PlatformAccount");
            assert_string_equal(js_path_str(op, "body.metadata.resourceVersion"), "7");
            assert_null(js_path(op, "cluster"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_has_distinct_reasons),
        cmocka_unit_test(the_status_describes_the_target),
        cmocka_unit_test(what_it_is_for_is_said),
        cmocka_unit_test(nothing_new_is_not_written),
        cmocka_unit_test(each_state_of_a_cluster_is_told),
        cmocka_unit_test(the_first_contact_is_recorded),
        cmocka_unit_test(a_restart_is_no_news),
        cmocka_unit_test(it_is_held_while_something_is_there),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
