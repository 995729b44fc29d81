/* SPDX-License-Identifier: Apache-2.0 */
/* What the snapshots of streams and launches have in common. */
#include "operator/internal.h"

#include <string.h>

struct gathered {
    const struct model_object **items;
    size_t count;
};

static void gather(struct ps_arena *arena, struct gathered *all, const struct operator__list *list)
{
    if (list == NULL)
        return;
    const struct model_object **items =
        ps_arena_array(arena, all->count + list->count, sizeof(const struct model_object *));

    if (all->count > 0)
        memcpy(items, all->items, all->count * sizeof(const struct model_object *));
    memcpy(items + all->count, list->items, list->count * sizeof(const struct model_object *));
    all->items = items;
    all->count += list->count;
}

static bool has_pods(enum model_kind kind)
{
    return model_is_workload(kind) || kind == MODEL_JOB;
}

static void gather_pods(struct controller *op, struct ps_arena *arena, struct gathered *all,
                        const struct plan_need *workload)
{
    const struct operator__store *stores = operator__stores_of(op, workload->cluster);
    const char *key = ps_arena_printf(arena, "%s/%s", workload->namespace, workload->name);

    if (stores != NULL)
        gather(arena, all, operator__store_list(&stores[MODEL_POD], key));
}

static struct gathered pods_of(struct controller *op, struct ps_arena *arena,
                               const struct gathered *children)
{
    struct gathered all = {0};

    for (size_t i = 0; i < children->count; i++) {
        const struct model_object *child = children->items[i];
        const struct plan_need workload = {child->kind, child->namespace, child->name,
                                           child->cluster};

        if (has_pods(child->kind))
            gather_pods(op, arena, &all, &workload);
    }
    return all;
}

/* Of the operator's own cluster and of all others: moved away, some may still be where they were.
 */
static struct gathered children_of(struct controller *op, struct ps_arena *arena,
                                   const struct operator__about *about)
{
    const char *owner = ps_arena_printf(arena, "%s/%s/%s", model_kind_name(about->kind),
                                        about->namespace, about->name);
    struct gathered all = {0};

    for (size_t i = 0; i < about->child_kind_count; i++) {
        const enum model_kind kind = about->child_kinds[i];
        size_t at = 0;
        const char *key;
        void *value;

        gather(arena, &all, operator__store_list(&op->stores[kind], owner));
        while (ps_map_next(&op->clusters, &at, &key, &value)) {
            const struct operator__cluster *cluster = value;

            if (cluster->stores[kind].op != NULL)
                gather(arena, &all, operator__store_list(&cluster->stores[kind], owner));
        }
    }
    return all;
}

void operator__snapshot_init(struct operator__snapshot *snapshot, struct controller *op,
                             const struct operator__about *about)
{
    const struct operator__entry *entry =
        operator__store_get(&op->stores[about->kind], about->namespace, about->name);
    struct ps_arena *arena = &snapshot->arena;

    ps_arena_init(arena);
    snapshot->cr = entry ? operator__entry_tree(entry) : NULL;
    snapshot->object = entry ? entry->object : NULL;
    const struct gathered children = children_of(op, arena, about);
    const struct gathered pods = pods_of(op, arena, &children);

    snapshot->s = (struct plan_snapshot){
        .now_ms = loop_wall_ms(),
        .installation = op->installation,
        .namespace = about->namespace,
        .name = about->name,
        .cr = snapshot->cr,
        .children = children.items,
        .child_count = children.count,
        .pods = pods.items,
        .pod_count = pods.count,
        .facts = about->evidence->facts,
        .fact_count = about->evidence->fact_count,
        .troubles = about->evidence->troubles,
        .trouble_count = about->evidence->trouble_count,
    };
    snapshot->s.clusters = operator__cluster_views(op, arena, &snapshot->s.cluster_count);
}

void operator__snapshot_pods(struct operator__snapshot *snapshot, struct controller *op,
                             const struct plan_need *workload)
{
    struct gathered all = {.items = (const struct model_object **)(uintptr_t)snapshot->s.pods,
                           .count = snapshot->s.pod_count};

    gather_pods(op, &snapshot->arena, &all, workload);
    snapshot->s.pods = all.items;
    snapshot->s.pod_count = all.count;
}

void operator__snapshot_fini(struct operator__snapshot *snapshot)
{
    js_unref(snapshot->cr);
    ps_arena_fini(&snapshot->arena);
}

static const struct model_object *namespace_of(const struct operator__store *stores,
                                               const char *name)
{
    const struct operator__entry *entry = operator__store_get(&stores[MODEL_NAMESPACE], NULL, name);

    return entry ? entry->object : NULL;
}

static void fill_platform(struct controller *op, const struct model_object *user,
                          struct plan_platform *platform)
{
    const struct operator__account *account = operator__account_get(op, platform->name);
    const struct operator__cluster *cluster = operator__cluster_get(op, platform->name);

    if (account == NULL)
        return;
    ps_assert((account->account->cluster_secret != NULL) == (cluster != NULL));
    platform->account = account->account;
    platform->cluster = cluster ? &cluster->view : NULL;
    platform->target = namespace_of(cluster ? cluster->stores : op->stores,
                                    model_account_target(account->account, user->namespace));
}

const struct plan_platform *operator__platforms(struct controller *op, struct ps_arena *arena,
                                                const struct model_object *user, size_t *count)
{
    struct ps_str rest = ps_str(user->platforms), name;
    size_t max = 1;

    for (const char *c = user->platforms; *c != '\0'; c++)
        max += *c == ',';
    struct plan_platform *list = ps_arena_array(arena, max, sizeof(*list));

    for (*count = 0; ps_str_split(&rest, ',', &name); ++*count) {
        list[*count].name = ps_arena_str(arena, name);
        fill_platform(op, user, &list[*count]);
    }
    return list;
}

void operator__snapshot_platform(struct operator__snapshot *snapshot, struct controller *op)
{
    const struct model_object *object = snapshot->object;

    if (object == NULL)
        return;
    snapshot->s.platforms =
        operator__platforms(op, &snapshot->arena, object, &snapshot->s.platform_count);
    snapshot->s.own_namespace = namespace_of(op->stores, object->namespace);
    snapshot->s.registry = operator__registry(op, object->namespace);
}
