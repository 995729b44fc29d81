/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster goes while calls to it are under way. */
#include "exec/internal.h"

static struct exec__call *call_of(const struct exec__job *job, const char *cluster)
{
    struct exec__call *call = job->calls;

    while (call != NULL && !ps_streq(call->cluster, cluster))
        call = call->next;
    return call;
}

/* Ending a call may end its job: looked for from the start each time. */
static struct exec__call *any_call(const struct exec *exec, const char *cluster)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&exec->jobs, &at, &key, &value)) {
        struct exec__call *call = call_of(value, cluster);

        if (call != NULL)
            return call;
    }
    return NULL;
}

void exec_cut(struct exec *exec, const char *cluster, const char *why)
{
    struct exec__call *call;

    ps_assert(cluster != NULL);
    while ((call = any_call(exec, cluster)) != NULL) {
        struct kube_response response = {.reason = "", .unknown = call->write};

        response.code =
            ps_fail(&response.err, PS_ECANCELED, "cluster of account %s: %s", cluster, why);
        kube_cancel(call->call);
        exec__call_answer(call, &response);
    }
}
