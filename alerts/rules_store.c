/* rules_store.c - how a rule fares. */
#include "alerts/rules_store.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "base/json.h"

/* The one number that the statement asks for; 0: there is none. */
static enum lb_err read_number(struct db *db,
                               sqlite3_stmt *stmt,
                               int64_t *number_out,
                               struct lb_error *err)
{
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, err);

    *number_out = 0;
    if (has_row) {
        *number_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static void add_time_or_null(struct lb_buf *out, const char *key, int64_t at_ms)
{
    lb_json_add_key(out, key);
    if (at_ms == 0) {
        lb_buf_add_text(out, "null");
    } else {
        lb_json_add_time(out, at_ms);
    }
}

enum lb_err rules_store_add_state(struct db *db,
                                  const struct catalog_object *rule,
                                  struct lb_buf *out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RULES_LAST_FIRED);
    int64_t fired_at_ms = 0;
    int64_t muted_until_ms = 0;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, rule->id);
    }
    rc = read_number(db, stmt, &fired_at_ms, err);
    stmt = db_stmt(db, SQL_RULES_MUTED_UNTIL);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rule->number);
    }
    rc = rc == LB_OK ? read_number(db, stmt, &muted_until_ms, err) : rc;
    add_time_or_null(out, "muted_until",
                     muted_until_ms > lb_clock_wall_ms() ? muted_until_ms : 0);
    add_time_or_null(out, "last_fired", fired_at_ms);
    return rc;
}
