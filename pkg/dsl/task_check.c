/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels and names of a whole task: each app once or labelled, each label once, no transition to a
 * label that nothing has. All problems are told, in the order of the text, those of the last kind
 * at the end.
 */
#include "dsl/internal.h"

struct check {
    const struct dsl__task *task;
    struct dsl__source src;
    size_t problems;
    struct dsl_error *last;
    struct ps_map labels, names; /* names: of apps without a label */
};

static void problem(struct check *c, enum dsl_code code, size_t at)
{
    if (c->problems++ == DSL_TASK_PROBLEMS_MAX) {
        c->problems = DSL_TASK_PROBLEMS_MAX;
        return;
    }
    struct dsl_error *bad = c->task->p.src.bad;

    if (c->last != NULL)
        bad = c->last->next = ps_arena_alloc(c->src.arena, sizeof(*bad));
    c->last = bad;
    c->src.bad = bad;
    (void)dsl__fail(&c->src, code, at);
}

static void define(struct check *c, const char *label, size_t at)
{
    /* The value is never read. */
    if (ps_map_put(&c->labels, label, c) != NULL)
        problem(c, DSL_TASK_VALIDATION_DUPLICATE_LABEL, at);
}

static void check_app(struct check *c, size_t i)
{
    const struct dsl__draft *draft = &c->task->p.apps[i];
    const char *name = draft->app.name;

    if (draft->app.has_label) {
        define(c, draft->app.label, draft->start_byte);
        if (ps_map_get(&c->names, draft->app.label) != NULL)
            problem(c, DSL_TASK_VALIDATION_LABEL_CLASHES_WITH_TASKAPP_NAME, draft->start_byte);
        return;
    }
    if (ps_map_get(&c->labels, name) != NULL)
        problem(c, DSL_TASK_VALIDATION_APP_NAME_CLASHES_WITH_LABEL, draft->start_byte);
    if (ps_map_put(&c->names, name, c) != NULL)
        problem(c, DSL_TASK_VALIDATION_APP_NAME_ALREADY_IN_USE, draft->start_byte);
}

static void check_steps(struct check *c)
{
    size_t depth = 0;

    for (size_t i = 0; i < c->task->step_count; i++) {
        const struct dsl__step *draft = &c->task->steps[i];
        const struct dsl_task_step *step = &draft->step;

        if (step->kind == DSL_TASK_FLOW) {
            if (depth++ == 0 && i > 0 && step->label == NULL)
                problem(c, DSL_TASK_VALIDATION_SECONDARY_SEQUENCES_MUST_BE_NAMED, draft->at);
        } else if (step->kind == DSL_TASK_FLOW_END) {
            depth--;
        } else if (step->kind == DSL_TASK_SPLIT && step->label != NULL) {
            define(c, step->label, draft->at);
        } else if (step->kind == DSL_TASK_APP ||
                   (step->kind == DSL_TASK_TRANSITION && step->label == NULL)) {
            check_app(c, step->app);
        }
    }
}

static void check_targets(struct check *c)
{
    for (size_t i = 0; i < c->task->step_count; i++) {
        const struct dsl__step *draft = &c->task->steps[i];

        if (draft->step.kind == DSL_TASK_TRANSITION && draft->step.label != NULL &&
            ps_map_get(&c->labels, draft->step.label) == NULL)
            problem(c, DSL_TASK_VALIDATION_TRANSITION_TARGET_LABEL_UNDEFINED, draft->at);
    }
}

bool dsl__check_task(const struct dsl__task *task)
{
    struct check c = {.task = task, .src = task->p.src};

    if (task->step_count == 3) /* one app alone */
        return true;
    c.src.good = 0; /* all of it was well-formed */
    ps_map_init(&c.labels);
    ps_map_init(&c.names);
    check_steps(&c);
    check_targets(&c);
    ps_map_fini(&c.labels);
    ps_map_fini(&c.names);
    return c.problems == 0;
}
