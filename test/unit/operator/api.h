/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server in memory for a whole operator: lists, watches and lists as their beginning,
 * creates, merge patches with resourceVersion, deletes. It writes what it was asked into a journal
 * ("create jobs n/a-1"; lists and watches are left out), and fails as told. No selectors, no
 * garbage collector.
 */
#ifndef PS_TEST_API_H
#define PS_TEST_API_H

#include "operator/operator.h"
#include "support/certs.h"
#include "support/script.h"

#define API_WATCHES_MAX 32
#define API_FAULTS_MAX  4

enum api_how {
    API_REFUSE, /* answers with the status, and does nothing */
    API_LOSE,   /* does it, and closes without an answer */
    API_DROP,   /* does nothing, and closes without an answer */
    API_HANG,   /* does nothing, and never answers */
};

/* What happens to requests whose journal line begins like that. */
struct api_fault {
    const char *line;
    enum api_how how;
    int status;
    int times; /* -1 = always; 0 = used up */
};

struct api {
    struct loop *loop;
    struct script *script;
    struct ps_map objects; /* "plural/namespace/name" -> json_t, owned */

    struct {
        struct script_peer *peer;
        char plural[32];
    } watches[API_WATCHES_MAX];

    size_t watch_count;
    struct api_fault faults[API_FAULTS_MAX];
    int64_t version;
    struct ps_buf journal;

    struct metrics *metrics; /* before api_start, or NULL */
    bool standby;            /* before api_start: it waits for operator_lead */

    /* Of one beside another. */
    struct certs_pair server;
    char *ca_pem;
    int port;
    bool mute; /* reads, and never answers */

    struct kube_config config;
    struct kube_client *client;
    struct kube_lease *lease; /* of a standby; never started */
    struct controller *op;
};

void api_init(struct api *api);
void api_fini(struct api *api);
/* An operator on it, and its end: by a stop, without a last write. */
void api_start(struct api *api);
void api_stop(struct api *api);

/* Another server on the same loop, by TLS, without an operator; to be ended before `api` is. */
void api_init_beside(struct api *other, const struct api *api);
void api_fini_beside(struct api *other);
void api_die(struct api *other);    /* its connections end, and there are no new ones … */
void api_answer(struct api *other); /* … until it is there again, with what it had */

/* Puts an object there as somebody else would; metadata is completed. Takes it over. */
void api_put(struct api *api, const char *plural, const char *namespace, const char *name,
             struct json_t *object);
void api_delete(struct api *api, const char *plural, const char *namespace, const char *name);
/* Those who watch by now hear nothing any more, as if their server lagged behind. */
void api_lag(struct api *api);
/* Borrowed; NULL when it is not there. */
const struct json_t *api_get(const struct api *api, const char *plural, const char *namespace,
                             const char *name);

/* How many lines of the journal begin like that. */
size_t api_count(const struct api *api, const char *start);
/* Runs until there are so many; fails after a while. */
void api_until(struct api *api, const char *start, size_t count);
/* Runs for ms. */
void api_wait(struct api *api, int64_t ms);

#endif
