/* SPDX-License-Identifier: Apache-2.0 */
/* Who may read the metrics, with a scripted API server that is asked, and what is remembered. */
#include "operator/guard.h"
#include "support/certs.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define SCRAPES_MAX 9 /* one more than reviews at once */

struct fixture {
    struct loop *loop;
    struct script *api;
    struct kube_config config;
    struct kube_client *kube;
    struct http_server *server;
    struct http_client *client;
    struct operator__guard *guard;
    int done, statuses[SCRAPES_MAX];
    bool silent; /* the API server never answers */
    int refuse;  /* or with that status */
};

static int handler(void *self, struct ps_str path, struct ps_buf *body, const char **content_type)
{
    (void)self;
    (void)path;
    (void)content_type;
    ps_buf_str(body, "penstock_metric 1\n");
    return 200;
}

/* Tokens are "<user>.…"; the user reader may, everybody else may not, and "bad" is nobody. */
static void on_review(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    const bool token = strstr(request->target, "/tokenreviews") != NULL;
    struct json_t *body PS_AUTO_JS = js_parse(request->body, NULL);
    PS_AUTO_BUF(text, 1024);

    if (f->silent)
        return;
    if (f->refuse != 0) {
        script_reply(peer, f->refuse, "", "{\"kind\":\"Status\",\"message\":\"not now\"}");
        return;
    }
    if (token) {
        const char *shown = js_path_str(body, "spec.token");
        const struct ps_str user = ps_str_head(ps_str(shown), strcspn(shown, "."));

        assert_string_equal(js_path_str(body, "apiVersion"), "authentication.k8s.io/v1");
        ps_buf_printf(&text,
                      "{\"status\":{\"authenticated\":%s,\"user\":{\"username\":\"%.*s\",\"uid\":"
                      "\"u\",\"groups\":[\"g\"],\"extra\":{\"e\":[\"v\"]}}}}",
                      ps_str_is(user, "bad") ? "false" : "true", PS_STR_ARG(user));
    } else {
        assert_string_equal(js_path_str(body, "apiVersion"), "authorization.k8s.io/v1");
        assert_string_equal(js_path_str(body, "spec.nonResourceAttributes.path"), "/metrics");
        assert_string_equal(js_path_str(body, "spec.nonResourceAttributes.verb"), "get");
        assert_string_equal(js_path_str(body, "spec.uid"), "u");
        assert_int_equal(js_len(js_path(body, "spec.groups")), 1);
        assert_int_equal(js_len(js_path(body, "spec.extra.e")), 1);
        ps_buf_printf(&text, "{\"status\":{\"allowed\":%s}}",
                      ps_streq(js_path_str(body, "spec.user"), "reader") ? "true" : "false");
    }
    script_reply(peer, 201, "Content-Type: application/json\r\n", ps_buf_text(&text));
}

static void setup(struct fixture *f, const char *cert_dir)
{
    struct ps_err err = {0};

    ps_log_set_level(PS_LOG_ERROR);
    *f = (struct fixture){.loop = loop_new()};
    f->api = script_new(f->loop, on_review, f);
    f->config = (struct kube_config){.server = ps_xstrdup(script_url(f->api))};
    f->kube = kube_client_new(f->loop, &f->config, "test/1");
    f->server = http_server_new(f->loop, "127.0.0.1:0", handler, f, &err);
    f->client = http_client_new(
        f->loop, &(struct http_client_options){.user_agent = "test/1", .insecure = true});
    f->guard = operator__guard_new(
        &(struct operator__guard_options){
            .loop = f->loop, .client = f->kube, .server = f->server, .cert_dir = cert_dir},
        &err);
    if (f->guard == NULL)
        fail_msg("%s", err.message);
}

static void teardown(struct fixture *f)
{
    operator__guard_free(f->guard);
    http_server_free(f->server);
    http_client_free(f->client);
    kube_client_free(f->kube);
    script_free(f->api);
    loop_free(f->loop);
    ps_free(f->config.server);
}

static void on_done(void *self, const struct http_response *response)
{
    struct fixture *f = self;

    f->statuses[f->done++ % SCRAPES_MAX] = response->status;
    loop_stop(f->loop);
}

static void start(struct fixture *f, const char *bearer)
{
    PS_AUTO_BUF(url, 128);

    ps_buf_printf(&url, "https://127.0.0.1:%d/metrics", http_server_port(f->server));
    (void)http_send(f->client, &(struct http_send){.method = "GET",
                                                   .url = ps_buf_text(&url),
                                                   .bearer = bearer,
                                                   .timeout_ms = 20000,
                                                   .on_done = on_done,
                                                   .self = f});
}

static int scrape(struct fixture *f, const char *bearer)
{
    const int before = f->done;

    start(f, bearer);
    assert_true(script_run(f->loop, 5000));
    return f->statuses[before % SCRAPES_MAX];
}

static void the_api_server_decides_and_is_asked_once(void **state)
{
    static const struct {
        const char *token;
        int status, reviews; /* so far */
    } rows[] = {
        {"reader.1", 200, 2},   {"reader.1", 200, 2},   {"reader.2", 200, 4},
        {"stranger.1", 403, 6}, {"stranger.1", 403, 6}, {"bad.1", 401, 7},
        {"bad.1", 401, 7},      {NULL, 401, 7},         {"reader.1", 200, 7},
    };
    struct fixture f;

    (void)state;
    setup(&f, NULL);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const int status = scrape(&f, rows[i].token);

        if (status != rows[i].status || script_count(f.api) != rows[i].reviews)
            fail_msg("row %zu: %d after %d reviews", i, status, script_count(f.api));
    }
    teardown(&f);
}

static void no_answer_is_no_permission_and_is_not_remembered(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, NULL);
    for (int status = 403; status <= 503; status += 100) {
        f.refuse = status;
        assert_int_equal(scrape(&f, "reader.1"), 500);
    }
    f.refuse = 0;
    assert_int_equal(scrape(&f, "reader.1"), 200);
    f.refuse = 500;
    assert_int_equal(scrape(&f, "reader.1"), 200); /* that holds */
    teardown(&f);
}

static void reviews_at_once_are_bounded_and_end_with_the_guard(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, NULL);
    f.silent = true;
    for (int i = 0; i < SCRAPES_MAX; i++) {
        PS_AUTO_BUF(token, 32);

        ps_buf_printf(&token, "reader.%d", i);
        start(&f, ps_buf_text(&token));
    }
    assert_true(script_run(f.loop, 5000));
    assert_int_equal(f.done, 1);
    assert_int_equal(f.statuses[0], 503);
    teardown(&f); /* with eight of them under way */
}

/* Whoever has many tokens makes the guard forget, not grow. */
static void verdicts_are_bounded(void **state)
{
    struct fixture f;
    int i = 0;

    (void)state;
    setup(&f, NULL);
    for (; i < 257; i++) {
        PS_AUTO_BUF(token, 32);

        ps_buf_printf(&token, "bad.%d", i);
        assert_int_equal(scrape(&f, ps_buf_text(&token)), 401);
    }
    assert_int_equal(script_count(f.api), 257);
    assert_int_equal(scrape(&f, "bad.256"), 401);
    assert_int_equal(script_count(f.api), 257); /* the last one is known */
    assert_int_equal(scrape(&f, "bad.0"), 401);
    assert_int_equal(script_count(f.api), 258); /* the first one not any more */
    teardown(&f);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void remove_files(const char *dir)
{
    static const char *const names[] = {"/tls.crt", "/tls.key", ""};

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++) {
        PS_AUTO_BUF(path, 256);

        ps_buf_printf(&path, "%s%s", dir, names[i]);
        assert_int_equal(remove(ps_buf_text(&path)), 0);
    }
}

static void put_file(const char *dir, const char *name, const char *text)
{
    PS_AUTO_BUF(path, 256);

    ps_buf_printf(&path, "%s/%s", dir, name);
    FILE *file = fopen(ps_buf_text(&path), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void the_certificate_is_read_from_its_directory(void **state)
{
    char dir[] = "/tmp/guard-XXXXXX";
    struct certs_pair authority = certs_authority("a");
    struct certs_pair pair = certs_issue(&authority, "server", "IP:127.0.0.1");
    struct fixture f;
    struct ps_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    put_file(dir, "tls.crt", pair.cert);
    put_file(dir, "tls.key", pair.key);
    setup(&f, dir);
    http_client_free(f.client);
    f.client =
        http_client_new(f.loop, &(struct http_client_options){.user_agent = "test/1",
                                                              .ca_pem = ps_str(authority.cert)});
    assert_int_equal(scrape(&f, "reader.1"), 200);
    teardown(&f);

    setup(&f, NULL);
    operator__guard_free(f.guard);
    put_file(dir, "tls.key", authority.key);
    const struct operator__guard_options options = {
        .loop = f.loop, .client = f.kube, .server = f.server, .cert_dir = dir};

    f.guard = operator__guard_new(&options, &err);
    assert_null(f.guard);
    assert_non_null(strstr(err.message, "does not belong"));
    assert_null(strstr(err.message, "PRIVATE"));
    put_file(dir, "tls.key", "");
    assert_null(operator__guard_new(&options, &err));
    teardown(&f);
    remove_files(dir);
    certs_free(&authority);
    certs_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_api_server_decides_and_is_asked_once),
        cmocka_unit_test(no_answer_is_no_permission_and_is_not_remembered),
        cmocka_unit_test(reviews_at_once_are_bounded_and_end_with_the_guard),
        cmocka_unit_test(verdicts_are_bounded),
        cmocka_unit_test(the_certificate_is_read_from_its_directory),
    };

    codec_init();
    http_global_init();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    http_global_fini();
    return failed;
}
