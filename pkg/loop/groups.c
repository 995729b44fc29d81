/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of a queue or of a gate: what is ready in each, and whose turn it is. A group never
 * gets more than half of the places that the others leave: whatever hangs in it, there is room for
 * the next one.
 */
#include "internal.h"

void loop__groups_init(struct loop__groups *groups)
{
    *groups = (struct loop__groups){0};
    ps_map_init(&groups->by_name);
}

/* Those above the ceiling share one, that of the empty name. */
static struct loop__group *named(struct loop__groups *groups, const char *name)
{
    struct loop__group *group = ps_map_get(&groups->by_name, name);

    if (group == NULL && groups->by_name.count >= LOOP_QUEUE_GROUPS_MAX) {
        name = "";
        group = ps_map_get(&groups->by_name, name);
    }
    if (group == NULL) {
        group = ps_xcalloc(1, sizeof(*group));
        group->name = ps_xstrdup(name);
        (void)ps_map_put(&groups->by_name, name, group);
    }
    return group;
}

struct loop__group *loop__group_take(struct loop__groups *groups, const char *name)
{
    struct loop__group *group = name ? named(groups, name) : &groups->none;

    group->users++;
    return group;
}

static void free_group(struct loop__group *group)
{
    loop__heap_fini(&group->ready);
    ps_free(group->name);
    ps_free(group);
}

void loop__group_drop(struct loop__groups *groups, struct loop__group *group)
{
    if (--group->users > 0 || group == &groups->none)
        return;
    ps_assert(group->running == 0 && group->ready.count == 0);
    (void)ps_map_remove(&groups->by_name, group->name);
    free_group(group);
}

void loop__groups_fini(struct loop__groups *groups)
{
    size_t at = 0;
    const char *name;
    void *value;

    while (ps_map_next(&groups->by_name, &at, &name, &value))
        free_group(value);
    loop__heap_fini(&groups->none.ready);
    ps_map_fini(&groups->by_name);
    ps_free(groups->busy);
}

/* ---- ready ---------------------------------------------------------------------------------- */

void loop__group_push(struct loop__groups *groups, struct loop__group *group,
                      struct loop__ranked *thing)
{
    if (group->ready.count == 0) {
        if (groups->busy_count == groups->busy_cap) {
            groups->busy_cap = groups->busy_cap ? groups->busy_cap * 2 : 8;
            groups->busy =
                ps_xrealloc(groups->busy, groups->busy_cap * sizeof(struct loop__group *));
        }
        group->at = groups->busy_count;
        groups->busy[groups->busy_count++] = group;
    }
    loop__heap_push(&group->ready, thing);
    groups->ready++;
}

void loop__group_remove(struct loop__groups *groups, struct loop__group *group,
                        struct loop__ranked *thing)
{
    loop__heap_remove(&group->ready, thing);
    groups->ready--;
    if (group->ready.count > 0)
        return;
    struct loop__group *last = groups->busy[--groups->busy_count];

    groups->busy[group->at] = last;
    last->at = group->at;
}

/* Half of what the others leave, rounded up; those without a group share no fate. */
static bool has_place(const struct loop__groups *groups, const struct loop__group *group,
                      size_t places, size_t running)
{
    const size_t left = places - (running - group->running);

    return group == &groups->none || group->running < (left + 1) / 2;
}

struct loop__ranked *loop__groups_first(const struct loop__groups *groups, size_t places,
                                        size_t running)
{
    struct loop__ranked *best = NULL;

    for (size_t i = 0; running < places && i < groups->busy_count; i++) {
        struct loop__ranked *first = loop__heap_first(&groups->busy[i]->ready);

        if (has_place(groups, groups->busy[i], places, running) &&
            (best == NULL || loop__ranked_before(first, best)))
            best = first;
    }
    return best;
}
