/* test_scrub.c - what was deleted stands in no byte of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sql/scrub.h"
#include "tests/support/temp_dir.h"

#define ROWS 3000
#define FILE_BYTES ((size_t)64 * 1024 * 1024)

static void run(struct db *db, const char *sql)
{
    char *fault = NULL;

    if (sqlite3_exec(db_handle(db), sql, NULL, NULL, &fault) != SQLITE_OK) {
        fail_msg("%s: %s", sql, fault);
    }
}

static void read_file(const char *dir, const char *name, struct lb_buf *out)
{
    char path[512];
    char chunk[8192];
    size_t got;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    lb_buf_clear(out);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        lb_buf_add(out, chunk, got);
    }
    assert_int_equal(fclose(file), 0);
}

static int count_marks(const struct lb_buf *file)
{
    int count = 0;

    for (size_t at = 0; at + 5 < file->len; at++) {
        count += memcmp(file->data + at, "MARK-", 5) == 0 ? 1 : 0;
    }
    return count;
}

/* Random keys of many sizes, so that SQLite moves rows from page to page, and
 * all with a mark deleted in another order. */
static void fill_and_delete(struct db *db)
{
    run(db, "CREATE TABLE heap (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID");
    run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 3000) INSERT INTO heap SELECT hex(randomblob(16)), "
            "iif(i % 6 = 0, 'kept-', 'MARK-') || i || "
            "hex(zeroblob(20 + i * 37 % 700)) FROM n");
    run(db, "CREATE TABLE doomed (number INTEGER PRIMARY KEY, id TEXT)");
    run(db, "INSERT INTO doomed (id) SELECT id FROM heap "
            "WHERE body LIKE 'MARK-%' ORDER BY random()");
    for (int first = 0; first < ROWS; first += 10) {
        char sql[160];

        (void)snprintf(sql, sizeof(sql),
                       "DELETE FROM heap WHERE id IN (SELECT id FROM doomed "
                       "WHERE number BETWEEN %d AND %d)",
                       first, first + 9);
        run(db, sql);
    }
}

static void scrub_all(struct db *db, int *calls_out)
{
    struct lb_error err = {LB_OK, ""};
    int64_t next_page = 1;
    bool is_over = false;

    for (*calls_out = 0; !is_over; (*calls_out)++) {
        assert_true(*calls_out < 1000);
        assert_int_equal(scrub_run(db, &next_page, &is_over, &err), LB_OK);
    }
}

static void check_sound(struct db *db, int rows)
{
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_prepare_v2(db_handle(db), "PRAGMA integrity_check",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    (void)sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_prepare_v2(db_handle(db),
                                        "SELECT count(*) FROM heap "
                                        "WHERE body LIKE 'kept-%'",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), rows);
    (void)sqlite3_finalize(stmt);
}

static void deleted_rows_leave_no_byte(void **state)
{
    char dir[TEMP_DIR_BYTES];
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;
    struct lb_buf file;
    int calls = 0;

    (void)state;
    temp_dir_make(dir);
    lb_buf_init(&file, FILE_BYTES);
    assert_int_equal(db_open(dir, DB_WRITER, &db, &err), LB_OK);
    fill_and_delete(db);

    scrub_all(db, &calls);

    read_file(dir, "linkbell.db-wal", &file);
    assert_int_equal(file.len, 0);
    read_file(dir, "linkbell.db", &file);
    assert_true(file.len > 0);
    assert_int_equal(count_marks(&file), 0);
    check_sound(db, ROWS / 6);
    run(db, "DELETE FROM doomed");
    check_sound(db, ROWS / 6);
    db_close(db);
    lb_buf_deinit(&file);
    temp_dir_remove(dir);
}

static void a_reader_holds_it_up_and_nothing_is_lost(void **state)
{
    char dir[TEMP_DIR_BYTES];
    struct lb_error err = {LB_OK, ""};
    struct db *reader = NULL;
    struct db *db = NULL;
    int64_t next_page = 1;
    int64_t value = 0;
    bool is_over = false;
    int calls = 0;

    (void)state;
    temp_dir_make(dir);
    assert_int_equal(db_open(dir, DB_WRITER, &db, &err), LB_OK);
    assert_int_equal(db_open(dir, DB_READER, &reader, &err), LB_OK);
    assert_int_equal(db_begin(reader, &err), LB_OK);
    assert_int_equal(db_meta_get(reader, "cursor", 0, &value, &err), LB_OK);
    fill_and_delete(db);

    assert_int_equal(scrub_run(db, &next_page, &is_over, &err), LB_OK);
    assert_int_equal(next_page, 1);
    assert_false(is_over);
    assert_int_equal(db_commit(reader, &err), LB_OK);
    scrub_all(db, &calls);

    check_sound(db, ROWS / 6);
    db_close(reader);
    db_close(db);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_rows_leave_no_byte),
        cmocka_unit_test(a_reader_holds_it_up_and_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
