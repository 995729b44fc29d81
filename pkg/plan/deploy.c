/* SPDX-License-Identifier: Apache-2.0 */
/* SCDF's deployment properties for Kubernetes: a table of keys, each with its grammar and its place
 * in the settings. Spellings are compared relaxed, as Spring does (imagePullPolicy =
 * image-pull-policy). */
#include "plan/internal.h"

#include <string.h>

#define COUNT_MAX    10000
#define SECONDS_MAX  86400
#define PORT_MAX     65535
#define ENV_TEXT_MAX ((size_t)64 * 1024)

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
};

struct row {
    const char *key; /* relaxed */
    bool generic;
    enum grammar grammar;
    size_t offset;
};

#define S(member) offsetof(struct plan__settings, member)
#define PROBE_ROWS(prefix, index)                                                                  \
    {prefix "probedelay", false, SECONDS, S(probes[index].delay)},                                 \
        {prefix "probeperiod", false, SECONDS, S(probes[index].period)},                           \
        {prefix "probetimeout", false, SECONDS, S(probes[index].timeout)},                         \
        {prefix "probefailure", false, TIMES, S(probes[index].failure)},                           \
        {prefix "probesuccess", false, TIMES, S(probes[index].success)},                           \
        {prefix "probeport", false, PORT, S(probes[index].port)},                                  \
        {prefix "probepath", false, TEXT, S(probes[index].path)},                                  \
    {                                                                                              \
        prefix "probescheme", false, SCHEME, S(probes[index].scheme)                               \
    }

static const struct row rows[] = {
    {"count", true, COUNT, S(count)},
    {"memory", true, MEBIBYTES, S(limits_memory)},
    {"cpu", true, QUANTITY, S(limits_cpu)},
    {"limitscpu", false, QUANTITY, S(limits_cpu)},
    {"limitsmemory", false, QUANTITY, S(limits_memory)},
    {"requestscpu", false, QUANTITY, S(requests_cpu)},
    {"requestsmemory", false, QUANTITY, S(requests_memory)},
    {"imagepullpolicy", false, PULL_POLICY, S(pull_policy)},
    {"environmentvariables", false, ENVIRONMENT, S(env)},
    {"probetype", false, PROBE_TYPE, 0},
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
    "createjob",
    "createloadbalancer",
    "createnodeport",
    "cron",
    "deploymentlabels",
    "deploymentserviceaccountname",
    "disk",
    "entrypointstyle",
    "ephemeral",
    "fabric8",
    "group",
    "hostnetwork",
    "imagepullsecret",
    "indexed",
    "initcontainer",
    "jobannotations",
    "lifecycle",
    "limits",
    "livenesscommand",
    "livenesstcp",
    "maxcrashloop",
    "maximumconcurrenttasks",
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
    "statefulset",
    "taskservice",
    "terminationgrace",
    "tolerations",
    "volume",
    "backofflimit",
    "ttlsecondsafterfinished",
};

void plan__settings_init(struct plan__settings *settings)
{
    /* The deployer's own defaults, the delays of 2.9 (seen), not those of its documentation. */
    static const struct plan__probe liveness = {1, 60, 5, 3, 1, -1, "/actuator/health", "HTTP"};
    static const struct plan__probe readiness = {1, 10, 5, 3, 1, -1, "/actuator/info", "HTTP"};
    static const struct plan__probe startup = {30, 3, 5, 20, 1, -1, "/actuator/info", "HTTP"};

    *settings = (struct plan__settings){.count = -1, .pull_policy = "IfNotPresent"};
    settings->probes[PLAN__LIVENESS] = liveness;
    settings->probes[PLAN__READINESS] = readiness;
    settings->probes[PLAN__STARTUP] = startup;
}

static int read_number(const char *value, int64_t min, int64_t max, const char *what, int64_t *out,
                       struct ps_err *err)
{
    if (!ps_str_to_i64(ps_str_trim(ps_str(value)), out) || *out < min || *out > max) {
        return ps_fail(err, PS_EINVAL, "expected %s from %lld to %lld, found \"%s\"", what,
                       (long long)min, (long long)max, value);
    }
    return 0;
}

static int read_word(const char *value, const char *const *words, size_t n, const char **out,
                     struct ps_err *err)
{
    PS_AUTO_BUF(list, 256);

    for (size_t i = 0; i < n; i++) {
        if (ps_str_ieq(ps_str_trim(ps_str(value)), ps_str(words[i]))) {
            *out = words[i];
            return 0;
        }
        ps_buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    return ps_fail(err, PS_EINVAL, "expected one of %s, found \"%s\"", ps_buf_text(&list), value);
}

static int read_quantity(struct ps_arena *arena, const char *value, const char **out,
                         struct ps_err *err)
{
    int64_t milli;
    const struct ps_str text = ps_str_trim(ps_str(value));

    if (!codec_quantity(text, &milli) || milli < 0) {
        return ps_fail(err, PS_EINVAL, "expected a quantity such as 500m, 2 or 2Gi, found \"%s\"",
                       value);
    }
    *out = ps_arena_str(arena, text);
    return 0;
}

static int read_mebibytes(struct ps_arena *arena, const char *value, const char **out,
                          struct ps_err *err)
{
    struct ps_str text = ps_str_trim(ps_str(value));
    int64_t n, factor = 1;

    if (text.n > 0 && (text.p[text.n - 1] == 'm' || text.p[text.n - 1] == 'M')) {
        text.n--;
    } else if (text.n > 0 && (text.p[text.n - 1] == 'g' || text.p[text.n - 1] == 'G')) {
        text.n--;
        factor = 1024;
    }
    if (!ps_str_to_i64(text, &n) || __builtin_mul_overflow(n, factor, &n)) {
        return ps_fail(err, PS_EINVAL, "expected a size such as 512, 512m or 2g, found \"%s\"",
                       value);
    }
    *out = ps_arena_printf(arena, "%lldMi", (long long)n);
    return 0;
}

/* Takes the next NAME=value off *rest. */
static int next_variable(struct ps_arena *arena, struct ps_str *rest, bool quotes, size_t number,
                         struct model_property *out, struct ps_err *err)
{
    const ptrdiff_t equals = ps_str_index(*rest, '=');
    const ptrdiff_t comma = ps_str_index(*rest, ',');
    struct ps_str value;

    if (equals < 0 ||
        (comma >= 0 &&
         comma < equals)) { /* not told: it may be the end of a password with a comma */
        return ps_fail(err, PS_EINVAL,
                       "variable %zu: expected NAME=value; a value with a comma stands in quotes: "
                       "NAME='a,b'",
                       number);
    }
    const struct ps_str name = ps_str_trim(ps_str_head(*rest, (size_t)equals));

    *rest = ps_str_skip(*rest, (size_t)equals + 1);
    if (quotes && ps_str_starts(*rest, "'")) {
        *rest = ps_str_skip(*rest, 1);
        if (!ps_str_split(rest, '\'', &value) || rest->p == NULL)
            return ps_fail(err, PS_EINVAL, "%.*s: the closing ' is missing", PS_STR_ARG(name));
        *rest = ps_str_trim(*rest);
        if (rest->n > 0 && rest->p[0] != ',') {
            return ps_fail(err, PS_EINVAL, "%.*s: expected a comma after the closing '",
                           PS_STR_ARG(name));
        }
        *rest = rest->n > 0 ? ps_str_skip(*rest, 1) : (struct ps_str){NULL, 0};
    } else {
        (void)ps_str_split(rest, ',', &value);
        value = quotes ? value : ps_str_trim(value);
    }
    if (name.n == 0)
        return ps_fail(err, PS_EINVAL, "an environment variable without a name");
    *out = (struct model_property){ps_arena_str(arena, name), ps_arena_str(arena, value)};
    return 0;
}

int plan__env_parse(struct ps_arena *arena, const char *text, bool quotes,
                    struct model_properties *out, struct ps_err *err)
{
    struct ps_str rest = ps_str(text);

    if (rest.n > ENV_TEXT_MAX)
        return ps_fail(err, PS_ELIMIT, "longer than %zu bytes", ENV_TEXT_MAX);
    for (size_t number = 1; rest.p != NULL; number++) {
        struct model_property variable = {0};
        const ptrdiff_t comma = ps_str_index(rest, ',');

        if (ps_str_trim(comma < 0 ? rest : ps_str_head(rest, (size_t)comma)).n ==
            0) { /* nothing: not meant */
            rest = comma < 0 ? (struct ps_str){NULL, 0} : ps_str_skip(rest, (size_t)comma + 1);
            continue;
        }
        const int rc = next_variable(arena, &rest, quotes, number, &variable, err);

        if (rc != 0)
            return rc;
        model_properties_put(arena, out, variable.key, variable.value);
    }
    return 0;
}

static const char *const pull_policies[] = {"Always", "IfNotPresent", "Never"};
static const char *const schemes[] = {"HTTP", "HTTPS"};
static const char *const probe_types[] = {"HTTP"};

static int apply_row(struct ps_arena *arena, struct plan__settings *settings, const struct row *row,
                     bool quotes, const char *value, struct ps_err *err)
{
    void *member = (char *)settings + row->offset;
    const char *ignored;

    switch (row->grammar) {
    case TEXT:
        *(const char **)member = value;
        return 0;
    case QUANTITY:
        return read_quantity(arena, value, member, err);
    case MEBIBYTES:
        return read_mebibytes(arena, value, member, err);
    case SECONDS:
        return read_number(value, 0, SECONDS_MAX, "seconds", member, err);
    case TIMES:
        return read_number(value, 1, COUNT_MAX, "a number", member, err);
    case PORT:
        return read_number(value, 1, PORT_MAX, "a port", member, err);
    case COUNT:
        return read_number(value, 0, COUNT_MAX, "a number of instances", member, err);
    case PULL_POLICY:
        return read_word(value, pull_policies, PS_ARRAY_LEN(pull_policies), member, err);
    case SCHEME:
        return read_word(value, schemes, PS_ARRAY_LEN(schemes), member, err);
    case PROBE_TYPE:
        return read_word(value, probe_types, PS_ARRAY_LEN(probe_types), &ignored, err);
    case ENVIRONMENT:
        return plan__env_parse(arena, value, quotes, member, err);
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

int plan__settings_apply(struct ps_arena *arena, struct plan__settings *settings,
                         const struct plan__setting *setting, enum plan__known *known,
                         struct ps_err *err)
{
    const char *relaxed = model_relaxed(arena, setting->key);
    const bool from_account = setting->level == PLAN__FROM_ACCOUNT;
    const bool item = from_account && ps_str_starts(ps_str(relaxed), "environmentvariables[");
    const struct row *row = find_row(item ? "environmentvariables" : relaxed, setting->generic);

    *known = row ? PLAN__KNOWN : known_elsewhere(relaxed);
    if (row == NULL)
        return 0;
    if (*setting->value == '\0' && row->grammar != ENVIRONMENT)
        return 0; /* blank = not given */
    if (is_beaten(settings, setting, row->offset)) {
        const char *checked = NULL;

        *known = PLAN__BEATEN;
        return row->grammar == QUANTITY ? read_quantity(arena, setting->value, &checked, err)
                                        : read_mebibytes(arena, setting->value, &checked, err);
    }
    return item ? apply_item(arena, settings, setting->value, err)
                : apply_row(arena, settings, row, !from_account, setting->value, err);
}
