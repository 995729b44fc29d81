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

/* ---- scan.c: checking JSON text token by token ---- */

struct codec__scan {
    const unsigned char *start, *at, *end;
    size_t depth;    /* values that are open, scalars included, as jansson counts */
    size_t gaps;     /* bytes of white space passed */
    bool nul;        /* some string holds \u0000 */
    bool escaped;    /* the last string has escapes */
    const char *why; /* static text: what is wrong at `at`; NULL while nothing is */
};

/* PS_ELIMIT for a text that is too long. */
int codec__scan_init(struct codec__scan *scan, struct ps_str text,
                     struct ps_err *err) PS_MUST_CHECK;
bool codec__scan_fail(struct codec__scan *scan, const char *why); /* false */
void codec__scan_gap(struct codec__scan *scan);
/* Over one value that begins here. */
PS_MUST_CHECK bool codec__scan_value(struct codec__scan *scan);
/* Around a value that is walked by the caller. */
PS_MUST_CHECK bool codec__scan_enter(struct codec__scan *scan);
void codec__scan_leave(struct codec__scan *scan);
/* Steps to the value of an object's next member; the first time, with *first set, at its '{'. false
 * behind its '}', and when something is wrong. The name is as it stands there. */
bool codec__scan_member(struct codec__scan *scan, bool *first, struct ps_str *name);
/* The same for a list and its items. */
bool codec__scan_item(struct codec__scan *scan, bool *first);
/* Nothing but white space is left. Fills *err for what is wrong there, or was before. */
int codec__scan_end(struct codec__scan *scan, struct ps_err *err) PS_MUST_CHECK;
struct ps_str codec__scan_view(const struct codec__scan *scan, const unsigned char *start);

/* Resolves the escapes of a checked string's inside; out holds raw.n bytes. \u0000 becomes U+FFFD.
 */
size_t codec__unescape(struct ps_str raw, char *out);
/* The child of the node with that name, or -1. */
int codec__paths_find(const struct codec_paths *paths, int node, struct ps_str name, bool escaped);

#endif
