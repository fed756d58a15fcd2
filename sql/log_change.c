/* log_change.c - what changes in the log after it was written. */
#include "sql/log_change.h"

#include "sql/log_rows.h"
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

/* An event that is to change: its new class, or gone. */
struct wanted {
    const struct entry *to; /* NULL: gone */
    int64_t seq;
};

static enum log_rows_fate change_event(void *ctx, struct entry *event)
{
    const struct wanted *wanted = ctx;

    if (event->seq != wanted->seq) {
        return LOG_ROWS_KEPT;
    }
    if (wanted->to == NULL) {
        return LOG_ROWS_GONE;
    }
    entry_set_bits(event, entry_bits(wanted->to));
    event->dict[ENTRY_DICT_REASON] = wanted->to->dict[ENTRY_DICT_REASON];
    return LOG_ROWS_CHANGED;
}

/* Where it stands in a pack. */
static enum lb_err change_row(struct db *db,
                              int64_t seq,
                              const struct entry *to,
                              struct lb_error *err)
{
    struct wanted wanted = {to, seq};
    const struct log_rows_edit edit = {&wanted, change_event};
    int64_t upto_seq = 0;

    return log_rows_change(db, seq - 1, &edit, &upto_seq, err);
}

enum lb_err
log_change_class(struct db *db, const struct entry *entry, struct lb_error *err)
{
    int64_t bits = entry_bits(entry);
    int64_t sealed_to = 0;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    rc = rc == LB_OK ? note_change(db, entry->seq, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    return entry->seq <= sealed_to
               ? put_change(db, entry->seq, &bits,
                            entry->dict[ENTRY_DICT_REASON], err)
               : change_row(db, entry->seq, entry, err);
}

enum lb_err log_change_erase(struct db *db, int64_t seq, struct lb_error *err)
{
    int64_t sealed_to = 0;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    rc = rc == LB_OK ? note_change(db, seq, err) : rc;
    /* Sealed ones stand there, too, until their packs are deleted. */
    rc = rc == LB_OK ? change_row(db, seq, NULL, err) : rc;
    return rc == LB_OK && seq <= sealed_to ? put_change(db, seq, NULL, 0, err)
                                           : rc;
}

/* --- ageing --------------------------------------------------------------- */

struct ageing {
    const struct horizon *horizon;
};

static enum log_rows_fate age_event(void *ctx, struct entry *event)
{
    const struct ageing *ageing = ctx;

    return event->ts_at_ms < horizon_of(ageing->horizon, event->site)
               ? LOG_ROWS_GONE
               : LOG_ROWS_KEPT;
}

enum lb_err log_change_age(struct db *db,
                           const struct horizon *horizon,
                           int64_t after_seq,
                           size_t packs,
                           int64_t *upto_out,
                           struct lb_error *err)
{
    struct ageing ageing = {horizon};
    const struct log_rows_edit edit = {&ageing, age_event};
    enum lb_err rc = LB_OK;

    *upto_out = after_seq;
    for (size_t i = 0; i < packs && rc == LB_OK && *upto_out != INT64_MAX;
         i++) {
        rc = log_rows_change(db, *upto_out, &edit, upto_out, err);
    }
    return rc;
}
