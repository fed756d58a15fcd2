/* alert_store.c - what rules know and what they raised, in the database. */
#include "alerts/alert_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"

enum lb_err alert_store_put(struct db *db,
                            const struct alert_store_row *row,
                            bool *is_new_out,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, row->id);
        db_bind_text(stmt, 2, row->rule);
        db_bind_text(stmt, 3, row->site);
        db_bind_text(stmt, 4, row->severity);
        (void)sqlite3_bind_int64(stmt, 5, row->fired_at_ms);
        db_bind_text(stmt, 6, row->held_back == NULL ? "firing" : "held");
        db_bind_text(stmt, 7, row->held_back);
        db_bind_text(stmt, 8, row->data);
    }
    rc = db_run(db, stmt, err);
    *is_new_out = rc == LB_OK && sqlite3_changes(db_handle(db)) > 0;
    return rc;
}

void alert_store_delivery_id(const char *message,
                             const char *destination,
                             char out[ALERT_STORE_DELIVERY_BYTES])
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX ctx;

    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, message, strlen(message) + 1);
    (void)SHA256_Update(&ctx, destination, strlen(destination));
    (void)SHA256_Final(digest, &ctx);
    memcpy(out, "dl_", 3);
    lb_text_to_hex(digest, 8, out + 3);
}

enum lb_err alert_store_queue(struct db *db,
                              const struct alert_store_row *row,
                              const char *type,
                              const char *body,
                              const char *const *destinations,
                              size_t count,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT_MESSAGE);
    char id[ALERT_STORE_DELIVERY_BYTES];
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, row->id);
        db_bind_text(stmt, 2, type);
        db_bind_text(stmt, 3, row->rule);
        db_bind_text(stmt, 4, row->site);
        db_bind_text(stmt, 5, body);
        (void)sqlite3_bind_int64(stmt, 6, row->fired_at_ms);
    }
    rc = db_run(db, stmt, err);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        alert_store_delivery_id(row->id, destinations[i], id);
        stmt = db_stmt(db, SQL_ALERT_PUT_DELIVERY);
        if (stmt != NULL) {
            db_bind_text(stmt, 1, id);
            db_bind_text(stmt, 2, row->id);
            db_bind_text(stmt, 3, destinations[i]);
            (void)sqlite3_bind_int64(stmt, 4, row->fired_at_ms);
        }
        rc = db_run(db, stmt, err);
    }
    return rc;
}

static void bind_key(sqlite3_stmt *stmt, int64_t rule, int64_t site)
{
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
        (void)sqlite3_bind_int64(stmt, 2, site);
    }
}

enum lb_err alert_store_get_state(struct db *db,
                                  int64_t rule,
                                  int64_t site,
                                  const char *group,
                                  struct alert_store_state *state_out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_GET_STATE);
    bool has_row = false;
    enum lb_err rc;

    memset(state_out, 0, sizeof(*state_out));
    bind_key(stmt, rule, site);
    if (stmt != NULL) {
        db_bind_text(stmt, 3, group);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        state_out->last_fired_at_ms = sqlite3_column_int64(stmt, 0);
        state_out->is_firing = sqlite3_column_int(stmt, 1) != 0;
        state_out->day = sqlite3_column_int64(stmt, 2);
        state_out->day_count = sqlite3_column_int64(stmt, 3);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err alert_store_put_state(struct db *db,
                                  int64_t rule,
                                  int64_t site,
                                  const char *group,
                                  const struct alert_store_state *state,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_PUT_STATE);

    bind_key(stmt, rule, site);
    if (stmt != NULL) {
        db_bind_text(stmt, 3, group);
        (void)sqlite3_bind_int64(stmt, 4, state->last_fired_at_ms);
        (void)sqlite3_bind_int(stmt, 5, state->is_firing);
        (void)sqlite3_bind_int64(stmt, 6, state->day);
        (void)sqlite3_bind_int64(stmt, 7, state->day_count);
    }
    return db_run(db, stmt, err);
}

enum lb_err alert_store_get_seen(struct db *db,
                                 int64_t rule,
                                 int64_t site,
                                 const uint8_t hash[16],
                                 int64_t *last_seen_out,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_GET_SEEN);
    bool has_row = false;
    enum lb_err rc;

    *last_seen_out = 0;
    bind_key(stmt, rule, site);
    if (stmt != NULL) {
        (void)sqlite3_bind_blob(stmt, 3, hash, 16, SQLITE_STATIC);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *last_seen_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err alert_store_put_seen(struct db *db,
                                 int64_t rule,
                                 int64_t site,
                                 const uint8_t hash[16],
                                 int64_t at_ms,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_PUT_SEEN);

    bind_key(stmt, rule, site);
    if (stmt != NULL) {
        (void)sqlite3_bind_blob(stmt, 3, hash, 16, SQLITE_STATIC);
        (void)sqlite3_bind_int64(stmt, 4, at_ms);
    }
    return db_run(db, stmt, err);
}

enum lb_err alert_store_is_ready(struct db *db,
                                 int64_t rule,
                                 bool *is_ready_out,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_GET_READY);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
    }
    rc = db_next(db, stmt, is_ready_out, err);
    if (*is_ready_out) {
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err alert_store_set_ready(struct db *db,
                                  int64_t rule,
                                  int64_t seq,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_SET_READY);

    bind_key(stmt, rule, seq);
    return db_run(db, stmt, err);
}
