/* SPDX-License-Identifier: Apache-2.0 */
/* Lists as the beginning of a watch, and the servers that don't know them. */
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
#define STEPS_MAX 8

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

#define PATH "GET /api/v1/pods"
#define BEGINNING(rv)                                                                              \
    PATH "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=" rv   \
         "&allowWatchBookmarks=true&timeoutSeconds=3"
#define WATCH(rv) PATH "?watch=1&resourceVersion=" rv "&allowWatchBookmarks=true&timeoutSeconds=3"
#define EVENT(type, name, rv)                                                                      \
    "{\"type\":\"" type "\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\","       \
    "\"name\":\"" name "\",\"resourceVersion\":\"" rv "\"}}}\n"
#define BOOKMARK(rv, more)                                                                         \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" rv  \
    "\"" more "}}}\n"
#define LIST_END(rv) BOOKMARK(rv, ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}")
#define TWO          EVENT("ADDED", "a", "7") EVENT("ADDED", "b", "3")
#define STATUS(code, reason)                                                                       \
    "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"code\":" code ",\"message\":\"words\"}"
#define PLAIN "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":[]}"

struct step {
    int status; /* 0: a watch with the text */
    const char *text;
    bool ends; /* the watch, well */
};

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct kube_reflector *reflector;
    const struct step *steps; /* the last one again and again */
    struct script_peer *peer;
    struct ps_buf log;
    bool free_at_end;
};

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    int n = 0;

    while (n < request->number && f->steps[n + 1].text != NULL)
        n++;
    f->peer = peer;
    if (f->steps[n].status != 0) {
        script_reply(peer, f->steps[n].status, "", f->steps[n].text);
        return;
    }
    script_stream(peer);
    if (f->steps[n].text[0] != '\0')
        script_chunk(peer, f->steps[n].text);
    if (f->steps[n].ends)
        script_stream_end(peer);
}

static void note(struct fixture *f, const char *what, const char *which)
{
    ps_buf_printf(&f->log, "%s %s\n", what, which);
}

static void on_begin(void *self)
{
    note(self, "begin", "");
}

static void on_item(void *self, const struct kube_seen *seen)
{
    note(self, "item", seen->name);
}

static void on_end(void *self, const char *rv)
{
    struct fixture *f = self;

    note(f, "end", rv);
    if (f->free_at_end) {
        kube_reflector_free(f->reflector);
        f->reflector = NULL;
    }
}

static void on_changed(void *self, const struct kube_seen *seen)
{
    note(self, "changed", seen->name);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    note(self, "deleted", seen->name);
}

static void on_progress(void *self, const char *rv)
{
    note(self, "progress", rv);
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    (void)namespace;
    (void)why;
    note(self, "poison", name);
}

static void on_health(void *self, const char *trouble)
{
    note(self, "health", trouble ? trouble : "ok");
}

static void setup(struct fixture *f, const struct step *steps)
{
    const struct kube_reflector_options options = {
        .kind = &pods,
        .watch_list = true,
        .watch_list_timeout_ms = 100,
        .backoff_first_ms = 5,
        .backoff_max_ms = 20,
        .watch_timeout_ms = 3000,
    };
    const struct kube_reflector_callbacks callbacks = {
        on_begin, on_item, on_end, on_changed, on_deleted, on_progress, on_poison, on_health, f};

    *f = (struct fixture){.loop = loop_new(), .steps = steps};
    http_global_init();
    ps_buf_init(&f->log, 65536);
    f->script = script_new(f->loop, on_server, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
    f->reflector = kube_reflector_new(f->client, &options, &callbacks);
    kube_reflector_start(f->reflector);
}

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

static void until_requests(struct fixture *f, int count)
{
    for (int64_t end = loop_now_ms() + ENOUGH_MS; script_count(f->script) < count;) {
        if (loop_now_ms() > end)
            fail_msg("%d requests:\n%s", script_count(f->script), ps_buf_text(&f->log));
        script_wait(f->loop, 1);
    }
    script_wait(f->loop, 20);
}

static void assert_log(struct fixture *f, const char *want)
{
    const int64_t end = loop_now_ms() + ENOUGH_MS;

    while (f->log.n < strlen(want) && loop_now_ms() < end)
        script_wait(f->loop, 1);
    if (!ps_streq(ps_buf_text(&f->log), want))
        fail_msg("log:\n%s\nwanted:\n%s", ps_buf_text(&f->log), want);
    ps_buf_clear(&f->log);
}

static void a_list_is_whole_at_its_bookmark_and_the_watch_goes_on(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, TWO BOOKMARK("8", "") EVENT("MODIFIED", "a", "9") EVENT("DELETED", "b", "10"), false},
        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 1);
    assert_string_equal(script_line(f.script, 0), BEGINNING(""));
    assert_log(&f, "begin \nitem a\nitem b\nitem a\ndeleted b\n");
    assert_false(kube_reflector_synced(f.reflector));
    script_chunk(f.peer, LIST_END("12") EVENT("ADDED", "c", "13"));
    script_wait(f.loop, 150); /* longer than a list may be silent */
    assert_log(&f, "end 12\nchanged c\nprogress 13\n");
    assert_true(kube_reflector_synced(f.reflector));
    script_stream_end(f.peer);
    until_requests(&f, 2);
    assert_int_equal(script_count(f.script), 2);
    assert_string_equal(script_line(f.script, 1), WATCH("13"));
    teardown(&f);
}

static void a_list_that_breaks_off_is_nothing(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, TWO, true}, {0, LIST_END("20"), false}, {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 2);
    assert_string_equal(script_line(f.script, 1), BEGINNING(""));
    assert_log(&f, "begin \nitem a\nitem b\n"
                   "health pods: answer not understood: watch: ended before its list did\n"
                   "begin \nend 20\nhealth ok\n");
    teardown(&f);
}

static void later_lists_ask_for_what_is_not_older(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, LIST_END("20") "oops\n", false},
                                        {410, STATUS("410", "Expired"), false},
                                        {0, LIST_END("30"), false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 3);
    assert_string_equal(script_line(f.script, 1), BEGINNING("20"));
    assert_string_equal(script_line(f.script, 2), BEGINNING(""));
    assert_log(&f, "begin \nend 20\nhealth pods: answer not understood: watch: not a stream of "
                   "objects\nbegin \nend 30\nhealth ok\n");
    teardown(&f);
}

static void a_server_that_refuses_it_is_not_asked_again(void **state)
{
    (void)state;
    static const struct step steps[] = {{422, STATUS("422", "Invalid"), false},
                                        {200, PLAIN, false},
                                        {0, "oops\n", false},
                                        {200, PLAIN, false},
                                        {0, "", false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 5);
    assert_string_equal(script_line(f.script, 0), BEGINNING(""));
    assert_string_equal(script_line(f.script, 1), PATH "?limit=500");
    assert_string_equal(script_line(f.script, 2), WATCH("40"));
    assert_string_equal(script_line(f.script, 3), PATH "?resourceVersion=40");
    assert_string_equal(script_line(f.script, 4), WATCH("40"));
    teardown(&f);
}

static void a_server_that_sends_no_end_is_asked_plainly(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, TWO, false}, {200, PLAIN, false}, {0, "", false}, {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    const int64_t start = loop_now_ms();

    until_requests(&f, 3);
    assert_in_range(loop_now_ms() - start, 100, 2000);
    assert_string_equal(script_line(f.script, 1), PATH "?limit=500");
    assert_string_equal(script_line(f.script, 2), WATCH("40"));
    assert_log(&f, "begin \nitem a\nitem b\nbegin \nend 40\n");
    teardown(&f);
}

static void trouble_is_waited_out(void **state)
{
    (void)state;
    static const struct step steps[] = {{403, STATUS("403", "Forbidden"), false},
                                        {503, "", false},
                                        {0, LIST_END("20"), false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 3);
    assert_string_equal(script_line(f.script, 2), BEGINNING(""));
    assert_log(&f, "health pods: not allowed: words\nhealth pods: server error: HTTP status 503\n"
                   "begin \nend 20\nhealth ok\n");
    teardown(&f);
}

static void freed_at_the_end_of_its_list_it_stays_silent(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, TWO LIST_END("20") EVENT("ADDED", "c", "21"), false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    f.free_at_end = true;
    until_requests(&f, 1);
    assert_null(f.reflector);
    assert_log(&f, "begin \nitem a\nitem b\nend 20\n");
    teardown(&f);
}

/* ---- anew ------------------------------------------------------------------------------------ */

static void a_refresh_asks_for_the_newest_state(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, LIST_END("20"), false}, {0, TWO LIST_END("30"), false}, {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 1);
    assert_log(&f, "begin \nend 20\n");
    kube_reflector_refresh(f.reflector);
    until_requests(&f, 2);
    assert_string_equal(script_line(f.script, 1), BEGINNING(""));
    assert_log(&f, "begin \nitem a\nitem b\nend 30\n");
    script_chunk(f.peer, EVENT("ADDED", "c", "31"));
    assert_log(&f, "changed c\nprogress 31\n");
    assert_int_equal(script_open(f.script), 1); /* the watch before is over */
    teardown(&f);
}

static void a_refresh_without_watch_lists(void **state)
{
    (void)state;
    static const struct step steps[] = {{422, STATUS("422", "Invalid"), false},
                                        {200, PLAIN, false},
                                        {0, EVENT("ADDED", "a", "41"), false},
                                        {200, PLAIN, false},
                                        {0, "", false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 3);
    kube_reflector_refresh(f.reflector);
    until_requests(&f, 5);
    assert_string_equal(script_line(f.script, 3), PATH "?limit=500");
    assert_string_equal(script_line(f.script, 4), WATCH("40"));
    teardown(&f);
}

/* What was listed so far may be older than the refresh. */
static void a_refresh_gives_up_a_list(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, TWO, false}, {0, LIST_END("30"), false}, {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    until_requests(&f, 1);
    kube_reflector_refresh(f.reflector);
    until_requests(&f, 2);
    script_wait(f.loop, 150); /* longer than the first list may be silent */
    assert_int_equal(script_count(f.script), 2);
    assert_log(&f, "begin \nitem a\nitem b\nbegin \nend 30\n");
    teardown(&f);
}

static void a_refresh_in_trouble_asks_for_the_newest_state(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, LIST_END("20") "oops\n", false},
                                        {503, "", false},
                                        {0, LIST_END("30"), false},
                                        {0, NULL, false}};
    struct fixture f;

    setup(&f, steps);
    while (f.log.n == 0 || !ps_str_ends(ps_buf_get(&f.log), "objects\n"))
        script_wait(f.loop, 1);
    kube_reflector_refresh(f.reflector); /* in the backoff, or just behind it */
    until_requests(&f, 3);
    assert_string_equal(script_line(f.script, 2), BEGINNING(""));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_whole_at_its_bookmark_and_the_watch_goes_on),
        cmocka_unit_test(a_list_that_breaks_off_is_nothing),
        cmocka_unit_test(later_lists_ask_for_what_is_not_older),
        cmocka_unit_test(a_server_that_refuses_it_is_not_asked_again),
        cmocka_unit_test(a_server_that_sends_no_end_is_asked_plainly),
        cmocka_unit_test(trouble_is_waited_out),
        cmocka_unit_test(freed_at_the_end_of_its_list_it_stays_silent),
        cmocka_unit_test(a_refresh_asks_for_the_newest_state),
        cmocka_unit_test(a_refresh_without_watch_lists),
        cmocka_unit_test(a_refresh_gives_up_a_list),
        cmocka_unit_test(a_refresh_in_trouble_asks_for_the_newest_state),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("kube/watch_list", tests, NULL, NULL);
}
