/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of a stream's pass. */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX ((size_t)1024)

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

static struct gathered children_of(struct controller *op, struct ps_arena *arena,
                                   const char *namespace, const char *name)
{
    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_SERVICE, MODEL_REVISION};
    struct gathered all = {0};
    const char *owner =
        ps_arena_printf(arena, "%s/%s/%s", model_kind_name(MODEL_STREAM), namespace, name);

    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++)
        gather(arena, &all, operator__store_list(&op->stores[kinds[i]], owner));
    return all;
}

static struct gathered pods_of(struct controller *op, struct ps_arena *arena,
                               const struct gathered *children)
{
    struct gathered all = {0};

    for (size_t i = 0; i < children->count; i++) {
        const struct model_object *child = children->items[i];

        if (child->kind == MODEL_DEPLOYMENT) {
            gather(arena, &all,
                   operator__store_list(
                       &op->stores[MODEL_POD],
                       ps_arena_printf(arena, "%s/%s", child->namespace, child->name)));
        }
    }
    return all;
}

static const char *target_of(struct controller *op, const char *platform, const char *namespace)
{
    const struct operator__account *account = operator__account_get(op, platform);

    if (account == NULL)
        return NULL;
    return account->account->namespace ? account->account->namespace : namespace;
}

static void add_rivals(struct controller *op, struct ps_arena *arena,
                       const struct model_object *stream, struct plan_snapshot *s)
{
    const struct operator__list *list =
        operator__store_list(&op->stores[MODEL_STREAM], model_lower(arena, stream->stream_name));
    struct plan_rival *rivals = ps_arena_array(arena, list ? list->count : 0, sizeof(*rivals));

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct model_object *other = list->items[i];

        if (other == stream)
            continue;
        rivals[s->rival_count++] = (struct plan_rival){
            .namespace = other->namespace,
            .name = other->name,
            .uid = other->uid,
            .created_ms = other->created_ms,
            .target_namespace = target_of(op, other->platform, other->namespace)};
    }
    s->rivals = rivals;
}

static void add_stream(struct controller *op, struct ps_arena *arena,
                       const struct model_object *stream, struct plan_snapshot *s)
{
    const struct operator__account *account = operator__account_get(op, stream->platform);
    const char *target = target_of(op, stream->platform, stream->namespace);
    const struct operator__entry *namespace =
        target ? operator__store_get(&op->stores[MODEL_NAMESPACE], NULL, target) : NULL;

    s->account = account ? account->account : NULL;
    s->target_namespace = namespace ? namespace->object : NULL;
    s->registry = operator__registry(op, stream->namespace);
    add_rivals(op, arena, stream, s);
}

struct plan *operator__plan_stream(struct controller *op, const char *namespace, const char *name,
                                   const struct operator__evidence *evidence)
{
    const struct operator__entry *entry =
        operator__store_get(&op->stores[MODEL_STREAM], namespace, name);
    struct json_t *cr PS_AUTO_JS = entry ? js_parse(ps_str(entry->text), NULL) : NULL;
    struct ps_arena arena;

    ps_arena_init(&arena);
    const struct gathered children = children_of(op, &arena, namespace, name);
    const struct gathered pods = pods_of(op, &arena, &children);
    struct plan_snapshot snapshot = {
        .now_ms = loop_wall_ms(),
        .installation = op->installation,
        .namespace = namespace,
        .name = name,
        .cr = cr,
        .children = children.items,
        .child_count = children.count,
        .pods = pods.items,
        .pod_count = pods.count,
        .facts = evidence->facts,
        .fact_count = evidence->fact_count,
        .troubles = evidence->troubles,
        .trouble_count = evidence->trouble_count,
    };

    if (entry != NULL)
        add_stream(op, &arena, entry->object, &snapshot);
    struct plan *plan = plan_stream(&snapshot);

    ps_arena_fini(&arena);
    return plan;
}
