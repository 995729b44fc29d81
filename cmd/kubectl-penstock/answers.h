/* SPDX-License-Identifier: Apache-2.0 */
/* lint --jsonl: answers, written piece by piece; what fails is kept in `out`. */
#ifndef PS_PLUGIN_ANSWERS_H
#define PS_PLUGIN_ANSWERS_H

#include "base/base.h"

/* A JSON string. */
void answer_text(struct ps_buf *out, const char *text);
/* `key` is written as it is: ",\"name\":". */
void answer_member(struct ps_buf *out, const char *key, const char *text);
/* The whole line about one definition, good or not. */
void answer_definition(struct ps_buf *out, bool is_task, const char *name, const char *text);

#endif
