/* SPDX-License-Identifier: Apache-2.0 */
/* App registries: the ConfigMaps of a namespace, then those of the operator's own, read once for
 * each change. */
#include "operator/internal.h"

#include <stdlib.h>
#include <string.h>

#define PROBLEMS_TOLD_MAX 5 /* of one ConfigMap; the log has them all */

struct reading {
    struct controller *op;
    const struct model_object *config_map;
    int told;
};

static void on_problem(const char *source, size_t line, const char *message, void *self)
{
    struct reading *reading = self;
    const struct model_object *map = reading->config_map;
    const struct exec_subject subject = {MODEL_CONFIG_MAP, map->namespace, map->name, map->uid};
    PS_AUTO_BUF(note, 1024);

    ps_buf_printf(&note, "%s, line %zu: %s", source, line, message);
    if (reading->told++ < PROBLEMS_TOLD_MAX) {
        exec_event(reading->op->exec, &subject, true, "InvalidRegistryLine", ps_buf_text(&note));
    } else {
        ps_log(PS_LOG_WARN, "invalid_registry_line", "config_map", map->name, "problem",
               ps_buf_text(&note), NULL);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct operator__entry *const *)a)->object->name,
                  (*(const struct operator__entry *const *)b)->object->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each version of a ConfigMap is read for many namespaces; its problems are told once. */
static bool told_before(struct controller *op, const struct model_object *map)
{
    PS_AUTO_BUF(key, 1024);

    ps_buf_printf(&key, "%s/%s", map->namespace, map->name);
    char *told = ps_map_get(&op->registries_told, ps_buf_text(&key));

    if (ps_streq(told, map->rv))
        return true;
    ps_free(ps_map_put(&op->registries_told, ps_buf_text(&key), ps_xstrdup(map->rv)));
    return false;
}

void operator__told_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->registries_told, &at, &key, &value))
        ps_free(value);
    ps_map_fini(&op->registries_told);
}

static void read_config_map(struct controller *op, struct model_registry *registry,
                            const struct operator__entry *entry)
{
    struct json_t *object PS_AUTO_JS = operator__entry_tree(entry);
    const struct json_t *data = js_get(object, "data");
    struct reading reading = {op, entry->object, 0};
    model_registry_on_problem *tell = told_before(op, entry->object) ? NULL : on_problem;
    const char **keys PS_AUTO_FREE = ps_xcalloc(js_len(data), sizeof(const char *));
    void *at = NULL;
    const char *key;
    struct json_t *value;
    size_t n = 0;

    while (js_next(data, &at, &key, &value))
        keys[n++] = key;
    qsort(keys, n, sizeof(const char *), by_key);
    for (size_t i = 0; i < n; i++) {
        PS_AUTO_BUF(source, 1024);
        const char *text = js_str(js_get(data, keys[i]));

        ps_buf_printf(&source, "%s/%s[%s]", entry->object->namespace, entry->object->name, keys[i]);
        if (text != NULL) {
            (void)model_registry_add(registry, ps_buf_text(&source), ps_str(text), tell, &reading);
        }
    }
}

static void read_namespace(struct controller *op, struct model_registry *registry,
                           const char *namespace)
{
    struct operator__store *store = &op->stores[MODEL_CONFIG_MAP];
    const struct operator__entry **found PS_AUTO_FREE =
        ps_xcalloc(store->entries.count, sizeof(const struct operator__entry *));
    size_t at = 0, n = 0;
    const char *key;
    void *value;

    while (ps_map_next(&store->entries, &at, &key, &value)) {
        if (ps_streq(((struct operator__entry *)value)->object->namespace, namespace))
            found[n++] = value;
    }
    qsort(found, n, sizeof(const struct operator__entry *), by_name);
    for (size_t i = 0; i < n; i++)
        read_config_map(op, registry, found[i]);
}

const struct model_registry *operator__registry(struct controller *op, const char *namespace)
{
    struct model_registry *registry = ps_map_get(&op->registries, namespace);

    if (registry != NULL)
        return registry;
    registry = model_registry_new();
    read_namespace(op, registry, namespace);
    if (strcmp(namespace, op->namespace) != 0)
        read_namespace(op, registry, op->namespace);
    (void)ps_map_put(&op->registries, namespace, registry);
    return registry;
}

void operator__registry_changed(struct controller *op, const char *namespace)
{
    struct model_registry *registry = ps_map_remove(&op->registries, namespace);

    op->registry_changes++;
    if (registry != NULL)
        model_registry_free(registry);
    if (strcmp(namespace, op->namespace) == 0)
        operator__registries_fini(op); /* it stands behind every namespace's own */
}

void operator__registries_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->registries, &at, &key, &value))
        model_registry_free(value);
    ps_map_fini(&op->registries);
    ps_map_init(&op->registries);
}
