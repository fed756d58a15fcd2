/* test_detect_count.c - spikes and drops in small counts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/detect_count.h"
#include "base/clock.h"
#include "tests/support/series.h"

#define MONDAY_MS INT64_C(1740960000000) /* 3 March 2025, 00:00 */
#define WEEK 168

static void feed(struct detect_count *count,
                 struct series_random *random,
                 double level,
                 int from,
                 int to)
{
    struct detect_count_verdict verdict;

    for (int i = from; i < to; i++) {
        detect_count_step(count, MONDAY_MS + i * LB_MS_PER_HOUR,
                          series_poisson(random, level * series_rhythm(i)),
                          &verdict);
    }
}

static void what_is_expected_follows_the_hour_of_the_week(void **state)
{
    struct detect_count count;
    struct series_random random = {1};
    double error = 0;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 3, 0, 8 * WEEK);
    for (int i = 8 * WEEK; i < 9 * WEEK; i++) {
        struct detect_count look = count;
        struct detect_count_verdict verdict;
        double wanted = 3 * series_rhythm(i);

        detect_count_step(&look, MONDAY_MS + i * LB_MS_PER_HOUR, 0, &verdict);
        error += fabs(verdict.expected - wanted) / wanted;
    }

    assert_true(error / WEEK < 0.25);
}

/* Twelve times as many after six weeks: of 20 series some 1.4 each may ring at
 * the budget of one a month. */
static void growth_is_followed(void **state)
{
    int rings = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct detect_count count;
        struct series_random random = {seed};

        detect_count_init(&count, LB_MS_PER_HOUR);
        for (int i = 0; i < 12 * WEEK; i++) {
            double mean =
                20 * (i < 6 * WEEK ? 1 : pow(12, (i - 6 * WEEK) / 1008.0));
            double value = series_poisson(&random, mean);
            struct detect_count before = count;
            struct detect_count_verdict verdict;

            detect_count_step(&count, MONDAY_MS + i * LB_MS_PER_HOUR, value,
                              &verdict);
            rings += i >= 6 * WEEK && value > verdict.expected &&
                     detect_count_rarity(&before, value, verdict.expected) >=
                         log10(30 * 24);
        }
    }
    assert_in_range(rings, 0, 60);
}

static void a_sum_over_hours_tells_its_span(void **state)
{
    struct detect_count count;
    struct series_random random = {2};
    struct detect_count_verdict verdict;
    int at = 6 * WEEK + 60;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 1, 0, at);
    for (int i = 0; i < 4; i++, at++) {
        detect_count_step(&count, MONDAY_MS + at * LB_MS_PER_HOUR, 6, &verdict);
    }

    assert_true(verdict.high > detect_count_limit(&count));
    assert_true(verdict.high_ms >= 2 * LB_MS_PER_HOUR);
    assert_true(verdict.high_count >= 12);
    assert_true(verdict.high_expected < verdict.high_count / 3);
}

static void hours_of_silence_are_low(void **state)
{
    struct detect_count count;
    struct series_random random = {3};
    struct detect_count_verdict verdict;
    int at = 6 * WEEK + 60;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 4, 0, at);
    for (int i = 0; i < 6; i++, at++) {
        detect_count_step(&count, MONDAY_MS + at * LB_MS_PER_HOUR, 0, &verdict);
    }

    assert_true(verdict.low > 4);
    assert_true(verdict.high == 0);
}

static void a_gap_in_the_rows_is_no_silence(void **state)
{
    struct detect_count count;
    struct series_random random = {4};
    struct detect_count_verdict verdict;
    int at = 6 * WEEK;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 4, 0, at);
    at += 48;
    detect_count_step(&count, MONDAY_MS + at * LB_MS_PER_HOUR,
                      floor(4 * series_rhythm(at)), &verdict);

    assert_true(verdict.low < 2);
    assert_true(verdict.high < 2);
}

static void a_spike_is_not_what_is_usual_from_then_on(void **state)
{
    struct detect_count count;
    struct series_random random = {5};
    struct detect_count_verdict verdict;
    double before;
    int at = 4 * WEEK;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 1, 0, at);
    before = detect_count_level(&count);
    for (int i = 0; i < 6; i++, at++) {
        detect_count_step(&count, MONDAY_MS + at * LB_MS_PER_HOUR, 100,
                          &verdict);
    }

    assert_true(detect_count_level(&count) < 1.2 * before);
}

static void daily_and_minutely_rows_are_fine(void **state)
{
    static const int64_t intervals_ms[] = {
        LB_MS_PER_S,        LB_MS_PER_MIN,      7 * LB_MS_PER_MIN,
        20 * LB_MS_PER_MIN, 50 * LB_MS_PER_MIN, 90 * LB_MS_PER_MIN,
        LB_MS_PER_DAY,      31 * LB_MS_PER_DAY};

    (void)state;
    for (size_t k = 0; k < sizeof(intervals_ms) / sizeof(int64_t); k++) {
        struct detect_count count;
        struct series_random random = {6};
        struct detect_count_verdict verdict;

        detect_count_init(&count, intervals_ms[k]);
        for (int i = 0; i < 500; i++) {
            detect_count_step(&count, MONDAY_MS + i * intervals_ms[k],
                              series_poisson(&random, 0.5), &verdict);
            assert_true(isfinite(verdict.expected));
            assert_true(verdict.expected >= 0);
            assert_true(verdict.high >= 0 && verdict.high < 20);
            assert_true(verdict.low >= 0 && verdict.low < 20);
        }
    }
}

static void rows_that_go_back_in_time_do_no_harm(void **state)
{
    struct detect_count count;
    struct detect_count_verdict verdict;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    for (int i = 0; i < 300; i++) {
        detect_count_step(&count, MONDAY_MS - i * LB_MS_PER_HOUR * (i % 3), 1,
                          &verdict);
        assert_true(isfinite(verdict.expected) && isfinite(verdict.high));
    }
}

static void one_time_far_ahead_is_forgotten(void **state)
{
    struct detect_count count;
    struct series_random random = {7};
    struct detect_count_verdict verdict;
    double most = 0;

    (void)state;
    detect_count_init(&count, LB_MS_PER_HOUR);
    feed(&count, &random, 4, 0, 4 * WEEK);
    detect_count_step(&count, MONDAY_MS + 900 * LB_MS_PER_DAY, 4, &verdict);
    for (int i = 4 * WEEK; i < 5 * WEEK; i++) {
        detect_count_step(&count, MONDAY_MS + i * LB_MS_PER_HOUR,
                          floor(4 * series_rhythm(i)), &verdict);
        most = fmax(most, verdict.high);
    }

    assert_true(most < detect_count_limit(&count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_follows_the_hour_of_the_week),
        cmocka_unit_test(growth_is_followed),
        cmocka_unit_test(a_sum_over_hours_tells_its_span),
        cmocka_unit_test(hours_of_silence_are_low),
        cmocka_unit_test(a_gap_in_the_rows_is_no_silence),
        cmocka_unit_test(a_spike_is_not_what_is_usual_from_then_on),
        cmocka_unit_test(daily_and_minutely_rows_are_fine),
        cmocka_unit_test(rows_that_go_back_in_time_do_no_harm),
        cmocka_unit_test(one_time_far_ahead_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
