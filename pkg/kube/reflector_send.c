/* SPDX-License-Identifier: Apache-2.0 */
/* What a reflector asks for: the pages of a list, and watches. */
#include "reflector.h"

#define PAGE_SIZE            "500"
/* client-go's: uniform between the two. */
#define WATCH_TIMEOUT_MIN_MS 300000
#define WATCH_TIMEOUT_MAX_MS 600000
/* How much longer than asked a server may keep a watch. */
#define WATCH_GRACE_MS       5000
#define LIST_TIMEOUT_MS      60000

static void start(struct kube_reflector *reflector, enum kube__pool pool, const struct ps_buf *url,
                  const char *accept, struct http_send *send)
{
    const struct http_header header = {"Accept", accept};

    send->method = "GET";
    send->url = ps_buf_failed(url) ? "" : ps_buf_text(url);
    send->headers = &header;
    send->header_count = 1;
    reflector->exchange = kube__exchange_start(reflector->client, pool, send);
    send->headers = NULL; /* they end here */
}

void kube__send_page(struct kube_reflector *reflector, struct http_send *send)
{
    PS_AUTO_BUF(url, KUBE__URL_MAX);

    ps_buf_str(&url, reflector->url);
    if (reflector->resuming && reflector->continue_token == NULL) {
        kube_query(&url, "resourceVersion", reflector->rv);
    } else if (!reflector->unpaged) {
        kube_query(&url, "limit", PAGE_SIZE);
    }
    if (reflector->continue_token != NULL)
        kube_query(&url, "continue", reflector->continue_token);
    reflector->page_err = (struct ps_err){0};
    send->timeout_ms = LIST_TIMEOUT_MS;
    start(reflector, KUBE__REQUESTS, &url,
          reflector->metadata_only
              ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
              : "application/json",
          send);
}

static int64_t pick_watch_timeout(const struct kube_reflector *reflector)
{
    if (reflector->watch_timeout_ms > 0)
        return reflector->watch_timeout_ms;
    return WATCH_TIMEOUT_MIN_MS + (int64_t)loop_random(WATCH_TIMEOUT_MAX_MS - WATCH_TIMEOUT_MIN_MS);
}

/* Where it begins: at a known version, or with the whole list. */
static void add_start(struct ps_buf *url, const struct kube_reflector *reflector)
{
    if (!reflector->initial) {
        kube_query(url, "resourceVersion", reflector->rv);
        return;
    }
    kube_query(url, "sendInitialEvents", "true");
    kube_query(url, "resourceVersionMatch", "NotOlderThan");
    kube_query(url, "resourceVersion", reflector->resuming ? reflector->rv : "");
}

void kube__send_watch(struct kube_reflector *reflector, struct http_send *send)
{
    const int64_t timeout_ms = pick_watch_timeout(reflector);
    PS_AUTO_BUF(url, KUBE__URL_MAX);
    PS_AUTO_BUF(seconds, 32);

    ps_buf_str(&url, reflector->url);
    ps_buf_printf(&seconds, "%lld", (long long)((timeout_ms + 999) / 1000));
    kube_query(&url, "watch", "1");
    add_start(&url, reflector);
    kube_query(&url, "allowWatchBookmarks", "true");
    kube_query(&url, "timeoutSeconds", ps_buf_text(&seconds));
    send->timeout_ms = timeout_ms + WATCH_GRACE_MS;
    send->idle_timeout_ms = reflector->idle_timeout_ms;
    start(reflector, KUBE__WATCHES, &url,
          reflector->metadata_only ? KUBE__ACCEPT_METADATA : "application/json", send);
}
