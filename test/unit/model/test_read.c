/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Projections from text are those from trees: for every object in the golden files, for the objects
 * of the benchmark, and for a good many of what they become when members are lost or changed.
 */
#include "support/object_tree.h"
#include "support/projection.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX CODEC_JSON_MAX
#define MUTATIONS      12

static uint64_t random_state = 1;
static size_t compared, projected;

static size_t dice(size_t n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (size_t)(random_state >> 33) % n;
}

static void compare_text(const char *text, const struct json_t *tree)
{
    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        PS_AUTO_FREE struct model_object *want = projection_of_tree((enum model_kind)kind, tree);
        PS_AUTO_FREE struct model_object *have =
            model_object_read((enum model_kind)kind, ps_str(text), NULL);

        if (!projection_equal(want, have))
            fail_msg("%s: %s", model_kind_name((enum model_kind)kind), text);
        compared++;
        projected += have != NULL;
    }
}

/* Kinds of which only metadata is kept lose nothing when only metadata comes. */
static void compare_metadata(const struct json_t *tree)
{
    PS_AUTO_JS struct json_t *part = js_object();

    if (js_type(js_get(tree, "metadata")) == JS_OBJECT)
        js_set(part, "metadata", js_copy(js_get(tree, "metadata")));
    PS_AUTO_FREE char *text = js_text(part);

    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        PS_AUTO_FREE struct model_object *want = projection_of_tree((enum model_kind)kind, tree);
        PS_AUTO_FREE struct model_object *have =
            model_object_read((enum model_kind)kind, ps_str(text), NULL);

        if (model_is_metadata_only((enum model_kind)kind) && !projection_equal(want, have))
            fail_msg("%s: %s", model_kind_name((enum model_kind)kind), text);
    }
}

static void compare(const struct json_t *tree)
{
    compare_metadata(tree);
    PS_AUTO_FREE char *text = js_text(tree);
    PS_AUTO_BUF(pretty, FILE_BYTES_MAX);

    js_print_pretty(&pretty, tree);
    compare_text(text, tree);
    compare_text(ps_buf_text(&pretty), tree);
}

static struct json_t *any_value(void)
{
    switch (dice(8)) {
    case 0:
        return js_null();
    case 1:
        return js_bool(dice(2) == 1);
    case 2:
        return js_integer((int64_t)dice(10) - 5);
    case 3:
        return js_string("");
    case 4:
        return js_string("7");
    case 5:
        return js_string("True \"\xC3\xA9\n");
    case 6:
        return js_array();
    default:
        return js_object();
    }
}

/* One member somewhere below is lost, or becomes something else. */
static void mutate(struct json_t *at)
{
    struct json_t *value = NULL;
    const char *key = NULL;
    void *member = NULL;

    while (js_type(at) == JS_ARRAY && js_len(at) > 0)
        at = js_at(at, dice(js_len(at)));
    if (js_type(at) != JS_OBJECT || js_len(at) == 0)
        return;
    for (size_t skip = dice(js_len(at)) + 1; skip > 0; skip--)
        assert_true(js_next(at, &member, &key, &value));
    if (js_len(value) > 0 && dice(8) > 0) {
        mutate(value);
    } else if (dice(3) == 0) {
        js_remove(at, key);
    } else {
        PS_AUTO_FREE char *name = ps_xstrdup(key);

        js_set(at, name, any_value());
    }
}

static void compare_object(const struct json_t *object)
{
    compare(object);
    for (int i = 0; i < MUTATIONS; i++) {
        PS_AUTO_JS struct json_t *other = js_copy(object);

        for (size_t n = 1 + dice(3); n > 0; n--)
            mutate(other);
        compare(other);
    }
}

/* Everything below with a metadata.name. */
static void compare_all(const struct json_t *at)
{
    struct json_t *value;
    const char *key;
    void *member = NULL;

    if (js_path_str(at, "metadata.name") != NULL)
        compare_object(at);
    while (js_type(at) == JS_OBJECT && js_next(at, &member, &key, &value))
        compare_all(value);
    for (size_t i = 0; js_type(at) == JS_ARRAY && i < js_len(at); i++)
        compare_all(js_at(at, i));
}

static struct json_t *load(const char *path)
{
    PS_AUTO_BUF(text, FILE_BYTES_MAX);
    struct ps_err err = {0};
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        ps_buf_add(&text, piece, n);
    (void)fclose(file);
    struct json_t *tree = js_parse(ps_buf_get(&text), &err);

    if (tree == NULL)
        fail_msg("%s: %s", path, err.message);
    return tree;
}

static size_t compare_files(const char *pattern)
{
    glob_t found;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        PS_AUTO_JS struct json_t *tree = load(found.gl_pathv[i]);

        compare_all(tree);
    }
    const size_t n = found.gl_pathc;

    globfree(&found);
    return n;
}

static void golden_objects_are_read_alike(void **state)
{
    (void)state;
    assert_true(compare_files("test/golden/plan/*/*.json") > 50);
    assert_true(compared > 10000 && projected > 1000);
}

static void whole_objects_are_read_alike(void **state)
{
    (void)state;
    assert_true(compare_files("test/bench/objects/*.json") >= 3);
    for (int i = 0; i < 40; i++)
        (void)compare_files("test/bench/objects/*.json");
}

static void the_reading_of_a_pod_says_why_it_does_not_run(void **state)
{
    PS_AUTO_JS struct json_t *tree = load("test/bench/objects/pod.json");
    PS_AUTO_FREE char *text = js_text(tree);
    PS_AUTO_FREE struct model_object *pod = model_object_read(MODEL_POD, ps_str(text), NULL);

    (void)state;
    assert_non_null(pod);
    assert_string_equal(pod->app_id, "foo-cardata-v3");
    assert_string_equal(pod->cause, "CrashLoopBackOff");
    assert_int_equal(pod->restarts, 7);
    assert_int_equal(pod->exit_code, 137);
    assert_true(pod->pod_ready && pod->has_owner && !pod->deleting);
    assert_int_equal(pod->revision, 3);
}

#define IDENTITY "\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"1\""

static void odd_objects_are_read_alike(void **state)
{
    static const char *const rows[] = {
        "{\"metadata\":{" IDENTITY ",\"deletionTimestamp\":null,\"generation\":1.0}}",
        "{\"metadata\":{" IDENTITY ",\"deletionTimestamp\":\"\",\"ownerReferences\":{\"a\":1}}}",
        "{\"metadata\":{" IDENTITY ",\"deletionTimestamp\":5,\"ownerReferences\":\"a\"}}",
        "{\"metadata\":{" IDENTITY ",\"labels\":{\"penstock.dev/revision\":\"-1\"}}}",
        "{\"metadata\":{" IDENTITY ",\"labels\":{\"penstock.dev/revision\":\"\\u0037\"}}}",
        /* of two conditions of a type the first counts */
        "{\"metadata\":{" IDENTITY "},\"status\":{\"conditions\":["
        "{\"type\":\"ReplicaFailure\",\"status\":\"False\"},{\"type\":\"Ready\",\"status\":"
        "\"True\"},"
        "{\"type\":\"ReplicaFailure\",\"status\":\"True\",\"reason\":\"r\"},"
        "{\"type\":\"Ready\",\"status\":\"False\"}]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"conditions\":[5,null,{\"type\":7},"
        "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"r\",\"message\":{}}]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}",
        /* a state that is null is one all the same */
        "{\"metadata\":{" IDENTITY "},\"status\":{\"containerStatuses\":[{\"ready\":\"x\","
        "\"state\":{\"terminated\":null},\"lastState\":{\"terminated\":{\"exitCode\":3}}}]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"initContainerStatuses\":[{},7],"
        "\"containerStatuses\":{\"a\":{\"restartCount\":3}}}}",
        /* Jobs and launches: of two ends the failure counts, times may be broken */
        "{\"metadata\":{" IDENTITY ",\"finalizers\":[7,\"penstock.dev/attempt\"],\"labels\":{"
        "\"penstock.dev/attempt\":\"x\"}},\"status\":{\"completionTime\":\"2026-11-21T08:00:00Z\","
        "\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\",\"reason\":\"c\"},"
        "{\"type\":\"Failed\",\"status\":\"True\",\"lastTransitionTime\":\"soon\"}]}}",
        "{\"metadata\":{" IDENTITY ",\"finalizers\":{\"penstock.dev/cleanup\":1},\"annotations\":{"
        "\"penstock.dev/stopped\":\"true\"}},\"spec\":{\"suspend\":true,\"template\":{\"spec\":{"
        "\"containers\":[{\"image\":\"a/b:1\"},{\"image\":\"c\"}]}}},\"status\":{\"conditions\":["
        "{\"type\":\"Failed\",\"status\":\"False\"},{\"type\":\"Suspended\",\"status\":\"True\"},"
        "{\"type\":\"Complete\",\"status\":\"True\",\"message\":\"m\","
        "\"lastTransitionTime\":\"2026-11-21T08:00:00Z\"}]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"phase\":\"Waiting\",\"steps\":["
        "{\"state\":\"Running\"},{\"state\":\"Failed\"}]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"phase\":\"waiting\",\"steps\":[7]}}",
        "{\"metadata\":{" IDENTITY "},\"status\":{\"steps\":{\"state\":\"Running\"}}}",
        "{\"metadata\":{" IDENTITY
        ",\"annotations\":{\"penstock.dev/fixed-hash\":\"f\"}},\"status\":{"
        "\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
        "{\"metadata\":{" IDENTITY
        "},\"status\":{\"currentRevision\":\"a\",\"updateRevision\":\"a\"}}",
        /* the worst exit code, and another container's reason */
        "{\"metadata\":{" IDENTITY "},\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\","
        "\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":0,\"reason\":"
        "\"Completed\"}}},"
        "{\"state\":{\"terminated\":{\"exitCode\":3,\"reason\":\"Error\",\"message\":\"last\"}}}]}"
        "}",
        "{\"metadata\":{\"name\":\"a\",\"uid\":null,\"resourceVersion\":\"1\"}}",
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *tree = js_parse(ps_str(rows[i]), NULL);

        assert_non_null(tree);
        compare(tree);
    }
}

static void the_last_container_is_the_sixty_fourth(void **state)
{
    PS_AUTO_BUF(text, FILE_BYTES_MAX);

    (void)state;
    ps_buf_str(&text, "{\"metadata\":{" IDENTITY "},\"status\":{\"containerStatuses\":[");
    for (int i = 1; i <= 70; i++)
        ps_buf_printf(&text, "%s{\"restartCount\":%d}", i > 1 ? "," : "", i);
    ps_buf_str(&text, "]}}");
    PS_AUTO_JS struct json_t *tree = js_parse(ps_buf_get(&text), NULL);
    PS_AUTO_FREE struct model_object *pod = model_object_read(MODEL_POD, ps_buf_get(&text), NULL);

    compare(tree);
    assert_int_equal(pod->restarts, 64);
}

static void long_texts_are_cut_alike(void **state)
{
    PS_AUTO_BUF(text, FILE_BYTES_MAX);

    (void)state;
    for (size_t n = 1020; n < 1030; n++) {
        ps_buf_clear(&text);
        ps_buf_printf(&text,
                      "{\"metadata\":{\"name\":\"%0*d\xE2\x82\xAC\\u20ac\",\"uid\":\"u\","
                      "\"resourceVersion\":\"1\"}}",
                      (int)n, 0);
        PS_AUTO_JS struct json_t *tree = js_parse(ps_buf_get(&text), NULL);

        compare_text(ps_buf_text(&text), tree);
    }
}

static void what_is_no_object_tells_why(void **state)
{
    struct ps_err err = {0};

    (void)state;
    assert_null(model_object_read(MODEL_POD, PS_STR("{\"metadata\":"), &err));
    assert_int_equal(err.code, PS_EINVAL);
    assert_string_equal(err.message, "not JSON: byte 13: a value is missing");
    assert_null(model_object_read(MODEL_POD, PS_STR("{\"metadata\":{\"name\":\"a\"}}"), &err));
    assert_string_equal(err.message, "Pod: metadata: name, uid or resourceVersion is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_objects_are_read_alike),
        cmocka_unit_test(whole_objects_are_read_alike),
        cmocka_unit_test(the_reading_of_a_pod_says_why_it_does_not_run),
        cmocka_unit_test(odd_objects_are_read_alike),
        cmocka_unit_test(the_last_container_is_the_sixty_fourth),
        cmocka_unit_test(long_texts_are_cut_alike),
        cmocka_unit_test(what_is_no_object_tells_why),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
