/* spike.h - rules of kind spike and drop: the count of the window at hand and
 * the baseline of what came before, by group.  Both stand in rows: the count
 * (slot_store.h) moves on with each batch, the baseline with each window.  The
 * writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_SPIKE_H
#define LINKBELL_ALERTS_SPIKE_H

#include <stdbool.h>

#include "alerts/engine_state.h"
#include "base/err.h"

/* A group without an event for so long is let go: it is not missed. */
#define SPIKE_IDLE_MS (28 * LB_MS_PER_DAY)

/* Until when the visitors of the event's window are told apart.  An event that
 * is later than that counts for nothing in a rule that counts crowds. */
int64_t spike_expires_at_ms(const struct rule *rule,
                            const struct catalog_site *site,
                            const struct entry *entry);

/* Counts the event and judges: a spike's window at hand, a drop's that ended.
 */
LB_MUST_CHECK enum lb_err spike_decide(struct engine *engine,
                                       struct db *db,
                                       const struct engine_case *one,
                                       struct lb_error *err);
/* Saves what spike_decide() counted. */
LB_MUST_CHECK enum lb_err spike_save(struct db *db,
                                     const struct rule *rule,
                                     struct group *group,
                                     struct lb_error *err);

/* Whether time that went by decides something: a window ended, of a drop or of
 * a spike that rang. */
bool spike_is_due(const struct catalog_site *site,
                  const struct group *group,
                  int64_t now_ms);
/* It does. */
LB_MUST_CHECK enum lb_err spike_turn(struct engine *engine,
                                     struct db *db,
                                     const struct engine_case *one,
                                     struct lb_error *err);

/* The first instant that a rule that begins at at_ms learns from. */
int64_t spike_known_from(const struct rule *rule, int64_t at_ms);
/* Counts an event that a rule learns from.  False: out of memory. */
LB_MUST_CHECK bool spike_learn(const struct rule *rule,
                               const struct catalog_site *site,
                               struct group *group,
                               const struct entry *entry);
/* Saves what the rule's groups have learnt in place of what stood there. */
LB_MUST_CHECK enum lb_err spike_begin(struct engine *engine,
                                      struct db *db,
                                      const struct rule *rule,
                                      struct lb_error *err);
/* The groups that a drop waits for, after a start. */
LB_MUST_CHECK enum lb_err spike_attach(struct engine *engine,
                                       struct db *db,
                                       const struct rule *rule,
                                       struct lb_error *err);

#endif
