/* SPDX-License-Identifier: Apache-2.0 */
/* The API server, one request at a time: a plugin has nothing else to do meanwhile. */
#include "plugin.h"

#include "http/http.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define PATH_TEXT_MAX ((size_t)4096)
#define PAGE_SIZE     "500"
/* Pages of one list: a million objects, and an end for a server that says "continue" for ever. */
#define PAGES_MAX     2000

static int load_config(struct cluster *cluster, const struct plugin_options *options,
                       struct ps_err *err)
{
    const char *context = options->values[PLUGIN_CONTEXT];
    const char *home = plugin_environment(options, "HOME");
    const char *paths = plugin_environment(options, "KUBECONFIG");
    PS_AUTO_BUF(path, PATH_TEXT_MAX);

    if (options->values[PLUGIN_KUBECONFIG] != NULL) {
        return kube_config_load(&cluster->config, options->values[PLUGIN_KUBECONFIG], context, err);
    }
    if (paths != NULL)
        return kube_config_load_list(&cluster->config, paths, context, err);
    if (home == NULL)
        return ps_fail(err, PS_ENOENT, "not found: no --kubeconfig, no $KUBECONFIG and no $HOME");
    ps_buf_printf(&path, "%s/.kube/config", home);
    return kube_config_load(&cluster->config, ps_buf_text(&path), context, err);
}

int cluster_open(struct cluster *cluster, const struct plugin_options *options)
{
    struct ps_err err = {0};

    *cluster = (struct cluster){0};
    if (load_config(cluster, options, &err) != 0) {
        (void)fprintf(stderr, "kubectl penstock: kubeconfig %s\n", err.message);
        return PLUGIN_CONFIG;
    }
    cluster->config.environment = options->environment;
    http_global_init();
    cluster->loop = loop_new();
    cluster->client = kube_client_new(cluster->loop, &cluster->config,
                                      "kubectl-penstock/" PENSTOCK_VERSION " (linux)");
    return 0;
}

void cluster_close(struct cluster *cluster)
{
    kube_client_free(cluster->client);
    loop_free(cluster->loop);
    kube_config_fini(&cluster->config);
    http_global_fini();
}

struct waiting {
    struct loop *loop;
    struct json_t *answer;
    struct ps_err *err;
    int code;
};

static void on_answer(void *self, const struct kube_response *response)
{
    struct waiting *waiting = self;

    waiting->code = response->code;
    if (response->code == 0) {
        waiting->answer = js_ref(response->object);
    } else {
        *waiting->err = response->err;
    }
    loop_stop(waiting->loop);
}

int cluster_ask(struct cluster *cluster, const struct kube_request *request, struct json_t **answer,
                struct ps_err *err)
{
    struct waiting waiting = {.loop = cluster->loop, .err = err};

    (void)kube_send(cluster->client, request, on_answer, &waiting);
    loop_run(cluster->loop);
    *answer = waiting.answer;
    return waiting.code;
}

static int ask_page(struct cluster *cluster, const char *path, struct json_t *items,
                    struct ps_buf *more, struct ps_err *err)
{
    const struct kube_request request = {.verb = KUBE_GET, .raw = true, .raw_path = path};
    PS_AUTO_JS struct json_t *page = NULL;
    const int code = cluster_ask(cluster, &request, &page, err);

    if (code != 0)
        return code;
    const struct json_t *list = js_get(page, "items");
    const char *token = js_path_str(page, "metadata.continue");

    if (js_type(list) != JS_ARRAY) {
        return ps_fail(err, PS_EPROTO, "the server's answer: items: expected a list, found %s",
                       js_type_name(list));
    }
    for (size_t i = 0; i < js_len(list); i++)
        js_push(items, js_ref(js_at(list, i)));
    ps_buf_clear(more);
    ps_buf_str(more, token ? token : "");
    return 0;
}

int cluster_list(struct cluster *cluster, const struct kube_kind *kind, const char *namespace,
                 const char *label_selector, struct json_t **items, struct ps_err *err)
{
    PS_AUTO_BUF(path, PATH_TEXT_MAX);
    PS_AUTO_BUF(more, PATH_TEXT_MAX);
    PS_AUTO_JS struct json_t *list = js_array();

    for (int page = 0; page < PAGES_MAX; page++) {
        ps_buf_clear(&path);
        int code = kube_path(&path, kind, namespace, NULL, NULL, err);

        kube_query(&path, "limit", PAGE_SIZE);
        if (label_selector != NULL)
            kube_query(&path, "labelSelector", label_selector);
        if (more.n > 0)
            kube_query(&path, "continue", ps_buf_text(&more));
        if (code == 0 && (ps_buf_failed(&path) || ps_buf_failed(&more)))
            code = ps_fail(err, PS_ELIMIT, "path of a list: longer than %zu bytes", path.max);
        if (code == 0)
            code = ask_page(cluster, ps_buf_text(&path), list, &more, err);
        if (code != 0)
            return code;
        if (more.n == 0) {
            *items = js_ref(list);
            return 0;
        }
    }
    return ps_fail(err, PS_ELIMIT, "a list of more than %d pages", PAGES_MAX);
}
