/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: sources -> keys -> queue -> pass -> executor. It watches the kinds that matter, keeps
 * small projections of them, finds out which stream, launch or account a change concerns, and
 * lets the planner decide.
 */
#ifndef PS_OPERATOR_H
#define PS_OPERATOR_H

#include "base/base.h"
#include "kube/kube.h"
#include "model/model.h"

struct operator_options {
    const char *namespace;       /* its own: the second place of app registries */
    const char *installation;    /* NULL: the uid of its own namespace, read at start */
    const char *user_agent;      /* towards other clusters; NULL = "penstock" */
    const char *instance;        /* name of the pod, for events */
    const char *health_address;  /* NULL: no health endpoints */
    const char *metrics_address; /* of /metrics; NULL: none */
    const char *debug_address;   /* of /debug, on loopback; NULL: none */
    /* Not NULL: /metrics is served over TLS, to whom the API server allows it; the client asks it,
     * is the caller's, and has no fence. */
    struct kube_client *reviewer;
    const char *metrics_cert_dir; /* tls.crt and tls.key; NULL: a certificate of its own making */
    struct metrics *metrics;      /* what it counts into; outlives it. NULL: nothing is counted */
    const struct model_properties *account_vars;
    bool may_skip_verify; /* Secrets of other clusters may do without verification */
    /* NULL: it leads from the start. Else it is a standby, with its caches in step, until
     * operator_lead; the lease is the caller's, who fences the client with it. */
    struct kube_lease *lease;
    size_t concurrency; /* keys in work at once; 0 = 32 */
};

struct controller;
struct controller *operator_new(struct loop *loop, struct kube_client *client,
                                const struct operator_options *options,
                                struct ps_err *err) PS_MUST_CHECK;
void operator_start(struct controller *op);
/* The lease has been gained: whatever has waited is taken up. */
void operator_lead(struct controller *op);
/* Takes no new work; `stopped` is called once when what runs has ended, or after grace_ms. */
void operator_stop(struct controller *op, int64_t grace_ms, void (*stopped)(void *self),
                   void *self);
/* Stopped, and no write of it is under way: the lease may be given back. */
bool operator_is_at_rest(const struct controller *op);
void operator_free(struct controller *op);

#endif
