/* threshold.h - counting events in the windows of a threshold's groups, and
 * noting the last sign of those that ring for silence.  Pure.
 *
 * An event counts at its own time, or when it was received if that is earlier;
 * one that was older than the window when it came does not count.
 *
 * A rule with `below` rings only when the window is full: when it lies wholly
 * after the group's first event.  So a site or group that never had an event is
 * silent, and a new one is judged a window after its first event.  Its window
 * leaves out the times in which the service did not listen.
 *
 * A rule for silence (absent, not_pulled) rings when the last sign lies before
 * such a window, and is over with the next sign. */
#ifndef LINKBELL_ALERTS_THRESHOLD_H
#define LINKBELL_ALERTS_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/gaps.h"
#include "alerts/groups.h"
#include "alerts/rule.h"
#include "sql/entry.h"

/* The first instant of the rule's window when it is at_ms. */
int64_t threshold_oldest(const struct rule *rule,
                         const struct gaps *gaps,
                         int64_t at_ms);

/* From when on the log says all of the rule's windows, and which of its groups
 * have begun. */
int64_t threshold_known_from(const struct rule *rule,
                             const struct gaps *gaps,
                             int64_t at_ms);

/* When the event counts. */
int64_t threshold_time(const struct entry *entry);

/* Counts the event; the group's window begins at oldest_ms.  False: out of
 * memory. */
LB_MUST_CHECK bool threshold_count(const struct rule *rule,
                                   const struct gaps *gaps,
                                   struct group *group,
                                   const struct entry *entry,
                                   int64_t oldest_ms);

/* There was a sign, of a group whose rule rings for silence. */
void threshold_note(struct group *group, int64_t at_ms);

/* Takes an event that was counted out again. */
void threshold_take_out(const struct rule *rule,
                        struct group *group,
                        const struct entry *entry);

/* The clock was set back: what the window held at from_ms and lies ahead of
 * to_ms counts then; what it had let go stays gone.  False: out of memory. */
LB_MUST_CHECK bool threshold_set_back(const struct rule *rule,
                                      struct group *group,
                                      int64_t from_ms,
                                      int64_t to_ms);

/* What the group's window, which begins at oldest_ms, means. */
enum rule_turn threshold_judge(const struct rule *rule,
                               const struct group *group,
                               int64_t oldest_ms);

/* Whether the group waits for time to pass: an entry a minute then says that it
 * did. */
bool threshold_waits(const struct rule *rule, const struct group *group);

#endif
