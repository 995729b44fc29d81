/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a launch, and the Jobs of one that is gone. */
#include "plan/task.h"

/* The finalizer alone, whatever else is in the list. */
void plan__release_job(struct plan *plan, int stage, const struct model_object *job)
{
    struct json_t *body = js_object(), *metadata = js_child(body, "metadata"), *gone = js_array();

    js_push(gone, js_string(MODEL_FINALIZER_ATTEMPT));
    js_set_str(metadata, "resourceVersion", job->rv);
    js_set(metadata, "$deleteFromPrimitiveList/finalizers", gone);
    plan__op(plan, (struct plan_op){.stage = stage,
                                    .verb = PLAN_PATCH_STRATEGIC,
                                    .kind = MODEL_JOB,
                                    .namespace = job->namespace,
                                    .name = job->name,
                                    .cluster = job->cluster,
                                    .body = body});
}

/* A Job whose launch is gone. Beside it, Kubernetes' own collector deletes it (and honours
 * --cascade=orphan): only our finalizer must not hold it. */
static void dispose(struct plan__task_pass *pass, const struct model_object *job)
{
    if (!plan__is_open(pass->s, job->cluster))
        return;
    if (!plan__is_beside(pass->s, job) && !job->deleting) {
        plan__delete(pass->plan, 0, job);
    } else if (job->has_finalizer) {
        plan__release_job(pass->plan, 0, job);
    }
}

void plan__task_gone(struct plan__task_pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    if (s->child_count == 0 || !plan__is_confirmed(pass->plan, s, MODEL_TASK))
        return;
    for (size_t i = 0; i < s->child_count; i++)
        dispose(pass, s->children[i]);
    pass->plan->summary = "its TaskLaunch is gone: remove what it left";
}

bool plan__task_predecessors(struct plan__task_pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    if (pass->predecessor_count == 0)
        return false;
    if (!plan__is_confirmed(pass->plan, s, MODEL_TASK))
        return true;
    size_t left = 0;

    for (size_t i = 0; i < pass->predecessor_count; i++) {
        const struct model_object *job = pass->predecessors[i];

        dispose(pass, job);
        /* Orphaned on purpose, it is theirs, and nothing to wait for. */
        if (job->has_owner || !plan__is_beside(s, job))
            pass->predecessors[left++] = job;
    }
    pass->predecessor_count = left;
    return false;
}

/* True when it is to be waited for; what cannot be reached stands in the annotation. */
static bool end_job(struct plan__task_pass *pass, const struct model_object *job)
{
    const bool beside = plan__is_beside(pass->s, job);

    if (job->job_end == MODEL_JOB_NOT_ENDED) /* its pods run on for a moment */
        pass->plan->standing = PLAN_ACTIVE;
    if (!plan__is_open(pass->s, job->cluster))
        return false;
    if (!beside || job->deleting)
        dispose(pass, job);
    return !beside;
}

void plan__task_cleanup(struct plan__task_pass *pass)
{
    const char *away = plan__first_away(pass->arena, pass->s, plan__recorded_clusters(pass->s->cr));
    size_t left = 0;

    pass->plan->summary = "going away";
    plan__record_read(pass);
    for (size_t i = 0; i < pass->own_count; i++)
        left += end_job(pass, pass->own[i]);
    if (pass->now.attempt == 0) /* no attempt on record: none was made */
        away = NULL;
    if (away != NULL) {
        plan__tell_blocked(pass->plan, pass->s, away);
        if (plan__is_active(&pass->now)) /* it may run */
            pass->plan->standing = PLAN_ACTIVE;
    }
    if (left > 0) {
        pass->plan->summary = "remove its Jobs";
    } else if (away == NULL && pass->task.has_finalizer) {
        plan__let_go(pass->plan, MODEL_TASK, pass->task.object);
    }
}

static bool is_over(const struct plan__record *record, const char *reason)
{
    return plan__is_final(record) ||
           (record->phase == MODEL_TASK_STOPPED && ps_streq(reason, "Expired"));
}

/* ttlSecondsAfterFinished: only what is on record as ended, and has nothing left to do. */
void plan__task_expire(struct plan__task_pass *pass)
{
    const char *reason = pass->reason ? pass->reason : pass->before.reason;

    if (pass->task.ttl_s < 0 || !is_over(&pass->now, reason) || pass->now.completion_ms == 0)
        return;
    const int64_t left = pass->now.completion_ms + pass->task.ttl_s * 1000 - pass->s->now_ms;

    if (left > 0 || !is_over(&pass->before, pass->before.reason) || pass->plan->op_count > 0) {
        plan__wake(pass->plan, left > 0 ? left : PLAN__STALE_RECHECK_MS);
        return;
    }
    plan__op(pass->plan, (struct plan_op){.stage = 0,
                                          .verb = PLAN_DELETE,
                                          .kind = MODEL_TASK,
                                          .namespace = pass->task.namespace,
                                          .name = pass->task.name,
                                          .uid = pass->task.uid});
    pass->plan->summary = "ttlSecondsAfterFinished is over: delete the launch";
}
