/* SPDX-License-Identifier: Apache-2.0 */
/* Families and their series. */
#include "internal.h"

#include <string.h>

/* A byte that is no UTF-8 becomes three. */
#define LABELS_TEXT_MAX (METRICS_LABELS_MAX * (3 * METRICS_LABEL_TEXT_MAX + 128))

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Of the Prometheus data model; colons are for recording rules. */
static bool is_name(const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        if (!is_letter(*p) && (p == name || *p < '0' || *p > '9'))
            return false;
    }
    return name[0] != '\0';
}

static void check_bounds(const struct metrics_desc *desc)
{
    ps_assert((desc->type == METRICS_HISTOGRAM) == (desc->bound_count > 0));
    ps_assert(desc->bound_count <= METRICS_BOUNDS_MAX);
    for (size_t i = 1; i < desc->bound_count; i++)
        ps_assert(desc->bounds[i - 1] < desc->bounds[i]);
}

/* Answers the number of labels. A mistake in a description is one of ours. */
static size_t check(const struct metrics_desc *desc)
{
    size_t n = 0;

    ps_assert(is_name(desc->name) && desc->help != NULL);
    ps_assert((desc->type == METRICS_COUNTER) == ps_str_ends(ps_str(desc->name), "_total"));
    for (; n < METRICS_LABELS_MAX && desc->labels[n] != NULL; n++) {
        ps_assert(is_name(desc->labels[n]) && strcmp(desc->labels[n], "le") != 0);
        ps_assert(n == 0 || strcmp(desc->labels[n - 1], desc->labels[n]) < 0);
    }
    check_bounds(desc);
    return n;
}

/* ---- families ------------------------------------------------------------------------------- */

static struct metrics__family *family_of(struct metrics *metrics, const struct metrics_desc *desc)
{
    struct metrics__family *family = ps_map_get(&metrics->families, desc->name);

    if (family != NULL) {
        ps_assert(family->desc == desc ||
                  (family->desc->type == desc->type && family->desc->unit == desc->unit &&
                   family->desc->bounds == desc->bounds));
        return family;
    }
    family = ps_xcalloc(1, sizeof(*family));
    family->desc = desc;
    family->label_count = check(desc);
    ps_map_init(&family->series);
    (void)ps_map_put(&metrics->families, desc->name, family);
    return family;
}

static void series_free(struct metrics__series *series)
{
    for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
        ps_free(series->values[i]);
    ps_free(series->histogram);
    ps_free(series);
}

static void family_free(struct metrics__family *family)
{
    size_t at = 0;
    const char *key;
    void *series;

    while (ps_map_next(&family->series, &at, &key, &series))
        series_free(series);
    ps_map_fini(&family->series);
    ps_free(family);
}

/* ---- series --------------------------------------------------------------------------------- */

static struct metrics__series *series_new(const struct metrics__family *family,
                                          const char *const *values)
{
    const struct metrics_desc *desc = family->desc;
    struct metrics__series *series = ps_xcalloc(1, sizeof(*series));

    for (size_t i = 0; i < family->label_count; i++)
        series->values[i] = ps_xstrndup(values[i], strnlen(values[i], METRICS_LABEL_TEXT_MAX));
    if (desc->type != METRICS_HISTOGRAM)
        return series;
    series->histogram =
        ps_xcalloc(1, sizeof(*series->histogram) + desc->bound_count * sizeof(uint64_t));
    series->histogram->desc = desc;
    return series;
}

static struct metrics__series *series_find(const struct metrics__family *family,
                                           const char *const *values, struct ps_buf *key)
{
    ps_buf_clear(key);
    metrics__print_labels(key, family, values);
    ps_assert(!ps_buf_failed(key));
    return ps_map_get(&family->series, ps_buf_text(key));
}

static struct metrics__series *series_of(struct metrics *metrics, const struct metrics_desc *desc,
                                         const char *const *values)
{
    static const char *const others[METRICS_LABELS_MAX] = {"other", "other", "other", "other"};
    struct metrics__family *family = family_of(metrics, desc);
    const size_t most = desc->series_max > 0 ? desc->series_max : METRICS_SERIES_MAX;
    PS_AUTO_BUF(key, LABELS_TEXT_MAX);
    struct metrics__series *series = series_find(family, values, &key);

    if (series == NULL && family->series.count >= most) {
        values = others;
        series = series_find(family, values, &key);
    }
    if (series != NULL)
        return series;
    series = series_new(family, values);
    (void)ps_map_put(&family->series, ps_buf_text(&key), series);
    return series;
}

struct metrics_value *metrics_value(struct metrics *metrics, const struct metrics_desc *desc,
                                    const char *const *values)
{
    ps_assert(desc->type != METRICS_HISTOGRAM);
    return metrics != NULL ? &series_of(metrics, desc, values)->value : NULL;
}

struct metrics_histogram *metrics_histogram(struct metrics *metrics,
                                            const struct metrics_desc *desc,
                                            const char *const *values)
{
    ps_assert(desc->type == METRICS_HISTOGRAM);
    return metrics != NULL ? series_of(metrics, desc, values)->histogram : NULL;
}

void metrics_forget(struct metrics *metrics, const struct metrics_desc *desc,
                    const char *const *values)
{
    PS_AUTO_BUF(key, LABELS_TEXT_MAX);

    if (metrics == NULL)
        return;
    struct metrics__family *family = family_of(metrics, desc);
    struct metrics__series *series = series_find(family, values, &key);

    if (series == NULL)
        return; /* one of the others */
    (void)ps_map_remove(&family->series, ps_buf_text(&key));
    series_free(series);
}

void metrics_observe(struct metrics_histogram *histogram, int64_t value)
{
    size_t low = 0;

    if (histogram == NULL)
        return;
    for (size_t high = histogram->desc->bound_count; low < high;) {
        const size_t middle = low + (high - low) / 2;

        if (value <= histogram->desc->bounds[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    histogram->count++;
    histogram->sum += value;
    if (low < histogram->desc->bound_count)
        histogram->buckets[low]++;
}

/* ---- registry ------------------------------------------------------------------------------- */

struct metrics *metrics_new(void)
{
    struct metrics *metrics = ps_xcalloc(1, sizeof(*metrics));

    ps_map_init(&metrics->families);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    size_t at = 0;
    const char *name;
    void *family;

    if (metrics == NULL)
        return;
    while (metrics->hooks != NULL) {
        ps_assert(metrics->hooks->owned);
        ps_free(metrics->hooks->self);
        metrics_hook_free(metrics->hooks);
    }
    while (ps_map_next(&metrics->families, &at, &name, &family))
        family_free(family);
    ps_map_fini(&metrics->families);
    ps_free(metrics);
}

struct metrics_hook *metrics_hook_new(struct metrics *metrics, metrics_collect_fn *collect,
                                      void *self)
{
    if (metrics == NULL)
        return NULL;
    struct metrics_hook *hook = ps_xcalloc(1, sizeof(*hook));

    hook->metrics = metrics;
    hook->collect = collect;
    hook->self = self;
    hook->next = metrics->hooks;
    if (hook->next != NULL)
        hook->next->prev = hook;
    metrics->hooks = hook;
    return hook;
}

void metrics_hook_free(struct metrics_hook *hook)
{
    if (hook == NULL)
        return;
    if (hook->prev != NULL) {
        hook->prev->next = hook->next;
    } else {
        hook->metrics->hooks = hook->next;
    }
    if (hook->next != NULL)
        hook->next->prev = hook->prev;
    ps_free(hook);
}
