/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream of three apps costs an operator in its stores, without a server: the pass that
 * deploys it, the passes behind it, one with nothing to do, and the memory that it takes at rest.
 * Plans are carried out by putting their objects into the stores, as answers of a server would be.
 *
 *     pass [streams]
 */
#include "operator/internal.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS      7
#define PASSES_MAX  8 /* until a stream is at rest */
#define NAMESPACE   "bench"
#define KIB         1024.0
#define MICROSECOND 1000.0

static const char account_text[] =
    "{'metadata': {'name': 'bench', 'uid': 'a', 'resourceVersion': '1'}, 'spec': {'type': "
    "'Kubernetes', 'kubernetes': {'namespace': 'bench'}, 'properties': {'limits': {'memory': "
    "'2048Mi', 'cpu': '500m'}, 'readinessProbeDelay': 180, 'livenessProbeDelay': 120, "
    "'environmentVariables': 'SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS=kafka:9092'}}}";
static const char registry_text[] =
    "{'metadata': {'name': 'apps', 'namespace': 'bench', 'uid': 'r', 'resourceVersion': '1'}, "
    "'data': {'apps': 'source.cardata=docker:r.example/cardata:1\\n"
    "processor.predict=docker:r.example/predict:1\\nsink.cassandra=docker:r.example/cassandra:1'}}";
static const char namespace_text[] =
    "{'metadata': {'name': 'bench', 'uid': 'n', 'resourceVersion': '1'}, 'status': {'phase': "
    "'Active'}}";
static const char stream_text[] =
    "{'apiVersion': 'penstock.dev/v1alpha1', 'kind': 'StreamDeployment', 'metadata': {'namespace': "
    "'bench', 'generation': 1, 'creationTimestamp': '2026-11-22T01:02:03Z'}, 'spec': "
    "{'definition': 'cardata | predict | cassandra', 'platform': 'bench', 'suspend': true, "
    "'properties': {'app.cardata.rate': '5', 'deployer.*.memory': '1Gi'}}}";

struct costs {
    int64_t ns[PASSES_MAX];
    size_t passes, streams;
};

static int versions;

static int64_t now_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static struct json_t *json(const char *text) /* ' for " */
{
    PS_AUTO_FREE char *copy = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    ps_assert(object != NULL);
    return object;
}

static void put(struct controller *op, enum model_kind kind, const struct json_t *object,
                enum operator__origin origin)
{
    PS_AUTO_FREE char *text = js_text(object);

    ps_assert(operator__store_put(&op->stores[kind], ps_str(text), origin, NULL) == 0);
}

/* What a server adds: it has to be new each time. */
static void stamp(struct json_t *object)
{
    struct json_t *metadata = js_child(object, "metadata");
    PS_AUTO_BUF(text, 64);

    ps_buf_printf(&text, "%d", 100000 + ++versions);
    js_set_str(metadata, "resourceVersion", ps_buf_text(&text));
    ps_buf_str(&text, "00-7b0f-4000-8000-0000000000f0");
    if (js_get(metadata, "uid") == NULL) {
        js_set_str(metadata, "uid", ps_buf_text(&text));
        js_set_str(metadata, "creationTimestamp", "2026-11-22T01:02:03Z");
    }
    js_set_int(metadata, "generation", 1);
    if (js_path(object, "spec.template") != NULL)
        js_set_int(js_child(object, "status"), "observedGeneration", 1);
}

static struct json_t *new_stream(const char *name)
{
    struct json_t *stream = json(stream_text);

    js_set_str(js_get(stream, "metadata"), "name", name);
    stamp(stream);
    return stream;
}

/* Carries out what was planned; false when it was nothing. */
static bool perform(struct controller *op, const struct plan *plan, struct json_t *stream)
{
    ps_assert(plan->need_count == 0);
    for (size_t i = 0; i < plan->op_count; i++) {
        ps_assert(plan->ops[i].verb == PLAN_CREATE);
        stamp(plan->ops[i].body);
        put(op, plan->ops[i].kind, plan->ops[i].body, OPERATOR__WRITTEN);
    }
    if (plan->op_count == 0 && plan->status != NULL) {
        js_set(stream, "status", js_copy(js_get(plan->status, "status")));
        stamp(stream);
        put(op, MODEL_STREAM, stream, OPERATOR__WRITTEN);
    }
    return plan->op_count > 0 || plan->status != NULL;
}

static struct plan *plan_it(struct controller *op, const char *name, int64_t *ns)
{
    const struct operator__evidence none = {0};
    const int64_t start = now_ns();
    struct plan *plan = operator__plan_stream(op, NAMESPACE, name, &none);

    *ns += now_ns() - start;
    return plan;
}

static void deploy(struct controller *op, size_t number, struct costs *costs)
{
    PS_AUTO_BUF(name, 64);
    bool busy = true;

    ps_buf_printf(&name, "s%05zu", number);
    struct json_t *stream PS_AUTO_JS = new_stream(ps_buf_text(&name));

    put(op, MODEL_STREAM, stream, OPERATOR__WATCH);
    for (size_t i = 0; busy; i++) {
        ps_assert(i < PASSES_MAX);
        struct plan *plan = plan_it(op, ps_buf_text(&name), &costs->ns[i]);

        busy = perform(op, plan, stream);
        plan_free(plan);
        costs->passes = i + 1;
    }
}

/* One that finds everything as it shall be; the best of several rounds, in nanoseconds. */
static int64_t idle_pass(struct controller *op, size_t streams)
{
    int64_t best = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t ns = 0;

        for (size_t i = 0; i < streams; i++) {
            PS_AUTO_BUF(name, 64);

            ps_buf_printf(&name, "s%05zu", i);
            struct plan *plan = plan_it(op, ps_buf_text(&name), &ns);

            ps_assert(plan->op_count == 0 && plan->status == NULL);
            plan_free(plan);
        }
        best = ns < best ? ns : best;
    }
    return best / (int64_t)streams;
}

static void put_text(struct controller *op, enum model_kind kind, const char *text)
{
    struct json_t *object PS_AUTO_JS = json(text);

    put(op, kind, object, OPERATOR__WATCH);
}

/* Of the projections and kept texts alone, and of how many objects. */
static size_t heap_of(const struct operator__store *store, size_t *objects)
{
    size_t at = 0, bytes = 0;
    const char *key;
    void *value;

    for (*objects = 0; ps_map_next(&store->entries, &at, &key, &value); ++*objects) {
        const struct operator__entry *entry = value;

        bytes += malloc_usable_size(entry->object);
        bytes += entry->packed != NULL ? malloc_usable_size(entry->packed) : 0;
    }
    return bytes;
}

static void report(struct controller *op, const struct costs *costs, size_t heap)
{
    static const enum model_kind kinds[] = {MODEL_STREAM, MODEL_DEPLOYMENT, MODEL_SERVICE,
                                            MODEL_REVISION};

    const double n = (double)costs->streams;

    for (size_t i = 0; i < costs->passes; i++)
        printf("pass %zu of a deployment      %9.1f us\n", i + 1,
               (double)costs->ns[i] / n / MICROSECOND);
    printf("a pass with nothing to do   %9.1f us   (aim: 50)\n",
           (double)idle_pass(op, costs->streams) / MICROSECOND);
    printf("heap of a stream            %9.2f KiB\n", (double)heap / n / KIB);
    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++) {
        size_t objects;
        const size_t bytes = heap_of(&op->stores[kinds[i]], &objects);

        printf("  %-24s  %9.0f bytes x %.0f\n", model_kind_name(kinds[i]),
               (double)bytes / (double)objects, (double)objects / n);
    }
}

int main(int argc, char **argv)
{
    struct costs costs = {.streams = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000};
    struct controller *op = ps_xcalloc(1, sizeof(*op));

    if (argc > 2 || costs.streams == 0) {
        (void)fprintf(stderr, "usage: %s [streams]\n", argv[0]);
        return 2;
    }
    codec_init();
    op->namespace = ps_xstrdup("penstock-system");
    op->installation = ps_xstrdup("8b0f1c1e-0000-4000-8000-0000000000f0");
    operator__sources_init(op);
    put_text(op, MODEL_ACCOUNT, account_text);
    put_text(op, MODEL_CONFIG_MAP, registry_text);
    put_text(op, MODEL_NAMESPACE, namespace_text);
    const size_t before = mallinfo2().uordblks;

    for (size_t i = 0; i < costs.streams; i++)
        deploy(op, i, &costs);
    report(op, &costs, mallinfo2().uordblks - before);
    return 0; /* what is left is the system's */
}
