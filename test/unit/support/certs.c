/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made by openssl's library. */
#include "support/certs.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define YEAR_S 31536000L

static char *text_of(BIO *bio)
{
    char *data = NULL;
    const long n = BIO_get_mem_data(bio, &data);
    char *text = ps_xstrndup(data, (size_t)n);

    BIO_free(bio);
    return text;
}

static X509 *certificate_of(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    ps_assert(certificate != NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *key_of(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    ps_assert(key != NULL);
    BIO_free(bio);
    return key;
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    ps_assert(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *draft(const char *common_name, EVP_PKEY *key)
{
    static long serial;
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    (void)X509_set_version(certificate, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), YEAR_S);
    (void)X509_set_pubkey(certificate, key);
    ps_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)common_name, -1, -1, 0) == 1);
    return certificate;
}

static struct certs_pair finish(X509 *certificate, EVP_PKEY *key, EVP_PKEY *signer)
{
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());

    ps_assert(X509_sign(certificate, signer, EVP_sha256()) > 0);
    ps_assert(PEM_write_bio_X509(cert_bio, certificate) == 1);
    ps_assert(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return (struct certs_pair){text_of(cert_bio), text_of(key_bio)};
}

struct certs_pair certs_authority(const char *common_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = draft(common_name, key);

    (void)X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    return finish(certificate, key, key);
}

struct certs_pair certs_issue(const struct certs_pair *authority, const char *common_name,
                              const char *names)
{
    X509 *issuer = certificate_of(authority->cert);
    EVP_PKEY *signer = key_of(authority->key);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = draft(common_name, key);

    (void)X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    extend(certificate, issuer, NID_ext_key_usage, names ? "serverAuth" : "clientAuth");
    if (names != NULL)
        extend(certificate, issuer, NID_subject_alt_name, names);
    const struct certs_pair pair = finish(certificate, key, signer);

    EVP_PKEY_free(signer);
    X509_free(issuer);
    return pair;
}

void certs_free(struct certs_pair *pair)
{
    ps_free(pair->cert);
    ps_free(pair->key);
    *pair = (struct certs_pair){0};
}
