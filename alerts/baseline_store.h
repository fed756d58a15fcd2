/* baseline_store.h - baselines of groups in the database.  The writer thread's,
 * inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_BASELINE_STORE_H
#define LINKBELL_ALERTS_BASELINE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/alert_store.h"
#include "alerts/baseline.h"
#include "base/err.h"
#include "sql/db.h"

/* Saves the past and where the window begins. */
LB_MUST_CHECK enum lb_err
baseline_store_save(struct db *db,
                    const struct rule *rule,
                    const struct alert_store_group *group,
                    const struct baseline *baseline,
                    struct lb_error *err);
/* Fills the past, which baseline has, its window.from_ms and last_ms.
 * LB_ENOTFOUND: nothing is known of the group, or by another version. */
LB_MUST_CHECK enum lb_err
baseline_store_load(struct db *db,
                    const struct rule *rule,
                    const struct alert_store_group *group,
                    struct baseline *baseline,
                    struct lb_error *err);
LB_MUST_CHECK enum lb_err baseline_store_drop(
    struct db *db, const struct alert_store_group *group, struct lb_error *err);
/* Calls each for the groups of the rule; only rule, site and group are set. */
LB_MUST_CHECK enum lb_err baseline_store_each(
    struct db *db,
    int64_t rule,
    enum lb_err (*each)(void *ctx, const struct alert_store_group *group),
    void *ctx,
    struct lb_error *err);
/* Forgets all of the rule. */
LB_MUST_CHECK enum lb_err
baseline_store_forget(struct db *db, int64_t rule, struct lb_error *err);

#endif
