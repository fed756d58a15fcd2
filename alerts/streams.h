/* streams.h - plans the batches of destinations that get events as a stream:
 * looks at the log now and then, and puts the next batch of each into the
 * outbox when the one before has an end.  The loop thread's. */
#ifndef LINKBELL_ALERTS_STREAMS_H
#define LINKBELL_ALERTS_STREAMS_H

#include <uv.h>

#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct streams;

struct streams_parts {
    struct writer *writer; /* borrowed, and so the others */
    struct pool *readers;
    struct catalog_holder *holder;
    /* Called with ctx, on the loop thread, when a batch was put. */
    void (*wake)(void *ctx);
    void *ctx;
};

LB_MUST_CHECK enum lb_err streams_new(uv_loop_t *loop,
                                      const struct streams_parts *parts,
                                      struct streams **streams_out,
                                      struct lb_error *err);
/* New settings. */
void streams_set_config(struct streams *streams,
                        const struct lb_config *config);
/* Looks at once for what follows a batch that has an end, or was cut. */
void streams_look(struct streams *streams, const char *destination);
/* Its handle closes; free after the loop ran. */
void streams_stop(struct streams *streams);
void streams_free(struct streams *streams); /* NULL is fine */

#endif
