/* SPDX-License-Identifier: Apache-2.0 */
/* Flat property lists, and the way from nested ones to them. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#define FLATTEN_DEPTH_MAX 16

const char *model_properties_get(const struct model_properties *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key) == 0)
            return list->items[i].value;
    }
    return NULL;
}

static void append(struct ps_arena *arena, struct model_properties *list, const char *key,
                   const char *value)
{
    if (list->count == list->cap) {
        const size_t cap = list->cap ? list->cap * 2 : 16;
        struct model_property *items = ps_arena_array(arena, cap, sizeof(*items));

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = (struct model_property){key, value};
}

void model_properties_put(struct ps_arena *arena, struct model_properties *list, const char *key,
                          const char *value)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key) == 0) {
            list->items[i].value = value;
            return;
        }
    }
    append(arena, list, key, value);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct model_property *)a)->key, ((const struct model_property *)b)->key);
}

void model_properties_sort(struct model_properties *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), by_key);
}

struct flatten {
    struct ps_arena *arena;
    size_t max;
    struct model_properties *out;
    struct ps_err *err;
};

static const char *scalar_text(struct ps_arena *arena, const struct json_t *value)
{
    switch (js_type(value)) {
    case JS_STRING:
        return js_str(value);
    case JS_INT:
        return ps_arena_printf(arena, "%lld", (long long)js_int(value, 0));
    case JS_BOOL:
        return js_is_true(value) ? "true" : "false";
    case JS_ABSENT:
    case JS_NULL:
        return "";
    case JS_REAL: {
        char *text PS_AUTO_FREE = js_text(value);

        return ps_arena_dup(arena, text);
    }
    case JS_ARRAY:
    case JS_OBJECT:
        break;
    }
    ps_unreachable();
}

/* Bounded recursion: FLATTEN_DEPTH_MAX levels. */
static int flatten_value(const struct flatten *f, const char *key, const struct json_t *value,
                         int depth)
{
    const enum js_type type = js_type(value);

    if (depth > FLATTEN_DEPTH_MAX) {
        return ps_fail(f->err, PS_ELIMIT, "%s: nested deeper than %d levels", key,
                       FLATTEN_DEPTH_MAX);
    }
    if (type == JS_ARRAY) {
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < js_len(value); i++) {
            rc = flatten_value(f, ps_arena_printf(f->arena, "%s[%zu]", key, i), js_at(value, i),
                               depth + 1);
        }
        return rc;
    }
    if (type == JS_OBJECT) {
        void *at = NULL;
        const char *name;
        struct json_t *member;
        int rc = 0;

        while (rc == 0 && js_next(value, &at, &name, &member)) {
            rc = flatten_value(f,
                               *key ? ps_arena_printf(f->arena, "%s.%s", key, name)
                                    : ps_arena_dup(f->arena, name),
                               member, depth + 1);
        }
        return rc;
    }
    if (f->out->count >= f->max)
        return ps_fail(f->err, PS_ELIMIT, "more than %zu entries", f->max);
    model_properties_put(f->arena, f->out, key, scalar_text(f->arena, value));
    return 0;
}

int model_properties_flatten(struct ps_arena *arena, const struct json_t *object, size_t max,
                             struct model_properties *out, struct ps_err *err)
{
    const struct flatten f = {arena, max, out, err};

    if (object == NULL)
        return 0;
    if (js_type(object) != JS_OBJECT)
        return ps_fail(err, PS_EINVAL, "expected an object, found %s", js_type_name(object));
    return flatten_value(&f, "", object, 0);
}

const char *model_lower(struct ps_arena *arena, const char *text)
{
    char *out = ps_arena_dup(arena, text);

    for (char *c = out; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return out;
}

const char *model_relaxed(struct ps_arena *arena, const char *key)
{
    const char *lower = model_lower(arena, key);
    char *out = ps_arena_dup(arena, lower), *to = out;

    for (const char *c = lower; *c != '\0'; c++) {
        if (strchr("-_.", *c) == NULL)
            *to++ = *c;
    }
    *to = '\0';
    return out;
}

bool model_is_secret_key(const char *key)
{
    /* SCDF's ArgumentSanitizer, and the plain words of design: a value shown once is shown for
     * ever. */
    static const char *const words[] = {"password", "passwd",     "secret",
                                        "token",    "credential", "vcap_services"};
    PS_AUTO_FREE char *text = ps_xstrdup(key);
    const struct ps_str lower = ps_str(text);

    for (char *c = text; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    for (size_t i = 0; i < PS_ARRAY_LEN(words); i++) {
        if (ps_str_find(lower, words[i]) >= 0)
            return true;
    }
    return ps_str_ends(lower, "key") || ps_str_ends(lower, "username");
}
