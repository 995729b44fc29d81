/* SPDX-License-Identifier: Apache-2.0 */
/* Another program, run without a shell: what it writes is gathered, and it has a time to end in. */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* Of its output, once it has ended: something that it has left running may hold the pipes open. */
#define LAST_OUTPUT_MS 1000
/* A killed process that hangs in the kernel is given up after so many waits of a millisecond. */
#define REAP_TRIES     1000
#define MILLISECOND_NS 1000000L

struct loop_process {
    uv_process_t uv;
    uv_pipe_t out, errors;
    struct loop_timer *timer;
    loop_process_fn *fn;
    void *self;
    struct ps_buf output, words;
    struct ps_err err;
    int64_t timeout_ms;
    int pid;        /* 0: not started, or reaped */
    int handles;    /* of libuv, not closed yet */
    int open_pipes; /* without their end so far */
    bool exited, over;
    char piece[16384];
};

/* ---- its end -------------------------------------------------------------------------------- */

static void on_closed(struct loop_process *process)
{
    if (--process->handles > 0)
        return;
    ps_wipe(process->piece, sizeof(process->piece));
    ps_wipe(process->output.p, process->output.n);
    ps_buf_fini(&process->output);
    ps_buf_fini(&process->words);
    ps_free(process);
}

static void on_process_closed(uv_handle_t *uv)
{
    on_closed(PS_CONTAINER_OF(uv, struct loop_process, uv));
}

static void on_out_closed(uv_handle_t *uv)
{
    on_closed(PS_CONTAINER_OF(uv, struct loop_process, out));
}

static void on_errors_closed(uv_handle_t *uv)
{
    on_closed(PS_CONTAINER_OF(uv, struct loop_process, errors));
}

/* With all that it has started, unless that has left its group. libuv forgets a process whose
 * handle is closed, so it is reaped here. */
static void kill_now(struct loop_process *process)
{
    const struct timespec pause = {.tv_nsec = MILLISECOND_NS};

    if (process->pid == 0)
        return;
    (void)kill(-process->pid, SIGKILL);
    for (int i = 0; i < REAP_TRIES; i++) {
        const pid_t reaped = waitpid(process->pid, NULL, WNOHANG);

        if (reaped == process->pid || (reaped < 0 && errno != EINTR))
            break;
        (void)nanosleep(&pause, NULL);
    }
    process->pid = 0;
}

static void close_all(struct loop_process *process)
{
    process->over = true;
    kill_now(process);
    loop_timer_free(process->timer);
    uv_close((uv_handle_t *)&process->uv, on_process_closed);
    uv_close((uv_handle_t *)&process->out, on_out_closed);
    uv_close((uv_handle_t *)&process->errors, on_errors_closed);
}

/* The memory stays until the handles are closed, which is never before the callback has returned.
 */
static void finish(struct loop_process *process)
{
    if (process->over)
        return;
    close_all(process);
    const struct loop_process_result result = {
        .err = process->err,
        .output = ps_buf_get(&process->output),
        .errors = ps_buf_get(&process->words),
    };

    process->fn(process->self, &result);
}

static void finish_if_complete(struct loop_process *process)
{
    if (process->exited && process->open_pipes == 0)
        finish(process);
}

static void on_timer(void *self)
{
    struct loop_process *process = self;

    if (!process->exited && process->err.code == 0) {
        (void)ps_fail(&process->err, PS_ETIMEOUT, "it has not ended after %lld ms",
                      (long long)process->timeout_ms);
    }
    finish(process);
}

static void on_exit_of(uv_process_t *uv, int64_t status, int signum)
{
    struct loop_process *process = PS_CONTAINER_OF(uv, struct loop_process, uv);

    process->exited = true;
    process->pid = 0;
    if (signum != 0) {
        (void)ps_fail(&process->err, PS_EIO, "it was ended by signal %d", signum);
    } else if (status != 0) {
        (void)ps_fail(&process->err, PS_EIO, "it has ended with exit code %lld", (long long)status);
    }
    if (process->over)
        return;
    loop_timer_set(process->timer, LAST_OUTPUT_MS);
    finish_if_complete(process);
}

/* ---- its output ----------------------------------------------------------------------------- */

static void give_piece(struct loop_process *process, uv_buf_t *buf)
{
    *buf = uv_buf_init(process->piece, sizeof(process->piece));
}

static void on_out_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    give_piece(PS_CONTAINER_OF(uv, struct loop_process, out), buf);
}

static void on_errors_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    give_piece(PS_CONTAINER_OF(uv, struct loop_process, errors), buf);
}

static void end_pipe(struct loop_process *process, uv_stream_t *stream)
{
    (void)uv_read_stop(stream);
    process->open_pipes--;
    finish_if_complete(process);
}

static void on_out(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct loop_process *process = PS_CONTAINER_OF(stream, struct loop_process, out);

    if (n < 0) {
        end_pipe(process, stream);
        return;
    }
    ps_buf_add(&process->output, buf->base, (size_t)n);
    if (!ps_buf_failed(&process->output))
        return;
    (void)ps_fail(&process->err, PS_ELIMIT, "its output is larger than %zu bytes",
                  process->output.max);
    finish(process);
}

/* The beginning says what went wrong; the rest is read and dropped, so that it does not wait. */
static void on_errors(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct loop_process *process = PS_CONTAINER_OF(stream, struct loop_process, errors);

    if (n < 0) {
        end_pipe(process, stream);
        return;
    }
    const size_t room = process->words.max - process->words.n;

    ps_buf_add(&process->words, buf->base, (size_t)n < room ? (size_t)n : room);
}

/* ---- its start ------------------------------------------------------------------------------ */

/* libuv keeps the texts as they are, but its types don't say so. */
static char **as_uv(const char *const *texts)
{
    char **same;

    memcpy(&same, &texts, sizeof(same));
    return same;
}

static int spawn(struct loop_process *process, struct loop *loop,
                 const struct loop_process_options *options)
{
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&process->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&process->errors},
    };
    const uv_process_options_t uv_options = {
        .exit_cb = on_exit_of,
        .file = options->argv[0],
        .args = as_uv(options->argv),
        .env = as_uv(options->environment),
        .flags = UV_PROCESS_DETACHED, /* a group, and no terminal that it could ask */
        .stdio_count = (int)PS_ARRAY_LEN(stdio),
        .stdio = stdio,
    };
    const int rc = uv_spawn(&loop->uv, &process->uv, &uv_options);

    if (rc != 0)
        return ps_fail(&process->err, PS_EIO, "it can't be started: %s", uv_strerror(rc));
    process->pid = process->uv.pid;
    process->open_pipes = 2;
    ps_assert(uv_read_start((uv_stream_t *)&process->out, on_out_alloc, on_out) == 0);
    ps_assert(uv_read_start((uv_stream_t *)&process->errors, on_errors_alloc, on_errors) == 0);
    return 0;
}

struct loop_process *loop_process_start(struct loop *loop,
                                        const struct loop_process_options *options,
                                        loop_process_fn *fn, void *self)
{
    struct loop_process *process = ps_xcalloc(1, sizeof(*process));

    process->fn = fn;
    process->self = self;
    process->timeout_ms = options->timeout_ms;
    process->handles = 3;
    ps_buf_init(&process->output, options->output_max);
    ps_buf_init(&process->words, options->errors_max);
    process->timer = loop_timer_new(loop, on_timer, process);
    ps_assert(uv_pipe_init(&loop->uv, &process->out, 0) == 0);
    ps_assert(uv_pipe_init(&loop->uv, &process->errors, 0) == 0);
    const int code = spawn(process, loop, options);

    loop_timer_set(process->timer, code == 0 ? options->timeout_ms : 0);
    return process;
}

void loop_process_free(struct loop_process *process)
{
    if (process != NULL && !process->over)
        close_all(process);
}
