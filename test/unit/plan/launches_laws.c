/* SPDX-License-Identifier: Apache-2.0 */
/* What every write is held against. */
#include "plan/launches.h"

static const char *owner_uid(const struct json_t *job)
{
    return js_str(js_get(js_path(job, "metadata.labels"), MODEL_LABEL_OWNER_UID));
}

static const char *state_of(const struct json_t *task)
{
    return js_path_str(js_at(js_path(task, "status.steps"), 0), "state");
}

const char *launches_job_name(const struct json_t *task)
{
    return js_path_str(js_at(js_path(task, "status.steps"), 0), "resource.name");
}

static void check_phase(const struct launches *world, const struct json_t *before,
                        const struct json_t *after)
{
    const char *was = js_path_str(before, "status.phase"), *is = js_path_str(after, "status.phase");
    const bool final = ps_streq(was, "Complete") || ps_streq(was, "Failed");

    LAUNCHES_CHECK(world, !final || ps_streq(was, is));
    if (ps_streq(was, "Unknown") && !ps_streq(is, "Unknown"))
        LAUNCHES_CHECK(world, js_path_bool(after, "spec.retry.onUnknown", false));
}

/* The end of an attempt as told is the end it had: none is under way then. */
static void check_end(struct launches *world, const struct json_t *before,
                      const struct json_t *after)
{
    const struct json_t *step = js_at(js_path(before, "status.steps"), 0);
    const struct json_t *job = launches_find(
        world, MODEL_JOB, js_path_str(step, "resource.namespace"), launches_job_name(before));
    const struct json_t *entry = launches_attempt(world, js_path_str(after, "metadata.uid"),
                                                  js_path_int(before, "status.attempt", 0));
    const char *is = state_of(after);

    if (ps_streq(state_of(before), is) ||
        !ps_streq(launches_job_name(before), launches_job_name(after)))
        return;
    if (ps_streq(is, "Complete"))
        LAUNCHES_CHECK(world, js_path_int(entry, "exit", -1) == 0);
    if (ps_streq(is, "Failed"))
        LAUNCHES_CHECK(world, js_path_int(entry, "exit", -1) != 0);
    if (ps_streq(is, "Unknown"))
        LAUNCHES_CHECK(world, js_path_bool(entry, "deleted", false));
    if (ps_streq(is, "Stopped") && job != NULL && !js_path_bool(entry, "late", false))
        LAUNCHES_CHECK(world, js_path_bool(job, "spec.suspend", false));
}

/* A status on its way to the server: no attempt is left out, and none is too many. */
void launches_check_status(struct launches *world, const struct json_t *before,
                           const struct json_t *after)
{
    const int64_t was = js_path_int(before, "status.attempt", 0),
                  is = js_path_int(after, "status.attempt", 0);
    struct json_t *law = launches_law(world, js_path_str(after, "metadata.uid"));

    check_phase(world, before, after);
    check_end(world, before, after);
    LAUNCHES_CHECK(world, is == was || is == was + 1);
    if (is == was + 1) {
        struct json_t *entry = launches_attempt(world, js_path_str(after, "metadata.uid"), is);

        LAUNCHES_CHECK(world, ps_streq(state_of(after), "Starting"));
        js_set_str(entry, "intent", launches_job_name(after));
    }
    LAUNCHES_CHECK(world, is <= 1 + js_path_int(law, "limit", 0) + js_path_int(law, "stops", 0));
}

/* A Job is asked for only while its attempt is the one on record. */
void launches_check_intent(struct launches *world, const struct json_t *job)
{
    const struct json_t *entry = launches_entry(world, job);
    const struct json_t *task = launches_by_uid(world, MODEL_TASK, owner_uid(job));

    LAUNCHES_CHECK(world,
                   ps_streq(js_path_str(entry, "intent"), js_path_str(job, "metadata.name")));
    if (task == NULL) /* deleted between the two */
        return;
    LAUNCHES_CHECK(world, ps_streq(launches_job_name(task), js_path_str(job, "metadata.name")));
    LAUNCHES_CHECK(world,
                   ps_streq(state_of(task), "Starting") ||
                       launches_find(world, MODEL_JOB, js_path_str(job, "metadata.namespace"),
                                     js_path_str(job, "metadata.name")) != NULL);
}

static bool is_held(const struct json_t *job)
{
    return js_len(js_path(job, "metadata.finalizers")) > 0;
}

/* A Job is let go of when its end is on record, or its launch is going. Nothing lets it run on. */
void launches_check_job(struct launches *world, const struct json_t *before,
                        const struct json_t *after)
{
    const struct json_t *task = launches_by_uid(world, MODEL_TASK, owner_uid(before));

    if (js_path_bool(before, "spec.suspend", false))
        LAUNCHES_CHECK(world, js_path_bool(after, "spec.suspend", false));
    if (!is_held(before) || is_held(after) || task == NULL ||
        js_path_str(task, "metadata.deletionTimestamp") != NULL ||
        !ps_streq(launches_job_name(task), js_path_str(before, "metadata.name")))
        return;
    LAUNCHES_CHECK(world,
                   !ps_streq(state_of(task), "Starting") && !ps_streq(state_of(task), "Running"));
}
