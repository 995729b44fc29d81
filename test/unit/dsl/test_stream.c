/* SPDX-License-Identifier: Apache-2.0 */
/* The stream DSL: what is accepted, what it means, what is said about the rest. */
#include "dsl/dsl.h"
#include "dsl/vectors.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static int new_arena(void **state)
{
    struct ps_arena *arena = ps_xmalloc(sizeof(*arena));

    ps_arena_init(arena);
    *state = arena;
    return 0;
}

static int end_arena(void **state)
{
    ps_arena_fini(*state);
    ps_free(*state);
    return 0;
}

static struct dsl_stream *parse(struct ps_arena *arena, const char *text, struct dsl_error *bad)
{
    return dsl_stream_parse(arena, PS_STR("test"), ps_str(text), bad);
}

static struct dsl_stream *must_parse(struct ps_arena *arena, const char *text)
{
    struct dsl_error bad;
    struct dsl_stream *stream = parse(arena, text, &bad);

    if (stream == NULL)
        fail_msg("%s\nrefused: %s", text, bad.text);
    return stream;
}

/* ---- vectors ------------------------------------------------------------------------------- */

static const char *outcome(struct ps_arena *arena, const struct dsl_vector *row,
                           struct dsl_error *bad)
{
    const struct dsl_stream *stream =
        dsl_stream_parse(arena, ps_str(row->name ? row->name : "test"), ps_str(row->text), bad);

    if (stream != NULL)
        return dsl_test_describe(arena, stream);
    return ps_arena_printf(arena, "ERR %d@%zu", (int)bad->code, bad->position);
}

static void every_vector_means_what_scdf_makes_of_it(void **state)
{
    size_t wrong = 0;

    for (size_t i = 0; i < dsl_vector_count; i++) {
        const struct dsl_vector *row = &dsl_vectors[i];
        struct dsl_error bad;
        const char *got = outcome(*state, row, &bad);

        if (!ps_streq(got, row->want)) {
            print_error("vector %s: %s\n  want %s\n  got  %s\n", row->id, row->text, row->want,
                        got);
            wrong++;
        } else if (row->words != NULL && !ps_streq(bad.message, row->words)) {
            print_error("vector %s: %s\n  want %s\n  got  %s\n", row->id, row->text, row->words,
                        bad.message);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* ---- errors -------------------------------------------------------------------------------- */

static void error_text_shows_line_caret_and_last_good_part(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"lexer error has no star", "foo, bar",
         "115E:(pos 3): unexpected data in stream definition ','\nfoo, bar\n   ^"},
        {"star after the last good part", "foo --x=1 | bar ; baz",
         "100E:(pos 16): Found unexpected data after stream definition: ';'\n"
         "foo --x=1 | bar ; baz\n"
         "               *^"},
        {"star directly where the fault is", "foo.bar | log",
         "100E:(pos 3): Found unexpected data after stream definition: '.'\nfoo.bar | log\n   ^"},
        {"star behind the fault", "foo || bar > :z",
         "170E:(pos 4): do not use || between source/processor/sink apps in a stream, use |\n"
         "foo || bar > :z\n"
         "    ^     *"},
        {"only the line at fault", "foo --x='a\nb' ; bar",
         "100E:(pos 14): Found unexpected data after stream definition: ';'\nb' ; bar\n  *^"},
        {"columns are UTF-16 units", "a --x=\xf0\x9f\x9a\x97 ; b",
         "100E:(pos 9): Found unexpected data after stream definition: ';'\n"
         "a --x=\xf0\x9f\x9a\x97 ; b\n"
         "        *^"},
        {"end of text", "foo |", "112E:(pos 5): Unexpectedly ran out of input\nfoo |\n   * ^"},
        {"empty text", "", "112E:(pos 0): Unexpectedly ran out of input"},
        {"bad embedded name", "9foo = http | log",
         "122E:(pos 0): illegal name for a stream '9foo'\n9foo\n^"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct dsl_error bad;

        if (parse(*state, rows[i].text, &bad) != NULL)
            fail_msg("%s: accepted", rows[i].name);
        if (!ps_streq(bad.text, rows[i].want))
            fail_msg("%s:\nwant %s\ngot  %s", rows[i].name, rows[i].want, bad.text);
    }
}

static void secrets_are_starred_out_of_errors(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"value before the fault", "db --spring.datasource.password=hunter2 | log ; x",
         "100E:(pos 46): Found unexpected data after stream definition: ';'\n"
         "db --spring.datasource.password=******* | log ; x\n"
         "                                             *^"},
        {"forgotten quotes", "db --api-token=my hunter2 --x=1 | log",
         "100E:(pos 18): Found unexpected data after stream definition: '******'\n"
         "db --api-token=********** --x=1 | log\n"
         "                 *^"},
        {"quote never closed", "db --secret='my hunter2 | log",
         "107E:(pos 12): Cannot find terminating ' for string\n"
         "db --secret=*****************\n"
         "            ^"},
        {"several lines", "db --key='hun\nter2' ; x",
         "100E:(pos 20): Found unexpected data after stream definition: '******'\n"
         "*********\n"
         "     *^"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct dsl_error bad;

        assert_null(parse(*state, rows[i].text, &bad));
        if (!ps_streq(bad.text, rows[i].want))
            fail_msg("%s:\nwant %s\ngot  %s", rows[i].name, rows[i].want, bad.text);
        assert_null(strstr(bad.text, "hunter2"));
        assert_null(strstr(bad.message, "hunter2"));
    }
}

static char *repeated(struct ps_arena *arena, const char *piece, size_t count)
{
    const size_t n = strlen(piece);
    char *text = ps_arena_alloc(arena, n * count + 1);

    for (size_t i = 0; i < count; i++)
        memcpy(text + i * n, piece, n);
    return text;
}

static void long_lines_are_shown_in_part(void **state)
{
    struct ps_arena *arena = *state;
    const char *text = ps_arena_printf(arena, "a --x=%s ; %s", repeated(arena, "\xc3\xa4", 5000),
                                       repeated(arena, "y", 5000));
    struct dsl_error bad;

    assert_null(parse(arena, text, &bad));
    assert_int_equal(bad.position, 5007);
    assert_true(strlen(bad.text) < 4096);
    /* The caret stands below the semicolon of the part that is shown. */
    struct ps_str rest = ps_str(bad.text), first, line, marks;

    assert_true(ps_str_split(&rest, '\n', &first));
    assert_true(ps_str_split(&rest, '\n', &line));
    assert_true(ps_str_split(&rest, '\n', &marks));
    const ptrdiff_t semicolon = ps_str_index(line, ';');

    assert_true(semicolon > 0);
    size_t units = 0;

    for (ptrdiff_t i = 0; i < semicolon; i++)
        units += ((unsigned char)line.p[i] & 0xC0) != 0x80;
    assert_int_equal(ps_str_index(marks, '^'), units);
    assert_true(ps_str_starts(line, "\xe2\x80\xa6"));
    assert_true(ps_str_ends(line, "\xe2\x80\xa6"));
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const struct {
        const char *name;
        struct ps_str text;
        size_t position;
    } rows[] = {
        {"NUL", {"foo\0bar", 7}, 3},
        {"stray continuation", {"a --x=\x80", 7}, 6},
        {"overlong", {"a --x=\xc0\xaf", 8}, 6},
        {"overlong of three", {"a --x=\xe0\x80\xaf", 9}, 6},
        {"surrogate", {"a --x=\xed\xa0\x80", 9}, 6},
        {"above the last", {"a --x=\xf4\x90\x80\x80", 10}, 6},
        {"cut short", {"a --x=\xf0\x9f\x9a", 9}, 6},
        {"after a surrogate pair", {"\xf0\x9f\x9a\x97\xff", 5}, 2},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct dsl_error bad;

        if (dsl_stream_parse(*state, PS_STR("test"), rows[i].text, &bad) != NULL)
            fail_msg("%s: accepted", rows[i].name);
        if (bad.code != DSL_NOT_UTF8 || bad.position != rows[i].position)
            fail_msg("%s: %s at %zu", rows[i].name, dsl_code_name(bad.code), bad.position);
    }
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dsl_code_name(DSL_UNEXPECTED_DATA_AFTER_STREAMDEF),
                        "UNEXPECTED_DATA_AFTER_STREAMDEF");
    assert_string_equal(dsl_code_name(DSL_OOD), "OOD");
    assert_string_equal(dsl_code_name(DSL_OK), "OK");
    assert_string_equal(dsl_app_type_name(DSL_PROCESSOR), "processor");
}

/* ---- caps ---------------------------------------------------------------------------------- */

static char *many_apps(struct ps_arena *arena, size_t count, const char *between)
{
    PS_AUTO_BUF(buf, DSL_TEXT_MAX);

    for (size_t i = 0; i < count; i++)
        ps_buf_printf(&buf, "%sa%zu", i > 0 ? between : "", i);
    return ps_arena_str(arena, ps_buf_get(&buf));
}

static void a_thousand_apps_are_accepted_and_one_more_is_not(void **state)
{
    struct dsl_error bad;
    const struct dsl_stream *stream = must_parse(*state, many_apps(*state, DSL_APPS_MAX, " | "));

    assert_int_equal(stream->app_count, DSL_APPS_MAX);
    assert_null(parse(*state, many_apps(*state, DSL_APPS_MAX + 1, "|"), &bad));
    assert_int_equal(bad.code, DSL_TOO_MANY_APPS);
}

static void text_above_the_cap_is_refused(void **state)
{
    struct dsl_error bad;
    char *text = repeated(*state, "a", DSL_TEXT_MAX + 1);

    assert_non_null(dsl_stream_parse(*state, PS_STR("t"), ps_str_n(text, DSL_TEXT_MAX), &bad));
    assert_null(dsl_stream_parse(*state, PS_STR("t"), ps_str_n(text, DSL_TEXT_MAX + 1), &bad));
    assert_int_equal(bad.code, DSL_TOO_LONG);
}

/* The least CPU time of three, in clock ticks, at least one. */
static double cost(const char *head, const char *piece, size_t size)
{
    double best = 0;

    for (int i = 0; i < 3; i++) {
        struct ps_arena arena;
        struct dsl_error bad;

        ps_arena_init(&arena);
        const size_t count = (size - strlen(head)) / strlen(piece);
        const char *text = ps_arena_printf(&arena, "%s%s", head, repeated(&arena, piece, count));
        const clock_t start = clock();
        const struct dsl_stream *stream = parse(&arena, text, &bad);
        size_t n = 0;

        if (stream != NULL) {
            (void)dsl_stream_print(&arena, stream);
            (void)dsl_stream_properties(&arena, stream, 0, &n);
        }
        const double took = (double)(clock() - start) + 1;

        best = i == 0 || took < best ? took : best;
        ps_arena_fini(&arena);
    }
    return best;
}

static void a_mebibyte_costs_linear_time(void **state)
{
    static const struct {
        const char *name, *head, *piece;
    } rows[] = {
        {"one name", "", "a"},
        {"options", "a", " --b=c"},
        {"one long value", "a --x=", "b"},
        {"quotes in a value", "a --x=", "''"},
        {"unclosed quote", "a --x='", "''"},
        {"dots", "a --x", ".y"},
        {"dashes", "a ", "--"},
        {"secrets", "a ", " --key='x"},
        {"secrets and a fault", "a ", " --key=x ;"},
        {"pipes", "", "|"},
        {"apps", "", "a||"},
        {"destination", ":a", ".b"},
        {"gt", "", ">"},
        {"newlines", "", "\n"},
        {"quoted", "a ", "'x' "},
        {"umlauts", "a --x='\xc3\xa4' ", "--x='\xc3\xa4' "},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const double little = cost(rows[i].head, rows[i].piece, 65536);
        const double much = cost(rows[i].head, rows[i].piece, DSL_TEXT_MAX);

        /* Sixteen times the text: linear is 16, quadratic 256; what is over in 20 ms proves itself.
         */
        if (much > 20e-3 * (double)CLOCKS_PER_SEC && much > little * 80)
            fail_msg("%s: 64 KiB cost %.0f, 1 MiB %.0f", rows[i].name, little, much);
    }
}

/* ---- structure ----------------------------------------------------------------------------- */

static void positions_and_labels_are_kept(void **state)
{
    const struct dsl_stream *stream =
        must_parse(*state, "x = src: time --a='\xf0\x9f\x9a\x97' --a=2 | log");

    assert_string_equal(stream->name, "test");
    assert_string_equal(stream->embedded_name, "x");
    assert_int_equal(stream->app_count, 2);
    assert_false(stream->unbound);
    assert_string_equal(stream->apps[0].label, "src");
    assert_string_equal(stream->apps[0].name, "time");
    assert_true(stream->apps[0].has_label);
    assert_int_equal(stream->apps[0].start, 4);
    assert_int_equal(stream->apps[0].end, 13);
    assert_int_equal(stream->apps[0].option_count, 2);
    assert_string_equal(stream->apps[0].options[1].value, "2");
    assert_false(stream->apps[1].has_label);
    assert_string_equal(stream->apps[1].label, "log");
    assert_int_equal(stream->apps[1].start, 31);
    assert_int_equal(stream->apps[1].end, 34);
}

static void bindings_are_complete_and_beat_options(void **state)
{
    static const char *const want[][2] = {
        {"spring.cloud.stream.bindings.input.group", "test"},
        {"x", "1"},
        {"spring.cloud.stream.bindings.input.destination", "test.a"},
        {"spring.cloud.stream.bindings.output.destination", "test.b"},
        {"spring.cloud.stream.bindings.output.producer.requiredGroups", "test"},
    };
    const struct dsl_stream *stream =
        must_parse(*state, "a | b --spring.cloud.stream.bindings.input.group=mine --x=1 | c > :z");
    size_t count;
    const struct dsl_option *props = dsl_stream_properties(*state, stream, 1, &count);

    assert_int_equal(count, PS_ARRAY_LEN(want));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(props[i].name, want[i][0]);
        assert_string_equal(props[i].value, want[i][1]);
    }
    /* A named sink destination has no required groups. */
    props = dsl_stream_properties(*state, stream, 2, &count);
    assert_int_equal(count, 3);
    assert_string_equal(props[2].name, "spring.cloud.stream.bindings.output.destination");
    assert_string_equal(props[2].value, "z");
    assert_int_equal(dsl_stream_app_type(stream, 2), DSL_PROCESSOR);
}

static void unbound_apps_have_no_bindings(void **state)
{
    const struct dsl_stream *stream = must_parse(*state, "a --x=1 || b");
    size_t count;

    (void)dsl_stream_properties(*state, stream, 0, &count);
    assert_int_equal(count, 1);
    (void)dsl_stream_properties(*state, stream, 1, &count);
    assert_int_equal(count, 0);
    assert_true(stream->unbound);
}

/* ---- printing ------------------------------------------------------------------------------ */

static void assert_destination(const char *text, const struct dsl_destination *a,
                               const struct dsl_destination *b)
{
    if ((a == NULL) != (b == NULL))
        fail_msg("%s: a destination was lost", text);
    if (a != NULL && (!ps_streq(a->name, b->name) || !ps_streq(a->group, b->group)))
        fail_msg("%s: destination %s became %s", text, a->name, b->name);
}

static void assert_same(const char *text, const struct dsl_stream *a, const struct dsl_stream *b)
{
    if (!ps_streq(a->embedded_name, b->embedded_name) || a->unbound != b->unbound ||
        a->app_count != b->app_count)
        fail_msg("%s: became another stream", text);
    assert_destination(text, a->source, b->source);
    assert_destination(text, a->sink, b->sink);
    for (size_t i = 0; i < a->app_count; i++) {
        const struct dsl_app *one = &a->apps[i], *other = &b->apps[i];

        if (!ps_streq(one->name, other->name) || !ps_streq(one->label, other->label) ||
            one->has_label != other->has_label || one->option_count != other->option_count)
            fail_msg("%s: app %s became %s", text, one->name, other->name);
        for (size_t k = 0; k < one->option_count; k++)
            if (!ps_streq(one->options[k].name, other->options[k].name) ||
                !ps_streq(one->options[k].value, other->options[k].value))
                fail_msg("%s: value %s became %s", text, one->options[k].value,
                         other->options[k].value);
    }
}

static void assert_round_trip(struct ps_arena *arena, const char *text,
                              const struct dsl_stream *stream)
{
    const char *printed = dsl_stream_print(arena, stream);
    struct dsl_error bad;
    const struct dsl_stream *again = parse(arena, printed, &bad);

    if (again == NULL)
        fail_msg("%s\nprinted as %s\nrefused: %s", text, printed, bad.text);
    assert_same(text, stream, again);
    const char *twice = dsl_stream_print(arena, again);

    if (!ps_streq(printed, twice))
        fail_msg("%s\nprinted as %s\nthen as    %s", text, printed, twice);
}

static void accepted_vectors_survive_printing(void **state)
{
    size_t accepted = 0;

    for (size_t i = 0; i < dsl_vector_count; i++) {
        struct dsl_error bad;
        const struct dsl_stream *stream = parse(*state, dsl_vectors[i].text, &bad);

        if (stream == NULL)
            continue;
        assert_round_trip(*state, dsl_vectors[i].text, stream);
        accepted++;
    }
    assert_true(accepted > 80);
}

static void printing_is_canonical(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"time|log", "time | log"},
        {"foo=a|b", "foo = a | b"},
        {"foo--x=13", "foo--x = 13"},
        {"a --x='1' --y=\"b c\"  | b", "a --x=1 --y='b c' | b"},
        {"a --x='it''s'", "a --x='it''s'"},
        {"a --x=''", "a --x=''"},
        {"a --x='hi'+'you'", "a --x='hi'+'you'"},
        {"a --x=it's | b", "a --x='it''s | b'"},
        {": a --group='g' --x=y >  b", ":a --group=g > b"},
        {":a>:b", ":a > :b"},
        {":a > bridge > :b", ":a > :b"},
        {":a > bridge: bridge > :b", ":a > bridge: bridge > :b"},
        {"a||b", "a || b"},
        {"s=a(b)|c", "s=a(b) | c"},
        {"l:  a >:b --group=x", "l: a > :b"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const char *got = dsl_stream_print(*state, must_parse(*state, rows[i].text));

        if (!ps_streq(got, rows[i].want))
            fail_msg("%s: want %s, got %s", rows[i].text, rows[i].want, got);
    }
}

/* xorshift64*: the same texts in every run. */
static uint64_t seed;

static size_t below(size_t n)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (size_t)((seed * 0x2545F4914F6CDD1DULL) >> 33) % n;
}

static void random_value(struct ps_buf *buf)
{
    static const char *const pieces[] = {
        "a", "b-1", "1", "=", ",", "#x(", ".", "--", "\\",       "''",
        "'", "\"",  "$", " ", "|", ">",   ";", "\n", "\xc3\xa4", "\xf0\x9f\x9a\x97"};
    static const char *const quotes[] = {"", "'", "\""};
    const char *quote = quotes[below(PS_ARRAY_LEN(quotes))];

    ps_buf_str(buf, quote);
    for (size_t n = below(5); n > 0; n--)
        ps_buf_str(buf, pieces[below(*quote ? PS_ARRAY_LEN(pieces) : 10)]);
    ps_buf_str(buf, quote);
}

static void random_app(struct ps_buf *buf)
{
    static const char *const names[] = {"a", "b-1", "c_d$", "9e", "bridge", "log"};

    if (below(4) == 0)
        ps_buf_printf(buf, "l%zu: ", below(100));
    ps_buf_str(buf, names[below(PS_ARRAY_LEN(names))]);
    ps_buf_str(buf, below(8) == 0 ? " " : "");
    for (size_t n = below(3); n > 0; n--) {
        ps_buf_str(buf, below(2) == 0 ? " --x=" : " --y.z-1=");
        random_value(buf);
    }
}

/* Mostly well-formed, with a piece too many now and then. */
static void random_text(struct ps_buf *buf)
{
    static const char *const sources[] = {":a > ", ": b.c>", ":a*/# --group=g > ", ":a..b  >\t"};
    static const char *const noise[] = {":",  ";",  "|", ">", "'", "=",
                                        "\n", "--", ".", " ", "*", "x"};
    static const char *const between[] = {" | ", "|", " || ", "||"};
    const size_t sign = below(PS_ARRAY_LEN(between));

    if (below(5) == 0)
        ps_buf_str(buf, below(2) == 0 ? "n = " : "n=");
    if (below(4) == 0)
        ps_buf_str(buf, sources[below(PS_ARRAY_LEN(sources))]);
    for (size_t n = 1 + below(3); n > 0; n--) {
        random_app(buf);
        ps_buf_str(buf, n > 1 ? between[sign] : "");
        if (below(12) == 0)
            ps_buf_str(buf, noise[below(PS_ARRAY_LEN(noise))]);
    }
    if (below(4) == 0)
        ps_buf_str(buf, below(2) == 0 ? " > :t.u" : ">:t --group=x");
}

static void random_texts_are_refused_or_survive_printing(void **state)
{
    size_t accepted = 0;

    (void)state;
    seed = 20261122;
    for (size_t i = 0; i < 60000; i++) {
        struct ps_arena arena;
        struct dsl_error bad;
        PS_AUTO_BUF(buf, 4096);

        ps_arena_init(&arena);
        random_text(&buf);
        const struct dsl_stream *stream = parse(&arena, ps_buf_text(&buf), &bad);

        if (stream != NULL) {
            assert_round_trip(&arena, ps_buf_text(&buf), stream);
            (void)dsl_test_describe(&arena, stream);
            accepted++;
        } else {
            assert_true(bad.code != DSL_OK);
            assert_true(bad.position <= buf.n);
        }
        ps_arena_fini(&arena);
    }
    /* A generator that is refused nearly always proves nothing. */
    if (accepted < 20000 || accepted > 55000)
        fail_msg("%zu of 60000 accepted", accepted);
}

/* Any value can be written, whatever characters it is made of. */
static void random_values_survive_printing(void **state)
{
    static const char *const pieces[] = {"'",  "\"", " ",  "|", ">",  ";",
                                         "\n", "a",  "\\", "=", "--", "\xc3\xa4"};

    (void)state;
    seed = 4711;
    for (size_t i = 0; i < 20000; i++) {
        struct ps_arena arena;
        PS_AUTO_BUF(buf, 4096);
        struct dsl_option option = {.name = "x"};
        struct dsl_app apps[] = {
            {.name = "a", .label = "a", .options = &option, .option_count = 1},
            {.name = "b", .label = "b"},
        };
        struct dsl_stream stream = {.name = "test", .apps = apps, .app_count = 2};

        ps_arena_init(&arena);
        for (size_t n = below(8); n > 0; n--)
            ps_buf_str(&buf, pieces[below(PS_ARRAY_LEN(pieces))]);
        option.value = ps_buf_text(&buf);
        assert_round_trip(&arena, option.value, &stream);
        ps_arena_fini(&arena);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(every_vector_means_what_scdf_makes_of_it),
        TEST(error_text_shows_line_caret_and_last_good_part),
        TEST(secrets_are_starred_out_of_errors),
        TEST(long_lines_are_shown_in_part),
        TEST(bytes_that_are_no_text_are_refused),
        TEST(codes_have_names),
        TEST(a_thousand_apps_are_accepted_and_one_more_is_not),
        TEST(text_above_the_cap_is_refused),
        TEST(a_mebibyte_costs_linear_time),
        TEST(positions_and_labels_are_kept),
        TEST(bindings_are_complete_and_beat_options),
        TEST(unbound_apps_have_no_bindings),
        TEST(accepted_vectors_survive_printing),
        TEST(printing_is_canonical),
        TEST(random_texts_are_refused_or_survive_printing),
        TEST(random_values_survive_printing),
    };

    return cmocka_run_group_tests_name("dsl_stream", tests, NULL, NULL);
}
