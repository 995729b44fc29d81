/* SPDX-License-Identifier: Apache-2.0 */
/* Inside plan: what an account lets pods be (spec.policy). */
#ifndef PS_PLAN_POLICY_H
#define PS_PLAN_POLICY_H

#include "codec/codec.h"
#include "model/model.h"

/* ---- pod_security.c -------------------------------------------------------------------------- */

/* What is found at a path; a text is what is wrong with it and ends the walk. */
typedef const char *plan__visit_fn(struct ps_arena *arena, const struct json_t *value,
                                   const char *path, const void *self);
/* Calls visit with all that stands at "volumes[].secret.secretName" below `from`: each item of the
 * lists, with its own path behind `path`. What is not there, or null, is not visited. Returns the
 * first text, or NULL. */
const char *plan__visit(struct ps_arena *arena, const struct json_t *from, const char *pattern,
                        const char *path, plan__visit_fn *visit, const void *self);
/* The same, for each container of the pod, of whichever sort. */
const char *plan__visit_containers(struct ps_arena *arena, const struct json_t *pod,
                                   const char *pattern, plan__visit_fn *visit, const void *self);
/* Does the template of a pod meet the level? NULL, or the first field that does not, and what was
 * expected of it. */
const char *plan__pod_security(struct ps_arena *arena, enum model_pod_security level,
                               const struct json_t *template);

/* ---- policy.c -------------------------------------------------------------------------------- */

#define PLAN__POLICY_VIOLATION "PolicyViolation" /* the reason in conditions */

/* May pods of the template run on the account? `own`: in the namespace of the CR. NULL, or why not:
 * the field, and what is allowed. In the arena. */
const char *plan__policy_problem(struct ps_arena *arena, const struct model_account *account,
                                 bool own, const struct json_t *template);

#endif
