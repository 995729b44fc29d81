/* SPDX-License-Identifier: Apache-2.0 */
/* codec: JSON values. */
#include "codec/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

static struct json_t *value_of(const char *text)
{
    struct ps_err err;
    struct json_t *value = js_parse(ps_str(text), &err);

    if (value == NULL)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static void text_is_compact_and_sorted(void **state)
{
    static const char *const rows[][2] = {
        {" { \"b\" : [ 1 , 2 ] , \"a\" : { \"d\": null, \"c\": true } } ",
         "{\"a\":{\"c\":true,\"d\":null},\"b\":[1,2]}"},
        {"\"x\"", "\"x\""},
        {"-9223372036854775808", "-9223372036854775808"},
        {"null", "null"},
        {"\"\\u00e9\\n\\ud83d\\ude00\"", "\"\xC3\xA9\\n\xF0\x9F\x98\x80\""},
        {"{}", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *value = value_of(rows[i][0]);
        PS_AUTO_FREE char *text = js_text(value);

        assert_string_equal(text, rows[i][1]);
    }
    PS_AUTO_JS struct json_t *a = value_of("{\"x\": 1, \"y\": 2}");
    PS_AUTO_JS struct json_t *b = value_of("{\"y\": 2, \"x\": 1}");
    PS_AUTO_FREE char *text_a = js_text(a), *text_b = js_text(b);

    assert_string_equal(text_a, text_b);
}

/* The other printer is jansson's: hashes of texts that it has made are kept in objects. */
static void both_printers_write_the_same(void **state)
{
    PS_AUTO_JS struct json_t *value = js_object();
    struct json_t *many = js_child(value, "many"), *list = js_array();
    struct codec_paths none;
    struct ps_err err;
    uint64_t hash;
    char all[128] = {0};

    (void)state;
    for (int i = 1; i < 128; i++) {
        const char name[] = {(char)i, 'x', '\0'};

        all[i - 1] = (char)i;
        js_set_int(many, name, i * -1000003);
    }
    js_set_str(value, "characters", all);
    js_set_str(value, "more", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    js_push(list, js_object());
    js_push(list, js_array());
    js_push(list, js_null());
    js_push(list, js_bool(true));
    js_push(list, js_string(""));
    js_push(list, js_integer(0));
    js_push(list, js_integer(INT64_MAX));
    js_push(list, js_integer(INT64_MIN));
    js_set(value, "list", list);
    for (int with_real = 0; with_real < 2; with_real++) {
        PS_AUTO_FREE char *text = js_text(value);
        PS_AUTO_BUF(pretty, CODEC_JSON_MAX);
        PS_AUTO_BUF(compact, CODEC_JSON_MAX);

        js_print_pretty(&pretty, value);
        codec_paths_init(&none, NULL, 0);
        assert_int_equal(codec_compact(&compact, ps_buf_get(&pretty), &none, 0, &hash, &err), 0);
        assert_string_equal(text, ps_buf_text(&compact));
        js_push(list, value_of("0.5"));
    }
}

/* A real number is found on the way, and all is printed anew. */
static void printing_adds_to_what_is_there(void **state)
{
    PS_AUTO_JS struct json_t *whole = value_of("{\"b\": [1], \"a\": 2}");
    PS_AUTO_JS struct json_t *real = value_of("{\"b\": [1, 0.5], \"a\": 2}");
    PS_AUTO_BUF(text, CODEC_JSON_MAX);

    (void)state;
    ps_buf_str(&text, "x");
    js_print(&text, whole);
    js_print(&text, real);
    assert_string_equal(ps_buf_text(&text), "x{\"a\":2,\"b\":[1]}{\"a\":2,\"b\":[1,0.5]}");
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "line 1"},
        {"{\"a\": 1,\n x}", "line 2"},
        {"1 2", "line 1"},
        {"{\"a\":1}}", "line 1"},
        {"{\"a\":1,\"a\":2}", "line 1"},
        {"\"\xFF\"", "line 1"},
        {"[1,]", "line 1"},
        {"NaN", "line 1"},
        {"9223372036854775808", "line 1"},
        {"1e999", "line 1"},
        {"'a'", "line 1"},
        {"\"\\u0000\"", "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};

        assert_null(js_parse(ps_str(rows[i].text), &err));
        assert_int_equal(err.code, PS_EINVAL);
        if (strstr(err.message, rows[i].want) == NULL || strstr(err.message, "column") == NULL)
            fail_msg("%s: %s", rows[i].text, err.message);
    }
    assert_null(js_parse(ps_str(NULL), NULL));
}

static void size_and_depth_are_bounded(void **state)
{
    PS_AUTO_BUF(text, CODEC_JSON_MAX + 1);
    struct ps_err err = {0};

    (void)state;
    ps_buf_char(&text, '"');
    while (text.n < CODEC_JSON_MAX - 1)
        ps_buf_char(&text, 'x');
    ps_buf_char(&text, '"');
    PS_AUTO_JS struct json_t *value = js_parse(ps_buf_get(&text), &err);

    assert_non_null(value);
    ps_buf_char(&text, ' ');
    assert_null(js_parse(ps_buf_get(&text), &err));
    assert_int_equal(err.code, PS_ELIMIT);
    ps_buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        ps_buf_char(&text, '[');
    assert_null(js_parse(ps_buf_get(&text), &err));
    assert_int_equal(err.code, PS_EINVAL);
}

static void readers_answer_absent_for_any_other_shape(void **state)
{
    static const char *const shapes[] = {"null", "1", "1.5", "\"x\"", "[]", "[{}]", "{}", "true"};

    (void)state;
    for (size_t i = 0; i <= PS_ARRAY_LEN(shapes); i++) {
        PS_AUTO_JS struct json_t *value = i > 0 ? value_of(shapes[i - 1]) : NULL;
        void *at = NULL;
        const char *key;
        struct json_t *member;

        assert_null(js_get(value, "a"));
        assert_null(js_path(value, "a.b.c"));
        assert_null(js_path_str(value, "a.b"));
        assert_int_equal(js_path_int(value, "a.b", 7), 7);
        assert_true(js_path_bool(value, "a", true));
        assert_false(js_path_bool(value, "a", false));
        assert_null(js_at(value, 1));
        assert_false(js_next(value, &at, &key, &member));
        if (js_type(value) != JS_STRING)
            assert_null(js_str(value));
        if (js_type(value) != JS_INT)
            assert_int_equal(js_int(value, -3), -3);
        assert_int_equal(js_is_true(value), js_type(value) == JS_BOOL);
    }
}

static void paths_lead_through_objects(void **state)
{
    PS_AUTO_JS struct json_t *value =
        value_of("{\"metadata\":{\"name\":\"foo\",\"generation\":3,\"labels\":{\"a.b/c\":\"x\"}},"
                 "\"ok\":true,\"list\":[1]}");

    (void)state;
    assert_string_equal(js_path_str(value, "metadata.name"), "foo");
    assert_int_equal(js_path_int(value, "metadata.generation", 0), 3);
    assert_int_equal(js_path_int(value, "metadata.name", 9), 9);
    assert_true(js_path_bool(value, "ok", false));
    assert_null(js_path(value, "metadata.labels.a.b/c"));
    assert_string_equal(js_str(js_get(js_path(value, "metadata.labels"), "a.b/c")), "x");
    assert_null(js_path(value, "metadata.name.x"));
    assert_null(js_path(value, "list.0"));
    assert_null(js_path(value, ""));
    assert_null(js_path(value, "metadata..name"));
}

static void types_are_named_for_people(void **state)
{
    static const struct {
        const char *text, *name;
        enum js_type type;
    } rows[] = {
        {"null", "null", JS_NULL},       {"true", "a boolean", JS_BOOL},
        {"false", "a boolean", JS_BOOL}, {"1", "an integer", JS_INT},
        {"1.5", "a number", JS_REAL},    {"\"x\"", "a string", JS_STRING},
        {"[]", "a list", JS_ARRAY},      {"{}", "an object", JS_OBJECT},
    };

    (void)state;
    assert_int_equal(js_type(NULL), JS_ABSENT);
    assert_string_equal(js_type_name(NULL), "nothing");
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *value = value_of(rows[i].text);

        assert_int_equal(js_type(value), rows[i].type);
        assert_string_equal(js_type_name(value), rows[i].name);
    }
}

static void values_are_built_and_changed(void **state)
{
    PS_AUTO_JS struct json_t *object = js_object();
    struct json_t *list = js_array();

    (void)state;
    js_set_str(object, "s", "x");
    js_set_str(object, "none", NULL);
    js_set(object, "none", NULL);
    js_set_int(object, "i", INT64_MIN);
    js_set_bool(object, "b", false);
    js_set(object, "n", js_null());
    js_push(list, js_integer(1));
    js_push(list, NULL);
    js_push(list, js_string_n(PS_STR("two")));
    js_set(object, "l", list);
    js_set_str(js_child(js_child(object, "c"), "d"), "e", "f");
    js_set_str(js_child(object, "s"), "was", "a string");
    js_set_int(object, "gone", 1);
    js_remove(object, "gone");
    js_remove(object, "never there");
    PS_AUTO_FREE char *text = js_text(object);

    assert_string_equal(text, "{\"b\":false,\"c\":{\"d\":{\"e\":\"f\"}},\"i\":-9223372036854775808,"
                              "\"l\":[1,\"two\"],\"n\":null,\"s\":{\"was\":\"a string\"}}");
    assert_int_equal(js_len(object), 6);
    assert_int_equal(js_len(list), 2);
    assert_int_equal(js_int(js_at(list, 0), 0), 1);
}

static void copies_are_apart_and_references_are_not(void **state)
{
    PS_AUTO_JS struct json_t *object = value_of("{\"a\":{\"b\":[1]}}");
    PS_AUTO_JS struct json_t *copy = js_copy(object);
    PS_AUTO_JS struct json_t *same = js_ref(object);

    (void)state;
    assert_true(js_equal(object, copy));
    js_push(js_path(object, "a.b"), js_integer(2));
    assert_false(js_equal(object, copy));
    assert_true(js_equal(object, same));
    assert_int_equal(js_len(js_path(copy, "a.b")), 1);
    struct json_t *top PS_AUTO_JS = js_copy_top(object);

    js_set_int(top, "c", 3); /* not in the other one … */
    js_push(js_path(object, "a.b"), js_integer(4));
    assert_null(js_get(object, "c"));
    assert_int_equal(js_len(js_path(top, "a.b")), 3); /* … but what they share is one */
    assert_null(js_copy_top(NULL));
    assert_null(js_copy(NULL));
    assert_null(js_ref(NULL));
    js_unref(NULL);
    assert_true(js_equal(NULL, NULL));
    assert_false(js_equal(object, NULL));
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    PS_AUTO_JS struct json_t *value = js_string_n(ps_str_n("a\xFF\"z", 4));
    PS_AUTO_JS struct json_t *empty = js_string_n(ps_str(NULL));

    (void)state;
    assert_string_equal(js_str(value), "a\xEF\xBF\xBD\"z");
    assert_string_equal(js_str(empty), "");
}

static void members_are_walked_in_the_order_of_their_insertion(void **state)
{
    PS_AUTO_JS struct json_t *object = value_of("{\"z\":1,\"a\":2,\"m\":3}");
    PS_AUTO_BUF(seen, 100);
    void *at = NULL;
    const char *key;
    struct json_t *value;

    (void)state;
    while (js_next(object, &at, &key, &value))
        ps_buf_printf(&seen, "%s%d ", key, (int)js_int(value, 0));
    assert_string_equal(ps_buf_text(&seen), "z1 a2 m3 ");
}

static void numbers_are_read_again_as_what_they_were(void **state)
{
    static const char *const rows[][2] = {
        {"1.1", "1.1"},
        {"[0.1,0.5,1e300]", "[0.1,0.5,1e300]"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"{\"a\":[8.888888888888889e19]}", "{\"a\":[8.888888888888889e19]}"},
        {"1e20", "1e20"},
        {"-0.0", "-0.0"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *value = value_of(rows[i][0]);
        PS_AUTO_FREE char *text = js_text(value);
        PS_AUTO_JS struct json_t *again = value_of(text);

        assert_string_equal(text, rows[i][1]);
        assert_true(js_equal(value, again));
    }
}

static void printing_stops_at_the_ceiling(void **state)
{
    PS_AUTO_JS struct json_t *value = value_of("{\"a\":\"0123456789\"}");
    PS_AUTO_BUF(small, 10);

    (void)state;
    js_print(&small, value);
    assert_true(ps_buf_failed(&small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_compact_and_sorted),
        cmocka_unit_test(both_printers_write_the_same),
        cmocka_unit_test(printing_adds_to_what_is_there),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(readers_answer_absent_for_any_other_shape),
        cmocka_unit_test(paths_lead_through_objects),
        cmocka_unit_test(types_are_named_for_people),
        cmocka_unit_test(values_are_built_and_changed),
        cmocka_unit_test(copies_are_apart_and_references_are_not),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(members_are_walked_in_the_order_of_their_insertion),
        cmocka_unit_test(numbers_are_read_again_as_what_they_were),
        cmocka_unit_test(printing_stops_at_the_ceiling),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
