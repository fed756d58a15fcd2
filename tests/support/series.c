/* series.c - made series of numbers, the same on every machine. */
#include "tests/support/series.h"

#include <math.h>

#define PI 3.14159265358979323846

double series_uniform(struct series_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return (double)((random->state * UINT64_C(2685821657736338717)) >> 11) /
           9007199254740992.0;
}

double series_normal(struct series_random *random)
{
    const double radius = sqrt(-2 * log(series_uniform(random) + 1e-300));

    return radius * cos(2 * PI * series_uniform(random));
}

int series_poisson(struct series_random *random, double mean)
{
    const double limit = exp(-mean);
    double product = series_uniform(random);
    int count = 0;

    for (; product > limit; count++) {
        product *= series_uniform(random);
    }
    return count;
}

/* Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
 */
double series_gamma(struct series_random *random, double shape)
{
    const double d = shape - 1.0 / 3;
    const double c = 1 / sqrt(9 * d);

    for (;;) {
        const double x = series_normal(random);
        const double v = pow(1 + c * x, 3);

        if (v > 0 &&
            log(series_uniform(random)) < x * x / 2 + d - d * v + d * log(v)) {
            return d * v / shape;
        }
    }
}

double series_rhythm(double hour)
{
    const double day = exp(0.6 * cos(2 * PI * (fmod(hour, 24) - 15) / 24));

    return day * (fmod(hour, 168) >= 120 ? 0.7 : 1);
}
