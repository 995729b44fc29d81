/* SPDX-License-Identifier: Apache-2.0 */
/* Doubts: objects whose last write had no answer, by key. They outlive the job. */
#include "exec/internal.h"

void exec__doubt_add(struct exec *exec, const char *key, enum model_kind kind,
                     const char *namespace, const char *name)
{
    struct exec__doubts *doubts = ps_map_get(&exec->doubts, key);

    if (doubts == NULL) {
        doubts = ps_xcalloc(1, sizeof(*doubts));
        (void)ps_map_put(&exec->doubts, key, doubts);
    }
    doubts->items = ps_xrealloc(doubts->items, (doubts->count + 1) * sizeof(*doubts->items));
    doubts->items[doubts->count++] =
        (struct exec__doubt){kind, namespace ? ps_xstrdup(namespace) : NULL, ps_xstrdup(name)};
}

void exec__doubt_fini(struct exec__doubt *doubt)
{
    ps_free(doubt->namespace);
    ps_free(doubt->name);
}

void exec__doubts_free(struct exec__doubts *doubts)
{
    for (size_t i = 0; i < doubts->count; i++)
        exec__doubt_fini(&doubts->items[i]);
    ps_free(doubts->items);
    ps_free(doubts);
}

bool exec_in_doubt(const struct exec *exec, const char *key)
{
    return ps_map_get(&exec->doubts, key) != NULL;
}
