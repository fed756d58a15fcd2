/* visit_range.h - how much of the log must be read so that visits which reach
 * into a range of time are seen whole. */
#ifndef LINKBELL_AGGREGATE_VISIT_RANGE_H
#define LINKBELL_AGGREGATE_VISIT_RANGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"
#include "sql/dict.h"

struct visit_range {
    const struct catalog *catalog;
    const int64_t *sites;
    size_t site_count;
    int64_t upto_seq;
    int64_t from_at_ms; /* ts; in: what is asked, out: what to read */
    int64_t to_at_ms;
};

/* Widens the range to whole periods of the visitors at its ends: a visit never
 * leaves its visitor's period.  Looks at the days at both ends to see how long
 * these are.  SQLite's errors. */
LB_MUST_CHECK enum lb_err visit_range_widen(struct visit_range *range,
                                            struct db *db,
                                            struct dict_cache *cache,
                                            struct lb_error *err);

#endif
