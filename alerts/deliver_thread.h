/* deliver_thread.h - work of deliveries that waits, for a disk or a connection,
 * or takes long: each on a thread of its own, so that none delays another.  How
 * many there are is bounded by delivery.max_in_flight. */
#ifndef LINKBELL_ALERTS_DELIVER_THREAD_H
#define LINKBELL_ALERTS_DELIVER_THREAD_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

struct deliver_thread;

LB_MUST_CHECK enum lb_err deliver_thread_new(
    uv_loop_t *loop, struct deliver_thread **threads_out, struct lb_error *err);
/* Its handle closes when the last thread has an end; free after the loop ran.
 */
void deliver_thread_stop(struct deliver_thread *threads);
void deliver_thread_free(struct deliver_thread *threads); /* NULL is fine */

/* Runs work on another thread, then done on the loop's.  False: neither is
 * called; it stops, or there is no thread to be had. */
LB_MUST_CHECK bool deliver_thread_run(struct deliver_thread *threads,
                                      void (*work)(void *ctx),
                                      void (*done)(void *ctx),
                                      void *ctx);

#endif
