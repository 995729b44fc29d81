/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a stream: its objects are deleted, or released; then its finalizer goes. */
#include "plan/pass.h"

/* Nobody's from now on: no watch of ours shows it, and nothing is collected with the CR. */
static void release(struct plan__pass *pass, const struct model_object *o)
{
    struct json_t *body = js_object(), *metadata = js_child(body, "metadata");

    js_set_str(metadata, "resourceVersion", o->rv);
    plan__unmark(metadata, pass->stream.uid);
    if (!o->has_owner)
        js_remove(metadata, "ownerReferences");
    plan__op(pass->plan, (struct plan_op){.stage = 0,
                                          .verb = PLAN_PATCH_STRATEGIC,
                                          .kind = o->kind,
                                          .namespace = o->namespace,
                                          .name = o->name,
                                          .cluster = o->cluster,
                                          .partial = true,
                                          .body = body});
}

/* True when it is to be waited for. */
static bool end_child(struct plan__pass *pass, const struct model_object *o)
{
    const bool orphan = pass->stream.orphan && o->kind != MODEL_REVISION;

    if (!plan__is_open(pass->s, o->cluster))
        return false; /* as the annotation says */
    if (!pass->stream.orphan && plan__is_beside(pass->s, o))
        return false; /* collected with the CR */
    if (o->deleting)
        return true;
    if (orphan) {
        release(pass, o);
    } else {
        plan__delete(pass->plan, 0, o);
    }
    return true;
}

/* What can be reached is removed meanwhile. The revisions stay to the end: they tell what stands
 * elsewhere. */
void plan__stream_cleanup(struct plan__pass *pass)
{
    const char *away = plan__first_away(pass->arena, pass->s, plan__recorded_clusters(pass->s->cr));
    size_t left = 0;

    pass->plan->summary = "going away";
    if (!pass->stream.has_finalizer)
        return;
    for (size_t i = 0; i < pass->own_count; i++) {
        if (away == NULL || pass->own[i]->kind != MODEL_REVISION)
            left += end_child(pass, pass->own[i]);
    }
    if (away != NULL)
        plan__tell_blocked(pass->plan, pass->s, away);
    if (left > 0) {
        pass->plan->summary = pass->stream.orphan ? "release its objects" : "remove its objects";
    } else if (away == NULL) {
        plan__let_go(pass->plan, MODEL_STREAM, pass->stream.object);
    }
}
