/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to tokens. There are two modes: what follows an equals sign is a value and runs to the next
 * blank or terminator outside quotes; everything else is cut into names and signs.
 */
#include "dsl/internal.h"

#define TOKENS_FIRST ((size_t)64)

_Static_assert(DSL_TEXT_MAX <= UINT32_MAX, "offsets are 32 bits");

/* The signs of one character. */
static const enum dsl__kind signs[128] = {
    ['\n'] = DSL__NEWLINE, ['#'] = DSL__HASH,   ['&'] = DSL__AND,   ['*'] = DSL__STAR,
    ['.'] = DSL__DOT,      ['/'] = DSL__SLASH,  [':'] = DSL__COLON, [';'] = DSL__SEMICOLON,
    ['<'] = DSL__LT,       ['='] = DSL__EQUALS, ['>'] = DSL__GT,    ['@'] = DSL__REFERENCE,
    ['|'] = DSL__PIPE,
};

bool dsl__starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool dsl__continues_name(char c)
{
    return dsl__starts_name(c) || c == '$' || c == '-';
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_value(char c)
{
    return is_blank(c) || c == '\n' || c == '|' || c == ';' || c == '>';
}

bool dsl__starts_value(char c)
{
    return !ends_value(c);
}

bool dsl__is_plain(struct ps_str text)
{
    if (text.n == 0 || !dsl__starts_name(text.p[0]))
        return false;
    for (size_t i = 1; i < text.n; i++) {
        if (!dsl__continues_name(text.p[i]))
            return false;
    }
    return true;
}

void dsl__tokens_fini(struct dsl__tokens *tokens)
{
    ps_free(tokens->list);
    *tokens = (struct dsl__tokens){0};
}

static void push(struct dsl__tokens *tokens, struct dsl__token token)
{
    if (tokens->count == tokens->cap) {
        tokens->cap = tokens->cap ? tokens->cap * 2 : TOKENS_FIRST;
        tokens->list = ps_xrealloc(tokens->list, tokens->cap * sizeof(*tokens->list));
    }
    tokens->list[tokens->count++] = token;
}

void dsl__push(struct dsl__tokens *tokens, enum dsl__kind kind, size_t start, size_t end)
{
    push(tokens, (struct dsl__token){(uint32_t)start, (uint32_t)end, kind});
}

static struct dsl__token make(enum dsl__kind kind, size_t start, size_t end)
{
    return (struct dsl__token){(uint32_t)start, (uint32_t)end, kind};
}

struct dsl__value dsl__scan_value(struct ps_str text, size_t at)
{
    /* The quote that a value starts with is the only one that counts in it; without one both do. */
    bool open = is_quote(text.p[at]);
    const char quote = (char)(open ? text.p[at] : '\0');
    size_t closed = 0;
    size_t i = open ? at + 1 : at;

    for (; i < text.n && (open || !ends_value(text.p[i])); i++) {
        const char c = text.p[i];

        if (quote != '\0' ? c != quote : !is_quote(c))
            continue;
        if (quote == '\'' && i + 1 < text.n && text.p[i + 1] == '\'') {
            i++;
            continue;
        }
        open = !open;
        closed += open ? 0 : 1;
    }
    const bool literal = quote != '\0' && closed == 1 && text.p[i - 1] == quote;

    return (struct dsl__value){
        .token = make(literal ? DSL__LITERAL : DSL__IDENT, at, i),
        .open = open,
        .terminated = quote == '\0' || closed > 0,
    };
}

static enum dsl_code unterminated(char quote)
{
    return quote == '"' ? DSL_NON_TERMINATING_DOUBLE_QUOTED_STRING
                        : DSL_NON_TERMINATING_QUOTED_STRING;
}

static bool lex_value(const struct dsl__source *src, struct dsl__tokens *tokens, size_t *at)
{
    const struct ps_str text = src->text;

    if (!dsl__starts_value(text.p[*at])) {
        const struct ps_str found = ps_str_n(text.p + *at, 1);

        return dsl__fail_with(src, DSL_EXPECTED_ARGUMENT_VALUE, *at, &found, 1);
    }
    const struct dsl__value value = dsl__scan_value(text, *at);

    if (!value.terminated)
        return dsl__fail(src, unterminated(text.p[*at]), *at);
    push(tokens, value.token);
    *at = value.token.end;
    return true;
}

/* A quoted text that does not follow an equals sign at once. */
static bool lex_literal(const struct dsl__source *src, struct dsl__tokens *tokens, size_t *at)
{
    const struct ps_str text = src->text;
    const char quote = text.p[*at];

    for (size_t i = *at + 1; i < text.n; i++) {
        if (text.p[i] != quote)
            continue;
        if (i + 1 < text.n && text.p[i + 1] == quote) {
            i++;
            continue;
        }
        push(tokens, make(DSL__LITERAL, *at, i + 1));
        *at = i + 1;
        return true;
    }
    return dsl__fail(src, unterminated(quote), *at);
}

static bool lex_sign(const struct dsl__source *src, struct dsl__tokens *tokens, size_t *at)
{
    const struct ps_str rest = ps_str_skip(src->text, *at);
    const unsigned char c = (unsigned char)rest.p[0];
    const bool twice = rest.n > 1 && rest.p[1] == rest.p[0];
    enum dsl__kind kind = c < PS_ARRAY_LEN(signs) ? signs[c] : DSL__NONE;
    size_t size = 1;

    if (c == '-' && !twice)
        return dsl__fail_with(src, DSL_MISSING_CHARACTER, *at, &PS_STR("-"), 1);
    if (c == '\\')
        return dsl__fail(src, DSL_UNEXPECTED_ESCAPE_CHAR, *at);
    if (c == '-' || (c == '|' && twice)) {
        kind = c == '-' ? DSL__DOUBLE_MINUS : DSL__DOUBLE_PIPE;
        size = 2;
    }
    if (kind == DSL__NONE) {
        const struct ps_str found = ps_str_head(rest, dsl__char_size(rest));

        return dsl__fail_with(src, DSL_UNEXPECTED_DATA, *at, &found, 1);
    }
    push(tokens, make(kind, *at, *at + size));
    *at += size;
    return true;
}

static size_t name_end(struct ps_str text, size_t at)
{
    while (at < text.n && dsl__continues_name(text.p[at]))
        at++;
    return at;
}

static bool follows_equals(const struct dsl__tokens *tokens, size_t at)
{
    if (tokens->count == 0)
        return false;
    const struct dsl__token *last = &tokens->list[tokens->count - 1];

    return last->kind == DSL__EQUALS && last->end == at;
}

bool dsl__lex_language(const struct dsl__source *src, struct dsl__tokens *tokens,
                       const struct dsl__language *language)
{
    const struct ps_str text = src->text;
    size_t at = 0;

    while (at < text.n) {
        const char c = text.p[at];
        bool fine = true;

        if (follows_equals(tokens, at) && !is_blank(c) && c != '\n') {
            fine = lex_value(src, tokens, &at);
        } else if (language->starts_name(c)) {
            const size_t end = language->name_end(text, at);

            push(tokens, make(DSL__IDENT, at, end));
            at = end;
        } else if (is_blank(c)) {
            at++;
        } else if (is_quote(c)) {
            fine = lex_literal(src, tokens, &at);
        } else {
            fine = language->lex_sign(src, tokens, &at);
        }
        if (!fine)
            return false;
    }
    return true;
}

bool dsl__lex(const struct dsl__source *src, struct dsl__tokens *tokens)
{
    static const struct dsl__language streams = {dsl__starts_name, name_end, lex_sign};

    return dsl__lex_language(src, tokens, &streams);
}
