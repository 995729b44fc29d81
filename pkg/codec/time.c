/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and points in time as Kubernetes objects write them. */
#include "codec/codec.h"

#include <string.h>

#define NS_PER_MS         ((int64_t)1000000)
#define DURATION_MAX_NS   ((int64_t)10 * 366 * 24 * 3600 * 1000 * NS_PER_MS) /* ten years */
#define DURATION_TEXT_MAX ((size_t)64)
#define FRACTION_MAX      ((size_t)18) /* digits: more than a nanosecond of the largest unit has */
#define TIME_TEXT_MAX     ((size_t)64)
#define OFFSET_SIZE       ((size_t)6) /* "+02:00" */
#define OFFSET_HOURS_MAX  23
#define MINUTE_MS         ((int64_t)60 * 1000)

static struct ps_str take_digits(struct ps_str *rest)
{
    size_t n = 0;

    while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
        n++;
    const struct ps_str digits = ps_str_head(*rest, n);

    *rest = ps_str_skip(*rest, n);
    return digits;
}

/* The unit at the front in nanoseconds, taken off; 0 when there is none. */
static int64_t take_unit(struct ps_str *rest)
{
    /* In this order: "ms" begins with "m". */
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"\xC2\xB5s", 1000}, /* micro sign */
        {"\xCE\xBCs", 1000}, /* Greek mu */
        {"ms", NS_PER_MS},
        {"s", 1000 * NS_PER_MS},
        {"m", MINUTE_MS * NS_PER_MS},
        {"h", 60 * MINUTE_MS * NS_PER_MS},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(units); i++) {
        if (ps_str_starts(*rest, units[i].name)) {
            *rest = ps_str_skip(*rest, strlen(units[i].name));
            return units[i].ns;
        }
    }
    return 0;
}

/* digits behind the point, times unit, cut to whole nanoseconds */
static int64_t fraction_ns(struct ps_str digits, int64_t unit)
{
    int64_t sum = 0;

    for (size_t i = 0; i < digits.n && i < FRACTION_MAX; i++) {
        unit /= 10;
        sum += (digits.p[i] - '0') * unit;
    }
    return sum;
}

/* One "1.5h" off the front, in nanoseconds. */
static bool take_part(struct ps_str *rest, int64_t *ns)
{
    const struct ps_str whole = take_digits(rest);
    struct ps_str fraction = {NULL, 0};
    int64_t count = 0, unit;

    if (rest->n > 0 && rest->p[0] == '.') {
        *rest = ps_str_skip(*rest, 1);
        fraction = take_digits(rest);
    }
    if (whole.n + fraction.n == 0 || (whole.n > 0 && !ps_str_to_i64(whole, &count)))
        return false;
    unit = take_unit(rest);
    if (unit == 0 || count > DURATION_MAX_NS / unit)
        return false;
    *ns = count * unit + fraction_ns(fraction, unit);
    return true;
}

bool codec_duration(struct ps_str text, int64_t *ms)
{
    int64_t sum = 0, part;

    if (text.n == 0 || text.n > DURATION_TEXT_MAX)
        return false;
    if (ps_str_is(text, "0")) {
        *ms = 0;
        return true;
    }
    while (text.n > 0) {
        if (!take_part(&text, &part))
            return false;
        sum += part;
        if (sum > DURATION_MAX_NS)
            return false;
    }
    *ms = (sum + NS_PER_MS - 1) / NS_PER_MS;
    return true;
}

/* "+02:00" in minutes */
static bool read_offset(struct ps_str text, int64_t *minutes)
{
    int64_t hours;

    if (text.n != OFFSET_SIZE || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':' ||
        !ps_str_to_i64(ps_str_n(text.p + 1, 2), &hours) ||
        !ps_str_to_i64(ps_str_n(text.p + 4, 2), minutes) || hours > OFFSET_HOURS_MAX ||
        *minutes > 59)
        return false;
    *minutes += hours * 60;
    if (text.p[0] == '-')
        *minutes = -*minutes;
    return true;
}

/* Only the letters of the form may be small: RFC 3339, 5.6. */
static char upper(char c)
{
    return (char)(c == 't' ? 'T' : c == 'z' ? 'Z' : c);
}

bool codec_time(struct ps_str text, int64_t *unix_ms)
{
    char utc[TIME_TEXT_MAX + 1];
    int64_t minutes = 0;
    size_t n = text.n;

    if (n < OFFSET_SIZE || n > TIME_TEXT_MAX)
        return false;
    if (read_offset(ps_str_skip(text, n - OFFSET_SIZE), &minutes)) {
        n -= OFFSET_SIZE;
        utc[n] = 'Z';
    } else {
        utc[n - 1] = upper(text.p[n - 1]);
        n--;
    }
    for (size_t i = 0; i < n; i++)
        utc[i] = upper(text.p[i]);
    if (!ps_time_parse(ps_str_n(utc, n + 1), unix_ms))
        return false;
    *unix_ms -= minutes * MINUTE_MS;
    return true;
}
