/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cf: a Cloud Foundry foundation seen from a controller: where it is and who we are there (config),
 * its root and its UAA, and single requests, lists and jobs of the v3 API. It knows the protocol
 * and no policy.
 *
 * Callbacks come later, exactly once for a request, never from inside the starting call; after a
 * cancel they do not come.
 */
#ifndef PS_CF_H
#define PS_CF_H

#include "base/base.h"
#include "codec/codec.h"
#include "http/http.h"
#include "loop/loop.h"

/* ---- configuration -------------------------------------------------------------------------- */

#define CF_FIELD_MAX   ((size_t)4096) /* of one key of the Secret, but for ca.crt: HTTP_PEM_MAX */
#define CF_HOSTS_MAX   ((size_t)32)
#define CF_URL_MAX     ((size_t)16 * 1024)
#define CF_VERSION_MAX ((size_t)64)

/* Owned texts; secrets are wiped by cf_config_fini. */
struct cf_config {
    char *api;                       /* "https://api.sys.example.org:443", nothing behind it */
    char *user, *password;           /* both NULL: the client itself is who we are */
    char *client_id, *client_secret; /* "cf" and "" unless said */
    char *login_hint;                /* which identity provider has the user; or NULL */
    char *ca_pem;                    /* NULL: the system's roots */
    char **allowed_hosts;            /* for UAA, beside those near the API: "host" or "*.domain" */
    size_t allowed_host_count;
    bool insecure; /* certificates are not verified */
};

/* From the decoded data of a Secret, an object of texts:
 *   api             required; also as `url`
 *   username, password    or clientId, clientSecret, or all four
 *   origin          the identity provider; or SCDF's loginHint as it is
 *   ca.crt, allowedHosts (separated by commas or blanks), skipVerify ("true", "false")
 * Other keys are passed over; `passcode` is refused. *err (required) names keys and never quotes a
 * value. */
int cf_config_read(struct cf_config *config, const struct json_t *data,
                   struct ps_err *err) PS_MUST_CHECK;
void cf_config_fini(struct cf_config *config);

/* ---- paths ---------------------------------------------------------------------------------- */

/* Appends "/text", percent-encoded; an empty text and dots alone are an error, never another path.
 */
int cf_segment(struct ps_buf *path, const char *text, struct ps_err *err) PS_MUST_CHECK;
/* Appends "?key=value" or "&key=value", percent-encoded. A comma in the value separates two. */
void cf_query(struct ps_buf *path, const char *key, const char *value);
/* The same with one value of its own, commas included (the server decodes such lists twice). */
void cf_query_one(struct ps_buf *path, const char *key, const char *value);

/* ---- client --------------------------------------------------------------------------------- */

struct cf_client_options {
    const char *user_agent; /* its product must not be "cf": servers hold that against a version */
    /* After a failure of the root or of UAA nothing is asked for that long, doubled each time;
     * 0 = 1 s and 60 s. */
    int64_t backoff_first_ms, backoff_max_ms;
};

/* One account: one server, one user, one token, one budget of requests. A changed Secret takes a
 * new client. */
struct cf_client;
/* Copies what it needs. */
struct cf_client *cf_client_new(struct loop *loop, const struct cf_config *config,
                                const struct cf_client_options *options);
/* Cancels all calls; lists and jobs must have been cancelled. */
void cf_client_free(struct cf_client *client);
/* The write fence, as kube_client_fence: asked before a write is begun and when it leaves. */
void cf_client_fence(struct cf_client *client, bool (*may_write)(void *self), void *self);

/* What the API's root says. */
struct cf_root {
    char version[CF_VERSION_MAX]; /* of the v3 API, "3.180.0"; "" when not said */
    bool korifi;                  /* by the version's suffix "+cf-k8s" */
};
/* NULL until it has been read once; borrowed until the loop turns. */
const struct cf_root *cf_client_root(const struct cf_client *client);
/* Who cannot be logged in as: words for people, NULL when nothing is known to be wrong. Locked:
 * UAA has refused the credential. It is not tried again, for a few failures more lock the user's
 * account for all who share it. */
const char *cf_client_trouble(const struct cf_client *client);
bool cf_client_is_locked(const struct cf_client *client);
/* The server has asked for silence: that long nothing is sent; 0 = no. */
int64_t cf_client_paused_ms(const struct cf_client *client);
/* Less than a tenth of what may be asked for is left: ask half as often. */
bool cf_client_is_short(const struct cf_client *client);

/* ---- requests ------------------------------------------------------------------------------- */

struct cf_request {
    const char *method; /* GET POST PATCH PUT DELETE */
    /* "/v3/apps?names=a", or a whole URL as the server has given it: the API's own or refused. */
    const char *path;
    const struct json_t *body; /* an object, borrowed until the call returns; or NULL */
    int64_t timeout_ms;        /* of one exchange; 0 = 30 s. A time-out leaves a write unknown */
};

struct cf_response {
    int code;          /* 0, or negative PS_E… */
    struct ps_err err; /* message: the server's words, or the transport's */
    int status;        /* 0 without an answer */
    /* The first of the server's errors: 0 and "" when it has given none. */
    int64_t error_code;
    const char *error_title, *error_detail;
    struct json_t
        *object;          /* of a 2xx; NULL when it has no body. Borrowed until the callback ends */
    const char *location; /* a whole URL of the API's own (a job); or NULL */
    /* A write whose effect is not known: sent, but no answer came, or a 5xx, or a 2xx that can't be
     * read. Look before anything is written again. */
    bool unknown;
};

typedef void cf_done_fn(void *self, const struct cf_response *response);
struct cf_call;
/*
 * Finds UAA and a token where there are none. A token that the API refuses (401, code 1000) is
 * dropped, and the request sent once more with another, a POST too: it was refused before any work.
 * Nothing else is repeated. Errors by (status, code, title), never by their prose:
 *   PS_ENOENT   404 that the Cloud Controller itself has written: gone, or not to be seen by us
 *   PS_ESERVER  5xx, and a 404 of somebody else: the router says that while the API is down
 *   PS_EEXIST   a name is taken (422, 10016), bits were uploaded before (400, 150004)
 *   PS_ECONFLICT  something else is under way with it (staging, a broker, a delete)
 *   PS_EINVAL   other 4xx, and an endpoint that is not there (404, 10000)
 *   PS_EAUTH 401, PS_EDENIED 403, PS_ETHROTTLED 429, PS_ELIMIT 413
 * While the account is paused by Retry-After a call ends unsent with PS_ETHROTTLED.
 */
struct cf_call *cf_send(struct cf_client *client, const struct cf_request *request,
                        cf_done_fn *done, void *self);
void cf_cancel(struct cf_call *call); /* NULL is fine */

/* ---- lists ---------------------------------------------------------------------------------- */

#define CF_LIST_ITEMS_MAX 20000
#define CF_LIST_PAGES_MAX 200

struct cf_list_result {
    int code;
    struct ps_err err;
    int status;
    int64_t error_code; /* as in cf_response */
    /* All resources of all pages, by created_at and guid, each guid once. Borrowed until the
     * callback returns. NULL on failure: half a list is none. */
    struct json_t *items;
};

typedef void cf_list_fn(void *self, const struct cf_list_result *result);
struct cf_list;
/* GET path (without page and per_page) with all pages behind it. The pages are no snapshot: when
 * their counts do not add up the list is read again, three times, then it is PS_ECONFLICT. More
 * than items_max (0 = CF_LIST_ITEMS_MAX): PS_ELIMIT. */
struct cf_list *cf_list(struct cf_client *client, const char *path, size_t items_max,
                        cf_list_fn *done, void *self);
void cf_list_cancel(struct cf_list *list); /* NULL is fine */

/* ---- jobs ----------------------------------------------------------------------------------- */

struct cf_job_request {
    const char *location;     /* as cf_response has it */
    int64_t deadline_ms;      /* from now; 0 = 15 minutes */
    int64_t first_ms, max_ms; /* between two looks, doubled each time; 0 = 1 s and 15 s */
};

/* code 0: COMPLETE. PS_ENOENT: nobody knows the job (any more): read the resource again.
 * PS_ETIMEOUT: the deadline has passed; the job may go on. What makes it FAILED is in err, and its
 * first error in the other fields; a failure that has no meaning of its own is PS_ESERVER. */
struct cf_job_result {
    int code;
    struct ps_err err;
    bool failed; /* the server says FAILED */
    int64_t error_code;
    const char *error_title, *error_detail; /* borrowed */
};

typedef void cf_job_fn(void *self, const struct cf_job_result *result);
struct cf_job;
/* Failures that may pass are waited out until the deadline. */
struct cf_job *cf_job_watch(struct cf_client *client, const struct cf_job_request *request,
                            cf_job_fn *done, void *self);
void cf_job_cancel(struct cf_job *job); /* NULL is fine; the job itself goes on */

#endif
