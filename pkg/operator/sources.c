/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: one reflector for each kind, and the moment when all of them are in step. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)

/* ---- in step -------------------------------------------------------------------------------- */

static bool all_synced(const struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        if (!op->stores[sources[i].kind].synced)
            return false;
    }
    return true;
}

/* Has a pass seen it as it is now? */
static bool is_served(const struct model_object *object)
{
    return object->observed_generation != 0 && object->observed_generation >= object->generation;
}

/* What has passes, and the owners of what we made: they may be gone. */
static void enqueue_store(struct controller *op, const struct operator__source *source)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[source->kind].entries, &at, &key, &value)) {
        const struct model_object *object = ((struct operator__entry *)value)->object;

        if (operator__is_subject(source->kind)) {
            operator__enqueue(op, object, is_served(object) ? LOOP_LISTED : LOOP_CHANGED);
        } else if (source->selector == OPERATOR__OURS && object->owner != NULL) {
            operator__enqueue_owner(op, object->owner, LOOP_LISTED);
        }
    }
}

/* Everything that was there before the operator was. */
static void enqueue_everything(struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++)
        enqueue_store(op, &sources[i]);
}

static bool any_behind(const struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        if (op->stores[sources[i].kind].behind)
            return true;
    }
    return false;
}

void operator__sources_refresh(struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        store->behind = true;
        if (store->reflector != NULL)
            kube_reflector_refresh(store->reflector);
    }
}

static void on_listed(struct operator__store *store)
{
    struct controller *op = store->op;

    store->behind = false;
    if (!op->synced && all_synced(op)) {
        op->synced = true;
        ps_log(PS_LOG_INFO, "synced", NULL);
        enqueue_everything(op);
    }
    if (op->catching_up && !any_behind(op))
        operator__caught_up(op);
}

static void on_unreadable(struct operator__store *store, const char *namespace, const char *name,
                          const char *why)
{
    const struct exec_subject subject = {store->kind, namespace && *namespace ? namespace : NULL,
                                         name, NULL};

    if (operator__may_tell(store->op) && name != NULL && *name != '\0')
        exec_event(store->op->exec, &subject, true, "Unreadable", why);
}

/* ---- from a reflector into its store -------------------------------------------------------- */

static void on_list_begin(void *self)
{
    operator__store_list_begin(self);
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    struct operator__store *store = self;

    operator__store_keep(store, namespace, name);
    ps_log(PS_LOG_ERROR, "object_unreadable", "kind", model_kind_name(store->kind), "namespace",
           namespace, "name", name, "error", why, "cluster", store->cluster, NULL);
    if (store->unreadable != NULL)
        store->unreadable(store, namespace, name, why);
}

static void on_item(void *self, const struct kube_seen *seen)
{
    struct ps_err err = {0};

    if (operator__store_put(self, seen->text, OPERATOR__WATCH, &err) != 0)
        on_poison(self, seen->namespace, seen->name, err.message);
}

static void on_list_end(void *self, const char *rv)
{
    struct operator__store *store = self;

    operator__store_list_end(store, rv);
    store->listed(store);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    operator__store_deleted(self, seen);
}

static void on_progress(void *self, const char *rv)
{
    operator__store_progress(self, rv);
}

static void on_health(void *self, const char *trouble)
{
    struct operator__store *store = self;

    ps_free(store->trouble);
    store->trouble = trouble ? ps_xstrdup(trouble) : NULL;
    ps_log(trouble ? PS_LOG_WARN : PS_LOG_INFO, trouble ? "watch_trouble" : "watch_in_order",
           "kind", model_kind_name(store->kind), "error", trouble, "cluster", store->cluster, NULL);
    if (store->healthy != NULL)
        store->healthy(store);
}

/* ---- watches -------------------------------------------------------------------------------- */

void operator__source_init(struct operator__store *store, struct controller *op,
                           const struct operator__source *source)
{
    operator__store_init(store, op, source->kind);
    store->whole = source->whole;
    store->index = source->index;
    store->changed = source->changed;
}

static const char *selector_text(const struct operator__store *store,
                                 const struct operator__source *source, struct ps_buf *text)
{
    switch (source->selector) {
    case OPERATOR__ALL:
        return NULL;
    case OPERATOR__OURS:
        ps_buf_printf(text, MODEL_LABEL_INSTALLATION "=%s", store->op->installation);
        if (store->account_uid != NULL)
            ps_buf_printf(text, "," MODEL_LABEL_ACCOUNT_UID "=%s", store->account_uid);
        break;
    case OPERATOR__SPRING_APPS:
        ps_buf_str(text, "role=spring-app");
        break;
    case OPERATOR__REGISTRIES:
        ps_buf_str(text, MODEL_LABEL_REGISTRY "=true");
        break;
    }
    return ps_buf_text(text);
}

void operator__source_start(struct operator__store *store, const struct operator__source *source,
                            struct kube_client *client, const char *namespace)
{
    PS_AUTO_BUF(selector, KEY_MAX);

    store->installation = source->selector == OPERATOR__OURS ? store->op->installation : NULL;
    const struct kube_reflector_options options = {
        .kind = exec_kind(source->kind),
        .namespace = namespace,
        .label_selector = selector_text(store, source, &selector),
        .metadata_only = model_is_metadata_only(source->kind),
        .watch_list = true,
    };
    const struct kube_reflector_callbacks callbacks = {
        .on_list_begin = on_list_begin,
        .on_list_item = on_item,
        .on_list_end = on_list_end,
        .on_changed = on_item,
        .on_deleted = on_deleted,
        .on_progress = on_progress,
        .on_poison = on_poison,
        .on_health = on_health,
        .self = store,
    };

    store->reflector = kube_reflector_new(client, &options, &callbacks);
    kube_reflector_start(store->reflector);
}

void operator__source_stop(struct operator__store *store)
{
    if (store->reflector != NULL)
        kube_reflector_free(store->reflector);
    store->reflector = NULL;
    store->synced = false;
    ps_free(store->trouble);
    store->trouble = NULL;
}

void operator__sources_init(struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        operator__source_init(store, op, &sources[i]);
        store->listed = on_listed;
        store->unreadable = on_unreadable;
    }
}

void operator__sources_start(struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        operator__measure_store(&op->measures, &op->stores[sources[i].kind]);
        operator__source_start(&op->stores[sources[i].kind], &sources[i], op->client, NULL);
    }
}

void operator__sources_fini(struct controller *op)
{
    size_t count;
    const struct operator__source *sources = operator__sources(&count);

    for (size_t i = 0; i < count; i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        operator__source_stop(store);
        operator__store_fini(store);
    }
}
