/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused definition says: SCDF's number, position and words, the line at fault, and below
 * it a caret at the fault and a star after the last part that was well-formed.
 *
 * Long lines are shown in part, and values of options whose names look like secrets are starred
 * out: an error goes to places that a definition does not.
 */
#include "dsl/internal.h"

#include <string.h>

/* A longer line is shown from SHOWN_BEFORE bytes before the fault on, SHOWN_MAX bytes of it. */
#define SHOWN_MAX    ((size_t)1024)
#define SHOWN_BEFORE ((size_t)512)
/* Longer inserts are cut. */
#define INSERT_MAX   ((size_t)256)
#define TEXT_MAX     ((size_t)16 * 1024)
#define CUT_MARK     "\xe2\x80\xa6" /* one UTF-16 unit wide */

#define MESSAGES(X)                                                                                \
    X(TOO_LONG, "the definition is longer than 1048576 bytes")                                     \
    X(TOO_MANY_APPS, "more than 1000 apps in one definition")                                      \
    X(NOT_UTF8, "the text is not valid UTF-8 without NUL bytes")                                   \
    X(UNEXPECTED_DATA_AFTER_STREAMDEF, "Found unexpected data after stream definition: '{0}'")     \
    X(NO_WHITESPACE_BEFORE_ARG_NAME, "No whitespace allowed between -- and option name")           \
    X(NO_WHITESPACE_BEFORE_ARG_EQUALS, "No whitespace allowed after argument name and before =")   \
    X(NO_WHITESPACE_BEFORE_ARG_VALUE, "No whitespace allowed after = and before option value")     \
    X(EXPECTED_ARGUMENT_VALUE, "Expected an argument value but was '{0}'")                         \
    X(NON_TERMINATING_DOUBLE_QUOTED_STRING, "Cannot find terminating \" for string")               \
    X(NON_TERMINATING_QUOTED_STRING, "Cannot find terminating ' for string")                       \
    X(MISSING_CHARACTER, "missing expected character '{0}'")                                       \
    X(NOT_EXPECTED_TOKEN, "Unexpected token.  Expected '{0}' but was '{1}'")                       \
    X(OOD, "Unexpectedly ran out of input")                                                        \
    X(UNEXPECTED_ESCAPE_CHAR, "unexpected escape character.")                                      \
    X(UNEXPECTED_DATA, "unexpected data in stream definition '{0}'")                               \
    X(EXPECTED_APPNAME, "expected app name but found '{0}'")                                       \
    X(EXPECTED_WHITESPACE_BEFORE_ARGUMENT,                                                         \
      "expected whitespace after app name and before argument")                                    \
    X(ILLEGAL_STREAM_NAME, "illegal name for a stream '{0}'")                                      \
    X(EXPECTED_DESTINATION_PREFIX, "Expected destination prefix but found '{0}'")                  \
    X(NO_WHITESPACE_IN_DESTINATION_DEFINITION,                                                     \
      "no whitespace allowed between components in a destination name")                            \
    X(DUPLICATE_LABEL, "label '{0}' should be unique but app '{1}' (at position {2}) and app "     \
                       "'{3}' (at position {4}) both use it")                                      \
    X(NO_WHITESPACE_IN_DOTTED_NAME,                                                                \
      "no whitespace is allowed between dot and components of a name")                             \
    X(EXPECTED_WHITESPACE_AFTER_LABEL_COLON, "whitespace is expected after an app label")          \
    X(EXPECTED_STREAM_NAME_AFTER_LABEL_COLON, "stream name is expected after an app label")        \
    X(NO_DOUBLE_LABELS, "multiple labels are not supported")                                       \
    X(DONT_MIX_PIPE_AND_DOUBLEPIPE, "do not mix | and || when specifying a list of applications")  \
    X(DONT_USE_DOUBLEPIPE_WITH_CHANNELS,                                                           \
      "do not use || between source/processor/sink apps in a stream, use |")                       \
    X(UNEXPECTED_DATA_IN_DESTINATION_NAME, "unexpected data in destination name '{0}'")            \
    X(TOO_DEEP, "more than 64 splits and brackets within one another")                             \
    X(TOO_MANY_TRANSITIONS, "more than 1000 transitions in one definition")                        \
    X(ILLEGAL_TASK_NAME, "illegal name for a task '{0}'")                                          \
    X(TASK_DOUBLE_AND_REQUIRED, "task dsl flow requires a pair of &, not just one")                \
    X(TASK_DOUBLE_OR_REQUIRED, "task dsl requires a pair of |")                                    \
    X(TASK_UNQUOTED_TRANSITION_CHECK_MUST_BE_NUMBER,                                               \
      "transition conditions must be quoted literals, numerics or * but '{0}' is not")             \
    X(TASK_NO_LABELS_ON_PARENS, "labels cannot be specified on parenthesized groups")              \
    X(TASK_ARROW_SHOULD_BE_PRECEDED_BY_CODE,                                                       \
      "transition arrow must be preceeded by the exit code that should drive the transition")      \
    X(TASK_VALIDATION_SECONDARY_SEQUENCES_MUST_BE_NAMED,                                           \
      "secondary sequences must have labels or are unreachable")                                   \
    X(TASK_VALIDATION_DUPLICATE_LABEL, "this label has already been defined")                      \
    X(TASK_VALIDATION_TRANSITION_TARGET_LABEL_UNDEFINED,                                           \
      "transition specifies an undefined label")                                                   \
    X(TASK_UNEXPECTED_DATA, "unexpected data in task definition '{0}'")                            \
    X(TASK_MORE_INPUT, "after parsing a valid task, there is still more data: '{0}'")              \
    X(TASK_VALIDATION_LABEL_CLASHES_WITH_TASKAPP_NAME,                                             \
      "the label clashes with an existing unlabeled task application name")                        \
    X(TASK_VALIDATION_APP_NAME_CLASHES_WITH_LABEL, "the app name clashes with an existing label")  \
    X(TASK_VALIDATION_APP_NAME_ALREADY_IN_USE,                                                     \
      "duplicate app name. Use a label to ensure uniqueness")

_Static_assert(DSL_TEXT_MAX == 1048576 && DSL_APPS_MAX == 1000, "the messages name the limits");
_Static_assert(DSL_TASK_DEPTH_MAX == 64, "the messages name the limits");
_Static_assert(DSL_TASK_TRANSITIONS_MAX == 1000, "the messages name the limits");

static const struct {
    enum dsl_code code;
    const char *name, *message;
} messages[] = {

#define X(name, message) {DSL_##name, #name, message},
    MESSAGES(X)
#undef X
};

const char *dsl_code_name(enum dsl_code code)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(messages); i++) {
        if (messages[i].code == code)
            return messages[i].name;
    }
    return code == DSL_OK ? "OK" : "UNKNOWN";
}

static const char *message_of(enum dsl_code code)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(messages); i++) {
        if (messages[i].code == code)
            return messages[i].message;
    }
    ps_unreachable();
}

/* The longest head of at most max bytes that cuts no character. */
static struct ps_str head_of(struct ps_str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max > 0 && ((unsigned char)text.p[max] & 0xC0) == 0x80)
        max--;
    return ps_str_head(text, max);
}

/* ---- secrets ------------------------------------------------------------------------------- */

static bool holds(struct ps_str name, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= name.n; i++) {
        if (ps_str_ieq(ps_str_n(name.p + i, n), ps_str_n(word, n)))
            return true;
    }
    return false;
}

static bool ends(struct ps_str name, const char *word)
{
    const size_t n = strlen(word);

    return name.n >= n && ps_str_ieq(ps_str_skip(name, name.n - n), ps_str_n(word, n));
}

/* The names that SCDF redacts, and some more. */
static bool looks_secret(struct ps_str name)
{
    static const char *const endings[] = {"username", "key", "token", "vcap_services", "url"};

    for (size_t i = 0; i < PS_ARRAY_LEN(endings); i++) {
        if (ends(name, endings[i]))
            return true;
    }
    return holds(name, "password") || holds(name, "secret") || holds(name, "credentials");
}

/* Byte after the value at `start` and after the words that follow it up to an option, | or >. */
static size_t secret_end(struct ps_str text, size_t start)
{
    size_t value = start;

    if (start < text.n && dsl__starts_value(text.p[start]))
        value = dsl__scan_value(text, start).token.end;
    size_t end = value;

    while (end < text.n && text.p[end] != '|' && text.p[end] != '>' &&
           !ps_str_starts(ps_str_skip(text, end), " --"))
        end++;
    while (end > value && text.p[end - 1] == ' ')
        end--;
    return end;
}

bool dsl__secret_span(struct ps_str text, size_t from, size_t *start, size_t *end)
{
    for (size_t at = from; at + 2 < text.n; at++) {
        if (text.p[at] != '-' || text.p[at + 1] != '-')
            continue;
        const struct ps_str rest = ps_str_skip(text, at + 2);
        size_t n = 0;

        while (n < rest.n && dsl__starts_value(rest.p[n]) && rest.p[n] != '=')
            n++;
        if (n < rest.n && rest.p[n] == '=' && looks_secret(ps_str_head(rest, n))) {
            *start = at + 2 + n + 1;
            *end = secret_end(text, *start);
            return true;
        }
        at += n + 1;
    }
    return false;
}

/* Does p point into a value that must not be shown? */
static bool is_secret(struct ps_str text, const char *p)
{
    /* Inserts also come from elsewhere: compared as numbers, for pointers into two objects have no
     * order. */
    if ((uintptr_t)p < (uintptr_t)text.p || (uintptr_t)p - (uintptr_t)text.p >= text.n)
        return false;
    const size_t at = (uintptr_t)p - (uintptr_t)text.p;
    size_t from = 0, start, end;

    while (dsl__secret_span(text, from, &start, &end)) {
        if (at >= start && at < end)
            return true;
        from = end;
    }
    return false;
}

/* ---- text ---------------------------------------------------------------------------------- */

static void add_insert(struct ps_buf *out, const struct dsl__source *src, struct ps_str insert)
{
    const struct ps_str head = head_of(insert, INSERT_MAX);

    if (is_secret(src->text, insert.p)) {
        ps_buf_str(out, "******");
        return;
    }
    ps_buf_view(out, head);
    if (head.n < insert.n)
        ps_buf_str(out, CUT_MARK);
}

static void add_message(struct ps_buf *out, const struct dsl__source *src, enum dsl_code code,
                        const struct ps_str *inserts, size_t count)
{
    for (const char *c = message_of(code); *c != '\0'; c++) {
        if (c[0] != '{') {
            ps_buf_char(out, *c);
            continue;
        }
        const size_t i = (size_t)(c[1] - '0');

        ps_assert(i < count);
        add_insert(out, src, inserts[i]);
        c += 2;
    }
}

/* Copies [start, end) of the text; each UTF-16 unit of a secret becomes one star. */
static void add_masked(struct ps_buf *out, struct ps_str text, size_t start, size_t end)
{
    size_t from = 0, at = start, hide, until;

    while (at < end && dsl__secret_span(text, from, &hide, &until) && hide < end) {
        from = until;
        if (until <= at)
            continue;
        hide = hide < at ? at : hide;
        until = until > end ? end : until;
        ps_buf_add(out, text.p + at, hide - at);
        for (size_t n = dsl__units(ps_str_n(text.p + hide, until - hide)); n > 0; n--)
            ps_buf_char(out, '*');
        at = until;
    }
    ps_buf_add(out, text.p + at, end - at);
}

static void add_blanks(struct ps_buf *out, size_t n)
{
    while (n-- > 0)
        ps_buf_char(out, ' ');
}

/* The caret goes under unit `fault` of the line, the star under unit `good`, SIZE_MAX for none. */
static void add_marks(struct ps_buf *out, size_t fault, size_t good)
{
    if (good < fault) {
        add_blanks(out, good);
        ps_buf_char(out, '*');
        add_blanks(out, fault - good - 1);
        ps_buf_char(out, '^');
        return;
    }
    add_blanks(out, fault);
    ps_buf_char(out, '^');
    if (good != SIZE_MAX && good > fault) {
        add_blanks(out, good - fault - 1);
        ps_buf_char(out, '*');
    }
}

/* First byte of the part of the line that is shown. */
static size_t shown_from(struct ps_str text, size_t line, size_t line_end, size_t at)
{
    if (line_end - line <= SHOWN_MAX || at - line <= SHOWN_BEFORE)
        return line;
    size_t from = at - SHOWN_BEFORE;

    while (((unsigned char)text.p[from] & 0xC0) == 0x80)
        from++;
    return from;
}

static void add_line(struct ps_buf *out, const struct dsl__source *src, size_t at)
{
    const struct ps_str text = src->text;
    size_t line = at, end = at;

    while (line > 0 && text.p[line - 1] != '\n')
        line--;
    while (end < text.n && text.p[end] != '\n')
        end++;
    const size_t from = shown_from(text, line, end, at);
    const size_t shown = head_of(ps_str_n(text.p + from, end - from), SHOWN_MAX).n;
    const size_t left = from > line ? 1 : 0;
    const bool has_good = src->good > 0 && src->good >= from && src->good <= from + shown;

    ps_buf_char(out, '\n');
    ps_buf_str(out, left ? CUT_MARK : "");
    add_masked(out, text, from, from + shown);
    ps_buf_str(out, from + shown < end ? CUT_MARK : "");
    ps_buf_char(out, '\n');
    add_marks(out, left + dsl__units(ps_str_n(text.p + from, at - from)),
              has_good ? left + dsl__units(ps_str_n(text.p + from, src->good - from)) : SIZE_MAX);
}

bool dsl__fail_with(const struct dsl__source *src, enum dsl_code code, size_t at,
                    const struct ps_str *inserts, size_t count)
{
    /* Texts that were not checked are not shown. */
    const bool show = code != DSL_TOO_LONG && code != DSL_NOT_UTF8 && src->text.n > 0;
    PS_AUTO_BUF(out, TEXT_MAX);

    add_message(&out, src, code, inserts, count);
    src->bad->code = code;
    src->bad->position = dsl__units(ps_str_head(src->text, at));
    src->bad->message = ps_arena_str(src->arena, ps_buf_get(&out));
    ps_buf_clear(&out);
    ps_buf_printf(&out, "%dE:(pos %zu): %s", (int)code, src->bad->position, src->bad->message);
    if (show)
        add_line(&out, src, at);
    ps_assert(!ps_buf_failed(&out));
    src->bad->text = ps_arena_str(src->arena, ps_buf_get(&out));
    return false;
}

bool dsl__fail(const struct dsl__source *src, enum dsl_code code, size_t at)
{
    static const struct ps_str none[] = {{NULL, 0}};

    return dsl__fail_with(src, code, at, none, 0);
}
