/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: put together safely, taken apart narrowly, and which of them we believe. */
#include "internal.h"

#include <string.h>

#define DIGITS       "0123456789"
#define HOST_NAME    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS ".-"
#define HOST_V6      "abcdefABCDEF" DIGITS ":."
#define PORT_MAX     ((int64_t)65535)
#define REGISTRY_MAX ((size_t)3) /* "co" of co.uk, "com" of com.au, "gov", "org" … */
#define COUNTRY_CODE ((size_t)2)

/* ---- made ----------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void cf__encode(struct ps_buf *out, struct ps_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (is_plain(text.p[i])) {
            ps_buf_char(out, text.p[i]);
        } else {
            ps_buf_printf(out, "%%%02X", (unsigned int)(unsigned char)text.p[i]);
        }
    }
}

int cf_segment(struct ps_buf *path, const char *text, struct ps_err *err)
{
    if (text == NULL || text[0] == '\0' || ps_streq(text, ".") || ps_streq(text, ".."))
        return ps_fail(err, PS_EINVAL, "path: expected a guid or name, got nothing or dots");
    ps_buf_char(path, '/');
    cf__encode(path, ps_str(text));
    return 0;
}

static void begin_query(struct ps_buf *path, const char *key)
{
    ps_buf_char(path, ps_str_index(ps_buf_get(path), '?') < 0 ? '?' : '&');
    ps_buf_str(path, key);
    ps_buf_char(path, '=');
}

void cf_query(struct ps_buf *path, const char *key, const char *value)
{
    begin_query(path, key);
    cf__encode(path, ps_str(value));
}

void cf_query_one(struct ps_buf *path, const char *key, const char *value)
{
    struct ps_str rest = ps_str(value);
    struct ps_str part;
    bool first = true;

    begin_query(path, key);
    while (ps_str_split(&rest, ',', &part)) {
        ps_buf_str(path, first ? "" : "%252C");
        cf__encode(path, part);
        first = false;
    }
}

/* ---- taken apart ---------------------------------------------------------------------------- */

static bool consists_of(struct ps_str text, const char *allowed)
{
    for (size_t i = 0; i < text.n; i++) {
        if (strchr(allowed, text.p[i]) == NULL || text.p[i] == '\0')
            return false;
    }
    return text.n > 0;
}

/* "host:port", "host" or "[v6]:port" */
static bool split_authority(struct ps_str authority, struct cf__url *parts)
{
    const bool is_v6 = ps_str_starts(authority, "[");
    const ptrdiff_t end = is_v6 ? ps_str_index(authority, ']') + 1 : ps_str_index(authority, ':');
    int64_t port;

    parts->host = end > 0 ? ps_str_head(authority, (size_t)end) : authority;
    parts->port = ps_str_skip(authority, parts->host.n);
    if (is_v6 ? end < 3 || !consists_of(ps_str_n(authority.p + 1, (size_t)end - 2), HOST_V6)
              : !consists_of(parts->host, HOST_NAME))
        return false;
    if (parts->port.n == 0)
        return true;
    if (!ps_str_starts(parts->port, ":"))
        return false;
    parts->port = ps_str_skip(parts->port, 1);
    return ps_str_to_i64(parts->port, &port) && port >= 1 && port <= PORT_MAX;
}

int cf__url_split(const char *url, struct cf__url *parts, struct ps_err *err)
{
    const int code = http_url_check(url, err);

    *parts = (struct cf__url){0};
    if (code != 0)
        return code;
    const ptrdiff_t colon = ps_str_find(ps_str(url), "://");

    parts->scheme = ps_str_head(ps_str(url), (size_t)colon);
    const struct ps_str rest = ps_str_skip(ps_str(url), (size_t)colon + 3);
    size_t n = 0;

    while (n < rest.n && strchr("/?#", rest.p[n]) == NULL)
        n++;
    parts->path = ps_str_skip(rest, n);
    if (!split_authority(ps_str_head(rest, n), parts))
        return ps_fail(err, PS_EINVAL, "URL: expected a host, and perhaps a port, after ://");
    return 0;
}

static struct ps_str port_of(const struct cf__url *parts)
{
    if (parts->port.n > 0)
        return parts->port;
    return ps_str_is(parts->scheme, "https") ? PS_STR("443") : PS_STR("80");
}

bool cf__same_origin(const char *a, const char *b)
{
    struct cf__url one;
    struct cf__url other;

    return cf__url_split(a, &one, NULL) == 0 && cf__url_split(b, &other, NULL) == 0 &&
           ps_str_eq(one.scheme, other.scheme) && ps_str_ieq(one.host, other.host) &&
           ps_str_eq(port_of(&one), port_of(&other));
}

/* ---- believed ------------------------------------------------------------------------------- */

static bool is_below(struct ps_str host, struct ps_str domain)
{
    return host.n > domain.n + 1 && host.p[host.n - domain.n - 1] == '.' &&
           ps_str_ieq(ps_str_skip(host, host.n - domain.n), domain);
}

static bool is_address(struct ps_str host)
{
    return ps_str_starts(host, "[") || consists_of(host, DIGITS ".");
}

/* What stands behind the first dot, where that is somebody's own domain: not "org", and nothing
 * that looks like "co.uk". "" when it is not; there the account has to list the host. */
static struct ps_str parent_of(struct ps_str host)
{
    const ptrdiff_t dot = ps_str_index(host, '.');

    if (dot <= 0 || is_address(host))
        return PS_STR("");
    const struct ps_str parent = ps_str_skip(host, (size_t)dot + 1);
    const ptrdiff_t second = ps_str_index(parent, '.');

    if (second <= 0)
        return PS_STR("");
    const struct ps_str rest = ps_str_skip(parent, (size_t)second + 1);

    if ((size_t)second <= REGISTRY_MAX && rest.n == COUNTRY_CODE)
        return PS_STR("");
    return parent;
}

static bool is_listed(const struct cf_config *config, struct ps_str host)
{
    for (size_t i = 0; i < config->allowed_host_count; i++) {
        const struct ps_str entry = ps_str(config->allowed_hosts[i]);

        if (ps_str_starts(entry, "*.") ? is_below(host, ps_str_skip(entry, 2))
                                       : ps_str_ieq(host, entry))
            return true;
    }
    return false;
}

bool cf__host_allowed(const struct cf_config *config, const char *url)
{
    struct cf__url api;
    struct cf__url found;

    if (cf__url_split(config->api, &api, NULL) != 0 || cf__url_split(url, &found, NULL) != 0)
        return false;
    if (ps_str_is(api.scheme, "https") && !ps_str_is(found.scheme, "https"))
        return false;
    const struct ps_str parent = parent_of(api.host);

    return ps_str_ieq(found.host, api.host) || is_listed(config, found.host) ||
           (parent.n > 0 && is_below(found.host, parent));
}
