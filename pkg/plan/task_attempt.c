/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the attempt under way, whether another follows it, and the care of Jobs. */
#include "plan/task.h"

#include <string.h>

#define POD_LAG_MS     5000 /* the pods' watch may be behind the Jobs' */
#define POD_RECHECK_MS 500

/* How an attempt has ended. */
struct ending {
    enum model_attempt_state state; /* FAILED or UNKNOWN */
    int64_t exit_code;              /* -1 = not known */
    int64_t at_ms;
    const char *reason, *message;
};

/* ---- the Job and its pod -------------------------------------------------------------------- */

static const struct model_object *job_of(const struct plan__task_pass *pass, int64_t attempt)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        if (pass->own[i]->attempt == attempt)
            return pass->own[i];
    }
    return NULL;
}

static bool has_ended(const struct model_object *pod)
{
    return ps_streq(pod->phase, "Succeeded") || ps_streq(pod->phase, "Failed");
}

static bool is_pod_of(const struct model_object *pod, const struct plan__record *record)
{
    return ps_streq(pod->namespace, record->namespace) && ps_streq(pod->app_id, record->name) &&
           ps_streq(pod->cluster, record->cluster);
}

/* The one that says most: with an exit code, else any. */
static const struct model_object *pod_of(const struct plan__task_pass *pass)
{
    const struct model_object *found = NULL;

    for (size_t i = 0; i < pass->s->pod_count; i++) {
        const struct model_object *pod = pass->s->pods[i];

        if (is_pod_of(pod, &pass->now) && (found == NULL || pod->exit_code > found->exit_code))
            found = pod;
    }
    return found;
}

/* Stopped by us, and no pod of it is left. */
static bool is_still(const struct model_object *job)
{
    return job->stopped && job->suspended && job->active == 0 && job->terminating == 0;
}

static bool is_over(const struct model_object *job)
{
    return job->job_end != MODEL_JOB_NOT_ENDED || is_still(job);
}

bool plan__is_quiet(const struct plan__task_pass *pass)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        if (!is_over(pass->own[i]) && !pass->own[i]->deleting)
            return false;
    }
    for (size_t i = 0; i < pass->s->pod_count; i++) {
        if (!has_ended(pass->s->pods[i]))
            return false;
    }
    return true;
}

/* ---- is there another attempt? -------------------------------------------------------------- */

/* SCDF's backoffLimit counts where the launch has no retry of its own. */
static int64_t retry_limit(struct plan__task_pass *pass)
{
    if (pass->task.retry.given || pass->account == NULL)
        return pass->task.retry.limit;
    if (pass->wanted.count == 0) {
        plan__task_app(pass->arena, &pass->task, pass->account, pass->s->registry, &pass->wanted);
    }
    if (pass->wanted.count == 0 || pass->wanted.apps[0].settings.backoff_limit < 0)
        return pass->task.retry.limit;
    return pass->wanted.apps[0].settings.backoff_limit;
}

static bool is_excluded(const struct model_retry *retry, int64_t exit_code)
{
    for (size_t i = 0; i < retry->not_on_count; i++) {
        if (retry->not_on_codes[i] == exit_code)
            return true;
    }
    return false;
}

/* Doubles (or what factor says) with each retry; the jitter hangs on launch and attempt only, so
 * that whoever computes it again finds the same. */
static int64_t backoff_ms(struct plan__task_pass *pass)
{
    const struct model_retry *retry = &pass->task.retry;
    int64_t delay = retry->initial_ms;

    for (int64_t i = 1; i < pass->now.retries && delay < retry->max_ms; i++) {
        const int64_t next =
            delay / 1000 * retry->factor_milli + delay % 1000 * retry->factor_milli / 1000;

        if (next <= delay) /* a factor of 1, or less than a step */
            break;
        delay = next;
    }
    if (delay > retry->max_ms)
        delay = retry->max_ms;
    const char *seed =
        ps_arena_printf(pass->arena, "%s/%lld", pass->task.uid, (long long)pass->now.attempt);
    const int64_t per_mille = (int64_t)(ps_hash(seed, strlen(seed)) % 2001) - 1000;

    return delay + delay / 100 * retry->jitter_percent * per_mille / 1000;
}

static const char *attempt_text(struct plan__task_pass *pass, const struct ending *end)
{
    PS_AUTO_BUF(text, MODEL_MESSAGE_MAX * 2); /* the output alone may be as long as a message */
    const struct ps_str words = ps_str_trim(ps_str(end->message));

    ps_buf_printf(&text, "attempt %lld: ", (long long)pass->now.attempt);
    if (end->exit_code >= 0 && end->reason != NULL) {
        ps_buf_printf(&text, "exit code %lld (%s)", (long long)end->exit_code, end->reason);
    } else if (end->exit_code >= 0) {
        ps_buf_printf(&text, "exit code %lld", (long long)end->exit_code);
    } else {
        ps_buf_str(&text, end->reason ? end->reason : "failed");
    }
    if (words.n > 0) {
        ps_buf_str(&text, ": ");
        ps_buf_view(&text, words);
    }
    return ps_arena_str(pass->arena, ps_buf_get(&text));
}

/* No attempt follows. */
static void give_up(struct plan__task_pass *pass, const struct ending *end, const char *reason)
{
    const bool unknown = end->state == MODEL_ATTEMPT_UNKNOWN;

    pass->stalled = true;
    if (!unknown)
        pass->now.completion_ms = end->at_ms;
    plan__task_say(
        pass, unknown ? MODEL_TASK_UNKNOWN : MODEL_TASK_FAILED, reason,
        unknown ? ps_arena_printf(pass->arena,
                                  "%s; it is not run again unless spec.retry.onUnknown is true",
                                  pass->now.message)
                : pass->now.message);
}

static void take_ending(struct plan__task_pass *pass, const struct ending *end)
{
    const struct model_retry *retry = &pass->task.retry;
    const bool unknown = end->state == MODEL_ATTEMPT_UNKNOWN;

    pass->now.state = end->state;
    pass->now.exit_code = end->exit_code;
    pass->now.message = attempt_text(pass, end);
    pass->plan->standing = PLAN_IDLE;
    pass->plan->summary = "an attempt has ended";
    if (unknown && !retry->on_unknown) {
        give_up(pass, end, "AttemptUnknown");
    } else if (ps_streq(end->reason, "DeadlineExceeded")) {
        give_up(pass, end, "DeadlineExceeded");
    } else if (is_excluded(retry, end->exit_code) || pass->now.retries >= retry_limit(pass)) {
        give_up(pass, end, unknown ? "AttemptUnknown" : "AttemptFailed");
    } else {
        pass->now.retries++;
        pass->now.next_ms = end->at_ms + backoff_ms(pass);
        /* The pod of a Job that somebody has deleted may run, and not be seen yet. */
        if (unknown && pass->now.next_ms < end->at_ms + POD_LAG_MS)
            pass->now.next_ms = end->at_ms + POD_LAG_MS;
        pass->now.phase = MODEL_TASK_WAITING;
    }
}

bool plan__may_go_on(struct plan__task_pass *pass)
{
    if (pass->now.phase != MODEL_TASK_UNKNOWN)
        return true;
    if (!pass->task.retry.on_unknown || pass->now.retries >= retry_limit(pass))
        return false;
    pass->now.retries++;
    pass->now.next_ms = pass->s->now_ms + POD_LAG_MS;
    pass->now.phase = MODEL_TASK_WAITING;
    return true;
}

/* ---- from the Job to the attempt's state ---------------------------------------------------- */

/* Unreadable: now is the best that is known. */
static int64_t end_of(const struct plan__task_pass *pass, const struct model_object *job)
{
    return job->ended_ms > 0 ? job->ended_ms : pass->s->now_ms;
}

static void complete(struct plan__task_pass *pass, int64_t at_ms)
{
    pass->now.state = MODEL_ATTEMPT_COMPLETE;
    pass->now.exit_code = 0;
    pass->now.completion_ms = at_ms;
    pass->now.message = NULL;
    pass->plan->standing = PLAN_IDLE;
    pass->plan->summary = "complete";
    plan__task_say(pass, MODEL_TASK_COMPLETE, "Complete",
                   ps_arena_printf(pass->arena, "attempt %lld ended with exit code 0",
                                   (long long)pass->now.attempt));
}

static void failed_job(struct plan__task_pass *pass, const struct model_object *job)
{
    const struct model_object *pod = pod_of(pass);
    const bool told = pod != NULL && pod->exit_code >= 0;
    const bool deadline = ps_streq(job->end_reason, "DeadlineExceeded");
    struct ending end = {.state = MODEL_ATTEMPT_FAILED,
                         .exit_code = told ? pod->exit_code : -1,
                         .at_ms = end_of(pass, job),
                         .reason = told ? pod->cause : job->end_reason,
                         .message = told ? pod->cause_message : job->end_message};

    if (!told && !deadline && job->ended_ms > 0 && pass->s->now_ms - job->ended_ms < POD_LAG_MS) {
        plan__wake(pass->plan, POD_RECHECK_MS); /* its pod will say why */
        plan__task_say(pass, pass->now.phase, "Ending", "the attempt has failed; reading why");
        return;
    }
    if (deadline) {
        end.reason = job->end_reason;
        end.message = "spec.activeDeadlineSeconds: the time for all attempts is over";
    }
    take_ending(pass, &end);
}

/* Somebody deletes the Job of an attempt that has not ended. */
static void deleted_job(struct plan__task_pass *pass)
{
    const struct model_object *pod = pod_of(pass);
    struct ending end = {.state = MODEL_ATTEMPT_UNKNOWN,
                         .exit_code = -1,
                         .at_ms = pass->s->now_ms,
                         .reason = "JobDeleted",
                         .message = "its Job was deleted before its end was seen; whether it has "
                                    "done its work is not known"};

    if (pod != NULL && ps_streq(pod->phase, "Succeeded")) {
        complete(pass, pass->s->now_ms);
    } else if (pod != NULL && ps_streq(pod->phase, "Failed") && pod->exit_code >= 0) {
        end = (struct ending){MODEL_ATTEMPT_FAILED, pod->exit_code, pass->s->now_ms, pod->cause,
                              pod->cause_message};
        take_ending(pass, &end);
    } else {
        take_ending(pass, &end);
    }
}

/* A Job that was seen is not in the view any more. False: look again first. */
static bool lost_job(struct plan__task_pass *pass)
{
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__job_key(pass));

    if (fact == NULL)
        return false;
    if (fact->seen == PLAN_PRESENT &&
        ps_streq(js_path_str(fact->object, "metadata.uid"), pass->now.uid)) {
        (void)plan__adopt(pass->plan, pass->s, plan__job_key(pass), fact->object);
        plan__wake(pass->plan, POD_RECHECK_MS); /* the watch will bring it */
        return false;
    }
    deleted_job(pass);
    return true;
}

/* The status names a Job that this launch never makes: it was written for another object, and came
 * back with a backup. */
static void foreign_record(struct plan__task_pass *pass)
{
    const struct ending end = {.state = MODEL_ATTEMPT_UNKNOWN,
                               .exit_code = -1,
                               .at_ms = pass->s->now_ms,
                               .reason = "RecordForeign",
                               .message = "the status is that of an earlier object of this name; "
                                          "whether its attempt has done its work is not known"};

    take_ending(pass, &end);
}

/* Nor is it looked for where it was not asked for. */
static void moved_account(struct plan__task_pass *pass)
{
    const struct ending end = {.state = MODEL_ATTEMPT_UNKNOWN,
                               .exit_code = -1,
                               .at_ms = pass->s->now_ms,
                               .reason = "PlatformChanged",
                               .message = "its PlatformAccount was made anew, and leads to another "
                                          "cluster; whether it has done its work is not known"};

    take_ending(pass, &end);
}

static void stopped(struct plan__task_pass *pass)
{
    pass->now.state = MODEL_ATTEMPT_STOPPED;
    pass->now.message = "stopped";
    pass->now.phase = MODEL_TASK_STOPPED;
    pass->plan->standing = PLAN_IDLE;
    pass->plan->summary = "stopped";
}

/* The pod of a running attempt may come and go (a node is lost): what ran once is not shown as
 * never started. */
static void under_way(struct plan__task_pass *pass, const struct model_object *job)
{
    const struct model_object *pod = pod_of(pass);
    const bool ran = pass->before.phase == MODEL_TASK_RUNNING;
    const bool runs = pod != NULL && (ps_streq(pod->phase, "Running") || has_ended(pod));
    const char *number = ps_arena_printf(pass->arena, "attempt %lld", (long long)pass->now.attempt);

    if (pass->task.suspend || job->stopped) {
        plan__task_say(pass, ran ? MODEL_TASK_RUNNING : MODEL_TASK_PENDING, "Stopping",
                       ps_arena_printf(pass->arena, "%s is being stopped", number));
    } else if (job->suspend) {
        plan__task_say(pass, MODEL_TASK_PENDING, "JobSuspended",
                       ps_arena_printf(pass->arena,
                                       "%s: somebody has suspended its Job %s/%s; Penstock waits",
                                       number, job->namespace, job->name));
    } else if (runs || ran) {
        plan__task_say(pass, MODEL_TASK_RUNNING, "Running",
                       ps_arena_printf(pass->arena, "%s runs", number));
    } else if (pod != NULL && pod->cause != NULL) {
        plan__task_say(pass, MODEL_TASK_PENDING, ps_arena_dup(pass->arena, pod->cause),
                       ps_arena_printf(pass->arena, "%s: pod %s: %s", number, pod->name,
                                       pod->cause_message ? pod->cause_message : pod->cause));
    } else {
        plan__task_say(pass, MODEL_TASK_PENDING, "Starting",
                       ps_arena_printf(pass->arena, "%s: waiting for its pod to run", number));
    }
}

bool plan__settle_attempt(struct plan__task_pass *pass)
{
    const struct model_object *job = job_of(pass, pass->now.attempt);

    pass->plan->standing = PLAN_ACTIVE;
    if (job == NULL &&
        !ps_streq(pass->now.name, plan__job_name(pass->arena, &pass->task, pass->now.attempt))) {
        foreign_record(pass);
        return true;
    }
    if (job == NULL && pass->account != NULL && !ps_streq(pass->now.cluster, pass->cluster)) {
        moved_account(pass);
        return true;
    }
    if (job == NULL)
        return pass->now.uid == NULL ? true : lost_job(pass);
    pass->now.namespace = job->namespace;
    pass->now.name = job->name;
    pass->now.uid = job->uid;
    pass->now.cluster = job->cluster;
    pass->now.state = MODEL_ATTEMPT_RUNNING;
    if (pass->now.start_ms == 0)
        pass->now.start_ms = job->created_ms;
    if (job->job_end == MODEL_JOB_COMPLETE) {
        complete(pass, end_of(pass, job));
    } else if (job->job_end == MODEL_JOB_FAILED) {
        failed_job(pass, job);
    } else if (job->deleting) {
        deleted_job(pass);
    } else if (is_still(job)) {
        stopped(pass);
    } else {
        under_way(pass, job);
    }
    return true;
}

/* ---- the care of Jobs ----------------------------------------------------------------------- */

static struct json_t *job_patch(const struct model_object *job)
{
    struct json_t *body = js_object();

    js_set_str(js_child(body, "metadata"), "resourceVersion", job->rv);
    return body;
}

static void patch_job(struct plan__task_pass *pass, const struct model_object *job,
                      struct json_t *body)
{
    plan__op(pass->plan, (struct plan_op){.stage = 0,
                                          .verb = PLAN_PATCH_STRATEGIC,
                                          .kind = MODEL_JOB,
                                          .namespace = job->namespace,
                                          .name = job->name,
                                          .cluster = job->cluster,
                                          .body = body});
}

/* A suspended Job ends its pods, and stays as the trace of its attempt. */
static void stop_job(struct plan__task_pass *pass, const struct model_object *job)
{
    struct json_t *body = job_patch(job);

    js_set_str(js_child(js_child(body, "metadata"), "annotations"), MODEL_ANNOTATION_STOPPED,
               "true");
    js_set_bool(js_child(body, "spec"), "suspend", true);
    patch_job(pass, job, body);
    pass->plan->summary = "stop an attempt";
}

static const char *deadline_text(struct plan__task_pass *pass)
{
    const int64_t seconds = pass->task.active_deadline_s;

    return seconds < 0 ? "none" : ps_arena_printf(pass->arena, "%lld", (long long)seconds);
}

/* The launch's deadline was edited: the Job's own counts from its own start. */
static void move_deadline(struct plan__task_pass *pass, const struct model_object *job)
{
    const int64_t seconds = pass->task.active_deadline_s;
    const int64_t left = seconds - (job->created_ms - pass->now.start_ms) / 1000;
    struct json_t *body = job_patch(job), *spec = js_child(body, "spec");

    js_set_str(js_child(js_child(body, "metadata"), "annotations"), MODEL_ANNOTATION_DEADLINE,
               deadline_text(pass));
    js_set(spec, "activeDeadlineSeconds",
           seconds < 0 ? js_null() : js_integer(left > 1 ? left : 1));
    patch_job(pass, job, body);
    pass->plan->summary = "move the deadline of the attempt";
}

/* Its end stands in the status, or will before the stage returned here begins; -1: it does not. */
static int release_stage(struct plan__task_pass *pass, const struct model_object *job)
{
    const struct plan__record *before = &pass->before, *now = &pass->now;

    if (job->attempt < before->attempt ||
        (job->attempt == before->attempt && !plan__is_active(before)))
        return 0;
    if (job->attempt < now->attempt || !plan__is_active(now)) {
        pass->record_first = true;
        return 1;
    }
    return -1;
}

static void tend_job(struct plan__task_pass *pass, const struct model_object *job)
{
    const bool current = plan__is_active(&pass->now) && job->attempt == pass->now.attempt;
    const bool wanted = current && !pass->task.suspend && !job->stopped;

    if (!plan__is_open(pass->s, job->cluster))
        return;
    if (!is_over(job) && !job->deleting) {
        if (!wanted && !pass->unreadable && !(job->stopped && job->suspend)) {
            stop_job(pass, job);
        } else if (wanted && !pass->unreadable && !ps_streq(job->deadline, deadline_text(pass))) {
            move_deadline(pass, job);
        }
    } else if (job->has_finalizer) {
        const int stage = release_stage(pass, job);

        if (stage >= 0)
            plan__release_job(pass->plan, stage, job);
    }
}

void plan__tend_jobs(struct plan__task_pass *pass)
{
    for (size_t i = 0; i < pass->own_count; i++)
        tend_job(pass, pass->own[i]);
}
