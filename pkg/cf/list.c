/* SPDX-License-Identifier: Apache-2.0 */
/* Lists with all their pages. A list that lacks something is worse than none: what is not in it is
 * taken for absent, and made. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define PER_PAGE     "500" /* of 3 KiB each: a fifth of CODEC_JSON_MAX */
#define ATTEMPTS_MAX 3
#define GUID_MAX     ((size_t)512)

struct cf_list {
    struct cf_client *client;
    struct cf_call *call;
    char *path; /* of the first page */
    size_t items_max, pages;
    int attempts;
    struct ps_map guids; /* guid -> the item */
    struct json_t *items;
    int64_t total; /* as the first page says; -1 = it does not */
    cf_list_fn *done;
    void *self;
};

static void forget_items(struct cf_list *list)
{
    ps_map_fini(&list->guids);
    ps_map_init(&list->guids);
    js_unref(list->items);
    list->items = js_array();
    list->pages = 0;
    list->total = -1;
}

static void free_list(struct cf_list *list)
{
    ps_map_fini(&list->guids);
    js_unref(list->items);
    ps_free(list->path);
    ps_free(list);
}

static void finish(struct cf_list *list, struct cf_list_result *result)
{
    result->code = result->err.code;
    list->done(list->self, result);
    free_list(list);
}

/* ---- order ---------------------------------------------------------------------------------- */

static const char *text_of(const struct json_t *item, const char *key)
{
    const char *text = js_str(js_get(item, key));

    return text != NULL ? text : "";
}

static int by_age(const void *a, const void *b)
{
    const struct json_t *one = *(struct json_t *const *)a;
    const struct json_t *other = *(struct json_t *const *)b;
    const int order = strcmp(text_of(one, "created_at"), text_of(other, "created_at"));

    return order != 0 ? order : strcmp(text_of(one, "guid"), text_of(other, "guid"));
}

/* New reference. */
static struct json_t *sorted(const struct json_t *items)
{
    const size_t n = js_len(items);
    PS_AUTO_FREE struct json_t **order = ps_xcalloc(n + 1, sizeof(struct json_t *));
    struct json_t *result = js_array();

    for (size_t i = 0; i < n; i++)
        order[i] = js_at(items, i);
    qsort(order, n, sizeof(struct json_t *), by_age);
    for (size_t i = 0; i < n; i++)
        js_push(result, js_ref(order[i]));
    return result;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static int take_items(struct cf_list *list, const struct json_t *resources, struct ps_err *err)
{
    if (js_type(resources) != JS_ARRAY)
        return ps_fail(err, PS_EPROTO, "the server's answer: expected a list of resources");
    for (size_t i = 0; i < js_len(resources); i++) {
        struct json_t *item = js_at(resources, i);
        const char *guid = text_of(item, "guid");

        if (guid[0] == '\0' || strlen(guid) > GUID_MAX)
            return ps_fail(err, PS_EPROTO, "the server's answer: a resource without a guid");
        if (ps_map_get(&list->guids, guid) != NULL)
            continue; /* moved to a later page while we read */
        (void)ps_map_put(&list->guids, guid, item);
        js_push(list->items, js_ref(item));
    }
    if (js_len(list->items) > list->items_max) {
        return ps_fail(err, PS_ELIMIT, "the list is longer than %zu: nothing is done with a part",
                       list->items_max);
    }
    return 0;
}

/* Have things come or gone between the pages? One may have slipped past us then. */
static bool adds_up(struct cf_list *list, const struct json_t *pagination, bool is_last)
{
    const int64_t total = js_path_int(pagination, "total_results", -1);

    if (list->pages == 1)
        list->total = total;
    if (list->total < 0 || (list->pages == 1 && is_last))
        return true;
    return total == list->total && (!is_last || (int64_t)js_len(list->items) == total);
}

static void ask(struct cf_list *list, const char *path);

static void again(struct cf_list *list)
{
    struct cf_list_result result = {0};

    if (++list->attempts >= ATTEMPTS_MAX) {
        (void)ps_fail(&result.err, PS_ECONFLICT,
                      "the list has changed from page to page, %d times over", ATTEMPTS_MAX);
        finish(list, &result);
        return;
    }
    forget_items(list);
    ask(list, list->path);
}

static void end(struct cf_list *list)
{
    PS_AUTO_JS struct json_t *items = sorted(list->items);
    struct cf_list_result result = {.status = 200, .items = items};

    finish(list, &result);
}

/* The whole URL of the next page; *next NULL: this was the last. */
static int find_next(const struct cf_list *list, const struct json_t *pagination, const char **next,
                     struct ps_err *err)
{
    const struct json_t *link = js_get(pagination, "next");

    *next = js_str(js_get(link, "href"));
    if (js_type(pagination) != JS_OBJECT ||
        (js_type(link) != JS_NULL && js_type(link) != JS_ABSENT && *next == NULL))
        return ps_fail(err, PS_EPROTO, "the server's answer: expected pagination with its next");
    if (*next != NULL && !cf__same_origin(*next, list->client->config.api)) {
        return ps_fail(err, PS_EPROTO,
                       "the server's answer: the next page is not at the API itself");
    }
    if (*next != NULL && list->pages >= CF_LIST_PAGES_MAX)
        return ps_fail(err, PS_ELIMIT, "the list has more than %d pages", CF_LIST_PAGES_MAX);
    return 0;
}

static void on_page(void *self, const struct cf_response *response)
{
    struct cf_list *list = self;
    const struct json_t *pagination = js_get(response->object, "pagination");
    struct cf_list_result result = {
        .err = response->err, .status = response->status, .error_code = response->error_code};
    const char *next = NULL;

    list->call = NULL;
    list->pages++;
    if (response->code != 0 ||
        take_items(list, js_get(response->object, "resources"), &result.err) != 0 ||
        find_next(list, pagination, &next, &result.err) != 0) {
        finish(list, &result);
    } else if (!adds_up(list, pagination, next == NULL)) {
        again(list);
    } else if (next != NULL) {
        ask(list, next);
    } else {
        end(list);
    }
}

static void ask(struct cf_list *list, const char *path)
{
    list->call =
        cf_send(list->client, &(struct cf_request){.method = "GET", .path = path}, on_page, list);
}

struct cf_list *cf_list(struct cf_client *client, const char *path, size_t items_max,
                        cf_list_fn *done, void *self)
{
    struct cf_list *list = ps_xcalloc(1, sizeof(*list));
    PS_AUTO_BUF(first, CF_URL_MAX);

    list->client = client;
    list->items_max = items_max > 0 ? items_max : CF_LIST_ITEMS_MAX;
    list->done = done;
    list->self = self;
    ps_map_init(&list->guids);
    forget_items(list);
    ps_buf_str(&first, path);
    cf_query(&first, "per_page", PER_PAGE);
    /* Cut short it would be another list. */
    list->path = ps_buf_failed(&first) ? ps_xstrdup("") : ps_buf_take(&first);
    ask(list, list->path);
    return list;
}

void cf_list_cancel(struct cf_list *list)
{
    if (list == NULL)
        return;
    cf_cancel(list->call);
    free_list(list);
}
