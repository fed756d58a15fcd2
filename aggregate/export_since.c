/* export_since.c - Last-Modified of an export of closed days. */
#include "aggregate/export_since.h"

#include <time.h>

#include "base/clock.h"
#include "base/http_respond.h"

#define DATE_BYTES 40
#define SETTLED_MS (2 * LB_MS_PER_S)            /* dates have whole seconds */
#define DATE_FORMAT "%a, %d %b %Y %H:%M:%S GMT" /* RFC 9110, 5.6.7 */

static enum lb_err read_site(struct db *db,
                             const struct query *query,
                             const struct catalog_site *site,
                             int64_t *built_at_ms,
                             bool *is_known,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_MODIFIED);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site->number);
        (void)sqlite3_bind_int64(
            stmt, 2, lb_zone_local_day(site->zone, query->from_at_ms));
        (void)sqlite3_bind_int64(
            stmt, 3, lb_zone_local_day(site->zone, query->to_at_ms - 1));
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        int64_t at_ms = sqlite3_column_int64(stmt, 2);

        *is_known = *is_known && sqlite3_column_int64(stmt, 0) > 0 &&
                    sqlite3_column_int64(stmt, 1) == 0;
        *built_at_ms = at_ms > *built_at_ms ? at_ms : *built_at_ms;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err export_since_read(struct db *db,
                              const struct query *query,
                              int64_t *modified_at_s_out,
                              struct lb_error *err)
{
    const struct catalog_site *site =
        query->site_count == 1
            ? catalog_site_by_number(query->catalog, query->sites[0])
            : NULL;
    int64_t built_at_ms = 0;
    bool is_known = true;
    enum lb_err rc;

    *modified_at_s_out = 0;
    /* What has aged out left no trace of when. */
    if (site == NULL || query->from_at_ms < site->horizon_at_ms) {
        return LB_OK;
    }
    rc = read_site(db, query, site, &built_at_ms, &is_known, err);
    if (is_known && built_at_ms + SETTLED_MS < lb_clock_wall_ms()) {
        *modified_at_s_out = (built_at_ms + LB_MS_PER_S - 1) / LB_MS_PER_S;
    }
    return rc;
}

static bool is_since(const char *date, int64_t modified_at_s)
{
    struct tm tm = {.tm_sec = 0};
    const char *end = strptime(date, DATE_FORMAT, &tm);

    return end != NULL && *end == '\0' && (int64_t)timegm(&tm) >= modified_at_s;
}

bool export_since_respond(struct lb_http_request *http, int64_t modified_at_s)
{
    const char *since = lb_http_request_header(http, "If-Modified-Since");
    char date[DATE_BYTES];
    time_t at_s = (time_t)modified_at_s;
    struct tm tm;

    if (modified_at_s == 0 || gmtime_r(&at_s, &tm) == NULL ||
        strftime(date, sizeof(date), DATE_FORMAT, &tm) == 0) {
        return false;
    }
    lb_http_respond_header(http, "Last-Modified", date);
    return since != NULL &&
           lb_http_request_header(http, "If-None-Match") == NULL &&
           is_since(since, modified_at_s);
}
