/* deliver_notice.h - what the owner is told of a destination that takes no
 * messages: one alert of the rule linkbell-delivery, to delivery.fallback but
 * not to that destination. */
#ifndef LINKBELL_ALERTS_DELIVER_NOTICE_H
#define LINKBELL_ALERTS_DELIVER_NOTICE_H

#include "alerts/attempt.h"
#include "sql/cursor.h"

#define DELIVER_NOTICE_RULE "linkbell-delivery"

/* Loop thread, before the attempt is recorded: notes in the attempt what is to
 * be told, if anything. */
void deliver_notice_choose(struct attempt *attempt, int64_t now_ms);
/* Writer thread, inside the job that records it. */
LB_MUST_CHECK enum lb_err deliver_notice_put(struct attempt *attempt,
                                             struct cursor *cursor,
                                             struct db *db,
                                             struct lb_error *err);

#endif
