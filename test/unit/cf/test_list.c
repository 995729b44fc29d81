/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: all pages, each thing once, and none at all rather than half of one. */
#include "foundation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define PAGES_MAX 8

struct listing {
    struct foundation f;
    /* What page n (from 1) has: resources, total_results; a page without resources ends it. */
    const char *resources[PAGES_MAX];
    int totals[PAGES_MAX];
    const char *next; /* instead of the right one */
    int stop_at;      /* this request is refused with a 500; 0 = none */
    int done;
    struct cf_list_result last; /* its items only for whether there are any */
    size_t count;
    char guids[256];
};

static int page_of(const char *target)
{
    const char *at = strstr(target, "page=");

    while (at != NULL && at[-1] == '_')
        at = strstr(at + 1, "page=");
    return at != NULL ? at[5] - '0' : 1;
}

static void on_api(struct foundation *f, struct script_peer *peer,
                   const struct script_request *request)
{
    struct listing *listing = PS_CONTAINER_OF(f, struct listing, f);
    const int page = page_of(request->target);
    PS_AUTO_BUF(body, 65536);

    if (f->asked == listing->stop_at) {
        script_reply(peer, 500, "", "");
        return;
    }
    ps_buf_str(&body, "{\"pagination\":{");
    if (listing->totals[page - 1] >= 0)
        ps_buf_printf(&body, "\"total_results\":%d,", listing->totals[page - 1]);
    if (listing->next != NULL) {
        ps_buf_printf(&body, "\"next\":%s", listing->next);
    } else if (listing->resources[page] != NULL) {
        ps_buf_printf(&body, "\"next\":{\"href\":\"%s/v3/apps?page=%d&per_page=500\"}",
                      script_url(f->script), page + 1);
    } else {
        ps_buf_str(&body, "\"next\":null");
    }
    ps_buf_printf(&body, "},\"resources\":%s}", listing->resources[page - 1]);
    script_reply(peer, 200, "", ps_buf_text(&body));
}

static void on_list(void *self, const struct cf_list_result *result)
{
    struct listing *listing = self;
    PS_AUTO_BUF(guids, sizeof(listing->guids) - 1);

    listing->done++;
    listing->last = *result;
    listing->count = js_len(result->items);
    for (size_t i = 0; i < js_len(result->items); i++)
        ps_buf_printf(&guids, "%s ", js_path_str(js_at(result->items, i), "guid"));
    memcpy(listing->guids, ps_buf_text(&guids), guids.n + 1);
    loop_stop(listing->f.loop);
}

static void open_listing(struct listing *listing)
{
    foundation_open(&listing->f);
    listing->f.api = on_api;
}

static void run(struct listing *listing, size_t items_max)
{
    const int before = listing->done;

    (void)cf_list(listing->f.client, "/v3/apps?label_selector=a", items_max, on_list, listing);
    assert_int_equal(listing->done, before);
    assert_true(script_run(listing->f.loop, ENOUGH_MS));
    assert_int_equal(listing->done, before + 1);
}

#define APP(guid, at) "{\"guid\":\"" guid "\",\"created_at\":\"2026-11-22T00:00:0" at "Z\"}"

static void all_pages_come_by_age_and_each_app_once(void **state)
{
    (void)state;
    struct listing listing = {
        .resources = {"[" APP("c", "3") "," APP("a", "1") "]",
                      "[" APP("c", "3") "," APP("b", "2") "]", "[" APP("aa", "1") "]"},
        .totals = {4, 4, 4},
    };

    open_listing(&listing);
    run(&listing, 0);
    assert_int_equal(listing.last.code, 0);
    assert_string_equal(listing.guids, "a aa b c ");
    assert_string_equal(script_line(listing.f.script, 2),
                        "GET /v3/apps?label_selector=a&per_page=500");
    assert_int_equal(listing.f.asked, 3);
    foundation_close(&listing.f);
}

static void an_empty_list_is_a_list(void **state)
{
    (void)state;
    struct listing listing = {.resources = {"[]"}};

    open_listing(&listing);
    run(&listing, 0);
    assert_int_equal(listing.last.code, 0);
    assert_non_null(listing.last.items);
    assert_int_equal(listing.count, 0);
    assert_string_equal(listing.guids, "");
    foundation_close(&listing.f);
}

/* One that slipped from page to page would be taken for absent, and made again. */
static void a_list_that_does_not_add_up_is_read_again(void **state)
{
    (void)state;

    static const struct listing rows[] = {
        {.resources = {"[" APP("a", "1") "]", "[" APP("b", "1") "]"}, .totals = {3, 2}},
        {.resources = {"[" APP("a", "1") "]", "[" APP("b", "1") "]"}, .totals = {3, 3}},
        {.resources = {"[" APP("a", "1") "]", "[" APP("a", "1") "]"}, .totals = {2, 2}},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct listing listing = rows[i];

        open_listing(&listing);
        run(&listing, 0);
        assert_int_equal(listing.last.code, PS_ECONFLICT);
        assert_null(listing.last.items);
        assert_int_equal(listing.f.asked, 6);
        foundation_close(&listing.f);
    }
}

static void half_a_list_is_none(void **state)
{
    (void)state;

    static const struct {
        struct listing listing;
        int code, asked;
    } rows[] = {
        {{.resources = {"[" APP("a", "1") "]", "[]"}, .totals = {1, 1}, .stop_at = 2},
         PS_ESERVER,
         2},
        {{.resources = {"{}"}}, PS_EPROTO, 1},
        {{.resources = {"[{\"name\":\"x\"}]"}, .totals = {1}}, PS_EPROTO, 1},
        {{.resources = {"[]"}, .next = "{\"href\":\"https://evil.example/v3/apps?page=2\"}"},
         PS_EPROTO,
         1},
        {{.resources = {"[]"}, .next = "{\"href\":7}"}, PS_EPROTO, 1},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct listing listing = rows[i].listing;

        open_listing(&listing);
        run(&listing, 0);
        if (listing.last.code != rows[i].code)
            fail_msg("row %zu: %s", i, listing.last.err.message);
        assert_null(listing.last.items);
        assert_int_equal(listing.f.asked, rows[i].asked);
        foundation_close(&listing.f);
    }
}

static void lists_have_an_end(void **state)
{
    (void)state;
    struct listing listing = {.resources = {"[" APP("a", "1") "," APP("b", "1") "]"},
                              .totals = {2}};
    PS_AUTO_BUF(same, 256);

    open_listing(&listing);
    run(&listing, 2);
    assert_int_equal(listing.last.code, 0);
    run(&listing, 1);
    assert_int_equal(listing.last.code, PS_ELIMIT);
    /* A server whose next page is always the same. */
    ps_buf_printf(&same, "{\"href\":\"%s/v3/apps?page=1\"}", script_url(listing.f.script));
    listing.next = ps_buf_text(&same);
    run(&listing, 0);
    assert_int_equal(listing.last.code, PS_ELIMIT);
    assert_int_equal(listing.f.asked, 2 + CF_LIST_PAGES_MAX);
    foundation_close(&listing.f);
}

static void a_cancelled_list_is_silent(void **state)
{
    (void)state;
    struct listing listing = {.resources = {"[]"}};

    open_listing(&listing);
    cf_list_cancel(cf_list(listing.f.client, "/v3/apps", 0, on_list, &listing));
    script_wait(listing.f.loop, 100);
    assert_int_equal(listing.done, 0);
    foundation_close(&listing.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pages_come_by_age_and_each_app_once),
        cmocka_unit_test(an_empty_list_is_a_list),
        cmocka_unit_test(a_list_that_does_not_add_up_is_read_again),
        cmocka_unit_test(half_a_list_is_none),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(a_cancelled_list_is_silent),
    };

    codec_init();
    ps_log_set_level(PS_LOG_ERROR);
    return cmocka_run_group_tests_name("cf/list", tests, NULL, NULL);
}
