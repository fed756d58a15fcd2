/* redirect_api.h - short links: GET /r/{slug}, and GET /{slug} on a site's own
 * host.  A visitor is sent on when the click is durable, and in any case after
 * REDIRECT_WAIT_MS. */
#ifndef LINKBELL_INGEST_REDIRECT_API_H
#define LINKBELL_INGEST_REDIRECT_API_H

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

#define REDIRECT_WAIT_MS 50

struct redirect_api;

LB_MUST_CHECK enum lb_err redirect_api_new(struct lb_http_server *server,
                                           struct intake *intake,
                                           struct redirect_api **api_out,
                                           struct lb_error *err);
void redirect_api_free(struct redirect_api *api); /* NULL is fine */

#endif
