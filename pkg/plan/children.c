/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of a stream, second half: what is there against what shall be there. */
#include "plan/pass.h"

#include <string.h>

#define CONFLICT_RECHECK_MS 30000 /* foreign objects are not watched */
#define STAGE_CHILDREN      1     /* with the first revision; later revisions come alone */
#define STAGE_REMOVE        2

/* ---- revisions' bodies, on demand ----------------------------------------------------------- */

bool plan__need_bodies(struct plan__pass *pass)
{
    struct plan__objects loaded;
    struct ps_err err;

    ps_assert(pass->current != NULL || pass->objects.count == 0 ||
              pass->objects.items[0].body != NULL);
    if (pass->current == NULL || pass->objects.count == 0 || pass->objects.items[0].body != NULL)
        return true;
    if (pass->remembered && plan__stream_bodies(pass))
        return true;
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__key_of(pass->current));

    if (fact == NULL || fact->seen != PLAN_PRESENT ||
        plan__revision_read(pass->arena, fact->object, &loaded, NULL, &err) != 0)
        return false;
    plan__objects_fini(&pass->objects);
    pass->objects = loaded;
    return true;
}

/* The newest revision in which the object stands as revision `number` left it; NULL when there is
 * none. */
static const struct model_object *revision_with(struct plan__pass *pass,
                                                const struct plan__object *o, int64_t number)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        struct plan__objects manifest;
        struct ps_err err;

        if (pass->own[i]->kind != MODEL_REVISION ||
            plan__manifest_read(pass->arena, pass->own[i]->manifest, &manifest, &err) != 0) {
            continue;
        }
        const struct plan__object *there = plan__objects_find(&manifest, plan__key(o));

        if (there != NULL && there->changed_in == number) {
            return pass->own[i];
        }
    }
    return NULL;
}

/* The body of an object as revision `number` left it; NULL when nobody knows it any more. *wait is
 * set while the revision has to be fetched. New reference. */
static struct json_t *body_in(struct plan__pass *pass, const struct plan__object *o, int64_t number,
                              bool *wait)
{
    const struct model_object *revision = revision_with(pass, o, number);
    struct plan__objects old;
    struct ps_err err;

    if (revision == NULL) {
        return NULL;
    }
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__key_of(revision));

    *wait = fact == NULL;
    if (fact == NULL || fact->seen != PLAN_PRESENT ||
        plan__revision_read(pass->arena, fact->object, &old, NULL, &err) != 0) {
        return NULL;
    }
    const struct plan__object *before = plan__objects_find(&old, plan__key(o));
    struct json_t *body = before ? js_ref(before->body) : NULL;

    plan__objects_fini(&old);
    return body;
}

/* A child in another cluster comes after the revision that tells of it: it may be out of sight when
 * the next pass looks. */
static void create_op(struct plan__pass *pass, const struct plan__object *o, struct json_t *body)
{
    const bool after = o->cluster != NULL && pass->current == NULL;

    plan__op(pass->plan, (struct plan_op){.stage = after ? STAGE_REMOVE : STAGE_CHILDREN,
                                          .verb = PLAN_CREATE,
                                          .kind = o->kind,
                                          .namespace = o->namespace,
                                          .name = o->name,
                                          .cluster = o->cluster,
                                          .body = body});
}

/* ---- create --------------------------------------------------------------------------------- */

static struct plan__place place_of(const struct plan__pass *pass, const struct plan__object *o)
{
    return (struct plan__place){.namespace = o->namespace,
                                .account_uid = plan__account_uid(pass->s, o->cluster),
                                .installation = pass->s->installation,
                                .stream = &pass->stream};
}

static const char *component(enum model_kind kind)
{
    return model_is_workload(kind) ? "app" : "service";
}

static void note_suspended(struct json_t *body, int64_t replicas, bool suspended)
{
    struct json_t *annotations = js_child(js_child(body, "metadata"), "annotations");
    PS_AUTO_BUF(text, 32);

    if (suspended)
        ps_buf_printf(&text, "%lld", (long long)replicas);
    js_set(annotations, MODEL_ANNOTATION_SUSPENDED,
           suspended ? js_string(ps_buf_text(&text)) : js_null());
}

/* Tells a later pass what was written, should the revision that knows it be lost. */
static void note_body(struct plan__pass *pass, const struct plan__object *o, struct json_t *body)
{
    js_set_str(js_child(js_child(body, "metadata"), "annotations"), MODEL_ANNOTATION_BODY_HASH,
               plan__object_hash(pass->arena, o));
}

static void create_child(struct plan__pass *pass, const struct plan__object *o)
{
    struct json_t *body = js_copy_top(o->body);
    const struct plan__place place = place_of(pass, o);

    js_set(body, "metadata", js_copy(js_get(o->body, "metadata")));
    plan__own_labels(js_child(body, "metadata"), &place, o->app, o->changed_in, component(o->kind));
    note_body(pass, o, body);
    if (o->kind == MODEL_STATEFUL_SET) {
        js_set_str(js_child(js_child(body, "metadata"), "annotations"), MODEL_ANNOTATION_FIXED_HASH,
                   plan__fixed_hash(pass->arena, o->body));
    }
    if (model_is_workload(o->kind) && pass->stream.suspend) {
        note_suspended(body, js_path_int(body, "spec.replicas", 1), true);
        js_set(body, "spec", js_copy_top(js_get(o->body, "spec")));
        js_set_int(js_child(body, "spec"), "replicas", 0);
    }
    create_op(pass, o, body);
    pass->busy = true;
}

static const char *holder_text(struct plan__pass *pass, const struct json_t *holder)
{
    const char *owner =
        js_str(js_get(js_path(holder, "metadata.annotations"), MODEL_ANNOTATION_OWNER));
    const char *manager =
        js_str(js_get(js_path(holder, "metadata.labels"), "app.kubernetes.io/managed-by"));

    if (owner != NULL)
        return ps_arena_printf(pass->arena, "%s", owner);
    return manager ? ps_arena_printf(pass->arena, "%s", manager)
                   : "someone else (it carries no owner of ours)";
}

/* The name is taken, as a live read has shown. */
static void found_holder(struct plan__pass *pass, const struct plan__object *o,
                         const struct json_t *holder)
{
    const char *uid = js_str(js_get(js_path(holder, "metadata.labels"), MODEL_LABEL_OWNER_UID));

    if (ps_streq(uid, pass->stream.uid)) { /* ours: its watch event is on the way */
        pass->busy |= plan__adopt(pass->plan, pass->s, plan__key(o), holder);
        plan__wake(pass->plan, 1000);
        return;
    }
    pass->conflict =
        ps_arena_printf(pass->arena,
                        "%s %s/%s belongs to %s; Penstock does not touch it. Remove or rename it, "
                        "or choose another "
                        "spec.streamName",
                        model_kind_name(o->kind), o->namespace, o->name, holder_text(pass, holder));
    plan__wake(pass->plan, CONFLICT_RECHECK_MS);
}

static bool knows_all_accounts(const struct plan_snapshot *s)
{
    for (size_t i = 0; i < s->platform_count; i++) {
        if (s->platforms[i].account == NULL)
            return false;
    }
    return true;
}

/* A ControllerRevision is written beside the CR, where others than us may write, too: nothing is
 * created outside the namespaces that the accounts lead to, whatever a revision says. */
static bool may_create(struct plan__pass *pass, const struct plan__object *o)
{
    if (plan__reach(pass->s, o->cluster, o->namespace) == PLAN__OPEN)
        return true;
    if (knows_all_accounts(pass->s) && pass->refused_reason == NULL) {
        pass->refused_reason = "RevisionUnreadable";
        pass->refused_message = ps_arena_printf(
            pass->arena,
            "the revision in force wants %s %s/%s, but no PlatformAccount that the spec names "
            "leads to namespace %s%s%s; delete the revision to make a new one from the spec",
            model_kind_name(o->kind), o->namespace, o->name, o->namespace,
            o->cluster ? " of the cluster of " : "", o->cluster ? o->cluster : "");
    }
    return false;
}

/* Of two StatefulSets of one app each would have an instance 0. The old one goes first, when
 * nothing else is in the new one's way. True while it is there. */
static bool numbers_are_taken(struct plan__pass *pass, const struct plan__object *o)
{
    const char *unseen = plan__unseen_numbers(pass, o);

    if (unseen != NULL) {
        pass->replacing = unseen;
        return true;
    }
    for (size_t i = 0; o->kind == MODEL_STATEFUL_SET && i < pass->own_count; i++) {
        const struct model_object *old = pass->own[i];

        if (old->kind != o->kind || !ps_streq(old->app, o->app))
            continue;
        pass->replacing = ps_arena_printf(
            pass->arena,
            "app %s: StatefulSet %s/%s waits until the instances of %s/%s are gone: two of one "
            "number must not run",
            o->app, o->namespace, o->name, old->namespace, old->name);
        if (!old->deleting && plan__is_open(pass->s, old->cluster) &&
            plan__ask(pass->plan, pass->s, plan__key(o)) != NULL)
            plan__delete(pass->plan, STAGE_REMOVE, old);
        return true;
    }
    return false;
}

/* It is gone, or was made through an account that is no more, whose objects are not watched. As
 * many at once as can be asked for. */
static void look_for(struct plan__pass *pass, const struct plan__object *o)
{
    if (pass->s->fact_count < PLAN_NEEDS_MAX) {
        plan__need(pass->plan, plan__key(o));
    } else {
        plan__wake(pass->plan, PLAN__STALE_RECHECK_MS);
    }
}

static void missing_child(struct plan__pass *pass, const struct plan__object *o)
{
    const struct plan_fact *fact = plan__fact(pass->s, plan__key(o));

    if (fact == NULL && plan__was_there(pass, o)) {
        look_for(pass, o);
    } else if (fact != NULL && fact->seen == PLAN_PRESENT) {
        found_holder(pass, o, fact->object);
    } else if (pass->waiting_reason == NULL && (pass->conflict == NULL || pass->current != NULL) &&
               may_create(pass, o) && !numbers_are_taken(pass, o)) {
        create_child(pass, o);
    }
}

/* ---- update --------------------------------------------------------------------------------- */

/* What others may have changed elsewhere in the child stays to be found. */
static void patch_op(struct plan__pass *pass, const struct plan__object *o,
                     const struct model_object *child, struct json_t *body)
{
    plan__op(pass->plan, (struct plan_op){.stage = STAGE_CHILDREN,
                                          .verb = PLAN_PATCH_STRATEGIC,
                                          .kind = o->kind,
                                          .namespace = o->namespace,
                                          .name = o->name,
                                          .cluster = o->cluster,
                                          .partial = !plan__is_proven(pass, child),
                                          .body = body});
}

static struct json_t *patch_head(const struct model_object *child)
{
    struct json_t *body = js_object();

    js_set_str(js_child(body, "metadata"), "resourceVersion", child->rv);
    return body;
}

void plan__lay_over(struct json_t *onto, const struct json_t *from)
{
    void *at = NULL;
    const char *key;
    struct json_t *value;

    while (js_next(from, &at, &key, &value)) {
        void *inner = NULL;
        const char *name;
        struct json_t *member;

        if (js_type(value) != JS_OBJECT) {
            js_set(onto, key, js_copy(value));
            continue;
        }
        while (js_next(value, &inner, &name, &member))
            js_set(js_child(onto, key), name, js_copy(member));
    }
}

static int64_t number_of(const char *text, int64_t otherwise)
{
    int64_t value;

    return text != NULL && ps_str_to_i64(ps_str(text), &value) ? value : otherwise;
}

/* How many instances run while not suspended: the count that is asked for, else as many as there
 * were. */
static int64_t wanted_replicas(const struct plan__object *o, const struct model_object *child)
{
    const char *noted = child->replicas_before_suspend;

    return js_path_int(o->body, "spec.replicas", noted ? number_of(noted, 1) : child->replicas);
}

/* While suspended a patch must not start instances: a new count is noted for later. A count that is
 * no longer given leaves the instances to others; only from 0 somebody has to start one. */
static void patch_replicas(const struct plan__pass *pass, const struct plan__object *o,
                           const struct model_object *child, struct json_t *patch)
{
    const bool noted = child->replicas_before_suspend != NULL;
    const bool dropped = js_type(js_path(patch, "spec.replicas")) == JS_NULL;
    int64_t wanted = wanted_replicas(o, child);

    if (!model_is_workload(o->kind))
        return;
    if (dropped) {
        wanted = wanted > 0 ? wanted : 1;
        js_remove(js_get(patch, "spec"), "replicas");
    }
    if (pass->stream.suspend) {
        note_suspended(patch, wanted, true);
        js_set_int(js_child(patch, "spec"), "replicas", 0);
    } else if (noted || (dropped && child->replicas == 0)) {
        note_suspended(patch, 0, false);
        js_set_int(js_child(patch, "spec"), "replicas", wanted);
    }
}

static void replace_list(struct json_t *list)
{
    struct json_t *mark = js_object();

    js_set_str(mark, "$patch", "replace");
    if (js_type(list) == JS_ARRAY) {
        js_push(list, mark);
    } else {
        js_unref(mark);
    }
}

/* When nobody knows what it was, everything that we manage is written again, and lists as a whole:
 * a strategic patch would leave in them what an unknown revision had. */
static void write_whole(struct json_t *patch)
{
    static const char *const lists[] = {"spec.template.spec.containers",
                                        "spec.template.spec.initContainers",
                                        "spec.template.spec.volumes", "spec.ports"};

    for (size_t i = 0; i < PS_ARRAY_LEN(lists); i++)
        replace_list(js_path(patch, lists[i]));
}

static void changed_child(struct plan__pass *pass, const struct plan__object *o,
                          const struct model_object *child)
{
    bool wait = false;
    struct json_t *before PS_AUTO_JS = body_in(pass, o, child->revision, &wait);
    struct json_t *empty PS_AUTO_JS = js_object();
    PS_AUTO_BUF(number, 32);

    if (wait)
        return;
    struct json_t *diff PS_AUTO_JS = codec_strategic_diff(before ? before : empty, o->body);
    struct json_t *patch = patch_head(child);

    plan__lay_over(patch, diff);
    if (before == NULL)
        write_whole(patch);
    if (o->kind == MODEL_STATEFUL_SET)
        plan__drop_fixed(patch);
    js_remove(patch, "apiVersion");
    js_remove(patch, "kind");
    js_remove(js_child(patch, "metadata"), "name");
    js_remove(js_child(patch, "metadata"), "namespace");
    ps_buf_printf(&number, "%lld", (long long)o->changed_in);
    js_set_str(js_child(js_child(patch, "metadata"), "labels"), MODEL_LABEL_REVISION,
               ps_buf_text(&number));
    note_body(pass, o, patch);
    patch_replicas(pass, o, child, patch);
    patch_op(pass, o, child, patch);
    pass->busy = true;
}

static bool suspend_differs(const struct plan__pass *pass, const struct plan__object *o,
                            const struct model_object *child)
{
    const bool noted = child->replicas_before_suspend != NULL;

    return model_is_workload(o->kind) &&
           (pass->stream.suspend ? !noted || child->replicas != 0 : noted);
}

static void suspend_child(struct plan__pass *pass, const struct plan__object *o,
                          const struct model_object *child)
{
    struct json_t *patch = patch_head(child);

    patch_replicas(pass, o, child, patch);
    patch_op(pass, o, child, patch);
    pass->busy = true;
    pass->plan->summary = pass->stream.suspend ? "suspend" : "resume";
}

/* True when something has to be done for which the object's body must be known. */
static bool differs(const struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);

    if (child == NULL)
        return true;
    return !child->deleting &&
           (child->revision != o->changed_in || suspend_differs(pass, o, child));
}

/* Nothing is written where no account leads to that the stream names and may use; what runs there
 * may still be stopped. A child that is missing elsewhere is told of, see may_create. */
static bool is_held_back(const struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);
    const enum plan__reach reach = plan__reach(pass->s, o->cluster, o->namespace);

    if (!plan__is_open(pass->s, o->cluster) || reach == PLAN__AWAY)
        return true;
    if (!pass->barred && (reach == PLAN__OPEN || (child == NULL && reach == PLAN__ELSEWHERE)))
        return false;
    return child == NULL || !pass->stream.suspend || !suspend_differs(pass, o, child);
}

/* The account's own pass makes it ready, and its watch tells; looked at again in any case. */
static void wait_for_account(struct plan__pass *pass, const char *cluster)
{
    pass->preparing = cluster;
    plan__wake(pass->plan, PLAN__PREPARING_RECHECK_MS);
}

static void one_child(struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);
    const enum plan__reach reach = plan__reach(pass->s, o->cluster, o->namespace);

    if (is_held_back(pass, o)) {
        pass->held_back |=
            (pass->barred || reach == PLAN__BARRED) && plan__is_open(pass->s, o->cluster);
        if (reach == PLAN__AWAY && plan__is_open(pass->s, o->cluster))
            wait_for_account(pass, o->cluster);
    } else if (child == NULL) {
        missing_child(pass, o);
    } else if (child->revision != o->changed_in && reach == PLAN__OPEN && !pass->barred) {
        changed_child(pass, o, child);
    } else {
        suspend_child(pass, o, child);
    }
}

/* ---- remove --------------------------------------------------------------------------------- */

/* An app that has moved keeps its old workload until the new one is ready. */
static bool is_replaced(const struct plan__pass *pass, const struct model_object *old)
{
    for (size_t i = 0; i < pass->objects.count; i++) {
        const struct plan__object *o = &pass->objects.items[i];

        if (!model_is_workload(o->kind) || !ps_streq(o->app, old->app))
            continue;
        const struct model_object *child = plan__own_child(pass, o);

        return child != NULL && (child->replicas == 0 || child->ready >= child->replicas);
    }
    return true; /* its app is gone from the definition */
}

static void remove_rest(struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->own_count && !pass->busy; i++) {
        const struct model_object *o = pass->own[i];

        if (o->kind == MODEL_REVISION || o->deleting || !plan__is_open(pass->s, o->cluster) ||
            plan__objects_find(&pass->objects, plan__key_of(o)) != NULL || !is_replaced(pass, o))
            continue;
        plan__delete(pass->plan, STAGE_REMOVE, o);
    }
}

/* `own` has the newest revisions first. Once every child is at the current one, the older ones are
 * history. */
static void prune_history(struct plan__pass *pass)
{
    int64_t kept = 0;

    if (pass->busy || plan__needs_history(pass))
        return;
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *o = pass->own[i];

        if (o->kind != MODEL_REVISION || o == pass->current || o->deleting)
            continue;
        if (kept++ < pass->stream.history_limit)
            continue;
        plan__delete(pass->plan, STAGE_REMOVE, o);
    }
}

void plan__stream_children(struct plan__pass *pass)
{
    const bool first = pass->current == NULL && pass->own_count == 0;
    bool work = false;

    if (pass->revision == 0 || (pass->busy && !first))
        return; /* nothing is in force, or a newer revision comes first */
    for (size_t i = 0; i < pass->objects.count; i++) {
        work |=
            differs(pass, &pass->objects.items[i]) && !is_held_back(pass, &pass->objects.items[i]);
    }
    if (work && !plan__need_bodies(pass))
        return;
    for (size_t i = 0; i < pass->objects.count; i++) {
        if (differs(pass, &pass->objects.items[i]))
            one_child(pass, &pass->objects.items[i]);
    }
    if (pass->busy && ps_streq(pass->plan->summary, "nothing to do"))
        pass->plan->summary = first ? "deploy" : "bring children to their revision";
    if (!pass->busy)
        plan__stream_drift(pass);
    remove_rest(pass);
    prune_history(pass);
}
