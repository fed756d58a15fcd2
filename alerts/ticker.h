/* ticker.h - the entries that tell of time: that a minute went by while a rule
 * waits for that, that the service begins to listen, and that the clock was set
 * back.  And the housekeeping of rules: a reminder for those that still have to
 * learn, and forgetting what those knew that are gone. */
#ifndef LINKBELL_ALERTS_TICKER_H
#define LINKBELL_ALERTS_TICKER_H

#include "alerts/engine.h"
#include "alerts/learn.h"
#include "base/err.h"
#include "sql/cursor.h"
#include "sql/writer.h"

/* A clock that goes back by more is told of. */
#define TICKER_BACK_MS 10000

struct ticker;

/* Registers with the writer, which has not been started. */
LB_MUST_CHECK enum lb_err ticker_new(struct writer *writer,
                                     struct cursor *cursor,
                                     struct engine *engine,
                                     struct learn *learn,
                                     struct ticker **ticker_out,
                                     struct lb_error *err);
void ticker_free(struct ticker *ticker); /* NULL is fine */

/* Loop thread: the service is about to listen; done when the log says so. */
void ticker_start(struct ticker *ticker,
                  void (*done)(void *ctx,
                               enum lb_err rc,
                               const struct lb_error *err),
                  void *ctx);

#endif
