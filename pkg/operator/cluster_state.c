/* SPDX-License-Identifier: Apache-2.0 */
/* How another cluster stands, and why, in words. */
#include "operator/internal.h"

#include <string.h>

#define SYSTEM_NAMESPACE "kube-system" /* what a cluster is known by when no namespace is given */
#define MESSAGE_MAX      ((size_t)2048)

void operator__set_text(char **to, const char *text)
{
    char *copy = text ? ps_xstrdup(text) : NULL;

    ps_free(*to);
    *to = copy;
}

const char *operator__cluster_known_by(const struct operator__cluster *c)
{
    return c->namespace ? c->namespace : SYSTEM_NAMESPACE;
}

/* NULL: the target was never on record. A status that is lost is no contact that was never made. */
static const char *expected_uid(const struct operator__cluster *c)
{
    return c->recorded_uid ? c->recorded_uid : c->first_uid;
}

bool operator__cluster_elsewhere(const struct operator__cluster *c)
{
    const char *expected = expected_uid(c);

    return c->met && expected != NULL && !ps_streq(expected, c->uid);
}

const struct operator__store *operator__cluster_ill(const struct operator__cluster *c)
{
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        if (c->stores[i].trouble != NULL)
            return &c->stores[i];
    }
    return NULL;
}

static bool is_synced(const struct operator__cluster *c)
{
    for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
        if (c->stores[i].reflector != NULL && !c->stores[i].synced)
            return false;
    }
    return c->watching;
}

static enum plan_cluster_state judge_watches(const struct operator__cluster *c, struct ps_buf *why)
{
    const struct operator__store *ill = operator__cluster_ill(c);
    const bool synced = is_synced(c);

    if (ill != NULL && (!synced || loop_now_ms() - c->ill_ms >= c->op->patience.ill_ms)) {
        ps_buf_printf(why, "%s there cannot be watched: %s", model_kind_info(ill->kind)->plural,
                      ill->trouble);
        return PLAN_CLUSTER_REFUSED;
    }
    if (synced)
        return PLAN_CLUSTER_SYNCED;
    ps_buf_str(why, "the first lists of its objects are not complete");
    return PLAN_CLUSTER_CONNECTING;
}

static void say_elsewhere(const struct operator__cluster *c, struct ps_buf *why)
{
    if (c->uid == NULL) {
        ps_buf_printf(why,
                      "Secret %s leads to a cluster without namespace %s, whose uid was %s: it was "
                      "deleted, or this is another cluster",
                      c->secret, operator__cluster_known_by(c), expected_uid(c));
    } else {
        ps_buf_printf(why,
                      "Secret %s leads to another cluster than before, or namespace %s was deleted "
                      "and made anew there: its uid was %s, and is %s",
                      c->secret, operator__cluster_known_by(c), expected_uid(c), c->uid);
    }
    ps_buf_str(why, "; let the Secret lead back, or make the account anew");
}

static enum plan_cluster_state judge_client(const struct operator__cluster *c, struct ps_buf *why)
{
    if (c->down) {
        ps_buf_str(why, c->failure);
        return c->refused ? PLAN_CLUSTER_REFUSED : PLAN_CLUSTER_AWAY;
    }
    if (!c->met) {
        ps_buf_printf(why, "connecting to %s", kube_client_server(c->client));
        return PLAN_CLUSTER_CONNECTING;
    }
    if (operator__cluster_elsewhere(c)) {
        say_elsewhere(c, why);
        return PLAN_CLUSTER_ELSEWHERE;
    }
    return judge_watches(c, why);
}

/* What is wrong with its Secret, for as long as there is no client. */
static enum plan_cluster_state judge_secret(const struct operator__cluster *c, struct ps_buf *why)
{
    const struct operator__secrets *secrets = &c->op->secrets;

    if (c->secret[0] == '\0') {
        ps_buf_str(why, "spec.kubernetes.cluster.secretRef: expected the name of a Secret");
        return PLAN_CLUSTER_BAD_SECRET;
    }
    if (!secrets->synced) {
        ps_buf_printf(why, "Secrets of namespace %s are not known yet%s%s", c->op->namespace,
                      secrets->trouble ? ": " : "", secrets->trouble ? secrets->trouble : "");
        return PLAN_CLUSTER_CONNECTING;
    }
    if (operator__secret_get(secrets, c->secret) != NULL) {
        ps_buf_printf(why, "Secret %s: %s", c->secret, c->failure ? c->failure : "not readable");
        return PLAN_CLUSTER_BAD_SECRET;
    }
    ps_buf_printf(why,
                  "there is no Secret %s with the label " MODEL_LABEL_CREDENTIALS
                  "=true in namespace %s",
                  c->secret, c->op->namespace);
    return PLAN_CLUSTER_NO_SECRET;
}

const char *operator__cluster_word(enum plan_cluster_state state)
{
    static const char *const names[] = {
        [PLAN_CLUSTER_OWN] = "own",
        [PLAN_CLUSTER_NO_SECRET] = "no secret",
        [PLAN_CLUSTER_BAD_SECRET] = "bad secret",
        [PLAN_CLUSTER_CONNECTING] = "connecting",
        [PLAN_CLUSTER_REFUSED] = "refused",
        [PLAN_CLUSTER_AWAY] = "away",
        [PLAN_CLUSTER_ELSEWHERE] = "elsewhere",
        [PLAN_CLUSTER_SYNCED] = "in step",
    };

    return names[state];
}

void operator__cluster_judge(struct operator__cluster *c)
{
    PS_AUTO_BUF(why, MESSAGE_MAX);
    const struct plan_cluster before = c->view;
    const enum plan_cluster_state state = c->client ? judge_client(c, &why) : judge_secret(c, &why);
    const char *words = why.n > 0 ? ps_buf_text(&why) : NULL;
    const bool same = ps_streq(c->message, words);

    if (!same)
        operator__set_text(&c->message, words);
    c->view = (struct plan_cluster){
        .name = c->name,
        .account_uid = c->account_uid,
        .state = state,
        .message = c->message,
        .known = before.known || state == PLAN_CLUSTER_SYNCED,
        .uid = c->uid,
        .server = c->client ? kube_client_server(c->client) : NULL,
        .version = c->version,
    };
    if (state != before.state) {
        const bool good = state == PLAN_CLUSTER_SYNCED || state == PLAN_CLUSTER_CONNECTING;

        ps_log(good ? PS_LOG_INFO : PS_LOG_WARN, "cluster", "account", c->name, "state",
               operator__cluster_word(state), "because", c->message, NULL);
    }
    if (state == before.state && same && !c->news)
        return;
    c->news = false;
    operator__cluster_told(c);
}
