/* SPDX-License-Identifier: Apache-2.0 */
/* One stream on one account, planned for the first time, and what the plan would make. */
#ifndef PS_TEST_RENDER_H
#define PS_TEST_RENDER_H

#include "plan/task.h"
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
const struct json_t *render_workload(const struct json_t *plan, const char *app);
const struct json_t *render_container(const struct json_t *plan, const char *app);
bool render_has_arg(const struct json_t *plan, const char *app, const char *arg);
/* Any argument that begins like this. */
bool render_has_key(const struct json_t *plan, const char *app, const char *start);
const char *render_env(const struct json_t *plan, const char *app, const char *name);
const char *render_reason(const struct json_t *plan, const char *condition);
const char *render_message(const struct json_t *plan, const char *condition);

/* ---- tasks ----------------------------------------------------------------------------------- */

/* Launch `nightly` in cars with that spec (JSON, ' for "), on the account highmemory with that spec
 * (NULL: one with namespace highmemory-namespace and nothing else): its app, and the Job of its
 * second attempt, NULL when the launch is refused. */
struct render_task {
    struct ps_arena arena;
    struct json_t *cr, *account;
    struct model_registry *registry;
    struct model_task task;
    struct plan__wanted wanted;
    struct json_t *job;
};

/* The caller frees it. Panics when the spec cannot be read. */
struct render_task *render_task(const char *spec, const char *account);
struct render_task *render_task_of(const struct json_t *spec, const char *account);
void render_task_free(struct render_task *rendered);
void render_task_cleanup(struct render_task **rendered);
#define RENDER_AUTO_TASK PS_CLEANUP(render_task_cleanup)
/* They borrow. */
const struct json_t *render_task_container(const struct render_task *rendered);
bool render_task_has_arg(const struct render_task *rendered, const char *arg);
const char *render_task_env(const struct render_task *rendered, const char *name);

#endif
