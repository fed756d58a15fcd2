/* baseline.c - what is usual for a group of a rule. */
#include "alerts/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MOST_COUNT (INT64_C(1) << 40)
#define MONTH_MS (30 * LB_MS_PER_DAY)
#define CODES 2048.0     /* to a doubling */
#define AGAIN_RARITY 2.0 /* from which what comes each week is odd */
#define DOUBT                                                                  \
    2.0 /* as if there were so many more windows: what is expected             \
           is an estimate */
#define LEAST_OFF 0.2   /* of what is usual, for sums of value */
#define LEAST_RARE 20.0 /* at any budget, 1 in so many */

static int64_t local_ms(const struct baseline *baseline,
                        const struct lb_zone *zone)
{
    int64_t at_ms = baseline->window.from_ms;

    return at_ms + lb_zone_offset_s(zone, at_ms) * LB_MS_PER_S;
}

size_t baseline_past_bytes(const struct rule *rule)
{
    return rule->metric == RULE_VALUE ? sizeof(struct detect)
                                      : sizeof(struct baseline_counts);
}

bool baseline_begin(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    int64_t at_ms)
{
    union baseline_past *past = calloc(1, sizeof(*past));

    if (past == NULL) {
        return false;
    }
    if (rule->metric == RULE_VALUE) {
        detect_init(&past->any, rule->window_ms);
    } else {
        detect_count_init(&past->counts.law, rule->window_ms);
    }
    *baseline = (struct baseline){
        .past = past, .window = ctr_window_at(zone, rule->window_ms, at_ms)};
    return true;
}

void baseline_deinit(struct baseline *baseline)
{
    free(baseline->past);
    memset(baseline, 0, sizeof(*baseline));
}

/* --- what comes each week
 * ------------------------------------------------------------------------ */

static uint16_t to_code(double count)
{
    return (uint16_t)fmin(floor(CODES * log2(1 + fmax(count, 0)) + 0.5),
                          UINT16_MAX);
}

static double from_code(uint16_t code)
{
    return exp2((double)code / CODES) - 1;
}

static void push(uint16_t codes[BASELINE_WEEKS], uint16_t code)
{
    memmove(codes + 1, codes, (BASELINE_WEEKS - 1) * sizeof(*codes));
    codes[0] = code;
}

static void
learn_hour(struct baseline_hours *hours, int64_t local_at_ms, double value)
{
    const unsigned at = detect_count_week_hour(local_at_ms);
    const int64_t hour = local_at_ms / LB_MS_PER_HOUR;
    const uint16_t code = to_code(value);

    if (hour == hours->hour && hours->weeks[at] > 0) {
        hours->most[at][0] =
            code > hours->most[at][0] ? code : hours->most[at][0];
        hours->least[at][0] =
            code < hours->least[at][0] ? code : hours->least[at][0];
        return;
    }
    hours->hour = hour;
    push(hours->most[at], code);
    push(hours->least[at], code);
    if (hours->weeks[at] < BASELINE_WEEKS) {
        hours->weeks[at]++;
    }
}

/* The middle of three. */
static double middle_of(const uint16_t codes[BASELINE_WEEKS])
{
    uint16_t low = codes[0] < codes[1] ? codes[0] : codes[1];
    uint16_t high = codes[0] < codes[1] ? codes[1] : codes[0];

    return from_code(codes[2] < low ? low : codes[2] > high ? high : codes[2]);
}

/* expected, or what the hour had in most of the last weeks when that is odd. */
static double expect_again(const struct baseline_counts *past,
                           const struct rule *rule,
                           int64_t local_at_ms,
                           double expected)
{
    const struct baseline_hours *hours = &past->hours;
    const unsigned at = detect_count_week_hour(local_at_ms);
    double middle;

    if (hours->weeks[at] < BASELINE_WEEKS) {
        return expected;
    }
    middle =
        middle_of(rule->kind == RULE_DROP ? hours->least[at] : hours->most[at]);
    if ((rule->kind == RULE_DROP) != (middle < expected)) {
        return expected;
    }
    return detect_count_rarity(&past->law, middle, expected) >= AGAIN_RARITY
               ? middle
               : expected;
}

/* --- judging
 * ------------------------------------------------------------------------ */

/* Counts by their own law; before is the past without the window. */
static void judge_count(const struct rule *rule,
                        const struct baseline_counts *before,
                        double value,
                        struct baseline_verdict *verdict)
{
    const double windows = (double)MONTH_MS / (double)rule->window_ms;
    const double rarity =
        detect_count_rarity(&before->law, value, verdict->expected);

    verdict->probability = pow(10, -rarity);
    verdict->is_odd =
        rarity >=
        log10(fmax(DOUBT * windows / rule->alarms_per_month, LEAST_RARE));
}

static void judge_any(const struct rule *rule,
                      const struct detect_verdict *any,
                      double value,
                      struct baseline_verdict *verdict)
{
    verdict->expected = any->expected;
    verdict->probability = any->probability;
    verdict->is_odd = any->score >= detect_limit(rule->alarms_per_month) &&
                      fabs(value - any->expected) >= LEAST_OFF * any->expected;
}

/* Judges value in the window at hand, and lets past learn it. */
static void step(const struct baseline *baseline,
                 const struct rule *rule,
                 const struct lb_zone *zone,
                 double value,
                 union baseline_past *past,
                 struct baseline_verdict *verdict)
{
    const int64_t at_ms = local_ms(baseline, zone);
    struct detect_count_verdict count = {0};
    struct detect_verdict any;

    if (rule->metric == RULE_VALUE) {
        detect_step(&past->any, at_ms, value, &any);
        judge_any(rule, &any, value, verdict);
    } else {
        const struct baseline_counts before = past->counts;

        detect_count_step(&past->counts.law, at_ms, value, &count);
        learn_hour(&past->counts.hours, at_ms, value);
        verdict->expected = expect_again(&before, rule, at_ms, count.expected);
        judge_count(rule, &before, value, verdict);
    }
    verdict->is_odd = verdict->is_odd &&
                      (rule->kind == RULE_DROP
                           ? value < verdict->expected
                           : value > verdict->expected && value >= rule->min);
}

/* Judges so many in the window at hand. */
static void look(const struct baseline *baseline,
                 const struct rule *rule,
                 const struct lb_zone *zone,
                 int64_t count,
                 struct baseline_verdict *verdict)
{
    union baseline_past copy = *baseline->past;

    step(baseline, rule, zone, rule_number(rule, count), &copy, verdict);
}

static bool rings(const struct baseline *baseline,
                  const struct rule *rule,
                  const struct lb_zone *zone,
                  int64_t count,
                  struct baseline_verdict *verdict)
{
    look(baseline, rule, zone, count, verdict);
    return verdict->is_odd;
}

/* The first count in least..most that rings, or does not, as wanted; those
 * before it do the other. */
static int64_t find_first(const struct baseline *baseline,
                          const struct rule *rule,
                          const struct lb_zone *zone,
                          int64_t most,
                          bool is_wanted)
{
    struct baseline_verdict verdict;
    int64_t low = -1;

    while (most - low > 1) {
        int64_t middle = low + (most - low) / 2;

        if (rings(baseline, rule, zone, middle, &verdict) == is_wanted) {
            most = middle;
        } else {
            low = middle;
        }
    }
    return most;
}

int64_t baseline_limit(const struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone)
{
    const int64_t unit = rule->metric == RULE_VALUE ? 100 : 1;
    struct baseline_verdict verdict;
    int64_t most = 1;

    look(baseline, rule, zone, 0, &verdict);
    if (rule->kind == RULE_DROP) {
        most = (int64_t)ceil(fmax(verdict.expected, 0) * (double)unit);
        return find_first(baseline, rule, zone, most, false) - 1;
    }
    most = (int64_t)ceil(fmax(rule->min, verdict.expected) * (double)unit);
    while (most < MOST_COUNT && !rings(baseline, rule, zone, most, &verdict)) {
        most *= 2;
    }
    return most < MOST_COUNT ? find_first(baseline, rule, zone, most, true)
                             : -1;
}

bool baseline_is_spike(struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone,
                       struct baseline_verdict *verdict_out)
{
    if (rule_number(rule, baseline->count) < rule->min) {
        return false;
    }
    if (baseline->limit == 0) {
        baseline->limit = baseline_limit(baseline, rule, zone);
        baseline->limit = baseline->limit < 0 ? MOST_COUNT : baseline->limit;
    }
    return baseline->count >= baseline->limit &&
           rings(baseline, rule, zone, baseline->count, verdict_out);
}

void baseline_close(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct baseline_verdict *verdict_out)
{
    const struct ctr_window window = baseline->window;
    const int64_t deaf_ms = gaps_deaf_ms(gaps, window.from_ms, window.to_ms);
    const double length_ms = (double)(window.to_ms - window.from_ms);
    double value = rule_number(rule, baseline->count);

    if (deaf_ms > 0) {
        look(baseline, rule, zone, baseline->count, verdict_out);
        value += ceil(verdict_out->expected * (double)deaf_ms / length_ms);
    }
    step(baseline, rule, zone, value, baseline->past, verdict_out);
    baseline->last_ms =
        baseline->count != 0 ? window.from_ms : baseline->last_ms;
    baseline->closed = baseline->count;
    baseline->count = 0;
    baseline->pending = 0;
    baseline->limit = 0;
    baseline->window = ctr_window_at(zone, rule->window_ms, window.to_ms);
}

void baseline_add_late(struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone,
                       int64_t at_ms,
                       int64_t weight)
{
    if (rule->metric != RULE_VALUE) {
        detect_count_add_late(&baseline->past->counts.law,
                              at_ms +
                                  lb_zone_offset_s(zone, at_ms) * LB_MS_PER_S,
                              local_ms(baseline, zone), (double)weight);
        baseline->has_late = true;
        baseline->limit = 0;
    }
}

/* Counts what stands at the window at hand; earlier ones came too late. */
static size_t take_slots(struct baseline *baseline,
                         const struct ctr_slots *slots,
                         size_t used)
{
    for (; used < slots->count &&
           slots->slots[used].at_ms <= baseline->window.from_ms;
         used++) {
        if (slots->slots[used].at_ms == baseline->window.from_ms) {
            baseline->count += slots->slots[used].counts.views;
        }
    }
    return used;
}

bool baseline_learn(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct ctr_slots *slots,
                    int64_t at_ms)
{
    struct baseline_verdict verdict;
    size_t used = 0;

    if (slots->count == 0 && baseline->past == NULL) {
        return true;
    }
    if (baseline->past == NULL &&
        !baseline_begin(baseline, rule, zone, slots->slots[0].at_ms)) {
        return false;
    }
    while (baseline->window.to_ms <= at_ms) {
        used = take_slots(baseline, slots, used);
        baseline_close(baseline, rule, zone, gaps, &verdict);
    }
    if (used > 0) {
        memmove(slots->slots, slots->slots + used,
                (slots->count - used) * sizeof(*slots->slots));
        slots->count -= used;
    }
    return true;
}
