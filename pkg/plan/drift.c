/* SPDX-License-Identifier: Apache-2.0 */
/* Drift: what others have changed of the objects in force. An object is compared with its revision
 * only when it is not the one that was compared last, and then with a live read; fields and items
 * that others have added are theirs. */
#include "plan/pass.h"

#define STAGE_CORRECT   1 /* after it was told */
#define PATHS_MAX       8
/* Between two corrections of one object: whoever changes it back each time must not keep us busy.
 */
#define WAIT_MIN_MS     10000
#define WAIT_MAX_MS     600000
#define CORRECTIONS_MAX 7 /* doublings: by then the wait is the longest */

/* ---- what is proven -------------------------------------------------------------------------- */

static const struct json_t *recorded(const struct plan__pass *pass,
                                     const struct model_object *child)
{
    const struct json_t *apps = js_get(pass->stream.status, "apps");
    const char *part = model_is_workload(child->kind) ? "resource" : "service";

    for (size_t i = 0; i < js_len(apps); i++) {
        const struct json_t *record = js_get(js_at(apps, i), part);

        if (ps_streq(js_path_str(record, "uid"), child->uid))
            return record;
    }
    return NULL;
}

bool plan__is_proven(const struct plan__pass *pass, const struct model_object *child)
{
    const struct json_t *record = recorded(pass, child);

    if (child->written)
        return true;
    return model_is_workload(child->kind)
               ? js_path_int(record, "generation", -1) == child->generation
               : record != NULL && ps_streq(js_path_str(record, "resourceVersion"), child->rv);
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* What shall be there. A suspended stream's instances are looked after elsewhere. */
static struct json_t *wanted(const struct plan__pass *pass, const struct plan__object *o)
{
    struct json_t *body = js_copy(o->body);

    if (pass->stream.suspend && model_is_workload(o->kind))
        js_remove(js_get(body, "spec"), "replicas");
    return body;
}

static void tell_paths(struct plan__pass *pass, const struct plan__object *o,
                       const struct json_t *found, const struct json_t *body)
{
    PS_AUTO_BUF(paths, MODEL_MESSAGE_MAX);

    codec_diff_paths(&paths, body, found, PATHS_MAX);
    pass->drifted =
        ps_arena_printf(pass->arena, "%s%s%s %s/%s: %s", pass->drifted ? pass->drifted : "",
                        pass->drifted ? "; " : "", model_kind_name(o->kind), o->namespace, o->name,
                        ps_buf_text(&paths));
}

/* ---- correcting ------------------------------------------------------------------------------ */

/* How often it was corrected in a row, and how long to wait before the next time. */
struct patience {
    int64_t times, wait_ms;
};

static struct patience patience_of(const struct plan__pass *pass, const struct json_t *live)
{
    struct ps_str rest =
        ps_str(js_str(js_get(js_path(live, "metadata.annotations"), MODEL_ANNOTATION_CORRECTED)));
    struct ps_str part;
    int64_t last, times;

    if (rest.p == NULL || !ps_str_split(&rest, '/', &part) || !ps_str_to_i64(part, &last) ||
        rest.p == NULL || !ps_str_to_i64(rest, &times) || times < 1)
        return (struct patience){0, 0};
    if (times > CORRECTIONS_MAX)
        times = CORRECTIONS_MAX;
    const int64_t since = pass->s->now_ms > last ? pass->s->now_ms - last : 0;
    int64_t wait = (int64_t)WAIT_MIN_MS << (times - 1);

    wait = wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
    if (since >= wait + WAIT_MAX_MS)
        return (struct patience){0, 0};
    return (struct patience){times, since < wait ? wait - since : 0};
}

static void correct(struct plan__pass *pass, const struct plan__object *o,
                    const struct json_t *live, const struct json_t *diff)
{
    const struct patience patience = patience_of(pass, live);
    PS_AUTO_BUF(note, 64);

    if (patience.wait_ms > 0) {
        plan__wake(pass->plan, patience.wait_ms);
        return;
    }
    struct json_t *patch = js_object(), *metadata = js_child(patch, "metadata");

    plan__lay_over(patch, diff);
    if (o->kind == MODEL_STATEFUL_SET)
        plan__drop_fixed(patch);
    ps_buf_printf(&note, "%lld/%lld", (long long)pass->s->now_ms, (long long)patience.times + 1);
    js_set_str(js_child(metadata, "annotations"), MODEL_ANNOTATION_CORRECTED, ps_buf_text(&note));
    js_set_str(metadata, "resourceVersion", js_path_str(live, "metadata.resourceVersion"));
    plan__op(pass->plan, (struct plan_op){.stage = STAGE_CORRECT,
                                          .verb = PLAN_PATCH_STRATEGIC,
                                          .kind = o->kind,
                                          .namespace = o->namespace,
                                          .name = o->name,
                                          .cluster = o->cluster,
                                          .partial = true, /* is it so now? */
                                          .body = patch});
    pass->correcting = true;
    pass->plan->summary = "take back what others have changed";
}

/* ---- all together ---------------------------------------------------------------------------- */

static void compare(struct plan__pass *pass, struct plan__object *o, const struct json_t *live)
{
    struct json_t *body PS_AUTO_JS = wanted(pass, o);
    struct json_t *found PS_AUTO_JS = codec_managed(live, body);
    struct json_t *diff PS_AUTO_JS = codec_strategic_diff(found, body);

    if (diff == NULL) {
        o->proven_generation = js_path_int(live, "metadata.generation", 0);
        o->proven_rv = ps_arena_dup(pass->arena, js_path_str(live, "metadata.resourceVersion"));
        return;
    }
    tell_paths(pass, o, found, body);
    pass->drift_stays |= pass->barred && !pass->stream.report_drift;
    if (pass->stream.report_drift || pass->barred)
        return;
    if (plan__reach(pass->s, o->cluster, o->namespace) == PLAN__OPEN) {
        correct(pass, o, live, diff);
    } else {
        pass->drift_stays = true;
    }
}

/* The child of the object, where it can be looked at and is at its revision: others are about to be
 * written. */
static const struct model_object *settled_child(const struct plan__pass *pass,
                                                const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);

    return child != NULL && !child->deleting && child->revision == o->changed_in &&
                   plan__is_open(pass->s, o->cluster)
               ? child
               : NULL;
}

static void look_at(struct plan__pass *pass, struct plan__object *o,
                    const struct model_object *child)
{
    if (plan__is_proven(pass, child)) {
        o->proven_generation = child->generation;
        o->proven_rv = child->rv;
        return;
    }
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__key(o));

    if (fact == NULL)
        return;
    if (fact->seen == PLAN_PRESENT &&
        ps_streq(js_path_str(fact->object, "metadata.uid"), child->uid)) {
        compare(pass, o, fact->object);
    } else {
        pass->drift_unknown = true;
        plan__wake(pass->plan, PLAN__STALE_RECHECK_MS); /* the watch will bring it */
    }
}

void plan__stream_drift(struct plan__pass *pass)
{
    bool work = false;

    for (size_t i = 0; i < pass->objects.count && !work; i++) {
        const struct model_object *child = settled_child(pass, &pass->objects.items[i]);

        work = child != NULL && !plan__is_proven(pass, child);
    }
    if (work && !plan__need_bodies(pass)) {
        pass->drift_unknown = true;
        return;
    }
    for (size_t i = 0; i < pass->objects.count; i++) {
        const struct model_object *child = settled_child(pass, &pass->objects.items[i]);

        if (child != NULL)
            look_at(pass, &pass->objects.items[i], child);
    }
}
