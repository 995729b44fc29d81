/* SPDX-License-Identifier: Apache-2.0 */
/* The app registry: lines to entries, and looking them up. */
#include "model/registry.h"

#include <string.h>

#define KEY_EXPECTED                                                                               \
    "expected <type>.<name>=<uri>, <type>.<name>.metadata=<uri> or "                               \
    "<type>.<name>.bootVersion=<version>"
#define TYPES        "app, source, processor, sink or task"
/* Of what a message repeats. */
#define QUOTE_MAX    80
/* Names further away than this are not meant. */
#define DISTANCE_MAX ((size_t)3)

/* An entry; those of one type and name are linked in the order of the texts. */
struct node {
    struct model_registry_entry entry;
    struct node *next_version;
    struct node *last_version; /* of a head */
    struct node *next_head;    /* of a head: another type or name */
};

/* A metadata line that waits for the end of its text. */
struct pending {
    struct pending *next;
    const char *key, *uri;
    struct ps_str version;
};

struct model_registry {
    struct ps_arena arena;
    struct ps_map heads;       /* "type.name" -> struct node, the default version */
    struct ps_map versions;    /* "type.name=version" -> struct node */
    struct node *first, *last; /* heads in the order of the texts */
    size_t count;
};

/* One text being read. */
struct reader {
    struct model_registry *reg;
    struct ps_arena arena; /* for this text only */
    const char *source;
    size_t line, problems;
    model_registry_on_problem *on_problem;
    void *self;
    struct pending *pending;
    bool full;
};

struct model_registry *model_registry_new(void)
{
    struct model_registry *reg = ps_xcalloc(1, sizeof(*reg));

    ps_arena_init(&reg->arena);
    ps_map_init(&reg->heads);
    ps_map_init(&reg->versions);
    return reg;
}

void model_registry_free(struct model_registry *reg)
{
    if (reg == NULL)
        return;
    ps_map_fini(&reg->heads);
    ps_map_fini(&reg->versions);
    ps_arena_fini(&reg->arena);
    ps_free(reg);
}

size_t model_registry_count(const struct model_registry *reg)
{
    return reg->count;
}

/* ---- reading ------------------------------------------------------------------------------- */

PS_PRINTF(2, 3) static void report(struct reader *reader, const char *fmt, ...)
{
    struct ps_err err;
    PS_AUTO_BUF(buf, sizeof(err.message));
    va_list ap;

    va_start(ap, fmt);
    ps_buf_vprintf(&buf, fmt, ap);
    va_end(ap);
    reader->problems++;
    if (reader->on_problem != NULL)
        reader->on_problem(reader->source, reader->line, ps_buf_text(&buf), reader->self);
}

static bool is_type(struct ps_str type)
{
    static const char *const types[] = {"app", "source", "processor", "sink", "task"};

    for (size_t i = 0; i < PS_ARRAY_LEN(types); i++) {
        if (ps_str_is(type, types[i]))
            return true;
    }
    return false;
}

/* What the stream DSL accepts as a name: others could never be used. */
static bool is_name(struct ps_str name)
{
    if (name.n == 0 || name.n > MODEL_REGISTRY_NAME_MAX || name.p[0] == '$' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '$' || c == '-'))
            return false;
    }
    return true;
}

static struct node *new_node(struct reader *reader, struct ps_str type, struct ps_str name,
                             struct ps_str uri, const struct model_app_uri *parts)
{
    struct ps_arena *arena = &reader->reg->arena;
    struct node *node = ps_arena_alloc(arena, sizeof(*node));

    node->entry = (struct model_registry_entry){
        .type = ps_arena_str(arena, type),
        .name = ps_arena_str(arena, name),
        .version = ps_arena_str(arena, parts->version),
        .uri = ps_arena_str(arena, uri),
        .image = parts->image.p != NULL ? ps_arena_str(arena, parts->image) : NULL,
        .source = ps_arena_str(arena, ps_str(reader->source)),
        .line = reader->line,
    };
    node->last_version = node;
    return node;
}

static void link_node(struct model_registry *reg, const char *key, struct node *node)
{
    struct node *head = ps_map_get(&reg->heads, key);

    reg->count++;
    if (head != NULL) {
        head->last_version->next_version = node;
        head->last_version = node;
        return;
    }
    (void)ps_map_put(&reg->heads, key, node);
    if (reg->last != NULL) {
        reg->last->next_head = node;
    } else {
        reg->first = node;
    }
    reg->last = node;
}

static void add_entry(struct reader *reader, struct ps_str type, struct ps_str name,
                      struct ps_str uri)
{
    struct model_registry *reg = reader->reg;
    struct model_app_uri parts;
    struct ps_err err;

    if (model_app_uri_parse(uri, &parts, &err) != 0) {
        report(reader, "%.*s.%.*s: %s", PS_STR_ARG(type), PS_STR_ARG(name), err.message);
        return;
    }
    if (reg->count == MODEL_REGISTRY_ENTRIES_MAX) {
        report(reader, "more than %zu entries: this line and all that follow are not read",
               MODEL_REGISTRY_ENTRIES_MAX);
        reader->full = true;
        return;
    }
    const char *key =
        ps_arena_printf(&reader->arena, "%.*s.%.*s", PS_STR_ARG(type), PS_STR_ARG(name));
    const char *full = ps_arena_printf(&reader->arena, "%s=%.*s", key, PS_STR_ARG(parts.version));
    const struct node *old = ps_map_get(&reg->versions, full);

    if (old != NULL) {
        report(reader, "%s: version %s is already registered by %s line %zu, which stays", key,
               old->entry.version, old->entry.source, old->entry.line);
        return;
    }
    struct node *node = new_node(reader, type, name, uri, &parts);

    (void)ps_map_put(&reg->versions, full, node);
    link_node(reg, key, node);
}

static void add_metadata(struct reader *reader, struct ps_str type, struct ps_str name,
                         struct ps_str uri)
{
    struct ps_arena *arena = &reader->arena;
    struct model_app_uri parts;
    struct ps_err err;

    if (model_app_uri_parse(uri, &parts, &err) != 0) {
        report(reader, "%.*s.%.*s.metadata: %s", PS_STR_ARG(type), PS_STR_ARG(name), err.message);
        return;
    }
    struct pending *wait = ps_arena_alloc(arena, sizeof(*wait));

    wait->key = ps_arena_printf(arena, "%.*s.%.*s=%.*s", PS_STR_ARG(type), PS_STR_ARG(name),
                                PS_STR_ARG(parts.version));
    wait->uri = ps_arena_str(arena, uri);
    wait->next = reader->pending;
    reader->pending = wait;
}

/* Metadata lines may stand before or after the app's; the last of several stays. */
static void pair_metadata(struct reader *reader)
{
    for (const struct pending *wait = reader->pending; wait != NULL; wait = wait->next) {
        struct node *node = ps_map_get(&reader->reg->versions, wait->key);

        if (node != NULL && node->entry.metadata == NULL &&
            ps_streq(node->entry.source, reader->source))
            node->entry.metadata = ps_arena_dup(&reader->reg->arena, wait->uri);
    }
}

/* The start of a key, cut between characters. */
static struct ps_str quote_of(struct ps_str key)
{
    size_t n = key.n < QUOTE_MAX ? key.n : QUOTE_MAX;

    while (n < key.n && n > 0 && ((unsigned char)key.p[n] & 0xC0) == 0x80)
        n--;
    return ps_str_head(key, n);
}

static void add_pair(struct reader *reader, struct ps_str key, struct ps_str value)
{
    const struct ps_str quoted = quote_of(key);
    struct ps_str rest = key, type = {0}, name = {0};

    (void)ps_str_split(&rest, '.', &type);
    (void)ps_str_split(&rest, '.', &name);
    if (!is_type(type)) {
        report(reader, "'%.*s': expected <type>.<name> with a type of " TYPES, PS_STR_ARG(quoted));
    } else if (!is_name(name)) {
        report(reader,
               "'%.*s': expected a name of up to %zu letters, digits and _ $ - after the type",
               PS_STR_ARG(quoted), MODEL_REGISTRY_NAME_MAX);
    } else if (value.n == 0) {
        report(reader, "'%.*s': expected a value after the =", PS_STR_ARG(quoted));
    } else if (key.n == type.n + 1 + name.n) {
        add_entry(reader, type, name, value);
    } else if (ps_str_is(rest, "metadata")) {
        add_metadata(reader, type, name, value);
    } else if (!ps_str_is(rest, "bootVersion")) {
        report(reader, "'%.*s': " KEY_EXPECTED, PS_STR_ARG(quoted));
    }
}

static void add_line(struct reader *reader, struct ps_str line)
{
    if (line.n > MODEL_REGISTRY_LINE_MAX) {
        report(reader, "the line is longer than %zu bytes", MODEL_REGISTRY_LINE_MAX);
        return;
    }
    line = ps_str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return;
    const ptrdiff_t equals = ps_str_index(line, '=');

    if (equals < 0) {
        report(reader, "no = found: " KEY_EXPECTED);
    } else {
        add_pair(reader, ps_str_trim(ps_str_head(line, (size_t)equals)),
                 ps_str_trim(ps_str_skip(line, (size_t)equals + 1)));
    }
}

size_t model_registry_add(struct model_registry *reg, const char *source, struct ps_str text,
                          model_registry_on_problem *on_problem, void *self)
{
    struct reader reader = {.reg = reg, .source = source, .on_problem = on_problem, .self = self};
    struct ps_str line;

    ps_arena_init(&reader.arena);
    while (!reader.full && ps_str_split(&text, '\n', &line)) {
        reader.line++;
        add_line(&reader, line);
    }
    pair_metadata(&reader);
    ps_arena_fini(&reader.arena);
    return reader.problems;
}

/* ---- asking -------------------------------------------------------------------------------- */

static const struct node *head_of(const struct model_registry *reg, const char *type,
                                  const char *name)
{
    PS_AUTO_BUF(key, MODEL_REGISTRY_LINE_MAX);

    ps_buf_printf(&key, "%s.%s", type, name);
    return ps_buf_failed(&key) ? NULL : ps_map_get(&reg->heads, ps_buf_text(&key));
}

const struct model_registry_entry *model_registry_find(const struct model_registry *reg,
                                                       const char *type, const char *name,
                                                       const char *version)
{
    const struct node *node = head_of(reg, type, name);

    while (node != NULL && version != NULL && !ps_streq(node->entry.version, version))
        node = node->next_version;
    return node != NULL ? &node->entry : NULL;
}

void model_registry_versions(const struct model_registry *reg, const char *type, const char *name,
                             struct ps_buf *out)
{
    size_t listed = 0;

    for (const struct node *node = head_of(reg, type, name); node != NULL;
         node = node->next_version) {
        ps_buf_str(out, listed > 0 ? ", " : "");
        if (listed++ == MODEL_REGISTRY_VERSIONS_MAX) {
            ps_buf_str(out, "…");
            return;
        }
        ps_buf_str(out, node->entry.version);
    }
}

static size_t least(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters to insert, remove or change to make one from the other; more than DISTANCE_MAX is not
 * exact. */
static size_t distance(struct ps_str a, struct ps_str b)
{
    size_t row[MODEL_REGISTRY_NAME_MAX + 1];

    if (a.n > b.n + DISTANCE_MAX || b.n > a.n + DISTANCE_MAX || b.n > MODEL_REGISTRY_NAME_MAX)
        return DISTANCE_MAX + 1;
    for (size_t k = 0; k <= b.n; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0], best = i;

        row[0] = i;
        for (size_t k = 1; k <= b.n; k++) {
            const size_t above = row[k];

            row[k] = least(above + 1, row[k - 1] + 1, diagonal + (a.p[i - 1] != b.p[k - 1]));
            diagonal = above;
            best = row[k] < best ? row[k] : best;
        }
        if (best > DISTANCE_MAX)
            return best;
    }
    return row[b.n];
}

void model_registry_candidates(const struct model_registry *reg, const char *name,
                               struct ps_buf *out)
{
    const struct ps_str wanted = ps_str(name);
    size_t listed = 0;

    /* By distance, 0 first: the same name as another type. A few thousand names are compared in
     * milliseconds, and only for a message. */
    for (size_t far = 0; far <= DISTANCE_MAX; far++) {
        for (const struct node *node = reg->first; node != NULL; node = node->next_head) {
            const struct ps_str other = ps_str(node->entry.name);

            /* A name that has no letter in common with the wanted one is not near it. */
            if (distance(wanted, other) != far || (far > 0 && far >= wanted.n))
                continue;
            if (listed++ == MODEL_REGISTRY_CANDIDATES_MAX)
                return;
            ps_buf_str(out, listed > 1 ? ", " : "");
            ps_buf_printf(out, "%s.%s", node->entry.type, node->entry.name);
        }
    }
}
