/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside operator: who may read the metrics. The API server is asked whose token it is
 * (TokenReview) and whether they may get the path (SubjectAccessReview); its answers hold for a
 * short while, under the hash of the token, never the token itself.
 */
#ifndef PS_OPERATOR_GUARD_H
#define PS_OPERATOR_GUARD_H

#include "kube/kube.h"

struct operator__guard;

struct operator__guard_options {
    struct loop *loop;
    struct kube_client *client; /* without a fence: a standby is scraped, too */
    struct http_server *server; /* it is given TLS and this guard; outlives it */
    const char *cert_dir;       /* has tls.crt and tls.key, read again when they change; NULL: a
                                   certificate of our own making */
};

/* NULL and *err when the certificate can't be used. */
struct operator__guard *operator__guard_new(const struct operator__guard_options *options,
                                            struct ps_err *err) PS_MUST_CHECK;
/* Before its server is freed; NULL is fine. */
void operator__guard_free(struct operator__guard *guard);

#endif
