/* SPDX-License-Identifier: Apache-2.0 */
/* Who has something to do with another cluster, and what is known of its objects. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)

struct operator__store *operator__stores_of(struct controller *op, const char *cluster)
{
    if (cluster == NULL)
        return op->stores;
    struct operator__cluster *c = operator__cluster_get(op, cluster);

    return c ? c->stores : NULL;
}

const struct plan_cluster *const *operator__cluster_views(const struct controller *op,
                                                          struct ps_arena *arena, size_t *count)
{
    const struct plan_cluster **views =
        ps_arena_array(arena, op->clusters.count, sizeof(const struct plan_cluster *));
    size_t at = 0;
    const char *key;
    void *value;

    for (*count = 0; ps_map_next(&op->clusters, &at, &key, &value); ++*count)
        views[*count] = &((struct operator__cluster *)value)->view;
    return views;
}

/* ---- told ----------------------------------------------------------------------------------- */

static void enqueue_users(struct operator__cluster *c, enum model_kind kind)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&c->op->stores[kind].entries, &at, &key, &value)) {
        const struct model_object *user = ((struct operator__entry *)value)->object;

        if (model_names_has(user->clusters, c->name) ||
            (model_names_platform(user, c->name) && !operator__is_settled(user)))
            operator__enqueue(c->op, user, LOOP_LISTED);
    }
}

/* They may be gone. */
static void enqueue_owners(struct operator__cluster *c, enum model_kind kind)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&c->stores[kind].entries, &at, &key, &value)) {
        const struct model_object *child = ((struct operator__entry *)value)->object;

        if (child->owner != NULL)
            operator__enqueue_owner(c->op, child->owner, LOOP_LISTED);
    }
}

void operator__cluster_told(struct operator__cluster *c)
{
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);

    if (!c->op->synced)
        return;
    operator__enqueue_after(c->op, MODEL_ACCOUNT, NULL, c->name, LOOP_WOKEN, 0);
    enqueue_users(c, MODEL_STREAM);
    enqueue_users(c, MODEL_TASK);
    for (size_t i = 0; i < count; i++) {
        if (c->view.state == PLAN_CLUSTER_SYNCED && sources[i].selector == OPERATOR__OURS)
            enqueue_owners(c, sources[i].kind);
    }
}

/* ---- uses ----------------------------------------------------------------------------------- */

void operator__cluster_count(struct controller *op, const char *account)
{
    const struct operator__entry *entry =
        operator__store_get(&op->stores[MODEL_ACCOUNT], NULL, account);

    if (entry == NULL || operator__cluster_get(op, account) == NULL)
        return;
    if (entry->object->has_finalizer && !entry->object->deleting) {
        operator__recount(op, account);
    } else {
        operator__enqueue(op, entry->object, LOOP_WOKEN);
    }
}

static void recount_list(struct controller *op, const char *list)
{
    struct ps_str rest = ps_str(list), part;

    while (list != NULL && ps_str_split(&rest, ',', &part)) {
        PS_AUTO_BUF(name, KEY_MAX);

        ps_buf_view(&name, part);
        operator__cluster_count(op, ps_buf_text(&name));
    }
}

void operator__recount_users(struct controller *op, const struct model_object *before,
                             const struct model_object *after)
{
    const char *old = before ? before->clusters : NULL, *new = after ? after->clusters : NULL;

    if (ps_streq(old, new))
        return;
    recount_list(op, old);
    recount_list(op, new);
}

/* The set of users: "StreamDeployment cars/foo". The values mean nothing. */
static void add_user(struct ps_map *users, const char *text)
{
    (void)ps_map_put(users, text, users);
}

static void add_recorded(const struct operator__cluster *c, enum model_kind kind,
                         struct ps_map *users)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&c->op->stores[kind].entries, &at, &key, &value)) {
        const struct model_object *user = ((struct operator__entry *)value)->object;
        PS_AUTO_BUF(text, KEY_MAX);

        if (!model_names_has(user->clusters, c->name))
            continue;
        ps_buf_printf(&text, "%s %s/%s", model_kind_name(kind), user->namespace, user->name);
        add_user(users, ps_buf_text(&text));
    }
}

/* From "<kind>/<namespace>/<name>". */
static void add_owner(struct ps_map *users, const char *owner)
{
    struct ps_str rest = ps_str(owner), kind;
    PS_AUTO_BUF(text, KEY_MAX);

    if (owner == NULL || !ps_str_split(&rest, '/', &kind))
        return;
    ps_buf_printf(&text, "%.*s %.*s", PS_STR_ARG(kind), PS_STR_ARG(rest));
    add_user(users, ps_buf_text(&text));
}

static int64_t add_owners(const struct operator__cluster *c, struct ps_map *users)
{
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);
    int64_t children = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        const char *key;
        void *value;

        if (sources[i].selector != OPERATOR__OURS)
            continue;
        while (ps_map_next(&c->stores[sources[i].kind].entries, &at, &key, &value)) {
            add_owner(users, ((struct operator__entry *)value)->object->owner);
            children++;
        }
    }
    return children;
}

/* The first ones in the order of their names: the same as long as they are the same. */
static size_t pick_names(const struct ps_map *users, struct ps_arena *arena, const char **names)
{
    size_t count = 0, at = 0;
    const char *key;
    void *value;

    while (ps_map_next(users, &at, &key, &value)) {
        size_t i = count;

        while (i > 0 && strcmp(names[i - 1], key) > 0)
            i--;
        if (i == OPERATOR__USERS_SHOWN)
            continue;
        count += count < OPERATOR__USERS_SHOWN;
        for (size_t k = count - 1; k > i; k--)
            names[k] = names[k - 1];
        names[i] = ps_arena_dup(arena, key);
    }
    return count;
}

struct plan_uses operator__cluster_uses(const struct operator__cluster *c, struct ps_arena *arena)
{
    const char **names = ps_arena_array(arena, OPERATOR__USERS_SHOWN, sizeof(*names));
    struct plan_uses uses = {.names = names};
    struct ps_map users;

    ps_map_init(&users);
    add_recorded(c, MODEL_STREAM, &users);
    add_recorded(c, MODEL_TASK, &users);
    uses.children = add_owners(c, &users);
    uses.users = (int64_t)users.count;
    uses.name_count = pick_names(&users, arena, names);
    ps_map_fini(&users);
    return uses;
}
