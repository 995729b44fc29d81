/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue: a binary heap of waiting keys by due time, and a map of all keys, waiting or
 * running. Keys are handed out from libuv's idle step, once a turn at most, so that sockets are
 * read between.
 */
#include "internal.h"

#include <string.h>

#define NS_PER_MS 1000000

enum item_state {
    ITEM_WAITING, /* in the heap */
    ITEM_RUNNING, /* handed out, its done has not come */
};

struct item {
    char *key;
    enum item_state state;
    size_t at; /* index in the heap while waiting */
    int64_t due_ms;
    uint64_t seq;     /* first come, first served among equal times */
    int64_t since_ns; /* waiting: when it is or was due, as exactly as known; running: its start */
    int64_t earliest_ms; /* a server asked to wait until then */
    bool again;          /* added while running … */
    int64_t again_ms;    /* … for this time */
    struct loop_backoff backoff;
};

struct loop_queue {
    uv_idle_t idle;
    struct loop *loop;
    struct loop_timer *timer;
    loop_queue_run_fn *run;
    void *self;
    size_t concurrency, running;
    struct ps_map items;
    struct item **heap;
    size_t count, cap;
    uint64_t seq;
    bool paused, freed;
    struct loop__queue_metrics metrics;
};

/* ---- heap ----------------------------------------------------------------------------------- */

static bool before(const struct item *a, const struct item *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

static void heap_place(struct loop_queue *queue, size_t at, struct item *item)
{
    queue->heap[at] = item;
    item->at = at;
}

static void heap_up(struct loop_queue *queue, struct item *item)
{
    size_t at = item->at;

    while (at > 0 && before(item, queue->heap[(at - 1) / 2])) {
        heap_place(queue, at, queue->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_place(queue, at, item);
}

static void heap_down(struct loop_queue *queue, struct item *item)
{
    size_t at = item->at;

    for (size_t child = 2 * at + 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && before(queue->heap[child + 1], queue->heap[child]))
            child++;
        if (!before(queue->heap[child], item))
            break;
        heap_place(queue, at, queue->heap[child]);
        at = child;
    }
    heap_place(queue, at, item);
}

static void heap_push(struct loop_queue *queue, struct item *item)
{
    if (queue->count == queue->cap) {
        queue->cap = queue->cap ? queue->cap * 2 : 16;
        queue->heap = ps_xrealloc(queue->heap, queue->cap * sizeof(void *));
    }
    item->at = queue->count++;
    heap_up(queue, item);
}

static struct item *heap_pop(struct loop_queue *queue)
{
    struct item *first = queue->heap[0];
    struct item *last = queue->heap[--queue->count];

    if (first != last) {
        last->at = 0;
        heap_down(queue, last);
    }
    return first;
}

/* ---- handing out ---------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle);

/* Waits for what comes next: the first due key, if there is a free place for it. */
static void arm(struct loop_queue *queue)
{
    const bool able = !queue->paused && queue->count > 0 && queue->running < queue->concurrency;
    const int64_t wait = able ? queue->heap[0]->due_ms - loop_now_ms() : 0;

    if (able && wait <= 0) {
        ps_assert(uv_idle_start(&queue->idle, on_idle) == 0);
    } else {
        (void)uv_idle_stop(&queue->idle);
    }
    if (able && wait > 0) {
        loop_timer_set(queue->timer, wait);
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

static void hand_out(struct loop_queue *queue)
{
    const int64_t now = loop_now_ms();

    /* At most what waits now: a run that ends at once and asks for more gets it in the next turn.
     */
    for (size_t n = queue->count; n > 0 && queue->count > 0; n--) {
        if (queue->paused || queue->running >= queue->concurrency || queue->heap[0]->due_ms > now)
            break;
        struct item *item = heap_pop(queue);

        item->state = ITEM_RUNNING;
        item->again = false;
        note_start(queue, item);
        queue->running++;
        queue->run(queue->self, item->key);
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
    ps_map_init(&queue->items);
    ps_assert(uv_idle_init(&loop->uv, &queue->idle) == 0);
    queue->timer = loop_timer_new(loop, on_timer, queue);
    return queue;
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
    ps_free(queue->heap);
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

static void wait_until(struct loop_queue *queue, struct item *item, int64_t due_ms)
{
    item->state = ITEM_WAITING;
    item->due_ms = due_ms > item->earliest_ms ? due_ms : item->earliest_ms;
    item->seq = queue->seq++;
    item->since_ns = exact_due(item->due_ms);
    metrics_add(queue->metrics.adds, 1);
    heap_push(queue, item);
}

void loop_queue_add(struct loop_queue *queue, const char *key)
{
    loop_queue_add_after(queue, key, 0);
}

void loop_queue_add_after(struct loop_queue *queue, const char *key, int64_t delay_ms)
{
    int64_t due_ms = loop_now_ms() + (delay_ms > 0 ? delay_ms : 0);
    struct item *item = ps_map_get(&queue->items, key);

    if (item == NULL) {
        wait_until(queue, item_new(queue, key), due_ms);
    } else if (item->state == ITEM_RUNNING) {
        item->again_ms = item->again && item->again_ms < due_ms ? item->again_ms : due_ms;
        item->again = true;
    } else {
        due_ms = due_ms > item->earliest_ms ? due_ms : item->earliest_ms;
        if (due_ms < item->due_ms) {
            item->due_ms = due_ms;
            item->since_ns = exact_due(due_ms);
            heap_up(queue, item);
        }
    }
    arm(queue);
}

static struct item *end_run(struct loop_queue *queue, const char *key)
{
    struct item *item = ps_map_get(&queue->items, key);

    ps_assert(item != NULL && item->state == ITEM_RUNNING);
    queue->running--;
    metrics_observe(queue->metrics.works, loop_now_ns() - item->since_ns);
    return item;
}

void loop_queue_done(struct loop_queue *queue, const char *key, int64_t retry_ms)
{
    struct item *item = end_run(queue, key);
    const int64_t retry_at = loop_now_ms() + retry_ms;

    loop_backoff_reset(&item->backoff);
    item->earliest_ms = 0;
    if (retry_ms < 0 && !item->again) {
        (void)ps_map_remove(&queue->items, key);
        item_free(item);
    } else if (item->again && (retry_ms < 0 || item->again_ms < retry_at)) {
        wait_until(queue, item, item->again_ms);
    } else {
        metrics_add(queue->metrics.retries, 1);
        wait_until(queue, item, retry_at);
    }
    arm(queue);
}

int64_t loop_queue_failed(struct loop_queue *queue, const char *key, int64_t min_ms)
{
    struct item *item = end_run(queue, key);
    const int64_t now = loop_now_ms();
    int64_t due = now + loop_backoff_next(&item->backoff);

    /* News that came while it ran may be the cure: they don't wait for the backoff, but they do for
     * what a server has asked for. */
    if (item->again && item->again_ms < due)
        due = item->again_ms;
    item->earliest_ms = min_ms > 0 ? now + min_ms : 0;
    metrics_add(queue->metrics.retries, 1);
    wait_until(queue, item, due);
    arm(queue);
    return item->due_ms > now ? item->due_ms - now : 0;
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
    int64_t due = 0, unfinished_ns = 0, longest_ns = 0;
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&queue->items, &at, &key, &value)) {
        const struct item *item = value;
        const int64_t age_ns = now_ns - item->since_ns;

        if (item->state == ITEM_WAITING) {
            due += age_ns >= 0;
        } else {
            unfinished_ns += age_ns;
            longest_ns = age_ns > longest_ns ? age_ns : longest_ns;
        }
    }
    metrics_set(queue->metrics.depth, due);
    metrics_set(queue->metrics.unfinished, unfinished_ns);
    metrics_set(queue->metrics.longest, longest_ns);
}

void loop_queue_measure(struct loop_queue *queue, struct metrics *metrics, const char *name)
{
    loop__queue_metrics_init(&queue->metrics, metrics, name, collect, queue);
}

size_t loop_queue_running(const struct loop_queue *queue)
{
    return queue->running;
}

size_t loop_queue_waiting(const struct loop_queue *queue)
{
    return queue->count;
}
