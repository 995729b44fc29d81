/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream's status says: SCDF's states, and conditions with the cause in words. */
#include "plan/pass.h"

#include <string.h>

/* SCDF's deployer: more restarts than this with an error is "failed" (maxTerminatedErrorRestarts,
 * maxCrashLoopBackOffRestarts). */
#define ERROR_RESTARTS      2
#define CRASH_LOOP_RESTARTS 4

enum state {
    UNDEPLOYED,
    DEPLOYING,
    DEPLOYED,
    PARTIAL,
    FAILED
};

static const char *const state_names[] = {"undeployed", "deploying", "deployed", "partial",
                                          "failed"};

struct app_state {
    enum state state;
    const char *reason, *message; /* NULL: nothing to say */
    int64_t desired, ready;
};

/* ---- pods ----------------------------------------------------------------------------------- */

static enum state pod_state(const struct model_object *pod)
{
    const bool error_exit = pod->exit_code == 1 || pod->exit_code == 137 || pod->exit_code == 143;
    const bool looping = ps_streq(pod->cause, "CrashLoopBackOff");

    if (pod->pod_ready)
        return DEPLOYED;
    if (ps_streq(pod->phase, "Failed") || (pod->restarts > ERROR_RESTARTS && error_exit) ||
        (pod->restarts > CRASH_LOOP_RESTARTS && looping))
        return FAILED;
    return DEPLOYING;
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
            !ps_streq(pod->namespace, o->namespace))
            continue;
        const enum state state = pod_state(pod);

        sum.deployed += state == DEPLOYED;
        sum.deploying += state == DEPLOYING;
        sum.failed += state == FAILED;
        if (pod->cause != NULL && !pod->pod_ready &&
            (sum.telling == NULL || strcmp(pod->name, sum.telling->name) < 0))
            sum.telling = pod;
    }
    return sum;
}

/* ---- one app -------------------------------------------------------------------------------- */

static void explain(struct plan__pass *pass, const struct model_object *child,
                    const struct pods *pods, struct app_state *out)
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

static enum state settled_state(const struct model_object *child, const struct pods *pods)
{
    if (child->rolled_out && child->ready >= child->replicas)
        return DEPLOYED;
    if (pods->failed > 0 && pods->deploying == 0)
        return pods->deployed > 0 ? PARTIAL : FAILED;
    return DEPLOYING;
}

static struct app_state app_state(struct plan__pass *pass, const struct plan__object *o)
{
    const struct model_object *child = plan__own_child(pass, o->kind, o->namespace, o->name);
    struct app_state out = {.state = UNDEPLOYED,
                            .desired = js_path_int(o->body, "spec.replicas", 1)};

    if (pass->stream.suspend)
        out.desired = 0;
    if (child == NULL) {
        const bool coming = pass->busy || pass->replacing != NULL;

        out.state = coming && out.desired > 0 ? DEPLOYING : UNDEPLOYED;
        return out;
    }
    const struct pods pods = count_pods(pass, o);

    out.desired = child->replicas;
    out.ready = child->ready;
    if (child->replicas == 0)
        return out;
    out.state = settled_state(child, &pods);
    if (out.state != DEPLOYED)
        explain(pass, child, &pods, &out);
    return out;
}

/* ---- the app list --------------------------------------------------------------------------- */

static const struct json_t *old_app(const struct plan__pass *pass, const char *label)
{
    const struct json_t *list = js_get(pass->stream.status, "apps");

    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_len(list); i++) {
        if (ps_streq(js_path_str(js_at(list, i), "name"), label))
            return js_at(list, i);
    }
    return NULL;
}

static struct json_t *resource_json(const struct plan__pass *pass, const struct plan__object *o,
                                    const struct json_t *old)
{
    const struct model_object *child = plan__own_child(pass, o->kind, o->namespace, o->name);
    struct json_t *json = js_object();

    js_set_str(json, "kind", model_kind_name(o->kind));
    js_set_str(json, "namespace", o->namespace);
    js_set_str(json, "name", o->name);
    if (child == NULL)
        return json;
    js_set_str(json, "uid", child->uid);
    if (o->proven_generation > 0) {
        js_set_int(json, "generation", o->proven_generation);
    } else if (ps_streq(js_path_str(old, "uid"), child->uid)) {
        js_set(json, "generation", js_copy(js_get(old, "generation")));
    }
    return json;
}

static struct json_t *service_json(const struct plan__pass *pass, const struct plan__object *o,
                                   const struct json_t *old)
{
    const struct model_object *child = plan__own_child(pass, o->kind, o->namespace, o->name);

    if (child == NULL)
        return NULL;
    struct json_t *json = js_object();

    js_set_str(json, "name", o->name);
    js_set_str(json, "uid", child->uid);
    if (o->proven_rv != NULL) {
        js_set_str(json, "resourceVersion", o->proven_rv);
    } else if (ps_streq(js_path_str(old, "uid"), child->uid)) {
        js_set(json, "resourceVersion", js_copy(js_get(old, "resourceVersion")));
    }
    return json;
}

static const struct plan__object *service_of(const struct plan__pass *pass, const char *app)
{
    for (size_t i = 0; i < pass->objects.count; i++) {
        if (pass->objects.items[i].kind == MODEL_SERVICE &&
            ps_streq(pass->objects.items[i].app, app))
            return &pass->objects.items[i];
    }
    return NULL;
}

static const char *container_image(const struct plan__object *o)
{
    return js_path_str(js_at(js_path(o->body, "spec.template.spec.containers"), 0), "image");
}

/* type and version are known while the spec renders; otherwise what stood there stays. */
static void describe_app(const struct plan__pass *pass, const struct plan__object *o,
                         struct json_t *json)
{
    const struct json_t *old = old_app(pass, o->app);
    const char *type = js_path_str(old, "type"), *version = js_path_str(old, "version");
    const char *image = container_image(o), *platform = js_path_str(old, "platform");

    for (size_t i = 0; i < pass->wanted.count; i++) {
        const struct plan__app *app = &pass->wanted.apps[i];

        if (!ps_streq(app->label, o->app))
            continue;
        type = app->type;
        if (pass->remembered)
            image = app->image;
        if (ps_streq(app->namespace, o->namespace)) /* else it is on its way from another one */
            platform = app->platform;
        if (image == NULL || ps_streq(app->image, image))
            version = app->version;
    }
    js_set_str(json, "type", type);
    js_set_str(json, "platform", platform ? platform : pass->stream.platform);
    js_set_str(json, "version", version);
    js_set_str(json, "image", image ? image : js_path_str(old, "image"));
}

static struct json_t *app_json(struct plan__pass *pass, const struct plan__object *o,
                               const struct app_state *state)
{
    struct json_t *json = js_object();
    const struct json_t *old = old_app(pass, o->app);
    const struct plan__object *service = service_of(pass, o->app);

    js_set_str(json, "name", o->app);
    describe_app(pass, o, json);
    js_set_int(json, "desired", state->desired);
    js_set_int(json, "ready", state->ready);
    js_set_str(json, "state", state_names[state->state]);
    js_set_str(json, "message", state->message);
    js_set(json, "resource", resource_json(pass, o, js_get(old, "resource")));
    if (service != NULL)
        js_set(json, "service", service_json(pass, service, js_get(old, "service")));
    return json;
}

struct summary {
    size_t of[PS_ARRAY_LEN(state_names)]; /* apps that should run, by state */
    size_t resting;                       /* apps with no instance wanted */
    const char *reason, *message;         /* of the first app that has one */
    struct json_t *apps;
};

/* Apps in the order of the definition: rendering put the sink first. */
static struct summary sum_apps(struct plan__pass *pass)
{
    struct summary sum = {.apps = js_array()};

    for (size_t i = pass->objects.count; i-- > 0;) {
        const struct plan__object *o = &pass->objects.items[i];

        if (!model_is_workload(o->kind))
            continue;
        const struct app_state state = app_state(pass, o);

        js_push(sum.apps, app_json(pass, o, &state));
        if (state.desired == 0) {
            sum.resting++;
        } else {
            sum.of[state.state]++;
        }
        if (sum.message == NULL && state.message != NULL) {
            sum.reason = state.reason;
            sum.message = ps_arena_printf(pass->arena, "app %s: %s", o->app, state.message);
        }
    }
    return sum;
}

/* SCDF's aggregation, over the apps that should run. */
static enum state phase_of(const struct summary *sum)
{
    const size_t n = sum->of[UNDEPLOYED] + sum->of[DEPLOYING] + sum->of[DEPLOYED] +
                     sum->of[PARTIAL] + sum->of[FAILED];

    for (size_t i = 0; i < PS_ARRAY_LEN(sum->of); i++) {
        if (n > 0 && sum->of[i] == n)
            return (enum state)i;
    }
    if (n == 0)
        return UNDEPLOYED;
    if (sum->of[FAILED] > 0)
        return sum->of[DEPLOYED] > 0 ? PARTIAL : FAILED;
    return sum->of[DEPLOYING] > 0 ? DEPLOYING : PARTIAL;
}

/* ---- conditions ----------------------------------------------------------------------------- */

struct verdict {
    bool ready, stalled;
    const char *reason, *message;
};

static struct verdict verdict_of(struct plan__pass *pass, const struct summary *sum,
                                 enum state phase)
{
    if (pass->refused_reason != NULL)
        return (struct verdict){false, true, pass->refused_reason, pass->refused_message};
    if (pass->conflict != NULL)
        return (struct verdict){false, true, "NameConflict", pass->conflict};
    if (pass->held_back)
        return (struct verdict){false, true, pass->access_reason, pass->access_lost};
    if (pass->waiting_reason != NULL &&
        (phase == UNDEPLOYED || strcmp(pass->waiting_reason, "PredecessorTerminating") == 0))
        return (struct verdict){false, false, pass->waiting_reason, pass->waiting_message};
    if (pass->s->trouble_count > 0) {
        return (struct verdict){false, ps_code_class(pass->s->troubles[0].code) == PS_CLASS_INVALID,
                                plan__trouble_reason(&pass->s->troubles[0]),
                                plan__trouble_text(pass->arena, &pass->s->troubles[0])};
    }
    if (pass->replacing != NULL)
        return (struct verdict){false, false, "ReplacingInstances", pass->replacing};
    if (pass->busy)
        return (struct verdict){false, false, "Deploying", "writing its objects"};
    if (pass->stream.suspend) {
        return (struct verdict){true, false, "Suspended",
                                "suspended: no instance runs; set spec.suspend to false to go on"};
    }
    if (phase == DEPLOYED)
        return (struct verdict){true, false, "Deployed", "all apps run"};
    if (phase == UNDEPLOYED && sum->resting > 0)
        return (struct verdict){true, false, "NoInstances", "every app has a count of 0"};
    if (sum->message != NULL) {
        return (struct verdict){false, phase == FAILED, sum->reason, sum->message};
    }
    return (struct verdict){false, false, "Deploying",
                            "waiting for the apps' instances to be ready"};
}

static void set_drifted(struct plan__pass *pass)
{
    const bool report = pass->stream.report_drift || pass->drift_stays;
    const char *why = pass->drift_stays && pass->barred
                          ? "it stays, since the account's policy is against what would be written"
                      : pass->drift_stays
                          ? "it stays where no account leads to that the stream may use"
                          : "it stays, since spec.driftPolicy is Report";
    const struct json_t *old =
        model_condition_find(js_get(pass->stream.status, "conditions"), "Drifted");

    if (pass->drifted != NULL) {
        model_condition_set(&pass->conditions, "Drifted", true,
                            report ? "DriftReported" : "DriftCorrected",
                            ps_arena_printf(pass->arena, "others have changed %s; %s",
                                            pass->drifted, report ? why : "it is taken back"));
    } else if (old != NULL && (pass->busy || pass->drift_unknown)) { /* not looked at now */
        model_condition_set(&pass->conditions, "Drifted", true, js_path_str(old, "reason"),
                            js_path_str(old, "message"));
    }
}

static void set_conditions(struct plan__pass *pass, const struct verdict *v)
{
    struct model_conditions *list = &pass->conditions;
    const char *warnings = pass->wanted.warnings;

    model_condition_set(list, "Ready", v->ready, v->reason, v->message);
    if (pass->refused_reason != NULL) {
        model_condition_set(list, "Accepted", false, pass->refused_reason, pass->refused_message);
    } else {
        model_condition_set(list, "Accepted", true, warnings ? "PropertiesIgnored" : "Accepted",
                            warnings ? warnings : "the definition and its properties are valid");
    }
    if (!v->ready && !v->stalled)
        model_condition_set(list, "Reconciling", true, v->reason, v->message);
    if (v->stalled)
        model_condition_set(list, "Stalled", true, v->reason, v->message);
    if (pass->outdated != NULL)
        model_condition_set(list, "Outdated", true, "RenderedDifferently", pass->outdated);
    set_drifted(pass);
    if (pass->wanted.unverified != NULL) {
        model_condition_set(list, "BinderUnverified", true, "BinderUnverified",
                            pass->wanted.unverified);
    }
    if (pass->shared != NULL)
        model_condition_set(list, "DestinationShared", true, "DestinationShared", pass->shared);
    if (pass->access_lost != NULL)
        model_condition_set(list, "AccessLost", true, pass->access_reason, pass->access_lost);
    if (pass->conflict != NULL)
        model_condition_set(list, "NameConflict", true, "NameTaken", pass->conflict);
}

/* ---- events --------------------------------------------------------------------------------- */

static bool changed(const struct json_t *old_conditions, const struct model_condition *c)
{
    const struct json_t *old = model_condition_find(old_conditions, c->type);

    if (!ps_streq(js_path_str(old, "reason"), c->reason))
        return true;
    /* What a kubelet says of one trouble changes with every try: that is no news. */
    return strcmp(c->type, "Ready") != 0 && !ps_streq(js_path_str(old, "message"), c->message);
}

/* Deploying is no news, and Stalled tells its own cause. */
static bool is_told_elsewhere(const struct plan__pass *pass, const struct model_condition *ready)
{
    for (size_t i = 0; i < pass->conditions.count; i++) {
        if (strcmp(pass->conditions.items[i].type, "Stalled") == 0)
            return true;
    }
    return strcmp(ready->reason, "Deploying") == 0;
}

static bool is_warning(const struct model_condition *c)
{
    return strcmp(c->type, "Stalled") == 0 || strcmp(c->type, "Drifted") == 0 ||
           strcmp(c->type, "AccessLost") == 0 || strcmp(c->type, "DestinationShared") == 0 ||
           strcmp(c->reason, "PropertiesIgnored") == 0;
}

/* What a user must know, told once: when a condition comes or changes. */
static void tell(struct plan__pass *pass)
{
    const struct json_t *old = js_get(pass->stream.status, "conditions");
    const int64_t old_revision = js_path_int(pass->stream.status, "revision", 0);

    if (pass->revision > 0 && pass->revision != old_revision) {
        plan__event(pass->plan, false, "RevisionCreated",
                    ps_arena_printf(pass->arena, "revision %lld was made from the spec",
                                    (long long)pass->revision));
    }
    for (size_t i = 0; i < pass->conditions.count; i++) {
        const struct model_condition *c = &pass->conditions.items[i];
        const bool ready = strcmp(c->type, "Ready") == 0;

        if (!changed(old, c) || strcmp(c->type, "Reconciling") == 0)
            continue;
        if (pass->held_back && strcmp(c->type, "AccessLost") == 0)
            continue; /* Stalled says the same */
        if (is_warning(c)) {
            plan__event(pass->plan, true, c->reason, c->message);
        } else if (strcmp(c->type, "Outdated") == 0) {
            plan__event(pass->plan, false, "Outdated", c->message);
        } else if (ready && (c->status || !is_told_elsewhere(pass, c))) {
            plan__event(pass->plan, !c->status, c->reason, c->message);
        }
    }
}

/* ---- all together --------------------------------------------------------------------------- */

static struct json_t *status_json(struct plan__pass *pass, struct summary *sum, enum state phase)
{
    struct json_t *status = js_object();
    const char *phase_text = state_names[phase];

    js_set_int(status, "observedGeneration", pass->stream.generation);
    if (pass->blind) { /* what was known last stays: "undeployed" would be a guess */
        js_set(status, "revision", js_copy(js_get(pass->stream.status, "revision")));
        phase_text = js_path_str(pass->stream.status, "phase");
        js_unref(sum->apps);
        sum->apps = js_copy(js_get(pass->stream.status, "apps"));
    }
    if (pass->revision > 0)
        js_set_int(status, "revision", pass->revision);
    js_set_str(status, "phase", phase_text);
    js_set_str(status, "definition",
               pass->wanted.definition ? pass->wanted.definition
                                       : js_path_str(pass->stream.status, "definition"));
    js_set_str(status, "platform", pass->stream.platform);
    js_set(status, "apps", sum->apps);
    js_set(status, "conditions",
           model_conditions_json(&pass->conditions, js_get(pass->stream.status, "conditions"),
                                 pass->stream.generation, pass->s->now_ms));
    return status;
}

void plan__stream_status(struct plan__pass *pass)
{
    struct summary sum = sum_apps(pass);
    const enum state phase =
        pass->stream.suspend && sum.of[DEPLOYED] == 0 ? UNDEPLOYED : phase_of(&sum);
    const struct verdict verdict = verdict_of(pass, &sum, phase);

    set_conditions(pass, &verdict);
    struct json_t *status PS_AUTO_JS = status_json(pass, &sum, phase);
    struct json_t *empty PS_AUTO_JS = js_object();
    struct json_t *diff =
        codec_merge_diff(pass->stream.status ? pass->stream.status : empty, status);

    if (diff == NULL)
        return;
    pass->plan->status = js_object();
    js_set_str(js_child(pass->plan->status, "metadata"), "resourceVersion", pass->stream.rv);
    js_set(pass->plan->status, "status", diff);
    tell(pass);
}
