/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass of a task: what became of the last attempt, and may the next one start.
 *
 * An attempt is on record in the status before its Job is asked for, under a name that nothing else
 * has: whoever dies in between, the attempt is known, and its Job can be made only once. A Job
 * keeps our finalizer until its end is on record, so an attempt whose Job was seen never looks as
 * if it had not been started.
 */
#include "plan/task.h"

#include "plan/policy.h"

#include <stdlib.h>
#include <string.h>

#define CONFLICT_RECHECK_MS 30000
#define QUIET_RECHECK_MS    1000

void plan__task_say(struct plan__task_pass *pass, enum model_task_phase phase, const char *reason,
                    const char *message)
{
    pass->now.phase = phase;
    pass->reason = reason;
    pass->message = message;
}

/* ---- children ------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct model_object *x = *(const struct model_object *const *)a,
                              *y = *(const struct model_object *const *)b;

    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* Jobs whose owner uid is another one belong to a launch of the same name that is gone. */
static void sort_jobs(struct plan__task_pass *pass)
{
    const struct plan_snapshot *s = pass->s;

    pass->own = ps_arena_array(pass->arena, s->child_count, sizeof(const struct model_object *));
    pass->predecessors =
        ps_arena_array(pass->arena, s->child_count, sizeof(const struct model_object *));
    for (size_t i = 0; i < s->child_count; i++) {
        if (ps_streq(s->children[i]->owner_uid, pass->task.uid)) {
            pass->own[pass->own_count++] = s->children[i];
        } else {
            pass->predecessors[pass->predecessor_count++] = s->children[i];
        }
    }
    if (pass->own_count > 1)
        qsort(pass->own, pass->own_count, sizeof(const struct model_object *), newest_first);
}

/* ---- may it start? -------------------------------------------------------------------------- */

/* The spec can't be mended, so what is wrong with it is the end. */
static bool is_for_good(const char *reason)
{
    static const char *const words[] = {"DSLSyntaxError", "NotSupportedYet", "InvalidProperty",
                                        "InvalidSpec",    "NameInvalid",     "NameTooLong",
                                        "TaskTooLarge"};

    for (size_t i = 0; i < PS_ARRAY_LEN(words); i++) {
        if (strcmp(words[i], reason) == 0)
            return true;
    }
    return false;
}

static void refuse(struct plan__task_pass *pass, const char *reason, const char *message)
{
    const bool for_good = is_for_good(reason);

    pass->refused = reason;
    pass->stalled = true;
    if (for_good)
        pass->now.completion_ms = pass->s->now_ms;
    plan__task_say(pass, for_good ? MODEL_TASK_FAILED : MODEL_TASK_PENDING, reason, message);
}

/* What would run is looked at: which attempt it is makes no difference. */
static bool is_within_policy(struct plan__task_pass *pass)
{
    const struct model_account *account = pass->account;
    const struct plan__attempt attempt = {.task = &pass->task,
                                          .app = &pass->wanted.apps[0],
                                          .installation = pass->s->installation,
                                          .namespace = plan__target_of(pass->s, account),
                                          .image = pass->now.image,
                                          .number = 1,
                                          .deadline_s = -1};
    struct json_t *job PS_AUTO_JS = plan__job(pass->arena, &attempt);
    const char *problem = plan__policy_problem(
        pass->arena, account, plan__is_at_home(pass->s, account), js_path(job, "spec.template"));

    if (problem == NULL)
        return true;
    refuse(pass, PLAN__POLICY_VIOLATION,
           ps_arena_printf(pass->arena, "app %s: pod template, %s", pass->wanted.apps[0].label,
                           problem));
    return false;
}

static bool find_app(struct plan__task_pass *pass)
{
    const struct model_account *account = pass->account;

    if (account == NULL) {
        refuse(pass, "PlatformNotFound",
               ps_arena_printf(
                   pass->arena, "%s: there is no PlatformAccount %s (kubectl get pacct lists them)",
                   pass->task.app_count > 0 && pass->task.apps[0].platform ? "spec.apps[0].platform"
                                                                           : "spec.platform",
                   pass->task.platform));
        return false;
    }
    if (!plan__is_allowed(pass->s, account)) {
        refuse(pass, "NotAllowed", plan__not_allowed_text(pass->arena, pass->s, account));
        return false;
    }
    plan__task_app(pass->arena, &pass->task, account, pass->s->registry, &pass->wanted);
    if (pass->wanted.reason != NULL) {
        refuse(pass, pass->wanted.reason, pass->wanted.message);
        return false;
    }
    return is_within_policy(pass);
}

static const char *target_of(const struct plan__task_pass *pass)
{
    return plan__target_of(pass->s, pass->account);
}

/* Nothing of the launch runs now, as far as is known. */
static bool can_look(struct plan__task_pass *pass)
{
    const char *last = pass->now.attempt > 0 ? pass->now.cluster : NULL;
    const char *away = plan__is_open(pass->s, pass->cluster) ? last : pass->cluster;

    if (plan__is_open(pass->s, away))
        return true;
    pass->connecting = plan__is_connecting(pass->s, away);
    plan__task_say(pass, MODEL_TASK_PENDING, plan__away_reason(pass->s, away),
                   plan__away_text(pass->arena, pass->s, away));
    return false;
}

static bool has_namespace(struct plan__task_pass *pass)
{
    const struct model_object *ns = pass->target;

    if (!can_look(pass))
        return false;
    if (ns != NULL && !ns->deleting && !ps_streq(ns->phase, "Terminating"))
        return true;
    plan__task_say(pass, MODEL_TASK_PENDING, ns ? "NamespaceTerminating" : "NamespaceNotFound",
                   ns ? ps_arena_printf(pass->arena, "namespace %s is being deleted", ns->name)
                      : ps_arena_printf(pass->arena,
                                        "namespace %s of PlatformAccount %s does not exist; "
                                        "Penstock never creates it",
                                        target_of(pass), pass->task.platform));
    return false;
}

static int64_t deadline_of(const struct plan__task_pass *pass)
{
    const int64_t seconds = pass->task.active_deadline_s;

    return pass->now.start_ms > 0 && seconds >= 0 ? pass->now.start_ms + seconds * 1000 : INT64_MAX;
}

/* notAfter: history that a backup brings back is not run again. */
static void expire(struct plan__task_pass *pass)
{
    const bool failed = pass->now.retries > 0;

    if (pass->now.completion_ms == 0)
        pass->now.completion_ms = pass->s->now_ms;
    pass->stalled = failed;
    plan__task_say(
        pass, failed ? MODEL_TASK_FAILED : MODEL_TASK_STOPPED, "Expired",
        ps_arena_printf(pass->arena, "spec.notAfter has passed: no attempt is started any more%s%s",
                        failed ? "; " : "", failed && pass->now.message ? pass->now.message : ""));
}

static void run_out_of_time(struct plan__task_pass *pass)
{
    pass->now.completion_ms = pass->s->now_ms;
    pass->stalled = true;
    plan__task_say(pass, MODEL_TASK_FAILED, "DeadlineExceeded",
                   ps_arena_printf(pass->arena,
                                   "spec.activeDeadlineSeconds: the %lld seconds for all attempts "
                                   "are over",
                                   (long long)pass->task.active_deadline_s));
}

static void back_off(struct plan__task_pass *pass)
{
    char when[PS_TIME_TEXT_SIZE];

    ps_time_text(pass->now.next_ms, when);
    plan__wake(pass->plan, pass->now.next_ms - pass->s->now_ms);
    plan__task_say(pass, MODEL_TASK_WAITING, "Backoff",
                   ps_arena_printf(pass->arena, "attempt %lld follows at %s; %s",
                                   (long long)pass->now.attempt + 1, when,
                                   pass->now.message ? pass->now.message : ""));
}

/* Look again when the time for a start has run out. */
static void wake_at_limits(struct plan__task_pass *pass)
{
    const int64_t now = pass->s->now_ms, deadline = deadline_of(pass);

    if (deadline != INT64_MAX && deadline > now)
        plan__wake(pass->plan, deadline - now);
    if (pass->task.not_after_ms >= now)
        plan__wake(pass->plan, pass->task.not_after_ms - now + 1);
}

/* What the launch itself says against a start now. */
static bool is_held_back(struct plan__task_pass *pass)
{
    const struct model_task *task = &pass->task;
    const int64_t now = pass->s->now_ms;

    if (task->not_after_ms >= 0 && now > task->not_after_ms) {
        expire(pass);
    } else if (now >= deadline_of(pass)) {
        run_out_of_time(pass);
    } else if (task->suspend) {
        plan__task_say(pass, MODEL_TASK_STOPPED, "Suspended",
                       "suspended: nothing runs; set spec.suspend to false to start an attempt");
        wake_at_limits(pass);
    } else if (pass->now.next_ms > now) {
        back_off(pass);
        wake_at_limits(pass);
    } else {
        return false;
    }
    return true;
}

/* The older ones first, also when they are in other namespaces. */
static bool has_slot(struct plan__task_pass *pass)
{
    const int64_t limit = pass->account->max_tasks;
    const struct plan_slots *slots = &pass->s->slots;

    if (slots->running + slots->ahead < limit)
        return true;
    plan__task_say(
        pass, MODEL_TASK_WAITING, "ConcurrencyLimit",
        ps_arena_printf(pass->arena,
                        "PlatformAccount %s runs at most %lld tasks at once (maxConcurrentTasks); "
                        "the oldest launch goes first",
                        pass->account->name, (long long)limit));
    pass->plan->standing = PLAN_QUEUED;
    wake_at_limits(pass);
    return false;
}

/* ---- the start ------------------------------------------------------------------------------ */

static int64_t deadline_left(const struct plan__task_pass *pass)
{
    const struct model_task *task = &pass->task;

    if (task->active_deadline_s < 0 || pass->now.start_ms == 0)
        return task->active_deadline_s;
    const int64_t left =
        (pass->now.start_ms + task->active_deadline_s * 1000 - pass->s->now_ms + 999) / 1000;

    return left > 1 ? left : 1;
}

static void create_job(struct plan__task_pass *pass, int stage)
{
    const struct plan__attempt attempt = {.task = &pass->task,
                                          .app = &pass->wanted.apps[0],
                                          .installation = pass->s->installation,
                                          .namespace = pass->now.namespace,
                                          .account_uid =
                                              plan__account_uid(pass->s, pass->now.cluster),
                                          .image = pass->now.image,
                                          .number = pass->now.attempt,
                                          .deadline_s = deadline_left(pass)};

    plan__op(pass->plan, (struct plan_op){.stage = stage,
                                          .verb = PLAN_CREATE,
                                          .kind = MODEL_JOB,
                                          .namespace = pass->now.namespace,
                                          .name = pass->now.name,
                                          .cluster = pass->now.cluster,
                                          .body = plan__job(pass->arena, &attempt)});
}

/* Before its first Job elsewhere the launch is held, and says where it may have one; then its
 * account is held, too. True when that is so. */
static bool is_prepared(struct plan__task_pass *pass)
{
    const bool beside = pass->cluster == NULL && ps_streq(target_of(pass), pass->task.namespace);
    const char *recorded = plan__recorded_clusters(pass->task.object);
    const bool known = pass->cluster == NULL || model_names_has(recorded, pass->cluster);

    if (!known && pass->account->deleting) {
        plan__task_say(pass, MODEL_TASK_PENDING, "PlatformTerminating",
                       ps_arena_printf(pass->arena, "PlatformAccount %s is being deleted",
                                       pass->account->name));
        pass->plan->standing = PLAN_IDLE;
    } else if (!known || (!beside && !pass->task.has_finalizer)) {
        plan__hold(pass->plan, MODEL_TASK, pass->task.object,
                   known ? NULL : plan__names_add(pass->arena, recorded, pass->cluster));
        pass->plan->summary = "take hold of the launch";
    } else if (!plan__is_held(pass->platform)) {
        plan__wake(pass->plan, PLAN__PREPARING_RECHECK_MS);
        plan__task_say(pass, MODEL_TASK_PENDING, "Connecting",
                       ps_arena_printf(pass->arena,
                                       "PlatformAccount %s is made ready for the first object in "
                                       "its cluster",
                                       pass->account->name));
    } else {
        return true;
    }
    return false;
}

/* The attempt is recorded in stage 0; its Job follows only when that stands. */
static void begin_attempt(struct plan__task_pass *pass)
{
    const struct plan__app *app = &pass->wanted.apps[0];
    const char *target = target_of(pass);

    pass->plan->standing = PLAN_ACTIVE;
    if (!is_prepared(pass))
        return;
    pass->now.attempt++;
    pass->now.state = MODEL_ATTEMPT_STARTING;
    pass->now.next_ms = 0;
    pass->now.exit_code = -1;
    pass->now.message = NULL;
    pass->now.namespace = target;
    pass->now.cluster = pass->cluster;
    pass->now.name = plan__job_name(pass->arena, &pass->task, pass->now.attempt);
    pass->now.uid = NULL;
    if (pass->now.image == NULL) {
        pass->now.image = app->image;
        pass->now.version = app->version;
    }
    plan__task_say(pass, MODEL_TASK_PENDING, "Starting",
                   ps_arena_printf(pass->arena, "attempt %lld: making Job %s/%s",
                                   (long long)pass->now.attempt, target, pass->now.name));
    pass->record_first = true;
    pass->plan->summary = "start an attempt";
    create_job(pass, 1);
}

/* A Job of this launch whose label somebody has changed has the name of the next attempt. */
static bool has_name(struct plan__task_pass *pass)
{
    const char *name = plan__job_name(pass->arena, &pass->task, pass->now.attempt + 1);

    for (size_t i = 0; i < pass->own_count; i++) {
        if (!ps_streq(pass->own[i]->name, name))
            continue;
        pass->stalled = true;
        plan__task_say(pass, MODEL_TASK_PENDING, "NameConflict",
                       ps_arena_printf(pass->arena,
                                       "Job %s/%s has the name of attempt %lld and not its label "
                                       "(" MODEL_LABEL_ATTEMPT "); remove it",
                                       pass->own[i]->namespace, name,
                                       (long long)pass->now.attempt + 1));
        return false;
    }
    return true;
}

/* Nothing is under way: begin the next attempt, or say what stands against it. */
static void consider_start(struct plan__task_pass *pass)
{
    if (plan__is_final(&pass->now) || !plan__may_go_on(pass))
        return;
    if (is_held_back(pass) || !find_app(pass) || !has_namespace(pass))
        return;
    if (pass->predecessor_count > 0) {
        plan__wake(pass->plan, QUIET_RECHECK_MS);
        plan__task_say(
            pass, MODEL_TASK_WAITING, "PredecessorTerminating",
            ps_arena_printf(pass->arena,
                            "waiting until Job %s/%s of an earlier TaskLaunch of this name is gone",
                            pass->predecessors[0]->namespace, pass->predecessors[0]->name));
    } else if (!plan__is_quiet(pass)) {
        plan__wake(pass->plan, QUIET_RECHECK_MS);
        plan__task_say(pass, MODEL_TASK_WAITING, "AttemptEnding",
                       "waiting until the pods of the attempt before are gone");
    } else if (has_name(pass) && has_slot(pass)) {
        begin_attempt(pass);
    }
}

/* The attempt is on record, and its Job is not there: it was never made. */
static void resume_start(struct plan__task_pass *pass)
{
    const struct plan__record recorded = pass->now;

    pass->plan->standing = PLAN_ACTIVE;
    if (is_held_back(pass)) {
        pass->now.state = MODEL_ATTEMPT_STOPPED;
        pass->plan->standing = PLAN_IDLE;
    } else if (find_app(pass) && has_namespace(pass)) {
        plan__task_say(pass, recorded.phase, "Starting",
                       ps_arena_printf(pass->arena, "attempt %lld: making Job %s/%s",
                                       (long long)recorded.attempt, recorded.namespace,
                                       recorded.name));
        pass->now.phase = MODEL_TASK_PENDING;
        pass->plan->summary = "make the Job of the recorded attempt";
        create_job(pass, 0);
    }
}

/* The Job of the attempt on record has not been seen yet. False: look again first. */
static bool look_for_job(struct plan__task_pass *pass)
{
    const struct plan_fact *fact = plan__ask(pass->plan, pass->s, plan__job_key(pass));

    pass->plan->standing = PLAN_ACTIVE;
    if (fact == NULL)
        return false;
    if (fact->seen == PLAN_ABSENT) {
        resume_start(pass);
        return true;
    }
    const struct json_t *labels = js_path(fact->object, "metadata.labels");

    if (ps_streq(js_str(js_get(labels, MODEL_LABEL_OWNER_UID)), pass->task.uid)) {
        (void)plan__adopt(pass->plan, pass->s, plan__job_key(pass), fact->object);
        plan__wake(pass->plan, QUIET_RECHECK_MS); /* the watch will bring it */
        return false;
    }
    pass->stalled = true;
    plan__wake(pass->plan, CONFLICT_RECHECK_MS);
    plan__task_say(
        pass, MODEL_TASK_PENDING, "NameConflict",
        ps_arena_printf(pass->arena,
                        "Job %s/%s is somebody else's (uid %s); it is left alone, and the attempt "
                        "waits until it is gone",
                        pass->now.namespace, pass->now.name,
                        js_path_str(fact->object, "metadata.uid")));
    return true;
}

/* ---- the pass ------------------------------------------------------------------------------- */

/* What became of it will be seen when its cluster can be reached again; until then it is taken for
 * one that runs. */
static bool is_unseen(struct plan__task_pass *pass)
{
    const char *cluster = pass->now.cluster;

    if (plan__is_open(pass->s, cluster))
        return false;
    pass->unseen = true;
    pass->connecting = plan__is_connecting(pass->s, cluster);
    pass->plan->standing = PLAN_ACTIVE;
    plan__task_say(pass, pass->now.phase, plan__away_reason(pass->s, cluster),
                   ps_arena_printf(pass->arena, "attempt %lld: %s; it is not started again",
                                   (long long)pass->now.attempt,
                                   plan__away_text(pass->arena, pass->s, cluster)));
    return true;
}

static void reconcile(struct plan__task_pass *pass)
{
    plan__record_read(pass);
    if (plan__task_predecessors(pass))
        return;
    if (pass->unreadable && !plan__is_active(&pass->now) && !plan__is_final(&pass->now)) {
        refuse(pass, "InvalidSpec", pass->message);
    } else if (plan__is_active(&pass->now) && !is_unseen(pass)) {
        if (!plan__settle_attempt(pass))
            return;
        if (pass->now.state == MODEL_ATTEMPT_STARTING && !look_for_job(pass))
            return;
    }
    if (!plan__is_active(&pass->now) && !pass->unreadable) {
        pass->plan->standing = PLAN_IDLE;
        consider_start(pass);
    }
    plan__tend_jobs(pass);
    plan__task_expire(pass);
    plan__task_status(pass);
}

struct plan *plan_task(const struct plan_snapshot *snapshot)
{
    struct plan *plan = plan__new();
    struct plan__task_pass pass = {.s = snapshot, .plan = plan, .arena = &plan->arena};
    struct ps_err err = {0};

    if (snapshot->cr == NULL) {
        plan__task_gone(&pass);
        return plan;
    }
    if (model_task_read(pass.arena, snapshot->cr, &pass.task, &err) != 0) {
        pass.unreadable = true;
        pass.message = ps_arena_dup(pass.arena, err.message);
    }
    const struct plan_platform *platform = plan__platform(snapshot, pass.task.platform);

    pass.platform = platform;
    pass.account = platform ? platform->account : NULL;
    pass.target = platform ? platform->target : NULL;
    pass.cluster = pass.account ? plan__cluster_of(pass.account) : NULL;
    sort_jobs(&pass);
    if (pass.task.deleting) {
        plan__task_cleanup(&pass);
    } else {
        reconcile(&pass);
    }
    return plan;
}
