/* SPDX-License-Identifier: Apache-2.0 */
/* The server that a benchmark's client talks to, from its arguments:
 *     --server URL --ca FILE [--token FILE] [--cert FILE --key FILE] [--connections N] … */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "http/http.h"
#include "kube/kube.h"

#define SERVER_CONNECTIONS 32

struct server {
    const char *url, *ca, *token, *cert, *key;
    int64_t connections;
    struct loop *loop;
    /* One for each identity, with connections of their own; NULL without its arguments. */
    struct http_client *as_token, *as_cert;
    char *bearer;
};

/* Takes "--name value"; false: it is none of the server's. */
bool server_take(struct server *server, const char *name, const char *value);
/* Ends the process when an argument is missing or a file can't be read. */
void server_open(struct server *server);
void server_close(struct server *server);
/* URL of a path, in the buffer. */
const char *server_url(const struct server *server, struct ps_buf *url, const char *path);

/* A number from an argument; ends the process when it is none, or not from 1 to max. */
int64_t server_number(const char *name, const char *value, int64_t max);

#endif
