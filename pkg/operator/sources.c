/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: one reflector for each kind, and whom a change concerns. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)
#define ACCOUNT_COUNT_MS                                                                           \
    10000 /* the number of an account's streams is written at most that often */

/* ---- keys ----------------------------------------------------------------------------------- */

void operator__enqueue_stream(struct controller *op, const char *namespace, const char *name)
{
    PS_AUTO_BUF(key, KEY_MAX);

    if (!op->synced || op->stopping)
        return;
    ps_buf_printf(&key, "stream/%s/%s", namespace, name);
    loop_queue_add(op->queue, ps_buf_text(&key));
}

void operator__enqueue_account(struct controller *op, const char *name, int64_t delay_ms)
{
    PS_AUTO_BUF(key, KEY_MAX);

    if (!op->synced || op->stopping)
        return;
    ps_buf_printf(&key, "account/%s", name);
    loop_queue_add_after(op->queue, ps_buf_text(&key), delay_ms);
}

/* The owner annotation "StreamDeployment/<namespace>/<name>" as a key. */
static void enqueue_owner(struct controller *op, const char *owner)
{
    struct ps_str rest = ps_str(owner), kind, namespace;

    if (!ps_str_split(&rest, '/', &kind) || !ps_str_is(kind, model_kind_name(MODEL_STREAM)) ||
        !ps_str_split(&rest, '/', &namespace) || rest.n == 0)
        return;
    PS_AUTO_BUF(ns, KEY_MAX);

    ps_buf_view(&ns, namespace);
    operator__enqueue_stream(op, ps_buf_text(&ns), rest.p);
}

/* Streams for which `matches` says yes. */
static void enqueue_streams(struct controller *op,
                            bool (*matches)(const struct model_object *, const char *),
                            const char *what)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[MODEL_STREAM].entries, &at, &key, &value)) {
        const struct model_object *stream = ((struct operator__entry *)value)->object;

        if (matches(stream, what))
            operator__enqueue_stream(op, stream->namespace, stream->name);
    }
}

static bool is_on_platform(const struct model_object *stream, const char *platform)
{
    return ps_streq(stream->platform, platform);
}

static bool is_in_namespace(const struct model_object *stream, const char *namespace)
{
    return namespace == NULL || ps_streq(stream->namespace, namespace);
}

/* ---- indexes -------------------------------------------------------------------------------- */

static const char *index_owner(const struct model_object *object, struct ps_buf *key)
{
    (void)key;
    return object->owner;
}

static const char *index_app(const struct model_object *pod, struct ps_buf *key)
{
    if (pod->app_id == NULL)
        return NULL;
    ps_buf_printf(key, "%s/%s", pod->namespace, pod->app_id);
    return ps_buf_text(key);
}

static const char *index_stream_name(const struct model_object *stream, struct ps_buf *key)
{
    for (const char *c = stream->stream_name; *c != '\0'; c++)
        ps_buf_char(key, (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c));
    return ps_buf_text(key);
}

/* ---- whom a change concerns ----------------------------------------------------------------- */

static void child_changed(struct controller *op, const struct model_object *before,
                          const struct model_object *after, bool essential)
{
    (void)essential;
    if (before != NULL && before->owner != NULL)
        enqueue_owner(op, before->owner);
    if (after != NULL && after->owner != NULL &&
        !ps_streq(after->owner, before ? before->owner : NULL))
        enqueue_owner(op, after->owner);
}

static bool same_pod(const struct model_object *a, const struct model_object *b)
{
    return a != NULL && b != NULL && a->pod_ready == b->pod_ready && a->deleting == b->deleting &&
           a->exit_code == b->exit_code && a->restarts == b->restarts &&
           ps_streq(a->phase, b->phase) && ps_streq(a->cause, b->cause) &&
           ps_streq(a->cause_message, b->cause_message);
}

static void pod_changed(struct controller *op, const struct model_object *before,
                        const struct model_object *after, bool essential)
{
    const struct model_object *pod = after ? after : before;
    const struct operator__entry *workload;

    (void)essential;
    if (same_pod(before, after) || pod->app_id == NULL)
        return;
    workload = operator__store_get(&op->stores[MODEL_DEPLOYMENT], pod->namespace, pod->app_id);
    if (workload != NULL && workload->object->owner != NULL)
        enqueue_owner(op, workload->object->owner);
}

/* Streams that share a name wait for each other. */
static void enqueue_rivals(struct controller *op, const struct model_object *stream)
{
    PS_AUTO_BUF(key, KEY_MAX);
    const struct operator__list *rivals =
        operator__store_list(&op->stores[MODEL_STREAM], index_stream_name(stream, &key));

    for (size_t i = 0; rivals != NULL && i < rivals->count; i++)
        operator__enqueue_stream(op, rivals->items[i]->namespace, rivals->items[i]->name);
}

/* The number of an account's streams has changed: at once the first time, then not before its time.
 */
static void recount(struct controller *op, const char *name)
{
    int64_t *next = ps_map_get(&op->recounts, name);
    const int64_t now = loop_now_ms();

    if (!op->synced)
        return;
    if (next == NULL) {
        next = ps_xcalloc(1, sizeof(*next));
        (void)ps_map_put(&op->recounts, name, next);
    }
    const int64_t wait = *next > now ? *next - now : 0;

    if (wait == 0)
        *next = now + ACCOUNT_COUNT_MS;
    operator__enqueue_account(op, name, wait);
}

static void stream_changed(struct controller *op, const struct model_object *before,
                           const struct model_object *after, bool essential)
{
    const struct model_object *stream = after ? after : before;
    const char *old_platform = before ? before->platform : NULL,
               *new_platform = after ? after->platform : NULL;

    ps_assert(stream != NULL);
    if (!essential)
        return;
    operator__enqueue_stream(op, stream->namespace, stream->name);
    if (after == NULL)
        enqueue_rivals(op, before);
    if (ps_streq(old_platform, new_platform))
        return;
    if (old_platform != NULL)
        recount(op, old_platform);
    if (new_platform != NULL)
        recount(op, new_platform);
}

static void account_changed(struct controller *op, const struct model_object *before,
                            const struct model_object *after, bool essential)
{
    const char *name = after ? after->name : before->name;

    operator__account_changed(op, before, after);
    if (!essential)
        return;
    operator__enqueue_account(op, name, 0);
    enqueue_streams(op, is_on_platform, name);
}

static bool same_namespace(const struct model_object *a, const struct model_object *b)
{
    return a != NULL && b != NULL && a->deleting == b->deleting && ps_streq(a->phase, b->phase);
}

static void namespace_changed(struct controller *op, const struct model_object *before,
                              const struct model_object *after, bool essential)
{
    const struct model_object *any = after ? after : before;
    const char *name = any->name;
    size_t at = 0;
    const char *key;
    void *value;

    (void)essential;
    if (same_namespace(before, after))
        return;
    enqueue_streams(op, is_in_namespace, name);
    while (ps_map_next(&op->stores[MODEL_ACCOUNT].entries, &at, &key, &value)) {
        const char *account_name = ((struct operator__entry *)value)->object->name;
        const struct operator__account *account = operator__account_get(op, account_name);

        if (!ps_streq(account->account->namespace, name))
            continue;
        operator__enqueue_account(op, account_name, 0);
        enqueue_streams(op, is_on_platform, account_name);
    }
}

static void config_map_changed(struct controller *op, const struct model_object *before,
                               const struct model_object *after, bool essential)
{
    const char *namespace = after ? after->namespace : before->namespace;

    if (!essential)
        return;
    operator__registry_changed(op, namespace);
    enqueue_streams(op, is_in_namespace, strcmp(namespace, op->namespace) == 0 ? NULL : namespace);
}

/* ---- reflectors ----------------------------------------------------------------------------- */

enum selector {
    ALL,
    OURS,
    SPRING_APPS,
    REGISTRIES
};

static const struct source {
    enum model_kind kind;
    enum selector selector;
    bool whole, metadata_only;
    const char *(*index)(const struct model_object *, struct ps_buf *);
    void (*changed)(struct controller *, const struct model_object *, const struct model_object *,
                    bool);
} sources[] = {
    {MODEL_ACCOUNT, ALL, true, false, NULL, account_changed},
    {MODEL_STREAM, ALL, true, false, index_stream_name, stream_changed},
    {MODEL_CONFIG_MAP, REGISTRIES, true, false, NULL, config_map_changed},
    {MODEL_NAMESPACE, ALL, false, false, NULL, namespace_changed},
    {MODEL_DEPLOYMENT, OURS, false, false, index_owner, child_changed},
    {MODEL_SERVICE, OURS, false, true, index_owner, child_changed},
    {MODEL_REVISION, OURS, false, true, index_owner, child_changed},
    {MODEL_POD, SPRING_APPS, false, false, index_app, pod_changed},
};

bool operator__all_synced(const struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        if (!op->stores[sources[i].kind].synced)
            return false;
    }
    return true;
}

/* Accounts, and the owners of what we made: they may be gone. */
static void enqueue_store(struct controller *op, const struct source *source)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[source->kind].entries, &at, &key, &value)) {
        const struct model_object *object = ((struct operator__entry *)value)->object;

        if (source->kind == MODEL_ACCOUNT) {
            operator__enqueue_account(op, object->name, 0);
        } else if (source->selector == OURS && object->owner != NULL) {
            enqueue_owner(op, object->owner);
        }
    }
}

/* Everything that was there before the operator was. */
static void enqueue_everything(struct controller *op)
{
    enqueue_streams(op, is_in_namespace, NULL);
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++)
        enqueue_store(op, &sources[i]);
}

static void on_list_begin(void *self)
{
    operator__store_list_begin(self);
}

static void on_item(void *self, const struct json_t *object)
{
    operator__store_put(self, object, false);
}

static void on_list_end(void *self, const char *rv)
{
    struct operator__store *store = self;
    struct controller *op = store->op;

    operator__store_list_end(store, rv);
    if (op->synced || !operator__all_synced(op))
        return;
    op->synced = true;
    ps_log(PS_LOG_INFO, "synced", NULL);
    enqueue_everything(op);
}

static void on_deleted(void *self, const struct json_t *object)
{
    operator__store_remove(self, object);
}

static void on_progress(void *self, const char *rv)
{
    operator__store_progress(self, rv);
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    struct operator__store *store = self;
    const struct exec_subject subject = {store->kind, namespace && *namespace ? namespace : NULL,
                                         name, NULL};

    operator__store_keep(store, namespace, name);
    ps_log(PS_LOG_ERROR, "object_unreadable", "kind", model_kind_name(store->kind), "namespace",
           namespace, "name", name, "error", why, NULL);
    if (store->op->synced && name != NULL && *name != '\0')
        exec_event(store->op->exec, &subject, true, "Unreadable", why);
}

static void on_health(void *self, const char *trouble)
{
    struct operator__store *store = self;

    ps_free(store->trouble);
    store->trouble = trouble ? ps_xstrdup(trouble) : NULL;
    ps_log(trouble ? PS_LOG_WARN : PS_LOG_INFO, trouble ? "watch_trouble" : "watch_in_order",
           "kind", model_kind_name(store->kind), "error", trouble, NULL);
}

void operator__sources_init(struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        operator__store_init(store, op, sources[i].kind);
        store->whole = sources[i].whole;
        store->index = sources[i].index;
        store->changed = sources[i].changed;
    }
}

static const char *selector_text(const struct controller *op, enum selector selector,
                                 struct ps_buf *text)
{
    switch (selector) {
    case ALL:
        return NULL;
    case OURS:
        ps_buf_printf(text, MODEL_LABEL_INSTALLATION "=%s", op->installation);
        break;
    case SPRING_APPS:
        ps_buf_str(text, "role=spring-app");
        break;
    case REGISTRIES:
        ps_buf_str(text, MODEL_LABEL_REGISTRY "=true");
        break;
    }
    return ps_buf_text(text);
}

void operator__sources_start(struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        struct operator__store *store = &op->stores[sources[i].kind];
        PS_AUTO_BUF(selector, KEY_MAX);
        const struct kube_reflector_options options = {
            .kind = exec_kind(sources[i].kind),
            .label_selector = selector_text(op, sources[i].selector, &selector),
            .metadata_only = sources[i].metadata_only,
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

        store->reflector = kube_reflector_new(op->client, &options, &callbacks);
        kube_reflector_start(store->reflector);
    }
}

void operator__sources_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->recounts, &at, &key, &value))
        ps_free(value);
    ps_map_fini(&op->recounts);
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        if (store->reflector != NULL)
            kube_reflector_free(store->reflector);
        operator__store_fini(store);
    }
}
