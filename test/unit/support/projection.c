/* SPDX-License-Identifier: Apache-2.0 */
/* Compares projections word by word: a word that differs has to be a pointer to the same text at
 * the same place of its own block. */
#include "support/projection.h"

#include <string.h>

#define BLOCK_MAX ((uintptr_t)8 * 1024 * 1024)

static bool word_equal(uintptr_t word_a, uintptr_t word_b, const struct model_object *a,
                       const struct model_object *b)
{
    const uintptr_t offset = word_a - (uintptr_t)a;

    if (word_a == word_b)
        return true;
    if (offset != word_b - (uintptr_t)b || offset < sizeof(*a) || offset >= BLOCK_MAX)
        return false;
    return strcmp((const char *)a + offset, (const char *)b + offset) == 0;
}

bool projection_equal(const struct model_object *a, const struct model_object *b)
{
    uintptr_t word_a, word_b;

    _Static_assert(sizeof(*a) % sizeof(word_a) == 0, "whole words");
    if (a == NULL || b == NULL)
        return a == b;
    for (size_t i = 0; i < sizeof(*a); i += sizeof(word_a)) {
        memcpy(&word_a, (const char *)a + i, sizeof(word_a));
        memcpy(&word_b, (const char *)b + i, sizeof(word_b));
        if (!word_equal(word_a, word_b, a, b))
            return false;
    }
    return true;
}
