/* SPDX-License-Identifier: Apache-2.0 */
/* JSON log lines, and the one text form of time. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX ((size_t)64 * 1024)

static enum ps_log_level max_level = PS_LOG_INFO;
static int64_t (*clock_ms)(void);

void ps_log_set_level(enum ps_log_level level)
{
    max_level = level;
}

void ps_log_set_clock(int64_t (*now_ms)(void))
{
    clock_ms = now_ms;
}

bool ps_log_enabled(enum ps_log_level level)
{
    return level <= max_level;
}

static void add_pair(struct ps_buf *line, const char *key, const char *value)
{
    const size_t n = strnlen(value, PS_LOG_VALUE_MAX);

    ps_buf_printf(line, ",\"%s\":", key);
    ps_buf_json(line, ps_str_n(value, n));
}

void ps_log(enum ps_log_level level, const char *event, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    if (!ps_log_enabled(level))
        return;
    PS_AUTO_BUF(line, LOG_LINE_MAX);
    ps_buf_str(&line, "{");
    if (clock_ms != NULL) {
        const int64_t now = clock_ms();
        char text[PS_TIME_TEXT_SIZE];

        ps_time_text(now, text);
        ps_buf_printf(&line, "\"ts\":\"%.19s.%03dZ\",", text, (int)(now % 1000));
    }
    ps_buf_printf(&line, "\"level\":\"%s\",\"event\":\"%s\"", names[level], event);
    va_list ap;

    va_start(ap, event);
    for (const char *key = va_arg(ap, const char *); key != NULL; key = va_arg(ap, const char *)) {
        const char *value = va_arg(ap, const char *);

        if (value != NULL)
            add_pair(&line, key, value);
    }
    va_end(ap);
    ps_buf_str(&line, "}\n");
    if (ps_buf_failed(&line)) {
        ps_buf_clear(&line);
        ps_buf_printf(&line, "{\"level\":\"%s\",\"event\":\"%s\",\"too_long\":true}\n",
                      names[level], event);
    }
    /* One write keeps the line whole; a log that cannot be written has nobody to tell. */
    const struct ps_str text = ps_buf_get(&line);
    const ssize_t written = write(STDERR_FILENO, text.p, text.n);

    (void)written;
}

void ps_time_text(int64_t unix_ms, char buf[PS_TIME_TEXT_SIZE])
{
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    PS_AUTO_BUF(text, PS_TIME_TEXT_SIZE - 1);

    buf[0] = '\0';
    if (gmtime_r(&seconds, &tm) == NULL) {
        return;
    }
    ps_buf_printf(&text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                  tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(buf, ps_buf_text(&text), text.n + 1);
}

/* Reads the digits of "dddd-dd-ddTdd:dd:dd" into six numbers. */
static bool read_fields(const char *text, const char *form, int v[6])
{
    size_t field = 0;

    for (size_t i = 0; form[i] != '\0'; i++) {
        const char c = text[i];

        if (form[i] != 'd' && c == form[i]) {
            field++;
        } else if (form[i] == 'd' && c >= '0' && c <= '9') {
            v[field] = v[field] * 10 + (c - '0');
        } else {
            return false;
        }
    }
    return v[1] >= 1 && v[1] <= 12 && v[3] <= 23 && v[4] <= 59 && v[5] <= 60;
}

/* "Z" or ".123456Z" */
static bool ends_in_utc(struct ps_str rest)
{
    const bool fraction = rest.n > 2 && rest.p[0] == '.';

    for (size_t i = 1; fraction && i < rest.n - 1; i++) {
        if (rest.p[i] < '0' || rest.p[i] > '9')
            return false;
    }
    return (fraction || rest.n == 1) && rest.p[rest.n - 1] == 'Z';
}

bool ps_time_parse(struct ps_str text, int64_t *unix_ms)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    const size_t n = sizeof(form) - 1;
    int v[6] = {0};

    if (text.n <= n || !read_fields(text.p, form, v) || !ends_in_utc(ps_str_skip(text, n)))
        return false;
    struct tm day = {.tm_year = v[0] - 1900, .tm_mon = v[1] - 1, .tm_mday = v[2]};
    const time_t midnight = timegm(&day);

    /* timegm takes the 30th of February for the 2nd of March */
    if (day.tm_mday != v[2])
        return false;
    *unix_ms = ((int64_t)midnight + (int64_t)v[3] * 3600 + (int64_t)v[4] * 60 + v[5]) * 1000;
    return true;
}
