/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app registry: which image or jar an app name stands for. Read from ConfigMaps that hold text
 * in SCDF's `app import` format:
 *
 *     # comments and blank lines are skipped
 *     source.time=docker:springcloudstream/time-source-kafka:4.0.0
 *     source.time=docker:springcloudstream/time-source-kafka:3.2.1
 *     source.time.metadata=maven://org.example:time-source-kafka:jar:metadata:4.0.0
 *     source.time.bootVersion=3
 *
 * The first version that is listed for a type and name is the default; the text that was added
 * first wins. The key ends at the first '=', the rest of the line is the URI. Everything lives in
 * the registry until model_registry_free.
 */
#ifndef PS_MODEL_REGISTRY_H
#define PS_MODEL_REGISTRY_H

#include "base/base.h"

#define MODEL_REGISTRY_ENTRIES_MAX    ((size_t)10000)
#define MODEL_REGISTRY_LINE_MAX       ((size_t)8 * 1024) /* bytes */
#define MODEL_REGISTRY_NAME_MAX       ((size_t)255)      /* SCDF's */
#define MODEL_REGISTRY_CANDIDATES_MAX ((size_t)10)
#define MODEL_REGISTRY_VERSIONS_MAX   ((size_t)20) /* named in one list */

struct model_registry;

struct model_registry_entry {
    const char *type; /* app, source, processor, sink, task */
    const char *name;
    const char *version;  /* tag (default latest), digest, or version in the artifact's name */
    const char *uri;      /* as written */
    const char *image;    /* of a docker: URI what follows the scheme and its slashes; else NULL */
    const char *metadata; /* URI of the line with the same version in the same text, or NULL */
    const char *source;   /* the name given to model_registry_add */
    size_t line;          /* from 1 */
};

/* Called for each line that cannot be used and each duplicate. The message says what was expected
 * and repeats no URI, which may hold a password. */
typedef void model_registry_on_problem(const char *source, size_t line, const char *message,
                                       void *self);

struct model_registry *model_registry_new(void);
void model_registry_free(struct model_registry *reg);
/* Reads one text to its end, whatever its lines are like. on_problem may be NULL. Returns the
 * number of problems. */
size_t model_registry_add(struct model_registry *reg, const char *source, struct ps_str text,
                          model_registry_on_problem *on_problem, void *self);
size_t model_registry_count(const struct model_registry *reg);
/* The default version when version is NULL; NULL when there is none. */
const struct model_registry_entry *model_registry_find(const struct model_registry *reg,
                                                       const char *type, const char *name,
                                                       const char *version);
/* "4.0.0, 3.2.1": the default first; nothing when type and name are not registered. */
void model_registry_versions(const struct model_registry *reg, const char *type, const char *name,
                             struct ps_buf *out);
/* "source.time, sink.tame": what may have been meant by name: other types of it first, then names
 * that differ by up to three letters, nearest first. */
void model_registry_candidates(const struct model_registry *reg, const char *name,
                               struct ps_buf *out);

/* What a URI says; all are views of the URI. */
struct model_app_uri {
    struct ps_str version;
    struct ps_str image; /* p == NULL unless docker: */
};

/* docker:, maven:, http: and https:; PS_EINVAL with what was expected, without the URI. */
PS_MUST_CHECK int model_app_uri_parse(struct ps_str uri, struct model_app_uri *parts,
                                      struct ps_err *err);

#endif
