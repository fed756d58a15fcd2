/* db.c - one SQLite connection. */
#include "sql/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sql/db_file.h"
#include "sql/dict.h"
#include "sql/log_migrate.h"

/* Texts of the dictionary that are kept for the next reader. */
#define TEXTS_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct db {
    sqlite3 *handle;                          /* owned */
    sqlite3_stmt *stmts[SQL_QUERY_COUNT + 1]; /* owned */
    enum db_mode mode;
    struct segment_cache *segments; /* borrowed; NULL: none */
    struct dict_cache *texts;       /* owned; NULL: not made yet */
    uint64_t texts_forgotten;       /* dict_forgotten() as it was made */
    int lock_fd;                    /* owned; -1: none */
    bool is_counted;                /* in writer_count */
    char dir[4096];
    char path[4096 + 32];
};

void db_set_segments(struct db *db, struct segment_cache *segments)
{
    db->segments = segments;
}

struct segment_cache *db_segments(const struct db *db)
{
    return db->segments;
}

struct dict_cache *db_texts(struct db *db)
{
    db->texts = db->texts == NULL ? dict_cache_new() : db->texts;
    return db->texts;
}

void db_trim_texts(struct db *db)
{
    uint64_t forgotten = dict_forgotten();

    if (dict_cache_bytes(db->texts) > TEXTS_BYTES_MAX ||
        forgotten != db->texts_forgotten) {
        dict_cache_free(db->texts);
        db->texts = NULL;
        db->texts_forgotten = forgotten;
    }
}

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

static enum lb_err code_of(int sqlite)
{
    switch (sqlite & 0xff) {
    case SQLITE_FULL:
        return LB_EFULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return LB_EIO;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return LB_EREADONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return LB_EBUSY;
    case SQLITE_NOMEM:
        return LB_ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return LB_EFORMAT;
    case SQLITE_CONSTRAINT:
        return LB_EEXIST;
    case SQLITE_INTERRUPT:
        return LB_ECANCELLED;
    default:
        return LB_EINTERNAL;
    }
}

enum lb_err db_error(struct db *db, const char *what, struct lb_error *err)
{
    int sqlite = sqlite3_extended_errcode(db->handle);

    return lb_err_set(err, code_of(sqlite), "%s: %s", what,
                      sqlite3_errmsg(db->handle));
}

static enum lb_err
run_text(struct db *db, const char *sql, struct lb_error *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return db_error(db, db->path, err);
    }
    return LB_OK;
}

/* Sets a pragma and checks what it answers. */
static enum lb_err set_pragma(struct db *db,
                              const char *sql,
                              const char *want,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = NULL;
    enum lb_err rc = LB_OK;
    const char *got = "";

    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) != SQLITE_OK) {
        return db_error(db, db->path, err);
    }
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        got = (const char *)sqlite3_column_text(stmt, 0);
        got = got == NULL ? "" : got;
    }
    if (want[0] != '\0' && strcmp(got, want) != 0) {
        rc = sqlite3_errcode(db->handle) == SQLITE_ROW ||
                     sqlite3_errcode(db->handle) == SQLITE_OK
                 ? lb_err_set(err, LB_EIO, "%s: %s answered \"%s\", not \"%s\"",
                              db->path, sql, got, want)
                 : db_error(db, db->path, err);
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

static enum lb_err set_pragmas(struct db *db, struct lb_error *err)
{
    static const char *const common[][2] = {
        {"PRAGMA trusted_schema=OFF", ""},
        {"PRAGMA cell_size_check=ON", ""},
        {"PRAGMA temp_store=MEMORY", ""},
        {"PRAGMA query_only=ON", ""},
        /* A year of a site's days by one dimension is 3 MB of pages. */
        {"PRAGMA cache_size=-4096", ""},
    };
    static const char *const writer[][2] = {
        {"PRAGMA trusted_schema=OFF", ""},
        {"PRAGMA cell_size_check=ON", ""},
        {"PRAGMA temp_store=MEMORY", ""},
        {"PRAGMA synchronous=FULL", ""},
        {"PRAGMA synchronous", "2"},
        {"PRAGMA secure_delete=ON", "1"},
        {"PRAGMA cache_size=-2048", ""},
        {"PRAGMA wal_autocheckpoint=0", "0"},
        {"PRAGMA journal_size_limit=16777216", "16777216"},
    };
    const char *const(*rows)[2] = db->mode == DB_WRITER ? writer : common;
    size_t count = db->mode == DB_WRITER ? sizeof(writer) / sizeof(writer[0])
                                         : sizeof(common) / sizeof(common[0]);
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = set_pragma(db, rows[i][0], rows[i][1], err);
    }
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
                            0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return rc;
}

static enum lb_err
read_version(struct db *db, int64_t *version_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &stmt,
                           NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        (void)sqlite3_finalize(stmt);
        return db_error(db, db->path, err);
    }
    *version_out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return LB_OK;
}

static enum lb_err
migrate_step(struct db *db, size_t index, struct lb_error *err)
{
    char version[64];
    enum lb_err rc = db_begin(db, err);

    if (rc != LB_OK) {
        return rc;
    }
    rc = run_text(db, sql_migrations[index].text, err);
    (void)snprintf(version, sizeof(version), "PRAGMA user_version=%zu",
                   index + 1);
    rc = rc == LB_OK ? run_text(db, version, err) : rc;
    rc = rc == LB_OK ? db_commit(db, err) : rc;
    if (rc != LB_OK) {
        db_rollback(db);
        return lb_err_prefix(err, "migration %s", sql_migrations[index].name);
    }
    return LB_OK;
}

static enum lb_err migrate(struct db *db, struct lb_error *err)
{
    int64_t version = 0;
    enum lb_err rc = read_version(db, &version, err);

    if (rc == LB_OK && (size_t)version < sql_migration_count &&
        log_migrate_functions(db->handle, true) != SQLITE_OK) {
        rc = db_error(db, "migrate", err);
    }
    for (size_t i = (size_t)version; rc == LB_OK && i < sql_migration_count;
         i++) {
        rc = migrate_step(db, i, err);
    }
    (void)log_migrate_functions(db->handle, false);
    /* So that the file's own header tells its version, not only the WAL's. */
    if (rc == LB_OK && (size_t)version < sql_migration_count) {
        (void)sqlite3_wal_checkpoint_v2(db->handle, NULL,
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    return rc;
}

/* A new file gets what can't be changed later, in one write of its first page.
 */
static enum lb_err prepare_new(struct db *db, struct lb_error *err)
{
    char sql[96];

    (void)snprintf(sql, sizeof(sql),
                   "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=%d",
                   DB_APPLICATION_ID);
    return run_text(db, sql, err);
}

static enum lb_err
connect_file(struct db *db, bool is_new, struct lb_error *err)
{
    bool is_memory = strcmp(db->dir, ":memory:") == 0;
    int flags = db->mode == DB_WRITER
                    ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                    : SQLITE_OPEN_READONLY;
    int64_t version = 0;
    enum lb_err rc;

    if (sqlite3_open_v2(db->path, &db->handle, flags | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        return db->handle == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                  : db_error(db, db->path, err);
    }
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    (void)sqlite3_extended_result_codes(db->handle, 1);
    rc = is_new ? prepare_new(db, err) : LB_OK;
    if (rc == LB_OK && !is_memory && db->mode == DB_WRITER) {
        rc = set_pragma(db, "PRAGMA journal_mode=WAL", "wal", err);
    }
    rc = rc == LB_OK ? set_pragmas(db, err) : rc;
    rc = rc == LB_OK && db->mode == DB_WRITER ? migrate(db, err) : rc;
    rc = rc == LB_OK ? read_version(db, &version, err) : rc;
    if (rc == LB_OK && (size_t)version != sql_migration_count) {
        rc = lb_err_set(
            err, LB_EVERSION,
            "%s has schema %lld, this linkbell knows %zu; run the newer one",
            db->path, (long long)version, sql_migration_count);
    }
    return rc;
}

static void disconnect(struct db *db)
{
    for (size_t i = 0; i < SQL_QUERY_COUNT; i++) {
        (void)sqlite3_finalize(db->stmts[i]);
        db->stmts[i] = NULL;
    }
    if (db->handle != NULL && sqlite3_close(db->handle) != SQLITE_OK) {
        lb_log(LB_LOG_ERROR, "db_close", "text=\"a statement was left open\"");
    }
    db->handle = NULL;
}

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Counting what it allocates would take SQLite a lock each time. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Files that this process writes: whoever closes another descriptor of one of
 * them ends the locks of SQLite on it (fcntl(2): they are the process's), and
 * the next program that looked into the file would take its WAL away. */
static atomic_int writer_count;

enum lb_err db_open(const char *dir,
                    enum db_mode mode,
                    struct db **db_out,
                    struct lb_error *err)
{
    bool is_memory = strcmp(dir, ":memory:") == 0;
    struct db *db = calloc(1, sizeof(*db));
    enum lb_err rc = LB_OK;
    bool is_new = is_memory;

    (void)pthread_once(&configured, configure);
    *db_out = NULL;
    if (db == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    db->mode = mode;
    db->lock_fd = -1;
    (void)snprintf(db->dir, sizeof(db->dir), "%s", dir);
    if (is_memory) {
        (void)snprintf(db->path, sizeof(db->path), ":memory:");
    } else {
        (void)snprintf(db->path, sizeof(db->path), "%s/%s", db->dir,
                       DB_FILE_NAME);
        if (mode == DB_WRITER) {
            rc = db_file_lock(db->dir, &db->lock_fd, err);
        }
        if (rc == LB_OK &&
            (mode == DB_WRITER || atomic_load(&writer_count) == 0)) {
            rc = db_file_check(db->path, mode == DB_WRITER, sql_migration_count,
                               &is_new, err);
        }
        if (rc == LB_OK && mode == DB_WRITER) {
            db->is_counted = true;
            (void)atomic_fetch_add(&writer_count, 1);
        }
    }
    rc = rc == LB_OK ? connect_file(db, is_new, err) : rc;
    if (rc != LB_OK) {
        db_close(db);
        return rc;
    }
    *db_out = db;
    return LB_OK;
}

enum lb_err db_reopen(struct db *db, struct lb_error *err)
{
    disconnect(db);
    return connect_file(db, false, err);
}

void db_close(struct db *db)
{
    if (db == NULL) {
        return;
    }
    disconnect(db);
    dict_cache_free(db->texts);
    if (db->is_counted) {
        (void)atomic_fetch_sub(&writer_count, 1);
    }
    if (db->lock_fd >= 0) {
        (void)close(db->lock_fd);
    }
    free(db);
}

sqlite3_stmt *db_stmt(struct db *db, enum sql_query query)
{
    sqlite3_stmt *stmt = db->stmts[query];

    if (db->handle == NULL) {
        return NULL;
    }
    if (stmt == NULL) {
        if (sqlite3_prepare_v3(db->handle, sql_queries[query].text, -1,
                               SQLITE_PREPARE_PERSISTENT, &db->stmts[query],
                               NULL) != SQLITE_OK) {
            return NULL;
        }
        return db->stmts[query];
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return stmt;
}

enum lb_err db_run(struct db *db, sqlite3_stmt *stmt, struct lb_error *err)
{
    enum lb_err rc = LB_OK;
    int step;

    if (stmt == NULL) {
        return db->handle == NULL
                   ? lb_err_set(err, LB_EIO, "%s is not open", db->path)
                   : db_error(db, "prepare", err);
    }
    step = sqlite3_step(stmt);
    if (step != SQLITE_DONE && step != SQLITE_ROW) {
        rc = db_error(db, "write", err);
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

enum lb_err db_run_number(struct db *db,
                          enum sql_query query,
                          int64_t number,
                          struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, number);
    }
    return db_run(db, stmt, err);
}

enum lb_err db_next(struct db *db,
                    sqlite3_stmt *stmt,
                    bool *has_row_out,
                    struct lb_error *err)
{
    enum lb_err rc = LB_OK;
    int step;

    *has_row_out = false;
    if (stmt == NULL) {
        return db->handle == NULL
                   ? lb_err_set(err, LB_EIO, "%s is not open", db->path)
                   : db_error(db, "prepare", err);
    }
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        *has_row_out = true;
        return LB_OK;
    }
    if (step != SQLITE_DONE) {
        rc = db_error(db, "read", err);
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

/* What begins and ends transactions, prepared like all else: a group needs four
 * of these. */
static enum lb_err
run_plain(struct db *db, enum sql_query query, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);
    enum lb_err rc = LB_OK;

    if (db->handle == NULL) {
        return lb_err_set(err, LB_EIO, "%s is not open", db->path);
    }
    if (stmt == NULL || sqlite3_step(stmt) != SQLITE_DONE) {
        rc = db_error(db, db->path, err);
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

enum lb_err db_begin(struct db *db, struct lb_error *err)
{
    return run_plain(
        db, db->mode == DB_WRITER ? SQL_DB_BEGIN_WRITE : SQL_DB_BEGIN, err);
}

enum lb_err db_commit(struct db *db, struct lb_error *err)
{
    return run_plain(db, SQL_DB_COMMIT, err);
}

/* A statement that still stands on a row would keep its snapshot open. */
static void reset_all(struct db *db)
{
    for (size_t i = 0; i < SQL_QUERY_COUNT; i++) {
        if (db->stmts[i] != NULL && sqlite3_stmt_busy(db->stmts[i]) != 0) {
            (void)sqlite3_reset(db->stmts[i]);
        }
    }
}

void db_rollback(struct db *db)
{
    reset_all(db);
    if (db->handle != NULL && sqlite3_get_autocommit(db->handle) == 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

enum lb_err db_savepoint(struct db *db, struct lb_error *err)
{
    return run_plain(db, SQL_DB_SAVEPOINT, err);
}

enum lb_err db_release(struct db *db, struct lb_error *err)
{
    return run_plain(db, SQL_DB_RELEASE, err);
}

bool db_rollback_to(struct db *db)
{
    if (sqlite3_get_autocommit(db->handle) != 0) {
        return false;
    }
    (void)sqlite3_exec(db->handle, "ROLLBACK TO derive; RELEASE derive", NULL,
                       NULL, NULL);
    return sqlite3_get_autocommit(db->handle) == 0;
}

enum lb_err db_meta_get(struct db *db,
                        const char *key,
                        int64_t fallback,
                        int64_t *value_out,
                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_META_GET);
    bool has_row = false;
    enum lb_err rc;

    *value_out = fallback;
    if (stmt != NULL) {
        db_bind_text(stmt, 1, key);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *value_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err
db_meta_set(struct db *db, const char *key, int64_t value, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_META_SET);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, key);
        (void)sqlite3_bind_int64(stmt, 2, value);
    }
    return db_run(db, stmt, err);
}

void db_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    if (text == NULL) {
        (void)sqlite3_bind_null(stmt, at);
    } else {
        (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
    }
}

void db_bind_number_or_null(sqlite3_stmt *stmt, int at, int64_t number)
{
    if (number == 0) {
        (void)sqlite3_bind_null(stmt, at);
    } else {
        (void)sqlite3_bind_int64(stmt, at, number);
    }
}

const char *db_dir(const struct db *db)
{
    return db->dir;
}

int64_t db_file_bytes(const struct db *db)
{
    struct stat found;

    return stat(db->path, &found) == 0 ? (int64_t)found.st_size : 0;
}

int64_t db_wal_bytes(const struct db *db)
{
    char path[sizeof(db->path) + 8];
    struct stat found;

    (void)snprintf(path, sizeof(path), "%s-wal", db->path);
    return stat(path, &found) == 0 ? (int64_t)found.st_size : 0;
}
