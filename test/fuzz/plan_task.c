/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as a snapshot of a launch's pass: the planner comes back, its plan is the same each
 * time, and no attempt can run twice: at most one Job is made, its attempt is on record before that
 * (in the status, or by a patch of it in an earlier stage), and none is made while another one may
 * run. The first line of the input is the snapshot (test/unit/support/snapshot.h).
 */
#include "support/input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const children[] = {"Job", NULL};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    codec_init();
    return 0;
}

static const char *label(const struct json_t *object, const char *key)
{
    return js_str(js_get(js_path(object, "metadata.labels"), key));
}

static bool records(const struct json_t *status, const char *attempt, const char *job)
{
    const struct json_t *step = js_at(js_get(status, "steps"), 0);
    PS_AUTO_BUF(number, 32);

    ps_buf_printf(&number, "%lld", (long long)js_path_int(status, "attempt", 0));
    return ps_str_is(ps_buf_get(&number), attempt) &&
           ps_streq(js_path_str(step, "state"), "Starting") &&
           ps_streq(js_path_str(step, "resource.name"), job);
}

/* On record before the Job is asked for: by an earlier process, or by an earlier stage. */
static bool is_recorded(const struct plan *plan, const struct plan_op *job, const struct json_t *in)
{
    const char *attempt = label(job->body, MODEL_LABEL_ATTEMPT);

    if (records(js_path(in, "cr.status"), attempt, job->name))
        return true;
    for (size_t i = 0; i < plan->op_count; i++) {
        const struct plan_op *op = &plan->ops[i];

        if (op->verb != PLAN_PATCH_STATUS || op->stage >= job->stage)
            continue;
        struct json_t *status PS_AUTO_JS =
            snapshot_merge(js_path(in, "cr.status"), js_get(op->body, "status"));

        if (records(status, attempt, job->name))
            return true;
    }
    return false;
}

/* No Job of this attempt, nor one of a later attempt, was there already. */
static void check_create(const struct plan *plan, const struct plan_op *op, const struct json_t *in)
{
    const struct json_t *list = js_get(in, "children");

    ps_assert(op->kind == MODEL_JOB && input_stays(in));
    ps_assert(ps_streq(js_path_str(op->body, "metadata.name"), op->name));
    ps_assert(is_recorded(plan, op, in));
    ps_assert(!js_path_bool(in, "cr.spec.suspend", false));
    for (size_t i = 0; i < js_len(list); i++) {
        const struct json_t *child = js_get(js_at(list, i), "object");

        ps_assert(!ps_streq(js_path_str(child, "metadata.name"), op->name) ||
                  !ps_streq(js_path_str(child, "metadata.namespace"), op->namespace) ||
                  !ps_streq(js_path_str(js_at(list, i), "cluster"), op->cluster));
    }
}

static void check_op(const struct plan *plan, const struct plan_op *op, const struct json_t *in)
{
    ps_assert(op->name != NULL && op->namespace != NULL);
    switch (op->verb) {
    case PLAN_CREATE:
        check_create(plan, op, in);
        return;
    case PLAN_PATCH:
    case PLAN_PATCH_STRATEGIC:
    case PLAN_PATCH_STATUS:
        ps_assert(js_path_str(op->body, "metadata.resourceVersion") != NULL);
        return;
    case PLAN_DELETE:
        ps_assert(op->uid != NULL && op->body == NULL);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_t *in PS_AUTO_JS = js_parse(ps_str_n((const char *)(const void *)data, size), NULL);
    size_t creates = 0;

    if (js_type(in) != JS_OBJECT)
        return 0;
    input_tidy(in, children);
    js_set_str(in, "planner", "task");
    struct plan *plan = snapshot_plan(in), *again = snapshot_plan(in);
    struct json_t *first PS_AUTO_JS = plan_json(plan), *second PS_AUTO_JS = plan_json(again);

    ps_assert(js_equal(first, second));
    input_check_remote(in, plan);
    for (size_t i = 0; i < plan->op_count; i++) {
        check_op(plan, &plan->ops[i], in);
        creates += plan->ops[i].verb == PLAN_CREATE;
    }
    ps_assert(creates <= 1);
    plan_free(plan);
    plan_free(again);
    return 0;
}
