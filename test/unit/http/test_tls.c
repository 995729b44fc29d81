/* SPDX-License-Identifier: Apache-2.0 */
/* TLS and proxies: whom the client trusts, by which name, and which way it goes. */
#include "http/http.h"
#include "support/certs.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS 5000

struct fixture {
    struct loop *loop;
    struct script *script;
    struct http_client *client;
    struct http_client_options options;
    struct certs_pair ca, other_ca, server, user;
    int done, want;
    struct http_response last;
    char peer[64];
    struct script_peer *held;
    bool hold;
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    PS_AUTO_BUF(name, sizeof(f->peer) - 1);

    (void)request;
    ps_buf_str(&name, script_peer_name(peer));
    memcpy(f->peer, ps_buf_text(&name), name.n + 1);
    f->held = peer;
    if (!f->hold)
        script_reply(peer, 200, "", "hello");
}

static void on_done(void *self, const struct http_response *response)
{
    struct fixture *f = self;

    f->last = *response;
    if (++f->done >= f->want)
        loop_stop(f->loop);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_new(), .want = 1};
    http_global_init();
    f->ca = certs_authority("one");
    f->other_ca = certs_authority("other");
    f->server = certs_issue(&f->ca, "server", "IP:127.0.0.1,DNS:api.example");
    f->user = certs_issue(&f->ca, "operator", NULL);
    f->script = script_new(f->loop, on_server, f);
    script_tls(f->script, f->server.cert, f->server.key, NULL);
    f->options.user_agent = "test/1";
    f->options.ca_pem = ps_str(f->ca.cert);
}

static void teardown(struct fixture *f)
{
    http_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    certs_free(&f->ca);
    certs_free(&f->other_ca);
    certs_free(&f->server);
    certs_free(&f->user);
}

static struct http_request *get(struct fixture *f)
{
    PS_AUTO_BUF(url, HTTP_URL_MAX);
    ps_buf_printf(&url, "%s/a%%2Fb?c=d", script_url(f->script));
    const struct http_send send = {.method = "GET",
                                   .url = ps_buf_text(&url),
                                   .bearer = "tok-1",
                                   .timeout_ms = ENOUGH_MS,
                                   .on_done = on_done,
                                   .self = f};

    if (f->client == NULL)
        f->client = http_client_new(f->loop, &f->options);
    return http_send(f->client, &send);
}

static void ask(struct fixture *f)
{
    (void)get(f);
    f->want = f->done + 1;
    assert_true(script_run(f->loop, ENOUGH_MS));
}

static void the_certificate_must_be_of_the_authority(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    ask(&f);
    assert_int_equal(f.last.status, 200);
    assert_string_equal(script_line(f.script, 0), "GET /a%2Fb?c=d");
    http_client_free(f.client);
    f.client = NULL;
    f.options.ca_pem = ps_str(f.other_ca.cert);
    ask(&f);
    assert_int_equal(f.last.err.code, PS_EIO);
    assert_true(f.last.tls_failed);
    assert_false(f.last.sent);
    http_client_free(f.client);
    f.client = NULL;
    f.options.ca_pem = ps_str(NULL); /* the system's roots */
    ask(&f);
    assert_true(f.last.tls_failed);
    http_client_free(f.client);
    f.client = NULL;
    f.options.insecure = true;
    ask(&f);
    assert_int_equal(f.last.status, 200);
    assert_int_equal(script_count(f.script), 2);
    teardown(&f);
}

static void the_name_in_the_certificate_counts(void **state)
{
    (void)state;

    static const struct {
        const char *names, *server_name;
        bool ok;
    } rows[] = {
        {"DNS:api.example", NULL, false},
        {"DNS:api.example", "api.example", true},
        {"DNS:api.example", "API.example", true},
        {"DNS:api.example", "other.example", false},
        {"IP:127.0.0.1", "api.example", false},
        {"IP:127.0.0.1", NULL, true},
        {"IP:10.0.0.1", "10.0.0.1", true},
        {"DNS:api.example", "a b", false},
        {"DNS:api.example", "api.example/x", false},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        PS_AUTO_BUF(host, 256);

        setup(&f);
        certs_free(&f.server);
        f.server = certs_issue(&f.ca, "server", rows[i].names);
        script_tls(f.script, f.server.cert, f.server.key, NULL);
        f.options.tls_server_name = rows[i].server_name;
        ask(&f);
        if ((f.last.status == 200) != rows[i].ok)
            fail_msg("row %zu: %d %s", i, f.last.status, f.last.err.message);
        if (rows[i].ok) {
            /* Neither the address nor the Host field are those of the name. */
            ps_buf_printf(&host, "\r\nHost: %s\r\n", script_url(f.script) + sizeof("https://") - 1);
            assert_non_null(strstr(script_text(f.script, 0), ps_buf_text(&host)));
            assert_string_equal(script_line(f.script, 0), "GET /a%2Fb?c=d");
        }
        teardown(&f);
    }
}

static void a_client_certificate_is_shown(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    script_tls(f.script, f.server.cert, f.server.key, f.ca.cert);
    ask(&f);
    assert_int_not_equal(f.last.err.code, 0);
    http_client_free(f.client);
    f.client = NULL;
    f.options.client_cert_pem = ps_str(f.user.cert);
    f.options.client_key_pem = ps_str(f.user.key);
    ask(&f);
    assert_int_equal(f.last.status, 200);
    assert_string_equal(f.peer, "operator");
    teardown(&f);
}

static void a_retired_client_ends_with_its_last_request(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    /* With nothing to do it is freed at once; else the fixture's loop would not end. */
    ask(&f);
    http_client_retire(f.client);
    f.client = NULL;
    /* With an answer to come, after that … */
    f.hold = true;
    (void)get(&f);
    script_wait(f.loop, 50);
    http_client_retire(f.client);
    f.client = NULL;
    script_reply(f.held, 200, "", "late");
    f.want = 2;
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.last.status, 200);
    /* … or when it is cancelled. */
    struct http_request *request = get(&f);

    script_wait(f.loop, 50);
    http_client_retire(f.client);
    f.client = NULL;
    http_cancel(request);
    script_wait(f.loop, 50);
    assert_int_equal(f.done, 2);
    assert_int_equal(script_open(f.script), 0);
    teardown(&f);
}

/* ---- proxies -----------------------------------------------------------------------------------
 */

static void a_proxy_gets_no_token(void **state)
{
    (void)state;
    struct fixture f;
    PS_AUTO_BUF(proxy, 256);

    setup(&f);
    struct script *way = script_new(f.loop, on_server, &f);
    const char *target = script_url(f.script) + sizeof("https://") - 1;

    ps_buf_printf(&proxy, "http://user:secret@%s", script_url(way) + sizeof("http://") - 1);
    f.options.proxy = ps_buf_text(&proxy);
    f.options.tls_server_name = "api.example";
    ask(&f); /* it answers 200 and then no TLS */
    assert_int_not_equal(f.last.err.code, 0);
    assert_true(ps_str_starts(ps_str(script_line(way, 0)), "CONNECT "));
    assert_true(ps_str_starts(ps_str(script_line(way, 0) + sizeof("CONNECT ") - 1), target));
    assert_non_null(strstr(script_text(way, 0), "\r\nProxy-Authorization: Basic "));
    assert_null(strstr(script_text(way, 0), "tok-1"));
    assert_int_equal(script_count(f.script), 0);
    script_free(way);
    teardown(&f);
}

static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    struct fixture f;

    assert_int_equal(setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    setup(&f);
    ask(&f);
    assert_int_equal(f.last.status, 200);
    teardown(&f);
    assert_int_equal(unsetenv("HTTPS_PROXY"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
    assert_int_equal(setenv("NO_PROXY", "*", 1), 0);
    setup(&f);
    f.options.proxy = "http://127.0.0.1:1";
    ask(&f);
    assert_int_not_equal(f.last.err.code, 0); /* it does not go round the proxy */
    teardown(&f);
    assert_int_equal(unsetenv("NO_PROXY"), 0);
}

static void proxies_are_checked(void **state)
{
    (void)state;

    static const struct {
        const char *url;
        bool ok;
    } rows[] = {
        {"http://p.example:3128", true},
        {"https://p.example", true},
        {"socks5://u:p@10.0.0.1:1080", true},
        {"socks4://p", false},
        {"ftp://p", false},
        {"p.example:3128", false},
        {"", false},
        {"http://", false},
        {"http://a b", false},
        {"http://a\r\nX: y", false},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};

        if ((http_proxy_check(rows[i].url, &err) == 0) != rows[i].ok)
            fail_msg("row %zu: %s", i, err.message);
    }
}

/* ---- PEM texts ---------------------------------------------------------------------------------
 */

static void pem_texts_are_checked(void **state)
{
    (void)state;
    struct certs_pair ca = certs_authority("ca");
    struct certs_pair user = certs_issue(&ca, "user", NULL);

    const struct {
        const char *ca, *cert, *key, *words;
    } rows[] = {
        {NULL, NULL, NULL, NULL},
        {ca.cert, user.cert, user.key, NULL},
        {"hello", NULL, NULL, "authority"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL, NULL, "authority"},
        {NULL, user.cert, ca.key, "does not belong"},
        {NULL, user.cert, NULL, "client key"},
        {NULL, NULL, user.key, "client certificate"},
        {NULL, user.key, user.key, "client certificate"},
        {NULL, user.cert, user.cert, "client key"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};
        const int code =
            http_tls_check(ps_str(rows[i].ca), ps_str(rows[i].cert), ps_str(rows[i].key), &err);

        if ((code == 0) != (rows[i].words == NULL) ||
            (code != 0 && strstr(err.message, rows[i].words) == NULL))
            fail_msg("row %zu: %s", i, err.message);
    }
    certs_free(&user);
    certs_free(&ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_certificate_must_be_of_the_authority),
        cmocka_unit_test(the_name_in_the_certificate_counts),
        cmocka_unit_test(a_client_certificate_is_shown),
        cmocka_unit_test(a_retired_client_ends_with_its_last_request),
        cmocka_unit_test(a_proxy_gets_no_token),
        cmocka_unit_test(the_environment_names_no_proxy),
        cmocka_unit_test(proxies_are_checked),
        cmocka_unit_test(pem_texts_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
