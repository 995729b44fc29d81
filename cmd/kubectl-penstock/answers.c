/* SPDX-License-Identifier: Apache-2.0 */
/* lint --jsonl: what is answered about one definition. */
#include "answers.h"

#include "dsl/dsl.h"

#include <string.h>

/* Most texts need no escape: those are copied at once. */
void answer_text(struct ps_buf *out, const char *text)
{
    size_t n = 0;

    while (text[n] >= 0x20 && text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
        n++;
    if (text[n] != '\0') {
        ps_buf_json(out, ps_str(text));
        return;
    }
    ps_buf_char(out, '"');
    ps_buf_add(out, text, n);
    ps_buf_char(out, '"');
}

void answer_member(struct ps_buf *out, const char *key, const char *text)
{
    ps_buf_str(out, key);
    answer_text(out, text);
}

/* Pairs and no object: names may come twice. */
static void add_options(struct ps_buf *out, const char *key, const struct dsl_app *app)
{
    ps_buf_str(out, key);
    ps_buf_char(out, '[');
    for (size_t k = 0; k < app->option_count; k++) {
        answer_member(out, k > 0 ? ",[" : "[", app->options[k].name);
        answer_member(out, ",", app->options[k].value);
        ps_buf_char(out, ']');
    }
    ps_buf_char(out, ']');
}

/* ---- streams -----------------------------------------------------------------------------------
 */

static void add_apps(struct ps_buf *out, const struct dsl_stream *stream)
{
    ps_buf_str(out, ",\"apps\":[");
    for (size_t i = 0; i < stream->app_count; i++) {
        const struct dsl_app *app = &stream->apps[i];

        answer_member(out, i > 0 ? ",{\"name\":" : "{\"name\":", app->name);
        answer_member(out, ",\"label\":", app->label);
        add_options(out, ",\"options\":", app);
        ps_buf_char(out, '}');
    }
    ps_buf_char(out, ']');
}

static void add_destination(struct ps_buf *out, const char *key,
                            const struct dsl_destination *destination)
{
    ps_buf_str(out, key);
    if (destination == NULL) {
        ps_buf_str(out, "null");
        return;
    }
    answer_member(out, "{\"destination\":", destination->name);
    ps_buf_char(out, '}');
}

static void add_definition(struct ps_buf *out, struct ps_arena *arena,
                           const struct dsl_stream *stream, size_t i)
{
    size_t count;
    const struct dsl_option *properties = dsl_stream_properties(arena, stream, i, &count);

    answer_member(out, "{\"registeredName\":", stream->apps[i].name);
    answer_member(out, ",\"label\":", stream->apps[i].label);
    answer_member(out, ",\"type\":", dsl_app_type_name(dsl_stream_app_type(stream, i)));
    ps_buf_str(out, ",\"properties\":{");
    for (size_t k = 0; k < count; k++) {
        if (k > 0)
            ps_buf_char(out, ',');
        answer_text(out, properties[k].name);
        answer_member(out, ":", properties[k].value);
    }
    ps_buf_str(out, "}}");
}

/* A tap reads what flows out of an app of another stream: <stream>.<label>. */
static bool is_tap(const struct dsl_stream *stream)
{
    return stream->source != NULL && strchr(stream->source->name, '.') != NULL;
}

static void add_stream(struct ps_buf *out, struct ps_arena *arena, const struct dsl_stream *stream)
{
    ps_buf_str(out, ",\"ok\":true");
    add_apps(out, stream);
    add_destination(out, ",\"source\":", stream->source);
    add_destination(out, ",\"sink\":", stream->sink);
    ps_buf_str(out, is_tap(stream) ? ",\"tap\":true" : ",\"tap\":false");
    ps_buf_str(out, ",\"definitions\":[");
    for (size_t i = 0; i < stream->app_count; i++) {
        if (i > 0)
            ps_buf_char(out, ',');
        add_definition(out, arena, stream, i);
    }
    ps_buf_char(out, ']');
}

/* ---- tasks -------------------------------------------------------------------------------------
 */

static void add_task_apps(struct ps_buf *out, struct ps_arena *arena, const struct dsl_task *task)
{
    ps_buf_str(out, ",\"apps\":[");
    for (size_t i = 0; i < task->app_count; i++) {
        answer_member(out, i > 0 ? ",{\"name\":" : "{\"name\":", task->apps[i].name);
        answer_member(out, ",\"label\":", task->apps[i].label);
        answer_member(out, ",\"executableName\":", dsl_task_child_name(arena, task, i));
        add_options(out, ",\"args\":", &task->apps[i]);
        ps_buf_char(out, '}');
    }
    ps_buf_char(out, ']');
}

/* Graphs are mostly numbers: with ps_buf_printf an answer takes a quarter longer. */
static void add_number(struct ps_buf *out, const char *key, size_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    ps_buf_str(out, key);
    ps_buf_add(out, digits + first, sizeof(digits) - first);
}

static void add_nodes(struct ps_buf *out, const struct dsl_task_graph *graph)
{
    ps_buf_str(out, ",\"nodes\":[");
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct dsl_task_node *node = &graph->nodes[i];

        add_number(out, i > 0 ? ",{\"id\":" : "{\"id\":", node->id);
        answer_member(out, ",\"name\":", node->name);
        if (node->label != NULL)
            answer_member(out, ",\"label\":", node->label);
        ps_buf_char(out, '}');
    }
    ps_buf_char(out, ']');
}

static void add_links(struct ps_buf *out, const struct dsl_task_graph *graph)
{
    ps_buf_str(out, ",\"links\":[");
    for (size_t i = 0; i < graph->link_count; i++) {
        const struct dsl_task_link *link = &graph->links[i];

        add_number(out, i > 0 ? ",{\"from\":" : "{\"from\":", link->from);
        add_number(out, ",\"to\":", link->to);
        if (link->transition != NULL)
            answer_member(out, ",\"transition\":", link->transition);
        ps_buf_char(out, '}');
    }
    ps_buf_char(out, ']');
}

static void add_task(struct ps_buf *out, struct ps_arena *arena, const struct dsl_task *task)
{
    const struct dsl_task_graph *graph = dsl_task_graph(arena, task);

    ps_buf_str(out, ",\"ok\":true,\"composed\":");
    ps_buf_str(out, task->composed ? "true" : "false");
    answer_member(out, ",\"dsl\":", dsl_task_print(arena, task));
    answer_member(out, ",\"executable\":", dsl_task_executable(arena, task));
    add_task_apps(out, arena, task);
    if (graph != NULL) {
        add_nodes(out, graph);
        add_links(out, graph);
    } else {
        ps_buf_str(out, ",\"nodes\":null,\"links\":null");
    }
}

/* ---- both --------------------------------------------------------------------------------------
 */

static void add_error(struct ps_buf *out, const struct dsl_error *bad)
{
    ps_buf_printf(out, ",\"ok\":false,\"error\":\"%s\",\"code\":%d,\"position\":%zu",
                  dsl_code_name(bad->code), (int)bad->code, bad->position);
    answer_member(out, ",\"message\":", bad->message);
}

static bool read_stream(struct ps_buf *out, struct ps_arena *arena, const char *name,
                        const char *text, struct dsl_error *bad)
{
    const struct dsl_stream *stream = dsl_stream_parse(arena, ps_str(name), ps_str(text), bad);

    if (stream != NULL)
        add_stream(out, arena, stream);
    return stream != NULL;
}

static bool read_task(struct ps_buf *out, struct ps_arena *arena, const char *name,
                      const char *text, struct dsl_error *bad)
{
    const struct dsl_task *task = dsl_task_parse(arena, ps_str(name), ps_str(text), bad);

    if (task != NULL)
        add_task(out, arena, task);
    return task != NULL;
}

void answer_definition(struct ps_buf *out, bool is_task, const char *name, const char *text)
{
    struct ps_arena arena;
    struct dsl_error bad = {0};

    ps_arena_init(&arena);
    answer_member(out, "{\"name\":", name);
    if (!(is_task ? read_task : read_stream)(out, &arena, name, text, &bad))
        add_error(out, &bad);
    ps_buf_str(out, "}\n");
    ps_arena_fini(&arena);
}
