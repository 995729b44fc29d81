/* SPDX-License-Identifier: Apache-2.0 */
/* StreamDeployment: the spec with every field's path in the errors. */
#include "model/internal.h"

#include <string.h>

#define HISTORY_DEFAULT 10
#define HISTORY_MAX     100

static void read_metadata(struct model_stream *out, const struct json_t *object)
{
    const struct model__meta meta = model__meta(object);

    *out = (struct model_stream){
        .namespace = meta.namespace,
        .name = meta.name,
        .uid = meta.uid,
        .rv = meta.rv,
        .generation = meta.generation,
        .created_ms = meta.created_ms,
        .deleting = meta.deleting,
        .has_finalizer = meta.has_finalizer,
        .object = object,
        .spec = meta.spec,
        .status = meta.status,
        .stream_name = meta.name,
        .platform = "default",
        .history_limit = HISTORY_DEFAULT,
        /* Known also where the rest of the spec makes no sense: the stream may be going. */
        .orphan = ps_streq(js_path_str(meta.spec, "deletionPolicy"), "Orphan"),
        .redeploy =
            js_str(js_get(js_path(object, "metadata.annotations"), MODEL_ANNOTATION_REDEPLOY)),
    };
}

/* Of two words the first is meant when none is given. */
static int read_choice(const struct model__reader *r, const struct json_t *spec, const char *key,
                       const char *const words[2], bool *second)
{
    const char *value = words[0];

    if (model__text(r, spec, "spec", key, &value) != 0)
        return PS_EINVAL;
    if (strcmp(value, words[0]) == 0 || strcmp(value, words[1]) == 0) {
        *second = strcmp(value, words[1]) == 0;
        return 0;
    }
    return ps_fail(r->err, PS_EINVAL, "spec.%s: expected %s or %s, found \"%s\"", key, words[0],
                   words[1], value);
}

int model_stream_read(struct ps_arena *arena, const struct json_t *object, struct model_stream *out,
                      struct ps_err *err)
{
    const struct model__reader r = {arena, err};
    const struct model__range history = {0, HISTORY_MAX};
    static const char *const drift[] = {"Correct", "Report"}, *const end[] = {"Delete", "Orphan"};

    read_metadata(out, object);
    if (model__check_spec(out->spec, err) != 0)
        return PS_EINVAL;
    out->suspend = js_path_bool(out->spec, "suspend", false);
    if (model__text(&r, out->spec, "spec", "streamName", &out->stream_name) != 0 ||
        model__text(&r, out->spec, "spec", "definition", &out->definition) != 0 ||
        model__text(&r, out->spec, "spec", "platform", &out->platform) != 0 ||
        model__integer(&r, out->spec, "spec", "revisionHistoryLimit", history,
                       &out->history_limit) != 0 ||
        read_choice(&r, out->spec, "deletionPolicy", end, &out->orphan) != 0 ||
        read_choice(&r, out->spec, "driftPolicy", drift, &out->report_drift) != 0 ||
        model__map(&r, out->spec, "spec", "properties", &out->properties) != 0 ||
        model__apps(&r, out->spec, &out->apps, &out->app_count) != 0)
        return err ? err->code : PS_EINVAL;
    if (out->definition == NULL) {
        return ps_fail(err, PS_EINVAL,
                       "spec.definition: expected a stream definition such as \"time | log\"");
    }
    return model__check_name(out->stream_name, "Stream", "spec.streamName", err);
}
