/* contributors.h - where the events of a window come from: how many of them by
 * source, link and country, read from the log. */
#ifndef LINKBELL_ALERTS_CONTRIBUTORS_H
#define LINKBELL_ALERTS_CONTRIBUTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/ruleset.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

#define CONTRIBUTORS_MOST 3
/* Values told apart; events of further ones are not counted. */
#define CONTRIBUTORS_VALUES 4096

struct contributors {
    const struct ruleset *set; /* all borrowed */
    const struct rule *rule;   /* of set */
    const struct catalog_site *site;
    const char *group;
    int64_t from_ms; /* events with a ts in from_ms..to_ms, to_ms excluded */
    int64_t to_ms;
    const struct entry *last; /* the last one that counts, by log number */
    bool is_rehearsal;        /* by receive time, which is ts for imports */
};

/* When the entry counts as received when a rule is tried on the past: what was
 * imported had always been there. */
int64_t contributors_received_ms(const struct entry *entry);

/* Writes [{"dimension","value","count"}], the largest first: of utm_source
 * (source where an event has none), link and country, without those that the
 * group names.  The counts are of the rule's metric; sums for value. */
LB_MUST_CHECK enum lb_err contributors_write(const struct contributors *what,
                                             struct db *db,
                                             struct lb_buf *out,
                                             struct lb_error *err);

#endif
