/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, and the text that Prometheus reads. */
#include "metrics/metrics.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

static const int64_t bounds[] = {5000000, 100000000, 2500000000};

static const struct metrics_desc plain = {
    .name = "b_total", .help = "Plain.", .type = METRICS_COUNTER};
static const struct metrics_desc labelled = {.name = "c_jobs",
                                             .help = "Two\nlines and a \\ and a \".",
                                             .type = METRICS_GAUGE,
                                             .labels = {"kind", "result"}};
static const struct metrics_desc seconds = {
    .name = "a_age_seconds", .help = "Age.", .type = METRICS_GAUGE, .unit = METRICS_MS};
static const struct metrics_desc times = {.name = "d_time_seconds",
                                          .help = "Times.",
                                          .type = METRICS_HISTOGRAM,
                                          .unit = METRICS_NS,
                                          .labels = {"queue"},
                                          .bounds = bounds,
                                          .bound_count = PS_ARRAY_LEN(bounds)};
static const struct metrics_desc bare_times = {.name = "e_size",
                                               .help = "Sizes.",
                                               .type = METRICS_HISTOGRAM,
                                               .bounds = bounds,
                                               .bound_count = 1};
static const struct metrics_desc narrow = {.name = "f_total",
                                           .help = "Narrow.",
                                           .type = METRICS_COUNTER,
                                           .labels = {"who"},
                                           .series_max = 2};

static char *text_of(struct metrics *metrics)
{
    struct ps_buf out;

    ps_buf_init(&out, METRICS_TEXT_MAX);
    metrics_print(metrics, &out);
    assert_false(ps_buf_failed(&out));
    ps_buf_str(&out, "");
    return ps_buf_take(&out);
}

static void assert_text(struct metrics *metrics, const char *want)
{
    char *text PS_AUTO_FREE = text_of(metrics);

    assert_string_equal(text, want);
}

static void assert_line(struct metrics *metrics, const char *line)
{
    char *text PS_AUTO_FREE = text_of(metrics);

    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, text);
}

/* ---- the format ----------------------------------------------------------------------------- */

static void the_text_is_as_written_by_hand(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metrics_histogram *fast =
        metrics_histogram(metrics, &times, (const char *[]){"streams"});
    struct metrics_value *jobs =
        metrics_value(metrics, &labelled, (const char *[]){"stream", "a \"b\"\n\\c"});

    metrics_add(metrics_value(metrics, &plain, NULL), 3);
    metrics_add(metrics_value(metrics, &plain, NULL), 4); /* the same series */
    metrics_set(jobs, -5);
    (void)metrics_value(metrics, &labelled, (const char *[]){"account", "ok"});
    metrics_set(metrics_value(metrics, &seconds, NULL), 90061200);
    metrics_observe(fast, 5000000);    /* on a bound: below it */
    metrics_observe(fast, 5000001);    /* above the first */
    metrics_observe(fast, 0);          /* below all */
    metrics_observe(fast, 2500000001); /* above all */
    metrics_observe(metrics_histogram(metrics, &bare_times, NULL), 7);
    assert_text(metrics, "# HELP a_age_seconds Age.\n"
                         "# TYPE a_age_seconds gauge\n"
                         "a_age_seconds 90061.2\n"
                         "# HELP b_total Plain.\n"
                         "# TYPE b_total counter\n"
                         "b_total 7\n"
                         "# HELP c_jobs Two\\nlines and a \\\\ and a \".\n"
                         "# TYPE c_jobs gauge\n"
                         "c_jobs{kind=\"account\",result=\"ok\"} 0\n"
                         "c_jobs{kind=\"stream\",result=\"a \\\"b\\\"\\n\\\\c\"} -5\n"
                         "# HELP d_time_seconds Times.\n"
                         "# TYPE d_time_seconds histogram\n"
                         "d_time_seconds_bucket{queue=\"streams\",le=\"0.005\"} 2\n"
                         "d_time_seconds_bucket{queue=\"streams\",le=\"0.1\"} 3\n"
                         "d_time_seconds_bucket{queue=\"streams\",le=\"2.5\"} 3\n"
                         "d_time_seconds_bucket{queue=\"streams\",le=\"+Inf\"} 4\n"
                         "d_time_seconds_sum{queue=\"streams\"} 2.510000002\n"
                         "d_time_seconds_count{queue=\"streams\"} 4\n"
                         "# HELP e_size Sizes.\n"
                         "# TYPE e_size histogram\n"
                         "e_size_bucket{le=\"5000000\"} 1\n"
                         "e_size_bucket{le=\"+Inf\"} 1\n"
                         "e_size_sum 7\n"
                         "e_size_count 1\n");
    metrics_free(metrics);
}

static void numbers_are_exact(void **state)
{
    (void)state;

    static const struct {
        int64_t value;
        const char *line;
    } rows[] = {
        {0, "a_age_seconds 0\n"},
        {1, "a_age_seconds 0.001\n"},
        {-1, "a_age_seconds -0.001\n"},
        {1000, "a_age_seconds 1\n"},
        {10, "a_age_seconds 0.01\n"},
        {1760000000123, "a_age_seconds 1760000000.123\n"},
        {INT64_MAX, "a_age_seconds 9223372036854775.807\n"},
        {INT64_MIN, "a_age_seconds -9223372036854775.808\n"},
    };
    struct metrics *metrics = metrics_new();
    struct metrics_value *value = metrics_value(metrics, &seconds, NULL);

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        metrics_set(value, rows[i].value);
        assert_line(metrics, rows[i].line);
    }
    metrics_free(metrics);
}

/* A scraper throws the whole text away for one byte that is no UTF-8. */
static void labels_are_utf8_whatever_comes(void **state)
{
    (void)state;

    static const struct {
        const char *value, *want;
    } rows[] = {
        {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
        {"\xE2\x82\xAC \xF0\x9F\x98\x80", "\xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct metrics *metrics = metrics_new();
        PS_AUTO_BUF(line, 256);

        (void)metrics_value(metrics, &narrow, &rows[i].value);
        ps_buf_printf(&line, "f_total{who=\"%s\"} 0\n", rows[i].want);
        assert_line(metrics, ps_buf_text(&line));
        metrics_free(metrics);
    }
}

static void a_long_label_is_cut(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    char longer[2 * METRICS_LABEL_TEXT_MAX];
    const char *value = longer;

    memset(longer, '"', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    (void)metrics_value(metrics, &narrow, &value);
    char *text PS_AUTO_FREE = text_of(metrics);

    assert_true(strlen(text) < 2 * METRICS_LABEL_TEXT_MAX + 100);
    metrics_free(metrics);
}

/* ---- the rules that a checker of such texts has ---------------------------------------------- */

static bool is_metric_name(struct ps_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.n > 0;
}

struct reading {
    char family[128], last_family[128], last_sample[512];
    bool help, type;
    int samples;
};

static void copy(char *to, size_t size, struct ps_str from)
{
    assert_true(from.n < size);
    memcpy(to, from.p, from.n);
    to[from.n] = '\0';
}

static void read_head(struct reading *reading, struct ps_str line)
{
    const bool help = ps_str_starts(line, "# HELP ");
    struct ps_str rest = ps_str_skip(line, 7), name;

    assert_true(help || ps_str_starts(line, "# TYPE "));
    assert_true(ps_str_split(&rest, ' ', &name));
    assert_true(is_metric_name(name));
    if (help) { /* once, before all, in order */
        copy(reading->family, sizeof(reading->family), name);
        assert_true(strcmp(reading->last_family, reading->family) < 0);
        copy(reading->last_family, sizeof(reading->last_family), name);
        reading->type = false;
        assert_true(rest.n > 0);
    } else { /* once, behind its HELP */
        assert_true(ps_str_is(name, reading->family));
        assert_false(reading->type);
        reading->type = true;
        assert_true(ps_str_is(rest, "counter") || ps_str_is(rest, "gauge") ||
                    ps_str_is(rest, "histogram"));
        assert_true(ps_str_is(rest, "counter") ==
                    (ps_str_find(name, "_total") == (ptrdiff_t)name.n - 6));
    }
}

static void read_sample(struct reading *reading, struct ps_str line)
{
    size_t n = 0;
    char *end;

    while (n < line.n && line.p[n] != '{' && line.p[n] != ' ')
        n++;
    assert_true(is_metric_name(ps_str_head(line, n)));
    assert_true(reading->type);
    assert_true(ps_str_starts(line, reading->family));
    ptrdiff_t blank = (ptrdiff_t)line.n;

    while (line.p[blank - 1] != ' ')
        blank--;
    (void)strtod(line.p + blank, &end);
    assert_true(end == line.p + line.n);
    char sample[512];

    copy(sample, sizeof(sample), ps_str_head(line, (size_t)blank));
    assert_string_not_equal(sample, reading->last_sample);
    memcpy(reading->last_sample, sample, sizeof(sample));
    reading->samples++;
}

static int check_rules(const char *text)
{
    struct reading reading = {0};
    struct ps_str rest = ps_str(text), line;

    assert_true(ps_str_ends(rest, "\n"));
    while (ps_str_split(&rest, '\n', &line)) {
        if (line.n == 0)
            assert_int_equal(rest.n, 0); /* the end */
        else if (line.p[0] == '#')
            read_head(&reading, line);
        else
            read_sample(&reading, line);
    }
    return reading.samples;
}

static void the_text_keeps_the_rules(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    static const struct metrics_desc *const all[] = {&narrow, &labelled, &plain, &seconds};

    metrics_process(metrics, "1.2.3", 1760000000000);
    for (size_t i = 0; i < PS_ARRAY_LEN(all); i++)
        (void)metrics_value(metrics, all[i], (const char *[]){"x", "y"});
    (void)metrics_histogram(metrics, &times, (const char *[]){"q"});
    (void)metrics_histogram(metrics, &times, (const char *[]){"a"});
    char *text PS_AUTO_FREE = text_of(metrics);

    assert_int_equal(check_rules(text), 7 + 4 + 2 * 6);
    metrics_free(metrics);
}

/* ---- bounds and life ------------------------------------------------------------------------ */

static void series_are_bounded(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();

    for (int i = 0; i < 1000; i++) {
        PS_AUTO_BUF(who, 16);
        ps_buf_printf(&who, "w%d", i);
        metrics_add(metrics_value(metrics, &narrow, (const char *[]){ps_buf_text(&who)}), 1);
    }
    metrics_add(metrics_value(metrics, &narrow, (const char *[]){"w1"}), 1); /* known: its own */
    assert_text(metrics, "# HELP f_total Narrow.\n"
                         "# TYPE f_total counter\n"
                         "f_total{who=\"other\"} 998\n"
                         "f_total{who=\"w0\"} 1\n"
                         "f_total{who=\"w1\"} 2\n");
    metrics_free(metrics);
}

static void what_is_gone_is_forgotten(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    static const char *const gone[] = {"stream", "gone"}, *const stays[] = {"stream", "stays"};

    (void)metrics_value(metrics, &labelled, gone);
    (void)metrics_value(metrics, &labelled, stays);
    metrics_forget(metrics, &labelled, gone);
    metrics_forget(metrics, &labelled, gone); /* not there: nothing */
    char *text PS_AUTO_FREE = text_of(metrics);

    assert_null(strstr(text, "gone"));
    assert_non_null(strstr(text, "stays"));
    metrics_forget(metrics, &labelled, stays);
    assert_text(metrics, ""); /* no head without a series */
    metrics_free(metrics);
}

static void without_a_registry_counting_does_nothing(void **state)
{
    (void)state;
    metrics_add(metrics_value(NULL, &plain, NULL), 1);
    metrics_set(metrics_value(NULL, &seconds, NULL), 1);
    metrics_observe(metrics_histogram(NULL, &times, (const char *[]){"q"}), 1);
    metrics_forget(NULL, &labelled, (const char *[]){"a", "b"});
    metrics_process(NULL, "1", 0);
    metrics_hook_free(metrics_hook_new(NULL, NULL, NULL));
    metrics_free(NULL);
}

static void on_collect(void *self)
{
    struct metrics_value *value = self;

    metrics_add(value, 1);
}

static void hooks_run_before_each_print_until_they_are_freed(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metrics_value *value = metrics_value(metrics, &seconds, NULL);
    struct metrics_hook *hooks[3];

    for (int i = 0; i < 3; i++)
        hooks[i] = metrics_hook_new(metrics, on_collect, value);
    assert_line(metrics, "a_age_seconds 0.003\n");
    metrics_hook_free(hooks[1]);
    assert_line(metrics, "a_age_seconds 0.005\n");
    metrics_hook_free(hooks[2]);
    metrics_hook_free(hooks[0]);
    assert_line(metrics, "a_age_seconds 0.005\n");
    metrics_free(metrics);
}

static double number_of(struct metrics *metrics, const char *name)
{
    char *text PS_AUTO_FREE = text_of(metrics);
    PS_AUTO_BUF(start, 128);

    ps_buf_printf(&start, "\n%s ", name);
    const char *at = strstr(text, ps_buf_text(&start));

    if (at == NULL)
        fail_msg("no %s in:\n%s", name, text);
    return strtod(at + start.n, NULL);
}

static void the_process_is_measured(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    const long page = sysconf(_SC_PAGESIZE);

    metrics_process(metrics, "1.2.3", 1760000000500);
    assert_line(metrics, "penstock_build_info{version=\"1.2.3\"} 1\n");
    assert_line(metrics, "process_start_time_seconds 1760000000.5\n");
    const double fds = number_of(metrics, "process_open_fds");
    const double resident = number_of(metrics, "process_resident_memory_bytes");
    const double cpu = number_of(metrics, "process_cpu_seconds_total");
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const size_t n = (size_t)64 * 1024 * 1024;
    char *memory = ps_xmalloc(n);

    memset(memory, 1, n);
    assert_true(fd >= 0);
    assert_true(number_of(metrics, "process_open_fds") == fds + 1);
    (void)close(fd);
    assert_true(number_of(metrics, "process_open_fds") == fds);
    assert_true(number_of(metrics, "process_max_fds") >= fds);
    const double grown = number_of(metrics, "process_resident_memory_bytes") - resident;

    assert_true(grown >= (double)n - 256.0 * (double)page && grown < 2.0 * (double)n);
    assert_true(number_of(metrics, "process_virtual_memory_bytes") >= resident + (double)n);
    assert_true(number_of(metrics, "process_cpu_seconds_total") >= cpu);
    assert_true(cpu >= 0 && cpu < 60);
    ps_free(memory);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_as_written_by_hand),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(labels_are_utf8_whatever_comes),
        cmocka_unit_test(a_long_label_is_cut),
        cmocka_unit_test(the_text_keeps_the_rules),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(what_is_gone_is_forgotten),
        cmocka_unit_test(without_a_registry_counting_does_nothing),
        cmocka_unit_test(hooks_run_before_each_print_until_they_are_freed),
        cmocka_unit_test(the_process_is_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
