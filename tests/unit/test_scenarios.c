/* test_scenarios.c - what happens to a page, each time with a twin that looks
 * like it and in which it is the other way round: one of the two rings, once,
 * and the other must not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS /* 09:00 UTC, 10:00 in Paris */
#define MINUTE LB_MS_PER_MIN
#define HOUR LB_MS_PER_HOUR
#define DAY LB_MS_PER_DAY
#define ALICE RULE_WORLD_ALICE
#define DST_NIGHT_MS                                                           \
    INT64_C(1774746000000) /* 2026-03-29, 01:00 UTC: 02:00 becomes 03:00 */

#define VIEW_SPIKE                                                             \
    "\"kind\":\"spike\",\"metric\":\"views\",\"window\":\"1h\","               \
    "\"false_alarms\":\"1/year\""
#define VIEW_DROP "\"kind\":\"drop\",\"metric\":\"views\",\"window\":\"1h\""
#define LEADS_LIMIT                                                            \
    "\"kind\":\"threshold\",\"metric\":\"leads\",\"window\":\"15m\","          \
    "\"above\":10"

static uint64_t dice;

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

/* Views, so many an hour, times a factor that is reached evenly until the end;
 * quarter by quarter, with a tick after each. */
static void views(struct rule_world *world,
                  double per_hour,
                  double factor,
                  int64_t from_ms,
                  int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms += HOUR / 4) {
        double past = (double)(at_ms - from_ms) / (double)(to_ms - from_ms);

        many(world, ENTRY_VIEW, draw(per_hour / 4 * pow(factor, past)),
             at_ms + MINUTE);
        rule_world_tick(world, at_ms + 14 * MINUTE);
    }
}

static void ticks(struct rule_world *world, int64_t from_ms, int64_t to_ms)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += MINUTE) {
        rule_world_tick(world, at_ms);
    }
}

static void
add_rule_at(struct rule_world *world, const char *members, int64_t at_ms)
{
    char json[512];

    (void)snprintf(json, sizeof(json), "{\"id\":\"r\",%s}", members);
    rule_world_put(world, "r", json, false);
    rule_world_ready(world, at_ms);
}

static void add_rule(struct rule_world *world, const char *members)
{
    add_rule_at(world, members, NOW_MS);
}

/* A page that goes viral, from 20 views an hour to 240; in the twin it grows as
 * much within six weeks. */
static void viral(struct rule_world *world, bool is_twin)
{
    int64_t end_ms = NOW_MS + 42 * DAY;

    views(world, 20, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, VIEW_SPIKE);
    views(world, 20, is_twin ? 12 : 1, NOW_MS, end_ms);
    views(world, 240, 1, end_ms, end_ms + HOUR);
}

/* Visitors lose interest within an hour; in the twin within six weeks. */
static void fading(struct rule_world *world, bool is_twin)
{
    int64_t end_ms = NOW_MS + 42 * DAY;

    views(world, 60, 1, NOW_MS - 42 * DAY, NOW_MS);
    add_rule(world, VIEW_DROP);
    views(world, 60, is_twin ? 0.2 : 1, NOW_MS, end_ms);
    views(world, 12, 1, end_ms, end_ms + 2 * HOUR);
}

/* A newsletter on one Tuesday; in the twin it is the one of each Tuesday. */
static void newsletter(struct rule_world *world, bool is_twin)
{
    for (int64_t at_ms = NOW_MS - 84 * DAY; at_ms < NOW_MS + 28 * DAY;
         at_ms += HOUR) {
        bool is_tuesday = (at_ms / DAY + 3) % 7 == 1 && at_ms % DAY == 9 * HOUR;
        bool is_mail = is_tuesday && (is_twin || at_ms >= NOW_MS + 21 * DAY);

        if (at_ms == NOW_MS) {
            add_rule(world, VIEW_SPIKE);
        }
        many(world, ENTRY_VIEW, draw(is_mail ? 120 : 10), at_ms + MINUTE);
        rule_world_tick(world, at_ms + 59 * MINUTE);
    }
}

/* Nobody comes in the night in which the clock is put on; in the twin people do
 * as in all nights. */
static void night(struct rule_world *world, bool is_twin)
{
    int64_t from_ms = DST_NIGHT_MS - 42 * DAY;

    add_rule_at(world, VIEW_DROP, from_ms);
    views(world, 40, 1, from_ms, DST_NIGHT_MS);
    if (is_twin) {
        views(world, 40, 1, DST_NIGHT_MS, DST_NIGHT_MS + 3 * HOUR);
    } else {
        ticks(world, DST_NIGHT_MS, DST_NIGHT_MS + 3 * HOUR);
    }
    views(world, 40, 1, DST_NIGHT_MS + 3 * HOUR, DST_NIGHT_MS + 6 * HOUR);
}

/* A campaign's first visitor, while a crawler follows its links; in the twin
 * the crawler alone. */
static void campaign(struct rule_world *world, bool is_twin)
{
    add_rule(world, "\"kind\":\"first_seen\",\"key\":[\"utm_campaign\"]");
    for (int i = 0; i < 50; i++) {
        struct entry *entry =
            rule_world_event(world, ENTRY_VIEW, ALICE, NOW_MS + i);

        entry->text[ENTRY_TEXT_UTM_CAMPAIGN] = "spring";
        entry->traffic = i == 20 && !is_twin ? ENTRY_HUMAN : ENTRY_BOT;
    }
}

/* A thousand leads in a minute; in the twin they are a year's, imported. */
static void year(struct rule_world *world, bool is_twin)
{
    add_rule(world, LEADS_LIMIT);
    for (int i = 0; i < 1000; i++) {
        struct entry *entry =
            rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + i * 60);

        entry->is_silent = is_twin;
        entry->ts_at_ms -= is_twin ? i % 365 * DAY : 0;
    }
}

/* Nobody comes for an hour; in the twin the sender's cap was reached
 * meanwhile. */
static void cap(struct rule_world *world, bool is_twin)
{
    add_rule(world,
             "\"kind\":\"absent\",\"metric\":\"views\",\"window\":\"30m\"");
    many(world, ENTRY_VIEW, 5, NOW_MS + 1);
    if (is_twin) {
        rule_world_coverage(world, ALICE, NOW_MS + 5 * MINUTE,
                            NOW_MS + 60 * MINUTE, NOW_MS + 6 * MINUTE);
    }
    ticks(world, NOW_MS + MINUTE, NOW_MS + 60 * MINUTE);
}

/* Twenty leads in a minute, from clients whose clocks are up to five minutes
 * off; in the twin they are an hour's. */
static void skew(struct rule_world *world, bool is_twin)
{
    add_rule(world, LEADS_LIMIT);
    for (int i = 0; i < 20; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE,
                         NOW_MS + i * (is_twin ? 3 * MINUTE : 3000))
            ->ts_at_ms += (int64_t)((roll() - 0.5) * 10 * MINUTE);
    }
    ticks(world, NOW_MS + HOUR, NOW_MS + HOUR + 2 * MINUTE);
}

/* Thirty leads; in the twin they come two hours late. */
static void late(struct rule_world *world, bool is_twin)
{
    add_rule(world, LEADS_LIMIT);
    for (int i = 0; i < 30; i++) {
        rule_world_event(world, ENTRY_LEAD, ALICE, NOW_MS + i * 1000)
            ->ts_at_ms -= is_twin ? 2 * HOUR : 0;
    }
}

/* Clicks in the last minute rise past ten, fall to seven and rise again, eight
 * times; in the twin they never pass it. */
static void flapping(struct rule_world *world, bool is_twin)
{
    add_rule(world, "\"kind\":\"threshold\",\"metric\":\"clicks\","
                    "\"window\":\"1m\",\"above\":10,\"clear\":5,"
                    "\"cooldown\":\"0s\"");
    for (int64_t i = 0; i < 16; i++) {
        many(world, ENTRY_CLICK,
             i % 2 == 1 ? 7
             : is_twin  ? 10
                        : 13,
             NOW_MS + i * MINUTE + 2000);
        rule_world_tick(world, NOW_MS + (i + 1) * MINUTE);
    }
}

static size_t rang(void (*play)(struct rule_world *world, bool is_twin),
                   bool is_twin)
{
    struct rule_world *world = malloc(sizeof(*world));
    size_t count;

    assert_non_null(world);
    dice = 88172645463325252;
    rule_world_open(world);
    play(world, is_twin);
    rule_world_read(world);
    count = rule_world_count(world, "r", NULL);
    rule_world_close(world);
    free(world);
    return count;
}

static void one_rings_once_and_its_twin_does_not(void **state)
{
    static const struct {
        const char *name;
        void (*play)(struct rule_world *world, bool is_twin);
    } scenarios[] = {
        {"viral, or slow growth", viral},
        {"fading, or slowly", fading},
        {"a newsletter, or each Tuesday's", newsletter},
        {"a silent night, or that of the change of the clock", night},
        {"a campaign's first visit, or crawlers'", campaign},
        {"a flood of leads, or an import of a year", year},
        {"silence, or a cap that was reached", cap},
        {"leads by clocks that are off, or by few", skew},
        {"leads, or late ones", late},
        {"flapping over the limit, or under it", flapping},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        size_t count = rang(scenarios[i].play, false);
        size_t twin = rang(scenarios[i].play, true);

        print_message("%s: %zu and %zu\n", scenarios[i].name, count, twin);
        assert_int_equal(count, 1);
        assert_int_equal(twin, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rings_once_and_its_twin_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
