/* by_site.h - which rules may concern an event of a site and type, so that a
 * rule of another site costs an event nothing.  A list is made when it is asked
 * for first.  Not for two threads at once. */
#ifndef LINKBELL_ALERTS_BY_SITE_H
#define LINKBELL_ALERTS_BY_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "alerts/ruleset.h"

struct by_site;

struct by_site_list {
    const uint32_t *places; /* of rules in the set; in its order */
    size_t count;
};

/* For the set, which outlives it; candidates (by place in the set, owned by the
 * caller) are the rules that decide.  NULL: out of memory. */
struct by_site *
by_site_new(const struct ruleset *set, const size_t *candidates, size_t count);
void by_site_free(struct by_site *by_site); /* NULL is fine */

/* NULL: out of memory. */
const struct by_site_list *
by_site_get(struct by_site *by_site, int64_t site, enum entry_type type);

#endif
