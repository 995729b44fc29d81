/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values to text. jansson's own printer keeps a table of all values on the way against loops,
 * and calls back for each comma; values are printed for hashes, bodies and comparisons in every
 * pass. What has real numbers is left to it. The texts are the same, byte for byte: their hashes
 * are kept in objects.
 */
#include "codec/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Every decimal of 15 digits comes back as it was written: 1.1, not 1.1000000000000001. What has
 * more of them needs up to 17 to be read as the same number again. */
#define REAL_DIGITS     15
#define REAL_DIGITS_MAX 17
#define MEMBERS_HERE    24 /* sorted on the stack; objects of more take memory */

/* ---- real numbers --------------------------------------------------------------------------- */

static int to_buf(const char *piece, size_t n, void *buf)
{
    ps_buf_add(buf, piece, n);
    return ps_buf_failed(buf) ? -1 : 0;
}

/* With how many digits, at least `digits`, a number is read as itself again. */
static int digits_of_real(double value, int digits)
{
    for (; digits < REAL_DIGITS_MAX; digits++) {
        PS_AUTO_BUF(text, 64);
        ps_buf_printf(&text, "%.*g", digits, value);
        PS_AUTO_JS struct json_t *again =
            json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);

        if (again != NULL && json_real_value(again) == value)
            break;
    }
    return digits;
}

/* With how many digits all numbers are. Recursive, as deep as the values are. */
static int digits_of_all(const struct json_t *value, int digits)
{
    const char *key;
    struct json_t *member;
    void *at = NULL;

    if (json_is_real(value))
        return digits_of_real(json_real_value(value), digits);
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
        digits = digits_of_all(json_array_get(value, i), digits);
    while (json_is_object(value) && js_next(value, &at, &key, &member))
        digits = digits_of_all(member, digits);
    return digits;
}

static void print_with_reals(struct ps_buf *out, const struct json_t *value)
{
    const size_t digits = (size_t)digits_of_all(value, REAL_DIGITS);

    (void)json_dump_callback(value, to_buf, out,
                             JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                 JSON_REAL_PRECISION(digits));
}

/* ---- everything else ------------------------------------------------------------------------ */

static void print_escape(struct ps_buf *out, unsigned char c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};

    if (c < sizeof(letters) && letters[c] != '\0') {
        const char escape[] = {'\\', letters[c]};

        ps_buf_add(out, escape, sizeof(escape));
    } else {
        ps_buf_printf(out, "\\u%04X", c);
    }
}

static void print_string(struct ps_buf *out, const char *p, size_t n)
{
    size_t from = 0;

    ps_buf_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        ps_buf_add(out, p + from, i - from);
        print_escape(out, c);
        from = i + 1;
    }
    ps_buf_add(out, p + from, n - from);
    ps_buf_char(out, '"');
}

static void print_int(struct ps_buf *out, int64_t value)
{
    char digits[20]; /* of INT64_MIN, with its sign */
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    ps_buf_add(out, digits + at, sizeof(digits) - at);
}

/* False at a real number; what was printed until then is in `out`. */
static bool print_value(struct ps_buf *out, const struct json_t *value);

static bool print_array(struct ps_buf *out, const struct json_t *array)
{
    ps_buf_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            ps_buf_char(out, ',');
        if (!print_value(out, json_array_get(array, i)))
            return false;
    }
    ps_buf_char(out, ']');
    return true;
}

struct member {
    const char *key;
    struct json_t *value;
};

/* By insertion: objects are small, and most are nearly in order. */
static void sort_few(struct member *members, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct member moved = members[i];
        size_t at = i;

        for (; at > 0 && strcmp(members[at - 1].key, moved.key) > 0; at--)
            members[at] = members[at - 1];
        members[at] = moved;
    }
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static bool print_members(struct ps_buf *out, const struct json_t *object, struct member *members)
{
    void *at = NULL;
    size_t n = 0;

    while (js_next(object, &at, &members[n].key, &members[n].value))
        n++;
    if (n <= MEMBERS_HERE) {
        sort_few(members, n);
    } else {
        qsort(members, n, sizeof(*members), by_key);
    }
    ps_buf_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ps_buf_char(out, ',');
        print_string(out, members[i].key, strlen(members[i].key));
        ps_buf_char(out, ':');
        if (!print_value(out, members[i].value))
            return false;
    }
    ps_buf_char(out, '}');
    return true;
}

static bool print_object(struct ps_buf *out, const struct json_t *object)
{
    const size_t n = json_object_size(object) + 1; /* the walk's last step needs one more */
    struct member here[MEMBERS_HERE];

    if (n <= MEMBERS_HERE)
        return print_members(out, object, here);
    PS_AUTO_FREE struct member *members = ps_xcalloc(n, sizeof(*members));

    return print_members(out, object, members);
}

/* Recursive, as deep as the values are. */
static bool print_value(struct ps_buf *out, const struct json_t *value)
{
    switch (js_type(value)) {
    case JS_NULL:
        ps_buf_add(out, "null", 4);
        return true;
    case JS_BOOL:
        ps_buf_str(out, json_is_true(value) ? "true" : "false");
        return true;
    case JS_INT:
        print_int(out, json_integer_value(value));
        return true;
    case JS_STRING:
        print_string(out, json_string_value(value), json_string_length(value));
        return true;
    case JS_ARRAY:
        return print_array(out, value);
    case JS_OBJECT:
        return print_object(out, value);
    case JS_REAL:
        return false;
    case JS_ABSENT:
        return true;
    }
    ps_unreachable();
}

void js_print(struct ps_buf *out, const struct json_t *value)
{
    const size_t start = out->n;

    if (print_value(out, value))
        return;
    ps_buf_cut(out, start);
    print_with_reals(out, value);
}

void js_print_pretty(struct ps_buf *out, const struct json_t *value)
{
    (void)json_dump_callback(value, to_buf, out, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    ps_buf_char(out, '\n');
}

char *js_text(const struct json_t *value)
{
    struct ps_buf buf;

    ps_buf_init(&buf, SIZE_MAX - 1);
    js_print(&buf, value);
    return ps_buf_take(&buf);
}
