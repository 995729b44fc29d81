/* SPDX-License-Identifier: Apache-2.0 */
/* Revisions: what a stream's objects were, kept in a ControllerRevision beside its CR. Only hashes
 * and the list of names (annotations) stay in memory; the bodies are compressed data, read when
 * they are needed. */
#include "plan/internal.h"

#include <string.h>

#define DATA_KEY         "penstock"
#define FORMAT           1
/* etcd takes requests of 1.5 MiB, the API server annotations of 256 KiB. */
#define PACKED_MAX       ((size_t)750 * 1024)
#define ENCODED_MAX      (PACKED_MAX / 3 * 4 + 4)
#define MANIFEST_MAX     ((size_t)200 * 1024)
#define BODY_HASH_DIGITS 16

struct json_t *plan__spec_input(const struct model_stream *stream)
{
    static const char *const fields[] = {"definition", "platform", "properties", "apps"};
    struct json_t *input = js_object();

    js_set_str(input, "streamName", stream->stream_name);
    for (size_t i = 0; i < PS_ARRAY_LEN(fields); i++)
        js_set(input, fields[i], js_ref(js_get(stream->spec, fields[i])));
    return input;
}

void plan__spec_hash(const struct json_t *input, char hash[CODEC_SHA256_HEX])
{
    PS_AUTO_BUF(text, CODEC_JSON_MAX);

    js_print(&text, input);
    codec_sha256_hex(ps_buf_get(&text), hash);
}

const char *plan__body_hash(struct ps_arena *arena, const struct json_t *body)
{
    char hash[CODEC_SHA256_HEX];

    plan__spec_hash(body, hash);
    return ps_arena_str(arena, ps_str_n(hash, BODY_HASH_DIGITS));
}

const char *plan__object_hash(struct ps_arena *arena, const struct plan__object *o)
{
    char hash[CODEC_SHA256_HEX];

    if (o->text.p == NULL)
        return plan__body_hash(arena, o->body);
    codec_sha256_hex(o->text, hash);
    return ps_arena_str(arena, ps_str_n(hash, BODY_HASH_DIGITS));
}

const char *plan__revision_name(struct ps_arena *arena, const struct model_stream *stream,
                                int64_t number)
{
    return ps_arena_printf(arena, "%s-%s-%lld", model_lower(arena, stream->stream_name),
                           plan__uid_digits(arena, stream->uid), (long long)number);
}

static struct json_t *content(const struct json_t *input, const struct plan__objects *objects)
{
    struct json_t *json = js_object(), *list = js_array();

    for (size_t i = 0; i < objects->count; i++) {
        const struct plan__object *o = &objects->items[i];
        struct json_t *item = js_object();

        js_set_str(item, "kind", model_kind_name(o->kind));
        js_set_str(item, "cluster", o->cluster);
        js_set_str(item, "app", o->app);
        js_set_int(item, "changedIn", o->changed_in);
        js_set(item, "body", js_ref(o->body));
        js_push(list, item);
    }
    js_set_int(json, "format", FORMAT);
    js_set(json, "spec", js_copy(input));
    js_set(json, "objects", list);
    return json;
}

/* NULL when it is too large. */
static struct json_t *packed(const struct json_t *value)
{
    PS_AUTO_BUF(text, CODEC_JSON_MAX);
    PS_AUTO_BUF(zipped, PACKED_MAX);
    PS_AUTO_BUF(encoded, ENCODED_MAX);

    js_print(&text, value);
    if (ps_buf_failed(&text))
        return NULL;
    codec_gzip(ps_buf_get(&text), &zipped);
    if (ps_buf_failed(&zipped))
        return NULL;
    codec_base64_encode(ps_buf_get(&zipped), &encoded);
    return ps_buf_failed(&encoded) ? NULL : js_string(ps_buf_text(&encoded));
}

/* NULL when it is too large. */
static const char *manifest(struct ps_arena *arena, const struct plan__objects *objects)
{
    PS_AUTO_BUF(text, MANIFEST_MAX);

    for (size_t i = 0; i < objects->count; i++) {
        const struct plan__object *o = &objects->items[i];

        ps_buf_printf(&text, "%s%s/%s/%s/%s/%lld%s%s", i ? "," : "", model_kind_name(o->kind),
                      o->namespace, o->name, o->app, (long long)o->changed_in,
                      o->cluster ? "/" : "", o->cluster ? o->cluster : "");
    }
    return ps_buf_failed(&text) ? NULL : ps_arena_str(arena, ps_buf_get(&text));
}

struct json_t *plan__revision_body(struct ps_arena *arena, const struct model_stream *stream,
                                   const char *installation, int64_t number,
                                   const struct json_t *input, const struct plan__objects *objects)
{
    const struct plan__place place = {
        .namespace = stream->namespace, .installation = installation, .stream = stream};
    struct json_t *plain PS_AUTO_JS = content(input, objects), *data = packed(plain);
    const char *names = manifest(arena, objects);
    char hash[CODEC_SHA256_HEX];

    if (data == NULL || names == NULL) {
        js_unref(data);
        return NULL;
    }
    struct json_t *json = js_object(), *metadata = js_child(json, "metadata");

    plan__spec_hash(input, hash);
    js_set_str(json, "apiVersion", "apps/v1");
    js_set_str(json, "kind", model_kind_name(MODEL_REVISION));
    js_set_str(metadata, "name", plan__revision_name(arena, stream, number));
    js_set_str(metadata, "namespace", stream->namespace);
    plan__own_labels(metadata, &place, stream->stream_name, number, "revision");
    struct json_t *annotations = js_child(metadata, "annotations");

    js_set_str(annotations, MODEL_ANNOTATION_SPEC_HASH, hash);
    js_set_str(annotations, MODEL_ANNOTATION_RENDER_HASH, objects->hash);
    js_set_str(annotations, MODEL_ANNOTATION_REDEPLOY, stream->redeploy ? stream->redeploy : "");
    js_set_str(annotations, MODEL_ANNOTATION_MANIFEST, names);
    js_set_int(json, "revision", number);
    js_set(js_child(json, "data"), DATA_KEY, data);
    return json;
}

static int kind_of(const char *name, enum model_kind *kind)
{
    static const enum model_kind kinds[] = {MODEL_DEPLOYMENT, MODEL_STATEFUL_SET, MODEL_SERVICE};

    for (size_t i = 0; i < PS_ARRAY_LEN(kinds); i++) {
        if (ps_streq(name, model_kind_name(kinds[i]))) {
            *kind = kinds[i];
            return 0;
        }
    }
    return PS_EINVAL;
}

static int unpack(const char *text, struct json_t **out, struct ps_err *err)
{
    PS_AUTO_BUF(zipped, PACKED_MAX);
    PS_AUTO_BUF(plain, CODEC_JSON_MAX);
    int rc = codec_base64_decode(ps_str(text), &zipped, err);

    if (rc == 0)
        rc = codec_gunzip(ps_buf_get(&zipped), &plain, err);
    if (rc != 0)
        return rc;
    *out = js_parse(ps_buf_get(&plain), err);
    return *out ? 0 : PS_EINVAL;
}

static int read_object(struct ps_arena *arena, const struct json_t *item, struct plan__object *out)
{
    struct json_t *body = js_get(item, "body");

    if (kind_of(js_path_str(item, "kind"), &out->kind) != 0 ||
        js_path_str(body, "metadata.name") == NULL)
        return PS_EINVAL;
    out->namespace = ps_arena_dup(arena, js_path_str(body, "metadata.namespace"));
    out->name = ps_arena_dup(arena, js_path_str(body, "metadata.name"));
    out->app = ps_arena_dup(arena, js_path_str(item, "app"));
    out->cluster = ps_arena_dup(arena, js_path_str(item, "cluster"));
    out->changed_in = js_path_int(item, "changedIn", 0);
    out->body = js_ref(body);
    return 0;
}

int plan__revision_read(struct ps_arena *arena, const struct json_t *revision,
                        struct plan__objects *out, struct json_t **input, struct ps_err *err)
{
    struct json_t *data PS_AUTO_JS = NULL;
    const char *text = js_path_str(revision, "data." DATA_KEY);
    const char *name = js_path_str(revision, "metadata.name");

    *out = (struct plan__objects){0};
    if (text == NULL) {
        return ps_fail(err, PS_EINVAL, "ControllerRevision %s has no data of ours",
                       name ? name : "");
    }
    if (unpack(text, &data, err) != 0)
        return ps_fail_prefix(err, "ControllerRevision %s", name ? name : "");
    const struct json_t *list = js_get(data, "objects");

    if (js_len(list) > PLAN__OBJECTS_MAX) {
        return ps_fail(err, PS_ELIMIT, "ControllerRevision %s has more than %zu objects",
                       name ? name : "", PLAN__OBJECTS_MAX);
    }
    out->items = ps_arena_array(arena, js_len(list), sizeof(*out->items));
    for (; out->count < js_len(list); out->count++) {
        if (read_object(arena, js_at(list, out->count), &out->items[out->count]) != 0) {
            plan__objects_fini(out);
            return ps_fail(err, PS_EINVAL, "ControllerRevision %s: an object in it cannot be read",
                           name ? name : "");
        }
    }
    if (input != NULL)
        *input = js_copy(js_get(data, "spec"));
    return 0;
}

/* Kind, namespace, name, app, number; and the cluster, if it is not the operator's own. */
static int read_line(struct ps_arena *arena, struct ps_str line, struct plan__object *out)
{
    struct ps_str part[5], cluster;

    for (size_t i = 0; i < PS_ARRAY_LEN(part); i++) {
        if (!ps_str_split(&line, '/', &part[i]))
            return PS_EINVAL;
    }
    if (kind_of(ps_arena_str(arena, part[0]), &out->kind) != 0 ||
        !ps_str_to_i64(part[4], &out->changed_in))
        return PS_EINVAL;
    if (ps_str_split(&line, '/', &cluster)) {
        if (line.p != NULL || cluster.n == 0)
            return PS_EINVAL;
        out->cluster = ps_arena_str(arena, cluster);
    }
    out->namespace = ps_arena_str(arena, part[1]);
    out->name = ps_arena_str(arena, part[2]);
    out->app = ps_arena_str(arena, part[3]);
    return 0;
}

int plan__manifest_read(struct ps_arena *arena, const char *text, struct plan__objects *out,
                        struct ps_err *err)
{
    struct ps_str rest = ps_str(text), line;
    size_t lines = 1;

    *out = (struct plan__objects){0};
    if (text == NULL || *text == '\0')
        return ps_fail(err, PS_EINVAL, "the annotation " MODEL_ANNOTATION_MANIFEST " is missing");
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == ',';
    if (lines > PLAN__OBJECTS_MAX) {
        return ps_fail(err, PS_ELIMIT,
                       "the annotation " MODEL_ANNOTATION_MANIFEST " names more than %zu objects",
                       PLAN__OBJECTS_MAX);
    }
    out->items = ps_arena_array(arena, lines, sizeof(*out->items));
    for (; ps_str_split(&rest, ',', &line); out->count++) {
        if (read_line(arena, line, &out->items[out->count]) != 0) {
            return ps_fail(err, PS_EINVAL,
                           "the annotation " MODEL_ANNOTATION_MANIFEST " is damaged at \"%.*s\"",
                           PS_STR_ARG(line));
        }
    }
    return 0;
}
