/* ctr.h - whether a share of clicks in views fell: windows aligned to the
 * site's midnight, compared with the 28 days before.  Pure.
 *
 * The test is the one-sided two-proportion z-test with the pooled share.  Where
 * views have more than one click each, clicks are no share of views: then the
 * variance is that of a Poisson rate, which is larger.  A window is judged with
 * each event; so that many looks do not make up for one, its error is spent
 * over doublings of its views: the k-th may spend 1 / (4 k (k + 1)) of it,
 * since looking all the time within one errs about four times as often as one
 * look does (D. Siegmund, Sequential Analysis, 1985, chapter 4), and the sum of
 * 1 / (k (k + 1)) is 1. */
#ifndef LINKBELL_ALERTS_CTR_H
#define LINKBELL_ALERTS_CTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/rule.h"
#include "base/zone.h"

#define CTR_DAYS 28 /* that are compared with */

struct ctr_counts {
    int64_t views;
    int64_t clicks;
};

/* A window and where the days before it begin. */
struct ctr_window {
    int64_t before_ms;
    int64_t from_ms;
    int64_t to_ms;
};

/* The window of that length that holds at_ms: a part of a local day, or whole
 * days (weeks begin on Monday). */
struct ctr_window
ctr_window_at(const struct lb_zone *zone, int64_t length_ms, int64_t at_ms);

/* Clicks a view; 0 without views. */
double ctr_share(const struct ctr_counts *counts);

/* How likely a share as low as now's is, were it still what it was before.  1
 * when nothing can be said. */
double ctr_probability(const struct ctr_counts *before,
                       const struct ctr_counts *now);

/* Whether the rule's drop is there, with enough views on both sides, and more
 * than chance. */
bool ctr_is_drop(const struct rule *rule,
                 const struct ctr_counts *before,
                 const struct ctr_counts *now);

/* Counts by windows, in order of time: what a rule learns. */
struct ctr_slot {
    int64_t at_ms;
    struct ctr_counts counts;
};
struct ctr_slots {
    struct ctr_slot *slots; /* owned */
    size_t count;
    size_t cap;
};
/* False: out of memory. */
bool ctr_slots_add(struct ctr_slots *slots,
                   int64_t at_ms,
                   const struct ctr_counts *counts);
void ctr_slots_deinit(struct ctr_slots *slots);

#endif
