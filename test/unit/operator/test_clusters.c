/* SPDX-License-Identifier: Apache-2.0 */
/* Another cluster beside the operator's own: how it comes into step, what hinders it, and that it
 * hinders nobody else. */
#include "two.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define TEXT_MAX ((size_t)256 * 1024)

static void put_child(struct api *there, const char *plural, const char *name, const char *labels)
{
    PS_AUTO_BUF(text, 1024);

    ps_buf_printf(&text,
                  "{'metadata': {'labels': {'penstock.dev/installation': 'i', "
                  "'penstock.dev/owner-uid': 'u'%s}, "
                  "'annotations': {'penstock.dev/owner': 'StreamDeployment/n/s'}}}",
                  labels);
    api_put(there, plural, "far", name, two_json(ps_buf_text(&text)));
}

static void setup(struct two *two)
{
    two_setup(two);
    put_child(&two->there, "deployments", "s-a-v1", ", 'penstock.dev/account-uid': 'a1'");
}

static size_t children(const struct two *two)
{
    const struct operator__cluster *c = operator__cluster_get(two->here.op, "gpuzone");

    return c ? c->stores[MODEL_DEPLOYMENT].entries.count : 0;
}

static bool says(const struct two *two, const char *words)
{
    const char *message = two_view(two)->message ? two_view(two)->message : "";

    if (strstr(message, words) == NULL)
        print_error("\"%s\" is not in \"%s\"\n", words, message);
    assert_null(strstr(message, TWO_CANARY));
    return strstr(message, words) != NULL;
}

/* How many requests there had all of that in them. */
static int asked(const struct api *there, const char *target, const char *header)
{
    int count = 0;

    for (int i = 0; i < script_count(there->script); i++) {
        count += strstr(script_line(there->script, i), target) != NULL &&
                 strstr(script_text(there->script, i), header) != NULL;
    }
    return count;
}

/* ---- into step ------------------------------------------------------------------------------- */

static void a_cluster_comes_into_step(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    assert_true(two_view(&two)->known);
    assert_null(two_view(&two)->message);
    assert_string_equal(two_view(&two)->account_uid, "a1");
    assert_string_equal(two_view(&two)->server, script_url(two.there.script));
    assert_string_equal(two_view(&two)->uid,
                        js_path_str(api_get(&two.there, "namespaces", "", "far"), "metadata.uid"));
    assert_int_equal(children(&two), 1);
    assert_true(asked(&two.there,
                      "/namespaces/far/jobs?labelSelector=penstock.dev%2Finstallation%3Di%2C"
                      "penstock.dev%2Faccount-uid%3Da1",
                      "Bearer " TWO_TOKEN) > 0);
    two_settle(&two);
    assert_string_equal(two_view(&two)->version, "v1.36.3");
    assert_true(operator__cluster_client(two.here.op, "gpuzone") != NULL);
    assert_null(operator__cluster_client(two.here.op, "other"));
    two_teardown(&two);
}

static void what_is_there_is_a_child_with_its_cluster(void **state)
{
    (void)state;

    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_REVISION};
    const struct operator__evidence nothing = {0};
    const struct operator__about about = {MODEL_STREAM, "n", "s", kinds, 2, &nothing};
    struct operator__snapshot snapshot;
    struct two two;

    setup(&two);
    put_child(&two.here, "deployments", "s-b-v1", "");
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    operator__snapshot_init(&snapshot, two.here.op, &about);
    assert_int_equal(snapshot.s.child_count, 2);
    assert_null(snapshot.s.children[0]->cluster);
    assert_string_equal(snapshot.s.children[1]->cluster, "gpuzone");
    assert_int_equal(snapshot.s.cluster_count, 1);
    assert_ptr_equal(snapshot.s.clusters[0], two_view(&two));
    operator__snapshot_fini(&snapshot);
    two_teardown(&two);
}

static void uses_are_counted_and_named(void **state)
{
    (void)state;
    struct two two;
    struct ps_arena arena;

    setup(&two);
    for (char name = 'h'; name >= 'a'; name--) {
        api_put(&two.here, "tasklaunches", "n", (char[]){name, '\0'},
                two_json("{'metadata': {'generation': 1, 'annotations': {'penstock.dev/clusters': "
                         "'other,gpuzone'}}, 'spec': {'definition': 't'}}"));
    }
    api_put(&two.here, "tasklaunches", "n", "z",
            two_json("{'metadata': {'generation': 1, 'annotations': {'penstock.dev/clusters': "
                     "'gpuzones'}}, 'spec': {'definition': 't', 'platform': 'gpuzone'}}"));
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    ps_arena_init(&arena);
    const struct plan_uses uses =
        operator__cluster_uses(operator__cluster_get(two.here.op, "gpuzone"), &arena);

    assert_int_equal(uses.users, 9);
    assert_int_equal(uses.children, 1);
    assert_int_equal(uses.name_count, OPERATOR__USERS_SHOWN);
    assert_string_equal(uses.names[0], "StreamDeployment n/s");
    assert_string_equal(uses.names[1], "TaskLaunch n/a");
    assert_string_equal(uses.names[4], "TaskLaunch n/d");
    ps_arena_fini(&arena);
    two_teardown(&two);
}

/* ---- Secrets --------------------------------------------------------------------------------- */

static void without_a_secret_nothing_is_asked(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_NO_SECRET);
    assert_true(says(&two, "no Secret gpu with the label penstock.dev/credentials=true in "
                           "namespace penstock-system"));
    assert_false(two_view(&two)->known);
    two_settle(&two);
    api_put(&two.here, "secrets", "penstock-system", "gpu",
            two_json("{'data': {'token': 'YzRuNHJ5'}}"));
    two_until(&two, PLAN_CLUSTER_BAD_SECRET);
    assert_true(says(&two, "Secret gpu: data: expected the key"));
    assert_int_equal(script_connections(two.there.script), 0);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    api_delete(&two.here, "secrets", "penstock-system", "gpu");
    two_until(&two, PLAN_CLUSTER_NO_SECRET);
    assert_true(two_view(&two)->known);
    assert_int_equal(children(&two), 1); /* as seen last */
    assert_null(operator__cluster_client(two.here.op, "gpuzone"));
    script_wait(two.here.loop, 20);
    assert_int_equal(script_open(two.there.script), 0);
    two_teardown(&two);
}

static void who_names_no_secret_has_none_looked_for(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    api_delete(&two.here, "platformaccounts", "", "gpuzone");
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    for (int i = 0; i < 100 && !two.here.op->synced; i++)
        script_wait(two.here.loop, TWO_STEP_MS);
    assert_true(two.here.op->synced);
    assert_int_equal(asked(&two.here, "/secrets", ""), 0);
    two_teardown(&two);
}

static void a_new_token_is_used_from_then_on(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    const struct operator__cluster *c = operator__cluster_get(two.here.op, "gpuzone");
    const struct model_object *child =
        operator__store_get(&c->stores[MODEL_DEPLOYMENT], "far", "s-a-v1")->object;

    two_settle(&two);
    const int before = script_count(two.there.script);

    two_put_secret(&two.here, &two.there, "other-" TWO_CANARY);
    two_until(&two, PLAN_CLUSTER_CONNECTING);
    assert_true(two_view(&two)->known);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    /* the same object was not taken for a new one */
    assert_ptr_equal(operator__store_get(&c->stores[MODEL_DEPLOYMENT], "far", "s-a-v1")->object,
                     child);
    for (int i = before; i < script_count(two.there.script); i++)
        assert_non_null(strstr(script_text(two.there.script, i), "Bearer other-" TWO_CANARY));
    two_settle(&two);
    const int after = script_count(two.there.script);

    two_put_secret(&two.here, &two.there, "other-" TWO_CANARY); /* the same again */
    two_settle(&two);
    assert_int_equal(script_count(two.there.script), after);
    two_teardown(&two);
}

static void who_is_refused_says_so(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two.there.faults[0] = (struct api_fault){"get namespaces", API_REFUSE, 401, -1};
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_REFUSED);
    assert_true(says(&two, "told so"));
    two.there.faults[0].times = 0;
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two_teardown(&two);
}

/* ---- somewhere else -------------------------------------------------------------------------- */

static void make_anew(struct api *there, const char *namespace)
{
    api_delete(there, "namespaces", "", namespace);
    two_put_namespace(there, namespace);
}

static void another_cluster_is_not_touched(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    struct json_t *was = js_copy(api_get(&two.there, "namespaces", "", "far"));

    make_anew(&two.there, "far");
    two_put_secret(&two.here, &two.there, "b");
    two_until(&two, PLAN_CLUSTER_ELSEWHERE);
    assert_true(says(&two, "leads to another cluster than before"));
    assert_null(operator__cluster_client(two.here.op, "gpuzone"));
    assert_int_equal(children(&two), 1);
    api_delete(&two.there, "namespaces", "", "far");
    two_settle(&two);
    two_until(&two, PLAN_CLUSTER_ELSEWHERE);
    assert_true(says(&two, "leads to a cluster without namespace far"));
    api_put(&two.there, "namespaces", "", "far", was);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two_teardown(&two);
}

/* After a start the record in the account's status counts. */
static void the_record_outlives_a_restart(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    api_put(
        &two.here, "platformaccounts", "", "gpuzone",
        two_json("{'metadata': {'generation': 1, 'uid': 'a1'}, 'spec': {'type': 'Kubernetes', "
                 "'kubernetes': {'namespace': 'far', 'cluster': {'secretRef': {'name': 'gpu'}}}}, "
                 "'status': {'target': {'uid': 'another'}}}"));
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_ELSEWHERE);
    assert_true(says(&two, "its uid was another"));
    assert_int_equal(children(&two), 0);
    two_teardown(&two);
}

static void a_namespace_that_comes_later_is_found(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    api_delete(&two.there, "namespaces", "", "far");
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    assert_null(two_view(&two)->uid);
    two_put_namespace(&two.there, "far");
    for (int i = 0; i < 200 && two_view(&two)->uid == NULL; i++)
        script_wait(two.here.loop, TWO_STEP_MS);
    assert_non_null(two_view(&two)->uid);
    assert_int_equal(two_view(&two)->state, PLAN_CLUSTER_SYNCED);
    two_teardown(&two);
}

/* ---- away ------------------------------------------------------------------------------------ */

static void who_goes_and_comes_back_is_listed_anew(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    api_die(&two.there);
    two_until(&two, PLAN_CLUSTER_AWAY);
    assert_true(two_view(&two)->known);
    assert_int_equal(children(&two), 1);
    put_child(&two.there, "deployments", "s-c-v1", ", 'penstock.dev/account-uid': 'a1'");
    api_delete(&two.there, "deployments", "far", "s-a-v1");
    put_child(&two.there, "deployments", "s-d-v1", ", 'penstock.dev/account-uid': 'a1'");
    api_answer(&two.there);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    assert_int_equal(children(&two), 2);
    two_teardown(&two);
}

/* It accepts connections, and says nothing. */
static void who_falls_silent_is_noticed_when_something_is_asked(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two.there.mute = true;
    operator__cluster_suspect(two.here.op, "gpuzone");
    operator__cluster_suspect(two.here.op, "gpuzone");
    two_until(&two, PLAN_CLUSTER_AWAY);
    const int asked_then = script_count(two.there.script);
    const char *message = two_view(&two)->message;

    script_wait(two.here.loop, 1500);
    assert_ptr_equal(two_view(&two)->message, message); /* however long it took: no news */
    assert_in_range(script_count(two.there.script) - asked_then, 1, 10); /* one probe at a time */
    two.there.mute = false;
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two_teardown(&two);
}

/* What the leader before has written last may not have come yet. */
static void a_new_leader_lists_it_anew(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two.there.mute = true;
    operator_lead(two.here.op);
    assert_int_equal(two_view(&two)->state, PLAN_CLUSTER_CONNECTING);
    assert_true(two_view(&two)->known);
    two_teardown(&two);
}

static void a_hiccup_is_borne(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    two.here.op->patience.away_ms = TWO_SOON_MS;
    two.there.faults[0] = (struct api_fault){"get namespaces", API_REFUSE, 500, 3};
    operator__cluster_suspect(two.here.op, "gpuzone");
    for (int i = 0; i < 200 && two.there.faults[0].times > 0; i++) {
        script_wait(two.here.loop, TWO_STEP_MS);
        assert_int_equal(two_view(&two)->state, PLAN_CLUSTER_SYNCED);
    }
    assert_int_equal(two.there.faults[0].times, 0);
    two_teardown(&two);
}

/* The own cluster's launches start and end while the other one says nothing. */
static void who_says_nothing_delays_nobody(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two.here.standby = false;
    two.there.mute = true;
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    api_put(&two.here, "platformaccounts", "", "default",
            two_json("{'metadata': {'generation': 1}, 'spec': {'type': 'Kubernetes'}}"));
    api_put(&two.here, "tasklaunches", "n", "a",
            two_json("{'metadata': {'generation': 1, 'creationTimestamp': '2026-10-29T08:03:03Z'}, "
                     "'spec': {'definition': 'train', "
                     "'apps': [{'name': 'train', 'image': 'r.example/train:1'}]}}"));
    two_begin(&two);
    two.here.op->patience.probe_ms = 60000;
    api_until(&two.here, "create jobs n/a-", 1);
    assert_int_equal(two_view(&two)->state, PLAN_CLUSTER_CONNECTING);
    assert_true(says(&two, "connecting to https://"));
    two_teardown(&two);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void with_its_account_a_cluster_is_given_up(void **state)
{
    (void)state;
    struct two two;

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two.here.metrics = metrics_new();
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    PS_AUTO_BUF(text, TEXT_MAX);

    metrics_print(two.here.metrics, &text);
    assert_non_null(
        strstr(ps_buf_text(&text), "penstock_account_cluster_up{account=\"gpuzone\"} 1"));
    assert_non_null(
        strstr(ps_buf_text(&text), "penstock_store_objects{resource=\"deployments\"} 1"));
    api_delete(&two.here, "platformaccounts", "", "gpuzone");
    two_until(&two, PLAN_CLUSTER_OWN);
    script_wait(two.here.loop, 20);
    assert_int_equal(script_open(two.there.script), 0);
    ps_buf_clear(&text);
    metrics_print(two.here.metrics, &text);
    assert_null(strstr(ps_buf_text(&text), "account=\"gpuzone\""));
    two_teardown(&two);
}

static void health_is_told_and_hinders_nothing(void **state)
{
    (void)state;
    struct two two;
    const char *type = NULL;
    PS_AUTO_BUF(body, 4096);

    setup(&two);
    two_put_secret(&two.here, &two.there, TWO_TOKEN);
    two_begin(&two);
    two_until(&two, PLAN_CLUSTER_SYNCED);
    assert_int_equal(operator__admin(two.here.op, PS_STR("/readyz"), &body, &type), 200);
    assert_non_null(strstr(ps_buf_text(&body), "[+]cluster of account gpuzone in step\n"));
    ps_buf_clear(&body);
    assert_int_equal(operator__debug(two.here.op, PS_STR("/debug/accounts"), &body, &type), 200);
    assert_non_null(strstr(ps_buf_text(&body), "\"state\": \"in step\""));
    assert_null(strstr(ps_buf_text(&body), TWO_CANARY));
    api_die(&two.there);
    two_until(&two, PLAN_CLUSTER_AWAY);
    ps_buf_clear(&body);
    assert_int_equal(operator__admin(two.here.op, PS_STR("/readyz"), &body, &type), 200);
    assert_non_null(strstr(ps_buf_text(&body), "[ ]cluster of account gpuzone: away: "));
    two_teardown(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_comes_into_step),
        cmocka_unit_test(what_is_there_is_a_child_with_its_cluster),
        cmocka_unit_test(uses_are_counted_and_named),
        cmocka_unit_test(without_a_secret_nothing_is_asked),
        cmocka_unit_test(who_names_no_secret_has_none_looked_for),
        cmocka_unit_test(a_new_token_is_used_from_then_on),
        cmocka_unit_test(who_is_refused_says_so),
        cmocka_unit_test(another_cluster_is_not_touched),
        cmocka_unit_test(the_record_outlives_a_restart),
        cmocka_unit_test(a_namespace_that_comes_later_is_found),
        cmocka_unit_test(who_goes_and_comes_back_is_listed_anew),
        cmocka_unit_test(who_falls_silent_is_noticed_when_something_is_asked),
        cmocka_unit_test(a_new_leader_lists_it_anew),
        cmocka_unit_test(a_hiccup_is_borne),
        cmocka_unit_test(who_says_nothing_delays_nobody),
        cmocka_unit_test(with_its_account_a_cluster_is_given_up),
        cmocka_unit_test(health_is_told_and_hinders_nothing),
    };

    codec_init();
    return cmocka_run_group_tests_name("operator/clusters", tests, NULL, NULL);
}
