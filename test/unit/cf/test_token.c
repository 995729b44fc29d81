/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: how they are asked for, how seldom, and when not at all. */
#include "foundation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define BASIC_CF    "Y2Y6"             /* cf: */
#define BASIC_ROBOT "cm9ib3Q6Y2FuYXJ5" /* robot:canary */

static void the_password_is_sent_as_a_form(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open_with(&f,
                         "{\"username\":\"ann\",\"password\":\"s&cret+%\",\"origin\":\"ldap\"}");
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_string_equal(f.form, "grant_type=password&username=ann&password=s%26cret%2B%25"
                                "&login_hint=%257B%2522origin%2522%253A%2522ldap%2522%257D");
    assert_string_equal(f.basic, BASIC_CF);
    assert_non_null(strstr(script_text(f.script, 1),
                           "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    foundation_close(&f);
}

static void a_client_is_somebody_by_itself(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open_with(&f, "{\"clientId\":\"robot\",\"clientSecret\":\"canary\"}");
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_string_equal(f.form, "grant_type=client_credentials");
    assert_string_equal(f.basic, BASIC_ROBOT);
    foundation_close(&f);
}

static void all_calls_wait_for_one_token(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.want = 40;
    for (int i = 0; i < f.want; i++)
        (void)foundation_start(&f, "GET", "/v3/apps", NULL);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.done, 40);
    assert_int_equal(f.last.code, 0);
    assert_int_equal(f.roots, 1);
    assert_int_equal(f.tokens, 1);
    foundation_close(&f);
}

/* Two seconds, of which the last fifth is not waited for; the old one serves meanwhile. */
static void a_token_is_refreshed_before_it_expires(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.expires_s = 2;
    f.refresh = true;
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    script_wait(f.loop, 1200);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.tokens, 1);
    script_wait(f.loop, 500);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    script_wait(f.loop, 50);
    assert_int_equal(f.tokens, 2);
    assert_string_equal(f.form, "grant_type=refresh_token&refresh_token=again-1");
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_non_null(
        strstr(script_text(f.script, script_count(f.script) - 1), "Bearer token-2\r\n"));
    /* With rotation the old refresh token is dead: the new one is taken. */
    script_wait(f.loop, 2100);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_string_equal(f.form, "grant_type=refresh_token&refresh_token=again-2");
    assert_int_equal(f.last.code, 0);
    foundation_close(&f);
}

static void refuse_refreshing(struct foundation *f, struct script_peer *peer,
                              const struct script_request *request)
{
    if (ps_str_starts(request->body, "grant_type=refresh_token"))
        script_reply(peer, 401, "", "{\"error\":\"invalid_token\",\"error_description\":\"x\"}");
    else
        foundation_grant(f, peer);
}

static void refuse_token_1(struct foundation *f, struct script_peer *peer,
                           const struct script_request *request)
{
    (void)f;
    if (foundation_has_token(request, "token-1") && f->asked > 1)
        foundation_refuse(peer, 401, 1000, "CF-InvalidAuthToken");
    else
        script_reply(peer, 201, "", "{\"ok\":1}");
}

/* It was refused before any work: a POST, too, is sent again, once. */
static void a_refused_token_is_dropped_and_the_request_repeated(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.refresh = true;
    f.uaa = refuse_refreshing;
    f.api = refuse_token_1;
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    foundation_ask(&f, "POST", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    assert_string_equal(f.text, "{\"ok\":1}");
    assert_int_equal(f.asked, 3);
    assert_int_equal(f.tokens, 3); /* the first, a refresh in vain, the password again */
    assert_true(ps_str_starts(ps_str(f.form), "grant_type=password"));
    foundation_close(&f);
}

static void refuse_all_tokens(struct foundation *f, struct script_peer *peer,
                              const struct script_request *request)
{
    (void)f;
    (void)request;
    foundation_refuse(peer, 401, 1000, "CF-InvalidAuthToken");
}

static void tokens_that_are_never_taken_are_no_storm(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.api = refuse_all_tokens;
    f.refresh = true;
    for (int i = 0; i < 20; i++) {
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.last.code, PS_EAUTH);
    }
    assert_true(f.tokens <= 2);
    assert_non_null(strstr(cf_client_trouble(f.client), "has just given"));
    script_wait(f.loop, 900); /* what comes of refreshing it would be no better */
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_true(ps_str_starts(ps_str(f.form), "grant_type=password"));
    foundation_close(&f);
}

static void refuse_password(struct foundation *f, struct script_peer *peer,
                            const struct script_request *request)
{
    (void)f;
    (void)request;
    script_reply(peer, 401, "", "{\"error\":\"unauthorized\",\"error_description\":\"Bad\"}");
}

/* Five failures lock a user for everybody. */
static void a_wrong_password_is_tried_once(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.uaa = refuse_password;
    f.want = 5;
    for (int i = 0; i < f.want; i++)
        (void)foundation_start(&f, "POST", "/v3/apps", NULL);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.last.code, PS_EAUTH);
    assert_false(f.last.unknown);
    assert_true(cf_client_is_locked(f.client));
    assert_null(strstr(cf_client_trouble(f.client), "s&cret"));
    script_wait(f.loop, 1000); /* longer than the backoff */
    f.uaa = NULL;
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, PS_EAUTH);
    assert_int_equal(f.tokens, 1);
    assert_int_equal(f.asked, 0);
    foundation_close(&f);
}

static void be_down(struct foundation *f, struct script_peer *peer,
                    const struct script_request *request)
{
    (void)f;
    (void)request;
    script_reply(peer, 503, "", "<html>");
}

static void uaa_is_asked_once_for_each_step_of_the_backoff(void **state)
{
    (void)state;
    struct foundation f;

    foundation_open(&f);
    f.uaa = be_down;
    for (int i = 0; i < 50; i++) {
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.last.code, PS_ESERVER);
    }
    assert_true(f.tokens <= 2); /* a step is 100 ms at least */
    assert_false(cf_client_is_locked(f.client));
    f.uaa = NULL;
    script_wait(f.loop, 900);
    foundation_ask(&f, "GET", "/v3/apps", NULL);
    assert_int_equal(f.last.code, 0);
    assert_null(cf_client_trouble(f.client));
    foundation_close(&f);
}

static void ask_to_wait(struct foundation *f, struct script_peer *peer,
                        const struct script_request *request)
{
    (void)f;
    (void)request;
    script_reply(peer, 429, "Retry-After: 1\r\n", "slow down");
}

static void be_odd(struct foundation *f, struct script_peer *peer,
                   const struct script_request *request)
{
    (void)f;
    (void)request;
    script_reply(peer, 400, "", "{\"error\":\"unsupported_grant_type\"}");
}

static void answer_nonsense(struct foundation *f, struct script_peer *peer,
                            const struct script_request *request)
{
    (void)f;
    (void)request;
    script_reply(peer, 200, "", "{\"access_token\":\"can\\nary\",\"expires_in\":9}");
}

/* Other refusals: with UAA's own time, or slowly enough for its count of failures. */
static void other_refusals_are_waited_out(void **state)
{
    (void)state;

    static const struct {
        void (*uaa)(struct foundation *f, struct script_peer *peer,
                    const struct script_request *request);
        int code;
    } rows[] = {{ask_to_wait, PS_ETHROTTLED}, {be_odd, PS_EAUTH}, {answer_nonsense, PS_EPROTO}};

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct foundation f;

        foundation_open(&f);
        f.uaa = rows[i].uaa;
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.last.code, rows[i].code);
        assert_null(strstr(f.last.err.message, "can"));
        assert_false(cf_client_is_locked(f.client));
        script_wait(f.loop, 500); /* longer than the first step */
        foundation_ask(&f, "GET", "/v3/apps", NULL);
        assert_int_equal(f.tokens, rows[i].code == PS_EPROTO ? 2 : 1);
        foundation_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_password_is_sent_as_a_form),
        cmocka_unit_test(a_client_is_somebody_by_itself),
        cmocka_unit_test(all_calls_wait_for_one_token),
        cmocka_unit_test(a_token_is_refreshed_before_it_expires),
        cmocka_unit_test(a_refused_token_is_dropped_and_the_request_repeated),
        cmocka_unit_test(tokens_that_are_never_taken_are_no_storm),
        cmocka_unit_test(a_wrong_password_is_tried_once),
        cmocka_unit_test(uaa_is_asked_once_for_each_step_of_the_backoff),
        cmocka_unit_test(other_refusals_are_waited_out),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("cf/token", tests, NULL, NULL);
}
