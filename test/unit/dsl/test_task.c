/* SPDX-License-Identifier: Apache-2.0 */
/* The task DSL: what is accepted, what it means, what is said about the rest. */
#include "dsl/dsl.h"
#include "dsl/task_vectors.h"

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

static struct dsl_task *parse(struct ps_arena *arena, const char *text, struct dsl_error *bad)
{
    return dsl_task_parse(arena, PS_STR("ct"), ps_str(text), bad);
}

static struct dsl_task *must_parse(struct ps_arena *arena, const char *text)
{
    struct dsl_error bad;
    struct dsl_task *task = parse(arena, text, &bad);

    if (task == NULL)
        fail_msg("%s\nrefused: %s", text, bad.text);
    return task;
}

/* ---- vectors ------------------------------------------------------------------------------- */

#define DESCRIPTION_MAX ((size_t)16 * 1024 * 1024)

static const char *nodes_of(struct ps_arena *arena, const struct dsl_task_graph *graph)
{
    PS_AUTO_BUF(out, DESCRIPTION_MAX);

    for (size_t i = 0; graph != NULL && i < graph->node_count; i++) {
        const struct dsl_task_node *node = &graph->nodes[i];
        size_t count = 0;
        const struct dsl_option *args =
            node->app != NULL ? dsl_task_arguments(arena, node->app, &count) : NULL;

        ps_buf_printf(&out, "[%zu:", node->id);
        if (node->label != NULL)
            ps_buf_printf(&out, "%s:", node->label);
        ps_buf_str(&out, node->name);
        for (size_t k = 0; k < count; k++)
            ps_buf_printf(&out, ":%s=%s", args[k].name, args[k].value);
        ps_buf_char(&out, ']');
    }
    return ps_arena_str(arena, ps_buf_get(&out));
}

static const char *links_of(struct ps_arena *arena, const struct dsl_task_graph *graph)
{
    PS_AUTO_BUF(out, DESCRIPTION_MAX);

    for (size_t i = 0; graph != NULL && i < graph->link_count; i++) {
        const struct dsl_task_link *link = &graph->links[i];

        ps_buf_char(&out, '[');
        if (link->transition != NULL)
            ps_buf_printf(&out, "%s:", link->transition);
        ps_buf_printf(&out, "%zu-%zu]", link->from, link->to);
    }
    return ps_arena_str(arena, ps_buf_get(&out));
}

static size_t differs(const struct dsl_task_vector *row, const char *what, const char *want,
                      const char *got)
{
    if (want == NULL || ps_streq(want, got))
        return 0;
    print_error("vector %s: %s\n  want %s %s\n  got  %s %s\n", row->id, row->text, what, want, what,
                got);
    return 1;
}

static size_t check_row(struct ps_arena *arena, const struct dsl_task_vector *row)
{
    struct dsl_error bad;
    const struct dsl_task *task =
        dsl_task_parse(arena, ps_str(row->name ? row->name : "ct"), ps_str(row->text), &bad);

    if (task == NULL) {
        const char *got = ps_arena_printf(arena, "%d@%zu", (int)bad.code, bad.position);

        return differs(row, "error", row->error ? row->error : "none", got) +
               differs(row, "message", row->words, bad.message);
    }
    const struct dsl_task_graph *graph = dsl_task_graph(arena, task);

    return differs(row, "error", row->error, "none") +
           differs(row, "form", row->simple ? "simple" : "composed",
                   task->composed ? "composed" : "simple") +
           differs(row, "nodes", row->nodes, nodes_of(arena, graph)) +
           differs(row, "links", row->links, links_of(arena, graph)) +
           differs(row, "executable", row->executable, dsl_task_executable(arena, task)) +
           differs(row, "text", row->printed, dsl_task_print(arena, task));
}

static void every_vector_means_what_scdf_makes_of_it(void **state)
{
    size_t wrong = 0;

    for (size_t i = 0; i < dsl_task_vector_count; i++)
        wrong += check_row(*state, &dsl_task_vectors[i]);
    assert_int_equal(wrong, 0);
}

/* ---- errors -------------------------------------------------------------------------------- */

static void error_text_shows_line_caret_and_last_good_part(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"syntax", "A --x=1 && B C",
         "163E:(pos 13): after parsing a valid task, there is still more data: 'C'\n"
         "A --x=1 && B C\n"
         "            *^"},
        {"validation has no star", "A && A",
         "166E:(pos 5): duplicate app name. Use a label to ensure uniqueness\nA && A\n     ^"},
        {"only the line at fault", "A;\nx: B &&\n C &&\n C",
         "166E:(pos 18): duplicate app name. Use a label to ensure uniqueness\n C\n ^"},
        {"secret", "A --password='hunter2 && B",
         "107E:(pos 13): Cannot find terminating ' for string\n"
         "A --password=*************\n"
         "             ^"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct dsl_error bad;

        if (parse(*state, rows[i].text, &bad) != NULL)
            fail_msg("%s: accepted", rows[i].name);
        if (!ps_streq(bad.text, rows[i].want))
            fail_msg("%s:\nwant %s\ngot  %s", rows[i].name, rows[i].want, bad.text);
    }
}

static void all_problems_are_told(void **state)
{
    static const struct {
        enum dsl_code code;
        size_t position;
    } want[] = {
        {DSL_TASK_VALIDATION_APP_NAME_ALREADY_IN_USE, 18},
        {DSL_TASK_VALIDATION_SECONDARY_SEQUENCES_MUST_BE_NAMED, 20},
        {DSL_TASK_VALIDATION_DUPLICATE_LABEL, 36},
        {DSL_TASK_VALIDATION_TRANSITION_TARGET_LABEL_UNDEFINED, 2},
    };
    struct dsl_error bad;
    const struct dsl_error *problem = &bad;

    assert_null(parse(*state, "A 'x'->:no && x: A\n&A", &bad));
    assert_int_equal(bad.code, DSL_TASK_DOUBLE_AND_REQUIRED);
    assert_null(bad.next);
    assert_null(parse(*state, "A 'x'->:no && B &&A;B1 && l: X 'y'->l: Y", &bad));
    for (size_t i = 0; i < PS_ARRAY_LEN(want); i++, problem = problem->next) {
        assert_non_null(problem);
        assert_int_equal(problem->code, want[i].code);
        if (problem->position != want[i].position)
            fail_msg("problem %zu at %zu", i, problem->position);
        assert_non_null(strstr(problem->text, problem->message));
    }
    assert_null(problem);
}

static void at_most_so_many_problems_are_told(void **state)
{
    PS_AUTO_BUF(text, 4096);
    struct dsl_error bad;
    size_t count = 0;

    for (size_t i = 0; i < 2 * DSL_TASK_PROBLEMS_MAX; i++)
        ps_buf_str(&text, i > 0 ? " && A" : "A");
    assert_null(parse(*state, ps_buf_text(&text), &bad));
    for (const struct dsl_error *problem = &bad; problem != NULL; problem = problem->next)
        count++;
    assert_int_equal(count, DSL_TASK_PROBLEMS_MAX);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    struct dsl_error bad;

    assert_null(dsl_task_parse(*state, PS_STR("ct"), ps_str_n("A\0B", 3), &bad));
    assert_int_equal(bad.code, DSL_NOT_UTF8);
    assert_int_equal(bad.position, 1);
    assert_null(dsl_task_parse(*state, ps_str_n("c\xff", 2), PS_STR("A"), &bad));
    assert_int_equal(bad.code, DSL_NOT_UTF8);
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dsl_code_name(DSL_TASK_MORE_INPUT), "TASK_MORE_INPUT");
    assert_string_equal(dsl_code_name(DSL_ILLEGAL_TASK_NAME), "ILLEGAL_TASK_NAME");
    assert_string_equal(dsl_code_name(DSL_TOO_DEEP), "TOO_DEEP");
}

/* ---- caps ---------------------------------------------------------------------------------- */

static const char *repeated(struct ps_arena *arena, const char *piece, size_t count)
{
    const size_t n = strlen(piece);
    char *text = ps_arena_alloc(arena, n * count + 1);

    for (size_t i = 0; i < count; i++)
        memcpy(text + i * n, piece, n);
    return text;
}

static const char *numbered(struct ps_arena *arena, size_t count, const char *form,
                            const char *joint)
{
    PS_AUTO_BUF(buf, DSL_TEXT_MAX);

    for (size_t i = 0; i < count; i++)
        ps_buf_printf(&buf, "%s%s%zu", i > 0 ? joint : "", form, i);
    return ps_arena_str(arena, ps_buf_get(&buf));
}

static void caps_hold(void **state)
{
    struct ps_arena *arena = *state;
    const char *name = repeated(arena, "n", DSL_TASK_NAME_MAX + 1);
    const char *loops = repeated(arena, " 'f'->:x", DSL_TASK_TRANSITIONS_MAX);
    struct dsl_error bad;

    const struct dsl_task *task = must_parse(arena, numbered(arena, DSL_APPS_MAX, "a", " && "));

    assert_int_equal(task->app_count, DSL_APPS_MAX);
    assert_int_equal(dsl_task_graph(arena, task)->node_count, DSL_APPS_MAX + 2);
    assert_null(parse(arena, numbered(arena, DSL_APPS_MAX + 1, "a", "&&"), &bad));
    assert_int_equal(bad.code, DSL_TOO_MANY_APPS);
    (void)must_parse(arena, ps_arena_printf(arena, "x: A%s", loops));
    assert_null(parse(arena, ps_arena_printf(arena, "x: A%s 'f'->:x", loops), &bad));
    assert_int_equal(bad.code, DSL_TOO_MANY_TRANSITIONS);
    assert_non_null(dsl_task_parse(arena, ps_str_n(name, DSL_TASK_NAME_MAX), PS_STR("A"), &bad));
    assert_null(dsl_task_parse(arena, ps_str(name), PS_STR("A"), &bad));
    assert_int_equal(bad.code, DSL_ILLEGAL_TASK_NAME);
    const char *text = repeated(arena, "a", DSL_TEXT_MAX + 1);

    assert_non_null(dsl_task_parse(arena, PS_STR("t"), ps_str_n(text, DSL_TEXT_MAX), &bad));
    assert_null(dsl_task_parse(arena, PS_STR("t"), ps_str(text), &bad));
    assert_int_equal(bad.code, DSL_TOO_LONG);
}

static const char *nested(struct ps_arena *arena, const char *open, const char *close, size_t n)
{
    return ps_arena_printf(arena, "%sA%s", repeated(arena, open, n), repeated(arena, close, n));
}

static void depth_is_bounded(void **state)
{
    static const char *const pairs[][2] = {{"<", ">"}, {"(", ")"}, {"B && (", ")"}};
    const size_t most = DSL_TASK_DEPTH_MAX;

    for (size_t i = 0; i < PS_ARRAY_LEN(pairs); i++) {
        const char *open = pairs[i][0], *close = pairs[i][1];
        struct dsl_error bad;
        const struct dsl_task *task = parse(*state, nested(*state, open, close, most), &bad);

        if (task != NULL) {
            assert_non_null(dsl_task_graph(*state, task));
            assert_true(strlen(dsl_task_print(*state, task)) > 0);
        } else {
            assert_int_equal(bad.code, DSL_TASK_VALIDATION_APP_NAME_ALREADY_IN_USE);
        }
        assert_null(parse(*state, nested(*state, open, close, most + 1), &bad));
        assert_int_equal(bad.code, DSL_TOO_DEEP);
        assert_int_equal(bad.position, most * strlen(open) + strlen(open) - 1);
        assert_null(parse(*state, nested(*state, open, close, 100000), &bad));
        assert_int_equal(bad.code, DSL_TOO_DEEP);
    }
}

static void what_stands_side_by_side_is_not_deep(void **state)
{
    PS_AUTO_BUF(text, 65536);

    for (size_t i = 0; i < 2 * DSL_TASK_DEPTH_MAX; i++)
        ps_buf_printf(&text, "%s<a%zu> && (b%zu)", i > 0 ? " && " : "", i, i);
    assert_int_equal(must_parse(*state, ps_buf_text(&text))->app_count, 4 * DSL_TASK_DEPTH_MAX);
}

/* Fifty copies of a sequence, each of which leaves by every transition of the last node. */
static void graphs_are_bounded(void **state)
{
    struct ps_arena *arena = *state;
    const char *text = ps_arena_printf(arena, "A 'f'->:two && L; two: <C 'f'->:two || %s>",
                                       numbered(arena, 900, "d", " || "));
    const struct dsl_task_graph *graph = dsl_task_graph(arena, must_parse(arena, text));

    assert_non_null(graph);
    assert_true(graph->node_count > (size_t)50 * 900);
    const char *many =
        ps_arena_printf(arena, "A 'f'->:two && l: L%s; two: <C 'f'->:two || %s>",
                        repeated(arena, " 'f'->:l", 900), numbered(arena, 900, "d", " || "));

    assert_null(dsl_task_graph(arena, must_parse(arena, many)));
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
        const struct dsl_task *task = parse(&arena, text, &bad);
        size_t n = 0;

        if (task != NULL) {
            (void)dsl_task_print(&arena, task);
            (void)dsl_task_executable(&arena, task);
            (void)dsl_task_graph(&arena, task);
            (void)dsl_task_arguments(&arena, &task->apps[0], &n);
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
        {"arguments", "a", " --b=c"},
        {"one long value", "a --x=", "b"},
        {"quotes in a value", "a --x=", "''"},
        {"unclosed quote", "a --x='", "''"},
        {"dots", "a --x", ".y"},
        {"dashes", "a ", "--"},
        {"arrows", "a ", "->"},
        {"arrows in names", "", "a->"},
        {"secrets and a fault", "a ", " --key=x ;"},
        {"flow", "", "a&&"},
        {"splits", "", "<"},
        {"brackets", "", "("},
        {"branches", "<", "a||"},
        {"sequences", "", "a;"},
        {"lines", "", "a\n"},
        {"line breaks", "a", "\n"},
        {"transitions", "x: a ", "'f'->:x "},
        {"long status", "a '", "''"},
        {"labels", "", "a:"},
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

static void apps_and_steps_come_in_the_order_of_the_text(void **state)
{
    static const enum dsl_task_step_kind want[] = {
        DSL_TASK_FLOW,     DSL_TASK_APP,  DSL_TASK_TRANSITION, DSL_TASK_TRANSITION,
        DSL_TASK_SPLIT,    DSL_TASK_FLOW, DSL_TASK_APP,        DSL_TASK_FLOW_END,
        DSL_TASK_FLOW,     DSL_TASK_APP,  DSL_TASK_FLOW_END,   DSL_TASK_SPLIT_END,
        DSL_TASK_FLOW_END, DSL_TASK_FLOW, DSL_TASK_APP,        DSL_TASK_FLOW_END,
    };

    static const char *const names[] = {"a", "b", "c", "d", "e"};
    const struct dsl_task *task = must_parse(
        *state, "l: a --x='\xf0\x9f\x9a\x97' 0->b 'x'->:two && s: <c || d>\ntwo: e --y=1 --y=2");

    assert_true(task->composed);
    assert_string_equal(task->name, "ct");
    assert_int_equal(task->sequence_count, 2);
    assert_int_equal(task->step_count, PS_ARRAY_LEN(want));
    for (size_t i = 0; i < PS_ARRAY_LEN(want); i++)
        assert_int_equal(task->steps[i].kind, want[i]);
    assert_int_equal(task->app_count, PS_ARRAY_LEN(names));
    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++)
        assert_string_equal(task->apps[i].name, names[i]);
    assert_string_equal(task->steps[0].label, "l");
    assert_string_equal(task->steps[2].status, "0");
    assert_false(task->steps[2].quoted);
    assert_null(task->steps[2].label);
    assert_int_equal(task->steps[2].app, 1);
    assert_true(task->steps[3].quoted);
    assert_string_equal(task->steps[3].label, "two");
    assert_string_equal(task->steps[4].label, "s");
    assert_string_equal(task->steps[13].label, "two");
    assert_int_equal(task->apps[1].start, 17);
    assert_int_equal(task->apps[4].option_count, 2);
    assert_string_equal(dsl_task_child_name(*state, task, 0), "ct-l");
    assert_string_equal(dsl_task_child_name(*state, task, 1), "ct-b");
}

/* ---- printing ------------------------------------------------------------------------------ */

static void assert_same_steps(const char *text, const struct dsl_task *a, const struct dsl_task *b)
{
    if (a->step_count != b->step_count || a->app_count != b->app_count ||
        a->composed != b->composed || a->sequence_count != b->sequence_count)
        fail_msg("%s: became another task", text);
    for (size_t i = 0; i < a->step_count; i++) {
        const struct dsl_task_step *one = &a->steps[i], *other = &b->steps[i];

        if (one->kind != other->kind || one->quoted != other->quoted || one->app != other->app ||
            !ps_streq(one->label, other->label) || !ps_streq(one->status, other->status))
            fail_msg("%s: step %zu became another", text, i);
    }
}

static void assert_same_apps(const char *text, const struct dsl_task *a, const struct dsl_task *b)
{
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

static void assert_round_trip(struct ps_arena *arena, const char *text, const struct dsl_task *task)
{
    const char *printed = dsl_task_print(arena, task);
    struct dsl_error bad;
    const struct dsl_task *again = parse(arena, printed, &bad);

    if (again == NULL)
        fail_msg("%s\nprinted as %s\nrefused: %s", text, printed, bad.text);
    assert_same_steps(text, task, again);
    assert_same_apps(text, task, again);
    const char *twice = dsl_task_print(arena, again);

    if (!ps_streq(printed, twice))
        fail_msg("%s\nprinted as %s\nthen as    %s", text, printed, twice);
    const struct dsl_task_graph *one = dsl_task_graph(arena, task);
    const struct dsl_task_graph *other = dsl_task_graph(arena, again);

    assert_string_equal(nodes_of(arena, one), nodes_of(arena, other));
    assert_string_equal(links_of(arena, one), links_of(arena, other));
}

static void accepted_vectors_survive_printing(void **state)
{
    size_t accepted = 0;

    for (size_t i = 0; i < dsl_task_vector_count; i++) {
        struct dsl_error bad;
        const struct dsl_task *task = parse(*state, dsl_task_vectors[i].text, &bad);

        if (task == NULL)
            continue;
        assert_round_trip(*state, dsl_task_vectors[i].text, task);
        accepted++;
    }
    assert_true(accepted > 70);
}

/* `<a->` would be an arrow; a label and a child's name can end so, too. */
static void a_name_that_ends_with_a_dash_stays_apart_from_the_bracket(void **state)
{
    static const char *const texts[] = {
        "<a- >", "<a && l-: b >", "<a 1->b- >", "<l-: a 'x'->:l- >", "<a || <b- > >",
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++) {
        struct dsl_error bad;
        const struct dsl_task *task = parse(*state, texts[i], &bad);

        assert_non_null(task);
        assert_round_trip(*state, texts[i], task);
    }
    struct dsl_error bad;

    assert_string_equal(dsl_task_executable(*state, parse(*state, "<a-  >", &bad)), "<ct-a- >");
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

static const char *any(const char *const *list, size_t n)
{
    return list[below(n)];
}

#define ANY(list) any(list, PS_ARRAY_LEN(list))

static void random_app(struct ps_buf *buf)
{
    static const char *const values[] = {"1",    "'a b'", "\"c d\"",  "'it''s'", "x>'", "a\"b c\"d",
                                         "1&&B", "''",    "'a\n||b'", "-x",      "\\",  "'<>|;'"};
    static const char *const names[] = {"a", "b-1", "$END", "9e", "_x", "c--d", "$FAIL"};

    if (below(3) == 0)
        ps_buf_printf(buf, "l%zu%s", below(400), below(2) == 0 ? ": " : ":");
    ps_buf_printf(buf, "%s%zu", ANY(names), below(400));
    for (size_t n = below(3); n > 0; n--)
        ps_buf_printf(buf, "%s%s", below(2) == 0 ? " --x=" : "\n--y.z-1=", ANY(values));
}

static void random_transition(struct ps_buf *buf)
{
    static const char *const conditions[] = {"'FAILED'->", "\"it's\"->", "0->",      "*->",
                                             "''-> ",      "'a''b' ->",  "12345 -> "};

    ps_buf_printf(buf, " %s", ANY(conditions));
    if (below(4) == 0)
        ps_buf_printf(buf, ":l%zu", below(400));
    else
        random_app(buf);
}

static void random_flow(struct ps_buf *buf, size_t depth);

static void random_split(struct ps_buf *buf, size_t depth)
{
    ps_buf_printf(buf, below(6) == 0 ? "s%zu: <" : "<", below(100));
    for (size_t n = 1 + below(3); n > 0; n--) {
        random_flow(buf, depth + 1);
        ps_buf_str(buf, n > 1 ? " || " : ">");
    }
}

static void random_flow(struct ps_buf *buf, size_t depth)
{
    static const char *const noise[] = {"&&", "|", ">", "'", "(", "->", "\n", "x", ":"};
    const bool group = below(8) == 0;

    ps_buf_str(buf, group ? "(" : "");
    for (size_t n = 1 + below(3); n > 0; n--) {
        if (depth < 3 && below(4) == 0) {
            random_split(buf, depth);
        } else {
            random_app(buf);
            for (size_t k = below(8) < 3 ? below(3) : 0; k > 0; k--)
                random_transition(buf);
        }
        ps_buf_str(buf, n > 1 ? " && " : "");
    }
    ps_buf_str(buf, group ? ")" : "");
    if (below(60) == 0)
        ps_buf_str(buf, ANY(noise));
}

static void random_text(struct ps_buf *buf)
{
    random_flow(buf, 0);
    for (size_t n = below(4) == 0 ? below(3) : 0; n > 0; n--) {
        ps_buf_printf(buf, "%sl%zu: ", below(2) == 0 ? "\n" : "; ", below(400));
        random_flow(buf, 0);
    }
}

static void random_texts_are_refused_or_survive_printing(void **state)
{
    size_t accepted = 0, composed = 0;

    (void)state;
    seed = 20261122;
    for (size_t i = 0; i < 30000; i++) {
        struct ps_arena arena;
        struct dsl_error bad;
        PS_AUTO_BUF(buf, 65536);

        ps_arena_init(&arena);
        random_text(&buf);
        const struct dsl_task *task = parse(&arena, ps_buf_text(&buf), &bad);

        if (task != NULL) {
            assert_round_trip(&arena, ps_buf_text(&buf), task);
            composed += task->composed ? 1 : 0;
            accepted++;
        } else {
            assert_true(bad.code != DSL_OK);
            assert_true(bad.position <= buf.n);
        }
        ps_arena_fini(&arena);
    }
    /* A generator that is refused nearly always proves nothing. */
    if (accepted < 10000 || accepted > 28000 || composed < 6000)
        fail_msg("%zu of 30000 accepted, %zu composed", accepted, composed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(every_vector_means_what_scdf_makes_of_it),
        TEST(error_text_shows_line_caret_and_last_good_part),
        TEST(all_problems_are_told),
        TEST(at_most_so_many_problems_are_told),
        TEST(bytes_that_are_no_text_are_refused),
        TEST(codes_have_names),
        TEST(caps_hold),
        TEST(depth_is_bounded),
        TEST(what_stands_side_by_side_is_not_deep),
        TEST(graphs_are_bounded),
        TEST(a_mebibyte_costs_linear_time),
        TEST(apps_and_steps_come_in_the_order_of_the_text),
        TEST(accepted_vectors_survive_printing),
        TEST(a_name_that_ends_with_a_dash_stays_apart_from_the_bracket),
        TEST(random_texts_are_refused_or_survive_printing),
    };

    return cmocka_run_group_tests_name("dsl_task", tests, NULL, NULL);
}
