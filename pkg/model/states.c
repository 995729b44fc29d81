/* SPDX-License-Identifier: Apache-2.0 */
/* The words for phases of launches and states of attempts. */
#include "model/model.h"

static const char *const phases[] = {
    [MODEL_TASK_NEW] = "",
    [MODEL_TASK_PENDING] = "Pending",
    [MODEL_TASK_WAITING] = "Waiting",
    [MODEL_TASK_RUNNING] = "Running",
    [MODEL_TASK_COMPLETE] = "Complete",
    [MODEL_TASK_FAILED] = "Failed",
    [MODEL_TASK_STOPPED] = "Stopped",
    [MODEL_TASK_UNKNOWN] = "Unknown",
};

static const char *const states[] = {
    [MODEL_ATTEMPT_NONE] = "",           [MODEL_ATTEMPT_STARTING] = "Starting",
    [MODEL_ATTEMPT_RUNNING] = "Running", [MODEL_ATTEMPT_COMPLETE] = "Complete",
    [MODEL_ATTEMPT_FAILED] = "Failed",   [MODEL_ATTEMPT_STOPPED] = "Stopped",
    [MODEL_ATTEMPT_UNKNOWN] = "Unknown",
};

_Static_assert(PS_ARRAY_LEN(phases) == MODEL_TASK_PHASES, "one row for each phase");
_Static_assert(PS_ARRAY_LEN(states) == MODEL_ATTEMPT_STATES, "one row for each state");

/* Place of the name, or 0. */
static size_t index_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 1; i < count; i++) {
        if (ps_streq(names[i], name))
            return i;
    }
    return 0;
}

const char *model_task_phase_name(enum model_task_phase phase)
{
    return phases[phase];
}

const char *model_attempt_state_name(enum model_attempt_state state)
{
    return states[state];
}

enum model_task_phase model_task_phase_of(const char *name)
{
    return (enum model_task_phase)index_of(phases, PS_ARRAY_LEN(phases), name);
}

enum model_attempt_state model_attempt_state_of(const char *name)
{
    return (enum model_attempt_state)index_of(states, PS_ARRAY_LEN(states), name);
}
