/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of an account: is it usable, and what may be said of it. */
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

static void decide(struct account_pass *pass)
{
    const struct model_account *account = pass->s->account;
    struct ps_arena *arena = &pass->plan->arena;
    const struct model_object *ns = pass->s->target_namespace;
    const char *warnings, *problem = plan__account_problem(arena, account, &warnings);
    const char *reason = "Ready", *message = ready_message(account);
    bool ready = false;

    if (problem != NULL) {
        reason = "InvalidProperties";
        message = problem;
    } else if (account->namespace != NULL && ns == NULL) {
        reason = "NamespaceNotFound";
        message = ps_arena_printf(arena,
                                  "spec.kubernetes.namespace: namespace %s does not exist; create "
                                  "it, Penstock never does",
                                  account->namespace);
    } else if (ns != NULL && (ns->deleting || ps_streq(ns->phase, "Terminating"))) {
        reason = "NamespaceTerminating";
        message = ps_arena_printf(arena, "namespace %s is being deleted", account->namespace);
    } else {
        ready = true;
        if (warnings != NULL) {
            reason = "PropertiesIgnored";
            message = warnings;
        }
    }
    model_condition_set(&pass->conditions, "Ready", ready, reason, message);
    if (problem != NULL)
        model_condition_set(&pass->conditions, "Stalled", true, reason, message);
}

static struct json_t *status_json(struct account_pass *pass)
{
    const struct plan_account_snapshot *s = pass->s;
    struct json_t *status = js_object(), *target = js_object();
    struct ps_arena *arena = &pass->plan->arena;

    js_set_int(status, "observedGeneration", s->account->generation);
    /* SCDF's own words, with its slash behind the address. */
    js_set_str(status, "description",
               ps_arena_printf(arena, "master url = [%s/], namespace = [%s], api version = [v1]",
                               s->server,
                               s->account->namespace ? s->account->namespace : "(of the stream)"));
    js_set_str(target, "version", s->version);
    js_set_str(target, "uid", s->target_namespace ? s->target_namespace->uid : NULL);
    js_set(status, "target", target);
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

static void tell(struct account_pass *pass)
{
    const struct model_condition *ready = &pass->conditions.items[0];
    const struct json_t *old =
        model_condition_find(js_get(pass->s->account->status, "conditions"), "Ready");

    if (!ps_streq(js_path_str(old, "reason"), ready->reason) ||
        !ps_streq(js_path_str(old, "message"), ready->message)) {
        plan__event(pass->plan, !ready->status || strcmp(ready->reason, "Ready") != 0,
                    ready->reason, ready->message);
    }
}

struct plan *plan_account(const struct plan_account_snapshot *s)
{
    struct plan *plan = plan__new();
    struct account_pass pass = {.s = s, .plan = plan};
    struct json_t *empty PS_AUTO_JS = js_object();

    decide(&pass);
    struct json_t *status PS_AUTO_JS = status_json(&pass);
    const struct json_t *old = s->account->status ? s->account->status : empty;
    struct json_t *diff = codec_merge_diff(old, status);

    if (diff == NULL)
        return plan;
    plan->status = js_object();
    js_set_str(js_child(plan->status, "metadata"), "resourceVersion", s->account->rv);
    js_set(plan->status, "status", diff);
    plan->summary = pass.conditions.items[0].reason;
    tell(&pass);
    return plan;
}
