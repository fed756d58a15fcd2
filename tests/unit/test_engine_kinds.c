/* test_engine_kinds.c - milestones, bursts, and silence, decided entry by
 * entry; each with what must not ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/rule.h"
#include "base/clock.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS /* 09:00 UTC, 10:00 in Paris */
#define SECOND LB_MS_PER_S
#define MINUTE LB_MS_PER_MIN
#define HOUR LB_MS_PER_HOUR
#define ALICE RULE_WORLD_ALICE
#define BOB RULE_WORLD_BOB

static int open_world(void **state)
{
    *state = malloc(sizeof(struct rule_world));
    assert_non_null(*state);
    rule_world_open(*state);
    return 0;
}

static int close_world(void **state)
{
    rule_world_close(*state);
    free(*state);
    return 0;
}

/* A rule that decides from at_ms on. */
static void add_rule(struct rule_world *world,
                     const char *id,
                     const char *members,
                     int64_t at_ms)
{
    char json[512];

    (void)snprintf(json, sizeof(json), "{\"id\":\"%s\",%s}", id, members);
    rule_world_put(world, id, json, false);
    rule_world_ready(world, at_ms);
}

static void
leads(struct rule_world *world, int64_t site, int count, int64_t at_ms)
{
    for (int i = 0; i < count; i++) {
        (void)rule_world_event(world, ENTRY_LEAD, site, at_ms + i);
    }
}

static void pass(struct rule_world *world, int64_t from_ms, int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += MINUTE) {
        rule_world_tick(world, at_ms);
    }
}

static void check_id(const struct rule_world_alert *alert, const char *occasion)
{
    char id[RULE_ALERT_ID_BYTES];

    rule_alert_id(alert->rule, alert->site, alert->group, occasion, id);
    assert_string_equal(alert->id, id);
}

static void check_window_id(const struct rule_world_alert *alert)
{
    char occasion[64];

    (void)snprintf(occasion, sizeof(occasion), "%lld-%lld",
                   (long long)alert->window_from_ms,
                   (long long)alert->window_to_ms);
    check_id(alert, occasion);
}

/* --- milestone
 * --------------------------------------------------------------------- */

#define EVERY_100 "\"kind\":\"milestone\",\"metric\":\"leads\",\"every\":100"

static void a_milestone_rings_at_each_multiple_across_starts(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "hundred", EVERY_100, NOW_MS);
    leads(world, ALICE, 99, NOW_MS + 1);
    rule_world_restart(world);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* 99 are none */
    leads(world, ALICE, 1, NOW_MS + HOUR);
    rule_world_restart(world);
    leads(world, ALICE, 99, NOW_MS + 2 * HOUR);
    leads(world, BOB, 99, NOW_MS + 2 * HOUR); /* each site by itself */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 100);
    check_id(&world->alerts[0], "100");
    leads(world, ALICE, 101, NOW_MS + 3 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 3);
    check_id(&world->alerts[1], "200");
    check_id(&world->alerts[2], "300");
    assert_string_equal(world->alerts[2].state, "firing");
}

static void
a_new_milestone_counts_the_past_and_does_not_ring_for_it(void **state)
{
    struct rule_world *world = *state;

    leads(world, ALICE, 250, NOW_MS - 300 * HOUR);
    add_rule(world, "hundred", EVERY_100, NOW_MS);
    leads(world, ALICE, 49, NOW_MS + 1);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    leads(world, ALICE, 1, NOW_MS + HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    check_id(&world->alerts[0], "300");
}

static void a_milestone_that_was_off_counts_what_came_meanwhile(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "hundred", EVERY_100, NOW_MS);
    leads(world, ALICE, 60, NOW_MS + 1);
    rule_world_put(world, "hundred",
                   "{\"id\":\"hundred\"," EVERY_100 ",\"enabled\":false}",
                   false);
    leads(world, ALICE, 60, NOW_MS + HOUR);
    rule_world_put(world, "hundred", "{\"id\":\"hundred\"," EVERY_100 "}",
                   false);
    rule_world_ready(world, NOW_MS + 2 * HOUR);
    leads(world, ALICE, 79, NOW_MS + 3 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    leads(world, ALICE, 1, NOW_MS + 4 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    check_id(&world->alerts[0], "200");
}

static void a_sum_rings_once_for_all_that_one_event_passes(void **state)
{
    static const int64_t amounts[] = {9999, 1, 25000, 4999};
    struct rule_world *world = *state;

    add_rule(world, "money",
             "\"kind\":\"milestone\",\"metric\":\"value\",\"every\":100,"
             "\"per\":[\"country\"]",
             NOW_MS);
    for (size_t i = 0; i < 4; i++) {
        struct entry *entry = rule_world_event(world, ENTRY_CONVERSION, ALICE,
                                               NOW_MS + (int64_t)i + 1);

        entry->has_amount = true;
        entry->amount_hundredths = amounts[i];
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
    check_id(&world->alerts[0], "100");
    check_id(&world->alerts[1], "300");
    assert_string_equal(world->alerts[1].group, "{\"country\":null}");
}

static void what_is_imported_counts_and_is_held_back(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "hundred", EVERY_100, NOW_MS);
    for (int i = 0; i < 150; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS - i * HOUR)
            ->is_silent = true;
    }
    leads(world, ALICE, 50, NOW_MS + 1);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
    assert_string_equal(world->alerts[0].held_back, "import");
    assert_string_equal(world->alerts[1].held_back, "");
    check_id(&world->alerts[1], "200");
}

/* --- burst
 * --------------------------------------------------------------------- */

static void
click(struct rule_world *world, int64_t visitor, int count, int64_t at_ms)
{
    for (int i = 0; i < count; i++) {
        rule_world_event(world, ENTRY_CLICK, ALICE, at_ms + i * SECOND)
            ->visitor = visitor;
    }
}

static void a_burst_is_of_one_visitor_within_the_window(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "fraud",
             "\"kind\":\"burst\",\"metric\":\"clicks\",\"per\":[\"visitor\"],"
             "\"window\":\"1m\",\"above\":30",
             NOW_MS);
    click(world, 1, 30, NOW_MS + 1); /* as many as may be */
    click(world, 2, 16, NOW_MS + 1); /* more, but not in a minute */
    click(world, 2, 16, NOW_MS + 1 + MINUTE);
    for (int64_t visitor = 10; visitor < 60; visitor++) {
        click(world, visitor, 1, NOW_MS + 2 * MINUTE); /* many visitors */
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    click(world, 3, 40, NOW_MS + 3 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 31);
    assert_string_equal(world->alerts[0].group, "{\"visitor\":\"20781.3\"}");
    check_window_id(&world->alerts[0]);
    pass(world, NOW_MS + 4 * MINUTE, NOW_MS + 5 * MINUTE);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
}

/* --- silence
 * --------------------------------------------------------------------- */

#define ABSENT "\"kind\":\"absent\",\"metric\":\"views\",\"window\":\"10m\""

static void view(struct rule_world *world, int64_t at_ms)
{
    (void)rule_world_event(world, ENTRY_VIEW, ALICE, at_ms);
}

static void silence_rings_at_the_tick_and_is_over_with_an_event(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "gone", ABSENT, NOW_MS);
    pass(world, NOW_MS, NOW_MS + HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* nobody ever came */
    assert_false(engine_is_waiting(world->engine));
    view(world, NOW_MS + HOUR + SECOND);
    rule_world_flush(world);
    assert_true(engine_is_waiting(world->engine));
    click(world, 1, 3, NOW_MS + HOUR + 5 * MINUTE); /* clicks are no views */
    pass(world, NOW_MS + HOUR + MINUTE, NOW_MS + HOUR + 10 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* a second is missing */
    rule_world_restart(world);
    pass(world, NOW_MS + HOUR + 11 * MINUTE, NOW_MS + 2 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal(world->alerts[0].fired_at_ms, NOW_MS + HOUR + 11 * MINUTE);
    assert_int_equal(world->alerts[0].window_from_ms, NOW_MS + HOUR + SECOND);
    assert_int_equal(world->alerts[0].window_to_ms,
                     NOW_MS + HOUR + 11 * MINUTE);
    assert_string_equal(world->alerts[0].state, "firing");
    check_window_id(&world->alerts[0]);
    rule_world_restart(world);
    view(world, NOW_MS + 3 * HOUR);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_int_equal(world->alerts[0].resolved_at_ms, NOW_MS + 3 * HOUR);
    pass(world, NOW_MS + 3 * HOUR + MINUTE, NOW_MS + 4 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
}

static void an_event_within_the_window_puts_silence_off(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "gone", ABSENT, NOW_MS);
    for (int64_t i = 0; i < 30; i++) {
        view(world, NOW_MS + i * 9 * MINUTE + 1);
        pass(world, NOW_MS + i * 9 * MINUTE + MINUTE,
             NOW_MS + i * 9 * MINUTE + 8 * MINUTE);
        if (i % 7 == 3) {
            rule_world_restart(world);
        }
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
}

static void a_late_event_is_no_sign_and_rings_for_nothing(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "gone", ABSENT, NOW_MS);
    view(world, NOW_MS + 1);
    pass(world, NOW_MS + MINUTE, NOW_MS + 9 * MINUTE);
    view(world, NOW_MS + 11 * MINUTE);
    world->batch[world->batch_count - 1].entry.ts_at_ms = NOW_MS - HOUR;
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* a tick decides */
    rule_world_tick(world, NOW_MS + 12 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    view(world, NOW_MS + 13 * MINUTE);
    world->batch[world->batch_count - 1].entry.ts_at_ms = NOW_MS - HOUR;
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "firing");
}

static void downtime_is_no_silence(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "gone", ABSENT, NOW_MS);
    view(world, NOW_MS + MINUTE);
    rule_world_start(world, NOW_MS + 2 * MINUTE, NOW_MS + 10 * HOUR);
    rule_world_restart(world);
    pass(world, NOW_MS + 10 * HOUR + MINUTE, NOW_MS + 10 * HOUR + 8 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + 10 * HOUR + 9 * MINUTE,
         NOW_MS + 10 * HOUR + 10 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal(world->alerts[0].fired_at_ms,
                     NOW_MS + 10 * HOUR + 9 * MINUTE);
}

static void a_new_rule_does_not_ring_for_silence_that_it_finds(void **state)
{
    struct rule_world *world = *state;

    view(world, NOW_MS - 11 * MINUTE);
    (void)rule_world_event(world, ENTRY_VIEW, BOB, NOW_MS - 5 * MINUTE);
    add_rule(world, "gone", ABSENT, NOW_MS);
    pass(world, NOW_MS + MINUTE, NOW_MS + HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1); /* bob went silent since */
    assert_string_equal(world->alerts[0].site, "bob.bio");
    view(world, NOW_MS + HOUR + 1);
    pass(world, NOW_MS + HOUR + MINUTE, NOW_MS + 2 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
}

/* A sender's cap was reached, or events were lost: that nobody came is not
 * said.
 */
static void silence_of_figures_that_are_short_is_held_back(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "gone", ABSENT, NOW_MS);
    add_rule(world, "few",
             "\"kind\":\"threshold\",\"metric\":\"views\",\"window\":\"20m\","
             "\"below\":3",
             NOW_MS);
    view(world, NOW_MS + 1);
    (void)rule_world_event(world, ENTRY_VIEW, BOB, NOW_MS + 1);
    /* Long before, and after: neither touches what is silent. */
    rule_world_coverage(world, BOB, NOW_MS - 50 * MINUTE, NOW_MS - 20 * MINUTE,
                        NOW_MS + 2);
    rule_world_coverage(world, ALICE, NOW_MS + 6 * MINUTE, NOW_MS + 7 * MINUTE,
                        NOW_MS + 7 * MINUTE);
    rule_world_restart(world);
    pass(world, NOW_MS + 8 * MINUTE, NOW_MS + 30 * MINUTE);
    rule_world_coverage(world, BOB, NOW_MS, NOW_MS + 10 * MINUTE,
                        NOW_MS + 31 * MINUTE); /* too late */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(
            world->alerts[i].held_back,
            strcmp(world->alerts[i].site, "alice.bio") == 0 ? "coverage" : "");
    }
}

/* --- pulls
 * --------------------------------------------------------------------- */

#define NOT_PULLED                                                             \
    "\"kind\":\"not_pulled\",\"export\":\"stats\",\"after\":\"26h\""
#define STATS "{\"export\":\"stats\"}"

/* Hours of ticks, one each five minutes. */
static void hours(struct rule_world *world, int64_t from, int64_t to)
{
    for (int64_t at_ms = from * HOUR + 1; at_ms <= to * HOUR;
         at_ms += 5 * MINUTE) {
        rule_world_tick(world, NOW_MS + at_ms);
    }
}

static void a_pull_that_does_not_come_rings_by_site(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "nightly", NOT_PULLED, NOW_MS);
    hours(world, 0, 30);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* there never was one */
    for (int64_t night = 0; night < 4; night++) {
        rule_world_pull(world, STATS, NOW_MS + (30 + 24 * night) * HOUR);
        hours(world, 30 + 24 * night, 54 + 24 * night);
        if (night == 1) {
            rule_world_restart(world);
        }
    }
    rule_world_pull(world, "{\"export\":\"events\"}", NOW_MS + 126 * HOUR);
    rule_world_pull(world, "{\"export\":\"stats\",\"sites\":[\"bob.bio\"]}",
                    NOW_MS + 126 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    hours(world, 126, 140);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_string_equal(world->alerts[0].site, "alice.bio");
    assert_string_equal(world->alerts[0].group, "{}");
    assert_int_equal(world->alerts[0].window_from_ms, NOW_MS + 102 * HOUR);
    assert_true(world->alerts[0].window_to_ms >= NOW_MS + 128 * HOUR);
    assert_true(world->alerts[0].window_to_ms <
                NOW_MS + 128 * HOUR + 6 * MINUTE);
    check_window_id(&world->alerts[0]);
    rule_world_restart(world);
    rule_world_pull(world, STATS, NOW_MS + 141 * HOUR);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_int_equal(world->alerts[0].resolved_at_ms, NOW_MS + 141 * HOUR);
}

static void a_new_rule_knows_the_pulls_of_the_log(void **state)
{
    struct rule_world *world = *state;

    rule_world_pull(world, STATS, NOW_MS - 20 * HOUR);
    add_rule(world, "nightly", NOT_PULLED ",\"sites\":[\"alice.*\"]", NOW_MS);
    rule_world_restart(world);
    hours(world, 0, 6);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    hours(world, 6, 8);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal(world->alerts[0].window_from_ms, NOW_MS - 20 * HOUR);
}

/* --- ctr
 * --------------------------------------------------------------------- */

#define WEAK "\"kind\":\"ctr\",\"window\":\"1d\",\"min_views\":100"
#define MIDNIGHT (NOW_MS + 14 * HOUR) /* the next one in Paris */

/* Views at a second each, and of each hundred so many clicks. */
static void
traffic(struct rule_world *world, int64_t at_ms, int views, int share)
{
    for (int i = 0; i < views; i++) {
        (void)rule_world_event(world, ENTRY_VIEW, ALICE, at_ms + i * SECOND);
        if (i % 100 * share % 100 < share) {
            click(world, 1, 1, at_ms + i * SECOND);
        }
    }
}

static void a_share_that_fell_rings_once_a_window(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "weak", WEAK, NOW_MS);
    for (int64_t day = 0; day < 3; day++) {
        traffic(world, NOW_MS + day * 24 * HOUR, 300, 20);
    }
    rule_world_restart(world);
    traffic(world, NOW_MS + 3 * 24 * HOUR, 300, 17); /* less, but not by 30 % */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    traffic(world, NOW_MS + 4 * 24 * HOUR, 300, 5);
    rule_world_restart(world);
    traffic(world, NOW_MS + 4 * 24 * HOUR + HOUR, 300, 5);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_string_equal(world->alerts[0].state, "firing");
    assert_int_equal(world->alerts[0].window_from_ms, MIDNIGHT + 3 * 24 * HOUR);
    assert_int_equal(world->alerts[0].window_to_ms, MIDNIGHT + 4 * 24 * HOUR);
    assert_true(world->alerts[0].value < 0.1);
    check_window_id(&world->alerts[0]);
    assert_true(engine_is_waiting(world->engine));
    rule_world_tick(world, MIDNIGHT + 4 * 24 * HOUR - 1);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "firing");
    rule_world_tick(world, MIDNIGHT + 4 * 24 * HOUR);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_false(engine_is_waiting(world->engine));
    traffic(world, NOW_MS + 5 * 24 * HOUR, 300, 5); /* another day */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
}

static void two_of_three_say_nothing(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "weak", "\"kind\":\"ctr\",\"window\":\"1d\"", NOW_MS);
    traffic(world, NOW_MS, 3, 100);
    traffic(world, NOW_MS + 24 * HOUR, 3, 33);
    traffic(world, NOW_MS + 48 * HOUR, 400, 50);
    traffic(world, NOW_MS + 72 * HOUR, 99, 0);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
}

static void a_new_rule_knows_what_was_usual(void **state)
{
    struct rule_world *world = *state;

    traffic(world, NOW_MS - 40 * 24 * HOUR, 4000, 1); /* too long ago */
    traffic(world, NOW_MS - 5 * 24 * HOUR, 500, 40);
    traffic(world, NOW_MS - HOUR, 150, 10); /* today, before the rule */
    add_rule(world, "weak", WEAK, NOW_MS);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    rule_world_restart(world);
    traffic(world, NOW_MS + HOUR, 1, 0);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_true(world->alerts[0].value > 0.09);
    assert_true(world->alerts[0].value < 0.11);
}

static void late_events_move_what_was_usual_not_the_window(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "weak", WEAK, NOW_MS);
    traffic(world, NOW_MS, 300, 20);
    for (int i = 0; i < 1000; i++) { /* yesterday, and none clicked */
        rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + 24 * HOUR)
            ->ts_at_ms = NOW_MS;
    }
    rule_world_restart(world);
    traffic(world, NOW_MS + 25 * HOUR, 300, 5); /* so 5 % is no less */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
}

static void views_of_a_link_s_share_are_all_views(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "shop", WEAK ",\"match\":{\"link\":\"shop\"}", NOW_MS);
    for (int64_t day = 0; day < 2; day++) {
        for (int i = 0; i < 400; i++) {
            int64_t at_ms = NOW_MS + day * 24 * HOUR + i * SECOND;

            (void)rule_world_event(world, ENTRY_VIEW, ALICE, at_ms);
            rule_world_event(world, ENTRY_CLICK, ALICE, at_ms)
                ->text[ENTRY_TEXT_LINK] =
                day == 0 && i % 4 == 0 ? "shop" : "book";
        }
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_milestone_rings_at_each_multiple_across_starts),
        TEST(a_new_milestone_counts_the_past_and_does_not_ring_for_it),
        TEST(a_milestone_that_was_off_counts_what_came_meanwhile),
        TEST(a_sum_rings_once_for_all_that_one_event_passes),
        TEST(what_is_imported_counts_and_is_held_back),
        TEST(a_burst_is_of_one_visitor_within_the_window),
        TEST(silence_rings_at_the_tick_and_is_over_with_an_event),
        TEST(an_event_within_the_window_puts_silence_off),
        TEST(a_late_event_is_no_sign_and_rings_for_nothing),
        TEST(downtime_is_no_silence),
        TEST(a_new_rule_does_not_ring_for_silence_that_it_finds),
        TEST(silence_of_figures_that_are_short_is_held_back),
        TEST(a_pull_that_does_not_come_rings_by_site),
        TEST(a_new_rule_knows_the_pulls_of_the_log),
        TEST(a_share_that_fell_rings_once_a_window),
        TEST(two_of_three_say_nothing),
        TEST(a_new_rule_knows_what_was_usual),
        TEST(late_events_move_what_was_usual_not_the_window),
        TEST(views_of_a_link_s_share_are_all_views),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
