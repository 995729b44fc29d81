/* SPDX-License-Identifier: Apache-2.0 */
/* What one reflector counts, by the plural of its kind. */
#include "internal.h"

static const struct metrics_desc open_desc = {
    .name = "penstock_watches",
    .help = "Watches that are open.",
    .type = METRICS_GAUGE,
    .labels = {"resource"},
};
static const struct metrics_desc events_desc = {
    .name = "penstock_watch_events_total",
    .help = "Events that watches have brought, bookmarks and errors among them.",
    .type = METRICS_COUNTER,
    .labels = {"resource", "type"},
    .series_max = (size_t)32 * KUBE__EVENT_TYPES,
};
static const struct metrics_desc lists_desc = {
    .name = "penstock_watch_lists_total",
    .help = "Lists that were begun: at the start, since history was gone, at a change of leader, "
            "or after "
            "trouble.",
    .type = METRICS_COUNTER,
    .labels = {"reason", "resource"},
};
static const struct metrics_desc silence_desc = {
    .name = "penstock_watch_silence_seconds",
    .help = "Since the last list, event or bookmark; bookmarks come about once a minute.",
    .type = METRICS_GAUGE,
    .unit = METRICS_MS,
    .labels = {"resource"},
};

static void collect(void *self)
{
    const struct kube__watching *w = self;

    metrics_set(w->silence, loop_now_ms() - w->heard_ms);
}

void kube__watching_init(struct kube__watching *w, struct metrics *metrics, const char *plural)
{
    static const char *const types[KUBE__EVENT_TYPES] = {"ADDED",    "MODIFIED", "DELETED",
                                                         "BOOKMARK", "ERROR",    "unknown"};
    static const char *const reasons[KUBE__LIST_REASONS] = {
        [KUBE__LIST_START] = "start",
        [KUBE__LIST_GONE] = "gone",
        [KUBE__LIST_REFRESH] = "refresh",
        [KUBE__LIST_TROUBLE] = "trouble",
    };

    w->heard_ms = loop_now_ms();
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < KUBE__EVENT_TYPES; i++)
        w->events[i] = metrics_value(metrics, &events_desc, (const char *[]){plural, types[i]});
    for (size_t i = 0; i < KUBE__LIST_REASONS; i++)
        w->lists[i] = metrics_value(metrics, &lists_desc, (const char *[]){reasons[i], plural});
    w->open = metrics_value(metrics, &open_desc, &plural);
    w->silence = metrics_value(metrics, &silence_desc, &plural);
    w->hook = metrics_hook_new(metrics, collect, w);
}

void kube__watching_fini(struct kube__watching *w)
{
    metrics_set(w->open, 0);
    metrics_hook_free(w->hook);
    w->hook = NULL;
}

void kube__watching_heard(struct kube__watching *w, size_t event)
{
    w->heard_ms = loop_now_ms();
    metrics_add(w->events[event], 1);
}
