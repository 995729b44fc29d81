/* SPDX-License-Identifier: Apache-2.0 */
/* The text exposition format of Prometheus, version 0.0.4. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- pieces --------------------------------------------------------------------------------- */

/* RFC 3629 §4. */
static const struct {
    unsigned char lead_first, lead_last, second_first, second_last, length;
} utf8_forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool follow(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((p[i] & 0xC0U) != 0x80U)
            return false;
    }
    return true;
}

/* Bytes of the first character; 0 when it is none. For one such byte a scraper would drop the whole
 * text: they are replaced one by one. */
static size_t utf8_length(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    if (p[0] < 0x80U)
        return 1;
    for (size_t i = 0; i < PS_ARRAY_LEN(utf8_forms); i++) {
        const size_t n = utf8_forms[i].length;

        if (p[0] >= utf8_forms[i].lead_first && p[0] <= utf8_forms[i].lead_last &&
            p[1] >= utf8_forms[i].second_first && p[1] <= utf8_forms[i].second_last)
            return follow(p + 2, n - 2) ? n : 0;
    }
    return 0;
}

static void print_escaped(struct ps_buf *out, const char *text, bool quotes)
{
    while (*text != '\0') {
        const size_t n = utf8_length(text);

        if (n == 0) {
            ps_buf_str(out, "\xEF\xBF\xBD");
        } else if (*text == '\n') {
            ps_buf_str(out, "\\n");
        } else if (*text == '\\' || (quotes && *text == '"')) {
            ps_buf_char(out, '\\');
            ps_buf_char(out, *text);
        } else {
            ps_buf_add(out, text, n);
        }
        text += n > 0 ? n : 1;
    }
}

void metrics__print_labels(struct ps_buf *out, const struct metrics__family *family,
                           const char *const *values)
{
    for (size_t i = 0; i < family->label_count; i++) {
        char *value PS_AUTO_FREE =
            ps_xstrndup(values[i], strnlen(values[i], METRICS_LABEL_TEXT_MAX));

        ps_buf_printf(out, "%s%s=\"", i > 0 ? "," : "", family->desc->labels[i]);
        print_escaped(out, value, true);
        ps_buf_char(out, '"');
    }
}

/* Digits behind the point. */
static int scale_of(enum metrics_unit unit)
{
    switch (unit) {
    case METRICS_ONE:
        return 0;
    case METRICS_MS:
        return 3;
    case METRICS_NS:
        return 9;
    }
    ps_unreachable();
}

/* Exact: no value goes through a floating-point number. */
static void print_number(struct ps_buf *out, int64_t value, enum metrics_unit unit)
{
    const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int scale = scale_of(unit);
    uint64_t one = 1;

    for (int i = 0; i < scale; i++)
        one *= 10;
    ps_buf_printf(out, "%s%llu", value < 0 ? "-" : "", (unsigned long long)(size / one));
    uint64_t fraction = size % one;

    if (fraction == 0)
        return;
    for (; fraction % 10 == 0; fraction /= 10)
        scale--;
    ps_buf_printf(out, ".%0*llu", scale, (unsigned long long)fraction);
}

/* ---- series --------------------------------------------------------------------------------- */

static void print_value(struct ps_buf *out, const struct metrics_desc *desc, const char *labels,
                        const struct metrics__series *series)
{
    const bool any = labels[0] != '\0';

    ps_buf_printf(out, "%s%s%s%s ", desc->name, any ? "{" : "", labels, any ? "}" : "");
    print_number(out, series->value.n, desc->unit);
    ps_buf_char(out, '\n');
}

static void print_histogram(struct ps_buf *out, const struct metrics_desc *desc, const char *labels,
                            const struct metrics_histogram *histogram)
{
    const bool any = labels[0] != '\0';
    const char *comma = any ? "," : "", *open = any ? "{" : "", *close = any ? "}" : "";
    const unsigned long long count = histogram->count;
    unsigned long long below = 0;

    for (size_t i = 0; i < desc->bound_count; i++) {
        below += histogram->buckets[i];
        ps_buf_printf(out, "%s_bucket{%s%sle=\"", desc->name, labels, comma);
        print_number(out, desc->bounds[i], desc->unit);
        ps_buf_printf(out, "\"} %llu\n", below);
    }
    ps_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", desc->name, labels, comma, count);
    ps_buf_printf(out, "%s_sum%s%s%s ", desc->name, open, labels, close);
    print_number(out, histogram->sum, desc->unit);
    ps_buf_printf(out, "\n%s_count%s%s%s %llu\n", desc->name, open, labels, close, count);
}

/* ---- order ---------------------------------------------------------------------------------- */

struct entry {
    const char *key;
    void *value;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* Caller frees. */
static struct entry *sorted(const struct ps_map *map)
{
    struct entry *entries = ps_xcalloc(map->count + 1, sizeof(*entries));
    size_t at = 0;

    for (size_t n = 0; ps_map_next(map, &at, &entries[n].key, &entries[n].value); n++)
        ps_assert(n < map->count);
    qsort(entries, map->count, sizeof(*entries), compare);
    return entries;
}

static void print_family(struct ps_buf *out, const struct metrics__family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct metrics_desc *desc = family->desc;
    struct entry *entries PS_AUTO_FREE = sorted(&family->series);

    if (family->series.count == 0)
        return;
    ps_buf_printf(out, "# HELP %s ", desc->name);
    print_escaped(out, desc->help, false);
    ps_buf_printf(out, "\n# TYPE %s %s\n", desc->name, types[desc->type]);
    for (size_t i = 0; i < family->series.count; i++) {
        const struct metrics__series *series = entries[i].value;

        if (series->histogram != NULL) {
            print_histogram(out, desc, entries[i].key, series->histogram);
        } else {
            print_value(out, desc, entries[i].key, series);
        }
    }
}

void metrics_print(struct metrics *metrics, struct ps_buf *out)
{
    for (struct metrics_hook *hook = metrics->hooks, *next; hook != NULL; hook = next) {
        next = hook->next;
        hook->collect(hook->self);
    }
    struct entry *families PS_AUTO_FREE = sorted(&metrics->families);

    for (size_t i = 0; i < metrics->families.count; i++)
        print_family(out, families[i].value);
}
