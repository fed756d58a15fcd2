/* deliver.h - sends what waits in the outbox: libcurl driven by the loop, each
 * attempt recorded, repeated by its destination's schedule until it is
 * delivered or dead.  Each destination has a lane of its own: concurrency, rate
 * and circuit breaker (lane.h).  All of it is the loop thread's, but for
 * deliver_wake(). */
#ifndef LINKBELL_ALERTS_DELIVER_H
#define LINKBELL_ALERTS_DELIVER_H

#include <uv.h>

#include "alerts/attempt.h"
#include "alerts/lane.h"
#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct deliver;

/* What it works with; borrowed. */
struct deliver_parts {
    struct writer *writer;
    struct pool *readers;
    struct catalog_holder *holder;
    struct cursor *cursor;
};

LB_MUST_CHECK enum lb_err deliver_new(uv_loop_t *loop,
                                      const struct deliver_parts *parts,
                                      const struct lb_config *config,
                                      struct deliver **deliver_out,
                                      struct lb_error *err);
/* Any thread: something may be due.  ctx is the deliver. */
void deliver_wake(void *ctx);
/* After a reload: settings, and destinations that pause are tried at once.
 * What libcurl was set up with (allow_addresses, proxy, ca_file,
 * response_limit) stays as it was at the start. */
void deliver_set_config(struct deliver *deliver,
                        const struct lb_config *config);
/* Somebody has put a destination into that state, in the database. */
void deliver_set_state(struct deliver *deliver,
                       const char *destination,
                       enum lane_state state,
                       const char *reason);
/* {"sales":"paused"}: the destinations that take no messages now.  ctx is the
 * deliver. */
void deliver_write_states(void *ctx, struct lb_buf *out);
/* Sends the delivery of an attempt whose row stands in the outbox as `sending`
 * past its lane; done is called with the attempt, which is freed afterwards.
 * The delivery's body goes over.  On an error nothing is called.  LB_ENOTFOUND:
 * the destination is not configured. */
typedef void (*deliver_fn)(void *ctx, const struct attempt *attempt);
LB_MUST_CHECK enum lb_err deliver_try(struct deliver *deliver,
                                      struct outbox_delivery *delivery,
                                      deliver_fn done,
                                      void *ctx,
                                      struct lb_error *err);
/* Starts no further attempt, and calls done with ctx when those under way have
 * an end that is recorded, or timeout_ms (10 s at most) have passed; at once
 * for NULL. */
void deliver_drain(struct deliver *deliver,
                   int64_t timeout_ms,
                   void (*done)(void *ctx),
                   void *ctx);
/* Starts no further attempt; aborts those under way, which are then due again.
 * Its handles close; free after the loop ran.  NULL is fine. */
void deliver_stop(struct deliver *deliver);
void deliver_free(struct deliver *deliver);

#endif
