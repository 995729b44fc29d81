/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests: they wait for their turn, for the root and for a token, and are sent once; once
 * more where the token was refused. */
#include "internal.h"

#include <string.h>

#define BAD_TOKEN    1000 /* with 401: CF-InvalidAuthToken */
#define NO_SUCH_PATH 10000
#define LOCATION_MAX CF_URL_MAX
#define ID_QUOTED    ((size_t)128)

struct cf_call {
    struct cf_client *client;
    struct cf_call *prev, *next;
    struct loop_ticket *ticket;
    struct loop_timer *timer; /* all that may end the call comes from the loop */
    struct http_request *request;
    char *method, *url, *body;
    int64_t timeout_ms;
    uint64_t token; /* its number, as sent */
    bool is_write, waiting, repeated;
    struct ps_err err; /* found before sending */
    cf_done_fn *done;
    void *self;
};

/* ---- its end -------------------------------------------------------------------------------- */

static void unlink_call(struct cf_call *call)
{
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        call->client->calls = call->next;
    }
    if (call->next != NULL)
        call->next->prev = call->prev;
    loop_gate_leave(call->ticket);
    loop_timer_free(call->timer);
}

static void free_call(struct cf_call *call)
{
    if (call->body != NULL) /* may hold a service's credentials */
        ps_wipe(call->body, strlen(call->body));
    ps_free(call->body);
    ps_free(call->method);
    ps_free(call->url);
    ps_free(call);
}

/* Nothing of the client is touched after the callback: it may have been freed there. */
static void finish(struct cf_call *call, struct cf_response *response)
{
    unlink_call(call);
    response->code = response->err.code;
    if (response->error_title == NULL)
        response->error_title = response->error_detail = "";
    call->done(call->self, response);
    free_call(call);
}

static void end_unsent(struct cf_call *call, const struct ps_err *err)
{
    struct cf_response response = {.err = *err};

    finish(call, &response);
}

/* ---- what is answered ----------------------------------------------------------------------- */

static void log_answer(const struct cf_call *call, const struct http_response *answer)
{
    if (!ps_log_enabled(PS_LOG_DEBUG))
        return;
    PS_AUTO_BUF(status, 16);
    PS_AUTO_BUF(id, ID_QUOTED + 1);
    ps_buf_printf(&status, "%d", answer->status);
    cf__quote(&id, ps_str(http_response_header(answer, "X-Vcap-Request-Id")), ID_QUOTED);
    ps_log(PS_LOG_DEBUG, "cf_request", "method", call->method, "url", call->url, "status",
           ps_buf_text(&status), "request_id", ps_buf_text(&id), "error",
           answer->err.code != 0 ? answer->err.message : NULL, NULL);
}

/* A whole URL of the API's own, or nothing: a job elsewhere is none of ours, and would get the
 * token. */
static char *location_of(const struct cf_call *call, const struct http_response *answer)
{
    const char *location = http_response_header(answer, "Location");
    const char *api = call->client->config.api;
    PS_AUTO_BUF(url, LOCATION_MAX);

    if (location == NULL)
        return NULL;
    ps_buf_printf(&url, "%s%s", location[0] == '/' ? api : "", location);
    if (!ps_buf_failed(&url) && cf__same_origin(ps_buf_text(&url), api))
        return ps_buf_take(&url);
    ps_log(PS_LOG_WARN, "cf_location_elsewhere", "api", api, "url", call->url, NULL);
    return NULL;
}

static struct json_t *take_body(const struct cf_call *call, struct ps_str body,
                                struct cf_response *response)
{
    if (ps_str_trim(body).n == 0)
        return NULL;
    struct json_t *tree = js_parse_lenient(body, &response->err);

    if (tree == NULL) {
        response->unknown = call->is_write; /* done, but what it led to can't be read */
        response->err.code = PS_EPROTO;
        (void)ps_fail_prefix(&response->err, "the server's answer");
    }
    return tree;
}

static struct json_t *take_refusal(const struct cf_call *call, const struct http_response *answer,
                                   struct cf_response *response)
{
    struct cf__error first;
    struct json_t *tree;

    cf__error_of(answer, &response->err, &first, &tree);
    response->error_code = first.code;
    response->error_title = first.title;
    response->error_detail = first.detail;
    /* A gateway's or server's 5xx may come after the write has happened. */
    response->unknown =
        call->is_write && (answer->status >= 500 || (answer->err.code != 0 && answer->sent));
    return tree;
}

static void learn(struct cf_call *call, const struct http_response *answer,
                  const struct cf_response *response)
{
    struct cf_client *client = call->client;

    cf__client_note_limits(client, answer, response->error_code);
    /* Not whatever somebody on the way has answered. */
    if (answer->status != 401 && (answer->status / 100 == 2 || response->error_code != 0))
        cf__token_accepted(client, call->token);
    if (answer->err.code != 0 && !answer->sent && answer->err.code != PS_ECANCELED &&
        answer->err.code != PS_EINVAL)
        cf__discover_doubt(client);
    if (answer->status == 404 && response->error_code == NO_SUCH_PATH)
        cf__discover_suspect(client);
}

static void try(struct cf_call *call);

static void on_answer(void *self, const struct http_response *answer)
{
    struct cf_call *call = self;
    const bool is_success = answer->err.code == 0 && answer->status / 100 == 2;
    struct cf_response response = {.status = answer->status};
    PS_AUTO_JS struct json_t *tree = NULL;
    PS_AUTO_FREE char *location = is_success ? location_of(call, answer) : NULL;

    call->request = NULL;
    log_answer(call, answer);
    tree = is_success ? take_body(call, answer->body, &response)
                      : take_refusal(call, answer, &response);
    learn(call, answer, &response);
    if (answer->status == 401 && response.error_code == BAD_TOKEN) {
        cf__token_refused(call->client, call->token);
        if (!call->repeated) {
            call->repeated = true;
            try(call);
            return;
        }
    }
    if (is_success) {
        response.object = tree;
        response.location = location;
    }
    finish(call, &response);
}

/* ---- on its way ----------------------------------------------------------------------------- */

static bool may_write(void *self)
{
    const struct cf_call *call = self;
    const struct cf_client *client = call->client;

    return client->may_write == NULL || client->may_write(client->may_write_self);
}

static void transmit(struct cf_call *call)
{
    struct cf_client *client = call->client;
    const struct http_header headers[] = {
        {"Accept", "application/json"},
        {"Content-Type", "application/json"},
    };

    call->token = client->token.number;
    call->request =
        http_send(client->http, &(struct http_send){.method = call->method,
                                                    .url = call->url,
                                                    .headers = headers,
                                                    .header_count = call->body != NULL ? 2 : 1,
                                                    .bearer = client->token.access,
                                                    .body = ps_str(call->body),
                                                    .secret = true,
                                                    .timeout_ms = call->timeout_ms,
                                                    .may_send = call->is_write ? may_write : NULL,
                                                    .on_done = on_answer,
                                                    .self = call});
}

/* Is nothing in its way that only time or people can remove? */
static enum cf__ready is_ready(struct cf_call *call, struct ps_err *err)
{
    struct cf_client *client = call->client;
    const int64_t paused_ms = cf_client_paused_ms(client);

    if (call->is_write && !may_write(call)) {
        (void)ps_fail(err, PS_ECANCELED, "not sent: this process may no longer write");
        return CF__NOT_READY;
    }
    if (paused_ms > 0) {
        const int64_t seconds = paused_ms / 1000 + 1;

        (void)ps_fail(err, PS_ETHROTTLED, "the server has asked for %lld s without requests",
                      (long long)seconds);
        err->retry_after_ms = paused_ms;
        return CF__NOT_READY;
    }
    const enum cf__ready found = cf__discover_ready(client, err);

    return found == CF__READY ? cf__token_ready(client, err) : found;
}

/* From the loop only: it may end the call. */
static void try(struct cf_call *call)
{
    struct ps_err err;

    switch (is_ready(call, &err)) {
    case CF__READY:
        transmit(call);
        return;
    case CF__WAIT:
        call->waiting = true;
        return;
    case CF__NOT_READY:
        end_unsent(call, &err);
        return;
    }
    ps_unreachable();
}

static void on_timer(void *self)
{
    struct cf_call *call = self;

    call->waiting = false;
    if (call->err.code != 0) {
        end_unsent(call, &call->err);
    } else {
        try(call);
    }
}

static void soon(void *self)
{
    const struct cf_call *call = self;

    loop_timer_set(call->timer, 0);
}

void cf__client_wake(struct cf_client *client)
{
    for (struct cf_call *call = client->calls; call != NULL; call = call->next) {
        if (call->waiting)
            soon(call);
    }
}

/* ---- what is asked -------------------------------------------------------------------------- */

static int check(const struct cf_request *request, struct ps_err *err)
{
    static const char *const methods[] = {"GET", "POST", "PATCH", "PUT", "DELETE"};
    bool known = false;

    for (size_t i = 0; i < PS_ARRAY_LEN(methods); i++)
        known = known || ps_streq(request->method, methods[i]);
    if (!known)
        return ps_fail(err, PS_EINVAL, "method: expected GET, POST, PATCH, PUT or DELETE");
    if (request->body != NULL && js_type(request->body) != JS_OBJECT)
        return ps_fail(err, PS_EINVAL, "body: expected an object");
    if (request->body != NULL && ps_streq(request->method, "GET"))
        return ps_fail(err, PS_EINVAL, "body: not expected for GET");
    return 0;
}

static int make_url(const struct cf_client *client, const char *path, struct ps_buf *url,
                    struct ps_err *err)
{
    const char *api = client->config.api;

    if (path == NULL || path[0] == '\0')
        return ps_fail(err, PS_EINVAL, "path: missing");
    if (path[0] == '/')
        ps_buf_str(url, api);
    ps_buf_str(url, path);
    if (ps_buf_failed(url))
        return ps_fail(err, PS_ELIMIT, "URL: longer than %zu bytes", url->max);
    if (!cf__same_origin(ps_buf_text(url), api))
        return ps_fail(err, PS_EINVAL, "path: expected one of the API at %s", api);
    return 0;
}

struct cf_call *cf_send(struct cf_client *client, const struct cf_request *request,
                        cf_done_fn *done, void *self)
{
    struct cf_call *call = ps_xcalloc(1, sizeof(*call));
    PS_AUTO_BUF(url, CF_URL_MAX);

    call->client = client;
    call->method = ps_xstrdup(request->method != NULL ? request->method : "");
    call->is_write = !ps_streq(request->method, "GET");
    call->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : CF__TIMEOUT_MS;
    call->done = done;
    call->self = self;
    call->timer = loop_timer_new(client->loop, on_timer, call);
    call->next = client->calls;
    if (call->next != NULL)
        call->next->prev = call;
    client->calls = call;
    if (check(request, &call->err) != 0 || make_url(client, request->path, &url, &call->err) != 0) {
        soon(call);
        return call;
    }
    call->url = ps_buf_take(&url);
    call->body = request->body != NULL ? js_text(request->body) : NULL;
    call->ticket = loop_gate_enter(client->gate, NULL, soon, call);
    return call;
}

void cf_cancel(struct cf_call *call)
{
    if (call == NULL)
        return;
    http_cancel(call->request);
    unlink_call(call);
    free_call(call);
}
