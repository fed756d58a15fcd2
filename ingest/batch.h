/* batch.h - the events of one request: a body taken apart, each event read,
 * faults listed, and the answer written.  Without state, so any thread may read
 * a batch. */
#ifndef LINKBELL_INGEST_BATCH_H
#define LINKBELL_INGEST_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/inflate.h"
#include "ingest/event.h"

#define BATCH_ERRORS 100 /* faults listed in an answer; all are counted */

struct batch_limits {
    size_t body_inflated_bytes;
    size_t
        room_bytes; /* memory that is left for unpacking; the smaller holds */
    void (*hold)(void *ctx, size_t bytes); /* so many are taken; or NULL */
    void *hold_ctx;
    size_t events;
    size_t event_bytes;
    unsigned json_depth;
};

struct batch {
    struct lb_arena *arena; /* owned */
    struct event **events;  /* in arena; what was read well */
    bool *is_duplicate; /* in arena; one for each of events, filled at append */
    size_t event_count;
    size_t event_cap;
    size_t sent_count; /* all that the body held */
    size_t rejected_count;
    struct lb_buf errors; /* owned; JSON objects joined by commas */
    size_t listed_count;
    size_t listed_max; /* BATCH_ERRORS */
    /* A fault of the whole request; status 0: none. */
    int status;
    const char *code;
    char message[240];
    const char *limit; /* the limit that was met, or NULL */
};

/* A body as it was sent: one object or an array of JSON, or NDJSON. */
struct batch_body {
    enum lb_inflate_kind encoding;
    bool is_ndjson;
    const char *bytes;
    size_t len;
};

void batch_init(struct batch *batch);
void batch_deinit(struct batch *batch);

void batch_read(struct batch *batch,
                const struct event_context *context,
                const struct batch_limits *limits,
                const struct batch_body *body);

/* Unpacks a body into out; on an error the batch has the request's fault. */
void batch_unpack(struct batch *batch,
                  const struct batch_limits *limits,
                  const struct batch_body *body,
                  struct lb_buf *out);
/* Notes a fault of the whole request; code is static. */
void batch_fail(struct batch *batch,
                int status,
                const char *code,
                const char *fmt,
                ...) LB_PRINTF(4, 5);
/* For other ways of reading: adds an event of the arena (false: it is full), or
 * the fault of the one sent last, whose event is NULL if it was not read. */
bool batch_add(struct batch *batch, struct event *event);
void batch_reject(struct batch *batch,
                  const struct event_fault *fault,
                  const struct event *event);
/* When all are read; false: the arena is full. */
bool batch_close(struct batch *batch);

/* After the append (or with no event left): the answer's status and JSON. */
int batch_answer(const struct batch *batch, struct lb_buf *out);
size_t batch_duplicates(const struct batch *batch);

#endif
