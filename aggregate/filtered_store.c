/* filtered_store.c - reading how many events were refused. */
#include "aggregate/filtered_store.h"

#include <sqlite3.h>

enum lb_err
filtered_store_read(struct db *db,
                    int64_t site,
                    const int64_t first_and_last[2],
                    void (*each)(void *ctx, const char *code, int64_t count),
                    void *ctx,
                    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_REFUSED_SUM);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
        (void)sqlite3_bind_int64(stmt, 2, first_and_last[0]);
        (void)sqlite3_bind_int64(stmt, 3, first_and_last[1]);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        each(ctx, (const char *)sqlite3_column_text(stmt, 0),
             sqlite3_column_int64(stmt, 1));
    }
    return rc;
}
