/* SPDX-License-Identifier: Apache-2.0 */
/* PlatformAccount: spec.allowedNamespaces, and which namespaces meet it. */
#include "model/internal.h"

#include <string.h>

#define NAMES_MAX        ((size_t)1000)
#define REQUIREMENTS_MAX ((size_t)100) /* matchLabels and matchExpressions together */
#define VALUES_MAX       ((size_t)100) /* of one expression */

static const char *const operators[] = {
    [MODEL_IN] = "In",
    [MODEL_NOT_IN] = "NotIn",
    [MODEL_EXISTS] = "Exists",
    [MODEL_DOES_NOT_EXIST] = "DoesNotExist",
};

/* ---- reading -------------------------------------------------------------------------------- */

int model__texts(const struct model__reader *r, const struct json_t *list, const char *path,
                 size_t max, struct model_texts *out)
{
    if (list != NULL && js_type(list) != JS_ARRAY) {
        return ps_fail(r->err, PS_EINVAL, "%s: expected a list, found %s", path,
                       js_type_name(list));
    }
    if (js_len(list) > max)
        return ps_fail(r->err, PS_ELIMIT, "%s: more than %zu entries", path, max);
    const char **items = ps_arena_array(r->arena, js_len(list), sizeof(*items));

    for (size_t i = 0; i < js_len(list); i++) {
        items[i] = js_str(js_at(list, i));
        if (items[i] == NULL) {
            return ps_fail(r->err, PS_EINVAL, "%s[%zu]: expected a string, found %s", path, i,
                           js_type_name(js_at(list, i)));
        }
    }
    *out = (struct model_texts){items, js_len(list)};
    return 0;
}

static int read_operator(const struct model__reader *r, const struct json_t *from, const char *path,
                         struct model_requirement *out)
{
    const char *word = js_path_str(from, "operator");

    for (size_t i = 0; i < PS_ARRAY_LEN(operators); i++) {
        if (ps_streq(word, operators[i])) {
            out->op = (enum model_operator)i;
            return 0;
        }
    }
    return ps_fail(r->err, PS_EINVAL,
                   "%s.operator: expected In, NotIn, Exists or DoesNotExist, found %.64s", path,
                   word ? word : "nothing");
}

static int read_expression(const struct model__reader *r, const struct json_t *from, size_t i,
                           struct model_requirement *out)
{
    const char *path =
        ps_arena_printf(r->arena, "spec.allowedNamespaces.selector.matchExpressions[%zu]", i);
    const char *values = ps_arena_printf(r->arena, "%s.values", path);

    if (model__text(r, from, path, "key", &out->key) != 0 ||
        read_operator(r, from, path, out) != 0 ||
        model__texts(r, js_get(from, "values"), values, VALUES_MAX, &out->values) != 0)
        return PS_EINVAL;
    if (out->key == NULL)
        return ps_fail(r->err, PS_EINVAL, "%s.key: expected the key of a label", path);
    const bool compares = out->op == MODEL_IN || out->op == MODEL_NOT_IN;

    if (compares == (out->values.count > 0))
        return 0;
    return ps_fail(r->err, PS_EINVAL, "%s: %s", values,
                   compares ? "In and NotIn need at least one value"
                            : "Exists and DoesNotExist take no values");
}

static void read_match_labels(const struct model__reader *r, const struct model_properties *labels,
                              struct model_access *out)
{
    for (size_t i = 0; i < labels->count; i++) {
        const char **value = ps_arena_array(r->arena, 1, sizeof(*value));

        *value = labels->items[i].value;
        out->requirements[out->requirement_count++] =
            (struct model_requirement){labels->items[i].key, MODEL_IN, {value, 1}};
    }
}

static int read_selector(const struct model__reader *r, const struct json_t *selector,
                         struct model_access *out)
{
    static const char path[] = "spec.allowedNamespaces.selector";
    const struct json_t *list = js_get(selector, "matchExpressions");
    struct model_properties labels = {0};

    if (js_type(selector) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "%s: expected an object, found %s", path,
                       js_type_name(selector));
    }
    if (list != NULL && js_type(list) != JS_ARRAY) {
        return ps_fail(r->err, PS_EINVAL, "%s.matchExpressions: expected a list, found %s", path,
                       js_type_name(list));
    }
    if (model__map(r, selector, path, "matchLabels", &labels) != 0)
        return PS_EINVAL;
    if (labels.count + js_len(list) > REQUIREMENTS_MAX) {
        return ps_fail(r->err, PS_ELIMIT, "%s: more than %zu labels and expressions", path,
                       REQUIREMENTS_MAX);
    }
    out->by_selector = true;
    out->requirements =
        ps_arena_array(r->arena, labels.count + js_len(list), sizeof(*out->requirements));
    read_match_labels(r, &labels, out);
    for (size_t i = 0; i < js_len(list); i++) {
        if (read_expression(r, js_at(list, i), i, &out->requirements[out->requirement_count]) != 0)
            return PS_EINVAL;
        out->requirement_count++;
    }
    return 0;
}

int model__access(const struct model__reader *r, const struct json_t *spec,
                  struct model_access *out)
{
    const struct json_t *from = js_get(spec, "allowedNamespaces"),
                        *selector = js_get(from, "selector");

    if (from == NULL)
        return 0;
    out->limited = true;
    if (js_type(from) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "spec.allowedNamespaces: expected an object, found %s",
                       js_type_name(from));
    }
    if (model__texts(r, js_get(from, "names"), "spec.allowedNamespaces.names", NAMES_MAX,
                     &out->names) != 0)
        return PS_EINVAL;
    return selector == NULL ? 0 : read_selector(r, selector, out);
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool has(const struct model_texts *list, struct ps_str text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (ps_str_is(text, list->items[i]))
            return true;
    }
    return false;
}

/* As Kubernetes selects: NotIn holds also where there is no such label. */
static bool meets(const struct model_requirement *requirement, const char *labels)
{
    struct ps_str value;
    const bool there = model_label_get(labels, requirement->key, &value);

    switch (requirement->op) {
    case MODEL_IN:
        return there && has(&requirement->values, value);
    case MODEL_NOT_IN:
        return !there || !has(&requirement->values, value);
    case MODEL_EXISTS:
        return there;
    case MODEL_DOES_NOT_EXIST:
        return !there;
    }
    ps_unreachable();
}

bool model_account_allows(const struct model_account *account, const char *namespace,
                          const char *labels)
{
    const struct model_access *access = &account->access;

    if (!access->limited || has(&access->names, ps_str(namespace)))
        return true;
    if (!access->by_selector || labels == NULL)
        return false;
    for (size_t i = 0; i < access->requirement_count; i++) {
        if (!meets(&access->requirements[i], labels))
            return false;
    }
    return true;
}

/* ---- labels --------------------------------------------------------------------------------- */

/* "key=value\n…": neither holds '=' or a line's end. Sorted, so that equal labels are equal texts.
 */
const char *model__labels_text(struct ps_str labels, struct ps_arena *arena, struct ps_buf *text)
{
    struct model_properties list = {0};
    struct ps_str name, value;
    size_t size = 0;

    while (codec_next_member(&labels, &name, &value) && size <= MODEL__LABELS_MAX) {
        const struct ps_str words = codec_view_str(arena, value);

        size += name.n + words.n + 2;
        model_properties_put(arena, &list, ps_arena_str(arena, name), ps_arena_str(arena, words));
    }
    if (size > MODEL__LABELS_MAX)
        return NULL;
    model_properties_sort(&list);
    for (size_t i = 0; i < list.count; i++)
        ps_buf_printf(text, "%s=%s\n", list.items[i].key, list.items[i].value);
    return ps_buf_failed(text) ? NULL : ps_arena_str(arena, ps_buf_get(text));
}

bool model_label_get(const char *labels, const char *key, struct ps_str *value)
{
    struct ps_str rest = ps_str(labels), line, name;

    while (ps_str_split(&rest, '\n', &line)) {
        if (ps_str_split(&line, '=', &name) && ps_str_is(name, key)) {
            *value = line;
            return true;
        }
    }
    return false;
}
