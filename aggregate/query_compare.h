/* query_compare.h - the same question about an earlier range, and the row there
 * that stands for a row here. */
#ifndef LINKBELL_AGGREGATE_QUERY_COMPARE_H
#define LINKBELL_AGGREGATE_QUERY_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/query.h"
#include "base/err.h"
#include "sql/db.h"

enum query_compare_kind {
    QUERY_COMPARE_NONE,
    QUERY_COMPARE_PREVIOUS, /* the range of the same length just before */
    QUERY_COMPARE_YEAR      /* the same dates a year earlier */
};

/* The range before that of query, which is resolved.  is_by_days: it was given
 * in days of its zone, and so is the one before.  29 February has no date a
 * year earlier: 28 February stands for it. */
void query_compare_range(const struct query *query,
                         enum query_compare_kind kind,
                         bool is_by_days,
                         int64_t *from_out,
                         int64_t *to_out);

struct query_compare;

/* Asks query, which query_run() has answered, of the range before; errors as
 * there. */
LB_MUST_CHECK enum lb_err query_compare_run(const struct query *query,
                                            enum query_compare_kind kind,
                                            bool is_by_days,
                                            struct db *db,
                                            struct query_compare **compare_out,
                                            struct lb_error *err);
void query_compare_free(struct query_compare *compare); /* NULL is fine */

/* Rows are matched by their values, buckets of time by their position in the
 * range.  Without such a row: figures that are 0 but for the views that stand
 * beside it.  Good until the next call. */
const struct query_figures *query_compare_find(struct query_compare *compare,
                                               const struct query_row *row);
const struct query_figures *
query_compare_totals(const struct query_compare *compare);
int64_t query_compare_from_ms(const struct query_compare *compare);
int64_t query_compare_to_ms(const struct query_compare *compare);
/* As query_result says of it. */
int64_t query_compare_aged_before_ms(const struct query_compare *compare);

#endif
