/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube: a Kubernetes API server seen from a controller: where it is and who we are (config), URLs,
 * single requests, and reflectors: list + watch kept up for ever.
 *
 * Callbacks come later, exactly once for a request, never from inside the starting call.
 */
#ifndef PS_KUBE_H
#define PS_KUBE_H

#include "base/base.h"
#include "codec/codec.h"
#include "http/http.h"
#include "kube/config.h"
#include "loop/loop.h"
#include "metrics/metrics.h"

/* ---- kinds and URLs ------------------------------------------------------------------------- */

/* A resource of the API; usually a static constant. */
struct kube_kind {
    const char *group;   /* "" for core */
    const char *version; /* "v1" */
    const char *plural;  /* "deployments" */
    const char *kind;    /* "Deployment" */
    bool namespaced;
};

/* Appends the path; every part is percent-encoded. An empty name or namespace where one is due is
 * an error, never the collection's URL. name NULL = the collection; namespace NULL = all
 * namespaces; subresource NULL = none. The namespace is ignored for kinds that have none. */
int kube_path(struct ps_buf *out, const struct kube_kind *kind, const char *namespace,
              const char *name, const char *subresource, struct ps_err *err) PS_MUST_CHECK;
/* Appends "?key=value" or "&key=value", percent-encoded. */
void kube_query(struct ps_buf *url, const char *key, const char *value);

/* resourceVersions of one kind: decimal texts of any length. Answers false when either is not one.
 */
bool kube_rv_compare(const char *a, const char *b, int *order);

/* ---- requests ------------------------------------------------------------------------------- */

struct kube_client;
/* Two pools: watches, and everything else. Copies what it needs. */
struct kube_client *kube_client_new(struct loop *loop, const struct kube_config *config,
                                    const char *user_agent);
/* Cancels all calls; its reflectors must have been freed. */
void kube_client_free(struct kube_client *client);
const char *kube_client_server(const struct kube_client *client);
/* What is wrong with the credential, for people; NULL: nothing. Borrowed until the loop turns. */
const char *kube_client_trouble(const struct kube_client *client);
/* The write fence: asked before each write is begun, and again when its body is about to leave. A
 * write that may not go ends with PS_ECANCELED, never `unknown`. `may_write` must not call kube. */
void kube_client_fence(struct kube_client *client, bool (*may_write)(void *self), void *self);
/* Counts rest_client_requests_total{code,host,method}, and the penstock_watch… of reflectors that
 * are made later; the registry outlives the client. */
void kube_client_measure(struct kube_client *client, struct metrics *metrics);
/* The requests alone: of one beside another, whose watches have the series of their kinds. */
void kube_client_count(struct kube_client *client, struct metrics *metrics);

enum kube_verb {
    KUBE_GET,
    KUBE_LIST,
    KUBE_CREATE,
    KUBE_PATCH_MERGE,
    KUBE_PATCH_STRATEGIC,
    KUBE_UPDATE, /* the whole object, with its metadata.resourceVersion */
    KUBE_DELETE
};

const char *kube_verb_name(enum kube_verb verb);

struct kube_request {
    enum kube_verb verb;
    const struct kube_kind *kind;
    const char *namespace, *name, *subresource;
    const char *label_selector; /* list only */
    const struct json_t *body;  /* borrowed until the call returns; for delete: made from uid */
    const char *uid;            /* delete: precondition, required */
    bool foreground;            /* delete: the object stays until what it owns is gone */
    bool raw;                   /* the path is given (e.g. "/version"), kind unused */
    const char *raw_path;
    bool tree;          /* of a write: the answer is wanted as a tree, too */
    bool metadata_only; /* of a create, patch or update: the answer need have nothing else */
    int64_t timeout_ms; /* of the whole exchange; 0 = 32 s */
};

struct kube_response {
    int code;           /* 0, or negative PS_E… (err has the server's words) */
    struct ps_err err;  /* message: the Status message of the server, or the transport's error */
    const char *reason; /* Status.reason, "" when none */
    const struct json_t *status; /* the Status object on failure (details.causes…), or NULL */
    /* On success what was answered: JSON that was checked; for KUBE_GET and KUBE_LIST also as a
     * tree, and where the request asked for it. Borrowed until the callback returns (js_ref to
     * keep). */
    struct ps_str text;
    struct json_t *object;
    /* A write whose effect is not known: sent, but no answer came, or a 5xx (a time-out behind the
     * server looks like that), or a 2xx that can't be read. */
    bool unknown;
};

typedef void kube_done_fn(void *self, const struct kube_response *response);
struct kube_call;
/* The call is valid until done or kube_cancel. Error mapping: 400/422 PS_EINVAL, 401 PS_EAUTH, 403
 * PS_EDENIED, 404 PS_ENOENT, 409 AlreadyExists PS_EEXIST, other 409 PS_ECONFLICT, 410 PS_EGONE,
 * 413 PS_ELIMIT, 429 PS_ETHROTTLED, 5xx PS_ESERVER. A 401 re-reads the token file and tries once
 * more (GET or not: a 401 has no effect). Nothing else is retried here, and nothing by libcurl:
 * ps_err_wait_ms says when it may be asked again. Creates, patches and updates ask for
 * fieldManager=penstock and fieldValidation=Strict.
 *
 * 64 calls are under way at once, those of one namespace in half of the places that others leave;
 * more wait, and their time-out begins when they are sent. */
struct kube_call *kube_send(struct kube_client *client, const struct kube_request *request,
                            kube_done_fn *done, void *self);
void kube_cancel(struct kube_call *call);
/* For people: "POST <URL>". */
void kube_call_print(const struct kube_call *call, struct ps_buf *out);

/* ---- leadership ----------------------------------------------------------------------------- */

/*
 * One of several processes leads: the one whose identity stands in a Lease (coordination.k8s.io/v1)
 * and that renews it. The algorithm is client-go's: times of others are never compared with our
 * clock, only how long we have seen a record unchanged. Stricter than client-go: leadership ends
 * renew_deadline after the *start* of the last renewal that succeeded, and at once when another
 * holder is read. It talks over connections of its own.
 */
struct kube_lease;

struct kube_lease_options {
    const char *namespace, *name;
    const char *identity;   /* of this process and no other, ever: host name and a random part */
    const char *user_agent; /* " leader-election" is appended */
    /* 0 = 15000, 10000, 2000. Must hold: duration > renew deadline > 1.2 x retry; the duration is
     * written in whole seconds, rounded up. */
    int64_t duration_ms, renew_deadline_ms, retry_ms;
    int64_t (*now_ms)(void); /* NULL = loop_now_ms; for tests */
    struct metrics *metrics; /* leader_election_master_status, …; or NULL */
};

/* The last thing that the lease does in its turn: it may be freed there. */
struct kube_lease_callbacks {
    void (*on_gained)(void *self);
    /* Leadership is over, by no wish of ours. Nothing may be written any more: the process should
     * end at once. Nothing comes after it. */
    void (*on_lost)(void *self, const char *why);
    void *self;
};

/* NULL and *err for times that don't fit together, and names that are missing. */
struct kube_lease *kube_lease_new(struct loop *loop, const struct kube_config *config,
                                  const struct kube_lease_options *options,
                                  const struct kube_lease_callbacks *callbacks,
                                  struct ps_err *err) PS_MUST_CHECK;
void kube_lease_start(struct kube_lease *lease);
/* The fence: is a write that begins at now_ms (of the lease's clock) still covered? */
bool kube_lease_may_write(const struct kube_lease *lease, int64_t now_ms);
/* The same for now, as kube_client_fence wants it. */
bool kube_lease_fence(void *lease);
bool kube_lease_leads(const struct kube_lease *lease); /* has gained it and not lost or released */
const char *kube_lease_holder(const struct kube_lease *lease); /* as read last; "" when nobody */
/* Gives the lease back, so that another need not wait for it to expire. Only when the last write
 * has ended. `released` comes once, after the renew deadline at the latest. */
void kube_lease_release(struct kube_lease *lease, void (*released)(void *self), void *self);
void kube_lease_free(struct kube_lease *lease); /* no callback after this; gives nothing back */

/* ---- reflector ------------------------------------------------------------------------------ */

/*
 * Keeps `store`-like callbacks in step with the server: a list of the newest state at first (pages
 * of 500, or the beginning of the watch), then a watch that resumes; 410 in both forms relists;
 * bookmarks advance the resume point; one object that cannot be read is logged, reported by
 * on_poison, and harms nothing else. All pages of one list are one snapshot: on_list_end is called
 * once, when the last page has come, with every item having been given to on_list_item before it.
 */
struct kube_reflector;

#define KUBE_FRAME_MAX ((size_t)8 * 1024 * 1024)

/* An object as it came. Everything lives as long as the callback; NULL what the object has not. */
struct kube_seen {
    const char *namespace, *name, *uid, *rv;
    struct ps_str text; /* JSON that was checked; empty for a deletion that could not be read */
};

struct kube_reflector_callbacks {
    /* Of a running list: collect into a new set. Items come while a page does. */
    void (*on_list_begin)(void *self);
    void (*on_list_item)(void *self, const struct kube_seen *seen);
    /* The set is whole as of rv: swap it in. Not called when the list failed; the next
     * on_list_begin starts anew. */
    void (*on_list_end)(void *self, const char *rv);
    /* Watch events. A changed uid under one name is given as deleted +
     * changed by the receiver's own store (see operator's cache). */
    void (*on_changed)(void *self, const struct kube_seen *seen);
    void (*on_deleted)(void *self, const struct kube_seen *seen);
    /* The view is as new as rv (after every event and bookmark). */
    void (*on_progress)(void *self, const char *rv);
    /* An item that is no object we can read. Names may be "" when even they can't be read. Between
     * on_list_begin and on_list_end it is there, and must not be taken for deleted. (A deletion of
     * such an object still comes as on_deleted, with nothing but names.) */
    void (*on_poison)(void *self, const char *namespace, const char *name, const char *why);
    /* State of health: NULL = in order, else words for people ("pods: forbidden: …"). On changes
     * only. */
    void (*on_health)(void *self, const char *trouble);
    void *self;
};

struct kube_reflector_options {
    const struct kube_kind *kind;
    const char *namespace;      /* NULL = all */
    const char *label_selector; /* or NULL */
    bool metadata_only; /* PartialObjectMetadata: no spec, status or data comes over the wire */
    /* Lists come as the beginning of the watch (WatchList), where the server knows that; the
     * callbacks are the same. A deletion may come within such a list: on_deleted. */
    bool watch_list;
    int64_t watch_list_timeout_ms; /* silence before its end, then a plain list; 0 = 30 s */
    /* Times in ms, 0 = the defaults: client-go's 800 … 30000 for the backoff, watch time-out
     * uniform in 300 … 600 s, no byte for 180 s. Tests shorten them. */
    int64_t backoff_first_ms, backoff_max_ms, watch_timeout_ms, idle_timeout_ms;
};

struct kube_reflector *kube_reflector_new(struct kube_client *client,
                                          const struct kube_reflector_options *options,
                                          const struct kube_reflector_callbacks *callbacks);
void kube_reflector_start(struct kube_reflector *reflector);
void kube_reflector_free(struct kube_reflector *reflector); /* no callback after this */
/* Lists anew, whatever is under way: the next on_list_end is that of a list which began after this
 * call and shows the newest state. What was known stays until then. Not from inside a callback of
 * the reflector. */
void kube_reflector_refresh(struct kube_reflector *reflector);
bool kube_reflector_synced(const struct kube_reflector *reflector); /* a first list is complete */

#endif
