/* slot_store.c - views and clicks of a ctr rule's groups by windows. */
#include "alerts/slot_store.h"

#include <sqlite3.h>

static sqlite3_stmt *bind(struct db *db,
                          enum sql_query query,
                          const struct alert_store_group *group,
                          int64_t at_ms)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, group->rule);
        (void)sqlite3_bind_int64(stmt, 2, group->site);
        db_bind_text(stmt, 3, group->group);
        (void)sqlite3_bind_int64(stmt, 4, at_ms);
    }
    return stmt;
}

enum lb_err slot_store_add(struct db *db,
                           const struct alert_store_group *group,
                           int64_t at_ms,
                           const struct ctr_counts *counts,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_ADD_SLOT, group, at_ms);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 5, counts->views);
        (void)sqlite3_bind_int64(stmt, 6, counts->clicks);
    }
    return db_run(db, stmt, err);
}

enum lb_err slot_store_sum(struct db *db,
                           const struct alert_store_group *group,
                           const struct ctr_window *range,
                           struct ctr_counts *counts_out,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_SUM_SLOTS, group, range->from_ms);
    bool has_row = false;
    enum lb_err rc;

    *counts_out = (struct ctr_counts){0, 0};
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 5, range->to_ms);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        counts_out->views = sqlite3_column_int64(stmt, 0);
        counts_out->clicks = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err slot_store_drop(struct db *db,
                            const struct alert_store_group *group,
                            int64_t before_ms,
                            struct lb_error *err)
{
    return db_run(db, bind(db, SQL_RULE_DROP_SLOTS, group, before_ms), err);
}

enum lb_err slot_store_forget(struct db *db,
                              int64_t rule,
                              int64_t max,
                              int64_t *count_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_FORGET_SLOTS);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
        (void)sqlite3_bind_int64(stmt, 2, max);
    }
    rc = db_run(db, stmt, err);
    *count_out = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    return rc;
}
