/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials while the client runs: files that change, programs that give out tokens, and that no
 * secret gets into the log. */
#include "kube/internal.h"
#include "support/certs.h"
#include "support/script.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS 10000
#define V1        "client.authentication.k8s.io/v1"
#define LOG_MAX   ((size_t)256 * 1024)
/* Stands in every token: it may not be seen. */
#define SECRET    "hush-"

static const char *const files[] = {"ca", "cert", "key", "login", "count", "seen", "answer", "log"};

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct certs_pair ca, server;
    char dir[32];
    int saved_stderr;
    const char *wanted; /* the only token that is taken; NULL: any */
    char peer[64];
    bool hold;
    int done, want;
    int codes[8];
    struct ps_err last;
};

/* ---- files ------------------------------------------------------------------------------------
 */

static char *path_of(const struct fixture *f, const char *name)
{
    PS_AUTO_BUF(path, 256);
    ps_buf_printf(&path, "%s/%s", f->dir, name);
    return ps_buf_take(&path);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    PS_AUTO_FREE char *path = path_of(f, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

/* Caller frees; "" when it is not there. */
static char *read_whole(const struct fixture *f, const char *name)
{
    PS_AUTO_FREE char *path = path_of(f, name);
    PS_AUTO_BUF(text, LOG_MAX);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[4096];
    ssize_t n;

    while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
        ps_buf_add(&text, piece, (size_t)n);
    if (fd >= 0)
        (void)close(fd);
    return ps_buf_take(&text);
}

/* ---- fixture ----------------------------------------------------------------------------------
 */

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    PS_AUTO_BUF(name, sizeof(f->peer) - 1);
    PS_AUTO_BUF(line, 1024);
    PS_AUTO_FREE char *head = ps_xstrndup(request->head.p, request->head.n);

    ps_buf_str(&name, script_peer_name(peer));
    memcpy(f->peer, ps_buf_text(&name), name.n + 1);
    ps_buf_printf(&line, "\r\nAuthorization: Bearer %s\r\n", f->wanted ? f->wanted : "");
    if (f->hold)
        return;
    if (f->wanted != NULL && strstr(head, ps_buf_text(&line)) == NULL)
        script_reply(peer, 401, "", "{\"kind\":\"Status\",\"code\":401}");
    else
        script_reply(peer, 200, "", "{}");
}

static void on_done(void *self, const struct kube_response *response)
{
    struct fixture *f = self;

    f->codes[f->done % (int)PS_ARRAY_LEN(f->codes)] = response->code;
    f->last = response->err;
    if (++f->done >= f->want)
        loop_stop(f->loop);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_new(), .dir = "/tmp/kube-auth-XXXXXX"};
    http_global_init();
    assert_non_null(mkdtemp(f->dir));
    write_file(f, "log", "");
    PS_AUTO_FREE char *log = path_of(f, "log");
    const int fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);

    f->saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    (void)close(fd);
    ps_log_set_level(PS_LOG_DEBUG);
    f->ca = certs_authority("one");
    f->server = certs_issue(&f->ca, "server", "IP:127.0.0.1");
    f->script = script_new(f->loop, on_server, f);
}

static void teardown(struct fixture *f)
{
    kube_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    certs_free(&f->ca);
    certs_free(&f->server);
    ps_log_set_level(PS_LOG_INFO);
    (void)dup2(f->saved_stderr, STDERR_FILENO);
    (void)close(f->saved_stderr);
    PS_AUTO_FREE char *log = read_whole(f, "log");

    if (strstr(log, SECRET) != NULL || strstr(log, "PRIVATE KEY") != NULL)
        fail_msg("a secret is in the log: %s", log);
    for (size_t i = 0; i < PS_ARRAY_LEN(files); i++) {
        PS_AUTO_FREE char *path = path_of(f, files[i]);

        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
}

static bool is_logged(const struct fixture *f, const char *words)
{
    PS_AUTO_FREE char *log = read_whole(f, "log");

    return strstr(log, words) != NULL;
}

static void connect_client(struct fixture *f)
{
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
}

static struct kube_call *send(struct fixture *f)
{
    const struct kube_request request = {.verb = KUBE_GET, .raw = true, .raw_path = "/version"};

    return kube_send(f->client, &request, on_done, f);
}

static void wait_for(struct fixture *f, int done)
{
    f->want = done;
    if (f->done < done)
        assert_true(script_run(f->loop, ENOUGH_MS));
    assert_int_equal(f->done, done);
}

/* One request; its code. */
static int ask(struct fixture *f)
{
    const int before = f->done;

    (void)send(f);
    assert_int_equal(f->done, before); /* never from inside the call */
    wait_for(f, before + 1);
    return f->last.code;
}

/* ---- certificates -----------------------------------------------------------------------------
 */

static void setup_tls(struct fixture *f)
{
    setup(f);
    script_tls(f->script, f->server.cert, f->server.key, NULL);
    write_file(f, "ca", f->ca.cert);
    f->config.ca_file = path_of(f, "ca");
    f->config.ca_pem = ps_xstrdup(f->ca.cert);
    f->config.token = ps_xstrdup(SECRET "static");
}

static void a_new_authority_is_found_at_the_next_tls_failure(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    connect_client(&f);
    assert_int_equal(ask(&f), 0);
    struct certs_pair new_ca = certs_authority("two");
    struct certs_pair new_server = certs_issue(&new_ca, "server", "IP:127.0.0.1");

    script_tls(f.script, new_server.cert, new_server.key, NULL);
    /* The connection of before is in use; another one is needed for the next. */
    f.hold = true;
    (void)send(&f);
    script_wait(f.loop, 50);
    f.hold = false;
    write_file(&f, "ca", "half a certif");
    assert_int_equal(ask(&f), PS_EIO);
    assert_true(is_logged(&f, "certificate_file_unusable"));
    write_file(&f, "ca", new_ca.cert);
    assert_int_equal(ask(&f), 0);
    assert_true(is_logged(&f, "certificates_changed"));
    certs_free(&new_server);
    certs_free(&new_ca);
    teardown(&f);
}

static void a_new_authority_is_found_by_age_and_gets_new_connections(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    connect_client(&f);
    assert_int_equal(ask(&f), 0);
    struct certs_pair new_ca = certs_authority("two");

    write_file(&f, "ca", new_ca.cert);
    assert_int_equal(ask(&f), 0); /* not looked at yet: the connection is good */
    assert_int_equal(script_connections(f.script), 1);
    f.client->tls_read_ms -= 60000;
    /* The server still shows the old one: over the old connection it would have answered. */
    assert_int_equal(ask(&f), PS_EIO);
    assert_true(script_connections(f.script) > 1);
    certs_free(&new_ca);
    teardown(&f);
}

static void an_authority_that_vanishes_stays(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    connect_client(&f);
    PS_AUTO_FREE char *path = path_of(&f, "ca");

    assert_int_equal(unlink(path), 0);
    f.client->tls_read_ms -= 60000;
    assert_int_equal(ask(&f), 0);
    write_file(&f, "ca", "");
    f.client->tls_read_ms -= 60000;
    assert_int_equal(ask(&f), 0);
    assert_true(is_logged(&f, "authority: empty"));
    teardown(&f);
}

static void a_new_client_certificate_is_shown(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    script_tls(f.script, f.server.cert, f.server.key, f.ca.cert);
    struct certs_pair first = certs_issue(&f.ca, "first", NULL);
    struct certs_pair second = certs_issue(&f.ca, "second", NULL);

    write_file(&f, "cert", first.cert);
    write_file(&f, "key", first.key);
    f.config.client_cert_file = path_of(&f, "cert");
    f.config.client_key_file = path_of(&f, "key");
    f.config.client_cert_pem = ps_xstrdup(first.cert);
    f.config.client_key_pem = ps_xstrdup(first.key);
    connect_client(&f);
    assert_int_equal(ask(&f), 0);
    assert_string_equal(f.peer, "first");
    write_file(&f, "cert", second.cert); /* and its key not yet */
    f.client->tls_read_ms -= 60000;
    assert_int_equal(ask(&f), 0);
    assert_string_equal(f.peer, "first");
    assert_true(is_logged(&f, "does not belong"));
    write_file(&f, "key", second.key);
    f.client->tls_read_ms -= 60000;
    assert_int_equal(ask(&f), 0);
    assert_string_equal(f.peer, "second");
    certs_free(&first);
    certs_free(&second);
    teardown(&f);
}

static void no_verification_is_told_loudly(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    ps_free(f.config.ca_pem);
    f.config.ca_pem = NULL;
    ps_free(f.config.ca_file);
    f.config.ca_file = NULL;
    f.config.insecure = true;
    connect_client(&f);
    assert_int_equal(ask(&f), 0);
    assert_true(is_logged(&f, "\"level\":\"error\",\"event\":\"tls_not_verified\""));
    teardown(&f);
}

static void whom_to_be_taken_for_is_sent(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.config.headers = ps_xcalloc(2, sizeof(*f.config.headers));
    f.config.header_count = 2;
    f.config.headers[0] = (struct kube_header){ps_xstrdup("Impersonate-Group"), ps_xstrdup("a")};
    f.config.headers[1] = (struct kube_header){ps_xstrdup("Impersonate-Group"), ps_xstrdup("b c")};
    connect_client(&f);
    assert_int_equal(ask(&f), 0);
    assert_non_null(
        strstr(script_text(f.script, 0), "\r\nImpersonate-Group: a\r\nImpersonate-Group: b c\r\n"));
    teardown(&f);
}

/* ---- programs ---------------------------------------------------------------------------------
 */

/* The program counts its runs, keeps what it was told, and does `script`. */
static void setup_program(struct fixture *f, const char *script)
{
    static char path_variable[] = "PATH=/usr/bin:/bin", kept[] = "KEPT=kept", old[] = "X=old";
    static char *environment[] = {path_variable, kept, old, NULL};
    PS_AUTO_BUF(text, 8192);
    PS_AUTO_FREE char *path = path_of(f, "login");

    ps_buf_printf(&text,
                  "#!/bin/sh\ncd %s\necho run >> count\n"
                  "echo \"$1|$KEPT|$X|$KUBERNETES_EXEC_INFO\" > seen\n%s\n",
                  f->dir, script);
    write_file(f, "login", ps_buf_text(&text));
    f->config.environment = environment;
    f->config.exec = js_object();
    js_set_str(f->config.exec, "apiVersion", V1);
    js_set_str(f->config.exec, "command", path);
    js_set_str(f->config.exec, "installHint", "get it from there");
    js_set(f->config.exec, "args", js_parse(PS_STR("[\"one `two` $three\"]"), NULL));
    js_set(f->config.exec, "env", js_parse(PS_STR("[{\"name\":\"X\",\"value\":\"new\"}]"), NULL));
    js_set(f->config.exec, "cluster", js_parse(PS_STR("{\"server\":\"s\"}"), NULL));
    connect_client(f);
    kube__plugin_times(f->client->plugin, 2000, 100);
}

static size_t runs_of(const struct fixture *f)
{
    PS_AUTO_FREE char *count = read_whole(f, "count");

    return strlen(count) / strlen("run\n");
}

#define ANSWER(status)                                                                             \
    "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{" status "}}"
#define TOKEN_ANSWER(token) ANSWER("\"token\":\"" SECRET token "\"")

static void requests_wait_for_one_run(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.wanted = SECRET "a";
    setup_program(&f, "echo some words >&2; sleep 0.3; echo '" TOKEN_ANSWER("a") "'");
    for (int i = 0; i < 3; i++)
        (void)send(&f);
    struct kube_call *gone = send(&f);

    script_wait(f.loop, 100);
    assert_int_equal(f.done, 0);
    kube_cancel(gone);
    wait_for(&f, 3);
    assert_int_equal(f.last.code, 0);
    assert_int_equal(ask(&f), 0);
    assert_int_equal(runs_of(&f), 1);
    assert_int_equal(script_count(f.script), 4);
    assert_null(kube_client_trouble(f.client));
    PS_AUTO_FREE char *seen = read_whole(&f, "seen");

    assert_string_equal(seen, "one `two` $three|kept|new|{\"apiVersion\":\"" V1
                              "\",\"kind\":\"ExecCredential\",\"spec\":{\"cluster\":{\"server\":"
                              "\"s\"},\"interactive\":false}}\n");
    teardown(&f);
}

static void failures_are_told_and_tried_again(void **state)
{
    (void)state;

    static const struct {
        const char *script, *words;
    } rows[] = {
        {"echo '" TOKEN_ANSWER("a") "'; echo no login >&2; exit 3", "ended with exit code 3"},
        {"echo " SECRET "garbage", "no ExecCredential of " V1},
        {"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "beta1\",\"status\":"
         "{\"token\":\"" SECRET "\"}}'",
         "no ExecCredential of " V1},
        {"echo '" ANSWER("\"token\":\"\"") "'", "neither a token nor a client certificate"},
        {"echo '" ANSWER("\"token\":\"" SECRET "a\\u000aX: y\"") "'", "a header cannot carry"},
        {"echo '" ANSWER("\"clientCertificateData\":\"" SECRET "\"") "'", "one of"},
        {"echo '" ANSWER("\"clientCertificateData\":\"" SECRET "\",\"clientKeyData\":\"" SECRET
                         "\"") "'",
         "no certificate that can be read"},
        {"echo '" ANSWER("\"token\":\"" SECRET "\",\"expirationTimestamp\":\"soon\"") "'",
         "status.expirationTimestamp: expected a time"},
        {"echo '" ANSWER("\"token\":\"" SECRET "\",\"expirationTimestamp\":"
                         "\"2001-01-01T00:00:00Z\"") "'",
         "has expired before"},
        {"sleep 60", "not ended after 2000 ms"},
        {"yes " SECRET, "larger than 1048576 bytes"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        setup(&f);
        setup_program(&f, rows[i].script);
        f.wanted = SECRET "a";
        assert_int_equal(ask(&f), PS_EAUTH);
        if (strstr(f.last.message, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, f.last.message);
        assert_null(strstr(f.last.message, SECRET));
        assert_string_equal(kube_client_trouble(f.client), f.last.message);
        assert_int_equal(ask(&f), PS_EAUTH); /* at once: it is not run again yet */
        assert_int_equal(runs_of(&f), 1);
        assert_int_equal(script_count(f.script), 0);
        assert_true(is_logged(&f, "get it from there"));
        assert_int_equal(is_logged(&f, "\"stderr\":\"no login\""), i == 0);

        write_file(&f, "login", "#!/bin/sh\necho '" TOKEN_ANSWER("a") "'\n");
        script_wait(f.loop, 250);
        assert_int_equal(ask(&f), 0);
        assert_null(kube_client_trouble(f.client));
        teardown(&f);
    }
}

static void a_program_that_is_missing_has_words(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    setup_program(&f, "");
    PS_AUTO_FREE char *path = path_of(&f, "login");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask(&f), PS_EAUTH);
    assert_non_null(strstr(f.last.message, "it can't be started: no such file or directory"));
    assert_non_null(strstr(f.last.message, "/login: "));
    teardown(&f);
}

/* Tokens from 1 on, for so many seconds. */
#define COUNTED(seconds)                                                                           \
    "n=$(wc -l < count); t=$(date -u -d '+" seconds " seconds' +%Y-%m-%dT%H:%M:%SZ);"              \
    "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1                                      \
    "\",\"status\":{\"expirationTimestamp\":\"'$t'\",\"token\":\"" SECRET "'$n'\"}}'"

static void a_401_asks_for_another_one_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    setup_program(&f, COUNTED("3600"));
    f.wanted = SECRET "1";
    assert_int_equal(ask(&f), 0);
    f.wanted = SECRET "2";
    for (int i = 0; i < 3; i++)
        (void)send(&f);
    wait_for(&f, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(f.codes[i], 0);
    assert_int_equal(runs_of(&f), 2);
    /* Two in a row that are refused: no third run before a pause. */
    f.wanted = SECRET "never";
    assert_int_equal(ask(&f), PS_EAUTH);
    assert_int_equal(ask(&f), PS_EAUTH);
    assert_int_equal(ask(&f), PS_EAUTH);
    assert_int_equal(runs_of(&f), 3);
    assert_non_null(strstr(kube_client_trouble(f.client), "refuses the credential"));
    f.wanted = SECRET "4";
    script_wait(f.loop, 250);
    assert_int_equal(ask(&f), 0);
    assert_null(kube_client_trouble(f.client));
    teardown(&f);
}

static void another_one_is_asked_for_before_the_end(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    setup_program(&f, COUNTED("3"));
    assert_int_equal(ask(&f), 0);
    assert_int_equal(runs_of(&f), 1);
    /* It lives for two to three seconds; after four fifths another is fetched, beside it. */
    for (int i = 0; i < 100 && runs_of(&f) < 2; i++) {
        script_wait(f.loop, 50);
        if (i % 8 == 0)
            assert_int_equal(ask(&f), 0);
    }
    assert_int_equal(runs_of(&f), 2);
    script_wait(f.loop, 300);
    f.wanted = SECRET "2";
    const int before = script_count(f.script);

    assert_int_equal(ask(&f), 0);
    assert_int_equal(script_count(f.script), before + 1);
    /* Past the end of that one the request waits for the next. */
    script_wait(f.loop, 3200);
    f.wanted = SECRET "3";
    assert_int_equal(ask(&f), 0);
    assert_int_equal(script_count(f.script), before + 2);
    teardown(&f);
}

static void a_program_may_give_a_certificate(void **state)
{
    (void)state;
    struct fixture f;

    setup_tls(&f);
    ps_free(f.config.token);
    f.config.token = NULL;
    script_tls(f.script, f.server.cert, f.server.key, f.ca.cert);
    struct certs_pair user = certs_issue(&f.ca, "login", NULL);
    PS_AUTO_JS struct json_t *answer = js_parse(PS_STR(ANSWER("")), NULL);

    js_set_str(js_child(answer, "status"), "clientCertificateData", user.cert);
    js_set_str(js_child(answer, "status"), "clientKeyData", user.key);
    PS_AUTO_FREE char *text = js_text(answer);

    write_file(&f, "answer", text);
    setup_program(&f, "cat answer");
    assert_int_equal(ask(&f), 0);
    assert_string_equal(f.peer, "login");
    certs_free(&user);
    teardown(&f);
}

static void freeing_the_client_ends_the_program(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    setup_program(&f, "sleep 60");
    (void)send(&f);
    script_wait(f.loop, 50);
    const int64_t started = loop_now_ms();

    teardown(&f);
    assert_true(loop_now_ms() - started < 2000);
    assert_int_equal(f.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_authority_is_found_at_the_next_tls_failure),
        cmocka_unit_test(a_new_authority_is_found_by_age_and_gets_new_connections),
        cmocka_unit_test(an_authority_that_vanishes_stays),
        cmocka_unit_test(a_new_client_certificate_is_shown),
        cmocka_unit_test(no_verification_is_told_loudly),
        cmocka_unit_test(whom_to_be_taken_for_is_sent),
        cmocka_unit_test(requests_wait_for_one_run),
        cmocka_unit_test(failures_are_told_and_tried_again),
        cmocka_unit_test(a_program_that_is_missing_has_words),
        cmocka_unit_test(a_401_asks_for_another_one_once),
        cmocka_unit_test(another_one_is_asked_for_before_the_end),
        cmocka_unit_test(a_program_may_give_a_certificate),
        cmocka_unit_test(freeing_the_client_ends_the_program),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
