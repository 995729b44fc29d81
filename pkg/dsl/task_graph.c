/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph that SCDF draws of a task. A walk over the steps gives every sequence nodes and links
 * of its own; then those that transitions of the first one lead to are copied into it.
 *
 * Ids count along the walk, so the nodes of a sequence are a range of them: START first, END last.
 */
#include "dsl/internal.h"

#include <string.h>

/* Digits of a number, and a colon. */
#define KEY_EXTRA ((size_t)32)

/* A sequence holds a flow, and each split a flow. */
#define CONTEXTS_MAX (2 * (DSL_TASK_DEPTH_MAX + 1))

/* Nodes from which a link will go to what comes next. */
struct spot {
    struct spot *next;
    size_t node;
};

struct spots {
    struct spot *first, *last;
};

/* A flow or a split that the walk is in. */
struct dsl__context {
    size_t start;          /* what its first nodes are linked from */
    struct spots open;     /* its last nodes so far */
    struct spots exits;    /* of a flow: nodes of transitions, which lead to what comes after it */
    struct dsl__refs refs; /* of a flow: not resolved within it */
    size_t end, fail;      /* of a flow: its nodes $END and $FAIL, or DSL__NO_NODE */
    size_t flow;           /* its number, from 1 */
};

struct place {
    size_t node;
};

static void graph_fini(struct dsl__graph *g)
{
    ps_free(g->nodes);
    ps_free(g->flows);
    ps_free(g->links);
    ps_map_fini(&g->places);
    ps_buf_fini(&g->key);
}

/* ---- pieces -------------------------------------------------------------------------------- */

size_t dsl__add_node(struct dsl__graph *g, const char *name, const struct dsl_app *app)
{
    if (g->node_count == DSL_TASK_GRAPH_MAX) {
        g->full = true;
        return 0;
    }
    if (g->node_count == g->node_cap) {
        g->node_cap = g->node_cap ? g->node_cap * 2 : 16;
        g->nodes = ps_xrealloc(g->nodes, g->node_cap * sizeof(*g->nodes));
        g->flows = ps_xrealloc(g->flows, g->node_cap * sizeof(*g->flows));
    }
    const size_t id = g->node_count++;

    g->nodes[id] = (struct dsl_task_node){.id = id, .name = name, .app = app};
    g->flows[id] = 0;
    return id;
}

void dsl__add_link(struct dsl__graph *g, size_t from, size_t to, const char *status)
{
    if (g->link_count == DSL_TASK_GRAPH_MAX) {
        g->full = true;
        return;
    }
    if (g->link_count == g->link_cap) {
        g->link_cap = g->link_cap ? g->link_cap * 2 : 16;
        g->links = ps_xrealloc(g->links, g->link_cap * sizeof(*g->links));
    }
    g->links[g->link_count++] = (struct dsl_task_link){from, to, status};
}

static void add_spot(struct dsl__graph *g, struct spots *spots, size_t node)
{
    struct spot *spot = ps_arena_alloc(g->arena, sizeof(*spot));

    spot->node = node;
    if (spots->last != NULL) {
        spots->last->next = spot;
    } else {
        spots->first = spot;
    }
    spots->last = spot;
}

/* Moves all of `more` to the end. */
static void join_spots(struct spots *spots, struct spots *more)
{
    if (more->first == NULL)
        return;
    if (spots->last != NULL) {
        spots->last->next = more->first;
    } else {
        spots->first = more->first;
    }
    spots->last = more->last;
    *more = (struct spots){0};
}

void dsl__add_ref(struct dsl__refs *refs, struct dsl__ref *ref)
{
    ref->next = NULL;
    if (refs->last != NULL) {
        refs->last->next = ref;
    } else {
        refs->first = ref;
    }
    refs->last = ref;
}

static const char *place_key(struct dsl__graph *g, size_t flow, const char *label)
{
    ps_buf_clear(&g->key);
    ps_buf_printf(&g->key, "%zu:%s", flow, label);
    ps_assert(!ps_buf_failed(&g->key));
    return ps_buf_text(&g->key);
}

void dsl__set_place(struct dsl__graph *g, size_t flow, const char *label, size_t node)
{
    struct place *place = ps_arena_alloc(g->arena, sizeof(*place));

    place->node = node;
    (void)ps_map_put(&g->places, place_key(g, flow, label), place);
}

/* The app with that label in that flow, or DSL__NO_NODE. */
size_t dsl__get_place(struct dsl__graph *g, size_t flow, const char *label)
{
    const struct place *place = ps_map_get(&g->places, place_key(g, flow, label));

    return place != NULL ? place->node : DSL__NO_NODE;
}

/* ---- the walk ------------------------------------------------------------------------------ */

static struct dsl__context *here(struct dsl__graph *g)
{
    ps_assert(g->depth > 0);
    return &g->contexts[g->depth - 1];
}

static struct dsl__context *enter(struct dsl__graph *g, size_t start)
{
    ps_assert(g->depth < CONTEXTS_MAX);
    struct dsl__context *context = &g->contexts[g->depth++];

    *context = (struct dsl__context){.start = start, .end = DSL__NO_NODE, .fail = DSL__NO_NODE};
    return context;
}

static void link_open(struct dsl__graph *g, size_t to)
{
    struct dsl__context *context = here(g);

    if (context->open.first == NULL)
        dsl__add_link(g, context->start, to, NULL);
    for (const struct spot *spot = context->open.first; spot != NULL; spot = spot->next)
        dsl__add_link(g, spot->node, to, NULL);
    context->open = (struct spots){0};
}

static void begin_flow(struct dsl__graph *g, const struct dsl_task_step *step)
{
    if (g->depth == 0) {
        struct dsl__sequence *sequence = &g->sequences[g->sequence_count++];

        sequence->link = g->link_count;
        sequence->node = dsl__add_node(g, "START", NULL);
        sequence->label = step->label;
        sequence->flow = g->flow_count + 1;
        (void)enter(g, sequence->node);
    }
    struct dsl__context *flow = enter(g, here(g)->start);

    flow->flow = ++g->flow_count;
}

static void end_flow(struct dsl__graph *g)
{
    struct dsl__sequence *sequence = &g->sequences[g->sequence_count - 1];
    struct dsl__context *flow = here(g);

    for (struct dsl__ref *ref = flow->refs.first, *next; ref != NULL; ref = next) {
        next = ref->next;
        ref->exit = flow->open.first->node;
        dsl__add_ref(&sequence->refs, ref);
    }
    g->depth--;
    join_spots(&here(g)->open, &flow->open);
    join_spots(&here(g)->open, &flow->exits);
    if (g->depth > 1)
        return;
    link_open(g, g->node_count);
    sequence->node_end = dsl__add_node(g, "END", NULL) + 1;
    sequence->link_end = g->link_count;
    g->depth--;
}

static void begin_split(struct dsl__graph *g)
{
    const struct dsl__context *flow = here(g);
    size_t start = flow->start;

    if (flow->open.first != NULL)
        start = flow->open.first->node;
    if (flow->open.first != flow->open.last) {
        start = dsl__add_node(g, "SYNC", NULL);
        link_open(g, start);
    }
    (void)enter(g, start);
}

static void end_split(struct dsl__graph *g)
{
    struct spots open = here(g)->open;

    g->depth--;
    here(g)->open = open;
}

/* From the transitions of this flow that waited for the label. */
static void link_refs(struct dsl__graph *g, struct dsl__refs *refs, const char *label)
{
    struct dsl__refs rest = {0};

    for (struct dsl__ref *ref = refs->first, *next; ref != NULL; ref = next) {
        next = ref->next;
        if (ps_streq(ref->label, label)) {
            dsl__add_link(g, ref->from, g->app, ref->status);
        } else {
            dsl__add_ref(&rest, ref);
        }
    }
    *refs = rest;
}

static void visit_app(struct dsl__graph *g, const struct dsl_task_step *step)
{
    const struct dsl_app *app = &g->task->apps[step->app];
    struct dsl__context *flow = here(g);

    g->app = dsl__add_node(g, app->name, app);
    if (app->has_label && !g->full) {
        g->nodes[g->app].label = app->label;
        g->flows[g->app] = flow->flow;
        dsl__set_place(g, flow->flow, app->label, g->app);
        link_refs(g, &flow->refs, app->label);
    }
    link_open(g, g->app);
    add_spot(g, &flow->open, g->app);
}

/* $END and $FAIL are one node each in a flow, and nothing follows them. */
static void link_ending(struct dsl__graph *g, const struct dsl_task_step *step, size_t *node,
                        const char *name)
{
    if (*node == DSL__NO_NODE)
        *node = dsl__add_node(g, name, NULL);
    dsl__add_link(g, g->app, *node, step->status);
}

static void visit_target(struct dsl__graph *g, const struct dsl_task_step *step)
{
    const struct dsl_app *app = &g->task->apps[step->app];
    struct dsl__context *flow = here(g);

    if (ps_streq(app->name, "$END")) {
        link_ending(g, step, &flow->end, "$END");
        return;
    }
    if (ps_streq(app->name, "$FAIL")) {
        link_ending(g, step, &flow->fail, "$FAIL");
        return;
    }
    const size_t node = dsl__add_node(g, app->name, app);

    if (!g->full && app->has_label)
        g->nodes[node].label = app->label;
    dsl__add_link(g, g->app, node, step->status);
    add_spot(g, &flow->exits, node);
}

static void visit_reference(struct dsl__graph *g, const struct dsl_task_step *step)
{
    struct dsl__context *flow = here(g);
    const size_t node = dsl__get_place(g, flow->flow, step->label);

    if (node != DSL__NO_NODE) {
        dsl__add_link(g, g->app, node, step->status);
        return;
    }
    struct dsl__ref *ref = ps_arena_alloc(g->arena, sizeof(*ref));

    ref->from = g->app;
    ref->flow = flow->flow;
    ref->status = step->status;
    ref->label = step->label;
    dsl__add_ref(&flow->refs, ref);
}

static void visit(struct dsl__graph *g, const struct dsl_task_step *step)
{
    switch (step->kind) {
    case DSL_TASK_FLOW:
        begin_flow(g, step);
        return;
    case DSL_TASK_FLOW_END:
        end_flow(g);
        return;
    case DSL_TASK_SPLIT:
        begin_split(g);
        return;
    case DSL_TASK_SPLIT_END:
        end_split(g);
        return;
    case DSL_TASK_APP:
        visit_app(g, step);
        return;
    case DSL_TASK_TRANSITION:
        if (step->label != NULL) {
            visit_reference(g, step);
        } else {
            visit_target(g, step);
        }
        return;
    }
    ps_unreachable();
}

/* The first sequence, and what was added after the last. */
static struct dsl_task_graph *finished(const struct dsl__graph *g)
{
    const struct dsl__sequence *first = &g->sequences[0],
                               *last = &g->sequences[g->sequence_count - 1];
    struct dsl_task_graph *graph = ps_arena_alloc(g->arena, sizeof(*graph));
    const size_t more_nodes = g->node_count - last->node_end;
    const size_t more_links = g->link_count - last->link_end;
    const size_t nodes = first->node_end, links = first->link_end;

    graph->node_count = nodes + more_nodes;
    graph->nodes = ps_arena_array(g->arena, graph->node_count, sizeof(*graph->nodes));
    memcpy(graph->nodes, g->nodes, nodes * sizeof(*graph->nodes));
    memcpy(graph->nodes + nodes, g->nodes + last->node_end, more_nodes * sizeof(*graph->nodes));
    graph->link_count = links + more_links;
    graph->links = ps_arena_array(g->arena, graph->link_count, sizeof(*graph->links));
    memcpy(graph->links, g->links, links * sizeof(*graph->links));
    memcpy(graph->links + links, g->links + last->link_end, more_links * sizeof(*graph->links));
    return graph;
}

struct dsl_task_graph *dsl_task_graph(struct ps_arena *arena, const struct dsl_task *task)
{
    struct dsl__context contexts[CONTEXTS_MAX];
    PS_CLEANUP(graph_fini)
    struct dsl__graph g = {.arena = arena, .task = task, .contexts = contexts};

    ps_map_init(&g.places);
    ps_buf_init(&g.key, DSL_TEXT_MAX + KEY_EXTRA);
    g.sequences = ps_arena_array(arena, task->sequence_count, sizeof(*g.sequences));
    for (size_t i = 0; i < task->step_count && !g.full; i++)
        visit(&g, &task->steps[i]);
    if (g.full || !dsl__copy_sequences(&g))
        return NULL;
    return finished(&g);
}
