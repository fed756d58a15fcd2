/* baseline.h - what is usual for a group of a rule of kind spike or drop: what
 * the windows that have ended say, and the count of the window at hand.  Pure.
 *
 * Windows are aligned to the site's midnight (ctr_window_at()) and are rows to
 * the detector, by the local clock.  A count rings when the tail of its law
 * (negative binomial, of which Poisson's is the limit; detect_count.h) is below
 * the rule's false alarms over the windows of a month of 30 days.  What the
 * same hour of two of the last three weeks had is usual, be it ever so odd.
 * Sums of value are no counts: the general detector (detect.h) judges them, and
 * they have to be off by a fifth at least.  Time in which nobody listened
 * counts as usual: what is expected for that part of a window is added to its
 * count. */
#ifndef LINKBELL_ALERTS_BASELINE_H
#define LINKBELL_ALERTS_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/ctr.h"
#include "alerts/detect.h"
#include "alerts/gaps.h"
#include "alerts/rule.h"
#include "base/zone.h"

#define BASELINE_WINDOWS 8064 /* that a rule learns from at most */
#define BASELINE_LEARN_MS (182 * LB_MS_PER_DAY) /* and not longer ago */

#define BASELINE_WEEKS 3 /* what came in so many is usual, however odd */

/* The largest and the smallest count of a window in each hour of the week, the
 * newest week first; by their logarithms. */
struct baseline_hours {
    int64_t hour; /* the last one, since the epoch */
    uint16_t most[DETECT_COUNT_WEEK][BASELINE_WEEKS];
    uint16_t least[DETECT_COUNT_WEEK][BASELINE_WEEKS];
    uint8_t weeks[DETECT_COUNT_WEEK];
};

struct baseline_counts {
    struct detect_count law;
    struct baseline_hours hours;
};

union baseline_past {
    struct baseline_counts counts;
    struct detect any; /* of value */
};

_Static_assert(sizeof(union baseline_past) <= DETECT_STATE_BYTES,
               "the state of a group has a limit");

struct baseline_verdict {
    double expected;
    double probability; /* of so many or more, or so few or fewer */
    bool is_odd;        /* a spike, or a drop, as the rule says */
};

struct baseline {
    union baseline_past *past; /* owned; NULL: not known yet */
    struct ctr_window window;  /* at hand */
    int64_t count;             /* of it; hundredths for value */
    int64_t pending;           /* of count, and not saved yet */
    int64_t closed;            /* the count of the one before */
    int64_t last_ms;           /* the last window that counted something */
    bool has_late;             /* past changed and is not saved */
    int64_t limit; /* the least count that rings; 0: not known yet */
};

/* How much of past is used. */
size_t baseline_past_bytes(const struct rule *rule);

/* The past of a group that nothing is known of; the window is at at_ms.
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
                       struct baseline_verdict *verdict_out);

/* The least count (spike) or the greatest (drop) with which the window at hand
 * would ring; -1: none would. */
int64_t baseline_limit(const struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone);

/* The window at hand has ended: it is judged and learnt, and the next one is at
 * hand. */
void baseline_close(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct baseline_verdict *verdict_out);

/* An event of a window that has ended, at at_ms, moves what is usual; not of
 * value, and not before the first window. */
void baseline_add_late(struct baseline *baseline,
                       const struct rule *rule,
                       const struct lb_zone *zone,
                       int64_t at_ms,
                       int64_t weight);

/* Takes the windows of slots (views are the count) that ended until at_ms; the
 * rest stays.  False: out of memory. */
bool baseline_learn(struct baseline *baseline,
                    const struct rule *rule,
                    const struct lb_zone *zone,
                    const struct gaps *gaps,
                    struct ctr_slots *slots,
                    int64_t at_ms);

#endif
