/* backup.c - copies of the database. */
#include "sql/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql/db.h"
#include "sql/db_file.h"

#define PATH_BYTES 8192
#define PAGES_A_STEP 1024
#define BUSY_MS 10
#define COPY_BYTES ((size_t)1024 * 1024)

/* What no copy may hold: with a salt, visitors could be told by it for as long
 * as the copy lives. */
static const char *const forget = "PRAGMA journal_mode=DELETE;"
                                  "PRAGMA secure_delete=ON;"
                                  "BEGIN;"
                                  "DELETE FROM visitor_hashes;"
                                  "DELETE FROM salts;"
                                  "COMMIT;"
                                  "PRAGMA incremental_vacuum;";

static enum lb_err system_error(const char *path, struct lb_error *err)
{
    int number = errno;
    char text[128];

    return lb_err_set(err,
                      number == ENOSPC || number == EDQUOT    ? LB_EFULL
                      : number == EACCES || number == EROFS   ? LB_EREADONLY
                      : number == ENOENT || number == ENOTDIR ? LB_ENOENT
                                                              : LB_EIO,
                      "%s: %s", path, strerror_r(number, text, sizeof(text)));
}

static enum lb_err
sqlite_error(sqlite3 *handle, const char *path, struct lb_error *err)
{
    int code = sqlite3_errcode(handle) & 0xff;

    return lb_err_set(err,
                      code == SQLITE_FULL      ? LB_EFULL
                      : code == SQLITE_NOTADB  ? LB_EFORMAT
                      : code == SQLITE_CORRUPT ? LB_EFORMAT
                                               : LB_EIO,
                      "%s: %s", path, sqlite3_errmsg(handle));
}

/* Makes what was renamed into the directory of path last. */
static enum lb_err sync_directory_of(const char *path, struct lb_error *err)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_BYTES];
    int fd;
    bool is_synced;

    (void)snprintf(dir, sizeof(dir), "%.*s/",
                   slash == NULL ? 1 : (int)(slash - path),
                   slash == NULL ? "." : path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced ? LB_OK : system_error(path, err);
}

static enum lb_err sync_file(const char *path, struct lb_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced ? LB_OK : system_error(path, err);
}

static enum lb_err
move_over(const char *from, const char *to, struct lb_error *err)
{
    return rename(from, to) == 0 ? sync_directory_of(to, err)
                                 : system_error(to, err);
}

#define OF_SEGMENTS                                                            \
    "+ coalesce((SELECT sum(row_count) FROM segments WHERE state = 1), 0) - "  \
    "(SELECT count(*) FROM segment_changes WHERE bits IS NULL)"
#define SEALED_TO                                                              \
    "coalesce((SELECT value FROM meta WHERE key = 'sealed_to'), 0)"
#define LAST_SEALED "(SELECT max(max_ts) FROM segments WHERE state = 1), 0)"

/* How many events there are and when the newest came: of the newest schema that
 * the copy may have, of one without packs, of one without segments. */
static int prepare_facts(sqlite3 *handle, sqlite3_stmt **stmt_out)
{
    static const char *const facts[] = {
        "SELECT (SELECT coalesce(sum(count), 0) FROM event_packs WHERE upto "
        "> " SEALED_TO ") " OF_SEGMENTS ", coalesce((SELECT max(received) FROM "
        "event_packs), " LAST_SEALED,
        "SELECT (SELECT count(*) FROM events WHERE seq > " SEALED_TO
        ") " OF_SEGMENTS
        ", coalesce((SELECT max(received) FROM events), " LAST_SEALED,
        "SELECT count(*), coalesce(max(received), 0) FROM events"};
    int code = SQLITE_ERROR;

    for (size_t i = 0;
         i < sizeof(facts) / sizeof(facts[0]) && code != SQLITE_OK; i++) {
        code = sqlite3_prepare_v2(handle, facts[i], -1, stmt_out, NULL);
    }
    return code;
}

static enum lb_err read_facts(sqlite3 *handle,
                              const char *path,
                              struct backup_facts *facts,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct stat status;
    enum lb_err rc = LB_OK;

    if (prepare_facts(handle, &stmt) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        rc = sqlite_error(handle, path, err);
    } else {
        facts->events = sqlite3_column_int64(stmt, 0);
        facts->last_at_ms = sqlite3_column_int64(stmt, 1);
        facts->bytes = stat(path, &status) == 0 ? status.st_size : 0;
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* --- there ---------------------------------------------------------------- */

static enum lb_err copy_pages(struct db *from,
                              sqlite3 *to,
                              const char *path,
                              const struct backup_watch *watch,
                              struct lb_error *err)
{
    sqlite3_backup *backup =
        sqlite3_backup_init(to, "main", db_handle(from), "main");
    int code = SQLITE_OK;

    if (backup == NULL) {
        return sqlite_error(to, path, err);
    }
    while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        int pages;

        code = sqlite3_backup_step(backup, PAGES_A_STEP);
        pages = sqlite3_backup_pagecount(backup);
        if (pages > 0) {
            int done = pages - sqlite3_backup_remaining(backup);

            watch->moved(watch->ctx, done, (double)done / (double)pages);
        }
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            (void)sqlite3_sleep(BUSY_MS);
        }
    }
    code = sqlite3_backup_finish(backup);
    return code == SQLITE_OK ? LB_OK : sqlite_error(to, path, err);
}

/* The snapshot is that of this moment, however long copying takes. */
static enum lb_err begin_snapshot(struct db *db, struct lb_error *err)
{
    int64_t ignored;
    enum lb_err rc = db_begin(db, err);

    return rc == LB_OK ? db_meta_get(db, "catalog", 0, &ignored, err) : rc;
}

static enum lb_err write_copy(const char *dir,
                              const char *path,
                              const struct backup_watch *watch,
                              struct backup_facts *facts,
                              struct lb_error *err)
{
    struct db *from = NULL;
    sqlite3 *to = NULL;
    enum lb_err rc = db_open(dir, DB_READER, &from, err);

    rc = rc == LB_OK ? begin_snapshot(from, err) : rc;
    if (rc == LB_OK &&
        sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        rc = lb_err_set(err, LB_EIO, "%s can't be opened", path);
    }
    rc = rc == LB_OK ? copy_pages(from, to, path, watch, err) : rc;
    db_close(from);
    if (rc == LB_OK &&
        sqlite3_exec(to, forget, NULL, NULL, NULL) != SQLITE_OK) {
        rc = sqlite_error(to, path, err);
    }
    rc = rc == LB_OK ? read_facts(to, path, facts, err) : rc;
    (void)sqlite3_close(to);
    return rc;
}

enum lb_err backup_write(const char *dir,
                         const char *path,
                         const struct backup_watch *watch,
                         struct backup_facts *facts_out,
                         struct lb_error *err)
{
    char aside[PATH_BYTES];
    int fd;
    enum lb_err rc;

    if (snprintf(aside, sizeof(aside), "%s.XXXXXX", path) >=
        (int)sizeof(aside)) {
        return lb_err_set(err, LB_EINVAL, "the file's name is too long");
    }
    fd = mkstemp(aside); /* 0600 */
    if (fd < 0) {
        return system_error(path, err);
    }
    (void)close(fd);
    rc = write_copy(dir, aside, watch, facts_out, err);
    rc = rc == LB_OK ? sync_file(aside, err) : rc;
    rc = rc == LB_OK ? move_over(aside, path, err) : rc;
    if (rc != LB_OK) {
        (void)unlink(aside);
    }
    return rc;
}

/* --- and back ------------------------------------------------------------- */

/* The path as a URI that SQLite opens without looking for other files. */
static enum lb_err
open_copy(const char *path, sqlite3 **handle_out, struct lb_error *err)
{
    static const char hex[] = "0123456789abcdef";
    char uri[PATH_BYTES];
    size_t used = (size_t)snprintf(uri, sizeof(uri), "file:");

    for (const char *c = path; *c != '\0' && used + 20 < sizeof(uri); c++) {
        if (strchr("%?#", *c) != NULL) {
            uri[used++] = '%';
            uri[used++] = hex[(unsigned char)*c >> 4];
            uri[used++] = hex[(unsigned char)*c & 15];
        } else {
            uri[used++] = *c;
        }
    }
    (void)snprintf(uri + used, sizeof(uri) - used, "?immutable=1");
    return sqlite3_open_v2(uri, handle_out,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                           NULL) == SQLITE_OK
               ? LB_OK
               : lb_err_set(err, LB_EIO, "%s can't be opened", path);
}

static enum lb_err
check_copy(const char *path, struct backup_facts *facts, struct lb_error *err)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *handle = NULL;
    bool is_new = false;
    const char *verdict = "";
    enum lb_err rc =
        db_file_check(path, false, sql_migration_count, &is_new, err);

    if (rc == LB_OK && is_new) {
        return lb_err_set(err, LB_EFORMAT, "%s is empty", path);
    }
    rc = rc == LB_OK ? open_copy(path, &handle, err) : rc;
    if (rc == LB_OK && (sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)",
                                           -1, &stmt, NULL) != SQLITE_OK ||
                        sqlite3_step(stmt) != SQLITE_ROW)) {
        rc = sqlite_error(handle, path, err);
    }
    if (rc == LB_OK) {
        verdict = (const char *)sqlite3_column_text(stmt, 0);
        rc = verdict != NULL && strcmp(verdict, "ok") == 0
                 ? LB_OK
                 : lb_err_set(err, LB_EFORMAT, "%s is damaged: %.200s", path,
                              verdict == NULL ? "out of memory" : verdict);
    }
    (void)sqlite3_finalize(stmt);
    rc = rc == LB_OK ? read_facts(handle, path, facts, err) : rc;
    (void)sqlite3_close(handle);
    return rc;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t got = write(fd, bytes, len);

        if (got < 0 && errno != EINTR) {
            return false;
        }
        bytes += got > 0 ? got : 0;
        len -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool copy_bytes(int from,
                       int to,
                       int64_t all_bytes,
                       const struct backup_watch *watch)
{
    char *piece = malloc(COPY_BYTES);
    int64_t copied = 0;
    ssize_t got = piece == NULL ? -1 : 1;

    while (got > 0) {
        got = read(from, piece, COPY_BYTES);
        if (got > 0 && !write_all(to, piece, (size_t)got)) {
            got = -1;
        }
        copied += got > 0 ? got : 0;
        watch->moved(watch->ctx, copied / 4096,
                     all_bytes == 0 ? 1 : (double)copied / (double)all_bytes);
    }
    free(piece);
    return got == 0 && fsync(to) == 0;
}

static enum lb_err copy_file(const char *path,
                             const char *to_path,
                             int64_t all_bytes,
                             const struct backup_watch *watch,
                             struct lb_error *err)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  S_IRUSR | S_IWUSR);
    enum lb_err rc = LB_OK;

    if (from < 0 || to < 0 || !copy_bytes(from, to, all_bytes, watch)) {
        rc = system_error(from < 0 ? path : to_path, err);
    }
    if (from >= 0) {
        (void)close(from);
    }
    if (to >= 0) {
        (void)close(to);
    }
    return rc;
}

/* Brings what stands in the old database's WAL into its file, and removes the
 * WAL: it must never lie beside the new file.  A damaged old database has
 * nothing to bring. */
static enum lb_err end_old(const char *path, struct lb_error *err)
{
    static const char *const ends[] = {"-wal", "-shm"};
    char other[PATH_BYTES];
    sqlite3 *handle = NULL;
    bool is_gone = true;

    if (access(path, F_OK) == 0 &&
        sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) ==
            SQLITE_OK) {
        (void)sqlite3_exec(handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL,
                           NULL, NULL);
    }
    (void)sqlite3_close(handle);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(other, sizeof(other), "%s%s", path, ends[i]);
        if (truncate(other, 0) == 0) {
            (void)sync_file(other, err);
        }
        is_gone = (unlink(other) == 0 || errno == ENOENT) && is_gone;
    }
    return is_gone ? sync_directory_of(path, err) : system_error(path, err);
}

enum lb_err backup_restore(const char *dir,
                           const char *path,
                           const struct backup_watch *watch,
                           struct backup_facts *facts_out,
                           struct lb_error *err)
{
    char database[PATH_BYTES];
    char aside[PATH_BYTES + 16];
    int lock = -1;
    enum lb_err rc = check_copy(path, facts_out, err);

    if (rc == LB_OK && snprintf(database, sizeof(database), "%s/%s", dir,
                                DB_FILE_NAME) >= (int)sizeof(database)) {
        return lb_err_set(err, LB_EINVAL, "the directory's name is too long");
    }
    rc = rc == LB_OK ? db_file_lock(dir, &lock, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    (void)snprintf(aside, sizeof(aside), "%s" DB_FILE_RESTORE, database);
    rc = copy_file(path, aside, facts_out->bytes, watch, err);
    rc = rc == LB_OK ? end_old(database, err) : rc;
    rc = rc == LB_OK ? move_over(aside, database, err) : rc;
    if (rc != LB_OK) {
        (void)unlink(aside);
    }
    (void)close(lock);
    return rc;
}
