/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leadership against a scripted server that keeps one Lease as an API server does. Two lines of
 * time: timers run on the real one, shortened to a fifth of a second; what is decided by time asks
 * a clock that the test can set forward.
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

#define ENOUGH_MS 5000
#define DURATION  1000
#define DEADLINE  400
#define RETRY     50
#define SELF      "me_1"
#define PATH      "/apis/coordination.k8s.io/v1/namespaces/ns/leases"

static int64_t skipped_ms; /* by the test's clock */

static int64_t now_ms(void)
{
    return loop_now_ms() + skipped_ms;
}

enum mood {
    MOOD_SERVE,
    MOOD_MUTE,         /* does what is asked, and never answers */
    MOOD_DEAF,         /* reads, and does nothing */
    MOOD_CLOSE,        /* closes the connection */
    MOOD_ERROR,        /* 500 */
    MOOD_LOSE_ANSWERS, /* does what is asked, and closes */
    MOOD_RACE,         /* another takes the lease just before our write */
    MOOD_JUNK,         /* 200 with something else */
};

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_config config;
    struct kube_lease *lease;
    struct metrics *metrics;
    struct json_t *stored; /* NULL: there is no Lease */
    enum mood mood;
    bool only_writes; /* reads are served whatever the mood */
    int rv, writes, reads, conflicts;
    int64_t written_ms;      /* when the last write arrived */
    int64_t answer_takes_ms; /* of a write, by the test's clock */
    int gained, lost, released;
    char why[256];
    bool stop_at_gain, stop_at_write;
    int64_t gained_ms;
};

/* ---- a server ------------------------------------------------------------------------------- */

static void stamp(struct fixture *f)
{
    PS_AUTO_BUF(rv, 32);

    ps_buf_printf(&rv, "%d", ++f->rv);
    js_set_str(js_child(f->stored, "metadata"), "resourceVersion", ps_buf_text(&rv));
}

/* Somebody else writes the Lease. */
static void store(struct fixture *f, const char *holder, int seconds, const char *renewed)
{
    if (f->stored == NULL)
        f->stored = js_object();
    struct json_t *spec = js_child(f->stored, "spec");

    js_set_str(js_child(js_child(f->stored, "metadata"), "labels"), "kept", "yes");
    js_set_str(spec, "holderIdentity", holder);
    js_set_int(spec, "leaseDurationSeconds", seconds);
    js_set_str(spec, "acquireTime", "2020-01-01T00:00:00.000000Z");
    js_set_str(spec, "renewTime", renewed);
    js_set_int(spec, "leaseTransitions", 7);
    stamp(f);
}

static void reply_lease(const struct fixture *f, struct script_peer *peer, int status)
{
    char *text PS_AUTO_FREE = js_text(f->stored);

    script_reply(peer, status, "", text);
}

static int take(struct fixture *f, const struct script_request *request)
{
    struct ps_err err;
    const bool create = strcmp(request->method, "POST") == 0;
    struct json_t *body = js_parse(request->body, &err);

    assert_non_null(body);
    f->writes++;
    f->written_ms = loop_now_ms();
    skipped_ms += f->answer_takes_ms;
    if (f->mood == MOOD_RACE)
        store(f, "other", 60, "2020-01-01T00:00:01.000000Z");
    if (create ? f->stored != NULL
               : !ps_streq(js_path_str(body, "metadata.resourceVersion"),
                           js_path_str(f->stored, "metadata.resourceVersion"))) {
        f->conflicts++;
        js_unref(body);
        return 409;
    }
    js_unref(f->stored);
    f->stored = body;
    stamp(f);
    return create ? 201 : 200;
}

static void serve(struct fixture *f, enum mood mood, struct script_peer *peer,
                  const struct script_request *request)
{
    int status = 200;

    assert_non_null(strstr(request->target, PATH));
    if (strcmp(request->method, "GET") == 0) {
        f->reads++;
        status = f->stored == NULL ? 404 : 200;
    } else {
        status = take(f, request);
    }
    if (mood == MOOD_LOSE_ANSWERS) {
        script_close(peer);
    } else if (mood == MOOD_SERVE || mood == MOOD_RACE) {
        if (status < 300)
            reply_lease(f, peer, status);
        else
            script_reply(peer, status, "", "{\"kind\":\"Status\",\"message\":\"no\"}");
    }
    if (status < 300 && strcmp(request->method, "GET") != 0 && f->stop_at_write)
        loop_stop(f->loop);
}

static void on_server(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;

    const bool is_read = strcmp(request->method, "GET") == 0;
    const enum mood mood = f->only_writes && is_read ? MOOD_SERVE : f->mood;

    switch (mood) {
    case MOOD_SERVE:
    case MOOD_MUTE:
    case MOOD_LOSE_ANSWERS:
    case MOOD_RACE:
        serve(f, mood, peer, request);
        return;
    case MOOD_DEAF:
        return;
    case MOOD_CLOSE:
        script_reset(peer);
        return;
    case MOOD_ERROR:
        script_reply(peer, 500, "", "{\"kind\":\"Status\",\"message\":\"boom\"}");
        return;
    case MOOD_JUNK:
        script_reply(peer, 200, "", "{\"hello\":\"proxy\"}");
        return;
    }
}

/* ---- a process ------------------------------------------------------------------------------ */

static void on_gained(void *self)
{
    struct fixture *f = self;

    f->gained++;
    f->gained_ms = loop_now_ms();
    if (f->stop_at_gain)
        loop_stop(f->loop);
}

static void on_lost(void *self, const char *why)
{
    struct fixture *f = self;

    f->lost++;
    assert_true(strlen(why) < sizeof(f->why));
    memcpy(f->why, why, strlen(why) + 1);
    assert_false(kube_lease_may_write(f->lease, now_ms()));
    loop_stop(f->loop);
}

static void on_released(void *self)
{
    struct fixture *f = self;

    f->released++;
    loop_stop(f->loop);
}

static void setup(struct fixture *f)
{
    struct ps_err err = {0};

    *f = (struct fixture){.loop = loop_new(), .stop_at_gain = true, .metrics = metrics_new()};
    skipped_ms = 0;
    http_global_init();
    f->script = script_new(f->loop, on_server, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    const struct kube_lease_options options = {
        .namespace = "ns",
        .name = "penstock",
        .identity = SELF,
        .user_agent = "penstock/test",
        .duration_ms = DURATION,
        .renew_deadline_ms = DEADLINE,
        .retry_ms = RETRY,
        .now_ms = now_ms,
        .metrics = f->metrics,
    };
    const struct kube_lease_callbacks callbacks = {on_gained, on_lost, f};

    f->lease = kube_lease_new(f->loop, &f->config, &options, &callbacks, &err);
    assert_non_null(f->lease);
}

static void teardown(struct fixture *f)
{
    kube_lease_free(f->lease);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    metrics_free(f->metrics);
    js_unref(f->stored);
}

static void gain(struct fixture *f)
{
    kube_lease_start(f->lease);
    assert_true(script_run(f->loop, ENOUGH_MS));
    assert_int_equal(f->gained, 1);
}

static const char *spec_str(const struct fixture *f, const char *key)
{
    return js_str(js_get(js_get(f->stored, "spec"), key));
}

static int64_t spec_int(const struct fixture *f, const char *key)
{
    return js_int(js_get(js_get(f->stored, "spec"), key), -1);
}

static void assert_metric(const struct fixture *f, const char *line)
{
    PS_AUTO_BUF(text, METRICS_TEXT_MAX);

    metrics_print(f->metrics, &text);
    if (strstr(ps_buf_text(&text), line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, ps_buf_text(&text));
}

/* ---- gaining it ----------------------------------------------------------------------------- */

static bool is_micro_time(const char *text)
{
    int64_t ms;

    return text != NULL && strlen(text) == 27 && text[19] == '.' &&
           ps_time_parse(ps_str(text), &ms);
}

static void a_lease_that_is_not_there_is_made(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    assert_metric(&f, "leader_election_master_status{name=\"penstock\"} 0\n");
    gain(&f);
    assert_int_equal(f.reads, 1);
    assert_int_equal(f.writes, 1);
    assert_string_equal(script_line(f.script, 1),
                        "POST " PATH "?fieldManager=penstock&fieldValidation=Strict");
    assert_non_null(strstr(script_text(f.script, 1), "penstock/test leader-election\r\n"));
    assert_string_equal(js_path_str(f.stored, "kind"), "Lease");
    assert_string_equal(js_path_str(f.stored, "metadata.name"), "penstock");
    assert_string_equal(spec_str(&f, "holderIdentity"), SELF);
    assert_int_equal(spec_int(&f, "leaseDurationSeconds"), 1);
    assert_int_equal(spec_int(&f, "leaseTransitions"), 0);
    assert_true(is_micro_time(spec_str(&f, "renewTime")));
    assert_string_equal(spec_str(&f, "acquireTime"), spec_str(&f, "renewTime"));
    assert_string_equal(kube_lease_holder(f.lease), SELF);
    assert_true(kube_lease_leads(f.lease));
    assert_true(kube_lease_fence(f.lease));
    assert_metric(&f, "leader_election_master_status{name=\"penstock\"} 1\n");
    teardown(&f);
}

static void one_that_was_given_back_is_taken_at_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "", 1, "2020-01-01T00:00:00.000000Z");
    const int64_t started_ms = loop_now_ms();

    gain(&f);
    assert_true(f.gained_ms - started_ms < DURATION / 2);
    assert_string_equal(spec_str(&f, "holderIdentity"), SELF);
    assert_int_equal(spec_int(&f, "leaseTransitions"), 8);
    assert_string_not_equal(spec_str(&f, "acquireTime"), "2020-01-01T00:00:00.000000Z");
    assert_string_equal(js_path_str(f.stored, "metadata.labels.kept"), "yes");
    teardown(&f);
}

/* Its times are from another age; what counts is how long we have seen it unchanged. */
static void a_holder_is_respected_for_its_duration_whatever_its_clock_says(void **state)
{
    (void)state;
    static const char *const clocks[] = {"1999-01-01T00:00:00.000000Z",
                                         "2199-01-01T00:00:00.000000Z"};

    for (size_t i = 0; i < PS_ARRAY_LEN(clocks); i++) {
        struct fixture f;

        setup(&f);
        store(&f, "other", 1, clocks[i]);
        const int64_t started_ms = loop_now_ms();

        gain(&f);
        assert_true(f.gained_ms - started_ms >= 1000);
        assert_true(f.gained_ms - started_ms < 1000 + 4 * RETRY);
        assert_int_equal(f.writes, 1);
        assert_int_equal(spec_int(&f, "leaseTransitions"), 8);
        teardown(&f);
    }
}

/* Its holder may write until its time is over, whether or not there is a Lease that says so. */
static void a_deleted_one_is_its_holders_for_the_time_it_had(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "other", 1, "2020-01-01T00:00:00.000000Z");
    const int64_t started_ms = loop_now_ms();

    kube_lease_start(f.lease);
    script_wait(f.loop, 3 * RETRY); /* it has been read */
    assert_true(f.reads > 0);
    js_unref(f.stored);
    f.stored = NULL;
    script_wait(f.loop, 3 * RETRY);
    assert_int_equal(f.writes, 0);
    assert_true(script_run(f.loop, 2000));
    assert_true(f.gained_ms - started_ms >= 1000);
    assert_true(f.gained_ms - started_ms < 1000 + 4 * RETRY);
    teardown(&f);
}

static void a_renewal_of_the_holder_is_noticed_soon_and_protects_it_anew(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "other", 1, "2020-01-01T00:00:00.000000Z");
    kube_lease_start(f.lease);
    script_wait(f.loop, 700);
    store(&f, "other", 1, "2020-01-01T00:00:01.000000Z");
    const int64_t renewed_ms = loop_now_ms();

    assert_string_equal(kube_lease_holder(f.lease), "other");
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.gained, 1);
    assert_true(f.gained_ms - renewed_ms >= 1000);
    assert_true(f.gained_ms - renewed_ms < 1000 + 4 * RETRY);
    teardown(&f);
}

/* The record's own duration counts, not ours. */
static void a_longer_lease_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "other", 3600, "2020-01-01T00:00:00.000000Z");
    kube_lease_start(f.lease);
    script_wait(f.loop, DURATION + 300);
    assert_int_equal(f.gained, 0);
    assert_int_equal(f.writes, 0);
    skipped_ms += 3599000 - DURATION; /* not quite */
    script_wait(f.loop, 2 * RETRY);
    assert_int_equal(f.gained, 0);
    skipped_ms += DURATION;
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.gained, 1);
    teardown(&f);
}

static void a_lost_race_is_no_leadership(void **state)
{
    (void)state;
    static const bool there[] = {false, true};

    for (size_t i = 0; i < PS_ARRAY_LEN(there); i++) {
        struct fixture f;

        setup(&f);
        if (there[i])
            store(&f, "", 1, "2020-01-01T00:00:00.000000Z");
        f.mood = MOOD_RACE;
        kube_lease_start(f.lease);
        script_wait(f.loop, 300);
        assert_int_equal(f.conflicts, 1); /* and none again: the other is alive */
        assert_int_equal(f.gained, 0);
        assert_string_equal(kube_lease_holder(f.lease), "other");
        assert_false(kube_lease_fence(f.lease));
        teardown(&f);
    }
}

/* The write was done, its answer lost: what is ours is recognised, and counts from our next write.
 */
static void an_answer_that_is_lost_is_found_by_reading(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.stored = js_object();
    stamp(&f);
    f.stop_at_write = true;
    f.only_writes = true;
    f.mood = MOOD_LOSE_ANSWERS;
    kube_lease_start(f.lease);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.writes, 1);
    f.mood = MOOD_SERVE;
    f.stop_at_write = false;
    assert_int_equal(f.gained, 0);
    assert_string_equal(spec_str(&f, "holderIdentity"), SELF);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.gained, 1);
    assert_int_equal(f.writes, 2);
    assert_int_equal(spec_int(&f, "leaseTransitions"), 1); /* one taking, not two */
    teardown(&f);
}

static void nothing_but_our_name_makes_us_leader(void **state)
{
    (void)state;

    static const enum mood moods[] = {MOOD_JUNK, MOOD_ERROR, MOOD_CLOSE, MOOD_DEAF, MOOD_MUTE};

    for (size_t i = 0; i < PS_ARRAY_LEN(moods); i++) {
        struct fixture f;

        setup(&f);
        f.mood = moods[i];
        kube_lease_start(f.lease);
        script_wait(f.loop, 4 * RETRY);
        assert_int_equal(f.gained + f.lost, 0);
        assert_false(kube_lease_fence(f.lease));
        f.mood = MOOD_SERVE;
        assert_true(script_run(f.loop, ENOUGH_MS));
        assert_int_equal(f.gained, 1);
        teardown(&f);
    }
}

/* A 200 to the write that is none of a Lease server. */
static void a_write_that_is_answered_with_junk_is_none(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.only_writes = true;
    f.mood = MOOD_JUNK;
    kube_lease_start(f.lease);
    script_wait(f.loop, 4 * RETRY);
    assert_in_range(script_count(f.script), 4, 10); /* tried more than once */
    assert_int_equal(f.gained, 0);
    assert_false(kube_lease_fence(f.lease));
    teardown(&f);
}

static void an_answer_that_comes_too_late_is_none(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    f.stop_at_write = true;
    kube_lease_start(f.lease);
    assert_true(script_run(f.loop, ENOUGH_MS)); /* written, the answer not read yet */
    f.stop_at_write = false;
    assert_int_equal(f.gained, 0);
    skipped_ms += DEADLINE;
    script_wait(f.loop, RETRY / 2);
    assert_int_equal(f.gained, 0);
    assert_false(kube_lease_fence(f.lease));
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.gained, 1);
    assert_int_equal(f.writes, 2);
    teardown(&f);
}

/* ---- keeping it ----------------------------------------------------------------------------- */

static void it_is_renewed_without_reading(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "", 1, "2020-01-01T00:00:00.000000Z");
    gain(&f);
    char *acquired PS_AUTO_FREE = ps_xstrdup(spec_str(&f, "acquireTime"));
    char *renewed PS_AUTO_FREE = ps_xstrdup(spec_str(&f, "renewTime"));

    script_wait(f.loop, 2 * DEADLINE);
    assert_int_equal(f.lost, 0);
    assert_int_equal(f.gained, 1);
    assert_int_equal(f.reads, 1);
    assert_in_range(f.writes, DEADLINE / RETRY, 2 * DEADLINE / RETRY + 2);
    assert_int_equal(script_connections(f.script), 1);
    assert_int_equal(spec_int(&f, "leaseTransitions"), 8);
    assert_string_equal(spec_str(&f, "acquireTime"), acquired);
    assert_string_not_equal(spec_str(&f, "renewTime"), renewed);
    assert_string_equal(js_path_str(f.stored, "metadata.labels.kept"), "yes");
    assert_metric(&f, "leader_election_slowpath_total{name=\"penstock\"} 0\n");
    teardown(&f);
}

static void an_edit_by_others_is_read_and_kept(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    js_set_str(js_child(js_child(f.stored, "metadata"), "annotations"), "note", "hello");
    stamp(&f);
    script_wait(f.loop, DEADLINE + 100);
    assert_int_equal(f.lost, 0);
    assert_int_equal(f.conflicts, 1);
    assert_int_equal(f.reads, 2);
    assert_string_equal(js_path_str(f.stored, "metadata.annotations.note"), "hello");
    assert_int_equal(spec_int(&f, "leaseTransitions"), 0);
    assert_metric(&f, "leader_election_slowpath_total{name=\"penstock\"} 1\n");
    teardown(&f);
}

static void one_that_was_deleted_is_made_again(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    js_unref(f.stored);
    f.stored = NULL;
    script_wait(f.loop, DEADLINE + 100);
    assert_int_equal(f.lost, 0);
    assert_non_null(f.stored);
    assert_string_equal(spec_str(&f, "holderIdentity"), SELF);
    teardown(&f);
}

static void a_short_failure_is_survived(void **state)
{
    (void)state;

    static const enum mood moods[] = {MOOD_ERROR, MOOD_CLOSE, MOOD_LOSE_ANSWERS};

    for (size_t i = 0; i < PS_ARRAY_LEN(moods); i++) {
        struct fixture f;

        setup(&f);
        gain(&f);
        f.mood = moods[i];
        script_wait(f.loop, DEADLINE / 2);
        f.mood = MOOD_SERVE;
        script_wait(f.loop, DEADLINE + 100);
        assert_int_equal(f.lost, 0);
        assert_true(kube_lease_fence(f.lease));
        teardown(&f);
    }
}

/* ---- losing it ------------------------------------------------------------------------------ */

static void a_server_that_is_away_ends_it_at_the_deadline(void **state)
{
    (void)state;

    static const enum mood moods[] = {MOOD_ERROR, MOOD_CLOSE, MOOD_DEAF, MOOD_MUTE, MOOD_JUNK};

    for (size_t i = 0; i < PS_ARRAY_LEN(moods); i++) {
        struct fixture f;

        setup(&f);
        gain(&f);
        const int64_t renewed_ms = f.written_ms;

        f.mood = moods[i];
        assert_true(script_run(f.loop, ENOUGH_MS));
        assert_int_equal(f.lost, 1);
        /* From the start of the last renewal that succeeded, which was sent a moment before it
         * arrived. */
        assert_in_range(loop_now_ms() - renewed_ms, DEADLINE - 20, DEADLINE + 100);
        assert_false(kube_lease_leads(f.lease));
        assert_metric(&f, "leader_election_master_status{name=\"penstock\"} 0\n");
        const int requests = script_count(f.script);

        f.mood = MOOD_SERVE;
        script_wait(f.loop, 2 * DEADLINE);
        assert_int_equal(script_count(f.script), requests); /* over is over */
        assert_int_equal(f.gained + f.lost, 2);
        teardown(&f);
    }
}

static void another_holder_ends_it_at_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    store(&f, "other", 1, "2020-01-01T00:00:00.000000Z");
    const int64_t taken_ms = loop_now_ms();

    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.lost, 1);
    assert_true(loop_now_ms() - taken_ms < 3 * RETRY);
    assert_non_null(strstr(f.why, "another process"));
    assert_string_equal(spec_str(&f, "holderIdentity"), "other");
    teardown(&f);
}

/* ---- the fence ------------------------------------------------------------------------------ */

static void the_fence_is_shut_at_the_deadline_to_the_millisecond(void **state)
{
    (void)state;
    struct fixture f;
    int64_t last = 0;

    setup(&f);
    assert_false(kube_lease_may_write(f.lease, 0));
    f.answer_takes_ms = 150;
    gain(&f);
    const int64_t now = now_ms();

    for (int64_t t = now; t < now + 2 * DEADLINE; t++) {
        if (kube_lease_may_write(f.lease, t)) {
            assert_true(last == 0 || last == t - 1);
            last = t;
        }
    }
    /* The last covered millisecond is the one before start + deadline; the start lies before the
     * write's arrival, and not much. */
    assert_in_range(last - f.written_ms, DEADLINE - 1 - 20, DEADLINE - 1);
    teardown(&f);
}

struct write {
    int done, code;
    bool unknown;
};

static void on_write(void *self, const struct kube_response *response)
{
    struct write *write = self;

    write->done++;
    write->code = response->code;
    write->unknown = response->unknown;
}

static const struct kube_kind config_maps = {"", "v1", "configmaps", "ConfigMap", true};

static void on_any(void *self, struct script_peer *peer, const struct script_request *request)
{
    (void)self;
    (void)request;
    script_reply(peer, 200, "", "{}");
}

/* The loop has not run for longer than the deadline: whatever wakes first, no write goes out. */
static void after_a_standstill_nothing_is_written(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    struct script *other = script_new(f.loop, on_any, NULL);
    const struct kube_config config = {.server = ps_xstrdup(script_url(other))};
    struct kube_client *client = kube_client_new(f.loop, &config, "penstock/test");
    struct json_t *body PS_AUTO_JS = js_object();
    const struct kube_request request = {
        .verb = KUBE_CREATE, .kind = &config_maps, .namespace = "n", .body = body};
    struct write before = {0}, queued = {0}, after = {0}, read = {0};

    kube_client_fence(client, kube_lease_fence, f.lease);
    (void)kube_send(client, &request, on_write, &before);
    while (before.done == 0)
        script_wait(f.loop, 1);
    assert_int_equal(before.code, 0);
    assert_int_equal(script_count(other), 1);

    (void)kube_send(client, &request, on_write, &queued); /* begun, its body not sent */
    skipped_ms += DEADLINE;
    const int writes = f.writes;

    assert_false(kube_lease_fence(f.lease)); /* before the loop has run at all */
    (void)kube_send(client, &request, on_write, &after);
    (void)kube_send(client,
                    &(struct kube_request){
                        .verb = KUBE_GET, .kind = &config_maps, .namespace = "n", .name = "a"},
                    on_write, &read);
    assert_true(script_run(f.loop, ENOUGH_MS));
    script_wait(f.loop, 200);
    assert_int_equal(f.lost, 1);
    assert_int_equal(f.writes, writes); /* no renewal either */
    assert_int_equal(after.done, 1);
    assert_int_equal(after.code, PS_ECANCELED);
    assert_false(after.unknown);
    assert_int_equal(queued.done, 1);
    assert_int_equal(queued.code, PS_ECANCELED);
    assert_false(queued.unknown);
    assert_int_equal(read.code, 0); /* reading is free */
    assert_int_equal(script_count(other), 2);
    kube_client_free(client);
    script_free(other);
    ps_free(config.server);
    teardown(&f);
}

/* ---- giving it back ------------------------------------------------------------------------- */

static void it_is_given_back(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    kube_lease_release(f.lease, on_released, &f);
    assert_false(kube_lease_fence(f.lease));
    assert_int_equal(f.released, 0); /* never from inside the call */
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.released, 1);
    assert_int_equal(f.lost, 0);
    assert_string_equal(spec_str(&f, "holderIdentity"), "");
    assert_int_equal(spec_int(&f, "leaseDurationSeconds"), 1);
    assert_int_equal(spec_int(&f, "leaseTransitions"), 0);
    const int requests = script_count(f.script);

    script_wait(f.loop, 4 * RETRY);
    assert_int_equal(script_count(f.script), requests);
    teardown(&f);
}

static void it_is_given_back_although_a_renewal_was_under_way(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    f.mood = MOOD_MUTE;
    f.stop_at_write = true;
    assert_true(script_run(f.loop, ENOUGH_MS)); /* renewed on the server, and we don't know it */
    assert_int_equal(f.lost, 0);
    f.mood = MOOD_SERVE;
    f.stop_at_write = false;
    kube_lease_release(f.lease, on_released, &f);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.conflicts, 0);
    assert_string_equal(spec_str(&f, "holderIdentity"), "");
    teardown(&f);
}

static void what_is_not_ours_is_not_given_back(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    store(&f, "other", 60, "2020-01-01T00:00:00.000000Z");
    const int writes = f.writes;

    kube_lease_release(f.lease, on_released, &f);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.released, 1);
    assert_int_equal(f.writes, writes);
    assert_string_equal(spec_str(&f, "holderIdentity"), "other");
    teardown(&f);
}

static void giving_back_ends_also_without_a_server(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    gain(&f);
    f.mood = MOOD_ERROR;
    const int64_t started_ms = loop_now_ms();

    kube_lease_release(f.lease, on_released, &f);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.released, 1);
    assert_int_equal(f.lost, 0);
    assert_in_range(loop_now_ms() - started_ms, DEADLINE - 1, DEADLINE + 100);
    teardown(&f);
}

static void a_standby_has_nothing_to_give_back(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    store(&f, "other", 60, "2020-01-01T00:00:00.000000Z");
    kube_lease_start(f.lease);
    script_wait(f.loop, RETRY);
    kube_lease_release(f.lease, on_released, &f);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.released, 1);
    assert_int_equal(f.writes, 0);
    teardown(&f);
}

static void times_that_do_not_fit_are_refused(void **state)
{
    (void)state;

    static const struct {
        int64_t duration_ms, renew_deadline_ms, retry_ms;
        const char *name, *word;
    } rows[] = {
        {10000, 10000, 2000, "n", "longer than the renew deadline"},
        {15000, 2400, 2000, "n", "1.2 times"},
        {100000000000, 10000, 2000, "n", "a day"},
        {15000, 10000, 1, "n", "5 ms"},
        {0, 0, 0, "", "a name"},
    };

    struct loop *loop = loop_new();

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};
        const struct kube_config config = {0};
        const struct kube_lease_callbacks callbacks = {on_gained, on_lost, NULL};
        const struct kube_lease_options options = {
            .namespace = "ns",
            .name = rows[i].name,
            .identity = "a",
            .duration_ms = rows[i].duration_ms,
            .renew_deadline_ms = rows[i].renew_deadline_ms,
            .retry_ms = rows[i].retry_ms,
        };

        assert_null(kube_lease_new(loop, &config, &options, &callbacks, &err));
        if (strstr(err.message, rows[i].word) == NULL)
            fail_msg("row %zu: %s", i, err.message);
    }
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_that_is_not_there_is_made),
        cmocka_unit_test(one_that_was_given_back_is_taken_at_once),
        cmocka_unit_test(a_holder_is_respected_for_its_duration_whatever_its_clock_says),
        cmocka_unit_test(a_deleted_one_is_its_holders_for_the_time_it_had),
        cmocka_unit_test(a_renewal_of_the_holder_is_noticed_soon_and_protects_it_anew),
        cmocka_unit_test(a_longer_lease_is_waited_for),
        cmocka_unit_test(a_lost_race_is_no_leadership),
        cmocka_unit_test(an_answer_that_is_lost_is_found_by_reading),
        cmocka_unit_test(nothing_but_our_name_makes_us_leader),
        cmocka_unit_test(a_write_that_is_answered_with_junk_is_none),
        cmocka_unit_test(an_answer_that_comes_too_late_is_none),
        cmocka_unit_test(it_is_renewed_without_reading),
        cmocka_unit_test(an_edit_by_others_is_read_and_kept),
        cmocka_unit_test(one_that_was_deleted_is_made_again),
        cmocka_unit_test(a_short_failure_is_survived),
        cmocka_unit_test(a_server_that_is_away_ends_it_at_the_deadline),
        cmocka_unit_test(another_holder_ends_it_at_once),
        cmocka_unit_test(the_fence_is_shut_at_the_deadline_to_the_millisecond),
        cmocka_unit_test(after_a_standstill_nothing_is_written),
        cmocka_unit_test(it_is_given_back),
        cmocka_unit_test(it_is_given_back_although_a_renewal_was_under_way),
        cmocka_unit_test(what_is_not_ours_is_not_given_back),
        cmocka_unit_test(giving_back_ends_also_without_a_server),
        cmocka_unit_test(a_standby_has_nothing_to_give_back),
        cmocka_unit_test(times_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
