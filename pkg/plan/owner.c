/* SPDX-License-Identifier: Apache-2.0 */
/* The CR that a pass is about: our finalizer on it, and whether a live read finds the same. */
#include "plan/internal.h"

/* finalizers and clusters NULL: as they are. */
static void patch_owner(struct plan *plan, enum model_kind kind, const struct json_t *cr,
                        struct json_t *finalizers, const char *clusters)
{
    struct json_t *body = js_object(), *metadata = js_child(body, "metadata");

    js_set_str(metadata, "resourceVersion", js_path_str(cr, "metadata.resourceVersion"));
    if (finalizers != NULL)
        js_set(metadata, "finalizers", finalizers);
    if (clusters != NULL) {
        js_set(js_child(metadata, "annotations"), MODEL_ANNOTATION_CLUSTERS,
               *clusters ? js_string(clusters) : js_null());
    }
    plan__op(plan, (struct plan_op){.stage = 0,
                                    .verb = PLAN_PATCH,
                                    .kind = kind,
                                    .namespace = js_path_str(cr, "metadata.namespace"),
                                    .name = js_path_str(cr, "metadata.name"),
                                    .body = body});
}

const char *plan__recorded_clusters(const struct json_t *cr)
{
    const char *names =
        js_str(js_get(js_path(cr, "metadata.annotations"), MODEL_ANNOTATION_CLUSTERS));

    return names ? names : "";
}

void plan__hold(struct plan *plan, enum model_kind kind, const struct json_t *cr,
                const char *clusters)
{
    struct json_t *finalizers = js_copy(js_path(cr, "metadata.finalizers"));
    const bool same = clusters == NULL || ps_streq(clusters, plan__recorded_clusters(cr));
    bool held = false;

    if (finalizers == NULL)
        finalizers = js_array();
    for (size_t i = 0; i < js_len(finalizers); i++)
        held |= ps_streq(js_str(js_at(finalizers, i)), MODEL_FINALIZER);
    if (!held) {
        js_push(finalizers, js_string(MODEL_FINALIZER));
    } else {
        js_unref(finalizers);
        finalizers = NULL;
    }
    if (!held || !same)
        patch_owner(plan, kind, cr, finalizers, same ? NULL : clusters);
}

void plan__let_go(struct plan *plan, enum model_kind kind, const struct json_t *cr)
{
    const struct json_t *old = js_path(cr, "metadata.finalizers");
    struct json_t *left = js_array();

    for (size_t i = 0; i < js_len(old); i++) {
        if (!ps_streq(js_str(js_at(old, i)), MODEL_FINALIZER))
            js_push(left, js_copy(js_at(old, i)));
    }
    patch_owner(plan, kind, cr, left, NULL);
    plan->summary = "nothing of it is left: release the finalizer";
}

bool plan__is_confirmed(struct plan *plan, const struct plan_snapshot *s, enum model_kind kind)
{
    const struct plan_fact *live = plan__ask(
        plan, s, (struct plan_need){.kind = kind, .namespace = s->namespace, .name = s->name});

    if (live == NULL)
        return false;
    if (live->seen == PLAN_PRESENT &&
        (s->cr == NULL || !ps_streq(js_path_str(live->object, "metadata.uid"),
                                    js_path_str(s->cr, "metadata.uid")))) {
        plan__wake(plan, PLAN__STALE_RECHECK_MS); /* the watch will bring it */
        return false;
    }
    return true;
}
