/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions and what SCDF's parser and definition builder were seen to make of them. */
#ifndef PS_TEST_DSL_VECTORS_H
#define PS_TEST_DSL_VECTORS_H

#include "dsl/dsl.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* `want` is what dsl_test_describe gives: apps joined by " ; ", each with its type (S P K A), its
 * label(name) or name, {options}, <input destination, >output destination and g=group, the latter
 * unless it is the stream's name; or "ERR code@position". `words` is the message of an error, or
 * NULL where its number says it all. `name` NULL means "test". */
struct dsl_vector {
    const char *id, *name, *text, *want, *words;
};

extern const struct dsl_vector dsl_vectors[];
extern const size_t dsl_vector_count;

/* In the arena. */
const char *dsl_test_describe(struct ps_arena *arena, const struct dsl_stream *stream);

#endif
