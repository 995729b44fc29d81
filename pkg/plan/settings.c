/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of one app: the account's, then the wildcard's and the label's deployer keys, then
 * the typed overlay. */
#include "plan/gather.h"

#include <string.h>

static bool is_typed_probe(struct ps_arena *arena, const char *key)
{
    return ps_str_find(ps_str(model_relaxed(arena, key)), "httpprobe") >= 0;
}

/* An account serves streams and tasks: what is only for the others is nothing to tell. */
static void warn_account(struct ps_arena *arena, struct model_properties *warnings, const char *key,
                         enum plan__known known)
{
    const char *words = plan__known_words(known), *text;

    if (known == PLAN__KNOWN || known == PLAN__NOT_FOR_TASKS || known == PLAN__ONLY_FOR_TASKS)
        return;
    if (known == PLAN__NOT_YET) {
        text = ps_arena_printf(arena, "%s: %s, ignored", key, words);
    } else if (known == PLAN__STRANGE) {
        text = ps_arena_printf(arena, "%s: unknown, ignored", key);
    } else {
        text = ps_arena_printf(arena, "%s: ignored, %s", key, words);
    }
    model_properties_put(arena, warnings, text, ""); /* once, though most keys stand in two lists */
}

static int account_setting(struct ps_arena *arena, const struct plan__setting *setting,
                           struct plan__settings *settings, struct model_properties *warnings,
                           struct ps_err *err)
{
    enum plan__known known;

    if (plan__settings_apply(arena, settings, setting, &known, err) != 0)
        return ps_fail_prefix(err, "spec.properties.%s", setting->key);
    if (warnings != NULL)
        warn_account(arena, warnings, setting->key, known);
    return 0;
}

/* The account's list over the built-in defaults. Typed probe keys beat the type-less ones: they go
 * last. */
int plan__account_settings(struct ps_arena *arena, const struct model_account *account,
                           enum plan__scope scope, struct plan__settings *settings,
                           struct model_properties *warnings, struct ps_err *err)
{
    const struct model_properties *list =
        scope == PLAN__TASKS ? &account->task_properties : &account->properties;
    int rc = 0;

    plan__settings_init(settings);
    for (int typed = 0; typed < 2; typed++) {
        for (size_t i = 0; rc == 0 && i < list->count; i++) {
            const struct model_property *p = &list->items[i];
            const struct plan__setting setting = {PLAN__FROM_ACCOUNT, false, p->key, p->value,
                                                  scope};

            if (is_typed_probe(arena, p->key) == (typed == 1))
                rc = account_setting(arena, &setting, settings, warnings, err);
        }
    }
    return rc;
}

int plan__base_settings(struct plan__gather *g)
{
    struct ps_err err;

    if (plan__account_settings(g->arena, g->account, g->source.scope, &g->base, NULL, &err) == 0)
        return 0;
    return plan__refuse(g, "PlatformInvalid", "PlatformAccount %s: %s", g->account->name,
                        err.message);
}

const char *plan__account_problem(struct ps_arena *arena, const struct model_account *account,
                                  const char **warnings)
{
    const bool used[] = {
        [PLAN__STREAMS] = account->for_streams, [PLAN__TASKS] = account->for_tasks};
    struct plan__settings settings;
    struct model_properties list = {0};
    struct ps_err err;
    PS_AUTO_BUF(text, PLAN__WARNINGS_MAX);

    *warnings = NULL;
    if (account->problem.code != 0)
        return account->problem.message;
    for (size_t i = 0; i < PS_ARRAY_LEN(used); i++) {
        if (used[i] && plan__account_settings(arena, account, (enum plan__scope)i, &settings, &list,
                                              &err) != 0)
            return ps_arena_dup(arena, err.message);
    }
    for (size_t i = 0; i < list.count; i++)
        ps_buf_printf(&text, "%s%s", i ? "; " : "", list.items[i].key);
    if (text.n > 0)
        *warnings = ps_arena_str(arena, ps_buf_get(&text));
    return NULL;
}

/* One deployer key of an app: what follows the label, in one spelling, and the key as it was
 * written. */
struct deployer_key {
    const char *rest, *relaxed, *written, *value;
};

struct deployer_list {
    struct deployer_key *items;
    size_t count;
};

static void put_deployer(struct deployer_list *list, const struct deployer_key *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].relaxed, key->relaxed) == 0) {
            list->items[i] = *key;
            return;
        }
    }
    list->items[list->count++] = *key;
}

static void collect_deployer(struct plan__gather *g, const char *label, struct deployer_list *list)
{
    const struct model_properties *from = g->source.properties;

    for (size_t i = 0; i < from->count; i++) {
        struct deployer_key key = {.written = from->items[i].key, .value = from->items[i].value};
        const char *target;

        if (!plan__split_key(g->arena, key.written, "deployer.", &target, &key.rest) ||
            *key.rest == '\0' || strcmp(target, label) != 0)
            continue;
        key.relaxed = model_relaxed(g->arena, key.rest);
        put_deployer(list, &key);
    }
}

/* Once for each key, also when it is meant for all apps. */
static void warn_deployer(struct plan__gather *g, const char *written, enum plan__known known)
{
    if (known == PLAN__KNOWN || model_properties_get(&g->told, written) != NULL)
        return;
    model_properties_put(g->arena, &g->told, written, "");
    plan__warn(g, "%s is ignored: %s", written, plan__known_words(known));
}

/* The weaker ones first: memory, then limits.memory; a probe's keys for any type, then those for
 * HTTP. */
enum strength {
    GENERIC,
    PLATFORM,
    TYPED,
    STRENGTHS
};

static enum strength strength_of(struct ps_arena *arena, bool generic, const char *key)
{
    if (generic)
        return GENERIC;
    return is_typed_probe(arena, key) ? TYPED : PLATFORM;
}

static int apply_deployer(struct plan__gather *g, const struct deployer_key *p,
                          enum strength strength, struct plan__settings *settings)
{
    const bool generic = !ps_str_starts(ps_str(p->rest), "kubernetes.");
    const char *key = generic ? p->rest : p->rest + strlen("kubernetes.");
    enum plan__known known;
    struct ps_err err;

    if (ps_str_starts(ps_str(key), "cloudfoundry.") || ps_str_starts(ps_str(key), "local."))
        return 0; /* meant for another kind of platform */
    if (strength_of(g->arena, generic, key) != strength)
        return 0;
    const struct plan__setting setting = {PLAN__FROM_SPEC, generic, key, p->value, g->source.scope};

    if (plan__settings_apply(g->arena, settings, &setting, &known, &err) != 0) {
        return plan__refuse(g, "InvalidProperty", "spec.properties[%s]: %s", p->written,
                            err.message);
    }
    warn_deployer(g, p->written, known);
    return 0;
}

static int overlay_quantity(struct plan__gather *g, const struct model_app *over,
                            const struct model_properties *list, const char *what, const char *key,
                            const char **out)
{
    const char *value = model_properties_get(list, key);
    int64_t milli;

    if (value == NULL)
        return 0;
    if (!codec_quantity(ps_str(value), &milli) || milli < 0) {
        return plan__refuse(
            g, "InvalidSpec",
            "spec.apps[%s].resources.%s.%s: expected a quantity such as 500m or 2Gi, found \"%s\"",
            over->name, what, key, value);
    }
    *out = value;
    return 0;
}

static void check_resources(struct plan__gather *g, const struct model_app *over,
                            const struct model_properties *list, const char *what)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, "cpu") != 0 && strcmp(list->items[i].key, "memory") != 0) {
            plan__warn(g, "spec.apps[%s].resources.%s.%s is ignored: not supported yet", over->name,
                       what, list->items[i].key);
        }
    }
}

static int overlay_settings(struct plan__gather *g, const struct model_app *over,
                            struct plan__settings *settings)
{
    if (over == NULL)
        return 0;
    if (over->replicas >= 0 && g->source.scope == PLAN__STREAMS)
        settings->count = over->replicas;
    if (overlay_quantity(g, over, &over->limits, "limits", "cpu", &settings->limits_cpu) != 0 ||
        overlay_quantity(g, over, &over->limits, "limits", "memory", &settings->limits_memory) !=
            0 ||
        overlay_quantity(g, over, &over->requests, "requests", "cpu", &settings->requests_cpu) !=
            0 ||
        overlay_quantity(g, over, &over->requests, "requests", "memory",
                         &settings->requests_memory) != 0)
        return PS_EINVAL;
    check_resources(g, over, &over->limits, "limits");
    check_resources(g, over, &over->requests, "requests");
    for (size_t i = 0; i < over->env.count; i++) {
        model_properties_put(g->arena, &settings->env, over->env.items[i].key,
                             over->env.items[i].value);
    }
    return 0;
}

int plan__settings_of(struct plan__gather *g, const char *label, struct plan__settings *out)
{
    struct deployer_list list = {
        .items = ps_arena_array(g->arena, g->source.properties->count, sizeof(*list.items))};

    collect_deployer(g, "*", &list);
    if (g->source.alias != NULL)
        collect_deployer(g, g->source.alias, &list);
    collect_deployer(g, label, &list); /* a label's key replaces the weaker ones, in any spelling */
    *out = g->base;
    out->env = plan__copy_list(g->arena, &g->base.env);
    out->labels = plan__copy_list(g->arena, &g->base.labels);
    for (int strength = 0; strength < STRENGTHS; strength++) {
        for (size_t i = 0; i < list.count; i++) {
            if (apply_deployer(g, &list.items[i], (enum strength)strength, out) != 0)
                return PS_EINVAL;
        }
    }
    return overlay_settings(g, plan__overlay(&g->source, label), out);
}
