/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside codec. */
#ifndef CODEC_INTERNAL_H
#define CODEC_INTERNAL_H

#include "codec/codec.h"

/* What a YAML scalar's tag asks for; TAG_NONE lets the text decide. */
enum codec__tag {
    CODEC__TAG_NONE,
    CODEC__TAG_STR,
    CODEC__TAG_NULL,
    CODEC__TAG_BOOL,
    CODEC__TAG_INT,
    CODEC__TAG_FLOAT,
};

/* The JSON value of a scalar's text, a new reference; NULL and *why (static text) when the tag does
 * not fit the text or JSON has no such value. */
struct json_t *codec__yaml_scalar(struct ps_str text, enum codec__tag tag, const char **why);

/* A scalar as the key of a JSON object, appended to out; false for null and for what is no scalar.
 */
PS_MUST_CHECK bool codec__yaml_key(const struct json_t *scalar, struct ps_buf *out);

/* A list that the API server merges instead of replacing it; see lists.c. */
struct codec__list {
    const char *parent; /* the member that holds the object that holds the list; "" at the top */
    const char *name;
    const char *key;   /* the member that tells its items apart; NULL: a list of strings */
    bool retain_keys;  /* a patch of an item also says which members stay */
    bool owned_partly; /* others add items of their own, so that only single items are removed */
};

/* NULL for a list that is replaced as a whole. */
const struct codec__list *codec__find_list(const char *parent, const char *name);

/* Fills items with key -> item (borrowed); false when an item has no usable key or two have the
 * same: such a list cannot be merged. */
PS_MUST_CHECK bool codec__index_list(const struct codec__list *rule, const struct json_t *list,
                                     struct ps_map *items);
/* The item's entry in items, or NULL. The item has a usable key. */
struct json_t *codec__find_item(const struct codec__list *rule, const struct ps_map *items,
                                const struct json_t *item);
/* Appends the text of the item's key; false when it has no usable one. */
PS_MUST_CHECK bool codec__item_key(const struct codec__list *rule, const struct json_t *item,
                                   struct ps_buf *out);
/* NULL too for a member that is null: in a patch both mean that it is not there. */
struct json_t *codec__member(const struct json_t *object, const char *key);

#endif
