/* SPDX-License-Identifier: Apache-2.0 */
/* /debug: how everything stands, as JSON, for whoever looks for what hangs. It reads, and changes
 * nothing; specs, labels and texts of objects are not shown, so no secret can be. */
#include "operator/internal.h"

#define LISTED_MAX ((size_t)1000) /* of keys that wait, and of accounts */

/* ---- queue ----------------------------------------------------------------------------------- */

static void show_key(void *self, const struct loop_queue_key *key)
{
    static const char *const levels[] = {
        [LOOP_LISTED] = "listed", [LOOP_WOKEN] = "woken", [LOOP_CHANGED] = "changed"};
    struct json_t *queue = self;
    const bool running = key->state == LOOP_KEY_RUNNING;
    struct json_t *list = js_get(queue, running ? "running" : "waiting");

    if (!running)
        js_set_int(queue, "count", js_path_int(queue, "count", 0) + 1);
    if (js_len(list) >= LISTED_MAX)
        return;
    struct json_t *shown = js_object();

    js_set_str(shown, "key", key->key);
    js_set_str(shown, "account", key->group);
    js_set_str(shown, "level", levels[key->level]);
    js_set_int(shown, running ? "forMs" : "dueInMs", running ? key->for_ms : -key->for_ms);
    if (key->failed)
        js_set_bool(shown, "failed", true);
    if (key->again)
        js_set_bool(shown, "again", true);
    js_push(list, shown);
}

static struct json_t *show_queue(struct controller *op)
{
    struct json_t *queue = js_object();

    js_set_bool(queue, "open", op->synced && op->leading && !op->stopping);
    js_set(queue, "running", js_array());
    js_set_int(queue, "count", 0);
    js_set(queue, "waiting", js_array());
    loop_queue_each(op->queue, show_key, queue);
    return queue;
}

/* ---- watches --------------------------------------------------------------------------------- */

static struct json_t *show_watches(struct controller *op)
{
    struct json_t *watches = js_array();

    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        const struct operator__store *store = &op->stores[i];

        if (store->reflector == NULL)
            continue;
        struct json_t *shown = js_object();

        js_set_str(shown, "resource", model_kind_info(store->kind)->plural);
        js_set_bool(shown, "inStep", store->synced && store->trouble == NULL);
        js_set_str(shown, "resourceVersion", store->progress);
        js_set_str(shown, "trouble", store->trouble);
        js_set_int(shown, "objects", (int64_t)store->entries.count);
        js_push(watches, shown);
    }
    return watches;
}

/* ---- accounts -------------------------------------------------------------------------------- */

/* What it is known by, and why it is not in step; no credential. */
static struct json_t *show_cluster(const struct operator__cluster *cluster)
{
    const struct plan_cluster *view = &cluster->view;
    struct json_t *shown = js_object();
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);
    size_t objects = 0;

    for (size_t i = 0; i < count; i++)
        objects += cluster->stores[sources[i].kind].entries.count;
    js_set_str(shown, "state", operator__cluster_word(view->state));
    js_set_str(shown, "because", view->message);
    js_set_str(shown, "server", view->server);
    js_set_str(shown, "uid", view->uid);
    js_set_bool(shown, "known", view->known);
    js_set_int(shown, "objects", (int64_t)objects);
    return shown;
}

static struct json_t *show_account(struct controller *op, const char *name)
{
    struct json_t *shown = js_object();
    const struct operator__account *known = operator__account_get(op, name);
    const struct operator__line *line = operator__slots_line(&op->slots, name);
    const struct operator__cluster *cluster = operator__cluster_get(op, name);

    js_set_str(shown, "name", name);
    if (cluster != NULL)
        js_set(shown, "cluster", show_cluster(cluster));
    if (known != NULL && known->account != NULL) {
        const struct model_account *account = known->account;

        js_set_str(shown, "namespace", account->namespace);
        js_set_int(shown, "generation", account->generation);
        js_set_int(shown, "maxConcurrentTasks", account->max_tasks);
        if (account->problem.code != 0)
            js_set_str(shown, "problem", account->problem.message);
    }
    js_set_int(shown, "tasksRunning", line ? line->active : 0);
    js_set_int(shown, "tasksWaiting", line ? (int64_t)line->waiting_count : 0);
    return shown;
}

static struct json_t *show_accounts(struct controller *op)
{
    struct json_t *accounts = js_array();
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[MODEL_ACCOUNT].entries, &at, &key, &value)) {
        const struct operator__entry *entry = value;

        if (js_len(accounts) < LISTED_MAX)
            js_push(accounts, show_account(op, entry->object->name));
    }
    return accounts;
}

/* ---- the process ----------------------------------------------------------------------------- */

static struct json_t *show_lease(struct controller *op)
{
    struct json_t *shown = js_object();

    js_set_bool(shown, "leading", op->leading);
    js_set_bool(shown, "elected", op->lease != NULL);
    if (op->lease != NULL) {
        js_set_bool(shown, "mayWrite", kube_lease_fence(op->lease));
        js_set_str(shown, "holder", kube_lease_holder(op->lease));
    }
    return shown;
}

static struct json_t *show_memory(struct controller *op)
{
    struct json_t *shown = js_object();
    size_t used, spare, taken;

    (void)op;
    metrics_heap(&used, &spare, &taken);
    js_set_int(shown, "usedBytes", (int64_t)used);
    js_set_int(shown, "spareBytes", (int64_t)spare);
    js_set_int(shown, "takenBytes", (int64_t)taken);
    return shown;
}

/* ---- all together ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct json_t *(*show)(struct controller *op);
} parts[] = {
    {"queue", show_queue}, {"watches", show_watches}, {"accounts", show_accounts},
    {"lease", show_lease}, {"memory", show_memory},
};

static struct json_t *show(struct controller *op, struct ps_str path)
{
    struct json_t *all = js_object();

    if (!ps_str_starts(path, "/debug"))
        return all;
    path = ps_str_skip(path, sizeof("/debug") - 1);
    for (size_t i = 0; i < PS_ARRAY_LEN(parts); i++) {
        if (path.n == 0 || (path.p[0] == '/' && ps_str_is(ps_str_skip(path, 1), parts[i].name)))
            js_set(all, parts[i].name, parts[i].show(op));
    }
    return all;
}

int operator__debug(void *self, struct ps_str path, struct ps_buf *body, const char **content_type)
{
    struct json_t *shown PS_AUTO_JS = show(self, path);

    if (js_len(shown) == 0) {
        ps_buf_str(body, "there is /debug, and of it /debug/");
        for (size_t i = 0; i < PS_ARRAY_LEN(parts); i++)
            ps_buf_printf(body, "%s%s", i > 0 ? ", " : "", parts[i].name);
        ps_buf_str(body, "\n");
        return 404;
    }
    *content_type = "application/json";
    js_print_pretty(body, shown);
    ps_buf_char(body, '\n');
    return 200;
}
