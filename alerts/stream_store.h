/* stream_store.h - how far the streams of destinations have come, in the
 * database. */
#ifndef LINKBELL_ALERTS_STREAM_STORE_H
#define LINKBELL_ALERTS_STREAM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

struct stream_store_state {
    int64_t planned_seq; /* -1: the stream has not begun */
    bool is_open;        /* its last batch is under way */
};
LB_MUST_CHECK enum lb_err stream_store_get(struct db *db,
                                           const char *destination,
                                           struct stream_store_state *state_out,
                                           struct lb_error *err);

/* Writer thread, inside a job.  batch, or NULL: nothing was of interest up to
 * planned_seq, behind which is planned next. */
struct stream_store_batch {
    const char *id;
    const char *body;
    int64_t now_ms;
};
LB_MUST_CHECK enum lb_err
stream_store_put(struct db *db,
                 const char *destination,
                 int64_t planned_seq,
                 const struct stream_store_batch *batch,
                 struct lb_error *err);

#endif
