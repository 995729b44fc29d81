/* SPDX-License-Identifier: Apache-2.0 */
/* Which lists of built-in kinds are merged by a key (the patchStrategy and patchMergeKey tags of
 * k8s.io/api), and their items by that key. */
#include "codec/internal.h"

#include <string.h>

#define ITEM_KEY_MAX ((size_t)64 * 1024)

static const struct codec__list lists[] = {
    {.parent = "metadata", .name = "ownerReferences", .key = "uid", .owned_partly = true},
    {.parent = "metadata", .name = "finalizers", .owned_partly = true},
    {.parent = "status", .name = "conditions", .key = "type"},
    {.parent = "", .name = "secrets", .key = "name"}, /* ServiceAccount */
    /* Services; the ports of containers follow below. */
    {.parent = "spec", .name = "ports", .key = "port"},
    /* pods */
    {.parent = "spec", .name = "containers", .key = "name"},
    {.parent = "spec", .name = "initContainers", .key = "name"},
    {.parent = "spec", .name = "ephemeralContainers", .key = "name"},
    {.parent = "spec", .name = "volumes", .key = "name", .retain_keys = true},
    {.parent = "spec", .name = "resourceClaims", .key = "name", .retain_keys = true},
    {.parent = "spec", .name = "imagePullSecrets", .key = "name"},
    {.parent = "spec", .name = "schedulingGates", .key = "name"},
    {.parent = "spec", .name = "hostAliases", .key = "ip"},
    {.parent = "spec", .name = "topologySpreadConstraints", .key = "topologyKey"},
};

static const struct codec__list container_lists[] = {
    {.name = "env", .key = "name"},
    {.name = "ports", .key = "containerPort"},
    {.name = "volumeMounts", .key = "mountPath"},
    {.name = "volumeDevices", .key = "devicePath"},
};

static bool holds_containers(const char *name)
{
    return strcmp(name, "containers") == 0 || strcmp(name, "initContainers") == 0 ||
           strcmp(name, "ephemeralContainers") == 0;
}

const struct codec__list *codec__find_list(const char *parent, const char *name)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(lists); i++) {
        if (strcmp(lists[i].parent, parent) == 0 && strcmp(lists[i].name, name) == 0)
            return &lists[i];
    }
    for (size_t i = 0; holds_containers(parent) && i < PS_ARRAY_LEN(container_lists); i++) {
        if (strcmp(container_lists[i].name, name) == 0)
            return &container_lists[i];
    }
    return NULL;
}

struct json_t *codec__member(const struct json_t *object, const char *key)
{
    struct json_t *value = js_get(object, key);

    return js_type(value) == JS_NULL ? NULL : value;
}

bool codec__item_key(const struct codec__list *rule, const struct json_t *item, struct ps_buf *out)
{
    const struct json_t *key = rule->key ? js_get(item, rule->key) : item;

    if (js_type(key) == JS_STRING) {
        ps_buf_str(out, js_str(key));
    } else if (js_type(key) == JS_INT && rule->key != NULL) {
        ps_buf_printf(out, "%lld", (long long)js_int(key, 0));
    } else {
        return false;
    }
    return !ps_buf_failed(out);
}

struct json_t *codec__find_item(const struct codec__list *rule, const struct ps_map *items,
                                const struct json_t *item)
{
    PS_AUTO_BUF(key, ITEM_KEY_MAX);
    return codec__item_key(rule, item, &key) ? ps_map_get(items, ps_buf_text(&key)) : NULL;
}

bool codec__index_list(const struct codec__list *rule, const struct json_t *list,
                       struct ps_map *items)
{
    for (size_t i = 0; i < js_len(list); i++) {
        PS_AUTO_BUF(key, ITEM_KEY_MAX);
        if (!codec__item_key(rule, js_at(list, i), &key))
            return false;
        /* A string that stands twice in a list of strings is merged like any other. */
        if (ps_map_put(items, ps_buf_text(&key), js_at(list, i)) != NULL && rule->key != NULL)
            return false;
    }
    return true;
}
