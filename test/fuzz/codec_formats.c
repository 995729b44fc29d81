/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a quantity, as base64 and as gzip: what is accepted comes back the same.
 */
#include "codec/codec.h"

#define PLAIN_MAX ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quantity(struct ps_str text)
{
    PS_AUTO_BUF(again, 64);
    int64_t milli, same;

    if (!codec_quantity(text, &milli))
        return;
    ps_buf_printf(&again, "%lldm", (long long)milli);
    ps_assert(codec_quantity(ps_buf_get(&again), &same) && same == milli);
}

static void check_base64(struct ps_str text)
{
    PS_AUTO_BUF(plain, PLAIN_MAX);
    PS_AUTO_BUF(encoded, 2 * PLAIN_MAX);
    PS_AUTO_BUF(again, PLAIN_MAX);
    struct ps_err err;

    if (codec_base64_decode(text, &plain, &err) != 0)
        return;
    codec_base64_encode(ps_buf_get(&plain), &encoded);
    ps_assert(codec_base64_decode(ps_buf_get(&encoded), &again, &err) == 0);
    ps_assert(ps_str_eq(ps_buf_get(&plain), ps_buf_get(&again)));
}

static void check_gzip(struct ps_str bytes)
{
    PS_AUTO_BUF(plain, PLAIN_MAX);
    PS_AUTO_BUF(packed, 2 * PLAIN_MAX);
    PS_AUTO_BUF(again, PLAIN_MAX);
    struct ps_err err;

    if (codec_gunzip(bytes, &plain, &err) != 0) {
        ps_assert(plain.n <= PLAIN_MAX && err.message[0] != '\0');
        return;
    }
    codec_gzip(ps_buf_get(&plain), &packed);
    ps_assert(codec_gunzip(ps_buf_get(&packed), &again, &err) == 0);
    ps_assert(ps_str_eq(ps_buf_get(&plain), ps_buf_get(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ps_str text = ps_str_n((const char *)(const void *)data, size);

    check_quantity(text);
    check_base64(text);
    check_gzip(text);
    return 0;
}
