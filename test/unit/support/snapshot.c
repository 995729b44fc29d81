/* SPDX-License-Identifier: Apache-2.0 */
#include "support/snapshot.h"

#include <string.h>

#define UNPACKED_MAX ((size_t)16 * 1024 * 1024)

enum model_kind snapshot_kind(const char *name)
{
    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++)
        if (ps_streq(name, model_kind_name((enum model_kind)kind)))
            return (enum model_kind)kind;
    ps_unreachable();
}

struct json_t *snapshot_merge(const struct json_t *onto, const struct json_t *patch)
{
    if (js_type(patch) != JS_OBJECT)
        return js_copy(patch);
    struct json_t *result = js_type(onto) == JS_OBJECT ? js_copy(onto) : js_object(), *value;
    void *at = NULL;
    const char *key;

    while (js_next(patch, &at, &key, &value)) {
        if (js_type(value) == JS_NULL)
            js_remove(result, key);
        else
            js_set(result, key, snapshot_merge(js_get(result, key), value));
    }
    return result;
}

struct json_t *snapshot_unpack(const struct json_t *revision)
{
    PS_AUTO_BUF(zipped, UNPACKED_MAX);
    PS_AUTO_BUF(plain, UNPACKED_MAX);

    ps_assert(codec_base64_decode(ps_str(js_path_str(revision, "data.penstock")), &zipped, NULL) ==
              0);
    ps_assert(codec_gunzip(ps_buf_get(&zipped), &plain, NULL) == 0);
    struct json_t *content = js_parse(ps_buf_get(&plain), NULL);

    ps_assert(content != NULL);
    return content;
}

static struct model_object *project(enum model_kind kind, const struct json_t *object)
{
    PS_AUTO_FREE char *text = js_text(object);
    struct model_object *o = model_object_read(kind, ps_str(text), NULL);

    ps_assert(o != NULL);
    return o;
}

/* ---- clusters -------------------------------------------------------------------------------- */

static enum plan_cluster_state state_of(const char *name)
{
    static const char *const names[] = {
        [PLAN_CLUSTER_OWN] = "Own",
        [PLAN_CLUSTER_NO_SECRET] = "NoSecret",
        [PLAN_CLUSTER_BAD_SECRET] = "BadSecret",
        [PLAN_CLUSTER_CONNECTING] = "Connecting",
        [PLAN_CLUSTER_REFUSED] = "Refused",
        [PLAN_CLUSTER_AWAY] = "Away",
        [PLAN_CLUSTER_ELSEWHERE] = "Elsewhere",
        [PLAN_CLUSTER_SYNCED] = "Synced",
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++)
        if (ps_streq(name, names[i]))
            return (enum plan_cluster_state)i;
    ps_unreachable();
}

static void read_clusters(struct snapshot *self)
{
    const struct json_t *list = js_get(self->in, "clusters");
    const struct plan_cluster **all = ps_arena_array(&self->arena, js_len(list), sizeof(*all));

    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *from = js_at(list, i);
        struct plan_cluster *cluster = ps_arena_alloc(&self->arena, sizeof(*cluster));

        *cluster = (struct plan_cluster){.name = js_path_str(from, "name"),
                                         .account_uid = js_path_str(from, "accountUid"),
                                         .state = state_of(js_path_str(from, "state")),
                                         .message = js_path_str(from, "message"),
                                         .known = js_path_bool(from, "known", false),
                                         .uid = js_path_str(from, "uid"),
                                         .server = js_path_str(from, "server"),
                                         .version = js_path_str(from, "version")};
        all[self->s.cluster_count++] = cluster;
    }
    self->s.clusters = all;
}

static const struct plan_cluster *cluster_of(const struct snapshot *self,
                                             const struct model_account *account)
{
    for (size_t i = 0;
         account != NULL && account->cluster_secret != NULL && i < self->s.cluster_count; i++)
        if (ps_streq(self->s.clusters[i]->name, account->name))
            return self->s.clusters[i];
    return NULL;
}

static const struct model_account *account_of(struct snapshot *self, const struct json_t *object)
{
    struct model_properties *vars = ps_arena_alloc(&self->arena, sizeof(*vars));

    ps_assert(model_properties_flatten(&self->arena, js_get(self->in, "accountVars"),
                                       MODEL_PROPERTIES_MAX, vars, NULL) == 0);
    return js_type(object) == JS_OBJECT ? model_account_read(&self->arena, object, vars) : NULL;
}

static void add_platform(struct snapshot *self, const char *name, const struct json_t *account,
                         const struct json_t *target)
{
    struct plan_platform *platform = &self->platforms[self->s.platform_count++];

    platform->name = name ? name : "default";
    platform->account = account_of(self, account);
    platform->cluster = cluster_of(self, platform->account);
    if (js_type(target) == JS_OBJECT)
        platform->target = project(MODEL_NAMESPACE, target);
}

/* The account of the spec (of a launch: of its app), and then those of single apps. */
static void read_platforms(struct snapshot *self)
{
    const struct json_t *more = js_get(self->in, "platforms");
    const char *name = js_path_str(self->in, "cr.spec.platform");
    const char *own = js_path_str(js_at(js_path(self->in, "cr.spec.apps"), 0), "platform");
    const bool task = ps_streq(js_path_str(self->in, "planner"), "task");

    self->platforms = ps_arena_array(&self->arena, js_len(more) + 1, sizeof(*self->platforms));
    add_platform(self, task && own ? own : name, js_get(self->in, "account"),
                 js_get(self->in, "targetNamespace"));
    for (size_t i = 0; i < js_len(more); i++) {
        add_platform(self, js_path_str(js_at(more, i), "name"), js_get(js_at(more, i), "account"),
                     js_get(js_at(more, i), "targetNamespace"));
    }
    self->s.platforms = self->platforms;
}

static void read_objects(struct snapshot *self)
{
    const struct json_t *children = js_get(self->in, "children"), *pods = js_get(self->in, "pods");
    const struct json_t *own = js_get(self->in, "ownNamespace");

    self->children = ps_arena_array(&self->arena, js_len(children), sizeof(*self->children));
    self->pods = ps_arena_array(&self->arena, js_len(pods), sizeof(*self->pods));
    for (size_t i = 0; i < js_len(children); i++) {
        const struct json_t *child = js_at(children, i);

        struct model_object *o =
            project(snapshot_kind(js_path_str(child, "kind")), js_get(child, "object"));

        o->written = js_path_bool(child, "written", true);
        o->cluster = js_path_str(child, "cluster");
        self->children[self->s.child_count++] = o;
    }
    for (size_t i = 0; i < js_len(pods); i++) {
        struct model_object *pod = project(MODEL_POD, js_at(pods, i));

        pod->cluster = js_path_str(js_at(pods, i), "cluster");
        self->pods[self->s.pod_count++] = pod;
    }
    self->s.children = (const struct model_object *const *)self->children;
    self->s.pods = (const struct model_object *const *)self->pods;
    if (js_type(own) == JS_OBJECT)
        self->own = project(MODEL_NAMESPACE, own);
    self->s.own_namespace = self->own;
}

static void read_facts(struct snapshot *self)
{
    const struct json_t *list = js_get(self->in, "facts");
    struct plan_fact *facts = ps_arena_array(&self->arena, js_len(list), sizeof(*facts));

    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *from = js_at(list, i), *object = js_get(from, "object");
        const bool there = js_type(object) == JS_OBJECT;

        facts[i] = (struct plan_fact){.kind = snapshot_kind(js_path_str(from, "kind")),
                                      .namespace = js_path_str(from, "namespace"),
                                      .name = js_path_str(from, "name"),
                                      .seen = js_path_bool(from, "unknown", false) ? PLAN_UNKNOWN
                                              : there                              ? PLAN_PRESENT
                                                                                   : PLAN_ABSENT,
                                      .object = there ? object : NULL,
                                      .cluster = js_path_str(from, "cluster")};
    }
    self->s.facts = facts;
    self->s.fact_count = js_len(list);
}

static int code_of(const char *name)
{
#define X(code, class, text)                                                                       \
    if (ps_streq(name, ps_code_name(code)))                                                        \
        return code;
    PS_ERRORS(X)
#undef X
    ps_unreachable();
}

static void read_troubles(struct snapshot *self)
{
    const struct json_t *list = js_get(self->in, "troubles"), *rivals = js_get(self->in, "rivals");
    struct plan_trouble *troubles = ps_arena_array(&self->arena, js_len(list), sizeof(*troubles));
    struct plan_rival *others = ps_arena_array(&self->arena, js_len(rivals), sizeof(*others));

    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *from = js_at(list, i);

        troubles[i] = (struct plan_trouble){.kind = snapshot_kind(js_path_str(from, "kind")),
                                            .namespace = js_path_str(from, "namespace"),
                                            .name = js_path_str(from, "name"),
                                            .code = code_of(js_path_str(from, "code")),
                                            .reason = js_path_str(from, "reason"),
                                            .message = js_path_str(from, "message"),
                                            .cluster = js_path_str(from, "cluster")};
    }
    for (size_t i = 0; i < js_len(rivals); i++) {
        const struct json_t *from = js_at(rivals, i);

        const char **targets = ps_arena_array(&self->arena, 2, sizeof(*targets));

        targets[0] = js_path_str(from, "targetNamespace");
        targets[1] = js_path_str(from, "targetCluster");
        others[i] = (struct plan_rival){.namespace = js_path_str(from, "namespace"),
                                        .name = js_path_str(from, "name"),
                                        .uid = js_path_str(from, "uid"),
                                        .stream_name = js_path_str(from, "streamName"),
                                        .targets = targets,
                                        .target_clusters = targets + 1,
                                        .target_count = *targets != NULL,
                                        .cluster_id = js_path_str(from, "clusterId"),
                                        .created_ms = js_path_int(from, "createdMs", 0)};
    }
    self->s.troubles = troubles;
    self->s.trouble_count = js_len(list);
    self->s.rivals = others;
    self->s.rival_count = js_len(rivals);
}

struct snapshot *snapshot_new(const struct json_t *in)
{
    struct snapshot *self = ps_xcalloc(1, sizeof(*self));
    const struct json_t *cr = js_get(in, "cr");
    const char *registry = js_path_str(in, "registry");

    ps_arena_init(&self->arena);
    self->in = js_copy(in);
    self->registry = model_registry_new();
    if (registry != NULL)
        (void)model_registry_add(self->registry, "test", ps_str(registry), NULL, NULL);
    self->s.now_ms = js_path_int(self->in, "nowMs", 0);
    self->s.installation = js_path_str(self->in, "installation");
    self->s.namespace = js_path_str(self->in, "namespace");
    self->s.name = js_path_str(self->in, "name");
    self->s.cr = js_type(cr) == JS_OBJECT ? js_get(self->in, "cr") : NULL;
    self->s.registry = self->registry;
    read_clusters(self);
    read_platforms(self);
    read_objects(self);
    read_facts(self);
    read_troubles(self);
    self->s.slots.running = js_path_int(self->in, "slots.running", 0);
    self->s.slots.ahead = js_path_int(self->in, "slots.ahead", 0);
    self->s.sources = (uint64_t)js_path_int(self->in, "sources", 0);
    self->s.rendered = (uint64_t)js_path_int(self->in, "rendered", 0);
    return self;
}

void snapshot_free(struct snapshot *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->s.child_count; i++)
        ps_free(self->children[i]);
    for (size_t i = 0; i < self->s.pod_count; i++)
        ps_free(self->pods[i]);
    for (size_t i = 0; i < self->s.platform_count; i++)
        ps_free((void *)(uintptr_t)self->platforms[i].target);
    ps_free(self->own);
    model_registry_free(self->registry);
    js_unref(self->in);
    ps_arena_fini(&self->arena);
    ps_free(self);
}

struct plan *snapshot_plan(const struct json_t *in)
{
    struct snapshot *self = snapshot_new(in);
    struct plan *plan = ps_streq(js_path_str(self->in, "planner"), "task") ? plan_task(&self->s)
                                                                           : plan_stream(&self->s);

    snapshot_free(self);
    return plan;
}
