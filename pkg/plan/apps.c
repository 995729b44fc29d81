/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: from definition, properties, registry and account to the apps that are wanted, in SCDF's
 * order of precedence. */
#include "plan/gather.h"

#include <string.h>

#define PORT_DEFAULT 8080

/* What SCDF gives every stream app unless a stronger source has the key (its "common" stream
 * resource). */
static const struct model_property common[] = {
    {"management.metrics.tags.stream.name", "${spring.cloud.dataflow.stream.name:unknown}"},
    {"management.metrics.tags.application.name",
     "${vcap.application.application_name:${spring.cloud.dataflow.stream.app.label:unknown}}"},
    {"management.metrics.tags.application.type",
     "${spring.cloud.dataflow.stream.app.type:unknown}"},
    {"management.metrics.tags.instance.index",
     "${vcap.application.instance_index:${spring.cloud.stream.instanceIndex:0}}"},
    {"management.metrics.tags.application.guid", "${spring.cloud.application.guid:unknown}"},
    {"management.metrics.tags.application", "${spring.cloud.dataflow.stream.name:unknown}-${spring."
                                            "cloud.dataflow.stream.app.label:unknown}-"
                                            "${spring.cloud.dataflow.stream.app.type:unknown}"},
    {"management.endpoints.web.exposure.include", "health,info,bindings"},
    {"wavefront.application.name", "${spring.cloud.dataflow.stream.name:unknown}"},
    {"wavefront.application.service",
     "${spring.cloud.dataflow.stream.app.label:unknown}-${spring.cloud.dataflow.stream.app.type:"
     "unknown}-"
     "${vcap.application.instance_index:${spring.cloud.stream.instanceIndex:0}}"},
};

struct apps {
    struct plan__gather g;
    const struct plan_snapshot *s;
    const struct model_stream *stream;
    const struct dsl_stream *dsl;
    struct model_properties *over; /* of each app: what is laid over its options */
};

/* ---- what the app sees ---------------------------------------------------------------------- */

static const char *expand_binding(struct ps_arena *arena, const char *key)
{
    if (ps_str_starts(ps_str(key), "producer"))
        return ps_arena_printf(arena, "spring.cloud.stream.bindings.output.%s", key);
    if (ps_str_starts(ps_str(key), "consumer"))
        return ps_arena_printf(arena, "spring.cloud.stream.bindings.input.%s", key);
    return key;
}

static void add_app_keys(struct apps *a, const char *target, struct model_properties *over)
{
    const struct model_properties keys = plan__app_keys(&a->g, target);

    for (size_t i = 0; i < keys.count; i++) {
        model_properties_put(a->g.arena, over, expand_binding(a->g.arena, keys.items[i].key),
                             keys.items[i].value);
    }
}

/* ---- partitions ------------------------------------------------------------------------------ */

#define PRODUCER "spring.cloud.stream.bindings.output.producer."
#define CONSUMER "spring.cloud.stream.bindings.input.consumer."

/* Does it part what it writes? Said where it is deployed, as in SCDF: options of the definition
 * don't count. */
static bool parts_output(const struct model_properties *over)
{
    return model_properties_get(over, PRODUCER "partitionKeyExpression") != NULL ||
           model_properties_get(over, PRODUCER "partitionKeyExtractorClass") != NULL;
}

static bool has_input(const struct apps *a, size_t i)
{
    return i > 0 || a->dsl->source != NULL;
}

static bool asks_for_parts(const struct model_properties *over)
{
    const char *asked = model_properties_get(over, CONSUMER "partitioned");

    return asked != NULL && ps_str_ieq(ps_str(asked), PS_STR("true"));
}

static void set_producer(struct ps_arena *arena, struct model_properties *over,
                         const struct plan__app *reader)
{
    const int64_t count = reader->settings.count > 0 ? reader->settings.count : 1;

    model_properties_put(arena, over, PRODUCER "partitionCount",
                         ps_arena_printf(arena, "%lld", (long long)count));
    if (!parts_output(over))
        model_properties_put(arena, over, PRODUCER "partitionKeyExpression", "payload");
}

/* Who reads parts needs to know which one: its instances are numbered. SCDF numbers them only if
 * the app before it parts; an app that asks for parts of its own would always read the first. */
static void partition(struct apps *a)
{
    struct plan__app *apps = a->g.wanted->apps;
    const size_t n = a->dsl->app_count;

    for (size_t i = 0; i < n; i++) {
        const bool bound = !a->dsl->unbound, fed = bound && i > 0 && parts_output(&a->over[i - 1]);
        const bool reads = fed || (bound && has_input(a, i) && asks_for_parts(&a->over[i]));

        apps[i].indexed = reads || ps_streq(apps[i].settings.indexed, "true");
        if (fed)
            model_properties_put(a->g.arena, &a->over[i], CONSUMER "partitioned", "true");
        if (reads && i > 0)
            set_producer(a->g.arena, &a->over[i - 1], &apps[i]);
    }
}

/* ---- all its properties ---------------------------------------------------------------------- */

static void properties_of(struct apps *a, size_t i, struct plan__app *app)
{
    struct ps_arena *arena = a->g.arena;
    struct model_properties over = a->over[i];
    size_t count;
    const struct dsl_option *options = dsl_stream_properties(arena, a->dsl, i, &count);

    if (app->settings.count >= 0) {
        model_properties_put(arena, &over, "spring.cloud.stream.instanceCount",
                             ps_arena_printf(arena, "%lld", (long long)app->settings.count));
    }
    model_properties_put(arena, &over, "spring.cloud.dataflow.stream.name", a->stream->stream_name);
    model_properties_put(arena, &over, "spring.cloud.dataflow.stream.app.label", app->label);
    model_properties_put(arena, &over, "spring.cloud.dataflow.stream.app.type", app->type);
    plan__fill_gaps(arena, &over, common, PS_ARRAY_LEN(common));
    for (size_t k = 0; k < count; k++)
        model_properties_put(arena, &app->properties, options[k].name, options[k].value);
    plan__put_all(arena, &app->properties, &over);
    model_properties_sort(&app->properties);
}

static int port_of(struct plan__gather *g, struct plan__app *app)
{
    const char *port = model_properties_get(&app->properties, "server.port");

    app->port = PORT_DEFAULT;
    if (port != NULL &&
        (!ps_str_to_i64(ps_str(port), &app->port) || app->port < 1 || app->port > 65535)) {
        return plan__refuse(g, "InvalidProperty",
                            "app %s: server.port: expected a port from 1 to 65535, found \"%s\"",
                            app->label, port);
    }
    return 0;
}

/* ---- accounts ------------------------------------------------------------------------------- */

/* "app predict: spec.apps[0].platform", or "spec.platform". */
static const char *platform_field(const struct apps *a, const char *label)
{
    for (size_t i = 0; i < a->stream->app_count; i++) {
        if (strcmp(a->stream->apps[i].name, label) == 0 && a->stream->apps[i].platform != NULL)
            return ps_arena_printf(a->g.arena, "app %s: spec.apps[%zu].platform", label, i);
    }
    return "spec.platform";
}

static int check_account(struct apps *a, const struct model_account *account)
{
    struct plan__gather *g = &a->g;

    if (!plan__is_allowed(a->s, account)) {
        return plan__refuse(g, "NotAllowed", "%s", plan__not_allowed_text(g->arena, a->s, account));
    }
    if (account->problem.code != 0) {
        return plan__refuse(g, "PlatformInvalid", "PlatformAccount %s: %s", account->name,
                            account->problem.message);
    }
    if (!account->for_streams) {
        return plan__refuse(g, "UsageNotAllowed",
                            "PlatformAccount %s is not for streams: its spec.usage has to contain "
                            "Stream; or name another account in spec.platform",
                            account->name);
    }
    g->account = account;
    return plan__base_settings(g);
}

/* The account of the app becomes that of what is gathered next. */
static int use_account(struct apps *a, struct plan__app *app)
{
    const struct model_app *over = plan__overlay(&a->g.source, app->label);
    const char *name = over && over->platform ? over->platform : a->stream->platform;
    const struct plan_platform *platform = plan__platform(a->s, name);

    if (platform == NULL || platform->account == NULL) {
        return plan__refuse(&a->g, "PlatformNotFound",
                            "%s: there is no PlatformAccount %s (kubectl get pacct lists them)",
                            platform_field(a, app->label), name);
    }
    app->platform = name;
    app->cluster = plan__cluster_of(platform->account);
    app->namespace = plan__target_of(a->s, platform->account);
    return platform->account == a->g.account ? 0 : check_account(a, platform->account);
}

static const char *cluster_of(const struct apps *a, const struct plan__app *app)
{
    return plan__platform(a->s, app->platform)->account->cluster_id;
}

/* Apps of one stream talk through the brokers of their accounts: those have to be the same. */
static int check_binders(struct apps *a)
{
    struct plan__wanted *wanted = a->g.wanted;
    const struct plan__app *known = NULL, *unsaid = NULL;
    bool several = false;

    for (size_t i = 0; i < a->dsl->app_count; i++) {
        const struct plan__app *app = &wanted->apps[i];
        const char *id = cluster_of(a, app);

        several |= strcmp(app->platform, wanted->apps[0].platform) != 0;
        if (id == NULL) {
            unsaid = unsaid ? unsaid : app;
        } else if (known == NULL) {
            known = app;
        } else if (strcmp(id, cluster_of(a, known)) != 0) {
            return plan__refuse(
                &a->g, "BinderMismatch",
                "apps %s and %s could not talk to each other: PlatformAccount %s reaches the "
                "brokers %s (binder.clusterId), PlatformAccount %s the brokers %s; choose accounts "
                "with the same brokers",
                known->label, app->label, known->platform, cluster_of(a, known), app->platform, id);
        }
    }
    if (several && unsaid != NULL) {
        wanted->unverified = ps_arena_printf(
            a->g.arena,
            "PlatformAccount %s does not say which brokers it reaches (binder.clusterId): whether "
            "the apps of this stream can talk to each other is not known",
            unsaid->platform);
    }
    return 0;
}

/* ---- all together --------------------------------------------------------------------------- */

static int app_of(struct apps *a, size_t i, struct plan__app *app)
{
    const struct dsl_app *from = &a->dsl->apps[i];

    app->index = i;
    app->label = from->label;
    app->name = from->name;
    app->type = dsl_app_type_name(dsl_stream_app_type(a->dsl, i));
    if (use_account(a, app) != 0 || plan__image_of(&a->g, app) != 0)
        return PS_EINVAL;
    a->over[i] = plan__copy_list(a->g.arena, &a->g.account->application_properties);
    add_app_keys(a, "*", &a->over[i]);
    add_app_keys(a, app->label, &a->over[i]);
    return plan__settings_of(&a->g, app->label, &app->settings);
}

static int finish_app(struct apps *a, size_t i, struct plan__app *app)
{
    properties_of(a, i, app);
    if (port_of(&a->g, app) != 0)
        return PS_EINVAL;
    return plan__check_entry_point(&a->g, app, NULL, 0);
}

static const char *masked_definition(struct ps_arena *arena, struct dsl_stream *dsl)
{
    for (size_t i = 0; i < dsl->app_count; i++) {
        for (size_t k = 0; k < dsl->apps[i].option_count; k++) {
            if (model_is_secret_key(dsl->apps[i].options[k].name))
                dsl->apps[i].options[k].value = "******";
        }
    }
    return dsl_stream_print(arena, dsl);
}

/* The definition's part of the source: labels. */
static void note_labels(struct apps *a)
{
    const char **labels = ps_arena_array(a->g.arena, a->dsl->app_count, sizeof(*labels));

    for (size_t i = 0; i < a->dsl->app_count; i++)
        labels[i] = a->dsl->apps[i].label;
    a->g.source.labels = labels;
    a->g.source.label_count = a->dsl->app_count;
}

static int gather(struct apps *a)
{
    struct dsl_error bad;
    struct plan__wanted *wanted = a->g.wanted;
    struct dsl_stream *dsl = dsl_stream_parse(a->g.arena, ps_str(a->stream->stream_name),
                                              ps_str(a->stream->definition), &bad);

    if (dsl == NULL)
        return plan__refuse(&a->g, "DSLSyntaxError", "spec.definition: %s", bad.text);
    a->dsl = dsl;
    note_labels(a);
    if (plan__check_keys(&a->g) != 0)
        return PS_EINVAL;
    wanted->apps = ps_arena_array(a->g.arena, dsl->app_count, sizeof(*wanted->apps));
    a->over = ps_arena_array(a->g.arena, dsl->app_count, sizeof(*a->over));
    for (size_t i = 0; i < dsl->app_count; i++) {
        if (app_of(a, i, &wanted->apps[i]) != 0)
            return PS_EINVAL;
    }
    if (check_binders(a) != 0)
        return PS_EINVAL;
    partition(a); /* what an app gets hangs on its neighbours */
    for (size_t i = 0; i < dsl->app_count; i++) {
        if (finish_app(a, i, &wanted->apps[i]) != 0)
            return PS_EINVAL;
    }
    wanted->count = dsl->app_count;
    wanted->definition = masked_definition(a->g.arena, dsl);
    return 0;
}

void plan__apps(struct ps_arena *arena, const struct model_stream *stream,
                const struct plan_snapshot *s, struct plan__wanted *wanted)
{
    struct apps a = {.g = {.source = {.scope = PLAN__STREAMS,
                                      .namespace = stream->namespace,
                                      .properties = &stream->properties,
                                      .apps = stream->apps,
                                      .app_count = stream->app_count},
                           .registry = s->registry},
                     .s = s,
                     .stream = stream};

    plan__gather_init(&a.g, arena, wanted);
    if (gather(&a) != 0)
        wanted->count = 0;
    plan__gather_fini(&a.g);
}
