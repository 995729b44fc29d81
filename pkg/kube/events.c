/* SPDX-License-Identifier: Apache-2.0 */
/* What pages of a list and events of a watch hold; each object is read by itself. */
#include "reflector.h"

#include <string.h>

enum metadata {
    KIND,
    NAMESPACE,
    NAME,
    UID,
    VERSION,
    METADATA_COUNT
};

/* What the members of an object say of it; the object's own text is put in by the caller. */
static struct kube_seen seen_of(struct ps_arena *arena, const struct ps_str *views)
{
    const char *texts[METADATA_COUNT];

    for (size_t i = 0; i < METADATA_COUNT; i++) {
        const struct ps_str text = codec_view_str(arena, views[i]);

        texts[i] = text.p != NULL ? ps_arena_str(arena, text) : NULL;
    }
    return (struct kube_seen){texts[NAMESPACE], texts[NAME], texts[UID], texts[VERSION], {0}};
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void poison(struct kube_reflector *reflector, const char *namespace, const char *name,
                   const char *why)
{
    ps_log(PS_LOG_WARN, "object_unreadable", "resource", reflector->kind.plural, "namespace",
           namespace, "name", name, "error", why, NULL);
    reflector->on.on_poison(reflector->on.self, namespace, name, why);
}

/* No object without a name, no error where an object should be. No character of a name has to be
 * escaped; \u0000 in one would make it another's. */
static bool is_usable(const struct kube_seen *seen, const struct ps_str *views)
{
    return codec_view_type(seen->text) == JS_OBJECT && or_empty(seen->name)[0] != '\0' &&
           memchr(views[NAME].p, '\\', views[NAME].n) == NULL &&
           !codec_view_is(views[KIND], "Status");
}

/* ---- lists ---------------------------------------------------------------------------------- */

static bool take_item(void *self, struct ps_str text)
{
    static const char *const wanted[METADATA_COUNT] = {
        [KIND] = "kind",        [NAMESPACE] = "metadata.namespace",     [NAME] = "metadata.name",
        [UID] = "metadata.uid", [VERSION] = "metadata.resourceVersion",
    };
    static struct codec_paths paths;
    struct kube_reflector *reflector = self;
    struct ps_str views[METADATA_COUNT];
    struct kube__shreds shreds;
    struct ps_err err = {0};
    struct ps_arena arena;

    if (paths.count == 0)
        codec_paths_init(&paths, wanted, METADATA_COUNT);
    ps_arena_init(&arena);
    const bool is_json = codec_pick(&paths, text, views, &err) == 0;
    struct kube_seen seen = is_json ? seen_of(&arena, views) : (struct kube_seen){0};

    seen.text = text;
    if (is_json && is_usable(&seen, views)) {
        reflector->on.on_list_item(reflector->on.self, &seen);
    } else {
        kube__scan_object(text, &shreds);
        poison(reflector, shreds.namespace, shreds.name,
               is_json ? "not an object with a name" : err.message);
    }
    ps_arena_fini(&arena);
    return !reflector->dead;
}

void kube__page_begin(struct kube_reflector *reflector)
{
    const bool is_first = reflector->continue_token == NULL;

    codec_list_fini(&reflector->page);
    codec_list_init(&reflector->page, KUBE_FRAME_MAX, take_item, reflector);
    if (is_first)
        reflector->on.on_list_begin(reflector->on.self);
}

int kube__page_end(struct kube_reflector *reflector, bool *done, struct ps_err *err)
{
    struct codec_list *page = &reflector->page;
    const int code = codec_list_end(page, err);

    if (code != 0)
        return code;
    *done = page->next == NULL;
    ps_free(reflector->continue_token);
    reflector->continue_token = page->next;
    page->next = NULL;
    ps_free(reflector->rv);
    reflector->rv = page->rv;
    page->rv = NULL;
    codec_list_fini(page);
    return 0;
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

static enum event event_of(struct ps_str type)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++) {
        if (ps_str_is(type, names[i]))
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
    if (reflector->initial) /* these come in no order */
        return true;
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

static bool take_error(struct kube_reflector *reflector, struct ps_str object)
{
    PS_AUTO_JS struct json_t *status = js_parse(object, NULL);

    kube__error_of_status(status, &reflector->verdict_err);
    reflector->too_new = kube__is_too_new(status);
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
                        const struct kube_seen *seen, const struct ps_str *views)
{
    if (!is_usable(seen, views)) {
        poison(reflector, or_empty(seen->namespace), or_empty(seen->name),
               "not an object with a name");
    } else if (event == EVENT_DELETED) {
        reflector->on.on_deleted(reflector->on.self, seen);
    } else if (reflector->initial) {
        reflector->on.on_list_item(reflector->on.self, seen);
    } else {
        reflector->on.on_changed(reflector->on.self, seen);
    }
    return advance(reflector, seen->rv);
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* The reader refuses it: what can be told from its text. That it is deleted needs no more than
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
    const enum event event = event_of(ps_str(type));

    kube__watching_heard(&reflector->watching, event);
    if (event == EVENT_NONE || event == EVENT_ERROR)
        return broken(reflector, why);
    if (event == EVENT_DELETED && shreds.name[0] != '\0') {
        const struct kube_seen seen = {text_or_null(shreds.namespace),
                                       shreds.name,
                                       text_or_null(shreds.uid),
                                       text_or_null(shreds.rv),
                                       {0}};

        reflector->on.on_deleted(reflector->on.self, &seen);
    } else if (event != EVENT_BOOKMARK) {
        poison(reflector, shreds.namespace, shreds.name, why);
    }
    return advance(reflector, shreds.rv);
}

enum frame {
    FRAME_METADATA, /* enum metadata begins here */
    FRAME_TYPE = FRAME_METADATA + METADATA_COUNT,
    FRAME_OBJECT,
    FRAME_INITIAL_END,
    FRAME_COUNT
};

/* The list within the watch is whole; changes follow. */
static bool end_initial(struct kube_reflector *reflector, const char *rv)
{
    if (or_empty(rv)[0] == '\0' || strlen(rv) >= KUBE__RV_MAX)
        return broken(reflector, "the end of the list has no resourceVersion");
    reflector->initial = false;
    reflector->progress++;
    ps_free(reflector->rv);
    reflector->rv = ps_xstrdup(rv);
    kube__end_list(reflector);
    return !reflector->dead;
}

static bool take_frame(struct kube_reflector *reflector, const struct ps_str *views,
                       struct ps_arena *arena)
{
    const enum event event = event_of(codec_view_str(arena, views[FRAME_TYPE]));
    struct kube_seen seen = seen_of(arena, views + FRAME_METADATA);

    seen.text = views[FRAME_OBJECT];
    kube__watching_heard(&reflector->watching, event);
    switch (event) {
    case EVENT_ADDED:
    case EVENT_MODIFIED:
    case EVENT_DELETED:
        return take_object(reflector, event, &seen, views + FRAME_METADATA);
    case EVENT_BOOKMARK:
        if (reflector->initial && codec_view_is(views[FRAME_INITIAL_END], "true"))
            return end_initial(reflector, seen.rv);
        return advance(reflector, seen.rv);
    case EVENT_ERROR:
        return take_error(reflector, seen.text);
    case EVENT_NONE:
        return broken(reflector, "an event of no known type");
    }
    ps_unreachable();
}

bool kube__take_event(void *self, struct ps_str frame)
{
    static const char *const wanted[FRAME_COUNT] = {
        [KIND] = "object.kind",
        [NAMESPACE] = "object.metadata.namespace",
        [NAME] = "object.metadata.name",
        [UID] = "object.metadata.uid",
        [VERSION] = "object.metadata.resourceVersion",
        [FRAME_TYPE] = "type",
        [FRAME_OBJECT] = "object",
        [FRAME_INITIAL_END] = "object.metadata.annotations[k8s.io/initial-events-end]",
    };
    static struct codec_paths paths;
    struct kube_reflector *reflector = self;
    struct ps_str views[FRAME_COUNT];
    struct ps_err err = {0};
    struct ps_arena arena;

    if (paths.count == 0)
        codec_paths_init(&paths, wanted, FRAME_COUNT);
    if (codec_pick(&paths, frame, views, &err) != 0)
        return take_shreds(reflector, frame, err.message);
    ps_arena_init(&arena);
    const bool go_on = take_frame(reflector, views, &arena);

    ps_arena_fini(&arena);
    return go_on;
}
