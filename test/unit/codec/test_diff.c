/* SPDX-License-Identifier: Apache-2.0 */
/* codec: patches from one value to another, by their text and by applying them. */
#include "codec/codec.h"
#include "support/apply.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

/* YAML's flow form, so that the tables need no escapes. */
static struct json_t *value_of(const char *text)
{
    struct ps_err err;
    struct json_t *value = codec_yaml_parse(ps_str(text), &err);

    if (value == NULL)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static bool same_text(const char *name, const struct json_t *got, const char *want)
{
    PS_AUTO_JS struct json_t *wanted = want ? value_of(want) : NULL;
    const bool same = want ? got != NULL && js_equal(got, wanted) : got == NULL;

    if (!same) {
        PS_AUTO_FREE char *text = got ? js_text(got) : NULL;
        print_error("%s: %s\n", name, text ? text : "no difference");
    }
    return same;
}

#define POD(x) "{spec: {template: {spec: " x "}}}"
#define C(x)   POD("{containers: [{name: a, " x "}]}")
/* $setElementOrder/containers is added whenever a container changes. */
#define PC(x)  POD("{$setElementOrder/containers: [{name: a}], containers: [{name: a, " x "}]}")

struct row {
    const char *name, *from, *to, *strategic, *merge;
};

static const struct row objects[] = {
    {"equal", "{a: {b: [1]}}", "{a: {b: [1]}}", NULL, NULL},
    {"equal in another order", "{a: 1, b: 2}", "{b: 2, a: 1}", NULL, NULL},
    {"null is absent", "{a: null}", "{b: null}", NULL, NULL},
    {"added", "{}", "{a: {b: 1}}", "{a: {b: 1}}", "{a: {b: 1}}"},
    {"changed", "{a: {b: 1, c: 2}}", "{a: {b: 3, c: 2}}", "{a: {b: 3}}", "{a: {b: 3}}"},
    {"removed", "{a: {b: 1, c: 2}}", "{a: {c: 2}}", "{a: {b: null}}", "{a: {b: null}}"},
    {"emptied", "{a: {b: 1}}", "{a: {}}", "{a: {b: null}}", "{a: {b: null}}"},
    {"another type", "{a: {b: 1}, c: 1}", "{a: [1], c: '1'}", "{a: [1], c: '1'}",
     "{a: [1], c: '1'}"},
    {"string to object", "{a: x}", "{a: {b: 1}}", "{a: {b: 1}}", "{a: {b: 1}}"},
    {"list replaced", "{a: [1, 2]}", "{a: [2, 1]}", "{a: [2, 1]}", "{a: [2, 1]}"},
    {"label with dots", "{metadata: {labels: {a.b/c: x, d: y}}}", "{metadata: {labels: {d: y}}}",
     "{metadata: {labels: {a.b/c: null}}}", "{metadata: {labels: {a.b/c: null}}}"},
};

static const struct row lists[] = {
    {"image", C("image: i1"), C("image: i2"), PC("image: i2"), NULL},
    {"args", C("args: [a, b]"), C("args: [a, c]"), PC("args: [a, c]"), NULL},
    {"value to valueFrom", C("env: [{name: A, value: x}]"),
     C("env: [{name: A, valueFrom: {fieldRef: {fieldPath: p}}}]"),
     PC("$setElementOrder/env: [{name: A}], "
        "env: [{name: A, value: null, valueFrom: {fieldRef: {fieldPath: p}}}]"),
     NULL},
    {"env added and removed", C("env: [{name: A, value: x}, {name: B, value: y}]"),
     C("env: [{name: B, value: y}, {name: C, value: z}]"),
     PC("$setElementOrder/env: [{name: B}, {name: C}], "
        "env: [{name: C, value: z}, {name: A, $patch: delete}]"),
     NULL},
    {"env in another order", C("env: [{name: A}, {name: B}]"), C("env: [{name: B}, {name: A}]"),
     PC("$setElementOrder/env: [{name: B}, {name: A}]"), NULL},
    {"env emptied", C("env: [{name: A}]"), C("env: []"), PC("env: [{name: A, $patch: delete}]"),
     NULL},
    {"env gone", C("env: [{name: A}]"), C("image: i"), PC("env: null, image: i"), NULL},
    {"env new", C("image: i"), C("image: i, env: [{name: A}]"), PC("env: [{name: A}]"), NULL},
    {"env twice the same name", C("env: [{name: A, value: x}]"),
     C("env: [{name: A, value: x}, {name: A, value: y}]"),
     PC("env: [{name: A, value: x}, {name: A, value: y}, {$patch: replace}]"), NULL},
    {"env without a name", C("env: [{value: x}]"), C("env: [{name: A}]"),
     PC("env: [{name: A}, {$patch: replace}]"), NULL},
    {"ports of a container", C("ports: [{containerPort: 80, name: a}]"),
     C("ports: [{containerPort: 80, name: b}]"),
     PC("$setElementOrder/ports: [{containerPort: 80}], ports: [{containerPort: 80, name: b}]"),
     NULL},
    {"ports of a service", "{spec: {ports: [{port: 80, targetPort: 1}, {port: 81}]}}",
     "{spec: {ports: [{port: 80, targetPort: 2}]}}",
     "{spec: {$setElementOrder/ports: [{port: 80}], "
     "ports: [{port: 80, targetPort: 2}, {port: 81, $patch: delete}]}}",
     NULL},
    {"volume of another kind", POD("{volumes: [{name: v, configMap: {name: c}}]}"),
     POD("{volumes: [{name: v, secret: {secretName: s}}]}"),
     POD("{$setElementOrder/volumes: [{name: v}], volumes: [{name: v, configMap: null, "
         "secret: {secretName: s}, $retainKeys: [name, secret]}]}"),
     NULL},
    {"strategy", "{spec: {strategy: {type: RollingUpdate}}}",
     "{spec: {strategy: {type: Recreate}}}",
     "{spec: {strategy: {type: Recreate, $retainKeys: [type]}}}", NULL},
    {"tolerations are one value", POD("{tolerations: [{key: a}, {key: b}]}"),
     POD("{tolerations: [{key: b}]}"), POD("{tolerations: [{key: b}]}"), NULL},
    {"our finalizer goes, others stay", "{metadata: {finalizers: [p/a]}}", "{metadata: {}}",
     "{metadata: {$deleteFromPrimitiveList/finalizers: [p/a]}}", NULL},
    {"our owner goes, others stay", "{metadata: {ownerReferences: [{uid: u, name: n}]}}",
     "{metadata: {}}", "{metadata: {ownerReferences: [{uid: u, $patch: delete}]}}", NULL},
    {"another finalizer", "{metadata: {finalizers: [p/a]}}", "{metadata: {finalizers: [p/b]}}",
     "{metadata: {$deleteFromPrimitiveList/finalizers: [p/a], finalizers: [p/b], "
     "$setElementOrder/finalizers: [p/b]}}",
     NULL},
};

static bool check_row(const struct row *row, bool with_merge)
{
    PS_AUTO_JS struct json_t *from = value_of(row->from);
    PS_AUTO_JS struct json_t *to = value_of(row->to);
    PS_AUTO_JS struct json_t *strategic = codec_strategic_diff(from, to);
    PS_AUTO_JS struct json_t *merge = codec_merge_diff(from, to);
    bool good = same_text(row->name, strategic, row->strategic);

    if (with_merge && !same_text(row->name, merge, row->merge))
        good = false;
    if (merge != NULL) {
        PS_AUTO_JS struct json_t *result = apply_merge(from, merge);

        good = same_text(row->name, result, row->to) && good;
    }
    return good;
}

static void patches_are_as_expected(void **state)
{
    bool good = true;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(objects); i++)
        good = check_row(&objects[i], true) && good;
    for (size_t i = 0; i < PS_ARRAY_LEN(lists); i++)
        good = check_row(&lists[i], false) && good;
    assert_true(good);
}

static void patch_of_a_list_keeps_what_others_added(void **state)
{
    PS_AUTO_JS struct json_t *from =
        value_of("{metadata: {finalizers: [p/a], ownerReferences: [{uid: u}]}}");
    PS_AUTO_JS struct json_t *to = value_of("{metadata: {}}");
    PS_AUTO_JS struct json_t *live =
        value_of("{metadata: {finalizers: [x/y, p/a], ownerReferences: [{uid: u}, {uid: w}]}}");
    PS_AUTO_JS struct json_t *patch = codec_strategic_diff(from, to);
    PS_AUTO_JS struct json_t *result = apply_strategic(live, patch);

    (void)state;
    assert_true(
        same_text("live", result, "{metadata: {finalizers: [x/y], ownerReferences: [{uid: w}]}}"));
}

static void values_without_members_are_replaced(void **state)
{
    PS_AUTO_JS struct json_t *object = value_of("{a: 1}");
    PS_AUTO_JS struct json_t *list = value_of("[1]");
    PS_AUTO_JS struct json_t *whole = codec_merge_diff(NULL, object);
    PS_AUTO_JS struct json_t *nothing = codec_merge_diff(object, NULL);
    PS_AUTO_JS struct json_t *other = codec_strategic_diff(object, list);

    (void)state;
    assert_true(js_equal(whole, object));
    assert_int_equal(js_type(nothing), JS_NULL);
    assert_true(js_equal(other, list));
    assert_null(codec_strategic_diff(NULL, NULL));
    assert_null(codec_merge_diff(list, list));
}

/* ---- random deployments ---- */

static uint64_t seed = 42;

static uint64_t pick(uint64_t n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's MMIX */
    return (seed >> 33) % n;
}

/* A list of some of `n` items in random order, each {key: name, …} with a random member. */
static struct json_t *random_list(const char *key, unsigned int n)
{
    struct json_t *list = js_array();
    unsigned int taken = 0;

    while (pick(4) > 0) {
        const unsigned int item = (unsigned int)pick(n);
        struct json_t *object = js_object();
        const char name[] = {(char)('a' + item), '\0'};

        js_set_str(object, key, name);
        if (pick(2) == 0)
            js_set_int(object, "value", (int64_t)pick(3));
        if (pick(2) == 0)
            js_set_bool(js_child(object, "valueFrom"), pick(2) ? "x" : "y", true);
        if ((taken & 1U << item) == 0)
            js_push(list, object);
        else
            js_unref(object);
        taken |= 1U << item;
    }
    return list;
}

static struct json_t *random_deployment(void)
{
    struct json_t *deployment = js_object(), *containers = random_list("name", 3);
    struct json_t *pod = js_child(js_child(js_child(deployment, "spec"), "template"), "spec");

    for (size_t i = 0; i < js_len(containers); i++) {
        js_set(js_at(containers, i), "env", random_list("name", 5));
        js_set(js_at(containers, i), "volumeMounts", random_list("mountPath", 2));
        js_set(js_at(containers, i), "args", random_list("any", 3));
    }
    js_set(pod, "containers", containers);
    js_set(pod, "volumes", random_list("name", 3));
    js_set(pod, "tolerations", random_list("key", 3));
    if (pick(2) == 0)
        js_set_int(js_get(deployment, "spec"), "replicas", (int64_t)pick(3));
    return deployment;
}

static void applied_patch_gives_the_new_value(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        PS_AUTO_JS struct json_t *from = random_deployment();
        PS_AUTO_JS struct json_t *to = random_deployment();
        PS_AUTO_JS struct json_t *strategic = codec_strategic_diff(from, to);
        PS_AUTO_JS struct json_t *merge = codec_merge_diff(from, to);

        assert_true((strategic == NULL) == (bool)js_equal(from, to));
        assert_true((merge == NULL) == (bool)js_equal(from, to));
        if (strategic == NULL)
            continue;
        PS_AUTO_JS struct json_t *a = apply_strategic(from, strategic);
        PS_AUTO_JS struct json_t *b = apply_merge(from, merge);

        if (!js_equal(a, to) || !js_equal(b, to))
            fail_msg("run %d\nfrom  %s\nto    %s\npatch %s\ngives %s", i, js_text(from),
                     js_text(to), js_text(strategic), js_text(a));
    }
}

static void paths_name_what_differs(void **state)
{
    static const struct {
        const char *from, *to;
        size_t max;
        const char *want;
    } rows[] = {
        {"{a: 1}", "{a: 1}", 9, ""},
        {"{a: 1, b: {c: 2}}", "{b: {c: 3}, d: 1}", 9, "a, b.c, d"},
        {"{a: 1, b: {c: 2}}", "{b: {c: 3}, d: 1}", 2, "a, b.c"},
        {"{a: 1}", "{a: 2}", 0, ""},
        {"{a: null}", "{}", 9, ""},
        {"{metadata: {labels: {a.b/c: x}}}", "{metadata: {labels: {a.b/c: y}}}", 9,
         "metadata.labels[a.b/c]"},
        {POD("{containers: [{name: foo-predict-v1, image: a}]}"),
         POD("{containers: [{name: foo-predict-v1, image: b}]}"), 9,
         "spec.template.spec.containers[foo-predict-v1].image"},
        {C("env: [{name: A, value: x}, {name: B}]"), C("env: [{name: A, value: y}, {name: C}]"), 9,
         "spec.template.spec.containers[a].env[A].value, spec.template.spec.containers[a].env[B], "
         "spec.template.spec.containers[a].env[C]"},
        {C("env: [{name: A}, {name: B}]"), C("env: [{name: B}, {name: A}]"), 9,
         "spec.template.spec.containers[a].env"},
        {C("env: [{name: A}, {name: A}]"), C("env: [{name: A}]"), 9,
         "spec.template.spec.containers[a].env"},
        {"{spec: {ports: [{port: 80, name: a}]}}", "{spec: {ports: [{port: 80, name: b}]}}", 9,
         "spec.ports[80].name"},
        {C("args: [a]"), C("args: [b]"), 9, "spec.template.spec.containers[a].args"},
        {"{'': {'': 1}}", "{'': {}}", 9, "[][]"},
        {"[1]", "{a: 1}", 9, "(everything)"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *from = value_of(rows[i].from);
        PS_AUTO_JS struct json_t *to = value_of(rows[i].to);
        PS_AUTO_BUF(text, 1000);

        codec_diff_paths(&text, from, to, rows[i].max);
        assert_string_equal(ps_buf_text(&text), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_as_expected),
        cmocka_unit_test(patch_of_a_list_keeps_what_others_added),
        cmocka_unit_test(values_without_members_are_replaced),
        cmocka_unit_test(applied_patch_gives_the_new_value),
        cmocka_unit_test(paths_name_what_differs),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
