/* test_gaps.c - the log's account of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/gaps.h"

static void without_gaps_a_window_is_as_long_as_it_is(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    assert_int_equal(gaps_oldest(&gaps, 1000, 100), 901);
}

static void a_window_leaves_the_gaps_out(void **state)
{
    static const struct {
        int64_t at_ms;
        int64_t oldest_ms;
    } rows[] = {{499, 400}, /* before it all */
                {599, 450}, /* half of the window after the first gap */
                {649, 550}, /* all of it */
                {779, 550}, /* both sides of the second */
                {849, 600}, /* 50 after the second, 50 between the two */
                {899, 800}, /* all after the second */
                {549, 400}, /* at the first one's end: all before it */
                {519, 400}, /* within it: what was before */
                {5000, 4901}};
    struct gaps gaps = {0};

    (void)state;
    gaps_add(&gaps, 500, 550);
    gaps_add(&gaps, 650, 800);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("at %lld\n", (long long)rows[i].at_ms);
        assert_int_equal(gaps_oldest(&gaps, rows[i].at_ms, 100),
                         rows[i].oldest_ms);
    }
}

static void a_window_never_begins_earlier_as_time_goes_on(void **state)
{
    struct gaps gaps = {0};
    int64_t last_ms = 0;

    (void)state;
    for (int64_t i = 0; i < 40; i++) {
        gaps_add(&gaps, 1000 + i * 97, 1000 + i * 97 + i * 2 % 90);
    }
    for (int64_t at_ms = 500; at_ms < 6000; at_ms++) {
        int64_t oldest_ms = gaps_oldest(&gaps, at_ms, 300);

        assert_true(oldest_ms >= last_ms);
        last_ms = oldest_ms;
    }
}

static void gaps_do_not_overlap_and_empty_ones_are_none(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    gaps_add(&gaps, 500, 500);
    gaps_add(&gaps, 600, 500);
    assert_int_equal(gaps.count, 0);
    gaps_add(&gaps, 500, 600);
    gaps_add(&gaps, 550, 700);
    gaps_add(&gaps, 550, 650);
    assert_int_equal(gaps.count, 2);
    assert_int_equal(gaps.at[1].from_ms, 600);
    assert_int_equal(gaps.at[1].to_ms, 700);
}

static void the_oldest_gap_goes_first(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    for (int64_t i = 0; i <= GAPS_MAX; i++) {
        gaps_add(&gaps, i * 10, i * 10 + 1);
    }
    assert_int_equal(gaps.count, GAPS_MAX);
    assert_int_equal(gaps.at[0].from_ms, 10);
    for (int64_t i = 0; i <= GAPS_BACKS_MAX; i++) {
        gaps_set_back(&gaps, i, 2, 1);
    }
    assert_int_equal(gaps.back_count, GAPS_BACKS_MAX);
    assert_int_equal(gaps.backs[0].seq, 1);
}

static void nothing_lies_ahead_of_a_clock_set_back(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    gaps_add(&gaps, 100, 200);
    gaps_add(&gaps, 300, 400);
    gaps_add(&gaps, 500, 600);
    gaps_set_back(&gaps, 7, 650, 350);
    assert_int_equal(gaps.count, 2);
    assert_int_equal(gaps.at[1].to_ms, 350);
    gaps_set_back(&gaps, 8, 360, 100);
    assert_int_equal(gaps.count, 0);
    assert_int_equal(gaps.back_count, 2);
    assert_int_equal(gaps.backs[0].from_ms, 650);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_gaps_a_window_is_as_long_as_it_is),
        cmocka_unit_test(a_window_leaves_the_gaps_out),
        cmocka_unit_test(a_window_never_begins_earlier_as_time_goes_on),
        cmocka_unit_test(gaps_do_not_overlap_and_empty_ones_are_none),
        cmocka_unit_test(the_oldest_gap_goes_first),
        cmocka_unit_test(nothing_lies_ahead_of_a_clock_set_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
