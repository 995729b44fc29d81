/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs: what they give back, in which words they fail, and that none of them stays. */
#include "loop/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define TEXT_MAX ((size_t)4096)

static const char *const environment[] = {"PATH=/usr/bin:/bin", "GREETING=hello $HOME `id`", NULL};

struct probe {
    struct loop *loop;
    struct loop_process *process;
    int done;
    struct ps_err err;
    struct ps_buf output, errors;
};

static void on_done(void *self, const struct loop_process_result *result)
{
    struct probe *probe = self;

    probe->done++;
    probe->process = NULL;
    probe->err = result->err;
    ps_buf_view(&probe->output, result->output);
    ps_buf_view(&probe->errors, result->errors);
}

static void setup(struct probe *probe)
{
    *probe = (struct probe){.loop = loop_new()};
    ps_buf_init(&probe->output, TEXT_MAX);
    ps_buf_init(&probe->errors, TEXT_MAX);
}

static void teardown(struct probe *probe)
{
    loop_process_free(probe->process);
    loop_free(probe->loop);
    ps_buf_fini(&probe->output);
    ps_buf_fini(&probe->errors);
}

static void start(struct probe *probe, const char *const *argv, int64_t timeout_ms)
{
    const struct loop_process_options options = {
        .argv = argv,
        .environment = environment,
        .timeout_ms = timeout_ms,
        .output_max = 1000,
        .errors_max = 10,
    };

    probe->process = loop_process_start(probe->loop, &options, on_done, probe);
    assert_int_equal(probe->done, 0); /* never from inside the call */
}

static void run_shell(struct probe *probe, const char *script, int64_t timeout_ms)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    start(probe, argv, timeout_ms);
    loop_run(probe->loop);
    assert_int_equal(probe->done, 1);
}

static void what_it_writes_is_given_back(void **state)
{
    (void)state;
    struct probe probe;

    setup(&probe);
    run_shell(&probe, "echo out; echo 123456789012345 >&2; echo \"$GREETING\"; cat", 5000);
    assert_int_equal(probe.err.code, 0);
    /* Its environment is no shell text, and its standard input is empty. */
    assert_string_equal(ps_buf_text(&probe.output), "out\nhello $HOME `id`\n");
    assert_string_equal(ps_buf_text(&probe.errors), "1234567890");
    teardown(&probe);
}

static void arguments_are_no_shell_text(void **state)
{
    (void)state;
    const char *const argv[] = {"echo", "$PATH; `id` > x", "two  blanks", NULL};
    struct probe probe;

    setup(&probe);
    start(&probe, argv, 5000);
    loop_run(probe.loop);
    assert_string_equal(ps_buf_text(&probe.output), "$PATH; `id` > x two  blanks\n");
    teardown(&probe);
}

static void failures_have_words(void **state)
{
    (void)state;

    static const struct {
        const char *script;
        int64_t timeout_ms;
        int code;
        const char *words;
    } rows[] = {
        {"echo x; exit 3", 5000, PS_EIO, "it has ended with exit code 3"},
        {"kill -9 $$", 5000, PS_EIO, "it was ended by signal 9"},
        {"sleep 60", 50, PS_ETIMEOUT, "it has not ended after 50 ms"},
        {"trap '' TERM INT; while :; do :; done", 50, PS_ETIMEOUT, "not ended after 50 ms"},
        {"while :; do echo 0123456789; done", 5000, PS_ELIMIT, "larger than 1000 bytes"},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct probe probe;
        const int64_t started = loop_now_ms();

        setup(&probe);
        run_shell(&probe, rows[i].script, rows[i].timeout_ms);
        if (probe.err.code != rows[i].code || strstr(probe.err.message, rows[i].words) == NULL)
            fail_msg("row %zu: %d %s", i, probe.err.code, probe.err.message);
        assert_true(loop_now_ms() - started < 4000);
        teardown(&probe);
    }
}

static void what_cannot_be_started_is_told_later(void **state)
{
    (void)state;
    const char *const argv[] = {"no-such-program", NULL};
    struct probe probe;

    setup(&probe);
    start(&probe, argv, 5000);
    loop_run(probe.loop);
    assert_int_equal(probe.done, 1);
    assert_int_equal(probe.err.code, PS_EIO);
    assert_non_null(strstr(probe.err.message, "it can't be started: no such file or directory"));
    teardown(&probe);
}

/* It runs no more: a process that waits to be reaped has no command line. */
static bool runs(struct ps_str pid)
{
    char byte;
    PS_AUTO_BUF(path, 64);
    ps_buf_printf(&path, "/proc/%.*s/cmdline", PS_STR_ARG(ps_str_trim(pid)));
    const int fd = open(ps_buf_text(&path), O_RDONLY | O_CLOEXEC);
    const bool found = fd >= 0 && read(fd, &byte, 1) == 1;

    if (fd >= 0)
        (void)close(fd);
    return found;
}

static void a_time_out_ends_what_it_has_started_too(void **state)
{
    (void)state;
    struct probe probe;

    setup(&probe);
    run_shell(&probe, "sleep 60 & echo $!; wait", 200);
    assert_int_equal(probe.err.code, PS_ETIMEOUT);
    assert_true(probe.output.n > 0);
    for (int i = 0; i < 1000 && runs(ps_buf_get(&probe.output)); i++)
        usleep(1000);
    assert_false(runs(ps_buf_get(&probe.output)));
    teardown(&probe);
}

static void what_it_leaves_running_does_not_keep_its_answer(void **state)
{
    (void)state;
    struct probe probe;
    const int64_t started = loop_now_ms();
    int64_t pid = 0;

    setup(&probe);
    run_shell(&probe, "sleep 30 & echo $!", 20000);
    assert_int_equal(probe.err.code, 0);
    assert_true(loop_now_ms() - started < 5000);
    assert_true(runs(ps_buf_get(&probe.output)));
    assert_true(ps_str_to_i64(ps_str_trim(ps_buf_get(&probe.output)), &pid));
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    teardown(&probe);
}

static void freeing_kills_it_without_a_callback(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "60", NULL};
    struct probe probe;

    setup(&probe);
    start(&probe, argv, 60000);
    const int64_t started = loop_now_ms();

    teardown(&probe);
    assert_int_equal(probe.done, 0);
    assert_true(loop_now_ms() - started < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_is_given_back),
        cmocka_unit_test(arguments_are_no_shell_text),
        cmocka_unit_test(failures_have_words),
        cmocka_unit_test(what_cannot_be_started_is_told_later),
        cmocka_unit_test(a_time_out_ends_what_it_has_started_too),
        cmocka_unit_test(what_it_leaves_running_does_not_keep_its_answer),
        cmocka_unit_test(freeing_kills_it_without_a_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
