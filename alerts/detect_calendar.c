/* detect_calendar.c - how odd a row is by the calendar. */
#include "alerts/detect_calendar.h"

#include <math.h>

#define LEARN_WEEK 0.03 /* a row's share in its hour's mean, at least */
#define DAY_ROWS 288    /* before yesterday says something */
#define HOUR_ROWS 3     /* that this hour of the day must have had */

static unsigned hour_rows(const struct detect_calendar *calendar, unsigned hour)
{
    unsigned sum = 0;

    for (unsigned i = hour; i < DETECT_CALENDAR_WEEK; i += 24) {
        sum += calendar->week_counts[i];
    }
    return sum;
}

static void learn(struct detect_calendar *calendar,
                  const struct detect_calendar_row *row)
{
    float *mean = &calendar->week_means[row->week_hour];
    uint8_t *count = &calendar->week_counts[row->week_hour];

    *mean += (float)(fmax(1.0 / (*count + 1.0), LEARN_WEEK) *
                     (row->value - (double)*mean));
    if (*count < UINT8_MAX) {
        (*count)++;
    }
    calendar->yesterday[row->quarter] = (float)row->value;
    calendar->count++;
}

double detect_calendar_step(struct detect_calendar *calendar,
                            const struct detect_calendar_row *row)
{
    const double measures[DETECT_CALENDAR_MEASURES] = {
        fabs(row->value - (double)calendar->week_means[row->week_hour]),
        fabs(row->value - (double)calendar->yesterday[row->quarter])};
    const bool is_known[DETECT_CALENDAR_MEASURES] = {
        calendar->week_counts[row->week_hour] > 1,
        calendar->count > DAY_ROWS &&
            hour_rows(calendar, row->week_hour % 24) > HOUR_ROWS};
    double sum = 0;

    for (int i = 0; i < DETECT_CALENDAR_MEASURES; i++) {
        if (is_known[i]) {
            sum +=
                detect_tail_rarity(&calendar->tails[i], measures[i], row->unit);
            detect_tail_learn(&calendar->tails[i], measures[i]);
        }
    }
    learn(calendar, row);
    return sum;
}

bool detect_calendar_expects(const struct detect_calendar *calendar,
                             unsigned week_hour,
                             double *value_out)
{
    *value_out = (double)calendar->week_means[week_hour];
    return calendar->week_counts[week_hour] > 1;
}
