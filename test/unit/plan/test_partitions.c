/* SPDX-License-Identifier: Apache-2.0 */
/* Partitioned streams: which apps become StatefulSets, and what they and their neighbours get. */
#include "plan/render.h"
#include "plan/world.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

#define PRODUCER "--spring.cloud.stream.bindings.output.producer."
#define CONSUMER "--spring.cloud.stream.bindings.input.consumer."

/* ---- who gets what --------------------------------------------------------------------------- */

static struct json_t *plan_with(const char *definition, const char *properties)
{
    struct json_t *in PS_AUTO_JS = render_input("{}", NULL);
    struct json_t *spec = js_path(in, "cr.spec");

    js_set_str(spec, "definition", definition);
    js_set(spec, "properties", render_json(properties));
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

static const char *kind_of(const struct json_t *plan, const char *app)
{
    return js_path_str(render_workload(plan, app), "kind");
}

static void who_is_numbered(void **state)
{
    static const struct {
        const char *definition, *properties, *app, *kind;
    } rows[] = {
        {"cardata | predict | cassandra", "{}", "predict", "Deployment"},
        {"cardata | predict | cassandra", "{'app.cardata.producer.partitionKeyExpression': 'x'}",
         "predict", "StatefulSet"},
        {"cardata | predict | cassandra", "{'app.cardata.producer.partitionKeyExpression': 'x'}",
         "cassandra", "Deployment"},
        {"cardata | predict | cassandra", "{'app.cardata.producer.partitionKeyExpression': 'x'}",
         "cardata", "Deployment"},
        {"cardata | predict | cassandra", "{'app.*.producer.partitionKeyExtractorClass': 'x'}",
         "cassandra", "StatefulSet"},
        {"cardata | predict | cassandra", "{'app.*.producer.partitionKeyExtractorClass': 'x'}",
         "cardata", "Deployment"},
        {"cardata | cassandra", "{'app.cassandra.consumer.partitioned': 'True'}", "cassandra",
         "StatefulSet"},
        {"cardata | cassandra", "{'app.*.consumer.partitioned': 'true'}", "cardata", "Deployment"},
        {"cardata | cassandra", "{'app.cassandra.consumer.partitioned': 'false'}", "cassandra",
         "Deployment"},
        {":orders > cassandra", "{'app.cassandra.consumer.partitioned': 'true'}", "cassandra",
         "StatefulSet"},
        {"cardata > :out", "{'app.cardata.producer.partitionKeyExpression': 'x'}", "cardata",
         "Deployment"},
        {"cardata | cassandra", "{'deployer.cardata.indexed': 'true'}", "cardata", "StatefulSet"},
        {"cardata | cassandra",
         "{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.*.indexed': 'false'}",
         "cassandra", "StatefulSet"},
        /* Unbound apps have no streams between them, and options are the definition's. */
        {"cardata || predict", "{'app.cardata.producer.partitionKeyExpression': 'x'}", "predict",
         "Deployment"},
        {"cardata --spring.cloud.stream.bindings.output.producer.partitionKeyExpression=x | "
         "cassandra",
         "{}", "cassandra", "Deployment"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS = plan_with(rows[i].definition, rows[i].properties);

        if (!ps_streq(kind_of(plan, rows[i].app), rows[i].kind))
            fail_msg("%s %s: %s is a %s (%s)", rows[i].definition, rows[i].properties, rows[i].app,
                     kind_of(plan, rows[i].app), render_message(plan, "Accepted"));
    }
}

static void properties_of_both_sides(void **state)
{
    static const struct {
        const char *properties, *app, *argument;
        bool there;
    } rows[] = {
        {"{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.predict.count': 3}",
         "cardata", PRODUCER "partitionCount=3", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.predict.count': 3}",
         "cardata", PRODUCER "partitionKeyExpression=x", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.predict.count': 3}",
         "predict", CONSUMER "partitioned=true", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.predict.count': 3}",
         "predict", "--spring.cloud.stream.instanceCount=3", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x'}", "cardata",
         PRODUCER "partitionCount=1", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x', 'deployer.predict.count': 0}",
         "cardata", PRODUCER "partitionCount=1", true},
        {"{'app.cardata.producer.partitionKeyExpression': 'x', "
         "'app.cardata.producer.partitionCount': 7, 'deployer.predict.count': 2}",
         "cardata", PRODUCER "partitionCount=2", true},
        {"{'app.predict.consumer.partitioned': 'true', 'deployer.predict.count': 2}", "cardata",
         PRODUCER "partitionKeyExpression=payload", true},
        {"{'app.predict.consumer.partitioned': 'true', 'deployer.predict.count': 2}", "cardata",
         PRODUCER "partitionCount=2", true},
        {"{'app.cardata.producer.partitionKeyExtractorClass': 'C'}", "cardata",
         PRODUCER "partitionKeyExpression=payload", false},
        {"{'deployer.predict.indexed': 'true'}", "cardata", PRODUCER "partitionCount=1", false},
        {"{'deployer.predict.indexed': 'true'}", "predict", CONSUMER "partitioned=true", false},
        /* Nobody in this stream reads what the last app writes. */
        {"{'app.*.producer.partitionKeyExpression': 'x'}", "cassandra", PRODUCER "partitionCount=1",
         false},
        {"{'app.*.producer.partitionKeyExpression': 'x'}", "cassandra",
         PRODUCER "partitionKeyExpression=x", true},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *plan PS_AUTO_JS =
            plan_with("cardata | predict | cassandra", rows[i].properties);

        if (render_has_arg(plan, rows[i].app, rows[i].argument) != rows[i].there)
            fail_msg("%s: %s: %s", rows[i].properties, rows[i].app, rows[i].argument);
    }
}

/* ---- the object ------------------------------------------------------------------------------ */

static void the_claim_is_as_asked(void **state)
{
    struct json_t *plan PS_AUTO_JS = plan_with(
        "cardata | cassandra",
        "{'deployer.cassandra.indexed': 'true',"
        " 'deployer.cassandra.kubernetes.statefulSet.volumeClaimTemplate.name': 'data',"
        " 'deployer.cassandra.kubernetes.statefulSet.volumeClaimTemplate.storage': '2g',"
        " 'deployer.cassandra.kubernetes.statefulSet.volumeClaimTemplate.storageClassName': 'fast',"
        " 'deployer.cassandra.kubernetes.statefulSetInitContainerImageName': 'x/busybox:1'}");
    const struct json_t *spec = js_get(render_workload(plan, "cassandra"), "spec");
    const struct json_t *claim = js_at(js_get(spec, "volumeClaimTemplates"), 0);

    (void)state;
    assert_string_equal(js_path_str(claim, "metadata.name"), "data");
    assert_string_equal(js_path_str(claim, "spec.storageClassName"), "fast");
    assert_string_equal(js_path_str(claim, "spec.resources.requests.storage"), "2048Mi");
    assert_string_equal(js_path_str(claim, "spec.resources.limits.storage"), "2048Mi");
    assert_string_equal(
        js_path_str(js_at(js_path(spec, "template.spec.initContainers"), 0), "image"),
        "x/busybox:1");
    assert_string_equal(js_path_str(spec, "persistentVolumeClaimRetentionPolicy.whenDeleted"),
                        "Delete");
    assert_string_equal(js_path_str(spec, "persistentVolumeClaimRetentionPolicy.whenScaled"),
                        "Retain");
}

/* "x…-log-v1" with `n` characters. */
static const char *reason_of_length(size_t n, const char *properties, struct ps_buf *message)
{
    struct json_t *in PS_AUTO_JS = render_input("{'definition': 'time | log'}", NULL);
    PS_AUTO_BUF(name, 128);

    while (name.n + strlen("-log-v1") < n)
        ps_buf_char(&name, 'x');
    js_set_str(js_path(in, "cr.spec"), "streamName", ps_buf_text(&name));
    js_set(js_path(in, "cr.spec"), "properties", render_json(properties));
    js_set_str(in, "registry", "source.time=docker:x/time:1\nsink.log=docker:x/log:1\n");
    struct plan *plan = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan);

    plan_free(plan);
    ps_buf_str(message, render_message(json, "Accepted"));
    return ps_streq(render_reason(json, "Accepted"), "NameTooLong") ? "NameTooLong" : "";
}

static void names_end_earlier(void **state)
{
    PS_AUTO_BUF(message, 4096);

    (void)state;
    assert_string_equal(reason_of_length(52, "{'deployer.log.indexed': 'true'}", &message), "");
    assert_string_equal(reason_of_length(53, "{}", &message), "");
    ps_buf_clear(&message);
    assert_string_equal(reason_of_length(53, "{'deployer.log.indexed': 'true'}", &message),
                        "NameTooLong");
    assert_non_null(strstr(ps_buf_text(&message), "52 for a StatefulSet"));
}

/* ---- what cannot be changed in place ----------------------------------------------------------
 */

static void apply(struct world *world, const char *properties)
{
    struct json_t *spec = js_object();

    js_set_str(spec, "definition", "time | log");
    js_set_str(spec, "platform", "there");
    js_set(spec, "properties", render_json(properties));
    world_apply(world, spec);
}

static void start(struct world *world, const char *properties)
{
    world_init(world, 1);
    world->registry = "source.time=docker:x/time:1\nsink.log=docker:x/log:1\n";
    world_account(
        world, "there",
        render_json("{'type': 'Kubernetes', 'kubernetes': {'namespace': 'kafka-namespace'}}"));
    apply(world, properties);
    assert_true(world_settle(world, 8) >= 0);
    ps_buf_clear(&world->trace);
}

static void settles_to(struct world *world, const char *kind, const char *name)
{
    size_t found = 0;

    if (world_settle(world, 8) < 0)
        world_fail(world, "does not settle");
    for (size_t i = 0; i < world_count(world); i++) {
        const struct json_t *item = js_at(world->objects, i);
        const char *label =
            js_str(js_get(js_path(item, "object.metadata.labels"), MODEL_LABEL_APP));

        if (!ps_streq(label, "log") || !model_is_workload(snapshot_kind(js_path_str(item, "kind"))))
            continue;
        found++;
        assert_string_equal(js_path_str(item, "kind"), kind);
        assert_string_equal(js_path_str(item, "object.metadata.name"), name);
    }
    assert_int_equal(found, 1);
}

/* In the order of what was done. */
static void assert_before(const struct world *world, const char *first, const char *second)
{
    const char *text = ps_buf_text(&world->trace), *a = strstr(text, first),
               *b = strstr(text, second);

    if (a == NULL || b == NULL || a > b)
        world_fail(world, second);
}

static void the_old_one_goes_when_the_new_one_is_ready(void **state)
{
    struct world world;

    (void)state;
    start(&world, "{}");
    apply(&world, "{'deployer.log.indexed': 'true'}");
    settles_to(&world, "StatefulSet", "foo-log-v2");
    assert_before(&world, "create StatefulSet kafka-namespace/foo-log-v2: done",
                  "delete Deployment kafka-namespace/foo-log-v1: done");
    apply(&world, "{}");
    settles_to(&world, "Deployment", "foo-log-v3");
    assert_before(&world, "create Deployment kafka-namespace/foo-log-v3: done",
                  "delete StatefulSet kafka-namespace/foo-log-v2: done");
    world_fini(&world);
}

static void numbered_instances_go_first(void **state)
{
    struct world world;

    (void)state;
    start(&world, "{'deployer.log.indexed': 'true'}");
    apply(&world, "{'deployer.log.indexed': 'true',"
                  " 'deployer.log.kubernetes.statefulSet.volumeClaimTemplate.storage': '1g'}");
    settles_to(&world, "StatefulSet", "foo-log-v2");
    assert_before(&world, "delete StatefulSet kafka-namespace/foo-log-v1: done",
                  "create StatefulSet kafka-namespace/foo-log-v2: done");
    /* What can be changed is. */
    apply(&world, "{'deployer.log.indexed': 'true', 'app.log.k': 'v',"
                  " 'deployer.log.kubernetes.statefulSet.volumeClaimTemplate.storage': '1g'}");
    settles_to(&world, "StatefulSet", "foo-log-v2");
    world_fini(&world);
}

/* While the new one could not be made the old one runs. */
static void numbered_instances_stay_when_the_name_is_held(void **state)
{
    struct world world;

    (void)state;
    start(&world, "{'deployer.log.indexed': 'true'}");
    world_foreign(&world, MODEL_STATEFUL_SET, "kafka-namespace", "foo-log-v2");
    apply(&world, "{'deployer.log.indexed': 'true',"
                  " 'deployer.log.kubernetes.statefulSet.volumeClaimTemplate.storage': '1g'}");
    for (int i = 0; i < 5; i++) {
        (void)world_job(&world);
        world_tick(&world);
    }
    assert_null(strstr(ps_buf_text(&world.trace), "delete StatefulSet"));
    assert_non_null(model_condition_find(js_path(world.cr, "status.conditions"), "NameConflict"));
    world_fini(&world);
}

static void waiting_for_numbers_is_told(void **state)
{
    struct world world;

    (void)state;
    start(&world, "{'deployer.log.indexed': 'true'}");
    apply(&world, "{'deployer.log.indexed': 'true',"
                  " 'deployer.log.kubernetes.statefulSet.volumeClaimTemplate.storage': '1g'}");
    for (int i = 0; i < 4; i++)
        (void)world_job(&world); /* without a tick the old one is going */
    const struct json_t *ready =
        model_condition_find(js_path(world.cr, "status.conditions"), "Ready");

    assert_string_equal(js_path_str(ready, "reason"), "ReplacingInstances");
    assert_string_equal(js_path_str(ready, "status"), "False");
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_numbered),
        cmocka_unit_test(properties_of_both_sides),
        cmocka_unit_test(the_claim_is_as_asked),
        cmocka_unit_test(names_end_earlier),
        cmocka_unit_test(the_old_one_goes_when_the_new_one_is_ready),
        cmocka_unit_test(numbered_instances_go_first),
        cmocka_unit_test(numbered_instances_stay_when_the_name_is_held),
        cmocka_unit_test(waiting_for_numbers_is_told),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
