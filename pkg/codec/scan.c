/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks JSON text token by token, as strictly as jansson: RFC 8259, UTF-8 without overlong forms
 * and surrogates, integers of 64 bits, reals that a double holds, a limit of nesting.
 */
#include "codec/internal.h"

#include <endian.h>
#include <string.h>

#define EACH_BYTE(b)        (0x0101010101010101ULL * (b))
/* Numbers of so few digits need no look at their value: 10^299 is a double. */
#define INTEGER_DIGITS_SAFE 18
#define REAL_DIGITS_SAFE    200
#define EXPONENT_SAFE       2 /* digits */

bool codec__scan_fail(struct codec__scan *scan, const char *why)
{
    if (scan->why == NULL)
        scan->why = why;
    return false;
}

int codec__scan_init(struct codec__scan *scan, struct ps_str text, struct ps_err *err)
{
    const unsigned char *p = (const unsigned char *)(text.p ? text.p : "");

    *scan = (struct codec__scan){.start = p, .at = p, .end = p + text.n};
    if (text.n > CODEC_JSON_MAX) {
        return ps_fail(err, PS_ELIMIT, "JSON of %zu bytes: at most %zu are read", text.n,
                       CODEC_JSON_MAX);
    }
    return 0;
}

struct ps_str codec__scan_view(const struct codec__scan *scan, const unsigned char *start)
{
    return ps_str_n((const char *)start, (size_t)(scan->at - start));
}

static inline void skip_gap(struct codec__scan *scan)
{
    while (scan->at < scan->end && *scan->at <= ' ' &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t')) {
        scan->at++;
        scan->gaps++;
    }
}

void codec__scan_gap(struct codec__scan *scan)
{
    skip_gap(scan);
}

/* ---- strings -------------------------------------------------------------------------------- */

/* The high bit of the first byte that a string cannot simply hold: control, quote, backslash, not
 * ASCII. Bits of later bytes may be wrong: a borrow goes upwards. */
static inline uint64_t special_bytes(uint64_t word)
{
    const uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
    const uint64_t control = (word - EACH_BYTE(0x20U)) & ~word;

    return (control | ((quote - EACH_BYTE(1U)) & ~quote) | ((slash - EACH_BYTE(1U)) & ~slash) |
            word) &
           EACH_BYTE(0x80U);
}

static inline const unsigned char *plain_end(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        const uint64_t found = special_bytes(le64toh(word));

        if (found != 0)
            return p + (__builtin_ctzll(found) >> 3);
        p += sizeof(word);
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Length of the character of more than one byte that starts here; 0 when it is none. The second
 * byte's range keeps out overlong forms, surrogates and what lies above U+10FFFF. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    const size_t n = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xBF;

    if (*p < 0xC2 || *p > 0xF4 || (size_t)(end - p) < n)
        return 0;
    if (*p == 0xE0)
        low = 0xA0;
    if (*p == 0xED)
        high = 0x9F;
    if (*p == 0xF0)
        low = 0x90;
    if (*p == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    }
    return n;
}

/* The four hexadecimal digits behind "\u", or -1. */
static int32_t hex4(const unsigned char *p, const unsigned char *end)
{
    int32_t value = 0;

    if (end - p < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        const unsigned char c = p[i], letter = c | 0x20U;

        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value * 16 + (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* The character of a "\u" escape, both halves of a pair together, and its length; -1: none. */
static int32_t unicode_escape(const unsigned char *p, const unsigned char *end, size_t *length)
{
    const int32_t first = hex4(p + 2, end);

    *length = 6;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first > 0xDBFF || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return -1;
    const int32_t second = hex4(p + 8, end);

    *length = 12;
    if (second < 0xDC00 || second > 0xDFFF)
        return -1;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/* Length of the escape that starts here; 0 when it is none. */
static size_t escape_length(struct codec__scan *scan, const unsigned char *p, bool is_name)
{
    size_t length = 0;

    if (scan->end - p < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    const int32_t c = unicode_escape(p, scan->end, &length);

    scan->nul |= c == 0;
    return c < 0 || (c == 0 && is_name) ? 0 : length;
}

static bool scan_string(struct codec__scan *scan, bool is_name)
{
    const unsigned char *p = scan->at + 1;

    scan->escaped = false;
    for (;;) {
        size_t n;

        p = plain_end(p, scan->end);
        if (p == scan->end)
            break;
        if (*p == '"') {
            scan->at = p + 1;
            return true;
        }
        if (*p == '\\') {
            scan->escaped = true;
            n = escape_length(scan, p, is_name);
        } else {
            n = *p < 0x20 ? 0 : utf8_length(p, scan->end);
        }
        if (n == 0) {
            const char *why = *p == '\\'  ? "an escape that is none"
                              : *p < 0x20 ? "a control character in a string"
                                          : "bytes that are not UTF-8";

            scan->at = p;
            return codec__scan_fail(scan, why);
        }
        p += n;
    }
    scan->at = p;
    return codec__scan_fail(scan, "a string without an end");
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0U | c >> 6);
        out[1] = (char)(0x80U | (c & 0x3FU));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0U | c >> 12);
        out[1] = (char)(0x80U | (c >> 6 & 0x3FU));
        out[2] = (char)(0x80U | (c & 0x3FU));
        return 3;
    }
    out[0] = (char)(0xF0U | c >> 18);
    out[1] = (char)(0x80U | (c >> 12 & 0x3FU));
    out[2] = (char)(0x80U | (c >> 6 & 0x3FU));
    out[3] = (char)(0x80U | (c & 0x3FU));
    return 4;
}

size_t codec__unescape(struct ps_str raw, char *out)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    const unsigned char *p = (const unsigned char *)raw.p, *end = p + raw.n;
    size_t n = 0;

    while (p < end) {
        const unsigned char *slash = memchr(p, '\\', (size_t)(end - p));
        const size_t plain = (size_t)((slash ? slash : end) - p);

        memcpy(out + n, p, plain);
        n += plain;
        p += plain;
        if (p == end)
            break;
        if (p[1] == 'u') {
            size_t length;
            const int32_t c = unicode_escape(p, end, &length);

            ps_assert(c >= 0);
            n += put_utf8(out + n, c == 0 ? 0xFFFDU : (uint32_t)c);
            p += length;
        } else {
            const char *name = memchr(names, p[1], sizeof(names) - 1);

            out[n] = (char)p[1];
            if (name != NULL)
                out[n] = values[name - names];
            n++;
            p += 2;
        }
    }
    return n;
}

/* ---- numbers and words ----------------------------------------------------------------------- */

static size_t digits_length(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *from = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - from);
}

/* As text: digits has no leading zeros, so that the longer number is the larger. */
static bool fits_int64(const unsigned char *digits, size_t n, bool negative)
{
    if (n != INTEGER_DIGITS_SAFE + 1)
        return n <= INTEGER_DIGITS_SAFE;
    return memcmp(digits, negative ? "9223372036854775808" : "9223372036854775807", n) <= 0;
}

/* Rare ones are asked of the parser itself, which knows where doubles end. */
static bool fits_double(struct ps_str number, size_t whole, size_t exponent)
{
    if (whole <= REAL_DIGITS_SAFE && exponent <= EXPONENT_SAFE)
        return true;
    PS_AUTO_JS struct json_t *value = js_parse(number, NULL);

    return value != NULL;
}

/* Digits of a part that needs at least one; 0: they are missing. */
static size_t take_digits(struct codec__scan *scan)
{
    const size_t n = digits_length(scan->at, scan->end);

    scan->at += n;
    if (n == 0)
        (void)codec__scan_fail(scan, "a digit is missing");
    return n;
}

static bool next_is(const struct codec__scan *scan, unsigned char lower, unsigned char upper)
{
    return scan->at < scan->end && (*scan->at == lower || *scan->at == upper);
}

static bool scan_number(struct codec__scan *scan)
{
    const unsigned char *start = scan->at;
    const bool negative = *start == '-';
    size_t exponent = 0;

    scan->at += negative;
    const unsigned char *digits = scan->at;
    const size_t whole = take_digits(scan);

    if (whole == 0 || (whole > 1 && *digits == '0'))
        return codec__scan_fail(scan, "a number that begins with zero");
    const bool has_fraction = next_is(scan, '.', '.');

    if (has_fraction) {
        scan->at++;
        if (take_digits(scan) == 0)
            return false;
    }
    const bool has_exponent = next_is(scan, 'e', 'E');

    if (has_exponent) {
        scan->at++;
        scan->at += next_is(scan, '+', '-');
        exponent = take_digits(scan);
        if (exponent == 0)
            return false;
    }
    if (!has_fraction && !has_exponent) {
        return fits_int64(digits, whole, negative) ||
               codec__scan_fail(scan, "an integer of more than 64 bits");
    }
    return fits_double(codec__scan_view(scan, start), whole, exponent) ||
           codec__scan_fail(scan, "a number that is too large");
}

static bool scan_word(struct codec__scan *scan, const char *word, size_t n)
{
    if ((size_t)(scan->end - scan->at) < n || memcmp(scan->at, word, n) != 0)
        return codec__scan_fail(scan, "a word that is none of JSON's");
    scan->at += n;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool codec__scan_enter(struct codec__scan *scan)
{
    if (++scan->depth > CODEC_NESTING_MAX)
        return codec__scan_fail(scan, "nested too deeply");
    return true;
}

void codec__scan_leave(struct codec__scan *scan)
{
    scan->depth--;
}

/* To the next item or member: over the opening bracket or the comma. false at the closing one. */
static inline bool step(struct codec__scan *scan, bool *first, unsigned char close)
{
    const bool was_first = *first;

    *first = false;
    if (was_first)
        scan->at++;
    skip_gap(scan);
    if (scan->at == scan->end)
        return codec__scan_fail(scan, "an object or a list without an end");
    if (*scan->at == close) {
        scan->at++;
        return false;
    }
    if (was_first)
        return true;
    if (*scan->at != ',')
        return codec__scan_fail(scan, "a comma is missing");
    scan->at++;
    skip_gap(scan);
    return true;
}

static inline bool next_member(struct codec__scan *scan, bool *first, struct ps_str *name)
{
    if (!step(scan, first, '}'))
        return false;
    const unsigned char *start = scan->at;

    if (start == scan->end || *start != '"')
        return codec__scan_fail(scan, "a name is missing");
    if (!scan_string(scan, true))
        return false;
    *name = ps_str_n((const char *)start + 1, (size_t)(scan->at - start) - 2);
    skip_gap(scan);
    if (scan->at == scan->end || *scan->at != ':')
        return codec__scan_fail(scan, "a colon is missing");
    scan->at++;
    skip_gap(scan);
    return true;
}

bool codec__scan_member(struct codec__scan *scan, bool *first, struct ps_str *name)
{
    return next_member(scan, first, name);
}

bool codec__scan_item(struct codec__scan *scan, bool *first)
{
    return step(scan, first, ']');
}

static bool scan_object(struct codec__scan *scan)
{
    struct ps_str name;
    bool first = true;

    while (next_member(scan, &first, &name)) {
        if (!codec__scan_value(scan))
            return false;
    }
    return scan->why == NULL;
}

static bool scan_list(struct codec__scan *scan)
{
    bool first = true;

    while (step(scan, &first, ']')) {
        if (!codec__scan_value(scan))
            return false;
    }
    return scan->why == NULL;
}

static bool scan_any(struct codec__scan *scan)
{
    switch (*scan->at) {
    case '"':
        return scan_string(scan, false);
    case '{':
        return scan_object(scan);
    case '[':
        return scan_list(scan);
    case 't':
        return scan_word(scan, "true", 4);
    case 'f':
        return scan_word(scan, "false", 5);
    case 'n':
        return scan_word(scan, "null", 4);
    default:
        break;
    }
    if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
        return scan_number(scan);
    return codec__scan_fail(scan, "a value is missing");
}

/* Recursive: codec__scan_enter() ends it at CODEC_NESTING_MAX. */
bool codec__scan_value(struct codec__scan *scan)
{
    if (scan->at == scan->end)
        return codec__scan_fail(scan, "a value is missing");
    const bool ok = codec__scan_enter(scan) && scan_any(scan);

    codec__scan_leave(scan);
    return ok;
}

int codec__scan_end(struct codec__scan *scan, struct ps_err *err)
{
    if (scan->why == NULL) {
        skip_gap(scan);
        if (scan->at != scan->end)
            (void)codec__scan_fail(scan, "something behind the value");
    }
    if (scan->why == NULL)
        return 0;
    return ps_fail(err, PS_EINVAL, "not JSON: byte %zu: %s", (size_t)(scan->at - scan->start) + 1,
                   scan->why);
}
