/* alerts_api.h - GET /v1/alerts and /v1/deliveries. */
#ifndef LINKBELL_ALERTS_ALERTS_API_H
#define LINKBELL_ALERTS_ALERTS_API_H

#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/pool.h"

struct alerts_api;

LB_MUST_CHECK enum lb_err alerts_api_new(struct lb_http_server *server,
                                         struct auth *auth,
                                         struct pool *readers,
                                         struct alerts_api **api_out,
                                         struct lb_error *err);
void alerts_api_free(struct alerts_api *api);

#endif
