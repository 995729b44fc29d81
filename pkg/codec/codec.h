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
/* The same, but a name may stand twice in an object: the last one counts, as for codec_pick. */
struct json_t *js_parse_lenient(struct ps_str text, struct ps_err *err) PS_MUST_CHECK;
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
/* An object or list of its own with the same members: those are for reading only. */
struct json_t *js_copy_top(const struct json_t *value);
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

/* ---- reading without trees ------------------------------------------------------------------ */

/*
 * A JSON text read where it stands: nothing is built, nothing allocated, each byte checked once. A
 * *view* is the text of one value inside the whole ("\"a\"", "17", "{…}"); it borrows from it. One
 * that is not there has p == NULL; null is there, and no getter reads it as anything.
 *
 * Accepted is what js_parse accepts, with these differences: a name may stand twice in an object
 * (the last one counts); strings, not names, may hold \u0000, because a server can store it, and
 * whoever reads other fields of such an object has no quarrel with it (codec_view_str gives U+FFFD
 * in its place); a NUL byte behind the value is refused.
 */
#define CODEC_NESTING_MAX 2048 /* jansson's own: the innermost value stands in 2,047 others */
#define CODEC_PATHS_MAX   64   /* members on the way to all paths of one table */

/* A table of paths, made once: "status.phase"; a name with dots goes in brackets:
 * "metadata.labels[penstock.dev/app]". Paths lead through objects only. The texts are borrowed. */
struct codec_paths {
    size_t count;

    struct codec_paths_node {
        struct ps_str name;
        int16_t path, child, next; /* -1: none */
    } nodes[CODEC_PATHS_MAX];
};

/* Asserts that the paths are well-formed, each there once, and not too many. */
void codec_paths_init(struct codec_paths *paths, const char *const *list, size_t n);

/* Checks the whole text and sets values[i] for the list's path i. 0; PS_EINVAL with the place of
 * what is no JSON, PS_ELIMIT above CODEC_JSON_MAX: no value is there then. */
int codec_pick(const struct codec_paths *paths, struct ps_str text, struct ps_str *values,
               struct ps_err *err) PS_MUST_CHECK;

/* Of a view that came from codec_pick or from codec_next. */
enum js_type codec_view_type(struct ps_str view);
/* The text of a string; p == NULL for anything else. With escapes it is made in the arena, without
 * them it lies in the view. */
struct ps_str codec_view_str(struct ps_arena *arena, struct ps_str view);
bool codec_view_is(struct ps_str view, const char *text); /* a string; text ≤ 128 bytes */
int64_t codec_view_int(struct ps_str view, int64_t otherwise);
bool codec_view_bool(struct ps_str view, bool otherwise);
size_t codec_view_len(struct ps_str view); /* items or members; 0 for anything else */
/* Walks a list: struct ps_str rest = view; while (codec_next(&rest, &item)). */
bool codec_next(struct ps_str *rest, struct ps_str *item);
/* The same for an object's members; the name as it stands there, escapes included. */
bool codec_next_member(struct ps_str *rest, struct ps_str *name, struct ps_str *value);

/* Appends the text without white space between its tokens and without the first `dropped` of the
 * paths. *hash is over what was written, but for the rest of the paths: equal for two texts that
 * differ in these alone, or in the order of members on the way to a path. Not proof against those
 * who look for two texts with one hash. PS_EINVAL also for \u0000, PS_ELIMIT also for out's
 * ceiling: what is written can be read by js_parse_lenient. After an error out
 * holds a part.
 */
int codec_compact(struct ps_buf *out, struct ps_str text, const struct codec_paths *paths,
                  size_t dropped, uint64_t *hash, struct ps_err *err) PS_MUST_CHECK;

/* Where an object, a list or a string ends that comes in pieces; it is not checked. Start with all
 * zero and the piece that it begins; returns the count of the piece's bytes that belong to it. */
struct codec_frame {
    size_t depth;
    bool in_string, escaped, done;
};

size_t codec_frame(struct codec_frame *frame, struct ps_str piece);

/* A page of a list that comes in pieces of any size: its items one by one, each whole, unchecked.
 * false from the function ends the feeding with PS_ECANCELED. */
typedef bool codec_item_fn(void *self, struct ps_str item);

#define CODEC_LIST_VERSION_MAX  ((size_t)128)
#define CODEC_LIST_CONTINUE_MAX ((size_t)16 * 1024)

struct codec_list {
    codec_item_fn *on_item;
    void *self;
    struct ps_buf part; /* what has begun and not ended: a name, a value or an item */
    struct codec_frame frame;
    int state;
    bool first, is_items, is_metadata, has_items, has_metadata;
    /* metadata, wherever it stood: complete when codec_list_end has said 0 */
    char *rv, *next;   /* resourceVersion, continue: NULL when absent or empty */
    int64_t remaining; /* remainingItemCount; -1 = not said */
};

void codec_list_init(struct codec_list *list, size_t item_max, codec_item_fn *on_item, void *self);
void codec_list_fini(struct codec_list *list);
/* PS_EPROTO for what is no list, PS_ELIMIT for an item above item_max; then the page is lost. */
int codec_list_feed(struct codec_list *list, struct ps_str piece, struct ps_err *err) PS_MUST_CHECK;
/* PS_EPROTO when the text was cut off, or had no items, no metadata or no resourceVersion. */
int codec_list_end(struct codec_list *list, struct ps_err *err) PS_MUST_CHECK;

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
