/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <stdint.h>

/* What this process has used so far. */
int64_t cpu_ns(void);

#endif
