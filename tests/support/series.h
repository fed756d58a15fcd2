/* series.h - made series of numbers, the same on every machine. */
#ifndef LINKBELL_TESTS_SUPPORT_SERIES_H
#define LINKBELL_TESTS_SUPPORT_SERIES_H

#include <stdint.h>

/* Random numbers (xorshift64*); begin with any seed but 0. */
struct series_random {
    uint64_t state;
};

double series_uniform(struct series_random *random); /* 0 to 1 */
double series_normal(struct series_random *random);  /* mean 0, variance 1 */
int series_poisson(struct series_random *random, double mean);
/* Mean 1, variance 1 / shape; shape is at least 1. */
double series_gamma(struct series_random *random, double shape);

/* A rhythm over day and week around 1: the rate at an hour since a Monday's
 * midnight. */
double series_rhythm(double hour);

#endif
