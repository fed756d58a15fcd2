/* baseline.h - what is usual for a group of a rule of kind spike or drop: the
 * detector's state after the windows that have ended, and the count of the
 * window at hand.  Pure.
 *
 * Windows are aligned to the site's midnight (ctr_window_at()) and are rows to
 * the detector, by the local clock.  Time in which nobody listened counts as
 * usual: what is expected for that part of a window is added to its count. */
#ifndef LINKBELL_ALERTS_BASELINE_H
#define LINKBELL_ALERTS_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/ctr.h"
#include "alerts/detect.h"
#include "alerts/gaps.h"
#include "alerts/rule.h"
#include "base/zone.h"

#define BASELINE_WINDOWS 8064 /* that a rule learns from at most */
#define BASELINE_LEARN_MS (182 * LB_MS_PER_DAY) /* and not longer ago */

struct baseline {
    struct detect *detect;    /* owned; NULL: not known yet */
    struct ctr_window window; /* at hand */
    int64_t count;            /* of it; hundredths for value */
    int64_t pending;          /* of count, and not saved yet */
    int64_t closed;           /* the count of the one before */
    int64_t last_ms;          /* the last window that counted something */
    int64_t limit;            /* the least count that rings; 0: not known yet */
};

/* The detector of a group that nothing is known of; the window is at at_ms.
 * False: out of memory. */
bool baseline_begin(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    int64_t at_ms);
void baseline_deinit(struct baseline *baseline);

/* Whether the window at hand is a spike already. */
bool baseline_is_spike(struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone,
                       struct detect_verdict *verdict_out);

/* The least count (spike) or the greatest (drop) with which the window at hand
 * would ring; -1: none would. */
int64_t baseline_limit(const struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone);

/* The window at hand has ended: the detector learns it and the next one is at
 * hand.  Returns whether it was a drop. */
bool baseline_close(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct detect_verdict *verdict_out);

/* Takes the windows of slots (views are the count) that ended until at_ms; the
 * rest stays.  False: out of memory. */
bool baseline_learn(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct ctr_slots *slots,
                    int64_t at_ms);

#endif
