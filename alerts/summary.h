/* summary.h - the one line that says what happened, in plain words.  Pure. */
#ifndef LINKBELL_ALERTS_SUMMARY_H
#define LINKBELL_ALERTS_SUMMARY_H

#include "alerts/message.h"
#include "base/buf.h"

#define SUMMARY_BYTES 600 /* and no more */

/* As text, not escaped for anything. */
void summary_write(const struct message_alert *alert, struct lb_buf *out);

#endif
