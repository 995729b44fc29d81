/* SPDX-License-Identifier: Apache-2.0 */
/* fuzzing: what the targets of the planners share. */
#ifndef PS_FUZZ_INPUT_H
#define PS_FUZZ_INPUT_H

#include "support/snapshot.h"

/* What the operator sees to before it plans: drops objects without an identity, and children of
 * other kinds than those of `kinds` (ended by NULL); names the key cars/foo. */
void input_tidy(struct json_t *in, const char *const *kinds);
/* Is the custom resource there, and to stay? */
bool input_stays(const struct json_t *in);
/* Can that cluster be seen? NULL: the operator's own. */
bool input_is_open(const struct json_t *in, const char *cluster);
/* Nothing is asked of or written to a cluster that cannot be seen, and what is made in another one
 * says through which account. */
void input_check_remote(const struct json_t *in, const struct plan *plan);

#endif
