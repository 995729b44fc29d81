/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfigs and service accounts: what is taken, what is refused and in which words. */
#include "kube/internal.h"

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

#define PEM   "-----BEGIN THING-----\nAAAA\n-----END THING-----\n"
/* base64 of "-----BEGIN A-----" */
#define PEM64 "LS0tLS1CRUdJTiBBLS0tLS0="

static char dir[] = "/tmp/kube-config-XXXXXX";

static void write_file(const char *name, const char *text, size_t n)
{
    PS_AUTO_BUF(path, 512);
    ps_buf_printf(&path, "%s/%s", dir, name);
    const int fd = open(ps_buf_text(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    assert_int_equal(close(fd), 0);
}

static void remove_file(const char *name)
{
    PS_AUTO_BUF(path, 512);
    ps_buf_printf(&path, "%s/%s", dir, name);
    (void)unlink(ps_buf_text(&path));
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"ca.pem",  "token", "ca.crt", "namespace",
                                        "key.pem", "nul",   "empty",  "config"};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++)
        remove_file(names[i]);
    return rmdir(dir);
}

/* A whole file around the parts that vary. */
static void compose(struct ps_buf *out, const char *cluster, const char *user)
{
    ps_buf_printf(out,
                  "apiVersion: v1\nkind: Config\ncurrent-context: one\nunknown-field: 3\n"
                  "contexts:\n- {name: other, context: {cluster: none, user: none}}\n"
                  "- {name: one, context: {cluster: c, user: u, namespace: cars}}\n"
                  "clusters:\n- name: c\n  cluster: {%s}\n"
                  "users:\n- name: u\n  user: {%s}\n",
                  cluster, user);
}

static void a_whole_file_is_taken(void **state)
{
    (void)state;
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(text, 4096);

    compose(&text,
            "server: \"https://api.example:6443/k8s/c-1//\", certificate-authority-data: " PEM64,
            "client-certificate-data: " PEM64 ", client-key-data: " PEM64 ", token: hush");
    assert_int_equal(kube_config_parse(&config, ps_buf_get(&text), "/", NULL, &err), 0);
    assert_string_equal(config.server, "https://api.example:6443/k8s/c-1");
    assert_string_equal(config.namespace, "cars");
    assert_string_equal(config.ca_pem, "-----BEGIN A-----");
    assert_string_equal(config.client_cert_pem, "-----BEGIN A-----");
    assert_string_equal(config.client_key_pem, "-----BEGIN A-----");
    assert_string_equal(config.token, "hush");
    assert_null(config.token_file);
    kube_config_fini(&config);
    assert_null(config.server);
    kube_config_fini(&config);
}

static void json_is_taken_too(void **state)
{
    (void)state;
    static const char text[] = "{\"current-context\":\"a\",\"contexts\":[{\"name\":\"a\","
                               "\"context\":{\"cluster\":\"c\"}}],"
                               "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"http://"
                               "127.0.0.1:8080\"}}],\"users\":null}";
    struct kube_config config;
    struct ps_err err = {0};

    assert_int_equal(kube_config_parse(&config, PS_STR(text), "/", NULL, &err), 0);
    assert_string_equal(config.server, "http://127.0.0.1:8080");
    assert_null(config.namespace);
    assert_null(config.token);
    kube_config_fini(&config);
}

static void files_are_relative_to_the_config(void **state)
{
    (void)state;
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(text, 4096);
    PS_AUTO_BUF(path, 512);

    write_file("ca.pem", PEM, strlen(PEM));
    write_file("key.pem", PEM, strlen(PEM));
    write_file("token", " from-file\n", 11);
    compose(
        &text, "server: \"https://api.example\", certificate-authority: ca.pem",
        "client-certificate: ./ca.pem, client-key: key.pem, tokenFile: token, token: from-text");
    write_file("config", text.p, text.n);
    ps_buf_printf(&path, "%s/config", dir);
    if (kube_config_load(&config, ps_buf_text(&path), NULL, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(config.ca_pem, PEM);
    assert_string_equal(config.client_key_pem, PEM);
    assert_string_equal(config.token, "from-file");
    assert_true(ps_str_starts(ps_str(config.token_file), dir));
    kube_config_fini(&config);
    /* The token beside the file serves while the file is missing. */
    remove_file("token");
    assert_int_equal(kube_config_load(&config, ps_buf_text(&path), NULL, &err), 0);
    assert_string_equal(config.token, "from-text");
    kube_config_fini(&config);
    remove_file("ca.pem");
    assert_int_equal(kube_config_load(&config, ps_buf_text(&path), NULL, &err), PS_ENOENT);
    assert_non_null(strstr(err.message, "clusters[c].cluster.certificate-authority"));
    assert_non_null(strstr(err.message, "ca.pem"));
    assert_null(config.server);
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    (void)state;
#define SERVER "server: \"https://a.example\""

    static const struct {
        const char *cluster, *user, *words;
    } rows[] = {
        {"", "", "clusters[c].cluster.server: missing"},
        {"server: 3", "", "clusters[c].cluster.server: expected a string"},
        {"server: \"http://a.example\"", "", "clusters[c].cluster.server"},
        {"server: \"https://u:hush@a.example\"", "", "clusters[c].cluster.server"},
        {"server: \"https://a.example?x=y\"", "", "query"},
        {"server: \"https://a.example#y\"", "", "fragment"},
        {"server: \"a.example:6443\"", "", "https"},
        {"server: \"http://127.0.0.1\"", "token: hush", "credentials are sent over https only"},
        {"server: \"http://127.0.0.1\"",
         "client-certificate-data: " PEM64 ", client-key-data: " PEM64, "https only"},
        {SERVER ", insecure-skip-tls-verify: true", "", "insecure-skip-tls-verify: not supported"},
        {SERVER ", insecure-skip-tls-verify: \"true\"", "",
         "insecure-skip-tls-verify: not supported"},
        {SERVER ", proxy-url: \"http://p\"", "", "proxy-url: not supported"},
        {SERVER ", tls-server-name: x", "", "tls-server-name: not supported"},
        {SERVER ", certificate-authority-data: \"hush!*\"", "",
         "certificate-authority-data: not base64"},
        {SERVER ", certificate-authority-data: aGVsbG8=", "", "no PEM block"},
        {SERVER ", certificate-authority-data: AAAA", "", "NUL"},
        {SERVER ", certificate-authority-data: " PEM64 ", certificate-authority: x", "",
         "given twice"},
        {SERVER ", certificate-authority: /nonexistent", "", "/nonexistent"},
        {SERVER ", certificate-authority: /tmp", "", "not a regular file"},
        {SERVER, "exec: {command: aws}", "users[u].user.exec: not supported"},
        {SERVER, "auth-provider: {name: gcp}", "auth-provider: not supported"},
        {SERVER, "username: hush", "username: not supported"},
        {SERVER, "password: hush", "password: not supported"},
        {SERVER, "as: hush", "users[u].user.as: not supported"},
        {SERVER, "as-groups: [hush]", "as-groups: not supported"},
        {SERVER, "as-uid: hush", "as-uid: not supported"},
        {SERVER, "as-user-extra: {a: [hush]}", "as-user-extra: not supported"},
        {SERVER, "token: 5", "users[u].user.token: expected a string"},
        {SERVER, "token: [hush]", "users[u].user.token: expected a string"},
        {SERVER, "tokenFile: /nonexistent", "users[u].user.tokenFile"},
        {SERVER, "client-certificate-data: " PEM64, "client-key: missing"},
        {SERVER, "client-key-data: " PEM64, "client-certificate: missing"},
        {SERVER, "client-key-data: \"-hush-\", client-certificate-data: " PEM64,
         "client-key-data: not base64"},
        {SERVER, "client-key-data: " PEM64 ", client-key: x", "given twice"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct kube_config config;
        struct ps_err err = {0};
        PS_AUTO_BUF(text, 4096);

        compose(&text, rows[i].cluster, rows[i].user);
        if (kube_config_parse(&config, ps_buf_get(&text), "/", NULL, &err) == 0)
            fail_msg("row %zu was taken", i);
        if (strstr(err.message, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, err.message);
        assert_null(strstr(err.message, "hush"));
        assert_null(config.server);
    }
}

static void broken_wholes_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *text, *context, *words;
    } rows[] = {
        {"", NULL, "expected an object"},
        {"[]", NULL, "expected an object"},
        {"a: b: c", NULL, ""},
        {"\t", NULL, ""},
        {"{}", NULL, "current-context: not set"},
        {"current-context: 3", NULL, "current-context: not set"},
        {"current-context: x", NULL, "contexts: no entry named \"x\""},
        {"current-context: x\ncontexts: 5", NULL, "contexts: no entry named \"x\""},
        {"contexts: [{name: x}]", "x", "contexts[x].context: expected an object"},
        {"contexts: [{name: x, context: 7}]", "x", "contexts[x].context: expected an object"},
        {"contexts: [{name: x, context: {}}]", "x", "contexts[x].context.cluster: missing"},
        {"contexts: [{name: x, context: {cluster: [1]}}]", "x",
         "contexts[x].context.cluster: expected a string"},
        {"contexts: [{name: x, context: {cluster: c}}]", "x", "clusters: no entry named \"c\""},
        {"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
         "clusters: [{name: c, cluster: {server: \"https://a\"}}]",
         "x", "users: no entry named \"u\""},
        {"contexts: [{name: x, context: {cluster: c}}]", "y", "contexts: no entry named \"y\""},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct kube_config config;
        struct ps_err err = {0};

        assert_int_not_equal(
            kube_config_parse(&config, ps_str(rows[i].text), "/", rows[i].context, &err), 0);
        if (strstr(err.message, rows[i].words) == NULL || err.message[0] == '\0')
            fail_msg("row %zu: %s", i, err.message);
    }
}

static void a_service_account_is_taken(void **state)
{
    (void)state;
    struct kube_config config;
    struct ps_err err = {0};

    write_file("token", "tok\n", 4);
    write_file("ca.crt", PEM, strlen(PEM));
    write_file("namespace", "cars", 4);
    assert_int_equal(kube_config_in_cluster(&config, "10.0.0.1", "443", dir, &err), 0);
    assert_string_equal(config.server, "https://10.0.0.1:443");
    assert_string_equal(config.token, "tok");
    assert_string_equal(config.ca_pem, PEM);
    assert_string_equal(config.namespace, "cars");
    assert_non_null(config.token_file);
    kube_config_fini(&config);
    remove_file("ca.crt");
    remove_file("namespace");
    assert_int_equal(kube_config_in_cluster(&config, "2001:db8::1", "6443", dir, &err), 0);
    assert_string_equal(config.server, "https://[2001:db8::1]:6443");
    assert_null(config.ca_pem);
    assert_null(config.namespace);
    kube_config_fini(&config);
    write_file("token", " \n", 2);
    assert_int_equal(kube_config_in_cluster(&config, "10.0.0.1", "443", dir, &err), PS_EINVAL);
    write_file("token", "a\0b", 3);
    assert_int_equal(kube_config_in_cluster(&config, "10.0.0.1", "443", dir, &err), PS_EINVAL);
    remove_file("token");
    assert_int_equal(kube_config_in_cluster(&config, "10.0.0.1", "443", dir, &err), PS_ENOENT);
    assert_non_null(strstr(err.message, "token"));
}

static void outside_of_a_cluster_is_told(void **state)
{
    (void)state;

    static const struct {
        const char *host, *port;
        int code;
    } rows[] = {
        {NULL, NULL, PS_ENOENT},       {"", "443", PS_ENOENT},
        {"10.0.0.1", NULL, PS_ENOENT}, {"10.0.0.1", "x", PS_EINVAL},
        {"10.0.0.1", "0", PS_EINVAL},  {"10.0.0.1", "70000", PS_EINVAL},
        {"a b", "443", PS_EINVAL},     {"u@h", "443", PS_EINVAL},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct kube_config config;
        struct ps_err err = {0};

        assert_int_equal(kube_config_in_cluster(&config, rows[i].host, rows[i].port, dir, &err),
                         rows[i].code);
    }
}

static void too_large_a_file_is_refused(void **state)
{
    (void)state;
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(path, 512);
    char *big = ps_xmalloc(KUBE_CONFIG_MAX + 1);

    memset(big, ' ', KUBE_CONFIG_MAX + 1);
    write_file("config", big, KUBE_CONFIG_MAX + 1);
    ps_buf_printf(&path, "%s/config", dir);
    assert_int_equal(kube_config_load(&config, ps_buf_text(&path), NULL, &err), PS_ELIMIT);
    assert_int_equal(kube_config_load(&config, "/nonexistent/config", NULL, &err), PS_ENOENT);
    ps_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_taken),
        cmocka_unit_test(json_is_taken_too),
        cmocka_unit_test(files_are_relative_to_the_config),
        cmocka_unit_test(what_is_wrong_is_refused_by_name),
        cmocka_unit_test(broken_wholes_are_refused),
        cmocka_unit_test(a_service_account_is_taken),
        cmocka_unit_test(outside_of_a_cluster_is_told),
        cmocka_unit_test(too_large_a_file_is_refused),
    };

    codec_init();
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
