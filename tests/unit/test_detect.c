/* test_detect.c - the score of any series: what it is, what it finds, how often
 * it errs.  All series are made here and the same on every machine. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/detect.h"
#include "base/clock.h"
#include "tests/support/series.h"

#define MONDAY_MS INT64_C(1740960000000) /* 3 March 2025, 00:00 */
#define WEEK 168
#define ROW_MS (5 * LB_MS_PER_MIN)
#define DAY_ROWS 288
#define ALARM 0.5

/* A busy metric every five minutes. */
static double busy_value(struct series_random *random, int row)
{
    return 1000 * series_rhythm(row / 12.0) + 40 * series_normal(random);
}

static double step(struct detect *detect, int row, double value)
{
    struct detect_verdict verdict;

    detect_step(detect, MONDAY_MS + row * ROW_MS, value, &verdict);
    assert_true(verdict.score >= 0 && verdict.score <= 1);
    assert_true(verdict.probability >= 0 && verdict.probability <= 1);
    assert_true(isfinite(verdict.expected));
    return verdict.score;
}

static void the_state_of_a_series_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct detect) <= 4096);
}

static void a_jump_is_an_alarm_once(void **state)
{
    struct detect detect;
    struct series_random random = {7};
    int alarms = 0;
    int row = 0;

    (void)state;
    detect_init(&detect, 0);
    for (; row < 21 * DAY_ROWS; row++) {
        (void)step(&detect, row, busy_value(&random, row));
    }
    for (int i = 0; i < 12; i++, row++) {
        alarms += step(&detect, row, 3 * busy_value(&random, row)) >= ALARM;
    }

    assert_in_range(alarms, 1, 2);
}

static void a_drop_is_an_alarm(void **state)
{
    struct detect detect;
    struct series_random random = {8};
    double most = 0;
    int row = 0;

    (void)state;
    detect_init(&detect, 0);
    for (; row < 21 * DAY_ROWS + 170; row++) {
        (void)step(&detect, row, busy_value(&random, row));
    }
    for (int i = 0; i < 12; i++, row++) {
        most = fmax(most, step(&detect, row, 0));
    }

    assert_true(most >= ALARM);
}

/* Alarms of a quiet series in the months two to four. */
static int count_alarms(uint64_t seed)
{
    struct detect detect;
    struct series_random random = {seed};
    int alarms = 0;
    int last = 0;

    detect_init(&detect, 0);
    for (int row = 0; row < 120 * DAY_ROWS; row++) {
        double score = step(&detect, row, busy_value(&random, row));

        if (row > 30 * DAY_ROWS && score >= ALARM) {
            alarms += row - last > DAY_ROWS / 4;
            last = row;
        }
    }
    return alarms;
}

static void quiet_series_ring_about_once_a_month_at_most(void **state)
{
    int alarms = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        alarms += count_alarms(seed * 977);
    }

    assert_in_range(alarms, 0, 6 * 3);
}

static void a_constant_or_exactly_repeated_series_is_silent(void **state)
{
    struct detect flat;
    struct detect square;
    double most = 0;

    (void)state;
    detect_init(&flat, 0);
    detect_init(&square, 0);
    for (int row = 0; row < 30 * DAY_ROWS; row++) {
        most = fmax(most, step(&flat, row, 45.5));
        most = fmax(most,
                    row < 8 * DAY_ROWS
                        ? step(&square, row, 0) * 0
                        : step(&square, row, row / 12 % 24 < 9 ? 20.5 : 80.5) *
                              (row >= 12 * DAY_ROWS));
    }

    assert_true(most < ALARM);
}

static void a_score_does_not_depend_on_unit_and_origin(void **state)
{
    struct detect plain;
    struct detect moved;
    struct series_random random = {9};

    (void)state;
    detect_init(&plain, 0);
    detect_init(&moved, 0);
    for (int row = 0; row < 10 * DAY_ROWS; row++) {
        double value = busy_value(&random, row) + 0.5;

        assert_true(fabs(step(&plain, row, value) -
                         step(&moved, row, 1024 * value)) < 0.02);
    }
}

static void small_counts_are_recognised(void **state)
{
    static const struct {
        const char *name;
        double scale;
        double offset;
        bool is_small;
    } cases[] = {{"few an hour", 3, 0, true},
                 {"many an hour", 100, 0, false},
                 {"fractions", 3, 0.5, false},
                 {"below zero", 3, -20, false}};

    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct detect detect;
        struct detect_verdict verdict;
        struct series_random random = {11};

        detect_init(&detect, 0);
        for (int i = 0; i < 3 * WEEK; i++) {
            double value = floor(cases[k].scale * series_uniform(&random) * 2);

            detect_step(&detect, MONDAY_MS + i * LB_MS_PER_HOUR,
                        value + cases[k].offset, &verdict);
        }
        if (verdict.is_small != cases[k].is_small) {
            print_error("%s\n", cases[k].name);
        }
        assert_int_equal(verdict.is_small, cases[k].is_small);
    }
}

struct tally {
    int false_alarms;
    int spikes;
    int found;
};

/* Leads of one site: a spike of five times the usual for four hours every five
 * days from the fifth week on. */
struct leads {
    struct series_random random;
    double level; /* an hour */
    double shape; /* of the overdispersion; 0: none */
    double noise;
    int rows_per_hour;
};

static bool is_spike_hour(int hour, int hours)
{
    const int place = hour % 121 - 100;

    return hour > 4 * WEEK && place >= 0 && place < hours;
}

static int next_count(struct leads *leads, int row)
{
    const int hour = row / leads->rows_per_hour;

    if (row % leads->rows_per_hour == 0 && leads->shape > 0) {
        leads->noise = series_gamma(&leads->random, leads->shape);
    }
    return series_poisson(&leads->random, leads->level / leads->rows_per_hour *
                                              leads->noise *
                                              series_rhythm(hour) *
                                              (is_spike_hour(hour, 4) ? 5 : 1));
}

static void run_leads(uint64_t seed, int rows_per_hour, struct tally *tally)
{
    struct leads leads = {{seed}, 0, seed % 2 == 0 ? 0 : 5, 1, rows_per_hour};
    struct detect detect;
    int last_alarm = -1000;
    int last_found = -1000;

    leads.level = 1 + 3 * series_uniform(&leads.random);
    detect_init(&detect, 0);
    for (int row = 0; row < 10 * WEEK * rows_per_hour; row++) {
        const int hour = row / rows_per_hour;
        struct detect_verdict verdict;

        detect_step(&detect, MONDAY_MS + row * (LB_MS_PER_HOUR / rows_per_hour),
                    next_count(&leads, row), &verdict);
        tally->spikes += row % rows_per_hour == 0 && is_spike_hour(hour, 1);
        if (verdict.score < ALARM || hour < 4 * WEEK) {
            continue;
        }
        if (is_spike_hour(hour, 4) && hour - last_found > 4) {
            last_found = hour;
            tally->found++;
        }
        tally->false_alarms +=
            hour - last_alarm >= 6 && !is_spike_hour(hour, 6);
        last_alarm = hour;
    }
}

static void spikes_of_leads_are_found_and_little_else(void **state)
{
    static const int rows_per_hour[] = {1, 4};

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct tally tally = {0, 0, 0};

        for (uint64_t seed = 100; seed < 130; seed++) {
            run_leads(seed, rows_per_hour[k], &tally);
        }
        print_message("%d rows an hour: %d of %d spikes, %d false alarms in 42 "
                      "series-months\n",
                      rows_per_hour[k], tally.found, tally.spikes,
                      tally.false_alarms);
        assert_true(tally.false_alarms <= 42);
        assert_true(tally.found >= 0.95 * tally.spikes);
    }
}

static void a_limit_goes_with_the_budget(void **state)
{
    (void)state;
    assert_true(detect_limit(1) == 0.5);
    assert_true(detect_limit(10) < 0.5);
    assert_true(detect_limit(0.1) > 0.5);
    assert_true(detect_limit(0.1) < 0.6);
    assert_true(detect_limit(1e9) > 0);
    assert_true(detect_limit(1e-9) < 1);
}

static void a_stricter_budget_rings_less(void **state)
{
    int alarms[3] = {0, 0, 0};
    const double limits[3] = {detect_limit(10), detect_limit(1),
                              detect_limit(0.1)};
    struct series_random random = {12};
    struct detect detect;

    (void)state;
    detect_init(&detect, 0);
    for (int row = 0; row < 90 * DAY_ROWS; row++) {
        double score = step(&detect, row, busy_value(&random, row));

        for (int i = 0; i < 3 && row > 30 * DAY_ROWS; i++) {
            alarms[i] += score >= limits[i];
        }
    }

    assert_true(alarms[0] > alarms[1]);
    assert_true(alarms[1] >= alarms[2]);
    assert_in_range(alarms[2], 0, 2);
}

static void wild_numbers_do_no_harm(void **state)
{
    static const double wild[] = {0,        -0.0,   1e300, -1e300, DBL_MAX,
                                  -DBL_MAX, 1e-310, 5,     1e15,   -1};
    struct detect detect;
    struct series_random random = {13};

    (void)state;
    detect_init(&detect, 0);
    for (int row = 0; row < 5000; row++) {
        size_t at = (size_t)(series_uniform(&random) * 10) % 10;

        (void)step(&detect, row, wild[at]);
    }
    for (int row = 5000; row < 6000; row++) {
        assert_true(isfinite(step(&detect, row, row % 7)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_of_a_series_is_small),
        cmocka_unit_test(a_jump_is_an_alarm_once),
        cmocka_unit_test(a_drop_is_an_alarm),
        cmocka_unit_test(quiet_series_ring_about_once_a_month_at_most),
        cmocka_unit_test(a_constant_or_exactly_repeated_series_is_silent),
        cmocka_unit_test(a_score_does_not_depend_on_unit_and_origin),
        cmocka_unit_test(small_counts_are_recognised),
        cmocka_unit_test(spikes_of_leads_are_found_and_little_else),
        cmocka_unit_test(a_limit_goes_with_the_budget),
        cmocka_unit_test(a_stricter_budget_rings_less),
        cmocka_unit_test(wild_numbers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
