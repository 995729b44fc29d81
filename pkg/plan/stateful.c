/* SPDX-License-Identifier: Apache-2.0 */
/* What a StatefulSet has that a Deployment has not: numbered instances, each with a claim of its
 * own. SCDF's, but for what becomes of the claims: they go with the object. */
#include "plan/internal.h"

#define INDEX_DIRECTORY "/config"
#define INDEX_FILE      INDEX_DIRECTORY "/application.properties"
#define INDEX_OF_HOST   "\"$(expr $HOSTNAME | grep -o \"[[:digit:]]*$\")\""
/* A pod of a StatefulSet is called <name>-<number>, and so is its host. */
#define INDEX_COMMAND                                                                              \
    "echo INSTANCE_INDEX=" INDEX_OF_HOST " >> " INDEX_FILE                                         \
    " && echo spring.cloud.stream.instanceIndex=" INDEX_OF_HOST " >> " INDEX_FILE
#define INDEX_IMAGE "busybox"
#define CLAIM_SIZE  "10Mi"

/* ---- the number of an instance --------------------------------------------------------------- */

struct json_t *plan__index_mounts(void)
{
    struct json_t *list = js_array(), *mount = js_object();

    js_set_str(mount, "name", PLAN__INDEX_VOLUME);
    js_set_str(mount, "mountPath", INDEX_DIRECTORY);
    js_push(list, mount);
    return list;
}

static struct json_t *index_volumes(void)
{
    struct json_t *list = js_array(), *volume = js_object();

    js_set_str(volume, "name", PLAN__INDEX_VOLUME);
    js_set(volume, "emptyDir", js_object());
    js_push(list, volume);
    return list;
}

/* Spring reads the file where the app works in "/". */
static struct json_t *index_provider(const struct plan__app *app)
{
    static const char *const command[] = {"sh", "-c", INDEX_COMMAND};
    struct json_t *json = js_object(), *words = js_array();
    const char *image = app->settings.index_image;

    for (size_t i = 0; i < PS_ARRAY_LEN(command); i++)
        js_push(words, js_string(command[i]));
    js_set_str(json, "name", "index-provider");
    js_set_str(json, "image", image ? image : INDEX_IMAGE);
    js_set_str(json, "imagePullPolicy", "IfNotPresent");
    js_set(json, "command", words);
    js_set(json, "volumeMounts", plan__index_mounts());
    return json;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static struct json_t *claim_template(const struct plan__app *app, const char *id,
                                     const struct json_t *labels)
{
    const struct plan__settings *settings = &app->settings;
    const char *size = settings->claim_size ? settings->claim_size : CLAIM_SIZE;
    struct json_t *json = js_object(), *metadata = js_child(json, "metadata");
    struct json_t *spec = js_child(json, "spec"), *modes = js_array();
    struct json_t *resources = js_child(spec, "resources");

    js_set_str(metadata, "name", settings->claim_name ? settings->claim_name : id);
    js_set(metadata, "labels", js_copy(labels));
    js_push(modes, js_string("ReadWriteOnce"));
    js_set(spec, "accessModes", modes);
    js_set_str(spec, "storageClassName", settings->storage_class);
    js_set_str(js_child(resources, "requests"), "storage", size);
    js_set_str(js_child(resources, "limits"), "storage", size);
    return json;
}

/* ---- what cannot be changed ------------------------------------------------------------------ */

static const char *const fixed[] = {"podManagementPolicy", "selector", "serviceName",
                                    "volumeClaimTemplates"};

const char *plan__fixed_hash(struct ps_arena *arena, const struct json_t *body)
{
    struct json_t *part PS_AUTO_JS = js_object();

    for (size_t i = 0; i < PS_ARRAY_LEN(fixed); i++)
        js_set(part, fixed[i], js_copy(js_get(js_get(body, "spec"), fixed[i])));
    return plan__body_hash(arena, part);
}

void plan__drop_fixed(struct json_t *patch)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(fixed); i++)
        js_remove(js_get(patch, "spec"), fixed[i]);
}

/* ---- all together ---------------------------------------------------------------------------- */

void plan__stateful(struct json_t *spec, const struct plan__app *app, const char *id,
                    const struct json_t *labels)
{
    struct json_t *pod = js_path(spec, "template.spec"), *init = js_array(), *claims = js_array();
    struct json_t *retention = js_child(spec, "persistentVolumeClaimRetentionPolicy");

    js_push(init, index_provider(app));
    js_set(pod, "initContainers", init);
    js_set(pod, "volumes", index_volumes());
    js_push(claims, claim_template(app, id, labels));
    js_set(spec, "volumeClaimTemplates", claims);
    js_set_str(retention, "whenDeleted", "Delete");
    js_set_str(retention, "whenScaled", "Retain");
    /* No Service has this name, as in SCDF: the app's own has no version and is not headless. */
    js_set_str(spec, "serviceName", id);
    js_set_str(spec, "podManagementPolicy", "Parallel");
    js_set(js_child(spec, "selector"), "matchLabels", js_copy(labels));
}
