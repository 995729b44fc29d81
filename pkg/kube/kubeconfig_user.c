/* SPDX-License-Identifier: Apache-2.0 */
/* The user of a kubeconfig: certificates, tokens, and whom it wants to be taken for. */
#include "kubeconfig.h"

#include <string.h>

/* Groups and extra fields; the server has limits of its own for all header fields together. */
#define IMPERSONATION_MAX 64

static int take_certificate(struct kube_config *config, const struct kube__entry *user,
                            struct ps_err *err)
{
    int code = kube__entry_pem(user, "client-certificate", &config->client_cert_pem,
                               &config->client_cert_file, err);

    if (code == 0) {
        code = kube__entry_pem(user, "client-key", &config->client_key_pem,
                               &config->client_key_file, err);
    }
    if (code == 0 && config->client_cert_pem != NULL && config->client_key_pem == NULL)
        code = kube__entry_refuse(user, "client-key", "missing beside client-certificate", err);
    if (code == 0 && config->client_cert_pem == NULL && config->client_key_pem != NULL)
        code = kube__entry_refuse(user, "client-certificate", "missing beside client-key", err);
    return code;
}

static int take_token(struct kube_config *config, const struct kube__entry *user,
                      struct ps_err *err)
{
    const char *token = NULL;
    const char *path = NULL;

    if (kube__entry_text(user, "token", &token, err) != 0 ||
        kube__entry_text(user, "tokenFile", &path, err) != 0)
        return PS_EINVAL;
    if (path == NULL) {
        config->token = token ? ps_xstrdup(token) : NULL;
        return 0;
    }
    if (user->trust != KUBE_CONFIG_OWN)
        return kube__entry_refuse(user, "tokenFile", "files are refused here: give token", err);
    /* The file wins; the token beside it is only for as long as the file cannot be read. */
    config->token_file = kube__resolve(user->dir, path);
    config->token = kube__read_token(config->token_file, err);
    if (config->token == NULL && token != NULL)
        config->token = ps_xstrdup(token);
    return config->token != NULL ? 0 : ps_fail_prefix(err, "%s.tokenFile", user->where);
}

/* ---- impersonation -------------------------------------------------------------------------- */

static int add_header(struct kube_config *config, const struct kube__entry *user, const char *key,
                      const char *name, const struct json_t *value, struct ps_err *err)
{
    const char *text = js_str(value);

    if (text == NULL || !http_is_field_value(text)) {
        return kube__entry_refuse(user, key,
                                  "expected texts that a header field can carry: visible ASCII "
                                  "characters and blanks, not empty",
                                  err);
    }
    if (config->header_count == IMPERSONATION_MAX)
        return kube__entry_refuse(user, key, "too many groups and extra fields", err);
    struct kube_header *header = &config->headers[config->header_count++];

    header->name = ps_xstrdup(name);
    header->value = ps_xstrdup(text);
    return 0;
}

static int add_headers(struct kube_config *config, const struct kube__entry *user, const char *key,
                       const char *name, const struct json_t *values, struct ps_err *err)
{
    const enum js_type type = js_type(values);
    int code = 0;

    if (type == JS_ABSENT || type == JS_NULL)
        return 0;
    if (type != JS_ARRAY)
        return kube__entry_refuse(user, key, "expected a list of texts", err);
    for (size_t i = 0; code == 0 && i < js_len(values); i++)
        code = add_header(config, user, key, name, js_at(values, i), err);
    return code;
}

/* What a field name cannot carry is percent-encoded; the server decodes it. */
static void escape_key(struct ps_buf *name, const char *key)
{
    static const char plain[] = "!#$&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    ps_buf_str(name, "Impersonate-Extra-");
    for (const char *p = key; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            ps_buf_char(name, *p);
        } else {
            ps_buf_printf(name, "%%%02X", (unsigned char)*p);
        }
    }
}

static int add_extra(struct kube_config *config, const struct kube__entry *user, struct ps_err *err)
{
    static const char field[] = "as-user-extra";
    const struct json_t *extra = js_get(user->object, field);
    const enum js_type type = js_type(extra);
    const char *key;
    struct json_t *values;
    void *at = NULL;
    int code = 0;

    if (type == JS_ABSENT || type == JS_NULL)
        return 0;
    if (type != JS_OBJECT)
        return kube__entry_refuse(user, field, "expected lists of texts by name", err);
    while (code == 0 && js_next(extra, &at, &key, &values)) {
        PS_AUTO_BUF(name, KUBE__WHERE_MAX);

        escape_key(&name, key);
        if (key[0] == '\0' || ps_buf_failed(&name))
            return kube__entry_refuse(user, field, "a name is empty or too long", err);
        code = add_headers(config, user, field, ps_buf_text(&name), values, err);
    }
    return code;
}

static int take_impersonation(struct kube_config *config, const struct kube__entry *user,
                              struct ps_err *err)
{
    static const char *const need_user[] = {"as-uid", "as-groups", "as-user-extra"};
    const char *uid = NULL;
    const char *name = NULL;
    int code = kube__entry_text(user, "as", &name, err);

    if (code == 0)
        code = kube__entry_text(user, "as-uid", &uid, err);
    if (code != 0)
        return code;
    if (name == NULL) {
        return kube__entry_refuse_keys(user, need_user, PS_ARRAY_LEN(need_user), err) == 0
                   ? 0
                   : ps_fail(err, PS_EINVAL,
                             "%s.as: missing beside as-uid, as-groups or as-user-extra",
                             user->where);
    }
    config->headers = ps_xcalloc(IMPERSONATION_MAX, sizeof(*config->headers));
    code = add_header(config, user, "as", "Impersonate-User", js_get(user->object, "as"), err);
    if (code == 0 && uid != NULL) {
        code = add_header(config, user, "as-uid", "Impersonate-Uid", js_get(user->object, "as-uid"),
                          err);
    }
    if (code == 0) {
        code = add_headers(config, user, "as-groups", "Impersonate-Group",
                           js_get(user->object, "as-groups"), err);
    }
    return code == 0 ? add_extra(config, user, err) : code;
}

/* ---- whole ---------------------------------------------------------------------------------- */

int kube__take_user(struct kube_config *config, const struct kube__entry *user, struct ps_err *err)
{
    static const char *const unsupported[] = {"auth-provider", "username", "password"};
    int code = kube__entry_refuse_keys(user, unsupported, PS_ARRAY_LEN(unsupported), err);

    if (code == 0)
        code = take_certificate(config, user, err);
    if (code == 0)
        code = take_token(config, user, err);
    return code == 0 ? take_impersonation(config, user, err) : code;
}
