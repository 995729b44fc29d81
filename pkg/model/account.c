/* SPDX-License-Identifier: Apache-2.0 */
/* PlatformAccount: spec as flat property lists, placeholders resolved. */
#include "model/model.h"

#include <string.h>

#define PLACEHOLDER_TEXT_MAX ((size_t)64 * 1024)

/* Writes the value of one "NAME" or "NAME:default", or the placeholder as it was. */
static void resolve_one(struct ps_buf *out, struct ps_arena *arena, struct ps_str inner,
                        const struct model_properties *vars)
{
    const ptrdiff_t colon = ps_str_index(inner, ':');
    const struct ps_str name = colon < 0 ? inner : ps_str_head(inner, (size_t)colon);
    const char *value = model_properties_get(vars, ps_arena_str(arena, name));

    if (value != NULL) {
        ps_buf_str(out, value);
    } else if (colon >= 0) {
        ps_buf_view(out, ps_str_skip(inner, (size_t)colon + 1));
    } else {
        ps_buf_printf(out, "${%.*s}", PS_STR_ARG(inner));
    }
}

/* A default may hold placeholders itself only as literal text: the first '}' ends it. */
static const char *resolve(struct ps_arena *arena, const char *text,
                           const struct model_properties *vars)
{
    struct ps_str rest = ps_str(text);
    ptrdiff_t start;

    if (ps_str_find(rest, "${") < 0)
        return text;
    PS_AUTO_BUF(out, PLACEHOLDER_TEXT_MAX);
    while ((start = ps_str_find(rest, "${")) >= 0) {
        const ptrdiff_t length = ps_str_index(ps_str_skip(rest, (size_t)start), '}');

        if (length < 0)
            break;
        ps_buf_view(&out, ps_str_head(rest, (size_t)start));
        resolve_one(&out, arena, ps_str_n(rest.p + start + 2, (size_t)length - 2), vars);
        rest = ps_str_skip(rest, (size_t)start + (size_t)length + 1);
    }
    ps_buf_view(&out, rest);
    return ps_buf_failed(&out) ? text : ps_arena_str(arena, ps_buf_get(&out));
}

static int read_list(struct ps_arena *arena, const struct json_t *spec, const char *path,
                     struct model_properties *out, struct ps_err *err)
{
    const int rc =
        model_properties_flatten(arena, js_path(spec, path), MODEL_PROPERTIES_MAX, out, err);

    return rc == 0 ? 0 : ps_fail_prefix(err, "spec.%s", path);
}

static bool has_finalizer(const struct json_t *object)
{
    const struct json_t *list = js_path(object, "metadata.finalizers");

    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_len(list); i++) {
        if (ps_streq(js_str(js_at(list, i)), MODEL_FINALIZER))
            return true;
    }
    return false;
}

static int read_spec(struct ps_arena *arena, const struct json_t *spec,
                     struct model_account *account)
{
    const char *type = js_path_str(spec, "type");
    struct ps_err *err = &account->problem;

    if (!ps_streq(type, "Kubernetes")) {
        return ps_fail(err, PS_EINVAL, "spec.type: expected Kubernetes, found %s",
                       type ? type : "nothing");
    }
    account->namespace = js_path_str(spec, "kubernetes.namespace");
    if (read_list(arena, spec, "properties", &account->properties, err) != 0 ||
        read_list(arena, spec, "streamProperties", &account->properties, err) != 0 ||
        read_list(arena, spec, "applicationProperties.stream", &account->application_properties,
                  err) != 0)
        return err->code;
    return 0;
}

struct model_account *model_account_read(struct ps_arena *arena, const struct json_t *object,
                                         const struct model_properties *vars)
{
    struct model_account *account = ps_arena_alloc(arena, sizeof(*account));

    account->name = js_path_str(object, "metadata.name");
    account->uid = js_path_str(object, "metadata.uid");
    account->rv = js_path_str(object, "metadata.resourceVersion");
    account->generation = js_path_int(object, "metadata.generation", 0);
    account->deleting = js_path_str(object, "metadata.deletionTimestamp") != NULL;
    account->has_finalizer = has_finalizer(object);
    account->status = js_get(object, "status");
    if (read_spec(arena, js_get(object, "spec"), account) != 0)
        return account;
    for (size_t i = 0; i < account->properties.count; i++) {
        account->properties.items[i].value =
            resolve(arena, account->properties.items[i].value, vars);
    }
    return account;
}
