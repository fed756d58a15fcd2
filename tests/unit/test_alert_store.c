/* test_alert_store.c - what rules know, by key; values seen; alerts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/alert_store.h"
#include "alerts/seen.h"
#include "sql/own_key.h"

static int open_db(void **state)
{
    struct lb_error err;

    assert_int_equal(db_open(":memory:", DB_WRITER, (struct db **)state, &err),
                     LB_OK);
    return 0;
}

static int close_db(void **state)
{
    db_close(*state);
    return 0;
}

static int64_t ask(struct db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(db_handle(db), sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    number = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return number;
}

static void a_state_comes_back_as_it_was_saved(void **state)
{
    struct db *db = *state;
    struct alert_store_group group = {.rule = 3, .site = 2, .group = "{}"};
    struct alert_store_group other = {
        .rule = 3, .site = 2, .group = "{\"a\":1}"};
    struct alert_store_group *both[] = {&group, &other};
    const struct alert_store_state saved = {.last_fired_at_ms = 1,
                                            .began_at_ms = 2,
                                            .muted_until_ms = 3,
                                            .day = 4,
                                            .day_count = 5,
                                            .held_count = 6,
                                            .is_firing = true,
                                            .alert = "al_0123456789abcdef"};
    struct lb_error err;

    group.state = saved;
    assert_int_equal(alert_store_save(db, both, 2, &err), LB_OK);
    memset(&group.state, 0, sizeof(group.state));
    other.state = saved;
    assert_int_equal(alert_store_load(db, both, 2, &err), LB_OK);
    assert_int_equal(group.state.last_fired_at_ms, 1);
    assert_int_equal(group.state.began_at_ms, 2);
    assert_int_equal(group.state.muted_until_ms, 3);
    assert_int_equal(group.state.day, 4);
    assert_int_equal(group.state.day_count, 5);
    assert_int_equal(group.state.held_count, 6);
    assert_true(group.state.is_firing);
    assert_string_equal(group.state.alert, "al_0123456789abcdef");
    assert_int_equal(other.state.day_count, 0);
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_state"), 1);
}

static void a_state_that_says_nothing_has_no_row(void **state)
{
    struct db *db = *state;
    struct alert_store_group group = {
        .rule = 3, .site = 2, .group = "{}", .state = {.is_firing = true}};
    struct alert_store_group *row = &group;
    struct lb_error err;

    assert_int_equal(alert_store_save(db, &row, 1, &err), LB_OK);
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_state"), 1);
    group.state.is_firing = false;
    assert_int_equal(alert_store_save(db, &row, 1, &err), LB_OK);
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_state"), 0);
}

struct found {
    int64_t sites[8];
    size_t count;
};

static enum lb_err note(void *ctx, const struct alert_store_group *group)
{
    struct found *found = ctx;

    found->sites[found->count++] = group->site;
    return LB_OK;
}

static void a_start_finds_those_that_fire_have_begun_or_are_mute(void **state)
{
    struct db *db = *state;
    struct alert_store_group groups[] = {
        {.rule = 3, .site = 1, .group = "{}", .state = {.is_firing = true}},
        {.rule = 3, .site = 2, .group = "{}", .state = {.began_at_ms = 9}},
        {.rule = 3, .site = 3, .group = "", .state = {.day_count = 9}},
        {.rule = 3, .site = 0, .group = "", .state = {.muted_until_ms = 9}},
        {.rule = 4, .site = 5, .group = "{}", .state = {.is_firing = true}}};
    struct alert_store_group *rows[5];
    struct found found = {{0}, 0};
    struct lb_error err;

    for (int i = 0; i < 5; i++) {
        rows[i] = &groups[i];
    }
    assert_int_equal(alert_store_save(db, rows, 5, &err), LB_OK);
    assert_int_equal(alert_store_each(db, 3, note, &found, &err), LB_OK);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.sites[0] + found.sites[1] + found.sites[2], 3);
}

static void values_are_kept_as_hashes_under_a_key_of_this_database(void **state)
{
    struct db *db = *state;
    uint8_t key[OWN_KEY_BYTES];
    uint8_t again[OWN_KEY_BYTES];
    const uint8_t other[OWN_KEY_BYTES] = {1};
    struct seen *seen;
    struct seen *elsewhere;
    struct alert_store_seen *row;
    struct lb_error err;

    assert_int_equal(own_key_get(db, "seen_key", key, &err), LB_OK);
    assert_int_equal(own_key_get(db, "seen_key", again, &err), LB_OK);
    assert_memory_equal(key, again, sizeof(key));
    seen = seen_new(2, key);
    elsewhere = seen_new(2, other);
    row = seen_get(seen, 3, 1, "{\"page\":\"/a\"}");
    assert_non_null(row);
    assert_memory_not_equal(
        row->hash, seen_get(elsewhere, 3, 1, "{\"page\":\"/a\"}")->hash, 16);
    assert_ptr_equal(seen_get(seen, 3, 1, "{\"page\":\"/a\"}"), row);
    assert_ptr_not_equal(seen_get(seen, 3, 2, "{\"page\":\"/a\"}"), row);
    assert_null(seen_get(seen, 4, 1, "{\"page\":\"/a\"}")); /* no room */
    assert_int_equal(seen_room(seen), 0);
    row->last_seen_at_ms = 77;
    row->is_changed = true;
    assert_int_equal(alert_store_save_seen(db, seen_rows(seen),
                                           seen_count(seen), false, &err),
                     LB_OK);
    seen_clear(seen);
    row = seen_get(seen, 3, 1, "{\"page\":\"/a\"}");
    assert_int_equal(row->last_seen_at_ms, 0);
    assert_int_equal(
        alert_store_load_seen(db, seen_rows(seen), seen_count(seen), &err),
        LB_OK);
    assert_int_equal(row->last_seen_at_ms, 77);
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_seen"), 1);
    assert_int_equal(ask(db, "SELECT length(key_hash) FROM rule_seen"), 16);
    seen_free(seen);
    seen_free(elsewhere);
}

static void what_is_learnt_does_not_take_a_later_time_back(void **state)
{
    struct db *db = *state;
    struct alert_store_seen row = {
        .rule = 3, .site = 1, .last_seen_at_ms = 50, .is_changed = true};
    struct lb_error err;

    assert_int_equal(alert_store_save_seen(db, &row, 1, true, &err), LB_OK);
    row.last_seen_at_ms = 40;
    assert_int_equal(alert_store_save_seen(db, &row, 1, true, &err), LB_OK);
    assert_int_equal(ask(db, "SELECT last_seen FROM rule_seen"), 50);
    assert_int_equal(alert_store_save_seen(db, &row, 1, false, &err), LB_OK);
    assert_int_equal(ask(db, "SELECT last_seen FROM rule_seen"), 40);
}

static void a_rule_is_ready_from_a_log_number_on(void **state)
{
    struct db *db = *state;
    int64_t seq = 1;
    struct lb_error err;

    assert_int_equal(alert_store_get_ready(db, 3, &seq, &err), LB_OK);
    assert_int_equal(seq, -1);
    assert_int_equal(alert_store_set_ready(db, 3, 99, &err), LB_OK);
    assert_int_equal(alert_store_get_ready(db, 3, &seq, &err), LB_OK);
    assert_int_equal(seq, 99);
    assert_int_equal(alert_store_set_ready(db, 3, 0, &err), LB_OK);
    assert_int_equal(alert_store_get_ready(db, 3, &seq, &err), LB_OK);
    assert_int_equal(seq, 0);
}

static void what_a_removed_rule_knew_goes_in_steps(void **state)
{
    struct db *db = *state;
    bool has_more = true;
    struct lb_error err;
    int steps = 0;

    assert_int_equal(
        sqlite3_exec(
            db_handle(db),
            "INSERT INTO objects VALUES (3, 0, 'r', '{}', 'api', 1);"
            "INSERT INTO rule_ready VALUES (3, 1), (4, 0);"
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 25) INSERT INTO rule_seen SELECT 3 + i % 2, 1, "
            "randomblob(16), 1 FROM n;"
            "INSERT INTO rule_state (rule, site, grp, last_fired, firing, day, "
            "day_count) VALUES (3, 1, '{}', 1, 1, 1, 1), (4, 1, '{}', 1, 1, 1, "
            "1)",
            NULL, NULL, NULL),
        SQLITE_OK);
    while (has_more) {
        assert_int_equal(alert_store_forget(db, 5, &has_more, &err), LB_OK);
        assert_in_range(++steps, 1, 10);
    }
    assert_int_equal(steps, 6); /* 13 values, the row, the rule, nothing */
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_seen"), 12);
    assert_int_equal(ask(db, "SELECT count(*) FROM rule_state"), 1);
    assert_int_equal(ask(db, "SELECT rule FROM rule_ready"), 3);
}

static void put_alert(struct db *db, const char *held_back)
{
    const struct alert_store_row row = {"al_1", "r",       "alice.bio", "info",
                                        5,      held_back, "{}"};
    const char *const destinations[] = {"hook"};
    const struct alert_store_message message = {"alert.fired", "{}",
                                                destinations, 1};
    bool is_new = false;
    struct lb_error err;

    assert_int_equal(alert_store_put(db, &row, &is_new, &err), LB_OK);
    assert_true(is_new);
    assert_int_equal(alert_store_queue(db, &row, &message, &err), LB_OK);
    assert_int_equal(alert_store_put(db, &row, &is_new, &err), LB_OK);
    assert_false(is_new);
}

static void an_alert_is_over_once_and_a_held_one_stays_held(void **state)
{
    struct db *db = *state;
    struct lb_error err;

    put_alert(db, NULL);
    assert_int_equal(alert_store_resolve(db, "al_1", 7, &err), LB_OK);
    assert_int_equal(alert_store_resolve(db, "al_1", 9, &err), LB_OK);
    assert_int_equal(ask(db, "SELECT resolved FROM alerts"), 7);
    assert_int_equal(
        ask(db, "SELECT count(*) FROM alerts WHERE state = 'resolved'"), 1);
    assert_int_equal(ask(db, "DELETE FROM alerts RETURNING 1"), 1);
    put_alert(db, "cooldown");
    assert_int_equal(alert_store_resolve(db, "al_1", 7, &err), LB_OK);
    assert_int_equal(
        ask(db, "SELECT count(*) FROM alerts WHERE state = 'held'"), 1);
}

static bool note_jump(void *ctx, const struct entry *entry)
{
    struct found *found = ctx;

    found->sites[found->count++] = entry->seq;
    return found->count < 2;
}

static void jumps_of_time_are_read_from_the_end(void **state)
{
    struct db *db = *state;
    struct found found = {{0}, 0};
    struct lb_error err;

    assert_int_equal(
        sqlite3_exec(
            db_handle(db),
            "INSERT INTO entries (seq, kind, received) VALUES (1, 2, 0),"
            "(2, 1, 0), (3, 6, 0), (4, 7, 0), (5, 2, 0), (6, 2, 0)",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(alert_store_each_jump(db, 5, note_jump, &found, &err),
                     LB_OK);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.sites[0], 5);
    assert_int_equal(found.sites[1], 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_db, close_db)
    const struct CMUnitTest tests[] = {
        TEST(a_state_comes_back_as_it_was_saved),
        TEST(a_state_that_says_nothing_has_no_row),
        TEST(a_start_finds_those_that_fire_have_begun_or_are_mute),
        TEST(values_are_kept_as_hashes_under_a_key_of_this_database),
        TEST(what_is_learnt_does_not_take_a_later_time_back),
        TEST(a_rule_is_ready_from_a_log_number_on),
        TEST(what_a_removed_rule_knew_goes_in_steps),
        TEST(an_alert_is_over_once_and_a_held_one_stays_held),
        TEST(jumps_of_time_are_read_from_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
