/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model: typed views of the objects that Penstock reads: its own kinds (validated, with field paths
 * in the errors), the children it made, and the conditions it writes. Pure: no clock, no I/O.
 *
 * Ownership: views of our own kinds live in the arena that the caller gave and borrow from the JSON
 * they were read from; a `model_object` is one block of memory of its own (ps_free).
 */
#ifndef PS_MODEL_H
#define PS_MODEL_H

#include "base/base.h"
#include "codec/codec.h"
#include "model/registry.h"

#define MODEL_GROUP       "penstock.dev"
#define MODEL_API_VERSION "penstock.dev/v1alpha1"

#define MODEL_LABEL_INSTALLATION "penstock.dev/installation"
#define MODEL_LABEL_OWNER_UID    "penstock.dev/owner-uid"
#define MODEL_LABEL_APP          "penstock.dev/app"
#define MODEL_LABEL_REVISION     "penstock.dev/revision"
#define MODEL_LABEL_REGISTRY     "penstock.dev/app-registry"
#define MODEL_ANNOTATION_OWNER   "penstock.dev/owner" /* <kind>/<namespace>/<name> */
#define MODEL_ANNOTATION_REDEPLOY                                                                  \
    "penstock.dev/redeploy" /* on a stream: read registry and account anew */
#define MODEL_ANNOTATION_SUSPENDED   "penstock.dev/replicas-before-suspend"
#define MODEL_ANNOTATION_BODY_HASH   "penstock.dev/body-hash" /* of a child: what we wrote */
#define MODEL_ANNOTATION_SPEC_HASH   "penstock.dev/spec-hash"
#define MODEL_ANNOTATION_RENDER_HASH "penstock.dev/render-hash"
#define MODEL_ANNOTATION_MANIFEST    "penstock.dev/manifest"
#define MODEL_FINALIZER              "penstock.dev/cleanup"

#define MODEL_LABEL_MAX      63 /* label values, and the names that become ones */
#define MODEL_PROPERTIES_MAX 500

/* ---- kinds ---------------------------------------------------------------------------------- */

enum model_kind {
    MODEL_ACCOUNT,
    MODEL_STREAM,
    MODEL_CONFIG_MAP,
    MODEL_NAMESPACE,
    MODEL_DEPLOYMENT,
    MODEL_SERVICE,
    MODEL_REVISION,
    MODEL_POD,
    MODEL_EVENT,
    MODEL_KIND_COUNT
};

struct model_kind_info {
    const char *group, *version, *plural, *kind;
    bool namespaced;
};
const struct model_kind_info *model_kind_info(enum model_kind kind);
const char *model_kind_name(enum model_kind kind); /* "Deployment" */

/* ---- objects as facts ------------------------------------------------------------------------ */

/* What is kept of an object that was seen: a few hundred bytes. Texts that the object does not have
 * are NULL, numbers as said. */
struct model_object {
    enum model_kind kind;
    const char *namespace, *name, *uid, *rv;
    const char *owner, *owner_uid, *app; /* annotation and labels of ours */
    const char *body_hash;               /* annotation */
    const char *installation;            /* label */
    int64_t revision;                    /* label; -1 = none */
    int64_t generation;
    bool deleting;
    bool has_owner; /* an owner reference: collected with its owner */
    /* StreamDeployment: spec.platform and spec.streamName with their defaults */
    const char *platform, *stream_name;
    int64_t created_ms; /* 0 = not readable */
    /* Deployment */
    int64_t observed_generation, replicas, ready, updated, available, total;
    const char *replicas_before_suspend;
    const char *failure_reason, *failure_message; /* condition ReplicaFailure */
    /* ControllerRevision */
    const char *spec_hash, *render_hash, *manifest, *redeploy;
    /* Pod */
    const char *app_id;                /* label spring-app-id */
    const char *phase;                 /* also a Namespace's */
    const char *cause, *cause_message; /* why it does not run: ImagePullBackOff, Unschedulable, … */
    bool pod_ready;
    int64_t restarts, exit_code; /* of the worst container; exit_code -1 = none */
};

/* One block of memory; NULL when the object has no name, uid or resourceVersion. */
struct model_object *model_object_new(enum model_kind kind, const struct json_t *object);

/* ---- properties ----------------------------------------------------------------------------- */

struct model_property {
    const char *key, *value;
};

struct model_properties {
    struct model_property *items;
    size_t count, cap;
};

const char *model_properties_get(const struct model_properties *list, const char *key);
/* Replaces the value of the key, or appends. Texts are borrowed. */
void model_properties_put(struct ps_arena *arena, struct model_properties *list, const char *key,
                          const char *value);
void model_properties_sort(struct model_properties *list);
/* Flattens a JSON object as Spring Boot does: nested keys joined by dots, list items as [0], [1].
 * Numbers and booleans become text. PS_ELIMIT above max entries or 16 levels. */
int model_properties_flatten(struct ps_arena *arena, const struct json_t *object, size_t max,
                             struct model_properties *out, struct ps_err *err) PS_MUST_CHECK;
/* Lower case without '-', '_' and '.': two spellings of one property are equal then. */
const char *model_relaxed(struct ps_arena *arena, const char *key);
/* password, secret, token, key, credentials… : the value must not be shown. */
bool model_is_secret_key(const char *key);

/* ---- PlatformAccount ------------------------------------------------------------------------ */

struct model_account {
    const char *name, *uid, *rv;
    int64_t generation;
    bool deleting, has_finalizer;
    const char *namespace;              /* NULL: the namespace of the CR */
    struct model_properties properties; /* spec.properties, then streamProperties over it */
    struct model_properties application_properties; /* spec.applicationProperties.stream */
    const struct json_t *status;                    /* borrowed, or NULL */
    struct ps_err problem;                          /* code 0 when the spec is fine */
};

/* `vars` resolves ${NAME:default} in spec.properties; what it has not and has no default stays
 * literal. Never fails: what is wrong stands in problem. Borrows from object. */
struct model_account *model_account_read(struct ps_arena *arena, const struct json_t *object,
                                         const struct model_properties *vars);

/* ---- StreamDeployment ----------------------------------------------------------------------- */

struct model_app {
    const char *name; /* the label in the definition */
    const char *image;
    int64_t replicas; /* -1 = not given */
    struct model_properties limits, requests, env;
};

struct model_stream {
    const char *namespace, *name, *uid, *rv;
    int64_t generation, created_ms; /* created_ms 0 when unreadable */
    bool deleting, has_finalizer;
    const char *stream_name; /* spec.streamName or metadata.name */
    const char *definition;
    const char *platform; /* spec.platform or "default" */
    struct model_properties properties;
    struct model_app *apps;
    size_t app_count;
    bool suspend;
    int64_t history_limit;
    const char *redeploy;                        /* annotation or NULL */
    const struct json_t *object, *spec, *status; /* borrowed */
};

/* PS_EINVAL with the field's path when the spec cannot be used; the metadata part of *out is filled
 * all the same (name, namespace, uid, rv, deleting, …) as far as it was readable. */
int model_stream_read(struct ps_arena *arena, const struct json_t *object, struct model_stream *out,
                      struct ps_err *err) PS_MUST_CHECK;

/* The index that two streams collide in: lower-cased stream name. In the arena. */
const char *model_lower(struct ps_arena *arena, const char *text);

/* ---- conditions ----------------------------------------------------------------------------- */

#define MODEL_CONDITIONS_MAX 12
#define MODEL_MESSAGE_MAX    ((size_t)4096) /* the API allows 32768; people read less */

struct model_condition {
    const char *type;
    bool status;
    const char *reason, *message;
};

struct model_conditions {
    struct model_condition items[MODEL_CONDITIONS_MAX];
    size_t count;
};

void model_condition_set(struct model_conditions *list, const char *type, bool status,
                         const char *reason, const char *message);
/* The JSON array; lastTransitionTime is kept from `previous` (a status's conditions, or NULL) where
 * the status did not flip, else now. New reference. */
struct json_t *model_conditions_json(const struct model_conditions *list,
                                     const struct json_t *previous, int64_t generation,
                                     int64_t now_ms);
/* Of a status's conditions; NULL when there is none of that type. */
const struct json_t *model_condition_find(const struct json_t *conditions, const char *type);

#endif
