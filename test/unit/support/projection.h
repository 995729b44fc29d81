/* SPDX-License-Identifier: Apache-2.0 */
/* Compares projections of objects. */
#ifndef TEST_PROJECTION_H
#define TEST_PROJECTION_H

#include "model/model.h"

/* Field by field, texts by what they say; two NULLs are equal. Knows no field by name, so that none
 * can be forgotten. */
bool projection_equal(const struct model_object *a, const struct model_object *b);

#endif
