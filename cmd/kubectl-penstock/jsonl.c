/* SPDX-License-Identifier: Apache-2.0 */
/* lint --jsonl: a JSON line in, a JSON line out, the k-th for the k-th, whatever they hold. Answers
 * are written after each read, so that a program may ask and wait for the answer. */
#include "answers.h"
#include "plugin.h"

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
    if (!ps_streq(question->kind, "stream") && !ps_streq(question->kind, "task"))
        return "kind: expected \"stream\" or \"task\"";
    return NULL;
}

/* A line that is no question: neither code nor position stand for anything. */
static void refuse(struct ps_buf *out, const char *name, const char *message)
{
    ps_buf_str(out, "{\"name\":");
    if (name != NULL) {
        answer_text(out, name);
    } else {
        ps_buf_str(out, "null");
    }
    ps_buf_str(out, ",\"ok\":false,\"error\":\"INVALID_INPUT\",\"code\":null,\"position\":null");
    answer_member(out, ",\"message\":", message);
    ps_buf_str(out, "}\n");
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
        answer_definition(out, ps_streq(question.kind, "task"), question.name, question.text);
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
