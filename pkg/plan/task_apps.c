/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: from definition, properties, registry and account to the app of a launch, in SCDF's order
 * of precedence. */
#include "plan/gather.h"
#include "plan/task.h"

#include <string.h>

/* Arguments and variables of one launch; etcd takes objects of 1.5 MiB. */
#define TASK_TEXT_MAX ((size_t)1024 * 1024)
/* The parser wants a name; of a task that can be launched it changes nothing. */
#define NAME_OF_NONE  "task"

/* What SCDF gives every task unless a stronger source has the key. */
static const struct model_property defaults[] = {
    {"management.metrics.tags.service", "task-application"},
    {"management.metrics.tags.application",
     "${spring.cloud.task.name:unknown}-${spring.cloud.task.executionid:unknown}"},
};

struct task_gather {
    struct plan__gather g;
    const struct model_task *task;
    const struct dsl_task *dsl;
    const char *label; /* of the only app */
};

/* ---- what the app sees ---------------------------------------------------------------------- */

static void properties_of(struct task_gather *t, struct plan__app *app)
{
    struct ps_arena *arena = t->g.arena;
    struct model_properties over =
        plan__copy_list(arena, &t->g.account->task_application_properties);
    const struct model_properties by_name = plan__app_keys(&t->g, app->name);
    const struct model_properties by_label = plan__app_keys(&t->g, app->label);
    size_t count;
    const struct dsl_option *options = dsl_task_arguments(arena, &t->dsl->apps[0], &count);

    plan__put_all(arena, &over, &by_name);
    plan__put_all(arena, &over, &by_label);
    model_properties_put(arena, &over, "spring.cloud.task.name", plan__task_name(t->task, app));
    plan__fill_gaps(arena, &over, defaults, PS_ARRAY_LEN(defaults));
    for (size_t i = 0; i < count; i++)
        model_properties_put(arena, &app->properties, options[i].name, options[i].value);
    plan__put_all(arena, &app->properties, &over);
    model_properties_sort(&app->properties);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool is_task_name(struct ps_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';

        if (!letter && !(digit && i > 0) && !(c == '-' && i > 0 && i + 1 < name.n))
            return false;
    }
    return name.n > 0;
}

/* Both names become values of labels. */
static int check_names(struct task_gather *t, const struct plan__app *app)
{
    const struct ps_str name = ps_str(plan__task_name(t->task, app));

    if (name.n > MODEL_LABEL_MAX || strlen(app->label) > MODEL_LABEL_MAX) {
        return plan__refuse(&t->g, "NameTooLong",
                            "%s has more than %d characters, which is what Kubernetes allows; give "
                            "the app a short label (\"my-label: …\") and set spec.taskName",
                            name.n > MODEL_LABEL_MAX ? "the task's name" : "the app's label",
                            MODEL_LABEL_MAX);
    }
    if (!is_task_name(name)) {
        return plan__refuse(&t->g, "NameInvalid",
                            "Task name %.*s is invalid. Task name must consist of alphanumeric "
                            "characters or '-', start with an alphabetic character, and end with "
                            "an alphanumeric character (e.g. 'my-name', or 'abc-123'); set "
                            "spec.taskName",
                            PS_STR_ARG(name));
    }
    if (!plan__is_label_value(ps_str(app->label))) {
        return plan__refuse(&t->g, "NameInvalid",
                            "app %s: its label cannot be a Kubernetes label (letters, digits and, "
                            "between them, '-' and '_'); give it another one: \"my-label: …\"",
                            app->label);
    }
    return 0;
}

static int check_size(struct task_gather *t, const struct plan__app *app)
{
    size_t size = plan__text_size(app);

    for (size_t i = 0; i < t->task->argument_count; i++)
        size += strlen(t->task->arguments[i]);
    if (size <= TASK_TEXT_MAX)
        return 0;
    return plan__refuse(&t->g, "TaskTooLarge",
                        "arguments, properties and variables are %zu bytes, at most %zu fit into a "
                        "Job; put large values into a file that the app reads",
                        size, TASK_TEXT_MAX);
}

/* What the operator sets itself. */
static void warn_own(struct task_gather *t, const struct plan__app *app)
{
    if (model_properties_get(&app->properties, PLAN__EXECUTION_ID) != NULL)
        plan__warn(&t->g, PLAN__EXECUTION_ID " is ignored: the operator sets it for each attempt");
    for (size_t i = 0; i < t->task->argument_count; i++) {
        if (plan__is_own_argument(t->task->arguments[i])) {
            plan__warn(&t->g,
                       "spec.arguments[%zu] is ignored: the operator sets " PLAN__EXECUTION_ID
                       " for each attempt",
                       i);
        }
    }
}

static int check_account(struct task_gather *t)
{
    const struct model_account *account = t->g.account;

    if (account->problem.code != 0) {
        return plan__refuse(&t->g, "PlatformInvalid", "PlatformAccount %s: %s", account->name,
                            account->problem.message);
    }
    if (!account->for_tasks) {
        return plan__refuse(&t->g, "UsageNotAllowed",
                            "PlatformAccount %s is not for tasks: its spec.usage has to contain "
                            "Task; or name another account in spec.platform",
                            account->name);
    }
    return plan__base_settings(&t->g);
}

/* ---- all together --------------------------------------------------------------------------- */

static int parse(struct task_gather *t)
{
    const struct model_task *task = t->task;
    struct plan__source *source = &t->g.source;
    struct dsl_error bad;

    t->dsl = dsl_task_parse(t->g.arena, ps_str(task->task_name ? task->task_name : NAME_OF_NONE),
                            ps_str(task->definition), &bad);
    if (t->dsl == NULL)
        return plan__refuse(&t->g, "DSLSyntaxError", "spec.definition: %s", bad.text);
    if (t->dsl->composed) {
        return plan__refuse(&t->g, "NotSupportedYet",
                            "spec.definition: a graph of %zu apps: composed tasks are checked, but "
                            "cannot be launched yet; launch its apps one by one",
                            t->dsl->app_count);
    }
    t->label = t->dsl->apps[0].label;
    source->labels = &t->label;
    source->label_count = 1;
    source->alias = ps_streq(t->label, t->dsl->apps[0].name) ? NULL : t->dsl->apps[0].name;
    return 0;
}

/* The options keep their values where they were copied to. */
static const char *masked_definition(struct ps_arena *arena, const struct dsl_task *dsl)
{
    for (size_t i = 0; i < dsl->apps[0].option_count; i++) {
        if (model_is_secret_key(dsl->apps[0].options[i].name))
            dsl->apps[0].options[i].value = "******";
    }
    return dsl_task_print(arena, dsl);
}

static int gather(struct task_gather *t)
{
    struct plan__wanted *wanted = t->g.wanted;

    if (parse(t) != 0 || check_account(t) != 0 || plan__check_keys(&t->g) != 0)
        return PS_EINVAL;
    struct plan__app *app = ps_arena_array(t->g.arena, 1, sizeof(*app));

    app->label = t->label;
    app->name = t->dsl->apps[0].name;
    app->type = "task";
    if (check_names(t, app) != 0 || plan__image_of(&t->g, app) != 0 ||
        plan__settings_of(&t->g, app->label, &app->settings) != 0)
        return PS_EINVAL;
    properties_of(t, app);
    warn_own(t, app);
    if (check_size(t, app) != 0)
        return PS_EINVAL;
    wanted->apps = app;
    wanted->count = 1;
    wanted->definition = masked_definition(t->g.arena, t->dsl);
    return plan__check_entry_point(&t->g, app, t->task->arguments, t->task->argument_count);
}

void plan__task_app(struct ps_arena *arena, const struct model_task *task,
                    const struct model_account *account, const struct model_registry *registry,
                    struct plan__wanted *wanted)
{
    struct task_gather t = {.g = {.source = {.scope = PLAN__TASKS,
                                             .namespace = task->namespace,
                                             .properties = &task->properties,
                                             .apps = task->apps,
                                             .app_count = task->app_count},
                                  .account = account,
                                  .registry = registry},
                            .task = task};

    plan__gather_init(&t.g, arena, wanted);
    if (gather(&t) != 0)
        wanted->count = 0;
    plan__gather_fini(&t.g);
}
