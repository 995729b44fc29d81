/* SPDX-License-Identifier: Apache-2.0 */
/* Part of kube.h: where an API server is and who we are there. */
#ifndef PS_KUBE_CONFIG_H
#define PS_KUBE_CONFIG_H

#include "base/base.h"

struct json_t;

#define KUBE_CONFIG_MAX ((size_t)1024 * 1024)

/* Owned. */
struct kube_header {
    char *name, *value;
};

/* Owned texts; secrets are wiped by kube_config_fini. err is required by the functions that fill
 * it. */
struct kube_config {
    char *server;    /* "https://10.0.0.1:443/prefix", no trailing slash */
    char *namespace; /* of the context or the service account; may be NULL */
    char *ca_pem, *client_cert_pem, *client_key_pem; /* or NULL */
    char *token;                                     /* or NULL */
    /* Where the texts above are from, or NULL: read again about every minute, and when the server
     * refuses what they hold. */
    char *token_file, *ca_file, *client_cert_file, *client_key_file;
    char *tls_server_name;       /* the name in the server's certificate; NULL: that of `server` */
    char *proxy_url;             /* may hold a password; or NULL */
    struct kube_header *headers; /* whom to be taken for: Impersonate-… */
    size_t header_count;
    /* The program that gives out the credential: apiVersion, command, args, env, installHint, and
     * what it is told of the cluster; or NULL. */
    struct json_t *exec;
    /* The variables that it gets beside its own, ended by NULL; borrowed, for as long as a client
     * lives; NULL: none. Not set by the functions here. */
    char *const *environment;
    bool insecure; /* the server's certificate is not verified */
};

/* Where a kubeconfig is from decides what it may ask for. */
enum kube_config_trust {
    KUBE_CONFIG_OWN,       /* of whoever starts the program: files, programs, no verification */
    KUBE_CONFIG_UNTRUSTED, /* of somebody else: none of that, and https */
    KUBE_CONFIG_UNVERIFIED /* the same, but it may do without verification */
};

#define KUBE_SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* From KUBERNETES_SERVICE_HOST/PORT (given as texts, NULL = unset) and the service account's
 * directory. */
int kube_config_in_cluster(struct kube_config *config, const char *host, const char *port,
                           const char *dir, struct ps_err *err) PS_MUST_CHECK;
/* One kubeconfig file, of one's own; context NULL = current-context. auth-provider and
 * username/password are refused by name. */
int kube_config_load(struct kube_config *config, const char *path, const char *context,
                     struct ps_err *err) PS_MUST_CHECK;
/* Several, separated by colons, as $KUBECONFIG has them: entries and the current-context are those
 * of the first file that has them. Files that are not there are passed over, unless all are. */
int kube_config_load_list(struct kube_config *config, const char *paths, const char *context,
                          struct ps_err *err) PS_MUST_CHECK;
/* The same from one text; relative paths are resolved against dir. */
int kube_config_parse(struct kube_config *config, struct ps_str text, const char *dir,
                      const char *context, enum kube_config_trust trust,
                      struct ps_err *err) PS_MUST_CHECK;
/* From the `data` of a Secret that somebody else has written: `kubeconfig`, or `server`, `token`
 * and `ca.crt`; without verification (`skipVerify: "true"`, or in the kubeconfig) only where
 * may_skip_verify. *err names keys of the Secret and never a part of a value. */
int kube_config_from_secret(struct kube_config *config, const struct json_t *data,
                            bool may_skip_verify, struct ps_err *err) PS_MUST_CHECK;
void kube_config_fini(struct kube_config *config);

/* A regular file whole, or an error that names it; NUL bytes in it are refused. */
int kube_read_file(struct ps_buf *out, const char *path, struct ps_err *err) PS_MUST_CHECK;

#endif
