/* SPDX-License-Identifier: Apache-2.0 */
/* Doubts: objects whose last write had no answer, by key. They outlive the job. */
#include "exec/internal.h"

static char *own(const char *text)
{
    return text ? ps_xstrdup(text) : NULL;
}

void exec__doubt_add(struct exec *exec, const char *key, const struct plan_need *at)
{
    struct exec__doubts *doubts = ps_map_get(&exec->doubts, key);

    if (doubts == NULL) {
        doubts = ps_xcalloc(1, sizeof(*doubts));
        (void)ps_map_put(&exec->doubts, key, doubts);
    }
    doubts->items = ps_xrealloc(doubts->items, (doubts->count + 1) * sizeof(*doubts->items));
    doubts->items[doubts->count++] =
        (struct exec__doubt){at->kind, own(at->namespace), ps_xstrdup(at->name), own(at->cluster)};
}

void exec__doubt_fini(struct exec__doubt *doubt)
{
    ps_free(doubt->namespace);
    ps_free(doubt->name);
    ps_free(doubt->cluster);
}

struct plan_need exec__doubt_at(const struct exec__doubt *doubt)
{
    return (struct plan_need){doubt->kind, doubt->namespace, doubt->name, doubt->cluster};
}

struct plan_need exec__op_at(const struct plan_op *op)
{
    return (struct plan_need){op->kind, op->namespace, op->name, op->cluster};
}

void exec__doubts_free(struct exec__doubts *doubts)
{
    for (size_t i = 0; i < doubts->count; i++)
        exec__doubt_fini(&doubts->items[i]);
    ps_free(doubts->items);
    ps_free(doubts);
}

/* Those about the cluster; what is left. */
static size_t drop_doubts(struct exec__doubts *doubts, const char *cluster)
{
    size_t left = 0;

    for (size_t i = 0; i < doubts->count; i++) {
        if (ps_streq(doubts->items[i].cluster, cluster)) {
            exec__doubt_fini(&doubts->items[i]);
        } else {
            doubts->items[left++] = doubts->items[i];
        }
    }
    doubts->count = left;
    return left;
}

void exec_forget(struct exec *exec, const char *cluster)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&exec->doubts, &at, &key, &value)) {
        char *own_key PS_AUTO_FREE = ps_xstrdup(key);

        if (drop_doubts(value, cluster) == 0)
            exec__doubts_free(ps_map_remove(&exec->doubts, own_key));
    }
}

bool exec_in_doubt(const struct exec *exec, const char *key)
{
    return ps_map_get(&exec->doubts, key) != NULL;
}
