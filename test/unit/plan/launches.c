/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/launches.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAX   ((size_t)16 * 1024 * 1024)
#define TRACE_SHOWN ((size_t)12 * 1024)
#define LAG_MAX_MS  2000 /* of the view behind the server */
#define START_MS    1793235723000

const char *const launches_namespaces[LAUNCHES] = {"one", "two"};

_Noreturn void launches_fail(const struct launches *world, const char *what)
{
    const char *text = ps_buf_text(&world->trace);
    const size_t n = strlen(text);

    (void)fprintf(stderr, "%s\n", n > TRACE_SHOWN ? text + n - TRACE_SHOWN : text);
    fail_msg("%s", what);
    abort(); /* fail_msg does not come back */
}

/* ---- basics ---------------------------------------------------------------------------------- */

int launches_random(struct launches *world, int n)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (int)(world->random % (uint64_t)n);
}

bool launches_chance(struct launches *world, int percent)
{
    return percent > 0 && launches_random(world, 100) < percent;
}

void launches_init(struct launches *world, uint64_t seed)
{
    *world = (struct launches){.random = seed * 0x9E3779B97F4A7C15U + 1, .now_ms = START_MS};
    for (int i = 0; i < LAUNCHES_KINDS; i++) {
        world->server[i] = js_object();
        world->view[i] = js_object();
        world->events[i] = js_array();
    }
    for (size_t i = 0; i < LAUNCHES; i++)
        world->doubts[i] = js_array();
    world->late = js_array();
    world->ledger = js_object();
    world->laws = js_object();
    ps_buf_init(&world->trace, TRACE_MAX);
    ps_buf_printf(&world->trace, "seed %llu\n", (unsigned long long)seed);
}

void launches_fini(struct launches *world)
{
    for (int i = 0; i < LAUNCHES_KINDS; i++) {
        js_unref(world->server[i]);
        js_unref(world->view[i]);
        js_unref(world->events[i]);
    }
    for (size_t i = 0; i < LAUNCHES; i++)
        js_unref(world->doubts[i]);
    js_unref(world->late);
    js_unref(world->ledger);
    js_unref(world->laws);
    ps_buf_fini(&world->trace);
}

static int index_of(enum model_kind kind)
{
    switch ((int)kind) {
    case MODEL_TASK:
        return 0;
    case MODEL_JOB:
        return 1;
    case MODEL_POD:
        return 2;
    default:
        ps_unreachable();
    }
}

static void replace_list(struct json_t **list, struct json_t *by)
{
    js_unref(*list);
    *list = by;
}

static void path_key(struct ps_buf *key, const char *namespace, const char *name)
{
    ps_buf_clear(key);
    ps_buf_printf(key, "%s/%s", namespace, name);
}

static void object_key(struct ps_buf *key, const struct json_t *object)
{
    path_key(key, js_path_str(object, "metadata.namespace"), js_path_str(object, "metadata.name"));
}

static long number_of(const struct json_t *object, const char *path)
{
    const char *text = js_path_str(object, path);

    return text ? strtol(text, NULL, 10) : 0;
}

static void stamp(struct launches *world, struct json_t *object, const char *key)
{
    PS_AUTO_BUF(text, 32);

    ps_buf_printf(&text, "%d", ++world->number);
    js_set_str(js_child(object, "metadata"), key, ps_buf_text(&text));
}

/* ---- the ledger ------------------------------------------------------------------------------ */

struct json_t *launches_attempt(struct launches *world, const char *uid, int64_t attempt)
{
    PS_AUTO_BUF(key, 256);

    ps_buf_printf(&key, "%s/%lld", uid, (long long)attempt);
    return js_child(world->ledger, ps_buf_text(&key));
}

static const char *owner_uid(const struct json_t *job)
{
    return js_str(js_get(js_path(job, "metadata.labels"), MODEL_LABEL_OWNER_UID));
}

struct json_t *launches_entry(struct launches *world, const struct json_t *job)
{
    const char *attempt = js_str(js_get(js_path(job, "metadata.labels"), MODEL_LABEL_ATTEMPT));

    return launches_attempt(world, owner_uid(job), attempt ? strtol(attempt, NULL, 10) : 0);
}

struct json_t *launches_law(struct launches *world, const char *uid)
{
    return js_child(world->laws, uid);
}

/* ---- the server ------------------------------------------------------------------------------ */

struct json_t *launches_all(const struct launches *world, enum model_kind kind)
{
    return world->server[index_of(kind)];
}

struct json_t *launches_find(const struct launches *world, enum model_kind kind,
                             const char *namespace, const char *name)
{
    PS_AUTO_BUF(key, 1024);

    path_key(&key, namespace, name);
    return js_get(launches_all(world, kind), ps_buf_text(&key));
}

struct json_t *launches_by_uid(const struct launches *world, enum model_kind kind, const char *uid)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;

    while (js_next(launches_all(world, kind), &at, &key, &value)) {
        if (ps_streq(js_path_str(value, "metadata.uid"), uid))
            return value;
    }
    return NULL;
}

static void tell(struct launches *world, enum model_kind kind, const struct json_t *object,
                 bool gone)
{
    struct json_t *event = js_object();

    js_set(event, "object", js_copy(object));
    js_set_bool(event, "gone", gone);
    js_set_int(event, "at", world->now_ms);
    js_push(world->events[index_of(kind)], event);
}

void launches_put(struct launches *world, enum model_kind kind, struct json_t *object)
{
    PS_AUTO_BUF(key, 1024);

    object_key(&key, object);
    if (js_path_str(object, "metadata.uid") == NULL)
        stamp(world, object, "uid");
    stamp(world, object, "resourceVersion");
    const bool deleting = js_path_str(object, "metadata.deletionTimestamp") != NULL;
    const bool gone = kind == MODEL_POD /* the kubelet says when */
                          ? js_path_bool(object, "gone", false)
                          : deleting && js_len(js_path(object, "metadata.finalizers")) == 0;

    tell(world, kind, object, gone);
    if (!gone) {
        js_set(launches_all(world, kind), ps_buf_text(&key), object);
        return;
    }
    ps_buf_printf(&world->trace, "      %s %s is gone\n", model_kind_name(kind), ps_buf_text(&key));
    js_unref(object);
    js_remove(launches_all(world, kind), ps_buf_text(&key));
}

const struct json_t *launches_last(const struct launches *world, enum model_kind kind)
{
    const struct json_t *events = world->events[index_of(kind)];

    return js_path(js_at(events, js_len(events) - 1), "object");
}

void launches_delete(struct launches *world, enum model_kind kind, const struct json_t *object)
{
    struct json_t *copy = js_copy(object);

    js_set_str(js_child(copy, "metadata"), "deletionTimestamp", "2026-11-22T00:00:00Z");
    launches_put(world, kind, copy);
}

/* ---- the view -------------------------------------------------------------------------------- */

void launches_see(struct launches *world, enum model_kind kind, const struct json_t *object)
{
    PS_AUTO_BUF(key, 1024);
    struct json_t *view = world->view[index_of(kind)];

    object_key(&key, object);
    if (number_of(js_get(view, ps_buf_text(&key)), "metadata.resourceVersion") <
        number_of(object, "metadata.resourceVersion"))
        js_set(view, ps_buf_text(&key), js_copy(object));
}

static void see_gone(struct launches *world, enum model_kind kind, const struct json_t *object)
{
    PS_AUTO_BUF(key, 1024);
    struct json_t *view = world->view[index_of(kind)];

    object_key(&key, object);
    if (ps_streq(js_path_str(js_get(view, ps_buf_text(&key)), "metadata.uid"),
                 js_path_str(object, "metadata.uid")))
        js_remove(view, ps_buf_text(&key));
}

bool launches_is_far(const struct json_t *object)
{
    return ps_streq(js_path_str(object, "metadata.namespace"), LAUNCHES_FAR);
}

/* Far objects out of the view, and their events; with `list` as they are now in the view again. */
static void look_anew(struct launches *world, enum model_kind kind, bool list)
{
    struct json_t *view = js_object(), *events = js_array(), *value;
    const struct json_t *from[] = {world->view[index_of(kind)], launches_all(world, kind)};
    const struct json_t *old = world->events[index_of(kind)];

    for (size_t i = 0; i < PS_ARRAY_LEN(from); i++) {
        void *at = NULL;
        const char *key;

        while (js_next(from[i], &at, &key, &value)) {
            if (launches_is_far(value) == (i == 1) && (i == 0 || list))
                js_set(view, key, js_copy(value));
        }
    }
    for (size_t i = 0; i < js_len(old); i++) {
        if (!launches_is_far(js_get(js_at(old, i), "object")))
            js_push(events, js_ref(js_at(old, i)));
    }
    replace_list(&world->view[index_of(kind)], view);
    replace_list(&world->events[index_of(kind)], events);
}

void launches_hide(struct launches *world, bool restart)
{
    ps_buf_printf(&world->trace, "the other cluster is away%s\n", restart ? ", restart" : "");
    world->away = true;
    if (restart)
        launches_restart(world);
}

void launches_show(struct launches *world)
{
    if (!world->away)
        return;
    ps_buf_str(&world->trace, "the other cluster is back\n");
    world->away = false;
    look_anew(world, MODEL_JOB, true);
    look_anew(world, MODEL_POD, true);
}

static void deliver_kind(struct launches *world, enum model_kind kind, int percent)
{
    struct json_t **events = &world->events[index_of(kind)], *rest = js_array();
    size_t i = 0;

    for (; i < js_len(*events); i++) {
        const struct json_t *event = js_at(*events, i);
        const bool due = js_path_int(event, "at", 0) + LAG_MAX_MS <= world->now_ms;

        if (world->away && launches_is_far(js_get(event, "object"))) {
            js_push(rest, js_copy(event));
            continue;
        }

        if (!due && !launches_chance(world, percent))
            break;
        if (js_path_bool(event, "gone", false)) {
            see_gone(world, kind, js_get(event, "object"));
        } else {
            launches_see(world, kind, js_get(event, "object"));
        }
    }
    for (; i < js_len(*events); i++)
        js_push(rest, js_ref(js_at(*events, i)));
    replace_list(events, rest);
}

void launches_deliver(struct launches *world, int percent)
{
    deliver_kind(world, MODEL_TASK, percent);
    deliver_kind(world, MODEL_JOB, percent);
    deliver_kind(world, MODEL_POD, percent);
}

void launches_restart(struct launches *world)
{
    ps_buf_str(&world->trace, "  a new executor\n");
    for (int i = 0; i < LAUNCHES_KINDS; i++) {
        if (i > 0 && launches_chance(world, 50)) /* a list may come from a cache that is behind */
            continue;
        replace_list(&world->view[i], js_copy(world->server[i]));
        replace_list(&world->events[i], js_array());
    }
    for (size_t i = 0; i < LAUNCHES; i++)
        replace_list(&world->doubts[i], js_array());
    if (world->away) {
        look_anew(world, MODEL_JOB, false);
        look_anew(world, MODEL_POD, false);
    }
}

void launches_see_absent(struct launches *world, enum model_kind kind, const char *namespace,
                         const char *name)
{
    PS_AUTO_BUF(key, 1024);

    path_key(&key, namespace, name);
    js_remove(world->view[index_of(kind)], ps_buf_text(&key));
}
