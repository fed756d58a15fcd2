/* test_ctr.c - windows of a day, and whether a share of clicks fell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/ctr.h"
#include "base/clock.h"

#define HOUR LB_MS_PER_HOUR
#define DAY LB_MS_PER_DAY

static const struct lb_zone *zone(const char *name)
{
    const struct lb_zone *found = NULL;
    struct lb_error err;

    assert_int_equal(lb_zone_find(name, &found, &err), LB_OK);
    return found;
}

static int64_t at(const char *text)
{
    int64_t at_ms = 0;

    assert_true(lb_zone_parse_instant(text, &at_ms));
    return at_ms;
}

static void windows_are_parts_of_the_local_day_or_whole_days(void **state)
{
    static const struct {
        const char *zone;
        int64_t length_ms;
        const char *at;
        const char *before;
        const char *from;
        const char *to;
    } rows[] = {
        {"Europe/Paris", DAY, "2026-11-24T09:00:00Z",
         "2026-10-27T00:00:00+01:00", "2026-11-24T00:00:00+01:00",
         "2026-11-25T00:00:00+01:00"},
        /* 28 days before lie across the end of summer time. */
        {"Europe/Paris", DAY, "2026-11-10T22:59:59Z",
         "2026-10-13T00:00:00+02:00", "2026-11-10T00:00:00+01:00",
         "2026-11-11T00:00:00+01:00"},
        {"Europe/Paris", 6 * HOUR, "2026-11-24T09:00:00Z",
         "2026-10-27T06:00:00+01:00", "2026-11-24T06:00:00+01:00",
         "2026-11-24T12:00:00+01:00"},
        /* A day of 25 hours ends with a window of one. */
        {"Europe/Paris", 6 * HOUR, "2026-10-25T22:30:00Z",
         "2026-09-27T22:00:00Z", "2026-10-25T23:00:00+01:00",
         "2026-10-26T00:00:00+01:00"},
        {"Asia/Kathmandu", HOUR, "2026-11-24T09:00:00Z", "2026-10-27T08:15:00Z",
         "2026-11-24T14:00:00+05:45", "2026-11-24T15:00:00+05:45"},
        {"UTC", 7 * DAY, "2026-11-24T09:00:00Z", "2026-10-26T00:00:00Z",
         "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"}, /* a Monday */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ctr_window window = ctr_window_at(
            zone(rows[i].zone), rows[i].length_ms, at(rows[i].at));

        print_message("%s %s\n", rows[i].zone, rows[i].at);
        assert_int_equal(window.before_ms, at(rows[i].before));
        assert_int_equal(window.from_ms, at(rows[i].from));
        assert_int_equal(window.to_ms, at(rows[i].to));
    }
}

/* What the pooled two-proportion test says, by hand. */
static void the_probability_is_that_of_the_two_proportion_test(void **state)
{
    static const struct {
        struct ctr_counts before;
        struct ctr_counts now;
        double probability;
        double within;
    } rows[] = {
        {{1000, 200}, {1000, 200}, 0.5, 1e-12},
        {{1000, 200}, {1000, 160}, 0.0100, 0.0005}, /* z 2.328 */
        {{1000, 200}, {1000, 240}, 0.9850, 0.0010}, /* z -2.162 */
        {{14000, 2800}, {500, 65}, 5.4e-5, 1e-5},   /* z 3.871 */
        {{1000, 0}, {1000, 0}, 1, 0},
        {{1000, 1000}, {1000, 1000}, 1, 0},
        {{0, 0}, {1000, 10}, 1, 0},
        {{1000, 10}, {0, 0}, 1, 0},
        /* More clicks than views: a Poisson rate, z 2.182. */
        {{1000, 1200}, {1000, 1095}, 0.0142, 0.0005},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double got = ctr_probability(&rows[i].before, &rows[i].now);

        print_message("%zu: %g\n", i, got);
        assert_true(got - rows[i].probability <= rows[i].within);
        assert_true(rows[i].probability - got <= rows[i].within);
    }
}

static void a_drop_needs_views_a_share_and_more_than_chance(void **state)
{
    static const struct {
        struct ctr_counts before;
        struct ctr_counts now;
        bool is_drop;
    } rows[] = {
        {{14000, 2800}, {600, 60}, true},  /* half of it */
        {{14000, 2800}, {600, 84}, true},  /* 30 % less, exactly */
        {{14000, 2800}, {600, 86}, false}, /* 28 % less */
        {{14000, 2800}, {499, 30}, false}, /* too few views now */
        {{499, 100}, {600, 30}, false},    /* too few before */
        {{3, 2}, {3, 1}, false},           /* 1 of 3 after 2 of 3 */
        {{14000, 2800}, {600, 0}, true},
        {{600, 12}, {600, 6}, false},        /* half, but of 12 */
        {{14000, 280}, {600, 6}, false},     /* half, z 1.7 */
        {{14000, 280}, {6000, 60}, true},    /* half, z 4.9 */
        {{14000, 14000}, {600, 600}, false}, /* everyone clicks */
        {{14000, 21000}, {600, 500}, true},  /* 1.5 clicks a view, then 0.83 */
    };
    struct rule rule = {.min_views = 500, .drop = 0.3, .confidence = 0.99};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%zu\n", i);
        assert_int_equal(ctr_is_drop(&rule, &rows[i].before, &rows[i].now),
                         rows[i].is_drop);
    }
}

static uint64_t roll(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

/* Looked at after each of 20,000 views whose share is what it was, with no
 * least drop: no more windows ring than the rule's error. */
static void looking_all_the_time_does_not_add_to_the_error(void **state)
{
    struct rule rule = {.min_views = 500, .drop = 0.0, .confidence = 0.9};
    const struct ctr_counts before = {10000000, 2000000};
    uint64_t seed = 88172645463325252U;
    int rings = 0;

    (void)state;
    for (int window = 0; window < 400; window++) {
        struct ctr_counts now = {0, 0};
        bool has_rung = false;

        for (int i = 0; i < 20000 && !has_rung; i++) {
            now.views++;
            now.clicks += roll(&seed) % 5 == 0 ? 1 : 0;
            has_rung = ctr_is_drop(&rule, &before, &now);
        }
        rings += has_rung ? 1 : 0;
    }
    print_message("%d of 400 windows ring, 40 may\n", rings);
    assert_true(rings <= 40);
    assert_true(rings > 0);
}

static void slots_are_kept_in_order_and_add_up(void **state)
{
    static const int64_t times[] = {5, 9, 7, 5, 1, 9, 8, 2, 3, 4, 6};
    struct ctr_slots slots = {NULL, 0, 0};
    const struct ctr_counts one = {2, 1};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_true(ctr_slots_add(&slots, times[i], &one));
    }
    assert_int_equal(slots.count, 9);
    for (size_t i = 0; i < slots.count; i++) {
        bool is_twice = i + 1 == 5 || i + 1 == 9;

        assert_int_equal(slots.slots[i].at_ms, (int64_t)i + 1);
        assert_int_equal(slots.slots[i].counts.views, is_twice ? 4 : 2);
        assert_int_equal(slots.slots[i].counts.clicks, is_twice ? 2 : 1);
    }
    ctr_slots_deinit(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_parts_of_the_local_day_or_whole_days),
        cmocka_unit_test(the_probability_is_that_of_the_two_proportion_test),
        cmocka_unit_test(a_drop_needs_views_a_share_and_more_than_chance),
        cmocka_unit_test(looking_all_the_time_does_not_add_to_the_error),
        cmocka_unit_test(slots_are_kept_in_order_and_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
