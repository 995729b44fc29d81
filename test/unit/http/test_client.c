/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a scripted server: exactly one callback, no request twice, everything bounded.
 */
#include "http/http.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define ENOUGH_MS  5000
#define LARGE_BODY 100000 /* more than goes out in one piece */

#define HEADER_SIZE 64

struct fixture {
    struct loop *loop;
    struct script *script;
    struct http_client *client;
    script_fn *server;
    /* what the last exchange said */
    int done, want, opened, pieces, asked;
    struct http_response last;
    struct ps_buf body, streamed;
    char message[PS_ERR_MESSAGE_MAX], location[HEADER_SIZE], none[HEADER_SIZE];
    /* what callbacks do */
    struct http_request *request;
    bool stop_data, cancel_in_data, free_in_data, cancel_in_open, free_in_done, again_in_done,
        die_by_reset, shut;
    struct script_peer *peer;
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;

    f->peer = peer;
    f->server(f, peer, request);
}

static void setup_with(struct fixture *f, script_fn *server, long connections)
{
    *f = (struct fixture){.loop = loop_new(), .server = server, .want = 1};
    http_global_init();
    f->script = script_new(f->loop, on_server, f);
    f->client =
        http_client_new(f->loop, &(struct http_client_options){.user_agent = "test/1",
                                                               .max_connections = connections});
    ps_buf_init(&f->body, (size_t)1 << 30);
    ps_buf_init(&f->streamed, (size_t)1 << 30);
}

static void setup(struct fixture *f, script_fn *server)
{
    setup_with(f, server, 0);
}

static void teardown(struct fixture *f)
{
    http_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    ps_buf_fini(&f->body);
    ps_buf_fini(&f->streamed);
}

static struct http_request *get(struct fixture *f, const char *path);

static void copy_header(const struct http_response *response, const char *name,
                        char out[HEADER_SIZE])
{
    const char *value = http_response_header(response, name);

    out[0] = '\0';
    assert_true(value == NULL || strlen(value) < HEADER_SIZE);
    if (value != NULL)
        memcpy(out, value, strlen(value) + 1);
}

static void on_done(void *self, const struct http_response *response)
{
    struct fixture *f = self;

    f->done++;
    f->last = *response;
    ps_buf_clear(&f->body);
    ps_buf_view(&f->body, response->body);
    f->last.body = ps_buf_get(&f->body);
    copy_header(response, "location", f->location);
    copy_header(response, "X-None", f->none);
    f->request = NULL;
    if (f->free_in_done) {
        http_client_free(f->client);
        f->client = NULL;
    }
    if (f->again_in_done) {
        f->again_in_done = false;
        (void)get(f, "/again");
    }
    if (f->done >= f->want)
        loop_stop(f->loop);
}

static void on_open(void *self)
{
    struct fixture *f = self;

    f->opened++;
    if (f->cancel_in_open) {
        http_cancel(f->request);
        f->request = NULL;
    }
}

static bool on_data(void *self, struct ps_str piece)
{
    struct fixture *f = self;

    f->pieces++;
    ps_buf_view(&f->streamed, piece);
    if (f->cancel_in_data && f->request != NULL) {
        http_cancel(f->request);
        f->request = NULL;
    }
    if (f->free_in_data) {
        http_client_free(f->client);
        f->client = NULL;
    }
    return !f->stop_data;
}

static struct http_request *submit(struct fixture *f, struct http_send send, const char *path)
{
    PS_AUTO_BUF(url, HTTP_URL_MAX * 2);
    ps_buf_printf(&url, "%s%s", script_url(f->script), path);
    send.url = ps_buf_text(&url);
    send.method = send.method ? send.method : "GET";
    send.timeout_ms = send.timeout_ms ? send.timeout_ms : ENOUGH_MS;
    send.on_done = on_done;
    send.self = f;
    f->request = http_send(f->client, &send);
    return f->request;
}

static struct http_request *get(struct fixture *f, const char *path)
{
    return submit(f, (struct http_send){0}, path);
}

static void run(struct fixture *f)
{
    const int before = f->done;

    assert_true(script_run(f->loop, ENOUGH_MS));
    assert_true(f->done > before);
}

/* ---- servers -----------------------------------------------------------------------------------
 */

static void hello(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_reply(peer, 200, "", "hello");
}

static void silent(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)peer;
    (void)request;
}

/* ---- plain exchanges ---------------------------------------------------------------------------
 */

static void get_brings_status_and_body(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    (void)submit(&f,
                 (struct http_send){.bearer = "tok-1",
                                    .header_count = 1,
                                    .headers = &(struct http_header){"Accept", "text/x"}},
                 "/a?b=c");
    assert_int_equal(f.done, 0); /* never from inside http_send */
    run(&f);
    assert_int_equal(f.last.err.code, 0);
    assert_int_equal(f.last.status, 200);
    assert_string_equal(f.last.body.p, "hello");
    assert_true(f.last.sent);
    assert_false(f.last.reused_connection);
    const char *text = script_text(f.script, 0);

    assert_string_equal(script_line(f.script, 0), "GET /a?b=c");
    assert_non_null(strstr(text, "\r\nUser-Agent: test/1\r\n"));
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer tok-1\r\n"));
    assert_non_null(strstr(text, "\r\nAccept: text/x\r\n"));
    assert_non_null(strstr(text, "\r\nAccept-Encoding: gzip\r\n"));
    assert_null(strstr(text, "Expect"));
    teardown(&f);
}

static void methods_and_bodies_arrive_whole(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    struct fixture f;
    char *big = ps_xmalloc((size_t)300 * 1024);

    memset(big, 'x', (size_t)300 * 1024);
    setup(&f, hello);
    for (size_t i = 0; i < 2 * PS_ARRAY_LEN(methods); i++) {
        const char *method = methods[i / 2];
        const size_t n = i % 2 == 0 ? 3 : (size_t)300 * 1024;

        (void)submit(&f,
                     (struct http_send){.method = method,
                                        .body = ps_str_n(big, n),
                                        .header_count = 1,
                                        .headers = &(struct http_header){"Content-Type", "a/b"}},
                     "/m");
        run(&f);
        assert_int_equal(f.last.status, 200);
        const char *text = script_text(f.script, (int)i);

        assert_true(ps_str_starts(ps_str(text), method));
        assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), n);
        assert_null(strstr(text, "Expect"));
        assert_non_null(strstr(text, "Content-Type: a/b\r\n"));
        assert_null(strstr(text, "x-www-form"));
        assert_null(strstr(text, "Accept-Encoding")); /* the answers are short */
    }
    assert_int_equal(script_connections(f.script), 1);
    assert_true(f.last.reused_connection);
    ps_free(big);
    teardown(&f);
}

static void errors_of_the_server(void *self, struct script_peer *peer,
                                 const struct script_request *request)
{
    (void)self;
    if (request->number == 0)
        script_reply(peer, 429, "Retry-After: 7\r\n", "slow down");
    else if (request->number == 1)
        script_reply(peer, 302, "Location: /elsewhere\r\n", "");
    else
        script_reply(peer, 204, "", "");
}

static void any_status_is_an_answer_and_redirects_are_not_followed(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, errors_of_the_server);
    (void)submit(&f, (struct http_send){.on_data = on_data, .on_open = on_open}, "/");
    run(&f);
    assert_int_equal(f.last.err.code, 0);
    assert_int_equal(f.last.status, 429);
    assert_int_equal(f.last.retry_after_ms, 7000);
    assert_string_equal(f.last.body.p, "slow down"); /* gathered, although a stream was asked for */
    assert_int_equal(f.pieces, 0);
    assert_int_equal(f.opened, 0);
    (void)get(&f, "/");
    run(&f);
    assert_int_equal(f.last.status, 302);
    assert_int_equal(script_count(f.script), 2);
    assert_string_equal(f.location, "/elsewhere");
    assert_string_equal(f.none, "");
    (void)get(&f, "/"); /* the same handle and connection: nothing is left of the answer before */
    run(&f);
    assert_int_equal(f.last.status, 204);
    assert_string_equal(f.location, "");
    teardown(&f);
}

static void many_requests_share_few_connections(void **state)
{
    (void)state;
    struct fixture f;

    setup_with(&f, hello, 3);
    f.want = 40;
    for (int i = 0; i < 40; i++)
        (void)get(&f, "/n");
    run(&f);
    assert_int_equal(f.done, 40);
    assert_int_equal(script_count(f.script), 40);
    assert_int_equal(script_connections(f.script), 3);
    teardown(&f);
}

static void next_request_may_be_sent_from_on_done(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    f.want = 2;
    f.again_in_done = true;
    (void)get(&f, "/first");
    run(&f);
    assert_int_equal(f.done, 2);
    assert_string_equal(script_line(f.script, 1), "GET /again");
    teardown(&f);
}

static void a_connection_that_ends_while_idle_wakes_nobody_twice(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    (void)get(&f, "/");
    run(&f);
    script_close(f.peer);
    assert_in_range(script_turns(f.loop, 100), 1, 20);
    (void)get(&f, "/");
    run(&f);
    assert_int_equal(f.last.status, 200);
    assert_int_equal(script_connections(f.script), 2);
    teardown(&f);
}

static void hello_at_every_second(void *self, struct script_peer *peer,
                                  const struct script_request *request)
{
    (void)self;
    if (request->number % 2 == 1)
        script_reply(peer, 200, "Connection: close\r\n", "hello");
}

static void the_number_of_a_closed_socket_may_be_another_client_s_next(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello_at_every_second);
    struct http_client *first = f.client;
    struct http_client *second =
        http_client_new(f.loop, &(struct http_client_options){.user_agent = "test/2"});

    for (int i = 0; i < 10; i++) {
        f.client = i % 2 == 0 ? first : second;
        struct http_request *request = get(&f, "/");

        script_wait(f.loop, 5);
        http_cancel(request); /* closes the socket */
        f.client = i % 2 == 0 ? second : first;
        (void)get(&f, "/");
        run(&f);
        assert_int_equal(f.last.status, 200);
    }
    assert_int_equal(script_connections(f.script), 20);
    f.client = first;
    http_client_free(second);
    teardown(&f);
}

/* ---- no request twice --------------------------------------------------------------------------
 */

/* Answers the first request, reads the second whole and dies: as a server that has acted and
 * crashed. */
static void dies_on_second(void *self, struct script_peer *peer,
                           const struct script_request *request)
{
    const struct fixture *f = self;

    if (request->number == 1 && f->die_by_reset)
        script_reset(peer);
    else if (request->number == 1)
        script_close(peer);
    else
        script_reply(peer, 200, "", "ok");
}

static void a_write_on_a_dying_connection_is_not_sent_again(void **state)
{
    (void)state;

    static char large[LARGE_BODY];

    static const struct {
        const char *method;
        bool die_by_reset, is_large;
    } rows[] = {{"POST", false, false},  {"PATCH", false, false}, {"DELETE", false, false},
                {"PUT", false, false},   {"POST", true, false},   {"PATCH", true, false},
                {"DELETE", true, false}, {"POST", false, true},   {"POST", true, true}};

    memset(large, ' ', sizeof(large));

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        setup(&f, dies_on_second);
        f.die_by_reset = rows[i].die_by_reset;
        (void)get(&f, "/");
        run(&f);
        const struct ps_str body = rows[i].is_large ? ps_str_n(large, sizeof(large)) : ps_str("{}");

        (void)submit(&f, (struct http_send){.method = rows[i].method, .body = body}, "/x");
        run(&f);
        script_wait(f.loop, 50);
        assert_int_equal(script_count(f.script), 2); /* not 3 */
        assert_int_equal(f.done, 2);
        assert_int_equal(f.last.err.code, PS_EIO);
        assert_null(strstr(f.last.err.message, "callback")); /* no words of the library's inside */
        assert_int_equal(f.last.status, 0);
        assert_true(f.last.sent);
        assert_true(f.last.reused_connection);
        /* The pool recovers. */
        (void)get(&f, "/");
        run(&f);
        assert_int_equal(f.last.status, 200);
        teardown(&f);
    }
}

static void dies_on_third(void *self, struct script_peer *peer,
                          const struct script_request *request)
{
    (void)self;
    if (request->number == 2)
        script_close(peer);
    else if (request->number > 0)
        script_reply(peer, 200, "", "ok");
}

/* Another connection is open and idle: curl would take that one. */
static void a_write_is_not_sent_again_on_another_connection(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, dies_on_third);
    (void)get(&f, "/");
    script_wait(f.loop, 20);
    struct script_peer *first = f.peer;

    (void)get(&f, "/");
    run(&f);
    f.want = 2;
    script_reply(first, 200, "", "ok");
    run(&f);
    f.want = 3;
    (void)submit(&f, (struct http_send){.method = "POST", .body = PS_STR("{}")}, "/x");
    run(&f);
    script_wait(f.loop, 50);
    assert_int_equal(script_count(f.script), 3); /* not 4 */
    assert_int_equal(script_connections(f.script), 2);
    assert_int_equal(f.last.err.code, PS_EIO);
    assert_true(f.last.sent);
    assert_true(f.last.reused_connection);
    teardown(&f);
}

static void a_write_without_body_is_not_sent_again_either(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, dies_on_second);
    (void)get(&f, "/");
    run(&f);
    (void)submit(&f, (struct http_send){.method = "POST"}, "/start");
    run(&f);
    script_wait(f.loop, 50);
    assert_int_equal(script_count(f.script), 2);
    assert_null(strstr(script_text(f.script, 1), "Content-Type")); /* it is no form */
    assert_int_equal(script_connections(f.script), 1);
    assert_int_equal(f.last.err.code, PS_EIO);
    assert_true(f.last.sent);
    teardown(&f);
}

/* ---- withheld ---------------------------------------------------------------------------------
 */

static bool fence(void *self)
{
    struct fixture *f = self;

    f->asked++;
    return !f->shut;
}

/* The only connection is busy when the request is made. */
static void what_waits_for_a_connection_is_asked_about_when_it_goes(void **state)
{
    (void)state;
    static char large[LARGE_BODY];

    memset(large, ' ', sizeof(large));
    for (int i = 0; i < 4; i++) {
        const struct ps_str body = i < 2 ? ps_str("{}") : ps_str_n(large, sizeof(large));
        struct fixture f;

        setup_with(&f, silent, 1);
        (void)get(&f, "/");
        (void)submit(&f, (struct http_send){.method = "POST", .body = body, .may_send = fence},
                     "/x");
        script_wait(f.loop, 20);
        assert_int_equal(f.asked, 0);
        f.shut = i % 2 == 1;
        f.want = 2;
        f.server = hello;
        script_reply(f.peer, 200, "", "");
        run(&f);
        assert_true(f.asked > 0);
        assert_int_equal(f.last.err.code, f.shut ? PS_ECANCELED : 0);
        assert_int_equal(f.last.sent, !f.shut);
        script_wait(f.loop, 20);
        assert_int_equal(script_count(f.script), f.shut ? 1 : 2);
        teardown(&f);
    }
}

/* ---- no answer ---------------------------------------------------------------------------------
 */

static void refused_connection_says_nothing_was_sent(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    struct http_send send = {.method = "POST",
                             .url = "http://127.0.0.1:1/",
                             .body = PS_STR("{}"),
                             .on_done = on_done,
                             .self = &f};

    (void)http_send(f.client, &send);
    run(&f);
    assert_int_equal(f.last.err.code, PS_EIO);
    assert_false(f.last.sent);
    /* The same words whenever it happens: they go into status. */
    assert_non_null(strstr(f.last.err.message, "connect to 127.0.0.1"));
    assert_null(strstr(f.last.err.message, "after"));
    teardown(&f);
}

static void timeout_ends_the_exchange(void **state)
{
    (void)state;
    struct fixture f;
    const int64_t start = loop_now_ms();

    setup(&f, silent);
    (void)submit(&f, (struct http_send){.timeout_ms = 50, .method = "POST", .body = PS_STR("{}")},
                 "/");
    run(&f);
    assert_int_equal(f.last.err.code, PS_ETIMEOUT);
    assert_string_equal(f.last.err.message, "Operation timed out with 0 bytes received");
    assert_true(f.last.sent);
    assert_in_range(loop_now_ms() - start, 50, 2000);
    teardown(&f);
}

static void half_answer(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    script_close(peer);
}

static void a_cut_answer_is_an_error_not_a_short_body(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, half_answer);
    (void)get(&f, "/");
    run(&f);
    assert_int_equal(f.last.err.code, PS_EIO);
    assert_int_equal(f.last.status, 0);
    assert_int_equal(f.last.err.http_status, 200);
    assert_int_equal(f.last.body.n, 0);
    teardown(&f);
}

static void garbage(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_send(peer, "* OK IMAP4rev1 ready\r\n\r\n");
    script_close(peer);
}

static void an_answer_that_is_not_http_is_an_error(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, garbage);
    (void)get(&f, "/");
    run(&f);
    assert_int_not_equal(f.last.err.code, 0);
    assert_int_equal(f.last.status, 0);
    teardown(&f);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

static void large(void *self, struct script_peer *peer, const struct script_request *request)
{
    char *text = ps_xmalloc(100001);

    (void)self;
    (void)request;
    memset(text, 'y', 100000);
    text[100000] = '\0';
    script_reply(peer, 200, "", text);
    ps_free(text);
}

static void body_cap_is_an_error(void **state)
{
    (void)state;

    static const struct {
        size_t max;
        int code;
    } rows[] = {{99999, PS_ELIMIT}, {100000, 0}, {1, PS_ELIMIT}};
    struct fixture f;

    setup(&f, large);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        (void)submit(&f, (struct http_send){.body_max = rows[i].max}, "/");
        run(&f);
        assert_int_equal(f.last.err.code, rows[i].code);
    }
    teardown(&f);
}

static void endless_head(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_send(peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 5000; i++)
        script_send(peer,
                    "X-Filler: 0123456789012345678901234567890123456789012345678901234567890\r\n");
}

static void head_cap_is_an_error(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, endless_head);
    (void)get(&f, "/");
    run(&f);
    assert_int_equal(f.last.err.code, PS_ELIMIT);
    teardown(&f);
}

/* gzip of 1,000,000 zero bytes would be caught by the same ceiling: it counts what comes out. */
static const char gzip_hello[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00"
    "\x86\xa6\x10\x36\x05\x00\x00\x00";

static void zipped(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_send(peer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n");
    script_send_n(peer, gzip_hello, sizeof(gzip_hello) - 1);
}

static void gzip_is_read_and_its_ceiling_is_of_the_plain_bytes(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, zipped);
    (void)get(&f, "/");
    run(&f);
    assert_string_equal(f.last.body.p, "hello");
    (void)submit(&f, (struct http_send){.body_max = 4}, "/");
    run(&f);
    assert_int_equal(f.last.err.code, PS_ELIMIT);
    teardown(&f);
}

/* ---- streams -----------------------------------------------------------------------------------
 */

static void stream_three(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_stream(peer);
    script_chunk(peer, "one ");
    script_chunk(peer, "two ");
    script_chunk(peer, "three");
    script_stream_end(peer);
}

static void stream_comes_in_pieces_uncompressed(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, stream_three);
    (void)submit(&f, (struct http_send){.on_data = on_data, .on_open = on_open}, "/");
    run(&f);
    assert_int_equal(f.last.status, 200);
    assert_int_equal(f.last.body.n, 0);
    assert_string_equal(ps_buf_text(&f.streamed), "one two three");
    assert_int_equal(f.opened, 1);
    assert_null(strstr(script_text(f.script, 0), "Accept-Encoding"));
    teardown(&f);
}

static void stream_head_only(void *self, struct script_peer *peer,
                             const struct script_request *request)
{
    (void)self;
    (void)request;
    script_stream(peer);
}

static void open_comes_before_any_data_and_silence_ends_a_stream(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, stream_head_only);
    (void)submit(
        &f, (struct http_send){.on_data = on_data, .on_open = on_open, .idle_timeout_ms = 60}, "/");
    const int64_t start = loop_now_ms();

    run(&f);
    assert_int_equal(f.opened, 1);
    assert_int_equal(f.pieces, 0);
    assert_int_equal(f.last.err.code, PS_ETIMEOUT);
    assert_in_range(loop_now_ms() - start, 60, 2000);
    teardown(&f);
}

static void idle_time_counts_from_the_last_byte(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, stream_head_only);
    (void)submit(&f, (struct http_send){.on_data = on_data, .idle_timeout_ms = 120}, "/");
    for (int i = 0; i < 4; i++) {
        script_wait(f.loop, 60);
        assert_int_equal(f.done, 0);
        script_chunk(f.peer, "x");
    }
    run(&f);
    assert_int_equal(f.pieces, 4);
    assert_int_equal(f.last.err.code, PS_ETIMEOUT);
    teardown(&f);
}

static void reader_may_end_a_stream(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, stream_three);
    f.stop_data = true;
    (void)submit(&f, (struct http_send){.on_data = on_data}, "/");
    run(&f);
    assert_int_equal(f.last.err.code, PS_ECANCELED);
    assert_int_equal(f.pieces, 1);
    teardown(&f);
}

/* ---- cancelling and freeing --------------------------------------------------------------------
 */

static void cancelled_requests_stay_silent(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    http_cancel(get(&f, "/at-once"));
    struct http_request *later = get(&f, "/later");

    script_wait(f.loop, 1);
    if (f.done == 0)
        http_cancel(later);
    const int done = f.done;

    script_wait(f.loop, 50);
    assert_int_equal(f.done, done);
    http_cancel(NULL);
    teardown(&f);
}

static void refused_requests_can_be_cancelled_too(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, hello);
    struct http_send send = {.method = "GET", .url = "ftp://x/", .on_done = on_done, .self = &f};

    http_cancel(http_send(f.client, &send));
    script_wait(f.loop, 20);
    assert_int_equal(f.done, 0);
    teardown(&f);
}

static void cancel_from_inside_its_callbacks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;

        setup(&f, stream_three);
        f.cancel_in_data = i == 0;
        f.cancel_in_open = i == 1;
        (void)submit(&f, (struct http_send){.on_data = on_data, .on_open = on_open}, "/");
        script_wait(f.loop, 50);
        assert_int_equal(f.opened, 1);
        assert_int_equal(f.pieces, i == 0 ? 1 : 0);
        assert_int_equal(f.done, 0);
        /* The client goes on. */
        f.cancel_in_open = f.cancel_in_data = false;
        (void)get(&f, "/");
        run(&f);
        assert_int_equal(f.last.status, 200);
        teardown(&f);
    }
}

static void client_freed_from_inside_callbacks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;

        setup(&f, stream_three);
        f.free_in_data = i == 0;
        f.free_in_done = i == 1;
        (void)submit(&f, (struct http_send){.on_data = on_data}, "/");
        if (i == 1)
            (void)submit(&f, (struct http_send){.on_data = on_data}, "/other");
        script_wait(f.loop, 50);
        assert_int_equal(f.done, i);
        assert_null(f.client);
        teardown(&f);
    }
}

static void freeing_the_client_cancels_what_runs(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, silent);
    for (int i = 0; i < 5; i++)
        (void)submit(&f, (struct http_send){.on_data = on_data, .idle_timeout_ms = 1000}, "/");
    script_wait(f.loop, 30);
    http_client_free(f.client);
    f.client = NULL;
    script_wait(f.loop, 30);
    assert_int_equal(f.done, 0);
    assert_int_equal(script_open(f.script), 0);
    teardown(&f);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

static void injection_is_refused_before_anything_is_sent(void **state)
{
    (void)state;

    static const struct {
        const char *method, *url, *name, *value, *bearer;
    } rows[] = {
        {"GET", "/", "X-A", "a\r\nX-B: b", NULL},
        {"GET", "/", "X-A", "a\nb", NULL},
        {"GET", "/", "X-A", "", NULL},
        {"GET", "/", "X-A", "caf\xc3\xa9", NULL},
        {"GET", "/", "X A", "a", NULL},
        {"GET", "/", "X:A", "a", NULL},
        {"GET", "/", "", "a", NULL},
        {"GET", "/", "X-A", "a", "hush\r\nX-B: b"},
        {"GET", "/", "X-A", "a", "hush hush"},
        {"GET", "/", "X-A", "a", ""},
        {"GET / HTTP/1.1\r\nX: y", "/", "X-A", "a", NULL},
        {"GET", "/a b", "X-A", "a", NULL},
        {"GET", "/a\r\nHost: x", "X-A", "a", NULL},
        {"GET", "/\x7f", "X-A", "a", NULL},
    };
    struct fixture f;

    setup(&f, hello);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct http_header header = {rows[i].name, rows[i].value};

        (void)submit(&f,
                     (struct http_send){.method = rows[i].method,
                                        .headers = &header,
                                        .header_count = 1,
                                        .bearer = rows[i].bearer},
                     rows[i].url);
        assert_int_equal(f.done, (int)i);
        run(&f);
        if (f.last.err.code != PS_EINVAL)
            fail_msg("row %zu: %s", i, f.last.err.message);
        assert_false(f.last.sent);
        assert_null(strstr(f.last.err.message, "hush"));
    }
    assert_int_equal(script_connections(f.script), 0);
    teardown(&f);
}

/* The server's URL has been found good before. */
static void no_url_borrows_the_good_name_of_another(void **state)
{
    (void)state;
    static const char *const rows[] = {"@10.0.0.1/", "0000/", "/ x", "/\n", "/\x7f"};
    struct fixture f;

    setup(&f, hello);
    (void)get(&f, "/");
    run(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        (void)get(&f, rows[i]);
        run(&f);
        if (f.last.err.code != PS_EINVAL || f.last.sent)
            fail_msg("%s: %s", rows[i], f.last.err.message);
    }
    char *longest = ps_xmalloc(HTTP_URL_MAX + 2);

    memset(longest, '/', HTTP_URL_MAX + 1);
    longest[HTTP_URL_MAX + 1] = '\0';
    (void)get(&f, longest);
    run(&f);
    assert_int_equal(f.last.err.code, PS_EINVAL);
    ps_free(longest);
    (void)get(&f, "/?x=@10.0.0.1/");
    run(&f);
    assert_int_equal(f.last.status, 200);
    assert_int_equal(script_count(f.script), 2);
    teardown(&f);
}

static void urls_are_checked(void **state)
{
    (void)state;

    static const struct {
        const char *url;
        int code;
    } rows[] = {
        {"https://api.example:6443/x?y=z", 0},
        {"https://[2001:db8::1]:6443/", 0},
        {"http://127.0.0.1:8080/", 0},
        {"http://127.9.9.9/", 0},
        {"http://localhost:8080/", 0},
        {"http://[::1]:8080/", 0},
        {"http://api.example/", PS_EINVAL},
        {"http://10.0.0.1/", PS_EINVAL},
        {"http://localhost.example/", PS_EINVAL},
        {"http://127.0.0.1.example/", PS_EINVAL},
        {"http://128.0.0.1/", PS_EINVAL},
        {"https://user@api.example/", PS_EINVAL},
        {"https://user:word@api.example/", PS_EINVAL},
        {"http://127.0.0.1@api.example/", PS_EINVAL},
        {"ftp://api.example/", PS_EINVAL},
        {"file:///etc/passwd", PS_EINVAL},
        {"api.example", PS_EINVAL},
        {"", PS_EINVAL},
        {"https://", PS_EINVAL},
        {"https://api.example/ x", PS_EINVAL},
        {"https://api.example/\n", PS_EINVAL},
        {"https://api.example:99999/", PS_EINVAL},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};

        if (http_url_check(rows[i].url, &err) != rows[i].code)
            fail_msg("%s: %s", rows[i].url, err.message);
        assert_null(strstr(err.message, "word"));
    }
}

static void a_url_longer_than_its_cap_is_refused(void **state)
{
    (void)state;
    PS_AUTO_BUF(url, HTTP_URL_MAX * 2);
    ps_buf_str(&url, "https://api.example/");
    while (url.n < HTTP_URL_MAX)
        ps_buf_char(&url, 'a');
    assert_int_equal(http_url_check(ps_buf_text(&url), NULL), 0);
    ps_buf_char(&url, 'a');
    assert_int_equal(http_url_check(ps_buf_text(&url), NULL), PS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_brings_status_and_body),
        cmocka_unit_test(methods_and_bodies_arrive_whole),
        cmocka_unit_test(any_status_is_an_answer_and_redirects_are_not_followed),
        cmocka_unit_test(many_requests_share_few_connections),
        cmocka_unit_test(next_request_may_be_sent_from_on_done),
        cmocka_unit_test(a_connection_that_ends_while_idle_wakes_nobody_twice),
        cmocka_unit_test(the_number_of_a_closed_socket_may_be_another_client_s_next),
        cmocka_unit_test(a_write_on_a_dying_connection_is_not_sent_again),
        cmocka_unit_test(a_write_is_not_sent_again_on_another_connection),
        cmocka_unit_test(a_write_without_body_is_not_sent_again_either),
        cmocka_unit_test(what_waits_for_a_connection_is_asked_about_when_it_goes),
        cmocka_unit_test(refused_connection_says_nothing_was_sent),
        cmocka_unit_test(timeout_ends_the_exchange),
        cmocka_unit_test(a_cut_answer_is_an_error_not_a_short_body),
        cmocka_unit_test(an_answer_that_is_not_http_is_an_error),
        cmocka_unit_test(body_cap_is_an_error),
        cmocka_unit_test(head_cap_is_an_error),
        cmocka_unit_test(gzip_is_read_and_its_ceiling_is_of_the_plain_bytes),
        cmocka_unit_test(stream_comes_in_pieces_uncompressed),
        cmocka_unit_test(open_comes_before_any_data_and_silence_ends_a_stream),
        cmocka_unit_test(idle_time_counts_from_the_last_byte),
        cmocka_unit_test(reader_may_end_a_stream),
        cmocka_unit_test(cancelled_requests_stay_silent),
        cmocka_unit_test(refused_requests_can_be_cancelled_too),
        cmocka_unit_test(cancel_from_inside_its_callbacks),
        cmocka_unit_test(client_freed_from_inside_callbacks),
        cmocka_unit_test(freeing_the_client_cancels_what_runs),
        cmocka_unit_test(injection_is_refused_before_anything_is_sent),
        cmocka_unit_test(no_url_borrows_the_good_name_of_another),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(a_url_longer_than_its_cap_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
