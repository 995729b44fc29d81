/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by apps.c and settings.c alone, while a stream's apps are gathered. */
#ifndef PS_PLAN_GATHER_H
#define PS_PLAN_GATHER_H

#include "internal.h"

/* What the apps are gathered from. */
struct plan__gather {
    struct ps_arena *arena;
    const struct model_stream *stream;
    const struct model_account *account;
    const struct model_registry *registry;
    const struct dsl_stream *dsl;
    struct plan__wanted *wanted;
    struct plan__settings base; /* the account's */
    struct ps_buf warnings;
    bool more_warnings;
    struct model_properties told; /* deployer keys that were warned of */
};

/* "deployer.predict.count": area, label (or "*") and the rest; false when it has not that form. */
bool plan__split_key(struct ps_arena *arena, const char *key, const char *area, const char **label,
                     const char **rest);
void plan__warn(struct plan__gather *g, const char *fmt, ...) PS_PRINTF(2, 3);
/* Returns PS_EINVAL. */
int plan__refuse(struct plan__gather *g, const char *reason, const char *fmt, ...) PS_PRINTF(3, 4);
/* The entry of spec.apps, or NULL. */
const struct model_app *plan__overlay(const struct model_stream *stream, const char *label);
struct model_properties plan__copy_list(struct ps_arena *arena,
                                        const struct model_properties *list);
/* The account's settings over the built-in ones; warnings may be NULL. */
int plan__account_settings(struct ps_arena *arena, const struct model_account *account,
                           struct plan__settings *settings, struct ps_buf *warnings,
                           struct ps_err *err) PS_MUST_CHECK;
int plan__settings_of(struct plan__gather *g, const char *label,
                      struct plan__settings *out) PS_MUST_CHECK;

#endif
