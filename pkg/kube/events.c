/* SPDX-License-Identifier: Apache-2.0 */
/* What pages of a list and events of a watch hold; each object is parsed by itself. */
#include "internal.h"

#include <string.h>

static const char *metadata_text(const struct json_t *object, const char *key)
{
    const char *text = js_str(js_get(js_get(object, "metadata"), key));

    return text ? text : "";
}

static void poison(struct kube_reflector *reflector, const char *namespace, const char *name,
                   const char *why)
{
    ps_log(PS_LOG_WARN, "object_unreadable", "resource", reflector->kind.plural, "namespace",
           namespace, "name", name, "error", why, NULL);
    reflector->on.on_poison(reflector->on.self, namespace, name, why);
}

/* An object without a name, or an error where an object should be. */
static bool is_usable(const struct json_t *object)
{
    return js_type(object) == JS_OBJECT && metadata_text(object, "name")[0] != '\0' &&
           !ps_streq(js_str(js_get(object, "kind")), "Status");
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void take_item(struct kube_reflector *reflector, struct ps_str text)
{
    struct ps_err err = {0};
    struct kube__shreds shreds;
    PS_AUTO_JS struct json_t *object = js_parse(text, &err);

    if (is_usable(object)) {
        reflector->on.on_list_item(reflector->on.self, object);
        return;
    }
    kube__scan_object(text, &shreds);
    poison(reflector, shreds.namespace, shreds.name,
           object != NULL ? "not an object with a name" : err.message);
}

static int take_items(struct kube_reflector *reflector, struct ps_str items, struct ps_err *err)
{
    struct ps_str item;
    bool bad = false;

    if (ps_str_is(items, "null"))
        return 0;
    if (items.p[0] != '[')
        return ps_fail(err, PS_EPROTO, "list: items is not an array");
    items = ps_str_skip(items, 1);
    while (!reflector->dead && kube__scan_item(&items, &item, &bad))
        take_item(reflector, item);
    return bad ? ps_fail(err, PS_EPROTO, "list: items has no end") : 0;
}

/* Keeps the list's version and the next page's token. */
static int take_metadata(struct kube_reflector *reflector, const struct json_t *metadata,
                         struct ps_err *err)
{
    const char *rv = js_str(js_get(metadata, "resourceVersion"));
    const char *token = js_str(js_get(metadata, "continue"));

    if (rv == NULL || rv[0] == '\0' || strlen(rv) >= KUBE__RV_MAX)
        return ps_fail(err, PS_EPROTO, "list: no resourceVersion");
    ps_free(reflector->continue_token);
    reflector->continue_token = token != NULL && token[0] != '\0' ? ps_xstrdup(token) : NULL;
    ps_free(reflector->rv);
    reflector->rv = ps_xstrdup(rv);
    return 0;
}

int kube__take_page(struct kube_reflector *reflector, struct ps_str body, bool *done,
                    struct ps_err *err)
{
    const bool is_first = reflector->continue_token == NULL;
    struct ps_str metadata_part = {0};
    struct ps_str items = {0};

    *done = false;
    if (!kube__scan_member(body, "metadata", &metadata_part) ||
        !kube__scan_member(body, "items", &items))
        return ps_fail(err, PS_EPROTO, "list: no metadata, no items, or cut off");
    PS_AUTO_JS struct json_t *metadata = js_parse(metadata_part, err);

    if (metadata == NULL)
        return ps_fail_prefix(err, "list: metadata");
    int code = take_metadata(reflector, metadata, err);

    if (code == 0 && is_first)
        reflector->on.on_list_begin(reflector->on.self);
    if (code == 0 && !reflector->dead)
        code = take_items(reflector, items, err);
    *done = reflector->dead || reflector->continue_token == NULL;
    return code;
}

/* ---- watches -------------------------------------------------------------------------------- */

enum event {
    EVENT_ADDED,
    EVENT_MODIFIED,
    EVENT_DELETED,
    EVENT_BOOKMARK,
    EVENT_ERROR,
    EVENT_NONE,
};

static enum event event_of(const char *type)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++) {
        if (ps_streq(type, names[i]))
            return (enum event)i;
    }
    return EVENT_NONE;
}

static bool broken(struct kube_reflector *reflector, const char *why)
{
    reflector->verdict = KUBE__BROKEN;
    (void)ps_fail(&reflector->verdict_err, PS_EPROTO, "watch: %s", why);
    return false;
}

static bool advance(struct kube_reflector *reflector, const char *rv)
{
    if (reflector->dead)
        return false;
    if (rv == NULL || rv[0] == '\0' || strlen(rv) >= KUBE__RV_MAX)
        return true;
    if (!ps_streq(rv, reflector->rv)) {
        reflector->progress++;
        ps_free(reflector->rv);
        reflector->rv = ps_xstrdup(rv);
    }
    reflector->on.on_progress(reflector->on.self, reflector->rv);
    return !reflector->dead;
}

static bool take_error(struct kube_reflector *reflector, const struct json_t *status)
{
    kube__error_of_status(status, &reflector->verdict_err);
    if (reflector->verdict_err.code == PS_EGONE) {
        reflector->verdict = KUBE__GONE;
    } else if (reflector->verdict_err.code == PS_ETHROTTLED) {
        reflector->verdict = KUBE__THROTTLED;
    } else {
        reflector->verdict = KUBE__BROKEN;
    }
    return false;
}

static bool take_object(struct kube_reflector *reflector, enum event event,
                        const struct json_t *object)
{
    if (!is_usable(object)) {
        poison(reflector, metadata_text(object, "namespace"), metadata_text(object, "name"),
               "not an object with a name");
    } else if (event == EVENT_DELETED) {
        reflector->on.on_deleted(reflector->on.self, object);
    } else {
        reflector->on.on_changed(reflector->on.self, object);
    }
    return advance(reflector, metadata_text(object, "resourceVersion"));
}

/* The parser refuses it: what can be told from its text. That it is deleted needs no more than
 * names. */
static bool take_shreds(struct kube_reflector *reflector, struct ps_str frame, const char *why)
{
    struct ps_str type_part;
    struct ps_str object_part;
    char type[16];
    struct kube__shreds shreds;

    if (!kube__scan_member(frame, "type", &type_part) ||
        !kube__scan_member(frame, "object", &object_part))
        return broken(reflector, why);
    kube__scan_text(type_part, type, sizeof(type));
    kube__scan_object(object_part, &shreds);
    const enum event event = event_of(type);

    kube__watching_heard(&reflector->watching, event);
    if (event == EVENT_NONE || event == EVENT_ERROR)
        return broken(reflector, why);
    if (event == EVENT_DELETED && shreds.name[0] != '\0') {
        PS_AUTO_JS struct json_t *object = js_object();
        struct json_t *metadata = js_child(object, "metadata");

        js_set_str(metadata, "namespace", shreds.namespace[0] ? shreds.namespace : NULL);
        js_set_str(metadata, "name", shreds.name);
        js_set_str(metadata, "uid", shreds.uid[0] ? shreds.uid : NULL);
        js_set_str(metadata, "resourceVersion", shreds.rv[0] ? shreds.rv : NULL);
        reflector->on.on_deleted(reflector->on.self, object);
    } else if (event != EVENT_BOOKMARK) {
        poison(reflector, shreds.namespace, shreds.name, why);
    }
    return advance(reflector, shreds.rv);
}

bool kube__take_event(void *self, struct ps_str frame)
{
    struct kube_reflector *reflector = self;
    struct ps_err err = {0};
    PS_AUTO_JS struct json_t *root = js_parse(frame, &err);
    const struct json_t *object = js_get(root, "object");

    if (root == NULL)
        return take_shreds(reflector, frame, err.message);
    const enum event event = event_of(js_path_str(root, "type"));

    kube__watching_heard(&reflector->watching, event);
    switch (event) {
    case EVENT_ADDED:
    case EVENT_MODIFIED:
    case EVENT_DELETED:
        return take_object(reflector, event, object);
    case EVENT_BOOKMARK:
        return advance(reflector, metadata_text(object, "resourceVersion"));
    case EVENT_ERROR:
        return take_error(reflector, object);
    case EVENT_NONE:
        return broken(reflector, "an event of no known type");
    }
    ps_unreachable();
}
