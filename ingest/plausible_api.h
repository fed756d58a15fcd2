/* plausible_api.h - POST /api/event, for scripts on pages and for back ends
 * that speak Plausible's dialect; and GET /api/health. */
#ifndef LINKBELL_INGEST_PLAUSIBLE_API_H
#define LINKBELL_INGEST_PLAUSIBLE_API_H

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

/* Adds the routes; intake is borrowed for the server's life. */
LB_MUST_CHECK enum lb_err plausible_api_add(struct lb_http_server *server,
                                            struct intake *intake,
                                            struct lb_error *err);

#endif
