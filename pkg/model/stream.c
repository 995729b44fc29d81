/* SPDX-License-Identifier: Apache-2.0 */
/* StreamDeployment: the spec with every field's path in the errors. The CRD's schema has refused
 * most of what is refused here; an object that was stored under another schema has passed none of
 * it. */
#include "model/model.h"

#include <string.h>

#define APPS_MAX        ((size_t)100)
#define ENV_MAX         ((size_t)500)
#define REPLICAS_MAX    10000
#define HISTORY_DEFAULT 10
#define HISTORY_MAX     100

struct reader {
    struct ps_arena *arena;
    struct ps_err *err;
};

static int read_text(const struct reader *r, const struct json_t *parent, const char *path,
                     const char *key, const char **out)
{
    const struct json_t *value = js_get(parent, key);

    if (value == NULL)
        return 0;
    if (js_type(value) != JS_STRING) {
        return ps_fail(r->err, PS_EINVAL, "%s.%s: expected a string, found %s", path, key,
                       js_type_name(value));
    }
    *out = js_str(value);
    return 0;
}

static int read_integer(const struct reader *r, const struct json_t *parent, const char *path,
                        const char *key, int64_t max, int64_t *out)
{
    const struct json_t *value = js_get(parent, key);

    if (value == NULL)
        return 0;
    *out = js_int(value, -1);
    if (*out < 0 || *out > max) {
        return ps_fail(r->err, PS_EINVAL, "%s.%s: expected an integer from 0 to %lld", path, key,
                       (long long)max);
    }
    return 0;
}

static int read_map(const struct reader *r, const struct json_t *parent, const char *path,
                    const char *key, struct model_properties *out)
{
    const struct json_t *value = js_get(parent, key);
    void *at = NULL;
    const char *name;
    struct json_t *member;

    if (value != NULL && js_type(value) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "%s.%s: expected an object, found %s", path, key,
                       js_type_name(value));
    }
    while (js_next(value, &at, &name, &member)) {
        if (out->count >= MODEL_PROPERTIES_MAX) {
            return ps_fail(r->err, PS_ELIMIT, "%s.%s: more than %d entries", path, key,
                           MODEL_PROPERTIES_MAX);
        }
        if (js_type(member) != JS_STRING && js_type(member) != JS_INT) {
            return ps_fail(r->err, PS_EINVAL,
                           "%s.%s[%s]: expected a string or an integer (quote it), found %s", path,
                           key, name, js_type_name(member));
        }
        const char *text = js_str(member);

        model_properties_put(
            r->arena, out, name,
            text ? text : ps_arena_printf(r->arena, "%lld", (long long)js_int(member, 0)));
    }
    model_properties_sort(out);
    return 0;
}

static int read_env(const struct reader *r, const struct json_t *app, const char *path,
                    struct model_properties *out)
{
    const struct json_t *list = js_get(app, "env");

    if (js_len(list) > ENV_MAX)
        return ps_fail(r->err, PS_ELIMIT, "%s.env: more than %zu entries", path, ENV_MAX);
    for (size_t i = 0; i < js_len(list); i++) {
        const char *name = js_path_str(js_at(list, i), "name");
        const char *value = js_path_str(js_at(list, i), "value");

        if (name == NULL || *name == '\0')
            return ps_fail(r->err, PS_EINVAL, "%s.env[%zu].name: expected a name", path, i);
        model_properties_put(r->arena, out, name, value ? value : "");
    }
    return 0;
}

static int read_app(const struct reader *r, const struct json_t *from, size_t i,
                    struct model_app *app)
{
    const char *path = ps_arena_printf(r->arena, "spec.apps[%zu]", i);
    const struct json_t *resources = js_get(from, "resources");
    const char *resources_path = ps_arena_printf(r->arena, "%s.resources", path);

    app->replicas = -1;
    if (read_text(r, from, path, "name", &app->name) != 0 ||
        read_text(r, from, path, "image", &app->image) != 0 ||
        read_integer(r, from, path, "replicas", REPLICAS_MAX, &app->replicas) != 0 ||
        read_map(r, resources, resources_path, "limits", &app->limits) != 0 ||
        read_map(r, resources, resources_path, "requests", &app->requests) != 0 ||
        read_env(r, from, path, &app->env) != 0)
        return r->err ? r->err->code : PS_EINVAL;
    if (app->name == NULL) {
        return ps_fail(r->err, PS_EINVAL, "%s.name: expected the label of an app in the definition",
                       path);
    }
    return 0;
}

static int read_apps(const struct reader *r, const struct json_t *spec, struct model_stream *out)
{
    const struct json_t *list = js_get(spec, "apps");

    if (js_len(list) > APPS_MAX)
        return ps_fail(r->err, PS_ELIMIT, "spec.apps: more than %zu entries", APPS_MAX);
    out->apps = ps_arena_array(r->arena, js_len(list), sizeof(*out->apps));
    for (out->app_count = 0; out->app_count < js_len(list); out->app_count++) {
        const int rc =
            read_app(r, js_at(list, out->app_count), out->app_count, &out->apps[out->app_count]);

        if (rc != 0)
            return rc;
    }
    return 0;
}

static void read_metadata(struct model_stream *out, const struct json_t *object)
{
    const struct json_t *finalizers = js_path(object, "metadata.finalizers");

    out->object = object;
    out->spec = js_get(object, "spec");
    out->status = js_get(object, "status");
    out->namespace = js_path_str(object, "metadata.namespace");
    out->name = js_path_str(object, "metadata.name");
    out->uid = js_path_str(object, "metadata.uid");
    out->rv = js_path_str(object, "metadata.resourceVersion");
    out->generation = js_path_int(object, "metadata.generation", 0);
    out->deleting = js_path_str(object, "metadata.deletionTimestamp") != NULL;
    out->redeploy =
        js_str(js_get(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_REDEPLOY));
    out->history_limit = HISTORY_DEFAULT;
    if (!ps_time_parse(ps_str(js_path_str(object, "metadata.creationTimestamp")), &out->created_ms))
        out->created_ms = 0;
    for (size_t i = 0; js_type(finalizers) == JS_ARRAY && i < js_len(finalizers); i++)
        out->has_finalizer |= ps_streq(js_str(js_at(finalizers, i)), MODEL_FINALIZER);
}

/* SCDF's rule for names of streams on Kubernetes. */
static bool is_stream_name(const char *name)
{
    const struct ps_str s = ps_str(name);

    if (s.n == 0 || s.n > MODEL_LABEL_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';

        if (!(letter || (i > 0 && digit) || (i > 0 && i + 1 < s.n && c == '-')))
            return false;
    }
    return true;
}

int model_stream_read(struct ps_arena *arena, const struct json_t *object, struct model_stream *out,
                      struct ps_err *err)
{
    const struct reader r = {arena, err};

    *out = (struct model_stream){0};
    read_metadata(out, object);
    out->stream_name = out->name;
    out->platform = "default";
    if (js_type(out->spec) != JS_OBJECT) {
        return ps_fail(err, PS_EINVAL, "spec: expected an object, found %s",
                       js_type_name(out->spec));
    }
    out->suspend = js_path_bool(out->spec, "suspend", false);
    if (read_text(&r, out->spec, "spec", "streamName", &out->stream_name) != 0 ||
        read_text(&r, out->spec, "spec", "definition", &out->definition) != 0 ||
        read_text(&r, out->spec, "spec", "platform", &out->platform) != 0 ||
        read_integer(&r, out->spec, "spec", "revisionHistoryLimit", HISTORY_MAX,
                     &out->history_limit) != 0 ||
        read_map(&r, out->spec, "spec", "properties", &out->properties) != 0 ||
        read_apps(&r, out->spec, out) != 0)
        return err ? err->code : PS_EINVAL;
    if (out->definition == NULL) {
        return ps_fail(err, PS_EINVAL,
                       "spec.definition: expected a stream definition such as \"time | log\"");
    }
    if (!is_stream_name(out->stream_name)) {
        return ps_fail(
            err, PS_EINVAL,
            "Stream name %s is invalid. Stream name must consist of alphanumeric characters or "
            "'-', start with "
            "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name', or "
            "'abc-123'); at most %d characters. Set spec.streamName.",
            out->stream_name, MODEL_LABEL_MAX);
    }
    return 0;
}
