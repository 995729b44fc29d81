/* SPDX-License-Identifier: Apache-2.0 */
#include "support/apply.h"

#include <stdio.h>
#include <string.h>

struct json_t *apply_merge(const struct json_t *object, const struct json_t *patch)
{
    if (js_type(patch) != JS_OBJECT)
        return js_copy(patch);
    struct json_t *result = js_type(object) == JS_OBJECT ? js_copy(object) : js_object(), *value;
    void *at = NULL;
    const char *key;

    while (js_next(patch, &at, &key, &value))
        if (js_type(value) == JS_NULL)
            js_remove(result, key);
        else
            js_set(result, key, apply_merge(js_get(object, key), value));
    return result;
}

/* The merge key of a list, "" for a list of strings that is merged, NULL for one that is replaced.
 */
static const char *key_of_list(const char *list, const struct json_t *items)
{
    static const char *const keys[][2] = {
        {"containers", "name"},
        {"initContainers", "name"},
        {"env", "name"},
        {"volumes", "name"},
        {"volumeMounts", "mountPath"},
        {"imagePullSecrets", "name"},
        {"hostAliases", "ip"},
        {"ownerReferences", "uid"},
        {"finalizers", ""},
        {"topologySpreadConstraints", "topologyKey"},
    };

    if (strcmp(list, "ports") == 0)
        return js_get(js_at(items, 0), "containerPort") ? "containerPort" : "port";
    for (size_t i = 0; i < PS_ARRAY_LEN(keys); i++)
        if (strcmp(list, keys[i][0]) == 0)
            return keys[i][1];
    return NULL;
}

static const struct json_t *name_of(const struct json_t *item, const char *key)
{
    return key[0] != '\0' ? js_get(item, key) : item;
}

/* Index of the item with that key, or -1. */
static ptrdiff_t find(const struct json_t *list, const char *key, const struct json_t *item)
{
    for (size_t i = 0; i < js_len(list); i++)
        if (js_equal(name_of(js_at(list, i), key), name_of(item, key)))
            return (ptrdiff_t)i;
    return -1;
}

static bool has_directive(const struct json_t *item, const char *what)
{
    return ps_streq(js_str(js_get(item, "$patch")), what);
}

/* The list without the item. */
static struct json_t *without(struct json_t *list, const char *key, const struct json_t *item)
{
    struct json_t *rest = js_array();

    for (size_t i = 0; i < js_len(list); i++)
        if (!js_equal(name_of(js_at(list, i), key), name_of(item, key)))
            js_push(rest, js_copy(js_at(list, i)));
    js_unref(list);
    return rest;
}

static struct json_t *apply_items(const struct json_t *from, const struct json_t *patch,
                                  const char *key)
{
    struct json_t *result = js_type(from) == JS_ARRAY ? js_copy(from) : js_array();

    for (size_t i = 0; i < js_len(patch); i++)
        if (has_directive(js_at(patch, i), "replace")) {
            js_unref(result);
            return without(js_copy(patch), "$patch", js_at(patch, i));
        }
    for (size_t i = 0; i < js_len(patch); i++) {
        const struct json_t *item = js_at(patch, i);
        const ptrdiff_t at = find(result, key, item);

        if (has_directive(item, "delete")) {
            result = without(result, key, item);
            continue;
        }
        struct json_t *merged = apply_strategic(at < 0 ? NULL : js_at(result, (size_t)at), item);

        if (at >= 0)
            result = without(result, key, item);
        js_push(result, merged);
    }
    return result;
}

/* Ordered items first, as far as they are there, then the others. */
static struct json_t *reorder(const struct json_t *list, const struct json_t *order,
                              const char *key)
{
    struct json_t *result = js_array();

    for (size_t i = 0; i < js_len(order); i++) {
        const ptrdiff_t at = find(list, key, js_at(order, i));

        if (at >= 0)
            js_push(result, js_copy(js_at(list, (size_t)at)));
    }
    for (size_t i = 0; i < js_len(list); i++)
        if (find(order, key, js_at(list, i)) < 0)
            js_push(result, js_copy(js_at(list, i)));
    return result;
}

static void retain(struct json_t *object, const struct json_t *keys)
{
    PS_AUTO_JS struct json_t *all = js_copy(object);
    void *at = NULL;
    const char *key;
    struct json_t *value;

    while (js_next(all, &at, &key, &value)) {
        PS_AUTO_JS struct json_t *name = js_string(key);

        if (find(keys, "", name) < 0)
            js_remove(object, key);
    }
}

static void apply_directive(struct json_t *result, const char *key, const struct json_t *value)
{
    const char *list = strchr(key, '/');

    if (strcmp(key, "$retainKeys") == 0) {
        retain(result, value);
        return;
    }
    if (list == NULL || js_get(result, list + 1) == NULL)
        return;
    const char *name = key_of_list(list + 1, js_get(result, list + 1));

    if (strncmp(key, "$setElementOrder/", 17) == 0) {
        js_set(result, list + 1, reorder(js_get(result, list + 1), value, name));
        return;
    }
    for (size_t i = 0; i < js_len(value); i++)
        js_set(result, list + 1, without(js_copy(js_get(result, list + 1)), "", js_at(value, i)));
}

static struct json_t *apply_value(const struct json_t *old, const char *key,
                                  const struct json_t *value)
{
    const char *name = js_type(value) == JS_ARRAY ? key_of_list(key, value) : NULL;

    if (name != NULL)
        return apply_items(old, value, name);
    return js_type(value) == JS_OBJECT ? apply_strategic(old, value) : js_copy(value);
}

struct json_t *apply_strategic(const struct json_t *object, const struct json_t *patch)
{
    if (js_type(patch) != JS_OBJECT)
        return js_copy(patch);
    struct json_t *result = js_type(object) == JS_OBJECT ? js_copy(object) : js_object(), *value;
    const char *key;

    for (void *at = NULL; js_next(patch, &at, &key, &value);)
        if (js_type(value) == JS_NULL)
            js_remove(result, key);
        else if (key[0] != '$')
            js_set(result, key, apply_value(js_get(object, key), key, value));
    /* Directives work on what the rest has made; orders last. */
    for (void *at = NULL; js_next(patch, &at, &key, &value);)
        if (key[0] == '$' && strncmp(key, "$setElementOrder/", 17) != 0)
            apply_directive(result, key, value);
    for (void *at = NULL; js_next(patch, &at, &key, &value);)
        if (strncmp(key, "$setElementOrder/", 17) == 0)
            apply_directive(result, key, value);
    return result;
}
