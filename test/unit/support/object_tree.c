/* SPDX-License-Identifier: Apache-2.0 */
/* The same projections as model's, made in another way: what one of the two has got wrong, a
 * comparison finds. */
#include "support/object_tree.h"

#include "model/internal.h"

#include <string.h>

static const char *label(const struct json_t *object, const char *key)
{
    return js_str(js_get(js_path(object, "metadata.labels"), key));
}

static const char *annotation(const struct json_t *object, const char *key)
{
    return js_str(js_get(js_path(object, "metadata.annotations"), key));
}

static void read_metadata(struct model_object *o, const struct json_t *object)
{
    const char *revision = label(object, MODEL_LABEL_REVISION);

    o->namespace = js_path_str(object, "metadata.namespace");
    o->name = js_path_str(object, "metadata.name");
    o->uid = js_path_str(object, "metadata.uid");
    o->rv = js_path_str(object, "metadata.resourceVersion");
    o->generation = js_path_int(object, "metadata.generation", 0);
    if (o->kind == MODEL_STREAM || o->kind == MODEL_TASK || o->kind == MODEL_ACCOUNT)
        o->observed_generation = js_path_int(object, "status.observedGeneration", 0);
    o->deleting = js_path_str(object, "metadata.deletionTimestamp") != NULL;
    o->has_owner = js_len(js_path(object, "metadata.ownerReferences")) > 0;
    o->owner = annotation(object, MODEL_ANNOTATION_OWNER);
    o->owner_uid = label(object, MODEL_LABEL_OWNER_UID);
    o->app = label(object, MODEL_LABEL_APP);
    o->installation = label(object, MODEL_LABEL_INSTALLATION);
    o->account_uid = label(object, MODEL_LABEL_ACCOUNT_UID);
    o->body_hash = annotation(object, MODEL_ANNOTATION_BODY_HASH);
    if (revision == NULL || !ps_str_to_i64(ps_str(revision), &o->revision))
        o->revision = -1;
    if (o->kind == MODEL_STREAM || o->kind == MODEL_TASK || o->kind == MODEL_ACCOUNT ||
        o->kind == MODEL_JOB)
        o->created_ms = model__created_ms(object);
    o->has_finalizer = model__has_finalizer(object, o->kind == MODEL_JOB ? MODEL_FINALIZER_ATTEMPT
                                                                         : MODEL_FINALIZER);
}

static bool is_rolled_out(const struct model_object *o, const struct json_t *object)
{
    return js_path_int(object, "status.observedGeneration", 0) >= o->generation &&
           js_path_int(object, "status.updatedReplicas", 0) >= o->replicas &&
           js_path_int(object, "status.replicas", 0) <= o->replicas &&
           ps_streq(js_path_str(object, "status.currentRevision"),
                    js_path_str(object, "status.updateRevision"));
}

static void read_workload(struct model_object *o, const struct json_t *object)
{
    const struct json_t *conditions = js_path(object, "status.conditions");
    const struct json_t *failure = model_condition_find(conditions, "ReplicaFailure");

    o->replicas = js_path_int(object, "spec.replicas", 1);
    o->ready = js_path_int(object, "status.readyReplicas", 0);
    o->replicas_before_suspend = annotation(object, MODEL_ANNOTATION_SUSPENDED);
    o->fixed_hash = annotation(object, MODEL_ANNOTATION_FIXED_HASH);
    if (ps_streq(js_path_str(failure, "status"), "True")) {
        o->failure_reason = js_path_str(failure, "reason");
        o->failure_message = js_path_str(failure, "message");
    }
    o->rolled_out = o->replicas == 0 || is_rolled_out(o, object);
}

static void read_platforms(struct model_object *o, const struct json_t *object,
                           struct ps_arena *arena)
{
    const struct json_t *apps = js_path(object, "spec.apps");

    o->platforms = o->platform;
    for (size_t i = 0; js_type(apps) == JS_ARRAY && i < js_len(apps); i++) {
        const char *platform = js_path_str(js_at(apps, i), "platform");

        if (platform != NULL && !model_names_platform(o, platform))
            o->platforms = ps_arena_printf(arena, "%s,%s", o->platforms, platform);
    }
}

static void read_stream(struct model_object *o, const struct json_t *object, struct ps_arena *arena)
{
    const char *platform = js_path_str(object, "spec.platform"),
               *name = js_path_str(object, "spec.streamName");

    o->platform = platform ? platform : "default";
    o->stream_name = name ? name : o->name;
    read_platforms(o, object, arena);
    o->phase = js_path_str(object, "status.phase");
    o->clusters = annotation(object, MODEL_ANNOTATION_CLUSTERS);
}

static void read_task(struct model_object *o, const struct json_t *object)
{
    const char *named = js_path_str(object, "spec.platform");
    const char *own = js_path_str(js_at(js_path(object, "spec.apps"), 0), "platform");
    const char *platform = own ? own : named;
    const struct json_t *step = js_at(js_path(object, "status.steps"), 0);

    o->platform = platform ? platform : "default";
    o->platforms = o->platform;
    o->clusters = annotation(object, MODEL_ANNOTATION_CLUSTERS);
    o->task_phase = model_task_phase_of(js_path_str(object, "status.phase"));
    o->attempt_state = model_attempt_state_of(js_path_str(step, "state"));
}

static bool is_true(const struct json_t *condition)
{
    return ps_streq(js_path_str(condition, "status"), "True");
}

/* FailureTarget and SuccessCriteriaMet come before the end: pods may still run then. */
static void read_job_end(struct model_object *o, const struct json_t *object)
{
    const struct json_t *conditions = js_path(object, "status.conditions");
    const struct json_t *end = model_condition_find(conditions, "Failed");

    o->job_end = MODEL_JOB_FAILED;
    if (!is_true(end)) {
        end = model_condition_find(conditions, "Complete");
        o->job_end = MODEL_JOB_COMPLETE;
    }
    if (!is_true(end)) {
        o->job_end = MODEL_JOB_NOT_ENDED;
        return;
    }
    o->end_reason = js_path_str(end, "reason");
    o->end_message = js_path_str(end, "message");
    if (!ps_time_parse(ps_str(js_path_str(end, "lastTransitionTime")), &o->ended_ms) &&
        !ps_time_parse(ps_str(js_path_str(object, "status.completionTime")), &o->ended_ms))
        o->ended_ms = 0;
}

static void read_job(struct model_object *o, const struct json_t *object)
{
    const struct json_t *conditions = js_path(object, "status.conditions");
    const char *attempt = label(object, MODEL_LABEL_ATTEMPT);

    if (attempt == NULL || !ps_str_to_i64(ps_str(attempt), &o->attempt))
        o->attempt = 0;
    o->app_id = label(object, "spring-app-id");
    o->deadline = annotation(object, MODEL_ANNOTATION_DEADLINE);
    o->active = js_path_int(object, "status.active", 0);
    o->terminating = js_path_int(object, "status.terminating", 0);
    o->suspend = js_path_bool(object, "spec.suspend", false);
    o->stopped = ps_streq(annotation(object, MODEL_ANNOTATION_STOPPED), "true");
    o->suspended = is_true(model_condition_find(conditions, "Suspended"));
    o->image = js_path_str(js_at(js_path(object, "spec.template.spec.containers"), 0), "image");
    read_job_end(o, object);
}

static void read_revision(struct model_object *o, const struct json_t *object)
{
    o->spec_hash = annotation(object, MODEL_ANNOTATION_SPEC_HASH);
    o->render_hash = annotation(object, MODEL_ANNOTATION_RENDER_HASH);
    o->manifest = annotation(object, MODEL_ANNOTATION_MANIFEST);
    o->redeploy = annotation(object, MODEL_ANNOTATION_REDEPLOY);
}

/* Another container's reason tells more: this one did what it should. */
static bool is_weak(const char *cause)
{
    return cause == NULL || strcmp(cause, "Completed") == 0;
}

/* The pod's own reason (Evicted, DeadlineExceeded, …) tells more than what it led to. */
static bool is_vague(const char *cause)
{
    return is_weak(cause) || strcmp(cause, "Error") == 0 ||
           strcmp(cause, "ContainerStatusUnknown") == 0;
}

/* The most telling reason why a container does not run, and the worst exit code. */
static void read_container(struct model_object *o, const struct json_t *status)
{
    const struct json_t *waiting = js_path(status, "state.waiting");
    const int64_t restarts = js_path_int(status, "restartCount", 0);
    const struct json_t *ended = js_path(status, "state.terminated");
    const char *reason = js_path_str(waiting, "reason");

    if (ended == NULL)
        ended = js_path(status, "lastState.terminated");
    if (restarts > o->restarts)
        o->restarts = restarts;
    if (ended != NULL && o->exit_code <= 0)
        o->exit_code = js_path_int(ended, "exitCode", o->exit_code);
    if (!is_weak(o->cause) || js_path_bool(status, "ready", false))
        return;
    if (reason != NULL && strcmp(reason, "ContainerCreating") != 0 &&
        strcmp(reason, "PodInitializing") != 0) {
        o->cause = reason;
        o->cause_message = js_path_str(waiting, "message");
    } else if (js_path(status, "state.terminated") != NULL) {
        o->cause = js_path_str(ended, "reason");
        o->cause_message = js_path_str(ended, "message");
    }
}

static void read_containers(struct model_object *o, const struct json_t *list)
{
    const size_t n = js_len(list) < MODEL__CONTAINERS_MAX ? js_len(list) : MODEL__CONTAINERS_MAX;

    for (size_t i = 0; i < n; i++)
        read_container(o, js_at(list, i));
}

static void read_pod(struct model_object *o, const struct json_t *object)
{
    const struct json_t *conditions = js_path(object, "status.conditions");
    const struct json_t *scheduled = model_condition_find(conditions, "PodScheduled");
    const struct json_t *ready = model_condition_find(conditions, "Ready");

    o->app_id = label(object, "spring-app-id");
    o->phase = js_path_str(object, "status.phase");
    o->exit_code = -1;
    o->pod_ready = ps_streq(js_path_str(ready, "status"), "True");
    read_containers(o, js_path(object, "status.initContainerStatuses"));
    read_containers(o, js_path(object, "status.containerStatuses"));
    if (o->cause == NULL && ps_streq(js_path_str(scheduled, "status"), "False")) {
        o->cause = js_path_str(scheduled, "reason");
        o->cause_message = js_path_str(scheduled, "message");
    }
    if (ps_streq(o->phase, "Failed") && is_vague(o->cause) &&
        js_path_str(object, "status.reason") != NULL) {
        o->cause = js_path_str(object, "status.reason");
        o->cause_message = js_path_str(object, "status.message");
    }
}

/* "key=value" in lines, or nothing when they are too long: a part would mislead. */
static void read_labels(struct model_object *o, const struct json_t *object, struct ps_arena *arena)
{
    PS_AUTO_BUF(text, MODEL__LABELS_MAX);
    PS_AUTO_BUF(sorted, CODEC_JSON_MAX);
    void *at = NULL;
    const char *key;
    struct json_t *value;

    js_print(&sorted, js_path(object, "metadata.labels"));
    struct json_t *labels PS_AUTO_JS = js_parse(ps_buf_get(&sorted), NULL);

    while (js_next(labels, &at, &key, &value))
        ps_buf_printf(&text, "%s=%s\n", key, js_str(value) ? js_str(value) : "");
    if (!ps_buf_failed(&text))
        o->labels = ps_arena_str(arena, ps_buf_get(&text));
}

static void read_kind(struct model_object *o, const struct json_t *object, struct ps_arena *arena)
{
    switch (o->kind) {
    case MODEL_STREAM:
        read_stream(o, object, arena);
        break;
    case MODEL_TASK:
        read_task(o, object);
        break;
    case MODEL_DEPLOYMENT:
    case MODEL_STATEFUL_SET:
        read_workload(o, object);
        break;
    case MODEL_REVISION:
        read_revision(o, object);
        break;
    case MODEL_JOB:
        read_job(o, object);
        break;
    case MODEL_POD:
        read_pod(o, object);
        break;
    case MODEL_NAMESPACE:
        o->phase = js_path_str(object, "status.phase");
        read_labels(o, object, arena);
        break;
    case MODEL_ACCOUNT:
    case MODEL_CONFIG_MAP:
    case MODEL_SERVICE:
    case MODEL_EVENT:
    case MODEL_KIND_COUNT:
        break;
    }
}

struct model_object *projection_of_tree(enum model_kind kind, const struct json_t *object)
{
    struct model_object o, *packed;
    struct ps_arena arena;

    memset(&o, 0, sizeof(o));
    o.kind = kind;
    read_metadata(&o, object);
    if (o.name == NULL || o.uid == NULL || o.rv == NULL)
        return NULL;
    ps_arena_init(&arena);
    read_kind(&o, object, &arena);
    packed = model__pack(&o);
    ps_arena_fini(&arena);
    return packed;
}
