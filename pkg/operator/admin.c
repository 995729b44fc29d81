/* SPDX-License-Identifier: Apache-2.0 */
/* Health endpoints: /healthz says that the loop turns and that a leader may lead, /readyz that
 * every watch of the own cluster is in step, with or without leadership. */
#include "operator/internal.h"

/* For information: who has nothing to do with such a cluster is served all the same. */
static void print_clusters(const struct controller *op, struct ps_buf *body)
{
    size_t at = 0;
    const char *name;
    void *value;

    if (op->secrets.trouble != NULL)
        ps_buf_printf(body, "[ ]secrets: %s\n", op->secrets.trouble);
    while (ps_map_next(&op->clusters, &at, &name, &value)) {
        const struct plan_cluster *view = &((struct operator__cluster *)value)->view;

        if (view->state == PLAN_CLUSTER_SYNCED) {
            ps_buf_printf(body, "[+]cluster of account %s in step\n", name);
        } else {
            ps_buf_printf(body, "[ ]cluster of account %s: %s: %s\n", name,
                          operator__cluster_word(view->state), view->message ? view->message : "");
        }
    }
}

static int ready(const struct controller *op, struct ps_buf *body)
{
    const bool in_step = op->synced && !op->stopping;

    if (op->installation == NULL)
        ps_buf_str(body, "[-]installation not known yet: the API server has not answered\n");
    const char *trouble = kube_client_trouble(op->client);

    /* The watches tell whether it hinders anything: the one before may still be good. */
    if (trouble != NULL)
        ps_buf_printf(body, "[-]credential: %s\n", trouble);
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        const struct operator__store *store = &op->stores[i];

        if (store->reflector == NULL)
            continue;
        if (store->synced && store->trouble == NULL) {
            ps_buf_printf(body, "[+]%s in step\n", model_kind_info(store->kind)->plural);
        } else {
            ps_buf_printf(body, "[-]%s: %s\n", model_kind_info(store->kind)->plural,
                          store->trouble ? store->trouble : "the first list is not complete");
        }
    }
    print_clusters(op, body);
    ps_buf_str(body, in_step        ? "readyz check passed\n"
                     : op->stopping ? "stopping\n"
                                    : "readyz check failed\n");
    return in_step ? 200 : 500;
}

/* A leader whose time is over ends by itself; one that has not is for the kubelet to end. */
static int healthy(const struct controller *op, struct ps_buf *body)
{
    const bool overdue =
        op->lease != NULL && kube_lease_leads(op->lease) && !kube_lease_fence(op->lease);

    ps_buf_str(body, overdue ? "[-]lease: not renewed in time\nhealthz check failed\n" : "ok");
    return overdue ? 500 : 200;
}

int operator__admin(void *self, struct ps_str path, struct ps_buf *body, const char **content_type)
{
    (void)content_type;
    if (ps_str_is(path, "/healthz"))
        return healthy(self, body);
    if (ps_str_is(path, "/readyz"))
        return ready(self, body);
    ps_buf_str(body, "there is /healthz and /readyz\n");
    return 404;
}
