/* recount.h - totals counted from the log alone.  Any thread with a connection.
 */
#ifndef LINKBELL_AGGREGATE_RECOUNT_H
#define LINKBELL_AGGREGATE_RECOUNT_H

#include <stddef.h>

#include "aggregate/rollup_store.h"
#include "base/err.h"
#include "sql/db.h"

/* Rows of the range (of all sites with site 0) and of log numbers up to
 * upto_seq, in order of site, bucket and traffic; free() them. */
LB_MUST_CHECK enum lb_err recount_log(struct db *db,
                                      const struct rollup_store_range *range,
                                      int64_t upto_seq,
                                      struct rollup_store_row **rows_out,
                                      size_t *count_out,
                                      struct lb_error *err);

/* Writer thread, inside a job: counts the range anew and replaces it. */
LB_MUST_CHECK enum lb_err
recount_replace(struct db *db,
                const struct rollup_store_range *range,
                struct lb_error *err);

#endif
