/* SPDX-License-Identifier: Apache-2.0 */
/* The Secret of an account in another cluster: where that cluster is and who we are there. Its
 * author is somebody else, and what goes wrong is shown to many: messages have the keys of the
 * Secret, and never a part of a value. */
#include "internal.h"

#include <string.h>

#define KEYS_SHOWN     ((size_t)10)
#define KEYS_TEXT_MAX  ((size_t)1024)
#define SWITCH_MAX     ((size_t)16) /* "true" or "false", and a line end */
#define SERVER_MAX     ((size_t)4096)
#define KEY_KUBECONFIG "kubeconfig"
#define KEY_SERVER     "server"
#define KEY_TOKEN      "token"
#define KEY_CA         "ca.crt"
#define KEY_SKIP       "skipVerify"

static int refuse(struct ps_err *err, const char *key, const char *why)
{
    return ps_fail(err, PS_EINVAL, "data[%s]: %s", key, why);
}

/* The value of a key, decoded, without the white space around it. It is wiped by the caller. */
static int read_value(const struct json_t *data, const char *key, struct ps_buf *out,
                      struct ps_err *err)
{
    const struct json_t *value = js_get(data, key);

    if (js_type(value) != JS_STRING)
        return refuse(err, key, value ? "expected base64" : "missing");
    /* The decoder's own words could quote a value. */
    if (codec_base64_decode(ps_str(js_str(value)), out, NULL) != 0) {
        return ps_buf_failed(out)
                   ? ps_fail(err, PS_ELIMIT, "data[%s]: larger than %zu bytes", key, out->max)
                   : refuse(err, key, "not base64");
    }
    if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL)
        return refuse(err, key, "holds a NUL byte");
    const struct ps_str text = ps_str_trim(ps_buf_get(out));

    return text.n > 0 ? 0 : refuse(err, key, "empty");
}

/* The same as a text of its own, to be freed by kube_config_fini. */
static int take_value(const struct json_t *data, const char *key, size_t max, char **text,
                      struct ps_err *err)
{
    PS_AUTO_BUF(value, max);
    const int code = read_value(data, key, &value, err);

    if (code == 0) {
        const struct ps_str trimmed = ps_str_trim(ps_buf_get(&value));

        *text = ps_xstrndup(trimmed.p, trimmed.n);
    }
    ps_wipe(value.p, value.n);
    return code;
}

/* ---- server, token, ca.crt ------------------------------------------------------------------ */

static int take_server(struct kube_config *config, const struct json_t *data, struct ps_err *err)
{
    int code = take_value(data, KEY_SERVER, SERVER_MAX, &config->server, err);

    if (code != 0)
        return code;
    if (!ps_str_starts(ps_str(config->server), "https://"))
        return refuse(err, KEY_SERVER, "expected https://");
    if (http_url_check(config->server, err) != 0)
        return ps_fail_prefix(err, "data[%s]", KEY_SERVER);
    if (strpbrk(config->server, "?#") != NULL)
        return refuse(err, KEY_SERVER, "a URL without query and fragment is expected");
    for (size_t n = strlen(config->server); config->server[n - 1] == '/'; n--)
        config->server[n - 1] = '\0';
    return 0;
}

static int read_switch(const struct json_t *data, bool *on, struct ps_err *err)
{
    PS_AUTO_BUF(value, SWITCH_MAX);

    *on = false;
    if (js_get(data, KEY_SKIP) == NULL)
        return 0;
    if (read_value(data, KEY_SKIP, &value, err) != 0)
        return err->code;
    const struct ps_str text = ps_str_trim(ps_buf_get(&value));

    *on = ps_str_is(text, "true");
    return *on || ps_str_is(text, "false") ? 0 : refuse(err, KEY_SKIP, "expected true or false");
}

static int take_verification(struct kube_config *config, const struct json_t *data,
                             bool may_skip_verify, struct ps_err *err)
{
    if (read_switch(data, &config->insecure, err) != 0)
        return err->code;
    if (!config->insecure)
        return take_value(data, KEY_CA, KUBE_CONFIG_MAX, &config->ca_pem, err);
    if (!may_skip_verify) {
        return refuse(err, KEY_SKIP,
                      "refused, anybody on the way could read the token: give ca.crt, or start the "
                      "operator with --allow-skip-verify");
    }
    return js_get(data, KEY_CA) == NULL
               ? 0
               : refuse(err, KEY_SKIP, "given beside ca.crt, which would have no effect");
}

static int take_parts(struct kube_config *config, const struct json_t *data, bool may_skip_verify,
                      struct ps_err *err)
{
    int code = take_server(config, data, err);

    if (code == 0)
        code = take_value(data, KEY_TOKEN, KUBE__TOKEN_MAX, &config->token, err);
    return code == 0 ? take_verification(config, data, may_skip_verify, err) : code;
}

/* ---- kubeconfig ----------------------------------------------------------------------------- */

static int take_kubeconfig(struct kube_config *config, const struct json_t *data,
                           bool may_skip_verify, struct ps_err *err)
{
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX);
    PS_AUTO_JS struct json_t *whole = js_object();
    struct ps_err unsaid; /* its words quote keys of the text */
    int code = read_value(data, KEY_KUBECONFIG, &text, err);

    if (code != 0)
        return code;
    if (kube__config_add(whole, ps_buf_get(&text), ".", &unsaid) != 0) {
        code = refuse(err, KEY_KUBECONFIG,
                      "not YAML that is understood; `kubectl config view --raw --minify --flatten` "
                      "writes one that is");
    } else if (kube__config_take(config, whole, NULL,
                                 may_skip_verify ? KUBE_CONFIG_UNVERIFIED : KUBE_CONFIG_UNTRUSTED,
                                 err) != 0) {
        code = ps_fail_prefix(err, "data[%s]", KEY_KUBECONFIG);
    }
    ps_wipe(text.p, text.n);
    return code;
}

/* ---- whole ---------------------------------------------------------------------------------- */

static int tell_missing(const struct json_t *data, struct ps_err *err)
{
    PS_AUTO_BUF(keys, KEYS_TEXT_MAX);
    void *at = NULL;
    const char *key;
    struct json_t *value;
    size_t n = 0;

    while (js_next(data, &at, &key, &value)) {
        if (n++ < KEYS_SHOWN)
            ps_buf_printf(&keys, "%s%.64s", n > 1 ? ", " : "", key);
    }
    return ps_fail(err, PS_EINVAL,
                   "data: expected the key kubeconfig, or server, token and ca.crt; found %s%s",
                   n > 0 ? ps_buf_text(&keys) : "nothing", n > KEYS_SHOWN ? ", …" : "");
}

/* Both forms in one Secret: whoever changes the one would wonder why the other holds. */
static int refuse_both(const struct json_t *data, struct ps_err *err)
{
    static const char *const parts[] = {KEY_SERVER, KEY_TOKEN, KEY_CA, KEY_SKIP};

    for (size_t i = 0; i < PS_ARRAY_LEN(parts); i++) {
        if (js_get(data, parts[i]) != NULL) {
            return ps_fail(err, PS_EINVAL,
                           "data: both kubeconfig and %s are given: remove either, a kubeconfig "
                           "says it all",
                           parts[i]);
        }
    }
    return 0;
}

/* What would otherwise be found out by the first request. */
static int check_use(const struct kube_config *config, bool whole, struct ps_err *err)
{
    const char *key = whole ? KEY_KUBECONFIG : KEY_TOKEN;

    if (config->token == NULL && config->client_cert_pem == NULL) {
        return refuse(err, key,
                      "no credential: expected a token or a client certificate of the user that "
                      "the current context names");
    }
    if (config->token != NULL && !kube__is_token(config->token))
        return refuse(err, key, "the token has characters that no token has");
    if (http_tls_check(ps_str(config->ca_pem), ps_str(config->client_cert_pem),
                       ps_str(config->client_key_pem), err) != 0)
        return ps_fail_prefix(err, "data[%s]", whole ? KEY_KUBECONFIG : KEY_CA);
    return 0;
}

int kube_config_from_secret(struct kube_config *config, const struct json_t *data,
                            bool may_skip_verify, struct ps_err *err)
{
    const bool whole = js_get(data, KEY_KUBECONFIG) != NULL;
    int code = 0;

    *config = (struct kube_config){0};
    if (!whole && js_get(data, KEY_SERVER) == NULL)
        return tell_missing(data, err);
    if (whole)
        code = refuse_both(data, err);
    if (code == 0) {
        code = whole ? take_kubeconfig(config, data, may_skip_verify, err)
                     : take_parts(config, data, may_skip_verify, err);
    }
    if (code == 0)
        code = check_use(config, whole, err);
    if (code != 0)
        kube_config_fini(config);
    return code;
}
