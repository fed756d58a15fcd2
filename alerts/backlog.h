/* backlog.h - tells the owner of a destination, once, that so much waits there
 * that alerts are left out: one alert of the rule linkbell-delivery. */
#ifndef LINKBELL_ALERTS_BACKLOG_H
#define LINKBELL_ALERTS_BACKLOG_H

#include "base/err.h"
#include "sql/cursor.h"
#include "sql/writer.h"

struct backlog;

/* writer and cursor are borrowed. */
LB_MUST_CHECK enum lb_err backlog_new(struct writer *writer,
                                      struct cursor *cursor,
                                      struct backlog **backlog_out,
                                      struct lb_error *err);
/* Loop thread: there is news (outbox_backlog_news) to be told. */
void backlog_tell(struct backlog *backlog);
void backlog_free(struct backlog *backlog); /* NULL is fine */

#endif
