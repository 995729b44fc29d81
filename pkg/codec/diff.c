/* SPDX-License-Identifier: Apache-2.0 */
/* The patch that turns one JSON value into another: strategic merge and RFC 7386. A member that is
 * null counts as absent on both sides, because in a patch null means removal. */
#include "codec/internal.h"

#include <stdlib.h>
#include <string.h>

#define DIRECTIVE_MAX 256 /* "$deleteFromPrimitiveList/" and the name of a known list */

static struct json_t *diff_object(const struct json_t *from, const struct json_t *to,
                                  const char *parent, bool retain_keys);

static void set_directive(struct json_t *patch, const char *directive, const char *list,
                          struct json_t *value)
{
    PS_AUTO_BUF(key, DIRECTIVE_MAX);
    ps_buf_printf(&key, "%s/%s", directive, list);
    ps_assert(!ps_buf_failed(&key));
    js_set(patch, ps_buf_text(&key), value);
}

/* ---- lists ---- */

/* {key: …} of an item, to name it in an order or a removal. */
static struct json_t *name_item(const struct codec__list *rule, const struct json_t *item)
{
    if (rule->key == NULL)
        return js_copy(item);
    struct json_t *named = js_object();

    js_set(named, rule->key, js_copy(js_get(item, rule->key)));
    return named;
}

static void set_order(struct json_t *patch, const struct codec__list *rule, const struct json_t *to)
{
    if (js_len(to) == 0)
        return;
    struct json_t *order = js_array();

    for (size_t i = 0; i < js_len(to); i++)
        js_push(order, name_item(rule, js_at(to, i)));
    set_directive(patch, "$setElementOrder", rule->name, order);
}

static bool same_order(const struct codec__list *rule, const struct json_t *from,
                       const struct json_t *to)
{
    if (js_len(from) != js_len(to))
        return false;
    for (size_t i = 0; i < js_len(to); i++) {
        PS_AUTO_JS struct json_t *a = name_item(rule, js_at(from, i));
        PS_AUTO_JS struct json_t *b = name_item(rule, js_at(to, i));

        if (!js_equal(a, b))
            return false;
    }
    return true;
}

/* What becomes of one item of the new list; NULL when it stays as it is. */
static struct json_t *diff_item(const struct codec__list *rule, const struct json_t *old,
                                const struct json_t *item)
{
    if (old == NULL)
        return js_copy(item);
    if (rule->key == NULL)
        return NULL;
    struct json_t *change = diff_object(old, item, rule->name, rule->retain_keys);

    if (change != NULL)
        js_set(change, rule->key, js_copy(js_get(item, rule->key)));
    return change;
}

/* The items of `from` that `to` does not have any more. */
static struct json_t *find_removed(const struct codec__list *rule, const struct json_t *from,
                                   const struct ps_map *kept)
{
    struct json_t *removed = js_array();

    for (size_t i = 0; i < js_len(from); i++) {
        if (codec__find_item(rule, kept, js_at(from, i)) != NULL)
            continue;
        struct json_t *item = name_item(rule, js_at(from, i));

        if (rule->key != NULL)
            js_set_str(item, "$patch", "delete");
        js_push(removed, item);
    }
    return removed;
}

/* Both lists with their items by key. */
struct list_pair {
    const struct codec__list *rule;
    const struct json_t *from, *to;
    struct ps_map old_items, new_items;
};

static void merge_list(struct json_t *patch, const struct list_pair *pair)
{
    const struct codec__list *rule = pair->rule;
    PS_AUTO_JS struct json_t *changes = js_array();
    PS_AUTO_JS struct json_t *removed = find_removed(rule, pair->from, &pair->new_items);

    for (size_t i = 0; i < js_len(pair->to); i++) {
        const struct json_t *item = js_at(pair->to, i);

        js_push(changes, diff_item(rule, codec__find_item(rule, &pair->old_items, item), item));
    }
    if (js_len(changes) + js_len(removed) == 0 && same_order(rule, pair->from, pair->to))
        return;
    if (rule->key == NULL && js_len(removed) > 0)
        set_directive(patch, "$deleteFromPrimitiveList", rule->name, js_ref(removed));
    for (size_t i = 0; rule->key != NULL && i < js_len(removed); i++)
        js_push(changes, js_ref(js_at(removed, i)));
    if (js_len(changes) > 0)
        js_set(patch, rule->name, js_ref(changes));
    set_order(patch, rule, pair->to);
}

static struct json_t *make_replacement(void)
{
    struct json_t *mark = js_object();

    js_set_str(mark, "$patch", "replace");
    return mark;
}

static void diff_list(struct json_t *patch, const struct codec__list *rule,
                      const struct json_t *from, const struct json_t *to)
{
    struct list_pair pair = {.rule = rule, .from = from, .to = to};

    ps_map_init(&pair.old_items);
    ps_map_init(&pair.new_items);
    if (js_len(from) == 0) {
        js_set(patch, rule->name, js_copy(to)); /* nothing to merge with, and no order to change */
    } else if (codec__index_list(rule, from, &pair.old_items) &&
               codec__index_list(rule, to, &pair.new_items)) {
        merge_list(patch, &pair);
    } else {
        struct json_t *whole = js_copy(to);

        if (rule->key != NULL)
            js_push(whole, make_replacement());
        js_set(patch, rule->name, whole);
    }
    ps_map_fini(&pair.old_items);
    ps_map_fini(&pair.new_items);
}

/* ---- objects ---- */

static void diff_member(struct json_t *patch, const char *parent, const char *name,
                        const struct json_t *from, const struct json_t *to)
{
    const struct codec__list *rule = codec__find_list(parent, name);

    if (js_equal(from, to))
        return;
    if (js_type(from) == JS_OBJECT && js_type(to) == JS_OBJECT) {
        /* Deployment's strategy: the server's defaults for another type must go with it. */
        const bool retain = strcmp(parent, "spec") == 0 && strcmp(name, "strategy") == 0;

        js_set(patch, name, diff_object(from, to, name, retain));
    } else if (js_type(from) == JS_ARRAY && js_type(to) == JS_ARRAY && rule != NULL) {
        diff_list(patch, rule, from, to);
    } else {
        js_set(patch, name, js_copy(to));
    }
}

static void remove_member(struct json_t *patch, const char *parent, const char *name,
                          const struct json_t *from)
{
    const struct codec__list *rule = codec__find_list(parent, name);

    if (rule == NULL || !rule->owned_partly || js_type(from) != JS_ARRAY) {
        js_set(patch, name, js_null());
        return;
    }
    PS_AUTO_JS struct json_t *none = js_array();

    diff_member(patch, parent, name, from, none);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void set_retain_keys(struct json_t *patch, const struct json_t *to)
{
    struct json_t *keys = js_array(), *value;
    PS_AUTO_FREE const char **names = ps_xcalloc(js_len(to), sizeof(*names));
    void *at = NULL;
    const char *name;
    size_t n = 0;

    while (js_next(to, &at, &name, &value)) {
        if (js_type(value) != JS_NULL)
            names[n++] = name;
    }
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i < n; i++)
        js_push(keys, js_string(names[i]));
    js_set(patch, "$retainKeys", keys);
}

/* NULL when the two are equal; parent is the member that they are the value of. Recursive, as deep
 * as the values are. */
static struct json_t *diff_object(const struct json_t *from, const struct json_t *to,
                                  const char *parent, bool retain_keys)
{
    PS_AUTO_JS struct json_t *patch = js_object();
    struct json_t *value;
    const char *key;

    for (void *at = NULL; js_next(to, &at, &key, &value);) {
        const struct json_t *old = codec__member(from, key);

        if (js_type(value) != JS_NULL && old != NULL) {
            diff_member(patch, parent, key, old, value);
        } else if (js_type(value) != JS_NULL) {
            js_set(patch, key, js_copy(value));
        }
    }
    for (void *at = NULL; js_next(from, &at, &key, &value);) {
        if (js_type(value) != JS_NULL && codec__member(to, key) == NULL)
            remove_member(patch, parent, key, value);
    }
    if (js_len(patch) == 0)
        return NULL;
    if (retain_keys)
        set_retain_keys(patch, to);
    return js_ref(patch);
}

struct json_t *codec_strategic_diff(const struct json_t *from, const struct json_t *to)
{
    if (js_type(from) == JS_OBJECT && js_type(to) == JS_OBJECT)
        return diff_object(from, to, "", false);
    return js_equal(from, to) ? NULL : to ? js_copy(to) : js_null();
}

struct json_t *codec_merge_diff(const struct json_t *from, const struct json_t *to)
{
    if (js_type(from) != JS_OBJECT || js_type(to) != JS_OBJECT)
        return js_equal(from, to) ? NULL : to ? js_copy(to) : js_null();
    PS_AUTO_JS struct json_t *patch = js_object();
    struct json_t *value;
    const char *key;

    for (void *at = NULL; js_next(to, &at, &key, &value);) {
        const struct json_t *old = codec__member(from, key);

        if (js_type(value) != JS_NULL)
            js_set(patch, key, codec_merge_diff(old, value));
    }
    for (void *at = NULL; js_next(from, &at, &key, &value);) {
        if (js_type(value) != JS_NULL && codec__member(to, key) == NULL)
            js_set(patch, key, js_null());
    }
    return js_len(patch) > 0 ? js_ref(patch) : NULL;
}
