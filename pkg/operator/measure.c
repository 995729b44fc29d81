/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator counts: passes under controller-runtime's names, what the stores hold, and how
 * streams and launches stand. What can be read off is read off when it is asked for. */
#include "operator/internal.h"

#include <string.h>

#define ACCOUNTS_MAX ((size_t)1000) /* with series of their own; more are left out */

/* controller-runtime's, in ns: from 5 ms to a minute. */
static const int64_t time_bounds[] = {
    5000000,     10000000,    25000000,    50000000,    100000000,   150000000,   200000000,
    250000000,   300000000,   350000000,   400000000,   450000000,   500000000,   600000000,
    700000000,   800000000,   900000000,   1000000000,  1250000000,  1500000000,  1750000000,
    2000000000,  2500000000,  3000000000,  3500000000,  4000000000,  4500000000,  5000000000,
    6000000000,  7000000000,  8000000000,  9000000000,  10000000000, 15000000000, 20000000000,
    25000000000, 30000000000, 40000000000, 50000000000, 60000000000,
};

static const struct metrics_desc passes_desc = {
    .name = "controller_runtime_reconcile_total",
    .help = "Total number of reconciliations per controller.",
    .type = METRICS_COUNTER,
    .labels = {"controller", "result"},
};
static const struct metrics_desc errors_desc = {
    .name = "controller_runtime_reconcile_errors_total",
    .help = "Total number of reconciliation errors per controller.",
    .type = METRICS_COUNTER,
    .labels = {"controller"},
};
static const struct metrics_desc time_desc = {
    .name = "controller_runtime_reconcile_time_seconds",
    .help = "Length of time per reconciliation per controller.",
    .type = METRICS_HISTOGRAM,
    .unit = METRICS_NS,
    .labels = {"controller"},
    .bounds = time_bounds,
    .bound_count = PS_ARRAY_LEN(time_bounds),
};
static const struct metrics_desc most_desc = {
    .name = "controller_runtime_max_concurrent_reconciles",
    .help = "Maximum number of concurrent reconciles; all controllers share it.",
    .type = METRICS_GAUGE,
    .labels = {"controller"},
};
static const struct metrics_desc active_desc = {
    .name = "controller_runtime_active_workers",
    .help = "Number of currently used workers per controller.",
    .type = METRICS_GAUGE,
    .labels = {"controller"},
};
static const struct metrics_desc objects_desc = {
    .name = "penstock_store_objects",
    .help = "Objects that are known, by resource.",
    .type = METRICS_GAUGE,
    .labels = {"resource"},
};
static const struct metrics_desc bytes_desc = {
    .name = "penstock_store_text_bytes",
    .help = "Bytes of the objects that are kept whole, packed, by resource.",
    .type = METRICS_GAUGE,
    .labels = {"resource"},
};
static const struct metrics_desc streams_desc = {
    .name = "penstock_streams",
    .help = "StreamDeployments by the phase in their status; none: no status yet.",
    .type = METRICS_GAUGE,
    .labels = {"phase"},
};
static const struct metrics_desc tasks_desc = {
    .name = "penstock_tasks",
    .help = "TaskLaunches by the phase in their status; none: no status yet.",
    .type = METRICS_GAUGE,
    .labels = {"phase"},
};
static const struct metrics_desc slots_desc = {
    .name = "penstock_account_tasks",
    .help = "Launches of a PlatformAccount that take a slot (running) or wait for one (waiting).",
    .type = METRICS_GAUGE,
    .labels = {"account", "state"},
    .series_max = 2 * ACCOUNTS_MAX + 2,
};

static const struct metrics_desc cluster_desc = {
    .name = "penstock_account_cluster_up",
    .help = "1 while the other cluster that a PlatformAccount leads to is in step, else 0.",
    .type = METRICS_GAUGE,
    .labels = {"account"},
    .series_max = ACCOUNTS_MAX + 1,
};

/* ---- passes --------------------------------------------------------------------------------- */

enum result {
    RESULT_SUCCESS,
    RESULT_ERROR,
    RESULT_REQUEUE,
    RESULT_REQUEUE_AFTER
};

static const char *const results[OPERATOR__RESULTS] = {
    [RESULT_SUCCESS] = "success",
    [RESULT_ERROR] = "error",
    [RESULT_REQUEUE] = "requeue",
    [RESULT_REQUEUE_AFTER] = "requeue_after",
};

/* NULL for kinds that have no passes. */
static const char *controller_of(enum model_kind kind)
{
    return kind == MODEL_STREAM    ? "streamdeployment"
           : kind == MODEL_TASK    ? "tasklaunch"
           : kind == MODEL_ACCOUNT ? "platformaccount"
                                   : NULL;
}

void operator__measure_run(struct operator__measures *m, enum model_kind kind, const char *key)
{
    if (m->metrics == NULL)
        return;
    int64_t *started = ps_xmalloc(sizeof(*started));

    *started = loop_now_ns();
    ps_free(ps_map_put(&m->running, key, started));
    metrics_add(m->of[kind].active, 1);
}

void operator__measure_done(struct operator__measures *m, enum model_kind kind, const char *key,
                            bool failed, int64_t retry_ms)
{
    int64_t *started PS_AUTO_FREE = m->metrics ? ps_map_remove(&m->running, key) : NULL;
    const enum result result = failed          ? RESULT_ERROR
                               : retry_ms < 0  ? RESULT_SUCCESS
                               : retry_ms == 0 ? RESULT_REQUEUE
                                               : RESULT_REQUEUE_AFTER;

    if (started == NULL)
        return;
    metrics_add(m->of[kind].active, -1);
    metrics_add(m->of[kind].passes[result], 1);
    metrics_add(m->of[kind].errors, failed);
    metrics_observe(m->of[kind].time, loop_now_ns() - *started);
}

/* ---- phases --------------------------------------------------------------------------------- */

static const char *const stream_phases[OPERATOR__STREAM_PHASES] = {
    "none", "deployed", "deploying", "partial", "failed", "undeployed", "other"};

/* What a status says can be anything: what is none of ours shares one series. */
static struct metrics_value *of_phase(const struct operator__measures *m, const char *phase)
{
    size_t i = 1;

    if (phase == NULL || *phase == '\0')
        return m->streams[0];
    while (i < OPERATOR__STREAM_PHASES - 1 && strcmp(stream_phases[i], phase) != 0)
        i++;
    return m->streams[i];
}

static void count_phases(struct controller *op)
{
    struct operator__measures *m = &op->measures;
    size_t at = 0;
    const char *key;
    void *value;

    for (size_t i = 0; i < OPERATOR__STREAM_PHASES; i++)
        metrics_set(m->streams[i], 0);
    for (size_t i = 0; i < OPERATOR__TASK_PHASES; i++)
        metrics_set(m->tasks[i], 0);
    while (ps_map_next(&op->stores[MODEL_STREAM].entries, &at, &key, &value))
        metrics_add(of_phase(m, ((struct operator__entry *)value)->object->phase), 1);
    at = 0;
    while (ps_map_next(&op->stores[MODEL_TASK].entries, &at, &key, &value))
        metrics_add(m->tasks[((struct operator__entry *)value)->object->task_phase], 1);
}

/* ---- stores --------------------------------------------------------------------------------- */

static int64_t text_bytes(const struct operator__store *store)
{
    int64_t bytes = 0;
    size_t at = 0;
    const char *key;
    void *value;

    while (store->whole && ps_map_next(&store->entries, &at, &key, &value))
        bytes += ((struct operator__entry *)value)->packed_size;
    return bytes;
}

/* In all clusters. */
static int64_t count_objects(const struct controller *op, enum model_kind kind)
{
    size_t count = op->stores[kind].entries.count, at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->clusters, &at, &key, &value))
        count += ((struct operator__cluster *)value)->stores[kind].entries.count;
    return (int64_t)count;
}

static void count_stores(struct controller *op)
{
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        metrics_set(op->measures.of[i].objects, count_objects(op, (enum model_kind)i));
        if (op->measures.of[i].bytes != NULL)
            metrics_set(op->measures.of[i].bytes, text_bytes(&op->stores[i]));
    }
}

/* ---- other clusters ------------------------------------------------------------------------- */

void operator__measure_cluster(struct operator__measures *m, struct operator__cluster *cluster)
{
    const char *name = cluster->name;

    if (m->metrics != NULL)
        cluster->up = metrics_value(m->metrics, &cluster_desc, &name);
}

void operator__measure_cluster_end(struct operator__measures *m, struct operator__cluster *cluster)
{
    const char *name = cluster->name;

    if (cluster->up != NULL)
        metrics_forget(m->metrics, &cluster_desc, &name);
    cluster->up = NULL;
}

static void count_clusters(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->clusters, &at, &key, &value)) {
        const struct operator__cluster *cluster = value;

        metrics_set(cluster->up, cluster->view.state == PLAN_CLUSTER_SYNCED);
    }
}

/* ---- accounts ------------------------------------------------------------------------------- */

struct account {
    struct metrics_value *running, *waiting;
    bool seen;
};

#define RUNNING(name)                                                                              \
    (const char *[])                                                                               \
    {                                                                                              \
        name, "running"                                                                            \
    }
#define WAITING(name)                                                                              \
    (const char *[])                                                                               \
    {                                                                                              \
        name, "waiting"                                                                            \
    }

static struct account *account_of(struct operator__measures *m, const char *name)
{
    struct account *account = ps_map_get(&m->accounts, name);

    if (account != NULL || m->accounts.count >= ACCOUNTS_MAX)
        return account;
    account = ps_xcalloc(1, sizeof(*account));
    account->running = metrics_value(m->metrics, &slots_desc, RUNNING(name));
    account->waiting = metrics_value(m->metrics, &slots_desc, WAITING(name));
    (void)ps_map_put(&m->accounts, name, account);
    return account;
}

/* Those whose last launch is gone have no series any more. */
static void forget_accounts(struct operator__measures *m, bool all)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&m->accounts, &at, &key, &value)) {
        struct account *account = value;

        if (account->seen && !all) {
            account->seen = false;
            continue;
        }
        char *name PS_AUTO_FREE = ps_xstrdup(key);

        metrics_forget(m->metrics, &slots_desc, RUNNING(name));
        metrics_forget(m->metrics, &slots_desc, WAITING(name));
        ps_free(ps_map_remove(&m->accounts, name));
    }
}

static void count_accounts(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->slots.lines, &at, &key, &value)) {
        const struct operator__line *line = value;
        struct account *account = line->launches > 0 ? account_of(&op->measures, key) : NULL;

        if (account == NULL)
            continue;
        account->seen = true;
        metrics_set(account->running, line->active);
        metrics_set(account->waiting, (int64_t)line->waiting_count);
    }
    forget_accounts(&op->measures, false);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void collect(void *self)
{
    struct controller *op = self;

    count_phases(op);
    count_stores(op);
    count_accounts(op);
    count_clusters(op);
}

static void init_kind(struct operator__measures *m, enum model_kind kind, size_t concurrency)
{
    const char *controller = controller_of(kind);

    if (controller == NULL)
        return;
    for (size_t i = 0; i < OPERATOR__RESULTS; i++) {
        m->of[kind].passes[i] =
            metrics_value(m->metrics, &passes_desc, (const char *[]){controller, results[i]});
    }
    m->of[kind].errors = metrics_value(m->metrics, &errors_desc, &controller);
    m->of[kind].time = metrics_histogram(m->metrics, &time_desc, &controller);
    m->of[kind].active = metrics_value(m->metrics, &active_desc, &controller);
    metrics_set(metrics_value(m->metrics, &most_desc, &controller), (int64_t)concurrency);
}

void operator__measure_store(struct operator__measures *m, const struct operator__store *store)
{
    const char *plural = model_kind_info(store->kind)->plural;

    m->of[store->kind].objects = metrics_value(m->metrics, &objects_desc, &plural);
    if (store->whole)
        m->of[store->kind].bytes = metrics_value(m->metrics, &bytes_desc, &plural);
}

void operator__measure_init(struct controller *op, struct metrics *metrics, size_t concurrency)
{
    struct operator__measures *m = &op->measures;

    m->metrics = metrics;
    ps_map_init(&m->running);
    ps_map_init(&m->accounts);
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++)
        init_kind(m, (enum model_kind)i, concurrency);
    for (size_t i = 0; i < OPERATOR__STREAM_PHASES; i++)
        m->streams[i] = metrics_value(metrics, &streams_desc, &stream_phases[i]);
    for (size_t i = 0; i < OPERATOR__TASK_PHASES; i++) {
        const char *name = model_task_phase_name((enum model_task_phase)i);
        const char *phase = *name != '\0' ? name : "none";

        m->tasks[i] = metrics_value(metrics, &tasks_desc, &phase);
    }
    m->hook = metrics_hook_new(metrics, collect, op);
    loop_queue_measure(op->queue, metrics, "penstock");
}

void operator__measure_fini(struct operator__measures *m)
{
    size_t at = 0;
    const char *key;
    void *value;

    metrics_hook_free(m->hook);
    if (m->metrics != NULL)
        forget_accounts(m, true);
    while (ps_map_next(&m->running, &at, &key, &value))
        ps_free(value);
    ps_map_fini(&m->running);
    ps_map_fini(&m->accounts);
}

int operator__metrics(void *self, struct ps_str path, struct ps_buf *body,
                      const char **content_type)
{
    struct controller *op = self;

    if (!ps_str_is(path, "/metrics")) {
        ps_buf_str(body, "there is /metrics\n");
        return 404;
    }
    *content_type = METRICS_CONTENT_TYPE;
    metrics_print(op->measures.metrics, body);
    return 200;
}
