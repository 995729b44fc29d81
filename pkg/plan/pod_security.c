/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Pod Security Standards, as Kubernetes 1.36 has them: which fields of a pod's template the
 * levels Baseline and Restricted look at, and what may stand there. Only Linux pods: the exceptions
 * for Windows and for user namespaces are not made.
 */
#include "plan/policy.h"

#include <string.h>

#define APPARMOR_ANNOTATION "container.apparmor.security.beta.kubernetes.io/"
#define NET_BIND            "NET_BIND_SERVICE"

/* ---- the walk -------------------------------------------------------------------------------- */

static bool is_set(const struct json_t *value)
{
    return value != NULL && js_type(value) != JS_NULL;
}

const char *plan__visit(struct ps_arena *arena, const struct json_t *from, const char *pattern,
                        const char *path, plan__visit_fn *visit, const void *self)
{
    struct ps_str rest = ps_str(pattern), part;

    if (!is_set(from))
        return NULL;
    if (*pattern == '\0')
        return visit(arena, from, path, self);
    (void)ps_str_split(&rest, '.', &part);
    const bool list = part.n > 2 && part.p[part.n - 1] == ']';
    const char *key = ps_arena_str(arena, list ? ps_str_head(part, part.n - 2) : part);
    const char *behind = ps_arena_str(arena, rest), *problem = NULL;
    const char *at = ps_arena_printf(arena, "%s.%s", path, key);
    const struct json_t *value = js_get(from, key);

    if (!list)
        return plan__visit(arena, value, behind, at, visit, self);
    for (size_t i = 0; problem == NULL && i < js_len(value); i++) {
        problem = plan__visit(arena, js_at(value, i), behind,
                              ps_arena_printf(arena, "%s[%zu]", at, i), visit, self);
    }
    return problem;
}

static const char *const container_lists[] = {"initContainers[]", "containers[]",
                                              "ephemeralContainers[]"};

const char *plan__visit_containers(struct ps_arena *arena, const struct json_t *pod,
                                   const char *pattern, plan__visit_fn *visit, const void *self)
{
    const char *problem = NULL;

    for (size_t i = 0; problem == NULL && i < PS_ARRAY_LEN(container_lists); i++) {
        const char *whole = ps_arena_printf(arena, "%s%s%s", container_lists[i],
                                            *pattern != '\0' ? "." : "", pattern);

        problem = plan__visit(arena, pod, whole, "spec", visit, self);
    }
    return problem;
}

/* ---- what may stand in a field --------------------------------------------------------------- */

enum test {
    NOT_TRUE,
    ABSENT,
    ZERO,
    NOT_ZERO,
    ONE_OF, /* the words */
};

struct rule {
    const char *path;
    enum test test;
    const char *const *words; /* a NULL ends them */
};

static const char *const empty[] = {"", NULL};
static const char *const profiles[] = {"RuntimeDefault", "Localhost", NULL};
static const char *const proc_mounts[] = {"Default", NULL};
static const char *const selinux_types[] = {
    "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};
static const char *const capabilities[] = {
    "AUDIT_WRITE", "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",       "MKNOD",
    NET_BIND,      "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT", NULL};
static const char *const few_capabilities[] = {NET_BIND, NULL};
static const char *const sysctls[] = {"kernel.shm_rmid_forced",
                                      "net.ipv4.ip_local_port_range",
                                      "net.ipv4.ip_local_reserved_ports",
                                      "net.ipv4.ip_unprivileged_port_start",
                                      "net.ipv4.ping_group_range",
                                      "net.ipv4.tcp_fin_timeout",
                                      "net.ipv4.tcp_keepalive_intvl",
                                      "net.ipv4.tcp_keepalive_probes",
                                      "net.ipv4.tcp_keepalive_time",
                                      "net.ipv4.tcp_rmem",
                                      "net.ipv4.tcp_syncookies",
                                      "net.ipv4.tcp_wmem",
                                      NULL};

/* Of pods and containers alike. */
#define CONTEXT_RULES                                                                              \
    {"securityContext.windowsOptions.hostProcess", NOT_TRUE, NULL},                                \
        {"securityContext.seLinuxOptions.type", ONE_OF, selinux_types},                            \
        {"securityContext.seLinuxOptions.user", ONE_OF, empty},                                    \
        {"securityContext.seLinuxOptions.role", ONE_OF, empty},                                    \
        {"securityContext.seccompProfile.type", ONE_OF, profiles},                                 \
    {                                                                                              \
        "securityContext.appArmorProfile.type", ONE_OF, profiles                                   \
    }

static const struct rule pod_baseline[] = {
    {"hostNetwork", NOT_TRUE, NULL},
    {"hostPID", NOT_TRUE, NULL},
    {"hostIPC", NOT_TRUE, NULL},
    {"volumes[].hostPath", ABSENT, NULL},
    {"securityContext.sysctls[].name", ONE_OF, sysctls},
    CONTEXT_RULES,
};

/* A host of its own makes a probe or hook of the kubelet a request to anywhere. */
static const struct rule container_baseline[] = {
    {"securityContext.privileged", NOT_TRUE, NULL},
    {"securityContext.capabilities.add[]", ONE_OF, capabilities},
    {"securityContext.procMount", ONE_OF, proc_mounts},
    {"ports[].hostPort", ZERO, NULL},
    {"livenessProbe.httpGet.host", ONE_OF, empty},
    {"livenessProbe.tcpSocket.host", ONE_OF, empty},
    {"readinessProbe.httpGet.host", ONE_OF, empty},
    {"readinessProbe.tcpSocket.host", ONE_OF, empty},
    {"startupProbe.httpGet.host", ONE_OF, empty},
    {"startupProbe.tcpSocket.host", ONE_OF, empty},
    {"lifecycle.postStart.httpGet.host", ONE_OF, empty},
    {"lifecycle.postStart.tcpSocket.host", ONE_OF, empty},
    {"lifecycle.preStop.httpGet.host", ONE_OF, empty},
    {"lifecycle.preStop.tcpSocket.host", ONE_OF, empty},
    CONTEXT_RULES,
};

static const struct rule restricted[] = {
    {"securityContext.runAsUser", NOT_ZERO, NULL},
    {"securityContext.capabilities.add[]", ONE_OF, few_capabilities}, /* of containers only */
};

static const char *expected_words(struct ps_arena *arena, const char *const *words)
{
    PS_AUTO_BUF(text, 1024);

    for (size_t i = 0; words[i] != NULL; i++) {
        if (*words[i] != '\0')
            ps_buf_printf(&text, "%s%s", text.n ? ", " : "", words[i]);
    }
    return text.n ? ps_arena_printf(arena, "expected one of %s, or nothing", ps_buf_text(&text))
                  : "expected nothing";
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (size_t i = 0; text != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0)
            return true;
    }
    return false;
}

/* NULL: the value passes. A value of a strange type never does. */
static const char *expectation(struct ps_arena *arena, const struct json_t *value,
                               const struct rule *rule)
{
    switch (rule->test) {
    case NOT_TRUE:
        return js_type(value) == JS_BOOL && !js_is_true(value) ? NULL : "expected false or nothing";
    case ABSENT:
        return "expected nothing";
    case ZERO:
        return js_int(value, -1) == 0 ? NULL : "expected nothing";
    case NOT_ZERO:
        return js_int(value, 0) != 0 ? NULL : "expected a user other than 0";
    case ONE_OF:
        return is_one_of(js_str(value), rule->words) ? NULL : expected_words(arena, rule->words);
    }
    ps_unreachable();
}

static const char *visit_rule(struct ps_arena *arena, const struct json_t *value, const char *path,
                              const void *self)
{
    const char *expected = expectation(arena, value, self);

    return expected ? ps_arena_printf(arena, "%s: %s", path, expected) : NULL;
}

/* ---- Baseline -------------------------------------------------------------------------------- */

static const char *check_pod(struct ps_arena *arena, const struct json_t *pod,
                             const struct rule *rules, size_t count)
{
    const char *problem = NULL;

    for (size_t i = 0; problem == NULL && i < count; i++)
        problem = plan__visit(arena, pod, rules[i].path, "spec", visit_rule, &rules[i]);
    return problem;
}

static const char *check_containers(struct ps_arena *arena, const struct json_t *pod,
                                    const struct rule *rules, size_t count)
{
    const char *problem = NULL;

    for (size_t i = 0; problem == NULL && i < count; i++)
        problem = plan__visit_containers(arena, pod, rules[i].path, visit_rule, &rules[i]);
    return problem;
}

/* The older way to ask for an AppArmor profile. */
static const char *check_annotations(struct ps_arena *arena, const struct json_t *template)
{
    const struct json_t *annotations = js_path(template, "metadata.annotations");
    void *at = NULL;
    const char *key;
    struct json_t *value;

    while (js_next(annotations, &at, &key, &value)) {
        const struct ps_str text = ps_str(js_str(value) ? js_str(value) : "?");

        if (ps_str_starts(ps_str(key), APPARMOR_ANNOTATION) && text.n > 0 &&
            !ps_str_is(text, "runtime/default") && !ps_str_starts(text, "localhost/")) {
            return ps_arena_printf(
                arena, "metadata.annotations[%s]: expected runtime/default or localhost/…", key);
        }
    }
    return NULL;
}

static const char *check_baseline(struct ps_arena *arena, const struct json_t *template)
{
    const struct json_t *pod = js_get(template, "spec");
    const char *problem = check_pod(arena, pod, pod_baseline, PS_ARRAY_LEN(pod_baseline));

    if (problem == NULL) {
        problem =
            check_containers(arena, pod, container_baseline, PS_ARRAY_LEN(container_baseline));
    }
    return problem ? problem : check_annotations(arena, template);
}

/* ---- Restricted ------------------------------------------------------------------------------ */

static const char *visit_volume(struct ps_arena *arena, const struct json_t *volume,
                                const char *path, const void *self)
{
    static const char *const types[] = {
        "configMap", "csi",    "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
        "projected", "secret", "name",        NULL};
    void *at = NULL;
    const char *key;
    struct json_t *value;

    (void)self;
    while (js_next(volume, &at, &key, &value)) {
        if (is_set(value) && !is_one_of(key, types))
            return ps_arena_printf(arena, "%s.%s: expected another type of volume", path, key);
    }
    return NULL;
}

static bool drops_all(const struct json_t *container)
{
    const struct json_t *drop = js_path(container, "securityContext.capabilities.drop");

    for (size_t i = 0; i < js_len(drop); i++) {
        if (ps_streq(js_str(js_at(drop, i)), "ALL"))
            return true;
    }
    return false;
}

/* What has to stand in each container, or in the pod for all of them. self: the pod. */
static const char *visit_container(struct ps_arena *arena, const struct json_t *container,
                                   const char *path, const void *self)
{
    const struct json_t *mine = js_get(container, "securityContext"),
                        *pods = js_get(self, "securityContext");
    const struct json_t *escalation = js_get(mine, "allowPrivilegeEscalation");
    const bool inherited = js_is_true(js_get(pods, "runAsNonRoot"));
    const char *wrong = NULL;

    if (js_type(escalation) != JS_BOOL || js_is_true(escalation)) {
        wrong = "allowPrivilegeEscalation: expected false";
    } else if (!drops_all(container)) {
        wrong = "capabilities.drop: expected ALL";
    } else if (is_set(js_get(mine, "runAsNonRoot")) ? !js_is_true(js_get(mine, "runAsNonRoot"))
                                                    : !inherited) {
        wrong = "runAsNonRoot: expected true";
    } else if (!is_set(js_path(mine, "seccompProfile.type")) &&
               !is_set(js_path(pods, "seccompProfile.type"))) {
        wrong = "seccompProfile.type: expected RuntimeDefault or Localhost";
    }
    return wrong ? ps_arena_printf(arena, "%s.securityContext.%s", path, wrong) : NULL;
}

static const char *check_restricted(struct ps_arena *arena, const struct json_t *template)
{
    const struct json_t *pod = js_get(template, "spec");
    const struct json_t *non_root = js_path(pod, "securityContext.runAsNonRoot");
    const char *problem = check_baseline(arena, template);

    if (problem == NULL)
        problem = check_pod(arena, pod, restricted, 1);
    if (problem == NULL)
        problem = check_containers(arena, pod, restricted, PS_ARRAY_LEN(restricted));
    if (problem == NULL)
        problem = plan__visit(arena, pod, "volumes[]", "spec", visit_volume, NULL);
    if (problem == NULL && is_set(non_root) && !js_is_true(non_root))
        problem = "spec.securityContext.runAsNonRoot: expected true";
    return problem ? problem : plan__visit_containers(arena, pod, "", visit_container, pod);
}

const char *plan__pod_security(struct ps_arena *arena, enum model_pod_security level,
                               const struct json_t *template)
{
    switch (level) {
    case MODEL_PRIVILEGED:
        return NULL;
    case MODEL_BASELINE:
        return check_baseline(arena, template);
    case MODEL_RESTRICTED:
        return check_restricted(arena, template);
    }
    ps_unreachable();
}
