/* SPDX-License-Identifier: Apache-2.0 */
/* A plan under construction, and as JSON. */
#include "plan/internal.h"

#define UID_DIGITS 8

struct plan *plan__new(void)
{
    struct plan *plan = ps_xcalloc(1, sizeof(*plan));

    ps_arena_init(&plan->arena);
    plan->wake_ms = -1;
    plan->summary = "nothing to do";
    return plan;
}

struct plan *plan_nothing(void)
{
    return plan__new();
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->op_count; i++)
        js_unref(plan->ops[i].body);
    ps_free(plan->ops);
    js_unref(plan->status);
    ps_arena_fini(&plan->arena);
    ps_free(plan);
}

void plan__op(struct plan *plan, struct plan_op op)
{
    ps_assert(plan->op_count < PLAN_OPS_MAX);
    ps_assert((op.verb == PLAN_DELETE) == (op.uid != NULL));
    op.namespace = ps_arena_dup(&plan->arena, op.namespace);
    op.name = ps_arena_dup(&plan->arena, op.name);
    op.uid = ps_arena_dup(&plan->arena, op.uid);
    op.cluster = ps_arena_dup(&plan->arena, op.cluster);
    plan->ops = ps_xrealloc(plan->ops, (plan->op_count + 1) * sizeof(*plan->ops));
    plan->ops[plan->op_count++] = op;
}

void plan__delete(struct plan *plan, int stage, const struct model_object *object)
{
    plan__op(plan, (struct plan_op){.stage = stage,
                                    .verb = PLAN_DELETE,
                                    .kind = object->kind,
                                    .namespace = object->namespace,
                                    .name = object->name,
                                    .uid = object->uid,
                                    .cluster = object->cluster,
                                    .foreground = object->kind == MODEL_STATEFUL_SET});
}

static bool is_same(const struct plan_need *a, const struct plan_need *b)
{
    return a->kind == b->kind && ps_streq(a->namespace, b->namespace) &&
           ps_streq(a->name, b->name) && ps_streq(a->cluster, b->cluster);
}

void plan__need(struct plan *plan, struct plan_need what)
{
    for (size_t i = 0; i < plan->need_count; i++) {
        if (is_same(&plan->needs[i], &what))
            return;
    }
    if (plan->need_count == PLAN_NEEDS_MAX) /* the rest is asked for by the next pass */
        return;
    plan->needs[plan->need_count++] =
        (struct plan_need){.kind = what.kind,
                           .namespace = ps_arena_dup(&plan->arena, what.namespace),
                           .name = ps_arena_dup(&plan->arena, what.name),
                           .cluster = ps_arena_dup(&plan->arena, what.cluster)};
}

const struct plan_fact *plan__fact(const struct plan_snapshot *s, struct plan_need what)
{
    for (size_t i = 0; i < s->fact_count; i++) {
        const struct plan_fact *fact = &s->facts[i];
        const struct plan_need about = {fact->kind, fact->namespace, fact->name, fact->cluster};

        if (is_same(&about, &what))
            return fact->seen == PLAN_UNKNOWN ? NULL : fact;
    }
    return NULL;
}

const struct plan_fact *plan__ask(struct plan *plan, const struct plan_snapshot *s,
                                  struct plan_need what)
{
    const struct plan_fact *fact = plan__fact(s, what);

    if (fact == NULL)
        plan__need(plan, what);
    return fact;
}

void plan__event(struct plan *plan, bool warning, const char *reason, const char *note)
{
    if (plan->event_count == PLAN_EVENTS_MAX)
        return;
    plan->events[plan->event_count++] = (struct plan_event){
        warning, ps_arena_dup(&plan->arena, reason), ps_arena_dup(&plan->arena, note)};
}

void plan__wake(struct plan *plan, int64_t after_ms)
{
    if (plan->wake_ms < 0 || after_ms < plan->wake_ms)
        plan->wake_ms = after_ms;
}

const char *plan__uid_digits(struct ps_arena *arena, const char *uid)
{
    char hash[CODEC_SHA256_HEX];

    codec_sha256_hex(ps_str(uid), hash);
    return ps_arena_str(arena, ps_str_n(hash, UID_DIGITS));
}

const char *plan__trouble_text(struct ps_arena *arena, const struct plan_trouble *t)
{
    return ps_arena_printf(arena, "%s %s%s%s%s%s: %s", model_kind_name(t->kind),
                           t->namespace ? t->namespace : "", t->namespace ? "/" : "", t->name,
                           t->cluster ? " on platform " : "", t->cluster ? t->cluster : "",
                           t->message);
}

const char *plan__trouble_reason(const struct plan_trouble *t)
{
    if (ps_str_find(ps_str(t->message), "exceeded quota") >= 0)
        return "QuotaExceeded";
    switch (ps_code_class(t->code)) {
    case PS_CLASS_AUTH:
        return "Forbidden";
    case PS_CLASS_INVALID:
        return "Rejected";
    case PS_CLASS_RETRY:
    case PS_CLASS_THROTTLED:
        return "ApiServerTrouble";
    case PS_CLASS_CONFLICT:
    case PS_CLASS_GONE:
    case PS_CLASS_FOREIGN:
        return "WriteFailed";
    }
    ps_unreachable();
}

static const char *verb_name(enum plan_verb verb)
{
    switch (verb) {
    case PLAN_CREATE:
        return "create";
    case PLAN_PATCH:
        return "patch";
    case PLAN_PATCH_STRATEGIC:
        return "patch-strategic";
    case PLAN_PATCH_STATUS:
        return "patch-status";
    case PLAN_DELETE:
        return "delete";
    }
    ps_unreachable();
}

static struct json_t *op_json(const struct plan_op *op)
{
    struct json_t *json = js_object();

    js_set_int(json, "stage", op->stage);
    js_set_str(json, "verb", verb_name(op->verb));
    js_set_str(json, "cluster", op->cluster);
    js_set_str(json, "kind", model_kind_name(op->kind));
    js_set_str(json, "namespace", op->namespace);
    js_set_str(json, "name", op->name);
    js_set_str(json, "uid", op->uid);
    if (op->foreground)
        js_set_bool(json, "foreground", true);
    if (op->partial)
        js_set_bool(json, "partial", true);
    js_set(json, "body", js_copy(op->body));
    return json;
}

struct json_t *plan_json(const struct plan *plan)
{
    struct json_t *json = js_object(), *ops = js_array(), *needs = js_array(), *events = js_array();

    for (size_t i = 0; i < plan->op_count; i++)
        js_push(ops, op_json(&plan->ops[i]));
    for (size_t i = 0; i < plan->need_count; i++) {
        struct json_t *need = js_object();

        js_set_str(need, "cluster", plan->needs[i].cluster);
        js_set_str(need, "kind", model_kind_name(plan->needs[i].kind));
        js_set_str(need, "namespace", plan->needs[i].namespace);
        js_set_str(need, "name", plan->needs[i].name);
        js_push(needs, need);
    }
    for (size_t i = 0; i < plan->event_count; i++) {
        struct json_t *event = js_object();

        js_set_str(event, "type", plan->events[i].warning ? "Warning" : "Normal");
        js_set_str(event, "reason", plan->events[i].reason);
        js_set_str(event, "note", plan->events[i].note);
        js_push(events, event);
    }
    js_set_str(json, "summary", plan->summary);
    js_set(json, "ops", ops);
    js_set(json, "needs", needs);
    js_set(json, "events", events);
    js_set(json, "status", js_copy(plan->status));
    js_set_int(json, "wakeMs", plan->wake_ms);
    if (plan->standing != PLAN_IDLE)
        js_set_str(json, "standing", plan->standing == PLAN_ACTIVE ? "active" : "queued");
    return json;
}
