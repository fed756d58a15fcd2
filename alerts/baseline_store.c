/* baseline_store.c - baselines of groups in the database. */
#include "alerts/baseline_store.h"

#include <string.h>

#include <sqlite3.h>

/* Another number for each change of what a past means. */
#define FORMAT 1

static sqlite3_stmt *
bind(struct db *db, enum sql_query query, const struct alert_store_group *group)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, group->rule);
        (void)sqlite3_bind_int64(stmt, 2, group->site);
        db_bind_text(stmt, 3, group->group);
    }
    return stmt;
}

enum lb_err baseline_store_save(struct db *db,
                                const struct rule *rule,
                                const struct alert_store_group *group,
                                const struct baseline *baseline,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_SAVE_BASELINE, group);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 4, baseline->window.from_ms);
        (void)sqlite3_bind_int64(stmt, 5, baseline->last_ms);
        (void)sqlite3_bind_int64(stmt, 6, FORMAT);
        (void)sqlite3_bind_blob(stmt, 7, baseline->past,
                                (int)baseline_past_bytes(rule), SQLITE_STATIC);
    }
    return db_run(db, stmt, err);
}

enum lb_err baseline_store_load(struct db *db,
                                const struct rule *rule,
                                const struct alert_store_group *group,
                                struct baseline *baseline,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = bind(db, SQL_RULE_LOAD_BASELINE, group);
    bool is_known = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 4, FORMAT);
    }
    rc = db_next(db, stmt, &is_known, err);
    if (rc != LB_OK || !is_known) {
        return rc == LB_OK ? LB_ENOTFOUND : rc;
    }
    is_known = sqlite3_column_bytes(stmt, 2) == (int)baseline_past_bytes(rule);
    if (is_known) {
        baseline->window.from_ms = sqlite3_column_int64(stmt, 0);
        baseline->last_ms = sqlite3_column_int64(stmt, 1);
        memcpy(baseline->past, sqlite3_column_blob(stmt, 2),
               baseline_past_bytes(rule));
    }
    (void)sqlite3_reset(stmt);
    return is_known ? LB_OK : LB_ENOTFOUND;
}

enum lb_err baseline_store_drop(struct db *db,
                                const struct alert_store_group *group,
                                struct lb_error *err)
{
    return db_run(db, bind(db, SQL_RULE_DROP_BASELINE, group), err);
}

enum lb_err baseline_store_each(
    struct db *db,
    int64_t rule,
    enum lb_err (*each)(void *ctx, const struct alert_store_group *group),
    void *ctx,
    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_EACH_BASELINE);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct alert_store_group group = {.rule = rule};

        group.site = sqlite3_column_int64(stmt, 0);
        group.group = (const char *)sqlite3_column_text(stmt, 1);
        rc = each(ctx, &group);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, rc, "out of memory");
        }
    }
    return rc;
}

enum lb_err
baseline_store_forget(struct db *db, int64_t rule, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULE_FORGET_BASELINES);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule);
        (void)sqlite3_bind_int64(stmt, 2, INT64_MAX);
    }
    return db_run(db, stmt, err);
}
