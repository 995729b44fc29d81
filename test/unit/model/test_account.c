/* SPDX-License-Identifier: Apache-2.0 */
/* PlatformAccount and its property lists. */
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

/* "key=value key=value", in the order of the list. */
static const char *text_of(struct ps_arena *arena, const struct model_properties *list)
{
    PS_AUTO_BUF(out, 8192);

    for (size_t i = 0; i < list->count; i++)
        ps_buf_printf(&out, "%s%s=%s", i ? " " : "", list->items[i].key, list->items[i].value);
    return ps_arena_str(arena, ps_buf_get(&out));
}

/* ---- flattening ---------------------------------------------------------------------------------
 */

static void nested_keys_become_flat(void **state)
{
    static const struct {
        const char *json, *flat;
    } rows[] = {
        {"{}", ""},
        {"{'a': 'x', 'b': 1, 'c': true, 'd': false}", "a=x b=1 c=true d=false"},
        {"{'limits': {'memory': '1Gi', 'cpu': '500m'}}", "limits.memory=1Gi limits.cpu=500m"},
        {"{'limits.memory': '1Gi'}", "limits.memory=1Gi"},
        {"{'a': ['x', {'b': 'y'}, ['z']]}", "a[0]=x a[1].b=y a[2][0]=z"},
        {"{'a': {}, 'b': []}", ""},
        {"{'a': null}", "a="},
        {"{'a': 1.5}", "a=1.5"},
        {"{'a': {'b': 'x'}, 'a.b': 'y'}", "a.b=y"}, /* the same key: the last one */
        {"{'a': -9223372036854775808}", "a=-9223372036854775808"},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS = parse(rows[i].json);
        struct model_properties list = {0};

        assert_int_equal(model_properties_flatten(&arena, json, 100, &list, NULL), 0);
        if (strcmp(text_of(&arena, &list), rows[i].flat) != 0)
            fail_msg("%s: %s", rows[i].json, text_of(&arena, &list));
    }
    ps_arena_fini(&arena);
}

static void flattening_has_limits(void **state)
{
    struct ps_arena arena;
    struct ps_err err = {0};
    struct model_properties list = {0};
    PS_AUTO_BUF(deep, 1024);

    (void)state;
    ps_arena_init(&arena);
    for (int i = 0; i < 20; i++)
        ps_buf_str(&deep, "{'a':");
    ps_buf_str(&deep, "1");
    for (int i = 0; i < 20; i++)
        ps_buf_str(&deep, "}");
    struct json_t *nested PS_AUTO_JS = parse(ps_buf_text(&deep)),
                          *two PS_AUTO_JS = parse("{'a': 1, 'b': 2}");
    struct json_t *array PS_AUTO_JS = parse("[1]");

    assert_int_equal(model_properties_flatten(&arena, nested, 100, &list, &err), PS_ELIMIT);
    assert_int_equal(model_properties_flatten(&arena, two, 1, &list, &err), PS_ELIMIT);
    assert_int_equal(model_properties_flatten(&arena, array, 1, &list, &err), PS_EINVAL);
    assert_non_null(strstr(err.message, "expected an object, found a list"));
    assert_int_equal(model_properties_flatten(&arena, NULL, 1, &list, &err), 0);
    ps_arena_fini(&arena);
}

/* ---- placeholders
 * ------------------------------------------------------------------------------------ */

static void placeholders_come_from_the_variables(void **state)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"plain", "plain"},
        {"${HOST}", "h1"},
        {"a${HOST}b${PORT}c", "ah1b9c"},
        {"${NONE:fallback}", "fallback"},
        {"${NONE:}", ""},
        {"${HOST:fallback}", "h1"},
        {"${NONE:a:b}", "a:b"},
        {"${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}",
         "${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}"},
        {"${HOST", "${HOST"},
        {"$HOST $${HOST}", "$HOST $h1"},
        {"${}", "${}"},
        {"${:x}", "x"},
        {"${LOOP}", "${LOOP}"}, /* what a variable holds is not looked at again */
        {"${EMPTY}", ""},
    };
    static struct model_property items[] = {
        {"HOST", "h1"}, {"PORT", "9"}, {"LOOP", "${LOOP}"}, {"EMPTY", ""}};
    static const struct model_properties vars = {items, PS_ARRAY_LEN(items), PS_ARRAY_LEN(items)};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS =
            parse("{'metadata': {'name': 'a'}, 'spec': {'type': 'Kubernetes', 'properties': {}}}");

        js_set_str(js_path(json, "spec.properties"), "k", rows[i].value);
        const struct model_account *account = model_account_read(&arena, json, &vars);

        assert_int_equal(account->problem.code, 0);
        if (!ps_streq(model_properties_get(&account->properties, "k"), rows[i].expected))
            fail_msg("%s: %s", rows[i].value, model_properties_get(&account->properties, "k"));
    }
    ps_arena_fini(&arena);
}

/* ---- the account
 * --------------------------------------------------------------------------------------- */

static void an_account_is_read(void **state)
{
    struct ps_arena arena;
    static struct model_property items[] = {{"X", "x"}};
    static const struct model_properties vars = {items, 1, 1};
    struct json_t *json PS_AUTO_JS =
        parse("{'metadata': {'name': 'zone', 'uid': 'u', 'resourceVersion': '7', 'generation': 3, "
              "'finalizers': ['x', 'penstock.dev/cleanup'],"
              " 'deletionTimestamp': '2026-01-01T00:00:00Z'},"
              " 'spec': {'type': 'Kubernetes', 'kubernetes': {'namespace': 'ns'}, 'properties': "
              "{'limits': {'memory': '1Gi'}, 'a': '1'},"
              " 'streamProperties': {'limits.memory': '2Gi', 'b': '2'}, 'applicationProperties': "
              "{'stream': {'k': {'x': 'y'}}, 'task': {'t': 1}}, 'taskProperties': "
              "{'limits': {'memory': '4Gi'}, 'c': '${X}'}, 'usage': ['Task'], "
              "'maxConcurrentTasks': 5},"
              " 'status': {'streams': 4}}");

    (void)state;
    ps_arena_init(&arena);
    const struct model_account *account = model_account_read(&arena, json, &vars);

    assert_int_equal(account->problem.code, 0);
    assert_string_equal(account->name, "zone");
    assert_string_equal(account->uid, "u");
    assert_string_equal(account->rv, "7");
    assert_int_equal(account->generation, 3);
    assert_true(account->deleting);
    assert_true(account->has_finalizer);
    assert_string_equal(account->namespace, "ns");
    assert_string_equal(text_of(&arena, &account->properties), "limits.memory=2Gi a=1 b=2");
    assert_string_equal(text_of(&arena, &account->application_properties), "k.x=y");
    assert_string_equal(text_of(&arena, &account->task_properties), "limits.memory=4Gi a=1 c=x");
    assert_string_equal(text_of(&arena, &account->task_application_properties), "t=1");
    assert_true(account->for_tasks && !account->for_streams);
    assert_int_equal(account->max_tasks, 5);
    assert_int_equal(js_path_int(account->status, "streams", 0), 4);
    ps_arena_fini(&arena);
}

static void usage_and_limit_have_defaults(void **state)
{
    static const struct {
        const char *spec;
        bool streams, tasks;
        int64_t max;
    } rows[] = {
        {"", true, true, 20},
        {", 'usage': ['Task', 'Stream', 'Task']", true, true, 20},
        {", 'usage': ['Stream']", true, false, 20},
        {", 'maxConcurrentTasks': 0", true, true, 0},
        {", 'properties': {'maximumConcurrentTasks': 7}", true, true, 7},
        {", 'properties': {'maximum-concurrent-tasks': '${N:9}'}", true, true, 9},
        {", 'properties': {'maximum-concurrent-tasks': 7}, 'taskProperties': "
         "{'maximumConcurrentTasks': '8'}",
         true, true, 8},
        {", 'streamProperties': {'maximumConcurrentTasks': 7}", true, true, 20},
        {", 'taskProperties': {'maximumConcurrentTasks': 'x'}, 'maxConcurrentTasks': 100000", true,
         true, 100000},
    };
    const struct model_properties none = {0};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 4096);

        ps_buf_printf(&text, "{'spec': {'type': 'Kubernetes'%s}}", rows[i].spec);
        struct json_t *json PS_AUTO_JS = parse(ps_buf_text(&text));
        const struct model_account *account = model_account_read(&arena, json, &none);

        if (account->problem.code != 0 || account->for_streams != rows[i].streams ||
            account->for_tasks != rows[i].tasks || account->max_tasks != rows[i].max)
            fail_msg("%s: %s, %lld", rows[i].spec, account->problem.message,
                     (long long)account->max_tasks);
    }
    ps_arena_fini(&arena);
}

static void bad_accounts_say_where(void **state)
{
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{}", "spec.type: expected Kubernetes, found nothing"},
        {"{'spec': 7}", "spec.type"},
        {"{'spec': {'type': 'CloudFoundry'}}", "found CloudFoundry"},
        {"{'spec': {'type': 'Kubernetes', 'properties': 'x'}}",
         "spec.properties: expected an object, found a string"},
        {"{'spec': {'type': 'Kubernetes', 'streamProperties': []}}",
         "spec.streamProperties: expected an object"},
        {"{'spec': {'type': 'Kubernetes', 'applicationProperties': {'stream': 1}}}",
         "spec.applicationProperties.stream"},
        {"{'spec': {'type': 'Kubernetes', 'applicationProperties': {'task': []}}}",
         "spec.applicationProperties.task: expected an object"},
        {"{'spec': {'type': 'Kubernetes', 'taskProperties': 7}}",
         "spec.taskProperties: expected an object"},
        {"{'spec': {'type': 'Kubernetes', 'usage': []}}",
         "spec.usage: expected a list of Stream, Task or both"},
        {"{'spec': {'type': 'Kubernetes', 'usage': 'Task'}}", "spec.usage: expected a list"},
        {"{'spec': {'type': 'Kubernetes', 'usage': null}}", "spec.usage: expected a list"},
        {"{'spec': {'type': 'Kubernetes', 'usage': ['Task', 'task']}}",
         "spec.usage[1]: expected Stream or Task, found task"},
        {"{'spec': {'type': 'Kubernetes', 'usage': [7]}}",
         "spec.usage[0]: expected Stream or Task, found an integer"},
        {"{'spec': {'type': 'Kubernetes', 'maxConcurrentTasks': -1}}",
         "spec.maxConcurrentTasks: expected an integer from 0 to 100000"},
        {"{'spec': {'type': 'Kubernetes', 'maxConcurrentTasks': '5'}}", "spec.maxConcurrentTasks"},
        {"{'spec': {'type': 'Kubernetes', 'taskProperties': {'maximum-concurrent-tasks': 'x'}}}",
         "the property maximumConcurrentTasks: expected an integer from 0 to 100000, found x"},
        {"{'spec': {'type': 'Kubernetes', 'properties': {'maximumConcurrentTasks': 100001}}}",
         "maximumConcurrentTasks"},

#define CLUSTER(json) "{'spec': {'type': 'Kubernetes', 'kubernetes': {'cluster': " json "}}}"
        {CLUSTER("{}"), "spec.kubernetes.cluster.secretRef: expected an object with the name of a "
                        "Secret, found nothing"},
        {CLUSTER("null"), "cluster.secretRef: expected an object"},
        {CLUSTER("'gpu'"), "cluster.secretRef: expected an object"},
        {CLUSTER("{'secretRef': 'gpu'}"), "found a string"},
        {CLUSTER("{'secretRef': {}}"), "cluster.secretRef.name: expected the name of a Secret"},
        {CLUSTER("{'secretRef': {'name': ''}}"), "secretRef.name: expected the name of a Secret"},
        {CLUSTER("{'secretRef': {'name': 7}}"),
         "spec.kubernetes.cluster.secretRef.name: expected a string, found an integer"},
    };
    const struct model_properties none = {0};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS = parse(rows[i].json);
        const struct model_account *account = model_account_read(&arena, json, &none);

        if (account->problem.code == 0 || strstr(account->problem.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].json, account->problem.message);
    }
    ps_arena_fini(&arena);
}

/* Also where the spec is wrong: what can't be read is never the operator's own cluster. */
static void the_cluster_of_an_account(void **state)
{
    static const struct {
        const char *json, *secret;
    } rows[] = {
        {"{'spec': {'type': 'Kubernetes', 'kubernetes': {}}}", NULL},
        {CLUSTER("{'secretRef': {'name': 'gpu'}}"), "gpu"},
        {CLUSTER("{'secretRef': {'name': ''}}"), ""},
        {CLUSTER("{'secretRef': {'name': 7}}"), ""},
        {CLUSTER("{}"), ""},
        {CLUSTER("null"), ""},
        {"{'spec': {'type': 'Nomad', 'kubernetes': {'cluster': {'secretRef': {'name': 'gpu'}}}}}",
         "gpu"},
        {"{'spec': {'type': 'Kubernetes', 'allowedNamespaces': 7, 'kubernetes': "
         "{'cluster': {'secretRef': {'name': 'gpu'}}}}}",
         "gpu"},
    };
    const struct model_properties none = {0};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *json PS_AUTO_JS = parse(rows[i].json);
        const struct model_account *account = model_account_read(&arena, json, &none);
        const char *secret = account->cluster_secret;

        if (secret == NULL || rows[i].secret == NULL ? secret != rows[i].secret
                                                     : strcmp(secret, rows[i].secret) != 0)
            fail_msg("%s: %s", rows[i].json, secret ? secret : "(own)");
    }
    ps_arena_fini(&arena);
}

/* ---- small things
 * ------------------------------------------------------------------------------------------ */

static void spellings_are_relaxed(void **state)
{
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    assert_string_equal(model_relaxed(&arena, "imagePullPolicy"), "imagepullpolicy");
    assert_string_equal(model_relaxed(&arena, "IMAGE-PULL_policy."), "imagepullpolicy");
    assert_string_equal(model_relaxed(&arena, "a[0]"), "a[0]");
    assert_string_equal(model_relaxed(&arena, ""), "");
    assert_string_equal(model_lower(&arena, "MyStream-1"), "mystream-1");
    ps_arena_fini(&arena);
}

static void secret_keys(void **state)
{
    static const char *const secrets[] = {"password",
                                          "spring.datasource.password",
                                          "DB_PASSWD",
                                          "my.secret",
                                          "client-secret-id",
                                          "accessToken",
                                          "token",
                                          "api-key",
                                          "apiKey",
                                          "awsCredentials",
                                          "KEY",
                                          "vcap_services",
                                          "spring.datasource.username"};
    static const char *const plain[] = {
        "port", "keyspace", "partitionKeyExpression", "format", "", "monkeys", "name"};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(secrets); i++)
        if (!model_is_secret_key(secrets[i]))
            fail_msg("%s is shown", secrets[i]);
    for (size_t i = 0; i < PS_ARRAY_LEN(plain); i++)
        if (model_is_secret_key(plain[i]))
            fail_msg("%s is hidden", plain[i]);
}

/* A key may be as long as it likes: the word at its end counts too. */
static void long_secret_keys(void **state)
{
    PS_AUTO_BUF(key, 2048);

    (void)state;
    while (key.n < 1000)
        ps_buf_str(&key, "abcdefgh.");
    ps_buf_str(&key, "password");
    assert_true(model_is_secret_key(ps_buf_text(&key)));
}

/* ---- allowedNamespaces --------------------------------------------------------------------- */

#define GOLD "kubernetes.io/metadata.name=cars\nteam=cars\ntier=gold\n"

static void names_and_selector_are_a_union(void **state)
{
    static const struct {
        const char *allowed, *labels;
        bool expected; /* for namespace cars */
    } rows[] = {
        {"{}", GOLD, false},
        {"{'names': []}", GOLD, false},
        {"{'names': ['cars']}", NULL, true},
        {"{'names': ['car', 'carss']}", GOLD, false},
        {"{'selector': {}}", GOLD, true},
        {"{'selector': {}}", NULL, false}, /* not known: nothing selects it */
        {"{'names': ['cars'], 'selector': {'matchLabels': {'team': 'bikes'}}}", GOLD, true},
        {"{'names': ['x'], 'selector': {'matchLabels': {'team': 'cars'}}}", GOLD, true},
        {"{'selector': {'matchLabels': {'team': 'cars', 'tier': 'silver'}}}", GOLD, false},
        {"{'selector': {'matchLabels': {'team': 'cars', 'tier': 'gold'}}}", GOLD, true},
        {"{'selector': {'matchLabels': {'eam': 'cars'}}}", GOLD, false},
        {"{'selector': {'matchLabels': {'team': 'car'}}}", GOLD, false},
        {"{'selector': {'matchLabels': {'team': ''}}}", "team=\n", true},
        {"{'selector': {'matchLabels': {'team': ''}}}", "", false},

#define EXPRESSION(text) "{'selector': {'matchExpressions': [" text "]}}"
        {EXPRESSION("{'key': 'tier', 'operator': 'In', 'values': ['x', 'gold']}"), GOLD, true},
        {EXPRESSION("{'key': 'tier', 'operator': 'In', 'values': ['x']}"), GOLD, false},
        {EXPRESSION("{'key': 'tier', 'operator': 'NotIn', 'values': ['x']}"), GOLD, true},
        {EXPRESSION("{'key': 'tier', 'operator': 'NotIn', 'values': ['gold']}"), GOLD, false},
        {EXPRESSION("{'key': 'tier', 'operator': 'NotIn', 'values': ['gold']}"), "", true},
        {EXPRESSION("{'key': 'tier', 'operator': 'NotIn', 'values': ['gold']}"), NULL, false},
        {EXPRESSION("{'key': 'tier', 'operator': 'Exists'}"), GOLD, true},
        {EXPRESSION("{'key': 'tie', 'operator': 'Exists'}"), GOLD, false},
        {EXPRESSION("{'key': 'tier', 'operator': 'DoesNotExist'}"), GOLD, false},
        {EXPRESSION("{'key': 'x', 'operator': 'DoesNotExist', 'values': []}"), GOLD, true},
        {EXPRESSION("{'key': 'x', 'operator': 'DoesNotExist'}"), NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 1024);
        struct ps_arena arena;

        ps_arena_init(&arena);
        ps_buf_printf(&text,
                      "{'spec': {'type': 'Kubernetes', 'kubernetes': {}, 'allowedNamespaces': %s}}",
                      rows[i].allowed);
        struct json_t *object PS_AUTO_JS = parse(ps_buf_text(&text));
        const struct model_account *account =
            model_account_read(&arena, object, &(struct model_properties){0});

        if (account->problem.code != 0)
            fail_msg("%s: %s", rows[i].allowed, account->problem.message);
        if (model_account_allows(account, "cars", rows[i].labels) != rows[i].expected)
            fail_msg("%s for %s", rows[i].allowed, rows[i].labels ? rows[i].labels : "(unknown)");
        ps_arena_fini(&arena);
    }
}

static void a_limit_that_is_wrong_allows_nobody(void **state)
{
    static const struct {
        const char *allowed, *words;
    } rows[] = {
        {"'cars'", "spec.allowedNamespaces: expected an object, found a string"},
        {"{'names': 'cars'}", "spec.allowedNamespaces.names: expected a list, found a string"},
        {"{'names': [1]}", "spec.allowedNamespaces.names[0]: expected a string, found an integer"},
        {"{'selector': []}", "spec.allowedNamespaces.selector: expected an object, found a"},
        {"{'selector': {'matchLabels': []}}", "selector.matchLabels: expected an object"},
        {"{'selector': {'matchExpressions': {}}}", "matchExpressions: expected a list"},
        {EXPRESSION("{'operator': 'Exists'}"), "matchExpressions[0].key: expected the key"},
        {EXPRESSION("{'key': 'x'}"), "operator: expected In, NotIn, Exists or DoesNotExist, found "
                                     "nothing"},
        {EXPRESSION("{'key': 'x', 'operator': 'Is'}"), "found Is"},
        {EXPRESSION("{'key': 'x', 'operator': 'In'}"), "values: In and NotIn need at least one"},
        {EXPRESSION("{'key': 'x', 'operator': 'Exists', 'values': ['y']}"), "take no values"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 1024);
        struct ps_arena arena;

        ps_arena_init(&arena);
        ps_buf_printf(&text,
                      "{'spec': {'type': 'Kubernetes', 'kubernetes': {}, 'allowedNamespaces': %s}}",
                      rows[i].allowed);
        struct json_t *object PS_AUTO_JS = parse(ps_buf_text(&text));
        const struct model_account *account =
            model_account_read(&arena, object, &(struct model_properties){0});

        if (strstr(account->problem.message, rows[i].words) == NULL)
            fail_msg("%s: %s", rows[i].allowed, account->problem.message);
        assert_false(model_account_allows(account, "cars", NULL));
        ps_arena_fini(&arena);
    }
}

/* ---- policy --------------------------------------------------------------------------------- */

static void a_policy_is_read(void **state)
{
    static const struct {
        const char *policy, *words; /* words NULL: fine */
        enum model_pod_security level;
    } rows[] = {
        {"null", "spec.policy: expected an object, found null", MODEL_BASELINE},
        {"{}", NULL, MODEL_BASELINE},
        {"{'podSecurity': 'Baseline'}", NULL, MODEL_BASELINE},
        {"{'podSecurity': 'Restricted'}", NULL, MODEL_RESTRICTED},
        {"{'podSecurity': 'Privileged'}", NULL, MODEL_PRIVILEGED},
        {"{'podSecurity': 'privileged'}", "expected Restricted, Baseline or Privileged, found pri",
         MODEL_BASELINE},
        {"{'podSecurity': 1}", "spec.policy.podSecurity: expected", MODEL_BASELINE},
        {"[]", "spec.policy: expected an object, found a list", MODEL_BASELINE},
        {"{'serviceAccounts': 'x'}", "spec.policy.serviceAccounts: expected a list", 0},
        {"{'secrets': [1]}", "spec.policy.secrets[0]: expected a string", MODEL_BASELINE},
        {"{'configMaps': {}}", "spec.policy.configMaps: expected a list", MODEL_BASELINE},
        {"{'claims': 1}", "spec.policy.claims: expected a list", MODEL_BASELINE},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 1024);
        struct ps_arena arena;

        ps_arena_init(&arena);
        ps_buf_printf(&text, "{'spec': {'type': 'Kubernetes', 'kubernetes': {}, 'policy': %s}}",
                      rows[i].policy);
        struct json_t *object PS_AUTO_JS = parse(ps_buf_text(&text));
        const struct model_account *account =
            model_account_read(&arena, object, &(struct model_properties){0});

        if ((rows[i].words == NULL) != (account->problem.code == 0) ||
            (rows[i].words != NULL && strstr(account->problem.message, rows[i].words) == NULL))
            fail_msg("%s: %s", rows[i].policy, account->problem.message);
        assert_int_equal(account->policy.pod_security, rows[i].level);
        ps_arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_keys_become_flat),
        cmocka_unit_test(flattening_has_limits),
        cmocka_unit_test(placeholders_come_from_the_variables),
        cmocka_unit_test(an_account_is_read),
        cmocka_unit_test(usage_and_limit_have_defaults),
        cmocka_unit_test(bad_accounts_say_where),
        cmocka_unit_test(the_cluster_of_an_account),
        cmocka_unit_test(spellings_are_relaxed),
        cmocka_unit_test(secret_keys),
        cmocka_unit_test(long_secret_keys),
        cmocka_unit_test(names_and_selector_are_a_union),
        cmocka_unit_test(a_limit_that_is_wrong_allows_nobody),
        cmocka_unit_test(a_policy_is_read),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
