/* SPDX-License-Identifier: Apache-2.0 */
/* Projections: the few fields of an object that decisions need, in one block of memory. What they
 * are read from is in object_read.c. */
#include "model/internal.h"

#include <string.h>

/* Texts longer than this are cut: they are names, or words for people. */
#define TEXT_MAX     ((size_t)1024)
/* As much of its last words as the kubelet keeps of a container: kubernetes.io, "Customizing the
 * termination message". */
#define OUTPUT_MAX   ((size_t)4096)
/* The manifest is as long as the stream has objects. */
#define MANIFEST_MAX ((size_t)256 * 1024)

/* Whose text it is: kinds share the room of what they don't have in common. */
enum owner {
    EVERYBODY,
    OURSELVES, /* our own kinds */
    WORKLOADS,
    REVISIONS,
    JOBS,
    PODS,
    NAMESPACES,
};

/* Where a text stands in the projection. */
struct text_field {
    size_t offset, max;
    enum owner owner;
};

/* With its NUL; 0 when there is no text. Cuts at a character's boundary. */
static size_t text_length(const char *text, size_t max)
{
    if (text == NULL)
        return 0;
    size_t n = strnlen(text, max);

    if (n == max && text[n] != '\0') {
        while (n > 0 && ((unsigned char)text[n] & 0xC0U) == 0x80U)
            n--;
    }
    return n + 1;
}

/* The texts of projections: all their pointers but `cluster`, which is not their own. */
static const struct text_field texts[] = {
#define F(member, max, owner)                                                                      \
    {                                                                                              \
        offsetof(struct model_object, member), max, owner                                          \
    }
    F(namespace, TEXT_MAX, EVERYBODY),
    F(name, TEXT_MAX, EVERYBODY),
    F(uid, TEXT_MAX, EVERYBODY),
    F(rv, TEXT_MAX, EVERYBODY),
    F(owner, TEXT_MAX, EVERYBODY),
    F(owner_uid, TEXT_MAX, EVERYBODY),
    F(app, TEXT_MAX, EVERYBODY),
    F(replicas_before_suspend, TEXT_MAX, WORKLOADS),
    F(failure_reason, TEXT_MAX, WORKLOADS),
    F(failure_message, TEXT_MAX, WORKLOADS),
    F(spec_hash, TEXT_MAX, REVISIONS),
    F(render_hash, TEXT_MAX, REVISIONS),
    F(manifest, MANIFEST_MAX, REVISIONS),
    F(app_id, TEXT_MAX, EVERYBODY),
    F(phase, TEXT_MAX, EVERYBODY),
    F(cause, TEXT_MAX, PODS),
    F(cause_message, OUTPUT_MAX, PODS),
    F(redeploy, TEXT_MAX, REVISIONS),
    F(body_hash, TEXT_MAX, EVERYBODY),
    F(fixed_hash, TEXT_MAX, WORKLOADS),
    F(installation, TEXT_MAX, EVERYBODY),
    F(account_uid, TEXT_MAX, EVERYBODY),
    F(platform, TEXT_MAX, OURSELVES),
    F(stream_name, TEXT_MAX, OURSELVES),
    F(platforms, MODEL__PLATFORMS_MAX, OURSELVES),
    F(clusters, MODEL__PLATFORMS_MAX, OURSELVES),
    F(end_reason, TEXT_MAX, JOBS),
    F(end_message, TEXT_MAX, JOBS),
    F(deadline, TEXT_MAX, JOBS),
    F(image, TEXT_MAX, JOBS),
    F(labels, MODEL__LABELS_MAX, NAMESPACES),
#undef F
};

static enum owner owner_of(enum model_kind kind)
{
    static const enum owner owners[MODEL_KIND_COUNT] = {
        [MODEL_ACCOUNT] = OURSELVES,
        [MODEL_STREAM] = OURSELVES,
        [MODEL_TASK] = OURSELVES,
        [MODEL_NAMESPACE] = NAMESPACES,
        [MODEL_DEPLOYMENT] = WORKLOADS,
        [MODEL_STATEFUL_SET] = WORKLOADS,
        [MODEL_REVISION] = REVISIONS,
        [MODEL_JOB] = JOBS,
        [MODEL_POD] = PODS,
    };

    return owners[kind];
}

static bool has_text(const struct model_object *o, size_t i)
{
    return texts[i].owner == EVERYBODY || texts[i].owner == owner_of(o->kind);
}

/* NULL also when its kind has no such text. */
static const char *text_at(const struct model_object *o, size_t i)
{
    const char *text;

    if (!has_text(o, i))
        return NULL;

    memcpy(&text, (const char *)o + texts[i].offset, sizeof(text));
    return text;
}

static void set_text(struct model_object *o, size_t i, const char *text)
{
    memcpy((char *)o + texts[i].offset, &text, sizeof(text));
}

struct model_object *model__pack(const struct model_object *from)
{
    size_t size = sizeof(*from);

    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++)
        size += text_length(text_at(from, i), texts[i].max);
    struct model_object *o = ps_xmalloc(size);
    char *at = (char *)(o + 1);

    memcpy(o, from, sizeof(*o));
    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++) {
        const size_t n = text_length(text_at(from, i), texts[i].max);

        if (n == 0)
            continue;
        memcpy(at, text_at(from, i), n - 1);
        at[n - 1] = '\0';
        set_text(o, i, at);
        at += n;
    }
    return o;
}

/* Projections begin as zeroes, also between their members, and are copied whole. */
static bool equal_bytes(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

bool model_object_same(const struct model_object *a, const struct model_object *b)
{
    struct model_object plain_a, plain_b;

    memcpy(&plain_a, a, sizeof(plain_a));
    memcpy(&plain_b, b, sizeof(plain_b));
    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++) {
        const bool is_version = texts[i].offset == offsetof(struct model_object, rv);

        if (!has_text(a, i))
            continue;
        if (!is_version && !ps_streq(text_at(a, i), text_at(b, i)))
            return false;
        set_text(&plain_a, i, NULL);
        set_text(&plain_b, i, NULL);
    }
    return equal_bytes(&plain_a, &plain_b, sizeof(plain_a));
}

bool model_names_platform(const struct model_object *user, const char *platform)
{
    return model_names_has(user->platforms, platform);
}

bool model_names_has(const char *names, const char *name)
{
    struct ps_str rest = ps_str(names), part;

    while (ps_str_split(&rest, ',', &part)) {
        if (ps_str_is(part, name))
            return true;
    }
    return false;
}
