/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values: jansson behind names that accept whatever shape outside objects have. */
#include "codec/codec.h"

#include <jansson.h>
#include <string.h>

#define PATH_PART_MAX ((size_t)256)

void codec_init(void)
{
    json_set_alloc_funcs(ps_xmalloc, ps_free);
    json_object_seed(0);
}

static struct json_t *parse(struct ps_str text, size_t flags, struct ps_err *err)
{
    json_error_t bad;

    if (text.n > CODEC_JSON_MAX) {
        (void)ps_fail(err, PS_ELIMIT, "JSON of %zu bytes: at most %zu are read", text.n,
                      CODEC_JSON_MAX);
        return NULL;
    }
    struct json_t *value = json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | flags, &bad);

    if (value == NULL) {
        /* jansson quotes the text behind " near ": it may be a secret. */
        const ptrdiff_t near = ps_str_find(ps_str(bad.text), " near ");

        (void)ps_fail(err, PS_EINVAL, "not JSON: line %d, column %d: %.*s", bad.line, bad.column,
                      near < 0 ? (int)sizeof(bad.text) : (int)near, bad.text);
    }
    return value;
}

struct json_t *js_parse(struct ps_str text, struct ps_err *err)
{
    return parse(text, JSON_REJECT_DUPLICATES, err);
}

struct json_t *js_parse_lenient(struct ps_str text, struct ps_err *err)
{
    return parse(text, 0, err);
}

struct json_t *js_object(void)
{
    return json_object();
}

struct json_t *js_array(void)
{
    return json_array();
}

struct json_t *js_string(const char *text)
{
    return js_string_n(ps_str(text));
}

struct json_t *js_string_n(struct ps_str text)
{
    struct json_t *value = json_stringn(text.p ? text.p : "", text.n);

    if (value != NULL)
        return value;
    /* Not UTF-8: written with replacement characters and read back. */
    PS_AUTO_BUF(buf, SIZE_MAX - 1);
    ps_buf_json(&buf, text);
    value = json_loadb(buf.p, buf.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    ps_assert(value != NULL);
    return value;
}

struct json_t *js_integer(int64_t value)
{
    return json_integer(value);
}

struct json_t *js_bool(bool value)
{
    return json_boolean(value);
}

struct json_t *js_null(void)
{
    return json_null();
}

struct json_t *js_copy(const struct json_t *value)
{
    return value ? json_deep_copy(value) : NULL;
}

struct json_t *js_copy_top(const struct json_t *value)
{
    /* jansson takes references of the members, and changes nothing else. */
    return json_copy((struct json_t *)(uintptr_t)value);
}

struct json_t *js_ref(struct json_t *value)
{
    return json_incref(value);
}

void js_unref(struct json_t *value)
{
    json_decref(value);
}

void js_cleanup(struct json_t **value)
{
    json_decref(*value);
}

void js_set(struct json_t *object, const char *key, struct json_t *value)
{
    if (value != NULL)
        ps_assert(json_object_set_new(object, key, value) == 0);
}

void js_set_str(struct json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        js_set(object, key, js_string(text));
}

void js_set_int(struct json_t *object, const char *key, int64_t value)
{
    js_set(object, key, js_integer(value));
}

void js_set_bool(struct json_t *object, const char *key, bool value)
{
    js_set(object, key, js_bool(value));
}

void js_remove(struct json_t *object, const char *key)
{
    (void)json_object_del(object, key);
}

void js_push(struct json_t *array, struct json_t *value)
{
    if (value != NULL)
        ps_assert(json_array_append_new(array, value) == 0);
}

struct json_t *js_child(struct json_t *object, const char *key)
{
    struct json_t *child = js_get(object, key);

    if (!json_is_object(child)) {
        child = json_object();
        js_set(object, key, child);
    }
    return child;
}

struct json_t *js_get(const struct json_t *object, const char *key)
{
    return json_object_get(object, key);
}

struct json_t *js_path(const struct json_t *object, const char *path)
{
    struct ps_str rest = ps_str(path), part;
    struct json_t *at = NULL;

    while (ps_str_split(&rest, '.', &part)) {
        char key[PATH_PART_MAX];

        ps_assert(part.n < sizeof(key));
        memcpy(key, part.p, part.n);
        key[part.n] = '\0';
        at = json_object_get(object, key);
        object = at;
    }
    return at;
}

const char *js_str(const struct json_t *string)
{
    return json_string_value(string);
}

const char *js_path_str(const struct json_t *object, const char *path)
{
    return js_str(js_path(object, path));
}

int64_t js_int(const struct json_t *integer, int64_t otherwise)
{
    return json_is_integer(integer) ? json_integer_value(integer) : otherwise;
}

int64_t js_path_int(const struct json_t *object, const char *path, int64_t otherwise)
{
    return js_int(js_path(object, path), otherwise);
}

bool js_path_bool(const struct json_t *object, const char *path, bool otherwise)
{
    const struct json_t *value = js_path(object, path);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

bool js_is_true(const struct json_t *value)
{
    return json_is_true(value);
}

size_t js_len(const struct json_t *array_or_object)
{
    return json_is_array(array_or_object) ? json_array_size(array_or_object)
                                          : json_object_size(array_or_object);
}

struct json_t *js_at(const struct json_t *array, size_t i)
{
    return json_array_get(array, i);
}

bool js_equal(const struct json_t *a, const struct json_t *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(a, b));
}

enum js_type js_type(const struct json_t *value)
{
    if (value == NULL)
        return JS_ABSENT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return JS_OBJECT;
    case JSON_ARRAY:
        return JS_ARRAY;
    case JSON_STRING:
        return JS_STRING;
    case JSON_INTEGER:
        return JS_INT;
    case JSON_REAL:
        return JS_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JS_BOOL;
    case JSON_NULL:
        return JS_NULL;
    }
    ps_unreachable();
}

const char *js_type_name(const struct json_t *value)
{
    static const char *const names[] = {"nothing",  "null",     "a boolean", "an integer",
                                        "a number", "a string", "a list",    "an object"};

    return names[js_type(value)];
}

bool js_next(const struct json_t *object, void **at, const char **key, struct json_t **value)
{
    /* jansson's iterators want a writable object, and change nothing in it. */
    struct json_t *writable = (struct json_t *)(uintptr_t)object;

    *at = *at ? json_object_iter_next(writable, *at) : json_object_iter(writable);
    if (*at == NULL)
        return false;
    *key = json_object_iter_key(*at);
    *value = json_object_iter_value(*at);
    return true;
}
