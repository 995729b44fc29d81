/* SPDX-License-Identifier: Apache-2.0 */
/* The table of deployment properties: every key with a good and a bad value, in any spelling. */
#include "plan/internal.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

static void add_text(struct ps_buf *out, const char *name, const char *value)
{
    if (value != NULL)
        ps_buf_printf(out, "%s=%s ", name, value);
}

static void add_list(struct ps_buf *out, const char *name, const struct model_properties *list)
{
    for (size_t i = 0; i < list->count; i++)
        ps_buf_printf(out, "%s%s=[%s] ", name, list->items[i].key, list->items[i].value);
}

/* Every field that is not as plan__settings_init left it. */
static const char *dump(struct ps_arena *arena, const struct plan__settings *s)
{
    static const char *const probes[] = {"liveness", "readiness", "startup"};
    struct plan__settings plain;
    PS_AUTO_BUF(out, 4096);

    plan__settings_init(&plain);
    if (s->count >= 0)
        ps_buf_printf(&out, "count=%lld ", (long long)s->count);
    if (strcmp(s->pull_policy, plain.pull_policy) != 0)
        add_text(&out, "pull", s->pull_policy);
    add_text(&out, "limits.cpu", s->limits_cpu);
    add_text(&out, "limits.memory", s->limits_memory);
    add_text(&out, "requests.cpu", s->requests_cpu);
    add_text(&out, "requests.memory", s->requests_memory);
    for (size_t i = 0; i < PLAN__PROBES; i++) {
        const struct plan__probe *p = &s->probes[i], *q = &plain.probes[i];

        const struct {
            const char *name;
            int64_t value, before;
        } numbers[] = {{"delay", p->delay, q->delay},       {"period", p->period, q->period},
                       {"timeout", p->timeout, q->timeout}, {"failure", p->failure, q->failure},
                       {"success", p->success, q->success}, {"port", p->port, q->port}};

        for (size_t k = 0; k < PS_ARRAY_LEN(numbers); k++)
            if (numbers[k].value != numbers[k].before)
                ps_buf_printf(&out, "%s.%s=%lld ", probes[i], numbers[k].name,
                              (long long)numbers[k].value);
        if (strcmp(p->path, q->path) != 0)
            ps_buf_printf(&out, "%s.path=%s ", probes[i], p->path);
        if (strcmp(p->scheme, q->scheme) != 0)
            ps_buf_printf(&out, "%s.scheme=%s ", probes[i], p->scheme);
    }
    if (strcmp(s->entry_point, plain.entry_point) != 0)
        add_text(&out, "entry", s->entry_point);
    if (s->backoff_limit >= 0)
        ps_buf_printf(&out, "backoff=%lld ", (long long)s->backoff_limit);
    add_text(&out, "indexed", s->indexed);
    add_text(&out, "claim", s->claim_name);
    add_text(&out, "size", s->claim_size);
    add_text(&out, "class", s->storage_class);
    add_text(&out, "index", s->index_image);
    add_list(&out, "", &s->env);
    add_list(&out, "label ", &s->labels);
    add_list(&out, "pod ", &s->pod_annotations);
    add_list(&out, "job ", &s->job_annotations);
    return ps_arena_str(arena, ps_str_trim(ps_buf_get(&out)));
}

struct row {
    bool generic;
    const char *key, *value;
    const char *expected; /* NULL: refused */
};

static void check_scope(const struct row *row, enum plan__level level, enum plan__scope scope)
{
    struct ps_arena arena;
    struct plan__settings settings;
    enum plan__known known;
    struct ps_err err = {0};

    ps_arena_init(&arena);
    plan__settings_init(&settings);
    const int rc = plan__settings_apply(
        &arena, &settings,
        &(struct plan__setting){level, row->generic, row->key, row->value, scope}, &known, &err);

    if ((rc == 0) != (row->expected != NULL))
        fail_msg("%s=%s: %s", row->key, row->value, rc == 0 ? "accepted" : err.message);
    assert_int_equal(known, PLAN__KNOWN);
    if (rc != 0) {
        assert_int_equal(rc == PS_EINVAL || rc == PS_ELIMIT, 1);
        assert_true(strlen(err.message) > 0);
    } else if (strcmp(dump(&arena, &settings), row->expected) != 0) {
        fail_msg("%s=%s gives %s", row->key, row->value, dump(&arena, &settings));
    }
    ps_arena_fini(&arena);
}

static void check_row(const struct row *row, enum plan__level level)
{
    check_scope(row, level, PLAN__STREAMS);
}

static void every_key(void **state)
{
    static const struct row rows[] = {
        {true, "count", "3", "count=3"},
        {true, "count", "0", "count=0"},
        {true, "count", " 3 ", "count=3"},
        {true, "count", "three", NULL},
        {true, "count", "-1", NULL},
        {true, "count", "1.5", NULL},
        {true, "count", "10001", NULL},
        {true, "count", "99999999999999999999", NULL},
        {true, "indexed", "true", "indexed=true"},
        {true, "indexed", "False", "indexed=false"},
        {true, "indexed", "1", NULL},
        {false, "statefulSet.volumeClaimTemplate.name", "data", "claim=data"},
        {false, "statefulSet.volumeClaimTemplate.storage", "64", "size=64Mi"},
        {false, "stateful-set.volume-claim-template.storage", "2g", "size=2048Mi"},
        {false, "statefulSet.volumeClaimTemplate.storage", "much", NULL},
        {false, "statefulSet.volumeClaimTemplate.storageClassName", "fast", "class=fast"},
        {false, "statefulSetInitContainerImageName", "x/busybox:1", "index=x/busybox:1"},
        {true, "memory", "512", "limits.memory=512Mi"},
        {true, "memory", "512m", "limits.memory=512Mi"},
        {true, "memory", "512M", "limits.memory=512Mi"},
        {true, "memory", "2g", "limits.memory=2048Mi"},
        {true, "memory", "2G", "limits.memory=2048Mi"},
        {true, "memory", "2Gi", "limits.memory=2Gi"},
        {true, "memory", "2 Gi", NULL},
        {true, "memory", "m", NULL},
        {true, "memory", "9999999999999999g", NULL},
        {true, "cpu", "500m", "limits.cpu=500m"},
        {true, "cpu", "0.5", "limits.cpu=0.5"},
        {true, "cpu", "half", NULL},
        {true, "cpu", "-1", NULL},
        {false, "limits.cpu", "2", "limits.cpu=2"},
        {false, "limits.cpu", "two", NULL},
        {false, "limits.memory", "2Gi", "limits.memory=2Gi"},
        {false, "limits.memory", "2GB", NULL},
        {false, "requests.cpu", "100m", "requests.cpu=100m"},
        {false, "requests.cpu", "x", NULL},
        {false, "requests.memory", "1Gi", "requests.memory=1Gi"},
        {false, "requests.memory", "1 Gi", NULL},
        {false, "imagePullPolicy", "Always", "pull=Always"},
        {false, "imagePullPolicy", "never", "pull=Never"},
        {false, "imagePullPolicy", "Sometimes", NULL},
        {false, "probeType", "HTTP", ""},
        {false, "probeType", "TCP", NULL},
        {false, "environmentVariables", "A=1", "A=[1]"},
        {false, "environmentVariables", "A", NULL},
        {false, "entryPointStyle", "boot", "entry=boot"},
        {false, "entryPointStyle", "SHELL", "entry=shell"},
        {false, "entryPointStyle", "exec", ""},
        {false, "entryPointStyle", "bash", NULL},
        {false, "podAnnotations", "a:b", "pod a=[b]"},
        {false, "podAnnotations", "a", NULL},
        {false, "deploymentLabels", "a:b,team:x_1", "label a=[b] label team=[x_1]"},
        {false, "deploymentLabels", "a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_row(&rows[i], PLAN__FROM_SPEC);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        if (!rows[i].generic)
            check_row(&rows[i], PLAN__FROM_ACCOUNT);
}

static void every_probe_key(void **state)
{
    static const char *const kinds[] = {"liveness", "readiness", "startup"};
    static const char *const types[] = {"", "Http"};
    static const char *const fields[][4] = {
        /* key, its name above, a good value, a bad one */
        {"Delay", "delay", "7", "-1"},     {"Period", "period", "7", "1s"},
        {"Timeout", "timeout", "7", ""},   {"Failure", "failure", "7", "0"},
        {"Success", "success", "7", "x"},  {"Port", "port", "9000", "65536"},
        {"Path", "path", "/health", NULL}, {"Scheme", "scheme", "HTTPS", "FTP"},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t kind = 0; kind < 3; kind++)
        for (size_t type = 0; type < 2; type++)
            for (size_t field = 0; field < PS_ARRAY_LEN(fields); field++) {
                struct row row = {.key = ps_arena_printf(&arena, "%s%sProbe%s", kinds[kind],
                                                         types[type], fields[field][0]),
                                  .value = fields[field][2],
                                  .expected = ps_arena_printf(&arena, "%s.%s=%s", kinds[kind],
                                                              fields[field][1], fields[field][2])};

                check_row(&row, PLAN__FROM_SPEC);
                check_row(&row, PLAN__FROM_ACCOUNT);
                row.value = fields[field][3];
                row.expected =
                    row.value != NULL && *row.value == '\0' ? "" : NULL; /* blank is not given */
                if (row.value != NULL)
                    check_row(&row, PLAN__FROM_SPEC);
            }
    ps_arena_fini(&arena);
}

static const struct row task_rows[] = {
    {false, "backoffLimit", "2", "backoff=2"},
    {false, "backoffLimit", "0", "backoff=0"},
    {false, "backoffLimit", "-1", NULL},
    {false, "backoffLimit", "1001", NULL},
    {false, "createJob", "true", ""},
    {false, "createJob", "maybe", NULL},
    {false, "restartPolicy", "never", ""},
    {false, "jobAnnotations", "a:b", "job a=[b]"},
    {false, "podAnnotations", "a:b", "pod a=[b]"},
    {false, "deploymentLabels", "a:b", "label a=[b]"},
    {false, "limits.memory", "2Gi", "limits.memory=2Gi"},
    {false, "entryPointStyle", "shell", "entry=shell"},
};

static void keys_of_tasks(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(task_rows); i++) {
        check_scope(&task_rows[i], PLAN__FROM_SPEC, PLAN__TASKS);
        check_scope(&task_rows[i], PLAN__FROM_ACCOUNT, PLAN__TASKS);
    }
    check_scope(&(struct row){false, "maximumConcurrentTasks", "5", ""}, PLAN__FROM_ACCOUNT,
                PLAN__TASKS);
    check_scope(&(struct row){false, "maximumConcurrentTasks", "many", NULL}, PLAN__FROM_ACCOUNT,
                PLAN__TASKS);
}

/* Keys that have no effect on the one sort or the other, and what is told of them. */
static void keys_for_others(void **state)
{
    static const struct {
        bool generic;
        const char *key, *value;
        enum plan__scope scope;
        enum plan__known known;
    } rows[] = {
        {true, "count", "3", PLAN__TASKS, PLAN__NOT_FOR_TASKS},
        {true, "count", "x", PLAN__TASKS, PLAN__NOT_FOR_TASKS},
        {false, "livenessProbeDelay", "3", PLAN__TASKS, PLAN__NOT_FOR_TASKS},
        {false, "probeType", "TCP", PLAN__TASKS, PLAN__NOT_FOR_TASKS},
        {false, "restartPolicy", "OnFailure", PLAN__TASKS, PLAN__USE_RETRY},
        {false, "restartPolicy", "Always", PLAN__TASKS, PLAN__USE_RETRY},
        {false, "restartPolicy", "Always", PLAN__STREAMS, PLAN__NOT_YET},
        {false, "ttlSecondsAfterFinished", "3", PLAN__TASKS, PLAN__USE_TTL},
        {false, "ttlSecondsAfterFinished", "3", PLAN__STREAMS, PLAN__ONLY_FOR_TASKS},
        {false, "maximumConcurrentTasks", "3", PLAN__TASKS, PLAN__ONLY_OF_ACCOUNTS},
        {false, "backoffLimit", "x", PLAN__STREAMS, PLAN__ONLY_FOR_TASKS},
        {false, "jobAnnotations", "a:b", PLAN__STREAMS, PLAN__ONLY_FOR_TASKS},
        {false, "createJob", "true", PLAN__STREAMS, PLAN__ONLY_FOR_TASKS},
        {false, "volumes", "x", PLAN__TASKS, PLAN__NOT_YET},
        {false, "nonsense", "x", PLAN__TASKS, PLAN__STRANGE},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct plan__setting setting = {PLAN__FROM_SPEC, rows[i].generic, rows[i].key,
                                              rows[i].value, rows[i].scope};
        struct plan__settings settings;
        enum plan__known known = PLAN__KNOWN;

        plan__settings_init(&settings);
        assert_int_equal(plan__settings_apply(&arena, &settings, &setting, &known, NULL), 0);
        if (known != rows[i].known)
            fail_msg("%s for %d: %d", rows[i].key, rows[i].scope, known);
        assert_true(strlen(plan__known_words(known)) > 0);
        assert_string_equal(dump(&arena, &settings), "");
    }
    ps_arena_fini(&arena);
}

static void relaxed_spellings(void **state)
{
    static const struct row rows[] = {
        {false, "image-pull-policy", "Always", "pull=Always"},
        {false, "IMAGE_PULL_POLICY", "Always", "pull=Always"},
        {false, "imagepullpolicy", "Always", "pull=Always"},
        {false, "image.pull.policy", "Always", "pull=Always"},
        {false, "liveness-http-probe-delay", "7", "liveness.delay=7"},
        {false, "LIMITS_MEMORY", "1Gi", "limits.memory=1Gi"},
        {false, "environment-variables", "A=1", "A=[1]"},
        {true, "Count", "2", "count=2"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_row(&rows[i], PLAN__FROM_SPEC);
}

static void blank_is_not_given(void **state)
{
    static const struct row rows[] = {
        {true, "count", "", ""},
        {true, "memory", "", ""},
        {false, "limits.cpu", "", ""},
        {false, "imagePullPolicy", "", ""},
        {false, "environmentVariables", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_row(&rows[i], PLAN__FROM_SPEC);
}

static void known_and_strange_keys(void **state)
{
    static const struct {
        const char *key;
        bool generic;
        enum plan__known known;
    } rows[] = {
        {"nodeSelector", false, PLAN__NOT_YET},
        {"volumeMounts", false, PLAN__NOT_YET},
        {"limits.ephemeral-storage", false, PLAN__NOT_YET},
        {"statefulSet.nonsense", false, PLAN__STRANGE},
        {"lifecycle.preStop.exec.command", false, PLAN__NOT_YET},
        {"livenessTcpProbePort", false, PLAN__NOT_YET},
        {"indexed", false, PLAN__STRANGE}, /* generic only */
        {"disk", true, PLAN__NOT_YET},
        {"nonsense", false, PLAN__STRANGE},
        {"nonsense", true, PLAN__STRANGE},
        {"count", false, PLAN__STRANGE}, /* generic only */
        {"imagePullPolicy", true, PLAN__STRANGE},
        {"", false, PLAN__STRANGE},
    };
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct plan__settings settings;
        enum plan__known known = PLAN__KNOWN;

        plan__settings_init(&settings);
        assert_int_equal(
            plan__settings_apply(&arena, &settings,
                                 &(struct plan__setting){PLAN__FROM_SPEC, rows[i].generic,
                                                         rows[i].key, "x", PLAN__STREAMS},
                                 &known, NULL),
            0);
        if (known != rows[i].known)
            fail_msg("%s: %d", rows[i].key, known);
        assert_string_equal(dump(&arena, &settings), "");
    }
    ps_arena_fini(&arena);
}

/* ---- environment variables
 * --------------------------------------------------------------------------- */

struct env_row {
    const char *text, *expected; /* NULL: refused */
};

static void check_env(const struct env_row *row, bool quotes)
{
    struct ps_arena arena;
    struct model_properties list = {0};
    struct ps_err err = {0};
    PS_AUTO_BUF(out, 4096);

    ps_arena_init(&arena);
    const int rc = plan__env_parse(&arena, row->text, quotes, &list, &err);

    if ((rc == 0) != (row->expected != NULL))
        fail_msg("%s: %s", row->text, rc == 0 ? "accepted" : err.message);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        ps_buf_printf(&out, "%s[%s]=[%s]", i ? " " : "", list.items[i].key, list.items[i].value);
    if (rc == 0 && strcmp(ps_buf_text(&out), row->expected) != 0)
        fail_msg("%s gives %s", row->text, ps_buf_text(&out));
    ps_arena_fini(&arena);
}

/* As the user meant it, also where the original lost or mangled something. */
static void variables_of_a_stream(void **state)
{
    static const struct env_row rows[] = {
        {"A=1", "[A]=[1]"},
        {"A=", "[A]=[]"},
        {"A=b=c", "[A]=[b=c]"},
        {"A='x,y',B=1", "[A]=[x,y] [B]=[1]"},
        {"A=1, B=2", "[A]=[1] [B]=[2]"},
        {"FOO='',BAR='x'", "[FOO]=[] [BAR]=[x]"},
        {"JAVA_OPTS=-Dfoo='a b',Z=1", "[JAVA_OPTS]=[-Dfoo='a b'] [Z]=[1]"},
        {"spring.a.brokers='h1:9, h2:9'", "[spring.a.brokers]=[h1:9, h2:9]"},
        {"A='x,y' ,B=1", "[A]=[x,y] [B]=[1]"},
        {"A=1,,B=2", "[A]=[1] [B]=[2]"},
        {"A=1,", "[A]=[1]"},
        {",A=1", "[A]=[1]"},
        {" , ,", ""},
        {"", ""},
        {"A='x\ny'", "[A]=[x\ny]"},
        {"A=1,A=2", "[A]=[2]"},
        {"A='x=1,y=2'", "[A]=[x=1,y=2]"},
        {"A=${X:1},B=$(C)", "[A]=[${X:1}] [B]=[$(C)]"},
        {"A", NULL},
        {"A=1,B", NULL},
        {"=1", NULL},
        {"A='x", NULL},
        {"A='x'y", NULL},
        {"A='x,y'z,B=1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_env(&rows[i], true);
}

/* Every comma parts, quotes are nothing special, as Spring Boot binds a list. */
static void variables_of_an_account(void **state)
{
    static const struct env_row rows[] = {
        {"A=1,B=2", "[A]=[1] [B]=[2]"},
        {" A=1 , B=2 ", "[A]=[1] [B]=[2]"},
        {"A='x',B=\"y\"", "[A]=['x'] [B]=[\"y\"]"},
        {"A='x,y'", NULL},
        {"BROKERS=${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}",
         "[BROKERS]=[${KAFKA_SERVICE_HOST}:${KAFKA_SERVICE_PORT}]"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_env(&rows[i], false);
}

/* What follows the comma of a password is a part of it. */
static void no_value_in_a_message(void **state)
{
    static const char *const texts[] = {"PASSWORD=abc,hunter2", "hunter2", "A='hunter2",
                                        "A='x'hunter2", "A=1,hunter2,B=2"};
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t i = 0; i < PS_ARRAY_LEN(texts); i++) {
        struct model_properties list = {0};
        struct ps_err err = {0};

        assert_int_not_equal(plan__env_parse(&arena, texts[i], true, &list, &err), 0);
        assert_null(strstr(err.message, "hunter2"));
    }
    struct plan__settings settings;
    enum plan__known known;
    struct ps_err err = {0};

    plan__settings_init(&settings);
    assert_int_not_equal(plan__settings_apply(&arena, &settings,
                                              &(struct plan__setting){PLAN__FROM_ACCOUNT, false,
                                                                      "environmentVariables[1]",
                                                                      "hunter2", PLAN__STREAMS},
                                              &known, &err),
                         0);
    assert_null(strstr(err.message, "hunter2"));
    ps_arena_fini(&arena);
}

static void huge_variables_are_refused(void **state)
{
    PS_AUTO_BUF(text, (size_t)128 * 1024);

    (void)state;
    ps_buf_str(&text, "A=");
    while (text.n <= (size_t)64 * 1024)
        ps_buf_str(&text, "0123456789");
    check_env(&(struct env_row){ps_buf_text(&text), NULL}, true);
}

/* ---- labels and annotations ----------------------------------------------------------------- */

static void check_pairs(const struct env_row *row, bool labels)
{
    struct ps_arena arena;
    struct model_properties list = {0};
    struct ps_err err = {0};
    PS_AUTO_BUF(out, 4096);

    ps_arena_init(&arena);
    const int rc = plan__pairs_parse(&arena, row->text, labels, &list, &err);

    if ((rc == 0) != (row->expected != NULL))
        fail_msg("%s: %s", row->text, rc == 0 ? "accepted" : err.message);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        ps_buf_printf(&out, "%s[%s]=[%s]", i ? " " : "", list.items[i].key, list.items[i].value);
    if (rc == 0 && strcmp(ps_buf_text(&out), row->expected) != 0)
        fail_msg("%s gives %s", row->text, ps_buf_text(&out));
    ps_arena_fini(&arena);
}

static void annotations(void **state)
{
    static const struct env_row rows[] = {
        {"a:b", "[a]=[b]"},
        {" a : b , c:d ", "[a]=[b] [c]=[d]"},
        {"a:http://x:80/y", "[a]=[http://x:80/y]"},
        {"a:\"x,y\",b:c", "[a]=[\"x,y\"] [b]=[c]"}, /* the quotes stay, as in SCDF */
        {"iam.amazonaws.com/role:arn:aws:1", "[iam.amazonaws.com/role]=[arn:aws:1]"},
        {"a:", "[a]=[]"},
        {"a:1,a:2", "[a]=[2]"},
        {"a:b,", "[a]=[b]"},
        {"", ""},
        {"a", NULL},
        {"a:1,b", NULL},
        {":b", NULL},
        {"a b:c", NULL},
        {"/a:c", NULL},
        {"x_y/a:c", NULL},
        {"x..y/a:c", NULL},
        {"x/:c", NULL},
        {"x/y/z:c", NULL},
        {"penstock.dev/owner:me", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_pairs(&rows[i], false);
}

static void labels(void **state)
{
    static const struct env_row rows[] = {
        {"a:b", "[a]=[b]"},
        {"a: b ,example.org/team:x.y_z-1", "[a]=[b] [example.org/team]=[x.y_z-1]"},
        {"a:", NULL},
        {"a:b:c", NULL},
        {"a:-b", NULL},
        {"a:b c", NULL},
        {"a:\"b,c\"", NULL},
        {"penstock.dev/app:me", NULL},
    };
    PS_AUTO_BUF(text, 128 * 1024);

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++)
        check_pairs(&rows[i], true);
    ps_buf_printf(&text, "a:%064d", 1);
    check_pairs(&(struct env_row){ps_buf_text(&text), NULL}, true);
    check_pairs(&(struct env_row){ps_buf_text(&text) + 1, NULL}, true);
    while (text.n <= (size_t)64 * 1024)
        ps_buf_str(&text, ",a:1");
    check_pairs(&(struct env_row){ps_buf_text(&text), NULL}, false);
}

/* ---- account against stream
 * ------------------------------------------------------------------------------ */

static void check_steps(const struct plan__setting *steps, size_t n, const char *expected)
{
    struct ps_arena arena;
    struct plan__settings settings;
    enum plan__known known;

    ps_arena_init(&arena);
    plan__settings_init(&settings);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(plan__settings_apply(&arena, &settings, &steps[i], &known, NULL), 0);
    if (strcmp(dump(&arena, &settings), expected) != 0)
        fail_msg("%s, expected %s", dump(&arena, &settings), expected);
    ps_arena_fini(&arena);
}

#define STEPS(expected, ...)                                                                       \
    check_steps((const struct plan__setting[]){__VA_ARGS__},                                       \
                sizeof((const struct plan__setting[]){__VA_ARGS__}) /                              \
                    sizeof(struct plan__setting),                                                  \
                expected)

static void account_limits_beat_generic_ones(void **state)
{
    (void)state;
    STEPS("limits.memory=1Gi", {PLAN__FROM_ACCOUNT, false, "limits.memory", "1Gi", PLAN__STREAMS},
          {PLAN__FROM_SPEC, true, "memory", "4g", PLAN__STREAMS});
    STEPS("limits.cpu=500m", {PLAN__FROM_ACCOUNT, false, "limits.cpu", "500m", PLAN__STREAMS},
          {PLAN__FROM_SPEC, true, "cpu", "2", PLAN__STREAMS});
    STEPS("limits.memory=3Gi", {PLAN__FROM_ACCOUNT, false, "limits.memory", "1Gi", PLAN__STREAMS},
          {PLAN__FROM_SPEC, false, "limits.memory", "3Gi", PLAN__STREAMS});
    STEPS("limits.memory=1Gi", {PLAN__FROM_ACCOUNT, false, "limits.memory", "1Gi", PLAN__STREAMS},
          {PLAN__FROM_SPEC, true, "memory", "", PLAN__STREAMS});
    STEPS("limits.cpu=1 limits.memory=512Mi",
          {PLAN__FROM_ACCOUNT, false, "limits.cpu", "1", PLAN__STREAMS},
          {PLAN__FROM_SPEC, true, "memory", "512", PLAN__STREAMS});
    STEPS("A=[2] B=[1]",
          {PLAN__FROM_ACCOUNT, false, "environmentVariables", "A=1,B=1", PLAN__STREAMS},
          {PLAN__FROM_SPEC, false, "environmentVariables", "A=2", PLAN__STREAMS});
    STEPS("A=[x,y] B=[2]",
          {PLAN__FROM_ACCOUNT, false, "environmentVariables[0]", "A=x,y", PLAN__STREAMS},
          {PLAN__FROM_ACCOUNT, false, "environmentVariables[1]", "B=2", PLAN__STREAMS});
}

/* All labels are kept, and here the account wins; annotations are replaced as a whole. */
static void account_labels_stay(void **state)
{
    (void)state;
    STEPS("label a=[1] label b=[1] label c=[2]",
          {PLAN__FROM_ACCOUNT, false, "deploymentLabels", "a:1,b:1", PLAN__STREAMS},
          {PLAN__FROM_SPEC, false, "deploymentLabels", "b:2,c:2", PLAN__STREAMS});
    STEPS("pod b=[2]", {PLAN__FROM_ACCOUNT, false, "podAnnotations", "a:1,b:1", PLAN__STREAMS},
          {PLAN__FROM_SPEC, false, "podAnnotations", "b:2", PLAN__STREAMS});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key),
        cmocka_unit_test(every_probe_key),
        cmocka_unit_test(keys_of_tasks),
        cmocka_unit_test(keys_for_others),
        cmocka_unit_test(relaxed_spellings),
        cmocka_unit_test(blank_is_not_given),
        cmocka_unit_test(known_and_strange_keys),
        cmocka_unit_test(variables_of_a_stream),
        cmocka_unit_test(variables_of_an_account),
        cmocka_unit_test(no_value_in_a_message),
        cmocka_unit_test(huge_variables_are_refused),
        cmocka_unit_test(annotations),
        cmocka_unit_test(labels),
        cmocka_unit_test(account_limits_beat_generic_ones),
        cmocka_unit_test(account_labels_stay),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
