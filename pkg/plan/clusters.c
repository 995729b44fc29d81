/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters that accounts lead to: what is known of them, and what cannot be removed there now. */
#include "plan/internal.h"

#include <string.h>

/* What a stream's annotation may name: more than any stream has accounts. */
#define NAMES_MAX ((size_t)32 * 1024)

const char *plan__cluster_of(const struct model_account *account)
{
    return account->cluster_secret ? account->name : NULL;
}

const struct plan_cluster *plan__cluster(const struct plan_snapshot *s, const char *name)
{
    for (size_t i = 0; name != NULL && i < s->platform_count; i++) {
        const struct plan_cluster *cluster = s->platforms[i].cluster;

        if (cluster != NULL && ps_streq(cluster->name, name))
            return cluster;
    }
    for (size_t i = 0; name != NULL && i < s->cluster_count; i++) {
        if (ps_streq(s->clusters[i]->name, name))
            return s->clusters[i];
    }
    return NULL;
}

const char *plan__account_uid(const struct plan_snapshot *s, const char *name)
{
    const struct plan_cluster *cluster = plan__cluster(s, name);

    return cluster ? cluster->account_uid : NULL;
}

bool plan__is_open(const struct plan_snapshot *s, const char *name)
{
    const struct plan_cluster *cluster = plan__cluster(s, name);

    return name == NULL || (cluster != NULL && cluster->state == PLAN_CLUSTER_SYNCED);
}

bool plan__is_connecting(const struct plan_snapshot *s, const char *name)
{
    const struct plan_cluster *cluster = plan__cluster(s, name);

    return cluster != NULL && cluster->state == PLAN_CLUSTER_CONNECTING;
}

bool plan__is_held(const struct plan_platform *platform)
{
    const struct plan_cluster *cluster = platform->cluster;
    const struct model_account *account = platform->account;

    if (plan__cluster_of(account) == NULL)
        return true;
    return cluster != NULL && cluster->uid != NULL && account->has_finalizer &&
           ps_streq(js_path_str(account->status, "target.uid"), cluster->uid);
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *plan__cluster_reason(enum plan_cluster_state state)
{
    switch (state) {
    case PLAN_CLUSTER_NO_SECRET:
        return "SecretMissing";
    case PLAN_CLUSTER_BAD_SECRET:
        return "SecretInvalid";
    case PLAN_CLUSTER_CONNECTING:
        return "Connecting";
    case PLAN_CLUSTER_REFUSED:
        return "Unauthorized";
    case PLAN_CLUSTER_AWAY:
        return "Unreachable";
    case PLAN_CLUSTER_ELSEWHERE:
        return "TargetChanged";
    case PLAN_CLUSTER_OWN:
    case PLAN_CLUSTER_SYNCED:
        return "Reached";
    }
    ps_unreachable();
}

const char *plan__away_reason(const struct plan_snapshot *s, const char *name)
{
    const struct plan_cluster *cluster = plan__cluster(s, name);

    if (cluster == NULL)
        return "PlatformNotFound";
    return cluster->state == PLAN_CLUSTER_ELSEWHERE ? "TargetChanged" : "PlatformUnreachable";
}

const char *plan__away_text(struct ps_arena *arena, const struct plan_snapshot *s, const char *name)
{
    const struct plan_cluster *cluster = plan__cluster(s, name);

    if (cluster == NULL) {
        return ps_arena_printf(arena, "no PlatformAccount %s leads to its cluster any more", name);
    }
    if (cluster->state == PLAN_CLUSTER_CONNECTING) {
        return ps_arena_printf(arena, "the cluster of PlatformAccount %s was not read yet%s%s",
                               name, cluster->message ? ": " : "",
                               cluster->message ? cluster->message : "");
    }
    return ps_arena_printf(arena, "the cluster of PlatformAccount %s cannot be reached (%s)%s%s",
                           name, plan__cluster_reason(cluster->state), cluster->message ? ": " : "",
                           cluster->message ? cluster->message : "");
}

const char *plan__blocked_text(struct ps_arena *arena, const struct plan_snapshot *s,
                               const char *name)
{
    return ps_arena_printf(
        arena,
        "%s; what stands there, or may stand there, is removed as soon as it can be reached. If "
        "that will never be: take %s out of the annotation " MODEL_ANNOTATION_CLUSTERS,
        plan__away_text(arena, s, name), name);
}

/* ---- names ----------------------------------------------------------------------------------- */

bool plan__is_beside(const struct plan_snapshot *s, const struct model_object *child)
{
    return child->cluster == NULL && ps_streq(child->namespace, s->namespace);
}

static bool is_account_there(const struct plan_snapshot *s, const char *uid)
{
    for (size_t i = 0; i < s->platform_count; i++) {
        const struct plan_cluster *cluster = s->platforms[i].cluster;

        if (cluster != NULL && ps_streq(cluster->account_uid, uid))
            return true;
    }
    for (size_t i = 0; i < s->cluster_count; i++) {
        if (ps_streq(s->clusters[i]->account_uid, uid))
            return true;
    }
    return false;
}

bool plan__adopt(struct plan *plan, const struct plan_snapshot *s, struct plan_need what,
                 const struct json_t *live)
{
    const struct json_t *labels = js_path(live, "metadata.labels");
    const char *now = plan__account_uid(s, what.cluster);

    if (now == NULL || is_account_there(s, js_str(js_get(labels, MODEL_LABEL_ACCOUNT_UID))))
        return false;
    struct json_t *body = js_object(), *metadata = js_child(body, "metadata");

    js_set_str(metadata, "resourceVersion", js_path_str(live, "metadata.resourceVersion"));
    js_set_str(js_child(metadata, "labels"), MODEL_LABEL_ACCOUNT_UID, now);
    plan__op(plan, (struct plan_op){.stage = 0,
                                    .verb = PLAN_PATCH_STRATEGIC,
                                    .kind = what.kind,
                                    .namespace = what.namespace,
                                    .name = what.name,
                                    .cluster = what.cluster,
                                    .partial = true,
                                    .body = body});
    plan->summary = "take over what an account of this name has left";
    return true;
}

const char *plan__names_add(struct ps_arena *arena, const char *names, const char *name)
{
    PS_AUTO_BUF(text, NAMES_MAX);

    if (model_names_has(names, name))
        return names;
    ps_buf_printf(&text, "%s%s%s", names, *names ? "," : "", name);
    return ps_buf_failed(&text) ? names : ps_arena_str(arena, ps_buf_get(&text));
}

const char *plan__first_away(struct ps_arena *arena, const struct plan_snapshot *s,
                             const char *names)
{
    struct ps_str rest = ps_str(names), item;

    while (ps_str_split(&rest, ',', &item)) {
        const char *name = ps_arena_str(arena, item);

        if (item.n > 0 && !plan__is_open(s, name))
            return name;
    }
    return NULL;
}

/* ---- clean-up that has to wait --------------------------------------------------------------- */

/* The conditions as they are, but for those two. New reference. */
static struct json_t *blocked_conditions(const struct json_t *cr, const struct model_condition *c,
                                         int64_t now_ms)
{
    const struct json_t *old = js_path(cr, "status.conditions");
    struct model_conditions told = {0};

    model_condition_set_unknown(&told, "Ready", c->reason, c->message);
    told.items[told.count++] = *c;
    struct json_t *list =
        model_conditions_json(&told, old, js_path_int(cr, "metadata.generation", 0), now_ms);

    for (size_t i = 0; js_type(old) == JS_ARRAY && i < js_len(old); i++) {
        const char *type = js_path_str(js_at(old, i), "type");

        if (!ps_streq(type, "Ready") && !ps_streq(type, c->type))
            js_push(list, js_copy(js_at(old, i)));
    }
    return list;
}

void plan__tell_blocked(struct plan *plan, const struct plan_snapshot *s, const char *cluster)
{
    const struct model_condition blocked = {.type = "CleanupBlocked",
                                            .status = true,
                                            .reason = plan__away_reason(s, cluster),
                                            .message =
                                                plan__blocked_text(&plan->arena, s, cluster)};
    const struct json_t *old = js_path(s->cr, "status.conditions");
    struct json_t *list = blocked_conditions(s->cr, &blocked, s->now_ms);

    plan->summary = "waits for a cluster that cannot be reached";
    plan__wake(plan, PLAN__BLOCKED_RECHECK_MS);
    if (plan__is_connecting(s, cluster) || js_equal(list, old)) {
        js_unref(list);
        return;
    }
    if (!ps_streq(js_path_str(model_condition_find(old, blocked.type), "reason"), blocked.reason))
        plan__event(plan, true, blocked.type, blocked.message);
    plan->status = js_object();
    js_set_str(js_child(plan->status, "metadata"), "resourceVersion",
               js_path_str(s->cr, "metadata.resourceVersion"));
    js_set(js_child(plan->status, "status"), "conditions", list);
}
