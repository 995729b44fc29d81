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
                                          .partial = true,
                                          .body = body});
}

/* True when it is to be waited for. */
static bool end_child(struct plan__pass *pass, const struct model_object *o)
{
    const bool orphan = pass->stream.orphan && o->kind != MODEL_REVISION;

    if (!pass->stream.orphan && ps_streq(o->namespace, pass->stream.namespace))
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

void plan__stream_cleanup(struct plan__pass *pass)
{
    size_t left = 0;

    pass->plan->summary = "going away";
    if (!pass->stream.has_finalizer)
        return;
    for (size_t i = 0; i < pass->own_count; i++)
        left += end_child(pass, pass->own[i]);
    if (left == 0) {
        plan__let_go(pass->plan, MODEL_STREAM, pass->stream.object);
    } else {
        pass->plan->summary = pass->stream.orphan ? "release its objects" : "remove its objects";
    }
}
