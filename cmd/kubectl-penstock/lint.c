/* SPDX-License-Identifier: Apache-2.0 */
/* lint: definitions from the command line, files, and how findings are shown. */
#include "plugin.h"

#include "dsl/dsl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FINDING_MAX ((size_t)64 * 1024)
#define READ_SIZE   ((size_t)64 * 1024)
#define FILE_MAX    ((size_t)64 * 1024 * 1024)

void lint_finding(struct lint_run *run, const char *where, const char *what)
{
    run->findings++;
    ps_buf_clear(&run->out);
    ps_buf_printf(&run->out, "%s: %s\n", where, what);
    if (ps_buf_failed(&run->out)) {
        ps_buf_clear(&run->out);
        ps_buf_printf(&run->out, "%.1000s: a finding that is too long to show\n", where);
    }
    (void)fwrite(ps_buf_text(&run->out), 1, run->out.n, stdout);
}

void lint_definition(struct lint_run *run, const char *where, struct ps_str name,
                     struct ps_str text)
{
    struct ps_arena arena;
    struct dsl_error bad;

    ps_arena_init(&arena);
    if (dsl_stream_parse(&arena, name, text, &bad) == NULL)
        lint_finding(run, where, bad.text);
    ps_arena_fini(&arena);
}

/* Problems with labels and names come all at once. */
static void lint_task(struct lint_run *run, const char *where, struct ps_str name,
                      struct ps_str text)
{
    struct ps_arena arena;
    struct dsl_error bad;

    ps_arena_init(&arena);
    if (dsl_task_parse(&arena, name, text, &bad) == NULL) {
        for (const struct dsl_error *problem = &bad; problem != NULL; problem = problem->next)
            lint_finding(run, where, problem->text);
    }
    ps_arena_fini(&arena);
}

/* "-" is standard input. */
static int open_file(const char *path, struct ps_err *err)
{
    if (strcmp(path, "-") == 0)
        return STDIN_FILENO;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        (void)ps_fail(err, PS_EIO, "can't be opened: %s",
                      errno == ENOENT   ? "there is no such file"
                      : errno == EACCES ? "permission denied"
                                        : "it is no readable file");
    }
    return fd;
}

static void close_file(int fd)
{
    if (fd != STDIN_FILENO)
        (void)close(fd);
}

static int read_all(int fd, struct ps_buf *text, struct ps_err *err)
{
    static char piece[READ_SIZE];

    for (;;) {
        const ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ps_fail(err, PS_EIO, "can't be read: errno %d", errno);
        if (n == 0)
            return 0;
        ps_buf_add(text, piece, (size_t)n);
        if (ps_buf_failed(text))
            return ps_fail(err, PS_ELIMIT, "larger than %zu bytes", text->max);
    }
}

/* false when the file can't be read. */
static bool lint_file(struct lint_run *run, const char *path)
{
    struct ps_err err = {0};
    PS_AUTO_BUF(text, FILE_MAX);
    const int fd = open_file(path, &err);

    if (fd >= 0) {
        (void)read_all(fd, &text, &err);
        close_file(fd);
    }
    if (err.code != 0) {
        (void)plugin_fail(path, &err);
        return false;
    }
    lint_documents(run, strcmp(path, "-") == 0 ? "standard input" : path, ps_buf_get(&text));
    return true;
}

/* -f takes one file; those that follow it stand among the words, since shells expand patterns. */
static bool lint_files(struct lint_run *run, const struct plugin_options *options)
{
    bool all = true;

    for (size_t i = 0; i < options->file_count; i++)
        all &= lint_file(run, options->files[i]);
    for (size_t i = 0; i < options->word_count; i++)
        all &= lint_file(run, options->words[i]);
    return all;
}

static void lint_arguments(struct lint_run *run, const struct plugin_options *options)
{
    const bool tasks = ps_streq(options->values[PLUGIN_KIND], "task");
    const char *given = options->values[PLUGIN_NAME];
    const struct ps_str name = ps_str(given != NULL ? given : tasks ? "task" : "stream");
    PS_AUTO_BUF(where, 64);

    for (size_t i = 0; i < options->word_count; i++) {
        ps_buf_clear(&where);
        ps_buf_printf(&where, "definition %zu", i + 1);
        run->checked++;
        (tasks ? lint_task : lint_definition)(run, ps_buf_text(&where), name,
                                              ps_str(options->words[i]));
    }
}

static int lint_jsonl(const struct plugin_options *options)
{
    struct ps_err err = {0};

    if (options->word_count > 0)
        return plugin_usage_error("--jsonl reads standard input or one -f", options->words[0]);
    if (options->file_count > 1)
        return plugin_usage_error("--jsonl reads standard input or one -f", options->files[1]);
    const char *path = options->file_count > 0 ? options->files[0] : "-";
    const int fd = open_file(path, &err);

    if (fd < 0)
        return plugin_fail(path, &err);
    const int rc = lint_lines(fd);

    close_file(fd);
    return rc;
}

static int check_usage(const struct plugin_options *options)
{
    const char *kind = options->values[PLUGIN_KIND];
    const bool files = plugin_has(options, PLUGIN_FILE), lines = plugin_has(options, PLUGIN_JSONL);

    if ((files || lines) && (plugin_has(options, PLUGIN_KIND) || plugin_has(options, PLUGIN_NAME)))
        return plugin_usage_error("--kind and --name are for definitions given as arguments", NULL);
    if (kind != NULL && !ps_streq(kind, "stream") && !ps_streq(kind, "task"))
        return plugin_usage_error("--kind: expected stream or task, found", kind);
    if (!files && !lines && options->word_count == 0)
        return plugin_usage_error("lint: a definition, -f FILE or --jsonl is missing", NULL);
    return 0;
}

int plugin_lint(const struct plugin_options *options)
{
    struct lint_run run = {0};
    bool all = true;

    if (check_usage(options) != 0)
        return PLUGIN_USAGE;
    if (plugin_has(options, PLUGIN_JSONL))
        return lint_jsonl(options);
    ps_buf_init(&run.out, FINDING_MAX);
    if (plugin_has(options, PLUGIN_FILE)) {
        all = lint_files(&run, options);
    } else {
        lint_arguments(&run, options);
    }
    ps_buf_fini(&run.out);
    (void)fflush(stdout);
    (void)fprintf(stderr, "checked: %zu, findings: %zu\n", run.checked, run.findings);
    return all && run.findings == 0 ? 0 : PLUGIN_FINDINGS;
}
