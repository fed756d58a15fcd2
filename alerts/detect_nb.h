/* detect_nb.h - tails of the negative binomial law, of which Poisson's is the
 * limit.  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_NB_H
#define LINKBELL_ALERTS_DETECT_NB_H

/* -log10 of the mid-p probability (Lancaster 1961: half of the count itself) of
 * a count so far or farther on its side of expected: so many or more above it,
 * so few or fewer below it; 0 at it.  The variance is expected * (1 +
 * dispersion * expected); dispersion 0 is Poisson's law.  count and dispersion
 * are at least 0, expected is above 0 (else the answer is 0). */
double detect_nb_rarity(double count, double expected, double dispersion);

#endif
