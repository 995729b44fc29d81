/* SPDX-License-Identifier: Apache-2.0 */
/* The framer on a recording cut everywhere, and the scanner on texts no parser would take. */
#include "kube/reflector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define FRAMES 6
static const char *const frames[FRAMES] = {
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}}",
    "{\"type\":\"MODIFIED\",\"object\":{\"data\":{\"x\":\"}{][\\\"}\\\\\",\"y\":\"\\\\\\\\\"}}}",
    "{}",
    "{ \"a\" : [ [ ], [ { } ], \"]\" ] ,\n \"b\" : \"line\\nend \\u007d\" }",
    "{\"u\":\"\xc3\xa9\xf0\x9f\x9a\xb0\",\"n\":-1.5e3,\"t\":true,\"z\":null}",
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}",
};
/* What stands before each: servers send line ends, pretty printers more. */
static const char *const gaps[FRAMES] = {"", "\n", "\r\n", "", " \n\t", "\n"};

struct seen {
    int count, stop_at;
    bool wrong;
};

static bool on_frame(void *self, struct ps_str frame)
{
    struct seen *seen = self;

    seen->wrong |= seen->count >= FRAMES || !ps_str_is(frame, frames[seen->count]);
    seen->count++;
    return seen->count != seen->stop_at;
}

static void recording(struct ps_buf *out)
{
    for (int i = 0; i < FRAMES; i++) {
        ps_buf_str(out, gaps[i]);
        ps_buf_str(out, frames[i]);
    }
    ps_buf_str(out, "\n");
}

static void pieces_cut_at_every_byte_give_the_same_frames(void **state)
{
    (void)state;
    PS_AUTO_BUF(all, 4096);
    recording(&all);
    for (size_t cut = 0; cut <= all.n; cut++) {
        for (size_t second = cut; second <= all.n; second += 1 + all.n / 7) {
            struct kube__framer framer;
            struct seen seen = {0};
            const struct ps_str text = ps_buf_get(&all);
            const struct ps_str parts[] = {ps_str_head(text, cut),
                                           ps_str_n(text.p + cut, second - cut),
                                           ps_str_skip(text, second)};

            kube__framer_init(&framer, KUBE_FRAME_MAX);
            for (size_t i = 0; i < PS_ARRAY_LEN(parts); i++)
                assert_int_equal(kube__framer_feed(&framer, parts[i], on_frame, &seen), 0);
            assert_int_equal(seen.count, FRAMES);
            assert_false(seen.wrong);
            kube__framer_fini(&framer);
        }
    }
}

static void single_bytes_give_the_same_frames(void **state)
{
    (void)state;
    struct kube__framer framer;
    struct seen seen = {0};
    PS_AUTO_BUF(all, 4096);

    recording(&all);
    kube__framer_init(&framer, KUBE_FRAME_MAX);
    for (size_t i = 0; i < all.n; i++) {
        char *byte = ps_xstrndup(all.p + i, 1); /* alone in memory: sanitizers see an overrun */

        assert_int_equal(kube__framer_feed(&framer, ps_str_n(byte, 1), on_frame, &seen), 0);
        ps_free(byte);
    }
    assert_int_equal(seen.count, FRAMES);
    assert_false(seen.wrong);
    kube__framer_fini(&framer);
}

static bool count_only(void *self, struct ps_str frame)
{
    (void)frame;
    (*(int *)self)++;
    return true;
}

static void limits_and_garbage_end_the_stream(void **state)
{
    (void)state;

    static const struct {
        const char *first, *second;
        int code, count;
    } rows[] = {
        {"{\"a\":1}", "{\"a\":12345}", 0, 2}, /* 10 and less fit */
        {"{\"a\":123456}", "", PS_ELIMIT, 0},
        {"{\"a\":1", "23456}", PS_ELIMIT, 0},
        {"{\"a\":1234567", "", PS_ELIMIT, 0},
        {"x", "", PS_EPROTO, 0},
        {"{}", "]", PS_EPROTO, 1},
        {"[{}]", "", PS_EPROTO, 0},
        {"{}\"{}\"", "", PS_EPROTO, 1},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct kube__framer framer;
        int count = 0;

        kube__framer_init(&framer, 11);
        int code = kube__framer_feed(&framer, ps_str(rows[i].first), count_only, &count);

        if (code == 0)
            code = kube__framer_feed(&framer, ps_str(rows[i].second), count_only, &count);
        assert_int_equal(code, rows[i].code);
        assert_int_equal(count, rows[i].count);
        kube__framer_fini(&framer);
    }
    struct kube__framer framer;
    int count = 0;

    kube__framer_init(&framer, 11);
    assert_int_equal(kube__framer_feed(&framer, ps_str_n("\0{}", 3), count_only, &count),
                     PS_EPROTO);
    kube__framer_fini(&framer);
}

static void reader_may_stop(void **state)
{
    (void)state;
    struct kube__framer framer;
    struct seen seen = {.stop_at = 2};
    PS_AUTO_BUF(all, 4096);

    recording(&all);
    kube__framer_init(&framer, KUBE_FRAME_MAX);
    assert_int_equal(kube__framer_feed(&framer, ps_buf_get(&all), on_frame, &seen), PS_ECANCELED);
    assert_int_equal(seen.count, 2);
    kube__framer_clear(&framer);
    seen = (struct seen){0};
    assert_int_equal(kube__framer_feed(&framer, ps_buf_get(&all), on_frame, &seen), 0);
    assert_int_equal(seen.count, FRAMES);
    kube__framer_fini(&framer);
}

static void members_are_found_without_parsing(void **state)
{
    (void)state;

    static const struct {
        const char *object, *key, *value;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "b", "2"},
        {"{\"a\":1,\"b\":2}", "a", "1"},
        {"{\"a\":1,\"b\":2}", "c", NULL},
        {" {\n \"a\" : { \"b\" : 3 } , \"b\" : [ 1, \"]\" ] }", "b", "[ 1, \"]\" ]"},
        {"{\"a\":\"x\\\"y\\\\\",\"b\":true}", "b", "true"},
        {"{\"a\":{\"b\":9}}", "b", NULL},
        {"{\"a\":\"\\u0000\",\"b\":99999999999999999999}", "b", "99999999999999999999"},
        {"{\"a\":1", "a", "1"},
        {"{\"a\":{\"x\":1", "a", NULL},
        {"{\"a\":\"x", "a", NULL},
        {"{\"a\"", "a", NULL},
        {"{\"a\":", "a", NULL},
        {"{\"a", "a", NULL},
        {"{", "a", NULL},
        {"", "a", NULL},
        {"[1]", "a", NULL},
        {"{1:2,\"a\":3}", "a", NULL},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_str value = {0};
        char *text = ps_xstrndup(rows[i].object, strlen(rows[i].object));
        const bool found = kube__scan_member(ps_str(text), rows[i].key, &value);

        if (found != (rows[i].value != NULL) || (found && !ps_str_is(value, rows[i].value)))
            fail_msg("row %zu: found %d, %.*s", i, found, PS_STR_ARG(value));
        ps_free(text);
    }
}

static void shreds_give_names_or_nothing(void **state)
{
    (void)state;
    struct kube__shreds shreds;

    kube__scan_object(
        PS_STR("{\"spec\":{\"name\":\"no\"},\"metadata\":{\"name\":\"a\",\"namespace\":\"n\","
               "\"uid\":\"u\",\"resourceVersion\":\"7\"},\"x\":\"\\u0000\"}"),
        &shreds);
    assert_string_equal(shreds.name, "a");
    assert_string_equal(shreds.namespace, "n");
    assert_string_equal(shreds.uid, "u");
    assert_string_equal(shreds.rv, "7");
    kube__scan_object(
        PS_STR("{\"metadata\":{\"name\":\"a\\u0062\",\"namespace\":3,\"uid\":\"\xc3\xa9\"}}"),
        &shreds);
    assert_string_equal(shreds.name, "");
    assert_string_equal(shreds.namespace, "");
    assert_string_equal(shreds.uid, "");
    assert_string_equal(shreds.rv, "");
    kube__scan_object(PS_STR("[]"), &shreds);
    assert_string_equal(shreds.name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_cut_at_every_byte_give_the_same_frames),
        cmocka_unit_test(single_bytes_give_the_same_frames),
        cmocka_unit_test(limits_and_garbage_end_the_stream),
        cmocka_unit_test(reader_may_stop),
        cmocka_unit_test(members_are_found_without_parsing),
        cmocka_unit_test(shreds_give_names_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
