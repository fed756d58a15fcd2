/* detect_nb.c - tails of the negative binomial law. */
#include "alerts/detect_nb.h"

#include <math.h>
#include <stdbool.h>

#define POISSON_BELOW 1e-6 /* dispersion */
#define TERMS_MOST 1000
#define TERM_LEAST 1e-5 /* of the sum so far */
#define LN_10 2.302585092994046

struct law {
    double expected;
    double size;  /* of the negative binomial */
    double share; /* expected / (expected + size) */
    bool is_poisson;
};

static double ln_gamma(double x)
{
    int sign;

    return lgamma_r(x, &sign); /* lgamma() writes to a global */
}

static double ln_probability(const struct law *law, double count)
{
    if (law->is_poisson) {
        return count * log(law->expected) - law->expected - ln_gamma(count + 1);
    }
    return ln_gamma(count + law->size) - ln_gamma(law->size) -
           ln_gamma(count + 1) + law->size * log1p(-law->share) +
           count * log(law->share);
}

/* The probability of k + 1 over that of k. */
static double next_over(const struct law *law, double k)
{
    return law->is_poisson ? law->expected / (k + 1)
                           : (k + law->size) / (k + 1) * law->share;
}

double detect_nb_rarity(double count, double expected, double dispersion)
{
    struct law law = {.expected = expected,
                      .is_poisson = dispersion < POISSON_BELOW};
    const bool is_above = count > expected;
    double term = 1;
    double sum = 0.5;
    double k = count;

    if (expected <= 0 || count == expected) {
        return 0;
    }
    if (!law.is_poisson) {
        law.size = 1 / dispersion;
        law.share = expected / (expected + law.size);
    }
    for (int i = 0; i < TERMS_MOST && term > TERM_LEAST * sum; i++) {
        if (!is_above && k < 1) {
            break;
        }
        term = is_above ? term * next_over(&law, k)
                        : term / next_over(&law, k - 1);
        k += is_above ? 1 : -1;
        sum += term;
    }
    return fmax(-(ln_probability(&law, count) + log(sum)) / LN_10, 0);
}
