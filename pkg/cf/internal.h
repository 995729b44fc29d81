/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of cf only. */
#ifndef PS_CF_INTERNAL_H
#define PS_CF_INTERNAL_H

#include "cf/cf.h"

#define CF__TIMEOUT_MS 30000 /* of one exchange */

/* ---- url.c ---------------------------------------------------------------------------------- */

/* Percent-encoded, all but letters, digits and "-._~". */
void cf__encode(struct ps_buf *out, struct ps_str text);

struct cf__url {
    struct ps_str scheme, host, port, path; /* borrow; port "" when not there; path from its "/" */
};

/* Narrower than what curl takes: whatever is read here, curl reads in the same way. */
int cf__url_split(const char *url, struct cf__url *parts, struct ps_err *err) PS_MUST_CHECK;
/* Scheme, host and port, the usual port being that of the scheme. */
bool cf__same_origin(const char *a, const char *b);
/* May UAA be on that host? */
bool cf__host_allowed(const struct cf_config *config, const char *url);

/* ---- error.c -------------------------------------------------------------------------------- */

struct cf__error {
    int64_t code;
    const char *title, *detail; /* of the first; "" when not there; borrow from the tree */
};

/* Fills *err from an answer that is not 2xx, or from none; *tree (new reference, or NULL) holds
 * what *first borrows. */
void cf__error_of(const struct http_response *response, struct ps_err *err, struct cf__error *first,
                  struct json_t **tree);
/* The same for a list of errors by itself: those of a failed job. */
void cf__error_of_list(const struct json_t *errors, struct ps_err *err, struct cf__error *first);
/* Appends it with what is no printable ASCII turned into blanks, at most max bytes. */
void cf__quote(struct ps_buf *out, struct ps_str text, size_t max);

/* ---- attempts: client.c --------------------------------------------------------------------- */

enum cf__ready {
    CF__READY,
    CF__WAIT,      /* cf__client_wake comes */
    CF__NOT_READY, /* and will not be for a while: see err */
};

/* Something that is fetched by one request for all who wait for it, and after a failure not
 * before its time. */
struct cf__attempt {
    struct http_request *request; /* NULL: none is under way */
    struct loop_backoff backoff;
    int64_t not_before_ms;
    struct ps_err err; /* why the last one has failed; code 0: it has not */
};

/* A failure: nothing is tried for the backoff's time, nor before wait_ms. */
void cf__attempt_failed(struct cf__attempt *attempt, int64_t wait_ms);
/* May another one start now? Else *err says why not. */
bool cf__attempt_due(const struct cf__attempt *attempt, struct ps_err *err);

/* ---- discover.c ----------------------------------------------------------------------------- */

struct cf__discovery {
    struct cf__attempt attempt;
    struct cf_root root;
    char *uaa; /* "https://uaa.sys.example.org", no slash at the end; NULL until found */
    int64_t read_ms;
    bool stale; /* to be read again before anything else */
};

enum cf__ready cf__discover_ready(struct cf_client *client, struct ps_err *err);
/* The API or UAA could not be reached. */
void cf__discover_doubt(struct cf_client *client);
/* The API does not know an endpoint: perhaps it is another by now. */
void cf__discover_suspect(struct cf_client *client);

/* ---- token.c -------------------------------------------------------------------------------- */

struct cf__token {
    struct cf__attempt attempt;
    char *access, *refresh; /* or NULL */
    uint64_t number;        /* of `access`; each has its own */
    int64_t asked_ms, refresh_ms, expires_ms;
    bool accepted;   /* the API has taken it */
    bool refreshing; /* what is under way is a refresh */
    bool locked;
};

enum cf__ready cf__token_ready(struct cf_client *client, struct ps_err *err);
/* The API has refused that token, or taken it. */
void cf__token_refused(struct cf_client *client, uint64_t number);
void cf__token_accepted(struct cf_client *client, uint64_t number);
void cf__token_fini(struct cf_client *client);

/* ---- client.c ------------------------------------------------------------------------------- */

#define CF__CONNECTIONS 12

struct cf_client {
    struct loop *loop;
    struct cf_config config;
    struct http_client *http;
    struct cf__discovery discovery;
    struct cf__token token;
    struct cf_call *calls;
    struct loop_gate *gate;
    int64_t paused_until_ms;
    bool is_short;
    bool (*may_write)(void *self); /* NULL = always */
    void *may_write_self;
};

/* What the answer's head says about how much may be asked for. */
void cf__client_note_limits(struct cf_client *client, const struct http_response *response,
                            int64_t error_code);
/* call.c: those that wait for the root or the token go on, from the loop. */
void cf__client_wake(struct cf_client *client);
void cf__wipe_text(char *secret); /* overwrites and frees; NULL is fine */

#endif
