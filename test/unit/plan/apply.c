/* SPDX-License-Identifier: Apache-2.0 */
/* The patches of the codec tests, applied here too. */
#include "../codec/apply.c"
