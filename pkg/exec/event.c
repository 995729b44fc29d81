/* SPDX-License-Identifier: Apache-2.0 */
/* Events: told once, counted when they come again, never waited for. */
#include "exec/internal.h"

#include <string.h>

#define NOTE_MAX      ((size_t)1000) /* the API allows 1024 bytes */
#define NAME_PART_MAX ((size_t)200)
#define UNDER_WAY_MAX ((size_t)256)
#define KEY_MAX       ((size_t)1024)

enum result {
    RESULT_NEW,
    RESULT_REPEATED, /* counted in an Event that is there */
    RESULT_HELD,     /* in the log only: too many */
    RESULT_LOST,
};

static const struct metrics_desc events_desc = {
    .name = "penstock_events_total",
    .help = "Kubernetes events that were to be told: new, counted in one that is there (repeated), "
            "kept back since there were too many (held), or not taken by the API server (lost).",
    .type = METRICS_COUNTER,
    .labels = {"result"},
};

struct exec__told {
    struct exec__told *next, *prev;
    struct exec *exec;
    struct kube_call *call;
    char *about;
    struct exec__series *series;
    struct json_t *event; /* the whole of it, with a name that is free */
    bool is_patch;
};

void exec_measure(struct exec *exec, struct metrics *metrics)
{
    static const char *const results[EXEC__TOLD_RESULTS] = {
        [RESULT_NEW] = "new",
        [RESULT_REPEATED] = "repeated",
        [RESULT_HELD] = "held",
        [RESULT_LOST] = "lost",
    };

    for (size_t i = 0; i < EXEC__TOLD_RESULTS; i++)
        exec->told_counts[i] = metrics_value(metrics, &events_desc, &results[i]);
}

static void count(struct exec *exec, enum result result)
{
    metrics_add(exec->told_counts[result], 1);
}

static void forget(struct exec__told *told)
{
    if (told->prev != NULL) {
        told->prev->next = told->next;
    } else {
        told->exec->told = told->next;
    }
    if (told->next != NULL)
        told->next->prev = told->prev;
    js_unref(told->event);
    ps_free(told->about);
    ps_free(told);
}

static void on_told(void *self, const struct kube_response *response);

static void create(struct exec__told *told)
{
    const struct kube_request request = {.verb = KUBE_CREATE,
                                         .kind = exec_kind(MODEL_EVENT),
                                         .namespace =
                                             js_path_str(told->event, "metadata.namespace"),
                                         .body = told->event,
                                         .metadata_only = model_is_metadata_only(MODEL_EVENT)};

    told->is_patch = false;
    told->call = kube_send(told->exec->client, &request, on_told, told);
}

static void patch(struct exec__told *told)
{
    struct json_t *body PS_AUTO_JS = js_object();
    const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
                                         .kind = exec_kind(MODEL_EVENT),
                                         .namespace =
                                             js_path_str(told->event, "metadata.namespace"),
                                         .name = told->series->name,
                                         .body = body,
                                         .metadata_only = model_is_metadata_only(MODEL_EVENT)};

    js_set(body, "series", js_copy(js_get(told->event, "series")));
    told->is_patch = true;
    told->call = kube_send(told->exec->client, &request, on_told, told);
}

/* It is there under the name that this one has. */
static void note_told(struct exec__told *told)
{
    struct exec__series *series = told->series;

    if (told->is_patch)
        return;
    ps_free(series->name);
    series->name = ps_xstrdup(js_path_str(told->event, "metadata.name"));
}

static void on_told(void *self, const struct kube_response *response)
{
    struct exec__told *told = self;

    told->call = NULL;
    if (response->code == PS_ENOENT && told->is_patch) { /* events live for an hour */
        create(told);
        return;
    }
    told->series->busy = false;
    if (response->code == 0) {
        count(told->exec, told->series->name == NULL ? RESULT_NEW : RESULT_REPEATED);
        note_told(told);
    } else {
        count(told->exec, RESULT_LOST);
        ps_log(PS_LOG_WARN, "event_lost", "about", told->about, "error", response->err.message,
               NULL);
        if (told->series->name == NULL)
            exec__series_drop(told->series);
    }
    forget(told);
}

void exec__event_cancel_all(struct exec *exec)
{
    while (exec->told != NULL) {
        kube_cancel(exec->told->call);
        forget(exec->told);
    }
}

size_t exec_events(const struct exec *exec)
{
    size_t n = 0;

    for (const struct exec__told *told = exec->told; told != NULL; told = told->next)
        n++;
    return n;
}

static struct ps_str cut(const char *text, size_t max)
{
    struct ps_str s = ps_str_n(text, strnlen(text, max));

    while (s.n > 0 && s.p[s.n] != '\0' && ((unsigned char)s.p[s.n] & 0xC0U) == 0x80U)
        s.n--;
    return s;
}

static void set_time(struct json_t *object, const char *key, int64_t wall_ms)
{
    char time[PS_TIME_TEXT_SIZE];
    PS_AUTO_BUF(text, 64);

    ps_time_text(wall_ms, time);
    ps_buf_printf(&text, "%.19s.%06dZ", time, (int)(wall_ms % 1000) * 1000);
    js_set_str(object, key, ps_buf_text(&text));
}

static struct json_t *event_body(struct exec *exec, const struct exec_subject *subject,
                                 bool warning, const char *reason, const char *note)
{
    const struct model_kind_info *info = model_kind_info(subject->kind);
    struct json_t *event = js_object(), *metadata = js_child(event, "metadata"),
                  *regarding = js_child(event, "regarding");
    const int64_t now = loop_wall_ms();
    PS_AUTO_BUF(text, 512);

    ps_buf_printf(&text, "%.*s.%llx%04llx", (int)NAME_PART_MAX, subject->name,
                  (unsigned long long)now, (unsigned long long)(exec->event_number++ & 0xFFFFU));
    js_set_str(metadata, "name", ps_buf_text(&text));
    js_set_str(metadata, "namespace", subject->namespace ? subject->namespace : "default");
    js_set_str(event, "apiVersion", "events.k8s.io/v1");
    js_set_str(event, "kind", "Event");
    set_time(event, "eventTime", now);
    ps_buf_clear(&text);
    ps_buf_printf(&text, "%s%s%s", info->group, *info->group ? "/" : "", info->version);
    js_set_str(regarding, "apiVersion", ps_buf_text(&text));
    js_set_str(regarding, "kind", info->kind);
    js_set_str(regarding, "namespace", subject->namespace);
    js_set_str(regarding, "name", subject->name);
    js_set_str(regarding, "uid", subject->uid);
    js_set_str(event, "reason", reason);
    js_set_str(event, "action", "Reconcile");
    js_set_str(event, "type", warning ? "Warning" : "Normal");
    js_set(event, "note", js_string_n(cut(note, NOTE_MAX)));
    js_set_str(event, "reportingController", MODEL_GROUP "/penstock");
    js_set_str(event, "reportingInstance", exec->instance);
    return event;
}

static void tell(struct exec *exec, const char *about, struct exec__series *series,
                 struct json_t *event)
{
    struct exec__told *told = ps_xcalloc(1, sizeof(*told));

    told->exec = exec;
    told->about = ps_xstrdup(about);
    told->series = series;
    told->event = event;
    told->next = exec->told;
    if (exec->told != NULL)
        exec->told->prev = told;
    exec->told = told;
    series->busy = true;
    if (series->count > 1) {
        struct json_t *repeated = js_child(event, "series");

        js_set_int(repeated, "count", series->count);
        set_time(repeated, "lastObservedTime", loop_wall_ms());
        patch(told);
    } else {
        create(told);
    }
}

/* NULL: it stands in the log only. */
static struct exec__series *say(struct exec *exec, const struct exec_subject *subject, bool warning,
                                const char *reason, const char *note)
{
    PS_AUTO_BUF(about, KEY_MAX);
    const uint64_t what =
        ps_hash(reason, strlen(reason)) * 31 + ps_hash(note, strlen(note)) + warning;
    bool wanted = false;

    ps_buf_printf(&about, "%s/%s/%s/%s", model_kind_name(subject->kind),
                  subject->namespace ? subject->namespace : "", subject->name,
                  subject->uid ? subject->uid : "");
    if (exec_events(exec) >= UNDER_WAY_MAX || ps_buf_failed(&about))
        return NULL;
    struct exec__series *series =
        exec__voices_say(&exec->voices, ps_buf_text(&about), what, loop_now_ms(), &wanted);

    return wanted ? series : NULL;
}

void exec_event(struct exec *exec, const struct exec_subject *subject, bool warning,
                const char *reason, const char *note)
{
    ps_log(warning ? PS_LOG_WARN : PS_LOG_INFO, "event", "kind", model_kind_name(subject->kind),
           "namespace", subject->namespace ? subject->namespace : "", "name", subject->name,
           "reason", reason, "note", note, NULL);
    struct exec__series *series = say(exec, subject, warning, reason, note);

    if (series == NULL) {
        count(exec, RESULT_HELD);
    } else {
        tell(exec, subject->name, series, event_body(exec, subject, warning, reason, note));
    }
}
