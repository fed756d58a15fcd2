/* alert_store.c - what rules know and what they raised, in the database. */
#include "alerts/alert_store.h"

#include <sqlite3.h>
#include <stdio.h>
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
    (void)snprintf(out, ALERT_STORE_DELIVERY_BYTES, "dl_");
    lb_text_to_hex(digest, 8, out + 3);
}

static enum lb_err put_delivery(struct db *db,
                                const struct alert_store_row *row,
                                const char *destination,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT_DELIVERY);
    char id[ALERT_STORE_DELIVERY_BYTES];

    alert_store_delivery_id(row->id, destination, id);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
        db_bind_text(stmt, 2, row->id);
        db_bind_text(stmt, 3, destination);
        (void)sqlite3_bind_int64(stmt, 4, row->fired_at_ms);
    }
    return db_run(db, stmt, err);
}

/* Where nobody had room for it. */
static enum lb_err
note_backlog(struct db *db, const char *id, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_NOTE_BACKLOG);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
    }
    return db_run(db, stmt, err);
}

enum lb_err alert_store_queue(struct db *db,
                              const struct alert_store_row *row,
                              const struct alert_store_message *message,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_PUT_MESSAGE);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, row->id);
        db_bind_text(stmt, 2, message->type);
        db_bind_text(stmt, 3, row->rule);
        db_bind_text(stmt, 4, row->site);
        db_bind_text(stmt, 5, message->body);
        (void)sqlite3_bind_int64(stmt, 6, row->fired_at_ms);
    }
    rc = db_run(db, stmt, err);
    for (size_t i = 0; i < message->count && rc == LB_OK; i++) {
        rc = put_delivery(db, row, message->destinations[i], err);
    }
    return rc == LB_OK ? note_backlog(db, row->id, err) : rc;
}

enum lb_err alert_store_get_told(struct db *db,
                                 const char *id,
                                 struct alert_store_told *told,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_GET_TOLD);
    const char *reason;
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        lb_buf_add_text(&told->data,
                        (const char *)sqlite3_column_text(stmt, 0));
        told->fired_at_ms = sqlite3_column_int64(stmt, 1);
        reason = (const char *)sqlite3_column_text(stmt, 2);
        told->is_quiet = reason != NULL && strcmp(reason, "quiet") == 0;
        told->is_held = reason != NULL && !told->is_quiet;
        told->has_message = sqlite3_column_int(stmt, 3) != 0;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err
alert_store_skip_resolved(struct db *db, const char *id, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OUTBOX_SKIP_RESOLVED);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
    }
    return db_run(db, stmt, err);
}

enum lb_err alert_store_resolve(struct db *db,
                                const char *id,
                                int64_t at_ms,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ALERT_RESOLVE);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
        (void)sqlite3_bind_int64(stmt, 2, at_ms);
    }
    return db_run(db, stmt, err);
}

/* --- what rules know of their groups
 * ------------------------------------------------------------------------ */

static void bind_key(sqlite3_stmt *stmt, int64_t rule, int64_t site)
{
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
        (void)sqlite3_bind_int64(stmt, 2, site);
    }
}

static void
read_state(sqlite3_stmt *stmt, int column, struct alert_store_state *state)
{
    const char *alert = (const char *)sqlite3_column_text(stmt, column + 5);

    state->last_fired_at_ms = sqlite3_column_int64(stmt, column);
    state->is_firing = sqlite3_column_int(stmt, column + 1) != 0;
    state->day = sqlite3_column_int64(stmt, column + 2);
    state->day_count = sqlite3_column_int64(stmt, column + 3);
    state->began_at_ms = sqlite3_column_int64(stmt, column + 4);
    (void)snprintf(state->alert, sizeof(state->alert), "%s",
                   alert == NULL ? "" : alert);
    state->held_count = sqlite3_column_int64(stmt, column + 6);
    state->muted_until_ms = sqlite3_column_int64(stmt, column + 7);
    state->total = sqlite3_column_int64(stmt, column + 8);
    state->since_at_ms = sqlite3_column_int64(stmt, column + 9);
    state->digest_from_at_ms = sqlite3_column_int64(stmt, column + 10);
}

enum lb_err alert_store_load(struct db *db,
                             struct alert_store_group *const *groups,
                             size_t count,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_GET_STATE);
        bool has_row = false;

        memset(&groups[i]->state, 0, sizeof(groups[i]->state));
        bind_key(stmt, groups[i]->rule, groups[i]->site);
        if (stmt != NULL) {
            db_bind_text(stmt, 3, groups[i]->group);
        }
        rc = db_next(db, stmt, &has_row, err);
        if (has_row) {
            read_state(stmt, 0, &groups[i]->state);
            (void)sqlite3_reset(stmt);
        }
    }
    return rc;
}

static bool says_nothing(const struct alert_store_state *state)
{
    return state->last_fired_at_ms == 0 && state->began_at_ms == 0 &&
           state->muted_until_ms == 0 && state->day_count == 0 &&
           state->held_count == 0 && state->total == 0 &&
           state->since_at_ms == 0 && state->digest_from_at_ms == 0 &&
           !state->is_firing;
}

enum lb_err alert_store_save(struct db *db,
                             struct alert_store_group *const *groups,
                             size_t count,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct alert_store_state *state = &groups[i]->state;
        bool is_empty = says_nothing(state);
        sqlite3_stmt *stmt =
            db_stmt(db, is_empty ? SQL_RULE_DROP_STATE : SQL_RULE_PUT_STATE);

        bind_key(stmt, groups[i]->rule, groups[i]->site);
        if (stmt != NULL) {
            db_bind_text(stmt, 3, groups[i]->group);
        }
        if (stmt != NULL && !is_empty) {
            (void)sqlite3_bind_int64(stmt, 4, state->last_fired_at_ms);
            (void)sqlite3_bind_int(stmt, 5, state->is_firing);
            (void)sqlite3_bind_int64(stmt, 6, state->day);
            (void)sqlite3_bind_int64(stmt, 7, state->day_count);
            (void)sqlite3_bind_int64(stmt, 8, state->began_at_ms);
            db_bind_text(stmt, 9,
                         state->alert[0] == '\0' ? NULL : state->alert);
            (void)sqlite3_bind_int64(stmt, 10, state->held_count);
            (void)sqlite3_bind_int64(stmt, 11, state->muted_until_ms);
            (void)sqlite3_bind_int64(stmt, 12, state->total);
            (void)sqlite3_bind_int64(stmt, 13, state->since_at_ms);
            (void)sqlite3_bind_int64(stmt, 14, state->digest_from_at_ms);
        }
        rc = db_run(db, stmt, err);
    }
    return rc;
}

enum lb_err alert_store_each(
    struct db *db,
    int64_t rule,
    enum lb_err (*each)(void *ctx, const struct alert_store_group *group),
    void *ctx,
    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_EACH_STATE);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct alert_store_group group = {.rule = rule};

        group.site = sqlite3_column_int64(stmt, 0);
        group.group = (const char *)sqlite3_column_text(stmt, 1);
        read_state(stmt, 2, &group.state);
        rc = each(ctx, &group);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, rc, "out of memory");
        }
    }
    return rc;
}

/* --- values that were seen
 * ------------------------------------------------------------------------ */

/* The statement for a value that stays, or for one that expires. */
static sqlite3_stmt *bind_seen(struct db *db,
                               enum sql_query staying,
                               enum sql_query expiring,
                               const struct alert_store_seen *row)
{
    bool does_expire = row->expires_at_ms != 0;
    sqlite3_stmt *stmt = db_stmt(db, does_expire ? expiring : staying);

    bind_key(stmt, row->rule, row->site);
    if (stmt != NULL) {
        (void)sqlite3_bind_blob(stmt, 3, row->hash, (int)sizeof(row->hash),
                                SQLITE_STATIC);
    }
    if (stmt != NULL && does_expire) {
        (void)sqlite3_bind_int64(stmt, 4, row->expires_at_ms);
    }
    return stmt;
}

enum lb_err alert_store_load_seen(struct db *db,
                                  struct alert_store_seen *rows,
                                  size_t count,
                                  struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        sqlite3_stmt *stmt =
            bind_seen(db, SQL_RULE_GET_SEEN, SQL_RULE_GET_CROWD, &rows[i]);
        bool has_row = false;

        rows[i].last_seen_at_ms = 0;
        rows[i].is_changed = false;
        rc = db_next(db, stmt, &has_row, err);
        if (has_row) {
            rows[i].last_seen_at_ms = sqlite3_column_int64(stmt, 0);
            (void)sqlite3_reset(stmt);
        }
    }
    return rc;
}

enum lb_err alert_store_save_seen(struct db *db,
                                  const struct alert_store_seen *rows,
                                  size_t count,
                                  bool is_learning,
                                  struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        sqlite3_stmt *stmt;

        if (!rows[i].is_changed) {
            continue;
        }
        stmt = bind_seen(db, SQL_RULE_PUT_SEEN, SQL_RULE_PUT_CROWD, &rows[i]);
        if (stmt != NULL && rows[i].expires_at_ms == 0) {
            (void)sqlite3_bind_int64(stmt, 4, rows[i].last_seen_at_ms);
            (void)sqlite3_bind_int(stmt, 5, is_learning);
        }
        rc = db_run(db, stmt, err);
    }
    return rc;
}

enum lb_err alert_store_expire_seen(struct db *db,
                                    int64_t at_ms,
                                    int64_t max,
                                    bool *has_more_out,
                                    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_EXPIRE_CROWD);
    enum lb_err rc;

    bind_key(stmt, at_ms, max);
    rc = db_run(db, stmt, err);
    *has_more_out = rc == LB_OK && sqlite3_changes(db_handle(db)) == max;
    return rc;
}

enum lb_err alert_store_count_seen(struct db *db,
                                   int64_t rule,
                                   enum lb_err (*each)(void *ctx,
                                                       int64_t site,
                                                       int64_t count),
                                   void *ctx,
                                   struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_COUNT_SEEN);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        rc = each(ctx, sqlite3_column_int64(stmt, 0),
                  sqlite3_column_int64(stmt, 1));
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, rc, "out of memory");
        }
    }
    return rc;
}

/* --- readiness, and the log's account of time
 * ------------------------------------------------------------------------ */

enum lb_err alert_store_get_ready(struct db *db,
                                  int64_t rule,
                                  int64_t *seq_out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_GET_READY);
    bool has_row = false;
    enum lb_err rc;

    *seq_out = -1;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *seq_out = sqlite3_column_int64(stmt, 0);
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

static enum lb_err forget_rows(struct db *db,
                               enum sql_query query,
                               int64_t rule,
                               int64_t max,
                               int64_t *count_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);
    enum lb_err rc;

    bind_key(stmt, rule, max);
    rc = db_run(db, stmt, err);
    *count_out = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    return rc;
}

enum lb_err alert_store_forget(struct db *db,
                               int64_t max,
                               bool *has_more_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_REMOVED);
    int64_t count = 0;
    int64_t rule = 0;
    enum lb_err rc = db_next(db, stmt, has_more_out, err);

    if (rc != LB_OK || !*has_more_out) {
        return rc;
    }
    rule = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    rc = forget_rows(db, SQL_RULE_FORGET_SEEN, rule, max, &count, err);
    if (rc == LB_OK && count == 0) {
        rc = forget_rows(db, SQL_RULE_FORGET_GATHERED, rule, max, &count, err);
    }
    if (rc == LB_OK && count == 0) {
        rc = forget_rows(db, SQL_RULE_FORGET_SLOTS, rule, max, &count, err);
    }
    if (rc == LB_OK && count == 0) {
        rc = forget_rows(db, SQL_RULE_FORGET_BASELINES, rule, max, &count, err);
    }
    if (rc == LB_OK && count == 0) {
        rc = forget_rows(db, SQL_RULE_FORGET_STATE, rule, max, &count, err);
    }
    return rc == LB_OK && count == 0
               ? db_run_number(db, SQL_RULE_FORGET, rule, err)
               : rc;
}

static enum lb_err each_entry(struct db *db,
                              sqlite3_stmt *stmt,
                              bool (*each)(void *ctx,
                                           const struct entry *entry),
                              void *ctx,
                              struct lb_error *err)
{
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct entry entry = {.seq = sqlite3_column_int64(stmt, 0)};

        entry.kind = (enum entry_kind)sqlite3_column_int(stmt, 1);
        entry.received_at_ms = sqlite3_column_int64(stmt, 2);
        entry.data = (const char *)sqlite3_column_text(stmt, 3);
        if (!each(ctx, &entry)) {
            (void)sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

enum lb_err alert_store_each_jump(struct db *db,
                                  int64_t upto_seq,
                                  bool (*each)(void *ctx,
                                               const struct entry *entry),
                                  void *ctx,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_JUMPS);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, upto_seq);
    }
    return each_entry(db, stmt, each, ctx, err);
}

enum lb_err alert_store_each_pull(struct db *db,
                                  int64_t upto_seq,
                                  bool (*each)(void *ctx,
                                               const struct entry *entry),
                                  void *ctx,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_PULLS);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, upto_seq);
    }
    return each_entry(db, stmt, each, ctx, err);
}

enum lb_err alert_store_each_coverage(struct db *db,
                                      int64_t upto_seq,
                                      bool (*each)(void *ctx,
                                                   const struct entry *entry),
                                      void *ctx,
                                      struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_COVERAGE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, upto_seq);
    }
    return each_entry(db, stmt, each, ctx, err);
}
