/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server does with a patch, as far as the patches of codec go. */
#ifndef TEST_CODEC_APPLY_H
#define TEST_CODEC_APPLY_H

#include "codec/codec.h"

/* New references; the arguments stay as they are. */
struct json_t *apply_strategic(const struct json_t *object, const struct json_t *patch);
struct json_t *apply_merge(const struct json_t *object, const struct json_t *patch);

#endif
