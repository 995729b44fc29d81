/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and queries of the API, and the order of resourceVersions. */
#include "internal.h"

#include <string.h>

/* Names are DNS subdomains of at most 253 bytes; some kinds allow more characters, none more
 * length. */
#define PART_MAX ((size_t)253)

/* RFC 3986 §2.3: everything but unreserved characters is encoded. */
static void encode(struct ps_buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (const char *p = text; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            ps_buf_char(out, *p);
        } else {
            ps_buf_printf(out, "%%%02X", (unsigned int)(unsigned char)*p);
        }
    }
}

static int add_part(struct ps_buf *out, const char *what, const char *text, struct ps_err *err)
{
    /* An empty part would make the collection's URL, a dot another one. */
    if (text == NULL || text[0] == '\0' || strlen(text) > PART_MAX || ps_streq(text, ".") ||
        ps_streq(text, "..")) {
        return ps_fail(err, PS_EINVAL, "%s: 1 to %zu characters are expected, and not only dots",
                       what, PART_MAX);
    }
    ps_buf_char(out, '/');
    encode(out, text);
    return 0;
}

static int add_group(struct ps_buf *out, const struct kube_kind *kind, struct ps_err *err)
{
    if (kind->group[0] == '\0') {
        ps_buf_str(out, "/api");
    } else {
        ps_buf_str(out, "/apis");
        if (add_part(out, "group", kind->group, err) != 0)
            return PS_EINVAL;
    }
    return add_part(out, "version", kind->version, err);
}

int kube_path(struct ps_buf *out, const struct kube_kind *kind, const char *namespace,
              const char *name, const char *subresource, struct ps_err *err)
{
    const bool has_namespace = kind->namespaced && (namespace != NULL || name != NULL);
    int code = add_group(out, kind, err);

    if (code == 0 && subresource != NULL && name == NULL)
        code = ps_fail(err, PS_EINVAL, "name: missing beside a subresource");
    if (code == 0 && has_namespace) {
        ps_buf_str(out, "/namespaces");
        code = add_part(out, "namespace", namespace, err);
    }
    if (code == 0)
        code = add_part(out, "resource", kind->plural, err);
    if (code == 0 && name != NULL)
        code = add_part(out, "name", name, err);
    if (code == 0 && subresource != NULL)
        code = add_part(out, "subresource", subresource, err);
    if (code == 0 && ps_buf_failed(out))
        code = ps_fail(err, PS_ELIMIT, "URL: longer than %zu bytes", out->max);
    return code;
}

void kube_query(struct ps_buf *url, const char *key, const char *value)
{
    ps_buf_char(url, ps_str_index(ps_buf_get(url), '?') < 0 ? '?' : '&');
    encode(url, key);
    ps_buf_char(url, '=');
    encode(url, value);
}

/* Decimal, no leading zero, not "0". */
static bool is_rv(const char *rv)
{
    const size_t n = rv != NULL ? strspn(rv, "0123456789") : 0;

    return n > 0 && rv[n] == '\0' && rv[0] != '0';
}

bool kube_rv_compare(const char *a, const char *b, int *order)
{
    if (!is_rv(a) || !is_rv(b))
        return false;
    const size_t na = strlen(a);
    const size_t nb = strlen(b);
    const int text_order = strcmp(a, b);

    if (na != nb) {
        *order = na < nb ? -1 : 1;
    } else {
        *order = (text_order > 0) - (text_order < 0);
    }
    return true;
}
