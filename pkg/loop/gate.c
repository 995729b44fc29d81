/* SPDX-License-Identifier: Apache-2.0 */
/* A gate: so many at once, and none of them all for one group. */
#include "internal.h"

struct loop_gate {
    size_t places, running;
    uint64_t seq;
    struct loop__groups groups;
    bool closed;
};

struct loop_ticket {
    struct loop__ranked place; /* while it waits; all ranks are equal: first come, first served */
    struct loop_gate *gate;
    struct loop__group *group;
    loop_gate_fn *go;
    void *self;
    bool inside;
};

struct loop_gate *loop_gate_new(size_t places)
{
    struct loop_gate *gate = ps_xcalloc(1, sizeof(*gate));

    ps_assert(places > 0);
    gate->places = places;
    loop__groups_init(&gate->groups);
    return gate;
}

void loop_gate_free(struct loop_gate *gate)
{
    if (gate == NULL)
        return;
    ps_assert(gate->running == 0 && gate->groups.ready == 0);
    loop__groups_fini(&gate->groups);
    ps_free(gate);
}

static void let_in(struct loop_gate *gate)
{
    struct loop__ranked *first;

    while (!gate->closed &&
           (first = loop__groups_first(&gate->groups, gate->places, gate->running)) != NULL) {
        struct loop_ticket *ticket = PS_CONTAINER_OF(first, struct loop_ticket, place);

        loop__group_remove(&gate->groups, ticket->group, &ticket->place);
        ticket->inside = true;
        ticket->group->running++;
        gate->running++;
        ticket->go(ticket->self);
    }
}

struct loop_ticket *loop_gate_enter(struct loop_gate *gate, const char *group, loop_gate_fn *go,
                                    void *self)
{
    struct loop_ticket *ticket = ps_xcalloc(1, sizeof(*ticket));

    ticket->gate = gate;
    ticket->group = loop__group_take(&gate->groups, group);
    ticket->place.seq = gate->seq++;
    ticket->go = go;
    ticket->self = self;
    loop__group_push(&gate->groups, ticket->group, &ticket->place);
    let_in(gate);
    return ticket;
}

void loop_gate_leave(struct loop_ticket *ticket)
{
    if (ticket == NULL)
        return;
    struct loop_gate *gate = ticket->gate;

    if (ticket->inside) {
        ticket->group->running--;
        gate->running--;
    } else {
        loop__group_remove(&gate->groups, ticket->group, &ticket->place);
    }
    loop__group_drop(&gate->groups, ticket->group);
    ps_free(ticket);
    let_in(gate);
}

void loop_gate_close(struct loop_gate *gate)
{
    gate->closed = true;
}
