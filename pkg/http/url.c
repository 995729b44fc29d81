/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked for: URLs and header fields, checked before curl sees them. */
#include "internal.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    if (ps_streq(host, "localhost") || ps_streq(host, "[::1]"))
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static int check_parts(CURLU *parsed, struct ps_err *err)
{
    char *user = NULL;
    char *host = NULL;
    char *scheme = NULL;
    int code = 0;

    (void)curl_url_get(parsed, CURLUPART_USER, &user, 0);
    (void)curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    (void)curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (user != NULL) {
        code = ps_fail(err, PS_EINVAL, "URL: user names in URLs are refused");
    } else if (ps_streq(scheme, "http") && !is_loopback(host)) {
        code = ps_fail(err, PS_EINVAL, "URL: http is refused, except to localhost: use https");
    }
    curl_free(user);
    curl_free(host);
    curl_free(scheme);
    return code;
}

static bool has_only_visible(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p <= 0x20 || *p >= 0x7F)
            return false;
    }
    return true;
}

int http_url_check(const char *url, struct ps_err *err)
{
    const struct ps_str text = ps_str(url);

    if (text.n == 0 || text.n > HTTP_URL_MAX)
        return ps_fail(err, PS_EINVAL, "URL: empty, or longer than %zu bytes", HTTP_URL_MAX);
    if (!has_only_visible(url))
        return ps_fail(err, PS_EINVAL, "URL: only visible ASCII characters are allowed");
    if (!ps_str_starts(text, "https://") && !ps_str_starts(text, "http://"))
        return ps_fail(err, PS_EINVAL, "URL: expected https://");
    CURLU *parsed = curl_url();

    ps_assert(parsed != NULL);
    int code = 0;

    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS) != CURLUE_OK) {
        code = ps_fail(err, PS_EINVAL, "URL: not understood");
    } else {
        code = check_parts(parsed, err);
    }
    curl_url_cleanup(parsed);
    return code;
}

int http_proxy_check(const char *url, struct ps_err *err)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://"};
    bool known = false;

    if (strlen(url) > HTTP_URL_MAX || !has_only_visible(url))
        return ps_fail(err, PS_EINVAL, "only visible ASCII characters are allowed");
    for (size_t i = 0; i < PS_ARRAY_LEN(schemes); i++)
        known = known || ps_str_starts(ps_str(url), schemes[i]);
    if (!known)
        return ps_fail(err, PS_EINVAL, "expected a URL with http://, https:// or socks5://");
    CURLU *parsed = curl_url();

    ps_assert(parsed != NULL);
    const CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);

    curl_url_cleanup(parsed);
    return code == CURLUE_OK ? 0 : ps_fail(err, PS_EINVAL, "a URL that is not understood");
}

/* ---- another name in the certificate -------------------------------------------------------- */

static void describe_target(CURLU *parsed, struct ps_buf *connect_to, struct ps_buf *host)
{
    char *name = NULL;
    char *port = NULL;
    char *any_port = NULL;

    (void)curl_url_get(parsed, CURLUPART_HOST, &name, 0);
    (void)curl_url_get(parsed, CURLUPART_PORT, &port, 0);
    (void)curl_url_get(parsed, CURLUPART_PORT, &any_port, CURLU_DEFAULT_PORT);
    ps_buf_printf(connect_to, "::%s:%s", name, any_port);
    ps_buf_printf(host, "Host: %s%s%s", name, port ? ":" : "", port ? port : "");
    curl_free(name);
    curl_free(port);
    curl_free(any_port);
}

int http__rename(const char *url, const char *name, struct ps_buf *renamed,
                 struct ps_buf *connect_to, struct ps_buf *host, struct ps_err *err)
{
    CURLU *parsed = curl_url();
    char *text = NULL;

    ps_assert(parsed != NULL);
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS);

    if (code == CURLUE_OK) {
        describe_target(parsed, connect_to, host);
        code = curl_url_set(parsed, CURLUPART_HOST, name, 0);
    }
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &text, 0);
    if (text != NULL)
        ps_buf_str(renamed, text);
    curl_free(text);
    curl_url_cleanup(parsed);
    if (code != CURLUE_OK || ps_buf_failed(renamed))
        return ps_fail(err, PS_EINVAL, "TLS server name: not a host name");
    return 0;
}

/* ---- header fields -------------------------------------------------------------------------- */

/* RFC 9110 §5.6.2: token. */
static bool is_token(const char *name)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

/* RFC 9110 §5.5 without its obsolete forms: no line end can start a header of its own. */
bool http_is_field_value(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if ((*p < 0x20 && *p != '\t') || *p >= 0x7F)
            return false;
    }
    return value[0] != '\0';
}

/* "https://host:1/": nothing that follows makes it another server's. */
static struct ps_str origin_of(struct ps_str url)
{
    const ptrdiff_t scheme = ps_str_find(url, "://");
    const size_t host = scheme < 0 ? url.n : (size_t)scheme + strlen("://");
    const ptrdiff_t path = ps_str_find(ps_str_skip(url, host), "/");

    return path < 0 ? ps_str("") : ps_str_n(url.p, host + (size_t)path + 1);
}

/* All requests of a client go to one server, as a rule: it is looked at once. */
static int check_url(struct http_client *client, const char *url, struct ps_err *err)
{
    const struct ps_str text = ps_str(url);

    if (client->origin != NULL && ps_str_starts(text, client->origin) && text.n <= HTTP_URL_MAX &&
        has_only_visible(url))
        return 0;
    if (http_url_check(url, err) != 0)
        return err->code;
    const struct ps_str origin = origin_of(text);

    ps_free(client->origin);
    client->origin = origin.n > 0 ? ps_xstrndup(origin.p, origin.n) : NULL;
    return 0;
}

int http__check_send(struct http_client *client, const struct http_send *send, struct ps_err *err)
{
    int code = check_url(client, send->url, err);

    if (code == 0 && (!is_token(send->method)))
        code = ps_fail(err, PS_EINVAL, "method: not a token");
    for (size_t i = 0; code == 0 && i < send->header_count; i++) {
        if (!is_token(send->headers[i].name)) {
            code = ps_fail(err, PS_EINVAL, "header %zu: its name is not a token", i);
        } else if (!http_is_field_value(send->headers[i].value)) {
            code = ps_fail(err, PS_EINVAL, "header %s: empty, or a character that is not allowed",
                           send->headers[i].name);
        }
    }
    if (code == 0 && send->bearer != NULL &&
        (send->bearer[0] == '\0' || !has_only_visible(send->bearer)))
        code = ps_fail(err, PS_EINVAL, "bearer token: empty, or a character that is not allowed");
    return code;
}
