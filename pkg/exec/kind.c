/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of the model as kube wants them. */
#include "exec/exec.h"

const struct kube_kind *exec_kind(enum model_kind kind)
{
    static struct kube_kind kinds[MODEL_KIND_COUNT];

    if (kinds[kind].kind == NULL) {
        const struct model_kind_info *info = model_kind_info(kind);

        kinds[kind] = (struct kube_kind){info->group, info->version, info->plural, info->kind,
                                         info->namespaced};
    }
    return &kinds[kind];
}
