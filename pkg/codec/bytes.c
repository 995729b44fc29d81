/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as text, and base64 (RFC 4648, the standard alphabet). */
#include "codec/codec.h"

#include <openssl/evp.h>
#include <stdint.h>

void codec_sha256_hex(struct ps_str bytes, char hex[CODEC_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    const int ok = EVP_Digest(bytes.n ? bytes.p : "", bytes.n, sum, &n, EVP_sha256(), NULL);

    ps_assert(ok == 1 && n * 2 + 1 == CODEC_SHA256_HEX);
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 0xFU];
    }
    hex[CODEC_SHA256_HEX - 1] = '\0';
}

/* Three bytes are four letters of six bits; a rest of one or two bytes is filled up with '='. */
void codec_base64_encode(struct ps_str bytes, struct ps_buf *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.n; i += 3) {
        const size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t group = 0;
        char text[4] = {'=', '=', '=', '='};

        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0U);
        for (size_t k = 0; k <= n; k++)
            text[k] = alphabet[group >> (18 - 6 * k) & 0x3FU];
        ps_buf_add(out, text, sizeof(text));
    }
}

/* The six bits of a letter, or -1. */
static int letter_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct decoder {
    uint32_t group;
    size_t letters, padding; /* of the whole text */
};

/* False when the character has no place there. */
static bool feed(struct decoder *decoder, char c, struct ps_buf *out)
{
    const int bits = letter_bits(c);

    if (is_blank(c))
        return true;
    if (c == '=') {
        decoder->padding++;
        return decoder->letters % 4 + decoder->padding <= 4 && decoder->letters % 4 >= 2;
    }
    if (bits < 0 || decoder->padding > 0)
        return false;
    decoder->group = decoder->group << 6 | (uint32_t)bits;
    decoder->letters++;
    /* Every letter but the first of four completes a byte. */
    if (decoder->letters % 4 != 1)
        ps_buf_char(out, (char)(decoder->group >> ((4 - decoder->letters % 4) % 4 * 2) & 0xFFU));
    return true;
}

int codec_base64_decode(struct ps_str text, struct ps_buf *out, struct ps_err *err)
{
    struct decoder decoder = {0};

    /* What is decoded may be a secret: messages say where, never what. */
    for (size_t i = 0; i < text.n; i++) {
        if (!feed(&decoder, text.p[i], out))
            return ps_fail(err, PS_EINVAL, "not base64: unexpected character at byte %zu", i + 1);
    }
    if (decoder.letters % 4 == 1 ||
        (decoder.padding > 0 && (decoder.letters + decoder.padding) % 4 != 0))
        return ps_fail(err, PS_EINVAL, "not base64: ends in the middle of a group");
    if (ps_buf_failed(out))
        return ps_fail(err, PS_ELIMIT, "base64 of %zu bytes: more than allowed", text.n);
    return 0;
}
