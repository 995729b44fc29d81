/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

#include <time.h>

int64_t cpu_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}
