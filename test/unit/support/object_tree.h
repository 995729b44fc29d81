/* SPDX-License-Identifier: Apache-2.0 */
/* Projections of trees, to compare model_object_read with. */
#ifndef TEST_OBJECT_TREE_H
#define TEST_OBJECT_TREE_H

#include "model/model.h"

/* NULL when the object has no name, uid or resourceVersion. */
struct model_object *projection_of_tree(enum model_kind kind, const struct json_t *object);

#endif
