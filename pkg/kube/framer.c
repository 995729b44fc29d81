/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a watch's bytes into objects. */
#include "reflector.h"

/* Memory that stays for the next object; one very large object must not cost its size for ever. */
#define FRAME_KEEP ((size_t)64 * 1024)

void kube__framer_init(struct kube__framer *framer, size_t max)
{
    *framer = (struct kube__framer){0};
    ps_buf_init(&framer->buf, max);
}

void kube__framer_fini(struct kube__framer *framer)
{
    ps_buf_fini(&framer->buf);
}

void kube__framer_clear(struct kube__framer *framer)
{
    const size_t max = framer->buf.max;

    kube__framer_fini(framer);
    kube__framer_init(framer, max);
}

static bool is_gap(char c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* One step: a whole object in the piece, the end of a begun one, or the start of one. */
static int take(struct kube__framer *framer, struct ps_str *rest, kube__frame_fn *fn, void *self)
{
    const size_t n = codec_frame(&framer->frame, *rest);
    struct ps_str frame = ps_str_head(*rest, n);

    *rest = ps_str_skip(*rest, n);
    if (!framer->frame.done || framer->buf.n > 0) {
        ps_buf_view(&framer->buf, frame);
        frame = ps_buf_get(&framer->buf);
    }
    if (ps_buf_failed(&framer->buf) || frame.n > framer->buf.max)
        return PS_ELIMIT;
    if (!framer->frame.done)
        return 0;
    framer->frame = (struct codec_frame){0};
    const bool go_on = fn(self, frame);

    if (framer->buf.cap > FRAME_KEEP)
        kube__framer_clear(framer);
    ps_buf_clear(&framer->buf);
    return go_on ? 0 : PS_ECANCELED;
}

int kube__framer_feed(struct kube__framer *framer, struct ps_str piece, kube__frame_fn *fn,
                      void *self)
{
    int code = 0;

    while (piece.n > 0 && code == 0) {
        const bool between = framer->frame.depth == 0;

        if (between && is_gap(piece.p[0])) {
            piece = ps_str_skip(piece, 1);
        } else if (between && piece.p[0] != '{') {
            code = PS_EPROTO;
        } else {
            code = take(framer, &piece, fn, self);
        }
    }
    return code;
}
