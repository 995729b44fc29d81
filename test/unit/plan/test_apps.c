/* SPDX-License-Identifier: Apache-2.0 */
/* Which source of a property wins, what an app sees, and what is told of what it does not. */
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

#define ACCOUNT(rest)                                                                              \
    "{'type': 'Kubernetes', 'kubernetes': {'namespace': 'kafka-namespace'}" rest "}"

/* ---- precedence
 * ----------------------------------------------------------------------------------- */

static const char *limit(const struct json_t *plan, const char *app)
{
    return js_path_str(render_container(plan, app), "resources.limits.memory");
}

static void settings_weakest_first(void **state)
{
    static const struct {
        const char *account, *spec, *predict, *cassandra; /* limits.memory */
    } rows[] = {
        {"", "{'definition': 'cardata | predict | cassandra'}", NULL, NULL},
        {", 'properties': {'limits': {'memory': '1Gi'}}",
         "{'definition': 'cardata | predict | cassandra'}", "1Gi", "1Gi"},
        {", 'properties': {'limits.memory': '1Gi'}, 'streamProperties': {'limits.memory': '2Gi'}",
         "{'definition': 'cardata | predict | cassandra'}", "2Gi", "2Gi"},
        {", 'properties': {'limits': {'memory': '1Gi'}}",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.*.kubernetes.limits.memory': '3Gi'}}",
         "3Gi", "3Gi"},
        {", 'properties': {'limits': {'memory': '1Gi'}}",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.*.kubernetes.limits.memory': '3Gi',"
         " 'deployer.predict.kubernetes.limits.memory': '4Gi'}}",
         "4Gi", "3Gi"},
        /* another spelling is the same key */
        {"",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.*.kubernetes.limits.memory': '3Gi',"
         " 'deployer.predict.kubernetes.LIMITS_MEMORY': '4Gi'}}",
         "4Gi", "3Gi"},
        {"",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.predict.kubernetes.limits.memory': '4Gi'},"
         " 'apps': [{'name': 'predict', 'resources': {'limits': {'memory': '5Gi'}}}]}",
         "5Gi", NULL},
        /* the account's limit beats the generic size, which beats nothing else */
        {", 'properties': {'limits': {'memory': '1Gi'}}",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.predict.memory': '4g'}}",
         "1Gi", "1Gi"},
        {"",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.predict.memory': '4g'}}",
         "4096Mi", NULL},
        {"",
         "{'definition': 'cardata | predict | cassandra', 'properties': "
         "{'deployer.predict.memory': '4g',"
         " 'deployer.*.kubernetes.limits.memory': '3Gi'}}",
         "3Gi", "3Gi"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(account, 1024);

        ps_buf_printf(&account, ACCOUNT("%s"), rows[i].account);
        struct json_t *plan PS_AUTO_JS = render_plan(rows[i].spec, ps_buf_text(&account));

        if (!ps_streq(limit(plan, "predict"), rows[i].predict) ||
            !ps_streq(limit(plan, "cassandra"), rows[i].cassandra))
            fail_msg("row %zu: %s, %s (%s)", i, limit(plan, "predict"), limit(plan, "cassandra"),
                     render_message(plan, "Accepted"));
    }
}

static void typed_probes_beat_plain_ones(void **state)
{
    struct json_t *plan PS_AUTO_JS = render_plan(
        "{'definition': 'cardata | cassandra', 'properties': "
        "{'deployer.cardata.kubernetes.livenessProbeDelay': '7',"
        " 'deployer.cardata.kubernetes.livenessHttpProbeDelay': '8', "
        "'deployer.cassandra.kubernetes.livenessProbeDelay': '9'}}",
        ACCOUNT(", 'properties': {'livenessHttpProbeDelay': 5, 'livenessProbeDelay': 4}"));

    (void)state;
    assert_int_equal(
        js_path_int(render_container(plan, "cardata"), "livenessProbe.initialDelaySeconds", 0), 8);
    assert_int_equal(
        js_path_int(render_container(plan, "cassandra"), "livenessProbe.initialDelaySeconds", 0),
        9);
    assert_int_equal(
        js_path_int(render_container(plan, "cardata"), "readinessProbe.initialDelaySeconds", 0), 1);
}

static void variables_are_merged_by_name(void **state)
{
    struct json_t *plan PS_AUTO_JS =
        render_plan("{'definition': 'cardata | cassandra', 'properties': "
                    "{'deployer.*.kubernetes.environmentVariables': 'B=2,C=2',"
                    " 'deployer.cardata.kubernetes.environmentVariables': 'C=3'}, 'apps': "
                    "[{'name': 'cardata', 'env': ["
                    " {'name': 'D', 'value': '4'}, {'name': 'SPRING_CLOUD_APPLICATION_GROUP', "
                    "'value': 'mine'}]}]}",
                    ACCOUNT(", 'properties': {'environmentVariables': 'A=1,B=1'}"));

    (void)state;
    assert_string_equal(render_env(plan, "cardata", "A"), "1");
    assert_string_equal(render_env(plan, "cardata", "B"),
                        "1"); /* the label's key replaces the wildcard's */
    assert_string_equal(render_env(plan, "cardata", "C"), "3");
    assert_string_equal(render_env(plan, "cardata", "D"), "4");
    assert_string_equal(render_env(plan, "cardata", "SPRING_CLOUD_APPLICATION_GROUP"), "foo");
    assert_string_equal(render_env(plan, "cassandra", "B"), "2");
    assert_string_equal(render_env(plan, "cassandra", "C"), "2");
    assert_null(render_env(plan, "cassandra", "D"));
}

static void application_properties_weakest_first(void **state)
{
    static const struct {
        const char *properties, *arg;
    } rows[] = {
        {"{}", "--k=account"}, /* beats the definition */
        {"{'app.*.k': 'all'}", "--k=all"},
        {"{'app.*.k': 'all', 'app.cardata.k': 'own'}", "--k=own"},
        {"{'app.cassandra.k': 'other'}", "--k=account"},
        {"{'app.cardata.producer.x': '1'}", "--spring.cloud.stream.bindings.output.producer.x=1"},
        {"{'app.*.consumer.x': '1'}", "--spring.cloud.stream.bindings.input.consumer.x=1"},
        {"{'app.cardata.spring.cloud.stream.bindings.output.destination': 'd'}",
         "--spring.cloud.stream.bindings.output.destination=d"},
        {"{'app.cardata.spring.cloud.dataflow.stream.name': 'x'}",
         "--spring.cloud.dataflow.stream.name=foo"},
        {"{'app.cardata.wavefront.application.name': 'x'}", "--wavefront.application.name=x"},
        {"{'deployer.cardata.count': '3'}", "--spring.cloud.stream.instanceCount=3"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(spec, 1024);

        ps_buf_printf(
            &spec,
            "{'definition': 'cardata --k=definition --only=here | cassandra', 'properties': %s}",
            rows[i].properties);
        struct json_t *plan PS_AUTO_JS = render_plan(
            ps_buf_text(&spec), ACCOUNT(", 'applicationProperties': {'stream': {'k': 'account'}}"));

        if (!render_has_arg(plan, "cardata", rows[i].arg))
            fail_msg("%s: no %s", rows[i].properties, rows[i].arg);
        assert_true(render_has_arg(plan, "cardata", "--only=here"));
        assert_false(render_has_key(plan, "cassandra", "--only"));
    }
}

static void no_count_no_instance_count(void **state)
{
    struct json_t *plan PS_AUTO_JS = render_plan("{'definition': 'cardata | cassandra'}", NULL);

    (void)state;
    assert_false(render_has_key(plan, "cardata", "--spring.cloud.stream.instanceCount"));
    assert_null(js_path(render_workload(plan, "cardata"), "spec.replicas"));
}

static void the_port_of_the_app(void **state)
{
    struct json_t *plan PS_AUTO_JS =
        render_plan("{'definition': 'cardata --server.port=9000 | cassandra', 'properties': {"
                    " 'deployer.cardata.kubernetes.livenessHttpProbePort': '9001'}}",
                    NULL);
    const struct json_t *container = render_container(plan, "cardata");

    (void)state;
    assert_int_equal(js_path_int(js_at(js_get(container, "ports"), 0), "containerPort", 0), 9000);
    assert_int_equal(js_path_int(js_at(js_get(container, "ports"), 1), "containerPort", 0), 9001);
    assert_int_equal(js_len(js_get(container, "ports")), 2);
    assert_int_equal(js_path_int(container, "readinessProbe.httpGet.port", 0), 9000);
    assert_int_equal(js_path_int(container, "livenessProbe.httpGet.port", 0), 9001);
    assert_int_equal(js_path_int(js_at(js_get(render_container(plan, "cassandra"), "ports"), 0),
                                 "containerPort", 0),
                     8080);
}

/* ---- images
 * ---------------------------------------------------------------------------------------------- */

static void images_and_versions(void **state)
{
    static const struct {
        const char *spec, *image, *reason; /* reason NULL: accepted without a warning */
    } rows[] = {
        {"{'definition': 'cardata | predict | cassandra'}", "springcloudstream/predict:1.0.0",
         NULL},
        {"{'definition': 'cardata | predict | cassandra', 'properties': {'version.predict': "
         "'1.1.0'}}",
         "springcloudstream/predict:1.1.0", NULL},
        {"{'definition': 'cardata | p: predict | cassandra', 'properties': {'version.p': '1.1.0'}}",
         "springcloudstream/predict:1.1.0", NULL},
        {"{'definition': 'cardata | predict | cassandra', 'properties': {'version.predict': '7'}}",
         NULL, "AppNotRegistered"},
        {"{'definition': 'cardata | predict | cassandra', 'properties': {'version.predictor': "
         "'1.1.0'}}",
         "springcloudstream/predict:1.0.0", "PropertiesIgnored"},
        {"{'definition': 'cardata | mine | cassandra', 'apps': [{'name': 'mine', 'image': "
         "'r.example/mine:3'}]}",
         "r.example/mine:3", NULL},
        {"{'definition': 'cardata | mine | cassandra'}", NULL, "AppNotRegistered"},
        {"{'definition': 'cardata | predict | cassandra', 'properties': {'version.predict': '7'}, "
         "'apps': [{'name': 'predict', 'image': 'x:1'}]}",
         "x:1", "PropertiesIgnored"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = render_plan(rows[i].spec, NULL);
        const struct json_t *container = NULL;
        static const char *const apps[] = {"predict", "p", "mine"};

        for (size_t k = 0; k < 3 && container == NULL; k++)
            container = render_container(plan, apps[k]);
        if (!ps_streq(js_path_str(container, "image"), rows[i].image) ||
            !ps_streq(render_reason(plan, "Accepted"),
                      rows[i].reason ? rows[i].reason : "Accepted"))
            fail_msg("row %zu: %s, %s", i, js_path_str(container, "image"),
                     render_message(plan, "Accepted"));
    }
}

/* ---- refusals and warnings
 * --------------------------------------------------------------------------------- */

static void refusals_name_the_place(void **state)
{
    static const struct {
        const char *spec, *reason, *part;
    } rows[] = {
        {"{'definition': 'cardata |'}", "DSLSyntaxError", "(pos 9)"},
        {"{'definition': 'cardata | cassandra', 'properties': {'x': '1'}}", "InvalidProperty",
         "'x'"},
        {"{'definition': 'cardata | cassandra', 'properties': {'spring.cloud.deployer.count': "
         "'1'}}",
         "InvalidProperty", "spring.cloud.deployer.count"},
        {"{'definition': 'cardata | cassandra', 'properties': {'deployer.cardata.count': 'x'}}",
         "InvalidProperty", "[deployer.cardata.count]"},
        {"{'definition': 'cardata | cassandra', 'properties': {'app.cardata.server.port': 'x'}}",
         "InvalidProperty", "server.port"},
        {"{'definition': 'cardata | cassandra', 'properties': {'app.cardata.server.port': '0'}}",
         "InvalidProperty", "server.port"},
        {"{'definition': 'cardata | cassandra', 'apps': [{'name': 'nobody'}]}", "InvalidSpec",
         "spec.apps[0].name"},
        {"{'definition': 'cardata | cassandra', 'apps': [{'name': '*'}]}", "InvalidSpec",
         "spec.apps[0].name"},
        {"{'definition': 'cardata | cassandra', 'apps': [{'name': 'cardata', 'resources': "
         "{'limits': {'cpu': 'x'}}}]}",
         "InvalidSpec", "resources.limits.cpu"},
        {"{'definition': 'cardata | cassandra', 'properties': {'deployer.cardata.count': true}}",
         "InvalidSpec", "spec.properties[deployer.cardata.count]"},
        {"{'definition': 7}", "InvalidSpec", "spec.definition"},
        {"{}", "InvalidSpec", "spec.definition"},
        {"{'definition': 'a_b: cardata | cassandra'}", "NameInvalid", "foo-a_b"},
        {"{'definition': 'A: cardata | a: cassandra'}", "NameInvalid", "foo-a"},
        {"{'definition': 'cardata | cassandra', 'streamName': "
         "'a-stream-name-that-is-nearly-as-long-as-kubernetes-allows-it'}",
         "NameTooLong", "63"},
        {"{'definition': 'cardata | cassandra', 'streamName': 'x-'}", "InvalidSpec", "x-"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = render_plan(rows[i].spec, NULL);

        if (!ps_streq(render_reason(plan, "Accepted"), rows[i].reason) ||
            strstr(render_message(plan, "Accepted"), rows[i].part) == NULL)
            fail_msg("%s: %s: %s", rows[i].spec, render_reason(plan, "Accepted"),
                     render_message(plan, "Accepted"));
        assert_int_equal(js_len(js_get(plan, "ops")), 0);
        assert_string_equal(render_reason(plan, "Ready"), rows[i].reason);
        assert_non_null(render_reason(plan, "Stalled"));
    }
}

static void every_ignored_key_is_named(void **state)
{
    static const char *const keys[] = {
        "app.nobody.x",
        "app.cardata.",
        "deployer.nobody.count",
        "deployer.cardata.nonsense",
        "deployer.cardata.kubernetes.nonsense",
        "deployer.cardata.kubernetes.nodeSelector",
        "deployer.*.kubernetes.volumes",
        "version.*",
        "version.nobody",
        "version.cardata.x",
        "spring.cloud.dataflow.skipper.platformName",
        "deployer.cardata.kubernetes.backoffLimit",
        "deployer.cardata.kubernetes.restartPolicy",
        "deployer.cardata.kubernetes.ttlSecondsAfterFinished",
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(keys); i++) {
        struct json_t *in PS_AUTO_JS = render_input("{'definition': 'cardata | cassandra'}", NULL);

        js_set_str(js_child(js_path(in, "cr.spec"), "properties"), keys[i], "1");
        struct plan *plan = snapshot_plan(in);
        struct json_t *json PS_AUTO_JS = plan_json(plan);

        plan_free(plan);
        if (!ps_streq(render_reason(json, "Accepted"), "PropertiesIgnored") ||
            strstr(render_message(json, "Accepted"), keys[i]) == NULL)
            fail_msg("%s: %s", keys[i], render_message(json, "Accepted"));
        assert_non_null(render_container(json, "cardata"));
    }
}

/* Properties for another kind of platform are no mistake. */
static void other_platforms_are_no_warning(void **state)
{
    struct json_t *plan PS_AUTO_JS =
        render_plan("{'definition': 'cardata | cassandra', 'properties': "
                    "{'deployer.cardata.cloudfoundry.buildpack': 'x', 'deployer.*.local.x': '1'}}",
                    NULL);

    (void)state;
    assert_string_equal(render_reason(plan, "Accepted"), "Accepted");
}

static void many_warnings_are_cut(void **state)
{
    struct json_t *in PS_AUTO_JS = render_input("{'definition': 'cardata | cassandra'}", NULL);
    struct json_t *properties = js_child(js_path(in, "cr.spec"), "properties");

    (void)state;
    for (int i = 0; i < 400; i++) {
        PS_AUTO_BUF(key, 64);

        ps_buf_printf(&key, "deployer.cardata.nonsense%d", i);
        js_set_str(properties, ps_buf_text(&key), "1");
    }
    struct plan *plan = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan);

    plan_free(plan);
    const struct ps_str message = ps_str(render_message(json, "Accepted"));

    assert_true(message.n > 1000 && message.n < 4096);
    assert_true(ps_str_ends(message, "; and more"));
}

/* ---- entry points, labels, annotations ------------------------------------------------------- */

static void entry_points_of_streams(void **state)
{
    struct json_t *plan PS_AUTO_JS =
        render_plan("{'definition': 'cardata --my.vin=1 | predict | cassandra --my.vin=2', "
                    "'properties': {'deployer.cardata.kubernetes.entryPointStyle': 'shell', "
                    "'deployer.cassandra.kubernetes.entryPointStyle': 'boot'}}",
                    NULL);
    const char *text = render_env(plan, "cassandra", "SPRING_APPLICATION_JSON");
    struct json_t *json PS_AUTO_JS = js_parse(ps_str(text), NULL);

    (void)state;
    assert_null(js_get(render_container(plan, "cardata"), "args"));
    assert_string_equal(render_env(plan, "cardata", "MY_VIN"), "1");
    assert_string_equal(
        render_env(plan, "cardata", "SPRING_CLOUD_STREAM_BINDINGS_OUTPUT_PRODUCER_REQUIREDGROUPS"),
        "foo");
    assert_string_equal(render_env(plan, "cardata", "SPRING_CLOUD_APPLICATION_GROUP"), "foo");
    assert_string_equal(js_str(js_get(json, "my.vin")), "2");
    assert_int_equal(js_len(js_get(render_container(plan, "cassandra"), "args")), 0);
    assert_non_null(js_get(render_container(plan, "cassandra"), "livenessProbe"));
    assert_true(render_has_arg(plan, "predict", "--spring.cloud.dataflow.stream.name=foo"));
    assert_null(render_env(plan, "predict", "SPRING_APPLICATION_JSON"));
}

static void labels_and_annotations_of_streams(void **state)
{
    struct json_t *plan PS_AUTO_JS = render_plan(
        "{'definition': 'cardata | cassandra', 'properties': "
        "{'deployer.cardata.kubernetes.deploymentLabels': 'team:a,role:mine,spring-app-id:x', "
        "'deployer.cardata.kubernetes.podAnnotations': 'a:b'}}",
        NULL);
    const struct json_t *body = render_workload(plan, "cardata");
    const struct json_t *places[] = {js_path(body, "metadata.labels"),
                                     js_path(body, "spec.template.metadata.labels")};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(places); i++) {
        assert_string_equal(js_str(js_get(places[i], "team")), "a");
        assert_string_equal(js_str(js_get(places[i], "role")), "spring-app"); /* ours win */
        assert_string_equal(js_str(js_get(places[i], "spring-app-id")), "foo-cardata-v1");
    }
    assert_null(js_get(js_path(body, "spec.selector.matchLabels"), "team"));
    assert_string_equal(js_path_str(body, "spec.template.metadata.annotations.a"), "b");
    assert_null(js_path(body, "metadata.annotations.a"));
    assert_null(js_path(render_workload(plan, "cassandra"), "spec.template.metadata.annotations"));
}

/* ---- secrets and sizes
 * ---------------------------------------------------------------------------------------- */

static void no_secret_in_status_or_events(void **state)
{
    static const char *const specs[] = {
        "{'definition': 'cardata --db.password=hunter2 --x=1 | cassandra --api-key=hunter2 "
        "--accessToken=hunter2'}",
        "{'definition': 'cardata --my.secret=\\'hunter2\\' | cassandra |'}",
        "{'definition': 'cardata --password=hunter2 | nobody'}",
        "{'definition': 'cardata | cassandra', 'properties': {'app.cardata.password': 'hunter2', "
        "'app.cardata.server.port': 'x'}}",
        "{'definition': 'cardata | cassandra', 'properties': "
        "{'deployer.cardata.kubernetes.environmentVariables': 'P=a,hunter2'}}",
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(specs); i++) {
        struct json_t *plan PS_AUTO_JS = render_plan(specs[i], NULL);
        PS_AUTO_FREE char *status = js_text(js_get(plan, "status"));
        PS_AUTO_FREE char *events = js_text(js_get(plan, "events"));

        if (strstr(status, "hunter2") != NULL || strstr(events, "hunter2") != NULL)
            fail_msg("%s: %s", specs[i], status);
    }
    struct json_t *plan PS_AUTO_JS = render_plan(specs[0], NULL);

    assert_string_equal(
        js_path_str(plan, "status.status.definition"),
        "cardata --db.password=****** --x=1 | cassandra --api-key=****** --accessToken=******");
    assert_true(render_has_arg(plan, "cardata", "--db.password=hunter2"));
}

static void huge_streams_are_refused(void **state)
{
    struct json_t *in PS_AUTO_JS = render_input("{'definition': 'x'}", NULL);
    struct json_t *properties = js_child(js_path(in, "cr.spec"), "properties");
    PS_AUTO_BUF(definition, 65536);
    PS_AUTO_BUF(value, 40000);

    (void)state;
    ps_buf_str(&definition, "cardata");
    for (int i = 0; i < 500; i++)
        ps_buf_printf(&definition, " | a%d: predict", i);
    ps_buf_str(&definition, " | cassandra");
    js_set_str(js_path(in, "cr.spec"), "definition", ps_buf_text(&definition));
    while (value.n < 32768)
        ps_buf_str(&value, "0123456789abcdef");
    js_set_str(properties, "app.*.x", ps_buf_text(&value));
    struct plan *plan = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan);

    assert_true(plan->arena.used < (size_t)64 * 1024 * 1024);
    plan_free(plan);
    assert_string_equal(render_reason(json, "Accepted"), "StreamTooLarge");
    assert_int_equal(js_len(js_get(json, "ops")), 0);
}

/* Text that cannot be compressed: the API server would refuse the revision. */
static void incompressible_streams_are_refused(void **state)
{
    struct json_t *in PS_AUTO_JS = render_input("{'definition': 'cardata | cassandra'}", NULL);
    struct json_t *properties = js_child(js_path(in, "cr.spec"), "properties");
    uint64_t random = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 40; i++) {
        PS_AUTO_BUF(value, 40000);
        PS_AUTO_BUF(key, 32);

        while (value.n < 32000) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            ps_buf_char(&value, (char)('!' + (int)(random % 90)));
        }
        ps_buf_printf(&key, "app.cardata.k%d", i);
        js_set_str(properties, ps_buf_text(&key), ps_buf_text(&value));
    }
    struct plan *plan = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan);

    plan_free(plan);
    assert_string_equal(render_reason(json, "Accepted"), "StreamTooLarge");
    assert_int_equal(js_len(js_get(json, "ops")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_weakest_first),
        cmocka_unit_test(typed_probes_beat_plain_ones),
        cmocka_unit_test(variables_are_merged_by_name),
        cmocka_unit_test(application_properties_weakest_first),
        cmocka_unit_test(no_count_no_instance_count),
        cmocka_unit_test(the_port_of_the_app),
        cmocka_unit_test(images_and_versions),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(every_ignored_key_is_named),
        cmocka_unit_test(other_platforms_are_no_warning),
        cmocka_unit_test(many_warnings_are_cut),
        cmocka_unit_test(entry_points_of_streams),
        cmocka_unit_test(labels_and_annotations_of_streams),
        cmocka_unit_test(no_secret_in_status_or_events),
        cmocka_unit_test(huge_streams_are_refused),
        cmocka_unit_test(incompressible_streams_are_refused),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
