/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a failure means, by verb: its class, how long to wait before the same is asked again, and
 * whether a write may have happened. The server sees every request once: nothing is repeated here.
 * (How watches wait is in test_transitions.c.)
 */
#include "kube/kube.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS 5000
#define VERBS     4
#define STATUS_OF(code, reason)                                                                    \
    "{\"kind\":\"Status\",\"code\":" code ",\"reason\":\"" reason "\",\"message\":\"words\"}"
#define ASKS_3   ",\"details\":{\"retryAfterSeconds\":3}}"
/* A label longer than names can have: nobody is asked for it. */
#define LABEL_16 "aaaaaaaaaaaaaaaa"
#define NO_SUCH  "https://" LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 ".x:1"

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

enum how {
    ANSWERS,
    DIES,    /* reads the request, answers nothing */
    REFUSES, /* nobody listens */
    UNNAMED, /* the name leads nowhere */
};

struct row {
    const char *name;
    enum how how;
    int status;
    const char *headers, *body;
    enum ps_class class;
    int64_t wait_ms;
    bool unknown; /* of a write */
};

static const struct row rows[] = {
    {"429 with seconds", ANSWERS, 429, "Retry-After: 7\r\n", "", PS_CLASS_THROTTLED, 7000, false},
    {"429 with a date", ANSWERS, 429, "DATE", "", PS_CLASS_THROTTLED, 100000, false},
    {"429 with the Status's time", ANSWERS, 429, "", "{\"kind\":\"Status\",\"code\":429" ASKS_3,
     PS_CLASS_THROTTLED, 3000, false},
    {"429 without a time", ANSWERS, 429, "", STATUS_OF("429", "TooManyRequests"),
     PS_CLASS_THROTTLED, 1000, false},
    {"429 with a day", ANSWERS, 429, "Retry-After: 86400\r\n", "", PS_CLASS_THROTTLED, 300000,
     false},
    {"429 with nonsense", ANSWERS, 429, "Retry-After: soon\r\n", "", PS_CLASS_THROTTLED, 1000,
     false},
    {"503 with seconds", ANSWERS, 503, "Retry-After: 7\r\n", "", PS_CLASS_RETRY, 7000, true},
    {"500", ANSWERS, 500, "", STATUS_OF("500", "InternalError"), PS_CLASS_RETRY, 500, true},
    {"500 with the Status's time", ANSWERS, 500, "",
     "{\"kind\":\"Status\",\"code\":500,\"reason\":\"ServerTimeout\"" ASKS_3, PS_CLASS_RETRY, 3000,
     true},
    {"502 of a gateway", ANSWERS, 502, "", "<html>", PS_CLASS_RETRY, 500, true},
    {"504", ANSWERS, 504, "", STATUS_OF("504", "Timeout"), PS_CLASS_RETRY, 500, true},
    {"409, changed", ANSWERS, 409, "Retry-After: 7\r\n", STATUS_OF("409", "Conflict"),
     PS_CLASS_CONFLICT, 0, false},
    {"409, taken", ANSWERS, 409, "", STATUS_OF("409", "AlreadyExists"), PS_CLASS_CONFLICT, 0,
     false},
    {"422", ANSWERS, 422, "", STATUS_OF("422", "Invalid"), PS_CLASS_INVALID, 0, false},
    {"400", ANSWERS, 400, "", STATUS_OF("400", "BadRequest"), PS_CLASS_INVALID, 0, false},
    {"403", ANSWERS, 403, "Retry-After: 7\r\n", STATUS_OF("403", "Forbidden"), PS_CLASS_AUTH, 1000,
     false},
    {"401", ANSWERS, 401, "", STATUS_OF("401", "Unauthorized"), PS_CLASS_AUTH, 1000, false},
    {"404", ANSWERS, 404, "", STATUS_OF("404", "NotFound"), PS_CLASS_GONE, 0, false},
    {"an end without an answer", DIES, 0, "", "", PS_CLASS_RETRY, 500, true},
    {"connection refused", REFUSES, 0, "", "", PS_CLASS_RETRY, 500, false},
    {"no such host", UNNAMED, 0, "", "", PS_CLASS_RETRY, 500, false},
};

struct fixture {
    struct loop *loop;
    const struct row *row;
    struct kube_response last;
    bool done;
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    const struct fixture *f = self;
    char date[64] = "";

    (void)request;
    if (f->row->how == DIES) {
        script_close(peer);
        return;
    }
    if (ps_streq(f->row->headers, "DATE")) {
        const time_t at = (time_t)(loop_wall_ms() / 1000 + 100);
        struct tm parts;

        assert_non_null(gmtime_r(&at, &parts));
        assert_true(
            strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts) > 0);
    }
    script_reply(peer, f->row->status, *date ? date : f->row->headers, f->row->body);
}

static void on_done(void *self, const struct kube_response *response)
{
    struct fixture *f = self;

    f->last = *response;
    f->done = true;
    loop_stop(f->loop);
}

/* How many requests the server has seen. */
static int ask(struct fixture *f, enum kube_verb verb, const struct json_t *body)
{
    struct script *script = script_new(f->loop, on_server, f);
    struct kube_config config = {
        .server = ps_xstrdup(f->row->how == UNNAMED ? NO_SUCH : script_url(script))};
    struct kube_client *client = kube_client_new(f->loop, &config, "penstock/test");
    const struct kube_request request = {
        .verb = verb,
        .kind = &pods,
        .namespace = "n",
        .name = verb == KUBE_CREATE ? NULL : "a",
        .body = verb == KUBE_GET || verb == KUBE_DELETE ? NULL : body,
        .uid = "u",
    };

    if (f->row->how == REFUSES) {
        script_free(script);
        script = NULL;
    }
    f->done = false;
    (void)kube_send(client, &request, on_done, f);
    assert_true(script_run(f->loop, ENOUGH_MS));
    assert_true(f->done);
    const int count = script ? script_count(script) : 0;

    kube_client_free(client);
    if (script != NULL)
        script_free(script);
    kube_config_fini(&config);
    return count;
}

static void check(const struct fixture *f, enum kube_verb verb, int count)
{
    const struct row *row = f->row;
    const int64_t wait_ms = ps_err_wait_ms(&f->last.err);
    const bool is_write = verb != KUBE_GET;

    if (f->last.code == 0 || ps_code_class(f->last.code) != row->class)
        fail_msg("%s, %s: %s: %s", row->name, kube_verb_name(verb), ps_code_name(f->last.code),
                 f->last.err.message);
    /* A date has whole seconds, and takes some time to come. */
    if (wait_ms > row->wait_ms || wait_ms < row->wait_ms - (*row->headers == 'D' ? 3000 : 0))
        fail_msg("%s, %s: waits %lld ms", row->name, kube_verb_name(verb), (long long)wait_ms);
    if (f->last.unknown != (row->unknown && is_write))
        fail_msg("%s, %s: unknown is %d", row->name, kube_verb_name(verb), f->last.unknown);
    if (count != (row->how == ANSWERS || row->how == DIES))
        fail_msg("%s, %s: %d requests", row->name, kube_verb_name(verb), count);
}

static void failures_have_one_meaning_for_all_verbs(void **state)
{
    (void)state;

    static const enum kube_verb verbs[VERBS] = {KUBE_GET, KUBE_CREATE, KUBE_PATCH_MERGE,
                                                KUBE_DELETE};
    struct fixture f = {.loop = loop_new()};
    struct json_t *body = js_object();

    http_global_init();
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        for (size_t v = 0; v < VERBS; v++) {
            f.row = &rows[i];
            check(&f, verbs[v], ask(&f, verbs[v], body));
        }
    }
    js_unref(body);
    loop_free(f.loop);
    http_global_fini();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_have_one_meaning_for_all_verbs),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("kube/retry", tests, NULL, NULL);
}
