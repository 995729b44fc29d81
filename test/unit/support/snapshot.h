/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A planner's snapshot from JSON, so that tests and golden files write facts as what the API server
 * shows: {nowMs, installation, namespace, name, cr, account, accountVars, registry,
 * targetNamespace, platforms: [{name, account, targetNamespace}] (of single apps), ownNamespace,
 * children: [{kind, object, written (true if absent), cluster}], pods: [object], facts: [{kind,
 * namespace, name, object, cluster}], troubles, rivals, slots: {running, ahead}, clusters: [{name,
 * accountUid, state: "Synced", uid, message, known, server, version}], sources, rendered, planner:
 * "task" for a TaskLaunch}. A fact without an object is absent, one with "unknown": true is not
 * known. A "cluster" that is absent is the operator's own.
 */
#ifndef PS_TEST_SNAPSHOT_H
#define PS_TEST_SNAPSHOT_H

#include "plan/plan.h"

struct snapshot {
    struct ps_arena arena;
    struct json_t *in; /* borrowed from by everything */
    struct model_registry *registry;
    struct model_object **children, **pods;
    struct plan_platform *platforms;
    struct model_object *own;
    struct plan_snapshot s;
};

/* Panics on an input that makes no sense: it is the test's own. */
struct snapshot *snapshot_new(const struct json_t *in);
void snapshot_free(struct snapshot *snapshot);
/* The plan for that input. The caller frees it. */
struct plan *snapshot_plan(const struct json_t *in);

enum model_kind snapshot_kind(const char *name);
/* RFC 7386. New reference. */
struct json_t *snapshot_merge(const struct json_t *onto, const struct json_t *patch);
/* What a ControllerRevision holds, as JSON. New reference. */
struct json_t *snapshot_unpack(const struct json_t *revision);

#endif
