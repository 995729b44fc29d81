/* SPDX-License-Identifier: Apache-2.0 */
/* The client, and single requests. */
#include "internal.h"

#include <string.h>

#define REQUEST_TIMEOUT_MS 32000
/* Under way; more wait. Fewer than the pool has connections: pages of lists have some, too. */
#define CALLS_AT_ONCE      ((size_t)(KUBE__REQUEST_CONNECTIONS - 16))

struct kube_call {
    struct kube_client *client;
    struct kube_call *prev, *next;
    struct kube__exchange *exchange;
    struct loop_ticket *ticket;
    struct loop_timer *timer; /* only to report an error that was found before sending */
    enum kube_verb verb;
    bool tree; /* the answer is wanted as one */
    bool metadata_only;
    char *url, *body;
    int64_t timeout_ms;
    struct ps_err err;
    kube_done_fn *done;
    void *self;
};

/* ---- client --------------------------------------------------------------------------------- */

struct kube_client *kube_client_new(struct loop *loop, const struct kube_config *config,
                                    const char *user_agent)
{
    struct kube_client *client = ps_xcalloc(1, sizeof(*client));

    client->loop = loop;
    client->user_agent = ps_xstrdup(user_agent);
    client->gate = loop_gate_new(CALLS_AT_ONCE);
    kube__auth_init(client, config);
    return client;
}

void kube_client_free(struct kube_client *client)
{
    if (client == NULL)
        return;
    ps_assert(client->reflectors == 0);
    loop_gate_close(client->gate);
    while (client->calls != NULL)
        kube_cancel(client->calls);
    loop_gate_free(client->gate);
    kube__auth_fini(client);
    kube__tally_free(client->tally);
    ps_free(client->user_agent);
    ps_free(client);
}

void kube_client_fence(struct kube_client *client, bool (*may_write)(void *self), void *self)
{
    client->may_write = may_write;
    client->may_write_self = self;
}

void kube_client_measure(struct kube_client *client, struct metrics *metrics)
{
    kube_client_count(client, metrics);
    client->metrics = metrics;
}

void kube_client_count(struct kube_client *client, struct metrics *metrics)
{
    ps_assert(client->tally == NULL);
    client->tally = kube__tally_new(metrics, client->config.server);
}

const char *kube_client_server(const struct kube_client *client)
{
    return client->config.server;
}

/* ---- what is asked -------------------------------------------------------------------------- */

static const struct {
    const char *name, *method, *content_type;
    bool write;
} verbs[] = {
    [KUBE_GET] = {"get", "GET", NULL, false},
    [KUBE_LIST] = {"list", "GET", NULL, false},
    [KUBE_CREATE] = {"create", "POST", "application/json", true},
    [KUBE_PATCH_MERGE] = {"patch", "PATCH", "application/merge-patch+json", true},
    [KUBE_PATCH_STRATEGIC] = {"patch", "PATCH", "application/strategic-merge-patch+json", true},
    [KUBE_UPDATE] = {"update", "PUT", "application/json", true},
    [KUBE_DELETE] = {"delete", "DELETE", "application/json", true},
};

const char *kube_verb_name(enum kube_verb verb)
{
    return verbs[verb].name;
}

static bool is_patch(enum kube_verb verb)
{
    return verb == KUBE_PATCH_MERGE || verb == KUBE_PATCH_STRATEGIC;
}

static bool has_body(enum kube_verb verb)
{
    return verb == KUBE_CREATE || verb == KUBE_UPDATE || is_patch(verb);
}

static int check_body(const struct kube_request *request, struct ps_err *err)
{
    const char *rv = js_path_str(request->body, "metadata.resourceVersion");

    if (js_type(request->body) != JS_OBJECT) {
        return ps_fail(err, PS_EINVAL, "body: expected an object, got %s",
                       js_type_name(request->body));
    }
    if (request->verb == KUBE_UPDATE && (rv == NULL || rv[0] == '\0'))
        return ps_fail(err, PS_EINVAL, "body: nothing is replaced without its resourceVersion");
    return 0;
}

/* A collection for list and create (unless a subresource is created), one object for the rest. */
static int check(const struct kube_request *request, struct ps_err *err)
{
    const enum kube_verb verb = request->verb;

    if (request->raw && (verb != KUBE_GET || !ps_str_starts(ps_str(request->raw_path), "/")))
        return ps_fail(err, PS_EINVAL, "raw path: expected get, and a path that starts with /");
    if (request->raw)
        return 0;
    if (verb == KUBE_LIST && request->name != NULL)
        return ps_fail(err, PS_EINVAL, "name: not expected for a list");
    if (verb == KUBE_CREATE && (request->name != NULL) != (request->subresource != NULL))
        return ps_fail(err, PS_EINVAL, "name: expected for a create of a subresource only");
    if (verb != KUBE_LIST && verb != KUBE_CREATE && request->name == NULL)
        return ps_fail(err, PS_EINVAL, "name: missing");
    if (has_body(verb) && check_body(request, err) != 0)
        return err->code;
    if (verb == KUBE_DELETE && (request->uid == NULL || request->uid[0] == '\0'))
        return ps_fail(err, PS_EINVAL, "uid: nothing is deleted without it");
    if (verb == KUBE_CREATE && request->kind->namespaced && request->namespace == NULL)
        return ps_fail(err, PS_EINVAL, "namespace: missing");
    return 0;
}

static int make_url(const struct kube_client *client, const struct kube_request *request,
                    struct ps_buf *url, struct ps_err *err)
{
    int code = check(request, err);

    ps_buf_str(url, client->config.server);
    if (code == 0 && request->raw) {
        ps_buf_str(url, request->raw_path);
    } else if (code == 0) {
        code = kube_path(url, request->kind, request->namespace, request->name,
                         request->subresource, err);
    }
    if (request->verb == KUBE_LIST && request->label_selector != NULL)
        kube_query(url, "labelSelector", request->label_selector);
    if (has_body(request->verb)) {
        kube_query(url, "fieldManager", "penstock");
        kube_query(url, "fieldValidation", "Strict");
    }
    if (code == 0 && ps_buf_failed(url))
        code = ps_fail(err, PS_ELIMIT, "URL: longer than %zu bytes", url->max);
    return code;
}

static char *make_body(const struct kube_request *request)
{
    if (request->verb != KUBE_DELETE)
        return request->body != NULL ? js_text(request->body) : NULL;
    PS_AUTO_JS struct json_t *options = js_object();

    js_set_str(options, "kind", "DeleteOptions");
    js_set_str(options, "apiVersion", "v1");
    js_set_str(options, "propagationPolicy", request->foreground ? "Foreground" : "Background");
    js_set_str(js_child(options, "preconditions"), "uid", request->uid);
    return js_text(options);
}

/* ---- what is answered ----------------------------------------------------------------------- */

static void call_unlink(struct kube_call *call)
{
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        call->client->calls = call->next;
    }
    if (call->next != NULL)
        call->next->prev = call->prev;
}

static void call_free(struct kube_call *call)
{
    loop_gate_leave(call->ticket);
    loop_timer_free(call->timer);
    ps_free(call->url);
    ps_free(call->body);
    ps_free(call);
}

/* Nothing of the client is touched after the callback: it may have been freed there. */
static void finish(struct kube_call *call, struct kube_response *response)
{
    const char *reason = js_path_str(response->status, "reason");

    call_unlink(call);
    response->code = response->err.code;
    response->reason = reason ? reason : "";
    call->done(call->self, response);
    call_free(call);
}

static void on_refused(void *self)
{
    struct kube_call *call = self;
    struct kube_response response = {.err = call->err};

    finish(call, &response);
}

static void log_answer(const struct kube_call *call, const struct http_response *answer)
{
    if (!ps_log_enabled(PS_LOG_DEBUG))
        return;
    PS_AUTO_BUF(status, 16);
    ps_buf_printf(&status, "%d", answer->status);
    ps_log(PS_LOG_DEBUG, "kube_request", "verb", verbs[call->verb].name, "url", call->url, "status",
           ps_buf_text(&status), "error", answer->err.code != 0 ? answer->err.message : NULL, NULL);
}

/* Who reads decides on what stands there and wants a tree; what a write led to is only looked at.
 */
static int take_answer(struct ps_str body, const struct kube_call *call,
                       struct kube_response *response, struct json_t **tree)
{
    const bool is_write = verbs[call->verb].write;
    struct codec_paths none;

    codec_paths_init(&none, NULL, 0);
    if (call->tree)
        *tree = js_parse(body, &response->err);
    if (call->tree ? *tree == NULL : codec_pick(&none, body, NULL, &response->err) != 0) {
        /* A write was done, but what it led to can't be read. */
        response->unknown = is_write;
        response->err.code = PS_EPROTO;
        return ps_fail_prefix(&response->err, "the server's answer");
    }
    response->text = body;
    response->object = *tree;
    return 0;
}

static void on_answer(void *self, const struct http_response *answer)
{
    struct kube_call *call = self;
    const bool is_write = verbs[call->verb].write;
    struct kube_response response = {0};
    PS_AUTO_JS struct json_t *body = NULL;

    call->exchange = NULL;
    loop_gate_leave(call->ticket); /* now: the client may be gone after the callback */
    call->ticket = NULL;
    log_answer(call, answer);
    if (answer->err.code == 0 && answer->status >= 200 && answer->status < 300) {
        (void)take_answer(answer->body, call, &response, &body);
    } else {
        kube__error_of(answer, &response.err, &body);
        response.status = body;
        /* A gateway's or server's 5xx may come after the write has happened. */
        response.unknown =
            is_write && (answer->status >= 500 || (answer->err.code != 0 && answer->sent));
    }
    finish(call, &response);
}

/* Ends the call from the loop, with its err, as if that had been the answer. */
static void refuse(struct kube_call *call)
{
    call->timer = loop_timer_new(call->client->loop, on_refused, call);
    loop_timer_set(call->timer, 0);
}

static bool may_write(void *self)
{
    const struct kube_call *call = self;
    const struct kube_client *client = call->client;

    return client->may_write == NULL || client->may_write(client->may_write_self);
}

static void start(void *self)
{
    struct kube_call *call = self;
    const struct http_header headers[] = {
        {"Accept", call->metadata_only ? KUBE__ACCEPT_METADATA : "application/json"},
        {"Content-Type", verbs[call->verb].content_type},
    };
    const struct http_send send = {
        .method = verbs[call->verb].method,
        .url = call->url,
        .headers = headers,
        .header_count = headers[1].value != NULL ? 2 : 1,
        .body = ps_str(call->body),
        .timeout_ms = call->timeout_ms,
        .may_send = verbs[call->verb].write ? may_write : NULL,
        .on_done = on_answer,
        .self = call,
    };

    call->exchange = kube__exchange_start(call->client, KUBE__REQUESTS, &send);
}

/* What answers for one namespace (an admission webhook, say) may hang. */
static const char *call_group(const struct kube_request *request)
{
    return !request->raw && request->kind->namespaced ? request->namespace : NULL;
}

struct kube_call *kube_send(struct kube_client *client, const struct kube_request *request,
                            kube_done_fn *done, void *self)
{
    struct kube_call *call = ps_xcalloc(1, sizeof(*call));
    PS_AUTO_BUF(url, KUBE__URL_MAX);

    call->client = client;
    call->verb = request->verb;
    call->tree = request->tree || !verbs[request->verb].write;
    call->metadata_only = request->metadata_only && has_body(request->verb);
    call->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : REQUEST_TIMEOUT_MS;
    call->done = done;
    call->self = self;
    call->next = client->calls;
    if (call->next != NULL)
        call->next->prev = call;
    client->calls = call;
    if (make_url(client, request, &url, &call->err) != 0) {
        refuse(call);
        return call;
    }
    call->url = ps_buf_take(&url);
    call->body = make_body(request);
    call->ticket = loop_gate_enter(client->gate, call_group(request), start, call);
    return call;
}

void kube_call_print(const struct kube_call *call, struct ps_buf *out)
{
    ps_buf_printf(out, "%s %s%s", verbs[call->verb].method, call->url ? call->url : "(no URL)",
                  call->exchange ? "" : " (not sent yet)");
}

void kube_cancel(struct kube_call *call)
{
    if (call == NULL)
        return;
    call_unlink(call);
    kube__exchange_cancel(call->exchange);
    call_free(call);
}
