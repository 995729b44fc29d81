/* SPDX-License-Identifier: Apache-2.0 */
/* TaskLaunches, the words for their states, and the projections of launches, Jobs and their pods.
 */
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

/* ---- TaskLaunch ----------------------------------------------------------------------------- */

static void a_launch_is_read(void **state)
{
    struct ps_arena arena;
    struct model_task t;
    struct json_t *json PS_AUTO_JS = parse(
        "{'metadata': {'name': 'train-1', 'namespace': 'cars', 'uid': 'u', 'resourceVersion': '7',"
        " 'generation': 3, 'creationTimestamp': '2026-10-29T01:02:03Z',"
        " 'finalizers': ['x', 'penstock.dev/cleanup'], 'deletionTimestamp': 'x'},"
        " 'spec': {'taskName': 'Train-1', 'definition': 'train', 'platform': 'p',"
        " 'arguments': ['--a=b', '', 'c d'], 'properties': {'b': 'x', 'a': 7},"
        " 'apps': [{'name': 'train', 'image': 'i', 'resources': {'limits': {'cpu': 1}},"
        " 'env': [{'name': 'N', 'value': 'v'}]}], 'activeDeadlineSeconds': 7200,"
        " 'retry': {'limit': 3, 'backoff': {'initial': '1s', 'factor': 1.5, 'max': '1h',"
        " 'jitterPercent': 0}, 'notOnExitCodes': [64, 255, 1], 'onUnknown': true},"
        " 'suspend': true, 'notAfter': '2026-10-29T03:02:03.25+02:00',"
        " 'ttlSecondsAfterFinished': 0}, 'status': {'phase': 'Running'}}");

    (void)state;
    ps_arena_init(&arena);
    assert_int_equal(model_task_read(&arena, json, &t, NULL), 0);
    assert_string_equal(t.name, "train-1");
    assert_string_equal(t.namespace, "cars");
    assert_string_equal(t.uid, "u");
    assert_string_equal(t.rv, "7");
    assert_int_equal(t.generation, 3);
    assert_int_equal(t.created_ms, 1793235723000);
    assert_true(t.deleting && t.has_finalizer && t.suspend);
    assert_string_equal(t.task_name, "Train-1");
    assert_string_equal(t.definition, "train");
    assert_string_equal(t.platform, "p");
    assert_int_equal(t.argument_count, 3);
    assert_string_equal(t.arguments[0], "--a=b");
    assert_string_equal(t.arguments[1], "");
    assert_string_equal(t.arguments[2], "c d");
    assert_string_equal(t.properties.items[0].key, "a");
    assert_string_equal(t.properties.items[0].value, "7");
    assert_int_equal(t.app_count, 1);
    assert_string_equal(t.apps[0].image, "i");
    assert_string_equal(model_properties_get(&t.apps[0].limits, "cpu"), "1");
    assert_string_equal(model_properties_get(&t.apps[0].env, "N"), "v");
    assert_int_equal(t.active_deadline_s, 7200);
    assert_int_equal(t.ttl_s, 0);
    assert_int_equal(t.not_after_ms, 1793235723000);
    assert_true(t.retry.given && t.retry.on_unknown);
    assert_int_equal(t.retry.limit, 3);
    assert_int_equal(t.retry.initial_ms, 1000);
    assert_int_equal(t.retry.max_ms, 3600000);
    assert_int_equal(t.retry.factor_milli, 1500);
    assert_int_equal(t.retry.jitter_percent, 0);
    assert_int_equal(t.retry.not_on_count, 3);
    assert_int_equal(t.retry.not_on_codes[1], 255);
    assert_string_equal(js_path_str(t.status, "phase"), "Running");
    assert_ptr_equal(t.object, json);
    ps_arena_fini(&arena);
}

static void a_launch_has_defaults(void **state)
{
    static const char *const specs[] = {
        "{'metadata': {'name': 'x'}, 'spec': {'definition': 'a'}}",
        "{'metadata': {'name': 'x'}, 'spec': {'definition': 'a', 'retry': {}}}",
        "{'metadata': {'name': 'x'}, 'spec': {'definition': 'a', 'retry': {'backoff': {}}}}"};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(specs); i++) {
        struct json_t *json PS_AUTO_JS = parse(specs[i]);
        struct model_task t;

        assert_int_equal(model_task_read(&arena, json, &t, NULL), 0);
        assert_null(t.task_name);
        assert_string_equal(t.platform, "default");
        assert_int_equal(t.argument_count, 0);
        assert_int_equal(t.app_count, 0);
        assert_false(t.suspend || t.deleting || t.has_finalizer || t.retry.on_unknown);
        assert_int_equal(t.active_deadline_s, -1);
        assert_int_equal(t.ttl_s, -1);
        assert_int_equal(t.not_after_ms, -1);
        assert_int_equal(t.retry.given, i > 0);
        assert_int_equal(t.retry.limit, 0);
        assert_int_equal(t.retry.initial_ms, 30000);
        assert_int_equal(t.retry.max_ms, 600000);
        assert_int_equal(t.retry.factor_milli, 2000);
        assert_int_equal(t.retry.jitter_percent, 10);
        assert_int_equal(t.retry.not_on_count, 0);
        assert_int_equal(t.created_ms, 0);
    }
    ps_arena_fini(&arena);
}

struct bad_row {
    const char *field; /* beside the definition */
    const char *message;
};

static void check_bad(const struct bad_row *rows, size_t count)
{
    struct ps_arena arena;

    ps_arena_init(&arena);
    for (size_t i = 0; i < count; i++) {
        struct json_t *json PS_AUTO_JS = parse("{'metadata': {'name': 'foo', 'uid': 'u'}}");
        struct model_task t;
        struct ps_err err = {0};
        PS_AUTO_BUF(spec, 4096);

        ps_buf_printf(&spec, "{'definition': 'a', %s}", rows[i].field);
        js_set(json, "spec", parse(ps_buf_text(&spec)));
        if (model_task_read(&arena, json, &t, &err) == 0 ||
            strstr(err.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].field, err.message);
        assert_string_equal(t.name, "foo"); /* known all the same */
        assert_string_equal(t.uid, "u");
        assert_non_null(t.platform);
        assert_int_not_equal(model_task_read(&arena, json, &t, NULL), 0);
    }
    ps_arena_fini(&arena);
}

static void bad_launches_say_where(void **state)
{
    static const struct bad_row rows[] = {
        {"'taskName': ''", "Task name  is invalid. Task name must consist of alphanumeric"},
        {"'taskName': '1a'", "Task name 1a is invalid"},
        {"'taskName': 'a_b'", "Task name a_b is invalid"},
        {"'taskName': 'a-'", "Set spec.taskName"},
        {"'taskName': null", "spec.taskName: expected a string, found null"},
        {"'platform': 7", "spec.platform: expected a string"},
        {"'suspend': 'yes'", "spec.suspend: expected true or false, found a string"},
        {"'suspend': null", "spec.suspend: expected true or false, found null"},
        {"'properties': {'k': 1.10}", "spec.properties[k]: expected a string or an integer"},
        {"'arguments': '--a=b'", "spec.arguments: expected a list with one argument in each entry"},
        {"'arguments': {}", "spec.arguments: expected a list"},
        {"'arguments': ['a', 7]",
         "spec.arguments[1]: expected a string (quote it), found an integer"},
        {"'apps': [{}]", "spec.apps[0].name: expected the label"},
        {"'apps': [{'name': 'a'}, {'name': 'b', 'replicas': 0}]",
         "spec.apps[1].replicas: the app of a launch runs once; remove it"},
        {"'activeDeadlineSeconds': 0", "spec.activeDeadlineSeconds: expected an integer from 1 to"},
        {"'activeDeadlineSeconds': '60'", "spec.activeDeadlineSeconds"},
        {"'activeDeadlineSeconds': 9223372036854775807", "spec.activeDeadlineSeconds"},
        {"'ttlSecondsAfterFinished': -1",
         "spec.ttlSecondsAfterFinished: expected an integer from 0 to"},
        {"'ttlSecondsAfterFinished': 1.5", "spec.ttlSecondsAfterFinished"},
        {"'notAfter': 'tomorrow'",
         "spec.notAfter: expected a time such as 2026-11-22T00:00:00Z, found tomorrow"},
        {"'notAfter': '2026-11-22'", "spec.notAfter"},
        {"'notAfter': 1793235723", "spec.notAfter: expected a string"},
    };

    (void)state;
    check_bad(rows, PS_ARRAY_LEN(rows));
}

static void bad_retries_say_where(void **state)
{
    static const struct bad_row rows[] = {
        {"'retry': 3", "spec.retry: expected an object, found an integer"},
        {"'retry': null", "spec.retry: expected an object, found null"},
        {"'retry': {'limit': -1}", "spec.retry.limit: expected an integer from 0 to 1000"},
        {"'retry': {'limit': 1001}", "spec.retry.limit"},
        {"'retry': {'limit': '3'}", "spec.retry.limit"},
        {"'retry': {'backoff': '30s'}", "spec.retry.backoff: expected an object, found a string"},
        {"'retry': {'backoff': {'initial': 30}}",
         "spec.retry.backoff.initial: expected a string, found an integer"},
        {"'retry': {'backoff': {'initial': '30'}}",
         "spec.retry.backoff.initial: expected a duration such as 30s, 10m or 1h30m, found 30"},
        {"'retry': {'backoff': {'max': '-1s'}}", "spec.retry.backoff.max: expected a duration"},
        {"'retry': {'backoff': {'max': '1000000h'}}", "spec.retry.backoff.max"},
        {"'retry': {'backoff': {'factor': 0.99}}",
         "spec.retry.backoff.factor: expected a number from 1 to 100"},
        {"'retry': {'backoff': {'factor': 100.1}}", "spec.retry.backoff.factor"},
        {"'retry': {'backoff': {'factor': 1e300}}", "spec.retry.backoff.factor"},
        {"'retry': {'backoff': {'factor': -2}}", "spec.retry.backoff.factor"},
        {"'retry': {'backoff': {'factor': '2'}}", "spec.retry.backoff.factor"},
        {"'retry': {'backoff': {'factor': null}}", "spec.retry.backoff.factor"},
        {"'retry': {'backoff': {'jitterPercent': 101}}",
         "spec.retry.backoff.jitterPercent: expected an integer from 0 to 100"},
        {"'retry': {'notOnExitCodes': 64}", "spec.retry.notOnExitCodes: expected a list"},
        {"'retry': {'notOnExitCodes': [1, 0]}",
         "spec.retry.notOnExitCodes[1]: expected an integer from 1 to 255"},
        {"'retry': {'notOnExitCodes': [256]}", "spec.retry.notOnExitCodes[0]"},
        {"'retry': {'notOnExitCodes': ['1']}", "spec.retry.notOnExitCodes[0]"},
        {"'retry': {'onUnknown': 1}", "spec.retry.onUnknown: expected true or false"},
    };

    (void)state;
    check_bad(rows, PS_ARRAY_LEN(rows));
}

static void factors_are_read_in_thousandths(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } rows[] = {
        {"1", 1000}, {"2", 2000}, {"1.0", 1000}, {"2.25", 2250}, {"1e2", 100000}, {"100", 100000},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct model_task t;
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text,
                      "{'metadata': {'name': 'x'}, 'spec': {'definition': 'a', 'retry': "
                      "{'backoff': {'factor': %s}}}}",
                      rows[i].text);
        struct json_t *json PS_AUTO_JS = parse(ps_buf_text(&text));

        assert_int_equal(model_task_read(&arena, json, &t, NULL), 0);
        assert_int_equal(t.retry.factor_milli, rows[i].milli);
    }
    ps_arena_fini(&arena);
}

static void launches_without_a_spec_are_refused(void **state)
{
    static const struct {
        const char *object, *message;
    } rows[] = {
        {"{}", "spec: expected an object, found nothing"},
        {"7", "spec: expected an object, found nothing"},
        {"{'spec': []}", "spec: expected an object, found a list"},
        {"{'spec': {'definition': 7}}", "spec.definition: expected a string, found an integer"},
        {"{'spec': {}}", "spec.definition: expected a task definition"},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS = parse(rows[i].object);
        struct model_task t;
        struct ps_err err = {0};

        assert_int_equal(model_task_read(&arena, json, &t, &err), PS_EINVAL);
        if (strstr(err.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].object, err.message);
        assert_null(t.name);
        assert_int_equal(model_task_read(&arena, json, &t, NULL), PS_EINVAL);
    }
    ps_arena_fini(&arena);
}

static struct json_t *repeat(const char *item, int count)
{
    struct json_t *list = js_array();

    for (int i = 0; i < count; i++)
        js_push(list, parse(item));
    return list;
}

static void a_launch_has_limits(void **state)
{
    struct ps_arena arena;
    struct json_t *json PS_AUTO_JS =
        parse("{'metadata': {'name': 'foo'}, 'spec': {'definition': 'a', 'retry': {}}}");
    struct json_t *spec = js_get(json, "spec"), *retry = js_get(spec, "retry");
    struct model_task t;
    struct ps_err err = {0};

    (void)state;
    ps_arena_init(&arena);
    js_set(spec, "arguments", repeat("'x'", 500));
    js_set(retry, "notOnExitCodes", repeat("7", 64));
    assert_int_equal(model_task_read(&arena, json, &t, &err), 0);
    js_set(retry, "notOnExitCodes", repeat("7", 65));
    assert_int_equal(model_task_read(&arena, json, &t, &err), PS_ELIMIT);
    assert_non_null(strstr(err.message, "spec.retry.notOnExitCodes: more than 64 entries"));
    js_remove(retry, "notOnExitCodes");
    js_set(spec, "arguments", repeat("'x'", 501));
    assert_int_equal(model_task_read(&arena, json, &t, &err), PS_ELIMIT);
    assert_non_null(strstr(err.message, "spec.arguments: more than 500 entries"));
    js_remove(spec, "arguments");
    js_set(spec, "apps", repeat("{'name': 'a'}", 101));
    assert_int_equal(model_task_read(&arena, json, &t, &err), PS_ELIMIT);
    ps_arena_fini(&arena);
}

/* ---- words ---------------------------------------------------------------------------------- */

static void states_have_names_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < MODEL_TASK_PHASES; i++) {
        const enum model_task_phase phase = (enum model_task_phase)i;

        assert_int_equal(model_task_phase_of(model_task_phase_name(phase)), phase);
    }
    for (int i = 0; i < MODEL_ATTEMPT_STATES; i++) {
        const enum model_attempt_state attempt = (enum model_attempt_state)i;

        assert_int_equal(model_attempt_state_of(model_attempt_state_name(attempt)), attempt);
    }
    assert_string_equal(model_task_phase_name(MODEL_TASK_NEW), "");
    assert_string_equal(model_task_phase_name(MODEL_TASK_WAITING), "Waiting");
    assert_string_equal(model_task_phase_name(MODEL_TASK_UNKNOWN), "Unknown");
    assert_string_equal(model_attempt_state_name(MODEL_ATTEMPT_STARTING), "Starting");
    assert_int_equal(model_task_phase_of(NULL), MODEL_TASK_NEW);
    assert_int_equal(model_task_phase_of("running"), MODEL_TASK_NEW);
    assert_int_equal(model_attempt_state_of(NULL), MODEL_ATTEMPT_NONE);
    assert_int_equal(model_attempt_state_of("Runningx"), MODEL_ATTEMPT_NONE);
}

/* ---- projections ---------------------------------------------------------------------------- */

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
    "'creationTimestamp': '2026-10-29T01:02:03Z'"

static void launches_are_projected(void **state)
{
    static const struct {
        const char *rest, *platform;
        enum model_task_phase phase;
        enum model_attempt_state attempt;
        bool finalizer;
    } rows[] = {
        {"}", "default", MODEL_TASK_NEW, MODEL_ATTEMPT_NONE, false},
        {"}, 'spec': 7, 'status': []", "default", MODEL_TASK_NEW, MODEL_ATTEMPT_NONE, false},
        {", 'finalizers': ['penstock.dev/cleanup']}, 'spec': {'platform': 'p'}, 'status': "
         "{'phase': 'Running', 'steps': [{'state': 'Starting'}, {'state': 'Failed'}]}",
         "p", MODEL_TASK_RUNNING, MODEL_ATTEMPT_STARTING, true},
        {"}, 'spec': {'platform': 'p', 'apps': [{'platform': 'q'}]}", "q", MODEL_TASK_NEW,
         MODEL_ATTEMPT_NONE, false},
        {", 'finalizers': ['penstock.dev/attempt']}, 'status': {'phase': 7, 'steps': {'state': "
         "'Starting'}}",
         "default", MODEL_TASK_NEW, MODEL_ATTEMPT_NONE, false},
        {"}, 'status': {'phase': 'Stopped', 'steps': [{'state': 'Unknown'}]}", "default",
         MODEL_TASK_STOPPED, MODEL_ATTEMPT_UNKNOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text, "{" META "%s}", rows[i].rest);
        struct model_object *o = project(MODEL_TASK, ps_buf_text(&text));

        if (!ps_streq(o->platform, rows[i].platform) || o->task_phase != rows[i].phase ||
            o->attempt_state != rows[i].attempt || o->has_finalizer != rows[i].finalizer)
            fail_msg("%s: %s, %s, %s", rows[i].rest, o->platform,
                     model_task_phase_name(o->task_phase),
                     model_attempt_state_name(o->attempt_state));
        assert_int_equal(o->created_ms, 1793235723000);
        ps_free(o);
    }
}

static void a_job_is_projected(void **state)
{
    struct model_object *o = project(
        MODEL_JOB,
        "{" META ", 'finalizers': ['penstock.dev/attempt'], 'labels': {'penstock.dev/attempt': "
        "'12', 'penstock.dev/owner-uid': 'cr', 'spring-app-id': 'train'}, 'annotations': "
        "{'penstock.dev/owner': 'TaskLaunch/cars/train', 'penstock.dev/active-deadline-seconds': "
        "'60', 'penstock.dev/stopped': 'true'}}, 'spec': {'suspend': true, 'template': {'spec': "
        "{'containers': [{'image': 'i:1'}, "
        "{'image': 'j'}]}}}, 'status': {'active': 1, 'terminating': 2, 'conditions': [{'type': "
        "'Suspended', 'status': 'True'}]}}");

    (void)state;
    assert_string_equal(o->owner, "TaskLaunch/cars/train");
    assert_string_equal(o->owner_uid, "cr");
    assert_string_equal(o->app_id, "train");
    assert_string_equal(o->deadline, "60");
    assert_string_equal(o->image, "i:1");
    assert_int_equal(o->attempt, 12);
    assert_int_equal(o->active, 1);
    assert_int_equal(o->terminating, 2);
    assert_int_equal(o->created_ms, 1793235723000);
    assert_true(o->suspend && o->suspended && o->stopped && o->has_finalizer);
    assert_int_equal(o->job_end, MODEL_JOB_NOT_ENDED);
    assert_int_equal(o->ended_ms, 0);
    ps_free(o);
    o = project(MODEL_JOB,
                "{" META ", 'finalizers': ['penstock.dev/cleanup'], 'labels': "
                "{'penstock.dev/attempt': '-1'}}, 'spec': {'template': {'spec': {'containers': {}}}"
                "}, 'status': {'active': 'x', 'conditions': [{'type': 'Suspended', 'status': "
                "'False'}]}}");
    assert_int_equal(o->attempt, 0);
    assert_int_equal(o->active, 0);
    assert_false(o->suspend || o->suspended || o->stopped || o->has_finalizer);
    assert_null(o->image);
    assert_null(o->deadline);
    ps_free(o);
}

#define ENDED "'lastTransitionTime': '2026-10-29T01:02:04Z'"

static void a_job_ends_with_its_last_condition(void **state)
{
    static const struct {
        const char *status;
        enum model_job_end end;
        const char *reason, *message;
        int64_t ended_ms;
    } rows[] = {
        {"{}", MODEL_JOB_NOT_ENDED, NULL, NULL, 0},
        {"{'conditions': [{'type': 'FailureTarget', 'status': 'True', 'reason': 'x', " ENDED "}]}",
         MODEL_JOB_NOT_ENDED, NULL, NULL, 0},
        {"{'succeeded': 1, 'completionTime': '2026-10-29T01:02:04Z', 'conditions': [{'type': "
         "'SuccessCriteriaMet', 'status': 'True', " ENDED "}]}",
         MODEL_JOB_NOT_ENDED, NULL, NULL, 0},
        {"{'conditions': [{'type': 'Complete', 'status': 'False', 'reason': 'x', " ENDED
         "}, {'type': 'Failed', 'status': 'Unknown', " ENDED "}]}",
         MODEL_JOB_NOT_ENDED, NULL, NULL, 0},
        {"{'conditions': [{'type': 'SuccessCriteriaMet', 'status': 'True'}, {'type': 'Complete', "
         "'status': 'True', 'reason': 'CompletionsReached', 'message': 'm', " ENDED "}]}",
         MODEL_JOB_COMPLETE, "CompletionsReached", "m", 1793235724000},
        {"{'conditions': [{'type': 'FailureTarget', 'status': 'True'}, {'type': 'Failed', "
         "'status': 'True', 'reason': 'BackoffLimitExceeded', " ENDED "}]}",
         MODEL_JOB_FAILED, "BackoffLimitExceeded", NULL, 1793235724000},
        {"{'completionTime': '2026-10-29T01:02:05Z', 'conditions': [{'type': 'Complete', 'status': "
         "'True', 'lastTransitionTime': 'soon'}]}",
         MODEL_JOB_COMPLETE, NULL, NULL, 1793235725000},
        {"{'conditions': [{'type': 'Complete', 'status': 'True'}]}", MODEL_JOB_COMPLETE, NULL, NULL,
         0},
        {"{'conditions': [7, {'type': 'Failed', 'status': true}]}", MODEL_JOB_NOT_ENDED, NULL, NULL,
         0},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text, "{" META "}, 'status': %s}", rows[i].status);
        struct model_object *o = project(MODEL_JOB, ps_buf_text(&text));

        if (o->job_end != rows[i].end || o->ended_ms != rows[i].ended_ms ||
            !ps_streq(o->end_reason, rows[i].reason) || !ps_streq(o->end_message, rows[i].message))
            fail_msg("%s: %d, %s, %s, %lld", rows[i].status, (int)o->job_end, o->end_reason,
                     o->end_message, (long long)o->ended_ms);
        ps_free(o);
    }
}

#define DONE "{'state': {'terminated': {'exitCode': 0, 'reason': 'Completed', 'message': 'bye'}}}"
#define OOM  "{'state': {'terminated': {'exitCode': 137, 'reason': 'OOMKilled'}}}"
#define BAD  "{'state': {'terminated': {'exitCode': 3, 'reason': 'Error', 'message': 'trace'}}}"

static void a_pod_of_a_task_tells_its_end(void **state)
{
    static const struct {
        const char *status, *cause, *message;
        int64_t exit_code;
    } rows[] = {
        {"{'phase': 'Failed', 'containerStatuses': [" BAD "]}", "Error", "trace", 3},
        {"{'phase': 'Failed', 'containerStatuses': [" OOM "]}", "OOMKilled", NULL, 137},
        {"{'phase': 'Succeeded', 'containerStatuses': [" DONE "]}", "Completed", "bye", 0},
        /* what went well beside it does not hide it */
        {"{'phase': 'Failed', 'initContainerStatuses': [{'ready': true, 'state': {'terminated': "
         "{'exitCode': 0, 'reason': 'Completed'}}}], 'containerStatuses': [" BAD "]}",
         "Error", "trace", 3},
        {"{'phase': 'Failed', 'containerStatuses': [" DONE ", " BAD "]}", "Error", "trace", 3},
        {"{'phase': 'Failed', 'containerStatuses': [" BAD ", " DONE "]}", "Error", "trace", 3},
        {"{'phase': 'Failed', 'initContainerStatuses': [" BAD "], 'containerStatuses': [{'state': "
         "{'waiting': {'reason': 'PodInitializing'}}}]}",
         "Error", "trace", 3},
        {"{'phase': 'Failed', 'reason': 'Evicted', 'message': 'disk', 'containerStatuses': [" BAD
         "]}",
         "Evicted", "disk", 3},
        {"{'phase': 'Failed', 'reason': 'Evicted', 'message': 'disk', 'containerStatuses': [" OOM
         "]}",
         "OOMKilled", NULL, 137},
        {"{'phase': 'Failed', 'containerStatuses': [{'state': {'terminated': {'reason': 'Error'}}}"
         "]}",
         "Error", NULL, -1},
        {"{'phase': 'Failed', 'containerStatuses': [{'state': {'terminated': 7}}]}", NULL, NULL,
         -1},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text, "{" META "}, 'status': %s}", rows[i].status);
        struct model_object *o = project(MODEL_POD, ps_buf_text(&text));

        if (!ps_streq(o->cause, rows[i].cause) || !ps_streq(o->cause_message, rows[i].message) ||
            o->exit_code != rows[i].exit_code)
            fail_msg("%s: %s, %s, %lld", rows[i].status, o->cause, o->cause_message,
                     (long long)o->exit_code);
        ps_free(o);
    }
}

/* The kubelet keeps as much, and people want to see all of it. */
static void last_words_are_kept(void **state)
{
    struct json_t *json PS_AUTO_JS =
        parse("{" META "}, 'status': {'phase': 'Failed', 'containerStatuses': [" BAD "]}}");
    struct json_t *terminated =
        js_path(js_at(js_path(json, "status.containerStatuses"), 0), "state.terminated");
    PS_AUTO_BUF(text, 8192);

    (void)state;
    while (text.n < 4096)
        ps_buf_char(&text, 'x');
    js_set_str(terminated, "message", ps_buf_text(&text));
    struct model_object *o = project_tree(MODEL_POD, json);

    assert_string_equal(o->cause_message, ps_buf_text(&text));
    ps_free(o);
    ps_buf_str(&text, "xx");
    js_set_str(terminated, "message", ps_buf_text(&text));
    o = project_tree(MODEL_POD, json);
    assert_int_equal(strlen(o->cause_message), 4096);
    ps_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_launch_is_read),
        cmocka_unit_test(a_launch_has_defaults),
        cmocka_unit_test(bad_launches_say_where),
        cmocka_unit_test(bad_retries_say_where),
        cmocka_unit_test(factors_are_read_in_thousandths),
        cmocka_unit_test(launches_without_a_spec_are_refused),
        cmocka_unit_test(a_launch_has_limits),
        cmocka_unit_test(states_have_names_and_back),
        cmocka_unit_test(launches_are_projected),
        cmocka_unit_test(a_job_is_projected),
        cmocka_unit_test(a_job_ends_with_its_last_condition),
        cmocka_unit_test(a_pod_of_a_task_tells_its_end),
        cmocka_unit_test(last_words_are_kept),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
