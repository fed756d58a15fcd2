/* merge.h - many alerts that wait for one destination become one
 * `alert.digest`, for services that take a message a second and people who read
 * them. */
#ifndef LINKBELL_ALERTS_MERGE_H
#define LINKBELL_ALERTS_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/outbox_store.h"
#include "base/err.h"
#include "sql/db.h"

struct merge_wish {
    int64_t over;      /* so many that are due are one digest; 0: never */
    int64_t gather_ms; /* each waits so long for others; 0: not at all */
};

/* Before the delivery (waiting, made at created_at_ms, of that body) is sent:
 * with gather_ms an alert is put off until it has waited, and is then one
 * digest with all that wait, if there are others; else where more than `over`
 * alerts are due, the first 100 of them are.  They are `skipped`, `digested`,
 * with the digest's id as what was made of them.  *may_send_out false: not now,
 * or not at all.  Writer thread, inside a job. */
LB_MUST_CHECK enum lb_err merge_before(struct db *db,
                                       const struct outbox_delivery *delivery,
                                       const struct merge_wish *wish,
                                       int64_t now_ms,
                                       bool *may_send_out,
                                       struct lb_error *err);

#endif
