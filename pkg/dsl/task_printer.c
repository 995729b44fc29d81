/* SPDX-License-Identifier: Apache-2.0 */
/* A task to text: as it was written, and as SCDF's runner of composed tasks gets it. */
#include "dsl/internal.h"

struct form {
    struct ps_arena *arena;
    const struct dsl_task *task;
    bool executable;
};

static void print_app(struct ps_buf *out, const struct form *form, size_t i)
{
    if (form->executable) {
        ps_buf_str(out, dsl_task_child_name(form->arena, form->task, i));
    } else {
        dsl__print_app(out, &form->task->apps[i]);
    }
}

static void print_transition(struct ps_buf *out, const struct form *form,
                             const struct dsl_task_step *step)
{
    ps_buf_char(out, ' ');
    if (step->quoted) {
        dsl__print_quoted(out, step->status);
    } else {
        ps_buf_str(out, step->status);
    }
    ps_buf_str(out, "->");
    if (step->label != NULL) {
        ps_buf_printf(out, ":%s", step->label);
    } else {
        print_app(out, form, step->app);
    }
}

/* What joins a step to the one before it; last is the kind of that. */
static const char *joint(const struct form *form, enum dsl_task_step_kind last, size_t depth,
                         enum dsl_task_step_kind kind)
{
    if (kind == DSL_TASK_FLOW && last == DSL_TASK_FLOW_END)
        return depth > 0 ? " || " : form->executable ? "" : "\n";
    if ((kind == DSL_TASK_APP || kind == DSL_TASK_SPLIT) && last != DSL_TASK_FLOW)
        return " && ";
    return "";
}

/* A name may end with a dash, and `a->` would be read as an arrow. */
static void print_split_end(struct ps_buf *out)
{
    ps_buf_str(out, ps_str_ends(ps_buf_get(out), "-") ? " >" : ">");
}

static void print_step(struct ps_buf *out, const struct form *form,
                       const struct dsl_task_step *step)
{
    switch (step->kind) {
    case DSL_TASK_FLOW:
    case DSL_TASK_FLOW_END:
        return;
    case DSL_TASK_SPLIT:
        if (step->label != NULL && !form->executable)
            ps_buf_printf(out, "%s: ", step->label);
        ps_buf_char(out, '<');
        return;
    case DSL_TASK_SPLIT_END:
        print_split_end(out);
        return;
    case DSL_TASK_APP:
        print_app(out, form, step->app);
        return;
    case DSL_TASK_TRANSITION:
        print_transition(out, form, step);
        return;
    }
    ps_unreachable();
}

static const char *print(const struct form *form)
{
    const struct dsl_task *task = form->task;
    enum dsl_task_step_kind last = DSL_TASK_FLOW;
    size_t depth = 0;
    PS_AUTO_BUF(out, DSL__PRINT_MAX + DSL_APPS_MAX * (DSL_TASK_NAME_MAX + 1));

    for (size_t i = 0; i < task->step_count; i++) {
        const enum dsl_task_step_kind kind = task->steps[i].kind;

        ps_buf_str(&out, joint(form, last, depth, kind));
        print_step(&out, form, &task->steps[i]);
        depth += kind == DSL_TASK_FLOW ? 1 : 0;
        depth -= kind == DSL_TASK_FLOW_END ? 1 : 0;
        last = kind;
    }
    ps_assert(!ps_buf_failed(&out));
    return ps_arena_str(form->arena, ps_buf_get(&out));
}

const char *dsl_task_print(struct ps_arena *arena, const struct dsl_task *task)
{
    return print(&(struct form){.arena = arena, .task = task});
}

const char *dsl_task_executable(struct ps_arena *arena, const struct dsl_task *task)
{
    return print(&(struct form){.arena = arena, .task = task, .executable = true});
}

const char *dsl_task_child_name(struct ps_arena *arena, const struct dsl_task *task, size_t i)
{
    ps_assert(i < task->app_count);
    return ps_arena_printf(arena, "%s-%s", task->name, task->apps[i].label);
}

const struct dsl_option *dsl_task_arguments(struct ps_arena *arena, const struct dsl_app *app,
                                            size_t *count)
{
    struct dsl_option *list = app->options;
    struct ps_map index; /* name -> entry of list */

    *count = app->option_count;
    if (app->option_count < 2)
        return list;
    list = ps_arena_array(arena, app->option_count, sizeof(*list));
    *count = 0;
    ps_map_init(&index);
    for (size_t i = 0; i < app->option_count; i++) {
        struct dsl_option *entry = ps_map_get(&index, app->options[i].name);

        if (entry == NULL) {
            entry = &list[(*count)++];
            (void)ps_map_put(&index, app->options[i].name, entry);
        }
        *entry = app->options[i];
    }
    ps_map_fini(&index);
    return list;
}
