/* SPDX-License-Identifier: Apache-2.0 */
/* The server over TLS, and with a guard that says who may have what. */
#include "http/http.h"
#include "support/certs.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define BODY_SIZE ((size_t)3 * 1024 * 1024)

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    int handled, asked, done, verdict; /* verdict 0: none is given */
    bool large;
    uint64_t ticket;
    char bearer[64], path[64];
    int status;
    size_t body_n;
    bool tls_failed;
};

static int handler(void *self, struct ps_str path, struct ps_buf *body, const char **content_type)
{
    struct fixture *f = self;

    (void)path;
    (void)content_type;
    f->handled++;
    ps_buf_str(body, "fine\n");
    while (f->large && body->n < BODY_SIZE)
        ps_buf_str(body, "penstock_some_metric{with=\"labels\"} 1\n");
    return 200;
}

static void guard(void *self, uint64_t ticket, struct ps_str path, struct ps_str bearer)
{
    struct fixture *f = self;

    f->asked++;
    f->ticket = ticket;
    assert_true(bearer.n < sizeof(f->bearer) && path.n < sizeof(f->path));
    memcpy(f->bearer, bearer.p, bearer.n);
    f->bearer[bearer.n] = '\0';
    memcpy(f->path, path.p, path.n);
    f->path[path.n] = '\0';
    if (f->verdict != 0) {
        http_server_decide(f->server, ticket, f->verdict);
    } else {
        loop_stop(f->loop);
    }
}

static void on_done(void *self, const struct http_response *response)
{
    struct fixture *f = self;

    f->done++;
    f->status = response->status;
    f->body_n = response->body.n;
    f->tls_failed = response->tls_failed;
    loop_stop(f->loop);
}

static void setup(struct fixture *f, const struct http_client_options *options)
{
    struct ps_err err;

    *f = (struct fixture){.loop = loop_new()};
    f->server = http_server_new(f->loop, "127.0.0.1:0", handler, f, &err);
    assert_non_null(f->server);
    struct http_client_options with_name = *options;

    with_name.user_agent = "test/1";
    f->client = http_client_new(f->loop, &with_name);
}

static void teardown(struct fixture *f)
{
    http_client_free(f->client);
    http_server_free(f->server);
    loop_free(f->loop);
}

static struct http_request *start(struct fixture *f, const char *scheme, const char *bearer)
{
    PS_AUTO_BUF(url, 128);

    ps_buf_printf(&url, "%s://127.0.0.1:%d/metrics?x=1", scheme, http_server_port(f->server));
    const struct http_send send = {.method = "GET",
                                   .url = ps_buf_text(&url),
                                   .bearer = bearer,
                                   .timeout_ms = 5000,
                                   .on_done = on_done,
                                   .self = f};

    return http_send(f->client, &send);
}

static void get(struct fixture *f, const char *scheme, const char *bearer)
{
    (void)start(f, scheme, bearer);
    assert_true(script_run(f->loop, 5000));
}

static void a_given_certificate_is_shown(void **state)
{
    struct certs_pair authority = certs_authority("a"), other = certs_authority("b");
    struct certs_pair pair = certs_issue(&authority, "server", "IP:127.0.0.1");
    struct certs_pair next = certs_issue(&other, "server", "IP:127.0.0.1");
    struct fixture f;
    struct ps_err err = {0};

    (void)state;
    setup(&f, &(struct http_client_options){.ca_pem = ps_str(authority.cert)});
    assert_int_equal(http_server_tls(f.server, ps_str(pair.cert), ps_str(pair.key), &err), 0);
    f.large = true;
    get(&f, "https", NULL);
    assert_int_equal(f.status, 200);
    assert_true(f.body_n >= BODY_SIZE);

    /* Another one that can't be used changes nothing, one that can is shown from now on. */
    assert_int_equal(http_server_tls(f.server, ps_str(next.cert), ps_str(pair.key), &err),
                     PS_EINVAL);
    assert_non_null(strstr(err.message, "does not belong"));
    assert_int_equal(http_server_tls(f.server, ps_str("x"), ps_str(pair.key), &err), PS_EINVAL);
    assert_int_equal(http_server_tls(f.server, ps_str(pair.cert), ps_str("x"), &err), PS_EINVAL);
    assert_null(strstr(err.message, "PRIVATE"));
    get(&f, "https", NULL);
    assert_int_equal(f.status, 200);
    assert_int_equal(http_server_tls(f.server, ps_str(next.cert), ps_str(next.key), &err), 0);
    get(&f, "https", NULL);
    assert_true(f.status == 0 && f.tls_failed);
    assert_int_equal(f.handled, 2);
    teardown(&f);
    certs_free(&authority);
    certs_free(&other);
    certs_free(&pair);
    certs_free(&next);
}

static void one_of_our_own_is_vouched_for_by_nobody(void **state)
{
    struct certs_pair authority = certs_authority("a");
    struct fixture f;
    struct ps_err err = {0};

    (void)state;
    for (int insecure = 0; insecure < 2; insecure++) {
        setup(&f, &(struct http_client_options){.ca_pem = ps_str(authority.cert),
                                                .insecure = insecure});
        assert_int_equal(http_server_tls(f.server, ps_str(""), ps_str(""), &err), 0);
        get(&f, "https", NULL);
        assert_int_equal(f.status, insecure ? 200 : 0);
        assert_int_equal(f.tls_failed, !insecure);
        teardown(&f);
    }
    certs_free(&authority);
}

static void nothing_is_said_in_plain_text(void **state)
{
    struct fixture f;
    struct ps_err err = {0};

    (void)state;
    setup(&f, &(struct http_client_options){.insecure = true});
    assert_int_equal(http_server_tls(f.server, ps_str(""), ps_str(""), &err), 0);
    http_server_guard(f.server, guard, &f);
    get(&f, "http", "token");
    assert_int_equal(f.status, 0);
    assert_int_equal(f.handled + f.asked, 0);
    teardown(&f);
}

static void the_guard_decides(void **state)
{
    static const int verdicts[] = {200, 401, 403, 500, 503};
    struct ps_err err = {0};

    (void)state;
    for (size_t i = 0; i < 2 * PS_ARRAY_LEN(verdicts); i++) {
        const bool later = i >= PS_ARRAY_LEN(verdicts);
        const int verdict = verdicts[i % PS_ARRAY_LEN(verdicts)];
        struct fixture f;

        setup(&f, &(struct http_client_options){.insecure = true});
        assert_int_equal(http_server_tls(f.server, ps_str(""), ps_str(""), &err), 0);
        http_server_guard(f.server, guard, &f);
        f.verdict = later ? 0 : verdict;
        get(&f, "https", "a.b-c");
        if (later) {
            assert_int_equal(f.handled + f.done, 0); /* it waits */
            http_server_decide(f.server, f.ticket, verdict);
            assert_true(script_run(f.loop, 5000));
        }
        assert_int_equal(f.status, verdict);
        assert_int_equal(f.handled, verdict == 200);
        assert_string_equal(f.bearer, "a.b-c");
        assert_string_equal(f.path, "/metrics");
        http_server_decide(f.server, f.ticket, 200); /* it is answered: nothing follows */
        assert_int_equal(f.handled, verdict == 200);
        teardown(&f);
    }
}

static void without_a_token_the_guard_gets_none(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, &(struct http_client_options){.insecure = true});
    http_server_guard(f.server, guard, &f);
    f.verdict = 401;
    f.bearer[0] = 'x';
    get(&f, "http", NULL);
    assert_int_equal(f.status, 401);
    assert_string_equal(f.bearer, "");
    teardown(&f);
}

static void a_verdict_for_one_who_has_gone_is_nobody_s(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, &(struct http_client_options){.insecure = true});
    http_server_guard(f.server, guard, &f);
    struct http_request *request = start(&f, "http", "t");

    assert_true(script_run(f.loop, 5000)); /* asked */
    http_cancel(request);
    script_wait(f.loop, 50);
    http_server_decide(f.server, f.ticket, 200);
    http_server_decide(f.server, f.ticket + 1, 200);
    http_server_decide(f.server, 0, 200);
    assert_int_equal(f.handled, 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_given_certificate_is_shown),
        cmocka_unit_test(one_of_our_own_is_vouched_for_by_nobody),
        cmocka_unit_test(nothing_is_said_in_plain_text),
        cmocka_unit_test(the_guard_decides),
        cmocka_unit_test(without_a_token_the_guard_gets_none),
        cmocka_unit_test(a_verdict_for_one_who_has_gone_is_nobody_s),
    };

    http_global_init();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    http_global_fini();
    return failed;
}
