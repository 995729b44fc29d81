/* SPDX-License-Identifier: Apache-2.0 */
/* The book of the slots: who has one, who waits, and whom a change lets go on. */
#include "operator/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define JOURNAL_MAX ((size_t)4096)

#define IDLE     OPERATOR__IDLE
#define QUEUED   OPERATOR__QUEUED
#define ACTIVE   OPERATOR__ACTIVE
#define UNJUDGED OPERATOR__UNJUDGED

struct fixture {
    struct operator__slots slots;
    struct ps_buf journal;
};

/* "=" the numbers of an account changed, "!" and somebody may start. */
static void on_changed(void *self, const char *account, bool freed)
{
    struct fixture *f = self;

    ps_buf_printf(&f->journal, "%s%s ", account, freed ? "!" : "=");
}

static void on_next(void *self, const char *namespace, const char *name)
{
    struct fixture *f = self;

    ps_buf_printf(&f->journal, "%s/%s ", namespace, name);
}

static void setup(struct fixture *f)
{
    ps_buf_init(&f->journal, JOURNAL_MAX);
    operator__slots_init(&f->slots, on_changed, f);
}

static void teardown(struct fixture *f)
{
    operator__slots_fini(&f->slots);
    ps_buf_fini(&f->journal);
}

static void happened(struct fixture *f, const char *expected)
{
    assert_string_equal(ps_buf_text(&f->journal), expected);
    ps_buf_clear(&f->journal);
}

/* Launch n/<name> on account a, created at that time; its uid is its name. */
static struct model_object launch(const char *name, int64_t created_ms)
{
    return (struct model_object){.kind = MODEL_TASK,
                                 .namespace = "n",
                                 .name = name,
                                 .uid = name,
                                 .platform = "a",
                                 .created_ms = created_ms};
}

static void see(struct fixture *f, const char *name, int64_t created_ms)
{
    const struct model_object o = launch(name, created_ms);

    operator__slots_see(&f->slots, &o);
}

static void planned(struct fixture *f, const char *name, enum plan_standing standing)
{
    const struct plan plan = {.standing = standing};

    operator__slots_planned(&f->slots, "n", name, &plan);
}

static void stands(const struct fixture *f, const char *name, int64_t running, int64_t ahead)
{
    const struct plan_slots slots = operator__slots_of(&f->slots, "n", name);

    if (slots.running != running || slots.ahead != ahead)
        fail_msg("%s: %lld running, %lld ahead", name, (long long)slots.running,
                 (long long)slots.ahead);
}

static void next(struct fixture *f, int64_t limit, const char *expected)
{
    ps_buf_clear(&f->journal);
    operator__slots_next(&f->slots, "a", limit, on_next);
    happened(f, expected);
}

/* ---- decisions ------------------------------------------------------------------------------ */

static void what_a_status_says_before_the_first_plan(void **state)
{
    static const struct {
        enum model_task_phase phase;
        enum model_attempt_state attempt;
        enum operator__standing standing;
    } rows[] = {
        {MODEL_TASK_NEW, MODEL_ATTEMPT_NONE, UNJUDGED},
        {MODEL_TASK_PENDING, MODEL_ATTEMPT_STARTING, ACTIVE},
        {MODEL_TASK_RUNNING, MODEL_ATTEMPT_RUNNING, ACTIVE},
        {MODEL_TASK_WAITING, MODEL_ATTEMPT_NONE, UNJUDGED},
        {MODEL_TASK_WAITING, MODEL_ATTEMPT_FAILED, UNJUDGED},
        {MODEL_TASK_STOPPED, MODEL_ATTEMPT_STOPPED, UNJUDGED},
        {MODEL_TASK_STOPPED, MODEL_ATTEMPT_RUNNING, ACTIVE}, /* told to stop, and still there */
        {MODEL_TASK_UNKNOWN, MODEL_ATTEMPT_UNKNOWN, UNJUDGED},
        {MODEL_TASK_COMPLETE, MODEL_ATTEMPT_COMPLETE, IDLE},
        {MODEL_TASK_FAILED, MODEL_ATTEMPT_FAILED, IDLE},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if (operator__standing_unplanned(rows[i].phase, rows[i].attempt) != rows[i].standing)
            fail_msg("row %zu", i);
    }
}

static void what_a_failed_job_leaves(void **state)
{
    static const struct {
        enum operator__standing before;
        int failures;
        bool in_doubt;
        enum model_attempt_state attempt;
        enum operator__standing after;
    } rows[] = {
        /* the intent may stand, or does: the slot stays taken, however often it fails */
        {ACTIVE, 1, true, MODEL_ATTEMPT_NONE, ACTIVE},
        {ACTIVE, 9, true, MODEL_ATTEMPT_FAILED, ACTIVE},
        {ACTIVE, 9, false, MODEL_ATTEMPT_STARTING, ACTIVE},
        {ACTIVE, 9, false, MODEL_ATTEMPT_RUNNING, ACTIVE},
        /* it does not: the slot is free at once, the place in the line a little later */
        {ACTIVE, 1, false, MODEL_ATTEMPT_NONE, QUEUED},
        {ACTIVE, 3, false, MODEL_ATTEMPT_FAILED, QUEUED},
        {ACTIVE, 4, false, MODEL_ATTEMPT_NONE, IDLE},
        {QUEUED, 1, false, MODEL_ATTEMPT_NONE, QUEUED},
        {QUEUED, 4, false, MODEL_ATTEMPT_NONE, IDLE},
        {QUEUED, 4, true, MODEL_ATTEMPT_NONE, QUEUED},
        {UNJUDGED, 3, false, MODEL_ATTEMPT_NONE, UNJUDGED},
        {UNJUDGED, 4, false, MODEL_ATTEMPT_UNKNOWN, IDLE},
        {IDLE, 1, false, MODEL_ATTEMPT_NONE, IDLE},
        {IDLE, 1, true, MODEL_ATTEMPT_RUNNING, IDLE},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        if (operator__standing_failed(rows[i].before, rows[i].failures, rows[i].in_doubt,
                                      rows[i].attempt) != rows[i].after)
            fail_msg("row %zu", i);
    }
}

static void what_lets_others_go_on(void **state)
{
    static const bool frees[4][4] = {
        /*                IDLE   QUEUED ACTIVE UNJUDGED */
        [IDLE] = {false, false, false, false},
        [QUEUED] = {true, false, false, false},
        [ACTIVE] = {true, true, false, true},
        [UNJUDGED] = {true, false, false, false},
    };

    (void)state;
    for (int before = 0; before < 4; before++) {
        for (int after = 0; after < 4; after++) {
            if (operator__standing_frees((enum operator__standing)before,
                                         (enum operator__standing)after) != frees[before][after])
                fail_msg("%d to %d", before, after);
        }
    }
}

/* ---- the book ------------------------------------------------------------------------------- */

static void the_older_stand_ahead(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    see(&f, "c", 30);
    see(&f, "a", 10);
    see(&f, "z", 20);
    see(&f, "b", 20); /* the same second: by uid */
    stands(&f, "a", 0, 0);
    stands(&f, "b", 0, 1);
    stands(&f, "z", 0, 2);
    stands(&f, "c", 0, 3);
    stands(&f, "nobody", 0, 0);
    planned(&f, "b", PLAN_ACTIVE);
    stands(&f, "a", 1, 0);
    stands(&f, "b", 0, 1); /* itself does not count */
    stands(&f, "c", 1, 2);
    planned(&f, "a", PLAN_IDLE);
    stands(&f, "c", 1, 1);
    teardown(&f);
}

/* Two launches planned one after the other, before any write of the first. */
static void the_last_slot_is_given_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    see(&f, "a", 10);
    see(&f, "b", 20);
    stands(&f, "a", 0, 0);
    planned(&f, "a", PLAN_ACTIVE);
    stands(&f, "b", 1, 0);
    planned(&f, "b", PLAN_QUEUED);
    happened(&f, "a= a= a= a= ");
    planned(&f, "b", PLAN_QUEUED); /* nothing new */
    happened(&f, "");
    planned(&f, "a", PLAN_IDLE);
    happened(&f, "a! ");
    next(&f, 1, "n/b ");
    teardown(&f);
}

static void a_plan_that_asks_has_decided_nothing(void **state)
{
    (void)state;
    struct fixture f;
    const struct plan asks = {.need_count = 1, .standing = PLAN_IDLE};

    setup(&f);
    see(&f, "a", 10);
    see(&f, "b", 20);
    planned(&f, "a", PLAN_ACTIVE);
    operator__slots_planned(&f.slots, "n", "a", &asks);
    stands(&f, "b", 1, 0);
    operator__slots_planned(&f.slots, "n", "gone", &asks);
    teardown(&f);
}

static void as_many_are_called_as_there_are_free_slots(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct fixture f;

    (void)state;
    setup(&f);
    next(&f, 9, ""); /* nobody */
    for (int i = 0; i < 5; i++)
        see(&f, names[i], 10 * (5 - i)); /* e is the oldest */
    next(&f, 9, "");                     /* they are planned anyway */
    for (int i = 0; i < 5; i++)
        planned(&f, names[i], PLAN_QUEUED);
    next(&f, 2, "n/e n/d ");
    next(&f, 0, "");
    next(&f, 9, "n/e n/d n/c n/b n/a ");
    planned(&f, "e", PLAN_ACTIVE);
    next(&f, 1, "");
    next(&f, 2, "n/d ");
    planned(&f, "a", PLAN_ACTIVE);
    planned(&f, "b", PLAN_ACTIVE);
    next(&f, 2, ""); /* the limit was lowered: more run than may */
    teardown(&f);
}

static void a_restart_counts_what_the_status_says(void **state)
{
    (void)state;
    struct fixture f;
    struct model_object runs = launch("runs", 10), over = launch("over", 5), late;

    setup(&f);
    runs.attempt_state = MODEL_ATTEMPT_RUNNING;
    over.task_phase = MODEL_TASK_COMPLETE;
    operator__slots_see(&f.slots, &runs);
    operator__slots_see(&f.slots, &over);
    see(&f, "waits", 20);
    see(&f, "young", 30);
    stands(&f, "young", 1, 1);
    assert_int_equal(operator__slots_line(&f.slots, "a")->unjudged, 2);
    late = launch("waits", 20); /* its status comes only now */
    late.attempt_state = MODEL_ATTEMPT_STARTING;
    operator__slots_see(&f.slots, &late);
    stands(&f, "young", 2, 0);
    planned(&f, "runs", PLAN_IDLE);
    runs = launch("runs", 10);
    runs.attempt_state = MODEL_ATTEMPT_RUNNING; /* an old status: the plan knows better */
    operator__slots_see(&f.slots, &runs);
    stands(&f, "young", 1, 0);
    teardown(&f);
}

static void what_is_deleted_frees_its_slot(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    see(&f, "a", 10);
    see(&f, "b", 20);
    planned(&f, "a", PLAN_ACTIVE);
    planned(&f, "b", PLAN_QUEUED);
    ps_buf_clear(&f.journal);
    operator__slots_forget(&f.slots, "n", "a");
    happened(&f, "a! ");
    next(&f, 1, "n/b ");
    operator__slots_forget(&f.slots, "n", "a");
    happened(&f, "");
    operator__slots_forget(&f.slots, "n", "b");
    happened(&f, "a! ");
    assert_null(operator__slots_line(&f.slots, "a"));
    teardown(&f);
}

static void another_uid_or_account_is_another_launch(void **state)
{
    (void)state;
    struct fixture f;
    struct model_object o = launch("a", 50);

    setup(&f);
    see(&f, "a", 10);
    see(&f, "b", 20);
    planned(&f, "a", PLAN_ACTIVE);
    o.uid = "u-anew";
    operator__slots_see(&f.slots, &o);
    stands(&f, "b", 0, 0); /* it is the younger one now */
    stands(&f, "a", 0, 1);
    o.platform = "z";
    operator__slots_see(&f.slots, &o);
    assert_int_equal(operator__slots_line(&f.slots, "a")->launches, 1);
    assert_int_equal(operator__slots_line(&f.slots, "z")->unjudged, 1);
    teardown(&f);
}

static void ended(struct fixture *f, const char *name, bool in_doubt,
                  enum model_attempt_state attempt)
{
    struct model_object o = launch(name, 10);

    o.attempt_state = attempt;
    operator__slots_ended(&f->slots, &o, true, in_doubt);
}

static void a_launch_that_fails_gives_back_its_slot_then_its_place(void **state)
{
    (void)state;
    struct fixture f;
    const struct model_object a = launch("a", 10);

    setup(&f);
    see(&f, "a", 10);
    see(&f, "b", 20);
    planned(&f, "b", PLAN_QUEUED);
    planned(&f, "a", PLAN_ACTIVE);
    ended(&f, "a", true, MODEL_ATTEMPT_NONE); /* it may have started */
    stands(&f, "b", 1, 0);
    ended(&f, "a", false, MODEL_ATTEMPT_STARTING); /* it has */
    stands(&f, "b", 1, 0);
    ended(&f, "a", false, MODEL_ATTEMPT_NONE); /* it has not, and is the oldest still */
    stands(&f, "b", 0, 1);
    next(&f, 1, ""); /* it comes by itself, after its backoff */
    next(&f, 2, "n/b ");
    planned(&f, "a", PLAN_ACTIVE);
    ps_buf_clear(&f.journal);
    ended(&f, "a", false, MODEL_ATTEMPT_NONE);
    happened(&f, "a! ");
    stands(&f, "b", 0, 0); /* it blocks nobody any more */
    for (int i = 0; i < 3; i++)
        ended(&f, "a", false, MODEL_ATTEMPT_NONE);
    planned(&f, "a", PLAN_QUEUED);
    operator__slots_ended(&f.slots, &a, false, false); /* well again: all is forgotten */
    next(&f, 1, "n/a ");
    ended(&f, "a", false, MODEL_ATTEMPT_NONE);
    stands(&f, "b", 0, 1);
    teardown(&f);
}

/* ---- against counting by hand --------------------------------------------------------------- */

#define MANY 40

struct by_hand {
    bool there;
    int64_t created_ms;
    enum operator__standing standing;
    char name[8];
};

static void compare(const struct fixture *f, const struct by_hand *all)
{
    int64_t running = 0;

    for (int i = 0; i < MANY; i++)
        running += all[i].there && all[i].standing == ACTIVE;
    for (int i = 0; i < MANY; i++) {
        int64_t ahead = 0;

        for (int j = 0; j < MANY; j++) {
            const bool waits = all[j].standing == QUEUED || all[j].standing == UNJUDGED;
            const bool older =
                all[j].created_ms < all[i].created_ms ||
                (all[j].created_ms == all[i].created_ms && strcmp(all[j].name, all[i].name) < 0);

            ahead += all[j].there && waits && older;
        }
        if (all[i].there)
            stands(f, all[i].name, running - (all[i].standing == ACTIVE), ahead);
    }
}

static void it_counts_as_one_would_by_hand(void **state)
{
    struct by_hand all[MANY] = {0};
    struct fixture f;
    uint64_t dice = 1;

    (void)state;
    setup(&f);
    for (int step = 0; step < 4000; step++) {
        dice = dice * 6364136223846793005U + 1442695040888963407U;
        const int i = (int)(dice >> 33) % MANY, what = (int)(dice >> 50) % 8;
        struct by_hand *one = &all[i];
        PS_AUTO_BUF(name, sizeof(one->name));

        ps_buf_printf(&name, "l%d", i);
        memcpy(one->name, ps_buf_text(&name), name.n + 1);
        if (!one->there) {
            *one = (struct by_hand){true, what / 2, UNJUDGED, {0}};
            memcpy(one->name, ps_buf_text(&name), name.n + 1);
            see(&f, one->name, one->created_ms);
        } else if (what == 0) {
            one->there = false;
            operator__slots_forget(&f.slots, "n", one->name);
        } else {
            one->standing = (enum operator__standing)(what % 3);
            planned(&f, one->name, (enum plan_standing)(what % 3));
        }
        compare(&f, all);
        ps_buf_clear(&f.journal);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_status_says_before_the_first_plan),
        cmocka_unit_test(what_a_failed_job_leaves),
        cmocka_unit_test(what_lets_others_go_on),
        cmocka_unit_test(the_older_stand_ahead),
        cmocka_unit_test(the_last_slot_is_given_once),
        cmocka_unit_test(a_plan_that_asks_has_decided_nothing),
        cmocka_unit_test(as_many_are_called_as_there_are_free_slots),
        cmocka_unit_test(a_restart_counts_what_the_status_says),
        cmocka_unit_test(what_is_deleted_frees_its_slot),
        cmocka_unit_test(another_uid_or_account_is_another_launch),
        cmocka_unit_test(a_launch_that_fails_gives_back_its_slot_then_its_place),
        cmocka_unit_test(it_counts_as_one_would_by_hand),
    };

    return cmocka_run_group_tests_name("operator/slots", tests, NULL, NULL);
}
