/* SPDX-License-Identifier: Apache-2.0 */
/* Where JSON values begin and end, found without parsing them. */
#include "internal.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct ps_str skip_space(struct ps_str s)
{
    while (s.n > 0 && is_space(s.p[0]))
        s = ps_str_skip(s, 1);
    return s;
}

/* Length of the string that starts s, with its quotes; 0 when it has no end. */
static size_t string_length(struct ps_str s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}

static size_t container_length(struct ps_str s)
{
    size_t depth = 0;

    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];

        if (c == '"') {
            const size_t n = string_length(ps_str_skip(s, i));

            if (n == 0)
                return 0;
            i += n - 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Length of the value that starts s; 0 when there is none or it has no end. */
static size_t value_length(struct ps_str s)
{
    if (s.n == 0)
        return 0;
    if (s.p[0] == '"')
        return string_length(s);
    if (s.p[0] == '{' || s.p[0] == '[')
        return container_length(s);
    size_t n = 0;

    while (n < s.n && !is_space(s.p[n]) && strchr(",]}:", s.p[n]) == NULL)
        n++;
    return n;
}

/* Takes `"key": value` off the front of *rest. */
static bool take_member(struct ps_str *rest, struct ps_str *key, struct ps_str *value)
{
    *rest = skip_space(*rest);
    if (rest->n > 0 && rest->p[0] == ',')
        *rest = skip_space(ps_str_skip(*rest, 1));
    const size_t key_n = rest->n > 0 && rest->p[0] == '"' ? string_length(*rest) : 0;

    if (key_n == 0)
        return false;
    *key = ps_str_n(rest->p + 1, key_n - 2);
    *rest = skip_space(ps_str_skip(*rest, key_n));
    if (rest->n == 0 || rest->p[0] != ':')
        return false;
    *rest = skip_space(ps_str_skip(*rest, 1));
    const size_t n = value_length(*rest);

    *value = ps_str_head(*rest, n);
    *rest = ps_str_skip(*rest, n);
    return n > 0;
}

bool kube__scan_member(struct ps_str object, const char *key, struct ps_str *value)
{
    struct ps_str rest = skip_space(object);
    struct ps_str name;

    if (rest.n == 0 || rest.p[0] != '{')
        return false;
    rest = ps_str_skip(rest, 1);
    while (take_member(&rest, &name, value)) {
        if (ps_str_is(name, key))
            return true;
    }
    return false;
}

void kube__scan_text(struct ps_str value, char *out, size_t size)
{
    out[0] = '\0';
    if (value.n < 2 || value.n - 2 >= size || value.p[0] != '"')
        return;
    for (size_t i = 1; i + 1 < value.n; i++) {
        if (value.p[i] == '\\' || (unsigned char)value.p[i] < 0x20 ||
            (unsigned char)value.p[i] > 0x7E)
            return;
    }
    memcpy(out, value.p + 1, value.n - 2);
    out[value.n - 2] = '\0';
}

static void scan_field(struct ps_str object, const char *key, char *out, size_t size)
{
    struct ps_str value;

    out[0] = '\0';
    if (kube__scan_member(object, key, &value))
        kube__scan_text(value, out, size);
}

void kube__scan_object(struct ps_str object, struct kube__shreds *shreds)
{
    struct ps_str metadata = {0};

    if (!kube__scan_member(object, "metadata", &metadata))
        metadata = (struct ps_str){0};
    scan_field(metadata, "namespace", shreds->namespace, sizeof(shreds->namespace));
    scan_field(metadata, "name", shreds->name, sizeof(shreds->name));
    scan_field(metadata, "uid", shreds->uid, sizeof(shreds->uid));
    scan_field(metadata, "resourceVersion", shreds->rv, sizeof(shreds->rv));
}
