/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from an app's place in its stream: its type and its binding properties. */
#include "dsl/internal.h"

#include <string.h>

#define BINDINGS               "spring.cloud.stream.bindings."
#define INPUT_DESTINATION      BINDINGS "input.destination"
#define INPUT_GROUP            BINDINGS "input.group"
#define INPUT_CONTENT_TYPE     BINDINGS "input.contentType"
#define OUTPUT_DESTINATION     BINDINGS "output.destination"
#define OUTPUT_REQUIRED_GROUPS BINDINGS "output.producer.requiredGroups"
#define OUTPUT_CONTENT_TYPE    BINDINGS "output.contentType"
/* The most properties that an app gets from its place. */
#define BINDINGS_MAX           4

/* Properties by name, in the order in which each name came first. */
struct properties {
    struct dsl_option *list;
    size_t count;
    struct ps_map index; /* name -> entry of list */
};

const char *dsl_app_type_name(enum dsl_app_type type)
{
    switch (type) {
    case DSL_APP:
        return "app";
    case DSL_SOURCE:
        return "source";
    case DSL_PROCESSOR:
        return "processor";
    case DSL_SINK:
        return "sink";
    }
    ps_unreachable();
}

enum dsl_app_type dsl_stream_app_type(const struct dsl_stream *stream, size_t i)
{
    ps_assert(i < stream->app_count);
    const bool reads = i > 0 || stream->source != NULL;
    const bool writes = i + 1 < stream->app_count || stream->sink != NULL;

    if (stream->unbound)
        return DSL_APP;
    if (!reads)
        return DSL_SOURCE;
    return writes ? DSL_PROCESSOR : DSL_SINK;
}

static void put(struct properties *props, const char *name, const char *value)
{
    struct dsl_option *entry = ps_map_get(&props->index, name);

    if (entry == NULL) {
        entry = &props->list[props->count++];
        entry->name = name;
        (void)ps_map_put(&props->index, name, entry);
    }
    entry->value = value;
}

/* Java's white space below U+0080; other blanks count as text. */
static bool has_text(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value != ' ' && !(*value >= '\t' && *value <= '\r') &&
            !(*value >= '\x1c' && *value <= '\x1f'))
            return true;
    }
    return false;
}

static void put_option(struct properties *props, const struct dsl_option *option)
{
    const struct ps_str name = ps_str(option->name);

    if (ps_str_ieq(name, PS_STR("inputType"))) {
        put(props, INPUT_CONTENT_TYPE, option->value);
    } else if (ps_str_ieq(name, PS_STR("outputType"))) {
        put(props, OUTPUT_CONTENT_TYPE, option->value);
    } else {
        put(props, option->name, has_text(option->value) ? option->value : "\\\"\\\"");
    }
}

static const char *channel(struct ps_arena *arena, const struct dsl_stream *stream, size_t i)
{
    return ps_arena_printf(arena, "%s.%s", stream->name, stream->apps[i].label);
}

static void put_bindings(struct properties *props, struct ps_arena *arena,
                         const struct dsl_stream *stream, size_t i)
{
    const bool last = i + 1 == stream->app_count;

    if (i > 0) {
        put(props, INPUT_DESTINATION, channel(arena, stream, i - 1));
        put(props, INPUT_GROUP, stream->name);
    } else if (stream->source != NULL) {
        put(props, INPUT_DESTINATION, stream->source->name);
        put(props, INPUT_GROUP, stream->source->group ? stream->source->group : stream->name);
    }
    if (!last) {
        put(props, OUTPUT_DESTINATION, channel(arena, stream, i));
        put(props, OUTPUT_REQUIRED_GROUPS, stream->name);
    } else if (stream->sink != NULL) {
        put(props, OUTPUT_DESTINATION, stream->sink->name);
    }
}

struct dsl_option *dsl_stream_properties(struct ps_arena *arena, const struct dsl_stream *stream,
                                         size_t i, size_t *count)
{
    ps_assert(i < stream->app_count);
    const struct dsl_app *app = &stream->apps[i];
    struct properties props = {0};

    props.list = ps_arena_array(arena, app->option_count + BINDINGS_MAX, sizeof(*props.list));
    ps_map_init(&props.index);
    for (size_t k = 0; k < app->option_count; k++)
        put_option(&props, &app->options[k]);
    if (!stream->unbound)
        put_bindings(&props, arena, stream, i);
    ps_map_fini(&props.index);
    *count = props.count;
    return props.list;
}
