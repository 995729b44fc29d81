/* SPDX-License-Identifier: Apache-2.0 */
/* One account: what its calls share. */
#include "internal.h"

#include <string.h>

/* Under way; more wait. Of one user's many requests the server does few at once anyway. */
#define CALLS_AT_ONCE    ((size_t)(CF__CONNECTIONS - 2)) /* the root and UAA have theirs */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   60000
/* The longest window in which requests are counted, unless somebody has set another one. */
#define PAUSE_MAX_MS     ((int64_t)3600 * 1000)
#define BROKER_LIMIT     10016 /* with 429: about one broker's parameters, not about the account */

static char *copy_of(const char *text)
{
    return text != NULL ? ps_xstrdup(text) : NULL;
}

static void copy_config(struct cf_config *copy, const struct cf_config *config)
{
    *copy = (struct cf_config){
        .api = ps_xstrdup(config->api),
        .user = copy_of(config->user),
        .password = copy_of(config->password),
        .client_id = ps_xstrdup(config->client_id),
        .client_secret = ps_xstrdup(config->client_secret),
        .login_hint = copy_of(config->login_hint),
        .ca_pem = copy_of(config->ca_pem),
        .insecure = config->insecure,
    };
    copy->allowed_hosts = ps_xcalloc(config->allowed_host_count + 1, sizeof(char *));
    for (size_t i = 0; i < config->allowed_host_count; i++)
        copy->allowed_hosts[i] = ps_xstrdup(config->allowed_hosts[i]);
    copy->allowed_host_count = config->allowed_host_count;
}

static struct loop_backoff backoff_of(const struct cf_client_options *options)
{
    return (struct loop_backoff){
        .first_ms = options->backoff_first_ms > 0 ? options->backoff_first_ms : BACKOFF_FIRST_MS,
        .max_ms = options->backoff_max_ms > 0 ? options->backoff_max_ms : BACKOFF_MAX_MS,
    };
}

struct cf_client *cf_client_new(struct loop *loop, const struct cf_config *config,
                                const struct cf_client_options *options)
{
    struct cf_client *client = ps_xcalloc(1, sizeof(*client));

    client->loop = loop;
    copy_config(&client->config, config);
    client->gate = loop_gate_new(CALLS_AT_ONCE);
    client->discovery.attempt.backoff = backoff_of(options);
    client->token.attempt.backoff = backoff_of(options);
    client->http =
        http_client_new(loop, &(struct http_client_options){.ca_pem = ps_str(client->config.ca_pem),
                                                            .user_agent = options->user_agent,
                                                            .max_connections = CF__CONNECTIONS,
                                                            .insecure = client->config.insecure});
    if (config->insecure) {
        ps_log(PS_LOG_ERROR, "tls_not_verified", "server", config->api, "what",
               "skipVerify: anybody on the way can read the credential, and answer", NULL);
    }
    return client;
}

void cf_client_free(struct cf_client *client)
{
    if (client == NULL)
        return;
    loop_gate_close(client->gate);
    while (client->calls != NULL)
        cf_cancel(client->calls);
    loop_gate_free(client->gate);
    http_cancel(client->discovery.attempt.request);
    ps_free(client->discovery.uaa);
    cf__token_fini(client);
    http_client_free(client->http);
    cf_config_fini(&client->config);
    ps_free(client);
}

void cf_client_fence(struct cf_client *client, bool (*may_write)(void *self), void *self)
{
    client->may_write = may_write;
    client->may_write_self = self;
}

const struct cf_root *cf_client_root(const struct cf_client *client)
{
    return client->discovery.uaa != NULL ? &client->discovery.root : NULL;
}

const char *cf_client_trouble(const struct cf_client *client)
{
    if (client->discovery.attempt.err.code != 0)
        return client->discovery.attempt.err.message;
    return client->token.attempt.err.code != 0 ? client->token.attempt.err.message : NULL;
}

bool cf_client_is_locked(const struct cf_client *client)
{
    return client->token.locked;
}

/* ---- limits --------------------------------------------------------------------------------- */

int64_t cf_client_paused_ms(const struct cf_client *client)
{
    const int64_t left_ms = client->paused_until_ms - loop_now_ms();

    return left_ms > 0 ? left_ms : 0;
}

bool cf_client_is_short(const struct cf_client *client)
{
    return client->is_short;
}

static bool header_number(const struct http_response *response, const char *name, int64_t *number)
{
    return ps_str_to_i64(ps_str_trim(ps_str(http_response_header(response, name))), number);
}

/* A limit that shrinks where others share it is only an estimate; so is ours. */
static void note_rest(struct cf_client *client, const struct http_response *response)
{
    int64_t limit;
    int64_t rest;

    if (header_number(response, "X-RateLimit-Limit", &limit) &&
        header_number(response, "X-RateLimit-Remaining", &rest))
        client->is_short = rest < limit / 10;
}

void cf__client_note_limits(struct cf_client *client, const struct http_response *response,
                            int64_t error_code)
{
    const int64_t wait_ms =
        response->retry_after_ms < PAUSE_MAX_MS ? response->retry_after_ms : PAUSE_MAX_MS;
    const bool is_refused = response->status == 429 || response->status == 503;

    if (response->status == 0)
        return;
    note_rest(client, response);
    if (!is_refused || wait_ms <= 0 || (response->status == 429 && error_code == BROKER_LIMIT))
        return;
    if (loop_now_ms() + wait_ms > client->paused_until_ms)
        client->paused_until_ms = loop_now_ms() + wait_ms;
    PS_AUTO_BUF(seconds, 32);
    ps_buf_printf(&seconds, "%lld", (long long)(wait_ms / 1000));
    ps_log(PS_LOG_WARN, "cf_paused", "api", client->config.api, "seconds", ps_buf_text(&seconds),
           NULL);
}

/* ---- attempts ------------------------------------------------------------------------------- */

void cf__attempt_failed(struct cf__attempt *attempt, int64_t wait_ms)
{
    const int64_t backoff_ms = loop_backoff_next(&attempt->backoff);

    if (wait_ms > PAUSE_MAX_MS)
        wait_ms = PAUSE_MAX_MS;
    attempt->not_before_ms = loop_now_ms() + (wait_ms > backoff_ms ? wait_ms : backoff_ms);
}

bool cf__attempt_due(const struct cf__attempt *attempt, struct ps_err *err)
{
    if (attempt->err.code == 0 || loop_now_ms() >= attempt->not_before_ms)
        return true;
    *err = attempt->err;
    return false;
}
