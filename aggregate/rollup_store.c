/* rollup_store.c - totals in the database. */
#include "aggregate/rollup_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/coverage_store.h"
#include "aggregate/day_store.h"

#define DELTA_SLOTS                                                            \
    4096 /* a power of two; more distinct keys are written at once */

struct rollup_store {
    struct rollup_store_row deltas[DELTA_SLOTS]; /* events 0: free */
    size_t used[DELTA_SLOTS];
    size_t count;
};

enum lb_err rollup_store_new(struct rollup_store **store_out,
                             struct lb_error *err)
{
    *store_out = calloc(1, sizeof(**store_out));
    if (*store_out == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    return LB_OK;
}

void rollup_store_free(struct rollup_store *store)
{
    free(store);
}

static enum lb_err run_row(struct db *db,
                           enum sql_query query,
                           const struct rollup_store_row *row,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, row->site);
        (void)sqlite3_bind_int64(stmt, 2, row->bucket);
        (void)sqlite3_bind_int(stmt, 3, (int)row->traffic);
        (void)sqlite3_bind_int64(stmt, 4, row->counts.events);
        (void)sqlite3_bind_int64(stmt, 5, row->counts.views);
        (void)sqlite3_bind_int64(stmt, 6, row->counts.clicks_raw);
        (void)sqlite3_bind_int64(stmt, 7, row->counts.clicks);
        (void)sqlite3_bind_int64(stmt, 8, row->counts.leads);
        (void)sqlite3_bind_int64(stmt, 9, row->counts.conversions);
        (void)sqlite3_bind_int64(stmt, 10, row->counts.orphan_clicks);
    }
    return db_run(db, stmt, err);
}

/* As a rule the row is there: an update takes half the time of an insertion
 * that falls back to it. */
static enum lb_err
add_row(struct db *db, const struct rollup_store_row *row, struct lb_error *err)
{
    enum lb_err rc = run_row(db, SQL_ROLLUP_BUMP, row, err);

    return rc == LB_OK && sqlite3_changes(db_handle(db)) == 0
               ? run_row(db, SQL_ROLLUP_ADD, row, err)
               : rc;
}

static enum lb_err
flush(struct rollup_store *store, struct db *db, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < store->count && rc == LB_OK; i++) {
        rc = add_row(db, &store->deltas[store->used[i]], err);
    }
    for (size_t i = 0; i < store->count; i++) {
        store->deltas[store->used[i]].counts.events = 0;
    }
    store->count = 0;
    return rc;
}

static struct rollup_store_row *find_delta(struct rollup_store *store,
                                           const struct entry *entry,
                                           int64_t bucket)
{
    uint64_t hash = (uint64_t)entry->site * UINT64_C(0x9e3779b97f4a7c15) +
                    (uint64_t)bucket * UINT64_C(0xc2b2ae3d27d4eb4f) +
                    (uint64_t)entry->traffic;
    size_t at = (size_t)(hash ^ hash >> 29) & (DELTA_SLOTS - 1);

    while (store->deltas[at].counts.events != 0 &&
           (store->deltas[at].site != entry->site ||
            store->deltas[at].bucket != bucket ||
            store->deltas[at].traffic != entry->traffic)) {
        at = (at + 1) & (DELTA_SLOTS - 1);
    }
    if (store->deltas[at].counts.events == 0) {
        memset(&store->deltas[at], 0, sizeof(store->deltas[at]));
        store->deltas[at].site = entry->site;
        store->deltas[at].bucket = bucket;
        store->deltas[at].traffic = entry->traffic;
        store->used[store->count++] = at;
    }
    return &store->deltas[at];
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct rollup_store *store = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        if (entries[i]->kind != ENTRY_EVENT) {
            rc = coverage_store_apply(db, entries[i], err);
            continue;
        }
        rollup_add(
            &find_delta(store, entries[i], rollup_bucket(entries[i]->ts_at_ms))
                 ->counts,
            entries[i]);
        if (store->count > DELTA_SLOTS / 2) {
            rc = flush(store, db, err);
        }
    }
    return rc == LB_OK ? flush(store, db, err) : rc;
}

static void rolled_back(void *ctx)
{
    struct rollup_store *store = ctx;

    for (size_t i = 0; i < store->count; i++) {
        store->deltas[store->used[i]].counts.events = 0;
    }
    store->count = 0;
}

struct cursor_consumer rollup_store_consumer(struct rollup_store *store)
{
    return (struct cursor_consumer){"rollup", store, apply, NULL, rolled_back};
}

enum lb_err rollup_store_read(
    struct db *db,
    const struct rollup_store_range *range,
    enum lb_err (*each)(void *ctx, const struct rollup_store_row *row),
    void *ctx,
    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ROLLUP_READ);
    struct rollup_store_row row = {.site = range->site};
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, range->site);
        (void)sqlite3_bind_int64(stmt, 2, range->from_bucket);
        (void)sqlite3_bind_int64(stmt, 3, range->to_bucket);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        row.bucket = sqlite3_column_int64(stmt, 0);
        row.traffic = (enum entry_traffic)sqlite3_column_int(stmt, 1);
        row.counts.events = sqlite3_column_int64(stmt, 2);
        row.counts.views = sqlite3_column_int64(stmt, 3);
        row.counts.clicks_raw = sqlite3_column_int64(stmt, 4);
        row.counts.clicks = sqlite3_column_int64(stmt, 5);
        row.counts.leads = sqlite3_column_int64(stmt, 6);
        row.counts.conversions = sqlite3_column_int64(stmt, 7);
        row.counts.orphan_clicks = sqlite3_column_int64(stmt, 8);
        rc = each(ctx, &row);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}

enum lb_err rollup_store_bounds(struct db *db,
                                int64_t site,
                                int64_t *first_out,
                                int64_t *last_out,
                                bool *has_any_out,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ROLLUP_BOUNDS);
    bool has_row = false;
    enum lb_err rc;

    *has_any_out = false;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *has_any_out = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        *first_out = sqlite3_column_int64(stmt, 0);
        *last_out = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err rollup_store_replace(struct db *db,
                                 const struct rollup_store_range *range,
                                 const struct rollup_store_row *rows,
                                 size_t count,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ROLLUP_DROP);
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, range->site);
        (void)sqlite3_bind_int64(stmt, 2, range->from_bucket);
        (void)sqlite3_bind_int64(stmt, 3, range->to_bucket);
    }
    rc = db_run(db, stmt, err);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = add_row(db, &rows[i], err);
    }
    return rc;
}

/* Adds the event to the totals, sign 1, or takes it out, -1. */
static enum lb_err add_event(struct db *db,
                             const struct entry *entry,
                             int64_t sign,
                             struct lb_error *err)
{
    struct rollup_store_row row = {.site = entry->site,
                                   .bucket = rollup_bucket(entry->ts_at_ms),
                                   .traffic = entry->traffic};
    struct rollup_counts *counts = &row.counts;

    rollup_add(counts, entry);
    counts->events *= sign;
    counts->views *= sign;
    counts->clicks_raw *= sign;
    counts->clicks *= sign;
    counts->leads *= sign;
    counts->conversions *= sign;
    counts->orphan_clicks *= sign;
    return add_row(db, &row, err);
}

static enum lb_err
drop_empty(struct db *db, const struct entry *entry, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ROLLUP_DROP_EMPTY);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, entry->site);
        (void)sqlite3_bind_int64(stmt, 2, rollup_bucket(entry->ts_at_ms));
    }
    return db_run(db, stmt, err);
}

static enum lb_err uncount(void *ctx,
                           struct db *db,
                           const struct entry *entry,
                           struct lb_error *err)
{
    enum lb_err rc = add_event(db, entry, -1, err);

    (void)ctx;
    rc = rc == LB_OK ? drop_empty(db, entry, err) : rc;
    return rc == LB_OK ? day_store_drop(db, entry->site, entry->ts_at_ms, err)
                       : rc;
}

enum lb_err rollup_store_reclass(struct db *db,
                                 const struct entry *before,
                                 const struct entry *after,
                                 struct lb_error *err)
{
    enum lb_err rc = uncount(NULL, db, before, err);

    return rc == LB_OK ? add_event(db, after, 1, err) : rc;
}

void rollup_store_hook(struct rollup_store *store, struct erase_hooks *hooks)
{
    hooks->rollups = store;
    hooks->uncount = uncount;
}
