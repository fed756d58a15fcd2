/* test_detect_tail.c - how rare a value is, by the largest before. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/detect_tail.h"
#include "tests/support/series.h"

static void fill(struct detect_tail *tail, int count)
{
    struct series_random random = {3};

    for (int i = 0; i < count; i++) {
        detect_tail_learn(tail, series_uniform(&random));
    }
}

static void nothing_is_rare_before_there_are_enough(void **state)
{
    struct detect_tail tail = {0};

    (void)state;
    for (int i = 0; i < 9; i++) {
        assert_true(detect_tail_rarity(&tail, 1e9, 1) == 0);
        detect_tail_learn(&tail, i);
    }
}

static void what_was_there_often_is_not_rare(void **state)
{
    struct detect_tail tail = {0};

    (void)state;
    fill(&tail, 5000);
    assert_true(detect_tail_rarity(&tail, 0, 1) == 0);
    assert_true(detect_tail_rarity(&tail, 0.9, 1) == 0);
    assert_true(detect_tail_rarity(&tail, 1.001, 1) == 0); /* no difference */
}

static void rarity_grows_with_value_and_history_and_has_an_end(void **state)
{
    struct detect_tail young = {0};
    struct detect_tail old = {0};
    double last = 0;

    (void)state;
    fill(&young, 50);
    fill(&old, 5000);
    for (double value = 1.2; value < 1e6; value *= 1.5) {
        double rarity = detect_tail_rarity(&old, value, 1);

        assert_true(rarity >= last);
        assert_true(rarity <= DETECT_TAIL_MOST);
        assert_true(rarity >= detect_tail_rarity(&young, value, 1));
        last = rarity;
    }
    assert_true(last == DETECT_TAIL_MOST);
}

static void one_accident_does_not_blind_it(void **state)
{
    struct detect_tail tail = {0};

    (void)state;
    fill(&tail, 500);
    detect_tail_learn(&tail, 1e12);
    assert_true(detect_tail_rarity(&tail, 3, 1) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_rare_before_there_are_enough),
        cmocka_unit_test(what_was_there_often_is_not_rare),
        cmocka_unit_test(rarity_grows_with_value_and_history_and_has_an_end),
        cmocka_unit_test(one_accident_does_not_blind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
