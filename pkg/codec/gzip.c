/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) in memory. */
#include "codec/codec.h"

#include <limits.h>
#include <zlib.h>

#define GZIP_HEADER     16 /* asks zlib for gzip's header and trailer */
#define GZIP_WINDOW     15 /* bits: 32 KiB, the most that there is */
#define GZIP_WINDOW_MIN 9
#define GZIP_MEMORY     8 /* zlib's default: 16 Ki symbols in a block, as many as 14 bits count */
#define GZIP_LEVEL      9
#define GZIP_CHUNK      ((size_t)16 * 1024)

static void *gzip_alloc(void *self, unsigned int n, unsigned int size)
{
    (void)self;
    return ps_xcalloc(n, size);
}

static void gzip_free(void *self, void *p)
{
    (void)self;
    ps_free(p);
}

/* zlib only reads from next_in, and declares it writable unless ZLIB_CONST is set. */
static z_stream stream_over(struct ps_str bytes)
{
    return (z_stream){.zalloc = gzip_alloc,
                      .zfree = gzip_free,
                      .next_in = (unsigned char *)(uintptr_t)bytes.p,
                      .avail_in = (unsigned int)bytes.n};
}

/* One call of deflate or inflate; what it wrote goes to out. Returns zlib's answer. */
static int step(z_stream *stream, int (*run)(z_stream *, int), int flush, struct ps_buf *out)
{
    unsigned char chunk[GZIP_CHUNK];

    stream->next_out = chunk;
    stream->avail_out = sizeof(chunk);
    const int answer = run(stream, flush);

    ps_buf_add(out, chunk, sizeof(chunk) - stream->avail_out);
    return answer;
}

/* How many bits count to the text's end: a larger window would take 256 KiB for nothing, mapped and
 * given back each time. */
static int window_for(struct ps_str bytes)
{
    int bits = GZIP_WINDOW_MIN;

    while (bits < GZIP_WINDOW && (size_t)1 << bits < bytes.n)
        bits++;
    return bits;
}

void codec_gzip(struct ps_str bytes, struct ps_buf *out)
{
    ps_assert(bytes.n <= UINT_MAX);
    z_stream stream = stream_over(bytes);
    const int window = window_for(bytes);
    const int memory = window - 6 < GZIP_MEMORY ? window - 6 : GZIP_MEMORY;
    int answer = deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, window + GZIP_HEADER, memory,
                              Z_DEFAULT_STRATEGY);

    ps_assert(answer == Z_OK);
    while (answer == Z_OK && !ps_buf_failed(out))
        answer = step(&stream, deflate, Z_FINISH, out);
    ps_assert(answer == Z_STREAM_END || ps_buf_failed(out));
    (void)deflateEnd(&stream);
}

int codec_gunzip(struct ps_str bytes, struct ps_buf *out, struct ps_err *err)
{
    if (bytes.n > UINT_MAX)
        return ps_fail(err, PS_ELIMIT, "gzip of %zu bytes: at most %u are read", bytes.n, UINT_MAX);
    z_stream stream = stream_over(bytes);
    int answer = inflateInit2(&stream, GZIP_WINDOW + GZIP_HEADER);

    ps_assert(answer == Z_OK);
    while (answer == Z_OK && !ps_buf_failed(out))
        answer = step(&stream, inflate, Z_NO_FLUSH, out);
    const size_t rest = stream.avail_in;

    (void)inflateEnd(&stream);
    if (ps_buf_failed(out))
        return ps_fail(err, PS_ELIMIT, "gzip: inflates to more than %zu bytes", out->max);
    if (answer == Z_BUF_ERROR)
        return ps_fail(err, PS_EINVAL, "gzip: ends too early");
    if (answer != Z_STREAM_END)
        return ps_fail(err, PS_EINVAL, "gzip: damaged at byte %zu", bytes.n - rest);
    if (rest > 0)
        return ps_fail(err, PS_EINVAL, "gzip: %zu bytes behind its end", rest);
    return 0;
}
