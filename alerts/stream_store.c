/* stream_store.c - how far the streams of destinations have come. */
#include "alerts/stream_store.h"

#include "alerts/alert_store.h"
#include "alerts/outbox_store.h"

enum lb_err stream_store_get(struct db *db,
                             const char *destination,
                             struct stream_store_state *state_out,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_STREAM_GET);
    bool has_row = false;
    enum lb_err rc;

    *state_out = (struct stream_store_state){-1, false};
    db_bind_text(stmt, 1, destination);
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        state_out->planned_seq = sqlite3_column_int64(stmt, 0);
        state_out->is_open = sqlite3_column_int(stmt, 1) != 0;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err put_batch(struct db *db,
                             const char *destination,
                             const struct stream_store_batch *batch,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT_MESSAGE);
    char delivery[OUTBOX_ID_BYTES];
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, batch->id);
        db_bind_text(stmt, 2, "event.batch");
        db_bind_text(stmt, 3, "");
        db_bind_text(stmt, 4, "");
        db_bind_text(stmt, 5, batch->body);
        (void)sqlite3_bind_int64(stmt, 6, batch->now_ms);
    }
    rc = db_run(db, stmt, err);
    if (rc != LB_OK) {
        return rc;
    }
    alert_store_delivery_id(batch->id, destination, delivery);
    stmt = db_stmt(db, SQL_ALERT_PUT_DELIVERY);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery);
        db_bind_text(stmt, 2, batch->id);
        db_bind_text(stmt, 3, destination);
        (void)sqlite3_bind_int64(stmt, 4, batch->now_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err stream_store_put(struct db *db,
                             const char *destination,
                             int64_t planned_seq,
                             const struct stream_store_batch *batch,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt;
    enum lb_err rc =
        batch == NULL ? LB_OK : put_batch(db, destination, batch, err);

    if (rc != LB_OK) {
        return rc;
    }
    stmt = db_stmt(db, SQL_STREAM_PUT);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        (void)sqlite3_bind_int64(stmt, 2, planned_seq);
        if (batch == NULL) {
            (void)sqlite3_bind_null(stmt, 3);
        } else {
            db_bind_text(stmt, 3, batch->id);
        }
    }
    return db_run(db, stmt, err);
}
