/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: prepared plans against a scripted API server. Everything that happens is written into one
 * journal, in its order: what the planner was asked with, what the server was asked, what was
 * observed, and how the job ended.
 */
#include "exec/exec.h"
#include "plan/internal.h"
#include "support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS   5000
#define PLANS_MAX   16
#define HELD_MAX    8
#define JOURNAL_MAX ((size_t)64 * 1024)
#define KEY         "stream/n/s"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/n/deployments"
#define SERVICES    "/api/v1/namespaces/n/services"
#define STATUS      "/apis/penstock.dev/v1alpha1/namespaces/n/streamdeployments/s/status"
#define EVENTS      "/apis/events.k8s.io/v1/namespaces/n/events"
#define TAKEN                                                                                      \
    "{\"kind\":\"Status\",\"code\":409,\"reason\":\"AlreadyExists\",\"message\":\"taken\"}"
#define CHANGED "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\",\"message\":\"changed\"}"

enum how {
    ANSWER,
    CLOSE, /* after the request was read, without an answer */
    HOLD,  /* the test lets it go */
};

/* What the server does with a request that is asked the `times`-th time or earlier. */
struct rule {
    const char *line; /* "PATCH /path" */
    int status;
    const char *headers, *body; /* NULL = none; the object itself */
    enum how how;
    int times; /* 0 = always */
};

struct held {
    struct script_peer *peer;
    char *line, *body;
};

struct fixture {
    struct loop *loop;
    struct script *script;
    struct kube_client *client;
    struct kube_config config;
    struct exec *exec;
    struct plan *plans[PLANS_MAX]; /* handed out in this order, then plans with nothing */
    size_t plan_count, planned;
    bool endless; /* needs without end instead */
    struct rule *rules;
    struct held held[HELD_MAX];
    size_t held_count, stop_at_held;
    const char *stop_at_line;
    struct ps_buf journal;
    int done, stop_at_done;
    bool gone; /* the subject */
};

/* ---- the server ------------------------------------------------------------------------------ */

static char *line_of(const struct script_request *request)
{
    PS_AUTO_BUF(line, JOURNAL_MAX);

    ps_buf_printf(&line, "%s ", request->method);
    ps_buf_add(&line, request->target, strcspn(request->target, "?"));
    return ps_buf_take(&line);
}

/* What the server has after the request: the body's name, or that of the path; version 9. */
static void reply_object(struct script_peer *peer, const char *line, struct ps_str text)
{
    struct json_t *body PS_AUTO_JS = text.n > 0 ? js_parse(text, NULL) : NULL;
    struct json_t *o PS_AUTO_JS = js_object(), *metadata = js_child(o, "metadata");
    const char *name = js_path_str(body, "metadata.name");

    if (name == NULL)
        name = ps_streq(line, "PATCH " STATUS) ? "s" : strrchr(line, '/') + 1;
    js_set_str(metadata, "name", name);
    js_set_str(metadata, "resourceVersion", "9");
    char *answer PS_AUTO_FREE = js_text(o);

    script_reply(peer, 200, "", answer);
}

static void hold(struct fixture *f, struct script_peer *peer, const char *line, struct ps_str body)
{
    assert_true(f->held_count < HELD_MAX);
    f->held[f->held_count++] =
        (struct held){peer, ps_xstrdup(line), ps_xstrndup(body.n > 0 ? body.p : "", body.n)};
    if (f->held_count == f->stop_at_held)
        loop_stop(f->loop);
}

static void on_request(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct fixture *f = self;
    char *line PS_AUTO_FREE = line_of(request);
    struct rule *rule = f->rules;

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
    if (rule->how == CLOSE)
        script_close(peer);
    else if (rule->how == HOLD)
        hold(f, peer, line, request->body);
    else
        script_reply(peer, rule->status, rule->headers ? rule->headers : "",
                     rule->body ? rule->body : "{}");
}

/* Ends what is held, the last first, with an answer or without; how many there were. */
static size_t let_go(struct fixture *f, bool answer)
{
    const size_t count = f->held_count;

    while (f->held_count > 0) {
        struct held *held = &f->held[--f->held_count];

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
    plan__need(plan, MODEL_DEPLOYMENT, "n", ps_buf_text(&name));
    return plan;
}

static struct plan *on_plan(void *self, const char *key, const struct plan_fact *facts,
                            size_t fact_count, const struct plan_trouble *troubles,
                            size_t trouble_count)
{
    struct fixture *f = self;

    ps_buf_printf(&f->journal, "plan%s%s", ps_streq(key, KEY) ? "" : " ",
                  ps_streq(key, KEY) ? "" : key);
    for (size_t i = 0; i < fact_count && !f->endless; i++) {
        ps_buf_printf(&f->journal, " [%s %s/%s %s]", model_kind_name(facts[i].kind),
                      facts[i].namespace ? facts[i].namespace : "", facts[i].name,
                      facts[i].seen == PLAN_PRESENT  ? js_path_str(facts[i].object, "metadata.name")
                      : facts[i].seen == PLAN_ABSENT ? "-"
                                                     : "?");
    }
    for (size_t i = 0; i < trouble_count; i++) {
        ps_buf_printf(&f->journal, " {%s %s/%s %s %s: %s}", model_kind_name(troubles[i].kind),
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
    const struct fixture *f = self;

    (void)key;
    *out = (struct exec_subject){
        .kind = MODEL_STREAM, .namespace = "n", .name = "s", .uid = f->gone ? NULL : "u1"};
}

static void on_observe(void *self, enum model_kind kind, const struct json_t *object)
{
    struct fixture *f = self;
    const char *name = js_path_str(object, "metadata.name");

    ps_buf_printf(&f->journal, "observe %s %s\n", model_kind_name(kind), name ? name : "?");
}

static void on_absent(void *self, enum model_kind kind, const char *namespace, const char *name)
{
    struct fixture *f = self;

    ps_buf_printf(&f->journal, "absent %s %s/%s\n", model_kind_name(kind),
                  namespace ? namespace : "", name);
}

static void on_done(void *self, const char *key, bool failed, int64_t retry_ms, int64_t min_ms)
{
    struct fixture *f = self;

    ps_buf_printf(&f->journal, "done%s%s %s %lld %lld\n", ps_streq(key, KEY) ? "" : " ",
                  ps_streq(key, KEY) ? "" : key, failed ? "failed" : "well", (long long)retry_ms,
                  (long long)min_ms);
    if (++f->done == f->stop_at_done)
        loop_stop(f->loop);
}

/* ---- fixture --------------------------------------------------------------------------------- */

static void setup(struct fixture *f, struct rule *rules)
{
    const struct exec_callbacks callbacks = {.plan = on_plan,
                                             .subject = on_subject,
                                             .observe = on_observe,
                                             .absent = on_absent,
                                             .done = on_done,
                                             .self = f};

    *f = (struct fixture){.loop = loop_new(), .rules = rules};
    ps_buf_init(&f->journal, JOURNAL_MAX);
    http_global_init();
    f->script = script_new(f->loop, on_request, f);
    f->config.server = ps_xstrdup(script_url(f->script));
    f->client = kube_client_new(f->loop, &f->config, "penstock/test");
    f->exec = exec_new(f->client, &callbacks, "penstock-0");
}

static void teardown(struct fixture *f)
{
    exec_free(f->exec);
    kube_client_free(f->client);
    (void)let_go(f, false);
    script_free(f->script);
    loop_free(f->loop);
    http_global_fini();
    kube_config_fini(&f->config);
    while (f->planned < f->plan_count)
        plan_free(f->plans[f->planned++]);
    ps_buf_fini(&f->journal);
}

/* The next plan to hand out; the status is a number to tell plans apart, 0 = none. */
static struct plan *prepare(struct fixture *f, int status)
{
    struct plan *plan = plan__new();

    assert_true(f->plan_count < PLANS_MAX);
    if (status > 0) {
        plan->status = js_object();
        js_set_int(js_child(plan->status, "status"), "number", status);
    }
    f->plans[f->plan_count++] = plan;
    return plan;
}

static void op(struct plan *plan, int stage, enum plan_verb verb, enum model_kind kind,
               const char *name)
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
                                    .body = body});
}

static void until_done(struct fixture *f, int count)
{
    f->stop_at_done = count;
    if (f->done < count)
        assert_true(script_run(f->loop, ENOUGH_MS));
    assert_int_equal(f->done, count);
}

static void run(struct fixture *f)
{
    const int count = f->done + 1;

    f->stop_at_done = 0; /* a job may end at once */
    exec_run(f->exec, KEY);
    until_done(f, count);
}

/* What has happened since the last look. */
static void happened(struct fixture *f, const char *expected)
{
    assert_string_equal(ps_buf_text(&f->journal), expected);
    ps_buf_clear(&f->journal);
}

/* Where in the journal the line is. */
static ptrdiff_t at(const struct fixture *f, const char *line)
{
    PS_AUTO_BUF(whole, 1024);

    ps_buf_printf(&whole, "%s\n", line);
    const ptrdiff_t found = ps_str_find(ps_buf_get(&f->journal), ps_buf_text(&whole));

    if (found < 0)
        print_error("\"%s\" is missing in:\n%s", line, ps_buf_text(&f->journal));
    assert_true(found >= 0);
    return found;
}

static bool is_in(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- stages ---------------------------------------------------------------------------------- */

static void a_plan_with_nothing_ends_the_job(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    run(&f);
    happened(&f, "plan\ndone well -1 0\n");
    prepare(&f, 0)->wake_ms = 1234;
    run(&f);
    happened(&f, "plan\ndone well 1234 0\n");
    assert_int_equal(script_count(f.script), 0);
    teardown(&f);
}

static void stages_run_in_order_and_each_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {
        {.line = "POST " DEPLOYMENTS, .how = HOLD}, {.line = "POST " SERVICES, .how = HOLD}, {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 1);

    op(plan, 4, PLAN_DELETE, MODEL_SERVICE, "old"); /* stage numbers may have gaps */
    op(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 1, PLAN_CREATE, MODEL_DEPLOYMENT, "b");
    op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "c");
    op(plan, 0, PLAN_PATCH, MODEL_REVISION, "r");
    prepare(&f, 2);
    f.stop_at_held = 3;
    exec_run(f.exec, KEY);
    assert_true(script_run(f.loop, ENOUGH_MS)); /* all three are under way together */
    const ptrdiff_t first = at(&f, "plan\nPATCH /apis/apps/v1/namespaces/n/controllerrevisions/r\n"
                                   "observe ControllerRevision r");

    assert_true(first == 0);
    script_wait(f.loop, 20);
    assert_false(is_in(ps_buf_text(&f.journal), "DELETE")); /* the next stage waits */
    assert_false(is_in(ps_buf_text(&f.journal), "observe Deployment"));
    assert_int_equal(let_go(&f, true), 3);
    until_done(&f, 1);
    const ptrdiff_t next = at(&f, "DELETE " SERVICES "/old");

    assert_true(at(&f, "observe Deployment a") < next);
    assert_true(at(&f, "observe Deployment b") < next);
    assert_true(at(&f, "observe Service c") < next);
    /* A delete's answer is no observation: finalizers may hold the object. */
    assert_true(next < at(&f, "DELETE " SERVICES "/old\nplan\nPATCH " STATUS "\n"
                              "observe StreamDeployment s\ndone well -1 0") +
                           1);
    teardown(&f);
}

static void operations_go_over_the_wire_as_planned(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    struct plan *plan = prepare(&f, 0);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 1, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    op(plan, 2, PLAN_PATCH_STRATEGIC, MODEL_DEPLOYMENT, "c");
    op(plan, 3, PLAN_DELETE, MODEL_DEPLOYMENT, "d");
    run(&f);
    happened(&f, "plan\n"
                 "POST " DEPLOYMENTS "\nobserve Deployment a\n"
                 "PATCH " DEPLOYMENTS "/b\nobserve Deployment b\n"
                 "PATCH " DEPLOYMENTS "/c\nobserve Deployment c\n"
                 "DELETE " DEPLOYMENTS "/d\n"
                 "plan\ndone well -1 0\n");
    assert_true(is_in(script_text(f.script, 0), "{\"metadata\":{\"name\":\"a\"}}"));
    assert_true(is_in(script_text(f.script, 1), "application/merge-patch+json"));
    assert_true(is_in(script_text(f.script, 2), "application/strategic-merge-patch+json"));
    assert_true(is_in(script_text(f.script, 3), "\"preconditions\":{\"uid\":\"u9\"}"));
    teardown(&f);
}

static void a_failed_stage_stops_later_ones_and_is_told(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS,
                            .status = 429,
                            .headers = "Retry-After: 7\r\n",
                            .body = "{\"kind\":\"Status\",\"code\":429,"
                                    "\"reason\":\"TooManyRequests\",\"message\":\"slowly\"}"},
                           {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 1);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
    plan = prepare(&f, 2); /* what it wants to do must wait: this round only tells */
    op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    plan->wake_ms = 1;
    run(&f);
    happened(&f, "plan\n"
                 "POST " DEPLOYMENTS "\n"
                 "plan {Deployment n/a PS_ETHROTTLED TooManyRequests: slowly}\n"
                 "PATCH " STATUS "\nobserve StreamDeployment s\n"
                 "done failed 1 7000\n");
    assert_true(is_in(script_text(f.script, 1), "{\"status\":{\"number\":2}}"));
    teardown(&f);
}

static void the_rest_of_a_failed_stage_is_finished_and_observed(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 403, .body = ""},
                           {.line = "POST " SERVICES, .how = HOLD},
                           {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 0);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    exec_run(f.exec, KEY);
    script_wait(f.loop, 100);
    assert_int_equal(f.held_count, 1);
    assert_int_equal(f.planned, 1); /* the failure alone does not end the stage */
    assert_int_equal(let_go(&f, true), 1);
    until_done(&f, 1);
    assert_true(at(&f, "observe Service b\n"
                       "plan {Deployment n/a PS_EDENIED : HTTP status 403}\n"
                       "done failed -1 0") > 0);
    teardown(&f);
}

static void a_conflict_is_not_told_but_decided_anew(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        enum plan_verb verb;
        int status;
    } rows[] = {
        {"a patch on an old version", PLAN_PATCH_STRATEGIC, 409},
        {"a patch of what is gone", PLAN_PATCH, 404},
        {"a delete of another uid", PLAN_DELETE, 409},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        const char *method = rows[i].verb == PLAN_DELETE ? "DELETE" : "PATCH";
        PS_AUTO_BUF(line, 256);
        PS_AUTO_BUF(expected, 512);

        ps_buf_printf(&line, "%s " DEPLOYMENTS "/a", method);
        ps_buf_printf(&expected, "plan\n%s\ndone failed 0 0\n", ps_buf_text(&line));
        struct rule rules[] = {
            {.line = ps_buf_text(&line), .status = rows[i].status, .body = CHANGED}, {0}};

        print_message("  %s\n", rows[i].name);
        setup(&f, rules);
        struct plan *plan = prepare(&f, 1);

        op(plan, 0, rows[i].verb, MODEL_DEPLOYMENT, "a");
        op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
        prepare(&f, 2);
        run(&f);
        happened(&f, ps_buf_text(&expected));
        teardown(&f);
    }
}

static void a_delete_of_what_is_gone_is_done(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "DELETE " DEPLOYMENTS "/a", .status = 404}, {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 0);

    op(plan, 0, PLAN_DELETE, MODEL_DEPLOYMENT, "a");
    op(plan, 1, PLAN_DELETE, MODEL_SERVICE, "b");
    run(&f);
    happened(&f, "plan\n"
                 "DELETE " DEPLOYMENTS "/a\nabsent Deployment n/a\n"
                 "DELETE " SERVICES "/b\n"
                 "plan\ndone well -1 0\n");
    teardown(&f);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void needs_are_read_and_become_facts(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "GET " DEPLOYMENTS "/b", .status = 404}, {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 1);

    plan__need(plan, MODEL_DEPLOYMENT, "n", "a");
    op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "c"); /* not before all is known */
    plan__need(prepare(&f, 1), MODEL_DEPLOYMENT, "n", "b");
    plan__need(prepare(&f, 1), MODEL_NAMESPACE, NULL, "t");
    op(prepare(&f, 0), 0, PLAN_PATCH, MODEL_SERVICE, "c");
    run(&f);
    happened(&f, "plan\n"
                 "GET " DEPLOYMENTS "/a\n"
                 "plan [Deployment n/a a]\n"
                 "GET " DEPLOYMENTS "/b\n"
                 "plan [Deployment n/a a] [Deployment n/b -]\n"
                 "GET /api/v1/namespaces/t\n"
                 "plan [Deployment n/a a] [Deployment n/b -] [Namespace /t t]\n"
                 "PATCH " SERVICES "/c\nobserve Service c\n"
                 "plan\n" /* what was read before the write is not held any more */
                 "done well -1 0\n");
    teardown(&f);
}

static void all_needs_of_a_plan_are_read_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "GET " DEPLOYMENTS "/a", .how = HOLD},
                           {.line = "GET " SERVICES "/a", .how = HOLD},
                           {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 0);

    plan__need(plan, MODEL_DEPLOYMENT, "n", "a");
    plan__need(plan, MODEL_SERVICE, "n", "a");
    f.stop_at_held = 2;
    exec_run(f.exec, KEY);
    assert_true(script_run(f.loop, ENOUGH_MS));
    assert_int_equal(f.planned, 1);
    assert_int_equal(let_go(&f, true), 2);
    until_done(&f, 1);
    assert_true(is_in(ps_buf_text(&f.journal), "[Deployment n/a a]"));
    assert_true(is_in(ps_buf_text(&f.journal), "[Service n/a a]"));
    teardown(&f);
}

static void what_cannot_be_read_is_not_taken_for_absent(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *headers, *end;
    } rows[] = {
        {"the server's error", 500, "", "done failed 0 500\n"},
        {"the server's error, with a time", 503, "Retry-After: 3\r\n", "done failed 0 3000\n"},
        {"forbidden", 403, "", "done failed 0 0\n"},
        {"throttled", 429, "Retry-After: 9\r\n", "done failed 0 9000\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct rule rules[] = {
            {.line = "GET " DEPLOYMENTS "/a", .status = rows[i].status, .headers = rows[i].headers},
            {0}};

        print_message("  %s\n", rows[i].name);
        setup(&f, rules);
        struct plan *plan = prepare(&f, 0);

        plan__need(plan, MODEL_DEPLOYMENT, "n", "a");
        plan__need(plan, MODEL_DEPLOYMENT, "n", "b"); /* readable, but that is not enough */
        prepare(&f, 1);
        run(&f);
        assert_int_equal(f.planned, 1);
        assert_true(at(&f, "GET " DEPLOYMENTS "/b") > 0);
        assert_true(is_in(ps_buf_text(&f.journal), rows[i].end));
        assert_int_equal(script_count(f.script), 2);
        teardown(&f);
    }
}

static void a_planner_that_asks_for_ever_is_ended(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    f.endless = true;
    run(&f);
    assert_int_equal(f.planned, 12);
    assert_int_equal(script_count(f.script), 12);
    assert_true(is_in(ps_buf_text(&f.journal), "\ndone failed 0 0\n"));
    f.endless = false; /* the next job starts to count anew */
    ps_buf_clear(&f.journal);
    run(&f);
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

/* ---- names that are taken -------------------------------------------------------------------- */

static void who_holds_a_taken_name_is_read_and_told(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 409, .body = TAKEN}, {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 1);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 1, PLAN_CREATE, MODEL_SERVICE, "b");
    prepare(&f, 2)->wake_ms = 30000;
    run(&f);
    happened(&f, "plan\n"
                 "POST " DEPLOYMENTS "\n"
                 "GET " DEPLOYMENTS "/a\nobserve Deployment a\n"
                 "plan [Deployment n/a a]\n"
                 "PATCH " STATUS "\nobserve StreamDeployment s\n"
                 "done well 30000 0\n"); /* no failure: nothing gets better by trying */
    teardown(&f);
}

static void a_holder_that_cannot_be_read_decides_nothing(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *end;
    } rows[] = {
        {"gone again", 404, "done failed 0 0\n"},
        {"the server's error", 500, "done failed 0 500\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 409, .body = TAKEN},
                               {.line = "GET " DEPLOYMENTS "/a", .status = rows[i].status},
                               {0}};
        PS_AUTO_BUF(expected, 512);

        print_message("  %s\n", rows[i].name);
        setup(&f, rules);
        op(prepare(&f, 1), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
        prepare(&f, 2);
        run(&f);
        ps_buf_printf(&expected, "plan\nPOST " DEPLOYMENTS "\nGET " DEPLOYMENTS "/a\n%s",
                      rows[i].end);
        happened(&f, ps_buf_text(&expected));
        teardown(&f);
    }
}

static void a_taken_name_beside_a_failure_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 409, .body = TAKEN},
                           {.line = "POST " SERVICES, .status = 409, .body = CHANGED},
                           {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 0);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    op(plan, 0, PLAN_CREATE, MODEL_SERVICE, "b");
    run(&f);
    assert_true(at(&f, "plan [Deployment n/a a]\ndone failed -1 0") > 0);
    teardown(&f);
}

/* ---- writes without an answer ---------------------------------------------------------------- */

#define NO_ANSWER "plan {Deployment n/a PS_EIO : "

/* The first job: a create that the server reads, and says nothing about. */
static void lose_an_answer(struct fixture *f)
{
    op(prepare(f, 1), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    prepare(f, 2);
    run(f);
    assert_true(is_in(ps_buf_text(&f->journal), "plan\nPOST " DEPLOYMENTS "\n" NO_ANSWER));
    assert_true(at(f, "PATCH " STATUS "\nobserve StreamDeployment s\ndone failed -1 500") > 0);
    ps_buf_clear(&f->journal);
}

static void a_lost_answer_is_read_back_before_anything_is_planned(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .how = CLOSE}, {0}};

    setup(&f, rules);
    lose_an_answer(&f);
    exec_run(f.exec, "stream/n/other"); /* another key has no doubts */
    until_done(&f, 2);
    happened(&f, "plan stream/n/other\ndone stream/n/other well -1 0\n");
    run(&f);
    happened(&f, "GET " DEPLOYMENTS "/a\nobserve Deployment a\nplan\ndone well -1 0\n");
    run(&f); /* settled */
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

static void a_lost_write_that_has_not_happened_is_absent(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .how = CLOSE},
                           {.line = "GET " DEPLOYMENTS "/a", .status = 404},
                           {0}};

    setup(&f, rules);
    lose_an_answer(&f);
    run(&f);
    happened(&f, "GET " DEPLOYMENTS "/a\nabsent Deployment n/a\nplan\ndone well -1 0\n");
    run(&f);
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

static void a_doubt_stays_until_it_can_be_read(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .how = CLOSE},
                           {.line = "GET " DEPLOYMENTS "/a", .status = 500, .times = 1},
                           {.line = "GET " DEPLOYMENTS "/a",
                            .status = 429,
                            .headers = "Retry-After: 2\r\n",
                            .times = 1},
                           {0}};

    setup(&f, rules);
    lose_an_answer(&f);
    run(&f);
    happened(&f,
             "GET " DEPLOYMENTS "/a\ndone failed 0 500\n"); /* and no plan on what is not known */
    run(&f);
    happened(&f, "GET " DEPLOYMENTS "/a\ndone failed 0 2000\n");
    run(&f);
    happened(&f, "GET " DEPLOYMENTS "/a\nobserve Deployment a\nplan\ndone well -1 0\n");
    teardown(&f);
}

static void of_two_doubts_only_the_unreadable_one_stays(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 500},
                           {.line = "DELETE " SERVICES "/b", .status = 504},
                           {.line = "PATCH " SERVICES "/c", .status = 422},
                           {.line = "GET " SERVICES "/b", .status = 503, .times = 1},
                           {0}};

    setup(&f, rules);
    struct plan *plan = prepare(&f, 0);

    op(plan, 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a"); /* a 5xx may have happened all the same */
    op(plan, 0, PLAN_DELETE, MODEL_SERVICE, "b");
    op(plan, 0, PLAN_PATCH, MODEL_SERVICE, "c"); /* a refusal has no effect: no doubt */
    run(&f);
    ps_buf_clear(&f.journal);
    run(&f);
    assert_true(at(&f, "GET " DEPLOYMENTS "/a") >= 0);
    assert_true(at(&f, "GET " SERVICES "/b") >= 0);
    assert_true(at(&f, "observe Deployment a") >= 0);
    assert_true(at(&f, "done failed 0 500") >= 0);
    assert_false(is_in(ps_buf_text(&f.journal), "plan"));
    assert_false(is_in(ps_buf_text(&f.journal), SERVICES "/c"));
    ps_buf_clear(&f.journal);
    run(&f);
    happened(&f, "GET " SERVICES "/b\nobserve Service b\nplan\ndone well -1 0\n");
    teardown(&f);
}

/* ---- status and events ----------------------------------------------------------------------- */

static void the_status_comes_last_and_the_events_after_it(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    struct plan *plan = prepare(&f, 1);

    op(plan, 0, PLAN_PATCH, MODEL_SERVICE, "a");
    plan__event(plan, false, "NotNow", "the operations' plan tells nothing");
    plan = prepare(&f, 2);
    plan__event(plan, true, "Told", "a word");
    plan->wake_ms = 60000;
    f.stop_at_line = "POST " EVENTS;
    exec_run(f.exec, KEY);
    assert_true(script_run(f.loop, ENOUGH_MS));
    happened(&f, "plan\n"
                 "PATCH " SERVICES "/a\nobserve Service a\n"
                 "plan\n"
                 "PATCH " STATUS "\nobserve StreamDeployment s\n"
                 "done well 60000 0\n" /* events are not waited for */
                 "POST " EVENTS "\n");
    assert_true(is_in(script_text(f.script, 1), "application/merge-patch+json"));
    assert_true(is_in(script_text(f.script, 1), "{\"status\":{\"number\":2}}"));
    const char *event = script_text(f.script, 2);

    assert_true(is_in(event, "\"reason\":\"Told\""));
    assert_true(is_in(event, "\"note\":\"a word\""));
    assert_true(is_in(event, "\"type\":\"Warning\""));
    assert_true(is_in(event, "\"uid\":\"u1\""));
    assert_true(is_in(event, "\"reportingInstance\":\"penstock-0\""));
    teardown(&f);
}

static void an_event_that_is_lost_harms_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " EVENTS, .status = 403, .times = 1},
                           {.line = "POST " EVENTS, .how = CLOSE, .times = 1},
                           {0}};

    setup(&f, rules);
    for (int i = 0; i < 2; i++) {
        plan__event(prepare(&f, 1), false, "Told", "a word");
        f.stop_at_line = "POST " EVENTS;
        exec_run(f.exec, KEY);
        assert_true(script_run(f.loop, ENOUGH_MS));
        script_wait(f.loop, 50);
        happened(&f, "plan\nPATCH " STATUS "\nobserve StreamDeployment s\ndone well -1 0\n"
                     "POST " EVENTS "\n"); /* once: neither tried again nor in doubt */
    }
    run(&f);
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

static void events_without_a_status_change_are_not_told(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    plan__event(prepare(&f, 0), false, "Told", "again and again");
    run(&f);
    script_wait(f.loop, 20);
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

static void a_status_that_is_not_written_is_written_later(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int status;
        const char *headers, *end;
    } rows[] = {
        {"changed meanwhile", 409, "", "done failed -1 0\n"},
        {"gone: nobody to tell", 404, "", "done well -1 0\n"},
        {"the server's error", 500, "", "done failed -1 500\n"},
        {"throttled", 429, "Retry-After: 4\r\n", "done failed -1 4000\n"},
        {"refused", 422, "", "done failed -1 0\n"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct rule rules[] = {
            {.line = "PATCH " STATUS, .status = rows[i].status, .headers = rows[i].headers}, {0}};
        PS_AUTO_BUF(expected, 512);

        print_message("  %s\n", rows[i].name);
        setup(&f, rules);
        struct plan *plan = prepare(&f, 1);

        plan__event(plan, false, "Told", "not before the status is there");
        plan->wake_ms = 60000;
        run(&f);
        ps_buf_printf(&expected, "plan\nPATCH " STATUS "\n%s", rows[i].end);
        happened(&f, ps_buf_text(&expected));
        script_wait(f.loop, 20);
        happened(&f, "");
        teardown(&f);
    }
}

static void the_longest_wait_that_was_asked_for_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {
        {.line = "POST " DEPLOYMENTS, .status = 429, .headers = "Retry-After: 7\r\n"},
        {.line = "PATCH " STATUS, .status = 409, .body = CHANGED, .times = 1},
        {.line = "PATCH " STATUS, .status = 429, .headers = "Retry-After: 8\r\n", .times = 1},
        {0}};

    setup(&f, rules);
    for (int i = 0; i < 2; i++) {
        op(prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
        prepare(&f, 1);
        run(&f);
        assert_true(is_in(ps_buf_text(&f.journal),
                          i == 0 ? "done failed -1 7000\n" : "done failed -1 8000\n"));
        ps_buf_clear(&f.journal);
    }
    teardown(&f);
}

static void nothing_is_told_to_what_is_gone(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    f.gone = true;
    plan__event(prepare(&f, 1), false, "Told", "nobody listens");
    run(&f);
    script_wait(f.loop, 20);
    happened(&f, "plan\ndone well -1 0\n");
    teardown(&f);
}

/* ---- rounds and life ------------------------------------------------------------------------- */

static void after_success_the_job_plans_again_until_nothing_is_left(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, NULL);
    op(prepare(&f, 1), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
    op(prepare(&f, 2), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    prepare(&f, 3)->wake_ms = 5;
    run(&f);
    happened(&f, "plan\n"
                 "PATCH " DEPLOYMENTS "/a\nobserve Deployment a\n"
                 "plan\n"
                 "PATCH " DEPLOYMENTS "/b\nobserve Deployment b\n"
                 "plan\n"
                 "PATCH " STATUS "\nobserve StreamDeployment s\n"
                 "done well 5 0\n");
    assert_int_equal(f.done, 1);
    teardown(&f);
}

static void a_key_runs_again_after_its_end(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .status = 403, .times = 1}, {0}};

    setup(&f, rules);
    op(prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    prepare(&f, 0);
    run(&f);
    ps_buf_clear(&f.journal);
    op(prepare(&f, 0), 0, PLAN_CREATE, MODEL_DEPLOYMENT, "a");
    run(&f);
    happened(&f, "plan\n" /* nothing of the first job's failure is left */
                 "POST " DEPLOYMENTS "\nobserve Deployment a\nplan\ndone well -1 0\n");
    teardown(&f);
}

static void keys_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "PATCH " DEPLOYMENTS "/a", .how = HOLD}, {0}};

    setup(&f, rules);
    op(prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
    f.stop_at_held = 1;
    exec_run(f.exec, KEY);
    assert_true(script_run(f.loop, ENOUGH_MS));
    op(prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "b");
    exec_run(f.exec, "stream/n/other");
    until_done(&f, 1);
    assert_true(at(&f, "observe Deployment b\nplan stream/n/other\n"
                       "done stream/n/other well -1 0") > 0);
    ps_buf_clear(&f.journal);
    assert_int_equal(let_go(&f, true), 1);
    until_done(&f, 2);
    happened(&f, "observe Deployment a\nplan\ndone well -1 0\n");
    teardown(&f);
}

/* exec_free with every kind of call under way, and a doubt left over. */
static void the_end_cancels_everything(void **state)
{
    (void)state;

    static const struct {
        const char *name, *line;
    } rows[] = {
        {"an operation", "PATCH " DEPLOYMENTS "/a"},
        {"a need", "GET " DEPLOYMENTS "/a"},
        {"a status", "PATCH " STATUS},
        {"an event", "POST " EVENTS},
        {"a read-back", "GET " SERVICES "/b"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct rule rules[] = {
            {.line = rows[i].line, .how = HOLD}, {.line = "POST " SERVICES, .how = CLOSE}, {0}};

        print_message("  %s\n", rows[i].name);
        setup(&f, rules);
        op(prepare(&f, 0), 0, PLAN_CREATE, MODEL_SERVICE, "b");
        prepare(&f, 0);
        run(&f); /* leaves a doubt */
        plan__need(prepare(&f, 0), MODEL_DEPLOYMENT, "n", "a");
        op(prepare(&f, 0), 0, PLAN_PATCH, MODEL_DEPLOYMENT, "a");
        plan__event(prepare(&f, 1), false, "Told", "a word");
        f.stop_at_held = 1;
        f.stop_at_done = 0;
        exec_run(f.exec, KEY);
        assert_true(script_run(f.loop, ENOUGH_MS));
        const int open = script_open(f.script);

        exec_free(f.exec);
        f.exec = NULL;
        ps_buf_clear(&f.journal);
        script_wait(f.loop, 20);
        happened(&f, "");
        assert_int_equal(script_open(f.script), open - 1); /* the call's connection is given up */
        teardown(&f);
    }
}

static void a_doubt_that_is_left_is_freed(void **state)
{
    (void)state;
    struct fixture f;
    struct rule rules[] = {{.line = "POST " DEPLOYMENTS, .how = CLOSE}, {0}};

    setup(&f, rules);
    lose_an_answer(&f);
    teardown(&f); /* the sanitizer looks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_with_nothing_ends_the_job),
        cmocka_unit_test(stages_run_in_order_and_each_at_once),
        cmocka_unit_test(operations_go_over_the_wire_as_planned),
        cmocka_unit_test(a_failed_stage_stops_later_ones_and_is_told),
        cmocka_unit_test(the_rest_of_a_failed_stage_is_finished_and_observed),
        cmocka_unit_test(a_conflict_is_not_told_but_decided_anew),
        cmocka_unit_test(a_delete_of_what_is_gone_is_done),
        cmocka_unit_test(needs_are_read_and_become_facts),
        cmocka_unit_test(all_needs_of_a_plan_are_read_at_once),
        cmocka_unit_test(what_cannot_be_read_is_not_taken_for_absent),
        cmocka_unit_test(a_planner_that_asks_for_ever_is_ended),
        cmocka_unit_test(who_holds_a_taken_name_is_read_and_told),
        cmocka_unit_test(a_holder_that_cannot_be_read_decides_nothing),
        cmocka_unit_test(a_taken_name_beside_a_failure_is_tried_again),
        cmocka_unit_test(a_lost_answer_is_read_back_before_anything_is_planned),
        cmocka_unit_test(a_lost_write_that_has_not_happened_is_absent),
        cmocka_unit_test(a_doubt_stays_until_it_can_be_read),
        cmocka_unit_test(of_two_doubts_only_the_unreadable_one_stays),
        cmocka_unit_test(the_status_comes_last_and_the_events_after_it),
        cmocka_unit_test(an_event_that_is_lost_harms_nothing),
        cmocka_unit_test(events_without_a_status_change_are_not_told),
        cmocka_unit_test(a_status_that_is_not_written_is_written_later),
        cmocka_unit_test(the_longest_wait_that_was_asked_for_counts),
        cmocka_unit_test(nothing_is_told_to_what_is_gone),
        cmocka_unit_test(after_success_the_job_plans_again_until_nothing_is_left),
        cmocka_unit_test(a_key_runs_again_after_its_end),
        cmocka_unit_test(keys_do_not_wait_for_each_other),
        cmocka_unit_test(the_end_cancels_everything),
        cmocka_unit_test(a_doubt_that_is_left_is_freed),
    };

    return cmocka_run_group_tests_name("exec/job", tests, NULL, NULL);
}
