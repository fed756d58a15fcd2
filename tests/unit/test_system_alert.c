/* test_system_alert.c - from a notice in the log to an alert of kind system and
 * its messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/alerts_store.h"
#include "alerts/system_alert.h"
#include "base/json.h"
#include "sql/notice.h"
#include "tests/support/ingest_world.h"

struct told {
    struct ingest_world world;
    struct lb_config config;
    struct system_alert *alert;
    struct notice_entry entry;
    struct notice notice;
    int woken;
    struct lb_buf alerts;     /* GET /v1/alerts */
    struct lb_buf deliveries; /* GET /v1/deliveries */
};

static void wake(void *ctx)
{
    struct told *told = ctx;

    told->woken++;
}

static void add_fallback(struct lb_config *config, const char *id)
{
    config->fallback.values[config->fallback.count++] = strdup(id);
}

static int set_up(void **state)
{
    static struct told told;
    struct cursor_consumer consumer;
    struct lb_error err = {LB_OK, ""};

    memset(&told, 0, sizeof(told));
    ingest_world_open(&told.world, ":memory:");
    assert_int_equal(lb_config_init(&told.config, &err), LB_OK);
    (void)snprintf(told.config.public_url, sizeof(told.config.public_url),
                   "https://l.alice.bio");
    assert_int_equal(system_alert_new(&told.config, &told.alert, &err), LB_OK);
    system_alert_set_wake(told.alert, wake, &told);
    consumer = system_alert_consumer(told.alert);
    cursor_add_consumer(told.world.cursor, &consumer);
    notice_init(&told.entry);
    told.notice =
        (struct notice){"linkbell-sources",  "warning",
                        "alice.bio",         "{\"source\":\"crm\"}",
                        INGEST_WORLD_NOW_MS, INGEST_WORLD_NOW_MS + 900000,
                        "truncated",         "95 deliveries \"so far\""};
    lb_buf_init(&told.alerts, 65536);
    lb_buf_init(&told.deliveries, 65536);
    *state = &told;
    return 0;
}

static int tear_down(void **state)
{
    struct told *told = *state;

    lb_buf_deinit(&told->alerts);
    lb_buf_deinit(&told->deliveries);
    ingest_world_close(&told->world);
    system_alert_free(told->alert);
    notice_deinit(&told->entry);
    lb_config_deinit(&told->config);
    return 0;
}

static enum lb_err append(void *ctx, struct db *db, struct lb_error *err)
{
    struct told *told = ctx;

    notice_fill(&told->entry, &told->notice, INGEST_WORLD_NOW_MS);
    return cursor_append(told->world.cursor, db, &told->entry.entry, err);
}

static enum lb_err
append_damaged(void *ctx, struct db *db, struct lb_error *err)
{
    static struct entry entries[4];
    static const char *const datas[] = {NULL, "", "{}",
                                        "{\"rule\":\"r\",\"site\":\"s\"}"};
    struct told *told = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < 4 && rc == LB_OK; i++) {
        memset(&entries[i], 0, sizeof(entries[i]));
        entries[i].kind = ENTRY_NOTICE;
        entries[i].data = datas[i];
        rc = cursor_append(told->world.cursor, db, &entries[i], err);
    }
    return rc;
}

static bool may_site(void *ctx, const char *site)
{
    (void)ctx;
    (void)site;
    return true;
}

static enum lb_err list(void *ctx, struct db *db, struct lb_error *err)
{
    struct told *told = ctx;
    struct alerts_store_question question = {.from_at_ms = 0,
                                             .to_at_ms = INT64_MAX,
                                             .before_number = INT64_MAX,
                                             .limit = 100,
                                             .may_site = may_site};
    enum lb_err rc;

    lb_buf_clear(&told->alerts);
    lb_buf_clear(&told->deliveries);
    rc = alerts_store_list_alerts(db, &question, &told->alerts, err);
    return rc == LB_OK ? alerts_store_list_deliveries(db, &question,
                                                      &told->deliveries, err)
                       : rc;
}

/* What the lists hold now; cJSON_Delete() it. */
static cJSON *ask(struct told *told, bool is_alerts)
{
    cJSON *json;

    assert_int_equal(ingest_world_run(&told->world, list, told), LB_OK);
    json =
        cJSON_Parse(lb_buf_text(is_alerts ? &told->alerts : &told->deliveries));
    assert_non_null(json);
    return json;
}

static const cJSON *rows_of(const cJSON *json)
{
    return cJSON_GetObjectItemCaseSensitive(json, "data");
}

static void a_notice_is_one_alert_of_kind_system(void **state)
{
    struct told *told = *state;
    const cJSON *row;
    cJSON *json;

    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);
    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);

    json = ask(told, true);
    assert_int_equal(cJSON_GetArraySize(rows_of(json)), 1);
    row = cJSON_GetArrayItem(rows_of(json), 0);
    assert_string_equal(lb_json_text(row, "rule"), "linkbell-sources");
    assert_string_equal(lb_json_text(row, "kind"), "system");
    assert_string_equal(lb_json_text(row, "severity"), "warning");
    assert_string_equal(lb_json_text(row, "site"), "alice.bio");
    assert_string_equal(lb_json_text(row, "coverage"), "truncated");
    assert_string_equal(lb_json_text(row, "summary"),
                        "95 deliveries \"so far\"");
    assert_string_equal(lb_json_text(row, "stats_url"),
                        "https://l.alice.bio/v1/stats?site=alice.bio&metrics="
                        "views,clicks,leads&by=time:15m&from=2026-11-24T09:00:"
                        "00.000Z&to=2026-11-24T09:15:00.000Z");
    assert_string_equal(lb_json_text(row, "dashboard_url"),
                        "https://l.alice.bio/?site=alice.bio&from=2026-11-24");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(row, "event")));
    assert_memory_equal(lb_json_text(row, "id"), "al_", 3);
    assert_int_equal(told->woken, 0); /* nobody is to be told */
    cJSON_Delete(json);
}

static void the_fallback_destinations_get_it_once(void **state)
{
    struct told *told = *state;
    cJSON *json;

    add_fallback(&told->config, "sales");
    add_fallback(&told->config, "mail");
    system_alert_set_config(told->alert, &told->config);
    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);
    assert_int_equal(told->woken, 1);
    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);

    assert_int_equal(told->woken, 1);
    json = ask(told, false);
    assert_int_equal(cJSON_GetArraySize(rows_of(json)), 2);
    for (int i = 0; i < 2; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows_of(json), i);

        assert_string_equal(lb_json_text(row, "type"), "alert.fired");
        assert_string_equal(lb_json_text(row, "rule"), "linkbell-sources");
        assert_string_equal(lb_json_text(row, "state"), "waiting");
    }
    cJSON_Delete(json);
}

static void another_time_is_another_alert(void **state)
{
    struct told *told = *state;
    cJSON *json;

    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);
    told->notice.from_at_ms += 900000;
    told->notice.to_at_ms += 900000;
    assert_int_equal(ingest_world_run(&told->world, append, told), LB_OK);

    json = ask(told, true);
    assert_int_equal(cJSON_GetArraySize(rows_of(json)), 2);
    cJSON_Delete(json);
}

static void a_damaged_notice_is_passed_over(void **state)
{
    struct told *told = *state;
    cJSON *json;

    assert_int_equal(ingest_world_run(&told->world, append_damaged, told),
                     LB_OK);

    json = ask(told, true);
    assert_int_equal(cJSON_GetArraySize(rows_of(json)), 0);
    cJSON_Delete(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_notice_is_one_alert_of_kind_system),
        TEST(the_fallback_destinations_get_it_once),
        TEST(another_time_is_another_alert),
        TEST(a_damaged_notice_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
