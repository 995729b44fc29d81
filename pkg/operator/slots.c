/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: how the launches of an account stand towards its limit of concurrent tasks. Each account
 * has a line: how many launches are active, and who waits, the oldest first. A launch is judged by
 * its plans; until the first one (after a start of the operator) its status says whether it is
 * active or has ended, and if it says neither, the launch may wait, and counts as if it did.
 */
#include "operator/slots.h"

#include <string.h>

#define KEY_MAX      ((size_t)1024)
/* A launch that fails keeps its place in the line that often; then it blocks the younger ones no
 * longer. With the queue's backoff that is well under a second, or what a server asked for. */
#define FAILURES_MAX 3

struct operator__launch {
    char *namespace, *name, *uid;
    int64_t created_ms;
    struct operator__line *line;
    enum operator__standing standing;
    int failures; /* jobs in a row */
};

/* ---- decisions ------------------------------------------------------------------------------ */

static bool is_under_way(enum model_attempt_state state)
{
    return state == MODEL_ATTEMPT_STARTING || state == MODEL_ATTEMPT_RUNNING;
}

static bool waits(enum operator__standing standing)
{
    return standing == OPERATOR__QUEUED || standing == OPERATOR__UNJUDGED;
}

enum operator__standing operator__standing_unplanned(enum model_task_phase phase,
                                                     enum model_attempt_state attempt)
{
    if (phase == MODEL_TASK_COMPLETE || phase == MODEL_TASK_FAILED)
        return OPERATOR__IDLE;
    return is_under_way(attempt) ? OPERATOR__ACTIVE : OPERATOR__UNJUDGED;
}

enum operator__standing operator__standing_failed(enum operator__standing standing, int failures,
                                                  bool in_doubt, enum model_attempt_state attempt)
{
    if (in_doubt || is_under_way(attempt))
        return standing; /* it may run: the slot stays taken */
    if (standing == OPERATOR__IDLE || failures > FAILURES_MAX)
        return OPERATOR__IDLE;
    return standing == OPERATOR__ACTIVE ? OPERATOR__QUEUED : standing;
}

bool operator__standing_frees(enum operator__standing before, enum operator__standing after)
{
    if (before == OPERATOR__ACTIVE)
        return after != OPERATOR__ACTIVE;
    return waits(before) && after == OPERATOR__IDLE;
}

/* ---- the line of an account ----------------------------------------------------------------- */

static int by_age(const struct operator__launch *a, const struct operator__launch *b)
{
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return strcmp(a->uid, b->uid);
}

/* How many that wait are older. */
static size_t place(const struct operator__line *line, const struct operator__launch *launch)
{
    size_t low = 0, high = line->waiting_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (by_age(line->waiting[middle], launch) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void line_up(struct operator__line *line, struct operator__launch *launch)
{
    const size_t at = place(line, launch);

    if (line->waiting_count == line->waiting_cap) {
        line->waiting_cap = line->waiting_cap ? line->waiting_cap * 2 : 4;
        line->waiting =
            ps_xrealloc(line->waiting, line->waiting_cap * sizeof(struct operator__launch *));
    }
    memmove(line->waiting + at + 1, line->waiting + at,
            (line->waiting_count - at) * sizeof(struct operator__launch *));
    line->waiting[at] = launch;
    line->waiting_count++;
}

static void step_out(struct operator__line *line, const struct operator__launch *launch)
{
    const size_t at = place(line, launch);

    ps_assert(at < line->waiting_count && line->waiting[at] == launch);
    line->waiting_count--;
    memmove(line->waiting + at, line->waiting + at + 1,
            (line->waiting_count - at) * sizeof(struct operator__launch *));
}

static void count(struct operator__launch *launch)
{
    struct operator__line *line = launch->line;

    line->active += launch->standing == OPERATOR__ACTIVE;
    line->unjudged += launch->standing == OPERATOR__UNJUDGED;
    if (waits(launch->standing))
        line_up(line, launch);
}

static void discount(struct operator__launch *launch)
{
    struct operator__line *line = launch->line;

    line->active -= launch->standing == OPERATOR__ACTIVE;
    line->unjudged -= launch->standing == OPERATOR__UNJUDGED;
    if (waits(launch->standing))
        step_out(line, launch);
}

static void stand(struct operator__slots *slots, struct operator__launch *launch,
                  enum operator__standing standing)
{
    const enum operator__standing before = launch->standing;

    if (before == standing)
        return;
    discount(launch);
    launch->standing = standing;
    count(launch);
    slots->changed(slots->self, launch->line->account, operator__standing_frees(before, standing));
}

/* ---- launches ------------------------------------------------------------------------------- */

static const char *launch_key(struct ps_buf *key, const char *namespace, const char *name)
{
    ps_buf_printf(key, "%s/%s", namespace, name);
    return ps_buf_text(key);
}

static struct operator__launch *find(const struct operator__slots *slots, const char *namespace,
                                     const char *name)
{
    PS_AUTO_BUF(key, KEY_MAX);

    return ps_map_get(&slots->launches, launch_key(&key, namespace, name));
}

static struct operator__line *line_of(struct operator__slots *slots, const char *account)
{
    struct operator__line *line = ps_map_get(&slots->lines, account);

    if (line != NULL)
        return line;
    line = ps_xcalloc(1, sizeof(*line));
    line->account = ps_xstrdup(account);
    (void)ps_map_put(&slots->lines, account, line);
    return line;
}

static void free_line(struct operator__line *line)
{
    ps_free(line->waiting);
    ps_free(line->account);
    ps_free(line);
}

static void free_launch(struct operator__launch *launch)
{
    ps_free(launch->namespace);
    ps_free(launch->name);
    ps_free(launch->uid);
    ps_free(launch);
}

void operator__slots_init(struct operator__slots *slots, operator__slots_fn *changed, void *self)
{
    *slots = (struct operator__slots){.changed = changed, .self = self};
    ps_map_init(&slots->launches);
    ps_map_init(&slots->lines);
}

void operator__slots_fini(struct operator__slots *slots)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&slots->launches, &at, &key, &value))
        free_launch(value);
    at = 0;
    while (ps_map_next(&slots->lines, &at, &key, &value))
        free_line(value);
    ps_map_fini(&slots->launches);
    ps_map_fini(&slots->lines);
}

static void add(struct operator__slots *slots, const struct model_object *object)
{
    struct operator__launch *launch = ps_xcalloc(1, sizeof(*launch));
    PS_AUTO_BUF(key, KEY_MAX);

    launch->namespace = ps_xstrdup(object->namespace);
    launch->name = ps_xstrdup(object->name);
    launch->uid = ps_xstrdup(object->uid);
    launch->created_ms = object->created_ms;
    launch->line = line_of(slots, object->platform);
    launch->line->launches++;
    launch->standing = operator__standing_unplanned(object->task_phase, object->attempt_state);
    count(launch);
    (void)ps_map_put(&slots->launches, launch_key(&key, object->namespace, object->name), launch);
    slots->changed(slots->self, launch->line->account, false);
}

void operator__slots_see(struct operator__slots *slots, const struct model_object *object)
{
    struct operator__launch *launch = find(slots, object->namespace, object->name);

    if (launch != NULL && (!ps_streq(launch->uid, object->uid) ||
                           !ps_streq(launch->line->account, object->platform))) {
        operator__slots_forget(slots, object->namespace, object->name);
        launch = NULL;
    }
    if (launch == NULL) {
        add(slots, object);
    } else if (launch->standing == OPERATOR__UNJUDGED) {
        stand(slots, launch,
              operator__standing_unplanned(object->task_phase, object->attempt_state));
    }
}

void operator__slots_forget(struct operator__slots *slots, const char *namespace, const char *name)
{
    struct operator__launch *launch = find(slots, namespace, name);
    PS_AUTO_BUF(key, KEY_MAX);

    if (launch == NULL)
        return;
    struct operator__line *line = launch->line;

    stand(slots, launch, OPERATOR__IDLE);
    (void)ps_map_remove(&slots->launches, launch_key(&key, namespace, name));
    free_launch(launch);
    if (--line->launches == 0) {
        (void)ps_map_remove(&slots->lines, line->account);
        free_line(line);
    }
}

void operator__slots_planned(struct operator__slots *slots, const char *namespace, const char *name,
                             const struct plan *plan)
{
    struct operator__launch *launch = find(slots, namespace, name);

    /* A plan that still asks has decided nothing. */
    if (launch != NULL && plan->need_count == 0)
        stand(slots, launch, (enum operator__standing)plan->standing);
}

void operator__slots_ended(struct operator__slots *slots, const struct model_object *object,
                           bool failed, bool in_doubt)
{
    struct operator__launch *launch = find(slots, object->namespace, object->name);

    if (launch == NULL)
        return;
    launch->failures = failed ? launch->failures + (launch->failures <= FAILURES_MAX) : 0;
    if (failed) {
        stand(slots, launch,
              operator__standing_failed(launch->standing, launch->failures, in_doubt,
                                        object->attempt_state));
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

struct plan_slots operator__slots_of(const struct operator__slots *slots, const char *namespace,
                                     const char *name)
{
    const struct operator__launch *launch = find(slots, namespace, name);

    if (launch == NULL)
        return (struct plan_slots){0};
    return (struct plan_slots){.running =
                                   launch->line->active - (launch->standing == OPERATOR__ACTIVE),
                               .ahead = (int64_t)place(launch->line, launch)};
}

const struct operator__line *operator__slots_line(const struct operator__slots *slots,
                                                  const char *account)
{
    return ps_map_get(&slots->lines, account);
}

void operator__slots_next(const struct operator__slots *slots, const char *account, int64_t limit,
                          void (*call)(void *self, const char *namespace, const char *name))
{
    const struct operator__line *line = operator__slots_line(slots, account);
    const int64_t free_slots = line ? limit - line->active : 0;

    for (size_t i = 0; (int64_t)i < free_slots && i < line->waiting_count; i++) {
        const struct operator__launch *launch = line->waiting[i];

        /* One that is not judged is in the queue anyway; one that has failed comes by itself,
         * after its backoff. */
        if (launch->standing == OPERATOR__QUEUED && launch->failures == 0)
            call(slots->self, launch->namespace, launch->name);
    }
}
