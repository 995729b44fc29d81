/* SPDX-License-Identifier: Apache-2.0 */
/* base: log lines and time. */
#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

static int saved = -1, reading = -1;

/* Standard error goes into a file from here until read_log. */
static void catch_log(void)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    reading = dup(fileno(file));
    saved = dup(STDERR_FILENO);
    assert_true(reading >= 0 && saved >= 0);
    assert_true(dup2(reading, STDERR_FILENO) >= 0);
    (void)fclose(file);
}

static void read_log(char *text, size_t size)
{
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(lseek(reading, 0, SEEK_SET), 0);
    const ssize_t n = read(reading, text, size - 1);

    assert_true(n >= 0);
    text[n] = '\0';
    (void)close(saved);
    (void)close(reading);
}

static int64_t fixed_clock(void)
{
    return 1763773323007; /* 2025-11-22T01:02:03.007Z */
}

static void line_is_one_json_object(void **state)
{
    char text[1000];

    (void)state;
    catch_log();
    ps_log_set_clock(fixed_clock);
    ps_log(PS_LOG_INFO, "op_done", "key", "cars/foo", "none", NULL, "error", "a \"b\"\n\xFF", NULL);
    ps_log(PS_LOG_DEBUG, "not_written", NULL);
    ps_log_set_clock(NULL);
    ps_log_set_level(PS_LOG_ERROR);
    ps_log(PS_LOG_WARN, "not_written", NULL);
    ps_log(PS_LOG_ERROR, "bare", NULL);
    ps_log_set_level(PS_LOG_INFO);
    read_log(text, sizeof(text));
    assert_string_equal(
        text, "{\"ts\":\"2025-11-22T01:02:03.007Z\",\"level\":\"info\",\"event\":\"op_done\","
              "\"key\":\"cars/foo\",\"error\":\"a \\\"b\\\"\\n\xEF\xBF\xBD\"}\n"
              "{\"level\":\"error\",\"event\":\"bare\"}\n");
}

static void long_value_is_cut(void **state)
{
    char text[3 * PS_LOG_VALUE_MAX], value[2 * PS_LOG_VALUE_MAX];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    catch_log();
    ps_log(PS_LOG_INFO, "e", "k", value, NULL);
    read_log(text, sizeof(text));
    assert_int_equal(strspn(strstr(text, "xxx"), "x"), PS_LOG_VALUE_MAX);
    assert_string_equal(text + strlen(text) - 3, "\"}\n");
}

static void line_that_is_too_long_stays_json(void **state)
{
    char text[1000], value[PS_LOG_VALUE_MAX];

    (void)state;
    memset(value, '\x01', sizeof(value) - 1); /* six bytes each when escaped */
    value[sizeof(value) - 1] = '\0';
    catch_log();
    ps_log(PS_LOG_WARN, "e", "a", value, "b", value, "c", value, NULL);
    read_log(text, sizeof(text));
    assert_string_equal(text, "{\"level\":\"warn\",\"event\":\"e\",\"too_long\":true}\n");
}

static void time_is_printed_and_read_back(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T01:02:03Z", 1795309323000},
        {"2024-02-29T23:59:59Z", 1709251199000},
        {"2038-01-19T03:14:08Z", 2147483648000},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        char text[PS_TIME_TEXT_SIZE];
        int64_t ms = -1;

        ps_time_text(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
        assert_true(ps_time_parse(ps_str(text), &ms));
        assert_int_equal(ms, rows[i].ms);
    }
    int64_t ms = -1;

    assert_true(ps_time_parse(PS_STR("2026-11-22T01:02:03.987654Z"), &ms));
    assert_int_equal(ms, 1795309323000);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-22",
        "2026-11-22T01:02:03",
        "2026-11-22 01:02:03Z",
        "2026-11-22T01:02:03+01:00",
        "2026-11-22T01:02:03.Z",
        "2026-11-22T01:02:03.12x4Z",
        "2026-11-22T01:02:03garbageZ",
        "2026-11-22T01:02:03ZZ",
        "2026-13-22T01:02:03Z",
        "2026-00-22T01:02:03Z",
        "2026-02-30T01:02:03Z",
        "2025-02-29T01:02:03Z",
        "2026-11-00T01:02:03Z",
        "2026-11-22T24:02:03Z",
        "2026-11-22T01:60:03Z",
        "2026-11-22T01:02:61Z",
        "x026-11-22T01:02:03Z",
        "2026-1-22T01:02:003Z",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(bad); i++)
        if (ps_time_parse(ps_str(bad[i]), &ms))
            fail_msg("taken: \"%s\"", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_one_json_object),
        cmocka_unit_test(long_value_is_cut),
        cmocka_unit_test(line_that_is_too_long_stays_json),
        cmocka_unit_test(time_is_printed_and_read_back),
        cmocka_unit_test(what_is_no_time_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
