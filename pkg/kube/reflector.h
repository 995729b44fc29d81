/* SPDX-License-Identifier: Apache-2.0 */
/* Inside kube: the reflector (reflector.c), what it asks for (reflector_send.c), what its lists
 * and watches bring (events.c), and how they are cut into objects (framer.c). */
#ifndef PS_KUBE_REFLECTOR_H
#define PS_KUBE_REFLECTOR_H

#include "internal.h"

/* ---- framer.c ------------------------------------------------------------------------------- */

/* Cuts a stream of JSON objects, which comes in any pieces, into one object each. */
struct kube__framer {
    struct ps_buf buf; /* the begun object */
    struct codec_frame frame;
};

/* One object; false stops the feeding. */
typedef bool kube__frame_fn(void *self, struct ps_str frame);

void kube__framer_init(struct kube__framer *framer, size_t max);
void kube__framer_fini(struct kube__framer *framer);
void kube__framer_clear(struct kube__framer *framer);
/* 0, or PS_ELIMIT for an object above the ceiling, PS_EPROTO for bytes between objects,
 * PS_ECANCELED when fn stopped; after an error the stream has to be given up. */
int kube__framer_feed(struct kube__framer *framer, struct ps_str piece, kube__frame_fn *fn,
                      void *self);

/* ---- reflector.c, events.c and reflector_send.c -------------------------------------------- */

enum kube__state {
    KUBE__NEW,        /* not started */
    KUBE__LIST,       /* a page is on its way */
    KUBE__WATCH,      /* the watch is being opened, or open */
    KUBE__WAIT_LIST,  /* backing off, then a list */
    KUBE__WAIT_WATCH, /* backing off, then a watch from the same resourceVersion */
};

/* What the bytes of a watch have said about how it goes on. */
enum kube__verdict {
    KUBE__FINE,      /* nothing special: reopen from the last resourceVersion */
    KUBE__GONE,      /* history is gone: list again */
    KUBE__THROTTLED, /* back off, reopen from the same resourceVersion */
    KUBE__BROKEN,    /* not understood, or an error: back off, list again */
};

struct kube_reflector {
    struct kube_client *client;
    struct kube_kind kind;
    char *namespace; /* for the log */
    char *url; /* without what lists and watches add; NULL and url_err when it can't be made */
    int64_t watch_timeout_ms, idle_timeout_ms, watch_list_timeout_ms;
    struct kube_reflector_callbacks on;
    struct kube__exchange *exchange;
    struct loop_timer *timer;
    struct loop_backoff backoff;
    int64_t backed_off_ms; /* when the backoff was used last */
    char *trouble;         /* what on_health was told last */
    char *continue_token;  /* of the list's next page; NULL before the first */
    char *rv;              /* where a watch goes on; NULL before the first list */
    int64_t listed_ms;     /* end of the last list */
    int64_t started_ms;    /* of the watch */
    size_t progress;       /* how often rv has advanced in this watch */
    struct codec_list page;
    struct kube__framer framer;
    struct ps_err url_err, page_err, verdict_err;
    struct kube__watching watching;
    enum kube__list_reason list_reason; /* of the next list */
    enum kube__verdict verdict;
    enum kube__state state;
    unsigned int depth; /* its own functions on the stack: freed when the last returns */
    bool dead;
    bool metadata_only;
    bool unpaged; /* the last list ran out of time between its pages: ask for all at once */
    bool resuming, too_new; /* the list asks for rv or newer; the server has not seen that yet */
    bool fresh;             /* rv is of no use any more: the next list asks for the newest */
    bool synced;            /* a first list is complete */
    bool open;              /* the watch has begun to answer */
    bool watch_list;        /* ask for lists as the beginning of a watch */
    bool initial;           /* the watch is in that beginning */
};

/* Asks for the next page of the list, for a list as the beginning of a watch (while `initial`), or
 * for a watch from rv; the callbacks are in `send`. */
void kube__send_page(struct kube_reflector *reflector, struct http_send *send);
void kube__send_watch(struct kube_reflector *reflector, struct http_send *send);
/* A page of the list begins; its bytes go to reflector->page. */
void kube__page_begin(struct kube_reflector *reflector);
/* The bytes have ended: 0, and *done tells whether this was the last page. */
int kube__page_end(struct kube_reflector *reflector, bool *done, struct ps_err *err) PS_MUST_CHECK;
/* One watch event; false: the stream is to be given up, for the reason in verdict, or because the
 * reflector is dead. */
bool kube__take_event(void *reflector, struct ps_str frame);
/* The list is whole as of reflector->rv. */
void kube__end_list(struct kube_reflector *reflector);

#endif
