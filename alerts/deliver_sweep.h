/* deliver_sweep.h - removes deliveries that ended longer ago than
 * delivery.keep_delivered and keep_dead say, with their attempts and messages,
 * and gives up what waits for longer than its destination's max_age.  On the
 * loop's timer, in pieces by the writer. */
#ifndef LINKBELL_ALERTS_DELIVER_SWEEP_H
#define LINKBELL_ALERTS_DELIVER_SWEEP_H

#include <uv.h>

#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/writer.h"

struct deliver_sweep;

LB_MUST_CHECK enum lb_err deliver_sweep_new(uv_loop_t *loop,
                                            struct writer *writer,
                                            struct catalog_holder *holder,
                                            const struct lb_config *config,
                                            struct deliver_sweep **sweep_out,
                                            struct lb_error *err);
void deliver_sweep_set_config(struct deliver_sweep *sweep,
                              const struct lb_config *config);
void deliver_sweep_stop(struct deliver_sweep *sweep); /* closes its handle */
void deliver_sweep_free(struct deliver_sweep *sweep); /* after the loop ran */

#endif
