/* openapi.h - GET /openapi.json: the description of all routes
 * (web/openapi.json). */
#ifndef LINKBELL_SQL_OPENAPI_H
#define LINKBELL_SQL_OPENAPI_H

#include "base/http_server.h"

LB_MUST_CHECK enum lb_err openapi_add(struct lb_http_server *server,
                                      struct lb_error *err);

#endif
