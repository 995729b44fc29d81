/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue: a heap of the keys whose time is to come, one in each group of those that are
 * due, and a map of all keys, waiting or running. Keys are handed out from libuv's idle step, once
 * a turn at most, so that sockets are read between.
 */
#include "internal.h"

#include <string.h>

#define NS_PER_MS 1000000

enum item_state {
    ITEM_DELAYED, /* in the heap of those that are not due */
    ITEM_READY,   /* in its group's */
    ITEM_RUNNING, /* handed out, its done has not come */
};

/* When and how a key shall run. */
struct turn {
    struct loop__group *group;
    enum loop_level level;
    int64_t due_ms;
};

struct item {
    struct loop__ranked place; /* delayed: by time; ready: by time and level */
    char *key;
    enum item_state state;
    struct turn turn;
    int64_t since_ns; /* waiting: when it is or was due, as exactly as known; running: its start */
    int64_t earliest_ms; /* a server asked to wait until then */
    bool again;          /* added while running … */
    struct turn next;    /* … for this turn */
    struct loop_backoff backoff;
};

struct loop_queue {
    uv_idle_t idle;
    struct loop *loop;
    struct loop_timer *timer;
    loop_queue_run_fn *run;
    void *self;
    size_t concurrency, running;
    int64_t level_ms;
    struct ps_map items;
    struct loop__heap delayed;
    struct loop__groups groups;
    uint64_t seq;
    bool paused, freed;
    struct loop__queue_metrics metrics;
};

/* ---- where it waits ------------------------------------------------------------------------- */

static struct item *item_at(struct loop__ranked *place)
{
    return place ? PS_CONTAINER_OF(place, struct item, place) : NULL;
}

static void start_waiting(struct loop_queue *queue, struct item *item)
{
    const struct turn *turn = &item->turn;

    item->state = turn->due_ms > loop_now_ms() ? ITEM_DELAYED : ITEM_READY;
    if (item->state == ITEM_DELAYED) {
        item->place.rank = turn->due_ms;
        loop__heap_push(&queue->delayed, &item->place);
    } else {
        item->place.rank = turn->due_ms - (int64_t)turn->level * queue->level_ms;
        loop__group_push(&queue->groups, turn->group, &item->place);
    }
}

static void stop_waiting(struct loop_queue *queue, struct item *item)
{
    if (item->state == ITEM_DELAYED) {
        loop__heap_remove(&queue->delayed, &item->place);
    } else {
        loop__group_remove(&queue->groups, item->turn.group, &item->place);
    }
}

/* Those whose time has come join those that are ready. */
static void ripen(struct loop_queue *queue)
{
    const int64_t now = loop_now_ms();
    struct item *item;

    while ((item = item_at(loop__heap_first(&queue->delayed))) != NULL &&
           item->turn.due_ms <= now) {
        stop_waiting(queue, item);
        start_waiting(queue, item);
    }
}

static struct item *first_able(const struct loop_queue *queue)
{
    return item_at(loop__groups_first(&queue->groups, queue->concurrency, queue->running));
}

/* ---- handing out ---------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle);

/* Waits for what comes next: a key that is due, if there is a free place for it. */
static void arm(struct loop_queue *queue)
{
    const bool able = !queue->paused && queue->running < queue->concurrency;

    if (able)
        ripen(queue);
    const struct item *later = able ? item_at(loop__heap_first(&queue->delayed)) : NULL;

    if (able && first_able(queue) != NULL) {
        ps_assert(uv_idle_start(&queue->idle, on_idle) == 0);
    } else {
        (void)uv_idle_stop(&queue->idle);
    }
    if (later != NULL) {
        loop_timer_set(queue->timer, later->turn.due_ms - loop_now_ms());
    } else {
        loop_timer_stop(queue->timer);
    }
}

static int64_t exact_due(int64_t due_ms)
{
    const int64_t now_ns = loop_now_ns(), due_ns = due_ms * NS_PER_MS;

    return due_ns > now_ns ? due_ns : now_ns;
}

static void note_start(const struct loop_queue *queue, struct item *item)
{
    const int64_t now_ns = loop_now_ns();

    metrics_observe(queue->metrics.waits, now_ns > item->since_ns ? now_ns - item->since_ns : 0);
    item->since_ns = now_ns;
}

static void begin(struct loop_queue *queue, struct item *item)
{
    stop_waiting(queue, item);
    item->state = ITEM_RUNNING;
    item->again = false;
    item->turn.group->running++;
    queue->running++;
    note_start(queue, item);
    queue->run(queue->self, item->key);
}

static void hand_out(struct loop_queue *queue)
{
    ripen(queue);
    /* At most what waits now: a run that ends at once and asks for more gets it in the next turn.
     */
    for (size_t n = queue->groups.ready; n > 0; n--) {
        struct item *item = queue->paused ? NULL : first_able(queue);

        if (item == NULL)
            break;
        begin(queue, item);
        if (queue->freed)
            return;
    }
    arm(queue);
}

static void on_idle(uv_idle_t *idle)
{
    hand_out(PS_CONTAINER_OF(idle, struct loop_queue, idle));
}

static void on_timer(void *self)
{
    arm(self);
}

/* ---- public --------------------------------------------------------------------------------- */

struct loop_queue *loop_queue_new(struct loop *loop, size_t concurrency, loop_queue_run_fn *run,
                                  void *self)
{
    struct loop_queue *queue = ps_xcalloc(1, sizeof(*queue));

    ps_assert(concurrency > 0);
    queue->loop = loop;
    queue->concurrency = concurrency;
    queue->run = run;
    queue->self = self;
    queue->level_ms = LOOP_QUEUE_LEVEL_MS;
    ps_map_init(&queue->items);
    loop__groups_init(&queue->groups);
    ps_assert(uv_idle_init(&loop->uv, &queue->idle) == 0);
    queue->timer = loop_timer_new(loop, on_timer, queue);
    return queue;
}

void loop_queue_level_ms(struct loop_queue *queue, int64_t level_ms)
{
    queue->level_ms = level_ms;
}

static void item_free(struct item *item)
{
    ps_free(item->key);
    ps_free(item);
}

static void on_closed(uv_handle_t *idle)
{
    struct loop_queue *queue = PS_CONTAINER_OF(idle, struct loop_queue, idle);
    size_t at = 0;
    const char *key;
    void *item;

    /* Only here: a run that frees the queue still holds its key. */
    while (ps_map_next(&queue->items, &at, &key, &item))
        item_free(item);
    ps_map_fini(&queue->items);
    loop__heap_fini(&queue->delayed);
    loop__groups_fini(&queue->groups);
    ps_free(queue);
}

void loop_queue_free(struct loop_queue *queue)
{
    if (queue == NULL)
        return;
    queue->freed = true;
    metrics_hook_free(queue->metrics.hook);
    loop_timer_free(queue->timer);
    uv_close((uv_handle_t *)&queue->idle, on_closed);
}

static struct item *item_new(struct loop_queue *queue, const char *key)
{
    struct item *item = ps_xcalloc(1, sizeof(*item));

    /* Dropping a key would lose work: as with memory, there is no going on. */
    ps_assert(queue->items.count < LOOP_QUEUE_KEYS_MAX);
    item->key = ps_xstrdup(key);
    item->backoff.first_ms = LOOP_RETRY_FIRST_MS;
    item->backoff.max_ms = LOOP_RETRY_MAX_MS;
    (void)ps_map_put(&queue->items, key, item);
    return item;
}

/* Takes over the turn's share of its group. */
static void wait_for(struct loop_queue *queue, struct item *item, struct turn turn)
{
    if (turn.due_ms < item->earliest_ms)
        turn.due_ms = item->earliest_ms;
    item->turn = turn;
    item->place.seq = queue->seq++;
    item->since_ns = exact_due(turn.due_ms);
    metrics_add(queue->metrics.adds, 1);
    start_waiting(queue, item);
}

/* Of two wishes for one run. Takes both over. */
static struct turn join(struct loop_queue *queue, const struct turn *old, const struct turn *new)
{
    loop__group_drop(&queue->groups, old->group);
    return (struct turn){
        .group = new->group,
        .level = old->level > new->level ? old->level : new->level,
        .due_ms = old->due_ms < new->due_ms ? old->due_ms : new->due_ms,
    };
}

/* It waits already: only what is new about it counts. */
static void join_waiting(struct loop_queue *queue, struct item *item, struct turn turn)
{
    const int64_t due_ms = item->turn.due_ms;

    if (turn.due_ms < item->earliest_ms)
        turn.due_ms = item->earliest_ms;
    stop_waiting(queue, item);
    item->turn = join(queue, &item->turn, &turn);
    if (item->turn.due_ms < due_ms)
        item->since_ns = exact_due(item->turn.due_ms);
    start_waiting(queue, item);
}

void loop_queue_add(struct loop_queue *queue, const char *key, const char *group,
                    enum loop_level level, int64_t delay_ms)
{
    const struct turn turn = {.group = loop__group_take(&queue->groups, group),
                              .level = level,
                              .due_ms = loop_now_ms() + (delay_ms > 0 ? delay_ms : 0)};
    struct item *item = ps_map_get(&queue->items, key);

    if (item == NULL) {
        wait_for(queue, item_new(queue, key), turn);
    } else if (item->state == ITEM_RUNNING) {
        item->next = item->again ? join(queue, &item->next, &turn) : turn;
        item->again = true;
    } else {
        join_waiting(queue, item, turn);
    }
    arm(queue);
}

void loop_queue_served(struct loop_queue *queue, const char *key)
{
    struct item *item = ps_map_get(&queue->items, key);

    ps_assert(item != NULL && item->state == ITEM_RUNNING);
    if (!item->again || item->next.due_ms > loop_now_ms())
        return;
    loop__group_drop(&queue->groups, item->next.group);
    item->again = false;
}

static struct item *end_run(struct loop_queue *queue, const char *key)
{
    struct item *item = ps_map_get(&queue->items, key);

    ps_assert(item != NULL && item->state == ITEM_RUNNING);
    queue->running--;
    item->turn.group->running--;
    metrics_observe(queue->metrics.works, loop_now_ns() - item->since_ns);
    return item;
}

/* Its own wish for another run, and what was asked for meanwhile. */
static void retry(struct loop_queue *queue, struct item *item, enum loop_level level,
                  int64_t due_ms)
{
    const struct turn own = {.group = item->turn.group, .level = level, .due_ms = due_ms};

    metrics_add(queue->metrics.retries, 1);
    wait_for(queue, item, item->again ? join(queue, &own, &item->next) : own);
}

void loop_queue_done(struct loop_queue *queue, const char *key, int64_t retry_ms)
{
    struct item *item = end_run(queue, key);

    loop_backoff_reset(&item->backoff);
    item->earliest_ms = 0;
    if (retry_ms >= 0) {
        retry(queue, item, LOOP_WOKEN, loop_now_ms() + retry_ms);
    } else {
        loop__group_drop(&queue->groups, item->turn.group);
        if (item->again) {
            wait_for(queue, item, item->next);
        } else {
            (void)ps_map_remove(&queue->items, key);
            item_free(item);
        }
    }
    arm(queue);
}

/* News that came while it ran may be the cure: they don't wait for the backoff, but they do for
 * what a server has asked for. */
int64_t loop_queue_failed(struct loop_queue *queue, const char *key, int64_t min_ms)
{
    struct item *item = end_run(queue, key);
    const int64_t now = loop_now_ms();

    item->earliest_ms = min_ms > 0 ? now + min_ms : 0;
    retry(queue, item, item->turn.level, now + loop_backoff_next(&item->backoff));
    arm(queue);
    return item->turn.due_ms > now ? item->turn.due_ms - now : 0;
}

void loop_queue_pause(struct loop_queue *queue)
{
    queue->paused = true;
    arm(queue);
}

void loop_queue_resume(struct loop_queue *queue)
{
    queue->paused = false;
    arm(queue);
}

/* ---- metrics -------------------------------------------------------------------------------- */

static void collect(void *self)
{
    const struct loop_queue *queue = self;
    const int64_t now_ns = loop_now_ns();
    int64_t due[LOOP_LEVELS] = {0}, unfinished_ns = 0, longest_ns = 0;
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&queue->items, &at, &key, &value)) {
        const struct item *item = value;
        const int64_t age_ns = now_ns - item->since_ns;

        if (item->state != ITEM_RUNNING) {
            due[item->turn.level] += age_ns >= 0;
        } else {
            unfinished_ns += age_ns;
            longest_ns = age_ns > longest_ns ? age_ns : longest_ns;
        }
    }
    for (size_t i = 0; i < LOOP_LEVELS; i++)
        metrics_set(queue->metrics.depth[i], due[i]);
    metrics_set(queue->metrics.unfinished, unfinished_ns);
    metrics_set(queue->metrics.longest, longest_ns);
}

void loop_queue_measure(struct loop_queue *queue, struct metrics *metrics, const char *name)
{
    loop__queue_metrics_init(&queue->metrics, metrics, name, collect, queue);
}

static struct loop_queue_key look_at(const struct item *item)
{
    static const enum loop_key_state states[] = {[ITEM_DELAYED] = LOOP_KEY_DELAYED,
                                                 [ITEM_READY] = LOOP_KEY_READY,
                                                 [ITEM_RUNNING] = LOOP_KEY_RUNNING};

    const bool running = item->state == ITEM_RUNNING;

    return (struct loop_queue_key){.key = item->key,
                                   .group = item->turn.group->name,
                                   .level = item->turn.level,
                                   .state = states[item->state],
                                   .for_ms = running ? (loop_now_ns() - item->since_ns) / NS_PER_MS
                                                     : loop_now_ms() - item->turn.due_ms,
                                   .again = item->again,
                                   .failed = item->backoff.delay_ms > 0};
}

void loop_queue_each(const struct loop_queue *queue,
                     void (*look)(void *self, const struct loop_queue_key *key), void *self)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&queue->items, &at, &key, &value)) {
        const struct loop_queue_key found = look_at(value);

        look(self, &found);
    }
}

size_t loop_queue_running(const struct loop_queue *queue)
{
    return queue->running;
}

size_t loop_queue_waiting(const struct loop_queue *queue)
{
    return queue->delayed.count + queue->groups.ready;
}
