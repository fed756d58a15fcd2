/* rollup.h - the arithmetic of counting.  Pure. */
#ifndef LINKBELL_AGGREGATE_ROLLUP_H
#define LINKBELL_AGGREGATE_ROLLUP_H

#include <stdint.h>

#include "sql/entry.h"

#define ROLLUP_BUCKET_MS                                                       \
    INT64_C(900000) /* 15 minutes, UTC: every zone's quarter */

struct rollup_counts {
    int64_t events;
    int64_t views;
    int64_t clicks_raw;
    int64_t clicks; /* without double taps */
    int64_t leads;
    int64_t conversions;
    int64_t orphan_clicks;
};

void rollup_add(struct rollup_counts *counts, const struct entry *entry);
/* count events like entry. */
void rollup_add_many(struct rollup_counts *counts,
                     const struct entry *entry,
                     int64_t count);
void rollup_merge(struct rollup_counts *counts,
                  const struct rollup_counts *more);

/* 15-minute bucket of an instant, as a number. */
int64_t rollup_bucket(int64_t at_ms);

/* Bounds of the 95 % Wilson interval of hits out of n (n > 0, 0 <= hits <= n;
 * Wilson, J. Am. Stat. Assoc. 22, 1927). */
void rollup_wilson(double hits, double n, double *low_out, double *high_out);

#endif
