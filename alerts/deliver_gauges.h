/* deliver_gauges.h - how much waits at each destination, for /metrics: read
 * every few seconds.  That it is too much is told then. */
#ifndef LINKBELL_ALERTS_DELIVER_GAUGES_H
#define LINKBELL_ALERTS_DELIVER_GAUGES_H

#include <uv.h>

#include "alerts/deliver.h"
#include "base/err.h"

struct deliver_gauges;

LB_MUST_CHECK enum lb_err deliver_gauges_new(uv_loop_t *loop,
                                             const struct deliver_parts *parts,
                                             struct deliver_gauges **gauges_out,
                                             struct lb_error *err);
void deliver_gauges_stop(struct deliver_gauges *gauges); /* its handle */
void deliver_gauges_free(struct deliver_gauges *gauges); /* after the loop */

#endif
