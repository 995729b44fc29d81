/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS: openssl between two buffers, so that the loop alone knows sockets. */
#include "serving.h"

#include "http/http.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define CHAIN_MAX   10         /* certificates behind the first */
#define OWN_VALID_S 315360000L /* ten years: it is made anew with each start */
#define OWN_SKEW_S  3600L      /* clocks of others */
#define OWN_NAMES   "DNS:localhost,IP:127.0.0.1,IP:::1"

/* ---- a certificate of our own making -------------------------------------------------------- */

static void set_names(X509 *certificate)
{
    X509V3_CTX context;
    X509_NAME *name = X509_get_subject_name(certificate);

    ps_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)"penstock", -1, -1, 0) == 1);
    (void)X509_set_issuer_name(certificate, name);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, OWN_NAMES);

    ps_assert(names != NULL && X509_add_ext(certificate, names, -1) == 1);
    X509_EXTENSION_free(names);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    uint64_t serial;

    ps_assert(certificate != NULL && RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1);
    (void)X509_set_version(certificate, X509_VERSION_3);
    (void)ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -OWN_SKEW_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), OWN_VALID_S);
    (void)X509_set_pubkey(certificate, key);
    set_names(certificate);
    ps_assert(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void use_own(SSL_CTX *identity)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    ps_assert(key != NULL);
    X509 *certificate = make_certificate(key);

    ps_assert(SSL_CTX_use_certificate(identity, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(identity, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- a certificate that was given ------------------------------------------------------------ */

static int use_chain(SSL_CTX *identity, struct ps_str pem, struct ps_err *err)
{
    BIO *reader = http__pem_reader(pem);
    X509 *certificate = PEM_read_bio_X509_AUX(reader, NULL, http__no_passphrase, NULL);
    int code = 0;

    if (certificate == NULL || SSL_CTX_use_certificate(identity, certificate) != 1)
        code = ps_fail(err, PS_EINVAL, "certificate: none that can be read");
    X509_free(certificate);
    for (size_t i = 0; code == 0 && i < CHAIN_MAX; i++) {
        X509 *next = PEM_read_bio_X509(reader, NULL, http__no_passphrase, NULL);

        if (next == NULL)
            break;
        ps_assert(SSL_CTX_add0_chain_cert(identity, next) == 1);
    }
    BIO_free(reader);
    return code;
}

static int use_given(SSL_CTX *identity, struct ps_str cert_pem, struct ps_str key_pem,
                     struct ps_err *err)
{
    if (cert_pem.n > HTTP_PEM_MAX || key_pem.n > HTTP_PEM_MAX)
        return ps_fail(err, PS_ELIMIT, "certificate: larger than %zu bytes", HTTP_PEM_MAX);
    if (use_chain(identity, cert_pem, err) != 0)
        return err->code;
    EVP_PKEY *key = http__pem_key(key_pem);
    int code = 0;

    if (key == NULL) {
        code = ps_fail(err, PS_EINVAL, "key: none that can be read without a passphrase");
    } else if (SSL_CTX_use_PrivateKey(identity, key) != 1 ||
               SSL_CTX_check_private_key(identity) != 1) {
        code = ps_fail(err, PS_EINVAL, "key: it does not belong to the certificate");
    }
    EVP_PKEY_free(key);
    return code;
}

SSL_CTX *http__identity_new(struct ps_str cert_pem, struct ps_str key_pem, struct ps_err *err)
{
    SSL_CTX *identity = SSL_CTX_new(TLS_server_method());
    int code = 0;

    ps_assert(identity != NULL && SSL_CTX_set_min_proto_version(identity, TLS1_2_VERSION) == 1);
    /* Each connection is one request: there is nothing to resume. */
    (void)SSL_CTX_set_session_cache_mode(identity, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(identity, 0);
    (void)SSL_CTX_set_options(identity,
                              SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (cert_pem.n == 0 && key_pem.n == 0) {
        use_own(identity);
    } else {
        code = use_given(identity, cert_pem, key_pem, err);
    }
    ERR_clear_error();
    if (code == 0)
        return identity;
    SSL_CTX_free(identity);
    return NULL;
}

void http__identity_free(SSL_CTX *identity)
{
    SSL_CTX_free(identity);
}

/* ---- one connection -------------------------------------------------------------------------- */

SSL *http__tls_new(SSL_CTX *identity)
{
    SSL *tls = SSL_new(identity);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    ps_assert(tls != NULL && in != NULL && out != NULL);
    SSL_set_bio(tls, in, out);
    SSL_set_accept_state(tls);
    return tls;
}

void http__tls_free(SSL *tls)
{
    SSL_free(tls);
}

static void drain(SSL *tls, struct ps_buf *wire)
{
    char *bytes = NULL;
    const long n = BIO_get_mem_data(SSL_get_wbio(tls), &bytes);

    if (n > 0)
        ps_buf_add(wire, bytes, (size_t)n);
    (void)BIO_reset(SSL_get_wbio(tls));
}

/* After a call that gave `result`: does it only lack bytes of the other side? */
static bool may_go_on(const SSL *tls, int result)
{
    const int error = SSL_get_error(tls, result);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN;
}

static bool read_plain(SSL *tls, struct ps_buf *plain)
{
    char piece[2048];
    int n = 1;

    while (!ps_buf_failed(plain) && (n = SSL_read(tls, piece, (int)sizeof(piece))) > 0)
        ps_buf_add(plain, piece, (size_t)n);
    ps_wipe(piece, sizeof(piece));
    return ps_buf_failed(plain) || may_go_on(tls, n);
}

bool http__tls_receive(SSL *tls, struct ps_str bytes, struct ps_buf *plain, struct ps_buf *wire)
{
    bool sound = true;

    ERR_clear_error();
    ps_assert(bytes.n < INT_MAX &&
              BIO_write(SSL_get_rbio(tls), bytes.p, (int)bytes.n) == (int)bytes.n);
    if (!SSL_is_init_finished(tls)) {
        const int result = SSL_do_handshake(tls);

        sound = result == 1 || may_go_on(tls, result);
    }
    if (sound && SSL_is_init_finished(tls))
        sound = read_plain(tls, plain);
    drain(tls, wire);
    ERR_clear_error();
    return sound && !ps_buf_failed(wire);
}

bool http__tls_send(SSL *tls, struct ps_str plain, struct ps_buf *wire)
{
    size_t written = 0;

    ERR_clear_error();
    const bool sent = SSL_is_init_finished(tls) &&
                      SSL_write_ex(tls, plain.p, plain.n, &written) == 1 && written == plain.n;

    if (sent)
        (void)SSL_shutdown(tls); /* says that nothing follows; the other side need not answer */
    drain(tls, wire);
    ERR_clear_error();
    return sent && !ps_buf_failed(wire);
}
