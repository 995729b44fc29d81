/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from text to pointer: linear probing, tombstones, power-of-two sizes. */
#include "base/base.h"

#include <string.h>

#define MAP_FIRST ((size_t)16)

struct ps_map_slot {
    char *key; /* NULL: free, or a tombstone when hash is 1 */
    uint64_t hash;
    void *value;
};

uint64_t ps_hash(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t h = 14695981039346656037ULL; /* FNV-1a 64: offset basis, then the prime */

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211ULL;
    return h;
}

void ps_map_init(struct ps_map *map)
{
    *map = (struct ps_map){0};
}

void ps_map_fini(struct ps_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        ps_free(map->slots[i].key);
    ps_free(map->slots);
    *map = (struct ps_map){0};
}

/* The slot of the key, or the free slot where it would go. */
static struct ps_map_slot *find_slot(const struct ps_map *map, const char *key, uint64_t hash)
{
    struct ps_map_slot *grave = NULL;

    for (size_t i = (size_t)hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct ps_map_slot *slot = &map->slots[i];

        if (slot->key == NULL && slot->hash == 0)
            return grave ? grave : slot;
        if (slot->key == NULL) {
            grave = grave ? grave : slot;
        } else if (slot->hash == hash && strcmp(slot->key, key) == 0) {
            return slot;
        }
    }
}

static void rehash(struct ps_map *map, size_t cap)
{
    struct ps_map old = *map;

    map->slots = ps_xcalloc(cap, sizeof(*map->slots));
    map->cap = cap;
    map->used = map->count;
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].key != NULL)
            *find_slot(map, old.slots[i].key, old.slots[i].hash) = old.slots[i];
    }
    ps_free(old.slots);
}

/* The same size again when most of what is used are tombstones. */
static size_t next_cap(const struct ps_map *map)
{
    if (map->cap == 0)
        return MAP_FIRST;
    return map->count * 2 < map->cap ? map->cap : map->cap * 2;
}

void *ps_map_get(const struct ps_map *map, const char *key)
{
    if (map->cap == 0)
        return NULL;
    const struct ps_map_slot *slot = find_slot(map, key, ps_hash(key, strlen(key)));

    return slot->key ? slot->value : NULL;
}

void *ps_map_put(struct ps_map *map, const char *key, void *value)
{
    const uint64_t hash = ps_hash(key, strlen(key));

    ps_assert(value != NULL);
    if ((map->used + 1) * 4 > map->cap * 3)
        rehash(map, next_cap(map));
    struct ps_map_slot *slot = find_slot(map, key, hash);
    void *old = slot->key ? slot->value : NULL;

    if (slot->key == NULL) {
        map->used += slot->hash == 0;
        map->count++;
        slot->key = ps_xstrdup(key);
        slot->hash = hash;
    }
    slot->value = value;
    return old;
}

void *ps_map_remove(struct ps_map *map, const char *key)
{
    if (map->cap == 0)
        return NULL;
    struct ps_map_slot *slot = find_slot(map, key, ps_hash(key, strlen(key)));

    if (slot->key == NULL)
        return NULL;
    void *value = slot->value;

    ps_free(slot->key);
    *slot = (struct ps_map_slot){.hash = 1};
    map->count--;
    return value;
}

bool ps_map_next(const struct ps_map *map, size_t *at, const char **key, void **value)
{
    for (; *at < map->cap; (*at)++) {
        const struct ps_map_slot *slot = &map->slots[*at];

        if (slot->key == NULL)
            continue;
        *key = slot->key;
        *value = slot->value;
        (*at)++;
        return true;
    }
    return false;
}
