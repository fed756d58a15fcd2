/* seal.h - turns events that wait in packs (log_rows.h) into segments
 * (segment.h), and writes segments anew in which events were erased or got
 * another class.
 *
 * One round: look (writer thread), build (a reader, from its own snapshot), put
 * (writer, the columns as pending, some at a time), and with the last of them
 * swap: refused when an event was erased or changed since it was read.  Between
 * groups the writer gives free pages back, a piece at a time; sealed packs go
 * by seal_rows.h. */
#ifndef LINKBELL_SQL_SEAL_H
#define LINKBELL_SQL_SEAL_H

#include <stdbool.h>

#include "base/err.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct cursor;
struct seal;

/* segment_events: how many events make a segment, 1 to SEGMENT_ROWS.  Adds
 * chores to the writer; gives up what an earlier run left pending. */
LB_MUST_CHECK enum lb_err seal_new(struct writer *writer,
                                   struct pool *readers,
                                   struct cursor *cursor,
                                   size_t segment_events,
                                   struct seal **seal_out,
                                   struct lb_error *err);
/* Loop thread, before the pool stops: what runs is the last. */
void seal_stop(struct seal *seal);
void seal_free(struct seal *seal); /* NULL is fine */

/* Loop thread: calls done there as soon as no segment holds an event that was
 * erased before the call and none that is dead is left.  The waiter is the
 * caller's, alive until then.  LB_ECANCELLED: the service ends. */
struct seal_waiter {
    struct seal_waiter *next;
    void (*done)(struct seal_waiter *waiter,
                 enum lb_err rc,
                 const struct lb_error *err);
};
void seal_wait(struct seal *seal, struct seal_waiter *waiter);

/* Any thread: while one who holds has not let go, the file is not made shorter,
 * which moves pages: somebody goes through it by their numbers. */
void seal_hold(struct seal *seal, bool is_held);

#endif
