/* test_id_set.c - a set without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/id_set.h"

#define MANY 200000

static uint64_t hash_of(uint64_t number)
{
    uint64_t hash = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
    struct id_set set;
    (void)state;

    id_set_init(&set);
    assert_int_equal(id_set_meet(&set, hash_of(1)), ID_SET_NEW);
    for (uint64_t i = 0; i < MANY; i++) {
        id_set_expect(&set, hash_of(i));
        assert_int_equal(id_set_add(&set, hash_of(i), false), LB_OK);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(id_set_meet(&set, hash_of(i)), ID_SET_KNOWN);
        assert_int_equal(id_set_meet(&set, hash_of(i + MANY)), ID_SET_NEW);
    }
    id_set_deinit(&set);
}

static void an_id_is_met_once_for_the_first_time(void **state)
{
    struct id_set set;
    (void)state;

    id_set_init(&set);
    assert_int_equal(id_set_add(&set, hash_of(1), false), LB_OK);
    assert_int_equal(id_set_add(&set, hash_of(2), true), LB_OK);
    assert_int_equal(id_set_meet(&set, hash_of(1)), ID_SET_KNOWN);
    assert_int_equal(id_set_meet(&set, hash_of(1)), ID_SET_MET);
    assert_int_equal(id_set_meet(&set, hash_of(2)), ID_SET_MET);
    for (uint64_t i = 10; i < MANY; i++) {
        assert_int_equal(id_set_add(&set, hash_of(i), i % 2 == 0), LB_OK);
    }
    assert_int_equal(id_set_meet(&set, hash_of(1)), ID_SET_MET);
    for (uint64_t i = 10; i < MANY; i++) {
        assert_int_equal(id_set_meet(&set, hash_of(i)),
                         i % 2 == 0 ? ID_SET_MET : ID_SET_KNOWN);
    }
    id_set_deinit(&set);
}

static void a_second_addition_changes_nothing_but_the_mark(void **state)
{
    struct id_set set;
    size_t count = 0;
    (void)state;

    id_set_init(&set);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 1000; i++) {
            assert_int_equal(id_set_add(&set, hash_of(i), round == 2), LB_OK);
        }
    }
    for (size_t i = 0; i < ID_SET_PIECES; i++) {
        count += set.pieces[i].count;
    }
    assert_int_equal(count, 1000);
    assert_int_equal(id_set_meet(&set, hash_of(7)), ID_SET_MET);
    id_set_deinit(&set);
}

static void odd_hashes_have_their_place(void **state)
{
    static const uint64_t odd[] = {0, 2, UINT64_MAX, UINT64_C(1) << 63};
    struct id_set set;
    (void)state;

    id_set_init(&set);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        /* 0 and 2 count as one. */
        assert_int_equal(id_set_meet(&set, odd[i]),
                         odd[i] == 2 ? ID_SET_KNOWN : ID_SET_NEW);
        assert_int_equal(id_set_add(&set, odd[i], false), LB_OK);
    }
    id_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_nothing_else),
        cmocka_unit_test(an_id_is_met_once_for_the_first_time),
        cmocka_unit_test(a_second_addition_changes_nothing_but_the_mark),
        cmocka_unit_test(odd_hashes_have_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
