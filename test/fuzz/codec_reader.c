/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON text, read without a tree and with one: both accept the same texts, pick the
 * same values, leave the same when members are dropped, and take the same lists apart, whatever the
 * pieces. jansson is told to accept \u0000 and names that stand twice, as the reader does.
 *
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ipkg test/fuzz/codec_reader.c \
 *         pkg/codec/[a-z]*.c pkg/base/[a-z]*.c -ljansson -lyaml -lcrypto -lz
 */
#include "codec/codec.h"

#include <jansson.h>
#include <string.h>

#define PATHS       6
#define DEPTH       4 /* parts of a path */
#define ITEM_MAX    ((size_t)1 << 20)
#define PARSE_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- choosing paths that are there ---- */

struct chosen {
    struct ps_arena arena;
    const char *list[PATHS];
    json_t *tree[PATHS];             /* the values, borrowed */
    const char *parts[PATHS][DEPTH]; /* of the path, borrowed from the tree */
    size_t depth[PATHS], count;
    uint64_t random;
};

static size_t dice(struct chosen *self, size_t n)
{
    self->random = self->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (size_t)(self->random >> 33) % n;
}

static bool can_be_named(const char *name)
{
    return name[0] != '\0' && strlen(name) <= 60 && strpbrk(name, "]\\") == NULL;
}

/* A random way down; the value at its end, which may be any. */
static void choose(struct chosen *self, json_t *root)
{
    const size_t i = self->count;
    const size_t parts = 1 + dice(self, DEPTH);
    json_t *at = root;

    self->list[i] = "";
    self->depth[i] = 0;
    for (size_t part = 0; part < parts && json_object_size(at) > 0; part++) {
        void *member = json_object_iter(at);

        for (size_t skip = dice(self, json_object_size(at)); skip > 0; skip--)
            member = json_object_iter_next(at, member);
        const char *name = json_object_iter_key(member);

        if (!can_be_named(name) || strlen(name) != json_object_iter_key_len(member))
            break;
        self->list[i] = ps_arena_printf(&self->arena, "%s[%s]", self->list[i], name);
        self->parts[i][self->depth[i]++] = name;
        at = json_object_iter_value(member);
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(self->list[k], self->list[i]) == 0)
            return;
    }
    if (self->depth[i] == 0)
        return;
    self->tree[i] = at;
    self->count++;
}

/* ---- values ---- */

static void check_getters(struct ps_str view, const json_t *value)
{
    struct ps_arena arena;

    ps_arena_init(&arena);
    ps_assert(codec_view_type(view) == js_type(value));
    ps_assert(codec_view_int(view, -7) == js_int(value, -7));
    ps_assert(codec_view_bool(view, true) == (json_is_boolean(value) ? js_is_true(value) : true));
    const struct ps_str text = codec_view_str(&arena, view);

    ps_assert((text.p != NULL) == json_is_string(value));
    if (text.p != NULL && strlen(json_string_value(value)) == json_string_length(value)) {
        ps_assert(ps_str_is(text, json_string_value(value)));
        ps_assert(text.n > 100 || codec_view_is(view, json_string_value(value)));
    }
    if (json_is_array(value)) {
        struct ps_str rest = view, item;
        size_t n = 0;

        while (codec_next(&rest, &item)) {
            json_t *again = json_loadb(item.p, item.n, PARSE_FLAGS, NULL);

            ps_assert(again != NULL && json_equal(again, json_array_get(value, n)));
            json_decref(again);
            n++;
        }
        ps_assert(n == json_array_size(value) && codec_view_len(view) == n);
    }
    ps_arena_fini(&arena);
}

static void check_picks(struct ps_str text, struct chosen *chosen)
{
    struct codec_paths paths;
    struct ps_str values[PATHS];

    codec_paths_init(&paths, chosen->list, chosen->count);
    ps_assert(codec_pick(&paths, text, values, NULL) == 0);
    for (size_t i = 0; i < chosen->count; i++) {
        ps_assert(values[i].p != NULL);
        json_t *again = json_loadb(values[i].p, values[i].n, PARSE_FLAGS, NULL);

        ps_assert(json_equal(again, chosen->tree[i]));
        json_decref(again);
        check_getters(values[i], chosen->tree[i]);
    }
}

/* ---- dropping ---- */

static void drop(json_t *at, const char *const *parts, size_t depth)
{
    while (depth > 1) {
        at = json_object_get(at, *parts++);
        depth--;
    }
    (void)json_object_del(at, *parts);
}

static void check_compact(struct ps_str text, json_t *tree, struct chosen *chosen)
{
    const size_t dropped = dice(chosen, chosen->count + 1);
    struct codec_paths paths;
    uint64_t hash, hash_all, hash_again;
    PS_AUTO_BUF(out, ITEM_MAX);
    PS_AUTO_BUF(all, ITEM_MAX);
    PS_AUTO_BUF(again, ITEM_MAX);

    codec_paths_init(&paths, chosen->list, chosen->count);
    if (codec_compact(&out, text, &paths, dropped, &hash, NULL) != 0) {
        ps_assert(ps_str_find(text, "\\u0000") >= 0);
        return;
    }
    ps_assert(codec_compact(&all, text, &paths, chosen->count, &hash_all, NULL) == 0);
    ps_assert(hash == hash_all);
    ps_assert(codec_compact(&again, ps_buf_get(&out), &paths, dropped, &hash_again, NULL) == 0);
    ps_assert(hash == hash_again && ps_str_eq(ps_buf_get(&out), ps_buf_get(&again)));
    json_t *left = json_loadb(ps_buf_text(&out), out.n, PARSE_FLAGS, NULL);
    json_t *want = json_deep_copy(tree);

    for (size_t i = 0; i < dropped; i++)
        drop(want, chosen->parts[i], chosen->depth[i]);
    ps_assert(left != NULL && json_equal(left, want));
    json_decref(left);
    json_decref(want);
}

/* ---- lists ---- */

struct items {
    size_t count;
    uint64_t hash;
    json_t *tree; /* NULL, or what the items must be */
};

static bool on_item(void *self, struct ps_str item)
{
    struct items *items = self;

    if (items->tree != NULL) {
        json_t *value = json_loadb(item.p, item.n, PARSE_FLAGS, NULL);

        ps_assert(value != NULL && json_equal(value, json_array_get(items->tree, items->count)));
        json_decref(value);
    }
    items->count++;
    items->hash = items->hash * 31 + ps_hash(item.p, item.n);
    return true;
}

static int walk_list(struct ps_str text, size_t piece, struct items *items, struct codec_list *list)
{
    struct ps_err err;
    int code = 0;

    codec_list_init(list, ITEM_MAX, on_item, items);
    while (text.n > 0 && code == 0) {
        const size_t n = text.n < piece ? text.n : piece;

        code = codec_list_feed(list, ps_str_head(text, n), &err);
        text = ps_str_skip(text, n);
    }
    return code != 0 ? code : codec_list_end(list, &err);
}

static bool is_list(const json_t *tree)
{
    const json_t *items = json_object_get(tree, "items");
    const char *rv = js_path_str(tree, "metadata.resourceVersion");
    const char *next = js_path_str(tree, "metadata.continue");

    return (json_is_array(items) || json_is_null(items)) && rv != NULL && rv[0] != '\0' &&
           strlen(rv) < CODEC_LIST_VERSION_MAX && (next == NULL || strlen(next) < 1000);
}

/* strict: parsed without names that stand twice, so that there is one list at most. */
static void check_list(struct ps_str text, size_t piece)
{
    json_t *strict =
        json_loadb(text.p ? text.p : "", text.n, PARSE_FLAGS | JSON_REJECT_DUPLICATES, NULL);
    struct items whole = {.tree = json_object_get(strict, "items")};
    struct items pieces = {.tree = whole.tree};
    struct codec_list a, b;
    const bool good = is_list(strict) && memchr(text.p, '\\', text.n) == NULL &&
                      memchr(text.p, '\0', text.n) == NULL;
    const int code = walk_list(text, text.n ? text.n : 1, &whole, &a);

    ps_assert(walk_list(text, piece, &pieces, &b) == code);
    ps_assert(whole.count == pieces.count && whole.hash == pieces.hash);
    ps_assert(ps_streq(a.rv, b.rv) && ps_streq(a.next, b.next) && a.remaining == b.remaining);
    ps_assert(!good || code == 0);
    if (code == 0 && strict != NULL) {
        ps_assert(whole.count == json_array_size(whole.tree));
        ps_assert(a.remaining == js_path_int(strict, "metadata.remainingItemCount", -1));
    }
    codec_list_fini(&a);
    codec_list_fini(&b);
    json_decref(strict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ps_str text = ps_str_n((const char *)(const void *)data, size);
    struct ps_err err = {0};
    struct codec_paths none;
    struct chosen chosen = {.random = ps_hash(data, size)};

    ps_arena_init(&chosen.arena);
    json_t *tree = json_loadb(size ? text.p : "", size, PARSE_FLAGS, NULL);

    codec_paths_init(&none, NULL, 0);
    const int code = codec_pick(&none, text, NULL, &err);

    ps_assert(code == 0 ? tree != NULL : code == PS_EINVAL);
    /* jansson takes a NUL byte behind the value for its end. */
    ps_assert(code == 0 || tree == NULL || memchr(data, '\0', size) != NULL);
    check_list(text, 1 + dice(&chosen, 40));
    for (size_t i = 0; i < PATHS; i++)
        choose(&chosen, tree);
    if (code == 0) {
        check_picks(text, &chosen);
        check_compact(text, tree, &chosen);
    }
    json_decref(tree);
    ps_arena_fini(&chosen.arena);
    return 0;
}
