/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests: what goes over the wire, what the answers mean, and when an effect is unknown.
 */
#include "kube/kube.h"
#include "support/script.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS 5000

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    script_fn *server;
    int status;
    const char *headers, *answer;
    char *token_path;
    /* the answer */
    int done;
    struct kube_response last;
    char reason[64];
    char *cause;
    struct json_t *object;
    bool free_in_done, may_write;
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;

    if (f->server != NULL)
        f->server(f, peer, request);
    else
        script_reply(peer, f->status, f->headers, f->answer);
}

static void on_done(void *self, const struct kube_response *response)
{
    struct fixture *f = self;
    const char *cause = js_path_str(js_at(js_path(response->status, "details.causes"), 0), "field");

    f->done++;
    f->last = *response;
    assert_true(strlen(response->reason) < sizeof(f->reason));
    memcpy(f->reason, response->reason, strlen(response->reason) + 1);
    ps_free(f->cause);
    f->cause = cause ? ps_xstrdup(cause) : NULL;
    js_unref(f->object);
    f->object = response->code == 0 ? js_parse(response->text, NULL) : NULL;
    if (f->free_in_done) {
        kube_client_free(f->client);
        f->client = NULL;
    }
    loop_stop(f->loop);
}

static void setup_with(struct fixture *f, const char *token, const char *token_file)
{
    *f = (struct fixture){.loop = loop_new(), .status = 200, .headers = "", .answer = "{}"};
    http_global_init();
    f->script = script_new(f->loop, on_server, f);
    PS_AUTO_BUF(url, 256);
    ps_buf_printf(&url, "%s/prefix", script_url(f->script));
    f->config.server = ps_buf_take(&url);
    f->config.token = token ? ps_xstrdup(token) : NULL;
    f->config.token_file = token_file ? ps_xstrdup(token_file) : NULL;
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
}

static void setup(struct fixture *f)
{
    setup_with(f, NULL, NULL);
}

static void teardown(struct fixture *f)
{
    kube_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    js_unref(f->object);
    ps_free(f->cause);
}

static void submit(struct fixture *f, const struct kube_request *request)
{
    const int before = f->done;

    (void)kube_send(f->client, request, on_done, f);
    assert_int_equal(f->done, before); /* never from inside the call */
    assert_true(script_run(f->loop, ENOUGH_MS));
    assert_int_equal(f->done, before + 1);
}

static void verbs_go_over_the_wire_as_they_should(void **state)
{
    (void)state;
    struct json_t *body = js_object(), *whole = js_object();

    js_set_str(body, "kind", "Pod");
    js_set_str(js_child(whole, "metadata"), "resourceVersion", "7");

    const struct {
        struct kube_request request;
        const char *line, *content_type, *body;
    } rows[] = {
        {{.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"},
         "GET /prefix/api/v1/namespaces/n/pods/a",
         NULL,
         ""},
        {{.verb = KUBE_LIST, .kind = &pods, .label_selector = "a=b"},
         "GET /prefix/api/v1/pods?labelSelector=a%3Db",
         NULL,
         ""},
        {{.verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body},
         "POST /prefix/api/v1/namespaces/n/pods?fieldManager=penstock&fieldValidation=Strict",
         "application/json",
         "{\"kind\":\"Pod\"}"},
        {{.verb = KUBE_PATCH_MERGE,
          .kind = &pods,
          .namespace = "n",
          .name = "a",
          .subresource = "status",
          .body = body},
         "PATCH "
         "/prefix/api/v1/namespaces/n/pods/a/status?fieldManager=penstock&fieldValidation=Strict",
         "application/merge-patch+json",
         "{\"kind\":\"Pod\"}"},
        {{.verb = KUBE_PATCH_STRATEGIC, .kind = &pods, .namespace = "n", .name = "a", .body = body},
         "PATCH /prefix/api/v1/namespaces/n/pods/a?fieldManager=penstock&fieldValidation=Strict",
         "application/strategic-merge-patch+json",
         "{\"kind\":\"Pod\"}"},
        {{.verb = KUBE_UPDATE, .kind = &pods, .namespace = "n", .name = "a", .body = whole},
         "PUT /prefix/api/v1/namespaces/n/pods/a?fieldManager=penstock&fieldValidation=Strict",
         "application/json",
         "{\"metadata\":{\"resourceVersion\":\"7\"}}"},
        {{.verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .name = "a", .uid = "u-1"},
         "DELETE /prefix/api/v1/namespaces/n/pods/a",
         "application/json",
         "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u-1\"},"
         "\"propagationPolicy\":\"Background\"}"},
        {{.verb = KUBE_DELETE,
          .kind = &pods,
          .namespace = "n",
          .name = "a",
          .uid = "u-1",
          .foreground = true},
         "DELETE /prefix/api/v1/namespaces/n/pods/a",
         "application/json",
         "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u-1\"},"
         "\"propagationPolicy\":\"Foreground\"}"},
        {{.verb = KUBE_GET, .raw = true, .raw_path = "/version"}, "GET /prefix/version", NULL, ""},
    };
    struct fixture f;

    setup_with(&f, "tok-1", NULL);
    f.answer = "{\"metadata\":{\"name\":\"a\"}}";
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        submit(&f, &rows[i].request);
        assert_int_equal(f.last.code, 0);
        assert_string_equal(js_path_str(f.object, "metadata.name"), "a");
        const char *text = script_text(f.script, (int)i);

        assert_string_equal(script_line(f.script, (int)i), rows[i].line);
        assert_string_equal(strstr(text, "\r\n\r\n") + 4, rows[i].body);
        assert_non_null(strstr(text, "\r\nAuthorization: Bearer tok-1\r\n"));
        assert_non_null(strstr(text, "\r\nUser-Agent: penstock/test\r\n"));
        assert_non_null(strstr(text, "\r\nAccept: application/json\r\n"));
        const char *type = strstr(text, "\r\nContent-Type: ");

        assert_int_equal(type != NULL, rows[i].content_type != NULL);
        if (type != NULL)
            assert_true(ps_str_starts(ps_str(type + 16), rows[i].content_type));
    }
    js_unref(body);
    js_unref(whole);
    teardown(&f);
}

static void wrong_requests_are_refused_unsent(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct json_t *text = js_string("x");
    const struct kube_request rows[] = {
        {.verb = KUBE_GET, .kind = &pods, .namespace = "n"},
        {.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = ""},
        {.verb = KUBE_GET, .kind = &pods, .name = "a"},
        {.verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .name = "a"},
        {.verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .name = "a", .uid = ""},
        {.verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .name = "", .uid = "u"},
        {.verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .uid = "u"},
        {.verb = KUBE_PATCH_MERGE, .kind = &pods, .namespace = "n", .body = body},
        {.verb = KUBE_PATCH_MERGE, .kind = &pods, .namespace = "n", .name = "a"},
        {.verb = KUBE_PATCH_STRATEGIC, .kind = &pods, .namespace = "n", .name = "a", .body = text},
        {.verb = KUBE_UPDATE, .kind = &pods, .namespace = "n", .name = "a", .body = body},
        {.verb = KUBE_UPDATE, .kind = &pods, .namespace = "n", .body = body},
        {.verb = KUBE_CREATE, .kind = &pods, .namespace = "n"},
        {.verb = KUBE_CREATE, .kind = &pods, .body = body},
        {.verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .name = "a", .body = body},
        {.verb = KUBE_LIST, .kind = &pods, .namespace = "n", .name = "a"},
        {.verb = KUBE_LIST, .kind = &pods, .namespace = ""},
        {.verb = KUBE_CREATE, .raw = true, .raw_path = "/x", .body = body},
        {.verb = KUBE_GET, .raw = true, .raw_path = "x"},
        {.verb = KUBE_GET, .raw = true},
        {.verb = KUBE_GET, .raw = true, .raw_path = "/a b"},
    };
    struct fixture f;

    setup(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        submit(&f, &rows[i]);
        if (f.last.code != PS_EINVAL || f.last.err.message[0] == '\0')
            fail_msg("row %zu: %d %s", i, f.last.code, f.last.err.message);
        assert_false(f.last.unknown);
    }
    assert_int_equal(script_count(f.script), 0);
    js_unref(body);
    js_unref(text);
    teardown(&f);
}

static void refusals_are_mapped(void **state)
{
    (void)state;

    static const struct {
        int status;
        const char *reason;
        int code;
        bool unknown;
    } rows[] = {
        {400, "BadRequest", PS_EINVAL, false},
        {401, "Unauthorized", PS_EAUTH, false},
        {403, "Forbidden", PS_EDENIED, false},
        {404, "NotFound", PS_ENOENT, false},
        {405, "MethodNotAllowed", PS_EINVAL, false},
        {409, "AlreadyExists", PS_EEXIST, false},
        {409, "Conflict", PS_ECONFLICT, false},
        {410, "Expired", PS_EGONE, false},
        {413, "RequestEntityTooLarge", PS_ELIMIT, false},
        {415, "UnsupportedMediaType", PS_EINVAL, false},
        {422, "Invalid", PS_EINVAL, false},
        {429, "TooManyRequests", PS_ETHROTTLED, false},
        {500, "InternalError", PS_ESERVER, true},
        {503, "ServiceUnavailable", PS_ESERVER, true},
        {504, "Timeout", PS_ESERVER, true},
        {302, "", PS_EPROTO, false},
    };
    struct json_t *body = js_object();

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        PS_AUTO_BUF(answer, 1024);

        setup(&f);
        ps_buf_printf(&answer,
                      "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":%d,\"reason\":\"%s\","
                      "\"message\":\"pods \\\"a\\\" says "
                      "no\",\"details\":{\"causes\":[{\"field\":\"spec.x\"}]}}",
                      rows[i].status, rows[i].reason);
        f.status = rows[i].status;
        f.answer = ps_buf_text(&answer);
        submit(&f, &(struct kube_request){
                       .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
        if (f.last.code != rows[i].code)
            fail_msg("row %zu: %s", i, ps_code_name(f.last.code));
        assert_int_equal(f.last.err.code, rows[i].code);
        assert_int_equal(f.last.err.http_status, rows[i].status);
        assert_string_equal(f.last.err.message, "pods \"a\" says no");
        assert_string_equal(f.reason, rows[i].reason);
        assert_string_equal(f.cause, "spec.x");
        assert_int_equal(f.last.unknown, rows[i].unknown);
        assert_null(f.object);
        /* A read has no effect that could be unknown. */
        submit(&f, &(struct kube_request){
                       .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
        assert_int_equal(f.last.code, rows[i].code);
        assert_false(f.last.unknown);
        teardown(&f);
    }
    js_unref(body);
}

#define ACCEPT_METADATA                                                                            \
    "\r\nAccept: "                                                                                 \
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json\r\n"

/* A delete may be answered with a Status; who reads wants all. */
static void metadata_alone_is_asked_for_after_writes_of_bodies_only(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct fixture f;

    js_set_str(js_child(body, "metadata"), "resourceVersion", "7");
    setup(&f);
    for (int verb = KUBE_GET; verb <= KUBE_DELETE; verb++) {
        const bool is_collection = verb == KUBE_LIST || verb == KUBE_CREATE;
        const bool has_body = verb != KUBE_GET && verb != KUBE_LIST && verb != KUBE_DELETE;
        const int number = script_count(f.script);

        submit(&f, &(struct kube_request){.verb = (enum kube_verb)verb,
                                          .kind = &pods,
                                          .namespace = "n",
                                          .name = is_collection ? NULL : "a",
                                          .body = has_body ? body : NULL,
                                          .uid = "u-1",
                                          .metadata_only = true});
        assert_int_equal(f.last.code, 0);
        assert_int_equal(strstr(script_text(f.script, number), ACCEPT_METADATA) != NULL, has_body);
    }
    js_unref(body);
    teardown(&f);
}

static void a_tree_is_made_for_reads_only(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct fixture f;

    setup(&f);
    f.answer = "{\"a\":\"\\u0000\"}"; /* a tree cannot hold it */
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, 0);
    assert_false(f.last.unknown);
    assert_null(f.last.object);
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, PS_EPROTO);
    assert_false(f.last.unknown);
    js_unref(body);
    teardown(&f);
}

static void answers_that_are_no_status_are_quoted(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.status = 502;
    f.answer = "<html>\r\nbad \x01 gateway</html>";
    f.headers = "Retry-After: 3\r\n";
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, PS_ESERVER);
    assert_string_equal(f.last.err.message, "HTTP status 502: <html>  bad   gateway</html>");
    assert_int_equal(f.last.err.retry_after_ms, 3000);
    assert_string_equal(f.reason, "");
    f.status = 429;
    f.headers = "";
    f.answer = "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":9}}";
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, PS_ETHROTTLED);
    assert_int_equal(f.last.err.retry_after_ms, 9000);
    teardown(&f);
}

static void unreadable_success_of_a_write_is_unknown(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "{", "not json", "{\"a\":99999999999999999999999}"};
    struct json_t *body = js_object();
    struct fixture f;

    setup(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(answers); i++) {
        f.answer = answers[i];
        submit(&f, &(struct kube_request){
                       .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
        assert_int_equal(f.last.code, PS_EPROTO);
        assert_true(f.last.unknown);
        submit(&f, &(struct kube_request){
                       .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
        assert_int_equal(f.last.code, PS_EPROTO);
        assert_false(f.last.unknown);
    }
    js_unref(body);
    teardown(&f);
}

static void dies(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_close(peer);
}

static void a_lost_answer_to_a_write_is_unknown(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct fixture f;

    setup(&f);
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    f.server = dies;
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, PS_EIO);
    assert_true(f.last.unknown);
    submit(&f, &(struct kube_request){
                   .verb = KUBE_DELETE, .kind = &pods, .namespace = "n", .name = "a", .uid = "u"});
    assert_true(f.last.unknown);
    assert_int_equal(script_count(f.script), 3); /* and neither was sent again */
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, PS_EIO);
    assert_false(f.last.unknown);
    js_unref(body);
    teardown(&f);
}

static void a_refused_connection_is_known_to_have_no_effect(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct fixture f;

    setup(&f);
    kube_client_free(f.client);
    ps_free(f.config.server);
    f.config.server = ps_xstrdup("http://127.0.0.1:1");
    f.client = kube_client_new(f.loop, &f.config, "penstock/test");
    assert_string_equal(kube_client_server(f.client), "http://127.0.0.1:1");
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, PS_EIO);
    assert_false(f.last.unknown);
    js_unref(body);
    teardown(&f);
}

/* ---- tokens ------------------------------------------------------------------------------------
 */

static void write_token(const char *path, const char *token)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, token, strlen(token)), (ssize_t)strlen(token));
    assert_int_equal(close(fd), 0);
}

static void only_the_new_token(void *self, struct script_peer *peer,
                               const struct script_request *request)
{
    const struct fixture *f = self;

    if (ps_str_find(request->head, "Bearer tok-2\r\n") >= 0) {
        script_reply(peer, 201, "", "{\"a\":1}");
        return;
    }
    if (f->token_path != NULL)
        write_token(f->token_path, "tok-2\n");
    script_reply(peer, 401, "", "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}");
}

static void a_401_reads_the_token_again_and_tries_once_more(void **state)
{
    (void)state;
    char path[] = "/tmp/kube-token-XXXXXX";
    struct json_t *body = js_object();
    struct fixture f;

    assert_int_equal(close(mkstemp(path)), 0);
    write_token(path, "tok-1\n");
    setup_with(&f, "tok-1", path);
    f.server = only_the_new_token;
    /* unchanged: one more try, then the error */
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, PS_EAUTH);
    assert_false(f.last.unknown);
    assert_int_equal(script_count(f.script), 2);
    /* changed meanwhile */
    f.token_path = path;
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, 0);
    assert_int_equal(script_count(f.script), 4);
    /* known from now on; an unreadable file keeps it */
    assert_int_equal(unlink(path), 0);
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, 0);
    assert_int_equal(script_count(f.script), 5);
    js_unref(body);
    teardown(&f);
}

static void without_a_token_file_a_401_is_an_answer(void **state)
{
    (void)state;
    struct fixture f;

    setup_with(&f, "tok-1", NULL);
    f.server = only_the_new_token;
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, PS_EAUTH);
    assert_int_equal(script_count(f.script), 1);
    teardown(&f);
}

static void the_token_file_alone_is_enough(void **state)
{
    (void)state;
    char path[] = "/tmp/kube-token-XXXXXX";
    struct fixture f;

    assert_int_equal(close(mkstemp(path)), 0);
    write_token(path, "tok-2");
    setup_with(&f, NULL, path);
    f.server = only_the_new_token;
    submit(&f,
           &(struct kube_request){.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    assert_int_equal(f.last.code, 0);
    assert_int_equal(script_count(f.script), 1);
    assert_int_equal(unlink(path), 0);
    teardown(&f);
}

/* ---- cancelling and freeing --------------------------------------------------------------------
 */

static void silent(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)peer;
    (void)request;
}

static void cancelled_calls_stay_silent(void **state)
{
    (void)state;
    const struct kube_request good = {
        .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"};
    const struct kube_request bad = {.verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = ""};
    struct fixture f;

    setup(&f);
    f.server = silent;
    kube_cancel(kube_send(f.client, &bad, on_done, &f));
    kube_cancel(kube_send(f.client, &good, on_done, &f));
    struct kube_call *later = kube_send(f.client, &good, on_done, &f);

    script_wait(f.loop, 30);
    assert_int_equal(script_count(f.script), 1);
    kube_cancel(later);
    (void)kube_send(f.client, &good, on_done, &f);
    (void)kube_send(f.client, &bad, on_done, &f);
    kube_client_free(f.client);
    f.client = NULL;
    script_wait(f.loop, 30);
    assert_int_equal(f.done, 0);
    teardown(&f);
}

static void client_may_be_freed_in_the_callback(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;

        setup(&f);
        f.free_in_done = true;
        submit(&f,
               &(struct kube_request){
                   .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = i == 0 ? "a" : ""});
        assert_null(f.client);
        teardown(&f);
    }
}

static bool flag(void *self)
{
    return *(const bool *)self;
}

static bool some_times(void *self)
{
    int *left = self;

    return (*left)-- > 0;
}

static void a_shut_fence_lets_nothing_be_written(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    const struct kube_request write = {
        .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body};
    const struct kube_request read = {
        .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"};
    struct fixture f;
    bool open = false;
    int times = 1; /* open when it is asked for, shut when the body is about to leave */

    setup(&f);
    kube_client_fence(f.client, flag, &open);
    submit(&f, &write);
    assert_int_equal(f.last.code, PS_ECANCELED);
    assert_false(f.last.unknown);
    assert_int_equal(script_connections(f.script), 0);
    submit(&f, &read);
    assert_int_equal(f.last.code, 0);
    kube_client_fence(f.client, some_times, &times);
    submit(&f, &write);
    assert_int_equal(f.last.code, PS_ECANCELED);
    assert_false(f.last.unknown);
    script_wait(f.loop, 30);
    assert_int_equal(script_count(f.script), 1); /* the read: no whole write has come */
    open = true;
    kube_client_fence(f.client, flag, &open);
    submit(&f, &write);
    assert_int_equal(f.last.code, 0);
    assert_int_equal(script_count(f.script), 2);
    js_unref(body);
    teardown(&f);
}

static void shut_it_again(void *self, struct script_peer *peer,
                          const struct script_request *request)
{
    struct fixture *f = self;

    (void)request;
    f->may_write = false;
    script_reply(peer, 401, "", "{}");
}

/* The write that is tried again with a fresh token is a new one for the fence. */
static void a_second_try_is_fenced_too(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct fixture f;

    setup_with(&f, "old", "/nonexistent/token");
    f.may_write = true;
    kube_client_fence(f.client, flag, &f.may_write);
    f.server = shut_it_again;
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    assert_int_equal(f.last.code, PS_ECANCELED);
    assert_int_equal(script_count(f.script), 1);
    js_unref(body);
    teardown(&f);
}

static void close_unread(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_reset(peer);
}

static void assert_counted(struct metrics *metrics, const struct fixture *f, const char *code,
                           const char *method, int n)
{
    PS_AUTO_BUF(line, 512);
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);

    ps_buf_printf(&line, "\nrest_client_requests_total{code=\"%s\",host=\"%s\",method=\"%s\"} %d\n",
                  code, script_url(f->script) + strlen("http://"), method, n);
    metrics_print(metrics, &text);
    if (strstr(ps_buf_text(&text), ps_buf_text(&line)) == NULL)
        fail_msg("no %s in:\n%s", ps_buf_text(&line), ps_buf_text(&text));
}

static void requests_are_counted(void **state)
{
    (void)state;
    struct json_t *body = js_object();
    struct metrics *metrics = metrics_new();
    struct fixture f;

    setup(&f);
    kube_client_measure(f.client, metrics);
    assert_counted(metrics, &f, "<error>", "GET", 0);
    for (int i = 0; i < 3; i++) {
        submit(&f, &(struct kube_request){
                       .verb = KUBE_GET, .kind = &pods, .namespace = "n", .name = "a"});
    }
    f.status = 409;
    submit(&f, &(struct kube_request){
                   .verb = KUBE_CREATE, .kind = &pods, .namespace = "n", .body = body});
    f.server = close_unread;
    submit(&f, &(struct kube_request){.verb = KUBE_LIST, .kind = &pods});
    assert_counted(metrics, &f, "200", "GET", 3);
    assert_counted(metrics, &f, "409", "POST", 1);
    assert_counted(metrics, &f, "<error>", "GET", 1);
    assert_counted(metrics, &f, "<error>", "POST", 0);
    for (f.server = NULL, f.status = 440; f.status < 540; f.status++) {
        submit(&f, &(struct kube_request){.verb = KUBE_LIST, .kind = &pods});
        submit(&f, &(struct kube_request){.verb = KUBE_LIST, .kind = &pods});
    }
    assert_counted(metrics, &f, "441", "GET", 2); /* with a handle kept, … */
    assert_counted(metrics, &f, "539", "GET", 2); /* … and without */
    js_unref(body);
    teardown(&f);
    metrics_free(metrics);
}

static void silent_for_dead(void *self, struct script_peer *peer,
                            const struct script_request *request)
{
    (void)self;
    if (strstr(request->target, "/dead/") == NULL)
        script_reply(peer, 200, "", "{}");
}

/* More calls than there are connections, and none is answered: there is room for those of another
 * namespace, and for the next silent one. */
static void a_silent_namespace_leaves_room(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.server = silent_for_dead;
    for (int i = 0; i < 100; i++) {
        (void)kube_send(f.client,
                        &(struct kube_request){
                            .verb = KUBE_GET, .kind = &pods, .namespace = "dead", .name = "a"},
                        on_done, &f);
    }
    script_wait(f.loop, 50);
    assert_int_equal(script_count(f.script), 32);
    for (int i = 0; i < 3; i++) {
        submit(&f, &(struct kube_request){
                       .verb = KUBE_GET, .kind = &pods, .namespace = "live", .name = "a"});
        assert_int_equal(f.last.code, 0);
    }
    assert_int_equal(script_count(f.script), 35);
    teardown(&f);
    assert_int_equal(f.done, 3); /* those that wait are cancelled silently */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_go_over_the_wire_as_they_should),
        cmocka_unit_test(wrong_requests_are_refused_unsent),
        cmocka_unit_test(refusals_are_mapped),
        cmocka_unit_test(metadata_alone_is_asked_for_after_writes_of_bodies_only),
        cmocka_unit_test(a_tree_is_made_for_reads_only),
        cmocka_unit_test(answers_that_are_no_status_are_quoted),
        cmocka_unit_test(unreadable_success_of_a_write_is_unknown),
        cmocka_unit_test(a_lost_answer_to_a_write_is_unknown),
        cmocka_unit_test(a_refused_connection_is_known_to_have_no_effect),
        cmocka_unit_test(a_401_reads_the_token_again_and_tries_once_more),
        cmocka_unit_test(without_a_token_file_a_401_is_an_answer),
        cmocka_unit_test(the_token_file_alone_is_enough),
        cmocka_unit_test(cancelled_calls_stay_silent),
        cmocka_unit_test(client_may_be_freed_in_the_callback),
        cmocka_unit_test(a_shut_fence_lets_nothing_be_written),
        cmocka_unit_test(a_second_try_is_fenced_too),
        cmocka_unit_test(requests_are_counted),
        cmocka_unit_test(a_silent_namespace_leaves_room),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
