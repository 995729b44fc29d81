/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a task definition: refused with a position inside the text and an error text, or
 * accepted, and then printing it gives a text that is accepted, printed and drawn alike.
 */
#include "dsl/dsl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_steps(const struct dsl_task *a, const struct dsl_task *b)
{
    ps_assert(a->step_count == b->step_count && a->app_count == b->app_count);
    ps_assert(a->composed == b->composed && a->sequence_count == b->sequence_count);
    for (size_t i = 0; i < a->step_count; i++) {
        const struct dsl_task_step *one = &a->steps[i], *other = &b->steps[i];

        ps_assert(one->kind == other->kind && one->quoted == other->quoted);
        ps_assert(one->app == other->app && ps_streq(one->label, other->label));
        ps_assert(ps_streq(one->status, other->status));
    }
}

static void check_graph(const struct dsl_task_graph *a, const struct dsl_task_graph *b)
{
    ps_assert((a == NULL) == (b == NULL));
    if (a == NULL)
        return;
    ps_assert(a->node_count == b->node_count && a->link_count == b->link_count);
    for (size_t i = 0; i < a->node_count; i++) {
        ps_assert(a->nodes[i].id == b->nodes[i].id);
        ps_assert(ps_streq(a->nodes[i].name, b->nodes[i].name));
        ps_assert(ps_streq(a->nodes[i].label, b->nodes[i].label));
    }
    const size_t ids = a->nodes[a->node_count - 1].id;

    for (size_t i = 0; i < a->link_count; i++) {
        ps_assert(a->links[i].from <= ids && a->links[i].to <= ids);
        ps_assert(a->links[i].from == b->links[i].from && a->links[i].to == b->links[i].to);
        ps_assert(ps_streq(a->links[i].transition, b->links[i].transition));
    }
}

static void check_accepted(struct ps_arena *arena, const struct dsl_task *task)
{
    const char *printed = dsl_task_print(arena, task);
    struct dsl_error bad;
    const struct dsl_task *again = dsl_task_parse(arena, PS_STR("t"), ps_str(printed), &bad);

    ps_assert(again != NULL);
    ps_assert(ps_streq(dsl_task_print(arena, again), printed));
    ps_assert(ps_streq(dsl_task_executable(arena, task), dsl_task_executable(arena, again)));
    check_steps(task, again);
    check_graph(dsl_task_graph(arena, task), dsl_task_graph(arena, again));
    for (size_t i = 0; i < task->app_count; i++) {
        size_t one, other;
        const struct dsl_option *a = dsl_task_arguments(arena, &task->apps[i], &one);
        const struct dsl_option *b = dsl_task_arguments(arena, &again->apps[i], &other);

        ps_assert(one == other && ps_streq(task->apps[i].label, again->apps[i].label));
        for (size_t k = 0; k < one; k++)
            ps_assert(ps_streq(a[k].name, b[k].name) && ps_streq(a[k].value, b[k].value));
    }
}

static void check_refused(struct ps_arena *arena, const struct dsl_error *bad, size_t size)
{
    size_t count = 0;

    for (; bad != NULL; bad = bad->next, count++) {
        ps_assert(bad->code != DSL_OK && bad->position <= size);
        ps_assert(bad->message != NULL && bad->text != NULL);
        ps_assert(
            ps_str_starts(ps_str(bad->text), ps_arena_printf(arena, "%dE:(pos ", (int)bad->code)));
    }
    ps_assert(count <= DSL_TASK_PROBLEMS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_arena arena;
    struct dsl_error bad;

    /* The newline at the end of a file of the corpus is no part of the definition. */
    size -= size > 0 && data[size - 1] == '\n';
    ps_arena_init(&arena);
    const struct dsl_task *task =
        dsl_task_parse(&arena, PS_STR("t"), ps_str_n((const char *)(const void *)data, size), &bad);

    if (task != NULL)
        check_accepted(&arena, task);
    else
        check_refused(&arena, &bad, size);
    ps_arena_fini(&arena);
    return 0;
}
