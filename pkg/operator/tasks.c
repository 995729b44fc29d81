/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of a launch's pass, and who waits for a slot. */
#include "operator/internal.h"

/* The Job that the status names may be gone, and its pod not yet: no other attempt starts before.
 */
static void add_pods_of_lost_job(struct operator__snapshot *snapshot, struct controller *op)
{
    const struct json_t *step = js_at(js_path(snapshot->cr, "status.steps"), 0);
    const char *platform = js_path_str(step, "platform");
    const struct plan_need job = {
        .kind = MODEL_JOB,
        .namespace = js_path_str(step, "resource.namespace"),
        .name = js_path_str(step, "resource.name"),
        .cluster = platform && operator__cluster_get(op, platform) ? platform : NULL,
    };

    for (size_t i = 0; i < snapshot->s.child_count; i++) {
        if (ps_streq(snapshot->s.children[i]->name, job.name))
            return;
    }
    if (job.namespace != NULL && job.name != NULL)
        operator__snapshot_pods(snapshot, op, &job);
}

struct plan *operator__plan_task(struct controller *op, const char *namespace, const char *name,
                                 const struct operator__evidence *evidence)
{
    static const enum model_kind kinds[] = {MODEL_JOB};
    const struct operator__about about = {.kind = MODEL_TASK,
                                          .namespace = namespace,
                                          .name = name,
                                          .child_kinds = kinds,
                                          .child_kind_count = PS_ARRAY_LEN(kinds),
                                          .evidence = evidence};
    PS_CLEANUP(operator__snapshot_fini) struct operator__snapshot snapshot;

    operator__snapshot_init(&snapshot, op, &about);
    operator__snapshot_platform(&snapshot, op);
    add_pods_of_lost_job(&snapshot, op);
    snapshot.s.slots = operator__slots_of(&op->slots, namespace, name);
    struct plan *plan = plan_task(&snapshot.s);

    /* Now, before its writes: the next plan must see that this slot is taken. */
    operator__slots_planned(&op->slots, namespace, name, plan);
    return plan;
}

void operator__task_changed(struct controller *op, const struct model_object *before,
                            const struct model_object *after, bool essential)
{
    const struct model_object *task = after ? after : before;

    ps_assert(task != NULL);
    if (after != NULL) {
        operator__slots_see(&op->slots, after);
    } else {
        operator__slots_forget(&op->slots, before->namespace, before->name);
    }
    operator__recount_users(op, before, after);
    if (essential)
        operator__enqueue(op, task, LOOP_CHANGED);
}

void operator__task_ended(struct controller *op, const struct operator__key *key, bool failed,
                          bool in_doubt)
{
    const struct operator__entry *entry =
        operator__store_get(&op->stores[MODEL_TASK], key->namespace, key->name);

    if (entry != NULL)
        operator__slots_ended(&op->slots, entry->object, failed, in_doubt);
}

static void on_next(void *self, const char *namespace, const char *name)
{
    operator__enqueue_after(self, MODEL_TASK, namespace, name, LOOP_WOKEN, 0);
}

void operator__slots_changed(void *self, const char *account, bool freed)
{
    struct controller *op = self;
    const struct operator__line *line = operator__slots_line(&op->slots, account);

    if (!op->synced)
        return;
    if (line->unjudged == 0) /* else the numbers are not known yet */
        operator__recount(op, account);
    if (!freed)
        return;
    const struct operator__account *a = operator__account_get(op, account);

    if (a != NULL)
        operator__slots_next(&op->slots, account, a->account->max_tasks, on_next);
}
