/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/render.h"

#include <stdio.h>
#include <string.h>

const char *const render_registry = "source.cardata=docker:springcloudstream/cardata:1.0.0\n"
                                    "source.time=docker:springcloudstream/time:1.0.0\n"
                                    "processor.predict=docker:springcloudstream/predict:1.0.0\n"
                                    "processor.predict=docker:springcloudstream/predict:1.1.0\n"
                                    "processor.bridge=docker:springcloudstream/bridge:1.0.0\n"
                                    "sink.predict=docker:springcloudstream/predict:1.0.0\n"
                                    "sink.cassandra=docker:springcloudstream/cassandra:1.0.0\n"
                                    "sink.log=docker:springcloudstream/log:1.0.0\n"
                                    "app.cardata=docker:springcloudstream/cardata:1.0.0\n"
                                    "app.predict=docker:springcloudstream/predict:1.0.0\n";

struct json_t *render_json(const char *text)
{
    struct ps_err err;
    PS_AUTO_FREE char *copy = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *json = js_parse(ps_str(copy), &err);

    if (json == NULL)
        fprintf(stderr, "%s: %s\n", text, err.message);
    ps_assert(json != NULL);
    return json;
}

struct json_t *render_input(const char *spec, const char *account)
{
    struct json_t *in = render_json(
        "{'nowMs': 1793235723000, 'installation': 'i1', 'namespace': 'cars', 'name': 'foo',"
        " 'cr': {'metadata': {'name': 'foo', 'namespace': 'cars', 'uid': 'u1', 'resourceVersion': "
        "'41', 'generation': 1,"
        "  'creationTimestamp': '2026-10-28T10:00:00Z', 'finalizers': ['penstock.dev/cleanup']}},"
        " 'account': {'metadata': {'name': 'kafkazone', 'uid': 'a1', 'resourceVersion': '7'}},"
        " 'targetNamespace': {'metadata': {'name': 'kafka-namespace', 'uid': 'n1', "
        "'resourceVersion': '3'}}}");

    js_set_str(in, "registry", render_registry);
    js_set(js_get(in, "cr"), "spec", render_json(spec));
    js_set_str(js_path(in, "cr.spec"), "platform", "kafkazone");
    js_set(js_get(in, "account"), "spec",
           render_json(
               account ? account
                       : "{'type': 'Kubernetes', 'kubernetes': {'namespace': 'kafka-namespace'}}"));
    return in;
}

struct json_t *render_plan(const char *spec, const char *account)
{
    struct json_t *in PS_AUTO_JS = render_input(spec, account);
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

const struct json_t *render_deployment(const struct json_t *plan, const char *app)
{
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (ps_streq(js_path_str(op, "kind"), "Deployment") &&
            ps_streq(js_str(js_get(js_path(op, "body.metadata.labels"), MODEL_LABEL_APP)), app))
            return js_get(op, "body");
    }
    return NULL;
}

const struct json_t *render_container(const struct json_t *plan, const char *app)
{
    return js_at(js_path(render_deployment(plan, app), "spec.template.spec.containers"), 0);
}

bool render_has_arg(const struct json_t *plan, const char *app, const char *arg)
{
    const struct json_t *args = js_get(render_container(plan, app), "args");

    for (size_t i = 0; i < js_len(args); i++)
        if (ps_streq(js_str(js_at(args, i)), arg))
            return true;
    return false;
}

bool render_has_key(const struct json_t *plan, const char *app, const char *start)
{
    const struct json_t *args = js_get(render_container(plan, app), "args");

    for (size_t i = 0; i < js_len(args); i++)
        if (ps_str_starts(ps_str(js_str(js_at(args, i))), start))
            return true;
    return false;
}

const char *render_env(const struct json_t *plan, const char *app, const char *name)
{
    const struct json_t *env = js_get(render_container(plan, app), "env");

    for (size_t i = 0; i < js_len(env); i++)
        if (ps_streq(js_path_str(js_at(env, i), "name"), name))
            return js_path_str(js_at(env, i), "value");
    return NULL;
}

const char *render_reason(const struct json_t *plan, const char *condition)
{
    return js_path_str(model_condition_find(js_path(plan, "status.status.conditions"), condition),
                       "reason");
}

const char *render_message(const struct json_t *plan, const char *condition)
{
    return js_path_str(model_condition_find(js_path(plan, "status.status.conditions"), condition),
                       "message");
}
