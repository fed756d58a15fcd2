/* test_detect_nb.c - tails of Poisson's and the negative binomial law. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/detect_nb.h"

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-6)) {
        print_error("%.9f instead of %.9f\n", value, wanted);
        fail();
    }
}

/* Sums up the law's probabilities, one by one. */
static double plain_rarity(int count, double expected, double dispersion)
{
    const double size = 1 / dispersion;
    const double share = expected / (expected + size);
    double term = pow(1 - share, size); /* of 0 */
    double below = 0;
    double above = 0;

    for (int k = 0; k < 2000; k++) {
        below += k < count ? term : k == count ? term / 2 : 0;
        above += k > count ? term : k == count ? term / 2 : 0;
        term *= (k + size) / (k + 1) * share;
    }
    return -log10(count > expected ? above : below);
}

static void a_count_as_expected_is_not_rare(void **state)
{
    (void)state;
    assert_near(detect_nb_rarity(4, 4, 0.2), 0);
    assert_near(detect_nb_rarity(3, 0, 0.2), 0);
}

static void poisson_tails_are_mid_p(void **state)
{
    const double p0 = exp(-2.0);

    (void)state;
    assert_near(detect_nb_rarity(0, 2, 0), -log10(p0 / 2));
    assert_near(detect_nb_rarity(1, 2, 0), -log10(p0 + p0));
    assert_near(detect_nb_rarity(3, 2, 0),
                -log10(1 - p0 * (1 + 2 + 2) - p0 * 8 / 6 / 2));
}

static void assert_agrees(int count, double expected, double dispersion)
{
    const double wanted = plain_rarity(count, expected, dispersion);
    const double rarity = detect_nb_rarity(count, expected, dispersion);

    if (wanted < 12 && count != expected && fabs(rarity - wanted) > 1e-3) {
        print_error("%d of %g, dispersion %g\n", count, expected, dispersion);
        fail();
    }
}

static void tails_agree_with_adding_up_plainly(void **state)
{
    static const struct {
        double expected;
        double dispersion;
    } laws[] = {{0.05, 0.01}, {0.05, 1}, {0.7, 0.01}, {0.7, 0.2}, {3, 0.01},
                {3, 2},       {12, 0.2}, {12, 1},     {60, 0.2},  {60, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
        for (int count = 0; count < 150; count += 1 + count / 4) {
            assert_agrees(count, laws[i].expected, laws[i].dispersion);
        }
    }
}

static void the_far_tail_is_finite(void **state)
{
    (void)state;
    assert_true(isfinite(detect_nb_rarity(1e6, 0.001, 0)));
    assert_true(isfinite(detect_nb_rarity(1e6, 0.001, 2)));
    assert_true(isfinite(detect_nb_rarity(0, 1e6, 0.5)));
    assert_true(detect_nb_rarity(1e6, 0.001, 0) > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_as_expected_is_not_rare),
        cmocka_unit_test(poisson_tails_are_mid_p),
        cmocka_unit_test(tails_agree_with_adding_up_plainly),
        cmocka_unit_test(the_far_tail_is_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
