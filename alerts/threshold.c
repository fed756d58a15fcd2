/* threshold.c - counting events in the windows of a threshold's groups. */
#include "alerts/threshold.h"

#include "base/clock.h"

/* A group that did not ring had an event in the window before the last tick. */
#define TICKS_MS (2 * LB_MS_PER_MIN)

int64_t threshold_oldest(const struct rule *rule,
                         const struct gaps *gaps,
                         int64_t at_ms)
{
    return rule->is_below ? gaps_oldest(gaps, at_ms, rule->window_ms)
                          : at_ms + 1 - rule->window_ms;
}

int64_t threshold_known_from(const struct rule *rule,
                             const struct gaps *gaps,
                             int64_t at_ms)
{
    if (rule_is_of_silence(rule)) {
        return gaps_oldest(gaps, at_ms, rule->window_ms + TICKS_MS);
    }
    return rule->is_below
               ? gaps_oldest(gaps, at_ms, 2 * rule->window_ms + TICKS_MS)
               : threshold_oldest(rule, gaps, at_ms);
}

int64_t threshold_time(const struct entry *entry)
{
    return entry->ts_at_ms < entry->received_at_ms ? entry->ts_at_ms
                                                   : entry->received_at_ms;
}

/* Numbers of visitors are dense within a period; days tell periods apart. */
static int64_t visitor_of(const struct entry *entry)
{
    return (int64_t)((uint64_t)entry->visitor ^ (uint64_t)entry->visitor_day
                                                    << 40);
}

void threshold_note(struct group *group, int64_t at_ms)
{
    if (group->last_at_ms < at_ms) {
        group->last_at_ms = at_ms;
    }
}

bool threshold_count(const struct rule *rule,
                     const struct gaps *gaps,
                     struct group *group,
                     const struct entry *entry,
                     int64_t oldest_ms)
{
    int64_t ts_ms = threshold_time(entry);

    if (ts_ms < threshold_oldest(rule, gaps, entry->received_at_ms)) {
        return true;
    }
    if (rule_is_of_silence(rule)) {
        if (!entry->is_silent) { /* an import is no sign of life */
            threshold_note(group, ts_ms);
        }
        return true;
    }
    if (group->began_at_ms == 0) {
        group->began_at_ms = ts_ms;
    }
    return rule_window_add(&group->window, oldest_ms, ts_ms,
                           rule_weight(rule, entry), visitor_of(entry));
}

void threshold_take_out(const struct rule *rule,
                        struct group *group,
                        const struct entry *entry)
{
    rule_window_take_out(&group->window, threshold_time(entry),
                         rule_weight(rule, entry), visitor_of(entry));
}

bool threshold_set_back(const struct rule *rule,
                        struct group *group,
                        int64_t from_ms,
                        int64_t to_ms)
{
    if (group->last_at_ms > to_ms) {
        group->last_at_ms = to_ms;
    }
    rule_window_move(&group->window, from_ms + 1 - rule->window_ms);
    return rule_window_clamp(&group->window, to_ms);
}

enum rule_turn threshold_judge(const struct rule *rule,
                               const struct group *group,
                               int64_t oldest_ms)
{
    int64_t last_ms = group->last_at_ms;

    if (rule_is_of_silence(rule) && group->row.state.is_firing) {
        return last_ms == 0 ? RULE_STAYS : RULE_IS_OVER;
    }
    if (rule_is_of_silence(rule)) {
        return last_ms != 0 && last_ms < oldest_ms ? RULE_FIRES : RULE_STAYS;
    }
    return rule_judge(
        rule, rule_window_value(&group->window), group->row.state.is_firing,
        group->began_at_ms != 0 && group->began_at_ms <= oldest_ms);
}

bool threshold_waits(const struct rule *rule, const struct group *group)
{
    if (group->row.state.since_at_ms != 0) {
        return true;
    }
    if (rule_is_of_silence(rule)) {
        return group->last_at_ms != 0 && !group->row.state.is_firing;
    }
    return rule->is_below
               ? group->began_at_ms != 0 && !group->row.state.is_firing
               : group->row.state.is_firing;
}
