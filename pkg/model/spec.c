/* SPDX-License-Identifier: Apache-2.0 */
/* What the specs of streams and tasks have in common. The CRD's schema has refused most of what is
 * refused here; an object that was stored under another schema has passed none of it. */
#include "model/internal.h"

#define APPS_MAX     ((size_t)100)
#define ENV_MAX      ((size_t)500)
#define REPLICAS_MAX 10000

/* ---- metadata ------------------------------------------------------------------------------- */

bool model__has_finalizer(const struct json_t *object, const char *finalizer)
{
    const struct json_t *list = js_path(object, "metadata.finalizers");

    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_len(list); i++) {
        if (ps_streq(js_str(js_at(list, i)), finalizer))
            return true;
    }
    return false;
}

int64_t model__created_ms(const struct json_t *object)
{
    int64_t ms;

    return ps_time_parse(ps_str(js_path_str(object, "metadata.creationTimestamp")), &ms) ? ms : 0;
}

struct model__meta model__meta(const struct json_t *object)
{
    return (struct model__meta){
        .namespace = js_path_str(object, "metadata.namespace"),
        .name = js_path_str(object, "metadata.name"),
        .uid = js_path_str(object, "metadata.uid"),
        .rv = js_path_str(object, "metadata.resourceVersion"),
        .generation = js_path_int(object, "metadata.generation", 0),
        .created_ms = model__created_ms(object),
        .deleting = js_path_str(object, "metadata.deletionTimestamp") != NULL,
        .has_finalizer = model__has_finalizer(object, MODEL_FINALIZER),
        .spec = js_get(object, "spec"),
        .status = js_get(object, "status"),
    };
}

/* ---- fields --------------------------------------------------------------------------------- */

int model__text(const struct model__reader *r, const struct json_t *parent, const char *path,
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

int model__bool(const struct model__reader *r, const struct json_t *parent, const char *path,
                const char *key, bool *out)
{
    const struct json_t *value = js_get(parent, key);

    if (value == NULL)
        return 0;
    if (js_type(value) != JS_BOOL) {
        return ps_fail(r->err, PS_EINVAL, "%s.%s: expected true or false, found %s", path, key,
                       js_type_name(value));
    }
    *out = js_is_true(value);
    return 0;
}

int model__integer(const struct model__reader *r, const struct json_t *parent, const char *path,
                   const char *key, struct model__range range, int64_t *out)
{
    const struct json_t *value = js_get(parent, key);

    if (value == NULL)
        return 0;
    if (js_type(value) != JS_INT || js_int(value, 0) < range.min || js_int(value, 0) > range.max) {
        return ps_fail(r->err, PS_EINVAL, "%s.%s: expected an integer from %lld to %lld", path, key,
                       (long long)range.min, (long long)range.max);
    }
    *out = js_int(value, 0);
    return 0;
}

int model__map(const struct model__reader *r, const struct json_t *parent, const char *path,
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

/* ---- apps ----------------------------------------------------------------------------------- */

static int read_env(const struct model__reader *r, const struct json_t *app, const char *path,
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

static int read_app(const struct model__reader *r, const struct json_t *from, size_t i,
                    struct model_app *app)
{
    const char *path = ps_arena_printf(r->arena, "spec.apps[%zu]", i);
    const struct json_t *resources = js_get(from, "resources");
    const char *resources_path = ps_arena_printf(r->arena, "%s.resources", path);
    const struct model__range replicas = {0, REPLICAS_MAX};

    app->replicas = -1;
    if (model__text(r, from, path, "name", &app->name) != 0 ||
        model__text(r, from, path, "image", &app->image) != 0 ||
        model__text(r, from, path, "platform", &app->platform) != 0 ||
        model__integer(r, from, path, "replicas", replicas, &app->replicas) != 0 ||
        model__map(r, resources, resources_path, "limits", &app->limits) != 0 ||
        model__map(r, resources, resources_path, "requests", &app->requests) != 0 ||
        read_env(r, from, path, &app->env) != 0)
        return r->err ? r->err->code : PS_EINVAL;
    if (app->name == NULL) {
        return ps_fail(r->err, PS_EINVAL, "%s.name: expected the label of an app in the definition",
                       path);
    }
    return 0;
}

int model__apps(const struct model__reader *r, const struct json_t *spec, struct model_app **apps,
                size_t *count)
{
    const struct json_t *list = js_get(spec, "apps");

    if (js_len(list) > APPS_MAX)
        return ps_fail(r->err, PS_ELIMIT, "spec.apps: more than %zu entries", APPS_MAX);
    *apps = ps_arena_array(r->arena, js_len(list), sizeof(**apps));
    for (*count = 0; *count < js_len(list); ++*count) {
        const int rc = read_app(r, js_at(list, *count), *count, &(*apps)[*count]);

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- checks --------------------------------------------------------------------------------- */

int model__check_spec(const struct json_t *spec, struct ps_err *err)
{
    if (js_type(spec) == JS_OBJECT)
        return 0;
    return ps_fail(err, PS_EINVAL, "spec: expected an object, found %s", js_type_name(spec));
}

static bool is_name(struct ps_str s)
{
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

int model__check_name(const char *name, const char *what, const char *field, struct ps_err *err)
{
    const struct ps_str text = ps_str(name);

    if (is_name(text))
        return 0;
    return ps_fail(
        err, PS_EINVAL,
        "%s name %.*s is invalid. %s name must consist of alphanumeric characters or "
        "'-', start with an alphabetic character, and end with an alphanumeric character "
        "(e.g. 'my-name', or 'abc-123'); at most %d characters. Set %s.",
        what, PS_STR_ARG(text), what, MODEL_LABEL_MAX, field);
}
