/* merge.h - many alerts that wait for one destination become one
 * `alert.digest`, for services that take a message a second and people who read
 * them. */
#ifndef LINKBELL_ALERTS_MERGE_H
#define LINKBELL_ALERTS_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

/* Where more than `over` alerts are due at the destination, the first 100 of
 * them become the digest that waits in their place; they are `skipped`,
 * `digested`, with the digest's id as what was made of them.  Writer thread,
 * inside a job. */
LB_MUST_CHECK enum lb_err merge_due(struct db *db,
                                    const char *destination,
                                    int64_t over,
                                    int64_t now_ms,
                                    bool *is_merged_out,
                                    struct lb_error *err);

#endif
