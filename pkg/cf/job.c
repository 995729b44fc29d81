/* SPDX-License-Identifier: Apache-2.0 */
/* A job of the Cloud Controller, looked at until it has ended. Its state alone decides: errors may
 * stand in one that goes on. */
#include "internal.h"

#include <string.h>

#define FIRST_MS    1000
#define MAX_MS      15000
#define DEADLINE_MS ((int64_t)15 * 60 * 1000)

struct cf_job {
    struct cf_client *client;
    struct cf_call *call;
    struct loop_timer *timer;
    char *location;
    int64_t deadline_ms, delay_ms, max_ms;
    cf_job_fn *done;
    void *self;
};

static void free_job(struct cf_job *job)
{
    loop_timer_free(job->timer);
    ps_free(job->location);
    ps_free(job);
}

static void finish(struct cf_job *job, struct cf_job_result *result)
{
    result->code = result->err.code;
    if (result->error_title == NULL)
        result->error_title = result->error_detail = "";
    job->done(job->self, result);
    free_job(job);
}

static void later(struct cf_job *job, const struct ps_err *err)
{
    const int64_t left_ms = job->deadline_ms - loop_now_ms();
    const int64_t asked_ms = err->code != 0 ? ps_err_wait_ms(err) : 0;
    int64_t delay_ms = cf_client_is_short(job->client) ? job->delay_ms * 2 : job->delay_ms;

    if (delay_ms < asked_ms)
        delay_ms = asked_ms;
    if (left_ms <= 0 || delay_ms > left_ms) {
        struct cf_job_result result = {0};

        (void)ps_fail(&result.err, PS_ETIMEOUT, "the job has not ended in time%s%s",
                      err->code != 0 ? "; seen last: " : "", err->message);
        finish(job, &result);
        return;
    }
    job->delay_ms = job->delay_ms * 2 < job->max_ms ? job->delay_ms * 2 : job->max_ms;
    loop_timer_set(job->timer, delay_ms);
}

static void take_failure(struct cf_job *job, const struct json_t *errors)
{
    struct cf__error first;
    struct cf_job_result result = {.failed = true};

    cf__error_of_list(errors, &result.err, &first);
    result.error_code = first.code;
    result.error_title = first.title;
    result.error_detail = first.detail;
    finish(job, &result);
}

/* Would a later look say something else? */
static bool may_pass(const struct cf_job *job, const struct ps_err *err)
{
    const enum ps_class class = ps_code_class(err->code);

    if (cf_client_is_locked(job->client))
        return false;
    return class == PS_CLASS_RETRY || class == PS_CLASS_THROTTLED || class == PS_CLASS_AUTH;
}

static void take_state(struct cf_job *job, const struct cf_response *response)
{
    const char *state = js_path_str(response->object, "state");
    struct cf_job_result result = {0};

    if (ps_streq(state, "COMPLETE")) {
        finish(job, &result);
    } else if (ps_streq(state, "FAILED")) {
        take_failure(job, js_get(response->object, "errors"));
    } else {
        later(job, &response->err);
    }
}

static void on_look(void *self, const struct cf_response *response)
{
    struct cf_job *job = self;
    struct cf_job_result result = {.err = response->err,
                                   .error_code = response->error_code,
                                   .error_title = response->error_title,
                                   .error_detail = response->error_detail};

    job->call = NULL;
    if (response->code == 0) {
        take_state(job, response);
    } else if (may_pass(job, &response->err)) {
        later(job, &response->err);
    } else {
        finish(job, &result);
    }
}

static void on_timer(void *self)
{
    struct cf_job *job = self;

    job->call = cf_send(job->client, &(struct cf_request){.method = "GET", .path = job->location},
                        on_look, job);
}

struct cf_job *cf_job_watch(struct cf_client *client, const struct cf_job_request *request,
                            cf_job_fn *done, void *self)
{
    struct cf_job *job = ps_xcalloc(1, sizeof(*job));

    job->client = client;
    job->location = ps_xstrdup(request->location);
    job->deadline_ms =
        loop_now_ms() + (request->deadline_ms > 0 ? request->deadline_ms : DEADLINE_MS);
    job->delay_ms = request->first_ms > 0 ? request->first_ms : FIRST_MS;
    job->max_ms = request->max_ms > 0 ? request->max_ms : MAX_MS;
    job->done = done;
    job->self = self;
    job->timer = loop_timer_new(client->loop, on_timer, job);
    loop_timer_set(job->timer, 0);
    return job;
}

void cf_job_cancel(struct cf_job *job)
{
    if (job == NULL)
        return;
    cf_cancel(job->call);
    free_job(job);
}
