/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Job controller, the kubelet and the collector of garbage, as a real control plane shows them.
 * A Job that is being deleted is not driven any more: its pod runs on to its end, and the Job says
 * nothing of it.
 */
#include "plan/launches.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS     500
#define KILLED_CODE 143

/* ---- reading --------------------------------------------------------------------------------- */

static struct json_t *keys_of(const struct json_t *objects)
{
    struct json_t *keys = js_array(), *value;
    void *at = NULL;
    const char *key;

    while (js_next(objects, &at, &key, &value))
        js_push(keys, js_string(key));
    return keys;
}

static bool is_deleting(const struct json_t *object)
{
    return js_path_str(object, "metadata.deletionTimestamp") != NULL;
}

static bool has_condition(const struct json_t *job, const char *type)
{
    return ps_streq(
        js_path_str(model_condition_find(js_path(job, "status.conditions"), type), "status"),
        "True");
}

static bool has_ended(const struct json_t *pod)
{
    const char *phase = js_path_str(pod, "status.phase");

    return ps_streq(phase, "Succeeded") || ps_streq(phase, "Failed");
}

static struct json_t *pod_of(const struct launches *world, const struct json_t *job)
{
    const char *uid = js_path_str(job, "status.pod");

    return uid ? launches_by_uid(world, MODEL_POD, uid) : NULL;
}

static const struct json_t *job_of(const struct launches *world, const struct json_t *pod)
{
    return launches_by_uid(world, MODEL_JOB,
                           js_path_str(js_at(js_path(pod, "metadata.ownerReferences"), 0), "uid"));
}

static int64_t seconds_since(const struct launches *world, const char *text)
{
    int64_t ms;

    return ps_time_parse(ps_str(text), &ms) ? (world->now_ms - ms) / 1000 : 0;
}

/* ---- the Job controller ---------------------------------------------------------------------- */

static void set_condition(const struct launches *world, struct json_t *job, const char *type,
                          bool is, const char *reason)
{
    struct json_t *old = js_path(job, "status.conditions"), *list = js_array();
    struct json_t *condition = js_object();
    char when[PS_TIME_TEXT_SIZE];

    for (size_t i = 0; i < js_len(old); i++) {
        if (!ps_streq(js_path_str(js_at(old, i), "type"), type))
            js_push(list, js_copy(js_at(old, i)));
    }
    ps_time_text(world->now_ms, when);
    js_set_str(condition, "type", type);
    js_set_str(condition, "status", is ? "True" : "False");
    js_set_str(condition, "reason", reason);
    js_set_str(condition, "message", reason);
    js_set_str(condition, "lastTransitionTime", when);
    js_push(list, condition);
    js_set(js_child(job, "status"), "conditions", list);
}

static void start(struct launches *world, struct json_t *job)
{
    struct json_t *pod = js_object(), *metadata = js_child(pod, "metadata"), *owner = js_object();
    struct json_t *owners = js_array(), *status = js_child(job, "status");
    struct json_t *entry = launches_entry(world, job);
    char when[PS_TIME_TEXT_SIZE];
    PS_AUTO_BUF(name, 256);

    ps_time_text(world->now_ms, when);
    ps_buf_printf(&name, "%s-%d", js_path_str(job, "metadata.name"), world->number);
    js_set_str(metadata, "name", ps_buf_text(&name));
    js_set(metadata, "namespace", js_copy(js_path(job, "metadata.namespace")));
    js_set(metadata, "labels", js_copy(js_path(job, "spec.template.metadata.labels")));
    js_set_str(owner, "uid", js_path_str(job, "metadata.uid"));
    js_push(owners, owner);
    js_set(metadata, "ownerReferences", owners);
    js_set_str(js_child(pod, "status"), "phase", "Pending");
    js_set_bool(pod, "late", js_path_bool(entry, "late", false));
    if (js_path_bool(entry, "started", false) && !js_path_bool(entry, "toggled", false) &&
        !js_path_bool(entry, "late", false))
        launches_fail(world, "an attempt runs twice");
    js_set_bool(entry, "started", true);
    launches_put(world, MODEL_POD, pod);
    js_set_str(status, "startTime", when);
    js_set_str(status, "pod", js_path_str(pod, "metadata.uid"));
    js_set_int(status, "active", 1);
    set_condition(world, job, "Suspended", false, "JobResumed");
}

static bool suspend(struct launches *world, struct json_t *job, const struct json_t *pod)
{
    struct json_t *status = js_child(job, "status");
    const bool alive = pod != NULL && !has_ended(pod);

    if (!has_condition(job, "Suspended")) {
        js_remove(status, "startTime");
        js_remove(status, "active");
        js_set_int(status, "terminating", alive);
        set_condition(world, job, "Suspended", true, "JobSuspended");
        if (alive && !is_deleting(pod))
            launches_delete(world, MODEL_POD, pod);
        return true;
    }
    if (pod != NULL || js_path_int(status, "terminating", 0) == 0)
        return false;
    js_set_int(status, "terminating", 0);
    return true;
}

/* Its pod has ended, or is gone. */
static bool end(struct launches *world, struct json_t *job, const struct json_t *pod)
{
    struct json_t *status = js_child(job, "status");
    const bool good = ps_streq(js_path_str(pod, "status.phase"), "Succeeded");
    const struct json_t *target =
        model_condition_find(js_path(job, "status.conditions"), "FailureTarget");

    js_remove(status, "active");
    js_set_int(status, "terminating", 0);
    if (target != NULL) {
        set_condition(world, job, "Failed", true, js_path_str(target, "reason"));
    } else if (good) {
        js_set_int(status, "succeeded", 1);
        set_condition(world, job, "Complete", true, "CompletionsReached");
    } else {
        js_set_int(status, "failed", 1);
        set_condition(world, job, "FailureTarget", true, "BackoffLimitExceeded");
    }
    return true;
}

static bool exceed(struct launches *world, struct json_t *job, const struct json_t *pod)
{
    const int64_t limit = js_path_int(job, "spec.activeDeadlineSeconds", -1);

    if (limit < 0 || seconds_since(world, js_path_str(job, "status.startTime")) < limit ||
        has_condition(job, "FailureTarget"))
        return false;
    js_set_int(js_child(job, "status"), "terminating", 1);
    set_condition(world, job, "FailureTarget", true, "DeadlineExceeded");
    if (!is_deleting(pod))
        launches_delete(world, MODEL_POD, pod);
    return true;
}

/* Nobody counts any more, but what runs is still shown. */
static bool abandon(struct json_t *job, const struct json_t *pod)
{
    if (js_path_int(job, "status.active", 0) == 0 || (pod != NULL && !has_ended(pod)))
        return false;
    js_remove(js_child(job, "status"), "active");
    return true;
}

static bool sync_job(struct launches *world, struct json_t *job)
{
    const struct json_t *pod = pod_of(world, job);

    if (has_condition(job, "Complete") || has_condition(job, "Failed"))
        return false;
    if (is_deleting(job))
        return abandon(job, pod);
    if (has_condition(job, "FailureTarget"))
        return (pod == NULL || has_ended(pod)) && end(world, job, pod);
    /* What ended while it was being stopped counts when it ended well, or by itself. */
    if (pod != NULL && has_ended(pod) &&
        (!is_deleting(pod) || ps_streq(js_path_str(pod, "status.phase"), "Succeeded")))
        return end(world, job, pod);
    if (js_path_bool(job, "spec.suspend", false))
        return suspend(world, job, pod);
    if (js_path_str(job, "status.startTime") == NULL) {
        if (pod != NULL) /* of before it was suspended: first it goes */
            return false;
        start(world, job);
        return true;
    }
    if (pod == NULL || has_ended(pod))
        return end(world, job, pod);
    return exceed(world, job, pod);
}

/* ---- the kubelet ----------------------------------------------------------------------------- */

static void end_pod(struct launches *world, struct json_t *pod, int code)
{
    struct json_t *list = js_array(), *container = js_object(), *state;
    const struct json_t *job = job_of(world, pod);

    state = js_child(js_child(container, "state"), "terminated");
    js_set_int(state, "exitCode", code);
    js_set_str(state, "reason", code ? "Error" : "Completed");
    js_push(list, container);
    js_set(js_child(pod, "status"), "containerStatuses", list);
    js_set_str(js_child(pod, "status"), "phase", code ? "Failed" : "Succeeded");
    if (job != NULL)
        js_set_int(launches_entry(world, job), "exit", code);
}

static int random_code(struct launches *world)
{
    static const int codes[] = {0, 0, 0, 0, 1, 1, 1, 137, 64};

    return codes[launches_random(world, PS_ARRAY_LEN(codes))];
}

/* One that ends well while it is being stopped has done its work, unless its time is over. */
static int last_code(struct launches *world, const struct json_t *pod)
{
    const struct json_t *job = job_of(world, pod);
    const bool in_time = job != NULL && !has_condition(job, "FailureTarget");

    return in_time && ps_streq(js_path_str(pod, "status.phase"), "Running") &&
                   launches_chance(world, 20)
               ? 0
               : KILLED_CODE;
}

static int64_t code_of(const struct json_t *pod)
{
    return js_path_int(js_at(js_path(pod, "status.containerStatuses"), 0),
                       "state.terminated.exitCode", -1);
}

/* The Job has counted it, or nobody will. */
static bool may_go(const struct launches *world, const struct json_t *pod)
{
    const struct json_t *job = job_of(world, pod);

    return job == NULL || is_deleting(job) || has_condition(job, "Complete") ||
           has_condition(job, "FailureTarget") ||
           (has_condition(job, "Suspended") && code_of(pod) != 0);
}

static bool sync_pod(struct launches *world, struct json_t *pod)
{
    if (has_ended(pod)) {
        if (!is_deleting(pod) || !may_go(world, pod))
            return false;
        js_set_bool(pod, "gone", true);
    } else if (is_deleting(pod)) {
        if (!world->steady && !launches_chance(world, 20)) /* it has a period of grace */
            return false;
        end_pod(world, pod, last_code(world, pod));
    } else if (ps_streq(js_path_str(pod, "status.phase"), "Pending")) {
        js_set_str(js_child(pod, "status"), "phase", "Running");
    } else if (world->steady || launches_chance(world, 40)) {
        end_pod(world, pod, random_code(world));
    } else {
        return false;
    }
    return true;
}

/* ---- the collector --------------------------------------------------------------------------- */

static bool has_dependents(struct launches *world, const struct json_t *task)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;

    while (js_next(launches_all(world, MODEL_JOB), &at, &key, &value)) {
        if (ps_streq(js_path_str(js_at(js_path(value, "metadata.ownerReferences"), 0), "uid"),
                     js_path_str(task, "metadata.uid")))
            return true;
    }
    return false;
}

/* Foreground: the Jobs beside it first. */
static bool sync_task(struct launches *world, struct json_t *task)
{
    const struct json_t *finalizers = js_path(task, "metadata.finalizers");
    struct json_t *rest = js_array();

    for (size_t i = 0; i < js_len(finalizers); i++) {
        if (!ps_streq(js_str(js_at(finalizers, i)), "foregroundDeletion"))
            js_push(rest, js_copy(js_at(finalizers, i)));
    }
    if (js_len(rest) == js_len(finalizers) || has_dependents(world, task)) {
        js_unref(rest);
        return false;
    }
    js_set(js_child(task, "metadata"), "finalizers", rest);
    return true;
}

static bool is_orphan(const struct launches *world, enum model_kind kind,
                      const struct json_t *object)
{
    const struct json_t *owners = js_path(object, "metadata.ownerReferences");

    if (js_len(owners) == 0 || is_deleting(object))
        return false;
    const struct json_t *owner = launches_by_uid(world, kind == MODEL_POD ? MODEL_JOB : MODEL_TASK,
                                                 js_path_str(js_at(owners, 0), "uid"));
    const struct json_t *finalizers = js_path(owner, "metadata.finalizers");

    for (size_t i = 0; i < js_len(finalizers); i++) {
        if (ps_streq(js_str(js_at(finalizers, i)), "foregroundDeletion"))
            return true;
    }
    return owner == NULL;
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool sync_one(struct launches *world, enum model_kind kind, const char *key)
{
    const struct json_t *object = js_get(launches_all(world, kind), key);

    if (object == NULL)
        return false;
    if (is_orphan(world, kind, object)) {
        if (kind == MODEL_JOB)
            js_set_bool(launches_entry(world, object), "deleted", true);
        launches_delete(world, kind, object);
        return true;
    }
    struct json_t *copy = js_copy(object);
    const bool changed = kind == MODEL_JOB   ? sync_job(world, copy)
                         : kind == MODEL_POD ? sync_pod(world, copy)
                                             : sync_task(world, copy);

    if (!changed) {
        js_unref(copy);
        return false;
    }
    launches_put(world, kind, copy);
    return true;
}

static bool sync_all(struct launches *world, enum model_kind kind, int percent)
{
    struct json_t *keys PS_AUTO_JS = keys_of(launches_all(world, kind));
    bool any = false;

    for (size_t i = 0; i < js_len(keys); i++) {
        if (launches_chance(world, percent))
            any |= sync_one(world, kind, js_str(js_at(keys, i)));
    }
    return any;
}

/* No two attempts of one launch run at once, but for one whose Job came when nobody waited. */
static void check_overlap(struct launches *world)
{
    struct json_t *running PS_AUTO_JS = js_object(), *value;
    void *at = NULL;
    const char *key;

    while (js_next(launches_all(world, MODEL_POD), &at, &key, &value)) {
        const char *attempt = js_path_str(value, "metadata.labels.spring-app-id");
        const char *digits = attempt ? strrchr(attempt, '-') : NULL;

        if (digits == NULL || has_ended(value) || js_path_bool(value, "late", false))
            continue;
        PS_AUTO_BUF(launch, 256);

        ps_buf_view(&launch, ps_str_n(attempt, (size_t)(digits - attempt)));
        const char *other = js_str(js_get(running, ps_buf_text(&launch)));

        if (other != NULL && !ps_streq(other, attempt))
            launches_fail(world, "two attempts run at once");
        js_set_str(running, ps_buf_text(&launch), attempt);
    }
}

bool launches_tick(struct launches *world)
{
    bool any = false;

    world->now_ms += TICK_MS;
    any |= sync_all(world, MODEL_TASK, world->steady ? 100 : 70);
    any |= sync_all(world, MODEL_JOB, world->steady ? 100 : 70);
    any |= sync_all(world, MODEL_POD, world->steady ? 100 : 40);
    check_overlap(world);
    return any;
}
