/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of a stream's pass: stream.c, choose.c, children.c, drift.c, cleanup.c,
 * state.c, status.c, remote.c. */
#ifndef PS_PLAN_PASS_H
#define PS_PLAN_PASS_H

#include "plan/internal.h"

struct plan__pass {
    const struct plan_snapshot *s;
    struct plan *plan;
    struct ps_arena *arena; /* the plan's */
    struct model_stream stream;
    const struct model_object **own; /* children of this very CR, newest revision first */
    size_t own_count;
    const struct model_object **predecessors;
    size_t predecessor_count;
    const struct model_object *current; /* the newest revision, or NULL */

    bool barred; /* an account's policy is against what its apps would be: nothing is written */
    const char *access_reason; /* of access_lost */

    struct plan__wanted wanted;
    int64_t next;                 /* number of the revision that would be made now */
    struct plan__objects fresh;   /* as the spec renders today; count 0 when it does not */
    struct plan__objects objects; /* those of the revision in force; bodies may be unknown */
    int64_t revision;             /* its number; 0 = none */
    struct model_conditions conditions;
    const char *refused_reason, *refused_message; /* Accepted=False */
    const char *outdated;                         /* what differs, or NULL */
    const char *conflict;                         /* NameConflict's message, or NULL */
    const char *waiting_reason, *waiting_message; /* PredecessorTerminating and the like */
    const char *shared;                           /* DestinationShared's message, or NULL */
    const char *replacing;                        /* whose end an app waits for, or NULL */
    const char *drifted;                          /* what others have changed, or NULL */
    bool correcting, drift_unknown;
    bool drift_stays;        /* where the stream may not write */
    const char *access_lost; /* why what runs may be changed no longer, or NULL */
    bool held_back;          /* because of that something was not written */
    const char *clusters;  /* where children may be, but for the own cluster: for the annotation */
    const char *away;      /* of those in force the first that cannot be reached, or NULL */
    const char *left_over; /* one that is in force no more and cannot be reached, or NULL */
    const char *preparing; /* whose account is not ready for its first object yet, or NULL */
    bool remembered;       /* `objects` are what is rendered, without their bodies */
    bool hold;             /* the stream has to get our finalizer */
    bool busy;             /* operations are planned */
    bool blind;            /* what the revision in force holds cannot be known */
};

/* The first reason stays. */
void plan__stream_refuse(struct plan__pass *pass, const char *reason, const char *message);
/* What stands in the way of what is wanted; before a revision is chosen. */
void plan__stream_obstacles(struct plan__pass *pass);
void plan__stream_revision(struct plan__pass *pass);
void plan__stream_status(struct plan__pass *pass);
void plan__stream_children(struct plan__pass *pass);
/* What others have changed: told, and corrected. Bodies are asked for where they are needed. */
void plan__stream_drift(struct plan__pass *pass);
/* Is the child known to be as it shall be? */
bool plan__is_proven(const struct plan__pass *pass, const struct model_object *child);
/* remembered.c: does the caller's note say that the spec renders to what `current` lists? Then that
 * becomes `fresh`. Else the note to be kept, when it does. */
bool plan__remembers(struct plan__pass *pass, const struct plan__objects *current, int64_t number);
void plan__remember(struct plan__pass *pass, int64_t number);
/* The same of what is about to be made: the first revision of that number, and all its objects. */
void plan__remember_first(struct plan__pass *pass, const struct json_t *revision, int64_t number);
/* Renders what is remembered; false when that is not what the revision in force holds. */
bool plan__stream_bodies(struct plan__pass *pass);
/* Fills in the bodies of the objects in force; false while they have to be fetched. */
bool plan__need_bodies(struct plan__pass *pass);
/* Lays the members of `from` over those of `onto`, two levels deep: patches have metadata and spec.
 */
void plan__lay_over(struct json_t *onto, const struct json_t *from);
void plan__stream_cleanup(struct plan__pass *pass);
/* remote.c: where children may be, and what cannot be reached of it; when the revision in force is
 * chosen. */
void plan__stream_clusters(struct plan__pass *pass);
/* The annotation as it has to be; last. */
void plan__stream_record(struct plan__pass *pass);
/* May a StatefulSet of the app run where it cannot be seen? Its message, or NULL. */
const char *plan__unseen_numbers(struct plan__pass *pass, const struct plan__object *o);
/* Would the new revision ask of an object that cannot be seen what cannot be changed? */
bool plan__changes_unseen(struct plan__pass *pass, const struct plan__objects *current);
/* Does the status tell of the object, which stands in another cluster? */
bool plan__was_there(const struct plan__pass *pass, const struct plan__object *o);
/* Do older revisions tell of objects that are not removed yet? */
bool plan__needs_history(const struct plan__pass *pass);
const struct model_object *plan__own_child(const struct plan__pass *pass,
                                           const struct plan__object *o);

/* ---- state.c --------------------------------------------------------------------------------- */

enum plan__state {
    PLAN__UNDEPLOYED,
    PLAN__DEPLOYING,
    PLAN__DEPLOYED,
    PLAN__PARTIAL,
    PLAN__FAILED,
    PLAN__UNKNOWN, /* it cannot be seen */
};

struct plan__app_state {
    enum plan__state state;
    const char *reason, *message; /* NULL: nothing to say */
    int64_t desired, ready;
};

struct plan__app_state plan__app_state(struct plan__pass *pass, const struct plan__object *o);
/* What the status has of the app; NULL: nothing. */
const struct json_t *plan__old_app(const struct plan__pass *pass, const char *label);

#endif
