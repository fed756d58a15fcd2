/* test_engine_told.c - how long it must hold, what is told when it is over, in
 * which words, and what is gathered into one message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS /* 09:00 UTC, 10:00 in Paris, a Tuesday */
#define SECOND LB_MS_PER_S
#define MINUTE LB_MS_PER_MIN
#define HOUR LB_MS_PER_HOUR
#define ALICE RULE_WORLD_ALICE
#define BODY_BYTES ((size_t)1024 * 1024)

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

static void
put_rule(struct rule_world *world, const char *id, const char *members)
{
    char json[512];

    (void)snprintf(json, sizeof(json),
                   "{\"id\":\"%s\",\"notify\":[\"hook\"],%s}", id, members);
    rule_world_put(world, id, json, false);
}

/* A rule that decides from NOW_MS on. */
static void
add_rule(struct rule_world *world, const char *id, const char *members)
{
    put_rule(world, id, members);
    rule_world_ready(world, NOW_MS);
}

static void click(struct rule_world *world, int count, int64_t at_ms)
{
    for (int i = 0; i < count; i++) {
        (void)rule_world_event(world, ENTRY_CLICK, ALICE, at_ms + i);
    }
}

static void pass(struct rule_world *world, int64_t from_ms, int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += MINUTE) {
        rule_world_tick(world, at_ms);
    }
}

static int64_t messages(struct rule_world *world, const char *type)
{
    char sql[128];
    char count[32];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM messages WHERE type = '%s'", type);
    rule_world_ask(world, sql, count, sizeof(count));
    return strtoll(count, NULL, 10);
}

/* The data of the last message of a type; the caller deletes it with *whole. */
static const cJSON *
last_data(struct rule_world *world, const char *type, cJSON **whole_out)
{
    char *body = malloc(BODY_BYTES);
    char sql[128];

    assert_non_null(body);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT body FROM messages WHERE type = '%s' "
                   "ORDER BY created DESC LIMIT 1",
                   type);
    rule_world_ask(world, sql, body, BODY_BYTES);
    *whole_out = cJSON_Parse(body);
    assert_non_null(*whole_out);
    assert_string_equal(lb_json_text(*whole_out, "type"), type);
    free(body);
    return cJSON_GetObjectItemCaseSensitive(*whole_out, "data");
}

#define FLOOD                                                                  \
    "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","          \
    "\"above\":2"

/* --- for
 * ------------------------------------------------------------------------ */

static void what_holds_long_enough_rings_by_a_tick(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood", FLOOD ",\"for\":\"3m\"");
    click(world, 3, NOW_MS);
    rule_world_flush(world);
    assert_true(engine_is_waiting(world->engine));
    rule_world_restart(world);
    pass(world, NOW_MS + MINUTE, NOW_MS + 3 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0); /* two milliseconds are missing */
    rule_world_tick(world, NOW_MS + 4 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
    assert_int_equal(world->alerts[0].fired_at_ms, NOW_MS + 4 * MINUTE);
    rule_world_tick(world, NOW_MS + 6 * MINUTE);
    rule_world_read(world);
    assert_string_equal(world->alerts[0].state, "resolved");
    assert_false(engine_is_waiting(world->engine));
}

static void what_is_over_before_it_held_long_enough_is_silent(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood", FLOOD ",\"for\":\"6m\"");
    for (int64_t i = 0; i < 10; i++) { /* past the limit for 5 of 10 minutes */
        click(world, 3, NOW_MS + i * 10 * MINUTE);
        if (i % 2 == 0) {
            pass(world, NOW_MS + i * 10 * MINUTE + MINUTE,
                 NOW_MS + i * 10 * MINUTE + 9 * MINUTE);
        } else {
            rule_world_restart(world); /* and no tick sees it go */
        }
    }
    pass(world, NOW_MS + 91 * MINUTE, NOW_MS + 99 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    assert_false(engine_is_waiting(world->engine));
}

static void downtime_does_not_hold(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "quiet",
             "\"kind\":\"absent\",\"metric\":\"clicks\",\"window\":\"2m\","
             "\"for\":\"3m\"");
    click(world, 1, NOW_MS);
    pass(world, NOW_MS + MINUTE, NOW_MS + 3 * MINUTE); /* silent since 2 */
    rule_world_start(world, NOW_MS + 3 * MINUTE, NOW_MS + 5 * HOUR);
    pass(world, NOW_MS + 5 * HOUR + MINUTE, NOW_MS + 5 * HOUR + MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 0);
    pass(world, NOW_MS + 5 * HOUR + 2 * MINUTE, NOW_MS + 5 * HOUR + 3 * MINUTE);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 1);
}

/* --- resolve
 * ------------------------------------------------------------------------ */

static void what_is_over_is_told_once_where_it_was_told(void **state)
{
    struct rule_world *world = *state;
    const cJSON *data;
    cJSON *whole;
    char id[64];

    add_rule(world, "flood", FLOOD ",\"resolve\":true");
    put_rule(world, "mute", FLOOD); /* which does not tell */
    rule_world_ready(world, NOW_MS);
    click(world, 4, NOW_MS + 1);
    pass(world, NOW_MS + MINUTE, NOW_MS + 4 * MINUTE);
    assert_int_equal(messages(world, "alert.fired"), 2);
    assert_int_equal(messages(world, "alert.resolved"), 0);
    rule_world_restart(world);
    pass(world, NOW_MS + 5 * MINUTE, NOW_MS + 9 * MINUTE);
    assert_int_equal(messages(world, "alert.resolved"), 1);
    rule_world_read(world);
    rule_world_ask(world,
                   "SELECT id FROM messages WHERE type = 'alert.resolved'", id,
                   sizeof(id));
    assert_int_equal(strncmp(id, world->alerts[0].id, 19), 0);
    assert_string_equal(id + 19, "_resolved");
    data = last_data(world, "alert.resolved", &whole);
    assert_string_equal(lb_json_text(data, "alert"), world->alerts[0].id);
    assert_string_equal(lb_json_text(data, "summary"),
                        "3 clicks on alice.bio in 5 minutes, more than 2");
    assert_int_equal(lb_json_int(data, "value"), 0); /* 3 when it rang */
    assert_int_equal(lb_json_int(data, "lasted_s"), 359);
    assert_non_null(lb_json_text(data, "resolved"));
    cJSON_Delete(whole);
}

static void what_was_held_back_is_not_told_to_be_over(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "flood", FLOOD ",\"resolve\":true,\"cooldown\":\"2h\"");
    for (int64_t i = 0; i < 3; i++) {
        click(world, 3, NOW_MS + i * 20 * MINUTE + 1);
        pass(world, NOW_MS + i * 20 * MINUTE + MINUTE,
             NOW_MS + i * 20 * MINUTE + 9 * MINUTE);
    }
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "flood", "cooldown"), 2);
    assert_int_equal(messages(world, "alert.fired"), 1);
    assert_int_equal(messages(world, "alert.resolved"), 1);
}

static void who_never_heard_of_it_is_not_told_that_it_is_over(void **state)
{
    struct rule_world *world = *state;
    char outbox[128];

    add_rule(world, "flood", FLOOD ",\"resolve\":true");
    click(world, 3, NOW_MS + 1);
    rule_world_flush(world);
    rule_world_sql(world, "UPDATE outbox SET state = 'dead'");
    pass(world, NOW_MS + MINUTE, NOW_MS + 9 * MINUTE);
    rule_world_ask(world,
                   "SELECT state || ' ' || reason FROM outbox WHERE message "
                   "LIKE '%\\_resolved' ESCAPE '\\'",
                   outbox, sizeof(outbox));
    assert_string_equal(outbox, "skipped fired_never_delivered");
    /* And the other way round: it dies when its end waits already. */
    click(world, 3, NOW_MS + HOUR);
    pass(world, NOW_MS + HOUR + MINUTE, NOW_MS + HOUR + 9 * MINUTE);
    rule_world_sql(world, "UPDATE outbox SET state = 'dead' WHERE state = "
                          "'waiting' AND message NOT LIKE '%resolved'");
    rule_world_ask(world,
                   "SELECT count(*) FROM outbox WHERE state = 'skipped' AND "
                   "reason = 'fired_never_delivered'",
                   outbox, sizeof(outbox));
    assert_string_equal(outbox, "2");
}

/* --- template
 * ------------------------------------------------------------------------ */

static void a_rule_may_have_words_of_its_own(void **state)
{
    struct rule_world *world = *state;
    const cJSON *data;
    cJSON *whole;

    add_rule(world, "flood",
             FLOOD ",\"per\":[\"link\"],\"template\":\"{{value}} {{metric}} "
                   "({{group.link}}) \\\"{{summary}}\\\"\"");
    for (int i = 0; i < 3; i++) {
        rule_world_event(world, ENTRY_CLICK, ALICE, NOW_MS + i)
            ->text[ENTRY_TEXT_LINK] = "<b>";
    }
    rule_world_flush(world);
    data = last_data(world, "alert.fired", &whole);
    assert_string_equal(
        lb_json_text(data, "summary"),
        "3 clicks (<b>) \"3 clicks on <b> (alice.bio) in 5 minutes, more than "
        "2\"");
    assert_true(
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(data, "templated")));
    cJSON_Delete(whole);
}

/* --- quiet and digest
 * ------------------------------------------------------------------------ */

static void a_digest_gathers_for_its_time(void **state)
{
    struct rule_world *world = *state;
    const cJSON *data;
    const cJSON *alerts;
    cJSON *whole;
    char id[64];

    add_rule(world, "each",
             "\"kind\":\"event\",\"digest\":\"15m\","
             "\"match\":{\"type\":\"click\"}");
    pass(world, NOW_MS, NOW_MS + 30 * MINUTE);
    assert_false(engine_is_waiting(world->engine));
    assert_int_equal(messages(world, "alert.digest"), 0); /* of nothing */
    click(world, 2, NOW_MS + HOUR);
    rule_world_restart(world);
    pass(world, NOW_MS + HOUR + MINUTE, NOW_MS + HOUR + 14 * MINUTE);
    click(world, 1, NOW_MS + HOUR + 14 * MINUTE + SECOND);
    assert_int_equal(messages(world, "alert.digest"), 0);
    assert_true(engine_is_waiting(world->engine));
    rule_world_tick(world, NOW_MS + HOUR + 15 * MINUTE);
    assert_int_equal(messages(world, "alert.digest"), 1);
    assert_int_equal(messages(world, "alert.fired"), 0);
    assert_false(engine_is_waiting(world->engine));
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "each", NULL), 3);
    data = last_data(world, "alert.digest", &whole);
    alerts = cJSON_GetObjectItemCaseSensitive(data, "alerts");
    assert_int_equal(lb_json_int(data, "count"), 3);
    assert_int_equal(cJSON_GetArraySize(alerts), 3);
    assert_string_equal(lb_json_text(alerts->child, "alert"),
                        world->alerts[0].id);
    assert_string_equal(lb_json_text(data, "from"), "2026-11-24T10:00:00.000Z");
    assert_string_equal(lb_json_text(data, "to"), "2026-11-24T10:15:00.000Z");
    assert_int_equal(strncmp(lb_json_text(data, "digest"), "dg_", 3), 0);
    rule_world_ask(world, "SELECT id FROM messages", id, sizeof(id));
    assert_string_equal(id, lb_json_text(data, "digest"));
    assert_int_equal(strncmp(lb_json_text(data, "summary"),
                             "3 alerts of each on alice.bio\n", 30),
                     0);
    cJSON_Delete(whole);
    click(world, 1, NOW_MS + 2 * HOUR); /* another one */
    pass(world, NOW_MS + 2 * HOUR + MINUTE, NOW_MS + 2 * HOUR + 20 * MINUTE);
    assert_int_equal(messages(world, "alert.digest"), 2);
}

static void a_digest_shows_a_hundred_and_counts_all(void **state)
{
    struct rule_world *world = *state;
    const cJSON *data;
    cJSON *whole;

    add_rule(world, "each", "\"kind\":\"event\",\"digest\":\"1m\"");
    click(world, 250, NOW_MS);
    pass(world, NOW_MS + MINUTE, NOW_MS + 2 * MINUTE);
    data = last_data(world, "alert.digest", &whole);
    assert_int_equal(lb_json_int(data, "count"), 250);
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(data, "alerts")),
        100);
    assert_non_null(strstr(lb_json_text(data, "summary"), "and 240 more"));
    cJSON_Delete(whole);
}

static void at_night_alerts_wait_for_the_morning(void **state)
{
    struct rule_world *world = *state;
    const int64_t night_ms = NOW_MS + 12 * HOUR; /* 22:00 in Paris */
    const cJSON *data;
    cJSON *whole;

    add_rule(world, "each",
             "\"kind\":\"event\",\"quiet\":{\"hours\":\"22:00-07:00\"},"
             "\"max_per_day\":3");
    click(world, 1, night_ms - 1);
    click(world, 2, night_ms);
    rule_world_restart(world);
    for (int64_t i = 1; i < 9; i++) {
        rule_world_tick(world, night_ms + i * HOUR);
    }
    click(world, 1, night_ms + 8 * HOUR); /* another day's first */
    rule_world_tick(world, night_ms + 9 * HOUR - 1);
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "each", NULL), 1);
    assert_int_equal(rule_world_count(world, "each", "quiet"), 3);
    assert_string_equal(world->alerts[1].state, "held");
    assert_int_equal(messages(world, "alert.digest"), 0);
    assert_true(engine_is_waiting(world->engine));
    rule_world_tick(world, night_ms + 9 * HOUR);
    assert_int_equal(messages(world, "alert.digest"), 1);
    assert_int_equal(messages(world, "alert.fired"), 1);
    data = last_data(world, "alert.digest", &whole);
    assert_int_equal(lb_json_int(data, "count"), 3);
    cJSON_Delete(whole);
    click(world, 1, night_ms + 10 * HOUR); /* and by day at once */
    rule_world_flush(world);
    assert_int_equal(messages(world, "alert.fired"), 2);
    assert_int_equal(messages(world, "alert.digest"), 1);
}

static void
what_began_by_day_and_ends_at_night_is_told_in_the_morning(void **state)
{
    struct rule_world *world = *state;
    const int64_t night_ms = NOW_MS + 12 * HOUR;
    const cJSON *data;
    cJSON *whole;

    add_rule(world, "flood",
             FLOOD ",\"resolve\":true,\"quiet\":{\"hours\":\"22:00-07:00\"}");
    click(world, 3, night_ms - MINUTE);
    pass(world, night_ms, night_ms + 10 * MINUTE);
    assert_int_equal(messages(world, "alert.fired"), 1);
    assert_int_equal(messages(world, "alert.resolved"), 0);
    rule_world_tick(world, night_ms + 9 * HOUR);
    assert_int_equal(messages(world, "alert.resolved"), 0);
    data = last_data(world, "alert.digest", &whole);
    assert_int_equal(lb_json_int(data, "count"), 1);
    assert_non_null(lb_json_text(
        cJSON_GetObjectItemCaseSensitive(data, "alerts")->child, "resolved"));
    cJSON_Delete(whole);
}

static void what_is_held_back_is_in_no_digest(void **state)
{
    struct rule_world *world = *state;

    add_rule(world, "each",
             "\"kind\":\"event\",\"digest\":\"5m\",\"cooldown\":\"1h\"");
    for (int i = 0; i < 3; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS - i * HOUR)
            ->is_silent = true;
    }
    pass(world, NOW_MS + MINUTE, NOW_MS + 9 * MINUTE);
    assert_int_equal(messages(world, "alert.digest"), 0);
    click(world, 4, NOW_MS + 10 * MINUTE);
    pass(world, NOW_MS + 11 * MINUTE, NOW_MS + 20 * MINUTE);
    rule_world_read(world);
    assert_int_equal(rule_world_count(world, "each", "cooldown"), 3);
    assert_int_equal(messages(world, "alert.digest"), 1);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(what_holds_long_enough_rings_by_a_tick),
        TEST(what_is_over_before_it_held_long_enough_is_silent),
        TEST(downtime_does_not_hold),
        TEST(what_is_over_is_told_once_where_it_was_told),
        TEST(what_was_held_back_is_not_told_to_be_over),
        TEST(who_never_heard_of_it_is_not_told_that_it_is_over),
        TEST(a_rule_may_have_words_of_its_own),
        TEST(a_digest_gathers_for_its_time),
        TEST(a_digest_shows_a_hundred_and_counts_all),
        TEST(at_night_alerts_wait_for_the_morning),
        TEST(what_began_by_day_and_ends_at_night_is_told_in_the_morning),
        TEST(what_is_held_back_is_in_no_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
