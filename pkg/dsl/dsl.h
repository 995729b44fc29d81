/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsl: the stream definition language of Spring Cloud Data Flow: lexer, parser, printer.
 *
 * The accepted texts, the error numbers, positions and messages are those of SCDF 2.11. Positions
 * are UTF-16 code units, as SCDF counts them. Pure: no clock, file or environment; linear in the
 * text. Ownership: everything in a `dsl_stream` lives in the arena that the caller gave.
 *
 * Where SCDF fails with a null pointer, a definition is accepted or refused as its grammar has it;
 * stream names are ASCII; errors show one line of the text, long ones in part, secrets starred out.
 *
 *     struct dsl_error bad;
 *     struct dsl_stream *stream = dsl_stream_parse(&arena, PS_STR("foo"), text, &bad);
 *     if (stream == NULL)
 *         report(bad.code, bad.position, bad.text);
 */
#ifndef PS_DSL_H
#define PS_DSL_H

#include "base/base.h"

/* The longest definition that is read, in bytes; longer texts are error DSL_TOO_LONG. */
#define DSL_TEXT_MAX ((size_t)1024 * 1024)
/* The most apps in one stream. */
#define DSL_APPS_MAX ((size_t)1000)

/* SCDF's codes (100…171); below 100 ours. */
enum dsl_code {
    DSL_OK = 0,
    DSL_TOO_LONG = 1,
    DSL_TOO_MANY_APPS = 2,
    DSL_NOT_UTF8 = 3, /* or a NUL byte in it */
    DSL_UNEXPECTED_DATA_AFTER_STREAMDEF = 100,
    DSL_NO_WHITESPACE_BEFORE_ARG_NAME = 101,
    DSL_NO_WHITESPACE_BEFORE_ARG_EQUALS = 102,
    DSL_NO_WHITESPACE_BEFORE_ARG_VALUE = 103,
    DSL_EXPECTED_ARGUMENT_VALUE = 105,
    DSL_NON_TERMINATING_DOUBLE_QUOTED_STRING = 106,
    DSL_NON_TERMINATING_QUOTED_STRING = 107,
    DSL_MISSING_CHARACTER = 108,
    DSL_NOT_EXPECTED_TOKEN = 111,
    DSL_OOD = 112,
    DSL_UNEXPECTED_ESCAPE_CHAR = 114,
    DSL_UNEXPECTED_DATA = 115,
    DSL_EXPECTED_APPNAME = 118,
    DSL_EXPECTED_WHITESPACE_BEFORE_ARGUMENT = 119,
    DSL_ILLEGAL_STREAM_NAME = 122,
    DSL_EXPECTED_DESTINATION_PREFIX = 133,
    DSL_NO_WHITESPACE_IN_DESTINATION_DEFINITION = 139,
    DSL_DUPLICATE_LABEL = 143,
    DSL_NO_WHITESPACE_IN_DOTTED_NAME = 145,
    DSL_EXPECTED_WHITESPACE_AFTER_LABEL_COLON = 147,
    DSL_EXPECTED_STREAM_NAME_AFTER_LABEL_COLON = 148,
    DSL_NO_DOUBLE_LABELS = 156,
    DSL_DONT_MIX_PIPE_AND_DOUBLEPIPE = 169,
    DSL_DONT_USE_DOUBLEPIPE_WITH_CHANNELS = 170,
    DSL_UNEXPECTED_DATA_IN_DESTINATION_NAME = 171,
};

/* Names like "UNEXPECTED_DATA_AFTER_STREAMDEF". */
const char *dsl_code_name(enum dsl_code code);

struct dsl_error {
    enum dsl_code code;
    size_t position;     /* UTF-16 code units from the start of the text */
    const char *message; /* SCDF's words without prefix; in the arena */
    const char *text; /* "111E:(pos 5): message", the line at fault, a caret below; in the arena */
};

struct dsl_option {
    const char *name;
    const char *value; /* without its quotes; may be empty */
};

struct dsl_app {
    const char *name;  /* as registered */
    const char *label; /* == name when none was given */
    bool has_label;
    size_t start, end;          /* UTF-16 code units, end exclusive */
    struct dsl_option *options; /* in the order of the text, repeated names kept */
    size_t option_count;
};

struct dsl_destination {
    const char *name;  /* without the leading colon */
    const char *group; /* NULL when not given; only meant for a source */
};

struct dsl_stream {
    const char *name;          /* the name that the caller gave */
    const char *embedded_name; /* `name =` in the text: checked, then ignored; or NULL */
    struct dsl_destination *source, *sink; /* or NULL */
    struct dsl_app *apps;
    size_t app_count;
    bool unbound; /* apps joined by ||, or one app alone: no bindings */
};

/* SCDF's types of apps; its words are "app", "source", "processor", "sink". */
enum dsl_app_type {
    DSL_APP,
    DSL_SOURCE,
    DSL_PROCESSOR,
    DSL_SINK
};

const char *dsl_app_type_name(enum dsl_app_type type);

/* NULL and *bad filled when the text or the name is refused. */
struct dsl_stream *dsl_stream_parse(struct ps_arena *arena, struct ps_str name, struct ps_str text,
                                    struct dsl_error *bad) PS_MUST_CHECK;
/* Canonical text: parsing it gives the same stream, and printing that gives the same text. */
const char *dsl_stream_print(struct ps_arena *arena, const struct dsl_stream *stream);
/* The type follows from the position: scdf calls it registration type. i < app_count. */
enum dsl_app_type dsl_stream_app_type(const struct dsl_stream *stream, size_t i);
/* The app's own options with repeated names resolved (last wins, first position kept), inputType
 * and outputType spelled out, empty values as SCDF writes them, followed by the binding properties
 * that SCDF computes from the position (destinations, groups, requiredGroups), which replace an
 * option of the same name. In the arena; *count entries. */
struct dsl_option *dsl_stream_properties(struct ps_arena *arena, const struct dsl_stream *stream,
                                         size_t i, size_t *count);

#endif
