/* SPDX-License-Identifier: Apache-2.0 */
/* What refusals mean: by (status, code, title), for codes of the API's older and newer version
 * overlap, and never by their prose. */
#include "internal.h"

#include <string.h>

#define EXCERPT_MAX ((size_t)200)
#define DETAIL_MAX  ((size_t)400)
#define ERRORS_MAX  ((size_t)3) /* that are told to people */

/* The first row that fits counts; status 0: any (of a job, too), code 0: any. */
static const struct {
    int status, code;
    int64_t error_code;
    const char *title; /* NULL: any */
} known[] = {
    {400, PS_EEXIST, 150004, NULL}, /* package bits were uploaded before */
    {404, PS_EINVAL, 10000, NULL},  /* no such endpoint */
    {404, PS_ENOENT, 10010, NULL},
    {422, PS_EEXIST, 10016, "CF-UniquenessError"},
    {422, PS_ECONFLICT, 10020, NULL},  /* org or space is being deleted */
    {422, PS_ECONFLICT, 170017, NULL}, /* staging is under way */
    {422, PS_ESERVER, 270018, NULL},   /* a broker has its hands full: the same may work later */
    {409, PS_ESERVER, 270018, NULL},
    {0, PS_ETIMEOUT, 290006, NULL}, /* a job's own time-out */
    {401, PS_EAUTH, 0, NULL},
    {403, PS_EDENIED, 0, NULL},
    {408, PS_ETIMEOUT, 0, NULL},
    {409, PS_ECONFLICT, 0, NULL},
    {413, PS_ELIMIT, 0, NULL},
    {429, PS_ETHROTTLED, 0, NULL},
    {0, PS_EINVAL, 10008, "CF-UnprocessableEntity"}, /* in jobs */
};

static int code_of(int status, const struct cf__error *first)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(known); i++) {
        if ((known[i].status == 0 || known[i].status == status) &&
            (known[i].error_code == 0 || known[i].error_code == first->code) &&
            (known[i].title == NULL || ps_streq(known[i].title, first->title)))
            return known[i].code;
    }
    if (status == 404) /* "CF-AppNotFound" and its like; else the router's, or a stranger's */
        return ps_str_ends(ps_str(first->title), "NotFound") ? PS_ENOENT : PS_ESERVER;
    if (status == 0 || status >= 500)
        return PS_ESERVER;
    return status >= 400 ? PS_EINVAL : PS_EPROTO;
}

void cf__quote(struct ps_buf *out, struct ps_str text, size_t max)
{
    text = ps_str_trim(ps_str_head(text, text.n < max ? text.n : max));
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= 0x20 && text.p[i] < 0x7F) {
            ps_buf_char(out, text.p[i]);
        } else {
            ps_buf_char(out, ' ');
        }
    }
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static struct cf__error read_error(const struct json_t *error)
{
    return (struct cf__error){
        .code = js_path_int(error, "code", 0),
        .title = text_or(js_path_str(error, "title"), ""),
        .detail = text_or(js_path_str(error, "detail"), ""),
    };
}

static void describe(const struct json_t *errors, struct ps_buf *words)
{
    for (size_t i = 0; i < js_len(errors) && i < ERRORS_MAX; i++) {
        const struct cf__error one = read_error(js_at(errors, i));

        ps_buf_str(words, i > 0 ? "; " : "");
        cf__quote(words, ps_str(text_or(one.detail, "no reason given")), DETAIL_MAX);
        if (one.title[0] != '\0') {
            ps_buf_str(words, " (");
            cf__quote(words, ps_str(one.title), EXCERPT_MAX);
            ps_buf_char(words, ')');
        }
    }
    if (words->n == 0)
        ps_buf_str(words, "no reason given");
}

static void fill(int status, const struct json_t *errors, struct ps_err *err,
                 struct cf__error *first)
{
    PS_AUTO_BUF(words, ERRORS_MAX * (DETAIL_MAX + EXCERPT_MAX + 16));

    *first = read_error(js_at(errors, 0));
    describe(errors, &words);
    (void)ps_fail(err, code_of(status, first), "%s", ps_buf_text(&words));
}

void cf__error_of_list(const struct json_t *errors, struct ps_err *err, struct cf__error *first)
{
    fill(0, errors, err, first);
}

/* The Cloud Controller writes its errors in one form, whatever type it says they have. */
static bool is_ours(const struct json_t *body)
{
    const struct json_t *errors = js_get(body, "errors");

    return js_type(errors) == JS_ARRAY && js_type(js_get(js_at(errors, 0), "code")) == JS_INT;
}

void cf__error_of(const struct http_response *response, struct ps_err *err, struct cf__error *first,
                  struct json_t **tree)
{
    *tree = NULL;
    *first = (struct cf__error){0, "", ""};
    if (response->err.code != 0) {
        *err = response->err;
        return;
    }
    struct json_t *body = js_parse_lenient(response->body, NULL);

    if (is_ours(body)) {
        fill(response->status, js_get(body, "errors"), err, first);
        *tree = body;
    } else {
        PS_AUTO_BUF(words, EXCERPT_MAX + 1);
        cf__quote(&words, response->body, EXCERPT_MAX);
        (void)ps_fail(err, code_of(response->status, first), "HTTP status %d%s%s", response->status,
                      words.n > 0 ? ": " : "", ps_buf_text(&words));
        js_unref(body);
    }
    err->http_status = response->status;
    if (response->retry_after_ms > 0 && (response->status == 429 || response->status >= 500))
        err->retry_after_ms = response->retry_after_ms;
}
