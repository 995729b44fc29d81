/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by client.c (the multi handle on the loop) and request.c (one exchange). */
#ifndef PS_HTTP_INTERNAL_H
#define PS_HTTP_INTERNAL_H

#include "http/http.h"

#include <curl/curl.h>
#include <uv.h>

struct http__socket;

/* As many as connections for requests. */
#define HTTP__SPARES_MAX 32

struct http_client {
    uv_idle_t idle;
    struct loop *loop;
    struct loop_timer *timer;
    CURLM *multi;
    struct http__socket **sockets; /* by descriptor */
    size_t socket_count;
    struct http_request *requests;  /* all that were not freed */
    CURL *spares[HTTP__SPARES_MAX]; /* handles that no request has */
    size_t spare_count;
    struct http_request *todo; /* to start, to report or to drop outside of curl */
    char *ca_pem, *client_cert_pem, *client_key_pem, *user_agent, *tls_server_name, *proxy;
    char *origin; /* of the URL that was found good last; NULL: none */
    size_t ca_n, client_cert_n, client_key_n;
    bool in_curl;  /* curl is on the stack: none of its functions may be called */
    bool settling; /* settle() is on the stack */
    bool closing;
    bool retired; /* freed when its last request has ended */
    bool insecure;
};

enum http__state {
    HTTP_WAITING,   /* made while curl was on the stack; on the todo list */
    HTTP_ACTIVE,    /* in the multi handle */
    HTTP_FAILED,    /* err says why; on the todo list */
    HTTP_CANCELLED, /* on the todo list */
    HTTP_REPORTING, /* on_done runs */
};

struct http_request {
    struct http_client *client;
    struct http_request *prev, *next, *todo_next;
    enum http__state state;
    bool on_todo, open, secret;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char *body; /* owned */
    size_t body_n, body_at;
    size_t head_bytes;
    struct ps_buf answer;
    struct loop_timer *quiet_timer; /* only with an idle time-out */
    int64_t idle_timeout_ms, last_byte_ms;
    bool (*may_send)(void *self);
    bool withheld; /* may_send has refused */
    bool gone;     /* as a whole, with its head */
    bool repeated; /* curl wanted to send it once more */
    http_open_fn *on_open;
    http_data_fn *on_data;
    http_done_fn *on_done;
    void *self;
    struct ps_err err;
    char curl_error[CURL_ERROR_SIZE];
};

/* request.c: everything about one exchange but its place in the client. */
struct http_request *http__request_new(struct http_client *client, const struct http_send *send);
void http__request_free(
    struct http_request *request); /* the easy handle is out of the multi handle */
/* Calls on_done with what curl says. */
void http__request_report(struct http_request *request, CURLcode code);

/* easy.c */
/* As new, but perhaps another request's before. */
CURL *http__easy_take(struct http_client *client);
void http__easy_give(struct http_client *client, CURL *easy); /* out of the multi handle */
void http__easy_fini(struct http_client *client);

/* url.c */
int http__check_send(struct http_client *client, const struct http_send *send, struct ps_err *err);
/* For a server whose certificate has another name than the URL: the URL with that name in it, where
 * to connect (as CURLOPT_CONNECT_TO has it), and the Host field. */
int http__rename(const char *url, const char *name, struct ps_buf *renamed,
                 struct ps_buf *connect_to, struct ps_buf *host, struct ps_err *err) PS_MUST_CHECK;

/* client.c */
/* Puts a request into the list of those to be looked at once curl is off the stack. */
void http__todo(struct http_request *request, enum http__state state);
void http__settle(struct http_client *client);
/* curl has a new descriptor. */
void http__socket_made(struct http_client *client, curl_socket_t fd);
/* For CURLOPT_CLOSESOCKETFUNCTION; self is the client. */
int http__socket_close(void *self, curl_socket_t fd);

#endif
