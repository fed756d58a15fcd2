/* detect.c - what is unusual in a series of numbers. */
#include "alerts/detect.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

#define WEIGHT_MEANS 1.5 /* of the evidence of means of rows */
#define WEIGHT_RARE 4.0  /* of how rare so much evidence is in this series */
#define HELD 0.9         /* the share of an episode's evidence not to repeat */
#define HOLD_KEEPS 0.99  /* from row to row */
#define EVIDENCE 3.8     /* at which a row is an alarm at one a month */
#define RARITY 3.34      /* -log10 of the probability that goes with it */
#define STEEP_ABOVE 0.45 /* how rarity grows with evidence / EVIDENCE */
#define STEEP_BELOW 0.75
#define LOW_SHARE 0.3      /* below it rarity falls to 0 */
#define HOLD_UNITS 6.0     /* hours in which what counts said fades */
#define HELD_COUNT 1.5     /* of counts: a rise within an episode is no news */
#define EPISODES_MOST 10.0 /* a month; more is how the series is */
#define MONTH_UNITS 720.0
#define SECOND_OPINION 0.7 /* rarer by so much, for counts */
#define INTERVAL_ROWS 32   /* from which the interval is taken */
#define SMALL_LEVEL 8.0    /* counts an hour: small from here on down */
#define LARGE_LEVEL 16.0   /* and until here */
#define LEVEL_UNITS 672.0  /* hours that the level goes back */
#define FRACTION_KEEPS 0.999F
#define FRACTION_MOST 0.01F
#define COUNT_MOST 1e6
#define VALUE_MOST 1e30 /* what is beyond counts as that: a float holds it */

/* How many values of the scale before make one mean. */
static const int parts_of[DETECT_SCALES] = {1, 8, 5, 5};

void detect_init(struct detect *detect, int64_t interval_ms)
{
    memset(detect, 0, sizeof(*detect));
    detect->interval_ms = interval_ms;
    detect->is_interval_given = interval_ms > 0;
    detect->is_small = true;
    detect_count_init(&detect->count,
                      interval_ms > 0 ? interval_ms : LB_MS_PER_HOUR);
}

/* The least distance of two rows so far; the count's part begins anew with it.
 */
static void learn_interval(struct detect *detect, int64_t at_ms)
{
    const int64_t interval_ms = at_ms - detect->last_at_ms;

    if (detect->is_interval_given || detect->rows == 0 || interval_ms <= 0 ||
        detect->rows > INTERVAL_ROWS ||
        (detect->interval_ms != 0 && interval_ms >= detect->interval_ms)) {
        return;
    }
    detect->interval_ms = interval_ms;
    if (interval_ms != detect->count.interval_ms) {
        detect_count_init(&detect->count, interval_ms);
    }
}

/* The evidence of the means of rows that end with this one. */
static double step_means(struct detect *detect, double value, unsigned hour)
{
    double evidence = 0;

    for (int i = 1; i < DETECT_SCALES; i++) {
        detect->sums[i] += value;
        if (++detect->parts[i] < parts_of[i]) {
            break;
        }
        value = detect->sums[i] / parts_of[i];
        detect->sums[i] = 0;
        detect->parts[i] = 0;
        evidence +=
            WEIGHT_MEANS * detect_scale_step(&detect->scales[i], value, hour);
    }
    return evidence;
}

/* What is new in a row's evidence: an episode is told once. */
static double once(struct detect *detect, double evidence)
{
    const double rest = evidence - HELD * (double)detect->hold;

    detect->hold = (float)fmax((double)detect->hold * HOLD_KEEPS, evidence);
    return fmax(rest, 0);
}

static double step_any(struct detect *detect,
                       const struct detect_calendar_row *row)
{
    const unsigned hour = row->week_hour % 24;
    double evidence;
    double rarity;

    evidence = detect_calendar_step(&detect->calendar, row);
    evidence += detect_scale_step(&detect->scales[0], row->value, hour);
    evidence += step_means(detect, row->value, hour);
    rarity = detect_tail_rarity(&detect->rows_tail, evidence, 0);
    detect_tail_learn(&detect->rows_tail, evidence);
    return once(detect, evidence + WEIGHT_RARE * rarity);
}

/* Whether the rows so far are small counts: whole numbers, few an hour in the
 * mean of weeks. */
static bool are_small(struct detect *detect, double value)
{
    const bool is_count =
        value >= 0 && value <= COUNT_MOST && floor(value) == value;
    const double units =
        (double)detect->count.interval_ms / (double)detect->count.unit_ms;
    const double share =
        fmax(1 / (detect->rows + 1.0), fmin(units / LEVEL_UNITS, 1));

    detect->fractions =
        detect->fractions * FRACTION_KEEPS + (is_count ? 0.0F : 1.0F);
    detect->level += (float)(share * (value - (double)detect->level));
    return is_count && detect->fractions < FRACTION_MOST &&
           (double)detect->level / units <
               (detect->is_small ? LARGE_LEVEL : SMALL_LEVEL);
}

static double expected_of(const struct detect *detect, unsigned week_hour)
{
    const struct detect_scale *rows = &detect->scales[0];
    double expected;

    if (detect_calendar_expects(&detect->calendar, week_hour, &expected)) {
        return expected;
    }
    return rows->hour_counts[week_hour % 24] > 0
               ? (double)rows->hour_means[week_hour % 24]
               : (double)rows->mean;
}

/* A rarity whose limit is `limit` in the terms of one whose limit is RARITY. */
static double to_limit(double rarity, double limit)
{
    return rarity < limit ? rarity * RARITY / limit : rarity - limit + RARITY;
}

/* The rarity of so much evidence, as false alarms on series without anomalies
 * say: ten times fewer for EVIDENCE / STEEP_ABOVE more. */
static double rarity_of(double evidence)
{
    const double share = evidence / EVIDENCE;
    const double low = RARITY - (1 - LOW_SHARE) * STEEP_BELOW;

    if (share < LOW_SHARE) {
        return low * share / LOW_SHARE;
    }
    return RARITY + (share - 1) * (share < 1 ? STEEP_BELOW : STEEP_ABOVE);
}

static double score_of(double rarity)
{
    return rarity / (rarity + RARITY);
}

/* What is new in a row's count.  A series that has more episodes than a month
 * should is bursty by nature, and has its limit raised. */
static double once_of_count(struct detect *detect, double high)
{
    const double units =
        (double)detect->count.interval_ms / (double)detect->count.unit_ms;
    const double excess = fmax((double)detect->episodes / EPISODES_MOST, 1);
    const double rarity =
        to_limit(high, detect_count_limit(&detect->count)) / (excess * excess);
    const double rest = rarity - HELD_COUNT * (double)detect->count_hold;

    detect->episodes *= (float)exp(-units / MONTH_UNITS);
    if (rarity >= RARITY && detect->count_hold < 1) {
        detect->episodes++;
    }
    detect->count_hold *= (float)exp(-units / HOLD_UNITS);
    if (rarity >= RARITY && rarity > (double)detect->count_hold) {
        detect->count_hold = (float)rarity;
    }
    return fmax(rest, 0);
}

/* Counts are judged by their law; changes that last longer than its sums reach
 * are seen by the other way, as a second opinion. */
static void tell_count(struct detect *detect,
                       const struct detect_count_verdict *count,
                       double evidence,
                       struct detect_verdict *verdict)
{
    const double rarity = fmax(once_of_count(detect, count->high),
                               fmax(rarity_of(evidence) - SECOND_OPINION, 0));

    *verdict = (struct detect_verdict){.score = score_of(rarity),
                                       .probability = pow(10, -count->high),
                                       .expected = count->expected,
                                       .is_small = true,
                                       .probability_low = pow(10, -count->low),
                                       .span_ms = count->high_ms,
                                       .span_value = count->high_count,
                                       .span_expected = count->high_expected};
}

static void
tell_any(double evidence, double expected, struct detect_verdict *verdict)
{
    const double rarity = rarity_of(evidence);

    *verdict = (struct detect_verdict){.score = score_of(rarity),
                                       .probability = pow(10, -rarity),
                                       .expected = expected,
                                       .probability_low = 1};
}

static unsigned quarter_of(int64_t at_ms)
{
    const int64_t past_ms = at_ms % LB_MS_PER_DAY;

    return (unsigned)((past_ms < 0 ? past_ms + LB_MS_PER_DAY : past_ms) /
                      (LB_MS_PER_HOUR / 4));
}

void detect_step(struct detect *detect,
                 int64_t at_ms,
                 double value,
                 struct detect_verdict *verdict_out)
{
    struct detect_count_verdict count = {0};
    struct detect_calendar_row row = {
        .value = fmin(fmax(value, -VALUE_MOST), VALUE_MOST),
        .unit = (double)detect->scales[0].deviation,
        .week_hour = detect_count_week_hour(at_ms),
        .quarter = quarter_of(at_ms)};
    const double expected = expected_of(detect, row.week_hour);
    double evidence;

    learn_interval(detect, at_ms);
    evidence = step_any(detect, &row);
    detect->is_small = are_small(detect, row.value);
    if (detect->is_small) {
        detect_count_step(&detect->count, at_ms, row.value, &count);
    }
    if (detect->is_small) {
        tell_count(detect, &count, evidence, verdict_out);
    } else {
        tell_any(evidence, expected, verdict_out);
    }
    detect->last_at_ms = at_ms;
    detect->rows++;
}

double detect_limit(double alarms_per_month)
{
    const double wanted = fmin(fmax(alarms_per_month, 0.001), 100);
    const double rarity = RARITY - log10(wanted);

    return score_of(rarity);
}
