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
    account->object = js_parse(ps_str(entry->text), NULL);
    account->account = model_account_read(&account->arena, account->object, &op->account_vars);
    (void)ps_map_put(&op->accounts, name, account);
    return account;
}

static int64_t count_streams(struct controller *op, const char *name)
{
    int64_t count = 0;
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&op->stores[MODEL_STREAM].entries, &at, &key, &value))
        count += ps_streq(((struct operator__entry *)value)->object->platform, name);
    return count;
}

struct plan *operator__plan_account(struct controller *op, const char *name)
{
    const struct operator__account *account = operator__account_get(op, name);
    const char *namespace = account ? account->account->namespace : NULL;
    const struct operator__entry *target =
        namespace ? operator__store_get(&op->stores[MODEL_NAMESPACE], NULL, namespace) : NULL;

    if (account == NULL)
        return NULL;
    const struct plan_account_snapshot snapshot = {
        .now_ms = loop_wall_ms(),
        .account = account->account,
        .target_namespace = target ? target->object : NULL,
        .server = kube_client_server(op->client),
        .version = op->version,
        .streams = count_streams(op, name),
    };

    return plan_account(&snapshot);
}
