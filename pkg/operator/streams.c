/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of a stream's pass. */
#include "operator/internal.h"

static struct plan_rival rival_of(struct controller *op, struct ps_arena *arena,
                                  const struct model_object *other)
{
    struct plan_rival rival = {.namespace = other->namespace,
                               .name = other->name,
                               .uid = other->uid,
                               .stream_name = other->stream_name,
                               .created_ms = other->created_ms};
    size_t count;
    const struct plan_platform *platforms = operator__platforms(op, arena, other, &count);
    const char **targets = ps_arena_array(arena, count, sizeof(*targets));
    const char **clusters = ps_arena_array(arena, count, sizeof(*clusters));

    for (size_t i = 0; i < count; i++) {
        const struct model_account *account = platforms[i].account;

        if (account == NULL)
            continue;
        clusters[rival.target_count] = platforms[i].cluster ? platforms[i].name : NULL;
        targets[rival.target_count++] = model_account_target(account, other->namespace);
        if (rival.cluster_id == NULL)
            rival.cluster_id = account->cluster_id;
    }
    rival.targets = targets;
    rival.target_clusters = clusters;
    return rival;
}

static void add_rivals(struct controller *op, struct operator__snapshot *snapshot)
{
    const struct model_object *stream = snapshot->object;
    const struct operator__list *list = operator__store_list(
        &op->stores[MODEL_STREAM], model_lower(&snapshot->arena, stream->stream_name));
    struct plan_rival *rivals =
        ps_arena_array(&snapshot->arena, list ? list->count : 0, sizeof(*rivals));

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (list->items[i] != stream) {
            rivals[snapshot->s.rival_count++] = rival_of(op, &snapshot->arena, list->items[i]);
        }
    }
    snapshot->s.rivals = rivals;
}

/* All that the spec is rendered from; see plan_snapshot. */
static uint64_t sources_of(struct controller *op, const struct operator__entry *entry,
                           const struct plan_snapshot *s)
{
    uint64_t hash = entry->essence;

    for (size_t i = 0; i < s->platform_count; i++) {
        const struct operator__entry *account =
            operator__store_get(&op->stores[MODEL_ACCOUNT], NULL, s->platforms[i].name);
        const uint64_t parts[] = {hash, op->registry_changes, account ? account->essence : 0};

        hash = ps_hash(parts, sizeof(parts));
    }
    return hash;
}

/* Its last plan has left a note of what it was rendered from. */
static struct plan *plan_with_note(struct controller *op, struct plan_snapshot *s)
{
    struct operator__store *store = &op->stores[MODEL_STREAM];
    const struct operator__entry *entry = operator__store_get(store, s->namespace, s->name);

    s->sources = sources_of(op, entry, s);
    s->rendered = entry->rendered;
    struct plan *plan = plan_stream(s);

    operator__store_note(store, s->namespace, s->name, plan->rendered);
    return plan;
}

struct plan *operator__plan_stream(struct controller *op, const char *namespace, const char *name,
                                   const struct operator__evidence *evidence)
{
    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_STATEFUL_SET, MODEL_SERVICE,
                                            MODEL_REVISION};
    const struct operator__about about = {.kind = MODEL_STREAM,
                                          .namespace = namespace,
                                          .name = name,
                                          .child_kinds = kinds,
                                          .child_kind_count = PS_ARRAY_LEN(kinds),
                                          .evidence = evidence};
    PS_CLEANUP(operator__snapshot_fini) struct operator__snapshot snapshot;

    operator__snapshot_init(&snapshot, op, &about);
    operator__snapshot_platform(&snapshot, op);
    if (snapshot.object == NULL)
        return plan_stream(&snapshot.s);
    add_rivals(op, &snapshot);
    return plan_with_note(op, &snapshot.s);
}
