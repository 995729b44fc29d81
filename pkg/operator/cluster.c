/* SPDX-License-Identifier: Apache-2.0 */
/* Other clusters: from an account and its Secret to a client, and whether it can be relied on. */
#include "operator/internal.h"

#include <string.h>

/* ---- watches -------------------------------------------------------------------------------- */

static void on_listed(struct operator__store *store)
{
    operator__cluster_judge(store->of);
}

static void on_healthy(struct operator__store *store)
{
    struct operator__cluster *c = store->of;

    if (operator__cluster_ill(c) == NULL) {
        c->ill_ms = 0;
        operator__cluster_judge(c);
        return;
    }
    if (c->ill_ms == 0)
        c->ill_ms = loop_now_ms();
    operator__cluster_suspect(c->op, c->name);
    operator__cluster_judge(c);
}

/* Namespaces are watched when the account leads to many. */
static bool is_watched(const struct operator__cluster *c, const struct operator__source *source)
{
    return source->kind != MODEL_NAMESPACE || c->namespace == NULL;
}

static void start_watches(struct operator__cluster *c)
{
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);

    for (size_t i = 0; i < count; i++) {
        if (is_watched(c, &sources[i])) {
            operator__source_start(&c->stores[sources[i].kind], &sources[i], c->client,
                                   c->namespace);
        }
    }
    c->watching = true;
}

static void stop_watches(struct operator__cluster *c)
{
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);

    for (size_t i = 0; i < count; i++)
        operator__source_stop(&c->stores[sources[i].kind]);
    c->watching = false;
    c->ill_ms = 0;
}

/* Of what the view has. */
static void learn(struct operator__cluster *c, char **fact, const char *text)
{
    if (ps_streq(*fact, text))
        return;
    operator__set_text(fact, text);
    c->view.uid = c->uid;
    c->view.version = c->version;
    c->news = true;
}

/* ---- probes --------------------------------------------------------------------------------- */

static void on_version(void *self, const struct kube_response *response)
{
    struct operator__cluster *c = self;
    const char *version = response->code == 0 ? js_path_str(response->object, "gitVersion") : NULL;

    c->version_call = NULL;
    learn(c, &c->version, version);
    operator__cluster_judge(c);
}

static void ask_version(struct operator__cluster *c)
{
    const struct kube_request request = {.verb = KUBE_GET,
                                         .raw = true,
                                         .raw_path = "/version",
                                         .timeout_ms = c->op->patience.probe_ms};

    if (c->version == NULL && c->version_call == NULL)
        c->version_call = kube_send(c->client, &request, on_version, c);
}

/* The namespace that is not watched. */
static void note_namespace(struct operator__cluster *c, const struct kube_response *response)
{
    struct operator__store *store = &c->stores[MODEL_NAMESPACE];
    struct ps_err err = {0};

    if (c->namespace == NULL)
        return;
    if (response->code != 0) {
        operator__store_absent(store, NULL, c->namespace);
    } else if (operator__store_put(store, response->text, OPERATOR__ANSWER, &err) != 0) {
        ps_log(PS_LOG_WARN, "answer_unreadable", "kind", model_kind_name(MODEL_NAMESPACE), "error",
               err.message, NULL);
    }
}

/* -1: not by itself. */
static int64_t next_probe_ms(const struct operator__cluster *c)
{
    const struct operator__patience *patience = &c->op->patience;

    if (operator__cluster_ill(c) != NULL)
        return patience->ill_ms;
    if (operator__cluster_elsewhere(c))
        return patience->other_ms;
    if (c->uid == NULL)
        return patience->absent_ms;
    return c->namespace != NULL ? patience->usual_ms : -1;
}

static void note_answer(struct operator__cluster *c, const struct kube_response *response)
{
    const char *uid = response->code == 0 ? js_path_str(response->object, "metadata.uid") : NULL;

    loop_backoff_reset(&c->backoff);
    c->doubted_ms = 0;
    c->met = true;
    c->down = false;
    operator__set_text(&c->failure, NULL);
    learn(c, &c->uid, uid);
    if (operator__cluster_elsewhere(c)) {
        stop_watches(c);
    } else {
        if (c->first_uid == NULL)
            operator__set_text(&c->first_uid, uid);
        note_namespace(c, response);
        ask_version(c);
        if (!c->watching)
            start_watches(c);
    }
    const int64_t next_ms = next_probe_ms(c);

    if (next_ms >= 0)
        loop_timer_set(c->timer, next_ms);
}

/* Whoever has been there gets a while to come back. */
static void note_failure(struct operator__cluster *c, const struct kube_response *response)
{
    const bool patient = c->met && loop_now_ms() - c->doubted_ms < c->op->patience.away_ms;

    operator__set_text(&c->failure, response->err.message);
    c->refused = response->code == PS_EAUTH || response->code == PS_EDENIED;
    if (!patient) {
        c->met = false;
        c->down = true;
        stop_watches(c);
    }
    loop_timer_set(c->timer, loop_backoff_next(&c->backoff));
}

static void on_probe(void *self, const struct kube_response *response)
{
    struct operator__cluster *c = self;

    c->probe = NULL;
    if (response->code == 0 || (response->code == PS_ENOENT && c->namespace != NULL)) {
        note_answer(c, response);
    } else {
        note_failure(c, response);
    }
    operator__cluster_judge(c);
    if (c->down) /* what waits there would hold up its key until its time is out */
        exec_cut(c->op->exec, c->name, c->failure);
}

static void probe(struct operator__cluster *c)
{
    const struct kube_request request = {.verb = KUBE_GET,
                                         .kind = exec_kind(MODEL_NAMESPACE),
                                         .name = operator__cluster_known_by(c),
                                         .timeout_ms = c->op->patience.probe_ms};

    if (c->client == NULL || c->probe != NULL)
        return;
    if (c->doubted_ms == 0)
        c->doubted_ms = loop_now_ms();
    c->probe = kube_send(c->client, &request, on_probe, c);
}

static void on_timer(void *self)
{
    probe(self);
}

void operator__cluster_suspect(struct controller *op, const char *cluster)
{
    struct operator__cluster *c = operator__cluster_get(op, cluster);

    /* While probes fail they have their own pace. */
    if (c == NULL || c->client == NULL || !c->met || c->doubted_ms != 0)
        return;
    c->doubted_ms = loop_now_ms();
    loop_timer_set(c->timer, 0);
}

/* ---- the client ----------------------------------------------------------------------------- */

static void end_client(struct operator__cluster *c)
{
    if (c->client == NULL)
        return;
    struct kube_client *client = c->client;

    stop_watches(c);
    if (c->probe != NULL)
        kube_cancel(c->probe);
    if (c->version_call != NULL)
        kube_cancel(c->version_call);
    loop_timer_stop(c->timer);
    c->probe = c->version_call = NULL;
    c->client = NULL;
    c->view.server = NULL;
    c->view.state = PLAN_CLUSTER_CONNECTING;
    c->met = c->down = c->refused = false;
    c->doubted_ms = 0;
    loop_backoff_reset(&c->backoff);
    operator__set_text(&c->failure, NULL);
    learn(c, &c->version, NULL);
    if (c->op->exec != NULL)
        exec_cut(c->op->exec, c->name, "its credential has changed, or is gone");
    kube_client_free(client);
}

static void start_client(struct operator__cluster *c, const struct kube_config *config)
{
    struct controller *op = c->op;

    c->client = kube_client_new(op->loop, config, op->user_agent);
    if (op->measures.metrics != NULL)
        kube_client_count(c->client, op->measures.metrics);
    if (op->lease != NULL)
        kube_client_fence(c->client, kube_lease_fence, op->lease);
    probe(c);
}

static void make_client(struct operator__cluster *c, const struct operator__secret *secret)
{
    struct json_t *data PS_AUTO_JS = js_parse(ps_str(secret->data), NULL);
    struct kube_config config = {0};
    struct ps_err err = {0};

    if (kube_config_from_secret(&config, data, c->op->may_skip_verify, &err) == 0) {
        start_client(c, &config);
    } else {
        operator__set_text(&c->failure, err.message);
    }
    kube_config_fini(&config);
}

static void apply_secret(struct operator__cluster *c)
{
    const struct operator__secret *secret = operator__secret_get(&c->op->secrets, c->secret);
    const uint64_t version = secret && c->op->secrets.synced ? secret->version : 0;

    if (version != c->secret_version || version == 0) {
        end_client(c);
        c->secret_version = version;
        if (version != 0)
            make_client(c, secret);
    }
    operator__cluster_judge(c);
}

struct kube_client *operator__cluster_client(const struct controller *op, const char *cluster)
{
    const struct operator__cluster *c = operator__cluster_get(op, cluster);

    return c != NULL && c->client != NULL && c->view.state == PLAN_CLUSTER_SYNCED ? c->client
                                                                                  : NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct operator__cluster *operator__cluster_get(const struct controller *op, const char *account)
{
    return ps_map_get(&op->clusters, account);
}

static void init_stores(struct operator__cluster *c)
{
    size_t count;
    const struct operator__source *sources = operator__cluster_sources(&count);

    for (size_t i = 0; i < count; i++) {
        struct operator__store *store = &c->stores[sources[i].kind];

        operator__source_init(store, c->op, &sources[i]);
        store->of = c;
        store->cluster = c->name;
        store->account_uid = c->account_uid;
        store->listed = on_listed;
        store->healthy = on_healthy;
    }
}

static struct operator__cluster *make_cluster(struct controller *op,
                                              const struct model_account *account)
{
    struct operator__cluster *c = ps_xcalloc(1, sizeof(*c));

    c->op = op;
    c->name = ps_xstrdup(account->name);
    c->account_uid = ps_xstrdup(account->uid);
    c->secret = ps_xstrdup(account->cluster_secret);
    c->namespace = account->namespace ? ps_xstrdup(account->namespace) : NULL;
    c->backoff = (struct loop_backoff){.first_ms = op->patience.retry_first_ms,
                                       .max_ms = op->patience.retry_max_ms};
    c->timer = loop_timer_new(op->loop, on_timer, c);
    c->view = (struct plan_cluster){
        .name = c->name, .account_uid = c->account_uid, .state = PLAN_CLUSTER_CONNECTING};
    init_stores(c);
    operator__measure_cluster(&op->measures, c);
    (void)ps_map_put(&op->clusters, c->name, c);
    return c;
}

static void free_cluster(struct operator__cluster *c)
{
    end_client(c);
    operator__measure_cluster_end(&c->op->measures, c);
    loop_timer_free(c->timer);
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        if (c->stores[i].op != NULL)
            operator__store_fini(&c->stores[i]);
    }
    ps_free(c->failure);
    ps_free(c->message);
    ps_free(c->uid);
    ps_free(c->first_uid);
    ps_free(c->recorded_uid);
    ps_free(c->version);
    ps_free(c->namespace);
    ps_free(c->secret);
    ps_free(c->account_uid);
    ps_free(c->name);
    ps_free(c);
}

/* The account is gone: who used it is told, and what was under way there is nobody's any more. */
static void end_cluster(struct operator__cluster *c)
{
    ps_log(PS_LOG_INFO, "cluster", "account", c->name, "state", "given up", NULL);
    c->view.state = PLAN_CLUSTER_NO_SECRET;
    operator__cluster_told(c);
    end_client(c);
    (void)ps_map_remove(&c->op->clusters, c->name);
    exec_forget(c->op->exec, c->name);
    free_cluster(c);
}

/* What was on record stays: a status can be lost. Whoever waits for the record goes on. */
static void note_record(struct operator__cluster *c, const struct model_account *account)
{
    const char *uid = js_path_str(account->status, "target.uid");

    if (uid == NULL || ps_streq(uid, c->recorded_uid))
        return;
    operator__set_text(&c->recorded_uid, uid);
    c->news = true;
}

/* All of them are fixed: another one means that the account was made anew. */
static bool is_of(const struct operator__cluster *c, const struct model_account *account)
{
    return ps_streq(c->account_uid, account->uid) && ps_streq(c->secret, account->cluster_secret) &&
           ps_streq(c->namespace, account->namespace);
}

void operator__cluster_account(struct controller *op, const char *name)
{
    const struct operator__account *account = operator__account_get(op, name);
    struct operator__cluster *c = operator__cluster_get(op, name);
    const bool remote = account != NULL && account->account->cluster_secret != NULL;

    if (c != NULL && remote && is_of(c, account->account)) {
        note_record(c, account->account);
        operator__cluster_judge(c);
        return;
    }
    if (c != NULL)
        end_cluster(c);
    if (!remote)
        return;
    operator__secrets_want(&op->secrets);
    c = make_cluster(op, account->account);
    note_record(c, account->account);
    apply_secret(c);
}

void operator__cluster_secret(struct controller *op, const char *secret)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->clusters, &at, &key, &value)) {
        struct operator__cluster *c = value;

        if (secret == NULL || ps_streq(c->secret, secret))
            apply_secret(c);
    }
}

void operator__clusters_refresh(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->clusters, &at, &key, &value)) {
        struct operator__cluster *c = value;

        if (!c->watching)
            continue;
        stop_watches(c);
        start_watches(c);
        operator__cluster_judge(c);
    }
}

void operator__clusters_init(struct controller *op)
{
    ps_map_init(&op->clusters);
    operator__secrets_init(&op->secrets, op);
    op->patience = (struct operator__patience){
        .probe_ms = 10000,
        .away_ms = 10000,
        .ill_ms = 15000,
        .absent_ms = 10000,
        .other_ms = 60000,
        .usual_ms = 300000,
        .retry_first_ms = 1000,
        .retry_max_ms = 15000, /* doubled by jitter at most: 30 s, as client-go's reflectors */
    };
}

/* No job is left. */
void operator__clusters_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->clusters, &at, &key, &value))
        free_cluster(value);
    ps_map_fini(&op->clusters);
    operator__secrets_fini(&op->secrets);
}
