/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange with the credentials of the client: it waits for them where they have to be
 * fetched, and is repeated once after a 401, or after a TLS failure, when newer ones are found.
 * Both are refusals before anything was done.
 */
#include "internal.h"

#include <string.h>

struct kube__exchange {
    struct kube_client *client;
    struct kube__exchange *prev, *next;
    enum kube__pool pool;
    struct http_send send; /* with the caller's callbacks; url, headers and body are copies */
    struct http_header *headers;
    struct http_request *request; /* NULL while it waits */
    struct loop_timer *timer;
    uint64_t credential; /* its number, as sent last */
    struct ps_arena arena;
    bool waiting, retried_auth, retried_tls;
    bool opened; /* with 2xx; asked for on_open only */
};

static void forget(struct kube__exchange *exchange)
{
    struct kube_client *client = exchange->client;

    if (exchange->prev != NULL) {
        exchange->prev->next = exchange->next;
    } else {
        client->exchanges = exchange->next;
    }
    if (exchange->next != NULL)
        exchange->next->prev = exchange->prev;
    loop_timer_free(exchange->timer);
    ps_arena_fini(&exchange->arena);
    ps_free(exchange);
}

/* Nothing of the client is touched after the callback: it may have been freed there. */
static void finish(struct kube__exchange *exchange, const struct http_response *response)
{
    http_done_fn *done = exchange->send.on_done;
    void *self = exchange->send.self;

    forget(exchange);
    done(self, response);
}

static void try(struct kube__exchange *exchange);

static bool should_repeat(struct kube__exchange *exchange, const struct http_response *response)
{
    if (response->status == 401 && !exchange->retried_auth) {
        exchange->retried_auth = true;
        return kube__auth_refused(exchange->client, exchange->credential);
    }
    if (response->status != 0 && response->status != 401)
        kube__auth_accepted(exchange->client, exchange->credential);
    if (response->tls_failed && !exchange->retried_tls) {
        exchange->retried_tls = true;
        return kube__auth_reread_tls(exchange->client);
    }
    return false;
}

static void on_done(void *self, const struct http_response *response)
{
    struct kube__exchange *exchange = self;

    exchange->request = NULL;
    /* The server has answered a watch that is broken off later. */
    kube__tally_add(exchange->client->tally, exchange->send.method,
                    exchange->opened ? 200 : response->status);
    if (should_repeat(exchange, response)) {
        try(exchange);
    } else {
        finish(exchange, response);
    }
}

static void on_open(void *self)
{
    struct kube__exchange *exchange = self;

    exchange->opened = true;
    exchange->send.on_open(exchange->send.self);
}

static bool on_data(void *self, struct ps_str piece)
{
    const struct kube__exchange *exchange = self;

    return exchange->send.on_data(exchange->send.self, piece);
}

static bool may_send(void *self)
{
    const struct kube__exchange *exchange = self;

    return exchange->send.may_send(exchange->send.self);
}

static void start(struct kube__exchange *exchange)
{
    struct kube_client *client = exchange->client;
    struct http_send send = exchange->send;

    send.headers = exchange->headers;
    send.bearer = kube__auth_token(client);
    send.on_done = on_done;
    send.on_open = send.on_open ? on_open : NULL;
    send.on_data = send.on_data ? on_data : NULL;
    send.may_send = send.may_send ? may_send : NULL;
    send.self = exchange;
    exchange->credential = kube__auth_number(client);
    exchange->request = http_send(client->pools[exchange->pool], &send);
}

/* From the loop only: it may end the exchange. */
static void try(struct kube__exchange *exchange)
{
    struct http_response refusal = {0};

    if (exchange->send.may_send != NULL && !may_send(exchange)) {
        (void)ps_fail(&refusal.err, PS_ECANCELED, "not sent: this process may no longer write");
        finish(exchange, &refusal);
        return;
    }
    switch (kube__auth_ready(exchange->client, &refusal.err)) {
    case KUBE__READY:
        start(exchange);
        return;
    case KUBE__WAIT:
        exchange->waiting = true;
        return;
    case KUBE__NOT_READY:
        finish(exchange, &refusal);
        return;
    }
    ps_unreachable();
}

static void on_timer(void *self)
{
    try(self);
}

static void soon(struct kube__exchange *exchange)
{
    exchange->waiting = false;
    if (exchange->timer == NULL)
        exchange->timer = loop_timer_new(exchange->client->loop, on_timer, exchange);
    loop_timer_set(exchange->timer, 0);
}

void kube__exchange_wake(struct kube_client *client)
{
    for (struct kube__exchange *exchange = client->exchanges; exchange != NULL;
         exchange = exchange->next) {
        if (exchange->waiting)
            soon(exchange);
    }
}

static void copy(struct kube__exchange *exchange, const struct http_send *send)
{
    struct ps_arena *arena = &exchange->arena;
    const struct kube_client *client = exchange->client;
    size_t n = 0;

    exchange->headers = ps_arena_array(arena, send->header_count + client->config.header_count + 1,
                                       sizeof(*exchange->headers));
    for (size_t i = 0; i < send->header_count; i++) {
        exchange->headers[n++] = (struct http_header){ps_arena_dup(arena, send->headers[i].name),
                                                      ps_arena_dup(arena, send->headers[i].value)};
    }
    for (size_t i = 0; i < client->config.header_count; i++) {
        exchange->headers[n++] =
            (struct http_header){client->config.headers[i].name, client->config.headers[i].value};
    }
    exchange->send = *send;
    exchange->send.url = ps_arena_dup(arena, send->url);
    exchange->send.header_count = n;
    if (send->body.n > 0)
        exchange->send.body = ps_str_n(ps_arena_str(arena, send->body), send->body.n);
}

struct kube__exchange *kube__exchange_start(struct kube_client *client, enum kube__pool pool,
                                            const struct http_send *send)
{
    struct kube__exchange *exchange = ps_xcalloc(1, sizeof(*exchange));
    struct ps_err ignored;

    exchange->client = client;
    exchange->pool = pool;
    ps_arena_init(&exchange->arena);
    copy(exchange, send);
    exchange->next = client->exchanges;
    if (exchange->next != NULL)
        exchange->next->prev = exchange;
    client->exchanges = exchange;
    /* The usual way has no turn of the loop in it; all others may end the exchange. */
    if ((send->may_send == NULL || send->may_send(send->self)) &&
        kube__auth_ready(client, &ignored) == KUBE__READY) {
        start(exchange);
    } else {
        soon(exchange);
    }
    return exchange;
}

void kube__exchange_cancel(struct kube__exchange *exchange)
{
    if (exchange == NULL)
        return;
    http_cancel(exchange->request);
    forget(exchange);
}
