/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pure parts cost: a pass that deploys a stream of three apps, a pass with nothing to do,
 * and reading a definition. Prints, a line each: name, median, least and most nanoseconds of the
 * rounds.
 *
 *     planner test/bench/objects/snapshot.json [render | idle | definition]
 *
 * One alone is for a profiler.
 */
#include "dsl/dsl.h"
#include "support/cpu.h"
#include "support/streams.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS      9
#define PASSES      500 /* of one round */
#define DEFINITIONS 20000

typedef void work_fn(const void *what);

static const char *only; /* NULL: all */

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, work_fn *work, const void *what, int times)
{
    int64_t rounds[ROUNDS];

    if (only != NULL && !ps_streq(name, only))
        return;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t start = cpu_ns();

        for (int j = 0; j < times; j++)
            work(what);
        rounds[i] = (cpu_ns() - start) / times;
    }
    qsort(rounds, ROUNDS, sizeof(*rounds), by_size);
    printf("%s %lld %lld %lld\n", name, (long long)rounds[ROUNDS / 2], (long long)rounds[0],
           (long long)rounds[ROUNDS - 1]);
}

static void pass(const void *snapshot)
{
    plan_free(plan_stream(snapshot));
}

static void definition(const void *text)
{
    struct ps_arena arena;
    struct dsl_error bad;

    ps_arena_init(&arena);
    ps_assert(dsl_stream_parse(&arena, PS_STR("foo"), ps_str(text), &bad) != NULL);
    ps_arena_fini(&arena);
}

static void measure_pass(const char *name, const struct json_t *in)
{
    struct snapshot *snapshot = snapshot_new(in);

    measure(name, pass, &snapshot->s, PASSES);
    snapshot_free(snapshot);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        (void)fprintf(stderr, "usage: %s snapshot.json [render | idle | definition]\n", argv[0]);
        return 2;
    }
    only = argv[2];
    codec_init();
    PS_AUTO_JS struct json_t *in = streams_load(argv[1]);

    measure_pass("render", in);
    streams_settle(in);
    measure_pass("idle", in);
    measure("definition", definition, js_path_str(in, "cr.spec.definition"), DEFINITIONS);
    return 0;
}
