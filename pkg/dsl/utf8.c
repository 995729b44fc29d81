/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as it comes in, and UTF-16 code units, in which SCDF counts positions. */
#include "dsl/internal.h"

#include <string.h>

size_t dsl__units(struct ps_str text)
{
    size_t units = 0;

    for (size_t i = 0; i < text.n; i++) {
        const unsigned char c = (unsigned char)text.p[i];

        /* Every character but those of four bytes, which are surrogate pairs, is one unit. */
        units += ((c & 0xC0) != 0x80) + (c >= 0xF0);
    }
    return units;
}

size_t dsl__char_size(struct ps_str text)
{
    const unsigned char c = (unsigned char)text.p[0];

    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Size of the valid character at the start of text, which is not ASCII; 0 when there is none.
 * Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t valid_char(struct ps_str text)
{
    const unsigned char *b = (const unsigned char *)text.p;

    if (b[0] < 0xC2 || b[0] > 0xF4)
        return 0;
    const size_t size = dsl__char_size(text);

    if (text.n < size)
        return 0;
    const unsigned char low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;

    if (b[1] < low || b[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((b[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

size_t dsl__valid_utf8(struct ps_str text)
{
    size_t at = 0;

    while (at < text.n) {
        const unsigned char c = (unsigned char)text.p[at];
        const size_t size = c == '\0' ? 0 : c < 0x80 ? 1 : valid_char(ps_str_skip(text, at));

        if (size == 0)
            break;
        at += size;
    }
    return at;
}
