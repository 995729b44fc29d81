/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl-penstock: what its files share. */
#ifndef PS_PLUGIN_H
#define PS_PLUGIN_H

#include "base/base.h"
#include "codec/codec.h"
#include "kube/kube.h"

#ifndef PENSTOCK_VERSION
#    define PENSTOCK_VERSION "dev"
#endif

#define PLUGIN_FINDINGS 1  /* exit codes: something is wrong with what was checked or asked for */
#define PLUGIN_USAGE    64 /* sysexits.h: EX_USAGE */
#define PLUGIN_CONFIG   78 /* EX_CONFIG */

/* ---- command line (options.c) ---------------------------------------------------------------- */

enum plugin_flag {
    PLUGIN_FILE,
    PLUGIN_KIND,
    PLUGIN_NAME,
    PLUGIN_JSONL,
    PLUGIN_KUBECONFIG,
    PLUGIN_CONTEXT,
    PLUGIN_NAMESPACE,
    PLUGIN_ALL_NAMESPACES,
    PLUGIN_YES,
    PLUGIN_HELP,
    PLUGIN_FLAG_COUNT
};

#define PLUGIN_BIT(flag) (1U << (unsigned int)(flag))

struct plugin_options {
    char **environment; /* "NAME=value", ended by NULL */
    struct ps_arena arena;
    unsigned int given;                    /* PLUGIN_BITs of the flags that were there */
    const char *values[PLUGIN_FLAG_COUNT]; /* the last value of each */
    const char **files;                    /* of all --filename */
    const char **words;                    /* arguments that are no flags */
    size_t file_count, word_count;
};

/* 0, or PLUGIN_USAGE after having said why. */
int plugin_options_read(struct plugin_options *options, int argc, char **argv);
/* Refuses flags that are not in `allowed`. */
int plugin_options_check(const struct plugin_options *options, unsigned int allowed);
bool plugin_has(const struct plugin_options *options, enum plugin_flag flag);
/* NULL when unset or empty. */
const char *plugin_environment(const struct plugin_options *options, const char *name);
/* Says what is wrong on standard error and returns PLUGIN_USAGE. */
int plugin_usage_error(const char *what, const char *value);
int plugin_fail(const char *what, const struct ps_err *err); /* returns PLUGIN_FINDINGS */

/* ---- commands: each returns the exit code -----------------------------------------------------
 */

int plugin_lint(const struct plugin_options *options);
int plugin_stream_platforms(const struct plugin_options *options);
int plugin_task_platforms(const struct plugin_options *options);
int plugin_release(const struct plugin_options *options);

/* ---- lint --------------------------------------------------------------------------------------
 */

struct lint_run {
    size_t checked, findings;
    struct ps_buf out; /* of one finding */
};

/* One definition; `where` stands before the first line of a finding. */
void lint_definition(struct lint_run *run, const char *where, struct ps_str name,
                     struct ps_str text);
void lint_finding(struct lint_run *run, const char *where, const char *what);
/* All documents of one text. */
void lint_documents(struct lint_run *run, const char *file, struct ps_str text);
/* One object; what is none of ours is passed over. */
void lint_object(struct lint_run *run, const char *where, const struct json_t *object);
/* JSON lines from fd to standard output; 0 or an exit code. */
int lint_lines(int fd);

/* ---- the cluster (cluster.c) ------------------------------------------------------------------
 */

struct cluster {
    struct kube_config config;
    struct loop *loop;
    struct kube_client *client;
};

/* Fails with a PLUGIN_… code, having said why. */
int cluster_open(struct cluster *cluster, const struct plugin_options *options) PS_MUST_CHECK;
void cluster_close(struct cluster *cluster);
/* Sends one request and waits for its answer. 0 and a new reference, or the error's code. */
int cluster_ask(struct cluster *cluster, const struct kube_request *request, struct json_t **answer,
                struct ps_err *err) PS_MUST_CHECK;
/* All objects of a kind, page by page: a new array. namespace NULL: everywhere. */
int cluster_list(struct cluster *cluster, const struct kube_kind *kind, const char *namespace,
                 const char *label_selector, struct json_t **items,
                 struct ps_err *err) PS_MUST_CHECK;

/* ---- tables (table.c) --------------------------------------------------------------------------
 */

#define TABLE_COLUMNS 3

/* Draws rows below heads as Data Flow's shell does. cells: row by row. */
void table_draw(struct ps_buf *out, const char *const heads[TABLE_COLUMNS],
                const char *const *cells, size_t rows);

#endif
