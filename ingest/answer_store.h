/* answer_store.h - answers kept for a day under an Idempotency-Key.  The writer
 * thread's. */
#ifndef LINKBELL_INGEST_ANSWER_STORE_H
#define LINKBELL_INGEST_ANSWER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

struct answer {
    const char *token; /* "local" for the socket */
    const char *route;
    const char *key;
    uint8_t body_hash[32];
    int status;
    const char *text;
};

/* Inside a job.  LB_EEXIST: there is one; *same_out tells whether of the same
 * body, and status and text (to free) are filled. */
LB_MUST_CHECK enum lb_err answer_store_find(struct db *db,
                                            struct answer *answer,
                                            bool *same_out,
                                            char **text_out,
                                            struct lb_error *err);
LB_MUST_CHECK enum lb_err answer_store_keep(struct db *db,
                                            const struct answer *answer,
                                            struct lb_error *err);
LB_MUST_CHECK enum lb_err answer_store_expire(struct db *db,
                                              struct lb_error *err);

#endif
