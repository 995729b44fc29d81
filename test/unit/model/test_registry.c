/* SPDX-License-Identifier: Apache-2.0 */
/* The app registry and the URIs in it. */
#include "model/registry.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

/* ---- URIs ---------------------------------------------------------------------------------- */

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void uris_give_version_and_image(void **state)
{
    static const struct {
        const char *uri, *version, *image; /* version NULL: refused */
    } rows[] = {
        {"docker:springcloudstream/log-sink-kafka:3.2.1", "3.2.1",
         "springcloudstream/log-sink-kafka:3.2.1"},
        {"docker://springcloudstream/log:1", "1", "springcloudstream/log:1"},
        {"DOCKER:a/b:1", "1", "a/b:1"},
        {"docker:log", "latest", "log"},
        {"docker:log:1.0-RC_1", "1.0-RC_1", "log:1.0-RC_1"},
        {"docker:host:5000/log", "latest", "host:5000/log"},
        {"docker:host:5000/a/log:2", "2", "host:5000/a/log:2"},
        {"docker:host:5000", "5000", "host:5000"},
        {"docker:a/b@sha256:" DIGEST, DIGEST, "a/b@sha256:" DIGEST},
        {"docker:host:5000/b@sha256:" DIGEST, DIGEST, "host:5000/b@sha256:" DIGEST},
        {"docker:a/b:1@sha256:" DIGEST, NULL, NULL},
        {"docker:a/b@sha256", NULL, NULL},
        {"docker:a/b@sha256:12", NULL, NULL},
        {"docker:a/b@sha256:" DIGEST "xyz", NULL, NULL},
        {"docker:a/b:", NULL, NULL},
        {"docker:a/b:.x", NULL, NULL},
        {"docker:a/b:x=y", NULL, NULL},
        {"docker:", NULL, NULL},
        {"docker://", NULL, NULL},
        {"docker::1", NULL, NULL},
        {"docker:a//b", NULL, NULL},
        {"docker:a/:1", NULL, NULL},
        {"docker:a b", NULL, NULL},
        {"docker:a\"b", NULL, NULL},
        {"maven://org.x:time-source:3.2.1", "3.2.1", NULL},
        {"maven:org.x:time-source:jar:3.2.1", "3.2.1", NULL},
        {"maven://org.x:time-source:jar:metadata:3.2.1", "3.2.1", NULL},
        {"maven://org.x:time-source", NULL, NULL},
        {"maven://a:b:c:d:e:f", NULL, NULL},
        {"maven://a::1", NULL, NULL},
        {"https://repo.example/x/time-source-1.2.3.jar", "1.2.3", NULL},
        {"http://repo.example/time-1.2.3-SNAPSHOT.jar", "1.2.3-SNAPSHOT", NULL},
        {"http://repo.example/time-1.2.3-metadata.jar", "1.2.3", NULL},
        {"https://repo.example/time-2-kafka-3.1.jar?a=b-9.x#c", "3.1", NULL},
        {"https://repo.example/time.jar", NULL, NULL},
        {"https://repo-1.example/time.jar", NULL, NULL},
        {"https://repo.example/-1.jar", NULL, NULL},
        {"file:///tmp/time-1.2.3.jar", NULL, NULL},
        {"springcloudstream/log:1", NULL, NULL},
        {"log", NULL, NULL},
        {"", NULL, NULL},
        {":x", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct model_app_uri got;
        struct ps_err err = {0};
        const int code = model_app_uri_parse(ps_str(rows[i].uri), &got, &err);

        if ((code == 0) != (rows[i].version != NULL))
            fail_msg("%s: %s", rows[i].uri, code == 0 ? "accepted" : err.message);
        if (code != 0) {
            assert_int_equal(code, PS_EINVAL);
            assert_true(strlen(err.message) > 0);
            continue;
        }
        if (!ps_str_is(got.version, rows[i].version))
            fail_msg("%s: version %.*s", rows[i].uri, PS_STR_ARG(got.version));
        if (rows[i].image == NULL ? got.image.p != NULL : !ps_str_is(got.image, rows[i].image))
            fail_msg("%s: image %.*s", rows[i].uri, PS_STR_ARG(got.image));
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

struct fixture {
    struct model_registry *reg;
    struct ps_buf problems; /* "source:line: message\n" */
};

static void on_problem(const char *source, size_t line, const char *message, void *self)
{
    ps_buf_printf(&((struct fixture *)self)->problems, "%s:%zu: %s\n", source, line, message);
}

static int set_up(void **state)
{
    struct fixture *f = ps_xcalloc(1, sizeof(*f));

    f->reg = model_registry_new();
    ps_buf_init(&f->problems, (size_t)1024 * 1024);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    model_registry_free(f->reg);
    ps_buf_fini(&f->problems);
    ps_free(f);
    return 0;
}

static size_t add(struct fixture *f, const char *source, const char *text)
{
    return model_registry_add(f->reg, source, ps_str(text), on_problem, f);
}

static const char *uri_of(const struct fixture *f, const char *type, const char *name,
                          const char *version)
{
    const struct model_registry_entry *entry = model_registry_find(f->reg, type, name, version);

    return entry != NULL ? entry->uri : "none";
}

static void import_format_is_read(void **state)
{
    struct fixture *f = *state;
    const char *text = "# apps\n"
                       "\n"
                       "  # indented comment = one\n"
                       "source.time.metadata=maven://o:time:jar:metadata:2\n"
                       "source.time = docker:x/time:2 \r\n"
                       "source.time=docker:x/time:1\n"
                       "source.time.bootVersion=3\n"
                       "#sink.log=docker:x/never:1\n"
                       "sink.log=https://h/log-1.0.jar?a=b=c\n"
                       "task.train=docker:train";

    assert_int_equal(add(f, "cars/apps", text), 0);
    assert_string_equal(ps_buf_text(&f->problems), "");
    assert_int_equal(model_registry_count(f->reg), 4);
    const struct model_registry_entry *time = model_registry_find(f->reg, "source", "time", NULL);

    assert_non_null(time);
    assert_string_equal(time->uri, "docker:x/time:2");
    assert_string_equal(time->image, "x/time:2");
    assert_string_equal(time->version, "2");
    assert_string_equal(time->type, "source");
    assert_string_equal(time->name, "time");
    assert_string_equal(time->source, "cars/apps");
    assert_int_equal(time->line, 5);
    assert_string_equal(time->metadata, "maven://o:time:jar:metadata:2");
    time = model_registry_find(f->reg, "source", "time", "1");
    assert_non_null(time);
    assert_string_equal(time->image, "x/time:1");
    assert_null(time->metadata);
    assert_string_equal(uri_of(f, "sink", "log", NULL), "https://h/log-1.0.jar?a=b=c");
    assert_null(model_registry_find(f->reg, "sink", "log", NULL)->image);
    assert_string_equal(uri_of(f, "task", "train", "latest"), "docker:train");
    assert_string_equal(uri_of(f, "sink", "time", NULL), "none");
    assert_string_equal(uri_of(f, "source", "time", "3"), "none");
    assert_string_equal(uri_of(f, "sink", "never", NULL), "none");
}

static void bad_lines_are_reported_and_passed_over(void **state)
{
    static const struct {
        const char *name, *line, *want;
    } rows[] = {
        {"no equals sign", "source.time", "no = found: expected <type>.<name>=<uri>"},
        {"type unknown", "sauce.time=docker:x",
         "'sauce.time': expected <type>.<name> with a type of"},
        {"type alone", "source=docker:x", "'source': expected a name"},
        {"name with a colon", "source.a:b=docker:x", "'source.a:b': expected a name"},
        {"empty name", "source.=docker:x", "'source.': expected a name"},
        {"third part unknown", "source.time.meta=docker:x",
         "'source.time.meta': expected <type>.<name>=<uri>"},
        {"four parts", "source.time.metadata.x=docker:x", "'source.time.metadata.x': expected"},
        {"no value", "source.time=", "'source.time': expected a value"},
        {"no scheme", "source.time=x/hunter2:1",
         "source.time: expected a URI that starts with docker:"},
        {"bad metadata", "source.time.metadata=hunter2", "source.time.metadata: expected a URI"},
        {"commented-out key with blanks", "= docker:x", "'': expected <type>"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct fixture *f = *state;
        PS_AUTO_BUF(text, 4096);

        ps_buf_clear(&f->problems);
        ps_buf_printf(&text, "sink.a%zu=docker:x\n%s\nsink.b%zu=docker:x\n", i, rows[i].line, i);
        const size_t count = add(f, "ns/map", ps_buf_text(&text));
        PS_AUTO_BUF(want, 4096);

        ps_buf_printf(&want, "ns/map:2: %s", rows[i].want);
        if (count != 1 || !ps_str_starts(ps_buf_get(&f->problems), ps_buf_text(&want)))
            fail_msg("%s: %zu problems: %s", rows[i].name, count, ps_buf_text(&f->problems));
        assert_null(strstr(ps_buf_text(&f->problems), "hunter2"));
        assert_int_equal(model_registry_count(f->reg), 2 * (i + 1));
    }
}

static void first_text_wins_and_the_other_is_reported(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "cars/a", "source.time=docker:mine/time:1\n"), 0);
    assert_int_equal(
        add(f, "ops/b",
            "# x\nsource.time=docker:theirs/time:1\nsource.time=docker:theirs/time:2\n"),
        1);
    assert_string_equal(
        ps_buf_text(&f->problems),
        "ops/b:2: source.time: version 1 is already registered by cars/a line 1, which stays\n");
    assert_string_equal(uri_of(f, "source", "time", NULL), "docker:mine/time:1");
    assert_string_equal(uri_of(f, "source", "time", "1"), "docker:mine/time:1");
    assert_string_equal(uri_of(f, "source", "time", "2"), "docker:theirs/time:2");
}

static void metadata_stays_with_its_text(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "a", "source.time=docker:x:1\n"), 0);
    assert_int_equal(add(f, "b", "source.time.metadata=docker:m:1\n"), 0);
    assert_null(model_registry_find(f->reg, "source", "time", "1")->metadata);
}

static void caps_hold(void **state)
{
    struct fixture *f = *state;
    PS_AUTO_BUF(text, (size_t)16 * 1024 * 1024);

    ps_buf_str(&text, "sink.a=docker:");
    for (size_t i = 0; i < MODEL_REGISTRY_LINE_MAX; i++)
        ps_buf_char(&text, 'x');
    ps_buf_str(&text, "\nsink.b=docker:x\n");
    assert_int_equal(add(f, "long", ps_buf_text(&text)), 1);
    assert_string_equal(ps_buf_text(&f->problems), "long:1: the line is longer than 8192 bytes\n");
    assert_string_equal(uri_of(f, "sink", "b", NULL), "docker:x");

    ps_buf_clear(&text);
    ps_buf_clear(&f->problems);
    for (size_t i = 0; i < MODEL_REGISTRY_ENTRIES_MAX + 5; i++)
        ps_buf_printf(&text, "source.s%zu=docker:x:1\n", i);
    assert_int_equal(add(f, "many", ps_buf_text(&text)), 1);
    assert_int_equal(model_registry_count(f->reg), MODEL_REGISTRY_ENTRIES_MAX);
    assert_string_equal(uri_of(f, "source", "s9998", NULL), "docker:x:1");
    assert_string_equal(uri_of(f, "source", "s9999", NULL), "none");
    assert_true(ps_str_starts(ps_buf_get(&f->problems), "many:10000: more than 10000 entries"));
}

static void problems_need_no_callback(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(model_registry_add(f->reg, "x", PS_STR("a\nb\n"), NULL, NULL), 2);
    assert_int_equal(model_registry_add(f->reg, "x", (struct ps_str){NULL, 0}, NULL, NULL), 0);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void versions_are_listed_default_first(void **state)
{
    struct fixture *f = *state;
    PS_AUTO_BUF(out, 4096);

    add(f, "a",
        "source.time=docker:x:2\nsource.time=docker:x:1\nsink.time=docker:x:9\nsource.time=docker:"
        "x:3\n");
    model_registry_versions(f->reg, "source", "time", &out);
    assert_string_equal(ps_buf_text(&out), "2, 1, 3");
    ps_buf_clear(&out);
    model_registry_versions(f->reg, "source", "tame", &out);
    assert_string_equal(ps_buf_text(&out), "");
}

static void long_lists_of_versions_end_in_dots(void **state)
{
    struct fixture *f = *state;
    PS_AUTO_BUF(text, 4096);
    PS_AUTO_BUF(out, 4096);

    for (size_t i = 0; i < MODEL_REGISTRY_VERSIONS_MAX + 5; i++)
        ps_buf_printf(&text, "app.a=docker:x:%zu\n", i);
    add(f, "a", ps_buf_text(&text));
    model_registry_versions(f->reg, "app", "a", &out);
    assert_true(ps_str_ends(ps_buf_get(&out), "18, 19, …"));
}

static void candidates_are_other_types_and_near_names(void **state)
{
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"log", "sink.log, app.log, source.dog, sink.logs"},
        {"tiem", "source.time, processor.timer"},
        {"cassandr", "sink.cassandra"},
        {"predcit", "processor.predict"},
        {"zzz", ""},
        {"", ""},
        {"far-away-from-everything", ""},
    };
    struct fixture *f = *state;

    add(f, "a",
        "source.dog=docker:x\nsink.log=docker:x\nsource.time=docker:x\nprocessor.timer=docker:x\n"
        "sink.logs=docker:x\nsink.cassandra=docker:x\nprocessor.predict=docker:x\napp.log=docker:"
        "x\n");
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_BUF(out, 4096);

        model_registry_candidates(f->reg, rows[i].name, &out);
        if (!ps_streq(ps_buf_text(&out), rows[i].want))
            fail_msg("%s: want %s, got %s", rows[i].name, rows[i].want, ps_buf_text(&out));
    }
}

static void at_most_ten_candidates_are_named(void **state)
{
    struct fixture *f = *state;
    PS_AUTO_BUF(text, 4096);
    PS_AUTO_BUF(out, 4096);
    size_t commas = 0;

    for (size_t i = 0; i < 30; i++)
        ps_buf_printf(&text, "app.name%zu=docker:x\n", i);
    add(f, "a", ps_buf_text(&text));
    model_registry_candidates(f->reg, "name", &out);
    for (const char *c = ps_buf_text(&out); *c != '\0'; c++)
        commas += *c == ',';
    assert_int_equal(commas, MODEL_REGISTRY_CANDIDATES_MAX - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_give_version_and_image),
        TEST(import_format_is_read),
        TEST(bad_lines_are_reported_and_passed_over),
        TEST(first_text_wins_and_the_other_is_reported),
        TEST(metadata_stays_with_its_text),
        TEST(caps_hold),
        TEST(problems_need_no_callback),
        TEST(versions_are_listed_default_first),
        TEST(long_lists_of_versions_end_in_dots),
        TEST(candidates_are_other_types_and_near_names),
        TEST(at_most_ten_candidates_are_named),
    };

    return cmocka_run_group_tests_name("model_registry", tests, NULL, NULL);
}
