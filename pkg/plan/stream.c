/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of a stream: what is wanted, which revision is in force, and then what to do about it.
 */
#include "plan/internal.h"

#include <stdlib.h>
#include <string.h>

#define CONFLICT_RECHECK_MS    30000 /* foreign objects are not watched */
#define PREDECESSOR_RECHECK_MS 5000
#define STALE_RECHECK_MS       1000
#define DIFF_PATHS_MAX         8

const struct model_object *plan__own_child(const struct plan__pass *pass, enum model_kind kind,
                                           const char *namespace, const char *name)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *o = pass->own[i];

        if (o->kind == kind && ps_streq(o->namespace, namespace) && ps_streq(o->name, name))
            return o;
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
    return ps_streq(child->namespace, s->namespace) && !child->has_owner;
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

        if (!o->deleting && !ps_streq(o->namespace, pass->s->namespace))
            plan__delete(pass->plan, 0, o);
    }
}

static void plan_gone(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    if (s->child_count == 0)
        return;
    const struct plan_fact *live = plan__ask(pass->plan, s, MODEL_STREAM, s->namespace, s->name);

    if (live == NULL)
        return;
    if (live->seen == PLAN_PRESENT) { /* the watch will bring it */
        plan__wake(pass->plan, STALE_RECHECK_MS);
        return;
    }
    sweep(pass, s->children, s->child_count);
    pass->plan->summary = "its StreamDeployment is gone: remove what it left";
}

/* True when the pass has to wait for the live CR. */
static bool handle_predecessors(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    if (pass->predecessor_count == 0)
        return false;
    const struct plan_fact *live = plan__ask(pass->plan, s, MODEL_STREAM, s->namespace, s->name);

    if (live == NULL)
        return true;
    if (live->seen == PLAN_PRESENT &&
        !ps_streq(js_path_str(live->object, "metadata.uid"), pass->stream.uid)) {
        plan__wake(pass->plan, STALE_RECHECK_MS);
        return true;
    }
    sweep(pass, pass->predecessors, pass->predecessor_count);
    pass->waiting_reason = "PredecessorTerminating";
    pass->waiting_message = ps_arena_printf(
        pass->arena, "waiting until %s %s/%s of an earlier StreamDeployment of this name is gone",
        model_kind_name(pass->predecessors[0]->kind), pass->predecessors[0]->namespace,
        pass->predecessors[0]->name);
    plan__wake(pass->plan, PREDECESSOR_RECHECK_MS);
    return false;
}

static void refuse(struct plan__pass *pass, const char *reason, const char *message)
{
    if (pass->refused_reason != NULL)
        return;
    pass->refused_reason = reason;
    pass->refused_message = message;
}

/* ---- what is wanted ------------------------------------------------------------------------- */

static void check_namespace(struct plan__pass *pass)
{
    const struct model_object *ns = pass->s->target_namespace;

    if (pass->waiting_reason != NULL)
        return;
    if (ns == NULL) {
        pass->waiting_reason = "NamespaceNotFound";
        pass->waiting_message =
            ps_arena_printf(pass->arena,
                            "namespace %s of PlatformAccount %s does not exist; Penstock "
                            "never creates it",
                            pass->target, pass->stream.platform);
    } else if (ns->deleting || ps_streq(ns->phase, "Terminating")) {
        pass->waiting_reason = "NamespaceTerminating";
        pass->waiting_message =
            ps_arena_printf(pass->arena, "namespace %s is being deleted", pass->target);
    }
}

/* Of two streams with the same names, the one that has objects keeps them; of two without, the
 * older goes first. */
static void check_rivals(struct plan__pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    for (size_t i = 0; i < s->rival_count && pass->current == NULL; i++) {
        const struct plan_rival *rival = &s->rivals[i];
        const bool older = rival->created_ms < pass->stream.created_ms ||
                           (rival->created_ms == pass->stream.created_ms &&
                            strcmp(rival->uid, pass->stream.uid) < 0);

        if (!older || !ps_streq(rival->target_namespace, pass->target))
            continue;
        pass->conflict =
            ps_arena_printf(pass->arena,
                            "StreamDeployment %s/%s already uses the stream name %s in namespace "
                            "%s; choose another "
                            "spec.streamName or another platform",
                            rival->namespace, rival->name, pass->stream.stream_name, pass->target);
        plan__wake(pass->plan, CONFLICT_RECHECK_MS);
        return;
    }
}

static struct plan__place place_of(const struct plan__pass *pass,
                                   const struct plan__objects *current, int64_t number)
{
    return (struct plan__place){.namespace = pass->target,
                                .installation = pass->s->installation,
                                .stream = &pass->stream,
                                .current = current,
                                .children = pass->own,
                                .child_count = pass->own_count,
                                .number = number};
}

static int64_t next_number(const struct plan__pass *pass)
{
    int64_t highest = 0;

    for (size_t i = 0; i < pass->own_count; i++) {
        if (pass->own[i]->revision > highest)
            highest = pass->own[i]->revision;
    }
    return highest + 1;
}

static bool render_as(struct plan__pass *pass, const struct plan__objects *current, int64_t number)
{
    const struct plan__place place = place_of(pass, current, number);
    const char *reason = "InvalidSpec";
    struct ps_err err;

    plan__objects_fini(&pass->fresh);
    pass->next = number;
    if (plan__render(pass->arena, &pass->wanted, &place, &pass->fresh, &reason, &err) == 0)
        return true;
    refuse(pass, reason, ps_arena_dup(pass->arena, err.message));
    return false;
}

/* Are the children just what the spec renders to, and their revision never arrived? Then it is made
 * once more under its own number, and what it lacked gets the names that it would have got. */
static bool lost_revision(struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *child = pass->own[i];
        const struct plan__object *o =
            plan__objects_find(&pass->fresh, child->kind, child->namespace, child->name);

        if (child->kind == MODEL_REVISION || child->deleting || o == NULL ||
            !ps_streq(child->body_hash, plan__body_hash(pass->arena, o->body)))
            return false;
        pass->fresh.items[o - pass->fresh.items].changed_in = child->revision;
    }
    return true;
}

static void render_fresh(struct plan__pass *pass, const struct plan__objects *current)
{
    const struct plan_snapshot *s = pass->s;

    if (s->account == NULL) {
        refuse(pass, "PlatformNotFound",
               ps_arena_printf(
                   pass->arena,
                   "spec.platform: there is no PlatformAccount %s (kubectl get pacct lists them)",
                   pass->stream.platform));
        return;
    }
    if (s->account->problem.code != 0) {
        refuse(pass, "PlatformInvalid",
               ps_arena_printf(pass->arena, "PlatformAccount %s: %s", s->account->name,
                               s->account->problem.message));
        return;
    }
    if (!s->account->for_streams) {
        refuse(
            pass, "UsageNotAllowed",
            ps_arena_printf(pass->arena,
                            "PlatformAccount %s is not for streams: its spec.usage has to contain "
                            "Stream; or name another account in spec.platform",
                            s->account->name));
        return;
    }
    plan__apps(pass->arena, &pass->stream, s->account, s->registry, &pass->wanted);
    if (pass->wanted.reason != NULL) {
        refuse(pass, pass->wanted.reason, pass->wanted.message);
        return;
    }
    const int64_t number = next_number(pass);

    if (!render_as(pass, current, pass->current == NULL && number > 1 ? number - 1 : number))
        return;
    if (pass->next != number && !lost_revision(pass))
        (void)render_as(pass, current, number);
}

/* ---- which revision is in force ------------------------------------------------------------- */

/* The data of the current revision; false while it has to be fetched, or cannot be read. */
static bool load_current(struct plan__pass *pass, struct plan__objects *out, struct json_t **input)
{
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, MODEL_REVISION,
                                             pass->current->namespace, pass->current->name);
    struct ps_err err;

    if (fact == NULL)
        return false;
    if (fact->seen == PLAN_ABSENT) {
        plan__wake(pass->plan, STALE_RECHECK_MS);
        return false;
    }
    if (plan__revision_read(pass->arena, fact->object, out, input, &err) == 0)
        return true;
    refuse(
        pass, "RevisionUnreadable",
        ps_arena_printf(pass->arena, "%s; delete it to make a new one from the spec", err.message));
    return false;
}

/* Does the spec as it was when the revision was made render today to what the spec of today renders
 * to? */
static bool same_rendering(struct plan__pass *pass, const struct json_t *old_input,
                           const struct plan__objects *current)
{
    struct json_t *object PS_AUTO_JS = js_copy(pass->stream.object);
    struct json_t *spec = js_copy(old_input);
    struct model_stream old;
    struct plan__wanted wanted;
    struct plan__objects rendered;
    const char *reason;

    js_set(object, "spec", spec);
    if (model_stream_read(pass->arena, object, &old, NULL) != 0 ||
        !ps_streq(old.platform, pass->stream.platform))
        return false; /* the account at hand is that of the new platform */
    plan__apps(pass->arena, &old, pass->s->account, pass->s->registry, &wanted);
    struct plan__place place = place_of(pass, current, next_number(pass));

    place.stream = &old;
    if (wanted.reason != NULL ||
        plan__render(pass->arena, &wanted, &place, &rendered, &reason, NULL) != 0)
        return false;
    const bool same = strcmp(rendered.hash, pass->fresh.hash) == 0;

    plan__objects_fini(&rendered);
    return same;
}

/* Takes `from` over as what shall be there. */
static void use_objects(struct plan__pass *pass, struct plan__objects *from, int64_t revision)
{
    pass->objects = *from;
    pass->revision = revision;
    *from = (struct plan__objects){0};
}

/* Objects that are as they were keep the number of the revision that changed them. */
static void keep_numbers(struct plan__objects *fresh, const struct plan__objects *old, bool compare)
{
    for (size_t i = 0; i < fresh->count; i++) {
        struct plan__object *o = &fresh->items[i];
        const struct plan__object *before = plan__objects_find(old, o->kind, o->namespace, o->name);

        if (before != NULL && (!compare || js_equal(o->body, before->body)))
            o->changed_in = before->changed_in;
    }
}

static bool create_revision(struct plan__pass *pass, int64_t number, const struct json_t *input)
{
    struct json_t *body = plan__revision_body(pass->arena, &pass->stream, pass->s->installation,
                                              number, input, &pass->fresh);

    if (body == NULL) {
        refuse(
            pass, "StreamTooLarge",
            "the stream's objects are larger than what Kubernetes keeps of a revision; split the "
            "stream, or give its apps fewer and shorter properties");
        return false;
    }
    plan__op(pass->plan, (struct plan_op){.stage = 1,
                                          .verb = PLAN_CREATE,
                                          .kind = MODEL_REVISION,
                                          .namespace = pass->stream.namespace,
                                          .name = js_path_str(body, "metadata.name"),
                                          .body = body});
    pass->busy = true;
    return true;
}

static void first_revision(struct plan__pass *pass)
{
    struct json_t *input PS_AUTO_JS = plan__spec_input(&pass->stream);
    const int64_t number = pass->next;

    if (pass->waiting_reason != NULL || pass->conflict != NULL)
        return;
    if (create_revision(pass, number, input))
        use_objects(pass, &pass->fresh, number);
}

static void outdated_paths(struct plan__pass *pass, const struct plan__objects *current)
{
    PS_AUTO_BUF(text, MODEL_MESSAGE_MAX);

    for (size_t i = 0; i < pass->fresh.count; i++) {
        const struct plan__object *o = &pass->fresh.items[i];
        const struct plan__object *before =
            plan__objects_find(current, o->kind, o->namespace, o->name);

        if (before != NULL && js_equal(before->body, o->body))
            continue;
        ps_buf_printf(&text, "%s%s %s: ", text.n ? "; " : "", model_kind_name(o->kind), o->name);
        if (before == NULL) {
            ps_buf_str(&text, "new");
        } else {
            codec_diff_paths(&text, before->body, o->body, DIFF_PATHS_MAX);
        }
    }
    pass->outdated = ps_arena_printf(
        pass->arena,
        "account, registry or operator would now render it differently (%s); nothing restarts by "
        "itself: change the annotation " MODEL_ANNOTATION_REDEPLOY " to take it over",
        ps_buf_text(&text));
}

/* The spec renders, and not to what the current revision has. */
static void changed_rendering(struct plan__pass *pass, struct plan__objects *names,
                              bool spec_changed, bool redeploy)
{
    struct json_t *old_input PS_AUTO_JS = NULL, *input PS_AUTO_JS = plan__spec_input(&pass->stream);
    struct plan__objects current;

    if (!load_current(pass, &current, &old_input)) {
        use_objects(pass, names, pass->current->revision);
        return;
    }
    if (!redeploy && (!spec_changed || same_rendering(pass, old_input, &current))) {
        outdated_paths(pass, &current);
        use_objects(pass, &current, pass->current->revision);
        return;
    }
    if (pass->waiting_reason == NULL) {
        keep_numbers(&pass->fresh, &current, true);
        if (create_revision(pass, next_number(pass), input))
            pass->plan->summary = "new revision";
    }
    use_objects(pass, &current, pass->current->revision);
}

/* The spec is the one that the current revision was made from: it was valid then, and registry and
 * account are read only when a revision is made. */
static void accepted_before(struct plan__pass *pass)
{
    pass->outdated = ps_arena_printf(
        pass->arena,
        "account or registry have changed: deployed now, it would be refused (%s: %s); "
        "what runs goes on",
        pass->refused_reason, pass->refused_message);
    pass->refused_reason = pass->refused_message = NULL;
}

static void choose_revision(struct plan__pass *pass)
{
    struct json_t *input PS_AUTO_JS = plan__spec_input(&pass->stream);
    struct plan__objects current = {0};
    char hash[CODEC_SHA256_HEX];
    struct ps_err err;

    plan__spec_hash(input, hash);
    if (pass->current != NULL &&
        plan__manifest_read(pass->arena, pass->current->manifest, &current, &err) != 0) {
        refuse(
            pass, "RevisionUnreadable",
            ps_arena_printf(pass->arena,
                            "ControllerRevision %s: %s; delete it to make a new one from the spec",
                            pass->current->name, err.message));
        pass->blind = true; /* nobody knows what shall be there: touch nothing */
        return;
    }
    if (pass->refused_reason == NULL)
        render_fresh(pass, &current);
    const bool redeploy =
        pass->current != NULL && !ps_streq(pass->stream.redeploy ? pass->stream.redeploy : "",
                                           pass->current->redeploy ? pass->current->redeploy : "");

    if (pass->fresh.count == 0) { /* refused: what runs stays as it is */
        if (pass->current != NULL && !redeploy && pass->s->account != NULL &&
            ps_streq(hash, pass->current->spec_hash))
            accepted_before(pass);
        if (pass->current != NULL)
            use_objects(pass, &current, pass->current->revision);
        return;
    }
    if (pass->current == NULL) {
        first_revision(pass);
        return;
    }
    if (redeploy || !ps_streq(pass->fresh.hash, pass->current->render_hash)) {
        changed_rendering(pass, &current, !ps_streq(hash, pass->current->spec_hash), redeploy);
        return;
    }
    keep_numbers(&pass->fresh, &current, false);
    use_objects(pass, &pass->fresh, pass->current->revision);
}

/* ---- the pass ------------------------------------------------------------------------------- */

void plan__patch_stream(struct plan__pass *pass, struct json_t *body)
{
    plan__op(pass->plan, (struct plan_op){.stage = 0,
                                          .verb = PLAN_PATCH,
                                          .kind = MODEL_STREAM,
                                          .namespace = pass->stream.namespace,
                                          .name = pass->stream.name,
                                          .body = body});
}

static void add_finalizer(struct plan__pass *pass)
{
    struct json_t *body = js_object(), *metadata = js_child(body, "metadata");
    struct json_t *finalizers = js_copy(js_path(pass->stream.object, "metadata.finalizers"));

    if (finalizers == NULL)
        finalizers = js_array();
    js_push(finalizers, js_string(MODEL_FINALIZER));
    js_set_str(metadata, "resourceVersion", pass->stream.rv);
    js_set(metadata, "finalizers", finalizers);
    plan__patch_stream(pass, body);
}

static bool writes_elsewhere(const struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->plan->op_count; i++) {
        if (pass->plan->ops[i].verb == PLAN_CREATE &&
            !ps_streq(pass->plan->ops[i].namespace, pass->stream.namespace))
            return true;
    }
    return false;
}

static void reconcile(struct plan__pass *pass)
{
    pass->target = pass->s->account == NULL      ? NULL
                   : pass->s->account->namespace ? pass->s->account->namespace
                                                 : pass->stream.namespace;
    if (handle_predecessors(pass))
        return;
    if (pass->target != NULL) {
        check_namespace(pass);
        check_rivals(pass);
    }
    choose_revision(pass);
    if (pass->plan->need_count > 0)
        return;
    plan__stream_children(pass);
    if (pass->plan->need_count > 0)
        return;
    if (writes_elsewhere(pass) && !pass->stream.has_finalizer)
        add_finalizer(pass);
    plan__stream_status(pass);
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
        refuse(&pass, "InvalidSpec", ps_arena_dup(pass.arena, err.message));
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
