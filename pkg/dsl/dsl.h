/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsl: the stream and task definition languages of Spring Cloud Data Flow: lexer, parser, printer.
 *
 * The accepted texts, the error numbers, positions and messages are those of SCDF 2.11. Positions
 * are UTF-16 code units, as SCDF counts them. Pure: no clock, file or environment; linear in the
 * text. Ownership: everything that is returned lives in the arena that the caller gave.
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
#define DSL_TEXT_MAX             ((size_t)1024 * 1024)
/* The most apps in one stream or task, those that transitions lead to included. */
#define DSL_APPS_MAX             ((size_t)1000)
/* Splits and brackets of a task within one another. */
#define DSL_TASK_DEPTH_MAX       ((size_t)64)
/* The most transitions in one task. */
#define DSL_TASK_TRANSITIONS_MAX ((size_t)1000)
/* The longest name of a task, as in SCDF's database. */
#define DSL_TASK_NAME_MAX        ((size_t)255)
/* The most problems of one task that are told. */
#define DSL_TASK_PROBLEMS_MAX    16
/* The most nodes, and links, of a graph; transitions may copy sequences many times. */
#define DSL_TASK_GRAPH_MAX       ((size_t)100000)

/* SCDF's codes (100…171); below 100 ours. */
enum dsl_code {
    DSL_OK = 0,
    DSL_TOO_LONG = 1,
    DSL_TOO_MANY_APPS = 2,
    DSL_NOT_UTF8 = 3, /* or a NUL byte in it */
    DSL_TOO_DEEP = 4,
    DSL_TOO_MANY_TRANSITIONS = 5,
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
    DSL_ILLEGAL_TASK_NAME = 123,
    DSL_EXPECTED_DESTINATION_PREFIX = 133,
    DSL_NO_WHITESPACE_IN_DESTINATION_DEFINITION = 139,
    DSL_DUPLICATE_LABEL = 143,
    DSL_NO_WHITESPACE_IN_DOTTED_NAME = 145,
    DSL_EXPECTED_WHITESPACE_AFTER_LABEL_COLON = 147,
    DSL_EXPECTED_STREAM_NAME_AFTER_LABEL_COLON = 148,
    DSL_TASK_DOUBLE_AND_REQUIRED = 150,
    DSL_TASK_DOUBLE_OR_REQUIRED = 151,
    DSL_TASK_UNQUOTED_TRANSITION_CHECK_MUST_BE_NUMBER = 154,
    DSL_TASK_NO_LABELS_ON_PARENS = 155,
    DSL_NO_DOUBLE_LABELS = 156,
    DSL_TASK_ARROW_SHOULD_BE_PRECEDED_BY_CODE = 157,
    DSL_TASK_VALIDATION_SECONDARY_SEQUENCES_MUST_BE_NAMED = 158,
    DSL_TASK_VALIDATION_DUPLICATE_LABEL = 159,
    DSL_TASK_VALIDATION_TRANSITION_TARGET_LABEL_UNDEFINED = 160,
    DSL_TASK_UNEXPECTED_DATA = 162,
    DSL_TASK_MORE_INPUT = 163,
    DSL_TASK_VALIDATION_LABEL_CLASHES_WITH_TASKAPP_NAME = 164,
    DSL_TASK_VALIDATION_APP_NAME_CLASHES_WITH_LABEL = 165,
    DSL_TASK_VALIDATION_APP_NAME_ALREADY_IN_USE = 166,
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
    struct dsl_error *next; /* codes 158…166 of a task: its next problem, or NULL; in the arena */
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

/* ---- tasks --------------------------------------------------------------------------------- */

enum dsl_task_step_kind {
    DSL_TASK_FLOW, /* steps one after another; the outermost ones are the sequences of the task */
    DSL_TASK_FLOW_END,
    DSL_TASK_SPLIT, /* holds flows, which run side by side */
    DSL_TASK_SPLIT_END,
    DSL_TASK_APP,
    DSL_TASK_TRANSITION, /* of the app before it */
};

/* A task is the list of what a walk through it meets, in the order of the text. */
struct dsl_task_step {
    enum dsl_task_step_kind kind;
    bool quoted;        /* transition: the condition is an exit status, else a number or * */
    const char *label;  /* flow, split: its own or NULL; transition: the one that it leads to */
    const char *status; /* transition: the condition, without quotes */
    size_t app;         /* app; transition without label: its place in `apps` */
};

struct dsl_task {
    const char *name;
    struct dsl_app *apps; /* in the order of the text, those that transitions lead to included */
    size_t app_count;
    struct dsl_task_step *steps;
    size_t step_count;
    size_t sequence_count;
    bool composed; /* anything but one app without transitions */
};

struct dsl_task_node {
    size_t id;
    const char *name;          /* START, END, SYNC, $END, $FAIL or the app's */
    const char *label;         /* or NULL */
    const struct dsl_app *app; /* NULL for START, END, SYNC, $END and $FAIL */
};

struct dsl_task_link {
    size_t from, to;        /* ids */
    const char *transition; /* the condition, or NULL: always */
};

struct dsl_task_graph {
    struct dsl_task_node *nodes;
    size_t node_count;
    struct dsl_task_link *links;
    size_t link_count;
};

/* NULL and *bad filled when the text or the name is refused. Problems with labels and names are
 * all told, along bad->next; others end the reading. */
struct dsl_task *dsl_task_parse(struct ps_arena *arena, struct ps_str name, struct ps_str text,
                                struct dsl_error *bad) PS_MUST_CHECK;
/* Canonical text, as for streams; sequences are lines. */
const char *dsl_task_print(struct ps_arena *arena, const struct dsl_task *task);
/* What SCDF's runner gets: names of child tasks instead of apps, no arguments, no labels. As there,
 * nothing stands between sequences, and label references stay: neither can be run. */
const char *dsl_task_executable(struct ps_arena *arena, const struct dsl_task *task);
/* The child task of app i < app_count: "<task>-<label or name>". */
const char *dsl_task_child_name(struct ps_arena *arena, const struct dsl_task *task, size_t i);
/* Repeated names resolved: last wins, first position kept. *count entries. */
const struct dsl_option *dsl_task_arguments(struct ps_arena *arena, const struct dsl_app *app,
                                            size_t *count);
/* NULL when SCDF draws none: a transition leads to the label of a split, of another transition's
 * target, or of an app in a flow that is not its own; or the graph is above DSL_TASK_GRAPH_MAX. */
struct dsl_task_graph *dsl_task_graph(struct ps_arena *arena, const struct dsl_task *task);

#endif
