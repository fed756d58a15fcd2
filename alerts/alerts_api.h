/* alerts_api.h - /v1/alerts and /v1/deliveries: lists; what somebody does about
 * an alert (alerts_act.h), a delivery (deliveries_api.h) and a destination
 * (destinations_api.h). */
#ifndef LINKBELL_ALERTS_ALERTS_API_H
#define LINKBELL_ALERTS_ALERTS_API_H

#include "alerts/deliver.h"
#include "base/config.h"
#include "base/http_server.h"
#include "sql/apply.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct alerts_api;

struct alerts_parts {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct cursor *cursor;
    const struct lb_config *config;
    const struct apply_kinds *kinds;
};

LB_MUST_CHECK enum lb_err alerts_api_new(struct lb_http_server *server,
                                         const struct alerts_parts *parts,
                                         struct alerts_api **api_out,
                                         struct lb_error *err);
/* Who sends messages, once it is there. */
void alerts_api_set_deliver(struct alerts_api *api, struct deliver *deliver);
void alerts_api_free(struct alerts_api *api);

#endif
