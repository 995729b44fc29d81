/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UAA's tokens: one request at a time for all calls, refreshed before they expire, dropped when the
 * API refuses them. A credential that UAA has refused is not tried again: five failures lock a user
 * for everybody who shares the name.
 */
#include "internal.h"

#include <string.h>

#define ANSWER_MAX     ((size_t)512 * 1024)
#define FORM_MAX       ((size_t)256 * 1024) /* fields, three bytes for each of theirs */
#define TOKEN_MAX      ((size_t)60 * 1024)  /* http sends 64 KiB */
#define MARGIN_MS      ((int64_t)60 * 1000) /* a token is renewed so long before its end … */
#define MARGIN_PART    5                    /* … or with the last fifth of a short life */
#define LIFE_S_DEFAULT 600                  /* UAA always says it */
#define LIFE_S_MAX     ((int64_t)30 * 24 * 3600)
/* After a refusal that is not about the credential: UAA forgives 4 failures in 1,200 s. */
#define REFUSED_MS     ((int64_t)300 * 1000)

static void drop(char **secret)
{
    cf__wipe_text(*secret);
    *secret = NULL;
}

void cf__token_fini(struct cf_client *client)
{
    http_cancel(client->token.attempt.request);
    drop(&client->token.access);
    drop(&client->token.refresh);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static void field(struct ps_buf *form, const char *key, const char *value)
{
    ps_buf_printf(form, "%s%s=", form->n > 0 ? "&" : "", key);
    cf__encode(form, ps_str(value));
}

static void make_form(const struct cf_client *client, struct ps_buf *form)
{
    const struct cf_config *config = &client->config;

    if (client->token.refreshing) {
        field(form, "grant_type", "refresh_token");
        field(form, "refresh_token", client->token.refresh);
    } else if (config->user != NULL) {
        field(form, "grant_type", "password");
        field(form, "username", config->user);
        field(form, "password", config->password);
        if (config->login_hint != NULL)
            field(form, "login_hint", config->login_hint);
    } else {
        field(form, "grant_type", "client_credentials");
    }
}

static void make_basic(const struct cf_config *config, struct ps_buf *basic)
{
    PS_AUTO_BUF(pair, 2 * CF_FIELD_MAX + 2);

    ps_buf_printf(&pair, "%s:%s", config->client_id, config->client_secret);
    ps_buf_str(basic, "Basic ");
    codec_base64_encode(ps_buf_get(&pair), basic);
    ps_wipe(pair.p, pair.n);
}

static void on_answer(void *self, const struct http_response *response);

static void ask(struct cf_client *client)
{
    struct cf__token *token = &client->token;
    PS_AUTO_BUF(url, CF_URL_MAX + 16);
    PS_AUTO_BUF(form, FORM_MAX);
    PS_AUTO_BUF(basic, 4 * CF_FIELD_MAX);

    token->refreshing = token->refresh != NULL;
    ps_buf_printf(&url, "%s/oauth/token", client->discovery.uaa);
    make_form(client, &form);
    make_basic(&client->config, &basic);
    const struct http_header headers[] = {
        {"Accept", "application/json"},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"Authorization", ps_buf_text(&basic)},
    };

    token->asked_ms = loop_now_ms();
    token->attempt.request =
        http_send(client->http, &(struct http_send){.method = "POST",
                                                    .url = ps_buf_text(&url),
                                                    .headers = headers,
                                                    .header_count = PS_ARRAY_LEN(headers),
                                                    .body = ps_buf_get(&form),
                                                    .secret = true,
                                                    .timeout_ms = CF__TIMEOUT_MS,
                                                    .body_max = ANSWER_MAX,
                                                    .on_done = on_answer,
                                                    .self = client});
    ps_wipe(form.p, form.n);
    ps_wipe(basic.p, basic.n);
}

/* ---- what is answered ----------------------------------------------------------------------- */

static void take_life(struct cf__token *token, int64_t seconds)
{
    if (seconds > LIFE_S_MAX)
        seconds = LIFE_S_MAX;
    const int64_t life_ms = seconds * 1000;
    const int64_t margin_ms = life_ms / MARGIN_PART < MARGIN_MS ? life_ms / MARGIN_PART : MARGIN_MS;

    token->expires_ms = token->asked_ms + life_ms;
    token->refresh_ms = token->expires_ms - margin_ms;
}

/* The message quotes nothing of the answer. */
static int take_token(struct cf__token *token, const struct json_t *answer, struct ps_err *err)
{
    const char *access = js_path_str(answer, "access_token");
    const char *refresh = js_path_str(answer, "refresh_token");
    const int64_t seconds = js_path_int(answer, "expires_in", LIFE_S_DEFAULT);

    if (access == NULL || !http_is_field_value(access) || strlen(access) > TOKEN_MAX)
        return ps_fail(err, PS_EPROTO, "UAA's answer: access_token: expected a token");
    if (seconds <= 0)
        return ps_fail(err, PS_EPROTO, "UAA's answer: expires_in: expected seconds above 0");
    drop(&token->access);
    token->access = ps_xstrdup(access);
    if (refresh != NULL && refresh[0] != '\0' && strlen(refresh) <= TOKEN_MAX) {
        drop(&token->refresh);
        token->refresh = ps_xstrdup(refresh);
    }
    token->number++;
    token->accepted = false;
    take_life(token, seconds);
    return 0;
}

/* Why UAA gives none; true when the account's credential is what is wrong. */
static bool take_refusal(const struct http_response *response, struct ps_err *err)
{
    PS_AUTO_JS struct json_t *body = js_parse_lenient(response->body, NULL);
    const char *error = js_path_str(body, "error");
    PS_AUTO_BUF(words, 256);

    cf__quote(&words, ps_str(error), 64);
    if (response->status == 401 &&
        (ps_streq(error, "unauthorized") || ps_streq(error, "invalid_client"))) {
        (void)ps_fail(err, PS_EAUTH,
                      "UAA refuses user name and password, or client and secret (%s): it is not "
                      "tried again until the account's Secret changes, lest UAA locks the user",
                      ps_buf_text(&words));
        return true;
    }
    (void)ps_fail(err,
                  response->status == 429   ? PS_ETHROTTLED
                  : response->status >= 500 ? PS_ESERVER
                  : response->status >= 400 ? PS_EAUTH
                                            : PS_EPROTO,
                  "UAA gives no token: HTTP status %d%s%s", response->status,
                  words.n > 0 ? ": " : "", ps_buf_text(&words));
    return false;
}

static void failed(struct cf_client *client, const struct http_response *response)
{
    struct cf__token *token = &client->token;
    struct cf__attempt *attempt = &token->attempt;

    attempt->err.http_status = response->status;
    cf__attempt_failed(attempt, attempt->err.code == PS_EAUTH && !token->locked
                                    ? REFUSED_MS
                                    : response->retry_after_ms);
    ps_log(PS_LOG_WARN, "cf_token_failed", "api", client->config.api, "error", attempt->err.message,
           NULL);
}

static void take_failure(struct cf_client *client, const struct http_response *response)
{
    struct cf__token *token = &client->token;

    if (response->err.code != 0) {
        token->attempt.err = response->err;
        (void)ps_fail_prefix(&token->attempt.err, "UAA (%s)", client->discovery.uaa);
        if (!response->sent)
            cf__discover_doubt(client); /* it may have moved */
    } else {
        token->locked = take_refusal(response, &token->attempt.err);
    }
    failed(client, response);
}

/* Expired, revoked, or of a UAA that has lost its memory: the way in is still open. */
static bool is_refresh_refused(const struct cf__token *token, const struct http_response *response)
{
    PS_AUTO_JS struct json_t *body = js_parse_lenient(response->body, NULL);
    const char *error = js_path_str(body, "error");

    return token->refreshing && ((response->status == 401 && ps_streq(error, "invalid_token")) ||
                                 (response->status == 400 && ps_streq(error, "invalid_grant")));
}

static void on_answer(void *self, const struct http_response *response)
{
    struct cf_client *client = self;
    struct cf__token *token = &client->token;

    token->attempt.request = NULL;
    ps_err_clear(&token->attempt.err);
    if (response->err.code == 0 && is_refresh_refused(token, response)) {
        drop(&token->refresh);
        ask(client);
        return;
    }
    if (response->err.code == 0 && response->status == 200) {
        PS_AUTO_JS struct json_t *answer = js_parse_lenient(response->body, NULL);

        if (take_token(token, answer, &token->attempt.err) != 0)
            failed(client, response);
    } else {
        take_failure(client, response);
    }
    cf__client_wake(client);
}

/* ---- what others see ------------------------------------------------------------------------ */

enum cf__ready cf__token_ready(struct cf_client *client, struct ps_err *err)
{
    struct cf__token *token = &client->token;
    const int64_t now_ms = loop_now_ms();
    const bool is_good = token->access != NULL && now_ms < token->expires_ms;

    if (token->locked) {
        *err = token->attempt.err;
        return CF__NOT_READY;
    }
    if (is_good && (now_ms < token->refresh_ms || token->attempt.request != NULL))
        return CF__READY;
    if (token->attempt.request != NULL)
        return CF__WAIT;
    if (!cf__attempt_due(&token->attempt, err))
        return is_good ? CF__READY : CF__NOT_READY;
    ask(client);
    return is_good ? CF__READY : CF__WAIT;
}

void cf__token_accepted(struct cf_client *client, uint64_t number)
{
    if (number != client->token.number || client->token.accepted)
        return;
    client->token.accepted = true;
    loop_backoff_reset(&client->token.attempt.backoff);
}

/* Tokens that are refused as soon as they are there: UAA and the API do not fit together, and a new
 * one for each request would be a storm. */
void cf__token_refused(struct cf_client *client, uint64_t number)
{
    struct cf__token *token = &client->token;

    if (number != token->number || token->access == NULL)
        return;
    drop(&token->access);
    if (token->accepted)
        return;
    (void)ps_fail(&token->attempt.err, PS_EAUTH,
                  "the API refuses the token that UAA has just given: do both belong together, and "
                  "are their clocks right?");
    drop(&token->refresh);
    cf__attempt_failed(&token->attempt, 0);
}
