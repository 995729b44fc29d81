/* SPDX-License-Identifier: Apache-2.0 */
/* A job: plan, fetch, plan again, perform, tell. Every answer comes later, from the loop. */
#include "exec/internal.h"

#include <string.h>

#define ROUNDS_MAX 12 /* plans of one job; a planner that asks longer waits for its backoff */

static void plan_again(struct exec__job *job);

/* ---- calls ------------------------------------------------------------------------ */

static void unlink_call(struct exec__call *call)
{
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        call->job->calls = call->next;
    }
    if (call->next != NULL)
        call->next->prev = call->prev;
    exec__doubt_fini(&call->doubt);
    ps_free(call->cluster);
    ps_free(call);
}

/* May end the job. */
void exec__call_answer(struct exec__call *call, const struct kube_response *response)
{
    call->job->pending--;
    call->answer(call, response);
}

/* Is it as if nobody were there, or nobody who knows us? */
static bool is_suspicious(const struct kube_response *response)
{
    return response->code == PS_EIO || response->code == PS_ETIMEOUT ||
           response->code == PS_EPROTO || response->code == PS_EAUTH ||
           response->code == PS_EDENIED;
}

static void on_answer(void *self, const struct kube_response *response)
{
    struct exec__call *call = self;
    struct exec *exec = call->job->exec;

    if (call->cluster != NULL && is_suspicious(response))
        exec->callbacks.suspect(exec->callbacks.self, call->cluster);
    exec__call_answer(call, response);
}

/* NULL: nothing may be asked there now. */
static struct kube_client *client_of(const struct exec *exec, const char *cluster)
{
    if (cluster == NULL)
        return exec->client;
    return exec->callbacks.client ? exec->callbacks.client(exec->callbacks.self, cluster) : NULL;
}

static bool is_write(enum kube_verb verb)
{
    return verb != KUBE_GET && verb != KUBE_LIST;
}

/* Where `cluster` says; NULL when nothing may be asked there now. */
static struct exec__call *
start_call_at(struct exec__job *job, const char *cluster, const struct kube_request *request,
              size_t index, void (*answer)(struct exec__call *, const struct kube_response *))
{
    struct kube_client *client = client_of(job->exec, cluster);

    if (client == NULL)
        return NULL;
    struct exec__call *call = ps_xcalloc(1, sizeof(*call));

    call->job = job;
    call->cluster = cluster ? ps_xstrdup(cluster) : NULL;
    call->write = is_write(request->verb);
    call->index = index;
    call->answer = answer;
    call->next = job->calls;
    if (job->calls != NULL)
        job->calls->prev = call;
    job->calls = call;
    job->pending++;
    call->call = kube_send(client, request, on_answer, call);
    return call;
}

/* On the operator's own cluster. */
static void start_call(struct exec__job *job, const struct kube_request *request, size_t index,
                       void (*answer)(struct exec__call *, const struct kube_response *))
{
    (void)start_call_at(job, NULL, request, index, answer);
}

/* The longest wait of an answer is the job's. */
static void note_wait(struct exec__job *job, const struct kube_response *response)
{
    const int64_t wait_ms = ps_err_wait_ms(&response->err);

    job->min_ms = wait_ms > job->min_ms ? wait_ms : job->min_ms;
}

/* ---- the end of a job ----------------------------------------------------------------------- */

static void free_job(struct exec__job *job)
{
    while (job->calls != NULL) {
        kube_cancel(job->calls->call);
        unlink_call(job->calls);
    }
    exec__memory_clear(&job->memory);
    plan_free(job->plan);
    ps_free(job->key);
    ps_free(job);
}

static void end_job(struct exec__job *job, bool failed, int64_t retry_ms)
{
    struct exec *exec = job->exec;
    char *key PS_AUTO_FREE = ps_xstrdup(job->key);
    const int64_t min_ms = job->min_ms;

    (void)ps_map_remove(&exec->jobs, key);
    free_job(job);
    exec->callbacks.done(exec->callbacks.self, key, failed, retry_ms, min_ms);
}

/* ---- doubts: writes without an answer ------------------------------------------------------- */

/* A read-back has come; when it failed too, the doubt stays for the next job. */
static void on_doubt(struct exec__call *call, const struct kube_response *response)
{
    struct exec__job *job = call->job;
    struct exec *exec = job->exec;
    const struct plan_need at = exec__doubt_at(&call->doubt);

    if (response->code == 0) {
        exec->callbacks.observe(exec->callbacks.self, at.cluster, at.kind, response->text, false);
    } else if (response->code == PS_ENOENT) {
        exec->callbacks.absent(exec->callbacks.self, &at);
    } else {
        exec__doubt_add(exec, job->key, &at);
        note_wait(job, response);
        job->failed = true;
    }
    unlink_call(call);
    if (job->pending > 0)
        return;
    if (job->failed) {
        end_job(job, true, 0);
    } else {
        plan_again(job);
    }
}

/* Where nothing may be asked now the doubt stays, and the planner knows of the cluster. */
static void settle_doubt(struct exec__job *job, struct exec__doubt *doubt)
{
    const struct plan_need at = exec__doubt_at(doubt);
    const struct kube_request request = {
        .verb = KUBE_GET, .kind = exec_kind(at.kind), .namespace = at.namespace, .name = at.name};
    struct exec__call *call = start_call_at(job, at.cluster, &request, 0, on_doubt);

    if (call == NULL) {
        exec__doubt_add(job->exec, job->key, &at);
        return;
    }
    call->doubt = *doubt; /* taken over */
    *doubt = (struct exec__doubt){0};
}

/* True when doubts of the key are being read back now. */
static bool settle_doubts(struct exec__job *job)
{
    struct exec__doubts *doubts = ps_map_remove(&job->exec->doubts, job->key);

    for (size_t i = 0; doubts != NULL && i < doubts->count; i++)
        settle_doubt(job, &doubts->items[i]);
    if (doubts != NULL)
        exec__doubts_free(doubts);
    return job->pending > 0;
}

/* ---- needs ---------------------------------------------------------------------------------- */

static void on_need(struct exec__call *call, const struct kube_response *response)
{
    struct exec__job *job = call->job;
    const struct plan_need *need = &job->plan->needs[call->index];

    if (response->code == 0) {
        exec__memory_fact(&job->memory, need, response->object);
    } else if (response->code == PS_ENOENT) {
        exec__memory_fact(&job->memory, need, NULL);
    } else {
        ps_log(PS_LOG_WARN, "fact_unknown", "key", job->key, "kind", model_kind_name(need->kind),
               "name", need->name, "error", response->err.message, NULL);
        note_wait(job, response);
        job->blind = true;
    }
    unlink_call(call);
    if (job->pending > 0)
        return;
    if (job->blind) {
        end_job(job, true, 0);
    } else {
        plan_again(job);
    }
}

static void fetch_needs(struct exec__job *job)
{
    for (size_t i = 0; i < job->plan->need_count; i++) {
        const struct plan_need *need = &job->plan->needs[i];
        const struct kube_request request = {.verb = KUBE_GET,
                                             .kind = exec_kind(need->kind),
                                             .namespace = need->namespace,
                                             .name = need->name};

        if (start_call_at(job, need->cluster, &request, i, on_need) == NULL)
            job->blind = true;
    }
    if (job->pending == 0)
        end_job(job, true, 0);
}

/* ---- status --------------------------------------------------------------------------------- */

/* Behind the write of the status that says the same, so that nobody is told of what was not
 * decided. */
static void tell_events(struct exec__job *job)
{
    struct exec *exec = job->exec;
    struct exec_subject subject = {0};

    exec->callbacks.subject(exec->callbacks.self, job->key, &subject);
    for (size_t i = 0; subject.uid != NULL && i < job->plan->event_count; i++) {
        exec_event(exec, &subject, job->plan->events[i].warning, job->plan->events[i].reason,
                   job->plan->events[i].note);
    }
}

static void on_status(struct exec__call *call, const struct kube_response *response)
{
    struct exec__job *job = call->job;
    struct exec *exec = job->exec;
    struct exec_subject subject = {0};

    unlink_call(call);
    if (response->code == 0) {
        exec->callbacks.subject(exec->callbacks.self, job->key, &subject);
        exec->callbacks.observe(exec->callbacks.self, NULL, subject.kind, response->text, true);
        tell_events(job);
        end_job(job, job->failed && job->retry, job->plan->wake_ms);
        return;
    }
    if (response->code != PS_ENOENT && response->code != PS_ECONFLICT) {
        ps_log(PS_LOG_WARN, "status_not_written", "key", job->key, "error", response->err.message,
               NULL);
    }
    note_wait(job, response);
    end_job(job, response->code != PS_ENOENT, -1);
}

static void write_status(struct exec__job *job)
{
    struct exec *exec = job->exec;
    struct exec_subject subject = {0};

    exec->callbacks.subject(exec->callbacks.self, job->key, &subject);
    if (job->plan->status == NULL || subject.uid == NULL) {
        end_job(job, job->failed && job->retry, job->plan->wake_ms);
        return;
    }
    const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
                                         .kind = exec_kind(subject.kind),
                                         .namespace = subject.namespace,
                                         .name = subject.name,
                                         .subresource = "status",
                                         .body = job->plan->status};

    start_call(job, &request, 0, on_status);
}

/* ---- operations ----------------------------------------------------------------------------- */

static const char *verb_name(enum plan_verb verb)
{
    static const char *const names[] = {[PLAN_CREATE] = "create",
                                        [PLAN_PATCH] = "patch",
                                        [PLAN_PATCH_STRATEGIC] = "patch",
                                        [PLAN_PATCH_STATUS] = "patch-status",
                                        [PLAN_DELETE] = "delete"};

    return names[verb];
}

static void log_op(const struct exec__job *job, const struct plan_op *op,
                   const struct kube_response *response)
{
    const bool ok = response->code == 0 || (op->verb == PLAN_DELETE && response->code == PS_ENOENT);

    ps_log(ok ? PS_LOG_INFO : PS_LOG_WARN, "op", "key", job->key, "verb", verb_name(op->verb),
           "kind", model_kind_name(op->kind), "namespace", op->namespace ? op->namespace : "",
           "name", op->name, "result",
           ok                  ? "done"
           : response->unknown ? "unknown"
                               : ps_code_name(response->code),
           "error", ok ? NULL : response->err.message, NULL);
}

/* What a failed operation means for the job. */
static void note_failure(struct exec__job *job, const struct plan_op *op,
                         const struct kube_response *response)
{
    job->failed = true;
    if (response->unknown) {
        const struct plan_need at = exec__op_at(op);

        exec__doubt_add(job->exec, job->key, &at);
    }
    note_wait(job, response);
    job->retry = true;
    if (response->code == PS_ECONFLICT || response->code == PS_ENOENT)
        return; /* decided on an older state: read on, decide again */
    job->tell = true;
    exec__memory_trouble(&job->memory, op, response);
}

static void run_stage(struct exec__job *job);

static void after_stage(struct exec__job *job)
{
    if (job->failed && !job->tell) {
        end_job(job, true, 0);
        return;
    }
    if (job->failed) {
        job->status_only = true; /* tell what failed, then wait for the backoff */
        plan_again(job);
        return;
    }
    run_stage(job);
}

static void on_holder(struct exec__call *call, const struct kube_response *response)
{
    struct exec__job *job = call->job;
    const struct plan_need at = exec__op_at(&job->plan->ops[call->index]);

    if (response->code == 0) {
        job->tell = true;
        exec__memory_fact(&job->memory, &at, response->object);
        job->exec->callbacks.observe(job->exec->callbacks.self, at.cluster, at.kind, response->text,
                                     false);
    } else {
        note_wait(job, response);
        job->retry = true; /* gone again, or not readable now: the next job tries anew */
    }
    unlink_call(call);
    if (job->pending == 0)
        after_stage(job);
}

static void read_holder(struct exec__job *job, size_t index)
{
    const struct plan_op *op = &job->plan->ops[index];
    const struct kube_request request = {.verb = KUBE_GET,
                                         .kind = exec_kind(op->kind),
                                         .namespace = op->namespace,
                                         .name = op->name};

    if (start_call_at(job, op->cluster, &request, index, on_holder) != NULL)
        return;
    job->retry = true;
    if (job->pending == 0)
        after_stage(job);
}

/* Did the write end the object? A delete answers with the object while finalizers hold it, else
 * with a Status. A patch that takes the last finalizer off a deleted object ends it, though the
 * answer shows it as it was before. */
static bool is_gone(const struct plan_op *op, struct ps_str text)
{
    static const char *const wanted[] = {"metadata.uid", "metadata.deletionTimestamp",
                                         "metadata.finalizers"};
    const struct json_t *left = js_path(op->body, "metadata.finalizers");
    struct codec_paths paths;
    struct ps_str views[PS_ARRAY_LEN(wanted)];

    if (op->verb == PLAN_CREATE) /* half of all writes, and their answers are the longest */
        return false;
    codec_paths_init(&paths, wanted, PS_ARRAY_LEN(wanted));
    if (codec_pick(&paths, text, views, NULL) != 0)
        return false;
    if (op->verb == PLAN_DELETE)
        return codec_view_type(views[0]) != JS_STRING;
    if (codec_view_type(views[1]) != JS_STRING)
        return false;
    return js_type(left) == JS_ARRAY ? js_len(left) == 0 : codec_view_len(views[2]) == 0;
}

static void on_op(struct exec__call *call, const struct kube_response *response)
{
    struct exec__job *job = call->job;
    struct exec *exec = job->exec;
    const size_t index = call->index;
    const struct plan_op *op = &job->plan->ops[index];
    const struct plan_need at = exec__op_at(op);

    log_op(job, op, response);
    unlink_call(call);
    if (response->code == PS_EEXIST && op->verb == PLAN_CREATE) {
        job->failed = true;
        read_holder(job, index);
        return;
    }
    if ((response->code == 0 && is_gone(op, response->text)) ||
        (response->code == PS_ENOENT && op->verb == PLAN_DELETE)) {
        exec->callbacks.absent(exec->callbacks.self, &at);
    } else if (response->code == 0) {
        exec->callbacks.observe(exec->callbacks.self, at.cluster, at.kind, response->text,
                                !op->partial);
    } else {
        note_failure(job, op, response);
    }
    if (response->code == 0 && op->verb == PLAN_PATCH_STATUS)
        tell_events(job); /* now: the next plan finds it told */
    if (job->pending == 0)
        after_stage(job);
}

static void start_op(struct exec__job *job, size_t i)
{
    static const enum kube_verb verbs[] = {[PLAN_CREATE] = KUBE_CREATE,
                                           [PLAN_PATCH] = KUBE_PATCH_MERGE,
                                           [PLAN_PATCH_STRATEGIC] = KUBE_PATCH_STRATEGIC,
                                           [PLAN_PATCH_STATUS] = KUBE_PATCH_MERGE,
                                           [PLAN_DELETE] = KUBE_DELETE};
    const struct plan_op *op = &job->plan->ops[i];
    const struct kube_request request = {.verb = verbs[op->verb],
                                         .kind = exec_kind(op->kind),
                                         .namespace = op->namespace,
                                         .name = op->verb == PLAN_CREATE ? NULL : op->name,
                                         .subresource =
                                             op->verb == PLAN_PATCH_STATUS ? "status" : NULL,
                                         .body = op->body,
                                         .uid = op->uid,
                                         .foreground = op->foreground,
                                         .metadata_only = model_is_metadata_only(op->kind)};

    if (start_call_at(job, op->cluster, &request, i, on_op) == NULL) {
        job->failed = true; /* decided when the cluster could be asked: decide again */
        job->retry = true;
    }
}

/* All is done: plan from the result at once, so that its status does not wait behind other keys. */
static void look_again(struct exec__job *job)
{
    exec__memory_clear(&job->memory);
    plan_again(job);
}

static void run_stage(struct exec__job *job)
{
    int last = -1;

    for (size_t i = 0; i < job->plan->op_count; i++) {
        if (job->plan->ops[i].stage > last)
            last = job->plan->ops[i].stage;
    }
    while (job->pending == 0 && !job->failed && job->stage <= last) {
        const int stage = job->stage++;

        for (size_t i = 0; i < job->plan->op_count; i++) {
            if (job->plan->ops[i].stage == stage)
                start_op(job, i);
        }
    }
    if (job->pending > 0)
        return;
    if (job->failed) {
        after_stage(job);
    } else {
        look_again(job);
    }
}

/* ---- planning ------------------------------------------------------------------------------- */

static void log_pass(const struct exec__job *job)
{
    PS_AUTO_BUF(counts, 64);

    ps_buf_printf(&counts, "%zu/%zu", job->plan->op_count, job->plan->need_count);
    ps_log(job->plan->op_count > 0 || job->plan->status != NULL ? PS_LOG_INFO : PS_LOG_DEBUG,
           "pass", "key", job->key, "summary", job->plan->summary, "ops_needs",
           ps_buf_text(&counts), "status", job->plan->status ? "changed" : "same", NULL);
}

static void plan_again(struct exec__job *job)
{
    struct exec *exec = job->exec;

    if (++job->rounds > ROUNDS_MAX) {
        ps_log(PS_LOG_WARN, "too_many_rounds", "key", job->key, NULL);
        end_job(job, true, 0);
        return;
    }
    plan_free(job->plan);
    job->plan = exec->callbacks.plan(exec->callbacks.self, job->key, job->memory.facts,
                                     job->memory.fact_count, job->memory.troubles,
                                     job->memory.trouble_count);
    log_pass(job);
    job->stage = 0;
    if (job->plan->need_count > 0) {
        fetch_needs(job);
    } else if (job->plan->op_count > 0 && !job->status_only) {
        run_stage(job);
    } else {
        write_status(job);
    }
}

/* ---- public --------------------------------------------------------------------------------- */

struct exec *exec_new(struct kube_client *client, const struct exec_callbacks *callbacks,
                      const char *instance)
{
    struct exec *exec = ps_xcalloc(1, sizeof(*exec));

    exec->client = client;
    exec->callbacks = *callbacks;
    exec->instance = ps_xstrdup(instance);
    ps_map_init(&exec->jobs);
    ps_map_init(&exec->doubts);
    exec__voices_init(&exec->voices);
    return exec;
}

void exec_free(struct exec *exec)
{
    size_t at = 0;
    const char *key;
    void *value;

    if (exec == NULL)
        return;
    while (ps_map_next(&exec->jobs, &at, &key, &value))
        free_job(value);
    at = 0;
    while (ps_map_next(&exec->doubts, &at, &key, &value))
        exec__doubts_free(value);
    exec__event_cancel_all(exec);
    exec__voices_fini(&exec->voices);
    ps_map_fini(&exec->jobs);
    ps_map_fini(&exec->doubts);
    ps_free(exec->instance);
    ps_free(exec);
}

void exec_run(struct exec *exec, const char *key)
{
    struct exec__job *job = ps_xcalloc(1, sizeof(*job));

    job->exec = exec;
    job->key = ps_xstrdup(key);
    job->started_ms = loop_now_ms();
    ps_assert(ps_map_put(&exec->jobs, key, job) == NULL);
    if (!settle_doubts(job))
        plan_again(job);
}
