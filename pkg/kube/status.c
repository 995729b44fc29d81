/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's refusals mean. */
#include "internal.h"

#include <string.h>

#define RETRY_AFTER_MAX_S ((int64_t)24 * 3600)
#define EXCERPT_MAX       200

static int code_of(int http_status, const char *reason)
{
    static const struct {
        int http_status, code;
    } known[] = {
        {400, PS_EINVAL},     {401, PS_EAUTH},  {403, PS_EDENIED},  {404, PS_ENOENT},
        {405, PS_EINVAL},     {406, PS_EINVAL}, {408, PS_ETIMEOUT}, {409, PS_ECONFLICT},
        {410, PS_EGONE},      {413, PS_ELIMIT}, {415, PS_EINVAL},   {422, PS_EINVAL},
        {429, PS_ETHROTTLED},
    };

    if (http_status == 409 && ps_streq(reason, "AlreadyExists"))
        return PS_EEXIST;
    for (size_t i = 0; i < PS_ARRAY_LEN(known); i++) {
        if (known[i].http_status == http_status)
            return known[i].code;
    }
    if (http_status >= 500)
        return PS_ESERVER;
    return http_status >= 400 ? PS_EINVAL : PS_EPROTO;
}

/* client-go's rule; elsewhere the time is about something else than asking again. */
static bool may_ask_to_wait(int http_status)
{
    return http_status == 429 || http_status >= 500;
}

void kube__error_of_status(const struct json_t *status, struct ps_err *err)
{
    const int64_t http_status = js_path_int(status, "code", 500);
    const int64_t seconds = js_path_int(status, "details.retryAfterSeconds", 0);
    const char *reason = js_path_str(status, "reason");
    const char *message = js_path_str(status, "message");
    const int known = http_status >= 100 && http_status <= 599 ? (int)http_status : 500;

    (void)ps_fail(err, code_of(known, reason), "%s",
                  message != NULL && message[0] != '\0' ? message
                  : reason != NULL                      ? reason
                                                        : "no reason given");
    err->http_status = known;
    if (seconds > 0 && may_ask_to_wait(known))
        err->retry_after_ms = (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

/* After an etcd was restored from a backup, or from a server that lags behind. */
bool kube__is_too_new(const struct json_t *status)
{
    const struct json_t *causes = js_path(status, "details.causes");

    for (size_t i = 0; i < js_len(causes); i++) {
        if (ps_streq(js_path_str(js_at(causes, i), "reason"), "ResourceVersionTooLarge"))
            return true;
    }
    return false;
}

/* Someone between us and the server: its words as far as they are text. */
static void quote(struct ps_buf *out, struct ps_str body)
{
    body = ps_str_trim(ps_str_head(body, body.n < EXCERPT_MAX ? body.n : EXCERPT_MAX));
    for (size_t i = 0; i < body.n; i++) {
        if (body.p[i] >= 0x20 && body.p[i] < 0x7F) {
            ps_buf_char(out, body.p[i]);
        } else {
            ps_buf_char(out, ' ');
        }
    }
}

void kube__error_of(const struct http_response *response, struct ps_err *err,
                    struct json_t **status)
{
    *status = NULL;
    if (response->err.code != 0) {
        *err = response->err;
        return;
    }
    struct json_t *body = js_parse(response->body, NULL);

    if (body != NULL && ps_streq(js_path_str(body, "kind"), "Status")) {
        kube__error_of_status(body, err);
        err->code = code_of(response->status, js_path_str(body, "reason"));
        *status = body;
    } else {
        PS_AUTO_BUF(words, EXCERPT_MAX);
        quote(&words, response->body);
        (void)ps_fail(err, code_of(response->status, NULL), "HTTP status %d%s%s", response->status,
                      words.n > 0 ? ": " : "", ps_buf_text(&words));
        js_unref(body);
    }
    err->http_status = response->status;
    if (response->retry_after_ms > 0 && may_ask_to_wait(response->status))
        err->retry_after_ms = response->retry_after_ms;
}
