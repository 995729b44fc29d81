/* SPDX-License-Identifier: Apache-2.0 */
/* What an object of the API server says about the fields that someone manages. */
#include "codec/internal.h"

#include <string.h>

static struct json_t *managed_value(const struct json_t *value, const struct json_t *managed,
                                    const char *parent, const char *member);

/* The server leaves out what is empty. */
static bool is_nothing(const struct json_t *value)
{
    switch (js_type(value)) {
    case JS_ABSENT:
    case JS_NULL:
        return true;
    case JS_BOOL:
        return !js_is_true(value);
    case JS_INT:
        return js_int(value, 1) == 0;
    case JS_STRING:
        return js_str(value)[0] == '\0';
    case JS_ARRAY:
    case JS_OBJECT:
        return js_len(value) == 0;
    case JS_REAL:
        return false;
    }
    ps_unreachable();
}

/* And writes quantities in its own way: 2048Mi is 2Gi. */
static bool same_quantity(const struct json_t *a, const struct json_t *b, const char *parent)
{
    int64_t x, y;

    return (strcmp(parent, "limits") == 0 || strcmp(parent, "requests") == 0) &&
           js_str(a) != NULL && js_str(b) != NULL && codec_quantity(ps_str(js_str(a)), &x) &&
           codec_quantity(ps_str(js_str(b)), &y) && x == y;
}

static struct json_t *managed_object(const struct json_t *value, const struct json_t *managed,
                                     const char *whose)
{
    struct json_t *result = js_object(), *part;
    const char *key;

    for (void *at = NULL; js_next(managed, &at, &key, &part);)
        js_set(result, key, managed_value(codec__member(value, key), part, whose, key));
    return result;
}

/* Items that others have added are theirs. */
static struct json_t *managed_items(const struct json_t *managed, const struct codec__list *rule,
                                    const struct ps_map *items)
{
    struct json_t *result = js_array();

    for (size_t i = 0; i < js_len(managed); i++) {
        const struct json_t *item = js_at(managed, i);
        const struct json_t *found = codec__find_item(rule, items, item);

        if (found != NULL)
            js_push(result, managed_value(found, item, "", rule->name));
    }
    return result;
}

static struct json_t *managed_list(const struct json_t *value, const struct json_t *managed,
                                   const struct codec__list *rule)
{
    struct ps_map items;
    struct json_t *result = NULL;

    ps_map_init(&items);
    if (codec__index_list(rule, value, &items))
        result = managed_items(managed, rule, &items);
    ps_map_fini(&items);
    return result ? result : js_copy(value);
}

/* NULL: the value says nothing. Recursive, as deep as what is managed is. */
static struct json_t *managed_value(const struct json_t *value, const struct json_t *managed,
                                    const char *parent, const char *member)
{
    const struct codec__list *rule = codec__find_list(parent, member);

    if (js_equal(value, managed) || (is_nothing(value) && is_nothing(managed)) ||
        same_quantity(value, managed, parent))
        return js_copy(managed);
    if (js_type(value) == JS_OBJECT && js_type(managed) == JS_OBJECT)
        return managed_object(value, managed, member);
    if (js_type(value) == JS_ARRAY && js_type(managed) == JS_ARRAY && rule != NULL)
        return managed_list(value, managed, rule);
    return value ? js_copy(value) : NULL;
}

struct json_t *codec_managed(const struct json_t *object, const struct json_t *managed)
{
    struct json_t *result = managed_value(object, managed, "", "");

    return result ? result : js_null();
}
