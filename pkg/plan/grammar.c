/* SPDX-License-Identifier: Apache-2.0 */
/* How the values of deployment properties are written. */
#include "plan/internal.h"

#include <string.h>

#define LIST_TEXT_MAX  ((size_t)64 * 1024)
/* Kubernetes' limits of label and annotation names. */
#define KEY_NAME_MAX   ((size_t)63)
#define KEY_PREFIX_MAX ((size_t)253)

int plan__read_number(const char *value, int64_t min, int64_t max, const char *what, int64_t *out,
                      struct ps_err *err)
{
    if (!ps_str_to_i64(ps_str_trim(ps_str(value)), out) || *out < min || *out > max) {
        return ps_fail(err, PS_EINVAL, "expected %s from %lld to %lld, found \"%s\"", what,
                       (long long)min, (long long)max, value);
    }
    return 0;
}

int plan__read_word(const char *value, const char *const *words, size_t n, const char **out,
                    struct ps_err *err)
{
    PS_AUTO_BUF(list, 256);

    for (size_t i = 0; i < n; i++) {
        if (ps_str_ieq(ps_str_trim(ps_str(value)), ps_str(words[i]))) {
            *out = words[i];
            return 0;
        }
        ps_buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    return ps_fail(err, PS_EINVAL, "expected one of %s, found \"%s\"", ps_buf_text(&list), value);
}

int plan__read_quantity(struct ps_arena *arena, const char *value, const char **out,
                        struct ps_err *err)
{
    int64_t milli;
    const struct ps_str text = ps_str_trim(ps_str(value));

    if (!codec_quantity(text, &milli) || milli < 0) {
        return ps_fail(err, PS_EINVAL, "expected a quantity such as 500m, 2 or 2Gi, found \"%s\"",
                       value);
    }
    *out = ps_arena_str(arena, text);
    return 0;
}

int plan__read_mebibytes(struct ps_arena *arena, const char *value, const char **out,
                         struct ps_err *err)
{
    struct ps_str text = ps_str_trim(ps_str(value));
    int64_t n, factor = 1;

    if (ps_str_ends(text, "i")) /* 2Gi cannot mean anything else */
        return plan__read_quantity(arena, value, out, err);
    if (text.n > 0 && (text.p[text.n - 1] == 'm' || text.p[text.n - 1] == 'M')) {
        text.n--;
    } else if (text.n > 0 && (text.p[text.n - 1] == 'g' || text.p[text.n - 1] == 'G')) {
        text.n--;
        factor = 1024;
    }
    if (!ps_str_to_i64(text, &n) || __builtin_mul_overflow(n, factor, &n)) {
        return ps_fail(err, PS_EINVAL, "expected a size such as 512, 512m or 2g, found \"%s\"",
                       value);
    }
    *out = ps_arena_printf(arena, "%lldMi", (long long)n);
    return 0;
}

/* Takes the next NAME=value off *rest. */
static int next_variable(struct ps_arena *arena, struct ps_str *rest, bool quotes, size_t number,
                         struct model_property *out, struct ps_err *err)
{
    const ptrdiff_t equals = ps_str_index(*rest, '=');
    const ptrdiff_t comma = ps_str_index(*rest, ',');
    struct ps_str value;

    if (equals < 0 ||
        (comma >= 0 &&
         comma < equals)) { /* not told: it may be the end of a password with a comma */
        return ps_fail(err, PS_EINVAL,
                       "variable %zu: expected NAME=value; a value with a comma stands in quotes: "
                       "NAME='a,b'",
                       number);
    }
    const struct ps_str name = ps_str_trim(ps_str_head(*rest, (size_t)equals));

    *rest = ps_str_skip(*rest, (size_t)equals + 1);
    if (quotes && ps_str_starts(*rest, "'")) {
        *rest = ps_str_skip(*rest, 1);
        if (!ps_str_split(rest, '\'', &value) || rest->p == NULL)
            return ps_fail(err, PS_EINVAL, "%.*s: the closing ' is missing", PS_STR_ARG(name));
        *rest = ps_str_trim(*rest);
        if (rest->n > 0 && rest->p[0] != ',') {
            return ps_fail(err, PS_EINVAL, "%.*s: expected a comma after the closing '",
                           PS_STR_ARG(name));
        }
        *rest = rest->n > 0 ? ps_str_skip(*rest, 1) : (struct ps_str){NULL, 0};
    } else {
        (void)ps_str_split(rest, ',', &value);
        value = quotes ? value : ps_str_trim(value);
    }
    if (name.n == 0)
        return ps_fail(err, PS_EINVAL, "an environment variable without a name");
    *out = (struct model_property){ps_arena_str(arena, name), ps_arena_str(arena, value)};
    return 0;
}

int plan__env_parse(struct ps_arena *arena, const char *text, bool quotes,
                    struct model_properties *out, struct ps_err *err)
{
    struct ps_str rest = ps_str(text);

    if (rest.n > LIST_TEXT_MAX)
        return ps_fail(err, PS_ELIMIT, "longer than %zu bytes", LIST_TEXT_MAX);
    for (size_t number = 1; rest.p != NULL; number++) {
        struct model_property variable = {0};
        const ptrdiff_t comma = ps_str_index(rest, ',');

        if (ps_str_trim(comma < 0 ? rest : ps_str_head(rest, (size_t)comma)).n ==
            0) { /* nothing: not meant */
            rest = comma < 0 ? (struct ps_str){NULL, 0} : ps_str_skip(rest, (size_t)comma + 1);
            continue;
        }
        const int rc = next_variable(arena, &rest, quotes, number, &variable, err);

        if (rc != 0)
            return rc;
        model_properties_put(arena, out, variable.key, variable.value);
    }
    return 0;
}

/* ---- labels and annotations ----------------------------------------------------------------- */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool plan__is_label_value(struct ps_str text)
{
    if (text.n > MODEL_LABEL_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const bool inside = i > 0 && i + 1 < text.n;
        const char c = text.p[i];

        if (!is_alnum(c) && !(inside && (c == '-' || c == '_' || c == '.')))
            return false;
    }
    return true;
}

static bool is_dns_name(struct ps_str text)
{
    if (text.n == 0 || text.n > KEY_PREFIX_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];
        const bool sign = c == '-' || c == '.';

        if ((!is_alnum(c) || (c >= 'A' && c <= 'Z')) && !sign)
            return false;
        if (sign && (i == 0 || i + 1 == text.n || !is_alnum(text.p[i - 1])))
            return false;
    }
    return true;
}

/* "example.org/team" or "team". */
static bool is_label_key(struct ps_str key)
{
    const ptrdiff_t slash = ps_str_index(key, '/');
    const struct ps_str name = slash < 0 ? key : ps_str_skip(key, (size_t)slash + 1);

    if (slash >= 0 && !is_dns_name(ps_str_head(key, (size_t)slash)))
        return false;
    return name.n > 0 && name.n <= KEY_NAME_MAX && plan__is_label_value(name);
}

/* Takes what stands before the next comma off *rest. */
static struct ps_str next_piece(struct ps_str *rest, bool quotes)
{
    bool quoted = false;
    const struct ps_str text = *rest;

    for (size_t i = 0; i < text.n; i++) {
        if (quotes && text.p[i] == '"')
            quoted = !quoted;
        if (text.p[i] == ',' && !quoted) {
            *rest = ps_str_skip(text, i + 1);
            return ps_str_head(text, i);
        }
    }
    *rest = (struct ps_str){NULL, 0};
    return text;
}

static int check_pair(struct ps_str key, struct ps_str value, bool labels, struct ps_err *err)
{
    if (!is_label_key(key)) {
        return ps_fail(
            err, PS_EINVAL,
            "\"%.*s\" is no key of a %s (letters, digits, '-', '_' and '.', at most %zu; "
            "a host name and '/' may stand before it)",
            PS_STR_ARG(key), labels ? "label" : "annotation", KEY_NAME_MAX);
    }
    if (ps_str_starts(key, "penstock.dev/")) {
        return ps_fail(err, PS_EINVAL, "%.*s: keys of penstock.dev are the operator's own",
                       PS_STR_ARG(key));
    }
    if (labels && (value.n == 0 || !plan__is_label_value(value))) {
        return ps_fail(err, PS_EINVAL,
                       "%.*s: expected a label's value (letters, digits, '-', '_' and '.', 1 to %d "
                       "characters)",
                       PS_STR_ARG(key), MODEL_LABEL_MAX);
    }
    return 0;
}

int plan__pairs_parse(struct ps_arena *arena, const char *text, bool labels,
                      struct model_properties *out, struct ps_err *err)
{
    struct ps_str rest = ps_str(text);

    if (rest.n > LIST_TEXT_MAX)
        return ps_fail(err, PS_ELIMIT, "longer than %zu bytes", LIST_TEXT_MAX);
    for (size_t number = 1; rest.p != NULL; number++) {
        const struct ps_str piece = ps_str_trim(next_piece(&rest, !labels));
        const ptrdiff_t colon = ps_str_index(piece, ':');

        if (piece.n == 0)
            continue; /* a comma too many */
        if (colon < 0) {
            return ps_fail(err, PS_EINVAL, "item %zu: expected key:value%s", number,
                           labels ? "" : "; a value with a comma stands in double quotes");
        }
        const struct ps_str key = ps_str_trim(ps_str_head(piece, (size_t)colon));
        const struct ps_str value = ps_str_trim(ps_str_skip(piece, (size_t)colon + 1));
        const int rc = check_pair(key, value, labels, err);

        if (rc != 0)
            return rc;
        model_properties_put(arena, out, ps_arena_str(arena, key), ps_arena_str(arena, value));
    }
    return 0;
}
