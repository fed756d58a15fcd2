/* pixel.h - GET /e.gif: an event by an image, for mail and for pages without
 * script. */
#ifndef LINKBELL_INGEST_PIXEL_H
#define LINKBELL_INGEST_PIXEL_H

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

/* Adds the route; intake is borrowed for the server's life. */
LB_MUST_CHECK enum lb_err pixel_add(struct lb_http_server *server,
                                    struct intake *intake,
                                    struct lb_error *err);

#endif
