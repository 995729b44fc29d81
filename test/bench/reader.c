/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading one object costs: as a tree (parse, projection; for our own kinds also the copy
 * without bookkeeping and its hash), and from its text. Times are the best of several rounds.
 *
 *     reader test/bench/objects
 */
#include "support/cpu.h"
#include "support/object_tree.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS   7
#define TIMES    2000 /* objects of one round */
#define TEXT_MAX CODEC_JSON_MAX

static const char *const left_out[] = {
    "metadata.managedFields",
    "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
    "status",
    "metadata.resourceVersion",
};
#define DROPPED 2 /* of them; the others only do not count for the hash */

typedef void work_fn(enum model_kind kind, struct ps_str text);

static struct json_t *parse(struct ps_str text)
{
    struct json_t *tree = js_parse(text, NULL);

    ps_assert(tree != NULL);
    return tree;
}

static void tree_projection(enum model_kind kind, struct ps_str text)
{
    PS_AUTO_JS struct json_t *tree = parse(text);

    ps_free(projection_of_tree(kind, tree));
}

/* What a store does with an object of our own kinds when it comes as a tree. */
static void tree_whole(enum model_kind kind, struct ps_str text)
{
    PS_AUTO_JS struct json_t *tree = parse(text);
    PS_AUTO_JS struct json_t *copy = js_copy(tree);
    struct json_t *metadata = js_get(copy, "metadata");
    PS_AUTO_BUF(kept, TEXT_MAX);
    PS_AUTO_BUF(essential, TEXT_MAX);

    ps_free(projection_of_tree(kind, tree));
    js_remove(metadata, "managedFields");
    js_remove(js_get(metadata, "annotations"), "kubectl.kubernetes.io/last-applied-configuration");
    js_print(&kept, copy);
    js_remove(copy, "status");
    js_remove(metadata, "resourceVersion");
    js_print(&essential, copy);
    ps_assert(ps_hash(ps_buf_text(&essential), essential.n) != 0);
}

static void text_check(enum model_kind kind, struct ps_str text)
{
    static struct codec_paths none;

    (void)kind;
    if (none.count == 0)
        codec_paths_init(&none, NULL, 0);
    ps_assert(codec_pick(&none, text, NULL, NULL) == 0);
}

static void text_projection(enum model_kind kind, struct ps_str text)
{
    struct model_object *object = model_object_read(kind, text, NULL);

    ps_assert(object != NULL);
    ps_free(object);
}

static size_t compact(struct ps_str text)
{
    static struct codec_paths paths;
    static struct ps_buf kept; /* one for all, as a store would have it */
    uint64_t hash;

    if (paths.count == 0) {
        codec_paths_init(&paths, left_out, PS_ARRAY_LEN(left_out));
        ps_buf_init(&kept, TEXT_MAX);
    }
    ps_buf_clear(&kept);
    ps_assert(codec_compact(&kept, text, &paths, DROPPED, &hash, NULL) == 0);
    char *copy = ps_xstrndup(kept.p, kept.n);
    const size_t size = malloc_usable_size(copy);

    ps_free(copy);
    return size;
}

static void text_whole(enum model_kind kind, struct ps_str text)
{
    text_projection(kind, text);
    ps_assert(compact(text) > 0);
}

static void frame(enum model_kind kind, struct ps_str text)
{
    struct codec_frame frame = {0};

    (void)kind;
    ps_assert(codec_frame(&frame, text) == text.n);
}

static int64_t measure(work_fn *work, enum model_kind kind, struct ps_str text)
{
    int64_t best = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        const int64_t start = cpu_ns();

        for (int i = 0; i < TIMES; i++)
            work(kind, text);
        const int64_t each = (cpu_ns() - start) / TIMES;

        best = each < best ? each : best;
    }
    return best;
}

static size_t heap_of_tree(struct ps_str text)
{
    const size_t before = mallinfo2().uordblks;
    PS_AUTO_JS struct json_t *tree = parse(text);

    ps_assert(tree != NULL);
    return mallinfo2().uordblks - before;
}

static size_t heap_of_projection(enum model_kind kind, struct ps_str text)
{
    PS_AUTO_FREE struct model_object *object = model_object_read(kind, text, NULL);

    return malloc_usable_size(object);
}

static bool load(const char *dir, const char *name, struct ps_buf *out)
{
    PS_AUTO_BUF(path, 4096);
    char piece[4096];
    size_t n;

    ps_buf_printf(&path, "%s/%s.json", dir, name);
    FILE *file = fopen(ps_buf_text(&path), "re");

    if (file == NULL) {
        perror(ps_buf_text(&path));
        return false;
    }
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        ps_buf_add(out, piece, n);
    (void)fclose(file);
    while (out->n > 0 && out->p[out->n - 1] == '\n')
        out->p[--out->n] = '\0';
    return true;
}

static void report(const char *name, enum model_kind kind, bool whole, struct ps_str text)
{
    const int64_t tree = measure(whole ? tree_whole : tree_projection, kind, text);
    const int64_t read = measure(whole ? text_whole : text_projection, kind, text);
    const size_t kept = heap_of_projection(kind, text) + (whole ? compact(text) : 0);

    printf("%-12s %6zu %10lld %10lld %6.1f %8lld %8lld %9zu %9zu\n", name, text.n, (long long)tree,
           (long long)read, (double)tree / (double)read, (long long)measure(text_check, kind, text),
           (long long)measure(frame, kind, text), heap_of_tree(text), kept);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum model_kind kind;
        bool whole; /* the text is kept, too */
    } rows[] = {
        {"pod", MODEL_POD, false},
        {"deployment", MODEL_DEPLOYMENT, false},
        {"stream", MODEL_STREAM, true},
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s directory-of-objects\n", argv[0]);
        return 2;
    }
    codec_init();
    printf("%-12s %6s %10s %10s %6s %8s %8s %9s %9s\n", "object", "bytes", "tree ns", "text ns",
           "times", "check ns", "frame ns", "tree heap", "kept");
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, TEXT_MAX);

        if (!load(argv[1], rows[i].name, &text))
            return 1;
        report(rows[i].name, rows[i].kind, rows[i].whole, ps_buf_get(&text));
    }
    return 0;
}
