/* raise.h - an alert: whether it goes out or is held back, its row, its message
 * and deliveries.  The writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_RAISE_H
#define LINKBELL_ALERTS_RAISE_H

#include "alerts/alert_store.h"
#include "alerts/groups.h"
#include "alerts/rule.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/coverage.h"
#include "sql/db.h"
#include "sql/entry.h"

/* Alerts of a rule and site that are kept a day although they were held back;
 * further ones are counted in the metrics alone. */
#define RAISE_HELD_PER_DAY 1000

struct raise {
    struct db *db;
    struct groups *groups;
    const char *public_url;
    const struct rule *rule;
    const struct catalog_site *site;
    struct group *group;       /* loaded; loaded and changed here */
    const struct entry *entry; /* the deciding one */
    double value;    /* as people count it; not of event, first_seen */
    double expected; /* of ctr, spike and drop; likewise: */
    double probability;
    int64_t window_from_ms; /* likewise */
    int64_t window_to_ms;
    int64_t now_ms;
    bool is_learning;
    bool is_rehearsal;        /* counts in no metric */
    const char *contributors; /* of spike: JSON */
    /* raise.c's own: the group of the day's, and of the window's figures. */
    struct group *books;
    enum coverage_state coverage;
    bool has_queued; /* out: a message waits */
};

/* Raises it; the group's state then names it.  One whose id is known already
 * changes nothing that was stored. */
LB_MUST_CHECK enum lb_err raise_alert(struct raise *raise,
                                      struct lb_error *err);

#define RAISE_RESOLVED "_resolved" /* after the alert's id: the message's */

/* Tells that the alert that the group's state names is over, with value: by a
 * message when it had one of its own, else by the next digest.  entry is not
 * looked at. */
LB_MUST_CHECK enum lb_err raise_resolved(struct raise *raise,
                                         struct lb_error *err);

#endif
