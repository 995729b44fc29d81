/* SPDX-License-Identifier: Apache-2.0 */
/* Picks the values of a table of paths out of JSON text, and reads what was picked. */
#include "codec/internal.h"

#include <string.h>

/* A name of a table is shorter; with every character as a \u escape it takes six times as much. */
#define NAME_MAX_BYTES ((size_t)128)

/* ---- tables of paths ------------------------------------------------------------------------- */

static int find_child(const struct codec_paths *paths, int node, struct ps_str name)
{
    int child = paths->nodes[node].child;

    while (child >= 0) {
        const struct ps_str have = paths->nodes[child].name;

        if (have.n == name.n && memcmp(have.p, name.p, name.n) == 0)
            break;
        child = paths->nodes[child].next;
    }
    return child;
}

int codec__paths_find(const struct codec_paths *paths, int node, struct ps_str name, bool escaped)
{
    char text[NAME_MAX_BYTES * 6];

    if (paths->nodes[node].child < 0 || name.n > sizeof(text))
        return -1;
    if (escaped)
        name = ps_str_n(text, codec__unescape(name, text));
    return find_child(paths, node, name);
}

static int add_child(struct codec_paths *paths, int node, struct ps_str name)
{
    int found = find_child(paths, node, name);

    if (found >= 0)
        return found;
    ps_assert(paths->count < CODEC_PATHS_MAX && name.n > 0 && name.n <= NAME_MAX_BYTES);
    found = (int)paths->count++;
    paths->nodes[found] = (struct codec_paths_node){
        .name = name, .path = -1, .child = -1, .next = paths->nodes[node].child};
    paths->nodes[node].child = (int16_t)found;
    return found;
}

/* Takes the first part off the path: "a.b" and "a[b]" leave "b" and "[b]". */
static struct ps_str take_part(struct ps_str *path)
{
    size_t n = 0;

    if (path->p[0] == '[') {
        const ptrdiff_t close = ps_str_index(*path, ']');

        ps_assert(close > 0);
        const struct ps_str part = ps_str_n(path->p + 1, (size_t)close - 1);

        *path = ps_str_skip(*path, (size_t)close + 1);
        if (path->n > 0 && path->p[0] == '.')
            *path = ps_str_skip(*path, 1);
        return part;
    }
    while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
        n++;
    const struct ps_str part = ps_str_head(*path, n);

    *path = ps_str_skip(*path, n < path->n && path->p[n] == '.' ? n + 1 : n);
    return part;
}

void codec_paths_init(struct codec_paths *paths, const char *const *list, size_t n)
{
    paths->count = 1;
    paths->nodes[0] = (struct codec_paths_node){.path = -1, .child = -1, .next = -1};
    for (size_t i = 0; i < n; i++) {
        struct ps_str rest = ps_str(list[i]);
        int node = 0;

        while (rest.n > 0)
            node = add_child(paths, node, take_part(&rest));
        ps_assert(node > 0 && paths->nodes[node].path < 0);
        paths->nodes[node].path = (int16_t)i;
    }
}

/* ---- picking --------------------------------------------------------------------------------- */

struct pick {
    struct codec__scan scan;
    const struct codec_paths *paths;
    struct ps_str *values;
    uint64_t seen; /* nodes that were met: one bit each */
};

_Static_assert(CODEC_PATHS_MAX <= 64, "one bit for each node");

/* A name that stands twice: what the first had below it is gone. Recursive over the table. */
static void forget(struct pick *self, int node)
{
    const struct codec_paths_node *at = &self->paths->nodes[node];

    if (at->path >= 0)
        self->values[at->path] = (struct ps_str){0};
    for (int child = at->child; child >= 0; child = self->paths->nodes[child].next)
        forget(self, child);
}

static bool pick_value(struct pick *self, int node);

static bool pick_members(struct pick *self, int node)
{
    struct codec__scan *scan = &self->scan;
    struct ps_str name;
    bool first = true;

    while (codec__scan_member(scan, &first, &name)) {
        const int child = codec__paths_find(self->paths, node, name, scan->escaped);
        const bool ok = child < 0 ? codec__scan_value(scan) : pick_value(self, child);

        if (!ok)
            return false;
    }
    return scan->why == NULL;
}

/* Recursive over the table: as deep as its longest path. */
static bool pick_value(struct pick *self, int node)
{
    const struct codec_paths_node *at = &self->paths->nodes[node];
    const unsigned char *start = self->scan.at;
    const uint64_t bit = (uint64_t)1 << node;
    bool ok;

    if ((self->seen & bit) != 0)
        forget(self, node);
    self->seen |= bit;
    if (at->child >= 0 && start < self->scan.end && *start == '{') {
        ok = codec__scan_enter(&self->scan) && pick_members(self, node);
        codec__scan_leave(&self->scan);
    } else {
        ok = codec__scan_value(&self->scan);
    }
    if (ok && at->path >= 0)
        self->values[at->path] = codec__scan_view(&self->scan, start);
    return ok;
}

int codec_pick(const struct codec_paths *paths, struct ps_str text, struct ps_str *values,
               struct ps_err *err)
{
    struct pick pick = {.paths = paths, .values = values};
    int code = codec__scan_init(&pick.scan, text, err);

    forget(&pick, 0);
    if (code != 0)
        return code;
    codec__scan_gap(&pick.scan);
    (void)pick_value(&pick, 0);
    code = codec__scan_end(&pick.scan, err);
    if (code != 0)
        forget(&pick, 0);
    return code;
}

/* ---- views ----------------------------------------------------------------------------------- */

static bool is_real(struct ps_str number)
{
    for (size_t i = 0; i < number.n; i++) {
        if (number.p[i] == '.' || (number.p[i] | 0x20) == 'e')
            return true;
    }
    return false;
}

enum js_type codec_view_type(struct ps_str view)
{
    if (view.p == NULL || view.n == 0)
        return JS_ABSENT;
    switch (view.p[0]) {
    case '{':
        return JS_OBJECT;
    case '[':
        return JS_ARRAY;
    case '"':
        return JS_STRING;
    case 't':
    case 'f':
        return JS_BOOL;
    case 'n':
        return JS_NULL;
    default:
        return is_real(view) ? JS_REAL : JS_INT;
    }
}

static bool is_string(struct ps_str view)
{
    return view.n >= 2 && view.p[0] == '"';
}

struct ps_str codec_view_str(struct ps_arena *arena, struct ps_str view)
{
    if (!is_string(view))
        return (struct ps_str){0};
    const struct ps_str raw = ps_str_n(view.p + 1, view.n - 2);

    if (memchr(raw.p, '\\', raw.n) == NULL)
        return raw;
    char *text = ps_arena_alloc(arena, raw.n);

    return ps_str_n(text, codec__unescape(raw, text));
}

/* An escaped text is up to six times as long as what it says. */
bool codec_view_is(struct ps_str view, const char *text)
{
    char plain[NAME_MAX_BYTES * 6];

    if (!is_string(view))
        return false;
    const struct ps_str raw = ps_str_n(view.p + 1, view.n - 2);

    if (memchr(raw.p, '\\', raw.n) == NULL)
        return ps_str_is(raw, text);
    return raw.n <= sizeof(plain) && ps_str_is(ps_str_n(plain, codec__unescape(raw, plain)), text);
}

/* Downwards, because the smallest integer has no positive counterpart. */
int64_t codec_view_int(struct ps_str view, int64_t otherwise)
{
    const bool negative = view.n > 0 && view.p[0] == '-';
    int64_t value = 0;

    if (codec_view_type(view) != JS_INT)
        return otherwise;
    for (size_t i = negative; i < view.n; i++)
        value = value * 10 - (view.p[i] - '0');
    return negative ? value : -value;
}

bool codec_view_bool(struct ps_str view, bool otherwise)
{
    return codec_view_type(view) == JS_BOOL ? view.p[0] == 't' : otherwise;
}

/* Steps inside a list or an object; the opening bracket is there the first time only. */
static bool next_in(struct ps_str *rest, char open, struct ps_str *name, struct ps_str *value)
{
    struct codec__scan scan;
    bool first = rest->n > 0 && rest->p[0] == open;
    bool more = rest->n > 0 && codec__scan_init(&scan, *rest, NULL) == 0;

    if (!more)
        return false;
    more = name ? codec__scan_member(&scan, &first, name) : codec__scan_item(&scan, &first);
    const unsigned char *start = scan.at;

    more = more && codec__scan_value(&scan);
    *value = more ? codec__scan_view(&scan, start) : (struct ps_str){0};
    *rest = more ? ps_str_skip(*rest, (size_t)(scan.at - scan.start)) : (struct ps_str){0};
    return more;
}

bool codec_next(struct ps_str *rest, struct ps_str *item)
{
    return next_in(rest, '[', NULL, item);
}

bool codec_next_member(struct ps_str *rest, struct ps_str *name, struct ps_str *value)
{
    return next_in(rest, '{', name, value);
}

size_t codec_view_len(struct ps_str view)
{
    struct ps_str name, value;
    size_t n = 0;

    if (codec_view_type(view) == JS_OBJECT) {
        while (codec_next_member(&view, &name, &value))
            n++;
        return n;
    }
    while (codec_next(&view, &value))
        n++;
    return n;
}
