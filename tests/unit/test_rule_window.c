/* test_rule_window.c - sliding windows: sums and distinct visitors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/rule_window.h"

#define NOW_MS INT64_C(1795421702114)
#define LENGTH_MS INT64_C(10000)

static void make(struct rule_window *window, bool is_of_visitors)
{
    rule_window_init(window, LENGTH_MS, is_of_visitors);
}

/* Moves the window to now, adds one event, returns the value. */
static int64_t add_at(struct rule_window *window, int64_t ts_ms, int64_t now_ms)
{
    int64_t oldest_ms = now_ms + 1 - LENGTH_MS;

    rule_window_move(window, oldest_ms);
    assert_true(rule_window_add(window, oldest_ms, ts_ms, 1, 0));
    return rule_window_value(window);
}

static int64_t visit(struct rule_window *window,
                     int64_t visitor,
                     int64_t ts_ms,
                     int64_t now_ms)
{
    int64_t oldest_ms = now_ms + 1 - LENGTH_MS;

    rule_window_move(window, oldest_ms);
    assert_true(rule_window_add(window, oldest_ms, ts_ms, 1, visitor));
    return rule_window_value(window);
}

static void a_window_holds_what_is_younger_than_its_length(void **state)
{
    struct rule_window window;

    (void)state;
    make(&window, false);
    assert_true(rule_window_is_empty(&window));
    assert_int_equal(add_at(&window, NOW_MS, NOW_MS), 1);
    assert_int_equal(add_at(&window, NOW_MS, NOW_MS), 2);
    assert_int_equal(add_at(&window, NOW_MS + 9999, NOW_MS + 9999), 3);
    /* The window ends 1 ms after now: its first instant moved on past both. */
    assert_int_equal(add_at(&window, NOW_MS + 10000, NOW_MS + 10000), 2);
    assert_int_equal(add_at(&window, NOW_MS + 60000, NOW_MS + 60000), 1);
    rule_window_move(&window, NOW_MS + 60001);
    assert_int_equal(rule_window_value(&window), 0);
    assert_true(rule_window_is_empty(&window));
    rule_window_deinit(&window);
}

static void an_event_older_than_the_window_is_not_in_it(void **state)
{
    struct rule_window window;

    (void)state;
    make(&window, false);
    assert_int_equal(add_at(&window, NOW_MS - 10000, NOW_MS), 0);
    assert_int_equal(add_at(&window, NOW_MS - 9999, NOW_MS), 1);
    assert_int_equal(add_at(&window, NOW_MS - 3600000, NOW_MS), 1);
    rule_window_deinit(&window);
}

static void a_visitor_counts_once_and_stays_while_it_comes(void **state)
{
    struct rule_window window;

    (void)state;
    make(&window, true);
    assert_int_equal(visit(&window, 1, NOW_MS, NOW_MS), 1);
    assert_int_equal(visit(&window, 2, NOW_MS, NOW_MS), 2);
    assert_int_equal(visit(&window, 1, NOW_MS + 8000, NOW_MS + 8000), 2);
    assert_int_equal(visit(&window, 3, NOW_MS + 12000, NOW_MS + 12000),
                     2); /* 2 is gone, 1 is not */
    rule_window_deinit(&window);
}

static void a_late_event_does_not_make_a_visitor_leave_early(void **state)
{
    struct rule_window window;

    (void)state;
    make(&window, true);
    assert_int_equal(visit(&window, 1, NOW_MS, NOW_MS), 1);
    assert_int_equal(visit(&window, 1, NOW_MS - 5000, NOW_MS), 1);
    assert_int_equal(visit(&window, 2, NOW_MS + 6000, NOW_MS + 6000), 2);
    rule_window_deinit(&window);
}

static void what_was_erased_counts_no_more(void **state)
{
    struct rule_window window;

    (void)state;
    make(&window, false);
    (void)add_at(&window, NOW_MS, NOW_MS);
    (void)add_at(&window, NOW_MS, NOW_MS);
    (void)add_at(&window, NOW_MS + 1, NOW_MS + 1);
    rule_window_take_out(&window, NOW_MS, 1, 0);
    assert_int_equal(rule_window_value(&window), 2);
    rule_window_take_out(&window, NOW_MS + 500, 1, 0); /* was never there */
    assert_int_equal(rule_window_value(&window), 2);
    rule_window_deinit(&window);
    make(&window, true);
    (void)visit(&window, 1, NOW_MS, NOW_MS);
    (void)visit(&window, 1, NOW_MS + 1, NOW_MS + 1);
    rule_window_take_out(&window, NOW_MS, 1, 1); /* a later one is left */
    assert_int_equal(rule_window_value(&window), 1);
    rule_window_take_out(&window, NOW_MS + 1, 1, 1);
    assert_int_equal(rule_window_value(&window), 0);
    rule_window_deinit(&window);
}

static void what_lies_ahead_of_a_clock_set_back_counts_then(void **state)
{
    struct rule_window window;

    (void)state;
    for (int i = 0; i < 2; i++) {
        make(&window, i == 1);
        (void)visit(&window, 1, NOW_MS, NOW_MS);
        (void)visit(&window, 2, NOW_MS + 3000, NOW_MS + 3000);
        (void)visit(&window, 3, NOW_MS + 4000, NOW_MS + 4000);
        assert_true(rule_window_clamp(&window, NOW_MS + 1000));
        assert_int_equal(rule_window_value(&window), 3);
        rule_window_move(&window, NOW_MS + 1);
        assert_int_equal(rule_window_value(&window), 2);
        rule_window_move(&window, NOW_MS + 1001);
        assert_int_equal(rule_window_value(&window), 0);
        rule_window_deinit(&window);
    }
}

/* A generator of our own, so that a failing seed can be run again (xorshift64,
 * Marsaglia). */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

struct seen_event {
    int64_t ts_ms;
    int64_t visitor;
    int64_t amount;
};

/* What a window of so many events must hold, counted plainly. */
static int64_t count_plainly(const struct seen_event *events,
                             size_t count,
                             int64_t from_ms,
                             bool is_of_visitors)
{
    bool is_seen[64] = {false};
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (events[i].ts_ms < from_ms) {
            continue;
        }
        if (!is_of_visitors) {
            sum += events[i].amount;
        } else if (!is_seen[events[i].visitor]) {
            is_seen[events[i].visitor] = true;
            sum++;
        }
    }
    return sum;
}

#define RANDOM_EVENTS 900 /* fewer than a window keeps one by one */

static void check_random(bool is_of_visitors, uint64_t seed)
{
    struct seen_event events[RANDOM_EVENTS];
    struct rule_window window;
    int64_t now_ms = NOW_MS;

    make(&window, is_of_visitors);
    for (size_t i = 0; i < RANDOM_EVENTS; i++) {
        int64_t late_ms = (int64_t)(next_random(&seed) % 12000);
        int64_t oldest_ms;

        now_ms += (int64_t)(next_random(&seed) % 80);
        oldest_ms = now_ms + 1 - LENGTH_MS;
        events[i] = (struct seen_event){
            next_random(&seed) % 4 == 0 ? now_ms - late_ms : now_ms,
            (int64_t)(next_random(&seed) % 60),
            (int64_t)(next_random(&seed) % 9999) - 100};
        rule_window_move(&window, oldest_ms);
        assert_true(rule_window_add(&window, oldest_ms, events[i].ts_ms,
                                    events[i].amount, events[i].visitor));
        assert_int_equal(
            rule_window_value(&window),
            count_plainly(events, i + 1, oldest_ms, is_of_visitors));
    }
    rule_window_deinit(&window);
}

static void a_window_agrees_with_counting_plainly(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        check_random(seed % 2 == 0, seed);
    }
}

/* As after a start: only what the window still holds is added, in one go. */
static int64_t read_again(const struct seen_event *events,
                          size_t count,
                          int64_t oldest_ms,
                          bool is_of_visitors)
{
    struct rule_window window;
    int64_t value;

    make(&window, is_of_visitors);
    for (size_t i = 0; i < count; i++) {
        assert_true(rule_window_add(&window, oldest_ms, events[i].ts_ms,
                                    events[i].amount, events[i].visitor));
    }
    rule_window_move(&window, oldest_ms);
    value = rule_window_value(&window);
    rule_window_deinit(&window);
    return value;
}

#define BUSY_EVENTS 12000

/* Many more events than are kept one by one, some late, at changing rates. */
static void check_busy(bool is_of_visitors, uint64_t seed)
{
    struct seen_event *events = calloc(BUSY_EVENTS, sizeof(*events));
    struct rule_window window;
    int64_t now_ms = NOW_MS;

    assert_non_null(events);
    make(&window, is_of_visitors);
    for (size_t i = 0; i < BUSY_EVENTS; i++) {
        uint64_t rate = 1 + (i / 2000) % 3 * 4;
        int64_t oldest_ms;

        now_ms += (int64_t)(next_random(&seed) % rate);
        oldest_ms = now_ms + 1 - LENGTH_MS;
        events[i] = (struct seen_event){
            next_random(&seed) % 8 == 0
                ? now_ms - (int64_t)(next_random(&seed) % 12000)
                : now_ms,
            (int64_t)(next_random(&seed) % 60), 1};
        rule_window_move(&window, oldest_ms);
        assert_true(rule_window_add(&window, oldest_ms, events[i].ts_ms, 1,
                                    events[i].visitor));
        if (i % 501 == 500) {
            int64_t value = rule_window_value(&window);
            int64_t plain =
                count_plainly(events, i + 1, oldest_ms, is_of_visitors);
            int64_t step =
                count_plainly(events, i + 1, oldest_ms, false) -
                count_plainly(events, i + 1, oldest_ms + window.step_ms, false);

            assert_int_equal(
                value, read_again(events, i + 1, oldest_ms, is_of_visitors));
            assert_in_range(plain - value, 0, is_of_visitors ? 0 : step);
        }
    }
    assert_in_range(window.recent.cap, 0, 4 * RULE_WINDOW_RECENT);
    assert_in_range(window.older.cap, 0, 4 * RULE_WINDOW_STEPS);
    rule_window_deinit(&window);
    free(events);
}

static void a_busy_window_says_the_same_when_it_is_read_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        check_busy(seed % 2 == 0, seed);
    }
}

static void
a_window_of_one_day_is_bounded_and_comes_back_to_nothing(void **state)
{
    struct rule_window window;

    (void)state;
    rule_window_init(&window, 86400000, false);
    for (int64_t i = 0; i < 100000; i++) {
        int64_t oldest_ms = NOW_MS + i * 500 + 1 - 86400000;

        rule_window_move(&window, oldest_ms);
        assert_true(
            rule_window_add(&window, oldest_ms, NOW_MS + i * 500, 1, 0));
    }
    assert_int_equal(rule_window_value(&window), 100000);
    assert_in_range(window.recent.count, 1, RULE_WINDOW_RECENT);
    assert_in_range(window.older.count, 1, RULE_WINDOW_STEPS);
    rule_window_move(&window, NOW_MS + 50000000);
    assert_true(rule_window_is_empty(&window));
    assert_int_equal(rule_window_value(&window), 0);
    rule_window_deinit(&window);
}

/* Visitors come, come again and go in every order of a small world. */
static void visitors_come_and_go_in_any_order(void **state)
{
    uint64_t seed = 7;
    struct rule_window window;
    int64_t last_ms[200] = {0};
    int64_t oldest_ms = NOW_MS;

    (void)state;
    make(&window, true);
    for (int i = 0; i < 20000; i++) {
        int64_t visitor = (int64_t)(next_random(&seed) % 200);
        int64_t ts_ms = oldest_ms + (int64_t)(next_random(&seed) % 4000) - 200;
        int64_t count = 0;

        oldest_ms += (int64_t)(next_random(&seed) % 20);
        rule_window_move(&window, oldest_ms);
        if (next_random(&seed) % 16 == 0) {
            rule_window_take_out(&window, last_ms[visitor], 1, visitor);
            last_ms[visitor] = 0;
        } else {
            assert_true(rule_window_add(&window, oldest_ms, ts_ms, 1, visitor));
            last_ms[visitor] =
                ts_ms > last_ms[visitor] ? ts_ms : last_ms[visitor];
        }
        for (int j = 0; j < 200; j++) {
            count += last_ms[j] >= oldest_ms ? 1 : 0;
        }
        assert_int_equal(rule_window_value(&window), count);
    }
    rule_window_deinit(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_holds_what_is_younger_than_its_length),
        cmocka_unit_test(an_event_older_than_the_window_is_not_in_it),
        cmocka_unit_test(a_visitor_counts_once_and_stays_while_it_comes),
        cmocka_unit_test(a_late_event_does_not_make_a_visitor_leave_early),
        cmocka_unit_test(what_was_erased_counts_no_more),
        cmocka_unit_test(what_lies_ahead_of_a_clock_set_back_counts_then),
        cmocka_unit_test(a_window_agrees_with_counting_plainly),
        cmocka_unit_test(a_busy_window_says_the_same_when_it_is_read_again),
        cmocka_unit_test(
            a_window_of_one_day_is_bounded_and_comes_back_to_nothing),
        cmocka_unit_test(visitors_come_and_go_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
