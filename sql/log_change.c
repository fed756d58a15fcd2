/* log_change.c - what changes in the log after it was written. */
#include "sql/log_change.h"

#include "sql/log_store.h"

enum lb_err
log_change_count(struct db *db, int64_t *count_out, struct lb_error *err)
{
    return db_meta_get(db, "log_changes", 0, count_out, err);
}

/* Whoever seals the event, or writes its segment anew, sees that it changed. */
static enum lb_err note_change(struct db *db, int64_t seq, struct lb_error *err)
{
    sqlite3_stmt *stmt;
    int64_t changes = 0;
    enum lb_err rc = log_change_count(db, &changes, err);

    rc = rc == LB_OK ? db_meta_set(db, "log_changes", changes + 1, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    stmt = db_stmt(db, SQL_LOG_TOUCH);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, changes + 1);
        (void)sqlite3_bind_int64(stmt, 2, seq);
    }
    return db_run(db, stmt, err);
}

enum lb_err log_change_any(struct db *db,
                           int64_t since_count,
                           int64_t after_seq,
                           int64_t upto_seq,
                           bool *is_any_out,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_TOUCHED_SINCE);
    bool has_row = false;
    enum lb_err rc;

    *is_any_out = false;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, since_count);
        (void)sqlite3_bind_int64(stmt, 2, after_seq);
        (void)sqlite3_bind_int64(stmt, 3, upto_seq);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *is_any_out = sqlite3_column_int(stmt, 0) != 0;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err log_change_forget(struct db *db, struct lb_error *err)
{
    return db_run(db, db_stmt(db, SQL_LOG_TOUCHED_CLEAR), err);
}

/* bits NULL: the event is gone. */
static enum lb_err put_change(struct db *db,
                              int64_t seq,
                              const int64_t *bits,
                              int64_t reason,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEGMENT_PUT_CHANGE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, seq);
        if (bits != NULL) {
            (void)sqlite3_bind_int64(stmt, 2, *bits);
        }
        db_bind_number_or_null(stmt, 3, reason);
    }
    return db_run(db, stmt, err);
}

enum lb_err
log_change_class(struct db *db, const struct entry *entry, struct lb_error *err)
{
    int64_t bits = entry_bits(entry);
    int64_t sealed_to = 0;
    sqlite3_stmt *stmt;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    rc = rc == LB_OK ? note_change(db, entry->seq, err) : rc;
    if (rc != LB_OK || entry->seq <= sealed_to) {
        return rc != LB_OK ? rc
                           : put_change(db, entry->seq, &bits,
                                        entry->dict[ENTRY_DICT_REASON], err);
    }
    stmt = db_stmt(db, SQL_LOG_SET_CLASS);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->seq);
        (void)sqlite3_bind_int64(stmt, 2, bits);
        db_bind_number_or_null(stmt, 3, entry->dict[ENTRY_DICT_REASON]);
    }
    return db_run(db, stmt, err);
}

enum lb_err log_change_erase(struct db *db, int64_t seq, struct lb_error *err)
{
    int64_t sealed_to = 0;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    rc = rc == LB_OK ? note_change(db, seq, err) : rc;
    /* Sealed rows stand there, too, until they are deleted. */
    rc = rc == LB_OK ? db_run_number(db, SQL_ERASE_EVENT, seq, err) : rc;
    return rc == LB_OK && seq <= sealed_to ? put_change(db, seq, NULL, 0, err)
                                           : rc;
}
