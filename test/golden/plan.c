/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden files of the planners: for each test/golden/plan/<case>/, what plan_stream or plan_task
 * makes of in.json is compared with plan.json, or written there (--update). `--input CASE` prints a
 * whole snapshot. in.json is one (test/unit/support/snapshot.h) and may be short:
 *
 *   "base": "../_base/in.json"  laid under this file (RFC 7386); relative to the case
 *   "crStatusFrom": CASE        the CR's status is what that case's plan makes of its own
 *
 *   in children: {"fromCase": CASE, "ops": ["Deployment/foo-predict-v1"], "merge": {}}
 *       what those create operations make, all of them without "ops"; "ready": true rolls out
 *       workloads; merge is laid over each
 *
 *   in facts: {"fromCase": CASE, "op": "ControllerRevision/foo-1"}
 *       present, with that body; merge is laid over it
 *
 * Directories that begin with '_' are no cases. A revision's packed objects are shown unpacked.
 * What the same plan creates, or the case first-deploy had already, is named instead of repeated.
 */
#include "support/snapshot.h"

#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MAX      ((size_t)4 * 1024 * 1024)
#define PATH_TEXT_MAX ((size_t)1024)
#define COMMON        "first-deploy"
#define DEPTH_MAX     8 /* cases that build on cases */
#define CASES_MAX     ((size_t)500)

static const char *const root = "test/golden/plan";

_Noreturn static void die(const char *what, const char *detail)
{
    fprintf(stderr, "golden: %s: %s\n", what, detail);
    exit(2);
}

static bool read_file(const char *path, struct ps_buf *out)
{
    char chunk[8192];
    size_t n;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        ps_buf_add(out, chunk, n);
    if (ferror(file) != 0 || ps_buf_failed(out))
        die(path, "cannot be read");
    (void)fclose(file);
    return true;
}

static void write_file(const char *path, struct ps_str text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL || fwrite(text.p, 1, text.n, file) != text.n || fclose(file) != 0)
        die(path, "cannot be written");
}

static struct json_t *read_json(const char *name, const char *file)
{
    PS_AUTO_BUF(path, PATH_TEXT_MAX);
    PS_AUTO_BUF(text, FILE_MAX);
    struct ps_err err;

    ps_buf_printf(&path, "%s/%s/%s", root, name, file);
    if (!read_file(ps_buf_text(&path), &text))
        die(ps_buf_text(&path), "is not there");
    struct json_t *json = js_parse(ps_buf_get(&text), &err);

    if (json == NULL)
        die(ps_buf_text(&path), err.message);
    return json;
}

/* ---- short forms ------------------------------------------------------------------------------
 */

static struct json_t *plan_of(const char *name, int depth);

static bool is_named(const struct json_t *op, const char *wanted)
{
    PS_AUTO_BUF(name, PATH_TEXT_MAX);

    ps_buf_printf(&name, "%s/%s", js_path_str(op, "kind"), js_path_str(op, "name"));
    return ps_streq(ps_buf_text(&name), wanted);
}

static bool is_chosen(const struct json_t *ops, const struct json_t *op)
{
    if (!ps_streq(js_path_str(op, "verb"), "create"))
        return false;
    for (size_t i = 0; i < js_len(ops); i++)
        if (is_named(op, js_str(js_at(ops, i))))
            return true;
    return ops == NULL;
}

/* The object as the server would show it after the create. */
static struct json_t *created(const struct json_t *op)
{
    struct json_t *object = js_copy(js_get(op, "body")), *metadata = js_child(object, "metadata");
    PS_AUTO_BUF(uid, PATH_TEXT_MAX);

    ps_buf_printf(&uid, "uid-%s-%s", js_path_str(op, "kind"), js_path_str(op, "name"));
    js_set_str(metadata, "uid", ps_buf_text(&uid));
    js_set_str(metadata, "resourceVersion", "100");
    js_set_int(metadata, "generation", 1);
    return object;
}

static void roll_out(struct json_t *object)
{
    static const char *const counts[] = {"replicas", "readyReplicas", "updatedReplicas",
                                         "availableReplicas"};
    struct json_t *status = js_child(object, "status");
    const int64_t replicas = js_path_int(object, "spec.replicas", 1);

    js_set_int(status, "observedGeneration", js_path_int(object, "metadata.generation", 1));
    for (size_t i = 0; i < PS_ARRAY_LEN(counts); i++)
        js_set_int(status, counts[i], replicas);
}

static void add_children(struct json_t *list, const struct json_t *from, int depth)
{
    struct json_t *plan PS_AUTO_JS = plan_of(js_path_str(from, "fromCase"), depth);
    const struct json_t *ops = js_get(plan, "ops"), *wanted = js_get(from, "ops");
    size_t found = 0;

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (!is_chosen(wanted, op))
            continue;
        struct json_t *object PS_AUTO_JS = created(op), *child = js_object();

        if (js_path_bool(from, "ready", false) &&
            model_is_workload(snapshot_kind(js_path_str(op, "kind"))))
            roll_out(object);
        js_set_str(child, "kind", js_path_str(op, "kind"));
        js_set(child, "written", js_copy(js_get(from, "written")));
        js_set(child, "cluster", js_copy(js_get(op, "cluster")));
        js_set(child, "object",
               js_get(from, "merge") ? snapshot_merge(object, js_get(from, "merge"))
                                     : js_copy(object));
        js_push(list, child);
        found++;
    }
    if (found == 0 || (wanted != NULL && found != js_len(wanted)))
        die(js_path_str(from, "fromCase"),
            "does not create the objects that another case takes from it");
}

static void add_fact(struct json_t *list, const struct json_t *from, int depth)
{
    struct json_t *plan PS_AUTO_JS = plan_of(js_path_str(from, "fromCase"), depth);
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (!is_named(op, js_path_str(from, "op")))
            continue;
        struct json_t *fact = js_object();

        js_set(fact, "kind", js_copy(js_get(op, "kind")));
        js_set(fact, "namespace", js_copy(js_get(op, "namespace")));
        js_set(fact, "name", js_copy(js_get(op, "name")));
        js_set(fact, "cluster", js_copy(js_get(op, "cluster")));
        struct json_t *object PS_AUTO_JS = created(op);

        js_set(fact, "object",
               js_get(from, "merge") ? snapshot_merge(object, js_get(from, "merge"))
                                     : js_copy(object));
        js_push(list, fact);
        return;
    }
    die(js_path_str(from, "op"), "is made by no operation of the case it is taken from");
}

static void expand_list(struct json_t *in, const char *key, int depth,
                        void (*add)(struct json_t *, const struct json_t *, int))
{
    const struct json_t *from = js_get(in, key);
    struct json_t *list = js_array();

    for (size_t i = 0; i < js_len(from); i++) {
        if (js_get(js_at(from, i), "fromCase") != NULL)
            add(list, js_at(from, i), depth);
        else
            js_push(list, js_copy(js_at(from, i)));
    }
    js_set(in, key, list);
}

/* What the plan writes into the status, at its end or as its first operation. */
static struct json_t *status_of(const struct json_t *plan)
{
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        if (ps_streq(js_path_str(js_at(ops, i), "verb"), "patch-status"))
            return js_path(js_at(ops, i), "body.status");
    }
    return js_path(plan, "status.status");
}

static struct json_t *input_of(const char *name, int depth)
{
    struct json_t *own PS_AUTO_JS = read_json(name, "in.json");
    const char *base = js_path_str(own, "base");
    struct json_t *in;

    if (depth > DEPTH_MAX)
        die(name, "cases build on each other in a circle");
    if (base != NULL) {
        struct json_t *below PS_AUTO_JS = read_json(name, base);

        in = snapshot_merge(below, own);
    } else {
        in = js_copy(own);
    }
    const char *status = js_path_str(in, "crStatusFrom");

    if (status != NULL) {
        struct json_t *before PS_AUTO_JS = input_of(status, depth + 1);
        struct json_t *plan PS_AUTO_JS = plan_of(status, depth + 1), *patch = status_of(plan);

        js_set(js_child(in, "cr"), "status",
               patch ? snapshot_merge(js_path(before, "cr.status"), patch)
                     : js_copy(js_path(before, "cr.status")));
    }
    expand_list(in, "children", depth + 1, add_children);
    expand_list(in, "facts", depth + 1, add_fact);
    return in;
}

static struct json_t *plan_of(const char *name, int depth)
{
    struct json_t *in PS_AUTO_JS = input_of(name, depth);
    struct plan *plan = snapshot_plan(in);
    struct json_t *json = plan_json(plan);

    plan_free(plan);
    return json;
}

/* ---- comparing
 * ----------------------------------------------------------------------------------- */

static const char *const as_known = "as in " COMMON;

/* What the case COMMON has created, for cases that would repeat it. */
static bool is_known(const struct json_t *known, const struct json_t *body)
{
    const struct json_t *ops = js_get(known, "ops");

    for (size_t i = 0; i < js_len(ops); i++)
        if (js_equal(body, js_path(js_at(ops, i), "body")))
            return true;
    return false;
}

/* The objects that the revision of the case COMMON holds. New reference. */
static struct json_t *known_objects(const struct json_t *known)
{
    const struct json_t *ops = js_get(known, "ops");

    for (size_t i = 0; i < js_len(ops); i++)
        if (js_path_str(js_at(ops, i), "body.data.penstock") != NULL) {
            struct json_t *unpacked PS_AUTO_JS = snapshot_unpack(js_get(js_at(ops, i), "body"));

            return js_copy(js_get(unpacked, "objects"));
        }
    return js_array();
}

/* What the plan creates itself stands there once more: named is enough. */
static bool is_created(const struct json_t *ops, const struct json_t *body)
{
    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        if (ps_streq(js_path_str(op, "kind"), js_path_str(body, "kind")) &&
            ps_streq(js_path_str(op, "name"), js_path_str(body, "metadata.name")) &&
            js_equal(js_path(op, "body.spec"), js_get(body, "spec")))
            return true;
    }
    return false;
}

static bool is_item(const struct json_t *objects, const struct json_t *body)
{
    for (size_t i = 0; i < js_len(objects); i++)
        if (js_equal(js_get(js_at(objects, i), "body"), body))
            return true;
    return false;
}

/* The packed form depends on the compressor's version. */
static void show_revision(struct json_t *revision, const struct json_t *ops,
                          const struct json_t *known)
{
    struct json_t *unpacked = snapshot_unpack(revision), *objects PS_AUTO_JS = known_objects(known);
    const struct json_t *list = js_get(unpacked, "objects");

    for (size_t i = 0; i < js_len(list); i++) {
        struct json_t *item = js_at(list, i);
        const struct json_t *body = js_get(item, "body");
        PS_AUTO_BUF(text, PATH_TEXT_MAX);

        if (is_created(ops, body))
            ps_buf_printf(&text, "%s", js_path_str(body, "metadata.name"));
        else if (is_item(objects, body))
            ps_buf_printf(&text, "%s, %s", js_path_str(body, "metadata.name"), as_known);
        else
            continue;
        js_set_str(item, "body", ps_buf_text(&text));
    }
    js_set(js_child(revision, "data"), "penstock", unpacked);
}

static void make_readable(const char *name, struct json_t *plan)
{
    struct json_t *known PS_AUTO_JS = strcmp(name, COMMON) == 0 ? js_object() : plan_of(COMMON, 0);
    struct json_t *before PS_AUTO_JS = js_copy(js_get(plan, "ops"));
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        struct json_t *op = js_at(ops, i), *body = js_get(op, "body");

        if (is_known(known, body))
            js_set_str(op, "body", as_known);
        else if (js_path_str(body, "data.penstock") != NULL)
            show_revision(body, before, known);
    }
}

static void show_difference(const char *golden, struct ps_str actual)
{
    char *const env[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    char path[] = "/tmp/golden-XXXXXX";
    const int fd = mkstemp(path);
    PS_AUTO_FREE char *expected = ps_xstrdup(golden);
    char *argv[] = {(char[]){"diff"}, (char[]){"-u"}, (char[]){"--"}, expected, path, NULL};
    pid_t pid;

    if (fd < 0)
        die(path, "cannot be made");
    (void)close(fd);
    write_file(path, actual);
    (void)fflush(stdout);
    if (posix_spawnp(&pid, "diff", NULL, NULL, argv, env) == 0)
        (void)waitpid(pid, NULL, 0);
    (void)unlink(path);
}

static bool check(const char *name, bool update)
{
    struct json_t *plan PS_AUTO_JS = plan_of(name, 0);
    PS_AUTO_BUF(path, PATH_TEXT_MAX);
    PS_AUTO_BUF(actual, FILE_MAX);
    PS_AUTO_BUF(golden, FILE_MAX);

    make_readable(name, plan);
    js_print_pretty(&actual, plan);
    if (ps_buf_failed(&actual))
        die(name, "the plan is larger than a golden file may be");
    ps_buf_printf(&path, "%s/%s/plan.json", root, name);
    const bool there = read_file(ps_buf_text(&path), &golden);

    if (there && ps_str_eq(ps_buf_get(&actual), ps_buf_get(&golden)))
        return true;
    if (update) {
        write_file(ps_buf_text(&path), ps_buf_get(&actual));
        printf("%s: written\n", name);
        return true;
    }
    printf("%s: %s\n", name, there ? "another plan than plan.json" : "has no plan.json");
    show_difference(there ? ps_buf_text(&path) : "/dev/null", ps_buf_get(&actual));
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t list_cases(struct ps_arena *arena, const char **names)
{
    DIR *dir = opendir(root);
    size_t n = 0;

    if (dir == NULL)
        die(root, "is not there; run this at the top of the tree");
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || entry->d_name[0] == '_')
            continue;
        if (n == CASES_MAX)
            die(root, "too many cases");
        names[n++] = ps_arena_dup(arena, entry->d_name);
    }
    (void)closedir(dir);
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

/* The whole snapshot of a case, for a debugger or a fuzzer. */
static int print_input(const char *name)
{
    struct json_t *in PS_AUTO_JS = input_of(name, 0);
    PS_AUTO_BUF(text, FILE_MAX);

    js_print(&text, in);
    puts(ps_buf_text(&text));
    return 0;
}

int main(int argc, char **argv)
{
    const bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const int first = update ? 2 : 1;
    static const char *names[CASES_MAX];
    struct ps_arena arena;
    size_t n = 0, passed = 0;

    codec_init();
    if (argc == 3 && strcmp(argv[1], "--input") == 0)
        return print_input(argv[2]);
    ps_arena_init(&arena);
    for (int i = first; i < argc; i++)
        names[n++] = argv[i];
    if (n == 0)
        n = list_cases(&arena, names);
    for (size_t i = 0; i < n; i++)
        passed += check(names[i], update);
    ps_arena_fini(&arena);
    printf("%zu passed, %zu failed\n", passed, n - passed);
    return passed == n && n > 0 ? 0 : 1;
}
