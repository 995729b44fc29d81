/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of loop only. */
#ifndef PS_LOOP_INTERNAL_H
#define PS_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <uv.h>

struct loop {
    uv_loop_t uv;
};

/* Delays are counted from now, not from libuv's cached start of the tick, and are at least one
 * millisecond behind that start: a timer that sets itself again can therefore never keep libuv in
 * its timer step, away from the sockets. */
uint64_t loop__uv_delay(const struct loop *loop, int64_t delay_ms);

#endif
