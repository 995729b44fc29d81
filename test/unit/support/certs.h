/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and certificates for tests, made on the spot. */
#ifndef PS_TEST_CERTS_H
#define PS_TEST_CERTS_H

#include "base/base.h"

/* PEM texts, owned. */
struct certs_pair {
    char *cert, *key;
};

struct certs_pair certs_authority(const char *common_name);
/* names: as openssl's subjectAltName has them ("IP:127.0.0.1,DNS:x"), or NULL for a client. */
struct certs_pair certs_issue(const struct certs_pair *authority, const char *common_name,
                              const char *names);
void certs_free(struct certs_pair *pair);

#endif
