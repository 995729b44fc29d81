/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys, looked at before curl gets them: files may be caught half written. */
#include "internal.h"
#include "serving.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* openssl would ask for it on the terminal. */
// NOLINTNEXTLINE(readability-non-const-parameter): openssl's type
int http__no_passphrase(char *text, int size, int is_writing, void *self)
{
    (void)text;
    (void)size;
    (void)is_writing;
    (void)self;
    return -1;
}

BIO *http__pem_reader(struct ps_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);

    ps_assert(bio != NULL);
    return bio;
}

static X509 *first_certificate(struct ps_str pem)
{
    BIO *bio = http__pem_reader(pem);
    X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, http__no_passphrase, NULL);

    BIO_free(bio);
    return certificate;
}

EVP_PKEY *http__pem_key(struct ps_str pem)
{
    BIO *bio = http__pem_reader(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, http__no_passphrase, NULL);

    BIO_free(bio);
    return key;
}

static int check_pair(const X509 *certificate, EVP_PKEY *key, struct ps_err *err)
{
    if (certificate == NULL)
        return ps_fail(err, PS_EINVAL, "client certificate: no certificate that can be read");
    if (key == NULL) {
        return ps_fail(err, PS_EINVAL,
                       "client key: no private key that can be read without a passphrase");
    }
    if (X509_check_private_key(certificate, key) != 1)
        return ps_fail(err, PS_EINVAL, "client key: it does not belong to the client certificate");
    return 0;
}

static int check_client(struct ps_str cert_pem, struct ps_str key_pem, struct ps_err *err)
{
    X509 *certificate = first_certificate(cert_pem);
    EVP_PKEY *key = http__pem_key(key_pem);
    const int code = check_pair(certificate, key, err);

    X509_free(certificate);
    EVP_PKEY_free(key);
    return code;
}

int http_tls_check(struct ps_str ca_pem, struct ps_str cert_pem, struct ps_str key_pem,
                   struct ps_err *err)
{
    int code = 0;

    if (ca_pem.n > HTTP_PEM_MAX || cert_pem.n > HTTP_PEM_MAX || key_pem.n > HTTP_PEM_MAX)
        return ps_fail(err, PS_ELIMIT, "certificates: larger than %zu bytes", HTTP_PEM_MAX);
    if (ca_pem.n > 0) {
        X509 *authority = first_certificate(ca_pem);

        if (authority == NULL)
            code = ps_fail(err, PS_EINVAL, "authority: no certificate that can be read");
        X509_free(authority);
    }
    if (code == 0 && (cert_pem.n > 0 || key_pem.n > 0))
        code = check_client(cert_pem, key_pem, err);
    ERR_clear_error();
    return code;
}
