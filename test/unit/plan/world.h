/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small API server in memory, with one StreamDeployment cars/foo, and an executor that carries
 * plans out on it. It checks what every operation must be: proven, ours, and never a second object
 * of a name. The account WORLD_REMOTE leads to another cluster, which may be out of sight.
 */
#ifndef PS_TEST_WORLD_H
#define PS_TEST_WORLD_H

#include "support/snapshot.h"

#define WORLD_NAMESPACE "cars"
#define WORLD_NAME      "foo"
#define WORLD_REMOTE    "gpu"

struct world {
    uint64_t random;           /* state of the generator; the same seed gives the same run */
    struct json_t *cr;         /* NULL: there is none */
    struct json_t *accounts;   /* name -> object */
    struct json_t *namespaces; /* name -> object */
    struct json_t *objects;    /* children and foreign ones: [{kind, object, cluster}] */
    struct json_t *last_seen;  /* NULL: the other cluster can be seen; else what was seen of it */
    bool planned_blind;        /* it could not when the plan was made */
    int away_percent;          /* chance that an operation there finds it gone */
    const char *registry;
    struct ps_buf trace; /* what was done, for the message of a failure */
    int64_t now_ms;
    int number;           /* of the last resourceVersion and uid */
    int kill_percent;     /* chance that an operation ends the executor before it is done */
    int conflict_percent; /* chance that someone else writes the object first */
    bool may_restart;     /* a pod template may change: the owner has asked for it */
    size_t ops;           /* performed */
    uint64_t rendered;    /* the last plan's note */
};

/* Fails the test, with all that was done. */
_Noreturn void world_fail(const struct world *world, const char *what);
void world_init(struct world *world, uint64_t seed);
void world_fini(struct world *world);
/* From 0 to n - 1. */
int world_random(struct world *world, int n);

/* A StreamDeployment with that spec; its generation counts the specs. Takes spec. */
void world_apply(struct world *world, struct json_t *spec);
void world_annotate(struct world *world, const char *key, const char *value);
/* As kubectl does: with a finalizer it stays until that is gone. */
void world_delete_cr(struct world *world);
/* Without asking anyone: finalizers are stripped. */
void world_strip_cr(struct world *world);
void world_account(struct world *world, const char *name, struct json_t *spec /* takes */);
/* Someone else's object under a name of ours. */
void world_foreign(struct world *world, enum model_kind kind, const char *namespace,
                   const char *name);
/* Nobody can see the other cluster, or write there; it lives on. After a restart nothing is known
 * of it. */
void world_hide(struct world *world, bool restart);
void world_show(struct world *world);
/* The account that leads there is deleted by force and made anew: what carries its old uid is not
 * seen any more. */
void world_remake_account(struct world *world);
/* The last deletes come true, Deployments roll out, what has lost its owner is collected. */
void world_tick(struct world *world);
void world_remove(struct world *world, size_t i);
/* Someone edits fields of ours. */
void world_change(struct world *world, size_t i);
size_t world_count(const struct world *world);
bool world_is_ours(const struct json_t *item);

/* One job of the executor: true when it had nothing to do and wrote nothing. */
bool world_job(struct world *world);
/* Jobs and ticks until a job has nothing to do; the number of jobs that did something, or -1 above
 * max. */
int world_settle(struct world *world, int max);

/* Our children without what differs from run to run: uids, versions, numbers of revisions, and
 * unless `replicas` how many instances run. Sorted. New reference. */
struct json_t *world_normal(const struct world *world, bool replicas);

#endif
