/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: what passes are about, as texts: "stream/<namespace>/<name>", "account/<name>". */
#include "operator/internal.h"

#define KEY_MAX ((size_t)1024)

static const struct operator__subject subjects[] = {
    {"stream", MODEL_STREAM, operator__plan_stream},
    {"task", MODEL_TASK, operator__plan_task},
    {"account", MODEL_ACCOUNT, operator__plan_account},
};

static const struct operator__subject *subject_of(enum model_kind kind)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(subjects); i++) {
        if (subjects[i].kind == kind)
            return &subjects[i];
    }
    return NULL;
}

bool operator__is_subject(enum model_kind kind)
{
    return subject_of(kind) != NULL;
}

void operator__key_print(struct ps_buf *out, enum model_kind kind, const char *namespace,
                         const char *name)
{
    const struct operator__subject *subject = subject_of(kind);

    ps_assert(subject != NULL);
    if (model_kind_info(kind)->namespaced) {
        ps_buf_printf(out, "%s/%s/%s", subject->word, namespace, name);
    } else {
        ps_buf_printf(out, "%s/%s", subject->word, name);
    }
}

struct operator__key operator__key_parse(const char *text)
{
    struct ps_str rest = ps_str(text), word, namespace;
    struct operator__key key = {0};

    (void)ps_str_split(&rest, '/', &word);
    for (size_t i = 0; i < PS_ARRAY_LEN(subjects); i++) {
        if (ps_str_is(word, subjects[i].word))
            key.subject = &subjects[i];
    }
    ps_assert(key.subject != NULL); /* nobody else makes keys */
    if (model_kind_info(key.subject->kind)->namespaced && ps_str_split(&rest, '/', &namespace))
        key.namespace = ps_xstrndup(namespace.p, namespace.n);
    key.name = ps_xstrndup(rest.p, rest.n);
    return key;
}

void operator__key_fini(struct operator__key *key)
{
    ps_free(key->namespace);
    ps_free(key->name);
}

/* ---- into the queue ------------------------------------------------------------------------- */

/* Streams and launches of one account wait for the same servers; an account's own pass writes its
 * status only. */
static const char *group_of(const struct controller *op, enum model_kind kind,
                            const char *namespace, const char *name)
{
    const struct operator__entry *entry =
        kind != MODEL_ACCOUNT ? operator__store_get(&op->stores[kind], namespace, name) : NULL;

    return entry ? entry->object->platform : NULL;
}

void operator__enqueue_after(struct controller *op, enum model_kind kind, const char *namespace,
                             const char *name, enum loop_level level, int64_t delay_ms)
{
    PS_AUTO_BUF(key, KEY_MAX);

    if (!op->synced || op->stopping)
        return;
    operator__key_print(&key, kind, namespace, name);
    loop_queue_add(op->queue, ps_buf_text(&key), group_of(op, kind, namespace, name), level,
                   delay_ms);
}

void operator__enqueue(struct controller *op, const struct model_object *object,
                       enum loop_level level)
{
    operator__enqueue_after(op, object->kind, object->namespace, object->name, level, 0);
}

/* The kind of an owner annotation, when it has children. */
static bool owner_kind(struct ps_str name, enum model_kind *kind)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(subjects); i++) {
        *kind = subjects[i].kind;
        if (model_kind_info(*kind)->namespaced && ps_str_is(name, model_kind_name(*kind)))
            return true;
    }
    return false;
}

void operator__enqueue_owner(struct controller *op, const char *owner, enum loop_level level)
{
    struct ps_str rest = ps_str(owner), word, namespace;
    enum model_kind kind;
    PS_AUTO_BUF(ns, KEY_MAX);

    if (!ps_str_split(&rest, '/', &word) || !owner_kind(word, &kind) ||
        !ps_str_split(&rest, '/', &namespace) || namespace.n == 0 || rest.n == 0)
        return;
    ps_buf_view(&ns, namespace);
    operator__enqueue_after(op, kind, ps_buf_text(&ns), rest.p, level, 0);
}
