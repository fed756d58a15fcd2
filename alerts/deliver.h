/* deliver.h - sends what waits in the outbox: libcurl driven by the loop, each
 * attempt recorded, repeated by its destination's schedule until it is
 * delivered or dead. */
#ifndef LINKBELL_ALERTS_DELIVER_H
#define LINKBELL_ALERTS_DELIVER_H

#include <uv.h>

#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct deliver;

/* What it works with; borrowed. */
struct deliver_parts {
    struct writer *writer;
    struct pool *readers;
    struct catalog_holder *holder;
};

LB_MUST_CHECK enum lb_err deliver_new(uv_loop_t *loop,
                                      const struct deliver_parts *parts,
                                      const struct lb_config *config,
                                      struct deliver **deliver_out,
                                      struct lb_error *err);
/* Any thread: something may be due.  ctx is the deliver. */
void deliver_wake(void *ctx);
/* Starts no further attempt; aborts those under way, which are then due again.
 * Its handles close; free after the loop ran. */
void deliver_stop(struct deliver *deliver);
void deliver_free(struct deliver *deliver);

#endif
