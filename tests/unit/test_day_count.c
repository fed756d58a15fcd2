/* test_day_count.c - days counted from a log come to the same however little
 * memory there is for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/day_count.h"
#include "base/clock.h"
#include "sql/log_store.h"

#define FIRST_DAY 20000
#define DAYS 4
#define SITES 3
#define EVENTS 12000
#define PIECE_MS 60000

static void run_sql(struct db *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db_handle(db), sql, NULL, NULL, NULL),
                     SQLITE_OK);
}

/* visitors: how many there are; 1: all are the same one's. */
static void insert(struct db *db, int64_t seq, int visitors)
{
    char page[32];
    struct entry entry = {.seq = seq,
                          .type = (enum entry_type)(rand() % 3),
                          .site = 1 + rand() % SITES,
                          .visitor_day = FIRST_DAY,
                          .visitor = visitors == 1 ? 1 : rand() % visitors,
                          .is_visit_start = rand() % 4 == 0,
                          .text[ENTRY_TEXT_ID] = "e",
                          .text[ENTRY_TEXT_HOST] = "a.example",
                          .text[ENTRY_TEXT_PAGE] = page};
    const struct entry *const entries[] = {&entry};
    struct lb_error err = {LB_OK, ""};

    (void)snprintf(page, sizeof(page), "/%d", rand() % 300);
    entry.ts_at_ms = LB_MS_PER_DAY * FIRST_DAY + rand() % DAYS * LB_MS_PER_DAY +
                     rand() % LB_MS_PER_DAY;
    entry.received_at_ms = entry.ts_at_ms;
    if (log_insert_events(db, entries, 1, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
}

static struct day_count *
count_days(struct db *db, size_t max_bytes, int64_t piece_ms)
{
    struct day_count *count = day_count_new(max_bytes);
    const struct lb_zone *zone = NULL;
    struct lb_error err = {LB_OK, ""};
    bool is_over = false;

    assert_int_equal(lb_zone_find("UTC", &zone, &err), LB_OK);
    for (int day = 0; day < DAYS; day++) {
        for (int site = 1; site <= SITES; site++) {
            assert_true(day_count_add(count, site, FIRST_DAY + day, zone));
        }
    }
    while (!is_over) {
        if (day_count_run(count, db, piece_ms, &is_over, &err) != LB_OK) {
            fail_msg("%s", err.text);
        }
    }
    return count;
}

static void little_memory_comes_to_the_same(void **state)
{
    /* Fewer days, then dimensions or visitors at a time. */
    static const size_t budgets[] = {1500000, 400000, 250000, 150000, 100000};
    struct lb_error err = {LB_OK, ""};
    struct day_count *want;
    struct db *db = NULL;

    (void)state;
    srand(7);
    assert_int_equal(db_open(":memory:", DB_WRITER, &db, &err), LB_OK);
    run_sql(db, "BEGIN");
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        insert(db, seq, 500);
    }
    assert_int_equal(db_meta_set(db, "cursor", EVENTS, &err), LB_OK);
    run_sql(db, "COMMIT");
    want = count_days(db, (size_t)1 << 30, PIECE_MS);
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        struct day_count *got = count_days(db, budgets[i], PIECE_MS);

        for (size_t day = 0; day < (size_t)DAYS * SITES; day++) {
            for (int j = 0; j < DAY_DIMENSION_COUNT; j++) {
                const struct lb_buf *a = &day_count_bodies(want, day)[j];
                const struct lb_buf *b = &day_count_bodies(got, day)[j];

                assert_true(a->len > 0);
                assert_int_equal(a->len, b->len);
                assert_memory_equal(a->data, b->data, a->len);
            }
        }
        day_count_free(got);
    }
    day_count_free(want);
    db_close(db);
}

/* Nothing is kept of its days, which are asked of the log. */
static void a_visitor_of_too_many_events_is_given_up(void **state)
{
    struct lb_error err = {LB_OK, ""};
    struct day_count *got;
    struct db *db = NULL;

    (void)state;
    srand(8);
    assert_int_equal(db_open(":memory:", DB_WRITER, &db, &err), LB_OK);
    run_sql(db, "BEGIN");
    for (int64_t seq = 1; seq <= (int64_t)12 * EVENTS; seq++) {
        insert(db, seq, 1);
    }
    assert_int_equal(db_meta_set(db, "cursor", (int64_t)12 * EVENTS, &err),
                     LB_OK);
    run_sql(db, "COMMIT");
    got = count_days(db, 20000, PIECE_MS);
    for (size_t day = 0; day < (size_t)DAYS * SITES; day++) {
        for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
            assert_int_equal(day_count_bodies(got, day)[i].len, 0);
        }
    }
    day_count_free(got);
    got = count_days(db, (size_t)1 << 30, PIECE_MS);
    assert_true(day_count_bodies(got, 0)[DAY_TOTAL].len > 0);
    day_count_free(got);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_memory_comes_to_the_same),
        cmocka_unit_test(a_visitor_of_too_many_events_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
