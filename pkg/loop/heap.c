/* SPDX-License-Identifier: Apache-2.0 */
/* Binary heaps of things with a rank: the lowest rank first, among equals the first come. */
#include "internal.h"

bool loop__ranked_before(const struct loop__ranked *a, const struct loop__ranked *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->seq < b->seq;
}

static void place(struct loop__heap *heap, size_t at, struct loop__ranked *thing)
{
    heap->items[at] = thing;
    thing->at = at;
}

static void move_up(struct loop__heap *heap, struct loop__ranked *thing)
{
    size_t at = thing->at;

    while (at > 0 && loop__ranked_before(thing, heap->items[(at - 1) / 2])) {
        place(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(heap, at, thing);
}

static void move_down(struct loop__heap *heap, struct loop__ranked *thing)
{
    size_t at = thing->at;

    for (size_t child = 2 * at + 1; child < heap->count; child = 2 * at + 1) {
        if (child + 1 < heap->count &&
            loop__ranked_before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!loop__ranked_before(heap->items[child], thing))
            break;
        place(heap, at, heap->items[child]);
        at = child;
    }
    place(heap, at, thing);
}

void loop__heap_push(struct loop__heap *heap, struct loop__ranked *thing)
{
    if (heap->count == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 16;
        heap->items = ps_xrealloc(heap->items, heap->cap * sizeof(struct loop__ranked *));
    }
    thing->at = heap->count++;
    move_up(heap, thing);
}

void loop__heap_remove(struct loop__heap *heap, struct loop__ranked *thing)
{
    struct loop__ranked *last = heap->items[--heap->count];

    ps_assert(heap->items[thing->at] == thing || last == thing);
    if (last == thing)
        return;
    last->at = thing->at;
    move_up(heap, last);
    move_down(heap, last);
}

struct loop__ranked *loop__heap_first(const struct loop__heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

void loop__heap_fini(struct loop__heap *heap)
{
    ps_free(heap->items);
    *heap = (struct loop__heap){0};
}
