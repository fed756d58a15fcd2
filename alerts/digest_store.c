/* digest_store.c - alerts that wait for the digest of their rule and site. */
#include "alerts/digest_store.h"

#include <sqlite3.h>

static sqlite3_stmt *
bind(struct db *db, enum sql_query query, int64_t rule, int64_t site)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
        (void)sqlite3_bind_int64(stmt, 2, site);
    }
    return stmt;
}

enum lb_err digest_store_add(struct db *db,
                             int64_t rule,
                             int64_t site,
                             const char *alert,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_GATHER, rule, site);

    if (stmt != NULL) {
        db_bind_text(stmt, 3, alert);
    }
    return db_run(db, stmt, err);
}

enum lb_err digest_store_each(struct db *db,
                              int64_t rule,
                              int64_t site,
                              void (*each)(void *ctx,
                                           const char *data,
                                           int64_t resolved_at_ms),
                              void *ctx,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_GATHERED, rule, site);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        each(ctx, (const char *)sqlite3_column_text(stmt, 0),
             sqlite3_column_int64(stmt, 1));
    }
    return rc;
}

enum lb_err digest_store_clear(struct db *db,
                               int64_t rule,
                               int64_t site,
                               struct lb_error *err)
{
    return db_run(db, bind(db, SQL_RULE_DROP_GATHERED, rule, site), err);
}
