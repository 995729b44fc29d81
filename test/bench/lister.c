/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare client that reads what the operator reads when it starts: each path to its last page, all
 * paths at once. Nothing is kept and nothing parsed but where the next page is. Prints the seconds
 * from the first request to the last answer, the bytes, and the process's CPU seconds.
 *
 *     lister --server URL --ca FILE --token FILE PATH…
 *
 * "+PATH" asks for the objects' metadata alone.
 */
#include "support/cpu.h"
#include "support/server.h"

#include <stdio.h>
#include <string.h>

#define HEAD_MAX ((size_t)4096) /* the list's own metadata come before its items */
#define ACCEPT_METADATA                                                                            \
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

struct lister {
    struct server server;
    size_t open, bytes;
    bool failed;
};

struct list {
    struct lister *lister;
    const char *path;
    bool metadata_only;
};

static void next_page(struct list *list, struct ps_str from);

/* The value of "continue", if any; it has no escapes: base64. */
static struct ps_str continuation(struct ps_str page)
{
    static const char name[] = "\"continue\":\"";
    const struct ps_str head = ps_str_head(page, page.n < HEAD_MAX ? page.n : HEAD_MAX);
    const ptrdiff_t at = ps_str_find(head, name);

    if (at < 0)
        return PS_STR("");
    const struct ps_str value = ps_str_skip(page, (size_t)at + strlen(name));
    const ptrdiff_t end = ps_str_index(value, '"');

    return ps_str_head(value, end < 0 ? 0 : (size_t)end);
}

static void on_done(void *self, const struct http_response *response)
{
    struct list *list = self;
    struct lister *lister = list->lister;

    lister->bytes += response->body.n;
    if (response->status != 200) {
        (void)fprintf(stderr, "lister: %s: status %d %s\n", list->path, response->status,
                      response->err.message);
        lister->failed = true;
    } else if (continuation(response->body).n > 0) {
        next_page(list, continuation(response->body));
        return;
    }
    if (--lister->open == 0)
        loop_stop(lister->server.loop);
}

static void next_page(struct list *list, struct ps_str from)
{
    const struct server *server = &list->lister->server;
    const struct http_header accept = {"Accept",
                                       list->metadata_only ? ACCEPT_METADATA : "application/json"};
    PS_AUTO_BUF(url, HTTP_URL_MAX);
    PS_AUTO_FREE char *token = ps_xstrndup(from.p, from.n);

    (void)server_url(server, &url, list->path);
    if (from.n > 0)
        kube_query(&url, "continue", token);
    const struct http_send send = {
        .method = "GET",
        .url = ps_buf_text(&url),
        .headers = &accept,
        .header_count = 1,
        .bearer = server->bearer,
        .on_done = on_done,
        .self = list,
    };

    (void)http_send(server->as_token, &send);
}

static void run(struct lister *lister, struct list *lists)
{
    const int64_t start = loop_now_ns();
    const size_t count = lister->open;

    for (size_t i = 0; i < count; i++)
        next_page(&lists[i], PS_STR(""));
    loop_run(lister->server.loop);
    printf("%.4f %zu %.4f\n", (double)(loop_now_ns() - start) / 1e9, lister->bytes,
           (double)cpu_ns() / 1e9);
}

int main(int argc, char **argv)
{
    struct lister lister = {0};
    int at = 1;

    while (at + 1 < argc && server_take(&lister.server, argv[at], argv[at + 1]))
        at += 2;
    if (at >= argc || lister.server.token == NULL) {
        (void)fprintf(stderr, "usage: %s --server URL --ca FILE --token FILE PATH…\n", argv[0]);
        return 2;
    }
    server_open(&lister.server);
    struct list *lists = ps_xcalloc((size_t)(argc - at), sizeof(*lists));

    for (; at < argc; at++) {
        const bool metadata_only = argv[at][0] == '+';

        lists[lister.open++] = (struct list){&lister, argv[at] + metadata_only, metadata_only};
    }
    run(&lister, lists);
    ps_free(lists);
    server_close(&lister.server);
    return lister.failed ? 1 : 0;
}
