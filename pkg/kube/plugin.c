/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A credential that another program gives out (client.authentication.k8s.io): run when there is
 * none, before it expires, and when the server has refused it; never twice at once. What it prints
 * is a secret and appears nowhere; of its standard error the beginning goes to the log.
 */
#include "internal.h"

#define TIMEOUT_MS        60000
#define OUTPUT_MAX        ((size_t)1024 * 1024)
#define WORDS_MAX         ((size_t)2048)
#define BACKOFF_FIRST_MS  1000
#define BACKOFF_MAX_MS    60000
/* A new one is asked for that long before the end, or after four fifths of a short life. */
#define REFRESH_EARLY_MS  60000
#define LIFE_PARTS        5
#define VARIABLE_TEXT_MAX (KUBE_CONFIG_MAX * 4) /* the authority in it, as base64 */
#define KIND              "ExecCredential"

struct kube__plugin {
    struct loop *loop;
    struct json_t *exec;
    char *const *environment;
    kube__plugin_fn *on_change;
    void *self;
    struct loop_process *process;
    struct loop_backoff backoff;
    struct kube__credential credential;
    struct ps_err err;     /* why there is none, or no newer one; code 0: all is well */
    int64_t expires_ms;    /* 0: when the server refuses it */
    int64_t refresh_ms;    /* with expires_ms */
    int64_t not_before_ms; /* the next run */
    uint64_t number;       /* of the credential */
    int64_t timeout_ms;
    bool has_credential;
    bool after_refusal; /* asked for because the server had refused the one before */
};

static const char *command_of(const struct kube__plugin *plugin)
{
    return js_path_str(plugin->exec, "command");
}

static void credential_fini(struct kube__credential *credential)
{
    kube__wipe_text(credential->token);
    kube__wipe_text(credential->cert_pem);
    kube__wipe_text(credential->key_pem);
    *credential = (struct kube__credential){0};
}

/* ---- what it says --------------------------------------------------------------------------- */

static char *text_under(const struct json_t *status, const char *key)
{
    const char *text = js_str(js_get(status, key));

    return text != NULL && text[0] != '\0' ? ps_xstrdup(text) : NULL;
}

static int check_credential(const struct kube__credential *credential, struct ps_err *err)
{
    if (credential->token == NULL && credential->cert_pem == NULL && credential->key_pem == NULL)
        return ps_fail(err, PS_EPROTO, "its answer has neither a token nor a client certificate");
    if ((credential->cert_pem == NULL) != (credential->key_pem == NULL)) {
        return ps_fail(err, PS_EPROTO,
                       "its answer has one of clientCertificateData and clientKeyData only");
    }
    if (credential->token != NULL && !kube__is_token(credential->token))
        return ps_fail(err, PS_EPROTO, "its token has characters that a header cannot carry");
    if (http_tls_check(ps_str(NULL), ps_str(credential->cert_pem), ps_str(credential->key_pem),
                       err) != 0)
        return ps_fail_prefix(err, "its answer");
    return 0;
}

/* *expires_ms: on the monotonic clock; 0 when the answer does not say. */
static int read_expiry(const struct json_t *status, int64_t *expires_ms, struct ps_err *err)
{
    const struct json_t *given = js_get(status, "expirationTimestamp");
    int64_t wall_ms = 0;

    *expires_ms = 0;
    if (js_type(given) == JS_ABSENT || js_type(given) == JS_NULL)
        return 0;
    if (js_str(given) == NULL || !codec_time(ps_str(js_str(given)), &wall_ms)) {
        return ps_fail(err, PS_EPROTO,
                       "its answer: status.expirationTimestamp: expected a time like "
                       "2026-11-22T01:02:03Z");
    }
    const int64_t left_ms = wall_ms - loop_wall_ms();

    if (left_ms <= 0)
        return ps_fail(err, PS_EPROTO, "its credential has expired before it was given out");
    *expires_ms = loop_now_ms() + left_ms;
    return 0;
}

static int read_answer(const struct kube__plugin *plugin, struct ps_str output,
                       struct kube__credential *credential, int64_t *expires_ms, struct ps_err *err)
{
    const char *version = js_path_str(plugin->exec, "apiVersion");
    PS_AUTO_JS struct json_t *root = js_parse(output, NULL); /* its words could quote a secret */
    const struct json_t *status = js_get(root, "status");

    if (js_type(root) != JS_OBJECT || !ps_streq(js_path_str(root, "kind"), KIND) ||
        !ps_streq(js_path_str(root, "apiVersion"), version)) {
        return ps_fail(err, PS_EPROTO, "its answer is no " KIND " of %s", version);
    }
    credential->token = text_under(status, "token");
    credential->cert_pem = text_under(status, "clientCertificateData");
    credential->key_pem = text_under(status, "clientKeyData");
    if (check_credential(credential, err) != 0)
        return err->code;
    return read_expiry(status, expires_ms, err);
}

/* ---- its end -------------------------------------------------------------------------------- */

static void fail(struct kube__plugin *plugin, const struct ps_err *why, struct ps_str words)
{
    PS_AUTO_BUF(text, WORDS_MAX);

    ps_buf_view(&text, ps_str_trim(words));
    (void)ps_fail(&plugin->err, PS_EAUTH, "exec plugin %.200s: %s", command_of(plugin),
                  why->message);
    plugin->not_before_ms = loop_now_ms() + loop_backoff_next(&plugin->backoff);
    ps_log(PS_LOG_ERROR, "exec_plugin_failed", "error", plugin->err.message, "stderr",
           text.n > 0 ? ps_buf_text(&text) : NULL, "install_hint",
           js_path_str(plugin->exec, "installHint"), NULL);
}

static void accept(struct kube__plugin *plugin, struct kube__credential *credential,
                   int64_t expires_ms)
{
    const int64_t now = loop_now_ms();
    const int64_t early = (expires_ms - now) / LIFE_PARTS;

    credential_fini(&plugin->credential);
    plugin->credential = *credential;
    plugin->has_credential = true;
    plugin->number++;
    plugin->expires_ms = expires_ms;
    plugin->refresh_ms = expires_ms - (early < REFRESH_EARLY_MS ? early : REFRESH_EARLY_MS);
    ps_err_clear(&plugin->err);
    ps_log(PS_LOG_INFO, "exec_plugin_credential", "command", command_of(plugin), NULL);
}

static void on_ended(void *self, const struct loop_process_result *result)
{
    struct kube__plugin *plugin = self;
    struct kube__credential credential = {0};
    struct ps_err err = result->err;
    int64_t expires_ms = 0;

    plugin->process = NULL;
    if (err.code == 0)
        (void)read_answer(plugin, result->output, &credential, &expires_ms, &err);
    if (err.code == 0) {
        accept(plugin, &credential, expires_ms);
    } else {
        credential_fini(&credential);
        fail(plugin, &err, result->errors);
    }
    plugin->on_change(plugin->self);
}

/* ---- its start ------------------------------------------------------------------------------ */

static const char *info_variable(struct ps_arena *arena, const struct kube__plugin *plugin)
{
    PS_AUTO_JS struct json_t *info = js_object();
    struct json_t *spec = js_child(info, "spec");

    js_set_str(info, "kind", KIND);
    js_set_str(info, "apiVersion", js_path_str(plugin->exec, "apiVersion"));
    js_set_bool(spec, "interactive", false);
    js_set(spec, "cluster", js_copy(js_get(plugin->exec, "cluster")));
    PS_AUTO_BUF(text, VARIABLE_TEXT_MAX);

    ps_buf_str(&text, "KUBERNETES_EXEC_INFO=");
    js_print(&text, info);
    ps_assert(!ps_buf_failed(&text));
    return ps_arena_str(arena, ps_buf_get(&text));
}

/* Is the variable given anew? The program finds the first of two. */
static bool is_replaced(const struct json_t *added, const char *variable)
{
    struct ps_str rest = ps_str(variable);
    struct ps_str name;

    (void)ps_str_split(&rest, '=', &name);
    for (size_t i = 0; i < js_len(added); i++) {
        if (ps_str_is(name, js_str(js_get(js_at(added, i), "name"))))
            return true;
    }
    return ps_str_is(name, "KUBERNETES_EXEC_INFO");
}

static const char *const *make_environment(struct ps_arena *arena,
                                           const struct kube__plugin *plugin)
{
    const struct json_t *added = js_get(plugin->exec, "env");
    size_t n = 0;

    while (plugin->environment != NULL && plugin->environment[n] != NULL)
        n++;
    const char **list = ps_arena_array(arena, n + js_len(added) + 2, sizeof(*list));
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (!is_replaced(added, plugin->environment[i]))
            list[at++] = plugin->environment[i];
    }
    for (size_t i = 0; i < js_len(added); i++) {
        list[at++] = ps_arena_printf(arena, "%s=%s", js_str(js_get(js_at(added, i), "name")),
                                     js_str(js_get(js_at(added, i), "value")));
    }
    list[at] = info_variable(arena, plugin);
    return list;
}

static void start(struct kube__plugin *plugin)
{
    const struct json_t *args = js_get(plugin->exec, "args");
    struct ps_arena arena;

    ps_arena_init(&arena);
    const char **argv = ps_arena_array(&arena, js_len(args) + 2, sizeof(*argv));

    argv[0] = command_of(plugin);
    for (size_t i = 0; i < js_len(args); i++)
        argv[i + 1] = js_str(js_at(args, i));
    const struct loop_process_options options = {
        .argv = argv,
        .environment = make_environment(&arena, plugin),
        .timeout_ms = plugin->timeout_ms,
        .output_max = OUTPUT_MAX,
        .errors_max = WORDS_MAX,
    };

    plugin->process = loop_process_start(plugin->loop, &options, on_ended, plugin);
    ps_arena_fini(&arena);
}

/* ---- for those who need it ------------------------------------------------------------------ */

struct kube__plugin *kube__plugin_new(struct loop *loop, const struct kube_config *config,
                                      kube__plugin_fn *on_change, void *self)
{
    struct kube__plugin *plugin = ps_xcalloc(1, sizeof(*plugin));

    plugin->loop = loop;
    plugin->exec = js_copy(config->exec);
    plugin->environment = config->environment;
    plugin->on_change = on_change;
    plugin->self = self;
    plugin->timeout_ms = TIMEOUT_MS;
    plugin->backoff.first_ms = BACKOFF_FIRST_MS;
    plugin->backoff.max_ms = BACKOFF_MAX_MS;
    return plugin;
}

void kube__plugin_times(struct kube__plugin *plugin, int64_t timeout_ms, int64_t backoff_first_ms)
{
    plugin->timeout_ms = timeout_ms;
    plugin->backoff.first_ms = backoff_first_ms;
}

void kube__plugin_free(struct kube__plugin *plugin)
{
    if (plugin == NULL)
        return;
    loop_process_free(plugin->process);
    credential_fini(&plugin->credential);
    js_unref(plugin->exec);
    ps_free(plugin);
}

enum kube__ready kube__plugin_ready(struct kube__plugin *plugin, struct ps_err *err)
{
    const int64_t now = loop_now_ms();
    const bool may_start = plugin->process == NULL && now >= plugin->not_before_ms;

    if (plugin->has_credential && plugin->expires_ms > 0 && now >= plugin->expires_ms)
        plugin->has_credential = false;
    const bool is_due = plugin->expires_ms > 0 && now >= plugin->refresh_ms;

    if (may_start && (!plugin->has_credential || is_due))
        start(plugin);
    if (plugin->has_credential)
        return KUBE__READY;
    if (plugin->process != NULL)
        return KUBE__WAIT;
    *err = plugin->err;
    return KUBE__NOT_READY;
}

const struct kube__credential *kube__plugin_credential(const struct kube__plugin *plugin)
{
    return &plugin->credential;
}

uint64_t kube__plugin_number(const struct kube__plugin *plugin)
{
    return plugin->number;
}

const char *kube__plugin_trouble(const struct kube__plugin *plugin)
{
    return plugin->err.code != 0 ? plugin->err.message : NULL;
}

void kube__plugin_accepted(struct kube__plugin *plugin, uint64_t number)
{
    if (number != plugin->number)
        return;
    plugin->after_refusal = false;
    if (plugin->err.code == 0)
        loop_backoff_reset(&plugin->backoff);
}

bool kube__plugin_refused(struct kube__plugin *plugin, uint64_t number)
{
    struct ps_err why = {0};

    if (number != plugin->number || !plugin->has_credential)
        return true; /* another one is there, or on its way */
    plugin->has_credential = false;
    if (!plugin->after_refusal) {
        plugin->after_refusal = true;
        return true;
    }
    (void)ps_fail(&why, PS_EAUTH, "the API server refuses the credential that it gives out");
    fail(plugin, &why, (struct ps_str){0});
    return false;
}
