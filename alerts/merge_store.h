/* merge_store.h - alerts that wait for a destination and could be one digest,
 * in the database.  Writer thread, inside a job. */
#ifndef LINKBELL_ALERTS_MERGE_STORE_H
#define LINKBELL_ALERTS_MERGE_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

struct merge_store_times {
    int64_t now_ms;
    int64_t until_ms; /* what is due by then is taken */
};

/* How many are due, counted up to 101. */
LB_MUST_CHECK enum lb_err
merge_store_count(struct db *db,
                  const char *destination,
                  const struct merge_store_times *times,
                  int64_t *count_out,
                  struct lb_error *err);

struct merge_store_row {
    const char *message;
    const char *site;
    const char *body;
    int64_t created_at_ms;
};
/* Calls fn with each of the first 100. */
LB_MUST_CHECK enum lb_err
merge_store_each(struct db *db,
                 const char *destination,
                 const struct merge_store_times *times,
                 void (*fn)(void *ctx, const struct merge_store_row *row),
                 void *ctx,
                 struct lb_error *err);

struct merge_store_digest {
    const char *id;
    const char *site; /* "" several */
    const char *body;
    struct merge_store_times times;
};
/* Those are skipped, and the digest waits instead. */
LB_MUST_CHECK enum lb_err
merge_store_put(struct db *db,
                const char *destination,
                const struct merge_store_digest *digest,
                struct lb_error *err);

#endif
