/* SPDX-License-Identifier: Apache-2.0 */
/* Copies JSON text without white space and without some of its members, and hashes what stays. */
#include "codec/internal.h"

#include <endian.h>
#include <string.h>

/* Odd, and bits all over: the fractional part of the golden ratio. */
#define HASH_FACTOR 0x9E3779B97F4A7C15ULL

struct compact {
    struct codec__scan scan;
    struct ps_buf *out;
    const struct codec_paths *paths;
    int dropped; /* paths below this are left out */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_FACTOR;
    return hash ^ hash >> 32;
}

/* Eight bytes at a step; the length tells a text from the same one with NULs behind it. */
static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t hash = mix(0, n), word = 0;

    while (n >= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = mix(hash, le64toh(word));
        p += sizeof(word);
        n -= sizeof(word);
    }
    word = 0;
    memcpy(&word, p, n);
    return mix(hash, le64toh(word));
}

/* A value whose text is right, but for white space between its tokens. */
static void add_tight(struct ps_buf *out, struct ps_str text)
{
    bool in_string = false;

    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];

        if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            continue;
        ps_buf_char(out, c);
        if (c == '"') {
            in_string = !in_string;
        } else if (c == '\\') {
            ps_buf_char(out, text.p[++i]);
        }
    }
}

static bool copy_value(struct compact *self, uint64_t *hash)
{
    const unsigned char *start = self->scan.at;
    const size_t gaps = self->scan.gaps, from = self->out->n;

    if (!codec__scan_value(&self->scan))
        return false;
    const struct ps_str text = codec__scan_view(&self->scan, start);

    if (self->scan.gaps == gaps) {
        ps_buf_view(self->out, text);
    } else {
        add_tight(self->out, text);
    }
    *hash = hash_bytes(ps_buf_text(self->out) + from, self->out->n - from);
    return true;
}

static bool copy_members(struct compact *self, int node, uint64_t *hash);

/* Recursive over the table: as deep as its longest path. */
static bool copy_node(struct compact *self, int node, uint64_t *hash)
{
    struct codec__scan *scan = &self->scan;
    const bool inside = node >= 0 && self->paths->nodes[node].child >= 0 && scan->at < scan->end &&
                        *scan->at == '{';

    if (!inside)
        return copy_value(self, hash);
    const bool ok = codec__scan_enter(scan) && copy_members(self, node, hash);

    codec__scan_leave(scan);
    return ok;
}

/* The members' hashes are added up: neither order nor commas count. */
static bool copy_members(struct compact *self, int node, uint64_t *hash)
{
    struct codec__scan *scan = &self->scan;
    struct ps_str name;
    bool first = true, any = false;

    *hash = 0;
    ps_buf_char(self->out, '{');
    while (codec__scan_member(scan, &first, &name)) {
        const int child = codec__paths_find(self->paths, node, name, scan->escaped);
        const int path = child < 0 ? -1 : self->paths->nodes[child].path;
        uint64_t value = 0;

        if (path >= 0 && path < self->dropped) {
            if (!codec__scan_value(scan))
                return false;
            continue;
        }
        ps_buf_add(self->out, any ? ",\"" : "\"", any ? 2 : 1);
        ps_buf_view(self->out, name);
        ps_buf_add(self->out, "\":", 2);
        any = true;
        if (!copy_node(self, child, &value))
            return false;
        if (path < 0)
            *hash += mix(hash_bytes(name.p, name.n), value);
    }
    ps_buf_char(self->out, '}');
    return scan->why == NULL;
}

int codec_compact(struct ps_buf *out, struct ps_str text, const struct codec_paths *paths,
                  size_t dropped, uint64_t *hash, struct ps_err *err)
{
    struct compact compact = {.out = out, .paths = paths, .dropped = (int)dropped};
    int code = codec__scan_init(&compact.scan, text, err);

    *hash = 0;
    if (code != 0)
        return code;
    codec__scan_gap(&compact.scan);
    (void)copy_node(&compact, 0, hash);
    code = codec__scan_end(&compact.scan, err);
    if (code == 0 && compact.scan.nul)
        code = ps_fail(err, PS_EINVAL, "JSON with \\u0000 in a string: it cannot be kept");
    if (code == 0 && ps_buf_failed(out))
        code = ps_fail(err, PS_ELIMIT, "JSON of %zu bytes: more than can be kept", text.n);
    return code;
}
