/* SPDX-License-Identifier: Apache-2.0 */
/* Projections straight from text: a table says which member of an object goes to which field. */
#include "model/internal.h"

#include <string.h>

/* Any kind; the tables of single kinds follow it. */
#define EVERY    MODEL_KIND_COUNT
/* And StatefulSets. */
#define WORKLOAD MODEL_DEPLOYMENT

/* What takes more than a copy. */
enum seen {
    SEEN_DELETED,
    SEEN_OWNERS,
    SEEN_REVISION,
    SEEN_CREATED,
    SEEN_FINALIZERS,
    SEEN_PHASE,
    SEEN_STEPS,
    SEEN_OBSERVED,
    SEEN_TOTAL,
    SEEN_UPDATED,
    SEEN_CURRENT_REVISION,
    SEEN_UPDATE_REVISION,
    SEEN_CONDITIONS,
    SEEN_INIT_CONTAINERS,
    SEEN_CONTAINERS,
    SEEN_REASON,
    SEEN_MESSAGE,
    SEEN_ATTEMPT,
    SEEN_STOPPED,
    SEEN_COMPLETED,
    SEEN_TEMPLATE_CONTAINERS,
    SEEN_LABELS,
    SEEN_APPS,
    SEEN_COUNT
};

struct field {
    enum model_kind kind; /* or EVERY */

    enum {
        TEXT, /* const char *, NULL when absent */
        NUMBER,
        FLAG,
        SEEN
    } type;

    const char *path;
    size_t to;         /* offset in struct model_object, or an enum seen */
    int64_t otherwise; /* of a number that is absent */
};

#define LABEL(name)      "metadata.labels[" name "]"
#define ANNOTATION(name) "metadata.annotations[" name "]"
#define CREATED          "metadata.creationTimestamp"
#define TO(member)       offsetof(struct model_object, member)

static const struct field fields[] = {
    {EVERY, TEXT, "metadata.namespace", TO(namespace), 0},
    {EVERY, TEXT, "metadata.name", TO(name), 0},
    {EVERY, TEXT, "metadata.uid", TO(uid), 0},
    {EVERY, TEXT, "metadata.resourceVersion", TO(rv), 0},
    {EVERY, NUMBER, "metadata.generation", TO(generation), 0},
    {EVERY, SEEN, "metadata.deletionTimestamp", SEEN_DELETED, 0},
    {EVERY, SEEN, "metadata.ownerReferences", SEEN_OWNERS, 0},
    {EVERY, SEEN, "metadata.finalizers", SEEN_FINALIZERS, 0},
    {EVERY, SEEN, LABEL(MODEL_LABEL_REVISION), SEEN_REVISION, 0},
    {EVERY, TEXT, LABEL(MODEL_LABEL_OWNER_UID), TO(owner_uid), 0},
    {EVERY, TEXT, LABEL(MODEL_LABEL_APP), TO(app), 0},
    {EVERY, TEXT, LABEL(MODEL_LABEL_INSTALLATION), TO(installation), 0},
    {EVERY, TEXT, LABEL(MODEL_LABEL_ACCOUNT_UID), TO(account_uid), 0},
    {EVERY, TEXT, ANNOTATION(MODEL_ANNOTATION_OWNER), TO(owner), 0},
    {EVERY, TEXT, ANNOTATION(MODEL_ANNOTATION_BODY_HASH), TO(body_hash), 0},

    {MODEL_STREAM, TEXT, "spec.platform", TO(platform), 0},
    {MODEL_STREAM, TEXT, "spec.streamName", TO(stream_name), 0},
    {MODEL_STREAM, SEEN, "spec.apps", SEEN_APPS, 0},
    {MODEL_STREAM, TEXT, ANNOTATION(MODEL_ANNOTATION_CLUSTERS), TO(clusters), 0},
    {MODEL_STREAM, TEXT, "status.phase", TO(phase), 0},
    {MODEL_STREAM, NUMBER, "status.observedGeneration", TO(observed_generation), 0},
    {MODEL_STREAM, SEEN, CREATED, SEEN_CREATED, 0},

    {MODEL_TASK, TEXT, "spec.platform", TO(platform), 0},
    {MODEL_TASK, NUMBER, "status.observedGeneration", TO(observed_generation), 0},
    {MODEL_TASK, SEEN, "spec.apps", SEEN_APPS, 0},
    {MODEL_TASK, TEXT, ANNOTATION(MODEL_ANNOTATION_CLUSTERS), TO(clusters), 0},
    {MODEL_TASK, SEEN, CREATED, SEEN_CREATED, 0},
    {MODEL_TASK, SEEN, "status.phase", SEEN_PHASE, 0},
    {MODEL_TASK, SEEN, "status.steps", SEEN_STEPS, 0},

    {MODEL_ACCOUNT, NUMBER, "status.observedGeneration", TO(observed_generation), 0},
    {MODEL_ACCOUNT, SEEN, CREATED, SEEN_CREATED, 0},

    {WORKLOAD, NUMBER, "spec.replicas", TO(replicas), 1},
    {WORKLOAD, NUMBER, "status.readyReplicas", TO(ready), 0},
    {WORKLOAD, SEEN, "status.observedGeneration", SEEN_OBSERVED, 0},
    {WORKLOAD, SEEN, "status.replicas", SEEN_TOTAL, 0},
    {WORKLOAD, SEEN, "status.updatedReplicas", SEEN_UPDATED, 0},
    {WORKLOAD, SEEN, "status.conditions", SEEN_CONDITIONS, 0},
    {WORKLOAD, SEEN, "status.currentRevision", SEEN_CURRENT_REVISION, 0},
    {WORKLOAD, SEEN, "status.updateRevision", SEEN_UPDATE_REVISION, 0},
    {WORKLOAD, TEXT, ANNOTATION(MODEL_ANNOTATION_SUSPENDED), TO(replicas_before_suspend), 0},
    {WORKLOAD, TEXT, ANNOTATION(MODEL_ANNOTATION_FIXED_HASH), TO(fixed_hash), 0},

    {MODEL_REVISION, TEXT, ANNOTATION(MODEL_ANNOTATION_SPEC_HASH), TO(spec_hash), 0},
    {MODEL_REVISION, TEXT, ANNOTATION(MODEL_ANNOTATION_RENDER_HASH), TO(render_hash), 0},
    {MODEL_REVISION, TEXT, ANNOTATION(MODEL_ANNOTATION_MANIFEST), TO(manifest), 0},
    {MODEL_REVISION, TEXT, ANNOTATION(MODEL_ANNOTATION_REDEPLOY), TO(redeploy), 0},

    {MODEL_JOB, TEXT, LABEL("spring-app-id"), TO(app_id), 0},
    {MODEL_JOB, SEEN, LABEL(MODEL_LABEL_ATTEMPT), SEEN_ATTEMPT, 0},
    {MODEL_JOB, TEXT, ANNOTATION(MODEL_ANNOTATION_DEADLINE), TO(deadline), 0},
    {MODEL_JOB, SEEN, ANNOTATION(MODEL_ANNOTATION_STOPPED), SEEN_STOPPED, 0},
    {MODEL_JOB, SEEN, CREATED, SEEN_CREATED, 0},
    {MODEL_JOB, FLAG, "spec.suspend", TO(suspend), 0},
    {MODEL_JOB, SEEN, "spec.template.spec.containers", SEEN_TEMPLATE_CONTAINERS, 0},
    {MODEL_JOB, NUMBER, "status.active", TO(active), 0},
    {MODEL_JOB, NUMBER, "status.terminating", TO(terminating), 0},
    {MODEL_JOB, SEEN, "status.conditions", SEEN_CONDITIONS, 0},
    {MODEL_JOB, SEEN, "status.completionTime", SEEN_COMPLETED, 0},

    {MODEL_POD, TEXT, LABEL("spring-app-id"), TO(app_id), 0},
    {MODEL_POD, TEXT, "status.phase", TO(phase), 0},
    {MODEL_POD, SEEN, "status.conditions", SEEN_CONDITIONS, 0},
    {MODEL_POD, SEEN, "status.initContainerStatuses", SEEN_INIT_CONTAINERS, 0},
    {MODEL_POD, SEEN, "status.containerStatuses", SEEN_CONTAINERS, 0},
    {MODEL_POD, SEEN, "status.reason", SEEN_REASON, 0},
    {MODEL_POD, SEEN, "status.message", SEEN_MESSAGE, 0},

    {MODEL_NAMESPACE, TEXT, "status.phase", TO(phase), 0},
    {MODEL_NAMESPACE, SEEN, "metadata.labels", SEEN_LABELS, 0},
};

/* The rows of one kind, ready for use. Made on first use from constants; the loop's thread only. */
struct table {
    struct codec_paths paths;
    const struct field *rows[PS_ARRAY_LEN(fields)];
    size_t count; /* 0: not made yet */
};

static bool has_field(enum model_kind kind, const struct field *field)
{
    return field->kind == EVERY || field->kind == kind ||
           (field->kind == WORKLOAD && model_is_workload(kind));
}

static const struct table *table_of(enum model_kind kind)
{
    static struct table tables[MODEL_KIND_COUNT];
    struct table *table = &tables[kind];
    const char *list[PS_ARRAY_LEN(fields)];

    if (table->count > 0)
        return table;
    for (size_t i = 0; i < PS_ARRAY_LEN(fields); i++) {
        if (!has_field(kind, &fields[i]))
            continue;
        list[table->count] = fields[i].path;
        table->rows[table->count++] = &fields[i];
    }
    codec_paths_init(&table->paths, list, table->count);
    return table;
}

static const char *text_of(struct ps_arena *arena, struct ps_str view)
{
    const struct ps_str text = codec_view_str(arena, view);

    return text.p ? ps_arena_str(arena, text) : NULL;
}

static void fill(struct model_object *o, const struct field *field, struct ps_str view,
                 struct ps_arena *arena)
{
    char *to = (char *)o + field->to;

    if (field->type == TEXT) {
        const char *text = text_of(arena, view);

        memcpy(to, &text, sizeof(text));
    } else if (field->type == FLAG) {
        const bool flag = codec_view_bool(view, false);

        memcpy(to, &flag, sizeof(flag));
    } else {
        const int64_t number = codec_view_int(view, field->otherwise);

        memcpy(to, &number, sizeof(number));
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

struct condition {
    const char *type;
    bool found, is_true, is_false;
    struct ps_str reason, message, time;
};

/* Fills in the first of each type. */
static void find_conditions(struct ps_str list, struct condition *out, size_t n)
{
    static const char *const wanted[] = {"type", "status", "reason", "message",
                                         "lastTransitionTime"};
    static struct codec_paths paths;
    struct ps_str values[PS_ARRAY_LEN(wanted)], item;

    if (paths.count == 0)
        codec_paths_init(&paths, wanted, PS_ARRAY_LEN(wanted));
    while (codec_next(&list, &item)) {
        if (codec_pick(&paths, item, values, NULL) != 0)
            continue;
        for (size_t i = 0; i < n; i++) {
            if (out[i].found || !codec_view_is(values[0], out[i].type))
                continue;
            out[i].found = true;
            out[i].is_true = codec_view_is(values[1], "True");
            out[i].is_false = codec_view_is(values[1], "False");
            out[i].reason = values[2];
            out[i].message = values[3];
            out[i].time = values[4];
        }
    }
}

/* ---- containers ------------------------------------------------------------------------------ */

enum container {
    RESTARTS,
    READY,
    WAITING_REASON,
    WAITING_MESSAGE,
    ENDED,
    ENDED_CODE,
    ENDED_REASON,
    ENDED_MESSAGE,
    LAST_CODE,
    CONTAINER_COUNT
};

/* Another container's reason tells more: this one did what it should. */
static bool is_weak(const char *cause)
{
    return cause == NULL || ps_streq(cause, "Completed");
}

/* The pod's own reason (Evicted, DeadlineExceeded, …) tells more than what it led to. */
static bool is_vague(const char *cause)
{
    return is_weak(cause) || ps_streq(cause, "Error") || ps_streq(cause, "ContainerStatusUnknown");
}

/* The most telling reason why a container does not run, and the worst exit code. */
static void read_container(struct model_object *o, const struct ps_str *seen,
                           struct ps_arena *arena)
{
    const int64_t restarts = codec_view_int(seen[RESTARTS], 0);
    const bool has_ended = seen[ENDED].p != NULL;
    const char *reason = text_of(arena, seen[WAITING_REASON]);

    if (restarts > o->restarts)
        o->restarts = restarts;
    if (o->exit_code <= 0)
        o->exit_code = codec_view_int(seen[has_ended ? ENDED_CODE : LAST_CODE], o->exit_code);
    if (!is_weak(o->cause) || codec_view_bool(seen[READY], false))
        return;
    if (reason != NULL && !ps_streq(reason, "ContainerCreating") &&
        !ps_streq(reason, "PodInitializing")) {
        o->cause = reason;
        o->cause_message = text_of(arena, seen[WAITING_MESSAGE]);
    } else if (has_ended) {
        o->cause = text_of(arena, seen[ENDED_REASON]);
        o->cause_message = text_of(arena, seen[ENDED_MESSAGE]);
    }
}

static void read_containers(struct model_object *o, struct ps_str list, struct ps_arena *arena)
{
    static const char *const wanted[CONTAINER_COUNT] = {
        [RESTARTS] = "restartCount",
        [READY] = "ready",
        [WAITING_REASON] = "state.waiting.reason",
        [WAITING_MESSAGE] = "state.waiting.message",
        [ENDED] = "state.terminated",
        [ENDED_CODE] = "state.terminated.exitCode",
        [ENDED_REASON] = "state.terminated.reason",
        [ENDED_MESSAGE] = "state.terminated.message",
        [LAST_CODE] = "lastState.terminated.exitCode",
    };
    static struct codec_paths paths;
    struct ps_str values[CONTAINER_COUNT], item;

    if (paths.count == 0)
        codec_paths_init(&paths, wanted, CONTAINER_COUNT);
    for (size_t i = 0; i < MODEL__CONTAINERS_MAX && codec_next(&list, &item); i++) {
        if (codec_pick(&paths, item, values, NULL) == 0)
            read_container(o, values, arena);
    }
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static bool has_item(struct ps_str list, const char *text)
{
    struct ps_str item;

    while (codec_next(&list, &item)) {
        if (codec_view_is(item, text))
            return true;
    }
    return false;
}

/* A text that is a number; `otherwise` when it is none. */
static int64_t number_in(struct ps_arena *arena, struct ps_str view, int64_t otherwise)
{
    const struct ps_str text = codec_view_str(arena, view);
    int64_t number;

    return text.p != NULL && ps_str_to_i64(text, &number) ? number : otherwise;
}

/* The named text of the first item; p == NULL when there is none. */
static struct ps_str first_of(struct ps_str list, const char *name)
{
    struct codec_paths paths;
    struct ps_str item, value = {0};

    codec_paths_init(&paths, &name, 1);
    if (!codec_next(&list, &item) || codec_pick(&paths, item, &value, NULL) != 0)
        return (struct ps_str){0};
    return value;
}

static void finish_metadata(struct model_object *o, const struct ps_str *seen,
                            struct ps_arena *arena)
{
    o->deleting = codec_view_type(seen[SEEN_DELETED]) == JS_STRING;
    o->has_owner = codec_view_len(seen[SEEN_OWNERS]) > 0;
    o->has_finalizer = has_item(seen[SEEN_FINALIZERS],
                                o->kind == MODEL_JOB ? MODEL_FINALIZER_ATTEMPT : MODEL_FINALIZER);
    if (!ps_time_parse(codec_view_str(arena, seen[SEEN_CREATED]), &o->created_ms))
        o->created_ms = 0;
    o->revision = number_in(arena, seen[SEEN_REVISION], -1);
}

/* Each account once. A spec with more apps than may be is refused, whatever they name. */
static void read_platforms(struct model_object *o, struct ps_str apps, struct ps_arena *arena)
{
    PS_AUTO_BUF(text, MODEL__PLATFORMS_MAX);
    struct codec_paths paths;
    const char *wanted = "platform";
    struct ps_str item, value;

    codec_paths_init(&paths, &wanted, 1);
    ps_buf_str(&text, o->platform);
    o->platforms = o->platform;
    while (codec_next(&apps, &item)) {
        if (codec_pick(&paths, item, &value, NULL) != 0)
            continue;
        const char *platform = text_of(arena, value);

        if (platform == NULL || model_names_platform(o, platform))
            continue;
        ps_buf_printf(&text, ",%s", platform);
        if (ps_buf_failed(&text))
            return;
        o->platforms = ps_arena_str(arena, ps_buf_get(&text));
    }
}

static void finish_stream(struct model_object *o, const struct ps_str *seen, struct ps_arena *arena)
{
    if (o->platform == NULL)
        o->platform = "default";
    read_platforms(o, seen[SEEN_APPS], arena);
    if (o->stream_name == NULL)
        o->stream_name = o->name;
}

static void finish_task(struct model_object *o, const struct ps_str *seen, struct ps_arena *arena)
{
    const char *own = text_of(arena, first_of(seen[SEEN_APPS], "platform"));

    if (own != NULL)
        o->platform = own;
    if (o->platform == NULL)
        o->platform = "default";
    o->platforms = o->platform;
    o->task_phase = model_task_phase_of(text_of(arena, seen[SEEN_PHASE]));
    o->attempt_state = model_attempt_state_of(text_of(arena, first_of(seen[SEEN_STEPS], "state")));
}

/* Counts come in many steps, of which none but the last says anything. Of a workload without
 * instances nobody asks. */
static bool is_rolled_out(const struct model_object *o, const struct ps_str *seen,
                          struct ps_arena *arena)
{
    const bool rolling = !ps_streq(text_of(arena, seen[SEEN_CURRENT_REVISION]),
                                   text_of(arena, seen[SEEN_UPDATE_REVISION]));

    return o->replicas == 0 || (codec_view_int(seen[SEEN_OBSERVED], 0) >= o->generation &&
                                codec_view_int(seen[SEEN_UPDATED], 0) >= o->replicas &&
                                codec_view_int(seen[SEEN_TOTAL], 0) <= o->replicas && !rolling);
}

static void finish_workload(struct model_object *o, const struct ps_str *seen,
                            struct ps_arena *arena)
{
    struct condition failure = {.type = "ReplicaFailure"};

    find_conditions(seen[SEEN_CONDITIONS], &failure, 1);
    if (failure.is_true) {
        o->failure_reason = text_of(arena, failure.reason);
        o->failure_message = text_of(arena, failure.message);
    }
    o->rolled_out = is_rolled_out(o, seen, arena);
}

/* FailureTarget and SuccessCriteriaMet come before the end: pods may still run then. */
static void finish_job(struct model_object *o, const struct ps_str *seen, struct ps_arena *arena)
{
    struct condition conditions[] = {
        {.type = "Failed"}, {.type = "Complete"}, {.type = "Suspended"}};

    find_conditions(seen[SEEN_CONDITIONS], conditions, PS_ARRAY_LEN(conditions));
    o->attempt = number_in(arena, seen[SEEN_ATTEMPT], 0);
    o->stopped = codec_view_is(seen[SEEN_STOPPED], "true");
    o->image = text_of(arena, first_of(seen[SEEN_TEMPLATE_CONTAINERS], "image"));
    o->suspended = conditions[2].is_true;
    const struct condition *end = &conditions[conditions[0].is_true ? 0 : 1];

    if (!end->is_true)
        return;
    o->job_end = conditions[0].is_true ? MODEL_JOB_FAILED : MODEL_JOB_COMPLETE;
    o->end_reason = text_of(arena, end->reason);
    o->end_message = text_of(arena, end->message);
    if (!ps_time_parse(codec_view_str(arena, end->time), &o->ended_ms) &&
        !ps_time_parse(codec_view_str(arena, seen[SEEN_COMPLETED]), &o->ended_ms))
        o->ended_ms = 0;
}

static void finish_pod(struct model_object *o, const struct ps_str *seen, struct ps_arena *arena)
{
    struct condition conditions[] = {{.type = "PodScheduled"}, {.type = "Ready"}};
    const struct condition *scheduled = &conditions[0];
    const char *reason = text_of(arena, seen[SEEN_REASON]);

    find_conditions(seen[SEEN_CONDITIONS], conditions, PS_ARRAY_LEN(conditions));
    o->pod_ready = conditions[1].is_true;
    o->exit_code = -1;
    read_containers(o, seen[SEEN_INIT_CONTAINERS], arena);
    read_containers(o, seen[SEEN_CONTAINERS], arena);
    if (o->cause == NULL && scheduled->is_false) {
        o->cause = text_of(arena, scheduled->reason);
        o->cause_message = text_of(arena, scheduled->message);
    }
    if (ps_streq(o->phase, "Failed") && is_vague(o->cause) && reason != NULL) {
        o->cause = reason;
        o->cause_message = text_of(arena, seen[SEEN_MESSAGE]);
    }
}

static void finish_namespace(struct model_object *o, const struct ps_str *seen,
                             struct ps_arena *arena)
{
    PS_AUTO_BUF(text, MODEL__LABELS_MAX);

    o->labels = model__labels_text(seen[SEEN_LABELS], arena, &text);
}

static void finish_kind(struct model_object *o, const struct ps_str *seen, struct ps_arena *arena)
{
    switch (o->kind) {
    case MODEL_STREAM:
        finish_stream(o, seen, arena);
        break;
    case MODEL_TASK:
        finish_task(o, seen, arena);
        break;
    case MODEL_DEPLOYMENT:
    case MODEL_STATEFUL_SET:
        finish_workload(o, seen, arena);
        break;
    case MODEL_JOB:
        finish_job(o, seen, arena);
        break;
    case MODEL_POD:
        finish_pod(o, seen, arena);
        break;
    case MODEL_NAMESPACE:
        finish_namespace(o, seen, arena);
        break;
    case MODEL_ACCOUNT:
    case MODEL_CONFIG_MAP:
    case MODEL_SERVICE:
    case MODEL_REVISION:
    case MODEL_EVENT:
    case MODEL_KIND_COUNT:
        break;
    }
}

static struct model_object *make(enum model_kind kind, const struct table *table,
                                 const struct ps_str *values, struct ps_arena *arena)
{
    struct model_object o;
    struct ps_str seen[SEEN_COUNT] = {{0}};

    memset(&o, 0, sizeof(o));
    o.kind = kind;
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i]->type == SEEN) {
            seen[table->rows[i]->to] = values[i];
        } else {
            fill(&o, table->rows[i], values[i], arena);
        }
    }
    if (o.name == NULL || o.uid == NULL || o.rv == NULL)
        return NULL;
    finish_metadata(&o, seen, arena);
    finish_kind(&o, seen, arena);
    return model__pack(&o);
}

struct model_object *model_object_read(enum model_kind kind, struct ps_str text, struct ps_err *err)
{
    const struct table *table = table_of(kind);
    struct ps_str values[PS_ARRAY_LEN(fields)];
    struct ps_arena arena;

    if (codec_pick(&table->paths, text, values, err) != 0)
        return NULL;
    ps_arena_init(&arena);
    struct model_object *object = make(kind, table, values, &arena);

    ps_arena_fini(&arena);
    if (object == NULL) {
        (void)ps_fail(err, PS_EINVAL, "%s: metadata: name, uid or resourceVersion is missing",
                      model_kind_name(kind));
    }
    return object;
}
