/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream to canonical text: one blank around | and >, values bare where they can be, otherwise in
 * single quotes, which can hold everything. How a value is written depends on nothing but the
 * value, so that printing what was read from a printed text gives that text again.
 */
#include "dsl/internal.h"

#include <string.h>

/* Is this text, between an equals sign and a blank, read as a value that is just itself? */
static bool is_bare(struct ps_str text)
{
    if (text.n == 0 || !dsl__starts_value(text.p[0]))
        return false;
    const struct dsl__value value = dsl__scan_value(text, 0);

    return !value.open && value.token.kind == DSL__IDENT && value.token.end == text.n;
}

void dsl__print_quoted(struct ps_buf *out, const char *value)
{
    ps_buf_char(out, '\'');
    for (const char *c = value; *c != '\0'; c++) {
        ps_buf_char(out, *c);
        if (*c == '\'')
            ps_buf_char(out, '\'');
    }
    ps_buf_char(out, '\'');
}

static void print_value(struct ps_buf *out, const char *value)
{
    if (is_bare(ps_str(value))) {
        ps_buf_str(out, value);
    } else {
        dsl__print_quoted(out, value);
    }
}

static void print_option(struct ps_buf *out, const char *name, const char *value)
{
    ps_buf_str(out, " --");
    ps_buf_str(out, name);
    ps_buf_char(out, '=');
    print_value(out, value);
}

void dsl__print_app(struct ps_buf *out, const struct dsl_app *app)
{
    if (app->has_label) {
        ps_buf_str(out, app->label);
        ps_buf_str(out, ": ");
    }
    ps_buf_str(out, app->name);
    for (size_t i = 0; i < app->option_count; i++)
        print_option(out, app->options[i].name, app->options[i].value);
}

static void print_name(struct ps_buf *out, const struct dsl_stream *stream)
{
    if (stream->embedded_name == NULL)
        return;
    ps_buf_str(out, stream->embedded_name);
    /* What stands at once after `name=` is read as a value, and only there an app can have a name
     * that is no name. */
    const bool bare = stream->source != NULL || dsl__is_plain(ps_str(stream->apps[0].name));

    ps_buf_str(out, bare ? " = " : "=");
}

static bool is_bridge(const struct dsl_stream *stream)
{
    const struct dsl_app *app = &stream->apps[0];

    return stream->source != NULL && stream->sink != NULL && stream->app_count == 1 &&
           !app->has_label && app->option_count == 0 && ps_streq(app->name, "bridge");
}

const char *dsl_stream_print(struct ps_arena *arena, const struct dsl_stream *stream)
{
    PS_AUTO_BUF(out, DSL__PRINT_MAX);

    print_name(&out, stream);
    if (stream->source != NULL) {
        ps_buf_printf(&out, ":%s", stream->source->name);
        if (stream->source->group != NULL)
            print_option(&out, "group", stream->source->group);
        ps_buf_str(&out, is_bridge(stream) ? "" : " > ");
    }
    for (size_t i = 0; i < stream->app_count && !is_bridge(stream); i++) {
        if (i > 0)
            ps_buf_str(&out, stream->unbound ? " || " : " | ");
        dsl__print_app(&out, &stream->apps[i]);
    }
    if (stream->sink != NULL)
        ps_buf_printf(&out, " > :%s", stream->sink->name);
    ps_assert(!ps_buf_failed(&out));
    return ps_arena_str(arena, ps_buf_get(&out));
}
