/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of this process, under the names that every Prometheus client uses. */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#define STAT_MAX ((size_t)4096)

/* proc(5), /proc/pid/stat, counted from the field behind the name, which is the third. */
#define STAT_VSIZE (23 - 3)
#define STAT_RSS   (24 - 3)

static const struct metrics_desc cpu_desc = {
    .name = "process_cpu_seconds_total",
    .help = "Total user and system CPU time spent in seconds.",
    .type = METRICS_COUNTER,
    .unit = METRICS_NS,
};
static const struct metrics_desc resident_desc = {
    .name = "process_resident_memory_bytes",
    .help = "Resident memory size in bytes.",
    .type = METRICS_GAUGE,
};
static const struct metrics_desc virtual_desc = {
    .name = "process_virtual_memory_bytes",
    .help = "Virtual memory size in bytes.",
    .type = METRICS_GAUGE,
};
static const struct metrics_desc open_fds_desc = {
    .name = "process_open_fds",
    .help = "Number of open file descriptors.",
    .type = METRICS_GAUGE,
};
static const struct metrics_desc max_fds_desc = {
    .name = "process_max_fds",
    .help = "Maximum number of open file descriptors.",
    .type = METRICS_GAUGE,
};
static const struct metrics_desc start_desc = {
    .name = "process_start_time_seconds",
    .help = "Start time of the process since unix epoch in seconds.",
    .type = METRICS_GAUGE,
    .unit = METRICS_MS,
};
static const struct metrics_desc build_desc = {
    .name = "penstock_build_info",
    .help = "Always 1; the labels say what runs.",
    .type = METRICS_GAUGE,
    .labels = {"version"},
};

struct process {
    struct metrics_value *cpu, *resident, *virtual, *open_fds, *max_fds;
};

static int64_t nanoseconds(const struct timeval *time)
{
    return ((int64_t)time->tv_sec * 1000000 + time->tv_usec) * 1000;
}

/* Values that can't be read stay as they were. */
static void collect_memory(const struct process *process)
{
    PS_AUTO_BUF(buf, STAT_MAX);
    const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    char piece[1024];

    if (fd < 0)
        return;
    for (ssize_t n = read(fd, piece, sizeof(piece)); n > 0; n = read(fd, piece, sizeof(piece)))
        ps_buf_add(&buf, piece, (size_t)n);
    (void)close(fd);
    struct ps_str text = ps_buf_get(&buf), field;
    int64_t number;

    /* The name stands in brackets, and may have brackets and blanks in it. */
    for (ptrdiff_t at = ps_str_index(text, ')'); at >= 0; at = ps_str_index(text, ')'))
        text = ps_str_skip(text, (size_t)at + 1);
    text = ps_str_skip(text, 1);
    for (int i = 0; ps_str_split(&text, ' ', &field); i++) {
        if (i == STAT_VSIZE && ps_str_to_i64(field, &number))
            metrics_set(process->virtual, number);
        if (i == STAT_RSS && ps_str_to_i64(field, &number))
            metrics_set(process->resident, number * sysconf(_SC_PAGESIZE));
    }
}

static const struct dirent *next_entry(DIR *dir)
{
    /* There is one thread. */
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    return readdir(dir); // cppcheck-suppress readdirCalled
}

static void collect_fds(const struct process *process)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t count = -1; /* its own */

    if (dir == NULL)
        return;
    for (const struct dirent *entry = next_entry(dir); entry != NULL; entry = next_entry(dir))
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    metrics_set(process->open_fds, count);
}

static void collect(void *self)
{
    const struct process *process = self;
    struct rusage usage;
    struct rlimit limit;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_set(process->cpu, nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(process->max_fds, (int64_t)limit.rlim_cur);
    collect_memory(process);
    collect_fds(process);
}

void metrics_process(struct metrics *metrics, const char *version, int64_t started_wall_ms)
{
    if (metrics == NULL)
        return;
    struct process *process = ps_xcalloc(1, sizeof(*process));

    process->cpu = metrics_value(metrics, &cpu_desc, NULL);
    process->resident = metrics_value(metrics, &resident_desc, NULL);
    process->virtual = metrics_value(metrics, &virtual_desc, NULL);
    process->open_fds = metrics_value(metrics, &open_fds_desc, NULL);
    process->max_fds = metrics_value(metrics, &max_fds_desc, NULL);
    metrics_set(metrics_value(metrics, &start_desc, NULL), started_wall_ms);
    metrics_set(metrics_value(metrics, &build_desc, &version), 1);
    metrics_hook_new(metrics, collect, process)->owned = true;
}

void metrics_heap(size_t *used, size_t *spare, size_t *taken)
{
    const struct mallinfo2 info = mallinfo2();

    *used = info.uordblks + info.hblkhd;
    *spare = info.fordblks;
    *taken = info.arena + info.hblkhd;
}
