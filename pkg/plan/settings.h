/* SPDX-License-Identifier: Apache-2.0 */
/* Inside plan: the settings of one app on Kubernetes (deploy.c) and their grammar (grammar.c). */
#ifndef PS_PLAN_SETTINGS_H
#define PS_PLAN_SETTINGS_H

#include "model/model.h"

/* What the app belongs to: a key can have a meaning for one sort only. */
enum plan__scope {
    PLAN__STREAMS,
    PLAN__TASKS
};

enum plan__probe_kind {
    PLAN__LIVENESS,
    PLAN__READINESS,
    PLAN__STARTUP,
    PLAN__PROBES
};

struct plan__probe {
    int64_t delay, period, timeout; /* s */
    int64_t failure, success;       /* times */
    int64_t port;                   /* -1 = the app's */
    const char *path, *scheme;
};

struct plan__settings {
    int64_t count; /* -1 = not given */
    const char *pull_policy;
    const char *limits_cpu, *limits_memory, *requests_cpu, *requests_memory; /* NULL = none */
    bool account_limits_cpu,
        account_limits_memory; /* SCDF: these beat the generic cpu and memory */
    struct plan__probe probes[PLAN__PROBES];
    struct model_properties env;
    const char *entry_point; /* how properties reach the app: "exec", "boot" or "shell" */
    struct model_properties labels, pod_annotations, job_annotations;
    /* Of a StatefulSet: NULL is the default. */
    const char *indexed; /* "true", "false" */
    const char *claim_name, *claim_size, *storage_class, *index_image;
    int64_t backoff_limit; /* of a task: attempts after the first; -1 = not given */
};

void plan__settings_init(struct plan__settings *settings);

enum plan__level {
    PLAN__FROM_ACCOUNT,
    PLAN__FROM_SPEC
};

/* One property on its way into the settings. */
struct plan__setting {
    enum plan__level level;
    bool generic;    /* count, memory, cpu …: not below kubernetes. */
    const char *key; /* without its prefixes */
    const char *value;
    enum plan__scope scope;
};

enum plan__known {
    PLAN__KNOWN,
    PLAN__BEATEN, /* known, but the account's limits beat it */
    PLAN__NOT_YET,
    PLAN__STRANGE,
    PLAN__NOT_FOR_TASKS,
    PLAN__ONLY_FOR_TASKS,
    PLAN__ONLY_OF_ACCOUNTS,
    PLAN__USE_RETRY, /* the launch has a field for what is meant */
    PLAN__USE_TTL
};

/* "not supported yet": why a key that is not KNOWN has no effect. */
const char *plan__known_words(enum plan__known known);

/* Lays one property over the settings. *known says whether the key means anything to us. PS_EINVAL
 * with what was expected (no key in the message: the caller knows its place). */
int plan__settings_apply(struct ps_arena *arena, struct plan__settings *settings,
                         const struct plan__setting *setting, enum plan__known *known,
                         struct ps_err *err) PS_MUST_CHECK;
/* SCDF's "A=1,B='x,y'" into a list; names are trimmed. PS_EINVAL at a piece without '='. */
int plan__env_parse(struct ps_arena *arena, const char *text, bool quotes,
                    struct model_properties *out, struct ps_err *err) PS_MUST_CHECK;
/* SCDF's "key:value,other:value" into a list. Annotations: a comma between double quotes parts
 * nothing, the quotes stay. Labels: values as Kubernetes has them, without ':'. */
int plan__pairs_parse(struct ps_arena *arena, const char *text, bool labels,
                      struct model_properties *out, struct ps_err *err) PS_MUST_CHECK;
/* A label's value, as Kubernetes has it; "" is one. */
bool plan__is_label_value(struct ps_str text);
/* The other values of the table; each says what it expected. */
int plan__read_number(const char *value, int64_t min, int64_t max, const char *what, int64_t *out,
                      struct ps_err *err) PS_MUST_CHECK;
int plan__read_word(const char *value, const char *const *words, size_t n, const char **out,
                    struct ps_err *err) PS_MUST_CHECK;
int plan__read_quantity(struct ps_arena *arena, const char *value, const char **out,
                        struct ps_err *err) PS_MUST_CHECK;
int plan__read_mebibytes(struct ps_arena *arena, const char *value, const char **out,
                         struct ps_err *err) PS_MUST_CHECK;

#endif
