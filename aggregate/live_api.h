/* live_api.h - GET /v1/live: server-sent events. */
#ifndef LINKBELL_AGGREGATE_LIVE_API_H
#define LINKBELL_AGGREGATE_LIVE_API_H

#include "aggregate/stats_api.h"
#include "sql/alert_feed.h"

struct live_api;

LB_MUST_CHECK enum lb_err live_api_new(struct lb_http_server *server,
                                       struct auth *auth,
                                       const struct stats_parts *parts,
                                       alert_feed_fn alerts,
                                       struct live_api **api_out,
                                       struct lb_error *err);
void live_api_set_config(struct live_api *api, const struct lb_config *config);
void live_api_free(struct live_api *api);

#endif
