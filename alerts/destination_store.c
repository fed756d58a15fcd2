/* destination_store.c - the states of destinations, in the database. */
#include "alerts/destination_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/json.h"

static enum lb_err run_with(struct db *db,
                            enum sql_query query,
                            const char *destination,
                            const int64_t *now_ms,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        if (now_ms != NULL) {
            (void)sqlite3_bind_int64(stmt, 2, *now_ms);
        }
    }
    return db_run(db, stmt, err);
}

enum lb_err destination_store_each(struct db *db,
                                   destination_store_fn each,
                                   void *ctx,
                                   struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DESTINATION_STATES);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        bool has_print =
            sqlite3_column_bytes(stmt, 3) == LB_SECRET_SHA256_BYTES;

        each(ctx, (const char *)sqlite3_column_text(stmt, 0),
             lane_state_read((const char *)sqlite3_column_text(stmt, 1)),
             (const char *)sqlite3_column_text(stmt, 2),
             has_print ? sqlite3_column_blob(stmt, 3) : NULL);
    }
    return rc;
}

static enum lb_err put_state(struct db *db,
                             const struct destination_store_state *state,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DESTINATION_PUT_STATE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, state->destination);
        db_bind_text(stmt, 2, lane_state_name(state->state));
        db_bind_text(stmt, 3, state->reason);
        (void)sqlite3_bind_int64(stmt, 4, state->now_ms);
        (void)sqlite3_bind_blob(stmt, 5, state->fingerprint,
                                LB_SECRET_SHA256_BYTES, SQLITE_TRANSIENT);
    }
    return db_run(db, stmt, err);
}

enum lb_err destination_store_set(struct db *db,
                                  const struct destination_store_state *state,
                                  struct lb_error *err)
{
    const char *id = state->destination;
    enum lb_err rc;

    if (state->state != LANE_OK) {
        rc = put_state(db, state, err);
        return rc == LB_OK && state->state == LANE_DISABLED
                   ? run_with(db, SQL_OUTBOX_HOLD, id, NULL, err)
                   : rc;
    }
    rc = run_with(db, SQL_DESTINATION_DROP_STATE, id, NULL, err);
    rc = rc == LB_OK
             ? run_with(db, SQL_DESTINATION_FORGET_FAILURES, id, NULL, err)
             : rc;
    return rc == LB_OK
               ? run_with(db, SQL_OUTBOX_RELEASE, id, &state->now_ms, err)
               : rc;
}

enum lb_err destination_store_discard(struct db *db,
                                      const char *destination,
                                      int64_t now_ms,
                                      struct lb_error *err)
{
    return run_with(db, SQL_OUTBOX_DISCARD, destination, &now_ms, err);
}

enum lb_err destination_store_make_due(struct db *db,
                                       const char *destination,
                                       int64_t now_ms,
                                       struct lb_error *err)
{
    return run_with(db, SQL_OUTBOX_MAKE_DUE, destination, &now_ms, err);
}

enum lb_err destination_store_note(struct db *db,
                                   const char *destination,
                                   bool is_success,
                                   int64_t now_ms,
                                   struct destination_store_health *health_out,
                                   struct lb_error *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;
    enum lb_err rc = run_with(
        db, is_success ? SQL_DESTINATION_SUCCESS : SQL_DESTINATION_FAILURE,
        destination, &now_ms, err);

    *health_out = (struct destination_store_health){0, 0};
    if (rc != LB_OK || is_success) {
        return rc;
    }
    stmt = db_stmt(db, SQL_DESTINATION_FAILING);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc == LB_OK && has_row) {
        health_out->failing_since_ms = sqlite3_column_int64(stmt, 0);
        health_out->failures = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

/* The row on which the statement stands. */
static void add_state(sqlite3_stmt *stmt, bool is_enabled, struct lb_buf *out)
{
    static const char *const counts[] = {"waiting", "held", "dead"};
    const char *state = (const char *)sqlite3_column_text(stmt, 0);
    const char *reason = (const char *)sqlite3_column_text(stmt, 1);

    if (!is_enabled) {
        state = "disabled";
        reason = "enabled: false";
    }
    lb_json_add_key(out, "state");
    lb_json_add_string(out, state == NULL ? "ok" : state);
    lb_json_add_key(out, "reason");
    lb_json_add_string(out, reason);
    for (int i = 0; i < 3; i++) {
        lb_json_add_key(out, counts[i]);
        lb_buf_add_int(out, sqlite3_column_int64(stmt, 2 + i));
    }
    lb_json_add_key(out, "last_success");
    lb_json_add_time(out, sqlite3_column_int64(stmt, 5));
}

enum lb_err destination_store_add_state(struct db *db,
                                        const struct catalog_object *object,
                                        struct lb_buf *out,
                                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DESTINATION_COUNTS);
    bool is_enabled = !cJSON_IsFalse(
        cJSON_GetObjectItemCaseSensitive(object->body, "enabled"));
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, object->id);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (rc == LB_OK && has_row) {
        add_state(stmt, is_enabled, out);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err destination_store_show(struct db *db,
                                   const struct catalog_object *object,
                                   struct lb_buf *out,
                                   struct lb_error *err)
{
    const cJSON *item;
    enum lb_err rc;

    lb_json_add_comma(out);
    lb_buf_add_char(out, '{');
    cJSON_ArrayForEach (item, object->body) {
        lb_json_add_key(out, item->string);
        lb_json_add_item(out, item);
    }
    rc = destination_store_add_state(db, object, out, err);
    lb_json_add_key(out, "created");
    lb_json_add_time(out, object->created_at_ms);
    lb_json_add_key(out, "managed_by");
    lb_json_add_string(out, object->is_from_file ? "file" : "api");
    lb_buf_add_char(out, '}');
    return rc;
}
