/* SPDX-License-Identifier: Apache-2.0 */
/* The API's root: where UAA is, and which server this is. What it says is believed as far as the
 * account goes: a root that leads elsewhere would be sent the password. */
#include "internal.h"

#include <string.h>

#define ROOT_MAX   ((size_t)256 * 1024)
/* An endpoint that is not there makes the root read again, but not for each request that asks for
 * it: some servers have never had it. */
#define SUSPECT_MS ((int64_t)600 * 1000)

static const char *href(const struct json_t *root, const char *link)
{
    return js_path_str(js_get(js_get(root, "links"), link), "href");
}

/* Without the slashes at its end, or NULL. */
static char *base_of(const char *url)
{
    struct ps_str text = ps_str(url);

    while (text.n > 0 && text.p[text.n - 1] == '/')
        text.n--;
    return ps_xstrndup(text.p, text.n);
}

/* Both names lead to the same UAA; either may be null. */
static int take_uaa(struct cf_client *client, const struct json_t *root, struct ps_err *err)
{
    struct cf__discovery *discovery = &client->discovery;
    const char *uaa = href(root, "uaa") != NULL ? href(root, "uaa") : href(root, "login");
    struct cf__url parts;

    if (uaa != NULL && cf__url_split(uaa, &parts, err) != 0)
        return ps_fail_prefix(err, "links.uaa");
    /* A server that names itself logs in by other means. */
    if (uaa == NULL || (parts.path.n <= 1 && cf__same_origin(uaa, client->config.api))) {
        return ps_fail(err, PS_EINVAL,
                       "the foundation has no UAA (links.uaa, links.login): only foundations with "
                       "one can be used");
    }
    if (strlen(uaa) > CF_URL_MAX || ps_str_index(parts.path, '?') >= 0 ||
        ps_str_index(parts.path, '#') >= 0)
        return ps_fail(err, PS_EPROTO, "links.uaa: expected a URL without a query");
    if (!cf__host_allowed(&client->config, uaa)) {
        return ps_fail(
            err, PS_EDENIED,
            "links.uaa: UAA is said to be on host %.*s, which is not near the API's: "
            "nothing was sent there. If it is right, put it into allowedHosts of the "
            "account's Secret",
            PS_STR_ARG(ps_str_head(parts.host, parts.host.n < 253 ? parts.host.n : 253)));
    }
    ps_free(discovery->uaa);
    discovery->uaa = base_of(uaa);
    return 0;
}

static void take_version(struct cf_root *root, const struct json_t *tree)
{
    const char *version = js_path_str(
        js_get(js_get(js_get(tree, "links"), "cloud_controller_v3"), "meta"), "version");
    PS_AUTO_BUF(text, CF_VERSION_MAX);

    cf__quote(&text, ps_str(version), CF_VERSION_MAX - 1);
    memcpy(root->version, ps_buf_text(&text), text.n + 1);
    root->korifi = ps_str_ends(ps_buf_get(&text), "+cf-k8s");
}

static int take_root(struct cf_client *client, const struct http_response *response,
                     struct ps_err *err)
{
    if (response->err.code != 0 || response->status != 200) {
        struct cf__error ignored;
        PS_AUTO_JS struct json_t *tree = NULL;

        cf__error_of(response, err, &ignored, &tree);
        return err->code;
    }
    PS_AUTO_JS struct json_t *root = js_parse_lenient(response->body, err);

    if (root == NULL || js_type(js_get(root, "links")) != JS_OBJECT)
        return ps_fail(err, PS_EPROTO, "expected JSON with links, as a Cloud Controller has it");
    const int code = take_uaa(client, root, err);

    if (code == 0)
        take_version(&client->discovery.root, root);
    return code;
}

static void on_root(void *self, const struct http_response *response)
{
    struct cf_client *client = self;
    struct cf__discovery *discovery = &client->discovery;
    struct cf__attempt *attempt = &discovery->attempt;

    attempt->request = NULL;
    ps_err_clear(&attempt->err);
    if (take_root(client, response, &attempt->err) != 0) {
        (void)ps_fail_prefix(&attempt->err, "root of the API (%s/)", client->config.api);
        cf__attempt_failed(attempt, response->retry_after_ms);
        ps_log(PS_LOG_WARN, "cf_root_failed", "api", client->config.api, "error",
               attempt->err.message, NULL);
    } else {
        discovery->stale = false;
        discovery->read_ms = loop_now_ms();
        loop_backoff_reset(&attempt->backoff);
    }
    cf__client_wake(client);
}

enum cf__ready cf__discover_ready(struct cf_client *client, struct ps_err *err)
{
    struct cf__discovery *discovery = &client->discovery;
    struct cf__attempt *attempt = &discovery->attempt;
    const struct http_header accept = {"Accept", "application/json"};
    PS_AUTO_BUF(url, CF_URL_MAX);

    if (attempt->request != NULL)
        return CF__WAIT;
    if (discovery->uaa != NULL && !discovery->stale)
        return CF__READY;
    if (!cf__attempt_due(attempt, err))
        return CF__NOT_READY;
    ps_buf_printf(&url, "%s/", client->config.api);
    attempt->request = http_send(client->http, &(struct http_send){.method = "GET",
                                                                   .url = ps_buf_text(&url),
                                                                   .headers = &accept,
                                                                   .header_count = 1,
                                                                   .timeout_ms = CF__TIMEOUT_MS,
                                                                   .body_max = ROOT_MAX,
                                                                   .on_done = on_root,
                                                                   .self = client});
    return CF__WAIT;
}

void cf__discover_doubt(struct cf_client *client)
{
    client->discovery.stale = true;
}

void cf__discover_suspect(struct cf_client *client)
{
    if (loop_now_ms() - client->discovery.read_ms > SUSPECT_MS)
        client->discovery.stale = true;
}
