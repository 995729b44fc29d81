/* SPDX-License-Identifier: Apache-2.0 */
/* The Secrets that lead to other clusters. Their values are kept as text, wiped when they go, and
 * never told. */
#include "operator/internal.h"

#include <string.h>

static const struct kube_kind secret_kind = {"", "v1", "secrets", "Secret", true};

void operator__secrets_init(struct operator__secrets *secrets, struct controller *op)
{
    *secrets = (struct operator__secrets){.op = op};
    ps_map_init(&secrets->items);
}

static void wipe_text(char *text)
{
    if (text != NULL)
        ps_wipe(text, strlen(text));
    ps_free(text);
}

static void free_secret(struct operator__secret *secret)
{
    if (secret == NULL)
        return;
    wipe_text(secret->data);
    ps_free(secret);
}

void operator__secrets_fini(struct operator__secrets *secrets)
{
    size_t at = 0;
    const char *key;
    void *value;

    if (secrets->reflector != NULL)
        kube_reflector_free(secrets->reflector);
    while (ps_map_next(&secrets->items, &at, &key, &value))
        free_secret(value);
    ps_map_fini(&secrets->items);
    ps_free(secrets->trouble);
}

const struct operator__secret *operator__secret_get(const struct operator__secrets *secrets,
                                                    const char *name)
{
    return ps_map_get(&secrets->items, name);
}

/* ---- from the reflector --------------------------------------------------------------------- */

/* New and owned, to be wiped. A Secret without data has "{}". */
static char *data_of(struct ps_str text)
{
    struct json_t *object PS_AUTO_JS = js_parse(text, NULL);
    const struct json_t *data = js_get(object, "data");

    return js_type(data) == JS_OBJECT ? js_text(data) : ps_xstrdup("{}");
}

static struct operator__secret *secret_of(struct operator__secrets *secrets, const char *name)
{
    struct operator__secret *secret = ps_map_get(&secrets->items, name);

    if (secret != NULL)
        return secret;
    if (secrets->items.count >= OPERATOR__SECRETS_MAX) {
        if (!secrets->full)
            ps_log(PS_LOG_ERROR, "too_many_secrets", "left_out", name, NULL);
        secrets->full = true;
        return NULL;
    }
    secret = ps_xcalloc(1, sizeof(*secret));
    (void)ps_map_put(&secrets->items, name, secret);
    return secret;
}

static void on_item(void *self, const struct kube_seen *seen)
{
    struct operator__secrets *secrets = self;
    struct operator__secret *secret = secret_of(secrets, seen->name);

    if (secret == NULL)
        return;
    char *data = data_of(seen->text);

    secret->seen = secrets->list_number;
    if (ps_streq(secret->data, data)) {
        wipe_text(data);
        return;
    }
    wipe_text(secret->data);
    secret->data = data;
    secret->version = ++secrets->versions;
    ps_log(PS_LOG_INFO, "secret_read", "name", seen->name, NULL);
    if (secrets->synced)
        operator__cluster_secret(secrets->op, seen->name);
}

static void forget(struct operator__secrets *secrets, const char *name)
{
    struct operator__secret *secret = ps_map_remove(&secrets->items, name);

    if (secret == NULL)
        return;
    free_secret(secret);
    if (secrets->synced)
        operator__cluster_secret(secrets->op, name);
}

static void on_deleted(void *self, const struct kube_seen *seen)
{
    forget(self, seen->name);
}

static void on_list_begin(void *self)
{
    struct operator__secrets *secrets = self;

    secrets->list_number++;
}

static void on_list_end(void *self, const char *rv)
{
    struct operator__secrets *secrets = self;
    const bool first = !secrets->synced;
    size_t at = 0;
    const char *key;
    void *value;

    (void)rv;
    secrets->synced = true;
    while (ps_map_next(&secrets->items, &at, &key, &value)) {
        char *name PS_AUTO_FREE = ps_xstrdup(key);

        if (((struct operator__secret *)value)->seen != secrets->list_number)
            forget(secrets, name);
    }
    if (first)
        operator__cluster_secret(secrets->op, NULL);
}

static void on_progress(void *self, const char *rv)
{
    (void)self;
    (void)rv;
}

/* What was known of it stays. What cannot be read is not repeated: it is a secret. */
static void on_poison(void *self, const char *namespace, const char *name, const char *why)
{
    struct operator__secrets *secrets = self;
    struct operator__secret *secret = name ? ps_map_get(&secrets->items, name) : NULL;

    (void)why;
    if (secret != NULL)
        secret->seen = secrets->list_number;
    ps_log(PS_LOG_ERROR, "object_unreadable", "kind", secret_kind.kind, "namespace", namespace,
           "name", name, NULL);
}

static void on_health(void *self, const char *trouble)
{
    struct operator__secrets *secrets = self;

    ps_free(secrets->trouble);
    secrets->trouble = trouble ? ps_xstrdup(trouble) : NULL;
    ps_log(trouble ? PS_LOG_WARN : PS_LOG_INFO, trouble ? "watch_trouble" : "watch_in_order",
           "kind", secret_kind.kind, "error", trouble, NULL);
    if (!secrets->synced)
        operator__cluster_secret(secrets->op, NULL);
}

void operator__secrets_want(struct operator__secrets *secrets)
{
    const struct kube_reflector_options options = {
        .kind = &secret_kind,
        .namespace = secrets->op->namespace,
        .label_selector = MODEL_LABEL_CREDENTIALS "=true",
    };
    const struct kube_reflector_callbacks callbacks = {
        .on_list_begin = on_list_begin,
        .on_list_item = on_item,
        .on_list_end = on_list_end,
        .on_changed = on_item,
        .on_deleted = on_deleted,
        .on_progress = on_progress,
        .on_poison = on_poison,
        .on_health = on_health,
        .self = secrets,
    };

    if (secrets->reflector != NULL)
        return;
    secrets->reflector = kube_reflector_new(secrets->op->client, &options, &callbacks);
    kube_reflector_start(secrets->reflector);
}
