/* query_days.h - answers from counted days where they can, and from the log
 * where they can't: open days, parts of days, other zones, filters.  Both give
 * the same figures. */
#ifndef LINKBELL_AGGREGATE_QUERY_DAYS_H
#define LINKBELL_AGGREGATE_QUERY_DAYS_H

#include "aggregate/query_work.h"
#include "base/err.h"

LB_MUST_CHECK enum lb_err query_days_read(struct query_work *work);

#endif
