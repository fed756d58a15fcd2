/* test_engine_again.c - deciding is a function of the log: with starts at any
 * entry, and work that was undone and done again, the same rings. */
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

#define NOW_MS INGEST_WORLD_NOW_MS
#define ENTRIES 4000

static const struct {
    const char *id;
    const char *members;
} rules[] = {
    {"rare", "\"kind\":\"event\",\"per\":[\"link\"],\"match\":{\"type\":"
             "\"click\"},\"cooldown\":\"10m\",\"max_per_day\":60"},
    {"new",
     "\"kind\":\"first_seen\",\"key\":[\"page\"],\"again_after\":\"1h\""},
    {"flood", "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
              "\"above\":14,\"clear\":9"},
    {"links", "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"3m\","
              "\"above\":4,\"per\":[\"link\"],\"cooldown\":\"20m\""},
    {"quiet", "\"kind\":\"threshold\",\"metric\":\"views\",\"window\":\"4m\","
              "\"below\":5,\"clear\":8"},
    {"lonely",
     "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"90s\","
     "\"below\":1,\"per\":[\"link\"]"},
    {"crowd", "\"kind\":\"threshold\",\"metric\":\"visitors\",\"window\":"
              "\"10m\",\"above\":22"},
    {"few", "\"kind\":\"threshold\",\"metric\":\"visitors\",\"window\":\"2m\","
            "\"below\":4,\"per\":[\"type\"]"},
    {"money", "\"kind\":\"threshold\",\"metric\":\"value\",\"window\":\"15m\","
              "\"above\":800,\"match\":{\"type\":\"conversion\"}"},
    {"fraud", "\"kind\":\"burst\",\"metric\":\"clicks\",\"window\":\"10m\","
              "\"above\":2,\"per\":[\"visitor\"]"},
    {"fifty", "\"kind\":\"milestone\",\"metric\":\"leads\",\"every\":50"},
    {"people", "\"kind\":\"milestone\",\"metric\":\"visitors\",\"every\":3"},
    {"sums", "\"kind\":\"milestone\",\"metric\":\"value\",\"every\":300,"
             "\"per\":[\"link\"]"},
    {"gone", "\"kind\":\"absent\",\"metric\":\"leads\",\"window\":\"4m\","
             "\"per\":[\"link\"]"},
    {"held", "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
             "\"above\":9,\"for\":\"90s\",\"resolve\":true,"
             "\"notify\":[\"hook\"]"},
    {"calm", "\"kind\":\"absent\",\"metric\":\"views\",\"window\":\"1m\","
             "\"for\":\"1m\",\"resolve\":true,\"notify\":[\"hook\"],"
             "\"digest\":\"20m\",\"per\":[\"link\"]"},
    {"night", "\"kind\":\"burst\",\"metric\":\"views\",\"window\":\"2m\","
              "\"above\":3,\"resolve\":true,\"notify\":[\"hook\"],"
              "\"quiet\":{\"hours\":\"12:00-06:30\"},"
              "\"template\":\"{{value}} on {{site}}\""},
    {"weak", "\"kind\":\"ctr\",\"window\":\"1h\",\"min_views\":5,"
             "\"drop\":0.2,\"confidence\":0.5,\"traffic\":\"all\""},
    {"nightly",
     "\"kind\":\"not_pulled\",\"export\":\"stats\",\"after\":\"2h\""},
};

static uint64_t roll(uint64_t *seed, uint64_t sides)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (*seed >> 11) % sides;
}

static void add_event(struct rule_world *world, uint64_t *seed, int64_t now_ms)
{
    static const char *const links[] = {"shop", "book", "mail", NULL};
    static const char *const pages[] = {"/a", "/b", "/c", "/d", "/e", "/f"};
    enum entry_type type = (enum entry_type)roll(seed, ENTRY_TYPE_COUNT);
    struct entry *entry =
        rule_world_event(world, type, 1 + (int64_t)roll(seed, 5) / 4, now_ms);

    entry->text[ENTRY_TEXT_LINK] = links[roll(seed, 4)];
    entry->text[ENTRY_TEXT_PAGE] = pages[roll(seed, 6)];
    entry->visitor = 1 + (int64_t)roll(seed, 40);
    entry->has_amount = type == ENTRY_CONVERSION;
    entry->amount_hundredths = (int64_t)roll(seed, 9000);
    entry->is_double_tap = type == ENTRY_CLICK && roll(seed, 10) == 0;
    switch (roll(seed, 24)) {
    case 0: /* late, perhaps too late */
        entry->ts_at_ms -= (int64_t)roll(seed, 400000);
        break;
    case 1: /* a client's clock that is ahead */
        entry->ts_at_ms += (int64_t)roll(seed, 400000);
        break;
    case 2: /* received before the one before it */
        entry->received_at_ms -= (int64_t)roll(seed, 900);
        break;
    case 3: /* imported */
        entry->is_silent = true;
        entry->ts_at_ms -= (int64_t)roll(seed, 900000);
        entry->received_at_ms = entry->ts_at_ms;
        break;
    default:
        break;
    }
}

/* The same log for the same seed, whatever happens to the engine; rates change,
 * the service is down at times, the clock goes back once. */
static void write_log(struct rule_world *world, uint64_t seed)
{
    int64_t now_ms = NOW_MS;
    int64_t tick_ms = NOW_MS + LB_MS_PER_MIN;

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char json[500];

        (void)snprintf(json, sizeof(json), "{\"id\":\"%s\",%s}", rules[i].id,
                       rules[i].members);
        rule_world_put(world, rules[i].id, json, false);
    }
    rule_world_ready(world, now_ms);
    for (int i = 0; i < ENTRIES; i++) {
        uint64_t pace_ms = i / 500 % 2 == 0 ? 9000 : 60000;

        now_ms += (int64_t)roll(&seed, pace_ms);
        while (tick_ms <= now_ms) {
            rule_world_tick(world, tick_ms);
            tick_ms += LB_MS_PER_MIN;
        }
        if (roll(&seed, 400) == 0) {
            rule_world_start(world, now_ms, now_ms + 1500000);
            now_ms += 1500000;
            tick_ms = now_ms + LB_MS_PER_MIN;
        }
        if (i == 1777) {
            now_ms -= 700000;
            tick_ms = now_ms + LB_MS_PER_MIN;
            rule_world_set_back(world, now_ms + 700000, now_ms);
        }
        if (roll(&seed, 120) == 0) {
            rule_world_pull(world,
                            roll(&seed, 3) == 0
                                ? "{\"export\":\"stats\"}"
                                : "{\"export\":\"stats\",\"sites\":"
                                  "[\"alice.bio\"]}",
                            now_ms);
        }
        if (roll(&seed, 300) == 0) {
            rule_world_coverage(world, 1 + (int64_t)roll(&seed, 2),
                                now_ms - 600000, now_ms, now_ms);
        }
        if (roll(&seed, 6) == 0) {
            rule_world_other(world, now_ms);
        }
        add_event(world, &seed, now_ms);
        if (roll(&seed, 12) == 0) {
            rule_world_flush(world);
        }
    }
    rule_world_read(world);
}

static struct rule_world *make_world(uint32_t restart_every,
                                     uint32_t undo_every)
{
    struct rule_world *world = malloc(sizeof(*world));

    assert_non_null(world);
    rule_world_open(world);
    world->restart_every = restart_every;
    world->undo_every = undo_every;
    return world;
}

static void free_world(struct rule_world *world)
{
    rule_world_close(world);
    free(world);
}

/* Messages, what waits to be gathered, and what rules know. */
static void compare_rows(struct rule_world *a, struct rule_world *b)
{
    static const char *const questions[] = {
        "SELECT group_concat(id || type || body || created, char(10)) FROM "
        "(SELECT * FROM messages ORDER BY id)",
        "SELECT group_concat(rule || ' ' || site || ' ' || alert) FROM (SELECT "
        "* FROM rule_gathered ORDER BY rule, site, alert)",
        "SELECT group_concat(rule || ' ' || site || grp || at || ' ' || views "
        "|| ' ' || clicks) FROM (SELECT * FROM rule_slots ORDER BY rule, site, "
        "grp, at)"};
    const size_t bytes = (size_t)16 * 1024 * 1024;
    char *x = malloc(bytes);
    char *y = malloc(bytes);

    assert_non_null(x);
    assert_non_null(y);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        rule_world_ask(a, questions[i], x, bytes);
        rule_world_ask(b, questions[i], y, bytes);
        print_message("%zu bytes of rows\n", strlen(x));
        assert_string_equal(x, y);
        assert_true(i == 1 || strlen(x) > 1000);
    }
    free(x);
    free(y);
}

static void compare(const struct rule_world *a, const struct rule_world *b)
{
    for (size_t i = 0; i < a->alert_count && i < b->alert_count; i++) {
        const struct rule_world_alert *x = &a->alerts[i];
        const struct rule_world_alert *y = &b->alerts[i];

        if (memcmp(x, y, sizeof(*x)) != 0) {
            print_message("%zu: %s %s %s %s %s, %f, %lld %lld\n", i, x->id,
                          x->rule, x->site, x->group, x->state, x->value,
                          (long long)x->fired_at_ms,
                          (long long)x->resolved_at_ms);
            print_message("%zu: %s %s %s %s %s, %f, %lld %lld\n", i, y->id,
                          y->rule, y->site, y->group, y->state, y->value,
                          (long long)y->fired_at_ms,
                          (long long)y->resolved_at_ms);
            fail();
        }
    }
    assert_int_equal(a->alert_count, b->alert_count);
}

static void check(uint64_t seed, uint32_t restart_every, uint32_t undo_every)
{
    struct rule_world *plain = make_world(0, 0);
    struct rule_world *other = make_world(restart_every, undo_every);

    print_message("seed %llu\n", (unsigned long long)seed);
    write_log(plain, seed);
    write_log(other, seed);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        print_message("%s: %zu\n", rules[i].id,
                      rule_world_count(plain, rules[i].id, NULL));
        assert_true(rule_world_count(plain, rules[i].id, NULL) > 0);
    }
    compare(plain, other);
    compare_rows(plain, other);
    free_world(plain);
    free_world(other);
}

static void a_start_at_any_entry_changes_nothing(void **state)
{
    (void)state;
    check(4711, 5, 0);
    check(1234567, 17, 0);
}

static void what_is_undone_and_done_again_changes_nothing(void **state)
{
    (void)state;
    check(99, 0, 6);
    check(31415926, 9, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_at_any_entry_changes_nothing),
        cmocka_unit_test(what_is_undone_and_done_again_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
