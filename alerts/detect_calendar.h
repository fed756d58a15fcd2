/* detect_calendar.h - how odd a row is by the calendar: its distance from what
 * is usual at that hour of the week and from the same quarter of an hour a day
 * before.  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_CALENDAR_H
#define LINKBELL_ALERTS_DETECT_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/detect_tail.h"

#define DETECT_CALENDAR_WEEK 168 /* hours */
#define DETECT_CALENDAR_DAY 96   /* quarters of an hour */
#define DETECT_CALENDAR_MEASURES 2

struct detect_calendar {
    float week_means[DETECT_CALENDAR_WEEK];
    uint8_t week_counts[DETECT_CALENDAR_WEEK]; /* stand still at 255 */
    float yesterday[DETECT_CALENDAR_DAY];
    uint32_t count; /* of rows */
    struct detect_tail tails[DETECT_CALENDAR_MEASURES];
};

struct detect_calendar_row {
    double value;
    double unit;        /* mean distance of rows from their mean */
    unsigned week_hour; /* 0 to 167, of the local clock; 0 begins Monday */
    unsigned quarter;   /* 0 to 95, of the day */
};

/* Judges a row by what came before and learns it: the sum of the evidence of
 * both measures.  A calendar begins as zeros. */
double detect_calendar_step(struct detect_calendar *calendar,
                            const struct detect_calendar_row *row);

/* What is usual at that hour of the week; false: not known yet. */
bool detect_calendar_expects(const struct detect_calendar *calendar,
                             unsigned week_hour,
                             double *value_out);

#endif
