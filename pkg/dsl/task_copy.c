/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies into the first sequence of those that its transitions lead to, and of those that the
 * copies lead to: links to their START come from the transitions, links to their END go where the
 * flow of the transition goes.
 */
#include "dsl/internal.h"

#include <string.h>

/* SCDF gives up then: sequences may lead to each other in circles. */
#define COPIES_MAX 50

/* NULL for labels that begin no sequence, and for that of the first: SCDF draws no graph then. */
static const struct dsl__sequence *find_sequence(const struct dsl__graph *g, const char *label)
{
    for (size_t i = 1; i < g->sequence_count; i++) {
        if (ps_streq(g->sequences[i].label, label))
            return &g->sequences[i];
    }
    return NULL;
}

/* The first ref of the list and those that lead to the same place. */
static struct dsl__refs take_alike(struct dsl__refs *refs)
{
    const struct dsl__ref *model = refs->first;
    struct dsl__refs alike = {0}, rest = {0};

    for (struct dsl__ref *ref = refs->first, *next; ref != NULL; ref = next) {
        next = ref->next;
        dsl__add_ref(
            ref->flow == model->flow && ps_streq(ref->label, model->label) ? &alike : &rest, ref);
    }
    *refs = rest;
    return alike;
}

/* The links of the first sequence, copies included, that leave the node. */
struct leaving {
    struct dsl_task_link *list; /* in the arena */
    size_t count;
};

static void add_leaving(struct dsl__graph *g, struct leaving *leaving, size_t node, size_t from,
                        size_t end)
{
    size_t n = 0;

    for (size_t i = from; i < end; i++)
        n += g->links[i].from == node ? 1 : 0;
    if (n == 0)
        return;
    struct dsl_task_link *list =
        ps_arena_array(g->arena, leaving->count + n, sizeof(*leaving->list));

    if (leaving->count > 0)
        memcpy(list, leaving->list, leaving->count * sizeof(*list));
    leaving->list = list;
    for (size_t i = from; i < end; i++) {
        if (g->links[i].from == node)
            leaving->list[leaving->count++] = g->links[i];
    }
}

/* The number that is added to an id of the sequence to get that of its copy. */
static size_t copy_nodes(struct dsl__graph *g, const struct dsl__sequence *sequence, size_t flow)
{
    const size_t shift = g->node_count - (sequence->node + 1);

    for (size_t id = sequence->node + 1; id + 1 < sequence->node_end && !g->full; id++) {
        const char *label = g->nodes[id].label;

        /* As in SCDF, copies show no labels. */
        (void)dsl__add_node(g, g->nodes[id].name, g->nodes[id].app);
        if (g->flows[id] == sequence->flow)
            dsl__set_place(g, flow, label, id + shift);
    }
    return shift;
}

/* Enters by the refs instead of START, and leaves to where their flow leads instead of END. */
static void copy_links(struct dsl__graph *g, const struct dsl__sequence *sequence, size_t shift,
                       const struct dsl__refs *refs)
{
    const struct dsl__sequence *first = &g->sequences[0];
    const size_t copies = g->sequences[g->sequence_count - 1].link_end;
    const size_t exit = refs->first->exit;
    struct leaving leaving = {0};
    size_t seen = copies; /* the links up to here were looked through */

    add_leaving(g, &leaving, exit, first->link, first->link_end);
    for (size_t i = sequence->link; i < sequence->link_end && !g->full; i++) {
        const struct dsl_task_link link = g->links[i];

        if (link.from == sequence->node) {
            for (const struct dsl__ref *ref = refs->first; ref != NULL; ref = ref->next)
                dsl__add_link(g, ref->from, link.to + shift, ref->status);
        } else if (link.to + 1 == sequence->node_end) {
            add_leaving(g, &leaving, exit, seen, g->link_count);
            seen = g->link_count;
            for (size_t k = 0; k < leaving.count && !g->full; k++)
                dsl__add_link(g, link.from + shift, leaving.list[k].to, leaving.list[k].transition);
        } else {
            dsl__add_link(g, link.from + shift, link.to + shift, link.transition);
        }
    }
}

static void copy_sequence(struct dsl__graph *g, const struct dsl__sequence *sequence,
                          struct dsl__refs *main, const struct dsl__refs *refs)
{
    const size_t shift = copy_nodes(g, sequence, refs->first->flow);

    if (g->full)
        return;
    copy_links(g, sequence, shift, refs);
    for (const struct dsl__ref *ref = sequence->refs.first; ref != NULL; ref = ref->next) {
        struct dsl__ref *copy = ps_arena_alloc(g->arena, sizeof(*copy));

        *copy = *ref;
        copy->from += shift;
        copy->flow = refs->first->flow;
        copy->exit = refs->first->exit;
        dsl__add_ref(main, copy);
    }
}

/* Links those whose label is in their flow by now, and takes them off the list. */
static void resolve(struct dsl__graph *g, struct dsl__refs *refs)
{
    struct dsl__refs rest = {0};

    for (struct dsl__ref *ref = refs->first, *next; ref != NULL; ref = next) {
        const size_t node = dsl__get_place(g, ref->flow, ref->label);

        next = ref->next;
        if (node != DSL__NO_NODE) {
            dsl__add_link(g, ref->from, node, ref->status);
        } else {
            dsl__add_ref(&rest, ref);
        }
    }
    *refs = rest;
}

bool dsl__copy_sequences(struct dsl__graph *g)
{
    struct dsl__refs *main = &g->sequences[0].refs;

    for (int i = 0; i < COPIES_MAX && main->first != NULL; i++) {
        const struct dsl__refs alike = take_alike(main);

        ps_assert(alike.first != NULL);
        const struct dsl__sequence *sequence = find_sequence(g, alike.first->label);

        if (sequence == NULL)
            return false;
        copy_sequence(g, sequence, main, &alike);
        resolve(g, main);
        if (g->full)
            return false;
    }
    return true;
}
