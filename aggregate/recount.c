/* recount.c - totals counted from the log alone. */
#include "aggregate/recount.h"

#include <stdlib.h>
#include <string.h>

#include "sql/dict.h"
#include "sql/log_store.h"

struct recount {
    struct rollup_store_row *rows; /* owned; open addressing, events 0: free */
    size_t cap;
    size_t count;
};

static struct rollup_store_row *find(struct recount *recount,
                                     int64_t site,
                                     int64_t bucket,
                                     enum entry_traffic traffic)
{
    uint64_t hash = (uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) +
                    (uint64_t)bucket * UINT64_C(0xc2b2ae3d27d4eb4f) +
                    (uint64_t)traffic;
    size_t at = (size_t)(hash ^ hash >> 29) & (recount->cap - 1);
    struct rollup_store_row *row = &recount->rows[at];

    while (row->counts.events != 0 &&
           (row->site != site || row->bucket != bucket ||
            row->traffic != traffic)) {
        at = (at + 1) & (recount->cap - 1);
        row = &recount->rows[at];
    }
    return row;
}

static enum lb_err grow(struct recount *recount)
{
    struct recount more = {NULL, recount->cap == 0 ? 1024 : recount->cap * 2,
                           recount->count};

    more.rows = calloc(more.cap, sizeof(*more.rows));
    if (more.rows == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < recount->cap; i++) {
        const struct rollup_store_row *row = &recount->rows[i];

        if (row->counts.events != 0) {
            *find(&more, row->site, row->bucket, row->traffic) = *row;
        }
    }
    free(recount->rows);
    *recount = more;
    return LB_OK;
}

static enum lb_err add(struct recount *recount, const struct entry *entry)
{
    int64_t bucket = rollup_bucket(entry->ts_at_ms);
    struct rollup_store_row *row;

    if (recount->count * 4 >= recount->cap * 3 && grow(recount) != LB_OK) {
        return LB_ENOMEM;
    }
    row = find(recount, entry->site, bucket, entry->traffic);
    if (row->counts.events == 0) {
        row->site = entry->site;
        row->bucket = bucket;
        row->traffic = entry->traffic;
        recount->count++;
    }
    rollup_add(&row->counts, entry);
    return LB_OK;
}

static int compare(const void *left, const void *right)
{
    const struct rollup_store_row *a = left;
    const struct rollup_store_row *b = right;

    if (a->site != b->site) {
        return a->site < b->site ? -1 : 1;
    }
    if (a->bucket != b->bucket) {
        return a->bucket < b->bucket ? -1 : 1;
    }
    return (int)a->traffic - (int)b->traffic;
}

enum lb_err recount_log(struct db *db,
                        const struct rollup_store_range *range,
                        int64_t upto_seq,
                        struct rollup_store_row **rows_out,
                        size_t *count_out,
                        struct lb_error *err)
{
    struct log_range log = {.upto_seq = upto_seq,
                            .from_at_ms = INT64_MIN,
                            .to_at_ms = INT64_MAX,
                            .sites = range->site == 0 ? NULL : &range->site,
                            .site_count = 1};
    struct dict_cache *cache = dict_cache_new();
    struct recount recount = {NULL, 0, 0};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t used = 0;
    enum lb_err rc;

    if (range->from_bucket > INT64_MIN / ROLLUP_BUCKET_MS) {
        log.from_at_ms = range->from_bucket * ROLLUP_BUCKET_MS;
        log.to_at_ms = range->to_bucket * ROLLUP_BUCKET_MS;
    }
    rc = cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                       : log_reader_open(db, cache, &log, &reader, err);
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        rc = add(&recount, entry);
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    if (rc != LB_OK) {
        free(recount.rows);
        return rc == LB_ENOMEM ? lb_err_set(err, rc, "out of memory") : rc;
    }
    for (size_t i = 0; i < recount.cap; i++) {
        if (recount.rows[i].counts.events != 0) {
            recount.rows[used++] = recount.rows[i];
        }
    }
    if (used > 0) {
        qsort(recount.rows, used, sizeof(*recount.rows), compare);
    }
    *rows_out = recount.rows;
    *count_out = used;
    return LB_OK;
}

enum lb_err recount_replace(struct db *db,
                            const struct rollup_store_range *range,
                            struct lb_error *err)
{
    struct rollup_store_row *rows = NULL;
    int64_t cursor = 0;
    size_t count = 0;
    enum lb_err rc = db_meta_get(db, "cursor", 0, &cursor, err);

    rc = rc == LB_OK ? recount_log(db, range, cursor, &rows, &count, err) : rc;
    rc = rc == LB_OK ? rollup_store_replace(db, range, rows, count, err) : rc;
    free(rows);
    return rc;
}
