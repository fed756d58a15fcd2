/* learn.h - rules that are new, or look at other events than before, learn from
 * the log: on a reader, in pieces by log number, while everything goes on. Near
 * the log's end a job of the writer reads the rest and appends the entry that
 * says the rule is ready; it decides from there on.  The loop thread's. */
#ifndef LINKBELL_ALERTS_LEARN_H
#define LINKBELL_ALERTS_LEARN_H

#include "alerts/engine.h"
#include "base/err.h"
#include "sql/cursor.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct learn;

LB_MUST_CHECK enum lb_err learn_new(struct writer *writer,
                                    struct cursor *cursor,
                                    struct pool *readers,
                                    struct engine *engine,
                                    struct learn **learn_out,
                                    struct lb_error *err);
/* Looks which rules have to learn and lets them.  done is called when they
 * decide, or could not be made to; at once when so much is to be read that
 * nobody should wait for it. */
void learn_settle(void *learn, void (*done)(void *ctx), void *ctx);
/* The same for nobody in particular; nothing while rules learn; NULL is fine.
 */
void learn_poke(struct learn *learn);

/* Begins nothing more and calls what waits for it.  Well before the pool and
 * the writer are stopped; free after. */
void learn_stop(struct learn *learn);
void learn_free(struct learn *learn); /* NULL is fine */

#endif
