/* SPDX-License-Identifier: Apache-2.0 */
/* lint -f: the documents of a file. A "---" at the start of a line separates them, also within
 * texts: YAML has it so. */
#include "plugin.h"

#include <string.h>

#define WHERE_MAX  ((size_t)4096)
/* Each costs a second reading of the file up to its place. */
#define BROKEN_MAX 100

struct document {
    struct ps_str text;
    size_t first_line;   /* from 1: of the text */
    size_t content_line; /* of what is neither blank, comment, directive nor separator */
};

static bool is_marker(struct ps_str line, const char *marker)
{
    return ps_str_starts(line, marker) &&
           (line.n == 3 || line.p[3] == ' ' || line.p[3] == '\t' || line.p[3] == '\r');
}

static bool is_content(struct ps_str line)
{
    const struct ps_str trimmed = ps_str_trim(line);

    return trimmed.n > 0 && trimmed.p[0] != '#' && line.p[0] != '%';
}

/* Takes the next document off *rest, whose first line has the number *line. */
static bool next_document(struct ps_str *rest, size_t *line, struct document *document)
{
    const char *start = rest->p;
    bool started = false, ended = false;
    struct ps_str ahead = *rest, part;

    *document = (struct document){.first_line = *line};
    if (rest->n == 0)
        return false;
    while (!ended && ps_str_split(&ahead, '\n', &part)) {
        const bool separates = is_marker(part, "---");

        if (separates && started)
            break;
        ended = is_marker(part, "...");
        if (!separates && !ended && is_content(part) && document->content_line == 0)
            document->content_line = *line;
        started |= separates || is_content(part);
        *rest = ahead;
        *line += 1;
    }
    const char *end = rest->p != NULL && rest->n > 0 ? rest->p : NULL;

    document->text =
        ps_str_n(start, end ? (size_t)(end - start) : (size_t)(part.p + part.n - start));
    return true;
}

/* The same document behind as many line ends as there are lines before it: the error then names the
 * line of the file. */
static void find_mistake(const struct document *document, struct ps_err *err)
{
    PS_AUTO_BUF(padded, CODEC_YAML_MAX);
    struct ps_err better = {0};

    for (size_t i = 1; i < document->first_line; i++)
        ps_buf_char(&padded, '\n');
    ps_buf_view(&padded, document->text);
    if (ps_buf_failed(&padded)) {
        (void)ps_fail_prefix(err, "in the document that starts in line %zu", document->first_line);
        return;
    }
    struct json_t *value PS_AUTO_JS = codec_yaml_parse(ps_buf_get(&padded), &better);

    if (value == NULL)
        *err = better;
}

void lint_documents(struct lint_run *run, const char *file, struct ps_str text)
{
    struct document document;
    size_t line = 1, broken = 0;
    PS_AUTO_BUF(where, WHERE_MAX);

    while (next_document(&text, &line, &document)) {
        struct ps_err err = {0};
        struct json_t *object PS_AUTO_JS = codec_yaml_parse(document.text, &err);

        ps_buf_clear(&where);
        if (object != NULL) {
            ps_buf_printf(&where, "%.2000s:%zu", file, document.content_line);
            lint_object(run, ps_buf_text(&where), object);
            continue;
        }
        find_mistake(&document, &err);
        lint_finding(run, file, err.message);
        if (++broken == BROKEN_MAX) {
            lint_finding(run, file, "too many mistakes: the rest of the file was not read");
            return;
        }
    }
}
