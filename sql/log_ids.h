/* log_ids.h - the ids of events in the log, sealed or not, as keyed hashes:
 * what an event is known again by. */
#ifndef LINKBELL_SQL_LOG_IDS_H
#define LINKBELL_SQL_LOG_IDS_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

#define LOG_ID_BYTES 64 /* of an id, at most */

/* Hash of a site's number and an event's id. */
uint64_t log_ids_hash(const uint8_t key[16], int64_t site, const char *id);

struct log_id {
    uint64_t hash;
    int64_t received_at_ms;
    int64_t seq;
};

/* Which ids: of the events of after_seq < seq <= upto_seq. */
struct log_ids_range {
    const uint8_t *key; /* 16 bytes, of the hashes */
    int64_t after_seq;
    int64_t upto_seq;
};

/* Calls each for them in log order, and for those that were erased and are
 * still known, before or among them.  Ends with the first error of each. */
LB_MUST_CHECK enum lb_err
log_ids_each(struct db *db,
             const struct log_ids_range *range,
             enum lb_err (*each)(void *ctx, const struct log_id *id),
             void *ctx,
             struct lb_error *err);

#endif
