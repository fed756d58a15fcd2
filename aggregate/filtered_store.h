/* filtered_store.h - reading how many events were refused or known already. */
#ifndef LINKBELL_AGGREGATE_FILTERED_STORE_H
#define LINKBELL_AGGREGATE_FILTERED_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

/* Calls each with the site's sum for every reason, of the hours (UTC, since
 * 1970) first to last; code is good for the call. */
LB_MUST_CHECK enum lb_err
filtered_store_read(struct db *db,
                    int64_t site,
                    const int64_t first_and_last[2],
                    void (*each)(void *ctx, const char *code, int64_t count),
                    void *ctx,
                    struct lb_error *err);

#endif
