/* test_db.c - opening the database, refusing what is not ours, transactions. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "tests/support/temp_dir.h"

#define PATH_BYTES (TEMP_DIR_BYTES + 32)
#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define USER_VERSION_AT 60
#define APPLICATION_ID_AT 68

static int make_dir(void **state)
{
    static char dir[TEMP_DIR_BYTES];

    temp_dir_make(dir);
    *state = dir;
    return 0;
}

static int remove_dir(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

static struct db *open_db(const char *dir, enum db_mode mode)
{
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;

    if (db_open(dir, mode, &db, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    assert_non_null(db);
    return db;
}

static void path_of(const char *dir, const char *suffix, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/%s%s", dir, DB_FILE_NAME, suffix);
}

static size_t read_all(const char *path, unsigned char *out)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    assert_non_null(file);
    len = fread(out, 1, FILE_MAX_BYTES, file);
    (void)fclose(file);
    return len;
}

static void write_all(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int64_t meta(struct db *db, const char *key)
{
    struct lb_error err = {LB_OK, ""};
    int64_t value = -1;

    assert_int_equal(db_meta_get(db, key, 0, &value, &err), LB_OK);
    return value;
}

static void put_meta(struct db *db, const char *key, int64_t value)
{
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(db_meta_set(db, key, value, &err), LB_OK);
}

static void begin(struct db *db)
{
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(db_begin(db, &err), LB_OK);
}

static void commit(struct db *db)
{
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(db_commit(db, &err), LB_OK);
}

static int64_t pragma(struct db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(db_handle(db), sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return value;
}

/* Opening must fail with want, name the file, and leave its bytes alone. */
static void check_refused(const char *dir, enum lb_err want)
{
    static unsigned char before[FILE_MAX_BYTES];
    static unsigned char after[FILE_MAX_BYTES];
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;
    char path[PATH_BYTES];
    size_t len;

    path_of(dir, "", path);
    len = read_all(path, before);
    assert_int_equal(db_open(dir, DB_WRITER, &db, &err), want);
    assert_null(db);
    assert_non_null(strstr(err.text, path));
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(read_all(path, after), len);
    assert_memory_equal(before, after, len);
    path_of(dir, "-wal", path);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Makes a database and closes it, then changes a number in its header. */
static void make_changed(const char *dir, size_t at, unsigned char value)
{
    static unsigned char bytes[FILE_MAX_BYTES];
    char path[PATH_BYTES];
    size_t len;

    db_close(open_db(dir, DB_WRITER));
    path_of(dir, "", path);
    len = read_all(path, bytes);
    bytes[at + 3] = value;
    write_all(path, bytes, len);
}

static void a_new_directory_is_private(void **state)
{
    char dir[PATH_BYTES];
    char path[PATH_BYTES + 32];
    struct stat found;
    struct db *db;

    (void)snprintf(dir, sizeof(dir), "%s/data", (const char *)*state);
    db = open_db(dir, DB_WRITER);
    assert_int_equal(stat(dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE_NAME);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    db_close(db);
    temp_dir_remove(dir);
}

static void the_settings_that_guard_data_hold(void **state)
{
    struct db *db = open_db(*state, DB_WRITER);

    assert_int_equal(pragma(db, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(pragma(db, "PRAGMA application_id"), DB_APPLICATION_ID);
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(db, "PRAGMA secure_delete"), 1);
    assert_int_equal(pragma(db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(db, "PRAGMA cell_size_check"), 1);
    assert_int_equal(pragma(db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(pragma(db, "PRAGMA user_version"),
                     (int64_t)sql_migration_count);
    db_close(db);
}

static void every_statement_can_be_prepared(void **state)
{
    struct db *db = open_db(*state, DB_WRITER);

    for (int i = 0; i < SQL_QUERY_COUNT; i++) {
        assert_non_null(db_stmt(db, (enum sql_query)i));
    }
    db_close(db);
}

static void a_second_process_is_refused(void **state)
{
    const char *dir = *state;
    struct db *db = open_db(dir, DB_WRITER);
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct lb_error err = {LB_OK, ""};
        struct db *second = NULL;
        bool is_right = db_open(dir, DB_WRITER, &second, &err) == LB_EBUSY &&
                        second == NULL && strstr(err.text, dir) != NULL;

        _exit(is_right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    db_close(db);
    db_close(open_db(dir, DB_WRITER));
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    static const char text[] = "Dear diary, this is no database at all, but a "
                               "text that is longer than a hundred bytes.  "
                               "It must stay as it is.\n";
    char path[PATH_BYTES];

    path_of(*state, "", path);
    write_all(path, text, sizeof(text) - 1);
    check_refused(*state, LB_EFORMAT);
    write_all(path, "short", 5);
    check_refused(*state, LB_EFORMAT);
}

static void a_database_of_another_program_is_refused(void **state)
{
    make_changed(*state, APPLICATION_ID_AT, 0x63);
    check_refused(*state, LB_EFORMAT);
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
    make_changed(*state, USER_VERSION_AT, 99);
    check_refused(*state, LB_EVERSION);
}

static void a_database_that_is_cut_off_gives_an_error(void **state)
{
    static unsigned char bytes[FILE_MAX_BYTES];
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;
    char path[PATH_BYTES];
    int64_t value = 0;
    enum lb_err rc;

    db_close(open_db(*state, DB_WRITER));
    path_of(*state, "", path);
    (void)read_all(path, bytes);
    write_all(path, bytes, 4096);
    rc = db_open(*state, DB_WRITER, &db, &err);
    if (rc == LB_OK) {
        rc = db_meta_get(db, "a", 0, &value, &err);
    }
    assert_true(rc == LB_EFORMAT || rc == LB_EIO);
    db_close(db);
}

static void a_reader_needs_a_database_that_is_there(void **state)
{
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;

    assert_int_equal(db_open(*state, DB_READER, &db, &err), LB_ENOENT);
    assert_null(db);
}

static void a_reader_cannot_write(void **state)
{
    struct db *writer = open_db(*state, DB_WRITER);
    struct db *reader = open_db(*state, DB_READER);
    struct lb_error err = {LB_OK, ""};

    assert_int_not_equal(db_meta_set(reader, "a", 1, &err), LB_OK);
    assert_int_equal(meta(writer, "a"), 0);
    db_close(reader);
    db_close(writer);
}

static void a_reader_sees_one_snapshot(void **state)
{
    struct db *writer = open_db(*state, DB_WRITER);
    struct db *reader = open_db(*state, DB_READER);

    put_meta(writer, "a", 1);
    begin(reader);
    assert_int_equal(meta(reader, "a"), 1);
    put_meta(writer, "a", 2);
    assert_int_equal(meta(reader, "a"), 1);
    db_rollback(reader);
    assert_int_equal(meta(reader, "a"), 2);
    db_close(reader);
    db_close(writer);
}

/* A statement that still stands on a row must not keep the snapshot. */
static void a_statement_left_on_a_row_keeps_no_snapshot(void **state)
{
    struct db *writer = open_db(*state, DB_WRITER);
    struct db *reader = open_db(*state, DB_READER);
    struct lb_error err = {LB_OK, ""};
    sqlite3_stmt *stmt;
    bool has_row = false;

    put_meta(writer, "a", 1);
    begin(reader);
    stmt = db_stmt(reader, SQL_META_GET);
    db_bind_text(stmt, 1, "a");
    assert_int_equal(db_next(reader, stmt, &has_row, &err), LB_OK);
    assert_true(has_row);
    db_rollback(reader);
    put_meta(writer, "b", 2);
    begin(reader);
    assert_int_equal(meta(reader, "b"), 2);
    db_rollback(reader);
    db_close(reader);
    db_close(writer);
}

static void transactions_and_savepoints_undo(void **state)
{
    struct db *db = open_db(":memory:", DB_WRITER);
    struct lb_error err = {LB_OK, ""};

    (void)state;
    begin(db);
    put_meta(db, "a", 1);
    db_rollback(db);
    db_rollback(db);
    assert_int_equal(meta(db, "a"), 0);

    begin(db);
    put_meta(db, "a", 1);
    assert_int_equal(db_savepoint(db, &err), LB_OK);
    put_meta(db, "b", 1);
    assert_true(db_rollback_to(db));
    assert_int_equal(db_savepoint(db, &err), LB_OK);
    put_meta(db, "c", 1);
    assert_int_equal(db_release(db, &err), LB_OK);
    commit(db);
    assert_int_equal(meta(db, "a"), 1);
    assert_int_equal(meta(db, "b"), 0);
    assert_int_equal(meta(db, "c"), 1);
    assert_false(db_rollback_to(db));
    db_close(db);
}

static void opening_anew_keeps_data_and_lock(void **state)
{
    struct db *db = open_db(*state, DB_WRITER);
    struct lb_error err = {LB_OK, ""};
    struct db *second = NULL;

    put_meta(db, "a", INT64_MIN);
    assert_int_equal(db_reopen(db, &err), LB_OK);
    assert_int_equal(meta(db, "a"), INT64_MIN);
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
    assert_int_equal(db_open(*state, DB_WRITER, &second, &err), LB_EBUSY);
    db_close(db);
}

/* A process dies while it writes: the last bytes of the WAL are rubbish. */
static void a_torn_end_of_the_wal_is_left_out(void **state)
{
    const char *dir = *state;
    char path[PATH_BYTES];
    struct stat found;
    int status = 0;
    pid_t child = fork();
    struct db *db;
    int fd;

    if (child == 0) {
        db = open_db(dir, DB_WRITER);
        put_meta(db, "a", 1);
        put_meta(db, "b", 2);
        _exit(0); /* without closing: the WAL stays */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    path_of(dir, "-wal", path);
    assert_int_equal(stat(path, &found), 0);
    assert_true(found.st_size > 1000);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "torn", 4, found.st_size - 1000), 4);
    assert_int_equal(close(fd), 0);
    db = open_db(dir, DB_WRITER);
    assert_int_equal(meta(db, "a"), 1);
    assert_int_equal(meta(db, "b"), 0);
    put_meta(db, "b", 3);
    db_close(db);
    db = open_db(dir, DB_WRITER);
    assert_int_equal(meta(db, "b"), 3);
    db_close(db);
}

static void texts_and_numbers_bind_null(void **state)
{
    struct db *db = open_db(":memory:", DB_WRITER);
    sqlite3_stmt *stmt = NULL;

    (void)state;
    assert_int_equal(sqlite3_prepare_v2(db_handle(db), "SELECT ?1, ?2, ?3, ?4",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    db_bind_text(stmt, 1, NULL);
    db_bind_text(stmt, 2, "");
    db_bind_number_or_null(stmt, 3, 0);
    db_bind_number_or_null(stmt, 4, -5);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(stmt, 0), SQLITE_NULL);
    assert_int_equal(sqlite3_column_type(stmt, 1), SQLITE_TEXT);
    assert_int_equal(sqlite3_column_type(stmt, 2), SQLITE_NULL);
    assert_int_equal(sqlite3_column_int64(stmt, 3), -5);
    (void)sqlite3_finalize(stmt);
    db_close(db);
    db_close(NULL);
}

#define IN_A_DIR(test)                                                         \
    cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIR(a_new_directory_is_private),
        IN_A_DIR(the_settings_that_guard_data_hold),
        IN_A_DIR(every_statement_can_be_prepared),
        IN_A_DIR(a_second_process_is_refused),
        IN_A_DIR(a_file_that_is_no_database_is_refused),
        IN_A_DIR(a_database_of_another_program_is_refused),
        IN_A_DIR(a_database_of_a_newer_version_is_refused),
        IN_A_DIR(a_database_that_is_cut_off_gives_an_error),
        IN_A_DIR(a_reader_needs_a_database_that_is_there),
        IN_A_DIR(a_reader_cannot_write),
        IN_A_DIR(a_reader_sees_one_snapshot),
        IN_A_DIR(a_statement_left_on_a_row_keeps_no_snapshot),
        cmocka_unit_test(transactions_and_savepoints_undo),
        IN_A_DIR(opening_anew_keeps_data_and_lock),
        IN_A_DIR(a_torn_end_of_the_wal_is_left_out),
        cmocka_unit_test(texts_and_numbers_bind_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
