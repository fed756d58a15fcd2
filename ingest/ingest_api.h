/* ingest_api.h - POST /v1/events. */
#ifndef LINKBELL_INGEST_INGEST_API_H
#define LINKBELL_INGEST_INGEST_API_H

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

struct ingest_api;

LB_MUST_CHECK enum lb_err ingest_api_new(struct lb_http_server *server,
                                         struct intake *intake,
                                         struct ingest_api **api_out,
                                         struct lb_error *err);
void ingest_api_free(struct ingest_api *api); /* no request may be under way */

#endif
