/* test_outbox_store.c - deliveries: due, claimed, finished. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "alerts/alert_store.h"
#include "alerts/destination_store.h"
#include "alerts/merge.h"
#include "alerts/outbox_store.h"

static int open_db(void **state)
{
    struct lb_error err;

    assert_int_equal(db_open(":memory:", DB_WRITER, (struct db **)state, &err),
                     LB_OK);
    return 0;
}

/* What is kept to be at hand is what is there, after each of the tests. */
static int close_db(void **state)
{
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(
        sqlite3_prepare_v2(db_handle(*state),
                           "SELECT b.waiting, (SELECT count(*) FROM outbox o"
                           " WHERE o.destination = b.destination"
                           " AND o.state IN ('waiting', 'sending', 'held'))"
                           " FROM outbox_backlog b",
                           -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        assert_int_equal(sqlite3_column_int(stmt, 0),
                         sqlite3_column_int(stmt, 1));
    }
    (void)sqlite3_finalize(stmt);
    db_close(*state);
    return 0;
}

static void put_alert(struct db *db)
{
    const struct alert_store_row row = {"al_1", "r",  "alice.bio", "info",
                                        5,      NULL, "{}"};
    const char *const destinations[] = {"hook"};
    const struct alert_store_message message = {"alert.fired", "{}",
                                                destinations, 1};
    struct lb_error err;

    assert_int_equal(alert_store_queue(db, &row, &message, &err), LB_OK);
}

static void read_due(struct db *db, struct outbox_delivery *out)
{
    struct outbox_due due = {.rows = out, .max = 1};
    struct lb_error err;

    assert_int_equal(outbox_read_due(db, "hook", false, 1000, &due, &err),
                     LB_OK);
    assert_int_equal(due.count, 1);
}

static void a_delivery_is_claimed_once_and_not_from_an_old_reading(void **state)
{
    struct db *db = *state;
    struct outbox_delivery old;
    struct outbox_delivery later;
    bool is_claimed = false;
    struct lb_error err;

    put_alert(db);
    read_due(db, &old);
    assert_int_equal(outbox_set_sending(db, &old, &is_claimed, &err), LB_OK);
    assert_true(is_claimed);
    assert_int_equal(outbox_set_sending(db, &old, &is_claimed, &err), LB_OK);
    assert_false(is_claimed); /* it is under way */
    assert_int_equal(outbox_finish(db,
                                   &(struct outbox_attempt){.delivery = old.id,
                                                            .number = 1,
                                                            .outcome = "retry"},
                                   "waiting", NULL, 900, &err),
                     LB_OK);
    assert_int_equal(outbox_set_sending(db, &old, &is_claimed, &err), LB_OK);
    assert_false(is_claimed); /* meanwhile an attempt was made */
    read_due(db, &later);
    assert_int_equal(outbox_set_sending(db, &later, &is_claimed, &err), LB_OK);
    assert_true(is_claimed);
    assert_int_equal(
        outbox_finish(db,
                      &(struct outbox_attempt){.delivery = old.id,
                                               .number = 2,
                                               .outcome = "success"},
                      "delivered", NULL, 900, &err),
        LB_OK);
    assert_int_equal(outbox_set_sending(db, &later, &is_claimed, &err), LB_OK);
    assert_false(is_claimed); /* it has arrived */
    free(old.body);
    free(later.body);
}

static void put_one(struct db *db, const char *id, const char *type)
{
    const char *const destinations[] = {"hook"};
    const struct alert_store_message message = {
        type, "{\"type\":\"alert.fired\",\"data\":{\"summary\":\"s\"}}",
        destinations, 1};
    struct lb_error err;

    assert_int_equal(
        alert_store_queue(db,
                          &(struct alert_store_row){id, "r", "alice.bio",
                                                    "info", 5, NULL, "{}"},
                          &message, &err),
        LB_OK);
}

static void that_it_is_over_waits_for_the_digest_that_tells_of_it(void **state)
{
    struct db *db = *state;
    const struct merge_wish wish = {.gather_ms = 10};
    struct outbox_delivery rows[4];
    struct outbox_due due = {.rows = rows, .max = 4};
    struct lb_error err;
    bool may_send = true;

    put_one(db, "al_0123456789abcde1", "alert.fired");
    put_one(db, "al_0123456789abcde2", "alert.fired");
    put_one(db, "al_0123456789abcde1_resolved", "alert.resolved");
    read_due(db, &rows[0]);
    assert_int_equal(merge_before(db, &rows[0], &wish, 100, &may_send, &err),
                     LB_OK);
    assert_false(may_send);
    free(rows[0].body);
    assert_int_equal(outbox_read_due(db, "hook", false, 1000, &due, &err),
                     LB_OK);
    assert_int_equal(due.count, 1);
    assert_memory_equal(rows[0].message, "dg_", 3);
    assert_int_equal(
        outbox_finish(db,
                      &(struct outbox_attempt){.delivery = rows[0].id,
                                               .number = 1,
                                               .outcome = "success"},
                      "delivered", NULL, 900, &err),
        LB_OK);
    free(rows[0].body);
    read_due(db, &rows[0]);
    assert_string_equal(rows[0].message, "al_0123456789abcde1_resolved");
    free(rows[0].body);
}

static void put_some(struct db *db, int count)
{
    char id[16];

    for (int i = 0; i < count; i++) {
        const char *const destinations[] = {"hook", "other"};
        const struct alert_store_message message = {"alert.fired", "{}",
                                                    destinations, 2};
        struct lb_error err;

        (void)snprintf(id, sizeof(id), "al_%d", i);
        assert_int_equal(
            alert_store_queue(db,
                              &(struct alert_store_row){id, "r", "alice.bio",
                                                        "info", i, NULL, "{}"},
                              &message, &err),
            LB_OK);
    }
}

static int64_t count(struct db *db, const char *sql)
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

static void
finish(struct db *db, const char *destination, const char *state, int64_t at_ms)
{
    struct outbox_delivery row;
    struct outbox_due due = {.rows = &row, .max = 1};
    bool is_claimed = false;
    struct lb_error err;

    assert_int_equal(outbox_read_due(db, destination, true, at_ms, &due, &err),
                     LB_OK);
    assert_int_equal(due.count, 1);
    assert_int_equal(outbox_set_sending(db, &row, &is_claimed, &err), LB_OK);
    assert_int_equal(
        outbox_finish(db,
                      &(struct outbox_attempt){.delivery = row.id,
                                               .number = row.tries + 1,
                                               .outcome = "success"},
                      state, NULL, at_ms, &err),
        LB_OK);
    free(row.body);
}

static void an_ordered_destination_has_one_head(void **state)
{
    struct db *db = *state;
    struct outbox_delivery row;
    struct outbox_due due = {.rows = &row, .max = 1};
    struct lb_error err;

    put_some(db, 3);
    finish(db, "hook", "waiting", 5000); /* due again at 5000 */
    assert_int_equal(outbox_read_due(db, "hook", true, 4000, &due, &err),
                     LB_OK);
    assert_int_equal(due.count, 0); /* the second one waits for it */
    assert_int_equal(due.next_due_at_ms, 5000);
    finish(db, "hook", "delivered", 5000);
    assert_int_equal(outbox_read_due(db, "hook", true, 5000, &due, &err),
                     LB_OK);
    assert_int_equal(due.count, 1);
    assert_string_equal(row.message, "al_1");
    free(row.body);
}

static void a_disabled_destination_holds_its_messages(void **state)
{
    struct db *db = *state;
    uint8_t print[LB_SECRET_SHA256_BYTES] = {1};
    struct destination_store_state to = {"hook", LANE_DISABLED, "http_4xx",
                                         print, 9};
    struct lb_error err;

    put_some(db, 2);
    assert_int_equal(destination_store_set(db, &to, &err), LB_OK);
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'held'"), 2);
    put_some(db, 3); /* one more */
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'held'"), 3);
    to.state = LANE_OK;
    assert_int_equal(destination_store_set(db, &to, &err), LB_OK);
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'held'"), 0);
    assert_int_equal(count(db, "SELECT count(*) FROM destination_state"), 0);
    to.state = LANE_DISABLED;
    assert_int_equal(destination_store_set(db, &to, &err), LB_OK);
    assert_int_equal(destination_store_discard(db, "hook", 10, &err), LB_OK);
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'dead'"), 3);
}

static void what_ended_long_ago_goes_with_its_message(void **state)
{
    struct db *db = *state;
    const struct outbox_sweep_times times = {2000, 1000};
    bool is_over = false;
    struct lb_error err;

    put_some(db, 3);
    finish(db, "hook", "delivered", 1500);
    finish(db, "hook", "delivered", 2500); /* too young */
    finish(db, "hook", "dead", 1500);      /* dead ones are kept longer */
    finish(db, "other", "delivered", 1500);
    finish(db, "other", "delivered", 1500);
    finish(db, "other", "dead", 500);
    assert_int_equal(outbox_sweep_piece(db, &times, &is_over, &err), LB_OK);
    assert_true(is_over);
    assert_int_equal(count(db, "SELECT count(*) FROM outbox"), 2);
    assert_int_equal(count(db, "SELECT count(*) FROM attempts"), 2);
    assert_int_equal(count(db, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(
        count(db, "SELECT count(*) FROM messages WHERE id = 'al_0'"), 0);
}

static void an_alert_is_held_back_where_each_of_some_was_full(void **state)
{
    static const char *const destinations[] = {"full", "hook"};
    struct db *db = *state;
    struct lb_error err;

    assert_int_equal(
        sqlite3_exec(db_handle(db),
                     "INSERT INTO objects (kind, id, body, managed_by, created)"
                     " VALUES (1, 'full', '{\"max_waiting\":1}', 'api', 0)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    for (int i = 0; i < 4; i++) {
        char id[8];
        const struct alert_store_row row = {id, "r",  "alice.bio", "info",
                                            5,  NULL, "{}"};
        /* al_0 fills it; al_1 finds it full, al_2 too but for another one,
         * al_3 is meant for nobody. */
        const struct alert_store_message message = {"alert.fired", "{}",
                                                    destinations,
                                                    i == 2   ? 2
                                                    : i == 3 ? 0
                                                             : 1};
        bool is_new = false;

        (void)snprintf(id, sizeof(id), "al_%d", i);
        assert_int_equal(alert_store_put(db, &row, &is_new, &err), LB_OK);
        assert_int_equal(alert_store_queue(db, &row, &message, &err), LB_OK);
    }
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE reason = 'backlog'"), 2);
    assert_int_equal(count(db, "SELECT count(*) FROM alerts WHERE held_back ="
                               " 'backlog' AND state = 'held'"),
                     1);
    assert_int_equal(count(db, "SELECT count(*) FROM alerts WHERE id = 'al_1'"
                               " AND state = 'held'"),
                     1);
    assert_int_equal(count(db, "SELECT left_out FROM outbox_backlog"
                               " WHERE destination = 'full'"),
                     2);
}

static void failures_are_counted_since_the_last_success(void **state)
{
    struct db *db = *state;
    struct destination_store_health health;
    struct lb_error err;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            destination_store_note(db, "hook", false, 100 + i, &health, &err),
            LB_OK);
    }
    assert_int_equal(health.failures, 3);
    assert_int_equal(health.failing_since_ms, 100);
    assert_int_equal(
        destination_store_note(db, "hook", true, 200, &health, &err), LB_OK);
    assert_int_equal(
        destination_store_note(db, "hook", false, 300, &health, &err), LB_OK);
    assert_int_equal(health.failures, 1);
    assert_int_equal(health.failing_since_ms, 300);
}

/* One alert more than the destination has room for, and that it is over. */
static void put_one_too_many(struct db *db)
{
    static const char *const destinations[] = {"full"};
    const struct alert_store_message fired = {"alert.fired", "{}", destinations,
                                              1};
    const struct alert_store_message over = {"alert.resolved", "{}",
                                             destinations, 1};
    const struct alert_store_row first = {"al_0", "r",  "alice.bio", "info",
                                          5,      NULL, "{}"};
    const struct alert_store_row second = {"al_1", "r",  "alice.bio", "info",
                                           5,      NULL, "{}"};
    const struct alert_store_row resolved = {
        "al_1_resolved", "r", "alice.bio", "info", 6, NULL, "{}"};
    bool is_new = false;
    struct lb_error err;

    assert_int_equal(
        sqlite3_exec(
            db_handle(db),
            "INSERT INTO objects (kind, id, body, managed_by, created)"
            " VALUES (1, 'full', '{\"max_waiting\":1}', 'api', 0);"
            "INSERT INTO destination_state (destination, state, reason,"
            " since) VALUES ('full', 'disabled', '', 0)",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(alert_store_put(db, &first, &is_new, &err), LB_OK);
    assert_int_equal(alert_store_queue(db, &first, &fired, &err), LB_OK);
    assert_int_equal(alert_store_put(db, &second, &is_new, &err), LB_OK);
    assert_int_equal(alert_store_queue(db, &second, &fired, &err), LB_OK);
    assert_int_equal(alert_store_resolve(db, "al_1", 6, &err), LB_OK);
    assert_int_equal(alert_store_queue(db, &resolved, &over, &err), LB_OK);
    assert_int_equal(alert_store_skip_resolved(db, "al_1", &err), LB_OK);
}

static void what_was_left_out_is_sent_after_all_with_its_end(void **state)
{
    struct db *db = *state;
    const struct outbox_choice left_out = {.state = "skipped",
                                           .since_ms = INT64_MIN,
                                           .until_ms = INT64_MAX,
                                           .now_ms = 100};
    int64_t chosen = 0;
    struct lb_error err;

    put_one_too_many(db);
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'held'"), 1);
    assert_int_equal(count(db, "SELECT count(*) FROM outbox WHERE state ="
                               " 'skipped' AND message GLOB 'al_1*'"),
                     2);
    assert_int_equal(count(db, "SELECT count(*) FROM alerts WHERE id = 'al_1'"
                               " AND held_back = 'backlog'"),
                     1);
    assert_int_equal(outbox_retry_piece(db, &left_out, &chosen, &err), LB_OK);
    assert_int_equal(chosen, 1); /* its end goes along */
    assert_int_equal(
        count(db, "SELECT count(*) FROM outbox WHERE state = 'held'"), 3);
    assert_int_equal(count(db, "SELECT count(*) FROM alerts WHERE id = 'al_1'"
                               " AND held_back IS NULL"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            that_it_is_over_waits_for_the_digest_that_tells_of_it, open_db,
            close_db),
        cmocka_unit_test_setup_teardown(
            a_delivery_is_claimed_once_and_not_from_an_old_reading, open_db,
            close_db),
        cmocka_unit_test_setup_teardown(an_ordered_destination_has_one_head,
                                        open_db, close_db),
        cmocka_unit_test_setup_teardown(
            a_disabled_destination_holds_its_messages, open_db, close_db),
        cmocka_unit_test_setup_teardown(
            what_ended_long_ago_goes_with_its_message, open_db, close_db),
        cmocka_unit_test_setup_teardown(
            failures_are_counted_since_the_last_success, open_db, close_db),
        cmocka_unit_test_setup_teardown(
            an_alert_is_held_back_where_each_of_some_was_full, open_db,
            close_db),
        cmocka_unit_test_setup_teardown(
            what_was_left_out_is_sent_after_all_with_its_end, open_db,
            close_db),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
