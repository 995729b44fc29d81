/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of accounts in other clusters: what is taken, what is refused, and that no part of a
 * value stands in what is said of it. */
#include "kube/internal.h"
#include "support/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

/* Stands for the certificate of an authority, which is made on the spot. */
#define CERT   "<certificate>"
/* Stands in every value that is refused, and in no message. */
#define CANARY "hush"

#define PARTS "server", "https://a.example:6443", "token", "abc.def", "ca.crt", CERT

/* Pairs of key and value, ended by NULL; at most this many. */
#define PAIRS_MAX 8

struct row {
    const char *pairs[2 * PAIRS_MAX + 1];
    const char *words; /* NULL: taken */
    bool may_skip;
};

static struct certs_pair authority;

static void put(struct json_t *data, const char *key, struct ps_str value)
{
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX * 4);

    codec_base64_encode(value, &text);
    js_set_str(data, key, ps_buf_text(&text));
}

static struct json_t *data_of(const char *const *pairs)
{
    struct json_t *data = js_object();

    for (size_t i = 0; pairs[i] != NULL; i += 2)
        put(data, pairs[i], ps_str(ps_streq(pairs[i + 1], CERT) ? authority.cert : pairs[i + 1]));
    return data;
}

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        PS_AUTO_JS struct json_t *data = data_of(rows[i].pairs);
        struct kube_config config;
        struct ps_err err = {0};
        const int code = kube_config_from_secret(&config, data, rows[i].may_skip, &err);

        if ((code == 0) != (rows[i].words == NULL) ||
            (code != 0 && strstr(err.message, rows[i].words) == NULL))
            fail_msg("row %zu: %d %s", i, code, err.message);
        if (code != 0 && (config.server != NULL || config.token != NULL))
            fail_msg("row %zu: something is left", i);
        if (code != 0 && strstr(err.message, CANARY) != NULL)
            fail_msg("row %zu: a value is shown: %s", i, err.message);
        kube_config_fini(&config);
    }
}

/* ---- server, token, ca.crt ------------------------------------------------------------------ */

static void parts_are_taken(void **state)
{
    static const char *const pairs[] = {"server", " https://a.example:6443/k8s/c-1// \n",
                                        "token",  "abc.def\n",
                                        "ca.crt", CERT,
                                        "other",  "is nobody's business",
                                        NULL};
    PS_AUTO_JS struct json_t *data = data_of(pairs);
    struct kube_config config;
    struct ps_err err = {0};

    (void)state;
    if (kube_config_from_secret(&config, data, false, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(config.server, "https://a.example:6443/k8s/c-1");
    assert_string_equal(config.token, "abc.def");
    assert_true(ps_str_starts(ps_str(config.ca_pem), "-----BEGIN CERTIFICATE-----"));
    assert_false(config.insecure);
    assert_null(config.exec);
    assert_null(config.proxy_url);
    kube_config_fini(&config);
}

static void parts_that_are_wrong_are_refused(void **state)
{
    static const struct row rows[] = {
        {{PARTS, NULL}, NULL, false},
        {{NULL},
         "data: expected the key kubeconfig, or server, token and ca.crt; found nothing",
         false},
        {{"token", CANARY, "ca.cert", CERT, NULL}, "found token, ca.cert", false},
        {{"server", "https://a.example", "ca.crt", CERT, NULL}, "data[token]: missing", false},
        {{"server", "https://a.example", "token", CANARY, NULL}, "data[ca.crt]: missing", false},
        {{"server", "", "token", CANARY, "ca.crt", CERT, NULL}, "data[server]: empty", false},
        {{"server", "https://a.example", "token", " \n", "ca.crt", CERT, NULL},
         "data[token]: empty",
         false},
        {{"server", "http://hush.example", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: expected https://",
         false},
        {{"server", "http://127.0.0.1:8080", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: expected https://",
         false},
        {{"server", "hush.example:6443", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: expected https://",
         false},
        {{"server", "file:///hush", "token", "t", "ca.crt", CERT, NULL},
         "expected https://",
         false},
        {{"server", "https://u:hush@a.example", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: URL: user names",
         false},
        {{"server", "https://a.example/?hush", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: a URL without query",
         false},
        {{"server", "https://a.example/ hush", "token", "t", "ca.crt", CERT, NULL},
         "data[server]: URL: only visible",
         false},
        {{"server", "https://a.example", "token", "hush hush", "ca.crt", CERT, NULL},
         "data[token]: the token has characters",
         false},
        {{"server", "https://a.example", "token", "hush\r\nX-Y: z", "ca.crt", CERT, NULL},
         "data[token]: the token has characters",
         false},
        {{"server", "https://a.example", "token", "t", "ca.crt", "hush", NULL},
         "data[ca.crt]: authority: no certificate",
         false},
    };

    (void)state;
    check(rows, PS_ARRAY_LEN(rows));
}

static void verification_is_only_skipped_where_it_may_be(void **state)
{
    static const struct row rows[] = {
        {{"server", "https://a.example", "token", "t", "skipVerify", "true", NULL},
         "data[skipVerify]: refused, anybody on the way could read the token: give ca.crt, or "
         "start "
         "the operator with --allow-skip-verify",
         false},
        {{"server", "https://a.example", "token", "t", "skipVerify", "true\n", NULL}, NULL, true},
        {{PARTS, "skipVerify", "true", NULL}, "data[skipVerify]: given beside ca.crt", true},
        {{PARTS, "skipVerify", "true", NULL}, "data[skipVerify]: refused", false},
        {{PARTS, "skipVerify", "false", NULL}, NULL, false},
        {{PARTS, "skipVerify", "yes", NULL}, "data[skipVerify]: expected true or false", true},
        {{PARTS, "skipVerify", "hush, and more than that", NULL},
         "data[skipVerify]: larger than 16",
         true},
        {{"server", "https://a.example", "token", "t", "skipVerify", "false", NULL},
         "data[ca.crt]: missing",
         true},
    };
    PS_AUTO_JS struct json_t *data = data_of(rows[1].pairs);
    struct kube_config config;
    struct ps_err err = {0};

    (void)state;
    check(rows, PS_ARRAY_LEN(rows));
    assert_int_equal(kube_config_from_secret(&config, data, true, &err), 0);
    assert_true(config.insecure);
    kube_config_fini(&config);
}

/* ---- kubeconfig ----------------------------------------------------------------------------- */

#define CONFIG(context, cluster, user)                                                             \
    "current-context: " context "\n"                                                               \
    "contexts:\n- {name: hush-x, context: {cluster: hush-c, user: hush-u}}\n"                      \
    "- {name: hush-y, context: {cluster: hush-none}}\n"                                            \
    "- {name: hush-z, context: {cluster: hush-c, user: hush-none}}\n"                              \
    "clusters:\n- {name: hush-c, cluster: {" cluster "}}\n"                                        \
    "users:\n- {name: hush-u, user: {" user "}}\n"
#define SERVER "server: \"https://a.example\""

static void a_kubeconfig_is_taken(void **state)
{
    static const struct row rows[] = {
        {{"kubeconfig", CONFIG("hush-x", SERVER, "token: t"), NULL}, NULL, false},
        {{"kubeconfig", CONFIG("hush-x", SERVER ", insecure-skip-tls-verify: true", "token: t"),
          NULL},
         NULL,
         true},
        {{"kubeconfig", CONFIG("hush-x", SERVER ", proxy-url: \"socks5://p:1080\"", "token: t"),
          NULL},
         NULL,
         false},
    };
    PS_AUTO_JS struct json_t *data = data_of(rows[0].pairs);
    struct kube_config config;
    struct ps_err err = {0};

    (void)state;
    check(rows, PS_ARRAY_LEN(rows));
    assert_int_equal(kube_config_from_secret(&config, data, false, &err), 0);
    assert_string_equal(config.server, "https://a.example");
    assert_string_equal(config.token, "t");
    kube_config_fini(&config);
}

#define REFUSED(context, cluster, user, words)                                                     \
    {                                                                                              \
        {"kubeconfig", CONFIG(context, cluster, user), NULL}, words, false                         \
    }

static void a_kubeconfig_may_do_little(void **state)
{
    static const struct row rows[] = {
        REFUSED("hush-x", SERVER, "exec: {apiVersion: v1, command: hush}",
                "data[kubeconfig]: users[0].user.exec: programs are refused"),
        REFUSED("hush-x", SERVER, "auth-provider: {name: hush}",
                "data[kubeconfig]: users[0].user.auth-provider: not supported"),
        REFUSED("hush-x", SERVER, "username: hush, password: hush",
                "users[0].user.username: not supported"),
        REFUSED("hush-x", SERVER, "tokenFile: /hush", "users[0].user.tokenFile: files are refused"),
        REFUSED("hush-x", SERVER, "client-key: /hush",
                "users[0].user.client-key: files are refused here: give client-key-data"),
        REFUSED("hush-x", SERVER, "client-certificate-data: hush",
                "users[0].user.client-certificate-data: no PEM block in it"),
        REFUSED("hush-x", SERVER ", certificate-authority: /hush", "token: t",
                "clusters[0].cluster.certificate-authority: files are refused here"),
        REFUSED("hush-x", SERVER ", insecure-skip-tls-verify: true", "token: t",
                "clusters[0].cluster.insecure-skip-tls-verify: refused here: give the authority, "
                "or start the operator with --allow-skip-verify"),
        REFUSED("hush-x", SERVER ", proxy-url: \"ftp://u:hush@p\"", "token: t",
                "clusters[0].cluster.proxy-url: expected a URL with http://"),
        REFUSED("hush-x", "server: \"http://127.0.0.1:80\"", "token: t",
                "clusters[0].cluster.server: expected https://"),
        REFUSED("hush-x", "server: [hush]", "token: t", "cluster.server: expected a string"),
        REFUSED("hush-x", SERVER, "", "data[kubeconfig]: no credential"),
        REFUSED("hush-y", SERVER, "token: t", "data[kubeconfig]: clusters: no entry has the name"),
        REFUSED("hush-z", SERVER, "token: t", "data[kubeconfig]: users: no entry has the name"),
        REFUSED("hush-q", SERVER, "token: t", "data[kubeconfig]: contexts: no entry has the name"),
        REFUSED("\"\"", SERVER, "token: t", "data[kubeconfig]: current-context: not set"),
        REFUSED("hush-x", SERVER, "token: \"hush hush\"",
                "data[kubeconfig]: the token has characters"),
        REFUSED("hush-x", SERVER, "token: t, as: \"hush\\nX: y\"",
                "users[0].user.as: expected texts that a header"),
        {{"kubeconfig", "{hush: 1, hush: 2}", NULL}, "data[kubeconfig]: not YAML", false},
        {{"kubeconfig", "%hush", NULL}, "data[kubeconfig]: not YAML", false},
        {{"kubeconfig", "hush", NULL}, "data[kubeconfig]: not YAML", false},
        {{"kubeconfig", "", NULL}, "data[kubeconfig]: empty", false},
        {{"kubeconfig", "# nothing", NULL}, "data[kubeconfig]: current-context: not set", false},
        {{"kubeconfig", "hush", "token", "hush", NULL},
         "data: both kubeconfig and token are given: remove either",
         false},
        {{"kubeconfig", CONFIG("hush-x", SERVER, "token: t"), PARTS, NULL},
         "data: both kubeconfig and server are given",
         false},
        {{"kubeconfig", CONFIG("hush-x", SERVER, "token: t"), "skipVerify", "true", NULL},
         "data: both kubeconfig and skipVerify are given",
         true},
    };

    (void)state;
    check(rows, PS_ARRAY_LEN(rows));
}

/* ---- values that are no texts --------------------------------------------------------------- */

static void refused(struct json_t *data, const char *words)
{
    struct kube_config config;
    struct ps_err err = {0};

    if (kube_config_from_secret(&config, data, false, &err) == 0 ||
        strstr(err.message, words) == NULL || strstr(err.message, CANARY) != NULL)
        fail_msg("expected %s, found %s", words, err.message);
}

static void values_are_base64_of_a_bounded_text(void **state)
{
    static const char *const pairs[] = {PARTS, NULL};
    PS_AUTO_JS struct json_t *data = data_of(pairs);
    PS_AUTO_BUF(large, KUBE_CONFIG_MAX * 2);

    (void)state;
    js_set_str(data, "token", "hush!");
    refused(data, "data[token]: not base64");
    js_set_int(data, "token", 7);
    refused(data, "data[token]: expected base64");
    put(data, "token", ps_str_n("hush\0hush", 9));
    refused(data, "data[token]: holds a NUL byte");
    while (large.n <= KUBE__TOKEN_MAX)
        ps_buf_str(&large, CANARY);
    put(data, "token", ps_buf_get(&large));
    refused(data, "data[token]: larger than 65536 bytes");
    put(data, "server", ps_buf_get(&large));
    refused(data, "data[server]: larger than 4096 bytes");
    while (large.n <= KUBE_CONFIG_MAX)
        ps_buf_str(&large, CANARY);
    PS_AUTO_JS struct json_t *other = js_object();

    put(other, "kubeconfig", ps_buf_get(&large));
    refused(other, "data[kubeconfig]: larger than 1048576 bytes");
    refused(NULL, "data: expected the key kubeconfig");
}

static int make_authority(void **state)
{
    (void)state;
    authority = certs_authority("somebody");
    return 0;
}

static int free_authority(void **state)
{
    (void)state;
    certs_free(&authority);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_taken),
        cmocka_unit_test(parts_that_are_wrong_are_refused),
        cmocka_unit_test(verification_is_only_skipped_where_it_may_be),
        cmocka_unit_test(a_kubeconfig_is_taken),
        cmocka_unit_test(a_kubeconfig_may_do_little),
        cmocka_unit_test(values_are_base64_of_a_bounded_text),
    };

    return cmocka_run_group_tests(tests, make_authority, free_authority);
}
