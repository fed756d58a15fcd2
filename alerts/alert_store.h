/* alert_store.h - what rules know and what they raised, in the database.  The
 * writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_ALERT_STORE_H
#define LINKBELL_ALERTS_ALERT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

struct alert_store_row {
    const char *id;
    const char *rule;
    const char *site;
    const char *severity;
    int64_t fired_at_ms;
    const char *held_back; /* NULL: it went out */
    const char *data;      /* JSON */
};

/* *is_new_out false: an alert of that id is there already, nothing was done. */
LB_MUST_CHECK enum lb_err alert_store_put(struct db *db,
                                          const struct alert_store_row *row,
                                          bool *is_new_out,
                                          struct lb_error *err);

/* A message and a delivery for each destination; due at once. */
LB_MUST_CHECK enum lb_err alert_store_queue(struct db *db,
                                            const struct alert_store_row *row,
                                            const char *type,
                                            const char *body,
                                            const char *const *destinations,
                                            size_t count,
                                            struct lb_error *err);

/* dl_ and 16 hex digits of SHA-256 over message, zero byte, destination. */
#define ALERT_STORE_DELIVERY_BYTES 20
void alert_store_delivery_id(const char *message,
                             const char *destination,
                             char out[ALERT_STORE_DELIVERY_BYTES]);

struct alert_store_state {
    int64_t last_fired_at_ms; /* 0: never */
    bool is_firing;
    int64_t day;
    int64_t day_count;
};
LB_MUST_CHECK enum lb_err
alert_store_get_state(struct db *db,
                      int64_t rule,
                      int64_t site,
                      const char *group,
                      struct alert_store_state *state_out,
                      struct lb_error *err);
LB_MUST_CHECK enum lb_err
alert_store_put_state(struct db *db,
                      int64_t rule,
                      int64_t site,
                      const char *group,
                      const struct alert_store_state *state,
                      struct lb_error *err);

/* Values of first_seen: when last seen, 0 never; and now seen. */
LB_MUST_CHECK enum lb_err alert_store_get_seen(struct db *db,
                                               int64_t rule,
                                               int64_t site,
                                               const uint8_t hash[16],
                                               int64_t *last_seen_out,
                                               struct lb_error *err);
LB_MUST_CHECK enum lb_err alert_store_put_seen(struct db *db,
                                               int64_t rule,
                                               int64_t site,
                                               const uint8_t hash[16],
                                               int64_t at_ms,
                                               struct lb_error *err);

LB_MUST_CHECK enum lb_err alert_store_is_ready(struct db *db,
                                               int64_t rule,
                                               bool *is_ready_out,
                                               struct lb_error *err);
LB_MUST_CHECK enum lb_err alert_store_set_ready(struct db *db,
                                                int64_t rule,
                                                int64_t seq,
                                                struct lb_error *err);

#endif
