/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfig texts: how several make one, its context's cluster and user. What is not supported is
 * refused by its name. */
#include "kubeconfig.h"

#include <string.h>

int kube__entry_refuse(const struct kube__entry *entry, const char *key, const char *why,
                       struct ps_err *err)
{
    return ps_fail(err, PS_EINVAL, "%s.%s: %s", entry->where, key, why);
}

int kube__entry_text(const struct kube__entry *entry, const char *key, const char **text,
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

/* What somebody else has written is not repeated, names included. */
static void name_entry(struct kube__entry *entry, const char *list_key, size_t i, const char *name,
                       const char *key)
{
    PS_AUTO_BUF(where, KUBE__WHERE_MAX - 1);

    if (entry->trust == KUBE_CONFIG_OWN) {
        ps_buf_printf(&where, "%s[%.200s].%s", list_key, name, key);
    } else {
        ps_buf_printf(&where, "%s[%zu].%s", list_key, i, key);
    }
    memcpy(entry->where, ps_buf_text(&where), where.n + 1);
}

static int tell_missing(const struct kube__entry *entry, const char *list_key, const char *name,
                        struct ps_err *err)
{
    if (entry->trust == KUBE_CONFIG_OWN)
        return ps_fail(err, PS_EINVAL, "%s: no entry named \"%.200s\"", list_key, name);
    return ps_fail(err, PS_EINVAL,
                   "%s: no entry has the name that current-context, or its context, asks for",
                   list_key);
}

static int find(const struct json_t *root, const char *list_key, const char *name, const char *key,
                struct kube__entry *found, struct ps_err *err)
{
    const struct json_t *list = js_get(root, list_key);

    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *item = js_at(list, i);

        if (!ps_streq(js_str(js_get(item, "name")), name))
            continue;
        name_entry(found, list_key, i, name, key);
        found->object = js_get(item, key);
        found->dir = js_str(js_get(item, "dir"));
        if (js_type(found->object) != JS_OBJECT) {
            return ps_fail(err, PS_EINVAL, "%s: expected an object, got %s", found->where,
                           js_type_name(found->object));
        }
        return 0;
    }
    return tell_missing(found, list_key, name, err);
}

int kube__entry_bool(const struct kube__entry *entry, const char *key, bool *value,
                     struct ps_err *err)
{
    const struct json_t *given = js_get(entry->object, key);
    const enum js_type type = js_type(given);

    *value = js_is_true(given);
    if (type == JS_ABSENT || type == JS_NULL || type == JS_BOOL)
        return 0;
    return ps_fail(err, PS_EINVAL, "%s.%s: expected true or false, got %s", entry->where, key,
                   js_type_name(given));
}

int kube__entry_refuse_keys(const struct kube__entry *entry, const char *const *keys, size_t n,
                            struct ps_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct json_t *value = js_get(entry->object, keys[i]);
        const enum js_type type = js_type(value);
        const bool is_empty = type == JS_ABSENT || type == JS_NULL ||
                              (type == JS_BOOL && !js_is_true(value)) ||
                              (type == JS_STRING && *js_str(value) == '\0');

        if (!is_empty)
            return kube__entry_refuse(entry, keys[i], "not supported", err);
    }
    return 0;
}

/* ---- certificates and keys ------------------------------------------------------------------ */

static int decode(const struct kube__entry *entry, const char *key, const char *data,
                  struct ps_buf *pem, struct ps_err *err)
{
    /* The decoder's own words could quote a key. */
    if (codec_base64_decode(ps_str(data), pem, NULL) != 0)
        return kube__entry_refuse(entry, key, "not base64", err);
    if (pem->n > 0 && memchr(pem->p, '\0', pem->n) != NULL)
        return kube__entry_refuse(entry, key, "holds a NUL byte", err);
    return 0;
}

char *kube__resolve(const char *dir, const char *path)
{
    PS_AUTO_BUF(whole, KUBE__WHERE_MAX * 8);
    if (path[0] == '/')
        return ps_xstrdup(path);
    ps_buf_printf(&whole, "%s/%s", dir, path);
    return ps_buf_take(&whole);
}

static int read_file_of(const struct kube__entry *entry, const char *key, const char *path,
                        struct ps_buf *pem, struct ps_err *err)
{
    if (kube__read_file(pem, path, err) != 0)
        return ps_fail_prefix(err, "%s.%s", entry->where, key);
    return 0;
}

static int read_pem(const struct kube__entry *entry, const char *key, const char *path,
                    const char *data, struct ps_buf *text, struct ps_err *err)
{
    int code = data != NULL ? decode(entry, key, data, text, err)
                            : read_file_of(entry, key, path, text, err);

    if (code == 0 && ps_str_find(ps_buf_get(text), "-----BEGIN ") < 0)
        code = kube__entry_refuse(entry, key, "no PEM block in it", err);
    return code;
}

int kube__entry_pem(const struct kube__entry *entry, const char *key, char **pem, char **file,
                    struct ps_err *err)
{
    const char *path = NULL;
    const char *data = NULL;
    PS_AUTO_BUF(data_key, KUBE__WHERE_MAX);
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX);

    ps_buf_printf(&data_key, "%s-data", key);
    if (kube__entry_text(entry, key, &path, err) != 0 ||
        kube__entry_text(entry, ps_buf_text(&data_key), &data, err) != 0)
        return PS_EINVAL;
    if (path != NULL && data != NULL)
        return kube__entry_refuse(entry, key, "given twice: as a file and as data", err);
    if (path == NULL && data == NULL)
        return 0;
    if (path != NULL && entry->trust != KUBE_CONFIG_OWN) {
        return ps_fail(err, PS_EINVAL, "%s.%s: files are refused here: give %s", entry->where, key,
                       ps_buf_text(&data_key));
    }
    *file = path != NULL ? kube__resolve(entry->dir, path) : NULL;
    const int code = read_pem(entry, data ? ps_buf_text(&data_key) : key, *file, data, &text, err);

    if (code == 0) {
        *pem = ps_buf_take(&text);
    } else {
        ps_wipe(text.p, text.n);
    }
    return code;
}

/* ---- the cluster ---------------------------------------------------------------------------- */

static int take_server(struct kube_config *config, const struct kube__entry *cluster,
                       struct ps_err *err)
{
    const char *server = NULL;

    if (kube__entry_text(cluster, "server", &server, err) != 0)
        return PS_EINVAL;
    if (server == NULL)
        return kube__entry_refuse(cluster, "server", "missing", err);
    if (http_url_check(server, err) != 0)
        return ps_fail_prefix(err, "%s.server", cluster->where);
    if (strpbrk(server, "?#") != NULL) {
        return kube__entry_refuse(cluster, "server", "a URL without query and fragment is expected",
                                  err);
    }
    if (cluster->trust != KUBE_CONFIG_OWN && !ps_str_starts(ps_str(server), "https://"))
        return kube__entry_refuse(cluster, "server", "expected https://", err);
    size_t n = strlen(server);

    while (server[n - 1] == '/')
        n--;
    config->server = ps_xstrndup(server, n);
    return 0;
}

static int take_proxy(struct kube_config *config, const struct kube__entry *cluster,
                      struct ps_err *err)
{
    const char *proxy = NULL;

    if (kube__entry_text(cluster, "proxy-url", &proxy, err) != 0)
        return PS_EINVAL;
    if (proxy == NULL)
        return 0;
    if (http_proxy_check(proxy, err) != 0)
        return ps_fail_prefix(err, "%s.proxy-url", cluster->where);
    config->proxy_url = ps_xstrdup(proxy);
    return 0;
}

static int take_verification(struct kube_config *config, const struct kube__entry *cluster,
                             struct ps_err *err)
{
    static const char insecure[] = "insecure-skip-tls-verify";
    const char *name = NULL;

    if (kube__entry_bool(cluster, insecure, &config->insecure, err) != 0 ||
        kube__entry_text(cluster, "tls-server-name", &name, err) != 0)
        return PS_EINVAL;
    if (config->insecure && cluster->trust == KUBE_CONFIG_UNTRUSTED) {
        return kube__entry_refuse(cluster, insecure,
                                  "refused here: give the authority, or start the operator with "
                                  "--allow-skip-verify",
                                  err);
    }
    if (config->insecure && config->ca_pem != NULL) {
        return kube__entry_refuse(cluster, insecure,
                                  "given beside an authority, which would have no effect", err);
    }
    config->tls_server_name = name ? ps_xstrdup(name) : NULL;
    return 0;
}

static int take_cluster(struct kube_config *config, const struct kube__entry *cluster,
                        struct ps_err *err)
{
    int code = take_server(config, cluster, err);

    if (code == 0)
        code = take_proxy(config, cluster, err);
    if (code == 0) {
        code = kube__entry_pem(cluster, "certificate-authority", &config->ca_pem, &config->ca_file,
                               err);
    }
    return code == 0 ? take_verification(config, cluster, err) : code;
}

/* ---- the context ---------------------------------------------------------------------------- */

static bool has_credential(const struct kube_config *config)
{
    return config->token != NULL || config->client_key_pem != NULL || config->exec != NULL;
}

static int take_context(struct kube_config *config, const struct json_t *root, const char *name,
                        enum kube_config_trust trust, struct ps_err *err)
{
    struct kube__entry context = {.trust = trust};
    struct kube__entry cluster = {.trust = trust};
    struct kube__entry user = {.trust = trust};
    const char *cluster_name = NULL;
    const char *user_name = NULL;
    const char *namespace = NULL;
    int code = find(root, "contexts", name, "context", &context, err);

    if (code != 0 || (code = kube__entry_text(&context, "cluster", &cluster_name, err)) != 0 ||
        (code = kube__entry_text(&context, "user", &user_name, err)) != 0 ||
        (code = kube__entry_text(&context, "namespace", &namespace, err)) != 0)
        return code;
    if (cluster_name == NULL)
        return kube__entry_refuse(&context, "cluster", "missing", err);
    config->namespace = namespace ? ps_xstrdup(namespace) : NULL;
    code = find(root, "clusters", cluster_name, "cluster", &cluster, err);
    if (code == 0)
        code = take_cluster(config, &cluster, err);
    if (code == 0 && user_name != NULL)
        code = find(root, "users", user_name, "user", &user, err);
    if (code == 0 && user_name != NULL)
        code = kube__take_user(config, &user, err);
    if (code == 0 && user_name != NULL)
        code = kube__take_exec(config, &user, &cluster, err);
    if (code == 0 && ps_str_starts(ps_str(config->server), "http://") && has_credential(config))
        code = kube__entry_refuse(&cluster, "server", "credentials are sent over https only", err);
    return code;
}

/* ---- whole ---------------------------------------------------------------------------------- */

/* Where an entry is from stands in it as `dir`. */
static void append_entries(struct json_t *list, const struct json_t *from, const char *dir)
{
    if (js_type(from) != JS_ARRAY)
        return;
    for (size_t i = 0; i < js_len(from); i++) {
        struct json_t *item = js_at(from, i);

        if (js_type(item) == JS_OBJECT) {
            js_set_str(item, "dir", dir);
            js_push(list, js_ref(item));
        }
    }
}

/* The first file that has an entry, or a current-context, wins: so entries are only ever added
 * behind, and the first is found. */
static void append(struct json_t *whole, const struct json_t *root, const char *dir)
{
    static const char *const lists[] = {"clusters", "contexts", "users"};
    const char *context = js_path_str(root, "current-context");

    for (size_t i = 0; i < PS_ARRAY_LEN(lists); i++) {
        if (js_get(whole, lists[i]) == NULL)
            js_set(whole, lists[i], js_array());
        append_entries(js_get(whole, lists[i]), js_get(root, lists[i]), dir);
    }
    if (context != NULL && context[0] != '\0' && js_get(whole, "current-context") == NULL)
        js_set_str(whole, "current-context", context);
}

int kube__config_add(struct json_t *whole, struct ps_str text, const char *dir, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *root = codec_yaml_parse(text, err);

    if (root == NULL)
        return err->code;
    if (js_type(root) == JS_NULL) /* an empty file */
        return 0;
    if (js_type(root) != JS_OBJECT) {
        return ps_fail(err, PS_EINVAL, "kubeconfig: expected an object, got %s",
                       js_type_name(root));
    }
    append(whole, root, dir);
    return 0;
}

int kube__config_take(struct kube_config *config, const struct json_t *whole, const char *context,
                      enum kube_config_trust trust, struct ps_err *err)
{
    *config = (struct kube_config){0};
    if (context == NULL || context[0] == '\0')
        context = js_path_str(whole, "current-context");
    if (context == NULL || context[0] == '\0')
        return ps_fail(err, PS_EINVAL, "current-context: not set, and no context was asked for");
    const int code = take_context(config, whole, context, trust, err);

    if (code != 0)
        kube_config_fini(config);
    return code;
}

int kube_config_parse(struct kube_config *config, struct ps_str text, const char *dir,
                      const char *context, enum kube_config_trust trust, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *whole = js_object();
    const int code = kube__config_add(whole, text, dir, err);

    *config = (struct kube_config){0};
    return code == 0 ? kube__config_take(config, whole, context, trust, err) : code;
}
