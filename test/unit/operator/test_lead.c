/* SPDX-License-Identifier: Apache-2.0 */
/* A standby and its taking over, and what an operator counts, on an API server in memory. */
#include "api.h"

#include "support/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define QUIET_MS 150 /* longer than anything that is under way */

static struct json_t *json(const char *text) /* ' for " */
{
    char *copy PS_AUTO_FREE = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    assert_non_null(object);
    return object;
}

static void put_launch(struct api *api, const char *name)
{
    api_put(api, "tasklaunches", "n", name,
            json("{'metadata': {'generation': 1, 'creationTimestamp': '2026-10-29T08:03:03Z'}, "
                 "'spec': {'definition': 'train', "
                 "'apps': [{'name': 'train', 'image': 'r.example/train:1'}]}}"));
}

static void setup(struct api *api)
{
    ps_log_set_level(PS_LOG_ERROR);
    api_init(api);
    api_put(api, "platformaccounts", "", "default",
            json("{'metadata': {'generation': 1}, 'spec': {'type': 'Kubernetes', "
                 "'maxConcurrentTasks': 1}}"));
    api_put(api, "namespaces", "", "n", json("{'status': {'phase': 'Active'}}"));
}

static void teardown(struct api *api)
{
    api_stop(api);
    api_fini(api);
    metrics_free(api->metrics);
}

static void a_standby_writes_nothing_until_it_leads(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.standby = true;
    api_put(&api, "configmaps", "n", "poison", json("{'metadata': {'uid': ''}, 'data': 7}"));
    put_launch(&api, "a");
    api_start(&api);
    api_wait(&api, QUIET_MS);
    put_launch(&api, "b");
    api_wait(&api, QUIET_MS);
    assert_string_equal(ps_buf_text(&api.journal), "");
    operator_lead(api.op);
    api_until(&api, "create jobs n/a-", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 1); /* b waits for its slot */
    teardown(&api);
}

/* Takes what a running launch consists of out of the server; api_put puts it back. */
static struct json_t *take_away(struct api *api, const char *plural, const char *name)
{
    const struct json_t *object = api_get(api, plural, "n", name);

    assert_non_null(object);
    struct json_t *copy = js_copy(object);

    api_delete(api, plural, "n", name);
    return copy;
}

/* The leader before has started a launch that the standby has not heard of: its watches lag. */
static void a_new_leader_sees_what_was_written_before_it_led(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    put_launch(&api, "a");
    api_start(&api);
    api_until(&api, "patch tasklaunches/status n/a", 2);
    api_wait(&api, QUIET_MS);
    api_stop(&api);
    const struct json_t *step =
        js_at(js_path(api_get(&api, "tasklaunches", "n", "a"), "status.steps"), 0);
    char *job_name PS_AUTO_FREE = ps_xstrdup(js_path_str(step, "resource.name"));
    struct json_t *launch = take_away(&api, "tasklaunches", "a");
    struct json_t *job = take_away(&api, "jobs", job_name);

    put_launch(&api, "b");
    api.standby = true;
    api_start(&api);
    api_wait(&api, QUIET_MS);
    api_lag(&api);
    api_put(&api, "tasklaunches", "n", "a", launch);
    api_put(&api, "jobs", "n", job_name, job);
    ps_buf_clear(&api.journal);
    operator_lead(api.op);
    api_until(&api, "patch tasklaunches/status n/b", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 0); /* there is one slot, and a has it */
    api_delete(&api, "tasklaunches", "n", "a");          /* heard: these are new watches */
    api_until(&api, "create jobs n/b-", 1);
    teardown(&api);
}

static void never(void *self)
{
    *(int *)self += 1;
}

static void a_standby_that_was_stopped_leads_no_more(void **state)
{
    (void)state;
    struct api api;
    int stopped = 0;

    setup(&api);
    api.standby = true;
    put_launch(&api, "a");
    api_start(&api);
    api_wait(&api, QUIET_MS);
    assert_false(operator_is_at_rest(api.op)); /* not before a stop */
    operator_stop(api.op, 1000, never, &stopped);
    operator_lead(api.op); /* its claim was under way */
    api_wait(&api, QUIET_MS);
    assert_int_equal(stopped, 1);
    assert_true(operator_is_at_rest(api.op));
    assert_string_equal(ps_buf_text(&api.journal), "");
    teardown(&api);
}

/* ---- metrics -------------------------------------------------------------------------------- */

static bool has(const struct api *api, const char *line)
{
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);
    PS_AUTO_BUF(whole, 512);

    metrics_print(api->metrics, &text);
    ps_buf_printf(&whole, "\n%s\n", line);
    return strstr(ps_buf_text(&text), ps_buf_text(&whole)) != NULL;
}

static void until(struct api *api, const char *line)
{
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);

    for (int i = 0; i < 400 && !has(api, line); i++)
        api_wait(api, 10);
    metrics_print(api->metrics, &text);
    if (!has(api, line))
        fail_msg("no \"%s\" in:\n%s", line, ps_buf_text(&text));
}

static void passes_stores_and_slots_are_counted(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.metrics = metrics_new();
    put_launch(&api, "a");
    put_launch(&api, "b");
    api_put(&api, "streamdeployments", "n", "s",
            json("{'metadata': {'generation': 1}, 'spec': {'definition': 'no such | | thing'}, "
                 "'status': {'phase': 'ours?'}}"));
    api_start(&api);
    assert_true(has(&api, "controller_runtime_reconcile_total{controller=\"tasklaunch\","
                          "result=\"error\"} 0"));
    assert_true(has(&api, "penstock_streams{phase=\"deployed\"} 0"));
    api_until(&api, "create jobs n/", 1);
    until(&api, "penstock_account_tasks{account=\"default\",state=\"running\"} 1");
    until(&api, "penstock_account_tasks{account=\"default\",state=\"waiting\"} 1");
    until(&api, "penstock_tasks{phase=\"Waiting\"} 1");
    until(&api, "penstock_store_objects{resource=\"tasklaunches\"} 2");
    until(&api, "penstock_streams{phase=\"undeployed\"} 1");
    assert_false(has(&api, "penstock_store_text_bytes{resource=\"tasklaunches\"} 0"));
    assert_false(has(&api, "controller_runtime_reconcile_total{controller=\"tasklaunch\","
                           "result=\"success\"} 0"));
    until(&api, "controller_runtime_active_workers{controller=\"tasklaunch\"} 0");
    assert_true(has(&api, "controller_runtime_max_concurrent_reconciles{"
                          "controller=\"platformaccount\"} 32"));
    teardown(&api);
}

static void put_stream(struct api *api)
{
    api_put(api, "streamdeployments", "n", "s",
            json("{'metadata': {'generation': 1}, 'spec': {'definition': 'time | log', "
                 "'apps': [{'name': 'time', 'image': 'r.example/time:1'}, "
                 "{'name': 'log', 'image': 'r.example/log:1'}]}}"));
}

/* Its own writes come back as answers and through watches, and have nothing new to say. */
static void a_stream_is_deployed_in_one_pass(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.metrics = metrics_new();
    put_stream(&api);
    api_start(&api);
    api_until(&api, "patch streamdeployments/status n/s", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create deployments n/s-"), 2);
    assert_true(has(&api, "controller_runtime_reconcile_total{controller=\"streamdeployment\","
                          "result=\"success\"} 1"));
    teardown(&api);
}

/* The status of the stream's first Deployment, as its controller writes it. */
static void put_status(struct api *api, const char *status)
{
    struct json_t *patch PS_AUTO_JS = json(status);
    const struct json_t *deployment = api_get(api, "deployments", "n", "s-log-v1");

    assert_non_null(deployment);
    api_put(api, "deployments", "n", "s-log-v1", snapshot_merge(deployment, patch));
}

/* Most of what a controller writes says nothing to anybody. */
static void steps_of_a_rollout_wake_nobody(void **state)
{
    static const char two_runs[] = "controller_runtime_reconcile_total{controller="
                                   "\"streamdeployment\",result=\"success\"} 2";

    (void)state;
    struct api api;

    setup(&api);
    api.metrics = metrics_new();
    put_stream(&api);
    api_start(&api);
    api_until(&api, "patch streamdeployments/status n/s", 1);
    api_wait(&api, QUIET_MS);
    put_status(&api, "{'metadata': {'generation': 1}, 'status': {'observedGeneration': 1}}");
    api_wait(&api, QUIET_MS);
    assert_true(has(&api, two_runs)); /* a generation is news */
    put_status(&api, "{'status': {'replicas': 1, 'unavailableReplicas': 1}}");
    put_status(&api, "{'status': {'conditions': [{'type': 'Progressing', 'status': 'True'}]}}");
    api_wait(&api, QUIET_MS);
    assert_true(has(&api, two_runs));
    put_status(&api, "{'status': {'updatedReplicas': 1}}");
    api_wait(&api, QUIET_MS);
    assert_false(has(&api, two_runs));
    teardown(&api);
}

static void put_registry(struct api *api, const char *version)
{
    struct json_t *map = js_object();
    PS_AUTO_BUF(text, 256);

    ps_buf_printf(&text, "source.time=docker:r.example/time:%s\nsink.log=docker:r.example/log:1\n",
                  version);
    js_set_str(js_child(map, "data"), "apps", ps_buf_text(&text));
    api_put(api, "configmaps", "n", "apps", map);
}

static void put_environment(struct api *api, const char *variable)
{
    struct json_t *account =
        json("{'metadata': {'generation': 2}, 'spec': {'type': 'Kubernetes'}}");

    js_set_str(js_child(js_get(account, "spec"), "properties"), "environmentVariables", variable);
    api_put(api, "platformaccounts", "", "default", account);
}

static bool is_outdated(const struct api *api)
{
    const struct json_t *stream = api_get(api, "streamdeployments", "n", "s");

    return model_condition_find(js_path(stream, "status.conditions"), "Outdated") != NULL;
}

/* What was rendered is remembered, but not for longer than what it was rendered from. */
static void what_would_be_rendered_otherwise_is_told(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    put_environment(&api, "A=1");
    put_registry(&api, "1");
    api_put(&api, "streamdeployments", "n", "s",
            json("{'metadata': {'generation': 1}, 'spec': {'definition': 'time | log'}}"));
    api_start(&api);
    api_until(&api, "patch streamdeployments/status n/s", 1);
    api_wait(&api, QUIET_MS);
    for (size_t i = 1; i < 5; i++) { /* there and back: account, registry */
        if (i < 3) {
            put_environment(&api, i == 1 ? "A=2" : "A=1");
        } else {
            put_registry(&api, i == 3 ? "2" : "1");
        }
        api_until(&api, "patch streamdeployments/status n/s", i + 1);
        api_wait(&api, QUIET_MS);
        assert_int_equal(is_outdated(&api), i % 2);
    }
    teardown(&api);
}

static void an_account_without_launches_has_no_series(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    api.metrics = metrics_new();
    put_launch(&api, "a");
    api_start(&api);
    until(&api, "penstock_account_tasks{account=\"default\",state=\"running\"} 1");
    api_until(&api, "create jobs n/a-", 1); /* by now the watches are open, too */
    api_delete(&api, "tasklaunches", "n", "a");
    until(&api, "penstock_store_objects{resource=\"tasklaunches\"} 0");
    assert_false(has(&api, "penstock_account_tasks{account=\"default\",state=\"running\"} 0"));
    assert_false(has(&api, "penstock_account_tasks{account=\"default\",state=\"running\"} 1"));
    teardown(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standby_writes_nothing_until_it_leads),
        cmocka_unit_test(a_new_leader_sees_what_was_written_before_it_led),
        cmocka_unit_test(a_standby_that_was_stopped_leads_no_more),
        cmocka_unit_test(passes_stores_and_slots_are_counted),
        cmocka_unit_test(a_stream_is_deployed_in_one_pass),
        cmocka_unit_test(steps_of_a_rollout_wake_nobody),
        cmocka_unit_test(what_would_be_rendered_otherwise_is_told),
        cmocka_unit_test(an_account_without_launches_has_no_series),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
