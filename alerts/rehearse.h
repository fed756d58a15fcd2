/* rehearse.h - trying a rule on the past: the engine, fed with the log as if
 * the rule had always been there, on a database in memory.  Nothing is written
 * anywhere else.
 *
 * Entries are fed by the time at which they were received, then by log number;
 * what was imported counts as received when it happened.  Where the log has no
 * ticks since nothing waited then, they are made.  One thread at a time. */
#ifndef LINKBELL_ALERTS_REHEARSE_H
#define LINKBELL_ALERTS_REHEARSE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

#define REHEARSE_POINTS 5000      /* of the series; the last ones */
#define REHEARSE_ENTRIES 20000000 /* that are fed at most */

struct rehearsal;

struct rehearse_order {
    struct catalog *catalog; /* referenced */
    const struct lb_config *config;
    struct catalog_object rule;      /* its body is copied */
    const struct catalog_site *site; /* NULL: all; of catalog */
    int64_t from_at_ms;
    int64_t to_at_ms; /* excluded */
};

LB_MUST_CHECK enum lb_err rehearse_new(const struct rehearse_order *order,
                                       struct rehearsal **rehearsal_out,
                                       struct lb_error *err);
void rehearse_free(struct rehearsal *rehearsal); /* NULL is fine */

/* Goes on until it is done or the monotonic clock passes until_ms; log is read
 * within its current transaction. */
LB_MUST_CHECK enum lb_err rehearse_step(struct rehearsal *rehearsal,
                                        struct db *log,
                                        int64_t until_ms,
                                        bool *is_done_out,
                                        struct lb_error *err);

/* The answer of /v1/rules/backtest, once it is done. */
LB_MUST_CHECK enum lb_err rehearse_write(struct rehearsal *rehearsal,
                                         struct lb_buf *out,
                                         struct lb_error *err);

#endif
