/* SPDX-License-Identifier: Apache-2.0 */
/* The Job of one attempt. Its pod is what SCDF's task launcher makes, without what only SCDF's own
 * server needs: its database, and the application's properties once more as --app.… */
#include "plan/task.h"

#include <string.h>

#define LAUNCH_NAME_MAX 45 /* of a launch's name in that of its Jobs: see plan__job_name */

struct job {
    struct ps_arena *arena;
    const struct plan__attempt *attempt;
    const char *name;
};

const char *plan__task_name(const struct model_task *task, const struct plan__app *app)
{
    return task->task_name != NULL ? task->task_name : app->label;
}

/* "--spring.cloud.task.external-execution-id" with or without a value. */
bool plan__is_own_argument(const char *argument)
{
    struct ps_str text = ps_str(argument);

    if (!ps_str_starts(text, "--" PLAN__EXECUTION_ID))
        return false;
    text = ps_str_skip(text, strlen("--" PLAN__EXECUTION_ID));
    return text.n == 0 || text.p[0] == '=';
}

const char *plan__job_name(struct ps_arena *arena, const struct model_task *task, int64_t attempt)
{
    struct ps_str launch = ps_str(task->name);

    if (launch.n > LAUNCH_NAME_MAX)
        launch = ps_str_head(launch, LAUNCH_NAME_MAX);
    while (launch.n > 0 && (launch.p[launch.n - 1] == '-' || launch.p[launch.n - 1] == '.'))
        launch.n--;
    char *name = ps_arena_str(arena, launch);

    for (char *c = name; *c != '\0'; c++) {
        if (*c == '.')
            *c = '-'; /* it is a container's name as well */
    }
    return ps_arena_printf(arena, "%s-%s-%lld", name, plan__uid_digits(arena, task->uid),
                           (long long)attempt);
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* SCDF's, which pods have, too. */
static void set_labels(struct json_t *labels, const struct job *job)
{
    js_set_str(labels, "task-name", plan__task_name(job->attempt->task, job->attempt->app));
    js_set_str(labels, "role", "spring-app");
    js_set_str(labels, "spring-app-id", job->name);
    js_set_str(labels, "spring-deployment-id", job->name);
}

static void set_metadata(struct json_t *metadata, const struct job *job)
{
    const struct plan__attempt *attempt = job->attempt;
    const struct model_task *task = attempt->task;
    struct json_t *annotations = js_child(metadata, "annotations"), *finalizers = js_array();
    const struct plan__mark mark = {.kind = MODEL_TASK,
                                    .namespace = task->namespace,
                                    .name = task->name,
                                    .uid = task->uid,
                                    .installation = attempt->installation,
                                    .account_uid = attempt->account_uid,
                                    .at = attempt->namespace,
                                    .app = attempt->app->label,
                                    .component = "task",
                                    .number_label = MODEL_LABEL_ATTEMPT,
                                    .number = attempt->number};

    js_set_str(metadata, "name", job->name);
    js_set_str(metadata, "namespace", attempt->namespace);
    set_labels(js_child(metadata, "labels"), job);
    plan__set_all(annotations, &attempt->app->settings.job_annotations);
    js_set_str(annotations, MODEL_ANNOTATION_DEADLINE,
               task->active_deadline_s < 0
                   ? "none"
                   : ps_arena_printf(job->arena, "%lld", (long long)task->active_deadline_s));
    js_push(finalizers, js_string(MODEL_FINALIZER_ATTEMPT));
    js_set(metadata, "finalizers", finalizers);
    plan__mark(metadata, &mark);
}

static void set_template_metadata(struct json_t *metadata, const struct job *job)
{
    const struct plan__settings *settings = &job->attempt->app->settings;
    struct json_t *labels = js_child(metadata, "labels");

    plan__set_all(labels, &settings->labels);
    set_labels(labels, job);
    if (settings->job_annotations.count + settings->pod_annotations.count == 0)
        return;
    plan__set_all(js_child(metadata, "annotations"), &settings->job_annotations);
    plan__set_all(js_child(metadata, "annotations"), &settings->pod_annotations);
}

/* ---- spec ------------------------------------------------------------------------------------ */

static struct json_t *container(const struct job *job)
{
    const struct plan__attempt *attempt = job->attempt;
    const struct model_task *task = attempt->task;
    const char **arguments =
        ps_arena_array(job->arena, task->argument_count + 1, sizeof(*arguments));
    size_t n = 0;

    /* No execution id: the app would look for it in its database, where nobody has put it. */
    arguments[n++] = ps_arena_printf(job->arena, "--" PLAN__EXECUTION_ID "=%s", job->name);
    for (size_t i = 0; i < task->argument_count; i++) {
        if (!plan__is_own_argument(task->arguments[i]))
            arguments[n++] = task->arguments[i];
    }
    const struct plan__container c = {.arena = job->arena,
                                      .app = attempt->app,
                                      .name = job->name,
                                      .image =
                                          attempt->image ? attempt->image : attempt->app->image,
                                      .arguments = arguments,
                                      .argument_count = n};
    struct json_t *json = plan__container(&c);

    js_set_str(json, "terminationMessagePolicy", "FallbackToLogsOnError");
    return json;
}

static void set_spec(struct json_t *spec, const struct job *job)
{
    struct json_t *template = js_child(spec, "template"), *containers = js_array();
    const int64_t deadline = job->attempt->deadline_s;

    /* One pod, once: what comes after a failure is decided by the launch, not by the Job. */
    js_set_int(spec, "backoffLimit", 0);
    js_set_int(spec, "completions", 1);
    js_set_int(spec, "parallelism", 1);
    js_set_str(spec, "podReplacementPolicy", "Failed");
    if (deadline >= 0)
        js_set_int(spec, "activeDeadlineSeconds", deadline > 0 ? deadline : 1);
    set_template_metadata(js_child(template, "metadata"), job);
    js_push(containers, container(job));
    js_set(js_child(template, "spec"), "containers", containers);
    js_set_str(js_child(template, "spec"), "restartPolicy", "Never");
}

struct json_t *plan__job(struct ps_arena *arena, const struct plan__attempt *attempt)
{
    const struct job job = {.arena = arena,
                            .attempt = attempt,
                            .name = plan__job_name(arena, attempt->task, attempt->number)};
    struct json_t *json = js_object();

    js_set_str(json, "apiVersion", "batch/v1");
    js_set_str(json, "kind", model_kind_name(MODEL_JOB));
    set_metadata(js_child(json, "metadata"), &job);
    set_spec(js_child(json, "spec"), &job);
    return json;
}
