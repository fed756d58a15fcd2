/* alerts_store.h - lists of alerts and deliveries as JSON, newest first. */
#ifndef LINKBELL_ALERTS_ALERTS_STORE_H
#define LINKBELL_ALERTS_ALERTS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/alert_feed.h"
#include "sql/db.h"

struct alerts_store_question {
    const char *site; /* NULL: any */
    const char *rule;
    const char *state;
    const char *severity;    /* of alerts */
    const char *destination; /* of deliveries */
    int64_t from_at_ms;
    int64_t to_at_ms;
    int64_t before_number; /* of the page before; INT64_MAX: the first page */
    int64_t limit;
    /* Whether the asker may see a site. */
    bool (*may_site)(void *ctx, const char *site);
    void *ctx;
};

/* Appends {"data":[...],"next":...}. */
LB_MUST_CHECK enum lb_err
alerts_store_list_alerts(struct db *db,
                         const struct alerts_store_question *question,
                         struct lb_buf *out,
                         struct lb_error *err);
/* Appends the alerts that went out, oldest first, without deliveries, as a
 * list, and {reason: count} of those that were held back; question's from and
 * to. *count_out: how many went out. */
LB_MUST_CHECK enum lb_err
alerts_store_tell_all(struct db *db,
                      const struct alerts_store_question *question,
                      struct lb_buf *alerts,
                      struct lb_buf *held,
                      int64_t *count_out,
                      struct lb_error *err);
/* Appends one alert as lists have it; LB_ENOTFOUND: there is none of that id
 * that may be seen. */
LB_MUST_CHECK enum lb_err
alerts_store_get_alert(struct db *db,
                       const char *id,
                       const struct alerts_store_question *question,
                       struct lb_buf *out,
                       struct lb_error *err);
/* An alert_feed_fn: oldest first, as lists have them, ALERTS_STORE_SINCE at
 * most; those that were held back are none. */
#define ALERTS_STORE_SINCE 100
LB_MUST_CHECK enum lb_err alerts_store_since(struct db *db,
                                             const struct alert_feed *feed,
                                             int64_t *number_in_out,
                                             struct lb_error *err);
/* Writer thread, inside a job: notes that somebody has seen to it; the first
 * time stays. */
LB_MUST_CHECK enum lb_err
alerts_store_acknowledge(struct db *db,
                         const char *id,
                         int64_t at_ms,
                         const char *note, /* NULL: none */
                         struct lb_error *err);
LB_MUST_CHECK enum lb_err
alerts_store_list_deliveries(struct db *db,
                             const struct alerts_store_question *question,
                             struct lb_buf *out,
                             struct lb_error *err);

/* Appends one delivery; LB_ENOTFOUND: there is none of that id that may be
 * seen. */
struct alerts_store_delivery {
    const char *id;
    bool has_log;  /* with its attempts */
    bool has_body; /* with the stored message */
};
/* What is known of it besides. */
struct alerts_store_state {
    bool is_sending;
    bool is_erased;
};
LB_MUST_CHECK enum lb_err
alerts_store_get_delivery(struct db *db,
                          const struct alerts_store_delivery *wanted,
                          const struct alerts_store_question *question,
                          struct lb_buf *out,
                          struct alerts_store_state *state_out,
                          struct lb_error *err);

#endif
