/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reflector against a scripted API server: each test gives the server's answer to each request
 * in turn and compares the log of callbacks. The last answer is given again and again.
 */
#include "kube/kube.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define ENOUGH_MS 5000
#define STEPS_MAX 12

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

struct fixture;
typedef void step_fn(struct script_peer *peer);

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct kube_reflector *reflector;
    step_fn *steps[STEPS_MAX + 1];
    struct script_peer *peer;
    struct ps_buf log;
    const char *free_at; /* the callback in which the reflector is freed */
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    int n = request->number < STEPS_MAX ? request->number : STEPS_MAX;

    while (f->steps[n] == NULL)
        n--;
    f->peer = peer;
    f->steps[n](peer);
}

/* ---- the log of callbacks ----------------------------------------------------------------------
 */

static void note(struct fixture *f, const char *what)
{
    if (f->free_at != NULL && ps_streq(what, f->free_at)) {
        kube_reflector_free(f->reflector);
        f->reflector = NULL;
    }
}

static void note_object(struct fixture *f, const char *what, const struct kube_seen *seen)
{
    /* A deletion that cannot be read has names only. */
    assert_true(ps_str_find(seen->text, seen->name) > 0 ||
                (seen->text.n == 0 && ps_streq(what, "deleted")));
    assert_non_null(seen->rv);
    ps_buf_printf(&f->log, "%s %s/%s%s%s\n", what, seen->namespace ? seen->namespace : "",
                  seen->name, seen->uid ? " " : "", seen->uid ? seen->uid : "");
    note(f, what);
}

static void on_list_begin(void *self)
{
    struct fixture *f = self;

    ps_buf_str(&f->log, "begin\n");
    note(f, "begin");
}

static void on_list_item(void *self, const struct kube_seen *seen)
{
    note_object(self, "item", seen);
}

static void on_list_end(void *self, const char *rv)
{
    struct fixture *f = self;

    ps_buf_printf(&f->log, "end %s\n", rv);
    note(f, "end");
}

static void on_changed(void *self, const struct kube_seen *seen)
{
    note_object(self, "changed", seen);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    note_object(self, "deleted", seen);
}

static void on_progress(void *self, const char *rv)
{
    struct fixture *f = self;

    ps_buf_printf(&f->log, "progress %s\n", rv);
    note(f, "progress");
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    struct fixture *f = self;

    assert_int_not_equal(strlen(why), 0);
    ps_buf_printf(&f->log, "poison %s/%s\n", namespace, name);
    note(f, "poison");
}

static void on_health(void *self, const char *trouble)
{
    struct fixture *f = self;

    ps_buf_printf(&f->log, "health %s\n", trouble ? trouble : "ok");
    note(f, "health");
}

/* ---- fixture -----------------------------------------------------------------------------------
 */

static const struct kube_reflector_options quick = {
    .kind = &pods,
    .backoff_first_ms = 5,
    .backoff_max_ms = 20,
    .watch_timeout_ms = 3000,
};

/* What the reflectors of the next setup count into; NULL: nothing. */
static struct metrics *measured;

static void setup_with(struct fixture *f, step_fn *const *steps,
                       const struct kube_reflector_options *options)
{
    static const struct kube_reflector_callbacks callbacks = {
        on_list_begin, on_list_item, on_list_end, on_changed, on_deleted,
        on_progress,   on_poison,    on_health,   NULL,
    };
    struct kube_reflector_callbacks on = callbacks;

    *f = (struct fixture){.loop = loop_new()};
    http_global_init();
    for (int i = 0; i <= STEPS_MAX && steps[i] != NULL; i++)
        f->steps[i] = steps[i];
    ps_buf_init(&f->log, (size_t)1 << 20);
    f->script = script_new(f->loop, on_server, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
    kube_client_measure(f->client, measured);
    on.self = f;
    f->reflector = kube_reflector_new(f->client, options, &on);
    kube_reflector_start(f->reflector);
    assert_int_equal(f->log.n, 0); /* never from inside the call */
}

#define SETUP(f, ...) setup_with(f, (step_fn *const[STEPS_MAX + 1]){__VA_ARGS__}, &quick)

static void teardown(struct fixture *f)
{
    kube_reflector_free(f->reflector);
    kube_client_free(f->client);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    ps_buf_fini(&f->log);
}

/* Runs until the log ends with, or the request count is. */
static void until_log(struct fixture *f, const char *end)
{
    const int64_t deadline = loop_now_ms() + ENOUGH_MS;

    while (!ps_str_ends(ps_buf_get(&f->log), end)) {
        if (loop_now_ms() > deadline)
            fail_msg("waiting for \"%s\", got:\n%s", end, ps_buf_text(&f->log));
        script_wait(f->loop, 2);
    }
}

static void until_requests(struct fixture *f, int count)
{
    const int64_t deadline = loop_now_ms() + ENOUGH_MS;

    while (script_count(f->script) < count) {
        if (loop_now_ms() > deadline)
            fail_msg("%d requests, log:\n%s", script_count(f->script), ps_buf_text(&f->log));
        script_wait(f->loop, 2);
    }
}

static void assert_log(struct fixture *f, const char *want)
{
    if (!ps_streq(ps_buf_text(&f->log), want))
        fail_msg("log:\n%s\nwanted:\n%s", ps_buf_text(&f->log), want);
    ps_buf_clear(&f->log);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

#define ITEM(name)                                                                                 \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"resourceVersion\":\"5\"}}"
#define LIST(rv, rest, items)                                                                      \
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" rv          \
    "\"" rest "},\"items\":[" items "]}\n"
#define EVENT(type, name, rv, uid)                                                                 \
    "{\"type\":\"" type "\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\","       \
    "\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}}}\n"
#define BOOKMARK(rv)                                                                               \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"     \
    "\"resourceVersion\":\"" rv "\"}}}\n"
#define ERROR_EVENT(code, reason)                                                                  \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":"      \
    "\"words\",\"reason\":\"" reason "\",\"code\":" code "}}\n"
#define STATUS(code, reason)                                                                       \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"words\",\"reason\":\"" reason       \
    "\",\"code\":" code "}"

static void list_two(struct script_peer *peer)
{
    script_reply(peer, 200, "", LIST("10", "", ITEM("a") "," ITEM("b")));
}

static void list_none(struct script_peer *peer)
{
    script_reply(peer, 200, "", LIST("20", "", ""));
}

static void watch_open(struct script_peer *peer)
{
    script_stream(peer);
}

static void watch_one_then_end(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, EVENT("MODIFIED", "a", "11", "u1"));
    script_stream_end(peer);
}

static void watch_ends_at_once(struct script_peer *peer)
{
    script_stream(peer);
    script_stream_end(peer);
}

#define BEGUN "begin\nitem n/a\nitem n/b\nend 10\n"

/* ---- the normal life ---------------------------------------------------------------------------
 */

static void lists_then_watches_from_the_lists_version(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_two, watch_open);
    assert_false(kube_reflector_synced(f.reflector));
    until_log(&f, "end 10\n");
    assert_true(kube_reflector_synced(f.reflector));
    until_requests(&f, 2);
    assert_string_equal(script_line(f.script, 0), "GET /api/v1/pods?limit=500");
    assert_string_equal(
        script_line(f.script, 1),
        "GET /api/v1/pods?watch=1&resourceVersion=10&allowWatchBookmarks=true&timeoutSeconds=3");
    assert_non_null(strstr(script_text(f.script, 0), "\r\nAccept: application/json\r\n"));
    assert_null(strstr(script_text(f.script, 1), "Accept-Encoding"));
    script_chunk(f.peer, EVENT("ADDED", "c", "11", "u3") EVENT("DELETED", "b", "12", "u2"));
    script_chunk(f.peer, BOOKMARK("15"));
    until_log(&f, "progress 15\n");
    assert_log(&f, BEGUN "changed n/c u3\nprogress 11\ndeleted n/b u2\nprogress 12\nprogress 15\n");
    teardown(&f);
}

static void options_are_asked_for(void **state)
{
    (void)state;
    const struct kube_reflector_options options = {
        .kind = &pods,
        .namespace = "cars",
        .label_selector = "role=spring-app",
        .metadata_only = true,
        .watch_timeout_ms = 1500,
    };
    struct fixture f;

    setup_with(&f, (step_fn *const[STEPS_MAX + 1]){list_none, watch_open}, &options);
    until_requests(&f, 2);
    assert_string_equal(
        script_line(f.script, 0),
        "GET /api/v1/namespaces/cars/pods?labelSelector=role%3Dspring-app&limit=500");
    assert_string_equal(script_line(f.script, 1),
                        "GET /api/v1/namespaces/cars/pods?labelSelector=role%3Dspring-app&watch=1&"
                        "resourceVersion=20&allowWatchBookmarks=true&timeoutSeconds=2");
    assert_non_null(strstr(
        script_text(f.script, 0),
        "Accept: "
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json\r\n"));
    assert_non_null(strstr(
        script_text(f.script, 1),
        "Accept: "
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json\r\n"));
    teardown(&f);
}

static void page_one(struct script_peer *peer)
{
    script_reply(peer, 200, "", LIST("10", ",\"continue\":\"t+/=\"", ITEM("a")));
}

static void page_two(struct script_peer *peer)
{
    script_reply(peer, 200, "", LIST("10", ",\"continue\":\"\"", ITEM("b")));
}

static void pages_are_one_snapshot(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, page_one, page_two, watch_open);
    until_log(&f, "end 10\n");
    assert_log(&f, BEGUN);
    assert_string_equal(script_line(f.script, 1), "GET /api/v1/pods?limit=500&continue=t%2B%2F%3D");
    teardown(&f);
}

static void null_items(struct script_peer *peer)
{
    script_reply(peer, 200, "", "{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":null}");
}

static void an_empty_list_may_be_null(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, null_items, watch_open);
    until_log(&f, "end 20\n");
    assert_log(&f, "begin\nend 20\n");
    teardown(&f);
}

static void a_watch_that_ends_goes_on_from_the_last_version(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_two, watch_one_then_end, watch_open);
    until_requests(&f, 3);
    assert_string_equal(
        script_line(f.script, 2),
        "GET /api/v1/pods?watch=1&resourceVersion=11&allowWatchBookmarks=true&timeoutSeconds=3");
    assert_log(&f, BEGUN "changed n/a u1\nprogress 11\n");
    teardown(&f);
}

static void watch_bookmark_then_dies(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, BOOKMARK("30"));
    script_send(peer, "10\r\n{\"type\":\"ADD");
    script_close(peer);
}

static void a_cut_watch_goes_on_too_and_bookmarks_count(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_two, watch_bookmark_then_dies, watch_open);
    until_requests(&f, 3);
    assert_string_equal(
        script_line(f.script, 2),
        "GET /api/v1/pods?watch=1&resourceVersion=30&allowWatchBookmarks=true&timeoutSeconds=3");
    assert_log(&f, BEGUN "progress 30\n");
    teardown(&f);
}

static void a_silent_watch_is_opened_anew(void **state)
{
    (void)state;
    struct kube_reflector_options options = quick;
    struct fixture f;

    options.idle_timeout_ms = 1100; /* longer than a very short watch */
    setup_with(&f, (step_fn *const[STEPS_MAX + 1]){list_two, watch_open}, &options);
    until_requests(&f, 3);
    assert_true(ps_str_starts(ps_str(script_line(f.script, 2)),
                              "GET /api/v1/pods?watch=1&resourceVersion=10&"));
    assert_log(&f, BEGUN);
    teardown(&f);
}

static void a_changed_uid_is_passed_on(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_two, watch_open);
    until_requests(&f, 2);
    script_chunk(f.peer, EVENT("MODIFIED", "a", "11", "u1") EVENT("MODIFIED", "a", "12", "u9"));
    until_log(&f, "progress 12\n");
    assert_log(&f, BEGUN "changed n/a u1\nprogress 11\nchanged n/a u9\nprogress 12\n");
    teardown(&f);
}

/* ---- history is gone ---------------------------------------------------------------------------
 */

static void gone_status(struct script_peer *peer)
{
    script_reply(peer, 410, "", STATUS("410", "Expired"));
}

static void gone_event(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, ERROR_EVENT("410", "Expired"));
    script_stream_end(peer);
}

static void gone_in_both_forms_lists_again(void **state)
{
    (void)state;
    static step_fn *const forms[] = {gone_status, gone_event};

    for (size_t i = 0; i < PS_ARRAY_LEN(forms); i++) {
        struct fixture f;

        SETUP(&f, list_two, watch_one_then_end, forms[i], list_none, watch_open);
        until_requests(&f, 5);
        assert_string_equal(script_line(f.script, 3), "GET /api/v1/pods?resourceVersion=11");
        assert_true(ps_str_starts(ps_str(script_line(f.script, 4)),
                                  "GET /api/v1/pods?watch=1&resourceVersion=20&"));
        assert_log(&f, BEGUN "changed n/a u1\nprogress 11\nbegin\nend 20\n");
        teardown(&f);
    }
}

static void gone_pages_are_asked_for_at_once(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, page_one, gone_status, list_two, watch_open);
    until_log(&f, "end 10\n");
    assert_string_equal(script_line(f.script, 2), "GET /api/v1/pods");
    assert_log(&f, "begin\nitem n/a\n" BEGUN); /* the first set was never made whole */
    teardown(&f);
}

/* ---- metrics ----------------------------------------------------------------------------------
 */

static void assert_counted(const char *line)
{
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);

    metrics_print(measured, &text);
    if (strstr(ps_buf_text(&text), line) == NULL)
        fail_msg("no \"%s\"", line);
}

static void bad_json_event(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"p\"},"
                       "\"x\":\"\\ud800\"}}\n");
}

static void events_lists_and_watches_are_counted(void **state)
{
    (void)state;
    struct fixture f;

    measured = metrics_new();
    SETUP(&f, list_two, watch_one_then_end, watch_bookmark_then_dies, gone_event, list_none,
          bad_json_event);
    assert_counted("penstock_watches{resource=\"pods\"} 0\n");
    assert_counted("penstock_watch_lists_total{reason=\"gone\",resource=\"pods\"} 0\n");
    until_requests(&f, 6);
    until_log(&f, "poison /p\n");
    assert_counted("penstock_watches{resource=\"pods\"} 1\n");
    assert_counted("penstock_watch_events_total{resource=\"pods\",type=\"ADDED\"} 1\n");
    assert_counted("penstock_watch_events_total{resource=\"pods\",type=\"MODIFIED\"} 1\n");
    assert_counted("penstock_watch_events_total{resource=\"pods\",type=\"BOOKMARK\"} 1\n");
    assert_counted("penstock_watch_events_total{resource=\"pods\",type=\"ERROR\"} 1\n");
    assert_counted("penstock_watch_lists_total{reason=\"start\",resource=\"pods\"} 1\n");
    assert_counted("penstock_watch_lists_total{reason=\"gone\",resource=\"pods\"} 1\n");
    assert_counted("penstock_watch_lists_total{reason=\"trouble\",resource=\"pods\"} 0\n");
    assert_counted("penstock_watch_silence_seconds{resource=\"pods\"} 0");
    /* Those that broke off had been answered; the last has not ended. */
    assert_counted(",method=\"GET\"} 5\n");
    teardown(&f);
    assert_counted("penstock_watches{resource=\"pods\"} 0\n");
    metrics_free(measured);
    measured = NULL;
}

/* ---- trouble -----------------------------------------------------------------------------------
 */

static void throttled_event(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, ERROR_EVENT("429", "TooManyRequests"));
    script_stream_end(peer);
}

static void throttled_status(struct script_peer *peer)
{
    script_reply(peer, 429, "", STATUS("429", "TooManyRequests"));
}

static void unavailable(struct script_peer *peer)
{
    script_reply(peer, 503, "", "");
}

static void drop_connection(struct script_peer *peer)
{
    script_reset(peer);
}

static void throttling_and_outages_keep_the_version(void **state)
{
    (void)state;

    static const struct {
        step_fn *step;
        const char *health;
    } rows[] = {
        {throttled_event, "health pods: asked to wait: words\n"},
        {throttled_status, "health pods: asked to wait: words\n"},
        {unavailable, "health pods: server error: HTTP status 503\n"},
        {drop_connection, "health pods: connection failed: "},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        SETUP(&f, list_two, watch_one_then_end, rows[i].step, watch_open);
        until_requests(&f, 4);
        if (!ps_str_starts(ps_str(script_line(f.script, 3)),
                           "GET /api/v1/pods?watch=1&resourceVersion=11&"))
            fail_msg("row %zu: %s", i, script_line(f.script, 3));
        until_log(&f, "health ok\n");
        if (strstr(ps_buf_text(&f.log), rows[i].health) == NULL)
            fail_msg("row %zu: %s", i, ps_buf_text(&f.log));
        assert_null(strstr(ps_buf_text(&f.log), "end 10\nbegin"));
        teardown(&f);
    }
}

static void retry_later(struct script_peer *peer)
{
    script_reply(peer, 429, "Retry-After: 1\r\n", STATUS("429", "TooManyRequests"));
}

static void a_servers_wish_to_wait_is_kept(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, retry_later, list_two, watch_open);
    until_log(&f, "asked to wait: words\n");
    const int64_t start = loop_now_ms();

    until_requests(&f, 2);
    assert_in_range(loop_now_ms() - start, 900, 4000);
    teardown(&f);
}

static void internal_error_event(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, ERROR_EVENT("500", "InternalError"));
    script_stream_end(peer);
}

static void watch_garbage(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, "<html>\n");
}

static void watch_unknown_type(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, "{\"type\":\"RENAMED\",\"object\":{}}\n");
}

static void watch_broken_frame(struct script_peer *peer)
{
    script_stream(peer);
    script_chunk(peer, "{\"type\" \"ADDED\"}\n");
}

static void watch_oversize(struct script_peer *peer)
{
    char *text = ps_xmalloc(KUBE_FRAME_MAX + 1);

    memset(text, 'x', KUBE_FRAME_MAX);
    memcpy(text, "{\"type\":\"", 9);
    text[KUBE_FRAME_MAX] = '\0';
    script_stream(peer);
    script_chunk(peer, text);
    script_chunk(peer, "xx");
    ps_free(text);
}

static void watch_bad_request(struct script_peer *peer)
{
    script_reply(peer, 400, "", STATUS("400", "BadRequest"));
}

static void what_is_not_understood_backs_off_and_lists_again(void **state)
{
    (void)state;
    static step_fn *const rows[] = {internal_error_event, watch_garbage,  watch_unknown_type,
                                    watch_broken_frame,   watch_oversize, watch_bad_request,
                                    watch_ends_at_once};

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        SETUP(&f, list_two, rows[i], list_none, watch_open);
        until_requests(&f, 4);
        if (!ps_streq(script_line(f.script, 2), "GET /api/v1/pods?resourceVersion=10"))
            fail_msg("row %zu: %s", i, script_line(f.script, 2));
        assert_non_null(strstr(ps_buf_text(&f.log), "health pods: "));
        assert_true(ps_str_ends(ps_buf_get(&f.log), "begin\nend 20\nhealth ok\n"));
        teardown(&f);
    }
}

static void very_short_watches_back_off(void **state)
{
    (void)state;
    struct kube_reflector_options options = quick;
    struct fixture f;

    options.backoff_first_ms = 40;
    options.backoff_max_ms = 1000;
    setup_with(&f,
               (step_fn *const[STEPS_MAX + 1]){list_two, watch_ends_at_once, list_two,
                                               watch_ends_at_once, list_two, watch_ends_at_once},
               &options);
    const int64_t start = loop_now_ms();

    until_requests(&f, 7); /* three waits: at least 40 + 80 + 160 ms */
    assert_true(loop_now_ms() - start >= 280);
    teardown(&f);
}

static void forbidden(struct script_peer *peer)
{
    script_reply(peer, 403, "", STATUS("403", "Forbidden"));
}

static void not_found(struct script_peer *peer)
{
    script_reply(peer, 404, "", "404 page not found\n");
}

static void failed_lists_are_told_once_and_tried_again(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, forbidden, forbidden, not_found, list_none, watch_open);
    until_log(&f, "health ok\n");
    assert_log(&f, "health pods: not allowed: words\n"
                   "health pods: not found: HTTP status 404: 404 page not found\n"
                   "begin\nend 20\nhealth ok\n");
    teardown(&f);
}

static void late_metadata(struct script_peer *peer)
{
    script_reply(
        peer, 200, "",
        "{\"items\":[" ITEM("a") "," ITEM("b") "],\"kind\":\"PodList\","
                                               "\"metadata\":{\"resourceVersion\":\"10\"}}");
}

static void metadata_may_stand_behind_the_items(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, late_metadata, watch_open);
    until_log(&f, "end 10\n");
    assert_log(&f, BEGUN);
    teardown(&f);
}

static void bad_list_1(struct script_peer *peer)
{
    script_reply(peer, 200, "", "{\"metadata\":{},\"items\":[]}");
}

static void bad_list_2(struct script_peer *peer)
{
    script_reply(peer, 200, "", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[" ITEM("a"));
}

static void bad_list_3(struct script_peer *peer)
{
    script_reply(peer, 200, "", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}");
}

static void bad_list_4(struct script_peer *peer)
{
    script_reply(peer, 200, "", "{\"metadata\":{\"resourceVersion\":\"1\" x},\"items\":[]}");
}

static void bad_list_5(struct script_peer *peer)
{
    script_reply(peer, 200, "", "");
}

static void a_list_that_is_none_is_never_made_whole(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, bad_list_1, bad_list_2, bad_list_3, bad_list_4, bad_list_5, list_none, watch_open);
    until_log(&f, "health ok\n");
    assert_null(strstr(ps_buf_text(&f.log), "end 1\n"));
    assert_true(ps_str_ends(ps_buf_get(&f.log), "begin\nend 20\nhealth ok\n"));
    assert_int_equal(kube_reflector_synced(f.reflector), true);
    teardown(&f);
}

static void a_list_behind_a_dead_server_heals(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, drop_connection, unavailable, list_two, watch_open);
    until_log(&f, "health ok\n");
    assert_true(ps_str_ends(ps_buf_get(&f.log), BEGUN "health ok\n"));
    teardown(&f);
}

static void an_impossible_namespace_is_told_later(void **state)
{
    (void)state;
    struct kube_reflector_options options = quick;
    struct fixture f;

    options.namespace = "";
    setup_with(&f, (step_fn *const[STEPS_MAX + 1]){list_two}, &options);
    until_log(&f, "not only dots\n");
    assert_int_equal(script_count(f.script), 0);
    teardown(&f);
}

/* ---- poison ------------------------------------------------------------------------------------
 */

/* Half of a surrogate pair and an integer above 64 bits: JSON that nothing can be made of. */
#define POISON_1                                                                                   \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"p1\",\"uid\":\"up\",\"resourceVersion\":"       \
    "\"41\"},\"x\":\"a\\ud800b\"}"
#define POISON_2                                                                                   \
    "{\"x\":123456789012345678901234567890,\"metadata\":{\"namespace\":\"n\",\"name\":\"p2\","     \
    "\"resourceVersion\":\"42\"}}"

static void list_poison(struct script_peer *peer)
{
    script_reply(peer, 200, "",
                 LIST("10", "",
                      ITEM("a") "," POISON_1 "," POISON_2 ",{\"metadata\":{}},7,\"x\","
                                "{\"metadata\":{\"name\":\"\\u0000\"}},"
                                "{\"metadata\":{\"name\":\"z\",\"resourceVersion\":\"5\"},"
                                "\"x\":\"\\u0000\"}," ITEM("b")));
}

static void poison_in_a_list_harms_only_itself(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_poison, watch_open);
    until_log(&f, "end 10\n");
    assert_log(&f, "begin\nitem n/a\npoison n/p1\npoison n/p2\npoison /\npoison /\npoison "
                   "/\npoison /\nitem /z\nitem n/b\n"
                   "end 10\n");
    teardown(&f);
}

static void poison_in_a_watch_harms_only_itself(void **state)
{
    (void)state;
    struct fixture f;

    SETUP(&f, list_two, watch_open, watch_open);
    until_requests(&f, 2);
    script_chunk(f.peer, "{\"type\":\"ADDED\",\"object\":" POISON_1 "}\n"
                         "{\"type\":\"MODIFIED\",\"object\":" POISON_2 "}\n");
    script_chunk(f.peer,
                 "{\"type\":\"DELETED\",\"object\":" POISON_1 "}\n"
                 "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Status\",\"metadata\":{}}}\n" EVENT(
                     "ADDED", "c", "50", "u5"));
    script_stream_end(f.peer);
    until_requests(&f, 3);
    assert_log(&f, BEGUN "poison n/p1\nprogress 41\npoison n/p2\nprogress 42\n"
                         "deleted n/p1 up\nprogress 41\npoison /\nchanged n/c u5\nprogress 50\n");
    assert_true(ps_str_starts(ps_str(script_line(f.script, 2)),
                              "GET /api/v1/pods?watch=1&resourceVersion=50&"));
    teardown(&f);
}

/* ---- pieces and freeing ------------------------------------------------------------------------
 */

static void events_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = EVENT("ADDED", "c", "11", "u{}\\\"") BOOKMARK("12");
    struct fixture f;

    SETUP(&f, list_two, watch_open);
    until_requests(&f, 2);
    for (size_t i = 0; text[i] != '\0'; i++) {
        const char byte[2] = {text[i], '\0'};

        script_chunk(f.peer, byte);
        if (i % 16 == 0)
            script_wait(f.loop, 1);
    }
    until_log(&f, "progress 12\n");
    assert_log(&f, BEGUN "changed n/c u{}\"\nprogress 11\nprogress 12\n");
    teardown(&f);
}

static void freed_in_any_callback_it_stays_silent(void **state)
{
    (void)state;

    static const struct {
        const char *at, *last;
        step_fn *list;
    } rows[] = {
        {"begin", "begin\n", list_poison},
        {"item", "item n/a\n", list_poison},
        {"poison", "poison n/p1\n", list_poison},
        {"end", "end 10\n", list_two},
        {"changed", "changed n/c u3\n", list_two},
        {"progress", "progress 11\n", list_two},
        {"deleted", "deleted n/b u2\n", list_two},
        {"health", "health pods: not allowed: words\n", forbidden},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        SETUP(&f, rows[i].list, watch_open);
        f.free_at = rows[i].at;
        if (rows[i].list == list_two && !ps_streq(rows[i].at, "end")) {
            until_requests(&f, 2);
            script_chunk(f.peer, EVENT("ADDED", "c", "11", "u3") EVENT("DELETED", "b", "12", "u2")
                                     EVENT("ADDED", "d", "13", "u4"));
        }
        until_log(&f, rows[i].last);
        script_wait(f.loop, 30);
        assert_null(f.reflector);
        assert_true(ps_str_ends(ps_buf_get(&f.log), rows[i].last));
        teardown(&f);
    }
}

static void freed_while_waiting_for_anything(void **state)
{
    (void)state;
    static step_fn *const rows[] = {list_two, forbidden, watch_ends_at_once};

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;

        SETUP(&f, rows[i], watch_open);
        if (i > 0)
            script_wait(f.loop, (int64_t)i);
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_then_watches_from_the_lists_version),
        cmocka_unit_test(options_are_asked_for),
        cmocka_unit_test(pages_are_one_snapshot),
        cmocka_unit_test(an_empty_list_may_be_null),
        cmocka_unit_test(a_watch_that_ends_goes_on_from_the_last_version),
        cmocka_unit_test(a_cut_watch_goes_on_too_and_bookmarks_count),
        cmocka_unit_test(a_silent_watch_is_opened_anew),
        cmocka_unit_test(a_changed_uid_is_passed_on),
        cmocka_unit_test(gone_in_both_forms_lists_again),
        cmocka_unit_test(gone_pages_are_asked_for_at_once),
        cmocka_unit_test(events_lists_and_watches_are_counted),
        cmocka_unit_test(throttling_and_outages_keep_the_version),
        cmocka_unit_test(a_servers_wish_to_wait_is_kept),
        cmocka_unit_test(what_is_not_understood_backs_off_and_lists_again),
        cmocka_unit_test(very_short_watches_back_off),
        cmocka_unit_test(failed_lists_are_told_once_and_tried_again),
        cmocka_unit_test(metadata_may_stand_behind_the_items),
        cmocka_unit_test(a_list_that_is_none_is_never_made_whole),
        cmocka_unit_test(a_list_behind_a_dead_server_heals),
        cmocka_unit_test(an_impossible_namespace_is_told_later),
        cmocka_unit_test(poison_in_a_list_harms_only_itself),
        cmocka_unit_test(poison_in_a_watch_harms_only_itself),
        cmocka_unit_test(events_may_come_byte_by_byte),
        cmocka_unit_test(freed_in_any_callback_it_stays_silent),
        cmocka_unit_test(freed_while_waiting_for_anything),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
