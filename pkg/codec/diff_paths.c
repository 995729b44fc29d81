/* SPDX-License-Identifier: Apache-2.0 */
/* Where two JSON values differ, for people. */
#include "codec/internal.h"

#include <stdlib.h>
#include <string.h>

/* One part of a path; the parts of a walk stand on the stack. */
struct part {
    const struct part *before; /* NULL at the top */
    const char *text;
    bool is_item; /* of a list: written in brackets */
};

struct walk {
    struct ps_buf *out;
    size_t left;
    bool any;
};

static void walk_value(struct walk *self, const struct part *part, const struct json_t *from,
                       const struct json_t *to);

/* Recursive over the parts of one path. */
static void print_part(struct ps_buf *out, const struct part *part)
{
    if (part->before != NULL)
        print_part(out, part->before);
    /* A dot inside a key would read as two keys, and an empty one as none. */
    if (part->is_item || part->text[0] == '\0' || strpbrk(part->text, ".[]") != NULL) {
        ps_buf_printf(out, "[%s]", part->text);
    } else {
        ps_buf_printf(out, "%s%s", part->before ? "." : "", part->text);
    }
}

static void report(struct walk *self, const struct part *part)
{
    if (self->left == 0)
        return;
    self->left--;
    if (self->any)
        ps_buf_str(self->out, ", ");
    self->any = true;
    if (part != NULL) {
        print_part(self->out, part);
    } else {
        ps_buf_str(self->out, "(everything)");
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t add_names(const struct json_t *object, const char **names, size_t n)
{
    void *at = NULL;
    const char *name;
    struct json_t *value;

    while (js_next(object, &at, &name, &value))
        names[n++] = name;
    return n;
}

/* In the order of the names, whatever the order of the members: the same difference gives the same
 * text. */
static void walk_object(struct walk *self, const struct part *part, const struct json_t *from,
                        const struct json_t *to)
{
    PS_AUTO_FREE const char **names = ps_xcalloc(js_len(from) + js_len(to), sizeof(*names));
    const size_t n = add_names(to, names, add_names(from, names, 0));

    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i < n && self->left > 0; i++) {
        const struct part member = {.before = part, .text = names[i]};

        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            walk_value(self, &member, codec__member(from, names[i]), codec__member(to, names[i]));
    }
}

/* One side of a list: its items that the other side lacks, or, for the first side, has differently.
 */
struct side {
    const struct codec__list *rule;
    const struct json_t *list;
    struct ps_map items;
};

static void walk_side(struct walk *self, const struct part *part, const struct side *side,
                      const struct side *other, bool first)
{
    for (size_t i = 0; i < js_len(side->list); i++) {
        struct json_t *item = js_at(side->list, i);
        struct json_t *match = codec__find_item(side->rule, &other->items, item);
        PS_AUTO_BUF(key, CODEC_JSON_MAX);
        const bool has_key = codec__item_key(side->rule, item, &key);
        const struct part name = {.before = part, .text = ps_buf_text(&key), .is_item = true};

        ps_assert(has_key);
        if (first) {
            walk_value(self, &name, item, match);
        } else if (match == NULL) {
            walk_value(self, &name, NULL, item);
        }
    }
}

static void walk_list(struct walk *self, const struct part *part, const struct codec__list *rule,
                      const struct json_t *from, const struct json_t *to)
{
    struct side old = {.rule = rule, .list = from}, new = {.rule = rule, .list = to};
    const size_t left = self->left;

    ps_map_init(&old.items);
    ps_map_init(&new.items);
    if (codec__index_list(rule, from, &old.items) && codec__index_list(rule, to, &new.items)) {
        walk_side(self, part, &old, &new, true);
        walk_side(self, part, &new, &old, false);
    }
    if (self->left == left)
        report(self, part); /* another order, or items that have no key */
    ps_map_fini(&old.items);
    ps_map_fini(&new.items);
}

/* The member that the value stands in, or the list when it stands in an item. */
static const char *parent_name(const struct part *part)
{
    const struct part *parent = part->before;

    if (parent != NULL && parent->is_item)
        parent = parent->before;
    return parent ? parent->text : "";
}

/* Recursive, as deep as the values are. */
static void walk_value(struct walk *self, const struct part *part, const struct json_t *from,
                       const struct json_t *to)
{
    if (self->left == 0 || js_equal(from, to))
        return;
    const struct codec__list *rule = part ? codec__find_list(parent_name(part), part->text) : NULL;

    if (js_type(from) == JS_OBJECT && js_type(to) == JS_OBJECT) {
        walk_object(self, part, from, to);
    } else if (js_type(from) == JS_ARRAY && js_type(to) == JS_ARRAY && rule != NULL &&
               rule->key != NULL) {
        walk_list(self, part, rule, from, to);
    } else {
        report(self, part);
    }
}

void codec_diff_paths(struct ps_buf *out, const struct json_t *from, const struct json_t *to,
                      size_t max)
{
    struct walk walk = {.out = out, .left = max};

    walk_value(&walk, NULL, from, to);
}
