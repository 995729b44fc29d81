/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that never fails, and arenas. */
#include "base/base.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_MIN ((size_t)4096)
#define ARENA_ALIGN     ((size_t)16)
/* A pass takes and frees up to a few hundred KiB; a page of a list some MiB. */
#define KEPT_FREE       (4 * 1024 * 1024) /* bytes at the top of the heap */
#define PRINT_HERE      256               /* bytes: longer texts are printed twice */

struct ps_arena_block {
    struct ps_arena_block *next;
    size_t used, cap;
    _Alignas(16) char data[];
};

void ps_panic(const char *file, int line, const char *what)
{
    (void)fprintf(stderr,
                  "{\"level\":\"error\",\"event\":\"panic\",\"at\":\"%s:%d\",\"what\":\"%s\"}\n",
                  file, line, what);
    abort();
}

static void *checked(void *p, size_t size)
{
    if (p == NULL && size > 0)
        ps_panic(__FILE__, __LINE__, "out of memory");
    return p;
}

void *ps_xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1), 1);
}

void *ps_xcalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1), 1);
}

void *ps_xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1), 1);
}

char *ps_xstrdup(const char *s)
{
    return ps_xstrndup(s, strlen(s));
}

char *ps_xstrndup(const char *s, size_t n)
{
    char *copy = ps_xmalloc(n + 1);

    if (n > 0)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void ps_free(void *p)
{
    free(p);
}

void ps_memory_init(void)
{
    /* There is one thread. */
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE); /* without it all works, a little slower */
}

void ps_memory_trim(void)
{
    (void)malloc_trim(0); /* says whether there was anything */
}

void ps_wipe(void *p, size_t n)
{
    if (p != NULL)
        explicit_bzero(p, n);
}

void ps_cleanup_free(void *pp)
{
    ps_free(*(void **)pp);
}

void ps_arena_init(struct ps_arena *arena)
{
    *arena = (struct ps_arena){0};
}

void ps_arena_fini(struct ps_arena *arena)
{
    while (arena->head != NULL) {
        struct ps_arena_block *next = arena->head->next;

        free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

void *ps_arena_alloc(struct ps_arena *arena, size_t size)
{
    const size_t need = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    struct ps_arena_block *block = arena->head;

    ps_assert(need >= size);
    if (block == NULL || block->cap - block->used < need) {
        const size_t cap = need > ARENA_BLOCK_MIN ? need : ARENA_BLOCK_MIN;

        block = ps_xmalloc(sizeof(*block) + cap);
        block->used = 0;
        block->cap = cap;
        block->next = arena->head;
        arena->head = block;
    }
    void *p = block->data + block->used;

    block->used += need;
    arena->used += need;
    return memset(p, 0, need);
}

void *ps_arena_array(struct ps_arena *arena, size_t n, size_t size)
{
    size_t bytes;

    ps_assert(!__builtin_mul_overflow(n, size, &bytes));
    return ps_arena_alloc(arena, bytes);
}

char *ps_arena_str(struct ps_arena *arena, struct ps_str s)
{
    char *copy = ps_arena_alloc(arena, s.n + 1);

    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

char *ps_arena_dup(struct ps_arena *arena, const char *s)
{
    return s ? ps_arena_str(arena, ps_str(s)) : NULL;
}

char *ps_arena_vprintf(struct ps_arena *arena, const char *fmt, va_list ap)
{
    char here[PRINT_HERE];
    va_list again;

    va_copy(again, ap);
    const int n = vsnprintf(here, sizeof(here), fmt, again);
    va_end(again);
    ps_assert(n >= 0);
    char *text = ps_arena_alloc(arena, (size_t)n + 1);

    if ((size_t)n < sizeof(here)) {
        memcpy(text, here, (size_t)n);
    } else {
        (void)vsnprintf(text, (size_t)n + 1, fmt, ap);
    }
    return text;
}

char *ps_arena_printf(struct ps_arena *arena, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = ps_arena_vprintf(arena, fmt, ap);
    va_end(ap);
    return text;
}
