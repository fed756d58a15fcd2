/* digest_store.h - alerts that wait for the digest of their rule and site, in
 * the database.  The writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_DIGEST_STORE_H
#define LINKBELL_ALERTS_DIGEST_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

/* Once each. */
LB_MUST_CHECK enum lb_err digest_store_add(struct db *db,
                                           int64_t rule,
                                           int64_t site,
                                           const char *alert,
                                           struct lb_error *err);
/* Calls each for those that are still there, in the order in which they rang;
 * resolved_at_ms 0: not over. */
LB_MUST_CHECK enum lb_err digest_store_each(
    struct db *db,
    int64_t rule,
    int64_t site,
    void (*each)(void *ctx, const char *data, int64_t resolved_at_ms),
    void *ctx,
    struct lb_error *err);
LB_MUST_CHECK enum lb_err digest_store_clear(struct db *db,
                                             int64_t rule,
                                             int64_t site,
                                             struct lb_error *err);

#endif
