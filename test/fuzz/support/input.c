/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

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

static bool is_child(const struct json_t *item, const char *const *kinds)
{
    const struct json_t *object = js_get(item, "object");

    for (; *kinds != NULL; kinds++)
        if (ps_streq(js_path_str(item, "kind"), *kinds))
            return is_identified(object) && js_path_str(object, "metadata.namespace") != NULL;
    return false;
}

static bool is_pod(const struct json_t *item, const char *const *kinds)
{
    (void)kinds;
    return is_identified(item);
}

static bool is_fact(const struct json_t *item, const char *const *kinds)
{
    (void)kinds;
    return is_kind(item) && js_path_str(item, "name") != NULL;
}

static bool is_cluster(const struct json_t *item, const char *const *kinds)
{
    static const char *const states[] = {"NoSecret", "BadSecret", "Connecting", "Refused",
                                         "Away",     "Elsewhere", "Synced"};
    const char *state = js_path_str(item, "state");

    (void)kinds;
    for (size_t i = 0; i < PS_ARRAY_LEN(states); i++)
        if (ps_streq(state, states[i]))
            return js_path_str(item, "name") != NULL && js_path_str(item, "accountUid") != NULL;
    return false;
}

static void keep(struct json_t *in, const char *key, const char *const *kinds,
                 bool (*wanted)(const struct json_t *, const char *const *))
{
    const struct json_t *from = js_get(in, key);
    struct json_t *list = js_array();

    for (size_t i = 0; js_type(from) == JS_ARRAY && i < js_len(from); i++)
        if (wanted(js_at(from, i), kinds))
            js_push(list, js_copy(js_at(from, i)));
    js_set(in, key, list);
}

void input_tidy(struct json_t *in, const char *const *kinds)
{
    keep(in, "children", kinds, is_child);
    keep(in, "pods", kinds, is_pod);
    keep(in, "facts", kinds, is_fact);
    keep(in, "clusters", kinds, is_cluster);
    js_remove(in, "troubles");
    js_remove(in, "rivals");
    js_set_str(in, "installation", "i");
    js_set_str(in, "namespace", "cars");
    js_set_str(in, "name", "foo");
    if (!is_identified(js_get(in, "targetNamespace")))
        js_remove(in, "targetNamespace");
    if (!is_identified(js_get(in, "ownNamespace")))
        js_remove(in, "ownNamespace");
    if (js_path_str(in, "account.metadata.name") == NULL)
        js_remove(in, "account");
    js_remove(in, "platforms");
    js_remove(in, "accountVars");
    if (!is_identified(js_get(in, "cr")))
        js_remove(in, "cr");
    else
        js_set_str(js_path(in, "cr.metadata"), "namespace", "cars");
}

bool input_stays(const struct json_t *in)
{
    return js_get(in, "cr") != NULL && js_path_str(in, "cr.metadata.deletionTimestamp") == NULL;
}

bool input_is_open(const struct json_t *in, const char *cluster)
{
    const struct json_t *list = js_get(in, "clusters");

    for (size_t i = 0; cluster != NULL && i < js_len(list); i++)
        if (ps_streq(js_path_str(js_at(list, i), "name"), cluster))
            return ps_streq(js_path_str(js_at(list, i), "state"), "Synced");
    return cluster == NULL;
}

void input_check_remote(const struct json_t *in, const struct plan *plan)
{
    for (size_t i = 0; i < plan->need_count; i++)
        ps_assert(input_is_open(in, plan->needs[i].cluster));
    for (size_t i = 0; i < plan->op_count; i++) {
        const struct plan_op *op = &plan->ops[i];
        const struct json_t *labels = js_path(op->body, "metadata.labels");

        ps_assert(input_is_open(in, op->cluster));
        if (op->verb == PLAN_CREATE)
            ps_assert((op->cluster != NULL) ==
                      (js_str(js_get(labels, MODEL_LABEL_ACCOUNT_UID)) != NULL));
    }
}
