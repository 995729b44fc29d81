/* SPDX-License-Identifier: Apache-2.0 */
/* Growing buffer with a ceiling and a sticky failure. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

#define BUF_FIRST ((size_t)64)

void ps_buf_init(struct ps_buf *buf, size_t max)
{
    *buf = (struct ps_buf){.max = max};
}

void ps_buf_fini(struct ps_buf *buf)
{
    ps_free(buf->p);
    buf->p = NULL;
    buf->n = buf->cap = 0;
}

void ps_buf_clear(struct ps_buf *buf)
{
    buf->n = 0;
    buf->failed = false;
    if (buf->p != NULL)
        buf->p[0] = '\0';
}

/* Makes room for n more bytes and the closing NUL. */
static bool reserve(struct ps_buf *buf, size_t n)
{
    if (buf->failed || n > buf->max - buf->n) {
        buf->failed = true;
        return false;
    }
    const size_t need = buf->n + n + 1;

    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : BUF_FIRST;

    while (cap < need)
        cap *= 2;
    buf->p = ps_xrealloc(buf->p, cap);
    buf->cap = cap;
    return true;
}

void ps_buf_add(struct ps_buf *buf, const void *p, size_t n)
{
    if (!reserve(buf, n))
        return;
    if (n > 0)
        memcpy(buf->p + buf->n, p, n);
    buf->n += n;
    buf->p[buf->n] = '\0';
}

void ps_buf_str(struct ps_buf *buf, const char *s)
{
    ps_buf_add(buf, s, strlen(s));
}

void ps_buf_view(struct ps_buf *buf, struct ps_str s)
{
    ps_buf_add(buf, s.p, s.n);
}

void ps_buf_char(struct ps_buf *buf, char c)
{
    if (!reserve(buf, 1))
        return;
    buf->p[buf->n++] = c;
    buf->p[buf->n] = '\0';
}

void ps_buf_vprintf(struct ps_buf *buf, const char *fmt, va_list ap)
{
    const size_t room = buf->cap - buf->n; /* with the NUL's place, or none at all */
    va_list again;

    va_copy(again, ap);
    const int n = vsnprintf(room ? buf->p + buf->n : NULL, room, fmt, again);
    va_end(again);
    const bool fits = n >= 0 && reserve(buf, (size_t)n);

    if (fits && (size_t)n >= room) /* once more, with all that it takes */
        (void)vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, ap);
    if (fits) {
        buf->n += (size_t)n;
        return;
    }
    buf->failed = true;
    if (room > 0)
        buf->p[buf->n] = '\0';
}

void ps_buf_printf(struct ps_buf *buf, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ps_buf_vprintf(buf, fmt, ap);
    va_end(ap);
}

void ps_buf_drop(struct ps_buf *buf, size_t n)
{
    ps_assert(n <= buf->n);
    if (n == 0)
        return;
    memmove(buf->p, buf->p + n, buf->n - n);
    buf->n -= n;
    buf->p[buf->n] = '\0';
}

void ps_buf_cut(struct ps_buf *buf, size_t n)
{
    ps_assert(n <= buf->n);
    buf->n = n;
    if (buf->p != NULL)
        buf->p[n] = '\0';
}

bool ps_buf_failed(const struct ps_buf *buf)
{
    return buf->failed;
}

const char *ps_buf_text(const struct ps_buf *buf)
{
    return buf->p ? buf->p : "";
}

struct ps_str ps_buf_get(const struct ps_buf *buf)
{
    return (struct ps_str){ps_buf_text(buf), buf->n};
}

char *ps_buf_take(struct ps_buf *buf)
{
    char *p = buf->p ? buf->p : ps_xstrdup("");

    *buf = (struct ps_buf){.max = buf->max};
    return p;
}

/* Length of the valid UTF-8 sequence at s, or 0 (overlong forms, surrogates and > U+10FFFF too). */
static size_t utf8_length(struct ps_str s)
{
    /* First byte from … to, length, second byte from … to: table 3-7 of the Unicode standard. */
    static const struct {
        unsigned char first, last, length, low, high;
    } forms[] = {
        {0x00, 0x7F, 1, 0x00, 0xFF}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
        {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
        {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
    };

    const unsigned char *b = (const unsigned char *)s.p;
    size_t i = 0;

    while (i < PS_ARRAY_LEN(forms) && (b[0] < forms[i].first || b[0] > forms[i].last))
        i++;
    if (i == PS_ARRAY_LEN(forms) || forms[i].length > s.n)
        return 0;
    if (forms[i].length > 1 && (b[1] < forms[i].low || b[1] > forms[i].high))
        return 0;
    for (size_t k = 2; k < forms[i].length; k++) {
        if ((b[k] & 0xC0U) != 0x80U)
            return 0;
    }
    return forms[i].length;
}

static void json_character(struct ps_buf *buf, char c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
        if (short_forms[i] == c) {
            ps_buf_char(buf, '\\');
            ps_buf_char(buf, short_forms[i + 1]);
            return;
        }
    }
    if ((unsigned char)c < 0x20 || c == 0x7F) {
        ps_buf_printf(buf, "\\u%04x", (unsigned int)(unsigned char)c);
    } else {
        ps_buf_char(buf, c);
    }
}

void ps_buf_json(struct ps_buf *buf, struct ps_str s)
{
    ps_buf_char(buf, '"');
    while (s.n > 0) {
        const size_t n = utf8_length(s);

        if (n == 1) {
            json_character(buf, s.p[0]);
        } else if (n > 1) {
            ps_buf_add(buf, s.p, n);
        } else {
            ps_buf_str(buf, "\xEF\xBF\xBD");
        }
        s = ps_str_skip(s, n ? n : 1);
    }
    ps_buf_char(buf, '"');
}
