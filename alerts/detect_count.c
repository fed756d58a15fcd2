/* detect_count.c - spikes and drops in small counts. */
#include "alerts/detect_count.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "alerts/detect_nb.h"
#include "base/clock.h"

#define UNITS_IN_DAY 24.0
#define UNITS_IN_WEEK 168.0
#define EPOCH_PAST_MONDAY_MS (3 * LB_MS_PER_DAY) /* it was a Thursday */
#define WEEKEND 5 /* the first day of it, Monday being 0 */

#define LEVEL_DAYS 14.0 /* half of the level is forgotten after */
#define WEEK_WEEKS 12.0 /* and of the hours of the week */
#define SCATTER_WEEKS 16.0
#define RECENT_UNITS 9.0 /* the recent sum fades by 1/e in so many */
#define BEGIN_SUM 0.5    /* counts believed before any came */

/* How many expected counts weigh as much as the coarser estimate. */
#define SHRINK_HOUR 20.0
#define SHRINK_DAY 120.0
#define SHRINK_KIND                                                            \
    60.0 /* hours of workdays or weekends to those of all days */
#define SHRINK_CELL 60.0
#define SHRINK_RECENT 25.0

#define SCATTER_BEGIN 0.1 /* relative variance believed at first */
#define SCATTER_WEIGHT 200.0
#define SCATTER_SHARE                                                          \
    0.8                  /* the part of it that is not the estimate's fault    \
                          */
#define SCATTER_CLIP 3.0 /* standard deviations */
#define ALARM 3.0        /* -log10 p from which on a count is learned clipped */
#define LEARN_CLIP 5.0
#define FIRST_UNITS 24.0 /* without a verdict */
#define LEAST_SHAPE 0.02

/* Independent tests a month, as the false alarms on simulated series say: with
 * so many rows an hour they are HOURLY_TESTS * rows^TESTS_POWER. */
#define HOURLY_TESTS 2200.0
#define TESTS_POWER 0.45
#define TESTS_ROWS 4.0

static const double beside_weights[3] = {0.5, 1, 0.5};
static const int span_units[DETECT_COUNT_SPANS] = {1, 2, 3, 4, 6};

static double half_after(double count)
{
    return exp2(-1 / count);
}

void detect_count_init(struct detect_count *count, int64_t interval_ms)
{
    const int64_t quarter_ms = LB_MS_PER_HOUR / 4;

    memset(count, 0, sizeof(*count));
    count->interval_ms = interval_ms;
    count->unit_ms =
        interval_ms > LB_MS_PER_HOUR ? interval_ms : LB_MS_PER_HOUR;
    count->slot_ms = interval_ms > quarter_ms ? interval_ms : quarter_ms;
    count->level_sum = BEGIN_SUM;
    count->level_units = 1;
}

double detect_count_level(const struct detect_count *count)
{
    return count->level_sum / count->level_units;
}

unsigned detect_count_week_hour(int64_t at_ms)
{
    const int64_t week_ms = DETECT_COUNT_WEEK * LB_MS_PER_HOUR;
    const int64_t past_ms = (at_ms + EPOCH_PAST_MONDAY_MS) % week_ms;

    return (unsigned)((past_ms < 0 ? past_ms + week_ms : past_ms) /
                      LB_MS_PER_HOUR);
}

static double rows_in_unit(const struct detect_count *count)
{
    return (double)count->unit_ms / (double)count->interval_ms;
}

double detect_count_limit(const struct detect_count *count)
{
    return log10(HOURLY_TESTS *
                 pow(fmin(rows_in_unit(count), TESTS_ROWS), TESTS_POWER));
}

/* --- what is usual ------------------------------------------------------- */

static bool is_weekend(unsigned day)
{
    return day >= WEEKEND;
}

struct sums {
    double came;
    double units;
};

/* What the level alone made expect on a day of the week is day_units; its hours
 * had their share of that.  All days have the same hours, so hours of the week
 * need no store of their own. */
static double hour_share(const struct detect_count *count, unsigned hour)
{
    double all = 0;

    for (int i = 0; i < 7; i++) {
        all += (double)count->day_units[i];
    }
    return all > 0 ? (double)count->hour_units[hour] / all : 0;
}

/* An hour of the day with half of its neighbours, over all days or over those
 * of one kind. */
static void sum_hour(const struct detect_count *count,
                     unsigned hour,
                     bool is_end,
                     struct sums *all_out,
                     struct sums *kind_out)
{
    double share = 0;

    *all_out = (struct sums){0, 0};
    *kind_out = (struct sums){0, 0};
    for (unsigned i = 0; i < 3; i++) {
        share += beside_weights[i] *
                 hour_share(count, (hour + 23 + i) % DETECT_COUNT_HOURS);
    }
    for (unsigned day = 0; day < 7; day++) {
        const double units = share * (double)count->day_units[day];
        double came = 0;

        for (unsigned i = 0; i < 3; i++) {
            const unsigned at = (hour + 23 + i) % DETECT_COUNT_HOURS;

            came += beside_weights[i] * (double)count->week_sums[day * 24 + at];
        }
        all_out->came += came;
        all_out->units += units;
        if (is_weekend(day) == is_end) {
            kind_out->came += came;
            kind_out->units += units;
        }
    }
}

static void sum_day(const struct detect_count *count,
                    unsigned wanted,
                    struct sums *day_out,
                    struct sums *kind_out)
{
    *day_out = (struct sums){0, 0};
    *kind_out = (struct sums){0, 0};
    for (unsigned day = 0; day < 7; day++) {
        double came = 0;

        if (is_weekend(day) != is_weekend(wanted)) {
            continue;
        }
        for (unsigned hour = 0; hour < DETECT_COUNT_HOURS; hour++) {
            came += (double)count->week_sums[day * 24 + hour];
        }
        kind_out->came += came;
        kind_out->units += (double)count->day_units[day];
        if (day == wanted) {
            *day_out = (struct sums){came, (double)count->day_units[day]};
        }
    }
}

static double shrink(struct sums sums, double towards, double weight)
{
    return (sums.came + weight * towards) / (sums.units + weight);
}

/* What all hours together had, by what the level made expect: shapes are taken
 * relative to it, else they and the level drift apart while counts grow. */
static double mean_shape(const struct detect_count *count)
{
    struct sums all = {0, 0};

    for (unsigned i = 0; i < DETECT_COUNT_WEEK; i++) {
        all.came += (double)count->week_sums[i];
    }
    for (unsigned day = 0; day < 7; day++) {
        all.units += (double)count->day_units[day];
    }
    return shrink(all, 1, SHRINK_DAY);
}

/* How many times the level is usual at that hour of the week. */
static double shape_of(const struct detect_count *count, unsigned week_hour)
{
    const unsigned day = week_hour / 24;
    const unsigned hour = week_hour % 24;
    struct sums hours;
    struct sums hours_of_kind;
    struct sums days;
    struct sums days_of_kind;
    struct sums cell = {(double)count->week_sums[week_hour],
                        hour_share(count, hour) *
                            (double)count->day_units[day]};
    double kind;
    double factor;
    double shape;

    sum_hour(count, hour, is_weekend(day), &hours, &hours_of_kind);
    sum_day(count, day, &days, &days_of_kind);
    kind = shrink(days_of_kind, 1, SHRINK_DAY);
    factor = shrink(days, kind, SHRINK_DAY) / kind;
    shape = shrink(hours, 1, SHRINK_HOUR);
    shape = shrink(hours_of_kind, shape * kind, SHRINK_KIND) * factor;
    return fmax(shrink(cell, shape, SHRINK_CELL) / mean_shape(count),
                LEAST_SHAPE);
}

/* --- the last hours ------------------------------------------------------ */

/* Opens the slot of at_ms; those that end up behind the spans go to the recent
 * sum. */
static void open_slot(struct detect_count *count, int64_t at_ms)
{
    const int64_t slot = at_ms / count->slot_ms;
    const uint32_t used =
        (uint32_t)(6 *
                   ((count->unit_ms + count->slot_ms - 1) / count->slot_ms));
    const double fade =
        exp(-(double)count->slot_ms / (double)count->unit_ms / RECENT_UNITS);
    /* A clock that was far ahead is not waited for. */
    const int64_t before =
        count->units > 0 && slot + used > count->slot ? count->slot : slot - 1;
    int64_t behind = slot < before ? 0 : slot - before;

    if (behind > used) {
        behind = used;
    }
    for (; behind > 0; behind--) {
        count->place = (count->place + 1) % used;
        count->recent_sum =
            count->recent_sum * fade + (double)count->counts[count->place];
        count->recent_expected = count->recent_expected * fade +
                                 (double)count->expected[count->place];
        count->counts[count->place] = 0;
        count->expected[count->place] = 0;
    }
    count->slot = slot < before ? before : slot;
}

/* Sums of the last slots, from..to of them counted back from the present. */
static struct sums sum_slots(const struct detect_count *count, int from, int to)
{
    const int slots =
        (int)((count->unit_ms + count->slot_ms - 1) / count->slot_ms);
    struct sums sums = {0, 0};

    for (int i = from * slots; i < to * slots; i++) {
        const int at = ((int)count->place - i + 6 * slots) % (6 * slots);

        sums.came += (double)count->counts[at];
        sums.units += (double)count->expected[at];
    }
    return sums;
}

static void learn_scatter(const struct detect_count *count,
                          struct detect_count_span *span,
                          struct sums sums,
                          double variance,
                          double units)
{
    const double rows = rows_in_unit(count);
    const double keep = half_after(SCATTER_WEEKS * UNITS_IN_WEEK * rows);
    const double most = sums.units + SCATTER_CLIP * sqrt(variance) + 1;
    const double off = fmin(sums.came, most) - sums.units;

    span->scatter = (float)((double)span->scatter * keep +
                            (off * off - sums.units) / units / rows);
    span->weight = (float)((double)span->weight * keep +
                           sums.units * sums.units / units / rows);
}

/* What is nearer than a standard deviation is not worth its logarithms. */
static bool is_far(struct sums sums, double variance)
{
    const double off = sums.came - sums.units;

    return off * off > variance;
}

static double dispersion_of(const struct detect_count *count,
                            const struct detect_count_span *span)
{
    const double scatter =
        ((double)span->scatter + SCATTER_BEGIN * SCATTER_WEIGHT) /
        ((double)span->weight + SCATTER_WEIGHT);

    return fmax(scatter, 0) * SCATTER_SHARE + 1 / (count->level_sum + 1);
}

double detect_count_rarity(const struct detect_count *count,
                           double value,
                           double expected)
{
    return count->units < FIRST_UNITS
               ? 0
               : detect_nb_rarity(value, expected,
                                  dispersion_of(count, &count->spans[0]));
}

/* Judges the sums that end with this row and learns how they scatter. */
static void judge(struct detect_count *count,
                  double factor,
                  struct detect_count_verdict *verdict)
{
    struct sums sums = {0, 0};

    for (int i = 0; i < DETECT_COUNT_SPANS; i++) {
        struct detect_count_span *span = &count->spans[i];
        const struct sums more =
            sum_slots(count, i == 0 ? 0 : span_units[i - 1], span_units[i]);
        double dispersion;
        double variance;
        double rarity = 0;

        sums.came += more.came;
        sums.units += more.units * factor;
        dispersion = dispersion_of(count, span);
        variance = sums.units * (1 + dispersion * sums.units);
        if (count->units >= FIRST_UNITS && is_far(sums, variance)) {
            rarity = detect_nb_rarity(sums.came, sums.units, dispersion);
        }
        if (sums.came > sums.units && rarity > verdict->high) {
            verdict->high = rarity;
            verdict->high_ms = span_units[i] * count->unit_ms;
            verdict->high_count = sums.came;
            verdict->high_expected = sums.units;
        }
        if (sums.came < sums.units && rarity > verdict->low) {
            verdict->low = rarity;
        }
        if (count->units > span_units[i]) {
            learn_scatter(count, span, sums, variance, span_units[i]);
        }
    }
}

/* --- learning ------------------------------------------------------------ */

static void learn(struct detect_count *count,
                  unsigned week_hour,
                  double value,
                  double shape,
                  const struct detect_count_verdict *verdict)
{
    const double rows = rows_in_unit(count);
    const double level = detect_count_level(count);
    const double keep_level = half_after(LEVEL_DAYS * UNITS_IN_DAY * rows);
    const double usual = verdict->expected;
    const double most = usual + LEARN_CLIP * sqrt(usual * (1 + usual / 5)) + 1;
    const double learned =
        fmin(value, verdict->high > ALARM ? fmin(usual, most) : most);
    float *came = &count->week_sums[week_hour];
    float *day = &count->day_units[week_hour / 24];
    float *hour = &count->hour_units[week_hour % 24];

    count->level_sum = count->level_sum * keep_level + learned;
    count->level_units = count->level_units * keep_level + shape / rows;
    *came = (float)((double)*came * half_after(WEEK_WEEKS * rows) + learned);
    *day = (float)((double)*day * half_after(WEEK_WEEKS * 24 * rows) +
                   level / rows);
    *hour = (float)((double)*hour * half_after(WEEK_WEEKS * 7 * rows) +
                    level / rows);
    count->units += 1 / rows;
}

void detect_count_step(struct detect_count *count,
                       int64_t at_ms,
                       double value,
                       struct detect_count_verdict *verdict_out)
{
    const unsigned week_hour = detect_count_week_hour(at_ms);
    const double shape = shape_of(count, week_hour);
    const double usual =
        detect_count_level(count) * shape / rows_in_unit(count);
    const double factor = (SHRINK_RECENT + count->recent_sum) /
                          (SHRINK_RECENT + count->recent_expected);

    open_slot(count, at_ms);
    count->counts[count->place] += (float)value;
    count->expected[count->place] += (float)usual;
    *verdict_out = (struct detect_count_verdict){.expected = usual * factor};
    judge(count, factor, verdict_out);
    learn(count, week_hour, value, shape, verdict_out);
}

void detect_count_add_late(struct detect_count *count,
                           int64_t at_ms,
                           int64_t now_ms,
                           double value)
{
    const double units = (double)(now_ms - at_ms) / (double)count->unit_ms;
    const double days = units / UNITS_IN_DAY;

    if (units <= 0 || units > count->units) {
        return;
    }
    count->level_sum += value * half_after(LEVEL_DAYS / days);
    count->week_sums[detect_count_week_hour(at_ms)] +=
        (float)(value * half_after(WEEK_WEEKS / days * 7));
}
