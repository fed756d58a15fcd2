/* test_rehearse.c - a rule tried on the past says what it said when it was
 * live, to the byte, and writes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/alerts_store.h"
#include "alerts/rehearse.h"
#include "base/clock.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS
#define ENTRIES 6000
#define ANSWER_BYTES ((size_t)16 * 1024 * 1024)

static const struct {
    const char *id;
    const char *members;
} rules[] = {
    {"each", "\"kind\":\"event\",\"match\":{\"type\":\"lead\"},"
             "\"cooldown\":\"5m\",\"max_per_day\":9"},
    {"first", "\"kind\":\"first_seen\",\"key\":[\"link\",\"visitor\"],"
              "\"again_after\":\"2h\""},
    {"flood", "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"10m\","
              "\"above\":8,\"clear\":4,\"per\":[\"link\"]"},
    {"quiet", "\"kind\":\"threshold\",\"metric\":\"views\",\"window\":\"10m\","
              "\"below\":2"},
    {"crowd", "\"kind\":\"burst\",\"metric\":\"visitors\",\"window\":\"5m\","
              "\"above\":12"},
    {"fifty", "\"kind\":\"milestone\",\"metric\":\"leads\",\"every\":50"},
    {"gone", "\"kind\":\"absent\",\"metric\":\"leads\",\"window\":\"4m\","
             "\"per\":[\"link\"]"},
    {"weak", "\"kind\":\"ctr\",\"window\":\"1h\",\"min_views\":5,"
             "\"drop\":0.2,\"confidence\":0.5"},
    {"jump", "\"kind\":\"spike\",\"metric\":\"views\",\"window\":\"15m\","
             "\"min\":1,\"false_alarms\":\"100/month\""},
    {"jump-of-link",
     "\"kind\":\"spike\",\"metric\":\"clicks_raw\",\"window\":\"1h\","
     "\"per\":[\"link\"],\"false_alarms\":\"100/month\""},
    {"lull", "\"kind\":\"drop\",\"metric\":\"clicks\",\"window\":\"15m\","
             "\"false_alarms\":\"100/month\""},
    {"throng", "\"kind\":\"spike\",\"metric\":\"visitors\",\"window\":\"15m\","
               "\"min\":1,\"false_alarms\":\"100/month\""},
    {"empty", "\"kind\":\"drop\",\"metric\":\"visitors\",\"window\":\"1h\","
              "\"per\":[\"link\"],\"false_alarms\":\"100/month\""},
};

static uint64_t roll(uint64_t *seed, uint64_t sides)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (*seed >> 11) % sides;
}

/* Two days whose rate changes now and then. */
static void write_log(struct rule_world *world, uint64_t seed)
{
    static const char *const links[] = {"shop", "book", "mail", NULL};
    int64_t now_ms = NOW_MS;
    int64_t tick_ms = NOW_MS + LB_MS_PER_MIN;

    for (int i = 0; i < ENTRIES; i++) {
        uint64_t pace_ms = i % 1000 < 700    ? 60000
                           : i % 1000 < 900  ? 9000
                           : i % 1000 == 950 ? 7200000
                                             : 90000;
        struct entry *entry;

        now_ms += (int64_t)roll(&seed, pace_ms);
        for (; tick_ms <= now_ms; tick_ms += LB_MS_PER_MIN) {
            rule_world_tick(world, tick_ms);
        }
        entry = rule_world_event(world,
                                 (enum entry_type)roll(&seed, ENTRY_TYPE_COUNT),
                                 1 + (int64_t)roll(&seed, 5) / 4, now_ms);
        entry->text[ENTRY_TEXT_LINK] = links[roll(&seed, 4)];
        entry->visitor = 1 + (int64_t)roll(&seed, 40);
        if (roll(&seed, 20) == 0) {
            entry->ts_at_ms -= (int64_t)roll(&seed, 900000);
        }
    }
}

struct trial {
    struct rule_world *world;
    const char *id;
    struct lb_buf live;
    struct lb_buf tried;
};

static bool may_site(void *ctx, const char *site)
{
    (void)ctx;
    (void)site;
    return true;
}

/* What was said, oldest first, without deliveries and what was held back. */
static enum lb_err
list_live(struct trial *trial, struct db *db, struct lb_error *err)
{
    const struct alerts_store_question question = {.rule = trial->id,
                                                   .from_at_ms = INT64_MIN,
                                                   .to_at_ms = INT64_MAX,
                                                   .before_number = INT64_MAX,
                                                   .limit = 100000,
                                                   .may_site = may_site};
    struct lb_buf all;
    enum lb_err rc;
    cJSON *json;
    cJSON *list;
    cJSON *data;
    char *text;

    lb_buf_init(&all, ANSWER_BYTES);
    rc = alerts_store_list_alerts(db, &question, &all, err);
    json = cJSON_Parse(lb_buf_text(&all));
    data = cJSON_CreateArray();
    list = cJSON_GetObjectItemCaseSensitive(json, "data");
    for (int i = cJSON_GetArraySize(list); i > 0; i--) {
        cJSON *alert = cJSON_DetachItemFromArray(list, i - 1);

        cJSON_DeleteItemFromObjectCaseSensitive(alert, "deliveries");
        if (cJSON_IsNull(
                cJSON_GetObjectItemCaseSensitive(alert, "held_back"))) {
            cJSON_AddItemToArray(data, alert);
        } else {
            cJSON_Delete(alert);
        }
    }
    text = cJSON_PrintUnformatted(data);
    lb_buf_add_text(&trial->live, text);
    free(text);
    cJSON_Delete(data);
    cJSON_Delete(json);
    lb_buf_deinit(&all);
    return rc;
}

static enum lb_err try(void *ctx, struct db *db, struct lb_error *err)
{
    struct trial *trial = ctx;
    struct catalog *catalog = catalog_current(trial->world->ingest.holder);
    const struct rehearse_order order = {
        .catalog = catalog,
        .config = &trial->world->config,
        .rule = *catalog_object_find(catalog, CATALOG_RULE, trial->id),
        .from_at_ms = NOW_MS - LB_MS_PER_DAY,
        .to_at_ms = NOW_MS + 1000 * LB_MS_PER_DAY};
    struct rehearsal *rehearsal = NULL;
    struct lb_buf out;
    bool is_done = false;
    cJSON *json;
    char *text;
    enum lb_err rc = rehearse_new(&order, &rehearsal, err);

    for (int i = 0; rc == LB_OK && !is_done; i++) {
        /* Every second piece is as short as can be. */
        rc = rehearse_step(rehearsal, db,
                           lb_clock_mono_ms() + (i % 2 == 0 ? 1 : 1000),
                           &is_done, err);
    }
    lb_buf_init(&out, ANSWER_BYTES);
    rc = rc == LB_OK ? rehearse_write(rehearsal, &out, err) : rc;
    json = cJSON_Parse(lb_buf_text(&out));
    text = cJSON_PrintUnformatted(
        cJSON_GetObjectItemCaseSensitive(json, "alerts"));
    lb_buf_add_text(&trial->tried, text);
    free(text);
    cJSON_Delete(json);
    lb_buf_deinit(&out);
    rehearse_free(rehearsal);
    catalog_unref(catalog);
    return rc == LB_OK ? list_live(trial, db, err) : rc;
}

static void check(struct rule_world *world, const char *id)
{
    struct trial trial = {.world = world, .id = id};

    lb_buf_init(&trial.live, ANSWER_BYTES);
    lb_buf_init(&trial.tried, ANSWER_BYTES);
    assert_int_equal(ingest_world_run(&world->ingest, try, &trial), LB_OK);
    print_message("%s: %zu bytes\n", id, trial.live.len);
    assert_true(trial.live.len > 2);
    assert_string_equal(lb_buf_text(&trial.tried), lb_buf_text(&trial.live));
    lb_buf_deinit(&trial.live);
    lb_buf_deinit(&trial.tried);
}

static void what_rang_live_rings_again_to_the_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rule_world *world = malloc(sizeof(*world));
        char before[32];
        char after[32];

        assert_non_null(world);
        rule_world_open(world);
        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
            char json[500];

            (void)snprintf(json, sizeof(json), "{\"id\":\"%s\",%s}",
                           rules[i].id, rules[i].members);
            rule_world_put(world, rules[i].id, json, false);
        }
        rule_world_ready(world, NOW_MS);
        write_log(world, seed * 7919);
        rule_world_ask(world, "SELECT total_changes()", before, sizeof(before));
        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
            check(world, rules[i].id);
        }
        rule_world_ask(world, "SELECT total_changes()", after, sizeof(after));
        assert_string_equal(before, after);
        rule_world_close(world);
        free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rang_live_rings_again_to_the_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
