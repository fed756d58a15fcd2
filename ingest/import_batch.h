/* import_batch.h - the records of one request of an import, read into a batch.
 * Without state, so any thread may read one. */
#ifndef LINKBELL_INGEST_IMPORT_BATCH_H
#define LINKBELL_INGEST_IMPORT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/batch.h"
#include "ingest/event.h"

struct import_batch {
    struct batch batch;
    size_t ignored_count;
    int64_t first_ms; /* times of the events; 0: there is none */
    int64_t last_ms;
    bool is_stopped; /* strict, and a record was bad: what follows it is left */
};

void import_batch_init(struct import_batch *batch);
void import_batch_deinit(struct import_batch *batch);

/* Reads body (import_order.h).  is_silent and is_any_age of the context are set
 * for imports.  A fault of the whole request is in batch.status. */
void import_batch_read(struct import_batch *batch,
                       struct event_context *context,
                       const char *body,
                       size_t len);

/* After the append: the answer's JSON. */
void import_batch_answer(const struct import_batch *batch, struct lb_buf *out);

#endif
