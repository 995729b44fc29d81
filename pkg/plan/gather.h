/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by gather.c, settings.c, apps.c and task_apps.c alone, while apps are gathered. */
#ifndef PS_PLAN_GATHER_H
#define PS_PLAN_GATHER_H

#include "internal.h"

/* What a stream and a launch of a task have in common. */
struct plan__source {
    enum plan__scope scope;
    const char *namespace;
    const struct model_properties *properties;
    const struct model_app *apps;
    size_t app_count;
    const char *const *labels; /* of the definition */
    size_t label_count;
    const char *alias; /* of a task: its app as registered, which keys may name as well; or NULL */
};

/* What the apps are gathered from. */
struct plan__gather {
    struct ps_arena *arena;
    struct plan__source source;
    const struct model_account *account;
    const struct model_registry *registry;
    struct plan__wanted *wanted;
    struct plan__settings base; /* the account's */
    struct ps_buf warnings;
    bool more_warnings;
    struct model_properties told; /* deployer keys that were warned of */
};

/* ---- gather.c -------------------------------------------------------------------------------- */

void plan__gather_init(struct plan__gather *g, struct ps_arena *arena, struct plan__wanted *wanted);
/* Puts the warnings into wanted. */
void plan__gather_fini(struct plan__gather *g);
void plan__warn(struct plan__gather *g, const char *fmt, ...) PS_PRINTF(2, 3);
/* Returns PS_EINVAL. */
int plan__refuse(struct plan__gather *g, const char *reason, const char *fmt, ...) PS_PRINTF(3, 4);

/* "deployer.predict.count": area, label (or "*") and the rest; false when it has not that form. */
bool plan__split_key(struct ps_arena *arena, const char *key, const char *area, const char **label,
                     const char **rest);
/* Every key must have a meaning or be told of. */
int plan__check_keys(struct plan__gather *g) PS_MUST_CHECK;
/* The entry of spec.apps, or NULL. */
const struct model_app *plan__overlay(const struct plan__source *source, const char *label);
/* Image and version, from spec.apps or the registry; the app has its label, name and type. */
int plan__image_of(struct plan__gather *g, struct plan__app *app) PS_MUST_CHECK;
/* Can the app's properties, and arguments, reach it in the way of its entry point? */
int plan__check_entry_point(struct plan__gather *g, const struct plan__app *app,
                            const char *const *arguments, size_t count) PS_MUST_CHECK;
/* What "app.<target>.…" says, without that. */
struct model_properties plan__app_keys(struct plan__gather *g, const char *target);
void plan__put_all(struct ps_arena *arena, struct model_properties *out,
                   const struct model_properties *from);
/* Puts only what out has not. */
void plan__fill_gaps(struct ps_arena *arena, struct model_properties *out,
                     const struct model_property *from, size_t count);
struct model_properties plan__copy_list(struct ps_arena *arena,
                                        const struct model_properties *list);

/* ---- settings.c ------------------------------------------------------------------------------ */

/* The account's settings over the built-in ones; warnings, texts as keys, may be NULL. */
int plan__account_settings(struct ps_arena *arena, const struct model_account *account,
                           enum plan__scope scope, struct plan__settings *settings,
                           struct model_properties *warnings, struct ps_err *err) PS_MUST_CHECK;
/* The account's into g->base, or the refusal. */
int plan__base_settings(struct plan__gather *g) PS_MUST_CHECK;
int plan__settings_of(struct plan__gather *g, const char *label,
                      struct plan__settings *out) PS_MUST_CHECK;

#endif
