/* slot_store.h - views and clicks of a ctr rule's groups by windows, in the
 * database.  The writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_SLOT_STORE_H
#define LINKBELL_ALERTS_SLOT_STORE_H

#include <stdint.h>

#include "alerts/alert_store.h"
#include "alerts/ctr.h"
#include "base/err.h"
#include "sql/db.h"

/* Adds to the window that begins at at_ms. */
LB_MUST_CHECK enum lb_err slot_store_add(struct db *db,
                                         const struct alert_store_group *group,
                                         int64_t at_ms,
                                         const struct ctr_counts *counts,
                                         struct lb_error *err);
/* Windows that begin from from_ms on, before to_ms. */
LB_MUST_CHECK enum lb_err slot_store_sum(struct db *db,
                                         const struct alert_store_group *group,
                                         const struct ctr_window *range,
                                         struct ctr_counts *counts_out,
                                         struct lb_error *err);
/* Forgets the group's windows that begin before before_ms. */
LB_MUST_CHECK enum lb_err slot_store_drop(struct db *db,
                                          const struct alert_store_group *group,
                                          int64_t before_ms,
                                          struct lb_error *err);
/* Forgets at most max windows of the rule; *count_out: how many. */
LB_MUST_CHECK enum lb_err slot_store_forget(struct db *db,
                                            int64_t rule,
                                            int64_t max,
                                            int64_t *count_out,
                                            struct lb_error *err);

#endif
