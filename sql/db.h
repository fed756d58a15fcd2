/* db.h - one SQLite connection: opening, pragmas, migrations, statements by
 * name, transactions, and SQLite's codes in our words.  A connection belongs to
 * one thread at a time. */
#ifndef LINKBELL_SQL_DB_H
#define LINKBELL_SQL_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/embedded.h" /* enum sql_query, made from query/ at build time */

#define DB_FILE_NAME "linkbell.db"
#define DB_APPLICATION_ID 0x6c6e6b62 /* "lnkb" */
#define DB_BUSY_MS 2000              /* how long SQLite waits for a lock */

struct db; /* a connection and its prepared statements */

enum db_mode {
    DB_WRITER, /* creates directory (0700) and file (0600), locks, migrates */
    DB_READER  /* read only; the file must be there and of this version */
};

/* Opens DIR/linkbell.db (or ":memory:" as dir, DB_WRITER only).  db_close()
 * frees *db_out.  On error *db_out is NULL and err is one sentence that names
 * file, fault and remedy: LB_EBUSY a second process holds the directory,
 * LB_EVERSION, LB_EFORMAT not a linkbell database or damaged, LB_EREADONLY,
 * LB_EFULL, LB_EIO. The file's bytes are untouched by a failed open. */
LB_MUST_CHECK enum lb_err db_open(const char *dir,
                                  enum db_mode mode,
                                  struct db **db_out,
                                  struct lb_error *err);
void db_close(struct db *db); /* NULL is fine */

/* Closes and opens the file anew, keeping the lock: after a failed fsync. */
LB_MUST_CHECK enum lb_err db_reopen(struct db *db, struct lb_error *err);

/* What readers of sealed segments share; borrowed, NULL: nothing. */
struct segment_cache;
void db_set_segments(struct db *db, struct segment_cache *segments);
struct segment_cache *db_segments(const struct db *db);

/* Texts of the dictionary that those who read with this connection share; made
 * at the first call and freed with db.  NULL: out of memory. */
struct dict_cache;
struct dict_cache *db_texts(struct db *db);
/* Between two readers: forgets the texts when they are many, or some were
 * erased. */
void db_trim_texts(struct db *db);

sqlite3 *db_handle(struct db *db);
const char *db_dir(const struct db *db);

/* The statement, prepared once, reset and with its bindings cleared; NULL when
 * it can't be prepared (db_error() says why).  Owned by db.  Not for nested use
 * of the same query. */
sqlite3_stmt *db_stmt(struct db *db, enum sql_query query);

/* Steps a statement that returns no row, and resets it. */
LB_MUST_CHECK enum lb_err
db_run(struct db *db, sqlite3_stmt *stmt, struct lb_error *err);

/* The same for a query whose one parameter is a number. */
LB_MUST_CHECK enum lb_err db_run_number(struct db *db,
                                        enum sql_query query,
                                        int64_t number,
                                        struct lb_error *err);

/* Steps once.  *has_row_out tells whether a row stands ready; at the end and on
 * error the statement is reset. */
LB_MUST_CHECK enum lb_err db_next(struct db *db,
                                  sqlite3_stmt *stmt,
                                  bool *has_row_out,
                                  struct lb_error *err);

/* Translates the connection's last error: LB_EFULL, LB_EIO, LB_EREADONLY,
 * LB_EBUSY, LB_ENOMEM, LB_EFORMAT, else LB_EINTERNAL; text "what: sqlite's". */
enum lb_err db_error(struct db *db, const char *what, struct lb_error *err);

/* BEGIN IMMEDIATE (writer) or BEGIN (reader). */
LB_MUST_CHECK enum lb_err db_begin(struct db *db, struct lb_error *err);
LB_MUST_CHECK enum lb_err db_commit(struct db *db, struct lb_error *err);
void db_rollback(struct db *db); /* fine without a transaction */
LB_MUST_CHECK enum lb_err db_savepoint(struct db *db, struct lb_error *err);
LB_MUST_CHECK enum lb_err db_release(struct db *db, struct lb_error *err);
/* Undoes back to the savepoint.  False when SQLite has already undone the whole
 * transaction (full disk, I/O error). */
bool db_rollback_to(struct db *db);

/* One value of table meta; *value_out is fallback when there is none. */
LB_MUST_CHECK enum lb_err db_meta_get(struct db *db,
                                      const char *key,
                                      int64_t fallback,
                                      int64_t *value_out,
                                      struct lb_error *err);
LB_MUST_CHECK enum lb_err db_meta_set(struct db *db,
                                      const char *key,
                                      int64_t value,
                                      struct lb_error *err);

/* Binding and reading that every store needs.  NULL text binds NULL. */
void db_bind_text(sqlite3_stmt *stmt,
                  int at,
                  const char *text); /* borrowed until reset */
void db_bind_number_or_null(sqlite3_stmt *stmt,
                            int at,
                            int64_t number); /* 0: NULL */

/* Bytes: of the database file and of its WAL (0 when absent). */
int64_t db_file_bytes(const struct db *db);
int64_t db_wal_bytes(const struct db *db);

#endif
