/* detect_scale.h - how odd a value is among its forerunners at one time scale
 * (rows, or means of several rows): distance from the long-run mean, step,
 * error of a quick forecast, shifts of the mean at three speeds, distance from
 * what is usual at that hour of the day.  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_SCALE_H
#define LINKBELL_ALERTS_DETECT_SCALE_H

#include <stdint.h>

#include "alerts/detect_tail.h"

#define DETECT_SCALE_HOURS 24
#define DETECT_SCALE_SPEEDS 4
#define DETECT_SCALE_MEASURES 5

struct detect_scale {
    float mean;                       /* over the long run */
    float deviation;                  /* mean distance from it */
    float means[DETECT_SCALE_SPEEDS]; /* quickest first */
    uint32_t count;                   /* of values */
    float hour_means[DETECT_SCALE_HOURS];
    uint8_t hour_counts[DETECT_SCALE_HOURS]; /* stand still at 255 */
    struct detect_tail tails[DETECT_SCALE_MEASURES];
};

/* Judges a value by what came before and learns it: the sum over the measures
 * of -log10 of their probabilities.  hour is 0 to 23, of the local clock.  A
 * scale begins as zeros. */
double
detect_scale_step(struct detect_scale *scale, double value, unsigned hour);

#endif
