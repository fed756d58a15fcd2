/* lane.c - when attempts at one destination may start. */
#include "alerts/lane.h"

#include <stdio.h>
#include <string.h>

/* A timer may be late by so much without slowing a fast rate down. */
#define CREDIT_US 10000

static const char *const names[] = {"ok", "open", "paused", "disabled"};

const char *lane_state_name(enum lane_state state)
{
    return names[state];
}

enum lane_state lane_state_read(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum lane_state)i;
        }
    }
    return LANE_OK;
}

int64_t lane_jitter(int64_t delay_ms, double share, double random)
{
    return (int64_t)((double)delay_ms * (1 + share * (2 * random - 1)));
}

static int most_in_flight(const struct lane *lane,
                          const struct lane_rules *rules)
{
    if (lane_is_probing(lane)) {
        return 1;
    }
    return lane->growing > 0 && lane->growing < rules->concurrency
               ? lane->growing
               : rules->concurrency;
}

bool lane_is_probing(const struct lane *lane)
{
    return lane->state == LANE_OPEN || lane->state == LANE_PAUSED;
}

int64_t lane_next_ms(const struct lane *lane, const struct lane_rules *rules)
{
    int64_t at_ms = (lane->next_start_us + 999) / 1000;

    if (lane->state == LANE_DISABLED ||
        lane->in_flight >= most_in_flight(lane, rules)) {
        return INT64_MAX;
    }
    if (rules->spacing_us == 0) {
        at_ms = 0;
    }
    if (lane_is_probing(lane) && lane->probe_at_ms > at_ms) {
        at_ms = lane->probe_at_ms;
    }
    return lane->hold_until_ms > at_ms ? lane->hold_until_ms : at_ms;
}

bool lane_may_start(const struct lane *lane,
                    const struct lane_rules *rules,
                    int64_t now_ms)
{
    return lane_next_ms(lane, rules) <= now_ms;
}

void lane_start(struct lane *lane,
                const struct lane_rules *rules,
                int64_t now_ms)
{
    int64_t least_us =
        now_ms * 1000 - (rules->spacing_us < CREDIT_US ? CREDIT_US : 0);

    lane->in_flight++;
    if (lane->next_start_us < least_us) {
        lane->next_start_us = least_us;
    }
    lane->next_start_us += rules->spacing_us;
}

static void
set_state(struct lane *lane, enum lane_state state, const char *reason)
{
    lane->state = state;
    (void)snprintf(lane->reason, sizeof(lane->reason), "%s",
                   reason == NULL ? "" : reason);
}

void lane_reset(struct lane *lane)
{
    set_state(lane, LANE_OK, NULL);
    lane->failures = 0;
    lane->throttles = 0;
    lane->hold_until_ms = 0;
    lane->probe = 0;
    lane->growing = 0;
}

/* Also what refuses a message for good is there again. */
static enum lane_change note_alive(struct lane *lane,
                                   const struct lane_rules *rules)
{
    bool was_probing = lane_is_probing(lane);

    lane->failures = 0;
    if (was_probing) {
        set_state(lane, LANE_OK, NULL);
        lane->probe = 0;
        lane->growing = 1;
        return LANE_HAS_CLOSED;
    }
    lane->growing *= 2;
    if (lane->growing >= rules->concurrency) {
        lane->growing = 0;
    }
    return LANE_SAME;
}

static void plan_probe(struct lane *lane,
                       const struct lane_rules *rules,
                       const struct lane_end *end,
                       int64_t now_ms)
{
    size_t last = rules->probe_count - 1;
    int64_t delay_ms =
        lane->state == LANE_PAUSED
            ? LANE_PAUSE_PROBE_MS
            : rules->probes_ms[lane->probe < last ? lane->probe : last];

    lane->probe++;
    lane->probe_at_ms =
        now_ms + lane_jitter(delay_ms, rules->jitter, end->random);
}

/* A row of failures opens the breaker when it is of two messages, or of any
 * when there was no answer: one message that the other side can't digest closes
 * no destination. */
static enum lane_change note_failure(struct lane *lane,
                                     const struct lane_rules *rules,
                                     const struct lane_end *end,
                                     int64_t now_ms)
{
    if (lane->failures == 0) {
        lane->has_answered = false;
        lane->has_two = false;
        (void)snprintf(lane->failed, sizeof(lane->failed), "%s", end->message);
    }
    lane->failures++;
    lane->has_answered = lane->has_answered || end->has_answered;
    lane->has_two = lane->has_two || end->is_batch ||
                    strcmp(lane->failed, end->message) != 0;
    if (lane_is_probing(lane)) {
        if (end->is_probe) {
            plan_probe(lane, rules, end, now_ms);
        }
        return LANE_SAME;
    }
    if (lane->state != LANE_OK || lane->failures < rules->failures ||
        (lane->has_answered && !lane->has_two)) {
        return LANE_SAME;
    }
    set_state(lane, LANE_OPEN, "failures");
    lane->probe = 0;
    plan_probe(lane, rules, end, now_ms);
    return LANE_HAS_OPENED;
}

enum lane_change lane_finish(struct lane *lane,
                             const struct lane_rules *rules,
                             const struct lane_end *end,
                             int64_t now_ms)
{
    lane->in_flight--;
    if (end->wait_ms > 0 && now_ms + end->wait_ms > lane->hold_until_ms) {
        lane->hold_until_ms = now_ms + end->wait_ms;
    }
    lane->throttles =
        end->outcome == DESTINATION_THROTTLED ? lane->throttles + 1 : 0;
    if (lane->state == LANE_DISABLED) {
        return LANE_SAME;
    }
    switch (end->outcome) {
    case DESTINATION_SUCCESS:
    case DESTINATION_PERMANENT:
        return note_alive(lane, rules);
    case DESTINATION_RETRY:
    case DESTINATION_NEXT:
        return note_failure(lane, rules, end, now_ms);
    case DESTINATION_THROTTLED:
        if (end->is_probe) {
            plan_probe(lane, rules, end, now_ms);
        }
        return LANE_SAME;
    case DESTINATION_AUTH: {
        bool was_paused = lane->state == LANE_PAUSED;

        set_state(lane, LANE_PAUSED, end->reason);
        plan_probe(lane, rules, end, now_ms);
        return was_paused ? LANE_SAME : LANE_HAS_PAUSED;
    }
    case DESTINATION_DISABLE:
        set_state(lane, LANE_DISABLED, end->reason);
        return LANE_HAS_BEEN_DISABLED;
    }
    return LANE_SAME;
}
