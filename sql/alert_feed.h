/* alert_feed.h - how whoever asks for the newest alerts gets them, without
 * knowing the engine. */
#ifndef LINKBELL_SQL_ALERT_FEED_H
#define LINKBELL_SQL_ALERT_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/db.h"

struct alert_feed {
    bool (*may_site)(void *ctx, const char *site);
    void (*add)(void *ctx, const struct lb_buf *alert); /* a JSON object */
    void *ctx;
};

/* Hands over the alerts that fired after *number_in_out and moves that on; when
 * it is negative it only learns the latest number. */
typedef enum lb_err (*alert_feed_fn)(struct db *db,
                                     const struct alert_feed *feed,
                                     int64_t *number_in_out,
                                     struct lb_error *err);

#endif
