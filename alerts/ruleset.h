/* ruleset.h - the rules of a catalog's snapshot, read, with what is asked of
 * each event looked up beforehand. */
#ifndef LINKBELL_ALERTS_RULESET_H
#define LINKBELL_ALERTS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/rule.h"
#include "base/err.h"
#include "sql/catalog.h"

struct ruleset_rule {
    struct rule rule;
    int64_t ready_seq; /* it decides on later entries; 0: not yet.  The
                          engine's */
    bool needs_intent;
};

struct ruleset {
    struct catalog *catalog;    /* owned reference */
    struct ruleset_rule *rules; /* owned */
    size_t count;
    /* By site number, up to site_max: */
    const struct catalog_site **sites; /* owned array */
    uint8_t *covers; /* owned; bit of rule i and site s at i * row + s */
    size_t site_max;
    size_t row_bits;
    size_t *by_number; /* owned; places in rules, by rule number */
};

/* Takes a reference of its own.  folds_utm: values of utm_* are stored folded.
 * A rule of a kind that this version has not is left out, with a log line. */
LB_MUST_CHECK enum lb_err ruleset_new(struct catalog *catalog,
                                      bool folds_utm,
                                      struct ruleset **set_out,
                                      struct lb_error *err);
void ruleset_free(struct ruleset *set); /* NULL is fine */

/* NULL: there is no such site (any more). */
const struct catalog_site *ruleset_site(const struct ruleset *set,
                                        int64_t number);
/* NULL: there is no such rule. */
struct ruleset_rule *ruleset_find(const struct ruleset *set, int64_t number);

/* Whether a rule of the set looks at the site, which is still there. */
bool ruleset_covers(const struct ruleset *set,
                    const struct ruleset_rule *row,
                    int64_t site);

/* Whether the rule at index looks at this event; *intent_out is that of the
 * event's link (NULL: none), for rule_group(). */
bool ruleset_matches(const struct ruleset *set,
                     size_t index,
                     const struct entry *entry,
                     const char **intent_out);

#endif
