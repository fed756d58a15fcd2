/* hook_cap_store.c - senders that stop at a number of deliveries. */
#include "ingest/hook_cap_store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define DAY_BUCKETS (LB_MS_PER_DAY / HOOK_CAP_BUCKET_MS)
#define ROWS_MOST 256 /* a day, and what a clock that was set back left */
#define SUMMARY_BYTES 300
#define GROUP_BYTES 128

/* What came in the last 24 hours, the quarter that is only partly within them
 * too: rather a quarter too many is told than one too few. */
struct recent {
    int64_t buckets[ROWS_MOST];
    int64_t counts[ROWS_MOST];
    size_t rows;
    int64_t sum;
};

static enum lb_err add_delivery(struct db *db,
                                const struct hook_cap *cap,
                                int64_t bucket,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SOURCE_ADD_DELIVERY);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, cap->source);
        (void)sqlite3_bind_int64(stmt, 2, bucket);
    }
    rc = db_run(db, stmt, err);
    if (rc != LB_OK) {
        return rc;
    }
    stmt = db_stmt(db, SQL_SOURCE_DROP_DELIVERIES);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, cap->source);
        (void)sqlite3_bind_int64(stmt, 2, bucket - DAY_BUCKETS);
    }
    return db_run(db, stmt, err);
}

static enum lb_err read_recent(struct db *db,
                               const struct hook_cap *cap,
                               int64_t bucket,
                               struct recent *out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SOURCE_DELIVERIES);
    bool has_row = false;
    enum lb_err rc;

    memset(out, 0, sizeof(*out));
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, cap->source);
        (void)sqlite3_bind_int64(stmt, 2, bucket - DAY_BUCKETS);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (out->rows == ROWS_MOST) {
            (void)sqlite3_reset(stmt);
            break;
        }
        out->buckets[out->rows] = sqlite3_column_int64(stmt, 0);
        out->counts[out->rows] = sqlite3_column_int64(stmt, 1);
        out->sum += out->counts[out->rows++];
    }
    return rc;
}

/* The last bucket in which, if nothing more came, so many would still be
 * within 24 hours. */
static int64_t near_until(const struct recent *recent, int64_t least)
{
    int64_t left = recent->sum;
    size_t row = 0;

    while (row + 1 < recent->rows && left - recent->counts[row] >= least) {
        left -= recent->counts[row++];
    }
    return recent->buckets[row] + DAY_BUCKETS;
}

static enum lb_err get_told(struct db *db,
                            int64_t source,
                            int64_t *until_out,
                            int64_t *told_out,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SOURCE_GET_CAP);
    bool has_row = false;
    enum lb_err rc;

    *until_out = -1;
    *told_out = -1;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, source);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *until_out = sqlite3_column_int64(stmt, 0);
        *told_out = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err put_told(struct db *db,
                            int64_t source,
                            int64_t until,
                            int64_t told,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SOURCE_PUT_CAP);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, source);
        (void)sqlite3_bind_int64(stmt, 2, until);
        (void)sqlite3_bind_int64(stmt, 3, told);
    }
    return db_run(db, stmt, err);
}

static void fill_coverage(struct hook_cap *cap, int64_t first, int64_t until)
{
    const struct coverage_span span = {cap->site, first * HOOK_CAP_BUCKET_MS,
                                       (until + 1) * HOOK_CAP_BUCKET_MS,
                                       COVERAGE_TRUNCATED};

    coverage_fill(&cap->coverage, &span, cap->received_at_ms);
    cap->has_coverage = true;
}

static void fill_notice(struct hook_cap *cap, int64_t bucket, int64_t until)
{
    char summary[SUMMARY_BYTES];
    char group[GROUP_BYTES];
    const struct notice notice = {"linkbell-sources",
                                  "warning",
                                  cap->site_id,
                                  group,
                                  bucket * HOOK_CAP_BUCKET_MS,
                                  (until + 1) * HOOK_CAP_BUCKET_MS,
                                  coverage_name(COVERAGE_TRUNCATED),
                                  summary};

    /* A source's id needs no escapes. */
    (void)snprintf(group, sizeof(group), "{\"source\":\"%.32s\"}",
                   cap->source_id);
    (void)snprintf(summary, sizeof(summary),
                   "%" PRId64 " deliveries of %.32s in 24 hours, whose sender "
                   "stops at %" PRId64 ": figures of %.64s may be cut short",
                   cap->deliveries, cap->source_id, cap->cap, cap->site_id);
    notice_fill(&cap->notice, &notice, cap->received_at_ms);
    cap->has_notice = true;
}

enum lb_err
hook_cap_store_count(struct db *db, struct hook_cap *cap, struct lb_error *err)
{
    int64_t bucket = cap->received_at_ms / HOOK_CAP_BUCKET_MS;
    int64_t least = (cap->cap * HOOK_CAP_NEAR_PERCENT + 99) / 100;
    struct recent recent;
    int64_t until = -1;
    int64_t told_until = -1;
    int64_t told = -1;
    enum lb_err rc = add_delivery(db, cap, bucket, err);

    cap->has_coverage = false;
    cap->has_notice = false;
    rc = rc == LB_OK ? read_recent(db, cap, bucket, &recent, err) : rc;
    cap->deliveries = rc == LB_OK ? recent.sum : 0;
    if (rc != LB_OK || recent.sum < least) {
        return rc;
    }
    rc = get_told(db, cap->source, &told_until, &told, err);
    until = near_until(&recent, least);
    if (rc != LB_OK || (until <= told_until && told + DAY_BUCKETS >= bucket)) {
        return rc;
    }
    if (until > told_until) {
        fill_coverage(cap, told_until < bucket ? bucket : told_until + 1,
                      until);
    }
    if (told < 0 || told + DAY_BUCKETS < bucket) {
        fill_notice(cap, bucket, until);
        told = bucket;
    }
    return put_told(db, cap->source, until > told_until ? until : told_until,
                    told, err);
}
