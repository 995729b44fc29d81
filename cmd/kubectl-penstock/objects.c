/* SPDX-License-Identifier: Apache-2.0 */
/* lint: one object of ours, as far as it can be judged without a cluster. */
#include "plugin.h"

#include "dsl/dsl.h"
#include "model/model.h"

#include <string.h>

#define WHERE_MAX ((size_t)4096)

/* The fields that the kinds have in their specs. */
static const char *const stream_fields[] = {
    "streamName", "definition",     "platform",    "properties",          "apps",
    "suspend",    "deletionPolicy", "driftPolicy", "revisionHistoryLimit"};
static const char *const task_fields[] = {"taskName",
                                          "definition",
                                          "platform",
                                          "arguments",
                                          "properties",
                                          "apps",
                                          "suspend",
                                          "activeDeadlineSeconds",
                                          "retry",
                                          "notAfter",
                                          "ttlSecondsAfterFinished"};
static const char *const account_fields[] = {
    "type",       "allowedNamespaces",  "usage",          "kubernetes",
    "properties", "streamProperties",   "taskProperties", "applicationProperties",
    "binder",     "maxConcurrentTasks", "policy"};

/* The parser wants a name; to a task that is launched alone it means nothing. */
#define NAME_OF_NONE "task"

struct place {
    struct lint_run *run;
    const char *where;
    struct ps_arena *arena;
};

PS_PRINTF(2, 3) static void find(const struct place *place, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *what = ps_arena_vprintf(place->arena, fmt, ap);
    va_end(ap);
    lint_finding(place->run, place->where, what);
}

static void check_fields(const struct place *place, const struct json_t *spec,
                         const char *const *fields, size_t count)
{
    void *at = NULL;
    const char *key;
    struct json_t *value;

    while (js_next(spec, &at, &key, &value)) {
        bool known = false;

        for (size_t i = 0; i < count; i++)
            known |= strcmp(fields[i], key) == 0;
        if (!known)
            find(place, "spec.%s: there is no such field", key);
    }
}

/* ---- labels ------------------------------------------------------------------------------- */

/* What says something about the apps of a definition. */
struct mentions {
    const struct model_properties *properties;
    const struct model_app *overlays; /* spec.apps */
    size_t overlay_count;
    const struct dsl_app *apps;
    size_t app_count;
    bool is_task;
};

static bool has_app(const struct mentions *m, struct ps_str label)
{
    for (size_t i = 0; i < m->app_count; i++) {
        if (ps_str_is(label, m->apps[i].label))
            return true;
    }
    return false;
}

/* "deployer.predict.count": the label; p NULL when the key has not that form. */
static struct ps_str label_of(const char *key)
{
    static const char *const areas[] = {"app.", "deployer.", "version."};
    const struct ps_str text = ps_str(key);

    for (size_t i = 0; i < PS_ARRAY_LEN(areas); i++) {
        if (!ps_str_starts(text, areas[i]))
            continue;
        struct ps_str rest = ps_str_skip(text, strlen(areas[i])), label;

        if (ps_str_split(&rest, '.', &label) && label.n > 0)
            return label;
    }
    return (struct ps_str){NULL, 0};
}

/* Keys may name the app of a task also where it has a label, as in SCDF. */
static bool is_meant(const struct mentions *m, struct ps_str label)
{
    if (has_app(m, label))
        return true;
    for (size_t i = 0; m->is_task && i < m->app_count; i++) {
        if (ps_str_is(label, m->apps[i].name))
            return true;
    }
    return false;
}

static void check_key(const struct place *place, const struct mentions *m, const char *key)
{
    const struct ps_str label = label_of(key);

    if (label.p == NULL) {
        find(place,
             "spec.properties: expected keys starting with app., deployer. or version. and the "
             "name of an app, found %s",
             key);
    } else if (ps_str_is(label, "*")) {
        if (m->is_task && !ps_str_starts(ps_str(key), "deployer.")) {
            find(place,
                 "spec.properties: %s: in a task * is for deployer keys only, as in Data Flow; "
                 "write the app's label",
                 key);
        }
    } else if (!is_meant(m, label)) {
        find(place, "spec.properties: %s: the definition has no app %.*s", key, PS_STR_ARG(label));
    }
}

static void check_mentions(const struct place *place, const struct mentions *m)
{
    for (size_t i = 0; i < m->properties->count; i++)
        check_key(place, m, m->properties->items[i].key);
    for (size_t i = 0; i < m->overlay_count; i++) {
        if (!has_app(m, ps_str(m->overlays[i].name))) {
            find(place, "spec.apps[%zu].name: the definition has no app %s", i,
                 m->overlays[i].name);
        }
    }
}

/* ---- StreamDeployment and TaskLaunch ------------------------------------------------------ */

static void check_stream(const struct place *place, const struct json_t *object)
{
    struct model_stream stream;
    struct dsl_error bad;
    struct ps_err err = {0};

    check_fields(place, js_get(object, "spec"), stream_fields, PS_ARRAY_LEN(stream_fields));
    if (model_stream_read(place->arena, object, &stream, &err) != 0) {
        find(place, "%s", err.message);
        return;
    }
    const struct dsl_stream *dsl =
        dsl_stream_parse(place->arena, ps_str(stream.stream_name), ps_str(stream.definition), &bad);

    if (dsl == NULL) {
        find(place, "spec.definition: %s", bad.text);
    } else {
        check_mentions(place, &(struct mentions){.properties = &stream.properties,
                                                 .overlays = stream.apps,
                                                 .overlay_count = stream.app_count,
                                                 .apps = dsl->apps,
                                                 .app_count = dsl->app_count});
    }
}

static void check_task(const struct place *place, const struct json_t *object)
{
    struct model_task task;
    struct dsl_error bad;
    struct ps_err err = {0};

    check_fields(place, js_get(object, "spec"), task_fields, PS_ARRAY_LEN(task_fields));
    if (model_task_read(place->arena, object, &task, &err) != 0) {
        find(place, "%s", err.message);
        return;
    }
    const struct dsl_task *dsl =
        dsl_task_parse(place->arena, ps_str(task.task_name ? task.task_name : NAME_OF_NONE),
                       ps_str(task.definition), &bad);

    if (dsl == NULL) {
        for (const struct dsl_error *problem = &bad; problem != NULL; problem = problem->next)
            find(place, "spec.definition: %s", problem->text);
        return;
    }
    if (dsl->composed) {
        find(place, "spec.definition: composed tasks cannot be launched yet; launch their apps one "
                    "by one");
    }
    check_mentions(place, &(struct mentions){.properties = &task.properties,
                                             .overlays = task.apps,
                                             .overlay_count = task.app_count,
                                             .apps = dsl->apps,
                                             .app_count = dsl->app_count,
                                             .is_task = true});
}

/* ---- the others --------------------------------------------------------------------------------
 */

static void check_account(const struct place *place, const struct json_t *object)
{
    const struct model_properties none = {0};
    const struct model_account *account = model_account_read(place->arena, object, &none);

    check_fields(place, js_get(object, "spec"), account_fields, PS_ARRAY_LEN(account_fields));
    if (account->problem.code != 0)
        find(place, "%s", account->problem.message);
}

static void on_registry_problem(const char *source, size_t line, const char *message, void *self)
{
    const struct place *place = self;

    find(place, "data[%s], line %zu: %s", source, line, message);
}

static void check_registry(struct place *place, const struct json_t *object)
{
    struct model_registry *registry = model_registry_new();
    void *at = NULL;
    const char *key;
    struct json_t *value;

    while (js_next(js_get(object, "data"), &at, &key, &value)) {
        if (js_str(value) != NULL) {
            (void)model_registry_add(registry, key, ps_str(js_str(value)), on_registry_problem,
                                     place);
        } else {
            find(place, "data[%s]: expected a string, found %s", key, js_type_name(value));
        }
    }
    model_registry_free(registry);
}

static bool is_registry(const struct json_t *object)
{
    const char *label = js_str(js_get(js_path(object, "metadata.labels"), MODEL_LABEL_REGISTRY));

    return ps_streq(js_path_str(object, "apiVersion"), "v1") &&
           ps_streq(js_path_str(object, "kind"), "ConfigMap") && ps_streq(label, "true");
}

/* ---- dispatch ----------------------------------------------------------------------------------
 */

static bool is_kind_of_ours(const char *kind)
{
    return ps_streq(kind, "StreamDeployment") || ps_streq(kind, "TaskLaunch") ||
           ps_streq(kind, "PlatformAccount");
}

/* By its group, or by a kind of ours under a wrong one. */
static bool is_ours(const struct json_t *object)
{
    return ps_str_starts(ps_str(js_path_str(object, "apiVersion")), MODEL_GROUP "/") ||
           is_kind_of_ours(js_path_str(object, "kind"));
}

static void check_kind(const struct place *place, const struct json_t *object)
{
    const char *version = js_path_str(object, "apiVersion");
    const char *kind = js_path_str(object, "kind");

    if (!ps_streq(version, MODEL_API_VERSION)) {
        find(place, "apiVersion: expected %s, found %s", MODEL_API_VERSION,
             version ? version : "nothing");
    } else if (js_path_str(object, "metadata.name") == NULL) {
        find(place, "metadata.name: expected a name");
    } else if (ps_streq(kind, "StreamDeployment")) {
        check_stream(place, object);
    } else if (ps_streq(kind, "PlatformAccount")) {
        check_account(place, object);
    } else if (ps_streq(kind, "TaskLaunch")) {
        check_task(place, object);
    } else {
        find(place, "kind: expected StreamDeployment, TaskLaunch or PlatformAccount, found %s",
             kind ? kind : "nothing");
    }
}

static void check_one(struct lint_run *run, const char *where, const struct json_t *object)
{
    const char *kind = js_path_str(object, "kind"), *name = js_path_str(object, "metadata.name");
    const char *namespace = js_path_str(object, "metadata.namespace");
    struct ps_arena arena;

    ps_arena_init(&arena);
    struct place place = {
        .run = run,
        .arena = &arena,
        .where = ps_arena_printf(&arena, "%s: %.100s %.100s%s%.253s", where,
                                 kind ? kind : "(no kind)", namespace ? namespace : "",
                                 namespace ? "/" : "", name ? name : "(no name)"),
    };

    run->checked++;
    if (is_registry(object)) {
        check_registry(&place, object);
    } else {
        check_kind(&place, object);
    }
    ps_arena_fini(&arena);
}

/* Recursive for lists in lists: the readers end nesting at CODEC_YAML_DEPTH_MAX. */
void lint_object(struct lint_run *run, const char *where, const struct json_t *object)
{
    const struct json_t *items = js_get(object, "items");
    PS_AUTO_BUF(item, WHERE_MAX);

    if (js_type(items) == JS_ARRAY && ps_str_ends(ps_str(js_path_str(object, "kind")), "List")) {
        for (size_t i = 0; i < js_len(items); i++) {
            ps_buf_clear(&item);
            ps_buf_printf(&item, "%.3000s: items[%zu]", where, i);
            lint_object(run, ps_buf_text(&item), js_at(items, i));
        }
    } else if (is_ours(object) || is_registry(object)) {
        check_one(run, where, object);
    }
}
