/* SPDX-License-Identifier: Apache-2.0 */
/* What is watched, and whom a change concerns. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)

/* ---- who may care --------------------------------------------------------------------------- */

bool operator__is_settled(const struct model_object *task)
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

            if (matches(user, what) && !operator__is_settled(user))
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
    if (before == NULL && after->cluster != NULL)
        operator__cluster_count(op, after->cluster);
    if (after == NULL && before->cluster != NULL)
        operator__cluster_count(op, before->cluster);
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
    const struct operator__store *stores = operator__stores_of(op, pod->cluster);

    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_STATEFUL_SET, MODEL_JOB};

    (void)essential;
    if (same_pod(before, after) || pod->app_id == NULL)
        return;
    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++) {
        const struct operator__entry *workload =
            operator__store_get(&stores[kinds[i]], pod->namespace, pod->app_id);

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
    operator__recount_users(op, before, after);
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
    operator__cluster_account(op, account->name);
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

        if (account->account->cluster_secret != NULL ||
            !ps_streq(account->account->namespace, name))
            continue;
        operator__enqueue(op, object, LOOP_WOKEN);
        enqueue_users(op, model_names_platform, object->name);
    }
}

/* Of another cluster. */
static void far_namespace_changed(struct controller *op, const struct model_object *before,
                                  const struct model_object *after, bool essential)
{
    const char *cluster = after ? after->cluster : before->cluster;

    (void)essential;
    if (same_namespace(before, after) || !op->synced)
        return;
    operator__enqueue_after(op, MODEL_ACCOUNT, NULL, cluster, LOOP_WOKEN, 0);
    enqueue_users(op, model_names_platform, cluster);
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

/* ---- what is watched ------------------------------------------------------------------------ */

static const struct operator__source sources[] = {
    {MODEL_ACCOUNT, OPERATOR__ALL, true, NULL, account_changed},
    {MODEL_STREAM, OPERATOR__ALL, true, index_stream_name, stream_changed},
    {MODEL_TASK, OPERATOR__ALL, true, NULL, operator__task_changed},
    {MODEL_CONFIG_MAP, OPERATOR__REGISTRIES, true, NULL, config_map_changed},
    {MODEL_NAMESPACE, OPERATOR__ALL, false, NULL, namespace_changed},
    {MODEL_DEPLOYMENT, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_STATEFUL_SET, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_SERVICE, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_REVISION, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_JOB, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_POD, OPERATOR__SPRING_APPS, false, index_app, pod_changed},
};

/* Namespaces only for accounts that name none. */
static const struct operator__source cluster_sources[] = {
    {MODEL_NAMESPACE, OPERATOR__ALL, false, NULL, far_namespace_changed},
    {MODEL_DEPLOYMENT, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_STATEFUL_SET, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_SERVICE, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_JOB, OPERATOR__OURS, false, index_owner, child_changed},
    {MODEL_POD, OPERATOR__SPRING_APPS, false, index_app, pod_changed},
};

const struct operator__source *operator__sources(size_t *count)
{
    *count = PS_ARRAY_LEN(sources);
    return sources;
}

const struct operator__source *operator__cluster_sources(size_t *count)
{
    *count = PS_ARRAY_LEN(cluster_sources);
    return cluster_sources;
}
