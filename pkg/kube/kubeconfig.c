/* SPDX-License-Identifier: Apache-2.0 */
/* One kubeconfig text: its context's cluster and user. What is not supported is refused by its
 * name. */
#include "internal.h"

#include <string.h>

#define WHERE_MAX ((size_t)512)

/* An entry of one of the three lists, and how messages call it. */
struct entry {
    const struct json_t *object;
    char where[WHERE_MAX];
};

static int refuse(struct ps_err *err, const struct entry *entry, const char *key, const char *why)
{
    return ps_fail(err, PS_EINVAL, "%s.%s: %s", entry->where, key, why);
}

/* NULL when absent, null or empty, as the tools that write these files mean it. */
static int get_text(const struct entry *entry, const char *key, const char **text,
                    struct ps_err *err)
{
    const struct json_t *value = js_get(entry->object, key);

    *text = js_str(value);
    if (*text == NULL && js_type(value) != JS_ABSENT && js_type(value) != JS_NULL) {
        return ps_fail(err, PS_EINVAL, "%s.%s: expected a string, got %s", entry->where, key,
                       js_type_name(value));
    }
    if (*text != NULL && **text == '\0')
        *text = NULL;
    return 0;
}

static int find(const struct json_t *root, const char *list_key, const char *name, const char *key,
                struct entry *found, struct ps_err *err)
{
    const struct json_t *list = js_get(root, list_key);
    PS_AUTO_BUF(where, WHERE_MAX - 1);

    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *item = js_at(list, i);

        if (!ps_streq(js_str(js_get(item, "name")), name))
            continue;
        ps_buf_printf(&where, "%s[%.200s].%s", list_key, name, key);
        memcpy(found->where, ps_buf_text(&where), where.n + 1);
        found->object = js_get(item, key);
        if (js_type(found->object) != JS_OBJECT) {
            return ps_fail(err, PS_EINVAL, "%s: expected an object, got %s", found->where,
                           js_type_name(found->object));
        }
        return 0;
    }
    return ps_fail(err, PS_EINVAL, "%s: no entry named \"%.200s\"", list_key, name);
}

static int refuse_unsupported(const struct entry *entry, const char *const *keys, size_t n,
                              struct ps_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct json_t *value = js_get(entry->object, keys[i]);
        const enum js_type type = js_type(value);
        const bool is_empty = type == JS_ABSENT || type == JS_NULL ||
                              (type == JS_BOOL && !js_is_true(value)) ||
                              (type == JS_STRING && *js_str(value) == '\0');

        if (!is_empty)
            return refuse(err, entry, keys[i], "not supported");
    }
    return 0;
}

/* ---- certificates and keys ------------------------------------------------------------------ */

static int decode(const struct entry *entry, const char *key, const char *data, struct ps_buf *pem,
                  struct ps_err *err)
{
    /* The decoder's own words could quote a key. */
    if (codec_base64_decode(ps_str(data), pem, NULL) != 0)
        return refuse(err, entry, key, "not base64");
    if (pem->n > 0 && memchr(pem->p, '\0', pem->n) != NULL)
        return refuse(err, entry, key, "holds a NUL byte");
    return 0;
}

static char *resolve(const char *dir, const char *path)
{
    PS_AUTO_BUF(whole, WHERE_MAX * 8);
    if (path[0] == '/')
        return ps_xstrdup(path);
    ps_buf_printf(&whole, "%s/%s", dir, path);
    return ps_buf_take(&whole);
}

static int read_file_of(const struct entry *entry, const char *key, const char *dir,
                        const char *path, struct ps_buf *pem, struct ps_err *err)
{
    PS_AUTO_FREE char *whole = resolve(dir, path);

    if (kube__read_file(pem, whole, err) != 0)
        return ps_fail_prefix(err, "%s.%s", entry->where, key);
    return 0;
}

/* The PEM text under `key` (a path) or `key`-data (base64); *pem stays NULL when neither is given.
 */
static int get_pem(const struct entry *entry, const char *key, const char *dir, char **pem,
                   struct ps_err *err)
{
    const char *path = NULL;
    const char *data = NULL;
    int code;
    PS_AUTO_BUF(data_key, WHERE_MAX);
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX);

    ps_buf_printf(&data_key, "%s-data", key);
    if (get_text(entry, key, &path, err) != 0 ||
        get_text(entry, ps_buf_text(&data_key), &data, err) != 0)
        return PS_EINVAL;
    if (path != NULL && data != NULL)
        return refuse(err, entry, key, "given twice: as a file and as data");
    if (path == NULL && data == NULL)
        return 0;
    if (data != NULL) {
        code = decode(entry, ps_buf_text(&data_key), data, &text, err);
    } else {
        code = read_file_of(entry, key, dir, path, &text, err);
    }
    if (code == 0 && ps_str_find(ps_buf_get(&text), "-----BEGIN ") < 0)
        code = refuse(err, entry, data ? ps_buf_text(&data_key) : key, "no PEM block in it");
    if (code == 0) {
        *pem = ps_buf_take(&text);
    } else {
        ps_wipe(text.p, text.n);
    }
    return code;
}

/* ---- cluster and user ----------------------------------------------------------------------- */

static int take_cluster(struct kube_config *config, const struct entry *cluster, const char *dir,
                        struct ps_err *err)
{
    static const char *const unsupported[] = {"insecure-skip-tls-verify", "proxy-url",
                                              "tls-server-name"};
    const char *server = NULL;

    if (refuse_unsupported(cluster, unsupported, PS_ARRAY_LEN(unsupported), err) != 0 ||
        get_text(cluster, "server", &server, err) != 0)
        return PS_EINVAL;
    if (server == NULL)
        return refuse(err, cluster, "server", "missing");
    if (http_url_check(server, err) != 0)
        return ps_fail_prefix(err, "%s.server", cluster->where);
    if (strpbrk(server, "?#") != NULL)
        return refuse(err, cluster, "server", "a URL without query and fragment is expected");
    size_t n = strlen(server);

    while (server[n - 1] == '/')
        n--;
    config->server = ps_xstrndup(server, n);
    return get_pem(cluster, "certificate-authority", dir, &config->ca_pem, err);
}

static int take_token(struct kube_config *config, const struct entry *user, const char *dir,
                      struct ps_err *err)
{
    const char *token = NULL;
    const char *path = NULL;

    if (get_text(user, "token", &token, err) != 0 || get_text(user, "tokenFile", &path, err) != 0)
        return PS_EINVAL;
    if (path == NULL) {
        config->token = token ? ps_xstrdup(token) : NULL;
        return 0;
    }
    /* The file wins; the token beside it is only for as long as the file cannot be read. */
    config->token_file = resolve(dir, path);
    config->token = kube__read_token(config->token_file, err);
    if (config->token == NULL && token != NULL)
        config->token = ps_xstrdup(token);
    return config->token != NULL ? 0 : ps_fail_prefix(err, "%s.tokenFile", user->where);
}

static int take_user(struct kube_config *config, const struct entry *user, const char *dir,
                     struct ps_err *err)
{
    static const char *const unsupported[] = {
        "exec", "auth-provider", "username",  "password",
        "as",   "as-uid",        "as-groups", "as-user-extra"};

    if (refuse_unsupported(user, unsupported, PS_ARRAY_LEN(unsupported), err) != 0)
        return PS_EINVAL;
    int code = get_pem(user, "client-certificate", dir, &config->client_cert_pem, err);

    if (code == 0)
        code = get_pem(user, "client-key", dir, &config->client_key_pem, err);
    if (code == 0 && config->client_cert_pem != NULL && config->client_key_pem == NULL)
        code = refuse(err, user, "client-key", "missing beside client-certificate");
    if (code == 0 && config->client_cert_pem == NULL && config->client_key_pem != NULL)
        code = refuse(err, user, "client-certificate", "missing beside client-key");
    return code == 0 ? take_token(config, user, dir, err) : code;
}

static int take_context(struct kube_config *config, const struct json_t *root, const char *dir,
                        const char *name, struct ps_err *err)
{
    struct entry context = {0};
    struct entry cluster = {0};
    struct entry user = {0};
    const char *cluster_name = NULL;
    const char *user_name = NULL;
    const char *namespace = NULL;
    int code = find(root, "contexts", name, "context", &context, err);

    if (code != 0 || (code = get_text(&context, "cluster", &cluster_name, err)) != 0 ||
        (code = get_text(&context, "user", &user_name, err)) != 0 ||
        (code = get_text(&context, "namespace", &namespace, err)) != 0)
        return code;
    if (cluster_name == NULL)
        return refuse(err, &context, "cluster", "missing");
    config->namespace = namespace ? ps_xstrdup(namespace) : NULL;
    code = find(root, "clusters", cluster_name, "cluster", &cluster, err);
    if (code == 0)
        code = take_cluster(config, &cluster, dir, err);
    if (code == 0 && user_name != NULL)
        code = find(root, "users", user_name, "user", &user, err);
    if (code == 0 && user_name != NULL)
        code = take_user(config, &user, dir, err);
    if (code == 0 && ps_str_starts(ps_str(config->server), "http://") &&
        (config->token != NULL || config->client_key_pem != NULL))
        code = refuse(err, &cluster, "server", "credentials are sent over https only");
    return code;
}

int kube_config_parse(struct kube_config *config, struct ps_str text, const char *dir,
                      const char *context, struct ps_err *err)
{
    *config = (struct kube_config){0};
    PS_AUTO_JS struct json_t *root = codec_yaml_parse(text, err);

    if (root == NULL)
        return err != NULL ? err->code : PS_EINVAL;
    if (js_type(root) != JS_OBJECT) {
        return ps_fail(err, PS_EINVAL, "kubeconfig: expected an object, got %s",
                       js_type_name(root));
    }
    if (context == NULL || context[0] == '\0')
        context = js_path_str(root, "current-context");
    if (context == NULL || context[0] == '\0')
        return ps_fail(err, PS_EINVAL, "current-context: not set, and no context was asked for");
    const int code = take_context(config, root, dir, context, err);

    if (code != 0)
        kube_config_fini(config);
    return code;
}
