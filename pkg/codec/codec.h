/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec: bytes to values and back: JSON (jansson), YAML as JSON (libyaml), quantities, base64, gzip
 * (zlib), SHA-256 (openssl), and the difference of two JSON values as a Kubernetes patch.
 *
 * JSON values are jansson's, seen from outside as the opaque `struct json_t`. Rules of ownership:
 *   js_object/js_array/js_string/… return a new reference
 *   js_set/js_push take the reference of the value they put in (a NULL value puts nothing in)
 *   js_get/js_at/js_path borrow from their container
 * PS_AUTO_JS drops a reference at the end of the block.
 * Readers accept NULL and values of another type, and answer "absent": outside objects have any
 * shape.
 */
#ifndef PS_CODEC_H
#define PS_CODEC_H

#include "base/base.h"

struct json_t;

/* Makes jansson abort when memory is out; call once before anything else. */
void codec_init(void);

/* ---- JSON ---------------------------------------------------------------------------------- */

#define CODEC_JSON_MAX ((size_t)8 * 1024 * 1024) /* text of one value; API objects end at 3 MiB */

/* One value, nothing after it. NULL and *err (with line and column) when it is not JSON. */
struct json_t *js_parse(struct ps_str text, struct ps_err *err) PS_MUST_CHECK;
/* Compact, keys in sorted order: equal values give equal text. */
void js_print(struct ps_buf *out, const struct json_t *value);
char *js_text(const struct json_t *value); /* caller frees */
/* The same over many lines, indented by two, with a line end: for people and for diffs. */
void js_print_pretty(struct ps_buf *out, const struct json_t *value);

struct json_t *js_object(void);
struct json_t *js_array(void);
struct json_t *js_string(const char *text);
struct json_t *js_string_n(struct ps_str text); /* bytes that are not UTF-8 are replaced */
struct json_t *js_integer(int64_t value);
struct json_t *js_bool(bool value);
struct json_t *js_null(void);
struct json_t *js_copy(const struct json_t *value); /* deep */
struct json_t *js_ref(struct json_t *value);
void js_unref(struct json_t *value); /* NULL is fine */
void js_cleanup(struct json_t **value);
#define PS_AUTO_JS PS_CLEANUP(js_cleanup)

void js_set(struct json_t *object, const char *key, struct json_t *value);
void js_set_str(struct json_t *object, const char *key, const char *text); /* NULL text: nothing */
void js_set_int(struct json_t *object, const char *key, int64_t value);
void js_set_bool(struct json_t *object, const char *key, bool value);
void js_remove(struct json_t *object, const char *key);
void js_push(struct json_t *array, struct json_t *value);
/* The object under the key, made when absent; borrows. */
struct json_t *js_child(struct json_t *object, const char *key);

struct json_t *js_get(const struct json_t *object, const char *key);
/* "metadata.labels": parts are split at dots, so keys with dots need js_get. */
struct json_t *js_path(const struct json_t *object, const char *path);
const char *js_str(const struct json_t *string); /* NULL unless a string */
const char *js_path_str(const struct json_t *object, const char *path);
int64_t js_int(const struct json_t *integer, int64_t otherwise);
int64_t js_path_int(const struct json_t *object, const char *path, int64_t otherwise);
bool js_path_bool(const struct json_t *object, const char *path, bool otherwise);
bool js_is_true(const struct json_t *value);
size_t js_len(const struct json_t *array_or_object);
struct json_t *js_at(const struct json_t *array, size_t i);
bool js_equal(const struct json_t *a, const struct json_t *b);

enum js_type {
    JS_ABSENT,
    JS_NULL,
    JS_BOOL,
    JS_INT,
    JS_REAL,
    JS_STRING,
    JS_ARRAY,
    JS_OBJECT
};
enum js_type js_type(const struct json_t *value);
const char *js_type_name(const struct json_t *value); /* "a string", "nothing", … for messages */

/* Walks an object's members in insertion order: void *at = NULL; while (js_next(o, &at, &key,
 * &value)) */
bool js_next(const struct json_t *object, void **at, const char **key, struct json_t **value);

/* ---- YAML ---------------------------------------------------------------------------------- */

#define CODEC_YAML_MAX       ((size_t)4 * 1024 * 1024)
#define CODEC_YAML_DEPTH_MAX 64
#define CODEC_YAML_NODES_MAX 200000 /* after aliases are expanded: "billion laughs" ends here */

/* The first document as JSON, with the scalar rules of Kubernetes' own reader (YAML 1.1: yes, no,
 * on, off are booleans unless quoted). Duplicate keys are refused. JSON is YAML, so it reads that
 * too. An empty document gives null. *err says line and column. */
struct json_t *codec_yaml_parse(struct ps_str text, struct ps_err *err) PS_MUST_CHECK;

/* ---- small formats -------------------------------------------------------------------------- */

/* A Kubernetes quantity ("500m", "2Gi", "1e3") in thousandths; false when it is none or too large.
 * Source: k8s.io/apimachinery/pkg/api/resource. Fractions of a thousandth are rounded up. */
PS_MUST_CHECK bool codec_quantity(struct ps_str text, int64_t *milli);

/* A duration as Go and Kubernetes write it ("30s", "1h30m", "500ms", "0"), at most ten years, never
 * negative; false when it is none. Parts of a millisecond are rounded up. */
PS_MUST_CHECK bool codec_duration(struct ps_str text, int64_t *ms);
/* RFC 3339 in full: ps_time_parse's form, also with an offset ("+02:00") or small letters. */
PS_MUST_CHECK bool codec_time(struct ps_str text, int64_t *unix_ms);

#define CODEC_SHA256_HEX 65
void codec_sha256_hex(struct ps_str bytes, char hex[CODEC_SHA256_HEX]);

/* Standard alphabet; decoding skips ASCII white space and accepts missing padding. */
void codec_base64_encode(struct ps_str bytes, struct ps_buf *out);
int codec_base64_decode(struct ps_str text, struct ps_buf *out, struct ps_err *err) PS_MUST_CHECK;

/* Deterministic: no time, no name in the header. Inflating stops with PS_ELIMIT at out's ceiling.
 */
void codec_gzip(struct ps_str bytes, struct ps_buf *out);
int codec_gunzip(struct ps_str bytes, struct ps_buf *out, struct ps_err *err) PS_MUST_CHECK;

/* ---- differences ---------------------------------------------------------------------------- */

/* A strategic merge patch that turns `from` into `to`, for built-in kinds: lists of containers,
 * env, ports … are merged by their key with `$patch: delete` for what is gone, other lists are
 * replaced. NULL when the two are equal. New reference. */
struct json_t *codec_strategic_diff(const struct json_t *from, const struct json_t *to);
/* RFC 7386; NULL when equal. New reference. */
struct json_t *codec_merge_diff(const struct json_t *from, const struct json_t *to);
/* What the object says about the leaves of `managed`, which has values as we write them: equal to
 * `managed` if all of them are as there, whatever else the object has. Items of merged lists are
 * told apart by their key; others are compared as a whole. Values that the API server writes in its
 * own way (2048Mi, what is empty) are equal. New reference. */
struct json_t *codec_managed(const struct json_t *object, const struct json_t *managed);
/* Appends up to max dotted paths at which the two differ, separated by ", "; list items by their
 * key
 * ("spec.template.spec.containers[foo-predict-v1].image"). For people. */
void codec_diff_paths(struct ps_buf *out, const struct json_t *from, const struct json_t *to,
                      size_t max);

#endif
