/* test_engine.c - what rings, decided entry by entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sql/log_change.h"
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

/* A rule that decides from NOW_MS on. */
static void
add_rule(struct rule_world *world, const char *id, const char *members)
{
    char json[512];

    (void)snprintf(json, sizeof(json), "{\"id\":\"%s\",%s}", id, members);
    rule_world_put(world, id, json, false);
    rule_world_ready(world, NOW_MS);
}

static void click(struct rule_world *world, const char *link, int64_t at_ms)
{
    rule_world_event(world, ENTRY_CLICK, ALICE, at_ms)->text[ENTRY_TEXT_LINK] =
        link;
}

/* A minute at a time, ticks included. */
static void pass(struct rule_world *world, int64_t from_ms, int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += MINUTE) {
        rule_world_tick(world, at_ms);
    }
}

/* --- event and first_seen
 * --------------------------------------------------------------------- */

static void a_rule_decides_from_the_entry_that_says_it_is_ready(void **state)
{
    struct rule_world *world = *state;

    (void)rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS);
    rule_world_put(world, "hot", "{\"id\":\"hot\",\"kind\":\"event\"}", false);
    (void)rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + 1);
    rule_world_ready(world, NOW_MS + 2);
    (void)rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + 3);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_string_equal(world->alerts[0].event, "e3");
    assert_int_equal(world->alerts[0].fired_at_ms, NOW_MS + 3);
    assert_string_equal(world->alerts[0].state, "firing");
}

static void cooldown_holds_back_by_group_and_comes_back(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "rare",
             "\"kind\":\"event\",\"per\":[\"link\"],\"cooldown\":\"1h\"");
    click(world, "shop", NOW_MS + 1);
    click(world, "shop", NOW_MS + 2);
    click(world, "book", NOW_MS + 3);
    rule_world_restart(world);
    click(world, "shop", NOW_MS + HOUR);
    click(world, "shop", NOW_MS + HOUR + 1); /* an hour after the first */
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "rare", NULL), 3);
    assert_int_equal(rule_world_count(world, "rare", "cooldown"), 2);
    assert_string_equal(world->alerts[4].held_back, "");
    assert_string_equal(world->alerts[1].state, "held");
}

static void the_most_a_day_counts_the_days_of_the_site(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "few", "\"kind\":\"event\",\"max_per_day\":2");
    for (int i = 0; i < 4; i++) {
        click(world, "shop", NOW_MS + i);
    }
    /* Midnight in Paris is 23:00 UTC. */
    click(world, "shop", NOW_MS + 14 * HOUR - 1);
    click(world, "shop", NOW_MS + 14 * HOUR);
    (void)rule_world_event(world, ENTRY_VIEW, BOB, NOW_MS + 14 * HOUR + 1);
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "few", NULL), 4);
    assert_int_equal(rule_world_count(world, "few", "max_per_day"), 3);
    assert_string_equal(world->alerts[5].held_back, "");
}

static void what_was_imported_is_held_back_up_to_a_number(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "all", "\"kind\":\"event\"");
    for (int i = 0; i < 1500; i++) {
        struct entry *entry =
            rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS - i * HOUR);

        entry->is_silent = true;
    }
    click(world, "shop", NOW_MS + 1);
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "all", "import"), 1000);
    assert_int_equal(rule_world_count(world, "all", NULL), 1);
}

static void first_seen_rings_once_a_value_site_and_rule(void **state)
{
    static const char *const pages[] = {"/a", "/a", "/b", NULL, "/a"};
    struct rule_world *world = *state;

    add_rule(world, "new", "\"kind\":\"first_seen\",\"key\":[\"page\"]");
    for (size_t i = 0; i < 5; i++) {
        rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + (int64_t)i)
            ->text[ENTRY_TEXT_PAGE] = pages[i];
    }
    rule_world_restart(world);
    rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + 9)
        ->text[ENTRY_TEXT_PAGE] = "/b";
    rule_world_event(world, ENTRY_VIEW, BOB, NOW_MS + 10)
        ->text[ENTRY_TEXT_PAGE] = "/a";
    rule_world_read(world);
    assert_int_equal(world->alert_count, 3);
    assert_string_equal(world->alerts[0].event, "e1");
    assert_string_equal(world->alerts[0].group, "{\"page\":\"/a\"}");
    assert_string_equal(world->alerts[1].event, "e3");
    assert_string_equal(world->alerts[2].event, "e7");
}

static void first_seen_rings_again_after_the_time_without(void **state)
{
    struct rule_world *world = *state;
    static const int64_t hours[] = {0, 20, 40, 60, 85, 109, 134};

    add_rule(
        world, "new",
        "\"kind\":\"first_seen\",\"key\":\"page\",\"again_after\":\"24h\"");
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
        rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + hours[i] * HOUR)
            ->text[ENTRY_TEXT_PAGE] = "/a";
        rule_world_flush(world);
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 3);
    assert_string_equal(world->alerts[1].event, "e5");
    assert_string_equal(world->alerts[2].event, "e7");
}

static void while_it_learns_first_seen_is_held_back(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "new",
             "\"kind\":\"first_seen\",\"key\":\"page\",\"learn\":\"1d\"");
    for (int i = 0; i < 3; i++) {
        rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + i * 20 * HOUR)
            ->text[ENTRY_TEXT_PAGE] = i == 1   ? "/b"
                                      : i == 0 ? "/a"
                                               : "/c";
    }
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "new", "learning"), 2);
    assert_int_equal(rule_world_count(world, "new", NULL), 1);
}

/* --- thresholds
 * --------------------------------------------------------------------- */

static void a_threshold_rings_once_and_is_over_by_time_alone(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
             "\"above\":2,\"clear\":1");
    assert_false(engine_is_waiting(world->engine));
    for (int i = 0; i < 5; i++) {
        click(world, "shop", NOW_MS + i * SECOND);
    }
    rule_world_flush(world);
    assert_true(engine_is_waiting(world->engine));
    pass(world, NOW_MS + MINUTE, NOW_MS + 10 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 3);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_int_equal(world->alerts[0].resolved_at_ms, NOW_MS + 6 * MINUTE);
    assert_false(engine_is_waiting(world->engine));
    for (int i = 0; i < 3; i++) {
        click(world, "shop", NOW_MS + 11 * MINUTE + i);
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
}

static void an_entry_that_no_rule_looks_at_moves_the_time_alone(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
             "\"above\":2");
    click(world, "shop", NOW_MS);
    rule_world_other(world, NOW_MS + SECOND);
    click(world, "shop", NOW_MS + 2 * SECOND);
    rule_world_other(world, NOW_MS + 5 * MINUTE + 3 * SECOND);
    click(world, "shop", NOW_MS + 4 * MINUTE); /* was received before */
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    click(world, "shop", NOW_MS + 5 * MINUTE + 4 * SECOND);
    click(world, "shop", NOW_MS + 5 * MINUTE + 5 * SECOND);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 3);
}

#define QUIET                                                                  \
    "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"10m\","         \
    "\"below\":3"

static void too_little_rings_by_ticks_once_until_it_is_back(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "quiet", QUIET);
    pass(world, NOW_MS, NOW_MS + 30 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* nobody ever came */
    for (int64_t i = 0; i < 20; i++) {
        click(world, "shop", NOW_MS + HOUR + i * MINUTE);
        rule_world_tick(world, NOW_MS + HOUR + i * MINUTE + 1);
    }
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + HOUR + 20 * MINUTE, NOW_MS + 2 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 2);
    assert_int_equal(world->alerts[0].fired_at_ms, NOW_MS + HOUR + 27 * MINUTE);
    assert_string_equal(world->alerts[0].state, "firing");
    for (int64_t i = 0; i < 3; i++) {
        click(world, "shop", NOW_MS + 3 * HOUR + i);
    }
    pass(world, NOW_MS + 3 * HOUR + MINUTE, NOW_MS + 4 * HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
    assert_int_equal(world->alerts[0].resolved_at_ms, NOW_MS + 3 * HOUR + 2);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_int_equal(world->alerts[1].fired_at_ms,
                     NOW_MS + 3 * HOUR + 10 * MINUTE);
    assert_int_equal((int)world->alerts[1].value, 2);
}

static void a_window_that_is_not_full_does_not_ring(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "quiet", QUIET);
    click(world, "shop", NOW_MS + MINUTE);
    pass(world, NOW_MS + 2 * MINUTE, NOW_MS + 10 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + 11 * MINUTE, NOW_MS + 12 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
}

static void time_in_which_nobody_listened_is_no_silence(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "quiet", QUIET);
    for (int64_t i = 0; i <= 20; i++) {
        click(world, "shop", NOW_MS + i * MINUTE);
        rule_world_tick(world, NOW_MS + i * MINUTE + 1);
    }
    rule_world_start(world, NOW_MS + 20 * MINUTE + 1, NOW_MS + 10 * HOUR);
    rule_world_restart(world);
    pass(world, NOW_MS + 10 * HOUR + MINUTE, NOW_MS + 10 * HOUR + 7 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + 10 * HOUR + 8 * MINUTE,
         NOW_MS + 10 * HOUR + 9 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 2);
}

static void a_new_rule_does_not_ring_for_what_it_finds(void **state)
{
    struct rule_world *world = *state;

    for (int64_t i = 0; i < 30; i++) {
        click(world, "shop", NOW_MS - 30 * MINUTE + i * MINUTE);
    }
    for (int64_t i = 0; i < 2; i++) { /* too few, for long */
        (void)rule_world_event(world, ENTRY_CLICK, BOB,
                               NOW_MS - 15 * MINUTE + i * MINUTE);
    }
    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"20m\","
             "\"above\":5");
    add_rule(world, "quiet", QUIET);
    rule_world_restart(world);
    click(world, "shop", NOW_MS + 1);
    pass(world, NOW_MS + MINUTE, NOW_MS + 5 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + 6 * MINUTE, NOW_MS + HOUR); /* alice goes quiet */
    for (int64_t i = 0; i < 6; i++) {
        click(world, "shop", NOW_MS + HOUR + i); /* and comes back */
    }
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "quiet", NULL), 1);
    assert_int_equal(rule_world_count(world, "flood", NULL), 1);
    assert_string_equal(world->alerts[0].site, "alice.bio");
}

static void a_rule_that_was_off_knows_what_came_meanwhile(void **state)
{
    struct rule_world *world = *state;
    const char *off = "{\"id\":\"flood\",\"kind\":\"threshold\",\"metric\":"
                      "\"clicks\",\"window\":\"20m\",\"above\":5,"
                      "\"enabled\":false}";
    const char *on = "{\"id\":\"flood\",\"kind\":\"threshold\",\"metric\":"
                     "\"clicks\",\"window\":\"20m\",\"above\":5}";

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"20m\","
             "\"above\":5");
    click(world, "shop", NOW_MS);
    rule_world_put(world, "flood", off, false);
    for (int64_t i = 0; i < 4; i++) {
        click(world, "shop", NOW_MS + MINUTE + i);
    }
    rule_world_put(world, "flood", on, false);
    rule_world_ready(world, NOW_MS + 2 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    click(world, "shop", NOW_MS + 3 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 6);
}

static void a_change_keeps_the_state_unless_it_is_of_what_counts(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "rare", "\"kind\":\"event\",\"cooldown\":\"1h\"");
    click(world, "shop", NOW_MS + 1);
    rule_world_put(world, "rare",
                   "{\"id\":\"rare\",\"kind\":\"event\",\"cooldown\":\"2h\"}",
                   false);
    click(world, "shop", NOW_MS + HOUR + 2);
    rule_world_put(world, "rare",
                   "{\"id\":\"rare\",\"kind\":\"event\",\"cooldown\":\"2h\","
                   "\"match\":{\"type\":\"click\"}}",
                   true);
    rule_world_ready(world, NOW_MS + HOUR + 3);
    click(world, "shop", NOW_MS + HOUR + 4);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 3);
    assert_string_equal(world->alerts[1].held_back, "cooldown");
    assert_string_equal(world->alerts[2].held_back, "");
}

static void a_clock_set_back_is_followed_and_nothing_rings_for_it(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
             "\"above\":3");
    click(world, "shop", NOW_MS + 10 * HOUR);
    click(world, "shop", NOW_MS + 10 * HOUR);
    rule_world_set_back(world, NOW_MS + 10 * HOUR, NOW_MS + HOUR);
    click(world, "shop", NOW_MS + HOUR + MINUTE);
    rule_world_restart(world);
    click(world, "shop", NOW_MS + HOUR + 5 * MINUTE - 1);
    rule_world_read(world);
    assert_int_equal(world->alert_count,
                     1); /* the first two count at the set */
    assert_int_equal((int)world->alerts[0].value, 4);
    rule_world_tick(world, NOW_MS + HOUR + 5 * MINUTE);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
}

static void an_import_past_the_limit_is_held_and_silences_the_rest(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"1h\","
             "\"above\":3");
    for (int i = 0; i < 5; i++) {
        click(world, "shop", NOW_MS - i * MINUTE);
        world->batch[world->batch_count - 1].entry.is_silent = true;
    }
    click(world, "shop", NOW_MS + 1);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_string_equal(world->alerts[0].held_back, "import");
}

static enum lb_err run_erase(void *ctx, struct db *db, struct lb_error *err)
{
    return log_change_erase(db, *(const int64_t *)ctx, err);
}

static void what_was_erased_is_in_no_window(void **state)
{
    struct rule_world *world = *state;
    struct erase_hooks hooks = {0};
    struct entry gone;
    int64_t seq;

    add_rule(world, "flood",
             "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"1h\","
             "\"above\":2");
    click(world, "shop", NOW_MS + 1);
    gone = world->batch[0].entry;
    click(world, "shop", NOW_MS + 2);
    rule_world_flush(world);
    seq = world->batch[0].entry.seq;
    assert_int_equal(ingest_world_run(&world->ingest, run_erase, &seq), LB_OK);
    engine_hook(world->engine, &hooks);
    hooks.unsee(hooks.rules, &gone);
    click(world, "shop", NOW_MS + 3);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    rule_world_restart(world); /* which finds the same in the log */
    click(world, "shop", NOW_MS + 4);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal((int)world->alerts[0].value, 3);
}

static void a_rule_keeps_the_groups_that_had_events_last(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "busy",
             "\"kind\":\"threshold\",\"metric\":\"views\",\"window\":\"1d\","
             "\"above\":1,\"per\":[\"visitor\"]");
    for (int i = 0; i < GROUPS_PER_SITE + 1; i++) {
        (void)rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + i);
    }
    rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + MINUTE)->visitor = 1;
    rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + MINUTE)->visitor = 3;
    rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + MINUTE)->visitor =
        GROUPS_PER_SITE + 1;
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
    assert_string_equal(world->alerts[0].group, "{\"visitor\":\"20781.3\"}");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_rule_decides_from_the_entry_that_says_it_is_ready),
        TEST(cooldown_holds_back_by_group_and_comes_back),
        TEST(the_most_a_day_counts_the_days_of_the_site),
        TEST(what_was_imported_is_held_back_up_to_a_number),
        TEST(first_seen_rings_once_a_value_site_and_rule),
        TEST(first_seen_rings_again_after_the_time_without),
        TEST(while_it_learns_first_seen_is_held_back),
        TEST(a_threshold_rings_once_and_is_over_by_time_alone),
        TEST(an_entry_that_no_rule_looks_at_moves_the_time_alone),
        TEST(too_little_rings_by_ticks_once_until_it_is_back),
        TEST(a_window_that_is_not_full_does_not_ring),
        TEST(time_in_which_nobody_listened_is_no_silence),
        TEST(a_new_rule_does_not_ring_for_what_it_finds),
        TEST(a_rule_that_was_off_knows_what_came_meanwhile),
        TEST(a_change_keeps_the_state_unless_it_is_of_what_counts),
        TEST(a_clock_set_back_is_followed_and_nothing_rings_for_it),
        TEST(an_import_past_the_limit_is_held_and_silences_the_rest),
        TEST(what_was_erased_is_in_no_window),
        TEST(a_rule_keeps_the_groups_that_had_events_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
