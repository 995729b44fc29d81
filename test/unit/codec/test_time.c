/* SPDX-License-Identifier: Apache-2.0 */
/* codec: durations and points in time. */
#include "codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

#define HOUR_MS ((int64_t)3600 * 1000)

static void durations_are_read_in_milliseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"30s", 30000},
        {"10m", 600000},
        {"1h30m", 5400000},
        {"500ms", 500},
        {"1.5h", 5400000},
        {".5s", 500},
        {"5.s", 5000},
        {"1h1m1s1ms", 3661001},
        {"1s1s", 2000},
        {"1ns", 1},
        {"1000001ns", 2},
        {"1us", 1},
        {"1\xC2\xB5s", 1},
        {"2500\xCE\xBCs", 3},
        {"0.0000000001s", 0},
        {"0.123456789123456789123456789s", 124},
        {"87840h", 87840 * HOUR_MS},
        {"00000000000000000000000000000000000007s", 7000},
        {"007s", 7000},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        int64_t ms = -1;

        if (!codec_duration(ps_str(rows[i].text), &ms) || ms != rows[i].ms)
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
    }
}

static void other_texts_are_no_durations(void **state)
{
    static const char *const rows[] = {
        "",
        "s",
        "1",
        "30",
        "-1s",
        "+1s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1d",
        "1w",
        "PT30S",
        "1h30",
        "1..5s",
        ".s",
        "1,5s",
        "1e3s",
        "0x1s",
        "00",
        "1mm",
        "87841h",
        "87840h1ns",
        "9223372036854775807h",
        "99999999999999999999s",
        "99999999999999999ms",
        "1\xC2s",
        "s1",
    };
    static const char cut[] = {'1', 's', '\0', '1', 's'};
    int64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if (codec_duration(ps_str(rows[i]), &ms))
            fail_msg("%s: %lld", rows[i], (long long)ms);
    }
    assert_false(codec_duration(ps_str_n(cut, sizeof(cut)), &ms));
    assert_false(codec_duration(ps_str_n("1ms", 1), &ms)); /* ends where the view ends */
    assert_true(codec_duration(ps_str_n("1ms", 2), &ms));
    assert_int_equal(ms, 60000);
}

static void a_duration_has_at_most_64_bytes(void **state)
{
    PS_AUTO_BUF(text, 128);
    int64_t ms;

    (void)state;
    while (text.n < 64)
        ps_buf_str(&text, "1s");
    assert_true(codec_duration(ps_buf_get(&text), &ms));
    assert_int_equal(ms, 32000);
    ps_buf_str(&text, "1s");
    assert_false(codec_duration(ps_buf_get(&text), &ms));
}

static void times_may_have_an_offset(void **state)
{
    static const struct {
        const char *text, *utc;
    } rows[] = {
        {"2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"},
        {"2026-11-22t00:00:00z", "2026-11-22T00:00:00Z"},
        {"2026-11-22T00:00:00.999999Z", "2026-11-22T00:00:00Z"},
        {"2026-11-22T00:00:00+00:00", "2026-11-22T00:00:00Z"},
        {"2026-11-22T00:00:00-00:00", "2026-11-22T00:00:00Z"},
        {"2026-11-22T00:00:00+02:00", "2026-11-21T22:00:00Z"},
        {"2026-11-22T00:00:00-09:30", "2026-11-22T09:30:00Z"},
        {"2026-11-22T00:00:00.5+23:59", "2026-11-21T00:01:00Z"},
        {"2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        char text[PS_TIME_TEXT_SIZE] = "";
        int64_t ms = 0;

        if (codec_time(ps_str(rows[i].text), &ms))
            ps_time_text(ms, text);
        if (strcmp(text, rows[i].utc) != 0)
            fail_msg("%s: %s", rows[i].text, text);
    }
}

static void other_texts_are_no_times(void **state)
{
    static const char *const rows[] = {
        "",
        "Z",
        "+02:00",
        "now",
        "2026-11-22",
        "2026-11-22T00:00:00",
        "2026-11-22 00:00:00Z",
        "2026-11-22T00:00:00+0200",
        "2026-11-22T00:00:00+02",
        "2026-11-22T00:00:00+24:00",
        "2026-11-22T00:00:00+02:60",
        "2026-11-22T00:00:00*02:00",
        "2026-11-22T00:00:00Z+02:00",
        "2026-11-22T00:00:00+02:00Z",
        "2026-11-22T25:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "1793235723",
        "2026-11-22T00:00:00.00000000000000000000000000000000000000000000000Z",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if (codec_time(ps_str(rows[i]), &ms))
            fail_msg("%s: %lld", rows[i], (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_in_milliseconds),
        cmocka_unit_test(other_texts_are_no_durations),
        cmocka_unit_test(a_duration_has_at_most_64_bytes),
        cmocka_unit_test(times_may_have_an_offset),
        cmocka_unit_test(other_texts_are_no_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
