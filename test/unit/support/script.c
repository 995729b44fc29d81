/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server. */
#include "support/script.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <uv.h>

#define TEXT_MAX ((size_t)128 * 1024 * 1024)

struct script {
    uv_tcp_t tcp;
    struct loop *loop;
    script_fn *on_request;
    void *self;
    struct script_peer *peers;
    int connections, open, count;
    char *lines[SCRIPT_REQUESTS_MAX], *texts[SCRIPT_REQUESTS_MAX];
    void (*on_close)(void *self, struct script_peer *peer); /* or NULL */
    SSL_CTX *tls;
    int port;
    char url[64];
};

struct script_peer {
    uv_tcp_t tcp;
    struct script *script;
    struct script_peer *prev, *next;
    int number;
    bool closing;
    SSL *tls; /* or NULL */
    char name[64];
    struct ps_buf in;
    char piece[65536];
};

struct sending {
    uv_write_t req;
    char *bytes;
};

static void on_peer_closed(uv_handle_t *handle)
{
    struct script_peer *peer = PS_CONTAINER_OF(handle, struct script_peer, tcp);

    SSL_free(peer->tls);
    ps_buf_fini(&peer->in);
    ps_free(peer);
}

static bool detach(struct script_peer *peer)
{
    if (peer->closing)
        return false;
    peer->closing = true;
    if (peer->prev != NULL)
        peer->prev->next = peer->next;
    else
        peer->script->peers = peer->next;
    if (peer->next != NULL)
        peer->next->prev = peer->prev;
    peer->script->open--;
    if (peer->script->on_close != NULL)
        peer->script->on_close(peer->script->self, peer);
    return true;
}

static void close_now(struct script_peer *peer)
{
    if (detach(peer))
        uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct script_peer *peer = req->data;

    (void)status;
    ps_free(req);
    close_now(peer);
}

void script_close(struct script_peer *peer)
{
    uv_shutdown_t *req = ps_xcalloc(1, sizeof(*req));

    req->data = peer;
    if (uv_shutdown(req, (uv_stream_t *)&peer->tcp, on_shutdown) != 0) {
        ps_free(req);
        close_now(peer);
    }
}

void script_reset(struct script_peer *peer)
{
    if (detach(peer))
        ps_assert(uv_tcp_close_reset(&peer->tcp, on_peer_closed) == 0);
}

static void on_sent(uv_write_t *req, int status)
{
    struct sending *sending = PS_CONTAINER_OF(req, struct sending, req);

    (void)status;
    ps_free(sending->bytes);
    ps_free(sending);
}

static void send_raw(struct script_peer *peer, const char *bytes, size_t n)
{
    struct sending *sending = ps_xcalloc(1, sizeof(*sending));

    sending->bytes = ps_xstrndup(bytes, n);
    const uv_buf_t buf = uv_buf_init(sending->bytes, (unsigned int)n);

    if (uv_write(&sending->req, (uv_stream_t *)&peer->tcp, &buf, 1, on_sent) != 0)
        on_sent(&sending->req, 0); /* the other side has gone */
}

/* What TLS has to say goes out. */
static void flush_tls(struct script_peer *peer)
{
    BIO *out = SSL_get_wbio(peer->tls);
    char piece[16384];

    for (;;) {
        const int n = BIO_read(out, piece, sizeof(piece));

        if (n <= 0)
            return;
        send_raw(peer, piece, (size_t)n);
    }
}

void script_send_n(struct script_peer *peer, const char *bytes, size_t n)
{
    if (peer->tls == NULL) {
        send_raw(peer, bytes, n);
    } else if (n > 0) {
        ps_assert(SSL_write(peer->tls, bytes, (int)n) == (int)n);
        flush_tls(peer);
    }
}

void script_send(struct script_peer *peer, const char *bytes)
{
    script_send_n(peer, bytes, strlen(bytes));
}

void script_reply(struct script_peer *peer, int status, const char *headers, const char *body)
{
    PS_AUTO_BUF(out, TEXT_MAX);
    ps_buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, strlen(body),
                  headers);
    ps_buf_str(&out, body);
    script_send_n(peer, ps_buf_text(&out), out.n);
}

void script_stream(struct script_peer *peer)
{
    script_send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void script_chunk(struct script_peer *peer, const char *text)
{
    PS_AUTO_BUF(out, TEXT_MAX);
    ps_buf_printf(&out, "%zx\r\n", strlen(text));
    ps_buf_str(&out, text);
    ps_buf_str(&out, "\r\n");
    script_send_n(peer, ps_buf_text(&out), out.n);
}

void script_stream_end(struct script_peer *peer)
{
    script_send(peer, "0\r\n\r\n");
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static size_t body_length(struct ps_str head)
{
    struct ps_str line;
    int64_t n = 0;

    while (ps_str_split(&head, '\n', &line)) {
        struct ps_str name;

        line = ps_str_trim(line);
        if (ps_str_split(&line, ':', &name) && ps_str_ieq(name, PS_STR("content-length")))
            ps_assert(ps_str_to_i64(ps_str_trim(line), &n));
    }
    return (size_t)n;
}

static void deliver(struct script_peer *peer, struct ps_str head, struct ps_str body)
{
    struct script *script = peer->script;
    struct ps_str rest = head;
    struct ps_str method;
    struct ps_str target;
    struct ps_arena arena;

    ps_arena_init(&arena);
    (void)ps_str_split(&rest, ' ', &method);
    (void)ps_str_split(&rest, ' ', &target);
    const struct script_request request = {
        .number = script->count,
        .connection = peer->number,
        .head = head,
        .body = body,
        .method = ps_arena_str(&arena, method),
        .target = ps_arena_str(&arena, target),
    };

    ps_assert(script->count < SCRIPT_REQUESTS_MAX);
    PS_AUTO_BUF(line, TEXT_MAX);
    ps_buf_printf(&line, "%s %s", request.method, request.target);
    script->lines[script->count] = ps_buf_take(&line);
    script->texts[script->count++] = ps_xstrndup(head.p, head.n + body.n);
    script->on_request(script->self, peer, &request);
    ps_arena_fini(&arena);
}

static void take_requests(struct script_peer *peer)
{
    for (;;) {
        const struct ps_str in = ps_buf_get(&peer->in);
        const ptrdiff_t end = ps_str_find(in, "\r\n\r\n");

        if (end < 0 || peer->closing)
            return;
        const struct ps_str head = ps_str_head(in, (size_t)end + 4);
        const size_t n = body_length(head);

        if (in.n < head.n + n)
            return;
        deliver(peer, head, ps_str_head(ps_str_skip(in, head.n), n));
        if (peer->closing)
            return;
        ps_buf_drop(&peer->in, head.n + n);
    }
}

static void keep_name(struct script_peer *peer)
{
    X509 *certificate = SSL_get1_peer_certificate(peer->tls);

    if (certificate != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                        peer->name, sizeof(peer->name));
    }
    X509_free(certificate);
}

static void take_tls(struct script_peer *peer, const char *bytes, size_t n)
{
    char piece[16384];
    int got;

    ps_assert(BIO_write(SSL_get_rbio(peer->tls), bytes, (int)n) == (int)n);
    while ((got = SSL_read(peer->tls, piece, sizeof(piece))) > 0)
        ps_buf_add(&peer->in, piece, (size_t)got);
    const bool failed = SSL_get_error(peer->tls, got) != SSL_ERROR_WANT_READ;

    if (SSL_is_init_finished(peer->tls))
        keep_name(peer);
    flush_tls(peer);
    if (failed)
        script_close(peer);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct script_peer *peer = PS_CONTAINER_OF(handle, struct script_peer, tcp);

    (void)suggested;
    *buf = uv_buf_init(peer->piece, sizeof(peer->piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct script_peer *peer = PS_CONTAINER_OF(stream, struct script_peer, tcp);

    if (n < 0) {
        close_now(peer);
        return;
    }
    if (peer->tls != NULL)
        take_tls(peer, buf->base, (size_t)n);
    else
        ps_buf_add(&peer->in, buf->base, (size_t)n);
    take_requests(peer);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct script *script = PS_CONTAINER_OF(stream, struct script, tcp);
    struct script_peer *peer = ps_xcalloc(1, sizeof(*peer));

    ps_assert(status == 0);
    peer->script = script;
    peer->number = script->connections++;
    script->open++;
    ps_buf_init(&peer->in, TEXT_MAX);
    if (script->tls != NULL) {
        peer->tls = SSL_new(script->tls);
        SSL_set_bio(peer->tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(peer->tls);
    }
    peer->next = script->peers;
    if (peer->next != NULL)
        peer->next->prev = peer;
    script->peers = peer;
    ps_assert(uv_tcp_init(stream->loop, &peer->tcp) == 0);
    ps_assert(uv_accept(stream, (uv_stream_t *)&peer->tcp) == 0);
    ps_assert(uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read) == 0);
}

/* ---- server ------------------------------------------------------------------------------------
 */

static void set_url(struct script *script, const char *scheme)
{
    PS_AUTO_BUF(url, sizeof(script->url) - 1);
    ps_buf_printf(&url, "%s://127.0.0.1:%d", scheme, script->port);
    memcpy(script->url, ps_buf_text(&url), url.n + 1);
}

struct script *script_new(struct loop *loop, script_fn *on_request, void *self)
{
    return script_new_at(loop, 0, on_request, self);
}

int script_port(const struct script *script)
{
    return script->port;
}

struct script *script_new_at(struct loop *loop, int port, script_fn *on_request, void *self)
{
    struct script *script = ps_xcalloc(1, sizeof(*script));
    struct sockaddr_in address;
    int size = sizeof(address);

    script->loop = loop;
    script->on_request = on_request;
    script->self = self;
    ps_assert(uv_tcp_init(loop_uv(loop), &script->tcp) == 0);
    ps_assert(uv_ip4_addr("127.0.0.1", port, &address) == 0);
    ps_assert(uv_tcp_bind(&script->tcp, (const struct sockaddr *)&address, 0) == 0);
    ps_assert(uv_listen((uv_stream_t *)&script->tcp, 128, on_connection) == 0);
    ps_assert(uv_tcp_getsockname(&script->tcp, (struct sockaddr *)&address, &size) == 0);
    script->port = ntohs(address.sin_port);
    set_url(script, "http");
    return script;
}

static BIO *bio_of(const char *text)
{
    return BIO_new_mem_buf(text, -1);
}

static void add_client_ca(SSL_CTX *tls, const char *pem)
{
    BIO *bio = bio_of(pem);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    ps_assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(tls), ca) == 1);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_free(ca);
    BIO_free(bio);
}

void script_tls(struct script *script, const char *cert_pem, const char *key_pem,
                const char *client_ca_pem)
{
    BIO *cert_bio = bio_of(cert_pem);
    BIO *key_bio = bio_of(key_pem);
    X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);

    SSL_CTX_free(script->tls);
    script->tls = SSL_CTX_new(TLS_server_method());
    ps_assert(SSL_CTX_use_certificate(script->tls, cert) == 1);
    ps_assert(SSL_CTX_use_PrivateKey(script->tls, key) == 1);
    if (client_ca_pem != NULL)
        add_client_ca(script->tls, client_ca_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    set_url(script, "https");
}

const char *script_peer_name(const struct script_peer *peer)
{
    return peer->name;
}

static void on_script_closed(uv_handle_t *handle)
{
    struct script *script = PS_CONTAINER_OF(handle, struct script, tcp);

    for (int i = 0; i < script->count; i++) {
        ps_free(script->lines[i]);
        ps_free(script->texts[i]);
    }
    SSL_CTX_free(script->tls);
    ps_free(script);
}

void script_free(struct script *script)
{
    while (script->peers != NULL)
        close_now(script->peers);
    uv_close((uv_handle_t *)&script->tcp, on_script_closed);
}

void script_on_close(struct script *script, void (*on_close)(void *self, struct script_peer *peer))
{
    script->on_close = on_close;
}

const char *script_url(const struct script *script)
{
    return script->url;
}

int script_connections(const struct script *script)
{
    return script->connections;
}

int script_open(const struct script *script)
{
    return script->open;
}

int script_count(const struct script *script)
{
    return script->count;
}

const char *script_line(const struct script *script, int i)
{
    return i < script->count ? script->lines[i] : "";
}

const char *script_text(const struct script *script, int i)
{
    return i < script->count ? script->texts[i] : "";
}

struct guard {
    struct loop *loop;
    bool late;
};

static void on_late(void *self)
{
    struct guard *guard = self;

    guard->late = true;
    loop_stop(guard->loop);
}

bool script_run(struct loop *loop, int64_t ms)
{
    struct guard guard = {.loop = loop};
    struct loop_timer *timer = loop_timer_new(loop, on_late, &guard);

    loop_timer_set(timer, ms);
    loop_run(loop);
    loop_timer_free(timer);
    return !guard.late;
}

void script_wait(struct loop *loop, int64_t ms)
{
    (void)script_run(loop, ms);
}

struct turns {
    uv_prepare_t uv;
    int count;
};

static void on_turn(uv_prepare_t *uv)
{
    PS_CONTAINER_OF(uv, struct turns, uv)->count++;
}

int script_turns(struct loop *loop, int64_t ms)
{
    struct turns turns = {.count = 0};

    ps_assert(uv_prepare_init(loop_uv(loop), &turns.uv) == 0);
    ps_assert(uv_prepare_start(&turns.uv, on_turn) == 0);
    script_wait(loop, ms);
    uv_close((uv_handle_t *)&turns.uv, NULL);
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    return turns.count;
}
