/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of an account: is it usable, and what may be said of it. An account that leads to
 * another cluster is held by our finalizer while something of ours is, or may be, there: without it
 * nobody could remove that. */
#include "plan/internal.h"

#include <string.h>

struct account_pass {
    const struct plan_account_snapshot *s;
    struct plan *plan;
    struct model_conditions conditions;
};

static const char *ready_message(const struct model_account *account)
{
    if (!account->for_tasks)
        return "streams can be deployed";
    return account->for_streams ? "streams can be deployed, tasks can be launched"
                                : "tasks can be launched";
}

/* ---- the cluster ----------------------------------------------------------------------------- */

static bool is_remote(const struct account_pass *pass)
{
    return plan__cluster_of(pass->s->account) != NULL;
}

/* By which the cluster was known at the first contact; NULL: there was none. */
static const char *recorded_uid(const struct account_pass *pass)
{
    return js_path_str(pass->s->account->status, "target.uid");
}

static enum plan_cluster_state state_of(const struct account_pass *pass)
{
    const struct plan_cluster *cluster = pass->s->cluster;
    const char *recorded = recorded_uid(pass);

    if (!is_remote(pass))
        return PLAN_CLUSTER_OWN;
    if (cluster == NULL)
        return PLAN_CLUSTER_CONNECTING;
    if (cluster->state == PLAN_CLUSTER_SYNCED && recorded != NULL && cluster->uid != NULL &&
        strcmp(recorded, cluster->uid) != 0)
        return PLAN_CLUSTER_ELSEWHERE;
    return cluster->state;
}

static bool is_open(const struct account_pass *pass)
{
    const enum plan_cluster_state state = state_of(pass);

    return state == PLAN_CLUSTER_OWN || state == PLAN_CLUSTER_SYNCED;
}

static const char *default_text(struct account_pass *pass)
{
    const char *secret = pass->s->account->cluster_secret;
    struct ps_arena *arena = &pass->plan->arena;

    switch (state_of(pass)) {
    case PLAN_CLUSTER_NO_SECRET:
        return ps_arena_printf(arena,
                               "spec.kubernetes.cluster.secretRef.name: there is no Secret %s with "
                               "the label " MODEL_LABEL_CREDENTIALS
                               "=true in the operator's namespace",
                               secret);
    case PLAN_CLUSTER_BAD_SECRET:
        return ps_arena_printf(arena, "Secret %s cannot be used", secret);
    case PLAN_CLUSTER_CONNECTING:
        return "its cluster is being read";
    case PLAN_CLUSTER_REFUSED:
        return ps_arena_printf(arena, "the API server refuses what Secret %s has", secret);
    case PLAN_CLUSTER_AWAY:
        return "the API server does not answer";
    case PLAN_CLUSTER_ELSEWHERE:
    case PLAN_CLUSTER_OWN:
    case PLAN_CLUSTER_SYNCED:
        return "the cluster can be reached, and what is ours there has been read";
    }
    ps_unreachable();
}

static const char *cluster_text(struct account_pass *pass)
{
    const struct model_account *account = pass->s->account;
    const struct plan_cluster *cluster = pass->s->cluster;
    const char *found = cluster && cluster->uid ? cluster->uid : "another one";

    if (cluster != NULL && cluster->message != NULL)
        return cluster->message;
    if (state_of(pass) != PLAN_CLUSTER_ELSEWHERE)
        return default_text(pass);
    return ps_arena_printf(
        &pass->plan->arena,
        "Secret %s leads elsewhere than at first: namespace %s has the uid %s there, expected was "
        "%s (status.target.uid). Nothing is written until it leads back; for another cluster, or a "
        "namespace made anew, create another account",
        account->cluster_secret, account->namespace ? account->namespace : "kube-system", found,
        recorded_uid(pass) ? recorded_uid(pass) : "another one");
}

static void set_reachable(struct account_pass *pass)
{
    const enum plan_cluster_state state = state_of(pass);
    const char *reason = plan__cluster_reason(state), *text = cluster_text(pass);

    if (state == PLAN_CLUSTER_CONNECTING) {
        model_condition_set_unknown(&pass->conditions, "Reachable", reason, text);
    } else if (state != PLAN_CLUSTER_OWN) {
        model_condition_set(&pass->conditions, "Reachable", is_open(pass), reason, text);
    }
}

/* ---- is it usable? --------------------------------------------------------------------------- */

struct verdict {
    enum {
        READY,
        NOT_READY,
        STALLED,
        NOT_KNOWN
    } is;

    const char *reason, *message;
};

static struct verdict judge_namespace(struct account_pass *pass)
{
    const struct model_object *ns = pass->s->target_namespace;
    const char *name = pass->s->account->namespace;
    const bool unknown = is_remote(pass) && pass->s->cluster->uid == NULL;
    struct ps_arena *arena = &pass->plan->arena;

    if (name == NULL && unknown) {
        return (struct verdict){NOT_READY, "NamespaceNotFound",
                                "namespace kube-system, by which the cluster is known, cannot be "
                                "seen; let the credential read it"};
    }
    if (unknown || (name != NULL && ns == NULL)) {
        return (struct verdict){NOT_READY, "NamespaceNotFound",
                                ps_arena_printf(arena,
                                                "spec.kubernetes.namespace: namespace %s does not "
                                                "exist%s; create it, Penstock never does",
                                                name, is_remote(pass) ? " in the cluster" : "")};
    }
    if (ns != NULL && (ns->deleting || ps_streq(ns->phase, "Terminating"))) {
        return (struct verdict){NOT_READY, "NamespaceTerminating",
                                ps_arena_printf(arena, "namespace %s is being deleted", name)};
    }
    return (struct verdict){READY, "Ready", ready_message(pass->s->account)};
}

static struct verdict judge(struct account_pass *pass, const char **warnings)
{
    const struct plan_account_snapshot *s = pass->s;
    struct ps_arena *arena = &pass->plan->arena;
    const enum plan_cluster_state state = state_of(pass);
    const char *problem = plan__account_problem(arena, s->account, warnings);

    if (s->account->deleting && is_remote(pass))
        return (struct verdict){NOT_READY, "Terminating", "the account is being deleted"};
    if (problem != NULL)
        return (struct verdict){STALLED, "InvalidProperties", problem};
    if (state == PLAN_CLUSTER_CONNECTING)
        return (struct verdict){NOT_KNOWN, plan__cluster_reason(state), cluster_text(pass)};
    if (!is_open(pass)) {
        return (struct verdict){state == PLAN_CLUSTER_ELSEWHERE ? STALLED : NOT_READY,
                                plan__cluster_reason(state), cluster_text(pass)};
    }
    if (s->trouble_count > 0) {
        return (struct verdict){NOT_READY, plan__trouble_reason(&s->troubles[0]),
                                plan__trouble_text(arena, &s->troubles[0])};
    }
    return judge_namespace(pass);
}

static void decide(struct account_pass *pass)
{
    const char *warnings = NULL;
    struct verdict v = judge(pass, &warnings);

    if (v.is == READY && warnings != NULL) {
        v.reason = "PropertiesIgnored";
        v.message = warnings;
    }
    if (v.is == NOT_KNOWN) {
        model_condition_set_unknown(&pass->conditions, "Ready", v.reason, v.message);
    } else {
        model_condition_set(&pass->conditions, "Ready", v.is == READY, v.reason, v.message);
    }
    set_reachable(pass);
    if (v.is == STALLED)
        model_condition_set(&pass->conditions, "Stalled", true, v.reason, v.message);
}

/* ---- the finalizer --------------------------------------------------------------------------- */

static const char *users_text(struct account_pass *pass)
{
    const struct plan_uses *uses = &pass->s->uses;
    PS_AUTO_BUF(text, MODEL_MESSAGE_MAX);

    for (size_t i = 0; i < uses->name_count; i++)
        ps_buf_printf(&text, "%s%s", i ? ", " : "", uses->names[i]);
    if (uses->users > (int64_t)uses->name_count) {
        ps_buf_printf(&text, "%s%lld more", uses->name_count ? " and " : "",
                      (long long)uses->users - (long long)uses->name_count);
    }
    return ps_arena_printf(&pass->plan->arena,
                           "in use by %lld: %s. Delete them or move them to another account, then "
                           "this one goes",
                           (long long)uses->users, ps_buf_text(&text));
}

static void block(struct account_pass *pass, const char *reason, const char *message)
{
    model_condition_set(&pass->conditions, "CleanupBlocked", true, reason, message);
    plan__wake(pass->plan, PLAN__BLOCKED_RECHECK_MS);
}

/* What nobody names any more may still stand there: only a complete view shows that nothing does.
 * Where never a contact was, nothing can. */
static void end(struct account_pass *pass)
{
    const struct plan_uses *uses = &pass->s->uses;

    if (uses->users > 0) {
        block(pass, "InUse", users_text(pass));
    } else if (!is_open(pass) && recorded_uid(pass) != NULL) {
        block(pass, plan__cluster_reason(state_of(pass)),
              ps_arena_printf(&pass->plan->arena,
                              "%s; whether something of ours is left there cannot be seen. If it "
                              "never will be: take the finalizer " MODEL_FINALIZER
                              " off this account",
                              cluster_text(pass)));
    } else if (uses->children > 0 && recorded_uid(pass) != NULL) {
        block(pass, "InUse",
              ps_arena_printf(&pass->plan->arena,
                              "%lld objects of ours are left in the cluster, and are being removed",
                              (long long)uses->children));
    } else {
        plan__let_go(pass->plan, MODEL_ACCOUNT, pass->s->object);
    }
}

static void tend_finalizer(struct account_pass *pass)
{
    const struct model_account *account = pass->s->account;

    if (!is_remote(pass))
        return;
    if (account->deleting && account->has_finalizer) {
        end(pass);
    } else if (!account->deleting && !account->has_finalizer && pass->s->uses.users > 0) {
        plan__hold(pass->plan, MODEL_ACCOUNT, pass->s->object, NULL);
        pass->plan->summary = "hold the account while it is in use";
    }
}

/* ---- status ---------------------------------------------------------------------------------- */

/* SCDF's own words, with its slash behind the address. */
static const char *description(struct account_pass *pass)
{
    const struct plan_account_snapshot *s = pass->s;
    const char *old = js_path_str(s->account->status, "description");
    const char *server = s->server;

    if (is_remote(pass))
        server = s->cluster ? s->cluster->server : NULL;
    if (server == NULL && old != NULL)
        return old;
    return ps_arena_printf(
        &pass->plan->arena, "master url = [%s/], namespace = [%s], api version = [v1]",
        server ? server : "", s->account->namespace ? s->account->namespace : "(of the stream)");
}

/* Of another cluster the first contact is recorded, and stays. */
static struct json_t *target_json(struct account_pass *pass)
{
    const struct plan_account_snapshot *s = pass->s;
    const char *version = s->version, *uid = s->target_namespace ? s->target_namespace->uid : NULL;
    struct json_t *target = js_object();

    if (is_remote(pass)) {
        uid = recorded_uid(pass);
        if (uid == NULL && is_open(pass))
            uid = s->cluster->uid;
        version = is_open(pass) && s->cluster->version
                      ? s->cluster->version
                      : js_path_str(s->account->status, "target.version");
    }
    js_set_str(target, "version", version);
    js_set_str(target, "uid", uid);
    return target;
}

static struct json_t *status_json(struct account_pass *pass)
{
    const struct plan_account_snapshot *s = pass->s;
    struct json_t *status = js_object();

    js_set_int(status, "observedGeneration", s->account->generation);
    js_set_str(status, "description", description(pass));
    js_set(status, "target", target_json(pass));
    js_set_int(status, "streams", s->streams);
    if (s->account->for_tasks || s->running_tasks + s->waiting_tasks > 0) {
        struct json_t *tasks = js_child(status, "tasks");

        js_set_int(tasks, "running", s->running_tasks);
        js_set_int(tasks, "waiting", s->waiting_tasks);
    }
    js_set(status, "conditions",
           model_conditions_json(&pass->conditions, js_get(s->account->status, "conditions"),
                                 s->account->generation, s->now_ms));
    return status;
}

static void tell_condition(struct account_pass *pass, const struct model_condition *c)
{
    const struct json_t *old =
        model_condition_find(js_get(pass->s->account->status, "conditions"), c->type);
    const bool same_text = ps_streq(js_path_str(old, "message"), c->message);

    /* Why a cluster does not answer is said in other words with every try: that is no news. */
    if (ps_streq(js_path_str(old, "reason"), c->reason) && (same_text || is_remote(pass)))
        return;
    plan__event(pass->plan, !c->status || strcmp(c->reason, "Ready") != 0, c->reason, c->message);
}

static void tell(struct account_pass *pass)
{
    for (size_t i = 0; i < pass->conditions.count; i++) {
        const struct model_condition *c = &pass->conditions.items[i];

        if (!c->unknown &&
            (strcmp(c->type, "Ready") == 0 || strcmp(c->type, "CleanupBlocked") == 0))
            tell_condition(pass, c);
    }
}

/* While the cluster is read for the first time since the operator started, what was said last
 * stands: a restart is no news. */
static bool is_kept(const struct account_pass *pass)
{
    const struct model_account *account = pass->s->account;

    return state_of(pass) == PLAN_CLUSTER_CONNECTING &&
           js_path_int(account->status, "observedGeneration", -1) == account->generation;
}

struct plan *plan_account(const struct plan_account_snapshot *s)
{
    struct plan *plan = plan__new();
    struct account_pass pass = {.s = s, .plan = plan};
    struct json_t *empty PS_AUTO_JS = js_object();

    decide(&pass);
    tend_finalizer(&pass);
    struct json_t *status PS_AUTO_JS = status_json(&pass);
    const struct json_t *old = s->account->status ? s->account->status : empty;
    struct json_t *diff = codec_merge_diff(old, status);

    if (diff == NULL || is_kept(&pass)) {
        js_unref(diff);
        return plan;
    }
    plan->status = js_object();
    js_set_str(js_child(plan->status, "metadata"), "resourceVersion", s->account->rv);
    js_set(plan->status, "status", diff);
    if (plan->op_count == 0)
        plan->summary = pass.conditions.items[0].reason;
    tell(&pass);
    return plan;
}
