/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the server (server_tls.c), in memory: bytes of the wire in and out, no socket. */
#ifndef PS_HTTP_SERVING_H
#define PS_HTTP_SERVING_H

#include "base/base.h"

#include <openssl/ssl.h>

/* tls.c. The reader borrows the text. NULL when there is none that can be read. */
BIO *http__pem_reader(struct ps_str pem);
EVP_PKEY *http__pem_key(struct ps_str pem);
int http__no_passphrase(char *text, int size, int is_writing, void *self);

/* Certificate and key of a server; with both empty one is made up. NULL and *err on failure; err
 * must not be NULL. */
SSL_CTX *http__identity_new(struct ps_str cert_pem, struct ps_str key_pem, struct ps_err *err);
void http__identity_free(SSL_CTX *identity); /* NULL is fine; connections keep what they need */

/* One connection. */
SSL *http__tls_new(SSL_CTX *identity);
void http__tls_free(SSL *tls); /* NULL is fine */
/* What has come over the wire: its plain text is appended to *plain, and what has to be sent now to
 * *wire. False: the connection is of no use any more; *wire may hold an alert. */
bool http__tls_receive(SSL *tls, struct ps_str bytes, struct ps_buf *plain, struct ps_buf *wire);
/* Appends the text as it goes over the wire, and the notice that nothing follows. */
bool http__tls_send(SSL *tls, struct ps_str plain, struct ps_buf *wire);

#endif
