/* rehearse_api.h - POST /v1/rules/backtest: a rule tried on the past, in pieces
 * on the readers. */
#ifndef LINKBELL_ALERTS_REHEARSE_API_H
#define LINKBELL_ALERTS_REHEARSE_API_H

#include "alerts/alerts_api.h"
#include "base/http_server.h"

struct rehearse_api;

LB_MUST_CHECK enum lb_err rehearse_api_new(struct lb_http_server *server,
                                           const struct alerts_parts *parts,
                                           struct rehearse_api **api_out,
                                           struct lb_error *err);
void rehearse_api_free(struct rehearse_api *api); /* NULL is fine */

#endif
