/* SPDX-License-Identifier: Apache-2.0 */
/* The container of an app, in a Deployment or a Job: arguments, variables, resources, probes. */
#include "plan/internal.h"

#include <string.h>

/* ---- entry points ---------------------------------------------------------------------------- */

static bool has_style(const struct plan__container *c, const char *style)
{
    return strcmp(c->app->settings.entry_point, style) == 0;
}

/* "--k=v" and "--k": k; else nothing. */
static struct ps_str argument_key(const char *argument)
{
    struct ps_str text = ps_str(argument);

    if (!ps_str_starts(text, "--"))
        return PS_STR("");
    text = ps_str_skip(text, 2);
    const ptrdiff_t equals = ps_str_index(text, '=');

    return equals < 0 ? text : ps_str_head(text, (size_t)equals);
}

/* Spring would join the values of an option that stands twice. */
static bool is_argument(const struct plan__container *c, const char *key)
{
    for (size_t i = 0; i < c->argument_count; i++) {
        if (ps_str_is(argument_key(c->arguments[i]), key))
            return true;
    }
    return false;
}

static const char *plain_value(const char *value)
{
    return strcmp(value, "\\\"\\\"") == 0 ? "\"\"" : value; /* the definition's --empty='' */
}

/* The keys' order is the sorted one: SCDF's was a hash map's, which nobody can rely on. */
static void add_options(const struct plan__container *c, struct json_t *args)
{
    const struct model_properties *list = &c->app->properties;

    for (size_t i = 0; i < list->count; i++) {
        const char *key = list->items[i].key, *value = list->items[i].value;

        if (ps_str_trim(ps_str(value)).n == 0)
            continue; /* SCDF's container factory leaves blank values out */
        if (!is_argument(c, key))
            js_push(args, js_string(ps_arena_printf(c->arena, "--%s=%s", key, plain_value(value))));
    }
}

static struct json_t *arguments(const struct plan__container *c)
{
    struct json_t *args = js_array();

    if (has_style(c, "exec"))
        add_options(c, args);
    for (size_t i = 0; i < c->argument_count; i++)
        js_push(args, js_string(c->arguments[i]));
    return args;
}

/* "my.key-x" is MY_KEY-X, as in SCDF: the dash stays. */
static const char *variable_name(struct ps_arena *arena, struct ps_str key)
{
    char *name = ps_arena_str(arena, key);

    for (char *c = name; *c != '\0'; c++) {
        if (*c == '.') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
    return name;
}

/* Properties over variables of that name, arguments over both. */
static void add_shell_variables(const struct plan__container *c, struct model_properties *env)
{
    const struct model_properties *list = &c->app->properties;

    for (size_t i = 0; i < list->count; i++) {
        model_properties_put(c->arena, env, variable_name(c->arena, ps_str(list->items[i].key)),
                             plain_value(list->items[i].value));
    }
    for (size_t i = 0; i < c->argument_count; i++) {
        struct ps_str text = ps_str(c->arguments[i]);

        if (ps_str_starts(text, "--"))
            text = ps_str_skip(text, 2);
        const ptrdiff_t equals = ps_str_index(text, '=');

        if (equals > 0) { /* others were refused */
            model_properties_put(c->arena, env,
                                 variable_name(c->arena, ps_str_head(text, (size_t)equals)),
                                 ps_arena_str(c->arena, ps_str_skip(text, (size_t)equals + 1)));
        }
    }
}

static const char *properties_as_json(const struct plan__container *c)
{
    const struct model_properties *list = &c->app->properties;
    struct json_t *json PS_AUTO_JS = js_object();

    for (size_t i = 0; i < list->count; i++)
        js_set_str(json, list->items[i].key, plain_value(list->items[i].value));
    PS_AUTO_FREE char *text = js_text(json);

    return ps_arena_dup(c->arena, text);
}

/* ---- environment ----------------------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    return strcmp(name, "SPRING_CLOUD_APPLICATION_GUID") == 0 ||
           strcmp(name, "SPRING_CLOUD_APPLICATION_GROUP") == 0;
}

static struct json_t *variable(const char *name, const char *value)
{
    struct json_t *json = js_object();

    js_set_str(json, "name", name);
    js_set_str(json, "value", value);
    return json;
}

static struct json_t *unique_id(void)
{
    struct json_t *guid = js_object(), *field = js_object();

    js_set_str(field, "apiVersion", "v1");
    js_set_str(field, "fieldPath", "metadata.uid");
    js_set_str(guid, "name", "SPRING_CLOUD_APPLICATION_GUID");
    js_set(js_child(guid, "valueFrom"), "fieldRef", field);
    return guid;
}

static struct json_t *environment(const struct plan__container *c)
{
    struct model_properties list = {0};
    struct json_t *env = js_array();

    for (size_t i = 0; i < c->app->settings.env.count; i++) {
        const struct model_property *p = &c->app->settings.env.items[i];

        model_properties_put(c->arena, &list, p->key, p->value);
    }
    if (has_style(c, "shell"))
        add_shell_variables(c, &list);
    if (has_style(c, "boot"))
        model_properties_put(c->arena, &list, "SPRING_APPLICATION_JSON", properties_as_json(c));
    for (size_t i = 0; i < list.count; i++) {
        if (!is_ours(list.items[i].key))
            js_push(env, variable(list.items[i].key, list.items[i].value));
    }
    js_push(env, unique_id());
    if (c->group != NULL)
        js_push(env, variable("SPRING_CLOUD_APPLICATION_GROUP", c->group));
    return env;
}

/* ---- ports and probes ------------------------------------------------------------------------ */

static struct json_t *probe(const struct plan__probe *p, int64_t app_port)
{
    struct json_t *json = js_object(), *get = js_child(json, "httpGet");

    js_set_str(get, "path", p->path);
    js_set_int(get, "port", p->port >= 0 ? p->port : app_port);
    js_set_str(get, "scheme", p->scheme);
    js_set_int(json, "initialDelaySeconds", p->delay);
    js_set_int(json, "periodSeconds", p->period);
    js_set_int(json, "timeoutSeconds", p->timeout);
    js_set_int(json, "failureThreshold", p->failure);
    js_set_int(json, "successThreshold", p->success);
    return json;
}

static void add_port(struct json_t *ports, int64_t port)
{
    for (size_t i = 0; i < js_len(ports); i++) {
        if (js_path_int(js_at(ports, i), "containerPort", 0) == port)
            return;
    }
    struct json_t *json = js_object();

    js_set_int(json, "containerPort", port);
    js_set_str(json, "protocol", "TCP");
    js_push(ports, json);
}

static struct json_t *container_ports(const struct plan__container *c)
{
    struct json_t *ports = js_array();

    add_port(ports, c->app->port);
    for (size_t i = 0; i < PLAN__PROBES; i++) {
        if (c->app->settings.probes[i].port >= 0)
            add_port(ports, c->app->settings.probes[i].port);
    }
    return ports;
}

static void add_probes(const struct plan__container *c, struct json_t *json)
{
    const struct plan__probe *probes = c->app->settings.probes;

    js_set(json, "livenessProbe", probe(&probes[PLAN__LIVENESS], c->app->port));
    js_set(json, "readinessProbe", probe(&probes[PLAN__READINESS], c->app->port));
    js_set(json, "startupProbe", probe(&probes[PLAN__STARTUP], c->app->port));
}

/* ---- all together ---------------------------------------------------------------------------- */

static void add_resource(struct json_t *resources, const char *what, const char *key,
                         const char *value)
{
    if (value != NULL)
        js_set_str(js_child(resources, what), key, value);
}

struct json_t *plan__container(const struct plan__container *c)
{
    const struct plan__settings *settings = &c->app->settings;
    struct json_t *json = js_object(), *resources = js_child(json, "resources");

    js_set_str(json, "name", c->name);
    js_set_str(json, "image", c->image);
    js_set_str(json, "imagePullPolicy", settings->pull_policy);
    if (!has_style(c, "shell"))
        js_set(json, "args", arguments(c));
    js_set(json, "env", environment(c));
    if (c->serves)
        js_set(json, "ports", container_ports(c));
    add_resource(resources, "limits", "cpu", settings->limits_cpu);
    add_resource(resources, "limits", "memory", settings->limits_memory);
    add_resource(resources, "requests", "cpu", settings->requests_cpu);
    add_resource(resources, "requests", "memory", settings->requests_memory);
    if (c->serves)
        add_probes(c, json);
    if (c->indexed)
        js_set(json, "volumeMounts", plan__index_mounts());
    return json;
}

static size_t list_size(const struct model_properties *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->count; i++)
        n += strlen(list->items[i].key) + strlen(list->items[i].value);
    return n;
}

size_t plan__text_size(const struct plan__app *app)
{
    return list_size(&app->properties) + list_size(&app->settings.env);
}

void plan__set_all(struct json_t *object, const struct model_properties *list)
{
    for (size_t i = 0; i < list->count; i++)
        js_set_str(object, list->items[i].key, list->items[i].value);
}
