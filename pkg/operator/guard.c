/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of the metrics: reviews, what is remembered of them, and the server's certificate. */
#include "operator/guard.h"

#include "codec/codec.h"

#define REVIEW_TIMEOUT_MS 4000        /* each of two; the connection ends after 10 s */
#define REVIEWS_MAX       ((size_t)8) /* at once: tokens that nobody knows cost the API server */
#define ALLOWED_MS        60000       /* controller-runtime: 1 min for the token */
#define REFUSED_MS        30000       /* and 30 s for a refusal */
#define VERDICTS_MAX      ((size_t)256)
#define CERT_POLL_MS      60000

struct verdict {
    int status;
    int64_t until_ms;
};

struct review {
    struct review *prev, *next;
    struct operator__guard *guard;
    struct kube_call *call;
    uint64_t ticket;
    char key[CODEC_SHA256_HEX];
    char *path;
};

struct operator__guard {
    struct kube_client *client;
    struct http_server *server;
    struct ps_map verdicts; /* hash of token and path -> struct verdict, owned */
    struct review *reviews;
    size_t review_count;
    bool failing; /* the last review got no answer: told once */
    struct loop_timer *reread;
    char *cert_path, *key_path;       /* NULL: our own certificate */
    char cert_hash[CODEC_SHA256_HEX]; /* of what the server shows */
};

/* ---- verdicts ------------------------------------------------------------------------------- */

static void forget(struct operator__guard *guard, bool all)
{
    const int64_t now = loop_now_ms();
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&guard->verdicts, &at, &key, &value)) {
        const struct verdict *verdict = value;

        if (all || verdict->until_ms <= now)
            ps_free(ps_map_remove(&guard->verdicts, key));
    }
}

static void remember(struct operator__guard *guard, const char *key, int status)
{
    struct verdict *verdict = ps_xcalloc(1, sizeof(*verdict));

    verdict->status = status;
    verdict->until_ms = loop_now_ms() + (status == 200 ? ALLOWED_MS : REFUSED_MS);
    if (guard->verdicts.count >= VERDICTS_MAX)
        forget(guard, false);
    if (guard->verdicts.count >= VERDICTS_MAX)
        forget(guard, true);
    ps_free(ps_map_put(&guard->verdicts, key, verdict));
}

/* 0: nobody knows. */
static int remembered(const struct operator__guard *guard, const char *key)
{
    const struct verdict *verdict = ps_map_get(&guard->verdicts, key);

    return verdict != NULL && verdict->until_ms > loop_now_ms() ? verdict->status : 0;
}

/* ---- reviews -------------------------------------------------------------------------------- */

static void review_free(struct review *review)
{
    struct operator__guard *guard = review->guard;

    if (review->prev != NULL) {
        review->prev->next = review->next;
    } else {
        guard->reviews = review->next;
    }
    if (review->next != NULL)
        review->next->prev = review->prev;
    guard->review_count--;
    ps_free(review->path);
    ps_free(review);
}

static void settle(struct review *review, int status)
{
    struct operator__guard *guard = review->guard;
    const uint64_t ticket = review->ticket;

    if (status != 500) {
        remember(guard, review->key, status);
        guard->failing = false;
    }
    review_free(review);
    http_server_decide(guard->server, ticket, status);
}

/* No answer is no permission. */
static void give_up(struct review *review, const char *what, const struct ps_err *err)
{
    if (!review->guard->failing)
        ps_log(PS_LOG_WARN, "metrics_review_failed", "review", what, "error", err->message, NULL);
    review->guard->failing = true;
    settle(review, 500);
}

static void ask(struct review *review, const struct kube_kind *kind, struct json_t *spec,
                kube_done_fn *done)
{
    struct json_t *body PS_AUTO_JS = js_object();
    PS_AUTO_BUF(version, 64);

    ps_buf_printf(&version, "%s/%s", kind->group, kind->version);
    js_set_str(body, "apiVersion", ps_buf_text(&version));
    js_set_str(body, "kind", kind->kind);
    js_set(body, "spec", spec);
    const struct kube_request request = {.verb = KUBE_CREATE,
                                         .kind = kind,
                                         .body = body,
                                         .tree = true,
                                         .timeout_ms = REVIEW_TIMEOUT_MS};

    review->call = kube_send(review->guard->client, &request, done, review);
}

static void on_access(void *self, const struct kube_response *response)
{
    struct review *review = self;

    review->call = NULL;
    if (response->code != 0) {
        give_up(review, "SubjectAccessReview", &response->err);
    } else {
        settle(review, js_path_bool(response->object, "status.allowed", false) ? 200 : 403);
    }
}

/* Whoever it is, as the API server named them. */
static void ask_access(struct review *review, const struct json_t *user)
{
    static const struct kube_kind kind = {
        .group = "authorization.k8s.io",
        .version = "v1",
        .plural = "subjectaccessreviews",
        .kind = "SubjectAccessReview",
    };
    struct json_t *spec = js_object(), *wanted = js_child(spec, "nonResourceAttributes");

    js_set_str(wanted, "path", review->path);
    js_set_str(wanted, "verb", "get");
    js_set_str(spec, "user", js_path_str(user, "username"));
    js_set_str(spec, "uid", js_path_str(user, "uid"));
    if (js_get(user, "groups") != NULL)
        js_set(spec, "groups", js_copy(js_get(user, "groups")));
    if (js_get(user, "extra") != NULL)
        js_set(spec, "extra", js_copy(js_get(user, "extra")));
    ask(review, &kind, spec, on_access);
}

static void on_token(void *self, const struct kube_response *response)
{
    struct review *review = self;
    const struct json_t *user = js_path(response->object, "status.user");

    review->call = NULL;
    if (response->code != 0) {
        give_up(review, "TokenReview", &response->err);
    } else if (!js_path_bool(response->object, "status.authenticated", false) ||
               js_path_str(user, "username") == NULL) {
        settle(review, 401);
    } else {
        ask_access(review, user);
    }
}

static void ask_token(struct review *review, struct ps_str bearer)
{
    static const struct kube_kind kind = {
        .group = "authentication.k8s.io",
        .version = "v1",
        .plural = "tokenreviews",
        .kind = "TokenReview",
    };
    struct json_t *spec = js_object();

    js_set(spec, "token", js_string_n(bearer));
    ask(review, &kind, spec, on_token);
}

static void start_review(struct operator__guard *guard, uint64_t ticket, const char *key,
                         struct ps_str path, struct ps_str bearer)
{
    struct review *review = ps_xcalloc(1, sizeof(*review));

    review->guard = guard;
    review->ticket = ticket;
    review->path = ps_xstrndup(path.p, path.n);
    for (size_t i = 0; i < sizeof(review->key); i++)
        review->key[i] = key[i];
    review->next = guard->reviews;
    if (review->next != NULL)
        review->next->prev = review;
    guard->reviews = review;
    guard->review_count++;
    ask_token(review, bearer);
}

static void on_request(void *self, uint64_t ticket, struct ps_str path, struct ps_str bearer)
{
    struct operator__guard *guard = self;
    char key[CODEC_SHA256_HEX];
    PS_AUTO_BUF(text, HTTP_SERVER_HEAD_MAX + 1);

    if (bearer.n == 0) {
        http_server_decide(guard->server, ticket, 401);
        return;
    }
    ps_buf_view(&text, bearer); /* it has no line's end: the two can't be mixed up */
    ps_buf_char(&text, '\n');
    ps_buf_view(&text, path);
    codec_sha256_hex(ps_buf_get(&text), key);
    ps_wipe(text.p, text.n);
    const int status = remembered(guard, key);

    if (status != 0) {
        http_server_decide(guard->server, ticket, status);
    } else if (guard->review_count >= REVIEWS_MAX) {
        http_server_decide(guard->server, ticket, 503);
    } else {
        start_review(guard, ticket, key, path, bearer);
    }
}

/* ---- certificate ---------------------------------------------------------------------------- */

/* Both files are written by others, perhaps just now: what can't be used changes nothing. */
static int read_certificate(struct operator__guard *guard, struct ps_err *err)
{
    PS_AUTO_BUF(cert, HTTP_PEM_MAX);
    PS_AUTO_BUF(key, HTTP_PEM_MAX);
    PS_AUTO_BUF(both, 2 * HTTP_PEM_MAX);
    char hash[CODEC_SHA256_HEX];

    if (kube_read_file(&cert, guard->cert_path, err) != 0 ||
        kube_read_file(&key, guard->key_path, err) != 0)
        return err->code;
    ps_buf_view(&both, ps_buf_get(&cert));
    ps_buf_view(&both, ps_buf_get(&key));
    codec_sha256_hex(ps_buf_get(&both), hash);
    int code = 0;

    if (!ps_streq(hash, guard->cert_hash)) {
        code = http_server_tls(guard->server, ps_buf_get(&cert), ps_buf_get(&key), err);
        if (code != 0)
            (void)ps_fail_prefix(err, "%s", guard->cert_path);
        for (size_t i = 0; code == 0 && i < sizeof(hash); i++)
            guard->cert_hash[i] = hash[i];
    }
    ps_wipe(key.p, key.n);
    ps_wipe(both.p, both.n);
    return code;
}

static void on_reread(void *self)
{
    struct operator__guard *guard = self;
    struct ps_err err = {0};

    if (read_certificate(guard, &err) != 0)
        ps_log(PS_LOG_WARN, "metrics_certificate_kept", "error", err.message, NULL);
    loop_timer_set(guard->reread, CERT_POLL_MS);
}

static int set_certificate(struct operator__guard *guard, const char *dir, struct ps_err *err)
{
    PS_AUTO_BUF(path, 4096);

    if (dir == NULL)
        return http_server_tls(guard->server, ps_str(""), ps_str(""), err);
    ps_buf_printf(&path, "%s/tls.crt", dir);
    guard->cert_path = ps_xstrdup(ps_buf_text(&path));
    ps_buf_clear(&path);
    ps_buf_printf(&path, "%s/tls.key", dir);
    guard->key_path = ps_xstrdup(ps_buf_text(&path));
    loop_timer_set(guard->reread, CERT_POLL_MS);
    return read_certificate(guard, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct operator__guard *operator__guard_new(const struct operator__guard_options *options,
                                            struct ps_err *err)
{
    struct operator__guard *guard = ps_xcalloc(1, sizeof(*guard));

    guard->client = options->client;
    guard->server = options->server;
    guard->reread = loop_timer_new(options->loop, on_reread, guard);
    ps_map_init(&guard->verdicts);
    http_server_guard(guard->server, on_request, guard);
    if (set_certificate(guard, options->cert_dir, err) == 0)
        return guard;
    operator__guard_free(guard);
    return NULL;
}

void operator__guard_free(struct operator__guard *guard)
{
    if (guard == NULL)
        return;
    while (guard->reviews != NULL) {
        kube_cancel(guard->reviews->call);
        review_free(guard->reviews);
    }
    forget(guard, true);
    ps_map_fini(&guard->verdicts);
    loop_timer_free(guard->reread);
    ps_free(guard->cert_path);
    ps_free(guard->key_path);
    ps_free(guard);
}
