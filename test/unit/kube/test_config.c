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

#define SERVER "server: \"https://a.example\""
#define V1     "client.authentication.k8s.io/v1"
#define V1B    "client.authentication.k8s.io/v1beta1"

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
    static const char *const names[] = {"ca.pem", "token", "ca.crt", "namespace", "key.pem",
                                        "nul",    "empty", "config", "one",       "two"};

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
    assert_int_equal(
        kube_config_parse(&config, ps_buf_get(&text), "/", NULL, KUBE_CONFIG_OWN, &err), 0);
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

    assert_int_equal(kube_config_parse(&config, PS_STR(text), "/", NULL, KUBE_CONFIG_OWN, &err), 0);
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
        {SERVER ", insecure-skip-tls-verify: \"true\"", "",
         "insecure-skip-tls-verify: expected true or false"},
        {SERVER ", insecure-skip-tls-verify: true, certificate-authority-data: " PEM64, "",
         "insecure-skip-tls-verify: given beside an authority"},
        {SERVER ", proxy-url: \"ftp://u:hush@p\"", "", "clusters[c].cluster.proxy-url: expected"},
        {SERVER ", proxy-url: \"http://u:hush@p\\r\\nX: y\"", "", "proxy-url: only visible"},
        {SERVER ", tls-server-name: [x]", "", "tls-server-name: expected a string"},
        {SERVER ", certificate-authority-data: \"hush!*\"", "",
         "certificate-authority-data: not base64"},
        {SERVER ", certificate-authority-data: aGVsbG8=", "", "no PEM block"},
        {SERVER ", certificate-authority-data: AAAA", "", "NUL"},
        {SERVER ", certificate-authority-data: " PEM64 ", certificate-authority: x", "",
         "given twice"},
        {SERVER ", certificate-authority: /nonexistent", "", "/nonexistent"},
        {SERVER ", certificate-authority: /tmp", "", "not a regular file"},
        {SERVER, "exec: hush", "users[u].user.exec: expected an object"},
        {SERVER, "exec: {command: aws}", "users[u].user.exec.apiVersion: expected"},
        {SERVER, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: aws}",
         "exec.apiVersion: expected client.authentication.k8s.io/v1"},
        {SERVER, "exec: {apiVersion: " V1 ", command: aws}", "exec.interactiveMode: missing"},
        {SERVER, "exec: {apiVersion: " V1 ", command: aws, interactiveMode: Always}",
         "exec.interactiveMode: Always: there is nobody to ask"},
        {SERVER, "exec: {apiVersion: " V1 ", command: aws, interactiveMode: hush}",
         "exec.interactiveMode: expected Never or IfAvailable"},
        {SERVER, "exec: {apiVersion: " V1B ", args: []}", "exec.command: missing"},
        {SERVER, "exec: {apiVersion: " V1B ", command: [hush]}", "exec.command: expected"},
        {SERVER, "exec: {apiVersion: " V1B ", command: a, args: hush}", "exec.args: expected a"},
        {SERVER, "exec: {apiVersion: " V1B ", command: a, args: [hush, 3]}",
         "exec.args: expected texts"},
        {SERVER, "exec: {apiVersion: " V1B ", command: a, env: [{name: hush}]}", "exec.env: "},
        {SERVER, "exec: {apiVersion: " V1B ", command: a, env: [{name: A=b, value: hush}]}",
         "exec.env: expected name and value"},
        {SERVER, "exec: {apiVersion: " V1B ", command: a, provideClusterInfo: hush}",
         "exec.provideClusterInfo: expected true or false"},
        {"server: \"http://127.0.0.1\"", "exec: {apiVersion: " V1B ", command: a}", "https only"},
        {SERVER, "auth-provider: {name: gcp}", "auth-provider: not supported"},
        {SERVER, "username: hush", "username: not supported"},
        {SERVER, "password: hush", "password: not supported"},
        {SERVER, "as: [hush]", "users[u].user.as: expected a string"},
        {SERVER, "as: \"hush\\r\\nX-Admin: yes\"",
         "users[u].user.as: expected texts that a header"},
        {SERVER, "as-groups: [hush]", "users[u].user.as: missing beside"},
        {SERVER, "as-uid: hush", "users[u].user.as: missing beside"},
        {SERVER, "as-user-extra: {a: [hush]}", "users[u].user.as: missing beside"},
        {SERVER, "as: a, as-uid: \"hush\\n\"", "as-uid: expected texts that a header"},
        {SERVER, "as: a, as-groups: hush", "as-groups: expected a list"},
        {SERVER, "as: a, as-groups: [b, \"hush\\nX: y\"]", "as-groups: expected texts"},
        {SERVER, "as: a, as-groups: [\"\"]", "as-groups: expected texts"},
        {SERVER, "as: a, as-user-extra: {a: [\"hush\\r\\nX: y\"]}",
         "as-user-extra: expected texts"},
        {SERVER, "as: a, as-user-extra: {a: hush}", "as-user-extra: expected a list"},
        {SERVER, "as: a, as-user-extra: [hush]", "as-user-extra: expected lists of texts"},
        {SERVER, "as: a, as-user-extra: {\"\": [hush]}", "as-user-extra: a name is empty"},
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
        if (kube_config_parse(&config, ps_buf_get(&text), "/", NULL, KUBE_CONFIG_OWN, &err) == 0)
            fail_msg("row %zu was taken", i);
        if (strstr(err.message, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, err.message);
        assert_null(strstr(err.message, "hush"));
        assert_null(config.server);
    }
}

static void everything_else_is_taken(void **state)
{
    (void)state;

    static const char *const headers[][2] = {
        {"Impersonate-User", "jane"},
        {"Impersonate-Uid", "7"},
        {"Impersonate-Group", "a"},
        {"Impersonate-Group", "b c"},
        {"Impersonate-Extra-x%2Fy%25%0A", "1"},
        {"Impersonate-Extra-x%2Fy%25%0A", "2"},
    };
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(text, 4096);

    compose(&text,
            SERVER ", proxy-url: \"socks5://u:p@10.0.0.1:1080\", tls-server-name: api.example, "
                   "insecure-skip-tls-verify: true",
            "as: jane, as-uid: \"7\", as-groups: [a, b c], as-user-extra: {\"x/y%\\n\": [\"1\", "
            "\"2\"]}");
    assert_int_equal(
        kube_config_parse(&config, ps_buf_get(&text), "/", NULL, KUBE_CONFIG_OWN, &err), 0);
    assert_string_equal(config.proxy_url, "socks5://u:p@10.0.0.1:1080");
    assert_string_equal(config.tls_server_name, "api.example");
    assert_true(config.insecure);
    assert_int_equal(config.header_count, PS_ARRAY_LEN(headers));
    for (size_t i = 0; i < PS_ARRAY_LEN(headers); i++) {
        assert_string_equal(config.headers[i].name, headers[i][0]);
        assert_string_equal(config.headers[i].value, headers[i][1]);
    }
    kube_config_fini(&config);
}

static void a_program_is_taken_unless_there_is_a_credential(void **state)
{
    (void)state;

    static const char program[] =
        "exec: {apiVersion: " V1 ", command: ./bin/login, args: [a, \"b c\"], installHint: get it, "
        "env: [{name: X, value: \"1\"}], interactiveMode: IfAvailable, provideClusterInfo: true}";
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(text, 4096);
    PS_AUTO_BUF(more, 4096);

    compose(&text,
            SERVER ", certificate-authority-data: " PEM64 ", extensions: [{name: other, extension: "
                   "no}, {name: client.authentication.k8s.io/exec, extension: {audience: x}}]",
            program);
    assert_int_equal(
        kube_config_parse(&config, ps_buf_get(&text), "/etc/k", NULL, KUBE_CONFIG_OWN, &err), 0);
    PS_AUTO_FREE char *exec = js_text(config.exec);

    assert_string_equal(exec, "{\"apiVersion\":\"" V1 "\",\"args\":[\"a\",\"b c\"],"
                              "\"cluster\":{\"certificate-authority-data\":\"" PEM64 "\","
                              "\"config\":{\"audience\":\"x\"},\"server\":\"https://a.example\"},"
                              "\"command\":\"/etc/k/./bin/login\","
                              "\"env\":[{\"name\":\"X\",\"value\":\"1\"}],"
                              "\"installHint\":\"get it\"}");
    kube_config_fini(&config);
    ps_buf_printf(&more, "token: hush, %s", program);
    ps_buf_clear(&text);
    compose(&text, SERVER, ps_buf_text(&more));
    assert_int_equal(
        kube_config_parse(&config, ps_buf_get(&text), "/", NULL, KUBE_CONFIG_OWN, &err), 0);
    assert_null(config.exec);
    kube_config_fini(&config);
}

static void somebody_elses_kubeconfig_may_do_less(void **state)
{
    (void)state;

    static const struct {
        const char *cluster, *user, *words;
    } rows[] = {
        {SERVER, "token: t", NULL},
        {SERVER ", certificate-authority-data: " PEM64,
         "client-certificate-data: " PEM64 ", client-key-data: " PEM64, NULL},
        {SERVER, "exec: {apiVersion: " V1B ", command: a}", "user.exec: programs are refused"},
        {SERVER, "exec: {apiVersion: " V1B ", command: a}, token: t", "user.exec: programs are"},
        {SERVER, "exec: hush", "user.exec: programs are refused"},
        {SERVER, "auth-provider: {name: gcp}", "auth-provider: not supported"},
        {SERVER, "tokenFile: token", "user.tokenFile: files are refused"},
        {SERVER, "tokenFile: token, token: t", "user.tokenFile: files are refused"},
        {SERVER, "client-certificate: ca.pem, client-key-data: " PEM64,
         "client-certificate: files are refused here: give client-certificate-data"},
        {SERVER, "client-key: ca.pem, client-certificate-data: " PEM64,
         "client-key: files are refused here: give client-key-data"},
        {SERVER ", certificate-authority: ca.pem", "",
         "certificate-authority: files are refused here"},
        {SERVER ", insecure-skip-tls-verify: true", "token: t",
         "insecure-skip-tls-verify: refused"},
        {"server: \"http://127.0.0.1:80\"", "", "server: expected https://"},
    };

    write_file("ca.pem", PEM, strlen(PEM));
    write_file("token", "hush", 4);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct kube_config config;
        struct ps_err err = {0};
        PS_AUTO_BUF(text, 4096);

        compose(&text, rows[i].cluster, rows[i].user);
        const int code =
            kube_config_parse(&config, ps_buf_get(&text), dir, NULL, KUBE_CONFIG_UNTRUSTED, &err);

        if ((code == 0) != (rows[i].words == NULL) ||
            (code != 0 && strstr(err.message, rows[i].words) == NULL))
            fail_msg("row %zu: %d %s", i, code, err.message);
        kube_config_fini(&config);
    }
}

static void write_part(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static void several_files_make_one(void **state)
{
    (void)state;
    struct kube_config config;
    struct ps_err err = {0};
    PS_AUTO_BUF(paths, 2048);

    write_part("one", "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
                      "clusters: [{name: c, cluster: {server: \"https://one\"}}]");
    write_part("empty", "");
    write_part("token", "tok");
    write_part("two", "current-context: b\ncontexts: [{name: a, context: {cluster: x}}, "
                      "{name: b, context: {cluster: c, user: u, namespace: cars}}]\n"
                      "clusters: [{name: c, cluster: {server: \"https://two\", "
                      "tls-server-name: x}}]\n"
                      "users: [{name: u, user: {tokenFile: token}}]");
    ps_buf_printf(&paths, ":%s/missing:%s/empty:%s/one:%s/two:%s/one", dir, dir, dir, dir, dir);
    if (kube_config_load_list(&config, ps_buf_text(&paths), NULL, &err) != 0)
        fail_msg("%s", err.message);
    /* The context of the first; its user stands in the second; a cluster is taken whole. */
    assert_string_equal(config.server, "https://one");
    assert_null(config.tls_server_name);
    assert_null(config.namespace);
    assert_string_equal(config.token, "tok");
    kube_config_fini(&config);
    assert_int_equal(kube_config_load_list(&config, ps_buf_text(&paths), "b", &err), 0);
    assert_string_equal(config.server, "https://one");
    assert_string_equal(config.namespace, "cars");
    kube_config_fini(&config);
    assert_int_equal(kube_config_load_list(&config, "/nonexistent/a:/nonexistent/b", NULL, &err),
                     PS_ENOENT);
    assert_non_null(strstr(err.message, "none of these files is there"));
    write_part("two", "[]");
    assert_int_equal(kube_config_load_list(&config, ps_buf_text(&paths), NULL, &err), PS_EINVAL);
    assert_non_null(strstr(err.message, "/two: kubeconfig: expected an object"));
}

static void broken_wholes_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *text, *context, *words;
    } rows[] = {
        {"", NULL, "current-context: not set"},
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

        assert_int_not_equal(kube_config_parse(&config, ps_str(rows[i].text), "/", rows[i].context,
                                               KUBE_CONFIG_OWN, &err),
                             0);
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
        cmocka_unit_test(everything_else_is_taken),
        cmocka_unit_test(a_program_is_taken_unless_there_is_a_credential),
        cmocka_unit_test(somebody_elses_kubeconfig_may_do_less),
        cmocka_unit_test(several_files_make_one),
        cmocka_unit_test(broken_wholes_are_refused),
        cmocka_unit_test(a_service_account_is_taken),
        cmocka_unit_test(outside_of_a_cluster_is_told),
        cmocka_unit_test(too_large_a_file_is_refused),
    };

    codec_init();
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
