/* SPDX-License-Identifier: Apache-2.0 */
/* The app of a launch and its Job: which source of a property wins, what is told, what is refused,
 * and what the Job is. */
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

#define ACCOUNT(rest)                                                                              \
    "{'type': 'Kubernetes', 'kubernetes': {'namespace': 'highmemory-namespace'}" rest "}"
#define TAG                                                                                        \
    "--management.metrics.tags.application=${spring.cloud.task.name:unknown}-"                     \
    "${spring.cloud.task.executionid:unknown}"

static void must_render(const struct render_task *r, const char *spec)
{
    if (r->job == NULL)
        fail_msg("%s: %s: %s", spec, r->wanted.reason, r->wanted.message);
}

/* ---- precedence ------------------------------------------------------------------------------ */

struct arg_row {
    const char *spec, *account, *arg;
};

static void check_args(const struct arg_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct render_task *r RENDER_AUTO_TASK = render_task(rows[i].spec, rows[i].account);

        must_render(r, rows[i].spec);
        if (!render_task_has_arg(r, rows[i].arg))
            fail_msg("%s has no %s", rows[i].spec, rows[i].arg);
    }
}

static void application_properties_weakest_first(void **state)
{
    static const char *const account = ACCOUNT(", 'applicationProperties': {'task': {'k': 'a'}}");
    const struct arg_row rows[] = {
        {"{'definition': 'train --k=d'}", NULL, "--k=d"},
        {"{'definition': 'train --k=d'}", account, "--k=a"}, /* beats the definition, as in SCDF */
        {"{'definition': 'x: train', 'properties': {'app.train.k': 'n'}}", account, "--k=n"},
        {"{'definition': 'x: train', 'properties': {'app.x.k': 'l', 'app.train.k': 'n'}}", account,
         "--k=l"},
        {"{'definition': 'train', 'properties': {'app.*.k': 'w'}}", account, "--k=a"},
        {"{'definition': 'train'}", NULL, "--management.metrics.tags.service=task-application"},
        {"{'definition': 'train'}", NULL, TAG},
        /* the defaults fill gaps, and the definition is weaker than they are */
        {"{'definition': 'train --management.metrics.tags.service=d'}", NULL,
         "--management.metrics.tags.service=task-application"},
        {"{'definition': 'train', 'properties': "
         "{'app.train.management.metrics.tags.service': 'p'}}",
         NULL, "--management.metrics.tags.service=p"},
        {"{'definition': 'train'}", NULL, "--spring.cloud.task.name=train"},
        {"{'definition': 'x: train'}", NULL, "--spring.cloud.task.name=x"},
        {"{'definition': 'x: train', 'taskName': 'Night-1'}", NULL,
         "--spring.cloud.task.name=Night-1"},
        {"{'definition': 'train', 'properties': {'app.train.spring.cloud.task.name': 'p'}}", NULL,
         "--spring.cloud.task.name=train"},
        /* producer means nothing to a task */
        {"{'definition': 'train', 'properties': {'app.train.producer.x': '1'}}", NULL,
         "--producer.x=1"},
    };

    (void)state;
    check_args(rows, PS_ARRAY_LEN(rows));
}

static void settings_weakest_first(void **state)
{
#define LIMIT "kubernetes.limits.memory"

    static const struct {
        const char *account, *properties, *expected;
    } rows[] = {
        {"", "{}", NULL},
        {", 'properties': {'limits': {'memory': '1Gi'}}", "{}", "1Gi"},
        {", 'properties': {'limits.memory': '1Gi'}, 'taskProperties': {'limits.memory': '2Gi'}",
         "{}", "2Gi"},
        {", 'properties': {'limits.memory': '1Gi'}, 'streamProperties': {'limits.memory': '2Gi'}",
         "{}", "1Gi"},
        {", 'properties': {'limits.memory': '1Gi'}", "{'deployer.*." LIMIT "': '3Gi'}", "3Gi"},
        {"", "{'deployer.train." LIMIT "': '4Gi', 'deployer.*." LIMIT "': '3Gi'}", "4Gi"},
        {"", "{'deployer.x." LIMIT "': '5Gi', 'deployer.train." LIMIT "': '4Gi'}", "5Gi"},
        {"", "{'deployer.x.kubernetes.LIMITS_MEMORY': '5Gi', 'deployer.train." LIMIT "': '4Gi'}",
         "5Gi"},
        {"", "{'deployer.train.memory': '16Gi'}", "16Gi"},
        {"", "{'deployer.train.memory': '2g'}", "2048Mi"},
        {", 'properties': {'limits.memory': '1Gi'}", "{'deployer.train.memory': '2g'}", "1Gi"},
        {"", "{'deployer.train.cloudfoundry.memory': '2g'}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(account, 1024);
        PS_AUTO_BUF(spec, 1024);

        ps_buf_printf(&account, ACCOUNT("%s"), rows[i].account);
        ps_buf_printf(&spec, "{'definition': 'x: train', 'properties': %s}", rows[i].properties);
        struct render_task *r RENDER_AUTO_TASK =
            render_task(ps_buf_text(&spec), ps_buf_text(&account));

        must_render(r, ps_buf_text(&spec));
        const char *limit = js_path_str(render_task_container(r), "resources.limits.memory");

        if (!ps_streq(limit, rows[i].expected))
            fail_msg("row %zu: %s", i, limit);
    }
#undef LIMIT
}

static void the_overlay_wins(void **state)
{
    struct render_task *r RENDER_AUTO_TASK = render_task(
        "{'definition': 'train', 'properties': {'deployer.train.kubernetes.limits.memory': '1Gi',"
        " 'deployer.train.kubernetes.environmentVariables': 'A=1,B=1'}, 'apps': [{'name': 'train',"
        " 'image': 'example/t:3', 'resources': {'limits': {'memory': '5Gi'}, 'requests': {'cpu': "
        "'1'}}, 'env': [{'name': 'B', 'value': '2'}]}]}",
        NULL);
    const struct json_t *container = render_task_container(r);

    (void)state;
    assert_non_null(r->job);
    assert_string_equal(js_path_str(container, "image"), "example/t:3");
    assert_string_equal(r->wanted.apps[0].version, "3");
    assert_string_equal(js_path_str(container, "resources.limits.memory"), "5Gi");
    assert_string_equal(js_path_str(container, "resources.requests.cpu"), "1");
    assert_string_equal(render_task_env(r, "A"), "1");
    assert_string_equal(render_task_env(r, "B"), "2");
}

static void images_and_versions(void **state)
{
    static const struct {
        const char *spec, *image;
    } rows[] = {
        {"{'definition': 'train'}", "springcloudtask/train:1.0.0"},
        {"{'definition': 'train', 'properties': {'version.train': '1.1.0'}}",
         "springcloudtask/train:1.1.0"},
        {"{'definition': 'x: train', 'properties': {'version.train': '1.1.0'}}",
         "springcloudtask/train:1.1.0"},
        {"{'definition': 'x: train', 'properties': {'version.x': '1.1.0', "
         "'version.train': '1.0.0'}}",
         "springcloudtask/train:1.1.0"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct render_task *r RENDER_AUTO_TASK = render_task(rows[i].spec, NULL);

        must_render(r, rows[i].spec);
        assert_string_equal(js_path_str(render_task_container(r), "image"), rows[i].image);
    }
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void refusals_name_the_place(void **state)
{
    static const struct {
        const char *spec, *account, *reason, *words;
    } rows[] = {
        {"{'definition': 'train && train2'}", NULL, "NotSupportedYet", "cannot be launched yet"},
        {"{'definition': 'train 0->x'}", NULL, "NotSupportedYet", "graph of 2 apps"},
        {"{'definition': 'train --'}", NULL, "DSLSyntaxError", "spec.definition: "},
        {"{'definition': 'train && && b'}", NULL, "DSLSyntaxError", "^"},
        {"{'definition': 'train'}", ACCOUNT(", 'usage': ['Stream']"), "UsageNotAllowed",
         "highmemory is not for tasks: its spec.usage"},
        {"{'definition': 'train'}", ACCOUNT(", 'taskProperties': {'limits.memory': 'x'}"),
         "PlatformInvalid", "limits.memory"},
        {"{'definition': 'train'}", "{'type': 'Toaster'}", "PlatformInvalid", "highmemory"},
        {"{'definition': 'tarin'}", NULL, "AppNotRegistered", "Candidates: task.train"},
        {"{'definition': 'train', 'properties': {'version.train': '9'}}", NULL, "AppNotRegistered",
         "Registered versions: 1.0.0, 1.1.0"},
        {"{'definition': 'jar'}", NULL, "ImageNotUsable", "task.jar"},
        {"{'definition': 'train', 'properties': {'train.x': '1'}}", NULL, "InvalidProperty",
         "'train.x'"},
        {"{'definition': 'train', 'properties': {'deployer.train.kubernetes.backoffLimit': 'x'}}",
         NULL, "InvalidProperty", "spec.properties[deployer.train.kubernetes.backoffLimit]"},
        {"{'definition': 'train', 'properties': {'deployer.train.kubernetes.podAnnotations': 'x'}}",
         NULL, "InvalidProperty", "key:value"},
        {"{'definition': 'train', 'apps': [{'name': 'other', 'image': 'x'}]}", NULL, "InvalidSpec",
         "spec.apps[0].name"},
        {"{'definition': 'my_task: train'}", NULL, "NameInvalid", "Task name my_task is invalid"},
        {"{'definition': 'train', 'arguments': ['--a=b', 'plain'], 'properties': "
         "{'deployer.train.kubernetes.entryPointStyle': 'shell'}}",
         NULL, "InvalidProperty", "spec.arguments[1]"},
        {"{'definition': 'train', 'properties': {'app.train.a[0]': 'x', "
         "'deployer.train.kubernetes.entryPointStyle': 'shell'}}",
         NULL, "InvalidProperty", "a[0]"},
        {"{'definition': 'train', 'properties': {'deployer.train.kubernetes.entryPointStyle': "
         "'boot', 'deployer.train.kubernetes.environmentVariables': 'SPRING_APPLICATION_JSON=x'}}",
         NULL, "InvalidProperty", "SPRING_APPLICATION_JSON"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct render_task *r RENDER_AUTO_TASK = render_task(rows[i].spec, rows[i].account);

        if (!ps_streq(r->wanted.reason, rows[i].reason) ||
            strstr(r->wanted.message, rows[i].words) == NULL)
            fail_msg("%s: %s: %s", rows[i].spec, r->wanted.reason, r->wanted.message);
        assert_int_equal(r->wanted.count, 0);
    }
}

static void every_ignored_key_is_named(void **state)
{
    static const struct {
        const char *key, *value, *words;
    } rows[] = {
        {"app.*.k", "1", "app.x.k"}, /* what to write instead */
        {"app.nobody.k", "1", "no app 'nobody'"},
        {"app.x.", "1", "nothing follows"},
        {"deployer.nobody.memory", "1", "no app 'nobody'"},
        {"deployer.x.count", "3", "a task is one pod"},
        {"deployer.*.kubernetes.livenessProbeDelay", "3", "probes"},
        {"deployer.train.kubernetes.nonsense", "3", "unknown key"},
        {"deployer.x.kubernetes.nodeSelector", "a:b", "not supported yet"},
        {"deployer.x.kubernetes.restartPolicy", "OnFailure", "use spec.retry"},
        {"deployer.x.kubernetes.restartPolicy", "Always", "use spec.retry"},
        {"deployer.x.kubernetes.ttlSecondsAfterFinished", "60", "spec.ttlSecondsAfterFinished"},
        {"deployer.x.kubernetes.maximumConcurrentTasks", "6", "accounts"},
        {"version.*", "1", "one app"},
        {"version.train.x", "1", "nothing may follow"},
        {"spring.cloud.dataflow.task.platformName", "p", "spec.platform"},
        {"app.x.spring.cloud.task.external-execution-id", "p", "the operator sets it"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct json_t *spec PS_AUTO_JS = js_object();

        js_set_str(spec, "definition", "x: train");
        js_set_str(js_child(spec, "properties"), rows[i].key, rows[i].value);
        struct render_task *r RENDER_AUTO_TASK = render_task_of(spec, NULL);

        must_render(r, rows[i].key);
        if (r->wanted.warnings == NULL || strstr(r->wanted.warnings, rows[i].words) == NULL ||
            (!ps_str_starts(ps_str(rows[i].key), "app.x.s") &&
             strstr(r->wanted.warnings, rows[i].key) == NULL))
            fail_msg("%s: %s", rows[i].key, r->wanted.warnings);
    }
}

static void accepted_without_a_word(void **state)
{
    static const char *const specs[] = {
        "{'definition': 'train'}",
        "{'definition': 'train', 'properties': {'deployer.train.kubernetes.createJob': 'true',"
        " 'deployer.train.kubernetes.restartPolicy': 'Never', "
        "'deployer.train.kubernetes.backoffLimit': '3', 'deployer.train.local.x': '1'}}",
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(specs); i++) {
        /* an account serves streams, too */
        struct render_task *r RENDER_AUTO_TASK = render_task(
            specs[i], ACCOUNT(", 'properties': {'livenessProbeDelay': 3, "
                              "'maximumConcurrentTasks': 5, 'restartPolicy': 'OnFailure'}"));

        must_render(r, specs[i]);
        if (r->wanted.warnings != NULL)
            fail_msg("%s: %s", specs[i], r->wanted.warnings);
    }
}

static void the_account_says_each_thing_once(void **state)
{
    static const struct {
        const char *rest, *expected;
    } rows[] = {
        {", 'properties': {'nonsense': 1, 'livenessProbeDelay': 3, 'backoffLimit': 2}",
         "nonsense: unknown, ignored"},
        {", 'taskProperties': {'restartPolicy': 'Always', 'ttlSecondsAfterFinished': 3}",
         "restartPolicy: ignored, an attempt is one pod, which runs once; use spec.retry; "
         "ttlSecondsAfterFinished: ignored, use spec.ttlSecondsAfterFinished"},
        {", 'usage': ['Stream'], 'taskProperties': {'nonsense': 1}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct model_properties none = {0};
        const char *warnings;
        PS_AUTO_BUF(spec, 1024);
        struct ps_arena arena;

        ps_arena_init(&arena);
        ps_buf_printf(&spec,
                      "{'metadata': {'name': 'z', 'uid': 'a', 'resourceVersion': '1'}, "
                      "'spec': " ACCOUNT("%s") "}",
                      rows[i].rest);
        struct json_t *object PS_AUTO_JS = render_json(ps_buf_text(&spec));

        assert_null(
            plan__account_problem(&arena, model_account_read(&arena, object, &none), &warnings));
        if (!ps_streq(warnings, rows[i].expected))
            fail_msg("%s: %s", rows[i].rest, warnings);
        ps_arena_fini(&arena);
    }
}

static void no_secret_is_told(void **state)
{
    static const char *const specs[] = {
        "{'definition': 'train --db.password=hunter2'}",
        "{'definition': 'tarin --db.password=hunter2'}",
        "{'definition': 'train', 'arguments': ['hunter2'], 'properties': "
        "{'deployer.*.kubernetes.entryPointStyle': 'shell'}}",
        "{'definition': 'train', 'arguments': "
        "['--spring.cloud.task.external-execution-id=hunter2']}",
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(specs); i++) {
        struct render_task *r RENDER_AUTO_TASK = render_task(specs[i], NULL);
        const char *texts[] = {r->wanted.message, r->wanted.warnings, r->wanted.definition};

        for (size_t k = 0; k < PS_ARRAY_LEN(texts); k++)
            if (texts[k] != NULL && strstr(texts[k], "hunter2") != NULL)
                fail_msg("%s: %s", specs[i], texts[k]);
    }
    struct render_task *r RENDER_AUTO_TASK = render_task(specs[0], NULL);

    assert_string_equal(r->wanted.definition, "train --db.password=******");
    assert_true(render_task_has_arg(r, "--db.password=hunter2"));
}

static void what_does_not_fit_is_refused(void **state)
{
    struct json_t *spec PS_AUTO_JS = js_object(), *list = js_array();
    PS_AUTO_BUF(text, 64 * 1024);

    (void)state;
    js_set_str(spec, "definition", "train");
    for (size_t i = 0; i < 60 * 1024; i++)
        ps_buf_char(&text, 'x');
    for (int i = 0; i < 18; i++)
        js_push(list, js_string(ps_buf_text(&text)));
    js_set(spec, "arguments", list);
    struct render_task *r RENDER_AUTO_TASK = render_task_of(spec, NULL);

    assert_string_equal(r->wanted.reason, "TaskTooLarge");
}

/* ---- entry points ---------------------------------------------------------------------------- */

static void an_argument_beats_the_property(void **state)
{
    struct render_task *r RENDER_AUTO_TASK =
        render_task("{'definition': 'train --k=d --flag=1 --plain=1', 'properties': "
                    "{'app.train.e': ' '}, 'arguments': ['--k=a b', '--flag',"
                    " 'plain=2', '--k=again', '--spring.cloud.task.external-execution-id=mine']}",
                    NULL);
    const struct json_t *args = js_get(render_task_container(r), "args");
    const size_t n = js_len(args);
    static const char *const last[] = {
        "--spring.cloud.task.external-execution-id=nightly-bb82030d-2", "--k=a b", "--flag",
        "plain=2", "--k=again"};

    (void)state;
    must_render(r, "arguments");
    assert_true(n > PS_ARRAY_LEN(last));
    for (size_t i = 0; i < PS_ARRAY_LEN(last); i++) {
        const char *arg = js_str(js_at(args, n - PS_ARRAY_LEN(last) + i));

        if (!ps_streq(arg, last[i]))
            fail_msg("argument %zu: %s", i, arg);
    }
    assert_false(render_task_has_arg(r, "--k=d"));
    assert_false(render_task_has_arg(r, "--flag=1"));
    assert_false(render_task_has_arg(r, "--e= "));
    assert_true(render_task_has_arg(r, "--plain=1")); /* "plain=2" is no option */
    assert_non_null(strstr(r->wanted.warnings, "spec.arguments[4]"));
}

static void properties_as_json(void **state)
{
    struct render_task *r RENDER_AUTO_TASK =
        render_task("{'definition': 'train --k=d', 'arguments': ['--k=a', 'plain'], 'properties': "
                    "{'deployer.train.kubernetes.entryPointStyle': 'boot'}}",
                    NULL);
    const char *text = render_task_env(r, "SPRING_APPLICATION_JSON");

    (void)state;
    assert_non_null(text);
    struct json_t *json PS_AUTO_JS = js_parse(ps_str(text), NULL);

    assert_string_equal(js_str(js_get(json, "k")), "d");
    assert_string_equal(js_str(js_get(json, "spring.cloud.task.name")), "train");
    assert_int_equal(js_len(js_get(render_task_container(r), "args")), 3);
    assert_true(render_task_has_arg(r, "--k=a"));
    assert_true(render_task_has_arg(r, "plain"));
}

static void properties_as_variables(void **state)
{
    struct render_task *r RENDER_AUTO_TASK = render_task(
        "{'definition': 'train --my.key-x=d --other=1', 'arguments': ['--other=2', 'z.y=3=4'], "
        "'properties': {'deployer.train.kubernetes.entryPointStyle': 'shell', "
        "'deployer.train.kubernetes.environmentVariables': 'OTHER=0,KEPT=1'}}",
        NULL);

    (void)state;
    must_render(r, "shell");
    assert_null(js_get(render_task_container(r), "args"));
    assert_string_equal(render_task_env(r, "MY_KEY-X"), "d");
    assert_string_equal(render_task_env(r, "OTHER"), "2");
    assert_string_equal(render_task_env(r, "KEPT"), "1");
    assert_string_equal(render_task_env(r, "Z_Y"), "3=4");
    assert_string_equal(render_task_env(r, "SPRING_CLOUD_TASK_NAME"), "train");
}

/* ---- the Job --------------------------------------------------------------------------------- */

static void the_job(void **state)
{
    struct render_task *r RENDER_AUTO_TASK =
        render_task("{'definition': 'x: train', 'taskName': 'Night', 'activeDeadlineSeconds': 60, "
                    "'properties': {'deployer.x.kubernetes.jobAnnotations': 'j:k', "
                    "'deployer.x.kubernetes.podAnnotations': 'j:p', "
                    "'deployer.x.kubernetes.deploymentLabels': 'team:a,role:mine'}}",
                    NULL);

    (void)state;
    must_render(r, "the_job");
    const char *name = js_path_str(r->job, "metadata.name");
    PS_AUTO_BUF(text, 8192);

    ps_buf_printf(
        &text,
        "{'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': '%s', 'namespace': "
        "'highmemory-namespace', 'finalizers': ['penstock.dev/attempt'], 'annotations': {'j': 'k', "
        "'penstock.dev/active-deadline-seconds': '60', 'penstock.dev/owner': "
        "'TaskLaunch/cars/nightly'}, 'labels': {'task-name': 'Night', 'role': 'spring-app', "
        "'spring-app-id': '%s', 'spring-deployment-id': '%s', 'app.kubernetes.io/name': 'x', "
        "'app.kubernetes.io/component': 'task', 'app.kubernetes.io/part-of': "
        "'spring-cloud-dataflow', 'app.kubernetes.io/managed-by': 'penstock', "
        "'penstock.dev/installation': 'i1', 'penstock.dev/owner-uid': 'u1', 'penstock.dev/app': "
        "'x', 'penstock.dev/attempt': '2'}}, 'spec': {'backoffLimit': 0, 'completions': 1, "
        "'parallelism': 1, 'podReplacementPolicy': 'Failed', 'activeDeadlineSeconds': 60, "
        "'template': {'metadata': {'annotations': {'j': 'p'}, 'labels': {'team': 'a', 'task-name': "
        "'Night', 'role': 'spring-app', 'spring-app-id': '%s', 'spring-deployment-id': '%s'}}, "
        "'spec': {'restartPolicy': 'Never', 'containers': []}}}}",
        name, name, name, name, name);
    struct json_t *expected PS_AUTO_JS = render_json(ps_buf_text(&text));
    struct json_t *job PS_AUTO_JS = js_copy(r->job);
    PS_AUTO_BUF(paths, 4096);

    js_set(js_path(job, "spec.template.spec"), "containers", js_array());
    codec_diff_paths(&paths, expected, job, 20);
    if (!js_equal(job, expected))
        fail_msg("the Job differs: %s", ps_buf_text(&paths));
    const struct json_t *container = render_task_container(r);

    assert_string_equal(js_path_str(container, "name"), name);
    assert_string_equal(js_path_str(container, "terminationMessagePolicy"),
                        "FallbackToLogsOnError");
    assert_null(js_get(container, "ports"));
    assert_null(js_get(container, "livenessProbe"));
    assert_null(render_task_env(r, "SPRING_CLOUD_APPLICATION_GROUP"));
}

static void beside_the_launch_it_is_owned(void **state)
{
    struct render_task *r RENDER_AUTO_TASK =
        render_task("{'definition': 'train'}", "{'type': 'Kubernetes'}");
    struct json_t *expected PS_AUTO_JS = render_json(
        "[{'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'TaskLaunch', 'name': 'nightly', 'uid': "
        "'u1', 'controller': true}]");

    (void)state;
    must_render(r, "beside");
    assert_true(js_equal(js_path(r->job, "metadata.ownerReferences"), expected));
    assert_string_equal(js_path_str(r->job, "metadata.namespace"), "cars");
    assert_string_equal(
        js_str(js_get(js_path(r->job, "metadata.annotations"), MODEL_ANNOTATION_DEADLINE)), "none");
    assert_null(js_path(r->job, "spec.activeDeadlineSeconds"));
}

static void what_an_attempt_brings(void **state)
{
    struct render_task *r RENDER_AUTO_TASK = render_task("{'definition': 'train'}", NULL);
    struct plan__attempt attempt = {.task = &r->task,
                                    .app = &r->wanted.apps[0],
                                    .installation = "i1",
                                    .namespace = "cars",
                                    .image = "earlier:1",
                                    .number = 7,
                                    .deadline_s = 0};

    (void)state;
    must_render(r, "attempt");
    struct json_t *job PS_AUTO_JS = plan__job(&r->arena, &attempt);

    assert_string_equal(
        js_path_str(js_at(js_path(job, "spec.template.spec.containers"), 0), "image"), "earlier:1");
    assert_int_equal(js_path_int(job, "spec.activeDeadlineSeconds", 0), 1); /* 0 is refused */
    assert_string_equal(js_str(js_get(js_path(job, "metadata.labels"), MODEL_LABEL_ATTEMPT)), "7");
    assert_true(ps_str_ends(ps_str(js_path_str(job, "metadata.name")), "-7"));
}

static void names_of_jobs(void **state)
{
    static const struct {
        const char *launch, *start;
    } rows[] = {
        {"train", "train-"},
        {"train.v1.2", "train-v1-2-"},
        {"a234567890123456789012345678901234567890123456789",
         "a23456789012345678901234567890123456789012345-"},
        {"a2345678901234567890123456789012345678901234.6789",
         "a2345678901234567890123456789012345678901234-"},
        {"a234567890123456789012345678901234567890123--6789",
         "a234567890123456789012345678901234567890123-"},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct model_task task = {.name = rows[i].launch, .uid = "u1"};
        const struct model_task other = {.name = rows[i].launch, .uid = "u2"};
        const char *name = plan__job_name(&arena, &task, 12345678);
        const size_t start = strlen(rows[i].start);

        if (!ps_str_starts(ps_str(name), rows[i].start) ||
            strlen(name) != start + 8 + strlen("-12345678") || strlen(name) > 63)
            fail_msg("%s: %s", rows[i].launch, name);
        assert_string_equal(name, plan__job_name(&arena, &task, 12345678));
        assert_string_not_equal(name, plan__job_name(&arena, &task, 2));
        assert_string_not_equal(name, plan__job_name(&arena, &other, 12345678));
    }
    ps_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(application_properties_weakest_first),
        cmocka_unit_test(settings_weakest_first),
        cmocka_unit_test(the_overlay_wins),
        cmocka_unit_test(images_and_versions),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(every_ignored_key_is_named),
        cmocka_unit_test(accepted_without_a_word),
        cmocka_unit_test(the_account_says_each_thing_once),
        cmocka_unit_test(no_secret_is_told),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(an_argument_beats_the_property),
        cmocka_unit_test(properties_as_json),
        cmocka_unit_test(properties_as_variables),
        cmocka_unit_test(the_job),
        cmocka_unit_test(beside_the_launch_it_is_owned),
        cmocka_unit_test(what_an_attempt_brings),
        cmocka_unit_test(names_of_jobs),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
