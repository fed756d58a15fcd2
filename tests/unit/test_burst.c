/* test_burst.c - more events than a person sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/burst.h"
#include "ingest/traffic.h"

#define T0 INT64_C(1700000000000)
#define S 1000
#define MIN (60 * S)
#define EVENTS 4000

static int set_up(void **state)
{
    *state = burst_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    burst_free(*state);
    return 0;
}

static struct entry event_of(int64_t visitor, int64_t ms)
{
    return (struct entry){.kind = ENTRY_EVENT,
                          .site = 1,
                          .visitor = visitor,
                          .visitor_day = 19000,
                          .received_at_ms = T0 + ms};
}

static bool
take(struct burst *burst, int64_t visitor, int64_t ms, int64_t limit)
{
    struct entry entry = event_of(visitor, ms);
    bool is_burst = false;

    assert_int_equal(burst_take(burst, &entry, limit, &is_burst), LB_OK);
    return is_burst;
}

static bool take_one(struct burst *burst, int64_t visitor, int64_t ms)
{
    bool is_burst = take(burst, visitor, ms, 3);

    burst_commit(burst);
    return is_burst;
}

static void more_than_the_limit_within_a_minute_is_a_burst(void **state)
{
    assert_false(take_one(*state, 1, 0));
    assert_false(take_one(*state, 1, 20 * S));
    assert_false(take_one(*state, 1, 40 * S));
    assert_true(take_one(*state, 1, 60 * S - 1));
    assert_false(take_one(*state, 2, 60 * S - 1)); /* another visitor */
}

static void the_window_moves_with_each_event(void **state)
{
    /* Every 20 s: three in any 60 s. */
    for (int64_t i = 0; i < 50; i++) {
        assert_false(take_one(*state, 1, i * 20 * S));
    }
    assert_true(take_one(*state, 1, 49 * 20 * S + 1));
}

static void a_burst_holds_until_ten_quiet_minutes(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_false(take_one(*state, 1, 0));
    }
    assert_true(take_one(*state, 1, 0));
    assert_true(take_one(*state, 1, 10 * MIN - 1));
    assert_true(take_one(*state, 1, 20 * MIN - 2));
    assert_false(take_one(*state, 1, 30 * MIN - 2));
    assert_false(take_one(*state, 1, 30 * MIN - 2));
    assert_false(take_one(*state, 1, 30 * MIN - 2));
    assert_true(take_one(*state, 1, 30 * MIN - 2));
}

static void zero_is_off(void **state)
{
    for (int i = 0; i < 200; i++) {
        assert_false(take(*state, 1, 0, 0));
    }
    burst_commit(*state);
    assert_int_equal(burst_count(*state), 0);
}

static void another_period_or_site_is_another_visitor(void **state)
{
    struct entry entry = event_of(1, 0);
    bool is_burst = false;

    for (int i = 0; i < 8; i++) {
        entry.visitor_day = 19000 + i;
        assert_int_equal(burst_take(*state, &entry, 3, &is_burst), LB_OK);
        assert_false(is_burst);
        entry.site = 2 + i;
        assert_int_equal(burst_take(*state, &entry, 3, &is_burst), LB_OK);
        assert_false(is_burst);
    }
}

static void what_is_rolled_back_never_was(void **state)
{
    (void)take_one(*state, 1, 0);
    (void)take_one(*state, 1, 1);
    (void)take_one(*state, 1, 2);
    for (int i = 0; i < 20; i++) {
        (void)take(*state, 1, 3 + i, 3);
        (void)take(*state, 2, 3 + i, 3);
    }
    burst_rollback(*state);
    assert_int_equal(burst_count(*state), 1);
    /* Three are known still: the fourth is one too many, after 60 s it is not.
     */
    assert_false(take(*state, 1, 60 * S, 3));
    burst_rollback(*state);
    assert_true(take_one(*state, 1, 60 * S - 1));
    assert_false(take_one(*state, 2, 60 * S - 1));
    (void)take(*state, 1, 20 * MIN, 3); /* ends the burst */
    burst_rollback(*state);
    assert_true(take_one(*state, 1, 5 * MIN));
}

static void who_is_quiet_takes_no_memory(void **state)
{
    for (int64_t i = 0; i < 1000; i++) {
        (void)take(*state, 10 + i, 0, 3);
    }
    for (int i = 0; i < 4; i++) {
        (void)take(*state, 1, 0, 3);
    }
    burst_commit(*state);
    assert_int_equal(burst_count(*state), 1001);
    (void)take_one(*state, 2, 60 * S);
    assert_int_equal(burst_count(*state), 2); /* 1 is held still */
    (void)take_one(*state, 2, 10 * MIN);
    assert_int_equal(burst_count(*state), 1);
}

static void the_visitor_quiet_longest_makes_room(void **state)
{
    for (int i = 0; i < 4; i++) {
        (void)take(*state, 1, 0, 3);
    }
    for (int64_t i = 0; i < BURST_VISITORS; i++) {
        (void)take(*state, 10 + i, 10, 3);
        if (i % 10000 == 0) {
            burst_commit(*state);
        }
    }
    (void)take(*state, 10, 11, 3);
    burst_commit(*state);
    assert_int_equal(burst_count(*state), BURST_VISITORS);
    assert_false(take_one(*state, 1, 20)); /* the held one was the oldest */
    assert_false(take_one(*state, 10, 20));
    assert_true(take(*state, 10, 20, 3));
}

static void who_is_forgotten_begins_anew(void **state)
{
    for (int i = 0; i < 4; i++) {
        (void)take(*state, 1, 0, 3);
        (void)take(*state, 2, 0, 3);
    }
    burst_commit(*state);
    burst_forget(*state, 1, 19000, 1);
    assert_false(take_one(*state, 1, 1));
    assert_true(take(*state, 2, 1, 3)); /* within a transaction */
    (void)take(*state, 3, 1, 3);
    burst_forget(*state, 1, 0, 0);
    assert_false(take(*state, 2, 2, 3));
    burst_commit(*state);
    assert_false(take_one(*state, 2, 3));
    burst_forget(*state, 2, 0, 0);
    assert_true(take_one(*state, 2, 4) || take_one(*state, 2, 4));
}

static void imports_may_go_back_in_time(void **state)
{
    /* A file from its end, an event an hour; and the clock set back. */
    for (int64_t i = 100; i > 0; i--) {
        assert_false(take_one(*state, 1, i * 60 * MIN));
    }
    for (int64_t i = 100; i > 0; i--) {
        assert_false(take_one(*state, 2, i * 20 * S));
    }
}

/* The plain way: all receive times of a visitor, looked at anew each time. */
static bool is_burst_plainly(const int64_t *times,
                             size_t count,
                             int64_t now_ms,
                             int64_t limit,
                             bool was_held)
{
    int64_t last_ms = count == 0 ? INT64_MIN / 4 : times[count - 1];
    int64_t recent = 1;

    if (was_held && now_ms - last_ms < BURST_QUIET_MS) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        recent += now_ms - times[i] < BURST_WINDOW_MS ? 1 : 0;
    }
    return recent > limit;
}

static void the_plain_way_decides_the_same(void **state)
{
    static int64_t times[3][EVENTS];
    size_t counts[3] = {0};
    bool is_held[3] = {false};
    int64_t now_ms = 0;
    uint32_t seed = 7;

    for (int i = 0; i < EVENTS; i++) {
        size_t who;
        bool is_burst;

        seed = seed * 1103515245 + 12345;
        who = seed >> 16 & 1 ? 0 : 1 + (seed >> 17 & 1);
        now_ms += (seed >> 20 & 7) == 0 ? (int64_t)(seed >> 23) * 1500
                                        : (int64_t)(seed >> 23) * 10;
        is_burst = take(*state, (int64_t)who + 1, now_ms, 20);
        if ((seed >> 18 & 3) == 0) {
            burst_rollback(*state);
            is_burst = take(*state, (int64_t)who + 1, now_ms, 20);
        }
        burst_commit(*state);
        is_held[who] =
            is_burst_plainly(times[who], counts[who], now_ms, 20, is_held[who]);
        times[who][counts[who]++] = now_ms;
        assert_int_equal(is_burst, is_held[who]);
    }
}

static void the_log_gives_the_same_memory_back(void **state)
{
    struct burst *again = burst_new();
    static struct entry log[EVENTS];
    uint32_t seed = 3;
    int64_t now_ms = 0;
    assert_non_null(again);

    for (int i = 0; i < EVENTS; i++) {
        bool is_burst = false;

        seed = seed * 1103515245 + 12345;
        now_ms += (seed >> 24) * 4;
        log[i] = event_of(1 + (seed >> 16 & 3), now_ms);
        assert_int_equal(burst_take(*state, &log[i], 40, &is_burst), LB_OK);
        log[i].text[ENTRY_TEXT_REASON] = is_burst ? TRAFFIC_REASON_BURST : NULL;
        burst_commit(*state);
    }
    /* From the middle on: bursts that began before are known by their reason.
     */
    for (int i = EVENTS / 2; i < EVENTS; i++) {
        assert_int_equal(burst_remember(again, &log[i], 40), LB_OK);
    }
    burst_commit(again);
    for (int i = 0; i < EVENTS; i++) {
        int64_t visitor = 1 + i % 4;

        now_ms += i % 100 == 0 ? 601 * S : 200;
        assert_int_equal(take(*state, visitor, now_ms, 40),
                         take(again, visitor, now_ms, 40));
        burst_commit(*state);
        burst_commit(again);
    }
    burst_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            more_than_the_limit_within_a_minute_is_a_burst, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_window_moves_with_each_event,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_holds_until_ten_quiet_minutes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(zero_is_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            another_period_or_site_is_another_visitor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_rolled_back_never_was, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_is_quiet_takes_no_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_visitor_quiet_longest_makes_room,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_forgotten_begins_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(imports_may_go_back_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_plain_way_decides_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_log_gives_the_same_memory_back,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
