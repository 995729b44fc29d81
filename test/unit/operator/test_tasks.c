/* SPDX-License-Identifier: Apache-2.0 */
/* Launches from end to end, with the real planner, on an API server in memory. */
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

#define QUIET_MS 100 /* longer than anything that is under way */

static struct json_t *json(const char *text) /* ' for " */
{
    char *copy PS_AUTO_FREE = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    assert_non_null(object);
    return object;
}

/* A place for launches, which runs that many at once. */
static void put_account(struct api *api, int limit)
{
    struct json_t *account = json("{'spec': {'type': 'Kubernetes'}}");

    js_set_int(js_get(account, "spec"), "maxConcurrentTasks", limit);
    js_set_int(js_child(account, "metadata"), "generation", limit);
    api_put(api, "platformaccounts", "", "default", account);
    if (api_get(api, "namespaces", "", "n") == NULL)
        api_put(api, "namespaces", "", "n", json("{'status': {'phase': 'Active'}}"));
}

/* Created that many seconds after the first one could have been. */
static void put_launch(struct api *api, const char *name, int age)
{
    struct json_t *launch = json("{'metadata': {'generation': 1}, 'spec': {'definition': 'train', "
                                 "'apps': [{'name': 'train', 'image': 'r.example/train:1'}]}}");
    char time[PS_TIME_TEXT_SIZE];

    ps_time_text(1793235723000 + (int64_t)age * 1000, time);
    js_set_str(js_get(launch, "metadata"), "creationTimestamp", time);
    api_put(api, "tasklaunches", "n", name, launch);
}

static const char *phase_of(const struct api *api, const char *name)
{
    return js_path_str(api_get(api, "tasklaunches", "n", name), "status.phase");
}

/* The Job of the launch's first attempt, or NULL; never two. */
static const struct json_t *find_job(const struct api *api, const char *name)
{
    const struct json_t *found = NULL;
    size_t at = 0;
    const char *key;
    void *value;
    PS_AUTO_BUF(start, 64);

    ps_buf_printf(&start, "jobs/n/%s-", name);
    while (ps_map_next(&api->objects, &at, &key, &value)) {
        if (ps_str_starts(ps_str(key), ps_buf_text(&start))) {
            assert_null(found);
            found = value;
        }
    }
    return found;
}

static const struct json_t *job_of(const struct api *api, const char *name)
{
    const struct json_t *job = find_job(api, name);

    assert_non_null(job);
    return job;
}

static void until_job(struct api *api, const char *name)
{
    for (int i = 0; i < 1600 && find_job(api, name) == NULL; i++)
        api_wait(api, 5);
}

/* The Job ends, as the Job controller would say it. */
static void complete(struct api *api, const char *name)
{
    const struct json_t *job = job_of(api, name);
    struct json_t *status PS_AUTO_JS =
        json("{'status': {'succeeded': 1, 'conditions': [{'type': 'Complete', 'status': 'True', "
             "'reason': 'CompletionsReached', 'lastTransitionTime': '2026-10-29T08:03:03Z'}]}}");
    char *job_name PS_AUTO_FREE = ps_xstrdup(js_path_str(job, "metadata.name"));

    api_put(api, "jobs", "n", job_name, snapshot_merge(job, status));
}

static void setup(struct api *api, int limit)
{
    ps_log_set_level(PS_LOG_ERROR);
    api_init(api);
    put_account(api, limit);
}

static void teardown(struct api *api)
{
    api_stop(api);
    api_fini(api);
}

/* Until the launch is in that phase. */
static void until_phase(struct api *api, const char *name, const char *phase)
{
    for (int i = 0; i < 1600 && !ps_streq(phase_of(api, name), phase); i++)
        api_wait(api, 5);
    if (!ps_streq(phase_of(api, name), phase))
        fail_msg("%s is %s, not %s:\n%s", name, phase_of(api, name), phase,
                 ps_buf_text(&api->journal));
}

/* ---- one launch ----------------------------------------------------------------------------- */

static void an_attempt_is_recorded_before_its_job_is_made(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 20);
    put_launch(&api, "a", 0);
    api_start(&api);
    api_until(&api, "create jobs n/a-", 1);
    const struct ps_str journal = ps_buf_get(&api.journal);

    assert_true(ps_str_find(journal, "patch tasklaunches/status n/a") >= 0);
    assert_true(ps_str_find(journal, "patch tasklaunches/status n/a") <
                ps_str_find(journal, "create jobs n/a-"));
    api_wait(&api, QUIET_MS);
    complete(&api, "a");
    until_phase(&api, "a", "Complete");
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 1);
    /* its end is on record: the Job is let go */
    assert_null(js_path(job_of(&api, "a"), "metadata.finalizers"));
    teardown(&api);
}

/* Whichever write or answer is lost, the Job is made once. */
static void one_job_whatever_is_lost(void **state)
{
    static const struct {
        const char *name;
        struct api_fault fault;
        const char *read_back; /* or NULL */
    } rows[] = {
        {"the intent", {"patch tasklaunches/status", API_DROP, 0, 1}, "get tasklaunches n/a"},
        {"the answer to it", {"patch tasklaunches/status", API_LOSE, 0, 1}, "get tasklaunches n/a"},
        {"a conflict instead", {"patch tasklaunches/status", API_REFUSE, 409, 1}, NULL},
        {"a 500 instead", {"patch tasklaunches/status", API_REFUSE, 500, 1}, "get tasklaunches"},
        {"the Job's request", {"create jobs", API_DROP, 0, 1}, "get jobs n/a-"},
        {"the answer to it", {"create jobs", API_LOSE, 0, 1}, "get jobs n/a-"},
        {"a 503 instead", {"create jobs", API_REFUSE, 503, 1}, "get jobs n/a-"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct api api;

        print_message("  %s\n", rows[i].name);
        setup(&api, 20);
        api.faults[0] = rows[i].fault;
        put_launch(&api, "a", 0);
        api_start(&api);
        until_job(&api, "a");
        api_wait(&api, QUIET_MS);
        complete(&api, "a"); /* there is one, and only one */
        until_phase(&api, "a", "Complete");
        if (rows[i].read_back != NULL)
            assert_true(api_count(&api, rows[i].read_back) > 0);
        assert_int_equal(js_path_int(api_get(&api, "tasklaunches", "n", "a"), "status.attempt", 0),
                         1);
        teardown(&api);
    }
}

/* Why the pod of a Job does not run leads back to the launch. */
static void a_pod_leads_to_its_launch(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 20);
    put_launch(&api, "a", 0);
    api_start(&api);
    api_until(&api, "create jobs n/a-", 1);
    api_wait(&api, QUIET_MS);
    const size_t before = api_count(&api, "patch tasklaunches/status n/a");
    struct json_t *pod =
        json("{'status': {'phase': 'Pending', 'containerStatuses': [{'ready': false, 'state': "
             "{'waiting': {'reason': 'ImagePullBackOff', 'message': 'no such image'}}}]}}");
    struct json_t *labels = js_child(js_child(pod, "metadata"), "labels");

    js_set_str(labels, "role", "spring-app");
    js_set_str(labels, "spring-app-id", js_path_str(job_of(&api, "a"), "metadata.name"));
    api_put(&api, "pods", "n", "a-1-x7x7x", pod);
    api_until(&api, "patch tasklaunches/status n/a", before + 1);
    teardown(&api);
}

/* ---- many on one account -------------------------------------------------------------------- */

static void the_oldest_goes_first_and_only_one_runs(void **state)
{
    static const char *const order[] = {"c", "a", "b"};
    struct api api;

    (void)state;
    setup(&api, 1);
    put_launch(&api, "a", 20);
    put_launch(&api, "b", 30);
    put_launch(&api, "c", 10);
    api_start(&api);
    for (size_t i = 0; i < PS_ARRAY_LEN(order); i++) {
        PS_AUTO_BUF(line, 64);

        ps_buf_printf(&line, "create jobs n/%s-", order[i]);
        api_until(&api, ps_buf_text(&line), 1);
        api_wait(&api, QUIET_MS);
        assert_int_equal(api_count(&api, "create jobs"), i + 1);
        complete(&api, order[i]);
    }
    until_phase(&api, "b", "Complete");
    teardown(&api);
}

static void the_account_says_how_many(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    put_launch(&api, "a", 10);
    put_launch(&api, "b", 20);
    put_launch(&api, "c", 30);
    api_start(&api);
    for (int i = 0; i < 400; i++) {
        const struct json_t *account = api_get(&api, "platformaccounts", "", "default");

        if (js_path_int(account, "status.tasks.running", -1) == 1 &&
            js_path_int(account, "status.tasks.waiting", -1) == 2)
            break;
        api_wait(&api, 5);
    }
    const struct json_t *account = api_get(&api, "platformaccounts", "", "default");

    assert_int_equal(js_path_int(account, "status.tasks.running", -1), 1);
    assert_int_equal(js_path_int(account, "status.tasks.waiting", -1), 2);
    teardown(&api);
}

static void a_restart_writes_nothing_and_keeps_the_order(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    put_launch(&api, "b", 20);
    put_launch(&api, "a", 10);
    put_launch(&api, "c", 30);
    api_start(&api);
    api_until(&api, "create jobs n/a-", 1);
    until_phase(&api, "c", "Waiting");
    api_wait(&api, QUIET_MS);
    api_stop(&api);
    ps_buf_clear(&api.journal);
    api_start(&api);
    api_wait(&api, 4 * QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 0);
    assert_int_equal(api_count(&api, "patch tasklaunches"), 0);
    complete(&api, "a");
    api_until(&api, "create jobs n/b-", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 1);
    teardown(&api);
}

static void a_deleted_launch_lets_the_next_one_go(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    put_launch(&api, "a", 10);
    put_launch(&api, "b", 20);
    put_launch(&api, "c", 30);
    api_start(&api);
    api_until(&api, "create jobs n/a-", 1);
    until_phase(&api, "c", "Waiting");
    api_delete(&api, "tasklaunches", "n", "b"); /* that waits */
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 1);
    api_delete(&api, "tasklaunches", "n", "a"); /* that runs */
    api_until(&api, "create jobs n/c-", 1);
    teardown(&api);
}

static void a_higher_limit_lets_more_go(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    put_launch(&api, "a", 10);
    put_launch(&api, "b", 20);
    put_launch(&api, "c", 30);
    api_start(&api);
    until_phase(&api, "c", "Waiting");
    put_account(&api, 2);
    api_until(&api, "create jobs n/b-", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 2);
    teardown(&api);
}

/* What is known not to have started does not hold the others up. */
static void a_poisoned_launch_blocks_nobody(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    api.faults[0] = (struct api_fault){"patch tasklaunches/status n/a", API_REFUSE, 403, -1};
    put_launch(&api, "a", 10);
    put_launch(&api, "b", 20);
    api_start(&api);
    api_until(&api, "create jobs n/b-", 1);
    assert_int_equal(api_count(&api, "create jobs n/a-"), 0);
    teardown(&api);
}

/* What may have started keeps its slot until it is known. */
static void a_doubt_keeps_its_slot(void **state)
{
    (void)state;
    struct api api;

    setup(&api, 1);
    api.faults[0] = (struct api_fault){"patch tasklaunches/status n/a", API_LOSE, 0, 1};
    api.faults[1] = (struct api_fault){"get tasklaunches n/a", API_REFUSE, 403, 6};
    put_launch(&api, "a", 10);
    put_launch(&api, "b", 20);
    api_start(&api);
    api_until(&api, "get tasklaunches n/a", 6); /* six failed jobs */
    assert_int_equal(api_count(&api, "create jobs"), 0);
    api_until(&api, "create jobs n/a-", 1);
    api_wait(&api, QUIET_MS);
    assert_int_equal(api_count(&api, "create jobs"), 1);
    teardown(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_recorded_before_its_job_is_made),
        cmocka_unit_test(one_job_whatever_is_lost),
        cmocka_unit_test(a_pod_leads_to_its_launch),
        cmocka_unit_test(the_oldest_goes_first_and_only_one_runs),
        cmocka_unit_test(the_account_says_how_many),
        cmocka_unit_test(a_restart_writes_nothing_and_keeps_the_order),
        cmocka_unit_test(a_deleted_launch_lets_the_next_one_go),
        cmocka_unit_test(a_higher_limit_lets_more_go),
        cmocka_unit_test(a_poisoned_launch_blocks_nobody),
        cmocka_unit_test(a_doubt_keeps_its_slot),
    };

    codec_init();
    return cmocka_run_group_tests_name("operator/tasks", tests, NULL, NULL);
}
