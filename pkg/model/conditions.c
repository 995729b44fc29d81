/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions as the Kubernetes API conventions want them. */
#include "model/model.h"

#include <string.h>

void model_condition_set(struct model_conditions *list, const char *type, bool status,
                         const char *reason, const char *message)
{
    ps_assert(list->count < MODEL_CONDITIONS_MAX);
    list->items[list->count++] = (struct model_condition){
        .type = type, .status = status, .reason = reason, .message = message};
}

void model_condition_set_unknown(struct model_conditions *list, const char *type,
                                 const char *reason, const char *message)
{
    model_condition_set(list, type, false, reason, message);
    list->items[list->count - 1].unknown = true;
}

const struct json_t *model_condition_find(const struct json_t *conditions, const char *type)
{
    for (size_t i = 0; js_type(conditions) == JS_ARRAY && i < js_len(conditions); i++) {
        const struct json_t *condition = js_at(conditions, i);

        if (ps_streq(js_path_str(condition, "type"), type))
            return condition;
    }
    return NULL;
}

/* Cuts at a character's boundary. */
static struct json_t *message_json(const char *message)
{
    struct ps_str text = ps_str(message);

    if (text.n > MODEL_MESSAGE_MAX) {
        text.n = MODEL_MESSAGE_MAX;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xC0U) == 0x80U)
            text.n--;
    }
    return js_string_n(text);
}

static struct json_t *condition_json(const struct model_condition *c, const struct json_t *previous,
                                     int64_t generation, int64_t now_ms)
{
    const char *status = c->unknown ? "Unknown" : c->status ? "True" : "False";
    const struct json_t *old = model_condition_find(previous, c->type);
    const char *since = js_path_str(old, "lastTransitionTime");
    char now[PS_TIME_TEXT_SIZE];
    struct json_t *json = js_object();

    ps_time_text(now_ms, now);
    js_set_str(json, "type", c->type);
    js_set_str(json, "status", status);
    js_set_int(json, "observedGeneration", generation);
    js_set_str(json, "lastTransitionTime",
               since != NULL && ps_streq(js_path_str(old, "status"), status) ? since : now);
    js_set_str(json, "reason", c->reason);
    js_set(json, "message", message_json(c->message));
    return json;
}

struct json_t *model_conditions_json(const struct model_conditions *list,
                                     const struct json_t *previous, int64_t generation,
                                     int64_t now_ms)
{
    struct json_t *array = js_array();

    for (size_t i = 0; i < list->count; i++)
        js_push(array, condition_json(&list->items[i], previous, generation, now_ms));
    return array;
}
