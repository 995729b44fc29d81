/* SPDX-License-Identifier: Apache-2.0 */
/* Inside model: readers of the fields that specs share, with every field's path in the errors, and
 * what makes projections. */
#ifndef PS_MODEL_INTERNAL_H
#define PS_MODEL_INTERNAL_H

#include "model/model.h"

struct model__reader {
    struct ps_arena *arena;
    struct ps_err *err; /* may be NULL */
};

/* What every object of ours begins with. Borrows from the object. */
struct model__meta {
    const char *namespace, *name, *uid, *rv;
    int64_t generation, created_ms; /* created_ms 0 when unreadable */
    bool deleting, has_finalizer;
    const struct json_t *spec, *status;
};

struct model__meta model__meta(const struct json_t *object);
bool model__has_finalizer(const struct json_t *object, const char *finalizer);
/* metadata.creationTimestamp; 0 when unreadable. */
int64_t model__created_ms(const struct json_t *object);

/* Each leaves *out alone when the field is absent, and fails with "<path>.<key>: …" when it is of
 * another type or above its limit. */
int model__text(const struct model__reader *r, const struct json_t *parent, const char *path,
                const char *key, const char **out) PS_MUST_CHECK;
int model__bool(const struct model__reader *r, const struct json_t *parent, const char *path,
                const char *key, bool *out) PS_MUST_CHECK;

/* From min to max, both included. */
struct model__range {
    int64_t min, max;
};

int model__integer(const struct model__reader *r, const struct json_t *parent, const char *path,
                   const char *key, struct model__range range, int64_t *out) PS_MUST_CHECK;
/* Values are text or integers. Sorted by key. */
int model__map(const struct model__reader *r, const struct json_t *parent, const char *path,
               const char *key, struct model_properties *out) PS_MUST_CHECK;
/* spec.apps. */
int model__apps(const struct model__reader *r, const struct json_t *spec, struct model_app **apps,
                size_t *count) PS_MUST_CHECK;
/* A list of texts, at most max of them; absent: an empty one. */
int model__texts(const struct model__reader *r, const struct json_t *list, const char *path,
                 size_t max, struct model_texts *out) PS_MUST_CHECK;
/* spec.policy of an account. */
int model__policy(const struct model__reader *r, const struct json_t *spec,
                  struct model_policy *out) PS_MUST_CHECK;
/* spec.allowedNamespaces of an account. */
int model__access(const struct model__reader *r, const struct json_t *spec,
                  struct model_access *out) PS_MUST_CHECK;
/* All labels of a Namespace. With more of them none is known: a selector may ask for one that was
 * left out. */
#define MODEL__LABELS_MAX    ((size_t)16 * 1024)
/* The account of a spec and those of its apps. */
#define MODEL__PLATFORMS_MAX ((size_t)32 * 1024)
/* The labels of an object as a projection has them; NULL when they don't fit into the buffer. */
const char *model__labels_text(struct ps_str labels, struct ps_arena *arena, struct ps_buf *text);
/* spec is an object. */
int model__check_spec(const struct json_t *spec, struct ps_err *err) PS_MUST_CHECK;
/* SCDF's rule for names on Kubernetes. what: "Stream"; field: where to set another. */
int model__check_name(const char *name, const char *what, const char *field,
                      struct ps_err *err) PS_MUST_CHECK;

/* One block: the struct, and behind it the texts that its pointers led to, cut where they are too
 * long. */
struct model_object *model__pack(const struct model_object *from);

/* Containers of one pod that are looked at. */
#define MODEL__CONTAINERS_MAX ((size_t)64)

#endif
