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

/* Where a text stands in the projection. */
struct text_field {
    size_t offset, max;
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

/* The texts of a projection: all its pointers. */
static const struct text_field texts[] = {
#define F(member, max)                                                                             \
    {                                                                                              \
        offsetof(struct model_object, member), max                                                 \
    }
    F(namespace, TEXT_MAX),
    F(name, TEXT_MAX),
    F(uid, TEXT_MAX),
    F(rv, TEXT_MAX),
    F(owner, TEXT_MAX),
    F(owner_uid, TEXT_MAX),
    F(app, TEXT_MAX),
    F(replicas_before_suspend, TEXT_MAX),
    F(failure_reason, TEXT_MAX),
    F(failure_message, TEXT_MAX),
    F(spec_hash, TEXT_MAX),
    F(render_hash, TEXT_MAX),
    F(manifest, MANIFEST_MAX),
    F(app_id, TEXT_MAX),
    F(phase, TEXT_MAX),
    F(cause, TEXT_MAX),
    F(cause_message, OUTPUT_MAX),
    F(redeploy, TEXT_MAX),
    F(body_hash, TEXT_MAX),
    F(fixed_hash, TEXT_MAX),
    F(installation, TEXT_MAX),
    F(platform, TEXT_MAX),
    F(stream_name, TEXT_MAX),
    F(platforms, MODEL__PLATFORMS_MAX),
    F(end_reason, TEXT_MAX),
    F(end_message, TEXT_MAX),
    F(deadline, TEXT_MAX),
    F(image, TEXT_MAX),
    F(labels, MODEL__LABELS_MAX),
#undef F
};

static const char *text_at(const struct model_object *o, size_t i)
{
    const char *text;

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

        if (!is_version && !ps_streq(text_at(a, i), text_at(b, i)))
            return false;
        set_text(&plain_a, i, NULL);
        set_text(&plain_b, i, NULL);
    }
    return equal_bytes(&plain_a, &plain_b, sizeof(plain_a));
}

bool model_names_platform(const struct model_object *user, const char *platform)
{
    struct ps_str rest = ps_str(user->platforms), name;

    while (ps_str_split(&rest, ',', &name)) {
        if (ps_str_is(name, platform))
            return true;
    }
    return false;
}
