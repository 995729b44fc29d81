/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets as they are read, which hosts are believed, and paths as they are put together. */
#include "cf/cf.h"
#include "cf/internal.h"
#include "support/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define API  "\"api\":\"https://api.sys.example.org\""
#define USER "\"username\":\"ann\",\"password\":\"canary\""

static int read_text(struct cf_config *config, const char *text, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *data = js_parse(ps_str(text), NULL);

    assert_non_null(data);
    return cf_config_read(config, data, err);
}

static void a_user_comes_with_the_usual_client(void **state)
{
    (void)state;
    struct cf_config config;
    struct ps_err err;

    assert_int_equal(read_text(&config,
                               "{\"url\":\"https://api.sys.example.org:8443/\\n\",\"note\":\"x\","
                               "\"username\":\"ann\\n\",\"password\":\" a+b% \\n\"}",
                               &err),
                     0);
    assert_string_equal(config.api, "https://api.sys.example.org:8443");
    assert_string_equal(config.user, "ann");
    assert_string_equal(config.password, " a+b% ");
    assert_string_equal(config.client_id, "cf");
    assert_string_equal(config.client_secret, "");
    assert_null(config.login_hint);
    assert_null(config.ca_pem);
    assert_false(config.insecure);
    cf_config_fini(&config);
}

static void everything_else_is_read(void **state)
{
    (void)state;
    struct cf_config config;
    struct ps_err err;
    struct certs_pair authority = certs_authority("ca");
    PS_AUTO_JS struct json_t *data =
        js_parse(PS_STR("{" API ",\"clientId\":\"robot\",\"clientSecret\":\"s\",\"origin\":"
                        "\"l\\\"1\",\"skipVerify\":\"true\","
                        "\"allowedHosts\":\"uaa.other.net, *.third.net\"}"),
                 NULL);

    js_set_str(data, "ca.crt", authority.cert);
    assert_int_equal(cf_config_read(&config, data, &err), 0);
    assert_null(config.user);
    assert_string_equal(config.client_id, "robot");
    assert_string_equal(config.client_secret, "s");
    assert_string_equal(config.login_hint, "%7B%22origin%22%3A%22l%5C%221%22%7D");
    assert_string_equal(config.ca_pem, authority.cert);
    assert_true(config.insecure);
    assert_int_equal(config.allowed_host_count, 2);
    assert_string_equal(config.allowed_hosts[1], "*.third.net");
    cf_config_fini(&config);
    certs_free(&authority);
}

static void what_is_wrong_is_named_and_not_quoted(void **state)
{
    (void)state;

    static const struct {
        const char *data, *begins;
    } rows[] = {
        {"{" USER "}", "api: missing"},
        {"{\"api\":\"http://canary.example.org\"," USER "}", "api: "},
        {"{\"api\":\"https://canary.example.org/v3\"," USER "}", "api: expected"},
        {"{\"api\":\"https://can%61ry\"," USER "}", "api: "},
        {"{\"api\":\"https://u:canary@api.example.org\"," USER "}", "api: "},
        {"{\"api\":\"https://canary\\\\@x.org\"," USER "}", "api: "},
        {"{\"api\":7," USER "}", "api: expected a text"},
        {"{" API "}", "username and password, or clientId and clientSecret: missing"},
        {"{" API ",\"username\":\"canary\"}", "password: missing"},
        {"{" API ",\"password\":\"canary\"}", "username: missing"},
        {"{" API ",\"clientId\":\"canary\"}", "username and password, or"},
        {"{" API "," USER ",\"clientSecret\":\"canary\"}", "clientId: missing"},
        {"{" API ",\"clientId\":\"can:ary\",\"clientSecret\":\"canary\"}", "clientId: a colon"},
        {"{" API ",\"passcode\":\"canary\"}", "passcode: it works once"},
        {"{" API ",\"username\":\"a\",\"password\":\"can\\nary\"}", "password: expected one line"},
        {"{" API "," USER ",\"origin\":\"canary\",\"loginHint\":\"canary\"}",
         "origin and loginHint: "},
        {"{" API "," USER ",\"ca.crt\":\"canary\"}", "ca.crt: "},
        {"{" API "," USER ",\"ca.crt\":\"\"}", "ca.crt: "},
        {"{" API "," USER ",\"skipVerify\":\"canary\"}", "skipVerify: expected true or false"},
        {"{" API "," USER ",\"allowedHosts\":\"ok.org canary/x\"}", "allowedHosts: "},
        {"{" API "," USER ",\"allowedHosts\":\"https://canary.org\"}", "allowedHosts: "},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct cf_config config;
        struct ps_err err = {0};

        if (read_text(&config, rows[i].data, &err) == 0 || err.code == 0)
            fail_msg("row %zu: accepted", i);
        if (!ps_str_starts(ps_str(err.message), rows[i].begins))
            fail_msg("row %zu: %s", i, err.message);
        assert_null(strstr(err.message, "canary"));
        assert_null(config.api);
    }
}

static void a_long_value_is_refused(void **state)
{
    (void)state;
    struct cf_config config;
    struct ps_err err;
    PS_AUTO_JS struct json_t *data = js_parse(PS_STR("{" API ",\"username\":\"ann\"}"), NULL);
    PS_AUTO_BUF(text, CF_FIELD_MAX + 1);

    while (text.n <= CF_FIELD_MAX)
        ps_buf_char(&text, 'x');
    js_set_str(data, "password", ps_buf_text(&text));
    assert_int_equal(cf_config_read(&config, data, &err), PS_ELIMIT);
    assert_string_equal(err.message, "password: longer than 4096 bytes");
}

/* A root that leads to a stranger would be sent the password. */
static void uaa_is_near_the_api_or_listed(void **state)
{
    (void)state;

    static const struct {
        const char *api, *listed, *uaa;
        bool allowed;
    } rows[] = {
        {"https://api.sys.example.org", NULL, "https://uaa.sys.example.org", true},
        {"https://api.sys.example.org", NULL, "https://UAA.SYS.example.org:8443/zone", true},
        {"https://api.sys.example.org", NULL, "https://api.sys.example.org/uaa", true},
        {"https://api.sys.example.org", NULL, "https://a.b.sys.example.org", true},
        {"https://api.sys.example.org", NULL, "http://127.0.0.1", false},
        {"https://api.sys.example.org", NULL, "https://sys.example.org", false},
        {"https://api.sys.example.org", NULL, "https://uaa.example.org", false},
        {"https://api.sys.example.org", NULL, "https://uaa.evil.org", false},
        {"https://api.sys.example.org", NULL, "https://evilsys.example.org", false},
        {"https://api.sys.example.org", NULL, "https://uaa.sys.example.org.evil.net", false},
        {"https://api.sys.example.org", NULL, "https://evil.net\\@uaa.sys.example.org", false},
        {"https://api.sys.example.org", NULL, "https://evil.net#.sys.example.org", false},
        {"https://api.sys.example.org", "uaa.other.net", "https://uaa.other.net", true},
        {"https://api.sys.example.org", "uaa.other.net", "https://x.uaa.other.net", false},
        {"https://api.sys.example.org", "*.other.net", "https://a.b.other.net", true},
        {"https://api.sys.example.org", "*.other.net", "https://other.net", false},
        {"https://cf.example", NULL, "https://uaa.example", false},
        {"https://cf.co.uk", NULL, "https://uaa.co.uk", false},
        {"https://cf.com.au", "uaa.com.au", "https://uaa.com.au", true},
        {"https://api.acme.uk", NULL, "https://uaa.acme.uk", true},
        {"https://10.1.2.3", NULL, "https://10.1.2.3:8443", true},
        {"https://10.1.2.3", NULL, "https://9.1.2.3", false},
        {"https://[fd00::1]:9", NULL, "https://[fd00::1]", true},
        {"https://localhost", NULL, "http://localhost", false},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_FREE char *api = ps_xstrdup(rows[i].api);
        PS_AUTO_FREE char *listed = ps_xstrdup(rows[i].listed != NULL ? rows[i].listed : "");
        const struct cf_config config = {
            .api = api, .allowed_hosts = &listed, .allowed_host_count = rows[i].listed != NULL};

        if (cf__host_allowed(&config, rows[i].uaa) != rows[i].allowed)
            fail_msg("row %zu: %s", i, rows[i].uaa);
    }
}

static void origins_are_compared_whole(void **state)
{
    (void)state;
    assert_true(cf__same_origin("https://A.org/x", "https://a.org:443"));
    assert_false(cf__same_origin("https://a.org", "https://a.org:444"));
    assert_false(cf__same_origin("https://a.org", "https://a.org.evil.net"));
    assert_false(cf__same_origin("https://localhost", "http://localhost"));
    assert_false(cf__same_origin("https://a.org", "//a.org"));
    assert_false(cf__same_origin("https://a.org:", "https://a.org:x"));
}

static void paths_hold_what_they_are_given(void **state)
{
    (void)state;
    struct ps_err err;
    PS_AUTO_BUF(path, 1024);

    ps_buf_str(&path, "/v3/apps");
    assert_int_equal(cf_segment(&path, "a/../b?c", &err), 0);
    cf_query(&path, "names", "x,y&z");
    cf_query_one(&path, "names", "x,y&z");
    assert_string_equal(ps_buf_text(&path),
                        "/v3/apps/a%2F..%2Fb%3Fc?names=x%2Cy%26z&names=x%252Cy%26z");
    ps_buf_clear(&path);
    assert_int_equal(cf_segment(&path, "", &err), PS_EINVAL);
    assert_int_equal(cf_segment(&path, NULL, &err), PS_EINVAL);
    assert_int_equal(cf_segment(&path, "..", &err), PS_EINVAL);
    assert_int_equal(path.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_comes_with_the_usual_client),
        cmocka_unit_test(everything_else_is_read),
        cmocka_unit_test(what_is_wrong_is_named_and_not_quoted),
        cmocka_unit_test(a_long_value_is_refused),
        cmocka_unit_test(uaa_is_near_the_api_or_listed),
        cmocka_unit_test(origins_are_compared_whole),
        cmocka_unit_test(paths_hold_what_they_are_given),
    };

    codec_init();
    return cmocka_run_group_tests_name("cf/config", tests, NULL, NULL);
}
