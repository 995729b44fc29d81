/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what it believes, in which order news may come, and what it tells. */
#include "operator/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define JOURNAL_MAX ((size_t)4096)

struct fixture {
    struct controller op; /* only as the receiver of changes */
    struct operator__store store;
    struct ps_buf journal;
};

/* "+" appeared, "~" changed, "-" gone, each with uid and resourceVersion; "!" = essential. */
static void on_changed(struct controller *op, const struct model_object *before,
                       const struct model_object *after, bool essential)
{
    struct fixture *f = PS_CONTAINER_OF(op, struct fixture, op);
    const struct model_object *object = after ? after : before;

    assert_non_null(object);
    ps_buf_printf(&f->journal, "%s%s %s %s",
                  before == NULL  ? "+"
                  : after == NULL ? "-"
                                  : "~",
                  object->name, object->uid, object->rv);
    if (before != NULL && after != NULL) {
        assert_string_equal(before->uid, after->uid);
        ps_buf_printf(&f->journal, " was %s", before->rv);
    }
    ps_buf_str(&f->journal, essential ? "!\n" : "\n");
}

static const char *index_owner(const struct model_object *object, struct ps_buf *key)
{
    (void)key;
    return object->owner;
}

static void setup(struct fixture *f, enum model_kind kind)
{
    *f = (struct fixture){0};
    ps_buf_init(&f->journal, JOURNAL_MAX);
    operator__store_init(&f->store, &f->op, kind);
    f->store.changed = on_changed;
}

static void teardown(struct fixture *f)
{
    operator__store_fini(&f->store);
    ps_buf_fini(&f->journal);
}

/* What was told since the last look. */
static void told(struct fixture *f, const char *expected)
{
    assert_string_equal(ps_buf_text(&f->journal), expected);
    ps_buf_clear(&f->journal);
}

static struct json_t *object(const char *name, const char *uid, const char *rv)
{
    struct json_t *o = js_object(), *metadata = js_child(o, "metadata");

    js_set_str(metadata, "namespace", "n");
    js_set_str(metadata, "name", name);
    js_set_str(metadata, "uid", uid);
    js_set_str(metadata, "resourceVersion", rv);
    return o;
}

static int put(struct fixture *f, const struct json_t *o, enum operator__origin origin)
{
    PS_AUTO_FREE char *text = js_text(o);
    struct ps_err err = {0};

    return operator__store_put(&f->store, ps_str(text), origin, &err);
}

static void seen(struct fixture *f, const char *name, const char *uid, const char *rv)
{
    struct json_t *o PS_AUTO_JS = object(name, uid, rv);

    assert_int_equal(put(f, o, OPERATOR__WATCH), 0);
}

static void wrote(struct fixture *f, const char *name, const char *uid, const char *rv)
{
    struct json_t *o PS_AUTO_JS = object(name, uid, rv);

    assert_int_equal(put(f, o, OPERATOR__ANSWER), 0);
}

static void gone(struct fixture *f, const char *name, const char *uid, const char *rv)
{
    const struct kube_seen o = {"n", name, uid, rv, {0}};

    operator__store_remove(&f->store, &o);
}

/* The resourceVersion that the store has, or "none". */
static const char *has(const struct fixture *f, const char *name)
{
    const struct operator__entry *entry = operator__store_get(&f->store, "n", name);

    return entry ? entry->object->rv : "none";
}

/* ---- order ---------------------------------------------------------------------------------- */

static void never_goes_back_in_time(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "9");
    told(&f, "+a u1 9!\n");
    seen(&f, "a", "u1", "8");
    wrote(&f, "a", "u1", "7");
    seen(&f, "a", "u1", "9"); /* the same once more */
    told(&f, "");
    assert_string_equal(has(&f, "a"), "9");
    seen(&f, "a", "u1", "10"); /* as numbers, not as texts */
    told(&f, "~a u1 10 was 9!\n");
    wrote(&f, "a", "u1", "11");
    told(&f, "~a u1 11 was 10!\n");
    teardown(&f);
}

/* The answer to a write is overtaken by the news that somebody deleted what it wrote. */
static void what_was_deleted_meanwhile_stays_away(void **state)
{
    (void)state;
    struct fixture f;
    const struct kube_seen deleted = {"n", "a", "u1", "12", {0}};

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "10");
    operator__store_deleted(&f.store, &deleted);
    told(&f, "+a u1 10!\n-a u1 10!\n");
    wrote(&f, "a", "u1", "11");
    assert_string_equal(has(&f, "a"), "none");
    wrote(&f, "a", "u2", "13"); /* made anew */
    assert_string_equal(has(&f, "a"), "13");
    operator__store_deleted(&f.store, &(struct kube_seen){"n", "b", "u3", "9", {0}});
    assert_string_equal(f.store.progress, "12"); /* never back */
    teardown(&f);
}

static void an_old_removal_removes_nothing(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "9");
    gone(&f, "a", "u1", "8");
    gone(&f, "a", "u0", "12"); /* another one that had the name */
    gone(&f, "b", "u1", "12");
    assert_string_equal(has(&f, "a"), "9");
    told(&f, "+a u1 9!\n");
    gone(&f, "a", "u1", "10");
    told(&f, "-a u1 9!\n");
    assert_string_equal(has(&f, "a"), "none");
    seen(&f, "a", "u1", "11");
    gone(&f, "a", "u1", "11"); /* some servers repeat the last version */
    told(&f, "+a u1 11!\n-a u1 11!\n");
    teardown(&f);
}

static void another_uid_is_a_removal_and_an_addition(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "5");
    seen(&f, "a", "u2", "6");
    told(&f, "+a u1 5!\n-a u1 5!\n+a u2 6!\n");
    wrote(&f, "a", "u3", "7");
    told(&f, "-a u2 6!\n+a u3 7!\n");
    seen(&f, "a", "u2", "6"); /* late */
    told(&f, "");
    assert_string_equal(operator__store_get(&f.store, "n", "a")->object->uid, "u3");
    teardown(&f);
}

static void a_late_answer_brings_nothing_back(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    wrote(&f, "early", "u0", "3"); /* nothing is known to be newer */
    told(&f, "+early u0 3!\n");
    operator__store_progress(&f.store, "20");
    wrote(&f, "a", "u1", "19");
    wrote(&f, "a", "u1", "20"); /* the watch has passed it: made and deleted */
    told(&f, "");
    assert_string_equal(has(&f, "a"), "none");
    wrote(&f, "a", "u1", "21");
    told(&f, "+a u1 21!\n");
    seen(&f, "b", "u2", "19"); /* the watch's own word counts, whatever its progress */
    told(&f, "+b u2 19!\n");
    teardown(&f);
}

static void a_live_read_that_finds_nothing_removes(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "5");
    told(&f, "+a u1 5!\n");
    operator__store_absent(&f.store, "n", "b");
    operator__store_absent(&f.store, "m", "a");
    told(&f, "");
    operator__store_absent(&f.store, "n", "a");
    told(&f, "-a u1 5!\n");
    operator__store_absent(&f.store, "n", "a");
    told(&f, "");
    teardown(&f);
}

static void versions_that_are_no_numbers_count_in_their_order_of_arrival(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "zebra");
    seen(&f, "a", "u1", "ant");
    told(&f, "+a u1 zebra!\n~a u1 ant was zebra!\n");
    operator__store_progress(&f.store, "worm");
    wrote(&f, "b", "u2", "bee");
    told(&f, "+b u2 bee!\n");
    gone(&f, "a", "u1", "aardvark");
    told(&f, "-a u1 ant!\n");
    operator__store_list_begin(&f.store);
    operator__store_list_end(&f.store, "cow"); /* the list comes later than what was known */
    told(&f, "-b u2 bee!\n");
    teardown(&f);
}

static void an_object_without_identity_is_not_taken(void **state)
{
    (void)state;
    struct fixture f;

    static const struct {
        const char *name, *uid, *rv;
    } rows[] = {{"a", NULL, "5"}, {"a", "u1", NULL}, {NULL, "u1", "5"}};

    setup(&f, MODEL_SERVICE);
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        PS_AUTO_JS struct json_t *o = object(rows[i].name, rows[i].uid, rows[i].rv);

        assert_int_equal(put(&f, o, OPERATOR__WATCH), PS_EINVAL);
    }
    operator__store_keep(&f.store, "", NULL);
    told(&f, "");
    assert_string_equal(has(&f, "a"), "none");
    teardown(&f);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void what_the_list_lacks_goes(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    operator__store_list_begin(&f.store);
    seen(&f, "a", "u1", "5");
    seen(&f, "b", "u2", "6");
    assert_false(f.store.synced);
    operator__store_list_end(&f.store, "10");
    assert_true(f.store.synced);
    assert_string_equal(f.store.progress, "10");
    told(&f, "+a u1 5!\n+b u2 6!\n");

    operator__store_list_begin(&f.store);
    seen(&f, "b", "u2", "6"); /* unchanged, but there */
    told(&f, "");             /* nothing goes before the list is whole */
    assert_string_equal(has(&f, "a"), "5");
    operator__store_list_end(&f.store, "20");
    told(&f, "-a u1 5!\n");
    assert_string_equal(has(&f, "b"), "6");
    teardown(&f);
}

static void a_list_that_broke_off_takes_nothing_away(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "5");
    operator__store_list_begin(&f.store);
    operator__store_list_begin(&f.store); /* anew */
    seen(&f, "a", "u1", "5");
    operator__store_list_end(&f.store, "20");
    told(&f, "+a u1 5!\n");

    operator__store_list_begin(&f.store);
    seen(&f, "a", "u1", "5");
    operator__store_list_begin(&f.store); /* what the broken one had does not count */
    operator__store_list_end(&f.store, "30");
    told(&f, "-a u1 5!\n");
    teardown(&f);
}

static void our_own_write_outlives_an_older_list(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    wrote(&f, "before", "u1", "31");
    wrote(&f, "at", "u2", "30");
    operator__store_list_begin(&f.store);
    wrote(&f, "during", "u3", "32");
    ps_buf_clear(&f.journal);
    operator__store_list_end(&f.store, "30");
    told(&f, "-at u2 30!\n"); /* as old as the list, which does not have it */
    assert_string_equal(has(&f, "before"), "31");
    assert_string_equal(has(&f, "during"), "32");
    operator__store_list_begin(&f.store);
    operator__store_list_end(&f.store, "40");
    assert_string_equal(has(&f, "before"), "none");
    assert_string_equal(has(&f, "during"), "none");
    teardown(&f);
}

/* The answer to a write comes while a list runs that has seen the object's end already. */
static void our_own_write_is_no_item_of_the_list(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "known", "u1", "11");
    operator__store_list_begin(&f.store);
    wrote(&f, "made", "u2", "25");
    wrote(&f, "known", "u1", "10"); /* late, and no news */
    operator__store_list_end(&f.store, "30");
    assert_string_equal(has(&f, "made"), "none");
    assert_string_equal(has(&f, "known"), "none");

    operator__store_list_begin(&f.store);
    seen(&f, "listed", "u3", "28");
    wrote(&f, "listed", "u3", "29"); /* it has been in the list, and stays */
    operator__store_list_end(&f.store, "35");
    assert_string_equal(has(&f, "listed"), "29");
    teardown(&f);
}

static void what_cannot_be_read_stays_through_a_list(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "5");
    seen(&f, "b", "u2", "6");
    ps_buf_clear(&f.journal);
    operator__store_list_begin(&f.store);
    operator__store_keep(&f.store, "n", "a");
    operator__store_keep(&f.store, "n", "unheard-of");
    operator__store_list_end(&f.store, "10");
    told(&f, "-b u2 6!\n");
    assert_string_equal(has(&f, "a"), "5");
    assert_string_equal(has(&f, "unheard-of"), "none");
    operator__store_list_begin(&f.store); /* for one list only */
    operator__store_list_end(&f.store, "20");
    told(&f, "-a u1 5!\n");
    teardown(&f);
}

static void a_list_may_take_away_much_at_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    f.store.changed = NULL;
    for (int round = 0; round < 2; round++) {
        operator__store_list_begin(&f.store);
        for (int i = 0; i < (round == 0 ? 1000 : 10); i++) {
            PS_AUTO_BUF(name, 16);

            ps_buf_printf(&name, "s%d", i);
            seen(&f, ps_buf_text(&name), ps_buf_text(&name), "5");
        }
        operator__store_list_end(&f.store, "10");
    }
    assert_int_equal(f.store.entries.count, 10);
    assert_string_equal(has(&f, "s9"), "5");
    assert_string_equal(has(&f, "s10"), "none");
    teardown(&f);
}

/* ---- index ---------------------------------------------------------------------------------- */

static void put_owned(struct fixture *f, const char *name, const char *rv, const char *owner)
{
    struct json_t *o PS_AUTO_JS = object(name, name, rv);

    js_set_str(js_child(js_get(o, "metadata"), "annotations"), MODEL_ANNOTATION_OWNER, owner);
    assert_int_equal(put(f, o, OPERATOR__WATCH), 0);
}

/* The owner's list has that many objects, among them, once, the named one in that version. */
static void owner_has(const struct fixture *f, const char *owner, size_t count, const char *name,
                      const char *rv)
{
    const struct operator__list *list = operator__store_list(&f->store, owner);
    size_t found = 0;

    assert_int_equal(list ? list->count : 0, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(list->items[i]->owner, owner);
        if (ps_streq(list->items[i]->name, name) && ps_streq(list->items[i]->rv, rv))
            found++;
    }
    assert_int_equal(found, name ? 1 : 0);
}

static void index_lists_follow_the_objects(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_SERVICE);
    f.store.index = index_owner;
    put_owned(&f, "a", "1", "x");
    put_owned(&f, "b", "2", "x");
    put_owned(&f, "c", "3", NULL); /* nobody's */
    owner_has(&f, "x", 2, "a", "1");
    owner_has(&f, "y", 0, NULL, NULL);
    put_owned(&f, "a", "4", "x"); /* the list has the new projection, not the freed one */
    owner_has(&f, "x", 2, "a", "4");
    put_owned(&f, "a", "5", "y");
    owner_has(&f, "x", 1, "b", "2");
    owner_has(&f, "y", 1, "a", "5");
    put_owned(&f, "a", "6", NULL);
    owner_has(&f, "y", 0, NULL, NULL);
    put_owned(&f, "c", "7", "x");
    owner_has(&f, "x", 2, "c", "7");
    gone(&f, "b", "b", "8");
    owner_has(&f, "x", 1, "c", "7");
    operator__store_absent(&f.store, "n", "c");
    owner_has(&f, "x", 0, NULL, NULL);
    for (int i = 0; i < 9; i++) {
        const char name[] = {(char)('p' + i), '\0'};

        put_owned(&f, name, "9", "z");
    }
    owner_has(&f, "z", 9, "x", "9");
    operator__store_list_begin(&f.store);
    operator__store_list_end(&f.store, "20");
    owner_has(&f, "z", 0, NULL, NULL);
    teardown(&f);
}

/* ---- what passes look at -------------------------------------------------------------------- */

struct edit {
    const char *rv, *spec, *status, *annotation, *manager;
};

static void put_stream(struct fixture *f, const struct edit *edit)
{
    struct json_t *o PS_AUTO_JS = object("s", "u1", edit->rv);
    struct json_t *metadata = js_get(o, "metadata"), *managed = js_array();

    js_set_str(js_child(o, "spec"), "definition", edit->spec);
    js_set_str(js_child(o, "status"), "phase", edit->status);
    js_set_str(js_child(metadata, "annotations"), MODEL_ANNOTATION_REDEPLOY, edit->annotation);
    js_set_str(js_child(metadata, "annotations"),
               "kubectl.kubernetes.io/last-applied-configuration", edit->manager);
    js_push(managed, js_string(edit->manager));
    js_set(metadata, "managedFields", managed);
    assert_int_equal(put(f, o, OPERATOR__WATCH), 0);
}

static void a_status_alone_is_nothing_essential(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_STREAM);
    f.store.whole = true;
    put_stream(&f, &(struct edit){"1", "a|b", NULL, NULL, "m"});
    told(&f, "+s u1 1!\n");
    put_stream(&f, &(struct edit){"2", "a|b", "deployed", NULL, "m"});
    told(&f, "~s u1 2 was 1\n");
    put_stream(&f, &(struct edit){"3", "a|b", "deployed", NULL, "somebody"});
    told(&f, "~s u1 3 was 2\n");
    put_stream(&f, &(struct edit){"4", "a|b", "deployed", "now", "m"});
    told(&f, "~s u1 4 was 3!\n");
    put_stream(&f, &(struct edit){"5", "a|c", "deployed", "now", "m"});
    told(&f, "~s u1 5 was 4!\n");
    gone(&f, "s", "u1", "6");
    told(&f, "-s u1 5!\n");
    teardown(&f);
}

static void kinds_that_are_not_kept_whole_have_no_inessential_change(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f, MODEL_STREAM);
    put_stream(&f, &(struct edit){"1", "a|b", NULL, NULL, "m"});
    put_stream(&f, &(struct edit){"2", "a|b", "deployed", NULL, "m"});
    told(&f, "+s u1 1!\n~s u1 2 was 1!\n");
    assert_null(operator__store_get(&f.store, "n", "s")->packed);
    teardown(&f);
}

static void the_text_is_whole_but_for_bookkeeping(void **state)
{
    (void)state;
    struct fixture f;
    PS_AUTO_BUF(text, JOURNAL_MAX);

    setup(&f, MODEL_STREAM);
    f.store.whole = true;
    put_stream(&f, &(struct edit){"1", "a|b", "deployed", "now", "m"});
    operator__entry_text(operator__store_get(&f.store, "n", "s"), &text);
    assert_string_equal(
        ps_buf_text(&text),
        "{\"metadata\":{\"annotations\":{\"penstock.dev/redeploy\":\"now\"},\"name\":\"s\","
        "\"namespace\":\"n\",\"resourceVersion\":\"1\",\"uid\":\"u1\"},"
        "\"spec\":{\"definition\":\"a|b\"},\"status\":{\"phase\":\"deployed\"}}");
    teardown(&f);
}

#define NUL_IN_SPEC                                                                                \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"s\",\"uid\":\"u1\",\"resourceVersion\":\"6\"}," \
    "\"spec\":{\"definition\":\"a\\u0000b\"}}"

static void what_cannot_be_kept_leaves_what_was_known(void **state)
{
    (void)state;

    static const struct {
        const char *text, *why;
    } rows[] = {
        {NUL_IN_SPEC, "\\u0000"},
        {"{\"metadata\":", "not JSON"},
        {"{\"metadata\":{\"namespace\":\"n\",\"name\":\"s\"}}", "uid"},
    };
    struct fixture f;

    setup(&f, MODEL_STREAM);
    f.store.whole = true;
    put_stream(&f, &(struct edit){"5", "a|b", NULL, NULL, "m"});
    told(&f, "+s u1 5!\n");
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};

        assert_int_not_equal(
            operator__store_put(&f.store, ps_str(rows[i].text), OPERATOR__WATCH, &err), 0);
        assert_non_null(strstr(err.message, rows[i].why));
    }
    told(&f, "");
    assert_string_equal(has(&f, "s"), "5");
    teardown(&f);
}

static void a_name_that_stands_twice_is_read_as_the_last(void **state)
{
    (void)state;
    static const char text[] =
        "{\"metadata\":{\"namespace\":\"n\",\"name\":\"s\",\"uid\":\"u1\",\"resourceVersion\":"
        "\"6\"},\"spec\":{\"platform\":\"a\",\"platform\":\"b\"}}";
    struct fixture f;
    struct ps_err err = {0};

    setup(&f, MODEL_STREAM);
    f.store.whole = true;
    assert_int_equal(operator__store_put(&f.store, ps_str(text), OPERATOR__WATCH, &err), 0);
    const struct operator__entry *entry = operator__store_get(&f.store, "n", "s");
    PS_AUTO_JS struct json_t *tree = operator__entry_tree(entry);

    assert_string_equal(entry->object->platform, "b");
    assert_string_equal(js_path_str(tree, "spec.platform"), "b");
    teardown(&f);
}

static void what_a_write_met_of_others_stays_out(void **state)
{
    (void)state;
    struct fixture f;
    PS_AUTO_JS struct json_t *o = object("a", "u1", "5");
    struct json_t *labels = js_child(js_get(o, "metadata"), "labels");

    setup(&f, MODEL_SERVICE);
    f.store.installation = "mine";
    assert_int_equal(put(&f, o, OPERATOR__ANSWER), 0);
    js_set_str(labels, MODEL_LABEL_INSTALLATION, "another");
    assert_int_equal(put(&f, o, OPERATOR__ANSWER), 0);
    told(&f, "");
    js_set_str(labels, MODEL_LABEL_INSTALLATION, "mine");
    assert_int_equal(put(&f, o, OPERATOR__ANSWER), 0);
    told(&f, "+a u1 5!\n");
    js_set_str(labels, MODEL_LABEL_INSTALLATION, "another"); /* released */
    js_set_str(js_get(o, "metadata"), "resourceVersion", "6");
    assert_int_equal(put(&f, o, OPERATOR__WRITTEN), 0);
    told(&f, "-a u1 5!\n");
    teardown(&f);
}

static void names_are_told_apart_by_namespace(void **state)
{
    (void)state;
    struct fixture f;
    struct json_t *account PS_AUTO_JS = object("n/a", "u2", "6");

    setup(&f, MODEL_SERVICE);
    seen(&f, "a", "u1", "5");
    js_remove(js_get(account, "metadata"), "namespace");
    js_set_str(js_get(account, "metadata"), "name", "a");
    assert_int_equal(put(&f, account, OPERATOR__WATCH), 0);
    told(&f, "+a u1 5!\n+a u2 6!\n");
    assert_string_equal(operator__store_get(&f.store, NULL, "a")->object->uid, "u2");
    assert_string_equal(operator__store_get(&f.store, "n", "a")->object->uid, "u1");
    operator__store_remove(&f.store, &(struct kube_seen){NULL, "a", "u2", "6", {0}});
    told(&f, "-a u2 6!\n");
    teardown(&f);
}

/* ---- what we have written ----------------------------------------------------------------------
 */

static struct json_t *workload(const char *rv, int64_t generation)
{
    struct json_t *o = object("a", "u1", rv);

    js_set_int(js_child(o, "metadata"), "generation", generation);
    return o;
}

static bool is_written(struct fixture *f)
{
    return operator__store_get(&f->store, "n", "a")->object->written;
}

static void answered(struct fixture *f, struct json_t *o)
{
    assert_int_equal(put(f, o, OPERATOR__WRITTEN), 0);
    js_unref(o);
}

static void watched(struct fixture *f, struct json_t *o)
{
    assert_int_equal(put(f, o, OPERATOR__WATCH), 0);
    js_unref(o);
}

static void what_we_wrote_is_known_until_someone_changes_it(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, MODEL_DEPLOYMENT);
    watched(&f, workload("4", 1));
    assert_false(is_written(&f));
    answered(&f, workload("5", 2));
    assert_true(is_written(&f));
    watched(&f, workload("6", 2)); /* its status */
    assert_true(is_written(&f));
    watched(&f, workload("7", 3));
    assert_false(is_written(&f));
    answered(&f, workload("6", 2)); /* late: not what there is */
    assert_false(is_written(&f));
    answered(&f, workload("7", 3)); /* late, and still so */
    assert_true(is_written(&f));
    teardown(&f);
    setup(&f, MODEL_SERVICE); /* has no generation */
    answered(&f, workload("5", 0));
    assert_true(is_written(&f));
    watched(&f, workload("6", 0));
    assert_false(is_written(&f));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_goes_back_in_time),
        cmocka_unit_test(what_was_deleted_meanwhile_stays_away),
        cmocka_unit_test(an_old_removal_removes_nothing),
        cmocka_unit_test(another_uid_is_a_removal_and_an_addition),
        cmocka_unit_test(a_late_answer_brings_nothing_back),
        cmocka_unit_test(a_live_read_that_finds_nothing_removes),
        cmocka_unit_test(versions_that_are_no_numbers_count_in_their_order_of_arrival),
        cmocka_unit_test(an_object_without_identity_is_not_taken),
        cmocka_unit_test(what_the_list_lacks_goes),
        cmocka_unit_test(a_list_that_broke_off_takes_nothing_away),
        cmocka_unit_test(our_own_write_outlives_an_older_list),
        cmocka_unit_test(our_own_write_is_no_item_of_the_list),
        cmocka_unit_test(what_cannot_be_read_stays_through_a_list),
        cmocka_unit_test(a_list_may_take_away_much_at_once),
        cmocka_unit_test(index_lists_follow_the_objects),
        cmocka_unit_test(a_status_alone_is_nothing_essential),
        cmocka_unit_test(kinds_that_are_not_kept_whole_have_no_inessential_change),
        cmocka_unit_test(the_text_is_whole_but_for_bookkeeping),
        cmocka_unit_test(what_cannot_be_kept_leaves_what_was_known),
        cmocka_unit_test(a_name_that_stands_twice_is_read_as_the_last),
        cmocka_unit_test(what_a_write_met_of_others_stays_out),
        cmocka_unit_test(names_are_told_apart_by_namespace),
        cmocka_unit_test(what_we_wrote_is_known_until_someone_changes_it),
    };

    return cmocka_run_group_tests_name("operator/store", tests, NULL, NULL);
}
