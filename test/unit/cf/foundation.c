/* SPDX-License-Identifier: Apache-2.0 */
#include "foundation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define TEXT_MAX ((size_t)4096)

static void copy_text(char *out, size_t size, struct ps_str text)
{
    assert_true(text.n < size);
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
}

void foundation_grant(struct foundation *f, struct script_peer *peer)
{
    PS_AUTO_BUF(body, TEXT_MAX);

    ps_buf_printf(&body, "{\"access_token\":\"token-%d\",\"token_type\":\"bearer\"", f->tokens);
    if (f->refresh)
        ps_buf_printf(&body, ",\"refresh_token\":\"again-%d\"", f->tokens);
    ps_buf_printf(&body, ",\"expires_in\":%d}", f->expires_s);
    script_reply(peer, 200, "", ps_buf_text(&body));
}

void foundation_refuse(struct script_peer *peer, int status, int code, const char *title)
{
    PS_AUTO_BUF(body, TEXT_MAX);

    ps_buf_printf(&body, "{\"errors\":[{\"code\":%d,\"title\":\"%s\",\"detail\":\"says no\"}]}",
                  code, title);
    script_reply(peer, status, "", ps_buf_text(&body));
}

bool foundation_has_token(const struct script_request *request, const char *token)
{
    PS_AUTO_BUF(line, TEXT_MAX);

    ps_buf_printf(&line, "\r\nAuthorization: Bearer %s\r\n", token);
    return ps_str_find(request->head, ps_buf_text(&line)) >= 0;
}

static void on_root(struct foundation *f, struct script_peer *peer)
{
    PS_AUTO_BUF(body, TEXT_MAX);

    f->roots++;
    ps_buf_printf(&body,
                  "{\"links\":{\"uaa\":{\"href\":\"%s/uaa\"},\"cloud_controller_v2\":null,"
                  "\"cloud_controller_v3\":{\"href\":\"%s/v3\",\"meta\":{\"version\":"
                  "\"3.180.0\"}}}}",
                  script_url(f->script), script_url(f->script));
    script_reply(peer, 200, "", f->root != NULL ? f->root : ps_buf_text(&body));
}

static void on_uaa(struct foundation *f, struct script_peer *peer,
                   const struct script_request *request)
{
    const ptrdiff_t at = ps_str_find(request->head, "\r\nAuthorization: Basic ");
    struct ps_str rest = ps_str_skip(request->head, at < 0 ? request->head.n : (size_t)at + 23);
    struct ps_str basic = {0};

    f->tokens++;
    copy_text(f->form, sizeof(f->form), request->body);
    (void)ps_str_split(&rest, '\r', &basic);
    copy_text(f->basic, sizeof(f->basic), basic);
    if (f->uaa != NULL)
        f->uaa(f, peer, request);
    else
        foundation_grant(f, peer);
}

static void on_request(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct foundation *f = self;

    if (ps_streq(request->target, "/")) {
        on_root(f, peer);
    } else if (ps_streq(request->target, "/uaa/oauth/token")) {
        on_uaa(f, peer, request);
    } else {
        f->asked++;
        if (f->api != NULL)
            f->api(f, peer, request);
        else
            script_reply(peer, f->status, f->headers, f->answer);
    }
}

static void begin(struct foundation *f)
{
    *f = (struct foundation){.loop = loop_new(),
                             .status = 200,
                             .headers = "",
                             .answer = "{}",
                             .expires_s = 600,
                             .want = 1};
    http_global_init();
    f->script = script_new(f->loop, on_request, f);
}

static void enter(struct foundation *f, struct json_t *secret)
{
    struct ps_err err;

    js_set_str(secret, "api", script_url(f->script));
    assert_int_equal(cf_config_read(&f->config, secret, &err), 0);
    f->client = cf_client_new(f->loop, &f->config,
                              &(struct cf_client_options){.user_agent = "penstock/test",
                                                          .backoff_first_ms = 100,
                                                          .backoff_max_ms = 400});
}

void foundation_open_with(struct foundation *f, const char *secret)
{
    PS_AUTO_JS struct json_t *data = js_parse(ps_str(secret), NULL);

    begin(f);
    enter(f, data);
}

void foundation_open_tls(struct foundation *f, const struct certs_pair *server, const char *ca_pem)
{
    PS_AUTO_JS struct json_t *data = js_object();

    begin(f);
    script_tls(f->script, server->cert, server->key, NULL);
    js_set_str(data, "username", "ann");
    js_set_str(data, "password", "s&cret+%");
    js_set_str(data, "ca.crt", ca_pem);
    enter(f, data);
}

void foundation_stop(struct foundation *f)
{
    f->port = script_port(f->script);
    script_free(f->script);
    f->script = NULL;
}

void foundation_return(struct foundation *f)
{
    f->script = script_new_at(f->loop, f->port, on_request, f);
}

void foundation_open(struct foundation *f)
{
    foundation_open_with(f, "{\"username\":\"ann\",\"password\":\"s&cret+%\"}");
}

void foundation_close(struct foundation *f)
{
    cf_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    cf_config_fini(&f->config);
    ps_free(f->location);
    ps_free(f->text);
}

static void on_done(void *self, const struct cf_response *response)
{
    struct foundation *f = self;

    f->done++;
    f->last = *response;
    copy_text(f->title, sizeof(f->title), ps_str(response->error_title));
    copy_text(f->detail, sizeof(f->detail), ps_str(response->error_detail));
    ps_free(f->location);
    ps_free(f->text);
    f->location = response->location != NULL ? ps_xstrdup(response->location) : NULL;
    f->text = response->object != NULL ? js_text(response->object) : NULL;
    if (f->free_in_done) {
        cf_client_free(f->client);
        f->client = NULL;
    }
    if (f->done >= f->want)
        loop_stop(f->loop);
}

struct cf_call *foundation_start(struct foundation *f, const char *method, const char *path,
                                 const struct json_t *body)
{
    return cf_send(f->client, &(struct cf_request){.method = method, .path = path, .body = body},
                   on_done, f);
}

void foundation_ask(struct foundation *f, const char *method, const char *path,
                    const struct json_t *body)
{
    const int before = f->done;

    f->want = before + 1;
    (void)foundation_start(f, method, path, body);
    assert_int_equal(f->done, before); /* never from inside the call */
    assert_true(script_run(f->loop, ENOUGH_MS));
    assert_int_equal(f->done, before + 1);
}
