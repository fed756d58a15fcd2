/* outbox_store.c - messages on their way out, in the database. */
#include "alerts/outbox_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static enum lb_err read_next_due(struct db *db,
                                 const char *destination,
                                 int64_t now_ms,
                                 int64_t *next_due_out,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_NEXT_DUE);
    bool has_row = false;
    enum lb_err rc;

    *next_due_out = INT64_MAX;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
        db_bind_text(stmt, 2, destination);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        if (sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
            *next_due_out = sqlite3_column_int64(stmt, 0);
        }
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err outbox_read_due(struct db *db,
                            const char *destination,
                            int64_t now_ms,
                            struct outbox_due *due,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_DUE);
    bool has_row = false;
    enum lb_err rc;

    due->count = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)due->max);
        db_bind_text(stmt, 3, destination);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct outbox_delivery *row = &due->rows[due->count];
        const char *body = (const char *)sqlite3_column_text(stmt, 3);

        (void)snprintf(row->id, sizeof(row->id), "%s",
                       (const char *)sqlite3_column_text(stmt, 0));
        (void)snprintf(row->message, sizeof(row->message), "%s",
                       (const char *)sqlite3_column_text(stmt, 1));
        (void)snprintf(row->destination, sizeof(row->destination), "%s",
                       (const char *)sqlite3_column_text(stmt, 2));
        row->body = strdup(body == NULL ? "" : body);
        row->created_at_ms = sqlite3_column_int64(stmt, 4);
        row->attempts = sqlite3_column_int64(stmt, 5);
        due->count++;
    }
    return rc == LB_OK ? read_next_due(db, destination, now_ms,
                                       &due->next_due_at_ms, err)
                       : rc;
}

enum lb_err outbox_reset_sending(struct db *db, struct lb_error *err)
{
    return db_run(db, db_stmt(db, SQL_OUTBOX_RESET), err);
}

enum lb_err outbox_set_sending(struct db *db,
                               const struct outbox_delivery *delivery,
                               bool *is_claimed_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_SENDING);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery->id);
        (void)sqlite3_bind_int64(stmt, 2, delivery->attempts);
    }
    rc = db_run(db, stmt, err);
    *is_claimed_out = rc == LB_OK && sqlite3_changes(db_handle(db)) > 0;
    return rc;
}

static enum lb_err put_attempt(struct db *db,
                               const struct outbox_attempt *attempt,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_ATTEMPT);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, attempt->delivery);
        (void)sqlite3_bind_int64(stmt, 2, attempt->number);
        (void)sqlite3_bind_int64(stmt, 3, attempt->started_at_ms);
        (void)sqlite3_bind_int64(stmt, 4, attempt->ms);
        (void)sqlite3_bind_int64(stmt, 5, attempt->dns_ms);
        (void)sqlite3_bind_int64(stmt, 6, attempt->connect_ms);
        (void)sqlite3_bind_int64(stmt, 7, attempt->tls_ms);
        (void)sqlite3_bind_int64(stmt, 8, attempt->first_byte_ms);
        db_bind_text(stmt, 9, attempt->address);
        db_bind_text(stmt, 10, attempt->outcome);
        db_bind_number_or_null(stmt, 11, attempt->status);
        db_bind_text(stmt, 12, attempt->error);
        (void)sqlite3_bind_int64(stmt, 13, attempt->request_bytes);
        db_bind_text(stmt, 14, attempt->excerpt);
    }
    return db_run(db, stmt, err);
}

enum lb_err outbox_finish(struct db *db,
                          const struct outbox_attempt *attempt,
                          const char *state,
                          const char *reason,
                          int64_t due_at_ms,
                          struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_FINISH);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, attempt->delivery);
        db_bind_text(stmt, 2, state);
        db_bind_text(stmt, 3, reason);
        (void)sqlite3_bind_int64(stmt, 4, due_at_ms);
        (void)sqlite3_bind_int64(stmt, 5, attempt->number);
        db_bind_text(stmt, 6, attempt->remote_id);
    }
    rc = db_run(db, stmt, err);
    return rc == LB_OK ? put_attempt(db, attempt, err) : rc;
}
