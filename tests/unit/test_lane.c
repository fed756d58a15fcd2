/* test_lane.c - when attempts at a destination may start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/lane.h"

#define T 1000000 /* the time at which a test begins */

static const struct lane_rules rules = {.concurrency = 4,
                                        .failures = 5,
                                        .probes_ms = {30000, 60000},
                                        .probe_count = 2};

static enum lane_change end(struct lane *lane,
                            enum destination_outcome outcome,
                            const char *message,
                            bool has_answered,
                            int64_t now_ms)
{
    const struct lane_end ended = {.outcome = outcome,
                                   .has_answered = has_answered,
                                   .message = message,
                                   .reason = "why",
                                   .is_probe = lane_is_probing(lane),
                                   .random = 0.5};

    return lane_finish(lane, &rules, &ended, now_ms);
}

static enum lane_change one(struct lane *lane,
                            enum destination_outcome outcome,
                            const char *message,
                            int64_t now_ms)
{
    lane_start(lane, &rules, now_ms);
    return end(lane, outcome, message, true, now_ms);
}

static int
count_starts(struct lane *lane, const struct lane_rules *with, int64_t now_ms)
{
    int count = 0;

    while (lane_may_start(lane, with, now_ms) && count < 100) {
        lane_start(lane, with, now_ms);
        count++;
    }
    return count;
}

static void so_many_start_as_may_be_in_flight(void **state)
{
    struct lane lane = {0};

    (void)state;
    assert_int_equal(count_starts(&lane, &rules, T), 4);
    assert_int_equal(lane_next_ms(&lane, &rules), INT64_MAX);
    (void)end(&lane, DESTINATION_SUCCESS, "a", true, T);
    assert_int_equal(count_starts(&lane, &rules, T), 1);
}

static void a_rate_spreads_starts_and_saves_none_up(void **state)
{
    struct lane_rules paced = rules;
    struct lane lane = {0};

    (void)state;
    paced.spacing_us = 500000;
    paced.concurrency = 64;
    assert_int_equal(count_starts(&lane, &paced, T), 1);
    assert_int_equal(lane_next_ms(&lane, &paced), T + 500);
    assert_int_equal(count_starts(&lane, &paced, T + 499), 0);
    assert_int_equal(count_starts(&lane, &paced, T + 500), 1);
    assert_int_equal(count_starts(&lane, &paced, T + 60000), 1);
    assert_int_equal(count_starts(&lane, &paced, T + 60499), 0);
}

static void a_late_timer_slows_a_fast_rate_down_no_more(void **state)
{
    struct lane_rules paced = rules;
    struct lane lane = {0};

    (void)state;
    paced.spacing_us = 1000;
    paced.concurrency = 64;
    (void)count_starts(&lane, &paced, T);
    assert_int_equal(count_starts(&lane, &paced, T + 8), 8);
}

static void a_wait_holds_everything(void **state)
{
    const struct lane_end throttled = {
        .outcome = DESTINATION_THROTTLED, .message = "a", .wait_ms = 7000};
    struct lane lane = {0};

    (void)state;
    lane_start(&lane, &rules, T);
    assert_int_equal(lane_finish(&lane, &rules, &throttled, T), LANE_SAME);
    assert_int_equal(lane_next_ms(&lane, &rules), T + 7000);
    assert_false(lane_may_start(&lane, &rules, T + 6999));
    assert_true(lane_may_start(&lane, &rules, T + 7000));
    assert_int_equal(lane.throttles, 1);
    (void)one(&lane, DESTINATION_SUCCESS, "a", T + 7000);
    assert_int_equal(lane.throttles, 0);
}

static void failures_of_two_messages_open_the_breaker(void **state)
{
    struct lane lane = {0};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(one(&lane, DESTINATION_RETRY, i == 2 ? "b" : "a", T),
                         LANE_SAME);
    }
    assert_int_equal(one(&lane, DESTINATION_RETRY, "a", T), LANE_HAS_OPENED);
    assert_int_equal(lane.state, LANE_OPEN);
    assert_int_equal(lane_next_ms(&lane, &rules), T + 30000);
    assert_int_equal(count_starts(&lane, &rules, T + 29999), 0);
    assert_int_equal(count_starts(&lane, &rules, T + 30000), 1);
    (void)end(&lane, DESTINATION_RETRY, "a", true, T + 31000);
    assert_int_equal(lane_next_ms(&lane, &rules), T + 31000 + 60000);
}

static void
one_bad_message_alone_opens_nothing_unless_nobody_answers(void **state)
{
    struct lane lane = {0};

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(one(&lane, DESTINATION_RETRY, "a", T), LANE_SAME);
    }
    lane_reset(&lane);
    for (int i = 0; i < 5; i++) {
        lane_start(&lane, &rules, T);
        assert_int_equal(end(&lane, DESTINATION_RETRY, "a", false, T),
                         i == 4 ? LANE_HAS_OPENED : LANE_SAME);
    }
}

static void what_is_throttled_or_refused_for_good_is_no_failure(void **state)
{
    struct lane lane = {0};

    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)one(&lane, DESTINATION_THROTTLED, i % 2 ? "a" : "b", T);
    }
    assert_int_equal(lane.state, LANE_OK);
    for (int i = 0; i < 20; i++) {
        (void)one(&lane, DESTINATION_RETRY, i % 2 ? "a" : "b", T);
        if (i % 4 == 3) {
            (void)one(&lane, DESTINATION_PERMANENT, "c", T);
        }
    }
    assert_int_equal(lane.state, LANE_OK);
}

static void a_closed_breaker_grows_from_one(void **state)
{
    struct lane lane = {.state = LANE_OPEN};
    int most = 0;

    (void)state;
    assert_int_equal(one(&lane, DESTINATION_SUCCESS, "a", T), LANE_HAS_CLOSED);
    assert_int_equal(lane.state, LANE_OK);
    for (int want = 1; want <= 4; want *= 2) {
        most = count_starts(&lane, &rules, T);
        assert_int_equal(most, want);
        for (int i = 1; i < most; i++) {
            lane.in_flight--;
        }
        assert_int_equal(end(&lane, DESTINATION_SUCCESS, "a", true, T),
                         LANE_SAME);
    }
}

static void a_pause_is_probed_each_quarter_of_an_hour(void **state)
{
    struct lane lane = {0};

    (void)state;
    assert_int_equal(one(&lane, DESTINATION_AUTH, "a", T), LANE_HAS_PAUSED);
    assert_string_equal(lane.reason, "why");
    assert_int_equal(lane_next_ms(&lane, &rules), T + LANE_PAUSE_PROBE_MS);
    assert_int_equal(one(&lane, DESTINATION_AUTH, "b", T + LANE_PAUSE_PROBE_MS),
                     LANE_SAME);
    assert_int_equal(lane_next_ms(&lane, &rules), T + 2 * LANE_PAUSE_PROBE_MS);
    assert_int_equal(
        one(&lane, DESTINATION_SUCCESS, "b", T + 2 * LANE_PAUSE_PROBE_MS),
        LANE_HAS_CLOSED);
}

static void a_disabled_one_starts_nothing_and_stays_so(void **state)
{
    struct lane lane = {0};

    (void)state;
    lane_start(&lane, &rules, T);
    assert_int_equal(one(&lane, DESTINATION_DISABLE, "a", T),
                     LANE_HAS_BEEN_DISABLED);
    assert_int_equal(end(&lane, DESTINATION_SUCCESS, "b", true, T), LANE_SAME);
    assert_int_equal(lane.state, LANE_DISABLED);
    assert_int_equal(lane_next_ms(&lane, &rules), INT64_MAX);
    lane_reset(&lane);
    assert_true(lane_may_start(&lane, &rules, T));
}

static void states_have_names(void **state)
{
    (void)state;
    for (int i = LANE_OK; i <= LANE_DISABLED; i++) {
        assert_int_equal(lane_state_read(lane_state_name((enum lane_state)i)),
                         i);
    }
    assert_int_equal(lane_state_read("?"), LANE_OK);
    assert_int_equal(lane_jitter(1000, 0.2, 0), 800);
    assert_int_equal(lane_jitter(1000, 0.2, 1), 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_start_as_may_be_in_flight),
        cmocka_unit_test(a_rate_spreads_starts_and_saves_none_up),
        cmocka_unit_test(a_late_timer_slows_a_fast_rate_down_no_more),
        cmocka_unit_test(a_wait_holds_everything),
        cmocka_unit_test(failures_of_two_messages_open_the_breaker),
        cmocka_unit_test(
            one_bad_message_alone_opens_nothing_unless_nobody_answers),
        cmocka_unit_test(what_is_throttled_or_refused_for_good_is_no_failure),
        cmocka_unit_test(a_closed_breaker_grows_from_one),
        cmocka_unit_test(a_pause_is_probed_each_quarter_of_an_hour),
        cmocka_unit_test(a_disabled_one_starts_nothing_and_stays_so),
        cmocka_unit_test(states_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
