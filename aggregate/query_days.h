/* query_days.h - answers from counted days where they can, and from the log
 * where they can't: open days, parts of days, other zones, filters.  Both give
 * the same figures. */
#ifndef LINKBELL_AGGREGATE_QUERY_DAYS_H
#define LINKBELL_AGGREGATE_QUERY_DAYS_H

#include <stdint.h>

#include "aggregate/day_store.h"
#include "aggregate/query_work.h"
#include "base/err.h"

LB_MUST_CHECK enum lb_err query_days_read(struct query_work *work);

/* The days of the query's zone that lie whole in its range, from least_day on
 * (INT64_MIN: all), and when they begin and end: not later than they begin
 * where there is none. */
void query_days_whole(const struct query *query,
                      int64_t least_day,
                      struct day_store_range *days,
                      int64_t *from_at_ms_out,
                      int64_t *to_at_ms_out);

#endif
