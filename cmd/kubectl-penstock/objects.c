/* SPDX-License-Identifier: Apache-2.0 */
/* lint: one object of ours, as far as it can be judged without a cluster. */
#include "plugin.h"

#include "dsl/dsl.h"
#include "model/model.h"

#include <string.h>

#define WHERE_MAX ((size_t)4096)

/* The fields that the kinds have in their specs. */
static const char *const stream_fields[] = {"streamName",          "definition", "platform",
                                            "properties",          "apps",       "suspend",
                                            "revisionHistoryLimit"};
static const char *const account_fields[] = {"type", "kubernetes", "properties", "streamProperties",
                                             "applicationProperties"};

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

/* ---- StreamDeployment --------------------------------------------------------------------------
 */

static bool has_app(const struct dsl_stream *dsl, struct ps_str label)
{
    for (size_t i = 0; i < dsl->app_count; i++) {
        if (ps_str_is(label, dsl->apps[i].label))
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

static void check_labels(const struct place *place, const struct model_stream *stream,
                         const struct dsl_stream *dsl)
{
    for (size_t i = 0; i < stream->properties.count; i++) {
        const char *key = stream->properties.items[i].key;
        const struct ps_str label = label_of(key);

        if (label.p == NULL) {
            find(place,
                 "spec.properties: expected keys starting with app., deployer. or version. and the "
                 "name of an app, found %s",
                 key);
        } else if (!ps_str_is(label, "*") && !has_app(dsl, label)) {
            find(place, "spec.properties: %s: the definition has no app %.*s", key,
                 PS_STR_ARG(label));
        }
    }
    for (size_t i = 0; i < stream->app_count; i++) {
        if (!has_app(dsl, ps_str(stream->apps[i].name))) {
            find(place, "spec.apps[%zu].name: the definition has no app %s", i,
                 stream->apps[i].name);
        }
    }
}

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
        check_labels(place, &stream, dsl);
    }
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
        find(place, "not checked: this version reads no launches");
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
