/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to a task. What SCDF reads as flows within flows is one loop here, for it makes one flow
 * of them; only splits and brackets go down, DSL_TASK_DEPTH_MAX of them at most.
 */
#include "dsl/internal.h"

#include <string.h>

static void task_fini(struct dsl__task *t)
{
    dsl__parser_fini(&t->p);
    ps_free(t->steps);
}

static struct dsl_task_step *add_step(struct dsl__task *t, enum dsl_task_step_kind kind, size_t at)
{
    if (t->step_count == t->step_cap) {
        t->step_cap = t->step_cap ? t->step_cap * 2 : 16;
        t->steps = ps_xrealloc(t->steps, t->step_cap * sizeof(*t->steps));
    }
    struct dsl__step *draft = &t->steps[t->step_count++];

    *draft = (struct dsl__step){.step = {.kind = kind}, .at = (uint32_t)at};
    return &draft->step;
}

static bool kind_at(const struct dsl__parser *p, size_t i, enum dsl__kind kind)
{
    return i < p->tokens.count && p->tokens.list[i].kind == kind;
}

/* NULL when none follows. */
static const struct dsl__token *eat_label(struct dsl__parser *p)
{
    if (!dsl__next_is(p, DSL__IDENT) || !kind_at(p, p->at + 1, DSL__COLON))
        return NULL;
    p->at += 2; /* the label and its colon */
    return &p->tokens.list[p->at - 2];
}

static bool go_down(struct dsl__task *t)
{
    if (t->depth == DSL_TASK_DEPTH_MAX)
        return dsl__fail_at_next(&t->p, DSL_TOO_DEEP);
    t->depth++;
    return true;
}

/* ---- apps and transitions ------------------------------------------------------------------ */

/* label may be NULL. The app becomes the last of the list. */
static bool eat_app(struct dsl__task *t, const struct dsl__token *label)
{
    struct dsl__parser *p = &t->p;
    const struct dsl__token *name = dsl__eat_any(p);

    if (name == NULL)
        return false;
    if (name->kind != DSL__IDENT)
        return dsl__fail_on(p, DSL_EXPECTED_APPNAME, name);
    if (p->app_count == DSL_APPS_MAX)
        return dsl__fail(&p->src, DSL_TOO_MANY_APPS, name->start);
    dsl__checkpoint(p);
    if (!dsl__eat_options(p))
        return false;
    dsl__add_app(p, label != NULL ? label : name, name);
    return true;
}

static bool is_number(struct ps_str text)
{
    int64_t value;

    return ps_str_to_i64(text, &value) && value <= INT32_MAX;
}

/* The condition and the arrow are there. */
static bool eat_transition(struct dsl__task *t)
{
    struct dsl__parser *p = &t->p;
    const struct dsl__token *condition = dsl__peek(p);

    if (t->transitions++ == DSL_TASK_TRANSITIONS_MAX)
        return dsl__fail_at_next(p, DSL_TOO_MANY_TRANSITIONS);
    struct dsl_task_step *step = add_step(t, DSL_TASK_TRANSITION, condition->start);

    p->at += 2;
    step->quoted = condition->kind == DSL__LITERAL;
    step->status = step->quoted ? dsl__unquoted(p->src.arena, dsl__text_of(p, condition))
                                : dsl__copy_of(p, condition);
    if (dsl__next_is(p, DSL__COLON)) {
        p->at++;
        const struct dsl__token *label = dsl__eat(p, DSL__IDENT);

        if (label == NULL)
            return false;
        step->label = dsl__copy_of(p, label);
    } else {
        step->app = p->app_count;
        if (!eat_app(t, eat_label(p)))
            return false;
    }
    if (condition->kind == DSL__IDENT && !is_number(dsl__text_of(p, condition)))
        return dsl__fail_on(p, DSL_TASK_UNQUOTED_TRANSITION_CHECK_MUST_BE_NUMBER, condition);
    return true;
}

static bool transition_follows(const struct dsl__parser *p)
{
    return kind_at(p, p->at + 1, DSL__ARROW) &&
           (dsl__next_is(p, DSL__IDENT) || dsl__next_is(p, DSL__LITERAL) ||
            dsl__next_is(p, DSL__STAR));
}

static bool eat_app_step(struct dsl__task *t, const struct dsl__token *label)
{
    struct dsl__parser *p = &t->p;
    const size_t app = p->app_count;

    if (!eat_app(t, label))
        return false;
    add_step(t, DSL_TASK_APP, p->apps[app].start_byte)->app = app;
    while (transition_follows(p)) {
        if (!eat_transition(t))
            return false;
    }
    if (dsl__next_is(p, DSL__ARROW))
        return dsl__fail_at_next(p, DSL_TASK_ARROW_SHOULD_BE_PRECEDED_BY_CODE);
    return true;
}

/* ---- flows --------------------------------------------------------------------------------- */

static bool eat_unit(struct dsl__task *t);

/* A whole flow: labelled as its first element is. */
static bool eat_flow(struct dsl__task *t)
{
    const size_t flow = t->step_count;

    (void)add_step(t, DSL_TASK_FLOW, 0);
    if (!eat_unit(t))
        return false;
    const struct dsl__step *first = &t->steps[flow + 1];

    t->steps[flow].at = first->at;
    t->steps[flow].step.label = first->step.label;
    if (first->step.kind == DSL_TASK_APP && t->p.apps[first->step.app].app.has_label)
        t->steps[flow].step.label = t->p.apps[first->step.app].app.label;
    (void)add_step(t, DSL_TASK_FLOW_END, 0);
    return true;
}

static bool eat_split(struct dsl__task *t, const struct dsl__token *label)
{
    struct dsl__parser *p = &t->p;
    const struct dsl__token *first = label != NULL ? label : dsl__peek(p);

    if (!go_down(t))
        return false;
    struct dsl_task_step *step = add_step(t, DSL_TASK_SPLIT, first->start);

    step->label = label != NULL ? dsl__copy_of(p, label) : NULL;
    do {
        p->at++; /* the < or the || */
        if (!eat_flow(t))
            return false;
    } while (dsl__next_is(p, DSL__DOUBLE_PIPE));
    if (dsl__eat(p, DSL__GT) == NULL)
        return false;
    (void)add_step(t, DSL_TASK_SPLIT_END, 0);
    t->depth--;
    return true;
}

static bool eat_group(struct dsl__task *t)
{
    if (!go_down(t))
        return false;
    t->p.at++; /* the bracket */
    if (!eat_unit(t) || dsl__eat(&t->p, DSL__CLOSE_PAREN) == NULL)
        return false;
    t->depth--;
    return true;
}

static bool eat_element(struct dsl__task *t)
{
    struct dsl__parser *p = &t->p;
    const struct dsl__token *label = eat_label(p);

    if (label != NULL && dsl__next_is(p, DSL__OPEN_PAREN))
        return dsl__fail_at_next(p, DSL_TASK_NO_LABELS_ON_PARENS);
    if (label != NULL && dsl__next_is(p, DSL__IDENT) && kind_at(p, p->at + 1, DSL__COLON))
        return dsl__fail_at_next(p, DSL_NO_DOUBLE_LABELS);
    return dsl__next_is(p, DSL__LT) ? eat_split(t, label) : eat_app_step(t, label);
}

/* Elements joined by &&. What starts with a bracket ends with it: `(a) && b` is no unit. */
static bool eat_unit(struct dsl__task *t)
{
    struct dsl__parser *p = &t->p;

    if (dsl__next_is(p, DSL__OPEN_PAREN))
        return eat_group(t);
    if (!eat_element(t))
        return false;
    while (dsl__next_is(p, DSL__AND_AND)) {
        p->at++;
        if (!(dsl__next_is(p, DSL__OPEN_PAREN) ? eat_group(t) : eat_element(t)))
            return false;
    }
    return true;
}

/* ---- the task ------------------------------------------------------------------------------ */

/* Only blanks and line breaks stand between tokens. */
static bool next_is_on_new_line(const struct dsl__parser *p)
{
    const struct dsl__token *next = dsl__peek(p);

    if (next == NULL || p->at == 0)
        return false;
    const size_t end = p->tokens.list[p->at - 1].end;

    return ps_str_index(ps_str_n(p->src.text.p + end, next->start - end), '\n') >= 0;
}

static bool eat_sequences(struct dsl__task *t)
{
    struct dsl__parser *p = &t->p;

    for (;;) {
        if (!eat_flow(t))
            return false;
        t->sequences++;
        if (next_is_on_new_line(p))
            continue;
        if (!dsl__next_is(p, DSL__SEMICOLON))
            return true;
        p->at++;
    }
}

static bool check_name(const struct dsl__parser *p, struct ps_str name)
{
    const struct dsl__source src = {.arena = p->src.arena, .text = name, .bad = p->src.bad};

    if (name.n > DSL_TASK_NAME_MAX)
        return dsl__fail_with(&src, DSL_ILLEGAL_TASK_NAME, 0, &name, 1);
    return dsl__check_name(p, DSL_ILLEGAL_TASK_NAME, name);
}

static bool eat_task(struct dsl__task *t, struct ps_str name)
{
    if (!eat_sequences(t) || !check_name(&t->p, name))
        return false;
    if (t->p.at < t->p.tokens.count)
        return dsl__fail_on(&t->p, DSL_TASK_MORE_INPUT, dsl__peek(&t->p));
    return dsl__check_task(t);
}

static struct dsl_task *finished(const struct dsl__task *t, struct ps_str name)
{
    struct ps_arena *arena = t->p.src.arena;
    struct dsl_task *task = ps_arena_alloc(arena, sizeof(*task));

    task->name = ps_arena_str(arena, name);
    task->sequence_count = t->sequences;
    task->app_count = t->p.app_count;
    task->apps = ps_arena_array(arena, t->p.app_count, sizeof(*task->apps));
    for (size_t i = 0; i < t->p.app_count; i++)
        task->apps[i] = t->p.apps[i].app;
    task->step_count = t->step_count;
    task->steps = ps_arena_array(arena, t->step_count, sizeof(*task->steps));
    for (size_t i = 0; i < t->step_count; i++)
        task->steps[i] = t->steps[i].step;
    /* One app alone is a flow of one step. */
    task->composed = t->step_count != 3 || t->steps[1].step.kind != DSL_TASK_APP;
    return task;
}

struct dsl_task *dsl_task_parse(struct ps_arena *arena, struct ps_str name, struct ps_str text,
                                struct dsl_error *bad)
{
    PS_CLEANUP(task_fini)
    struct dsl__task t = {.p = {.src = {.arena = arena, .text = text, .bad = bad}}};
    const struct dsl__source named = {.arena = arena, .text = name, .bad = bad};

    *bad = (struct dsl_error){0};
    if (!dsl__check_text(&t.p.src) || !dsl__check_text(&named) ||
        !dsl__lex_task(&t.p.src, &t.p.tokens) || !eat_task(&t, name))
        return NULL;
    return finished(&t, name);
}
