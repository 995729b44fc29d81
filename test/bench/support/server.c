/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)1024 * 1024)

_Noreturn static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

int64_t server_number(const char *name, const char *value, int64_t max)
{
    int64_t number = 0;

    if (!ps_str_to_i64(ps_str(value), &number) || number < 1 || number > max)
        die(name, "expected a number from 1");
    return number;
}

bool server_take(struct server *server, const char *name, const char *value)
{
    if (ps_streq(name, "--server")) {
        server->url = value;
    } else if (ps_streq(name, "--ca")) {
        server->ca = value;
    } else if (ps_streq(name, "--token")) {
        server->token = value;
    } else if (ps_streq(name, "--cert")) {
        server->cert = value;
    } else if (ps_streq(name, "--key")) {
        server->key = value;
    } else if (ps_streq(name, "--connections")) {
        server->connections = server_number(name, value, 1000);
    } else {
        return false;
    }
    return true;
}

/* Empty without a path. */
static void read_file(struct ps_buf *text, const char *path)
{
    char piece[4096];
    size_t n;

    if (path == NULL)
        return;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        die(path, "cannot be read");
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        ps_buf_add(text, piece, n);
    (void)fclose(file);
}

static struct http_client *client(const struct server *server, bool with_cert)
{
    PS_AUTO_BUF(ca, FILE_MAX);
    PS_AUTO_BUF(cert, FILE_MAX);
    PS_AUTO_BUF(key, FILE_MAX);

    read_file(&ca, server->ca);
    read_file(&cert, with_cert ? server->cert : NULL);
    read_file(&key, with_cert ? server->key : NULL);
    const struct http_client_options options = {
        .ca_pem = ps_buf_get(&ca),
        .client_cert_pem = ps_buf_get(&cert),
        .client_key_pem = ps_buf_get(&key),
        .user_agent = "penstock-bench",
        .max_connections = (long)server->connections,
    };

    return http_client_new(server->loop, &options);
}

void server_open(struct server *server)
{
    if (server->url == NULL || server->ca == NULL)
        die("arguments", "--server and --ca are missing");
    if ((server->cert == NULL) != (server->key == NULL))
        die("arguments", "--cert and --key belong together");
    if (server->connections == 0)
        server->connections = SERVER_CONNECTIONS;
    http_global_init();
    server->loop = loop_new();
    if (server->cert != NULL)
        server->as_cert = client(server, true);
    if (server->token != NULL) {
        PS_AUTO_BUF(token, FILE_MAX);

        read_file(&token, server->token);
        server->bearer = ps_buf_take(&token);
        server->as_token = client(server, false);
    }
}

void server_close(struct server *server)
{
    if (server->as_cert != NULL)
        http_client_free(server->as_cert);
    if (server->as_token != NULL)
        http_client_free(server->as_token);
    ps_free(server->bearer);
    loop_free(server->loop);
    http_global_fini();
}

const char *server_url(const struct server *server, struct ps_buf *url, const char *path)
{
    ps_buf_clear(url);
    ps_buf_printf(url, "%s%s", server->url, path);
    return ps_buf_text(url);
}
