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

const struct json_t *render_workload(const struct json_t *plan, const char *app)
{
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (model_is_workload(snapshot_kind(js_path_str(op, "kind"))) &&
            ps_streq(js_str(js_get(js_path(op, "body.metadata.labels"), MODEL_LABEL_APP)), app))
            return js_get(op, "body");
    }
    return NULL;
}

const struct json_t *render_container(const struct json_t *plan, const char *app)
{
    return js_at(js_path(render_workload(plan, app), "spec.template.spec.containers"), 0);
}

static bool has_arg(const struct json_t *container, const char *arg)
{
    const struct json_t *args = js_get(container, "args");

    for (size_t i = 0; i < js_len(args); i++)
        if (ps_streq(js_str(js_at(args, i)), arg))
            return true;
    return false;
}

bool render_has_arg(const struct json_t *plan, const char *app, const char *arg)
{
    return has_arg(render_container(plan, app), arg);
}

bool render_has_key(const struct json_t *plan, const char *app, const char *start)
{
    const struct json_t *args = js_get(render_container(plan, app), "args");

    for (size_t i = 0; i < js_len(args); i++)
        if (ps_str_starts(ps_str(js_str(js_at(args, i))), start))
            return true;
    return false;
}

static const char *env_of(const struct json_t *container, const char *name)
{
    const struct json_t *env = js_get(container, "env");

    for (size_t i = 0; i < js_len(env); i++)
        if (ps_streq(js_path_str(js_at(env, i), "name"), name))
            return js_path_str(js_at(env, i), "value");
    return NULL;
}

const char *render_env(const struct json_t *plan, const char *app, const char *name)
{
    return env_of(render_container(plan, app), name);
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

/* ---- tasks ----------------------------------------------------------------------------------- */

static const char *const task_registry = "task.train=docker:springcloudtask/train:1.0.0\n"
                                         "task.train=docker:springcloudtask/train:1.1.0\n"
                                         "task.jar=maven://org.example:train:1.0.0\n";

static void launch(struct render_task *r)
{
    const struct model_properties none = {0};
    struct model_account *account = model_account_read(&r->arena, r->account, &none);

    plan__task_app(&r->arena, &r->task, account, r->registry, &r->wanted);
    if (r->wanted.count == 0)
        return;
    const struct plan__attempt attempt = {.task = &r->task,
                                          .app = &r->wanted.apps[0],
                                          .installation = "i1",
                                          .namespace =
                                              account->namespace ? account->namespace : "cars",
                                          .number = 2,
                                          .deadline_s = r->task.active_deadline_s};

    r->job = plan__job(&r->arena, &attempt);
}

struct render_task *render_task_of(const struct json_t *spec, const char *account)
{
    struct render_task *r = ps_xcalloc(1, sizeof(*r));
    struct ps_err err = {0};

    ps_arena_init(&r->arena);
    r->cr = render_json("{'metadata': {'name': 'nightly', 'namespace': 'cars', 'uid': 'u1', "
                        "'resourceVersion': '41', 'generation': 1,"
                        " 'creationTimestamp': '2026-10-28T10:00:00Z'}}");
    r->account = render_json("{'metadata': {'name': 'highmemory', 'uid': 'a1', "
                             "'resourceVersion': '7', 'generation': 1}}");
    js_set(r->cr, "spec", js_copy(spec));
    js_set(r->account, "spec",
           render_json(account ? account
                               : "{'type': 'Kubernetes', 'kubernetes': {'namespace': "
                                 "'highmemory-namespace'}}"));
    r->registry = model_registry_new();
    ps_assert(model_registry_add(r->registry, "apps", ps_str(task_registry), NULL, NULL) == 0);
    if (model_task_read(&r->arena, r->cr, &r->task, &err) != 0)
        fprintf(stderr, "%s\n", err.message);
    ps_assert(err.code == 0);
    launch(r);
    return r;
}

struct render_task *render_task(const char *spec, const char *account)
{
    struct json_t *json PS_AUTO_JS = render_json(spec);

    return render_task_of(json, account);
}

void render_task_free(struct render_task *rendered)
{
    js_unref(rendered->job);
    js_unref(rendered->cr);
    js_unref(rendered->account);
    model_registry_free(rendered->registry);
    ps_arena_fini(&rendered->arena);
    ps_free(rendered);
}

void render_task_cleanup(struct render_task **rendered)
{
    render_task_free(*rendered);
}

const struct json_t *render_task_container(const struct render_task *rendered)
{
    return js_at(js_path(rendered->job, "spec.template.spec.containers"), 0);
}

bool render_task_has_arg(const struct render_task *rendered, const char *arg)
{
    return has_arg(render_task_container(rendered), arg);
}

const char *render_task_env(const struct render_task *rendered, const char *name)
{
    return env_of(render_task_container(rendered), name);
}
