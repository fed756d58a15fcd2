/* detect_scale.c - how odd a value is among its forerunners. */
#include "alerts/detect_scale.h"

#include <math.h>
#include <stdbool.h>

#define LEARN_LONG 0.005 /* a value's share in the long-run mean, at least */
#define LEARN_HOUR 0.01  /* and in the mean of its hour */
#define HOUR_VALUES 3    /* that an hour must have had */

static const double speeds[DETECT_SCALE_SPEEDS] = {0.4, 0.12, 0.03, 0.0075};

/* How many values must have come before a measure says something. */
static const uint32_t needs[DETECT_SCALE_MEASURES] = {20, 5, 60, 200, 0};

static void begin(struct detect_scale *scale, double value)
{
    scale->mean = (float)value;
    for (int i = 0; i < DETECT_SCALE_SPEEDS; i++) {
        scale->means[i] = (float)value;
    }
}

static void
learn(struct detect_scale *scale, double value, unsigned hour, double mean)
{
    const double share = fmax(1.0 / (scale->count + 1.0), LEARN_LONG);
    const double hour_share =
        fmax(1.0 / (scale->hour_counts[hour] + 1.0), LEARN_HOUR);

    scale->deviation +=
        (float)(share * (fabs(value - mean) - (double)scale->deviation));
    scale->mean += (float)(share * (value - mean));
    scale->hour_means[hour] +=
        (float)(hour_share * (value - (double)scale->hour_means[hour]));
    if (scale->hour_counts[hour] < UINT8_MAX) {
        scale->hour_counts[hour]++;
    }
    scale->count++;
}

double
detect_scale_step(struct detect_scale *scale, double value, unsigned hour)
{
    double measures[DETECT_SCALE_MEASURES];
    double mean;
    double unit;
    double sum = 0;

    if (scale->count == 0) {
        begin(scale, value);
    }
    mean = (double)scale->mean;
    unit = (double)scale->deviation;
    measures[0] = fabs(value - mean);
    measures[1] =
        fabs(value - 2 * (double)scale->means[0] + (double)scale->means[1]);
    for (int i = 0; i < DETECT_SCALE_SPEEDS; i++) {
        scale->means[i] +=
            (float)(speeds[i] * (value - (double)scale->means[i]));
    }
    measures[2] = fabs((double)scale->means[1] - (double)scale->means[2]);
    measures[3] = fabs((double)scale->means[2] - (double)scale->means[3]);
    measures[4] = fabs(value - (double)scale->hour_means[hour]);
    for (int i = 0; i < DETECT_SCALE_MEASURES; i++) {
        const bool is_known = i == DETECT_SCALE_MEASURES - 1
                                  ? scale->hour_counts[hour] > HOUR_VALUES
                                  : scale->count > needs[i];

        if (is_known) {
            sum += detect_tail_rarity(&scale->tails[i], measures[i], unit);
            detect_tail_learn(&scale->tails[i], measures[i]);
        }
    }
    learn(scale, value, hour, mean);
    return sum;
}
