/* decide.h - what depends on a visitor's earlier events: inherited attribution,
 * visits, double taps, orphan clicks.  Decided once, in log order, and stored
 * with the event. The memory is a function of the log's last 30 minutes by
 * receive time and of its 100,000 (site, visitor) pairs last touched, so a
 * restart has the same memory and decides the same.  The writer thread's; it
 * follows commits. */
#ifndef LINKBELL_INGEST_DECIDE_H
#define LINKBELL_INGEST_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define DECIDE_WINDOW_MS INT64_C(1800000)
#define DECIDE_PAIRS 100000

/* What an event brought along by itself. */
enum decide_own {
    DECIDE_OWN_NOTHING,
    DECIDE_OWN_REFERRER, /* an outside referrer only */
    DECIDE_OWN_CAMPAIGN  /* campaign parameters or a click identifier */
};

struct decide;

struct decide *
decide_new(int64_t double_tap_window_ms); /* NULL: out of memory */
void decide_free(struct decide *decide);
void decide_set_double_tap(struct decide *decide, int64_t window_ms);

/* Decides about an event whose visitor number, link number and own attribution
 * are filled in: sets its flags and, when it inherits, *from_out to the numbers
 * and texts of the visitor's latest event (good until the next commit), else to
 * NULL. */
struct decide_attribution {
    int64_t dict[5]; /* source, channel, utm_source, utm_medium, utm_campaign */
    const char
        *text[4]; /* referrer, utm_term, utm_content, click_id; NULL: none */
};
void decide_event(struct decide *decide,
                  struct entry *entry,
                  enum decide_own own,
                  const struct decide_attribution **from_out);

/* Whether the entry's visitor is within a visit: had an event of the same class
 * in the 30 minutes before. */
bool decide_has_visit(const struct decide *decide, const struct entry *entry);

/* Remembers an event as it is stored: after decide_event(), and at start for
 * each of the log's last 30 minutes. */
LB_MUST_CHECK enum lb_err decide_remember(struct decide *decide,
                                          const struct entry *entry);

/* Between transactions' appends: forgets a visitor, or with visitor 0 a whole
 * site. */
void decide_forget(struct decide *decide,
                   int64_t site,
                   int64_t day,
                   int64_t visitor);

/* Says that an entry with its visitor's number will be decided soon; and, a
 * little later, once more. */
void decide_expect(const struct decide *decide, const struct entry *entry);
void decide_expect_pair(const struct decide *decide, const struct entry *entry);

void decide_commit(struct decide *decide);
void decide_rollback(struct decide *decide);
size_t decide_count(const struct decide *decide); /* pairs held */

#endif
