/* destination_store.h - the states of destinations and how they fare, in the
 * database. */
#ifndef LINKBELL_ALERTS_DESTINATION_STORE_H
#define LINKBELL_ALERTS_DESTINATION_STORE_H

#include <stdint.h>

#include "alerts/lane.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

/* Calls back with each destination that is in a state; the texts are good for
 * the call, fingerprint is NULL where there is none. */
typedef void (*destination_store_fn)(void *ctx,
                                     const char *destination,
                                     enum lane_state state,
                                     const char *reason,
                                     const uint8_t *fingerprint);
LB_MUST_CHECK enum lb_err destination_store_each(struct db *db,
                                                 destination_store_fn each,
                                                 void *ctx,
                                                 struct lb_error *err);

/* Writer thread, inside a job. */
struct destination_store_state {
    const char *destination;
    enum lane_state state;
    const char *reason;
    const uint8_t *fingerprint; /* LB_SECRET_SHA256_BYTES */
    int64_t now_ms;
};
/* LANE_OK: takes it out of its state, what is held is due again, oldest first;
 * a disabled one's messages are held. */
LB_MUST_CHECK enum lb_err
destination_store_set(struct db *db,
                      const struct destination_store_state *state,
                      struct lb_error *err);
/* What is held there is dead. */
LB_MUST_CHECK enum lb_err destination_store_discard(struct db *db,
                                                    const char *destination,
                                                    int64_t now_ms,
                                                    struct lb_error *err);
/* Everything that waits there is due. */
LB_MUST_CHECK enum lb_err destination_store_make_due(struct db *db,
                                                     const char *destination,
                                                     int64_t now_ms,
                                                     struct lb_error *err);

struct destination_store_health {
    int64_t failing_since_ms; /* 0: it does not fail */
    int64_t failures;         /* since its last success */
};
LB_MUST_CHECK enum lb_err
destination_store_note(struct db *db,
                       const char *destination,
                       bool is_success,
                       int64_t now_ms,
                       struct destination_store_health *health_out,
                       struct lb_error *err);

/* Appends state, counts and last success as members of the destination's
 * object. */
LB_MUST_CHECK enum lb_err
destination_store_add_state(struct db *db,
                            const struct catalog_object *object,
                            struct lb_buf *out,
                            struct lb_error *err);
/* Appends the whole object: as the configuration has it, with these. */
LB_MUST_CHECK enum lb_err
destination_store_show(struct db *db,
                       const struct catalog_object *object,
                       struct lb_buf *out,
                       struct lb_error *err);

#endif
