/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of a stream: what stands in its way, and in which order its parts are asked. */
#include "plan/pass.h"

#include <stdlib.h>
#include <string.h>

#define CONFLICT_RECHECK_MS    30000 /* foreign objects are not watched */
#define PREDECESSOR_RECHECK_MS 5000

const struct model_object *plan__own_child(const struct plan__pass *pass,
                                           const struct plan__object *o)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *child = pass->own[i];

        if (child->kind == o->kind && ps_streq(child->namespace, o->namespace) &&
            ps_streq(child->name, o->name) && ps_streq(child->cluster, o->cluster))
            return child;
    }
    return NULL;
}

static int newest_first(const void *a, const void *b)
{
    const struct model_object *x = *(const struct model_object *const *)a,
                              *y = *(const struct model_object *const *)b;

    if (x->revision != y->revision)
        return x->revision < y->revision ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* Beside its CR a child has an owner reference, unless someone deleted the CR with
 * --cascade=orphan: then it is theirs. */
static bool is_orphaned(const struct plan_snapshot *s, const struct model_object *child)
{
    return plan__is_beside(s, child) && !child->has_owner;
}

/* Children whose owner uid is another one belong to a CR of the same name that is gone. */
static void sort_children(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    pass->own = ps_arena_array(pass->arena, s->child_count, sizeof(const struct model_object *));
    pass->predecessors =
        ps_arena_array(pass->arena, s->child_count, sizeof(const struct model_object *));
    for (size_t i = 0; i < s->child_count; i++) {
        if (ps_streq(s->children[i]->owner_uid, pass->stream.uid)) {
            pass->own[pass->own_count++] = s->children[i];
        } else if (!is_orphaned(s, s->children[i])) {
            pass->predecessors[pass->predecessor_count++] = s->children[i];
        }
    }
    if (pass->own_count > 1)
        qsort(pass->own, pass->own_count, sizeof(const struct model_object *), newest_first);
    for (size_t i = 0; i < pass->own_count && pass->current == NULL; i++) {
        if (pass->own[i]->kind == MODEL_REVISION && !pass->own[i]->deleting &&
            pass->own[i]->revision > 0)
            pass->current = pass->own[i];
    }
}

/* Deletes what a CR that no longer exists has left in other namespaces; beside it, Kubernetes' own
 * collector does that (and honours --cascade=orphan). */
static void sweep(struct plan__pass *pass, const struct model_object *const *children, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct model_object *o = children[i];

        if (!o->deleting && !plan__is_beside(pass->s, o) && plan__is_open(pass->s, o->cluster))
            plan__delete(pass->plan, 0, o);
    }
}

static void plan_gone(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    if (s->child_count == 0 || !plan__is_confirmed(pass->plan, s, MODEL_STREAM))
        return;
    sweep(pass, s->children, s->child_count);
    pass->plan->summary = "its StreamDeployment is gone: remove what it left";
}

/* True when the pass has to wait for the live CR. */
static bool handle_predecessors(struct plan__pass *pass)
{
    if (pass->predecessor_count == 0)
        return false;
    if (!plan__is_confirmed(pass->plan, pass->s, MODEL_STREAM))
        return true;
    sweep(pass, pass->predecessors, pass->predecessor_count);
    pass->waiting_reason = "PredecessorTerminating";
    pass->waiting_message = ps_arena_printf(
        pass->arena, "waiting until %s %s/%s of an earlier StreamDeployment of this name is gone",
        model_kind_name(pass->predecessors[0]->kind), pass->predecessors[0]->namespace,
        pass->predecessors[0]->name);
    plan__wake(pass->plan, PREDECESSOR_RECHECK_MS);
    return false;
}

void plan__stream_refuse(struct plan__pass *pass, const char *reason, const char *message)
{
    if (pass->refused_reason != NULL)
        return;
    pass->refused_reason = reason;
    pass->refused_message = message;
}

/* ---- what stands in the way
 * ------------------------------------------------------------------------- */

/* An app is on it. While nobody knows, as the spec is refused: all that the spec names. */
static bool is_used(const struct plan__pass *pass, const struct plan_platform *platform)
{
    for (size_t i = 0; i < pass->wanted.count; i++) {
        if (ps_streq(pass->wanted.apps[i].platform, platform->name))
            return true;
    }
    return pass->wanted.count == 0;
}

static void check_namespace(struct plan__pass *pass, const struct plan_platform *platform)
{
    const struct model_object *ns = platform->target;
    const char *name = plan__target_of(pass->s, platform->account);

    const char *cluster = plan__cluster_of(platform->account);

    if (pass->waiting_reason != NULL || !plan__is_open(pass->s, cluster))
        return;
    if (cluster != NULL && platform->account->deleting &&
        !model_names_has(plan__recorded_clusters(pass->s->cr), cluster)) {
        pass->waiting_reason = "PlatformTerminating";
        pass->waiting_message =
            ps_arena_printf(pass->arena, "PlatformAccount %s is being deleted", platform->name);
    } else if (ns == NULL) {
        pass->waiting_reason = "NamespaceNotFound";
        pass->waiting_message =
            ps_arena_printf(pass->arena,
                            "namespace %s of PlatformAccount %s does not exist; Penstock "
                            "never creates it",
                            name, platform->name);
    } else if (ns->deleting || ps_streq(ns->phase, "Terminating")) {
        pass->waiting_reason = "NamespaceTerminating";
        pass->waiting_message = ps_arena_printf(pass->arena, "namespace %s is being deleted", name);
    }
}

static bool is_older(int64_t created_ms, const char *uid, int64_t than_ms, const char *than_uid)
{
    return created_ms < than_ms || (created_ms == than_ms && strcmp(uid, than_uid) < 0);
}

static bool goes_first(const struct plan__pass *pass, const struct plan_rival *rival)
{
    return is_older(rival->created_ms, rival->uid, pass->stream.created_ms, pass->stream.uid);
}

/* The namespace that both deploy into, or NULL. */
static const char *meeting_place(const struct plan__pass *pass, const struct plan_rival *rival)
{
    const struct plan_snapshot *s = pass->s;

    for (size_t i = 0; i < s->platform_count; i++) {
        const struct plan_platform *platform = &s->platforms[i];

        if (platform->account == NULL || !is_used(pass, platform))
            continue;
        const char *target = plan__target_of(s, platform->account);
        const char *cluster = plan__cluster_of(platform->account);

        for (size_t k = 0; k < rival->target_count; k++) {
            if (ps_streq(rival->targets[k], target) && ps_streq(rival->target_clusters[k], cluster))
                return target;
        }
    }
    return NULL;
}

/* Of two streams with the same names, the one that has objects keeps them; of two without, the
 * older goes first. */
static void check_rivals(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    for (size_t i = 0; i < s->rival_count && pass->current == NULL; i++) {
        const struct plan_rival *rival = &s->rivals[i];
        const char *place = goes_first(pass, rival) ? meeting_place(pass, rival) : NULL;

        if (place == NULL)
            continue;
        pass->conflict =
            ps_arena_printf(pass->arena,
                            "StreamDeployment %s/%s already uses the stream name %s in namespace "
                            "%s; choose another "
                            "spec.streamName or another platform",
                            rival->namespace, rival->name, pass->stream.stream_name, place);
        plan__wake(pass->plan, CONFLICT_RECHECK_MS);
        return;
    }
}

/* Of the accounts that the stream uses; they name the same, or it is not deployed. */
static const char *cluster_of(const struct plan__pass *pass)
{
    const char *id = NULL;

    for (size_t i = 0; id == NULL && i < pass->s->platform_count; i++) {
        const struct plan_platform *platform = &pass->s->platforms[i];

        if (platform->account != NULL && is_used(pass, platform))
            id = platform->account->cluster_id;
    }
    return id;
}

/* In one namespace they are rivals: only one of them is deployed. */
static bool shares_destinations(const struct plan__pass *pass, const struct plan_rival *rival,
                                const char *cluster_id)
{
    return ps_streq(rival->cluster_id, cluster_id) &&
           ps_streq(rival->stream_name, pass->stream.stream_name) &&
           meeting_place(pass, rival) == NULL;
}

/* Destinations and groups are named by the stream: two of one name on the same brokers mix. Names
 * the oldest of the others, whatever their order. */
static void check_destinations(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;
    const char *cluster_id = cluster_of(pass);
    const struct plan_rival *first = NULL;
    size_t count = 0;

    for (size_t i = 0; cluster_id != NULL && i < s->rival_count; i++) {
        const struct plan_rival *rival = &s->rivals[i];

        if (!shares_destinations(pass, rival, cluster_id))
            continue;
        count++;
        if (first == NULL || is_older(rival->created_ms, rival->uid, first->created_ms, first->uid))
            first = rival;
    }
    if (first == NULL)
        return;
    const char *more = count > 1 ? ps_arena_printf(pass->arena, " and %zu more", count - 1) : "";

    pass->shared = ps_arena_printf(
        pass->arena,
        "the stream name %s is also that of the %s StreamDeployment %s/%s%s, on the same brokers "
        "(binder.clusterId %s): the apps of all of them write to and read from the same "
        "destinations; choose another spec.streamName",
        pass->stream.stream_name, goes_first(pass, first) ? "older" : "younger", first->namespace,
        first->name, more, cluster_id);
}

void plan__stream_obstacles(struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->s->platform_count; i++) {
        const struct plan_platform *platform = &pass->s->platforms[i];

        if (platform->account != NULL && is_used(pass, platform))
            check_namespace(pass, platform);
    }
    check_rivals(pass);
    check_destinations(pass);
}

/* ---- the pass ------------------------------------------------------------------------------- */

static bool writes_elsewhere(const struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->plan->op_count; i++) {
        const struct plan_op *op = &pass->plan->ops[i];

        if (op->verb == PLAN_CREATE &&
            (op->cluster != NULL || !ps_streq(op->namespace, pass->stream.namespace)))
            return true;
    }
    return false;
}

/* What is taken back is told before: afterwards nothing is left of it. */
static void tell_first(struct plan *plan, const struct model_stream *stream)
{
    if (plan->status == NULL)
        return;
    plan__op(plan, (struct plan_op){.stage = 0,
                                    .verb = PLAN_PATCH_STATUS,
                                    .kind = MODEL_STREAM,
                                    .namespace = stream->namespace,
                                    .name = stream->name,
                                    .body = plan->status});
    plan->status = NULL;
}

static void reconcile(struct plan__pass *pass)
{
    if (handle_predecessors(pass))
        return;
    plan__stream_revision(pass);
    if (pass->plan->need_count > 0)
        return;
    plan__stream_clusters(pass);
    plan__stream_children(pass);
    if (pass->plan->need_count > 0)
        return;
    if ((writes_elsewhere(pass) || pass->stream.orphan) && !pass->stream.has_finalizer)
        pass->hold = true;
    plan__stream_record(pass);
    plan__stream_status(pass);
    if (pass->correcting)
        tell_first(pass->plan, &pass->stream);
}

struct plan *plan_stream(const struct plan_snapshot *snapshot)
{
    struct plan *plan = plan__new();
    struct plan__pass pass = {.s = snapshot, .plan = plan, .arena = &plan->arena};
    struct ps_err err = {0};

    if (snapshot->cr == NULL) {
        plan_gone(&pass);
        return plan;
    }
    if (model_stream_read(pass.arena, snapshot->cr, &pass.stream, &err) != 0)
        plan__stream_refuse(&pass, "InvalidSpec", ps_arena_dup(pass.arena, err.message));
    sort_children(&pass);
    if (pass.stream.deleting) {
        plan__stream_cleanup(&pass);
    } else {
        reconcile(&pass);
    }
    plan__objects_fini(&pass.fresh);
    plan__objects_fini(&pass.objects);
    return plan;
}
