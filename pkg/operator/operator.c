/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring: queue, executor and sources; start and stop in order. */
#include "operator/internal.h"

#include <string.h>

#define CONCURRENCY_DEFAULT ((size_t)32) /* 16 for one account: loop/queue.c keeps a share back */
#define START_RETRY_MS      2000
#define STOP_POLL_MS        10
/* Between work and giving its memory back, and at most that often: it takes about a millisecond. */
#define TRIM_MS             3000
#define SLOW_MS             300000 /* a job that takes longer is told … */
#define SLOW_POLL_MS        60000  /* … a minute later at most */

/* ---- the executor's questions --------------------------------------------------------------- */

/* A plan that rests on the stores alone sees all that has happened: its own job's writes, too,
 * which have woken the key. What was read live may be older than what came meanwhile. */
static struct plan *on_plan(void *self, const char *text, const struct plan_fact *facts,
                            size_t fact_count, const struct plan_trouble *troubles,
                            size_t trouble_count)
{
    PS_CLEANUP(operator__key_fini) struct operator__key key = operator__key_parse(text);
    const struct operator__evidence evidence = {facts, fact_count, troubles, trouble_count};
    struct controller *op = self;

    if (fact_count == 0 && trouble_count == 0)
        loop_queue_served(op->queue, text);
    struct plan *plan = key.subject->plan(op, key.namespace, key.name, &evidence);

    return plan ? plan : plan_nothing();
}

static void on_subject(void *self, const char *text, struct exec_subject *out)
{
    struct controller *op = self;
    PS_CLEANUP(operator__key_fini) struct operator__key key = operator__key_parse(text);
    const enum model_kind kind = key.subject->kind;
    const struct operator__entry *entry =
        operator__store_get(&op->stores[kind], key.namespace, key.name);

    *out = (struct exec_subject){.kind = kind};
    if (entry == NULL)
        return;
    out->namespace = entry->object->namespace;
    out->name = entry->object->name;
    out->uid = entry->object->uid;
}

static void on_observe(void *self, const char *cluster, enum model_kind kind, struct ps_str text,
                       bool written)
{
    struct controller *op = self;
    struct ps_err err = {0};
    const enum operator__origin origin = written ? OPERATOR__WRITTEN : OPERATOR__ANSWER;
    struct operator__store *stores = operator__stores_of(op, cluster);

    if (stores == NULL || stores[kind].op == NULL)
        return; /* given up meanwhile, or of no kind that is kept of such a cluster */
    /* The watch brings it, too, and says by name what it is. */
    if (operator__store_put(&stores[kind], text, origin, &err) != 0) {
        ps_log(PS_LOG_WARN, "answer_unreadable", "kind", model_kind_name(kind), "error",
               err.message, NULL);
    }
}

static void on_absent(void *self, const struct plan_need *at)
{
    struct controller *op = self;

    struct operator__store *stores = operator__stores_of(op, at->cluster);

    if (stores != NULL && stores[at->kind].op != NULL)
        operator__store_absent(&stores[at->kind], at->namespace, at->name);
}

static struct kube_client *on_client(void *self, const char *cluster)
{
    return operator__cluster_client(self, cluster);
}

static void on_suspect(void *self, const char *cluster)
{
    operator__cluster_suspect(self, cluster);
}

static void on_trim(void *self)
{
    struct controller *op = self;

    op->trim_due = false;
    ps_memory_trim();
}

static void trim_later(struct controller *op)
{
    if (!op->trim_due)
        loop_timer_set(op->trim, TRIM_MS);
    op->trim_due = true;
}

static void on_done(void *self, const char *text, bool failed, int64_t retry_ms, int64_t min_ms)
{
    struct controller *op = self;
    PS_CLEANUP(operator__key_fini) struct operator__key key = operator__key_parse(text);

    trim_later(op);
    operator__measure_done(&op->measures, key.subject->kind, text, failed, retry_ms);
    if (failed) {
        (void)loop_queue_failed(op->queue, text, min_ms);
    } else {
        loop_queue_done(op->queue, text, retry_ms);
    }
    if (key.subject->kind == MODEL_TASK)
        operator__task_ended(op, &key, failed, exec_in_doubt(op->exec, text));
}

static void on_run(void *self, const char *text)
{
    struct controller *op = self;
    PS_CLEANUP(operator__key_fini) struct operator__key key = operator__key_parse(text);

    operator__measure_run(&op->measures, key.subject->kind, text);
    exec_run(op->exec, text);
}

/* ---- start ---------------------------------------------------------------------------------- */

static void ask_installation(struct controller *op);

static void on_version(void *self, const struct kube_response *response)
{
    struct controller *op = self;
    const char *version = response->code == 0 ? js_path_str(response->object, "gitVersion") : NULL;

    op->start_call = NULL;
    if (version != NULL) {
        op->version = ps_xstrdup(version);
    } else {
        ps_log(PS_LOG_WARN, "version_unknown", "error", response->err.message, NULL);
    }
    ps_log(PS_LOG_INFO, "starting", "server", kube_client_server(op->client), "version", version,
           "installation", op->installation, "namespace", op->namespace, NULL);
    operator__sources_start(op);
}

static void ask_version(struct controller *op)
{
    const struct kube_request request = {.verb = KUBE_GET, .raw = true, .raw_path = "/version"};

    op->start_call = kube_send(op->client, &request, on_version, op);
}

static void on_installation(void *self, const struct kube_response *response)
{
    struct controller *op = self;
    const char *uid = response->code == 0 ? js_path_str(response->object, "metadata.uid") : NULL;

    op->start_call = NULL;
    if (uid == NULL) {
        ps_log(PS_LOG_WARN, "start_waits", "for", "the uid of the operator's namespace",
               "namespace", op->namespace, "error", response->err.message, NULL);
        loop_timer_set(op->retry, START_RETRY_MS);
        return;
    }
    op->installation = ps_xstrdup(uid);
    ask_version(op);
}

static void ask_installation(struct controller *op)
{
    const struct kube_request request = {
        .verb = KUBE_GET, .kind = exec_kind(MODEL_NAMESPACE), .name = op->namespace};

    op->start_call = kube_send(op->client, &request, on_installation, op);
}

bool operator__may_tell(const struct controller *op)
{
    return op->synced && op->leading && !op->stopping;
}

static void on_slow(void *self)
{
    struct controller *op = self;

    (void)exec_tell_slow(op->exec, SLOW_MS);
    loop_timer_set(op->slow, SLOW_POLL_MS);
}

/* ---- stop ----------------------------------------------------------------------------------- */

static void on_timer(void *self)
{
    struct controller *op = self;

    if (!op->stopping) {
        ask_installation(op);
        return;
    }
    if (!operator_is_at_rest(op) && loop_now_ms() < op->stop_deadline_ms) {
        loop_timer_set(op->retry, STOP_POLL_MS);
        return;
    }
    op->stopped(op->stopped_self);
}

bool operator_is_at_rest(const struct controller *op)
{
    return op->stopping && loop_queue_running(op->queue) == 0 && exec_events(op->exec) == 0;
}

void operator_stop(struct controller *op, int64_t grace_ms, void (*stopped)(void *self), void *self)
{
    op->stopping = true;
    op->stopped = stopped;
    op->stopped_self = self;
    op->stop_deadline_ms = loop_now_ms() + grace_ms;
    loop_queue_pause(op->queue);
    loop_timer_set(op->retry, 0);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void init_account_vars(struct controller *op, const struct model_properties *vars)
{
    ps_arena_init(&op->arena);
    for (size_t i = 0; vars != NULL && i < vars->count; i++) {
        model_properties_put(&op->arena, &op->account_vars,
                             ps_arena_dup(&op->arena, vars->items[i].key),
                             ps_arena_dup(&op->arena, vars->items[i].value));
    }
}

static int guard_metrics(struct controller *op, const struct operator_options *options,
                         struct ps_err *err)
{
    op->guard = operator__guard_new(
        &(struct operator__guard_options){.loop = op->loop,
                                          .client = options->reviewer,
                                          .server = op->scraped,
                                          .cert_dir = options->metrics_cert_dir},
        err);
    return op->guard != NULL ? 0 : ps_fail_prefix(err, "metrics");
}

static int debug_at(struct controller *op, const char *address, struct ps_err *err)
{
    if (address == NULL)
        return 0;
    if (!http_is_loopback(address)) {
        return ps_fail(err, PS_EINVAL,
                       "debug: %s: expected an address of this host alone, like 127.0.0.1:6060",
                       address);
    }
    op->debug = http_server_new(op->loop, address, operator__debug, op, err);
    return op->debug != NULL ? 0 : ps_fail_prefix(err, "debug");
}

static int listen_for(struct controller *op, const struct operator_options *options,
                      struct ps_err *err)
{
    if (debug_at(op, options->debug_address, err) != 0)
        return err->code;
    if (options->health_address != NULL) {
        op->admin = http_server_new(op->loop, options->health_address, operator__admin, op, err);
        if (op->admin == NULL)
            return ps_fail_prefix(err, "health");
    }
    if (options->metrics_address != NULL) {
        op->scraped =
            http_server_new(op->loop, options->metrics_address, operator__metrics, op, err);
        if (op->scraped == NULL)
            return ps_fail_prefix(err, "metrics");
    }
    return options->reviewer != NULL && op->scraped != NULL ? guard_metrics(op, options, err) : 0;
}

struct controller *operator_new(struct loop *loop, struct kube_client *client,
                                const struct operator_options *options, struct ps_err *err)
{
    struct controller *op = ps_xcalloc(1, sizeof(*op));
    const struct exec_callbacks callbacks = {.plan = on_plan,
                                             .subject = on_subject,
                                             .observe = on_observe,
                                             .absent = on_absent,
                                             .client = on_client,
                                             .suspect = on_suspect,
                                             .done = on_done,
                                             .self = op};
    const size_t concurrency = options->concurrency ? options->concurrency : CONCURRENCY_DEFAULT;

    op->loop = loop;
    op->client = client;
    op->namespace = ps_xstrdup(options->namespace);
    op->user_agent = ps_xstrdup(options->user_agent ? options->user_agent : "penstock");
    op->may_skip_verify = options->may_skip_verify;
    op->installation = options->installation ? ps_xstrdup(options->installation) : NULL;
    init_account_vars(op, options->account_vars);
    ps_map_init(&op->accounts);
    ps_map_init(&op->registries);
    ps_map_init(&op->recounts);
    operator__slots_init(&op->slots, operator__slots_changed, op);
    ps_map_init(&op->registries_told);
    operator__clusters_init(op);
    operator__sources_init(op);
    op->exec = exec_new(client, &callbacks, options->instance);
    exec_measure(op->exec, options->metrics);
    op->queue = loop_queue_new(loop, concurrency, on_run, op);
    operator__measure_init(op, options->metrics, concurrency);
    op->retry = loop_timer_new(loop, on_timer, op);
    op->trim = loop_timer_new(loop, on_trim, op);
    op->slow = loop_timer_new(loop, on_slow, op);
    loop_timer_set(op->slow, SLOW_POLL_MS);
    op->lease = options->lease;
    op->leading = op->lease == NULL;
    if (!op->leading)
        loop_queue_pause(op->queue);
    if (listen_for(op, options, err) != 0) {
        operator_free(op);
        return NULL;
    }
    return op;
}

void operator_start(struct controller *op)
{
    if (op->installation != NULL) {
        ask_version(op);
    } else {
        ask_installation(op);
    }
}

/* What the leader before has written last may not have come yet by the watches: a plan without that
 * might start what runs already, or one task too many. */
void operator_lead(struct controller *op)
{
    ps_assert(!op->leading);
    op->leading = op->catching_up = true;
    op->led_ms = loop_now_ms();
    operator__sources_refresh(op);
    operator__clusters_refresh(op);
}

void operator__caught_up(struct controller *op)
{
    op->catching_up = false;
    if (op->stopping)
        return;
    PS_AUTO_BUF(took, 32);

    ps_buf_printf(&took, "%lld", (long long)(loop_now_ms() - op->led_ms));
    ps_log(PS_LOG_INFO, "in_step", "after_ms", ps_buf_text(&took), NULL);
    loop_queue_resume(op->queue);
}

void operator_free(struct controller *op)
{
    if (op == NULL)
        return;
    if (op->admin != NULL)
        http_server_free(op->admin);
    http_server_free(op->debug);
    operator__guard_free(op->guard);
    if (op->scraped != NULL)
        http_server_free(op->scraped);
    if (op->start_call != NULL)
        kube_cancel(op->start_call);
    loop_timer_free(op->retry);
    loop_timer_free(op->trim);
    loop_timer_free(op->slow);
    operator__sources_fini(op);
    exec_free(op->exec);
    op->exec = NULL;
    operator__clusters_fini(op);
    operator__measure_fini(&op->measures);
    loop_queue_free(op->queue);
    operator__slots_fini(&op->slots);
    operator__recounts_fini(op);
    operator__accounts_fini(op);
    operator__registries_fini(op);
    ps_map_fini(&op->registries);
    operator__told_fini(op);
    ps_arena_fini(&op->arena);
    ps_free(op->namespace);
    ps_free(op->installation);
    ps_free(op->version);
    ps_free(op->user_agent);
    ps_free(op);
}
