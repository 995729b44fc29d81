/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leadership: client-go's tools/leaderelection as an explicit state machine. One request is under
 * way at most. A try is: replace what we hold (the leader only); else read, and then create, take
 * or keep it, or wait. See https://kubernetes.io/docs/concepts/architecture/leases/.
 */
#include "internal.h"

#include <string.h>

#define DURATION_MS        15000
#define RENEW_DEADLINE_MS  10000
#define RETRY_MS           2000
#define RETRY_MIN_MS       5 /* a standby asks five times as often */
#define DURATION_MAX_MS    ((int64_t)24 * 3600 * 1000)
/* Of one request, at least; else half of the renew deadline: controller-runtime's. */
#define REQUEST_TIMEOUT_MS 1000

static const struct kube_kind leases = {"coordination.k8s.io", "v1", "leases", "Lease", true};

static const struct metrics_desc master_desc = {
    .name = "leader_election_master_status",
    .help = "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, "
            "1 indicates master. 'name' is the string used to identify the lease.",
    .type = METRICS_GAUGE,
    .labels = {"name"},
};
static const struct metrics_desc slow_desc = {
    .name = "leader_election_slowpath_total",
    .help = "Total number of slow path exercised in renewing leader leases. 'name' is the string "
            "used to identify the lease.",
    .type = METRICS_COUNTER,
    .labels = {"name"},
};

enum state {
    STATE_NEW,
    STATE_WAITING,   /* for the lease to become free */
    STATE_LEADING,   /* as of the last renewal; the deadline may have passed unnoticed */
    STATE_RELEASING, /* giving it back */
    STATE_OVER,      /* lost, or given back */
};

struct kube_lease {
    struct loop *loop;
    struct kube_client *client;
    char *namespace, *name, *identity;
    int64_t duration_ms, renew_deadline_ms, retry_ms, timeout_ms;
    int64_t (*now_ms)(void);
    struct kube_lease_callbacks on;
    void (*released)(void *self);
    void *released_self;
    struct loop_timer *next, *deadline;
    struct kube_call *call;
    struct json_t *seen; /* the Lease as read or written last; NULL before that */
    int64_t seen_ms;     /* since when it has looked like that */
    bool changed;        /* the last read has brought something new */
    int64_t tried_ms;    /* start of the try */
    int64_t asked_ms;    /* start of the write under way */
    int64_t renewed_ms;  /* start of the last write that succeeded */
    int64_t deadline_ms; /* leading: of the leadership; releasing: of the attempts */
    char *trouble;       /* as logged last */
    enum state state;
    struct metrics_value *master, *slow;
};

/* ---- what is known -------------------------------------------------------------------------- */

static bool is_mine(const struct kube_lease *lease)
{
    return strcmp(kube__lease_holder(lease->seen), lease->identity) == 0;
}

/* How long the record that was seen still protects its holder. Its duration counts, not ours, and
 * from when we saw it: the holder's clock is of no interest. */
static int64_t protected_ms(const struct kube_lease *lease)
{
    return lease->seen_ms + kube__lease_duration_ms(lease->seen) - lease->now_ms();
}

static void observe(struct kube_lease *lease, struct json_t *object)
{
    const char *was = kube__lease_holder(lease->seen), *is = kube__lease_holder(object);

    lease->changed =
        lease->seen == NULL || !js_equal(js_get(lease->seen, "spec"), js_get(object, "spec"));
    if (lease->changed)
        lease->seen_ms = lease->now_ms();
    if (strcmp(was, is) != 0) {
        ps_log(PS_LOG_INFO, "lease_holder", "namespace", lease->namespace, "name", lease->name,
               "holder", is, "was", was, NULL);
    }
    js_unref(lease->seen);
    lease->seen = js_ref(object);
}

/* Each trouble is told once, until another comes or a try succeeds. */
static void tell_trouble(struct kube_lease *lease, const char *message)
{
    if (ps_streq(lease->trouble, message))
        return;
    ps_free(lease->trouble);
    lease->trouble = message ? ps_xstrdup(message) : NULL;
    if (message == NULL)
        return;
    ps_log(PS_LOG_WARN, "lease_trouble", "namespace", lease->namespace, "name", lease->name,
           "leading", lease->state == STATE_LEADING ? "yes" : "no", "error", message, NULL);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void stop(struct kube_lease *lease)
{
    loop_timer_stop(lease->next);
    loop_timer_stop(lease->deadline);
    kube_cancel(lease->call);
    lease->call = NULL;
    metrics_set(lease->master, 0);
}

static void lose(struct kube_lease *lease, const char *why)
{
    stop(lease);
    lease->state = STATE_OVER;
    ps_log(PS_LOG_ERROR, "lease_lost", "namespace", lease->namespace, "name", lease->name,
           "identity", lease->identity, "why", why, NULL);
    lease->on.on_lost(lease->on.self, why);
}

static void end_release(struct kube_lease *lease)
{
    stop(lease);
    lease->state = STATE_OVER;
    lease->released(lease->released_self);
}

/* True when leadership or its release is over by time; nothing may be touched after that. */
static bool is_late(struct kube_lease *lease)
{
    if ((lease->state != STATE_LEADING && lease->state != STATE_RELEASING) ||
        lease->now_ms() < lease->deadline_ms)
        return false;
    if (lease->state == STATE_RELEASING) {
        ps_log(PS_LOG_WARN, "lease_not_released", "namespace", lease->namespace, "name",
               lease->name, "error", lease->trouble, NULL);
        end_release(lease);
    } else {
        lose(lease, lease->trouble ? lease->trouble
                                   : "not renewed in time: no answer, or this process stood still");
    }
    return true;
}

static void on_deadline(void *self)
{
    struct kube_lease *lease = self;

    if (!is_late(lease))
        loop_timer_set(lease->deadline, lease->deadline_ms - lease->now_ms());
}

static void set_deadline(struct kube_lease *lease, int64_t deadline_ms)
{
    lease->deadline_ms = deadline_ms;
    loop_timer_set(lease->deadline, deadline_ms - lease->now_ms());
}

/* ---- when to try again ---------------------------------------------------------------------- */

static int64_t jitter(int64_t n)
{
    return n > 0 ? (int64_t)loop_random((uint64_t)n) : 0;
}

/* client-go waits retry x (1 + [0, 1.2)), so that servers in trouble are not asked by all at once.
 * A leader does not: it has little time, and is alone. */
static void try_after_failure(struct kube_lease *lease, int64_t retry_after_ms)
{
    int64_t delay_ms = lease->retry_ms + jitter(lease->retry_ms * 6 / 5);

    if (lease->state == STATE_WAITING) {
        delay_ms = retry_after_ms > delay_ms ? retry_after_ms : delay_ms;
    } else { /* a request that took its whole time is followed at once */
        delay_ms = lease->tried_ms + lease->retry_ms - lease->now_ms();
    }
    loop_timer_set(lease->next, delay_ms);
}

/*
 * Somebody leads. What is seen late of a holder's last renewal is added to the time without a
 * leader, so the standby asks when the next renewal is due, and then often until it has come; but
 * just behind the moment when the lease becomes free.
 */
static void try_as_standby(struct kube_lease *lease)
{
    const int64_t often_ms = lease->retry_ms / 5;
    const int64_t left_ms = protected_ms(lease);
    int64_t delay_ms = lease->changed ? 4 * often_ms : often_ms;

    delay_ms = left_ms < delay_ms ? left_ms : delay_ms;
    loop_timer_set(lease->next, delay_ms + jitter(lease->retry_ms / 20));
}

/* ---- writes --------------------------------------------------------------------------------- */

static void send(struct kube_lease *lease, enum kube_verb verb, const struct json_t *body,
                 kube_done_fn *done)
{
    const struct kube_request request = {
        .verb = verb,
        .kind = &leases,
        .namespace = lease->namespace,
        .name = verb == KUBE_CREATE ? NULL : lease->name,
        .body = body,
        .timeout_ms = lease->timeout_ms,
        .tree = true,
    };

    lease->call = kube_send(lease->client, &request, done, lease);
}

static void write_lease(struct kube_lease *lease, enum kube_verb verb, const struct json_t *body,
                        kube_done_fn *done)
{
    lease->asked_ms = lease->now_ms();
    send(lease, verb, body, done);
}

/* `seen` NULL: there is no Lease yet. */
static void claim(struct kube_lease *lease, const struct json_t *seen, kube_done_fn *done)
{
    const struct kube__lease_terms terms = {lease->namespace, lease->name, lease->identity,
                                            lease->duration_ms};
    struct json_t *body PS_AUTO_JS = kube__lease_make(seen, &terms, loop_wall_ms());

    write_lease(lease, seen != NULL ? KUBE_UPDATE : KUBE_CREATE, body, done);
}

/* A write that was held up until its answer would count no more is not sent at all. */
static bool is_worth_sending(void *self)
{
    const struct kube_lease *lease = self;

    return lease->now_ms() < lease->asked_ms + lease->renew_deadline_ms;
}

/* ---- a try ---------------------------------------------------------------------------------- */

static void win(struct kube_lease *lease)
{
    const bool gained = lease->state != STATE_LEADING;

    lease->state = STATE_LEADING;
    lease->renewed_ms = lease->asked_ms;
    tell_trouble(lease, NULL);
    set_deadline(lease, lease->renewed_ms + lease->renew_deadline_ms);
    loop_timer_set(lease->next, lease->retry_ms);
    if (!gained)
        return;
    metrics_set(lease->master, 1);
    ps_log(PS_LOG_INFO, "lease_gained", "namespace", lease->namespace, "name", lease->name,
           "identity", lease->identity, NULL);
    lease->on.on_gained(lease->on.self);
}

static void fail(struct kube_lease *lease, const char *message, int64_t retry_after_ms)
{
    tell_trouble(lease, message);
    try_after_failure(lease, retry_after_ms);
}

static const char *words(const struct kube_response *response)
{
    return response->code != 0 ? response->err.message
                               : "the server's answer came too late, or does not name us as holder";
}

/* An answer that says that the lease is ours. Anything else, from whatever stands between, is
 * none; and one that comes when its time is over proves nothing any more. */
static bool is_won(struct kube_lease *lease, const struct kube_response *response)
{
    if (response->code != 0)
        return false;
    observe(lease, response->object);
    return is_mine(lease) && lease->now_ms() < lease->asked_ms + lease->renew_deadline_ms;
}

static void read_lease(struct kube_lease *lease, kube_done_fn *done)
{
    send(lease, KUBE_GET, NULL, done);
}

static void on_written(void *self, const struct kube_response *response)
{
    struct kube_lease *lease = self;

    lease->call = NULL;
    if (is_late(lease))
        return;
    if (is_won(lease, response)) {
        win(lease);
    } else {
        fail(lease, words(response), response->err.retry_after_ms); /* a lost race, too: 409 */
    }
}

static void judge(struct kube_lease *lease)
{
    const bool held = kube__lease_holder(lease->seen)[0] != '\0' && !is_mine(lease);

    if (held && lease->state == STATE_LEADING) {
        lose(lease, "another process holds the lease");
        return;
    }
    if (held && protected_ms(lease) > 0) {
        tell_trouble(lease, NULL);
        try_as_standby(lease);
        return;
    }
    if (lease->state == STATE_LEADING)
        metrics_add(lease->slow, 1);
    claim(lease, lease->seen, on_written);
}

/* Somebody has deleted it: its holder makes it anew when it renews, and may write until then. */
static void judge_missing(struct kube_lease *lease)
{
    const bool held =
        lease->seen != NULL && kube__lease_holder(lease->seen)[0] != '\0' && !is_mine(lease);

    if (held && lease->state != STATE_LEADING && protected_ms(lease) > 0) {
        tell_trouble(lease, NULL);
        try_as_standby(lease);
    } else {
        claim(lease, NULL, on_written);
    }
}

static void on_read(void *self, const struct kube_response *response)
{
    struct kube_lease *lease = self;

    lease->call = NULL;
    if (is_late(lease))
        return;
    if (response->code == PS_ENOENT) {
        judge_missing(lease);
    } else if (response->code != 0) {
        fail(lease, words(response), response->err.retry_after_ms);
    } else if (!kube__lease_is_readable(response->object)) {
        fail(lease, "the server's answer is no Lease", 0);
    } else {
        observe(lease, response->object);
        judge(lease);
    }
}

/* The fast path: what was written last is replaced without being read. */
static void on_renewed(void *self, const struct kube_response *response)
{
    struct kube_lease *lease = self;

    lease->call = NULL;
    if (is_late(lease))
        return;
    if (is_won(lease, response)) {
        win(lease);
        return;
    }
    tell_trouble(lease, words(response));
    read_lease(lease, on_read);
}

static void on_next(void *self)
{
    struct kube_lease *lease = self;

    if (is_late(lease))
        return;
    lease->tried_ms = lease->now_ms();
    if (lease->state == STATE_LEADING && is_mine(lease) && kube__lease_is_readable(lease->seen)) {
        claim(lease, lease->seen, on_renewed);
    } else {
        read_lease(lease, on_read);
    }
}

/* ---- release -------------------------------------------------------------------------------- */

static void on_released(void *self, const struct kube_response *response)
{
    struct kube_lease *lease = self;

    lease->call = NULL;
    if (response->code == 0) {
        ps_log(PS_LOG_INFO, "lease_released", "namespace", lease->namespace, "name", lease->name,
               NULL);
        end_release(lease);
    } else if (!is_late(lease)) {
        tell_trouble(lease, response->err.message);
        loop_timer_set(lease->next, lease->retry_ms / 5);
    }
}

static void give_back(struct kube_lease *lease)
{
    struct json_t *body PS_AUTO_JS = kube__lease_make_free(lease->seen, loop_wall_ms());

    write_lease(lease, KUBE_UPDATE, body, on_released);
}

/* Read first: a renewal may have been under way, with a resourceVersion that we don't know. */
static void on_release_read(void *self, const struct kube_response *response)
{
    struct kube_lease *lease = self;

    if (response->code != 0 && response->code != PS_ENOENT) {
        on_released(lease, response);
        return;
    }
    lease->call = NULL;
    if (response->code == PS_ENOENT || !kube__lease_is_readable(response->object)) {
        end_release(lease);
        return;
    }
    observe(lease, response->object);
    if (is_mine(lease)) {
        give_back(lease);
    } else {
        end_release(lease);
    }
}

static void release(struct kube_lease *lease)
{
    if (!is_late(lease))
        read_lease(lease, on_release_read);
}

static void on_next_or_release(void *self)
{
    struct kube_lease *lease = self;

    if (lease->state == STATE_RELEASING) {
        release(lease);
    } else if (lease->state == STATE_OVER) {
        lease->released(lease->released_self);
    } else {
        on_next(lease);
    }
}

void kube_lease_release(struct kube_lease *lease, void (*released)(void *self), void *self)
{
    /* A request under way may be the one that makes it ours. */
    const bool may_hold = lease->state == STATE_LEADING || lease->call != NULL;

    ps_assert(lease->released == NULL);
    stop(lease);
    lease->released = released;
    lease->released_self = self;
    lease->state = may_hold ? STATE_RELEASING : STATE_OVER;
    if (may_hold)
        set_deadline(lease, lease->now_ms() + lease->renew_deadline_ms);
    loop_timer_set(lease->next, 0);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int check(const struct kube_lease *lease, const struct kube_lease_options *options,
                 struct ps_err *err)
{
    if (options->namespace == NULL || options->name == NULL || options->identity == NULL ||
        options->namespace[0] == '\0' || options->name[0] == '\0' || options->identity[0] == '\0')
        return ps_fail(err, PS_EINVAL, "lease: a namespace, a name and an identity are needed");
    if (lease->duration_ms <= lease->renew_deadline_ms) {
        return ps_fail(err, PS_EINVAL,
                       "lease: the duration (%lld ms) must be longer than the renew deadline "
                       "(%lld ms)",
                       (long long)lease->duration_ms, (long long)lease->renew_deadline_ms);
    }
    if (lease->renew_deadline_ms * 5 <= lease->retry_ms * 6) {
        return ps_fail(err, PS_EINVAL,
                       "lease: the renew deadline (%lld ms) must be longer than 1.2 times the "
                       "retry period (%lld ms)",
                       (long long)lease->renew_deadline_ms, (long long)lease->retry_ms);
    }
    if (lease->duration_ms > DURATION_MAX_MS || lease->retry_ms < RETRY_MIN_MS) {
        return ps_fail(err, PS_EINVAL,
                       "lease: a duration above a day, or a retry period below %d ms",
                       RETRY_MIN_MS);
    }
    return 0;
}

static struct kube_client *make_client(struct loop *loop, const struct kube_config *config,
                                       const char *user_agent)
{
    PS_AUTO_BUF(agent, 512);

    ps_buf_printf(&agent, "%s leader-election", user_agent);
    ps_assert(!ps_buf_failed(&agent));
    return kube_client_new(loop, config, ps_buf_text(&agent));
}

struct kube_lease *kube_lease_new(struct loop *loop, const struct kube_config *config,
                                  const struct kube_lease_options *options,
                                  const struct kube_lease_callbacks *callbacks, struct ps_err *err)
{
    struct kube_lease *lease = ps_xcalloc(1, sizeof(*lease));

    lease->duration_ms = or_default(options->duration_ms, DURATION_MS);
    lease->renew_deadline_ms = or_default(options->renew_deadline_ms, RENEW_DEADLINE_MS);
    lease->retry_ms = or_default(options->retry_ms, RETRY_MS);
    if (check(lease, options, err) != 0) {
        ps_free(lease);
        return NULL;
    }
    lease->timeout_ms = lease->renew_deadline_ms / 2 > REQUEST_TIMEOUT_MS
                            ? lease->renew_deadline_ms / 2
                            : REQUEST_TIMEOUT_MS;
    lease->loop = loop;
    lease->client = make_client(loop, config, options->user_agent);
    kube_client_fence(lease->client, is_worth_sending, lease);
    kube_client_measure(lease->client, options->metrics);
    lease->namespace = ps_xstrdup(options->namespace);
    lease->name = ps_xstrdup(options->name);
    lease->identity = ps_xstrdup(options->identity);
    lease->now_ms = options->now_ms ? options->now_ms : loop_now_ms;
    lease->on = *callbacks;
    lease->next = loop_timer_new(loop, on_next_or_release, lease);
    lease->deadline = loop_timer_new(loop, on_deadline, lease);
    lease->master = metrics_value(options->metrics, &master_desc, &options->name);
    lease->slow = metrics_value(options->metrics, &slow_desc, &options->name);
    return lease;
}

void kube_lease_start(struct kube_lease *lease)
{
    ps_assert(lease->state == STATE_NEW);
    lease->state = STATE_WAITING;
    loop_timer_set(lease->next, 0);
}

void kube_lease_free(struct kube_lease *lease)
{
    if (lease == NULL)
        return;
    stop(lease);
    loop_timer_free(lease->next);
    loop_timer_free(lease->deadline);
    kube_client_free(lease->client);
    js_unref(lease->seen);
    ps_free(lease->trouble);
    ps_free(lease->namespace);
    ps_free(lease->name);
    ps_free(lease->identity);
    ps_free(lease);
}

bool kube_lease_may_write(const struct kube_lease *lease, int64_t now_ms)
{
    return lease->state == STATE_LEADING && now_ms < lease->deadline_ms;
}

bool kube_lease_fence(void *lease)
{
    const struct kube_lease *self = lease;

    return kube_lease_may_write(self, self->now_ms());
}

bool kube_lease_leads(const struct kube_lease *lease)
{
    return lease->state == STATE_LEADING;
}

const char *kube_lease_holder(const struct kube_lease *lease)
{
    return kube__lease_holder(lease->seen);
}
