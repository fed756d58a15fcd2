/* system_alert.h - what the service has to tell its owner about itself: a
 * consumer of the cursor that makes an alert of kind `system` of each notice in
 * the log (sql/notice.h), for the destinations of delivery.fallback. */
#ifndef LINKBELL_ALERTS_SYSTEM_ALERT_H
#define LINKBELL_ALERTS_SYSTEM_ALERT_H

#include "base/config.h"
#include "base/err.h"
#include "sql/cursor.h"

struct system_alert;

LB_MUST_CHECK enum lb_err system_alert_new(const struct lb_config *config,
                                           struct system_alert **alert_out,
                                           struct lb_error *err);
void system_alert_free(struct system_alert *alert); /* NULL is fine */
struct cursor_consumer system_alert_consumer(struct system_alert *alert);

/* New settings; any thread. */
void system_alert_set_config(struct system_alert *alert,
                             const struct lb_config *config);
/* Called on the writer thread after a commit that queued messages. */
void system_alert_set_wake(struct system_alert *alert,
                           void (*wake)(void *ctx),
                           void *ctx);

#endif
