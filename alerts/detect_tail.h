/* detect_tail.h - how rare a value is, judged by the largest that came before:
 * the five largest values and a count, and beyond them a heavy generalised
 * Pareto tail (Pickands 1975; Hosking and Wallis 1987).  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_TAIL_H
#define LINKBELL_ALERTS_DETECT_TAIL_H

#define DETECT_TAIL_TOP 5
#define DETECT_TAIL_MOST 5.0

struct detect_tail {
    float top[DETECT_TAIL_TOP]; /* largest first */
    float count;                /* of values; stands still at 30,000 */
};

/* Evidence of rarity in the manner of -log10 of a probability: 0 for all but
 * values clearly above the fifth largest so far and before there are enough,
 * else a third of -log10 of the share of values above the fifth, because
 * measures that are added up repeat each other, and the tail's part in full; at
 * most DETECT_TAIL_MOST.  value is at least 0; a small share of unit, which is
 * of the same kind, is no difference. */
double
detect_tail_rarity(const struct detect_tail *tail, double value, double unit);

/* Learns a value.  What is far above the largest so far is clipped, so that one
 * accident doesn't blind the tail to the next. */
void detect_tail_learn(struct detect_tail *tail, double value);

#endif
