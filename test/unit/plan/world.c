/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/world.h"

#include "support/apply.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAX    ((size_t)4 * 1024 * 1024)
#define ROUNDS_MAX   12
#define INSTALLATION "test-installation"
#define OWNER        "StreamDeployment/" WORLD_NAMESPACE "/" WORLD_NAME

#define CHECK(world, cond)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            world_fail(world, #cond);                                                              \
    } while (0)

_Noreturn void world_fail(const struct world *world, const char *what)
{
    fprintf(stderr, "%s\n", ps_buf_text(&world->trace));
    fail_msg("%s", what);
    abort(); /* fail_msg does not come back */
}

/* ---- basics ---------------------------------------------------------------------------------- */

int world_random(struct world *world, int n)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (int)(world->random % (uint64_t)n);
}

static bool chance(struct world *world, int percent)
{
    return percent > 0 && world_random(world, 100) < percent;
}

static void add_remote_account(struct world *world)
{
    struct json_t *spec = js_object(), *kubernetes = js_child(spec, "kubernetes");
    struct json_t *finalizers = js_array();

    js_set_str(spec, "type", "Kubernetes");
    js_set_str(kubernetes, "namespace", "gpu-namespace");
    js_set_str(js_child(js_child(kubernetes, "cluster"), "secretRef"), "name", "key");
    world_account(world, WORLD_REMOTE, spec);
    struct json_t *account = js_get(world->accounts, WORLD_REMOTE);

    js_push(finalizers, js_string(MODEL_FINALIZER));
    js_set(js_child(account, "metadata"), "finalizers", finalizers);
    js_set_str(js_child(js_child(account, "status"), "target"), "uid", "gpu-namespace");
}

static void add_namespace(struct world *world, const char *name)
{
    struct json_t *object = js_object(), *metadata = js_child(object, "metadata");

    js_set_str(metadata, "name", name);
    js_set_str(metadata, "uid", name);
    js_set_str(metadata, "resourceVersion", "1");
    js_set_str(js_child(object, "status"), "phase", "Active");
    js_set(world->namespaces, name, object);
}

void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.random = seed * 0x9E3779B97F4A7C15U + 1, .now_ms = 1793235723000};
    world->accounts = js_object();
    world->namespaces = js_object();
    world->objects = js_array();
    ps_buf_init(&world->trace, TRACE_MAX);
    add_namespace(world, WORLD_NAMESPACE);
    add_namespace(world, "kafka-namespace");
    add_namespace(world, "gpu-namespace");
    add_remote_account(world);
}

void world_fini(struct world *world)
{
    js_unref(world->cr);
    js_unref(world->accounts);
    js_unref(world->namespaces);
    js_unref(world->objects);
    js_unref(world->last_seen);
    ps_buf_fini(&world->trace);
}

/* A number that nothing had before. */
static void stamp(struct world *world, struct json_t *object, const char *key)
{
    PS_AUTO_BUF(text, 32);

    ps_buf_printf(&text, "%d", ++world->number);
    js_set_str(js_child(object, "metadata"), key, ps_buf_text(&text));
}

size_t world_count(const struct world *world)
{
    return js_len(world->objects);
}

bool world_is_ours(const struct json_t *item)
{
    return ps_streq(
        js_str(js_get(js_path(item, "object.metadata.annotations"), MODEL_ANNOTATION_OWNER)),
        OWNER);
}

static struct json_t *find(const struct world *world, struct plan_need what)
{
    if (what.kind == MODEL_STREAM)
        return world->cr;
    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);

        if (ps_streq(js_path_str(item, "kind"), model_kind_name(what.kind)) &&
            ps_streq(js_path_str(item, "cluster"), what.cluster) &&
            ps_streq(js_path_str(item, "object.metadata.namespace"), what.namespace) &&
            ps_streq(js_path_str(item, "object.metadata.name"), what.name))
            return js_get(item, "object");
    }
    return NULL;
}

static struct plan_need of_op(const struct plan_op *op)
{
    return (struct plan_need){op->kind, op->namespace, op->name, op->cluster};
}

static void drop(struct world *world, bool (*is_gone)(const struct world *, const struct json_t *))
{
    struct json_t *kept = js_array();

    for (size_t i = 0; i < js_len(world->objects); i++)
        if (!is_gone(world, js_at(world->objects, i)))
            js_push(kept, js_ref(js_at(world->objects, i)));
    js_unref(world->objects);
    world->objects = kept;
}

void world_remove(struct world *world, size_t i)
{
    struct json_t *object = js_get(js_at(world->objects, i), "object");

    ps_buf_printf(&world->trace, "  by hand: delete %s\n", js_path_str(object, "metadata.name"));
    js_set_str(js_child(object, "metadata"), "deletionTimestamp", "2026-11-22T00:00:00Z");
    stamp(world, object, "resourceVersion");
}

void world_change(struct world *world, size_t i)
{
    struct json_t *item = js_at(world->objects, i), *object = js_get(item, "object");
    struct json_t *spec = js_child(object, "spec"), *metadata = js_child(object, "metadata");

    if (!world_is_ours(item) || ps_streq(js_path_str(item, "kind"), "ControllerRevision"))
        return;
    ps_buf_printf(&world->trace, "  by hand: change %s\n", js_path_str(object, "metadata.name"));
    if (ps_streq(js_path_str(item, "kind"), "Service")) {
        js_set_str(js_child(spec, "selector"), "spring-application-name", "other");
    } else {
        struct json_t *pod = js_child(js_child(spec, "template"), "spec");

        js_set_str(pod, "restartPolicy", "Never");
        js_set_str(js_at(js_get(pod, "containers"), 0), "image", "other");
        js_set_int(metadata, "generation", js_path_int(object, "metadata.generation", 0) + 1);
    }
    stamp(world, object, "resourceVersion");
    world->may_restart = true; /* taken back, it restarts once more */
}

static struct json_t *child_input(const struct json_t *item);

/* ---- the other cluster
 * ------------------------------------------------------------------------------------------------
 */

static bool is_remote(const struct json_t *item)
{
    return js_path_str(item, "cluster") != NULL;
}

void world_hide(struct world *world, bool restart)
{
    struct json_t *seen = js_array();

    ps_buf_printf(&world->trace, "the other cluster is away%s\n", restart ? ", restart" : "");
    for (size_t i = 0; !restart && world->last_seen == NULL && i < js_len(world->objects); i++) {
        if (is_remote(js_at(world->objects, i)) && world_is_ours(js_at(world->objects, i)))
            js_push(seen, child_input(js_at(world->objects, i)));
    }
    if (restart || world->last_seen == NULL) {
        js_unref(world->last_seen);
        world->last_seen = seen;
    } else {
        js_unref(seen);
    }
}

void world_show(struct world *world)
{
    ps_buf_str(&world->trace, "the other cluster is back\n");
    js_unref(world->last_seen);
    world->last_seen = NULL;
}

/* ---- the CR and its surroundings ----------------------------------------------------------------
 */

void world_apply(struct world *world, struct json_t *spec)
{
    const int64_t generation = js_path_int(world->cr, "metadata.generation", 0);

    if (world->cr == NULL) {
        world->cr = js_object();
        struct json_t *metadata = js_child(world->cr, "metadata");

        js_set_str(metadata, "name", WORLD_NAME);
        js_set_str(metadata, "namespace", WORLD_NAMESPACE);
        js_set_str(metadata, "creationTimestamp", "2026-10-28T10:00:00Z");
        stamp(world, world->cr, "uid");
    }
    js_set(world->cr, "spec", spec);
    js_set_int(js_child(world->cr, "metadata"), "generation", generation + 1);
    stamp(world, world->cr, "resourceVersion");
    char *text PS_AUTO_FREE = js_text(spec);

    ps_buf_printf(&world->trace, "apply %s\n", text);
    world->may_restart = true;
}

void world_annotate(struct world *world, const char *key, const char *value)
{
    js_set_str(js_child(js_child(world->cr, "metadata"), "annotations"), key, value);
    stamp(world, world->cr, "resourceVersion");
    ps_buf_printf(&world->trace, "annotate %s=%s\n", key, value);
    world->may_restart = true;
}

void world_delete_cr(struct world *world)
{
    ps_buf_str(&world->trace, "delete the CR\n");
    if (js_len(js_path(world->cr, "metadata.finalizers")) == 0) {
        js_unref(world->cr);
        world->cr = NULL;
        return;
    }
    js_set_str(js_child(world->cr, "metadata"), "deletionTimestamp", "2026-11-22T00:00:00Z");
    stamp(world, world->cr, "resourceVersion");
}

void world_strip_cr(struct world *world)
{
    ps_buf_str(&world->trace, "strip the CR\n");
    js_unref(world->cr);
    world->cr = NULL;
}

void world_account(struct world *world, const char *name, struct json_t *spec)
{
    struct json_t *object = js_object();
    char *text PS_AUTO_FREE = js_text(spec);

    ps_buf_printf(&world->trace, "account %s %s\n", name, text);
    js_set_str(js_child(object, "metadata"), "name", name);
    stamp(world, object, "uid");
    stamp(world, object, "resourceVersion");
    js_set(object, "spec", spec);
    js_set(world->accounts, name, object);
}

void world_remake_account(struct world *world)
{
    ps_buf_str(&world->trace, "the account of the other cluster is made anew\n");
    stamp(world, js_get(world->accounts, WORLD_REMOTE), "uid");
}

/* By what its spec is told from another one. */
static struct json_t *spec_version(const struct json_t *object)
{
    const bool service = js_path(object, "spec.ports") != NULL;

    return js_copy(js_path(object, service ? "metadata.resourceVersion" : "metadata.generation"));
}

/* The operator remembers what its writes have left. */
static void note_written(struct json_t *item, bool partial)
{
    js_set(item, "left", partial ? js_null() : spec_version(js_get(item, "object")));
}

static struct json_t *child_input(const struct json_t *item)
{
    struct json_t *child = js_copy(item), *version = spec_version(js_get(item, "object"));

    js_set_bool(child, "written", js_equal(js_get(item, "left"), version));
    js_unref(version);
    return child;
}

static void add_item(struct world *world, enum model_kind kind, const char *cluster,
                     struct json_t *object)
{
    struct json_t *item = js_object();

    js_set_str(item, "kind", model_kind_name(kind));
    js_set_str(item, "cluster", cluster);
    js_set(item, "object", object);
    js_push(world->objects, item);
}

void world_foreign(struct world *world, enum model_kind kind, const char *namespace,
                   const char *name)
{
    struct json_t *object = js_object(), *metadata = js_child(object, "metadata");

    js_set_str(metadata, "name", name);
    js_set_str(metadata, "namespace", namespace);
    stamp(world, object, "uid");
    stamp(world, object, "resourceVersion");
    add_item(world, kind, NULL, object);
}

/* ---- time passes
 * ----------------------------------------------------------------------------------- */

static bool is_deleted(const struct world *world, const struct json_t *item)
{
    const struct json_t *reference = js_at(js_path(item, "object.metadata.ownerReferences"), 0);
    const char *uid = js_path_str(reference, "uid");

    if (js_path_str(item, "object.metadata.deletionTimestamp") != NULL)
        return true;
    return uid != NULL && !ps_streq(uid, js_path_str(world->cr, "metadata.uid"));
}

static void roll_out(struct world *world, struct json_t *object)
{
    static const char *const counts[] = {"replicas", "readyReplicas", "updatedReplicas",
                                         "availableReplicas"};
    struct json_t *status = js_object();
    const int64_t replicas = js_path_int(object, "spec.replicas", 1);

    js_set_int(status, "observedGeneration", js_path_int(object, "metadata.generation", 1));
    for (size_t i = 0; i < PS_ARRAY_LEN(counts); i++)
        js_set_int(status, counts[i], replicas);
    if (!js_equal(js_get(object, "status"), status))
        stamp(world, object, "resourceVersion");
    js_set(object, "status", status);
}

void world_tick(struct world *world)
{
    world->now_ms += 1000;
    drop(world, is_deleted);
    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);

        if (model_is_workload(snapshot_kind(js_path_str(item, "kind"))))
            roll_out(world, js_get(item, "object"));
    }
}

/* ---- operations
 * --------------------------------------------------------------------------------------- */

enum outcome {
    DONE,
    KILLED,
    CONFLICT,
    HELD,
    GONE
};

static const char *cr_uid(const struct world *world)
{
    return js_path_str(world->cr, "metadata.uid");
}

/* Nothing of this very CR stands where only we remove it. */
static bool is_clean(const struct world *world)
{
    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);
        const struct json_t *labels = js_path(item, "object.metadata.labels");

        if (ps_streq(js_str(js_get(labels, MODEL_LABEL_OWNER_UID)), cr_uid(world)) &&
            (is_remote(item) ||
             !ps_streq(js_path_str(item, "object.metadata.namespace"), WORLD_NAMESPACE)))
            return false;
    }
    return true;
}

/* Of two StatefulSets of one app each would run an instance 0. */
static bool has_numbered(const struct world *world, const struct json_t *body)
{
    const char *app = js_str(js_get(js_path(body, "metadata.labels"), MODEL_LABEL_APP));

    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);

        if (ps_streq(js_path_str(item, "kind"), "StatefulSet") &&
            ps_streq(js_str(js_get(js_path(item, "object.metadata.labels"), MODEL_LABEL_APP)), app))
            return true;
    }
    return false;
}

/* As the API server has it. */
static bool may_change(const struct json_t *from, const struct json_t *to, enum model_kind kind)
{
    static const char *const fixed[] = {"selector", "serviceName", "podManagementPolicy",
                                        "volumeClaimTemplates"};

    if (kind == MODEL_SERVICE)
        return true;
    for (size_t i = 0; i < PS_ARRAY_LEN(fixed); i++)
        if (!js_equal(js_get(js_get(from, "spec"), fixed[i]), js_get(js_get(to, "spec"), fixed[i])))
            return false;
    return true;
}

static const char *remote_uid(const struct world *world)
{
    return js_path_str(js_get(world->accounts, WORLD_REMOTE), "metadata.uid");
}

static enum outcome create(struct world *world, const struct plan_op *op)
{
    const struct json_t *labels = js_path(op->body, "metadata.labels");
    const bool elsewhere = op->cluster != NULL || !ps_streq(op->namespace, WORLD_NAMESPACE);
    const char *account = js_str(js_get(labels, MODEL_LABEL_ACCOUNT_UID));

    CHECK(world, world->cr != NULL && js_path_str(world->cr, "metadata.deletionTimestamp") == NULL);
    CHECK(world, ps_streq(js_str(js_get(labels, MODEL_LABEL_OWNER_UID)), cr_uid(world)));
    CHECK(world, ps_streq(js_str(js_get(labels, MODEL_LABEL_INSTALLATION)), INSTALLATION));
    CHECK(world, ps_streq(js_path_str(op->body, "metadata.name"), op->name));
    CHECK(world, ps_streq(js_path_str(op->body, "metadata.namespace"), op->namespace));
    CHECK(world, !elsewhere || js_len(js_path(world->cr, "metadata.finalizers")) > 0);
    CHECK(world, elsewhere == (js_path(op->body, "metadata.ownerReferences") == NULL));
    CHECK(world, js_get(world->namespaces, op->namespace) != NULL);
    CHECK(world, (op->cluster != NULL) == ps_streq(op->namespace, "gpu-namespace"));
    CHECK(world, ps_streq(account, op->cluster ? remote_uid(world) : NULL));
    CHECK(world,
          op->cluster == NULL || ps_streq(js_str(js_get(js_path(world->cr, "metadata.annotations"),
                                                        MODEL_ANNOTATION_CLUSTERS)),
                                          op->cluster));
    const struct json_t *holder = find(world, of_op(op));

    if (holder != NULL) {
        /* The snapshot has shown what is ours, so only a foreign object may stand there. */
        CHECK(world,
              js_get(js_path(holder, "metadata.annotations"), MODEL_ANNOTATION_OWNER) == NULL ||
                  (op->cluster != NULL &&
                   !ps_streq(
                       js_str(js_get(js_path(holder, "metadata.labels"), MODEL_LABEL_ACCOUNT_UID)),
                       remote_uid(world))));
        return HELD;
    }
    CHECK(world, op->kind != MODEL_STATEFUL_SET || !has_numbered(world, op->body));
    struct json_t *object = js_copy(op->body);

    stamp(world, object, "uid");
    stamp(world, object, "resourceVersion");
    js_set_int(js_child(object, "metadata"), "generation", 1);
    if (model_is_workload(op->kind) && js_path(object, "spec.replicas") == NULL)
        js_set_int(js_child(object, "spec"), "replicas", 1);
    add_item(world, op->kind, op->cluster, object);
    note_written(js_at(world->objects, js_len(world->objects) - 1), false);
    return DONE;
}

static void replace(struct world *world, const struct plan_op *op, struct json_t *object)
{
    for (size_t i = 0; i < js_len(world->objects); i++) {
        struct json_t *item = js_at(world->objects, i);

        if (js_get(item, "object") == find(world, of_op(op))) {
            js_set(item, "object", object);
            note_written(item, op->partial);
            return;
        }
    }
    ps_unreachable();
}

static enum outcome patch(struct world *world, const struct plan_op *op)
{
    struct json_t *object = find(world, of_op(op));
    const char *rv = js_path_str(op->body, "metadata.resourceVersion");
    const struct json_t *labels = js_path(object, "metadata.labels");

    CHECK(world, rv != NULL);
    CHECK(world, object != NULL);
    if (!ps_streq(rv, js_path_str(object, "metadata.resourceVersion")))
        return CONFLICT;
    CHECK(world, op->kind == MODEL_STREAM ||
                     ps_streq(js_str(js_get(labels, MODEL_LABEL_OWNER_UID)), cr_uid(world)));
    struct json_t *result = op->verb == PLAN_PATCH ? snapshot_merge(object, op->body)
                                                   : apply_strategic(object, op->body);

    CHECK(world, !js_equal(result, object)); /* no write without a change */
    CHECK(world, may_change(object, result, op->kind));
    CHECK(world, world->may_restart ||
                     js_equal(js_path(result, "spec.template"), js_path(object, "spec.template")));
    if (!js_equal(js_get(result, "spec"), js_get(object, "spec")))
        js_set_int(js_child(result, "metadata"), "generation",
                   js_path_int(object, "metadata.generation", 0) + 1);
    stamp(world, result, "resourceVersion");
    if (model_is_workload(op->kind) && js_path(result, "spec.replicas") == NULL)
        js_set_int(js_child(result, "spec"), "replicas", 1); /* the server's default */
    if (op->kind != MODEL_STREAM) {
        replace(world, op, result);
        return DONE;
    }
    const bool ends = js_path_str(result, "metadata.deletionTimestamp") != NULL &&
                      js_len(js_path(result, "metadata.finalizers")) == 0;

    js_unref(world->cr);
    world->cr = result;
    if (ends) {
        CHECK(world, is_clean(world));
        world_strip_cr(world);
    }
    return DONE;
}

static enum outcome delete (struct world *world, const struct plan_op *op) {
    struct json_t *object = find(world, of_op(op));

        if (object == NULL) return GONE;
        if (!ps_streq(op->uid, js_path_str(object, "metadata.uid"))) return CONFLICT;
        CHECK(world, ps_streq(js_str(js_get(js_path(object, "metadata.annotations"),
                                            MODEL_ANNOTATION_OWNER)),
                              OWNER));
        js_set_str(js_child(object, "metadata"), "deletionTimestamp", "2026-11-22T00:00:00Z");
        stamp(world, object, "resourceVersion"); return DONE;
}

static enum outcome perform(struct world *world, const struct plan_op *op)
{
    static const char *const verbs[] = {"create", "patch", "strategic", "patch-status", "delete"};
    static const char *const outcomes[] = {"done", "killed", "conflict", "held", "gone"};
    struct json_t *object = find(world, of_op(op));
    enum outcome outcome = KILLED;

    if (object != NULL && chance(world, world->conflict_percent))
        stamp(world, object, "resourceVersion");
    world->ops++;
    if (op->cluster != NULL) {
        CHECK(world, !world->planned_blind);
        if (chance(world, world->away_percent))
            world_hide(world, world_random(world, 2) == 0);
    }
    if (!chance(world, world->kill_percent) && (op->cluster == NULL || world->last_seen == NULL))
        outcome = op->verb == PLAN_CREATE   ? create(world, op)
                  : op->verb == PLAN_DELETE ? delete (world, op)
                                            : patch(world, op);
    ps_buf_printf(&world->trace, "    %d %s %s%s%s %s/%s: %s\n", op->stage, verbs[op->verb],
                  op->cluster ? op->cluster : "", op->cluster ? " " : "", model_kind_name(op->kind),
                  op->namespace, op->name, outcomes[outcome]);
    return outcome;
}

/* ---- jobs
 * --------------------------------------------------------------------------------------------------
 */

static void set_platform(const struct world *world, struct json_t *out, const char *name)
{
    const struct json_t *account = js_get(world->accounts, name);
    const char *namespace = js_path_str(account, "spec.kubernetes.namespace");

    js_set(out, "account", js_copy(account));
    js_set(out, "targetNamespace",
           js_copy(js_get(world->namespaces, namespace ? namespace : WORLD_NAMESPACE)));
}

/* New reference. */
static struct json_t *app_platforms(const struct world *world)
{
    const struct json_t *apps = js_path(world->cr, "spec.apps");
    struct json_t *list = js_array();

    for (size_t i = 0; i < js_len(apps); i++) {
        const char *name = js_path_str(js_at(apps, i), "platform");
        struct json_t *item = js_object();

        js_set_str(item, "name", name ? name : "");
        if (name != NULL)
            set_platform(world, item, name);
        js_push(list, item);
    }
    return list;
}

/* As the operator tells that nothing has changed of what a stream is rendered from. */
static uint64_t sources_of(const struct world *world)
{
    struct json_t *all PS_AUTO_JS = js_object(), *metadata = js_copy(js_get(world->cr, "metadata"));

    js_remove(metadata, "resourceVersion");
    js_set(all, "metadata", metadata);
    js_set(all, "spec", js_copy(js_get(world->cr, "spec")));
    js_set(all, "accounts", js_copy(world->accounts));
    js_set_str(all, "registry", world->registry);
    char *text PS_AUTO_FREE = js_text(all);

    return ps_hash(text, strlen(text));
}

/* New reference. */
static struct json_t *clusters_input(const struct world *world)
{
    struct json_t *list = js_array(), *cluster = js_object();

    js_set_str(cluster, "name", WORLD_REMOTE);
    js_set_str(cluster, "accountUid", remote_uid(world));
    js_set_str(cluster, "state", world->last_seen ? "Away" : "Synced");
    js_set_str(cluster, "uid", "gpu-namespace");
    js_push(list, cluster);
    return list;
}

static bool is_watched(const struct world *world, const struct json_t *item)
{
    const struct json_t *labels = js_path(item, "object.metadata.labels");

    return !is_remote(item) ||
           (world->last_seen == NULL &&
            ps_streq(js_str(js_get(labels, MODEL_LABEL_ACCOUNT_UID)), remote_uid(world)));
}

static struct json_t *snapshot_input(const struct world *world, struct json_t *facts)
{
    struct json_t *in = js_object(), *children = js_array();
    const char *named = js_path_str(world->cr, "spec.platform");

    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);

        if (world_is_ours(item) && is_watched(world, item))
            js_push(children, child_input(item));
    }
    for (size_t i = 0; i < js_len(world->last_seen); i++)
        js_push(children, js_copy(js_at(world->last_seen, i)));
    js_set(in, "clusters", clusters_input(world));
    js_set_int(in, "nowMs", world->now_ms);
    js_set_str(in, "installation", INSTALLATION);
    js_set_str(in, "namespace", WORLD_NAMESPACE);
    js_set_str(in, "name", WORLD_NAME);
    js_set(in, "cr", js_ref(world->cr));
    js_set_str(in, "registry", world->registry);
    set_platform(world, in, named ? named : "default");
    js_set(in, "platforms", app_platforms(world));
    js_set(in, "children", children);
    js_set(in, "facts", js_ref(facts));
    js_set_int(in, "sources", (int64_t)sources_of(world));
    js_set_int(in, "rendered", (int64_t)world->rendered);
    return in;
}

/* What is remembered spares work, and changes nothing. */
static struct plan *plan_both_ways(struct world *world, struct json_t *in)
{
    struct plan *plan = snapshot_plan(in), *anew;

    js_set_int(in, "rendered", 0);
    anew = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan), *json_anew PS_AUTO_JS = plan_json(anew);

    CHECK(world, js_equal(json, json_anew));
    CHECK(world, plan->rendered == anew->rendered);
    world->rendered = plan->rendered;
    plan_free(anew);
    return plan;
}

static void learn(const struct world *world, struct json_t *facts, struct plan_need what)
{
    struct json_t *fact = js_object();

    CHECK(world, what.cluster == NULL || !world->planned_blind);
    js_set_str(fact, "kind", model_kind_name(what.kind));
    js_set_str(fact, "namespace", what.namespace);
    js_set_str(fact, "name", what.name);
    js_set_str(fact, "cluster", what.cluster);
    js_set(fact, "object", js_copy(find(world, what)));
    js_push(facts, fact);
}

/* What became of a plan's operations: KILLED and CONFLICT end the job, HELD has a fact for the next
 * plan. */
static enum outcome perform_all(struct world *world, const struct plan *plan, struct json_t *facts)
{
    enum outcome worst = DONE;

    for (int stage = 0; stage < 4 && worst == DONE; stage++)
        for (size_t i = 0; i < plan->op_count; i++) {
            if (plan->ops[i].stage != stage)
                continue;
            const enum outcome outcome = perform(world, &plan->ops[i]);

            if (outcome == HELD)
                learn(world, facts, of_op(&plan->ops[i]));
            if (outcome != DONE && outcome != GONE && worst != KILLED)
                worst = outcome;
        }
    return worst;
}

static bool write_status(struct world *world, const struct plan *plan)
{
    if (plan->status == NULL)
        return false;
    const char *rv = js_path_str(plan->status, "metadata.resourceVersion");

    CHECK(world, world->cr != NULL && rv != NULL);
    if (!ps_streq(rv, js_path_str(world->cr, "metadata.resourceVersion")))
        return true;
    struct json_t *result = snapshot_merge(world->cr, plan->status);

    CHECK(world, !js_equal(js_get(result, "status"), js_get(world->cr, "status")));
    js_unref(world->cr);
    world->cr = result;
    stamp(world, world->cr, "resourceVersion");
    ps_buf_printf(&world->trace, "    status: %s\n",
                  js_path_str(js_at(js_path(world->cr, "status.conditions"), 0), "reason"));
    return true;
}

bool world_job(struct world *world)
{
    struct json_t *facts PS_AUTO_JS = js_array();
    bool status_only = false;

    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct json_t *in PS_AUTO_JS = snapshot_input(world, facts);

        world->planned_blind = world->last_seen != NULL;
        struct plan *plan = plan_both_ways(world, in);
        enum outcome outcome = DONE;
        bool quiet = false, ended = true;

        ps_buf_printf(&world->trace, "  plan: %s, %zu ops, %zu needs\n", plan->summary,
                      plan->op_count, plan->need_count);
        if (plan->need_count > 0) {
            for (size_t i = 0; i < plan->need_count; i++)
                learn(world, facts, plan->needs[i]);
            ended = false;
        } else if (plan->op_count > 0 && !status_only) {
            outcome = perform_all(world, plan, facts);
            status_only = outcome == HELD;
            ended = outcome != HELD;
        } else {
            quiet = !write_status(world, plan);
        }
        plan_free(plan);
        if (ended)
            return quiet;
    }
    world_fail(world, "asks and asks");
}

int world_settle(struct world *world, int max)
{
    const int kill = world->kill_percent, conflict = world->conflict_percent;
    const int away = world->away_percent;
    int jobs = 0, quiet = 0;

    world->kill_percent = world->conflict_percent = world->away_percent = 0;
    while (quiet < 2) { /* the second one sees what became of deletes */
        quiet = world_job(world) ? quiet + 1 : 0;
        world_tick(world);
        jobs += quiet == 0;
        if (jobs > max)
            return -1;
    }
    world->kill_percent = kill;
    world->conflict_percent = conflict;
    world->away_percent = away;
    world->may_restart = false;
    return jobs;
}

/* ---- what is left in the end
 * --------------------------------------------------------------------------------- */

/* "foo-a-v12" becomes "foo-a-v0". */
static void blank_numbers(struct ps_buf *out, struct ps_str text)
{
    while (text.n > 0) {
        ps_buf_char(out, text.p[0]);
        const bool number =
            ps_str_starts(text, "-v") && text.n > 2 && text.p[2] >= '0' && text.p[2] <= '9';

        text = ps_str_skip(text, 1);
        if (!number)
            continue;
        ps_buf_str(out, "v0");
        text = ps_str_skip(text, 1);
        while (text.n > 0 && text.p[0] >= '0' && text.p[0] <= '9')
            text = ps_str_skip(text, 1);
    }
}

static void forget(struct json_t *object, bool replicas)
{
    static const char *const metadata[] = {"uid", "resourceVersion", "generation",
                                           "ownerReferences"};
    struct json_t *labels = js_path(object, "metadata.labels"), *spec = js_get(object, "spec");

    for (size_t i = 0; i < PS_ARRAY_LEN(metadata); i++)
        js_remove(js_get(object, "metadata"), metadata[i]);
    js_remove(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_SUSPENDED);
    js_remove(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_BODY_HASH);
    js_remove(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_FIXED_HASH);
    js_remove(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_CORRECTED);
    js_remove(labels, MODEL_LABEL_REVISION);
    js_remove(labels, MODEL_LABEL_OWNER_UID);
    js_remove(labels, MODEL_LABEL_ACCOUNT_UID);
    js_remove(object, "status");
    if (js_len(js_path(object, "metadata.annotations")) == 0)
        js_remove(js_get(object, "metadata"), "annotations");
    /* Where nobody gives a count it is whatever it has been. */
    if (!replicas)
        js_remove(spec, "replicas");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct json_t *world_normal(const struct world *world, bool replicas)
{
    char **texts = ps_xcalloc(js_len(world->objects) + 1, sizeof(*texts));
    struct json_t *list = js_array();
    size_t n = 0;

    for (size_t i = 0; i < js_len(world->objects); i++) {
        const struct json_t *item = js_at(world->objects, i);
        PS_AUTO_BUF(out, TRACE_MAX);

        if (!world_is_ours(item) || ps_streq(js_path_str(item, "kind"), "ControllerRevision"))
            continue;
        struct json_t *object PS_AUTO_JS = js_copy(js_get(item, "object"));

        js_set(object, "cluster", js_copy(js_get(item, "cluster")));
        forget(object, replicas);
        char *text PS_AUTO_FREE = js_text(object);

        blank_numbers(&out, ps_str(text));
        texts[n++] = ps_buf_take(&out);
    }
    if (n > 0)
        qsort(texts, n, sizeof(*texts), by_text);
    for (size_t i = 0; i < n; i++) {
        js_push(list, js_string(texts[i]));
        ps_free(texts[i]);
    }
    ps_free(texts);
    return list;
}
