/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API server is and who we are: from inside a cluster, or from a kubeconfig file. */
#include "internal.h"

#include <string.h>

#define PATH_MAX_BYTES ((size_t)4096)
#define PORT_MAX       65535

void kube_config_fini(struct kube_config *config)
{
    ps_free(config->server);
    ps_free(config->namespace);
    ps_free(config->ca_pem);
    ps_free(config->client_cert_pem);
    kube__wipe_text(config->client_key_pem);
    kube__wipe_text(config->token);
    ps_free(config->token_file);
    ps_free(config->ca_file);
    ps_free(config->client_cert_file);
    ps_free(config->client_key_file);
    ps_free(config->tls_server_name);
    kube__wipe_text(config->proxy_url);
    for (size_t i = 0; i < config->header_count; i++) {
        ps_free(config->headers[i].name);
        ps_free(config->headers[i].value);
    }
    ps_free(config->headers);
    js_unref(config->exec);
    *config = (struct kube_config){0};
}

static char *path_in(const char *dir, const char *name)
{
    PS_AUTO_BUF(path, PATH_MAX_BYTES);
    ps_buf_printf(&path, "%s/%s", dir, name);
    return ps_buf_take(&path);
}

static int read_service_account(struct kube_config *config, const char *dir, struct ps_err *err)
{
    PS_AUTO_FREE char *namespace_path = path_in(dir, "namespace");
    struct ps_err absent;
    PS_AUTO_BUF(ca, KUBE_CONFIG_MAX);
    PS_AUTO_BUF(namespace, KUBE__TOKEN_MAX);

    config->ca_file = path_in(dir, "ca.crt");
    config->token_file = path_in(dir, "token");
    config->token = kube__read_token(config->token_file, err);
    if (config->token == NULL)
        return err != NULL ? err->code : PS_EINVAL;
    if (kube__read_file(&ca, config->ca_file, &absent) == 0) {
        config->ca_pem = ps_buf_take(&ca);
    } else { /* the system's roots may do */
        ps_log(PS_LOG_WARN, "service_account_ca_unreadable", "error", absent.message, NULL);
    }
    if (kube__read_file(&namespace, namespace_path, &absent) == 0) {
        const struct ps_str text = ps_str_trim(ps_buf_get(&namespace));

        if (text.n > 0)
            config->namespace = ps_xstrndup(text.p, text.n);
    }
    return 0;
}

int kube_config_in_cluster(struct kube_config *config, const char *host, const char *port,
                           const char *dir, struct ps_err *err)
{
    int64_t number;

    *config = (struct kube_config){0};
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
        return ps_fail(
            err, PS_ENOENT,
            "not in a cluster: KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set");
    }
    if (!ps_str_to_i64(ps_str(port), &number) || number < 1 || number > PORT_MAX)
        return ps_fail(err, PS_EINVAL, "KUBERNETES_SERVICE_PORT: expected a port number");
    PS_AUTO_BUF(server, KUBE__URL_MAX);
    const bool is_v6 = strchr(host, ':') != NULL && host[0] != '[';

    ps_buf_printf(&server, is_v6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
    if (http_url_check(ps_buf_text(&server), err) != 0)
        return ps_fail_prefix(err, "KUBERNETES_SERVICE_HOST");
    config->server = ps_buf_take(&server);
    const int code = read_service_account(config, dir, err);

    if (code != 0)
        kube_config_fini(config);
    return code;
}

static int add_file(struct json_t *whole, const char *path, struct ps_err *err)
{
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX);
    int code = kube__read_file(&text, path, err);

    if (code != 0)
        return code;
    const char *slash = strrchr(path, '/');
    PS_AUTO_FREE char *dir =
        slash != NULL ? ps_xstrndup(path, (size_t)(slash - path) + 1) : ps_xstrdup(".");

    code = kube__config_add(whole, ps_buf_get(&text), dir, err);
    ps_wipe(text.p, text.n);
    return code == 0 ? 0 : ps_fail_prefix(err, "%s", path);
}

int kube_config_load(struct kube_config *config, const char *path, const char *context,
                     struct ps_err *err)
{
    PS_AUTO_JS struct json_t *whole = js_object();
    const int code = add_file(whole, path, err);

    *config = (struct kube_config){0};
    if (code != 0)
        return code;
    if (kube__config_take(config, whole, context, KUBE_CONFIG_OWN, err) != 0)
        return ps_fail_prefix(err, "%s", path);
    return 0;
}

int kube_config_load_list(struct kube_config *config, const char *paths, const char *context,
                          struct ps_err *err)
{
    struct ps_str rest = ps_str(paths);
    struct ps_str part;
    size_t found = 0;
    PS_AUTO_JS struct json_t *whole = js_object();

    *config = (struct kube_config){0};
    while (ps_str_split(&rest, ':', &part)) {
        PS_AUTO_FREE char *path = ps_xstrndup(part.p, part.n);
        const int code = part.n > 0 ? add_file(whole, path, err) : PS_ENOENT;

        if (code != 0 && code != PS_ENOENT)
            return code;
        found += code == 0 ? 1 : 0;
    }
    if (found == 0)
        return ps_fail(err, PS_ENOENT, "%s: none of these files is there", paths);
    if (kube__config_take(config, whole, context, KUBE_CONFIG_OWN, err) != 0)
        return ps_fail_prefix(err, "%s", paths);
    return 0;
}
