/* test_dedupe.c - the window of known event ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ingest/dedupe.h"
#include "tests/support/heap.h"

#define WINDOW_MS (72 * LB_MS_PER_HOUR)
#define NOW_MS INT64_C(1700000000000)

/* Spreads numbers over 64 bits (splitmix64, Steele, Lea and Flood). */
static uint64_t hash_of(uint64_t number)
{
    uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void add(struct dedupe *dedupe, uint64_t number, int64_t at_ms)
{
    assert_int_equal(dedupe_add(dedupe, hash_of(number), at_ms), LB_OK);
}

static void an_empty_window_knows_nothing(void **state)
{
    struct dedupe *dedupe = dedupe_new(10, WINDOW_MS);

    (void)state;
    assert_non_null(dedupe);
    assert_false(dedupe_has(dedupe, 0));
    assert_false(dedupe_has(dedupe, 1));
    dedupe_rollback(dedupe);
    dedupe_commit(dedupe, NOW_MS);
    assert_int_equal(dedupe_count(dedupe), 0);
    assert_int_equal(dedupe_evicted(dedupe), 0);
    dedupe_free(dedupe);
    dedupe_free(NULL);
}

static void an_id_is_known_before_and_after_its_commit(void **state)
{
    struct dedupe *dedupe = dedupe_new(10, WINDOW_MS);

    (void)state;
    add(dedupe, 1, NOW_MS);
    assert_true(dedupe_has(dedupe, hash_of(1)));
    dedupe_commit(dedupe, NOW_MS);
    assert_true(dedupe_has(dedupe, hash_of(1)));
    assert_false(dedupe_has(dedupe, hash_of(2)));
    dedupe_free(dedupe);
}

static void a_hash_of_zero_is_an_id_like_any_other(void **state)
{
    struct dedupe *dedupe = dedupe_new(10, WINDOW_MS);

    (void)state;
    assert_int_equal(dedupe_add(dedupe, 0, NOW_MS), LB_OK);
    assert_true(dedupe_has(dedupe, 0));
    dedupe_rollback(dedupe);
    assert_false(dedupe_has(dedupe, 0));
    dedupe_free(dedupe);
}

static void
a_rollback_forgets_what_its_transaction_added_and_no_more(void **state)
{
    struct dedupe *dedupe = dedupe_new(100000, WINDOW_MS);

    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        add(dedupe, i, NOW_MS);
    }
    dedupe_commit(dedupe, NOW_MS);
    for (uint64_t i = 5000; i < 20000; i++) {
        add(dedupe, i, NOW_MS);
    }
    dedupe_rollback(dedupe);
    assert_int_equal(dedupe_count(dedupe), 5000);
    for (uint64_t i = 0; i < 20000; i++) {
        assert_int_equal(dedupe_has(dedupe, hash_of(i)), i < 5000);
    }
    /* The client repeats; this time it lasts. */
    add(dedupe, 5000, NOW_MS);
    dedupe_commit(dedupe, NOW_MS);
    assert_true(dedupe_has(dedupe, hash_of(5000)));
    dedupe_free(dedupe);
}

static void past_the_number_the_oldest_go_first_and_are_counted(void **state)
{
    struct dedupe *dedupe = dedupe_new(1000, WINDOW_MS);

    (void)state;
    for (uint64_t i = 0; i < 30000; i++) {
        add(dedupe, i, NOW_MS);
        if (i % 7 == 0) {
            dedupe_commit(dedupe, NOW_MS);
        }
    }
    dedupe_commit(dedupe, NOW_MS);
    assert_int_equal(dedupe_count(dedupe), 1000);
    assert_int_equal(dedupe_evicted(dedupe), 29000);
    for (uint64_t i = 0; i < 30000; i++) {
        assert_int_equal(dedupe_has(dedupe, hash_of(i)), i >= 29000);
    }
    dedupe_free(dedupe);
}

static void
what_is_older_than_the_window_goes_without_being_counted(void **state)
{
    struct dedupe *dedupe = dedupe_new(1000000, WINDOW_MS);
    int64_t later_ms = NOW_MS + WINDOW_MS + 1;

    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        add(dedupe, i, NOW_MS);
    }
    dedupe_commit(dedupe, NOW_MS + WINDOW_MS);
    assert_int_equal(dedupe_count(dedupe), 10000);
    for (uint64_t i = 10000; i < 30000; i++) {
        add(dedupe, i, later_ms);
    }
    dedupe_commit(dedupe, later_ms);
    assert_int_equal(dedupe_evicted(dedupe), 0);
    assert_false(dedupe_has(dedupe, hash_of(0)));
    for (uint64_t i = 10000; i < 30000; i++) {
        assert_true(dedupe_has(dedupe, hash_of(i)));
    }
    /* Ids share one time a few thousand at a time, no more. */
    assert_true(dedupe_count(dedupe) < 30000 - 5000);
    dedupe_free(dedupe);
}

/* An import's rows carry the time of their events; read at start, among live
 * rows, they must not make those look old. */
static void an_id_with_an_older_time_does_not_age_those_before_it(void **state)
{
    struct dedupe *dedupe = dedupe_new(1000, WINDOW_MS);

    (void)state;
    add(dedupe, 1, NOW_MS);
    add(dedupe, 2, NOW_MS - 400 * LB_MS_PER_DAY);
    dedupe_commit(dedupe, NOW_MS);
    assert_true(dedupe_has(dedupe, hash_of(1)));
    dedupe_free(dedupe);
}

static void a_clock_set_back_forgets_nothing(void **state)
{
    struct dedupe *dedupe = dedupe_new(1000, WINDOW_MS);

    (void)state;
    add(dedupe, 1, NOW_MS);
    dedupe_commit(dedupe, NOW_MS);
    add(dedupe, 2, NOW_MS - LB_MS_PER_DAY);
    dedupe_commit(dedupe, NOW_MS - LB_MS_PER_DAY);
    assert_true(dedupe_has(dedupe, hash_of(1)));
    assert_true(dedupe_has(dedupe, hash_of(2)));
    dedupe_free(dedupe);
}

static void smaller_limits_hold_from_the_next_commit(void **state)
{
    struct dedupe *dedupe = dedupe_new(1000, WINDOW_MS);

    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        add(dedupe, i, NOW_MS);
    }
    dedupe_commit(dedupe, NOW_MS);
    dedupe_set_limits(dedupe, 10, WINDOW_MS);
    dedupe_commit(dedupe, NOW_MS);
    assert_int_equal(dedupe_count(dedupe), 10);
    assert_int_equal(dedupe_evicted(dedupe), 90);
    assert_true(dedupe_has(dedupe, hash_of(99)));
    assert_false(dedupe_has(dedupe, hash_of(89)));
    dedupe_free(dedupe);
}

/* Also while it grows, and when it is full. */
static void an_id_takes_20_bytes_at_most(void **state)
{
    const size_t fixed_bytes = (size_t)128 * 1024;
    struct dedupe *dedupe = dedupe_new(200000, WINDOW_MS);
    size_t before = heap_bytes();

    (void)state;
    for (uint64_t i = 0; i < 300000; i++) {
        add(dedupe, i, NOW_MS);
        if (i % 100 == 0) {
            dedupe_commit(dedupe, NOW_MS);
        }
        if (i % 1000 == 0 &&
            heap_bytes() - before > fixed_bytes + 20 * dedupe_count(dedupe)) {
            print_error("%zu ids take %zu bytes\n", dedupe_count(dedupe),
                        heap_bytes() - before);
            fail();
        }
    }
    dedupe_free(dedupe);
}

#define MODEL_IDS 4000

/* A plain model beside it: log of ids, how many are committed, how many are
 * gone. */
static void compare_with_model(struct dedupe *dedupe)
{
    static uint64_t log[200000];
    size_t last = 0;
    size_t committed = 0;
    size_t first = 0;
    uint64_t dice = 7;

    for (int step = 0; step < 60000; step++) {
        uint64_t number = (dice = hash_of(dice + 1)) % MODEL_IDS;
        bool is_known = false;

        for (size_t i = first; i < last && !is_known; i++) {
            is_known = log[i] == number;
        }
        assert_int_equal(dedupe_has(dedupe, hash_of(number)), is_known);
        if (!is_known) {
            add(dedupe, number, NOW_MS);
            log[last++] = number;
        }
        if (dice >> 40 & 1 && (dice >> 41) % 50 == 0) {
            dedupe_commit(dedupe, NOW_MS);
            committed = last;
            first = last - first > 1500 ? last - 1500 : first;
        } else if ((dice >> 41) % 80 == 0) {
            dedupe_rollback(dedupe);
            last = committed;
        }
        assert_int_equal(dedupe_count(dedupe), last - first);
    }
}

static void
commits_rollbacks_and_evictions_agree_with_a_plain_model(void **state)
{
    struct dedupe *dedupe = dedupe_new(1500, WINDOW_MS);

    (void)state;
    compare_with_model(dedupe);
    dedupe_free(dedupe);
}

/* A slot of it has the fewest bits to spare. */
static void a_window_of_any_size_agrees_with_it(void **state)
{
    struct dedupe *dedupe = dedupe_new(SIZE_MAX / 2, WINDOW_MS);

    (void)state;
    dedupe_set_limits(dedupe, 1500, WINDOW_MS);
    compare_with_model(dedupe);
    dedupe_free(dedupe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_window_knows_nothing),
        cmocka_unit_test(an_id_is_known_before_and_after_its_commit),
        cmocka_unit_test(a_hash_of_zero_is_an_id_like_any_other),
        cmocka_unit_test(
            a_rollback_forgets_what_its_transaction_added_and_no_more),
        cmocka_unit_test(past_the_number_the_oldest_go_first_and_are_counted),
        cmocka_unit_test(
            what_is_older_than_the_window_goes_without_being_counted),
        cmocka_unit_test(an_id_with_an_older_time_does_not_age_those_before_it),
        cmocka_unit_test(a_clock_set_back_forgets_nothing),
        cmocka_unit_test(smaller_limits_hold_from_the_next_commit),
        cmocka_unit_test(
            commits_rollbacks_and_evictions_agree_with_a_plain_model),
        cmocka_unit_test(a_window_of_any_size_agrees_with_it),
        cmocka_unit_test(an_id_takes_20_bytes_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
