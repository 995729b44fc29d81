/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of one kind as last seen; see store.c. */
#ifndef PS_OPERATOR_STORE_H
#define PS_OPERATOR_STORE_H

#include "kube/kube.h"
#include "model/model.h"

struct controller;
struct operator__cluster;

/* Objects of one index key, by value of the pointers; no order. */
struct operator__list {
    uint32_t count, cap;
    const struct model_object *items[];
};

/* Kinds that are read whole keep their text beside the projection: JSON without managedFields, as
 * codec_compact made it, packed to a third. A pass unpacks it in a few microseconds. */
struct operator__entry {
    struct model_object *object;
    char *packed;         /* or NULL */
    uint32_t packed_size; /* bytes */
    uint32_t seen;        /* number of the list that last had it */
    uint64_t essence;     /* hash of what passes look at: all but status and resourceVersion */
    uint64_t rendered;    /* of a stream: what its last plan has noted; 0 = nothing */
};

struct operator__store {
    enum model_kind kind;
    bool whole;             /* keep the text */
    struct ps_map entries;  /* "namespace/name" -> entry */
    struct ps_map by_index; /* index key -> list */
    /* NULL: any; else what a write of ours has brought stays out without it. Borrowed. */
    const char *installation;
    /* NULL: the operator's own; else the account that leads there, and its uid, without which a
     * child is another's. Borrowed. */
    const char *cluster, *account_uid;
    struct operator__cluster *of; /* NULL: the operator's own */
    const char *(*index)(const struct model_object *object, struct ps_buf *key); /* NULL = none */
    uint32_t list_number;
    char *progress; /* the view is as new as this resourceVersion; NULL = not known */
    bool synced;
    bool behind; /* a new leader awaits a list that began after it gained the lease */
    /* Called after a change; before or after may be NULL. `essential`: something that a pass looks
     * at. */
    void (*changed)(struct controller *op, const struct model_object *before,
                    const struct model_object *after, bool essential);
    struct controller *op;
    /* A list is complete; the watch has got into trouble or out of it; an object cannot be read.
     * The last two may be NULL. */
    void (*listed)(struct operator__store *store);
    void (*healthy)(struct operator__store *store);
    void (*unreadable)(struct operator__store *store, const char *namespace, const char *name,
                       const char *why);
    struct kube_reflector *reflector;
    char *trouble; /* of the watch; NULL = in order */
};

void operator__store_init(struct operator__store *store, struct controller *op,
                          enum model_kind kind);
void operator__store_fini(struct operator__store *store);
const struct operator__entry *operator__store_get(const struct operator__store *store,
                                                  const char *namespace, const char *name);
/* Of a kind that is kept whole: the text appended, or as a tree, a new reference. */
void operator__entry_text(const struct operator__entry *entry, struct ps_buf *out);
struct json_t *operator__entry_tree(const struct operator__entry *entry);
const struct operator__list *operator__store_list(const struct operator__store *store,
                                                  const char *index_key);

enum operator__origin {
    OPERATOR__WATCH,  /* or a list */
    OPERATOR__ANSWER, /* to a request of ours */
    OPERATOR__WRITTEN /* as an operation has just left it: its spec is ours, while it is the same */
};

/* From the watch, or from an answer to a request of ours (dropped when the watch is
 * newer). PS_EINVAL, PS_ELIMIT: it cannot be read or kept, and what was known stays as it was. */
int operator__store_put(struct operator__store *store, struct ps_str text,
                        enum operator__origin origin, struct ps_err *err) PS_MUST_CHECK;
/* uid and rv may be NULL: not known. */
void operator__store_remove(struct operator__store *store, const struct kube_seen *seen);
/* As the watch tells it: it has shown everything until then. */
void operator__store_deleted(struct operator__store *store, const struct kube_seen *seen);
void operator__store_absent(struct operator__store *store, const char *namespace, const char *name);
/* What the last plan of a stream has noted for the next one. */
void operator__store_note(struct operator__store *store, const char *namespace, const char *name,
                          uint64_t rendered);
/* It is there, but cannot be read: what was known of it stays, also through a list. */
void operator__store_keep(struct operator__store *store, const char *namespace, const char *name);
void operator__store_list_begin(struct operator__store *store);
void operator__store_list_end(struct operator__store *store, const char *rv);
void operator__store_progress(struct operator__store *store, const char *rv);

#endif
