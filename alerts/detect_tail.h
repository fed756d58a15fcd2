/* detect_tail.h - how rare a value is, judged by the largest that came before:
 * the five largest values and a count, and beyond them a heavy generalised
 * Pareto tail (Pickands 1975; Hosking and Wallis 1987).  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_TAIL_H
#define LINKBELL_ALERTS_DETECT_TAIL_H

#define DETECT_TAIL_TOP 5

struct detect_tail {
    float top[DETECT_TAIL_TOP]; /* largest first */
    float count;                /* of values, at most DETECT_TAIL_MEMORY */
};

/* -log10 of the probability that one value is so large; 0 for all but those
 * above the fifth largest so far, and before there are enough values; at most
 * DETECT_TAIL_MOST.  value is at least 0; unit is what differs by nothing that
 * matters, in the same unit as value. */
double
detect_tail_rarity(const struct detect_tail *tail, double value, double unit);

/* Learns a value.  What is far above the largest so far is clipped, so that one
 * accident doesn't blind the tail to the next. */
void detect_tail_learn(struct detect_tail *tail, double value);

#endif
