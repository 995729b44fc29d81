/* SPDX-License-Identifier: Apache-2.0 */
/* The executor. */
#include "plan/launches.h"
#include "support/apply.h"

#define ROUNDS_MAX   12
#define STAGES_MAX   4
#define INSTALLATION "test-installation"

/* ---- writes ---------------------------------------------------------------------------------- */

enum outcome {
    DONE,
    CONFLICT, /* or gone */
    LOST,
    HELD,
    KILLED
};

static const char *const verbs[] = {"create", "patch", "strategic", "patch-status", "delete"};

/* One request, so that it may come later than its plan. */
static struct json_t *request_of(const struct plan_op *op)
{
    struct json_t *request = js_object();

    js_set_int(request, "verb", (int)op->verb);
    js_set_int(request, "kind", (int)op->kind);
    js_set_str(request, "namespace", op->namespace);
    js_set_str(request, "name", op->name);
    js_set_str(request, "uid", op->uid);
    js_set(request, "body", js_copy(op->body));
    return request;
}

static enum outcome create(struct launches *world, const struct json_t *body, bool late)
{
    struct json_t *job = js_copy(body), *entry = launches_entry(world, job);

    if (launches_find(world, MODEL_JOB, js_path_str(job, "metadata.namespace"),
                      js_path_str(job, "metadata.name")) != NULL) {
        js_unref(job);
        return HELD;
    }
    /* What comes after its Job was made and removed by somebody can't be told from a first one. */
    if (js_path_bool(entry, "created", false))
        LAUNCHES_CHECK(world, late && js_path_bool(entry, "deleted", false));
    js_set_bool(entry, "created", true);
    if (late)
        js_set_bool(entry, "late", true);
    char when[PS_TIME_TEXT_SIZE];

    ps_time_text(world->now_ms, when);
    js_set_str(js_child(job, "metadata"), "creationTimestamp", when);
    launches_put(world, MODEL_JOB, job);
    return DONE;
}

static enum outcome patch(struct launches *world, const struct json_t *request)
{
    const enum model_kind kind = (enum model_kind)js_path_int(request, "kind", 0);
    const enum plan_verb verb = (enum plan_verb)js_path_int(request, "verb", 0);
    const struct json_t *body = js_get(request, "body");
    const struct json_t *object =
        launches_find(world, kind, js_path_str(request, "namespace"), js_path_str(request, "name"));

    if (object == NULL || !ps_streq(js_path_str(body, "metadata.resourceVersion"),
                                    js_path_str(object, "metadata.resourceVersion")))
        return CONFLICT;
    struct json_t *result =
        verb == PLAN_PATCH_STRATEGIC ? apply_strategic(object, body) : snapshot_merge(object, body);

    LAUNCHES_CHECK(world, !js_equal(result, object)); /* no write without a change */
    if (verb == PLAN_PATCH_STATUS)
        launches_check_status(world, object, result);
    if (kind == MODEL_JOB)
        launches_check_job(world, object, result);
    launches_put(world, kind, result);
    return DONE;
}

static enum outcome commit(struct launches *world, const struct json_t *request, bool late)
{
    const enum model_kind kind = (enum model_kind)js_path_int(request, "kind", 0);
    const enum plan_verb verb = (enum plan_verb)js_path_int(request, "verb", 0);
    const struct json_t *object =
        launches_find(world, kind, js_path_str(request, "namespace"), js_path_str(request, "name"));

    if (verb == PLAN_CREATE)
        return create(world, js_get(request, "body"), late);
    if (verb != PLAN_DELETE)
        return patch(world, request);
    if (object == NULL)
        return DONE;
    if (!ps_streq(js_path_str(request, "uid"), js_path_str(object, "metadata.uid")))
        return CONFLICT;
    if (kind == MODEL_JOB)
        js_set_bool(launches_entry(world, object), "deleted", true);
    launches_delete(world, kind, object);
    return DONE;
}

void launches_commit_late(struct launches *world)
{
    struct json_t *all = world->late;

    world->late = js_array();
    for (size_t i = 0; i < js_len(all); i++) {
        const struct json_t *request = js_at(all, i);

        ps_buf_printf(&world->trace, "  late: %s %s: %d\n", verbs[js_path_int(request, "verb", 0)],
                      js_path_str(request, "name"), commit(world, request, true));
    }
    js_unref(all);
}

/* Proven, and on what is ours. */
static void check_op(struct launches *world, size_t which, const struct plan_op *op)
{
    PS_AUTO_BUF(owner, 256);
    const struct json_t *object = op->verb == PLAN_CREATE
                                      ? op->body
                                      : launches_find(world, op->kind, op->namespace, op->name);

    if (op->verb == PLAN_DELETE) {
        LAUNCHES_CHECK(world, op->uid != NULL);
    } else if (op->verb != PLAN_CREATE) {
        LAUNCHES_CHECK(world, js_path_str(op->body, "metadata.resourceVersion") != NULL);
    }
    ps_buf_printf(&owner, "TaskLaunch/%s/" LAUNCHES_NAME, launches_namespaces[which]);
    if (op->kind == MODEL_TASK) {
        LAUNCHES_CHECK(world, ps_streq(op->namespace, launches_namespaces[which]));
    } else if (object != NULL) {
        LAUNCHES_CHECK(world, op->kind == MODEL_JOB);
        LAUNCHES_CHECK(world, ps_streq(js_str(js_get(js_path(object, "metadata.annotations"),
                                                     MODEL_ANNOTATION_OWNER)),
                                       ps_buf_text(&owner)));
    }
    LAUNCHES_CHECK(
        world, ps_streq(op->cluster, ps_streq(op->namespace, LAUNCHES_FAR) ? LAUNCHES_FAR : NULL));
    LAUNCHES_CHECK(world, op->cluster == NULL || !world->planned_away);
    if (op->verb == PLAN_CREATE)
        launches_check_intent(world, op->body);
}

/* A launch does not go while something of it stands where only we remove it. */
static void check_gone(const struct launches *world, size_t which, const char *uid)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;

    if (launches_find(world, MODEL_TASK, launches_namespaces[which], LAUNCHES_NAME) != NULL)
        return;
    while (js_next(launches_all(world, MODEL_JOB), &at, &key, &value)) {
        const struct json_t *labels = js_path(value, "metadata.labels");

        LAUNCHES_CHECK(world, !launches_is_far(value) ||
                                  !ps_streq(js_str(js_get(labels, MODEL_LABEL_OWNER_UID)), uid));
    }
}

/* The answer of a write has what it made, whatever the watch says later, and also when that was the
 * object's end. */
static void observe(struct launches *world, const struct plan_op *op)
{
    if (op->verb != PLAN_DELETE)
        launches_see(world, op->kind, launches_last(world, op->kind));
}

static enum outcome send(struct launches *world, const struct plan_op *op)
{
    struct json_t *request PS_AUTO_JS = request_of(op);
    const bool killed = launches_chance(world, world->weather.kill);
    const struct json_t *object = launches_find(world, op->kind, op->namespace, op->name);

    if (object != NULL && launches_chance(world, world->weather.conflict))
        launches_put(world, op->kind, js_copy(object));
    if (!killed && !launches_chance(world, world->weather.lose)) {
        const enum outcome outcome = commit(world, request, false);

        if (outcome == DONE)
            observe(world, op);
        return outcome;
    }
    const int fate = launches_random(world, 3);

    ps_buf_printf(&world->trace, "    (fate %d)\n", fate);
    if (fate == 1)
        (void)commit(world, request, false);
    if (fate == 2)
        js_push(world->late, js_copy(request));
    return killed ? KILLED : LOST;
}

static enum outcome perform(struct launches *world, size_t which, const struct plan_op *op)
{
    static const char *const outcomes[] = {"done", "conflict", "lost", "held", "killed"};

    const struct json_t *task =
        launches_find(world, MODEL_TASK, launches_namespaces[which], LAUNCHES_NAME);
    PS_AUTO_FREE char *uid = task ? ps_xstrdup(js_path_str(task, "metadata.uid")) : NULL;

    check_op(world, which, op);
    const enum outcome outcome = op->cluster && world->away ? CONFLICT : send(world, op);

    if (uid != NULL && op->kind == MODEL_TASK && op->verb == PLAN_PATCH && outcome == DONE)
        check_gone(world, which, uid);

    const struct json_t *status = js_get(op->body, "status");

    ps_buf_printf(&world->trace, "    %d %s %s %s/%s: %s", op->stage, verbs[op->verb],
                  model_kind_name(op->kind), op->namespace, op->name, outcomes[outcome]);
    if (status != NULL) {
        char *steps PS_AUTO_FREE = js_text(js_get(status, "steps"));

        ps_buf_printf(&world->trace, " %s %s %s", js_path_str(status, "phase"),
                      js_path_str(js_at(js_get(status, "conditions"), 0), "reason"), steps);
    }
    ps_buf_char(&world->trace, '\n');
    return outcome;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static struct json_t *account_of(const char *platform)
{
    struct json_t *account = js_object(), *spec = js_child(account, "spec");
    struct json_t *metadata = js_child(account, "metadata");

    js_set_str(metadata, "name", platform);
    js_set_str(metadata, "uid", platform);
    js_set_str(metadata, "resourceVersion", "1");
    js_set_str(spec, "type", "Kubernetes");
    if (ps_streq(platform, "there"))
        js_set_str(js_child(spec, "kubernetes"), "namespace", LAUNCHES_TARGET);
    if (ps_streq(platform, LAUNCHES_FAR)) {
        struct json_t *finalizers = js_array(), *kubernetes = js_child(spec, "kubernetes");

        js_push(finalizers, js_string(MODEL_FINALIZER));
        js_set(metadata, "finalizers", finalizers);
        js_set_str(kubernetes, "namespace", LAUNCHES_FAR);
        js_set_str(js_child(js_child(kubernetes, "cluster"), "secretRef"), "name", "key");
        js_set_str(js_child(js_child(account, "status"), "target"), "uid", LAUNCHES_FAR);
    }
    return account;
}

static struct json_t *namespace_of(const char *name)
{
    struct json_t *object = js_object(), *metadata = js_child(object, "metadata");

    js_set_str(metadata, "name", name);
    js_set_str(metadata, "uid", name);
    js_set_str(metadata, "resourceVersion", "1");
    js_set_str(js_child(object, "status"), "phase", "Active");
    return object;
}

/* The Jobs whose annotation names the launch. */
static struct json_t *children_of(const struct launches *world, const char *namespace)
{
    PS_AUTO_BUF(owner, 256);
    struct json_t *children = js_array(), *value;
    void *at = NULL;
    const char *key;

    ps_buf_printf(&owner, "TaskLaunch/%s/" LAUNCHES_NAME, namespace);
    while (js_next(world->view[1], &at, &key, &value)) {
        const struct json_t *annotations = js_path(value, "metadata.annotations");

        if (!ps_streq(js_str(js_get(annotations, MODEL_ANNOTATION_OWNER)), ps_buf_text(&owner)))
            continue;
        struct json_t *child = js_object();

        js_set_str(child, "kind", model_kind_name(MODEL_JOB));
        js_set(child, "object", js_copy(value));
        if (launches_is_far(value))
            js_set_str(child, "cluster", LAUNCHES_FAR);
        js_push(children, child);
    }
    return children;
}

static bool is_child(const struct json_t *children, const char *name)
{
    for (size_t i = 0; i < js_len(children); i++) {
        if (ps_streq(js_path_str(js_at(children, i), "object.metadata.name"), name))
            return true;
    }
    return false;
}

/* Those of its Jobs, and of the Job that the status names. */
static struct json_t *pods_of(const struct launches *world, const struct json_t *task,
                              const struct json_t *children)
{
    struct json_t *pods = js_array(), *value;
    void *at = NULL;
    const char *key;

    while (js_next(world->view[2], &at, &key, &value)) {
        const char *job = js_str(js_get(js_path(value, "metadata.labels"), "spring-app-id"));

        if (!is_child(children, job) && !ps_streq(launches_job_name(task), job))
            continue;
        struct json_t *pod = js_copy(value);

        if (launches_is_far(value))
            js_set_str(pod, "cluster", LAUNCHES_FAR);
        js_push(pods, pod);
    }
    return pods;
}

/* New reference. */
static struct json_t *clusters_of(const struct launches *world)
{
    struct json_t *list = js_array(), *cluster = js_object();

    js_set_str(cluster, "name", LAUNCHES_FAR);
    js_set_str(cluster, "accountUid", LAUNCHES_FAR);
    js_set_str(cluster, "state", world->away ? "Away" : "Synced");
    js_set_str(cluster, "uid", LAUNCHES_FAR);
    js_push(list, cluster);
    return list;
}

static const char *target_of(const char *platform, const char *namespace)
{
    if (ps_streq(platform, "there"))
        return LAUNCHES_TARGET;
    return ps_streq(platform, LAUNCHES_FAR) ? LAUNCHES_FAR : namespace;
}

static struct json_t *input_of(const struct launches *world, size_t which,
                               const struct json_t *facts, const struct json_t *troubles)
{
    PS_AUTO_BUF(key, 256);
    const char *namespace = launches_namespaces[which];
    struct json_t *in = js_object();

    ps_buf_printf(&key, "%s/" LAUNCHES_NAME, namespace);
    const struct json_t *task = js_get(world->view[0], ps_buf_text(&key));
    const char *platform = js_path_str(task, "spec.platform");
    struct json_t *children = children_of(world, namespace);

    js_set_str(in, "planner", "task");
    js_set_int(in, "nowMs", world->now_ms);
    js_set_str(in, "installation", INSTALLATION);
    js_set_str(in, "namespace", namespace);
    js_set_str(in, "name", LAUNCHES_NAME);
    js_set(in, "clusters", clusters_of(world));
    js_set(in, "children", children);
    js_set(in, "pods", pods_of(world, task, children));
    js_set(in, "facts", js_copy(facts));
    js_set(in, "troubles", js_copy(troubles));
    js_set_str(in, "registry", "task.train=docker:x/train:1\n");
    js_set_int(js_child(in, "slots"), "running", world->full ? 1000 : 0);
    if (task == NULL)
        return in;
    js_set(in, "cr", js_copy(task));
    js_set(in, "account", account_of(platform));
    js_set(in, "targetNamespace", namespace_of(target_of(platform, namespace)));
    return in;
}

/* ---- a job ----------------------------------------------------------------------------------- */

struct job {
    struct launches *world;
    size_t which;
    struct json_t *facts, *troubles;
    bool status_only;
    bool failed; /* no more plans */
};

static void between(struct launches *world)
{
    if (world->between != NULL && launches_chance(world, world->weather.between))
        world->between(world);
}

static struct json_t *identity(enum model_kind kind, const char *namespace, const char *name)
{
    struct json_t *json = js_object();

    js_set_str(json, "kind", model_kind_name(kind));
    js_set_str(json, "namespace", namespace);
    js_set_str(json, "name", name);
    return json;
}

/* A fact stays as it was read, whatever happens after it. */
static void read_live(struct job *job, enum model_kind kind, const char *namespace,
                      const char *name)
{
    struct json_t *fact = identity(kind, namespace, name);

    if (ps_streq(namespace, LAUNCHES_FAR))
        js_set_str(fact, "cluster", LAUNCHES_FAR);
    js_set(fact, "object", js_copy(launches_find(job->world, kind, namespace, name)));
    js_push(job->facts, fact);
}

static void read_needs(struct job *job, const struct plan *plan)
{
    for (size_t i = 0; i < plan->need_count; i++) {
        const struct plan_need *need = &plan->needs[i];

        ps_buf_printf(&job->world->trace, "    need %s %s/%s\n", model_kind_name(need->kind),
                      need->namespace, need->name);
        LAUNCHES_CHECK(job->world, need->cluster == NULL || !job->world->planned_away);
        if (launches_chance(job->world, job->world->weather.blind) ||
            (need->cluster != NULL && job->world->away)) {
            job->failed = true;
        } else {
            read_live(job, need->kind, need->namespace, need->name);
        }
        between(job->world);
    }
}

static void doubt(struct job *job, const struct plan_op *op)
{
    struct json_t *trouble = identity(op->kind, op->namespace, op->name);

    js_push(job->world->doubts[job->which], identity(op->kind, op->namespace, op->name));
    js_set_str(trouble, "code", "PS_ETIMEOUT");
    js_set_str(trouble, "reason", "");
    js_set_str(trouble, "message", "no answer");
    js_set_str(trouble, "cluster", op->cluster);
    js_push(job->troubles, trouble);
}

/* The operations of one stage go out together. False: the stage has failed. */
static bool perform_stage(struct job *job, const struct plan *plan, int stage)
{
    bool ok = true, tell = false;

    for (size_t i = 0; i < plan->op_count && !job->failed; i++) {
        const struct plan_op *op = &plan->ops[i];

        if (op->stage != stage)
            continue;
        const enum outcome outcome = perform(job->world, job->which, op);

        ok &= outcome == DONE;
        tell |= outcome == HELD || outcome == LOST;
        if (outcome == HELD)
            read_live(job, op->kind, op->namespace, op->name);
        if (outcome == LOST)
            doubt(job, op);
        if (outcome == KILLED) {
            launches_restart(job->world);
            job->failed = true;
        }
    }
    if (!ok && !tell)
        job->failed = true;
    job->status_only = !ok && tell;
    return ok;
}

/* The answer of a delete is not looked at: the watch has to bring it. */
static void await_deletes(struct job *job, const struct plan *plan)
{
    for (size_t i = 0; i < plan->op_count; i++) {
        if (plan->ops[i].verb == PLAN_DELETE)
            launches_deliver(job->world, 100);
    }
}

static void perform_all(struct job *job, const struct plan *plan)
{
    for (int stage = 0; stage < STAGES_MAX; stage++) {
        if (!perform_stage(job, plan, stage))
            return;
        between(job->world);
    }
    await_deletes(job, plan);
    js_unref(job->facts); /* all is done: from the result */
    js_unref(job->troubles);
    job->facts = js_array();
    job->troubles = js_array();
}

/* True when there was none to write. */
static bool write_status(struct job *job, struct plan *plan)
{
    if (plan->status == NULL)
        return true;
    const struct plan_op op = {.verb = PLAN_PATCH_STATUS,
                               .kind = MODEL_TASK,
                               .namespace = launches_namespaces[job->which],
                               .name = LAUNCHES_NAME,
                               .body = plan->status};

    if (perform(job->world, job->which, &op) == KILLED)
        launches_restart(job->world);
    return false;
}

/* What became of writes without an answer is read first. */
static bool settle_doubts(struct launches *world, size_t which)
{
    struct json_t *all PS_AUTO_JS = world->doubts[which];

    world->doubts[which] = js_array();
    for (size_t i = 0; i < js_len(all); i++) {
        const struct json_t *one = js_at(all, i);
        const enum model_kind kind = snapshot_kind(js_path_str(one, "kind"));
        const char *namespace = js_path_str(one, "namespace"), *name = js_path_str(one, "name");

        if (launches_chance(world, world->weather.blind) ||
            (world->away && ps_streq(namespace, LAUNCHES_FAR))) {
            js_push(world->doubts[which], js_copy(one));
            continue;
        }
        const struct json_t *object = launches_find(world, kind, namespace, name);

        if (object != NULL) {
            launches_see(world, kind, object);
        } else {
            launches_see_absent(world, kind, namespace, name);
        }
    }
    return js_len(world->doubts[which]) == 0;
}

static bool run(struct job *job)
{
    struct launches *world = job->world;

    for (int round = 0; round < ROUNDS_MAX && !job->failed; round++) {
        struct json_t *in PS_AUTO_JS = input_of(world, job->which, job->facts, job->troubles);
        struct plan *plan = snapshot_plan(in);

        world->planned_away = world->away;
        bool ended = false, quiet = false;

        ps_buf_printf(&world->trace, "  %s at %lld: %s, %zu ops, %zu needs\n",
                      launches_namespaces[job->which], (long long)world->now_ms / 1000 % 100000,
                      plan->summary, plan->op_count, plan->need_count);
        if (plan->need_count > 0) {
            read_needs(job, plan);
        } else if (plan->op_count > 0 && !job->status_only) {
            perform_all(job, plan);
        } else {
            quiet = write_status(job, plan) && plan->op_count == 0;
            ended = true;
        }
        world->wake_ms = plan->wake_ms;
        plan_free(plan);
        if (ended)
            return quiet && round == 0;
    }
    if (!job->failed)
        launches_fail(world, "asks and asks");
    return false;
}

bool launches_job(struct launches *world, size_t which)
{
    struct job job = {.world = world, .which = which};

    world->wake_ms = -1;
    if (!settle_doubts(world, which))
        return false;
    job.facts = js_array();
    job.troubles = js_array();
    const bool quiet = run(&job);

    js_unref(job.facts);
    js_unref(job.troubles);
    return quiet;
}
