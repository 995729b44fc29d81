/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP server for health and metrics: GET only, one answer for each connection, everything
 * bounded in size, number and time.
 */
#include "internal.h"

#include <string.h>

#define SERVER_TIMEOUT_MS 10000 /* from accept to the end of the answer */
#define SERVER_BODY_MAX   ((size_t)16 * 1024 * 1024)
#define SERVER_BACKLOG    128
#define ADDRESS_MAX       ((size_t)64)

struct http_server {
    uv_tcp_t tcp;
    struct loop *loop;
    http_handler_fn *handler;
    void *self;
    struct connection *connections;
    size_t count;
    bool held; /* libuv holds accepted sockets back until one is taken */
    bool freed;
};

struct connection {
    uv_tcp_t tcp;
    struct http_server *server;
    struct connection *prev, *next;
    struct loop_timer *timer;
    struct ps_buf head, answer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool answered, closing;
    char piece[2048];
};

/* ---- connections ---------------------------------------------------------------------------- */

static void accept_one(struct http_server *server);

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *conn = PS_CONTAINER_OF(handle, struct connection, tcp);

    ps_buf_fini(&conn->head);
    ps_buf_fini(&conn->answer);
    ps_free(conn);
}

static void connection_close(struct connection *conn)
{
    struct http_server *server = conn->server;

    if (conn->closing)
        return;
    conn->closing = true;
    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        server->connections = conn->next;
    }
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    server->count--;
    loop_timer_free(conn->timer);
    uv_close((uv_handle_t *)&conn->tcp, on_connection_closed);
    if (server->held && !server->freed)
        accept_one(server);
}

static void on_late(void *self)
{
    connection_close(self);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status; /* the client's end of file, or the time-out, closes */
}

static void on_written(uv_write_t *req, int status)
{
    struct connection *conn = PS_CONTAINER_OF(req, struct connection, write);

    if (conn->closing)
        return;
    /* Closing at once could reset the connection before the client has read the answer. */
    if (status != 0 || uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shutdown) != 0)
        connection_close(conn);
}

/* ---- answers -------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return status < 400 ? "OK" : status < 500 ? "Bad Request" : "Internal Server Error";
    }
}

static void answer(struct connection *conn, int status, const char *type, struct ps_str body)
{
    struct ps_buf *out = &conn->answer;

    conn->answered = true;
    ps_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    ps_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.n);
    ps_buf_str(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    ps_buf_str(out, status == 405 ? "Allow: GET\r\n" : "");
    ps_buf_str(out, "Connection: close\r\n\r\n");
    ps_buf_view(out, body);
    ps_assert(!ps_buf_failed(out));
    const uv_buf_t piece = uv_buf_init(out->p, (unsigned int)out->n);

    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &piece, 1, on_written) != 0)
        connection_close(conn);
}

static void refuse(struct connection *conn, int status)
{
    PS_AUTO_BUF(body, 128);
    ps_buf_printf(&body, "%s\n", reason_of(status));
    answer(conn, status, "text/plain; charset=utf-8", ps_buf_get(&body));
}

static void handle(struct connection *conn, struct ps_str path)
{
    struct http_server *server = conn->server;
    const char *type = "text/plain; charset=utf-8";
    PS_AUTO_BUF(body, SERVER_BODY_MAX);
    const int status = server->handler(server->self, path, &body, &type);

    if (conn->closing) /* the handler has freed the server */
        return;
    if (ps_buf_failed(&body) || status < 200 || status > 599) {
        refuse(conn, 500);
    } else {
        answer(conn, status, type, ps_buf_get(&body));
    }
}

/* RFC 9112 §3: method SP target SP version. */
static void answer_request(struct connection *conn)
{
    struct ps_str rest = ps_buf_get(&conn->head);
    struct ps_str line;
    struct ps_str method;
    struct ps_str target;

    if (!ps_str_split(&rest, '\n', &line) || !ps_str_split(&line, ' ', &method) ||
        !ps_str_split(&line, ' ', &target) || !ps_str_starts(line, "HTTP/1.") ||
        !ps_str_starts(target, "/") || method.n == 0) {
        refuse(conn, 400);
        return;
    }
    if (!ps_str_is(method, "GET")) {
        refuse(conn, 405);
        return;
    }
    struct ps_str path;

    (void)ps_str_split(&target, '?', &path);
    handle(conn, path);
}

static bool is_head_whole(const struct ps_buf *head)
{
    return ps_str_find(ps_buf_get(head), "\r\n\r\n") >= 0 ||
           ps_str_find(ps_buf_get(head), "\n\n") >= 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *conn = PS_CONTAINER_OF(handle, struct connection, tcp);

    (void)suggested;
    *buf = uv_buf_init(conn->piece, sizeof(conn->piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *conn = PS_CONTAINER_OF(stream, struct connection, tcp);

    if (n < 0) {
        /* A half-closed client may still want its answer: the write or the time-out ends it then.
         */
        if (n != UV_EOF || !conn->answered || conn->tcp.write_queue_size == 0)
            connection_close(conn);
        return;
    }
    if (conn->answered) /* read and forgotten, so that closing does not reset */
        return;
    ps_buf_add(&conn->head, buf->base, (size_t)n);
    if (ps_buf_failed(&conn->head)) {
        refuse(conn, 431);
    } else if (is_head_whole(&conn->head)) {
        answer_request(conn);
    }
}

static void accept_one(struct http_server *server)
{
    struct connection *conn = ps_xcalloc(1, sizeof(*conn));

    server->held = false;
    conn->server = server;
    ps_buf_init(&conn->head, HTTP_SERVER_HEAD_MAX);
    ps_buf_init(&conn->answer, SERVER_BODY_MAX + 1024);
    ps_assert(uv_tcp_init(loop_uv(server->loop), &conn->tcp) == 0);
    conn->timer = loop_timer_new(server->loop, on_late, conn);
    loop_timer_set(conn->timer, SERVER_TIMEOUT_MS);
    conn->next = server->connections;
    if (conn->next != NULL)
        conn->next->prev = conn;
    server->connections = conn;
    server->count++;
    if (uv_accept((uv_stream_t *)&server->tcp, (uv_stream_t *)&conn->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
        connection_close(conn);
}

/* ---- server --------------------------------------------------------------------------------- */

static void on_connection(uv_stream_t *stream, int status)
{
    struct http_server *server = PS_CONTAINER_OF(stream, struct http_server, tcp);

    if (status != 0) {
        ps_log(PS_LOG_WARN, "health_accept_failed", "error", uv_strerror(status), NULL);
        return;
    }
    if (server->count < HTTP_SERVER_CONNECTIONS_MAX) {
        accept_one(server);
    } else {
        server->held = true;
    }
}

static int parse_address(const char *text, struct sockaddr_storage *address, struct ps_err *err)
{
    const struct ps_str all = ps_str(text);
    const char *colon = strrchr(text, ':');
    int64_t port;

    if (colon == NULL || all.n > ADDRESS_MAX || !ps_str_to_i64(ps_str(colon + 1), &port) ||
        port > 65535)
        return ps_fail(err, PS_EINVAL, "address: expected host:port, [host]:port or :port");
    PS_AUTO_BUF(host, ADDRESS_MAX);
    ps_buf_add(&host, text, (size_t)(colon - text));
    const struct ps_str name = ps_buf_get(&host);
    int bad;

    if (name.n == 0) {
        bad = uv_ip6_addr("::", (int)port, (struct sockaddr_in6 *)address);
    } else if (name.p[0] == '[' && name.p[name.n - 1] == ']') {
        host.p[name.n - 1] = '\0';
        bad = uv_ip6_addr(host.p + 1, (int)port, (struct sockaddr_in6 *)address);
    } else {
        bad = uv_ip4_addr(name.p, (int)port, (struct sockaddr_in *)address);
    }
    if (bad != 0)
        return ps_fail(err, PS_EINVAL, "address: \"%s\" is no IP address", ps_buf_text(&host));
    return 0;
}

static int listen_on(struct http_server *server, const char *text, struct ps_err *err)
{
    struct sockaddr_storage address;

    memset(&address, 0, sizeof(address));
    if (parse_address(text, &address, err) != 0)
        return err != NULL ? err->code : PS_EINVAL;
    int bad = uv_tcp_bind(&server->tcp, (const struct sockaddr *)&address, 0);

    if (bad == 0)
        bad = uv_listen((uv_stream_t *)&server->tcp, SERVER_BACKLOG, on_connection);
    if (bad != 0)
        return ps_fail(err, PS_EIO, "%s: %s", text, uv_strerror(bad));
    return 0;
}

static void on_server_closed(uv_handle_t *handle)
{
    ps_free(PS_CONTAINER_OF(handle, struct http_server, tcp));
}

void http_server_free(struct http_server *server)
{
    if (server == NULL || server->freed)
        return;
    server->freed = true;
    while (server->connections != NULL)
        connection_close(server->connections);
    uv_close((uv_handle_t *)&server->tcp, on_server_closed);
}

static struct http_server *server_new(struct loop *loop, const char *address, struct ps_err *err)
{
    struct http_server *server = ps_xcalloc(1, sizeof(*server));

    server->loop = loop;
    ps_assert(uv_tcp_init(loop_uv(loop), &server->tcp) == 0);
    if (listen_on(server, address, err) == 0)
        return server;
    http_server_free(server);
    return NULL;
}

struct http_server *http_server_new(struct loop *loop, const char *address,
                                    http_handler_fn *handler, void *self, struct ps_err *err)
{
    struct http_server *server = server_new(loop, address, err);

    if (server == NULL && address[0] == ':') { /* a kernel without IPv6 */
        PS_AUTO_BUF(v4, ADDRESS_MAX);
        ps_buf_printf(&v4, "0.0.0.0%s", address);
        server = server_new(loop, ps_buf_text(&v4), err);
    }
    if (server == NULL)
        return NULL;
    server->handler = handler;
    server->self = self;
    return server;
}

int http_server_port(const struct http_server *server)
{
    struct sockaddr_storage address;
    int size = sizeof(address);

    memset(&address, 0, sizeof(address));
    ps_assert(uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &size) == 0);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}
