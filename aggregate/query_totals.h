/* query_totals.h - questions of counts alone, by time at most: from counted
 * days, and from the totals of 15 minutes where a day is not counted, not
 * whole, or not of the site's own zone. */
#ifndef LINKBELL_AGGREGATE_QUERY_TOTALS_H
#define LINKBELL_AGGREGATE_QUERY_TOTALS_H

#include <stdbool.h>

#include "aggregate/query_work.h"
#include "base/err.h"

/* Whether totals hold the answer. */
bool query_totals_suffice(const struct query_work *work);
LB_MUST_CHECK enum lb_err query_totals_read(struct query_work *work);

#endif
