/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a stream app on Kubernetes: names, labels, workload and Service as SCDF makes
 * them.
 */
#include "plan/internal.h"

#include <string.h>

#define PART_OF          "spring-cloud-dataflow"
#define MANAGER          "penstock"
/* Pods get the name and 11 characters more as a label's value: kubernetes/kubernetes#64023. */
#define STATEFUL_SET_MAX 52
/* Arguments and variables of all apps of a stream. More could not be kept as a revision. */
#define TEXT_MAX         ((size_t)4 * 1024 * 1024)

struct render {
    struct ps_arena *arena;
    const struct plan__place *place;
    const struct plan__app *app;
    enum model_kind kind; /* of the workload */
    const char *id;       /* <stream>-<app>-v<N>: workload, container and two labels */
    const char *service;  /* <stream>-<app> */
};

/* ---- names ---------------------------------------------------------------------------------- */

static int check_name(const char *name, const char *label, enum model_kind kind,
                      const char **reason, struct ps_err *err)
{
    const size_t n = strlen(name),
                 max = kind == MODEL_STATEFUL_SET ? STATEFUL_SET_MAX : MODEL_LABEL_MAX;

    if (n > max) {
        *reason = "NameTooLong";
        return ps_fail(
            err, PS_EINVAL,
            "app %s: the name %s has %zu characters, Kubernetes allows %zu for a %s; shorten "
            "spec.streamName or the app's label",
            label, name, n, max, model_kind_name(kind));
    }
    for (size_t i = 0; i < n; i++) {
        const char c = name[i];
        const bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!alnum && !(c == '-' && i > 0 && i + 1 < n)) {
            *reason = "NameInvalid";
            return ps_fail(err, PS_EINVAL,
                           "app %s: %s is no name that Kubernetes accepts (a-z, 0-9 and '-'); give "
                           "the app a label: \"%s: …\"",
                           label, name, "my-label");
        }
    }
    return 0;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static void set_labels(struct json_t *labels, const struct render *r)
{
    js_set_str(labels, "spring-app-id", r->id);
    js_set_str(labels, "spring-deployment-id", r->id);
    js_set_str(labels, "spring-group-id", r->place->stream->stream_name);
    js_set_str(labels, "spring-application-name", r->app->label);
}

static struct json_t *id_labels(const struct render *r)
{
    struct json_t *labels = js_object();

    set_labels(labels, r);
    return labels;
}

static struct json_t *object_labels(const struct render *r)
{
    struct json_t *labels = id_labels(r);

    js_set_str(labels, "role", "spring-app");
    return labels;
}

/* Beside its owner a child is collected with it; an owner in another namespace would be taken for
 * gone. */
static void own_reference(struct json_t *metadata, const struct plan__mark *mark)
{
    struct json_t *references = js_array(), *reference = js_object();

    js_set_str(reference, "apiVersion", MODEL_API_VERSION);
    js_set_str(reference, "kind", model_kind_name(mark->kind));
    js_set_str(reference, "name", mark->name);
    js_set_str(reference, "uid", mark->uid);
    js_set_bool(reference, "controller", true);
    js_push(references, reference);
    js_set(metadata, "ownerReferences", references);
}

void plan__mark(struct json_t *metadata, const struct plan__mark *mark)
{
    struct json_t *labels = js_child(metadata, "labels");
    PS_AUTO_BUF(text, 512);

    ps_buf_printf(&text, "%s/%s/%s", model_kind_name(mark->kind), mark->namespace, mark->name);
    js_set_str(js_child(metadata, "annotations"), MODEL_ANNOTATION_OWNER, ps_buf_text(&text));
    ps_buf_clear(&text);
    ps_buf_printf(&text, "%lld", (long long)mark->number);
    js_set_str(labels, "app.kubernetes.io/name", mark->app);
    js_set_str(labels, "app.kubernetes.io/component", mark->component);
    js_set_str(labels, "app.kubernetes.io/part-of", PART_OF);
    js_set_str(labels, "app.kubernetes.io/managed-by", MANAGER);
    js_set_str(labels, MODEL_LABEL_INSTALLATION, mark->installation);
    js_set_str(labels, MODEL_LABEL_OWNER_UID, mark->uid);
    js_set_str(labels, MODEL_LABEL_APP, mark->app);
    js_set_str(labels, mark->number_label, ps_buf_text(&text));
    js_set_str(labels, MODEL_LABEL_ACCOUNT_UID, mark->account_uid);
    if (mark->account_uid == NULL && ps_streq(mark->at, mark->namespace))
        own_reference(metadata, mark);
}

void plan__unmark(struct json_t *metadata, const char *uid)
{
    static const char *const labels[] = {"app.kubernetes.io/name",
                                         "app.kubernetes.io/component",
                                         "app.kubernetes.io/part-of",
                                         "app.kubernetes.io/managed-by",
                                         MODEL_LABEL_INSTALLATION,
                                         MODEL_LABEL_OWNER_UID,
                                         MODEL_LABEL_APP,
                                         MODEL_LABEL_REVISION,
                                         MODEL_LABEL_ACCOUNT_UID};
    static const char *const annotations[] = {
        MODEL_ANNOTATION_OWNER, MODEL_ANNOTATION_BODY_HASH, MODEL_ANNOTATION_FIXED_HASH,
        MODEL_ANNOTATION_SUSPENDED, MODEL_ANNOTATION_CORRECTED};
    struct json_t *references = js_array(), *reference = js_object();

    for (size_t i = 0; i < PS_ARRAY_LEN(labels); i++)
        js_set(js_child(metadata, "labels"), labels[i], js_null());
    for (size_t i = 0; i < PS_ARRAY_LEN(annotations); i++)
        js_set(js_child(metadata, "annotations"), annotations[i], js_null());
    js_set_str(reference, "uid", uid);
    js_set_str(reference, "$patch", "delete");
    js_push(references, reference);
    js_set(metadata, "ownerReferences", references);
}

void plan__own_labels(struct json_t *metadata, const struct plan__place *place, const char *app,
                      int64_t revision, const char *component)
{
    const struct plan__mark mark = {.kind = MODEL_STREAM,
                                    .namespace = place->stream->namespace,
                                    .name = place->stream->name,
                                    .uid = place->stream->uid,
                                    .installation = place->installation,
                                    .account_uid = place->account_uid,
                                    .at = place->namespace,
                                    .app = app,
                                    .component = component,
                                    .number_label = MODEL_LABEL_REVISION,
                                    .number = revision};

    plan__mark(metadata, &mark);
}

/* ---- objects -------------------------------------------------------------------------------- */

static struct json_t *object_head(const struct render *r, enum model_kind kind, const char *name)
{
    const struct model_kind_info *info = model_kind_info(kind);
    struct json_t *json = js_object(), *metadata = js_child(json, "metadata");

    js_set_str(json, "apiVersion",
               *info->group ? ps_arena_printf(r->arena, "%s/%s", info->group, info->version)
                            : info->version);
    js_set_str(json, "kind", info->kind);
    js_set_str(metadata, "name", name);
    js_set_str(metadata, "namespace", r->app->namespace);
    js_set(metadata, "labels", object_labels(r));
    return json;
}

static struct json_t *container(const struct render *r)
{
    const struct plan__container c = {.arena = r->arena,
                                      .app = r->app,
                                      .name = r->id,
                                      .image = r->app->image,
                                      .group = r->place->stream->stream_name,
                                      .serves = true,
                                      .indexed = r->app->indexed};

    return plan__container(&c);
}

/* SCDF's own labels win over the user's. */
static struct json_t *workload_labels(const struct render *r)
{
    struct json_t *labels = js_object();

    plan__set_all(labels, &r->app->settings.labels);
    set_labels(labels, r);
    js_set_str(labels, "role", "spring-app");
    return labels;
}

static struct json_t *workload(const struct render *r)
{
    struct json_t *json = object_head(r, r->kind, r->id), *spec = js_child(json, "spec");
    struct json_t *template = js_child(spec, "template"), *containers = js_array();

    js_set(js_child(json, "metadata"), "labels", workload_labels(r));
    if (r->app->settings.count >= 0)
        js_set_int(spec, "replicas", r->app->settings.count);
    js_set(js_child(spec, "selector"), "matchLabels", id_labels(r));
    js_set(js_child(template, "metadata"), "labels", workload_labels(r));
    if (r->app->settings.pod_annotations.count > 0) {
        plan__set_all(js_child(js_child(template, "metadata"), "annotations"),
                      &r->app->settings.pod_annotations);
    }
    js_push(containers, container(r));
    js_set(js_child(template, "spec"), "containers", containers);
    js_set_str(js_child(template, "spec"), "restartPolicy", "Always");
    if (r->kind == MODEL_STATEFUL_SET) {
        struct json_t *labels PS_AUTO_JS = object_labels(r);

        plan__stateful(spec, r->app, r->id, labels);
    }
    return json;
}

/* ---- names that are kept --------------------------------------------------------------------- */

static bool is_at(const struct render *r, const char *cluster, const char *namespace)
{
    return ps_streq(cluster, r->app->cluster) && ps_streq(namespace, r->app->namespace);
}

/* Can what is there under the name become what is rendered under it? */
static bool fits(struct render *r, const char *name)
{
    r->id = name;
    for (size_t i = 0; r->kind == MODEL_STATEFUL_SET && i < r->place->child_count; i++) {
        const struct model_object *c = r->place->children[i];

        if (c->kind != r->kind || c->fixed_hash == NULL || !ps_streq(c->name, name) ||
            !is_at(r, c->cluster, c->namespace))
            continue;
        struct json_t *body PS_AUTO_JS = workload(r);

        return ps_streq(c->fixed_hash, plan__fixed_hash(r->arena, body));
    }
    return true;
}

/* The workload of the app that is there already keeps its name. One of another kind, or of which
 * something would have to change that cannot, gives it none: the two stand side by side for a
 * while. */
static const char *kept_name(struct render *r)
{
    const struct plan__place *place = r->place;

    for (size_t i = 0; place->current != NULL && i < place->current->count; i++) {
        const struct plan__object *o = &place->current->items[i];

        if (o->kind == r->kind && ps_streq(o->app, r->app->label) &&
            is_at(r, o->cluster, o->namespace) && fits(r, o->name))
            return o->name;
    }
    for (size_t i = 0; i < place->child_count; i++) {
        const struct model_object *c = place->children[i];

        if (c->kind == r->kind && !c->deleting && ps_streq(c->app, r->app->label) &&
            is_at(r, c->cluster, c->namespace) && fits(r, c->name))
            return c->name;
    }
    return NULL;
}

static int name_app(struct render *r, const char **reason, struct ps_err *err)
{
    const char *stream = model_lower(r->arena, r->place->stream->stream_name);
    const char *label = model_lower(r->arena, r->app->label);
    const char *kept = kept_name(r);

    r->service = ps_arena_printf(r->arena, "%s-%s", stream, label);
    r->id = kept ? ps_arena_dup(r->arena, kept)
                 : ps_arena_printf(r->arena, "%s-v%lld", r->service, (long long)r->place->number);
    const int rc = check_name(r->service, r->app->label, MODEL_SERVICE, reason, err);

    return rc != 0 ? rc : check_name(r->id, r->app->label, r->kind, reason, err);
}

/* ---- all together ---------------------------------------------------------------------------- */

static struct json_t *service(const struct render *r)
{
    struct json_t *json = object_head(r, MODEL_SERVICE, r->service), *spec = js_child(json, "spec");
    struct json_t *ports = js_array(), *port = js_object(), *selector = js_child(spec, "selector");

    js_set_str(port, "name", ps_arena_printf(r->arena, "port-%lld", (long long)r->app->port));
    js_set_int(port, "port", r->app->port);
    js_push(ports, port);
    js_set(spec, "ports", ports);
    js_set_str(selector, "spring-application-name", r->app->label);
    js_set_str(selector, "spring-group-id", r->place->stream->stream_name);
    return json;
}

static void add_object(struct plan__objects *out, const struct render *r, enum model_kind kind,
                       const char *name, struct json_t *body)
{
    out->items[out->count++] = (struct plan__object){.kind = kind,
                                                     .cluster = r->app->cluster,
                                                     .namespace = r->app->namespace,
                                                     .name = name,
                                                     .app = r->app->label,
                                                     .changed_in = r->place->number,
                                                     .body = body};
}

static bool hash_objects(struct ps_arena *arena, struct plan__objects *out)
{
    PS_AUTO_BUF(text, CODEC_JSON_MAX);

    for (size_t i = 0; i < out->count; i++) {
        js_print(&text, out->items[i].body);
        ps_buf_printf(&text, "\n%s%s", out->items[i].cluster ? out->items[i].cluster : "",
                      out->items[i].cluster ? "\n" : "");
    }
    codec_sha256_hex(ps_buf_get(&text), out->hash);
    struct ps_str rest = {ps_arena_str(arena, ps_buf_get(&text)), text.n};

    for (size_t i = 0; i < out->count; i++) /* a line each: control characters are escaped */
        (void)ps_str_split(&rest, '\n', &out->items[i].text);
    return !ps_buf_failed(&text);
}

static int too_large(const char **reason, struct ps_err *err)
{
    *reason = "StreamTooLarge";
    return ps_fail(err, PS_ELIMIT,
                   "the arguments and variables of all apps are more than %zu bytes; split the "
                   "stream, or give "
                   "its apps fewer and shorter properties",
                   TEXT_MAX);
}

/* Object names are lower-cased, so labels can meet in one. */
static int check_distinct(const struct plan__objects *out, const struct render *r,
                          const char **reason, struct ps_err *err)
{
    const struct plan__object *other = plan__objects_find(
        out, (struct plan_need){MODEL_SERVICE, r->app->namespace, r->service, r->app->cluster});

    if (other == NULL)
        return 0;
    *reason = "NameInvalid";
    return ps_fail(
        err, PS_EINVAL,
        "apps %s and %s would both be called %s, object names have no capital letters; give one of "
        "them another label: \"my-label: …\"",
        r->app->label, other->app, r->service);
}

static int render_app(struct plan__objects *out, struct render *r, const char **reason,
                      struct ps_err *err)
{
    int rc = name_app(r, reason, err);

    if (rc == 0)
        rc = check_distinct(out, r, reason, err);
    if (rc != 0)
        return rc;
    add_object(out, r, MODEL_SERVICE, r->service, service(r));
    add_object(out, r, r->kind, r->id, workload(r));
    return 0;
}

int plan__render(struct ps_arena *arena, const struct plan__wanted *wanted,
                 const struct plan__place *place, struct plan__objects *out, const char **reason,
                 struct ps_err *err)
{
    *out = (struct plan__objects){0};
    out->items = ps_arena_array(arena, wanted->count * 2, sizeof(*out->items));
    size_t size = 0;
    int rc = 0;

    for (size_t i = wanted->count; rc == 0 && i-- > 0;) { /* the sink first, as SCDF deploys */
        struct render r = {.arena = arena,
                           .place = place,
                           .app = &wanted->apps[i],
                           .kind = wanted->apps[i].indexed ? MODEL_STATEFUL_SET : MODEL_DEPLOYMENT};

        size += plan__text_size(r.app);
        rc = size > TEXT_MAX ? too_large(reason, err) : render_app(out, &r, reason, err);
    }
    if (rc == 0 && !hash_objects(arena, out))
        rc = too_large(reason, err);
    if (rc != 0)
        plan__objects_fini(out);
    return rc;
}

void plan__objects_fini(struct plan__objects *set)
{
    for (size_t i = 0; i < set->count; i++)
        js_unref(set->items[i].body);
    set->count = 0;
}

const struct plan__object *plan__objects_find(const struct plan__objects *set,
                                              struct plan_need what)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct plan__object *o = &set->items[i];

        if (o->kind == what.kind && ps_streq(o->namespace, what.namespace) &&
            ps_streq(o->name, what.name) && ps_streq(o->cluster, what.cluster))
            return o;
    }
    return NULL;
}
