/* SPDX-License-Identifier: Apache-2.0 */
/* codec: JSON text read without trees. */
#include "codec/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

#define OUT_MAX ((size_t)1 << 20)

static int check(struct ps_str text, struct ps_err *err)
{
    struct codec_paths none;

    codec_paths_init(&none, NULL, 0);
    return codec_pick(&none, text, NULL, err);
}

/* ---- acceptance ---- */

static void the_same_texts_are_json_as_for_the_parser(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"{}", true},
        {" [ ] \n\t\r", true},
        {"", false},
        {" ", false},
        {"1 2", false},
        {"{\"a\":1,}", false},
        {"[1,]", false},
        {"[,1]", false},
        {"{,}", false},
        {"{\"a\" 1}", false},
        {"{\"a\":}", false},
        {"{a:1}", false},
        {"{1:1}", false},
        {"[1 2]", false},
        {"[1}", false},
        {"{\"a\":1]", false},
        {"[", false},
        {"{\"a\":1", false},
        {"[1]\v", false},
        {"\xEF\xBB\xBF{}", false},
        {"tru", false},
        {"nullx", false},
        {"True", false},
        {"true", true},
        {"0", true},
        {"-0", true},
        {"01", false},
        {"-", false},
        {"+1", false},
        {".5", false},
        {"1.", false},
        {"1.e5", false},
        {"1e", false},
        {"1e+", false},
        {"1E+5", true},
        {"-1.25e-7", true},
        {"1e308", true},
        {"1e309", false},
        {"-1e309", false},
        {"1e-999", true},
        {"0e999999", true},
        {"9223372036854775807", true},
        {"9223372036854775808", false},
        {"-9223372036854775808", true},
        {"-9223372036854775809", false},
        {"10000000000000000000", false},
        {"99999999999999999999.0", true},
        {"\"\x7F\"", true},
        {"\"\x1F\"", false},
        {"\"\t\"", false},
        {"\"a", false},
        {"\"a\\", false},
        {"\"a\\\"", false},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", true},
        {"\"\\x\"", false},
        {"\"\\'\"", false},
        {"\"\\u12\"", false},
        {"\"\\u12G4\"", false},
        {"\"\\uD83D\\uDE00\"", true},
        {"\"\\uD83D\"", false},
        {"\"\\uD83Dx\"", false},
        {"\"\\uD83D\\u0041\"", false},
        {"\"\\uDE00\"", false},
        {"\"\xC3\xA9\"", true},
        {"\"\xC3\"", false},
        {"\"\xC3(\"", false},
        {"\"\xC0\x80\"", false},
        {"\"\x80\"", false},
        {"\"\xE0\x80\x80\"", false},
        {"\"\xE0\xA0\x80\"", true},
        {"\"\xED\x9F\xBF\"", true},
        {"\"\xED\xA0\x80\"", false},
        {"\"\xEF\xBF\xBF\"", true},
        {"\"\xF0\x8F\xBF\xBF\"", false},
        {"\"\xF0\x90\x80\x80\"", true},
        {"\"\xF4\x8F\xBF\xBF\"", true},
        {"\"\xF4\x90\x80\x80\"", false},
        {"\"\xF5\x80\x80\x80\"", false},
        {"\"abcdefg\\\"hijklmnopqrstuvwxyz\xC3\xA9 0123456789\"", true},
        {"\"abcdefghijklmnopqrstuvwxyz\x01 0123456789\"", false},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};
        const int code = check(ps_str(rows[i].text), &err);
        PS_AUTO_JS struct json_t *tree = js_parse(ps_str(rows[i].text), NULL);

        if ((tree != NULL) != rows[i].good || (code == 0) != rows[i].good)
            fail_msg("%s: read %d (%s), parsed %d", rows[i].text, code, err.message, tree != NULL);
        assert_true(code == 0 || code == PS_EINVAL);
    }
}

static void every_part_of_a_text_is_refused(void **state)
{
    static const char text[] = "{\"a\\u00e9\":[1,-2.5e3,\"\xC3\xA9\",{\"b\":null,\"c\":true}]}";

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        /* A copy of that size, so that a sanitizer sees reads behind it. */
        PS_AUTO_FREE char *part = ps_xmalloc(n + 1);

        memcpy(part, text, n);
        part = ps_xrealloc(part, n ? n : 1);
        assert_int_equal(check(ps_str_n(part, n), NULL), PS_EINVAL);
    }
    assert_int_equal(check(PS_STR("{\"a\":[1,-2.5e3]}"), NULL), 0);
}

static void nesting_ends_where_the_parsers_does(void **state)
{
    char text[2 * CODEC_NESTING_MAX + 4];

    (void)state;
    for (size_t depth = CODEC_NESTING_MAX - 2; depth <= CODEC_NESTING_MAX + 1; depth++) {
        for (int inner = 0; inner < 2; inner++) {
            struct ps_str all = ps_str_n(text, 2 * depth + inner);

            memset(text, '[', depth);
            memset(text + depth, '7', inner);
            memset(text + depth + inner, ']', depth);
            PS_AUTO_JS struct json_t *tree = js_parse(all, NULL);

            assert_int_equal(check(all, NULL) == 0, tree != NULL);
            assert_int_equal(tree != NULL, depth + inner <= CODEC_NESTING_MAX);
        }
    }
}

static void an_error_tells_the_place_and_not_the_text(void **state)
{
    struct ps_err err = {0};

    (void)state;
    assert_int_equal(check(PS_STR("{\"password\":hunter2}"), &err), PS_EINVAL);
    assert_string_equal(err.message, "not JSON: byte 13: a value is missing");
    PS_AUTO_FREE char *large = ps_xmalloc(CODEC_JSON_MAX + 1);

    memset(large, ' ', CODEC_JSON_MAX + 1);
    assert_int_equal(check(ps_str_n(large, CODEC_JSON_MAX + 1), &err), PS_ELIMIT);
}

/* ---- picking ---- */

static void paths_lead_to_values(void **state)
{
    static const char *const list[] = {
        "metadata.labels[penstock.dev/app]",
        "metadata.labels",
        "metadata.name",
        "spec.replicas",
        "[a.b][c]",
        "status",
        "list",
        "a\xC3\xA9",
    };

    static const struct {
        const char *text;
        const char *want[PS_ARRAY_LEN(list)];
    } rows[] = {
        {"{}", {NULL}},
        {"5", {NULL}},
        {"[{\"status\":1}]", {NULL}},
        {"{ \"metadata\" : { \"name\" : \"x\" , \"labels\" : {\"penstock.dev/app\": \"y\"} } }",
         {"\"y\"", "{\"penstock.dev/app\": \"y\"}", "\"x\""}},
        {"{\"metadata\":[1],\"spec\":{\"replicas\":null},\"a.b\":{\"c\":[1]},\"a\":{\"b\":{}}}",
         {NULL, NULL, NULL, "null", "[1]"}},
        {"{\"st\\u0061tus\":{\"x\":{\"status\":2}},\"list\":[{\"list\":3}],\"a\\u00E9\":true}",
         {NULL, NULL, NULL, NULL, NULL, "{\"x\":{\"status\":2}}", "[{\"list\":3}]", "true"}},
        /* a name that stands twice: the last one counts, and nothing of the first is left */
        {"{\"metadata\":{\"name\":1,\"labels\":{}},\"metadata\":{\"name\":2}}", {NULL, NULL, "2"}},
        {"{\"metadata\":{\"name\":1},\"metadata\":7,\"status\":1,\"status\":2}",
         {NULL, NULL, NULL, NULL, NULL, "2"}},
    };
    struct codec_paths paths;

    (void)state;
    codec_paths_init(&paths, list, PS_ARRAY_LEN(list));
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_str values[PS_ARRAY_LEN(list)];

        assert_int_equal(codec_pick(&paths, ps_str(rows[i].text), values, NULL), 0);
        for (size_t k = 0; k < PS_ARRAY_LEN(list); k++) {
            const char *want = rows[i].want[k];

            if (want ? !ps_str_is(values[k], want) : values[k].p != NULL)
                fail_msg("%s: %s: %.*s", rows[i].text, list[k], PS_STR_ARG(values[k]));
        }
    }
}

static void a_broken_text_has_no_values(void **state)
{
    static const char *const list[] = {"a", "b"};
    struct codec_paths paths;
    struct ps_str values[] = {PS_STR("old"), PS_STR("old")};

    (void)state;
    codec_paths_init(&paths, list, PS_ARRAY_LEN(list));
    assert_int_equal(codec_pick(&paths, PS_STR("{\"a\":1,\"b\":2}}"), values, NULL), PS_EINVAL);
    assert_null(values[0].p);
    assert_null(values[1].p);
}

static void getters_read_their_own_type_only(void **state)
{
    static const struct {
        const char *view;
        enum js_type type;
        int64_t number;
        bool truth;
        const char *text;
        size_t len;
    } rows[] = {
        {"7", JS_INT, 7, false, NULL, 0},
        {"-9223372036854775808", JS_INT, INT64_MIN, false, NULL, 0},
        {"9223372036854775807", JS_INT, INT64_MAX, false, NULL, 0},
        {"1.0", JS_REAL, -1, false, NULL, 0},
        {"1e2", JS_REAL, -1, false, NULL, 0},
        {"true", JS_BOOL, -1, true, NULL, 0},
        {"false", JS_BOOL, -1, false, NULL, 0},
        {"null", JS_NULL, -1, false, NULL, 0},
        {"\"\"", JS_STRING, -1, false, "", 0},
        {"\"7\"", JS_STRING, -1, false, "7", 0},
        {"\"\\u0041\\n\\/\\\\\\ud83d\\ude00\\u00e9\\u20ac\\b\\f\\r\\t\\\"x\"", JS_STRING, -1, false,
         "A\n/\\\xF0\x9F\x98\x80\xC3\xA9\xE2\x82\xAC\b\f\r\t\"x", 0},
        {"\"a\\u0000b\"", JS_STRING, -1, false,
         "a\xEF\xBF\xBD"
         "b",
         0},
        {"[1,[2,3],{}]", JS_ARRAY, -1, false, NULL, 3},
        {"[ ]", JS_ARRAY, -1, false, NULL, 0},
        {"{\"a\":1,\"b\":{\"c\":2}}", JS_OBJECT, -1, false, NULL, 2},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct ps_str view = ps_str(rows[i].view);
        const struct ps_str text = codec_view_str(&arena, view);

        print_message("%s\n", rows[i].view);
        assert_int_equal(codec_view_type(view), rows[i].type);
        assert_true(codec_view_int(view, -1) == rows[i].number);
        assert_int_equal(codec_view_bool(view, false), rows[i].truth);
        assert_int_equal(codec_view_len(view), rows[i].len);
        assert_int_equal(text.p != NULL, rows[i].text != NULL);
        assert_true(text.p == NULL || ps_str_is(text, rows[i].text));
        assert_int_equal(codec_view_is(view, rows[i].text ? rows[i].text : ""), text.p != NULL);
        assert_false(codec_view_is(view, "other"));
    }
    const struct ps_str absent = {0};

    assert_int_equal(codec_view_type(absent), JS_ABSENT);
    assert_null(codec_view_str(&arena, absent).p);
    assert_int_equal(codec_view_int(absent, 3), 3);
    assert_true(codec_view_bool(absent, true));
    assert_int_equal(codec_view_len(absent), 0);
    ps_arena_fini(&arena);
}

static void lists_and_objects_are_walked(void **state)
{
    struct ps_str rest = PS_STR("[ 1 , [2] ,{\"a\":3}, \"]\" ]"), item, name;
    static const char *const items[] = {"1", "[2]", "{\"a\":3}", "\"]\""};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(items); i++) {
        assert_true(codec_next(&rest, &item));
        assert_true(ps_str_is(item, items[i]));
    }
    assert_false(codec_next(&rest, &item));
    assert_false(codec_next(&rest, &item));
    rest = PS_STR("{ \"a\\n\" : [1] , \"b\":{}}");
    assert_true(codec_next_member(&rest, &name, &item));
    assert_true(ps_str_is(name, "a\\n") && ps_str_is(item, "[1]"));
    assert_true(codec_next_member(&rest, &name, &item));
    assert_true(ps_str_is(name, "b") && ps_str_is(item, "{}"));
    assert_false(codec_next_member(&rest, &name, &item));
    rest = PS_STR("{\"a\":1}");
    assert_false(codec_next(&rest, &item));
    rest = PS_STR("[1]");
    assert_false(codec_next_member(&rest, &name, &item));
}

/* ---- compacting ---- */

static const char *const parts[] = {"metadata.managedFields", "metadata.annotations[a/b.c]",
                                    "status", "metadata.resourceVersion"};

static uint64_t compact(const char *text, struct ps_buf *out)
{
    struct codec_paths paths;
    struct ps_err err = {0};
    uint64_t hash;

    codec_paths_init(&paths, parts, PS_ARRAY_LEN(parts));
    ps_buf_clear(out);
    if (codec_compact(out, ps_str(text), &paths, 2, &hash, &err) != 0)
        fail_msg("%s: %s", text, err.message);
    return hash;
}

static void members_are_left_out(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "{}"},
        {" [ 1 , \" a\\\" \" ] ", "[1,\" a\\\" \"]"},
        {"{\"metadata\":{\"managedFields\":[{\"a\":1}]}}", "{\"metadata\":{}}"},
        {"{\"metadata\":{\"managedFields\":[1],\"name\":\"x\",\"annotations\":{\"a/b.c\":\"{}\"}}}",
         "{\"metadata\":{\"name\":\"x\",\"annotations\":{}}}"},
        {"{\"metadata\":{\"name\":\"x\",\"managed\\u0046ields\":2},\"status\" : { \"a\" : 1 }}",
         "{\"metadata\":{\"name\":\"x\"},\"status\":{\"a\":1}}"},
        {"{\"managedFields\":1,\"spec\":{\"metadata\":{\"managedFields\":1}}}",
         "{\"managedFields\":1,\"spec\":{\"metadata\":{\"managedFields\":1}}}"},
        {"{\"metadata\":[ {\"managedFields\":1} ]}", "{\"metadata\":[{\"managedFields\":1}]}"},
    };
    PS_AUTO_BUF(out, OUT_MAX);

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        (void)compact(rows[i][0], &out);
        assert_string_equal(ps_buf_text(&out), rows[i][1]);
    }
}

static void the_hash_tells_what_counts(void **state)
{
    static const char base[] =
        "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":[1,2]}";

    static const struct {
        const char *text;
        bool same;
    } rows[] = {
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":[1,2]}", true},
        {"{\"spec\" : [1, 2], \"metadata\":{\"labels\":{\"a\":\"1\"},\"name\":\"x\"}}", true},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"},\"resourceVersion\":\"7\","
         "\"managedFields\":[{}]},\"spec\":[1,2],\"status\":{\"a\":1}}",
         true},
        {"{\"status\":5,\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":[1,2]}",
         true},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":[12]}", false},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":[2,1]}", false},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"2\"}},\"spec\":[1,2]}", false},
        {"{\"metadata\":{\"name\":\"y\",\"labels\":{\"a\":\"1\"}},\"spec\":[1,2]}", false},
        {"{\"metadata\":{\"labels\":{\"a\":\"1\"}},\"spec\":[1,2],\"name\":\"x\"}", false},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"},\"deletionTimestamp\":\"t\"},"
         "\"spec\":[1,2]}",
         false},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"},\"annotations\":{}},\"spec\":[1,2]"
         "}",
         false},
        {"{\"metadata\":\"x\",\"spec\":[1,2]}", false},
    };

    PS_AUTO_BUF(out, OUT_MAX);
    const uint64_t want = compact(base, &out);

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if ((compact(rows[i].text, &out) == want) != rows[i].same)
            fail_msg("%s", rows[i].text);
    }
}

static void what_cannot_be_kept_is_refused(void **state)
{
    struct codec_paths paths;
    struct ps_err err = {0};
    uint64_t hash;
    PS_AUTO_BUF(out, OUT_MAX);
    PS_AUTO_BUF(small, 8);

    (void)state;
    codec_paths_init(&paths, parts, PS_ARRAY_LEN(parts));
    assert_int_equal(codec_compact(&out, PS_STR("{\"a\":\"\\u0000\"}"), &paths, 2, &hash, &err),
                     PS_EINVAL);
    assert_int_equal(check(PS_STR("{\"a\":\"\\u0000\"}"), &err), 0);
    assert_int_equal(check(PS_STR("{\"\\u0000\":1}"), &err), PS_EINVAL);
    assert_int_equal(codec_compact(&out, PS_STR("{\"metadata\":{\"a\":1}"), &paths, 2, &hash, &err),
                     PS_EINVAL);
    assert_int_equal(codec_compact(&small, PS_STR("{\"a\":[1,2,3]}"), &paths, 2, &hash, &err),
                     PS_ELIMIT);
}

/* ---- pages ---- */

struct page {
    struct ps_buf items;
    size_t count, stop; /* at that item; 0 = never */
};

static bool on_item(void *self, struct ps_str item)
{
    struct page *page = self;

    ps_buf_view(&page->items, item);
    ps_buf_char(&page->items, ';');
    return ++page->count != page->stop;
}

/* Every piece in memory of its own size. */
static int feed(struct codec_list *list, const char *text, size_t piece, struct ps_err *err)
{
    const size_t all = strlen(text);
    int code = 0;

    for (size_t at = 0; at < all && code == 0; at += piece) {
        const size_t n = all - at < piece ? all - at : piece;
        PS_AUTO_FREE char *copy = ps_xmalloc(n);

        memcpy(copy, text + at, n);
        code = codec_list_feed(list, ps_str_n(copy, n), err);
    }
    return code != 0 ? code : codec_list_end(list, err);
}

#define METADATA "\"metadata\":{\"resourceVersion\":\"7\"}"

static void pages_come_apart_whatever_the_pieces(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *items, *rv, *next;
        int64_t remaining;
    } rows[] = {
        {"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"77\","
         "\"continue\":\"tok\\u0065n\",\"remainingItemCount\":12},\"items\":[{\"a\":\"]}\\\\\"},{}]"
         "}\n",
         0, "{\"a\":\"]}\\\\\"};{};", "77", "token", 12},
        {" { \"items\" : [ {\"a\" : [1]} , 5 , \"\\\"x\" , true , [ ] ] , \"n\" : -1.5 ,"
         "\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"\"} } ",
         0, "{\"a\" : [1]};5;\"\\\"x\";true;[ ];", "1", NULL, -1},
        {"{" METADATA ",\"items\":null}", 0, "", "7", NULL, -1},
        {"{" METADATA ",\"items\":[]}", 0, "", "7", NULL, -1},
        {"{\"items\":[]}", PS_EPROTO, "", NULL, NULL, -1},
        {"{" METADATA "}", PS_EPROTO, "", "7", NULL, -1},
        {"{\"metadata\":{},\"items\":[]}", PS_EPROTO, "", NULL, NULL, -1},
        {"{\"metadata\":{\"resourceVersion\":7},\"items\":[]}", PS_EPROTO, "", NULL, NULL, -1},
        {"{\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}", PS_EPROTO, "", NULL, NULL, -1},
        {"{" METADATA ",\"items\":{}}", PS_EPROTO, "", "7", NULL, -1},
        {"{" METADATA ",\"items\":nul}", PS_EPROTO, "", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1],\"items\":[2]}", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1,]}", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[,1]}", PS_EPROTO, "", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1 2]}", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1}}", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1],}", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1]", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA ",\"items\":[{\"a\":1}", PS_EPROTO, "{\"a\":1};", "7", NULL, -1},
        {"{" METADATA ",\"items\":[1]}x", PS_EPROTO, "1;", "7", NULL, -1},
        {"{" METADATA " \"items\":[1]}", PS_EPROTO, "", "7", NULL, -1},
        {"{" METADATA ",\"kind\":tru,\"items\":[1]}", PS_EPROTO, "", "7", NULL, -1},
        {"{\"metadata\":{\"resourceVersion\":\"7\",},\"items\":[]}", PS_EPROTO, "", NULL, NULL, -1},
        {"[]", PS_EPROTO, "", NULL, NULL, -1},
        {"", PS_EPROTO, "", NULL, NULL, -1},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
            struct page page = {0};
            struct codec_list list;
            struct ps_err err = {0};

            ps_buf_init(&page.items, OUT_MAX);
            codec_list_init(&list, 1000, on_item, &page);
            const int code = feed(&list, rows[i].text, piece, &err);

            if (code != rows[i].code || !ps_streq(ps_buf_text(&page.items), rows[i].items) ||
                !ps_streq(list.rv, rows[i].rv) || !ps_streq(list.next, rows[i].next) ||
                list.remaining != rows[i].remaining)
                fail_msg("%s by %zu: %d %s, items %s, rv %s, next %s, remaining %lld", rows[i].text,
                         piece, code, err.message, ps_buf_text(&page.items), list.rv, list.next,
                         (long long)list.remaining);
            codec_list_fini(&list);
            ps_buf_fini(&page.items);
        }
    }
}

static void a_page_keeps_to_its_ceilings_and_can_be_given_up(void **state)
{
    struct page page = {.stop = 2};
    struct codec_list list;
    PS_AUTO_BUF(text, OUT_MAX);

    (void)state;
    ps_buf_init(&page.items, OUT_MAX);
    codec_list_init(&list, 100, on_item, &page);
    assert_int_equal(feed(&list, "{" METADATA ",\"items\":[1,2,3]}", 9, NULL), PS_ECANCELED);
    assert_int_equal(page.count, 2);
    codec_list_fini(&list);
    ps_buf_printf(&text, "{" METADATA ",\"items\":[\"%0100d\"]}", 0);
    for (size_t piece = 1; piece < 200; piece += 99) {
        codec_list_init(&list, 100, on_item, &page);
        assert_int_equal(feed(&list, ps_buf_text(&text), piece, NULL), PS_ELIMIT);
        codec_list_fini(&list);
    }
    ps_buf_clear(&text);
    ps_buf_printf(&text, "{\"metadata\":{\"continue\":\"%0*d\",\"resourceVersion\":\"1\"}",
                  (int)CODEC_LIST_CONTINUE_MAX, 0);
    codec_list_init(&list, OUT_MAX, on_item, &page);
    assert_int_equal(feed(&list, ps_buf_text(&text), 1000, NULL), PS_EPROTO);
    codec_list_fini(&list);
    ps_buf_fini(&page.items);
}

static void frames_end_where_their_value_ends(void **state)
{
    static const char text[] = "{\"a\":[\"}\\\"]\",{}],\"abcdefghijkl\\\\\":\"]\"}";

    (void)state;
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        struct codec_frame frame = {0};

        assert_int_equal(codec_frame(&frame, ps_str_n(text, cut)), cut);
        assert_false(frame.done);
        PS_AUTO_FREE char *rest = ps_xmalloc(sizeof(text));

        memcpy(rest, text + cut, sizeof(text) - 1 - cut);
        memcpy(rest + sizeof(text) - 1 - cut, "{}", 1);
        assert_int_equal(codec_frame(&frame, ps_str_n(rest, sizeof(text) - cut)),
                         sizeof(text) - 1 - cut);
        assert_true(frame.done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_texts_are_json_as_for_the_parser),
        cmocka_unit_test(every_part_of_a_text_is_refused),
        cmocka_unit_test(nesting_ends_where_the_parsers_does),
        cmocka_unit_test(an_error_tells_the_place_and_not_the_text),
        cmocka_unit_test(paths_lead_to_values),
        cmocka_unit_test(a_broken_text_has_no_values),
        cmocka_unit_test(getters_read_their_own_type_only),
        cmocka_unit_test(lists_and_objects_are_walked),
        cmocka_unit_test(members_are_left_out),
        cmocka_unit_test(the_hash_tells_what_counts),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(pages_come_apart_whatever_the_pieces),
        cmocka_unit_test(a_page_keeps_to_its_ceilings_and_can_be_given_up),
        cmocka_unit_test(frames_end_where_their_value_ends),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
