/* SPDX-License-Identifier: Apache-2.0 */
/* TaskLaunch: the spec with every field's path in the errors. */
#include "model/internal.h"

#define ARGUMENTS_MAX      ((size_t)500)
#define RETRY_LIMIT_MAX    1000
#define EXIT_CODES_MAX     ((size_t)64)
#define EXIT_CODE_MAX      255
#define INITIAL_DEFAULT_MS ((int64_t)30 * 1000)
#define MAX_DEFAULT_MS     ((int64_t)10 * 60 * 1000)
#define FACTOR_DEFAULT     2000 /* thousandths, as below */
#define FACTOR_MIN         1000
#define FACTOR_MAX         100000
#define JITTER_DEFAULT     10
/* Ten years in seconds, as for durations. */
#define SECONDS_MAX        ((int64_t)10 * 366 * 24 * 3600)

static int failed(const struct model__reader *r)
{
    return r->err ? r->err->code : PS_EINVAL;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static int read_arguments(const struct model__reader *r, struct model_task *out)
{
    const struct json_t *list = js_get(out->spec, "arguments");
    const char **arguments;

    if (list == NULL)
        return 0;
    if (js_type(list) != JS_ARRAY) {
        return ps_fail(r->err, PS_EINVAL,
                       "spec.arguments: expected a list with one argument in each entry, found %s",
                       js_type_name(list));
    }
    if (js_len(list) > ARGUMENTS_MAX)
        return ps_fail(r->err, PS_ELIMIT, "spec.arguments: more than %zu entries", ARGUMENTS_MAX);
    arguments = ps_arena_array(r->arena, js_len(list), sizeof(*arguments));
    for (size_t i = 0; i < js_len(list); i++) {
        arguments[i] = js_str(js_at(list, i));
        if (arguments[i] == NULL) {
            return ps_fail(r->err, PS_EINVAL,
                           "spec.arguments[%zu]: expected a string (quote it), found %s", i,
                           js_type_name(js_at(list, i)));
        }
    }
    out->arguments = arguments;
    out->argument_count = js_len(list);
    return 0;
}

/* ---- retry ---------------------------------------------------------------------------------- */

static int read_duration(const struct model__reader *r, const struct json_t *parent,
                         const char *path, const char *key, int64_t *ms)
{
    const char *text = NULL;

    if (model__text(r, parent, path, key, &text) != 0)
        return failed(r);
    if (text != NULL && !codec_duration(ps_str(text), ms)) {
        return ps_fail(r->err, PS_EINVAL,
                       "%s.%s: expected a duration such as 30s, 10m or 1h30m, found %.64s", path,
                       key, text);
    }
    return 0;
}

/* A number of any form; in thousandths, since no decision is made with floats. */
static int read_factor(const struct model__reader *r, const struct json_t *backoff, int64_t *milli)
{
    const struct json_t *value = js_get(backoff, "factor");
    const enum js_type type = js_type(value);
    int64_t factor = 0;

    if (value == NULL)
        return 0;
    if (type == JS_INT || type == JS_REAL) {
        char *text PS_AUTO_FREE = js_text(value);

        if (!codec_quantity(ps_str(text), &factor))
            factor = 0;
    }
    if (factor < FACTOR_MIN || factor > FACTOR_MAX) {
        return ps_fail(r->err, PS_EINVAL,
                       "spec.retry.backoff.factor: expected a number from %d to %d",
                       FACTOR_MIN / 1000, FACTOR_MAX / 1000);
    }
    *milli = factor;
    return 0;
}

static int read_backoff(const struct model__reader *r, const struct json_t *retry,
                        struct model_retry *out)
{
    static const char path[] = "spec.retry.backoff";
    const struct json_t *backoff = js_get(retry, "backoff");
    const struct model__range percent = {0, 100};

    if (backoff != NULL && js_type(backoff) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "%s: expected an object, found %s", path,
                       js_type_name(backoff));
    }
    if (read_duration(r, backoff, path, "initial", &out->initial_ms) != 0 ||
        read_duration(r, backoff, path, "max", &out->max_ms) != 0 ||
        read_factor(r, backoff, &out->factor_milli) != 0 ||
        model__integer(r, backoff, path, "jitterPercent", percent, &out->jitter_percent) != 0)
        return failed(r);
    return 0;
}

static int read_exit_codes(const struct model__reader *r, const struct json_t *retry,
                           struct model_retry *out)
{
    const struct json_t *list = js_get(retry, "notOnExitCodes");
    int64_t *codes;

    if (list == NULL)
        return 0;
    if (js_type(list) != JS_ARRAY) {
        return ps_fail(r->err, PS_EINVAL, "spec.retry.notOnExitCodes: expected a list, found %s",
                       js_type_name(list));
    }
    if (js_len(list) > EXIT_CODES_MAX) {
        return ps_fail(r->err, PS_ELIMIT, "spec.retry.notOnExitCodes: more than %zu entries",
                       EXIT_CODES_MAX);
    }
    codes = ps_arena_array(r->arena, js_len(list), sizeof(*codes));
    for (size_t i = 0; i < js_len(list); i++) {
        codes[i] = js_int(js_at(list, i), 0);
        if (codes[i] < 1 || codes[i] > EXIT_CODE_MAX) {
            return ps_fail(r->err, PS_EINVAL,
                           "spec.retry.notOnExitCodes[%zu]: expected an integer from 1 to %d", i,
                           EXIT_CODE_MAX);
        }
    }
    out->not_on_codes = codes;
    out->not_on_count = js_len(list);
    return 0;
}

static int read_retry(const struct model__reader *r, const struct json_t *spec,
                      struct model_retry *out)
{
    const struct json_t *retry = js_get(spec, "retry");
    const struct model__range limit = {0, RETRY_LIMIT_MAX};

    if (retry == NULL)
        return 0;
    if (js_type(retry) != JS_OBJECT) {
        return ps_fail(r->err, PS_EINVAL, "spec.retry: expected an object, found %s",
                       js_type_name(retry));
    }
    out->given = true;
    if (model__integer(r, retry, "spec.retry", "limit", limit, &out->limit) != 0 ||
        read_backoff(r, retry, out) != 0 || read_exit_codes(r, retry, out) != 0 ||
        model__bool(r, retry, "spec.retry", "onUnknown", &out->on_unknown) != 0)
        return failed(r);
    return 0;
}

/* ---- the launch ----------------------------------------------------------------------------- */

static int read_not_after(const struct model__reader *r, const struct json_t *spec, int64_t *ms)
{
    const char *text = NULL;

    if (model__text(r, spec, "spec", "notAfter", &text) != 0)
        return failed(r);
    if (text != NULL && !codec_time(ps_str(text), ms)) {
        return ps_fail(r->err, PS_EINVAL,
                       "spec.notAfter: expected a time such as 2026-11-22T00:00:00Z, found %.64s",
                       text);
    }
    return 0;
}

static int read_apps(const struct model__reader *r, struct model_task *out)
{
    if (model__apps(r, out->spec, &out->apps, &out->app_count) != 0)
        return failed(r);
    for (size_t i = 0; i < out->app_count; i++) {
        if (out->apps[i].replicas >= 0) {
            return ps_fail(r->err, PS_EINVAL,
                           "spec.apps[%zu].replicas: the app of a launch runs once; remove it", i);
        }
    }
    if (out->app_count > 0 && out->apps[0].platform != NULL)
        out->platform = out->apps[0].platform;
    return 0;
}

static int read_spec(const struct model__reader *r, struct model_task *out)
{
    const struct json_t *spec = out->spec;
    const struct model__range deadline = {1, SECONDS_MAX}, ttl = {0, SECONDS_MAX};

    if (model__text(r, spec, "spec", "taskName", &out->task_name) != 0 ||
        model__text(r, spec, "spec", "definition", &out->definition) != 0 ||
        model__text(r, spec, "spec", "platform", &out->platform) != 0 ||
        model__map(r, spec, "spec", "properties", &out->properties) != 0 ||
        model__bool(r, spec, "spec", "suspend", &out->suspend) != 0 ||
        model__integer(r, spec, "spec", "activeDeadlineSeconds", deadline,
                       &out->active_deadline_s) != 0 ||
        model__integer(r, spec, "spec", "ttlSecondsAfterFinished", ttl, &out->ttl_s) != 0)
        return failed(r);
    if (read_arguments(r, out) != 0 || read_apps(r, out) != 0 ||
        read_not_after(r, spec, &out->not_after_ms) != 0 || read_retry(r, spec, &out->retry) != 0)
        return failed(r);
    return 0;
}

static void read_metadata(struct model_task *out, const struct json_t *object)
{
    const struct model__meta meta = model__meta(object);

    *out = (struct model_task){
        .namespace = meta.namespace,
        .name = meta.name,
        .uid = meta.uid,
        .rv = meta.rv,
        .generation = meta.generation,
        .created_ms = meta.created_ms,
        .deleting = meta.deleting,
        .has_finalizer = meta.has_finalizer,
        .object = object,
        .spec = meta.spec,
        .status = meta.status,
        .platform = "default",
        .active_deadline_s = -1,
        .ttl_s = -1,
        .not_after_ms = -1,
        .retry = {.initial_ms = INITIAL_DEFAULT_MS,
                  .max_ms = MAX_DEFAULT_MS,
                  .factor_milli = FACTOR_DEFAULT,
                  .jitter_percent = JITTER_DEFAULT},
    };
}

int model_task_read(struct ps_arena *arena, const struct json_t *object, struct model_task *out,
                    struct ps_err *err)
{
    const struct model__reader r = {arena, err};

    read_metadata(out, object);
    if (model__check_spec(out->spec, err) != 0)
        return PS_EINVAL;
    if (read_spec(&r, out) != 0)
        return failed(&r);
    if (out->definition == NULL) {
        return ps_fail(err, PS_EINVAL,
                       "spec.definition: expected a task definition such as \"timestamp\"");
    }
    if (out->task_name == NULL)
        return 0;
    return model__check_name(out->task_name, "Task", "spec.taskName", err);
}
