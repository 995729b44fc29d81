/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a launch in its status: read, written back, and what to tell. */
#include "plan/task.h"

#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

static int64_t read_time(const struct json_t *status, const char *key)
{
    int64_t ms;

    return ps_time_parse(ps_str(js_path_str(status, key)), &ms) ? ms : 0;
}

static void read_step(struct plan__record *record, const struct json_t *step)
{
    record->state = model_attempt_state_of(js_path_str(step, "state"));
    record->exit_code = js_path_int(step, "exitCode", -1);
    record->message = js_path_str(step, "message");
    record->image = js_path_str(step, "image");
    record->version = js_path_str(step, "version");
    record->namespace = js_path_str(step, "resource.namespace");
    record->name = js_path_str(step, "resource.name");
    record->uid = js_path_str(step, "resource.uid");
    record->cluster = js_path_str(step, "resource.cluster");
}

/* Somebody has wiped the status: the Jobs show what was started. */
static void recover(struct plan__task_pass *pass)
{
    if (pass->own_count == 0 || pass->own[0]->attempt <= pass->now.attempt)
        return;
    const struct model_object *job = pass->own[0];

    pass->now.attempt = job->attempt;
    pass->now.state = MODEL_ATTEMPT_RUNNING;
    pass->now.namespace = job->namespace;
    pass->now.name = job->name;
    pass->now.uid = job->uid;
    pass->now.cluster = job->cluster;
    pass->now.image = job->image;
    if (plan__is_final(&pass->now)) /* it says more than the status, which is from before it */
        pass->now.phase = MODEL_TASK_PENDING;
}

void plan__record_read(struct plan__task_pass *pass)
{
    const struct json_t *status = pass->task.status;
    const struct json_t *ready = model_condition_find(js_get(status, "conditions"), "Ready");
    struct plan__record *record = &pass->before;

    *record = (struct plan__record){.exit_code = -1};
    record->phase = model_task_phase_of(js_path_str(status, "phase"));
    record->attempt = js_path_int(status, "attempt", 0);
    record->retries = js_path_int(status, "retries", 0);
    record->start_ms = read_time(status, "startTime");
    record->completion_ms = read_time(status, "completionTime");
    record->next_ms = read_time(status, "nextAttemptTime");
    record->reason = js_path_str(ready, "reason");
    if (record->attempt > 0)
        read_step(record, js_at(js_get(status, "steps"), 0));
    pass->now = *record;
    recover(pass);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_time(struct json_t *status, const char *key, int64_t ms)
{
    char text[PS_TIME_TEXT_SIZE];

    if (ms == 0)
        return;
    ps_time_text(ms, text);
    js_set_str(status, key, text);
}

static const char *step_name(const struct plan__task_pass *pass)
{
    const char *before = js_path_str(js_at(js_get(pass->task.status, "steps"), 0), "name");

    return pass->wanted.count > 0 ? pass->wanted.apps[0].label : before ? before : pass->task.name;
}

static struct json_t *steps_json(const struct plan__task_pass *pass)
{
    const struct plan__record *now = &pass->now;
    struct json_t *list = js_array(), *step = js_object(), *resource = js_child(step, "resource");

    js_set_str(step, "name", step_name(pass));
    js_set_str(step, "platform", pass->task.platform);
    js_set_int(step, "attempt", now->attempt);
    js_set_str(step, "state", model_attempt_state_name(now->state));
    if (now->exit_code >= 0)
        js_set_int(step, "exitCode", now->exit_code);
    js_set_str(step, "message", now->message);
    js_set_str(step, "image", now->image);
    js_set_str(step, "version", now->version);
    js_set_str(resource, "kind", model_kind_name(MODEL_JOB));
    js_set_str(resource, "cluster", now->cluster);
    js_set_str(resource, "namespace", now->namespace);
    js_set_str(resource, "name", now->name);
    js_set_str(resource, "uid", now->uid);
    js_push(list, step);
    return list;
}

/* Once an attempt has run, the launch is ready for whoever waits for its start: kstatus treats
 * Jobs so. */
static bool is_ready(const struct plan__task_pass *pass)
{
    const struct json_t *before =
        model_condition_find(js_get(pass->task.status, "conditions"), "Ready");

    switch (pass->now.phase) {
    case MODEL_TASK_RUNNING:
    case MODEL_TASK_COMPLETE:
    case MODEL_TASK_STOPPED:
        return true;
    case MODEL_TASK_PENDING:
    case MODEL_TASK_WAITING:
        return pass->now.attempt > 0 && !pass->stalled &&
               (ps_streq(js_path_str(before, "status"), "True") ||
                (ps_streq(js_path_str(before, "status"), "Unknown") && pass->now.start_ms > 0));
    case MODEL_TASK_NEW:
    case MODEL_TASK_FAILED:
    case MODEL_TASK_UNKNOWN:
    case MODEL_TASK_PHASES:
        break;
    }
    return false;
}

static void set_conditions(const struct plan__task_pass *pass, struct model_conditions *list)
{
    const enum model_task_phase phase = pass->now.phase;
    const char *warnings = pass->wanted.warnings;

    if (pass->unseen) {
        model_condition_set_unknown(list, "Ready", pass->reason, pass->message);
    } else {
        model_condition_set(list, "Ready", is_ready(pass), pass->reason, pass->message);
    }
    if (pass->refused != NULL) {
        model_condition_set(list, "Accepted", false, pass->refused, pass->message);
    } else if (pass->wanted.count > 0) {
        model_condition_set(list, "Accepted", true, warnings ? "PropertiesIgnored" : "Accepted",
                            warnings ? warnings : "the definition and its properties are valid");
    }
    if (phase == MODEL_TASK_COMPLETE)
        model_condition_set(list, "Complete", true, pass->reason, pass->message);
    if (phase == MODEL_TASK_FAILED)
        model_condition_set(list, "Failed", true, pass->reason, pass->message);
    if (pass->stalled || phase == MODEL_TASK_FAILED || phase == MODEL_TASK_UNKNOWN)
        model_condition_set(list, "Stalled", true, pass->reason, pass->message);
}

/* Nothing new is said of the launch: what was said stands. */
static void keep_words(struct plan__task_pass *pass)
{
    const struct json_t *ready =
        model_condition_find(js_get(pass->task.status, "conditions"), "Ready");

    if (pass->reason != NULL)
        return;
    pass->reason = js_path_str(ready, "reason");
    pass->message = js_path_str(ready, "message");
    if (pass->reason == NULL) { /* wiped, or never written */
        pass->reason = model_task_phase_name(pass->now.phase);
        pass->message = pass->now.message ? pass->now.message : "";
    }
}

/* A launch at rest does not read its properties again: Accepted stays as it was. */
static void keep_accepted(const struct plan__task_pass *pass, struct json_t *conditions)
{
    const struct json_t *old =
        model_condition_find(js_get(pass->task.status, "conditions"), "Accepted");

    if (old == NULL || pass->refused != NULL || pass->wanted.count > 0)
        return;
    struct json_t *kept = js_copy(old);

    js_set_int(kept, "observedGeneration", pass->task.generation);
    js_push(conditions, kept);
}

static struct json_t *status_json(struct plan__task_pass *pass)
{
    const struct plan__record *now = &pass->now;
    const struct json_t *old = pass->task.status;
    struct model_conditions conditions = {0};
    struct json_t *status = js_object();

    set_conditions(pass, &conditions);
    struct json_t *list = model_conditions_json(&conditions, js_get(old, "conditions"),
                                                pass->task.generation, pass->s->now_ms);

    keep_accepted(pass, list);
    js_set_int(status, "observedGeneration", pass->task.generation);
    js_set_str(status, "phase", model_task_phase_name(now->phase));
    js_set_int(status, "attempt", now->attempt);
    js_set_int(status, "retries", now->retries);
    write_time(status, "startTime", now->start_ms);
    write_time(status, "completionTime", now->completion_ms);
    write_time(status, "nextAttemptTime", now->next_ms);
    if (now->exit_code >= 0)
        js_set_int(status, "exitCode", now->exit_code);
    js_set_str(status, "message", pass->message);
    js_set_str(status, "platform", pass->task.platform);
    js_set_str(status, "definition",
               pass->wanted.definition ? pass->wanted.definition : js_path_str(old, "definition"));
    if (now->attempt > 0)
        js_set(status, "steps", steps_json(pass));
    js_set(status, "conditions", list);
    return status;
}

/* ---- telling -------------------------------------------------------------------------------- */

static bool is_bad_news(const struct plan__task_pass *pass)
{
    return pass->stalled || pass->unseen || strcmp(pass->reason, "Backoff") == 0;
}

static void tell(struct plan__task_pass *pass)
{
    const struct json_t *accepted =
        model_condition_find(js_get(pass->task.status, "conditions"), "Accepted");

    if (!ps_streq(pass->before.reason, pass->reason) || pass->before.attempt != pass->now.attempt)
        plan__event(pass->plan, is_bad_news(pass), pass->reason, pass->message);
    if (pass->wanted.warnings != NULL &&
        !ps_streq(js_path_str(accepted, "message"), pass->wanted.warnings))
        plan__event(pass->plan, true, "PropertiesIgnored", pass->wanted.warnings);
}

/* What hinders the Job's creation: the attempt on record waits for it. */
static void tell_trouble(struct plan__task_pass *pass)
{
    const struct plan_trouble *trouble = &pass->s->troubles[0];

    if (pass->s->trouble_count == 0 || plan__is_final(&pass->now) || pass->unseen)
        return;
    pass->reason = plan__trouble_reason(trouble);
    pass->message = plan__trouble_text(pass->arena, trouble);
    pass->stalled |= ps_code_class(trouble->code) == PS_CLASS_INVALID;
}

/* While a cluster is read for the first time since the operator started, what was said last stands
 * unless there is something to record: a restart is no news. */
static bool is_kept(const struct plan__task_pass *pass)
{
    return pass->connecting && pass->task.status != NULL && !pass->record_first &&
           pass->before.state == pass->now.state && pass->before.attempt == pass->now.attempt;
}

void plan__task_status(struct plan__task_pass *pass)
{
    struct json_t *empty PS_AUTO_JS = js_object();

    if (pass->now.phase == MODEL_TASK_NEW)
        return; /* nothing is decided yet */
    if (is_kept(pass))
        return;
    keep_words(pass);
    tell_trouble(pass);
    struct json_t *status PS_AUTO_JS = status_json(pass), *body = js_object();
    struct json_t *diff = codec_merge_diff(pass->task.status ? pass->task.status : empty, status);

    if (diff == NULL) {
        js_unref(body);
        return;
    }
    js_set_str(js_child(body, "metadata"), "resourceVersion", pass->task.rv);
    js_set(body, "status", diff);
    tell(pass);
    if (!pass->record_first) {
        pass->plan->status = body;
        return;
    }
    plan__op(pass->plan, (struct plan_op){.stage = 0,
                                          .verb = PLAN_PATCH_STATUS,
                                          .kind = MODEL_TASK,
                                          .namespace = pass->task.namespace,
                                          .name = pass->task.name,
                                          .body = body});
}
