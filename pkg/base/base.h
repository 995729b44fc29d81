/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every other package stands on: errors, strings, buffers, arenas, maps and the log.
 *
 * Ownership words, used alike in the whole project:
 *   _new/_free   heap owner          _init/_fini  embedded in the caller's memory
 *   _take        moves out           _ref/_unref  shared, counted, loop thread only
 *   a getter     borrows: valid until its owner changes or ends
 * Threads: everything here is for the loop thread only.
 * Allocation never fails: out of memory aborts the process (docs/decisions/0002). In exchange
 * everything whose size comes from outside has a cap.
 *
 *     PS_AUTO_BUF(buf, 4096);
 *     ps_buf_printf(&buf, "%s-%d", name, n);
 *     if (ps_buf_failed(&buf))
 *         return ps_fail(err, PS_ELIMIT, "name: longer than %d bytes", 4096);
 */
#ifndef PS_BASE_H
#define PS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_MUST_CHECK                      __attribute__((warn_unused_result))
#define PS_PRINTF(fmt, args)               __attribute__((format(printf, fmt, args)))
#define PS_CLEANUP(fn)                     __attribute__((cleanup(fn)))
#define PS_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define PS_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* ---- assertions ------------------------------------------------------------------------- */
/* Ends the process with file and line: for what the code itself has got wrong, never for input. */
_Noreturn void ps_panic(const char *file, int line, const char *what);
#define ps_assert(cond)  ((cond) ? (void)0 : ps_panic(__FILE__, __LINE__, #cond))
#define ps_unreachable() ps_panic(__FILE__, __LINE__, "unreachable")

/* ---- memory ------------------------------------------------------------------------------ */

void *ps_xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *ps_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *ps_xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *ps_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *ps_xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void ps_free(void *p);
/* First of all: malloc keeps some free memory for the next pass instead of giving it back at once;
 * trim gives it back to the system, and all else that a burst has left. */
void ps_memory_init(void);
void ps_memory_trim(void);
/* Overwrites memory that held a secret before it is given back; the compiler cannot drop it. */
void ps_wipe(void *p, size_t n);
void ps_cleanup_free(void *pp);
#define PS_AUTO_FREE PS_CLEANUP(ps_cleanup_free)

/* ---- errors ------------------------------------------------------------------------------ */

/* One list: name, class, text. Functions return 0 or the negative code. */
#define PS_ERRORS(X)                                                                               \
    X(PS_EINVAL, PS_CLASS_INVALID, "invalid input")                                                \
    X(PS_ELIMIT, PS_CLASS_INVALID, "larger than allowed")                                          \
    X(PS_ENOENT, PS_CLASS_GONE, "not found")                                                       \
    X(PS_EGONE, PS_CLASS_GONE, "history is gone")                                                  \
    X(PS_EEXIST, PS_CLASS_CONFLICT, "already exists")                                              \
    X(PS_ECONFLICT, PS_CLASS_CONFLICT, "changed meanwhile")                                        \
    X(PS_EAUTH, PS_CLASS_AUTH, "not authenticated")                                                \
    X(PS_EDENIED, PS_CLASS_AUTH, "not allowed")                                                    \
    X(PS_ETHROTTLED, PS_CLASS_THROTTLED, "asked to wait")                                          \
    X(PS_EIO, PS_CLASS_RETRY, "connection failed")                                                 \
    X(PS_ETIMEOUT, PS_CLASS_RETRY, "timed out")                                                    \
    X(PS_ESERVER, PS_CLASS_RETRY, "server error")                                                  \
    X(PS_EPROTO, PS_CLASS_RETRY, "answer not understood")                                          \
    X(PS_ECANCELED, PS_CLASS_RETRY, "cancelled")                                                   \
    X(PS_EFOREIGN, PS_CLASS_FOREIGN, "belongs to someone else")

/* What to do about an error; retry policy looks at nothing else. */
enum ps_class {
    PS_CLASS_RETRY,     /* may pass by itself: back off and try again */
    PS_CLASS_CONFLICT,  /* read again, decide again */
    PS_CLASS_THROTTLED, /* wait retry_after_ms, then try again */
    PS_CLASS_AUTH,      /* credentials or permissions: back off slowly, tell a human */
    PS_CLASS_INVALID,   /* the same input fails again: wait for it to change */
    PS_CLASS_GONE,      /* the object or its history is not there */
    PS_CLASS_FOREIGN,   /* not ours: never touch, tell a human */
};

enum ps_code {
    PS_OK = 0,
#define X(name, class, text) name##_INDEX,
    PS_ERRORS(X)
#undef X
};

enum {
#define X(name, class, text) name = -(int)name##_INDEX,
    PS_ERRORS(X)
#undef X
};

#define PS_ERR_MESSAGE_MAX 1024

/* Caller-owned, usually on the stack; no allocation. The message is for people: what failed, on
 * which object and field, what was expected. It never holds a secret. */
struct ps_err {
    int code;               /* 0 or a negative PS_E… */
    int http_status;        /* 0 when no answer came */
    int64_t retry_after_ms; /* > 0 only when the server said so */
    char message[PS_ERR_MESSAGE_MAX];
};

/* Fills *err (may be NULL) and returns code, so that a caller writes `return ps_fail(...)`.
 * A message that is too long is cut at a UTF-8 boundary. */
int ps_fail(struct ps_err *err, int code, const char *fmt, ...) PS_PRINTF(3, 4);
/* Puts context in front of the message: "context: message". Returns err->code. */
int ps_fail_prefix(struct ps_err *err, const char *fmt, ...) PS_PRINTF(2, 3);
void ps_err_clear(struct ps_err *err);
const char *ps_code_name(int code);
const char *ps_code_text(int code);
enum ps_class ps_code_class(int code);
/* Before the same is asked again: the server's wish, at most 5 minutes, or what suits its class. */
int64_t ps_err_wait_ms(const struct ps_err *err);

/* ---- string views ------------------------------------------------------------------------- */

/* Borrowed bytes, not NUL-terminated, never owned. */
struct ps_str {
    const char *p;
    size_t n;
};

#define PS_STR(literal) ((struct ps_str){(literal), sizeof(literal) - 1})
#define PS_STR_ARG(s)   (int)(s).n, (s).p /* for "%.*s" */

struct ps_str ps_str(const char *s); /* NULL becomes empty */
struct ps_str ps_str_n(const char *p, size_t n);
bool ps_str_eq(struct ps_str a, struct ps_str b);
bool ps_str_is(struct ps_str a, const char *b);
bool ps_str_ieq(struct ps_str a, struct ps_str b); /* ASCII case only */
bool ps_str_starts(struct ps_str s, const char *prefix);
bool ps_str_ends(struct ps_str s, const char *suffix);
struct ps_str ps_str_trim(struct ps_str s); /* ASCII white space */
struct ps_str ps_str_skip(struct ps_str s, size_t n);
struct ps_str ps_str_head(struct ps_str s, size_t n);
/* Index of c or of the text, or -1. */
ptrdiff_t ps_str_index(struct ps_str s, char c);
ptrdiff_t ps_str_find(struct ps_str s, const char *needle);
/* Takes the part before the first `c` off the front of *rest (all of it when there is none).
 * Returns false when *rest was used up; an empty *rest with p != NULL still gives an empty part. */
bool ps_str_split(struct ps_str *rest, char c, struct ps_str *part);
/* Decimal digits only, no sign, no blanks, no overflow. */
PS_MUST_CHECK bool ps_str_to_i64(struct ps_str s, int64_t *value);
bool ps_streq(const char *a, const char *b); /* NULL equals only NULL */

/* ---- growing buffer ------------------------------------------------------------------------ */

/* Owned bytes with a ceiling; always NUL-terminated. An append that would cross the ceiling leaves
 * the text as it was and sets a sticky failure, to be asked for once at the end. */
struct ps_buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};

void ps_buf_init(struct ps_buf *buf, size_t max);
void ps_buf_fini(struct ps_buf *buf);
void ps_buf_clear(struct ps_buf *buf); /* keeps the memory, forgets text and failure */
void ps_buf_add(struct ps_buf *buf, const void *p, size_t n);
void ps_buf_str(struct ps_buf *buf, const char *s);
void ps_buf_view(struct ps_buf *buf, struct ps_str s);
void ps_buf_char(struct ps_buf *buf, char c);
void ps_buf_printf(struct ps_buf *buf, const char *fmt, ...) PS_PRINTF(2, 3);
void ps_buf_vprintf(struct ps_buf *buf, const char *fmt, va_list ap) PS_PRINTF(2, 0);
/* Removes the first n bytes; keeps only the first n. */
void ps_buf_drop(struct ps_buf *buf, size_t n);
void ps_buf_cut(struct ps_buf *buf, size_t n);
bool ps_buf_failed(const struct ps_buf *buf);
const char *ps_buf_text(const struct ps_buf *buf); /* borrows; "" when empty */
struct ps_str ps_buf_get(const struct ps_buf *buf);
char *ps_buf_take(struct ps_buf *buf); /* caller frees with ps_free; the buffer is empty again */
/* As a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void ps_buf_json(struct ps_buf *buf, struct ps_str s);

#define PS_AUTO_BUF(name, max)                                                                     \
    PS_CLEANUP(ps_buf_fini) struct ps_buf name;                                                    \
    ps_buf_init(&(name), max)

/* ---- arena --------------------------------------------------------------------------------- */

/* Memory that dies all at once: one for each pass and each exchange. */
struct ps_arena {
    struct ps_arena_block *head;
    size_t used; /* bytes handed out: the high-water mark */
};

void ps_arena_init(struct ps_arena *arena);
void ps_arena_fini(struct ps_arena *arena);
void *ps_arena_alloc(struct ps_arena *arena, size_t size)
    __attribute__((returns_nonnull)); /* zeroed */
void *ps_arena_array(struct ps_arena *arena, size_t n, size_t size)
    __attribute__((returns_nonnull));
char *ps_arena_str(struct ps_arena *arena, struct ps_str s) __attribute__((returns_nonnull));
char *ps_arena_dup(struct ps_arena *arena, const char *s); /* NULL stays NULL */
char *ps_arena_printf(struct ps_arena *arena, const char *fmt, ...) PS_PRINTF(2, 3);
char *ps_arena_vprintf(struct ps_arena *arena, const char *fmt, va_list ap) PS_PRINTF(2, 0);

/* ---- map: text -> pointer ------------------------------------------------------------------- */

/* Open hashing with insertion order kept by nothing: iterate only where order does not matter, or
 * sort. Keys are copied; values are the caller's. */
struct ps_map {
    struct ps_map_slot *slots;
    size_t count, used, cap;
};

void ps_map_init(struct ps_map *map);
void ps_map_fini(struct ps_map *map);                        /* values are not freed */
void *ps_map_get(const struct ps_map *map, const char *key); /* NULL when absent */
/* Returns the value that was there before, or NULL. The value must not be NULL. */
void *ps_map_put(struct ps_map *map, const char *key, void *value);
void *ps_map_remove(struct ps_map *map, const char *key); /* returns the value that was there */
/* Walks all entries: start with *at = 0; false at the end. Entries may be removed while walking,
 * not added. */
bool ps_map_next(const struct ps_map *map, size_t *at, const char **key, void **value);

uint64_t ps_hash(const void *p, size_t n); /* FNV-1a 64: tables and names, not secrets */

/* ---- log ------------------------------------------------------------------------------------ */

enum ps_log_level {
    PS_LOG_ERROR,
    PS_LOG_WARN,
    PS_LOG_INFO,
    PS_LOG_DEBUG
};

/* One JSON line on standard error for each call: ts, level, event, then the pairs. Keys and event
 * names are stable snake_case words. Pairs are (const char *key, const char *value) ended by NULL;
 * a NULL value leaves the pair out. Values are escaped and cut at PS_LOG_VALUE_MAX bytes. */
#define PS_LOG_VALUE_MAX 4096
void ps_log(enum ps_log_level level, const char *event, ...) __attribute__((sentinel));
void ps_log_set_level(enum ps_log_level level);
bool ps_log_enabled(enum ps_log_level level);
/* The log's clock: wall time in ms since 1970. Set by the program; NULL leaves ts out. */
void ps_log_set_clock(int64_t (*now_ms)(void));
/* RFC 3339 in UTC with whole seconds, "2026-11-22T01:02:03Z"; buf holds at least 21 bytes. */
#define PS_TIME_TEXT_SIZE 32
void ps_time_text(int64_t unix_ms, char buf[PS_TIME_TEXT_SIZE]);
/* Back again; false for anything that is not that form (fractions of a second are dropped). */
PS_MUST_CHECK bool ps_time_parse(struct ps_str text, int64_t *unix_ms);

#endif
