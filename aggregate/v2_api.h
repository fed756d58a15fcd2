/* v2_api.h - POST /api/v2/query: Plausible's stats dialect. */
#ifndef LINKBELL_AGGREGATE_V2_API_H
#define LINKBELL_AGGREGATE_V2_API_H

#include "aggregate/stats_api.h"

struct v2_api;

LB_MUST_CHECK enum lb_err v2_api_new(struct lb_http_server *server,
                                     struct auth *auth,
                                     const struct stats_parts *parts,
                                     const struct lb_config *config,
                                     struct v2_api **api_out,
                                     struct lb_error *err);
void v2_api_set_config(struct v2_api *api, const struct lb_config *config);
void v2_api_free(struct v2_api *api); /* NULL is fine */

#endif
