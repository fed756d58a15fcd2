/* answer_store.c - answers under an Idempotency-Key. */
#include "ingest/answer_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/clock.h"

#define ANSWER_KEPT_MS (24 * LB_MS_PER_HOUR)

enum lb_err answer_store_find(struct db *db,
                              struct answer *answer,
                              bool *same_out,
                              char **text_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_GET_ANSWER);
    bool has_row = false;
    enum lb_err rc;

    *text_out = NULL;
    if (stmt != NULL) {
        db_bind_text(stmt, 1, answer->token);
        db_bind_text(stmt, 2, answer->route);
        db_bind_text(stmt, 3, answer->key);
        (void)sqlite3_bind_int64(stmt, 4, lb_clock_wall_ms() - ANSWER_KEPT_MS);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (!has_row) {
        return rc;
    }
    *same_out =
        sqlite3_column_bytes(stmt, 0) == 32 &&
        memcmp(sqlite3_column_blob(stmt, 0), answer->body_hash, 32) == 0;
    answer->status = sqlite3_column_int(stmt, 1);
    *text_out = strdup((const char *)sqlite3_column_text(stmt, 2));
    (void)sqlite3_reset(stmt);
    return *text_out == NULL ? LB_ENOMEM : LB_EEXIST;
}

enum lb_err answer_store_keep(struct db *db,
                              const struct answer *answer,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_PUT_ANSWER);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, answer->token);
        db_bind_text(stmt, 2, answer->route);
        db_bind_text(stmt, 3, answer->key);
        (void)sqlite3_bind_blob(stmt, 4, answer->body_hash, 32, SQLITE_STATIC);
        (void)sqlite3_bind_int(stmt, 5, answer->status);
        db_bind_text(stmt, 6, answer->text);
        (void)sqlite3_bind_int64(stmt, 7, lb_clock_wall_ms());
    }
    return db_run(db, stmt, err);
}

enum lb_err answer_store_expire(struct db *db, struct lb_error *err)
{
    return db_run_number(db, SQL_EVENT_EXPIRE_ANSWERS,
                         lb_clock_wall_ms() - ANSWER_KEPT_MS, err);
}
