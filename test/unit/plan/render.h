/* SPDX-License-Identifier: Apache-2.0 */
/* One stream on one account, planned for the first time, and what the plan would make. */
#ifndef PS_TEST_RENDER_H
#define PS_TEST_RENDER_H

#include "support/snapshot.h"

/* The registry that the cases use: a few apps, predict in two versions. */
extern const char *const render_registry;

/* A snapshot input: stream `foo` in cars with that spec, the account kafkazone with that spec
 * (JSON, ' for "; NULL: a plain one). New reference. */
struct json_t *render_input(const char *spec, const char *account);
/* plan_json for it. New reference. */
struct json_t *render_plan(const char *spec, const char *account);
struct json_t *render_json(const char *text); /* ' for " */

/* These borrow from the plan; NULL when there is no such thing. */
const struct json_t *render_deployment(const struct json_t *plan, const char *app);
const struct json_t *render_container(const struct json_t *plan, const char *app);
bool render_has_arg(const struct json_t *plan, const char *app, const char *arg);
/* Any argument that begins like this. */
bool render_has_key(const struct json_t *plan, const char *app, const char *start);
const char *render_env(const struct json_t *plan, const char *app, const char *name);
const char *render_reason(const struct json_t *plan, const char *condition);
const char *render_message(const struct json_t *plan, const char *condition);

#endif
