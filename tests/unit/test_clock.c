/* test_clock.c - the fake clock, instants as text, civil dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"

static void the_wall_clock_can_be_fixed_and_given_back(void **state)
{
    const int64_t fixed_at_ms = INT64_C(1700000000123);
    (void)state;

    lb_clock_fake_wall(fixed_at_ms);
    assert_int_equal(lb_clock_wall_ms(), fixed_at_ms);

    lb_clock_fake_wall(-1);
    assert_true(lb_clock_wall_ms() > fixed_at_ms);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    int64_t last_ns = lb_clock_mono_ns();
    (void)state;

    for (int i = 0; i < 1000; i++) {
        int64_t now_ns = lb_clock_mono_ns();

        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    assert_true(lb_clock_mono_ms() >= last_ns / 1000000);
}

static void instants_are_written_as_rfc_3339(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(1795421702114), "2026-11-23T08:15:02.114Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[LB_CLOCK_TEXT_BYTES];

        lb_clock_format(cases[i].at_ms, text);

        assert_string_equal(text, cases[i].text);
    }
}

static void dates_go_to_days_and_back(void **state)
{
    (void)state;

    assert_int_equal(lb_clock_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(lb_clock_days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(lb_clock_days_from_civil(1969, 12, 31), -1);
    for (int64_t day = -800000; day < 3000000; day += 97) {
        int64_t year;
        unsigned month;
        unsigned day_of_month;

        lb_clock_civil_from_days(day, &year, &month, &day_of_month);

        assert_in_range(month, 1, 12);
        assert_in_range(day_of_month, 1, 31);
        assert_int_equal(lb_clock_days_from_civil(year, month, day_of_month),
                         day);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_can_be_fixed_and_given_back),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(instants_are_written_as_rfc_3339),
        cmocka_unit_test(dates_go_to_days_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
