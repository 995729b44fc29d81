/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream's status says: its apps, and conditions with the cause in words. */
#include "plan/pass.h"

#include <string.h>

static const char *const state_names[] = {
    [PLAN__UNDEPLOYED] = "undeployed", [PLAN__DEPLOYING] = "deploying",
    [PLAN__DEPLOYED] = "deployed",     [PLAN__PARTIAL] = "partial",
    [PLAN__FAILED] = "failed",         [PLAN__UNKNOWN] = "unknown"};

/* ---- the app list --------------------------------------------------------------------------- */

/* What was known of it last stays. */
static bool is_unseen(const struct plan__pass *pass, const struct plan__object *o,
                      const struct model_object *child)
{
    return child == NULL && !plan__is_open(pass->s, o->cluster);
}

static struct json_t *resource_json(const struct plan__pass *pass, const struct plan__object *o,
                                    const struct json_t *old)
{
    const struct model_object *child = plan__own_child(pass, o);

    if (is_unseen(pass, o, child) && ps_streq(js_path_str(old, "name"), o->name))
        return js_copy(old);
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
    const struct model_object *child = plan__own_child(pass, o);

    if (is_unseen(pass, o, child))
        return js_copy(old);
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
    const struct json_t *old = plan__old_app(pass, o->app);
    const char *type = js_path_str(old, "type"), *version = js_path_str(old, "version");
    const char *image = container_image(o), *platform = js_path_str(old, "platform");

    for (size_t i = 0; i < pass->wanted.count; i++) {
        const struct plan__app *app = &pass->wanted.apps[i];

        if (!ps_streq(app->label, o->app))
            continue;
        type = app->type;
        if (pass->remembered)
            image = app->image;
        if (ps_streq(app->cluster, o->cluster) &&
            ps_streq(app->namespace, o->namespace)) /* else it is on its way from another one */
            platform = app->platform;
        if (image == NULL || ps_streq(app->image, image))
            version = app->version;
    }
    js_set_str(json, "type", type);
    if (o->cluster != NULL)
        platform = o->cluster;
    js_set_str(json, "platform", platform ? platform : pass->stream.platform);
    js_set_str(json, "version", version);
    js_set_str(json, "image", image ? image : js_path_str(old, "image"));
}

static struct json_t *app_json(struct plan__pass *pass, const struct plan__object *o,
                               const struct plan__app_state *state)
{
    struct json_t *json = js_object();
    const struct json_t *old = plan__old_app(pass, o->app);
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
        const struct plan__app_state state = plan__app_state(pass, o);

        js_push(sum.apps, app_json(pass, o, &state));
        if (state.desired == 0 && state.state != PLAN__UNKNOWN) {
            sum.resting++;
        } else {
            sum.of[state.state]++;
        }
        if (state.message != NULL && state.state != PLAN__UNKNOWN && sum.message == NULL) {
            sum.reason = state.reason;
            sum.message = ps_arena_printf(pass->arena, "app %s: %s", o->app, state.message);
        }
    }
    return sum;
}

/* SCDF's aggregation, over the apps that should run. */
static enum plan__state phase_of(const struct summary *sum)
{
    const size_t n = sum->of[PLAN__UNDEPLOYED] + sum->of[PLAN__DEPLOYING] +
                     sum->of[PLAN__DEPLOYED] + sum->of[PLAN__PARTIAL] + sum->of[PLAN__FAILED] +
                     sum->of[PLAN__UNKNOWN];

    for (size_t i = 0; i < PS_ARRAY_LEN(sum->of); i++) {
        if (n > 0 && sum->of[i] == n)
            return (enum plan__state)i;
    }
    if (n == 0)
        return PLAN__UNDEPLOYED;
    if (sum->of[PLAN__FAILED] > 0)
        return sum->of[PLAN__DEPLOYED] + sum->of[PLAN__UNKNOWN] > 0 ? PLAN__PARTIAL : PLAN__FAILED;
    if (sum->of[PLAN__UNKNOWN] > 0)
        return PLAN__UNKNOWN;
    return sum->of[PLAN__DEPLOYING] > 0 ? PLAN__DEPLOYING : PLAN__PARTIAL;
}

/* ---- conditions ----------------------------------------------------------------------------- */

struct verdict {
    bool ready, stalled;
    const char *reason, *message;
    bool unknown;
};

static struct verdict stalled(const char *reason, const char *message)
{
    return (struct verdict){.stalled = true, .reason = reason, .message = message};
}

static struct verdict pending(const char *reason, const char *message)
{
    return (struct verdict){.reason = reason, .message = message};
}

static struct verdict ready(const char *reason, const char *message)
{
    return (struct verdict){.ready = true, .reason = reason, .message = message};
}

/* What is known to fail is told first: the others cannot make it good. */
static struct verdict verdict_of_apps(struct plan__pass *pass, const struct summary *sum,
                                      enum plan__state phase)
{
    if (pass->away != NULL && sum->of[PLAN__FAILED] == 0) {
        return (struct verdict){.unknown = true,
                                .reason = plan__away_reason(pass->s, pass->away),
                                .message = plan__away_text(pass->arena, pass->s, pass->away)};
    }
    if (pass->stream.suspend) {
        return ready("Suspended",
                     "suspended: no instance runs; set spec.suspend to false to go on");
    }
    if (phase == PLAN__DEPLOYED)
        return ready("Deployed", "all apps run");
    if (phase == PLAN__UNDEPLOYED && sum->resting > 0)
        return ready("NoInstances", "every app has a count of 0");
    if (sum->message != NULL && phase == PLAN__FAILED)
        return stalled(sum->reason, sum->message);
    if (sum->message != NULL)
        return pending(sum->reason, sum->message);
    return pending("Deploying", "waiting for the apps' instances to be ready");
}

/* What failed in a cluster that cannot be reached now says no more than that it cannot. */
static const struct plan_trouble *trouble_of(const struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->s->trouble_count; i++) {
        if (plan__is_open(pass->s, pass->s->troubles[i].cluster))
            return &pass->s->troubles[i];
    }
    return NULL;
}

static const char *preparing_text(struct plan__pass *pass)
{
    return ps_arena_printf(pass->arena,
                           "PlatformAccount %s is made ready for the first object in its cluster",
                           pass->preparing);
}

static struct verdict verdict_of(struct plan__pass *pass, const struct summary *sum,
                                 enum plan__state phase)
{
    const struct plan_trouble *trouble = trouble_of(pass);

    if (pass->refused_reason != NULL)
        return stalled(pass->refused_reason, pass->refused_message);
    if (pass->conflict != NULL)
        return stalled("NameConflict", pass->conflict);
    if (pass->held_back)
        return stalled(pass->access_reason, pass->access_lost);
    if (pass->waiting_reason != NULL &&
        (phase == PLAN__UNDEPLOYED || strcmp(pass->waiting_reason, "PredecessorTerminating") == 0))
        return pending(pass->waiting_reason, pass->waiting_message);
    if (trouble != NULL) {
        return (struct verdict){.stalled = ps_code_class(trouble->code) == PS_CLASS_INVALID,
                                .reason = plan__trouble_reason(trouble),
                                .message = plan__trouble_text(pass->arena, trouble)};
    }
    if (pass->replacing != NULL)
        return pending("ReplacingInstances", pass->replacing);
    if (pass->busy)
        return pending("Deploying", "writing its objects");
    if (pass->preparing != NULL)
        return pending("Connecting", preparing_text(pass));
    return verdict_of_apps(pass, sum, phase);
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

    if (v->unknown) {
        model_condition_set_unknown(list, "Ready", v->reason, v->message);
    } else {
        model_condition_set(list, "Ready", v->ready, v->reason, v->message);
    }
    if (pass->refused_reason != NULL) {
        model_condition_set(list, "Accepted", false, pass->refused_reason, pass->refused_message);
    } else {
        model_condition_set(list, "Accepted", true, warnings ? "PropertiesIgnored" : "Accepted",
                            warnings ? warnings : "the definition and its properties are valid");
    }
    if (!v->ready && !v->stalled && !v->unknown)
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
    if (pass->left_over != NULL) {
        model_condition_set(list, "CleanupBlocked", true,
                            plan__away_reason(pass->s, pass->left_over),
                            plan__blocked_text(pass->arena, pass->s, pass->left_over));
        plan__wake(pass->plan, PLAN__BLOCKED_RECHECK_MS);
    }
}

/* ---- events --------------------------------------------------------------------------------- */

static bool changed(const struct json_t *old_conditions, const struct model_condition *c)
{
    const struct json_t *old = model_condition_find(old_conditions, c->type);

    if (!ps_streq(js_path_str(old, "reason"), c->reason))
        return true;
    /* What a kubelet, or a cluster, says of one trouble changes with every try: that is no news. */
    return strcmp(c->type, "Ready") != 0 && strcmp(c->type, "CleanupBlocked") != 0 &&
           !ps_streq(js_path_str(old, "message"), c->message);
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
           strcmp(c->type, "CleanupBlocked") == 0 || strcmp(c->reason, "PropertiesIgnored") == 0;
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
        if (strcmp(c->type, "CleanupBlocked") == 0) {
            plan__event(pass->plan, true, c->type, c->message);
        } else if (is_warning(c)) {
            plan__event(pass->plan, true, c->reason, c->message);
        } else if (strcmp(c->type, "Outdated") == 0) {
            plan__event(pass->plan, false, "Outdated", c->message);
        } else if (ready && (c->status || !is_told_elsewhere(pass, c))) {
            plan__event(pass->plan, !c->status, c->reason, c->message);
        }
    }
}

/* ---- all together --------------------------------------------------------------------------- */

static struct json_t *status_json(struct plan__pass *pass, struct summary *sum,
                                  enum plan__state phase)
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

/* While a cluster is read for the first time since the operator started, what was said last stands:
 * a restart is no news. */
static bool is_kept(const struct plan__pass *pass)
{
    return pass->stream.status != NULL && (plan__is_connecting(pass->s, pass->away) ||
                                           plan__is_connecting(pass->s, pass->left_over));
}

void plan__stream_status(struct plan__pass *pass)
{
    struct summary sum = sum_apps(pass);
    const bool rests = pass->stream.suspend && sum.of[PLAN__DEPLOYED] + sum.of[PLAN__UNKNOWN] == 0;
    const enum plan__state phase = rests ? PLAN__UNDEPLOYED : phase_of(&sum);
    const struct verdict verdict = verdict_of(pass, &sum, phase);

    set_conditions(pass, &verdict);
    struct json_t *status PS_AUTO_JS = status_json(pass, &sum, phase);
    struct json_t *empty PS_AUTO_JS = js_object();
    struct json_t *diff =
        codec_merge_diff(pass->stream.status ? pass->stream.status : empty, status);

    if (diff == NULL || is_kept(pass)) {
        js_unref(diff);
        return;
    }
    pass->plan->status = js_object();
    js_set_str(js_child(pass->plan->status, "metadata"), "resourceVersion", pass->stream.rv);
    js_set(pass->plan->status, "status", diff);
    tell(pass);
}
