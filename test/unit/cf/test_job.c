/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: looked at until their state says that they have ended. */
#include "foundation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

struct look {
    int status;
    const char *body;
};

struct watching {
    struct foundation f;
    const struct look *looks; /* the last one is repeated */
    int look_count, done;
    struct cf_job_result last;
    char title[64];
};

static void on_api(struct foundation *f, struct script_peer *peer,
                   const struct script_request *request)
{
    const struct watching *watching = PS_CONTAINER_OF(f, struct watching, f);
    const int i = f->asked < watching->look_count ? f->asked - 1 : watching->look_count - 1;

    assert_string_equal(request->target, "/v3/jobs/app.delete~g");
    script_reply(peer, watching->looks[i].status, "", watching->looks[i].body);
}

static void on_job(void *self, const struct cf_job_result *result)
{
    struct watching *watching = self;

    watching->done++;
    watching->last = *result;
    assert_true(strlen(result->error_title) < sizeof(watching->title));
    memcpy(watching->title, result->error_title, strlen(result->error_title) + 1);
    loop_stop(watching->f.loop);
}

#define ERRORS(code, title)                                                                        \
    "\"errors\":[{\"code\":" #code ",\"title\":\"" title "\",\"detail\":\"no\"}]"
#define LOOKS_MAX 5

static const struct {
    struct look looks[LOOKS_MAX];
    int looked, code;
    bool failed;
    const char *title;
} rows[] = {
    {{{200, "{\"state\":\"PROCESSING\"}"},
      {200, "{\"state\":\"POLLING\"," ERRORS(10001, "CF-Early") "}"},
      {200, "{\"state\":\"COMPLETE\"}"}},
     3,
     0,
     false,
     ""},
    {{{200, "{\"state\":\"FAILED\"," ERRORS(10008, "CF-UnprocessableEntity") "}"}},
     1,
     PS_EINVAL,
     true,
     "CF-UnprocessableEntity"},
    {{{200, "{\"state\":\"FAILED\"," ERRORS(290006, "CF-JobTimeout") "}"}},
     1,
     PS_ETIMEOUT,
     true,
     "CF-JobTimeout"},
    {{{200, "{\"state\":\"FAILED\"," ERRORS(10001, "CF-AsyncServiceInProgress") "}"}},
     1,
     PS_ESERVER,
     true,
     "CF-AsyncServiceInProgress"},
    {{{200, "{\"state\":\"FAILED\"}"}}, 1, PS_ESERVER, true, ""},
    {{{404, "{" ERRORS(10010, "CF-ResourceNotFound") "}"}},
     1,
     PS_ENOENT,
     false,
     "CF-ResourceNotFound"},
    {{{404, "404 Not Found: Requested route does not exist"}, {200, "{\"state\":\"COMPLETE\"}"}},
     2,
     0,
     false,
     ""},
    {{{502, "<html>"}, {200, "{\"state\":\"COMPLETE\"}"}}, 2, 0, false, ""},
};

static struct cf_job *watch(struct watching *watching, int64_t deadline_ms)
{
    return cf_job_watch(watching->f.client,
                        &(struct cf_job_request){.location = "/v3/jobs/app.delete~g",
                                                 .deadline_ms = deadline_ms,
                                                 .first_ms = 10,
                                                 .max_ms = 40},
                        on_job, watching);
}

static void only_the_state_decides(void **state)
{
    (void)state;

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct watching watching = {.looks = rows[i].looks, .look_count = LOOKS_MAX};

        foundation_open(&watching.f);
        watching.f.api = on_api;
        (void)watch(&watching, 4000);
        assert_true(script_run(watching.f.loop, ENOUGH_MS));
        if (watching.last.code != rows[i].code)
            fail_msg("row %zu: %s", i, watching.last.err.message);
        assert_int_equal(watching.last.failed, rows[i].failed);
        assert_string_equal(watching.title, rows[i].title);
        assert_int_equal(watching.f.asked, rows[i].looked);
        foundation_close(&watching.f);
    }
}

static void a_job_has_a_deadline(void **state)
{
    (void)state;
    struct watching watching = {.looks = rows[0].looks, .look_count = 1};

    foundation_open(&watching.f);
    watching.f.api = on_api;
    (void)watch(&watching, 300);
    assert_true(script_run(watching.f.loop, ENOUGH_MS));
    assert_int_equal(watching.last.code, PS_ETIMEOUT);
    assert_false(watching.last.failed);
    assert_in_range(watching.f.asked, 3, 12); /* 10, 20, 40, 40, … ms */
    cf_job_cancel(watch(&watching, 300));
    script_wait(watching.f.loop, 100);
    assert_int_equal(watching.done, 1);
    foundation_close(&watching.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_state_decides),
        cmocka_unit_test(a_job_has_a_deadline),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("cf/job", tests, NULL, NULL);
}
