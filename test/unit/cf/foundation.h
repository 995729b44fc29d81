/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted foundation: root and UAA on one server, and whatever the test answers for the rest. */
#ifndef PS_TEST_FOUNDATION_H
#define PS_TEST_FOUNDATION_H

#include "cf/cf.h"
#include "support/certs.h"
#include "support/script.h"

#define ENOUGH_MS 5000

struct foundation {
    struct loop *loop;
    struct script *script; /* NULL: stopped */
    int port;
    struct cf_config config;
    struct cf_client *client;
    /* The test's part: what the API answers. NULL: 200 with `answer`. */
    void (*api)(struct foundation *f, struct script_peer *peer,
                const struct script_request *request);
    int status;
    const char *headers, *answer;
    /* UAA's and the root's; NULL: as they should be. */
    const char *root;
    void (*uaa)(struct foundation *f, struct script_peer *peer,
                const struct script_request *request);
    int expires_s, roots, tokens, asked; /* how often each was asked for */
    char form[1024], basic[256];         /* of the last request for a token */
    bool refresh;                        /* UAA gives out refresh tokens */
    /* the last answer */
    int done, want;
    struct cf_response last;
    char title[64], detail[256], *location, *text;
    bool free_in_done, fenced;
};

void foundation_open(struct foundation *f);
/* The same with the extra keys in the Secret: a JSON object. */
void foundation_open_with(struct foundation *f, const char *secret);
/* The same over TLS: with that certificate there, and that authority (or NULL) in the Secret. */
void foundation_open_tls(struct foundation *f, const struct certs_pair *server, const char *ca_pem);
void foundation_close(struct foundation *f);
/* Nobody listens there any more; somebody does again. */
void foundation_stop(struct foundation *f);
void foundation_return(struct foundation *f);
/* Token number n ("token-1", …) as UAA gives it. */
void foundation_grant(struct foundation *f, struct script_peer *peer);
/* An answer in the Cloud Controller's form. */
void foundation_refuse(struct script_peer *peer, int status, int code, const char *title);
bool foundation_has_token(const struct script_request *request, const char *token);
/* Sends it; the answer is in f->last and comes later. */
struct cf_call *foundation_start(struct foundation *f, const char *method, const char *path,
                                 const struct json_t *body);
/* The same, and waits for the answer. */
void foundation_ask(struct foundation *f, const char *method, const char *path,
                    const struct json_t *body);

#endif
