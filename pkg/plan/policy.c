/* SPDX-License-Identifier: Apache-2.0 */
/* An account's policy, held against the template of a pod as it is about to be written: how it is
 * made up does not matter, so no property can get past it. */
#include "plan/policy.h"

/* ---- what pods name -------------------------------------------------------------------------- */

enum named {
    SECRET,
    CONFIG_MAP,
    CLAIM,
};

struct place {
    const char *path;
    enum named named;
};

static const struct place of_pod[] = {
    {"imagePullSecrets[].name", SECRET},
    {"volumes[].secret.secretName", SECRET},
    {"volumes[].projected.sources[].secret.name", SECRET},
    {"volumes[].azureFile.secretName", SECRET},
    {"volumes[].cephfs.secretRef.name", SECRET},
    {"volumes[].cinder.secretRef.name", SECRET},
    {"volumes[].csi.nodePublishSecretRef.name", SECRET},
    {"volumes[].flexVolume.secretRef.name", SECRET},
    {"volumes[].iscsi.secretRef.name", SECRET},
    {"volumes[].rbd.secretRef.name", SECRET},
    {"volumes[].scaleIO.secretRef.name", SECRET},
    {"volumes[].storageos.secretRef.name", SECRET},
    {"volumes[].configMap.name", CONFIG_MAP},
    {"volumes[].projected.sources[].configMap.name", CONFIG_MAP},
    {"volumes[].persistentVolumeClaim.claimName", CLAIM},
    {"volumes[].ephemeral.volumeClaimTemplate.spec.dataSource.name", CLAIM},
    {"volumes[].ephemeral.volumeClaimTemplate.spec.dataSourceRef.name", CLAIM},
};

static const struct place of_container[] = {
    {"env[].valueFrom.secretKeyRef.name", SECRET},
    {"envFrom[].secretRef.name", SECRET},
    {"env[].valueFrom.configMapKeyRef.name", CONFIG_MAP},
    {"envFrom[].configMapRef.name", CONFIG_MAP},
};

struct check {
    const struct model_account *account;
    enum named named;
};

static const struct model_names *names_of(const struct check *check, const char **field)
{
    const struct model_policy *policy = &check->account->policy;

    switch (check->named) {
    case SECRET:
        *field = "secrets";
        return &policy->secrets;
    case CONFIG_MAP:
        *field = "configMaps";
        return &policy->config_maps;
    case CLAIM:
        *field = "claims";
        return &policy->claims;
    }
    ps_unreachable();
}

static const char *not_listed(struct ps_arena *arena, const char *path, const char *name,
                              const char *field, const struct model_account *account)
{
    return ps_arena_printf(arena,
                           "%s: %s is not among spec.policy.%s of PlatformAccount %s; have it "
                           "listed there, or name another",
                           path, name, field, account->name);
}

static const char *visit_name(struct ps_arena *arena, const struct json_t *value, const char *path,
                              const void *self)
{
    const struct check *check = self;
    const char *field, *name = js_str(value);
    const struct model_names *names = names_of(check, &field);

    if (name != NULL && model_names_have(names, name))
        return NULL;
    return not_listed(arena, path, name ? name : js_type_name(value), field, check->account);
}

static const char *check_names(struct ps_arena *arena, const struct model_account *account,
                               const struct json_t *pod)
{
    const char *problem = NULL;

    for (size_t i = 0; problem == NULL && i < PS_ARRAY_LEN(of_pod); i++) {
        const struct check check = {account, of_pod[i].named};

        problem = plan__visit(arena, pod, of_pod[i].path, "spec", visit_name, &check);
    }
    for (size_t i = 0; problem == NULL && i < PS_ARRAY_LEN(of_container); i++) {
        const struct check check = {account, of_container[i].named};

        problem = plan__visit_containers(arena, pod, of_container[i].path, visit_name, &check);
    }
    return problem;
}

/* A pod that names none runs as `default`. A list that is given holds everywhere: whoever may write
 * our kinds in a namespace need not be allowed to use its service accounts. */
static const char *check_service_account(struct ps_arena *arena,
                                         const struct model_account *account, bool own,
                                         const struct json_t *pod)
{
    static const char field[] = "serviceAccounts";
    const struct model_names *names = &account->policy.service_accounts;
    const char *older = js_path_str(pod, "serviceAccount");
    const char *name = js_path_str(pod, "serviceAccountName");

    name = name ? name : older ? older : "default";
    if (names->given ? model_names_have(names, name) : own || ps_streq(name, "default"))
        return NULL;
    return not_listed(arena, "spec.serviceAccountName", name, field, account);
}

const char *plan__policy_problem(struct ps_arena *arena, const struct model_account *account,
                                 bool own, const struct json_t *template)
{
    const enum model_pod_security level = account->policy.pod_security;
    const struct json_t *pod = js_get(template, "spec");
    const char *problem = plan__pod_security(arena, level, template);

    if (problem != NULL) {
        return ps_arena_printf(arena,
                               "%s, as spec.policy.podSecurity %s of PlatformAccount %s asks for",
                               problem, model_pod_security_name(level), account->name);
    }
    problem = check_service_account(arena, account, own, pod);
    return problem || own ? problem : check_names(arena, account, pod);
}
