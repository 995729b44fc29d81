/* SPDX-License-Identifier: Apache-2.0 */
/* Events: told once, never waited for. */
#include "exec/internal.h"

#include <string.h>

#define NOTE_MAX      ((size_t)1000) /* the API allows 1024 bytes */
#define NAME_PART_MAX ((size_t)200)
#define UNDER_WAY_MAX ((size_t)256)

struct exec__told {
    struct exec__told *next, *prev;
    struct exec *exec;
    struct kube_call *call;
    char *about;
};

static void forget(struct exec__told *told)
{
    if (told->prev != NULL) {
        told->prev->next = told->next;
    } else {
        told->exec->told = told->next;
    }
    if (told->next != NULL)
        told->next->prev = told->prev;
    ps_free(told->about);
    ps_free(told);
}

static void on_told(void *self, const struct kube_response *response)
{
    struct exec__told *told = self;

    if (response->code != 0) {
        ps_log(PS_LOG_WARN, "event_lost", "about", told->about, "error", response->err.message,
               NULL);
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

static struct json_t *event_body(struct exec *exec, const struct exec_subject *subject,
                                 bool warning, const char *reason, const char *note)
{
    const struct model_kind_info *info = model_kind_info(subject->kind);
    struct json_t *event = js_object(), *metadata = js_child(event, "metadata"),
                  *regarding = js_child(event, "regarding");
    const int64_t now = loop_wall_ms();
    char time[PS_TIME_TEXT_SIZE];
    PS_AUTO_BUF(text, 512);

    ps_time_text(now, time);
    ps_buf_printf(&text, "%.*s.%llx%04llx", (int)NAME_PART_MAX, subject->name,
                  (unsigned long long)now, (unsigned long long)(exec->event_number++ & 0xFFFFU));
    js_set_str(metadata, "name", ps_buf_text(&text));
    js_set_str(metadata, "namespace", subject->namespace ? subject->namespace : "default");
    ps_buf_clear(&text);
    ps_buf_printf(&text, "%.19s.%06dZ", time, (int)(now % 1000) * 1000);
    js_set_str(event, "apiVersion", "events.k8s.io/v1");
    js_set_str(event, "kind", "Event");
    js_set_str(event, "eventTime", ps_buf_text(&text));
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

void exec_event(struct exec *exec, const struct exec_subject *subject, bool warning,
                const char *reason, const char *note)
{
    struct json_t *body PS_AUTO_JS = event_body(exec, subject, warning, reason, note);

    ps_log(warning ? PS_LOG_WARN : PS_LOG_INFO, "event", "kind", model_kind_name(subject->kind),
           "namespace", subject->namespace ? subject->namespace : "", "name", subject->name,
           "reason", reason, "note", note, NULL);
    if (exec_events(exec) >= UNDER_WAY_MAX)
        return; /* told in the log above */
    struct exec__told *told = ps_xcalloc(1, sizeof(*told));

    told->exec = exec;
    told->about = ps_xstrdup(subject->name);
    told->next = exec->told;
    if (exec->told != NULL)
        exec->told->prev = told;
    exec->told = told;
    const struct kube_request request = {.verb = KUBE_CREATE,
                                         .kind = exec_kind(MODEL_EVENT),
                                         .namespace = js_path_str(body, "metadata.namespace"),
                                         .body = body};

    told->call = kube_send(exec->client, &request, on_told, told);
}
