/* test_wilson.c - bounds of rates. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregate/rollup.h"

static bool is_near(double a, double b, double most)
{
    return fabs(a - b) <= most;
}

static double digits4(double value)
{
    return (double)(long long)(value * 10000 + 0.5) / 10000;
}

static void bounds_are_those_of_known_examples(void **state)
{
    /* The first two are the interface's example; the others were computed with
     * exact fractions and 50 digits. */
    static const struct {
        double hits;
        double n;
        double low;
        double high;
    } cases[] = {
        {30, 120, 0.1811, 0.3344}, {200, 950, 0.1858, 0.2376},
        {0, 1, 0, 0.7935},         {1, 1, 0.2065, 1},
        {1, 2, 0.0945, 0.9055},    {0, 10, 0, 0.2775},
        {10, 10, 0.7225, 1},       {1, 1000, 0.0002, 0.0056},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double low = -1;
        double high = -1;

        rollup_wilson(cases[i].hits, cases[i].n, &low, &high);

        assert_true(is_near(digits4(low), cases[i].low, 1e-9));
        assert_true(is_near(digits4(high), cases[i].high, 1e-9));
    }
}

static void bounds_hold_the_rate_and_mirror(void **state)
{
    (void)state;
    for (int n = 1; n <= 300; n++) {
        for (int hits = 0; hits <= n; hits++) {
            double low = -1;
            double high = -1;
            double other_low = -1;
            double other_high = -1;
            double share = (double)hits / n;

            rollup_wilson(hits, n, &low, &high);
            rollup_wilson(n - hits, n, &other_low, &other_high);

            assert_true(0 <= low && low <= share + 1e-12);
            assert_true(share - 1e-12 <= high && high <= 1);
            assert_true(is_near(low, 1 - other_high, 1e-12));
        }
    }
}

static void bounds_narrow_as_n_grows(void **state)
{
    double width = 2;

    (void)state;
    for (double n = 10; n <= 1e12; n *= 10) {
        double low = 0;
        double high = 0;

        rollup_wilson(n * 0.3, n, &low, &high);

        assert_true(high - low < width);
        width = high - low;
    }
}

static void a_bucket_is_the_quarter_that_holds_the_instant(void **state)
{
    (void)state;
    assert_int_equal(rollup_bucket(0), 0);
    assert_int_equal(rollup_bucket(ROLLUP_BUCKET_MS - 1), 0);
    assert_int_equal(rollup_bucket(ROLLUP_BUCKET_MS), 1);
    assert_int_equal(rollup_bucket(-1), -1);
    assert_int_equal(rollup_bucket(-ROLLUP_BUCKET_MS), -1);
    assert_int_equal(rollup_bucket(-ROLLUP_BUCKET_MS - 1), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_those_of_known_examples),
        cmocka_unit_test(bounds_hold_the_rate_and_mirror),
        cmocka_unit_test(bounds_narrow_as_n_grows),
        cmocka_unit_test(a_bucket_is_the_quarter_that_holds_the_instant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
