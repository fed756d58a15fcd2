/* log.h - one line an event on standard error:
 *     info event=listening url=http://127.0.0.1:8787
 * Values with spaces, quotes or control characters are quoted and escaped, so a
 * line is always one line.  Safe in any thread.  Never log an address, a user
 * agent, a query, a body, a contact or a secret. */
#ifndef LINKBELL_BASE_LOG_H
#define LINKBELL_BASE_LOG_H

#include <stddef.h>

#include "base/err.h"

enum lb_log_level { LB_LOG_DEBUG, LB_LOG_INFO, LB_LOG_WARN, LB_LOG_ERROR };

/* Lines below level are dropped; LB_LOG_INFO at start. */
void lb_log_set_level(enum lb_log_level level);

/* "debug", "info", "warn", "error"; anything else changes nothing. */
void lb_log_set_level_name(const char *name);

/* Writes "level event=<event>" and then fmt, which holds "key=value" pairs and
 * is written as it is.  Text from outside goes through lb_log_quote() first. */
void lb_log(enum lb_log_level level, const char *event, const char *fmt, ...)
    LB_PRINTF(3, 4);

/* Writes text so that it is one value: as it is when it has only plain
 * characters, else in double quotes with \xNN, \" and \\.  Returns out,
 * which is cut to out_bytes. */
const char *lb_log_quote(const char *text, char *out, size_t out_bytes);

/* Like lb_log(), but a repeat of the same event within a minute is only
 * counted; the next line after it carries repeated=N. */
void lb_log_limited(enum lb_log_level level,
                    const char *event,
                    const char *fmt,
                    ...) LB_PRINTF(3, 4);

#endif
