/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of a stream's pass. */
#include "operator/internal.h"

static void add_rivals(struct controller *op, struct operator__snapshot *snapshot)
{
    const struct model_object *stream = snapshot->object;
    const struct operator__list *list = operator__store_list(
        &op->stores[MODEL_STREAM], model_lower(&snapshot->arena, stream->stream_name));
    struct plan_rival *rivals =
        ps_arena_array(&snapshot->arena, list ? list->count : 0, sizeof(*rivals));

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct model_object *other = list->items[i];
        const struct operator__account *account = operator__account_get(op, other->platform);

        if (other == stream)
            continue;
        rivals[snapshot->s.rival_count++] = (struct plan_rival){
            .namespace = other->namespace,
            .name = other->name,
            .uid = other->uid,
            .stream_name = other->stream_name,
            .created_ms = other->created_ms,
            .target_namespace = operator__target_of(op, other->platform, other->namespace),
            .cluster_id = account ? account->account->cluster_id : NULL};
    }
    snapshot->s.rivals = rivals;
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
    if (snapshot.object != NULL)
        add_rivals(op, &snapshot);
    return plan_stream(&snapshot.s);
}
