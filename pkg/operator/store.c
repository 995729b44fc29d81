/* SPDX-License-Identifier: Apache-2.0 */
/* A store: the objects of one kind as last seen, by name and by an index. Never goes back in time.
 */
#include "operator/internal.h"

#include <string.h>

#define KEY_MAX  ((size_t)1024)
#define TEXT_MAX CODEC_JSON_MAX

void operator__store_init(struct operator__store *store, struct controller *op,
                          enum model_kind kind)
{
    *store = (struct operator__store){.op = op, .kind = kind};
    ps_map_init(&store->entries);
    ps_map_init(&store->by_index);
}

static void free_entry(struct operator__entry *entry)
{
    ps_free(entry->object);
    ps_free(entry->packed);
    ps_free(entry);
}

void operator__store_fini(struct operator__store *store)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&store->entries, &at, &key, &value))
        free_entry(value);
    at = 0;
    while (ps_map_next(&store->by_index, &at, &key, &value))
        ps_free(value);
    ps_map_fini(&store->entries);
    ps_map_fini(&store->by_index);
    ps_free(store->progress);
    ps_free(store->trouble);
}

static const char *entry_key(struct ps_buf *key, const char *namespace, const char *name)
{
    ps_buf_printf(key, "%s/%s", namespace ? namespace : "", name);
    return ps_buf_text(key);
}

const struct operator__entry *operator__store_get(const struct operator__store *store,
                                                  const char *namespace, const char *name)
{
    PS_AUTO_BUF(key, KEY_MAX);

    return ps_map_get(&store->entries, entry_key(&key, namespace, name));
}

/* What was packed here can be unpacked. */
void operator__entry_text(const struct operator__entry *entry, struct ps_buf *out)
{
    const int code = codec_gunzip(ps_str_n(entry->packed, entry->packed_size), out, NULL);

    ps_assert(code == 0);
}

/* codec_compact made the text, so it can be read. */
struct json_t *operator__entry_tree(const struct operator__entry *entry)
{
    PS_AUTO_BUF(text, TEXT_MAX);

    operator__entry_text(entry, &text);
    struct json_t *tree = js_parse_lenient(ps_buf_get(&text), NULL);

    ps_assert(tree != NULL);
    return tree;
}

/* ---- index ---------------------------------------------------------------------------------- */

const struct operator__list *operator__store_list(const struct operator__store *store,
                                                  const char *index_key)
{
    return ps_map_get(&store->by_index, index_key);
}

/* Most lists have one or three items, and stay so. */
static struct operator__list *longer(struct operator__list *list)
{
    const uint32_t count = list ? list->count : 0, cap = count * 2 + 1;

    list = ps_xrealloc(list, sizeof(*list) + cap * sizeof(const struct model_object *));
    list->count = count;
    list->cap = cap;
    return list;
}

static void index_add(struct operator__store *store, const struct model_object *object)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    const char *key = store->index ? store->index(object, &buf) : NULL;

    if (key == NULL)
        return;
    struct operator__list *list = ps_map_get(&store->by_index, key);

    if (list == NULL || list->count == list->cap) {
        list = longer(list);
        (void)ps_map_put(&store->by_index, key, list);
    }
    list->items[list->count++] = object;
}

static void index_remove(struct operator__store *store, const struct model_object *object)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    const char *key = store->index ? store->index(object, &buf) : NULL;
    struct operator__list *list = key ? ps_map_get(&store->by_index, key) : NULL;

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (list->items[i] == object) {
            list->items[i] = list->items[--list->count];
            break;
        }
    }
    if (list != NULL && list->count == 0) {
        (void)ps_map_remove(&store->by_index, key);
        ps_free(list);
    }
}

/* ---- versions ------------------------------------------------------------------------------- */

/* Versions that are no numbers cannot be compared: neither is known, and what comes later counts.
 */
static bool known_newer(const char *a, const char *b)
{
    int order;

    return b != NULL && kube_rv_compare(a, b, &order) && order > 0;
}

static bool known_older(const char *a, const char *b)
{
    int order;

    return b != NULL && kube_rv_compare(a, b, &order) && order <= 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

/* The text without what nobody reads: half of it is bookkeeping of the API server. */
static int pack(struct operator__entry *entry, struct ps_str text, struct ps_err *err)
{
    static const char *const list[] = {
        /* left out */
        "metadata.managedFields",
        "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
        /* not essential */
        "metadata.resourceVersion",
        "status",
    };
    static struct codec_paths paths;
    PS_AUTO_BUF(kept, TEXT_MAX);
    PS_AUTO_BUF(packed, TEXT_MAX);

    if (paths.count == 0)
        codec_paths_init(&paths, list, PS_ARRAY_LEN(list));
    if (codec_compact(&kept, text, &paths, 2, &entry->essence, err) != 0)
        return PS_EINVAL;
    codec_gzip(ps_buf_get(&kept), &packed);
    if (ps_buf_failed(&packed))
        return ps_fail(err, PS_ELIMIT, "larger than %zu bytes even when packed", TEXT_MAX);
    entry->packed = ps_xstrndup(packed.p, packed.n); /* the buffer has grown by doubling */
    entry->packed_size = (uint32_t)packed.n;
    return 0;
}

static void replace(struct operator__store *store, const char *key, struct operator__entry *entry,
                    struct operator__entry *old)
{
    const bool essential = old == NULL || !store->whole || old->essence != entry->essence;

    if (old != NULL)
        index_remove(store, old->object);
    index_add(store, entry->object);
    (void)ps_map_put(&store->entries, key, entry);
    if (store->changed != NULL)
        store->changed(store->op, old ? old->object : NULL, entry->object, essential);
    if (old != NULL)
        free_entry(old);
}

static void drop(struct operator__store *store, const char *key, struct operator__entry *old)
{
    (void)ps_map_remove(&store->entries, key);
    index_remove(store, old->object);
    if (store->changed != NULL)
        store->changed(store->op, old->object, NULL, true);
    free_entry(old);
}

/* Has nobody written the spec between the two? Services have no generation: theirs may have been
 * written with anything else. */
static bool same_spec(const struct model_object *a, const struct model_object *b)
{
    return ps_streq(a->uid, b->uid) &&
           (model_is_workload(a->kind) ? a->generation == b->generation : ps_streq(a->rv, b->rv));
}

static void forget(struct operator__store *store, const struct model_object *object)
{
    const struct kube_seen seen = {object->namespace, object->name, object->uid, object->rv, {0}};

    operator__store_remove(store, &seen);
}

/* No watch would ever take such an object out again. */
static bool is_foreign(const struct operator__store *store, const struct model_object *seen)
{
    return store->installation != NULL && (!ps_streq(seen->installation, store->installation) ||
                                           !ps_streq(seen->account_uid, store->account_uid));
}

/* What a list or watch has shown, or our write has brought, is not newer than what is known. */
static bool is_stale(const struct operator__store *store, const struct operator__entry *old,
                     const struct model_object *seen, enum operator__origin origin)
{
    if (old != NULL)
        return known_older(seen->rv, old->object->rv);
    return origin != OPERATOR__WATCH && known_older(seen->rv, store->progress);
}

static void put_entry(struct operator__store *store, const char *key, struct operator__entry *entry,
                      enum operator__origin origin)
{
    struct operator__entry *old = ps_map_get(&store->entries, key);

    if (old != NULL && !ps_streq(old->object->uid, entry->object->uid)) {
        drop(store, key, old); /* deleted and made anew: two changes */
        old = NULL;
    }
    entry->object->written = origin == OPERATOR__WRITTEN || (old != NULL && old->object->written &&
                                                             same_spec(old->object, entry->object));
    entry->rendered = old != NULL ? old->rendered : 0;
    entry->seen = store->list_number;
    if (origin != OPERATOR__WATCH) /* our answer is no item of a list that runs meanwhile */
        entry->seen = old != NULL ? old->seen : store->list_number - 1;
    replace(store, key, entry, old);
}

int operator__store_put(struct operator__store *store, struct ps_str text,
                        enum operator__origin origin, struct ps_err *err)
{
    struct model_object *seen = model_object_read(store->kind, text, err);
    PS_AUTO_BUF(buf, KEY_MAX);

    if (seen == NULL)
        return PS_EINVAL;
    seen->cluster = store->cluster;
    if (origin != OPERATOR__WATCH && is_foreign(store, seen)) {
        forget(store, seen); /* released, if it was ours */
        ps_free(seen);
        return 0;
    }
    const char *key = entry_key(&buf, seen->namespace, seen->name);
    struct operator__entry *old = ps_map_get(&store->entries, key);

    if (is_stale(store, old, seen, origin)) {
        if (old != NULL && origin == OPERATOR__WATCH)
            old->seen = store->list_number;
        if (old != NULL && origin == OPERATOR__WRITTEN && same_spec(old->object, seen))
            old->object->written = true;
        ps_free(seen);
        return 0;
    }
    struct operator__entry *entry = ps_xcalloc(1, sizeof(*entry));

    entry->object = seen;
    if (store->whole && pack(entry, text, err) != 0) {
        free_entry(entry);
        return PS_EINVAL;
    }
    put_entry(store, key, entry, origin);
    return 0;
}

void operator__store_remove(struct operator__store *store, const struct kube_seen *seen)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    const char *key = entry_key(&buf, seen->namespace, seen->name);
    struct operator__entry *old = ps_map_get(&store->entries, key);

    if (old == NULL || (seen->uid != NULL && !ps_streq(seen->uid, old->object->uid)))
        return;
    if (known_newer(old->object->rv, seen->rv))
        return;
    drop(store, key, old);
}

/* The answer to a write that came before may be behind: it must not bring the object back, which no
 * watch would take out again. */
void operator__store_deleted(struct operator__store *store, const struct kube_seen *seen)
{
    operator__store_remove(store, seen);
    if (seen->rv != NULL && (store->progress == NULL || known_newer(seen->rv, store->progress)))
        operator__store_progress(store, seen->rv);
}

void operator__store_absent(struct operator__store *store, const char *namespace, const char *name)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    const char *key = entry_key(&buf, namespace, name);
    struct operator__entry *old = ps_map_get(&store->entries, key);

    if (old != NULL)
        drop(store, key, old);
}

void operator__store_note(struct operator__store *store, const char *namespace, const char *name,
                          uint64_t rendered)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    struct operator__entry *entry = ps_map_get(&store->entries, entry_key(&buf, namespace, name));

    if (entry != NULL)
        entry->rendered = rendered;
}

void operator__store_keep(struct operator__store *store, const char *namespace, const char *name)
{
    PS_AUTO_BUF(buf, KEY_MAX);
    struct operator__entry *entry =
        name ? ps_map_get(&store->entries, entry_key(&buf, namespace, name)) : NULL;

    if (entry != NULL)
        entry->seen = store->list_number;
}

/* ---- lists ---------------------------------------------------------------------------------- */

void operator__store_list_begin(struct operator__store *store)
{
    store->list_number++;
}

/* What the whole list did not have is gone, unless it is newer than the list: our own write. */
void operator__store_list_end(struct operator__store *store, const char *rv)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&store->entries, &at, &key, &value)) {
        struct operator__entry *entry = value;
        char *own_key PS_AUTO_FREE = ps_xstrdup(key);

        if (entry->seen != store->list_number && !known_newer(entry->object->rv, rv))
            drop(store, own_key, entry);
    }
    operator__store_progress(store, rv);
    store->synced = true;
}

void operator__store_progress(struct operator__store *store, const char *rv)
{
    ps_free(store->progress);
    store->progress = ps_xstrdup(rv);
}
