/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: asynchronous HTTPS client (libcurl's multi interface on libuv) and a tiny server for
 * health and metrics.
 *
 * Rules: HTTP/1.1; TLS 1.2 or newer, peer and host name verified unless `insecure` is asked for; no
 * redirects; no proxy unless set; no request but GET is ever sent twice by itself: libcurl's silent
 * replay of a request whose reused connection has died is held up before it begins. Bodies are
 * bounded. The callback comes exactly once, later, never from inside http_send; after http_cancel
 * it does not come.
 */
#ifndef PS_HTTP_H
#define PS_HTTP_H

#include "base/base.h"
#include "loop/loop.h"

#define HTTP_URL_MAX  ((size_t)64 * 1024)
#define HTTP_PEM_MAX  ((size_t)1024 * 1024)
#define HTTP_BODY_MAX ((size_t)64 * 1024 * 1024) /* an answer kept whole: one page of a list */

/* Called once before the first client and after the last. */
void http_global_init(void);
void http_global_fini(void);

/* TLS and pool settings of one server; all texts are copied, secrets are wiped at the end. */
struct http_client_options {
    struct ps_str ca_pem;          /* empty: the system's roots */
    struct ps_str client_cert_pem; /* with client_key_pem, or both empty */
    struct ps_str client_key_pem;
    const char *user_agent;
    long max_connections; /* per client; 0 = 32. Requests beyond wait in libcurl */
    /* The name that the server's certificate must have; NULL: that of the URL. */
    const char *tls_server_name;
    const char *proxy; /* as http_proxy_check takes it; NULL: none, whatever the environment says */
    bool insecure;     /* the server's certificate is not verified */
};

struct http_client;
struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options);
/* All its requests are cancelled. */
void http_client_free(struct http_client *client);
/* Takes no more requests; those under way go on, and it is freed after the last of them. */
void http_client_retire(struct http_client *client);

struct http_header {
    const char *name, *value;
};

struct http_request;

struct http_response {
    int status;             /* 0 when no whole answer came: see err */
    struct ps_str body;     /* borrows; empty when on_data took it */
    int64_t retry_after_ms; /* 0 when the server did not say */
    bool sent; /* some of the request may have reached the server: without an answer, who knows */
    bool reused_connection;
    bool tls_failed; /* with err: no trust in the server's certificate, or none of it in ours */
    const struct http_request *request; /* for http_response_header */
    /* Set when no whole answer came (PS_EIO, PS_ETIMEOUT, PS_ELIMIT, PS_EPROTO, PS_ECANCELED by
     * on_data, PS_EINVAL for a URL or header that is refused before anything is sent;
     * err.http_status is the status when its line was read); code 0 for any status. */
    struct ps_err err;
};

typedef void http_done_fn(void *self, const struct http_response *response);
/* A field of the answer's head by its name, whatever the case; the first where there are several,
 * NULL where there is none. Asked from inside of on_done; borrowed until that returns. */
const char *http_response_header(const struct http_response *response, const char *name);
/* A piece of the body of a 2xx answer; false ends the transfer with PS_ECANCELED. */
typedef bool http_data_fn(void *self, struct ps_str piece);
/* The head of a 2xx answer has come; before on_data, also when no body follows. */
typedef void http_open_fn(void *self);

struct http_send {
    const char *method; /* GET POST PUT PATCH DELETE */
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    const char *bearer;      /* token without "Bearer ", or NULL; never logged */
    struct ps_str body;      /* copied; empty = none */
    bool secret;             /* body and answer are wiped when they are given back */
    int64_t timeout_ms;      /* whole exchange; 0 = none (watches) */
    int64_t idle_timeout_ms; /* no byte for that long ends it with PS_ETIMEOUT; 0 = none */
    size_t body_max;         /* 0 = HTTP_BODY_MAX */
    /* Asked when a request other than GET is about to go out, of a large one each time that a piece
     * of its body is: false keeps it back and ends the exchange with PS_ECANCELED and `sent` false,
     * for no server acts on part of a body. A request may have waited for its connection, or the
     * whole process have stood still, since http_send. NULL = always. Must not call http. */
    bool (*may_send)(void *self);
    http_open_fn *on_open; /* or NULL */
    http_data_fn *on_data; /* NULL: the body is gathered */
    http_done_fn *on_done;
    void *self;
};

/* The handle is valid until on_done has been called or http_cancel. */
struct http_request *http_send(struct http_client *client, const struct http_send *send);
void http_cancel(struct http_request *request);
/* Would http_send take it? https everywhere, http only to this host's own loopback address; no
 * user, no blank and no control character in it. */
int http_url_check(const char *url, struct ps_err *err) PS_MUST_CHECK;
/* http, https or socks5 with a host, and user and password where the proxy wants them; names are
 * looked up by the proxy. *err does not quote it. */
int http_proxy_check(const char *url, struct ps_err *err) PS_MUST_CHECK;
/* May it stand in a header field? No line end, nothing but visible ASCII and blanks, not empty. */
bool http_is_field_value(const char *value);
/* PEM texts as options take them (empty: not given): can they be read, and does the key belong to
 * the certificate? *err quotes nothing of them. */
int http_tls_check(struct ps_str ca_pem, struct ps_str cert_pem, struct ps_str key_pem,
                   struct ps_err *err) PS_MUST_CHECK;

/* ---- server ---------------------------------------------------------------------------------- */

#define HTTP_SERVER_HEAD_MAX        ((size_t)8192)
#define HTTP_SERVER_CONNECTIONS_MAX 64

/* GET only, one answer for each connection. The handler writes the body and returns the status; the
 * content type is text/plain; charset=utf-8 unless it sets *content_type. */
typedef int http_handler_fn(void *self, struct ps_str path, struct ps_buf *body,
                            const char **content_type);
struct http_server;
/* address is "127.0.0.1:8081", "[::]:8081" or ":8081" (all addresses). NULL and *err on failure. */
struct http_server *http_server_new(struct loop *loop, const char *address,
                                    http_handler_fn *handler, void *self,
                                    struct ps_err *err) PS_MUST_CHECK;
/* Speaks TLS (1.2 or newer) from the next connection on, with that certificate, the ones behind it
 * that vouch for it, and its key. Both empty: with one of its own making for `localhost`, which
 * nobody vouches for. May be called again. On failure what was before stays. */
int http_server_tls(struct http_server *server, struct ps_str cert_pem, struct ps_str key_pem,
                    struct ps_err *err) PS_MUST_CHECK;
/* Asked before the handler is: may whoever shows that token ("" without one) have the path? The
 * answer is given with http_server_decide, at once or later; without one in time the connection is
 * closed. Token and path are borrowed until it returns; it must not free the server. */
typedef void http_guard_fn(void *self, uint64_t ticket, struct ps_str path, struct ps_str bearer);
void http_server_guard(struct http_server *server, http_guard_fn *guard, void *self);
/* 200: the handler answers; else that status is the answer. A ticket whose connection is gone is
 * nobody's. */
void http_server_decide(struct http_server *server, uint64_t ticket, int status);
void http_server_free(struct http_server *server);
/* Is it an address as http_server_new takes it, that only this host can reach? */
bool http_is_loopback(const char *address);
int http_server_port(const struct http_server *server);

#endif
