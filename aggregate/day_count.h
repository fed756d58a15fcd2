/* day_count.h - counts some local days of some sites from the log: piece by
 * piece, so that no snapshot is held for long, and some days, visitors or
 * dimensions at a time where all of them would take too much memory.  Whether
 * the days went on meanwhile is the caller's to find out. */
#ifndef LINKBELL_AGGREGATE_DAY_COUNT_H
#define LINKBELL_AGGREGATE_DAY_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/day.h"
#include "base/err.h"
#include "base/zone.h"
#include "sql/db.h"

#define DAY_COUNT_TARGETS 128
#define DAY_COUNT_BYTES ((size_t)32 * 1024 * 1024) /* the service's */

struct day_count;

/* max_bytes: of counters and values, above which fewer days, dimensions or
 * visitors are counted at a time, and the log is read more than once.  NULL:
 * out of memory. */
struct day_count *day_count_new(size_t max_bytes);
void day_count_free(struct day_count *count); /* NULL is fine */

/* Once it is over: the bodies as they are stored. */
LB_MUST_CHECK enum lb_err day_count_pack(struct day_count *count);

/* Adds a day; false when DAY_COUNT_TARGETS are there. */
bool day_count_add(struct day_count *count,
                   int64_t site,
                   int64_t local_day,
                   const struct lb_zone *zone);

/* Reads on, up to the cursor of the first call's snapshot, for about piece_ms.
 */
LB_MUST_CHECK enum lb_err day_count_run(struct day_count *count,
                                        struct db *db,
                                        int64_t piece_ms,
                                        bool *is_over_out,
                                        struct lb_error *err);

/* When over: DAY_DIMENSION_COUNT BLOBs of the day added as number index; empty
 * where there are too many values. */
const struct lb_buf *day_count_bodies(const struct day_count *count,
                                      size_t index);

#endif
