/* SPDX-License-Identifier: Apache-2.0 */
/* A Secret's data: where a foundation is and who we are there. */
#include "internal.h"

#include <string.h>

#define HINT_MAX ((CF_FIELD_MAX + 64) * 6) /* {"origin":…}, each byte escaped */

void cf__wipe_text(char *secret)
{
    if (secret != NULL)
        ps_wipe(secret, strlen(secret));
    ps_free(secret);
}

void cf_config_fini(struct cf_config *config)
{
    ps_free(config->api);
    ps_free(config->user);
    cf__wipe_text(config->password);
    ps_free(config->client_id);
    cf__wipe_text(config->client_secret);
    ps_free(config->login_hint);
    ps_free(config->ca_pem);
    for (size_t i = 0; i < config->allowed_host_count; i++)
        ps_free(config->allowed_hosts[i]);
    ps_free(config->allowed_hosts);
    *config = (struct cf_config){0};
}

static bool has_control(struct ps_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
            return true;
    }
    return false;
}

/* A key's text into *out, without the line end that editors leave; NULL when it is not there or
 * empty. */
static int take(const struct json_t *data, const char *key, char **out, struct ps_err *err)
{
    const struct json_t *value = js_get(data, key);
    struct ps_str text = ps_str(js_str(value));

    *out = NULL;
    if (value == NULL)
        return 0;
    if (js_type(value) != JS_STRING)
        return ps_fail(err, PS_EINVAL, "%s: expected a text", key);
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (text.n > CF_FIELD_MAX)
        return ps_fail(err, PS_ELIMIT, "%s: longer than %zu bytes", key, CF_FIELD_MAX);
    if (has_control(text))
        return ps_fail(err, PS_EINVAL, "%s: expected one line without control characters", key);
    if (text.n > 0)
        *out = ps_xstrndup(text.p, text.n);
    return 0;
}

/* Keys that are read into a text of their own. */
static int take_texts(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    const struct {
        const char *key;
        char **out;
    } texts[] = {
        {"username", &config->user},
        {"password", &config->password},
        {"clientId", &config->client_id},
        {"clientSecret", &config->client_secret},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++) {
        if (take(data, texts[i].key, texts[i].out, err) != 0)
            return err->code;
    }
    return 0;
}

static int check_who(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    if (js_get(data, "passcode") != NULL) {
        return ps_fail(err, PS_EINVAL,
                       "passcode: it works once and a restart would need another: put username "
                       "and password, or clientId and clientSecret, into the Secret");
    }
    if ((config->user != NULL) != (config->password != NULL)) {
        return ps_fail(err, PS_EINVAL, "%s: missing beside %s",
                       config->user != NULL ? "password" : "username",
                       config->user != NULL ? "username" : "password");
    }
    if (config->client_secret != NULL && config->client_id == NULL)
        return ps_fail(err, PS_EINVAL, "clientId: missing beside clientSecret");
    if (config->user == NULL && (config->client_id == NULL || config->client_secret == NULL)) {
        return ps_fail(err, PS_EINVAL,
                       "username and password, or clientId and clientSecret: missing");
    }
    if (config->client_id != NULL && strchr(config->client_id, ':') != NULL)
        return ps_fail(err, PS_EINVAL, "clientId: a colon cannot stand in it");
    if (config->client_id == NULL)
        config->client_id = ps_xstrdup("cf");
    if (config->client_secret == NULL)
        config->client_secret = ps_xstrdup("");
    return 0;
}

static int take_api(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    const char *key = js_get(data, "api") != NULL ? "api" : "url";
    struct cf__url parts;
    PS_AUTO_FREE char *text = NULL;

    if (take(data, key, &text, err) != 0)
        return err->code;
    if (text == NULL) {
        return ps_fail(err, PS_EINVAL,
                       "api: missing: expected the API's URL, as in https://api.sys.example.org");
    }
    if (cf__url_split(text, &parts, err) != 0)
        return ps_fail_prefix(err, "%s", key);
    if (parts.path.n > 0 && !ps_str_is(parts.path, "/")) {
        return ps_fail(err, PS_EINVAL, "%s: expected a URL with nothing behind host and port", key);
    }
    config->api = ps_xstrndup(text, (size_t)(parts.path.p - text));
    return 0;
}

/* UAA decodes the value once more than its form says: what SCDF's users have encoded once stays as
 * it is. */
static int take_hint(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    PS_AUTO_FREE char *origin = NULL;
    PS_AUTO_BUF(hint, HINT_MAX);

    if (take(data, "origin", &origin, err) != 0 ||
        take(data, "loginHint", &config->login_hint, err) != 0)
        return err->code;
    if (origin == NULL)
        return 0;
    if (config->login_hint != NULL)
        return ps_fail(err, PS_EINVAL, "origin and loginHint: expected one of them");
    ps_buf_str(&hint, "{\"origin\":");
    ps_buf_json(&hint, ps_str(origin));
    ps_buf_char(&hint, '}');
    PS_AUTO_BUF(encoded, HINT_MAX * 3);
    cf__encode(&encoded, ps_buf_get(&hint));
    config->login_hint = ps_buf_take(&encoded);
    return 0;
}

static int take_tls(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    const struct ps_str ca = ps_str(js_str(js_get(data, "ca.crt")));
    PS_AUTO_FREE char *skip = NULL;

    if (js_get(data, "ca.crt") != NULL && ps_str_trim(ca).n == 0)
        return ps_fail(err, PS_EINVAL, "ca.crt: expected certificates, got nothing");
    if (http_tls_check(ca, ps_str(NULL), ps_str(NULL), err) != 0)
        return ps_fail_prefix(err, "ca.crt");
    config->ca_pem = ca.n > 0 ? ps_xstrndup(ca.p, ca.n) : NULL;
    if (take(data, "skipVerify", &skip, err) != 0)
        return err->code;
    if (skip != NULL && !ps_streq(skip, "true") && !ps_streq(skip, "false"))
        return ps_fail(err, PS_EINVAL, "skipVerify: expected true or false");
    config->insecure = ps_streq(skip, "true");
    return 0;
}

static bool is_host(struct ps_str entry)
{
    const struct ps_str host = ps_str_starts(entry, "*.") ? ps_str_skip(entry, 2) : entry;
    struct cf__url parts;
    PS_AUTO_BUF(url, CF_FIELD_MAX + 16);

    ps_buf_printf(&url, "https://%.*s", PS_STR_ARG(host));
    return cf__url_split(ps_buf_text(&url), &parts, NULL) == 0 && parts.port.n == 0 &&
           parts.path.n == 0;
}

static int take_hosts(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    PS_AUTO_FREE char *text = NULL;
    struct ps_str part;

    if (take(data, "allowedHosts", &text, err) != 0)
        return err->code;
    for (char *p = text; p != NULL && *p != '\0'; p++) {
        if (*p == ' ')
            *p = ',';
    }
    struct ps_str rest = ps_str(text);

    config->allowed_hosts = ps_xcalloc(CF_HOSTS_MAX, sizeof(*config->allowed_hosts));
    while (ps_str_split(&rest, ',', &part)) {
        if (part.n == 0)
            continue;
        if (config->allowed_host_count == CF_HOSTS_MAX)
            return ps_fail(err, PS_ELIMIT, "allowedHosts: more than %zu", CF_HOSTS_MAX);
        if (!is_host(part)) {
            return ps_fail(err, PS_EINVAL,
                           "allowedHosts: expected host names or *.domain, separated by commas");
        }
        config->allowed_hosts[config->allowed_host_count++] = ps_xstrndup(part.p, part.n);
    }
    return 0;
}

int cf_config_read(struct cf_config *config, const struct json_t *data, struct ps_err *err)
{
    *config = (struct cf_config){0};
    if (take_api(config, data, err) != 0 || take_texts(config, data, err) != 0 ||
        check_who(config, data, err) != 0 || take_hint(config, data, err) != 0 ||
        take_tls(config, data, err) != 0 || take_hosts(config, data, err) != 0) {
        cf_config_fini(config);
        return err->code;
    }
    return 0;
}
