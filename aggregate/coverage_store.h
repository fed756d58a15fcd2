/* coverage_store.h - for which buckets a site's figures are incomplete: derived
 * from the log's entries, asked by queries. */
#ifndef LINKBELL_AGGREGATE_COVERAGE_STORE_H
#define LINKBELL_AGGREGATE_COVERAGE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/coverage.h"
#include "sql/db.h"

#define COVERAGE_STORE_SPAN 10000 /* buckets of one entry: some 100 days */

/* Writer thread, inside the cursor's transaction; entries of other kinds are
 * none of its business.  Twice is once. */
LB_MUST_CHECK enum lb_err coverage_store_apply(struct db *db,
                                               const struct entry *entry,
                                               struct lb_error *err);

struct coverage_store_row {
    int64_t site;
    int64_t bucket;
    enum coverage_state state;
};

/* The incomplete buckets of some sites in a range of time. */
struct coverage_store_list {
    struct coverage_store_row *rows; /* owned; by bucket */
    size_t count;
    size_t cap;
};

struct coverage_store_question {
    const int64_t *sites; /* borrowed */
    size_t site_count;
    int64_t from_at_ms; /* from <= t < to */
    int64_t to_at_ms;
};

/* Deinit *list_out in any case. */
LB_MUST_CHECK enum lb_err
coverage_store_read(struct db *db,
                    const struct coverage_store_question *question,
                    struct coverage_store_list *list_out,
                    struct lb_error *err);
void coverage_store_deinit(struct coverage_store_list *list);

/* The worst of from <= t < to, of one site or (site 0) of all that were asked
 * for. */
enum coverage_state coverage_store_worst(const struct coverage_store_list *list,
                                         int64_t site,
                                         int64_t from_at_ms,
                                         int64_t to_at_ms);

#endif
