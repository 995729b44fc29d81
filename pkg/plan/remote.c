/* SPDX-License-Identifier: Apache-2.0 */
/* A stream in other clusters: where it has, or may have, children, and what that keeps from being
 * done while one of them cannot be reached. */
#include "plan/pass.h"

/* ---- where it may have children -------------------------------------------------------------- */

static bool is_in_force(const struct plan__pass *pass, const char *cluster)
{
    for (size_t i = 0; i < pass->objects.count; i++) {
        if (ps_streq(pass->objects.items[i].cluster, cluster))
            return true;
    }
    return false;
}

/* Written down before the first object is made there: also while the account gets ready for it.
 * What cannot be reached, and never was, holds nothing of the stream. */
static bool will_be_used(const struct plan__pass *pass, const char *cluster)
{
    return cluster != NULL && pass->waiting_reason == NULL && plan__is_open(pass->s, cluster);
}

static void keep_recorded(struct plan__pass *pass)
{
    struct ps_str rest = ps_str(plan__recorded_clusters(pass->s->cr)), item;

    while (ps_str_split(&rest, ',', &item)) {
        const char *name = ps_arena_str(pass->arena, item);
        const bool used = is_in_force(pass, name), away = !plan__is_open(pass->s, name);

        if (item.n == 0 || (!used && !away))
            continue;
        pass->clusters = plan__names_add(pass->arena, pass->clusters, name);
        if (!used && pass->left_over == NULL && !pass->blind)
            pass->left_over = name;
    }
}

void plan__stream_clusters(struct plan__pass *pass)
{
    pass->clusters = "";
    keep_recorded(pass);
    for (size_t i = 0; i < pass->own_count; i++) {
        if (pass->own[i]->cluster != NULL)
            pass->clusters = plan__names_add(pass->arena, pass->clusters, pass->own[i]->cluster);
    }
    for (size_t i = 0; i < pass->objects.count; i++) {
        const char *cluster = pass->objects.items[i].cluster;

        if (will_be_used(pass, cluster))
            pass->clusters = plan__names_add(pass->arena, pass->clusters, cluster);
        if (pass->away == NULL && !plan__is_open(pass->s, cluster))
            pass->away = cluster;
    }
}

static bool has_all(struct plan__pass *pass, const char *names, const char *wanted)
{
    struct ps_str rest = ps_str(wanted), item;

    while (ps_str_split(&rest, ',', &item)) {
        if (item.n > 0 && !model_names_has(names, ps_arena_str(pass->arena, item)))
            return false;
    }
    return true;
}

/* A name comes before what is made there, and goes when nothing is left to do. */
void plan__stream_record(struct plan__pass *pass)
{
    const char *recorded = plan__recorded_clusters(pass->s->cr);
    const bool more = !has_all(pass, recorded, pass->clusters),
               less = !has_all(pass, pass->clusters, recorded);

    if (pass->hold || more || (less && pass->plan->op_count == 0 && pass->stream.has_finalizer))
        plan__hold(pass->plan, MODEL_STREAM, pass->stream.object, pass->clusters);
}

/* ---- what cannot be seen --------------------------------------------------------------------- */

bool plan__was_there(const struct plan__pass *pass, const struct plan__object *o)
{
    const char *part = model_is_workload(o->kind) ? "resource" : "service";
    const struct json_t *record = js_get(plan__old_app(pass, o->app), part);

    return o->cluster != NULL && js_path_str(record, "uid") != NULL &&
           ps_streq(js_path_str(record, "name"), o->name);
}

const char *plan__unseen_numbers(struct plan__pass *pass, const struct plan__object *o)
{
    for (size_t i = 0; o->kind == MODEL_STATEFUL_SET && i < pass->own_count; i++) {
        struct plan__objects manifest;

        if (pass->own[i]->kind != MODEL_REVISION ||
            plan__manifest_read(pass->arena, pass->own[i]->manifest, &manifest, NULL) != 0)
            continue;
        for (size_t k = 0; k < manifest.count; k++) {
            const struct plan__object *old = &manifest.items[k];

            if (old->kind != o->kind || !ps_streq(old->app, o->app) ||
                plan__is_open(pass->s, old->cluster) ||
                !model_names_has(pass->clusters, old->cluster))
                continue;
            return ps_arena_printf(
                pass->arena,
                "app %s: StatefulSet %s/%s waits until it is known that the instances of %s/%s are "
                "gone, since two of one number must not run: %s",
                o->app, o->namespace, o->name, old->namespace, old->name,
                plan__away_text(pass->arena, pass->s, old->cluster));
        }
    }
    return NULL;
}

bool plan__changes_unseen(struct plan__pass *pass, const struct plan__objects *current)
{
    for (size_t i = 0; i < pass->fresh.count; i++) {
        const struct plan__object *o = &pass->fresh.items[i];
        const struct plan__object *before = plan__objects_find(current, plan__key(o));

        if (o->kind != MODEL_STATEFUL_SET || before == NULL || plan__is_open(pass->s, o->cluster) ||
            ps_streq(plan__fixed_hash(pass->arena, before->body),
                     plan__fixed_hash(pass->arena, o->body)))
            continue;
        pass->replacing = ps_arena_printf(
            pass->arena, "app %s: StatefulSet %s/%s has to be replaced, which waits: %s", o->app,
            o->namespace, o->name, plan__away_text(pass->arena, pass->s, o->cluster));
        return true;
    }
    return false;
}

bool plan__needs_history(const struct plan__pass *pass)
{
    for (size_t i = 0; i < pass->own_count; i++) {
        const struct model_object *o = pass->own[i];

        if (o->cluster != NULL && plan__objects_find(&pass->objects, plan__key_of(o)) == NULL)
            return true;
    }
    return plan__first_away(pass->arena, pass->s, pass->clusters) != NULL;
}
