/* detect_count.h - spikes and drops in small counts.  The expected count is a
 * level times what is usual at that hour of the week, which is shrunk towards
 * the hour of the day by workday and weekend; how much counts scatter beyond
 * Poisson's law is measured apart for sums of 1, 2, 3, 4 and 6 hours, and the
 * least probable of those sums decides (negative binomial tails).  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_COUNT_H
#define LINKBELL_ALERTS_DETECT_COUNT_H

#include <stdint.h>

#define DETECT_COUNT_HOURS 24
#define DETECT_COUNT_WEEK 168
#define DETECT_COUNT_SPANS 5
#define DETECT_COUNT_SLOTS 24 /* 6 hours of quarters */

struct detect_count_span {
    float scatter; /* sum of (count - expected)^2 - expected, forgetting */
    float weight;  /* sum of expected^2 */
};

struct detect_count {
    int64_t interval_ms; /* of the rows */
    int64_t slot_ms;
    int64_t unit_ms; /* what the spans count: an hour, or a longer interval */
    int64_t slot;    /* number of the present one, since the epoch */
    double level_sum;
    double level_units;
    double recent_sum; /* of the day that lies before the spans */
    double recent_expected;
    double units;                       /* seen so far */
    float week_sums[DETECT_COUNT_WEEK]; /* what came, by hour of the week */
    float day_units[7];                 /* what the level alone made expect */
    float hour_units[DETECT_COUNT_HOURS];
    float counts[DETECT_COUNT_SLOTS];
    float expected[DETECT_COUNT_SLOTS];
    struct detect_count_span spans[DETECT_COUNT_SPANS];
    uint32_t place; /* of the present slot */
};

struct detect_count_verdict {
    double expected; /* of the row alone */
    double high;     /* -log10 of the least probability of so many or more */
    double low;      /* and of so few or fewer */
    int64_t high_ms; /* the span that has it */
    double high_count;
    double high_expected;
};

/* interval_ms: from one row to the next, above 0. */
void detect_count_init(struct detect_count *count, int64_t interval_ms);

/* Judges the count of the row that begins at at_ms, milliseconds of the local
 * clock, by what came before, and learns it. */
void detect_count_step(struct detect_count *count,
                       int64_t at_ms,
                       double value,
                       struct detect_count_verdict *verdict_out);

/* The hour of the week of an instant, 0 to 167; 0 begins Monday. */
unsigned detect_count_week_hour(int64_t at_ms);

/* The level: counts to expect in one unit, an hour or a longer interval. */
double detect_count_level(const struct detect_count *count);

/* The least `high` that is an alarm at one false alarm a series and month. */
double detect_count_limit(const struct detect_count *count);

/* -log10 of the probability of so many or more in the next row, where more than
 * expected came, else of so few or fewer, by what counts of an hour (or of a
 * row, if that is longer) scatter; 0 in the first day. */
double detect_count_rarity(const struct detect_count *count,
                           double value,
                           double expected);

/* A row that was learnt already, at at_ms, turns out to have had so many more;
 * nothing when it lies before the first one.  now_ms: the next row. */
void detect_count_add_late(struct detect_count *count,
                           int64_t at_ms,
                           int64_t now_ms,
                           double value);

#endif
