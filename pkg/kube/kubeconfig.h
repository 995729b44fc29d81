/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that read kubeconfigs. */
#ifndef PS_KUBE_KUBECONFIG_H
#define PS_KUBE_KUBECONFIG_H

#include "internal.h"

#define KUBE__WHERE_MAX ((size_t)512)

/* An entry of one of the three lists, and how messages call it. */
struct kube__entry {
    const struct json_t *object;
    const char *dir; /* of the file that it is from; relative paths start there */
    enum kube_config_trust trust;
    char where[KUBE__WHERE_MAX];
};

int kube__entry_refuse(const struct kube__entry *entry, const char *key, const char *why,
                       struct ps_err *err);
/* *text is NULL when the field is absent, null or empty, as the tools that write these files mean
 * it. */
int kube__entry_text(const struct kube__entry *entry, const char *key, const char **text,
                     struct ps_err *err) PS_MUST_CHECK;
int kube__entry_bool(const struct kube__entry *entry, const char *key, bool *value,
                     struct ps_err *err) PS_MUST_CHECK;
/* Refuses each of the keys that says something. */
int kube__entry_refuse_keys(const struct kube__entry *entry, const char *const *keys, size_t n,
                            struct ps_err *err) PS_MUST_CHECK;
/* The PEM text under `key` (a path, kept in *file) or `key`-data (base64); *pem stays NULL when
 * neither is given. */
int kube__entry_pem(const struct kube__entry *entry, const char *key, char **pem, char **file,
                    struct ps_err *err) PS_MUST_CHECK;
char *kube__resolve(const char *dir, const char *path); /* caller frees */

/* ---- kubeconfig_user.c ---------------------------------------------------------------------- */

int kube__take_user(struct kube_config *config, const struct kube__entry *user,
                    struct ps_err *err) PS_MUST_CHECK;

/* ---- kubeconfig_exec.c ---------------------------------------------------------------------- */

/* Fills config->exec; `cluster` is for what the program is told of it. */
int kube__take_exec(struct kube_config *config, const struct kube__entry *user,
                    const struct kube__entry *cluster, struct ps_err *err) PS_MUST_CHECK;

#endif
