/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to JSON: libyaml's events, read recursively; depth, nodes and bytes are bounded. */
#include "codec/internal.h"

#include <jansson.h>
#include <string.h>
#include <yaml.h>

/* Text of all scalars after aliases are expanded: without aliases it cannot exceed the document by
 * more than escapes do. */
#define YAML_TEXT_MAX (2 * CODEC_YAML_MAX)
#define YAML_KEY_MAX  ((size_t)4096)
#define TAG_PREFIX    "tag:yaml.org,2002:"

/* What a value costs each time that an alias repeats it. */
struct cost {
    size_t nodes, bytes;
};

struct anchor {
    struct json_t *value;
    struct cost cost;
};

struct reader {
    yaml_parser_t parser;
    struct ps_map anchors; /* name -> struct anchor */
    struct cost cost;
    struct ps_err *err;
};

#define AUTO_EVENT PS_CLEANUP(yaml_event_delete) yaml_event_t

static struct json_t *read_node(struct reader *self, const yaml_event_t *event, int depth);

static struct json_t *refuse(struct reader *self, int code, yaml_mark_t at, const char *what)
{
    (void)ps_fail(self->err, code, "not YAML: line %zu, column %zu: %s", at.line + 1, at.column + 1,
                  what);
    return NULL;
}

static bool next_event(struct reader *self, yaml_event_t *event)
{
    if (yaml_parser_parse(&self->parser, event))
        return true;
    ps_assert(self->parser.error != YAML_MEMORY_ERROR);
    /* An unreadable byte has an offset and no mark; the mark is then where reading had come to. */
    const yaml_mark_t at =
        self->parser.error == YAML_READER_ERROR ? self->parser.mark : self->parser.problem_mark;

    (void)refuse(self, PS_EINVAL, at, self->parser.problem ? self->parser.problem : "unreadable");
    return false;
}

static bool spend(struct reader *self, struct cost cost, yaml_mark_t at)
{
    self->cost.nodes += cost.nodes;
    self->cost.bytes += cost.bytes;
    if (self->cost.nodes <= CODEC_YAML_NODES_MAX && self->cost.bytes <= YAML_TEXT_MAX)
        return true;
    (void)refuse(self, PS_ELIMIT, at, "too many values, aliases included");
    return false;
}

/* ---- scalars ---- */

static bool find_tag(const yaml_event_t *event, enum codec__tag *tag)
{
    static const struct {
        const char *name;
        enum codec__tag tag;
    } tags[] = {
        {"!", CODEC__TAG_STR},
        {TAG_PREFIX "str", CODEC__TAG_STR},
        {TAG_PREFIX "null", CODEC__TAG_NULL},
        {TAG_PREFIX "bool", CODEC__TAG_BOOL},
        {TAG_PREFIX "int", CODEC__TAG_INT},
        {TAG_PREFIX "float", CODEC__TAG_FLOAT},
    };

    const char *name = (const char *)event->data.scalar.tag;

    *tag = event->data.scalar.plain_implicit ? CODEC__TAG_NONE : CODEC__TAG_STR;
    if (name == NULL)
        return true;
    for (size_t i = 0; i < PS_ARRAY_LEN(tags); i++) {
        if (strcmp(name, tags[i].name) == 0) {
            *tag = tags[i].tag;
            return true;
        }
    }
    return false;
}

static struct json_t *read_scalar(struct reader *self, const yaml_event_t *event)
{
    const struct ps_str text =
        ps_str_n((const char *)event->data.scalar.value, event->data.scalar.length);
    const char *why = NULL;
    enum codec__tag tag;

    if (!spend(self, (struct cost){.nodes = 1, .bytes = text.n}, event->start_mark))
        return NULL;
    if (!find_tag(event, &tag))
        return refuse(self, PS_EINVAL, event->start_mark, "a tag that is not supported here");
    struct json_t *value = codec__yaml_scalar(text, tag, &why);

    return value ? value : refuse(self, PS_EINVAL, event->start_mark, why);
}

/* ---- collections ---- */

static struct json_t *read_sequence(struct reader *self, int depth)
{
    PS_AUTO_JS struct json_t *list = js_array();

    for (;;) {
        AUTO_EVENT event;
        if (!next_event(self, &event))
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return js_ref(list);
        struct json_t *item = read_node(self, &event, depth + 1);

        if (item == NULL)
            return NULL;
        js_push(list, item);
    }
}

static bool is_merge_key(const yaml_event_t *event)
{
    const char *tag =
        event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.tag : NULL;

    return event->type == YAML_SCALAR_EVENT &&
           strcmp((const char *)event->data.scalar.value, "<<") == 0 &&
           (tag ? strcmp(tag, TAG_PREFIX "merge") == 0 : event->data.scalar.plain_implicit);
}

/* A `<<` value is a mapping or a list of mappings; the earlier one in a list wins. */
static bool collect_merge(struct json_t *merged, struct json_t *value)
{
    if (json_is_object(value))
        return json_object_update_missing(merged, value) == 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_object(json_array_get(value, i)) ||
            json_object_update_missing(merged, json_array_get(value, i)) != 0)
            return false;
    }
    return json_is_array(value);
}

static bool read_merge(struct reader *self, struct json_t **merged, yaml_mark_t at, int depth)
{
    AUTO_EVENT event;
    if (!next_event(self, &event))
        return false;
    PS_AUTO_JS struct json_t *value = read_node(self, &event, depth + 1);

    if (value == NULL)
        return false;
    if (*merged != NULL) {
        (void)refuse(self, PS_EINVAL, at, "the key \"<<\" stands here twice");
        return false;
    }
    *merged = js_object();
    if (collect_merge(*merged, value))
        return true;
    (void)refuse(self, PS_EINVAL, at, "\"<<\" takes a mapping or a list of mappings");
    return false;
}

static bool read_key(struct reader *self, const yaml_event_t *event, struct ps_buf *key, int depth)
{
    PS_AUTO_JS struct json_t *value = read_node(self, event, depth + 1);

    if (value == NULL)
        return false;
    if (!codec__yaml_key(value, key)) {
        (void)refuse(self, PS_EINVAL, event->start_mark,
                     "a key must be a string, a number or a boolean");
        return false;
    }
    if (ps_buf_failed(key)) {
        (void)refuse(self, PS_ELIMIT, event->start_mark, "a key is too long");
        return false;
    }
    return true;
}

static bool read_member(struct reader *self, struct json_t *object, const yaml_event_t *key_event,
                        int depth)
{
    PS_AUTO_BUF(key, YAML_KEY_MAX);
    if (!read_key(self, key_event, &key, depth))
        return false;
    if (js_get(object, ps_buf_text(&key)) != NULL) {
        PS_AUTO_BUF(what, YAML_KEY_MAX + 64);
        ps_buf_printf(&what, "the key \"%.100s\" stands here twice", ps_buf_text(&key));
        (void)refuse(self, PS_EINVAL, key_event->start_mark, ps_buf_text(&what));
        return false;
    }
    AUTO_EVENT event;
    if (!next_event(self, &event))
        return false;
    struct json_t *value = read_node(self, &event, depth + 1);

    js_set(object, ps_buf_text(&key), value);
    return value != NULL;
}

static struct json_t *read_mapping(struct reader *self, int depth)
{
    PS_AUTO_JS struct json_t *object = js_object();
    PS_AUTO_JS struct json_t *merged = NULL;

    for (;;) {
        AUTO_EVENT event;
        if (!next_event(self, &event))
            return NULL;
        if (event.type == YAML_MAPPING_END_EVENT)
            break;
        const bool ok = is_merge_key(&event) ? read_merge(self, &merged, event.start_mark, depth)
                                             : read_member(self, object, &event, depth);

        if (!ok)
            return NULL;
    }
    if (merged != NULL)
        ps_assert(json_object_update_missing(object, merged) == 0);
    return js_ref(object);
}

/* ---- anchors and nodes ---- */

static void forget_anchor(struct reader *self, const char *name)
{
    struct anchor *anchor = ps_map_remove(&self->anchors, name);

    if (anchor != NULL)
        js_unref(anchor->value);
    ps_free(anchor);
}

static void keep_anchor(struct reader *self, const char *name, struct json_t *value,
                        struct cost before)
{
    struct anchor *anchor = ps_xcalloc(1, sizeof(*anchor));

    anchor->value = js_ref(value);
    anchor->cost = (struct cost){self->cost.nodes - before.nodes, self->cost.bytes - before.bytes};
    ps_assert(ps_map_put(&self->anchors, name, anchor) == NULL);
}

static void drop_anchors(struct reader *self)
{
    size_t at = 0;
    const char *name;
    void *anchor;

    while (ps_map_next(&self->anchors, &at, &name, &anchor)) {
        js_unref(((struct anchor *)anchor)->value);
        ps_free(anchor);
    }
    ps_map_fini(&self->anchors);
}

/* A copy: whoever edits one place of the result must not edit the others. */
static struct json_t *read_alias(struct reader *self, const yaml_event_t *event)
{
    const struct anchor *anchor =
        ps_map_get(&self->anchors, (const char *)event->data.alias.anchor);

    if (anchor == NULL) {
        return refuse(self, PS_EINVAL, event->start_mark,
                      "an alias of an anchor that is not complete before it");
    }
    return spend(self, anchor->cost, event->start_mark) ? js_copy(anchor->value) : NULL;
}

static struct json_t *read_collection(struct reader *self, const yaml_event_t *event, int depth)
{
    const bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    const char *want = is_list ? TAG_PREFIX "seq" : TAG_PREFIX "map";
    const char *tag =
        (const char *)(is_list ? event->data.sequence_start.tag : event->data.mapping_start.tag);

    if (depth >= CODEC_YAML_DEPTH_MAX)
        return refuse(self, PS_ELIMIT, event->start_mark, "nested too deeply");
    if (tag != NULL && strcmp(tag, "!") != 0 && strcmp(tag, want) != 0)
        return refuse(self, PS_EINVAL, event->start_mark, "a tag that is not supported here");
    if (!spend(self, (struct cost){.nodes = 1}, event->start_mark))
        return NULL;
    return is_list ? read_sequence(self, depth) : read_mapping(self, depth);
}

static const char *anchor_name(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (const char *)event->data.scalar.anchor;
    return (const char *)(event->type == YAML_SEQUENCE_START_EVENT
                              ? event->data.sequence_start.anchor
                              : event->data.mapping_start.anchor);
}

/* Recursive: read_collection ends it at CODEC_YAML_DEPTH_MAX. */
static struct json_t *read_node(struct reader *self, const yaml_event_t *event, int depth)
{
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(self, event);
    const char *name = anchor_name(event);
    const struct cost before = self->cost;

    if (name != NULL)
        forget_anchor(self, name);
    struct json_t *value = event->type == YAML_SCALAR_EVENT ? read_scalar(self, event)
                                                            : read_collection(self, event, depth);

    if (name != NULL && value != NULL) {
        forget_anchor(self, name); /* the same name may stand inside, too */
        keep_anchor(self, name, value, before);
    }
    return value;
}

/* The first node of the stream: STREAM-START, DOCUMENT-START, then the node, or STREAM-END. */
static struct json_t *read_document(struct reader *self)
{
    for (;;) {
        AUTO_EVENT event;
        if (!next_event(self, &event))
            return NULL;
        if (event.type == YAML_STREAM_END_EVENT)
            return js_null();
        if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT)
            return read_node(self, &event, 0);
    }
}

/* Behind the node the document ends: with its own mark, or because the text ends there or another
 * document starts. Anything else is a document that only seemed to be complete. */
static bool ends_well(struct reader *self)
{
    AUTO_EVENT end, behind;

    memset(&behind, 0, sizeof(behind));
    if (!next_event(self, &end))
        return false;
    return end.type != YAML_DOCUMENT_END_EVENT || !end.data.document_end.implicit ||
           next_event(self, &behind);
}

struct json_t *codec_yaml_parse(struct ps_str text, struct ps_err *err)
{
    if (text.n > CODEC_YAML_MAX) {
        (void)ps_fail(err, PS_ELIMIT, "YAML of %zu bytes: at most %zu are read", text.n,
                      CODEC_YAML_MAX);
        return NULL;
    }
    struct reader reader = {.err = err};

    ps_assert(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(text.p ? text.p : ""),
                                 text.n);
    ps_map_init(&reader.anchors);
    struct json_t *value = read_document(&reader);

    if (value != NULL && !ends_well(&reader)) {
        js_unref(value);
        value = NULL;
    }
    drop_anchors(&reader);
    yaml_parser_delete(&reader.parser);
    return value;
}
