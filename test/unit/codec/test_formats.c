/* SPDX-License-Identifier: Apache-2.0 */
/* codec: quantities, SHA-256, base64, gzip. */
#include "codec/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

static void quantities_are_read_in_thousandths(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"1", 1000},
        {"+1", 1000},
        {"-1", -1000},
        {"007", 7000},
        {"500m", 500},
        {"0.5", 500},
        {".5", 500},
        {"5.", 5000},
        {"1.5", 1500},
        {"100u", 1},
        {"1n", 1},
        {"1000001n", 2},
        {"0.1m", 1},
        {"1.0001", 1001},
        {"-0.0001", -1},
        {"1k", 1000000},
        {"1M", 1000000000},
        {"1G", 1000000000000},
        {"1T", 1000000000000000},
        {"1P", 1000000000000000000},
        {"1E3", 1000000},
        {"1e3", 1000000},
        {"1E+3", 1000000},
        {"12e-1", 1200},
        {"1e-400", 1},
        {"0e400", 0},
        {"0E", 0},
        {"1Ki", 1024000},
        {"2Gi", 2147483648000},
        {"1.5Gi", 1610612736000},
        {"0.1Ki", 102400},
        {"0.0001Ki", 103},
        {"1Ti", 1099511627776000},
        {"1Pi", 1125899906842624000},
        {"8388Ti", 9222703533785088000}, /* the next one is too large */
        {"0.007Ei", 8070450532247928832},
        {"9223372036854775.807", INT64_MAX},
        {"0.00000000000000000000000000000000000000000001Ei", 1},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        int64_t milli = 0;
        const bool taken = codec_quantity(ps_str(rows[i].text), &milli);

        if (!taken || milli != rows[i].milli)
            fail_msg("%s: %s, %lld", rows[i].text, taken ? "taken" : "refused", (long long)milli);
    }
}

static void other_texts_are_no_quantities(void **state)
{
    static const char *const bad[] = {
        "",         "2g",
        "lots",     "k",
        "m",        ".",
        "-",        "+",
        "1.2.3",    "1 Gi",
        "1GI",      "1K",
        "1ki",      "1mi",
        "1b",       "1e",
        "1e+",      "1e1x",
        "1e1.5",    "1ee3",
        "e3",       "E",
        "--1",      "+-1",
        "0x10",     "1_0",
        "1,5",      " 1",
        "1 ",       "1Gi1",
        "1k5",      "1E",
        "1Ei",      "8389Ti",
        "10Pi",     "9223372036854775.808",
        "10e18",    "1e99999999999999999999",
        "\xC2\xB9",
    };
    int64_t milli;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(bad); i++)
        if (codec_quantity(ps_str(bad[i]), &milli))
            fail_msg("taken: \"%s\" as %lld", bad[i], (long long)milli);
}

static void sha256_has_the_known_values(void **state)
{
    char hex[CODEC_SHA256_HEX];

    (void)state;
    codec_sha256_hex(ps_str(NULL), hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    codec_sha256_hex(PS_STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void base64_has_the_known_values(void **state)
{
    /* RFC 4648, section 10 */
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    struct ps_err err;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 100);
        PS_AUTO_BUF(back, 100);

        codec_base64_encode(ps_str(rows[i][0]), &text);
        assert_string_equal(ps_buf_text(&text), rows[i][1]);
        assert_int_equal(codec_base64_decode(ps_buf_get(&text), &back, &err), 0);
        assert_string_equal(ps_buf_text(&back), rows[i][0]);
    }
}

static void base64_takes_white_space_and_lacking_padding(void **state)
{
    static const char *const rows[][2] = {
        {"Zg", "f"},
        {"Zm8", "fo"},
        {" Z m\n9\tv\r\n", "foo"},
        {"Zg= =\n", "f"},
        {"Zm9v\nYmFy", "foobar"},
        {" \n", ""},
    };
    struct ps_err err;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(back, 100);
        assert_int_equal(codec_base64_decode(ps_str(rows[i][0]), &back, &err), 0);
        assert_string_equal(ps_buf_text(&back), rows[i][1]);
    }
}

static void base64_refuses_the_rest_without_quoting_it(void **state)
{
    static const char *const bad[][2] = {
        {"Zm9v!", "byte 5"},    {"Zm-_", "byte 3"},         {"=", "byte 1"},
        {"Z===", "byte 2"},     {"Zg===", "byte 5"},        {"Zm9v=", "byte 5"},
        {"Zg==Zg==", "byte 5"}, {"Z", "middle of a group"}, {"Zg=", "middle"},
        {"Zm9vY", "middle"},    {"secret?", "byte 7"},
    };
    struct ps_err err;

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(bad); i++) {
        PS_AUTO_BUF(back, 100);
        assert_int_equal(codec_base64_decode(ps_str(bad[i][0]), &back, &err), PS_EINVAL);
        if (strstr(err.message, bad[i][1]) == NULL || strstr(err.message, "secret") != NULL)
            fail_msg("%s: %s", bad[i][0], err.message);
    }
    PS_AUTO_BUF(small, 2);
    assert_int_equal(codec_base64_decode(PS_STR("Zm9v"), &small, &err), PS_ELIMIT);
}

static void gzip_comes_back_and_is_always_the_same(void **state)
{
    struct ps_err err;

    (void)state;
    for (size_t n = 0; n < 200000; n = n * 3 + 1) {
        PS_AUTO_BUF(text, 300000);
        PS_AUTO_BUF(packed, 300000);
        PS_AUTO_BUF(again, 300000);
        PS_AUTO_BUF(back, 300000);

        for (size_t i = 0; i < n; i++)
            ps_buf_char(&text, (char)(ps_hash(&i, sizeof(i)) >> 40 & 0xFU));
        codec_gzip(ps_buf_get(&text), &packed);
        codec_gzip(ps_buf_get(&text), &again);
        assert_true(ps_str_eq(ps_buf_get(&packed), ps_buf_get(&again)));
        /* no name, no time */
        assert_memory_equal(packed.p, "\x1F\x8B\x08\x00\x00\x00\x00\x00", 8);
        assert_int_equal(codec_gunzip(ps_buf_get(&packed), &back, &err), 0);
        assert_true(ps_str_eq(ps_buf_get(&back), ps_buf_get(&text)));
    }
}

static void gunzip_stops_at_the_ceiling(void **state)
{
    PS_AUTO_BUF(zeros, 5000000);
    PS_AUTO_BUF(packed, 100000);
    PS_AUTO_BUF(exact, 4000000);
    PS_AUTO_BUF(small, 3999999);
    struct ps_err err;

    (void)state;
    for (size_t i = 0; i < 4000000; i++)
        ps_buf_char(&zeros, '0');
    codec_gzip(ps_buf_get(&zeros), &packed);
    assert_true(packed.n < 5000);
    assert_int_equal(codec_gunzip(ps_buf_get(&packed), &exact, &err), 0);
    assert_int_equal(exact.n, 4000000);
    assert_int_equal(codec_gunzip(ps_buf_get(&packed), &small, &err), PS_ELIMIT);
}

static void damaged_gzip_is_refused(void **state)
{
    static const char text[] = "the text, the text, the other text";
    size_t refused = 0;

    PS_AUTO_BUF(packed, 1000);
    struct ps_err err;

    (void)state;
    codec_gzip(ps_str(text), &packed);
    for (size_t n = 0; n < packed.n; n++) {
        PS_AUTO_BUF(back, 1000);
        assert_int_equal(codec_gunzip(ps_str_n(packed.p, n), &back, &err), PS_EINVAL);
    }
    for (size_t i = 0; i < packed.n; i++) {
        PS_AUTO_BUF(back, 1000);
        /* bytes 4 to 9 are time, flags of the compressor and system: no matter to the content */
        if (i >= 4 && i < 10)
            continue;
        packed.p[i] ^= 0x20;
        /* the last bits before the checksum only fill their byte */
        if (codec_gunzip(ps_buf_get(&packed), &back, &err) == 0)
            assert_string_equal(ps_buf_text(&back), text);
        else
            refused += err.code == PS_EINVAL;
        packed.p[i] ^= 0x20;
    }
    assert_true(refused >= packed.n - 7);
    PS_AUTO_BUF(back, 1000);
    ps_buf_char(&packed, 'x');
    assert_int_equal(codec_gunzip(ps_buf_get(&packed), &back, &err), PS_EINVAL);
    assert_string_equal(err.message, "gzip: 1 bytes behind its end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_read_in_thousandths),
        cmocka_unit_test(other_texts_are_no_quantities),
        cmocka_unit_test(sha256_has_the_known_values),
        cmocka_unit_test(base64_has_the_known_values),
        cmocka_unit_test(base64_takes_white_space_and_lacking_padding),
        cmocka_unit_test(base64_refuses_the_rest_without_quoting_it),
        cmocka_unit_test(gzip_comes_back_and_is_always_the_same),
        cmocka_unit_test(gunzip_stops_at_the_ceiling),
        cmocka_unit_test(damaged_gzip_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
