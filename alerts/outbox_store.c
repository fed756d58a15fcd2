/* outbox_store.c - messages on their way out, in the database. */
#include "alerts/outbox_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "alerts/alert_store.h"

#define PIECE_ROWS 500 /* a few milliseconds of the writer */

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

static void copy_column(sqlite3_stmt *stmt, int column, char *out, size_t bytes)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    (void)snprintf(out, bytes, "%s", text == NULL ? "" : text);
}

static void read_row(sqlite3_stmt *stmt, struct outbox_delivery *row)
{
    const char *body = (const char *)sqlite3_column_text(stmt, 3);

    copy_column(stmt, 0, row->id, sizeof(row->id));
    copy_column(stmt, 1, row->message, sizeof(row->message));
    copy_column(stmt, 2, row->destination, sizeof(row->destination));
    row->body = strdup(body == NULL ? "" : body);
    row->created_at_ms = sqlite3_column_int64(stmt, 4);
    row->attempts = sqlite3_column_int64(stmt, 5);
    row->tries = sqlite3_column_int64(stmt, 6);
    row->queued_at_ms = sqlite3_column_int64(stmt, 7);
    if (row->queued_at_ms < row->created_at_ms) {
        row->queued_at_ms = row->created_at_ms;
    }
    copy_column(stmt, 8, row->remote_id, sizeof(row->remote_id));
    row->due_at_ms = sqlite3_column_int64(stmt, 9);
    row->part = sqlite3_column_int64(stmt, 10);
}

static enum lb_err read_head(struct db *db,
                             const char *destination,
                             int64_t now_ms,
                             struct outbox_due *due,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_HEAD);
    bool has_row = false;
    enum lb_err rc;

    due->next_due_at_ms = INT64_MAX;
    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc == LB_OK && has_row) {
        due->next_due_at_ms = sqlite3_column_int64(stmt, 9);
        if (due->next_due_at_ms <= now_ms) {
            read_row(stmt, &due->rows[0]);
            due->count = 1;
            due->next_due_at_ms = INT64_MAX;
        }
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err outbox_read_due(struct db *db,
                            const char *destination,
                            bool is_ordered,
                            int64_t now_ms,
                            struct outbox_due *due,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;
    enum lb_err rc;

    due->count = 0;
    if (is_ordered) {
        return read_head(db, destination, now_ms, due, err);
    }
    stmt = db_stmt(db, SQL_OUTBOX_DUE);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)due->max);
        db_bind_text(stmt, 3, destination);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        read_row(stmt, &due->rows[due->count++]);
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
        (void)sqlite3_bind_int64(stmt, 2, delivery->tries);
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
        (void)sqlite3_bind_int64(stmt, 5, attempt->attempts);
        db_bind_text(stmt, 6, attempt->remote_id);
    }
    rc = db_run(db, stmt, err);
    return rc == LB_OK ? put_attempt(db, attempt, err) : rc;
}

enum lb_err outbox_put_part(struct db *db,
                            const struct outbox_delivery *delivery,
                            int64_t part,
                            int64_t now_ms,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_PUT_PART);
    char message[OUTBOX_NAME_BYTES + 24];
    char id[OUTBOX_ID_BYTES];

    (void)snprintf(message, sizeof(message), "%s_%lld", delivery->message,
                   (long long)part);
    alert_store_delivery_id(message, delivery->destination, id);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery->id);
        db_bind_text(stmt, 2, id);
        (void)sqlite3_bind_int64(stmt, 3, part);
        (void)sqlite3_bind_int64(stmt, 4, now_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err outbox_postpone(struct db *db,
                            const char *delivery,
                            int64_t due_at_ms,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_POSTPONE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery);
        (void)sqlite3_bind_int64(stmt, 2, due_at_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err outbox_skip(struct db *db,
                        const char *delivery,
                        const char *reason,
                        int64_t now_ms,
                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_SKIP);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery);
        db_bind_text(stmt, 2, reason);
        (void)sqlite3_bind_int64(stmt, 3, now_ms);
    }
    return db_run(db, stmt, err);
}

static enum lb_err sweep_state(struct db *db,
                               const char *state,
                               int64_t before_ms,
                               int64_t *rows_out,
                               struct lb_error *err)
{
    static const enum sql_query queries[] = {
        SQL_OUTBOX_SWEEP_ATTEMPTS, SQL_OUTBOX_SWEEP_MESSAGES, SQL_OUTBOX_SWEEP};
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]) && rc == LB_OK;
         i++) {
        sqlite3_stmt *stmt = db_stmt(db, queries[i]);

        if (stmt != NULL) {
            db_bind_text(stmt, 1, state);
            (void)sqlite3_bind_int64(stmt, 2, before_ms);
            (void)sqlite3_bind_int64(stmt, 3, PIECE_ROWS);
        }
        rc = db_run(db, stmt, err);
    }
    *rows_out = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    return rc;
}

enum lb_err outbox_sweep_piece(struct db *db,
                               const struct outbox_sweep_times *times,
                               bool *is_over_out,
                               struct lb_error *err)
{
    const struct {
        const char *state;
        int64_t before_ms;
    } parts[] = {{"delivered", times->delivered_before_ms},
                 {"skipped", times->delivered_before_ms},
                 {"dead", times->dead_before_ms}};
    enum lb_err rc = LB_OK;
    int64_t rows = 0;

    *is_over_out = true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && rc == LB_OK;
         i++) {
        rc = sweep_state(db, parts[i].state, parts[i].before_ms, &rows, err);
        *is_over_out = *is_over_out && rows < PIECE_ROWS;
    }
    return rc;
}

enum lb_err outbox_expire(struct db *db,
                          const char *destination,
                          int64_t now_ms,
                          int64_t before_ms,
                          struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_EXPIRE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        (void)sqlite3_bind_int64(stmt, 2, now_ms);
        (void)sqlite3_bind_int64(stmt, 3, before_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err outbox_retry(struct db *db,
                         const char *delivery,
                         int64_t now_ms,
                         struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_RETRY);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery);
        (void)sqlite3_bind_int64(stmt, 2, now_ms);
    }
    rc = db_run(db, stmt, err);
    if (rc == LB_OK && sqlite3_changes(db_handle(db)) == 0) {
        return lb_err_set(err, LB_ENOTFOUND, "there is no such delivery");
    }
    return rc;
}

static void bind_choice(sqlite3_stmt *stmt, const struct outbox_choice *choice)
{
    if (stmt != NULL) {
        db_bind_text(stmt, 1, choice->state);
        db_bind_text(stmt, 2, choice->destination);
        (void)sqlite3_bind_int64(stmt, 3, choice->since_ms);
        (void)sqlite3_bind_int64(stmt, 4, choice->until_ms);
        (void)sqlite3_bind_int64(stmt, 5, choice->now_ms);
    }
}

enum lb_err outbox_retry_piece(struct db *db,
                               const struct outbox_choice *choice,
                               int64_t *count_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_RETRY_MANY);
    enum lb_err rc;

    bind_choice(stmt, choice);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 6, OUTBOX_RETRY_PIECE);
    }
    rc = db_run(db, stmt, err);
    *count_out = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    return rc;
}

enum lb_err outbox_count(struct db *db,
                         const struct outbox_choice *choice,
                         int64_t *count_out,
                         struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_RETRY_COUNT);
    bool has_row = false;
    enum lb_err rc;

    *count_out = 0;
    bind_choice(stmt, choice);
    rc = db_next(db, stmt, &has_row, err);
    if (rc == LB_OK && has_row) {
        *count_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err outbox_put_sending(struct db *db,
                               const struct outbox_new *row,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT_MESSAGE);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, row->message);
        db_bind_text(stmt, 2, row->type);
        db_bind_text(stmt, 3, row->rule);
        db_bind_text(stmt, 4, row->site);
        db_bind_text(stmt, 5, row->body);
        (void)sqlite3_bind_int64(stmt, 6, row->now_ms);
    }
    rc = db_run(db, stmt, err);
    stmt = db_stmt(db, SQL_OUTBOX_PUT_SENDING);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, row->delivery);
        db_bind_text(stmt, 2, row->message);
        db_bind_text(stmt, 3, row->destination);
        (void)sqlite3_bind_int64(stmt, 4, row->now_ms);
    }
    return rc == LB_OK ? db_run(db, stmt, err) : rc;
}

enum lb_err outbox_note_remote(struct db *db,
                               const char *delivery,
                               const char *remote_id,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_NOTE_REMOTE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, delivery);
        db_bind_text(stmt, 2, remote_id);
    }
    return db_run(db, stmt, err);
}

enum lb_err outbox_read_depth(struct db *db,
                              const char *destination,
                              struct outbox_depth *depth_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_DEPTH);
    bool has_row = false;
    enum lb_err rc;

    *depth_out = (struct outbox_depth){0, 0, 0, 0};
    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc == LB_OK && has_row) {
        depth_out->waiting = sqlite3_column_int64(stmt, 0);
        depth_out->held = sqlite3_column_int64(stmt, 1);
        depth_out->oldest_at_ms = sqlite3_column_int64(stmt, 2);
        depth_out->left_out = sqlite3_column_int64(stmt, 3);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err outbox_backlog_news(struct db *db,
                                int64_t now_ms,
                                struct outbox_backlog *out,
                                bool *has_news_out,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_BACKLOG_NEWS);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
    }
    rc = db_next(db, stmt, has_news_out, err);
    if (rc == LB_OK && *has_news_out) {
        copy_column(stmt, 0, out->destination, sizeof(out->destination));
        out->most = sqlite3_column_int64(stmt, 1);
        out->is_told = sqlite3_column_int(stmt, 2) != 0;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err outbox_backlog_note(struct db *db,
                                const struct outbox_backlog *news,
                                int64_t now_ms,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_BACKLOG_TOLD);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, news->destination);
        (void)sqlite3_bind_int64(stmt, 2, news->is_told ? 0 : now_ms);
    }
    return db_run(db, stmt, err);
}
