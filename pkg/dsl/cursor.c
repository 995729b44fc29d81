/* SPDX-License-Identifier: Apache-2.0 */
/* Walking along the tokens of a text: one of look-ahead, errors where the walk ends. */
#include "dsl/internal.h"

void dsl__parser_fini(struct dsl__parser *p)
{
    dsl__tokens_fini(&p->tokens);
    ps_free(p->options);
    ps_free(p->apps);
}

const struct dsl__token *dsl__peek(const struct dsl__parser *p)
{
    return p->at < p->tokens.count ? &p->tokens.list[p->at] : NULL;
}

bool dsl__next_is(const struct dsl__parser *p, enum dsl__kind kind)
{
    return p->at < p->tokens.count && p->tokens.list[p->at].kind == kind;
}

bool dsl__is_adjacent(const struct dsl__parser *p)
{
    return p->at > 0 && p->at < p->tokens.count &&
           p->tokens.list[p->at].start == p->tokens.list[p->at - 1].end;
}

struct ps_str dsl__text_of(const struct dsl__parser *p, const struct dsl__token *token)
{
    return ps_str_n(p->src.text.p + token->start, token->end - token->start);
}

char *dsl__copy_of(const struct dsl__parser *p, const struct dsl__token *token)
{
    return ps_arena_str(p->src.arena, dsl__text_of(p, token));
}

bool dsl__fail_at_next(const struct dsl__parser *p, enum dsl_code code)
{
    const struct dsl__token *next = dsl__peek(p);

    return dsl__fail(&p->src, code, next != NULL ? next->start : p->src.text.n);
}

bool dsl__fail_on(const struct dsl__parser *p, enum dsl_code code, const struct dsl__token *token)
{
    const struct ps_str found = dsl__text_of(p, token);

    return dsl__fail_with(&p->src, code, token->start, &found, 1);
}

const struct dsl__token *dsl__eat_any(struct dsl__parser *p)
{
    const struct dsl__token *token = dsl__peek(p);

    if (token == NULL) {
        (void)dsl__fail(&p->src, DSL_OOD, p->src.text.n);
    } else {
        p->at++;
    }
    return token;
}

/* The kinds that are ever demanded, in SCDF's words. */
static const char *kind_words(enum dsl__kind kind)
{
    if (kind == DSL__IDENT)
        return "identifier";
    if (kind == DSL__CLOSE_PAREN)
        return "close_paren())";
    return kind == DSL__GT ? "gt(>)" : "equals(=)";
}

const struct dsl__token *dsl__eat(struct dsl__parser *p, enum dsl__kind kind)
{
    const struct dsl__token *token = dsl__eat_any(p);

    if (token == NULL || token->kind == kind)
        return token;
    const struct ps_str inserts[] = {ps_str(kind_words(kind)), dsl__text_of(p, token)};

    (void)dsl__fail_with(&p->src, DSL_NOT_EXPECTED_TOKEN, token->start, inserts,
                         PS_ARRAY_LEN(inserts));
    return NULL;
}

void dsl__checkpoint(struct dsl__parser *p)
{
    ps_assert(p->at > 0 && p->at <= p->tokens.count && p->tokens.list != NULL);
    p->src.good = p->tokens.list[p->at - 1].end;
}

size_t dsl__units_at(struct dsl__parser *p, size_t byte)
{
    ps_assert(byte >= p->counted_bytes);
    p->counted_units +=
        dsl__units(ps_str_n(p->src.text.p + p->counted_bytes, byte - p->counted_bytes));
    p->counted_bytes = byte;
    return p->counted_units;
}
