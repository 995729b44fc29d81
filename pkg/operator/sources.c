/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: one reflector for each kind, and whom a change concerns. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)

/* ---- who may care --------------------------------------------------------------------------- */

static bool is_settled(const struct model_object *task)
{
    return task->task_phase == MODEL_TASK_COMPLETE || task->task_phase == MODEL_TASK_FAILED ||
           task->task_phase == MODEL_TASK_STOPPED;
}

/* Streams for which `matches` says yes, and launches that are not over. They may be all that there
 * are: who has changed something of his own does not wait behind them. */
static void enqueue_users(struct controller *op,
                          bool (*matches)(const struct model_object *, const char *),
                          const char *what)
{
    static const enum model_kind kinds[] = {MODEL_STREAM, MODEL_TASK};

    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++) {
        size_t at = 0;
        const char *key;
        void *value;

        while (ps_map_next(&op->stores[kinds[i]].entries, &at, &key, &value)) {
            const struct model_object *user = ((struct operator__entry *)value)->object;

            if (matches(user, what) && !is_settled(user))
                operator__enqueue(op, user, LOOP_LISTED);
        }
    }
}

static bool is_in_namespace(const struct model_object *user, const char *namespace)
{
    return namespace == NULL || ps_streq(user->namespace, namespace);
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
    /* Kubernetes writes into them, too; most of that no pass looks at. Without a generation nobody
     * knows whether it was in what we manage. */
    if (before != NULL && after != NULL && after->generation > 0 &&
        model_object_same(before, after))
        return;
    if (before != NULL && before->owner != NULL)
        operator__enqueue_owner(op, before->owner, LOOP_WOKEN);
    if (after != NULL && after->owner != NULL &&
        !ps_streq(after->owner, before ? before->owner : NULL))
        operator__enqueue_owner(op, after->owner, LOOP_WOKEN);
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

    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_STATEFUL_SET, MODEL_JOB};

    (void)essential;
    if (same_pod(before, after) || pod->app_id == NULL)
        return;
    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++) {
        const struct operator__entry *workload =
            operator__store_get(&op->stores[kinds[i]], pod->namespace, pod->app_id);

        if (workload != NULL && workload->object->owner != NULL)
            operator__enqueue_owner(op, workload->object->owner, LOOP_WOKEN);
    }
}

/* Streams that share a name wait for each other, or share destinations. */
static void enqueue_rivals(struct controller *op, const struct model_object *stream)
{
    PS_AUTO_BUF(key, KEY_MAX);
    const struct operator__list *rivals =
        operator__store_list(&op->stores[MODEL_STREAM], index_stream_name(stream, &key));

    for (size_t i = 0; rivals != NULL && i < rivals->count; i++)
        operator__enqueue(op, rivals->items[i], LOOP_WOKEN);
}

static void recount_all(struct controller *op, const struct model_object *stream)
{
    struct ps_str rest = ps_str(stream->platforms), name;

    while (ps_str_split(&rest, ',', &name)) {
        PS_AUTO_BUF(account, KEY_MAX);

        ps_buf_view(&account, name);
        operator__recount(op, ps_buf_text(&account));
    }
}

static void stream_changed(struct controller *op, const struct model_object *before,
                           const struct model_object *after, bool essential)
{
    const struct model_object *stream = after ? after : before;

    ps_assert(stream != NULL);
    if (!essential)
        return;
    operator__enqueue(op, stream, LOOP_CHANGED);
    if (ps_streq(before ? before->platforms : NULL, after ? after->platforms : NULL))
        return;
    enqueue_rivals(op, stream);
    if (before != NULL)
        recount_all(op, before);
    if (after != NULL)
        recount_all(op, after);
}

/* The rivals of its streams may be on other accounts. */
static void enqueue_account_rivals(struct controller *op, const char *account)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[MODEL_STREAM].entries, &at, &key, &value)) {
        const struct model_object *stream = ((struct operator__entry *)value)->object;

        if (model_names_platform(stream, account))
            enqueue_rivals(op, stream);
    }
}

static void account_changed(struct controller *op, const struct model_object *before,
                            const struct model_object *after, bool essential)
{
    const struct model_object *account = after ? after : before;

    ps_assert(account != NULL);
    operator__account_changed(op, before, after);
    if (!essential)
        return;
    operator__enqueue(op, account, LOOP_CHANGED);
    enqueue_users(op, model_names_platform, account->name);
    enqueue_account_rivals(op, account->name);
}

static bool same_namespace(const struct model_object *a, const struct model_object *b)
{
    return a != NULL && b != NULL && a->deleting == b->deleting && ps_streq(a->phase, b->phase) &&
           ps_streq(a->labels, b->labels);
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
    enqueue_users(op, is_in_namespace, name);
    while (ps_map_next(&op->stores[MODEL_ACCOUNT].entries, &at, &key, &value)) {
        const struct model_object *object = ((struct operator__entry *)value)->object;
        const struct operator__account *account = operator__account_get(op, object->name);

        if (!ps_streq(account->account->namespace, name))
            continue;
        operator__enqueue(op, object, LOOP_WOKEN);
        enqueue_users(op, model_names_platform, object->name);
    }
}

static void config_map_changed(struct controller *op, const struct model_object *before,
                               const struct model_object *after, bool essential)
{
    const char *namespace = after ? after->namespace : before->namespace;

    if (!essential)
        return;
    operator__registry_changed(op, namespace);
    enqueue_users(op, is_in_namespace, strcmp(namespace, op->namespace) == 0 ? NULL : namespace);
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
    bool whole;
    const char *(*index)(const struct model_object *, struct ps_buf *);
    void (*changed)(struct controller *, const struct model_object *, const struct model_object *,
                    bool);
} sources[] = {
    {MODEL_ACCOUNT, ALL, true, NULL, account_changed},
    {MODEL_STREAM, ALL, true, index_stream_name, stream_changed},
    {MODEL_TASK, ALL, true, NULL, operator__task_changed},
    {MODEL_CONFIG_MAP, REGISTRIES, true, NULL, config_map_changed},
    {MODEL_NAMESPACE, ALL, false, NULL, namespace_changed},
    {MODEL_DEPLOYMENT, OURS, false, index_owner, child_changed},
    {MODEL_STATEFUL_SET, OURS, false, index_owner, child_changed},
    {MODEL_SERVICE, OURS, false, index_owner, child_changed},
    {MODEL_REVISION, OURS, false, index_owner, child_changed},
    {MODEL_JOB, OURS, false, index_owner, child_changed},
    {MODEL_POD, SPRING_APPS, false, index_app, pod_changed},
};

bool operator__all_synced(const struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
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
static void enqueue_store(struct controller *op, const struct source *source)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[source->kind].entries, &at, &key, &value)) {
        const struct model_object *object = ((struct operator__entry *)value)->object;

        if (operator__is_subject(source->kind)) {
            operator__enqueue(op, object, is_served(object) ? LOOP_LISTED : LOOP_CHANGED);
        } else if (source->selector == OURS && object->owner != NULL) {
            operator__enqueue_owner(op, object->owner, LOOP_LISTED);
        }
    }
}

/* Everything that was there before the operator was. */
static void enqueue_everything(struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++)
        enqueue_store(op, &sources[i]);
}

static void on_list_begin(void *self)
{
    operator__store_list_begin(self);
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why);

static void on_item(void *self, const struct kube_seen *seen)
{
    struct ps_err err = {0};

    if (operator__store_put(self, seen->text, OPERATOR__WATCH, &err) != 0)
        on_poison(self, seen->namespace, seen->name, err.message);
}

static bool any_behind(const struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        if (op->stores[sources[i].kind].behind)
            return true;
    }
    return false;
}

void operator__sources_refresh(struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        store->behind = true;
        if (store->reflector != NULL)
            kube_reflector_refresh(store->reflector);
    }
}

static void on_list_end(void *self, const char *rv)
{
    struct operator__store *store = self;
    struct controller *op = store->op;

    operator__store_list_end(store, rv);
    store->behind = false;
    if (!op->synced && operator__all_synced(op)) {
        op->synced = true;
        ps_log(PS_LOG_INFO, "synced", NULL);
        enqueue_everything(op);
    }
    if (op->catching_up && !any_behind(op))
        operator__caught_up(op);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    operator__store_deleted(self, seen);
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
    if (operator__may_tell(store->op) && name != NULL && *name != '\0')
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

        store->installation = sources[i].selector == OURS ? op->installation : NULL;
        const struct kube_reflector_options options = {
            .kind = exec_kind(sources[i].kind),
            .label_selector = selector_text(op, sources[i].selector, &selector),
            .metadata_only = model_is_metadata_only(sources[i].kind),
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

        operator__measure_store(&op->measures, store);
        store->reflector = kube_reflector_new(op->client, &options, &callbacks);
        kube_reflector_start(store->reflector);
    }
}

void operator__sources_fini(struct controller *op)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(sources); i++) {
        struct operator__store *store = &op->stores[sources[i].kind];

        if (store->reflector != NULL)
            kube_reflector_free(store->reflector);
        operator__store_fini(store);
    }
}
