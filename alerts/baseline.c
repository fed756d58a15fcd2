/* baseline.c - what is usual for a group of a rule. */
#include "alerts/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MOST_COUNT (INT64_C(1) << 40)

static int64_t local_ms(const struct baseline *baseline,
                        const struct lb_zone *zone)
{
    int64_t at_ms = baseline->window.from_ms;

    return at_ms + lb_zone_offset_s(zone, at_ms) * LB_MS_PER_S;
}

bool baseline_begin(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    int64_t at_ms)
{
    struct detect *detect = calloc(1, sizeof(*detect));

    if (detect == NULL) {
        return false;
    }
    detect_init(detect, rule->window_ms);
    *baseline = (struct baseline){
        .detect = detect,
        .window = ctr_window_at(zone, rule->window_ms, at_ms)};
    return true;
}

void baseline_deinit(struct baseline *baseline)
{
    free(baseline->detect);
    memset(baseline, 0, sizeof(*baseline));
}

static void look(const struct baseline *baseline,
                 const struct rule *rule,
                 const struct lb_zone *zone,
                 int64_t count,
                 struct detect_verdict *verdict)
{
    detect_look(baseline->detect, local_ms(baseline, zone),
                rule_number(rule, count), verdict);
}

static bool is_drop(const struct rule *rule,
                    double value,
                    const struct detect_verdict *verdict)
{
    return value < verdict->expected &&
           verdict->score_low >= detect_limit(rule->alarms_per_month);
}

/* Whether so many in the window at hand ring. */
static bool rings(const struct baseline *baseline,
                  const struct rule *rule,
                  const struct lb_zone *zone,
                  int64_t count,
                  struct detect_verdict *verdict)
{
    const double value = rule_number(rule, count);

    look(baseline, rule, zone, count, verdict);
    if (rule->kind == RULE_DROP) {
        return is_drop(rule, value, verdict);
    }
    return value >= rule->min && value > verdict->expected &&
           verdict->score >= detect_limit(rule->alarms_per_month);
}

/* The first count in least..most that rings, or does not, as wanted; those
 * before it do the other. */
static int64_t find_first(const struct baseline *baseline,
                          const struct rule *rule,
                          const struct lb_zone *zone,
                          int64_t most,
                          bool is_wanted)
{
    struct detect_verdict verdict;
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
    struct detect_verdict verdict;
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
                       struct detect_verdict *verdict_out)
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

bool baseline_close(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct detect_verdict *verdict_out)
{
    const struct ctr_window window = baseline->window;
    const int64_t deaf_ms = gaps_deaf_ms(gaps, window.from_ms, window.to_ms);
    const double length_ms = (double)(window.to_ms - window.from_ms);
    double value = rule_number(rule, baseline->count);

    if (deaf_ms > 0) {
        look(baseline, rule, zone, baseline->count, verdict_out);
        value += ceil(verdict_out->expected * (double)deaf_ms / length_ms);
    }
    detect_step(baseline->detect, local_ms(baseline, zone), value, verdict_out);
    baseline->last_ms =
        baseline->count != 0 ? window.from_ms : baseline->last_ms;
    baseline->closed = baseline->count;
    baseline->count = 0;
    baseline->pending = 0;
    baseline->limit = 0;
    baseline->window = ctr_window_at(zone, rule->window_ms, window.to_ms);
    return is_drop(rule, value, verdict_out);
}

bool baseline_learn(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct ctr_slots *slots,
                    int64_t at_ms)
{
    struct detect_verdict verdict;
    size_t used = 0;

    if (slots->count == 0 && baseline->detect == NULL) {
        return true;
    }
    if (baseline->detect == NULL &&
        !baseline_begin(baseline, rule, zone, slots->slots[0].at_ms)) {
        return false;
    }
    while (baseline->window.to_ms <= at_ms) {
        while (used < slots->count &&
               slots->slots[used].at_ms <= baseline->window.from_ms) {
            if (slots->slots[used].at_ms == baseline->window.from_ms) {
                baseline->count += slots->slots[used].counts.views;
            }
            used++;
        }
        (void)baseline_close(baseline, rule, zone, gaps, &verdict);
    }
    memmove(slots->slots, slots->slots + used,
            (slots->count - used) * sizeof(*slots->slots));
    slots->count -= used;
    return true;
}
