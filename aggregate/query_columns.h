/* query_columns.h - counting from sealed segments column by column: the filter
 * is asked once for each value, groups are combinations of codes, and an event
 * is a few lookups.  For query_work.c. */
#ifndef LINKBELL_AGGREGATE_QUERY_COLUMNS_H
#define LINKBELL_AGGREGATE_QUERY_COLUMNS_H

#include <stdbool.h>

#include "aggregate/query_work.h"
#include "base/err.h"
#include "sql/segment_store.h"

struct query_columns;

/* For counting into work's tallies; NULL: out of memory. */
struct query_columns *query_columns_new(struct query_work *work);
void query_columns_free(struct query_columns *columns); /* NULL is fine */

/* Counts the events that are wished of one segment, except what changed since
 * it was written: *is_counted_out is false, and nothing was counted, where that
 * must be read event by event. */
LB_MUST_CHECK enum lb_err query_columns_count(struct query_columns *columns,
                                              const struct segment_info *info,
                                              const struct segment_wish *wish,
                                              bool *is_counted_out);

#endif
