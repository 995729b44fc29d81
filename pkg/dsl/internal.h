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
    DSL__AND_AND, /* these only in tasks */
    DSL__ARROW,
    DSL__OPEN_PAREN,
    DSL__CLOSE_PAREN,
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
PS_MUST_CHECK bool dsl__lex_task(const struct dsl__source *src, struct dsl__tokens *tokens);

/* Where the languages differ; values, blanks and quoted texts are the same in both. */
struct dsl__language {
    bool (*starts_name)(char c);
    size_t (*name_end)(struct ps_str text, size_t at); /* of the name that starts at byte `at` */
    /* Everything else that is no quote; moves *at on. */
    bool (*lex_sign)(const struct dsl__source *src, struct dsl__tokens *tokens, size_t *at);
};

PS_MUST_CHECK bool dsl__lex_language(const struct dsl__source *src, struct dsl__tokens *tokens,
                                     const struct dsl__language *language);
void dsl__push(struct dsl__tokens *tokens, enum dsl__kind kind, size_t start, size_t end);
bool dsl__starts_name(char c);    /* [A-Za-z0-9_] */
bool dsl__continues_name(char c); /* [A-Za-z0-9_$-] */

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
/* Adds an app with the options that were just read; first is the label or, without one, the name.
 */
void dsl__add_app(struct dsl__parser *p, const struct dsl__token *first,
                  const struct dsl__token *name);
/* A literal without the quotes around it; doubled ones of their kind become one. */
char *dsl__unquoted(struct ps_arena *arena, struct ps_str text);

/* Not too long, and UTF-8; false after reporting. */
PS_MUST_CHECK bool dsl__check_text(const struct dsl__source *src);
/* Reports an illegal name with that code. */
PS_MUST_CHECK bool dsl__check_name(const struct dsl__parser *p, enum dsl_code code,
                                   struct ps_str name);

/* A task as it is read: the steps, and of each the byte that its errors point at. */
struct dsl__step {
    struct dsl_task_step step;
    uint32_t at; /* label, or else name or <; of a transition its condition */
};

struct dsl__task {
    struct dsl__parser p;
    struct dsl__step *steps; /* owned scratch */
    size_t step_count, step_cap;
    size_t sequences, transitions;
    size_t depth; /* of splits and brackets, now */
};

/* What can only be seen in the whole: labels and names. False after filling *p.src.bad. */
PS_MUST_CHECK bool dsl__check_task(const struct dsl__task *task);

/* ---- the printer --------------------------------------------------------------------------- */

/* `a|b` grows to `a | b` and a quote to two: no text grows fourfold. */
#define DSL__PRINT_MAX (4 * DSL_TEXT_MAX + 4096)

/* [label: ]name [--option=value]… */
void dsl__print_app(struct ps_buf *out, const struct dsl_app *app);
/* In single quotes, those in it doubled. */
void dsl__print_quoted(struct ps_buf *out, const char *value);

/* ---- the graph of a task ------------------------------------------------------------------- */

#define DSL__NO_NODE SIZE_MAX

/* A transition to a label that was not seen yet. */
struct dsl__ref {
    struct dsl__ref *next;
    size_t from, flow;
    size_t exit; /* what follows this node follows the copied sequence, too */
    const char *status, *label;
};

struct dsl__refs {
    struct dsl__ref *first, *last;
};

struct dsl__sequence {
    const char *label;
    size_t flow; /* number of its outermost flow */
    size_t node, node_end, link, link_end;
    struct dsl__refs refs;
};

struct dsl__graph {
    struct ps_arena *arena;
    const struct dsl_task *task;
    struct dsl_task_node *nodes; /* owned scratch; [id] */
    size_t *flows;               /* owned scratch; [id]: the flow that a labelled node is in */
    struct dsl_task_link *links; /* owned scratch */
    size_t node_count, node_cap, link_count, link_cap;
    bool full; /* above DSL_TASK_GRAPH_MAX: nothing is added any more */
    struct dsl__sequence *sequences;
    size_t sequence_count;
    struct dsl__context *contexts; /* the flows and splits that the walk is in */
    size_t depth, flow_count;
    size_t app;           /* the node that transitions go from */
    struct ps_map places; /* "flow:label" */
    struct ps_buf key;
};

/* The id; both do nothing but set `full` when the graph is. */
size_t dsl__add_node(struct dsl__graph *g, const char *name, const struct dsl_app *app);
void dsl__add_link(struct dsl__graph *g, size_t from, size_t to, const char *status);
void dsl__add_ref(struct dsl__refs *refs, struct dsl__ref *ref);
/* Which node has that label in that flow; DSL__NO_NODE when none has. */
void dsl__set_place(struct dsl__graph *g, size_t flow, const char *label, size_t node);
size_t dsl__get_place(struct dsl__graph *g, size_t flow, const char *label);
/* False when that cannot be done: no such sequence, or the graph is full. */
PS_MUST_CHECK bool dsl__copy_sequences(struct dsl__graph *g);

#endif
