/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are and whom we trust, kept up to date: files are read again, a program is asked again.
 * New certificates mean new connections: the old pools end with their last exchange. */
#include "internal.h"

#include <string.h>

/* Each watch holds a connection; more kinds and namespaces than this are not watched. */
#define WATCH_CONNECTIONS 256L
/* kubelet renews a token long before it ends; client-go reads it again as often. Certificates go
 * with it. */
#define FILE_AGE_MAX_MS   50000

bool kube__is_token(const char *text)
{
    return http_is_field_value(text) && strchr(text, ' ') == NULL && strchr(text, '\t') == NULL;
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void open_pools(struct kube_client *client)
{
    const struct kube_config *config = &client->config;
    struct http_client_options options = {
        .ca_pem = ps_str(config->ca_pem),
        .client_cert_pem = ps_str(config->client_cert_pem),
        .client_key_pem = ps_str(config->client_key_pem),
        .user_agent = client->user_agent,
        .tls_server_name = config->tls_server_name,
        .proxy = config->proxy_url,
        .insecure = config->insecure,
    };

    options.max_connections = KUBE__REQUEST_CONNECTIONS;
    client->pools[KUBE__REQUESTS] = http_client_new(client->loop, &options);
    options.max_connections = WATCH_CONNECTIONS;
    client->pools[KUBE__WATCHES] = http_client_new(client->loop, &options);
}

static void renew_pools(struct kube_client *client, const char *why)
{
    ps_log(PS_LOG_INFO, "certificates_changed", "server", client->config.server, "what", why, NULL);
    for (size_t i = 0; i < KUBE__POOLS; i++)
        http_client_retire(client->pools[i]);
    open_pools(client);
}

/* ---- certificates --------------------------------------------------------------------------- */

/* The file's text when it differs from what is known, or NULL. */
static char *changed_text(const char *path, const char *known)
{
    struct ps_err err;
    PS_AUTO_BUF(text, KUBE_CONFIG_MAX);

    if (path == NULL)
        return NULL;
    if (kube__read_file(&text, path, &err) != 0) { /* what we have may be good for a while */
        if (known != NULL || err.code != PS_ENOENT)
            ps_log(PS_LOG_WARN, "certificate_file_unreadable", "error", err.message, NULL);
        return NULL;
    }
    if (ps_streq(ps_buf_text(&text), known)) {
        ps_wipe(text.p, text.n);
        return NULL;
    }
    return ps_buf_take(&text);
}

static void replace(char **text, char *with)
{
    kube__wipe_text(*text);
    *text = with;
}

static void tell_unusable(const char *path, const struct ps_err *err)
{
    ps_log(PS_LOG_WARN, "certificate_file_unusable", "file", path, "error", err->message, NULL);
}

static bool reread_ca(struct kube_config *config)
{
    struct ps_err err = {0};
    char *ca = changed_text(config->ca_file, config->ca_pem);

    if (ca == NULL)
        return false;
    if (ca[0] == '\0') {
        (void)ps_fail(&err, PS_EINVAL, "authority: empty");
    } else if (http_tls_check(ps_str(ca), ps_str(NULL), ps_str(NULL), &err) == 0) {
        replace(&config->ca_pem, ca);
        return true;
    }
    tell_unusable(config->ca_file, &err);
    ps_free(ca);
    return false;
}

/* Both or none: one may have been replaced and the other not yet. */
static bool reread_client_pair(struct kube_config *config)
{
    struct ps_err err = {0};
    char *cert = changed_text(config->client_cert_file, config->client_cert_pem);
    char *key = changed_text(config->client_key_file, config->client_key_pem);

    if (cert == NULL && key == NULL)
        return false;
    if (http_tls_check(ps_str(NULL), ps_str(cert ? cert : config->client_cert_pem),
                       ps_str(key ? key : config->client_key_pem), &err) == 0) {
        if (cert != NULL)
            replace(&config->client_cert_pem, cert);
        if (key != NULL)
            replace(&config->client_key_pem, key);
        return true;
    }
    tell_unusable(cert != NULL ? config->client_cert_file : config->client_key_file, &err);
    ps_free(cert);
    kube__wipe_text(key);
    return false;
}

bool kube__auth_reread_tls(struct kube_client *client)
{
    struct kube_config *config = &client->config;

    client->tls_read_ms = loop_now_ms();
    const bool ca = reread_ca(config);
    const bool pair = reread_client_pair(config);

    if (ca || pair)
        renew_pools(client, ca ? "authority" : "client certificate");
    return ca || pair;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void reread_token(struct kube_client *client)
{
    struct kube_config *config = &client->config;
    struct ps_err err;
    char *token = kube__read_token(config->token_file, &err);

    client->token_read_ms = loop_now_ms();
    if (token == NULL) { /* the old one may be good for a while */
        ps_log(PS_LOG_WARN, "token_file_unreadable", "error", err.message, NULL);
        return;
    }
    replace(&config->token, token);
}

/* ---- the program ---------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
    return text != NULL ? ps_xstrdup(text) : NULL;
}

static void on_plugin(void *self)
{
    struct kube_client *client = self;
    struct kube_config *config = &client->config;
    const struct kube__credential *new = kube__plugin_credential(client->plugin);
    const bool changed = !ps_streq(new->cert_pem, config->client_cert_pem) ||
                         !ps_streq(new->key_pem, config->client_key_pem);

    replace(&config->token, copy_of(new->token));
    if (changed) {
        replace(&config->client_cert_pem, copy_of(new->cert_pem));
        replace(&config->client_key_pem, copy_of(new->key_pem));
        renew_pools(client, "client certificate");
    }
    kube__exchange_wake(client);
}

/* ---- for exchanges -------------------------------------------------------------------------- */

enum kube__ready kube__auth_ready(struct kube_client *client, struct ps_err *err)
{
    const struct kube_config *config = &client->config;
    const int64_t now = loop_now_ms();

    if (config->token_file != NULL && now - client->token_read_ms >= FILE_AGE_MAX_MS)
        reread_token(client);
    if (now - client->tls_read_ms >= FILE_AGE_MAX_MS)
        (void)kube__auth_reread_tls(client);
    return client->plugin != NULL ? kube__plugin_ready(client->plugin, err) : KUBE__READY;
}

const char *kube__auth_token(const struct kube_client *client)
{
    return client->config.token;
}

uint64_t kube__auth_number(const struct kube_client *client)
{
    return client->plugin != NULL ? kube__plugin_number(client->plugin) : 0;
}

bool kube__auth_refused(struct kube_client *client, uint64_t number)
{
    if (client->plugin != NULL)
        return kube__plugin_refused(client->plugin, number);
    if (client->config.token_file == NULL)
        return false;
    reread_token(client);
    return true;
}

void kube__auth_accepted(struct kube_client *client, uint64_t number)
{
    if (client->plugin != NULL)
        kube__plugin_accepted(client->plugin, number);
}

static void copy_headers(struct kube_config *copy, const struct kube_config *config)
{
    copy->headers = ps_xcalloc(config->header_count + 1, sizeof(*copy->headers));
    copy->header_count = config->header_count;
    for (size_t i = 0; i < config->header_count; i++) {
        copy->headers[i].name = ps_xstrdup(config->headers[i].name);
        copy->headers[i].value = ps_xstrdup(config->headers[i].value);
    }
}

void kube__auth_init(struct kube_client *client, const struct kube_config *config)
{
    client->config = (struct kube_config){
        .server = ps_xstrdup(config->server),
        .ca_pem = copy_of(config->ca_pem),
        .client_cert_pem = copy_of(config->client_cert_pem),
        .client_key_pem = copy_of(config->client_key_pem),
        .ca_file = copy_of(config->ca_file),
        .client_cert_file = copy_of(config->client_cert_file),
        .client_key_file = copy_of(config->client_key_file),
        .token = copy_of(config->token),
        .token_file = copy_of(config->token_file),
        .tls_server_name = copy_of(config->tls_server_name),
        .proxy_url = copy_of(config->proxy_url),
        .insecure = config->insecure,
    };
    copy_headers(&client->config, config);
    client->tls_read_ms = loop_now_ms();
    client->token_read_ms =
        config->token != NULL ? client->tls_read_ms : client->tls_read_ms - FILE_AGE_MAX_MS;
    if (config->exec != NULL)
        client->plugin = kube__plugin_new(client->loop, config, on_plugin, client);
    if (config->insecure) {
        ps_log(PS_LOG_ERROR, "tls_not_verified", "server", config->server, "what",
               "insecure-skip-tls-verify: anybody on the way can read the credential, and answer",
               NULL);
    }
    open_pools(client);
}

void kube__auth_fini(struct kube_client *client)
{
    ps_assert(client->exchanges == NULL);
    kube__plugin_free(client->plugin);
    for (size_t i = 0; i < KUBE__POOLS; i++)
        http_client_free(client->pools[i]);
    kube_config_fini(&client->config);
}

const char *kube_client_trouble(const struct kube_client *client)
{
    return client->plugin != NULL ? kube__plugin_trouble(client->plugin) : NULL;
}
