/* ctr.c - whether a share of clicks in views fell. */
#include "alerts/ctr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ROUNDING 1e-12
#define MONDAY 4 /* the first one since 1970-01-01, as a day number */

static int64_t floor_to(int64_t value, int64_t step, int64_t origin)
{
    int64_t rest = (value - origin) % step;

    return value - (rest < 0 ? rest + step : rest);
}

struct ctr_window
ctr_window_at(const struct lb_zone *zone, int64_t length_ms, int64_t at_ms)
{
    int64_t day = lb_zone_local_day(zone, at_ms);
    struct ctr_window window;
    int64_t next_ms;

    if (length_ms >= LB_MS_PER_DAY) {
        int64_t days = length_ms / LB_MS_PER_DAY;

        day = floor_to(day, days, MONDAY);
        window.from_ms = lb_zone_day_start_ms(zone, day);
        window.to_ms = lb_zone_day_start_ms(zone, day + days);
    } else {
        int64_t midnight_ms = lb_zone_day_start_ms(zone, day);

        window.from_ms = floor_to(at_ms, length_ms, midnight_ms);
        window.to_ms = window.from_ms + length_ms;
        next_ms = lb_zone_day_start_ms(zone, day + 1);
        window.to_ms = window.to_ms > next_ms ? next_ms : window.to_ms;
        day = window.from_ms == midnight_ms ? day : -1;
    }
    window.before_ms = day != -1 ? lb_zone_day_start_ms(zone, day - CTR_DAYS)
                                 : window.from_ms - CTR_DAYS * LB_MS_PER_DAY;
    return window;
}

double ctr_share(const struct ctr_counts *counts)
{
    return counts->views == 0 ? 0
                              : (double)counts->clicks / (double)counts->views;
}

double ctr_probability(const struct ctr_counts *before,
                       const struct ctr_counts *now)
{
    double pooled;
    double variance;

    if (before->views <= 0 || now->views <= 0) {
        return 1;
    }
    pooled = (double)(before->clicks + now->clicks) /
             (double)(before->views + now->views);
    variance = before->clicks <= before->views && now->clicks <= now->views
                   ? pooled * (1 - pooled)
                   : pooled;
    if (variance <= 0) {
        return 1;
    }
    variance *= 1 / (double)before->views + 1 / (double)now->views;
    return 0.5 *
           erfc((ctr_share(before) - ctr_share(now)) / sqrt(2 * variance));
}

bool ctr_is_drop(const struct rule *rule,
                 const struct ctr_counts *before,
                 const struct ctr_counts *now)
{
    double doubling;

    if (before->views < rule->min_views || now->views < rule->min_views ||
        ctr_share(now) > (1 - rule->drop) * ctr_share(before) + ROUNDING) {
        return false;
    }
    doubling = 1 + floor(log2((double)now->views / (double)rule->min_views));
    return ctr_probability(before, now) <
           (1 - rule->confidence) / (4 * doubling * (doubling + 1));
}

bool ctr_slots_add(struct ctr_slots *slots,
                   int64_t at_ms,
                   const struct ctr_counts *counts)
{
    size_t place = slots->count;
    struct ctr_slot *more;

    while (place > 0 && slots->slots[place - 1].at_ms > at_ms) {
        place--;
    }
    if (place > 0 && slots->slots[place - 1].at_ms == at_ms) {
        slots->slots[place - 1].counts.views += counts->views;
        slots->slots[place - 1].counts.clicks += counts->clicks;
        return true;
    }
    if (slots->count == slots->cap) {
        size_t cap = slots->cap == 0 ? 8 : 2 * slots->cap;

        more = realloc(slots->slots, cap * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        slots->slots = more;
        slots->cap = cap;
    }
    memmove(slots->slots + place + 1, slots->slots + place,
            (slots->count - place) * sizeof(*slots->slots));
    slots->slots[place] = (struct ctr_slot){at_ms, *counts};
    slots->count++;
    return true;
}

void ctr_slots_deinit(struct ctr_slots *slots)
{
    free(slots->slots);
    memset(slots, 0, sizeof(*slots));
}
