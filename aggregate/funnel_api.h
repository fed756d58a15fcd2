/* funnel_api.h - GET /v1/funnel. */
#ifndef LINKBELL_AGGREGATE_FUNNEL_API_H
#define LINKBELL_AGGREGATE_FUNNEL_API_H

#include "aggregate/stats_api.h"

struct funnel_api;

LB_MUST_CHECK enum lb_err funnel_api_new(struct lb_http_server *server,
                                         struct auth *auth,
                                         const struct stats_parts *parts,
                                         const struct lb_config *config,
                                         struct funnel_api **api_out,
                                         struct lb_error *err);
void funnel_api_set_config(struct funnel_api *api,
                           const struct lb_config *config);
void funnel_api_free(struct funnel_api *api);

#endif
