/* SPDX-License-Identifier: Apache-2.0 */
/* What the apps of streams and tasks are gathered with: keys, images, warnings. */
#include "plan/gather.h"

#include <string.h>

void plan__gather_init(struct plan__gather *g, struct ps_arena *arena, struct plan__wanted *wanted)
{
    *wanted = (struct plan__wanted){0};
    g->arena = arena;
    g->wanted = wanted;
    ps_buf_init(&g->warnings,
                PLAN__WARNINGS_MAX * 2); /* a warning is shorter than the half: keys are */
}

void plan__gather_fini(struct plan__gather *g)
{
    if (g->warnings.n > 0) {
        g->wanted->warnings = ps_arena_printf(g->arena, "%s%s", ps_buf_text(&g->warnings),
                                              g->more_warnings ? "; and more" : "");
    }
    ps_buf_fini(&g->warnings);
}

struct model_properties plan__copy_list(struct ps_arena *arena, const struct model_properties *list)
{
    struct model_properties copy = {0};

    plan__put_all(arena, &copy, list);
    return copy;
}

void plan__put_all(struct ps_arena *arena, struct model_properties *out,
                   const struct model_properties *from)
{
    for (size_t i = 0; i < from->count; i++)
        model_properties_put(arena, out, from->items[i].key, from->items[i].value);
}

void plan__fill_gaps(struct ps_arena *arena, struct model_properties *out,
                     const struct model_property *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (model_properties_get(out, from[i].key) == NULL)
            model_properties_put(arena, out, from[i].key, from[i].value);
    }
}

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

static bool has_label(const struct plan__source *source, const char *label)
{
    for (size_t i = 0; i < source->label_count; i++) {
        if (strcmp(source->labels[i], label) == 0)
            return true;
    }
    return false;
}

static bool has_target(const struct plan__source *source, const char *target)
{
    return strcmp(target, "*") == 0 || ps_streq(source->alias, target) || has_label(source, target);
}

static void label_list(const struct plan__source *source, struct ps_buf *out)
{
    for (size_t i = 0; i < source->label_count; i++)
        ps_buf_printf(out, "%s%s", i ? ", " : "", source->labels[i]);
}

const struct model_app *plan__overlay(const struct plan__source *source, const char *label)
{
    for (size_t i = 0; i < source->app_count; i++) {
        if (strcmp(source->apps[i].name, label) == 0)
            return &source->apps[i];
    }
    return NULL;
}

struct model_properties plan__app_keys(struct plan__gather *g, const char *target)
{
    const struct model_properties *list = g->source.properties;
    struct model_properties out = {0};

    for (size_t i = 0; i < list->count; i++) {
        const char *of, *rest;

        if (plan__split_key(g->arena, list->items[i].key, "app.", &of, &rest) && *rest != '\0' &&
            strcmp(of, target) == 0)
            model_properties_put(g->arena, &out, rest, list->items[i].value);
    }
    return out;
}

static void check_version(struct plan__gather *g, const char *key, const char *label,
                          const char *rest)
{
    const bool alias = !has_label(&g->source, label) && strcmp(label, "*") != 0;
    const char *of = alias ? g->source.labels[0] : label;
    const struct model_app *over = plan__overlay(&g->source, of);

    if (strcmp(label, "*") == 0) {
        plan__warn(g, "%s is ignored: a version is chosen for one app, not for all", key);
    } else if (*rest != '\0') {
        plan__warn(g, "%s is ignored: nothing may follow the app's name", key);
    } else if (over != NULL && over->image != NULL) {
        plan__warn(g, "%s is ignored: spec.apps names the image of %s", key, of);
    }
}

/* Keys that SCDF's own commands take beside the three areas. */
static bool is_platform_key(const struct plan__gather *g, const char *key)
{
    return ps_str_starts(ps_str(key), g->source.scope == PLAN__TASKS
                                          ? "spring.cloud.dataflow.task.platformName"
                                          : "spring.cloud.dataflow.skipper.");
}

/* A key of one of the three areas. */
static void check_target(struct plan__gather *g, const char *key, const char *target,
                         const char *rest, const char *labels)
{
    if (!has_target(&g->source, target)) {
        plan__warn(g, "%s is ignored: the definition has no app '%s' (it has %s)", key, target,
                   labels);
    } else if (ps_str_starts(ps_str(key), "version.")) {
        check_version(g, key, target, rest);
    } else if (*rest == '\0') {
        plan__warn(g, "%s is ignored: nothing follows the app's name", key);
    } else if (g->source.scope == PLAN__TASKS && strcmp(target, "*") == 0 &&
               ps_str_starts(ps_str(key), "app.")) {
        plan__warn(g,
                   "%s is ignored: in a task, as in SCDF, * is for deployer keys only; write "
                   "app.%s.%s",
                   key, g->source.labels[0], rest);
    }
}

static int check_overlays(struct plan__gather *g, const char *labels)
{
    for (size_t i = 0; i < g->source.app_count; i++) {
        if (!has_label(&g->source, g->source.apps[i].name)) {
            return plan__refuse(g, "InvalidSpec",
                                "spec.apps[%zu].name: the definition has no app '%s' (it has %s)",
                                i, g->source.apps[i].name, labels);
        }
    }
    return 0;
}

int plan__check_keys(struct plan__gather *g)
{
    const struct model_properties *list = g->source.properties;
    PS_AUTO_BUF(labels, 1024);

    label_list(&g->source, &labels);
    for (size_t i = 0; i < list->count; i++) {
        const char *key = list->items[i].key, *target, *rest;

        if (is_platform_key(g, key)) {
            plan__warn(g, "%s is ignored: set spec.platform", key);
            continue;
        }
        if (!plan__split_key(g->arena, key, "app.", &target, &rest) &&
            !plan__split_key(g->arena, key, "deployer.", &target, &rest) &&
            !plan__split_key(g->arena, key, "version.", &target, &rest)) {
            return plan__refuse(
                g, "InvalidProperty",
                "spec.properties: Only deployment property keys starting with 'app.' or "
                "'deployer.' or 'version.' "
                "allowed, got '%s'",
                key);
        }
        check_target(g, key, target, rest, ps_buf_text(&labels));
    }
    return check_overlays(g, ps_buf_text(&labels));
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
        app->type, app->name, g->source.namespace);
}

/* "version.<label>", for a task also by the app's name. */
static const char *version_of(struct plan__gather *g, const char *label)
{
    const char *const names[] = {label, g->source.alias};
    const char *version = NULL;

    for (size_t i = 0; version == NULL && i < PS_ARRAY_LEN(names); i++) {
        if (names[i] != NULL) {
            version = model_properties_get(g->source.properties,
                                           ps_arena_printf(g->arena, "version.%s", names[i]));
        }
    }
    return version;
}

int plan__image_of(struct plan__gather *g, struct plan__app *app)
{
    const struct model_app *over = plan__overlay(&g->source, app->label);
    const char *version = version_of(g, app->label);

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

/* ---- entry points ---------------------------------------------------------------------------- */

/* Kubernetes' rule for names of variables. */
static bool is_variable(struct ps_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];
        const bool digit = c >= '0' && c <= '9';

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '.' &&
            c != '_' && !(digit && i > 0))
            return false;
    }
    return name.n > 0;
}

static int check_shell(struct plan__gather *g, const struct plan__app *app,
                       const char *const *arguments, size_t count)
{
    for (size_t i = 0; i < app->properties.count; i++) {
        if (!is_variable(ps_str(app->properties.items[i].key))) {
            return plan__refuse(g, "InvalidProperty",
                                "app %s: with entryPointStyle shell properties become environment "
                                "variables, and \"%s\" can be none; use exec or boot",
                                app->label, app->properties.items[i].key);
        }
    }
    for (size_t i = 0; i < count; i++) { /* not repeated: it may be a secret */
        struct ps_str text = ps_str(arguments[i]);

        if (ps_str_starts(text, "--"))
            text = ps_str_skip(text, 2);
        const ptrdiff_t equals = ps_str_index(text, '=');

        if (equals < 0 || !is_variable(ps_str_head(text, (size_t)equals))) {
            return plan__refuse(g, "InvalidProperty",
                                "spec.arguments[%zu]: with entryPointStyle shell arguments become "
                                "environment variables: expected --name=value; or use exec or boot",
                                i);
        }
    }
    return 0;
}

int plan__check_entry_point(struct plan__gather *g, const struct plan__app *app,
                            const char *const *arguments, size_t count)
{
    const char *style = app->settings.entry_point;

    if (strcmp(style, "shell") == 0)
        return check_shell(g, app, arguments, count);
    if (strcmp(style, "boot") == 0 &&
        model_properties_get(&app->settings.env, "SPRING_APPLICATION_JSON") != NULL) {
        return plan__refuse(g, "InvalidProperty",
                            "app %s: with entryPointStyle boot the variable "
                            "SPRING_APPLICATION_JSON holds the properties; it cannot be given",
                            app->label);
    }
    return 0;
}
