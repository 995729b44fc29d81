/* SPDX-License-Identifier: Apache-2.0 */
/* base: views, buffers, JSON escapes, errors. */
#include "base/base.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

static void buffer_keeps_its_text_at_the_ceiling(void **state)
{
    (void)state;
    PS_AUTO_BUF(buf, 8);
    ps_buf_str(&buf, "12345678");
    assert_false(ps_buf_failed(&buf));
    ps_buf_char(&buf, '9');
    assert_true(ps_buf_failed(&buf));
    assert_string_equal(ps_buf_text(&buf), "12345678");
    ps_buf_add(&buf, "", 0);
    assert_true(ps_buf_failed(&buf));
    ps_buf_clear(&buf);
    ps_buf_printf(&buf, "%s-%d", "ab", 42);
    assert_false(ps_buf_failed(&buf));
    assert_string_equal(ps_buf_text(&buf), "ab-42");
}

static void buffer_failure_is_sticky(void **state)
{
    (void)state;
    PS_AUTO_BUF(buf, 4);
    ps_buf_str(&buf, "abc");
    ps_buf_str(&buf, "defgh");
    ps_buf_str(&buf, "d");
    ps_buf_printf(&buf, "%d", 1);
    assert_true(ps_buf_failed(&buf));
    assert_string_equal(ps_buf_text(&buf), "abc");
}

/* There is room behind the ceiling: buffers grow by doubling. */
static void formatting_beyond_the_ceiling_leaves_the_text(void **state)
{
    (void)state;
    PS_AUTO_BUF(buf, 8);
    ps_buf_printf(&buf, "%s", "abcde");
    ps_buf_printf(&buf, "%s", "fghi");
    assert_true(ps_buf_failed(&buf));
    assert_string_equal(ps_buf_text(&buf), "abcde");
}

static void buffer_formats_drops_and_gives_away(void **state)
{
    (void)state;
    PS_AUTO_BUF(buf, 100000);
    assert_string_equal(ps_buf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        ps_buf_printf(&buf, "%03d,", i);
    assert_int_equal(buf.n, 4000);
    ps_buf_drop(&buf, 3996);
    assert_string_equal(ps_buf_text(&buf), "999,");
    ps_buf_drop(&buf, 0);
    ps_buf_cut(&buf, 4);
    ps_buf_printf(&buf, "%d", 7);
    ps_buf_cut(&buf, 4);
    assert_string_equal(ps_buf_text(&buf), "999,");
    char *taken = ps_buf_take(&buf);

    assert_string_equal(taken, "999,");
    ps_free(taken);
    assert_int_equal(buf.n, 0);
    taken = ps_buf_take(&buf);
    assert_string_equal(taken, "");
    ps_free(taken);
}

static void json_text_is_escaped_and_always_utf8(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"plain", "abc /'", "\"abc /'\""},
        {"quotes", "a\"b\\c", "\"a\\\"b\\\\c\""},
        {"controls", "\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\""},
        {"two, three and four bytes", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
         "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"lone continuation", "a\x80z", "\"a\xEF\xBF\xBDz\""},
        {"cut sequence", "a\xE2\x82", "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"overlong slash", "\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"overlong three bytes", "\xE0\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"surrogate", "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"last code point", "\xF4\x8F\xBF\xBF", "\"\xF4\x8F\xBF\xBF\""},
        {"above it", "\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"not a start byte", "\xFF", "\"\xEF\xBF\xBD\""},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(buf, 1000);
        ps_buf_json(&buf, ps_str(rows[i].text));
        if (strcmp(ps_buf_text(&buf), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].name, ps_buf_text(&buf));
    }
    PS_AUTO_BUF(buf, 100);
    ps_buf_json(&buf, ps_str_n("a\0b", 3));
    assert_string_equal(ps_buf_text(&buf), "\"a\\u0000b\"");
}

static void views_compare_search_and_trim(void **state)
{
    const struct ps_str s = PS_STR("Hello, World");

    (void)state;
    assert_true(ps_str_is(s, "Hello, World"));
    assert_false(ps_str_is(s, "Hello"));
    assert_true(ps_str_ieq(s, PS_STR("hELLO, wORLD")));
    assert_false(ps_str_ieq(PS_STR("a["), PS_STR("a{"))); /* differ by 32, and are no letters */
    assert_true(ps_str_starts(s, "Hello"));
    assert_true(ps_str_starts(s, ""));
    assert_false(ps_str_starts(PS_STR("He"), "Hello"));
    assert_true(ps_str_ends(s, "World"));
    assert_false(ps_str_ends(PS_STR("d"), "World"));
    assert_int_equal(ps_str_index(s, 'o'), 4);
    assert_int_equal(ps_str_index(s, 'z'), -1);
    assert_int_equal(ps_str_find(s, "World"), 7);
    assert_int_equal(ps_str_find(s, "world"), -1);
    assert_int_equal(ps_str_find(ps_str(NULL), "x"), -1);
    assert_true(ps_str_is(ps_str_trim(PS_STR(" \t\r\n a b \v\f")), "a b"));
    assert_int_equal(ps_str_trim(PS_STR("   ")).n, 0);
    assert_true(ps_str_eq(ps_str(NULL), PS_STR("")));
    assert_true(ps_streq(NULL, NULL));
    assert_false(ps_streq(NULL, ""));
    assert_true(ps_streq("a", "a"));
}

static void split_gives_every_part(void **state)
{
    static const struct {
        const char *text;
        const char *parts[4];
        size_t n;
    } rows[] = {
        {"a,b,c", {"a", "b", "c"}, 3}, {"a", {"a"}, 1},      {"", {""}, 1}, {",", {"", ""}, 2},
        {"a,,b", {"a", "", "b"}, 3},   {"a,", {"a", ""}, 2},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_str rest = ps_str(rows[i].text), part;
        size_t n = 0;

        while (ps_str_split(&rest, ',', &part)) {
            assert_true(n < rows[i].n);
            assert_true(ps_str_is(part, rows[i].parts[n]));
            n++;
        }
        assert_int_equal(n, rows[i].n);
    }
    struct ps_str none = ps_str(NULL), part;

    assert_false(ps_str_split(&none, ',', &part));
}

static void integers_are_digits_only_and_do_not_overflow(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "9223372036854775808", "99999999999999999999",
    };
    int64_t value = -1;

    (void)state;
    assert_true(ps_str_to_i64(PS_STR("0"), &value));
    assert_int_equal(value, 0);
    assert_true(ps_str_to_i64(PS_STR("00042"), &value));
    assert_int_equal(value, 42);
    assert_true(ps_str_to_i64(PS_STR("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    for (size_t i = 0; i < PS_ARRAY_LEN(bad); i++)
        if (ps_str_to_i64(ps_str(bad[i]), &value))
            fail_msg("taken: \"%s\"", bad[i]);
}

static void errors_carry_code_class_and_message(void **state)
{
    struct ps_err err = {.http_status = 500, .retry_after_ms = 7};

    (void)state;
    assert_int_equal(ps_fail(&err, PS_ECONFLICT, "x: %d", 5), PS_ECONFLICT);
    assert_int_equal(err.code, PS_ECONFLICT);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.retry_after_ms, 0);
    assert_string_equal(err.message, "x: 5");
    assert_int_equal(ps_fail_prefix(&err, "stream %s", "foo"), PS_ECONFLICT);
    assert_string_equal(err.message, "stream foo: x: 5");
    assert_int_equal(ps_fail(NULL, PS_EIO, "nobody listens"), PS_EIO);
    assert_int_equal(ps_code_class(PS_ECONFLICT), PS_CLASS_CONFLICT);
    assert_int_equal(ps_code_class(PS_EFOREIGN), PS_CLASS_FOREIGN);
    assert_string_equal(ps_code_name(PS_EINVAL), "PS_EINVAL");
    assert_string_equal(ps_code_name(0), "PS_OK");
    assert_string_equal(ps_code_text(PS_EFOREIGN), "belongs to someone else");
    ps_err_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err.message, "");
}

static void error_may_quote_itself(void **state)
{
    struct ps_err err;

    (void)state;
    (void)ps_fail(&err, PS_EIO, "inner");
    (void)ps_fail(&err, PS_ESERVER, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void long_message_is_cut_between_characters(void **state)
{
    char text[2 * PS_ERR_MESSAGE_MAX] = "";
    struct ps_err err;

    (void)state;
    /* Shifted by up to three bytes, so that the cut falls on each byte of a character. */
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 5 < sizeof(text); i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        (void)ps_fail(&err, PS_EINVAL, "%s", text);
        const size_t n = strlen(err.message);

        assert_true(n < PS_ERR_MESSAGE_MAX && n > PS_ERR_MESSAGE_MAX - 10);
        assert_int_equal((n - shift) % 4, 0);
        (void)ps_fail_prefix(&err, "ab");
        assert_int_equal((strlen(err.message) - shift - 4) % 4, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_keeps_its_text_at_the_ceiling),
        cmocka_unit_test(buffer_failure_is_sticky),
        cmocka_unit_test(formatting_beyond_the_ceiling_leaves_the_text),
        cmocka_unit_test(buffer_formats_drops_and_gives_away),
        cmocka_unit_test(json_text_is_escaped_and_always_utf8),
        cmocka_unit_test(views_compare_search_and_trim),
        cmocka_unit_test(split_gives_every_part),
        cmocka_unit_test(integers_are_digits_only_and_do_not_overflow),
        cmocka_unit_test(errors_carry_code_class_and_message),
        cmocka_unit_test(error_may_quote_itself),
        cmocka_unit_test(long_message_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
