/* SPDX-License-Identifier: Apache-2.0 */
/* Part of model.h: the kinds that Penstock reads and writes, and objects as facts. */
#ifndef PS_MODEL_OBJECT_H
#define PS_MODEL_OBJECT_H

#include "base/base.h"

/* ---- kinds ---------------------------------------------------------------------------------- */

enum model_kind {
    MODEL_ACCOUNT,
    MODEL_STREAM,
    MODEL_TASK,
    MODEL_CONFIG_MAP,
    MODEL_NAMESPACE,
    MODEL_DEPLOYMENT,
    MODEL_STATEFUL_SET,
    MODEL_SERVICE,
    MODEL_REVISION,
    MODEL_JOB,
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
/* Does it run a stream's app? Deployment and StatefulSet. */
bool model_is_workload(enum model_kind kind);
/* Is nothing of it read but its metadata? Then it is watched, and its writes are answered, without
 * the rest. */
bool model_is_metadata_only(enum model_kind kind);

/* ---- states of a launch ---------------------------------------------------------------------- */

enum model_task_phase {
    MODEL_TASK_NEW, /* no status yet */
    MODEL_TASK_PENDING,
    MODEL_TASK_WAITING,
    MODEL_TASK_RUNNING,
    MODEL_TASK_COMPLETE,
    MODEL_TASK_FAILED,
    MODEL_TASK_STOPPED,
    MODEL_TASK_UNKNOWN,
    MODEL_TASK_PHASES
};

/* Of the last attempt. STARTING is the recorded intent: from then on it may run. */
enum model_attempt_state {
    MODEL_ATTEMPT_NONE,
    MODEL_ATTEMPT_STARTING,
    MODEL_ATTEMPT_RUNNING,
    MODEL_ATTEMPT_COMPLETE,
    MODEL_ATTEMPT_FAILED,
    MODEL_ATTEMPT_STOPPED,
    MODEL_ATTEMPT_UNKNOWN, /* nobody knows whether it ran to its end */
    MODEL_ATTEMPT_STATES
};

enum model_job_end {
    MODEL_JOB_NOT_ENDED,
    MODEL_JOB_COMPLETE,
    MODEL_JOB_FAILED
};

const char *model_task_phase_name(enum model_task_phase phase);       /* "Pending"; "" for NEW */
const char *model_attempt_state_name(enum model_attempt_state state); /* "Starting"; "" for NONE */
/* From what a status says; MODEL_TASK_NEW and MODEL_ATTEMPT_NONE when it says nothing known. */
enum model_task_phase model_task_phase_of(const char *name);
enum model_attempt_state model_attempt_state_of(const char *name);

/* ---- objects as facts ------------------------------------------------------------------------ */

/* What is kept of an object that was seen: a few hundred bytes. Texts that the object does not have
 * are NULL, numbers as said. What one kind alone has is to be read of that kind only: the room is
 * shared. */
struct model_object {
    enum model_kind kind;
    bool deleting;
    bool has_owner;     /* an owner reference: collected with its owner */
    bool has_finalizer; /* of ours: cleanup, or a Job's for its attempt */
    bool written;       /* its spec is what a write of ours has left; noted by who has written */
    bool rolled_out;    /* a workload: nothing of an older spec is left, or no instance is wanted */
    bool suspend;       /* a Job: spec.suspend */
    bool suspended;     /* a Job's condition: its pods were told to go */
    bool stopped;       /* a Job's annotation: it was us who suspended it */
    bool pod_ready;
    /* Where it stands: NULL the operator's own cluster, else the name of the account that leads
     * there. Not read from the object but set by whoever keeps it, and borrowed from him. */
    const char *cluster;
    const char *namespace, *name, *uid, *rv;
    const char *owner, *owner_uid, *app; /* annotation and labels of ours */
    const char *body_hash;               /* annotation */
    const char *installation;            /* label */
    const char *account_uid;             /* label */
    const char *app_id;                  /* Job, Pod: label spring-app-id */
    const char *phase;                   /* Pod, Namespace, StreamDeployment */
    int64_t revision;                    /* label; -1 = none */
    int64_t generation;                  /* 0 = none */
    int64_t created_ms;                  /* of our own kinds and Jobs; 0 = not readable */

    union {
        struct {                         /* our own kinds */
            int64_t observed_generation; /* 0 = none */
            /* StreamDeployment, TaskLaunch: spec.platform (of a launch: its app's) and
             * spec.streamName with their defaults; and all accounts that the spec names, parted by
             * commas */
            const char *platform, *stream_name, *platforms;
            const char *clusters; /* annotation */
            /* TaskLaunch: as its status has them */
            enum model_task_phase task_phase;
            enum model_attempt_state attempt_state;
        };

        struct { /* Deployment, StatefulSet */
            int64_t replicas, ready;
            const char *replicas_before_suspend, *fixed_hash; /* annotations */
            const char *failure_reason, *failure_message;     /* condition ReplicaFailure */
        };

        struct { /* ControllerRevision */
            const char *spec_hash, *render_hash, *manifest, *redeploy;
        };

        struct {                         /* Job */
            int64_t attempt;             /* label; 0 = none */
            int64_t active, terminating; /* pods */
            enum model_job_end job_end;
            int64_t ended_ms;                     /* when that condition came; 0 = not ended */
            const char *end_reason, *end_message; /* of that condition */
            const char *deadline;                 /* annotation */
            const char *image;                    /* of its first container */
        };

        struct { /* Pod */
            /* why it does not run: ImagePullBackOff, Unschedulable, … */
            const char *cause, *cause_message;
            int64_t restarts, exit_code; /* of the worst container; exit_code -1 = none */
        };

        struct {                /* Namespace */
            const char *labels; /* for model_label_get; NULL: too many to be known */
        };
    };
};

/* From the object's text; one block of memory. NULL and *err when it is not JSON, or has no name,
 * uid or resourceVersion. */
struct model_object *model_object_read(enum model_kind kind, struct ps_str text,
                                       struct ps_err *err) PS_MUST_CHECK;

/* Is all that is kept of them equal but the resourceVersion? Of the same kind. */
bool model_object_same(const struct model_object *a, const struct model_object *b);

/* Does the stream or launch name that account? */
bool model_names_platform(const struct model_object *user, const char *platform);
/* Of names parted by commas, as platforms and clusters are; NULL: none. */
bool model_names_has(const char *names, const char *name);
/* From a projection's labels; *value is a view of them. */
bool model_label_get(const char *labels, const char *key, struct ps_str *value);

#endif
