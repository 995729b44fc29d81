/* SPDX-License-Identifier: Apache-2.0 */
/* Task definitions and what SCDF's parser and graph were seen to make of them. */
#ifndef PS_TEST_DSL_TASK_VECTORS_H
#define PS_TEST_DSL_TASK_VECTORS_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* The task is named ct unless `name` says otherwise. `error` is "code@position", with which the
 * rest is NULL; of what was accepted, NULL stands for what was not looked at. */
struct dsl_task_vector {
    const char *id, *text;
    const char *nodes; /* [id:name] or [id:label:name], followed by :key=value for each argument */
    const char *links; /* [from-to] or [condition:from-to]; "" for no graph */
    const char *executable;
    const char *printed;
    const char *error;
    const char *words; /* the message of an error */
    const char *name;
    int simple; /* 1 simple, 0 composed, when accepted */
};

extern const struct dsl_task_vector dsl_task_vectors[];
extern const size_t dsl_task_vector_count;

#endif
