/* SPDX-License-Identifier: Apache-2.0 */
/* `--name=value`, any number of them, after an app or a destination. */
#include "dsl/internal.h"

/* Names with dots are pieces without gaps: the text from the first to the last of them. */
static bool eat_dotted_name(struct dsl__parser *p, const char **name)
{
    const struct dsl__token *first = dsl__eat(p, DSL__IDENT);
    const struct dsl__token *last = first;

    if (first == NULL)
        return false;
    while (dsl__next_is(p, DSL__DOT)) {
        if (!dsl__is_adjacent(p))
            return dsl__fail_at_next(p, DSL_NO_WHITESPACE_IN_DOTTED_NAME);
        p->at++;
        if (dsl__next_is(p, DSL__IDENT) && !dsl__is_adjacent(p))
            return dsl__fail_at_next(p, DSL_NO_WHITESPACE_IN_DOTTED_NAME);
        last = dsl__eat(p, DSL__IDENT);
        if (last == NULL)
            return false;
    }
    *name = ps_arena_str(p->src.arena,
                         ps_str_n(p->src.text.p + first->start, last->end - first->start));
    return true;
}

char *dsl__unquoted(struct ps_arena *arena, struct ps_str text)
{
    const char quote = text.p[0];
    char *value = ps_arena_alloc(arena, text.n);
    size_t n = 0;

    for (size_t i = 1; i + 1 < text.n; i++) {
        value[n++] = text.p[i];
        if (text.p[i] == quote && i + 2 < text.n && text.p[i + 1] == quote)
            i++;
    }
    return value;
}

static bool eat_value(struct dsl__parser *p, const char **value)
{
    const struct dsl__token *token = dsl__eat_any(p);

    if (token == NULL)
        return false;
    if (token->kind == DSL__IDENT) {
        *value = dsl__copy_of(p, token);
        return true;
    }
    if (token->kind == DSL__LITERAL) {
        *value = dsl__unquoted(p->src.arena, dsl__text_of(p, token));
        return true;
    }
    /* SCDF inserts the word null for signs, whatever the sign. */
    return dsl__fail_with(&p->src, DSL_EXPECTED_ARGUMENT_VALUE, token->start, &PS_STR("null"), 1);
}

static bool eat_option(struct dsl__parser *p)
{
    struct dsl_option option;

    p->at++; /* the two dashes */
    if (dsl__next_is(p, DSL__IDENT) && !dsl__is_adjacent(p))
        return dsl__fail_at_next(p, DSL_NO_WHITESPACE_BEFORE_ARG_NAME);
    if (!eat_dotted_name(p, &option.name))
        return false;
    if (dsl__next_is(p, DSL__EQUALS) && !dsl__is_adjacent(p))
        return dsl__fail_at_next(p, DSL_NO_WHITESPACE_BEFORE_ARG_EQUALS);
    if (dsl__eat(p, DSL__EQUALS) == NULL)
        return false;
    if (dsl__next_is(p, DSL__IDENT) && !dsl__is_adjacent(p))
        return dsl__fail_at_next(p, DSL_NO_WHITESPACE_BEFORE_ARG_VALUE);
    if (!eat_value(p, &option.value))
        return false;
    dsl__checkpoint(p);
    if (p->option_count == p->option_cap) {
        p->option_cap = p->option_cap ? p->option_cap * 2 : 16;
        p->options = ps_xrealloc(p->options, p->option_cap * sizeof(*p->options));
    }
    p->options[p->option_count++] = option;
    return true;
}

bool dsl__eat_options(struct dsl__parser *p)
{
    p->option_count = 0;
    if (dsl__next_is(p, DSL__DOUBLE_MINUS) && dsl__is_adjacent(p))
        return dsl__fail_at_next(p, DSL_EXPECTED_WHITESPACE_BEFORE_ARGUMENT);
    while (dsl__next_is(p, DSL__DOUBLE_MINUS)) {
        if (!eat_option(p))
            return false;
    }
    return true;
}
