/* event_client.h - the part of an event that tells of its client: place,
 * device, browser, system, class and visitor.  Address and user agent end
 * here. */
#ifndef LINKBELL_INGEST_EVENT_CLIENT_H
#define LINKBELL_INGEST_EVENT_CLIENT_H

#include "base/arena.h"
#include "base/err.h"
#include "ingest/event.h"

/* What the event says itself; NULL: nothing. */
struct event_client {
    const char *address; /* else the request's */
    const char *agent;   /* "" is one that is empty */
    const char *visitor;
};

/* Fills event, whose site, ts and own places are read.  LB_EINVAL: the address
 * is none; LB_ENOMEM. */
LB_MUST_CHECK enum lb_err event_client_fill(const struct event_context *context,
                                            const struct event_client *client,
                                            struct lb_arena *arena,
                                            struct event *event);

#endif
