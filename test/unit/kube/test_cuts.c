/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording of two pages and a watch, and of a list within a watch, cut after every byte: what is
 * known in the end is the same as without the cut. The server answers as a real one would: it goes
 * on behind the resourceVersion that it is asked for, and a list after the cut shows the newest
 * state.
 */
#include "kube/kube.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS 20000
#define BATCH     64
#define NAMES     "abcdp"
#define CACHE_MAX ((size_t)512)

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

/* ---- the recording --------------------------------------------------------------------------- */

#define OBJECT(name, uid, rv, more)                                                                \
    "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid     \
    "\",\"resourceVersion\":\"" rv "\"}" more "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define PAGE(rv, next, items)                                                                      \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" next      \
    "\"},\"items\":[" items "]}\n"
#define AWKWARD ",\"x\":\"}]\\\"{\\\\\",\"y\":[[{}],1.5e3,null]"
#define POISON  OBJECT("p", "u5", "16", ",\"x\":tru")

static const char page_1[] =
    PAGE("10", "t", OBJECT("a", "u1", "5", "") "," OBJECT("b", "u2", "6", AWKWARD));
static const char page_2[] = PAGE("10", "", OBJECT("c", "u3", "7", ""));
static const char newest[] =
    PAGE("20", "", OBJECT("a", "u1", "17", "") "," POISON "," OBJECT("c", "u4", "15", ""));

static const struct {
    int64_t rv;
    const char *text;
} events[] = {
    {11, EVENT("ADDED", OBJECT("d", "u6", "11", AWKWARD))},
    {12, EVENT("MODIFIED", OBJECT("a", "u1", "12", ""))},
    {13, EVENT("DELETED", OBJECT("b", "u2", "13", ""))},
    {14, EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"14\"}}")},
    {15, EVENT("MODIFIED", OBJECT("c", "u4", "15", ""))}, /* made anew */
    {16, EVENT("ADDED", POISON)},
    {17, EVENT("MODIFIED", OBJECT("a", "u1", "17", ""))},
    {18, EVENT("DELETED", OBJECT("d", "u6", "18", ""))},
    {20, EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"20\"}}")},
};

#define IN_THE_END "a u1 17\nc u4 15\np unreadable\n"

#define INITIAL_END(rv)                                                                            \
    EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" rv                  \
                      "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define ADDED(name, uid, rv, more) EVENT("ADDED", OBJECT(name, uid, rv, more))

static const char initial[] = ADDED("c", "u3", "7", "") ADDED("a", "u1", "5", "")
    ADDED("b", "u2", "6", AWKWARD) INITIAL_END("10");
static const char newest_initial[] =
    ADDED("c", "u4", "15", "") EVENT("ADDED", POISON) ADDED("a", "u1", "17", "") INITIAL_END("20");

static void watch_text(struct ps_buf *out, int64_t after)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(events); i++) {
        if (events[i].rv > after)
            ps_buf_str(out, events[i].text);
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

enum what {
    UNCUT,
    PAGE_1,
    PAGE_2,
    WATCH_ENDS,     /* the stream ends well, in the middle of whatever */
    WATCH_DIES,     /* the connection does */
    BEGINNING_ENDS, /* the same of a watch that begins with the list */
    BEGINNING_DIES,
};

/* What is known by name: "uid rv", or "unreadable". */
struct cache {
    char of[sizeof(NAMES)][32];
};

struct fixture {
    enum what what;
    size_t cut_at;
    bool was_cut;
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct kube_reflector *reflector;
    struct cache now, listed;
    bool listing, done;
};

static bool cuts(struct fixture *f, enum what what)
{
    if (f->was_cut || f->what != what)
        return false;
    f->was_cut = true;
    return true;
}

/* Without a length: where it ends, the connection ends, and only its reader can tell. */
static void send_page(struct fixture *f, struct script_peer *peer, enum what what, const char *text)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    const size_t n = cuts(f, what) ? f->cut_at : strlen(text);

    script_send(peer, head);
    script_send_n(peer, text, n);
    script_close(peer);
}

static void send_watch(struct fixture *f, struct script_peer *peer, const char *target)
{
    const char *rv = strstr(target, "resourceVersion=");
    PS_AUTO_BUF(text, 4096);

    assert_non_null(rv);
    if (strstr(target, "sendInitialEvents=true") == NULL) {
        watch_text(&text, strtoll(rv + strlen("resourceVersion="), NULL, 10));
    } else if (f->was_cut) {
        ps_buf_str(&text, newest_initial);
    } else {
        ps_buf_str(&text, initial);
        watch_text(&text, 10);
    }
    script_stream(peer);
    if (cuts(f, f->what > PAGE_2 ? f->what : UNCUT) && f->cut_at < text.n) {
        text.p[f->cut_at] = '\0';
        text.n = f->cut_at;
        if (text.n > 0)
            script_chunk(peer, ps_buf_text(&text));
        if (f->what == WATCH_ENDS || f->what == BEGINNING_ENDS) {
            script_stream_end(peer);
        } else {
            script_close(peer);
        }
    } else if (text.n > 0) {
        script_chunk(peer, ps_buf_text(&text));
    }
}

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;

    if (strstr(request->target, "watch=1") != NULL) {
        send_watch(f, peer, request->target);
    } else if (strstr(request->target, "continue=") != NULL) {
        send_page(f, peer, PAGE_2, page_2);
    } else if (f->was_cut && f->what > PAGE_2) {
        send_page(f, peer, UNCUT, newest);
    } else {
        send_page(f, peer, PAGE_1, page_1);
    }
}

/* ---- what is known --------------------------------------------------------------------------- */

static void know(struct fixture *f, const char *name, const char *uid, const char *rv)
{
    struct cache *cache = f->listing ? &f->listed : &f->now;
    const char *at = strchr(NAMES, name[0]);
    PS_AUTO_BUF(text, sizeof(cache->of[0]) - 1);

    assert_non_null(at);
    ps_buf_printf(&text, "%s%s%s", uid, rv ? " " : "", rv ? rv : "");
    memcpy(cache->of[at - NAMES], ps_buf_text(&text), text.n + 1);
}

static void on_begin(void *self)
{
    struct fixture *f = self;

    f->listing = true;
    f->listed = (struct cache){0};
}

static void on_seen(void *self, const struct kube_seen *seen)
{
    know(self, seen->name, seen->uid, seen->rv);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    know(self, seen->name, "", NULL);
}

static void on_progress(void *self, const char *rv)
{
    struct fixture *f = self;

    f->done = f->done || ps_streq(rv, "20");
}

static void on_end(void *self, const char *rv)
{
    struct fixture *f = self;

    f->now = f->listed;
    f->listing = false;
    on_progress(f, rv);
}

static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    (void)namespace;
    (void)why;
    assert_string_equal(name, "p"); /* a cut is no poison */
    know(self, name, "unreadable", NULL);
}

static void on_health(void *self, const char *trouble)
{
    struct fixture *f = self;

    (void)trouble;
    if (f->listing) /* a list that failed is nothing */
        f->listing = false;
}

static void check(const struct fixture *f)
{
    PS_AUTO_BUF(text, CACHE_MAX);

    for (size_t i = 0; i < strlen(NAMES); i++) {
        if (f->now.of[i][0] != '\0')
            ps_buf_printf(&text, "%c %s\n", NAMES[i], f->now.of[i]);
    }
    if (!ps_streq(ps_buf_text(&text), IN_THE_END))
        fail_msg("%d cut after %zu bytes:\n%s", (int)f->what, f->cut_at, ps_buf_text(&text));
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void setup(struct fixture *f, struct loop *loop)
{
    const struct kube_reflector_options options = {.kind = &pods,
                                                   .backoff_first_ms = 2,
                                                   .backoff_max_ms = 10,
                                                   .watch_timeout_ms = 10000,
                                                   .watch_list = f->what >= BEGINNING_ENDS};
    const struct kube_reflector_callbacks callbacks = {
        on_begin, on_seen, on_end, on_seen, on_deleted, on_progress, on_poison, on_health, f};

    f->loop = loop;
    f->script = script_new(loop, on_server, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(loop, &f->config, "penstock/test");
    f->reflector = kube_reflector_new(f->client, &options, &callbacks);
    kube_reflector_start(f->reflector);
}

static void teardown(struct fixture *f)
{
    kube_reflector_free(f->reflector);
    kube_client_free(f->client);
    script_free(f->script);
    kube_config_fini(&f->config);
}

static void run_batch(enum what what, size_t first, size_t count)
{
    struct fixture *all = ps_xcalloc(count, sizeof(*all));
    struct loop *loop = loop_new();
    const int64_t end = loop_now_ms() + ENOUGH_MS;

    http_global_init();
    for (size_t i = 0; i < count; i++) {
        all[i].what = what;
        all[i].cut_at = first + i;
        setup(&all[i], loop);
    }
    for (size_t i = 0; i < count; i++) {
        while (!all[i].done && loop_now_ms() < end)
            script_wait(loop, 1);
        check(&all[i]);
        assert_true(all[i].was_cut || what == UNCUT);
    }
    for (size_t i = 0; i < count; i++)
        teardown(&all[i]);
    loop_free(loop);
    http_global_fini();
    ps_free(all);
}

static void run(enum what what, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += BATCH)
        run_batch(what, at, bytes - at < BATCH ? bytes - at : BATCH);
}

static void without_a_cut(void **state)
{
    (void)state;
    run(UNCUT, 1);
}

static void pages_cut_after_every_byte(void **state)
{
    (void)state;
    run(PAGE_1, strlen(page_1));
    run(PAGE_2, strlen(page_2));
}

static void a_watch_cut_after_every_byte(void **state)
{
    (void)state;
    PS_AUTO_BUF(text, 4096);

    watch_text(&text, 0);
    run(WATCH_ENDS, text.n);
    run(WATCH_DIES, text.n);
}

static void a_list_within_a_watch_cut_after_every_byte(void **state)
{
    (void)state;
    PS_AUTO_BUF(text, 4096);

    ps_buf_str(&text, initial);
    watch_text(&text, 10);
    run(BEGINNING_ENDS, text.n);
    run(BEGINNING_DIES, text.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_cut),
        cmocka_unit_test(pages_cut_after_every_byte),
        cmocka_unit_test(a_watch_cut_after_every_byte),
        cmocka_unit_test(a_list_within_a_watch_cut_after_every_byte),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("kube/cuts", tests, NULL, NULL);
}
