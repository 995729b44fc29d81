/* SPDX-License-Identifier: Apache-2.0 */
/* What a job has learned: facts read live, and operations that failed. */
#include "exec/internal.h"

static char *own(const char *text)
{
    return text ? ps_xstrdup(text) : NULL;
}

static void free_text(const char *text)
{
    ps_free((void *)(uintptr_t)text);
}

static void drop_object(const struct json_t *object)
{
    js_unref((struct json_t *)(uintptr_t)object);
}

void exec__memory_clear(struct exec__memory *memory)
{
    for (size_t i = 0; i < memory->fact_count; i++) {
        free_text(memory->facts[i].namespace);
        free_text(memory->facts[i].name);
        free_text(memory->facts[i].cluster);
        drop_object(memory->facts[i].object);
    }
    for (size_t i = 0; i < memory->trouble_count; i++) {
        free_text(memory->troubles[i].namespace);
        free_text(memory->troubles[i].name);
        free_text(memory->troubles[i].reason);
        free_text(memory->troubles[i].message);
        free_text(memory->troubles[i].cluster);
    }
    ps_free(memory->facts);
    ps_free(memory->troubles);
    *memory = (struct exec__memory){0};
}

static struct plan_fact *find(struct exec__memory *memory, const struct plan_need *at)
{
    for (size_t i = 0; i < memory->fact_count; i++) {
        struct plan_fact *fact = &memory->facts[i];

        if (fact->kind == at->kind && ps_streq(fact->namespace, at->namespace) &&
            ps_streq(fact->name, at->name) && ps_streq(fact->cluster, at->cluster))
            return fact;
    }
    return NULL;
}

void exec__memory_fact(struct exec__memory *memory, const struct plan_need *at,
                       struct json_t *object)
{
    struct plan_fact *fact = find(memory, at);

    if (fact == NULL && memory->fact_count == EXEC__FACTS_MAX)
        return; /* the planner asks again in a later job */
    if (fact == NULL) {
        memory->facts =
            ps_xrealloc(memory->facts, (memory->fact_count + 1) * sizeof(*memory->facts));
        fact = &memory->facts[memory->fact_count++];
        *fact = (struct plan_fact){.kind = at->kind,
                                   .namespace = own(at->namespace),
                                   .name = own(at->name),
                                   .cluster = own(at->cluster)};
    }
    drop_object(fact->object);
    fact->seen = object ? PLAN_PRESENT : PLAN_ABSENT;
    fact->object = object ? js_ref(object) : NULL;
}

void exec__memory_trouble(struct exec__memory *memory, const struct plan_op *op,
                          const struct kube_response *response)
{
    if (memory->trouble_count == EXEC__TROUBLES_MAX)
        return;
    memory->troubles =
        ps_xrealloc(memory->troubles, (memory->trouble_count + 1) * sizeof(*memory->troubles));
    memory->troubles[memory->trouble_count++] = (struct plan_trouble){
        .kind = op->kind,
        .namespace = own(op->namespace),
        .name = own(op->name),
        .code = response->code,
        .reason = own(response->reason ? response->reason : ""),
        .message = own(response->err.message),
        .cluster = own(op->cluster),
    };
}
