/* SPDX-License-Identifier: Apache-2.0 */
/* The objects are those that Spring Cloud Data Flow made: test/golden/scdf/, one file a case. */
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX      ((size_t)1024 * 1024)
#define DOCUMENTS_MAX 32

static void read_case(const char *name, struct ps_buf *out)
{
    char chunk[4096];
    size_t n;
    PS_AUTO_BUF(path, 256);

    ps_buf_printf(&path, "test/golden/scdf/%s.yaml", name);
    FILE *file = fopen(ps_buf_text(&path), "re");

    if (file == NULL)
        fail_msg("%s is not there; run this at the top of the tree", ps_buf_text(&path));
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        ps_buf_add(out, chunk, n);
    (void)fclose(file);
    assert_false(ps_buf_failed(out));
}

/* The text behind "# <key>: ". New memory. */
static char *header(struct ps_str text, const char *key)
{
    struct ps_str line;
    PS_AUTO_BUF(start, 64);

    ps_buf_printf(&start, "# %s: ", key);
    while (ps_str_split(&text, '\n', &line))
        if (ps_str_starts(line, ps_buf_text(&start)))
            return ps_xstrndup(line.p + start.n, line.n - start.n);
    fail_msg("no %s", key);
    return NULL;
}

/* ---- what both sides have in common -----------------------------------------------------------
 */

static void drop(struct json_t *object, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        js_remove(object, keys[i]);
}

#define DROP(object, ...)                                                                          \
    drop(object, (const char *const[]){__VA_ARGS__},                                               \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A list without an order, as the texts of its items. */
static void sort_list(struct json_t *parent, const char *key)
{
    const struct json_t *list = js_get(parent, key);
    PS_AUTO_FREE char **texts = ps_xcalloc(js_len(list) + 1, sizeof(*texts));
    struct json_t *sorted = js_array();
    const size_t n = js_len(list);

    for (size_t i = 0; i < n; i++)
        texts[i] = js_text(js_at(list, i));
    if (n > 0)
        qsort(texts, n, sizeof(*texts), by_text);
    for (size_t i = 0; i < n; i++) {
        js_push(sorted, js_string(texts[i]));
        ps_free(texts[i]);
    }
    js_set(parent, key, sorted);
}

/* 2048Mi is 2Gi. */
static void plain_quantities(struct json_t *resources, const char *what)
{
    static const char *const keys[] = {"cpu", "memory"};

    for (size_t i = 0; i < PS_ARRAY_LEN(keys); i++) {
        const char *text = js_str(js_get(js_get(resources, what), keys[i]));
        int64_t milli;

        if (text == NULL)
            continue;
        assert_true(codec_quantity(ps_str(text), &milli));
        js_set_int(js_get(resources, what), keys[i], milli);
    }
}

/* What the server fills in, and the claims' end: SCDF deleted them itself, here they go with the
 * object. */
static void normalize_stateful(struct json_t *spec)
{
    struct json_t *claim = js_at(js_get(spec, "volumeClaimTemplates"), 0);
    struct json_t *init = js_at(js_path(spec, "template.spec.initContainers"), 0);

    DROP(spec, "updateStrategy");
    DROP(js_get(spec, "persistentVolumeClaimRetentionPolicy"), "whenDeleted");
    DROP(claim, "apiVersion", "kind", "status");
    DROP(js_get(claim, "spec"), "volumeMode");
    DROP(init, "resources", "terminationMessagePath", "terminationMessagePolicy");
}

static void normalize_workload(struct json_t *object)
{
    struct json_t *spec = js_get(object, "spec"), *pod = js_path(spec, "template.spec");
    struct json_t *container = js_at(js_get(pod, "containers"), 0);

    DROP(spec, "progressDeadlineSeconds", "revisionHistoryLimit", "strategy");
    if (ps_streq(js_path_str(object, "kind"), "StatefulSet"))
        normalize_stateful(spec);
    DROP(pod, "dnsPolicy", "schedulerName", "securityContext", "terminationGracePeriodSeconds");
    DROP(container, "terminationMessagePath", "terminationMessagePolicy");
    if (js_get(spec, "replicas") == NULL)
        js_set_int(spec, "replicas", 1);
    sort_list(container, "args");
    sort_list(container, "env");
    plain_quantities(js_get(container, "resources"), "limits");
    plain_quantities(js_get(container, "resources"), "requests");
}

static void normalize_service(struct json_t *object)
{
    struct json_t *spec = js_get(object, "spec");

    DROP(spec, "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity", "type");
    for (size_t i = 0; i < js_len(js_get(spec, "ports")); i++)
        DROP(js_at(js_get(spec, "ports"), i), "protocol", "targetPort");
}

static void normalize(struct json_t *object)
{
    struct json_t *metadata = js_get(object, "metadata");

    DROP(metadata, "annotations", "ownerReferences");
    DROP(js_get(metadata, "labels"), MODEL_LABEL_APP, MODEL_LABEL_INSTALLATION,
         MODEL_LABEL_OWNER_UID, MODEL_LABEL_REVISION, "app.kubernetes.io/name",
         "app.kubernetes.io/component", "app.kubernetes.io/part-of",
         "app.kubernetes.io/managed-by");
    if (model_is_workload(snapshot_kind(js_path_str(object, "kind"))))
        normalize_workload(object);
    else
        normalize_service(object);
}

/* ---- comparing
 * ----------------------------------------------------------------------------------- */

/* The plan for the case as its header tells it. */
static struct json_t *plan_case(struct ps_str text)
{
    PS_AUTO_FREE char *stream = header(text, "stream"), *definition = header(text, "definition");
    PS_AUTO_FREE char *properties = header(text, "deployment properties");
    struct json_t *map PS_AUTO_JS = js_parse(ps_str(properties), NULL);
    const char *platform = js_str(js_get(map, "spring.cloud.dataflow.skipper.platformName"));
    const bool zone = ps_streq(platform, "kafkazone");
    struct json_t *in PS_AUTO_JS = render_input(
        "{}", zone ? "{'type': 'Kubernetes', 'kubernetes': {'namespace': 'kafka-namespace'}, "
                     "'properties': {"
                     " 'limits': {'memory': '2048Mi', 'cpu': '500m'}, 'readinessProbeDelay': 180, "
                     "'livenessProbeDelay': 120,"
                     " 'environmentVariables': "
                     "'SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS=kafka.kafka-namespace:9092'}}"
                   : "{'type': 'Kubernetes', 'kubernetes': {'namespace': 'default'}}");
    struct json_t *spec = js_path(in, "cr.spec");

    js_remove(map, "spring.cloud.dataflow.skipper.platformName");
    js_set_str(spec, "streamName", stream);
    js_set_str(spec, "definition", definition);
    js_set(spec, "properties", js_copy(map));
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

static struct json_t *find_created(const struct json_t *plan, const struct json_t *object)
{
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++)
        if (js_equal(js_get(js_at(ops, i), "kind"), js_get(object, "kind")) &&
            js_equal(js_get(js_at(ops, i), "name"), js_path(object, "metadata.name")))
            return js_path(js_at(ops, i), "body");
    return NULL;
}

static void compare(const char *name, const struct json_t *plan, struct json_t *theirs)
{
    struct json_t *ours = find_created(plan, theirs);
    PS_AUTO_BUF(paths, 4096);

    if (ours == NULL)
        fail_msg("%s: %s %s is not made (%s)", name, js_path_str(theirs, "kind"),
                 js_path_str(theirs, "metadata.name"), render_message(plan, "Ready"));
    normalize(ours);
    normalize(theirs);
    codec_diff_paths(&paths, theirs, ours, 20);
    if (!js_equal(ours, theirs))
        fail_msg("%s: %s %s differs: %s", name, js_path_str(theirs, "kind"),
                 js_path_str(theirs, "metadata.name"), ps_buf_text(&paths));
}

static void check_case(const char *name)
{
    PS_AUTO_BUF(text, FILE_MAX);
    size_t documents = 0, created = 0;

    read_case(name, &text);
    struct json_t *plan PS_AUTO_JS = plan_case(ps_buf_get(&text));
    struct ps_str rest = ps_buf_get(&text);

    for (ptrdiff_t at; (at = ps_str_find(rest, "\n---\n")) >= 0;) {
        rest = ps_str_skip(rest, (size_t)at + 5);
        const ptrdiff_t end = ps_str_find(rest, "\n---\n");
        struct json_t *theirs PS_AUTO_JS =
            codec_yaml_parse(end < 0 ? rest : ps_str_head(rest, (size_t)end + 1), NULL);

        assert_non_null(theirs);
        compare(name, plan, theirs);
        documents++;
    }
    for (size_t i = 0; i < js_len(js_get(plan, "ops")); i++)
        created +=
            !ps_streq(js_path_str(js_at(js_get(plan, "ops"), i), "kind"), "ControllerRevision");
    assert_true(documents > 0);
    assert_int_equal(created, documents);
}

static void objects_are_the_originals(void **state)
{
    static const char *const cases[] = {
        "01-foo",           "02-foo-default-account", "05-limits-wildcard",
        "07-partitioned",   "21-tap-group",           "23-unbound-apps",
        "24-bridge",        "36-count-zero-and-bad",  "40-apostrophe-value",
        "46-wildcard-count"};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(cases); i++)
        check_case(cases[i]);
}

/* ---- where the original had a defect, what its user meant
 * --------------------------------------------- */

static void values_arrive_as_written(void **state)
{
    static const char *const values[] = {"a\\b\\nc", "\"quoted\"", "${x:y} |;> ü", "1e3",
                                         "null",     "~",          "a=b, c"};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(values); i++) {
        struct json_t *in PS_AUTO_JS =
            render_input("{'definition': 'cardata | predict | cassandra'}", NULL);
        PS_AUTO_BUF(arg, 256);

        js_set_str(js_child(js_path(in, "cr.spec"), "properties"), "app.cassandra.k", values[i]);
        struct plan *plan = snapshot_plan(in);
        struct json_t *json PS_AUTO_JS = plan_json(plan);

        plan_free(plan);
        ps_buf_printf(&arg, "--k=%s", values[i]);
        if (!render_has_arg(json, "cassandra", ps_buf_text(&arg)))
            fail_msg("%s does not arrive", values[i]);
    }
}

static void empty_values(void **state)
{
    struct json_t *deploy PS_AUTO_JS = render_plan(
        "{'definition': 'cardata | cassandra', 'properties': {'app.cassandra.e': ''}}", NULL);
    struct json_t *in PS_AUTO_JS = render_input("{}", NULL);

    (void)state;
    assert_false(render_has_key(deploy, "cassandra", "--e"));
    assert_non_null(render_container(deploy, "cassandra"));
    js_set_str(js_path(in, "cr.spec"), "definition", "cardata --empty='' | cassandra");
    struct plan *plan = snapshot_plan(in);
    struct json_t *json PS_AUTO_JS = plan_json(plan);

    plan_free(plan);
    assert_true(render_has_arg(json, "cardata", "--empty=\"\""));
}

/* ---- tasks ------------------------------------------------------------------------------------
 */

/* What SCDF's tasks got and ours do not. Under shell the names are in capitals. */
static const struct {
    const char *start;
    const char *why;
} left_out[] = {
    {"spring.datasource.", "the database of SCDF's server, which is not there"},
    {"spring.cloud.task.executionid=", "the id of a row in that database"},
    {"app.train.", "the switches below, once more"},
    {"spring.cloud.task.initialize-enabled=", "of SCDF's database"},
    {"spring.cloud.task.tablePrefix=", "of SCDF's database"},
    {"spring.cloud.task.schemaTarget=", "of SCDF's database"},
    {"spring.batch.jdbc.table-prefix=", "of SCDF's database"},
    {"spring.cloud.deployer.bootVersion=", "chooses between versions of that database's tables"},
};

/* "spring.cloud.a-b=" as shell has it. */
static void as_variable(struct ps_buf *out, struct ps_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];

        ps_buf_char(out, c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
}

static bool is_left_out(struct ps_str item, bool shell, bool seen[PS_ARRAY_LEN(left_out)])
{
    for (size_t i = 0; i < PS_ARRAY_LEN(left_out); i++) {
        PS_AUTO_BUF(start, 256);

        if (shell)
            as_variable(&start, ps_str(left_out[i].start));
        else
            ps_buf_printf(&start, "--%s", left_out[i].start);
        if (ps_str_starts(item, ps_buf_text(&start)))
            return seen[i] = true;
    }
    return false;
}

/* Arguments and variables as one list of texts, theirs without what is left out. */
static struct json_t *texts_of(const struct json_t *container, bool theirs, bool *seen)
{
    struct json_t *list = js_array();
    const struct json_t *args = js_get(container, "args"), *env = js_get(container, "env");

    for (size_t i = 0; i < js_len(args); i++) {
        const char *text = js_str(js_at(args, i));

        if (!theirs || !is_left_out(ps_str(text), false, seen))
            js_push(list, js_string(text));
    }
    for (size_t i = 0; i < js_len(env); i++) {
        const char *value = js_path_str(js_at(env, i), "value");
        PS_AUTO_BUF(text, 1024);

        ps_buf_printf(&text, "%s=%s", js_path_str(js_at(env, i), "name"),
                      value ? value : js_path_str(js_at(env, i), "valueFrom.fieldRef.fieldPath"));
        if (!theirs || !is_left_out(ps_buf_get(&text), true, seen))
            js_push(list, js_string_n(ps_buf_get(&text)));
    }
    return list;
}

static void remove_text(struct json_t *parent, const char *key, const char *text)
{
    struct json_t *kept = js_array();
    const struct json_t *list = js_get(parent, key);

    for (size_t i = 0; i < js_len(list); i++)
        if (!ps_streq(js_str(js_at(list, i)), text))
            js_push(kept, js_ref(js_at(list, i)));
    assert_int_equal(js_len(kept) + 1, js_len(list));
    js_set(parent, key, kept);
}

/* The pod's labels, annotations and container, in one form. */
static struct json_t *pod_form(const struct json_t *metadata, const struct json_t *spec,
                               bool theirs, bool *seen)
{
    struct json_t *form = js_object(), *container = js_copy(js_at(js_get(spec, "containers"), 0));
    struct json_t *labels = js_copy(js_get(metadata, "labels"));

    /* Names: SCDF's end is random. The rest is the Job controller's. */
    DROP(labels, "spring-app-id", "spring-deployment-id", "controller-uid", "job-name",
         "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name");
    js_set(form, "labels", labels);
    js_set(form, "annotations", js_copy(js_get(metadata, "annotations")));
    js_set(form, "texts", texts_of(container, theirs, seen));
    DROP(container, "name", "args", "env", "terminationMessagePath", "terminationMessagePolicy");
    plain_quantities(js_get(container, "resources"), "limits");
    plain_quantities(js_get(container, "resources"), "requests");
    /* Of a Pod the server fills in requests that are equal to the limits. */
    if (js_equal(js_path(container, "resources.limits"), js_path(container, "resources.requests")))
        js_remove(js_get(container, "resources"), "requests");
    js_set(form, "container", container);
    return form;
}

static struct render_task *launch_case(struct ps_str text)
{
    PS_AUTO_FREE char *task = header(text, "task"), *definition = header(text, "definition");
    PS_AUTO_FREE char *properties = header(text, "launch properties");
    const bool given = ps_str_find(text, "\n# arguments: ") >= 0; /* one argument */
    PS_AUTO_FREE char *argument = given ? header(text, "arguments") : NULL;
    struct json_t *map PS_AUTO_JS = js_parse(ps_str(properties), NULL);
    struct json_t *spec PS_AUTO_JS = js_object(), *list = js_array();
    const bool jobs =
        ps_streq(js_str(js_get(map, "spring.cloud.dataflow.task.platformName")), "jobs");

    js_remove(map, "spring.cloud.dataflow.task.platformName");
    js_set_str(spec, "taskName", task);
    js_set_str(spec, "definition", definition);
    js_set(spec, "properties", js_copy(map));
    if (given)
        js_push(list, js_string(argument));
    js_set(spec, "arguments", list);
    return render_task_of(spec, jobs ? "{'type': 'Kubernetes', 'kubernetes': {'namespace': "
                                       "'highmemory-namespace'}, 'taskProperties': {'createJob': "
                                       "true, 'backoffLimit': 2, 'ttlSecondsAfterFinished': 600}}"
                                     : "{'type': 'Kubernetes', 'kubernetes': {'namespace': "
                                       "'highmemory-namespace'}, 'properties': {'limits': "
                                       "{'memory': '4096Mi'}}}");
}

static void check_task(const char *name, bool *seen)
{
    PS_AUTO_BUF(text, FILE_MAX);
    PS_AUTO_BUF(paths, 4096);
    PS_AUTO_BUF(execution, 256);

    read_case(name, &text);
    struct render_task *rendered RENDER_AUTO_TASK = launch_case(ps_buf_get(&text));
    const ptrdiff_t at = ps_str_find(ps_buf_get(&text), "\n---\n");
    struct json_t *object PS_AUTO_JS =
        codec_yaml_parse(ps_str_skip(ps_buf_get(&text), (size_t)at + 5), NULL);

    if (rendered->job == NULL)
        fail_msg("%s: %s", name, rendered->wanted.message);
    const bool is_job = ps_streq(js_path_str(object, "kind"), "Job");
    const struct json_t *pod = is_job ? js_path(object, "spec.template") : object;
    const struct json_t *own_pod = js_path(rendered->job, "spec.template");
    struct json_t *theirs PS_AUTO_JS =
        pod_form(js_get(pod, "metadata"), js_get(pod, "spec"), true, seen);
    struct json_t *ours PS_AUTO_JS =
        pod_form(js_get(own_pod, "metadata"), js_get(own_pod, "spec"), false, NULL);
    const bool shell = js_get(render_task_container(rendered), "args") == NULL;

    /* What ours get and SCDF's did not: the attempt's name. */
    ps_buf_printf(&execution, "%s=%s",
                  shell ? "SPRING_CLOUD_TASK_EXTERNAL-EXECUTION-ID"
                        : "--spring.cloud.task.external-execution-id",
                  js_path_str(rendered->job, "metadata.name"));
    remove_text(ours, "texts", ps_buf_text(&execution));
    sort_list(ours, "texts");
    sort_list(theirs, "texts");
    codec_diff_paths(&paths, theirs, ours, 20);
    if (!js_equal(ours, theirs))
        fail_msg("%s: the pod differs: %s", name, ps_buf_text(&paths));
    /* Never, whatever was asked: an attempt is one pod, and spec.retry makes another. */
    assert_string_equal(js_path_str(own_pod, "spec.restartPolicy"), "Never");
    if (is_job) {
        assert_string_equal(js_str(js_get(js_path(rendered->job, "metadata.annotations"), "j")),
                            "k");
        assert_int_equal(rendered->wanted.apps[0].settings.backoff_limit, 2);
    }
}

static void pods_of_tasks_are_the_originals(void **state)
{
    static const char *const cases[] = {"50-task-train", "52-task-create-job",
                                        "56-task-entry-shell", "58-task-on-job-account"};
    bool seen[PS_ARRAY_LEN(left_out)] = {0};

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(cases); i++)
        check_task(cases[i], seen);
    for (size_t i = 0; i < PS_ARRAY_LEN(left_out); i++)
        if (!seen[i])
            fail_msg("%s is left out of nothing: %s", left_out[i].start, left_out[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_the_originals),
        cmocka_unit_test(values_arrive_as_written),
        cmocka_unit_test(empty_values),
        cmocka_unit_test(pods_of_tasks_are_the_originals),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
