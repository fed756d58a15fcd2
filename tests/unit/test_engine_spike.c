/* test_engine_spike.c - spikes and drops, decided entry by entry; each with
 * what must not ring. */
#include <math.h>
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
#define MINUTE LB_MS_PER_MIN
#define HOUR LB_MS_PER_HOUR
#define DAY LB_MS_PER_DAY
#define ALICE RULE_WORLD_ALICE

#define LEAD_SPIKE "\"kind\":\"spike\",\"metric\":\"leads\",\"window\":\"15m\""
#define VIEW_SPIKE "\"kind\":\"spike\",\"metric\":\"views\",\"window\":\"1h\""
#define VIEW_DROP "\"kind\":\"drop\",\"metric\":\"views\",\"window\":\"1h\""

static uint64_t dice = 1;

static int open_world(void **state)
{
    *state = malloc(sizeof(struct rule_world));
    assert_non_null(*state);
    rule_world_open(*state);
    dice = 88172645463325252;
    return 0;
}

static int close_world(void **state)
{
    rule_world_close(*state);
    free(*state);
    return 0;
}

/* 0 to 1, 1 excluded. */
static double roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (double)(dice >> 11) / 9007199254740992.0;
}

/* Poisson's law, by D. Knuth. */
static int draw(double mean)
{
    double limit = exp(-mean);
    double product = roll();
    int count = 0;

    while (product > limit) {
        product *= roll();
        count++;
    }
    return count;
}

static void
many(struct rule_world *world, enum entry_type type, int count, int64_t at_ms)
{
    for (int i = 0; i < count; i++) {
        (void)rule_world_event(world, type, ALICE, at_ms + i);
    }
}

/* So many an hour, growing by that factor until the end; quarter by quarter,
 * with a tick after each. */
static void usual(struct rule_world *world,
                  enum entry_type type,
                  double per_hour,
                  double growth,
                  int64_t from_ms,
                  int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms += HOUR / 4) {
        double past = (double)(at_ms - from_ms) / (double)(to_ms - from_ms);

        many(world, type, draw(per_hour / 4 * pow(growth, past)),
             at_ms + MINUTE);
        rule_world_tick(world, at_ms + 14 * MINUTE);
    }
}

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

static void ask_data(struct rule_world *world, char *out, size_t out_bytes)
{
    rule_world_ask(world, "SELECT data FROM alerts ORDER BY fired LIMIT 1", out,
                   out_bytes);
}

static void many_leads_ring_at_once_and_once(void **state)
{
    struct rule_world *world = *state;
    char data[4096];

    usual(world, ENTRY_LEAD, 2, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "lead-spike", LEAD_SPIKE, NOW_MS);
    for (int i = 0; i < 30; i++) {
        struct entry *entry = rule_world_event(
            world, ENTRY_LEAD, ALICE, NOW_MS + 5 * MINUTE + (int64_t)i * 1000);

        entry->text[ENTRY_TEXT_LINK] = i % 4 == 3 ? "blog" : "book-call";
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_in_range((int)world->alerts[0].value, 5, 14);
    assert_int_equal(world->alerts[0].window_from_ms, NOW_MS);
    assert_int_equal(world->alerts[0].window_to_ms, NOW_MS + 15 * MINUTE);
    assert_int_equal(world->alerts[0].fired_at_ms,
                     NOW_MS + 5 * MINUTE +
                         ((int64_t)world->alerts[0].value - 1) * 1000);
    ask_data(world, data, sizeof(data));
    assert_non_null(strstr(data, "\"expected\":0."));
    assert_non_null(strstr(data, "\"probability\":"));
    assert_non_null(strstr(data, " in 15 minutes, where about 0."));
    assert_non_null(
        strstr(data, "\"contributors\":[{\"dimension\":\"link\",\"value\":"
                     "\"book-call\",\"count\":4},"));
    rule_world_tick(world, NOW_MS + 15 * MINUTE);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "firing");
    rule_world_tick(world, NOW_MS + 30 * MINUTE);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
}

static void fewer_than_min_do_not_ring(void **state)
{
    struct rule_world *world = *state;

    usual(world, ENTRY_LEAD, 0.02, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "a", LEAD_SPIKE, NOW_MS);
    many(world, ENTRY_LEAD, 4, NOW_MS + MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    many(world, ENTRY_LEAD, 2, NOW_MS + 2 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 5);
}

static void what_is_usual_does_not_ring_in_a_month(void **state)
{
    struct rule_world *world = *state;

    usual(world, ENTRY_LEAD, 4, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "a", LEAD_SPIKE, NOW_MS);
    add_rule(world, "b", VIEW_DROP, NOW_MS);
    usual(world, ENTRY_LEAD, 4, 1, NOW_MS, NOW_MS + 28 * DAY);
    rule_world_read(world);
    assert_in_range(world->alert_count, 0, 1);
}

static void slow_growth_does_not_ring(void **state)
{
    struct rule_world *world = *state;

    usual(world, ENTRY_VIEW, 20, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "a", VIEW_SPIKE, NOW_MS);
    usual(world, ENTRY_VIEW, 20, 2, NOW_MS, NOW_MS + 42 * DAY);
    rule_world_read(world);
    assert_in_range(world->alert_count, 0, 1);
    usual(world, ENTRY_VIEW, 240, 1, NOW_MS + 42 * DAY,
          NOW_MS + 42 * DAY + HOUR);
    rule_world_read(world);
    assert_int_equal(world->alerts[world->alert_count - 1].window_from_ms,
                     NOW_MS + 42 * DAY);
}

/* A newsletter at ten local time on each Tuesday. */
static void tuesdays(struct rule_world *world, int64_t from_ms, int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms += HOUR) {
        bool is_mail = (at_ms / DAY + 3) % 7 == 1 && at_ms % DAY == 9 * HOUR;

        many(world, ENTRY_VIEW, draw(is_mail ? 120 : 10), at_ms + MINUTE);
        rule_world_tick(world, at_ms + 59 * MINUTE);
    }
}

static void a_newsletter_each_tuesday_is_learnt(void **state)
{
    struct rule_world *world = *state;

    tuesdays(world, NOW_MS - 84 * DAY, NOW_MS);
    add_rule(world, "a", VIEW_SPIKE, NOW_MS);
    tuesdays(world, NOW_MS, NOW_MS + 28 * DAY);
    rule_world_read(world);
    assert_in_range(world->alert_count, 0, 1);
    many(world, ENTRY_VIEW, 120, NOW_MS + 30 * DAY); /* on a Thursday */
    rule_world_read(world);
    assert_int_equal(world->alerts[world->alert_count - 1].window_from_ms,
                     NOW_MS + 30 * DAY);
}

static void an_import_and_late_events_are_silent(void **state)
{
    struct rule_world *world = *state;

    usual(world, ENTRY_LEAD, 2, 1, NOW_MS - 28 * DAY, NOW_MS);
    add_rule(world, "a", LEAD_SPIKE, NOW_MS);
    for (int i = 0; i < 2000; i++) {
        struct entry *entry =
            rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + MINUTE);

        entry->ts_at_ms = NOW_MS - i % 365 * DAY - HOUR;
        entry->is_silent = true;
    }
    for (int i = 0; i < 100; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + 2 * MINUTE)
            ->ts_at_ms = NOW_MS - HOUR;
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
}

static void views_that_stay_away_ring_at_the_end_and_are_over(void **state)
{
    struct rule_world *world = *state;
    int64_t end_ms = NOW_MS + 8 * HOUR;

    usual(world, ENTRY_VIEW, 60, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "a", VIEW_DROP, NOW_MS);
    usual(world, ENTRY_VIEW, 60, 1, NOW_MS, NOW_MS + 5 * HOUR);
    for (int64_t at_ms = NOW_MS + 5 * HOUR; at_ms < end_ms; at_ms += MINUTE) {
        rule_world_tick(world, at_ms);
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 0);
    assert_int_equal(world->alerts[0].window_from_ms, NOW_MS + 5 * HOUR);
    assert_int_equal(world->alerts[0].fired_at_ms, NOW_MS + 6 * HOUR);
    assert_string_equal(world->alerts[0].state, "firing");
    rule_world_restart(world);
    usual(world, ENTRY_VIEW, 60, 1, end_ms, end_ms + 2 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_string_equal(world->alerts[0].state, "resolved");
}

static void downtime_is_no_drop(void **state)
{
    struct rule_world *world = *state;
    int64_t from_ms = NOW_MS + 5 * HOUR + 3 * MINUTE;
    int64_t to_ms = NOW_MS + 7 * HOUR + 57 * MINUTE;

    usual(world, ENTRY_VIEW, 60, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, "a", VIEW_DROP, NOW_MS);
    usual(world, ENTRY_VIEW, 60, 1, NOW_MS, NOW_MS + 5 * HOUR);
    rule_world_restart(world);
    rule_world_start(world, from_ms, to_ms);
    usual(world, ENTRY_VIEW, 60, 1, NOW_MS + 8 * HOUR, NOW_MS + 12 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
}

static void check_night(struct rule_world *world, int64_t change_ms)
{
    int64_t from_ms = change_ms - 42 * DAY;

    add_rule(world, "a", VIEW_SPIKE, from_ms);
    add_rule(world, "b", VIEW_DROP, from_ms);
    usual(world, ENTRY_VIEW, 12, 1, from_ms, change_ms + DAY);
    rule_world_read(world);
    for (size_t i = 0; i < world->alert_count; i++) {
        assert_false(world->alerts[i].window_from_ms > change_ms - 6 * HOUR);
    }
    many(world, ENTRY_VIEW, 80, change_ms + DAY + HOUR);
    rule_world_read(world);
    assert_int_equal(world->alerts[world->alert_count - 1].window_from_ms,
                     change_ms + DAY + HOUR);
}

/* In Paris, 01:00 UTC. */
static void the_night_with_an_hour_less_does_not_ring(void **state)
{
    check_night(*state, INT64_C(1774746000000)); /* 2026-03-29 */
}

static void the_night_with_an_hour_twice_does_not_ring(void **state)
{
    check_night(*state, INT64_C(1792890000000)); /* 2026-10-25 */
}

static double limit_after(struct rule_world *world, bool is_late)
{
    usual(world, ENTRY_LEAD, 2, 1, NOW_MS - 28 * DAY, NOW_MS);
    add_rule(world, "a", LEAD_SPIKE, NOW_MS);
    for (int i = 0; i < 2400 && is_late; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + MINUTE)->ts_at_ms =
            NOW_MS - HOUR - i * (HOUR / 4);
    }
    many(world, ENTRY_LEAD, 40, NOW_MS + 2 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    return world->alerts[0].value;
}

static void late_events_move_what_is_usual(void **state)
{
    struct rule_world *other = malloc(sizeof(*other));
    double before = limit_after(*state, false);

    assert_non_null(other);
    rule_world_open(other);
    dice = 88172645463325252;
    assert_true(limit_after(other, true) > before);
    rule_world_close(other);
    free(other);
}

/* What is decided does not depend on restarts and undone transactions. */
static void play(struct rule_world *world, uint32_t restart, uint32_t undo)
{
    dice = 4711;
    rule_world_open(world);
    world->restart_every = restart;
    world->undo_every = undo;
    world->dice = 99;
    add_rule(world, "a", LEAD_SPIKE ",\"false_alarms\":\"100/month\"",
             NOW_MS - 20 * DAY);
    add_rule(world, "b",
             "\"kind\":\"drop\",\"metric\":\"leads\",\"window\":\"1h\","
             "\"false_alarms\":\"100/month\"",
             NOW_MS - 20 * DAY);
    usual(world, ENTRY_LEAD, 20, 1, NOW_MS - 20 * DAY, NOW_MS - DAY);
    for (int64_t at_ms = NOW_MS - DAY; at_ms < NOW_MS; at_ms += 3 * HOUR) {
        many(world, ENTRY_LEAD, (int)(at_ms / HOUR % 40), at_ms);
        rule_world_event(world, ENTRY_LEAD, ALICE, at_ms + 50)->ts_at_ms -=
            30 * HOUR;
        usual(world, ENTRY_LEAD, 20, 1, at_ms, at_ms + HOUR);
        rule_world_tick(world, at_ms + 2 * HOUR + MINUTE);
    }
    rule_world_read(world);
}

static void accidents_change_nothing(void **state)
{
    struct rule_world *world = malloc(sizeof(*world));
    struct rule_world *other = malloc(sizeof(*other));

    (void)state;
    assert_non_null(world);
    assert_non_null(other);
    play(world, 0, 0);
    play(other, 3, 4);
    assert_true(world->alert_count > 2);
    assert_int_equal(world->alert_count, other->alert_count);
    for (size_t i = 0; i < world->alert_count; i++) {
        assert_memory_equal(&world->alerts[i], &other->alerts[i],
                            sizeof(world->alerts[i]));
    }
    rule_world_close(world);
    rule_world_close(other);
    free(world);
    free(other);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(many_leads_ring_at_once_and_once),
        TEST(fewer_than_min_do_not_ring),
        TEST(what_is_usual_does_not_ring_in_a_month),
        TEST(slow_growth_does_not_ring),
        TEST(a_newsletter_each_tuesday_is_learnt),
        TEST(an_import_and_late_events_are_silent),
        TEST(late_events_move_what_is_usual),
        TEST(views_that_stay_away_ring_at_the_end_and_are_over),
        TEST(downtime_is_no_drop),
        TEST(the_night_with_an_hour_less_does_not_ring),
        TEST(the_night_with_an_hour_twice_does_not_ring),
        cmocka_unit_test(accidents_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
