/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is applied, edited and deleted, whenever the executor dies, and whoever writes
 * meanwhile: in the end the objects are those of a run that nothing disturbed, and no operation on
 * the way was unproven.
 */
#include "plan/world.h"

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
#define EDITS    25
#define JOBS_MAX 8 /* that do something, from any state to rest */

static const char *const registries[] = {
    "source.cardata=docker:x/cardata:1\nsource.time=docker:x/time:1\nprocessor.predict=docker:x/"
    "predict:1\n"
    "processor.predict=docker:x/predict:2\nsink.cassandra=docker:x/cassandra:1\nsink.log=docker:x/"
    "log:1\n"
    "app.cardata=docker:x/cardata:1\napp.log=docker:x/log:1\n",
    "source.cardata=docker:x/cardata:2\nsource.time=docker:x/time:1\nprocessor.predict=docker:x/"
    "predict:2\n"
    "sink.cassandra=docker:x/cassandra:1\nsink.log=docker:x/log:1\n"
    "app.cardata=docker:x/cardata:1\napp.log=docker:x/log:1\n",
};

static const char *const definitions[] = {
    "cardata | predict | cassandra",
    "cardata | cassandra",
    "cardata | p: predict | cassandra",
    "cardata|predict  |  cassandra",
    "time | log",
    "cardata --server.port=9000 | a: predict | b: predict | log",
    ":orders > predict > :scored",
    "cardata || log2: log",
};

static const char *const broken[] = {"cardata |", "nobody | log", "a_b: time | log", ""};

static const char *const properties[][2] = {
    {"deployer.*.count", "2"},
    {"deployer.predict.count", "3"},
    {"deployer.cardata.memory", "512m"},
    {"deployer.*.kubernetes.environmentVariables", "A=1,B='x,y'"},
    {"deployer.cassandra.kubernetes.livenessProbeDelay", "7"},
    {"deployer.cardata.kubernetes.livenessHttpProbePort", "9001"},
    {"app.*.logging.level.root", "DEBUG"},
    {"app.cardata.server.port", "8081"},
    {"version.predict", "2"},
    {"deployer.predict.kubernetes.nonsense", "1"},
    {"app.cardata.producer.partitionKeyExpression", "payload.vin"},
    {"app.predict.consumer.partitioned", "true"},
    {"deployer.log.indexed", "true"},
    {"deployer.*.kubernetes.statefulSet.volumeClaimTemplate.storage", "1g"},
};

/* ---- random inputs
 * --------------------------------------------------------------------------------- */

static struct json_t *add_app(struct json_t *apps, const char *name)
{
    struct json_t *app = js_object();

    js_set_str(app, "name", name);
    js_push(apps, app);
    return app;
}

static const char *const accounts[] = {"there", "here", WORLD_REMOTE};

/* For apps that the definition has; each may be on another account than the rest. */
static void add_apps(struct world *world, struct json_t *spec)
{
    const char *definition = js_path_str(spec, "definition");
    struct json_t *apps = js_array();

    if (strncmp(definition, "cardata", 7) == 0 && world_random(world, 3) == 0) {
        struct json_t *app = add_app(apps, "cardata");

        js_set_str(app, "image", "y/cardata:9");
        js_set_int(app, "replicas", world_random(world, 3));
        if (world_random(world, 2))
            js_set_str(app, "platform", accounts[world_random(world, PS_ARRAY_LEN(accounts))]);
    }
    if (strstr(definition, " predict ") != NULL && strstr(definition, ": predict") == NULL &&
        world_random(world, 3) == 0)
        js_set_str(add_app(apps, "predict"), "platform",
                   accounts[world_random(world, PS_ARRAY_LEN(accounts))]);
    js_set(spec, "apps", apps);
}

static struct json_t *random_spec(struct world *world)
{
    struct json_t *spec = js_object(), *list = js_child(spec, "properties");

    js_set_str(spec, "definition", definitions[world_random(world, PS_ARRAY_LEN(definitions))]);
    js_set_str(spec, "platform", accounts[world_random(world, PS_ARRAY_LEN(accounts))]);
    js_set_int(spec, "revisionHistoryLimit", world_random(world, 4));
    if (world_random(world, 4) == 0)
        js_set_bool(spec, "suspend", true);
    for (size_t i = 0; i < PS_ARRAY_LEN(properties); i++)
        if (world_random(world, 4) == 0)
            js_set_str(list, properties[i][0], properties[i][1]);
    add_apps(world, spec);
    return spec;
}

static struct json_t *broken_spec(struct world *world)
{
    struct json_t *spec = js_object();

    js_set_str(spec, "definition", broken[world_random(world, PS_ARRAY_LEN(broken))]);
    js_set_str(spec, "platform", world_random(world, 2) ? "there" : "nowhere");
    return spec;
}

static void random_account(struct world *world, const char *name)
{
    struct json_t *spec = js_object(), *list = js_child(spec, "properties");
    PS_AUTO_BUF(number, 16);

    ps_buf_printf(&number, "%d", 100 + world_random(world, 5));
    js_set_str(spec, "type", "Kubernetes");
    if (strcmp(name, "there") == 0)
        js_set_str(js_child(spec, "kubernetes"), "namespace", "kafka-namespace");
    js_set_str(list, "readinessProbeDelay", ps_buf_text(&number));
    js_set_str(js_child(list, "limits"), "memory", world_random(world, 2) ? "1Gi" : "2Gi");
    if (world_random(world, 8) == 0)
        js_set_str(list, "livenessProbeDelay",
                   "soon"); /* not valid: nothing of it may be taken over */
    world_account(world, name, spec);
}

static void lose_child(struct world *world)
{
    if (world_count(world) > 0)
        world_remove(world, (size_t)world_random(world, (int)world_count(world)));
}

static void change_child(struct world *world)
{
    if (world_count(world) > 0)
        world_change(world, (size_t)world_random(world, (int)world_count(world)));
}

static void edit(struct world *world, int step)
{
    PS_AUTO_BUF(text, 16);

    ps_buf_printf(&text, "%d", step);
    const int what = world_random(world, 18);

    if (world->cr == NULL || what < 4)
        world_apply(world, random_spec(world));
    else if (what == 4)
        world_apply(world, broken_spec(world));
    else if (what == 5)
        random_account(world, world_random(world, 2) ? "there" : "here");
    else if (what == 6)
        world->registry = registries[world_random(world, 2)];
    else if (what == 7)
        world_annotate(world, MODEL_ANNOTATION_REDEPLOY, ps_buf_text(&text));
    else if (what == 8 && world_random(world, 2) == 0)
        world_delete_cr(world);
    else if (what == 9 && world_random(world, 3) == 0)
        world_strip_cr(world);
    else if (what == 10)
        lose_child(world);
    else if (what > 11 && what < 14)
        change_child(world);
    else if (what == 14)
        world_hide(world, world_random(world, 2) == 0);
    else if (what > 14)
        world_show(world);
    else
        world_tick(world);
}

/* ---- the property
 * ------------------------------------------------------------------------------------- */

static struct json_t *undisturbed(const struct world *end, bool replicas)
{
    struct world world;

    world_init(&world, 1);
    js_unref(world.accounts);
    world.accounts = js_copy(end->accounts);
    world.registry = end->registry;
    world_apply(&world, js_copy(js_get(end->cr, "spec")));
    if (world_settle(&world, JOBS_MAX) < 0)
        world_fail(&world, "does not come to rest undisturbed");
    struct json_t *normal = world_normal(&world, replicas);

    world_fini(&world);
    return normal;
}

static void check_end(struct world *world)
{
    const bool replicas = js_get(js_path(world->cr, "spec.properties"), "deployer.*.count") != NULL;
    struct json_t *expected PS_AUTO_JS = undisturbed(world, replicas);
    struct json_t *found PS_AUTO_JS = world_normal(world, replicas);

    if (js_equal(expected, found))
        return;
    for (size_t i = 0; i < js_len(expected) || i < js_len(found); i++)
        if (!js_equal(js_at(expected, i), js_at(found, i)))
            fprintf(stderr, "- %s\n+ %s\n", js_str(js_at(expected, i)), js_str(js_at(found, i)));
    world_fail(world, "other objects than undisturbed");
}

/* A last valid spec that takes over account and registry as they are. */
static void finish(struct world *world)
{
    world_show(world);
    if (world->cr != NULL && js_path_str(world->cr, "metadata.deletionTimestamp") != NULL &&
        world_settle(world, JOBS_MAX) < 0)
        world_fail(world, "does not go away");
    world->now_ms += 3600000; /* the longest wait between two corrections is over */
    change_child(world);
    world_apply(world, random_spec(world));
    world_annotate(world, MODEL_ANNOTATION_REDEPLOY, "the end");
    for (int i = 0; i < 2; i++) {
        struct json_t *spec = js_object();

        js_set_str(spec, "type", "Kubernetes");
        if (i == 0)
            js_set_str(js_child(spec, "kubernetes"), "namespace", "kafka-namespace");
        js_set_int(js_child(spec, "properties"), "readinessProbeDelay", 5);
        world_account(world, i == 0 ? "there" : "here", spec);
    }
    if (world_settle(world, JOBS_MAX) < 0)
        world_fail(world, "does not come to rest");
}

static void run(uint64_t seed, int kill_percent, int conflict_percent)
{
    struct world world;

    world_init(&world, seed);
    ps_buf_printf(&world.trace, "seed %llu\n", (unsigned long long)seed);
    world.registry = registries[0];
    random_account(&world, "there");
    random_account(&world, "here");
    for (int i = 0; i < EDITS; i++) {
        world.kill_percent = world_random(&world, 2) ? kill_percent : 0;
        world.conflict_percent = conflict_percent;
        world.away_percent = conflict_percent / 2;
        edit(&world, i);
        for (int jobs = world_random(&world, 4); jobs > 0; jobs--) {
            (void)world_job(&world);
            if (world_random(&world, 2))
                world_tick(&world);
        }
        ps_buf_clear(&world.trace);
        ps_buf_printf(&world.trace, "seed %llu, edit %d\n", (unsigned long long)seed, i);
    }
    finish(&world);
    check_end(&world);
    world_fini(&world);
}

static void reaches_rest_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, 30, 10);
}

static void reaches_rest_undisturbed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, 0, 0);
}

/* ---- what an edit elsewhere must not do
 * ------------------------------------------------------------------ */

/* The pass behind a first deploy need not render: the one before knew what would be there. */
static void what_is_about_to_be_made_is_remembered(void **state)
{
    int remembered = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;

        world_init(&world, seed);
        world.registry = registries[0];
        random_account(&world, "there");
        random_account(&world, "here");
        world_apply(&world, random_spec(&world));
        (void)world_job(&world);
        const uint64_t note = world.rendered;

        (void)world_job(&world);
        /* a finalizer is a change of the CR */
        if (note != 0 && js_path(world.cr, "metadata.finalizers") == NULL) {
            assert_true(world.rendered == note);
            remembered++;
        }
        world_fini(&world);
    }
    assert_true(remembered > SEEDS / 10);
}

static void account_and_registry_restart_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;

        world_init(&world, seed);
        world.registry = registries[0];
        random_account(&world, "there");
        random_account(&world, "here");
        world_apply(&world, random_spec(&world));
        assert_true(world_settle(&world, JOBS_MAX) >= 0);
        struct json_t *before PS_AUTO_JS = js_copy(world.objects);

        for (int i = 0; i < 10; i++) {
            random_account(&world, world_random(&world, 2) ? "there" : "here");
            world.registry = registries[world_random(&world, 2)];
            const size_t ops = world.ops;
            const int jobs = world_settle(&world, JOBS_MAX);

            if (jobs < 0 || world.ops != ops)
                if (js_len(before) > 0) /* a spec that was refused may become valid */
                    world_fail(&world, "something was done");
        }
        if (js_len(before) > 0)
            assert_true(js_equal(before, world.objects));
        world_fini(&world);
    }
}

static void nothing_is_left_after_a_delete(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;

        world_init(&world, seed);
        world.registry = registries[0];
        world.kill_percent = 30;
        random_account(&world, "there");
        random_account(&world, "here");
        for (int i = 0; i < 3; i++) {
            world_apply(&world, random_spec(&world));
            (void)world_job(&world);
            (void)world_job(&world);
        }
        if (world_random(&world, 2))
            world_hide(&world, world_random(&world, 2) == 0);
        if (world_random(&world, 2))
            world_strip_cr(&world);
        else
            world_delete_cr(&world);
        (void)world_job(&world);
        if (world_settle(&world, JOBS_MAX) < 0)
            world_fail(&world, "something was done");
        world_show(&world);
        if (world_settle(&world, JOBS_MAX) < 0)
            world_fail(&world, "something was done");
        world_tick(&world);
        if (world.cr != NULL || world_count(&world) > 0)
            world_fail(&world, "something is left");
        world_fini(&world);
    }
}

static const char *const ours = "penstock";

/* Nothing in it says that it was ours. */
static void check_released(const struct world *world, const struct json_t *object)
{
    PS_AUTO_FREE char *text = js_text(js_get(object, "metadata"));

    if (strstr(text, ours) != NULL || js_len(js_path(object, "metadata.ownerReferences")) > 0)
        world_fail(world, text);
}

static void orphans_stay_and_are_nobody_s(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        size_t workloads = 0;

        world_init(&world, seed);
        world.registry = registries[0];
        random_account(&world, "there");
        random_account(&world, "here");
        struct json_t *spec = random_spec(&world);

        js_set_str(spec, "deletionPolicy", "Orphan");
        world_apply(&world, spec);
        if (world_settle(&world, JOBS_MAX) < 0)
            world_fail(&world, "does not settle");
        world.kill_percent = 30;
        world.conflict_percent = 10;
        struct json_t *before PS_AUTO_JS = js_copy(world.objects);

        world_delete_cr(&world);
        (void)world_job(&world);
        world_tick(&world);
        if (world_settle(&world, JOBS_MAX) < 0)
            world_fail(&world, "does not go away");
        for (int i = 0; i < 3; i++)
            world_tick(&world);
        assert_null(world.cr);
        for (size_t i = 0; i < world_count(&world); i++) {
            check_released(&world, js_get(js_at(world.objects, i), "object"));
            workloads++;
        }
        for (size_t i = 0; i < js_len(before); i++)
            workloads += ps_streq(js_path_str(js_at(before, i), "kind"), "ControllerRevision");
        assert_int_equal(workloads, js_len(before)); /* all but the revisions */
        world_fini(&world);
    }
}

/* ---- names that others hold
 * -------------------------------------------------------------------------------- */

static const struct json_t *condition(const struct world *world, const char *type)
{
    return model_condition_find(js_path(world->cr, "status.conditions"), type);
}

static void prepare(struct world *world)
{
    struct json_t *account = js_object(), *spec = js_object();

    world_init(world, 7);
    world->registry = registries[0];
    js_set_str(account, "type", "Kubernetes");
    js_set_str(js_child(account, "kubernetes"), "namespace", "kafka-namespace");
    world_account(world, "there", account);
    js_set_str(spec, "definition", definitions[0]);
    js_set_str(spec, "platform", "there");
    world_foreign(world, MODEL_DEPLOYMENT, "kafka-namespace", "foo-predict-v1");
    world_foreign(world, MODEL_SERVICE, "kafka-namespace", "foo-cardata");
    world_apply(world, spec);
}

static void a_held_name_is_told_and_heals(void **state)
{
    struct world world;

    (void)state;
    prepare(&world);
    struct json_t *holder PS_AUTO_JS = js_copy(js_at(world.objects, 0));

    for (int i = 0; i < 5; i++) {
        (void)world_job(&world);
        world_tick(&world);
    }
    assert_string_equal(js_path_str(condition(&world, "Ready"), "reason"), "NameConflict");
    assert_string_equal(js_path_str(condition(&world, "NameConflict"), "status"), "True");
    assert_true(
        js_equal(js_path(js_at(world.objects, 0), "object.spec"), js_path(holder, "object.spec")));
    assert_string_equal(js_path_str(js_at(world.objects, 0), "object.metadata.uid"),
                        js_path_str(holder, "object.metadata.uid"));
    world_remove(&world, 0);
    world_remove(&world, 1);
    world_tick(&world);
    assert_true(world_settle(&world, JOBS_MAX) >= 0);
    assert_string_equal(js_path_str(condition(&world, "Ready"), "reason"), "Deployed");
    assert_null(condition(&world, "NameConflict"));
    assert_int_equal(world_count(&world), 7);
    world_fini(&world);
}

/* Its objects carry the uid of an account that nobody has any more. */
static void an_account_made_anew_finds_what_was_made(void **state)
{
    struct world world;
    struct json_t *spec = js_object();

    (void)state;
    world_init(&world, 7);
    world.registry = registries[0];
    js_set_str(spec, "definition", definitions[0]);
    js_set_str(spec, "platform", WORLD_REMOTE);
    world_apply(&world, spec);
    assert_true(world_settle(&world, JOBS_MAX) >= 0);
    const size_t count = world_count(&world);
    struct json_t *before PS_AUTO_JS = world_normal(&world, true);

    world_remake_account(&world);
    assert_true(world_settle(&world, JOBS_MAX) >= 0);
    struct json_t *after PS_AUTO_JS = world_normal(&world, true);

    assert_string_equal(js_path_str(condition(&world, "Ready"), "reason"), "Deployed");
    assert_int_equal(world_count(&world), count);
    assert_true(js_equal(before, after));
    world_delete_cr(&world);
    assert_true(world_settle(&world, JOBS_MAX) >= 0);
    world_tick(&world);
    assert_int_equal(world_count(&world), 0);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_rest_undisturbed),
        cmocka_unit_test(reaches_rest_whatever_happens),
        cmocka_unit_test(what_is_about_to_be_made_is_remembered),
        cmocka_unit_test(account_and_registry_restart_nothing),
        cmocka_unit_test(nothing_is_left_after_a_delete),
        cmocka_unit_test(orphans_stay_and_are_nobody_s),
        cmocka_unit_test(a_held_name_is_told_and_heals),
        cmocka_unit_test(an_account_made_anew_finds_what_was_made),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
