/* SPDX-License-Identifier: Apache-2.0 */
/* What /debug shows of an operator at work, and to whom. */
#include "api.h"

#include "operator/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define SECRET "hunter2"

static struct json_t *json(const char *text) /* ' for " */
{
    char *copy PS_AUTO_FREE = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    assert_non_null(object);
    return object;
}

static void setup(struct api *api)
{
    ps_log_set_level(PS_LOG_ERROR);
    api_init(api);
    api_put(api, "platformaccounts", "", "default",
            json("{'metadata': {'generation': 4}, 'spec': {'type': 'Kubernetes', "
                 "'maxConcurrentTasks': 3, 'properties': {'environmentVariables': 'PASSWORD=" SECRET
                 "'}}}"));
    api_put(api, "platformaccounts", "", "wrong",
            json("{'metadata': {'generation': 1}, 'spec': {'type': 'Mesos', 'properties': "
                 "{'token': '" SECRET "'}}}"));
    api_put(api, "namespaces", "", "n", json("{'status': {'phase': 'Active'}}"));
    api_put(api, "tasklaunches", "n", "hangs",
            json("{'metadata': {'generation': 1, 'creationTimestamp': '2026-10-29T08:03:03Z'}, "
                 "'spec': {'definition': 'train --password=" SECRET "', "
                 "'apps': [{'name': 'train', 'image': 'r.example/train:1'}]}}"));
}

static void teardown(struct api *api)
{
    api_stop(api);
    api_fini(api);
}

/* New reference. */
static struct json_t *debug(struct api *api, const char *path, int expected)
{
    PS_AUTO_BUF(body, (size_t)1024 * 1024);
    const char *type = "text/plain";

    assert_int_equal(operator__debug(api->op, ps_str(path), &body, &type), expected);
    assert_string_equal(type, expected == 200 ? "application/json" : "text/plain");
    assert_null(strstr(ps_buf_text(&body), SECRET));
    return js_parse(ps_buf_get(&body), NULL);
}

static const struct json_t *named(const struct json_t *list, const char *key, const char *value)
{
    for (size_t i = 0; i < js_len(list); i++) {
        if (ps_streq(js_path_str(js_at(list, i), key), value))
            return js_at(list, i);
    }
    fail_msg("no %s %s", key, value);
    return NULL;
}

static void what_runs_is_shown_with_its_time(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.faults[0] = (struct api_fault){.line = "create jobs", API_HANG, 0, -1};
    api_start(&api);
    api_until(&api, "create jobs n/hangs-", 1);
    api_wait(&api, 150);
    struct json_t *all PS_AUTO_JS = debug(&api, "/debug", 200);
    const struct json_t *running = js_path(all, "queue.running");
    const struct json_t *key = named(running, "key", "task/n/hangs");

    assert_int_equal(js_len(running), 1);
    assert_true(js_path_int(key, "forMs", 0) >= 100);
    assert_string_equal(js_path_str(key, "account"), "default");
    assert_true(js_path_bool(all, "queue.open", false));
    assert_int_equal(js_len(js_path(all, "queue.waiting")), js_path_int(all, "queue.count", -1));

    const struct json_t *account = named(js_get(all, "accounts"), "name", "default");

    assert_int_equal(js_path_int(account, "generation", 0), 4);
    assert_int_equal(js_path_int(account, "maxConcurrentTasks", 0), 3);
    assert_int_equal(js_path_int(account, "tasksRunning", 0), 1);
    account = named(js_get(all, "accounts"), "name", "wrong");
    assert_non_null(strstr(js_path_str(account, "problem"), "spec.type"));

    const struct json_t *watch = named(js_get(all, "watches"), "resource", "tasklaunches");

    assert_true(js_path_bool(watch, "inStep", false));
    assert_int_equal(js_path_int(watch, "objects", 0), 1);
    assert_non_null(js_path_str(watch, "resourceVersion"));
    assert_true(js_path_bool(all, "lease.leading", false));
    assert_true(js_path_int(all, "memory.takenBytes", -1) >= 0);
    teardown(&api);
}

static void a_standby_shows_that_it_waits(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.standby = true;
    api_start(&api);
    api_wait(&api, 150);
    struct json_t *queue PS_AUTO_JS = debug(&api, "/debug/queue", 200);
    struct json_t *lease PS_AUTO_JS = debug(&api, "/debug/lease", 200);

    assert_int_equal(js_len(queue), 1);
    assert_false(js_path_bool(queue, "queue.open", true));
    assert_string_equal(
        js_path_str(named(js_path(queue, "queue.waiting"), "key", "task/n/hangs"), "level"),
        "changed");
    assert_true(js_path_bool(lease, "lease.elected", false));
    assert_false(js_path_bool(lease, "lease.leading", true));
    assert_false(js_path_bool(lease, "lease.mayWrite", true));
    teardown(&api);
}

static void other_paths_are_not_found(void **state)
{
    static const char *const paths[] = {"/", "/debug/", "/debug/heap", "/debugqueue", "/metrics"};
    struct api api;

    (void)state;
    setup(&api);
    api_start(&api);
    for (size_t i = 0; i < PS_ARRAY_LEN(paths); i++)
        js_unref(debug(&api, paths[i], 404));
    teardown(&api);
}

static void it_is_for_loopback_alone(void **state)
{
    static const struct {
        const char *address;
        bool loopback;
    } rows[] = {
        {"127.0.0.1:0", true},  {"127.9.9.9:0", true},
        {"[::1]:0", true},      {"0.0.0.0:0", false},
        {":0", false},          {"[::]:0", false},
        {"10.0.0.1:0", false},  {"[::ffff:10.0.0.1]:0", false},
        {"128.0.0.1:0", false}, {"localhost:0", false},
        {"127.0.0.1", false},
    };
    struct api api;

    (void)state;
    setup(&api);
    api_start(&api);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};

        if (http_is_loopback(rows[i].address) != rows[i].loopback)
            fail_msg("%s", rows[i].address);
        if (rows[i].loopback)
            continue;
        assert_null(operator_new(api.loop, api.client,
                                 &(struct operator_options){.namespace = "n",
                                                            .installation = "i",
                                                            .instance = "x",
                                                            .debug_address = rows[i].address},
                                 &err));
        assert_int_equal(err.code, PS_EINVAL);
    }
    teardown(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_is_shown_with_its_time),
        cmocka_unit_test(a_standby_shows_that_it_waits),
        cmocka_unit_test(other_paths_are_not_found),
        cmocka_unit_test(it_is_for_loopback_alone),
    };

    codec_init();
    http_global_init();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    http_global_fini();
    return failed;
}
