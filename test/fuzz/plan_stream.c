/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as a snapshot of a stream's pass: the planner comes back, and its plan is sound:
 * operations carry their proof, nothing is created for a stream that goes or is gone, and planning
 * is repeatable. The first line of the input is the snapshot (test/unit/support/snapshot.h);
 * objects without an identity are left out, as the operator does.
 *
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ipkg -Itest/unit
 * test/fuzz/plan_stream.c test/unit/support/snapshot.c pkg/{plan,model,dsl,codec,base}/[a-z]*.c
 * -ljansson -lyaml -lz -lcrypto
 */
#include "support/snapshot.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    codec_init();
    return 0;
}

static bool is_identified(const struct json_t *object)
{
    return js_path_str(object, "metadata.name") != NULL &&
           js_path_str(object, "metadata.uid") != NULL &&
           js_path_str(object, "metadata.resourceVersion") != NULL;
}

static bool is_kind(const struct json_t *item)
{
    const char *kind = js_path_str(item, "kind");

    for (int i = 0; kind != NULL && i < MODEL_KIND_COUNT; i++)
        if (ps_streq(kind, model_kind_name((enum model_kind)i)))
            return true;
    return false;
}

static bool is_child(const struct json_t *item)
{
    const char *kind = js_path_str(item, "kind");
    const struct json_t *object = js_get(item, "object");

    return (ps_streq(kind, "Deployment") || ps_streq(kind, "Service") ||
            ps_streq(kind, "ControllerRevision")) &&
           is_identified(object) && js_path_str(object, "metadata.namespace") != NULL;
}

static bool is_fact(const struct json_t *item)
{
    return is_kind(item) && js_path_str(item, "name") != NULL;
}

static void keep(struct json_t *in, const char *key, bool (*wanted)(const struct json_t *))
{
    const struct json_t *from = js_get(in, key);
    struct json_t *list = js_array();

    for (size_t i = 0; js_type(from) == JS_ARRAY && i < js_len(from); i++)
        if (wanted(js_at(from, i)))
            js_push(list, js_copy(js_at(from, i)));
    js_set(in, key, list);
}

/* What the operator sees to before it plans. */
static void tidy(struct json_t *in)
{
    keep(in, "children", is_child);
    keep(in, "pods", is_identified);
    keep(in, "facts", is_fact);
    js_remove(in, "troubles");
    js_remove(in, "rivals");
    js_set_str(in, "installation", "i");
    js_set_str(in, "namespace", "cars");
    js_set_str(in, "name", "foo");
    if (!is_identified(js_get(in, "targetNamespace")))
        js_remove(in, "targetNamespace");
    if (js_path_str(in, "account.metadata.name") == NULL)
        js_remove(in, "account");
    js_remove(in, "accountVars");
    if (!is_identified(js_get(in, "cr")))
        js_remove(in, "cr");
    else
        js_set_str(js_path(in, "cr.metadata"), "namespace", "cars");
}

static void check_op(const struct plan_op *op, const struct json_t *in)
{
    const bool going =
        js_get(in, "cr") == NULL || js_path_str(in, "cr.metadata.deletionTimestamp") != NULL;

    ps_assert(op->name != NULL && op->namespace != NULL);
    switch (op->verb) {
    case PLAN_CREATE:
        ps_assert(!going && ps_streq(js_path_str(op->body, "metadata.name"), op->name));
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
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_t *in PS_AUTO_JS = js_parse(ps_str_n((const char *)(const void *)data, size), NULL);

    if (js_type(in) != JS_OBJECT)
        return 0;
    tidy(in);
    struct plan *plan = snapshot_plan(in), *again = snapshot_plan(in);
    struct json_t *first PS_AUTO_JS = plan_json(plan), *second PS_AUTO_JS = plan_json(again);

    ps_assert(js_equal(first, second));
    for (size_t i = 0; i < plan->op_count; i++)
        check_op(&plan->ops[i], in);
    plan_free(plan);
    plan_free(again);
    return 0;
}
