/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed string views. */
#include "base/base.h"

#include <string.h>

struct ps_str ps_str(const char *s)
{
    return s ? (struct ps_str){s, strlen(s)} : (struct ps_str){NULL, 0};
}

struct ps_str ps_str_n(const char *p, size_t n)
{
    return (struct ps_str){p, n};
}

bool ps_str_eq(struct ps_str a, struct ps_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool ps_str_is(struct ps_str a, const char *b)
{
    return ps_str_eq(a, ps_str(b));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool ps_str_ieq(struct ps_str a, struct ps_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool ps_str_starts(struct ps_str s, const char *prefix)
{
    const size_t n = strlen(prefix);

    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

bool ps_str_ends(struct ps_str s, const char *suffix)
{
    const size_t n = strlen(suffix);

    return s.n >= n && (n == 0 || memcmp(s.p + s.n - n, suffix, n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct ps_str ps_str_trim(struct ps_str s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = ps_str_skip(s, 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct ps_str ps_str_skip(struct ps_str s, size_t n)
{
    ps_assert(n <= s.n);
    return n == 0 ? s : (struct ps_str){s.p + n, s.n - n};
}

struct ps_str ps_str_head(struct ps_str s, size_t n)
{
    ps_assert(n <= s.n);
    return (struct ps_str){s.p, n};
}

ptrdiff_t ps_str_index(struct ps_str s, char c)
{
    const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

    return at ? at - s.p : -1;
}

ptrdiff_t ps_str_find(struct ps_str s, const char *needle)
{
    const size_t n = strlen(needle);
    const char *at = s.n >= n && s.n > 0 ? memmem(s.p, s.n, needle, n) : NULL;

    return at ? at - s.p : -1;
}

bool ps_str_split(struct ps_str *rest, char c, struct ps_str *part)
{
    if (rest->p == NULL)
        return false;
    const ptrdiff_t at = ps_str_index(*rest, c);

    if (at < 0) {
        *part = *rest;
        *rest = (struct ps_str){NULL, 0};
        return true;
    }
    *part = ps_str_head(*rest, (size_t)at);
    *rest = ps_str_skip(*rest, (size_t)at + 1);
    return true;
}

bool ps_str_to_i64(struct ps_str s, int64_t *value)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, s.p[i] - '0', &sum))
            return false;
    }
    *value = sum;
    return s.n > 0;
}

bool ps_streq(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}
