/* detect_calendar.c - how odd a row is by the calendar and by its level. */
#include "alerts/detect_calendar.h"

#include <math.h>

#define LEARN_WEEK 0.03 /* a row's share in its hour's mean, at least */
#define DAY_ROWS 288    /* before yesterday says something */
#define HOUR_ROWS 3     /* that this hour of the day must have had */
#define LEVEL_ROWS 50   /* before the rarity of a level says something */
#define SPREAD 2.5      /* deviations at which levels grow wide */
#define CELL_MOST 250   /* then a row of counts is halved */

/* Levels are narrow near the mean and wide far from it. */
static unsigned level_of(const struct detect_calendar_row *row)
{
    const double place =
        tanh((row->value - row->mean) / row->deviation / SPREAD);
    const int level = (int)floor(DETECT_CALENDAR_LEVELS / 2.0 * (1 + place));

    return level < 0                         ? 0
           : level >= DETECT_CALENDAR_LEVELS ? DETECT_CALENDAR_LEVELS - 1
                                             : (unsigned)level;
}

/* -ln of the share of one level among the counts. */
static double rarity_of(const uint8_t *counts, unsigned level)
{
    double sum = DETECT_CALENDAR_LEVELS / 2.0;

    for (int i = 0; i < DETECT_CALENDAR_LEVELS; i++) {
        sum += counts[i];
    }
    return -log((counts[level] + 0.5) / sum);
}

static void count_level(uint8_t *counts, unsigned level)
{
    if (counts[level] > CELL_MOST) {
        for (int i = 0; i < DETECT_CALENDAR_LEVELS; i++) {
            counts[i] = (uint8_t)(counts[i] / 2);
        }
    }
    counts[level]++;
}

static unsigned hour_rows(const struct detect_calendar *calendar, unsigned hour)
{
    unsigned sum = 0;

    for (unsigned i = hour; i < DETECT_CALENDAR_WEEK; i += 24) {
        sum += calendar->week_counts[i];
    }
    return sum;
}

static void learn(struct detect_calendar *calendar,
                  const struct detect_calendar_row *row,
                  unsigned level)
{
    float *mean = &calendar->week_means[row->week_hour];
    uint8_t *count = &calendar->week_counts[row->week_hour];

    *mean += (float)(fmax(1.0 / (*count + 1.0), LEARN_WEEK) *
                     (row->value - (double)*mean));
    if (*count < UINT8_MAX) {
        (*count)++;
    }
    calendar->yesterday[row->quarter] = (float)row->value;
    count_level(calendar->after[calendar->last_level], level);
    count_level(calendar->at_hour[row->week_hour % 24], level);
    calendar->last_level = (uint8_t)level;
    calendar->count++;
}

double detect_calendar_step(struct detect_calendar *calendar,
                            const struct detect_calendar_row *row)
{
    const unsigned hour = row->week_hour % 24;
    const unsigned level = level_of(row);
    const double measures[DETECT_CALENDAR_MEASURES] = {
        fabs(row->value - (double)calendar->week_means[row->week_hour]),
        fabs(row->value - (double)calendar->yesterday[row->quarter]),
        rarity_of(calendar->after[calendar->last_level], level),
        rarity_of(calendar->at_hour[hour], level)};
    const bool is_known[DETECT_CALENDAR_MEASURES] = {
        calendar->week_counts[row->week_hour] > 1,
        calendar->count > DAY_ROWS && hour_rows(calendar, hour) > HOUR_ROWS,
        calendar->count > LEVEL_ROWS, calendar->count > LEVEL_ROWS};
    double sum = 0;

    for (int i = 0; i < DETECT_CALENDAR_MEASURES; i++) {
        if (is_known[i]) {
            sum += detect_tail_rarity(&calendar->tails[i], measures[i],
                                      i < 2 ? row->deviation : 0);
            detect_tail_learn(&calendar->tails[i], measures[i]);
        }
    }
    learn(calendar, row, level);
    return sum;
}

bool detect_calendar_expects(const struct detect_calendar *calendar,
                             unsigned week_hour,
                             double *value_out)
{
    *value_out = (double)calendar->week_means[week_hour];
    return calendar->week_counts[week_hour] > 1;
}
