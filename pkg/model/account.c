/* SPDX-License-Identifier: Apache-2.0 */
/* PlatformAccount: spec as flat property lists, placeholders resolved. */
#include "model/internal.h"

#include <string.h>

#define PLACEHOLDER_TEXT_MAX ((size_t)64 * 1024)
#define TASKS_DEFAULT        20 /* SCDF's */
#define TASKS_MAX            100000
#define USAGE_MAX            ((size_t)8) /* entries that are looked at; two make sense */

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

static void resolve_all(struct ps_arena *arena, struct model_properties *list,
                        const struct model_properties *vars)
{
    for (size_t i = 0; i < list->count; i++)
        list->items[i].value = resolve(arena, list->items[i].value, vars);
}

/* Absent: both. */
static int read_usage(const struct json_t *spec, struct model_account *account, struct ps_err *err)
{
    const struct json_t *list = js_get(spec, "usage");

    account->for_streams = account->for_tasks = list == NULL;
    if (list == NULL)
        return 0;
    if (js_type(list) != JS_ARRAY || js_len(list) == 0 || js_len(list) > USAGE_MAX)
        return ps_fail(err, PS_EINVAL, "spec.usage: expected a list of Stream, Task or both");
    for (size_t i = 0; i < js_len(list); i++) {
        const char *word = js_str(js_at(list, i));

        if (!ps_streq(word, "Stream") && !ps_streq(word, "Task")) {
            return ps_fail(err, PS_EINVAL, "spec.usage[%zu]: expected Stream or Task, found %.64s",
                           i, word ? word : js_type_name(js_at(list, i)));
        }
        account->for_streams |= ps_streq(word, "Stream");
        account->for_tasks |= ps_streq(word, "Task");
    }
    return 0;
}

/* The last of several spellings: taskProperties stand behind properties. */
static const char *find_max_tasks(struct ps_arena *arena, const struct model_properties *list)
{
    for (size_t i = list->count; i-- > 0;) {
        if (ps_streq(model_relaxed(arena, list->items[i].key), "maximumconcurrenttasks"))
            return list->items[i].value;
    }
    return NULL;
}

static int read_max_tasks(struct ps_arena *arena, const struct json_t *spec,
                          struct model_account *account)
{
    const struct model__reader r = {arena, &account->problem};
    const char *text = find_max_tasks(arena, &account->task_properties);

    if (js_get(spec, "maxConcurrentTasks") != NULL) {
        return model__integer(&r, spec, "spec", "maxConcurrentTasks",
                              (struct model__range){0, TASKS_MAX}, &account->max_tasks);
    }
    if (text != NULL &&
        (!ps_str_to_i64(ps_str(text), &account->max_tasks) || account->max_tasks > TASKS_MAX)) {
        account->max_tasks = TASKS_DEFAULT;
        return ps_fail(r.err, PS_EINVAL,
                       "the property maximumConcurrentTasks: expected an integer from 0 to %d, "
                       "found %.64s",
                       TASKS_MAX, text);
    }
    return 0;
}

/* An account whose cluster can't be read must not be taken for one of the operator's own: then
 * cluster_secret is "", which is no Secret's name. */
static int read_cluster(struct ps_arena *arena, const struct json_t *spec,
                        struct model_account *account)
{
    const struct model__reader r = {arena, &account->problem};
    const struct json_t *cluster = js_path(spec, "kubernetes.cluster");
    const struct json_t *ref = js_get(cluster, "secretRef");
    const char *name = NULL;

    if (cluster == NULL)
        return 0;
    account->cluster_secret = "";
    if (js_type(ref) != JS_OBJECT) {
        return ps_fail(r.err, PS_EINVAL,
                       "spec.kubernetes.cluster.secretRef: expected an object with the name of a "
                       "Secret, found %s",
                       ref ? js_type_name(ref) : "nothing");
    }
    if (model__text(&r, ref, "spec.kubernetes.cluster.secretRef", "name", &name) != 0)
        return r.err->code;
    if (name == NULL || *name == '\0') {
        return ps_fail(r.err, PS_EINVAL,
                       "spec.kubernetes.cluster.secretRef.name: expected the name of a Secret in "
                       "the namespace of the operator, found nothing");
    }
    account->cluster_secret = name;
    return 0;
}

static int read_spec(struct ps_arena *arena, const struct json_t *spec,
                     struct model_account *account)
{
    const char *type = js_path_str(spec, "type");
    struct ps_err *err = &account->problem;

    /* First: whatever else is wrong, it is known where it leads and who may use it. */
    if (read_cluster(arena, spec, account) != 0 ||
        model__access(&(struct model__reader){arena, err}, spec, &account->access) != 0)
        return err->code;
    if (!ps_streq(type, "Kubernetes")) {
        return ps_fail(err, PS_EINVAL, "spec.type: expected Kubernetes, found %s",
                       type ? type : "nothing");
    }
    if (model__policy(&(struct model__reader){arena, err}, spec, &account->policy) != 0)
        return err->code;
    account->namespace = js_path_str(spec, "kubernetes.namespace");
    account->cluster_id = js_path_str(spec, "binder.clusterId");
    if (read_usage(spec, account, err) != 0)
        return err->code;
    if (read_list(arena, spec, "properties", &account->properties, err) != 0 ||
        read_list(arena, spec, "streamProperties", &account->properties, err) != 0 ||
        read_list(arena, spec, "properties", &account->task_properties, err) != 0 ||
        read_list(arena, spec, "taskProperties", &account->task_properties, err) != 0 ||
        read_list(arena, spec, "applicationProperties.stream", &account->application_properties,
                  err) != 0 ||
        read_list(arena, spec, "applicationProperties.task", &account->task_application_properties,
                  err) != 0)
        return err->code;
    return 0;
}

struct model_account *model_account_read(struct ps_arena *arena, const struct json_t *object,
                                         const struct model_properties *vars)
{
    struct model_account *account = ps_arena_alloc(arena, sizeof(*account));

    const struct model__meta meta = model__meta(object);

    *account = (struct model_account){
        .name = meta.name,
        .uid = meta.uid,
        .rv = meta.rv,
        .generation = meta.generation,
        .deleting = meta.deleting,
        .has_finalizer = meta.has_finalizer,
        .for_streams = true,
        .for_tasks = true,
        .max_tasks = TASKS_DEFAULT,
        .status = meta.status,
    };
    if (read_spec(arena, meta.spec, account) != 0)
        return account;
    resolve_all(arena, &account->properties, vars);
    resolve_all(arena, &account->task_properties, vars);
    (void)read_max_tasks(arena, meta.spec, account);
    return account;
}

const char *model_account_target(const struct model_account *account, const char *namespace)
{
    return account->namespace ? account->namespace : namespace;
}
