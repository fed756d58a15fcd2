/* merge_store.c - alerts that become one digest. */
#include "alerts/merge_store.h"

#include <sqlite3.h>

#include "alerts/alert_store.h"
#include "alerts/outbox_store.h"

enum lb_err merge_store_count(struct db *db,
                              const char *destination,
                              const struct merge_store_times *times,
                              int64_t *count_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_MERGE_COUNT);
    bool has_row = false;
    enum lb_err rc;

    *count_out = 0;
    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        (void)sqlite3_bind_int64(stmt, 2, times->until_ms);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *count_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err merge_store_each(struct db *db,
                             const char *destination,
                             const struct merge_store_times *times,
                             void (*fn)(void *ctx,
                                        const struct merge_store_row *row),
                             void *ctx,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_MERGE_EACH);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        (void)sqlite3_bind_int64(stmt, 2, times->until_ms);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        const struct merge_store_row row = {
            (const char *)sqlite3_column_text(stmt, 0),
            (const char *)sqlite3_column_text(stmt, 1),
            (const char *)sqlite3_column_text(stmt, 2),
            sqlite3_column_int64(stmt, 3)};

        fn(ctx, &row);
    }
    return rc;
}

enum lb_err merge_store_put(struct db *db,
                            const char *destination,
                            const struct merge_store_digest *digest,
                            struct lb_error *err)
{
    const struct alert_store_row row = {.id = digest->id,
                                        .rule = "",
                                        .site = digest->site,
                                        .severity = "",
                                        .fired_at_ms = digest->times.now_ms};
    const char *const to[] = {destination};
    const struct alert_store_message message = {"alert.digest", digest->body,
                                                to, 1};
    sqlite3_stmt *stmt = db_stmt(db, SQL_MERGE_SKIP);
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, destination);
        (void)sqlite3_bind_int64(stmt, 2, digest->times.until_ms);
        db_bind_text(stmt, 3, digest->id);
        (void)sqlite3_bind_int64(stmt, 4, digest->times.now_ms);
    }
    rc = db_run(db, stmt, err);
    return rc == LB_OK ? alert_store_queue(db, &row, &message, err) : rc;
}
