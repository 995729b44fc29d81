/* SPDX-License-Identifier: Apache-2.0 */
/* SCDF's deployment properties for Kubernetes: a table of keys, each with its grammar, its place
 * in the settings and what it has a meaning for. Spellings are compared relaxed, as Spring does
 * (imagePullPolicy = image-pull-policy). */
#include "plan/internal.h"

#include <string.h>

#define COUNT_MAX   10000
#define RETRIES_MAX 1000 /* as of spec.retry.limit */
#define SECONDS_MAX 86400
#define PORT_MAX    65535

enum grammar {
    TEXT,      /* as it is */
    QUANTITY,  /* a Kubernetes quantity */
    MEBIBYTES, /* 512, 512m, 2g: SCDF's generic sizes */
    SECONDS,
    TIMES,
    PORT,
    COUNT,
    PULL_POLICY,
    SCHEME,
    PROBE_TYPE,
    ENVIRONMENT,
    ENTRY_POINT,
    ANNOTATIONS,
    LABELS,
    RETRIES,
    SWITCH,         /* true or false */
    RESTART_POLICY, /* of a task */
    TASK_TTL,
    TASK_LIMIT, /* of an account; model reads it */
};

enum meant_for {
    ALL,
    STREAMS,
    TASKS
};

struct row {
    const char *key; /* relaxed */
    bool generic;
    enum grammar grammar;
    size_t offset;
    enum meant_for meant;
};

#define S(member) offsetof(struct plan__settings, member)
#define NOWHERE   SIZE_MAX /* checked, and that is all */
#define PROBE_ROWS(prefix, index)                                                                  \
    {prefix "probedelay", false, SECONDS, S(probes[index].delay), STREAMS},                        \
        {prefix "probeperiod", false, SECONDS, S(probes[index].period), STREAMS},                  \
        {prefix "probetimeout", false, SECONDS, S(probes[index].timeout), STREAMS},                \
        {prefix "probefailure", false, TIMES, S(probes[index].failure), STREAMS},                  \
        {prefix "probesuccess", false, TIMES, S(probes[index].success), STREAMS},                  \
        {prefix "probeport", false, PORT, S(probes[index].port), STREAMS},                         \
        {prefix "probepath", false, TEXT, S(probes[index].path), STREAMS},                         \
    {                                                                                              \
        prefix "probescheme", false, SCHEME, S(probes[index].scheme), STREAMS                      \
    }

static const struct row rows[] = {
    {"count", true, COUNT, S(count), STREAMS},
    {"memory", true, MEBIBYTES, S(limits_memory), ALL},
    {"cpu", true, QUANTITY, S(limits_cpu), ALL},
    {"limitscpu", false, QUANTITY, S(limits_cpu), ALL},
    {"limitsmemory", false, QUANTITY, S(limits_memory), ALL},
    {"requestscpu", false, QUANTITY, S(requests_cpu), ALL},
    {"requestsmemory", false, QUANTITY, S(requests_memory), ALL},
    {"imagepullpolicy", false, PULL_POLICY, S(pull_policy), ALL},
    {"environmentvariables", false, ENVIRONMENT, S(env), ALL},
    {"entrypointstyle", false, ENTRY_POINT, S(entry_point), ALL},
    {"deploymentlabels", false, LABELS, S(labels), ALL},
    {"podannotations", false, ANNOTATIONS, S(pod_annotations), ALL},
    {"jobannotations", false, ANNOTATIONS, S(job_annotations), TASKS},
    {"backofflimit", false, RETRIES, S(backoff_limit), TASKS},
    {"indexed", true, SWITCH, S(indexed), STREAMS},
    {"statefulsetvolumeclaimtemplatename", false, TEXT, S(claim_name), STREAMS},
    {"statefulsetvolumeclaimtemplatestorage", false, MEBIBYTES, S(claim_size), STREAMS},
    {"statefulsetvolumeclaimtemplatestorageclassname", false, TEXT, S(storage_class), STREAMS},
    {"statefulsetinitcontainerimagename", false, TEXT, S(index_image), STREAMS},
    {"createjob", false, SWITCH, NOWHERE, TASKS},
    {"restartpolicy", false, RESTART_POLICY, NOWHERE, TASKS},
    {"ttlsecondsafterfinished", false, TASK_TTL, NOWHERE, TASKS},
    {"maximumconcurrenttasks", false, TASK_LIMIT, NOWHERE, TASKS},
    {"probetype", false, PROBE_TYPE, NOWHERE, STREAMS},
    PROBE_ROWS("liveness", PLAN__LIVENESS),
    PROBE_ROWS("livenesshttp", PLAN__LIVENESS),
    PROBE_ROWS("readiness", PLAN__READINESS),
    PROBE_ROWS("readinesshttp", PLAN__READINESS),
    PROBE_ROWS("startup", PLAN__STARTUP),
    PROBE_ROWS("startuphttp", PLAN__STARTUP),
};

/* What SCDF knows and this version does not do yet; each word starts the relaxed key. */
static const char *const not_yet[] = {
    "additionalcontainers",
    "affinity",
    "appadmin",
    "bootmajorversion",
    "configmap",
    "container",
    "createloadbalancer",
    "createnodeport",
    "cron",
    "deploymentserviceaccountname",
    "disk",
    "ephemeral",
    "fabric8",
    "group",
    "hostnetwork",
    "imagepullsecret",
    "initcontainer",
    "lifecycle",
    "limits",
    "livenesscommand",
    "livenesstcp",
    "maxcrashloop",
    "maxterminated",
    "minutestowait",
    "namespace",
    "node",
    "pod",
    "priorityclassname",
    "probecredentials",
    "readinesscommand",
    "readinesstcp",
    "requests",
    "restartpolicy",
    "secret",
    "service",
    "shareprocess",
    "startupcommand",
    "startuptcp",
    "taskservice",
    "terminationgrace",
    "tolerations",
    "volume",
};

void plan__settings_init(struct plan__settings *settings)
{
    /* The deployer's own defaults, the delays of 2.9 (seen), not those of its documentation. */
    static const struct plan__probe liveness = {1, 60, 5, 3, 1, -1, "/actuator/health", "HTTP"};
    static const struct plan__probe readiness = {1, 10, 5, 3, 1, -1, "/actuator/info", "HTTP"};
    static const struct plan__probe startup = {30, 3, 5, 20, 1, -1, "/actuator/info", "HTTP"};

    *settings = (struct plan__settings){
        .count = -1, .pull_policy = "IfNotPresent", .entry_point = "exec", .backoff_limit = -1};
    settings->probes[PLAN__LIVENESS] = liveness;
    settings->probes[PLAN__READINESS] = readiness;
    settings->probes[PLAN__STARTUP] = startup;
}

const char *plan__known_words(enum plan__known known)
{
    static const char *const words[] = {
        [PLAN__KNOWN] = "",
        [PLAN__BEATEN] = "the account's limits win; use kubernetes.limits.…",
        [PLAN__NOT_YET] = "not supported yet",
        [PLAN__STRANGE] = "unknown key",
        [PLAN__NOT_FOR_TASKS] = "a task is one pod without instances, ports and probes",
        [PLAN__ONLY_FOR_TASKS] = "it is for tasks only",
        [PLAN__ONLY_OF_ACCOUNTS] = "it is a property of accounts",
        [PLAN__USE_RETRY] = "an attempt is one pod, which runs once; use spec.retry",
        [PLAN__USE_TTL] = "use spec.ttlSecondsAfterFinished",
    };

    return words[known];
}

/* Grammars of one word out of a list. A NULL ends each. */
static const char *const words[][4] = {
    [PULL_POLICY] = {"Always", "IfNotPresent", "Never"},
    [SCHEME] = {"HTTP", "HTTPS"},
    [PROBE_TYPE] = {"HTTP"},
    [ENTRY_POINT] = {"exec", "boot", "shell"},
    [SWITCH] = {"true", "false"},
    [RESTART_POLICY] = {"Never", "OnFailure", "Always"},
};

static const struct {
    int64_t min, max;
    const char *what;
} numbers[] = {
    [SECONDS] = {0, SECONDS_MAX, "seconds"},
    [TIMES] = {1, COUNT_MAX, "a number"},
    [PORT] = {1, PORT_MAX, "a port"},
    [COUNT] = {0, COUNT_MAX, "a number of instances"},
    [RETRIES] = {0, RETRIES_MAX, "a number of retries"},
    [TASK_TTL] = {0, INT32_MAX, "seconds"},
    [TASK_LIMIT] = {0, INT32_MAX, "a number of tasks"},
};

static int read_word(enum grammar grammar, const char *value, const char **out, struct ps_err *err)
{
    size_t n = 0;

    while (words[grammar][n] != NULL)
        n++;
    return plan__read_word(value, words[grammar], n, out, err);
}

static int read_number(enum grammar grammar, const char *value, int64_t *out, struct ps_err *err)
{
    return plan__read_number(value, numbers[grammar].min, numbers[grammar].max,
                             numbers[grammar].what, out, err);
}

/* Another text replaces all of the former one. */
static int read_annotations(struct ps_arena *arena, const char *value, struct model_properties *out,
                            struct ps_err *err)
{
    struct model_properties list = {0};
    const int rc = plan__pairs_parse(arena, value, false, &list, err);

    if (rc == 0)
        *out = list;
    return rc;
}

/* All are kept; as in SCDF the account's value of a label wins. */
static int read_labels(struct ps_arena *arena, const char *value, struct model_properties *out,
                       struct ps_err *err)
{
    struct model_properties list = {0};
    const int rc = plan__pairs_parse(arena, value, true, &list, err);

    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        if (model_properties_get(out, list.items[i].key) == NULL)
            model_properties_put(arena, out, list.items[i].key, list.items[i].value);
    }
    return rc;
}

static int apply_row(struct ps_arena *arena, struct plan__settings *settings, const struct row *row,
                     bool quotes, const char *value, struct ps_err *err)
{
    union {
        const char *text;
        int64_t number;
    } nowhere;

    void *member = row->offset == NOWHERE ? (void *)&nowhere : (char *)settings + row->offset;

    switch (row->grammar) {
    case TEXT:
        *(const char **)member = value;
        return 0;
    case QUANTITY:
        return plan__read_quantity(arena, value, member, err);
    case MEBIBYTES:
        return plan__read_mebibytes(arena, value, member, err);
    case SECONDS:
    case TIMES:
    case PORT:
    case COUNT:
    case RETRIES:
    case TASK_TTL:
    case TASK_LIMIT:
        return read_number(row->grammar, value, member, err);
    case PULL_POLICY:
    case SCHEME:
    case PROBE_TYPE:
    case ENTRY_POINT:
    case SWITCH:
    case RESTART_POLICY:
        return read_word(row->grammar, value, member, err);
    case ENVIRONMENT:
        return plan__env_parse(arena, value, quotes, member, err);
    case ANNOTATIONS:
        return read_annotations(arena, value, member, err);
    case LABELS:
        return read_labels(arena, value, member, err);
    }
    ps_unreachable();
}

static const struct row *find_row(const char *relaxed, bool generic)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if (rows[i].generic == generic && strcmp(rows[i].key, relaxed) == 0)
            return &rows[i];
    }
    return NULL;
}

static enum plan__known known_elsewhere(const char *relaxed)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(not_yet); i++) {
        if (ps_str_starts(ps_str(relaxed), not_yet[i]))
            return PLAN__NOT_YET;
    }
    return PLAN__STRANGE;
}

/* Account lists arrive flattened: environmentVariables[0] … are the items of one list. */
static int apply_item(struct ps_arena *arena, struct plan__settings *settings, const char *value,
                      struct ps_err *err)
{
    const char *equals = strchr(value, '=');

    if (equals == NULL || equals == value) {
        return ps_fail(err, PS_EINVAL, "expected NAME=value");
    }
    const struct ps_str name = ps_str_trim(ps_str_n(value, (size_t)(equals - value)));

    model_properties_put(arena, &settings->env, ps_arena_str(arena, name), equals + 1);
    return 0;
}

/* The account's limits beat the generic memory and cpu (seen in SCDF). */
static bool is_beaten(struct plan__settings *settings, const struct plan__setting *setting,
                      size_t offset)
{
    bool *account = offset == S(limits_cpu)      ? &settings->account_limits_cpu
                    : offset == S(limits_memory) ? &settings->account_limits_memory
                                                 : NULL;

    if (account == NULL)
        return false;
    if (setting->level == PLAN__FROM_ACCOUNT)
        *account = *setting->value != '\0';
    return setting->generic && *account;
}

/* What is to be told of a key that has a row. */
static enum plan__known known_by_row(const struct row *row, const char *relaxed,
                                     const struct plan__setting *setting)
{
    const bool task = setting->scope == PLAN__TASKS;

    if (row->meant == (task ? STREAMS : TASKS)) {
        if (known_elsewhere(relaxed) == PLAN__NOT_YET)
            return PLAN__NOT_YET; /* will come for the other sort, too */
        return task ? PLAN__NOT_FOR_TASKS : PLAN__ONLY_FOR_TASKS;
    }
    if (row->grammar == TASK_TTL)
        return PLAN__USE_TTL;
    if (row->grammar == TASK_LIMIT && setting->level != PLAN__FROM_ACCOUNT)
        return PLAN__ONLY_OF_ACCOUNTS;
    if (row->grammar == RESTART_POLICY &&
        !ps_str_ieq(ps_str_trim(ps_str(setting->value)), PS_STR("Never")))
        return PLAN__USE_RETRY;
    return PLAN__KNOWN;
}

int plan__settings_apply(struct ps_arena *arena, struct plan__settings *settings,
                         const struct plan__setting *setting, enum plan__known *known,
                         struct ps_err *err)
{
    const char *relaxed = model_relaxed(arena, setting->key);
    const bool from_account = setting->level == PLAN__FROM_ACCOUNT;
    const bool item = from_account && ps_str_starts(ps_str(relaxed), "environmentvariables[");
    const struct row *row = find_row(item ? "environmentvariables" : relaxed, setting->generic);

    *known = row ? known_by_row(row, relaxed, setting) : known_elsewhere(relaxed);
    if (row == NULL || *known == PLAN__NOT_YET || *known == PLAN__NOT_FOR_TASKS ||
        *known == PLAN__ONLY_FOR_TASKS)
        return 0;
    if (*setting->value == '\0' && row->grammar != ENVIRONMENT)
        return 0; /* blank = not given */
    if (is_beaten(settings, setting, row->offset)) {
        const char *checked = NULL;

        *known = PLAN__BEATEN;
        return row->grammar == QUANTITY
                   ? plan__read_quantity(arena, setting->value, &checked, err)
                   : plan__read_mebibytes(arena, setting->value, &checked, err);
    }
    return item ? apply_item(arena, settings, setting->value, err)
                : apply_row(arena, settings, row, !from_account, setting->value, err);
}
