/* SPDX-License-Identifier: Apache-2.0 */
/* Streams in another cluster, with all that is between them and its server. */
#include "two.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define CREATE_TIME "create deployments far/foo-time-v1"

static void put_stream(struct two *two, const char *name, const char *platform)
{
    struct json_t *stream =
        two_json("{'metadata': {'generation': 1, 'creationTimestamp': '2026-10-29T08:03:03Z'}, "
                 "'spec': {'definition': 'time | log', "
                 "'apps': [{'name': 'time', 'image': 'r.example/time:1'}, "
                 "{'name': 'log', 'image': 'r.example/log:1'}]}}");

    js_set_str(js_get(stream, "spec"), "platform", platform);
    api_put(&two->here, "streamdeployments", "n", name, stream);
}

static void setup(struct two *two)
{
    two_setup(two);
    two->here.standby = false;
    api_put(&two->here, "platformaccounts", "", "default",
            two_json("{'metadata': {'generation': 1}, 'spec': {'type': 'Kubernetes'}}"));
    two_put_secret(&two->here, &two->there, TWO_TOKEN);
}

static const char *label(const struct json_t *object, const char *key)
{
    return js_str(js_get(js_path(object, "metadata.labels"), key));
}

static bool in_doubt(const struct two *two)
{
    return exec_in_doubt(two->here.op->exec, "stream/n/foo");
}

/* Without waiting for the account's next count: the account is held as soon as it is to be used. */
static void a_stream_is_deployed_there(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    put_stream(&two, "foo", "gpuzone");
    api_until(&two.there, "create deployments", 2);
    api_until(&two.there, "create services", 2);
    const struct json_t *made = api_get(&two.there, "deployments", "far", "foo-time-v1");
    const struct json_t *stream = api_get(&two.here, "streamdeployments", "n", "foo"),
                        *account = api_get(&two.here, "platformaccounts", "", "gpuzone");

    assert_string_equal(label(made, MODEL_LABEL_ACCOUNT_UID), "a1");
    assert_int_equal(js_len(js_path(stream, "metadata.finalizers")), 1);
    assert_string_equal(
        js_str(js_get(js_path(stream, "metadata.annotations"), MODEL_ANNOTATION_CLUSTERS)),
        "gpuzone");
    assert_int_equal(js_len(js_path(account, "metadata.finalizers")), 1);
    assert_string_equal(js_path_str(account, "status.target.uid"), two_view(&two)->uid);
    assert_int_equal(api_count(&two.here, "create deployments"), 0);
    assert_int_equal(api_count(&two.here, "create services"), 0);
    api_delete(&two.there, "deployments", "far", "foo-log-v1"); /* its watch is looked at */
    api_until(&two.there, "create deployments far/foo-log-v1", 2);
    assert_int_equal(api_count(&two.there, CREATE_TIME), 1);
    two_teardown(&two);
}

/* Of the two only the one on the silent cluster waits. */
static void a_silent_cluster_delays_no_other_stream(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two.there.mute = true;
    put_stream(&two, "foo", "gpuzone");
    put_stream(&two, "bar", "default");
    api_until(&two.here, "create deployments n/bar-", 2);
    assert_null(api_get(&two.there, "deployments", "far", "foo-time-v1"));
    operator__cluster_suspect(two.here.op, "gpuzone");
    two_until(&two, PLAN_CLUSTER_AWAY);
    put_stream(&two, "baz", "default");
    api_until(&two.here, "create deployments n/baz-", 2);
    two.there.mute = false;
    api_until(&two.there, "create deployments far/foo-", 2);
    two_teardown(&two);
}

/* The answer to the create is outstanding when the token is replaced. */
static void a_write_under_way_during_a_rotation_is_read_back(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two.there.faults[0] = (struct api_fault){CREATE_TIME, API_HANG, 0, 1};
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    put_stream(&two, "foo", "gpuzone");
    api_until(&two.there, CREATE_TIME, 1);
    two_put_secret(&two.here, &two.there, "b");
    api_until(&two.there, "get deployments far/foo-time-v1", 1);
    api_until(&two.there, CREATE_TIME, 2);
    two_settle(&two);
    assert_false(in_doubt(&two));
    assert_int_equal(api_count(&two.there, "create deployments far/foo-log-v1"), 1);
    two_teardown(&two);
}

static void requests_under_way_end_with_their_cluster(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two.there.faults[0] = (struct api_fault){CREATE_TIME, API_HANG, 0, -1};
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    put_stream(&two, "foo", "gpuzone");
    api_until(&two.there, CREATE_TIME, 1);
    api_delete(&two.here, "secrets", "penstock-system", "gpu");
    two_until(&two, PLAN_CLUSTER_NO_SECRET);
    two_settle(&two);
    assert_true(in_doubt(&two));
    assert_int_equal(script_open(two.there.script), 0);
    /* Somebody takes its finalizer off: nobody will ever know. */
    api_delete(&two.here, "platformaccounts", "", "gpuzone");
    two_until(&two, PLAN_CLUSTER_OWN);
    two_settle(&two);
    assert_false(in_doubt(&two));
    two_teardown(&two);
}

/* With calls under way in both. */
static void the_operator_ends_with_calls_under_way(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two.there.faults[0] = (struct api_fault){CREATE_TIME, API_HANG, 0, -1};
    two.here.faults[0] = (struct api_fault){"create deployments n/bar", API_HANG, 0, -1};
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    put_stream(&two, "foo", "gpuzone");
    put_stream(&two, "bar", "default");
    api_until(&two.there, CREATE_TIME, 1);
    api_until(&two.here, "create deployments n/bar", 1);
    two_teardown(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_deployed_there),
        cmocka_unit_test(a_silent_cluster_delays_no_other_stream),
        cmocka_unit_test(a_write_under_way_during_a_rotation_is_read_back),
        cmocka_unit_test(requests_under_way_end_with_their_cluster),
        cmocka_unit_test(the_operator_ends_with_calls_under_way),
    };

    codec_init();
    return cmocka_run_group_tests_name("operator/remote", tests, NULL, NULL);
}
