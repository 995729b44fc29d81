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

/* RFC 9110 §5.6.2: token. */
static bool is_token(const char *name)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

/* RFC 9110 §5.5 without its obsolete forms: no line end can start a header of its own. */
static bool is_field_value(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if ((*p < 0x20 && *p != '\t') || *p >= 0x7F)
            return false;
    }
    return value[0] != '\0';
}

int http__check_send(const struct http_send *send, struct ps_err *err)
{
    int code = http_url_check(send->url, err);

    if (code == 0 && (!is_token(send->method)))
        code = ps_fail(err, PS_EINVAL, "method: not a token");
    for (size_t i = 0; code == 0 && i < send->header_count; i++) {
        if (!is_token(send->headers[i].name)) {
            code = ps_fail(err, PS_EINVAL, "header %zu: its name is not a token", i);
        } else if (!is_field_value(send->headers[i].value)) {
            code = ps_fail(err, PS_EINVAL, "header %s: empty, or a character that is not allowed",
                           send->headers[i].name);
        }
    }
    if (code == 0 && send->bearer != NULL &&
        (send->bearer[0] == '\0' || !has_only_visible(send->bearer)))
        code = ps_fail(err, PS_EINVAL, "bearer token: empty, or a character that is not allowed");
    return code;
}
