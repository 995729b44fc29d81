/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stream definition: refused with a position inside the text and an error text,
 * or accepted, and then printing it gives a text that is accepted and printed alike.
 */
#include "dsl/dsl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(struct ps_arena *arena, const struct dsl_stream *stream)
{
    const char *printed = dsl_stream_print(arena, stream);
    struct dsl_error bad;
    const struct dsl_stream *again = dsl_stream_parse(arena, PS_STR("s"), ps_str(printed), &bad);

    ps_assert(again != NULL);
    ps_assert(again->app_count == stream->app_count && again->unbound == stream->unbound);
    ps_assert(ps_streq(dsl_stream_print(arena, again), printed));
    for (size_t i = 0; i < stream->app_count; i++) {
        size_t one, other;
        const struct dsl_option *a = dsl_stream_properties(arena, stream, i, &one);
        const struct dsl_option *b = dsl_stream_properties(arena, again, i, &other);

        ps_assert(one == other);
        ps_assert(dsl_stream_app_type(stream, i) == dsl_stream_app_type(again, i));
        for (size_t k = 0; k < one; k++)
            ps_assert(ps_streq(a[k].name, b[k].name) && ps_streq(a[k].value, b[k].value));
    }
}

static void check_refused(struct ps_arena *arena, const struct dsl_error *bad, size_t size)
{
    PS_AUTO_BUF(json, (size_t)1024 * 1024);

    ps_assert(bad->code != DSL_OK && bad->position <= size);
    ps_assert(bad->message != NULL && bad->text != NULL);
    ps_buf_json(&json, ps_str(bad->text));
    ps_assert(!ps_buf_failed(&json));
    ps_assert(
        ps_str_starts(ps_str(bad->text), ps_arena_printf(arena, "%dE:(pos ", (int)bad->code)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_arena arena;
    struct dsl_error bad;

    /* The newline at the end of a file of the corpus is no part of the definition. */
    size -= size > 0 && data[size - 1] == '\n';
    ps_arena_init(&arena);
    const struct dsl_stream *stream = dsl_stream_parse(
        &arena, PS_STR("s"), ps_str_n((const char *)(const void *)data, size), &bad);

    if (stream != NULL)
        check_accepted(&arena, stream);
    else
        check_refused(&arena, &bad, size);
    ps_arena_fini(&arena);
    return 0;
}
