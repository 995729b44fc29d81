/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX   ((size_t)4 * 1024 * 1024)
#define ROUNDS_MAX 8 /* a plan that has something to do after that many never rests */

struct json_t *streams_load(const char *path)
{
    PS_AUTO_BUF(text, FILE_MAX);
    struct ps_err err = {0};
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        ps_buf_add(&text, piece, n);
    (void)fclose(file);
    struct json_t *json = js_parse(ps_buf_get(&text), &err);

    if (json == NULL) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        exit(1);
    }
    return json;
}

struct json_t *streams_named(const struct json_t *base, size_t number)
{
    struct json_t *in = js_copy(base);
    PS_AUTO_BUF(name, 32);

    ps_buf_printf(&name, "s%05zu", number);
    js_set_str(in, "name", ps_buf_text(&name));
    js_set_str(js_child(js_child(in, "cr"), "metadata"), "name", ps_buf_text(&name));
    return in;
}

struct json_t *streams_plan(const struct json_t *in)
{
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

static void roll_out(struct json_t *object)
{
    static const char *const counts[] = {"replicas", "readyReplicas", "updatedReplicas",
                                         "availableReplicas"};
    struct json_t *status = js_child(object, "status");

    js_set_int(status, "observedGeneration", 1);
    for (size_t i = 0; i < PS_ARRAY_LEN(counts); i++)
        js_set_int(status, counts[i], js_path_int(object, "spec.replicas", 1));
}

static void create(struct json_t *in, const struct json_t *op)
{
    struct json_t *child = js_object(), *object = js_copy(js_get(op, "body"));
    struct json_t *metadata = js_child(object, "metadata"), *children = js_get(in, "children");
    const char *kind = js_path_str(op, "kind");
    PS_AUTO_BUF(uid, 512);

    if (children == NULL) {
        children = js_array();
        js_set(in, "children", children);
    }
    ps_buf_printf(&uid, "uid-%s", js_path_str(op, "name"));
    js_set_str(metadata, "uid", ps_buf_text(&uid));
    js_set_str(metadata, "resourceVersion", "100");
    js_set_int(metadata, "generation", 1);
    if (model_is_workload(snapshot_kind(kind)))
        roll_out(object);
    js_set_str(child, "kind", kind);
    js_set(child, "object", object);
    js_push(children, child);
}

static void patch_cr(struct json_t *in, const struct json_t *patch)
{
    struct json_t *merged = snapshot_merge(js_get(in, "cr"), patch);

    js_set(in, "cr", merged);
}

void streams_advance(struct json_t *in, const struct json_t *plan)
{
    const struct json_t *ops = js_get(plan, "ops"), *status = js_get(plan, "status");

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (ps_streq(js_path_str(op, "verb"), "create"))
            create(in, op);
        else
            patch_cr(in, js_get(op, "body"));
    }
    if (js_len(ops) == 0 && status != NULL)
        patch_cr(in, status);
}

void streams_settle(struct json_t *in)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        PS_AUTO_JS struct json_t *plan = streams_plan(in);

        if (js_len(js_get(plan, "ops")) == 0 && js_type(js_get(plan, "status")) != JS_OBJECT)
            return;
        streams_advance(in, plan);
    }
    ps_unreachable();
}
