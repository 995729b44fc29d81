/* SPDX-License-Identifier: Apache-2.0 */
/* StreamDeployments, projections of objects, and conditions. */
#include "model/model.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

static struct json_t *parse(const char *text)
{
    struct ps_err err;
    PS_AUTO_FREE char *copy = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *json = js_parse(ps_str(copy), &err);

    if (json == NULL)
        fail_msg("%s: %s", text, err.message);
    return json;
}

/* ---- StreamDeployment
 * ------------------------------------------------------------------------------- */

static void a_stream_is_read(void **state)
{
    struct ps_arena arena;
    struct model_stream s;
    struct json_t *json PS_AUTO_JS =
        parse("{'metadata': {'name': 'foo', 'namespace': 'cars', 'uid': 'u', 'resourceVersion': "
              "'7', 'generation': 3,"
              " 'creationTimestamp': '2026-10-29T01:02:03Z', 'finalizers': "
              "['penstock.dev/cleanup'], 'annotations': {'penstock.dev/redeploy': 'x'}},"
              " 'spec': {'streamName': 'MyFoo', 'definition': 'a | b', 'platform': 'p', 'suspend': "
              "true, 'revisionHistoryLimit': 3,"
              " 'properties': {'b': 'x', 'a': 7}, 'apps': [{'name': 'a', 'image': 'i', 'replicas': "
              "0, 'resources': {'limits': {'cpu': 1, 'memory': '1Gi'},"
              " 'requests': {'cpu': '1m'}}, 'env': [{'name': 'N', 'value': 'v'}, {'name': "
              "'E'}]}]}, 'status': {'phase': 'deployed'}}");

    (void)state;
    ps_arena_init(&arena);
    assert_int_equal(model_stream_read(&arena, json, &s, NULL), 0);
    assert_string_equal(s.name, "foo");
    assert_string_equal(s.stream_name, "MyFoo");
    assert_string_equal(s.platform, "p");
    assert_true(s.suspend && s.has_finalizer && !s.deleting);
    assert_int_equal(s.history_limit, 3);
    assert_int_equal(s.created_ms, 1793235723000);
    assert_string_equal(s.redeploy, "x");
    assert_string_equal(s.properties.items[0].key, "a");
    assert_string_equal(s.properties.items[0].value, "7");
    assert_int_equal(s.app_count, 1);
    assert_int_equal(s.apps[0].replicas, 0);
    assert_string_equal(model_properties_get(&s.apps[0].limits, "cpu"), "1");
    assert_string_equal(model_properties_get(&s.apps[0].requests, "cpu"), "1m");
    assert_string_equal(model_properties_get(&s.apps[0].env, "N"), "v");
    assert_string_equal(model_properties_get(&s.apps[0].env, "E"), "");
    assert_string_equal(js_path_str(s.status, "phase"), "deployed");
    ps_arena_fini(&arena);
}

static void a_stream_has_defaults(void **state)
{
    struct ps_arena arena;
    struct model_stream s;
    struct json_t *json PS_AUTO_JS = parse(
        "{'metadata': {'name': 'foo'}, 'spec': {'definition': 'a | b', 'apps': [{'name': 'a'}]}}");

    (void)state;
    ps_arena_init(&arena);
    assert_int_equal(model_stream_read(&arena, json, &s, NULL), 0);
    assert_string_equal(s.stream_name, "foo");
    assert_string_equal(s.platform, "default");
    assert_false(s.suspend);
    assert_int_equal(s.history_limit, 10);
    assert_int_equal(s.apps[0].replicas, -1);
    assert_int_equal(s.created_ms, 0);
    assert_null(s.redeploy);
    ps_arena_fini(&arena);
}

static void bad_streams_say_where(void **state)
{
    static const struct {
        const char *spec, *message;
    } rows[] = {
        {"null", "spec: expected an object, found null"},
        {"'x'", "spec: expected an object, found a string"},
        {"[]", "spec: expected an object, found a list"},
        {"{}", "spec.definition: expected a stream definition"},
        {"{'definition': 7}", "spec.definition: expected a string, found an integer"},
        {"{'definition': 'a', 'streamName': true}",
         "spec.streamName: expected a string, found a boolean"},
        {"{'definition': 'a', 'platform': {}}", "spec.platform: expected a string"},
        {"{'definition': 'a', 'streamName': ''}", "Stream name"},
        {"{'definition': 'a', 'streamName': '1a'}", "Stream name 1a is invalid"},
        {"{'definition': 'a', 'streamName': 'a_b'}", "Stream name a_b is invalid"},
        {"{'definition': 'a', 'streamName': 'a-'}", "Stream name a- is invalid"},
        {"{'definition': 'a', 'revisionHistoryLimit': -1}",
         "spec.revisionHistoryLimit: expected an integer from 0 to 100"},
        {"{'definition': 'a', 'driftPolicy': 'correct'}",
         "spec.driftPolicy: expected Correct or Report, found \"correct\""},
        {"{'definition': 'a', 'driftPolicy': 1}", "spec.driftPolicy"},
        {"{'definition': 'a', 'revisionHistoryLimit': '3'}", "spec.revisionHistoryLimit"},
        {"{'definition': 'a', 'revisionHistoryLimit': 101}", "spec.revisionHistoryLimit"},
        {"{'definition': 'a', 'properties': []}",
         "spec.properties: expected an object, found a list"},
        {"{'definition': 'a', 'properties': {'k': true}}",
         "spec.properties[k]: expected a string or an integer (quote it), found a boolean"},
        {"{'definition': 'a', 'properties': {'k': 1.10}}",
         "spec.properties[k]: expected a string or an integer (quote it), found a number"},
        {"{'definition': 'a', 'properties': {'k': null}}", "spec.properties[k]"},
        {"{'definition': 'a', 'apps': [{}]}", "spec.apps[0].name: expected"},
        {"{'definition': 'a', 'apps': [{'name': 'a'}, 7]}", "spec.apps[1].name: expected"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'replicas': -1}]}",
         "spec.apps[0].replicas: expected an integer from 0 to 10000"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'replicas': '1'}]}", "spec.apps[0].replicas"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'image': 1}]}", "spec.apps[0].image"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'resources': {'limits': 1}}]}",
         "spec.apps[0].resources.limits: expected an object"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'resources': {'requests': {'cpu': 0.5}}}]}",
         "spec.apps[0].resources.requests[cpu]"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'env': [{'value': 'x'}]}]}",
         "spec.apps[0].env[0].name"},
        {"{'definition': 'a', 'apps': [{'name': 'a', 'env': [7]}]}", "spec.apps[0].env[0].name"},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS = parse("{'metadata': {'name': 'foo', 'namespace': 'cars', "
                                               "'uid': 'u', 'resourceVersion': '7'}}");
        struct model_stream s;
        struct ps_err err = {0};

        js_set(json, "spec", parse(rows[i].spec));
        if (model_stream_read(&arena, json, &s, &err) == 0 ||
            strstr(err.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].spec, err.message);
        assert_string_equal(s.name, "foo"); /* known all the same */
        assert_string_equal(s.uid, "u");
        assert_non_null(s.stream_name);
        assert_non_null(s.platform);
        assert_int_not_equal(model_stream_read(&arena, json, &s, NULL), 0);
    }
    ps_arena_fini(&arena);
}

static void a_stream_has_limits(void **state)
{
    struct ps_arena arena;
    struct json_t *json PS_AUTO_JS =
        parse("{'metadata': {'name': 'foo'}, 'spec': {'definition': 'a'}}");
    struct json_t *spec = js_get(json, "spec"), *map = js_object(), *apps = js_array();
    struct model_stream s;
    struct ps_err err = {0};

    (void)state;
    ps_arena_init(&arena);
    for (int i = 0; i <= MODEL_PROPERTIES_MAX; i++) {
        PS_AUTO_BUF(key, 16);

        ps_buf_printf(&key, "k%d", i);
        js_set_str(map, ps_buf_text(&key), "x");
    }
    js_set(spec, "properties", map);
    assert_int_equal(model_stream_read(&arena, json, &s, &err), PS_ELIMIT);
    assert_non_null(strstr(err.message, "spec.properties"));
    js_remove(spec, "properties");
    for (int i = 0; i <= 100; i++)
        js_push(apps, parse("{'name': 'a'}"));
    js_set(spec, "apps", apps);
    assert_int_equal(model_stream_read(&arena, json, &s, &err), PS_ELIMIT);
    assert_non_null(strstr(err.message, "spec.apps"));
    ps_arena_fini(&arena);
}

/* ---- projections
 * ---------------------------------------------------------------------------------------- */

static struct model_object *project_tree(enum model_kind kind, const struct json_t *json)
{
    PS_AUTO_FREE char *text = js_text(json); /* the projection borrows nothing */

    return model_object_read(kind, ps_str(text), NULL);
}

static struct model_object *project(enum model_kind kind, const char *text)
{
    struct json_t *json PS_AUTO_JS = parse(text);

    return project_tree(kind, json);
}

#define META                                                                                       \
    "'metadata': {'name': 'n', 'namespace': 'ns', 'uid': 'u', 'resourceVersion': '7', "            \
    "'generation': 4"

static void two_projections_differ_in_more_than_the_version(void **state)
{
    static const char *const others[] = {
        "{" META "}, 'status': {'readyReplicas': 2}}",
        "{" META ", 'deletionTimestamp': '2026-11-21T08:00:00Z'}, 'status': {'readyReplicas': 1}}",
        "{" META ", 'labels': {'penstock.dev/app': 'b'}}, 'status': {'readyReplicas': 1}}",
        "{" META "}, 'status': {'readyReplicas': 1, 'conditions': [{'type': 'ReplicaFailure', "
        "'status': 'True', 'message': 'quota'}]}}",
    };
    static const char same[] =
        "{'metadata': {'name': 'n', 'namespace': 'ns', 'uid': 'u', 'resourceVersion': '12', "
        "'generation': 4, 'annotations': {'deployment.kubernetes.io/revision': '1'}}, "
        "'status': {'readyReplicas': 1}}";
    PS_AUTO_FREE struct model_object *a =
        project(MODEL_DEPLOYMENT, "{" META "}, 'status': {'readyReplicas': 1}}");
    PS_AUTO_FREE struct model_object *b = project(MODEL_DEPLOYMENT, same);

    (void)state;
    assert_true(model_object_same(a, b));
    for (size_t i = 0; i < PS_ARRAY_LEN(others); i++) {
        PS_AUTO_FREE struct model_object *other = project(MODEL_DEPLOYMENT, others[i]);

        assert_false(model_object_same(a, other));
    }
}

static void objects_without_an_identity_are_none(void **state)
{
    (void)state;
    assert_null(project(MODEL_POD, "{}"));
    assert_null(project(MODEL_POD, "7"));
    assert_null(project(MODEL_POD, "{'metadata': {'name': 'n', 'uid': 'u'}}"));
    assert_null(project(MODEL_POD, "{'metadata': {'name': 'n', 'resourceVersion': '1'}}"));
    assert_null(
        project(MODEL_POD, "{'metadata': {'name': 7, 'uid': 'u', 'resourceVersion': '1'}}"));
}

static void a_deployment_is_projected(void **state)
{
    struct model_object *o =
        project(MODEL_DEPLOYMENT,
                "{" META ", 'labels': {'penstock.dev/owner-uid': 'cr', 'penstock.dev/app': 'a', "
                "'penstock.dev/revision': '12',"
                " 'penstock.dev/installation': 'i', 'penstock.dev/account-uid': 'a'}, "
                "'annotations': {'penstock.dev/owner': "
                "'StreamDeployment/cars/foo',"
                " 'penstock.dev/replicas-before-suspend': '3'}}, 'spec': {'replicas': 2}, "
                "'status': {'observedGeneration': 3,"
                " 'replicas': 5, 'readyReplicas': 1, 'updatedReplicas': 2, 'availableReplicas': 1, "
                "'conditions': [{'type': 'ReplicaFailure',"
                " 'status': 'True', 'reason': 'FailedCreate', 'message': 'exceeded quota'}]}}");

    (void)state;
    assert_non_null(o);
    assert_string_equal(o->owner, "StreamDeployment/cars/foo");
    assert_string_equal(o->owner_uid, "cr");
    assert_string_equal(o->app, "a");
    assert_string_equal(o->installation, "i");
    assert_string_equal(o->account_uid, "a");
    assert_int_equal(o->revision, 12);
    assert_int_equal(o->generation, 4);
    assert_int_equal(o->replicas, 2);
    assert_int_equal(o->ready, 1);
    assert_false(o->rolled_out);
    assert_string_equal(o->replicas_before_suspend, "3");
    assert_string_equal(o->failure_message, "exceeded quota");
    ps_free(o);
    o = project(MODEL_DEPLOYMENT,
                "{" META ", 'labels': {'penstock.dev/revision': 'x'}}, 'status': {'conditions': ["
                "{'type': 'ReplicaFailure', 'status': 'False', 'message': 'old'}]}}");
    assert_int_equal(o->revision, -1);
    assert_int_equal(o->replicas, 1);
    assert_null(o->failure_message);
    assert_null(o->owner);
    ps_free(o);
}

static void a_stateful_set_is_projected(void **state)
{
    struct model_object *o =
        project(MODEL_STATEFUL_SET,
                "{" META "}, 'spec': {'replicas': 3}, 'status': {'observedGeneration': 4, "
                "'replicas': 3, 'readyReplicas': 2, 'updatedReplicas': 1, "
                "'currentRevision': 'n-1', 'updateRevision': 'n-2'}}");

    (void)state;
    assert_non_null(o);
    assert_int_equal(o->replicas, 3);
    assert_int_equal(o->ready, 2);
    assert_false(o->rolled_out);
    ps_free(o);
}

/* Each count and revision alone says whether there are instances of an older spec. */
static void the_end_of_a_rollout_is_seen(void **state)
{
    static const struct {
        const char *spec, *status;
        bool rolled_out;
    } rows[] = {
        {"'replicas': 2", "'observedGeneration': 4, 'replicas': 2, 'updatedReplicas': 2", true},
        {"'replicas': 2", "'observedGeneration': 3, 'replicas': 2, 'updatedReplicas': 2", false},
        {"'replicas': 2", "'observedGeneration': 4, 'replicas': 3, 'updatedReplicas': 2", false},
        {"'replicas': 2", "'observedGeneration': 4, 'replicas': 2, 'updatedReplicas': 1", false},
        {"'replicas': 2",
         "'observedGeneration': 4, 'replicas': 2, 'updatedReplicas': 2, "
         "'currentRevision': 'a', 'updateRevision': 'b'",
         false},
        {"'replicas': 2",
         "'observedGeneration': 4, 'replicas': 2, 'updatedReplicas': 2, "
         "'currentRevision': 'a', 'updateRevision': 'a'",
         true},
        {"'replicas': 0", "'observedGeneration': 3, 'replicas': 2", true},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 1024);

        ps_buf_printf(&text, "{" META "}, 'spec': {%s}, 'status': {%s}}", rows[i].spec,
                      rows[i].status);
        struct model_object *o = project(MODEL_STATEFUL_SET, ps_buf_text(&text));

        assert_non_null(o);
        assert_int_equal(o->rolled_out, rows[i].rolled_out);
        ps_free(o);
    }
}

static void a_pod_tells_its_cause(void **state)
{
    static const struct {
        const char *status, *cause, *message;
        int64_t exit_code, restarts;
        bool ready;
    } rows[] = {
        {"{}", NULL, NULL, -1, 0, false},
        {"{'conditions': [{'type': 'Ready', 'status': 'True'}]}", NULL, NULL, -1, 0, true},
        {"{'containerStatuses': [{'state': {'waiting': {'reason': 'ContainerCreating'}}}]}", NULL,
         NULL, -1, 0, false},
        {"{'containerStatuses': [{'state': {'waiting': {'reason': 'ImagePullBackOff', 'message': "
         "'m'}}}]}",
         "ImagePullBackOff", "m", -1, 0, false},
        {"{'containerStatuses': [{'restartCount': 7, 'state': {'waiting': {'reason': "
         "'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': 3}}}]}",
         "CrashLoopBackOff", NULL, 3, 7, false},
        {"{'containerStatuses': [{'state': {'terminated': {'exitCode': 0, 'reason': "
         "'Completed'}}}]}",
         "Completed", NULL, 0, 0, false},
        {"{'containerStatuses': [{'ready': true, 'restartCount': 2, 'state': {'running': {}}, "
         "'lastState': {'terminated': {'exitCode': 1}}}]}",
         NULL, NULL, 1, 2, false},
        /* a sidecar that is ready does not hide the one that is not */
        {"{'containerStatuses': [{'ready': true, 'state': {'running': {}}}, {'state': {'waiting': "
         "{'reason': 'ErrImagePull', 'message': 'm'}}}]}",
         "ErrImagePull", "m", -1, 0, false},
        {"{'initContainerStatuses': [{'state': {'waiting': {'reason': 'CrashLoopBackOff', "
         "'message': 'init'}}}], 'containerStatuses': ["
         "{'state': {'waiting': {'reason': 'PodInitializing'}}}]}",
         "CrashLoopBackOff", "init", -1, 0, false},
        {"{'conditions': [{'type': 'PodScheduled', 'status': 'False', 'reason': 'Unschedulable', "
         "'message': 'm'}]}",
         "Unschedulable", "m", -1, 0, false},
        {"{'phase': 'Failed', 'reason': 'Evicted', 'message': 'm'}", "Evicted", "m", -1, 0, false},
        {"{'containerStatuses': 7, 'conditions': {}}", NULL, NULL, -1, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text, "{" META "}, 'status': %s}", rows[i].status);
        struct model_object *o = project(MODEL_POD, ps_buf_text(&text));

        if (!ps_streq(o->cause, rows[i].cause) || !ps_streq(o->cause_message, rows[i].message) ||
            o->exit_code != rows[i].exit_code || o->restarts != rows[i].restarts ||
            o->pod_ready != rows[i].ready)
            fail_msg("%s: %s, %s, %lld, %lld", rows[i].status, o->cause, o->cause_message,
                     (long long)o->exit_code, (long long)o->restarts);
        ps_free(o);
    }
}

static void other_kinds_are_projected(void **state)
{
    struct model_object *stream = project(
        MODEL_STREAM, "{" META ", 'creationTimestamp': '2026-10-29T01:02:03Z'}, 'spec': {}}");
    struct model_object *named =
        project(MODEL_STREAM, "{" META "}, 'spec': {'streamName': 's', 'platform': 'p', 'apps': ["
                              "{'platform': 'gpu'}, {}, {'platform': 'p'}, {'platform': 7}]}}");
    struct model_object *namespace =
        project(MODEL_NAMESPACE,
                "{" META ", 'labels': {'a': 'b', 'x/y': ''}, 'deletionTimestamp': 'x'}, 'status': "
                "{'phase': 'Terminating'}}");
    struct model_object *revision = project(
        MODEL_REVISION,
        "{" META ", 'annotations': {'penstock.dev/manifest': 'm', 'penstock.dev/spec-hash': 's',"
        " 'penstock.dev/render-hash': 'r', 'penstock.dev/redeploy': ''}}}");

    (void)state;
    assert_string_equal(stream->stream_name, "n");
    assert_string_equal(stream->platform, "default");
    assert_int_equal(stream->created_ms, 1793235723000);
    assert_string_equal(named->stream_name, "s");
    assert_string_equal(named->platform, "p");
    assert_true(model_names_platform(stream, "default"));
    assert_string_equal(named->platforms, "p,gpu");
    assert_true(model_names_platform(named, "p"));
    assert_true(model_names_platform(named, "gpu"));
    assert_false(model_names_platform(named, "default"));
    assert_false(model_names_platform(named, "p,gpu"));
    assert_true(namespace->deleting);
    assert_string_equal(namespace->phase, "Terminating");
    assert_string_equal(namespace->labels, "a=b\nx/y=\n");
    assert_string_equal(revision->manifest, "m");
    assert_string_equal(revision->spec_hash, "s");
    assert_string_equal(revision->render_hash, "r");
    assert_string_equal(revision->redeploy, "");
    ps_free(stream);
    ps_free(named);
    ps_free(namespace);
    ps_free(revision);
}

/* Words are cut, so that a hostile object costs little memory, and never within a character. */
static void long_texts_are_cut(void **state)
{
    struct json_t *json PS_AUTO_JS =
        parse("{" META "}, 'status': {'phase': 'Failed', 'reason': 'r'}}");
    PS_AUTO_BUF(text, 100000);

    (void)state;
    ps_buf_str(&text, "x");
    while (text.n < 50000)
        ps_buf_str(&text, "ü");
    js_set_str(js_get(json, "status"), "message", ps_buf_text(&text));
    struct model_object *o = project_tree(MODEL_POD, json);

    assert_true(strlen(o->cause_message) <= 4096);
    struct json_t *again PS_AUTO_JS = js_string(o->cause_message);

    assert_string_equal(js_str(again), o->cause_message); /* still UTF-8 */
    ps_free(o);
}

/* ---- conditions
 * ------------------------------------------------------------------------------------------- */

static void conditions_keep_their_time(void **state)
{
    struct model_conditions list = {0};

    (void)state;
    model_condition_set(&list, "Ready", true, "R", "m");
    model_condition_set(&list, "Accepted", false, "A", "m");
    struct json_t *first PS_AUTO_JS = model_conditions_json(&list, NULL, 3, 1793235723000);

    assert_string_equal(js_path_str(model_condition_find(first, "Ready"), "status"), "True");
    assert_string_equal(js_path_str(model_condition_find(first, "Accepted"), "status"), "False");
    assert_string_equal(js_path_str(model_condition_find(first, "Ready"), "lastTransitionTime"),
                        "2026-10-29T01:02:03Z");
    assert_int_equal(js_path_int(model_condition_find(first, "Ready"), "observedGeneration", 0), 3);
    list.count = 0;
    model_condition_set(&list, "Ready", false, "R2", "m");
    model_condition_set(&list, "Accepted", false, "A2", "m2");
    struct json_t *second PS_AUTO_JS = model_conditions_json(&list, first, 4, 1793235724000);

    assert_string_equal(js_path_str(model_condition_find(second, "Ready"), "lastTransitionTime"),
                        "2026-10-29T01:02:04Z");
    assert_string_equal(js_path_str(model_condition_find(second, "Accepted"), "lastTransitionTime"),
                        "2026-10-29T01:02:03Z");
    assert_string_equal(js_path_str(model_condition_find(second, "Accepted"), "reason"), "A2");
    list.count = 0;
    model_condition_set_unknown(&list, "Ready", "R3", "m");
    struct json_t *third PS_AUTO_JS = model_conditions_json(&list, second, 4, 1793235725000);

    assert_string_equal(js_path_str(model_condition_find(third, "Ready"), "status"), "Unknown");
    assert_string_equal(js_path_str(model_condition_find(third, "Ready"), "lastTransitionTime"),
                        "2026-10-29T01:02:05Z");
    assert_null(model_condition_find(second, "Other"));
    assert_null(model_condition_find(NULL, "Ready"));
}

static void long_messages_are_cut(void **state)
{
    struct model_conditions list = {0};
    PS_AUTO_BUF(text, 100000);

    (void)state;
    ps_buf_str(&text, "x");
    while (text.n < 50000)
        ps_buf_str(&text, "ü");
    model_condition_set(&list, "Ready", true, "R", ps_buf_text(&text));
    struct json_t *json PS_AUTO_JS = model_conditions_json(&list, NULL, 1, 0);
    const char *message = js_path_str(js_at(json, 0), "message");

    assert_true(strlen(message) <= MODEL_MESSAGE_MAX && strlen(message) > MODEL_MESSAGE_MAX - 2);
    assert_memory_equal(message, ps_buf_text(&text), strlen(message));
}

static void every_kind_has_a_row(void **state)
{
    (void)state;
    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        const struct model_kind_info *info = model_kind_info((enum model_kind)kind);

        assert_true(info->plural != NULL && info->kind != NULL && info->version != NULL &&
                    info->group != NULL);
        assert_string_equal(model_kind_name((enum model_kind)kind), info->kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_read),
        cmocka_unit_test(a_stream_has_defaults),
        cmocka_unit_test(bad_streams_say_where),
        cmocka_unit_test(a_stream_has_limits),
        cmocka_unit_test(objects_without_an_identity_are_none),
        cmocka_unit_test(a_deployment_is_projected),
        cmocka_unit_test(a_stateful_set_is_projected),
        cmocka_unit_test(the_end_of_a_rollout_is_seen),
        cmocka_unit_test(a_pod_tells_its_cause),
        cmocka_unit_test(other_kinds_are_projected),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(conditions_keep_their_time),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(two_projections_differ_in_more_than_the_version),
        cmocka_unit_test(every_kind_has_a_row),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
