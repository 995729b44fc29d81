/* SPDX-License-Identifier: Apache-2.0 */
/* Who is served first, and that nobody waits for what hangs. */
#include "api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define FIRST 16 /* lines: what the first three keys write, and not much more */

static struct json_t *json(const char *text) /* ' for " */
{
    char *copy PS_AUTO_FREE = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    assert_non_null(object);
    return object;
}

static void put_account(struct api *api, const char *name)
{
    api_put(api, "platformaccounts", "", name,
            json("{'metadata': {'generation': 1}, 'spec': {'type': 'Kubernetes'}}"));
}

static void put_stream(struct api *api, const char *namespace, const char *name,
                       const char *platform, int64_t observed)
{
    struct json_t *stream =
        json("{'metadata': {'generation': 2}, 'spec': {'definition': 'time | log', "
             "'apps': [{'name': 'time', 'image': 'r.example/time:1'}, "
             "{'name': 'log', 'image': 'r.example/log:1'}]}}");

    js_set_str(js_get(stream, "spec"), "platform", platform);
    if (observed > 0)
        js_set_int(js_child(stream, "status"), "observedGeneration", observed);
    api_put(api, "streamdeployments", namespace, name, stream);
}

static void put_many(struct api *api, const char *namespace, const char *platform, int count)
{
    for (int i = 0; i < count; i++) {
        PS_AUTO_BUF(name, 32);

        ps_buf_printf(&name, "s%d", i);
        put_stream(api, namespace, ps_buf_text(&name), platform, 2);
    }
}

static void setup(struct api *api)
{
    ps_log_set_level(PS_LOG_ERROR);
    api_init(api);
    put_account(api, "default");
    api_put(api, "namespaces", "", "n", json("{'status': {'phase': 'Active'}}"));
    api_put(api, "namespaces", "", "dead", json("{'status': {'phase': 'Active'}}"));
}

static void teardown(struct api *api)
{
    api_stop(api);
    api_fini(api);
}

/* How many lines stand before the first one that begins like that; all when there is none. */
static size_t lines_before(const struct api *api, const char *start)
{
    struct ps_str rest = ps_buf_get(&api->journal), line;
    size_t count = 0;

    while (ps_str_split(&rest, '\n', &line) && !ps_str_starts(line, start))
        count++;
    return count;
}

static void after_a_start_what_has_changed_comes_first(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    put_many(&api, "n", "default", 60);
    put_stream(&api, "n", "edited", "default", 1);
    put_stream(&api, "n", "new", "default", 0);
    api_start(&api);
    api_until(&api, "create deployments n/edited-", 2);
    api_until(&api, "create deployments n/new-", 2);
    assert_true(lines_before(&api, "create deployments n/edited-") < FIRST);
    assert_true(lines_before(&api, "create deployments n/new-") < FIRST);
    teardown(&api);
}

static void an_account_that_hangs_delays_no_other(void **state)
{
    (void)state;
    struct api api;

    setup(&api);
    put_account(&api, "dead");
    put_many(&api, "dead", "dead", 100);
    api.faults[0] = (struct api_fault){.line = "create deployments dead/", API_HANG, 0, -1};
    api.faults[1] = (struct api_fault){.line = "create services dead/", API_HANG, 0, -1};
    api.faults[2] = (struct api_fault){.line = "create controllerrevisions dead/", API_HANG, 0, -1};
    api_start(&api);
    api_until(&api, "create deployments dead/", 2);
    api_wait(&api, 50);
    put_stream(&api, "n", "live", "default", 0);
    const int64_t start = loop_now_ms();

    api_until(&api, "create deployments n/live-", 2);
    api_until(&api, "patch streamdeployments/status n/live", 1);
    assert_in_range(loop_now_ms() - start, 0, 2000);
    teardown(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_start_what_has_changed_comes_first),
        cmocka_unit_test(an_account_that_hangs_delays_no_other),
    };

    codec_init();
    return cmocka_run_group_tests_name("operator/fairness", tests, NULL, NULL);
}
