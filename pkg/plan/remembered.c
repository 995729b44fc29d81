/* SPDX-License-Identifier: Apache-2.0 */
/* Rendering makes half of a pass, and most passes are about something else: a pod, a count. While
 * nothing has changed of what was rendered, the caller's note of it stands in for the bodies. Where
 * these are needed after all, they are rendered. */
#include "plan/pass.h"

#include <stdlib.h>
#include <string.h>

/* Parts are parted, and "nothing" is no empty text. */
static uint64_t mix(uint64_t hash, const char *text)
{
    const uint64_t parts[] = {hash, text ? ps_hash(text, strlen(text)) : 0};

    return ps_hash(parts, sizeof(parts));
}

static uint64_t mix_child(uint64_t hash, const struct model_object *child)
{
    const uint64_t parts[] = {hash, (uint64_t)child->kind, child->deleting};

    hash = ps_hash(parts, sizeof(parts));
    hash = mix(hash, child->cluster);
    hash = mix(hash, child->namespace);
    hash = mix(hash, child->name);
    hash = mix(hash, child->app);
    return mix(hash, child->fixed_hash);
}

/* The caller's sources, and the revision in force. */
static uint64_t mix_revision(const struct plan__pass *pass, int64_t number, const char *render_hash,
                             const char *manifest)
{
    const uint64_t parts[] = {pass->s->sources, (uint64_t)number};

    return mix(mix(ps_hash(parts, sizeof(parts)), render_hash), manifest);
}

/* All that decides what is rendered and under which names; 0: not known. */
static uint64_t inputs_of(const struct plan__pass *pass, int64_t number)
{
    if (pass->s->sources == 0 || pass->current == NULL)
        return 0;
    uint64_t hash = mix_revision(pass, number, pass->current->render_hash, pass->current->manifest);

    for (size_t i = 0; i < pass->own_count; i++) {
        if (pass->own[i]->kind != MODEL_REVISION)
            hash = mix_child(hash, pass->own[i]);
    }
    return hash;
}

/* Who is missing is made from its body, and told of by it. */
static bool all_are_there(const struct plan__pass *pass, const struct plan__objects *current)
{
    for (size_t i = 0; i < current->count; i++) {
        const struct plan__object *o = &current->items[i];

        if (plan__own_child(pass, o) == NULL)
            return false;
    }
    return current->count > 0;
}

bool plan__remembers(struct plan__pass *pass, const struct plan__objects *current, int64_t number)
{
    const uint64_t inputs = inputs_of(pass, number);

    if (inputs == 0 || inputs != pass->s->rendered || !all_are_there(pass, current) ||
        strlen(pass->current->render_hash) + 1 != sizeof(current->hash))
        return false;
    pass->fresh = *current;
    pass->next = number;
    memcpy(pass->fresh.hash, pass->current->render_hash, sizeof(pass->fresh.hash));
    pass->remembered = true;
    return true;
}

void plan__remember(struct plan__pass *pass, int64_t number)
{
    pass->plan->rendered = inputs_of(pass, number);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct model_object *)a)->name, ((const struct model_object *)b)->name);
}

void plan__remember_first(struct plan__pass *pass, const struct json_t *revision, int64_t number)
{
    const struct json_t *annotations = js_path(revision, "metadata.annotations");
    const size_t count = pass->fresh.count;
    struct model_object *children = ps_arena_array(pass->arena, count, sizeof(*children));
    uint64_t hash = mix_revision(pass, number + 1, pass->fresh.hash,
                                 js_str(js_get(annotations, MODEL_ANNOTATION_MANIFEST)));

    if (pass->s->sources == 0 || count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct plan__object *o = &pass->fresh.items[i];

        children[i] = (struct model_object){
            .kind = o->kind, .namespace = o->namespace, .name = o->name, .app = o->app};
        if (o->kind == MODEL_STATEFUL_SET)
            children[i].fixed_hash = plan__fixed_hash(pass->arena, o->body);
    }
    qsort(children, count, sizeof(*children), by_name);
    for (size_t i = 0; i < count; i++)
        hash = mix_child(hash, &children[i]);
    pass->plan->rendered = hash;
}
