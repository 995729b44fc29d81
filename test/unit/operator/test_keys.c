/* SPDX-License-Identifier: Apache-2.0 */
/* Keys there and back, and whom an owner annotation leads to. */
#include "operator/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

static void keys_are_read_as_they_are_written(void **state)
{
    static const struct {
        enum model_kind kind;
        const char *namespace, *name, *key;
    } rows[] = {
        {MODEL_STREAM, "cars", "foo", "stream/cars/foo"},
        {MODEL_TASK, "cars", "train.2", "task/cars/train.2"},
        {MODEL_ACCOUNT, NULL, "highmemory", "account/highmemory"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(text, 256);
        PS_CLEANUP(operator__key_fini) struct operator__key key = operator__key_parse(rows[i].key);

        assert_int_equal(key.subject->kind, rows[i].kind);
        assert_true(ps_streq(key.namespace, rows[i].namespace));
        assert_string_equal(key.name, rows[i].name);
        operator__key_print(&text, rows[i].kind, rows[i].namespace, rows[i].name);
        assert_string_equal(ps_buf_text(&text), rows[i].key);
    }
    assert_true(operator__is_subject(MODEL_TASK));
    assert_false(operator__is_subject(MODEL_JOB));
}

struct fixture {
    struct controller op;
    struct ps_buf ran;
};

static void on_run(void *self, const char *key)
{
    struct fixture *f = self;

    ps_buf_printf(&f->ran, "%s\n", key);
    loop_queue_done(f->op.queue, key, -1);
    loop_stop(f->op.loop);
}

static void on_late(void *self)
{
    loop_stop(self);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.op = {.loop = loop_new(), .synced = true}};
    ps_buf_init(&f->ran, 1024);
    f->op.queue = loop_queue_new(f->op.loop, 1, on_run, f);
}

/* What the annotation put into the queue. */
static void leads_to(struct fixture *f, const char *owner, const char *expected)
{
    struct loop_timer *timer = loop_timer_new(f->op.loop, on_late, f->op.loop);

    operator__enqueue_owner(&f->op, owner, LOOP_WOKEN);
    loop_timer_set(timer, 10);
    loop_run(f->op.loop);
    loop_timer_free(timer);
    assert_string_equal(ps_buf_text(&f->ran), expected);
    ps_buf_clear(&f->ran);
}

static void an_owner_leads_to_its_key(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    leads_to(&f, "StreamDeployment/cars/foo", "stream/cars/foo\n");
    leads_to(&f, "TaskLaunch/cars/train", "task/cars/train\n");
    leads_to(&f, "PlatformAccount/cars/train", ""); /* has no children */
    leads_to(&f, "Job/cars/train", "");
    leads_to(&f, "TaskLaunch/cars/", "");
    leads_to(&f, "TaskLaunch//train", "");
    leads_to(&f, "TaskLaunch/cars", "");
    leads_to(&f, "TaskLaunch", "");
    leads_to(&f, "", "");
    f.op.synced = false;
    leads_to(&f, "TaskLaunch/cars/train", "");
    f.op.synced = true;
    f.op.stopping = true;
    leads_to(&f, "TaskLaunch/cars/train", "");
    loop_queue_free(f.op.queue);
    ps_buf_fini(&f.ran);
    loop_free(f.op.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_as_they_are_written),
        cmocka_unit_test(an_owner_leads_to_its_key),
    };

    return cmocka_run_group_tests_name("operator/keys", tests, NULL, NULL);
}
