/* SPDX-License-Identifier: Apache-2.0 */
/* YAML 1.1 scalars, resolved as go-yaml 2 does it, which is what Kubernetes reads YAML with. */
#include "codec/internal.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#define NUMBER_MAX 400 /* a longer one is a string; a double prints in at most 309 digits */
#define KEY_DIGITS 17  /* enough for any double to be read back as itself */

static bool is_one_of(struct ps_str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (ps_str_is(text, *words))
            return true;
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
    return c == '+' || c == '-';
}

static struct json_t *find_word(struct ps_str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};

    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, yes))
        return json_true();
    return is_one_of(text, no) ? json_false() : NULL;
}

/* 0x, 0o and 0b, and a leading 0 for octal, as in C and Go. */
static unsigned int take_base(struct ps_str *digits)
{
    static const struct {
        const char *prefix;
        unsigned int base;
    } bases[] = {{"0x", 16}, {"0X", 16}, {"0o", 8}, {"0O", 8}, {"0b", 2}, {"0B", 2}};

    for (size_t i = 0; i < PS_ARRAY_LEN(bases); i++) {
        if (ps_str_starts(*digits, bases[i].prefix)) {
            *digits = ps_str_skip(*digits, 2);
            return bases[i].base;
        }
    }
    return digits->n > 1 && digits->p[0] == '0' ? 8 : 10;
}

static bool read_digits(struct ps_str digits, unsigned int base, uint64_t *value)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < digits.n; i++) {
        const char c = digits.p[i];
        const unsigned int digit = is_digit(c)              ? (unsigned int)(c - '0')
                                   : (c >= 'a' && c <= 'f') ? (unsigned int)(c - 'a') + 10
                                   : (c >= 'A' && c <= 'F') ? (unsigned int)(c - 'A') + 10
                                                            : base;

        if (digit >= base || __builtin_mul_overflow(sum, base, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return digits.n > 0;
}

/* NULL when it is none, or beyond 64 bits. */
static struct json_t *read_integer(struct ps_str text)
{
    const bool negative = text.n > 0 && text.p[0] == '-';
    const uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    struct ps_str digits = text.n > 0 && is_sign(text.p[0]) ? ps_str_skip(text, 1) : text;
    const unsigned int base = take_base(&digits);
    uint64_t value;

    if (!read_digits(digits, base, &value))
        return NULL;
    if (value <= limit)
        return json_integer((int64_t)(negative ? 0 - value : value));
    /* JSON here has no unsigned integers. */
    return negative ? NULL : json_real((double)value);
}

static struct ps_str take_digits(struct ps_str *rest)
{
    size_t n = 0;

    while (n < rest->n && is_digit(rest->p[n]))
        n++;
    const struct ps_str digits = ps_str_head(*rest, n);

    *rest = ps_str_skip(*rest, n);
    return digits;
}

static bool take_char(struct ps_str *rest, const char *any)
{
    if (rest->n == 0 || strchr(any, rest->p[0]) == NULL)
        return false;
    *rest = ps_str_skip(*rest, 1);
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? rewritten in JSON's stricter form. */
static bool float_as_json(struct ps_str text, struct ps_buf *out)
{
    if (text.n > 0 && text.p[0] == '-')
        ps_buf_char(out, '-');
    (void)take_char(&text, "+-");
    struct ps_str whole = take_digits(&text), fraction = {0};

    if (take_char(&text, "."))
        fraction = take_digits(&text);
    if (whole.n + fraction.n == 0)
        return false;
    while (whole.n > 0 && whole.p[0] == '0')
        whole = ps_str_skip(whole, 1);
    ps_buf_view(out, whole.n ? whole : PS_STR("0"));
    ps_buf_char(out, '.');
    ps_buf_view(out, fraction.n ? fraction : PS_STR("0"));
    if (text.n == 0)
        return true;
    ps_buf_view(out, text);
    if (!take_char(&text, "eE"))
        return false;
    (void)take_char(&text, "+-");
    return take_digits(&text).n > 0 && text.n == 0;
}

/* A float without a fraction is an integer, as in the JSON that Kubernetes' reader makes of it. */
static struct json_t *whole_or_real(double value)
{
    const double limit = 9223372036854775808.0; /* 2^63 */

    if (value >= -limit && value < limit && (double)(int64_t)value == value)
        return json_integer((int64_t)value);
    return json_real(value);
}

static struct json_t *read_float(struct ps_str text)
{
    PS_AUTO_BUF(number, NUMBER_MAX + 8);
    if (!float_as_json(text, &number) || ps_buf_failed(&number))
        return NULL;
    PS_AUTO_JS struct json_t *real = json_loadb(number.p, number.n, JSON_DECODE_ANY, NULL);

    return real ? whole_or_real(json_real_value(real)) : NULL;
}

static struct json_t *read_number(struct ps_str text)
{
    const bool signed_or_digit = text.n > 0 && (is_digit(text.p[0]) || is_sign(text.p[0]));

    if (text.n == 0 || text.n > NUMBER_MAX)
        return NULL;
    if (!signed_or_digit)
        return text.p[0] == '.' ? read_float(text) : NULL;
    PS_AUTO_BUF(plain, NUMBER_MAX);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '_')
            ps_buf_char(&plain, text.p[i]);
    }
    struct json_t *value = read_integer(ps_buf_get(&plain));

    return value ? value : read_float(ps_buf_get(&plain));
}

static bool is_infinite(struct ps_str text)
{
    static const char *const words[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",
                                        ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
                                        "-.Inf", "-.INF", NULL};

    return is_one_of(text, words);
}

static struct json_t *resolve(struct ps_str text)
{
    struct json_t *value = find_word(text);

    if (value == NULL)
        value = read_number(text);
    return value ? value : js_string_n(text);
}

static bool fits(const struct json_t *value, enum codec__tag tag)
{
    switch (tag) {
    case CODEC__TAG_NONE:
    case CODEC__TAG_STR:
        return true;
    case CODEC__TAG_NULL:
        return json_is_null(value);
    case CODEC__TAG_BOOL:
        return json_is_boolean(value);
    case CODEC__TAG_INT:
        return json_is_integer(value);
    case CODEC__TAG_FLOAT:
        return json_is_number(value);
    }
    ps_unreachable();
}

struct json_t *codec__yaml_scalar(struct ps_str text, enum codec__tag tag, const char **why)
{
    if (memchr(text.p ? text.p : "", '\0', text.n) != NULL) {
        *why = "a string must not hold NUL";
        return NULL;
    }
    if (tag == CODEC__TAG_STR)
        return js_string_n(text);
    if (is_infinite(text)) {
        *why = "JSON has neither infinity nor NaN";
        return NULL;
    }
    PS_AUTO_JS struct json_t *value = resolve(text);

    if (fits(value, tag))
        return js_ref(value);
    *why = "the value does not fit its tag";
    return NULL;
}

/* The shortest form that reads back as the same number. */
static void add_real(double value, struct ps_buf *out)
{
    PS_AUTO_BUF(text, 64);
    for (int digits = 1; digits <= KEY_DIGITS; digits++) {
        ps_buf_clear(&text);
        ps_buf_printf(&text, "%.*g", digits, value);
        PS_AUTO_JS struct json_t *again = read_number(ps_buf_get(&text));

        if (json_number_value(again) == value)
            break;
    }
    ps_buf_view(out, ps_buf_get(&text));
}

bool codec__yaml_key(const struct json_t *scalar, struct ps_buf *out)
{
    switch (js_type(scalar)) {
    case JS_STRING:
        ps_buf_view(out, ps_str_n(json_string_value(scalar), json_string_length(scalar)));
        return true;
    case JS_INT:
        ps_buf_printf(out, "%lld", (long long)json_integer_value(scalar));
        return true;
    case JS_BOOL:
        ps_buf_str(out, json_is_true(scalar) ? "true" : "false");
        return true;
    case JS_REAL:
        add_real(json_real_value(scalar), out);
        return true;
    case JS_ABSENT:
    case JS_NULL:
    case JS_ARRAY:
    case JS_OBJECT:
        return false;
    }
    ps_unreachable();
}
