/* detect.h - what is unusual in a series of numbers: a score from 0 to 1 for
 * each row, which depends on that row and earlier ones only.
 *
 * One detector serves any metric and small counts, which it recognises (whole
 * numbers, few an hour).  0.5 is the alarm limit at one false alarm a series
 * and month.  Pure: no clock, no memory beyond the struct, at most 4 KiB. */
#ifndef LINKBELL_ALERTS_DETECT_H
#define LINKBELL_ALERTS_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/detect_calendar.h"
#include "alerts/detect_count.h"
#include "alerts/detect_scale.h"
#include "alerts/detect_tail.h"

#define DETECT_STATE_BYTES 4096
#define DETECT_SCALES 4 /* rows, and means of 8, 40 and 200 rows */

/* The state of one series; may be copied and stored as bytes. */
struct detect {
    int64_t interval_ms; /* from row to row; 0: not known yet */
    int64_t last_at_ms;
    bool is_interval_given;
    bool is_small;                /* the last rows were small counts */
    uint8_t parts[DETECT_SCALES]; /* of the mean that is being made */
    uint32_t rows;
    float fractions; /* rows that were no counts, forgetting */
    float level;     /* of the rows, in the long run */
    float count_hold;
    float episodes;             /* of high counts in the last month */
    float hold;                 /* what the present episode has said already */
    double sums[DETECT_SCALES]; /* of those parts */
    struct detect_scale scales[DETECT_SCALES];
    struct detect_calendar calendar;
    struct detect_tail rows_tail; /* of the evidence of a row */
    struct detect_count count;
};

_Static_assert(sizeof(struct detect) <= DETECT_STATE_BYTES,
               "the state of a series has a limit");

struct detect_verdict {
    double score; /* 0 to 1 */
    double
        probability; /* that a row is so odd, or a count so high, by chance */
    double expected; /* what was usual for that row */
    /* Of small counts: */
    bool is_small;
    double probability_low; /* that a count is so low; 1 for other series */
    int64_t span_ms;        /* how far back the sum reaches that is so high */
    double span_value;
    double span_expected;
};

/* interval_ms: from one row to the next; 0 takes it from the rows. */
void detect_init(struct detect *detect, int64_t interval_ms);

/* Judges the row that begins at at_ms, in milliseconds of the local clock (its
 * Monday is the site's), by the rows before, and learns it.  value is finite.
 */
void detect_step(struct detect *detect,
                 int64_t at_ms,
                 double value,
                 struct detect_verdict *verdict_out);

/* The score from which on to alarm with so many false alarms a series and
 * month: 0.5 for 1.  alarms_per_month is above 0; from 0.001 to 100 are told
 * apart. */
double detect_limit(double alarms_per_month);

#endif
