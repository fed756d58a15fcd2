/* v2_dates.h - the date_range of the stats dialect.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_DATES_H
#define LINKBELL_AGGREGATE_V2_DATES_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/zone.h"

/* Reads a range: a word, two dates, or two instants.  *from_out (included) is
 * INT64_MIN for "all"; *to_out is the first millisecond after it.  False: it is
 * none. */
bool v2_dates_read(const cJSON *json,
                   const struct lb_zone *zone,
                   int64_t now_ms,
                   int64_t *from_out,
                   int64_t *to_out);

#endif
