/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts that a CR names: where they lead, and whether it may use them. */
#include "plan/internal.h"

const struct plan_platform *plan__platform(const struct plan_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->platform_count; i++) {
        if (ps_streq(s->platforms[i].name, name))
            return &s->platforms[i];
    }
    return NULL;
}

const char *plan__target_of(const struct plan_snapshot *s, const struct model_account *account)
{
    return model_account_target(account, s->namespace);
}

enum plan__reach plan__reach(const struct plan_snapshot *s, const char *cluster,
                             const char *namespace)
{
    enum plan__reach reach = PLAN__ELSEWHERE;

    for (size_t i = 0; i < s->platform_count; i++) {
        const struct model_account *account = s->platforms[i].account;

        if (account == NULL || !ps_streq(plan__cluster_of(account), cluster) ||
            !ps_streq(plan__target_of(s, account), namespace))
            continue;
        if (plan__is_allowed(s, account)) {
            return plan__is_open(s, cluster) && plan__is_held(&s->platforms[i]) ? PLAN__OPEN
                                                                                : PLAN__AWAY;
        }
        reach = PLAN__BARRED;
    }
    return reach;
}

bool plan__is_allowed(const struct plan_snapshot *s, const struct model_account *account)
{
    return model_account_allows(account, s->namespace,
                                s->own_namespace ? s->own_namespace->labels : NULL);
}

bool plan__is_at_home(const struct plan_snapshot *s, const struct model_account *account)
{
    return plan__cluster_of(account) == NULL && ps_streq(plan__target_of(s, account), s->namespace);
}

const char *plan__not_allowed_text(struct ps_arena *arena, const struct plan_snapshot *s,
                                   const struct model_account *account)
{
    return ps_arena_printf(arena,
                           "PlatformAccount %s is not for namespace %s: its "
                           "spec.allowedNamespaces has to name or select it; or name another "
                           "account in spec.platform",
                           account->name, s->namespace);
}
