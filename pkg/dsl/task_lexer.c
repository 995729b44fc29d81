/* SPDX-License-Identifier: Apache-2.0 */
/* Names and signs of the task language; values and quoted texts are read as in streams. */
#include "dsl/internal.h"

/* The signs of one character. */
static const enum dsl__kind signs[128] = {
    ['('] = DSL__OPEN_PAREN, [')'] = DSL__CLOSE_PAREN, ['*'] = DSL__STAR,
    ['.'] = DSL__DOT,        [':'] = DSL__COLON,       [';'] = DSL__SEMICOLON,
    ['<'] = DSL__LT,         ['='] = DSL__EQUALS,      ['>'] = DSL__GT,
};

/* $END and $FAIL are names, too. */
static bool starts_name(char c)
{
    return dsl__starts_name(c) || c == '$';
}

static bool is_arrow(struct ps_str text, size_t at)
{
    return at + 1 < text.n && text.p[at] == '-' && text.p[at + 1] == '>';
}

static size_t name_end(struct ps_str text, size_t at)
{
    do {
        at++;
    } while (at < text.n && dsl__continues_name(text.p[at]) && !is_arrow(text, at));
    return at;
}

/* DSL__NONE after reporting. c is one of - & | */
static enum dsl__kind pair(const struct dsl__source *src, size_t at)
{
    const char c = src->text.p[at];
    const bool twice = at + 1 < src->text.n && src->text.p[at + 1] == c;

    if (twice)
        return c == '-' ? DSL__DOUBLE_MINUS : c == '&' ? DSL__AND_AND : DSL__DOUBLE_PIPE;
    if (is_arrow(src->text, at))
        return DSL__ARROW;
    if (c == '-') {
        (void)dsl__fail_with(src, DSL_MISSING_CHARACTER, at, &PS_STR("-"), 1);
    } else {
        (void)dsl__fail(src, c == '&' ? DSL_TASK_DOUBLE_AND_REQUIRED : DSL_TASK_DOUBLE_OR_REQUIRED,
                        at);
    }
    return DSL__NONE;
}

static bool lex_sign(const struct dsl__source *src, struct dsl__tokens *tokens, size_t *at)
{
    const struct ps_str rest = ps_str_skip(src->text, *at);
    const unsigned char c = (unsigned char)rest.p[0];
    const bool paired = c == '-' || c == '&' || c == '|';
    const size_t size = paired ? 2 : 1;

    if (c == '\n') {
        (*at)++;
        return true;
    }
    if (c == '\\')
        return dsl__fail(src, DSL_UNEXPECTED_ESCAPE_CHAR, *at);
    if (!paired && (c >= PS_ARRAY_LEN(signs) || signs[c] == DSL__NONE)) {
        const struct ps_str found = ps_str_head(rest, dsl__char_size(rest));

        return dsl__fail_with(src, DSL_TASK_UNEXPECTED_DATA, *at, &found, 1);
    }
    const enum dsl__kind kind = paired ? pair(src, *at) : signs[c];

    if (kind == DSL__NONE)
        return false;
    dsl__push(tokens, kind, *at, *at + size);
    *at += size;
    return true;
}

bool dsl__lex_task(const struct dsl__source *src, struct dsl__tokens *tokens)
{
    static const struct dsl__language tasks = {starts_name, name_end, lex_sign};

    return dsl__lex_language(src, tokens, &tasks);
}
