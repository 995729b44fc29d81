/* SPDX-License-Identifier: Apache-2.0 */
/* release: takes our finalizers off, so that what carries them can be deleted when no operator is
 * there any more. */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

#define OURS             "penstock.dev/"
#define OWNER_ANNOTATION "penstock.dev/owner" /* <kind>/<namespace>/<name> */
#define OPERATOR         "app.kubernetes.io/name=penstock,app.kubernetes.io/component=operator"
#define CONFLICTS_MAX    5 /* of one object, one after another */

static const struct kube_kind deployments = {"apps", "v1", "deployments", "Deployment", true};

/* What may carry a finalizer of ours. */
static const struct {
    struct kube_kind kind;
    const char *label_selector;
    bool is_child; /* names and namespaces that were asked for are those of its owner */
} sorts[] = {
    {{"penstock.dev", "v1alpha1", "streamdeployments", "StreamDeployment", true}, NULL, false},
    {{"penstock.dev", "v1alpha1", "tasklaunches", "TaskLaunch", true}, NULL, false},
    {{"penstock.dev", "v1alpha1", "platformaccounts", "PlatformAccount", false}, NULL, false},
    {{"batch", "v1", "jobs", "Job", true}, "penstock.dev/owner-uid", true},
};

struct release {
    struct cluster cluster;
    const struct plugin_options *options;
    const char *namespace; /* NULL: all */
    bool *found;           /* for each name that was asked for */
    size_t released, failed;
};

/* ---- one object --------------------------------------------------------------------------------
 */

/* Without ours; *removed is how many those were. New reference. */
static struct json_t *other_finalizers(const struct json_t *object, size_t *removed)
{
    const struct json_t *list = js_path(object, "metadata.finalizers");
    struct json_t *others = js_array();

    *removed = 0;
    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_len(list); i++) {
        if (ps_str_starts(ps_str(js_str(js_at(list, i))), OURS)) {
            *removed += 1;
        } else {
            js_push(others, js_ref(js_at(list, i)));
        }
    }
    return others;
}

static int patch(struct release *self, const struct kube_kind *kind, const struct json_t *object,
                 struct json_t *others /* takes */, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *body = js_object();
    PS_AUTO_JS struct json_t *answer = NULL;
    struct json_t *metadata = js_child(body, "metadata");
    const struct kube_request request = {
        .verb = KUBE_PATCH_MERGE,
        .kind = kind,
        .namespace = js_path_str(object, "metadata.namespace"),
        .name = js_path_str(object, "metadata.name"),
        .body = body,
    };

    js_set_str(metadata, "resourceVersion", js_path_str(object, "metadata.resourceVersion"));
    js_set(metadata, "finalizers", others);
    return cluster_ask(&self->cluster, &request, &answer, err);
}

/* The object as it is now: whoever changed it may have changed its finalizers. */
static int read_again(struct release *self, const struct kube_kind *kind,
                      const struct json_t *object, struct json_t **now, struct ps_err *err)
{
    const struct kube_request request = {
        .verb = KUBE_GET,
        .kind = kind,
        .namespace = js_path_str(object, "metadata.namespace"),
        .name = js_path_str(object, "metadata.name"),
    };

    return cluster_ask(&self->cluster, &request, now, err);
}

/* 0 when none of ours is on it any more, also because it is gone. */
static int remove_ours(struct release *self, const struct kube_kind *kind,
                       const struct json_t *object, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *current = js_copy(object);
    int code = PS_ECONFLICT;

    for (int i = 0; code == PS_ECONFLICT && i < CONFLICTS_MAX; i++) {
        size_t removed;
        struct json_t *others = other_finalizers(current, &removed);

        code = patch(self, kind, current, others, err);
        if (code != PS_ECONFLICT)
            break;
        struct json_t *now = NULL;
        const int reading = read_again(self, kind, object, &now, err);

        if (reading != 0)
            return reading == PS_ENOENT ? 0 : reading;
        js_unref(current);
        current = now;
        /* One that was made anew under this name is another one. */
        if (!ps_streq(js_path_str(now, "metadata.uid"), js_path_str(object, "metadata.uid")))
            return 0;
    }
    return code == PS_ENOENT ? 0 : code;
}

static void release_one(struct release *self, const struct kube_kind *kind,
                        const struct json_t *object)
{
    const char *namespace = js_path_str(object, "metadata.namespace");
    const char *name = js_path_str(object, "metadata.name");
    struct ps_err err = {0};
    const bool yes = plugin_has(self->options, PLUGIN_YES);
    const int code = yes ? remove_ours(self, kind, object, &err) : 0;

    (void)printf("%s %s%s%s: ", kind->kind, namespace ? namespace : "", namespace ? "/" : "",
                 name ? name : "");
    if (code != 0) {
        (void)printf("not released: %s\n", err.message);
        self->failed++;
        return;
    }
    (void)puts(yes ? "released" : "would be released");
    self->released++;
}

/* ---- which objects -----------------------------------------------------------------------------
 */

/* Namespace and name that the object is asked for by. */
static bool read_address(const struct json_t *object, bool is_child, struct ps_str *namespace,
                         struct ps_str *name)
{
    struct ps_str rest =
        ps_str(js_str(js_get(js_path(object, "metadata.annotations"), OWNER_ANNOTATION)));
    struct ps_str kind;

    if (is_child) {
        return ps_str_split(&rest, '/', &kind) && ps_str_split(&rest, '/', namespace) &&
               ps_str_split(&rest, '/', name);
    }
    *namespace = ps_str(js_path_str(object, "metadata.namespace"));
    *name = ps_str(js_path_str(object, "metadata.name"));
    return true;
}

static bool is_wanted(struct release *self, const struct json_t *object, bool is_child)
{
    struct ps_str namespace, name;
    bool wanted = self->options->word_count == 0;

    if (!read_address(object, is_child, &namespace, &name) ||
        (self->namespace != NULL && !ps_str_is(namespace, self->namespace)))
        return false;
    for (size_t i = 0; i < self->options->word_count; i++) {
        if (ps_str_is(name, self->options->words[i]))
            wanted = self->found[i] = true;
    }
    return wanted;
}

static void release_sort(struct release *self, size_t sort)
{
    const struct kube_kind *kind = &sorts[sort].kind;
    const bool is_child = sorts[sort].is_child;
    PS_AUTO_JS struct json_t *items = NULL;
    struct ps_err err = {0};
    size_t count;
    const int code = cluster_list(&self->cluster, kind, is_child ? NULL : self->namespace,
                                  sorts[sort].label_selector, &items, &err);

    if (code == PS_ENOENT) /* the kind is not installed */
        return;
    if (code != 0) {
        (void)plugin_fail(kind->plural, &err);
        self->failed++;
        return;
    }
    for (size_t i = 0; i < js_len(items); i++) {
        const struct json_t *object = js_at(items, i);

        js_unref(other_finalizers(object, &count));
        if (is_wanted(self, object, is_child) && count > 0)
            release_one(self, kind, object);
    }
}

/* ---- the operator ------------------------------------------------------------------------------
 */

/* A running operator would put the finalizers back. */
static bool operator_is_away(struct release *self)
{
    PS_AUTO_JS struct json_t *items = NULL;
    struct ps_err err = {0};

    if (cluster_list(&self->cluster, &deployments, NULL, OPERATOR, &items, &err) != 0) {
        (void)fprintf(stderr,
                      "kubectl penstock: whether the operator is running is not known: %s\n",
                      err.message);
        return true;
    }
    for (size_t i = 0; i < js_len(items); i++) {
        const struct json_t *deployment = js_at(items, i);

        if (js_path_int(deployment, "spec.replicas", 1) == 0 &&
            js_path_int(deployment, "status.replicas", 0) == 0)
            continue;
        (void)fprintf(stderr,
                      "kubectl penstock: the operator is running and would put the finalizers "
                      "back; first: kubectl -n %s scale deployment %s --replicas=0\n",
                      js_path_str(deployment, "metadata.namespace"),
                      js_path_str(deployment, "metadata.name"));
        return false;
    }
    return true;
}

/* ---- the command -------------------------------------------------------------------------------
 */

static int report(const struct release *self)
{
    size_t missing = 0;
    const bool yes = plugin_has(self->options, PLUGIN_YES);

    (void)fflush(stdout);
    for (size_t i = 0; i < self->options->word_count; i++) {
        if (self->found[i])
            continue;
        missing++;
        (void)fprintf(stderr, "kubectl penstock: nothing is called %s\n", self->options->words[i]);
    }
    if (!yes && self->released > 0)
        (void)fputs("kubectl penstock: nothing was changed; give --yes\n", stderr);
    return self->failed == 0 && missing == 0 && (yes || self->released == 0) ? 0 : PLUGIN_FINDINGS;
}

static int release_all(struct release *self)
{
    if (plugin_has(self->options, PLUGIN_YES) && !operator_is_away(self))
        return PLUGIN_FINDINGS;
    for (size_t i = 0; i < PS_ARRAY_LEN(sorts); i++) {
        if (sorts[i].kind.namespaced || self->namespace == NULL)
            release_sort(self, i);
    }
    return report(self);
}

int plugin_release(const struct plugin_options *options)
{
    struct release self = {.options = options};

    if (plugin_has(options, PLUGIN_NAMESPACE) && plugin_has(options, PLUGIN_ALL_NAMESPACES))
        return plugin_usage_error("--namespace and --all-namespaces exclude each other", NULL);
    int rc = cluster_open(&self.cluster, options);

    if (rc != 0)
        return rc;
    if (!plugin_has(options, PLUGIN_ALL_NAMESPACES)) {
        self.namespace = plugin_has(options, PLUGIN_NAMESPACE) ? options->values[PLUGIN_NAMESPACE]
                         : self.cluster.config.namespace       ? self.cluster.config.namespace
                                                               : "default";
    }
    self.found = ps_xcalloc(options->word_count + 1, sizeof(*self.found));
    rc = release_all(&self);
    ps_free(self.found);
    cluster_close(&self.cluster);
    return rc;
}
