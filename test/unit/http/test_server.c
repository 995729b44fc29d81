/* SPDX-License-Identifier: Apache-2.0 */
/* The health server: what it answers, what it refuses, and that nothing keeps a connection for
 * ever. */
#include "http/http.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>
#include <uv.h>

struct fixture {
    struct loop *loop;
    struct http_server *server;
    int handled, closed, clients;
    bool free_in_handler, fill;
    char path[128];
};

/* A raw client: sends bytes, gathers what comes until the end. */
struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct fixture *f;
    const char *text;
    size_t n;
    struct ps_buf in;
    char piece[4096];
    bool ended;
};

static int handler(void *self, struct ps_str path, struct ps_buf *body, const char **content_type)
{
    struct fixture *f = self;

    f->handled++;
    assert_true(path.n < sizeof(f->path));
    memcpy(f->path, path.p, path.n);
    f->path[path.n] = '\0';
    if (f->free_in_handler)
        http_server_free(f->server);
    if (ps_str_is(path, "/metrics"))
        *content_type = "text/x-metrics";
    else if (!ps_str_is(path, "/healthz"))
        return 404;
    ps_buf_str(body, "ok\n");
    while (f->fill && !ps_buf_failed(body))
        ps_buf_add(body, f->path, sizeof(f->path));
    return 200;
}

static void setup(struct fixture *f)
{
    struct ps_err err;

    *f = (struct fixture){.loop = loop_new()};
    f->server = http_server_new(f->loop, "127.0.0.1:0", handler, f, &err);
    assert_non_null(f->server);
}

static void teardown(struct fixture *f)
{
    if (!f->free_in_handler)
        http_server_free(f->server);
    loop_free(f->loop);
}

static void on_closed(uv_handle_t *handle)
{
    struct client *client = PS_CONTAINER_OF(handle, struct client, tcp);

    client->ended = true;
    if (++client->f->closed == client->f->clients)
        loop_stop(client->f->loop);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = PS_CONTAINER_OF(handle, struct client, tcp);

    (void)suggested;
    *buf = uv_buf_init(client->piece, sizeof(client->piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = PS_CONTAINER_OF(stream, struct client, tcp);

    if (n >= 0)
        ps_buf_add(&client->in, buf->base, (size_t)n);
    else if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct client *client = PS_CONTAINER_OF(req, struct client, connect);
    const uv_buf_t buf = uv_buf_init(ps_xstrndup(client->text, client->n), (unsigned int)client->n);

    assert_int_equal(status, 0);
    client->write.data = buf.base;
    assert_int_equal(uv_read_start(req->handle, on_alloc, on_read), 0);
    if (client->n > 0)
        assert_int_equal(uv_write(&client->write, req->handle, &buf, 1, NULL), 0);
}

static void client_init(struct client *client, struct fixture *f, const char *text, size_t n)
{
    struct sockaddr_in address;

    *client = (struct client){.f = f, .text = text, .n = n};
    f->clients++;
    ps_buf_init(&client->in, (size_t)64 * 1024 * 1024);
    assert_int_equal(uv_tcp_init(loop_uv(f->loop), &client->tcp), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", http_server_port(f->server), &address), 0);
    assert_int_equal(uv_tcp_connect(&client->connect, &client->tcp,
                                    (const struct sockaddr *)&address, on_connected),
                     0);
}

static void client_fini(struct client *client)
{
    if (!client->ended) {
        uv_close((uv_handle_t *)&client->tcp, on_closed);
        script_wait(client->f->loop, 5);
    }
    ps_free(client->write.data);
    ps_buf_fini(&client->in);
}

static void requests_get_the_answers_due(void **state)
{
    (void)state;

    static const struct {
        const char *request, *status, *body;
        int handled;
    } rows[] = {
        {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "ok\n", 1},
        {"GET /healthz?verbose=1 HTTP/1.0\r\n\r\n", "200 OK", "ok\n", 1},
        {"GET /healthz HTTP/1.1\nHost: x\n\n", "200 OK", "ok\n", 1},
        {"GET /none HTTP/1.1\r\n\r\n", "404 Not Found", "", 1},
        {"GET / HTTP/1.1\r\n\r\n", "404 Not Found", "", 1},
        {"POST /healthz HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "405 Method Not Allowed", "", 0},
        {"HEAD /healthz HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "", 0},
        {"GET healthz HTTP/1.1\r\n\r\n", "400 Bad Request", "", 0},
        {"GET /healthz\r\n\r\n", "400 Bad Request", "", 0},
        {"GET /healthz SPDY/1\r\n\r\n", "400 Bad Request", "", 0},
        {" /healthz HTTP/1.1\r\n\r\n", "400 Bad Request", "", 0},
        {"\x16\x03\x01\r\n\r\n", "400 Bad Request", "", 0},
        {"\r\n\r\n", "400 Bad Request", "", 0},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct client client;

        setup(&f);
        client_init(&client, &f, rows[i].request, strlen(rows[i].request));
        assert_true(script_run(f.loop, 3000)); /* the server ends it */
        const char *text = ps_buf_text(&client.in);

        if (!ps_str_starts(ps_str(text), "HTTP/1.1 ") ||
            !ps_str_starts(ps_str(text + 9), rows[i].status))
            fail_msg("row %zu: %s", i, text);
        assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
        if (rows[i].body[0] != '\0')
            assert_string_equal(strstr(text, "\r\n\r\n") + 4, rows[i].body);
        assert_int_equal(f.handled, rows[i].handled);
        if (ps_str_starts(ps_str(rows[i].status), "405"))
            assert_non_null(strstr(text, "\r\nAllow: GET\r\n"));
        client_fini(&client);
        teardown(&f);
    }
}

static void path_and_type_are_the_handlers(void **state)
{
    (void)state;
    static const char text[] = "GET /metrics?a=/b HTTP/1.1\r\n\r\n";
    struct fixture f;
    struct client client;

    setup(&f);
    client_init(&client, &f, text, strlen(text));
    assert_true(script_run(f.loop, 3000));
    assert_string_equal(f.path, "/metrics");
    assert_non_null(strstr(ps_buf_text(&client.in), "Content-Type: text/x-metrics\r\n"));
    client_fini(&client);
    teardown(&f);
}

static void too_large_heads_and_bodies_are_errors(void **state)
{
    (void)state;
    struct fixture f;
    struct client client;
    char *head = ps_xmalloc(HTTP_SERVER_HEAD_MAX + 1);

    memset(head, 'a', HTTP_SERVER_HEAD_MAX + 1);
    setup(&f);
    client_init(&client, &f, head, HTTP_SERVER_HEAD_MAX + 1);
    assert_true(script_run(f.loop, 3000));
    assert_non_null(strstr(ps_buf_text(&client.in), "HTTP/1.1 431"));
    client_fini(&client);
    f.fill = true;
    static const char text[] = "GET /healthz HTTP/1.1\r\n\r\n";

    client_init(&client, &f, text, strlen(text));
    assert_true(script_run(f.loop, 3000));
    assert_non_null(strstr(ps_buf_text(&client.in), "HTTP/1.1 500"));
    client_fini(&client);
    teardown(&f);
    ps_free(head);
}

/* Silent clients fill the places; a later one is served once a place is free again. */
static void connections_are_bounded_and_wait_for_a_place(void **state)
{
    (void)state;
    static struct client idle[HTTP_SERVER_CONNECTIONS_MAX];
    static const char text[] = "GET /healthz HTTP/1.1\r\n\r\n";
    struct fixture f;
    struct client client;

    setup(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(idle); i++)
        client_init(&idle[i], &f, "", 0);
    script_wait(f.loop, 30);
    client_init(&client, &f, text, strlen(text));
    script_wait(f.loop, 50);
    assert_int_equal(f.handled, 0);
    client_fini(&idle[0]);
    for (int i = 0; i < 100 && f.handled == 0; i++)
        script_wait(f.loop, 10);
    assert_int_equal(f.handled, 1);
    for (size_t i = 1; i < PS_ARRAY_LEN(idle); i++)
        client_fini(&idle[i]);
    client_fini(&client);
    teardown(&f);
}

static void server_may_be_freed_by_its_handler_and_with_open_connections(void **state)
{
    (void)state;
    static const char text[] = "GET /healthz HTTP/1.1\r\n\r\n";
    struct fixture f;
    struct client client;
    struct client idle;

    setup(&f);
    f.free_in_handler = true;
    client_init(&idle, &f, "GET /hea", 8);
    client_init(&client, &f, text, strlen(text));
    assert_true(script_run(f.loop, 3000));
    assert_int_equal(f.handled, 1);
    assert_int_equal(client.in.n, 0);
    client_fini(&client);
    client_fini(&idle);
    teardown(&f);
}

static void addresses_are_checked(void **state)
{
    (void)state;

    static const struct {
        const char *address;
        int code;
    } rows[] = {
        {"127.0.0.1:0", 0},         {":0", 0},
        {"127.0.0.1", PS_EINVAL},   {"127.0.0.1:", PS_EINVAL},
        {"127.0.0.1:x", PS_EINVAL}, {"127.0.0.1:70000", PS_EINVAL},
        {"localhost:0", PS_EINVAL}, {"", PS_EINVAL},
        {"[::1:0", PS_EINVAL},      {"[127.0.0.1]:0", PS_EINVAL},
        {"[]:0", PS_EINVAL},        {"127.0.0.1:-1", PS_EINVAL},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct loop *loop = loop_new();
        struct ps_err err = {0};
        struct http_server *server = http_server_new(loop, rows[i].address, handler, NULL, &err);

        if ((server == NULL ? err.code : 0) != rows[i].code)
            fail_msg("%s: %s", rows[i].address, err.message);
        if (server != NULL)
            assert_true(http_server_port(server) > 0);
        http_server_free(server);
        loop_free(loop);
    }
}

static void a_taken_port_is_an_error(void **state)
{
    (void)state;
    struct fixture f;
    struct ps_err err = {0};

    setup(&f);
    PS_AUTO_BUF(address, 64);
    ps_buf_printf(&address, "127.0.0.1:%d", http_server_port(f.server));
    assert_null(http_server_new(f.loop, ps_buf_text(&address), handler, NULL, &err));
    assert_int_equal(err.code, PS_EIO);
    assert_non_null(strstr(err.message, "in use"));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_answers_due),
        cmocka_unit_test(path_and_type_are_the_handlers),
        cmocka_unit_test(too_large_heads_and_bodies_are_errors),
        cmocka_unit_test(connections_are_bounded_and_wait_for_a_place),
        cmocka_unit_test(server_may_be_freed_by_its_handler_and_with_open_connections),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_taken_port_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
