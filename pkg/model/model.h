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
#include "model/labels.h"
#include "model/object.h"
#include "model/registry.h"

#define MODEL_GROUP       "penstock.dev"
#define MODEL_API_VERSION "penstock.dev/v1alpha1"

#define MODEL_LABEL_MAX      63 /* label values, and the names that become ones */
#define MODEL_PROPERTIES_MAX 500

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

struct model_texts {
    const char *const *items;
    size_t count;
};

enum model_operator {
    MODEL_IN,
    MODEL_NOT_IN,
    MODEL_EXISTS,
    MODEL_DOES_NOT_EXIST
};

/* One requirement of a label selector. */
struct model_requirement {
    const char *key;
    enum model_operator op;
    struct model_texts values; /* of In and NotIn */
};

/* spec.allowedNamespaces: a union of names and what the selector selects. */
struct model_access {
    bool limited; /* it is given: nobody else may use the account */
    struct model_texts names;
    bool by_selector; /* one without requirements selects every namespace, as in Kubernetes */
    struct model_requirement *requirements; /* all have to hold */
    size_t requirement_count;
};

/* As the Pod Security Standards have them. */
enum model_pod_security {
    MODEL_BASELINE, /* also when nothing is said */
    MODEL_RESTRICTED,
    MODEL_PRIVILEGED, /* everything goes */
};

/* Names of one kind that pods may use; "*" stands for all of them. */
struct model_names {
    bool given;
    struct model_texts names;
};

/* spec.policy: what pods on the account may be. */
struct model_policy {
    enum model_pod_security pod_security;
    struct model_names service_accounts, secrets, config_maps, claims;
};

struct model_account {
    const char *name, *uid, *rv;
    int64_t generation;
    bool deleting, has_finalizer;
    const char *namespace; /* NULL: the namespace of the CR */
    /* spec.kubernetes.cluster.secretRef.name: of a Secret in the operator's namespace that leads to
     * another cluster. NULL: the operator's own cluster; "": another, but the spec is wrong. */
    const char *cluster_secret;
    struct model_access access;
    struct model_policy policy;
    const char *cluster_id; /* spec.binder.clusterId: which brokers its apps reach; NULL: unsaid */
    bool for_streams, for_tasks;             /* spec.usage */
    struct model_properties properties;      /* spec.properties, then streamProperties over it */
    struct model_properties task_properties; /* … taskProperties over it */
    struct model_properties application_properties;      /* spec.applicationProperties.stream */
    struct model_properties task_application_properties; /* … .task */
    /* spec.maxConcurrentTasks, else the property maximumConcurrentTasks, else SCDF's 20. */
    int64_t max_tasks;
    const struct json_t *status; /* borrowed, or NULL */
    struct ps_err problem;       /* code 0 when the spec is fine */
};

/* `vars` resolves ${NAME:default} in spec.properties; what it has not and has no default stays
 * literal. Never fails: what is wrong stands in problem. Borrows from object. */
struct model_account *model_account_read(struct ps_arena *arena, const struct json_t *object,
                                         const struct model_properties *vars);

/* Where it deploys for a CR of the namespace; borrows from either. */
const char *model_account_target(const struct model_account *account, const char *namespace);
/* May CRs of the namespace use the account? labels: those of the Namespace, as a projection has
 * them; NULL: not known, and no selector selects it. */
bool model_account_allows(const struct model_account *account, const char *namespace,
                          const char *labels);
/* Is the name among them? */
bool model_names_have(const struct model_names *names, const char *name);
const char *model_pod_security_name(enum model_pod_security level);

/* ---- StreamDeployment ----------------------------------------------------------------------- */

struct model_app {
    const char *name; /* the label in the definition */
    const char *image;
    const char *platform; /* NULL: that of the spec */
    int64_t replicas;     /* -1 = not given */
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
    bool orphan;       /* spec.deletionPolicy Orphan: its objects stay */
    bool report_drift; /* spec.driftPolicy Report: tell, and change nothing */
    int64_t history_limit;
    const char *redeploy;                        /* annotation or NULL */
    const struct json_t *object, *spec, *status; /* borrowed */
};

/* PS_EINVAL with the field's path when the spec cannot be used; the metadata part of *out is filled
 * all the same (name, namespace, uid, rv, deleting, …) as far as it was readable. */
int model_stream_read(struct ps_arena *arena, const struct json_t *object, struct model_stream *out,
                      struct ps_err *err) PS_MUST_CHECK;

/* ---- TaskLaunch ----------------------------------------------------------------------------- */

struct model_retry {
    bool given;    /* spec.retry is there */
    int64_t limit; /* attempts after the first; 0 = none */
    int64_t initial_ms, max_ms, factor_milli /* 2000 = doubled */, jitter_percent;
    const int64_t *not_on_codes;
    size_t not_on_count;
    bool on_unknown;
};

struct model_task {
    const char *namespace, *name, *uid, *rv;
    int64_t generation, created_ms; /* created_ms 0 when unreadable */
    bool deleting, has_finalizer;
    const char *task_name; /* spec.taskName, or NULL: the app's label or name */
    const char *definition;
    const char *platform; /* of its app, else spec.platform, else "default" */
    const char *const *arguments;
    size_t argument_count;
    struct model_properties properties;
    struct model_app *apps;
    size_t app_count;
    bool suspend;
    int64_t active_deadline_s, ttl_s; /* -1 = not given */
    int64_t not_after_ms;             /* -1 = not given */
    struct model_retry retry;
    const struct json_t *object, *spec, *status; /* borrowed */
};

/* As model_stream_read. */
int model_task_read(struct ps_arena *arena, const struct json_t *object, struct model_task *out,
                    struct ps_err *err) PS_MUST_CHECK;

/* The index that two streams collide in: lower-cased stream name. In the arena. */
const char *model_lower(struct ps_arena *arena, const char *text);

/* ---- conditions ----------------------------------------------------------------------------- */

#define MODEL_CONDITIONS_MAX 12
#define MODEL_MESSAGE_MAX    ((size_t)4096) /* the API allows 32768; people read less */

struct model_condition {
    const char *type;
    bool status;
    bool unknown; /* nobody can tell at the moment: neither True nor False */
    const char *reason, *message;
};

struct model_conditions {
    struct model_condition items[MODEL_CONDITIONS_MAX];
    size_t count;
};

void model_condition_set(struct model_conditions *list, const char *type, bool status,
                         const char *reason, const char *message);
/* "Unknown". */
void model_condition_set_unknown(struct model_conditions *list, const char *type,
                                 const char *reason, const char *message);
/* The JSON array; lastTransitionTime is kept from `previous` (a status's conditions, or NULL) where
 * the status did not flip, else now. New reference. */
struct json_t *model_conditions_json(const struct model_conditions *list,
                                     const struct json_t *previous, int64_t generation,
                                     int64_t now_ms);
/* Of a status's conditions; NULL when there is none of that type. */
const struct json_t *model_condition_find(const struct json_t *conditions, const char *type);

#endif
