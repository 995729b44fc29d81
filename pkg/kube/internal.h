/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kube only. */
#ifndef PS_KUBE_INTERNAL_H
#define PS_KUBE_INTERNAL_H

#include "kube/kube.h"
#include "kube/watching.h"

#define KUBE__TOKEN_MAX ((size_t)64 * 1024)
#define KUBE__URL_MAX   HTTP_URL_MAX
#define KUBE__RV_MAX    ((size_t)128)

/* An object's metadata where the server can do that, or all of it. */
#define KUBE__ACCEPT_METADATA                                                                      \
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

/* ---- file.c --------------------------------------------------------------------------------- */

/* A regular file whole, or an error that names it; NUL bytes in it are refused. */
int kube__read_file(struct ps_buf *out, const char *path, struct ps_err *err) PS_MUST_CHECK;
/* A token file: its text without the white space around it; an empty one is an error. Caller frees.
 */
char *kube__read_token(const char *path, struct ps_err *err) PS_MUST_CHECK;
/* Overwrites and frees; NULL is fine. */
void kube__wipe_text(char *secret);

/* ---- kubeconfig.c --------------------------------------------------------------------------- */

/* Adds a kubeconfig's text behind what was added before; dir is the text's. */
int kube__config_add(struct json_t *whole, struct ps_str text, const char *dir,
                     struct ps_err *err) PS_MUST_CHECK;
int kube__config_take(struct kube_config *config, const struct json_t *whole, const char *context,
                      enum kube_config_trust trust, struct ps_err *err) PS_MUST_CHECK;

/* ---- client.c ------------------------------------------------------------------------------- */

/* Each has connections of its own. */
enum kube__pool {
    KUBE__REQUESTS,
    KUBE__WATCHES,
    KUBE__POOLS
};

#define KUBE__REQUEST_CONNECTIONS 80

struct kube_client {
    struct loop *loop;
    char *user_agent;
    struct kube_config config; /* as of now: what files and programs say is put in here */
    struct http_client *pools[KUBE__POOLS];
    struct kube__plugin *plugin; /* of config.exec; or NULL */
    int64_t token_read_ms, tls_read_ms;
    struct kube__exchange *exchanges;
    struct kube_call *calls;
    struct loop_gate *gate; /* of the calls */
    size_t reflectors;
    bool (*may_write)(void *self); /* NULL = always */
    void *may_write_self;
    struct metrics *metrics;
    struct kube__tally *tally; /* what has been counted so far; NULL = not measured */
};

/* ---- exchange.c ----------------------------------------------------------------------------- */

/* http_send with the client's credentials (send->bearer is not used): waits for them where they
 * have to be fetched, and repeats once what was refused for them. Everything is copied. Same rules:
 * on_done comes once, later; the handle is valid until then or until it is cancelled. */
struct kube__exchange *kube__exchange_start(struct kube_client *client, enum kube__pool pool,
                                            const struct http_send *send);
void kube__exchange_cancel(struct kube__exchange *exchange); /* NULL is fine */
/* There are credentials, or they have failed: those that wait go on, from the loop. */
void kube__exchange_wake(struct kube_client *client);

/* ---- auth.c --------------------------------------------------------------------------------- */

enum kube__ready {
    KUBE__READY,
    KUBE__WAIT,      /* kube__exchange_wake comes */
    KUBE__NOT_READY, /* and will not be for a while: see err */
};

void kube__auth_init(struct kube_client *client, const struct kube_config *config);
void kube__auth_fini(struct kube_client *client); /* no exchange is left */
/* Reads again what is old, starts what has to be started. */
enum kube__ready kube__auth_ready(struct kube_client *client, struct ps_err *err);
const char *kube__auth_token(const struct kube_client *client); /* borrowed; NULL = none */
uint64_t kube__auth_number(const struct kube_client *client);   /* of the credential */
/* The server has refused that credential: is there hope for another? */
bool kube__auth_refused(struct kube_client *client, uint64_t number);
void kube__auth_accepted(struct kube_client *client, uint64_t number);
/* Has a file with certificates changed? Then new requests go over new connections. */
bool kube__auth_reread_tls(struct kube_client *client);
/* May it follow "Bearer "? */
bool kube__is_token(const char *text);

/* ---- plugin.c ------------------------------------------------------------------------------- */

struct kube__plugin;
/* There is a new credential, or none could be had. */
typedef void kube__plugin_fn(void *self);

struct kube__credential {
    char *token, *cert_pem, *key_pem; /* or NULL */
};

struct kube__plugin *kube__plugin_new(struct loop *loop, const struct kube_config *config,
                                      kube__plugin_fn *on_change, void *self);
void kube__plugin_free(struct kube__plugin *plugin); /* NULL is fine; ends the program */
void kube__plugin_times(struct kube__plugin *plugin, int64_t timeout_ms,
                        int64_t backoff_first_ms); /* for tests */
enum kube__ready kube__plugin_ready(struct kube__plugin *plugin, struct ps_err *err);
const struct kube__credential *kube__plugin_credential(const struct kube__plugin *plugin);
uint64_t kube__plugin_number(const struct kube__plugin *plugin);
const char *kube__plugin_trouble(const struct kube__plugin *plugin); /* NULL: none */
void kube__plugin_accepted(struct kube__plugin *plugin, uint64_t number);
bool kube__plugin_refused(struct kube__plugin *plugin, uint64_t number);

/* ---- tally.c -------------------------------------------------------------------------------- */

struct kube__tally *kube__tally_new(struct metrics *metrics, const char *server);
void kube__tally_free(struct kube__tally *tally); /* NULL is fine */
/* One exchange has ended; status 0: without an answer. NULL tally: not measured. */
void kube__tally_add(struct kube__tally *tally, const char *method, int status);

/* ---- lease_record.c ------------------------------------------------------------------------- */

struct kube__lease_terms {
    const char *namespace, *name, *identity;
    int64_t duration_ms;
};

const char *kube__lease_holder(const struct json_t *lease); /* "" when nobody; NULL is fine */
int64_t kube__lease_duration_ms(const struct json_t *lease);
/* Has it what a later update must carry? */
bool kube__lease_is_readable(const struct json_t *lease);
/* The Lease with our record in it. What stands beside the record stays; of ours, when we have held
 * it and since when. `seen` NULL: a new one. New reference. */
struct json_t *kube__lease_make(const struct json_t *seen, const struct kube__lease_terms *terms,
                                int64_t wall_ms);
/* The Lease with nobody's record in it. New reference. */
struct json_t *kube__lease_make_free(const struct json_t *seen, int64_t wall_ms);

/* ---- status.c ------------------------------------------------------------------------------- */

/* Fills *err from an answer that is not 2xx; *status is the parsed Status object (new reference) or
 * NULL. */
void kube__error_of(const struct http_response *response, struct ps_err *err,
                    struct json_t **status);
/* The same for a Status object by itself (an ERROR event). */
void kube__error_of_status(const struct json_t *status, struct ps_err *err);
/* Is it that the server knows no resourceVersion as new as ours? */
bool kube__is_too_new(const struct json_t *status);

/* ---- scan.c --------------------------------------------------------------------------------- */

/*
 * Looks into JSON text without reading it as a whole: finds where values begin and end. It does not
 * check them: what is found goes to the parser, piece by piece, and only the broken piece is lost.
 */
/* The value of a member of the object; false when absent, or when the text ends before. */
bool kube__scan_member(struct ps_str object, const char *key, struct ps_str *value);
/* The text of a string value when it has no escapes and fits; "" otherwise. */
void kube__scan_text(struct ps_str value, char *out, size_t size);

#define KUBE__NAME_SIZE 256

/* What can be told of an object that the reader refuses. */
struct kube__shreds {
    char namespace[KUBE__NAME_SIZE], name[KUBE__NAME_SIZE], uid[KUBE__NAME_SIZE];
    char rv[KUBE__RV_MAX];
};

void kube__scan_object(struct ps_str object, struct kube__shreds *shreds);

#endif
