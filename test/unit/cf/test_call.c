/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests: what goes over the wire, what the answers mean, and when an effect is unknown.
 */
#include "foundation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

static void the_root_and_uaa_are_found_before_the_first_request(void **state)
{
    (void)state;
    struct foundation f;
    PS_AUTO_JS struct json_t *body = js_object();

    foundation_open(&f);
    assert_null(cf_client_root(f.client));
    js_set_str(body, "name", "foo");
    f.answer = "{\"guid\":\"g-1\",\"sequence_id\":20261121233649544}";
    f.headers = "X-Vcap-Request-Id: r\r\n";
    foundation_ask(&f, "POST", "/v3/apps", body);
    assert_int_equal(f.last.code, 0);
    assert_int_equal(f.last.status, 200);
    assert_string_equal(f.text, "{\"guid\":\"g-1\",\"sequence_id\":20261121233649544}");
    assert_string_equal(script_line(f.script, 0), "GET /");
    assert_string_equal(script_line(f.script, 1), "POST /uaa/oauth/token");
    assert_string_equal(script_line(f.script, 2), "POST /v3/apps");
    const char *text = script_text(f.script, 2);

    assert_non_null(strstr(text, "\r\nAuthorization: Bearer token-1\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(text, "\r\nUser-Agent: penstock/test\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n") + 4, "{\"name\":\"foo\"}");
    assert_null(strstr(script_text(f.script, 0), "Authorization"));
    assert_string_equal(cf_client_root(f.client)->version, "3.180.0");
    assert_false(cf_client_root(f.client)->korifi);
    assert_null(cf_client_trouble(f.client));
    foundation_ask(&f, "DELETE", "/v3/apps/g-1", NULL);
    assert_int_equal(f.roots, 1);
    assert_int_equal(f.tokens, 1);
    assert_null(strstr(script_text(f.script, 3), "Content-Type"));
    foundation_close(&f);
}

static void korifi_is_known_by_its_version(void **state)
{
    (void)state;
    struct foundation f;
    PS_AUTO_BUF(root, 1024);

    foundation_open(&f);
    ps_buf_printf(&root,
                  "{\"cf_on_k8s\":false,\"links\":{\"uaa\":null,\"login\":{\"href\":\"%s/uaa/\"},"
                  "\"cloud_controller_v3\":{\"meta\":{\"version\":\"3.117.0+cf-k8s\"}}}}",
                  script_url(f.script));
    f.root = ps_buf_text(&root);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    assert_true(cf_client_root(f.client)->korifi);
    foundation_close(&f);
}

static void a_root_that_leads_elsewhere_gets_nothing(void **state)
{
    (void)state;

    static const struct {
        const char *root;
        int code;
    } rows[] = {
        {"{\"links\":{\"uaa\":{\"href\":\"https://uaa.evil.example\"}}}", PS_EDENIED},
        {"{\"links\":{\"uaa\":{\"href\":\"http://uaa.evil.example\"}}}", PS_EINVAL},
        {"{\"links\":{\"uaa\":null}}", PS_EINVAL},
        {"{\"links\":null}", PS_EPROTO},
        {"<html>", PS_EPROTO},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct foundation f;

        foundation_open(&f);
        f.root = rows[i].root;
        foundation_ask(&f, "POST", "/v3/apps", NULL);
        assert_int_equal(f.last.code, rows[i].code);
        assert_false(f.last.unknown);
        assert_string_equal(cf_client_trouble(f.client), f.last.err.message);
        foundation_ask(&f, "GET", "/v3/apps", NULL); /* too early to ask again */
        assert_int_equal(f.last.code, rows[i].code);
        assert_int_equal(f.roots, 1);
        assert_int_equal(script_count(f.script), 1);
        script_wait(f.loop, 250);
        f.root = NULL;
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.last.code, 0);
        assert_null(cf_client_trouble(f.client));
        foundation_close(&f);
    }
}

#define CC_ERROR(code, title)                                                                      \
    "{\"errors\":[{\"code\":" #code ",\"title\":\"" title "\",\"detail\":\"says\\nno\"}]}"

static const struct {
    int status;
    const char *answer;
    int code;
    int64_t error_code;
    bool unknown; /* of a write */
} refusals[] = {
    {400, CC_ERROR(10005, "CF-BadQueryParameter"), PS_EINVAL, 10005, false},
    {400, CC_ERROR(150004, "CF-PackageBitsAlreadyUploaded"), PS_EEXIST, 150004, false},
    {401, CC_ERROR(10002, "CF-NotAuthenticated"), PS_EAUTH, 10002, false},
    {403, CC_ERROR(10003, "CF-NotAuthorized"), PS_EDENIED, 10003, false},
    {404, CC_ERROR(10010, "CF-ResourceNotFound"), PS_ENOENT, 10010, false},
    {404, CC_ERROR(100004, "CF-AppNotFound"), PS_ENOENT, 100004, false},
    {404, CC_ERROR(10000, "CF-NotFound"), PS_EINVAL, 10000, false},
    {404, CC_ERROR(77, "CF-Odd"), PS_ESERVER, 77, false},
    {404, "404 Not Found: Requested route ('api.x') does not exist.\n", PS_ESERVER, 0, false},
    {404, "{\"error\":\"not_found\"}", PS_ESERVER, 0, false},
    {404, "{\"errors\":[]}", PS_ESERVER, 0, false},
    {404, "", PS_ESERVER, 0, false},
    {409, CC_ERROR(10016, "CF-X"), PS_ECONFLICT, 10016, false},
    {413, "too big", PS_ELIMIT, 0, false},
    {422, CC_ERROR(10008, "CF-UnprocessableEntity"), PS_EINVAL, 10008, false},
    {422, CC_ERROR(10016, "CF-UniquenessError"), PS_EEXIST, 10016, false},
    {422, CC_ERROR(10016, "CF-ServiceBrokerRateLimitExceeded"), PS_EINVAL, 10016, false},
    {422, CC_ERROR(10020, "CF-ResourceBeingDeleted"), PS_ECONFLICT, 10020, false},
    {422, CC_ERROR(170017, "CF-StagingInProgress"), PS_ECONFLICT, 170017, false},
    {422, CC_ERROR(270018, "CF-ServiceBrokerConcurrencyError"), PS_ESERVER, 270018, false},
    {429, CC_ERROR(10013, "CF-RateLimitExceeded"), PS_ETHROTTLED, 10013, false},
    {500, CC_ERROR(10001, "CF-UnknownError"), PS_ESERVER, 10001, true},
    {502, "<html>Bad Gateway</html>", PS_ESERVER, 0, true},
    {503, CC_ERROR(170015, "CF-RunnerUnavailable"), PS_ESERVER, 170015, true},
    {302, "", PS_EPROTO, 0, false},
};

static void refusals_are_told_apart_by_code(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(refusals); i++) {
        f.status = refusals[i].status;
        f.answer = refusals[i].answer;
        foundation_ask(&f, "POST", "/v3/apps", NULL);
        if (f.last.code != refusals[i].code)
            fail_msg("row %zu: %s: %s", i, ps_code_name(f.last.code), f.last.err.message);
        assert_int_equal(f.last.err.http_status, refusals[i].status);
        assert_int_equal(f.last.status, refusals[i].status);
        assert_int_equal(f.last.error_code, refusals[i].error_code);
        assert_int_equal(f.last.unknown, refusals[i].unknown);
        assert_null(f.text);
        assert_null(strchr(f.last.err.message, '\n'));
        /* A read has no effect that could be unknown. */
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.last.code, refusals[i].code);
        assert_false(f.last.unknown);
    }
    f.status = 422;
    f.answer = CC_ERROR(10016, "CF-UniquenessError");
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_string_equal(f.title, "CF-UniquenessError");
    assert_string_equal(f.detail, "says\nno");
    assert_string_equal(f.last.err.message, "says no (CF-UniquenessError)");
    assert_int_equal(f.asked, 2 * PS_ARRAY_LEN(refusals) + 1); /* nothing was repeated */
    foundation_close(&f);
}

static void hang_up(struct foundation *f, struct script_peer *peer,
                    const struct script_request *request)
{
    (void)f;
    (void)request;
    script_close(peer);
}

static void an_effect_without_an_answer_is_unknown(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.api = hang_up;
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_EIO);
    assert_true(f.last.unknown);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_false(f.last.unknown);
    f.api = NULL;
    f.status = 201;
    f.answer = "{\"guid\":";
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_EPROTO);
    assert_true(f.last.unknown);
    f.status = 204;
    f.answer = "";
    foundation_ask(&f, "DELETE", "/v3/routes/r", NULL);
    assert_int_equal(f.last.code, 0);
    assert_null(f.text);
    assert_int_equal(f.asked, 4);
    foundation_close(&f);
}

static void a_foundation_that_is_away_is_looked_for_again(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    foundation_stop(&f);
    foundation_ask(&f, "GET", "/v3/apps", NULL); /* perhaps over the connection that was there */
    assert_int_equal(f.last.code, PS_EIO);
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_EIO);
    assert_false(f.last.unknown);
    foundation_return(&f);
    script_wait(f.loop, 500);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    assert_int_equal(f.roots, 2);
    assert_int_equal(f.tokens, 1); /* the token is as good as before */
    foundation_close(&f);
}

static void jobs_are_followed_on_the_api_alone(void **state)
{
    (void)state;
    struct foundation f;
    PS_AUTO_BUF(own, 256);
    PS_AUTO_BUF(header, 512);

    foundation_open(&f);
    ps_buf_printf(&own, "%s/v3/jobs/j", script_url(f.script));
    ps_buf_printf(&header, "Location: %s\r\n", ps_buf_text(&own));
    f.status = 202;
    f.answer = "";
    f.headers = ps_buf_text(&header);
    foundation_ask(&f, "DELETE", "/v3/apps/a", NULL);
    assert_int_equal(f.last.code, 0);
    assert_string_equal(f.location, ps_buf_text(&own));
    f.headers = "Location: /v3/jobs/j\r\n";
    foundation_ask(&f, "DELETE", "/v3/apps/a", NULL);
    assert_string_equal(f.location, ps_buf_text(&own));
    f.headers = "Location: https://evil.example/v3/jobs/j\r\n";
    foundation_ask(&f, "DELETE", "/v3/apps/a", NULL);
    assert_int_equal(f.last.code, 0);
    assert_null(f.location);
    foundation_close(&f);
}

static void wrong_requests_are_refused_unsent(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "v3/apps", "https://evil.example/v3/apps",
                                        "//evil.example/", "/a b"};
    struct foundation f;
    PS_AUTO_JS struct json_t *text = js_string("x");
    PS_AUTO_JS struct json_t *object = js_object();

    foundation_open(&f);
    for (size_t i = 0; i < PS_ARRAY_LEN(paths); i++) {
        foundation_ask(&f, "GET", paths[i], NULL);
        if (i != 3) /* a path of the API after all */
            assert_int_equal(f.last.code, PS_EINVAL);
    }
    foundation_ask(&f, "HEAD", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_EINVAL);
    foundation_ask(&f, "GET", "/v3/apps", object);
    assert_int_equal(f.last.code, PS_EINVAL);
    foundation_ask(&f, "POST", "/v3/apps", text);
    assert_int_equal(f.last.code, PS_EINVAL);
    assert_int_equal(f.asked, 1);
    assert_string_equal(script_line(f.script, script_count(f.script) - 1), "GET //evil.example/");
    foundation_close(&f);
}

static void silence_is_kept_by_the_whole_account(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.status = 429;
    f.headers = "Retry-After: 1\r\n";
    f.answer = CC_ERROR(10016, "CF-ServiceBrokerRateLimitExceeded");
    foundation_ask(&f, "GET", "/v3/service_credential_bindings/b/parameters", NULL);
    assert_int_equal(f.last.code, PS_ETHROTTLED);
    assert_int_equal(cf_client_paused_ms(f.client), 0); /* about a broker */
    f.answer = CC_ERROR(10013, "CF-RateLimitExceeded");
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_true(cf_client_paused_ms(f.client) > 0);
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_ETHROTTLED);
    assert_false(f.last.unknown);
    assert_true(f.last.err.retry_after_ms > 0 && f.last.err.retry_after_ms <= 1000);
    assert_int_equal(f.asked, 2);
    script_wait(f.loop, 1050);
    f.status = 200;
    f.answer = "{}";
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    foundation_close(&f);
}

static void little_left_is_noticed(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.headers = "X-RateLimit-Limit: 2000\r\nX-RateLimit-Remaining: 199\r\n";
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_true(cf_client_is_short(f.client));
    f.headers = "";
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_true(cf_client_is_short(f.client));
    f.headers = "X-RateLimit-Limit: 2000\r\nX-RateLimit-Remaining: 200\r\n";
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_false(cf_client_is_short(f.client));
    foundation_close(&f);
}

static void only_the_accounts_authority_is_trusted(void **state)
{
    (void)state;
    struct foundation f;
    struct certs_pair ours = certs_authority("ours");
    struct certs_pair theirs = certs_authority("theirs");
    struct certs_pair server = certs_issue(&ours, "api", "IP:127.0.0.1");

    foundation_open_tls(&f, &server, ours.cert);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    assert_true(ps_str_starts(ps_str(script_url(f.script)), "https://"));
    foundation_close(&f);
    const char *const others[] = {theirs.cert, NULL};

    for (size_t i = 0; i < PS_ARRAY_LEN(others); i++) {
        foundation_open_tls(&f, &server, others[i]);
        foundation_ask(&f, "POST", "/v3/apps", NULL);
        assert_int_equal(f.last.code, PS_EIO);
        assert_false(f.last.unknown);
        assert_int_equal(script_count(f.script), 0);
        foundation_close(&f);
    }
    certs_free(&server);
    certs_free(&theirs);
    certs_free(&ours);
}

static bool may_write(void *self)
{
    const struct foundation *f = self;

    return !f->fenced;
}

static void no_write_passes_the_fence(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    cf_client_fence(f.client, may_write, &f);
    f.fenced = true;
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_ECANCELED);
    assert_false(f.last.unknown);
    assert_int_equal(script_count(f.script), 0);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    f.fenced = false;
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    foundation_close(&f);
}

static void say_nothing(struct foundation *f, struct script_peer *peer,
                        const struct script_request *request)
{
    (void)f;
    (void)peer;
    (void)request;
}

/* Wherever it is: in the queue, on its way, or before the root has answered. */
static void what_is_cancelled_is_heard_of_no_more(void **state)
{
    (void)state;
    struct foundation f;
    struct cf_call *calls[24];

    foundation_open(&f);
    f.api = say_nothing;
    cf_cancel(foundation_start(&f, "GET", "/v3/apps", NULL));
    for (size_t i = 0; i < PS_ARRAY_LEN(calls); i++)
        calls[i] = foundation_start(&f, "GET", "/v3/apps", NULL);
    script_wait(f.loop, 200);
    assert_int_equal(f.asked, 10); /* the others wait */
    for (size_t i = 0; i + 1 < PS_ARRAY_LEN(calls); i++)
        cf_cancel(calls[i]);
    script_wait(f.loop, 200);
    assert_int_equal(f.asked, 11);
    assert_int_equal(f.done, 0);
    foundation_close(&f); /* with the last one */
}

static void the_client_may_be_freed_in_a_callback(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.free_in_done = true;
    (void)foundation_start(&f, "GET", "/v3/apps", NULL);
    (void)foundation_start(&f, "GET", "/v3/apps", NULL);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.done, 1);
    foundation_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_and_uaa_are_found_before_the_first_request),
        cmocka_unit_test(korifi_is_known_by_its_version),
        cmocka_unit_test(a_root_that_leads_elsewhere_gets_nothing),
        cmocka_unit_test(refusals_are_told_apart_by_code),
        cmocka_unit_test(an_effect_without_an_answer_is_unknown),
        cmocka_unit_test(a_foundation_that_is_away_is_looked_for_again),
        cmocka_unit_test(jobs_are_followed_on_the_api_alone),
        cmocka_unit_test(wrong_requests_are_refused_unsent),
        cmocka_unit_test(silence_is_kept_by_the_whole_account),
        cmocka_unit_test(little_left_is_noticed),
        cmocka_unit_test(only_the_accounts_authority_is_trusted),
        cmocka_unit_test(no_write_passes_the_fence),
        cmocka_unit_test(what_is_cancelled_is_heard_of_no_more),
        cmocka_unit_test(the_client_may_be_freed_in_a_callback),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("cf/call", tests, NULL, NULL);
}
