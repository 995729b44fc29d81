/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as a snapshot of a stream's pass: the planner comes back, and its plan is sound:
 * operations carry their proof, nothing is created for a stream that goes or is gone, nothing is
 * asked of a cluster that cannot be seen, and planning is repeatable. The first line of the input
 * is the snapshot (test/unit/support/snapshot.h); objects without an identity are left out, as the
 * operator does.
 */
#include "support/input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    codec_init();
    return 0;
}

static const char *const children[] = {"Deployment", "Service", "ControllerRevision", NULL};

static void check_op(const struct plan_op *op, const struct json_t *in)
{
    ps_assert(op->name != NULL && op->namespace != NULL);
    switch (op->verb) {
    case PLAN_CREATE:
        ps_assert(input_stays(in) && ps_streq(js_path_str(op->body, "metadata.name"), op->name));
        ps_assert(js_str(js_get(js_path(op->body, "metadata.annotations"),
                                MODEL_ANNOTATION_OWNER)) != NULL);
        return;
    case PLAN_PATCH:
    case PLAN_PATCH_STRATEGIC:
        ps_assert(js_path_str(op->body, "metadata.resourceVersion") != NULL);
        return;
    case PLAN_DELETE:
        ps_assert(op->uid != NULL && op->body == NULL);
        return;
    case PLAN_PATCH_STATUS: /* a stream has no intents */
        ps_unreachable();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_t *in PS_AUTO_JS = js_parse(ps_str_n((const char *)(const void *)data, size), NULL);

    if (js_type(in) != JS_OBJECT)
        return 0;
    input_tidy(in, children);
    struct plan *plan = snapshot_plan(in), *again = snapshot_plan(in);
    struct json_t *first PS_AUTO_JS = plan_json(plan), *second PS_AUTO_JS = plan_json(again);

    ps_assert(js_equal(first, second));
    input_check_remote(in, plan);
    for (size_t i = 0; i < plan->op_count; i++)
        check_op(&plan->ops[i], in);
    plan_free(plan);
    plan_free(again);
    return 0;
}
