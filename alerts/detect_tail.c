/* detect_tail.c - how rare a value is, by the largest that came before. */
#include "alerts/detect_tail.h"

#include <float.h>
#include <math.h>

#define COUNT_MOST 30000.0F /* values; a year of hours is 8,760 */
#define LEAST_COUNT 10.0F
#define SHAPE 0.5        /* of the Pareto tail: its variance is infinite */
#define MARGIN 0.03      /* of the 5th and of the unit: less is no difference */
#define COUNT_WEIGHT 0.3 /* of what being above the 5th says by itself */
#define SCALE_OF_TOP 0.1 /* the scale is at least this share of the 5th */
#define SCALE_OF_UNIT 0.05
#define CLIP 1.5F /* times the largest so far */
#define FORGET_AFTER 100.0F
#define FORGET 2e-6F /* a value; half is forgotten after 350,000 */

double
detect_tail_rarity(const struct detect_tail *tail, double value, double unit)
{
    const double least = (double)tail->top[DETECT_TAIL_TOP - 1];
    double excess = 0;
    double scale;
    double rarity;

    if (tail->count < LEAST_COUNT || value <= 0 ||
        value <= least + MARGIN * (least + unit)) {
        return 0;
    }
    for (int i = 0; i < DETECT_TAIL_TOP - 1; i++) {
        excess += (double)tail->top[i] - least;
    }
    excess /= DETECT_TAIL_TOP - 1;
    scale = (1 - SHAPE) * excess + SCALE_OF_TOP * least + SCALE_OF_UNIT * unit;
    rarity = COUNT_WEIGHT * log10((double)tail->count / DETECT_TAIL_TOP);
    rarity += log10(1 + SHAPE * (value - least) / fmax(scale, DBL_MIN)) / SHAPE;
    return fmin(rarity, DETECT_TAIL_MOST);
}

void detect_tail_learn(struct detect_tail *tail, double value)
{
    const float most = tail->top[0] * CLIP;
    float learned = (float)value;
    int at = DETECT_TAIL_TOP - 1;

    if (tail->count >= LEAST_COUNT && most > 0 && learned > most) {
        learned = most;
    }
    if (tail->count >= FORGET_AFTER) {
        for (int i = 0; i < DETECT_TAIL_TOP; i++) {
            tail->top[i] *= 1 - FORGET;
        }
    }
    if (tail->count < COUNT_MOST) {
        tail->count++;
    }
    if (learned <= tail->top[at]) {
        return;
    }
    for (; at > 0 && learned > tail->top[at - 1]; at--) {
        tail->top[at] = tail->top[at - 1];
    }
    tail->top[at] = learned;
}
