/* SPDX-License-Identifier: Apache-2.0 */
/* codec: YAML as Kubernetes reads it. */
#include "codec/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

struct row {
    const char *yaml, *json;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ps_err err = {0};
        PS_AUTO_JS struct json_t *got = codec_yaml_parse(ps_str(rows[i].yaml), &err);
        PS_AUTO_JS struct json_t *want = js_parse(ps_str(rows[i].json), &err);
        PS_AUTO_FREE char *text = got ? js_text(got) : NULL;

        if (!js_equal(got, want))
            fail_msg("%s: %s, not %s", rows[i].yaml, text ? text : err.message, rows[i].json);
    }
}

static void plain_scalars_are_resolved(void **state)
{
    static const struct row rows[] = {
        {"yes", "true"},
        {"[y, Y, Yes, YES, on, On, ON, true, True, TRUE]",
         "[true, true, true, true, true, true, true, true, true, true]"},
        {"[n, N, no, No, NO, off, Off, OFF, false, FALSE]",
         "[false, false, false, false, false, false, false, false, false, false]"},
        {"[yEs, oN, tRue, nUll, Nil]", "[\"yEs\", \"oN\", \"tRue\", \"nUll\", \"Nil\"]"},
        {"[~, null, Null, NULL]", "[null, null, null, null]"},
        {"a:", "{\"a\": null}"},
        {"[0, -0, +1, 42, 1_000]", "[0, 0, 1, 42, 1000]"},
        {"[0x1F, -0x10, 0o17, 010, 0b101, -0b11]", "[31, -16, 15, 8, 5, -3]"},
        {"[0x, 0b12, 0o8, _1, '-', 1,000]", "[\"0x\", \"0b12\", \"0o8\", \"_1\", \"-\", 1, 0]"},
        {"[9223372036854775807, -9223372036854775808]",
         "[9223372036854775807, -9223372036854775808]"},
        {"[1.5, .5, -.5, 1.25e2, 1e-1]", "[1.5, 0.5, -0.5, 125, 0.1]"},
        /* a float without a fraction is an integer; 08 is no octal number, and so a float */
        {"[1.0, 1., 1e3, 08, 1e18]", "[1, 1, 1000, 8, 1000000000000000000]"},
        {"18446744073709551615", "18446744073709551615.0"},
        {"[1.2.3, 1e, 1e+, ., .., 1e400]",
         "[\"1.2.3\", \"1e\", \"1e+\", \".\", \"..\", \"1e400\"]"},
        {"[2026-11-22, 2026-11-22T01:02:03Z, 1:30]",
         "[\"2026-11-22\", \"2026-11-22T01:02:03Z\", \"1:30\"]"},
        {"[1.10.0, 512Mi, 500m, =, <<]", "[\"1.10.0\", \"512Mi\", \"500m\", \"=\", \"<<\"]"},
    };

    (void)state;
    check_rows(rows, PS_ARRAY_LEN(rows));
}

static void quoted_and_tagged_scalars_are_what_they_say(void **state)
{
    static const struct row rows[] = {
        {"['yes', \"1\", 'null', \"\"]", "[\"yes\", \"1\", \"null\", \"\"]"},
        {"[!!str yes, !!str 1, ! 1]", "[\"yes\", \"1\", \"1\"]"},
        {"[!!int '3', !!float 3, !!bool 'no', !!null '']", "[3, 3, false, null]"},
        {"!!map {a: !!seq [1]}", "{\"a\": [1]}"},
        {"|\n  a\n  b\n", "\"a\\nb\\n\""},
        {">-\n  a\n  b\n\n  c\n", "\"a b\\nc\""},
        {"\"\\x41\\u00e9\\U0001F600\\t\\/\"", "\"A\xC3\xA9\xF0\x9F\x98\x80\\t/\""},
        {"a: 'it''s'", "{\"a\": \"it's\"}"},
        {"a\n  b", "\"a b\""},
    };

    (void)state;
    check_rows(rows, PS_ARRAY_LEN(rows));
}

static void keys_become_strings(void **state)
{
    static const struct row rows[] = {
        {"{1: a, 0x10: b, 1.5: c, yes: d, 'no': e}",
         "{\"1\": \"a\", \"16\": \"b\", \"1.5\": \"c\", \"true\": \"d\", \"no\": \"e\"}"},
        {"on: push", "{\"true\": \"push\"}"},
        {"0.1: x", "{\"0.1\": \"x\"}"},
        {"? a\n: b", "{\"a\": \"b\"}"},
        {"app.*.x: 1\na.b/c: 2", "{\"app.*.x\": 1, \"a.b/c\": 2}"},
    };

    (void)state;
    check_rows(rows, PS_ARRAY_LEN(rows));
}

static void documents_start_and_end(void **state)
{
    static const struct row rows[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"--- a\n--- b", "\"a\""},
        {"a: 1\n---\nb: 2", "{\"a\": 1}"},
        {"a: 1\n...\nanything", "{\"a\": 1}"},
        {"%YAML 1.1\n---\na: 1", "{\"a\": 1}"},
        {"\xEF\xBB\xBF"
         "a: 1",
         "{\"a\": 1}"},
        {"{\"a\": [1, 2.5, null, true, \"x\"],\n\t\"b\": {}}",
         "{\"a\": [1, 2.5, null, true, \"x\"], \"b\": {}}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\": 1, \"b\": 2}"},
    };

    (void)state;
    check_rows(rows, PS_ARRAY_LEN(rows));
}

static void aliases_and_merge_keys_are_expanded(void **state)
{
    static const struct row rows[] = {
        {"{a: &x {b: 1}, c: *x}", "{\"a\": {\"b\": 1}, \"c\": {\"b\": 1}}"},
        {"[&x 1, *x, &x 2, *x]", "[1, 1, 2, 2]"},
        {"[&k key, {*k : 1}]", "[\"key\", {\"key\": 1}]"},
        {"[&a {x: 1, z: 1}, {<<: *a, z: 2}]", "[{\"x\": 1, \"z\": 1}, {\"x\": 1, \"z\": 2}]"},
        {"[&a {x: 1, z: 1}, {z: 2, <<: *a}]", "[{\"x\": 1, \"z\": 1}, {\"x\": 1, \"z\": 2}]"},
        {"[&a {x: 1}, &b {x: 2, z: 3}, {<<: [*a, *b]}]",
         "[{\"x\": 1}, {\"x\": 2, \"z\": 3}, {\"x\": 1, \"z\": 3}]"},
        {"{'<<': 1}", "{\"<<\": 1}"},
    };

    (void)state;
    check_rows(rows, PS_ARRAY_LEN(rows));
}

static void copies_of_an_alias_are_apart(void **state)
{
    PS_AUTO_JS struct json_t *value = codec_yaml_parse(PS_STR("{a: &x {b: 1}, c: *x}"), NULL);

    (void)state;
    js_set_int(js_get(value, "c"), "b", 2);
    assert_int_equal(js_path_int(value, "a.b", 0), 1);
}

static void what_is_no_yaml_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"a: 1\na: 2", "line 2, column 1: the key \"a\" stands here twice"},
        {"1: a\n'1': b", "line 2, column 1: the key \"1\" stands here twice"},
        {"{<<: {a: 1}, <<: {b: 1}}", "column 14: the key \"<<\" stands here twice"},
        {"a: [1, 2", "line 2, column 1: did not find expected ',' or ']'"},
        {"a:\n\t- 1", "line 2, column 1: "},
        {"a: b: c", "line 1, column 5: "},
        {"a: *x", "line 1, column 4: an alias"},
        {"&a [*a]", "line 1, column 5: an alias"},
        {"[&a 1, &a [*a]]", "column 12: an alias"},
        {"{[a]: 1}", "column 2: a key must be"},
        {"{~: 1}", "column 2: a key must be"},
        {"a: !foo bar", "column 4: a tag"},
        {"a: !!binary aGk=", "column 4: a tag"},
        {"a: !!set {x}", "column 4: a tag"},
        {"a: !!int x", "column 4: the value does not fit its tag"},
        {"a: .inf", "column 4: JSON has neither infinity nor NaN"},
        {"a: \"x\\0\"", "column 4: a string must not hold NUL"},
        {"{<<: 1}", "\"<<\" takes a mapping"},
        {"{<<: [1]}", "\"<<\" takes a mapping"},
        {"{\"a\": 1} x", "line 1, column 10: "},
        {"{\"a\": 1}}", "line 1, column 9: "},
        {"a: \xFF", "line 1, "},
        {"a: \x01", "line 1, "},
        {"%YAML 3.0\n---\na", "line 1, "},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};
        const struct json_t *value = codec_yaml_parse(ps_str(rows[i].yaml), &err);

        assert_null(value);
        if (err.code != PS_EINVAL || strstr(err.message, rows[i].want) == NULL)
            fail_msg("%s: %s", rows[i].yaml, err.message);
    }
    assert_null(codec_yaml_parse(PS_STR("["), NULL));
}

static void repeat(struct ps_buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ps_buf_str(buf, text);
}

static int code_of(struct ps_buf *yaml)
{
    struct ps_err err = {0};
    PS_AUTO_JS struct json_t *value = codec_yaml_parse(ps_buf_get(yaml), &err);

    assert_true((value == NULL) == (err.code != 0));
    return err.code;
}

static void depth_is_bounded(void **state)
{
    PS_AUTO_BUF(good, 1000);
    PS_AUTO_BUF(bad, 1000);
    PS_AUTO_BUF(worse, CODEC_YAML_MAX);

    (void)state;
    repeat(&good, "[", CODEC_YAML_DEPTH_MAX);
    repeat(&good, "]", CODEC_YAML_DEPTH_MAX);
    assert_int_equal(code_of(&good), 0);
    repeat(&bad, "[", CODEC_YAML_DEPTH_MAX + 1);
    repeat(&bad, "]", CODEC_YAML_DEPTH_MAX + 1);
    assert_int_equal(code_of(&bad), PS_ELIMIT);
    repeat(&worse, "{a: ", CODEC_YAML_MAX / 4);
    assert_int_equal(code_of(&worse), PS_ELIMIT);
}

static void a_billion_laughs_end_early(void **state)
{
    PS_AUTO_BUF(nodes, 10000);
    PS_AUTO_BUF(bytes, CODEC_YAML_MAX);

    (void)state;
    ps_buf_str(&nodes, "- &a0 lol\n");
    for (int i = 1; i < 10; i++) {
        ps_buf_printf(&nodes, "- &a%d [", i);
        for (int k = 0; k < 9; k++)
            ps_buf_printf(&nodes, "*a%d, ", i - 1);
        ps_buf_str(&nodes, "]\n");
    }
    assert_int_equal(code_of(&nodes), PS_ELIMIT);
    /* few nodes, much text */
    ps_buf_str(&bytes, "- &a ");
    repeat(&bytes, "x", 1000000);
    ps_buf_str(&bytes, "\n");
    repeat(&bytes, "- *a\n", 20);
    assert_int_equal(code_of(&bytes), PS_ELIMIT);
}

static void size_is_bounded(void **state)
{
    PS_AUTO_BUF(nodes, CODEC_YAML_MAX);
    PS_AUTO_BUF(large, CODEC_YAML_MAX + 1);
    PS_AUTO_BUF(key, 10000);

    (void)state;
    repeat(&nodes, "- 1\n", CODEC_YAML_NODES_MAX - 1);
    assert_int_equal(code_of(&nodes), 0);
    ps_buf_str(&nodes, "- 1\n");
    assert_int_equal(code_of(&nodes), PS_ELIMIT);
    repeat(&large, "x", CODEC_YAML_MAX);
    assert_int_equal(code_of(&large), 0);
    repeat(&large, "x", 1);
    assert_int_equal(code_of(&large), PS_ELIMIT);
    repeat(&key, "k", 5000);
    ps_buf_str(&key, "");
    PS_AUTO_BUF(pair, 10000);
    ps_buf_printf(&pair, "? %s\n: 1", ps_buf_text(&key));
    assert_int_equal(code_of(&pair), PS_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_are_resolved),
        cmocka_unit_test(quoted_and_tagged_scalars_are_what_they_say),
        cmocka_unit_test(keys_become_strings),
        cmocka_unit_test(documents_start_and_end),
        cmocka_unit_test(aliases_and_merge_keys_are_expanded),
        cmocka_unit_test(copies_of_an_alias_are_apart),
        cmocka_unit_test(what_is_no_yaml_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_billion_laughs_end_early),
        cmocka_unit_test(size_is_bounded),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
