/* rollup_store.h - totals in the database: moved on with each batch of the
 * cursor, read by queries. */
#ifndef LINKBELL_AGGREGATE_ROLLUP_STORE_H
#define LINKBELL_AGGREGATE_ROLLUP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/rollup.h"
#include "base/err.h"
#include "sql/cursor.h"
#include "sql/erase.h"

struct rollup_store;

LB_MUST_CHECK enum lb_err rollup_store_new(struct rollup_store **store_out,
                                           struct lb_error *err);
void rollup_store_free(struct rollup_store *store);
/* What main.c registers with the cursor. */
struct cursor_consumer rollup_store_consumer(struct rollup_store *store);

struct rollup_store_row {
    int64_t site;
    int64_t bucket;
    enum entry_traffic traffic;
    struct rollup_counts counts;
};

/* A site's rows with from_bucket <= bucket < to_bucket. */
struct rollup_store_range {
    int64_t site;
    int64_t from_bucket;
    int64_t to_bucket;
};

/* Calls each for every row of the range in order of bucket; each returns LB_OK
 * to go on. */
LB_MUST_CHECK enum lb_err rollup_store_read(
    struct db *db,
    const struct rollup_store_range *range,
    enum lb_err (*each)(void *ctx, const struct rollup_store_row *row),
    void *ctx,
    struct lb_error *err);

/* First and last bucket that the site has; false when there is none. */
LB_MUST_CHECK enum lb_err rollup_store_bounds(struct db *db,
                                              int64_t site,
                                              int64_t *first_out,
                                              int64_t *last_out,
                                              bool *has_any_out,
                                              struct lb_error *err);

/* Its part in erasing: an event that was counted is taken out again, and its
 * local day is stale. */
void rollup_store_hook(struct rollup_store *store, struct erase_hooks *hooks);

/* Writer thread, inside a job: an event that was counted changed its class. */
LB_MUST_CHECK enum lb_err rollup_store_reclass(struct db *db,
                                               const struct entry *before,
                                               const struct entry *after,
                                               struct lb_error *err);

/* Writer thread, inside a job: replaces the rows of a range. */
LB_MUST_CHECK enum lb_err
rollup_store_replace(struct db *db,
                     const struct rollup_store_range *range,
                     const struct rollup_store_row *rows,
                     size_t count,
                     struct lb_error *err);

#endif
