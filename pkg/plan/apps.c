/* SPDX-License-Identifier: Apache-2.0 */
/* From definition, properties, registry and account to the apps that are wanted, in SCDF's order of
 * precedence. */
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

/* ---- keys ------------------------------------------------------------------------------------ */

/* "deployer.predict.count": area, label (or "*") and the rest; false when it has not that form. */
bool plan__split_key(struct ps_arena *arena, const char *key, const char *area, const char **label,
                     const char **rest)
{
    struct ps_str text = ps_str(key), part;

    if (!ps_str_starts(text, area))
        return false;
    text = ps_str_skip(text, strlen(area));
    const bool more = ps_str_split(&text, '.', &part) && part.n > 0;

    *label = ps_arena_str(arena, part);
    *rest = text.p ? ps_arena_str(arena, text) : "";
    return more;
}

static bool has_label(const struct dsl_stream *dsl, const char *label)
{
    for (size_t i = 0; i < dsl->app_count; i++) {
        if (strcmp(dsl->apps[i].label, label) == 0)
            return true;
    }
    return strcmp(label, "*") == 0;
}

void plan__warn(struct plan__gather *g, const char *fmt, ...)
{
    va_list ap;

    if (g->warnings.n > PLAN__WARNINGS_MAX) { /* enough to read */
        g->more_warnings = true;
        return;
    }
    if (g->warnings.n > 0)
        ps_buf_str(&g->warnings, "; ");
    va_start(ap, fmt);
    ps_buf_vprintf(&g->warnings, fmt, ap);
    va_end(ap);
}

int plan__refuse(struct plan__gather *g, const char *reason, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g->wanted->message = ps_arena_vprintf(g->arena, fmt, ap);
    va_end(ap);
    g->wanted->reason = reason;
    return PS_EINVAL;
}

static void label_list(const struct dsl_stream *dsl, struct ps_buf *out)
{
    for (size_t i = 0; i < dsl->app_count; i++)
        ps_buf_printf(out, "%s%s", i ? ", " : "", dsl->apps[i].label);
}

static void check_version(struct plan__gather *g, const char *key, const char *label,
                          const char *rest)
{
    const struct model_app *over = plan__overlay(g->stream, label);

    if (strcmp(label, "*") == 0) {
        plan__warn(g, "%s is ignored: a version is chosen for one app, not for all", key);
    } else if (*rest != '\0') {
        plan__warn(g, "%s is ignored: nothing may follow the app's name", key);
    } else if (over != NULL && over->image != NULL) {
        plan__warn(g, "%s is ignored: spec.apps names the image of %s", key, label);
    }
}

/* Every key must have a meaning or be told of. */
static int check_keys(struct plan__gather *g)
{
    const struct model_properties *list = &g->stream->properties;
    PS_AUTO_BUF(labels, 1024);

    label_list(g->dsl, &labels);
    for (size_t i = 0; i < list->count; i++) {
        const char *key = list->items[i].key, *label, *rest;

        if (ps_str_starts(ps_str(key), "spring.cloud.dataflow.skipper.")) {
            plan__warn(g, "%s is ignored: set spec.platform", key);
            continue;
        }
        if (!plan__split_key(g->arena, key, "app.", &label, &rest) &&
            !plan__split_key(g->arena, key, "deployer.", &label, &rest) &&
            !plan__split_key(g->arena, key, "version.", &label, &rest)) {
            return plan__refuse(
                g, "InvalidProperty",
                "spec.properties: Only deployment property keys starting with 'app.' or "
                "'deployer.' or 'version.' "
                "allowed, got '%s'",
                key);
        }
        if (!has_label(g->dsl, label)) {
            plan__warn(g, "%s is ignored: the definition has no app '%s' (it has %s)", key, label,
                       ps_buf_text(&labels));
        } else if (ps_str_starts(ps_str(key), "version.")) {
            check_version(g, key, label, rest);
        } else if (*rest == '\0') {
            plan__warn(g, "%s is ignored: nothing follows the app's name", key);
        }
    }
    for (size_t i = 0; i < g->stream->app_count; i++) {
        if (strcmp(g->stream->apps[i].name, "*") == 0 ||
            !has_label(g->dsl, g->stream->apps[i].name)) {
            return plan__refuse(g, "InvalidSpec",
                                "spec.apps[%zu].name: the definition has no app '%s' (it has %s)",
                                i, g->stream->apps[i].name, ps_buf_text(&labels));
        }
    }
    return 0;
}

/* ---- what the app sees ---------------------------------------------------------------------- */

static const char *expand_binding(struct ps_arena *arena, const char *key)
{
    if (ps_str_starts(ps_str(key), "producer"))
        return ps_arena_printf(arena, "spring.cloud.stream.bindings.output.%s", key);
    if (ps_str_starts(ps_str(key), "consumer"))
        return ps_arena_printf(arena, "spring.cloud.stream.bindings.input.%s", key);
    return key;
}

static void add_app_keys(struct plan__gather *g, const char *label, struct model_properties *over)
{
    const struct model_properties *list = &g->stream->properties;

    for (size_t i = 0; i < list->count; i++) {
        const char *target, *rest;

        if (plan__split_key(g->arena, list->items[i].key, "app.", &target, &rest) &&
            *rest != '\0' && strcmp(target, label) == 0) {
            model_properties_put(g->arena, over, expand_binding(g->arena, rest),
                                 list->items[i].value);
        }
    }
}

/* Partitioned streams need ordered instances, which this version does not make. */
static int check_partitions(struct plan__gather *g, const struct plan__app *app,
                            const struct model_properties *over)
{
    static const char *const keys[] = {
        "spring.cloud.stream.bindings.output.producer.partitionKeyExpression",
        "spring.cloud.stream.bindings.output.producer.partitionKeyExtractorClass"};

    const char *partitioned =
        model_properties_get(over, "spring.cloud.stream.bindings.input.consumer.partitioned");

    if (app->index > 0 && !g->dsl->unbound && partitioned != NULL &&
        ps_str_ieq(ps_str(partitioned), PS_STR("true"))) {
        return plan__refuse(
            g, "NotSupportedYet",
            "app %s: partitioned streams are not supported yet (consumer.partitioned)", app->label);
    }
    if (app->index + 1 == g->dsl->app_count)
        return 0; /* nobody in this stream reads what it writes */
    for (size_t i = 0; i < PS_ARRAY_LEN(keys) && !g->dsl->unbound; i++) {
        if (model_properties_get(over, keys[i]) != NULL) {
            return plan__refuse(
                g, "NotSupportedYet",
                "app %s: partitioned streams are not supported yet (%s); remove the "
                "property to deploy "
                "without partitions",
                app->label, keys[i] + strlen("spring.cloud.stream.bindings.output."));
        }
    }
    return 0;
}

static int properties_of(struct plan__gather *g, size_t i, struct plan__app *app)
{
    struct model_properties over = plan__copy_list(g->arena, &g->account->application_properties);
    size_t count;
    const struct dsl_option *options = dsl_stream_properties(g->arena, g->dsl, i, &count);

    add_app_keys(g, "*", &over);
    add_app_keys(g, app->label, &over);
    if (check_partitions(g, app, &over) != 0)
        return PS_EINVAL;
    if (app->settings.count >= 0) {
        model_properties_put(g->arena, &over, "spring.cloud.stream.instanceCount",
                             ps_arena_printf(g->arena, "%lld", (long long)app->settings.count));
    }
    model_properties_put(g->arena, &over, "spring.cloud.dataflow.stream.name",
                         g->stream->stream_name);
    model_properties_put(g->arena, &over, "spring.cloud.dataflow.stream.app.label", app->label);
    model_properties_put(g->arena, &over, "spring.cloud.dataflow.stream.app.type", app->type);
    for (size_t k = 0; k < PS_ARRAY_LEN(common); k++) {
        if (model_properties_get(&over, common[k].key) == NULL)
            model_properties_put(g->arena, &over, common[k].key, common[k].value);
    }
    for (size_t k = 0; k < count; k++)
        model_properties_put(g->arena, &app->properties, options[k].name, options[k].value);
    for (size_t k = 0; k < over.count; k++)
        model_properties_put(g->arena, &app->properties, over.items[k].key, over.items[k].value);
    model_properties_sort(&app->properties);
    return 0;
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

/* ---- images --------------------------------------------------------------------------------- */

/* "host:5000/ns/repo:tag": the tag, or the digest behind '@', or "latest". */
static const char *image_version(struct ps_arena *arena, const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *at = strchr(image, '@');
    const char *colon = strrchr(slash ? slash : image, ':');

    return ps_arena_dup(arena, at ? at + 1 : colon ? colon + 1 : "latest");
}

static int unregistered(struct plan__gather *g, const struct plan__app *app, const char *version)
{
    PS_AUTO_BUF(list, 1024);

    if (version != NULL && model_registry_find(g->registry, app->type, app->name, NULL) != NULL) {
        model_registry_versions(g->registry, app->type, app->name, &list);
        return plan__refuse(g, "AppNotRegistered",
                            "The %s:%s:%s app is not registered! Registered versions: %s",
                            app->name, app->type, version, ps_buf_text(&list));
    }
    model_registry_candidates(g->registry, app->name, &list);
    return plan__refuse(
        g, "AppNotRegistered",
        "Application name '%s' with type '%s' does not exist in the app registry.%s%s%s "
        "Add \"%s.%s=docker:…\" to a "
        "ConfigMap labelled " MODEL_LABEL_REGISTRY
        "=true in namespace %s, or set spec.apps[].image.",
        app->name, app->type, list.n ? " Candidates: " : "", ps_buf_text(&list), list.n ? "." : "",
        app->type, app->name, g->stream->namespace);
}

static int image_of(struct plan__gather *g, struct plan__app *app)
{
    const struct model_app *over = plan__overlay(g->stream, app->label);
    const char *version = model_properties_get(&g->stream->properties,
                                               ps_arena_printf(g->arena, "version.%s", app->label));

    if (over != NULL && over->image != NULL) {
        app->image = over->image;
        app->version = image_version(g->arena, over->image);
        return 0;
    }
    const struct model_registry_entry *entry =
        model_registry_find(g->registry, app->type, app->name, version);

    if (entry == NULL)
        return unregistered(g, app, version);
    if (entry->image == NULL) {
        return plan__refuse(g, "ImageNotUsable",
                            "app %s: the URI of %s.%s (%s, line %zu) is no container image; on "
                            "Kubernetes it has to begin with docker:",
                            app->label, app->type, app->name, entry->source, entry->line);
    }
    app->image = entry->image;
    app->version = entry->version;
    return 0;
}

/* ---- all together --------------------------------------------------------------------------- */

static int app_of(struct plan__gather *g, size_t i, struct plan__app *app)
{
    const struct dsl_app *from = &g->dsl->apps[i];

    app->index = i;
    app->label = from->label;
    app->name = from->name;
    app->type = dsl_app_type_name(dsl_stream_app_type(g->dsl, i));
    if (image_of(g, app) != 0 || plan__settings_of(g, app->label, &app->settings) != 0 ||
        properties_of(g, i, app) != 0)
        return PS_EINVAL;
    return port_of(g, app);
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

static int gather(struct plan__gather *g)
{
    struct dsl_error bad;
    struct dsl_stream *dsl = dsl_stream_parse(g->arena, ps_str(g->stream->stream_name),
                                              ps_str(g->stream->definition), &bad);
    struct ps_err err;

    if (dsl == NULL)
        return plan__refuse(g, "DSLSyntaxError", "spec.definition: %s", bad.text);
    g->dsl = dsl;
    if (plan__account_settings(g->arena, g->account, &g->base, NULL, &err) != 0) {
        return plan__refuse(g, "PlatformInvalid", "PlatformAccount %s: %s", g->account->name,
                            err.message);
    }
    if (check_keys(g) != 0)
        return PS_EINVAL;
    g->wanted->apps = ps_arena_array(g->arena, dsl->app_count, sizeof(*g->wanted->apps));
    for (size_t i = 0; i < dsl->app_count; i++) {
        if (app_of(g, i, &g->wanted->apps[i]) != 0)
            return PS_EINVAL;
    }
    g->wanted->count = dsl->app_count;
    g->wanted->definition = masked_definition(g->arena, dsl);
    return 0;
}

void plan__apps(struct ps_arena *arena, const struct model_stream *stream,
                const struct model_account *account, const struct model_registry *registry,
                struct plan__wanted *wanted)
{
    struct plan__gather g = {.arena = arena,
                             .stream = stream,
                             .account = account,
                             .registry = registry,
                             .wanted = wanted};

    *wanted = (struct plan__wanted){0};
    ps_buf_init(&g.warnings,
                PLAN__WARNINGS_MAX * 2); /* a warning is shorter than the half: keys are */
    if (gather(&g) != 0)
        wanted->count = 0;
    if (g.warnings.n > 0) {
        wanted->warnings = ps_arena_printf(arena, "%s%s", ps_buf_text(&g.warnings),
                                           g.more_warnings ? "; and more" : "");
    }
    ps_buf_fini(&g.warnings);
}
