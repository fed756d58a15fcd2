/* rate.h - rules of kind ctr: the window at hand and what came before it, by
 * group.  What is counted stands in rows (slot_store.h), moved on with each
 * batch; in memory are the sums of the window at hand.  The writer thread's,
 * inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_RATE_H
#define LINKBELL_ALERTS_RATE_H

#include <stdbool.h>

#include "alerts/engine_state.h"
#include "base/err.h"

/* Counts the event and judges the window. */
LB_MUST_CHECK enum lb_err rate_decide(struct engine *engine,
                                      struct db *db,
                                      const struct engine_case *one,
                                      struct lb_error *err);
/* Saves what rate_decide() counted. */
LB_MUST_CHECK enum lb_err
rate_save(struct db *db, struct group *group, struct lb_error *err);

/* Whether the window that rang is over: there is nothing more to tell of it. */
bool rate_is_over(const struct rule *rule,
                  const struct catalog_site *site,
                  const struct group *group,
                  int64_t now_ms);
/* It is. */
LB_MUST_CHECK enum lb_err rate_end(struct engine *engine,
                                   struct db *db,
                                   const struct engine_case *one,
                                   struct lb_error *err);

/* The first instant that a rule that begins at at_ms has to know of. */
int64_t rate_known_from(const struct rule *rule, int64_t at_ms);
/* Counts an event that a rule learns from.  False: out of memory. */
LB_MUST_CHECK bool rate_learn(const struct rule *rule,
                              const struct catalog_site *site,
                              struct group *group,
                              const struct entry *entry);
/* Saves what the rule's groups have learnt in place of what stood there. */
LB_MUST_CHECK enum lb_err rate_begin(struct engine *engine,
                                     struct db *db,
                                     int64_t rule,
                                     struct lb_error *err);

#endif
