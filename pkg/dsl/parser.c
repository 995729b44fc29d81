/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to a stream. What has to be known beforehand (does a > come before the first |, does any |
 * follow) is asked of the token list once.
 */
#include "dsl/internal.h"

#include <string.h>

/* ---- destinations -------------------------------------------------------------------------- */

static bool next_is_component(const struct dsl__parser *p)
{
    return dsl__next_is(p, DSL__IDENT) || dsl__next_is(p, DSL__STAR) ||
           dsl__next_is(p, DSL__SLASH) || dsl__next_is(p, DSL__HASH);
}

static void skip_components(struct dsl__parser *p)
{
    while (dsl__is_adjacent(p) && next_is_component(p))
        p->at++;
}

/* A dot must be followed at once by more of the name. SCDF fails with a null pointer where it is
 * followed at once by something else. */
static bool eat_destination_rest(struct dsl__parser *p)
{
    skip_components(p);
    while (dsl__next_is(p, DSL__DOT)) {
        if (!dsl__is_adjacent(p))
            return dsl__fail_at_next(p, DSL_NO_WHITESPACE_IN_DESTINATION_DEFINITION);
        p->at++;
        if (!dsl__is_adjacent(p) || !(next_is_component(p) || dsl__next_is(p, DSL__DOT)))
            return dsl__fail_at_next(p, DSL_NO_WHITESPACE_IN_DESTINATION_DEFINITION);
        skip_components(p);
    }
    return true;
}

/* *destination is NULL when the next token is no colon. */
static bool eat_destination(struct dsl__parser *p, struct dsl_destination **destination)
{
    const struct dsl__token *colon = dsl__eat_any(p);

    *destination = NULL;
    if (colon == NULL)
        return false;
    if (colon->kind != DSL__COLON) {
        p->at--;
        return true;
    }
    const struct dsl__token *first = dsl__peek(p);

    if (first == NULL)
        return dsl__fail(&p->src, DSL_OOD, colon->start);
    if (!next_is_component(p))
        return dsl__fail_on(p, DSL_UNEXPECTED_DATA_IN_DESTINATION_NAME, first);
    p->at++;
    if (!eat_destination_rest(p))
        return false;
    const size_t end = p->tokens.list[p->at - 1].end;

    if (!dsl__eat_options(p))
        return false;
    *destination = ps_arena_alloc(p->src.arena, sizeof(**destination));
    (*destination)->name =
        ps_arena_str(p->src.arena, ps_str_n(p->src.text.p + first->start, end - first->start));
    return true;
}

static bool gt_before_pipe(const struct dsl__parser *p)
{
    for (size_t i = p->at; i < p->tokens.count; i++) {
        if (p->tokens.list[i].kind == DSL__GT)
            return true;
        if (p->tokens.list[i].kind == DSL__PIPE)
            return false;
    }
    return false;
}

static bool pipe_follows(const struct dsl__parser *p)
{
    for (size_t i = p->at; i < p->tokens.count; i++) {
        if (p->tokens.list[i].kind == DSL__PIPE)
            return true;
    }
    return false;
}

static bool eat_source(struct dsl__parser *p, struct dsl_stream *stream)
{
    if (!gt_before_pipe(p))
        return true;
    if (!eat_destination(p, &stream->source))
        return false;
    if (stream->source == NULL)
        return true;
    for (size_t i = 0; i < p->option_count; i++) {
        if (ps_str_ieq(ps_str(p->options[i].name), PS_STR("group")))
            stream->source->group = p->options[i].value;
    }
    return dsl__eat(p, DSL__GT) != NULL;
}

static bool eat_sink(struct dsl__parser *p, struct dsl_stream *stream)
{
    if (!dsl__next_is(p, DSL__GT))
        return true;
    p->at++;
    return eat_destination(p, &stream->sink);
}

/* ---- apps ---------------------------------------------------------------------------------- */

static struct dsl_app *new_app(struct dsl__parser *p, const struct dsl__token *first,
                               const struct dsl__token *last)
{
    if (p->app_count == p->app_cap) {
        p->app_cap = p->app_cap ? p->app_cap * 2 : 8;
        p->apps = ps_xrealloc(p->apps, p->app_cap * sizeof(*p->apps));
    }
    struct dsl__draft *draft = &p->apps[p->app_count++];

    *draft = (struct dsl__draft){.start_byte = first->start};
    draft->app.start = dsl__units_at(p, first->start);
    draft->app.end = dsl__units_at(p, last->end);
    return &draft->app;
}

void dsl__add_app(struct dsl__parser *p, const struct dsl__token *first,
                  const struct dsl__token *name)
{
    struct dsl_app *app = new_app(p, first, name);

    app->has_label = name != first;
    app->name = dsl__copy_of(p, name);
    app->label = app->has_label ? dsl__copy_of(p, first) : app->name;
    app->option_count = p->option_count;
    app->options = ps_arena_array(p->src.arena, p->option_count, sizeof(*app->options));
    if (p->option_count > 0)
        memcpy(app->options, p->options, p->option_count * sizeof(*app->options));
}

/* After `name`, where a colon follows at once: name was the label. */
static bool eat_labelled_name(struct dsl__parser *p, const struct dsl__token **name)
{
    p->at++; /* the colon */
    if (dsl__is_adjacent(p))
        return dsl__fail_at_next(p, DSL_EXPECTED_WHITESPACE_AFTER_LABEL_COLON);
    *name = dsl__eat(p, DSL__IDENT);
    if (*name == NULL)
        return false;
    if (dsl__next_is(p, DSL__COLON) && dsl__is_adjacent(p))
        return dsl__fail(&p->src, DSL_NO_DOUBLE_LABELS, (*name)->start);
    return true;
}

static bool eat_app(struct dsl__parser *p)
{
    if (dsl__next_is(p, DSL__COLON) && p->tokens.count == 1)
        return dsl__fail_at_next(p, DSL_EXPECTED_STREAM_NAME_AFTER_LABEL_COLON);
    const struct dsl__token *first = dsl__eat_any(p);
    const struct dsl__token *name = first;

    if (first == NULL)
        return false;
    if (first->kind != DSL__IDENT)
        return dsl__fail_on(p, DSL_EXPECTED_APPNAME, first);
    if (p->app_count == DSL_APPS_MAX)
        return dsl__fail(&p->src, DSL_TOO_MANY_APPS, first->start);
    if (dsl__next_is(p, DSL__COLON) && dsl__is_adjacent(p) && !eat_labelled_name(p, &name))
        return false;
    dsl__checkpoint(p);
    if (!dsl__eat_options(p))
        return false;
    dsl__add_app(p, first, name);
    return true;
}

/* An app after each | or ||. */
static bool eat_apps(struct dsl__parser *p, struct dsl_stream *stream)
{
    bool piped = false;
    size_t delimiter = SIZE_MAX; /* start of the last || */

    if (!eat_app(p))
        return false;
    while (dsl__next_is(p, DSL__PIPE) || dsl__next_is(p, DSL__DOUBLE_PIPE)) {
        const bool is_pipe = dsl__next_is(p, DSL__PIPE);

        if (!is_pipe && stream->source != NULL)
            return dsl__fail_at_next(p, DSL_DONT_USE_DOUBLEPIPE_WITH_CHANNELS);
        if (is_pipe ? delimiter != SIZE_MAX : piped)
            return dsl__fail_at_next(p, DSL_DONT_MIX_PIPE_AND_DOUBLEPIPE);
        piped = is_pipe;
        if (!is_pipe)
            delimiter = p->tokens.list[p->at].start;
        p->at++;
        if (!eat_app(p))
            return false;
    }
    const bool has_sink = dsl__next_is(p, DSL__GT);

    if (has_sink && delimiter != SIZE_MAX)
        return dsl__fail(&p->src, DSL_DONT_USE_DOUBLEPIPE_WITH_CHANNELS, delimiter);
    stream->unbound = !piped && stream->source == NULL && !has_sink;
    return true;
}

/* Two destinations and nothing between them: SCDF puts an app named bridge there, standing where
 * the
 * '>' is, which has just been eaten and belongs to the sink. */
static void make_bridge(struct dsl__parser *p)
{
    p->at--;
    struct dsl_app *app = new_app(p, dsl__peek(p), dsl__peek(p));

    app->name = app->label = "bridge";
}

/* ---- the stream ---------------------------------------------------------------------------- */

static bool eat_name(struct dsl__parser *p, struct dsl_stream *stream)
{
    if (p->tokens.count < 2 || p->tokens.list[1].kind != DSL__EQUALS)
        return true;
    const struct dsl__token *name = &p->tokens.list[0];

    if (name->kind != DSL__IDENT)
        return dsl__fail_on(p, DSL_ILLEGAL_STREAM_NAME, name);
    stream->embedded_name = dsl__copy_of(p, name);
    p->at += 2; /* the name and the equals sign */
    return true;
}

static bool eat_end(const struct dsl__parser *p, const struct dsl_stream *stream)
{
    const struct dsl__token *next = dsl__peek(p);

    if (next == NULL)
        return true;
    const bool after_gt =
        stream->sink == NULL && p->at > 0 && p->tokens.list[p->at - 1].kind == DSL__GT;

    return dsl__fail_on(
        p, after_gt ? DSL_EXPECTED_DESTINATION_PREFIX : DSL_UNEXPECTED_DATA_AFTER_STREAMDEF, next);
}

/* [A-Za-z_$][A-Za-z0-9_$-]*. SCDF takes letters of all scripts, but neither Kubernetes nor a broker
 * takes names made of them. */
static bool is_valid_name(struct ps_str name)
{
    if (name.n == 0 || (name.p[0] >= '0' && name.p[0] <= '9') || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '$' && name.p[i] != '-' && !dsl__is_plain(ps_str_n(name.p + i, 1)))
            return false;
    }
    return true;
}

bool dsl__check_name(const struct dsl__parser *p, enum dsl_code code, struct ps_str name)
{
    const struct dsl__source src = {.arena = p->src.arena, .text = name, .bad = p->src.bad};

    return is_valid_name(name) || dsl__fail_with(&src, code, 0, &name, 1);
}

static bool fail_on_label(const struct dsl__parser *p, size_t i, size_t k)
{
    const struct dsl_app *one = &p->apps[i].app, *other = &p->apps[k].app;
    struct dsl__source src = p->src;
    const struct ps_str inserts[] = {
        ps_str(other->label),
        ps_str(one->name),
        ps_str(ps_arena_printf(src.arena, "%zu", i)),
        ps_str(other->name),
        ps_str(ps_arena_printf(src.arena, "%zu", k)),
    };

    src.good = 0; /* all of it was well-formed */
    return dsl__fail_with(&src, DSL_DUPLICATE_LABEL, p->apps[k].start_byte, inserts,
                          PS_ARRAY_LEN(inserts));
}

/* Compares hashes pairwise: DSL_APPS_MAX bounds that to half a million comparisons of numbers. */
static bool check_labels(const struct dsl__parser *p)
{
    uint64_t *hashes = ps_arena_array(p->src.arena, p->app_count, sizeof(*hashes));

    for (size_t k = 0; k < p->app_count; k++) {
        const char *label = p->apps[k].app.label;

        hashes[k] = ps_hash(label, strlen(label));
        for (size_t i = 0; i < k; i++) {
            if (hashes[i] == hashes[k] && ps_streq(p->apps[i].app.label, label))
                return fail_on_label(p, i, k);
        }
    }
    return true;
}

static bool eat_stream(struct dsl__parser *p, struct dsl_stream *stream)
{
    if (!eat_name(p, stream) || !eat_source(p, stream))
        return false;
    if (stream->source != NULL && dsl__next_is(p, DSL__COLON) && !pipe_follows(p)) {
        make_bridge(p);
    } else if (!eat_apps(p, stream)) {
        return false;
    }
    return eat_sink(p, stream) && eat_end(p, stream);
}

bool dsl__check_text(const struct dsl__source *src)
{
    if (src->text.n > DSL_TEXT_MAX)
        return dsl__fail(src, DSL_TOO_LONG, 0);
    const size_t valid = dsl__valid_utf8(src->text);

    return valid == src->text.n || dsl__fail(src, DSL_NOT_UTF8, valid);
}

struct dsl_stream *dsl_stream_parse(struct ps_arena *arena, struct ps_str name, struct ps_str text,
                                    struct dsl_error *bad)
{
    PS_CLEANUP(dsl__parser_fini)
    struct dsl__parser p = {.src = {.arena = arena, .text = text, .bad = bad}};
    const struct dsl__source named = {.arena = arena, .text = name, .bad = bad};
    struct dsl_stream *stream = ps_arena_alloc(arena, sizeof(*stream));

    *bad = (struct dsl_error){0};
    if (!dsl__check_text(&p.src) || !dsl__check_text(&named) || !dsl__lex(&p.src, &p.tokens) ||
        !eat_stream(&p, stream))
        return NULL;
    if (stream->embedded_name != NULL &&
        !dsl__check_name(&p, DSL_ILLEGAL_STREAM_NAME, ps_str(stream->embedded_name)))
        return NULL;
    if (!dsl__check_name(&p, DSL_ILLEGAL_STREAM_NAME, name) || !check_labels(&p))
        return NULL;
    stream->name = ps_arena_str(arena, name);
    stream->app_count = p.app_count;
    stream->apps = ps_arena_array(arena, p.app_count, sizeof(*stream->apps));
    for (size_t i = 0; i < p.app_count; i++)
        stream->apps[i] = p.apps[i].app;
    return stream;
}
