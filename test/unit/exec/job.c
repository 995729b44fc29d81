/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server, the planner and the caller of the jobs under test. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define JOURNAL_MAX ((size_t)64 * 1024)

/* ---- the server ------------------------------------------------------------------------------ */

static char *line_of(const struct script_request *request, const char *where)
{
    PS_AUTO_BUF(line, JOURNAL_MAX);

    ps_buf_printf(&line, "%s%s ", where, request->method);
    ps_buf_add(&line, request->target, strcspn(request->target, "?"));
    return ps_buf_take(&line);
}

static bool is_task_line(const char *line)
{
    return ps_str_find(ps_str(line), "/tasklaunches/") >= 0;
}

/* What the server has after the request: the body's name, or that of the path; version 9. */
static void reply_object(struct script_peer *peer, const char *line, struct ps_str text)
{
    struct json_t *body PS_AUTO_JS = text.n > 0 ? js_parse(text, NULL) : NULL;
    struct json_t *o PS_AUTO_JS = js_object(), *metadata = js_child(o, "metadata");
    const char *name = js_path_str(body, "metadata.name");

    if (name == NULL && ps_str_ends(ps_str(line), "/status")) {
        name = is_task_line(line) ? "t" : "s";
    } else if (name == NULL) {
        name = strrchr(line, '/') + 1;
    }
    js_set_str(metadata, "name", name);
    js_set_str(metadata, "resourceVersion", "9");
    char *answer PS_AUTO_FREE = js_text(o);

    script_reply(peer, 200, "", answer);
}

static void hold(struct job_fixture *f, struct script_peer *peer, const char *line,
                 struct ps_str body)
{
    assert_true(f->held_count < JOB_HELD_MAX);
    f->held[f->held_count++] =
        (struct job_held){peer, ps_xstrdup(line), ps_xstrndup(body.n > 0 ? body.p : "", body.n)};
    if (f->held_count == f->stop_at_held)
        loop_stop(f->loop);
}

static void serve(struct job_fixture *f, const char *where, struct script_peer *peer,
                  const struct script_request *request)
{
    char *line PS_AUTO_FREE = line_of(request, where);
    struct job_rule *rule = f->rules;

    ps_buf_printf(&f->journal, "%s\n", line);
    if (ps_streq(line, f->stop_at_line))
        loop_stop(f->loop);
    while (rule != NULL && rule->line != NULL && (!ps_streq(rule->line, line) || rule->times < 0))
        rule++;
    if (rule == NULL || rule->line == NULL) {
        reply_object(peer, line, request->body);
        return;
    }
    if (rule->times > 0 && --rule->times == 0)
        rule->times = -1; /* used up */
    if (rule->how == JOB_CLOSE)
        script_close(peer);
    else if (rule->how == JOB_HOLD)
        hold(f, peer, line, request->body);
    else
        script_reply(peer, rule->status, rule->headers ? rule->headers : "",
                     rule->body ? rule->body : "{}");
}

static void on_request(void *self, struct script_peer *peer, const struct script_request *request)
{
    serve(self, "", peer, request);
}

static void on_other_request(void *self, struct script_peer *peer,
                             const struct script_request *request)
{
    serve(self, JOB_CLUSTER ":", peer, request);
}

size_t job_let_go(struct job_fixture *f, bool answer)
{
    const size_t count = f->held_count;

    while (f->held_count > 0) {
        struct job_held *held = &f->held[--f->held_count];

        if (answer)
            reply_object(held->peer, held->line, ps_str(held->body));
        ps_free(held->line);
        ps_free(held->body);
    }
    return count;
}

/* ---- the caller ------------------------------------------------------------------------------ */

static struct plan *endless_plan(size_t n)
{
    struct plan *plan = plan__new();
    PS_AUTO_BUF(name, 32);

    ps_buf_printf(&name, "d%zu", n);
    job_need(plan, MODEL_DEPLOYMENT, "n", ps_arena_dup(&plan->arena, ps_buf_text(&name)));
    return plan;
}

static const char *subject_key(const struct job_fixture *f)
{
    return f->is_task ? JOB_TASK_KEY : JOB_KEY;
}

static bool is_subject(const struct job_fixture *f, const char *key)
{
    return ps_streq(key, subject_key(f));
}

static struct plan *on_plan(void *self, const char *key, const struct plan_fact *facts,
                            size_t fact_count, const struct plan_trouble *troubles,
                            size_t trouble_count)
{
    struct job_fixture *f = self;

    ps_buf_printf(&f->journal, "plan%s%s", is_subject(f, key) ? "" : " ",
                  is_subject(f, key) ? "" : key);
    for (size_t i = 0; i < fact_count && !f->endless; i++) {
        ps_buf_printf(&f->journal, " [%s%s%s %s/%s %s]", facts[i].cluster ? facts[i].cluster : "",
                      facts[i].cluster ? ":" : "", model_kind_name(facts[i].kind),
                      facts[i].namespace ? facts[i].namespace : "", facts[i].name,
                      facts[i].seen == PLAN_PRESENT  ? js_path_str(facts[i].object, "metadata.name")
                      : facts[i].seen == PLAN_ABSENT ? "-"
                                                     : "?");
    }
    for (size_t i = 0; i < trouble_count; i++) {
        ps_buf_printf(&f->journal, " {%s%s%s %s/%s %s %s: %s}",
                      troubles[i].cluster ? troubles[i].cluster : "",
                      troubles[i].cluster ? ":" : "", model_kind_name(troubles[i].kind),
                      troubles[i].namespace ? troubles[i].namespace : "", troubles[i].name,
                      ps_code_name(troubles[i].code), troubles[i].reason, troubles[i].message);
    }
    ps_buf_char(&f->journal, '\n');
    if (f->endless)
        return endless_plan(f->planned++);
    return f->planned < f->plan_count ? f->plans[f->planned++] : plan_nothing();
}

static void on_subject(void *self, const char *key, struct exec_subject *out)
{
    const struct job_fixture *f = self;

    (void)key;
    *out = (struct exec_subject){.kind = f->is_task ? MODEL_TASK : MODEL_STREAM,
                                 .namespace = "n",
                                 .name = f->is_task ? "t" : "s",
                                 .uid = f->gone ? NULL : "u1"};
}

static void on_observe(void *self, const char *cluster, enum model_kind kind, struct ps_str text,
                       bool written)
{
    struct job_fixture *f = self;
    PS_AUTO_JS struct json_t *object = js_parse(text, NULL);
    const char *name = js_path_str(object, "metadata.name");

    ps_buf_printf(&f->journal, "observe %s%s%s %s%s\n", cluster ? cluster : "", cluster ? ":" : "",
                  model_kind_name(kind), name ? name : "?",
                  model_is_workload(kind) && !written ? " unproven" : "");
}

static void on_absent(void *self, const struct plan_need *at)
{
    struct job_fixture *f = self;

    ps_buf_printf(&f->journal, "absent %s%s%s %s/%s\n", at->cluster ? at->cluster : "",
                  at->cluster ? ":" : "", model_kind_name(at->kind),
                  at->namespace ? at->namespace : "", at->name);
}

static struct kube_client *on_client(void *self, const char *cluster)
{
    const struct job_fixture *f = self;

    assert_string_equal(cluster, JOB_CLUSTER);
    return f->away ? NULL : f->other;
}

static void on_suspect(void *self, const char *cluster)
{
    struct job_fixture *f = self;

    ps_buf_printf(&f->journal, "suspect %s\n", cluster);
}

static void on_done(void *self, const char *key, bool failed, int64_t retry_ms, int64_t min_ms)
{
    struct job_fixture *f = self;

    ps_buf_printf(&f->journal, "done%s%s %s %lld %lld\n", is_subject(f, key) ? "" : " ",
                  is_subject(f, key) ? "" : key, failed ? "failed" : "well", (long long)retry_ms,
                  (long long)min_ms);
    if (++f->done == f->stop_at_done)
        loop_stop(f->loop);
}

/* ---- fixture --------------------------------------------------------------------------------- */

void job_setup(struct job_fixture *f, struct job_rule *rules)
{
    const struct exec_callbacks callbacks = {.plan = on_plan,
                                             .subject = on_subject,
                                             .observe = on_observe,
                                             .absent = on_absent,
                                             .client = on_client,
                                             .suspect = on_suspect,
                                             .done = on_done,
                                             .self = f};

    *f = (struct job_fixture){.loop = loop_new(), .rules = rules};
    ps_buf_init(&f->journal, JOURNAL_MAX);
    http_global_init();
    f->script = script_new(f->loop, on_request, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
    f->other_script = script_new(f->loop, on_other_request, f);
    f->other_config.server = ps_xstrdup(script_url(f->other_script));
    f->other = kube_client_new(f->loop, &f->other_config, "penstock/test");
    f->exec = exec_new(f->client, &callbacks, "penstock-0");
}

void job_teardown(struct job_fixture *f)
{
    exec_free(f->exec);
    kube_client_free(f->client);
    kube_client_free(f->other);
    (void)job_let_go(f, false);
    script_free(f->script);
    script_free(f->other_script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    kube_config_fini(&f->other_config);
    while (f->planned < f->plan_count)
        plan_free(f->plans[f->planned++]);
    ps_buf_fini(&f->journal);
}

struct plan *job_prepare(struct job_fixture *f, int status)
{
    struct plan *plan = plan__new();

    assert_true(f->plan_count < JOB_PLANS_MAX);
    if (status > 0) {
        plan->status = js_object();
        js_set_int(js_child(plan->status, "status"), "number", status);
    }
    f->plans[f->plan_count++] = plan;
    return plan;
}

static void add_op(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
                   const char *name, const char *cluster)
{
    struct json_t *body = verb == PLAN_DELETE ? NULL : js_object();

    if (body != NULL)
        js_set_str(js_child(body, "metadata"), "name", name);
    plan__op(plan, (struct plan_op){.stage = stage,
                                    .verb = verb,
                                    .kind = kind,
                                    .namespace = "n",
                                    .name = name,
                                    .uid = verb == PLAN_DELETE ? "u9" : NULL,
                                    .body = body,
                                    .cluster = cluster});
}

static void add_need(struct plan *plan, struct plan_need need)
{
    assert_true(plan->need_count < PLAN_NEEDS_MAX);
    plan->needs[plan->need_count++] = need;
}

void job_need(struct plan *plan, enum model_kind kind, const char *namespace, const char *name)
{
    add_need(plan, (struct plan_need){kind, namespace, name, NULL});
}

void job_need_there(struct plan *plan, enum model_kind kind, const char *namespace,
                    const char *name)
{
    add_need(plan, (struct plan_need){kind, namespace, name, JOB_CLUSTER});
}

void job_op(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
            const char *name)
{
    add_op(plan, stage, verb, kind, name, NULL);
}

void job_op_there(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
                  const char *name)
{
    add_op(plan, stage, verb, kind, name, JOB_CLUSTER);
}

void job_until_done(struct job_fixture *f, int count)
{
    f->stop_at_done = count;
    if (f->done < count)
        assert_true(script_run(f->loop, JOB_ENOUGH_MS));
    assert_int_equal(f->done, count);
}

void job_run(struct job_fixture *f)
{
    const int count = f->done + 1;

    f->stop_at_done = 0; /* a job may end at once */
    exec_run(f->exec, subject_key(f));
    job_until_done(f, count);
}

void job_happened(struct job_fixture *f, const char *expected)
{
    assert_string_equal(ps_buf_text(&f->journal), expected);
    ps_buf_clear(&f->journal);
}

ptrdiff_t job_at(const struct job_fixture *f, const char *line)
{
    PS_AUTO_BUF(whole, 1024);

    ps_buf_printf(&whole, "%s\n", line);
    const ptrdiff_t found = ps_str_find(ps_buf_get(&f->journal), ps_buf_text(&whole));

    if (found < 0)
        print_error("\"%s\" is missing in:\n%s", line, ps_buf_text(&f->journal));
    assert_true(found >= 0);
    return found;
}

bool job_is_in(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}
