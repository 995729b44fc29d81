/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: so many at once, and room for those of other groups. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

#define GUESTS_MAX 32

struct guest {
    struct loop_ticket *ticket;
    struct house *house;
    char name;
};

struct house {
    struct loop_gate *gate;
    struct guest guests[GUESTS_MAX];
    size_t count;
    char in[GUESTS_MAX + 1]; /* in the order of their coming in */
};

static void on_go(void *self)
{
    const struct guest *guest = self;

    guest->house->in[strlen(guest->house->in)] = guest->name;
}

static struct guest *enter(struct house *house, char name, const char *group)
{
    struct guest *guest = &house->guests[house->count++];

    guest->house = house;
    guest->name = name;
    guest->ticket = loop_gate_enter(house->gate, group, on_go, guest);
    return guest;
}

static void leave(struct guest *guest)
{
    loop_gate_leave(guest->ticket);
    guest->ticket = NULL;
}

static void empty(struct house *house)
{
    loop_gate_close(house->gate);
    for (size_t i = 0; i < house->count; i++)
        leave(&house->guests[i]);
    loop_gate_free(house->gate);
}

static void first_come_is_first_served(void **state)
{
    (void)state;
    struct house house = {.gate = loop_gate_new(2)};
    struct guest *a = enter(&house, 'a', NULL);
    struct guest *b = enter(&house, 'b', NULL);

    enter(&house, 'c', NULL);
    struct guest *d = enter(&house, 'd', NULL);

    enter(&house, 'e', NULL);
    assert_string_equal(house.in, "ab");
    leave(d); /* gives up */
    leave(b);
    assert_string_equal(house.in, "abc");
    leave(a);
    assert_string_equal(house.in, "abce");
    empty(&house);
    assert_string_equal(house.in, "abce");
}

static void a_group_that_stays_leaves_room(void **state)
{
    (void)state;
    struct house house = {.gate = loop_gate_new(8)};

    for (int i = 0; i < 10; i++)
        enter(&house, 'a', "a");
    assert_string_equal(house.in, "aaaa");
    for (int i = 0; i < 10; i++)
        enter(&house, 'b', "b");
    assert_string_equal(house.in, "aaaabb");
    struct guest *c = enter(&house, 'c', "c");

    assert_string_equal(house.in, "aaaabbc");
    leave(c); /* its place is kept for others */
    assert_string_equal(house.in, "aaaabbc");
    enter(&house, 'n', NULL);
    enter(&house, 'n', NULL);
    enter(&house, 'n', NULL);
    assert_string_equal(house.in, "aaaabbcnn");
    leave(&house.guests[0]);
    assert_string_equal(house.in, "aaaabbcnnn");
    empty(&house);
}

static void nobody_comes_in_when_it_is_closed(void **state)
{
    (void)state;
    struct house house = {.gate = loop_gate_new(1)};

    enter(&house, 'a', NULL);
    enter(&house, 'b', NULL);
    empty(&house);
    assert_string_equal(house.in, "a");
    loop_gate_leave(NULL);
    loop_gate_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_is_first_served),
        cmocka_unit_test(a_group_that_stays_leaves_room),
        cmocka_unit_test(nobody_comes_in_when_it_is_closed),
    };

    return cmocka_run_group_tests_name("loop/gate", tests, NULL, NULL);
}
