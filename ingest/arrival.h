/* arrival.h - the events of a request that is not POST /v1/events: of a script,
 * a pixel, a redirect, an inbound webhook.  Each is a native event's JSON, read
 * like any other; the writer appends all of them or none, and tells when they
 * are durable.  The loop thread's. */
#ifndef LINKBELL_INGEST_ARRIVAL_H
#define LINKBELL_INGEST_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/http_request.h"
#include "ingest/event.h"
#include "ingest/intake.h"

#define ARRIVAL_EVENTS 1000 /* of one request */

struct arrival;

enum arrival_sender {
    ARRIVAL_VISITOR, /* the visitor's own request: address, user agent and
                        headers are theirs */
    ARRIVAL_BACKEND  /* somebody else's: the events say what is known */
};

/* NULL: out of memory.  The catalog's snapshot is held until the end. */
struct arrival *arrival_new(struct intake *intake,
                            struct lb_http_request *http,
                            enum arrival_sender sender);
void arrival_free(struct arrival *arrival); /* before a submit only */

const struct catalog *arrival_catalog(const struct arrival *arrival);
/* For what is needed until the end. */
struct lb_arena *arrival_arena(struct arrival *arrival);
/* May be changed until the first arrival_add(). */
struct event_context *arrival_context(struct arrival *arrival);

/* Whether the client that the context names may send count events more now
 * (limits.rate_per_ip); else 429 is answered, unless http is NULL. */
bool arrival_take_rate(struct arrival *arrival,
                       struct lb_http_request *http,
                       size_t count);

/* Reads an event; texts are copied.  False: refused, fault_out says why. */
bool arrival_add(struct arrival *arrival,
                 const cJSON *json,
                 struct event_fault *fault_out);
/* Makes the event added last an engagement; false: out of memory. */
bool arrival_engage(struct arrival *arrival,
                    int scroll_depth,
                    int64_t attention_ms);
/* Gives up what was added: it counts as lost (intake_count_lost).  Frees. */
void arrival_lose(struct arrival *arrival);
size_t arrival_count(const struct arrival *arrival);
const struct event *arrival_event(const struct arrival *arrival, size_t index);

struct arrival_result {
    enum lb_err rc; /* LB_OK: all are durable */
    const struct lb_error *err;
    size_t duplicates;
    size_t machines; /* events whose class is not human */
    size_t late;     /* engagements without a visit, which are not stored */
};

/* Hands all events to the writer; done is called on the loop thread, then the
 * arrival is freed.  LB_ELIMIT: the queue is full, err names the limit; the
 * arrival is freed, done is not called.  Without events done comes at once. */
LB_MUST_CHECK enum lb_err
arrival_submit(struct arrival *arrival,
               void (*done)(void *ctx, const struct arrival_result *result),
               void *ctx,
               struct lb_error *err);

#endif
