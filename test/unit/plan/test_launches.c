/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever users do, whenever the executor dies, whatever answers get lost and however far the view
 * is behind: each attempt's Job is made at most once, no two attempts run at once, what is decided
 * stays, and in the end a launch says what became of it and leaves nothing behind.
 */
#include "plan/launches.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#ifndef SEEDS /* more by hand: CFLAGS=-DSEEDS=5000 */
#    define SEEDS 25
#endif
#define STEPS          200
#define SETTLE_MAX     3000
#define QUIET_TICKS    4
#define JOBS_BASE      10 /* that do something, from any state to rest */
#define JOBS_A_ATTEMPT 8

/* ---- users ----------------------------------------------------------------------------------- */

static struct json_t *task_of(const struct launches *world, size_t which)
{
    return launches_find(world, MODEL_TASK, launches_namespaces[which], LAUNCHES_NAME);
}

static void set_limit(struct launches *world, struct json_t *task, int limit)
{
    js_set_int(js_child(js_child(task, "spec"), "retry"), "limit", limit);
    if (js_path_str(task, "metadata.uid") == NULL)
        return;
    struct json_t *law = launches_law(world, js_path_str(task, "metadata.uid"));

    if (limit > js_path_int(law, "limit", 0))
        js_set_int(law, "limit", limit);
}

static const char *const platforms[] = {"there", "here", LAUNCHES_FAR};

static struct json_t *random_spec(struct launches *world)
{
    struct json_t *spec = js_object(), *retry = js_child(spec, "retry"), *codes = js_array();
    struct json_t *backoff = js_child(retry, "backoff");

    js_set_str(spec, "definition", "train --epochs=10");
    js_set_str(spec, "platform", platforms[launches_random(world, PS_ARRAY_LEN(platforms))]);
    js_push(codes, js_integer(64));
    js_set(retry, "notOnExitCodes", codes);
    js_set_bool(retry, "onUnknown", launches_chance(world, 30));
    js_set_str(backoff, "initial", launches_random(world, 2) ? "4s" : "1s");
    js_set_str(backoff, "max", "10s");
    if (launches_chance(world, 20))
        js_set_int(spec, "activeDeadlineSeconds", 5 + launches_random(world, 30));
    if (launches_chance(world, 15))
        js_set_int(spec, "ttlSecondsAfterFinished", launches_random(world, 10));
    if (launches_chance(world, 20))
        js_set_bool(spec, "suspend", true);
    if (launches_chance(world, 15)) {
        char when[PS_TIME_TEXT_SIZE];

        ps_time_text(world->now_ms + launches_random(world, 40000), when);
        js_set_str(spec, "notAfter", when);
    }
    return spec;
}

static void apply_new(struct launches *world, size_t which)
{
    struct json_t *task = js_object(), *metadata = js_child(task, "metadata");
    struct json_t *spec = random_spec(world);
    char *text PS_AUTO_FREE = js_text(spec);
    const int limit = launches_random(world, 4);
    char when[PS_TIME_TEXT_SIZE];

    ps_buf_printf(&world->trace, "apply %s %s, limit %d\n", launches_namespaces[which], text,
                  limit);
    ps_time_text(world->now_ms, when);
    js_set_str(metadata, "name", LAUNCHES_NAME);
    js_set_str(metadata, "namespace", launches_namespaces[which]);
    js_set_str(metadata, "creationTimestamp", when);
    js_set_int(metadata, "generation", 1);
    js_set(task, "spec", spec);
    set_limit(world, task, limit);
    launches_put(world, MODEL_TASK, task);
    set_limit(world, task, limit);
}

static void delete_task(struct launches *world, size_t which)
{
    struct json_t *task = js_copy(task_of(world, which)), *metadata = js_child(task, "metadata");
    struct json_t *finalizers = js_copy(js_get(metadata, "finalizers"));

    if (finalizers == NULL)
        finalizers = js_array();
    if (launches_chance(world, 30) && !js_get(metadata, "deletionTimestamp"))
        js_push(finalizers, js_string("foregroundDeletion"));
    ps_buf_printf(&world->trace, "delete %s\n", launches_namespaces[which]);
    js_set(metadata, "finalizers", finalizers);
    launches_delete(world, MODEL_TASK, task);
    js_unref(task);
}

static void edit_spec(struct launches *world, struct json_t *task)
{
    struct json_t *spec = js_child(task, "spec"), *retry = js_child(spec, "retry");

    switch (launches_random(world, 8)) {
    case 0:
        set_limit(world, task, launches_random(world, 4));
        break;
    case 1:
        js_set_bool(retry, "onUnknown", launches_chance(world, 50));
        break;
    case 2:
        js_set_int(spec, "activeDeadlineSeconds", 5 + launches_random(world, 40));
        break;
    case 3:
        js_remove(spec, "activeDeadlineSeconds");
        break;
    default:
        js_set_bool(spec, "suspend", !js_path_bool(spec, "suspend", false));
    }
}

static void edit(struct launches *world, size_t which)
{
    struct json_t *task = js_copy(task_of(world, which));

    if (launches_chance(world, 30)) { /* the same manifest again */
        launches_put(world, MODEL_TASK, task);
        return;
    }
    edit_spec(world, task);
    if (js_equal(js_get(task, "spec"), js_get(task_of(world, which), "spec"))) {
        js_unref(task);
        return;
    }
    js_set_int(js_child(task, "metadata"), "generation",
               js_path_int(task, "metadata.generation", 1) + 1);
    struct json_t *law = launches_law(world, js_path_str(task, "metadata.uid"));

    js_set_int(law, "stops",
               js_path_int(law, "stops", 0) + js_path_bool(task, "spec.suspend", false));
    char *text PS_AUTO_FREE = js_text(js_get(task, "spec"));

    ps_buf_printf(&world->trace, "edit %s %s\n", launches_namespaces[which], text);
    launches_put(world, MODEL_TASK, task);
}

static const struct json_t *any_of(struct launches *world, enum model_kind kind)
{
    const struct json_t *all = launches_all(world, kind);
    int n = (int)js_len(all);
    struct json_t *value = NULL;
    void *at = NULL;
    const char *key;

    if (n == 0)
        return NULL;
    for (n = launches_random(world, n); n >= 0; n--)
        (void)js_next(all, &at, &key, &value);
    return value;
}

static void delete_one(struct launches *world, enum model_kind kind)
{
    const struct json_t *object = any_of(world, kind);

    if (object == NULL || js_path_str(object, "metadata.deletionTimestamp") != NULL)
        return;
    ps_buf_printf(&world->trace, "by hand: delete %s %s\n", model_kind_name(kind),
                  js_path_str(object, "metadata.name"));
    if (kind == MODEL_JOB)
        js_set_bool(launches_entry(world, object), "deleted", true);
    launches_delete(world, kind, object);
}

static bool is_stopped(const struct json_t *job)
{
    return js_get(js_path(job, "metadata.annotations"), MODEL_ANNOTATION_STOPPED) != NULL;
}

/* Somebody suspends a Job, or lets it go on. */
static void toggle_job(struct launches *world)
{
    const struct json_t *job = any_of(world, MODEL_JOB);

    if (job == NULL || is_stopped(job))
        return;
    struct json_t *copy = js_copy(job);

    ps_buf_printf(&world->trace, "by hand: suspend or resume %s\n",
                  js_path_str(job, "metadata.name"));
    js_set_bool(launches_entry(world, job), "toggled", true);
    js_set_bool(js_child(copy, "spec"), "suspend", !js_path_bool(job, "spec.suspend", false));
    launches_put(world, MODEL_JOB, copy);
}

static bool is_over(const struct json_t *task)
{
    const char *phase = js_path_str(task, "status.phase");

    return ps_streq(phase, "Complete") || ps_streq(phase, "Failed");
}

static void disturb(struct launches *world, int what)
{
    if (what < 3) {
        delete_one(world, MODEL_JOB);
    } else if (what < 5) {
        delete_one(world, MODEL_POD);
    } else if (what == 5) {
        toggle_job(world);
    } else if (what == 6) {
        world->full = !world->full;
    } else if (what == 7) {
        launches_hide(world, launches_random(world, 2) == 0);
    } else if (what < 10) {
        launches_show(world);
    } else {
        world->now_ms += launches_random(world, 10000);
    }
}

static void user(struct launches *world)
{
    const size_t which = (size_t)launches_random(world, LAUNCHES);
    const int what = launches_random(world, 20);

    if (task_of(world, which) == NULL) {
        apply_new(world, which);
    } else if (what < 6) {
        edit(world, which);
    } else if (what == 6 || (what < 11 && is_over(task_of(world, which)))) {
        delete_task(world, which);
    } else if (what > 15) {
        disturb(world, launches_random(world, 11));
    }
}

/* Something goes on between two calls of the executor. */
static void happens(struct launches *world)
{
    switch (launches_random(world, 5)) {
    case 0:
        launches_commit_late(world);
        break;
    case 1:
        user(world);
        break;
    case 2:
        launches_deliver(world, 60);
        break;
    default:
        (void)launches_tick(world);
    }
}

/* ---- to rest --------------------------------------------------------------------------------- */

/* The jobs of all launches; true when none had anything to do. */
static bool all_quiet(struct launches *world, int *jobs, int64_t *wake_ms)
{
    bool quiet = true;

    *wake_ms = -1;
    for (size_t i = 0; i < LAUNCHES; i++) {
        const bool idle = launches_job(world, i);

        *jobs += !idle;
        quiet &= idle;
        if (world->wake_ms >= 0 && (*wake_ms < 0 || world->wake_ms < *wake_ms))
            *wake_ms = world->wake_ms;
    }
    return quiet;
}

/* Ever on record, also of launches that are gone. */
static int attempts_of(const struct launches *world)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;
    int n = 0;

    while (js_next(world->ledger, &at, &key, &value))
        n += js_get(value, "intent") != NULL;
    return n;
}

static void settle(struct launches *world)
{
    const int before = attempts_of(world);
    int jobs = 0, idle = 0, rounds = 0;
    int64_t wake_ms;

    for (; idle < QUIET_TICKS; rounds++) {
        const bool went_on = launches_tick(world);

        launches_deliver(world, 100);
        const bool quiet = all_quiet(world, &jobs, &wake_ms);

        idle = went_on || !quiet ? 0 : idle + 1;
        if (idle == QUIET_TICKS && wake_ms >= 0) {
            world->now_ms += wake_ms;
            idle = 0;
        }
        if (rounds > SETTLE_MAX)
            launches_fail(world, "does not come to rest");
    }
    if (jobs > JOBS_BASE + JOBS_A_ATTEMPT * (attempts_of(world) - before))
        launches_fail(world, "too many jobs to come to rest");
}

static void calm(struct launches *world)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;

    ps_buf_str(&world->trace, "calm\n");
    world->weather = (struct launches_weather){0};
    world->full = false;
    world->steady = true;
    launches_show(world);
    launches_commit_late(world);
    while (js_next(launches_all(world, MODEL_JOB), &at, &key, &value)) {
        if (js_path_bool(value, "spec.suspend", false) && !is_stopped(value)) {
            struct json_t *copy = js_copy(value);

            js_set_bool(js_child(copy, "spec"), "suspend", false);
            launches_put(world, MODEL_JOB, copy);
            at = NULL; /* from the start: it has changed */
        }
    }
}

/* ---- what must be in the end ----------------------------------------------------------------- */

static bool has_passed(const struct launches *world, const struct json_t *task)
{
    int64_t ms;

    return ps_time_parse(ps_str(js_path_str(task, "spec.notAfter")), &ms) && world->now_ms > ms;
}

/* The phase says what the last attempt's pod did. */
static void check_task(struct launches *world, const struct json_t *task)
{
    const char *phase = js_path_str(task, "status.phase");
    const int64_t attempt = js_path_int(task, "status.attempt", 0);
    const struct json_t *entry =
        launches_attempt(world, js_path_str(task, "metadata.uid"), attempt);
    const int64_t code = js_path_int(entry, "exit", -1);
    const bool lost = js_path_bool(entry, "deleted", false) || js_path_bool(entry, "late", false);

    ps_buf_printf(&world->trace, "phase %s, attempt %lld, exit code %lld\n", phase,
                  (long long)attempt, (long long)code);
    if (ps_streq(phase, "Complete")) {
        LAUNCHES_CHECK(world, code == 0);
    } else if (ps_streq(phase, "Failed")) {
        LAUNCHES_CHECK(world, code != 0 || lost);
    } else if (ps_streq(phase, "Unknown")) {
        LAUNCHES_CHECK(world, lost);
    } else {
        LAUNCHES_CHECK(world, ps_streq(phase, "Stopped"));
        LAUNCHES_CHECK(world, js_path_bool(task, "spec.suspend", false) || has_passed(world, task));
        LAUNCHES_CHECK(world, code != 0 || lost);
    }
    if (code == 0 && !lost)
        LAUNCHES_CHECK(world, ps_streq(phase, "Complete"));
}

static void check_rest(struct launches *world)
{
    struct json_t *value;
    void *at = NULL;
    const char *key;

    for (size_t i = 0; i < LAUNCHES; i++) {
        if (task_of(world, i) != NULL)
            check_task(world, task_of(world, i));
    }
    while (js_next(launches_all(world, MODEL_JOB), &at, &key, &value)) {
        const char *owner =
            js_str(js_get(js_path(value, "metadata.labels"), MODEL_LABEL_OWNER_UID));

        LAUNCHES_CHECK(world, js_len(js_path(value, "metadata.finalizers")) == 0);
        LAUNCHES_CHECK(world, launches_by_uid(world, MODEL_TASK, owner) != NULL);
    }
    at = NULL;
    while (js_next(launches_all(world, MODEL_POD), &at, &key, &value))
        LAUNCHES_CHECK(world, !ps_streq(js_path_str(value, "status.phase"), "Running"));
}

static void check_nothing_left(struct launches *world)
{
    for (size_t i = 0; i < LAUNCHES; i++) {
        if (task_of(world, i) != NULL)
            delete_task(world, i);
    }
    settle(world);
    LAUNCHES_CHECK(world, js_len(launches_all(world, MODEL_TASK)) == 0);
    LAUNCHES_CHECK(world, js_len(launches_all(world, MODEL_JOB)) == 0);
    LAUNCHES_CHECK(world, js_len(launches_all(world, MODEL_POD)) == 0);
}

/* ---- the property ---------------------------------------------------------------------------- */

static void run(uint64_t seed, const struct launches_weather *weather)
{
    struct launches world;

    launches_init(&world, seed);
    world.between = happens;
    for (int i = 0; i < STEPS; i++) {
        world.weather = launches_random(&world, 2) ? *weather : (struct launches_weather){0};
        user(&world);
        for (int n = launches_random(&world, 4); n > 0; n--) {
            (void)launches_job(&world, (size_t)launches_random(&world, LAUNCHES));
            (void)launches_tick(&world);
            launches_deliver(&world, 50);
        }
        if (launches_chance(&world, 20))
            launches_commit_late(&world);
        for (int n = launches_random(&world, 3); n > 0; n--) /* with no executor */
            (void)launches_tick(&world);
    }
    calm(&world);
    settle(&world);
    check_rest(&world);
    check_nothing_left(&world);
    launches_fini(&world);
}

static void keeps_the_laws_undisturbed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, &(struct launches_weather){0});
}

static void keeps_the_laws_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(seed, &(struct launches_weather){
                      .kill = 15, .lose = 15, .conflict = 10, .blind = 10, .between = 40});
    }
}

static bool is_made_unseen(const struct launches *world)
{
    const struct json_t *step = js_at(js_path(task_of(world, 0), "status.steps"), 0);

    return ps_streq(js_path_str(step, "state"), "Starting") &&
           js_len(launches_all(world, MODEL_JOB)) > 0;
}

/* Its maker has died, another's list is older than the Job, and the user stops the launch. */
static void looks_for_a_job_that_it_does_not_see(void **state)
{
    int met = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)SEEDS * 4; seed++) {
        struct launches world;

        launches_init(&world, seed);
        apply_new(&world, 0);
        for (int i = 0; i < 10 && !is_made_unseen(&world); i++) {
            world.weather.kill = 50;
            (void)launches_job(&world, 0);
            launches_deliver(&world, 10);
        }
        if (is_made_unseen(&world)) {
            struct json_t *task = js_copy(task_of(&world, 0));

            met++;
            js_set_bool(js_child(task, "spec"), "suspend", true);
            launches_put(&world, MODEL_TASK, task);
            launches_see(&world, MODEL_TASK, task);
        }
        world.weather.kill = 0;
        (void)launches_job(&world, 0);
        calm(&world);
        settle(&world);
        check_rest(&world);
        launches_fini(&world);
    }
    assert_true(met > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_for_a_job_that_it_does_not_see),
        cmocka_unit_test(keeps_the_laws_undisturbed),
        cmocka_unit_test(keeps_the_laws_whatever_happens),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
