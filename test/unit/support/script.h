/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted HTTP/1.1 server on the test's own loop: it collects whole requests, counts and records
 * them, and lets the test answer with any bytes, or none, when it likes.
 */
#ifndef PS_TEST_SCRIPT_H
#define PS_TEST_SCRIPT_H

#include "loop/loop.h"

#define SCRIPT_REQUESTS_MAX 512

struct script;
struct script_peer; /* one connection */

struct script_request {
    int number;         /* from 0 */
    int connection;     /* from 0: which one it came on */
    struct ps_str head; /* with its request line */
    struct ps_str body;
    const char *method, *target;
};

typedef void script_fn(void *self, struct script_peer *peer, const struct script_request *request);

struct script *script_new(struct loop *loop, script_fn *on_request, void *self);
/* The same on a port that another one has left. */
struct script *script_new_at(struct loop *loop, int port, script_fn *on_request, void *self);
int script_port(const struct script *script);
/* Speaks TLS from the next connection on, with that certificate; clients must have one of client_ca
 * unless it is NULL. */
void script_tls(struct script *script, const char *cert_pem, const char *key_pem,
                const char *client_ca_pem);
/* The common name of the peer's certificate, "" without one. */
const char *script_peer_name(const struct script_peer *peer);
/* Called once when a connection has ended, whoever ended it: the peer must not be used any more. */
void script_on_close(struct script *script, void (*on_close)(void *self, struct script_peer *peer));
/* Listens no longer and closes all connections. */
void script_free(struct script *script);
/* "http://127.0.0.1:<port>", or https */
const char *script_url(const struct script *script);
int script_connections(const struct script *script); /* ever accepted */
int script_open(const struct script *script);        /* now */
int script_count(const struct script *script);       /* requests so far */
/* "GET /path" and the whole text of request i. */
const char *script_line(const struct script *script, int i);
const char *script_text(const struct script *script, int i);

void script_send(struct script_peer *peer, const char *bytes);
void script_send_n(struct script_peer *peer, const char *bytes, size_t n);
/* Status line, Content-Length, further header lines (each with \r\n; may be ""), body. */
void script_reply(struct script_peer *peer, int status, const char *headers, const char *body);
/* The head of a chunked 200 answer; then chunks; then its end. */
void script_stream(struct script_peer *peer);
void script_chunk(struct script_peer *peer, const char *text);
void script_stream_end(struct script_peer *peer);
void script_close(struct script_peer *peer); /* after what was sent */
void script_reset(struct script_peer *peer); /* RST */

/* Runs the loop until loop_stop; false when that took longer than ms. */
bool script_run(struct loop *loop, int64_t ms);
/* Runs the loop for ms. */
void script_wait(struct loop *loop, int64_t ms);
/* The same; how often the loop turned. */
int script_turns(struct loop *loop, int64_t ms);

#endif
