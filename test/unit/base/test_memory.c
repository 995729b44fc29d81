/* SPDX-License-Identifier: Apache-2.0 */
/* base: arenas, maps, wiping. */
#include "base/base.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and the fixed integers before it */
#include <cmocka.h>

#define MANY 100000

static char *key_of(char key[32], int i)
{
    (void)snprintf(key, 32, "stream-%d", i);
    return key;
}

/* Any pointer that is not NULL will do as a value. */
static int values[MANY];

static void map_holds_what_was_put(void **state)
{
    struct ps_map map;
    char key[32];

    (void)state;
    ps_map_init(&map);
    assert_null(ps_map_get(&map, "a"));
    assert_null(ps_map_remove(&map, "a"));
    for (int i = 0; i < MANY; i++)
        assert_null(ps_map_put(&map, key_of(key, i), &values[i]));
    assert_int_equal(map.count, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(ps_map_get(&map, key_of(key, i)), &values[i]);
    assert_null(ps_map_get(&map, "stream-100000"));
    assert_ptr_equal(ps_map_put(&map, "stream-7", &values[8]), &values[7]);
    assert_ptr_equal(ps_map_get(&map, "stream-7"), &values[8]);
    assert_int_equal(map.count, MANY);
    for (int i = 0; i < MANY; i += 2)
        assert_ptr_equal(ps_map_remove(&map, key_of(key, i)), &values[i]);
    assert_int_equal(map.count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_true((ps_map_get(&map, key_of(key, i)) != NULL) == (i % 2 == 1));
    ps_map_fini(&map);
    assert_int_equal(map.count, 0);
}

static void map_does_not_grow_from_coming_and_going(void **state)
{
    struct ps_map map;
    char key[32];

    (void)state;
    ps_map_init(&map);
    for (int i = 0; i < MANY; i++) {
        assert_null(ps_map_put(&map, key_of(key, i), &values[i]));
        if (i >= 10)
            assert_ptr_equal(ps_map_remove(&map, key_of(key, i - 10)), &values[i - 10]);
    }
    assert_int_equal(map.count, 10);
    assert_true(map.cap <= 64);
    ps_map_fini(&map);
}

static void map_reuses_a_removed_slot(void **state)
{
    struct ps_map map;

    (void)state;
    ps_map_init(&map);
    for (int i = 0; i < MANY; i++) {
        assert_null(ps_map_put(&map, "a", &values[0]));
        assert_ptr_equal(ps_map_remove(&map, "a"), &values[0]);
    }
    assert_int_equal(map.cap, 16);
    ps_map_fini(&map);
}

static void map_is_walked_while_entries_go(void **state)
{
    struct ps_map map;
    char text[32];
    size_t at = 0, seen = 0;
    const char *key;
    void *value;

    (void)state;
    ps_map_init(&map);
    for (int i = 0; i < 1000; i++)
        (void)ps_map_put(&map, key_of(text, i), &values[i]);
    while (ps_map_next(&map, &at, &key, &value)) {
        assert_ptr_equal(ps_map_get(&map, key), value);
        assert_ptr_equal(ps_map_remove(&map, key), value);
        seen++;
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(map.count, 0);
    ps_map_fini(&map);
}

static void hash_is_fnv1a(void **state)
{
    (void)state;
    /* Known values: names of objects are made of it, so it must never change. */
    assert_true(ps_hash("", 0) == 0xcbf29ce484222325ULL);
    assert_true(ps_hash("a", 1) == 0xaf63dc4c8601ec8cULL);
    assert_true(ps_hash("foobar", 6) == 0x85944171f73967e8ULL);
}

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *p = ps_arena_alloc(&arena, size);

        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, size);
    }
    char *big = ps_arena_array(&arena, 1000, 1000);

    memset(big, 1, 1000000);
    assert_true(arena.used >= 1000000);
    ps_arena_fini(&arena);
    assert_int_equal(arena.used, 0);
}

static void arena_makes_text(void **state)
{
    struct ps_arena arena;

    (void)state;
    ps_arena_init(&arena);
    assert_string_equal(ps_arena_str(&arena, ps_str_n("abcdef", 3)), "abc");
    assert_string_equal(ps_arena_str(&arena, ps_str(NULL)), "");
    assert_null(ps_arena_dup(&arena, NULL));
    assert_string_equal(ps_arena_dup(&arena, "x"), "x");
    assert_string_equal(ps_arena_printf(&arena, "%s-%05d", "a", 42), "a-00042");
    assert_int_equal(strlen(ps_arena_printf(&arena, "%9999d", 1)), 9999);
    ps_arena_fini(&arena);
}

static void wiped_memory_is_zero(void **state)
{
    char secret[] = "hunter2";

    (void)state;
    ps_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        assert_int_equal(secret[i], 0);
    ps_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_holds_what_was_put),
        cmocka_unit_test(map_does_not_grow_from_coming_and_going),
        cmocka_unit_test(map_reuses_a_removed_slot),
        cmocka_unit_test(map_is_walked_while_entries_go),
        cmocka_unit_test(hash_is_fnv1a),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_makes_text),
        cmocka_unit_test(wiped_memory_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
