/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP server for health and metrics: GET only, one answer for each connection, everything
 * bounded in size, number and time. On the way there may be TLS (server_tls.c), and a guard that is
 * asked who may have what.
 */
#include "internal.h"
#include "serving.h"

#include <string.h>

#define SERVER_TIMEOUT_MS 10000 /* from accept to the end of the answer */
#define SERVER_BODY_MAX   ((size_t)16 * 1024 * 1024)
#define SERVER_WIRE_MAX   ((size_t)17 * 1024 * 1024) /* the same with TLS around it */
#define SERVER_BACKLOG    128
#define ADDRESS_MAX       ((size_t)64)

struct http_server {
    uv_tcp_t tcp;
    struct loop *loop;
    http_handler_fn *handler;
    void *self;
    http_guard_fn *guard; /* NULL: everybody may have everything */
    void *guard_self;
    struct ssl_ctx_st *tls; /* NULL: none */
    struct connection *connections;
    size_t count;
    uint64_t tickets; /* handed out so far */
    bool held;        /* libuv holds accepted sockets back until one is taken */
    bool freed;
};

struct connection {
    uv_tcp_t tcp;
    struct http_server *server;
    struct connection *prev, *next;
    struct loop_timer *timer;
    struct ssl_st *tls; /* or NULL */
    struct ps_buf head, answer;
    struct ps_str path; /* in head */
    uint64_t ticket;    /* not 0: the guard is asked */
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

    ps_wipe(conn->head.p, conn->head.n); /* there may be a token in it */
    ps_wipe(conn->piece, sizeof(conn->piece));
    ps_buf_fini(&conn->head);
    ps_buf_fini(&conn->answer);
    http__tls_free(conn->tls);
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
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
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

/* Part of a handshake, on its way. */
struct flight {
    uv_write_t write;
    char bytes[];
};

static void on_flight(uv_write_t *req, int status)
{
    struct connection *conn = PS_CONTAINER_OF(req->handle, struct connection, tcp);

    ps_free(PS_CONTAINER_OF(req, struct flight, write));
    if (status != 0)
        connection_close(conn);
}

static void send_flight(struct connection *conn, struct ps_str bytes)
{
    if (bytes.n == 0)
        return;
    struct flight *flight = ps_xmalloc(sizeof(*flight) + bytes.n);

    memcpy(flight->bytes, bytes.p, bytes.n);
    const uv_buf_t piece = uv_buf_init(flight->bytes, (unsigned int)bytes.n);

    if (uv_write(&flight->write, (uv_stream_t *)&conn->tcp, &piece, 1, on_flight) != 0) {
        ps_free(flight);
        connection_close(conn);
    }
}

/* With TLS, its plain text is exchanged for what goes over the wire. */
static bool seal(struct connection *conn)
{
    struct ps_buf wire;

    if (conn->tls == NULL)
        return true;
    ps_buf_init(&wire, SERVER_WIRE_MAX);
    const bool sealed = http__tls_send(conn->tls, ps_buf_get(&conn->answer), &wire);

    ps_buf_fini(&conn->answer);
    conn->answer = wire;
    return sealed;
}

static void answer(struct connection *conn, int status, const char *type, struct ps_str body)
{
    struct ps_buf *out = &conn->answer;

    conn->answered = true;
    ps_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    ps_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.n);
    ps_buf_str(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    ps_buf_str(out, status == 405   ? "Allow: GET\r\n"
                    : status == 401 ? "WWW-Authenticate: Bearer\r\n"
                                    : "");
    ps_buf_str(out, "Connection: close\r\n\r\n");
    ps_buf_view(out, body);
    ps_assert(!ps_buf_failed(out));
    if (!seal(conn)) {
        connection_close(conn);
        return;
    }
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

static void handle(struct connection *conn)
{
    struct http_server *server = conn->server;
    const char *type = "text/plain; charset=utf-8";
    PS_AUTO_BUF(body, SERVER_BODY_MAX);
    const int status = server->handler(server->self, conn->path, &body, &type);

    if (conn->closing) /* the handler has freed the server */
        return;
    if (ps_buf_failed(&body) || status < 200 || status > 599) {
        refuse(conn, 500);
    } else {
        answer(conn, status, type, ps_buf_get(&body));
    }
}

/* ---- who may have it ------------------------------------------------------------------------ */

/* RFC 6750 §2.1: "Authorization: Bearer <token>"; empty when there is none. */
static struct ps_str bearer_of(const struct connection *conn)
{
    struct ps_str rest = ps_buf_get(&conn->head), line, name, scheme;

    while (ps_str_split(&rest, '\n', &line)) {
        if (!ps_str_split(&line, ':', &name) || !ps_str_ieq(name, PS_STR("Authorization")))
            continue;
        line = ps_str_trim(line);
        if (!ps_str_split(&line, ' ', &scheme) || !ps_str_ieq(scheme, PS_STR("Bearer")))
            break;
        return ps_str_trim(line);
    }
    return PS_STR("");
}

static void admit(struct connection *conn)
{
    struct http_server *server = conn->server;

    if (server->guard == NULL) {
        handle(conn);
        return;
    }
    conn->ticket = ++server->tickets;
    server->guard(server->guard_self, conn->ticket, conn->path, bearer_of(conn));
}

void http_server_guard(struct http_server *server, http_guard_fn *guard, void *self)
{
    server->guard = guard;
    server->guard_self = self;
}

void http_server_decide(struct http_server *server, uint64_t ticket, int status)
{
    struct connection *conn = server->connections;

    while (conn != NULL && conn->ticket != ticket)
        conn = conn->next;
    if (ticket == 0 || conn == NULL || conn->answered)
        return;
    if (status == 200) {
        handle(conn);
    } else {
        refuse(conn, status);
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
    (void)ps_str_split(&target, '?', &conn->path);
    admit(conn);
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

/* Puts what was sent to us into the head; false: that is no TLS. */
static bool receive(struct connection *conn, struct ps_str bytes)
{
    PS_AUTO_BUF(wire, SERVER_WIRE_MAX);

    if (conn->tls == NULL) {
        ps_buf_view(&conn->head, bytes);
        return true;
    }
    const bool sound = http__tls_receive(conn->tls, bytes, &conn->head, &wire);

    send_flight(conn, ps_buf_get(&wire)); /* an alert, too */
    return sound;
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
    if (conn->answered || conn->ticket != 0) /* read and forgotten: closing must not reset */
        return;
    if (!receive(conn, ps_str_n(buf->base, (size_t)n))) {
        connection_close(conn);
    } else if (conn->closing) {
        return;
    } else if (ps_buf_failed(&conn->head)) {
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
    conn->tls = server->tls ? http__tls_new(server->tls) : NULL;
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

bool http_is_loopback(const char *address)
{
    struct sockaddr_storage parsed;

    memset(&parsed, 0, sizeof(parsed));
    if (parse_address(address, &parsed, NULL) != 0)
        return false;
    if (parsed.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&parsed)->sin6_addr);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&parsed;

    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
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
    struct http_server *server = PS_CONTAINER_OF(handle, struct http_server, tcp);

    http__identity_free(server->tls);
    ps_free(server);
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

int http_server_tls(struct http_server *server, struct ps_str cert_pem, struct ps_str key_pem,
                    struct ps_err *err)
{
    struct ssl_ctx_st *identity = http__identity_new(cert_pem, key_pem, err);

    if (identity == NULL)
        return err->code;
    http__identity_free(server->tls); /* open connections keep it */
    server->tls = identity;
    return 0;
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
