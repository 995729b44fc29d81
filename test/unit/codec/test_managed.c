/* SPDX-License-Identifier: Apache-2.0 */
/* codec: what an object says about the fields that someone manages. */
#include "codec/codec.h"
#include "support/apply.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

#define POD(x) "{spec: {template: {spec: {containers: [" x "]}}}}"

static const struct row {
    const char *name, *managed, *object;
    const char *paths; /* at which they differ; "" = not at all */
} rows[] = {
    {"as written", "{a: {b: 1}}", "{a: {b: 1}}", ""},
    {"more than that", "{a: {b: 1}}", "{a: {b: 1, c: 2}, d: 3}", ""},
    {"another value", "{a: {b: 1}}", "{a: {b: 2}}", "a.b"},
    {"another type", "{a: {b: 1}}", "{a: {b: '1'}}", "a.b"},
    {"gone", "{a: {b: 1}}", "{a: {}}", "a.b"},
    {"all gone", "{a: {b: 1}}", "{}", "a"},
    {"empty is left out", "{a: {b: '', c: 0, d: false, e: [], f: {}, g: 1}}", "{a: {g: 1}}", ""},
    {"empty is filled", "{a: {b: ''}}", "{a: {b: x}}", "a.b"},
    {"quantities", "{limits: {memory: 2048Mi, cpu: '0.5'}}", "{limits: {memory: 2Gi, cpu: 500m}}",
     ""},
    {"another quantity", "{limits: {memory: 2048Mi}}", "{limits: {memory: 1Gi}}", "limits.memory"},
    {"quantities elsewhere are texts", "{labels: {memory: 2048Mi}}", "{labels: {memory: 2Gi}}",
     "labels.memory"},
    {"a container more", POD("{name: a, image: x}"), POD("{name: s}, {name: a, image: x}"), ""},
    {"another image", POD("{name: a, image: x}"), POD("{name: s}, {name: a, image: y}"),
     "spec.template.spec.containers[a].image"},
    {"a container less", POD("{name: a, image: x}, {name: b}"), POD("{name: a, image: x}"),
     "spec.template.spec.containers[b]"},
    {"a variable more", POD("{name: a, env: [{name: A, value: x}]}"),
     POD("{name: a, env: [{name: B, value: x}, {name: A, value: x}]}"), ""},
    {"an empty variable", POD("{name: a, env: [{name: A, value: ''}]}"),
     POD("{name: a, env: [{name: A}]}"), ""},
    {"another variable", POD("{name: a, env: [{name: A, value: x}]}"),
     POD("{name: a, env: [{name: A, value: y}]}"), "spec.template.spec.containers[a].env[A].value"},
    {"arguments are one whole", POD("{name: a, args: [x, y]}"), POD("{name: a, args: [x, y, z]}"),
     "spec.template.spec.containers[a].args"},
    {"a port's other fields", "{spec: {ports: [{name: p, port: 80}]}}",
     "{spec: {ports: [{name: p, port: 80, protocol: TCP, targetPort: 80}]}}", ""},
};

static struct json_t *value_of(const char *text)
{
    struct json_t *value = codec_yaml_parse(ps_str(text), NULL);

    if (value == NULL)
        fail_msg("%s", text);
    return value;
}

static void leaves_are_compared(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *managed PS_AUTO_JS = value_of(rows[i].managed);
        struct json_t *object PS_AUTO_JS = value_of(rows[i].object);
        struct json_t *part PS_AUTO_JS = codec_managed(object, managed);
        PS_AUTO_BUF(paths, 1024);

        codec_diff_paths(&paths, part, managed, 10);
        if (strcmp(ps_buf_text(&paths), rows[i].paths) != 0)
            fail_msg("%s: differs at \"%s\"", rows[i].name, ps_buf_text(&paths));
    }
}

/* The patch from what it says to what is managed leaves the rest alone. */
static void the_difference_restores(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *managed PS_AUTO_JS = value_of(rows[i].managed);
        struct json_t *object PS_AUTO_JS = value_of(rows[i].object);
        struct json_t *part PS_AUTO_JS = codec_managed(object, managed);
        struct json_t *patch PS_AUTO_JS = codec_strategic_diff(part, managed);
        struct json_t *mended PS_AUTO_JS = patch ? apply_strategic(object, patch) : js_copy(object);
        struct json_t *after PS_AUTO_JS = codec_managed(mended, managed);

        if (!js_equal(after, managed))
            fail_msg("%s is not restored", rows[i].name);
        if (js_len(mended) < js_len(object))
            fail_msg("%s: something else is gone", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_compared),
        cmocka_unit_test(the_difference_restores),
    };

    codec_init();
    return cmocka_run_group_tests_name("codec/managed", tests, NULL, NULL);
}
