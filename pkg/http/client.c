/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi handle on the loop. curl calls back for sockets, time-outs and data; none of
 * these callbacks calls into curl again. What they want done is put on a list and done by settle()
 * when curl is off the stack; completions are reported from there too, so a caller may send, cancel
 * and free anything from any of its callbacks.
 */
#include "internal.h"

#include <string.h>
#include <unistd.h>

#define MAX_CONNECTIONS 32L

/* An open descriptor of curl's. It stays polled for reading while no request uses its connection:
 * to take it out and put it in again for each of them would be five system calls. */
struct http__socket {
    uv_poll_t poll;
    curl_socket_t fd;
    struct http_client *client;
    int wanted; /* by curl; 0: the connection is idle */
    int polled;
};

void http_global_init(void)
{
    ps_assert(curl_global_init_mem(CURL_GLOBAL_DEFAULT, ps_xmalloc, ps_free, ps_xrealloc,
                                   ps_xstrdup, ps_xcalloc) == CURLE_OK);
}

void http_global_fini(void)
{
    curl_global_cleanup();
}

/* ---- requests in and out of the multi handle ------------------------------------------------ */

static void link_request(struct http_request *request)
{
    struct http_client *client = request->client;

    request->next = client->requests;
    if (client->requests != NULL)
        client->requests->prev = request;
    client->requests = request;
}

static void unlink_request(struct http_request *request)
{
    struct http_client *client = request->client;

    if (request->prev != NULL) {
        request->prev->next = request->next;
    } else {
        client->requests = request->next;
    }
    if (request->next != NULL)
        request->next->prev = request->prev;
    request->prev = request->next = NULL;
}

static void leave_multi(struct http_request *request)
{
    struct http_client *client = request->client;

    client->in_curl = true;
    /* Also right for a handle that was never added. */
    (void)curl_multi_remove_handle(client->multi, request->easy);
    client->in_curl = false;
}

static void enter_multi(struct http_request *request)
{
    struct http_client *client = request->client;

    request->state = HTTP_ACTIVE;
    client->in_curl = true;
    const CURLMcode code = curl_multi_add_handle(client->multi, request->easy);

    client->in_curl = false;
    if (code != CURLM_OK) {
        (void)ps_fail(&request->err, PS_EIO, "curl: %s", curl_multi_strerror(code));
        http__todo(request, HTTP_FAILED);
    }
}

static void drop(struct http_request *request)
{
    leave_multi(request);
    unlink_request(request);
    http__request_free(request);
}

static void report(struct http_request *request, CURLcode code)
{
    request->state = HTTP_REPORTING;
    leave_multi(request);
    unlink_request(request);
    http__request_report(request, code);
    http__request_free(request);
}

static void on_idle(uv_idle_t *idle);

void http__todo(struct http_request *request, enum http__state state)
{
    struct http_client *client = request->client;

    request->state = state;
    if (request->on_todo)
        return;
    request->on_todo = true;
    request->todo_next = client->todo;
    client->todo = request;
    ps_assert(uv_idle_start(&client->idle, on_idle) == 0);
}

static void do_one(struct http_request *request)
{
    request->client->todo = request->todo_next;
    request->on_todo = false;
    switch (request->state) {
    case HTTP_WAITING:
        enter_multi(request);
        return;
    case HTTP_FAILED:
        report(request, CURLE_OK);
        return;
    case HTTP_CANCELLED:
        drop(request);
        return;
    case HTTP_ACTIVE:
    case HTTP_REPORTING:
        break;
    }
    ps_unreachable();
}

/* One completed transfer; false when there is none. */
static bool report_one(struct http_client *client)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(client->multi, &left);
    struct http_request *request = NULL;

    if (message == NULL)
        return false;
    if (message->msg != CURLMSG_DONE)
        return true;
    const CURLcode code = message->data.result; /* gone when the handle is removed */

    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&request);
    /* One on the todo list is reported, or not, from there. */
    if (!request->on_todo)
        report(request, code);
    return true;
}

static void teardown(struct http_client *client);

void http__settle(struct http_client *client)
{
    if (client->settling || client->in_curl)
        return;
    client->settling = true;
    bool more = true;

    while (more && !client->closing) {
        if (client->todo != NULL) {
            do_one(client->todo);
        } else {
            more = report_one(client);
        }
    }
    client->settling = false;
    if (client->retired && client->requests == NULL)
        client->closing = true;
    if (client->closing)
        teardown(client);
}

/* ---- sockets and time-outs ------------------------------------------------------------------ */

static void drive(struct http_client *client, curl_socket_t fd, int events)
{
    int running;

    client->in_curl = true;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    client->in_curl = false;
    http__settle(client);
}

static void on_idle(uv_idle_t *idle)
{
    struct http_client *client = PS_CONTAINER_OF(idle, struct http_client, idle);

    (void)uv_idle_stop(idle);
    drive(client, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(void *self)
{
    drive(self, CURL_SOCKET_TIMEOUT, 0);
}

/* curl's wish "now" goes through the idle step: a timer due at once could starve the sockets. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *self)
{
    struct http_client *client = self;

    (void)multi;
    if (timeout_ms == 0)
        ps_assert(uv_idle_start(&client->idle, on_idle) == 0);
    if (timeout_ms > 0) {
        loop_timer_set(client->timer, timeout_ms);
    } else {
        loop_timer_stop(client->timer);
    }
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct http__socket *sock, int events)
{
    sock->polled = events;
    ps_assert((events == 0 ? uv_poll_stop(&sock->poll)
                           : uv_poll_start(&sock->poll, events, on_poll)) == 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http__socket *sock = PS_CONTAINER_OF(poll, struct http__socket, poll);
    const int flags = ((events & UV_READABLE) ? CURL_CSELECT_IN : 0) |
                      ((events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0);

    if (sock->wanted == 0) {
        poll_for(sock, 0); /* the server has ended it: curl finds that out when it wants it */
        return;
    }
    drive(sock->client, sock->fd, status < 0 ? CURL_CSELECT_ERR : flags);
}

static void on_socket_closed(uv_handle_t *poll)
{
    ps_free(PS_CONTAINER_OF(poll, struct http__socket, poll));
}

static struct http__socket *socket_of(const struct http_client *client, curl_socket_t fd)
{
    return (size_t)fd < client->socket_count ? client->sockets[fd] : NULL;
}

/* libuv forgets the descriptor before uv_close returns: it may be closed, and its number be another
 * socket's, while this handle still waits for its close callback. */
static void socket_close(struct http__socket *sock)
{
    if (sock == NULL)
        return;
    sock->client->sockets[sock->fd] = NULL;
    uv_close((uv_handle_t *)&sock->poll, on_socket_closed);
}

/* Descriptors are small numbers: the system gives out the least that is free. */
static void make_room(struct http_client *client, curl_socket_t fd)
{
    size_t count = client->socket_count > 0 ? client->socket_count : 64;

    while (count <= (size_t)fd)
        count *= 2;
    if (count == client->socket_count)
        return;
    client->sockets = ps_xrealloc(client->sockets, count * sizeof(struct http__socket *));
    memset(&client->sockets[client->socket_count], 0,
           (count - client->socket_count) * sizeof(struct http__socket *));
    client->socket_count = count;
}

static struct http__socket *socket_new(struct http_client *client, curl_socket_t fd)
{
    struct http__socket *sock = ps_xcalloc(1, sizeof(*sock));

    sock->fd = fd;
    sock->client = client;
    ps_assert(uv_poll_init_socket(loop_uv(client->loop), &sock->poll, fd) == 0);
    make_room(client, fd);
    client->sockets[fd] = sock;
    return sock;
}

static int events_of(int what)
{
    if (what == CURL_POLL_REMOVE)
        return 0;
    return ((what & CURL_POLL_IN) ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *socket_self)
{
    struct http_client *client = self;
    struct http__socket *sock = socket_of(client, fd);

    (void)easy;
    (void)socket_self;
    if (sock == NULL && what != CURL_POLL_REMOVE)
        sock = socket_new(client, fd);
    if (sock == NULL)
        return 0;
    sock->wanted = events_of(what);
    if (sock->wanted != sock->polled && (sock->wanted != 0 || sock->polled != UV_READABLE))
        poll_for(sock, sock->wanted);
    return 0;
}

void http__socket_made(struct http_client *client, curl_socket_t fd)
{
    socket_close(socket_of(client, fd));
}

int http__socket_close(void *self, curl_socket_t fd)
{
    struct http_client *client = self;

    socket_close(socket_of(client, fd));
    return close(fd);
}

/* ---- client --------------------------------------------------------------------------------- */

static char *copy(struct ps_str text, size_t *n)
{
    *n = text.n;
    return text.n > 0 ? ps_xstrndup(text.p, text.n) : NULL;
}

/* Go's socks5 leaves names to the proxy; curl's name for that is another. */
static char *proxy_of(const char *url)
{
    const struct ps_str text = ps_str(url);
    PS_AUTO_BUF(proxy, HTTP_URL_MAX + 1);

    if (!ps_str_starts(text, "socks5://"))
        return ps_xstrdup(url);
    ps_buf_str(&proxy, "socks5h");
    ps_buf_view(&proxy, ps_str_skip(text, strlen("socks5")));
    return ps_buf_take(&proxy);
}

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options)
{
    struct http_client *client = ps_xcalloc(1, sizeof(*client));
    const long max = options->max_connections > 0 ? options->max_connections : MAX_CONNECTIONS;

    /* API servers indent their answers for curl's own name. */
    ps_assert(options->user_agent != NULL && options->user_agent[0] != '\0' &&
              !ps_str_starts(ps_str(options->user_agent), "curl"));
    client->loop = loop;
    client->user_agent = ps_xstrdup(options->user_agent);
    client->ca_pem = copy(options->ca_pem, &client->ca_n);
    client->client_cert_pem = copy(options->client_cert_pem, &client->client_cert_n);
    client->client_key_pem = copy(options->client_key_pem, &client->client_key_n);
    client->tls_server_name =
        options->tls_server_name ? ps_xstrdup(options->tls_server_name) : NULL;
    client->proxy = options->proxy ? proxy_of(options->proxy) : NULL;
    client->insecure = options->insecure;
    client->timer = loop_timer_new(loop, on_timer, client);
    ps_assert(uv_idle_init(loop_uv(loop), &client->idle) == 0);
    client->multi = curl_multi_init();
    ps_assert(client->multi != NULL);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, max);
    return client;
}

static void on_client_closed(uv_handle_t *idle)
{
    ps_free(PS_CONTAINER_OF(idle, struct http_client, idle));
}

static void teardown(struct http_client *client)
{
    while (client->requests != NULL)
        drop(client->requests);
    client->in_curl = true;
    http__easy_fini(client);
    (void)curl_multi_cleanup(client->multi);
    for (size_t i = 0; i < client->socket_count; i++)
        socket_close(client->sockets[i]);
    ps_free(client->sockets);
    ps_wipe(client->client_key_pem, client->client_key_n);
    ps_free(client->client_key_pem);
    ps_free(client->client_cert_pem);
    ps_free(client->ca_pem);
    ps_free(client->user_agent);
    ps_free(client->origin);
    ps_free(client->tls_server_name);
    if (client->proxy != NULL) /* it may hold a password */
        ps_wipe(client->proxy, strlen(client->proxy));
    ps_free(client->proxy);
    loop_timer_free(client->timer);
    uv_close((uv_handle_t *)&client->idle, on_client_closed);
}

void http_client_free(struct http_client *client)
{
    if (client == NULL || client->closing)
        return;
    client->closing = true;
    if (!client->in_curl && !client->settling)
        teardown(client);
}

void http_client_retire(struct http_client *client)
{
    client->retired = true;
    if (client->requests == NULL)
        http_client_free(client);
}

struct http_request *http_send(struct http_client *client, const struct http_send *send)
{
    ps_assert(!client->retired);
    struct http_request *request = http__request_new(client, send);

    link_request(request);
    if (request->err.code != 0) {
        http__todo(request, HTTP_FAILED);
    } else if (client->in_curl) {
        http__todo(request, HTTP_WAITING);
    } else {
        enter_multi(request);
    }
    return request;
}

void http_cancel(struct http_request *request)
{
    if (request == NULL || request->state == HTTP_REPORTING)
        return;
    if (request->client->in_curl || request->on_todo) {
        http__todo(request, HTTP_CANCELLED);
    } else {
        struct http_client *client = request->client;

        drop(request);
        if (client->retired && client->requests == NULL)
            http_client_free(client);
    }
}
