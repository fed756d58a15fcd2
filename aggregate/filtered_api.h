/* filtered_api.h - GET /v1/filtered: what is left out of the figures, and why.
 */
#ifndef LINKBELL_AGGREGATE_FILTERED_API_H
#define LINKBELL_AGGREGATE_FILTERED_API_H

#include "aggregate/stats_api.h"
#include "base/config.h"
#include "base/http_server.h"
#include "sql/auth.h"

struct filtered_api;

LB_MUST_CHECK enum lb_err filtered_api_new(struct lb_http_server *server,
                                           struct auth *auth,
                                           const struct stats_parts *parts,
                                           const struct lb_config *config,
                                           struct filtered_api **api_out,
                                           struct lb_error *err);
void filtered_api_set_config(struct filtered_api *api,
                             const struct lb_config *config);
void filtered_api_free(struct filtered_api *api); /* NULL is fine */

#endif
