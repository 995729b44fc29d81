/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of a stream, first half: what its spec renders to today, and which revision is in force.
 */
#include "plan/pass.h"
#include "plan/policy.h"

#include <string.h>

#define DIFF_PATHS_MAX 8

/* ---- what is wanted ------------------------------------------------------------------------- */

static struct plan__place place_of(const struct plan__pass *pass,
                                   const struct plan__objects *current, int64_t number)
{
    return (struct plan__place){.installation = pass->s->installation,
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
    plan__stream_refuse(pass, reason, ps_arena_dup(pass->arena, err.message));
    return false;
}

/* Are the children just what the spec renders to, and their revision never arrived? Then it is made
 * once more under its own number, and what it lacked gets the names that it would have got. */
static bool lost_revision(struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *child = pass->own[i];
        const struct plan__object *o = plan__objects_find(&pass->fresh, plan__key_of(child));

        if (child->kind == MODEL_REVISION || child->deleting || o == NULL ||
            !ps_streq(child->body_hash, plan__object_hash(pass->arena, o)))
            return false;
        pass->fresh.items[o - pass->fresh.items].changed_in = child->revision;
    }
    return true;
}

/* Has somebody asked for all to be rendered anew? */
static bool redeploys(const struct plan__pass *pass)
{
    return pass->current != NULL &&
           !ps_streq(pass->stream.redeploy ? pass->stream.redeploy : "",
                     pass->current->redeploy ? pass->current->redeploy : "");
}

static const struct model_account *account_of(const struct plan__pass *pass, const char *label)
{
    for (size_t i = 0; i < pass->wanted.count; i++) {
        if (ps_streq(pass->wanted.apps[i].label, label))
            return plan__platform(pass->s, pass->wanted.apps[i].platform)->account;
    }
    return NULL;
}

/* What the accounts don't let run is no rendering. */
static void check_policy(struct plan__pass *pass)
{
    const char *problem = NULL;

    for (size_t i = 0; problem == NULL && i < pass->fresh.count; i++) {
        const struct plan__object *o = &pass->fresh.items[i];
        const struct model_account *account = account_of(pass, o->app);

        if (!model_is_workload(o->kind) || account == NULL)
            continue;
        problem = plan__policy_problem(pass->arena, account, plan__is_at_home(pass->s, account),
                                       js_path(o->body, "spec.template"));
        if (problem != NULL) {
            plan__stream_refuse(
                pass, PLAN__POLICY_VIOLATION,
                ps_arena_printf(pass->arena, "app %s: pod template, %s", o->app, problem));
        }
    }
    if (problem == NULL)
        return;
    pass->barred = true;
    plan__objects_fini(&pass->fresh);
}

static void render_fresh(struct plan__pass *pass, const struct plan__objects *current)
{
    plan__apps(pass->arena, &pass->stream, pass->s, &pass->wanted);
    if (pass->wanted.reason != NULL) {
        plan__stream_refuse(pass, pass->wanted.reason, pass->wanted.message);
        return;
    }
    const int64_t number = next_number(pass);

    if (!redeploys(pass) && plan__remembers(pass, current, number))
        return;
    if (!render_as(pass, current, pass->current == NULL && number > 1 ? number - 1 : number))
        return;
    if (pass->next != number && !lost_revision(pass) && !render_as(pass, current, number))
        return;
    check_policy(pass);
}

/* ---- which revision is in force ------------------------------------------------------------- */

/* The data of the current revision; false while it has to be fetched, or cannot be read. */
static bool load_current(struct plan__pass *pass, struct plan__objects *out, struct json_t **input)
{
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__key_of(pass->current));
    struct ps_err err;

    if (fact == NULL)
        return false;
    if (fact->seen == PLAN_ABSENT) {
        plan__wake(pass->plan, PLAN__STALE_RECHECK_MS);
        return false;
    }
    if (plan__revision_read(pass->arena, fact->object, out, input, &err) == 0)
        return true;
    plan__stream_refuse(
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
    if (model_stream_read(pass->arena, object, &old, NULL) != 0)
        return false;
    /* Accounts that are named no longer are not at hand: that is no same rendering. */
    plan__apps(pass->arena, &old, pass->s, &wanted);
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
        const struct plan__object *before = plan__objects_find(old, plan__key(o));

        if (before != NULL && (!compare || js_equal(o->body, before->body)))
            o->changed_in = before->changed_in;
    }
}

static bool create_revision(struct plan__pass *pass, int64_t number, const struct json_t *input)
{
    struct json_t *body = plan__revision_body(pass->arena, &pass->stream, pass->s->installation,
                                              number, input, &pass->fresh);

    if (body == NULL) {
        plan__stream_refuse(
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
    if (pass->own_count == 0)
        plan__remember_first(pass, body, number);
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
        const struct plan__object *before = plan__objects_find(current, plan__key(o));

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
    if (pass->waiting_reason == NULL && !plan__changes_unseen(pass, &current)) {
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
    if (pass->barred || strcmp(pass->refused_reason, "NotAllowed") == 0) {
        pass->access_reason = pass->refused_reason;
        pass->access_lost = pass->refused_message;
        pass->refused_reason = pass->refused_message = NULL;
        return;
    }
    pass->outdated = ps_arena_printf(
        pass->arena,
        "account or registry have changed: deployed now, it would be refused (%s: %s); "
        "what runs goes on",
        pass->refused_reason, pass->refused_message);
    pass->refused_reason = pass->refused_message = NULL;
}

void plan__stream_revision(struct plan__pass *pass)
{
    struct json_t *input PS_AUTO_JS = plan__spec_input(&pass->stream);
    struct plan__objects current = {0};
    char hash[CODEC_SHA256_HEX];
    struct ps_err err;

    plan__spec_hash(input, hash);
    if (pass->current != NULL &&
        plan__manifest_read(pass->arena, pass->current->manifest, &current, &err) != 0) {
        plan__stream_refuse(
            pass, "RevisionUnreadable",
            ps_arena_printf(pass->arena,
                            "ControllerRevision %s: %s; delete it to make a new one from the spec",
                            pass->current->name, err.message));
        pass->blind = true; /* nobody knows what shall be there: touch nothing */
        return;
    }
    if (pass->refused_reason == NULL)
        render_fresh(pass, &current);
    plan__stream_obstacles(pass);
    const bool redeploy = redeploys(pass);

    if (pass->fresh.count == 0) { /* refused: what runs stays as it is */
        if (pass->current != NULL && !redeploy &&
            strcmp(pass->refused_reason, "PlatformNotFound") != 0 &&
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
    plan__remember(pass, next_number(pass));
}

bool plan__stream_bodies(struct plan__pass *pass)
{
    const struct plan__objects current = pass->objects;

    pass->remembered = false;
    if (!render_as(pass, &current, pass->next) ||
        strcmp(pass->fresh.hash, pass->current->render_hash) != 0) {
        plan__objects_fini(&pass->fresh);
        return false;
    }
    keep_numbers(&pass->fresh, &current, false);
    use_objects(pass, &pass->fresh, pass->revision);
    return true;
}
