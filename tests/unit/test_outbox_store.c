/* test_outbox_store.c - deliveries: due, claimed, finished. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alerts/alert_store.h"
#include "alerts/outbox_store.h"

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

    assert_int_equal(outbox_read_due(db, "hook", 1000, &due, &err), LB_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_delivery_is_claimed_once_and_not_from_an_old_reading, open_db,
            close_db),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
