/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List, then watch, for ever. One function enters each state; what follows an end of a list or of a
 * watch is decided in after_list_failure() and after_watch().
 *
 *   NEW -> LIST -> WATCH -> WATCH …                     the normal life
 *   LIST  -- failed ------------------------> WAIT_LIST  -> LIST
 *   WATCH -- could not open, 429 -----------> WAIT_WATCH -> WATCH (same resourceVersion)
 *   WATCH -- 410 ---------------------------> LIST (WAIT_LIST, if one has just ended)
 *   LIST  -- 410, or resourceVersion unknown > LIST without a resourceVersion
 *   WATCH -- ended at once, not understood -> WAIT_LIST  -> LIST
 *
 * A LIST comes as the beginning of a watch: until its bookmark whatever ends that watch ends a list
 * that has failed, then it is the WATCH. A server that refuses this (422, 400), or never sends the
 * bookmark, is asked for pages from then on.
 */
#include "reflector.h"

#include <string.h>

/* client-go's numbers: backoff, its reset, and what counts as a very short watch. */
#define BACKOFF_FIRST_MS      800
#define BACKOFF_MAX_MS        30000
#define REFUSED_FIRST_MS      2000
#define BACKOFF_RESET_MS      120000
#define SHORT_WATCH_MS        1000
/* Bookmarks come every minute: three of them missing is a dead connection. */
#define IDLE_TIMEOUT_MS       180000
/* A server that has taken the parameters and does not know them sends no end of the list. */
#define WATCH_LIST_TIMEOUT_MS 30000
#define TROUBLE_MAX           ((size_t)PS_ERR_MESSAGE_MAX + 256)

/* ---- entering and leaving ------------------------------------------------------------------- */

static void destroy(struct kube_reflector *reflector)
{
    kube__framer_fini(&reflector->framer);
    codec_list_fini(&reflector->page);
    ps_free(reflector->namespace);
    ps_free(reflector->url);
    ps_free(reflector->continue_token);
    ps_free(reflector->rv);
    ps_free(reflector->trouble);
    ps_free(reflector);
}

/* Around everything that may call back: freeing in a callback waits for the end of the outermost.
 */
static void enter(struct kube_reflector *reflector)
{
    reflector->depth++;
}

static void leave(struct kube_reflector *reflector)
{
    if (--reflector->depth == 0 && reflector->dead)
        destroy(reflector);
}

static void set_state(struct kube_reflector *reflector, enum kube__state state)
{
    static const char *const names[] = {
        [KUBE__NEW] = "new",
        [KUBE__LIST] = "list",
        [KUBE__WATCH] = "watch",
        [KUBE__WAIT_LIST] = "wait_list",
        [KUBE__WAIT_WATCH] = "wait_watch",
    };

    ps_log(PS_LOG_DEBUG, "reflector_state", "resource", reflector->kind.plural, "namespace",
           reflector->namespace, "from", names[reflector->state], "to", names[state],
           "resource_version", reflector->rv, NULL);
    reflector->state = state;
}

/* NULL: in order. Told on changes only. */
static void tell_health(struct kube_reflector *reflector, const struct ps_err *err)
{
    PS_AUTO_BUF(words, TROUBLE_MAX);
    if (err != NULL) {
        ps_buf_printf(&words, "%s: %s: %s", reflector->kind.plural, ps_code_text(err->code),
                      err->message);
    }
    const char *trouble = err != NULL ? ps_buf_text(&words) : NULL;

    if (reflector->dead || ps_streq(trouble, reflector->trouble))
        return;
    ps_free(reflector->trouble);
    reflector->trouble = trouble ? ps_xstrdup(trouble) : NULL;
    reflector->on.on_health(reflector->on.self, reflector->trouble);
}

static void wait_then(struct kube_reflector *reflector, enum kube__state state,
                      const struct ps_err *err)
{
    const int64_t now = loop_now_ms();
    struct loop_backoff *backoff = &reflector->backoff;

    if (reflector->dead)
        return;
    if (now - reflector->backed_off_ms > BACKOFF_RESET_MS)
        loop_backoff_reset(backoff);
    /* Permissions and definitions don't come back within a second; but an API server that has just
     * started refuses for a moment what it allows later, so this starts low, too. */
    if ((err->code == PS_EDENIED || err->code == PS_ENOENT || err->code == PS_EAUTH) &&
        backoff->delay_ms < REFUSED_FIRST_MS)
        backoff->delay_ms = REFUSED_FIRST_MS < backoff->max_ms ? REFUSED_FIRST_MS : backoff->max_ms;
    const int64_t delay = loop_backoff_next(backoff);

    reflector->backed_off_ms = now;
    if (state == KUBE__WAIT_LIST && err->code != PS_EGONE)
        reflector->list_reason = KUBE__LIST_TROUBLE;
    set_state(reflector, state);
    loop_timer_set(reflector->timer, delay > err->retry_after_ms ? delay : err->retry_after_ms);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void on_page_open(void *self);
static bool on_page_data(void *self, struct ps_str piece);
static void on_page(void *self, const struct http_response *response);

static void send_page(struct kube_reflector *reflector)
{
    struct http_send send = {
        .on_open = on_page_open, .on_data = on_page_data, .on_done = on_page, .self = reflector};

    kube__send_page(reflector, &send);
}

static void on_watch_open(void *self);
static bool on_watch_data(void *self, struct ps_str piece);
static void on_watch_done(void *self, const struct http_response *response);

static void send_watch(struct kube_reflector *reflector)
{
    struct http_send send = {.on_open = on_watch_open,
                             .on_data = on_watch_data,
                             .on_done = on_watch_done,
                             .self = reflector};

    kube__framer_clear(&reflector->framer);
    reflector->verdict = KUBE__FINE;
    reflector->verdict_err = (struct ps_err){0};
    reflector->open = reflector->too_new = false;
    reflector->progress = 0;
    reflector->started_ms = loop_now_ms();
    if (reflector->initial)
        loop_timer_set(reflector->timer, reflector->watch_list_timeout_ms);
    kube__send_watch(reflector, &send);
}

/* The first time without a resourceVersion: the newest state, in pages. Later whatever is not older
 * than what was seen, at once: the server has that in memory. */
static void enter_list(struct kube_reflector *reflector)
{
    if (reflector->dead)
        return;
    reflector->initial = reflector->watch_list && !reflector->unpaged;
    reflector->resuming = reflector->synced && !reflector->fresh && !reflector->unpaged;
    set_state(reflector, KUBE__LIST);
    metrics_add(reflector->watching.lists[reflector->list_reason], 1);
    ps_free(reflector->continue_token);
    reflector->continue_token = NULL;
    if (reflector->initial) {
        send_watch(reflector);
    } else {
        send_page(reflector);
    }
}

static void enter_watch(struct kube_reflector *reflector)
{
    if (reflector->dead)
        return;
    set_state(reflector, KUBE__WATCH);
    send_watch(reflector);
}

static void cancel(struct kube_reflector *reflector)
{
    kube__exchange_cancel(reflector->exchange);
    reflector->exchange = NULL;
    loop_timer_stop(reflector->timer);
    metrics_set(reflector->watching.open, 0);
}

/* ---- the list ------------------------------------------------------------------------------- */

static void after_list_failure(struct kube_reflector *reflector, const struct ps_err *err)
{
    const bool is_later_page = reflector->continue_token != NULL;

    const bool is_late = err->code == PS_EGONE && is_later_page && !reflector->unpaged;

    if (is_late || (reflector->resuming && (err->code == PS_EGONE || reflector->too_new))) {
        /* The pages took longer than the server keeps history; or it does not know that version. */
        reflector->unpaged = is_late;
        reflector->fresh = true;
        reflector->list_reason = KUBE__LIST_GONE;
        enter_list(reflector);
        return;
    }
    reflector->unpaged = false;
    tell_health(reflector, err);
    wait_then(reflector, KUBE__WAIT_LIST, err);
}

void kube__end_list(struct kube_reflector *reflector)
{
    loop_timer_stop(reflector->timer);
    if (reflector->state == KUBE__LIST && reflector->exchange != NULL)
        set_state(reflector, KUBE__WATCH); /* it is one already */
    reflector->unpaged = reflector->fresh = false;
    reflector->synced = true;
    reflector->listed_ms = reflector->watching.heard_ms = loop_now_ms();
    reflector->on.on_list_end(reflector->on.self, reflector->rv);
    if (!reflector->dead)
        tell_health(reflector, NULL);
}

static void on_page_open(void *self)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    kube__page_begin(reflector);
    leave(reflector);
}

static bool on_page_data(void *self, struct ps_str piece)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    const bool go_on =
        !reflector->dead && codec_list_feed(&reflector->page, piece, &reflector->page_err) == 0;

    leave(reflector);
    return go_on;
}

/* From now on: some servers take the parameters of a watch with a list, and don't know them. */
static void list_plainly(struct kube_reflector *reflector, const char *why)
{
    ps_log(PS_LOG_INFO, "watch_list_unknown", "resource", reflector->kind.plural, "error", why,
           NULL);
    reflector->watch_list = false;
    enter_list(reflector);
}

/* The list within a watch has been silent for too long. */
static void give_up_initial(struct kube_reflector *reflector)
{
    struct ps_err err = {0};

    cancel(reflector);
    if (reflector->open) {
        list_plainly(reflector, "its end did not come");
        return;
    }
    (void)ps_fail(&err, PS_ETIMEOUT, "watch: no answer within %lld s",
                  (long long)(reflector->watch_list_timeout_ms / 1000));
    after_list_failure(reflector, &err);
}

/* 0, or why the list has failed. */
static int end_page(struct kube_reflector *reflector, const struct http_response *response,
                    bool *done, struct ps_err *err)
{
    struct json_t *status = NULL;

    reflector->too_new = false;
    *err = reflector->page_err;
    if (err->code != 0) /* what came is no list: that it was ended for it says less */
        return err->code;
    if (response->err.code == 0 && response->status == 200)
        return kube__page_end(reflector, done, err);
    kube__error_of(response, err, &status);
    reflector->too_new = kube__is_too_new(status);
    js_unref(status);
    return err->code;
}

static void take_page(struct kube_reflector *reflector, const struct http_response *response)
{
    struct ps_err err;
    bool done = false;

    if (end_page(reflector, response, &done, &err) != 0) {
        after_list_failure(reflector, &err);
    } else if (done) {
        kube__end_list(reflector);
        enter_watch(reflector);
    } else {
        send_page(reflector);
    }
}

static void on_page(void *self, const struct http_response *response)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    reflector->exchange = NULL;
    take_page(reflector, response);
    leave(reflector);
}

static void on_timer(void *self)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    if (reflector->url == NULL) {
        after_list_failure(reflector, &reflector->url_err);
    } else if (reflector->state == KUBE__LIST) {
        give_up_initial(reflector);
    } else if (reflector->state == KUBE__WAIT_WATCH) {
        enter_watch(reflector);
    } else {
        enter_list(reflector);
    }
    leave(reflector);
}

/* ---- the watch ------------------------------------------------------------------------------ */

static void on_watch_open(void *self)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    reflector->open = true;
    metrics_set(reflector->watching.open, 1);
    if (reflector->initial) {
        loop_timer_set(reflector->timer, reflector->watch_list_timeout_ms);
        reflector->on.on_list_begin(reflector->on.self);
    } else {
        tell_health(reflector, NULL);
    }
    leave(reflector);
}

static bool on_watch_data(void *self, struct ps_str piece)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    if (reflector->initial)
        loop_timer_set(reflector->timer, reflector->watch_list_timeout_ms);
    const int code = kube__framer_feed(&reflector->framer, piece, kube__take_event, reflector);
    const bool go_on = code == 0 && !reflector->dead;

    if (code == PS_ELIMIT || code == PS_EPROTO) {
        reflector->verdict = KUBE__BROKEN;
        (void)ps_fail(&reflector->verdict_err, code,
                      code == PS_ELIMIT ? "watch: an object is too large"
                                        : "watch: not a stream of objects");
    }
    leave(reflector);
    return go_on;
}

static void relist(struct kube_reflector *reflector, const struct ps_err *err)
{
    reflector->list_reason = KUBE__LIST_GONE;
    /* A server that forgets at once would otherwise be asked for lists without a pause. */
    if (loop_now_ms() - reflector->listed_ms < SHORT_WATCH_MS) {
        wait_then(reflector, KUBE__WAIT_LIST, err);
    } else {
        enter_list(reflector);
    }
}

/* The watch did open, and ended without a word. */
static void after_end(struct kube_reflector *reflector)
{
    struct ps_err err = {0};

    if (reflector->progress > 0 || loop_now_ms() - reflector->started_ms >= SHORT_WATCH_MS) {
        enter_watch(reflector);
        return;
    }
    (void)ps_fail(&err, PS_EPROTO, "watch: ended as soon as it was opened");
    tell_health(reflector, &err);
    wait_then(reflector, KUBE__WAIT_LIST, &err);
}

static void after_refusal(struct kube_reflector *reflector, const struct ps_err *err)
{
    const enum ps_class class = ps_code_class(err->code);

    if (err->code == PS_EGONE) {
        relist(reflector, err);
        return;
    }
    tell_health(reflector, err);
    wait_then(reflector,
              class == PS_CLASS_RETRY || class == PS_CLASS_THROTTLED ? KUBE__WAIT_WATCH
                                                                     : KUBE__WAIT_LIST,
              err);
}

/* The watch has ended within its list: that list has failed. */
static void after_initial(struct kube_reflector *reflector, const struct http_response *response)
{
    struct ps_err err = reflector->verdict_err;
    struct json_t *status = NULL;

    loop_timer_stop(reflector->timer);
    if (!reflector->open) {
        kube__error_of(response, &err, &status);
        reflector->too_new = kube__is_too_new(status);
        js_unref(status);
    } else if (err.code == 0) {
        (void)ps_fail(&err, PS_EPROTO, "watch: ended before its list did");
    }
    if (!reflector->open && err.code == PS_EINVAL) {
        list_plainly(reflector, err.message);
    } else {
        after_list_failure(reflector, &err);
    }
}

static void after_watch(struct kube_reflector *reflector, const struct http_response *response)
{
    struct ps_err err = reflector->verdict_err;
    struct json_t *status = NULL;

    switch (reflector->verdict) {
    case KUBE__GONE:
        relist(reflector, &err);
        return;
    case KUBE__THROTTLED:
        tell_health(reflector, &err);
        wait_then(reflector, KUBE__WAIT_WATCH, &err);
        return;
    case KUBE__BROKEN:
        tell_health(reflector, &err);
        wait_then(reflector, KUBE__WAIT_LIST, &err);
        return;
    case KUBE__FINE:
        break;
    }
    if (reflector->open) {
        after_end(reflector);
        return;
    }
    kube__error_of(response, &err, &status);
    js_unref(status);
    after_refusal(reflector, &err);
}

static void on_watch_done(void *self, const struct http_response *response)
{
    struct kube_reflector *reflector = self;

    enter(reflector);
    reflector->exchange = NULL;
    metrics_set(reflector->watching.open, 0);
    if (reflector->initial) {
        after_initial(reflector, response);
    } else {
        after_watch(reflector, response);
    }
    leave(reflector);
}

/* ---- anew ----------------------------------------------------------------------------------- */

void kube_reflector_refresh(struct kube_reflector *reflector)
{
    reflector->fresh = true;
    /* What is not there yet, or in trouble, lists by itself. */
    if (reflector->state == KUBE__NEW || reflector->state == KUBE__WAIT_LIST)
        return;
    cancel(reflector);
    if (reflector->synced)
        reflector->list_reason = KUBE__LIST_REFRESH;
    enter_list(reflector);
}

/* ---- public --------------------------------------------------------------------------------- */

static void make_url(struct kube_reflector *reflector, const struct kube_reflector_options *options)
{
    PS_AUTO_BUF(url, KUBE__URL_MAX);

    ps_buf_str(&url, reflector->client->config.server);
    if (kube_path(&url, options->kind, options->namespace, NULL, NULL, &reflector->url_err) != 0)
        return;
    if (options->label_selector != NULL)
        kube_query(&url, "labelSelector", options->label_selector);
    if (ps_buf_failed(&url)) {
        (void)ps_fail(&reflector->url_err, PS_ELIMIT, "URL: longer than %zu bytes", KUBE__URL_MAX);
    } else {
        reflector->url = ps_buf_take(&url);
    }
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

struct kube_reflector *kube_reflector_new(struct kube_client *client,
                                          const struct kube_reflector_options *options,
                                          const struct kube_reflector_callbacks *callbacks)
{
    struct kube_reflector *reflector = ps_xcalloc(1, sizeof(*reflector));

    reflector->client = client;
    reflector->kind = *options->kind;
    reflector->namespace = options->namespace ? ps_xstrdup(options->namespace) : NULL;
    make_url(reflector, options);
    reflector->metadata_only = options->metadata_only;
    reflector->watch_list = options->watch_list;
    reflector->watch_list_timeout_ms =
        or_default(options->watch_list_timeout_ms, WATCH_LIST_TIMEOUT_MS);
    reflector->watch_timeout_ms = options->watch_timeout_ms;
    reflector->idle_timeout_ms = or_default(options->idle_timeout_ms, IDLE_TIMEOUT_MS);
    reflector->backoff.first_ms = or_default(options->backoff_first_ms, BACKOFF_FIRST_MS);
    reflector->backoff.max_ms = or_default(options->backoff_max_ms, BACKOFF_MAX_MS);
    reflector->on = *callbacks;
    reflector->timer = loop_timer_new(client->loop, on_timer, reflector);
    kube__framer_init(&reflector->framer, KUBE_FRAME_MAX);
    kube__watching_init(&reflector->watching, client->metrics, reflector->kind.plural);
    client->reflectors++;
    return reflector;
}

void kube_reflector_start(struct kube_reflector *reflector)
{
    ps_assert(reflector->state == KUBE__NEW);
    if (reflector->url != NULL) {
        enter_list(reflector);
    } else { /* told from the loop, not from inside this call */
        loop_timer_set(reflector->timer, 0);
    }
}

void kube_reflector_free(struct kube_reflector *reflector)
{
    if (reflector == NULL || reflector->dead)
        return;
    reflector->dead = true;
    reflector->client->reflectors--;
    kube__watching_fini(&reflector->watching);
    kube__exchange_cancel(reflector->exchange);
    reflector->exchange = NULL;
    loop_timer_free(reflector->timer);
    if (reflector->depth == 0)
        destroy(reflector);
}

bool kube_reflector_synced(const struct kube_reflector *reflector)
{
    return reflector->synced;
}
