/* SPDX-License-Identifier: Apache-2.0 */
/* How it stands with one app of a stream: SCDF's states, from the workload and its pods. */
#include "plan/pass.h"

#include <string.h>

/* SCDF's deployer: more restarts than this with an error is "failed" (maxTerminatedErrorRestarts,
 * maxCrashLoopBackOffRestarts). */
#define ERROR_RESTARTS      2
#define CRASH_LOOP_RESTARTS 4

/* ---- pods ----------------------------------------------------------------------------------- */

static enum plan__state pod_state(const struct model_object *pod)
{
    const bool error_exit = pod->exit_code == 1 || pod->exit_code == 137 || pod->exit_code == 143;
    const bool looping = ps_streq(pod->cause, "CrashLoopBackOff");

    if (pod->pod_ready)
        return PLAN__DEPLOYED;
    if (ps_streq(pod->phase, "Failed") || (pod->restarts > ERROR_RESTARTS && error_exit) ||
        (pod->restarts > CRASH_LOOP_RESTARTS && looping))
        return PLAN__FAILED;
    return PLAN__DEPLOYING;
}

/* ErrImagePull and ImagePullBackOff take turns; they are one trouble. */
static const char *cause_of(const struct model_object *pod)
{
    return strcmp(pod->cause, "ErrImagePull") == 0 ? "ImagePullBackOff" : pod->cause;
}

static const char *pod_message(struct ps_arena *arena, const struct model_object *pod)
{
    const char *exit = pod->exit_code >= 0 ? ps_arena_printf(arena, " (last exit code %lld)",
                                                             (long long)pod->exit_code)
                                           : "";

    /* The kubelet's words about a crash loop are only its waiting time, which grows with each try.
     */
    const bool telling = pod->cause_message != NULL && strcmp(pod->cause, "CrashLoopBackOff") != 0;

    return ps_arena_printf(arena, "pod %s: %s%s%s%s", pod->name, cause_of(pod), exit,
                           telling ? ": " : "", telling ? pod->cause_message : "");
}

struct pods {
    size_t deployed, deploying, failed;
    const struct model_object *telling; /* with a cause; by name, so that the choice is stable */
};

static struct pods count_pods(const struct plan__pass *pass, const struct plan__object *o)
{
    struct pods sum = {0};

    for (size_t i = 0; i < pass->s->pod_count; i++) {
        const struct model_object *pod = pass->s->pods[i];

        if (pod->deleting || !ps_streq(pod->app_id, o->name) ||
            !ps_streq(pod->namespace, o->namespace) || !ps_streq(pod->cluster, o->cluster))
            continue;
        const enum plan__state state = pod_state(pod);

        sum.deployed += state == PLAN__DEPLOYED;
        sum.deploying += state == PLAN__DEPLOYING;
        sum.failed += state == PLAN__FAILED;
        if (pod->cause != NULL && !pod->pod_ready &&
            (sum.telling == NULL || strcmp(pod->name, sum.telling->name) < 0))
            sum.telling = pod;
    }
    return sum;
}

/* ---- one app -------------------------------------------------------------------------------- */

static void explain(struct plan__pass *pass, const struct model_object *child,
                    const struct pods *pods, struct plan__app_state *out)
{
    if (pods->telling != NULL) {
        out->reason = ps_arena_dup(pass->arena, cause_of(pods->telling));
        out->message = pod_message(pass->arena, pods->telling);
    } else if (child->failure_message != NULL) {
        const bool quota = ps_str_find(ps_str(child->failure_message), "exceeded quota") >= 0;

        out->reason = quota ? "QuotaExceeded" : "FailedCreate";
        out->message =
            ps_arena_printf(pass->arena, "no pod could be made: %s", child->failure_message);
    }
}

static enum plan__state settled_state(const struct model_object *child, const struct pods *pods)
{
    if (child->rolled_out && child->ready >= child->replicas)
        return PLAN__DEPLOYED;
    if (pods->failed > 0 && pods->deploying == 0)
        return pods->deployed > 0 ? PLAN__PARTIAL : PLAN__FAILED;
    return PLAN__DEPLOYING;
}

const struct json_t *plan__old_app(const struct plan__pass *pass, const char *label)
{
    const struct json_t *list = js_get(pass->stream.status, "apps");

    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_len(list); i++) {
        if (ps_streq(js_path_str(js_at(list, i), "name"), label))
            return js_at(list, i);
    }
    return NULL;
}

/* Where it cannot be seen: the numbers are the last that were. */
static struct plan__app_state unseen_state(struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);
    const struct json_t *old = plan__old_app(pass, o->app);
    const int64_t wanted = pass->stream.suspend ? 0 : js_path_int(o->body, "spec.replicas", 1);

    return (struct plan__app_state){.state = PLAN__UNKNOWN,
                                    .reason = plan__away_reason(pass->s, o->cluster),
                                    .message = plan__away_text(pass->arena, pass->s, o->cluster),
                                    .desired = child ? child->replicas
                                                     : js_path_int(old, "desired", wanted),
                                    .ready = child ? child->ready : js_path_int(old, "ready", 0)};
}

struct plan__app_state plan__app_state(struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o);

    if (!plan__is_open(pass->s, o->cluster))
        return unseen_state(pass, o);
    struct plan__app_state out = {.state = PLAN__UNDEPLOYED,
                                  .desired = js_path_int(o->body, "spec.replicas", 1)};

    if (pass->stream.suspend)
        out.desired = 0;
    if (child == NULL) {
        const bool coming = pass->busy || pass->replacing != NULL;

        out.state = coming && out.desired > 0 ? PLAN__DEPLOYING : PLAN__UNDEPLOYED;
        return out;
    }
    const struct pods pods = count_pods(pass, o);

    out.desired = child->replicas;
    out.ready = child->ready;
    if (child->replicas == 0)
        return out;
    out.state = settled_state(child, &pods);
    if (out.state != PLAN__DEPLOYED)
        explain(pass, child, &pods, &out);
    return out;
}
