/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside plan. A stream's pass runs through these files:
 *   deploy.c      SCDF's deployment properties: one table of keys and their settings
 *   grammar.c     how their values are written
 *   settings.[ch] account, deployer keys and overlay of an app -> its settings
 *   gather.c      what the apps of streams and tasks are gathered with: keys, images, warnings
 *   apps.c        definition + properties + registry + account -> one plan__app for each app
 *   container.c   plan__app -> container
 *   kubernetes.c  plan__app -> workload and Service
 *   policy.[ch]   what accounts let pods be; pod_security.c has the Pod Security Standards
 *   stateful.c    what a StatefulSet has that a Deployment has not
 *   revision.c    rendered objects <-> ControllerRevision
 *   platforms.[ch] accounts: where they lead, and who may use them
 *   clusters.c    the clusters that they lead to, and clean-up there that has to wait
 *   stream.c      the pass: what stands in the way, and what is asked in which order
 *   choose.c      what is wanted, and which revision is in force
 *   remembered.c  what need not be rendered again to know that
 *   children.c    what is there, and what to do
 *   drift.c       what others have changed of it
 *   cleanup.c     the end of a stream
 *   owner.c       our finalizer on the CR, and whether it is live: streams and tasks
 *   remote.c      other clusters: where it may have children, and what waits while one is away
 *   state.c       how it stands with one app
 *   status.c      what to tell
 */
#ifndef PS_PLAN_INTERNAL_H
#define PS_PLAN_INTERNAL_H

#include "dsl/dsl.h"
#include "plan/plan.h"
#include "plan/platforms.h"
#include "plan/settings.h"

/* An app has a Service and a workload. Revisions with more are damaged. */
#define PLAN__OBJECTS_MAX (DSL_APPS_MAX * 2)
/* Creates and patches: the objects, a revision, the finalizer. The rest of a plan is for deletes;
 * what finds no room is deleted by a later plan. */
#define PLAN__DELETES_MAX (PLAN_OPS_MAX - PLAN__OBJECTS_MAX - 2)

/* ---- apps ----------------------------------------------------------------------------------- */

struct plan__app {
    const char *label, *name, *type, *version, *image;
    const char *platform;               /* its account */
    const char *cluster, *namespace;    /* where that leads to; cluster NULL: the operator's own */
    struct model_properties properties; /* what the app sees, sorted by key */
    struct plan__settings settings;
    int64_t port;
    size_t index; /* in the definition */
    bool indexed; /* its instances are numbered: a StatefulSet */
};

struct plan__wanted {
    struct plan__app *apps;
    size_t count;
    const char *definition; /* canonical, secrets masked */
    /* Why not, when nothing can be wanted: reason NULL = fine. */
    const char *reason, *message;
    const char *warnings;   /* ignored keys and the like; NULL = none */
    const char *unverified; /* whether all apps reach the same brokers; NULL = they do */
};

#define PLAN__WARNINGS_MAX ((size_t)2048) /* bytes: enough to read */

/* Never fails: what is wrong stands in wanted->reason. */
void plan__apps(struct ps_arena *arena, const struct model_stream *stream,
                const struct plan_snapshot *s, struct plan__wanted *wanted);
/* The account's own settings, for its status: NULL = fine, else what is wrong. */
const char *plan__account_problem(struct ps_arena *arena, const struct model_account *account,
                                  const char **warnings);

/* ---- objects -------------------------------------------------------------------------------- */

/* One rendered object of a stream. */
struct plan__object {
    enum model_kind kind;
    const char *cluster; /* NULL: the operator's own, else the account that leads there */
    const char *namespace, *name, *app;
    int64_t changed_in;  /* the revision that last changed it */
    struct json_t *body; /* owned by the set; NULL when only the manifest is known */
    struct ps_str text;  /* the body as rendering printed it; p NULL: not known */
    /* As which version it was last known to be as it shall be: a workload's generation, another's
     * resourceVersion. 0 and NULL: not known. */
    int64_t proven_generation;
    const char *proven_rv;
};

struct plan__objects {
    struct plan__object *items;
    size_t count;
    char hash[CODEC_SHA256_HEX]; /* of all bodies; "" when they are not known */
};

void plan__objects_fini(struct plan__objects *set);
const struct plan__object *plan__objects_find(const struct plan__objects *set,
                                              struct plan_need what);

/* What to ask for to see it. */
static inline struct plan_need plan__key(const struct plan__object *o)
{
    return (struct plan_need){o->kind, o->namespace, o->name, o->cluster};
}

static inline struct plan_need plan__key_of(const struct model_object *o)
{
    return (struct plan_need){o->kind, o->namespace, o->name, o->cluster};
}

/* Whose objects they are, and the version in the name of each app's workload. */
struct plan__place {
    const char *namespace;   /* of the one object that is marked */
    const char *account_uid; /* of the account that leads to its cluster; NULL: the operator's */
    const char *installation;
    const struct model_stream *stream;
    const struct plan__objects *current;        /* names are kept from there; may be NULL */
    const struct model_object *const *children; /* and from there: own ones only */
    size_t child_count;
    int64_t number; /* of the next revision: names of what is new */
};

/* PS_EINVAL with reason in *reason (NameTooLong, NameInvalid). */
int plan__render(struct ps_arena *arena, const struct plan__wanted *wanted,
                 const struct plan__place *place, struct plan__objects *out, const char **reason,
                 struct ps_err *err) PS_MUST_CHECK;

/* Whose child an object is. */
struct plan__mark {
    enum model_kind kind; /* of the owner */
    const char *namespace, *name, *uid;
    const char *installation;
    const char *account_uid; /* of the account that leads to the child's cluster; NULL: our own */
    const char *at;          /* the child's namespace */
    const char *app;         /* what the child is for */
    const char *component;
    const char *number_label; /* the label that has the number */
    int64_t number;
};

/* Labels, owner annotation and, beside the owner, owner reference; put over what is there. */
void plan__mark(struct json_t *metadata, const struct plan__mark *mark);
/* The same for a child of the stream. */
void plan__own_labels(struct json_t *metadata, const struct plan__place *place, const char *app,
                      int64_t revision, const char *component);

/* A strategic patch of the metadata that takes all of that away, and what we note in annotations.
 * The owner is the one of this uid. */
void plan__unmark(struct json_t *metadata, const char *uid);
/* What makes a StatefulSet of a workload with its pod template: numbered instances that find their
 * numbers in a file, and a claim for each. */
void plan__stateful(struct json_t *spec, const struct plan__app *app, const char *id,
                    const struct json_t *labels);
/* Of what Kubernetes lets nobody change in a StatefulSet. */
const char *plan__fixed_hash(struct ps_arena *arena, const struct json_t *body);
/* Of a patch: what cannot be changed is as it was, or the object has another name. */
void plan__drop_fixed(struct json_t *patch);

/* A container to be made. */
struct plan__container {
    struct ps_arena *arena;
    const struct plan__app *app;
    const char *name, *image;
    const char *group;            /* NULL: none */
    bool serves;                  /* has ports and probes */
    bool indexed;                 /* reads its number from a file */
    const char *const *arguments; /* stand behind the properties, and beat them */
    size_t argument_count;
};

/* Where an instance finds its number; the volume is mounted by whoever reads or writes it. */
#define PLAN__INDEX_VOLUME "config"
struct json_t *plan__index_mounts(void);
/* New reference. */
struct json_t *plan__container(const struct plan__container *c);
/* Of arguments and variables, in bytes. */
size_t plan__text_size(const struct plan__app *app);
/* {"key": "value"} put over what is in the object. */
void plan__set_all(struct json_t *object, const struct model_properties *list);

const char *plan__body_hash(struct ps_arena *arena, const struct json_t *body);
const char *plan__object_hash(struct ps_arena *arena, const struct plan__object *o); /* the same */

/* ---- revisions ------------------------------------------------------------------------------ */

/* The part of the spec that makes a revision. New reference. */
struct json_t *plan__spec_input(const struct model_stream *stream);
void plan__spec_hash(const struct json_t *input, char hash[CODEC_SHA256_HEX]);
const char *plan__revision_name(struct ps_arena *arena, const struct model_stream *stream,
                                int64_t number);
/* The ControllerRevision to create; NULL when it is larger than the API server takes. New
 * reference. */
struct json_t *plan__revision_body(struct ps_arena *arena, const struct model_stream *stream,
                                   const char *installation, int64_t number,
                                   const struct json_t *input, const struct plan__objects *objects);
/* Reads a ControllerRevision's data back: objects with bodies, and the spec input (new reference,
 * may be NULL as out). */
int plan__revision_read(struct ps_arena *arena, const struct json_t *revision,
                        struct plan__objects *out, struct json_t **input,
                        struct ps_err *err) PS_MUST_CHECK;
/* The manifest annotation: names without bodies. */
int plan__manifest_read(struct ps_arena *arena, const char *text, struct plan__objects *out,
                        struct ps_err *err) PS_MUST_CHECK;

/* ---- building plans (ops.c) ----------------------------------------------------------------- */

struct plan *plan__new(void);
/* Texts are copied, the body is taken. */
void plan__op(struct plan *plan, struct plan_op op);
/* While a StatefulSet is there, its numbers are taken: it goes after its pods. */
void plan__delete(struct plan *plan, int stage, const struct model_object *object);
void plan__need(struct plan *plan, struct plan_need what);
void plan__event(struct plan *plan, bool warning, const char *reason, const char *note);
void plan__wake(struct plan *plan, int64_t after_ms);
/* 8 hex digits for names that hang on an object's uid: two objects of one name, one after the other
 * or in two namespaces, get different ones. */
const char *plan__uid_digits(struct ps_arena *arena, const char *uid);
/* owner.c: our finalizer put on the CR, with the clusters where it may have children (NULL: as they
 * stand there), or taken off. Nothing is written that is there. */
void plan__hold(struct plan *plan, enum model_kind kind, const struct json_t *cr,
                const char *clusters);
const char *plan__recorded_clusters(const struct json_t *cr);
void plan__let_go(struct plan *plan, enum model_kind kind, const struct json_t *cr);
/* Does a live read find the CR as the snapshot has it, there with that uid or gone? False: the read
 * is noted as a need, or the watch is behind; decide nothing now. */
#define PLAN__STALE_RECHECK_MS 1000
bool plan__is_confirmed(struct plan *plan, const struct plan_snapshot *s, enum model_kind kind);
/* Why an operation of an earlier plan failed: a reason for conditions, and words. */
const char *plan__trouble_reason(const struct plan_trouble *trouble);
const char *plan__trouble_text(struct ps_arena *arena, const struct plan_trouble *trouble);
/* The fact, or a NULL and the need noted when it is not known yet. */
const struct plan_fact *plan__ask(struct plan *plan, const struct plan_snapshot *s,
                                  struct plan_need what);
const struct plan_fact *plan__fact(const struct plan_snapshot *s, struct plan_need what);

#endif
