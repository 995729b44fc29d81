/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: parsed once for each change, planned like streams. */
#include "operator/internal.h"

static void free_account(struct operator__account *account)
{
    if (account == NULL)
        return;
    ps_arena_fini(&account->arena);
    js_unref(account->object);
    ps_free(account);
}

void operator__accounts_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->accounts, &at, &key, &value))
        free_account(value);
    ps_map_fini(&op->accounts);
}

/* Parsed at the first use after a change. */
void operator__account_changed(struct controller *op, const struct model_object *before,
                               const struct model_object *after)
{
    free_account(ps_map_remove(&op->accounts, after ? after->name : before->name));
}

const struct operator__account *operator__account_get(struct controller *op, const char *name)
{
    struct operator__account *account = ps_map_get(&op->accounts, name);
    const struct operator__entry *entry =
        operator__store_get(&op->stores[MODEL_ACCOUNT], NULL, name);

    if (account != NULL || entry == NULL)
        return account;
    account = ps_xcalloc(1, sizeof(*account));
    ps_arena_init(&account->arena);
    account->object = operator__entry_tree(entry);
    account->account = model_account_read(&account->arena, account->object, &op->account_vars);
    (void)ps_map_put(&op->accounts, name, account);
    return account;
}

/* ---- counts --------------------------------------------------------------------------------- */

#define COUNT_MS 10000 /* the numbers of an account are written at most that often */

void operator__recount(struct controller *op, const char *name)
{
    int64_t *next = ps_map_get(&op->recounts, name);
    const int64_t now = loop_now_ms();

    if (!op->synced)
        return;
    if (next == NULL) {
        next = ps_xcalloc(1, sizeof(*next));
        (void)ps_map_put(&op->recounts, name, next);
    }
    const int64_t wait = *next > now ? *next - now : 0;

    if (wait == 0)
        *next = now + COUNT_MS;
    operator__enqueue_after(op, MODEL_ACCOUNT, NULL, name, LOOP_WOKEN, wait);
}

void operator__recounts_fini(struct controller *op)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->recounts, &at, &key, &value))
        ps_free(value);
    ps_map_fini(&op->recounts);
}

static int64_t count_streams(struct controller *op, const char *name)
{
    int64_t count = 0;
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[MODEL_STREAM].entries, &at, &key, &value))
        count += model_names_platform(((struct operator__entry *)value)->object, name);
    return count;
}

/* While launches are there that no plan has judged yet (after a start), what the status says stays.
 */
static void count_tasks(struct controller *op, struct plan_account_snapshot *snapshot)
{
    const struct operator__line *line = operator__slots_line(&op->slots, snapshot->account->name);

    if (line != NULL && line->unjudged > 0) {
        snapshot->running_tasks = js_path_int(snapshot->account->status, "tasks.running", 0);
        snapshot->waiting_tasks = js_path_int(snapshot->account->status, "tasks.waiting", 0);
    } else if (line != NULL) {
        snapshot->running_tasks = line->active;
        snapshot->waiting_tasks = (int64_t)line->waiting_count;
    }
}

static const struct model_object *target_of(const struct controller *op,
                                            const struct operator__cluster *cluster,
                                            const char *namespace)
{
    const struct operator__store *stores = cluster ? cluster->stores : op->stores;
    const struct operator__entry *entry =
        namespace ? operator__store_get(&stores[MODEL_NAMESPACE], NULL, namespace) : NULL;

    return entry ? entry->object : NULL;
}

struct plan *operator__plan_account(struct controller *op, const char *no_namespace,
                                    const char *name, const struct operator__evidence *evidence)
{
    const struct operator__account *account = operator__account_get(op, name);
    const struct operator__cluster *cluster = operator__cluster_get(op, name);
    struct ps_arena arena;

    (void)no_namespace;
    if (account == NULL)
        return NULL;
    ps_arena_init(&arena);
    struct plan_account_snapshot snapshot = {
        .now_ms = loop_wall_ms(),
        .account = account->account,
        .target_namespace = target_of(op, cluster, account->account->namespace),
        .server = cluster ? cluster->view.server : kube_client_server(op->client),
        .version = cluster ? cluster->view.version : op->version,
        .streams = count_streams(op, name),
        .object = account->object,
        .cluster = cluster ? &cluster->view : NULL,
        .troubles = evidence->troubles,
        .trouble_count = evidence->trouble_count,
    };

    if (cluster != NULL)
        snapshot.uses = operator__cluster_uses(cluster, &arena);
    count_tasks(op, &snapshot);
    struct plan *plan = plan_account(&snapshot);

    ps_arena_fini(&arena);
    return plan;
}
