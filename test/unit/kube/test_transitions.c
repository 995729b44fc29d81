/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows what, in the life of a reflector: one row for each thing that can happen, with the
 * request that must come next and how long it must wait. The times are shortened: a backoff begins
 * with 100 ms; "at once" is anything clearly below.
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

#define ENOUGH_MS  8000
#define BACKOFF_MS 100
#define AT_ONCE_MS (BACKOFF_MS - 20)
#define BATCH      8
#define STEPS_MAX  5

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};

/* ---- requests -------------------------------------------------------------------------------- */

#define PATH       "GET /api/v1/pods"
#define FIRST_LIST PATH "?limit=500"
#define RELIST(rv) PATH "?resourceVersion=" rv
#define WATCH(rv)  PATH "?watch=1&resourceVersion=" rv "&allowWatchBookmarks=true&timeoutSeconds=3"

#define BEGINNING(rv)                                                                              \
    PATH "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=" rv   \
         "&allowWatchBookmarks=true&timeoutSeconds=3"

/* ---- answers --------------------------------------------------------------------------------- */

#define LIST(rv, rest)                                                                             \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\"" rest "},\"items\":[]}"
#define OBJECT(name, rv)                                                                           \
    "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"u\","     \
    "\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, rv) "{\"type\":\"" type "\",\"object\":" OBJECT("a", rv) "}\n"
#define STATUS(code, reason, more)                                                                 \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"words\",\"reason\":\"" reason       \
    "\",\"code\":" code more "}"
#define ERROR_EVENT(code, reason) "{\"type\":\"ERROR\",\"object\":" STATUS(code, reason, "") "}\n"
#define TOO_LARGE                                                                                  \
    STATUS("504", "Timeout",                                                                       \
           ",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":"        \
           "\"Too large resource version\"}],\"retryAfterSeconds\":1}")
#define LIST_END                                                                                   \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":"       \
    "\"10\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define NO_VERSION_END                                                                             \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"                           \
    "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define EXPIRED STATUS("410", "Expired", "")

enum how {
    NOTHING, /* no such step */
    ANSWER,  /* a whole answer: status, headers, body */
    STREAM,  /* a watch with the text, which ends well */
    CUT,     /* … and breaks off in the middle of a chunk */
    OPEN,    /* … and stays open */
    LATER,   /* … and ends well after a second and a bit */
    SILENT,  /* nothing */
    CLOSE,   /* the connection is closed */
    HUGE,    /* a watch with a frame without end */
};

struct step {
    enum how how;
    int status;
    const char *headers, *text;
};

#define FIRST                                                                                      \
    {                                                                                              \
        ANSWER, 200, "", LIST("10", "")                                                            \
    }
#define LISTED(r)                                                                                  \
    {                                                                                              \
        ANSWER, 200, "", LIST(r, "")                                                               \
    }
#define REFUSED(code, headers, body)                                                               \
    {                                                                                              \
        ANSWER, code, headers, body                                                                \
    }
#define WATCHED(text)                                                                              \
    {                                                                                              \
        STREAM, 0, "", text                                                                        \
    }

struct row {
    const char *name;
    struct step
        steps[STEPS_MAX]; /* the answers to the requests in turn; after them it stays open */
    const char *next;     /* the request after the last step */
    int64_t at_least_ms, at_most_ms; /* between that step and it */
};

#define AT_ONCE   0, AT_ONCE_MS
#define BACKS_OFF BACKOFF_MS, 2 * BACKOFF_MS + 200

static const struct row rows[] = {
    /* the normal life */
    {"the start", {{NOTHING, 0, "", ""}}, FIRST_LIST, 0, ENOUGH_MS},
    {"a list is whole", {FIRST}, WATCH("10"), AT_ONCE},
    {"a page of it",
     {{ANSWER, 200, "", LIST("10", ",\"continue\":\"t/1\"")}},
     PATH "?limit=500&continue=t%2F1",
     AT_ONCE},
    {"a watch has ended well after an event",
     {FIRST, WATCHED(EVENT("ADDED", "11"))},
     WATCH("11"),
     AT_ONCE},
    {"… after a bookmark", {FIRST, WATCHED(EVENT("BOOKMARK", "30"))}, WATCH("30"), AT_ONCE},
    {"… after a deletion", {FIRST, WATCHED(EVENT("DELETED", "12"))}, WATCH("12"), AT_ONCE},
    {"a watch is cut after an event",
     {FIRST, {CUT, 0, "", EVENT("ADDED", "11")}},
     WATCH("11"),
     AT_ONCE},
    {"a watch has ended after a second without a word",
     {FIRST, {LATER, 0, "", ""}},
     WATCH("10"),
     1000,
     1500},
    /* very short watches */
    {"a watch has ended at once", {FIRST, WATCHED("")}, RELIST("10"), BACKS_OFF},
    {"a watch is cut at once", {FIRST, {CUT, 0, "", ""}}, RELIST("10"), BACKS_OFF},
    /* the watch can't be opened */
    {"429",
     {FIRST, REFUSED(429, "", STATUS("429", "TooManyRequests", ""))},
     WATCH("10"),
     BACKS_OFF},
    {"429 with a time", {FIRST, REFUSED(429, "Retry-After: 1\r\n", "")}, WATCH("10"), 1000, 1300},
    {"503 with a time", {FIRST, REFUSED(503, "Retry-After: 1\r\n", "")}, WATCH("10"), 1000, 1300},
    {"500", {FIRST, REFUSED(500, "", STATUS("500", "InternalError", ""))}, WATCH("10"), BACKS_OFF},
    {"502", {FIRST, REFUSED(502, "", "<html>")}, WATCH("10"), BACKS_OFF},
    {"the connection ends without an answer", {FIRST, {CLOSE, 0, "", ""}}, WATCH("10"), BACKS_OFF},
    {"no answer at all", {FIRST, {SILENT, 0, "", ""}}, WATCH("10"), 1500, 2500},
    {"403", {FIRST, REFUSED(403, "", STATUS("403", "Forbidden", ""))}, RELIST("10"), 150, 500},
    {"404", {FIRST, REFUSED(404, "", "404 page not found")}, RELIST("10"), 150, 500},
    {"401", {FIRST, REFUSED(401, "", STATUS("401", "Unauthorized", ""))}, RELIST("10"), 150, 500},
    {"400", {FIRST, REFUSED(400, "", STATUS("400", "BadRequest", ""))}, RELIST("10"), BACKS_OFF},
    /* history is gone */
    {"410 when it is opened, just after a list",
     {FIRST, REFUSED(410, "", EXPIRED)},
     RELIST("10"),
     BACKS_OFF},
    {"410 as an event, just after a list",
     {FIRST, WATCHED(ERROR_EVENT("410", "Expired"))},
     RELIST("10"),
     BACKS_OFF},
    {"410 as an event, later",
     {FIRST, {LATER, 0, "", ""}, WATCHED(ERROR_EVENT("410", "Gone"))},
     RELIST("10"),
     AT_ONCE},
    {"410 when it is opened, later",
     {FIRST, {LATER, 0, "", ""}, REFUSED(410, "", EXPIRED)},
     RELIST("10"),
     AT_ONCE},
    {"events, then 410",
     {FIRST, {LATER, 0, "", ""}, WATCHED(EVENT("ADDED", "11") ERROR_EVENT("410", "Expired"))},
     RELIST("11"),
     AT_ONCE},
    {"the list again: 410", {FIRST, WATCHED(""), REFUSED(410, "", EXPIRED)}, FIRST_LIST, AT_ONCE},
    {"the list again: too new for the server",
     {FIRST, WATCHED(""), REFUSED(504, "", TOO_LARGE)},
     FIRST_LIST,
     AT_ONCE},
    {"the list again: another 504",
     {FIRST, WATCHED(""), REFUSED(504, "", STATUS("504", "Timeout", ""))},
     RELIST("10"),
     150,
     500},
    {"the list again, without a version: 410, too",
     {FIRST, WATCHED(""), REFUSED(410, "", EXPIRED), REFUSED(410, "", EXPIRED)},
     FIRST_LIST,
     150,
     500},
    {"the list again, done", {FIRST, WATCHED(""), LISTED("20")}, WATCH("20"), AT_ONCE},
    {"the list again, done without a version",
     {FIRST, WATCHED(""), REFUSED(410, "", EXPIRED), LISTED("30")},
     WATCH("30"),
     AT_ONCE},
    {"410 for a second page",
     {{ANSWER, 200, "", LIST("10", ",\"continue\":\"t\"")}, REFUSED(410, "", EXPIRED)},
     PATH,
     AT_ONCE},
    {"410 for the whole, too",
     {{ANSWER, 200, "", LIST("10", ",\"continue\":\"t\"")},
      REFUSED(410, "", EXPIRED),
      REFUSED(410, "", EXPIRED)},
     FIRST_LIST,
     BACKS_OFF},
    /* other events of error */
    {"429 as an event",
     {FIRST, WATCHED(ERROR_EVENT("429", "TooManyRequests"))},
     WATCH("10"),
     BACKS_OFF},
    {"500 as an event",
     {FIRST, WATCHED(ERROR_EVENT("500", "InternalError"))},
     RELIST("10"),
     BACKS_OFF},
    {"403 as an event", {FIRST, WATCHED(ERROR_EVENT("403", "Forbidden"))}, RELIST("10"), 150, 500},
    /* what can't be understood */
    {"not JSON", {FIRST, {OPEN, 0, "", "<html>\n"}}, RELIST("10"), BACKS_OFF},
    {"an event, then not JSON",
     {FIRST, {OPEN, 0, "", EVENT("ADDED", "11") "oops\n"}},
     RELIST("11"),
     BACKS_OFF},
    {"broken JSON", {FIRST, {OPEN, 0, "", "{\"type\" \"ADDED\"}\n"}}, RELIST("10"), BACKS_OFF},
    {"an event of no known type",
     {FIRST, {OPEN, 0, "", "{\"type\":\"RENAMED\",\"object\":{}}\n"}},
     RELIST("10"),
     BACKS_OFF},
    {"a frame without end", {FIRST, {HUGE, 0, "", ""}}, RELIST("10"), BACKOFF_MS, 2000},
    /* the first list fails */
    {"list: 429 with a time", {REFUSED(429, "Retry-After: 1\r\n", "")}, FIRST_LIST, 1000, 1300},
    {"list: 500", {REFUSED(500, "", "")}, FIRST_LIST, BACKS_OFF},
    {"list: 403", {REFUSED(403, "", STATUS("403", "Forbidden", ""))}, FIRST_LIST, 150, 500},
    {"list: 404", {REFUSED(404, "", "")}, FIRST_LIST, 150, 500},
    {"list: no answer", {{CLOSE, 0, "", ""}}, FIRST_LIST, BACKS_OFF},
    {"list: not JSON", {{ANSWER, 200, "", "<html>"}}, FIRST_LIST, BACKS_OFF},
    {"list: cut",
     {{ANSWER, 200, "", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":["}},
     FIRST_LIST,
     BACKS_OFF},
};

#define SILENCE_MS 300 /* how long a list within a watch may be silent */

/* The same where lists are the beginning of a watch. */
static const struct row watch_list_rows[] = {
    {"the start", {{NOTHING, 0, "", ""}}, BEGINNING(""), 0, ENOUGH_MS},
    {"a list is whole, and the watch has ended well", {WATCHED(LIST_END)}, WATCH("10"), AT_ONCE},
    {"… after an event", {WATCHED(LIST_END EVENT("ADDED", "11"))}, WATCH("11"), AT_ONCE},
    {"… cut", {{CUT, 0, "", EVENT("ADDED", "5") LIST_END}}, WATCH("10"), AT_ONCE},
    /* the list fails */
    {"it ends within the list", {WATCHED(EVENT("ADDED", "5"))}, BEGINNING(""), BACKS_OFF},
    {"it is cut within the list", {{CUT, 0, "", EVENT("ADDED", "5")}}, BEGINNING(""), BACKS_OFF},
    {"the end has no version", {{OPEN, 0, "", NO_VERSION_END}}, BEGINNING(""), BACKS_OFF},
    {"not JSON", {{OPEN, 0, "", EVENT("ADDED", "5") "<html>\n"}}, BEGINNING(""), BACKS_OFF},
    {"the connection ends without an answer", {{CLOSE, 0, "", ""}}, BEGINNING(""), BACKS_OFF},
    {"no answer at all",
     {{SILENT, 0, "", ""}},
     BEGINNING(""),
     SILENCE_MS + BACKOFF_MS,
     SILENCE_MS + 2 * BACKOFF_MS + 200},
    {"429 with a time", {REFUSED(429, "Retry-After: 1\r\n", "")}, BEGINNING(""), 1000, 1300},
    {"429 as an event", {WATCHED(ERROR_EVENT("429", "TooManyRequests"))}, BEGINNING(""), BACKS_OFF},
    {"500", {REFUSED(500, "", "")}, BEGINNING(""), BACKS_OFF},
    {"500 as an event", {WATCHED(ERROR_EVENT("500", "InternalError"))}, BEGINNING(""), BACKS_OFF},
    {"403", {REFUSED(403, "", STATUS("403", "Forbidden", ""))}, BEGINNING(""), 150, 500},
    {"404", {REFUSED(404, "", "404 page not found")}, BEGINNING(""), 150, 500},
    {"410", {REFUSED(410, "", EXPIRED)}, BEGINNING(""), BACKS_OFF},
    /* the server does not know it */
    {"422", {REFUSED(422, "", STATUS("422", "Invalid", ""))}, FIRST_LIST, AT_ONCE},
    {"400", {REFUSED(400, "", STATUS("400", "BadRequest", ""))}, FIRST_LIST, AT_ONCE},
    {"no end of the list",
     {{OPEN, 0, "", EVENT("ADDED", "5")}},
     FIRST_LIST,
     SILENCE_MS - 20,
     SILENCE_MS + 300},
    {"422 once, then trouble",
     {REFUSED(422, "", STATUS("422", "Invalid", "")), REFUSED(500, "", "")},
     FIRST_LIST,
     BACKS_OFF},
    /* the list again */
    {"a watch that is not understood",
     {{OPEN, 0, "", LIST_END "oops\n"}},
     BEGINNING("10"),
     BACKS_OFF},
    {"410 just after a list",
     {WATCHED(LIST_END ERROR_EVENT("410", "Expired"))},
     BEGINNING("10"),
     BACKS_OFF},
    {"the list again: 410",
     {{OPEN, 0, "", LIST_END "oops\n"}, REFUSED(410, "", EXPIRED)},
     BEGINNING(""),
     AT_ONCE},
    {"the list again: 410 as an event",
     {{OPEN, 0, "", LIST_END "oops\n"}, WATCHED(ERROR_EVENT("410", "Expired"))},
     BEGINNING(""),
     AT_ONCE},
    {"the list again: too new for the server",
     {{OPEN, 0, "", LIST_END "oops\n"}, REFUSED(504, "", TOO_LARGE)},
     BEGINNING(""),
     AT_ONCE},
    {"the list again: too new, as an event",
     {{OPEN, 0, "", LIST_END "oops\n"}, WATCHED("{\"type\":\"ERROR\",\"object\":" TOO_LARGE "}\n")},
     BEGINNING(""),
     AT_ONCE},
    {"the list again: another 504",
     {{OPEN, 0, "", LIST_END "oops\n"}, REFUSED(504, "", STATUS("504", "Timeout", ""))},
     BEGINNING("10"),
     150,
     500},
};

/* ---- the server ------------------------------------------------------------------------------ */

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct kube_reflector *reflector;
    const struct row *row;
    struct script_peer *later; /* whose stream is to be ended */
    struct loop_timer *timer;
    int64_t at_ms[SCRIPT_REQUESTS_MAX];
};

static void on_later(void *self)
{
    const struct fixture *f = self;

    script_stream_end(f->later);
}

static void send_huge(struct script_peer *peer)
{
    char *text = ps_xmalloc(KUBE_FRAME_MAX + 3);

    memset(text, 'x', KUBE_FRAME_MAX + 2);
    memcpy(text, "{\"type\":\"", 9);
    text[KUBE_FRAME_MAX + 2] = '\0';
    script_chunk(peer, text);
    ps_free(text);
}

static void stream(struct fixture *f, struct script_peer *peer, const struct step *step)
{
    script_stream(peer);
    if (step->text[0] != '\0')
        script_chunk(peer, step->text);
    if (step->how == STREAM)
        script_stream_end(peer);
    if (step->how == HUGE)
        send_huge(peer);
    if (step->how == CUT) {
        script_send(peer, "40\r\n{\"type\":\"ADD");
        script_close(peer);
    }
    if (step->how == LATER) {
        f->later = peer;
        loop_timer_set(f->timer, 1050);
    }
}

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    static const struct step open = {OPEN, 0, "", ""};
    struct fixture *f = self;
    const int n = request->number;
    const struct step *step =
        n < STEPS_MAX && f->row->steps[n].how != NOTHING ? &f->row->steps[n] : &open;

    f->at_ms[n] = loop_now_ms();
    if (step->how == ANSWER) {
        script_reply(peer, step->status, step->headers, step->text);
    } else if (step->how == CLOSE) {
        script_close(peer);
    } else if (step->how != SILENT) {
        stream(f, peer, step);
    }
}

/* ---- the reflector's ends -------------------------------------------------------------------- */

static void ignore(void *self)
{
    (void)self;
}

static void ignore_seen(void *self, const struct kube_seen *seen)
{
    (void)self;
    (void)seen;
}

static void ignore_text(void *self, const char *text)
{
    (void)self;
    (void)text;
}

static void ignore_poison(void *self, const char *namespace, const char *name, const char *why)
{
    (void)self;
    (void)namespace;
    (void)name;
    (void)why;
}

static const struct kube_reflector_callbacks callbacks = {
    .on_list_begin = ignore,
    .on_list_item = ignore_seen,
    .on_list_end = ignore_text,
    .on_changed = ignore_seen,
    .on_deleted = ignore_seen,
    .on_progress = ignore_text,
    .on_poison = ignore_poison,
    .on_health = ignore_text,
};

static void setup(struct fixture *f, struct loop *loop, const struct row *row, bool watch_list)
{
    const struct kube_reflector_options options = {
        .kind = &pods,
        .backoff_first_ms = BACKOFF_MS,
        .backoff_max_ms = 150, /* of 401, 403 and 404 from the start */
        .watch_timeout_ms = 3000,
        .idle_timeout_ms = 1500,
        .watch_list = watch_list,
        .watch_list_timeout_ms = SILENCE_MS,
    };

    *f = (struct fixture){.loop = loop, .row = row};
    f->script = script_new(f->loop, on_server, f);
    f->timer = loop_timer_new(f->loop, on_later, f);
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
    loop_timer_free(f->timer);
    kube_config_fini(&f->config);
}

static void until_requests(struct fixture *f, int count)
{
    for (int64_t end = loop_now_ms() + ENOUGH_MS; script_count(f->script) < count;) {
        if (loop_now_ms() > end)
            fail_msg("%s: %d requests", f->row->name, script_count(f->script));
        script_wait(f->loop, 1);
    }
}

static void check(struct fixture *f)
{
    const struct row *row = f->row;
    int count = 0;

    while (count < STEPS_MAX && row->steps[count].how != NOTHING)
        count++;
    until_requests(f, count + 1);
    const int64_t waited = count > 0 ? f->at_ms[count] - f->at_ms[count - 1] : 0;

    if (!ps_streq(script_line(f->script, count), row->next)) {
        fail_msg("%s:\n%s\ninstead of\n%s", row->name, script_line(f->script, count), row->next);
    }
    if (waited < row->at_least_ms || waited > row->at_most_ms)
        fail_msg("%s: after %lld ms", row->name, (long long)waited);
}

/* Some at a time: most of it is waiting. */
static void check_all(const struct row *some, size_t count, bool watch_list)
{
    for (size_t i = 0; i < count; i += BATCH) {
        const size_t n = count - i < BATCH ? count - i : BATCH;
        struct fixture *all = ps_xcalloc(n, sizeof(*all));
        struct loop *loop = loop_new();

        http_global_init();
        for (size_t k = 0; k < n; k++)
            setup(&all[k], loop, &some[i + k], watch_list);
        for (size_t k = 0; k < n; k++)
            check(&all[k]);
        for (size_t k = 0; k < n; k++)
            teardown(&all[k]);
        loop_free(loop);
        http_global_fini();
        ps_free(all);
    }
}

static void every_end_has_its_successor(void **state)
{
    (void)state;
    check_all(rows, PS_ARRAY_LEN(rows), false);
}

static void every_end_of_a_list_within_a_watch_has_its_successor(void **state)
{
    (void)state;
    check_all(watch_list_rows, PS_ARRAY_LEN(watch_list_rows), true);
}

/* The server goes, and comes back on the same port. */
static void a_refused_connection_keeps_the_version(void **state)
{
    (void)state;
    static const struct row row = {
        "refused", {FIRST, {OPEN, 0, "", EVENT("ADDED", "11")}}, NULL, 0, 0};
    struct loop *loop = loop_new();
    struct fixture f;

    http_global_init();
    setup(&f, loop, &row, false);
    until_requests(&f, 2);
    script_wait(f.loop, 20);
    const int port = script_port(f.script);
    const int64_t start = loop_now_ms();

    script_free(f.script);
    script_wait(f.loop, 20); /* it has tried by now */
    f.script = script_new_at(f.loop, port, on_server, &f);
    until_requests(&f, 1);
    assert_string_equal(script_line(f.script, 0), WATCH("11"));
    assert_in_range(loop_now_ms() - start, BACKOFF_MS, 400);
    teardown(&f);
    loop_free(loop);
    http_global_fini();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_has_its_successor),
        cmocka_unit_test(every_end_of_a_list_within_a_watch_has_its_successor),
        cmocka_unit_test(a_refused_connection_keeps_the_version),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("kube/transitions", tests, NULL, NULL);
}
