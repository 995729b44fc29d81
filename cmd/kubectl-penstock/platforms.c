/* SPDX-License-Identifier: Apache-2.0 */
/* stream platform-list and task platform-list: the accounts, as Data Flow's shell lists them. */
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_TEXT_MAX ((size_t)64 * 1024 * 1024)

static const struct kube_kind accounts = {"penstock.dev", "v1alpha1", "platformaccounts",
                                          "PlatformAccount", false};

/* Streams and tasks have lists of their own in Data Flow, which write the types differently. */
struct flavour {
    const char *usage; /* of the account's spec.usage */
    const char *heads[TABLE_COLUMNS];
    const char *kubernetes, *cloud_foundry;
};

static bool is_used_for(const struct json_t *account, const char *usage)
{
    const struct json_t *list = js_path(account, "spec.usage");

    if (js_type(list) != JS_ARRAY)
        return true;
    for (size_t i = 0; i < js_len(list); i++) {
        if (ps_streq(js_str(js_at(list, i)), usage))
            return true;
    }
    return false;
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static const char *type_of(const struct flavour *flavour, const struct json_t *account)
{
    const char *type = js_path_str(account, "spec.type");

    if (ps_streq(type, "Kubernetes"))
        return flavour->kubernetes;
    return ps_streq(type, "CloudFoundry") ? flavour->cloud_foundry : text_or(type, "");
}

/* The operator's words; before it has written them the same ones, of the server that we ask. */
static const char *description_of(struct ps_arena *arena, const struct json_t *account,
                                  const char *server)
{
    const char *description = js_path_str(account, "status.description");

    if (description != NULL)
        return description;
    if (!ps_streq(js_path_str(account, "spec.type"), "Kubernetes"))
        return "";
    return ps_arena_printf(
        arena, "master url = [%s/], namespace = [%s], api version = [v1]", server,
        text_or(js_path_str(account, "spec.kubernetes.namespace"), "(of the stream)"));
}

static int compare_rows(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(left[0], right[0]);
}

static void draw(const struct flavour *flavour, const struct json_t *items, const char *server)
{
    struct ps_arena arena;
    PS_AUTO_BUF(out, TABLE_TEXT_MAX);
    size_t rows = 0;

    ps_arena_init(&arena);
    const char **cells = ps_arena_array(&arena, js_len(items) * TABLE_COLUMNS, sizeof(*cells));

    for (size_t i = 0; i < js_len(items); i++) {
        const struct json_t *account = js_at(items, i);

        if (!is_used_for(account, flavour->usage))
            continue;
        const char **row = cells + rows++ * TABLE_COLUMNS;

        row[0] = text_or(js_path_str(account, "metadata.name"), "");
        row[1] = type_of(flavour, account);
        row[2] = description_of(&arena, account, server);
    }
    qsort(cells, rows, TABLE_COLUMNS * sizeof(*cells), compare_rows);
    table_draw(&out, flavour->heads, cells, rows);
    (void)fwrite(ps_buf_text(&out), 1, out.n, stdout);
    ps_arena_fini(&arena);
}

static int list_platforms(const struct plugin_options *options, const struct flavour *flavour)
{
    struct cluster cluster;
    struct ps_err err = {0};
    PS_AUTO_JS struct json_t *items = NULL;
    const int rc = cluster_open(&cluster, options);

    if (rc != 0)
        return rc;
    const int code = cluster_list(&cluster, &accounts, NULL, NULL, &items, &err);

    if (code == 0)
        draw(flavour, items, cluster.config.server);
    cluster_close(&cluster);
    return code == 0 ? 0 : plugin_fail("PlatformAccounts", &err);
}

int plugin_stream_platforms(const struct plugin_options *options)
{
    static const struct flavour flavour = {
        "Stream", {"Name", "Type", "Description"}, "kubernetes", "cloudfoundry"};

    return list_platforms(options, &flavour);
}

int plugin_task_platforms(const struct plugin_options *options)
{
    static const struct flavour flavour = {
        "Task", {"Platform Name", "Platform Type", "Description"}, "Kubernetes", "Cloud Foundry"};

    return list_platforms(options, &flavour);
}
