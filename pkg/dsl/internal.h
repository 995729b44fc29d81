/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pkg/dsl share: tokens, and where and how an error is reported. */
#ifndef PS_DSL_INTERNAL_H
#define PS_DSL_INTERNAL_H

#include "dsl/dsl.h"

enum dsl__kind {
    DSL__NONE, /* only in tables: no token */
    DSL__IDENT,
    DSL__LITERAL, /* with its quotes */
    DSL__DOUBLE_MINUS,
    DSL__EQUALS,
    DSL__DOUBLE_PIPE,
    DSL__PIPE,
    DSL__COLON,
    DSL__GT,
    DSL__LT,
    DSL__DOT,
    DSL__SLASH,
    DSL__HASH,
    DSL__STAR,
    DSL__SEMICOLON,
    DSL__AND,
    DSL__REFERENCE,
    DSL__NEWLINE,
};

/* Byte offsets; 32 bits hold DSL_TEXT_MAX, and a text may be nothing but tokens of one byte. */
struct dsl__token {
    uint32_t start, end;
    enum dsl__kind kind;
};

struct dsl__tokens {
    struct dsl__token *list; /* owned */
    size_t count, cap;
};

void dsl__tokens_fini(struct dsl__tokens *tokens);

/* The text being read and where its first error goes. */
struct dsl__source {
    struct ps_arena *arena;
    struct ps_str text;
    struct dsl_error *bad;
    size_t good; /* byte after the last well-formed part, 0 when there is none */
};

/* UTF-16 code units of valid UTF-8. */
size_t dsl__units(struct ps_str text);
/* Bytes of the longest valid, NUL-free UTF-8 at the start of text. */
size_t dsl__valid_utf8(struct ps_str text);
/* Bytes of the character that starts at p[0]; the text is valid. */
size_t dsl__char_size(struct ps_str text);
/* [A-Za-z0-9_][A-Za-z0-9_$-]*: what is one token outside a value. */
bool dsl__is_plain(struct ps_str text);

/* Reports an error at byte `at` and returns false. Inserts fill {0}, {1}… of SCDF's message. */
bool dsl__fail(const struct dsl__source *src, enum dsl_code code, size_t at);
bool dsl__fail_with(const struct dsl__source *src, enum dsl_code code, size_t at,
                    const struct ps_str *inserts, size_t count);
/* The next option value from byte `from` on whose name looks like a secret; false when there is
 * none. The span reaches to the next option or app: a value with a forgotten quote hides all its
 * words. */
bool dsl__secret_span(struct ps_str text, size_t from, size_t *start, size_t *end);

/* False after reporting. The tokens are the caller's in both cases. */
PS_MUST_CHECK bool dsl__lex(const struct dsl__source *src, struct dsl__tokens *tokens);

struct dsl__value {
    struct dsl__token token;
    bool open;       /* a quote is open at its end, which is the end of the text */
    bool terminated; /* unless the quote that it starts with is never closed */
};

/* Reads the value that starts at byte `at`, which is in the text and may start one. */
struct dsl__value dsl__scan_value(struct ps_str text, size_t at);
/* May a value start with this byte? Neither blank nor one of | ; > */
bool dsl__starts_value(char c);

/* ---- the parser ---------------------------------------------------------------------------- */

struct dsl__draft {
    struct dsl_app app;
    size_t start_byte;
};

/* Functions named eat_ consume tokens and return false, or NULL, after reporting an error. */
struct dsl__parser {
    struct dsl__source src;
    struct dsl__tokens tokens;
    size_t at;                  /* the next token */
    struct dsl_option *options; /* owned scratch: of the app or destination being read */
    size_t option_count, option_cap;
    struct dsl__draft *apps; /* owned scratch */
    size_t app_count, app_cap;
    size_t counted_bytes, counted_units; /* how far positions were converted */
};

void dsl__parser_fini(struct dsl__parser *p);

/* The next token or NULL. */
const struct dsl__token *dsl__peek(const struct dsl__parser *p);
bool dsl__next_is(const struct dsl__parser *p, enum dsl__kind kind);
/* Does the next token follow the last one without a gap? */
bool dsl__is_adjacent(const struct dsl__parser *p);
struct ps_str dsl__text_of(const struct dsl__parser *p, const struct dsl__token *token);
char *dsl__copy_of(const struct dsl__parser *p, const struct dsl__token *token);
const struct dsl__token *dsl__eat_any(struct dsl__parser *p);
const struct dsl__token *dsl__eat(struct dsl__parser *p, enum dsl__kind kind);
/* Everything up to the last token was well-formed. */
void dsl__checkpoint(struct dsl__parser *p);
/* Byte to UTF-16 units. Asked for in the order of the text, so that all of them cost one walk. */
size_t dsl__units_at(struct dsl__parser *p, size_t byte);

bool dsl__fail_at_next(const struct dsl__parser *p, enum dsl_code code);
/* The token goes into the message, and its start is the position. */
bool dsl__fail_on(const struct dsl__parser *p, enum dsl_code code, const struct dsl__token *token);

/* All options that follow, into the scratch list, which is emptied first. */
PS_MUST_CHECK bool dsl__eat_options(struct dsl__parser *p);

#endif
