/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams to measure with, from a snapshot in the form of test/unit/support/snapshot.h: what the
 * planner makes of it, and what there would be after its operations.
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "support/snapshot.h"

/* Reads a file of JSON; ends the process when it is none. New reference. */
struct json_t *streams_load(const char *path);
/* The base's stream under another name ("s00007"). New reference. */
struct json_t *streams_named(const struct json_t *base, size_t number);
/* As it stands after the plan: children created and rolled out, finalizer and status written. */
void streams_advance(struct json_t *in, const struct json_t *plan);
/* Until a plan has nothing to do any more. */
void streams_settle(struct json_t *in);
/* What a plan is for that snapshot, as plan_json has it. New reference. */
struct json_t *streams_plan(const struct json_t *in);

#endif
