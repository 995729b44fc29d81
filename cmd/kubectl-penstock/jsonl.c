/* SPDX-License-Identifier: Apache-2.0 */
/* lint --jsonl: a JSON line in, a JSON line out, the k-th for the k-th, whatever they hold. Answers
 * are written after each read, so that a program may ask and wait for the answer. */
#include "plugin.h"

#include "dsl/dsl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE  ((size_t)64 * 1024)
#define NAME_BYTES ((size_t)255) /* SCDF's column of definition names */
/* Every text stands in an answer a few times at most, each byte as up to six. */
#define ANSWER_MAX ((size_t)128 * 1024 * 1024)
#define FLUSH_SIZE ((size_t)256 * 1024)

struct lines {
    struct ps_buf in, out;
    bool skipping; /* in the rest of a line that is too long */
};

/* ---- answers -----------------------------------------------------------------------------------
 */

/* Most texts need no escape: those are copied at once. */
static void add_text(struct ps_buf *out, const char *text)
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

/* `key` is written as it is: ",\"name\":". */
static void add_member(struct ps_buf *out, const char *key, const char *text)
{
    ps_buf_str(out, key);
    add_text(out, text);
}

static void add_apps(struct ps_buf *out, const struct dsl_stream *stream)
{
    ps_buf_str(out, ",\"apps\":[");
    for (size_t i = 0; i < stream->app_count; i++) {
        const struct dsl_app *app = &stream->apps[i];

        add_member(out, i > 0 ? ",{\"name\":" : "{\"name\":", app->name);
        add_member(out, ",\"label\":", app->label);
        ps_buf_str(out, ",\"options\":[");
        for (size_t k = 0; k < app->option_count; k++) {
            add_member(out, k > 0 ? ",[" : "[", app->options[k].name);
            add_member(out, ",", app->options[k].value);
            ps_buf_char(out, ']');
        }
        ps_buf_str(out, "]}");
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
    add_member(out, "{\"destination\":", destination->name);
    ps_buf_char(out, '}');
}

static void add_definition(struct ps_buf *out, struct ps_arena *arena,
                           const struct dsl_stream *stream, size_t i)
{
    size_t count;
    const struct dsl_option *properties = dsl_stream_properties(arena, stream, i, &count);

    add_member(out, "{\"registeredName\":", stream->apps[i].name);
    add_member(out, ",\"label\":", stream->apps[i].label);
    add_member(out, ",\"type\":", dsl_app_type_name(dsl_stream_app_type(stream, i)));
    ps_buf_str(out, ",\"properties\":{");
    for (size_t k = 0; k < count; k++) {
        if (k > 0)
            ps_buf_char(out, ',');
        add_text(out, properties[k].name);
        add_member(out, ":", properties[k].value);
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

/* ---- one line -----------------------------------------------------------------------------------
 */

struct question {
    const char *kind, *name, *text; /* borrowed from the JSON */
};

/* NULL when the question can be answered, else what is wrong with it. */
static const char *read_question(const struct json_t *line, struct question *question)
{
    question->kind = js_str(js_get(line, "kind"));
    question->name = js_str(js_get(line, "name"));
    question->text = js_str(js_get(line, "text"));
    if (js_type(line) != JS_OBJECT)
        return "expected an object";
    if (question->kind == NULL)
        return "kind: expected \"stream\" or \"task\"";
    if (question->name == NULL || strlen(question->name) > NAME_BYTES)
        return "name: expected a string of at most 255 bytes";
    if (question->text == NULL)
        return "text: expected a string";
    if (ps_streq(question->kind, "task"))
        return "kind: this version reads definitions of streams only";
    return ps_streq(question->kind, "stream") ? NULL : "kind: expected \"stream\" or \"task\"";
}

/* A line that is no question: neither code nor position stand for anything. */
static void refuse(struct ps_buf *out, const char *name, const char *message)
{
    ps_buf_str(out, "{\"name\":");
    if (name != NULL) {
        add_text(out, name);
    } else {
        ps_buf_str(out, "null");
    }
    ps_buf_str(out, ",\"ok\":false,\"error\":\"INVALID_INPUT\",\"code\":null,\"position\":null");
    add_member(out, ",\"message\":", message);
    ps_buf_str(out, "}\n");
}

static void answer_stream(struct ps_buf *out, const struct question *question)
{
    struct ps_arena arena;
    struct dsl_error bad;

    ps_arena_init(&arena);
    const struct dsl_stream *stream =
        dsl_stream_parse(&arena, ps_str(question->name), ps_str(question->text), &bad);

    add_member(out, "{\"name\":", question->name);
    if (stream != NULL) {
        add_stream(out, &arena, stream);
    } else {
        ps_buf_printf(out, ",\"ok\":false,\"error\":\"%s\",\"code\":%d,\"position\":%zu",
                      dsl_code_name(bad.code), (int)bad.code, bad.position);
        add_member(out, ",\"message\":", bad.message);
    }
    ps_buf_str(out, "}\n");
    ps_arena_fini(&arena);
}

static void answer(struct ps_buf *out, struct ps_str line)
{
    struct ps_err err;
    struct question question;
    const size_t before = out->n;
    PS_AUTO_JS struct json_t *json = js_parse(line, &err);

    if (json == NULL) {
        refuse(out, NULL, err.message);
        return;
    }
    const char *wrong = read_question(json, &question);

    if (wrong != NULL) {
        refuse(out, question.name, wrong);
    } else {
        answer_stream(out, &question);
    }
    if (ps_buf_failed(out)) {
        out->failed = false;
        out->n = before;
        refuse(out, NULL, "the answer is too long");
    }
}

/* ---- all lines ----------------------------------------------------------------------------------
 */

static int flush(struct ps_buf *out)
{
    if (fwrite(ps_buf_text(out), 1, out->n, stdout) != out->n || fflush(stdout) != 0)
        return PLUGIN_FINDINGS; /* main says it */
    ps_buf_clear(out);
    return 0;
}

static int take_line(struct lines *lines, struct ps_str line)
{
    if (lines->skipping) {
        lines->skipping = false;
        refuse(&lines->out, NULL, "the line is too long");
    } else {
        answer(&lines->out, line);
    }
    return lines->out.n >= FLUSH_SIZE ? flush(&lines->out) : 0;
}

/* Answers the whole lines in lines->in; what was there before `from` has no line end. */
static int take_lines(struct lines *lines, size_t from)
{
    struct ps_str rest = ps_str_skip(ps_buf_get(&lines->in), from);
    const char *start = ps_buf_text(&lines->in);
    const char *end;
    int rc = 0;

    while (rc == 0 && rest.n > 0 && (end = memchr(rest.p, '\n', rest.n)) != NULL) {
        rc = take_line(lines, ps_str_n(start, (size_t)(end - start)));
        start = end + 1;
        rest = ps_str_skip(rest, (size_t)(start - rest.p));
    }
    ps_buf_drop(&lines->in, (size_t)(start - ps_buf_text(&lines->in)));
    if (lines->skipping || lines->in.n > CODEC_JSON_MAX) {
        lines->skipping = true;
        ps_buf_clear(&lines->in);
    }
    return rc == 0 ? flush(&lines->out) : rc;
}

static int read_lines(struct lines *lines, int fd)
{
    static char piece[READ_SIZE];

    for (;;) {
        const ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            (void)fprintf(stderr, "kubectl penstock: the lines can't be read: errno %d\n", errno);
            return PLUGIN_FINDINGS;
        }
        if (n == 0)
            break;
        const size_t from = lines->in.n;

        ps_buf_add(&lines->in, piece, (size_t)n);
        const int rc = take_lines(lines, from);

        if (rc != 0)
            return rc;
    }
    /* A last line without its end. */
    if (lines->in.n > 0 || lines->skipping) {
        const int rc = take_line(lines, ps_buf_get(&lines->in));

        return rc == 0 ? flush(&lines->out) : rc;
    }
    return 0;
}

int lint_lines(int fd)
{
    struct lines lines = {0};

    ps_buf_init(&lines.in, CODEC_JSON_MAX + READ_SIZE);
    ps_buf_init(&lines.out, ANSWER_MAX);
    const int rc = read_lines(&lines, fd);

    ps_buf_fini(&lines.in);
    ps_buf_fini(&lines.out);
    return rc;
}
