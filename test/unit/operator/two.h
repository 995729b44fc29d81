/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator on an API server in memory (`here`) with an account, gpuzone, that leads into the
 * namespace far of another one (`there`) by the Secret gpu.
 */
#ifndef PS_TEST_TWO_H
#define PS_TEST_TWO_H

#include "api.h"

#include "operator/internal.h"

#define TWO_SOON_MS    5000
#define TWO_STEP_MS    5
#define TWO_SETTLED_MS 60
#define TWO_CANARY     "c4n4ry"
#define TWO_TOKEN      "token-" TWO_CANARY

struct two {
    struct api here, there;
};

/* Servers, namespaces and the account; no Secret. A standby, unless the test says otherwise. */
void two_setup(struct two *two);
void two_begin(struct two *two); /* starts the operator, which is quick to lose patience */
void two_teardown(struct two *two);

struct json_t *two_json(const char *text); /* ' for " */
void two_put_secret(struct api *here, const struct api *there, const char *token);
void two_put_namespace(struct api *api, const char *name);
/* How gpuzone stands. When there is no such cluster: one of the own cluster's state. */
const struct plan_cluster *two_view(const struct two *two);
/* Runs until the own cluster is in step, and the other one is like that. */
void two_until(struct two *two, enum plan_cluster_state state);
/* Lists are followed by watches, and a first contact by the question for the version. */
void two_settle(struct two *two);

#endif
