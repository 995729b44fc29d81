/* SPDX-License-Identifier: Apache-2.0 */
/* PlatformAccount: spec.policy, what pods on the account may be and what they may use. */
#include "model/internal.h"

#define NAMES_MAX ((size_t)1000)

static const char *const levels[] = {
    [MODEL_BASELINE] = "Baseline",
    [MODEL_RESTRICTED] = "Restricted",
    [MODEL_PRIVILEGED] = "Privileged",
};

static int read_level(const struct model__reader *r, const struct json_t *from,
                      enum model_pod_security *out)
{
    const char *word = NULL;

    if (model__text(r, from, "spec.policy", "podSecurity", &word) != 0)
        return PS_EINVAL;
    for (size_t i = 0; word != NULL && i < PS_ARRAY_LEN(levels); i++) {
        if (ps_streq(word, levels[i])) {
            *out = (enum model_pod_security)i;
            return 0;
        }
    }
    if (word == NULL)
        return 0;
    return ps_fail(r->err, PS_EINVAL,
                   "spec.policy.podSecurity: expected Restricted, Baseline or Privileged, found "
                   "%.64s",
                   word);
}

int model__policy(const struct model__reader *r, const struct json_t *spec,
                  struct model_policy *out)
{
    const struct json_t *from = js_get(spec, "policy");

    const struct {
        const char *key;
        struct model_names *names;
    } lists[] = {{"serviceAccounts", &out->service_accounts},
                 {"secrets", &out->secrets},
                 {"configMaps", &out->config_maps},
                 {"claims", &out->claims}};

    if (from == NULL)
        return 0;
    if (js_type(from) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "spec.policy: expected an object, found %s",
                       js_type_name(from));
    }
    for (size_t i = 0; i < PS_ARRAY_LEN(lists); i++) {
        const struct json_t *list = js_get(from, lists[i].key);
        const char *path = ps_arena_printf(r->arena, "spec.policy.%s", lists[i].key);

        lists[i].names->given = list != NULL;
        if (model__texts(r, list, path, NAMES_MAX, &lists[i].names->names) != 0)
            return PS_EINVAL;
    }
    return read_level(r, from, &out->pod_security);
}

bool model_names_have(const struct model_names *names, const char *name)
{
    for (size_t i = 0; i < names->names.count; i++) {
        if (ps_streq(names->names.items[i], "*") || ps_streq(names->names.items[i], name))
            return true;
    }
    return false;
}

const char *model_pod_security_name(enum model_pod_security level)
{
    return levels[level];
}
